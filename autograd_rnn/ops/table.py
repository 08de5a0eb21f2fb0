# cython: annotation_typing=False
"""The table of primitives, one entry each.

To add an op, add an entry to this file, or call `primitive` from your own code; every reader then
has it.  The partials are written in the primitives themselves and take the operands and the result,
`(x, z)` or `(x, y, z)`, so the same rule serves floats and Values, and with it backward, forward
and second derivatives.  An example:

    sqrt: Op = Op(
        "sqrt",
        value=ieee.sqrt,                        # on floats; never raises: IEEE inf and NaN
        partials=(lambda x, z: div(0.5, z),),   # one per operand
        symbol="√",                             # in the badge of a drawn node
        text="√({})",                           # how an expression is written: in a picture,
        latex=r"\\sqrt{{{}}}",                  # in LaTeX,
        python="sqrt({})",                      # and in Python, the functions being this file's
        arrays=lambda np, x: np.sqrt(x),        # on whole arrays, by numpy or jax.numpy
        binds=CALL,                             # how tightly it binds: when to parenthesise
    )

How an op is drawn and written is made from its name unless the entry says so.

Arithmetic is IEEE throughout, as in PyTorch and JAX.  A rule that would need `if` is written with
the comparisons `greater` and `equal`, which are 1 or 0 (NaN for NaN).  Their partials are
`nothing`, zero whatever the operands, so their results are constants: no sweep goes through them.
So is that of `stop_gradient`, on purpose.

Values are within 4 units in the last place (ulp) of the true ones over all floats.  So are partials
wherever the result and every intermediate of the rule are normal numbers; elsewhere they are within
4e-16, or what the entry says.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from . import ieee
from .op import POWER, PRODUCT, QUOTIENT, SIGN, SUM, TABLE, Op, nothing

add: Op = Op(
    "add",
    value=lambda x, y: x + y,
    partials=(lambda x, y, z: 1.0, lambda x, y, z: 1.0),
    symbol="+",
    text="{} + {}",
    latex="{} + {}",
    python="{} + {}",
    arrays=lambda np, x, y: x + y,
    binds=SUM,
    operator=operator.add,
    llvm="%z = fadd {flags}{v} %x, %y",
)
sub: Op = Op(
    "sub",
    value=lambda x, y: x - y,
    partials=(lambda x, y, z: 1.0, lambda x, y, z: -1.0),
    symbol="−",
    text="{} − {}",
    latex="{} - {}",
    python="{} - {}",
    arrays=lambda np, x, y: x - y,
    binds=SUM,
    operator=operator.sub,
    llvm="%z = fsub {flags}{v} %x, %y",
)
mul: Op = Op(
    "mul",
    value=lambda x, y: x * y,
    partials=(lambda x, y, z: y, lambda x, y, z: x),
    symbol="×",
    text="{}·{}",
    latex=r"{} \cdot {}",
    python="{} * {}",
    arrays=lambda np, x, y: x * y,
    binds=PRODUCT,
    operator=operator.mul,
    llvm="%z = fmul {flags}{v} %x, %y",
)
div: Op = Op(
    "div",
    value=ieee.divide,
    partials=(lambda x, y, z: div(1.0, y), lambda x, y, z: div(-z, y)),
    symbol="÷",
    text="{} / {}",
    latex=r"\frac{{{}}}{{{}}}",
    arrays=lambda np, x, y: np.divide(x, y),
    binds=QUOTIENT,
    operator=operator.truediv,
    llvm="%z = fdiv {v} %x, %y",
)
# ∂/∂x is y·x**(y-1), and 0 for y = 0, whatever x, since x**0 is 1 everywhere; ∂/∂y is 0 at
# x = 0 ≤ y and -inf at x = 0 > y.  Where x**y overflows, so does ∂/∂y; and ∂/∂x where y·x**y does,
# for y > 2**53.
pow: Op = Op(
    "pow",
    value=ieee.power,
    partials=(
        lambda x, y, z: _by_base(x, y, z),
        lambda x, y, z: pow(_off_zero(x, y), y) * log(_off_zero(x, y)),
    ),
    symbol="xʸ",
    text="{}{:^}",
    latex="{}^{{{}}}",
    arrays=lambda np, x, y: np.power(x, y),
    binds=POWER,
    operator=operator.pow,
    llvm="%z = call {v} @lanes_pow({v} %x, {v} %y)",
)
neg: Op = Op(
    "neg",
    value=lambda x: -x,
    partials=(lambda x, z: -1.0,),
    symbol="−",
    text="−{}",
    latex="-{}",
    python="-{}",
    arrays=lambda np, x: -x,
    binds=SIGN,
    operator=operator.neg,
    llvm="%z = fneg {v} %x",
)
exp: Op = Op(
    "exp",
    value=ieee.exp,
    partials=(lambda x, z: z,),
    latex=r"\exp\left({}\right)",
    arrays=lambda np, x: np.exp(x),
    llvm="%z = call {v} @lanes_exp({v} %x)",
)
log: Op = Op(
    "log",
    value=ieee.log,
    partials=(lambda x, z: div(1.0, x),),
    latex=r"\log\left({}\right)",
    arrays=lambda np, x: np.log(x),
    llvm="%z = call {v} @lanes_log({v} %x)",
)
# inf at 0 and at -0, whose root is -0.
sqrt: Op = Op(
    "sqrt",
    value=ieee.sqrt,
    partials=(lambda x, z: div(0.5, z + 0.0),),
    symbol="√",
    latex=r"\sqrt{{{}}}",
    arrays=lambda np, x: np.sqrt(x),
    llvm="%z = call {v} @llvm.sqrt.v{n}f64({v} %x)",
)
# 4·σ(2x)·σ(-2x), not 1 - z²: the difference cancels where z is close to ±1.
tanh: Op = Op(
    "tanh",
    value=math.tanh,
    partials=(lambda x, z: 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),),
    latex=r"\tanh\left({}\right)",
    arrays=lambda np, x: np.tanh(x),
    arrays_slope=lambda z: (1.0 - z * z,) * 2,
    llvm="%z = call {v} @lanes_tanh({v} %x)",
    llvm_slope="""%both = call {p} @lanes_tanh_and_slope({v} %x)
    %z = extractvalue {p} %both, 0
    %slope = extractvalue {p} %both, 1""",
)
# z·σ(-x), not z·(1 - z): likewise.
sigmoid: Op = Op(
    "sigmoid",
    value=ieee.sigmoid,
    partials=(lambda x, z: z * sigmoid(-x),),
    symbol="σ",
    latex=r"\sigma\left({}\right)",
    arrays=lambda np, x: _sigmoid(np, x),
    arrays_slope=lambda z: (z * (1.0 - z), 1.0 - z),
    llvm="%z = call {v} @lanes_sigmoid({v} %x)",
    llvm_slope="""%both = call {p} @lanes_sigmoid_and_slope({v} %x)
    %z = extractvalue {p} %both, 0
    %slope = extractvalue {p} %both, 1""",
)
softplus: Op = Op(
    "softplus",
    value=ieee.softplus,
    partials=(lambda x, z: sigmoid(x),),
    arrays=lambda np, x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
    llvm="%z = call {v} @lanes_softplus({v} %x)",
)
# The derivative at 0 is 0.
relu: Op = Op(
    "relu",
    value=lambda x: 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: greater(x, 0.0),),
    arrays=lambda np, x: np.where(x <= 0.0, 0.0, x),
    llvm="""%low = fcmp ole {v} %x, {zero}
    %z = select {m} %low, {v} {zero}, {v} %x""",
)
step: Op = Op(
    "step",
    value=lambda x: 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: 0.0 * z,),
    arrays=lambda np, x: np.where(x > 0.0, 1.0, np.where(x <= 0.0, 0.0, x)),
    llvm="""%high = fcmp ogt {v} %x, {zero}
    %low = fcmp ole {v} %x, {zero}
    %a = select {m} %low, {v} {zero}, {v} %x
    %z = select {m} %high, {v} {one}, {v} %a""",
)
sin: Op = Op(
    "sin",
    value=ieee.sin,
    partials=(lambda x, z: cos(x),),
    latex=r"\sin\left({}\right)",
    arrays=lambda np, x: np.sin(x),
    llvm="%z = call {v} @lanes_sin({v} %x)",
)
cos: Op = Op(
    "cos",
    value=ieee.cos,
    partials=(lambda x, z: -sin(x),),
    latex=r"\cos\left({}\right)",
    arrays=lambda np, x: np.cos(x),
    llvm="%z = call {v} @lanes_cos({v} %x)",
)
# The derivative at 0 is 0.
abs: Op = Op(
    "abs",
    value=math.fabs,
    partials=(lambda x, z: greater(x, 0.0) - greater(0.0, x),),
    symbol="| |",
    text="|{}|",
    latex=r"\left|{}\right|",
    arrays=lambda np, x: np.abs(x),
    llvm="%z = call {v} @llvm.fabs.v{n}f64({v} %x)",
)
# Where the operands are equal, each has half of the derivative.
maximum: Op = Op(
    "maximum",
    value=ieee.maximum,
    partials=(
        lambda x, y, z: 0.5 * (1.0 + greater(x, y) - greater(y, x)),
        lambda x, y, z: 0.5 * (1.0 + greater(y, x) - greater(x, y)),
    ),
    symbol="max",
    latex=r"\max\left({}, {}\right)",
    arrays=lambda np, x, y: _maximum(np, x, y),
    llvm="""%c = fcmp ogt {v} %x, %y
    %d = fcmp ogt {v} %y, %x
    %p = select {m} %c, {v} %x, {v} %y
    %q = select {m} %d, {v} %y, {v} %x
    %a = bitcast {v} %p to {i}
    %b = bitcast {v} %q to {i}
    %either = or {i} %a, %b
    %size = bitcast {i} %either to {v}
    %both = and {i} %a, %b
    %sign = bitcast {i} %both to {v}
    %z = call {v} @llvm.copysign.v{n}f64({v} %size, {v} %sign)""",
)
minimum: Op = Op(
    "minimum",
    value=lambda x, y: -ieee.maximum(-x, -y),
    partials=(
        lambda x, y, z: 0.5 * (1.0 + greater(y, x) - greater(x, y)),
        lambda x, y, z: 0.5 * (1.0 + greater(x, y) - greater(y, x)),
    ),
    symbol="min",
    latex=r"\min\left({}, {}\right)",
    arrays=lambda np, x, y: -_maximum(np, -x, -y),
    llvm="""%c = fcmp olt {v} %x, %y
    %d = fcmp olt {v} %y, %x
    %p = select {m} %c, {v} %x, {v} %y
    %q = select {m} %d, {v} %y, {v} %x
    %a = bitcast {v} %p to {i}
    %b = bitcast {v} %q to {i}
    %either = or {i} %a, %b
    %z = bitcast {i} %either to {v}""",
)
greater: Op = Op(
    "greater",
    value=lambda x, y: 1.0 if x > y else 0.0 if x <= y else math.nan,
    partials=(nothing, nothing),
    symbol=">",
    text="[{} > {}]",
    latex=r"\left[{} > {}\right]",
    arrays=lambda np, x, y: np.where(x > y, 1.0, np.where(x <= y, 0.0, np.nan)),
    llvm="""%c = fcmp ogt {v} %x, %y
    %u = fcmp uno {v} %x, %y
    %a = select {m} %c, {v} {one}, {v} {zero}
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
equal: Op = Op(
    "equal",
    value=lambda x, y: 1.0 if x == y else 0.0 if x < y or x > y else math.nan,
    partials=(nothing, nothing),
    symbol="=",
    text="[{} = {}]",
    latex=r"\left[{} = {}\right]",
    arrays=lambda np, x, y: np.where(x == y, 1.0, np.where((x < y) | (x > y), 0.0, np.nan)),
    llvm="""%c = fcmp oeq {v} %x, %y
    %u = fcmp uno {v} %x, %y
    %a = select {m} %c, {v} {one}, {v} {zero}
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
# The number itself, with derivatives stopped; `nothing` is its rule, not its slope.
stop_gradient: Op = Op(
    "stop_gradient",
    value=lambda x: x,
    partials=(nothing,),
    symbol="sg",
    latex=r"\operatorname{{sg}}\left({}\right)",
    arrays=lambda np, x: x,
    llvm="%z = bitcast {v} %x to {v}",
)

TABLE.update({entry.name: entry for entry in list(globals().values()) if isinstance(entry, Op)})


def _by_base(x: Any, y: Any, z: Any) -> Any:
    """y·x**(y-1), with x**(y-1) computed as x**y / x where y - 1 would be rounded.

    That gives nothing where x**y is 0, or x is 0 or infinite (then x = x + x).  For an exponent
    that is an ordinary number the rule is the usual one.
    """
    if type(y) is float and 0.5 <= y <= 2.0**53 and y != 1.0:
        return y * x if y == 2.0 else y * pow(x, y - 1.0)
    rounded = greater(0.5, y) - equal(y, 0.0) + greater(y, 2.0**53)
    base = pow(x, rounded)  # 1 for y = 0, even if x is NaN
    divided = rounded * (1.0 - equal(z, 0.0)) * (1.0 - equal(base, base + base))
    return div(y * pow(x, y - (1.0 - divided) + equal(y, 0.0)), pow(x, divided))


def _off_zero(x: Any, y: Any) -> Any:
    """x, but 1 where x = 0 ≤ y, so that the logarithm there is 0."""
    return x + equal(x, 0.0) * (1.0 - greater(0.0, y))


def _sigmoid(np: Any, x: Any) -> Any:
    """σ of arrays: where e**-x overflows, σ is 0, or next to it."""
    return 1.0 / (1.0 + np.exp(-x))


def _maximum(np: Any, x: Any, y: Any) -> Any:
    """The larger of two arrays, 0 of 0 and -0: NumPy's is either."""
    return np.where(x == y, np.where(x == 0.0, x + y, x), np.maximum(x, y))
