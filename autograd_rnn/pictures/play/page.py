"""One HTML page that plays the backward sweep."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ...arguments import as_integer, as_name
from ...files import write_whole
from ...graph.copies import Copy
from ...graph.notation import number, write, write_number
from ...graph.sweep import Slope, recorded_slopes, terms
from ...graph.walk import swept
from ..draw import MOST_NODES, check_graph, drawing_of
from ..graph_view import Sketch, sketch_graph
from ..html_labels import clean, entities
from ..theme import DARK, LIGHT, Theme
from ..words import joined


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
            f'<iframe srcdoc="{entities(self.html)}" style="width:100%;height:720px;border:0" '
            f'title="The backward sweep, step by step"></iframe>'
        )


class Step(NamedTuple):
    """One step of the film: the box it is about, the arrows it runs along, and what it says."""

    sweep: str
    node: str | None
    live: list[str]
    say: str


def play(
    output: Any,
    *,
    focus: Any = None,
    run: Any = None,
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
    sketch = sketch_graph(output, weights, run, None, known=True)
    film = Film(sketch)
    drawn = len(sketch.boxes) <= max_nodes
    stage = _mark(drawing_of(sketch, LIGHT.name).svg(), film) if drawn else _cards(sketch)
    heading = title or f"{sketch.output_name()} = {number(output.data)}: forward, then backward"
    return Page(_fill(heading, stage, film, cards=not drawn), len(film.steps))


# --- the film ------------------------------------------------------------------------------------


class Film:
    """The steps of both sweeps, and from which step on each box and arrow shows what.

    `steps[0]` is what is given.  `grads` has, for each box, the steps at which its gradient changes
    and what it then reads; `chips` the step at which a copy's term is there.
    """

    def __init__(self, sketch: Sketch) -> None:
        self.sketch = sketch
        self.name = _in_brackets(sketch.output_name())
        self.shown: dict[str, int] = dict.fromkeys(sketch.boxes, 0)
        self.grads: dict[str, list[tuple[int, str]]] = {id: [] for id in sketch.boxes}
        self.chips: dict[str, int] = {}
        self.terms = {sketch.ids[w]: ["·"] * len(uses) for w, uses in sketch.uses.items()}
        self.arrow = {(arrow.tail, arrow.head): arrow.id for arrow in sketch.arrows}
        self.into: dict[str, list[str]] = {id: [] for id in sketch.boxes}
        for arrow in sketch.arrows:
            if arrow.role != "cut":
                self.into[arrow.head].append(arrow.id)
        self.steps = [Step("Given", None, [], "The weights, the inputs and the states are given.")]
        self._go_forward()
        self._go_backward()

    def _go_forward(self) -> None:
        sketch = self.sketch
        for node in sketch.order:
            if node not in sketch.kept:
                continue
            id = sketch.ids[node]
            self.shown[id] = len(self.steps)
            box = sketch.boxes[id]
            value = number(node.data)
            written = write(node.op, *[sketch.texts[parent] for parent in node.parents]).text
            numbers = write(node.op, *[write_number(parent.data) for parent in node.parents]).text
            parts = [box.name, numbers if node.name is None else written, numbers, value]
            say = " = ".join(part for place, part in enumerate(parts) if part not in parts[:place])
            self.steps.append(Step("Forward", id, self.into[id], say))

    def _go_backward(self) -> None:
        sketch, output = self.sketch, self.sketch.output
        if output.constant or output not in sketch.ids:
            return
        self._set(sketch.ids[output], 1.0)
        start = f"Backward starts at the output: ∂{self.name}/∂{self.name} = 1."
        self.steps.append(Step("Backward", sketch.ids[output], [], start))

        def slopes(node: Any) -> Iterable[Slope[Any]]:
            return recorded_slopes(node) if node in sketch.kept else ()

        found, met = {output: 1.0}, {output}
        for node, position, parent, added in terms(swept(output), found, slopes):
            use = sketch.use_at.get((node, position))
            factors = _factor(found[node]), _factor(node.partials[position])
            product = f"{' · '.join(factors)} = {number(added)}"
            if use is not None:
                self._add_term(use, product, found[parent])
            elif parent in sketch.ids or f"{sketch.ids[node]}_{position + 1}" in self.grads:
                self._pass_on(node, position, product, found[parent], first=parent not in met)
            met.add(parent)

    def _add_term(self, use: Copy, product: str, total: float) -> None:
        """What a copy adds to its weight's gradient."""
        sketch = self.sketch
        weight, copy = sketch.ids[use.parameter], sketch.copy_id(use)
        fan = self.arrow[weight, copy]
        self.chips[fan] = len(self.steps)
        self._set(copy, use.grad)
        # The terms come from the last consumer on; the places of the others are kept.
        terms = self.terms[weight]
        terms[use.index - 1] = number(use.grad)
        whole = sketch.boxes[weight].grad or ""
        self.grads[weight].append((len(self.steps), joined(terms) if "·" in terms else whole))
        name = sketch.boxes[weight].name
        so_far = f"∂{self.name}/∂{name} so far {number(total)}"
        say = f"copy {sketch.boxes[copy].name} adds {product}, {so_far}"
        live = [fan, self.arrow[copy, sketch.ids[use.consumer]]]
        self.steps.append(Step("Backward", copy, live, say))

    def _pass_on(
        self, node: Any, position: int, product: str, total: float, *, first: bool
    ) -> None:
        """What a node passes on to an operand that is drawn."""
        sketch, parent = self.sketch, node.parents[position]
        head = sketch.ids[node]
        id = sketch.ids.get(parent, f"{head}_{position + 1}")
        if sketch.boxes[id].grad is None:
            return
        self._set(id, total)
        name = sketch.boxes[id].name
        derivative = f"∂{self.name}/∂{_in_brackets(name)}"
        say = f"{derivative} = {product}"
        if not first:
            say = f"{sketch.boxes[head].name} adds {product}, {derivative} so far {number(total)}"
        self.steps.append(Step("Backward", id, [self.arrow[id, head]], say))

    def _set(self, id: str, gradient: float) -> None:
        self.grads[id].append((len(self.steps), number(gradient)))


def _in_brackets(name: str) -> str:
    """The name as the argument of ∂: in parentheses where it is an expression.

    >>> _in_brackets("q̇"), _in_brackets("15 − π⃛")
    ('q̇', '(15 − π⃛)')
    """
    return f"({name})" if any(character in " ·/" for character in name) else name


def _factor(x: float) -> str:
    """A number in a product, in parentheses where it has a minus sign."""
    text = number(x)
    return f"({text})" if text.startswith("−") else text


# --- the page ------------------------------------------------------------------------------------


def _mark(svg: str, film: Film) -> str:
    """The SVG with classes for what the film shows and hides."""

    def mark_node(match: re.Match[str]) -> str:
        start, id, inside = match.groups()
        head, text, tail = inside.rpartition("<text ")
        inside = f'{head}{text}class="grad" {tail}' if film.grads.get(id) else inside
        return f"{start}{inside}</g>"

    def mark_edge(match: re.Match[str]) -> str:
        start, id, inside = match.groups()
        if id in film.chips:
            # The arrow comes first: a line and its head; what follows is the chip.
            line, head, chip = re.split(r"(?<=/>\n)", inside, maxsplit=2)
            inside = f'{line}{head}<g class="chip">{chip}</g>'
        return f"{start}{inside}</g>"

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg )width="[^"]*" height="[^"]*"', r'\1role="group"', svg, count=1)
    svg = re.sub(r'(<g id="(\w+)" class="node[^>]*>)(.*?)</g>', mark_node, svg, flags=re.DOTALL)
    return re.sub(r'(<g id="(\w+)" class="edge[^>]*>)(.*?)</g>', mark_edge, svg, flags=re.DOTALL)


def _cards(sketch: Sketch) -> str:
    """A card for each box, where a picture would be too large."""
    cards = []
    for box in sketch.boxes.values():
        grad = "" if box.grad is None else f' <span class="grad">{entities(box.grad)}</span>'
        name = entities(clean(box.name))
        cards.append(
            f'<div class="card" id="{box.id}"><b>{name}</b>{entities(box.data)}{grad}</div>\n'
        )
    return f'<div class="cards">\n{"".join(cards)}</div>'


def _fill(heading: str, stage: str, film: Film, *, cards: bool) -> str:
    """The template with its places filled."""
    rows = [
        f'<tr><td><a href="#step={place}">{place}</a><td>{step.sweep}'
        f"<td>{entities(clean(step.say, 400))}\n"
        for place, step in enumerate(film.steps)
    ]
    data = {
        "cards": cards,
        "steps": [step._asdict() for step in film.steps],
        "boxes": [
            {"id": id, "from": film.shown[id], "grads": film.grads[id]} for id in film.sketch.boxes
        ],
        "arrows": []
        if cards
        else [
            {"id": arrow.id, "from": film.chips.get(arrow.id, 0)} for arrow in film.sketch.arrows
        ],
    }
    places: Mapping[str, str] = {
        "title": entities(clean(heading)),
        "stage": stage,
        "last": str(len(film.steps) - 1),
        "count": str(len(film.steps)),
        "rows": "".join(rows),
        # A name must not be able to end the script.
        "film": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        **_colours(LIGHT, ""),
        **_colours(DARK, "dark_"),
    }
    template = files(__package__).joinpath("play.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: places[match[1]], template)


def _colours(theme: Theme, prefix: str) -> dict[str, str]:
    named: Sequence[tuple[str, str]] = (
        ("paper", theme.paper),
        ("ink", theme.ink),
        ("muted", theme.muted),
        ("line", theme.line),
        ("panel", theme.panel_fill),
        ("gradient", theme.gradient),
        ("ring", theme.positive),
    )
    return {prefix + name: colour for name, colour in named}
