"""Sections of a derivation as LaTeX, Markdown and HTML, in lines that fit a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape, unescape
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import tostring

from ..graph.marks import MARKED, PLACES, link
from ..graph.notation import LATEX, Style, as_ascii, letter_width
from ..program.displays import Display
from .document import Equation, Row, Section, Sentence, in_line
from .expressions import Expression

#: Widths are in points, for the font size of 10 points; A4 less 25 mm on both sides has 455.
LINE: Final = 440.0
INDENT: Final = 20.0  # of a line that goes on, by \quad and \qquad
SHORT: Final = 60  # characters of an equation whose sides are on one line
LONG_LEFT: Final = 0.35  # part of a line from which on a left side has one for itself
SIGN: Final = 12.3  # of + and =, with the space around
LETTER: Final = 6.0
WIDTHS: Final[Mapping[str, float]] = {
    **dict.fromkeys("mwMNWQKUHGVOXDAC", 9.5),
    **dict.fromkeys("ijltI'!:;.,|", 4.2),
    **dict.fromkeys("+-=<>≈≤≥", SIGN),
    **dict.fromkeys("()[]/", 4.0),
    **dict.fromkeys("0123456789", 5.0),
    " ": 0.0,
}
COMMANDS: Final[Mapping[str, float]] = {
    **{r"\cdot": 7.3, r"\times": SIGN, r"\approx": SIGN, r"\ge": SIGN, r"\le": SIGN},
    **{r"\quad": 10.0, r"\qquad": 20.0, r"\partial": 5.8, r"\log": 13.0, r"\bmod": 28.0},
    **dict.fromkeys([r"\exp", r"\sin", r"\cos", r"\tanh", r"\max", r"\min"], 21.0),
    **dict.fromkeys([r"\left", r"\right", r"\bigl", r"\bigr"], 3.0),
}
TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
BREAKS: Final = (" + ", " - ", r" \cdot ", " / ")
WORDS: Final = re.compile(r"\\(text|mathrm|operatorname)\{((?:\\.|[^{}\\])*)\}")
TAGS: Final = {"text": "mtext", "mathrm": "mi", "operatorname": "mo"}
RELATIONS: Final = {"=": "=", "≈": r"\approx", ">": ">", "<": "<", "≥": r"\ge", "≤": r"\le"}


# --- lines that fit ------------------------------------------------------------------------------


def argument(latex: str, start: int) -> int:
    """Where the braces that open at the start are closed, behind the brace.

    >>> argument(r"{a{b}}c", 0)
    6
    """
    depth = 0
    for token in TOKEN.finditer(latex, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(latex)


@cache
def width(latex: str) -> float:
    """How wide a formula is on paper, in points: a little more than it is.

    >>> width(r"\\frac{x}{y + z}") < width(r"x / (y + z)") < 45
    True
    """
    total, place = 0.0, 0
    while place < len(latex):
        token = TOKEN.match(latex, place)
        assert token is not None
        text, place = token[0], token.end()
        if text in (r"\frac", "^", "_"):
            ends = [place, argument(latex, place)]
            if text == r"\frac":
                ends.append(argument(latex, ends[1]))
            inside = [width(latex[a:b]) for a, b in pairwise(ends)]
            total += 0.85 * inside[0] + 1.0 if text in "^_" else max(inside) + 3.0
            place = ends[-1]
        elif text in (r"\text", r"\mathrm", r"\operatorname"):
            end = argument(latex, place)
            words = re.sub(r"\\(.)", r"\1", latex[place + 1 : end - 1])
            total += sum(map(letter_width, words))
            place = end
        elif text.startswith("\\"):
            total += COMMANDS.get(text, 0.0 if "dot" in text else 7.0)
        elif text not in "{}" and text < PLACES:
            total += WIDTHS.get(text, LETTER if text.islower() else 8.5)
    return total


class Piece(NamedTuple):
    """What stays on one line, the number of parentheses around it, and the sign before it."""

    text: str
    depth: int
    sign: str = ""


def pieces(latex: str) -> list[Piece]:
    """A formula cut wherever a line may end: before signs, dots, and one of two factors in ().

    >>> [piece.text for piece in pieces(r"= a + \\left(b - c\\right)\\left(d\\right)")]
    ['= a', ' + \\\\left(b', ' - c\\\\right)', '\\\\left(d\\\\right)']
    """
    found, depth, start, place, at, sign = [], 0, 0, 0, 0, ""
    while place < len(latex):
        here = next((one for one in BREAKS if latex.startswith(one, place)), "")
        factor = latex.startswith(r"\left(", place) and latex.endswith(")", 0, place)
        if (here or factor) and place > start:
            found.append(Piece(latex[start:place], at, sign))
            start, at, sign = place, depth, here
            place += len(here)
            continue
        if latex[place] == "{":
            place = argument(latex, place)
            continue
        token = TOKEN.match(latex, place)
        assert token is not None
        depth += {r"\left": 1, r"\right": -1}.get(token[0], 0)
        place = token.end() if token[0] not in (r"\left", r"\right") else token.end() + 1
    return [*found, Piece(latex[start:], at, sign)]


def broken(latex: str, room: float, later: float) -> list[str]:
    """The formula in lines of these widths: the first, and all later ones.

    >>> broken("= a + b + c", 40.0, 60.0)
    ['= a + b', '+ c']
    """
    if width(latex) <= room:
        return [latex]
    wide = re.search(r"\\frac", latex)
    found = pieces(_flat(latex, later) if wide else latex)
    lines: list[str] = []
    while found:
        size, fits = 0.0, 0
        for piece in found:
            size += width(piece.text)
            if fits and size > room:
                break
            fits += 1
        if fits < len(found):
            # The outermost break of those that leave a line no shorter than a third.
            sizes = [width("".join([p.text for p in found[:n]])) for n in range(1, fits + 1)]
            good = [n for n in range(1, fits + 1) if sizes[n - 1] > room / 3] or [fits]
            fits = min(good, key=lambda n: (found[n].depth, found[n].sign == r" \cdot ", -n))
        text = "".join([piece.text for piece in found[:fits]]).strip()
        joined = lines and not found[0].sign and text.startswith(r"\left(")
        lines.append(rf"\cdot {text}" if joined else text)
        found, room = found[fits:], later
    return [_unpaired(line) for line in lines]


def _flat(latex: str, room: float) -> str:
    """The formula with fractions that are wider than the room as quotients on the line."""
    start = latex.find(r"\frac{")
    while start >= 0:
        middle = argument(latex, start + len(r"\frac"))
        end = argument(latex, middle)
        if width(latex[start:end]) > 0.5 * room and r"\partial" not in latex[start : start + 15]:
            top, bottom = latex[start + len(r"\frac{") : middle - 1], latex[middle + 1 : end - 1]
            over, under = (rf"\left({part}\right)" for part in (top, bottom))
            latex = f"{latex[:start]}{over} / {under}{latex[end:]}"
        start = latex.find(r"\frac{", start + 1)
    return latex


def _unpaired(line: str) -> str:
    r"""The line with \bigl and \bigr for parentheses whose other half is on another line."""
    waiting, alone = [], []
    for found in re.finditer(r"\\(left|right)(?![A-Za-z])", line):
        if found[1] == "left":
            waiting.append(found)
        elif waiting:
            waiting.pop()
        else:
            alone.append(found)
    for found in sorted([*waiting, *alone], key=lambda one: -one.start()):
        big = r"\bigl" if found[1] == "left" else r"\bigr"
        line = line[: found.start()] + big + line[found.end() :]
    return line


class Lines(NamedTuple):
    """Equations as rows of two columns, the left sides and the others, with room for these."""

    rows: list[tuple[str, str]]
    room: float
    shown: Display | None = None


def laid_out(parts: Sequence[Equation | Row], style: Style) -> Lines:
    """Equations one below the other, each in as many lines as it needs."""
    rows: list[tuple[str, str]] = []
    lefts = [part.write(style)[0] for part in parts if isinstance(part, Equation)]
    short = [size for left in lefts if (size := width(left)) <= LONG_LEFT * LINE]
    margin = max(short, default=0.0)
    for part in parts:
        if isinstance(part, Row):
            rows += [("", line) for line in _in_rows(part, style)]
            continue
        left, sides = part.write(style)
        room = LINE - margin
        if width(left) > LONG_LEFT * LINE:
            rows.append(("", left))
            left = ""
        if len(in_line(part)) <= SHORT and width(" ".join(sides)) <= room:
            sides = [" ".join(sides)]
        for side in sides:
            first, *more = broken(side, room, room - INDENT)
            rows.append((left, first))
            rows += [("", rf"\qquad {line}") for line in more]
            left = ""
    return Lines(rows, LINE - margin)


def _in_rows(row: Row, style: Style) -> list[str]:
    """Short equations, as many on a line as fit it."""
    lines: list[str] = []
    for part in row:
        one = _inline(part, style)
        joined = rf"{lines[-1]}, \quad {one}" if lines else one
        if lines and width(joined) <= LINE:
            lines[-1] = joined
        else:
            lines += broken(one, LINE, LINE - INDENT)
    return lines


def _inline(part: Equation | Sentence, style: Style) -> str:
    """An equation, or a sentence, as one formula."""
    if isinstance(part, Sentence):
        return part.write(_in_text, lambda formula: formula.write(style).text)
    left, sides = part.write(style)
    return " ".join([left, *sides])


def _in_text(words: str) -> str:
    """Words in a formula, and relations as they are."""
    relation = RELATIONS.get(words.strip())
    return rf"\text{{{words}}}" if relation is None else f" {relation} "


# --- LaTeX and Markdown --------------------------------------------------------------------------


def as_latex(sections: Sequence[Section]) -> str:
    """The equations as LaTeX, an `aligned` block for each section, its title as a comment."""
    return "\n".join(
        [
            f"% {section.title}\n{_aligned(block.rows)}"
            for section in sections
            for block in _blocks(section)
            if isinstance(block, Lines)
        ]
    )


def _blocks(section: Section, style: Style = LATEX) -> Iterator[Sentence | Lines]:
    """The sentences, and the lines of the equations between them."""
    for kind, group in groupby(section.body, type):
        parts: list[Any] = list(group)
        if kind is Sentence:
            yield from parts
        elif issubclass(kind, Display):
            yield from [Lines(part.rows(), float("inf"), part) for part in parts]
        else:
            yield laid_out(parts, style)


def _aligned(rows: Sequence[tuple[str, str]], name: str = "aligned") -> str:
    lines = " \\\\\n".join([f"{left} &{right}".lstrip() for left, right in rows])
    return f"\\begin{{{name}}}\n{lines}\n\\end{{{name}}}\n"


def as_markdown(sections: Sequence[Section]) -> str:
    """The sections in Markdown; each \\\\ ends its line, or GitHub would drop it."""
    parts = []
    for place, section in enumerate(sections, 1):
        parts.append(f"### {place}. {section.title}")
        parts += [
            f"$$\n{_aligned(block.rows)}$$"
            if isinstance(block, Lines)
            # What Markdown would read as markup is escaped.
            else block.write(lambda words: re.sub(r"([|{}])", r"\\\1", words), _in_dollars)
            for block in _blocks(section)
        ]
    return "\n\n".join(parts) + "\n"


def _in_dollars(formula: Expression) -> str:
    return f"${formula.write(LATEX).text}$"


def as_tex(sections: Sequence[Section]) -> str:
    """A complete LaTeX document, of ASCII alone, whose lines fit the page."""
    lines = [
        r"\documentclass[a4paper]{article}",
        r"\usepackage{amsmath,graphicx}",
        r"\usepackage[margin=25mm]{geometry}",
        r"\allowdisplaybreaks",
        r"\setlength{\parindent}{0pt}",
        r"\setlength{\emergencystretch}{\hsize}",
        r"\begin{document}",
    ]
    for section in sections:
        lines.append(rf"\section{{{_tex_words(section.title)}}}")
        before: Sentence | Lines = Sentence()
        for block in _blocks(section):
            if isinstance(block, Lines):
                lines.append(_aligned(_shrunk(block), "align*").rstrip())
            else:
                paragraph = "" if isinstance(before, Lines) else "\n"
                lines.append(paragraph + block.write(_tex_words, _tex_formula))
            before = block
    text = "\n".join([*lines, r"\end{document}"]) + "\n"
    return as_ascii(WORDS.sub(_shortened, text))


def _shortened(words: re.Match[str]) -> str:
    """Words without the middle of very long ones, whose width TeX has no number for."""
    text = words[2]
    inside = text if len(text) <= 200 else f"{text[:60]} ... {text[-60:]}"
    return rf"\{words[1]}{{{inside}}}"


def _shrunk(block: Lines) -> list[tuple[str, str]]:
    """The rows, with right sides made smaller where no break makes them fit."""
    rows = []
    for left, right in block.rows:
        if width(right) > block.room:
            right = rf"\resizebox{{{block.room:.0f}pt}}{{!}}{{$\displaystyle {right}$}}"
        rows.append((left, right))
    return rows


def _tex_formula(formula: Expression) -> str:
    latex = formula.write(LATEX).text
    return f"${latex}$" if width(latex) <= LINE else rf"\resizebox{{0.97\hsize}}{{!}}{{${latex}$}}"


def _tex_words(words: str) -> str:
    signs = {sign: f"${command}$" for sign, command in RELATIONS.items()}
    escaped = {character: f"\\{character}" for character in "{}#%&_$"}
    written = {**signs, **escaped, "∂": r"$\partial$", "|": "$|$"}
    return "".join([written.get(character, character) for character in words])


# --- HTML ----------------------------------------------------------------------------------------

INSIDE: Final = (
    "h2,summary{font-size:1.1rem;font-weight:bold;margin:2rem 0 .5rem}"
    "summary{cursor:pointer}details details summary{font-size:1rem;margin:.5rem 0}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td{padding:.3rem .3rem;white-space:nowrap}td:first-child{text-align:right}"
    "math{font-size:1.15em}.numbers td,.numbers th{text-align:right;padding:.1rem .6rem}"
    "@media print{math{font-size:1em}"
    "table{display:table;overflow:visible}tr{break-inside:avoid}h2{break-after:avoid}"
    "details::details-content{content-visibility:visible;display:block;height:auto}}"
)
STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0 auto;max-width:60rem;padding:1rem 1.5rem 4rem;"
    "font:17px/1.6 DejaVu Sans,Verdana,Helvetica,Arial,sans-serif}h1{font-size:1.5rem}"
    f"@page{{size:A4;margin:20mm}}{INSIDE}"
    "@media print{body{max-width:none;padding:0;font-size:10pt}}"
)


def as_html(title: str, sections: Sequence[Section], fold: bool = False) -> str:
    """A complete page with its formulas in MathML: it fetches nothing and runs no script.

    With `fold`, all steps but the first are closed: a click shows a hint, another one the step.
    """
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f"{as_fragment(sections, fold)}\n</html>\n"
    )


def as_fragment(sections: Sequence[Section], fold: bool = False, style: Style = MARKED) -> str:
    """The sections in HTML, to be put into a page; marked, symbols have `data-node`."""
    found = []
    for place, section in enumerate(sections, 1):
        head, body = f"{place}. {escape(section.title)}", "\n".join(_html_blocks(section, style))
        if fold and place > 1:
            hint = f"<p>{escape(section.hint)}</p>" if section.hint else ""
            step = f"<details><summary>Show this step</summary>\n{body}</details>"
            found.append(f"<details><summary>{head}</summary>\n{hint}{step}</details>")
        else:
            found.append(f"<h2>{head}</h2>\n{body}")
    return "\n".join(found)


def _html_blocks(section: Section, style: Style) -> Iterator[str]:
    for block in _blocks(section, style):
        if isinstance(block, Sentence):
            words = block.write(escape, lambda formula: _mathml(formula.write(style).text))
            yield f"<p>{words}</p>"
        elif block.shown is not None:
            yield block.shown.html(lambda latex: _mathml(latex, large=True))
        else:
            yield f"<table>{chr(10).join(map(_html_row, block.rows))}</table>"


def _html_row(row: tuple[str, str]) -> str:
    left, right = [_mathml(cell, large=True) if cell else "" for cell in row]
    return f"<tr><td>{left}</td><td>{right}</td></tr>"


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
            if command == "text":  # a space at an end would be lost
                element.text = re.sub(r"^ | $", "\u00a0", element.text)
        elif element.text:
            element.text = unescape(element.text)  # symbols come as character references
    if large:
        formula.set("displaystyle", "true")
    link(formula)
    return tostring(formula, encoding="unicode")
