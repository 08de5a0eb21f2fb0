"""A graph view as DOT: in columns, one per step, or where `dot` finds places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

from ..graph.walk import downstream, topological
from . import html_labels as html
from .canvas import ARROW_HEAD, Canvas, Point, along, points
from .drawing import WHOLE, Drawing
from .graph_view import Arrow, DrawnRun, GraphView, shared_weights
from .grid import Grid, path_in_grid, place_in_grid
from .theme import Theme

MOST_APART: Final = 4
MOST_PATIENT: Final = 100
MOST_TOGETHER: Final = 60  # boxes of a graph in which each leaf has but one
COLUMN_GAP: Final = 26.0
ROW_GAP: Final = 44.0
MARGIN: Final = 16.0
PANEL_GAP: Final = 34.0
PANEL_LABEL: Final = 24.0
CHIP_ROOM: Final = 62.0
# The style whose line an arrow takes, its width, and what else sets it apart.
ARROWS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "flow": ("plain", {"penwidth": "1.5"}),
    "state": ("state", {"penwidth": "2"}),
    "fan": ("parameter", {"penwidth": "2"}),
    "cut": ("copy", {"penwidth": "2.5", "style": "dashed", "dir": "none"}),
}


def view_graph(
    output: Any, focus: Sequence[Any], run: DrawnRun | None, edges: str | None, known: bool = False
) -> GraphView:
    """The view of a graph with the copies of some weights apart; without any, of the whole graph.

    In a network of one state that few weights make, the whole graph has the copies of all apart.
    """
    local = edges == "local"
    if focus:
        return GraphView(output, focus, run, fold=True, notes=local, known=known)
    weights = [] if run is None else shared_weights(output, run)
    if 1 <= len(weights) <= MOST_APART:
        whole = GraphView(output, weights, run, fold=False, notes=edges != "plain", known=known)
        if place(whole) is not None:
            return whole
    again = not known and (run is not None or len(topological(output)) > MOST_TOGETHER)
    return GraphView(output, [], run, fold=False, notes=local, known=known, again=again)


def draw_view(view: GraphView, theme: Theme, title: str | None = None) -> Drawing:
    """The drawing of a view: in columns of steps, or without any, laid out by `dot`."""
    placement, title = place(view), view.title if title is None else title
    if placement is None:
        grid = place_in_grid(view)
        if grid is not None:
            return _draw_grid(view, grid, theme, title).drawing(view.summary(), view.marks, view)
        return _draw_flowing(view, theme, title).drawing(view.summary(), view.marks, view)
    return _draw_placed(view, placement, theme, title).drawing(view.summary(), view.marks, view)


def _draw_arrow(
    canvas: Canvas, view: GraphView, arrow: Arrow, looks: dict[str, str], path: Sequence[Point] = ()
) -> None:
    tail, head = view.boxes[arrow.tail].name, view.boxes[arrow.head].name
    words = f"{tail} → {head}"
    if arrow.role == "cut":
        words = f"{tail} and {head} are in the separating set"
    elif arrow.role == "fan":
        words = f"{head} is a copy of {tail}"
    if arrow.chip is not None:
        looks["label"] = html.chip_label(arrow.chip, canvas.theme)
        words += f": {arrow.chip}"
    elif arrow.note is not None:
        looks["label"] = html.plain_label(arrow.note, canvas.theme)
        words += f", local derivative {arrow.note}"
    style, more = ARROWS[arrow.role]
    looks |= {**more, "color": canvas.theme.styles[style].line}
    canvas.arrow(f"{arrow.tail} {arrow.head}", path, words, arrow.role, **looks)


# --- laid out by dot -----------------------------------------------------------------------------


def _draw_flowing(view: GraphView, theme: Theme, title: str) -> Canvas:
    # Of many boxes, the last few crossings fewer take most of the time.
    quick = {"nslimit": "1", "mclimit": "0.3"} if len(view.boxes) > MOST_PATIENT else {}
    canvas = Canvas(
        theme, None, rankdir="LR", newrank="true", nodesep="0.4", ranksep="0.5", **quick
    )
    canvas.titles[WHOLE], panels = title, view.panels
    looks = {"labelloc": "b", "label": html.legend_label(view.legend, theme)} if view.legend else {}
    canvas.graph.attributes(splines="spline", **looks)
    looks = {"labelloc": "t", "peripheries": "0", "margin": "8"}
    with canvas.part("cluster_all", label=html.title_label(title, view.subtitle, theme), **looks):
        _draw_boxes(canvas, view, None)
        looks = {"peripheries": "1", "margin": "12", "labelloc": "b", "labeljust": "l"}
        for step, words in panels.items():
            with canvas.part(f"cluster_{step}", **looks, **canvas.panel_looks(words)):
                _draw_boxes(canvas, view, step)
    copied = {id: box for id, box in view.boxes.items() if box.role == "copy"}
    if not panels:
        # In one column, the dashed line through the copies is straight.
        with canvas.part(rank="same"):
            for id in copied:
                canvas.graph.node(id)
    for arrow in view.arrows:
        looks = {"constraint": "false"} if arrow.role == "cut" and panels else {}
        if not panels and arrow.tail in copied and arrow.role != "cut":
            looks["minlen"] = "2"  # so that a constant stands behind the copies, not between them
        _draw_arrow(canvas, view, arrow, looks)
    return canvas


def _draw_boxes(
    canvas: Canvas, view: GraphView, step: int | None, centres: Mapping[str, Point] | None = None
) -> None:
    for box in view.boxes.values():
        if box.step == step:
            canvas.number(box, None if centres is None else centres[box.id])


# --- in columns ----------------------------------------------------------------------------------


# Where a box belongs: a box of the spine, and a row above it (1, 2), below it (-1, -2), or its own
# (0); or a box beside the spine, which stands right of it in the same row.
Cell = tuple[str, int]


class Placement(NamedTuple):
    """Centres of the boxes, corners of the step panels, and of everything, in points, y upwards."""

    centres: dict[str, Point]
    panels: dict[int, tuple[Point, Point]]
    corners: tuple[Point, Point]


def place(view: GraphView) -> Placement | None:
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
    return _columns(view, cells, spine[::-1])


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


def _draw_placed(view: GraphView, placement: Placement, theme: Theme, title: str) -> Canvas:
    canvas, panels = Canvas(theme, layout="nop2"), view.panels
    centres = placement.centres | _over_their_fans(view, placement)
    canvas.corners += placement.corners
    for step, (low, high) in placement.panels.items():
        if step in view.cuts:
            # The spine, at 0, has a note over its arrow.
            canvas.cut(step, low[0] - PANEL_GAP / 2, (high[1] - 6.0, 20.0), (3.0, low[1]))
        with canvas.panel(step, panels[step], low, high):
            _draw_boxes(canvas, view, step, centres)
    _draw_boxes(canvas, view, None, centres)
    canvas.frame(title, view.subtitle, html.legend_label(view.legend, theme))
    for arrow in view.arrows:
        path, at = _path(arrow, canvas)
        looks = {} if arrow.chip is None and arrow.note is None else {"lp": points(at)}
        _draw_arrow(canvas, view, arrow, looks, path)
    return canvas


def _draw_grid(view: GraphView, grid: Grid, theme: Theme, title: str) -> Canvas:
    canvas, panels = Canvas(theme, layout="nop2", outputorder="edgesfirst"), view.panels
    canvas.corners += grid.corners
    places = Placement(grid.centres, grid.panels, grid.corners)
    centres = grid.centres | _over_their_fans(view, places)
    for step, (low, high) in grid.panels.items():
        if step in view.cuts:
            canvas.cut(step, low[0] - PANEL_GAP / 2, (high[1] - 6.0, low[1]))
        with canvas.panel(step, panels[step], low, high):
            _draw_boxes(canvas, view, step, centres)
    _draw_boxes(canvas, view, None, centres)
    canvas.frame(title, view.subtitle, html.legend_label(view.legend, theme))
    for arrow in view.arrows:
        own = arrow.role in ("fan", "cut")
        if arrow.role == "cut" and centres[arrow.tail][1] != centres[arrow.head][1]:
            continue
        path, at = _path(arrow, canvas) if own else path_in_grid(grid, arrow, canvas)
        looks = {} if arrow.chip is None and arrow.note is None else {"lp": points(at)}
        _draw_arrow(canvas, view, arrow, looks, path)
    return canvas


def _over_their_fans(view: GraphView, placement: Placement) -> dict[str, Point]:
    """Where the weights stand: in the middle over or under their copies, the later farther off."""
    (_, bottom), (_, top) = placement.corners
    reach, found = {1.0: top, -1.0: -bottom}, {}
    for weight in view.weights:
        fan = [placement.centres[view.copy_id(use)] for use in view.uses[weight]]
        (first, y), (last, _), id = fan[0], fan[-1], view.ids[weight]
        side, height = 1.0 if y > 0.0 else -1.0, html.box_size(view.boxes[id])[1]
        reach[side] += CHIP_ROOM + height
        found[id] = ((first + last) / 2, side * (reach[side] - height / 2))
    return found


def _path(arrow: Arrow, canvas: Canvas) -> tuple[list[Point], Point]:
    """The path of an arrow to its tip, and the place of its words."""
    (x0, y0), (x1, y1) = canvas.at[arrow.tail], canvas.at[arrow.head]
    if y0 == y1:
        (start, _), (end, _) = canvas.spot(arrow.tail, 1), canvas.spot(arrow.head, -1)
        path = [*_line((start, y0), (end - ARROW_HEAD, y1)), (end, y1)]
        if arrow.role == "cut":
            path = _line((start + 3, y0), (end - 3, y1))
        return path, ((start + end) / 2, y0 + 11.0)
    down = 1.0 if y0 > y1 else -1.0
    (_, start), tip = canvas.spot(arrow.tail, 0, -down), canvas.spot(arrow.head, 0, down)
    last = (x1, tip[1] + down * ARROW_HEAD)
    if arrow.role != "fan":
        away = 6.0 + html.text_width(arrow.note or "", html.SMALL_POINTS) / 2
        # By the head, where an arrow that is longer than a row crosses no dashed line.
        at = (x0 - away, tip[1] + down * ROW_GAP / 2)
        return [*_line((x0, start), last), tip], at
    side = canvas.spot(arrow.tail, 1 if x1 > x0 else -1)
    under = abs(x1 - x0) < abs(side[0] - x0) - 10
    path = _line((x1, start), last) if under else _bend(side, last)
    return [*path, tip], (x1, start - down * (CHIP_ROOM / 2 - 4.0))


def _line(start: Point, end: Point) -> list[Point]:
    return [start, along(start, end, 1 / 3), along(start, end, 2 / 3), end]


def _bend(start: Point, end: Point) -> list[Point]:
    """Sideways, then up or down around a rounded corner."""
    (x0, y0), (x1, y1) = start, end
    side, down = 1.0 if x1 > x0 else -1.0, 1.0 if y0 > y1 else -1.0
    radius = min(28.0, abs(x1 - x0), abs(y1 - y0))
    pull = 0.45 * radius
    around = (x1 - side * pull, y0), (x1, y0 - down * pull)
    corner, turn = (x1 - side * radius, y0), (x1, y0 - down * radius)
    return [*_line(start, corner), *around, *_line(turn, end)]
