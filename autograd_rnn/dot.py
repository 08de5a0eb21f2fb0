"""The record of a picture, and the record as DOT text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from .layout import Placement, text_width

if TYPE_CHECKING:
    import graphviz

__all__ = ["LEGEND", "Arrow", "Box", "Picture", "box_size", "write_dot"]

# --- the record ----------------------------------------------------------------------------------


class Box(NamedTuple):
    """A drawn number: its role decides the colours; no badge on leaves, no grad on constants."""

    id: str
    role: str
    name: str
    badge: str | None
    data: str
    grad: str | None
    description: str
    step: int | None


class Arrow(NamedTuple):
    """A drawn edge from one box to another; a `fan` arrow may carry a chip."""

    id: str
    role: str
    tail: str
    head: str
    chip: str | None = None


class Picture(NamedTuple):
    """All that is drawn, in drawing order; `panels` are the labels of the steps."""

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    panels: Mapping[int, str]
    legend: Mapping[str, str]


# --- styles --------------------------------------------------------------------------------------

INK: Final = "#1F2933"
MUTED: Final = "#56636F"
GRADIENT: Final = "#C8102E"
PAPER: Final = "#ffffff"
PANEL_LINE: Final = "#DDE2E8"
PANEL_FILL: Final = "#FAFBFC"
FONTS: Final = "DejaVu Sans,Verdana,Helvetica,Arial,sans-serif"


class Style(NamedTuple):
    """The line, the fill and the border of a kind of box."""

    line: str
    ink: str
    fill: str
    border: int


STYLES: Final = {
    "parameter": Style("#7A5B00", "#7A5B00", "#FFF3C9", 3),
    "copy": Style("#3B1F8F", "#3B1F8F", "#E9E4FA", 2),
    "constant": Style("#1170AA", "#1170AA", "#E6F2FB", 1),
    "state": Style("#1B6E4B", "#1B6E4B", "#E2F4EA", 2),
    "output": Style("#B01E77", "#B01E77", "#FBE7F3", 2),
    "plain": Style("#8795A5", INK, "#FFFFFF", 1),
}
LEGEND: Final = {
    "parameter": "shared parameter",
    "copy": "separating set: its copies",
    "constant": "constant",
    "state": "state",
    "output": "output",
}
ARROWS: Final[dict[str, dict[str, str]]] = {
    "flow": {"color": "#8795A5", "penwidth": "1.5"},
    "state": {"color": "#1B6E4B", "penwidth": "2"},
    "output": {"color": "#B01E77", "penwidth": "2"},
    "fan": {"color": "#7A5B00", "penwidth": "2"},
    "cut": {"color": "#3B1F8F", "penwidth": "2.5", "style": "dashed", "dir": "none"},
}

NAME_POINTS: Final = 15
VALUE_POINTS: Final = 13
KEY_POINTS: Final = 9.5
KEY_ROOM: Final = 34.0
NAME_HEIGHT: Final = 28.0
ROW_HEIGHT: Final = 24.0
ARROW_HEAD: Final = 7.0
CHIP_ROOM: Final = 62.0
TITLE_ROOM: Final = 76.0
LEGEND_ROOM: Final = 46.0

# --- text ----------------------------------------------------------------------------------------

UNPRINTABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str, most: int = 200) -> str:
    """The text with one kind of line end, no control characters, and no more than `most`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= most else text[: most - 1] + "…"


def entities(text: str) -> str:
    """The text with what HTML labels read as markup written as entities.

    >>> entities('a<b & "c"')
    'a&lt;b &amp; &quot;c&quot;'
    """
    for character, entity in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#39")):
        text = text.replace(character, f"&{entity};")
    return text


def html(text: str) -> str:
    """The text for an HTML label: Graphviz expands backslashes there, and stops at empty cells."""
    return entities(clean(text)).replace("\\", "\\\\").replace("\n", "<BR/>\n") or " "


def font(text: str, points: float, colour: str, bold: bool = False) -> str:
    written = f'<FONT POINT-SIZE="{points:g}" COLOR="{colour}">{html(text)}</FONT>'
    return f"<B>{written}</B>" if bold else written


def table(rows: Sequence[str], **attributes: str) -> str:
    # A line break after each row: Graphviz reads at most 16,384 bytes between two of them.
    written = " ".join(f'{name.upper()}="{value}"' for name, value in attributes.items())
    body = "".join(f"<TR>{row}</TR>\n" for row in rows)
    return f"<<TABLE {written}>\n{body}</TABLE>>"


# --- boxes ---------------------------------------------------------------------------------------


def _widths(box: Box) -> tuple[float, float]:
    """The room of a box's badge, and of its values to the right of the keys, without padding."""
    badge = 0.0 if box.badge is None else text_width(box.badge, NAME_POINTS, bold=True) + 12.0
    grad = "" if box.grad is None else box.grad + " "
    values = max(
        text_width(box.data + " ", VALUE_POINTS),
        text_width(grad, VALUE_POINTS, bold=True),
        text_width(box.name, NAME_POINTS, bold=True) + 4.0 - KEY_ROOM,
    )
    return float(round(badge)), float(round(values + 6.0))


def box_size(box: Box) -> tuple[float, float]:
    """The width and height of a box in points, whatever fonts a machine has."""
    badge, values = _widths(box)
    height = NAME_HEIGHT + ROW_HEIGHT * (1 if box.grad is None else 2)
    border = 2.0 * STYLES[box.role].border
    return badge + KEY_ROOM + values + border, height + border


def _box_label(box: Box) -> str:
    style = STYLES[box.role]
    badge_width, value_width = _widths(box)
    rows = 2 if box.grad is None else 3
    badge = (
        ""
        if box.badge is None
        else f'<TD ROWSPAN="{rows}" BORDER="1" SIDES="R" COLOR="{style.line}" '
        f'WIDTH="{badge_width:.0f}">{font(box.badge, NAME_POINTS, MUTED, bold=True)}</TD>'
    )
    # The space after a value keeps right-aligned text off the border.
    lines = [
        f'{badge}<TD COLSPAN="2" HEIGHT="{NAME_HEIGHT:.0f}">'
        f"{font(box.name, NAME_POINTS, style.ink, bold=True)}</TD>",
        _line_of("data", font(box.data + " ", VALUE_POINTS, INK), value_width),
    ]
    if box.grad is not None:
        written = font(box.grad + " ", VALUE_POINTS, GRADIENT, bold=True)
        lines.append(_line_of("grad", written, value_width))
    return table(
        lines,
        border=str(style.border),
        cellborder="0",
        cellspacing="0",
        cellpadding="3",
        color=style.line,
        bgcolor=style.fill,
        style="ROUNDED",
    )


def _line_of(key: str, value: str, width: float) -> str:
    return (
        f'<TD ALIGN="LEFT" WIDTH="{KEY_ROOM:.0f}" HEIGHT="{ROW_HEIGHT:.0f}">'
        f"{font(key, KEY_POINTS, MUTED)}</TD>"
        f'<TD ALIGN="RIGHT" WIDTH="{width:.0f}">{value}</TD>'
    )


def _chip_label(chip: str) -> str:
    return table(
        [f"<TD>{font(f' {chip} ', 12, GRADIENT, bold=True)}</TD>"],
        border="1",
        cellborder="0",
        cellspacing="0",
        cellpadding="2",
        color=GRADIENT,
        bgcolor=PAPER,
        style="ROUNDED",
    )


def _title_label(picture: Picture) -> str:
    rows = [f"<TD>{font(picture.title, 18, INK, bold=True)}</TD>"]
    if picture.subtitle:
        rows.append(f"<TD>{font(picture.subtitle, 12, MUTED)}</TD>")
    return table(rows, border="0", cellborder="0", cellspacing="0", cellpadding="4")


def _legend_label(picture: Picture) -> str:
    cells = "".join(
        f'<TD BORDER="{max(STYLES[role].border, 1)}" COLOR="{STYLES[role].line}" '
        f'BGCOLOR="{STYLES[role].fill}" STYLE="ROUNDED" WIDTH="22" HEIGHT="14"> </TD>'
        f'<TD ALIGN="LEFT">{font(words + "  ", 11, MUTED)}</TD>'
        for role, words in picture.legend.items()
    )
    return table([cells], border="0", cellborder="0", cellspacing="4", cellpadding="2")


# --- DOT -----------------------------------------------------------------------------------------


def write_dot(picture: Picture, placement: Placement | None) -> str:
    """The DOT text of a picture: at the placement where there is one, else laid out by `dot`.

    The same picture gives the same text in every process and on every machine.
    """
    import graphviz

    graph = graphviz.Digraph(
        "autograd_rnn",
        graph_attr={"bgcolor": PAPER, "fontname": FONTS, "pad": "0.3"},
        node_attr={"shape": "plain", "fontname": FONTS},
        edge_attr={"arrowsize": "0.7", "fontname": FONTS},
    )
    if placement is None:
        _write_flowing(graph, picture)
    else:
        _write_placed(graph, picture, placement)
    return str(graph.source)


def _node(graph: graphviz.Digraph, box: Box, **attributes: str) -> None:
    role = {"class": box.role}
    graph.node(box.id, label=_box_label(box), id=box.id, **role, **attributes)


def _edge(graph: graphviz.Digraph, arrow: Arrow, **attributes: str) -> None:
    chip = {} if arrow.chip is None else {"label": _chip_label(arrow.chip)}
    common = {"id": arrow.id, "class": arrow.role}
    graph.edge(arrow.tail, arrow.head, **common, **ARROWS[arrow.role], **chip, **attributes)


def _panel_attributes(label: str) -> dict[str, str]:
    return {
        "style": "rounded,filled",
        "color": PANEL_LINE,
        "fillcolor": PANEL_FILL,
        "label": f"<{font(label, 12, MUTED)}>",
    }


def _write_flowing(graph: graphviz.Digraph, picture: Picture) -> None:
    graph.attr(rankdir="LR", newrank="true", nodesep="0.4", ranksep="0.5", splines="spline")
    if picture.legend:
        graph.attr(labelloc="b", label=_legend_label(picture))
    heading = {"label": _title_label(picture), "labelloc": "t", "peripheries": "0", "margin": "8"}
    with graph.subgraph(name="cluster_all", graph_attr=heading) as whole:
        for box in picture.boxes:
            if box.step is None:
                _node(whole, box)
        for step, label in picture.panels.items():
            attributes = {"peripheries": "1", "margin": "12", "labelloc": "b", "labeljust": "l"}
            attributes.update(_panel_attributes(label))
            with whole.subgraph(name=f"cluster_{step}", graph_attr=attributes) as panel:
                for box in picture.boxes:
                    if box.step == step:
                        _node(panel, box)
    if not picture.panels:
        # In one column, the dashed line through the copies is straight.
        with graph.subgraph(graph_attr={"rank": "same"}) as column:
            for box in picture.boxes:
                if box.role == "copy":
                    column.node(box.id)
    for arrow in picture.arrows:
        loose = arrow.role == "cut" and picture.panels
        _edge(graph, arrow, **({"constraint": "false"} if loose else {}))


Point = tuple[float, float]


def _write_placed(graph: graphviz.Digraph, picture: Picture, placement: Placement) -> None:
    centres = dict(placement.centres)
    sizes = {box.id: box_size(box) for box in picture.boxes}
    left, bottom, right, top = placement.corners
    for box in picture.boxes:
        if box.role == "parameter":
            ends = [centres[copy.id][0] for copy in picture.boxes if copy.role == "copy"]
            centres[box.id] = ((ends[0] + ends[-1]) / 2, top + CHIP_ROOM + sizes[box.id][1] / 2)
            top += CHIP_ROOM + sizes[box.id][1]
            reach = sizes[box.id][0] / 2
            left = min(left, centres[box.id][0] - reach)
            right = max(right, centres[box.id][0] + reach)
    middle = (left + right) / 2
    half = max(
        (right - left) / 2,
        text_width(picture.title, 18, bold=True) / 2,
        text_width(picture.subtitle, 12) / 2,
    )
    title, legend = (middle, top + TITLE_ROOM / 2), (middle, bottom - LEGEND_ROOM / 2)
    graph.attr(layout="nop2")
    graph.attr(bb=_points((middle - half, legend[1] - 20), (middle + half, top + TITLE_ROOM)))
    graph.node("title", label=_title_label(picture), pos=_points(title))
    for step, (x0, y0, x1, y1) in placement.panels.items():
        label = picture.panels[step]
        attributes = _panel_attributes(label)
        attributes["bb"] = _points((x0, y0), (x1, y1))
        attributes["lp"] = _points((x0 + 12 + text_width(label, 12) / 2, y0 + 15))
        with graph.subgraph(name=f"cluster_{step}", graph_attr=attributes) as panel:
            for box in picture.boxes:
                if box.step == step:
                    _node(panel, box, pos=_points(centres[box.id]))
    for box in picture.boxes:
        if box.step is None:
            _node(graph, box, pos=_points(centres[box.id]))
    if picture.legend:
        graph.node("legend", label=_legend_label(picture), pos=_points(legend))
    for arrow in picture.arrows:
        _write_placed_arrow(graph, arrow, centres, sizes)


def _write_placed_arrow(
    graph: graphviz.Digraph,
    arrow: Arrow,
    centres: Mapping[str, Point],
    sizes: Mapping[str, Point],
) -> None:
    (x0, y0), (x1, y1) = centres[arrow.tail], centres[arrow.head]
    (width0, height0), (width1, height1) = sizes[arrow.tail], sizes[arrow.head]
    if arrow.role == "fan":
        end = y1 + height1 / 2
        if abs(x1 - x0) < width0 / 2 - 10.0:
            path = _line((x1, y0 - height0 / 2), (x1, end + ARROW_HEAD))
        else:
            side = 1.0 if x1 > x0 else -1.0
            path = _bend((x0 + side * width0 / 2, y0), (x1, end + ARROW_HEAD))
        chip_at = _points((x1, y0 - height0 / 2 - CHIP_ROOM / 2 + 4.0))
        _edge(graph, arrow, pos=f"e,{_points((x1, end))} {path}", lp=chip_at)
    elif y0 == y1:
        start, end = x0 + width0 / 2, x1 - width1 / 2
        if arrow.role == "cut":
            _edge(graph, arrow, pos=_line((start + 3, y0), (end - 3, y1)))
        else:
            tip = f"e,{_points((end, y1))}"
            _edge(graph, arrow, pos=f"{tip} {_line((start, y0), (end - ARROW_HEAD, y1))}")
    else:
        down = 1.0 if y0 > y1 else -1.0
        start, end = y0 - down * height0 / 2, y1 + down * height1 / 2
        tip = f"e,{_points((x1, end))}"
        _edge(graph, arrow, pos=f"{tip} {_line((x0, start), (x1, end + down * ARROW_HEAD))}")


def _points(*points: Point) -> str:
    return ",".join(f"{coordinate:.2f}" for point in points for coordinate in point)


def _spline(*points: Point) -> str:
    return " ".join(_points(point) for point in points)


def _line(start: Point, end: Point) -> str:
    """A straight line as one Bézier curve."""
    (x0, y0), (x1, y1) = start, end
    third = ((x1 - x0) / 3, (y1 - y0) / 3)
    return _spline(start, (x0 + third[0], y0 + third[1]), (x1 - third[0], y1 - third[1]), end)


def _bend(start: Point, end: Point) -> str:
    """Sideways, then down around a rounded corner."""
    (x0, y0), (x1, y1) = start, end
    radius = min(28.0, abs(x1 - x0), abs(y1 - y0))
    side = 1.0 if x1 > x0 else -1.0
    corner, turn = (x1 - side * radius, y0), (x1, y0 - radius)
    pull = 0.45 * radius
    around = ((x1 - side * pull, y0), (x1, y0 - pull), turn)
    return " ".join((_line(start, corner), _spline(*around), _line(turn, end).partition(" ")[2]))
