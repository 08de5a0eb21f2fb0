"""One HTML page that plays the forward pass and the backward sweep."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from ...arguments import as_integer, as_name
from ...files import write_whole
from ...graph.notation import number
from ...graph.walk import Node
from ..dot import draw_view, view_graph
from ..draw import MOST_NODES, check_graph
from ..drawing import SVG, Drawing, fill, svg_tree, without_size, written
from ..graph_view import DrawnNode, DrawnRun, GraphView
from ..html_labels import escaped
from ..theme import LIGHT
from .film import Film

LONGEST_SENTENCE: Final = 400


class Page:
    """A self-contained HTML page, to be saved, or shown by Jupyter; made by `play`.

    `html` is its text, `steps` how many steps it plays.

    >>> from autograd_rnn import Value
    >>> page = play(Value(3, "x") * 2, max_nodes=0)
    >>> page.steps, page.html[:15]
    (4, '<!doctype html>')
    """

    __slots__ = ("html", "steps")

    def __init__(self, html: str, steps: int) -> None:
        self.html = html
        self.steps = steps

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path of the file, once it holds the page; written whole or not at all."""
        return write_whole(path, self.html.encode())

    def __repr__(self) -> str:
        return f"<Page: {self.steps} steps>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:720px;border:0" '
            f'title="The backward sweep, step by step"></iframe>'
        )


def play(
    output: DrawnNode,
    *,
    focus: Node | Sequence[Node] | None = None,
    run: DrawnRun | None = None,
    title: str | None = None,
    max_nodes: int = MOST_NODES,
) -> Page:
    """The page that plays the forward pass and the backward sweep of a graph, step by step.

    The picture is that of `draw` with the same arguments, and above `max_nodes` boxes, 300 unless
    given, a card for each node instead.  Each backward step follows one operand of one node, in the
    order in which `backward` sums, and says what it adds; gradients appear as they are found,
    whether or not `backward` was called.  Arrow keys, Home, End and the space bar work, and
    `#step=12` at the end of the address opens a step.  The page needs no network.

    `ValueError` where the output does not depend on `focus`; without a renderer for the picture,
    `RendererNotFound`.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> play(w * w + 1, max_nodes=0)
    <Page: 7 steps>
    """
    weights = check_graph(output, focus, run)
    as_name(title, "title")
    as_integer(max_nodes, "max_nodes", least=0)
    view = view_graph(output, weights, run, None, known=True)
    film = Film(view)
    drawn = len(view.boxes) <= max_nodes
    stage = _marked(draw_view(view, LIGHT), film) if drawn else _cards(view)
    heading = title or f"{view.output_name()} = {number(output.data)}: forward, then backward"
    return Page(_fill(heading, stage, film, cards=not drawn), len(film.frames))


def _marked(drawing: Drawing, film: Film) -> str:
    """The SVG with classes for what the film shows and hides."""
    svg = without_size(svg_tree(drawing))
    svg.set("role", "group")
    for group in svg.iter(f"{SVG}g"):
        id = group.get("id", "")
        if film.grads.get(id):
            group.findall(f"{SVG}text")[-1].set("class", "grad")
        if id in film.chips:
            # After the title come a line and its head; what follows is the chip.
            parts = group[3:]
            chip = ElementTree.SubElement(group, f"{SVG}g", {"class": "chip"})
            for part in parts:
                group.remove(part)
                chip.append(part)
    return written(svg)


def _cards(view: GraphView) -> str:
    """A card for each box, where a picture would be too large."""
    cards = []
    for box in view.boxes.values():
        grad = "" if box.grad is None else f' <span class="grad">{escaped(box.grad)}</span>'
        inside = f"<b>{escaped(box.name)}</b>{escaped(box.data)}{grad}"
        cards.append(f'<div class="card" id="{box.id}">{inside}</div>\n')
    return f'<div class="cards">\n{"".join(cards)}</div>'


def _fill(heading: str, stage: str, film: Film, *, cards: bool) -> str:
    """The template with its places filled."""
    rows = [
        f'<tr><td><a href="#step={place}">{place}</a><td>{frame.sweep}'
        f"<td>{escaped(frame.say, LONGEST_SENTENCE)}\n"
        for place, frame in enumerate(film.frames)
    ]
    arrows = [] if cards else film.view.arrows
    data = {
        "cards": cards,
        "steps": [frame._asdict() for frame in film.frames],
        "boxes": [
            {"id": id, "from": film.shown[id], "grads": film.grads[id]} for id in film.view.boxes
        ],
        "arrows": [{"id": arrow.id, "from": film.chips.get(arrow.id, 0)} for arrow in arrows],
    }
    places = {
        "title": escaped(heading),
        "stage": stage,
        "last": str(len(film.frames) - 1),
        "count": str(len(film.frames)),
        "rows": "".join(rows),
        # A name must not be able to end the script.
        "film": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    }
    return fill("play/play.html", places)
