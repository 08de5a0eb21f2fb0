# cython: annotation_typing=False
"""The table of primitives, one entry each.

To add an op, add an entry, or call `primitive` from your own code; every reader then has it.  The
partials are written in the primitives and take the operands and the result, `(x, z)` or
`(x, y, z)`, so that one rule serves floats and Values, and derivatives of every kind.  An example:

    sqrt: Op = Op(
        "sqrt",
        value=ieee.sqrt,                        # on floats; never raises: IEEE inf and NaN
        partials=(lambda x, z: div(0.5, z),),   # one per operand
        symbol="√",                             # in the badge of a drawn node
        text="√({})",                           # how an expression is written: in a picture,
        latex=r"\\sqrt{{{}}}",                  # in LaTeX, and by `python` in Python
        arrays=lambda np, x: np.sqrt(x),        # on whole arrays, by numpy or jax.numpy
    )

How an op is written is made from its name unless the entry says so.  Arithmetic is IEEE throughout,
as in PyTorch and JAX.  A rule that would need `if` is written with the comparisons `greater` and
`equal`, which are 1 or 0 (NaN for NaN).  Their partials are `nothing`, zero whatever the operands,
so their results are constants: no sweep goes through them.  So is that of `stop_gradient`, on
purpose.  A rule holds near a point, not only at it, since it is differentiated in its turn: what is
computed otherwise at one point is chosen by `when` and `unless`.

Values are within 4 units in the last place (ulp) of the true ones over all floats.  So are partials
where the result and every intermediate of the rule are normal; elsewhere within 4e-16, or as said.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from . import ieee
from .op import ATOM, POWER, PRODUCT, QUOTIENT, SIGN, SUM, TABLE, Op, Rule, nothing

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
# x = 0 ≤ y and -inf at x = 0 > y.  Where x**y overflows, so does ∂/∂y; so does ∂/∂x for y > 2**53.
pow: Op = Op(
    "pow",
    value=ieee.power,
    partials=(lambda x, y, z: _by_base(x, y, z), lambda x, y, z: _by_exponent(x, y, z)),
    symbol="xʸ",
    text="{}{:^}",
    latex="{}^{{{}}}",
    arrays=lambda np, x, y: np.power(x, y),
    stated={1: lambda x, y, z: z * log(x + equal(x, 0.0))},
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
    arrays_rule=lambda np, x: 4.0 * (e := np.exp(-2.0 * np.abs(x))) / ((1.0 + e) * (1.0 + e)),
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
    arrays=lambda np, x: (e := ieee.finite_exp(np, x)) / (1.0 + e),
    arrays_both=lambda np, x: (z := (e := ieee.finite_exp(np, x)) / (q := 1.0 + e), z / q),
    arrays_slope=lambda z: ((left := 1.0 - z) * z, left),
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
# Where the operands are equal, each has half of the derivative; NumPy's of 0 and -0 is either.
maximum: Op = Op(
    "maximum",
    value=ieee.maximum,
    partials=(
        lambda x, y, z: 0.5 * (1.0 + greater(x, y) - greater(y, x)),
        lambda x, y, z: 0.5 * (1.0 + greater(y, x) - greater(x, y)),
    ),
    symbol="max",
    latex=r"\max\left({}, {}\right)",
    arrays=lambda np, x, y: np.where(x == y, np.where(x == 0.0, x + y, x), np.maximum(x, y)),
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
    arrays=lambda np, x, y: np.where(x == y, np.where(x == 0.0, -(-x - y), x), np.minimum(x, y)),
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
    algebra=operator.pos,
)
# x where the condition is not 0, and otherwise nothing: -0, which changes no sum.
when: Op = Op(
    "when",
    value=lambda x, c: x if c < 0.0 or c > 0.0 else -0.0 if c == 0.0 else math.nan,
    partials=(lambda x, c, z: 1.0 - equal(c, 0.0), lambda x, c, z: 0.0 * equal(c, 0.0)),
    text="({} when {})",
    latex=r"\left({} \text{{ when }} {}\right)",
    arrays=lambda np, x, c: np.where(c == 0.0, -0.0, np.where(c == c, x, np.nan)),
    binds=ATOM,
    chooses=True,
    llvm="""%off = fcmp oeq {v} %y, {zero}
    %u = fcmp uno {v} %y, %y
    %a = select {m} %off, {v} {minus_zero}, {v} %x
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
unless: Op = Op(
    "unless",
    value=lambda x, c: x if c == 0.0 else -0.0 if c < 0.0 or c > 0.0 else math.nan,
    partials=(lambda x, c, z: equal(c, 0.0), lambda x, c, z: 0.0 * equal(c, 0.0)),
    text="({} unless {})",
    latex=r"\left({} \text{{ unless }} {}\right)",
    arrays=lambda np, x, c: np.where(c == 0.0, x, np.where(c == c, -0.0, np.nan)),
    binds=ATOM,
    chooses=True,
    llvm="""%on = fcmp oeq {v} %y, {zero}
    %u = fcmp uno {v} %y, %y
    %a = select {m} %on, {v} %x, {v} {minus_zero}
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
# The product in which 0 times anything is 0, as for the weights of a mean.
weighted: Op = Op(
    "weighted",
    value=lambda x, y: x if x == 0.0 else x * y,
    partials=(lambda x, y, z: y, lambda x, y, z: x),
    text="{}·{}",
    latex=r"{} \cdot {}",
    arrays=lambda np, x, y: np.where(x == 0.0, x, x * y),
    binds=PRODUCT,
    algebra=operator.mul,
    llvm="""%off = fcmp oeq {v} %x, {zero}
    %a = fmul {v} %x, %y
    %z = select {m} %off, {v} %x, {v} %a""",
)


def _elementary(name: str, value: Rule, *partials: Rule, latex: str = "") -> Op:
    """An op that NumPy and JAX have too, and the C library with a for arc."""
    operands = ", ".join(["{v} %x", "{v} %y"][: len(partials)])
    return Op(
        name,
        value,
        partials,
        latex=latex,
        arrays=lambda np, *operands: getattr(np, name)(*operands),
        llvm=f"%z = call {{v}} @lanes_{name.replace('arc', 'a')}({operands})",
    )


def _share(x: Any, y: Any, z: Any) -> Any:
    """x / z for z = hypot(x, y): ±1 for an infinite x beside a finite y."""
    far = equal(abs(x), math.inf)
    return div(choose(far, _within(x, 1.0), x), choose(far, 1.0 + 0.0 * y, z))


def _by_cube(x: Any, z: Any) -> Any:
    """1/3/z/z, whose slopes are quotients by z too; added is what z/x/3 has for a better root z."""
    quotient = div(div(1.0 / 3.0, z), z)
    root = z - div(z - div(div(x, z), z), 3.0)  # by one Newton step
    return quotient + stop_gradient(unless(div(div(root, x), 3.0) - quotient, equal(x, x + x)))


_OF = r"\left({}\right)"
exp: Op = _elementary("exp", ieee.exp, lambda x, z: z, latex=r"\exp" + _OF)
log: Op = _elementary("log", ieee.log, lambda x, z: div(1.0, x), latex=r"\log" + _OF)
sin: Op = _elementary("sin", ieee.sin, lambda x, z: cos(x), latex=r"\sin" + _OF)
cos: Op = _elementary("cos", ieee.cos, lambda x, z: -sin(x), latex=r"\cos" + _OF)
log2: Op = _elementary(
    "log2", ieee.log2, lambda x, z: div(1.0 / math.log(2.0), x), latex=r"\log_2" + _OF
)
log10: Op = _elementary(
    "log10", ieee.log10, lambda x, z: div(1.0 / math.log(10.0), x), latex=r"\log_{{10}}" + _OF
)
log1p: Op = _elementary("log1p", ieee.log1p, lambda x, z: div(1.0, 1.0 + x))
exp2: Op = _elementary("exp2", ieee.exp2, lambda x, z: math.log(2.0) * z, latex=r"\exp_2" + _OF)
# Not z + 1, which cancels.
expm1: Op = _elementary("expm1", ieee.expm1, lambda x, z: exp(x))
cbrt: Op = _elementary("cbrt", math.cbrt, _by_cube, latex=r"\sqrt[3]{{{}}}")
tan: Op = _elementary("tan", ieee.tan, lambda x, z: 1.0 + z * z)
sinh: Op = _elementary("sinh", ieee.sinh, lambda x, z: cosh(x))
cosh: Op = _elementary("cosh", ieee.cosh, lambda x, z: sinh(x))
arcsin: Op = _elementary("arcsin", ieee.arcsin, lambda x, z: div(1.0, sqrt(_one_less_square(x))))
arccos: Op = _elementary("arccos", ieee.arccos, lambda x, z: div(-1.0, sqrt(_one_less_square(x))))
arctan: Op = _elementary(
    "arctan", math.atan, lambda x, z: div(1.0, 1.0 + _within(x, 1e155) * _within(x, 1e155))
)
arcsinh: Op = _elementary("arcsinh", math.asinh, lambda x, z: div(1.0, hypot(x, 1.0)))
arccosh: Op = _elementary(
    "arccosh", ieee.arccosh, lambda x, z: div(div(1.0, sqrt(x + 1.0)), sqrt(x - 1.0))
)
arctanh: Op = _elementary("arctanh", ieee.arctanh, lambda x, z: div(1.0, _one_less_square(x)))
# NaN at (0, 0).  Where the distance overflows or is subnormal, so is 1 / it, for hypot as well.
arctan2: Op = _elementary(
    *("arctan2", math.atan2),
    lambda y, x, z: div(_share(x, y, hypot(y, x)), hypot(y, x)),
    lambda y, x, z: div(-_share(y, x, hypot(y, x)), hypot(y, x)),
)
hypot: Op = _elementary("hypot", ieee.hypot, _share, lambda x, y, z: _share(y, x, z))
# With the sign of y.  Its slope by y is -floor(x / y), which is flat.
mod: Op = Op(
    "mod",
    value=ieee.mod,
    partials=(lambda x, y, z: 1.0, lambda x, y, z: stop_gradient(div(z, y) - div(x, y))),
    latex=r"{} \bmod {}",
    text="{} mod {}",
    arrays=lambda np, x, y: np.mod(x, y),
    binds=PRODUCT,
    llvm="""%r = call {v} @lanes_fmod({v} %x, {v} %y)
    %whole = fcmp oeq {v} %r, {zero}
    %none = call {v} @llvm.copysign.v{n}f64({v} {zero}, {v} %y)
    %below = fcmp olt {v} %r, {zero}
    %left = fcmp olt {v} %y, {zero}
    %other = xor {m} %below, %left
    %moved = fadd {v} %r, %y
    %a = select {m} %other, {v} %moved, {v} %r
    %z = select {m} %whole, {v} %none, {v} %a""",
)

TABLE.update({entry.name: entry for entry in list(globals().values()) if isinstance(entry, Op)})


def _by_base(x: Any, y: Any, z: Any) -> Any:
    """y·x**(y-1), by z / x where y - 1 would be rounded; as `ieee.power_slope` has it on floats."""
    if type(y) is float:
        if type(x) is float:
            return ieee.power_slope(x, y, pow(x, y))
        if y in (0.0, 1.0, 2.0):
            return y * x if y == 2.0 else y
        if (y - 1.0) + 1.0 == y and -(2.0**53) < y <= 2.0**53:
            return y * pow(x, y - 1.0)
    rounded = 1.0 - equal((y - 1.0) + 1.0, y) * greater(y, -(2.0**53)) * (1 - greater(y, 2.0**53))
    divided = weighted(rounded, (1.0 - equal(z, 0.0)) * (1.0 - equal(x, x + x)))
    # Where the other way is taken, x is 1.
    base, other = choose(divided, 1.0, x), choose(divided, x, 1.0)
    origin = weighted(equal(y, 0.0), equal(x, 0.0))  # all slopes there are 0
    power = unless(pow(choose(origin, 1.0, base), y - 1.0), origin)
    # At x = 0 and y < 1 the slope by y is that of x**(y-1) alone: the other may be opposite.
    edge = weighted(greater(1.0, y) * (1.0 - equal(y, 0.0)), equal(x, 0.0))
    far = equal(y, math.inf) - equal(y, -math.inf)  # where inf · 0 is 0
    factor = choose(far, far * ieee.MAX, choose(edge, stop_gradient(y), y))
    return choose(divided, div(y * pow(other, y), other), weighted(factor, power))


def _by_exponent(x: Any, y: Any, z: Any) -> Any:
    """z·log(x), but 0 at x = 0 ≤ y, where its slope by x is infinite for y < 1, and 0 for y > 1."""
    if type(x) is type(y) is float:
        return ieee.exponent_slope(x, y, pow(x, y))
    flat = equal(x, 0.0) * (1.0 - greater(0.0, y))
    base = choose(flat, 1.0, x) + 0.0  # -0 becomes 0
    far, steep = equal(x, math.inf), 1.0 - greater(1.0, y) + equal(y, 0.0)
    logarithm = unless(log(base), far) + when(1.0, far) - when(-math.inf, far * steep)
    there = pow(when(x, flat) + 0.0, when(y, flat)) * (2.0 * greater(1.0, y) - 1.0)
    return pow(base, y) * logarithm - (there - stop_gradient(there))


def choose(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition is not 0, else y."""
    return when(x, condition) + unless(y, condition)


def _within(x: Any, limit: float) -> Any:
    """The number nearest to x of those from -limit to limit."""
    return maximum(minimum(x, limit), -limit)


def _one_less_square(x: Any) -> Any:
    """1 - x², with what rounding took from it where it is small: (x - 1)·(x + 1) keeps that."""
    near = _within(x, 2.0)
    lost = (near - 1.0) * (near + 1.0) - (near * near - 1.0)
    return 0.0 - (x * x - 1.0 + stop_gradient(lost))
