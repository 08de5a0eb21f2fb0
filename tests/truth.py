"""The true derivatives of each op, of any order, by differences of mpmath's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from autograd_rnn.ops.op import Op


def piece(x: Any, low: Any, high: Any) -> Any:
    return low if x < 0 else high


#: Each op as a function of mpmath's numbers.  Where it has no derivative it raises, or is not here.
TRUE: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "weighted": lambda x, y: x * y,
    "neg": lambda x: -x,
    "sqrt": mp.sqrt,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "relu": lambda x: piece(x, 0 * x, x),
    "step": lambda x: piece(x, 0 * x, 0 * x + 1),
    "abs": lambda x: piece(x, -x, x),
    "maximum": lambda x, y: piece(x - y, y, x),
    "minimum": lambda x, y: piece(x - y, x, y),
    "when": lambda x, c: x if c else 0 * x,
    "unless": lambda x, c: 0 * x if c else x,
    "exp": mp.exp,
    "log": mp.log,
    "sin": mp.sin,
    "cos": mp.cos,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": lambda x: mp.log(1 + x),
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": lambda x: mp.exp(x) - 1,
    "cbrt": lambda x: piece(x, -mp.cbrt(-x), mp.cbrt(x)),
    "tan": mp.tan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "arctan2": mp.atan2,
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
}
#: By which operands an op has derivatives at a point, if not by all; () for by none.
DIFFERENTIABLE: dict[str, Callable[..., tuple[int, ...]]] = {
    "div": lambda x, y: (0, 1) if y else (),
    "pow": lambda x, y: (0, 1) if x > 0 else (0,) if y.is_integer() and (x or y >= 0) else (),
    **dict.fromkeys(("sqrt", "log", "log2", "log10"), lambda x: (0,) if x > 0 else ()),
    **dict.fromkeys(("relu", "step", "abs", "cbrt"), lambda x: (0,) if x else ()),
    **dict.fromkeys(("maximum", "minimum"), lambda x, y: (0, 1) if x != y else ()),
    **dict.fromkeys(("when", "unless"), lambda x, c: (0, 1) if c else (0,)),
    "log1p": lambda x: (0,) if x > -1 else (),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), lambda x: (0,) if abs(x) < 1 else ()),
    "arccosh": lambda x: (0,) if x > 1 else (),
    "arctan2": lambda y, x: (0, 1) if x > 0 or y else (),  # its jump is at y = 0 > x
    "hypot": lambda x, y: (0, 1) if x or y else (),
    "mod": lambda x, y: (0, 1) if y and x % y else (),
}


def differentiable(op: Op, point: tuple[float, ...]) -> tuple[int, ...]:
    return DIFFERENTIABLE.get(op.name, lambda *_: tuple(range(op.arity)))(*point)


def true_derivative(
    op: Op, point: tuple[float, ...], orders: tuple[int, ...], digits: int = 60
) -> Any:
    """∂ to these orders by each operand, as a number of mpmath with so many digits."""
    with mp.workdps(digits):
        free = [place for place, order in enumerate(orders) if order]
        numbers = [mpf(x) for x in point]

        def f(*moved: Any) -> Any:
            for place, x in zip(free, moved, strict=True):
                numbers[place] = x
            return TRUE[op.name](*numbers)

        at = [mpf(point[place]) for place in free]
        steps = tuple([orders[place] for place in free])
        found = mp.diff(f, *((tuple(at), steps) if len(at) > 1 else (at[0], steps[0])))
        return +mp.re(found)
