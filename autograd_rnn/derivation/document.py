"""Sentences and checked equations, printed as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape, unescape
from itertools import groupby
from math import ceil
from typing import Final, NamedTuple, Self, TypeAlias
from xml.etree.ElementTree import tostring

from ..errors import DerivationError
from ..graph.notation import ACCENTS, LATEX, TEXT, Style
from .expressions import Expression, Symbol

TOLERANCE: Final = 1e-9
WIDTH: Final = 78
SHORT: Final = 60
IN_A_ROW: Final = 6
INDENT: Final = "  "

WORDS: Final = re.compile(r"\\(text|mathrm|operatorname)\{((?:\\.|[^{}\\])*)\}")
RELATIONS: Final = {"=": "=", "≈": r"\approx", ">": ">", "<": "<", "≥": r"\ge", "≤": r"\le"}
TAGS: Final = {"text": "mtext", "mathrm": "mi", "operatorname": "mo"}


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
        most = TOLERANCE * max(abs(left.value), *sizes, 0.0)
        for side in self.sides:
            value = side.expression.value
            if not abs(value - left.value) <= most:
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

    def write(self, words: Callable[[str], str], formula: Callable[[Expression], str]) -> str:
        """The sentence, its words and its expressions written by these functions."""
        return "".join([words(p) if isinstance(p, str) else formula(p) for p in self])


class Row(tuple[Equation | Sentence, ...]):
    """Short equations on one line, and sentences that are as short."""


Part: TypeAlias = Sentence | Equation | Row


class Section(NamedTuple):
    """A step of a derivation: sentences, equations, and rows of them."""

    title: str
    body: Sequence[Part]

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
            for one in part if isinstance(part, Row) else [part]:
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
                lines += _wrapped(_in_line(part).split(" "), INDENT, " ")
            elif isinstance(part, Row):
                lines += _wrapped([_in_line(one) for one in part], 2 * INDENT, ",  ")
            else:
                lines += _stacked(part)
    return "\n".join(lines[1:]) + "\n"


def _in_line(equation: Equation | Sentence) -> str:
    if isinstance(equation, Sentence):
        return equation.write(str, lambda formula: formula.write(TEXT).text)
    left, sides = equation.write(TEXT)
    return " ".join([left, *sides])


def _stacked(equation: Equation) -> list[str]:
    """The equation on one line if it fits, or else a line per side with the signs aligned."""
    line = 2 * INDENT + _in_line(equation)
    if len(line) <= WIDTH:
        return [line]
    left, sides = equation.write(TEXT)
    pad = 2 * INDENT + " " * (_places(left) + 1)
    lines = []
    for place, side in enumerate(sides):
        broken = _broken(side, WIDTH - len(pad))
        head = f"{2 * INDENT}{left} " if place == 0 else pad
        lines += [head + broken[0], *[f"{pad}    {more}" for more in broken[1:]]]
    return lines


def _places(text: str) -> int:
    return sum([character not in ACCENTS for character in text])


def _broken(text: str, width: int) -> list[str]:
    """The text broken before its signs, so that its lines fit the width if they can."""
    lines, words = [], text.split(" ")
    line = words[0]
    for place, word in enumerate(words[1:], 1):
        sign = word in ("+", "−")
        ahead = word if not sign else " ".join(words[place : place + 2])
        if _places(line) + 1 + _places(ahead) > width and sign:
            lines.append(line)
            line = word
        else:
            line += f" {word}"
    return [*lines, line]


def _wrapped(pieces: Sequence[str], indent: str, between: str) -> list[str]:
    """The pieces on as many lines as they need."""
    lines, line = [], indent
    for piece in pieces:
        if _places(line + between + piece) > WIDTH and line != indent:
            lines.append(line + between.rstrip())
            line = indent
        line += piece if line == indent else f"{between}{piece}"
    return [*lines, line]


# --- LaTeX and Markdown --------------------------------------------------------------------------


def as_latex(sections: Sequence[Section]) -> str:
    """The equations as LaTeX, an `aligned` block for each section, its title as a comment."""
    return "\n".join(
        [
            f"% {section.title}\n{piece}"
            for section in sections
            for piece in _pieces(section)
            if isinstance(piece, str)
        ]
    )


def _pieces(section: Section) -> Iterator[Sentence | str]:
    """The sentences, and the equations between them as `aligned` blocks."""
    for _, group in groupby(section.body, lambda part: isinstance(part, Sentence)):
        lines = []
        for part in group:
            if isinstance(part, Sentence):
                yield part
            else:
                lines.append(_aligned(part))
        if lines:
            yield "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n"


def _aligned(part: Equation | Row) -> str:
    if isinstance(part, Row):
        lines = [_latex_line(one, at="") for one in part]
        most = ceil(len(lines) / ceil(len(lines) / IN_A_ROW))
        rows = [lines[start : start + most] for start in range(0, len(lines), most)]
        return ", \\\\\n".join(["& " + r", \quad ".join(row) for row in rows])
    return _latex_line(part)


def _latex_line(equation: Equation | Sentence, at: str = "&") -> str:
    """All sides on one line if they are short, or else a line for each; `at` marks the signs."""
    if isinstance(equation, Sentence):
        return equation.write(_in_text, lambda formula: formula.write(LATEX).text)
    left, sides = equation.write(LATEX)
    between = " " if _is_short(equation) else " \\\\\n&"
    return f"{left} {at}{between.join(sides)}" if sides else left


def _in_text(words: str) -> str:
    """Words in a formula, and relations as they are."""
    relation = RELATIONS.get(words.strip())
    return rf"\text{{{words}}}" if relation is None else f" {relation} "


def _is_short(equation: Equation) -> bool:
    return len(_in_line(equation)) <= SHORT


def as_markdown(sections: Sequence[Section]) -> str:
    """The sections in Markdown; each \\\\ ends its line, or GitHub would drop it."""
    parts = []
    for place, section in enumerate(sections, 1):
        parts.append(f"### {place}. {section.title}")
        parts += [
            f"$$\n{piece}$$" if isinstance(piece, str) else _markdown_words(piece)
            for piece in _pieces(section)
        ]
    return "\n\n".join(parts) + "\n"


def _markdown_words(sentence: Sentence) -> str:
    """The words, with what Markdown would read as markup escaped, and formulas in dollars."""
    return sentence.write(lambda words: re.sub(r"([|{}])", r"\\\1", words), _in_dollars)


def _in_dollars(formula: Expression) -> str:
    return f"${formula.write(LATEX).text}$"


def as_tex(sections: Sequence[Section]) -> str:
    """A complete LaTeX document."""
    lines = [
        r"\documentclass{article}",
        r"\usepackage{amsmath}",
        r"\usepackage[margin=25mm]{geometry}",
        r"\allowdisplaybreaks",
        r"\setlength{\parindent}{0pt}",
        r"\begin{document}",
    ]
    for section in sections:
        lines.append(rf"\section{{{section.title}}}")
        before: Sentence | str = Sentence()
        for piece in _pieces(section):
            if isinstance(piece, str):
                lines.append(piece.replace("{aligned}", "{align*}").rstrip())
            else:
                paragraph = "" if isinstance(before, str) else "\n"
                lines.append(paragraph + _tex_words(piece))
            before = piece
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _tex_words(sentence: Sentence) -> str:
    signs = {sign: f"${command}$" for sign, command in RELATIONS.items()}
    plain = str.maketrans({"{": r"\{", "}": r"\}", "∂": r"$\partial$", "|": r"$|$", **signs})
    return sentence.write(lambda words: words.translate(plain), _in_dollars)


# --- HTML ----------------------------------------------------------------------------------------

STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0 auto;max-width:60rem;padding:1rem 1.5rem 4rem;"
    "font:17px/1.6 DejaVu Sans,Verdana,Helvetica,Arial,sans-serif}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;opacity:.75}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td{padding:.3rem .3rem;white-space:nowrap}td:first-child{text-align:right}"
    "math{font-size:1.15em}"
)


def as_html(title: str, sections: Sequence[Section]) -> str:
    """A complete page with its formulas in MathML: it fetches nothing and runs no script."""
    body = []
    for place, section in enumerate(sections, 1):
        body.append(f"<h2>{place}. {escape(section.title)}</h2>")
        for _, parts in groupby(section.body, lambda part: isinstance(part, Equation)):
            rows: list[str] = []
            for part in parts:
                if isinstance(part, Equation):
                    rows += _html_rows(part)
                else:
                    body.append(f"<p>{_html_line(part)}</p>")
            if rows:
                body.append("<table>" + "\n".join(rows) + "</table>")
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + "\n</html>\n"
    )


def _html_line(part: Sentence | Row) -> str:
    if isinstance(part, Row):
        return ", ".join([_mathml(_latex_line(one, at="")) for one in part])
    return part.write(escape, lambda formula: _mathml(formula.write(LATEX).text))


def _html_rows(equation: Equation) -> list[str]:
    left, sides = equation.write(LATEX)
    if _is_short(equation):
        sides = [" ".join(sides)]
    heads = [_mathml(left, large=True), *[""] * (len(sides) - 1)]
    return [
        f"<tr><td>{head}</td><td>{_mathml(side, large=True)}</td></tr>"
        for head, side in zip(heads, sides, strict=True)
    ]


def _mathml(latex: str, large: bool = False) -> str:
    """The formula in MathML; `large` sets its fractions as in a displayed formula."""
    from latex2mathml.converter import convert_to_element

    # The converter would split words into letters, and read escaped characters as markup.
    found = WORDS.finditer(latex)
    formula = convert_to_element(WORDS.sub(r"\\text{x}", latex))
    for element in formula.iter():
        if element.tag == "mtext":
            command, words = next(found).groups()
            element.tag, element.text = TAGS[command], re.sub(r"\\(.)", r"\1", words)
        elif element.text:
            element.text = unescape(element.text)  # symbols come as character references
    if large:
        formula.set("displaystyle", "true")
    return tostring(formula, encoding="unicode")
