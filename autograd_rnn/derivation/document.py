"""Sentences and checked equations, printed as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Self, TypeAlias

from ..errors import DerivationError
from ..graph.notation import TEXT, Style, Text, places
from ..program.displays import Display, in_a_line
from ..program.formulas import Formula
from ..program.lines import broken_text
from .expressions import Expression, Symbol

TOLERANCE: Final = 1e-7  # less than the six digits in print show: what cancels is rounded
WIDTH: Final = 78
INDENT: Final = "  "
DEEPER: Final = "    "  # of a line that goes on
SHORT: Final = 14  # places of a side that needs no line of its own: a result, or the next copy
LONG_LEFT: Final = 26  # places of a left side from which on it has a line for itself
#: A column within a sentence lies down: [1; Q; X].
COLUMN: Final = re.compile(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}")
COLUMN_BREAK, COMMA = r" \\ ", r";\, "


class Side(NamedTuple):
    """A side of an equation, in symbols or in numbers."""

    expression: Expression
    numbers: bool = False

    def write(self, style: Style) -> str:
        """The side in a style."""
        return self.expression.write(style, self.numbers).text

    def relation(self, style: Style) -> str:
        """The sign before the side: ≈ if its numbers are rounded in print, or else =."""
        return "=" if self.expression.exact(self.numbers) else style.about


class Equation(NamedTuple):
    """Two or more sides that have the same value."""

    left: Expression
    sides: Sequence[Side]

    def write(self, style: Style) -> tuple[str, list[str]]:
        """The left side in a style, and the other sides, each after its sign."""
        sides = [f"{side.relation(style)} {side.write(style)}" for side in self.sides]
        return self.left.write(style).text, sides

    @property
    def expressions(self) -> Iterator[Expression]:
        """Both sides, and all further ones."""
        yield self.left
        yield from [side.expression for side in self.sides]

    def check(self) -> None:
        """`DerivationError` unless the sides are equal here, and in symbols for all numbers."""
        left = self.left
        sizes = [side.expression.magnitude() for side in self.sides]
        most = TOLERANCE * max(left.magnitude(), *sizes, 0.0)
        for side in self.sides:
            value = side.expression.value
            if not (math.isfinite(value) and abs(value - left.value) <= most):
                raise DerivationError(
                    f"{left.write(TEXT).text} is {left.value!r}, but {side.write(TEXT)} comes to "
                    f"{value!r}: the numbers are too small or too large for floats."
                )
            if not side.numbers and side.expression.residue != left.residue:
                raise DerivationError(
                    f"{left.write(TEXT).text} = {side.write(TEXT)} holds at this point, but not "
                    f"for all numbers."
                )


class Sentence(tuple[str | Expression, ...]):
    """Words and expressions."""

    def __new__(cls, *parts: str | Expression) -> Self:
        return super().__new__(cls, parts)

    def __getnewargs__(self) -> tuple[str | Expression, ...]:
        return tuple(self)  # which copies are made of

    def write(self, words: Callable[[str], str], formula: Callable[[Expression], str]) -> str:
        """The sentence, its words and its expressions written by these functions."""
        return "".join([words(p) if isinstance(p, str) else formula(p) for p in self])


class Inline(Expression):
    """A formula within a sentence."""

    def __init__(self, formula: Formula) -> None:
        flat = COLUMN.sub(
            lambda found: rf"\left[{found[1].replace(COLUMN_BREAK, COMMA)}\right]", formula.latex
        )
        self.formula, self.value = Formula(formula.text, in_a_line(flat)), 0.0

    def write(self, style: Style, numbers: bool = False) -> Text:
        return Text(self.formula.text if style.column == "text" else self.formula.latex)


class Row(tuple[Equation | Sentence, ...]):
    """Short equations on one line, and sentences that are as short."""


Part: TypeAlias = Sentence | Equation | Row | Display


class Section(NamedTuple):
    """A step of a derivation: sentences, equations, and rows of them; `hint` leads to it."""

    title: str
    body: Sequence[Part]
    hint: str = ""

    @property
    def equations(self) -> Iterator[Equation]:
        """All equations, in order."""
        for part in self.body:
            if isinstance(part, Equation):
                yield part
            elif isinstance(part, Row):
                yield from [one for one in part if isinstance(one, Equation)]

    @property
    def symbols(self) -> Iterator[Symbol]:
        """All symbols in equations and sentences, in order."""
        for part in self.body:
            parts = part if isinstance(part, Row) else [] if isinstance(part, Display) else [part]
            for one in parts:
                whole = one.expressions if isinstance(one, Equation) else one
                for expression in whole:
                    if not isinstance(expression, str):
                        yield from [s for s in expression.inside() if isinstance(s, Symbol)]


def check(sections: Sequence[Section]) -> None:
    """`DerivationError` unless all equations hold, and each written symbol stands for one thing."""
    meanings: dict[str, Symbol] = {}
    for section in sections:
        for equation in section.equations:
            equation.check()
        for symbol in section.symbols:
            first = meanings.setdefault(symbol.key, symbol)
            if first.residue != symbol.residue:
                raise DerivationError(
                    f"{symbol.key} would stand for {first.value!r} and for {symbol.value!r}."
                )


# --- text ----------------------------------------------------------------------------------------


def as_text(sections: Sequence[Section]) -> str:
    """The sections in Unicode, for a terminal."""
    lines = []
    for place, section in enumerate(sections, 1):
        lines += ["", f"{place}. {section.title}", ""]
        for part in section.body:
            if isinstance(part, Sentence):
                lines += _wrapped(in_line(part).split(" "), INDENT, " ")
            elif isinstance(part, Display):
                lines += [(2 * INDENT + line).rstrip() for line in part.lines()]
            elif isinstance(part, Row):
                lines += _wrapped([in_line(one) for one in part], 2 * INDENT, ",  ")
            else:
                lines += _stacked(part)
    return "\n".join(lines[1:]) + "\n"


def in_line(equation: Equation | Sentence) -> str:
    """An equation or a sentence on one line of text."""
    if isinstance(equation, Sentence):
        return equation.write(str, lambda formula: formula.write(TEXT).text)
    left, sides = equation.write(TEXT)
    return " ".join([left, *sides])


def _stacked(equation: Equation) -> list[str]:
    """The equation on one line if it fits, or else a line per side with the signs aligned."""
    line = 2 * INDENT + in_line(equation)
    if places(line) <= WIDTH:
        return [line]
    left, sides = equation.write(TEXT)
    lines, margin = [], 2 * INDENT + left + " "
    if places(left) > LONG_LEFT:
        lines, margin = [margin.rstrip()], 4 * INDENT
    pad = " " * places(margin)
    room = WIDTH - len(pad)
    for side in sides:
        if margin is pad and places(side) <= SHORT and places(f"{lines[-1]} {side}") <= WIDTH:
            lines[-1] += f" {side}"
            continue
        first, *more = broken_text(side, room, room - len(DEEPER))
        lines += [margin + first, *[f"{pad}{DEEPER}{later}" for later in more]]
        margin = pad
    return lines


def _wrapped(pieces: Sequence[str], indent: str, between: str) -> list[str]:
    """The pieces on as many lines as they need; one that is too long is broken between words."""
    lines, line = [], indent
    room = WIDTH - len(between.rstrip())
    for piece in pieces:
        if line != indent and places(line + between + piece) > room:
            lines.append(line + between.rstrip())
            line = indent
        if places(line + piece) > room and between != " ":
            *full, piece = _wrapped(piece.split(" "), indent + DEEPER, " ")
            lines += [full[0].replace(DEEPER, "", 1), *full[1:]] if full else []
            line = piece
        else:
            line += piece if line == indent else f"{between}{piece}"
    return [*lines, line]
