"""The picture of a question: the network unrolled, with names and no results."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from ...graph.notation import label, latex_name

RADIUS: Final = 10.0
COLUMN: Final = 80.0
WIDEST: Final = 430.0
MARGIN: Final = 14.0


class Arrow(NamedTuple):
    """An arrow from one point to another, level, upright or at 45 degrees."""

    x: float
    y: float
    right: float
    up: float


class Words(NamedTuple):
    """A name, or a text that is no name, with its middle at a point."""

    x: float
    y: float
    text: str
    is_name: bool = True


class Figure(NamedTuple):
    """Circles (the middles of them), arrows and words, y pointing up, in points."""

    width: float
    height: float
    circles: Sequence[tuple[float, float]]
    arrows: Sequence[Arrow]
    words: Sequence[Words]
    about: str

    def svg(self) -> str:
        """The picture as a file of its own, in black on white."""
        w, h = self.width, self.height
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:g} {h:g}" '
                f'width="{w:g}pt" height="{h:g}pt" role="img" aria-label="{escape(self.about)}" '
                f'font-family="DejaVu Sans,Verdana,sans-serif" font-size="10" text-anchor="middle">'
            ),
            '<rect width="100%" height="100%" fill="#fff"/>',
            (
                '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" '
                'markerHeight="6" orient="auto"><path d="M0 0L6 3L0 6z"/></marker></defs>'
            ),
        ]
        parts += [
            f'<path d="M{a.x:g} {h - a.y:g}l{a.right:g} {-a.up:g}" stroke="#000" fill="none" '
            f'marker-end="url(#tip)"/>'
            for a in self.arrows
        ]
        parts += [
            f'<circle cx="{x:g}" cy="{h - y:g}" r="{RADIUS:g}" fill="#fff" stroke="#000"/>'
            for x, y in self.circles
        ]
        for x, y, text, is_name in self.words:
            shown = label(text) if is_name else text
            parts.append(f'<text x="{x:g}" y="{h - y + 3.5:g}">{escape(shown)}</text>')
        return "\n".join([*parts, "</svg>"]) + "\n"

    def latex(self) -> str:
        """The picture in LaTeX's own `picture` environment."""
        lines = [r"\begin{center}", r"\setlength{\unitlength}{1pt}"]
        lines.append(rf"\begin{{picture}}({self.width:g},{self.height:g})")
        for x, y, right, up in self.arrows:
            slope = [(side > 0) - (side < 0) for side in (right, up)]
            length = abs(right) or abs(up)
            lines.append(rf"\put({x:g},{y:g}){{\vector({slope[0]},{slope[1]}){{{length:g}}}}}")
        for x, y in self.circles:
            lines.append(rf"\put({x:g},{y:g}){{\circle{{{2 * RADIUS:g}}}}}")
        for x, y, text, is_name in self.words:
            shown = f"${latex_name(text)}$" if is_name else text
            lines.append(rf"\put({x:g},{y:g}){{\makebox(0,0){{\small {shown}}}}}")
        return "\n".join([*lines, r"\end{picture}", r"\end{center}"])


def chain(
    circles: Sequence[Sequence[str]],
    *,
    before: Sequence[str],
    along: Sequence[str],
    about: str,
    below: Sequence[str] = (),
    entering: str = "",
    losses: Sequence[int] = (),
) -> Figure:
    """A chain of steps: `circles` are the names in each, `before` those of the start.

    `along` are the names on the arrows from step to step, `below` what enters from below, through
    the weight `entering`, and `losses` the steps with an arrow to L.
    """
    count, size = len(circles), len(circles[0])
    left = 3 * RADIUS
    column = min(COLUMN, (WIDEST - 5 * RADIUS) / count)
    between = column - 2 * RADIUS
    bottom = MARGIN + 42.0 if below else MARGIN + RADIUS
    top = bottom + (size - 1) * between
    found_circles, arrows, words = [], [], []

    def height(j: int) -> float:
        return top - j * between

    for j, name in enumerate(before):
        words.append(Words(left - 12.0, height(j), name))
    for k, names in enumerate(circles, 1):
        x = left + k * column - RADIUS if before else MARGIN + RADIUS + (k - 1) * column
        for j, name in enumerate(names):
            found_circles.append((x, height(j)))
            words.append(Words(x, height(j), name))
            for i in range(size if k > 1 or before else 0):
                start = x - RADIUS - between
                arrows.append(Arrow(start, height(i), between, height(j) - height(i)))
        if along and (k > 1 or before):
            words.append(Words(x - RADIUS - between / 2, height(0) + 8.0, along[k - 1]))
        if below:
            arrows.append(Arrow(x, MARGIN + 8.0, 0.0, bottom - RADIUS - MARGIN - 8.0))
            words.append(Words(x, MARGIN - 2.0, below[k - 1], is_name=False))
            if entering:
                words.append(Words(x + 11.0, MARGIN + 20.0, entering))
        if k in losses:
            arrows.append(Arrow(x, top + RADIUS, 0.0, 22.0))
            words.append(Words(x, top + RADIUS + 30.0, "L"))
    width = found_circles[-1][0] + RADIUS + 2 * MARGIN
    above = 44.0 if losses else MARGIN
    return Figure(width, top + RADIUS + above, found_circles, arrows, words, about)
