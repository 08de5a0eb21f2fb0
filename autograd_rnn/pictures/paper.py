"""How wide and high a picture may be on paper and slides, so that all of its text can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf, isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from ..arguments import as_float
from ..errors import ArgumentTypeError, ArgumentValueError, GraphTooLarge
from .rendering.render import render

if TYPE_CHECKING:
    from .drawing import Drawing

# The widths and heights in points between the margins: 15 mm at the sides of A4 and 12 mm over and
# under it, and 30 pt around a slide of 16:9.
PAGES: Final = {"a4": (510.0, 774.0), "slide": (900.0, 480.0)}
#: The smallest text that pictures draw, and the smallest that a reader of paper reads, in points.
DRAWN: Final = 10.0
READ: Final = 7.0
PAD: Final = 21.6  # around a picture, on each side
NARROWEST: Final = 200.0
FAR: Final = 72_000.0  # higher than any picture


class Part(NamedTuple):
    """A page of a drawing: its scale, its middle from left to right, its top and its foot."""

    scale: float
    middle: float
    top: float
    foot: float


class Room(NamedTuple):
    """How wide and high a picture may be drawn before it is scaled to its page."""

    wide: float = inf
    high: float = inf


ENDLESS: Final = Room()


class Paper(NamedTuple):
    """The most width and height of a picture in points, and what was asked for."""

    width: float = inf
    height: float = inf
    asked: str = ""

    @property
    def room(self) -> Room:
        """How wide and high a picture may be drawn before it is scaled to the paper."""
        return Room(self.width * DRAWN / READ - 2 * PAD, self.height * DRAWN / READ)

    def fit(self, drawing: Drawing, detailed: bool = False) -> Drawing:
        """The drawing, no wider than the paper; `GraphTooLarge` where its text would be too small.

        `detailed` says that there are others, with another `detail` or `focus`.

        What is drawn narrower than the paper keeps its size.  What is too high for a page is cut
        into `pages` of whole rows; the summary says so where a row alone is too high.
        """
        if self.width == inf:
            return drawing
        svg = render(drawing.dot, "svg")
        drawn = re.search(rb'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', svg)
        wide, high = (float(drawn[1]), float(drawn[2])) if drawn else (inf, inf)
        if wide > self.width * DRAWN / READ + 1.0:
            least = wide * READ / DRAWN
            raise GraphTooLarge(
                f"the picture is {least:.0f} points wide where its smallest text is {READ:g} "
                f"points, more than width={self.asked}: "
                f"{'draw one weight with focus=, choose another detail= or' * detailed}"
                f"{'choose' * (not detailed)} a larger width=, or leave out width= and save an "
                f"SVG, which can be enlarged."
            )
        one_page = high * READ / DRAWN <= self.height + 1.0
        parts = [] if one_page else self._parts(drawing.rows, wide)
        if len(parts) == 1 and not self._is_too_high(parts[0]):
            return _part(drawing, parts[0], drawing.inside)
        pages = [_part(drawing, part) for part in parts]
        # Graphviz scales all of the picture, in every format.
        limit = self.height if one_page and self.height < inf else FAR
        drawing.dot = _with(drawing.dot, f'size="{self.width / 72:.4f},{limit / 72:.4f}"')
        if not one_page:
            # Without rows, all of it is on one page, which is too high.
            which = [self._is_too_high(part) for part in parts] or [True]
            self._give(drawing, pages or [replace(drawing)], which, detailed)
        return drawing

    @staticmethod
    def _give(
        drawing: Drawing, pages: Sequence[Drawing], too_high: Sequence[bool], detailed: bool
    ) -> None:
        """Give a drawing its pages, and say which and how many of them are too high."""
        count = len(pages)
        for place, (page, high) in enumerate(zip(pages, too_high, strict=True), 1):
            page.too_high = int(high)
            page.summary += f", page {place} of {count}" + ", too high" * high
        drawing.pages, drawing.too_high = pages, sum(too_high)
        if count > 1:
            drawing.summary += f", {count} pages"
        if drawing.too_high:
            which = f"{drawing.too_high} too high" if count > 1 else "too high for a page"
            ways = "width=, detail= or focus=" if detailed else "width=, or none"
            drawing.summary += f", {which}: choose another {ways}"

    def _is_too_high(self, part: Part) -> bool:
        return (part.top - part.foot) * part.scale > self.height + 1.0

    def _parts(self, rows: Sequence[float], wide: float) -> list[Part]:
        """The pages of a drawing that is so wide."""
        if not rows:
            return []
        heights = list(pairwise(rows))
        least, scale = READ / DRAWN, min(1.0, self.width / wide)
        tallest = max(top - foot for top, foot in heights)
        scale = max(least, min(scale, self.height / tallest))
        # Smaller where that takes fewer pages.
        chosen = min((scale, least), key=lambda one: len(self._packed(heights, one)))
        parts = self._packed(heights, chosen)
        return [Part(chosen, wide / 2 - PAD, top, foot) for top, foot in parts]

    def _packed(
        self, heights: Sequence[tuple[float, float]], scale: float
    ) -> list[tuple[float, float]]:
        """The top and the foot of each page, with as many rows as it holds."""
        parts: list[tuple[float, float]] = []
        for top, foot in heights:
            if parts and (parts[-1][0] - foot) * scale <= self.height:
                parts[-1] = parts[-1][0], foot
            else:
                parts.append((top, foot))
        return parts


def _part(drawing: Drawing, part: Part, inside: Drawing | None = None) -> Drawing:
    """A page of a drawing."""
    scale, middle, top, foot = part
    wide, high = 2 * (middle + PAD) * scale, (top - foot) * scale
    view = f'viewport="{wide:.1f},{high:.1f},{scale:.4f},{middle:.1f},{(top + foot) / 2:.1f}"'
    return replace(drawing, dot=_with(drawing.dot, view), inside=inside, pages=())


def _with(dot: str, looks: str) -> str:
    head, opening, rest = dot.partition("{\n")
    return f'{head}{opening}\tgraph [margin="0" {looks}]\n{rest}'


def as_paper(width: object) -> Paper:
    """The paper of a width: points, or the name of one of `PAGES`; None is as wide as it takes.

    >>> as_paper("a4").width, as_paper(300).width
    (510.0, 300.0)
    """
    if width is None:
        return Paper()
    names = ", ".join(map(repr, PAGES))
    if isinstance(width, str):
        if width not in PAGES:
            raise ArgumentValueError(f"width must be one of {names} or points, not {width!r}.")
        return Paper(*PAGES[width], repr(width))
    if isinstance(width, bool) or not hasattr(width, "__float__"):
        raise ArgumentTypeError(
            f"width must be one of {names} or points, not {type(width).__name__}."
        )
    points = as_float(width, "width")
    if not isfinite(points) or points < NARROWEST:
        raise ArgumentValueError(f"width must be {NARROWEST:g} points or more, not {points:g}.")
    return Paper(points, asked=f"{points:g}")
