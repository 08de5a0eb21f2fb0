"""Sentences and checked equations, printed as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil
from typing import Any, Final, NamedTuple, Self

from ..errors import DerivationError
from .expressions import LATEX, TEXT, Expression, Style

TOLERANCE: Final = 1e-9
WIDTH: Final = 78
SHORT: Final = 60
IN_A_ROW: Final = 6
INDENT: Final = "  "


class Side(NamedTuple):
    """A side of an equation, in symbols or in numbers."""

    expression: Expression
    numbers: bool = False

    def write(self, style: Style) -> str:
        """The side in a style."""
        return self.expression.write(style, self.numbers).text

    def relation(self, style: Style) -> str:
        """Whether it equals what stands before it, or was rounded to be printed."""
        numeric = self.numbers or not self.expression.has_symbols()
        return style.about if numeric and not self.expression.exact() else style.equals


class Equation:
    """Two or more sides that have the same value."""

    __slots__ = ("left", "sides")

    def __init__(self, left: Expression, sides: Sequence[Side]) -> None:
        self.left = left
        self.sides = tuple(sides)

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


class Sentence(tuple[Any, ...]):
    """Words and expressions."""

    __slots__ = ()

    def __new__(cls, *parts: Any) -> Self:
        return super().__new__(cls, parts)


class Row(tuple[Equation, ...]):
    """Short equations on one line."""

    __slots__ = ()


class Section(NamedTuple):
    """A step of a derivation: sentences, equations, and rows of them."""

    title: str
    body: Sequence[Any]

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
                lines += _wrapped(_words(part).split(" "), INDENT, " ")
            elif isinstance(part, Row):
                lines += _wrapped([_in_line(one) for one in part], 2 * INDENT, ",  ")
            else:
                lines += _stacked(part)
    return "\n".join(lines[1:]) + "\n"


def _words(sentence: Sentence) -> str:
    return "".join([p if isinstance(p, str) else p.write(TEXT).text for p in sentence])


def _in_line(equation: Equation) -> str:
    sides = "".join([f" {side.relation(TEXT)} {side.write(TEXT)}" for side in equation.sides])
    return equation.left.write(TEXT).text + sides


def _stacked(equation: Equation) -> list[str]:
    """On one line where there is room, else a line per side, the signs below each other."""
    line = 2 * INDENT + _in_line(equation)
    if len(line) <= WIDTH:
        return [line]
    left = equation.left.write(TEXT).text
    rest = [f"{side.relation(TEXT)} {side.write(TEXT)}" for side in equation.sides]
    pad = 2 * INDENT + " " * (_places(left) + 1)
    lines = []
    for place, side in enumerate(rest):
        broken = _broken(side, WIDTH - len(pad))
        head = f"{2 * INDENT}{left} " if place == 0 else pad
        lines += [head + broken[0], *[f"{pad}    {more}" for more in broken[1:]]]
    return lines


def _places(text: str) -> int:
    return sum([not _is_mark(character) for character in text])


def _is_mark(character: str) -> bool:
    return character in "\u0307\u0308\u20db\u20dc"


def _broken(text: str, width: int) -> list[str]:
    """The text cut before its signs, so that no line is too long where that can be had."""
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
        [f"% {section.title}\n{block}" for section in sections for block in _blocks(section)]
    )


def _blocks(section: Section) -> Iterator[str]:
    run: list[Any] = []
    for part in [*section.body, Sentence()]:
        if not isinstance(part, Sentence):
            run.append(part)
        elif run:
            yield "\\begin{aligned}\n" + " \\\\\n".join(map(_aligned, run)) + "\n\\end{aligned}\n"
            run = []


def _aligned(part: Any) -> str:
    if isinstance(part, Row):
        told = [_latex_line(one, at="") for one in part]
        most = ceil(len(told) / ceil(len(told) / IN_A_ROW))
        rows = [told[start : start + most] for start in range(0, len(told), most)]
        return ", \\\\\n".join(["& " + r", \quad ".join(row) for row in rows])
    return _latex_line(part)


def _latex_line(equation: Equation, at: str = "&") -> str:
    """All sides on a line where they are short, else a line for each, `at` their signs."""
    text = equation.left.write(LATEX).text
    short = _is_short(equation)
    for place, side in enumerate(equation.sides):
        step = f" {at}" if place == 0 else " " if short else " \\\\\n&"
        text += f"{step}{side.relation(LATEX)} {side.write(LATEX)}"
    return text


def _is_short(equation: Equation) -> bool:
    return len(_in_line(equation)) <= SHORT


def as_markdown(sections: Sequence[Section]) -> str:
    """The sections in Markdown; a line end follows each \\\\, else GitHub would eat it."""
    parts = []
    for place, section in enumerate(sections, 1):
        parts.append(f"### {place}. {section.title}")
        blocks = _blocks(section)
        fresh = True
        for part in section.body:
            if isinstance(part, Sentence):
                parts.append(_markdown_words(part))
                fresh = True
            elif fresh:
                parts.append(f"$$\n{next(blocks)}$$")
                fresh = False
    return "\n\n".join(parts) + "\n"


def _markdown_words(sentence: Sentence) -> str:
    """The words, with what Markdown would read as markup escaped, and formulas in dollars."""
    written = []
    for part in sentence:
        if not isinstance(part, str):
            written.append(f"${part.write(LATEX).text}$")
        else:
            written.append(part.replace("|", "\\|").replace("{", "\\{").replace("}", "\\}"))
    return "".join(written)


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
        blocks = _blocks(section)
        fresh = True
        for part in section.body:
            if isinstance(part, Sentence):
                lines.append(("\n" if fresh else "") + _tex_words(part))
                fresh = True
            elif fresh:
                inner = next(blocks)
                lines.append(inner.replace("{aligned}", "{align*}").rstrip())
                fresh = False
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _tex_words(sentence: Sentence) -> str:
    plain = str.maketrans({"{": r"\{", "}": r"\}", "∂": r"$\partial$", "|": r"$|$"})
    return "".join(
        [p.translate(plain) if isinstance(p, str) else f"${p.write(LATEX).text}$" for p in sentence]
    )


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


MARKUP: Final = {r"\_": "\ue000", r"\&": "\ue001", "<": "\ue002", ">": "\ue003"}


def as_html(title: str, sections: Sequence[Section]) -> str:
    """A page of its own with formulas in MathML: nothing is fetched, and no script runs."""
    body = []
    for place, section in enumerate(sections, 1):
        body.append(f"<h2>{place}. {escape(section.title)}</h2>")
        rows: list[str] = []
        for part in [*section.body, None]:
            if isinstance(part, Equation):
                rows += _html_rows(part)
                continue
            if rows:
                body.append("<table>" + "\n".join(rows) + "</table>")
                rows = []
            if isinstance(part, Row):
                line = ", ".join([_mathml(_latex_line(one, at="")) for one in part])
                body.append(f"<p>{line}</p>")
            elif part is not None:
                words = [
                    escape(p) if isinstance(p, str) else _mathml(p.write(LATEX).text) for p in part
                ]
                body.append(f"<p>{''.join(words)}</p>")
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + "\n</html>\n"
    )


def _html_rows(equation: Equation) -> list[str]:
    left = _mathml(equation.left.write(LATEX).text, large=True)
    sides = [f"{side.relation(LATEX)} {side.write(LATEX)}" for side in equation.sides]
    if _is_short(equation):
        sides = [" ".join(sides)]
    return [
        f"<tr><td>{'' if place else left}</td><td>{_mathml(side, large=True)}</td></tr>"
        for place, side in enumerate(sides)
    ]


def _mathml(latex: str, large: bool = False) -> str:
    """The formula in MathML, its fractions as large as a displayed formula has them, or not."""
    from latex2mathml.converter import convert

    # The converter takes the words of a name as they are, so what is markup goes around it.
    for character, stand_in in MARKUP.items():
        latex = latex.replace(character, stand_in)
    written = str(convert(latex))
    for character, stand_in in MARKUP.items():
        written = written.replace(stand_in, escape(character[-1]))
    return written.replace("<math ", '<math displaystyle="true" ', 1) if large else written
