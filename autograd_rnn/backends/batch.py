"""Batches of sequences and their targets, in flat arrays that are checked and made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..arguments import many
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, check_target
from .reading import are_numbers, joined
from .symbols import joined_symbols, one_hot_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: A list of sequences, each of numbers, of lists of numbers, of symbols, or an array of steps by
#: entries.
Sequences: TypeAlias = "Sequence[ArrayLike] | ArrayLike"
#: A target per sequence, or per step: numbers, or lists of numbers.
Targets: TypeAlias = "Sequence[ArrayLike] | ArrayLike"
#: A vector for each sequence.
States: TypeAlias = "Sequence[Sequence[float]] | ArrayLike"


#: How many targets that need no check are remembered.
MOST_TAKEN: Final = 10_000
AT_ONCE: Final = 64  # the most parts of a batch that are made together
MOST_STEPS: Final = 1 << 16  # the most steps of these parts in all, unless one has more


class Batch:
    """Sequences and their targets, checked and packed once; made by `CompiledStep.prepare`.

    `inputs` has a row for each step of all sequences, or if there are `symbols`, so many, the whole
    number of one; `targets`, None in a batch for `predict`, has a row for each target.  The first
    row of either is zeros.  Sequence k has `lengths[k]`
    steps, in the rows from `starts[k]`; its targets are in the rows from `goals[k]`, one or with
    `every` as many, and then the sum of its losses is divided by `counts[k]`.  Where some targets
    do not count, `before` has how many count above each row.  `packed` is the form in which the
    `backend` takes them.

    `number` says whether each target was given as a number, and not as a vector.

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

    __slots__ = (
        *("backend", "before", "counts", "every", "goals", "inputs", "lengths", "packed"),
        *("number", "starts", "symbols", "targets"),
    )

    def __init__(
        self,
        inputs: Any,
        starts: Any,
        lengths: Any,
        targets: Any,
        goals: Any,
        *,
        every: bool,
        counts: Any = None,
        before: Any = None,
        number: bool = True,
        symbols: int = 0,
    ) -> None:
        self.inputs, self.starts, self.lengths = inputs, starts, lengths
        self.targets, self.goals, self.every = targets, goals, every
        self.counts, self.before = lengths if counts is None else counts, before
        self.number, self.symbols = number, symbols
        self.backend: Any = None
        self.packed: Any = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        # A copy is packed when it is run: memory has addresses, and its backend is of one process.
        named = {name: getattr(self, name) for name in self.__slots__}
        return None, {**named, "backend": None, "packed": None}

    @property
    def entries(self) -> int:
        """The number of entries of an input, or of the one-hot vector that it stands for."""
        return self.symbols or int(self.inputs.shape[1])

    def part(self, starts: Any, lengths: Any, goals: Any, counts: Any) -> Batch:
        """A batch of other rows of the same arrays."""
        given = (self.inputs, starts, lengths, self.targets, goals)
        options: Any = {"before": self.before, "number": self.number, "symbols": self.symbols}
        return Batch(*given, every=self.every, counts=counts, **options)

    def as_vectors(self) -> Batch:
        """The batch with one-hot vectors, in rows of their own, in place of symbols.

        >>> batch = as_batch([[2, 0], [1]], None, every=False, symbols=3)
        >>> batch.inputs.tolist(), batch.as_vectors().pairs()[1][0]
        ([0, 2, 0, 1], [[0.0, 1.0, 0.0]])
        """
        import numpy as np

        if not self.symbols:
            return self
        rows, count = self.steps(), self.symbols
        inputs = np.concatenate([np.zeros((1, count)), one_hot_vectors(self.inputs[rows], count)])
        starts = 1 + np.cumsum(self.lengths) - self.lengths
        targets, goals = self.targets, self.goals
        if self.every:
            goals = starts
            if targets is not None:
                targets = targets[np.concatenate([[0], rows])]
        given = (inputs, starts, self.lengths, targets, goals)
        return Batch(*given, every=self.every, counts=self.counts, number=self.number)

    def vectors(self, start: int, length: int) -> list[list[float]]:
        """So many inputs from a row on, as lists: of symbols the one-hot vectors."""
        found = self.inputs[start : start + length]
        vectors: list[list[float]] = (
            one_hot_vectors(found, self.symbols) if self.symbols else found
        ).tolist()
        return vectors

    def take(self, places: Sequence[int]) -> Batch:
        """The sequences at the places, which count from 0, in that order.

        `IndexError` for a place that is not there.
        """
        import numpy as np

        index = np.asarray(places) if len(places) else np.zeros(0, dtype=int)
        arrays = (self.starts, self.lengths, self.goals, self.counts)
        return self.part(*[array.take(index) for array in arrays])

    def cut(self, size: int) -> list[Batch]:
        """Parts of so many sequences, in turn; the last may have fewer.

        >>> [len(part) for part in as_batch([[1], [2], [3]], [1, 2, 3], every=False).cut(2)]
        [2, 1]
        """
        parts = [slice(start, start + size) for start in range(0, len(self), size)]
        arrays = (self.starts, self.lengths, self.goals, self.counts)
        return [self.part(*[array[part] for array in arrays]) for part in parts]

    def window(self, start: int, size: int, *, whole: bool = False) -> tuple[Any, Batch]:
        """The steps from `start` on, up to so many, of the sequences that are longer than it.

        With their places; each step has a target.  With `whole`, the sum of the losses is divided
        by the number of them in the whole sequence.

        >>> batch = as_batch([[1, 2, 3], [4]], [[1, 2, 3], [4]], every=True)
        >>> places, rest = batch.window(1, 2)
        >>> places.tolist(), rest.pairs()
        ([0], [([[2.0], [3.0]], [[2.0], [3.0]])])
        """
        (found,) = self.windows([start], size, whole=whole)
        return found

    def windows(
        self, starts: Sequence[int], size: int, *, whole: bool = False
    ) -> Iterator[tuple[Any, Batch]]:
        """The window from each of these steps on, in turn, as `window` gives it."""
        count = at_once(self.lengths.clip(max=size))
        for place in range(0, len(starts), count):
            yield from self._windows(starts[place : place + count], size, whole=whole)

    def _windows(
        self, starts: Sequence[int], size: int, *, whole: bool
    ) -> Iterator[tuple[Any, Batch]]:
        import numpy as np

        rows = np.asarray(starts)[:, None]
        lengths = np.minimum(self.lengths - rows, size)
        begins, goals = self.starts + rows, self.goals + rows
        if whole:
            counts = np.broadcast_to(self.counts, lengths.shape)
        elif self.before is None:
            counts = lengths
        else:  # a window in which no target counts has a loss of 0, whatever that is divided by
            ends = self.before.take(goals + lengths, mode="clip")
            counts = np.maximum(1, ends - self.before.take(goals, mode="clip"))
        longer, everywhere = lengths > 0, np.arange(len(self))
        for row, is_whole in enumerate(longer.all(axis=1).tolist()):
            arrays = (begins[row], lengths[row], goals[row], counts[row])
            places = everywhere if is_whole else np.flatnonzero(longer[row])
            found = arrays if is_whole else [array[places] for array in arrays]
            yield places, self.part(*found)

    def counting(self, counted: Any, argument: str) -> Batch:
        """The batch, of whose rows of targets only those count that an array of bools says.

        `ValueError` naming `argument` for a sequence of which no target counts.

        >>> batch = as_batch([[1, 2, 3], [4]], [[1, 2, -1], [4]], every=True)
        >>> batch.counting(batch.targets[:, 0] >= 0, "targets").counts.tolist()
        [2, 1]
        """
        import numpy as np

        self.before = np.concatenate([[0], np.cumsum(counted)])
        counts = self._counted(self.goals, self.lengths if self.every else 1)
        if not counts.all():
            every = "all are to be ignored" if self.every else "it is to be ignored"
            raise ArgumentValueError(
                f"{argument}[{counts.argmin()}] leaves nothing to learn from: {every}. Leave the "
                f"sequence out."
            )
        if self.every:
            self.counts = counts
        return self

    def _counted(self, goals: Any, lengths: Any) -> Any:
        """How many of the targets count, so many from each of these rows on."""
        return self.before[goals + lengths] - self.before[goals]

    def both_ways(self) -> Batch:
        """The batch with inputs that have those of the same sequence, from its end on, beside them.

        >>> as_batch([[1, 2, 3]], None, every=False).both_ways().pairs()[0][0]
        [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]
        """
        import numpy as np

        if self.symbols:
            return self.as_vectors().both_ways()
        rows, order = self.steps(), np.zeros(len(self.inputs), dtype=int)
        order[rows] = (2 * self.starts + self.lengths - 1).repeat(self.lengths) - rows
        inputs = np.concatenate([self.inputs, self.inputs[order]], axis=1)
        made = self.part(self.starts, self.lengths, self.goals, self.counts)
        made.inputs = inputs
        return made

    def pairs(self) -> list[tuple[list[list[float]], list[list[float]]]]:
        """The vectors of each sequence, and its targets, as lists."""
        found = []
        for start, length, goal in zip(self.starts, self.lengths, self.goals, strict=True):
            xs = self.vectors(start, length)
            count = length if self.every else 1
            ys = [] if self.targets is None else self.targets[goal : goal + count].tolist()
            found.append((xs, ys))
        return found

    def steps(self) -> Any:
        """The rows of all steps, sequence by sequence."""
        return steps_from(self.starts, self.lengths)

    def aims(self) -> Any:
        """The targets, a row for each output that has one, sequence by sequence."""
        return self.targets.take(self.steps() if self.every else self.goals, axis=0)

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"<Batch: {len(self)} sequences>"


def steps_from(starts: Any, lengths: Any) -> Any:
    """The numbers from each start on, so many as its length, one after the other."""
    import numpy as np

    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)


def at_once(lengths: Any) -> int:
    """How many parts, of sequences as long as these, are packed together to save time."""
    return max(1, min(AT_ONCE, MOST_STEPS // int(lengths.sum())))


def check_batch(batch: object) -> Batch:
    """The batch, as it is; `TypeError` for anything else."""
    if not isinstance(batch, Batch):
        raise ArgumentTypeError(
            f"batch must be a Batch, as `prepare` gives it, not {type(batch).__name__}."
        )
    return batch


def as_batch(sequences: Any, targets: Any, *, every: bool, symbols: int = 0) -> Batch:
    """The batch of these sequences and targets.

    Whole numbers in place of vectors are symbols, if there are so many, two or more.
    """
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
    found = joined_symbols(sequences, symbols) if symbols > 1 else None
    inputs, lengths = found or joined(sequences, "sequences")
    options: Any = {"every": every, "symbols": symbols if found else 0}
    if not lengths.all():
        raise ArgumentValueError(f"sequences[{lengths.argmin()}] is empty: it has no output.")
    starts = 1 + np.cumsum(lengths) - lengths
    if targets is None:
        return Batch(inputs, starts, lengths, None, starts, **options)
    parts = targets if every else [[target] for target in targets]
    goals, counts = joined(parts, "targets")
    options["number"] = are_numbers(parts, "targets")
    if not every:
        return Batch(inputs, starts, lengths, goals, np.cumsum(counts), **options)
    if (counts != lengths).any():
        place = (counts != lengths).argmax()
        raise ArgumentValueError(
            f"targets[{place}] has {counts[place]} entries for {lengths[place]} steps."
        )
    return Batch(inputs, starts, lengths, goals, starts, **options)


def check_entries(batch: Batch, inputs: int | None) -> None:
    """`ValueError` for vectors of another size than there are inputs, saying how they are read.

    >>> check_entries(as_batch([[[1, 2]]], None, every=False), 2)
    """
    if inputs is None or batch.entries == inputs:
        return
    count, way_out = len(batch), ""
    if batch.entries == 1 and (batch.lengths == inputs).all():
        way_out = f" For one sequence of {many(count, 'step')}, write [sequence]."
    raise ArgumentValueError(
        f"sequences must have vectors of size {inputs}, as the model has {many(inputs, 'input')}: "
        f"they are read as {many(count, 'sequence')}, the first of {many(batch.lengths[0], 'step')}"
        f", each a vector of size {batch.entries}.{way_out}"
    )


def check_targets(batch: Batch, loss: Loss, size: int, taken: set[tuple[float, ...]]) -> None:
    """`ValueError` for the first target that a loss does not take, for an output of this size.

    Those that it takes are added to the ones that need no check.
    """
    if len(taken) > MOST_TAKEN:
        taken.clear()
    try:
        for goals in {*map(tuple, batch.targets[1:].tolist())}.difference(taken):
            check_target(loss, goals, size, "targets")
            taken.add(goals)
    except (TypeError, ValueError):
        for place, (_, ys) in enumerate(batch.pairs()):
            for k, entries in enumerate(ys):
                check_target(loss, entries, size, f"targets[{place}]" + f"[{k}]" * batch.every)
        raise
