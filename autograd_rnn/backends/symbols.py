"""Symbols: inputs as whole numbers, each of which stands for a one-hot vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from ..arguments import many, shown
from ..errors import ArgumentTypeError, ArgumentValueError


def is_vector(entry: object) -> bool:
    """Whether an input is a vector, not a number.

    >>> is_vector([1, 0]), is_vector(1)
    (True, False)
    """
    return hasattr(entry, "__len__") and getattr(entry, "shape", None) != ()


def as_symbol(entry: Any, count: int, argument: str) -> int:
    """The symbol, one of so many, as an int.

    `TypeError` for anything but a whole number, bool included, and `ValueError` for one that is not
    among the symbols; both name `argument`.

    >>> as_symbol(3, 4, "inputs[0]")
    3
    """
    allowed = f"{argument} must be a symbol, an int from 0 to {count - 1}, or a vector of {count}"
    if is_vector(entry):
        raise ArgumentTypeError(
            f"{argument} is a vector among symbols: write all as symbols, or all as vectors."
        )
    if isinstance(entry, bool) or not hasattr(entry, "__index__"):
        raise ArgumentTypeError(f"{allowed} numbers, not {shown(entry)}.")
    try:
        symbol = entry.__index__()
    except TypeError:  # as NumPy's bool raises
        raise ArgumentTypeError(f"{allowed} numbers, not {shown(entry)}.") from None
    if not 0 <= symbol < count:
        raise ArgumentValueError(f"{allowed} numbers, not {shown(symbol)}.")
    return int(symbol)


def as_input(entry: Any, count: int, argument: str, *, symbols: bool) -> Any:
    """The one-hot vector of an input that has to be one of the symbols, or the vector as it is.

    >>> as_input(1, 3, "inputs[0]", symbols=True), as_input([1, 2, 3], 3, "x", symbols=False)
    ([0.0, 1.0, 0.0], [1, 2, 3])
    """
    if symbols:
        symbol = as_symbol(entry, count, argument)
        return [float(place == symbol) for place in range(count)]
    if not is_vector(entry):
        raise _alone(argument)
    return entry


def one_hot_vectors(symbols: Sequence[int], count: int) -> Any:
    """The one-hot vectors of symbols, an array with a row for each.

    >>> one_hot_vectors([1, 0], 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    import numpy as np

    vectors = np.zeros((len(symbols), count))
    vectors[np.arange(len(symbols)), symbols] = 1.0
    return vectors


def joined_symbols(sequences: Sequence[Any], count: int) -> tuple[Any, Any] | None:
    """The symbols of all sequences in turn, after a 0, and how many each has; None for vectors.

    `TypeError` and `ValueError` name the sequence and the position of what is no symbol.
    """
    try:
        return _joined(sequences, count)
    except (ArgumentTypeError, ArgumentValueError) as error:
        if not all(is_vector(one) and len(one) == count for one in sequences):
            raise
        steps = many(len(sequences), "step")
        raise type(error)(f"{error} For one sequence of {steps}, write [sequence].") from None


def _joined(sequences: Sequence[Any], count: int) -> tuple[Any, Any] | None:
    """The same, without the way out for one sequence of vectors in place of several."""
    import numpy as np

    lists = {list, tuple}
    if {*map(type, sequences)} <= lists:
        kinds = {*map(type, chain.from_iterable(sequences))}
        if kinds and kinds <= lists:
            return None  # vectors, found without a look at each
    arrays = [_symbols(one, count, f"sequences[{k}]") for k, one in enumerate(sequences)]
    some = next((k for k, array in enumerate(arrays) if array is not None and len(array)), None)
    if some is None:
        return None
    for place, array in enumerate(arrays):
        if array is None:
            raise ArgumentTypeError(
                f"sequences[{place}] has vectors, but sequences[{some}] has symbols: write all as "
                f"symbols, or all as vectors."
            )
    joined = np.concatenate([np.zeros(1, dtype=np.int64), *arrays])
    # An array in a list of sequences is one of them, and no vector.
    known = isinstance(sequences, list | tuple) and any(hasattr(one, "ndim") for one in sequences)
    if len(arrays) > 1 and not known and {*map(len, arrays)} == {count}:
        _refuse_one_hot(joined[1:].reshape(-1, count))
    if joined.min() < 0 or joined.max() >= count:
        for place, array in enumerate(arrays):
            as_symbols(array, count, f"sequences[{place}]")
    return joined, np.array([*map(len, arrays)])


def _refuse_one_hot(rows: Any) -> None:
    """`ValueError` if every sequence, a row, is a one-hot vector of a single sequence as well."""
    if ((rows == 0).sum(axis=1) == rows.shape[1] - 1).all() and (rows.max(axis=1) == 1).all():
        steps, count = rows.shape
        raise ArgumentValueError(
            f"sequences may be one sequence of {steps} one-hot vectors, or {steps} sequences of "
            f"{count} symbols: write [sequence] for the former, and for the latter a list of "
            f"arrays, such as [np.array({rows[0].tolist()}), ...]."
        )


def as_symbols(sequence: Any, count: int, argument: str) -> Any:
    """The symbols of a sequence as an array of whole numbers, or None if it has vectors.

    >>> as_symbols([2, 0, 1], 3, "sequences[0]").tolist(), as_symbols([[1, 0]], 2, "sequences[0]")
    ([2, 0, 1], None)
    """
    array = _symbols(sequence, count, argument)
    if array is not None and len(array) and (array.min() < 0 or array.max() >= count):
        for k, symbol in enumerate(array.tolist()):
            as_symbol(symbol, count, f"{argument}[{k}]")
    return array


def _symbols(sequence: Any, count: int, argument: str) -> Any:
    """The whole numbers of a sequence as an array, empty if it is; None for vectors."""
    import numpy as np

    if isinstance(sequence, list | tuple):
        kinds = {*map(type, sequence)}
        if kinds == {int}:
            try:
                return np.array(sequence, dtype=np.int64)
            except OverflowError:
                pass
        elif kinds and kinds <= {list, tuple}:
            return None
        vectors = [*map(is_vector, sequence)]
        if vectors and all(vectors):
            return None
        if any(vectors[:1]):
            raise _alone(f"{argument}[{vectors.index(False)}]")
        found = [as_symbol(entry, count, f"{argument}[{k}]") for k, entry in enumerate(sequence)]
        return np.array(found, dtype=np.int64)
    if isinstance(sequence, str) or not isinstance(sequence, Iterable):
        return None
    if hasattr(sequence, "tolist") and not isinstance(sequence, np.ndarray):
        sequence = sequence.tolist()  # NumPy does not take all tensors
    array = np.asarray(sequence)
    if array.ndim != 1 or array.dtype.kind == "O":
        return None
    if array.dtype.kind not in "iu":
        for k, entry in enumerate(array.tolist()):
            as_symbol(entry, count, f"{argument}[{k}]")
    if array.dtype == np.uint64:  # what is beyond the other integers is beyond the symbols
        array = np.minimum(array, np.iinfo(np.int64).max)
    return array.astype(np.int64)


def _alone(argument: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"{argument} is no vector among vectors: write all as symbols, or all as vectors."
    )
