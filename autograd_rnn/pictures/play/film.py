"""The film of both sweeps: its frames, and from which frame on each box and arrow shows what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ...graph.copies import Copy
from ...graph.notation import PLAIN, Text, joined, number, write, write_number
from ...graph.quantities import called, without_zero
from ...graph.sweep import Slope, recorded_slopes, terms
from ...graph.walk import swept
from ...ops.op import ATOM, PRODUCT, SIGN
from ..graph_view import GraphView
from .slopes import write_slope

SPREAD: Final = frozenset(" ·/")  # what makes a name an expression
UNKNOWN: Final = "·"  # a term that is still to come


class Frame(NamedTuple):
    """One moment of the film: the box it is about, the arrows it runs along, and what it says.

    `ask` is the same as a question, and `answer` the number that it asks for; None for a frame in
    which nothing is found.
    """

    sweep: str
    node: str | None
    live: list[str]
    say: str
    ask: str = ""
    answer: float | None = None


class Film:
    """The frames of both sweeps, and what each box and arrow shows from which frame on.

    `shown` has the frame at which the number of a box is computed; `grads` those at which its
    gradient changes, with what it then reads; `told` those that are about it.  `chips` and `notes`
    have the frames from which on the term of a copy and a local derivative stand on an arrow.
    `adjoint` is the gradient of each box that the sweep reaches, and `users` the boxes that have to
    have theirs before.
    """

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.name = in_brackets(view.output_name())
        self.shown: dict[str, int] = dict.fromkeys(view.boxes, 0)
        self.grads: dict[str, list[tuple[int, str]]] = {id: [] for id in view.boxes}
        self.told: dict[str, list[int]] = {id: [] for id in view.boxes}
        self.chips: dict[str, int] = {}
        self.adjoint: dict[str, float] = {}
        self.terms = {view.ids[w]: [UNKNOWN] * len(uses) for w, uses in view.uses.items()}
        self.arrow = {(arrow.tail, arrow.head): arrow.id for arrow in view.arrows}
        self.into: defaultdict[str, list[str]] = defaultdict(list)
        for arrow in view.arrows:
            if arrow.role != "cut":
                self.into[arrow.head].append(arrow.id)
        given = "The weights, the inputs and the states are given."
        if view.assigned:
            given += f" {view.note()}."
        self.frames = [Frame("Given", None, [], given)]
        self._go_forward()
        self.forward = len(self.frames) - 1
        self._go_backward()
        # The partials are recorded when their node is computed.
        noted = [arrow for arrow in view.arrows if arrow.note is not None]
        self.notes = {arrow.id: self.shown[arrow.head] for arrow in noted}
        self.users: dict[str, list[str]] = {id: [] for id in self.adjoint}
        for arrow in view.arrows:
            if arrow.role != "cut" and {arrow.tail, arrow.head} <= self.adjoint.keys():
                self.users[arrow.tail].append(arrow.head)

    def _show(self, frame: Frame, *about: str) -> None:
        """One more frame, which is about some boxes."""
        for id in about:
            self.told[id].append(len(self.frames))
        self.frames.append(frame)

    # --- forward --------------------------------------------------------------------------------

    def _go_forward(self) -> None:
        view = self.view
        for node in view.order:
            if node not in view.kept or node in view.bare:
                continue
            id = view.ids[node]
            self.shown[id] = len(self.frames)
            written = write(node.op, *[view.texts[parent] for parent in node.parents]).text
            numbers = write(node.op, *map(self._number, node.parents)).text
            known = write(node.op, *self._operands(node)).text
            if (bare := without_zero(node)) is not node:
                written = known = view.texts[bare].text
                numbers = self._number(bare).text
            name = view.boxes[id].name
            named = numbers if called(node) is None else written
            say = " = ".join(dict.fromkeys([name, named, numbers, number(node.data)]))
            ask = " = ".join(dict.fromkeys([name, known, "?"]))
            self._show(Frame("Forward", id, self.into[id], say, ask, node.data), id)

    def _number(self, node: Any) -> Text:
        """The number that was computed with, `?` where it is not known any more."""
        before = self.view.assigned.get(node, node.data)
        return Text("?") if before is None else write_number(before)

    def _operands(self, node: Any) -> list[Text]:
        """How the operands of a node are written: as copies, where there are copies."""
        view = self.view
        uses = [view.use_at.get((node, position)) for position in range(len(node.parents))]
        return [
            view.texts[parent] if use is None else Text(view.copy_name(use))
            for parent, use in zip(node.parents, uses, strict=True)
        ]

    # --- backward -------------------------------------------------------------------------------

    def _go_backward(self) -> None:
        view, output = self.view, self.view.output
        if output.constant or output not in view.ids:
            return
        id = view.ids[output]
        self._set(id, 1.0)
        one = f"∂{self.name}/∂{self.name}"
        start = f"Backward starts at the output: {one} = "
        self._show(Frame("Backward", id, [], f"{start}1.", f"{start}?", 1.0), id)

        def slopes(node: Any) -> Iterable[Slope[Any]]:
            return recorded_slopes(node) if node in view.kept else ()

        found, met = {output: 1.0}, {output}
        # What has come to a sum with 0, and not yet to the node that it has its box with.
        coming: defaultdict[Any, dict[Any, float]] = defaultdict(dict)
        for node, position, parent, added in terms(swept(output), found, slopes):
            bare = view.bare.get(parent, parent)
            if bare is not parent:
                coming[bare][parent] = found[parent]
            if node in view.bare:
                coming[bare].pop(node)
                continue
            total = sum(coming[bare].values(), found.get(bare, 0.0))
            use = view.use_at.get((node, position))
            factors = f"{self.derivative(view.ids[node])} · {self._slope(node, position)}"
            product = f"{_factor(found[node])}·{_factor(node.partials[position])}"
            if use is not None:
                self._add_term(use, factors, product, added, total)
            else:
                first = bare not in met
                self._pass_on(node, position, factors, product, added, total, first)
            met.add(bare)
        for weight, uses in view.uses.items():
            if weight in found and uses:
                self.adjoint[view.ids[weight]] = found[weight]

    def derivative(self, id: str) -> str:
        """∂output/∂box."""
        return f"∂{self.name}/∂{in_brackets(self.view.boxes[id].name)}"

    def _slope(self, node: Any, position: int) -> str:
        """∂node/∂operand as a factor, in symbols."""
        name = Text(in_brackets(self.view.boxes[self.view.ids[node]].name))
        written = write_slope(node, position, self._operands(node), name)
        # A sign is in parentheses too.
        return PLAIN.fit(written, PRODUCT if written.binds != SIGN else ATOM)

    def _add_term(self, use: Copy, factors: str, product: str, added: float, total: float) -> None:
        view = self.view
        weight, copy = view.ids[use.parameter], view.copy_id(use)
        fan = self.arrow[weight, copy]
        self.chips[fan] = len(self.frames)
        self._set(copy, use.grad)
        # The terms come from the last consumer on; the places of the others are kept.
        terms = self.terms[weight]
        terms[use.index - 1] = number(use.grad)
        whole = view.boxes[weight].grad or ""
        reads = joined(terms) if UNKNOWN in terms else whole
        self.grads[weight].append((len(self.frames), reads))
        adds = f"copy {view.boxes[copy].name} adds {factors} = "
        so_far = f"{self.derivative(weight)} so far {number(total)}"
        say = f"{adds}{product} = {number(added)}, {so_far}"
        live = [fan, self.arrow[copy, view.ids[use.consumer]]]
        self._show(Frame("Backward", copy, live, say, f"{adds}?", added), copy, weight)

    def _pass_on(
        self,
        node: Any,
        position: int,
        factors: str,
        product: str,
        added: float,
        total: float,
        first: bool,
    ) -> None:
        """What a node passes on to an operand, if that has a box with a gradient."""
        view, head = self.view, self.view.ids[node]
        id = view.tails.get((node, position))
        if id is None or view.boxes[id].grad is None:
            return
        self._set(id, total)
        derivative = self.derivative(id)
        asked = f"{derivative} = " if first else f"{view.boxes[head].name} adds "
        say = f"{asked}{factors} = {product} = {number(added)}"
        if not first:
            say += f", {derivative} so far {number(total)}"
        frame = Frame("Backward", id, [self.arrow[id, head]], say, f"{asked}{factors} = ?", added)
        self._show(frame, id)

    def _set(self, id: str, gradient: float) -> None:
        self.grads[id].append((len(self.frames), number(gradient)))
        self.adjoint[id] = gradient


def in_brackets(name: str) -> str:
    """The name as the argument of ∂: in parentheses where it is an expression."""
    return name if SPREAD.isdisjoint(name) else f"({name})"


def _factor(x: float) -> str:
    """A number in a product, in parentheses where it has a minus sign."""
    text = number(x)
    return f"({text})" if text.startswith("−") else text
