"""The slopes of a step in the source for NumPy, by the rules of the table."""

from __future__ import annotations

from typing import Any, Final

from ...ops.numpy import on_arrays
from ...ops.op import Op
from ...ops.tracer import Tracer
from .forward import Forward, is_narrow
from .phases import Piece, Wave

#: The columns of blocks of a kind: see `Forward.block`.
WIDTHS: Final = {"B": "total", "L": "total - first", "d": "n"}


class Slopes(Forward):
    """The source with its slopes: see `Source`."""

    def slope(self, wave: Wave, position: int, kind: str) -> str | None:
        """The name of a slope, S at all steps or s; a number in brackets; None if it is 1."""
        key = (wave.block, position)
        known = self.slopes.get(key)
        if known is None:
            known = self.slopes[key] = self.new_slope(wave, position, kind)
        if kind == "d" and known == f"s{wave.block}_{position}":
            self.back[known] = known.upper()
        elif kind == "d":
            self.expression(wave, position, kind)  # so that what it reads runs along
        return known or None

    def new_slope(self, wave: Wave, position: int, kind: str) -> str:
        """The same, with the lines that give it; or an expression of what runs along."""
        read = wave.read[position] or frozenset()
        rule, operands = wave.op.partials[position], [*wave.operands, wave.result]
        if not any(isinstance(operands[place], Piece) for place in read):
            number = rule(*[None if isinstance(one, Piece) else one for one in operands])
            return "" if number == 1.0 else f"({float(number)!r})"
        name = f"S{wave.block}_{position}"
        if kind == "d" and self.gives_slope(wave):
            return name.lower()
        if kind != "d":
            found = self.expression(wave, position, kind)
            if found.narrow:
                name = name.lower()
            self.insert(f"{name} = {found.text}")
            return name
        alike = [not is_narrow(one) and not one.spread for one in [operands[p] for p in read]]
        if not all(alike) or self.expression(wave, position, "").plain:
            return self.expression(wave, position, kind).text
        # By calls for all steps at once, which are fewer.
        text = self.expression(wave, position, "T").text
        self.insert(f"{name} = columns.blocks({text}, {wave.size})")
        return name.lower()

    def expression(self, wave: Wave, position: int, kind: str) -> Text:
        """The slope as an expression; of kind T of the numbers of all steps one after the other.

        Without a kind it is only to see what sort of expression it is.
        """
        operands, read = [*wave.operands, wave.result], wave.read[position] or frozenset()

        def value(operand: Piece) -> str:
            if kind != "T":
                return self.value(operand, kind) if kind else ""
            self.list_steps(operand.block)
            if operand.rows is None and operand.block not in self.phases.state_blocks:
                return self.room(f"T{operand.block}", operand.size)
            blocks = f"[{self.rows('b', operand.rows)} for b in T{operand.block}]"
            return f"side_by_side({blocks})"

        if wave.op.arrays_both is not None:
            text = f"{self.both(wave.op)}({value(operands[0])})[1]"
            made = Text(self, text, is_narrow(operands[0]))
        elif wave.op.arrays_slope is not None:
            text = f"{self.bind(wave.op)}, {value(wave.result)}, lambda: {value(operands[0])}"
            flat = self.room(f"S{wave.block}_{position}", wave.size)
            text = f"quick({text}, {flat})" if kind == "T" else f"from_result({text})"
            return Text(self, text, False)
        else:
            given: list[Any] = [None if isinstance(one, Piece) else one for one in operands]
            for place in read:
                if isinstance(operands[place], Piece):
                    text = value(operands[place])
                    given[place] = Text(self, text, is_narrow(operands[place]), plain=True)
            made = wave.op.partials[position](*given)
            if isinstance(made, float):  # such as 1, the slope of x**1
                return Text(self, repr(made), True)
        if any(getattr(operands[place], "spread", False) for place in read):
            width = "1" if made.narrow else WIDTHS[kind]
            text = f"np.broadcast_to({made.text}, ({wave.size}, {width}))"
            return Text(self, text, made.narrow)
        return made

    def insert(self, line: str) -> None:
        """Add a line before the sweep, unless it is there."""
        if line not in self.rest:
            self.rest.insert(self.rest.index("seed = columns.shares"), line)


class Text(Tracer):
    """An expression of the source in place of a number in the rules of the table.

    It is `narrow` if it is a column, the same for all sequences and steps, and `plain` if it only
    names a block.
    """

    def __init__(self, source: Slopes, text: str, narrow: bool, *, plain: bool = False) -> None:
        self.source, self.text, self.narrow, self.plain = source, text, narrow, plain

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Text:
        texts = [one for one in operands if isinstance(one, Text)]
        source, narrow = texts[0].source, all(one.narrow for one in texts)
        given = [one.text if isinstance(one, Text) else repr(float(one)) for one in operands]
        return Text(source, f"{source.bind(on_arrays(op))}({', '.join(given)})", narrow)
