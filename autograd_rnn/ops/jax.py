"""The ops of the table on JAX's arrays: `from autograd_rnn.ops.jax import tanh`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from ..errors import ArgumentValueError
from .numpy import Elements
from .op import TABLE, Op


@lru_cache(maxsize=1000)
def on_jax(op: Op) -> Callable[..., Any]:
    """The op on JAX's arrays, by its entry, for `jit`, `vmap`, `grad` and the others.

    JAX takes its derivatives from the partials of the table, so that at kinks and at 0 they are
    those of the engine, in any order.  `ValueError` for an op without `arrays`.

    >>> jax.grad(on_jax(TABLE["relu"]))(0.0)
    Array(0., dtype=float32...)
    """
    rule = op.arrays
    if rule is None:
        raise ArgumentValueError(
            f"the op {op.name!r} cannot run on JAX: say what it is on arrays, as in "
            f"primitive(..., arrays=lambda np, x: np.cosh(x)), or choose backend='python'."
        )
    if op.flat:
        return lambda *operands: rule(jnp, *map(jax.lax.stop_gradient, operands))
    function = jax.custom_jvp(lambda *operands: rule(jnp, *operands))

    def derivative(operands: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        z = function(*operands)
        given = [Traced(number) for number in (*operands, z)]
        if slope is not None:
            return z, tangents[0] * shared_slope(*operands)
        total: Any = jnp.zeros_like(z)
        for place, tangent in enumerate(tangents):
            # A constant operand has no term: its partial may be NaN, as is ∂(x**2)/∂2 for x < 0.
            if not isinstance(tangent, SymbolicZero):
                total = total + op.term(place, Traced(tangent), *given).numbers
        return z, total

    def by_rule(x: Any) -> Any:
        return op.partials[0](Traced(x), Traced(function(x))).numbers

    # The first derivative from an exponential that the result may share, the others by the rule.
    slope = _slope_of(op)
    shared_slope = jax.custom_jvp(lambda x: slope(jnp, x))
    shared_slope.defjvp(
        lambda given, tangents: (shared_slope(*given), jax.jvp(by_rule, given, tangents)[1])
    )
    function.defjvp(derivative, symbolic_zeros=True)
    named: Callable[..., Any] = function
    return named


def _slope_of(op: Op) -> Any:
    """The slope on arrays as a function of the operand, if the table has one beside the rule."""
    both = op.arrays_both
    return op.arrays_rule if both is None else lambda np, x: both(np, x)[1]


class Traced(Elements):
    """An array of JAX in place of a number in the rules of the table."""

    __slots__ = ()

    function = staticmethod(on_jax)


def __getattr__(name: str) -> Callable[..., Any]:
    if name in TABLE:
        return on_jax(TABLE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
