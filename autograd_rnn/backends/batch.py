"""Batches of sequences and their targets, in flat arrays that are checked and made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain
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

    `inputs` has a row for each step of all sequences, and `targets`, None in a batch for
    `predict`, one for each target; the first row of either is zeros.  Sequence k has `lengths[k]`
    steps, in the rows from `starts[k]`; its targets are in the rows from `goals[k]`, one or with
    `every` as many.  `packed` is the form in which the `backend` takes them.

    `take` gives some of the sequences as a batch that shares these arrays: so whole data are
    checked once, and a batch of a training is an index.

    >>> from autograd_rnn import RNN
    >>> compiled = RNN([[4], [1]], activation="relu", bias=False).compile(
    ...     "squared_error", backend="python"
    ... )
    >>> data = compiled.prepare([[1, 0, 1], [1], [1, 1]], [17, 1, 5])
    >>> compiled.loss_and_gradients(data.take([2, 0]))
    (0.0, [0.0, 0.0])
    """

    __slots__ = ("backend", "every", "goals", "inputs", "lengths", "packed", "starts", "targets")

    def __init__(
        self, inputs: Any, starts: Any, lengths: Any, targets: Any, goals: Any, *, every: bool
    ) -> None:
        self.inputs, self.starts, self.lengths = inputs, starts, lengths
        self.targets, self.goals, self.every = targets, goals, every
        self.backend: Any = None
        self.packed: Any = None

    def take(self, places: Sequence[int] | slice) -> Batch:
        """The sequences at the places, which count from 0, in that order.

        `IndexError` for a place that is not there.
        """
        starts, lengths = self.starts[places], self.lengths[places]
        goals = self.goals[places]
        return Batch(self.inputs, starts, lengths, self.targets, goals, every=self.every)

    def pairs(self) -> list[tuple[list[list[float]], list[list[float]]]]:
        """The vectors of each sequence, and its targets, as lists."""
        found = []
        for start, length, goal in zip(self.starts, self.lengths, self.goals, strict=True):
            xs = self.inputs[start : start + length].tolist()
            count = length if self.every else 1
            ys = [] if self.targets is None else self.targets[goal : goal + count].tolist()
            found.append((xs, ys))
        return found

    def steps(self) -> Any:
        """The rows of all steps, sequence by sequence."""
        return steps_from(self.starts, self.lengths)

    def aims(self) -> Any:
        """The targets, a row for each output that has one, sequence by sequence."""
        return self.targets[self.steps() if self.every else self.goals]

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"<Batch: {len(self)} sequences>"


def steps_from(starts: Any, lengths: Any) -> Any:
    """The numbers from each start on, so many as its length, one after the other."""
    import numpy as np

    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)


def as_batch(sequences: Any, targets: Any, *, every: bool) -> Batch:
    """The batch of these sequences and targets."""
    import numpy as np

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
        inputs.append(_vectors(sequence, f"sequences[{place}]"))
        if not len(inputs[-1]):
            raise ArgumentValueError(f"sequences[{place}] is empty: it has no output.")
    lengths = np.array([len(vectors) for vectors in inputs])
    starts = 1 + np.cumsum(lengths) - lengths
    flat = _joined(inputs, "sequences")
    if targets is None:
        return Batch(flat, starts, lengths, None, starts, every=every)
    if not every:
        goals = [_vectors([target], f"targets[{place}]") for place, target in enumerate(targets)]
        places = np.arange(1, 1 + len(goals))
        return Batch(flat, starts, lengths, _joined(goals, "targets"), places, every=False)
    goals = []
    for place, (vectors, target) in enumerate(zip(inputs, targets, strict=True)):
        goals.append(_vectors(target, f"targets[{place}]"))
        if len(goals[-1]) != len(vectors):
            raise ArgumentValueError(
                f"targets[{place}] has {len(goals[-1])} entries for {len(vectors)} steps."
            )
    return Batch(flat, starts, lengths, _joined(goals, "targets"), starts, every=True)


def _joined(parts: Sequence[Any], argument: str) -> Any:
    """The rows of arrays, one after the other, below a row of zeros."""
    import numpy as np

    _check_sizes([part.shape[1] for part in parts], argument)
    return np.concatenate([np.zeros((1, parts[0].shape[1])), *parts])


def _vectors(given: Any, argument: str) -> Any:
    """The numbers as vectors of one size: an array of vectors by entries."""
    import numpy as np

    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentTypeError(f"{argument} must be a list, not {type(given).__name__}.")
    try:
        array = np.array(given)
    except ValueError:  # several sizes, or no numbers: checking the lists finds where
        array = np.array("")
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or _has_flags(given):
        array = np.array(_lists(given, argument))
    if not len(array):
        return np.empty((0, 1))
    return array.astype(float) if array.ndim == 2 else array.astype(float)[:, None]


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
        entries = entry if hasattr(entry, "__len__") else [entry]
        vectors.append([as_float(one, argument) for one in entries])
    _check_sizes([len(vector) for vector in vectors], argument)
    return vectors


def _check_sizes(sizes: Iterable[int], argument: str) -> None:
    different = sorted(set(sizes))
    if len(different) > 1:
        raise ArgumentValueError(f"{argument} has vectors of the sizes {different}.")
