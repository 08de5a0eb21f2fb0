"""What a picture of a graph shows: one weight's copies apart, the rest folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from typing import Any, Final, NamedTuple, Protocol

from ..arguments import many
from ..errors import ArgumentValueError
from ..graph.assigned import assigned_since
from ..graph.copies import Copy, copies
from ..graph.marks import mark_of, marks_of
from ..graph.notation import (
    PLAIN,
    Style,
    Text,
    accent,
    joined,
    label,
    listed,
    number,
    round_digits,
    term,
    vector,
    write,
    write_number,
)
from ..graph.quantities import called, is_inside, without_zero, write_inside
from ..graph.separating import Edge
from ..graph.sweep import adjoints
from ..graph.walk import Node, Run, downstream, operation, steps_of, topological
from .html_labels import Box, clean

LEGEND: Final = {
    "parameter": "shared parameter",
    "copy": "separating set: its copies",
    "constant": "constant",
    "state": "state",
    "output": "output",
}
MOST_STEPS: Final = 12
FIRST_STEPS: Final = 4
LAST_STEPS: Final = 3
LONGEST_EXPRESSION: Final = 24
LONGEST_NAME: Final = 32
LONGEST_SUBTITLE: Final = 100


class DrawnNode(Node, Protocol):
    """What a picture reads of its output: a node that knows whether `backward` has reached it."""

    @property
    def grad(self) -> float: ...


class DrawnRun(Run, Protocol):
    """What a picture reads of an unrolled network; no gradient goes back from steps in `cuts`."""

    @property
    def state(self) -> Sequence[Any]: ...
    @property
    def cuts(self) -> Collection[int]: ...


class Arrow(NamedTuple):
    """An arrow; a `fan` may have a chip, the term of a copy, and others a note, a derivative."""

    id: str
    role: str
    tail: str
    head: str
    chip: str | None = None
    note: str | None = None


def absorbed(node: Node) -> bool:
    """Whether the node is a plain number, as the 2 of `x ** 2`, and so part of its consumer."""
    return node.constant and called(node) is None


def adds_up(terms: Iterable[float], total: float, style: Style = PLAIN) -> bool:
    """Whether terms come to the total with the digits that all of them are written with.

    >>> adds_up([0.25, 0.5], 0.75), adds_up([1 / 3, 1 / 3, 1 / 3], 1.0)
    (True, False)
    """
    numbers = [*terms, total]
    if not all(map(isfinite, numbers)):
        return True  # nothing is rounded
    written = [round_digits(x, style) for x in numbers]
    *parts, whole = [Fraction(f"{mantissa}e{power or 0}") for mantissa, power in written]
    return sum(parts) == whole


def badge(node: Node) -> str:
    """The op's symbol, with the plain numbers among its operands: `15 − ( )`, `( )²`."""
    numbers = [write_number(parent.data) if absorbed(parent) else None for parent in node.parents]
    if not any(numbers):
        return operation(node).symbol
    return write(operation(node), *[number or Text("( )") for number in numbers]).text


def shared_weights(output: Node, run: DrawnRun) -> list[Any]:
    """The variables that the steps of a network use on the way to the output, in order."""
    steps = steps_of(run)
    used = {parent for node in topological(output) if node in steps for parent in node.parents}
    weights = used.difference(run.state)
    return [leaf for leaf in run.given if leaf in weights and not leaf.constant]


def shorten(steps: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    """The first steps, those that the picture of a long run leaves out, and the last."""
    if len(steps) <= MOST_STEPS:
        return steps, (), ()
    return steps[:FIRST_STEPS], steps[FIRST_STEPS:-LAST_STEPS], steps[-LAST_STEPS:]


def left_out(steps: Sequence[Any], cuts: Collection[int]) -> str:
    """How many steps are left out, with the cuts between them."""
    inner = sum(step.k in cuts for step in steps[1:])
    cut = f", {many(inner, 'cut')}" if inner else ""
    return f"… {len(steps)} more steps{cut} …"


# --- what is read of a graph ---------------------------------------------------------------------


class Reading:
    """What pictures read of a graph; gradients if `backward` has reached the output, or `known`."""

    texts: Mapping[Any, Text]  # how each node is written as an operand

    def __init__(
        self, output: Any, weights: Sequence[Any], run: DrawnRun | None, known: bool = False
    ) -> None:
        self.output, self.weights = output, weights
        self.known = known or output.grad != 0.0
        self.order = topological(output)
        self.marks = marks_of(self.order)
        self.adjoint = adjoints(output)
        self.assigned = assigned_since(self.order)
        self.uses = {weight: copies(weight, output, run) for weight in weights}
        for weight, uses in self.uses.items():
            if not uses:
                raise ArgumentValueError(
                    f"output does not depend on focus ({weight!r}): there is nothing to draw apart."
                )
        self.accents = max(map(len, self.uses.values()), default=0) <= 4
        self.run = run
        self.initial: Sequence[Any] = () if run is None else run.state
        self.steps: Sequence[Any] = () if run is None else run.steps
        self.cuts: Collection[int] = () if run is None else run.cuts
        self.step_of = {} if run is None else steps_of(run)
        self.is_loss = run is not None and output not in self.step_of
        self.states = {*self.initial, *[q for step in self.steps for q in step.q]}

    def data(self, node: Any, as_computed: bool = False) -> str:
        """A number as it is shown: `3 → 2.4` for a leaf that was assigned since, or what it was."""
        now = number(node.data)
        if node not in self.assigned:
            return now
        before = self.assigned[node]
        was = "?" if before is None else number(before)
        return was if as_computed else f"{was} → {now}"

    def note(self) -> str:
        """What the arrow in a number means; nothing where there is none."""
        if not self.assigned:
            return ""
        doubt = ", ? → one that may have been" if None in self.assigned.values() else ""
        return f"→ marks a number assigned since{doubt}; the rest is as it was computed"

    def role(self, node: Any) -> str:
        """What a result is: the output, a state, or neither."""
        return "output" if node is self.output else "state" if node in self.states else "plain"

    def shown(self, gradient: float) -> str:
        """A gradient as it is shown: `–` as long as it is not known."""
        return number(gradient) if self.known else "–"

    def exact(self, gradient: float) -> str:
        """A gradient with all of its digits; `–` as long as it is not known."""
        shown = self.shown(gradient)
        whole = shown.lstrip("−").isdigit() and gradient.is_integer()
        return repr(gradient).replace("-", "−") if self.known and not whole else shown

    def before_cut(self, node: Any) -> Any:
        """The state that a cut passes on as it is; any other node itself."""
        through = node.parents if node.constant and len(node.parents) == 1 else ()
        return through[0] if through and through[0] in self.states else node

    def short(self, node: Any, written: str) -> str:
        """What a node is computed from, as it is written, or its name where that is long."""
        short = is_inside(None, 1, written, LONGEST_EXPRESSION)
        return written if short else self.texts[node].text

    def sum_of_terms(self, weight: Any, exact: bool = False) -> str:
        """The gradient of a weight as the sum of what its copies add, `16 + 16 = 32`."""
        if not self.known:
            return "–"
        added, total = [use.grad for use in self.uses[weight]], self.adjoint.get(weight, 0.0)
        write = self.exact if exact else number
        terms = [write(one).replace("-", PLAIN.minus, int(one < 0)) for one in added]
        equals = "=" if exact or adds_up(added, total) else PLAIN.about
        return terms[0] if len(terms) == 1 else f"{joined(terms)} {equals} {write(total)}"

    def weight_names(self) -> str:
        """The weights whose copies are apart, in a sentence."""
        return listed([clean(self.texts[one].text, LONGEST_NAME) for one in self.weights])

    def copy_name(self, use: Copy) -> str:
        """The name of a copy, `ẅ₁`."""
        return accent(self.texts[use.parameter].text, use.index, self.accents)


class GraphView(Reading):
    """The boxes and arrows of a picture, with the copies of some weights apart.

    With `fold`, what does not depend on the weights becomes constants; with `notes`, arrows carry
    the local derivatives; with `again`, leaves are drawn again beside each use.
    """

    def __init__(
        self,
        output: Any,
        weights: Sequence[Any],
        run: DrawnRun | None,
        *,
        fold: bool,
        notes: bool,
        known: bool = False,
        again: bool = False,
    ) -> None:
        super().__init__(output, weights, run, known)
        self.fold, self.notes, self.again = fold, notes, again
        self.repeats = 0  # boxes of leaves that have another one
        self.tails: dict[Edge, str] = {}  # the boxes of operands that are no copies
        apart = [use for uses in self.uses.values() for use in uses]
        self.use_at = {(use.consumer, use.position): use for use in apart}
        self.texts = write_inside(self.order, LONGEST_EXPRESSION)
        made = {node for node in self.order if node.parents}
        self.kept = downstream(self.order, weights) - set(weights) if fold else made
        self.boxes: dict[str, Box] = {}
        self.arrows: list[Arrow] = []
        self.nodes: dict[str, Any] = {}
        self.ids: dict[Any, str] = {}
        self.bare: dict[Any, Any] = {}  # what 0 is added to, which has the box of the sum
        for weight in weights:
            self.ids[weight] = self.marks[weight]
            box = Box(self.marks[weight], "parameter", grad=self.sum_of_terms(weight))
            self._add(weight, box)
        for node in self.order:
            bare = node if node is output else without_zero(node)
            if bare is not node and bare in self.ids and bare not in self.uses:
                self.ids[node], self.bare[node] = self.ids[bare], bare
            elif node in self.kept:
                self._add_result(node, self.marks[node])
            elif self._stands_alone(node):
                self._add_leaf(node, self.marks[node])
        for uses in self.uses.values():
            for use, following in pairwise(uses):
                self._join(self.copy_id(use), self.copy_id(following), "cut")

    # --- boxes and arrows -----------------------------------------------------------------------

    def _stands_alone(self, leaf: Any) -> bool:
        """Whether a leaf has one box, whatever uses it."""
        if self.fold or leaf in self.uses:
            return False
        if self.again and leaf not in self.initial:
            return leaf is self.output
        return leaf is self.output or not absorbed(leaf)

    def _add_leaf(self, leaf: Any, id: str) -> None:
        role = "constant" if leaf.constant else "state" if leaf in self.states else "parameter"
        # An input stands in the panel of the step that reads it.
        reading = (step.k for step in self.steps if leaf.constant and leaf in step.x)
        self.ids[leaf] = id
        self._add(leaf, Box(id, role, grad=self._grad(leaf), step=next(reading, None)))

    def _add_result(self, node: Any, id: str) -> None:
        step = self.step_of.get(node)
        operands = [self.texts[parent] for parent in node.parents]
        for position, parent in enumerate(node.parents):
            use = self.use_at.get((node, position))
            note = number(node.partials[position]) if self.notes else None
            if use is not None:
                operands[position] = Text(self.copy_name(use))
                self._add_copy(use, step)
                self._join(self.copy_id(use), id, "flow", note=note)
            elif parent in self.ids or not absorbed(parent):
                tail = self.ids.get(parent) or self._add_beside(parent, step, node, position)
                self.tails[node, position] = tail
                role = "state" if parent in self.states else "flow"
                self._join(tail, id, role, note=None if parent.constant else note)
        written = write(node.op, *operands).text
        if without_zero(node) is not node:
            written = self.texts[node].text
        given = called(node)
        if given is not None:
            name = label(given)
        else:
            name = "L" if node is self.output and self.is_loss else self.short(node, written)
        symbol = node.op.symbol if name == written else badge(node)
        self.ids[node] = id
        self._add(node, Box(id, self.role(node), name, "", self._grad(node), symbol, step))

    def copy_id(self, use: Copy) -> str:
        """The box of a copy."""
        return mark_of(use, self.marks)

    def _add_copy(self, use: Copy, step: int | None) -> None:
        id, grad = self.copy_id(use), self.shown(use.grad)
        # Read aloud, accents are lost.
        where = "" if use.step is None else f" in step {use.step}"
        words = f"{self.texts[use.parameter].text}, copy {use.index}{where}"
        box = Box(id, "copy", self.copy_name(use), "", grad, None, step, about=(use,))
        self._add(use.parameter, box, words)
        self._join(self.ids[use.parameter], id, "fan", chip=term(grad) if self.known else None)

    def _add_beside(self, node: Any, step: int | None, user: Any, position: int) -> str:
        """A box for one use of a leaf, or of what does not depend on the focus, folded."""
        id = self.marks[node]
        if id in self.boxes:
            id = mark_of((user, position), self.marks)
            self.repeats += not self.fold
        if not self.fold:
            role = "constant" if node.constant else "parameter"
            self._add(node, Box(id, role, grad=self._grad(node), step=step))
        elif node in self.initial:
            self._add(node, Box(id, "state", grad=self._grad(node)))
        else:
            self._add(node, Box(id, "constant", step=self.step_of.get(node, step)))
        return id

    def _add(self, node: Any, box: Box, words: str = "") -> None:
        """A box with the number of a node, and its name or words unless it has one of its own."""
        name = box.name or self.texts[node].text
        grad = "" if box.grad is None else f", grad {self._exact_grad(node, box)}"
        data, exact = self.data(node, box.role == "copy"), repr(node.data)
        if node in self.assigned:
            exact = f"{data}, assigned since to {exact}"
        full = f"{words or name}: data {exact}{grad}"
        short = clean(name, LONGEST_NAME).replace("\n", " ")
        told = box.about or (node,)
        self.boxes[box.id] = box._replace(name=short, data=data, description=full, about=told)
        self.nodes[box.id] = node

    def _exact_grad(self, node: Any, box: Box) -> str:
        """The gradient of a box with all of its digits."""
        if box.role == "copy":
            return self.exact(sum([use.grad for use in box.about]))
        if node in self.uses:
            return self.sum_of_terms(node, exact=True)
        return self.exact(self.adjoint.get(node, 0.0))

    def _join(self, tail: str, head: str, role: str, **words: str | None) -> None:
        self.arrows.append(Arrow(f"e{len(self.arrows) + 1}", role, tail, head, **words))

    def _grad(self, node: Any) -> str | None:
        return None if node.constant else self.shown(self.adjoint.get(node, 0.0))

    # --- the picture ----------------------------------------------------------------------------

    @property
    def legend(self) -> dict[str, str]:
        """The words of each role that is there."""
        words = dict(LEGEND)
        if not self.weights:
            words["parameter"] = "variable"
        elif self.fold:
            words["constant"] = f"constant for {self.weight_names()}"
        if self.is_loss:
            words["output"] = "loss"
        roles = {box.role for box in self.boxes.values()}
        return {role: word for role, word in words.items() if role in roles}

    @property
    def title(self) -> str:
        """What the picture shows, in a few words."""
        if not self.weights:
            return f"How {self.output_name()} is computed"
        names = self.weight_names()
        if not self.fold:
            return f"The whole graph, with every copy of {names}"
        if len(self.use_at) == 1:
            return f"The copy of {names} separates it from the output"
        them = "it" if len(self.weights) == 1 else "them"
        return f"The copies of {names} separate {them} from the output"

    @property
    def subtitle(self) -> str:
        """How the last step and the output are computed; nothing where that is too long."""
        local = "a number on an arrow is the local derivative" if self.notes else ""
        told = "" if self.assigned.keys().isdisjoint(self.nodes.values()) else self.note()
        if local or told:
            return "; ".join(filter(None, (told, local)))
        count = len(self.steps)
        last = [n for n in self.order if called(n) is not None and self.step_of.get(n) == count]
        if count > 1 and self.states.isdisjoint(last):
            last = [q for q in self.steps[-2].q if q in self.step_of and q in self.texts] + last
        if self.output not in last and self.output.parents:
            last.append(self.output)
        lines = []
        for node in last:
            written = write(node.op, *map(self.texts.__getitem__, node.parents)).text
            name = self.output_name() if node is self.output else label(called(node) or "")
            if name != written:
                lines.append(f"{name} = {written}")
        subtitle = "     ".join(lines)
        return subtitle if len(subtitle) <= LONGEST_SUBTITLE else ""

    @property
    def panels(self) -> dict[int, str]:
        """The words of the panel of each step that is there."""
        drawn = {box.step for box in self.boxes.values()}
        return {
            step.k: f"step {step.k}"
            + (f"   {accent('x', step.k)} = {vector([x.data for x in step.x])}" if step.x else "")
            for step in self.steps
            if step.k in drawn
        }

    def output_name(self) -> str:
        """What the output is called in the picture."""
        return self.boxes[self.ids[self.output]].name

    def summary(self) -> str:
        """What is drawn, in one line."""
        name, value = self.output_name(), number(self.output.data)
        summary = f"{name} = {value}, {len(self.boxes)} boxes"
        if not self.weights:
            return summary
        plural = "copy" if len(self.use_at) == 1 else "copies"
        return f"{summary}, {len(self.use_at)} {plural} of {self.weight_names()}"
