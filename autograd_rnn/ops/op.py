# cython: annotation_typing=False
"""Op, the type of a primitive: a name, how it is written, its value and its partial derivatives.

`table.py` has the entries, and `custom.py` registers those of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import pos
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

from ..arguments import as_float, shown
from ..errors import ArgumentTypeError, ArgumentValueError

# How tightly an expression binds, from a sum to a name.
SUM, QUOTIENT, PRODUCT, SIGN, POWER, CALL, ATOM = range(1, 8)

# The name of the activation that leaves its operand as it is: no op may take it.
LINEAR: Final = "linear"


#: A function of the operands and the result, or of arrays, written in operators and ops.
Rule: TypeAlias = Callable[..., Any]
NONE_STATED: Final[Mapping[int, Rule]] = MappingProxyType({})


class Operand(Protocol):
    """What an op takes besides floats: a Value, or a tracer."""

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Any: ...


class Op:
    """A primitive: its entry in the table, callable on numbers and on anything with `_apply_op`.

    Its attributes are the columns of the table, which `primitive` explains (`llvm_slope` is LLVM
    code for the value and the slope at once, `arrays_slope` gives the slope on arrays from the
    result, and the difference by which it loses digits where that is small, `arrays_rule` the one
    from the operand, if fewer exponentials give it than the rule, `arrays_both` the result and the
    slope, if that is hardly more than the result alone, `stated` has the partials that people state
    shorter than the rule, by position, and `operator` is Python's),
    `algebra`, the operator of Python that gives the result for finite numbers, `arity`,
    the number of operands, `flat`, which says that every partial is `nothing`, `holds`, which says
    that the result is the operand without its slope, and `chooses`, which says that it is the first
    operand or, depending on the second, nothing.

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
        arrays_rule: Callable[..., Any] | None = None,
        arrays_both: Callable[..., Any] | None = None,
        llvm: str | None = None,
        llvm_slope: str | None = None,
        binds: int = CALL,
        operator: Callable[..., Any] | None = None,
        algebra: Callable[..., Any] | None = None,
        chooses: bool = False,
        stated: Mapping[int, Rule] = NONE_STATED,
    ) -> None:
        self.name, self.value, self.partials = name, value, partials
        self.arrays, self.arrays_slope, self.arrays_rule = arrays, arrays_slope, arrays_rule
        self.arrays_both = arrays_both
        self.llvm, self.llvm_slope = llvm, llvm_slope
        self.binds, self.operator, self.chooses, self.stated = binds, operator, chooses, stated
        self.arity, self.flat = len(partials), all(rule is nothing for rule in partials)
        self.algebra, self.holds = algebra or operator, self.flat and algebra is pos
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
        # Pickles hold the name of the entry.
        if TABLE.get(self.name) is not self:
            raise ArgumentTypeError(
                f"{self!r} is not pickled, since it stands in one formula only: keep the text of "
                f"the formula, or pickle what it was made of."
            )
        return _entry, (self.name,)

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self

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

    def term(self, place: int, adjoint: Any, *operands: Any) -> Any:
        """The term of a sweep, adjoint times slope, for the operand at a place.

        The operands end with the result.  Of what was not chosen there is none: not even 0 · inf.
        """
        if self.chooses and place == 0:
            return self(adjoint, operands[1])
        return times(adjoint, self.partials[place](*operands))


def times(adjoint: Any, slope: Any) -> Any:
    """adjoint · slope, without the factors of 1 that any graph is full of."""
    if type(adjoint) is float and adjoint == 1.0:
        return slope
    return adjoint if type(slope) is float and slope == 1.0 else adjoint * slope


def nothing(*operands: Any) -> float:
    """0, the partial of an op that has no slope anywhere, such as a comparison."""
    return 0.0


TABLE: Final[dict[str, Op]] = {}


def _entry(name: str) -> Op:
    if name not in TABLE:
        raise ArgumentValueError(
            f"there is no op {shown(name)} here: define it by primitive, as it was when it was "
            f"pickled, before you load it."
        )
    return TABLE[name]


def as_scalar(number: object, argument: str) -> Any:
    """A Value or tracer, as it is, or the float of a plain number."""
    return number if hasattr(number, "_apply_op") else as_float(number, argument)
