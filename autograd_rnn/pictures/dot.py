"""The record of a picture, and the record as DOT text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from .canvas import (
    ARROW_HEAD,
    LEGEND_ROOM,
    TITLE_ROOM,
    Point,
    Sheet,
    heading_width,
    new_graph,
    panel_looks,
    pinned_panel_looks,
    points,
    spline,
)
from .html_labels import (
    SMALL_POINTS,
    Box,
    box_label,
    box_size,
    chip_label,
    legend_label,
    panel_label,
    title_label,
)
from .layout import PANEL_GAP, ROW_GAP, Placement, text_width
from .theme import Theme

if TYPE_CHECKING:
    import graphviz


class Arrow(NamedTuple):
    """A drawn edge from one box to another.

    A `fan` arrow may carry a chip, what a copy adds, and others a note, the local derivative.
    """

    id: str
    role: str
    tail: str
    head: str
    chip: str | None = None
    note: str | None = None


class Picture(NamedTuple):
    """All that is drawn, in drawing order; `panels` are the labels of the steps.

    No gradient goes back from the steps in `cuts`.
    """

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    panels: Mapping[int, str]
    legend: Mapping[str, str]
    cuts: Collection[int] = ()


def arrow_words(arrow: Arrow, boxes: Mapping[str, Box]) -> str:
    """What an arrow says, for who points at it or has it read aloud."""
    tail, head = boxes[arrow.tail].name, boxes[arrow.head].name
    if arrow.role == "cut":
        return f"{tail} and {head} are in the separating set"
    if arrow.role == "fan":
        return f"{head} is a copy of {tail}" + ("" if arrow.chip is None else f": {arrow.chip}")
    note = "" if arrow.note is None else f", local derivative {arrow.note}"
    return f"{tail} → {head}{note}"


# The style whose line an arrow takes, its width, and what else sets it apart.
ARROWS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "flow": ("plain", {"penwidth": "1.5"}),
    "state": ("state", {"penwidth": "2"}),
    "output": ("output", {"penwidth": "2"}),
    "fan": ("parameter", {"penwidth": "2"}),
    "cut": ("copy", {"penwidth": "2.5", "style": "dashed", "dir": "none"}),
}

CHIP_ROOM: Final = 62.0


def write_dot(picture: Picture, placement: Placement | None, theme: Theme) -> str:
    """The DOT text of a picture: at the placement where there is one, else laid out by `dot`.

    The same picture gives the same text in every process and on every machine.
    """
    graph = new_graph(theme)
    if placement is None:
        _write_flowing(graph, picture, theme)
    else:
        _write_placed(graph, picture, placement, theme)
    return str(graph.source)


def _node(graph: graphviz.Digraph, box: Box, theme: Theme, **attributes: str) -> None:
    role = {"class": box.role}
    graph.node(box.id, label=box_label(box, theme), id=box.id, **role, **attributes)


def _edge(graph: graphviz.Digraph, arrow: Arrow, theme: Theme, **attributes: str) -> None:
    style, looks = ARROWS[arrow.role]
    words = {} if arrow.note is None else {"label": panel_label(arrow.note, theme)}
    if arrow.chip is not None:
        words["label"] = chip_label(arrow.chip, theme)
    common = {"id": arrow.id, "class": arrow.role, "color": theme.styles[style].line}
    graph.edge(arrow.tail, arrow.head, **common, **looks, **words, **attributes)


def _write_flowing(graph: graphviz.Digraph, picture: Picture, theme: Theme) -> None:
    graph.attr(rankdir="LR", newrank="true", nodesep="0.4", ranksep="0.5", splines="spline")
    if picture.legend:
        graph.attr(labelloc="b", label=legend_label(picture.legend, theme))
    heading = {
        "label": title_label(picture.title, picture.subtitle, theme),
        "labelloc": "t",
        "peripheries": "0",
        "margin": "8",
    }
    with graph.subgraph(name="cluster_all", graph_attr=heading) as whole:
        for box in picture.boxes:
            if box.step is None:
                _node(whole, box, theme)
        for step, label in picture.panels.items():
            attributes = {"peripheries": "1", "margin": "12", "labelloc": "b", "labeljust": "l"}
            attributes.update(panel_looks(label, theme))
            with whole.subgraph(name=f"cluster_{step}", graph_attr=attributes) as panel:
                for box in picture.boxes:
                    if box.step == step:
                        _node(panel, box, theme)
    if not picture.panels:
        # In one column, the dashed line through the copies is straight.
        with graph.subgraph(graph_attr={"rank": "same"}) as column:
            for box in picture.boxes:
                if box.role == "copy":
                    column.node(box.id)
    copied = {box.id for box in picture.boxes if box.role == "copy"}
    for arrow in picture.arrows:
        looks = {"constraint": "false"} if arrow.role == "cut" and picture.panels else {}
        if not picture.panels and arrow.tail in copied and arrow.role != "cut":
            looks["minlen"] = "2"  # so that a constant stands behind the copies, not between them
        _edge(graph, arrow, theme, **looks)


def _write_placed(
    graph: graphviz.Digraph, picture: Picture, placement: Placement, theme: Theme
) -> None:
    centres = dict(placement.centres)
    sizes = {box.id: box_size(box) for box in picture.boxes}
    left, bottom, right, top = placement.corners
    for box in picture.boxes:
        fan = [centres[arrow.head] for arrow in picture.arrows if arrow.tail == box.id]
        if box.role != "parameter" or not fan:
            continue
        width, height = sizes[box.id]
        x = (fan[0][0] + fan[-1][0]) / 2
        if fan[0][1] > 0.0:
            top += CHIP_ROOM + height
            centres[box.id] = (x, top - height / 2)
        else:
            bottom -= CHIP_ROOM + height
            centres[box.id] = (x, bottom + height / 2)
        left, right = min(left, x - width / 2), max(right, x + width / 2)
    middle = (left + right) / 2
    half = max(right - left, heading_width(picture.title, picture.subtitle)) / 2
    title, legend = (middle, top + TITLE_ROOM / 2), (middle, bottom - LEGEND_ROOM / 2)
    graph.attr(layout="nop2")
    graph.attr(bb=points((middle - half, legend[1] - 20), (middle + half, top + TITLE_ROOM)))
    sheet = Sheet(theme, graph)
    sheet.heading(picture.title, picture.subtitle, title)
    for step, (x0, y0, x1, y1) in placement.panels.items():
        if step in picture.cuts:
            # The spine, at 0, has a note over its arrow.
            sheet.cut(step, x0 - PANEL_GAP / 2, (y1 - 6.0, 20.0), (3.0, y0))
        looks = pinned_panel_looks(picture.panels[step], (x0, y0), (x1, y1), theme)
        with graph.subgraph(name=f"cluster_{step}", graph_attr=looks) as panel:
            for box in picture.boxes:
                if box.step == step:
                    _node(panel, box, theme, pos=points(centres[box.id]))
    for box in picture.boxes:
        if box.step is None:
            _node(graph, box, theme, pos=points(centres[box.id]))
    if picture.legend:
        graph.node("legend", label=legend_label(picture.legend, theme), pos=points(legend))
    for arrow in picture.arrows:
        _write_placed_arrow(graph, arrow, centres, sizes, theme)


def _write_placed_arrow(
    graph: graphviz.Digraph,
    arrow: Arrow,
    centres: Mapping[str, Point],
    sizes: Mapping[str, Point],
    theme: Theme,
) -> None:
    (x0, y0), (x1, y1) = centres[arrow.tail], centres[arrow.head]
    (width0, height0), (width1, height1) = sizes[arrow.tail], sizes[arrow.head]
    down = 1.0 if y0 > y1 else -1.0
    if arrow.role == "fan":
        start, end = y0 - down * height0 / 2, y1 + down * height1 / 2
        tip = (x1, end + down * ARROW_HEAD)
        if abs(x1 - x0) < width0 / 2 - 10.0:
            path = _line((x1, start), tip)
        else:
            side = 1.0 if x1 > x0 else -1.0
            path = _bend((x0 + side * width0 / 2, y0), tip)
        chip_at = points((x1, start - down * (CHIP_ROOM / 2 - 4.0)))
        _edge(graph, arrow, theme, pos=f"e,{points((x1, end))} {path}", lp=chip_at)
    elif y0 == y1:
        start, end = x0 + width0 / 2, x1 - width1 / 2
        if arrow.role == "cut":
            _edge(graph, arrow, theme, pos=_line((start + 3, y0), (end - 3, y1)))
        else:
            path = f"e,{points((end, y1))} {_line((start, y0), (end - ARROW_HEAD, y1))}"
            _edge(graph, arrow, theme, pos=path, lp=points(((start + end) / 2, y0 + 11.0)))
    else:
        start, end = y0 - down * height0 / 2, y1 + down * height1 / 2
        path = f"e,{points((x1, end))} {_line((x0, start), (x1, end + down * ARROW_HEAD))}"
        beside = 6.0 + text_width(arrow.note or "", SMALL_POINTS) / 2
        # By the head, where an arrow that is longer than a row crosses no dashed line.
        _edge(graph, arrow, theme, pos=path, lp=points((x0 - beside, end + down * ROW_GAP / 2)))


def _line(start: Point, end: Point) -> str:
    """A straight line as one Bézier curve."""
    (x0, y0), (x1, y1) = start, end
    third = ((x1 - x0) / 3, (y1 - y0) / 3)
    return spline(start, (x0 + third[0], y0 + third[1]), (x1 - third[0], y1 - third[1]), end)


def _bend(start: Point, end: Point) -> str:
    """Sideways, then up or down around a rounded corner."""
    (x0, y0), (x1, y1) = start, end
    radius = min(28.0, abs(x1 - x0), abs(y1 - y0))
    side = 1.0 if x1 > x0 else -1.0
    down = 1.0 if y0 > y1 else -1.0
    corner, turn = (x1 - side * radius, y0), (x1, y0 - down * radius)
    pull = 0.45 * radius
    around = ((x1 - side * pull, y0), (x1, y0 - down * pull), turn)
    return " ".join((_line(start, corner), spline(*around), _line(turn, end).partition(" ")[2]))
