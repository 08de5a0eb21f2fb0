"""The primitives on NumPy's arrays, and a recorded step over a batch of sequences by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import BranchChanged
from ..ops.op import TABLE, Op
from ..ops.tracer import Operand
from ..program.printing import in_words
from ..program.program import COMPARISONS
from .step import Step
from .traced import Cell, find_groups


def on_arrays(op: Op) -> Callable[..., Any]:
    """The op on whole arrays, by its entry; without one there, from element to element.

    >>> on_arrays(TABLE["relu"])(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if op.arrays is not None:
        rule = op.arrays
        return lambda *operands: rule(np, *operands)
    one_by_one = np.frompyfunc(op.value, op.arity, 1)
    return lambda *operands: np.asarray(one_by_one(*operands), dtype=float)


def __getattr__(name: str) -> Callable[..., Any]:
    # The source that `Program.numpy` prints imports the ops from here by their names.
    if name in TABLE:
        return on_arrays(TABLE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Elements(Operand):
    """An array to which the rules of the table can be applied."""

    __slots__ = ("numbers",)

    #: The ops on arrays of this kind.
    function = staticmethod(on_arrays)

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    @classmethod
    def _apply_op(cls, op: Op, operands: tuple[Any, ...]) -> Elements:
        return cls(cls.function(op)(*[_numbers(operand) for operand in operands]))


def _numbers(operand: Any) -> Any:
    return operand.numbers if isinstance(operand, Elements) else operand


# --- batches -------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Sequences side by side, the longest first, all ending together, so that none is padded.

    At each step, `active` of them have begun; `inputs` and `targets` have a row per entry and a
    column for each of these.  `order` has the place of each sequence, `lengths` its steps.
    """

    active: list[int]
    inputs: list[Any]
    targets: list[Any]
    order: Any
    lengths: Any


def pack(sequences: Sequence[Any], targets: Sequence[Any], every: bool) -> Batch:
    """The batch of sequences (arrays of steps by inputs) and targets (by steps if `every`)."""
    sizes = np.array([len(sequence) for sequence in sequences])
    order = np.argsort(-sizes, kind="stable")
    lengths = sizes[order]
    steps = int(lengths[0])
    active = [int(count) for count in np.searchsorted(-lengths, np.arange(steps) - steps, "right")]
    ends = np.cumsum(active)

    def by_step(arrays: Sequence[Any]) -> list[Any]:
        rows = np.concatenate([arrays[place] for place in order])
        at = np.concatenate([np.arange(steps - size, steps) for size in lengths])
        who = np.repeat(np.arange(len(order)), lengths)
        sorted_rows = np.empty_like(rows)
        sorted_rows[ends[at] - np.array(active)[at] + who] = rows
        return [np.ascontiguousarray(part.T) for part in np.split(sorted_rows, ends[:-1])]

    if every:
        goals = by_step(targets)
    else:
        goals = [np.ascontiguousarray(np.stack([targets[place] for place in order]).T)]
    return Batch(active, by_step(sequences), goals, order, lengths)


# --- a step --------------------------------------------------------------------------------------


class ArrayRun:
    """A recorded step that runs over batches, a line at a time over all sequences.

    Affine groups are products of matrices.
    """

    def __init__(self, step: Step, cell: Cell) -> None:
        self.step, self.cell, self.every = step, cell, step.every
        self.groups = find_groups(cell)
        self.functions = [on_arrays(line.op) for line in cell.lines]

    def pack(self, runs: Sequence[Any], with_targets: bool) -> Batch:
        """The sequences side by side."""
        sequences = [np.asarray(xs, dtype=float) for xs, _ in runs]
        if not with_targets:
            return pack(sequences, [np.empty(0)] * len(runs), every=False)
        targets = [np.asarray(ys if self.every else ys[0], dtype=float) for _, ys in runs]
        return pack(sequences, targets, self.every)

    def run(self, batch: Batch, threads: int) -> Any:
        """The sum of the losses of the sequences, and that of their gradients."""
        sweep = _Sweep(self, batch, grouped=True)
        with np.errstate(all="ignore"):
            losses = sweep.forward()
            sweep.backward()
            return losses.sum(), sweep.gradient

    def per_step(self, batch: Batch) -> Any:
        """For each sequence in its place, an array of the terms of its gradient: steps by weights.

        Each sequence counts for itself: the mean over the sequences of the sums over the steps is
        the gradient of the mean loss.
        """
        sweep = _Sweep(self, batch, grouped=False)
        with np.errstate(all="ignore"):
            sweep.forward()
            sweep.backward()
        found: list[Any] = [None] * len(batch.order)
        for column, (place, length) in enumerate(zip(batch.order, batch.lengths, strict=True)):
            found[place] = np.stack([terms[:, column] for terms in sweep.terms[::-1][-length:]])
        return found

    def predict(self, batch: Batch, threads: int) -> Any:
        """The output for each sequence in its place: an array of entries, by steps if `every`."""
        sweep = _Sweep(self, batch, grouped=True)
        with np.errstate(all="ignore"):
            outputs = sweep.outputs()
        if not self.every:
            return list(_in_place(outputs[-1].T, batch))
        found: list[Any] = [None] * len(batch.order)
        for column, (place, length) in enumerate(zip(batch.order, batch.lengths, strict=True)):
            found[place] = np.stack([output[:, column] for output in outputs[-length:]])
        return found


def _in_place(rows: Any, batch: Batch) -> Any:
    found = np.empty_like(rows)
    found[batch.order] = rows
    return found


class _Sweep:
    """One batch, forward and back again."""

    def __init__(self, step: ArrayRun, batch: Batch, *, grouped: bool) -> None:
        self.step, self.cell, self.batch = step, step.cell, batch
        self.numbers = numbers = [parameter.data for parameter in step.step.parameters]
        self.initial = step.step.state
        self.groups = step.groups if grouped else []
        self.first_rows = {min(group.rows): group for group in self.groups}
        self.inside = {number for group in self.groups for number in group.inside}
        self.matrices = {
            group.rows: np.array([[numbers[w] for w in row] for row in group.weights])
            for group in self.groups
        }
        self.gradient = np.zeros(len(self.numbers))
        self.terms: list[Any] = []
        self.grouped = grouped
        self.tape: list[list[Any]] = []

    # --- forward --------------------------------------------------------------------------------

    def forward(self) -> Any:
        """The losses, a mean over its steps for each sequence where every step has one."""
        cell, batch, every = self.cell, self.batch, self.step.every
        inner = self._plan([*cell.states, cell.loss] if every else cell.states, loss=every)
        last = self._plan([*cell.states, cell.loss], loss=True)
        losses = np.full(len(batch.order), -0.0)
        for t, values in enumerate(self._steps(inner, last)):
            self.tape.append(values)
            if every or t == len(batch.active) - 1:
                losses[: batch.active[t]] += values[cell.loss]
        return losses / batch.lengths if every else losses

    def outputs(self) -> list[Any]:
        """The output at each step, a row per entry; at the last one only, unless `every`."""
        cell, batch, every = self.cell, self.batch, self.step.every
        both = self._plan([*cell.states, *cell.output], loss=False)
        inner = both if every else self._plan(cell.states, loss=False)
        found = []
        for t, values in enumerate(self._steps(inner, both)):
            if every or t == len(batch.active) - 1:
                rows = [np.broadcast_to(values[n], batch.active[t]) for n in cell.output]
                found.append(np.stack(rows))
        return found

    def _plan(self, results: Sequence[int], *, loss: bool) -> tuple[list[int], Any]:
        """The lines to compute, in order, and the guards to check behind them."""
        guards = self.cell.guards(loss=loss)
        needed = self.cell.needed(results, guards)
        return sorted(n for n in needed if n in self.first_rows or n not in self.inside), guards

    def _steps(self, inner: Any, last: Any) -> Any:
        """The values of each step, by number."""
        cell, batch = self.cell, self.batch
        state: list[Any] = []
        lines: list[Any] = [None] * len(cell.lines)
        for t, count in enumerate(batch.active):
            begun = len(state[0]) if state else 0
            entering = [np.full(count - begun, entry) for entry in self.initial]
            if state:
                entering = [np.concatenate(two) for two in zip(state, entering, strict=True)]
            goals = batch.targets[t if len(batch.targets) > 1 else 0]
            values = [*self.numbers, *entering, *batch.inputs[t], *goals, *cell.constants, *lines]
            is_last = t == len(batch.active) - 1
            plan, guards = last if is_last else inner
            self._compute(values, plan)
            for guard in guards:
                self._check(guard, values, t)
            yield values
            state = [np.broadcast_to(values[number], count) for number in cell.states]

    def _compute(self, values: list[Any], plan: list[int]) -> None:
        first, lines, functions = self.cell.line, self.cell.lines, self.step.functions
        for number in plan:
            group = self.first_rows.get(number)
            if group is None:
                operands = [values[operand] for operand in lines[number - first].operands]
                values[number] = functions[number - first](*operands)
                continue
            vector = self._vector(group.vector, values)
            rows = self.matrices[group.rows] @ vector
            for row, bias, total in zip(group.rows, group.biases, rows, strict=True):
                values[row] = total if bias is None else total + values[bias]

    def _vector(self, numbers: Sequence[int], values: list[Any]) -> Any:
        return np.array(np.broadcast_arrays(*[values[number] for number in numbers]))

    def _check(self, guard: Any, values: list[Any], t: int) -> None:
        """`BranchChanged` for the first sequence of which a comparison comes out otherwise."""
        x, y = [values[number] for number in guard.operands]
        wrong = np.flatnonzero(COMPARISONS[guard.comparison](x, y) != guard.outcome)
        if not len(wrong):
            return
        column, batch = int(wrong[0]), self.batch
        place, length = int(batch.order[column]), int(batch.lengths[column])
        x, y = [float(np.broadcast_to(z, batch.active[t])[column]) for z in (x, y)]
        said = in_words(self.cell.program, guard)
        raise BranchChanged(
            f"sequences[{place}], step {t - len(batch.active) + length + 1}: {said} was "
            f"{guard.outcome} when the step was recorded, and is not for {x!r} and {y!r}. Write it "
            f"with maximum, relu or step, which need no comparison, or choose backend='eager'."
        )

    # --- backward -------------------------------------------------------------------------------

    def backward(self) -> None:
        """Add up `gradient`, or the terms of it, the last step's first."""
        cell, batch, every = self.cell, self.batch, self.step.every
        behind: list[Any] = []
        for t in reversed(range(len(batch.active))):
            count = batch.active[t]
            self.values = self.tape.pop()
            self.adjoints: dict[int, Any] = {}
            if not self.grouped:
                self.terms.append(np.zeros((len(self.numbers), count)))
            for number, adjoint in zip(cell.states, behind, strict=bool(behind)):
                self._add(number, adjoint[:count])
            if every or t == len(batch.active) - 1:
                self._add(cell.loss, 1.0 / batch.lengths[:count] if every else np.ones(count))
            self._sweep()
            numbers = range(cell.state, cell.input)
            behind = [self.adjoints.get(number, np.zeros(count)) for number in numbers]

    def _sweep(self) -> None:
        first = self.cell.line
        for number in range(first + len(self.cell.lines) - 1, first - 1, -1):
            if number in self.adjoints and number not in self.inside:
                self._line(number, *self.cell.lines[number - first][:2])
            if number in self.first_rows:
                self._transpose(self.first_rows[number])

    def _line(self, number: int, op: Op, operands: Sequence[int]) -> None:
        if op.flat:
            return
        me, adjoint = self._wrapped(number), Elements(self.adjoints[number])
        given = [self._wrapped(operand) for operand in operands]
        for position, operand in enumerate(operands):
            if self.cell.input <= operand < self.cell.line:
                continue  # inputs, targets and constants
            self._add(operand, (adjoint * op.partials[position](*given, me)).numbers)

    def _wrapped(self, number: int) -> Any:
        value = self.values[number]
        return Elements(value) if isinstance(value, np.ndarray) else float(value)

    def _transpose(self, group: Any) -> None:
        """Of a group: the gradient by its weights, and ∂loss/∂v."""
        found = [row for row in group.rows if row in self.adjoints]
        if not found:
            return
        none = np.zeros_like(self.adjoints[found[0]])
        slopes = np.array([self.adjoints.get(row, none) for row in group.rows])
        vector = self._vector(group.vector, self.values)
        self.gradient[np.array(group.weights)] += slopes @ vector.T
        for row, bias in zip(slopes, group.biases, strict=True):
            if bias is not None:
                self._add(bias, row)
        terms = self.matrices[group.rows].T @ slopes
        for number, term in zip(group.vector, terms, strict=True):
            self._add(number, term)

    def _add(self, number: int, term: Any) -> None:
        """One more term of ∂loss/∂number."""
        cell = self.cell
        if number < cell.state:
            if self.grouped:
                self.gradient[number] += term.sum()
            else:
                self.terms[-1][number] += term
        elif number < cell.input or number >= cell.line:
            before = self.adjoints.get(number)
            self.adjoints[number] = term if before is None else before + term
