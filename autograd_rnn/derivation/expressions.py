"""Expressions with a value: symbols, ops, products and sums, written as text and in LaTeX."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, TypeAlias

from ..graph.identities import PRIME, Slope, residue, residue_after, residue_of
from ..graph.marks import MARKED
from ..graph.notation import (
    NUMBERED,
    TEXT,
    Style,
    Text,
    is_exact,
    label,
    latex_name,
    write,
    write_number,
)
from ..ops import table as ops
from ..ops.functions import summed
from ..ops.op import ATOM, CALL, POWER, PRODUCT, SIGN, SUM, Op
from ..ops.tracer import Tracer

UNIT: Final = Fraction(1)
LARGEST_DENOMINATOR: Final = 1000
LARGE, TINY = 1e15, 1e-12  # Rules guard floats by larger constants, and correct less than this.


class Expression(Tracer, ABC):
    """A formula that can be written and evaluated: `value` is that of its printed form.

    Its `residue` tells which are equal for all numbers.  Operators and ops give expressions that
    are simplified as by hand: equal factors, like terms and numbers are gathered, fractions cancel.
    """

    value: float
    residue: int

    @abstractmethod
    def write(self, style: Style, numbers: bool = False) -> Text:
        """The expression in a style, with its symbols or with their numbers in their places."""

    @cached_property
    def key(self) -> str:
        """What is the same for expressions that are written alike."""
        return self.write(TEXT).text

    @property
    def slope(self) -> Slope:
        """Its value with its residue."""
        return Slope(self.value, self.residue, self.magnitude())

    def size(self) -> int:
        """The number of its symbols and numbers."""
        return 1

    def exact(self, numbers: bool) -> bool:
        """Whether what is written, in symbols or in numbers, has all digits."""
        return not numbers or is_exact(self.value)

    def magnitude(self) -> float:
        """Its value with the sizes of its terms and factors, which bounds the rounding error."""
        return abs(self.value)

    def cost(self, given: Collection[int]) -> int:
        """The number of its operations, outside of parts whose `id` is among the given."""
        return 0

    def inside(self) -> Iterator[Expression]:
        """Itself and all its parts."""
        yield self

    def replaced(self, change: Callable[[Expression], Expression | None]) -> Expression:
        """The expression with other parts in the place of those that `change` does not keep."""
        return change(self) or self

    def plain(self) -> Expression:
        """The expression with the weight itself for each of its copies."""
        return self.replaced(lambda part: part.stands_for if isinstance(part, Symbol) else None)

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Expression:
        given = [as_expression(operand) for operand in operands]
        simplified = SIMPLIFIED.get(op.operator)
        return applied(op, given) if simplified is None else simplified(*given)


class Number(Expression):
    """A number, kept as a fraction: what is gathered from others is exact."""

    def __init__(self, value: float | Fraction) -> None:
        self.value = float(value)
        self.fraction = Fraction(value) if math.isfinite(value) else None
        exact = self.fraction
        self.residue = residue(self.value) if exact is None else residue_of(exact)

    def exact(self, numbers: bool) -> bool:
        return is_exact(self.value) and self.fraction == Fraction(self.value)

    def write(self, style: Style, numbers: bool = False) -> Text:
        return write_number(self.value, style)


class Symbol(Expression):
    """Something that is written as a whole, with a value.

    A copy `stands_for` the weight that it is a copy of; `marked` is its LaTeX with marks of nodes.
    """

    def __init__(
        self, slope: Slope, text: Text, latex: Text, stands_for: Symbol | None = None
    ) -> None:
        self.value, self.residue, self.bound = slope.value, slope.residue, slope.size
        self.text, self.latex, self.marked, self.stands_for = text, latex, latex, stands_for

    def magnitude(self) -> float:
        return self.bound

    @classmethod
    def named(cls, slope: Slope, name: str, stands_for: Symbol | None = None) -> Symbol:
        """A symbol written as a name is."""
        text, latex = label(name), latex_name(name)
        # LaTeX refuses a second superscript, and q⁽⁵⁾² is hard to read.
        binds = POWER if "^" in latex or NUMBERED.search(text) else ATOM
        return cls(slope, Text(text, binds), Text(latex, binds), stands_for)

    def numbered(self, count: int, stands_for: Symbol | None = None) -> Symbol:
        """The symbol with a number in brackets behind it."""
        text, latex = [Text(f"{one.text}[{count}]", one.binds) for one in (self.text, self.latex)]
        return Symbol(self.slope, text, latex, stands_for or self.stands_for)

    def write(self, style: Style, numbers: bool = False) -> Text:
        if numbers:
            return write_number(self.value, style)
        latex = self.marked if style is MARKED else self.latex
        return self.text if style.column == "text" else latex


class Compound(Expression):
    """An expression made of others, its `parts`, by a number of `operations`."""

    operations: int
    parts: tuple[Expression, ...]

    def size(self) -> int:
        return sum([part.size() for part in self.parts])

    def exact(self, numbers: bool) -> bool:
        return all(part.exact(numbers) for part in self.parts)

    def cost(self, given: Collection[int]) -> int:
        if id(self) in given:
            return 0
        return self.operations + sum([part.cost(given) for part in self.parts])

    def inside(self) -> Iterator[Expression]:
        yield self
        for part in self.parts:
            yield from part.inside()

    def replaced(self, change: Callable[[Expression], Expression | None]) -> Expression:
        return change(self) or self._with([part.replaced(change) for part in self.parts])

    @abstractmethod
    def _with(self, parts: Sequence[Expression]) -> Expression:
        """The expression made of other parts."""


class Applied(Compound):
    """An op applied to expressions, not simplified."""

    def __init__(self, op: Op, operands: Sequence[Expression]) -> None:
        self.op, self.parts, self.operations = op, tuple(operands), 1
        self.value = op.value(*[operand.value for operand in operands])
        self.residue = residue_after(op, [operand.residue for operand in operands])

    def write(self, style: Style, numbers: bool = False) -> Text:
        return write(self.op, *[x.write(style, numbers) for x in self.parts], style=style)

    def _with(self, parts: Sequence[Expression]) -> Expression:
        return Applied(self.op, parts)


class Product(Compound):
    """A number times powers of expressions that are not products; negative powers divide."""

    def __init__(self, coefficient: Fraction, factors: Sequence[Factor]) -> None:
        self.coefficient, self.factors = coefficient, tuple(factors)
        self.parts = tuple([factor for factor, _ in factors])
        powers = sum([1 + (abs(power) > 1) for _, power in factors])
        self.operations = powers - (abs(coefficient) == 1)
        above = [factor.value**power for factor, power in factors if power > 0]
        below = [factor.value**-power for factor, power in factors if power < 0]
        self.value = math.prod(above, start=float(coefficient))
        self.value = ops.div.value(self.value, math.prod(below)) if below else self.value
        self.residue = residue_of(coefficient)
        for factor, power in factors:
            raised = pow(factor.residue, power, PRIME) if factor.residue else 0
            self.residue = self.residue * raised % PRIME

    def write(self, style: Style, numbers: bool = False) -> Text:
        """−2(15 − 17)·4: between a number or parentheses and parentheses stands no dot."""
        above = [(factor, power) for factor, power in self.factors if power > 0]
        below = [(factor, -power) for factor, power in self.factors if power < 0]
        over, under = self.halves()
        if not below and under == 1:
            return self._row(over, above, style, numbers)
        halves = (abs(over), above), (under, below)
        top, bottom = [self._row(*half, style, numbers) for half in halves]
        quotient = write(ops.div, top, bottom, style=style)
        if self.coefficient > 0:
            return quotient
        return Text(f"{style.minus}{quotient.text}", min(SIGN, quotient.binds))

    @staticmethod
    def _row(coefficient: Fraction, factors: Sequence[Factor], style: Style, numbers: bool) -> Text:
        """A product of positive powers."""
        bare = abs(coefficient) == 1 and bool(factors)
        pieces = [] if bare else [write_number(float(abs(coefficient)), style).text]
        written = Text("")
        for factor, power in factors:
            written = factor.write(style, numbers)
            if power != 1:
                # tanh(x)², but (∂L/∂x)²
                least = CALL if isinstance(factor, Applied) else ATOM
                base = Text(style.fit(written, least))
                written = write(ops.pow, base, Text(str(power)), style=style)
            # A sign is in parentheses too: 4(−2).
            signed = written.binds == SIGN
            alone = len(factors) == 1 and bare and coefficient > 0
            fit = written.text if alone else style.fit(written, PRODUCT)
            pieces.append(style.enclose(written.text) if signed and not alone else fit)
        text = pieces[0]
        for place, (before, piece) in enumerate(pairwise(pieces)):
            closed = before.endswith(")") or before.startswith(r"\frac")
            joined = (closed or (place == 0 and not bare)) and piece.startswith(style.opening)
            text += piece if joined else f"{style.dot}{piece}"
        if coefficient < 0:
            return Text(f"{style.minus}{text}", SIGN)
        if len(pieces) > 1:
            return Text(text, PRODUCT)
        return written if bare else write_number(float(coefficient), style)

    def size(self) -> int:
        return (abs(self.coefficient) != 1) + super().size()

    def exact(self, numbers: bool) -> bool:
        return all(map(is_exact, map(float, self.halves()))) and super().exact(numbers)

    def halves(self) -> tuple[Fraction, Fraction]:
        """The coefficient as what stands above and below the line: 2/3, but 0.75."""
        whole = self.coefficient
        if is_exact(float(whole)) and Fraction(float(whole)) == whole:
            return whole, Fraction(1)
        if whole.denominator > LARGEST_DENOMINATOR:
            return Fraction(float(whole)), Fraction(1)
        return Fraction(whole.numerator), Fraction(whole.denominator)

    def magnitude(self) -> float:
        sizes = [factor.magnitude() ** power for factor, power in self.factors if power > 0]
        values = [abs(factor.value) ** power for factor, power in self.factors if power < 0]
        return math.prod([*sizes, *values], start=float(abs(self.coefficient)))

    def _with(self, parts: Sequence[Expression]) -> Expression:
        powers = [power for _, power in self.factors]
        raised = [_power(part, power) for part, power in zip(parts, powers, strict=True)]
        return product([Number(self.coefficient), *raised])


class Sum(Compound):
    """A sum of expressions that are not sums."""

    def __init__(self, terms: Sequence[Expression]) -> None:
        self.parts, self.operations = tuple(terms), len(terms) - 1
        self.value = summed([term.value for term in terms])
        self.residue = sum([term.residue for term in terms]) % PRIME

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

    def _with(self, parts: Sequence[Expression]) -> Expression:
        return total(parts)


Factor: TypeAlias = tuple[Expression, int]
Factors: TypeAlias = tuple[Factor, ...]


def as_expression(thing: Any) -> Expression:
    return thing if isinstance(thing, Expression) else Number(float(thing))


def as_product(expression: Expression) -> tuple[Fraction, Factors]:
    """The coefficient of an expression, and its other factors with their powers."""
    if isinstance(expression, Product):
        return expression.coefficient, expression.factors
    if isinstance(expression, Number) and expression.fraction is not None:
        return expression.fraction, ()
    return UNIT, ((expression, 1),)


def product(expressions: Iterable[Expression]) -> Expression:
    """The product, its numbers and its equal factors gathered; 0 where a number in it is 0."""
    coefficient = UNIT
    powers: dict[str, tuple[Expression, int]] = {}
    for expression in expressions:
        number, factors = as_product(expression)
        coefficient = number if coefficient is UNIT else coefficient * number
        for factor, power in factors:
            key = factor.key
            before = powers[key][1] if key in powers else 0
            powers[key] = (factor, before + power)
    factors = tuple([(factor, power) for factor, power in powers.values() if power])
    if coefficient == 0 or not factors:
        return Number(coefficient)
    ((factor, power), *others) = factors
    if coefficient == 1 and power == 1 and not others:
        return factor
    return Product(coefficient, factors)


def total(expressions: Iterable[Expression]) -> Expression:
    """The sum, without zeros, with its numbers and its like terms added up."""
    gathered: dict[object, tuple[Fraction, Factors]] = {}
    for expression in expressions:
        for term in _terms(expression):
            coefficient, factors = as_product(term)
            like = frozenset([(factor.key, power) for factor, power in factors])
            before, first = gathered.get(like, (Fraction(0), factors))
            gathered[like] = (before + coefficient, first)
    pairs = [(coefficient, factors) for coefficient, factors in gathered.values() if coefficient]
    if len(pairs) > 1:
        if pairs[0][0] < 0 and all(len(factors) < 2 for _, factors in pairs):
            pairs.sort(key=lambda pair: pair[0] < 0)  # y − x, not −x + y
        return _over_one_denominator(pairs)
    return _of_factors(*pairs[0]) if pairs else Number(0.0)


def _terms(expression: Expression) -> Sequence[Expression]:
    """The terms of a sum, and of x − (y − z)."""
    if isinstance(expression, Product) and expression.coefficient == -1:
        ((factor, power), *others) = expression.factors
        if isinstance(factor, Sum) and power == 1 and not others:
            return [product([Number(-1.0), term]) for term in factor.parts]
    return expression.parts if isinstance(expression, Sum) else [expression]


def _of_factors(coefficient: Fraction, factors: Sequence[Factor]) -> Expression:
    return product([Number(coefficient), *[_power(factor, power) for factor, power in factors]])


def _over_one_denominator(pairs: Sequence[tuple[Fraction, Factors]]) -> Expression:
    """The sum of products; what divides all of them divides the sum."""
    lists = [{factor.key: (factor, power) for factor, power in factors} for _, factors in pairs]
    shared = {
        key: (factor, max([powers[key][1] for powers in lists]))
        for key, (factor, power) in lists[0].items()
        if all(key in powers and powers[key][1] < 0 for powers in lists)
    }
    if not shared:
        return Sum([_of_factors(*pair) for pair in pairs])
    common = [(factor, -power) for factor, power in shared.values()]
    lifted = [_of_factors(c, (*factors, *common)) for c, factors in pairs]
    return product([total(lifted), *[_power(factor, -power) for factor, power in common]])


def _power(x: Expression, power: int) -> Expression:
    """A whole power."""
    coefficient, factors = as_product(x)
    if not coefficient and power < 0:
        return Applied(ops.pow, [x, Number(power)])
    raised, scaled = [(factor, power * own) for factor, own in factors], coefficient**power
    if scaled == 1 and len(raised) == 1 and raised[0][1] == 1:
        return raised[0][0]
    return Product(scaled, raised) if raised and scaled else Number(scaled)


def applied(op: Op, operands: Sequence[Expression]) -> Expression:
    """The op applied, or what it comes to at almost every point.

    Two quantities are equal only where they are the same; none is larger than a guard against
    overflow; what a number chooses is the operand, or 0; what corrects rounding is 0.
    """
    numbers = [operand for operand in operands if isinstance(operand, Number)]
    value = op.value(*[operand.value for operand in operands])
    if len(numbers) == len(operands):
        return Number(value)
    if op.algebra is operator.mul:
        return product(operands)
    if op.flat and op.arity == 2 and op.value(0.0, 1.0) == op.value(1.0, 0.0):  # =
        return Number(op.value(0.0, float(operands[0].residue != operands[1].residue)))
    if op.chooses and isinstance(operands[1], Number):
        return operands[0] if op.value(1.0, operands[1].value) == 1.0 else Number(0.0)
    if op.holds and abs(value) < TINY:
        return Number(0.0)
    if op.flat and any(abs(number.value) >= LARGE for number in numbers):
        return Number(value)
    return guarded(op, operands) or Applied(op, operands)


def guarded(op: Op, operands: Sequence[Expression]) -> Expression | None:
    """The operand that passes a guard against overflow unchanged, as in max(x, −1.8×10³⁰⁸)."""
    sizes = [abs(x.value) if isinstance(x, Number) else 0.0 for x in operands]
    if max(sizes) < LARGE or min(sizes) > 0.0:
        return None
    (other,) = [x for x in operands if not isinstance(x, Number)]
    return other if op.value(*[x.value for x in operands]) == other.value else None


def _raise(x: Expression, y: Expression) -> Expression:
    if isinstance(y, Number) and y.value in (0.0, 1.0, 2.0, 3.0, 4.0):
        return product([x] * int(y.value))
    return applied(ops.pow, [x, y])


def _divide(x: Expression, y: Expression) -> Expression:
    if (isinstance(y, Number) and y.value == 0.0) or y.residue == 0:
        return applied(ops.div, [x, y])
    return product([x, _power(y, -1)])


SIMPLIFIED: Final[dict[object, Callable[..., Expression]]] = {
    operator.add: lambda x, y: total([x, y]),
    operator.sub: lambda x, y: total([x, product([Number(-1.0), y])]),
    operator.mul: lambda x, y: product([x, y]),
    operator.truediv: _divide,
    operator.pow: _raise,
    operator.neg: lambda x: product([Number(-1.0), x]),
}
