# cython: annotation_typing=False
"""Op, the type of a primitive, and `primitive`, which registers a new one.

An op is data: a name, how it is drawn and written, its value on floats, and its local partial
derivatives.  `table.py` has the entries.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from keyword import iskeyword
from string import Formatter
from typing import Any, Final, Protocol, TypeAlias

from ..arguments import as_float, as_function, as_name, as_text, shown
from ..errors import ArgumentTypeError, ArgumentValueError

# How tightly an expression binds, from a sum to a name.
SUM, QUOTIENT, PRODUCT, SIGN, POWER, CALL, ATOM = range(1, 8)

# The name of the activation that leaves its operand as it is: no op may take it.
LINEAR: Final = "linear"


#: A function of the operands and the result, or of arrays, written in operators and ops.
Rule: TypeAlias = Callable[..., Any]


class Operand(Protocol):
    """What an op takes besides floats: a Value, or a tracer."""

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Any: ...


class Op:
    """A primitive: its entry in the table, callable on numbers and on anything with `_apply_op`.

    Its attributes are the columns of the table, which `primitive` explains (`llvm_slope` is LLVM
    code for the value and the slope at once, `arrays_slope` gives the slope on arrays from the
    result, and the difference by which it loses digits where that is small, and `operator` is
    Python's), `arity`, the number of operands, and `flat`, which says that every partial is
    `nothing`.

    >>> from autograd_rnn import tanh
    >>> tanh(0.0)
    0.0
    >>> tanh.arity, tanh.symbol
    (1, 'tanh')
    """

    def __init__(
        self,
        name: str,
        value: Callable[..., float],
        partials: tuple[Callable[..., Any], ...],
        *,
        symbol: str = "",
        text: str = "",
        latex: str = "",
        python: str = "",
        arrays: Callable[..., Any] | None = None,
        arrays_slope: Callable[..., Any] | None = None,
        llvm: str | None = None,
        llvm_slope: str | None = None,
        binds: int = CALL,
        operator: Callable[..., Any] | None = None,
    ) -> None:
        self.name, self.value, self.partials = name, value, partials
        self.arrays, self.arrays_slope = arrays, arrays_slope
        self.llvm, self.llvm_slope = llvm, llvm_slope
        self.binds, self.operator = binds, operator
        self.arity, self.flat = len(partials), all(rule is nothing for rule in partials)
        self.symbol = symbol or name
        blanks = ", ".join(["{}"] * self.arity)
        badge = self.symbol.replace("{", "{{").replace("}", "}}")
        upright = name.replace("_", r"\_")
        self.text = text or f"{badge}({blanks})"
        self.latex = latex or rf"\operatorname{{{{{upright}}}}}\left({blanks}\right)"
        self.python = python or f"{name}({blanks})"

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        # Copies and pickles hold the name of the entry.
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
            # The usual case: rules call ops with floats each time that a node is made.
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

    `value` maps floats to a float and should not raise.  `partials` has a rule per operand, a
    function of the operands and the result, written in operators and functions of this package: so
    it serves floats and Values, and derivatives of any order, pictures and programs have the op.
    `ops.nothing` is the rule of an op without slopes.

    `symbol` is the badge of a drawn node.  `text`, `latex` and `python` are templates such as
    `"cosh({})"`, by default made from the symbol or the name; `binds` says when a written operand
    needs parentheses.  `arrays` is the value on whole arrays, such as `lambda np, x: np.cosh(x)`,
    where `np` is `numpy` or `jax.numpy`; without it NumPy takes element by element, and JAX refuses
    the op.  `llvm` is LLVM code over vectors `{v}` of `{n}` doubles, such as
    `"%z = fadd {flags}{v} %x, %y"`; without it native code refuses the op.

    `ValueError` for a name that is taken or no identifier, and for other than one or two rules;
    `TypeError` for a value or rule that is no function.  `check_gradients` checks the rules.

    >>> import math
    >>> from autograd_rnn import Value, exp, primitive
    >>> cosh = primitive("cosh", math.cosh, lambda x, z: (exp(x) - exp(-x)) / 2)
    >>> x = Value(1.0)
    >>> y = cosh(x)
    >>> y.backward()
    >>> round(x.grad - math.sinh(1.0), 12)
    0.0
    """
    name = as_text(name, "name")
    plain = unicodedata.normalize("NFKC", name)  # as Python reads it in printed source
    if not name.isidentifier() or iskeyword(name) or plain != name:
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
    level: object = binds
    if isinstance(level, bool) or not isinstance(level, int) or not SUM <= level <= ATOM:
        raise ArgumentValueError(f"binds must be from {SUM} to {ATOM}, not {shown(level)}.")
    what = f"the value of {name}"
    op = TABLE[name] = Op(
        name,
        lambda *operands: as_float(value(*operands), what),
        tuple([_in_scalars(rule, f"a partial of {name}") for rule in rules]),
        symbol=as_name(symbol, "symbol") or "",
        text=_template(text, "text", len(rules)),
        latex=_template(latex, "latex", len(rules)),
        python=_template(python, "python", len(rules)),
        arrays=None if arrays is None else as_function(arrays, "arrays"),
        llvm=as_name(llvm, "llvm"),
        binds=binds,
    )
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
            f"{argument} must be a template with {{}} for each operand, such as 'cosh({{}})', "
            f"not {shown(template)}."
        )
    return text


def _in_scalars(rule: Callable[..., Any], what: str) -> Callable[..., Any]:
    return rule if rule is nothing else lambda *operands: as_scalar(rule(*operands), what)


def as_scalar(number: object, argument: str) -> Any:
    """A Value or tracer, as it is, or the float of a plain number."""
    return number if hasattr(number, "_apply_op") else as_float(number, argument)
