"""What the cards of an unrolled network say: copies, sums, gates and states with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add
from typing import Any, Final, NamedTuple

from ...errors import ArgumentValueError
from ...graph.copies import Copy
from ...graph.notation import PLAIN, Text, accent, label, number, term, vector, write
from ...graph.quantities import called, write_names
from ...graph.walk import downstream
from .. import html_labels as html
from ..graph_view import LONGEST_EXPRESSION, DrawnRun, Reading, adds_up, badge, left_out, shorten

MOST_STATES: Final = 8
MOST_ON_CARD: Final = 60
MOST_ENTRIES: Final = 4
LONGEST_NUMBER: Final = 8
ROW_HEIGHT: Final = 26
FOOT: Final = 8
CARD_FRAME: Final = 2 * ROW_HEIGHT + FOOT + 2.0  # head, keys, foot and border


class Row(NamedTuple):
    """A line of a card: words, numbers as shown, all of it in full, and what it is about.

    `opens` says that it is the first of a vector or a layer, where a column may begin.
    """

    role: str
    words: str
    data: str = ""
    grad: str = ""
    full: str = ""
    about: Sequence[Any] = ()
    opens: bool = False


class Card(NamedTuple):
    """What happens in the steps from `first` to `last`: in one step, or in those left out."""

    id: str
    head: str
    rows: Sequence[Row]
    first: Any
    last: Any

    def columns(self, most: int) -> list[Sequence[Row]]:
        """The rows side by side, at most so many below each other and much alike in number."""
        columns: list[Sequence[Row]] = []
        rows = list(self.rows)
        for left in range(-(-len(rows) // most), 0, -1):
            even, least = -(-len(rows) // left), len(rows) - most * (left - 1)
            opening = [place for place, row in enumerate(rows) if row.opens and place >= least]
            near = [place for place in opening if place <= most and abs(place - even) <= most / 3]
            end = min(near, key=lambda place: abs(place - even), default=even) if left > 1 else None
            columns.append(rows[:end])
            rows = rows[len(columns[-1]) :]
        return columns

    def height(self, most: int) -> float:
        """The height with the border, whatever fonts a machine has."""
        return ROW_HEIGHT * max(map(len, self.columns(most)), default=0) + CARD_FRAME

    def holds(self, step: int | None) -> bool:
        """Whether the step is on this card."""
        return step is not None and self.first.k <= step <= self.last.k


class Story(Reading):
    """What the cards say: names, copies, and ∂output/∂node, `–` before any backward."""

    def __init__(
        self, output: Any, weights: Sequence[Any], run: DrawnRun, tight: bool = False
    ) -> None:
        super().__init__(output, weights, run)
        self.tight, self.most_numbers = tight, MOST_ON_CARD if tight else MOST_STATES
        reached = set(map(self.step_of.get, self.order))
        self.steps = [step for step in self.steps if step.k in reached]
        if not self.steps:
            raise ArgumentValueError("output depends on no step of run: there is no card to draw.")
        self.texts = write_names(self.order)
        for node, name in self.texts.items():
            text = html.clean(name.text, LONGEST_EXPRESSION).replace("\n", " ")
            self.texts[node] = name._replace(text=text)
        if output.name is None and self.is_loss:
            self.texts[output] = Text("L")
        self.moving = downstream(self.order, [*weights, *run.state])
        self.read: dict[int, list[Any]] = {}  # what the output reads of each step
        outside = [node for node in self.order if node not in self.step_of]
        for node in dict.fromkeys([output, *[each for one in outside for each in one.parents]]):
            if node in self.step_of:
                self.read.setdefault(self.step_of[node], []).append(node)

    def cards(self) -> list[Card]:
        """A card per step; of many steps the first, one for those between, and the last."""
        first, middle, last = shorten(self.steps)
        more = [self._card_of_many(middle)] if middle else []
        return [*map(self._card, first), *more, *map(self._card, last)]

    def _card_of_many(self, steps: Sequence[Any]) -> Card:
        rows: list[Row] = []
        card = Card("more", left_out(steps, self.cuts), rows, steps[0], steps[-1])
        for weight in self.uses:
            if uses := self._uses_in(card, weight):
                words = f"{len(uses)} copies of {self.texts[weight].text}"
                grad = self._sum(uses)
                full = f"{words}: grad {self.exact(grad)}"
                rows.append(Row("copy", words, "", self.shown(grad), full, uses))
        return card

    def _card(self, step: Any) -> Card:
        """The copies, and what each is multiplied by; where there is one state, its whole sum."""
        uses = [use for uses in self.uses.values() for use in uses if use.step == step.k]
        whole = len(step.pi) == 1 and step.pi[0] in self.texts
        addends = _addends(step.pi[0]) if whole else []
        if not all(use.consumer in addends or use.parameter in addends for use in uses):
            addends = []
        rows: list[Row] = []
        for use in uses:
            words = ("+ " if rows and addends else "") + self.copy_name(use)
            row = self._row("copy", words, use.parameter, use.grad)
            rows.append(row._replace(about=(use,)))
            if use.consumer.op.symbol == "×":
                factor = self._text(self.before_cut(use.consumer.parents[1 - use.position]))
                rows.append(self._node_row(use.consumer, f"× {factor}"))
        told = {*self.uses, *[use.consumer for use in uses]}
        for addend in addends:
            if addend not in told:
                rows.append(self._node_row(addend, ("+ " if rows else "") + self._text(addend)))
        gated = not _sums_make_states(step) and hasattr(step, "vectors") and not addends
        states = self._vector_rows(step) if gated else self._state_rows(step, bool(addends))
        if len(states) > MOST_STATES and not gated:
            more = Row("plain", f"… {len(states) - MOST_STATES + 1} more …")
            states = [*states[: MOST_STATES - 2], more, states[-1]]
        x = f"   {accent('x', step.k)} = {self._vector([x.data for x in step.x])}" if step.x else ""
        return Card(f"step_{step.k}", f"step {step.k}{x}", [*rows, *states], step, step)

    def _vector_rows(self, step: Any) -> list[Row]:
        """The gates and the states, a row per vector, or per number where they are few."""
        rows: list[Row] = []
        layers = getattr(step, "layers", (step,))
        most = self.most_numbers
        few = sum(len(vector) for part in layers for vector in _vectors(part).values()) <= most
        for place, part in enumerate(layers, 1):
            told: list[Row] = []
            for letter, entries in _vectors(part).items():
                if self.texts.keys().isdisjoint(entries):
                    continue
                if few or len(entries) == 1:
                    each = [self._node_row(one, self._text(one)) for one in entries]
                else:
                    each = [self._vector_row(accent(letter, step.k), entries)]
                told += [each[0]._replace(opens=bool(told) or len(layers) == 1), *each[1:]]
            if told and len(layers) > 1:
                rows.append(Row("plain", f"layer {place}", opens=True))
            rows += told
        return rows

    def _vector_row(self, name: str, entries: Sequence[Any]) -> Row:
        data = self._vector([one.data for one in entries])
        grads = [self.adjoint.get(one, 0.0) for one in entries]
        shown = self._vector(grads) if self.known else "–"
        full = ", ".join(f"{one.data!r}" for one in entries)
        slopes = ", ".join(map(self.exact, grads))
        full = f"{name}: data {full}, grad {slopes}"
        return Row(self.role(entries[0]), name, data, shown, full, entries)

    def _state_rows(self, step: Any, summed: bool) -> list[Row]:
        def sum_row(pi: Any) -> Row:
            return self._node_row(pi, ("= " if summed else "") + self._text(pi))

        if not _sums_make_states(step):
            read = step.pi if summed else self.read.get(step.k, [])
            states = [self._node_row(q, self._text(q)) for q in step.q if q in self.texts]
            sums = [sum_row(pi) for pi in step.pi if pi in self.texts and pi in read]
            return sums + states if summed else states + sums
        rows: list[Row] = []
        for pi, q in zip(step.pi, step.q, strict=False):
            made = q in self.texts and q is not pi
            if pi in self.texts and (summed or not made):
                rows.append(sum_row(pi))
            if made:
                source = q.op.symbol if summed else self._text(pi)
                rows.append(self._node_row(q, f"{source} → {self._text(q)}"))
        return rows

    def _node_row(self, node: Any, words: str) -> Row:
        if node not in self.moving:
            return self._row("constant", words, node, None)
        return self._row(self.role(node), words, node, self.adjoint.get(node, 0.0))

    def _row(self, role: str, words: str, node: Any, grad: float | None) -> Row:
        data, shown = self.data(node, as_computed=True), "" if grad is None else self.shown(grad)
        exact = data if node in self.assigned else repr(node.data)
        full = f"{words}: data {exact}" + ("" if grad is None else f", grad {self.exact(grad)}")
        return Row(role, words, data, shown, full, (node,))

    def flows(self, cards: Sequence[Card], numbers: bool) -> list[tuple[str, str, bool]]:
        """The words of the arrows from box to box: forward, and back; and if anything runs back.

        Without numbers, what runs back has no words.
        """
        last = cards[-1].last
        given = [(card.last.q, card.last.k) for card in cards[:-1]]
        pairs = [(self.initial, None), *given, (self.read[last.k], last.k)]
        told = []
        for nodes, k in pairs:
            name, data, grad = self._told(nodes, k)
            cut = k is not None and k < last.k and k + 1 in self.cuts  # nothing runs back over it
            told.append((name, data, "–" if cut else grad))
        longest = max(len(written) for _, *both in told for written in both)
        equals = "\n" if self.tight or longest > LONGEST_NUMBER else " = "
        slope, flows = f"∂{self._text(self.output)}/∂", list[tuple[str, str, bool]]()
        for name, data, grad in told:
            # Where there is little room, the numbers of several states are on the cards alone.
            brief = not numbers or (self.tight and data.startswith("["))
            forward = name if brief else f"{name}{equals}{data}"
            back = f"{slope}{name}" if brief else f"{slope}{name}{equals}{grad}"
            runs = grad != "–"
            flows.append((forward, back if runs and numbers else "", runs))
        return flows

    def _told(self, nodes: Sequence[Any], k: int | None = None) -> tuple[str, str, str]:
        """The name, data and gradients of one node, of all states Q of step k, or of a few."""
        name = ", ".join([self._text(node) for node in nodes[:MOST_ENTRIES]])
        if len(nodes) > 1 and self.states.issuperset(nodes):
            name = "Q" if k is None else accent("Q", k)
        grad, data = "–", self._vector([node.data for node in nodes])
        if self.known and not all(node.constant for node in nodes):
            grad = self._vector([self.adjoint.get(node, 0.0) for node in nodes])
        return name, data, grad

    def ends(self) -> tuple[html.Box, html.Box]:
        """The boxes of the initial state and of the output, its op as in `( )²`."""
        output = self._box("output", "output", [self.output])._replace(badge=badge(self.output))
        return self._box("start", "state", self.initial), output

    def _box(self, id: str, role: str, nodes: Sequence[Any]) -> html.Box:
        name, data, grad = self._told(nodes)
        exact = [self.exact(self.adjoint.get(node, 0.0)) for node in nodes]
        slopes = grad if grad == "–" else ", ".join(exact)
        full = f"{name}: data {', '.join([repr(node.data) for node in nodes])}, grad {slopes}"
        return html.Box(id, role, name, data, grad, description=full, about=nodes)

    def ledger(self, weight: Any, cards: Sequence[Card]) -> list[tuple[str, str]]:
        """The fields of a weight: its number, a term per card, and the sum."""
        name = self.texts[weight].text
        fields = [("", name if self.tight else f"{name} = {self.data(weight)}")]
        for card in cards:
            uses = self._uses_in(card, weight)
            names = [self.copy_name(use) for use in [*uses[:1], *uses[1:][-1:]]]
            fields.append((f"from {' … '.join(names)}", self._term(uses)) if uses else ("", ""))
        rest = self._term([use for use in self.uses[weight] if use.step is None])
        words = f"{rest} outside the steps, grad" if rest else "grad"
        total = self.adjoint[weight]
        added = [self._sum(self._uses_in(card, weight)) for card in cards]
        added.append(self._sum([use for use in self.uses[weight] if use.step is None]))
        equals = "= " if adds_up(added, total) else f"{PLAIN.about} "
        return [*fields, (words, equals * self.known + self.shown(total))]

    @staticmethod
    def _sum(uses: Sequence[Copy]) -> float:
        return float(sum([use.grad for use in uses]))

    def _uses_in(self, card: Card, weight: Any) -> list[Copy]:
        return [use for use in self.uses[weight] if card.holds(use.step)]

    def _term(self, uses: Sequence[Copy]) -> str:
        """What the copies add, `+ 16` or `− 4`; nothing where it is not known yet."""
        return term(number(self._sum(uses))) if self.known and uses else ""

    def _vector(self, entries: Sequence[float]) -> str:
        most, digits = (2, 2) if self.tight else (MOST_ENTRIES, 3)
        return vector(entries, most, digits)

    def _text(self, node: Any) -> str:
        if node not in self.texts:  # a state that the output does not depend on
            return label(called(node) or number(node.data))
        if node is self.output or called(node) is not None or not node.parents:
            return self.texts[node].text
        return self.short(node, write(node.op, *map(self.texts.__getitem__, node.parents)).text)


def _addends(node: Any) -> list[Any]:
    """The terms of the sum that a node is, from the left."""
    addends: list[Any] = []
    while node.op is not None and node.op.operator is add and (called(node) is None or not addends):
        node, last = node.parents
        addends.insert(0, last)
    return [node, *addends]


def _vectors(part: Any) -> dict[str, Sequence[Any]]:
    """The vectors of a layer's step that have a number for each of its neurons, each once."""
    found: dict[str, Sequence[Any]] = {}
    for letter, entries in part.vectors.items():
        if len(entries) == len(part.entries) and entries not in found.values():
            found["π" if letter == "pi" else letter] = entries
    return found


def _sums_make_states(step: Any) -> bool:
    """Whether each state is its sum, or an activation of it, as an RNN's: gates do otherwise."""
    return len(step.pi) == len(step.q) and all(
        q is pi or q.parents == (pi,) for pi, q in zip(step.pi, step.q, strict=True)
    )
