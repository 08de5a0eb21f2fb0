"""Sections of a derivation as LaTeX, Markdown and HTML, in lines that fit a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from itertools import groupby
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import tostring

from ..graph.marks import MARKED, last_mark, link
from ..graph.notation import LATEX, Style, as_ascii
from ..program.displays import Beside, Display
from ..program.lines import INDENT, LINE, broken, width
from .document import Equation, Row, Section, Sentence, in_line
from .expressions import Expression

#: What a document begins with.
HEAD: Final = (
    r"\documentclass[a4paper]{article}",
    r"\usepackage{amsmath,graphicx}",
    r"\usepackage[hmargin=15mm,vmargin=10mm,footskip=7mm,includefoot]{geometry}",
    r"\allowdisplaybreaks",
    r"\makeatletter\renewcommand\section{",
    r"\@startsection{section}{1}{0pt}{-1.5ex plus -0.5ex}{0.4ex}{\normalfont\bfseries}}",
    r"\makeatother",
    r"\setlength{\parindent}{0pt}",
    r"\setlength{\emergencystretch}{\hsize}",
)
#: And that of a derivation alone, so that a usual one has one page.
COMPACT: Final = (
    r"\AtBeginDocument{\small",
    *[rf"\setlength{{\{place}displayskip}}{{2pt plus 2pt}}" for place in ("above", "below")],
    r"\setlength{\jot}{2pt}}",
)
#: Of tables side by side, which may go on to the next page between any two rows of them.
SMALL: Final = (
    r"\raggedright\footnotesize\setlength{\arraycolsep}{2.5pt}\smallskip"
    r"\lineskiplimit3pt\lineskip3pt\clubpenalty0\widowpenalty0"
)
CLOSE: Final = r"\lineskiplimit0pt\lineskip1pt "  # what is in one of them
SHORT: Final = 60  # characters of an equation whose sides are on one line
SHORT_SIDE: Final = 70.0  # of a side that needs no line of its own: a result, or the next copy
LONG_LEFT: Final = 0.35  # part of a line from which on a left side has one for itself
WORDS: Final = re.compile(r"\\(text|mathrm|operatorname)\{((?:\\.|[^{}\\])*)\}")
TAGS: Final = {"text": "mtext", "mathrm": "mi", "operatorname": "mo"}
RELATIONS: Final = {"=": "=", "≈": r"\approx", ">": ">", "<": "<", "≥": r"\ge", "≤": r"\le"}


# --- lines that fit ------------------------------------------------------------------------------


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
        for place, side in enumerate(sides):
            joined = f"{rows[-1][1]} {side}" if place else ""
            if place and width(side) <= SHORT_SIDE and width(joined) <= room:
                rows[-1] = (rows[-1][0], joined)
                continue
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


def as_tex(sections: Sequence[Section], compact: bool = True) -> str:
    """A complete LaTeX document, of ASCII alone, whose lines fit the page."""
    lines = [*HEAD, *(COMPACT if compact else ()), r"\begin{document}"]
    for section in sections:
        lines.append(rf"\section{{{_tex_words(section.title)}}}")
        before: Sentence | Lines = Sentence()
        for block in _blocks(section):
            if isinstance(block, Lines) and isinstance(block.shown, Beside):
                row = "\n\\hskip 1em\n".join(
                    [f"${{{CLOSE}{one}}}$" for one in block.shown.blocks()]
                )
                lines.append(f"\n{{{SMALL}\n{row}\n\\par\\par}}")
            elif isinstance(block, Lines):
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
    return f"${latex}$" if width(latex) <= LINE else rf"\resizebox{{0.85\hsize}}{{!}}{{${latex}$}}"


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
    ".beside{display:flex;flex-wrap:wrap;gap:.8rem 2.5rem;align-items:flex-start}"
    "math{font-size:1.15em}.numbers td,.numbers th{text-align:right;padding:.1rem .6rem}"
    ".numbers th{border-bottom:1px solid}"
    "@media print{h2,summary{font-size:9.5pt;margin:.6rem 0 .2rem}p{margin:.2rem 0}"
    "td{padding:.1rem .2rem}.numbers td,.numbers th{padding:0 .3rem}.beside{gap:.4rem 1.2rem}"
    "table{display:table;overflow:visible}tr{break-inside:avoid}h2{break-after:avoid}"
    "details::details-content{content-visibility:visible;display:block;height:auto}}"
)
STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0 auto;max-width:60rem;padding:1rem 1.5rem 4rem;"
    "font:17px/1.6 DejaVu Sans,Verdana,Helvetica,Arial,sans-serif}h1{font-size:1.5rem}"
    f"@page{{size:A4;margin:12mm}}{INSIDE}"
    "@media print{body{max-width:none;padding:0;font-size:8.5pt;line-height:1.25}"
    "h1{font-size:12pt;margin:0}}"
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
            yield f"<table>{chr(10).join(_html_rows(block.rows))}</table>"


def _html_rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Rows with the mark of the quantity that they define, or that the derivative is by."""
    about = ""
    for row in rows:
        about = last_mark(row[0]) if row[0] else about
        left, right = [_mathml(cell, large=True) if cell else "" for cell in row]
        mark = f' data-node="{about}"' if about else ""
        yield f"<tr{mark}><td>{left}</td><td>{right}</td></tr>"


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
