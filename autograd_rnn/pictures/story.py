"""What the cards and the ledgers of an unrolled network say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ..arguments import many
from ..errors import ArgumentValueError
from ..graph.copies import Copy, copies
from ..graph.notation import Text, accent, number
from ..graph.sweep import adjoints
from ..graph.walk import downstream, steps_of, topological
from .html_labels import Box, Row, clean
from .words import LONGEST_EXPRESSION, badge, expression, fitting, name_of, term, vector

MOST_CARDS: Final = 12
FIRST_CARDS: Final = 4
LAST_CARDS: Final = 3
MOST_STATES: Final = 8
MOST_ENTRIES: Final = 4
LONGEST_NUMBER: Final = 8


class Card(NamedTuple):
    """What happens in the steps from `first` to `last`: in one step, or in those left out."""

    id: str
    head: str
    rows: Sequence[Row]
    first: Any
    last: Any

    def holds(self, step: int | None) -> bool:
        """Whether the step is on this card."""
        return step is not None and self.first.k <= step <= self.last.k


class Story:
    """What the cards say: names, copies, and ∂output/∂node, `–` before any backward."""

    def __init__(self, output: Any, run: Any, weights: Sequence[Any]) -> None:
        order = topological(output)
        self.output, self.initial, self.swept = output, run.state, bool(output.grad)
        self.adjoint, self.step_of = adjoints(output), steps_of(run)
        self.cuts: frozenset[int] = getattr(run, "cuts", frozenset())
        self.names = {node: _name(node, place) for place, node in enumerate(order, 1)}
        self.uses = {weight: copies(weight, output, run) for weight in weights}
        for weight, uses in self.uses.items():
            if not uses:
                raise ArgumentValueError(f"output does not depend on the weight {weight!r}.")
        reached = {self.step_of[node] for node in order if node in self.step_of}
        self.steps = [step for step in run.steps if step.k in reached]
        if not self.steps:
            raise ArgumentValueError("output depends on no step of run: there is no card to draw.")
        if output.name is None and output not in self.step_of:
            self.names[output] = Text("L")
        self.accents = max(map(len, self.uses.values())) <= 4
        self.states = {*run.state, *[q for step in run.steps for q in step.q]}
        self.moving = downstream(order, [*weights, *run.state])
        self.read: dict[int, list[Any]] = {}  # what the output reads of each step
        if output in self.step_of:
            self.read[self.step_of[output]] = [output]
        for node in order:
            for parent in node.parents if node not in self.step_of else ():
                if parent in self.step_of:
                    found = self.read.setdefault(self.step_of[parent], [])
                    found += [] if parent in found else [parent]

    def cards(self) -> list[Card]:
        """A card per step; of many steps the first, one for those between, and the last."""
        if len(self.steps) <= MOST_CARDS:
            return [self._card(step) for step in self.steps]
        middle = self.steps[FIRST_CARDS:-LAST_CARDS]
        inner = len([step for step in middle[1:] if step.k in self.cuts])
        cuts = f", {many(inner, 'cut')}" if inner else ""
        more = Card("more", f"… {len(middle)} more steps{cuts} …", [], middle[0], middle[-1])
        inside = [uses for weight in self.uses if (uses := self._uses_in(more, weight))]
        rows = []
        for uses in inside:
            words = f"{len(uses)} copies of {self.names[uses[0].parameter].text}"
            grad = self._grad(_total(uses))
            rows.append(Row("copy", words, "", grad, f"{words}: grad {grad}"))
        return [
            *[self._card(step) for step in self.steps[:FIRST_CARDS]],
            more._replace(rows=rows),
            *[self._card(step) for step in self.steps[-LAST_CARDS:]],
        ]

    def _card(self, step: Any) -> Card:
        """The copies, and what each is multiplied by; where there is one state, its whole sum."""
        uses = [use for uses in self.uses.values() for use in uses if use.step == step.k]
        whole = len(step.pi) == 1 and step.pi[0] in self.names
        addends = _addends(step.pi[0]) if whole else []
        if not all(use.consumer in addends or use.parameter in addends for use in uses):
            addends = []
        rows: list[Row] = []
        for use in uses:
            words = ("+ " if rows and addends else "") + self._copy_name(use)
            rows.append(self._row("copy", words, use.data, use.grad))
            if use.consumer.op.symbol == "×":
                factor = self._text(use.consumer.parents[1 - use.position])
                rows.append(self._node_row(use.consumer, f"× {factor}"))
        told = {*self.uses, *[use.consumer for use in uses]}
        for addend in addends:
            if addend not in told:
                rows.append(self._node_row(addend, ("+ " if rows else "") + self._text(addend)))
        states = self._state_rows(step, summed=bool(addends))
        if len(states) > MOST_STATES:
            left_out = Row("plain", f"… {len(states) - MOST_STATES + 1} more …")
            states = [*states[: MOST_STATES - 2], left_out, states[-1]]
        x = f"   {accent('x', step.k)} = {_vector([x.data for x in step.x])}" if step.x else ""
        return Card(f"step_{step.k}", f"step {step.k}{x}", [*rows, *states], step, step)

    def _state_rows(self, step: Any, summed: bool) -> list[Row]:
        rows: list[Row] = []
        if not _sums_make_states(step):
            read = step.pi if summed else self.read.get(step.k, [])
            rows = [self._node_row(q, self._text(q)) for q in step.q if q in self.names]
            sums = [
                self._node_row(pi, ("= " if summed else "") + self._text(pi))
                for pi in step.pi
                if pi in self.names and pi in read
            ]
            return sums + rows if summed else rows + sums
        for pi, q in zip(step.pi, step.q, strict=False):
            made = q in self.names and q is not pi
            if pi in self.names and (summed or not made):
                rows.append(self._node_row(pi, ("= " if summed else "") + self._text(pi)))
            if made:
                source = q.op.symbol if summed else self._text(pi)
                rows.append(self._node_row(q, f"{source} → {self._text(q)}"))
        return rows

    def _node_row(self, node: Any, words: str) -> Row:
        if node not in self.moving:
            return self._row("constant", words, node.data, None)
        role = "output" if node is self.output else "state" if node in self.states else "plain"
        return self._row(role, words, node.data, self.adjoint.get(node, 0.0))

    def _row(self, role: str, words: str, data: float, grad: float | None) -> Row:
        shown = "" if grad is None else self._grad(grad)
        full = f"{words}: data {data!r}" + (f", grad {shown}" if shown else "")
        return Row(role, words, number(data), shown, full)

    def flows(self, cards: Sequence[Card]) -> list[tuple[str, str]]:
        """The words of the arrows from box to box: forward, and back."""
        last = cards[-1].last
        given = [(card.last.q, card.last.k) for card in cards[:-1]]
        pairs = [(self.initial, None), *given, (self.read[last.k], last.k)]
        told = [self._told(nodes, k) for nodes, k in pairs]
        # Nothing runs back over a cut.
        told = [
            (name, data, "–" if k is not None and k + 1 in self.cuts and k < last.k else grad)
            for (name, data, grad), (_, k) in zip(told, pairs, strict=True)
        ]
        broken = any(max(len(data), len(grad)) > LONGEST_NUMBER for _, data, grad in told)
        equals, slope = "\n" if broken else " = ", f"∂{self._text(self.output)}/∂"
        return [
            (f"{name}{equals}{data}", f"{slope}{name}{equals}{grad}" if grad != "–" else "")
            for name, data, grad in told
        ]

    def _told(self, nodes: Sequence[Any], k: int | None = None) -> tuple[str, str, str]:
        """The name, data and gradients of one node, of all states Q of step k, or of a few."""
        name = ", ".join([self._text(node) for node in nodes[:MOST_ENTRIES]])
        if len(nodes) > 1 and self.states.issuperset(nodes):
            name = "Q" if k is None else accent("Q", k)
        grad, data = "–", _vector([node.data for node in nodes])
        if self.swept and not all(node.constant for node in nodes):
            grad = _vector([self.adjoint.get(node, 0.0) for node in nodes])
        return name, data, grad

    def ends(self) -> tuple[Box, Box]:
        """The boxes of the initial state and of the output, its op as in `( )²`."""
        start = self._box("start", "state", self.initial)
        output = self._box("output", "output", [self.output])
        return start, output._replace(badge=badge(self.output))

    def _box(self, id: str, role: str, nodes: Sequence[Any]) -> Box:
        name, data, grad = self._told(nodes)
        full = f"{name}: data {', '.join([repr(node.data) for node in nodes])}, grad {grad}"
        return Box(id, role, name, None, data, grad, full, None)

    def ledger(self, weight: Any, cards: Sequence[Card]) -> list[tuple[str, str]]:
        """The fields of a weight: its number, a term per card, and the sum."""
        fields = [("", f"{self.names[weight].text} = {number(weight.data)}")]
        for card in cards:
            uses = self._uses_in(card, weight)
            fields.append((f"from {self._range(uses)}", self._term(uses)) if uses else ("", ""))
        rest = self._term([use for use in self.uses[weight] if use.step is None])
        words = f"{rest} outside the steps, grad" if rest else "grad"
        return [*fields, (words, ("= " if self.swept else "") + self._grad(self.adjoint[weight]))]

    def _uses_in(self, card: Card, weight: Any) -> list[Copy]:
        return [use for use in self.uses[weight] if card.holds(use.step)]

    def _range(self, uses: Sequence[Copy]) -> str:
        first, last = self._copy_name(uses[0]), self._copy_name(uses[-1])
        return first if len(uses) == 1 else f"{first} … {last}"

    def _copy_name(self, use: Copy) -> str:
        return accent(self.names[use.parameter].text, use.index, accents=self.accents)

    def _term(self, uses: Sequence[Copy]) -> str:
        """What the copies add, `+ 16` or `− 4`; nothing where it is not known yet."""
        return term(number(_total(uses))) if self.swept and uses else ""

    def _text(self, node: Any) -> str:
        if node is self.output or node.name is not None or not node.parents:
            return self.names[node].text
        return fitting(expression(node, self.names), self.names[node]).text

    def _grad(self, x: float) -> str:
        return number(x) if self.swept else "–"


def _name(node: Any, place: int) -> Text:
    name = name_of(node, place)
    return name._replace(text=clean(name.text, LONGEST_EXPRESSION).replace("\n", " "))


def _addends(node: Any) -> list[Any]:
    """The terms of the sum that a node is, from the left."""
    addends: list[Any] = []
    while node.op is not None and node.op.symbol == "+" and (node.name is None or not addends):
        node, last = node.parents
        addends.insert(0, last)
    return [node, *addends]


def _sums_make_states(step: Any) -> bool:
    """Whether each state is its sum, or an activation of it, as an RNN's: gates do otherwise."""
    return len(step.pi) == len(step.q) and all(
        q is pi or q.parents == (pi,) for pi, q in zip(step.pi, step.q, strict=True)
    )


def _total(uses: Sequence[Copy]) -> float:
    return sum([use.grad for use in uses])


def _vector(entries: Sequence[float]) -> str:
    return vector(entries, MOST_ENTRIES, digits=3)
