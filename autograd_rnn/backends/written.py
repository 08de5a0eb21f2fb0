"""The source of a step over a batch of sequences by NumPy, forward and backward, written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from ..ops.numpy import Elements, on_arrays
from ..ops.op import Op
from ..ops.tracer import Tracer
from .arrays import Columns
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
from .traced import TracedStep

#: A slope that has such a difference as a factor has lost so few digits that it is as good.
LEAST_DIFFERENCE: Final = 1.0 / 16.0
NOWHERE: Final = (CONSTANTS, INPUTS, TARGETS)


Written: TypeAlias = Callable[[Any, Columns], tuple[Any, Any, Any]]


def write(
    traced: TracedStep,
    state: Sequence[float],
    every: bool,
    loss: bool,
    outputs: bool,
    by_step: bool,
) -> Written:
    """A function of the numbers of the parameters and a batch, made from its source.

    It gives, if they are asked for, the losses of the sequences and the gradient of their sum, or
    `by_step` its terms, a row for each column of the batch, and the outputs.
    """
    source = Source(Phases(traced, every, loss, outputs), state, by_step=by_step)
    exec(compile(source.text(), "<the numpy backend>", "exec"), source.names)
    run = source.names["run"]

    def quietly(numbers: Any, columns: Columns) -> tuple[Any, Any, Any]:
        with np.errstate(all="ignore"):
            found: tuple[Any, Any, Any] = run(numbers, columns)
        return found

    return quietly


class Source:
    """The source in the making.

    B are blocks at all steps, a column for each sequence at each step, b those of a step, and T
    lists of these; d are adjoints, h those of the states, S slopes, M matrices and R the rest of
    products.  Columns of a step are those from lo to hi.
    """

    def __init__(self, phases: Phases, state: Sequence[float], *, by_step: bool) -> None:
        self.phases, self.by_step = phases, by_step
        self.names: dict[str, Any] = {"np": np, "quick": quick, "put": put, "inf": np.inf, "nan": np.nan}
        self.head: list[str] = []
        self.loop: list[tuple[int, str]] = []
        self.rest: list[str] = []
        self.during = {*phases.state_blocks, *[one.block for one in phases.during]}
        self.late_blocks = {one.block for one in phases.after}
        self.taped: set[int] = set()
        self.whole: set[int] = set()
        self.read: set[int] = set()
        self.slopes: dict[tuple[int, int], str] = {}
        self.pieces: list[tuple[Any, str]] = []
        self.early: set[int] = set()
        self.passed: dict[int, Back] = {}
        self.written: dict[str, set[int]] = {}
        for block, run in zip(phases.state_blocks, phases.states, strict=True):
            self.names[f"I{block}"] = np.array([state[place] for place in run])[:, None]

    def bind(self, thing: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = thing
        return name

    # --- values ---------------------------------------------------------------------------------

    def block(self, block: int, kind: str) -> str:
        """A block: b of a step, B at all steps, L at all that have a loss."""
        if block == PARAMETERS:
            return "P"
        if block == CONSTANTS:
            return "C"
        if block == TARGETS:
            return "Y"
        if block in self.late_blocks:
            return f"b{block}"
        if kind == "L":
            if self.phases.every:
                return self.block(block, "B")
            return f"b{block}" if block in self.during else f"B{block}[:, first:]"
        if block not in self.during:
            if kind == "b":
                self.read.add(block)
            return f"{kind}{block}"
        if kind == "B":
            self.whole.add(block)
            self.taped.add(block)
        return f"{kind}{block}"

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
            f"np.broadcast_to({self.value(one, kind)}, ({one.count}, {width}))"
            if is_narrow(one)
            else self.value(one, kind)
            for one in pieces
        ]
        return f"np.concatenate(({', '.join(parts)},))"

    # --- forward --------------------------------------------------------------------------------

    def text(self) -> str:
        phases = self.phases
        every = phases.every
        for one in phases.before:
            self.head += self.compute(one, "B", "total")
        for product in phases.during:
            if isinstance(product, Product):
                self.head += self.outer(product)
        for one in phases.during:
            for line in self.step(one):
                self.loop.append((-1, line))
            self.loop.append((one.block, ""))
        width = "total" if every else "count"
        for one in phases.after:
            self.rest += self.compute(one, "L", width)
        self.check(phases.guards, "B", "0")
        self.check(phases.guards_of_loss, "L", "first")
        self.rest.append("losses = gradient = outputs = None")
        if phases.has_loss:
            row = f"np.broadcast_to({self.vector(phases.loss, 'L', width)}, (1, {width}))[0]"
            self.rest.append(f"losses = {row}")
            if every:
                self.rest.append("losses = np.bincount(who, losses, count) / lengths")
        if phases.output:
            rows = self.vector(phases.output, "L", width)
            self.rest.append(
                f"outputs = np.broadcast_to({rows}, ({len(phases.traced.output)}, {width})).T"
            )
        if phases.has_loss:
            self.backward(width)
        return self.assembled()

    def compute(self, one: Operation, kind: str, width: str) -> list[str]:
        """The lines that compute an operation before or after time."""
        name = f"{'B' if kind == 'B' else 'b'}{one.block}"
        if isinstance(one, Wave):
            given = ", ".join([self.value(operand, kind) for operand in one.operands])
            lines = [f"{name} = {self.bind(one.function)}({given})"]
            narrow = all(map(is_narrow, one.operands))
        else:
            lines, narrow = self.offsets(one), all(map(is_narrow, one.vector))
            lines.append(f"{name} = M{one.block} @ {self.vector(one.vector, kind, width)}")
            lines.append(f"{name} += R{one.block}" if not narrow else f"{name} = {name} + R{one.block}")
            lines.insert(0, f"M{one.block} = N.take({self.bind(one.weights)})")
        if narrow:
            lines.append(f"{name} = np.broadcast_to({name}, ({one.size}, {width}))")
        return lines

    def offsets(self, product: Product) -> list[str]:
        """The offsets of a product as a column."""
        index = np.empty(product.size, dtype=int)
        for part in product.parts:
            index[slice(None) if part.rows is None else part.rows] = part.biases
        return [f"R{product.block} = N.take({self.bind(index[:, None])})"]

    def outer(self, product: Product) -> list[str]:
        """The matrix of a product, and the part of its rows that comes from no state."""
        name = f"R{product.block}"
        lines = [f"M{product.block} = N.take({self.bind(product.weights)})"]
        if len(product.parts) == 1 and product.parts[0].vector:
            (part,) = product.parts
            matrix = f"N.take({self.bind(part.weights)})"
            lines.append(f"{name} = {matrix} @ {self.vector(part.vector, 'B', 'total')}")
            lines.append(f"{name} += N.take({self.bind(part.biases[:, None])})")
            return lines
        lines += self.offsets(product)
        if any(part.vector for part in product.parts):
            lines.append(f"{name} = {name}.repeat(total, 1)")
        for part in product.parts:
            if part.vector:
                matrix = f"N.take({self.bind(part.weights)})"
                found = f"{matrix} @ {self.vector(part.vector, 'B', 'total')}"
                lines.append(f"{self.rows(name, part.rows)} += {found}")
        return lines

    def step(self, one: Operation) -> list[str]:
        """The lines of an operation at a step."""
        if isinstance(one, Wave):
            given = ", ".join([self.value(operand, "b") for operand in one.operands])
            return [f"b{one.block} = {self.bind(one.function)}({given})"]
        name = f"b{one.block}"
        wide = any(part.vector for part in one.parts)
        return [
            f"{name} = M{one.block} @ {self.vector(one.vector, 'b', 'hi - lo')}",
            f"{name} += R{one.block}[:, lo:hi]" if wide else f"{name} += R{one.block}",
        ]

    def check(self, guards: Any, kind: str, first: str) -> None:
        if not guards:
            return
        places = self.phases.places
        pairs = []
        for guard in guards:
            x, y = [self.value(places.piece([number]), kind) for number in guard.operands]
            pairs.append(f"({x}, {y})")
        self.rest.append(f"columns.check({self.bind(self.phases.traced.program)}, {self.bind(guards)}, "
                         f"[{', '.join(pairs)}], {first})")

    # --- backward -------------------------------------------------------------------------------

    def backward(self, width: str) -> None:
        phases, lines = self.phases, self.rest
        last, inner = phases.last, phases.inner
        seed = "(1.0 / lengths)[who][None]" if phases.every else "np.ones((1, count))"
        late: dict[int, bool] = {}
        lines.append(f"seed = {seed}")
        self.add(lines, late, phases.loss, "seed", width, "first:total", "g")
        self.sweep(lines, last.after, late, "L", width, "first:total", "g")
        late = {block: own for block, own in late.items() if block in self.during}
        # The last step.
        lines.append("lo, hi = total - count, total")
        adjoints = self.begun(lines, late)
        self.sweep(lines, last.during, adjoints, "B", "count", "lo:hi", "d", "J{} = {}")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros(({size}, count))"
            lines.append(f"h{block} = {found}")
        at_last, self.passed = self.passed, {}
        # The others.
        for back in inner.during:
            block, size = back.operation.block, back.operation.size
            lines.append(f"K{block} = [np.empty(({size}, 0))]")
        lines.append("for lo, hi in spans[-2::-1]:")
        body: list[str] = []
        adjoints = self.begun(body, late) if phases.every else {}
        for pieces, block in zip(phases.next_states, phases.state_blocks, strict=True):
            self.add(body, adjoints, pieces, f"h{block}[:, :hi - lo]", "(hi - lo)", "lo:hi", "d")
        self.sweep(body, inner.during, adjoints, "B", "(hi - lo)", "lo:hi", "d", "K{}.append({})")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros(({size}, hi - lo))"
            body.append(f"h{block} = {found}")
        lines += [f"    {line}" for line in body or ["pass"]]
        self.weigh(lines, at_last, self.passed)
        for sweeps, low, high in ((last, "total - count", "total"), (inner, "0", "total - count")):
            lines.append(f"lo, hi = {low}, {high}")
            self.sweep(lines, sweeps.before, {}, "B", "(hi - lo)", "lo:hi", "d")
        if self.by_step:
            lines.append("gradient = terms[:, :-1]")
            return
        index = np.concatenate([[0], *[np.ravel(index) for index, _ in self.pieces]]).astype(int)
        flat = ", ".join(["(0.0,)", *[f"{name}.ravel()" for _, name in self.pieces]])
        lines.append(f"sums = np.concatenate(({flat},))")
        lines.append(f"gradient = np.bincount({self.bind(index)}, sums, len(N))[:-1]")

    def begun(self, lines: list[str], late: dict[int, bool]) -> dict[int, bool]:
        """The adjoints that a step has from what was computed after time."""
        now = "[:, lo:hi]" if self.phases.every else ""
        for block in late:
            lines.append(f"d{block} = g{block}{now}")
        return dict.fromkeys(late, False)

    def sweep(
        self, lines: list[str], backs: Sequence[Back], adjoints: dict[int, bool],
        kind: str, width: str, columns: str, letter: str, keep: str = "",
    ) -> None:  # fmt: skip
        """Go back through operations, from the adjoints of their rows to those of operands.

        In time, it keeps those of the rows of products for their weights.
        """
        now = "" if kind == "L" else f"[:, {columns}]"
        for back in backs:
            one = back.operation
            if one.block in self.phases.early_blocks:
                if one.block not in self.early:
                    continue
                lines.append(f"{letter}{one.block} = E{one.block}[:, {columns}]")
            elif one.block not in adjoints:
                continue
            name = self.rows(f"{letter}{one.block}", back.rows)
            if isinstance(one, Product):
                if keep:
                    lines.append(keep.format(one.block, f"{letter}{one.block}"))
                    self.passed[one.block] = back
                else:
                    self.weights(lines, back, f"{letter}{one.block}", kind, now, columns)
                if back.onward:
                    matrix = self.rows(f"M{one.block}", back.rows)
                    lines.append(f"t = {matrix}.T @ {name}")
                    self.add(lines, adjoints, one.vector, "t", width, columns, letter)
                continue
            for position, piece in enumerate(back.operands):
                if piece is None or piece.block in NOWHERE:
                    continue
                slope = self.slope(one, position, kind)
                if slope is None:
                    self.add(lines, adjoints, [piece], name, width, columns, letter)
                    continue
                narrow = slope.startswith("(")
                factor = slope if narrow else self.rows(f"{slope}", back.rows)
                if not narrow and kind != "L" and not slope.startswith("s"):
                    factor += f"[:, {columns}]"
                self.add(lines, adjoints, [piece], name, width, columns, letter, factor)

    def slope(self, wave: Wave, position: int, kind: str) -> str | None:
        """The name of a slope, S, or s if it is a column; a number in brackets; None if it is 1."""
        key = (wave.block, position)
        if key in self.slopes:
            return self.slopes[key] or None
        read = wave.read[position] or frozenset()
        rule, operands = wave.op.partials[position], [*wave.operands, wave.result]
        if not any(isinstance(operands[place], Piece) for place in read):
            number = rule(*[None if isinstance(one, Piece) else one for one in operands])
            self.slopes[key] = "" if number == 1.0 else f"({float(number)!r})"
            return self.slopes[key] or None
        narrow = all(is_narrow(operands[place]) for place in read)
        name = f"{'s' if narrow else 'S'}{wave.block}_{position}"
        if wave.op.arrays_slope is not None and not narrow:
            operand, block = wave.operands[0], getattr(wave.operands[0], "block", PARAMETERS)
            if kind == "B" and block in self.during:
                self.taped.add(block)
                lazily = self.rows(f"np.concatenate(T{block}, 1)", operand.rows)
            else:
                lazily = self.value(operand, kind)
            found = f"quick({self.bind(wave.op)}, {self.value(wave.result, kind)}, lambda: {lazily})"
        else:
            given: list[Any] = [None if isinstance(one, Piece) else one for one in operands]
            for place in read:
                if isinstance(operands[place], Piece):
                    given[place] = Text(self, self.value(operands[place], kind))
            found = rule(*given).text
            if any(getattr(operands[place], "spread", False) for place in read):
                width = "1" if narrow else "total" if kind == "B" else "total - first"
                found = f"np.broadcast_to({found}, ({wave.size}, {width}))"
        self.rest.insert(self.slopes_at(kind), f"{name} = {found}")
        self.slopes[key] = name
        return name

    def add(
        self, lines: list[str], adjoints: dict[int, bool], pieces: Sequence[Piece], term: str,
        width: str, columns: str, letter: str, factor: str = "",
    ) -> None:  # fmt: skip
        """Add terms, whose rows are those of the pieces in turn, to adjoints."""
        start = 0
        whole = f"{term} * {factor}" if factor else term
        for piece in pieces:
            block = piece.block
            own = whole if len(pieces) == 1 else f"{term}[{start}:{start + piece.count}]"
            start += piece.count
            if block in NOWHERE:
                continue
            if piece.spread:
                own = f"({own}).sum(axis=0, keepdims=True)"
            if block == PARAMETERS:
                index = np.arange(self.phases.places.sizes[block])
                self.count(lines, index if piece.rows is None else index[piece.rows], own, columns)
                continue
            name = f"{letter}{block}"
            if block in self.phases.early_blocks:
                if block not in self.early:
                    self.early.add(block)
                    size = self.phases.places.sizes[block]
                    self.head.append(f"E{block} = np.zeros(({size}, total))")
                self.put(lines, f"E{block}[:, {columns}]", piece.rows, own)
            elif piece.rows is None:
                if block not in adjoints:
                    lines.append(f"{name} = {own}")
                    adjoints[block] = bool(factor) or own == "t"
                elif adjoints[block]:
                    lines.append(f"{name} += {own}")
                else:
                    lines.append(f"{name} = {name} + {own}")
                    adjoints[block] = True
            else:
                fresh = isinstance(piece.rows, slice) and bool(factor) and not piece.spread
                if block not in adjoints:
                    size = self.phases.places.sizes[block]
                    lines.append(f"{name} = np.zeros(({size}, {width}))")
                    self.written[name] = set()
                elif not adjoints[block]:
                    lines.append(f"{name} = {name}.copy()")
                    self.written[name] = {*range(self.phases.places.sizes[block])}
                adjoints[block] = True
                rows = range(piece.rows.start, piece.rows.stop) if fresh else ()
                if fresh and self.written[name].isdisjoint(rows):
                    at = f"{name}[{piece.rows.start}:{piece.rows.stop}]"
                    lines.append(f"np.multiply({term}, {factor}, {at})")
                else:
                    self.put(lines, name, piece.rows, own)
                if fresh:
                    self.written[name].update(rows)
                else:
                    self.written[name] = {*range(self.phases.places.sizes[block])}

    def put(self, lines: list[str], name: str, rows: Any, term: str) -> None:
        if isinstance(rows, np.ndarray):
            lines.append(f"put({name}, {self.bind(rows)}, {term})")
        elif rows is None:
            lines.append(f"u = {name}")
            lines.append(f"u += {term}")
        else:
            lines.append(f"u = {name}[{rows.start}:{rows.stop}]")
            lines.append(f"u += {term}")

    # --- the gradient ---------------------------------------------------------------------------

    def count(self, lines: list[str], index: Any, term: str, columns: str) -> None:
        """Add rows of terms to the gradient by parameters."""
        if self.by_step:
            lines.append(f"put(terms[{columns}].T, {self.bind(index)}, {term})")
            return
        name = f"Q{len(self.pieces)}"
        self.pieces.append((index, name))
        self.head.append(f"{name} = np.zeros({len(index)})")
        lines.append(f"{name} += ({term}).sum(axis=1)")

    def weigh(self, lines: list[str], last: dict[int, Back], inner: dict[int, Back]) -> None:
        """Go on to the weights of products: one product each for all of the steps."""
        for block, back in (inner | last).items():
            sweeps = [("total - count:total", f"(J{block},)", last.get(block))]
            sweeps.append((":total - count", f"K{block}[::-1]", inner.get(block)))
            if block in last and block in inner and last[block].parts == inner[block].parts:
                sweeps = [(":total", f"(*K{block}[::-1], J{block})", back)]
            for columns, kept, one in sweeps:
                if one is not None:
                    lines.append(f"D = np.concatenate({kept}, 1)")
                    self.weights(lines, one, "D", "B", f"[:, {columns}]", columns)

    def weights(
        self, lines: list[str], back: Back, name: str, kind: str, now: str, columns: str
    ) -> None:
        """The gradient by weights and offsets, and the adjoints of what comes from no state."""
        product: Any = back.operation
        width = f"{name}.shape[1]"
        weights = product.weights if back.rows is None else product.weights[back.rows]
        self.outer_product(
            lines, weights, self.rows(name, back.rows), product.vector, kind, now, columns
        )
        for part in back.parts:
            rows = self.rows(name, part.rows)
            self.count(lines, part.biases, rows, columns)
            if part.vector:
                self.outer_product(lines, part.weights, rows, part.vector, kind, now, columns)
                if not {piece.block for piece in part.vector} <= {*NOWHERE}:
                    lines.append(f"t = N.take({self.bind(part.weights)}).T @ {rows}")
                    self.add(lines, {}, part.vector, "t", width, columns, "d")

    def outer_product(
        self, lines: list[str], weights: Any, rows: str, vector: Sequence[Piece],
        kind: str, now: str, columns: str,
    ) -> None:  # fmt: skip
        narrow = all(map(is_narrow, vector))
        width = "total" if kind == "B" or self.phases.every else "count"
        values = f"{self.vector(vector, kind, width)}{'' if narrow else now}"
        if self.by_step:
            products = f"({rows})[:, None] * ({values})"
            lines.append(f"put(terms[{columns}].T, {self.bind(weights)}, {products})")
            return
        if narrow:
            values = f"np.broadcast_to({values}, ({weights.shape[1]}, {rows}.shape[1]))"
        name = f"Q{len(self.pieces)}"
        self.pieces.append((weights, name))
        lines.append(f"{name} = {rows} @ ({values}).T")

    # --- all together ---------------------------------------------------------------------------

    def slopes_at(self, kind: str) -> int:
        """Where slopes are computed: before the backward sweep."""
        return next(k for k, line in enumerate(self.rest) if line.startswith("seed ="))

    def assembled(self) -> str:
        phases = self.phases
        body = [
            "P, N = numbers[:, None], np.append(numbers, 0.0)",
            "C, Y, B2 = constants, columns.targets, columns.inputs",
            "spans, who, lengths = columns.spans, columns.who, columns.lengths",
            "total, count = columns.total, columns.count",
            f"first = {'0' if phases.every else 'total - count'}",
            *(["terms = np.zeros((total, len(N)))"] if self.by_step else []),
            *self.head,
        ]
        self.names["constants"] = np.array(phases.traced.constants)[:, None]
        pairs = zip(phases.state_blocks, phases.next_states, phases.states, strict=True)
        states = [(block, pieces, len(run)) for block, pieces, run in pairs]
        body += [f"T{block} = []" for block in sorted(self.taped)]
        body.append("begun = 0")
        body += [f"x{block} = np.empty(({size}, 0))" for block, _, size in states]
        after: list[str] = []
        for block, pieces, size in states:
            found = self.vector(pieces, "b", "hi - lo")
            if len(pieces) != 1 or is_narrow(pieces[0]):
                found = f"np.broadcast_to({found}, ({size}, hi - lo))"
            after.append(f"x{block} = {found}")
        body.append("for lo, hi in spans:")
        step = ["new = hi - lo - begun", "if new:", "    begun += new"]
        for block, _, _ in states:
            step.append(f"    x{block} = np.concatenate((x{block}, I{block}.repeat(new, 1)), 1)")
        for block, _, _ in states:
            step.append(f"b{block} = x{block}")
            if block in self.taped:
                step.append(f"T{block}.append(b{block})")
        step += [f"b{block} = B{block}[:, lo:hi]" for block in sorted(self.read)]
        for block, line in self.loop:
            if line:
                step.append(line)
            elif block in self.taped:
                step.append(f"T{block}.append(b{block})")
        step += after
        body += [f"    {line}" for line in step]
        body += [f"B{block} = np.concatenate(T{block}, 1)" for block in sorted(self.whole)]
        body += self.rest
        body.append("return losses, gradient, outputs")
        return "\n".join(["def run(numbers, columns):", *[f"    {line}" for line in body]]) + "\n"


def is_narrow(operand: Any) -> bool:
    """Whether an operand is the same for all sequences and steps."""
    return not isinstance(operand, Piece) or operand.block in (PARAMETERS, CONSTANTS)


class Text(Tracer):
    """An expression of the source in place of a number in the rules of the table."""

    def __init__(self, source: Source, text: str) -> None:
        self.source, self.text = source, text

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Text:
        source = next(one.source for one in operands if isinstance(one, Text))
        given = [one.text if isinstance(one, Text) else repr(float(one)) for one in operands]
        return Text(source, f"{source.bind(on_arrays(op))}({', '.join(given)})")


# --- what the source calls -----------------------------------------------------------------------


def slope(rule: Callable[..., Any], *values: Any) -> Any:
    """The slope by a rule of the table, on arrays and numbers."""
    found = rule(*[Elements(one) if isinstance(one, np.ndarray) else one for one in values])
    return found.numbers if isinstance(found, Elements) else found


def quick(op: Op, result: Any, operand: Callable[[], Any]) -> Any:
    """The slope from the result alone where that is good, else by the rule."""
    assert op.arrays_slope is not None
    found, difference = op.arrays_slope(result)
    few = difference < LEAST_DIFFERENCE
    if few.any():
        given = np.broadcast_to(operand(), result.shape)[few]
        found[few] = slope(op.partials[0], given, result[few])
    return found


def put(array: Any, rows: Any, terms: Any) -> None:
    """Add terms to rows, of which one may be there twice."""
    np.add.at(array, rows, terms)
