"""How the steps of a picture by matrices stand on its pages: the shape of each, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import Final, NamedTuple

from ..canvas import HEADING, LEGEND_ROOM, Point
from ..paper import Room
from .tables import SHADE, SMALL, Table

GAP: Final = 40.0
TIGHT: Final = 24.0  # the gap where rows are wrapped
DOWN: Final = 34.0
THROUGH: Final = 68.0  # between a state and δ, where what lies between them has a box
LANES: Final = 48.0  # between the two rows of a step, for arrows to the next
LANE: Final = 15.0
MARGIN: Final = 12.0
PANEL_LABEL: Final = 24.0
LAYER_LABEL: Final = 26.0
ROWS_APART: Final = 48.0


class Group(NamedTuple):
    """A step, or those left out, with the tables from top to bottom."""

    k: str
    tables: Sequence[Table]


class Sizes(NamedTuple):
    """What else takes room in a layer: words, what reads every step, and the output.

    The output is `beside` the last step, or as wide as `between` in it; 0 beside where another
    layer has it.
    """

    words: bool
    through: bool
    beside: float
    between: float


class Shape(NamedTuple):
    """How a step is drawn: in shades of a size or numbers, its tables in blocks, in two columns."""

    shade: int
    matrix: int
    vector: int
    paired: bool

    def of(self, table: Table) -> Table:
        """A table in this shape."""
        table = table._replace(blocks=self.matrix if table.sides else self.vector)
        return table.in_shades(self.shade) if self.shade else table


def shapes(gates: int) -> list[Shape]:
    """The shapes from the one that is read best: numbers first, and whole tables."""
    return [
        Shape(shade, matrix, vector, paired)
        for shade in (0, SHADE, SMALL)
        for matrix in (1, 2, gates)
        for vector in (1, 2)
        for paired in (False, True)
    ]


class Layout(NamedTuple):
    """The size of a step, and where in it the tables are, from its top left corner.

    `between` says that the output stands in the last step, between its numbers and δ, and `end` is
    what the last row needs behind its steps.
    """

    shape: Shape
    between: bool
    gap: float
    left: float
    width: float
    height: float
    at: Sequence[Point]
    lanes: Point
    end: float

    def rows(self, groups: Sequence[Group], wide: float) -> list[list[Group]]:
        """The groups in rows that are no wider, if one of them is not."""
        rows: list[list[Group]] = []
        x = 0.0
        for group in groups:
            end = self.end if group is groups[-1] else self.gap / 2
            if not rows or x + self.gap + self.width + end > wide:
                rows.append([])
                x = self.left
            rows[-1].append(group)
            x += self.gap + self.width
        return rows


def best_layout(
    groups: Sequence[Group], weights: Table, total: Table, room: Room, sizes: Sizes
) -> Layout:
    """The layout that is read best of those with two steps to a page, or the most there can be.

    Where none fits, it is the one that is the least too wide, and then too high.
    """
    over: dict[Layout, Point] = {}
    pages: dict[Layout, int] = {}
    within = (False, True) if sizes.beside and room.wide < inf else (False,)
    for shape in shapes(max(2, len(weights.gates))):
        shaped = [Group(k, [*map(shape.of, tables)]) for k, tables in groups]
        tables = [shape.of(weights), shape.of(total)]
        taken: dict[Layout, tuple[int, int]] = {}
        for between in within:
            layout = _layout(shape, shaped, tables, room, sizes, between)
            pitch = layout.height + MARGIN + LAYER_LABEL * sizes.words + ROWS_APART
            wide = layout.left + layout.gap + layout.width + layout.end
            high = pitch + HEADING + LEGEND_ROOM
            over[layout] = max(0.0, wide - room.wide), max(0.0, high - room.high)
            if not any(over[layout]):
                rows = len(layout.rows(groups, room.wide))
                taken[layout] = _pages(rows, pitch, room.high), rows
        if taken:
            best = min(taken, key=lambda layout: taken[layout])
            pages[best], _ = taken[best]
            if pages[best] <= ceil(len(groups) / 2):
                return best
    if pages:
        return min(pages, key=lambda layout: pages[layout])
    return min(over, key=lambda layout: over[layout])


def _pages(rows: int, pitch: float, high: float) -> int:
    """How many pages so many rows take, between a heading and a legend."""
    pages, used = 1, HEADING
    for row in range(rows):
        needed = pitch + LEGEND_ROOM * (row == rows - 1)
        if row and used + needed > high:
            pages, used = pages + 1, 0.0
        used += needed
    return pages


def _layout(
    shape: Shape,
    groups: Sequence[Group],
    beside: Sequence[Table],
    room: Room,
    sizes: Sizes,
    between: bool,
) -> Layout:
    """The layout of a shape, with the tables of the whole layer `beside` the steps."""
    of_all = [table.size for _, tables in groups for table in tables]
    heights = [
        max(tables[row].size[1] for _, tables in groups if row < len(tables)) for row in range(4)
    ]
    inner = sizes.between if between else 0.0
    through = sizes.through or between
    down = THROUGH if through else DOWN
    gap = GAP if room.wide == inf else TIGHT
    left = max(table.size[0] for table in beside)
    end = gap + sizes.beside if sizes.beside and not between else gap / 2
    lanes = 0.0, 0.0
    at: list[Point]
    if shape.paired:
        # W and the term on the left, the numbers and δ on the right, with lanes between.
        of_matrix = max(t.size[0] for _, tables in groups for t in tables if t.sides)
        of_vector = max([inner, *[t.size[0] for _, ts in groups for t in ts if not t.sides]])
        rows = [max(heights[0], heights[1]), max(heights[2], heights[3])]
        apart = max(down, LANES) + 2 * LANE * through
        middles = MARGIN + rows[0] / 2, MARGIN + rows[0] + apart + rows[1] / 2
        xs = MARGIN + of_matrix / 2, MARGIN + of_matrix + DOWN + of_vector / 2
        at = [(xs[0], middles[0]), (xs[1], middles[0]), (xs[1], middles[1]), (xs[0], middles[1])]
        lanes = MARGIN + rows[0] + LANE, middles[1] - rows[1] / 2 - LANE
        width = of_matrix + DOWN + of_vector + 2 * MARGIN
        height = 2 * MARGIN + sum(rows) + apart + PANEL_LABEL
    else:
        width = max([inner, *[wide for wide, _ in of_all]]) + 2 * MARGIN
        at, y = [], MARGIN
        for high, after in zip(heights, (DOWN, down, DOWN, 0.0), strict=True):
            at.append((width / 2, y + high / 2))
            y += high + after
        height = y + MARGIN + PANEL_LABEL
    return Layout(shape, between, gap, left, width, height, tuple(at), lanes, end)
