# cython: annotation_typing=False
"""The numbers of many Values at once, in arrays of floats such as NumPy's."""

from __future__ import annotations

from typing import Protocol

from .shared import CONSTANT, FROZEN, SWEEPS, VARIABLE, WATCH, tell
from .value import Value


class Floats(Protocol):
    """An array of floats: of NumPy, or of the module `array`."""

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, number: float, /) -> None: ...


def first_other(things: list[Value]) -> int:
    """The place of the first thing that is no Value, or -1.

    >>> from autograd_rnn import Value
    >>> first_other([Value(2), 3.0])
    1
    """
    for place in range(len(things)):
        if type(things[place]) is not Value:
            return place
    return -1


def first_difference(some: list[Value], others: list[Value]) -> int:
    """The first place at which two lists do not have the same Value, or -1 if there is none.

    >>> from autograd_rnn import Value
    >>> x, y = Value(2), Value(2)
    >>> first_difference([x, y], [x, y]), first_difference([x, y], [x, x])
    (-1, 1)
    >>> first_difference([x], [x, y])
    1
    """
    shared = min(len(some), len(others))
    for place in range(shared):
        if some[place] is not others[place]:
            return place
    return -1 if len(some) == len(others) else shared


def first_result(values: list[Value]) -> int:
    """The place of the first Value that is the result of an op, or -1 if all are leaves.

    >>> from autograd_rnn import Value
    >>> x = Value(2)
    >>> first_result([x, x]), first_result([x, x * x])
    (-1, 1)
    """
    for place, value in enumerate(values):
        if value._op is not None:
            return place
    return -1


def constant_places(values: list[Value]) -> list[int]:
    """The places of the Values that are constants.

    >>> from autograd_rnn import Value
    >>> from autograd_rnn.engine.value import constant
    >>> constant_places([Value(2), constant(3)])
    [1]
    """
    places = []
    for place in range(len(values)):
        value = values[place]
        if value._mark > VARIABLE:
            places.append(place)
    return places


def read_numbers(values: list[Value], into: Floats) -> None:
    """Copy the `data` of each Value into an array of as many floats.

    >>> from array import array
    >>> from autograd_rnn import Value
    >>> numbers = array("d", [0.0, 0.0])
    >>> read_numbers([Value(2), Value(3)], numbers)
    >>> numbers
    array('d', [2.0, 3.0])
    """
    _tell(values, "data")
    for place in range(len(values)):
        value = values[place]
        into[place] = value._data


def read_floats(numbers: list[float], into: Floats) -> bool:
    """Whether all numbers are floats; if so, they have been copied into an array of as many.

    >>> from array import array
    >>> numbers = array("d", [0.0, 0.0])
    >>> read_floats([1.0, 2.0], numbers), numbers, read_floats([1.0, True], numbers)
    (True, array('d', [1.0, 2.0]), False)
    """
    for place in range(len(numbers)):
        number = numbers[place]
        if type(number) is not float:
            return False
        into[place] = number
    return True


def read_gradients(values: list[Value], into: Floats) -> None:
    """Copy the `grad` of each Value into an array of as many floats."""
    _tell(values, "grad")
    for place in range(len(values)):
        value = values[place]
        into[place] = value._grad


def assign_numbers(leaves: list[Value], numbers: Floats) -> None:
    """Assign to the `data` of each leaf the float at its place."""
    _tell(leaves, "assignment")
    try:
        for place in range(len(leaves)):
            leaf = leaves[place]
            leaf._data = float(numbers[place])
    finally:  # some may have been
        SWEEPS.assigned += 1.0


def clear_gradients(values: list[Value]) -> None:
    """Set the `grad` of each Value to 0."""
    for value in values:
        value._grad = 0.0


def _tell(values: list[Value], what: str) -> None:
    """Tell the contexts that are open here what is read of the Values."""
    if WATCH.open:
        for value in values:
            tell("read", value, what)


def mark_leaves(leaves: list[Value], mark: float) -> int:
    """Mark each leaf as a variable or as frozen, and clear its `grad`.

    The place of the first Value that cannot be marked, a result or a plain number, or -1.
    """
    for place in range(len(leaves)):
        leaf = leaves[place]
        if leaf._op is not None or leaf._mark == CONSTANT:
            return place
    for leaf in leaves:
        leaf._mark, leaf._grad = mark, 0.0
    SWEEPS.marked += 1.0
    return -1


def is_frozen(value: Value) -> bool:
    """Whether `freeze` made the Value a constant."""
    return value._mark == FROZEN
