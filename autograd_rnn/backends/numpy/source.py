"""The source of a step over a batch of sequences by NumPy, with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import local
from typing import Any, Final, TypeAlias

import numpy as np

from ...ops.numpy import on_arrays
from ..traced import TracedStep
from .columns import Columns
from .forward import is_narrow
from .phases import CONSTANTS, INPUTS, PARAMETERS, TARGETS, Back, Phases, Piece, Product, Wave
from .rules import Slopes
from .slopes import Room, from_result, put, quick, side_by_side

#: Where no sweep goes.
NOWHERE: Final = (CONSTANTS, INPUTS, TARGETS)


Written: TypeAlias = Callable[..., tuple[Any, Any, Any, Any]]


def write(
    traced: TracedStep, every: bool, kept: local, loss: bool, outputs: bool, by_step: bool
) -> Written:
    """A function of the numbers of the parameters, a batch and its states, made from its source.

    It gives, if they are asked for, the sum of the losses and its gradient, or `by_step` the terms
    of that, a row for each column of the batch; and the outputs, and, asked for by a last argument,
    a row for the state after each sequence, in the order of the sequences.  `kept` has the room of
    each thread.
    """
    source = Source(Phases(traced, every, loss, outputs), by_step=by_step)
    exec(compile(source.text(), "<the numpy backend>", "exec"), source.names)
    run = source.names["run"]

    def quietly(
        numbers: Any, columns: Columns, initial: Any, after: bool = False
    ) -> tuple[Any, Any, Any, Any]:
        # An op of the step may run the step itself, which then has a room of its own.
        room = vars(kept).pop("room", None) or Room()
        try:
            with np.errstate(all="ignore"):
                losses, gradient, found, end = run(numbers, columns, initial, room)
                # Copies, since these may lie in the room.
                total = losses.sum() if loss else 0.0
                shown = columns.in_order(found) if outputs else None
                return total, gradient, shown, columns.after(end) if after else None
        finally:
            room.tidy()
            kept.room = room

    return quietly


class Source(Slopes):
    """The source of the gradient too, or `by_step` of its terms.

    d are adjoints at a step, D lists of those of products, A those joined, g those at all steps
    with a loss, G lists of these, h those of states, E those of blocks before all steps; S are
    slopes, s those of a step, in lists S, or as columns, and Q pieces of the gradient.
    """

    def __init__(self, phases: Phases, *, by_step: bool) -> None:
        super().__init__(phases)
        self.by_step = by_step
        self.names |= {one.__name__: one for one in (quick, from_result, put, side_by_side)}
        self.pieces: list[tuple[Any, str]] = []
        self.early: set[int] = set()
        #: The products that a sweep has passed, those whose adjoints are kept, and rows written.
        self.passed: dict[int, Back] = {}
        self.products = {one.block for one in phases.during if isinstance(one, Product)}
        self.kept: set[int] = set()
        #: Those that have to begin with zeros.
        self.sums: set[int] = set()
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
        for block in late:
            steps = (
                f"columns.split(g{block}, {self.room(f'g{block}', phases.places.sizes[block])})"
                if phases.every
                else f"[g{block}]"
            )
            lines.append(f"G{block} = {steps}")
        # The last step.
        body: list[str] = []
        adjoints = self.begun(body, late)
        self.sweep(body, last.during, adjoints, "d", "n", "lo:hi", "d")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros(({size}, n))"
            body.append(f"h{block} = {found}")
        names, lists = self.along_back()
        lines += [f"{names} = {', '.join([f'{one}[-1]' for one in lists])},", *body]
        at_last, self.passed = self.passed, {}
        self.fill()
        # The others.
        body = []
        for block in phases.state_blocks:
            body.append(f"    h{block} = h{block}[:, :n]")
        body = ["if n < begun:", *body, "begun = n"] if body else []
        adjoints = self.begun(body, late) if phases.every else {}
        for pieces, block in zip(phases.next_states, phases.state_blocks, strict=True):
            self.add(body, adjoints, pieces, f"h{block}", "n", "lo:hi", "d")
        self.sweep(body, inner.during, adjoints, "d", "n", "lo:hi", "d")
        for block in phases.state_blocks:
            size = phases.places.sizes[block]
            found = f"d{block}" if block in adjoints else f"np.zeros(({size}, n))"
            body.append(f"h{block} = {found}")
        names, lists = self.along_back()
        lines.append(f"for {names} in zip({', '.join([f'{one}[-2::-1]' for one in lists])}):")
        lines += [f"    {line}" for line in body or ["pass"]]
        self.fill()
        for block in sorted(self.kept):
            flat, size = f"f{block}", phases.places.sizes[block]
            self.head.append(f"{flat} = {self.room(f'D{block}', size)}")
            self.head += [f"{flat}.fill(0.0)"] * (block in self.sums)
            self.head.append(f"D{block} = room.blocks('D{block}', {size}, columns)")
            if block in self.products:
                joined = self.room(f"A{block}", size)
                lines.append(f"A{block} = columns.join(D{block}, {joined}, {flat})")
            else:
                lines.append(f"E{block} += np.concatenate(D{block}, 1)")
        self.weigh(lines, at_last, self.passed)
        rows = {row for one in phases.before for row in one.rows}
        if last.reached & rows == inner.reached & rows:
            self.sweep(lines, last.before, {}, "B", "total", ":total", "d")
        else:
            self.sweep(lines, last.before, {}, "B", "count", "total - count:", "d")
            self.sweep(lines, inner.before, {}, "B", "(total - count)", ":total - count", "d")
        if self.by_step:
            lines.append("gradient = terms[:, :-1]")
            return
        index = np.concatenate([[0], *[np.ravel(index) for index, _ in self.pieces]]).astype(int)
        flat = ", ".join(["zero", *[f"{name}.ravel()" for _, name in self.pieces]])
        lines.append(f"found = np.concatenate(({flat},))")
        lines.append(f"gradient = np.bincount({self.bind(index)}, found, len(N))[:-1]")

    def fill(self) -> None:
        """Note which of the adjoints that are kept a sweep has not written, or has added to."""
        for block in {*self.products, *self.kept}:
            written = self.written.pop(f"d{block}", set())
            if len(written) < self.phases.places.sizes[block]:
                self.sums.add(block)

    def along_back(self) -> tuple[str, list[str]]:
        """The names of what runs along with a step of the backward sweep, and lists of these."""
        back, self.back = {"n": "widths", **self.back}, {}
        return ", ".join(back) + ",", [*back.values()]

    def begun(self, lines: list[str], late: dict[int, bool]) -> dict[int, bool]:
        """The adjoints that a step has from what was computed after time."""
        adjoints: dict[int, bool] = {}
        for block in late:
            piece = Piece(block, None, self.phases.places.sizes[block])
            self.back[f"g{block}"] = f"G{block}"
            self.add(lines, adjoints, [piece], f"g{block}", "n", "lo:hi", "d")
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
        now = f"[:, {columns}]" if kind == "B" else ""
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
                    lines.append(f"t = {self.rows(f'M{one.block}', back.rows)}.T @ {name}")
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
                factor = slope if narrow else self.rows(slope, back.rows)
                if slope.startswith("S"):
                    factor += now
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
                    self.head.append(f"E{block} = np.zeros(({size}, total))")
                if self.begin(block, name, width):
                    self.sums.add(block)
                    self.put(lines, name, piece.rows, own)
                else:
                    self.put(lines, f"E{block}[:, {columns}]", piece.rows, own)
            elif piece.rows is None:
                self.written[name] = {*range(self.phases.places.sizes[block])}
                if block not in adjoints and self.begin(block, name, width):
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
                    if not self.begin(block, name, width):
                        lines.append(f"{name} = np.zeros(({size}, {width}))")
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
                    self.sums.add(block)
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

    def begin(self, block: int, name: str, width: str) -> bool:
        """Whether the adjoint of a block is kept for all steps, as those of products are."""
        if width != "n" or block not in {*self.products, *self.phases.early_blocks}:
            return False
        if block not in self.kept:
            self.kept.add(block)
        self.back[name] = f"D{block}"
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
        if columns == "lo:hi":
            self.back["(lo, hi)"] = "columns.spans"
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
                    lines.append(f"D = A{block}[:, {columns}]")
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
                    lines.append(f"t = N.take({self.bind(part.weights.T)}) @ {rows}")
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
