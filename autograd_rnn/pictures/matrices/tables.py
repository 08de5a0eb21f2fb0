"""Numbers in rows and columns as a box: with their names, on shades, in blocks below each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ...graph.notation import PLAIN, Style, write_number
from .. import html_labels as html
from ..graph_view import adds_up
from ..theme import Theme, tint

MOST_NUMBERS: Final = 40  # entries of a table with numbers; larger ones have shades alone
MOST_SIDES: Final = 12
MOST_ENTRIES: Final = 12  # of vectors with numbers
CELL: Final = 22
SHADE: Final = 12
SMALL: Final = 8  # a shade that has no name beside it
NAME: Final = 20
HEAD: Final = 18
TOP: Final = 4  # over the name or the heads, whose accents are high
BETWEEN: Final = 6  # the blocks
POINTS: Final = 11
BRIEF: Final[Style] = PLAIN._replace(digits=2, whole=4)
FAINTER: Final = 3.0  # the shades under red numbers, so that these can be read


class Table(NamedTuple):
    """Numbers in rows and columns, with what it is called, and names of its rows and columns.

    With more than one of `blocks`, the columns are in as many blocks, one below the other, of
    whole `gates` where the columns belong to some, which are the heads where there are shades.
    """

    name: str
    role: str
    numbers: Sequence[Sequence[float]]
    heads: Sequence[str] = ()
    sides: Sequence[str] = ()
    ink: str = ""
    scale: float = 1.0
    shade: int = 0  # the size of a shade, without numbers, or 0
    about: Sequence[Any] = ()  # the nodes and copies whose numbers they are
    gates: Sequence[str] = ()
    blocks: int = 1

    def in_shades(self, size: int) -> Table:
        """A matrix without its numbers, and with shades as strong as may be; vectors keep them."""
        if not self.sides:
            return self
        return self._replace(shade=size, scale=self.scale / (FAINTER if self.ink else 1.0))

    @property
    def _shade(self) -> int:
        """The size of a shade, or 0 where there are numbers."""
        if self.sides:
            return self.shade or SHADE * (sum(map(len, self.numbers)) > MOST_NUMBERS)
        return SHADE * (len(self.numbers) > MOST_ENTRIES)

    @property
    def _across(self) -> int:
        """The columns of a block."""
        return self._gate * -(-len(self.numbers[0]) // self._gate // self.blocks)

    @property
    def _gate(self) -> int:
        """The columns of a gate, or of what is not divided."""
        return len(self.numbers[0]) // len(self.gates) if self.gates else 1

    @property
    def _firsts(self) -> range:
        """The columns that blocks begin with."""
        return range(0, len(self.numbers[0]), self._across)

    @property
    def _headed(self) -> bool:
        return any(self.gates if self._shade else self.heads)

    @property
    def _cell(self) -> int:
        """The width of a number."""
        if self._shade:
            return self._shade
        bold = bool(self.ink)
        heads = [html.text_width(head, html.KEY_POINTS, bold=True) + 6 for head in self.heads]
        return round(max([24.0, *heads, *[_width(x, bold) for row in self.numbers for x in row]]))

    @property
    def _side(self) -> int:
        if not self.sides or self._shade == SMALL or (self._shade and len(self.sides) > MOST_SIDES):
            return 0
        return round(max(html.text_width(side, html.KEY_POINTS) for side in self.sides)) + 8

    @property
    def _aside(self) -> int:
        """What is left on each side of shades where a name is wider, so that all are as wide."""
        inner = self._across * self._cell + self._side
        return (round(self.size[0]) - 12 - inner) // 2 if self._shade else 0

    def sums_up(self, terms: Sequence[Table]) -> bool:
        """Whether each of its numbers, as it is written, is the sum of those of the terms."""
        if self._shade:
            return True
        entries = zip(*[[x for row in t.numbers for x in row] for t in (*terms, self)], strict=True)
        return all(adds_up(added, total, BRIEF) for *added, total in entries)

    @property
    def size(self) -> tuple[float, float]:
        """The width and height of its box in points, whatever fonts a machine has."""
        high = self._shade or CELL
        named = html.text_width(self.name, html.SMALL_POINTS, bold=True) + 22 if self.name else 0.0
        width = max(self._across * self._cell + self._side, named) + 12.0
        block = len(self.numbers) * high + HEAD * self._headed
        count = len(self._firsts)
        height = count * block + BETWEEN * (count - 1) + NAME * bool(self.name) + 12.0 + TOP
        return float(width), float(height)

    def label(self, theme: Theme) -> str:
        """A rounded box with the name of the table, and its numbers on their shades."""
        style = theme.styles[self.role]
        aside = self._aside
        columns = self._across + (self._side > 0) + 2 * (aside > 0)
        lines = [html.cell("", colspan=columns, height=TOP)]
        if self.name:
            name = html.font(self.name, html.SMALL_POINTS, self.ink or style.ink, bold=True)
            wide = round(self.size[0]) - 12
            lines.append(html.cell(name, colspan=columns, height=NAME, width=wide))
        for first in self._firsts:
            if first:
                lines.append(html.cell("", colspan=columns, height=BETWEEN))
            for line in self._block(first, theme):
                apart = [html.cell("", width=aside)] * (aside > 0)
                lines.append("\n".join([*apart, line, *apart]))
        looks: html.Looks = {**html.BARE, "cellpadding": 0, "style": "ROUNDED"}
        looks |= {"border": style.border, "color": style.line, "bgcolor": style.fill}
        return html.table([*lines, html.cell("", colspan=columns, height=4)], **looks)

    def _block(self, first: int, theme: Theme) -> list[str]:
        """The lines of the block that begins with a column."""
        style, shaded = theme.styles[self.role], self._shade
        width, high, side = self._cell, shaded or CELL, self._side
        part, ink = slice(first, first + self._across), self.ink or style.ink
        missing = self._across - len(self.numbers[0][part])
        lines = []
        if self._headed:
            wide = self._gate if shaded else 1
            heads = (self.gates if shaded else self.heads)[first // wide :][: self._across // wide]
            looks: html.Looks = {"height": HEAD, "width": width * wide, "colspan": wide}
            cells = [
                html.cell(html.font(head, html.KEY_POINTS, ink, bold=True), **looks)
                for head in heads
            ]
            cells = [html.cell("", width=side)] * (side > 0) + cells
            lines.append("\n".join(cells + [html.cell("")] * missing))
        for place, row in enumerate(self.numbers):
            cells = []
            if side:
                text = html.font(self.sides[place], html.KEY_POINTS, theme.muted)
                cells.append(html.cell(text, width=side, height=high))
            for x in row[part]:
                fill = theme.paper
                if self.sides or shaded:
                    fill = tint(x, self.scale, theme.positive, theme)
                    fill = "transparent" if fill == theme.paper else fill  # as what is almost 0
                text = ""
                if not shaded:
                    text = html.font(_brief(x), POINTS, self.ink or theme.ink, bool(self.ink))
                cells.append(html.cell(text, width=width, height=high, bgcolor=fill))
            lines.append("\n".join(cells + [html.cell("")] * missing))
        return lines


def _brief(x: float) -> str:
    return write_number(x, BRIEF).text


@lru_cache(maxsize=4096)  # the numbers are the same in each shape that is tried
def _width(x: float, bold: bool) -> float:
    return html.text_width(_brief(x), POINTS, bold) + 8
