"""A graph view as DOT: in columns, one per step, or where `dot` finds places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final

from ..graph.walk import topological
from . import html_labels as html
from .canvas import ARROW_HEAD, Canvas, Point, along, points
from .drawing import WHOLE, Drawing
from .graph_view import Arrow, DrawnRun, GraphView, shared_weights
from .grid import Grid, lane_of_copy, paths_in_grid, place_in_grid
from .theme import Theme
from .unrolled.spine import CHIP_ROOM, COLUMN_GAP, PANEL_GAP, ROW_GAP, STUB, Placement, place

WIDEST_SUM: Final = 210.0  # of the box of a weight, where there are rows
MOST_APART: Final = 4
MOST_PATIENT: Final = 100
MOST_TOGETHER: Final = 60  # boxes of a graph in which each leaf has but one
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


def draw_view(
    view: GraphView, theme: Theme, title: str | None = None, room: float = inf
) -> Drawing:
    """The drawing of a view: in columns of steps, or without any, laid out by `dot`."""
    placement, title = place(view, room), view.title if title is None else title
    if placement is None:
        grid = place_in_grid(view)
        if grid is not None:
            canvas = _draw_grid(view, grid, theme, title, room)
            return canvas.drawing(view.summary(), view.marks, view)
        return _draw_flowing(view, theme, title, room).drawing(view.summary(), view.marks, view)
    canvas = _draw_placed(view, placement, theme, title, room)
    return canvas.drawing(view.summary(), view.marks, view)


def _draw_arrow(
    canvas: Canvas,
    view: GraphView,
    arrow: Arrow,
    looks: dict[str, str],
    path: Sequence[Point] = (),
    start: str | None = None,
) -> None:
    """The arrow, from what stands for its tail in its row, if that is another box."""
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
    canvas.arrow(f"{start or arrow.tail} {arrow.head}", path, words, arrow.role, **looks)


# --- laid out by dot -----------------------------------------------------------------------------


def _draw_flowing(view: GraphView, theme: Theme, title: str, room: float) -> Canvas:
    # Of many boxes, the last few crossings fewer take most of the time.
    quick = {"nslimit": "1", "mclimit": "0.3"} if len(view.boxes) > MOST_PATIENT else {}
    canvas = Canvas(
        theme, None, rankdir="LR", newrank="true", nodesep="0.4", ranksep="0.5", **quick
    )
    canvas.titles[WHOLE], panels = title, view.panels
    looks = {"labelloc": "b", "label": html.legend_label(view.legend, theme)} if view.legend else {}
    canvas.graph.attributes(splines="spline", **looks)
    looks = {"labelloc": "t", "peripheries": "0", "margin": "8"}
    lines = html.wrapped(title, html.TITLE_POINTS, room, bold=True)
    told = html.wrapped(view.subtitle, html.SMALL_POINTS, room)
    if lines or told:
        looks["label"] = html.title_label(lines, told, theme)
    with canvas.part("cluster_all", **looks):
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


def _draw_placed(
    view: GraphView, placement: Placement, theme: Theme, title: str, room: float
) -> Canvas:
    canvas, panels = Canvas(theme, layout="nop2"), view.panels
    rows = placement.rows
    centres = placement.centres | _over_their_fans(view, placement)
    canvas.breaks += placement.breaks
    canvas.corners += placement.corners
    for step, (low, high) in placement.panels.items():
        if step in view.cuts:
            # The spine, at 0, has a note over its arrow.
            spine = high[1] - placement.corners[1][1]
            parts = (high[1] - 6.0, spine + 20.0), (spine + 3.0, low[1])
            canvas.cut(step, low[0] - PANEL_GAP / 2, *parts)
        with canvas.panel(step, panels[step], low, high):
            _draw_boxes(canvas, view, step, centres)
    _draw_boxes(canvas, view, None, centres)
    tails = _begin_rows(view, placement, canvas)
    canvas.frame(title, view.subtitle, *canvas.legend(view.legend, room), room)
    for arrow in view.arrows:
        row = rows.get(arrow.head, 0)
        if arrow.role == "cut" and rows.get(arrow.tail, 0) != row:
            continue
        tail = tails.get((arrow.tail, row), arrow.tail)
        path, at = _path(arrow._replace(tail=tail), canvas)
        looks = {} if arrow.chip is None and arrow.note is None else {"lp": points(at)}
        _draw_arrow(canvas, view, arrow, looks, path, tail)
    return canvas


def _begin_rows(
    view: GraphView, placement: Placement, canvas: Canvas
) -> dict[tuple[str, int], str]:
    """The boxes that stand in later rows for those of a row above, by their ids and the row."""
    rows, found = placement.rows, {}
    reach: defaultdict[tuple[int, float], float] = defaultdict(float)
    for arrow in view.arrows:
        row, own = rows.get(arrow.head, 0), rows.get(arrow.tail, 0)
        if row == own or arrow.role == "cut" or (arrow.tail, row) in found:
            continue
        box, id = view.boxes[arrow.tail], f"r{row}_{arrow.tail}"
        wide, _ = canvas.room_of([box.name], box.role)
        _, y = placement.centres[arrow.head]
        words, role = f"{box.name}, from the row above", box.role
        at = (placement.strips[row][0][0] + wide / 2, y)
        if arrow.role == "fan":
            fan = [one for one in view.arrows if one.role == "fan" and one.tail == arrow.tail]
            xs = [placement.centres[one.head][0] for one in fan if rows[one.head] == row]
            (_, low), (_, high) = placement.strips[row]
            side = 1.0 if y > placement.spines[row] else -1.0
            reach[row, side] += CHIP_ROOM + STUB
            edge = high if side > 0.0 else low
            at = ((min(xs) + max(xs)) / 2, edge + side * (reach[row, side] - STUB / 2))
        canvas.box(id, at, [box.name], words, role)
        found[arrow.tail, row] = id
    return found


def _draw_grid(view: GraphView, grid: Grid, theme: Theme, title: str, room: float) -> Canvas:
    canvas, panels = Canvas(theme, layout="nop2", outputorder="edgesfirst"), view.panels
    canvas.corners += grid.corners
    places = Placement(grid.centres, grid.panels, grid.corners)
    over = _over_their_fans(view, places)
    centres = grid.centres | (over if len(over) < 2 else _left_of_their_fans(view, grid, over))
    for step, (low, high) in grid.panels.items():
        if step in view.cuts:
            canvas.cut(step, low[0] - PANEL_GAP / 2, (high[1] - 6.0, low[1]))
        with canvas.panel(step, panels[step], low, high):
            _draw_boxes(canvas, view, step, centres)
    # A step of which only a constant is there has no panel.
    for own in dict.fromkeys([box.step for box in view.boxes.values()]):
        if own not in grid.panels:
            _draw_boxes(canvas, view, own, centres)
    canvas.frame(title, view.subtitle, *canvas.legend(view.legend, room), room)
    paths = paths_in_grid(grid, view.arrows, canvas)
    for arrow in view.arrows:
        if arrow.role == "cut" and centres[arrow.tail][1] != centres[arrow.head][1]:
            continue
        path, at = paths[arrow.id] if arrow.id in paths else _path(arrow, canvas)
        looks = {} if arrow.chip is None and arrow.note is None else {"lp": points(at)}
        _draw_arrow(canvas, view, arrow, looks, path)
    return canvas


def _over_their_fans(view: GraphView, placement: Placement) -> dict[str, Point]:
    """Where the weights stand: in the middle over or under their copies, the later farther off."""
    (left, bottom), (right, top) = placement.strips[0] if placement.strips else placement.corners
    reach, found = {1.0: top, -1.0: -bottom}, {}
    for weight in view.weights if placement.rows else ():
        box = view.boxes[view.ids[weight]]
        if html.box_size(box)[0] > WIDEST_SUM:  # rows have little room
            total = view.shown(view.adjoint.get(weight, 0.0))
            view.boxes[box.id] = box._replace(grad=total)
    for weight in view.weights:
        copies, id = [view.copy_id(use) for use in view.uses[weight]], view.ids[weight]
        fan = [placement.centres[one] for one in copies if not placement.rows.get(one)]
        y = placement.centres[copies[0]][1] - placement.spines[placement.rows.get(copies[0], 0)]
        (first, y), (last, _) = (fan[0], fan[-1]) if fan else ((left, y), (right, y))
        side, height = 1.0 if y > 0.0 else -1.0, html.box_size(view.boxes[id])[1]
        reach[side] += CHIP_ROOM + height
        middle = (first + last) / 2
        if placement.rows:
            middle = max(middle, left + html.box_size(view.boxes[id])[0] / 2)
        found[id] = (middle, side * (reach[side] - height / 2))
    return found


def _left_of_their_fans(view: GraphView, grid: Grid, over: Mapping[str, Point]) -> dict[str, Point]:
    """Several weights, one above the other, left of all arrows to their copies."""
    sizes = {id: html.box_size(box) for id, box in view.boxes.items()}
    fans = [view.copy_id(use) for uses in view.uses.values() for use in uses]
    lanes = [lane_of_copy(grid, id, sizes) or grid.centres[id][0] for id in fans]
    left = min(lanes) - COLUMN_GAP - 14.0
    return {id: (left - sizes[id][0] / 2, y) for id, (_, y) in over.items()}


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
