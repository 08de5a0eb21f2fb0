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
from ..program.displays import Display
from .expressions import Expression, Number

TOLERANCE: Final = 1e-9
WIDTH: Final = 78
SHORT: Final = 60
IN_A_ROW: Final = 6
INDENT: Final = "  "

WORDS: Final = re.compile(r"\\(text|mathrm|operatorname)\{((?:\\.|[^{}\\])*)\}")
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
        numeric = self.numbers or isinstance(self.expression, Number)
        return style.about if numeric and not self.expression.exact() else "="


class Equation(NamedTuple):
    """Two or more sides that have the same value."""

    left: Expression
    sides: Sequence[Side]

    def write(self, style: Style) -> tuple[str, list[str]]:
        """The left side in a style, and the other sides, each after its sign."""
        sides = [f"{side.relation(style)} {side.write(style)}" for side in self.sides]
        return self.left.write(style).text, sides

    def check(self) -> None:
        """Evaluate all sides; `DerivationError` where two do not agree."""
        sizes = [side.expression.magnitude() for side in self.sides]
        most = TOLERANCE * max(abs(self.left.value), *sizes, 0.0)
        for side in self.sides:
            if not abs(side.expression.value - self.left.value) <= most:
                raise DerivationError(
                    f"{self.left.write(TEXT).text} is {self.left.value!r}, but "
                    f"{side.write(TEXT)} comes to {side.expression.value!r}: the numbers are too "
                    f"small or too large for floats."
                )


class Sentence(tuple[str | Expression, ...]):
    """Words and expressions."""

    def __new__(cls, *parts: str | Expression) -> Self:
        return super().__new__(cls, parts)

    def write(self, words: Callable[[str], str], formula: Callable[[Expression], str]) -> str:
        """The sentence, its words and its expressions written by these functions."""
        return "".join([words(p) if isinstance(p, str) else formula(p) for p in self])


class Row(tuple[Equation, ...]):
    """Short equations on one line."""


Part: TypeAlias = Sentence | Equation | Row | Display


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
                yield from part


# --- text ----------------------------------------------------------------------------------------


def as_text(sections: Sequence[Section]) -> str:
    """The sections in Unicode, for a terminal."""
    lines = []
    for place, section in enumerate(sections, 1):
        lines += ["", f"{place}. {section.title}", ""]
        for part in section.body:
            if isinstance(part, Sentence):
                words = part.write(str, lambda formula: formula.write(TEXT).text)
                lines += _wrapped(words.split(" "), INDENT, " ")
            elif isinstance(part, Display):
                lines += [(2 * INDENT + line).rstrip() for line in part.lines()]
            elif isinstance(part, Row):
                lines += _wrapped([_in_line(one) for one in part], 2 * INDENT, ",  ")
            else:
                lines += _stacked(part)
    return "\n".join(lines[1:]) + "\n"


def _in_line(equation: Equation) -> str:
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


def _aligned(part: Equation | Row | Display) -> str:
    if isinstance(part, Display):
        return part.latex()
    if isinstance(part, Row):
        lines = [_latex_line(one, at="") for one in part]
        most = ceil(len(lines) / ceil(len(lines) / IN_A_ROW))
        rows = [lines[start : start + most] for start in range(0, len(lines), most)]
        return ", \\\\\n".join(["& " + r", \quad ".join(row) for row in rows])
    return _latex_line(part)


def _latex_line(equation: Equation, at: str = "&") -> str:
    """All sides on one line if they are short, or else a line for each; `at` marks the signs."""
    left, sides = equation.write(LATEX)
    between = " " if _is_short(equation) else " \\\\\n&"
    return f"{left} {at}{between.join(sides)}" if sides else left


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
    plain = str.maketrans({"{": r"\{", "}": r"\}", "∂": r"$\partial$", "|": r"$|$"})
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
    ".numbers{margin:.8rem 0}.numbers td,.numbers th{text-align:right;padding:.1rem .6rem}"
    ".numbers th{border-bottom:1px solid}"
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
                elif isinstance(part, Display):
                    body.append(part.html(lambda latex: _mathml(latex, large=True)))
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
