"""A canvas for boxes and arrows, written as DOT."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise, zip_longest
from types import MappingProxyType
from typing import Any, Final

from ..graph.marks import Ids, mark_of
from ..graph.notation import is_not_finite
from ..graph.separating import Key, Member, key_of
from ..graph.walk import Node
from . import html_labels as html
from .drawing import WHOLE, Drawing
from .paper import DRAWN, PAD
from .rendering.dot_text import DotText
from .theme import Theme

Point = tuple[float, float]

ARROW_HEAD: Final = 7.0
TITLE_ROOM: Final = 76.0
TITLE_AIR: Final = 10.0  # over the heading
LEGEND_ROOM: Final = 46.0
TITLE_LINE, TOLD_LINE, LEGEND_ROW = 30.0, 22.0, 22.0  # of each further line
HEADING: Final = TITLE_ROOM - TITLE_AIR  # over the rows of the first page
FRAME: Final = HEADING + LEGEND_ROOM  # around the rows of a page, at most
RADIUS: Final = 24.0
LINE_HEIGHT: Final = 22


def points(*several: Point) -> str:
    """Points as Graphviz reads them."""
    return ",".join(f"{coordinate:.2f}" for point in several for coordinate in point)


def spline(curve: Sequence[Point]) -> str:
    """The points of a Bézier curve as Graphviz reads them."""
    return " ".join(points(point) for point in curve)


def along(start: Point, end: Point, part: float) -> Point:
    """The point at a part of the way."""
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def cornered(*corners: Point) -> list[Point]:
    """Straight lines from corner to corner, as Bézier curves."""
    curve = [corners[0]]
    for start, end in pairwise(corners):
        curve += [start, end, end]
    return curve


def rounded_corners(corners: Sequence[Point], radius: float = 14.0) -> list[Point]:
    """Straight lines from corner to corner, each but the ends rounded, as Bézier curves."""
    curve = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        turn = min(radius, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        if turn == 0.0:
            continue
        start = along(corner, before, turn / math.dist(before, corner))
        end = along(corner, after, turn / math.dist(corner, after))
        around = [along(point, corner, 0.55) for point in (start, end)]
        curve += [curve[-1], start, start, *around, end]
    return [*curve, curve[-1], corners[-1], corners[-1]]


def sideways(start: Point, end: Point) -> list[Point]:
    """From side to side, level at both ends."""
    (x0, y0), (x1, y1) = start, end
    last = x1 - ARROW_HEAD
    middle = max(x0, last - 40.0) / 2 + last / 2
    return [(x0, y0), (max(x0, middle), y0), (max(x0, middle - 10), y1), (last, y1), (x1, y1)]


def downwards(start: Point, end: Point) -> list[Point]:
    """From top to bottom, upright at both ends."""
    (x0, y0), (x1, y1) = start, end
    last = y1 + ARROW_HEAD
    return [(x0, y0), (x0, (y0 + last) / 2), (x1, (y0 + last) / 2), (x1, last), (x1, y1)]


class Canvas:
    """A picture in the making: where each node is, its size, and its title.

    With `layout="nop2"` among the looks, everything stays where it is put; else `dot` finds places.
    """

    def __init__(self, theme: Theme, edges: Mapping[str, str] | None = None, **looks: str) -> None:
        self.theme = theme
        self.pinned = "layout" in looks
        self.graph = DotText(
            WHOLE,
            {"bgcolor": theme.paper, "fontname": html.FONTS, "pad": f"{PAD / 72:g}", **looks},
            node={"shape": "plain", "fontname": html.FONTS},
            edge={"arrowsize": "0.7", "fontname": html.FONTS, **(edges or {})},
        )
        self.titles: dict[str, str] = {}
        self.at: dict[str, Point] = {}
        self.room: dict[str, Point] = {}
        self.members: dict[str, list[Key]] = {}
        self.corners: list[Point] = []
        self.breaks: list[float] = []  # heights at which a page may end, from the top
        self.edges: tuple[Point, Point] | None = None  # the corners of it all
        self.arrows = 0
        self.radius = RADIUS  # of circles

    def part(self, name: str | None = None, **looks: str) -> AbstractContextManager[None]:
        """A part of the graph, to which all goes that is drawn meanwhile."""
        return self.graph.part(name, looks)

    def node(
        self, id: str, at: Point | None, room: Point, label: str, said: str, role: str, **looks: str
    ) -> None:
        """A node, what is said of it, and its role; where nothing is said, it labels others."""
        if at is not None:
            self.at[id], self.room[id] = at, room
            self.corners += [self.spot(id, -1, -1), self.spot(id, 1, 1)]
            looks["pos"] = points(at)
        if said:
            self.titles[id] = said
        if role:
            looks["class"] = role
        self.graph.node(id, label, id=id, **looks)

    def about(self, id: str, *members: Member | Key) -> None:
        """Tell which nodes and copies a box is about."""
        self.members.setdefault(id, []).extend(map(key_of, members))

    def text(self, id: str, at: Point, text: str, size: float, ink: str, side: int = 0) -> None:
        """A line of text around its point, or on the left (-1) or the right (1) of it."""
        bold = size > html.SMALL_POINTS
        width = html.text_width(text, size, bold)
        align = {"align": "RIGHT" if side < 0 else "LEFT"} if side else {}
        label = html.label(text, size, ink, bold, **align)
        self.node(id, (at[0] + side * width / 2, at[1]), (width + 10, 1.5 * size), label, "", "")

    def circle(
        self, id: str, at: Point, text: str, words: str, role: str, fill: str = "", ink: str = ""
    ) -> None:
        """A neuron in the style of its role, or in another fill and ink; dashed if not a number."""
        style = self.theme.styles[role]
        size = min(html.NAME_POINTS, 1.9 * self.radius / html.text_width(text, 1, bold=True))
        size = max(size, DRAWN)
        label = html.label(text, size, ink or style.ink, bold=True)
        looks = {"shape": "circle", "color": style.line, "fillcolor": fill or style.fill}
        looks |= {
            "penwidth": str(style.border),
            "width": f"{self.radius / 36:.4f}",
            "fixedsize": "true",
        }
        looks["style"] = "filled,dashed" if is_not_finite(text) else "filled"
        self.node(id, at, (2 * self.radius, 2 * self.radius), label, words, role, **looks)

    def box(self, id: str, at: Point, lines: list[str], words: str, role: str, *inks: str) -> None:
        """A rounded box of lines of text, in inks of their own where there are any."""
        style = self.theme.styles[role]
        room = self.room_of(lines, role)
        size = {"width": room[0] - 2 * style.border, "height": LINE_HEIGHT}
        cells = [
            html.written(line, html.NAME_POINTS, ink, bold=True, **size)
            for line, ink in zip_longest(lines, inks, fillvalue=style.ink)
        ]
        label = html.rounded(cells, style.border, style.line, style.fill, padding=2)
        self.node(id, at, room, label, words, role)

    def number(self, box: html.Box, at: Point | None = None, line: bool = False) -> None:
        """The box of a number, or with `line` all of it beside each other."""
        self.about(box.id, *box.about)
        size, label = (html.line_size, html.line_label) if line else (html.box_size, html.box_label)
        room = size(box) if at else (0.0, 0.0)
        self.node(box.id, at, room, label(box, self.theme), box.description, box.role)

    def room_of(self, lines: Sequence[str], role: str) -> tuple[int, int]:
        """The width and the height of a box."""
        border = 2 * self.theme.styles[role].border
        width = max(html.text_width(line, html.NAME_POINTS, bold=True) for line in lines) + 12
        return round(max(24.0, width)) + border, LINE_HEIGHT * len(lines) + border

    def arrow(
        self, ends: str, path: Sequence[Point] = (), words: str = "", role: str = "", **looks: str
    ) -> None:
        """An arrow along a Bézier curve to its last point, or straight; no tip if `dir` is none."""
        self.arrows += 1
        id, (tail, head) = f"e{self.arrows}", ends.split()
        if role:
            looks["class"] = role
        if self.pinned:
            *curve, tip = path or self.straight(tail, head)
            pointed = looks.get("dir") != "none"
            looks["pos"] = f"e,{points(tip)} {spline(curve)}" if pointed else spline(path)
        self.graph.edge(tail, head, {"id": id, **looks})
        if words:
            self.titles[id] = words

    def spot(self, id: str, x: float = 0.0, y: float = 0.0) -> Point:
        """A point of a node: (0, 0) is its centre, (1, 0) the middle of its right side."""
        (at_x, at_y), (width, height) = self.at[id], self.room[id]
        return at_x + x * width / 2, at_y + y * height / 2

    def straight(self, tail: str, head: str) -> list[Point]:
        """From border to border, along the line from centre to centre."""
        start, end = self.at[tail], self.at[head]
        length, axis = math.dist(start, end), 1 if start[0] == end[0] else 0
        before, after = self.room[tail][axis] / 2, self.room[head][axis] / 2
        first, last, tip = [
            along(start, end, reach / length)
            for reach in (before, length - after - ARROW_HEAD, length - after)
        ]
        return [*cornered(first, last), tip]

    def cut(self, step: int, x: float, *parts: tuple[float, float], mark: str = "") -> None:
        """A dashed line from top to bottom, in parts, where no gradient goes back from a step."""
        high = parts[0][0]
        id = f"{mark}cut_{step}"
        self.text(id, (x, high), "cut", html.SMALL_POINTS, self.theme.gradient)
        self.titles[id] = f"no gradient goes back from step {step}"
        looks = {"color": self.theme.gradient, "style": "dotted", "penwidth": "2.2", "dir": "none"}
        for part, (top, low) in enumerate([(high - 9.0, parts[0][1]), *parts[1:]]):
            line = spline(cornered((x, top), (x, low)))
            own = {"id": f"{mark}e0_{step}_{part}", "pos": line}
            self.graph.edge(id, id, looks | own)

    def panel_looks(self, words: str) -> dict[str, str]:
        """How the panel of a step looks, with its words."""
        fill = {"color": self.theme.panel_line, "fillcolor": self.theme.panel_fill}
        label = html.plain_label(words, self.theme, align="LEFT")
        return {"style": "rounded,filled", **fill, "label": label}

    def panel(
        self, step: int | str, words: str, low: Point, high: Point
    ) -> AbstractContextManager[None]:
        """The panel of a step, from corner to corner, with its words at the foot on the left."""
        self.corners += [low, high]
        at = (low[0] + 12 + html.text_width(words, html.SMALL_POINTS) / 2, low[1] + 15)
        looks = {**self.panel_looks(words), "bb": points(low, high), "lp": points(at)}
        return self.part(f"cluster_{step}", **looks)

    def legend(self, words: Mapping[str, str], wide: float = math.inf) -> tuple[str, float]:
        """The label of a legend no wider than that, where words allow it, and its height."""
        columns = html.legend_columns(words, wide)
        rows = math.ceil(len(words) / columns)
        label = html.legend_label(words, self.theme, columns)
        return label, LEGEND_ROOM + LEGEND_ROW * max(rows - 1, 0)

    def frame(
        self,
        title: str,
        subtitle: str,
        legend: str = "",
        room: float = LEGEND_ROOM,
        wide: float = math.inf,
    ) -> None:
        """The heading over all that is there, and the legend under it, which takes that room.

        The heading is broken into lines that are no wider than `wide`.
        """
        xs, ys = zip(*self.corners, strict=True)
        top, bottom, middle = max(ys), min(ys), (min(xs) + max(xs)) / 2
        titles = html.wrapped(title, html.TITLE_POINTS, wide, bold=True)
        told = html.wrapped(subtitle, html.SMALL_POINTS, wide)
        widths = [html.text_width(line, html.TITLE_POINTS, bold=True) for line in titles]
        widths += [html.text_width(line, html.SMALL_POINTS) for line in told]
        half = max([max(xs) - min(xs), *widths]) / 2
        high = TITLE_ROOM + TITLE_LINE * (len(titles) - 1) + TOLD_LINE * max(len(told) - 1, 0)
        label = html.title_label(titles, told, self.theme)
        if label:
            self.graph.node("heading", label, pos=points((middle, top + high / 2)))
        if legend:
            at = (middle, bottom - room / 2)
            self.graph.node("legend", legend, pos=points(at))
            bottom -= room
        self.edges = (middle - half, bottom), (middle + half, top + high)
        self.graph.attributes(bb=points(*self.edges))
        self.titles[WHOLE] = title

    def drawing(
        self, summary: str, marks: Mapping[Node, str] = MappingProxyType({}), view: Any = None
    ) -> Drawing:
        """All that is there, the boxes with the marks of what they are about."""
        ids: dict[Key, str] = {}
        for id, members in self.members.items():
            for member in members:
                ids.setdefault(member, id)
        marked = {}
        for id, members in self.members.items():
            there = [one for one in members if (one[0] if isinstance(one, tuple) else one) in marks]
            if there:
                marked[id] = " ".join(dict.fromkeys([mark_of(one, marks) for one in there]))
        parts = (self.titles, self.theme.name, view)
        told: Any = {"marks": marked, "labels": self.graph.labels}
        told["rows"] = () if self.edges is None else self._rows(*self.edges)
        return Drawing(str(self.graph), summary, *parts, ids=Ids(ids), **told)

    def _rows(self, low: Point, high: Point) -> tuple[float, ...]:
        """The heights over the foot at which a page may end, with its top and its foot.

        A page has margins, and needs no pad around the heading and the legend.  Without a legend,
        arrows may reach below the lowest box.
        """
        lowest = min(y for _, y in self.corners)
        foot = low[1] if low[1] < lowest else low[1] - PAD
        inner = [y for y in self.breaks if y > lowest]
        return tuple([y - low[1] for y in (high[1] - TITLE_AIR, *inner, foot)])
