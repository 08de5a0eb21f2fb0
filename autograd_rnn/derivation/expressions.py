"""Expressions with a value: symbols, ops, products and sums, written as text and in LaTeX."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from ..graph.notation import (
    LATEX,
    TEXT,
    Style,
    Text,
    label,
    latex_name,
    round_digits,
    write,
    write_number,
)
from ..ops import table as ops
from ..ops.functions import summed
from ..ops.op import ATOM, CALL, POWER, PRODUCT, SIGN, SUM, Op
from ..ops.tracer import Tracer


def is_exact(x: float) -> bool:
    """Whether the number is written with all its digits."""
    mantissa, power = round_digits(x, TEXT)
    return float(f"{mantissa}e{power or 0}") == x


class Expression(Tracer, ABC):
    """A formula that can be written and evaluated: `value` is that of its printed form.

    Operators and ops of the table give expressions, simplified a little: equal factors and numbers
    are gathered.
    """

    value: float

    @abstractmethod
    def write(self, style: Style, numbers: bool = False) -> Text:
        """The expression in a style, with its symbols or with their numbers in their places."""

    def size(self) -> int:
        """The number of its symbols and numbers."""
        return 1

    def exact(self) -> bool:
        """Whether its numbers are written with all their digits."""
        return is_exact(self.value)

    def magnitude(self) -> float:
        """Its value with the sizes of its terms and factors, which bounds the rounding error."""
        return abs(self.value)

    def cost(self, given: Collection[int]) -> int:
        """The number of its operations, outside of parts whose `id` is among the given."""
        return 0

    def plain(self) -> Expression:
        """The expression with the weight itself for each of its copies."""
        return self

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Expression:
        given = [as_expression(operand) for operand in operands]
        simplified = SIMPLIFIED.get(op.operator)
        return applied(op, given) if simplified is None else simplified(*given)


class Number(Expression):
    """A number; `pinned` says that it holds at this point only, as the slope of a kink does."""

    def __init__(self, value: float, pinned: bool = False) -> None:
        self.value = value
        self.pinned = pinned

    def write(self, style: Style, numbers: bool = False) -> Text:
        return write_number(self.value, style)


class Symbol(Expression):
    """Something that is written as a whole, with a value; equal to another one if their keys are.

    A copy `stands_for` the weight that it is a copy of.
    """

    def __init__(
        self, key: object, value: float, text: Text, latex: Text, stands_for: Symbol | None = None
    ) -> None:
        self.key, self.value, self.stands_for = key, value, stands_for
        self.text, self.latex = text, latex

    @classmethod
    def named(
        cls, key: object, value: float, name: str, stands_for: Symbol | None = None
    ) -> Symbol:
        """A symbol written as a name is."""
        latex = latex_name(name)
        # LaTeX refuses a second superscript.
        binds = POWER if "^" in latex else ATOM
        return cls(key, value, Text(label(name)), Text(latex, binds), stands_for)

    def write(self, style: Style, numbers: bool = False) -> Text:
        if numbers:
            return write_number(self.value, style)
        return self.latex if style is LATEX else self.text

    def plain(self) -> Expression:
        return self.stands_for or self


class Compound(Expression):
    """An expression made of others, its `parts`, by a number of `operations`."""

    operations: int
    parts: tuple[Expression, ...]

    def size(self) -> int:
        return sum([part.size() for part in self.parts])

    def exact(self) -> bool:
        return all(part.exact() for part in self.parts)

    def cost(self, given: Collection[int]) -> int:
        if id(self) in given:
            return 0
        return self.operations + sum([part.cost(given) for part in self.parts])


class Applied(Compound):
    """An op applied to expressions, not simplified."""

    def __init__(self, op: Op, operands: Sequence[Expression]) -> None:
        self.op, self.parts, self.operations = op, tuple(operands), 1
        self.value = op.value(*[operand.value for operand in operands])

    def write(self, style: Style, numbers: bool = False) -> Text:
        return write(self.op, *[x.write(style, numbers) for x in self.parts], style=style)

    def plain(self) -> Expression:
        return Applied(self.op, [operand.plain() for operand in self.parts])


class Product(Compound):
    """A number times powers of expressions that are not products."""

    def __init__(self, coefficient: float, factors: Sequence[tuple[Expression, int]]) -> None:
        self.coefficient, self.factors = coefficient, tuple(factors)
        self.parts = tuple([factor for factor, _ in factors])
        number = abs(coefficient) != 1.0
        self.operations = number + sum([power for _, power in factors]) - 1
        powers = [factor.value**power for factor, power in factors]
        self.value = math.prod(powers, start=coefficient)

    def write(self, style: Style, numbers: bool = False) -> Text:
        """−2(15 − 17)·4: between a number or parentheses and parentheses stands no dot."""
        bare = abs(self.coefficient) == 1.0
        pieces = [] if bare else [write_number(abs(self.coefficient), style).text]
        for factor, power in self.factors:
            written = factor.write(style, numbers)
            if power != 1:
                base = Text(style.fit(written, ATOM))
                written = write(ops.pow, base, Text(str(power)), style=style)
            # A sign is in parentheses too: 4(−2).
            signed = written.binds == SIGN
            pieces.append(style.enclose(written.text) if signed else style.fit(written, PRODUCT))
        text = pieces[0]
        for place, (before, piece) in enumerate(pairwise(pieces)):
            closed = before.endswith(")") or before.startswith(r"\frac")
            joined = (closed or (place == 0 and not bare)) and piece.startswith(style.opening)
            text += piece if joined else f"{style.dot}{piece}"
        return Text(text, PRODUCT) if self.coefficient > 0.0 else Text(f"{style.minus}{text}", SIGN)

    def size(self) -> int:
        return (abs(self.coefficient) != 1.0) + super().size()

    def exact(self) -> bool:
        return is_exact(self.coefficient) and super().exact()

    def magnitude(self) -> float:
        sizes = [factor.magnitude() ** power for factor, power in self.factors]
        return math.prod(sizes, start=abs(self.coefficient))

    def plain(self) -> Expression:
        factors = [factor.plain() for factor, power in self.factors for _ in range(power)]
        return product([Number(self.coefficient), *factors])


class Sum(Compound):
    """A sum of expressions that are not sums."""

    def __init__(self, terms: Sequence[Expression]) -> None:
        self.parts, self.operations = tuple(terms), len(terms) - 1
        self.value = summed([term.value for term in terms])

    def write(self, style: Style, numbers: bool = False) -> Text:
        text, *others = [term.write(style, numbers) for term in self.parts]
        for term in others:
            if term.text.startswith(style.minus):
                text = write(ops.sub, text, Text(term.text[1:]), style=style)
            else:
                text = write(ops.add, text, term, style=style)
        return Text(text.text, SUM)

    def magnitude(self) -> float:
        return sum([term.magnitude() for term in self.parts])

    def plain(self) -> Expression:
        return total([term.plain() for term in self.parts])


def as_expression(thing: Any) -> Expression:
    return thing if isinstance(thing, Expression) else Number(float(thing))


def product(expressions: Iterable[Expression]) -> Expression:
    """The product, its numbers and its equal factors gathered; 0 where a number in it is 0."""
    coefficient, pinned = 1.0, False
    powers: dict[Any, tuple[Expression, int]] = {}
    for expression in expressions:
        if isinstance(expression, Number):
            coefficient *= expression.value
            pinned = pinned or expression.pinned
            continue
        one = expression if isinstance(expression, Product) else Product(1.0, [(expression, 1)])
        coefficient *= one.coefficient
        for factor, power in one.factors:
            key = factor.key if isinstance(factor, Symbol) else id(factor)
            before = powers[key][1] if key in powers else 0
            powers[key] = (factor, before + power)
    if coefficient == 0.0 or not powers:
        return Number(coefficient + 0.0, pinned)
    ((factor, power), *others) = powers.values()
    if coefficient == 1.0 and power == 1 and not others:
        return factor
    return Product(coefficient, list(powers.values()))


def total(expressions: Iterable[Expression]) -> Expression:
    """The sum, without zeros, its numbers added up."""
    terms = [
        term
        for expression in expressions
        for term in (expression.parts if isinstance(expression, Sum) else [expression])
        if not (isinstance(term, Number) and term.value == 0.0)
    ]
    numbers = [term for term in terms if isinstance(term, Number)]
    if len(numbers) > 1:
        gathered = Number(math.fsum([n.value for n in numbers]), any(n.pinned for n in numbers))
        rest = [term for term in terms if not isinstance(term, Number)]
        return total([*rest, gathered])
    if not terms:
        return Number(0.0)
    return terms[0] if len(terms) == 1 else Sum(terms)


def applied(op: Op, operands: Sequence[Expression]) -> Expression:
    """The op applied, or its value if all operands are numbers.

    A comparison, which has no slopes, is a number at each point: 1 on one side, 0 on the other; and
    what a number chooses is the operand, or 0.
    """
    if op.chooses and isinstance(operands[1], Number):
        return operands[0] if op.value(1.0, operands[1].value) == 1.0 else Number(0.0, pinned=True)
    value = op.value(*[operand.value for operand in operands])
    if op.flat:
        return Number(value, pinned=True)
    if all(isinstance(operand, Number) for operand in operands):
        return Number(value)
    return Applied(op, operands)


def _raise(x: Expression, y: Expression) -> Expression:
    if isinstance(y, Number) and y.value in (0.0, 1.0, 2.0, 3.0, 4.0):
        return product([x] * int(y.value))
    return applied(ops.pow, [x, y])


def _divide(x: Expression, y: Expression) -> Expression:
    return x if isinstance(y, Number) and y.value == 1.0 else applied(ops.div, [x, y])


SIMPLIFIED: Final[dict[object, Callable[..., Expression]]] = {
    operator.add: lambda x, y: total([x, y]),
    operator.sub: lambda x, y: total([x, -y]),
    operator.mul: lambda x, y: product([x, y]),
    operator.truediv: _divide,
    operator.pow: _raise,
    operator.neg: lambda x: product([Number(-1.0), x]),
}


# --- derivatives ---------------------------------------------------------------------------------


def fraction(
    over: Symbol, under: Symbol, value: float, *, total: bool = False, holding: bool = False
) -> Symbol:
    """∂over/∂under; d for a total derivative, |S for one that holds the rest of a set S fixed."""
    d, command = ("d", "d ") if total else ("∂", r"\partial ")
    text = f"{d}{TEXT.fit(over.text, ATOM)}/{d}{TEXT.fit(under.text, ATOM)}"
    latex = rf"\frac{{{command}{over.latex.text}}}{{{command}{under.latex.text}}}"
    if holding:
        text, latex = f"{text}|S", rf"\left.{latex}\right|_{{S}}"
    key = ("slope", over.key, under.key, total, holding)
    return Symbol(key, value, Text(text, CALL), Text(latex, CALL))


def prime(op: Op, operand: Expression, value: float, key: object) -> Symbol:
    """f′(x) for an op f of one operand x."""
    text = op.text.removesuffix("({})") if op.text.endswith("({})") else op.name
    latex = rf"\operatorname{{{op.name}}}".replace("_", r"\_")
    if op.latex.endswith(r"\left({}\right)"):
        latex = op.latex.removesuffix(r"\left({}\right)").format()
    text = f"{text}′({operand.write(TEXT).text})"
    latex = rf"{latex}'\left({operand.write(LATEX).text}\right)"
    return Symbol(("prime", key), value, Text(text, CALL), Text(latex, CALL))
