"""The lines of a program, and what writes them."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ..ops.op import Op
from ..ops.tracer import Tracer

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
}


class Line(NamedTuple):
    """One op of a program, the numbers of its operands, and the name of its result, or None."""

    op: Op
    operands: tuple[int, ...]
    name: str | None


class Guard(NamedTuple):
    """A comparison that was made while recording: of two values, by number, and how it came out."""

    comparison: str
    operands: tuple[int, int]
    outcome: bool

    def renumbered(self, moved: Sequence[int]) -> Guard:
        """The guard of the values' new numbers."""
        a, b = self.operands
        return self._replace(operands=(moved[a], moved[b]))


def behind(
    lines: Sequence[Line], first: int, results: Iterable[int], *, flat: bool = True
) -> bytearray:
    """For each number 1 if results are made of it, also by way of flat ops or not, else 0."""
    found = bytearray(first + len(lines))
    for number in results:
        found[number] = 1
    for place in range(len(lines) - 1, -1, -1):
        op, operands, _ = lines[place]
        if found[first + place] and (flat or not op.flat):
            for operand in operands:
                found[operand] = 1
    return found


#: The inputs, constants, lines, outputs and guards of a program.
Parts: TypeAlias = tuple[Sequence[str], list[float], list[Line], list[int], list[Guard]]


class Writer:
    """A program in the making; with `share`, equal constants and lines are written once.

    Constants may come at any time; `parts` numbers them before the lines.
    """

    def __init__(self, inputs: Sequence[str], share: bool) -> None:
        self.inputs, self.share = tuple(inputs), share
        self.values: list[float | Line | None] = [None] * len(self.inputs)
        self.known: dict[int, float] = {}
        self.met: dict[Any, int] = {}

    def constant(self, value: float) -> int:
        """The number of a constant, one for all of the same bits if shared."""
        return self._once(struct.pack("<d", value), value)

    def line(self, op: Op, operands: tuple[int, ...], name: str | None) -> int:
        """The number of a line."""
        return self._once((op.name, operands), Line(op, operands, name))

    def _once(self, key: Any, value: float | Line) -> int:
        if self.share and key in self.met:
            return self.met[key]
        number = self.met[key] = len(self.values)
        self.values.append(value)
        if isinstance(value, float):
            self.known[number] = value
        return number

    def number(self, thing: Any) -> int:
        """The number of a reference, or of a plain number as a constant."""
        return thing.number if isinstance(thing, Ref) else self.constant(float(thing))

    def rename(self, ref: Ref, name: str) -> None:
        line = self.values[ref.number]
        if isinstance(line, Line) and line.name is None:
            self.values[ref.number] = line._replace(name=name)

    def parts(self, outputs: Sequence[int], guards: Sequence[Guard]) -> Parts:
        """What was written, constants before lines, as a `Program` takes it."""
        constants = [n for n, value in enumerate(self.values) if isinstance(value, float)]
        lines = [(n, value) for n, value in enumerate(self.values) if isinstance(value, Line)]
        used = {*outputs, *[n for guard in guards for n in guard.operands]}
        used.update(*[line.operands for _, line in lines])
        constants = [number for number in constants if number in used]
        order = [*range(len(self.inputs)), *constants, *[number for number, _ in lines]]
        moved = [-1] * len(self.values)
        for place, number in enumerate(order):
            moved[number] = place
        written = [
            Line(op, tuple([moved[operand] for operand in operands]), name)
            for _, (op, operands, name) in lines
        ]
        return (
            self.inputs,
            [self.known[number] for number in constants],
            written,
            [moved[number] for number in outputs],
            [guard.renumbered(moved) for guard in guards],
        )


class Ref(Tracer):
    """A value of a program in the making, to which the rules of the table can be applied."""

    __slots__ = ("number", "writer")

    def __init__(self, writer: Writer, number: int) -> None:
        self.writer, self.number = writer, number

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Ref:
        writer = next(operand.writer for operand in operands if isinstance(operand, Ref))
        numbers = tuple([writer.number(operand) for operand in operands])
        return Ref(writer, writer.line(op, numbers, None))
