"""The ops of the table on NumPy's arrays: `from autograd_rnn.ops.numpy import tanh`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np

from .op import TABLE, Op
from .tracer import Tracer


@lru_cache(maxsize=1000)
def on_arrays(op: Op) -> Callable[..., Any]:
    """The op as a function of arrays; element by element where its entry has no `arrays`.

    >>> on_arrays(TABLE["relu"])(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if op.arrays is not None:
        return partial(op.arrays, np)
    one_by_one = np.frompyfunc(op.value, op.arity, 1)
    return lambda *operands: np.asarray(one_by_one(*operands), dtype=float)


#: NumPy's functions for the operators of Python.
OPERATORS: Final[dict[Any, Any]] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.neg: np.negative,
}


class Asked:
    """A stand-in for NumPy, whose functions say what is asked of them."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *operands: (name, operands)


@lru_cache(maxsize=1000)
def as_ufunc(op: Op) -> Any:
    """The one function of NumPy that is the op, which takes an array for its result; or None.

    >>> as_ufunc(TABLE["tanh"]), as_ufunc(TABLE["sub"]), as_ufunc(TABLE["relu"])
    (<ufunc 'tanh'>, <ufunc 'subtract'>, None)
    """
    if op.operator is not None or op.arrays is None:
        return OPERATORS.get(op.operator)
    operands = tuple([object() for _ in range(op.arity)])
    try:
        found = op.arrays(Asked(), *operands)
    except Exception:  # the entry computes with its operands
        return None
    name = found[0] if isinstance(found, tuple) and found[1:] == (operands,) else ""
    ufunc = getattr(np, name, None)
    return ufunc if isinstance(ufunc, np.ufunc) else None


class Elements(Tracer):
    """An array in place of a number in the rules of the table."""

    __slots__ = ("numbers",)

    #: What makes an op a function of arrays of this kind.
    function = staticmethod(on_arrays)

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    @classmethod
    def _apply_op(cls, op: Op, operands: tuple[Any, ...]) -> Elements:
        given = [one.numbers if isinstance(one, Elements) else one for one in operands]
        return cls(cls.function(op)(*given))


def __getattr__(name: str) -> Callable[..., Any]:
    if name in TABLE:
        return on_arrays(TABLE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
