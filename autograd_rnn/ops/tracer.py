"""The base of tracers, which replace numbers while a rule of the table is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import as_float
from . import table as ops
from .op import Op


def _both_ways(op: Op) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods of an operator: the tracer on its left, and on its right."""
    return lambda self, other: op(self, other), lambda self, other: op(other, self)


class Tracer:
    """A replacement for a number: ops and Python's operators call its `_apply_op`."""

    __slots__ = ()

    __add__, __radd__ = _both_ways(ops.add)
    __sub__, __rsub__ = _both_ways(ops.sub)
    __mul__, __rmul__ = _both_ways(ops.mul)
    __truediv__, __rtruediv__ = _both_ways(ops.div)
    __pow__, __rpow__ = _both_ways(ops.pow)

    def __neg__(self) -> Any:
        return ops.neg(self)

    def __abs__(self) -> Any:
        return ops.abs(self)


class Number(Tracer):
    """A float whose operators are those of the table, in IEEE arithmetic; no condition reads it."""

    __slots__ = ("data",)

    def __init__(self, data: float) -> None:
        self.data = data

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Number:
        numbers = [x.data if isinstance(x, Number) else as_float(x, "an operand") for x in operands]
        return Number(op.value(*numbers))

    def __bool__(self) -> bool:
        raise TypeError("a condition reads the operand")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a condition reads the operand")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = None  # type: ignore[assignment]
