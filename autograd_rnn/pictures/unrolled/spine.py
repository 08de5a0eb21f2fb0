"""Places for a network whose states form one chain, the spine: from left to right, in rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from math import inf
from typing import Any, Final, NamedTuple

from ...graph.walk import downstream
from .. import html_labels as html
from ..canvas import Point
from ..graph_view import GraphView

COLUMN_GAP: Final = 26.0
ROW_GAP: Final = 44.0
MARGIN: Final = 16.0
PANEL_GAP: Final = 34.0
PANEL_LABEL: Final = 24.0
CHIP_ROOM: Final = 62.0  # between a weight and its copies, for their terms
STUB: Final = 28.0  # the height of a box with a name alone, which begins a row
ROWS_APART: Final = 40.0

# Where a box belongs: a box of the spine, and a row above it (1, 2), below it (-1, -2), or its own
# (0); or a box beside the spine, which stands right of it in the same row.
Cell = tuple[str, int]


class Placement(NamedTuple):
    """Centres of the boxes, corners of the step panels, and of everything, in points, y upwards.

    The spine is at the height 0, or in each of several rows at the same height in its strip.
    """

    centres: dict[str, Point]
    panels: dict[int, tuple[Point, Point]]
    corners: tuple[Point, Point]
    rows: Mapping[str, int] = {}  # the row of each box, where there are several
    strips: Sequence[tuple[Point, Point]] = ()  # the corners of each row
    breaks: Sequence[float] = ()  # the heights between them
    spines: Sequence[float] = (0.0,)  # the height of the spine in each


def place(view: GraphView, room: float = inf) -> Placement | None:
    """The placement of a picture whose states form one chain, the spine; None for other graphs.

    The spine runs back from the output along what depends on the initial state.  Each box of it has
    the copy that it uses above it, and a constant below.  A product with a copy of its own is above
    too, its copy on top, or below if two weights are apart.
    """
    if not view.weights:
        return None
    stateful = downstream(view.order, view.initial)
    fed_by: dict[str, list[str]] = {id: [] for id in view.boxes}
    for arrow in view.arrows:
        if arrow.role not in ("fan", "cut"):
            fed_by[arrow.head].append(arrow.tail)

    def kind(id: str) -> str:
        if view.boxes[id].role == "copy":
            return "copy"
        node = view.nodes[id]
        return "spine" if node in stateful else "branch" if node in view.kept else "constant"

    side = 1 if len(view.weights) == 1 else -1
    fixed = {"spine": 0, "branch": side, "constant": -1}
    # A row over the spine for all copies of a weight, the next one for the next weight.
    copied: dict[Any, int] = {}
    spine = [view.ids[view.output]]
    cells: dict[str, Cell] = {spine[0]: (spine[0], 0)}
    for box in spine:  # which grows meanwhile
        taken = set()
        for operand in fed_by[box]:
            what = kind(operand)
            if what == "copy":
                row = copied.setdefault(view.nodes[operand], len(copied) + 1)
            else:
                row = fixed[what]
            if row in taken:
                return None
            taken.add(row)
            cells[operand] = (box if row else operand, row)
            if what == "spine":
                spine.append(operand)
            elif what == "branch":
                inner = sorted((kind(id), id) for id in fed_by[operand])
                if [what for what, _ in inner] not in (["copy"], ["constant", "copy"]):
                    return None
                cells |= {id: (operand, side) for _, id in inner[:-1]}
                cells[inner[-1][1]] = (box, 2 * side)
    # Each weight's copies are one row, and the only copies in it.
    rows = {(view.nodes[id], row) for id, (_, row) in cells.items() if kind(id) == "copy"}
    one_weight_a_row = len(view.weights) == len(rows) == len({row for _, row in rows})
    if len(cells) + len(view.weights) < len(view.boxes) or not one_weight_a_row:
        return None
    placement = _columns(view, cells, spine[::-1])
    if placement is None or placement.corners[1][0] <= room:
        return placement
    return _in_rows(view, placement, room)


def _columns(view: GraphView, cells: Mapping[str, Cell], spine: Sequence[str]) -> Placement | None:
    """The placement of a spine from left to right, or None where two boxes would overlap.

    Each step is a panel with the same inner columns; between two boxes there is room for a note.
    """
    notes = [html.text_width(arrow.note or "", html.SMALL_POINTS) for arrow in view.arrows]
    gap = max([COLUMN_GAP, *[note + 12.0 for note in notes]])
    panel_gap = PANEL_GAP + gap - COLUMN_GAP
    sizes = {id: html.box_size(view.boxes[id]) for id in cells}
    groups = [(step, list(group)) for step, group in groupby(spine, lambda id: view.boxes[id].step)]
    # Boxes of different steps are in one column, and others in columns of their own.
    column: dict[str, str | int] = {
        box: box if step is None else index
        for step, group in groups
        for index, box in enumerate(group)
    }
    widths: defaultdict[str | int, float] = defaultdict(float)
    heights: defaultdict[int, float] = defaultdict(float)
    for id, (anchor, row) in cells.items():
        width, height = sizes[id]
        heights[row] = max(heights[row], height)
        if anchor in column:
            widths[column[anchor]] = max(widths[column[anchor]], width)
    rows = {0: 0.0}
    for side, farthest in ((1, max(heights)), (-1, -min(heights))):
        for row in range(side, side * (farthest + 1), side):
            reach = (heights[row - side] + heights[row]) / 2 + ROW_GAP
            rows[row] = rows[row - side] + side * reach
    top = rows[max(rows)] + heights[max(rows)] / 2 + MARGIN
    bottom = rows[min(rows)] - heights[min(rows)] / 2 - MARGIN - PANEL_LABEL
    middles: dict[str, float] = {}
    panels: dict[int, tuple[Point, Point]] = {}
    right = -panel_gap
    for step, group in groups:
        margin = 0.0 if step is None else MARGIN
        left = right + panel_gap
        right = left + margin
        for box in group:
            middles[box] = right + widths[column[box]] / 2
            right += widths[column[box]] + gap
        right += margin - gap
        if step is not None:
            panels[step] = ((left, bottom), (right, top))
    centres: dict[str, Point] = {}
    for id, (anchor, row) in cells.items():
        if anchor in middles:
            centres[id] = (middles[anchor], rows[row])
        else:
            x, y = centres[anchor]
            centres[id] = (x - (sizes[anchor][0] + sizes[id][0]) / 2 - gap, y)
    in_rows = sorted((y, x, sizes[id][0]) for id, (x, y) in centres.items())
    for (y, x, width), (next_y, next_x, next_width) in pairwise(in_rows):
        if y == next_y and next_x - x < (width + next_width + COLUMN_GAP) / 2:
            return None
    return Placement(centres, panels, ((0.0, bottom), (right, top)))


def _in_rows(view: GraphView, placement: Placement, room: float) -> Placement:
    """The placement in rows as wide as the room; each but the first begins with a name."""
    (_, bottom), (right, top) = placement.corners
    panels, sizes = placement.panels, {id: html.box_size(box) for id, box in view.boxes.items()}
    ends = [
        max((x, id) for id, (x, _) in placement.centres.items() if view.boxes[id].step == k)
        for k in panels
    ]
    names = [html.text_width(view.boxes[id].name, html.NAME_POINTS, True) for _, id in ends]
    stub = max(names) + MARGIN + COLUMN_GAP
    first, last = min(low[0] for low, _ in panels.values()), max(x for _, (x, _) in panels.values())
    blocks = [(0.0, first - PANEL_GAP), *[(low[0], high[0]) for low, high in panels.values()]]
    blocks.append((last + PANEL_GAP, right))
    alone = [y for x, y in placement.centres.values() if x < first] == [0.0]
    parts: list[list[tuple[float, float]]] = []
    x = 0.0
    for begin, end in blocks:
        if end <= begin:
            continue
        if not parts or (x + end - begin > room and (alone or parts[-1] != blocks[:1])):
            x = stub if parts else 0.0
            parts.append([])
        parts[-1].append((begin, end))
        x += end - begin + PANEL_GAP
    *_, before, final = [[], *parts]
    if final == blocks[-1:] and len(before) > 1:
        final.insert(0, before.pop())  # the output is not left alone
    found: list[tuple[float, float, int, float]] = []  # from, to, the row, and how far to the right
    for index, part in enumerate(parts):
        x = stub if index else 0.0
        for begin, end in part:
            found.append((begin, end, index, x - begin))
            x += end - begin + PANEL_GAP
    of_step = {k: next(b[2:] for b in found if b[0] == low[0]) for k, (low, _) in panels.items()}
    at_row: dict[str, tuple[int, float]] = {}
    for id, (x, _) in placement.centres.items():
        step = view.boxes[id].step
        outside = found[0] if x < first else found[-1]
        at_row[id] = outside[2:] if step is None else of_step[step]
    spans = []
    for index, part in enumerate(parts):
        reach = [
            (placement.centres[id][1], sizes[id][1] / 2)
            for id, (row, _) in at_row.items()
            if row == index
        ]
        if any(block not in (blocks[0], blocks[-1]) for block in part):
            spans.append((bottom, top))
        else:
            spans.append((min(y - half for y, half in reach), max(y + half for y, half in reach)))
    sides = [
        1.0 if placement.centres[view.copy_id(uses[0])][1] > 0.0 else -1.0
        for uses in view.uses.values()
    ]
    heights = [html.box_size(view.boxes[view.ids[weight]])[1] for weight in view.weights]
    y, downs, breaks = 0.0, [], []
    for index, (foot, head) in enumerate(spans):
        here = sides if not index or (foot, head) == (bottom, top) else []
        over, under = [
            sum(
                CHIP_ROOM + (STUB if index else height)
                for own, height in zip(here, heights, strict=False)
                if own == side
            )
            for side in (1.0, -1.0)
        ]
        if index:
            breaks.append(y + ROWS_APART / 2)
            y -= over + head
        downs.append(y)
        y += foot - under - ROWS_APART
    centres = {
        id: (x + at_row[id][1], y + downs[at_row[id][0]])
        for id, (x, y) in placement.centres.items()
    }
    moved = {}
    for k, ((x0, y0), (x1, y1)) in panels.items():
        row, across = of_step[k]
        moved[k] = ((x0 + across, y0 + downs[row]), (x1 + across, y1 + downs[row]))
    strips = []
    for index, ((foot, head), down) in enumerate(zip(spans, downs, strict=True)):
        far = max(end + across for _, end, row, across in found if row == index)
        strips.append(((0.0, foot + down), (far, head + down)))
    corners = ((0.0, strips[-1][0][1]), (max(far for _, (far, _) in strips), top))
    rows = {id: row for id, (row, _) in at_row.items()}
    return Placement(centres, moved, corners, rows, strips, breaks, downs)
