"""The lines of a traced step as operations on blocks of rows: before, in and after time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ...ops.numpy import on_arrays
from ...ops.op import Op
from ..traced import Group, TracedStep, read_by_rules

#: The blocks that are there before any line; those of the states follow.
PARAMETERS, CONSTANTS, INPUTS, TARGETS = range(4)


class Piece(NamedTuple):
    """Rows of a block: all of them if `rows` is None, else a slice or an index.

    They are `size` rows of an operand, or if `spread` one row in place of these.
    """

    block: int
    rows: Any
    size: int
    spread: bool = False


class Places:
    """The block and the row of each value."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[int, int]] = {}
        self.sizes: list[int] = []

    def add(self, numbers: Sequence[int]) -> int:
        """A new block of these values."""
        self.of |= {number: (len(self.sizes), row) for row, number in enumerate(numbers)}
        self.sizes.append(len(numbers))
        return len(self.sizes) - 1

    def piece(self, numbers: Sequence[int]) -> Piece:
        """Values of one block."""
        block = self.of[numbers[0]][0]
        rows = [self.of[number][1] for number in numbers]
        if len(rows) > 1 and len({*rows}) == 1:
            return Piece(block, slice(rows[0], rows[0] + 1), len(rows), spread=True)
        return Piece(block, selector(rows, self.sizes[block]), len(rows))

    def pieces(self, numbers: Sequence[int]) -> list[Piece]:
        """Values of any blocks."""
        found = []
        for block, run in groupby(numbers, lambda number: self.of[number][0]):
            rows = [self.of[number][1] for number in run]
            found.append(Piece(block, selector(rows, self.sizes[block]), len(rows)))
        return found


def selector(rows: Sequence[int], size: int) -> Any:
    """None for all rows, a slice for rows side by side, else an index."""
    first = rows[0]
    if [*rows] != [*range(first, first + len(rows))]:
        return np.array(rows)
    return None if len(rows) == size else slice(first, first + len(rows))


# --- operations ----------------------------------------------------------------------------------


class Wave:
    """Independent lines of one op."""

    def __init__(self, places: Places, op: Op, rows: Sequence[int], traced: TracedStep) -> None:
        self.op, self.rows = op, rows
        # One of the operands is an array.
        self.function = op.operator or on_arrays(op)
        lines = [traced.lines[row - traced.line].operands for row in rows]
        self.columns = [*zip(*lines, strict=True)]
        self.operands: list[Any] = [operand_of(places, traced, column) for column in self.columns]
        self.block, self.size = places.add(rows), len(rows)
        self.result = Piece(self.block, None, self.size)
        #: By position, whether a sweep goes to the operand, and which values its rule reads.
        varies = [any(map(traced.varies, column)) and not op.flat for column in self.columns]
        self.read = [read if v else None for v, read in zip(varies, read_by_rules(op), strict=True)]


def operand_of(places: Places, traced: TracedStep, numbers: Sequence[int]) -> Piece | float:
    """Where an operand is, or the number that it is."""
    if traced.constant <= numbers[0] < traced.line:
        return traced.constants[numbers[0] - traced.constant]
    return places.piece(numbers)


class Part(NamedTuple):
    """Rows of a product that are of one group: the rest of its vector, and the offsets.

    Weights and offsets are parameters by number; the number after the last stands for none.  The
    `tables` have a row for each of these, and a column for each symbol.
    """

    rows: Any
    numbers: frozenset[int]
    vector: list[Piece]
    weights: Any
    biases: Any
    tables: list[Any]


class Product:
    """Rows of affine groups: a matrix times the part of a vector that they share, and the rest."""

    def __init__(
        self, places: Places, rows: Sequence[int], shared: Sequence[int], traced: TracedStep
    ) -> None:
        self.rows, self.vector = rows, places.pieces(shared)
        self.block, self.size = places.add(rows), len(rows)
        self.weights = np.zeros((len(rows), len(shared)), dtype=int)
        self.parts = []
        for group in traced.groups:
            chosen = [k for k, row in enumerate(rows) if row in group.rows]
            if not chosen:
                continue
            own = [group.rows.index(rows[k]) for k in chosen]
            inner, outer = split_vector(group, shared)
            weights = np.array(group.weights, dtype=int)[own]
            self.weights[chosen] = weights[:, inner]
            none = traced.parameters
            biases = [none if group.biases[j] is None else group.biases[j] for j in own]
            tables = [
                np.array([[none if w is None else w for w in table[j]] for j in own])
                for table in group.tables
            ]
            self.parts.append(
                Part(
                    selector(chosen, len(rows)),
                    frozenset([rows[k] for k in chosen]),
                    places.pieces([group.vector[k] for k in outer]),
                    weights[:, outer],
                    np.array(biases),
                    tables,
                )
            )


def split_vector(group: Group, shared: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places of the shared entries in the vector of a group, and those of the others."""
    left, inner = [*shared], []
    for place, number in enumerate(group.vector):
        if left and left[0] == number:
            left.pop(0)
            inner.append(place)
    return inner, [place for place in range(len(group.vector)) if place not in inner]


Operation = Wave | Product


# --- phases --------------------------------------------------------------------------------------


class Back(NamedTuple):
    """What a backward sweep does at an operation, of which it reaches these rows.

    `operands` has the places of the operands that it goes on to, by position; it goes `onward`
    from the rows of a product to its vector.
    """

    operation: Operation
    rows: Any
    operands: list[Piece | None]
    parts: list[Part]
    onward: bool


class Phases:
    """The operations `before` all steps, `during` each and `after` all, for the loss and outputs.

    What depends on no state is computed before, at all steps at once; what a later state depends
    on, step by step; the rest after that, at each step that has a loss, at once.
    """

    def __init__(self, traced: TracedStep, every: bool, loss: bool, outputs: bool) -> None:
        self.traced, self.every, self.has_loss = traced, every, loss
        guards = traced.guards(loss=loss)
        # Guards of the step count at every step, also where its output does not.
        self.guards, self.guards_of_loss = guards[: traced.checks], guards[traced.checks :]
        results = [*([traced.loss] if loss else []), *(traced.output if outputs else [])]
        ahead = traced.needed(traced.states, self.guards)
        needed = ahead | traced.needed(results, guards)
        of_state = {*range(traced.state, traced.input)}
        of_target = {*range(traced.target, traced.constant)}
        for number, (_, operands, _) in enumerate(traced.lines, traced.line):
            for found in (of_state, of_target):
                if not found.isdisjoint(operands):
                    found.add(number)
        self.places = places = Places()
        places.add(range(traced.parameters))
        places.add(range(traced.constant, traced.line))
        places.add(range(traced.input, traced.target))
        places.add(range(traced.target, traced.constant))
        # States that one op gives are a block, which often is that of a wave.
        runs = groupby(range(traced.state_count), lambda k: self._maker(traced.states[k]))
        self.states = [[*run] for _, run in runs]
        self.state_blocks = [places.add([traced.state + k for k in run]) for run in self.states]
        self.before = self._arranged(needed - of_state - of_target, of_state)
        self.during = self._arranged(needed & of_state & ahead, of_state)
        self.after = self._arranged(needed & (of_state | of_target) - (of_state & ahead), set())
        self.next_states = [places.pieces([traced.states[k] for k in run]) for run in self.states]
        self.early_blocks = {operation.block for operation in self.before}
        # Blocks that are there before all steps, of which each step reads a part.
        read = [o for one in self.during if isinstance(one, Wave) for o in one.operands]
        read += [piece for pieces in self.next_states for piece in pieces]
        blocks = {piece.block for piece in read if isinstance(piece, Piece)}
        self.read_early = blocks & {INPUTS, *self.early_blocks}
        self.loss = places.pieces([traced.loss]) if loss else []
        self.output = places.pieces(traced.output) if outputs else []
        if loss:
            carried = [traced.states[place] for place in traced.carried]
            last = traced.swept([traced.loss])
            inner = traced.swept([*carried, *([traced.loss] if every else [])])
            #: The sweeps at the last step and at those before.
            self.last, self.inner = [Sweeps(self, reached) for reached in (last, inner)]

    def _maker(self, number: int) -> Any:
        """What tells apart the states of different blocks."""
        traced = self.traced
        return number if number < traced.line else traced.lines[number - traced.line].op.name

    def _arranged(self, chosen: Iterable[int], inner: set[int]) -> list[Operation]:
        """The lines as operations, in an order of computation.

        The part of a group's vector that is in `inner` is what it shares with others, or without
        any all of it.
        """
        traced, places = self.traced, self.places
        groups = {row: group for group in traced.groups for row in group.rows}
        inside = {number for group in traced.groups for number in group.inside}
        weights = {
            row: first
            for group in traced.groups
            for row, first in zip(group.rows, group.leads, strict=True)
        }
        depth: dict[int, int] = {}
        levels: dict[int, list[int]] = {}
        readers: dict[int, str] = {}
        for number in sorted(chosen):
            op, operands, _ = traced.lines[number - traced.line]
            if number in groups:
                operands = groups[number].vector
            elif number in inside:
                continue
            else:
                for operand in operands:
                    readers.setdefault(operand, op.name)
            depth[number] = 1 + max([depth.get(operand, 0) for operand in operands], default=0)
            levels.setdefault(depth[number], []).append(number)

        def kind(number: int) -> Any:
            """Lines of one kind are one operation: their operands lie in the same blocks."""
            if number in groups:
                vector = groups[number].vector
                return None, tuple([v for v in vector if v in inner]) or vector
            op, operands, _ = traced.lines[number - traced.line]
            known = range(traced.constant, traced.line)
            # A constant has waves of its own, in which it is a number.
            return op, tuple([o if o in known else (places.of[o][0],) for o in operands])

        found: list[Operation] = []
        for level in sorted(levels):
            kinds: dict[Any, list[int]] = {}
            for number in levels[level]:
                kinds.setdefault(kind(number), []).append(number)
            for (op, key), rows in kinds.items():
                if op is None:
                    # The rows that one wave reads lie together, in the order of their weights.
                    rows.sort(key=lambda row: (readers.get(row, ""), weights[row], row))
                    found.append(Product(places, rows, key, traced))
                else:
                    rows.sort(
                        key=lambda row: [
                            places.of[operand]
                            for operand in traced.lines[row - traced.line].operands
                        ]
                    )
                    found.append(Wave(places, op, rows, traced))
        return found


class Sweeps:
    """The backward sweep in each phase, through what it reaches."""

    def __init__(self, phases: Phases, reached: set[int]) -> None:
        self.phases, self.reached = phases, reached
        self.before = self._of(phases.before)
        self.during = self._of(phases.during)
        self.after = self._of(phases.after)

    def _of(self, operations: Sequence[Operation]) -> list[Back]:
        found = []
        for operation in reversed(operations):
            back = self._back(operation)
            if back is not None:
                found.append(back)
        return found

    def _back(self, operation: Operation) -> Back | None:
        places = self.phases.places
        if isinstance(operation, Product):
            parts = [p for p in operation.parts if not p.numbers.isdisjoint(self.reached)]
            if not parts:
                return None
            numbers = frozenset().union(*[part.numbers for part in parts])
            some = [k for k, row in enumerate(operation.rows) if row in numbers]
            blocks = {piece.block for piece in operation.vector}
            onward = not blocks <= {CONSTANTS, INPUTS, TARGETS}
            return Back(operation, selector(some, operation.size), [], parts, onward)
        some = [k for k, row in enumerate(operation.rows) if row in self.reached]
        if not some or not any(read is not None for read in operation.read):
            return None
        operands = [
            None if read is None else places.piece([column[k] for k in some])
            for column, read in zip(operation.columns, operation.read, strict=True)
        ]
        return Back(operation, selector(some, operation.size), operands, [], onward=True)
