"""A drawing: a picture to look at, to save, and to show in Jupyter."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from ..arguments import as_float
from ..errors import ArgumentValueError, AutogradError, RenderError
from ..files import is_special, write_whole
from ..graph.marks import Ids
from .graph_view import GraphView
from .html_labels import escaped
from .rendering.anchors import anchored
from .rendering.render import FORMATS, check_format, render
from .theme import AUTO, DARK, THEMES, dark_style

FILE_FORMATS: Final = (*FORMATS, "html")
WHOLE_IN_ONE: Final = ("html", "dot")  # what is not cut into pages
COLUMN: Final = 720  # the width of a notebook's column in points
LONGEST_TITLE: Final = 8000
WHOLE: Final = "autograd_rnn"  # the id of the whole picture
SVG: Final = "{http://www.w3.org/2000/svg}"
# What Graphviz writes: comments, the element of all, and groups with the id of what is drawn.
COMMENT: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
OPENING: Final = re.compile(r"<svg[^>]*>")
TITLE: Final = re.compile(
    r'(?P<group><g id="(?P<id>[^"]*)" class="(?P<kind>[^"]*)"[^>]*>)\n<title>[^<]*</title>\n'
)
ElementTree.register_namespace("", SVG[1:-1])


@dataclass(slots=True, eq=False, repr=False)
class Drawing:
    """A picture as DOT text, to be rendered, saved, or shown by Jupyter; made by `draw`.

    `dot` is the text, `summary` one line about it, `titles` what each id of it stands for, `theme`
    the name of its colours, `view` the boxes and arrows, where each number has a box, and `inside`
    a drawing of every number, where this one has fewer.

    `pages` has it in parts where it is drawn for pages, `width="a4"` or `"slide"`, and is too high
    for one: each is a drawing of its own, of whole rows.  `too_high` counts those with a row that
    is higher than a page, of text that must not be smaller.  `rows` are the heights, in points over
    its foot, at which a page may end.

    `ids` has the id of the box in the SVG that a Value is in, and for a `Copy` that of the copy.
    There, `data-node` of a box lists the `marks` of all that it is about, which `derive` and
    `run.table` of the same output write too, so that a page can show what belongs together.
    `labels` are the texts of the boxes, by their ids.

    >>> from autograd_rnn import Value, draw
    >>> drawing = draw(Value(3, "x") * 2)
    >>> drawing.summary, drawing.dot[:7], drawing.theme
    ('x·2 = 6, 2 boxes', 'digraph', 'auto')
    >>> x = Value(3, "x")
    >>> draw(x * 2).ids[x]
    'n1'
    """

    dot: str
    summary: str
    titles: Mapping[str, str]
    theme: str
    view: GraphView | None = None
    inside: Drawing | None = None
    ids: Ids = field(default_factory=lambda: Ids({}))
    marks: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[float] = ()
    pages: Sequence[Drawing] = ()
    too_high: int = 0

    def svg(self) -> str:
        """The picture as SVG text, with all digits in its titles."""
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg_text(self)}\n'

    def html(self) -> str:
        """The picture as an HTML page of its own, with the drawing `inside` to unfold below it."""
        unfolded = ""
        if self.inside is not None:
            inner = svg_tree(self.inside)
            for element in inner.iter():
                if "id" in element.attrib:
                    element.set("id", f"inside_{element.get('id')}")
            unfolded = f"<details><summary>Every number</summary>\n{written(inner)}\n</details>\n"
        title, picture = self.titles.get(WHOLE, self.summary), written(without_size(svg_tree(self)))
        places = {"dark": dark_page() if self.theme == AUTO.name else ""}
        places |= {"title": escaped(title), "picture": picture, "unfolded": unfolded}
        return fill("drawing.html", places | THEMES[self.theme]._asdict())

    def png(self, dpi: float = 144) -> bytes:
        """The picture as PNG, at `dpi` dots per inch; `ValueError` outside of 10 to 2400."""
        resolution = as_float(dpi, "dpi")
        if not 10.0 <= resolution <= 2400.0:
            raise ArgumentValueError(f"dpi must be from 10 to 2400, not {resolution!r}.")
        return render(self.dot, "png", resolution)

    def pdf(self) -> bytes:
        """The picture as PDF."""
        return render(self.dot, "pdf")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """The path of the file that now holds the picture, in the format of its ending.

        Several `pages` are a file each: instead of "x.svg", x-1.svg, x-2.svg and so on, as `paths`
        names them, and the path is that of the first.  HTML and DOT are of the whole picture.

        `FormatError` (a `ValueError`) for an unknown format; an error leaves the path as it was.
        """
        paths = self.paths(path, format)
        chosen = _format(path, format)
        made = [one._made(chosen) for one in (self.pages if len(paths) > 1 else [self])]
        for one, content in zip(paths, made, strict=True):
            write_whole(one, content)
        return paths[0]

    def paths(self, path: str | os.PathLike[str], format: str | None = None) -> list[Path]:
        """The files that `save` writes: the path itself, or one for each of several `pages`."""
        path, count = Path(path), len(self.pages)
        if _format(path, format) in WHOLE_IN_ONE or count < 2 or is_special(path):
            return [path]
        digits = len(str(count))
        return [
            path.with_name(f"{path.stem}-{place:0{digits}}{path.suffix}")
            for place in range(1, count + 1)
        ]

    def _made(self, format: str) -> bytes:
        """The content of a file."""
        made = self.dot if format == "dot" else getattr(self, format)()
        return made.encode() if isinstance(made, str) else bytes(made)

    def __repr__(self) -> str:
        return f"<Drawing: {self.summary}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            tree = svg_tree(self)
        except AutogradError as error:
            return {"text/plain": f"{self!r}\n{error}"}
        # Jupyter cuts off what is wider than a column: without a size it is shown whole.
        wide = float(tree.get("width", "0").rstrip("pt")) > COLUMN
        svg = written(without_size(tree)) if wide else self.svg()
        return {"image/svg+xml": svg, "text/plain": repr(self)}


def _format(path: str | os.PathLike[str], format: str | None) -> str:
    """The format that is given, or that of the ending; `FormatError` for an unknown one."""
    return check_format(Path(path).suffix[1:] if format is None else format, FILE_FORMATS)


def svg_text(drawing: Drawing) -> str:
    """The SVG of a drawing, with its titles, and with the style that turns it dark."""

    def titled(found: re.Match[str]) -> str:
        # Graphviz gives ids, which say nothing to a reader.
        words = drawing.titles.get(WHOLE if found["kind"] == "graph" else found["id"])
        told = "" if words is None else f"<title>{escaped(words, LONGEST_TITLE)}</title>\n"
        marks = drawing.marks.get(found["id"])
        group = found["group"] if marks is None else f'{found["group"][:-1]} data-node="{marks}">'
        return f"{group}\n{told}"

    text = render(drawing.dot, "svg").decode()
    opening = OPENING.search(text := COMMENT.sub("", text).rstrip())
    if opening is None:
        raise RenderError(f"the renderer returned no <svg>, but {text[:40]!r}.")
    rest = TITLE.sub(titled, anchored(text[opening.end() :], drawing.labels))
    style = f"\n<style>{dark_style()}</style>" if drawing.theme == AUTO.name else ""
    return f"{opening[0]}{style}{rest}"


def svg_tree(drawing: Drawing) -> ElementTree.Element:
    """The SVG of a drawing as a tree."""
    try:
        return ElementTree.fromstring(svg_text(drawing))
    except ElementTree.ParseError as error:
        raise RenderError(f"the renderer returned an <svg> that is no XML: {error}.") from error


def dark_page() -> str:
    """The style of a page that turns dark on a dark screen."""
    colours = f"background: {DARK.paper}; color: {DARK.muted};"
    return f'<style media="(prefers-color-scheme: dark)">\nbody {{ {colours} }}\n</style>'


def without_size(svg: ElementTree.Element) -> ElementTree.Element:
    """The SVG without its size, which makes it as wide as what it stands in."""
    for side in ("width", "height"):
        svg.attrib.pop(side, None)
    return svg


def written(svg: ElementTree.Element) -> str:
    """The text of an SVG, as it may stand in a page."""
    return ElementTree.tostring(svg, encoding="unicode")


def read(name: str) -> str:
    """A file of this folder."""
    return files(__package__).joinpath(name).read_text("utf-8")


def fill(template: str, places: Mapping[str, str]) -> str:
    """A page from a template of this folder: `{{name}}` is a place, `{{light.ink}}` a colour."""
    return re.sub(
        r"\{\{(?:(\w+)\.)?(\w+)\}\}",
        lambda found: getattr(THEMES[found[1]], found[2]) if found[1] else places[found[2]],
        read(template),
    )
