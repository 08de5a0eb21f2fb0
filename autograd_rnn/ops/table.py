"""The primitives, one entry each.

To add an op, add an entry to the table at the end of this file, or call `primitive` from your own
code; every reader then has it.  An entry says what the op is called and how it is drawn and
written, its value on floats, and its local partial derivative by each operand.  The partials are
written in the primitives themselves and take the operands and the result, `(x, z)` or `(x, y, z)`,
so the same rule serves floats and Values, and with it backward, forward and second derivatives.
An example, in full:

    exp = _define(
        "exp",
        value=ieee.exp,                     # on floats; never raises: IEEE inf and NaN
        partials=(lambda x, z: z,),         # one per operand
        symbol="exp",                       # in the badge of a drawn node
        text="exp({})",                     # how an expression is written: in a picture,
        latex=r"\\exp\\left({}\\right)",      # in LaTeX,
        python="exp({})",                   # and in Python, the functions being this file's
        arrays=lambda np, x: np.exp(x),     # on whole arrays, by numpy or jax.numpy
        binds=CALL,                         # how tightly it binds: when to parenthesise
    )

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
from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any, Final

from . import ieee
from .arguments import as_float, as_function, as_name, shown
from .errors import ArgumentTypeError, ArgumentValueError

__all__ = [
    "TABLE",
    "Op",
    "abs",
    "cos",
    "exp",
    "log",
    "maximum",
    "minimum",
    "primitive",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "step",
    "stop_gradient",
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

# The name of the activation that is none: no op may take it.
LINEAR: Final = "linear"

# --- one op --------------------------------------------------------------------------------------


class Op:
    """A primitive: its entry in the table, callable on numbers and on anything with `_apply_op`.

    `name`, `value`, `partials`, `symbol`, `text`, `latex`, `python`, `arrays`, `llvm` and
    `llvm_slope` (of a vector of doubles), `binds` and `operator` (of Python) are the columns of the
    table; `arity` is the number of operands, and `flat` says that every partial is `nothing`.

    >>> tanh(0.0)
    0.0
    >>> tanh.arity, tanh.symbol
    (1, 'tanh')
    """

    __slots__ = (
        "arity",
        "arrays",
        "binds",
        "flat",
        "latex",
        "llvm",
        "llvm_slope",
        "name",
        "operator",
        "partials",
        "python",
        "symbol",
        "text",
        "value",
    )

    def __init__(
        self,
        name: str,
        value: Callable[..., float],
        partials: tuple[Callable[..., Any], ...],
        *,
        symbol: str,
        text: str,
        latex: str,
        python: str,
        arrays: Callable[..., Any] | None = None,
        llvm: str | None = None,
        llvm_slope: str | None = None,
        binds: int,
        operator: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.partials = partials
        self.symbol = symbol
        self.text = text
        self.latex = latex
        self.python = python
        self.arrays = arrays
        self.llvm = llvm
        self.llvm_slope = llvm_slope
        self.binds = binds
        self.operator = operator
        self.arity = len(partials)
        self.flat = all(rule is nothing for rule in partials)

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
            if type(operand) is not float:
                break
        else:
            # A rule comes here with floats for each op in it, each time that a node is made.
            return self.value(*operands)
        for operand in operands:
            apply_op = getattr(operand, "_apply_op", None)
            if apply_op is not None:
                return apply_op(self, operands)
        return self.value(*[as_float(operand, f"{self.name}'s operand") for operand in operands])


def nothing(*operands: Any) -> float:
    """0, the partial of an op that has no slope anywhere, such as a comparison."""
    return 0.0


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
    latex: str,
    python: str,
    binds: int,
    arrays: Callable[..., Any],
    llvm: str | None = None,
    llvm_slope: str | None = None,
    operator: Callable[..., Any] | None = None,
) -> Op:
    op = TABLE[name] = Op(
        name,
        value,
        partials,
        symbol=symbol,
        text=text,
        latex=latex,
        python=python,
        arrays=arrays,
        llvm=llvm,
        llvm_slope=llvm_slope,
        binds=binds,
        operator=operator,
    )
    return op


def primitive(
    name: object,
    value: Callable[..., float],
    partials: Callable[..., Any] | Sequence[Callable[..., Any]],
    *,
    symbol: object = None,
    latex: object = None,
    python: object = None,
    arrays: Callable[..., Any] | None = None,
    llvm: object = None,
    text: object = None,
    binds: object = CALL,
) -> Op:
    """A new op, registered under `name`: a function of one or two numbers or Values.

    `value` maps floats to a float and should not raise.  `partials` has a rule per operand, of the
    operands and the result, written in operators and functions of this package, so that it serves
    floats and Values: then backward, forward and second derivatives, pictures and checks all have
    the op; `ops.nothing` is the rule of an op without slopes.  `symbol` stands in the badge of a
    drawn node; `text`, `latex` and `python` are templates such as `"cosh({})"`, made from the
    symbol or the name unless given; `arrays` is the value on whole arrays, such as
    `lambda np, x: np.cosh(x)`, where `np` is `numpy` or `jax.numpy`, without which NumPy goes from
    element to element; `llvm` is LLVM code over vectors `{v}` of `{n}` doubles, such
    as `"%z = fadd {flags}{v} %x, %y"`, without which it has no compiled replay; `binds` says when a
    written operand needs parentheses.

    `ValueError` for a name that is taken or no identifier, or for other than one or two rules,
    `TypeError` for what is not callable.  `check_gradients` tells whether the rule is right.

    >>> import math
    >>> from autograd_rnn import Value, exp, primitive
    >>> cosh = primitive("cosh", math.cosh, lambda x, z: (exp(x) - exp(-x)) / 2)
    >>> x = Value(1.0)
    >>> y = cosh(x)
    >>> y.backward()
    >>> round(x.grad - math.sinh(1.0), 12)
    0.0
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"name must be a str, not {type(name).__name__}.")
    if not name.isidentifier():
        raise ArgumentValueError(f"name must be an identifier, such as 'cosh', not {shown(name)}.")
    if name in TABLE or name == LINEAR:
        raise ArgumentValueError(f"the name {name!r} is taken already: choose another one.")
    as_function(value, "value")
    given = partials if isinstance(partials, tuple | list) else (partials,)
    rules = tuple([as_function(rule, f"partials[{i}]") for i, rule in enumerate(given)])
    if len(rules) not in (1, 2):
        raise ArgumentValueError(
            f"partials must have one rule per operand, and an op has one operand or two, "
            f"not {len(rules)}."
        )
    if isinstance(binds, bool) or not isinstance(binds, int) or not SUM <= binds <= ATOM:
        raise ArgumentValueError(f"binds must be from {SUM} to {ATOM}, not {shown(binds)}.")
    blanks = ", ".join(["{}"] * len(rules))
    badge = as_name(symbol, "symbol") or name
    op = Op(
        name,
        _in_floats(value, f"the value of {name}"),
        tuple([_in_scalars(rule, f"a partial of {name}") for rule in rules]),
        symbol=badge,
        text=_template(text, "text", len(rules)) or f"{_literal(badge)}({blanks})",
        latex=_template(latex, "latex", len(rules))
        or rf"\operatorname{{{{{name}}}}}\left({blanks}\right)".replace("_", r"\_"),
        python=_template(python, "python", len(rules)) or f"{name}({blanks})",
        arrays=None if arrays is None else as_function(arrays, "arrays"),
        llvm=as_name(llvm, "llvm"),
        binds=binds,
    )
    TABLE[name] = op
    return op


def _literal(text: str) -> str:
    """The text in a template, where braces are doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def _template(template: object, argument: str, arity: int) -> str | None:
    if as_name(template, argument) is None:
        return None
    assert isinstance(template, str)
    try:
        fields = [field[1:] for field in Formatter().parse(template) if field[1] is not None]
    except ValueError:
        fields = []
    # `{:^}` is an exponent in `text`.
    if len(fields) != arity or not set(fields) <= {("", "", None), ("", "^", None)}:
        raise ArgumentValueError(
            f"{argument} must be a template with {{}} for each operand, such as 'cosh({{}})', "
            f"not {shown(template)}."
        )
    return template


def _in_floats(value: Callable[..., Any], what: str) -> Callable[..., float]:
    return lambda *operands: as_float(value(*operands), what)


def _in_scalars(rule: Callable[..., Any], what: str) -> Callable[..., Any]:
    if rule is nothing:
        return rule

    def partial(*operands: Any) -> Any:
        result = rule(*operands)
        return result if hasattr(result, "_apply_op") else as_float(result, what)

    return partial


# --- the table -----------------------------------------------------------------------------------

add: Op = _define(
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
sub: Op = _define(
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
mul: Op = _define(
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
div: Op = _define(
    "div",
    value=ieee.divide,
    partials=(lambda x, y, z: div(1.0, y), lambda x, y, z: div(-z, y)),
    symbol="÷",
    text="{} / {}",
    latex=r"\frac{{{}}}{{{}}}",
    python="div({}, {})",
    arrays=lambda np, x, y: np.divide(x, y),
    binds=QUOTIENT,
    operator=operator.truediv,
    llvm="%z = fdiv {v} %x, %y",
)
# ∂/∂x is y·x**(y-1), and 0 for y = 0, whatever x, since x**0 is 1 everywhere; ∂/∂y is 0 at
# x = 0 ≤ y and -inf at x = 0 > y.  Where x**y overflows, so does ∂/∂y; and ∂/∂x where y·x**y does,
# for y > 2**53.
pow: Op = _define(
    "pow",
    value=ieee.power,
    partials=(
        lambda x, y, z: _by_base(x, y, z),
        lambda x, y, z: pow(_off_zero(x, y), y) * log(_off_zero(x, y)),
    ),
    symbol="xʸ",
    text="{}{:^}",
    latex="{}^{{{}}}",
    python="pow({}, {})",
    arrays=lambda np, x, y: np.power(x, y),
    binds=POWER,
    operator=operator.pow,
    llvm="%z = call {v} @lanes_pow({v} %x, {v} %y)",
)
neg: Op = _define(
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
exp: Op = _define(
    "exp",
    value=ieee.exp,
    partials=(lambda x, z: z,),
    symbol="exp",
    text="exp({})",
    latex=r"\exp\left({}\right)",
    python="exp({})",
    arrays=lambda np, x: np.exp(x),
    binds=CALL,
    llvm="%z = call {v} @lanes_exp({v} %x)",
)
log: Op = _define(
    "log",
    value=ieee.log,
    partials=(lambda x, z: div(1.0, x),),
    symbol="log",
    text="log({})",
    latex=r"\log\left({}\right)",
    python="log({})",
    arrays=lambda np, x: np.log(x),
    binds=CALL,
    llvm="%z = call {v} @lanes_log({v} %x)",
)
# inf at 0 and at -0, whose root is -0.
sqrt: Op = _define(
    "sqrt",
    value=ieee.sqrt,
    partials=(lambda x, z: div(0.5, z + 0.0),),
    symbol="√",
    text="√({})",
    latex=r"\sqrt{{{}}}",
    python="sqrt({})",
    arrays=lambda np, x: np.sqrt(x),
    binds=CALL,
    llvm="%z = call {v} @llvm.sqrt.v{n}f64({v} %x)",
)
# 4·σ(2x)·σ(-2x), not 1 - z²: the difference cancels where z is close to ±1.
tanh: Op = _define(
    "tanh",
    value=math.tanh,
    partials=(lambda x, z: 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),),
    symbol="tanh",
    text="tanh({})",
    latex=r"\tanh\left({}\right)",
    python="tanh({})",
    arrays=lambda np, x: np.tanh(x),
    binds=CALL,
    llvm="%z = call {v} @lanes_tanh({v} %x)",
    llvm_slope="""%both = call {p} @lanes_tanh_and_slope({v} %x)
    %z = extractvalue {p} %both, 0
    %slope = extractvalue {p} %both, 1""",
)
# z·σ(-x), not z·(1 - z): likewise.
sigmoid: Op = _define(
    "sigmoid",
    value=ieee.sigmoid,
    partials=(lambda x, z: z * sigmoid(-x),),
    symbol="σ",
    text="σ({})",
    latex=r"\sigma\left({}\right)",
    python="sigmoid({})",
    arrays=lambda np, x: _sigmoid(np, x),
    binds=CALL,
    llvm="%z = call {v} @lanes_sigmoid({v} %x)",
    llvm_slope="""%both = call {p} @lanes_sigmoid_and_slope({v} %x)
    %z = extractvalue {p} %both, 0
    %slope = extractvalue {p} %both, 1""",
)
softplus: Op = _define(
    "softplus",
    value=ieee.softplus,
    partials=(lambda x, z: sigmoid(x),),
    symbol="softplus",
    text="softplus({})",
    latex=r"\operatorname{{softplus}}\left({}\right)",
    python="softplus({})",
    arrays=lambda np, x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
    binds=CALL,
    llvm="%z = call {v} @lanes_softplus({v} %x)",
)
# The derivative at 0 is 0.
relu: Op = _define(
    "relu",
    value=lambda x: 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: greater(x, 0.0),),
    symbol="relu",
    text="relu({})",
    latex=r"\operatorname{{relu}}\left({}\right)",
    python="relu({})",
    arrays=lambda np, x: np.where(x <= 0.0, 0.0, x),
    binds=CALL,
    llvm="""%low = fcmp ole {v} %x, {zero}
    %z = select {m} %low, {v} {zero}, {v} %x""",
)
step: Op = _define(
    "step",
    value=lambda x: 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x,
    partials=(lambda x, z: 0.0 * z,),
    symbol="step",
    text="step({})",
    latex=r"\operatorname{{step}}\left({}\right)",
    python="step({})",
    arrays=lambda np, x: np.where(x > 0.0, 1.0, np.where(x <= 0.0, 0.0, x)),
    binds=CALL,
    llvm="""%high = fcmp ogt {v} %x, {zero}
    %low = fcmp ole {v} %x, {zero}
    %a = select {m} %low, {v} {zero}, {v} %x
    %z = select {m} %high, {v} {one}, {v} %a""",
)
sin: Op = _define(
    "sin",
    value=ieee.sin,
    partials=(lambda x, z: cos(x),),
    symbol="sin",
    text="sin({})",
    latex=r"\sin\left({}\right)",
    python="sin({})",
    arrays=lambda np, x: np.sin(x),
    binds=CALL,
    llvm="%z = call {v} @lanes_sin({v} %x)",
)
cos: Op = _define(
    "cos",
    value=ieee.cos,
    partials=(lambda x, z: -sin(x),),
    symbol="cos",
    text="cos({})",
    latex=r"\cos\left({}\right)",
    python="cos({})",
    arrays=lambda np, x: np.cos(x),
    binds=CALL,
    llvm="%z = call {v} @lanes_cos({v} %x)",
)
# The derivative at 0 is 0.
abs: Op = _define(
    "abs",
    value=math.fabs,
    partials=(lambda x, z: greater(x, 0.0) - greater(0.0, x),),
    symbol="| |",
    text="|{}|",
    latex=r"\left|{}\right|",
    python="abs({})",
    arrays=lambda np, x: np.abs(x),
    binds=CALL,
    llvm="%z = call {v} @llvm.fabs.v{n}f64({v} %x)",
)
# Where the operands are equal, each has half of the derivative.
maximum: Op = _define(
    "maximum",
    value=ieee.maximum,
    partials=(
        lambda x, y, z: 0.5 * (1.0 + greater(x, y) - greater(y, x)),
        lambda x, y, z: 0.5 * (1.0 + greater(y, x) - greater(x, y)),
    ),
    symbol="max",
    text="max({}, {})",
    latex=r"\max\left({}, {}\right)",
    python="maximum({}, {})",
    arrays=lambda np, x, y: _maximum(np, x, y),
    binds=CALL,
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
minimum: Op = _define(
    "minimum",
    value=lambda x, y: -ieee.maximum(-x, -y),
    partials=(
        lambda x, y, z: 0.5 * (1.0 + greater(y, x) - greater(x, y)),
        lambda x, y, z: 0.5 * (1.0 + greater(x, y) - greater(y, x)),
    ),
    symbol="min",
    text="min({}, {})",
    latex=r"\min\left({}, {}\right)",
    python="minimum({}, {})",
    arrays=lambda np, x, y: -_maximum(np, -x, -y),
    binds=CALL,
    llvm="""%c = fcmp olt {v} %x, %y
    %d = fcmp olt {v} %y, %x
    %p = select {m} %c, {v} %x, {v} %y
    %q = select {m} %d, {v} %y, {v} %x
    %a = bitcast {v} %p to {i}
    %b = bitcast {v} %q to {i}
    %either = or {i} %a, %b
    %z = bitcast {i} %either to {v}""",
)
greater: Op = _define(
    "greater",
    value=lambda x, y: 1.0 if x > y else 0.0 if x <= y else math.nan,
    partials=(nothing, nothing),
    symbol=">",
    text="[{} > {}]",
    latex=r"\left[{} > {}\right]",
    python="greater({}, {})",
    arrays=lambda np, x, y: np.where(x > y, 1.0, np.where(x <= y, 0.0, np.nan)),
    binds=CALL,
    llvm="""%c = fcmp ogt {v} %x, %y
    %u = fcmp uno {v} %x, %y
    %a = select {m} %c, {v} {one}, {v} {zero}
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
equal: Op = _define(
    "equal",
    value=lambda x, y: 1.0 if x == y else 0.0 if x < y or x > y else math.nan,
    partials=(nothing, nothing),
    symbol="=",
    text="[{} = {}]",
    latex=r"\left[{} = {}\right]",
    python="equal({}, {})",
    arrays=lambda np, x, y: np.where(x == y, 1.0, np.where((x < y) | (x > y), 0.0, np.nan)),
    binds=CALL,
    llvm="""%c = fcmp oeq {v} %x, %y
    %u = fcmp uno {v} %x, %y
    %a = select {m} %c, {v} {one}, {v} {zero}
    %z = select {m} %u, {v} {nan}, {v} %a""",
)
# The number itself, which no derivative goes through; `nothing` is its rule, not its slope.
stop_gradient: Op = _define(
    "stop_gradient",
    value=lambda x: x,
    partials=(nothing,),
    symbol="sg",
    text="sg({})",
    latex=r"\operatorname{{sg}}\left({}\right)",
    python="stop_gradient({})",
    arrays=lambda np, x: x,
    binds=CALL,
    llvm="%z = bitcast {v} %x to {v}",
)


def _by_base(x: Any, y: Any, z: Any) -> Any:
    """y·x**(y-1), with x**(y-1) had as x**y / x where y - 1 would be rounded.

    Nothing is to be had from an x**y that is 0, nor where x is 0 or infinite: there x = x + x.  For
    a known exponent that is an ordinary one it is written as everybody writes it.
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
    """σ of arrays: e**-|x| never overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0.0, 1.0, e) / (1.0 + e)


def _maximum(np: Any, x: Any, y: Any) -> Any:
    """The larger of two arrays, 0 of 0 and -0: NumPy's is either."""
    return np.where(x == y, np.where(x == 0.0, x + y, x), np.maximum(x, y))
