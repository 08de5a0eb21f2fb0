"""The base of tracers, which replace numbers while a rule of the table is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
