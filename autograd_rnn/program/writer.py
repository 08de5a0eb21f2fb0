"""The lines and guards of a program, and a program in the making."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from ..ops.op import Op
from ..ops.tracer import Tracer

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Line(NamedTuple):
    """One op of a program, the numbers of its operands, and the name of its result, or None."""

    op: Op
    operands: tuple[int, ...]
    name: str | None


class Guard(NamedTuple):
    """A comparison of two values, by number, that was made while recording, and its outcome."""

    comparison: str
    operands: tuple[int, int]
    outcome: bool

    def renumbered(self, moved: Sequence[int]) -> Guard:
        """The guard with the new numbers of its values."""
        a, b = self.operands
        return self._replace(operands=(moved[a], moved[b]))

    def fails(self, x: Any, y: Any) -> Any:
        """Whether the comparison of these numbers, or arrays, has another outcome."""
        return COMPARISONS[self.comparison](x, y) != self.outcome


def behind(
    lines: Sequence[Line], first: int, results: Iterable[int], *, flat: bool = True
) -> bytearray:
    """For each number 1 if the results depend on it, else 0; by way of flat ops only if `flat`."""
    found = bytearray(first + len(lines))
    for number in results:
        found[number] = 1
    for place in range(len(lines) - 1, -1, -1):
        op, operands, _ = lines[place]
        if found[first + place] and (flat or not op.flat):
            for operand in operands:
                found[operand] = 1
    return found


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

    def number(self, value: Any) -> int:
        """The number of a reference, or of a float as a constant."""
        return value.number if isinstance(value, Ref) else self.constant(float(value))

    def rename(self, ref: Ref, name: str) -> None:
        line = self.values[ref.number]
        if isinstance(line, Line) and line.name is None:
            self.values[ref.number] = line._replace(name=name)

    def parts(self, outputs: Sequence[int], guards: Sequence[Guard]) -> tuple[Any, ...]:
        """The arguments of a `Program`, with constants numbered before lines."""
        lines = {n: value for n, value in enumerate(self.values) if isinstance(value, Line)}
        used = {*outputs, *[n for guard in guards for n in guard.operands]}
        used.update(*[line.operands for line in lines.values()])
        constants = {n: value for n, value in self.known.items() if n in used}
        moved = [-1] * len(self.values)
        for place, number in enumerate([*range(len(self.inputs)), *constants, *lines]):
            moved[number] = place
        written = [
            Line(op, tuple([moved[operand] for operand in operands]), name)
            for op, operands, name in lines.values()
        ]
        numbers = [moved[number] for number in outputs]
        guards = [guard.renumbered(moved) for guard in guards]
        return self.inputs, [*constants.values()], written, numbers, guards


class Ref(Tracer):
    """A value of a program in the making, which the rules of the table can be applied to."""

    __slots__ = ("number", "writer")

    def __init__(self, writer: Writer, number: int) -> None:
        self.writer, self.number = writer, number

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Ref:
        writer = next(operand.writer for operand in operands if isinstance(operand, Ref))
        numbers = tuple([writer.number(operand) for operand in operands])
        return Ref(writer, writer.line(op, numbers, None))
