# cython: annotation_typing=False
"""The numbers of many leaves at once, in arrays of floats such as NumPy's."""

from __future__ import annotations

from typing import Protocol

from .value import Value


class Floats(Protocol):
    """An array of floats: of NumPy, or of the module `array`."""

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, number: float, /) -> None: ...


def first_result(values: list[Value]) -> int:
    """The place of the first Value that is the result of an op, or -1 if all are leaves."""
    for place, value in enumerate(values):
        if value._op is not None:
            return place
    return -1


def read_numbers(values: list[Value], into: Floats) -> None:
    """Copy the `data` of each Value into an array of as many floats."""
    for place in range(len(values)):
        value = values[place]
        into[place] = value._data


def read_gradients(values: list[Value], into: Floats) -> None:
    """Copy the `grad` of each Value into an array of as many floats."""
    for place in range(len(values)):
        value = values[place]
        into[place] = value._grad


def assign_numbers(leaves: list[Value], numbers: Floats) -> None:
    """Assign to the `data` of each leaf the float at its place."""
    for place in range(len(leaves)):
        leaf = leaves[place]
        leaf._data = float(numbers[place])
