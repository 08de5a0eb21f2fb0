"""Formulas and tables that write themselves as text, in LaTeX and in HTML."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import zip_longest
from operator import add
from typing import Any, Final

from ..graph.notation import (
    LATEX,
    TEXT,
    Style,
    Text,
    label,
    latex_name,
    number,
    places,
    write,
    write_number,
)
from ..graph.walk import depth_first
from ..ops.op import ATOM, POWER, Op
from .formulas import Formula

WIDTH: Final = 74
LONGEST: Final = 240  # characters of LaTeX
STYLES: Final = (TEXT, LATEX)
STRUT: Final = r"\rule{0pt}{2.4ex}"  # room over the letters of a row
FRACTION: Final = re.compile(
    r"\\frac\{(\\partial(?:\^\{\+\})? L)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
)
TIMES_TEN: Final = re.compile("×10([⁰¹²³⁴-⁹⁻]+)")
SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
BETWEEN: Final = 2  # places between the columns of a table
APART: Final = 5  # places between what stands side by side


class Display(ABC):
    """A part that writes itself: formulas one below the other, a table, a matrix."""

    @abstractmethod
    def lines(self) -> list[str]:
        """Its lines in Unicode, without an indent."""

    @abstractmethod
    def rows(self) -> list[tuple[str, str]]:
        """The left and right sides of the rows of an `aligned` block in LaTeX."""

    @abstractmethod
    def html(self, formula: Callable[[str], str]) -> str:
        """Its HTML, in which `formula` gives the MathML of LaTeX."""

    def blocks(self) -> list[str]:
        """Its parts in LaTeX, each to be set on a line beside others."""
        lines = [rf"{left} &{right}" for left, right in self.rows()]
        body = " \\\\\n".join(lines)
        return [f"\\begin{{aligned}}[t]\n{body}\n\\end{{aligned}}"]


class Lines(Display):
    """Equations, one below the other, with their first signs aligned."""

    def __init__(self, *equations: Sequence[Formula]) -> None:
        self.equations = equations

    def lines(self) -> list[str]:
        """Each equation on its line, broken before signs where it is long."""
        found = []
        for left, *sides in self.equations:
            line = " = ".join([left.text, *[side.text for side in sides]])
            pad = "      "
            while len(line) > WIDTH:
                at = max([line.rfind(sign, 12, WIDTH) for sign in (" + ", "  for ")])
                if at < 0:
                    break
                found.append(line[:at])
                line = pad + line[at:].lstrip()
            found.append(line)
        return found

    def rows(self) -> list[tuple[str, str]]:
        """The equations, with a break where one is long."""
        found = []
        for left, *sides in self.equations:
            row, length, name = "= ", len(left.text), left.latex
            for place, side in enumerate(sides):
                parts = _split(side)
                for part in parts:
                    sign = "= " if part is parts[0] and place else ""
                    if length + len(part.text) > WIDTH and length > 12:
                        found.append((name, row.rstrip()))
                        row, length, name = rf"\quad {sign}", 4, ""
                    elif sign:
                        row += sign
                    row += part.latex + " "
                    length += len(part.text)
            found.append((name, row.rstrip()))
        return found

    def html(self, formula: Callable[[str], str]) -> str:
        """A table with a row per equation."""
        rows = []
        for left, *sides in self.equations:
            right = " = ".join([side.latex for side in sides])
            cells = f"<td>{formula(left.latex)}</td><td>{formula('= ' + right)}</td>"
            rows.append(f"<tr>{cells}</tr>")
        return f"<table>{''.join(rows)}</table>"


class Beside(Display):
    """Displays side by side, as far as there is room for them."""

    def __init__(self, *parts: Display) -> None:
        self.parts = parts

    def lines(self) -> list[str]:
        """The parts in rows, one below the other."""
        found: list[str] = []
        row: list[str] = []
        for part in self.parts:
            lines = part.lines()
            start = max(map(places, row), default=0) + APART
            both = [
                f"{left}{' ' * (start - places(left))}{right}"
                for left, right in zip_longest(row, lines, fillvalue="")
            ]
            if row and max(map(len, both)) <= WIDTH:
                row = both
            else:
                found += row
                row = lines
        return [line.rstrip() for line in [*found, *row]]

    def rows(self) -> list[tuple[str, str]]:
        """The parts, one below the other."""
        return [row for part in self.parts for row in part.rows()]

    def html(self, formula: Callable[[str], str]) -> str:
        """The parts in a box that breaks its line where it is full."""
        return f'<div class="beside">{"".join([part.html(formula) for part in self.parts])}</div>'

    def blocks(self) -> list[str]:
        """Those of all parts."""
        return [block for part in self.parts for block in part.blocks()]


def _split(side: Formula) -> list[Formula]:
    """The terms of a sum, for a break between them."""
    texts, latexes = [one.split(" + ") for one in side]
    if len(texts) != len(latexes) or any(t.count("(") != t.count(")") for t in texts):
        return [side]
    signs = ["", *["+ "] * (len(texts) - 1)]
    return [Formula(s + t, s + x) for s, t, x in zip(signs, texts, latexes, strict=True)]


class Grid(Display):
    """A table of numbers with a head, cut into several side by side where it is wide.

    The first `fixed` columns are repeated in each part.
    """

    def __init__(
        self, head: Sequence[Formula], numbers: Sequence[Sequence[str]], fixed: int
    ) -> None:
        self.head, self.numbers, self.fixed = head, numbers, fixed

    def _widths(self) -> list[int]:
        texts = [[name.text for name in self.head], *self.numbers]
        return [max(map(places, column)) for column in zip(*texts, strict=True)]

    def fits(self) -> bool:
        """Whether it is written in one part."""
        return sum(self._widths()) + BETWEEN * (len(self.head) - 1) <= WIDTH

    def _parts(self) -> Iterator[list[int]]:
        """The places of the columns of each part."""
        widths = [width + BETWEEN for width in self._widths()]
        first = list(range(self.fixed))
        part, width = list(first), sum(widths[: self.fixed])
        for column in range(self.fixed, len(self.head)):
            if width + widths[column] > WIDTH + BETWEEN and len(part) > self.fixed:
                yield part
                part, width = list(first), sum(widths[: self.fixed])
            part.append(column)
            width += widths[column]
        yield part

    def lines(self) -> list[str]:
        """The parts, one below the other."""
        found: list[str] = []
        widths = self._widths()
        for part in self._parts():
            texts = [[name.text for name in self.head], *self.numbers]
            rows = [
                (" " * BETWEEN).join(
                    [" " * (widths[column] - places(row[column])) + row[column] for column in part]
                )
                for row in texts
            ]
            rule = "─" * (sum([widths[column] for column in part]) + BETWEEN * (len(part) - 1))
            found += [*([""] if found else []), rows[0], rule, *rows[1:]]
        return found

    def rows(self) -> list[tuple[str, str]]:
        """The parts as arrays."""
        arrays = []
        for part in self._parts():
            head = STRUT + " & ".join([in_a_line(self.head[column].latex) for column in part])
            cells = [[in_latex(_cell(line[column])) for column in part] for line in self.numbers]
            body = " \\\\\n".join(map(" & ".join, cells))
            columns = "r" * self.fixed + "|" + "r" * (len(part) - self.fixed)
            array = f"{head} \\\\ \\hline{STRUT}\n{body}"
            arrays.append(("", f"\\begin{{array}}{{{columns}}}\n{array}\n\\end{{array}}"))
        return arrays

    def blocks(self) -> list[str]:
        """The parts as arrays, their first lines side by side."""
        return [array.replace("{array}", "{array}[t]", 1) for _, array in self.rows()]

    def html(self, formula: Callable[[str], str]) -> str:
        """The parts as tables."""
        tables = []
        for part in self._parts():
            head = "".join([f"<th>{_shown(self.head[column], formula)}</th>" for column in part])
            rows = [
                "".join([f"<td>{escape(row[column])}</td>" for column in part])
                for row in self.numbers
            ]
            body = "".join([f"<tr>{row}</tr>" for row in rows])
            tables.append(f'<table class="numbers"><tr>{head}</tr>{body}</table>')
        return "\n".join(tables)


def in_a_line(latex: str) -> str:
    """LaTeX with its fractions written as ∂L/∂W."""
    return FRACTION.sub(r"\1/\2", latex)


def in_latex(written: str) -> str:
    """Numbers as `number` writes them, in LaTeX: 1.2e-9 for 1.2×10⁻⁹."""
    return TIMES_TEN.sub(
        lambda found: rf"\mathrm{{e}}{{{found[1].translate(SUPERSCRIPTS)}}}",
        written.replace("−", "-"),
    )


def _shown(formula: Formula, write: Callable[[str], str]) -> str:
    return write(in_a_line(formula.latex)) if formula.latex else ""


def _cell(text: str) -> str:
    return text if not text or text[0] in "-−0123456789" else latex_name(text)


def applied(op: Op, operand: Formula) -> Formula:
    """An op of one operand, written."""
    pairs = zip(operand, STYLES, strict=True)
    return Formula(*[write(op, Text(text), style=style).text for text, style in pairs])


def enclosed(formula: Formula) -> Formula:
    """The formula in parentheses."""
    return Formula(f"({formula.text})", rf"\left({formula.latex}\right)")


def derivative(under: Formula, text: str = "", latex: str = "") -> Formula:
    """∂L/∂name."""
    over = rf"\frac{{\partial{latex} L}}{{\partial {under.latex}}}"
    return Formula(f"∂{text}L/∂{under.text}", over)


def transposed(formula: Formula) -> Formula:
    """The formula with a T above."""
    bare = " " not in formula.text
    text = formula.text if bare else f"({formula.text})"
    latex = rf"{{{formula.latex}}}" if bare else rf"\left({formula.latex}\right)"
    return Formula(f"{text}ᵀ", rf"{latex}^{{\top}}")


def equated(*formulas: Formula) -> Formula:
    """The formulas with = between them."""
    return Formula(*[" = ".join(written) for written in zip(*formulas, strict=True)])


def bracketed(entries: Sequence[float]) -> Formula:
    """Numbers in brackets."""
    written = ", ".join(map(number, entries))
    return Formula(f"[{written}]", rf"\left[{in_latex(written)}\right]")


def symbol(name: str) -> Formula:
    """A name as it is shown, Q₁; or a number."""
    return Formula(name, latex_name(name) if name[:1].isalpha() else name)


def first_that_fits(*grids: Grid) -> Grid:
    """The first table that is not cut into parts, or else the last one."""
    return next((grid for grid in grids if grid.fits()), grids[-1])


def written_out(output: Any, names: Mapping[Any, Formula], style: Style) -> str:
    """A result as a formula of some nodes with names; nothing where that is long."""
    written: dict[Any, Text] = {}
    order = depth_first([output], lambda node: () if node in names else node.parents)
    for node in order:
        if node in names:
            # Of a second superscript the first is in parentheses.
            binds = POWER if "^" in names[node].latex else ATOM
            written[node] = Text(names[node][0 if style is TEXT else 1], binds)
        elif node.op is None:
            name = node.name
            shown = None if name is None else label(name) if style is TEXT else latex_name(name)
            written[node] = write_number(node.data, style) if shown is None else Text(shown)
        else:
            operands = [written[parent] for parent in node.parents]
            first, *rest = operands
            # The 0 that a sum starts from is not written, be it a number or a Value.
            starts = node.op.operator is add and first.text == "0" and node.parents[0].op is None
            written[node] = rest[0] if starts else write(node.op, *operands, style=style)
        if len(written[node].text) > LONGEST:
            return ""
    return written[output].text
