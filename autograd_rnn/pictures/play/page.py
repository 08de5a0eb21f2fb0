"""One HTML page that plays the forward pass and the backward sweep."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...files import write_whole
from ...graph.copies import Copy
from ...graph.notation import Text, joined, number, write, write_number
from ...graph.quantities import called, names_of
from ...graph.sweep import Slope, recorded_slopes, terms
from ...graph.walk import Node, swept
from ..dot import draw_view, view_graph
from ..draw import MOST_NODES, check_graph
from ..drawing import SVG, Drawing, fill, svg_tree, without_size, written
from ..graph_view import DrawnNode, DrawnRun, GraphView
from ..html_labels import escaped
from ..theme import LIGHT

LONGEST_SENTENCE: Final = 400


@dataclass(slots=True, eq=False, repr=False)
class Page:
    """A self-contained page, its text as `html`, and how many `steps` it plays; made by `play`.

    >>> from autograd_rnn import Value
    >>> page = play(Value(3, "x") * 2, max_nodes=0)
    >>> page.steps, page.html[:15]
    (4, '<!doctype html>')
    """

    html: str
    steps: int

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

    The picture is that of `draw` with the same arguments; above `max_nodes` boxes, 300 unless
    given, there is a card for each node instead.  Each backward step follows one operand of one
    node, in the order in which `backward` sums, and says what it adds, whether or not `backward`
    was called.  Arrow keys, Home, End and the space bar work, and `#step=12` at the end of the
    address opens a step.  The page needs no network.

    `ValueError` where the output does not depend on `focus`; `RendererNotFound` without Graphviz.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> play(w * w + 1, max_nodes=0)
    <Page: 7 steps>
    """
    weights = check_graph(output, focus, run, title, max_nodes)
    with names_of(run):
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


# --- the film ------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """One moment of the film: the box it is about, the arrows it runs along, and what it says."""

    sweep: str
    node: str | None
    live: list[str]
    say: str


class Film:
    """The frames of both sweeps, and what each box and arrow shows from which frame on.

    For each box, `grads` has the frames at which its gradient changes, and what it then reads; for
    the arrow to a copy, `chips` has the frame from which on the term is there.
    """

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.name = _in_brackets(view.output_name())
        self.shown: dict[str, int] = dict.fromkeys(view.boxes, 0)
        self.grads: dict[str, list[tuple[int, str]]] = {id: [] for id in view.boxes}
        self.chips: dict[str, int] = {}
        self.terms = {view.ids[w]: ["·"] * len(uses) for w, uses in view.uses.items()}
        self.arrow = {(arrow.tail, arrow.head): arrow.id for arrow in view.arrows}
        self.into: dict[str, list[str]] = {id: [] for id in view.boxes}
        for arrow in view.arrows:
            if arrow.role != "cut":
                self.into[arrow.head].append(arrow.id)
        given = "The weights, the inputs and the states are given."
        if view.assigned:
            given += f" {view.note()}."
        self.frames = [Frame("Given", None, [], given)]
        self._go_forward()
        self._go_backward()

    def _go_forward(self) -> None:
        view = self.view
        for node in view.order:
            if node not in view.kept:
                continue
            id = view.ids[node]
            self.shown[id] = len(self.frames)
            written = write(node.op, *[view.texts[parent] for parent in node.parents]).text
            numbers = write(node.op, *map(self._number, node.parents)).text
            named = numbers if called(node) is None else written
            parts = [view.boxes[id].name, named, numbers, number(node.data)]
            say = " = ".join(dict.fromkeys(parts))
            self.frames.append(Frame("Forward", id, self.into[id], say))

    def _number(self, node: Any) -> Text:
        """The number that was computed with, `?` where it is not known any more."""
        before = self.view.assigned.get(node, node.data)
        return Text("?") if before is None else write_number(before)

    def _go_backward(self) -> None:
        view, output = self.view, self.view.output
        if output.constant or output not in view.ids:
            return
        self._set(view.ids[output], 1.0)
        start = f"Backward starts at the output: ∂{self.name}/∂{self.name} = 1."
        self.frames.append(Frame("Backward", view.ids[output], [], start))

        def slopes(node: Any) -> Iterable[Slope[Any]]:
            return recorded_slopes(node) if node in view.kept else ()

        found, met = {output: 1.0}, {output}
        for node, position, parent, added in terms(swept(output), found, slopes):
            use = view.use_at.get((node, position))
            factors = f"{_factor(found[node])} · {_factor(node.partials[position])}"
            product = f"{factors} = {number(added)}"
            if use is not None:
                self._add_term(use, product, found[parent])
            else:
                self._pass_on(node, position, product, found[parent], parent not in met)
            met.add(parent)

    def _add_term(self, use: Copy, product: str, total: float) -> None:
        view = self.view
        weight, copy = view.ids[use.parameter], view.copy_id(use)
        fan = self.arrow[weight, copy]
        self.chips[fan] = len(self.frames)
        self._set(copy, use.grad)
        # The terms come from the last consumer on; the places of the others are kept.
        terms = self.terms[weight]
        terms[use.index - 1] = number(use.grad)
        whole = view.boxes[weight].grad or ""
        self.grads[weight].append((len(self.frames), joined(terms) if "·" in terms else whole))
        so_far = f"∂{self.name}/∂{view.boxes[weight].name} so far {number(total)}"
        say = f"copy {view.boxes[copy].name} adds {product}, {so_far}"
        live = [fan, self.arrow[copy, view.ids[use.consumer]]]
        self.frames.append(Frame("Backward", copy, live, say))

    def _pass_on(self, node: Any, position: int, product: str, total: float, first: bool) -> None:
        """What a node passes on to an operand, if that has a box with a gradient."""
        view, head = self.view, self.view.ids[node]
        id = view.ids.get(node.parents[position], f"{head}_{position + 1}")
        if id not in view.boxes or view.boxes[id].grad is None:
            return
        self._set(id, total)
        derivative = f"∂{self.name}/∂{_in_brackets(view.boxes[id].name)}"
        say = f"{derivative} = {product}"
        if not first:
            say = f"{view.boxes[head].name} adds {product}, {derivative} so far {number(total)}"
        self.frames.append(Frame("Backward", id, [self.arrow[id, head]], say))

    def _set(self, id: str, gradient: float) -> None:
        self.grads[id].append((len(self.frames), number(gradient)))


def _in_brackets(name: str) -> str:
    """The name as the argument of ∂: in parentheses where it is an expression."""
    return f"({name})" if any(character in " ·/" for character in name) else name


def _factor(x: float) -> str:
    """A number in a product, in parentheses where it has a minus sign."""
    text = number(x)
    return f"({text})" if text.startswith("−") else text
