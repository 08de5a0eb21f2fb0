"""The primitives, one entry each.

To add an op, add an entry to the table at the end of this file; every reader then has it.  An entry
says what the op is called and how it is drawn and written, its value on floats, and its local
partial derivative by each operand.  The partials are written in the primitives themselves and take
the operands and the result, `(x, z)` or `(x, y, z)`, so the same rule serves floats and anything
else that can be computed with.  An example, in full:

    tanh = _define(
        "tanh",
        value=math.tanh,                         # on floats; never raises: IEEE inf and NaN
        partials=(lambda x, z: 1.0 - z * z,),    # one per operand
        symbol="tanh",                           # in the badge of a drawn node
        text="tanh({})",                         # how an expression is written
        binds=CALL,                              # how tightly it binds: when to parenthesise
    )

Arithmetic is IEEE throughout, as in PyTorch and JAX.  A rule that would need `if` is written with
the comparisons `greater` and `equal`, which are 1 or 0 (NaN for NaN) and have partials of zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, Final

from .errors import ArgumentTypeError, ArgumentValueError

__all__ = [
    "TABLE",
    "Op",
    "as_float",
    "as_integer",
    "exp",
    "log",
    "relu",
    "sigmoid",
    "step",
    "tanh",
]

# How tightly an expression binds, from a sum to a name.
SUM: Final = 1
QUOTIENT: Final = 2
PRODUCT: Final = 3
SIGN: Final = 4
POWER: Final = 5
CALL: Final = 6
ATOM: Final = 7

# --- numbers -------------------------------------------------------------------------------------


def as_float(number: object, argument: str) -> float:
    """The float of a real number (int, float, Fraction, NumPy scalar).

    Raises `TypeError` for anything else, bool included, and `ValueError` for an integer beyond the
    floats; both name `argument`.

    >>> as_float(3, "data")
    3.0
    """
    if type(number) is float:
        return number
    if isinstance(number, Real) and not isinstance(number, bool):
        try:
            return float(number)
        except OverflowError:
            size = f"about 2**{number.bit_length()}" if isinstance(number, int) else "its size"
            raise ArgumentValueError(
                f"{argument} is beyond the floats: {size} is over 1.8e308. Scale it down, or pass "
                f"float('inf')."
            ) from None
    raise ArgumentTypeError(
        f"{argument} must be a real number, not {type(number).__name__}{_way_out(number)}"
    )


def _way_out(number: object) -> str:
    """The last half of the message of `as_float`: what to write instead."""
    if isinstance(number, bool):
        return f": write {int(number)} for {number}."
    if hasattr(number, "_apply_op"):
        return ": for the number in a Value, pass its .data."
    if isinstance(number, str):
        return f" ({number[:40]!r}): convert it with float() first."
    if hasattr(number, "__len__"):
        return ": pass its elements one by one."
    return ": convert it to an int or a float first."


def as_integer(number: object, argument: str, least: int | None = None) -> int:
    """The int, as it is.

    Raises `TypeError` for anything else, bool included, and `ValueError` for one below `least`;
    both name `argument`.

    >>> as_integer(3, "size", least=1)
    3
    """
    if not isinstance(number, int) or isinstance(number, bool):
        raise ArgumentTypeError(
            f"{argument} must be an int, not {type(number).__name__} ({number!r})."
        )
    if least is not None and number < least:
        raise ArgumentValueError(f"{argument} must be {least} or more, not {number}.")
    return number


def ieee_divide(x: float, y: float) -> float:
    """x / y for y = ±0, where Python raises: ±inf, or NaN for 0/0 and NaN/0."""
    if x == 0.0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def ieee_power(x: float, y: float) -> float:
    """x ** y where `math.pow` raises: an overflow, zero to a negative power, a negative root."""
    if x < 0.0 and not y.is_integer():
        return math.nan
    odd = math.fabs(math.fmod(y, 2.0)) == 1.0
    return math.copysign(math.inf, x) if odd else math.inf


def _divide(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return ieee_divide(x, y)


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        return ieee_power(x, y)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    if x > 0.0 or math.isnan(x):
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


def _sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


# --- one op --------------------------------------------------------------------------------------


class Op:
    """A primitive: its entry in the table, callable on numbers and on anything with `_apply_op`.

    `name`, `value`, `partials`, `symbol`, `text` and `binds` are the columns of the table;
    `arity` is the number of operands.

    >>> tanh(0.0)
    0.0
    >>> tanh.arity, tanh.symbol
    (1, 'tanh')
    """

    __slots__ = ("arity", "binds", "name", "partials", "symbol", "text", "value")

    def __init__(
        self,
        name: str,
        value: Callable[..., float],
        partials: tuple[Callable[..., Any], ...],
        symbol: str,
        text: str,
        binds: int,
    ) -> None:
        self.name = name
        self.value = value
        self.partials = partials
        self.symbol = symbol
        self.text = text
        self.binds = binds
        self.arity = len(partials)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        # An op is its entry in the table, so that is what copies and pickles hold.
        return _entry, (self.name,)

    def __call__(self, *operands: Any) -> Any:
        """The result for numbers (a float), or for Values (a Value that remembers its operands)."""
        if len(operands) != self.arity:
            raise ArgumentTypeError(
                f"{self.name} takes {self.arity} operand{'s'[: self.arity > 1]}, "
                f"but got {len(operands)}."
            )
        for operand in operands:
            apply_op = getattr(operand, "_apply_op", None)
            if apply_op is not None:
                return apply_op(self, operands)
        return self.value(*[as_float(operand, f"{self.name}'s operand") for operand in operands])


TABLE: Final[dict[str, Op]] = {}


def _entry(name: str) -> Op:
    return TABLE[name]


def _define(
    name: str,
    *,
    value: Callable[..., float],
    partials: tuple[Callable[..., Any], ...],
    symbol: str,
    text: str,
    binds: int,
) -> Op:
    op = TABLE[name] = Op(name, value, partials, symbol, text, binds)
    return op


# --- the table -----------------------------------------------------------------------------------

add: Op = _define(
    "add",
    value=lambda x, y: x + y,
    partials=(lambda x, y, z: 1.0, lambda x, y, z: 1.0),
    symbol="+",
    text="{} + {}",
    binds=SUM,
)
sub: Op = _define(
    "sub",
    value=lambda x, y: x - y,
    partials=(lambda x, y, z: 1.0, lambda x, y, z: -1.0),
    symbol="−",
    text="{} − {}",
    binds=SUM,
)
mul: Op = _define(
    "mul",
    value=lambda x, y: x * y,
    partials=(lambda x, y, z: y, lambda x, y, z: x),
    symbol="×",
    text="{}·{}",
    binds=PRODUCT,
)
div: Op = _define(
    "div",
    value=_divide,
    partials=(lambda x, y, z: div(1.0, y), lambda x, y, z: div(-z, y)),
    symbol="÷",
    text="{} / {}",
    binds=QUOTIENT,
)
# The comparisons choose the edges: ∂/∂x is 0 for y = 0, whatever x, since x**0 is 1 everywhere;
# ∂/∂y is 0 at x = 0 ≤ y and -inf at x = 0 > y.  Elsewhere both rules are the textbook's.
pow: Op = _define(
    "pow",
    value=_power,
    partials=(
        lambda x, y, z: y * pow(x, y - 1.0 + equal(y, 0.0)),
        lambda x, y, z: pow(_off_zero(x, y), y) * log(_off_zero(x, y)),
    ),
    symbol="xʸ",
    text="{}{:^}",
    binds=POWER,
)
neg: Op = _define(
    "neg",
    value=lambda x: -x,
    partials=(lambda x, z: -1.0,),
    symbol="−",
    text="−{}",
    binds=SIGN,
)
exp: Op = _define(
    "exp",
    value=_exp,
    partials=(lambda x, z: z,),
    symbol="exp",
    text="exp({})",
    binds=CALL,
)
log: Op = _define(
    "log",
    value=_log,
    partials=(lambda x, z: div(1.0, x),),
    symbol="log",
    text="log({})",
    binds=CALL,
)
tanh: Op = _define(
    "tanh",
    value=math.tanh,
    partials=(lambda x, z: 1.0 - z * z,),
    symbol="tanh",
    text="tanh({})",
    binds=CALL,
)
# z·σ(-x), not z·(1 - z): the difference cancels where z is close to 1.
sigmoid: Op = _define(
    "sigmoid",
    value=_sigmoid,
    partials=(lambda x, z: z * sigmoid(-x),),
    symbol="σ",
    text="σ({})",
    binds=CALL,
)
relu: Op = _define(
    "relu",
    value=lambda x: 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: greater(x, 0.0),),
    symbol="relu",
    text="relu({})",
    binds=CALL,
)
step: Op = _define(
    "step",
    value=lambda x: 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: 0.0 * z,),
    symbol="step",
    text="step({})",
    binds=CALL,
)
greater: Op = _define(
    "greater",
    value=lambda x, y: 1.0 if x > y else 0.0 if x <= y else math.nan,
    partials=(lambda x, y, z: 0.0, lambda x, y, z: 0.0),
    symbol=">",
    text="[{} > {}]",
    binds=CALL,
)
equal: Op = _define(
    "equal",
    value=lambda x, y: 1.0 if x == y else 0.0 if x < y or x > y else math.nan,
    partials=(lambda x, y, z: 0.0, lambda x, y, z: 0.0),
    symbol="=",
    text="[{} = {}]",
    binds=CALL,
)


def _off_zero(x: Any, y: Any) -> Any:
    """x, but 1 where x = 0 ≤ y, so that the logarithm there is 0."""
    return x + equal(x, 0.0) * (1.0 - greater(0.0, y))
