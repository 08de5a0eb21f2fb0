"""The film of a graph: what happens, frame by frame, in the forward pass and the backward sweep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ...graph.copies import Copy
from ...graph.notation import joined, number, write, write_number
from ...graph.sweep import Slope, recorded_slopes, terms
from ...graph.walk import swept
from ..graph_view import GraphView


class Frame(NamedTuple):
    """One moment of the film: the box it is about, the arrows it runs along, and what it says."""

    sweep: str
    node: str | None
    live: list[str]
    say: str


class Film:
    """The frames of both sweeps, and from which frame on each box and arrow shows what.

    `frames[0]` is what is given.  `grads` has, for each box, the frames at which its gradient
    changes and what it then reads; `chips` the frame at which a copy's term is there.
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
        self.frames = [
            Frame("Given", None, [], "The weights, the inputs and the states are given.")
        ]
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
            numbers = write(node.op, *[write_number(parent.data) for parent in node.parents]).text
            named = numbers if node.name is None else written
            parts = [view.boxes[id].name, named, numbers, number(node.data)]
            say = " = ".join(dict.fromkeys(parts))
            self.frames.append(Frame("Forward", id, self.into[id], say))

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
            factors = _factor(found[node]), _factor(node.partials[position])
            product = f"{' · '.join(factors)} = {number(added)}"
            if use is not None:
                self._add_term(use, product, found[parent])
            else:
                self._pass_on(node, position, product, found[parent], first=parent not in met)
            met.add(parent)

    def _add_term(self, use: Copy, product: str, total: float) -> None:
        """What a copy adds to its weight's gradient."""
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

    def _pass_on(
        self, node: Any, position: int, product: str, total: float, *, first: bool
    ) -> None:
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
    """The name as the argument of ∂: in parentheses where it is an expression.

    >>> _in_brackets("q̇"), _in_brackets("15 − π⃛")
    ('q̇', '(15 − π⃛)')
    """
    return f"({name})" if any(character in " ·/" for character in name) else name


def _factor(x: float) -> str:
    """A number in a product, in parentheses where it has a minus sign."""
    text = number(x)
    return f"({text})" if text.startswith("−") else text
