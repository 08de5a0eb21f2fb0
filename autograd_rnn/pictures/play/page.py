"""One HTML page that plays the forward pass and the backward sweep."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from ...files import write_whole
from ...graph.quantities import names_of
from ...graph.walk import Node, check_size
from ..dot import draw_view, view_graph
from ..draw import MOST_NODES, check_graph
from ..drawing import fill, read
from ..graph_view import DrawnNode, DrawnRun, GraphView, shared_weights
from ..html_labels import clean, escaped
from ..theme import AUTO
from .film import Film
from .stage import card_style, cards, identifiers, picture, width

MOST_PLAYED: Final = 20_000  # nodes of a graph
MOST_APART: Final = 8  # weights whose copies are apart unless some are asked for
WIDEST: Final = 4200.0  # points of the picture of a network
LONGEST_SENTENCE: Final = 400
PARTS: Final = ("stage.js", "watch.js", "practise.js", "controls.html")  # of the script


@dataclass(slots=True, eq=False, repr=False)
class Page:
    """A self-contained page, its text as `html`, and how many `steps` it plays; made by `play`.

    Its parts play on any page, once that has the `script` and the `style`, which are the same for
    all films: `player(root, film)` plays the `film`, which JSON takes as it is, on the `svg` in an
    element `root`, and puts its controls around it.  What it gives has `show(step)`, and `stop()`
    before another picture comes.  `svg` is the picture, or HTML with cards where there is none; the
    film has cards for a phone, too, which has no room for a picture.  `data-node` of boxes,
    sentences and rows are the marks of `Drawing.ids`.

    >>> from autograd_rnn import Value
    >>> page = play(Value(3, "x") * 2, max_nodes=0)
    >>> page.steps, page.html[:15], page.film["steps"][1]["say"]
    (4, '<!doctype html>', 'x·2 = 3·2 = 6')
    """

    html: str
    steps: int
    film: dict[str, Any]
    svg: str

    @property
    def script(self) -> str:
        """JavaScript with the function `player(root, film)`."""
        return fill("play/player.js", {Path(part).stem: read(f"play/{part}") for part in PARTS})

    @property
    def style(self) -> str:
        """CSS for what the player shows, and for nothing else of a page."""
        return fill("play/player.css", {"cards": card_style()})

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

    The picture is that of `draw` with the same arguments.  Above `max_nodes` boxes, 300 unless
    given, and where the picture of a network would be too wide for a screen, there are cards
    instead, those of a step together, with a ledger of the copies of `focus`, or of the first 8
    weights.  Each backward step follows one operand of one node, in the order in which `backward`
    sums, names its factors, and says what it adds, whether or not `backward` was called.

    The reader may watch; predict each number before it is shown; or do the sweep, choosing the next
    node in any order in which the sweep could go, and giving its gradient to half a percent.  A
    click on a box shows how it is computed, and what has happened to it so far.  All works with the
    keyboard: arrow keys, Home, End, Enter and the space bar.  `#step=12` at the end of the address
    opens a step.  The page needs no network.

    `ValueError` where the output does not depend on `focus`; `GraphTooLarge` (likewise) above
    20,000 nodes; `RendererNotFound` without Graphviz.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> play(w * w + 1, max_nodes=0)
    <Page: 7 steps>
    """
    weights = check_graph(output, focus, run, title, max_nodes)
    check_size(
        output,
        MOST_PLAYED,
        "to be played one by one",
        "play a run of fewer steps; draw() and draw_flow() show longer ones",
    )
    with names_of(run):
        view = view_graph(output, weights, run, None, known=True)
        if run is not None and not view.weights:
            shared = shared_weights(output, run)
            if len(shared) <= MOST_APART:
                view = GraphView(output, shared, run, fold=False, notes=False, known=True)
        stage, film = None, Film(view)
        if len(view.boxes) <= max_nodes:
            stage = picture(draw_view(view, AUTO), film)
        if run is not None and (stage is None or width(stage) > WIDEST):
            apart = weights or shared_weights(output, run)[:MOST_APART]
            view = GraphView(output, apart, run, fold=bool(weights), notes=False, known=True)
            stage, film = None, Film(view)
        heading = title or f"{view.output_name()}: forward, then backward"
        page = Page("", len(film.frames), _content(film, stage), stage or cards(film.view))
        page.html = _fill(heading, page)
        return page


def _fill(heading: str, page: Page) -> str:
    content = json.dumps(page.film, ensure_ascii=False)
    places = {
        "title": escaped(heading),
        "style": page.style,
        "picture": page.svg,
        "film": content.replace("<", "\\u003c"),  # a name must not be able to end the script
        "script": page.script,
    }
    return fill("play/play.html", places)


def _content(film: Film, drawn: str | None) -> dict[str, Any]:
    """What the scripts read; numbers that are asked for are texts, as JSON has no infinity."""
    view = film.view
    steps = [frame._asdict() for frame in film.frames]
    for step in steps:
        step["say"] = clean(step["say"], LONGEST_SENTENCE)
        step["ask"] = clean(step["ask"], LONGEST_SENTENCE)
        step["answer"] = None if step["answer"] is None else repr(step["answer"])
    boxes = []
    for id, box in view.boxes.items():
        words, _, exact = box.description.rpartition(": data ")
        adjoint = film.adjoint.get(id)
        boxes.append(
            {
                "id": id,
                "name": box.name,
                "words": words,
                "data": exact.partition(", grad ")[0],
                "from": film.shown[id],
                "grads": film.grads[id],
                "told": film.told[id],
                "adjoint": None if adjoint is None else repr(adjoint),
                "derivative": film.derivative(id),
                "users": film.users.get(id, []),
                "step": box.step,
            }
        )
    # A grid has no room for some lines between copies.
    there = set() if drawn is None else identifiers(drawn)
    arrows = [
        {
            "id": arrow.id,
            "tail": arrow.tail,
            "head": arrow.head,
            "role": arrow.role,
            "chip": film.chips.get(arrow.id),
            "note": film.notes.get(arrow.id),
        }
        for arrow in view.arrows
        if arrow.id in there
    ]
    return {
        "cards": drawn is None,
        "narrow": None if drawn is None else cards(view).replace("\n", ""),
        "forward": film.forward,
        "steps": steps,
        "boxes": boxes,
        "arrows": arrows,
    }
