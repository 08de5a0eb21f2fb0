"""A traced step over a batch of sequences by NumPy, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import BranchChanged
from ..ops.numpy import Elements, on_arrays
from ..ops.op import Op
from ..program.printing import in_words
from ..program.writer import Guard
from .backend import Result
from .batch import Batch
from .objective import Objective
from .traced import Group, TracedStep


class Columns(NamedTuple):
    """Sequences side by side, the longest first, all ending together, so that none is padded.

    At each step, the first `active` have begun; `inputs` and `targets` have a row per entry and a
    column for each of these.  `order` has the place of each sequence, `lengths` its steps, and
    `rows` the place of each of their steps among those of the sequences one after the other.
    """

    active: list[int]
    inputs: list[Any]
    targets: list[Any]
    order: Any
    lengths: Any
    rows: Any


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
    columns = np.arange(ends[-1]) - (ends - active)[times]

    def places(starts: Any) -> Any:
        """The place of each step, if the sequences have theirs from these starts on."""
        return (starts[order] + lengths - steps)[columns] + times

    index, rows = places(batch.starts), places(np.cumsum(batch.lengths) - batch.lengths)

    def by_step(vectors: Any) -> list[Any]:
        return [np.ascontiguousarray(part.T) for part in np.split(vectors[index], ends[:-1])]

    if batch.targets is None:
        goals = [np.empty((0, len(order)))]
    elif batch.every:
        goals = by_step(batch.targets)
    else:
        goals = [np.ascontiguousarray(batch.targets[batch.goals[order]].T)]
    return Columns(active.tolist(), by_step(batch.inputs), goals, order, lengths, rows)


class Sweep:
    """One pass over a batch, forward and backward; with matrix products only if `grouped`."""

    def __init__(
        self,
        objective: Objective,
        traced: TracedStep,
        columns: Columns,
        numbers: Any,
        *,
        grouped: bool,
    ) -> None:
        self.traced, self.columns, self.every = traced, columns, objective.every
        self.initial, self.numbers = objective.state, numbers.tolist()
        self.functions = [on_arrays(line.op) for line in traced.lines]
        self.groups = traced.groups if grouped else []
        self.first_rows = {min(group.rows): group for group in self.groups}
        self.inside = {number for group in self.groups for number in group.inside}
        self.matrices = {
            group.rows: np.array([[self.numbers[w] for w in row] for row in group.weights])
            for group in self.groups
        }
        self.gradient = np.zeros(len(self.numbers))
        self.terms: list[Any] = []
        self.grouped = grouped
        self.tape: list[list[Any]] = []

    # --- results --------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def run(self, outputs: bool) -> Result:
        """The sum of the losses, that of their gradients, and the outputs if asked for."""
        losses = self._forward(self.traced.output if outputs else ())
        found = None
        if outputs:
            found = self._in_order([self._output(t) for t in range(len(self.tape))])
        self._backward()
        return Result(losses.sum(), self.gradient, found)

    @np.errstate(all="ignore")
    def gradient_by_steps(self) -> list[Any]:
        """For each sequence in its place, the terms of the gradient of its loss: steps by weights.

        The mean over the sequences of the sums over the steps is the gradient of the mean loss.
        """
        self._forward()
        self._backward()
        return self._by_sequence(self.terms[::-1])

    @np.errstate(all="ignore")
    def outputs(self) -> Any:
        """The outputs, a row for each sequence, or with `every` for each of its steps."""
        traced = self.traced
        both = self._plan([*traced.states, *traced.output], loss=False)
        inner = both if self.every else self._plan(traced.states, loss=False)
        found = []
        for t, values in enumerate(self._steps(inner, both)):
            self.tape.append(values)
            found.append(self._output(t))
            self.tape[t] = []
        return self._in_order(found)

    def _output(self, t: int) -> Any:
        """The outputs of a step, a row for each sequence; none if they do not count."""
        numbers, count = self.traced.output, self.columns.active[t]
        if not self._counts(t):
            return np.empty((0, len(numbers)))
        values = self.tape[t]
        return np.array([np.broadcast_to(values[n], count) for n in numbers]).T

    def _in_order(self, steps: Sequence[Any]) -> Any:
        """The rows of all steps, sequence by sequence, or of the last in the sequences' order."""
        rows, columns = np.concatenate(steps), self.columns
        if not self.every:
            return in_place(rows, columns.order)
        return in_place(rows, columns.rows)

    def _by_sequence(self, steps: Sequence[Any]) -> list[Any]:
        """For each sequence in its place, its columns of the arrays of its steps."""
        found: list[Any] = [None] * len(self.columns.order)
        for column, place in enumerate(self.columns.order):
            length = self.columns.lengths[column]
            found[place] = np.stack([step[:, column] for step in steps[-length:]])
        return found

    def _counts(self, t: int) -> bool:
        """Whether the output of a step is asked for: of every step, or of the last."""
        return self.every or t == len(self.columns.active) - 1

    # --- forward --------------------------------------------------------------------------------

    def _forward(self, others: Sequence[int] = ()) -> Any:
        """The loss of each sequence: of its last step, or the mean over its steps if `every`."""
        traced, columns, every = self.traced, self.columns, self.every
        last = self._plan([*traced.states, *others, traced.loss], loss=True)
        inner = last if every else self._plan(traced.states, loss=False)
        losses = np.full(len(columns.order), -0.0)
        for t, values in enumerate(self._steps(inner, last)):
            self.tape.append(values)
            if self._counts(t):
                losses[: columns.active[t]] += values[traced.loss]
        return losses / columns.lengths if every else losses

    def _plan(self, results: Sequence[int], *, loss: bool) -> tuple[list[int], Any]:
        """The lines to compute, in order, and the guards to check after them."""
        guards = self.traced.guards(loss=loss)
        needed = self.traced.needed(results, guards)
        return sorted(n for n in needed if n in self.first_rows or n not in self.inside), guards

    def _steps(self, inner: Any, last: Any) -> Any:
        """The values of each step, by number."""
        traced, columns = self.traced, self.columns
        state, begun = [np.empty(0)] * len(self.initial), 0
        lines: list[Any] = [None] * len(traced.lines)
        for t, count in enumerate(columns.active):
            entering = [np.full(count - begun, entry) for entry in self.initial]
            entering = [np.concatenate(two) for two in zip(state, entering, strict=True)]
            goals = columns.targets[t if len(columns.targets) > 1 else 0]
            values = [*self.numbers, *entering, *columns.inputs[t], *goals]
            values += [*traced.constants, *lines]
            plan, guards = last if t == len(columns.active) - 1 else inner
            self._compute(values, plan)
            for guard in guards:
                self._check(guard, values, t)
            yield values
            state = [np.broadcast_to(values[number], count) for number in traced.states]
            begun = count

    def _compute(self, values: list[Any], plan: list[int]) -> None:
        first, lines, functions = self.traced.line, self.traced.lines, self.functions
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

    def _check(self, guard: Guard, values: list[Any], t: int) -> None:
        """`BranchChanged` for the first sequence in which a guard fails."""
        x, y = [values[number] for number in guard.operands]
        wrong = np.flatnonzero(guard.fails(x, y))
        if not len(wrong):
            return
        column, columns = int(wrong[0]), self.columns
        place, length = int(columns.order[column]), int(columns.lengths[column])
        x, y = [float(np.broadcast_to(z, columns.active[t])[column]) for z in (x, y)]
        said = in_words(self.traced.program, guard, "step", x, y)
        raise BranchChanged(
            f"sequences[{place}], step {t - len(columns.active) + length + 1}: {said}. Write it "
            f"with maximum, relu or step, which need no comparison, or choose backend='eager'."
        )

    # --- backward -------------------------------------------------------------------------------

    def _backward(self) -> None:
        """Add up `gradient`, or collect its terms, those of the last step first."""
        traced, columns, every = self.traced, self.columns, self.every
        behind: list[Any] = []
        for t in reversed(range(len(columns.active))):
            count = columns.active[t]
            self.values = self.tape.pop()
            self.adjoints: dict[int, Any] = {}
            if not self.grouped:
                self.terms.append(np.zeros((len(self.numbers), count)))
            for number, adjoint in zip(traced.states, behind, strict=bool(behind)):
                self._add(number, adjoint[:count])
            if self._counts(t):
                self._add(traced.loss, 1.0 / columns.lengths[:count] if every else np.ones(count))
            self._sweep()
            numbers = range(traced.state, traced.input)
            behind = [self.adjoints.get(number, np.zeros(count)) for number in numbers]

    def _sweep(self) -> None:
        first = self.traced.line
        for number in range(first + len(self.traced.lines) - 1, first - 1, -1):
            if number in self.adjoints and number not in self.inside:
                self._line(number, *self.traced.lines[number - first][:2])
            if number in self.first_rows:
                self._transpose(self.first_rows[number])

    def _line(self, number: int, op: Op, operands: Sequence[int]) -> None:
        if op.flat:
            return
        me, adjoint = self._wrapped(number), Elements(self.adjoints[number])
        given = [self._wrapped(operand) for operand in operands]
        for position, operand in enumerate(operands):
            if self.traced.varies(operand):
                self._add(operand, (adjoint * op.partials[position](*given, me)).numbers)

    def _wrapped(self, number: int) -> Any:
        value = self.values[number]
        return Elements(value) if isinstance(value, np.ndarray) else float(value)

    def _transpose(self, group: Group) -> None:
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
        traced = self.traced
        if number < traced.state:
            if self.grouped:
                self.gradient[number] += term.sum()
            else:
                self.terms[-1][number] += term
        elif traced.varies(number):
            before = self.adjoints.get(number)
            self.adjoints[number] = term if before is None else before + term
