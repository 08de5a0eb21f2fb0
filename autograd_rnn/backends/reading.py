"""Lists, arrays and tensors of numbers, read as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from numbers import Real
from typing import Any

from ..arguments import as_float
from ..engine.leaves import read_floats
from ..errors import ArgumentTypeError, ArgumentValueError


def joined(parts: Sequence[Any], argument: str) -> tuple[Any, Any]:
    """The vectors of all parts in turn, below a row of zeros, and how many each part has."""
    import numpy as np

    flat = _joined_lists(parts)
    if flat is not None:
        counts, arrays = [*map(len, parts)], [flat]
    else:
        arrays = [_vectors(part, f"{argument}[{place}]") for place, part in enumerate(parts)]
        counts = [*map(len, arrays)]
        arrays = [array for array in arrays if len(array)] or [np.zeros((0, 1))]
        _check_sizes([array.shape[1] for array in arrays], argument)
    return np.concatenate([np.zeros((1, arrays[0].shape[1])), *arrays]), np.array(counts)


def _joined_lists(parts: Sequence[Any]) -> Any:
    """The vectors of lists of numbers, or of lists of lists, all at once; None for others."""
    import numpy as np

    lists, numbers = {list, tuple}, {float, int}
    if {*map(type, parts)} - lists:
        return None
    vectors = entries = [*chain.from_iterable(parts)]
    kinds, sizes = {*map(type, vectors)}, {1}
    if vectors and kinds <= lists:
        sizes = {*map(len, vectors)}
        entries = [*chain.from_iterable(vectors)]
        kinds = set()
    if len(sizes) != 1:
        return None
    if read_floats(entries, found := np.empty(len(entries))):
        return found.reshape(len(vectors), *sizes)
    if not (kinds or {*map(type, entries)}) <= numbers:
        return None
    try:
        return np.array(entries, dtype=float).reshape(len(vectors), *sizes)
    except OverflowError:
        return None


def are_numbers(parts: Sequence[Any], argument: str) -> bool:
    """Whether the entries of the parts are numbers; `ValueError` if only some of them are."""
    import numpy as np

    found: set[bool] = set()
    if {*map(type, parts)} <= {list, tuple}:  # the usual case, all at once
        parts = [[*chain.from_iterable(parts)]]
    for part in parts:
        if hasattr(part, "ndim"):
            found.add(part.ndim == 1)
            continue
        for kind in {*map(type, part)}:
            # An array of no dimension has a length by its class alone.
            known = None if hasattr(kind, "ndim") else not hasattr(kind, "__len__")
            found |= {np.ndim(entry) == 0 for entry in part} if known is None else {known}
    if len(found) > 1:
        raise ArgumentValueError(
            f"{argument} has numbers and lists of numbers: the loss gets a target as it is given, "
            f"so give all of them alike."
        )
    return True in found


def _vectors(given: Any, argument: str) -> Any:
    """The numbers as vectors of one size: an array of vectors by entries."""
    import numpy as np

    if isinstance(given, str) or not hasattr(given, "__len__") or getattr(given, "ndim", 1) == 0:
        way_out = ": write list(...) around it" if hasattr(given, "__next__") else ""
        if isinstance(given, Real) and argument.startswith("sequences"):
            way_out = ": for one sequence, write [sequence]"
        raise ArgumentTypeError(f"{argument} must be a list, not {type(given).__name__}{way_out}.")
    given = as_lists(given)
    try:
        array = np.array(given)
    except ValueError:  # several sizes, or no numbers: checking the lists finds where
        array = np.array("")
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or _has_flags(given):
        array = np.array(_lists(given, argument))
    if not len(array):
        return np.empty((0, 1))
    return array.astype(float) if array.ndim == 2 else array.astype(float)[:, None]


def listed(numbers: Any) -> Any:
    """An array or a tensor as lists of its numbers; anything else as it is.

    >>> import numpy as np
    >>> listed(np.array([1.0, 2.0])), listed((1, 2))
    ([1.0, 2.0], (1, 2))
    """
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


def as_lists(given: Any) -> Any:
    """Tensors of other packages than NumPy as lists, alone or in a list; anything else as it is.

    NumPy does not take all of them, such as those of which torch keeps gradients.
    """
    import numpy as np

    if isinstance(given, list | tuple):
        numbers = (np.ndarray, np.generic)
        kinds = {kind for kind in {*map(type, given)} if not issubclass(kind, numbers)}
        if any(hasattr(kind, "tolist") for kind in kinds):
            return [listed(entry) for entry in given]
    return given if isinstance(given, np.ndarray) else listed(given)


def _has_flags(given: Any) -> bool:
    """Whether there is a bool in a list of numbers, or of lists of them, where NumPy makes it 1."""
    if not isinstance(given, list | tuple):
        return False
    kinds = {*map(type, given)}
    if not kinds.isdisjoint((list, tuple)):
        kinds = {*map(type, chain.from_iterable(given))}
    return bool in kinds


def _lists(given: Iterable[Any], argument: str) -> list[list[float]]:
    vectors = []
    for entry in given:
        if isinstance(entry, str):
            raise ArgumentTypeError(f"{argument} must hold numbers or lists of them, not str.")
        entries = listed(entry)
        entries = entries if hasattr(entries, "__len__") else [entries]
        vectors.append([as_float(one, argument) for one in entries])
    _check_sizes([len(vector) for vector in vectors], argument)
    return vectors


def _check_sizes(sizes: Iterable[int], argument: str) -> None:
    different = sorted(set(sizes))
    if len(different) > 1:
        raise ArgumentValueError(f"{argument} has vectors of the sizes {different}.")
