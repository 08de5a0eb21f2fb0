"""A sheet as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

from ...graph.identities import Slope, residue
from ...graph.notation import ACCENTS, LATEX, Text, as_ascii, number
from ..document import Part, Row, Section, Sentence, as_text
from ..expressions import Expression, Symbol
from ..typeset import RELATIONS, STYLE, as_fragment, as_markdown, as_tex
from .figure import Figure
from .question import Field, Question

WORKING: Final = "Solution"
ROWS: Final = 40  # of a table, so that it fits the page


class Item(NamedTuple):
    """A part of a sheet: a heading, what is below it, and a picture or a table of answers."""

    title: str
    body: Sequence[Part]
    figure: Figure | None = None
    answers: Sequence[Sequence[str]] = ()


class Page(NamedTuple):
    """A sheet as it is printed: its title, a line below it, and its parts."""

    title: str
    line: str
    items: Sequence[Item]


def page_of(title: str, code: str, questions: Sequence[Question], solutions: bool) -> Page:
    """The page of the questions, with the answers and the solutions if asked for."""
    items = [
        Item(f"{place}. {one.title} (level {one.level})", [*one.body, *one.options], one.figure)
        for place, one in enumerate(questions, 1)
    ]
    if solutions:
        items.append(Item("Answers", [], None, list(answer_rows(questions))))
        for place, one in enumerate(questions, 1):
            body: list[Part] = []
            for section in one.solution:
                body += [Sentence(f"{section.title}:"), *section.body]
            items.append(Item(f"{WORKING} {place}", body))
    return Page(title, f"Sheet {code}", items)


def answer_rows(questions: Sequence[Question]) -> Iterator[Sequence[str]]:
    """The table of answers: the number of the exercise, what is asked for, and the answer."""
    yield ("exercise", "asked for", "answer")
    for place, one in enumerate(questions, 1):
        for letter, field in zip("abcdefghijklmnopqrstuvwxyz", one.fields, strict=False):
            mark = f"{place}{letter}" if len(one.fields) > 1 else str(place)
            yield (mark, field.name, written_answer(field))


def written_answer(field: Field) -> str:
    """The answer as text: −16, 0.125, 7.63×10⁻⁶, AC."""
    if isinstance(field.answer, str):
        return ", ".join(field.answer)
    return number(field.answer, digits=7, whole=15)


# --- formulas in words ---------------------------------------------------------------------------

SIGNS: Final[Mapping[str, str]] = {
    **{"π": r"\pi ", "σ": r"\sigma ", "∂": r"\partial ", "→": r"\to ", "−": "-", "′": "'"},
    **{"·": r"\cdot ", "≈": r"\approx ", "…": r"\dots ", "×": r"\times "},
    **{"{": r"\{", "}": r"\}"},
}
RAISED: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾"
LOWERED: Final = "₀₁₂₃₄₅₆₇₈₉"
RUN: Final = re.compile(f"([{RAISED}]+)|([{LOWERED}]+)")
LEVEL: Final = str.maketrans(RAISED + LOWERED, "0123456789-()0123456789")
ABOVE: Final = dict(
    zip("\u0307\u0308\u20db\u20dc", ("dot", "ddot", "dddot", "ddddot"), strict=True)
)
#: A word with signs that LaTeX has no letters for, without the punctuation around it.
FORMULA: Final = re.compile(r"[^\s,;:.!?]*[^\x00-\x7f][^\s,;:.!?]*")


def as_formula(word: str) -> str:
    """The LaTeX of a name or a formula that stands among words.

    >>> as_formula("∂L/∂ẇ₁")
    '\\\\partial L/\\\\partial \\\\dot{w}_{1}'
    """
    found: list[str] = []
    for sign in unicodedata.normalize("NFD", word):
        if sign in ABOVE and found:
            found[-1] = rf"\{ABOVE[sign]}{{{found[-1].strip()}}}"
        else:
            found.append(SIGNS.get(sign, sign))
    return RUN.sub(_moved, "".join(found))


def _moved(run: re.Match[str]) -> str:
    """Raised or lowered digits as LaTeX has them."""
    return f"{'^' if run[1] else '_'}{{{run[0].translate(LEVEL)}}}"


def with_formulas(body: Sequence[Part]) -> list[Part]:
    """The body with the formulas in its sentences as such, for what has no such letters."""
    found: list[Part] = []
    for part in body:
        if isinstance(part, Row):
            row = [_split(one) if isinstance(one, Sentence) else one for one in part]
            found.append(Row(row))
        else:
            found.append(_split(part) if isinstance(part, Sentence) else part)
    return found


def _split(words: Sentence) -> Sentence:
    parts: list[str | Expression] = []
    for part in words:
        if not isinstance(part, str) or part.strip() in RELATIONS:
            parts.append(part)
            continue
        end = 0
        for match in FORMULA.finditer(part):
            parts.append(part[end : match.start()])
            slope = Slope(0.0, residue("words", match[0]))
            parts.append(Symbol(slope, Text(match[0]), Text(as_formula(match[0]))))
            end = match.end()
        parts.append(part[end:])
    return Sentence(*[part for part in parts if part != ""])


# --- text and Markdown --------------------------------------------------------------------------


def text(page: Page) -> str:
    """The page in Unicode, for a terminal."""
    lines = [page.title, "=" * len(page.title), "", page.line, ""]
    for item in page.items:
        lines += [item.title, "-" * len(item.title), ""]
        if item.answers:
            lines += [_table(item.answers), ""]
        if item.body:
            lines += [_below_heading(as_text([Section("", item.body)])), ""]
    return "\n".join(lines).rstrip() + "\n"


def markdown(page: Page) -> str:
    """The page in Markdown, with formulas that GitHub and Jupyter render."""
    parts = [f"# {page.title}", page.line]
    for item in page.items:
        parts.append(f"## {item.title}")
        if item.answers:
            head, *rows = [" | ".join(row) for row in item.answers]
            bar = "|".join([" --- "] * len(item.answers[0]))
            parts.append("\n".join([f"| {head} |", f"|{bar}|", *[f"| {row} |" for row in rows]]))
        if item.body:
            parts.append(_below_heading(as_markdown([Section("", item.body)])))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns."""
    places = [[sum([c not in ACCENTS for c in cell]) for cell in row] for row in rows]
    widths = [max(column) for column in zip(*places, strict=True)]
    lines = []
    for row, sizes in zip(rows, places, strict=True):
        pads = [" " * (width - size) for width, size in zip(widths, sizes, strict=True)]
        lines.append("  ".join([cell + pad for cell, pad in zip(row, pads, strict=True)]).rstrip())
    return "\n".join([f"  {line}" for line in lines])


def _below_heading(written: str) -> str:
    """What stands below the first line, which is the heading of a section."""
    return written.partition("\n")[2].strip("\n")


# --- LaTeX ---------------------------------------------------------------------------------------


def latex(page: Page) -> str:
    """A complete LaTeX document, whose lines fit the page."""
    preamble, body = as_tex([], compact=False).split(r"\begin{document}")
    lines = [
        preamble + r"\begin{document}",
        rf"\begin{{center}}\Large {_words(page.title)}\end{{center}}",
        rf"\noindent {_words(page.line)}\hfill Name:~\rule{{50mm}}{{0.4pt}}",
    ]
    for item in page.items:
        lines.append(rf"\section*{{{_words(item.title)}}}")
        if item.figure is not None:
            lines.append(item.figure.latex() + r"\par")
        if item.answers:
            for start in range(0, len(item.answers), ROWS):
                lines.append(r"\par\noindent\begin{tabular}{lll}")
                some = item.answers[start : start + ROWS]
                lines += [" & ".join(map(_cell, row)) + r" \\" for row in some]
                lines.append(r"\end{tabular}")
        if item.body:
            lines.append(body_latex(item.body))
    return as_ascii("\n".join(lines) + body)


def body_latex(body: Sequence[Part]) -> str:
    """Sentences and equations as they stand in a LaTeX document."""
    document = as_tex([Section("", with_formulas(body))])
    inside = document.split("\\begin{document}\n")[1].split("\n\\end{document}")[0]
    return inside.partition("\n")[2]


def _words(words: str) -> str:
    return re.sub(r"([#%&_$])", r"\\\1", words)


def _cell(words: str) -> str:
    """A cell of the table, its formulas as such."""
    return FORMULA.sub(lambda match: f"${as_formula(match[0])}$", _words(words))


# --- HTML ----------------------------------------------------------------------------------------


def html(page: Page) -> str:
    """A complete page with its formulas in MathML and its pictures inside; it fetches nothing."""
    title = escape(page.title)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}svg{{max-width:100%;height:auto}}</style>\n"
        f"{fragment(page)}\n</html>\n"
    )


def fragment(page: Page) -> str:
    """The page in HTML, to be put into another."""
    parts = [f"<h1>{escape(page.title)}</h1>", f"<p>{escape(page.line)}</p>"]
    for item in page.items:
        parts.append(f"<h2>{escape(item.title)}</h2>")
        if item.figure is not None:
            parts.append(item.figure.svg())
        if item.answers:
            rows = ["".join([f"<td>{escape(cell)}</td>" for cell in row]) for row in item.answers]
            parts.append(f"<table>{''.join([f'<tr>{row}</tr>' for row in rows])}</table>")
        if item.body:
            parts.append(html_body(item.body))
    return "\n".join(parts)


def html_body(body: Sequence[Part]) -> str:
    """Sentences and equations in HTML, with formulas in MathML."""
    return _below_heading(as_fragment([Section("", body)], style=LATEX))


#: How a sheet is written, by the ending of its file.
FORMATS: Final[Mapping[str, Callable[[Page], str]]] = {
    "txt": text,
    "md": markdown,
    "tex": latex,
    "html": html,
}


def formula(symbol_latex: str) -> str:
    """A formula inside a line of HTML that MathJax reads."""
    return rf"\({escape(symbol_latex)}\)"


def mathjax(body: Sequence[Part]) -> str:
    """Sentences and equations in HTML with the formulas in LaTeX, for MathJax."""
    parts = []
    for part in with_formulas(body):
        if isinstance(part, Sentence):
            words = part.write(escape, lambda one: formula(one.write(LATEX).text))
            parts.append(f"<p>{words}</p>")
        else:
            block = as_markdown([Section("", [part])]).split("$$\n")[1].removesuffix("$$")
            parts.append(rf"<p>\[{escape(block.rpartition('$$')[0] or block)}\]</p>")
    return "\n".join(parts)
