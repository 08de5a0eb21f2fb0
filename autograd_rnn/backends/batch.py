"""Batches of sequences and their targets, which are checked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias

from ..arguments import as_float
from ..errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: A list of sequences, each of numbers, of lists of numbers, or an array of steps by entries.
Sequences: TypeAlias = "Sequence[ArrayLike] | ArrayLike"
#: A target per sequence, or per step: numbers, or lists of numbers.
Targets: TypeAlias = "Sequence[ArrayLike] | ArrayLike"


class Batch:
    """Sequences and their targets, checked and packed once; made by `CompiledStep.prepare`.

    `sequences` has a vector per step; `targets` a list of one, or with `every` a vector per step,
    or is None in a batch for `predict`.  Vectors are lists or rows of an array.  `packed` is the
    form in which the `backend` takes them.
    """

    __slots__ = ("backend", "packed", "sequences", "targets")

    def __init__(self, sequences: list[Any], targets: list[Any] | None) -> None:
        self.sequences, self.targets = sequences, targets
        self.backend: Any = None
        self.packed: Any = None

    def __len__(self) -> int:
        return len(self.sequences)

    def __repr__(self) -> str:
        return f"<Batch: {len(self)} sequences>"


def as_batch(sequences: Any, targets: Any, *, every: bool, arrays: bool) -> Batch:
    """The batch of these sequences and targets, in lists or in `arrays`."""
    for name, given in (("sequences", sequences), ("targets", [] if targets is None else targets)):
        if isinstance(given, str | Mapping | Set) or not hasattr(given, "__len__"):
            raise ArgumentTypeError(f"{name} must be a list, not {type(given).__name__}.")
    if not len(sequences):
        raise ArgumentValueError("sequences is empty: a batch has one or more.")
    if targets is not None and len(sequences) != len(targets):
        raise ArgumentValueError(
            f"sequences and targets must be as many: there are {len(sequences)} and {len(targets)}."
        )
    inputs = []
    for place, sequence in enumerate(sequences):
        inputs.append(_vectors(sequence, f"sequences[{place}]", arrays))
        if not len(inputs[-1]):
            raise ArgumentValueError(f"sequences[{place}] is empty: it has no output.")
    _check_sizes([len(vectors[0]) for vectors in inputs], "sequences")
    if targets is None:
        return Batch(inputs, None)
    goals = []
    for place, (vectors, target) in enumerate(zip(inputs, targets, strict=True)):
        goals.append(_vectors(target if every else [target], f"targets[{place}]", arrays))
        if every and len(goals[-1]) != len(vectors):
            raise ArgumentValueError(
                f"targets[{place}] has {len(goals[-1])} entries for {len(vectors)} steps."
            )
    _check_sizes([len(vectors[0]) for vectors in goals], "targets")
    return Batch(inputs, goals)


def _vectors(given: Any, argument: str, arrays: bool) -> Any:
    """The numbers as vectors of one size: a list of lists, or an array of vectors by entries."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentTypeError(f"{argument} must be a list, not {type(given).__name__}.")
    if not arrays:
        return _lists(given, argument)
    import numpy as np

    try:
        array = np.array(given)
    except ValueError:  # several sizes, or no numbers: checking the lists finds where
        array = np.array("")
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or not len(array):
        array = np.array(_lists(given, argument))
    return array.astype(float) if array.ndim == 2 else array.astype(float)[:, None]


def _lists(given: Iterable[Any], argument: str) -> list[list[float]]:
    vectors = []
    for entry in given:
        if isinstance(entry, str):
            raise ArgumentTypeError(f"{argument} must hold numbers or lists of them, not str.")
        entries = entry if hasattr(entry, "__len__") else [entry]
        vectors.append([as_float(one, argument) for one in entries])
    _check_sizes([len(vector) for vector in vectors], argument)
    return vectors


def _check_sizes(sizes: Iterable[int], argument: str) -> None:
    different = sorted(set(sizes))
    if len(different) > 1:
        raise ArgumentValueError(f"{argument} has vectors of the sizes {different}.")
