"""An unrolled network as a card per step, and a ledger of each weight's gradient, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, dist
from operator import add
from typing import Any, Final, NamedTuple

from ..errors import ArgumentValueError
from ..graph.copies import Copy
from ..graph.notation import Text, accent, is_not_finite, label, number, term, vector, write
from ..graph.quantities import called, write_names
from ..graph.walk import downstream
from . import html_labels as html
from .canvas import ARROW_HEAD, Canvas, Point, along, cornered, points
from .drawing import Drawing
from .graph_view import LONGEST_EXPRESSION, DrawnRun, Reading, badge, left_out, shorten
from .theme import Theme

MOST_WEIGHTS: Final = 3
MOST_STATES: Final = 8
MOST_ENTRIES: Final = 4
LONGEST_NUMBER: Final = 8
RISE: Final = 64.0
LEDGER_GAP: Final = 24.0
RAIL: Final = 26.0
LANE: Final = 7.0


def draw_cards(
    output: Any, run: DrawnRun, weights: Sequence[Any], theme: Theme, title: str | None = None
) -> Drawing:
    """The drawing of an unrolled network with a card per step and a ledger per weight.

    A card has the copies that its step makes, each with its term, which the ledger adds up; the
    steps in the middle of a long run share a card.  `ValueError` where a weight has no copies.
    """
    if not 1 <= len(weights) <= MOST_WEIGHTS:
        raise ArgumentValueError(
            f"cards have room for 1 to {MOST_WEIGHTS} weights, not for {len(weights)}: "
            f"choose them with focus=."
        )
    story = Story(output, weights, run)
    names = story.weight_names()
    back = f"gradients right to left, and each step adds a term to the gradient of {names}"
    if not story.known:
        back = "and no gradient has run back yet"
    told = story.note() or f"values run left to right, {back}"
    heading = "Backpropagation through time, one card per step" if title is None else title
    # Arrows are drawn first, so that those to an upper ledger pass under a lower one.
    canvas = Canvas(theme, layout="nop2", outputorder="edgesfirst")
    _lay_out(story, canvas)
    canvas.frame(heading, told)
    name, steps = story.texts[output].text, f"unrolled over {len(story.steps)} steps"
    return canvas.drawing(f"{name} = {number(output.data)}, {steps}, with the copies of {names}")


# --- what the cards say --------------------------------------------------------------------------


class Row(NamedTuple):
    """A line of a card: its words, its numbers as they are shown, and all of it in full."""

    role: str
    words: str
    data: str = ""
    grad: str = ""
    full: str = ""


class Card(NamedTuple):
    """What happens in the steps from `first` to `last`: in one step, or in those left out."""

    id: str
    head: str
    rows: Sequence[Row]
    first: Any
    last: Any

    @property
    def height(self) -> float:
        """The height with the border, whatever fonts a machine has."""
        return ROW * (2 + len(self.rows)) + FOOT + 2.0

    def holds(self, step: int | None) -> bool:
        """Whether the step is on this card."""
        return step is not None and self.first.k <= step <= self.last.k


class Story(Reading):
    """What the cards say: names, copies, and ∂output/∂node, `–` before any backward."""

    def __init__(self, output: Any, weights: Sequence[Any], run: DrawnRun) -> None:
        super().__init__(output, weights, run)
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
                grad = self.shown(sum([use.grad for use in uses]))
                rows.append(Row("copy", words, "", grad, f"{words}: grad {grad}"))
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
            rows.append(self._row("copy", words, use.parameter, use.grad))
            if use.consumer.op.symbol == "×":
                factor = self._text(use.consumer.parents[1 - use.position])
                rows.append(self._node_row(use.consumer, f"× {factor}"))
        told = {*self.uses, *[use.consumer for use in uses]}
        for addend in addends:
            if addend not in told:
                rows.append(self._node_row(addend, ("+ " if rows else "") + self._text(addend)))
        states = self._state_rows(step, summed=bool(addends))
        if len(states) > MOST_STATES:
            more = Row("plain", f"… {len(states) - MOST_STATES + 1} more …")
            states = [*states[: MOST_STATES - 2], more, states[-1]]
        x = f"   {accent('x', step.k)} = {_vector([x.data for x in step.x])}" if step.x else ""
        return Card(f"step_{step.k}", f"step {step.k}{x}", [*rows, *states], step, step)

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
        full = f"{words}: data {exact}" + (f", grad {shown}" if shown else "")
        return Row(role, words, data, shown, full)

    def flows(self, cards: Sequence[Card]) -> list[tuple[str, str]]:
        """The words of the arrows from box to box: forward, and back."""
        last = cards[-1].last
        given = [(card.last.q, card.last.k) for card in cards[:-1]]
        pairs = [(self.initial, None), *given, (self.read[last.k], last.k)]
        told = []
        for nodes, k in pairs:
            name, data, grad = self._told(nodes, k)
            cut = k is not None and k < last.k and k + 1 in self.cuts  # nothing runs back over it
            told.append((name, data, "–" if cut else grad))
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
        if self.known and not all(node.constant for node in nodes):
            grad = _vector([self.adjoint.get(node, 0.0) for node in nodes])
        return name, data, grad

    def ends(self) -> tuple[html.Box, html.Box]:
        """The boxes of the initial state and of the output, its op as in `( )²`."""
        output = self._box("output", "output", [self.output])._replace(badge=badge(self.output))
        return self._box("start", "state", self.initial), output

    def _box(self, id: str, role: str, nodes: Sequence[Any]) -> html.Box:
        name, data, grad = self._told(nodes)
        full = f"{name}: data {', '.join([repr(node.data) for node in nodes])}, grad {grad}"
        return html.Box(id, role, name, data, grad, description=full)

    def ledger(self, weight: Any, cards: Sequence[Card]) -> list[tuple[str, str]]:
        """The fields of a weight: its number, a term per card, and the sum."""
        fields = [("", f"{self.texts[weight].text} = {self.data(weight)}")]
        for card in cards:
            uses = self._uses_in(card, weight)
            names = [self.copy_name(use) for use in [*uses[:1], *uses[1:][-1:]]]
            fields.append((f"from {' … '.join(names)}", self._term(uses)) if uses else ("", ""))
        rest = self._term([use for use in self.uses[weight] if use.step is None])
        words = f"{rest} outside the steps, grad" if rest else "grad"
        return [*fields, (words, ("= " if self.known else "") + self.shown(self.adjoint[weight]))]

    def _uses_in(self, card: Card, weight: Any) -> list[Copy]:
        return [use for use in self.uses[weight] if card.holds(use.step)]

    def _term(self, uses: Sequence[Copy]) -> str:
        """What the copies add, `+ 16` or `− 4`; nothing where it is not known yet."""
        return term(number(sum([use.grad for use in uses]))) if self.known and uses else ""

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


def _sums_make_states(step: Any) -> bool:
    """Whether each state is its sum, or an activation of it, as an RNN's: gates do otherwise."""
    return len(step.pi) == len(step.q) and all(
        q is pi or q.parents == (pi,) for pi, q in zip(step.pi, step.q, strict=True)
    )


def _vector(entries: Sequence[float]) -> str:
    return vector(entries, MOST_ENTRIES, digits=3)


# --- the labels of cards and ledgers -------------------------------------------------------------

ROW: Final = 26
FOOT: Final = 8
WORDS_POINTS: Final = 14.0
LEDGER: Final = 46
SOURCE_POINTS: Final = 10.5
ROUNDED: Final = {"cellborder": "0", "cellspacing": "0", "cellpadding": "3", "style": "ROUNDED"}


def _columns(cards: Sequence[Card]) -> tuple[int, int, int]:
    """The widths of the columns of cards: words, data, grad."""
    rows = [row for card in cards for row in card.rows]
    data = ceil(max(26.0, *[html.text_width(row.data, html.VALUE_POINTS) for row in rows])) + 14
    grad = ceil(max(26.0, *[html.text_width(row.grad, WORDS_POINTS, True) for row in rows])) + 14
    words = max(html.text_width(row.words, WORDS_POINTS, bold=True) for row in rows)
    widest = max(html.text_width(card.head, html.SMALL_POINTS, bold=True) for card in cards)
    return ceil(max(words, widest - data - grad)) + 16, data, grad


def _card_label(card: Card, columns: Sequence[int], theme: Theme) -> str:
    """A head, a line per row with its numbers, and a foot, so that fills keep off the corners."""

    def line(fill: str, *texts: str) -> str:
        return "".join(
            html.cell(text, align=align, width=width, height=ROW, bgcolor=fill)
            for align, width, text in zip(("LEFT", "RIGHT", "RIGHT"), columns, texts, strict=True)
        )

    heading = html.font(card.head, html.SMALL_POINTS, theme.ink, bold=True)
    keys = [html.font(f"{key} ", html.KEY_POINTS, theme.muted) for key in ("", "data", "grad")]
    lines = [html.cell(heading, colspan=3, height=ROW), line(theme.paper, *keys)]
    for row in card.rows:
        style, bold = theme.styles[row.role], is_not_finite(row.data)
        words = html.font(f" {row.words}", WORDS_POINTS, style.ink, bold=True)
        data = html.font(f"{row.data} ", html.VALUE_POINTS, theme.ink, bold)
        grad = html.font(f"{row.grad} ", WORDS_POINTS, theme.gradient, bold=True)
        lines.append(line(style.fill, words, data, grad))
    lines.append(html.cell(colspan=3, height=FOOT, cellpadding=0))
    return html.table(lines, **ROUNDED, border=1, color=theme.line, bgcolor=theme.panel_line)


def _ledger_label(fields: Sequence[tuple[str, str]], widths: Sequence[float], theme: Theme) -> str:
    """A weight's number, and side by side what each card adds to its gradient."""
    style = theme.styles["parameter"]
    cells = [html.font(fields[0][1], html.TITLE_POINTS, style.ink, bold=True)]
    for source, added in fields[1:]:
        written = html.font(added, html.NAME_POINTS, theme.gradient, bold=True)
        cells.append(f"{html.font(source, SOURCE_POINTS, theme.muted)}<BR/>{written}")
    looks: html.Looks = {"height": LEDGER, "sides": "L", "color": style.line}
    row = "\n".join(
        html.cell(text, width=round(width), border=int(place > 0), **looks)
        for place, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return html.table([row], **ROUNDED, border=style.border, color=style.line, bgcolor=style.fill)


# --- where the cards go --------------------------------------------------------------------------


def _lay_out(story: Story, canvas: Canvas) -> None:
    """The cards between the two ends, and over each card its field in every ledger."""
    theme, cards, (start, output) = canvas.theme, story.cards(), story.ends()
    flows, ledgers = story.flows(cards), [story.ledger(weight, cards) for weight in story.uses]
    columns = _columns(cards)
    width = sum(columns) + 2.0
    lines = [line for flow in flows for words in flow for line in words.split("\n")]
    widest = max(html.text_width(line, html.SMALL_POINTS, bold=True) for line in lines)
    gap = 2.0 * ceil(widest / 2) + 26.0
    names = [html.text_width(fields[0][1], html.TITLE_POINTS, bold=True) for fields in ledgers]
    sums = [html.text_width(fields[-1][0], SOURCE_POINTS) for fields in ledgers]
    left = float(ceil(max(html.box_size(start)[0], *names)))
    right = float(ceil(max(html.box_size(output)[0], *sums)))
    far = left + gap + len(cards) * (width + gap) + right
    # The cards of steps hang from 0; the rest is centred on the spine, which all of them reach.
    spine = -min(card.height for card in cards if card.id != "more") / 2
    canvas.number(start, (left / 2, spine))
    for index, card in enumerate(cards):
        x, y = left + gap + index * (width + gap) + width / 2, -card.height / 2
        words = "; ".join([card.head, *[row.full for row in card.rows if row.full]])
        at, room = (x, spine if card.id == "more" else y), (width, card.height)
        canvas.node(card.id, at, room, _card_label(card, columns, theme), words, "card")
    canvas.number(output, (far - right / 2, spine))
    _draw_flows(canvas, ["start", *[card.id for card in cards], "output"], flows)
    for before, card, (words, _) in zip(cards, cards[1:], flows[1:], strict=False):
        if card.first.k in story.cuts:
            (end, low), (begin, foot) = canvas.spot(before.id, 1, -1), canvas.spot(card.id, -1, -1)
            # The line spares the words over the arrow of the state.
            over = spine + LANE + 8.0 + 16.0 * len(words.split("\n"))
            parts = (-6.0, over), (spine + LANE - 4.0, min(low, foot))
            canvas.cut(card.first.k, (end + begin) / 2, *parts)
    read = [card.id for card in cards[:-1] if any(card.holds(k) for k in story.read)]
    _draw_rails(canvas, read, story.known)
    # The ledgers, the first on top, and an arrow for each term.
    widths = [left + gap / 2, *[width + gap] * len(cards), gap / 2 + right]
    floor = RISE
    for index, fields in reversed(list(enumerate(ledgers))):
        words = ", ".join([" ".join(field).strip() for field in fields])
        label, at = _ledger_label(fields, widths, theme), (far / 2, floor + LEDGER / 2)
        canvas.node(f"w{index + 1}", at, (far, LEDGER), label, words, "parameter")
        for card, (_, added) in zip(cards, fields[1:-1], strict=True):
            if added:
                x, top = canvas.spot(card.id, 0, 1)
                x += (2 * index + 1 - len(ledgers)) * LANE
                _arrow(canvas, "back", f"{card.id} w{index + 1}", [(x, top), (x, floor - 3.0)])
        floor += LEDGER + LEDGER_GAP


def _draw_flows(canvas: Canvas, ids: Sequence[str], flows: Sequence[tuple[str, str]]) -> None:
    """The arrows from box to box: the state forward, and its gradient back."""
    spine = canvas.at["start"][1]
    for (tail, head), (forward, back) in zip(pairwise(ids), flows, strict=True):
        (start, _), (end, _) = canvas.spot(tail, 1), canvas.spot(head, -1)
        role, ahead, behind = "output" if head == "output" else "state", spine + LANE, spine - LANE
        _arrow(canvas, role, f"{tail} {head}", [(start, ahead), (end, ahead)], forward)
        if back:
            _arrow(canvas, "back", f"{head} {tail}", [(end, behind), (start, behind)], back)


def _draw_rails(canvas: Canvas, read: Sequence[str], known: bool) -> None:
    """What the output reads of steps before the last, under the cards."""
    rail, (end, low) = min(y for _, y in canvas.corners) - RAIL, canvas.spot("output", 0, -1)
    for card in read:
        x, foot = canvas.spot(card, 0, -1)
        canvas.corners.append((x, rail - 3 * LANE))
        there = [(x - LANE, foot), (x - LANE, rail - 2 * LANE), (end + LANE, rail - 2 * LANE)]
        _arrow(canvas, "output", f"{card} output", [*there, (end + LANE, low)])
        if known:
            back = [(end - LANE, low), (end - LANE, rail), (x + LANE, rail), (x + LANE, foot)]
            _arrow(canvas, "back", f"output {card}", back)


def _arrow(canvas: Canvas, role: str, ends: str, corners: Sequence[Point], words: str = "") -> None:
    """An arrow around corners with its words over it, or under it where it runs back."""
    if role == "back":
        looks = {"color": canvas.theme.gradient, "penwidth": "1.6", "style": "dashed"}
    else:
        looks = {"color": canvas.theme.styles[role].line, "penwidth": "2.2"}
    if words:
        (x0, y), (x1, _) = corners
        away = 4.0 + 8.0 * len(words.split("\n"))
        looks["label"] = f"<{html.font(words, html.SMALL_POINTS, looks['color'], bold=True)}>"
        looks["lp"] = points(((x0 + x1) / 2, y + away if x0 < x1 else y - away))
    before, tip = corners[-2:]
    end = along(tip, before, ARROW_HEAD / dist(before, tip))
    canvas.arrow(ends, [*cornered(*corners[:-1], end), tip], role=role, **looks)
