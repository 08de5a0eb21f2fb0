"""Batches of sequences as arrays with a column for each sequence at each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import BranchChanged
from ...program.printing import in_words
from ...program.program import Program
from ...program.writer import Guard
from ..batch import Batch


class Columns(NamedTuple):
    """Sequences side by side, the longest first, all ending together, so that none is padded.

    `inputs`, with a last row of ones unless they are symbols, and `targets` have a row per entry,
    and a column for each sequence at each step: at step t those in `spans[t]`, from the first to
    before the last, `widths[t]` of them, for sequences that have begun, and if they all are
    `together`, as many at each.  `targets` has only the columns of the last step
    unless there is one at every step, and so have the `shares` of the losses.  `order` has the
    place of each sequence, `lengths` its steps, `counts` as in `Batch`; `who` the sequence of a
    column in that order, and `rows` the place of each column among the steps of the sequences one
    after the other.
    """

    spans: list[tuple[int, int]]
    widths: list[int]
    together: bool
    inputs: Any
    targets: Any
    shares: Any
    order: Any
    lengths: Any
    counts: Any
    who: Any
    rows: Any

    @property
    def sequences(self) -> int:
        """The number of sequences."""
        return len(self.order)

    @property
    def total(self) -> int:
        """The number of columns."""
        return len(self.who)

    def split(self, rows: Any, flat: Any) -> list[Any]:
        """The columns of each step as blocks of the flat array, which is filled with them."""
        blocks = self.blocks(flat, len(rows))
        if self.together:
            steps = rows.reshape(len(rows), -1, self.sequences)
            flat.reshape(-1, len(rows), self.sequences)[:] = steps.transpose(1, 0, 2)
        else:
            for block, (lo, hi) in zip(blocks, self.spans, strict=True):
                block[:] = rows[:, lo:hi]
        return blocks

    def join(self, blocks: list[Any], flat: Any, given: Any = None) -> Any:
        """The blocks of the steps side by side, in the flat array; `given` may be theirs."""
        found = flat.reshape(size := len(blocks[0]), self.total)
        if given is None or not self.together:
            return np.concatenate(blocks, 1, found)
        steps = given.reshape(-1, size, self.sequences)
        found.reshape(size, -1, self.sequences)[:] = steps.transpose(1, 0, 2)
        return found

    def blocks(self, flat: Any, size: int) -> list[Any]:
        """The blocks of so many rows, one for each step, that lie one after the other."""
        if self.together:
            return [*flat.reshape(-1, size, self.sequences)]
        return [flat[lo * size : hi * size].reshape(size, hi - lo) for lo, hi in self.spans]

    def in_order(self, rows: Any) -> Any:
        """Rows of the columns, or of those of the last step, in the order of the sequences."""
        return in_place(rows, self.rows if len(rows) == self.total else self.order)

    def initial(self, states: Any, default: Sequence[float]) -> Any:
        """The states that the sequences start from, a column for each in the order of `who`."""
        if states is None:
            return np.array(default, dtype=float)[:, None].repeat(self.sequences, 1)
        return np.ascontiguousarray(states.take(self.order, 0).T)

    def after(self, rows: Any) -> Any:
        """The rows of the sequences in their own order."""
        return in_place(rows, self.order)

    def by_sequence(self, rows: Any) -> list[Any]:
        """The rows of the columns of each sequence."""
        ends = np.cumsum(in_place(self.lengths, self.order))
        return np.split(in_place(rows, self.rows), ends[:-1])

    def check(
        self, program: Program, guards: Sequence[Guard], pairs: Sequence[Any], first: int
    ) -> None:
        """`BranchChanged` for the first column, from `first` on, in which a guard fails."""
        found = []
        for guard, pair in zip(guards, pairs, strict=True):
            both = [np.broadcast_to(np.ravel(one), self.total - first) for one in pair]
            wrong = np.flatnonzero(guard.fails(*both))
            if len(wrong):
                x, y = [float(one[wrong[0]]) for one in both]
                found.append((int(wrong[0]), in_words(program, guard, "step", x, y)))
        if not found:
            return
        place, said = min(found)
        column = int(self.who[first + place])
        t = next(t for t, (_, end) in enumerate(self.spans) if first + place < end)
        step = t - len(self.spans) + int(self.lengths[column]) + 1
        raise BranchChanged(
            f"sequences[{self.order[column]}], step {step}: {said}. Write it with maximum, relu or "
            f"step, which need no comparison, or choose backend='eager'."
        )


def longest_first(batch: Batch) -> tuple[Any, Any]:
    """The places of the sequences, sorted by length, and their lengths in that order."""
    order = np.argsort(-batch.lengths, kind="stable")
    return order, batch.lengths[order]


def in_place(rows: Any, order: Any) -> Any:
    """The rows, which are in this order, in the order of their places."""
    found = np.empty_like(rows)
    found[order] = rows
    return found


def pack(batch: Batch) -> Columns:
    """The sequences of a batch side by side, and their targets."""
    order, lengths = longest_first(batch)
    steps = int(lengths[0])
    active = np.searchsorted(-lengths, np.arange(steps) - steps, "right")
    ends = np.cumsum(active)
    times = np.repeat(np.arange(steps), active)
    who = np.arange(ends[-1]) - (ends - active)[times]

    def places(starts: Any) -> Any:
        """The place of each step, if the sequences have theirs from these starts on."""
        return (starts[order] + lengths - steps)[who] + times

    index, rows = places(batch.starts), places(np.cumsum(batch.lengths) - batch.lengths)
    inputs, counts = batch.inputs.take(index, axis=0), batch.counts[order]
    if not batch.symbols:
        inputs = np.concatenate((inputs, np.ones((len(who), 1))), 1)
    goals = np.empty((0, len(order)))
    if batch.targets is not None:
        goals = batch.targets.take(index if batch.every else batch.goals[order], axis=0).T
    shares = 1.0 / counts.take(who) if batch.every else np.ones(len(order))
    spans = [*zip((ends - active).tolist(), ends.tolist(), strict=True)]
    together = bool(active[0] == len(order))
    given = (spans, active.tolist(), together, np.ascontiguousarray(inputs.T), goals, shares[None])
    return Columns(*given, order, lengths, counts, who, rows)
