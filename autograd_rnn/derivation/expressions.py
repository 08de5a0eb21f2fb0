"""Written expressions that know their value: symbols, ops, products and sums, as text and LaTeX."""

from __future__ import annotations

import math
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from string import Formatter
from typing import Any, Final

from ..graph.notation import ACCENTS, Text, label, number, superscript, write
from ..ops import table as ops
from ..ops.op import ATOM, CALL, POWER, PRODUCT, SIGN, SUM, Op

# --- names in LaTeX ------------------------------------------------------------------------------

LETTER: Final = re.compile(rf"(\w)([{''.join(ACCENTS)}]?)([₀-₉]*)(?:⁽([⁰¹²³⁴-⁹]+)⁾)?")
WORD: Final = re.compile(r"([A-Za-z]+)([₀-₉]*)(?:⁽([⁰¹²³⁴-⁹]+)⁾)?")
BELOW: Final = re.compile(r"([^\W\d_])_([A-Za-z0-9]+)(?:⁽([⁰¹²³⁴-⁹]+)⁾)?")
DIGITS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹", "01234567890123456789")
COMMANDS: Final = (r"\dot", r"\ddot", r"\dddot", r"\ddddot")
# No command for these works both in LaTeX and in the browsers' MathJax.
LOOKALIKES: Final = str.maketrans({"\\": "∖", "^": "ˆ", "~": "∼"})
GREEK: Final = re.compile("GREEK (SMALL|CAPITAL) LETTER (\\w+)")
# Unicode's names of Greek letters that LaTeX has under another name, or as Latin ones.
RENAMED: Final = {"lamda": "lambda", "Lamda": "Lambda"}
LATIN: Final = frozenset(
    [
        *("omicron", "Alpha", "Beta", "Epsilon", "Zeta", "Eta", "Iota", "Kappa", "Mu", "Nu"),
        *("Omicron", "Rho", "Tau", "Chi"),
    ]
)


def latex_name(name: str) -> str:
    r"""The name in LaTeX, with its accent, subscript and number of the step.

    >>> latex_name("w_1"), latex_name("π⃛"), latex_name("w₁⁽⁵⁾"), latex_name("loss")
    ('w_{1}', '\\dddot{\\pi}', 'w_{1}^{(5)}', '\\mathrm{loss}')
    """
    shown = unicodedata.normalize("NFD", label(name))
    match = LETTER.fullmatch(shown)
    base = None if match is None else _letter(match[1])
    if match is not None and base is not None:
        if match[2]:
            base = f"{COMMANDS[ACCENTS.index(match[2])]}{{{base}}}"
        subscript, step = match[3].translate(DIGITS), match[4]
    elif (match := BELOW.fullmatch(shown)) and (base := _letter(match[1])):
        subscript, step = match[2], match[3]
        if len(subscript) > 1 and not subscript.isdigit():
            subscript = rf"\mathrm{{{subscript}}}"
    else:
        match = WORD.fullmatch(shown)
        if match is None:
            escaped = re.sub(r"([{}$&#_%])", r"\\\1", label(name).translate(LOOKALIKES))
            return rf"\text{{{' '.join(escaped.split())}}}"
        base = rf"\mathrm{{{match[1]}}}"
        subscript, step = match[2].translate(DIGITS), match[3]
    below = f"_{{{subscript}}}" if subscript else ""
    above = f"^{{({step.translate(DIGITS)})}}" if step else ""
    return base + below + above


def _letter(character: str) -> str | None:
    if character.isascii():
        return character if character.isalpha() else None
    greek = GREEK.fullmatch(unicodedata.name(character, ""))
    if greek is None:
        return None
    command = greek[2].lower() if greek[1] == "SMALL" else greek[2].capitalize()
    return None if command in LATIN else f"\\{RENAMED.get(command, command)}"


# --- styles --------------------------------------------------------------------------------------


class Style:
    """How expressions are written: as Unicode text; `LaTeX` writes the same as LaTeX."""

    dot, minus, opening = "·", "−", "("
    equals, about = "=", "≈"

    def symbol(self, symbol: Symbol) -> Text:
        return symbol.text

    def number(self, x: float) -> Text:
        text = number(x, digits=6, whole=15)
        return Text(text, SIGN if text.startswith("−") else PRODUCT if "×" in text else ATOM)

    def apply(self, op: Op, operands: Sequence[Text]) -> Text:
        first = operands[0]
        if first.binds == SIGN and SUM < op.binds < CALL:
            operands = [Text(self.parentheses(first.text)), *operands[1:]]  # (−2)·x
        return write(op, *operands)

    def power(self, base: Text, exponent: int) -> Text:
        return Text(f"{self.fit(base, ATOM)}{superscript(str(exponent))}", POWER)

    def parentheses(self, text: str) -> str:
        return f"({text})"

    def fit(self, written: Text, least: int) -> str:
        """The text, in parentheses where it binds less than it has to."""
        return written.text if written.binds >= least else self.parentheses(written.text)

    def times(self, coefficient: float, factors: Sequence[Text]) -> Text:
        """−2(15 − 17)·4: a factor in parentheses needs no dot before it."""
        bare = abs(coefficient) == 1.0
        pieces = [] if bare else [self.number(abs(coefficient)).text]
        for factor in factors:
            # A sign is in parentheses too: 4(−2).
            loose = factor.binds < PRODUCT or factor.binds == SIGN
            pieces.append(self.parentheses(factor.text) if loose else factor.text)
        text = pieces[0]
        for place, (before, piece) in enumerate(pairwise(pieces)):
            joined = self.joins(before) or (place == 0 and not bare)
            close = joined and piece.startswith(self.opening)
            text += piece if close else f"{self.dot}{piece}"
        if coefficient > 0.0:
            return Text(text, PRODUCT)
        return Text(f"{self.minus}{text}", SIGN)

    def joins(self, before: str) -> bool:
        """Whether parentheses need no dot before them."""
        return before.endswith(")")

    def plus(self, terms: Sequence[Text]) -> Text:
        """A term with a minus sign is subtracted; a sum among them is in parentheses."""
        text = terms[0].text
        for term in terms[1:]:
            if term.text.startswith(self.minus):
                text += f" {self.minus} {term.text[1:]}"
            else:
                text += f" + {self.fit(term, SUM + 1)}"
        return Text(text, SUM)


class LaTeX(Style):
    """LaTeX, as MathJax reads it too."""

    dot, minus, opening = r" \cdot ", "-", r"\left("
    equals, about = "=", r"\approx"

    def symbol(self, symbol: Symbol) -> Text:
        return symbol.latex

    def number(self, x: float) -> Text:
        text, binds = super().number(x)
        mantissa, times, power = text.replace("−", "-").partition("×10")
        if times:
            plain = unicodedata.normalize("NFKC", power).replace("−", "-")
            mantissa += rf" \times 10^{{{plain}}}"
        return Text(mantissa, binds)

    def joins(self, before: str) -> bool:
        return before.startswith(r"\frac") or super().joins(before)

    def apply(self, op: Op, operands: Sequence[Text]) -> Text:
        fitted, braced = [], False
        places = [piece for piece in Formatter().parse(op.latex) if piece[1] is not None]
        for place, (before, *_) in enumerate(places):
            inside = before.endswith("{")
            braced = braced or (place == 0 and inside)
            text, binds = operands[place]
            loose = not inside and op.binds < CALL and _is_loose(op, binds, place)
            fitted.append(self.parentheses(text) if loose else text)
        # A fraction or a root holds together by itself.
        return Text(op.latex.format(*fitted), CALL if braced else op.binds)

    def power(self, base: Text, exponent: int) -> Text:
        return Text(f"{self.fit(base, ATOM)}^{{{exponent}}}", POWER)

    def parentheses(self, text: str) -> str:
        return rf"\left({text}\right)"


def _is_loose(op: Op, binds: int, place: int) -> bool:
    if binds == SIGN:
        return place > 0 or op.binds > SUM
    return binds < op.binds if place == 0 and op.binds <= PRODUCT else binds <= op.binds


TEXT: Final = Style()
LATEX: Final = LaTeX()


def shown_exactly(x: float) -> bool:
    """Whether the number is written with all its digits."""
    mantissa, _, power = number(x, digits=6, whole=15).replace("−", "-").partition("×10")
    exponent = unicodedata.normalize("NFKC", power).replace("−", "-") or "0"
    return float(f"{mantissa}e{exponent}") == x


# --- expressions ---------------------------------------------------------------------------------


class Expression(ABC):
    """What can be written, and evaluated: `value` is what the printed form comes to.

    Operators, and calls of ops of the table, give expressions that are simplified a little: factors
    and terms are gathered, and numbers are worked out.
    """

    __slots__ = ("value",)
    value: float

    @abstractmethod
    def write(self, style: Style, numbers: bool = False) -> Text:
        """The expression in a style, with its symbols or with their numbers in their places."""

    def size(self) -> int:
        """How many symbols and numbers stand in it."""
        return 1

    def exact(self) -> bool:
        """Whether its numbers are written with all their digits."""
        return shown_exactly(self.value)

    def has_symbols(self) -> bool:
        """Whether there is anything in it but numbers."""
        return True

    def map(self, change: Callable[[Symbol], Expression]) -> Expression:
        """The expression with each symbol changed."""
        return self

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Expression:
        given = [as_expression(operand) for operand in operands]
        if op.operator is None:
            return applied(op, given)
        gathered: Expression = op.operator(*given)
        return gathered

    def __add__(self, other: Any) -> Expression:
        return total([self, as_expression(other)])

    def __radd__(self, other: Any) -> Expression:
        return total([as_expression(other), self])

    def __sub__(self, other: Any) -> Expression:
        return total([self, -as_expression(other)])

    def __rsub__(self, other: Any) -> Expression:
        return total([as_expression(other), -self])

    def __mul__(self, other: Any) -> Expression:
        return product([self, as_expression(other)])

    def __rmul__(self, other: Any) -> Expression:
        return product([as_expression(other), self])

    def __truediv__(self, other: Any) -> Expression:
        return _divide(self, as_expression(other))

    def __rtruediv__(self, other: Any) -> Expression:
        return _divide(as_expression(other), self)

    def __pow__(self, other: Any) -> Expression:
        return _raise(self, as_expression(other))

    def __neg__(self) -> Expression:
        return product([Number(-1.0), self])

    def magnitude(self) -> float:
        """The expression with the sizes of its terms and factors, to compare rounded sums by."""
        return abs(self.value)

    def cost(self, given: Collection[int]) -> int:
        """How many operations are in it, leaving out what has its `id` among the given."""
        return 0


class Number(Expression):
    """A number; `pinned` says that it holds at this point only, as the slope of a kink does."""

    __slots__ = ("pinned",)

    def __init__(self, value: float, pinned: bool = False) -> None:
        self.value = value
        self.pinned = pinned

    def write(self, style: Style, numbers: bool = False) -> Text:
        return style.number(self.value)

    def has_symbols(self) -> bool:
        return False


class Symbol(Expression):
    """A name with a value, as text and in LaTeX; equal to another one if their keys are."""

    __slots__ = ("key", "latex", "stands_for", "text")

    def __init__(
        self,
        key: Any,
        value: float,
        text: str,
        latex: str,
        binds: int = ATOM,
        stands_for: Symbol | None = None,
    ) -> None:
        self.key, self.value = key, value
        self.text, self.latex = Text(text, binds), Text(latex, binds)
        self.stands_for = stands_for

    def write(self, style: Style, numbers: bool = False) -> Text:
        return style.number(self.value) if numbers else style.symbol(self)

    def map(self, change: Callable[[Symbol], Expression]) -> Expression:
        return change(self)


class Applied(Expression):
    """An op applied to expressions, just as it was."""

    __slots__ = ("op", "operands")

    def __init__(self, op: Op, operands: Sequence[Expression]) -> None:
        self.op, self.operands = op, tuple(operands)
        self.value = op.value(*[operand.value for operand in operands])

    def write(self, style: Style, numbers: bool = False) -> Text:
        return style.apply(self.op, [operand.write(style, numbers) for operand in self.operands])

    def size(self) -> int:
        return sum([operand.size() for operand in self.operands])

    def exact(self) -> bool:
        return all(operand.exact() for operand in self.operands)

    def cost(self, given: Collection[int]) -> int:
        return 0 if id(self) in given else 1 + sum([x.cost(given) for x in self.operands])

    def map(self, change: Callable[[Symbol], Expression]) -> Expression:
        return Applied(self.op, [operand.map(change) for operand in self.operands])


class Product(Expression):
    """A number times powers of expressions that are no products."""

    __slots__ = ("coefficient", "factors")

    def __init__(self, coefficient: float, factors: Sequence[tuple[Expression, int]]) -> None:
        self.coefficient, self.factors = coefficient, tuple(factors)
        self.value = math.prod(
            [factor.value**power for factor, power in factors], start=coefficient
        )

    def write(self, style: Style, numbers: bool = False) -> Text:
        written = []
        for factor, power in self.factors:
            base = factor.write(style, numbers)
            written.append(base if power == 1 else style.power(base, power))
        return style.times(self.coefficient, written)

    def size(self) -> int:
        return (abs(self.coefficient) != 1.0) + sum([factor.size() for factor, _ in self.factors])

    def exact(self) -> bool:
        return shown_exactly(self.coefficient) and all(f.exact() for f, _ in self.factors)

    def magnitude(self) -> float:
        sizes = [factor.magnitude() ** power for factor, power in self.factors]
        return math.prod(sizes, start=abs(self.coefficient))

    def cost(self, given: Collection[int]) -> int:
        pieces = (abs(self.coefficient) != 1.0) + sum([power for _, power in self.factors])
        return pieces - 1 + sum([factor.cost(given) for factor, _ in self.factors])

    def map(self, change: Callable[[Symbol], Expression]) -> Expression:
        changed = [factor.map(change) for factor, power in self.factors for _ in range(power)]
        return product([Number(self.coefficient), *changed])


class Sum(Expression):
    """A sum of expressions that are no sums."""

    __slots__ = ("terms",)

    def __init__(self, terms: Sequence[Expression]) -> None:
        self.terms = tuple(terms)
        value = terms[0].value
        for term in terms[1:]:
            value += term.value
        self.value = value

    def write(self, style: Style, numbers: bool = False) -> Text:
        return style.plus([term.write(style, numbers) for term in self.terms])

    def size(self) -> int:
        return sum([term.size() for term in self.terms])

    def exact(self) -> bool:
        return all(term.exact() for term in self.terms)

    def magnitude(self) -> float:
        return sum([term.magnitude() for term in self.terms])

    def cost(self, given: Collection[int]) -> int:
        return len(self.terms) - 1 + sum([term.cost(given) for term in self.terms])

    def map(self, change: Callable[[Symbol], Expression]) -> Expression:
        return total([term.map(change) for term in self.terms])


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
    """The sum, without zeros; its plain numbers worked out where nothing else is in it."""
    terms = [
        term
        for expression in expressions
        for term in (expression.terms if isinstance(expression, Sum) else [expression])
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
    """The op applied, as a number where that is all there is to it.

    An op without slopes, a comparison, is a number at each point: 1 on one side and 0 on the other.
    """
    value = op.value(*[operand.value for operand in operands])
    if op.flat:
        return Number(value, pinned=True)
    if all(isinstance(operand, Number) for operand in operands):
        return Number(value)
    return Applied(op, operands)


def _divide(x: Expression, y: Expression) -> Expression:
    if isinstance(y, Number) and y.value == 1.0:
        return x
    return applied(ops.div, [x, y])


def _raise(x: Expression, y: Expression) -> Expression:
    if isinstance(y, Number) and y.value in (0.0, 1.0, 2.0, 3.0, 4.0):
        return product([x] * int(y.value))
    return applied(ops.pow, [x, y])


# --- derivatives ---------------------------------------------------------------------------------


def fraction(
    over: Symbol, under: Symbol, value: float, *, total: bool = False, holding: bool = False
) -> Symbol:
    """∂over/∂under; d for a total derivative, |S for one that holds the rest of a set S fixed."""
    d, command = ("d", "d ") if total else ("∂", r"\partial ")
    text = f"{d}{_held(over)}/{d}{_held(under)}"
    latex = rf"\frac{{{command}{over.latex.text}}}{{{command}{under.latex.text}}}"
    if holding:
        text, latex = f"{text}|S", rf"\left.{latex}\right|_{{S}}"
    return Symbol(("slope", over.key, under.key, total, holding), value, text, latex, CALL)


def _held(symbol: Symbol) -> str:
    return symbol.text.text if symbol.text.binds == ATOM else f"({symbol.text.text})"


def prime(op: Op, operand: Expression, value: float, key: Any, letter: str | None = None) -> Symbol:
    """f′(x) for an op of one operand, under a letter of its own where it has one."""
    text = op.text.partition("({})")[0] if op.text.endswith("({})") else op.name
    latex = rf"\operatorname{{{op.name}}}".replace("_", r"\_")
    if op.latex.endswith(r"\left({}\right)"):
        latex = op.latex.removesuffix(r"\left({}\right)").format()
    if letter is not None:
        text = latex = letter
    inner, inner_latex = operand.write(TEXT).text, operand.write(LATEX).text
    return Symbol(
        ("prime", key), value, f"{text}′({inner})", rf"{latex}'\left({inner_latex}\right)", CALL
    )
