"""A traced step over a batch of sequences by NumPy, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import BranchChanged
from ..ops.numpy import Elements, on_arrays
from ..program.printing import in_words
from ..program.writer import Guard
from .backend import Result
from .batch import Batch
from .phases import (
    CONSTANTS,
    INPUTS,
    PARAMETERS,
    TARGETS,
    Back,
    Operation,
    Phases,
    Piece,
    Product,
    Wave,
)


class Columns(NamedTuple):
    """Sequences side by side, the longest first, all ending together, so that none is padded.

    `inputs` and `targets` have a row per entry, and a column for each sequence at each step: at
    step t those from `ends[t] - active[t]` to `ends[t]`, for the sequences that have begun.
    `targets` has only the columns of the last step unless there is one at every step.  `order` has
    the place of each sequence, `lengths` its steps; `who` the sequence of a column in that order,
    and `rows` the place of each column among the steps of the sequences one after the other.
    """

    active: list[int]
    ends: list[int]
    inputs: Any
    targets: Any
    order: Any
    lengths: Any
    who: Any
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
    who = np.arange(ends[-1]) - (ends - active)[times]

    def places(starts: Any) -> Any:
        """The place of each step, if the sequences have theirs from these starts on."""
        return (starts[order] + lengths - steps)[who] + times

    index, rows = places(batch.starts), places(np.cumsum(batch.lengths) - batch.lengths)
    goals = np.empty((0, len(order)))
    if batch.targets is not None:
        chosen = index if batch.every else batch.goals[order]
        goals = np.ascontiguousarray(batch.targets.take(chosen, axis=0).T)
    inputs = np.ascontiguousarray(batch.inputs.take(index, axis=0).T)
    return Columns(active.tolist(), ends.tolist(), inputs, goals, order, lengths, who, rows)


class Sweep:
    """One pass over a batch, forward and backward; with terms by step if asked for.

    `whole` has the blocks at all steps, a column for each sequence at each step, and `tape` blocks
    by step; `late` those of all steps that have a loss.
    """

    def __init__(
        self, phases: Phases, state: Sequence[float], columns: Columns, numbers: Any
    ) -> None:
        self.phases, self.columns, self.numbers = phases, columns, numbers
        self.initial = [np.array([state[k] for k in run])[:, None] for run in phases.states]
        self.known = np.append(numbers, 0.0)  # the last for what is not there
        # The last is for what is not there.
        self.sums = np.zeros(len(numbers) + 1)
        self.terms: Any = None
        self.count, self.total = len(columns.order), columns.ends[-1]
        self.before_last = self.total - self.count
        self.first = 0 if phases.every else self.before_last  # the first column with a loss
        constants = np.array(phases.traced.constants)[:, None]
        self.whole = {PARAMETERS: numbers[:, None], CONSTANTS: constants, INPUTS: columns.inputs}
        self.late = {PARAMETERS: numbers[:, None], CONSTANTS: constants, TARGETS: columns.targets}
        self.tape: dict[int, list[Any]] = {}
        self.slopes: dict[tuple[int, int], Any] = {}
        self.matrices: dict[int, Any] = {}
        #: Adjoints of what was computed before all steps, and those of products with their columns.
        self.early: dict[int, Any] = {}
        self.kept: dict[int, list[tuple[slice, Any]]] = {}

    # --- results --------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def run(self, *, outputs: bool) -> Result:
        """The sum of the losses, that of their gradients, and the outputs if asked for."""
        losses = self._forward()
        shown = self._outputs() if outputs else None
        self._backward()
        return Result(losses.sum(), self.sums[:-1], shown)

    @np.errstate(all="ignore")
    def outputs(self) -> Any:
        """The outputs, a row for each sequence, or with `every` for each of its steps."""
        self._forward()
        return self._outputs()

    @np.errstate(all="ignore")
    def gradient_by_steps(self) -> list[Any]:
        """For each sequence in its place, the terms of the gradient of its loss: steps by weights.

        The mean over the sequences of the sums over the steps is the gradient of the mean loss.
        """
        self.terms = np.zeros((self.total, len(self.numbers) + 1))
        self._forward()
        self._backward()
        ends = np.cumsum(in_place(self.columns.lengths, self.columns.order))
        return np.split(in_place(self.terms[:, :-1], self.columns.rows), ends[:-1])

    def _outputs(self) -> Any:
        rows = self._late(self.phases.output)
        rows = np.broadcast_to(rows, (len(rows), self.total - self.first)).T
        return in_place(rows, self.columns.rows if self.phases.every else self.columns.order)

    # --- forward --------------------------------------------------------------------------------

    def _forward(self) -> Any:
        """The loss of each sequence: of its last step, or the mean over its steps if `every`."""
        phases, columns = self.phases, self.columns
        for operation in phases.before:
            found = self._computed(operation, self._whole)
            self.whole[operation.block] = np.broadcast_to(found, (operation.size, self.total))
        self._steps()
        for operation in phases.after:
            found = self._computed(operation, self._late)
            size = (operation.size, self.total - self.first)
            self.late[operation.block] = np.broadcast_to(found, size)
        self._check(phases.guards, self._whole, 0)
        self._check(phases.guards_of_loss, self._late, self.first)
        if not phases.has_loss:
            return None
        losses = np.broadcast_to(self._late(phases.loss), (1, self.total - self.first))[0]
        if not phases.every:
            return losses
        return np.bincount(columns.who, losses, self.count) / columns.lengths

    def _computed(self, operation: Operation, get: Callable[[Any], Any]) -> Any:
        """The rows of an operation from its operands."""
        if isinstance(operation, Wave):
            return operation.function(*[get([operand]) for operand in operation.operands])
        found = self._rest(operation, get)
        if operation.vector:
            found = self._matrix(operation) @ get(operation.vector) + found
        return found

    def _rest(self, product: Product, get: Callable[[Any], Any]) -> Any:
        """The offsets of a product, and what comes from the parts of the vectors not shared."""
        width = self.total if any(part.vector for part in product.parts) else 1
        found = np.empty((product.size, width))
        for part in product.parts:
            rows = self.known[part.biases][:, None]
            if part.vector:
                rows = self.numbers[part.weights] @ get(part.vector) + rows
            found[slice(None) if part.rows is None else part.rows] = rows
        return found

    def _steps(self) -> None:
        """What goes step by step."""
        phases, columns = self.phases, self.columns
        blocks: dict[int, Any] = dict(self.whole)
        shared = [(block, self.whole[block]) for block in phases.read_early if block in self.whole]
        plan: list[Any] = []
        for one in phases.during:
            if isinstance(one, Product):
                plan.append((one, self._matrix(one), self._rest(one, self._whole)))
            else:
                plan.append((one, None, None))
        tape = self.tape = {b: [] for b in [*phases.state_blocks, *[o.block for o in phases.during]]}
        states = [np.repeat(one, columns.active[0], axis=1) for one in self.initial]
        begun = columns.active[0]
        for end, count in zip(columns.ends, columns.active, strict=True):
            now = slice(end - count, end)
            if count > begun:
                new = [np.repeat(one, count - begun, axis=1) for one in self.initial]
                states = [np.concatenate(two, axis=1) for two in zip(states, new, strict=True)]
                begun = count
            for block, state in zip(phases.state_blocks, states, strict=True):
                blocks[block] = state
                tape[block].append(state)
            for block, array in shared:
                blocks[block] = array[:, now]
            for operation, matrix, rest in plan:
                if matrix is None:
                    given = [_picked(operand, blocks) for operand in operation.operands]
                    found = operation.function(*given)
                else:
                    found = matrix @ _joined(operation.vector, blocks)
                    found += rest if rest.shape[1] == 1 else rest[:, now]
                blocks[operation.block] = found
                tape[operation.block].append(found)
            if end < self.total:
                states = [
                    np.broadcast_to(_joined(pieces, blocks), (len(one), count))
                    for pieces, one in zip(phases.next_states, self.initial, strict=True)
                ]

    def _block(self, block: int, *, late: bool) -> Any:
        """A block at all steps, or only at those that have a loss."""
        blocks = self.late if late else self.whole
        if block not in blocks:
            if block in self.whole or (late and self.first == 0):
                blocks[block] = self._block(block, late=False)[:, self.first :]
            elif late:
                blocks[block] = self.tape[block][-1]
            else:
                blocks[block] = np.concatenate(self.tape[block], axis=1)
        return blocks[block]

    def _whole(self, pieces: Sequence[Any]) -> Any:
        """Values at all steps."""
        return self._values(pieces, late=False)

    def _late(self, pieces: Sequence[Any]) -> Any:
        """Values at all steps that have a loss."""
        return self._values(pieces, late=True)

    def _values(self, pieces: Sequence[Any], *, late: bool) -> Any:
        used = [piece.block for piece in pieces if isinstance(piece, Piece)]
        return _joined(pieces, {block: self._block(block, late=late) for block in used})

    def _check(self, guards: Sequence[Guard], get: Callable[[Any], Any], first: int) -> None:
        """`BranchChanged` for the first step and sequence in which a guard fails."""
        columns, phases = self.columns, self.phases
        found = []
        for guard in guards:
            x, y = [np.ravel(get(phases.places.pieces([number]))) for number in guard.operands]
            size = self.total - first
            x, y = np.broadcast_to(x, size), np.broadcast_to(y, size)
            wrong = np.flatnonzero(guard.fails(x, y))
            if len(wrong):
                found.append((int(wrong[0]), guard, float(x[wrong[0]]), float(y[wrong[0]])))
        if not found:
            return
        place, guard, x, y = min(found, key=lambda one: one[0])
        column = int(columns.who[first + place])
        k = int(np.searchsorted(columns.ends, first + place, "right"))
        step = k - len(columns.ends) + int(columns.lengths[column]) + 1
        said = in_words(phases.traced.program, guard, "step", x, y)
        raise BranchChanged(
            f"sequences[{columns.order[column]}], step {step}: {said}. Write it with maximum, relu "
            f"or step, which need no comparison, or choose backend='eager'."
        )

    # --- backward -------------------------------------------------------------------------------

    def _backward(self) -> None:
        """Add up `gradient`, or collect its terms."""
        phases, columns = self.phases, self.columns
        seed = np.ones((1, self.total - self.first))
        if phases.every:
            seed = (1.0 / columns.lengths)[columns.who][None]
        late = Adjoints(self, slice(self.first, self.total))
        late.add(phases.loss, seed)
        self._pass(phases.last.after, late, late=True)
        self._weigh(phases.last.after, late=True)
        behind: list[tuple[list[Piece], Any]] = []
        steps = len(columns.active)
        for t in reversed(range(steps)):
            count, end = columns.active[t], columns.ends[t]
            sweeps = phases.last if t == steps - 1 else phases.inner
            adjoints = Adjoints(self, slice(end - count, end))
            if end - count >= self.first:
                adjoints.take(late)
            for pieces, adjoint in behind:
                adjoints.add(pieces, adjoint[:, :count])
            self._pass(sweeps.during, adjoints)
            pairs = zip(phases.next_states, phases.state_blocks, strict=True)
            behind = [(pieces, adjoints.of[b]) for pieces, b in pairs if b in adjoints.of]
            if t in (steps - 1, 0):  # the last step has a sweep of its own
                whole = slice(end - count if t else 0, end if t == steps - 1 else self.before_last)
                self._weigh(sweeps.during)
                self._pass(sweeps.before, Adjoints(self, whole))
                self._weigh(sweeps.before)

    def _pass(self, backs: Sequence[Back], adjoints: Adjoints, *, late: bool = False) -> None:
        """Go back through operations, from the adjoints of their rows to those of operands."""
        start = self.first if late else 0
        now = slice(adjoints.columns.start - start, adjoints.columns.stop - start)
        for back in backs:
            operation = back.operation
            adjoint = adjoints.get(operation.block)
            if adjoint is None:
                continue
            if isinstance(operation, Product):
                self.kept.setdefault(operation.block, []).append((adjoints.columns, adjoint))
                if back.onward:
                    matrix = self._matrix(operation)
                    if back.rows is not None:
                        adjoint, matrix = adjoint[back.rows], matrix[back.rows]
                    adjoints.add(operation.vector, matrix.T @ adjoint)
                continue
            if back.rows is not None:
                adjoint = adjoint[back.rows]
            for position, piece in enumerate(back.operands):
                if piece is not None:
                    slope = self._slope(operation, position, late)
                    if slope is None:
                        adjoints.add([piece], adjoint)
                        continue
                    slope = slope[:, now]
                    if back.rows is not None:
                        slope = slope[back.rows]
                    adjoints.add([piece], adjoint * slope)

    def _slope(self, wave: Wave, position: int, late: bool) -> Any:
        """The slope of a wave by an operand at all steps, or None if it is 1."""
        key = (wave.block, position)
        if key not in self.slopes:
            given: list[Any] = [None] * (len(wave.operands) + 1)
            for place in wave.read[position]:
                operand = [*wave.operands, wave.result][place]
                if isinstance(operand, Piece):
                    operand = Elements(self._values([operand], late=late))
                given[place] = operand
            slope = wave.op.partials[position](*given)
            if isinstance(slope, Elements) or slope != 1.0:
                numbers = slope.numbers if isinstance(slope, Elements) else slope
                width = self.total - self.first if late else self.total
                self.slopes[key] = np.broadcast_to(numbers, (wave.size, width))
            else:
                self.slopes[key] = None
        return self.slopes[key]

    def _matrix(self, product: Product) -> Any:
        if product.block not in self.matrices:
            self.matrices[product.block] = self.numbers[product.weights]
        return self.matrices[product.block]

    def _weigh(self, backs: Sequence[Back], *, late: bool = False) -> None:
        """Go on to the weights and offsets of products: one product each for all of the steps."""
        for back in backs:
            product = back.operation
            if not isinstance(product, Product) or product.block not in self.kept:
                continue
            found = self.kept.pop(product.block)[::-1]
            adjoint = np.concatenate([one for _, one in found], axis=1)
            columns = slice(found[0][0].start, found[-1][0].stop)
            start = self.first if late else 0
            now = slice(columns.start - start, columns.stop - start)
            if product.vector:
                rows, weights = adjoint, product.weights
                if back.rows is not None:
                    rows, weights = rows[back.rows], weights[back.rows]
                self._add_weights(weights, rows, self._at(product.vector, now, late), columns)
            adjoints = Adjoints(self, columns)
            for part in back.parts:
                rows = adjoint if part.rows is None else adjoint[part.rows]
                self.add_numbers(part.biases, rows, columns)
                if part.vector:
                    vector = self._at(part.vector, now, late)
                    self._add_weights(part.weights, rows, vector, columns)
                    adjoints.add(part.vector, self.numbers[part.weights].T @ rows)

    def _at(self, pieces: Sequence[Piece], columns: slice, late: bool) -> Any:
        """The values of a vector at these columns."""
        values = self._values(pieces, late=late)
        if values.shape[1] == 1:
            return np.broadcast_to(values, (len(values), columns.stop - columns.start))
        return values[:, columns]

    def _add_weights(self, weights: Any, rows: Any, vector: Any, columns: slice) -> None:
        if self.terms is None:
            self.sums[weights] += rows @ vector.T
        else:
            terms = (rows[:, None] * vector).reshape(-1, rows.shape[1])
            self.terms[columns, weights.reshape(-1)] += terms.T

    def add_numbers(self, numbers: Any, rows: Any, columns: slice) -> None:
        """Add to the gradient by these parameters."""
        if self.terms is None:
            np.add.at(self.sums, numbers, rows.sum(axis=1))
        else:
            for number, row in zip(numbers, rows, strict=True):
                self.terms[columns, number] += row


class Adjoints:
    """∂loss/∂ blocks at some columns, as far as a sweep has come to them."""

    def __init__(self, sweep: Sweep, columns: slice) -> None:
        self.sweep, self.columns = sweep, columns
        self.of: dict[int, Any] = {}
        self.own: set[int] = set()  # those that no one else holds

    def get(self, block: int) -> Any:
        if block in self.sweep.early:
            return self.sweep.early[block][:, self.columns]
        return self.of.get(block)

    def take(self, late: Adjoints) -> None:
        """Begin with those from what was computed at all steps with a loss at once."""
        first, sweep = late.columns.start, self.sweep
        now = slice(self.columns.start - first, self.columns.stop - first)
        self.of = {block: array[:, now] for block, array in late.of.items() if block in sweep.tape}

    def add(self, pieces: Sequence[Piece], term: Any) -> None:
        """Add terms, whose rows are those of the pieces in turn."""
        if len(pieces) == 1:
            self._add(pieces[0], term)
            return
        start = 0
        for piece in pieces:
            self._add(piece, term[start : start + piece.count])
            start += piece.count

    def _add(self, piece: Piece, term: Any) -> None:
        block, rows, sweep = piece.block, piece.rows, self.sweep
        if block in (CONSTANTS, INPUTS, TARGETS):
            return
        if piece.spread:
            term = term.sum(axis=0, keepdims=True)
        if block == PARAMETERS:
            numbers = np.arange(len(sweep.numbers))
            sweep.add_numbers(numbers if rows is None else numbers[rows], term, self.columns)
            return
        if block in sweep.phases.early_blocks:
            size = (sweep.phases.places.sizes[block], sweep.total)
            whole = sweep.early.setdefault(block, np.zeros(size))
            _add_to(whole[:, self.columns], rows, term)
            return
        before = self.of.get(block)
        if rows is None:
            self.of[block] = term if before is None else before + term
            if before is not None:
                self.own.add(block)
            return
        if block not in self.own:
            self.own.add(block)
            size = (sweep.phases.places.sizes[block], term.shape[1])
            self.of[block] = np.zeros(size) if before is None else before.copy()
        _add_to(self.of[block], rows, term)


def _add_to(array: Any, rows: Any, term: Any) -> None:
    if isinstance(rows, np.ndarray):
        np.add.at(array, rows, term)  # a row may be there twice
    else:
        array[slice(None) if rows is None else rows] += term


def _picked(piece: Any, blocks: Any) -> Any:
    """The rows of an operand, or the number that it is."""
    if not isinstance(piece, Piece):
        return piece
    block = blocks[piece.block]
    return block if piece.rows is None else block[piece.rows]


def _joined(pieces: Sequence[Piece], blocks: Any) -> Any:
    """The rows of a vector."""
    if len(pieces) == 1:
        return _picked(pieces[0], blocks)
    parts = [_picked(piece, blocks) for piece in pieces]
    width = max([part.shape[1] for part in parts], default=1)
    parts = [np.broadcast_to(part, (len(part), width)) for part in parts]
    return np.concatenate(parts) if parts else np.zeros((0, width))
