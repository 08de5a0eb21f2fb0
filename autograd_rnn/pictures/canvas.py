"""A sheet to pin boxes and arrows on, written as DOT."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any, Final, NamedTuple

from ..graph.notation import is_not_finite
from .html_labels import (
    FONTS,
    NAME_POINTS,
    SMALL_POINTS,
    TITLE_POINTS,
    font,
    panel_label,
    rounded,
    title_label,
)
from .layout import text_width
from .theme import Theme

Point = tuple[float, float]

ARROW_HEAD: Final = 7.0
TITLE_ROOM: Final = 76.0
LEGEND_ROOM: Final = 46.0
RADIUS: Final = 24.0
LINE_HEIGHT: Final = 22.0


class Figure(NamedTuple):
    """DOT text ready to be rendered; what it shows in one line, and each id's words in full."""

    dot: str
    summary: str
    titles: Mapping[str, str]


def new_graph(theme: Theme, edges: Mapping[str, str] | None = None, **attributes: str) -> Any:
    """An empty graph of HTML labels, with what else holds for its edges and for all of it."""
    import graphviz

    return graphviz.Digraph(
        "autograd_rnn",
        graph_attr={"bgcolor": theme.paper, "fontname": FONTS, "pad": "0.3", **attributes},
        node_attr={"shape": "plain", "fontname": FONTS},
        edge_attr={"arrowsize": "0.7", **({"fontname": FONTS} if edges is None else edges)},
    )


def heading_width(title: str, subtitle: str) -> float:
    """The room that a heading takes."""
    return max(text_width(title, TITLE_POINTS, bold=True), text_width(subtitle, SMALL_POINTS))


def panel_looks(words: str, theme: Theme) -> dict[str, str]:
    """How the panel of a step looks, with its words."""
    return {
        "style": "rounded,filled",
        "color": theme.panel_line,
        "fillcolor": theme.panel_fill,
        "label": panel_label(words, theme),
    }


def pinned_panel_looks(words: str, low: Point, high: Point, theme: Theme) -> dict[str, str]:
    """Likewise, from corner to corner, with the words at its foot on the left."""
    at = (low[0] + 12 + text_width(words, SMALL_POINTS) / 2, low[1] + 15)
    return {**panel_looks(words, theme), "bb": points(low, high), "lp": points(at)}


def cut_words(steps: Iterable[int]) -> dict[str, str]:
    """What the cuts before steps say, by their ids."""
    return {f"cut_{step}": f"no gradient goes back from step {step}" for step in steps}


# --- points and paths ----------------------------------------------------------------------------


def points(*several: Point) -> str:
    """Points as Graphviz reads them."""
    return ",".join(f"{coordinate:.2f}" for point in several for coordinate in point)


def spline(*curve: Point) -> str:
    """The points of a Bézier curve as Graphviz reads them."""
    return " ".join(points(point) for point in curve)


def along(start: Point, end: Point, part: float) -> Point:
    """The point at a part of the way."""
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def cornered(corners: Sequence[Point]) -> list[Point]:
    """Straight lines from corner to corner, as Bézier curves."""
    curve = [corners[0]]
    for start, end in pairwise(corners):
        curve += [start, end, end]
    return curve


# --- the sheet -----------------------------------------------------------------------------------


class Sheet:
    """A picture in the making: what stands where, its room, and what it is in words."""

    def __init__(self, theme: Theme, graph: Any) -> None:
        self.theme = theme
        self.graph = graph
        self.titles: dict[str, str] = {}
        self.at: dict[str, Point] = {}
        self.room: dict[str, Point] = {}
        self.corners: list[Point] = []
        self.arrows = 0

    def node(self, id: str, at: Point, room: Point, written: str, words: str, **looks: str) -> None:
        """A node; what has no `words` only labels others."""
        self.at[id], self.room[id] = at, room
        for side in (-0.5, 0.5):
            self.corners.append((at[0] + side * room[0], at[1] + side * room[1]))
        if words:
            self.titles[id] = words
        self.graph.node(id, label=written, id=id, pos=points(at), **looks)

    def text(self, id: str, at: Point, text: str, size: float, ink: str, side: int = 0) -> None:
        """A line of text around its point, or on the left of it (-1)."""
        bold = size > SMALL_POINTS
        width = text_width(text, size, bold)
        written = f"<{font(text, size, ink, bold)}>"
        self.node(id, (at[0] + side * width / 2, at[1]), (width + 10, 1.5 * size), written, "")

    def circle(
        self, id: str, at: Point, text: str, words: str, role: str, fill: str = "", ink: str = ""
    ) -> None:
        """A neuron in the style of its role, or in another fill and ink; dashed if not a number."""
        style = self.theme.styles[role]
        size = min(NAME_POINTS, 1.9 * RADIUS / text_width(text, 1, bold=True))
        written = f"<{font(text, size, ink or style.ink, bold=True)}>"
        looks = {"color": style.line, "fillcolor": fill or style.fill}
        looks["style"] = "filled,dashed" if is_not_finite(text) else "filled"
        looks |= {"shape": "circle", "fixedsize": "true", "width": f"{RADIUS / 36:.4f}"}
        looks |= {"penwidth": str(style.border), "class": role}
        self.node(id, at, (2 * RADIUS, 2 * RADIUS), written, words, **looks)

    def box(
        self, id: str, at: Point, lines: Sequence[str], words: str, role: str, *inks: str
    ) -> None:
        """A rounded box of lines of text, in inks of their own where there are any."""
        style = self.theme.styles[role]
        room = self.room_of(lines, role)
        cells = [
            f'<TD WIDTH="{room[0] - 2 * style.border:.0f}" HEIGHT="{LINE_HEIGHT:.0f}">'
            f"{font(line, NAME_POINTS, ink, bold=True)}</TD>"
            for line, ink in zip_longest(lines, inks, fillvalue=style.ink)
        ]
        written = rounded(cells, style.border, style.line, style.fill, padding=2)
        self.node(id, at, room, written, words, **{"class": role})

    def room_of(self, lines: Sequence[str], role: str) -> Point:
        """The width and the height of a box."""
        border = 2.0 * self.theme.styles[role].border
        width = max(text_width(line, NAME_POINTS, bold=True) for line in lines) + 12
        return round(max(24.0, width)) + border, LINE_HEIGHT * len(lines) + border

    def arrow(self, ends: str, path: Sequence[Point] = (), words: str = "", **looks: str) -> None:
        """An arrow along a Bézier curve to the tip that stands last, or a straight one."""
        self.arrows += 1
        id = f"e{self.arrows}"
        *curve, tip = path or self.straight(*ends.split())
        self.graph.edge(*ends.split(), id=id, pos=f"e,{points(tip)} {spline(*curve)}", **looks)
        if words:
            self.titles[id] = words

    def straight(self, tail: str, head: str) -> list[Point]:
        """From border to border, along the line from centre to centre."""
        start, end = self.at[tail], self.at[head]
        length, axis = math.dist(start, end), 1 if start[0] == end[0] else 0
        before, after = self.room[tail][axis] / 2, self.room[head][axis] / 2
        first, last, tip = [
            along(start, end, reach / length)
            for reach in (before, length - after - ARROW_HEAD, length - after)
        ]
        return [*cornered([first, last]), tip]

    def cut(self, step: int, x: float, *parts: tuple[float, float]) -> None:
        """A dashed line from top to bottom, in parts, where no gradient goes back from a step."""
        high = parts[0][0]
        self.text(f"cut_{step}", (x, high), "cut", SMALL_POINTS, self.theme.gradient)
        self.titles |= cut_words([step])
        looks = {"color": self.theme.gradient, "style": "dotted", "penwidth": "2.2", "dir": "none"}
        for part, (top, low) in enumerate([(high - 9.0, parts[0][1]), *parts[1:]]):
            line = spline(*cornered([(x, top), (x, low)]))
            self.graph.edge(*[f"cut_{step}"] * 2, id=f"e0_{step}_{part}", pos=line, **looks)

    def panel(self, step: str, low: Point, high: Point) -> None:
        """The panel of a step, from corner to corner."""
        looks = pinned_panel_looks(f"step {step}", low, high, self.theme)
        with self.graph.subgraph(name=f"cluster_{step}", graph_attr=looks):
            self.corners += [low, high]

    def extent(self) -> tuple[Point, Point]:
        """The corners of all that is there."""
        xs, ys = zip(*self.corners, strict=True)
        return (min(xs), min(ys)), (max(xs), max(ys))

    def heading(self, title: str, subtitle: str, at: Point) -> None:
        """The heading, over what is there."""
        label = title_label(title, subtitle, self.theme)
        self.graph.node("title", label=label, pos=points(at))

    def figure(self, title: str, low: Point, high: Point, summary: str) -> Figure:
        """All of it, from corner to corner."""
        self.graph.attr(bb=points(low, high))
        titles = {"autograd_rnn": title, **self.titles}
        return Figure(str(self.graph.source), summary, titles)
