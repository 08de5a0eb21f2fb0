"""How wide a picture may be on paper and slides, so that all of its text can be read."""

from __future__ import annotations

import re
from math import inf, isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from ..arguments import as_float
from ..errors import ArgumentTypeError, ArgumentValueError, GraphTooLarge
from .rendering.render import render

if TYPE_CHECKING:
    from .drawing import Drawing

# The widths in points of what is between the margins: 15 mm on A4, and of a slide of 16:9 30 pt.
WIDTHS: Final = {"a4": 510.0, "slide": 900.0}
#: The smallest text that pictures draw, and the smallest that a reader of paper reads, in points.
DRAWN: Final = 10.0
READ: Final = 7.0
PAD: Final = 21.6  # around a picture, on each side
NARROWEST: Final = 200.0


class Paper(NamedTuple):
    """The width of a picture in points, infinite unless asked for, and what was asked for."""

    width: float = inf
    asked: str = ""

    @property
    def room(self) -> float:
        """How wide a picture may be drawn before it is scaled to the paper."""
        return self.width * DRAWN / READ - 2 * PAD

    def fit(self, drawing: Drawing) -> Drawing:
        """The drawing, no wider than the paper; `GraphTooLarge` where its text would be too small.

        What is drawn narrower than the paper keeps its size.
        """
        if self.width < inf:
            svg = render(drawing.dot, "svg")
            drawn = re.search(rb'<svg width="([0-9.]+)pt"', svg)
            wide = float(drawn[1]) if drawn else inf
            if wide > self.width * DRAWN / READ + 1.0:
                least = wide * READ / DRAWN
                raise GraphTooLarge(
                    f"the picture is {least:.0f} points wide where its smallest text is {READ:g} "
                    f"points, more than width={self.asked}: draw one weight with focus=, choose "
                    f"another detail=, or leave out width= and save an SVG, which can be enlarged."
                )
            # Graphviz scales all of the picture, in every format.
            size = f'\tgraph [size="{self.width / 72:.4f},1000"]\n'
            head, opening, rest = drawing.dot.partition("{\n")
            drawing.dot = head + opening + size + rest
        return drawing


def as_paper(width: object) -> Paper:
    """The paper of a width: points, or the name of one of `WIDTHS`; None is as wide as it takes.

    >>> as_paper("a4").width, as_paper(300).width
    (510.0, 300.0)
    """
    if width is None:
        return Paper()
    names = ", ".join(map(repr, WIDTHS))
    if isinstance(width, str):
        if width not in WIDTHS:
            raise ArgumentValueError(f"width must be one of {names} or points, not {width!r}.")
        return Paper(WIDTHS[width], repr(width))
    if isinstance(width, bool) or not hasattr(width, "__float__"):
        raise ArgumentTypeError(
            f"width must be one of {names} or points, not {type(width).__name__}."
        )
    points = as_float(width, "width")
    if not isfinite(points) or points < NARROWEST:
        raise ArgumentValueError(f"width must be {NARROWEST:g} points or more, not {points:g}.")
    return Paper(points, f"{points:g}")
