"""The source of a step over a batch of sequences by NumPy: its values, its losses and outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ...ops.numpy import as_ufunc
from ...ops.op import Op
from .phases import (
    CONSTANTS,
    INPUTS,
    PARAMETERS,
    TARGETS,
    Operation,
    Part,
    Phases,
    Piece,
    Product,
    Wave,
)


class Forward(ABC):
    """The source in the making.

    B are blocks at all steps, a column for each sequence at each step, b those of a step or of the
    last one, and T lists of these, in which each lies in memory row after row, so that those of
    some of its rows lie together.  x are the states after a step, I the initial ones; M are the
    matrices of products, a row per row of these, and R the rest of their rows, r those of a step.
    A step has n columns.  P are the parameters as a column, N as a vector with a 0 at its end, C
    the constants, S symbols, Y the targets, and X the inputs, unless they are symbols, with a row
    of ones, whose weights are offsets.
    """

    def __init__(self, phases: Phases) -> None:
        self.phases = phases
        self.names: dict[str, Any] = {"np": np, "inf": np.inf, "nan": np.nan}
        self.names["constants"] = np.array(phases.traced.constants)[:, None]
        self.names["zero"] = np.zeros(1)
        #: Lines before the steps, and those after.
        self.head: list[str] = []
        self.rest: list[str] = []
        self.during = {*phases.state_blocks, *[one.block for one in phases.during]}
        self.late_blocks = {one.block for one in phases.after}
        #: Whether one-hot vectors of symbols are read.
        self.spelled = False
        #: Blocks of steps that are kept, those that are joined, and blocks read by the steps.
        self.taped: set[int] = set()
        self.whole: set[int] = set()
        self.read: set[int] = set()
        #: What runs along with the steps by name, and with those of the backward sweep.
        self.along: dict[str, str] = {}
        self.back: dict[str, str] = {}
        #: The names of slopes by operation and operand.
        self.slopes: dict[tuple[int, int], str] = {}

    def bind(self, thing: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = thing
        return name

    # --- values ---------------------------------------------------------------------------------

    def block(self, block: int, kind: str) -> str:
        """A block: b of a step, d of a step gone back to, B at all steps, L at all with a loss."""
        if block == PARAMETERS:
            return "P"
        if block == CONSTANTS:
            return "C"
        if block == TARGETS:
            return "Y"
        self.spelled |= block == INPUTS
        if kind == "d":
            self.list_steps(block)
            self.back[f"b{block}"] = f"T{block}"
            return f"b{block}"
        if block in self.late_blocks:
            return f"b{block}"
        if kind == "L":
            if self.phases.every:
                return self.block(block, "B")
            return f"b{block}" if block in self.during else f"B{block}[:, first:]"
        if block not in self.during:
            if kind == "b":
                self.read.add(block)
                self.along[f"b{block}"] = f"T{block}"
            return f"{kind}{block}"
        if kind == "B":
            self.whole.add(block)
            self.taped.add(block)
        return f"{kind}{block}"

    def list_steps(self, block: int) -> None:
        """Have a list T of what a block is at each step."""
        self.spelled |= block == INPUTS
        (self.taped if block in self.during else self.read).add(block)

    def rows(self, name: str, rows: Any) -> str:
        if rows is None:
            return name
        if isinstance(rows, slice):
            return f"{name}[{rows.start}:{rows.stop}]"
        return f"{name}[{self.bind(rows)}]"

    def value(self, operand: Any, kind: str) -> str:
        if isinstance(operand, Piece):
            return self.rows(self.block(operand.block, kind), operand.rows)
        return self.bind(operand)

    def vector(self, pieces: Sequence[Piece], kind: str, width: str) -> str:
        if len(pieces) == 1:
            return self.value(pieces[0], kind)
        parts = [
            f"np.broadcast_to({self.value(one, kind)}, ({one.size}, {width}))"
            if is_narrow(one)
            else self.value(one, kind)
            for one in pieces
        ]
        return f"np.concatenate(({', '.join(parts)},))"

    def wide(self, pieces: Sequence[Piece], kind: str, width: str) -> str:
        """The rows of these pieces, with a column for each sequence and step."""
        found = self.vector(pieces, kind, width)
        narrow = len(pieces) == 1 and is_narrow(pieces[0])
        return f"np.broadcast_to({found}, ({pieces[0].size}, {width}))" if narrow else found

    # --- forward --------------------------------------------------------------------------------

    def text(self) -> str:
        phases = self.phases
        every = phases.every
        for one in phases.before:
            self.head += self.compute(one, "B", "total")
        for product in phases.during:
            if isinstance(product, Product):
                self.head += self.outer(product)
        width = "total" if every else "count"
        for one in phases.after:
            self.rest += self.compute(one, "L", width)
        self.check(phases.guards, "B", "0")
        self.check(phases.guards_of_loss, "L", "first")
        self.rest.append("losses = gradient = outputs = None")
        if phases.has_loss:
            self.rest.append(f"losses = {self.wide(phases.loss, 'L', width)}[0]")
            if every:
                self.rest.append("losses = np.bincount(who, losses, count) / counts")
        if phases.output:
            rows = self.wide(phases.output, "L", width)
            self.rest.append(f"outputs = {rows}.T")
        if phases.has_loss:
            self.backward(width)
        return self.assembled()

    def compute(self, one: Operation, kind: str, width: str) -> list[str]:
        """The lines that compute an operation before or after time."""
        name = f"{'B' if kind == 'B' else 'b'}{one.block}"
        if isinstance(one, Wave):
            narrow = all(map(is_narrow, one.operands))
            if not narrow and self.gives_slope(one):
                self.slopes[one.block, 0] = slope = f"S{one.block}_0"
                given = self.value(one.operands[0], kind)
                return [f"{name}, {slope} = {self.both(one.op)}({given})"]
            lines = [f"{name} = {self.call(one, kind, width)}"]
        else:
            narrow = all(map(is_narrow, one.vector)) and not any(p.tables for p in one.parts)
            lines, whole = [], []
            if one.vector:
                lines.append(f"M{one.block} = N.take({self.bind(one.weights)})")
                whole.append(self.product(one, kind, width))
            lines += self.summed(name, one, whole, kind, width)
        if narrow:
            lines.append(f"{name} = np.broadcast_to({name}, ({one.size}, {width}))")
        return lines

    def call(self, wave: Wave, kind: str, width: str) -> str:
        """The rows of a wave."""
        given = ", ".join([self.value(operand, kind) for operand in wave.operands])
        found = f"{self.bind(wave.function)}({given})"
        if wave.size > 1 and all(getattr(one, "spread", True) for one in wave.operands):
            return f"np.broadcast_to({found}, ({wave.size}, {width}))"  # its lines are all alike
        return found

    def offsets(self, product: Product) -> str:
        """The offsets of a product as a column."""
        index = np.empty(product.size, dtype=int)
        for part in product.parts:
            index[slice(None) if part.rows is None else part.rows] = part.biases
        return f"N.take({self.bind(index[:, None])})"

    def summed(
        self, name: str, product: Product, whole: list[str], kind: str, width: str
    ) -> list[str]:
        """The sum of terms of all rows, of the offsets, and of what no state enters."""
        lines, some = [], []
        if kind == "B" and not whole and [*map(self.reads_inputs, product.parts)] == [True]:
            (part,) = product.parts
            index = np.concatenate([part.weights, part.biases[:, None]], 1)
            return [f"{name} = N.take({self.bind(index)}) @ X"]
        for part in product.parts:
            terms = [self.picked(table, kind) for table in part.tables]
            if part.vector:
                matrix = f"N.take({self.bind(part.weights)})"
                terms.append(f"{matrix} @ {self.wide(part.vector, kind, width)}")
            if part.rows is None:
                whole = whole + terms
            else:
                some += [(part.rows, term) for term in terms]
        offsets = self.offsets(product)
        if whole:
            lines.append(f"{name} = {whole[0]}")
            lines += [f"{name} += {term}" for term in [*whole[1:], offsets]]
        elif some:
            lines.append(f"{name} = {offsets}.repeat({width}, 1)")
        else:
            lines.append(f"{name} = {offsets}")
        return lines + [f"{self.rows(name, rows)} += {term}" for rows, term in some]

    def picked(self, table: Any, kind: str) -> str:
        """The columns of a table of parameters that the symbols pick."""
        return f"N.take({self.bind(table)}).take({self.symbols(kind)}, 1)"

    def symbols(self, kind: str) -> str:
        """The symbols of all columns, or of those with a loss."""
        return "S[first:]" if kind == "L" and not self.phases.every else "S"

    def reads_inputs(self, part: Part) -> bool:
        """Whether the rest of a vector is the whole input, and no symbols."""
        pieces = part.vector
        if self.phases.traced.symbols or len(pieces) != 1:
            return False
        return pieces[0].block == INPUTS and pieces[0].rows is None

    def outer(self, product: Product) -> list[str]:
        """The matrix of a product, and the part of its rows that comes from no state."""
        return [
            f"M{product.block} = N.take({self.bind(product.weights)})",
            *self.summed(f"R{product.block}", product, [], "B", "total"),
        ]

    def product(self, product: Product, kind: str, width: str) -> str:
        """A product's matrix times its vector."""
        return f"M{product.block} @ {self.wide(product.vector, kind, width)}"

    def step(self, one: Operation) -> str:
        """The line of an operation at a step, whose result goes where it is kept."""
        name, kept = f"b{one.block}", one.block in self.taped
        if kept:
            self.along[name] = f"T{one.block}"
        if isinstance(one, Product):
            vector = self.vector(one.vector, "b", "n")
            found = f"np.matmul(M{one.block}, {vector}"
            found = f"{found}, {name})" if kept else f"{name} = {found})"
            rest = f"R{one.block}"
            if any(part.vector or part.tables for part in one.parts):
                self.along[rest.lower()] = f"columns.split({rest}, {self.room(rest, one.size)})"
                rest = rest.lower()
            return f"{found}; {name} += {rest}"
        into = f"{name}[:]" if kept else name
        slope = f"s{one.block}_0"
        if slope == self.slopes.get((one.block, 0)) and self.gives_slope(one):
            self.along[slope] = slope.upper()
            operand = self.value(one.operands[0], "b")
            return f"{into}, {slope}[:] = {self.both(one.op)}({operand})"
        ufunc = as_ufunc(one.op)
        if kept and ufunc is not None:
            given = [self.value(operand, "b") for operand in one.operands]
            return f"{self.bind(ufunc)}({', '.join(given)}, {name})"
        return f"{into} = {self.call(one, 'b', 'n')}"

    def room(self, name: str, rows: int) -> str:
        """The room for blocks of so many rows at all steps."""
        return f"room({name!r}, {rows} * total)"

    def gives_slope(self, wave: Wave) -> bool:
        """Whether the result comes with its slope, which a sweep reads."""
        if wave.op.arrays_both is None or wave.read[0] is None or not self.phases.has_loss:
            return False
        reached = self.phases.last.reached | self.phases.inner.reached
        return not wave.operands[0].spread and not reached.isdisjoint(wave.rows)

    def both(self, op: Op) -> str:
        """The function for the result and the slope."""
        assert op.arrays_both is not None
        return self.bind(partial(op.arrays_both, np))

    def check(self, guards: Any, kind: str, first: str) -> None:
        if not guards:
            return
        places = self.phases.places
        pairs = []
        for guard in guards:
            x, y = [self.value(places.piece([number]), kind) for number in guard.operands]
            pairs.append(f"({x}, {y})")
        self.rest.append(
            f"columns.check({self.bind(self.phases.traced.program)}, {self.bind(guards)}, "
            f"[{', '.join(pairs)}], {first})"
        )

    @abstractmethod
    def backward(self, width: str) -> None:
        """Add the lines of the gradient."""

    # --- all together ---------------------------------------------------------------------------

    def assembled(self) -> str:
        phases = self.phases
        states = [*zip(phases.state_blocks, phases.next_states, strict=True)]
        # These say what else is needed.
        steps = [self.step(one) for one in phases.during]
        for block, pieces in states:
            steps.append(f"x{block} = {self.wide(pieces, 'b', 'n')}")
        inputs = ["X = columns.inputs", "B2 = X[:-1]"]
        if phases.traced.symbols:
            every = np.arange(phases.places.sizes[INPUTS])[:, None]
            inputs = ["S, X = columns.inputs, np.ones((1, total))"]
            inputs += [f"B2 = ({self.bind(every)} == S).astype(float)"] * self.spelled
        body = [
            "P, N = numbers[:, None], np.concatenate((numbers, zero))",
            "C, Y = constants, columns.targets",
            "who, counts, widths = columns.who, columns.counts, columns.widths",
            "total, count = columns.total, columns.sequences",
            f"first = {'0' if phases.every else 'total - count'}",
            *inputs,
            *self.head,
        ]
        sizes = phases.places.sizes
        for block in sorted(self.taped):
            lists = f"room.blocks('T{block}', {sizes[block]}, columns)"
            body.append(f"T{block} = {'[]' if block in phases.state_blocks else lists}")
        for block in sorted(self.read):
            lists = f"columns.split(B{block}, {self.room(f'T{block}', sizes[block])})"
            body.append(f"T{block} = {lists}")
        for name in [name for name in self.along if name.startswith("s")]:
            size = sizes[int(name[1:-2])]
            body.append(f"{name.upper()} = room.blocks({name.upper()!r}, {size}, columns)")
        body.append("begun = 0")
        for block, run in zip(phases.state_blocks, phases.states, strict=True):
            body.append(f"I{block} = initial[{run[0]}:{run[0] + len(run)}]")
        names, lists = ", ".join(["n", *self.along]), ", ".join(["widths", *self.along.values()])
        body.append(f"for {names} in zip({lists}):" if self.along else "for n in widths:")
        step = ["if n > begun:", "    begun, old = n, begun"]
        for block, _ in states:
            given = f"I{block}[:, old:n]"
            joined = f"np.concatenate((x{block}, {given}), 1)"
            step.append(f"    x{block} = {joined} if old else {given}")
        for block, _ in states:
            step.append(f"b{block} = x{block}")
            if block in self.taped:
                step.append(f"T{block}.append(b{block})")
        step += steps
        body += [f"    {line}" for line in step]
        for block in sorted(self.whole):
            flat = self.room(f"B{block}", sizes[block])
            body.append(f"B{block} = columns.join(T{block}, {flat})")
        body += self.rest
        ends = "".join([f"x{block}, " for block, _ in states])
        body.append(f"end = np.concatenate(({ends})).T" if ends else "end = np.empty((count, 0))")
        body.append("return losses, gradient, outputs, end")
        head = "def run(numbers, columns, initial, room):"
        return "\n".join([head, *[f"    {line}" for line in body]]) + "\n"


def is_narrow(operand: Any) -> bool:
    """Whether an operand is the same for all sequences and steps."""
    return not isinstance(operand, Piece) or operand.block in (PARAMETERS, CONSTANTS)
