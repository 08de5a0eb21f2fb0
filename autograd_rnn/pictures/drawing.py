"""A drawing: a picture to look at, to save, and to show in Jupyter."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..arguments import as_float
from ..errors import ArgumentValueError, AutogradError
from ..files import write_whole
from .canvas import Figure
from .dot import Picture
from .html_labels import FONTS, clean, entities
from .render import FORMATS, check_format, render
from .theme import DARK, LIGHT, as_theme, dark_style

FILE_FORMATS: Final = (*FORMATS, "html")
# In points: what a notebook's column has room for.
COLUMN: Final = 720


class Drawing:
    """A picture as DOT text, to be rendered, saved, or shown by Jupyter; made by `draw`.

    `dot` is the text, `summary` one line about it, `titles` what each id of it stands for, `theme`
    the name of its colours, `picture` the record it was written from, where there is one, and
    `inside` a drawing of every number, where this one has fewer.

    >>> from autograd_rnn import Value, draw
    >>> drawing = draw(Value(3, "x") * 2)
    >>> drawing.summary, drawing.dot[:7], drawing.theme
    ('x·2 = 6, 2 boxes', 'digraph', 'light')
    """

    __slots__ = ("dot", "inside", "picture", "summary", "theme", "titles")

    def __init__(
        self,
        figure: Figure,
        theme: str,
        picture: Picture | None = None,
        inside: Drawing | None = None,
    ) -> None:
        self.inside = inside
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
            title = self.titles.get("autograd_rnn" if match[2] == "graph0" else match[2])
            words = "" if title is None else f"<title>{entities(clean(title))}</title>\n"
            return match[1] + words

        named = re.compile(r'(<g id="(\w+)" class="[^"]*"[^>]*>\n)<title>.*?</title>\n')
        text = named.sub(retitle, render(self.dot, "svg").decode())
        if self.theme != LIGHT.name:
            return text
        return re.sub(r"(<svg[^>]*>\n)", rf"\1<style>{dark_style()}</style>\n", text, count=1)

    def html(self) -> str:
        """The picture as an HTML page of its own, as wide as the window.

        Where it has cards or circles, every number can be unfolded below, unless they are many.
        """
        svg = _sizeless(_element(self.svg()))
        unfolded = ""
        if self.inside is not None:
            inner = re.sub(r'\bid="', 'id="inside_', _element(self.inside.svg()))
            unfolded = f"<details><summary>Every number</summary>\n{inner}</details>\n"
        title = entities(clean(self.titles.get("autograd_rnn", self.summary)))
        colours = as_theme(self.theme)
        dark = ""
        if colours is LIGHT:
            page = f"body{{background:{DARK.paper};color:{DARK.muted}}}"
            dark = f"@media (prefers-color-scheme: dark){{{page}}}"
        return (
            f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
            f"<style>body{{margin:0;background:{colours.paper};color:{colours.muted};"
            f"font:16px {FONTS}}}svg{{width:100%;height:auto}}"
            f"summary{{padding:12px;cursor:pointer}}details{{overflow:auto}}"
            f"details svg{{width:auto}}"
            f"{dark}</style>\n{svg}{unfolded}</html>\n"
        )

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
        """The path of the file, once it holds the picture in the format of its ending.

        `FormatError` (a `ValueError`) for an unknown one; on any error no file is left, and one
        that was there stays as it was.
        """
        chosen = check_format(Path(path).suffix[1:] if format is None else format, FILE_FORMATS)
        made: dict[str, Callable[[], bytes]] = {
            "svg": lambda: self.svg().encode(),
            "html": lambda: self.html().encode(),
            "png": self.png,
        }
        return write_whole(path, made.get(chosen, lambda: render(self.dot, chosen))())

    def __repr__(self) -> str:
        return f"<Drawing: {self.summary}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": _within_a_column(self.svg()), "text/plain": repr(self)}
        except AutogradError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def _element(svg: str) -> str:
    """The SVG without what only a file opens with."""
    return svg[svg.index("<svg") :]


def _sizeless(svg: str) -> str:
    """The SVG without its size, which makes it as wide as what it stands in."""
    return re.sub(r'(<svg )width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def _within_a_column(svg: str) -> str:
    """The SVG as a notebook shows it whole: Jupyter cuts off what is wider than a column."""
    width = re.search(r'<svg width="(\d+)', svg)
    return _sizeless(svg) if width and int(width[1]) > COLUMN else svg
