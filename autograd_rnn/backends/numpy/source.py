"""The source of a step over a batch of sequences by NumPy, with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from ...ops.numpy import on_arrays
from ...ops.op import Op
from ...ops.tracer import Tracer
from ..traced import TracedStep
from .columns import Columns
from .forward import Forward, is_narrow
from .phases import CONSTANTS, INPUTS, PARAMETERS, TARGETS, Back, Phases, Piece, Product, Wave
from .slopes import Joined, put, quick

#: Where no sweep goes.
NOWHERE: Final = (CONSTANTS, INPUTS, TARGETS)


Written: TypeAlias = Callable[[Any, Columns, Any], tuple[Any, Any, Any, Any]]


def write(traced: TracedStep, every: bool, loss: bool, outputs: bool, by_step: bool) -> Written:
    """A function of the numbers of the parameters, a batch and its states, made from its source.

    It gives, if they are asked for, the losses of the sequences and the gradient of their sum, or
    `by_step` its terms, a row for each column of the batch, and the outputs; and a row for the
    state after each sequence.  These are in the order of the columns.
    """
    source = Source(Phases(traced, every, loss, outputs), by_step=by_step)
    exec(compile(source.text(), "<the numpy backend>", "exec"), source.names)
    run = source.names["run"]

    def quietly(numbers: Any, columns: Columns, initial: Any) -> tuple[Any, Any, Any, Any]:
        with np.errstate(all="ignore"):
            found: tuple[Any, Any, Any, Any] = run(numbers, columns, initial)
        return found

    return quietly


class Source(Forward):
    """The source of the gradient too, or `by_step` of its terms.

    d are adjoints, D those of products at all steps, g those at all steps with a loss, h those of
    states, E those of blocks before all steps; S are slopes, or s as columns, K blocks at all steps
    that only some slopes read, and Q pieces of the gradient.
    """

    def __init__(self, phases: Phases, *, by_step: bool) -> None:
        super().__init__(phases)
        self.by_step = by_step
        self.names |= {"Joined": Joined, "quick": quick, "put": put}
        self.slopes: dict[tuple[int, int], str] = {}
        self.pieces: list[tuple[Any, str]] = []
        self.early: set[int] = set()
        #: The products that a sweep has passed, those whose adjoints are kept, and rows written.
        self.passed: dict[int, Back] = {}
        self.products = {one.block for one in phases.during if isinstance(one, Product)}
        self.kept: set[int] = set()
        self.written: dict[str, set[int]] = {}
        #: Adjoints that may begin without zeros: the lines, that line, and how many rows they have.
        self.zeros: dict[str, tuple[list[str], str, int]] = {}
        if by_step:
            self.head.append("terms = np.zeros((total, len(N)))")

    def backward(self, width: str) -> None:
        phases, lines = self.phases, self.rest
        last, inner = phases.last, phases.inner
        late: dict[int, bool] = {}
        lines.append("seed = columns.shares")
        self.add(lines, late, phases.loss, "seed", width, "first:total", "g")
        self.sweep(lines, last.after, late, "L", width, "first:total", "g")
        late = {block: own for block, own in late.items() if block in self.during}
        # The last step.
        lines.append("lo, hi = total - count, total")
        adjoints = self.begun(lines, late)
        self.sweep(lines, last.during, adjoints, "B", "count", "lo:hi", "d")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros((count, {size})).T"
            lines.append(f"h{block} = {found}")
        at_last, self.passed = self.passed, {}
        # The others.
        lines.append("for lo, hi in spans[-2::-1]:")
        body: list[str] = []
        adjoints = self.begun(body, late) if phases.every else {}
        for pieces, block in zip(phases.next_states, phases.state_blocks, strict=True):
            self.add(body, adjoints, pieces, f"h{block}[:, :hi - lo]", "(hi - lo)", "lo:hi", "d")
        self.sweep(body, inner.during, adjoints, "B", "(hi - lo)", "lo:hi", "d")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros((hi - lo, {size})).T"
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
        flat = ", ".join(["zero", *[f"{name}.ravel()" for _, name in self.pieces]])
        lines.append(f"found = np.concatenate(({flat},))")
        lines.append(f"gradient = np.bincount({self.bind(index)}, found, len(N))[:-1]")

    def begun(self, lines: list[str], late: dict[int, bool]) -> dict[int, bool]:
        """The adjoints that a step has from what was computed after time."""
        now = "[:, lo:hi]" if self.phases.every else ""
        adjoints: dict[int, bool] = {}
        for block in late:
            piece = Piece(block, None, self.phases.places.sizes[block])
            self.add(lines, adjoints, [piece], f"g{block}{now}", "", "lo:hi", "d")
        return adjoints

    def sweep(
        self,
        lines: list[str],
        backs: Sequence[Back],
        adjoints: dict[int, bool],
        kind: str,
        width: str,
        columns: str,
        letter: str,
    ) -> None:
        """Go back through operations, from the adjoints of their rows to those of operands."""
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
                if one.block in self.during:
                    self.passed[one.block] = back
                else:
                    self.weights(lines, back, f"{letter}{one.block}", kind, now, columns)
                if back.onward:
                    matrix = self.rows(f"M{one.block}.T", back.rows)
                    lines.append(f"t = ({name}.T @ {matrix}).T")
                    self.add(lines, adjoints, one.vector, "t", width, columns, letter)
                continue
            for position, piece in enumerate(back.operands):
                if piece is None or piece.block in NOWHERE:
                    continue
                if one.op.chooses and position == 0:
                    chosen = self.chosen(one, back, name, kind, now)
                    self.add(lines, adjoints, [piece], chosen, width, columns, letter)
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

    def chosen(self, wave: Wave, back: Back, adjoint: str, kind: str, now: str) -> str:
        """The adjoint where its operand was chosen, and nothing elsewhere, not even 0 · inf."""
        condition = wave.operands[1]
        found = self.value(condition, kind)
        if isinstance(condition, Piece):
            if not condition.spread:
                found = self.rows(found, back.rows)
            found += "" if is_narrow(condition) else now
        return f"{self.bind(on_arrays(wave.op))}({adjoint}, {found})"

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
        name = f"S{wave.block}_{position}"
        if wave.op.arrays_slope is not None:
            operand, block = wave.operands[0], getattr(wave.operands[0], "block", PARAMETERS)
            if kind == "B" and block in self.during:
                self.taped.add(block)
                self.insert(f"K{block} = Joined(T{block})")
                lazily = self.rows(f"K{block}()", operand.rows)
            else:
                lazily = self.value(operand, kind)
            found = (
                f"quick({self.bind(wave.op)}, {self.value(wave.result, kind)}, lambda: {lazily})"
            )
        else:
            given: list[Any] = [None if isinstance(one, Piece) else one for one in operands]
            for place in read:
                operand = operands[place]
                if isinstance(operand, Piece):
                    given[place] = Text(self, self.value(operand, kind), is_narrow(operand))
            made = rule(*given)
            if isinstance(made, float):  # such as 1, the slope of x**1
                made = Text(self, repr(made), True)
            found, name = made.text, name.lower() if made.narrow else name
            if any(getattr(operands[place], "spread", False) for place in read):
                width = "1" if made.narrow else "total" if kind == "B" else "total - first"
                found = f"np.broadcast_to({found}, ({wave.size}, {width}))"
        self.insert(f"{name} = {found}")
        self.slopes[key] = name
        return name

    def insert(self, line: str) -> None:
        """Add a line before the sweep, unless it is there."""
        if line not in self.rest:
            self.rest.insert(self.rest.index("seed = columns.shares"), line)

    def add(
        self,
        lines: list[str],
        adjoints: dict[int, bool],
        pieces: Sequence[Piece],
        term: str,
        width: str,
        columns: str,
        letter: str,
        factor: str = "",
    ) -> None:
        """Add terms, whose rows are those of the pieces in turn, to adjoints."""
        start = 0
        whole = f"{term} * {factor}" if factor else term
        for piece in pieces:
            block = piece.block
            own = whole if len(pieces) == 1 else f"{term}[{start}:{start + piece.size}]"
            start += piece.size
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
                    self.head.append(f"E{block} = np.zeros((total, {size})).T")
                self.put(lines, f"E{block}[:, {columns}]", piece.rows, own)
            elif piece.rows is None:
                self.written[name] = {*range(self.phases.places.sizes[block])}
                if block not in adjoints and self.begin(lines, block, name, columns):
                    into = f"np.multiply({term}, {factor}, {name})"
                    lines.append(into if factor else f"{name}[:] = {own}")
                    adjoints[block] = True
                elif block not in adjoints:
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
                    if not self.begin(lines, block, name, columns):
                        lines.append(f"{name} = np.zeros(({width}, {size})).T")
                        self.zeros[name] = lines, lines[-1], size
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
                    self.zeros.pop(name, None)
                    self.put(lines, name, piece.rows, own)
                if fresh:
                    self.written[name].update(rows)
                    self.spare(name)
                else:
                    self.written[name] = {*range(self.phases.places.sizes[block])}

    def spare(self, name: str) -> None:
        """Write no zeros into an adjoint of which all rows have been written since."""
        if name in self.zeros and len(self.written[name]) == self.zeros[name][2]:
            lines, begun, _ = self.zeros.pop(name)
            lines[len(lines) - 1 - lines[::-1].index(begun)] = begun.replace("zeros", "empty")

    def begin(self, lines: list[str], block: int, name: str, columns: str) -> bool:
        """Whether the adjoint of a block is kept for all steps, as those of products are."""
        if block not in self.products:
            return False
        if block not in self.kept:
            self.kept.add(block)
            self.head.append(f"D{block} = np.zeros((total, {self.phases.places.sizes[block]})).T")
        lines.append(f"{name} = D{block}[:, {columns}]")
        return True

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
        """Add rows of terms to the gradient with respect to parameters."""
        if self.by_step:
            lines.append(f"put(terms[{columns}].T, {self.bind(index)}, {term})")
            return
        name = f"Q{len(self.pieces)}"
        self.pieces.append((index, name))
        self.head.append(f"{name} = np.zeros({len(index)})")
        lines.append(f"{name} += ({term}) @ X[-1, {columns}]")

    def weigh(self, lines: list[str], last: dict[int, Back], inner: dict[int, Back]) -> None:
        """Go on to the weights of products: one product each for all of the steps."""
        for block, back in (inner | last).items():
            sweeps = [("total - count:total", last.get(block))]
            sweeps.append((":total - count", inner.get(block)))
            if block in last and block in inner and last[block].parts == inner[block].parts:
                sweeps = [(":total", back)]
            for columns, one in sweeps:
                if one is not None:
                    lines.append(f"D = D{block}[:, {columns}]")
                    self.weights(lines, one, "D", "B", f"[:, {columns}]", columns)

    def weights(
        self, lines: list[str], back: Back, name: str, kind: str, now: str, columns: str
    ) -> None:
        """The gradient of weights and offsets, and the adjoints of what no state enters."""
        product: Any = back.operation
        width = f"{name}.shape[1]"
        weights = product.weights if back.rows is None else product.weights[back.rows]
        if product.vector:
            reached = self.rows(name, back.rows)
            self.outer_product(lines, weights, reached, product.vector, kind, now, columns)
        for part in back.parts:
            rows = self.rows(name, part.rows)
            if self.reads_inputs(part) and not self.by_step:
                index = np.concatenate([part.weights.T, part.biases[None]]).T
                # What is before time runs over all steps, or over those of now.
                values = "X" + (now or f"[:, {columns}]")
                self.pieces.append((index, f"Q{len(self.pieces)}"))
                lines.append(f"{self.pieces[-1][1]} = {rows} @ ({values}).T")
                continue
            self.count(lines, part.biases, rows, columns)
            symbols = self.symbols(kind) + now.replace("[:, ", "[")
            for table in part.tables:
                self.spread(lines, table, rows, symbols, columns)
            if part.vector:
                self.outer_product(lines, part.weights, rows, part.vector, kind, now, columns)
                if not {piece.block for piece in part.vector} <= {*NOWHERE}:
                    lines.append(f"t = (({rows}).T @ N.take({self.bind(part.weights)})).T")
                    self.add(lines, {}, part.vector, "t", width, columns, "d")

    def spread(self, lines: list[str], table: Any, rows: str, symbols: str, columns: str) -> None:
        """The gradient of a table: the sum of the rows by the symbols that picked it."""
        if self.by_step:
            lines.append(f"index = {self.bind(table)}.T[{symbols}]")
            lines.append(
                f"put(terms[{columns}], (np.arange(len(index))[:, None], index), {rows}.T)"
            )
            return
        name = f"Q{len(self.pieces)}"
        self.pieces.append((table, name))
        starts = np.arange(len(table))[:, None] * table.shape[1]
        lines.append(f"index = ({symbols} + {self.bind(starts)}).ravel()")
        lines.append(f"{name} = np.bincount(index, ({rows}).ravel(), {table.size})")

    def outer_product(
        self,
        lines: list[str],
        weights: Any,
        rows: str,
        vector: Sequence[Piece],
        kind: str,
        now: str,
        columns: str,
    ) -> None:
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


class Text(Tracer):
    """An expression of the source in place of a number in the rules of the table.

    It is `narrow` if it is a column, the same for all sequences and steps.
    """

    def __init__(self, source: Source, text: str, narrow: bool) -> None:
        self.source, self.text, self.narrow = source, text, narrow

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Text:
        texts = [one for one in operands if isinstance(one, Text)]
        source, narrow = texts[0].source, all(one.narrow for one in texts)
        given = [one.text if isinstance(one, Text) else repr(float(one)) for one in operands]
        return Text(source, f"{source.bind(on_arrays(op))}({', '.join(given)})", narrow)
