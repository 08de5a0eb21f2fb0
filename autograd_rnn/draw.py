"""A graph as a picture to look at, to save, and to show in Jupyter."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from .dot import Figure, Picture, write_dot
from .errors import ArgumentTypeError, ArgumentValueError, AutogradError, GraphTooLarge
from .files import write_whole
from .graph import is_node
from .labels import clean, entities
from .render import check_format, render
from .sketch import Sketch, sketch_graph
from .theme import LIGHT, as_theme, dark_style

__all__ = ["Drawing", "draw", "drawing_of"]

MOST_NODES: Final = 300


class Drawing:
    """A picture as DOT text, to be rendered, saved, or shown by Jupyter; made by `draw`.

    `dot` is the text, `summary` one line about it, `titles` what each id of it stands for, `theme`
    the name of its colours, and `picture` the record it was written from, where there is one.
    """

    __slots__ = ("dot", "picture", "summary", "theme", "titles")

    def __init__(self, figure: Figure, theme: str, picture: Picture | None = None) -> None:
        self.dot = figure.dot
        self.summary = figure.summary
        self.titles = figure.titles
        self.theme = theme
        self.picture = picture

    def svg(self) -> str:
        """The picture as SVG text; a box's title, shown by browsers, has its numbers in full.

        A light one turns dark on a dark screen.
        """

        def retitle(match: re.Match[str]) -> str:
            # Graphviz gives ids, which say nothing to a reader.
            title = self.titles.get(match[1])
            return "" if title is None else f"<title>{entities(clean(title))}</title>\n"

        text = re.sub("<title>(.*?)</title>\n", retitle, render(self.dot, "svg").decode())
        if self.theme != LIGHT.name:
            return text
        return re.sub(r"(<svg[^>]*>\n)", rf"\1<style>{dark_style()}</style>\n", text, count=1)

    def png(self, dpi: float = 144) -> bytes:
        """The picture as PNG, at `dpi` points per inch."""
        return render(self.dot, "png", dpi)

    def pdf(self) -> bytes:
        """The picture as PDF."""
        return render(self.dot, "pdf")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """The path of the file, once it holds the picture in the format of its ending.

        `FormatError` (a `ValueError`) for an unknown one; on any error no file is left, and one
        that was there stays as it was.
        """
        chosen = check_format(Path(path).suffix[1:] if format is None else format)
        made = {"svg": lambda: self.svg().encode(), "png": self.png}
        return write_whole(path, made.get(chosen, lambda: render(self.dot, chosen))())

    def __repr__(self) -> str:
        return f"<Drawing: {self.summary}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except AutogradError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def draw(
    output: Any,
    *,
    focus: Any = None,
    run: Any = None,
    edges: str | None = None,
    theme: str = "light",
    title: str | None = None,
    max_nodes: int = MOST_NODES,
) -> Drawing:
    """The picture of the graph that the output is computed from; writes nothing.

    With `focus`, a weight, its copies are drawn apart, one per use, as the set that separates it
    from the output, and what does not depend on it is folded into constants (panels 10-12).  With
    `run`, the unrolled network, each step has a panel.  Gradients are ∂output/∂node, shown as `–`
    as long as no `backward` has reached the output.  `theme` is "light", which turns dark on dark
    screens, or "dark".

    `ValueError` where the output does not depend on `focus`; `GraphTooLarge` (likewise) above
    `max_nodes` boxes.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> draw(w * w + 1, focus=w)
    <Drawing: w·w + 1 = 10, 5 boxes, 2 copies of w>
    """
    for argument, node in (("output", output), ("focus", focus)):
        if not is_node(node) and not (node is None and argument == "focus"):
            raise ArgumentTypeError(f"{argument} must be a Value, not {type(node).__name__}.")
    if run is not None and not hasattr(run, "steps"):
        raise ArgumentTypeError(f"run must be what unroll returned, not {type(run).__name__}.")
    as_theme(theme)
    if edges not in (None, "local", "plain"):
        raise ArgumentValueError(f"edges {edges!r} is unknown: choose 'local' or 'plain'.")
    sketch = sketch_graph(output, focus, run, edges)
    if len(sketch.boxes) > max_nodes:
        raise GraphTooLarge(
            f"the picture would have {len(sketch.boxes)} boxes, more than {max_nodes}: draw one "
            f"weight with focus=, unroll fewer steps, or raise max_nodes=."
        )
    return drawing_of(sketch, theme, title)


def drawing_of(sketch: Sketch, theme: str, title: str | None = None) -> Drawing:
    """The drawing of a sketch, in the colours of a theme."""
    picture = sketch.picture(title)
    titles = {"autograd_rnn": picture.title, **{box.id: box.description for box in picture.boxes}}
    dot = write_dot(picture, sketch.placement(), as_theme(theme))
    return Drawing(Figure(dot, sketch.summary(), titles), theme, picture)
