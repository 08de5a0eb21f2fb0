"""User-defined ops: `primitive` tries a value and its rules, and enters them in the table."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from keyword import iskeyword
from string import Formatter
from typing import Any, Final

from ..arguments import as_float, as_function, as_name, as_text, many, shown
from ..errors import ArgumentTypeError, ArgumentValueError, AutogradError
from .op import ATOM, CALL, LINEAR, SUM, TABLE, Op, Rule, as_scalar, nothing
from .tracer import Number

# Numbers at which a new op is tried.
TRIALS: Final = ((0.5, 1.5), (-1.5, 0.5))
# What has been halved until it was no longer beyond the floats is at least as large as this.
HUGE: Final = 1e100


def primitive(
    name: str,
    value: Callable[..., float],
    partials: Rule | Sequence[Rule],
    *,
    symbol: str | None = None,
    latex: str | None = None,
    python: str | None = None,
    arrays: Rule | None = None,
    llvm: str | None = None,
    text: str | None = None,
    binds: int = CALL,
) -> Op:
    """A new op, registered under `name`: a function of one or two numbers or Values.

    `value` maps floats to a float.  Where it raises because there is none, the result is that of
    IEEE arithmetic, as far as nearby values show it: ±inf where they grow beyond all bounds, 0
    where they vanish, and NaN elsewhere.

    `partials` has a rule per operand, a function of the operands and the result, written in
    operators and functions of this package: so it serves floats and Values, and derivatives of any
    order, pictures and programs have the op.  Conditions are written with the ops `greater` and
    `equal`.  `ops.nothing` is the rule of an op without slopes.

    `symbol` is the badge of a drawn node.  `text`, `latex` and `python` are templates such as
    `"swish({})"`, by default made from the symbol or the name; `binds` says when a written operand
    needs parentheses.  `arrays` is the value on whole arrays, such as `lambda np, x: np.tanh(x)`,
    where `np` is `numpy` or `jax.numpy`; without it NumPy takes element by element, and JAX refuses
    the op.  `llvm` is LLVM code over vectors `{v}` of `{n}` doubles, such as
    `"%z = fadd {flags}{v} %x, %y"`; without it native code refuses the op.

    `ValueError` for a name that is taken or not an identifier, and unless there are 1 or 2 rules;
    `TypeError` for a value or rule that is not a function, or fails when it is tried at a few
    numbers; rules are also tried on the tracers that stand in for numbers, unless they name an op
    that is yet to be defined.
    `check_gradients` checks that the rules are right.

    >>> from autograd_rnn import Value, primitive, sigmoid
    >>> swish = primitive("swish", lambda x: x * sigmoid(x), lambda x, z: sigmoid(x) * (1 + x - z))
    >>> x = Value(0.0)
    >>> swish(x).backward()
    >>> x.grad
    0.5
    """
    name = as_text(name, "name")
    plain = unicodedata.normalize("NFKC", name)  # as Python reads it in printed source
    if not name.isidentifier() or iskeyword(name) or plain != name:
        raise ArgumentValueError(f"name must be an identifier, such as 'swish', not {shown(name)}.")
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
    level: object = binds
    if isinstance(level, bool) or not isinstance(level, int) or not SUM <= level <= ATOM:
        raise ArgumentValueError(f"binds must be from {SUM} to {ATOM}, not {shown(level)}.")
    op = Op(
        name,
        _ieee_value(value, f"the value of {name}"),
        tuple([_ieee_rule(rule, f"a partial of {name}") for rule in rules]),
        symbol=as_name(symbol, "symbol") or "",
        text=_template(text, "text", len(rules)),
        latex=_template(latex, "latex", len(rules)),
        python=_template(python, "python", len(rules)),
        arrays=None if arrays is None else as_function(arrays, "arrays"),
        llvm=as_name(llvm, "llvm"),
        binds=binds,
    )
    for numbers in TRIALS:
        _try_op(op, numbers[: len(rules)])
    TABLE[name] = op
    return op


def _template(template: object, argument: str, arity: int) -> str:
    """The template, as it is, or an empty text for None."""
    text = as_name(template, argument)
    if text is None:
        return ""
    try:
        fields = [field[1:] for field in Formatter().parse(text) if field[1] is not None]
    except ValueError:
        fields = []
    # `{:^}` is an exponent in `text`.
    if len(fields) != arity or not set(fields) <= {("", "", None), ("", "^", None)}:
        raise ArgumentValueError(
            f"{argument} must be a template with {{}} for each operand, such as 'swish({{}})', "
            f"not {shown(template)}."
        )
    return text


# --- IEEE arithmetic ------------------------------------------------------------------------------


def _ieee_value(value: Callable[..., Any], what: str) -> Callable[..., float]:
    """The value as a float, also where it raises because there is none."""

    def ieee_value(*operands: float) -> float:
        try:
            number = value(*operands)
        except OverflowError:
            return _overflow(value, operands)
        except (ArithmeticError, ValueError):
            return _pole(value, operands)
        if isinstance(number, complex):
            return math.nan
        try:
            return as_float(number, what)
        except ArgumentValueError:  # a whole number beyond the floats
            return math.inf if number > 0 else -math.inf

    return ieee_value


def _attempt(function: Callable[..., Any], operands: Sequence[float]) -> Any:
    """What the function gives, or None where Python has no real number for it."""
    try:
        number = function(*operands)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(number, complex) else number


def _overflow(value: Callable[..., Any], operands: Sequence[float]) -> float:
    """What comes of numbers beyond the floats: ±inf, or 0 where the value is the less for them."""
    number = None
    while number is None and all(map(math.isfinite, operands)) and max(map(abs, operands)) > 1.0:
        operands = [x / 2.0 for x in operands]
        number = _attempt(value, operands)
    if number is None or 1.0 / HUGE <= abs(number) <= HUGE:
        return math.nan
    return math.copysign(math.inf if abs(number) > 1.0 else 0.0, number)


def _pole(value: Callable[..., Any], operands: Sequence[float]) -> float:
    """±inf where the value grows on the way to these operands, if only as a logarithm; or NaN."""
    for side in (1.0, -1.0):
        far, near = [_attempt(value, _beside(operands, side, power)) for power in (1, 2)]
        if far is not None and near is not None and abs(near) > max(10.0, 1.5 * abs(far)):
            return math.copysign(math.inf, near)
    return math.nan


def _beside(operands: Sequence[float], side: float, power: int) -> list[float]:
    """Numbers beside the operands, the closer the higher the power; on the side of a signed 0."""
    return [
        x * (1.0 + side * 2.0 ** (-26 * power)) if x else side * math.copysign(1e-50**power, x)
        for x in operands
    ]


def _ieee_rule(rule: Rule, what: str) -> Rule:
    """The rule, which gives floats for floats, whatever Python's operators raise."""
    if rule is nothing:
        return rule

    def ieee_rule(*operands: Any) -> Any:
        if set(map(type, operands)) != {float}:
            return as_scalar(rule(*operands), what)
        slope = _attempt(rule, operands)
        if slope is None:
            slope = rule(*map(Number, operands))
        return as_float(slope.data if isinstance(slope, Number) else slope, what)

    return ieee_rule


# --- trials ---------------------------------------------------------------------------------------


def _try_op(op: Op, at: Sequence[float]) -> None:
    """`TypeError` for a value or a rule that fails at these numbers."""
    numbers = ", ".join(map(repr, at))
    try:
        result = op.value(*at)
    except AutogradError:
        raise
    except Exception as error:
        raise ArgumentTypeError(
            f"value must give a float for {many(op.arity, 'float')}, but for {numbers} it raised "
            f"{_words(error)}."
        ) from error
    for place, rule in enumerate(op.partials):
        try:
            rule(*at, result)
            rule(*map(Number, (*at, result)))
        except NameError:
            pass  # The rule may name this op, or one that is defined after it.
        except AutogradError:
            raise
        except Exception as error:
            raise ArgumentTypeError(
                f"partials[{place}] must be written in operators and functions of this package, "
                f"which take floats and Values alike, but for {numbers} it raised {_words(error)}. "
                f"For math.exp(x) write exp(x), and for a condition on x the ops greater and "
                f"equal, or maximum."
            ) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
