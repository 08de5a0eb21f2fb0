"""An unrolled network as one card per step, and a ledger of what each adds to a weight's
gradient."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, hypot
from typing import Any, Final, NamedTuple

from .dot import ARROW_HEAD, TITLE_ROOM, Figure
from .errors import ArgumentValueError
from .graph import Copy, adjoints, copies, layers, topological
from .labels import (
    FONTS,
    KEY_POINTS,
    SMALL_POINTS,
    TITLE_POINTS,
    VALUE_POINTS,
    Box,
    box_label,
    box_size,
    clean,
    font,
    table,
    title_label,
)
from .layout import text_width
from .notation import Text, accent, label, number, write, write_number
from .theme import Theme

__all__ = ["write_cards"]

MOST_WEIGHTS: Final = 3
MOST_CARDS: Final = 12
FIRST_CARDS: Final = 4
LAST_CARDS: Final = 3
MOST_STATES: Final = 8
MOST_ENTRIES: Final = 4
LONGEST_EXPRESSION: Final = 24
LONGEST_NUMBER: Final = 8


def write_cards(
    output: Any, run: Any, weights: Sequence[Any], theme: Theme, title: str | None = None
) -> Figure:
    """The figure of an unrolled network with a card per step and a ledger per weight.

    A card has the weights' copies of its step, each with ∂output/∂copy: the terms that the ledger
    adds up.  The steps in the middle of a long run share a card.  `ValueError` where the output
    does not depend on a weight.
    """
    if not 1 <= len(weights) <= MOST_WEIGHTS:
        raise ArgumentValueError(
            f"cards have room for 1 to {MOST_WEIGHTS} weights, not for {len(weights)}: "
            f"choose them with focus=."
        )
    story = _Story(output, run, weights)
    names = " and ".join([story.names[weight].text for weight in weights])
    back = f"gradients right to left, and each step adds a term to the gradient of {names}"
    if not story.swept:
        back = "and no gradient has run back yet"
    heading = "Backpropagation through time, one card per step" if title is None else title
    sheet = _Sheet(theme, heading, f"values run left to right, {back}")
    _lay_out(story, sheet)
    steps = f"unrolled over {len(story.steps)} steps"
    summary = (
        f"{story.names[output].text} = {number(output.data)}, {steps}, with the copies of {names}"
    )
    return Figure(str(sheet.graph.source), summary, sheet.titles)


# --- what is told --------------------------------------------------------------------------------


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

    def holds(self, step: int | None) -> bool:
        """Whether the step is on this card."""
        return step is not None and self.first.k <= step <= self.last.k


class _Story:
    """What the cards say: names, copies, and ∂output/∂node, `–` before any backward."""

    def __init__(self, output: Any, run: Any, weights: Sequence[Any]) -> None:
        order = topological(output)
        self.output, self.initial, self.swept = output, run.state, bool(output.grad)
        self.adjoint, self.layer = adjoints(output), layers(run)
        self.names = {node: _name(node, place) for place, node in enumerate(order, 1)}
        self.uses = {weight: copies(weight, output, run) for weight in weights}
        for weight, uses in self.uses.items():
            if not uses:
                raise ArgumentValueError(f"output does not depend on the weight {weight!r}.")
        reached = {self.layer[node] for node in order if node in self.layer}
        self.steps = [step for step in run.steps if step.k in reached]
        if not self.steps:
            raise ArgumentValueError("output depends on no step of run: there is no card to draw.")
        if output.name is None and output not in self.layer:
            self.names[output] = Text("L")
        self.accents = max(map(len, self.uses.values())) <= 4
        self.states = {*run.state, *[q for step in run.steps for q in step.q]}
        self.moving = {*weights, *run.state}  # and all that is computed from them
        self.read: dict[int, list[Any]] = {}  # what the output reads of each step
        if output in self.layer:
            self.read[self.layer[output]] = [output]
        for node in order:
            if not self.moving.isdisjoint(node.parents):
                self.moving.add(node)
            for parent in node.parents if node not in self.layer else ():
                if parent in self.layer:
                    found = self.read.setdefault(self.layer[parent], [])
                    found += [] if parent in found else [parent]

    def cards(self) -> list[Card]:
        """A card per step; of many steps the first, one for those between, and the last."""
        if len(self.steps) <= MOST_CARDS:
            return [self._card(step) for step in self.steps]
        middle = self.steps[FIRST_CARDS:-LAST_CARDS]
        more = Card("more", f"… {len(middle)} more steps …", [], middle[0], middle[-1])
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
        uses = [use for uses in self.uses.values() for use in uses if use.layer == step.k]
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
        rows = []
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
        op, parents = self.output.op, self.output.parents
        plain = [parent.constant and parent.name is None for parent in parents]
        places = [self.names[p] if c else Text("( )") for p, c in zip(parents, plain, strict=True)]
        badge = write(op, *places).text if any(plain) else op.symbol
        start = self._box("start", "state", self.initial)
        return start, self._box("output", "output", [self.output])._replace(badge=badge)

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
        rest = self._term([use for use in self.uses[weight] if use.layer is None])
        words = f"{rest} outside the steps, grad" if rest else "grad"
        return [*fields, (words, ("= " if self.swept else "") + self._grad(self.adjoint[weight]))]

    def _uses_in(self, card: Card, weight: Any) -> list[Copy]:
        return [use for use in self.uses[weight] if card.holds(use.layer)]

    def _range(self, uses: Sequence[Copy]) -> str:
        first, last = self._copy_name(uses[0]), self._copy_name(uses[-1])
        return first if len(uses) == 1 else f"{first} … {last}"

    def _copy_name(self, use: Copy) -> str:
        return accent(self.names[use.parameter].text, use.index, accents=self.accents)

    def _term(self, uses: Sequence[Copy]) -> str:
        """What the copies add, `+ 16` or `− 4`; nothing where it is not known yet."""
        written = number(_total(uses)) if self.swept and uses else ""
        return f"− {written[1:]}" if written.startswith("−") else f"+ {written}" if written else ""

    def _text(self, node: Any) -> str:
        if node is self.output or node.name is not None or not node.parents:
            return self.names[node].text
        written = write(node.op, *[self.names[parent] for parent in node.parents]).text
        return written if len(written) <= LONGEST_EXPRESSION else self.names[node].text

    def _grad(self, x: float) -> str:
        return number(x) if self.swept else "–"


def _name(node: Any, place: int) -> Text:
    if node.name is not None:
        return Text(clean(label(node.name), LONGEST_EXPRESSION).replace("\n", " "))
    return write_number(node.data) if node.constant else Text(label(f"v_{place}"))


def _addends(node: Any) -> list[Any]:
    """The terms of the sum that a node is, from the left."""
    addends: list[Any] = []
    while node.op is not None and node.op.symbol == "+" and (node.name is None or not addends):
        node, last = node.parents
        addends.insert(0, last)
    return [node, *addends]


def _total(uses: Sequence[Copy]) -> float:
    return sum([use.grad for use in uses])


def _vector(entries: Sequence[float]) -> str:
    if len(entries) == 1:
        return number(entries[0])
    shown = " ".join([number(entry, 3) for entry in entries[:MOST_ENTRIES]])
    return f"[{shown}{' …' if len(entries) > MOST_ENTRIES else ''}]"


# --- its labels ----------------------------------------------------------------------------------

ROW: Final = 26.0
FOOT: Final = 8.0
WORDS_POINTS: Final = 14.0
LEDGER: Final = 46.0
SOURCE_POINTS: Final = 10.5
ROUNDED: Final = {"cellborder": "0", "cellspacing": "0", "cellpadding": "3", "style": "ROUNDED"}


def _columns(cards: Sequence[Card]) -> tuple[float, float, float]:
    """The widths of the columns of every card: words, data, grad."""
    rows = [row for card in cards for row in card.rows]
    data = ceil(max(26.0, *[text_width(row.data, VALUE_POINTS) for row in rows])) + 14.0
    grad = ceil(max(26.0, *[text_width(row.grad, WORDS_POINTS, True) for row in rows])) + 14.0
    words = max(text_width(row.words, WORDS_POINTS, bold=True) for row in rows)
    head = max(text_width(card.head, SMALL_POINTS, bold=True) for card in cards)
    return ceil(max(words, head - data - grad)) + 16.0, data, grad


def _card_label(card: Card, columns: Sequence[float], theme: Theme) -> str:
    """A head, a line per row with its numbers, and a foot, so that fills keep off the corners."""
    head = font(card.head, SMALL_POINTS, theme.ink, bold=True)
    keys = [font(f"{key} ", KEY_POINTS, theme.muted) for key in ("", "data", "grad")]
    lines = [f'<TD COLSPAN="3" HEIGHT="{ROW:.0f}">{head}</TD>', _line(keys, columns, theme.paper)]
    for row in card.rows:
        style = theme.styles[row.role]
        cells = [
            font(f" {row.words}", WORDS_POINTS, style.ink, bold=True),
            font(f"{row.data} ", VALUE_POINTS, theme.ink),
            font(f"{row.grad} ", WORDS_POINTS, theme.gradient, bold=True),
        ]
        lines.append(_line(cells, columns, style.fill))
    lines.append(f'<TD COLSPAN="3" HEIGHT="{FOOT:.0f}" CELLPADDING="0"></TD>')
    return table(lines, **ROUNDED, border="1", color=theme.line, bgcolor=theme.panel_line)


def _line(cells: Sequence[str], widths: Sequence[float], fill: str) -> str:
    return "".join(
        f'<TD ALIGN="{align}" WIDTH="{width:.0f}" HEIGHT="{ROW:.0f}" BGCOLOR="{fill}">{cell}</TD>'
        for align, width, cell in zip(("LEFT", "RIGHT", "RIGHT"), widths, cells, strict=True)
    )


def _ledger_label(fields: Sequence[tuple[str, str]], widths: Sequence[float], theme: Theme) -> str:
    """A weight's number, and side by side what each card adds to its gradient."""
    style = theme.styles["parameter"]
    cells = [font(fields[0][1], TITLE_POINTS, style.ink, bold=True)]
    for source, term in fields[1:]:
        written = font(term, 15, theme.gradient, bold=True)
        cells.append(f"{font(source, SOURCE_POINTS, theme.muted)}<BR/>{written}")
    row = "".join(
        f'<TD WIDTH="{width:.0f}" HEIGHT="{LEDGER:.0f}" BORDER="{int(place > 0)}" SIDES="L" '
        f'COLOR="{style.line}">{cell}</TD>\n'
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    border = str(style.border)
    return table([row], **ROUNDED, border=border, color=style.line, bgcolor=style.fill)


# --- where it is drawn ---------------------------------------------------------------------------

RISE: Final = 64.0
LEDGER_GAP: Final = 24.0
RAIL: Final = 26.0
LANE: Final = 7.0

Point = tuple[float, float]


class Place(NamedTuple):
    """Where a box is, in points, y upwards."""

    id: str
    x: float
    y: float
    width: float
    height: float


def _lay_out(story: _Story, sheet: _Sheet) -> None:
    """The cards between the two ends, and over each card its field in every ledger."""
    cards, (start, output) = story.cards(), story.ends()
    flows, ledgers = story.flows(cards), [story.ledger(w, cards) for w in story.uses]
    columns = _columns(cards)
    width = sum(columns) + 2.0
    gap = 2.0 * ceil(max(_room(words) for flow in flows for words in flow) / 2) + 26.0
    names = [text_width(fields[0][1], TITLE_POINTS, bold=True) for fields in ledgers]
    sums = [text_width(fields[-1][0], SOURCE_POINTS) for fields in ledgers]
    left = float(ceil(max(box_size(start)[0], *names)))
    right = float(ceil(max(box_size(output)[0], *sums)))
    far = left + gap + len(cards) * (width + gap) + right
    # The cards of steps hang from 0; the rest is centred on the spine, which all of them reach.
    heights = [ROW * (2 + len(card.rows)) + FOOT + 2.0 for card in cards]
    spine = -min(h for h, card in zip(heights, cards, strict=True) if card.id != "more") / 2
    places = [Place("start", left / 2, spine, *box_size(start))]
    sheet.box(places[0], "state", box_label(start, sheet.theme), start.description)
    for index, (card, height) in enumerate(zip(cards, heights, strict=True)):
        x = left + gap + index * (width + gap) + width / 2
        y = spine if card.id == "more" else -height / 2
        places.append(Place(card.id, x, y, width, height))
        words = "; ".join([card.head, *[row.full for row in card.rows if row.full]])
        sheet.box(places[-1], "card", _card_label(card, columns, sheet.theme), words)
    places.append(Place("output", far - right / 2, spine, *box_size(output)))
    sheet.box(places[-1], "output", box_label(output, sheet.theme), output.description)
    _draw_flows(sheet, places, flows)
    pairs = zip(places[1:], cards[:-1], strict=False)
    read = [place for place, card in pairs if any(card.holds(k) for k in story.read)]
    bottom = _draw_rails(sheet, places, read, story.swept)
    fields = [left + gap / 2, *[width + gap] * len(cards), gap / 2 + right]
    top = _draw_ledgers(sheet, places[1:-1], ledgers, fields)
    sheet.finish(far, bottom, top)


def _draw_flows(sheet: _Sheet, places: Sequence[Place], flows: Sequence[tuple[str, str]]) -> None:
    """The arrows from box to box: the state forward, and its gradient back."""
    spine = places[0].y
    for index, (tail, head) in enumerate(pairwise(places)):
        start, end = tail.x + tail.width / 2, head.x - head.width / 2
        forward, back = flows[index]
        role = "output" if head is places[-1] else "state"
        sheet.arrow(role, tail, head, [(start, spine + LANE), (end, spine + LANE)], forward)
        if back:
            sheet.arrow("back", head, tail, [(end, spine - LANE), (start, spine - LANE)], back)


def _draw_rails(
    sheet: _Sheet, places: Sequence[Place], read: Sequence[Place], swept: bool
) -> float:
    """What the output reads of steps before the last, under the cards; the lowest point."""
    output, bottom = places[-1], min(place.y - place.height / 2 for place in places)
    rail, low, end = bottom - RAIL, output.y - output.height / 2, output.x
    for card in read:
        x, foot = card.x, card.y - card.height / 2
        there = [(x - LANE, foot), (x - LANE, rail - 2 * LANE), (end + LANE, rail - 2 * LANE)]
        sheet.arrow("output", card, output, [*there, (end + LANE, low)])
        if swept:
            back = [(end - LANE, low), (end - LANE, rail), (x + LANE, rail), (x + LANE, foot)]
            sheet.arrow("back", output, card, back)
    return rail - 3 * LANE if read else bottom


def _draw_ledgers(
    sheet: _Sheet,
    cards: Sequence[Place],
    ledgers: Sequence[Sequence[tuple[str, str]]],
    widths: Sequence[float],
) -> float:
    """The ledgers, the first on top, and an arrow for each term; the highest point."""
    far, floor = sum(widths), RISE
    for index, fields in reversed(list(enumerate(ledgers))):
        written = _ledger_label(fields, widths, sheet.theme)
        place = Place(f"w{index + 1}", far / 2, floor + LEDGER / 2, far, LEDGER)
        sheet.box(place, "parameter", written, ", ".join([" ".join(f).strip() for f in fields]))
        for card, (_, term) in zip(cards, fields[1:-1], strict=True):
            if term:
                x = card.x + (2 * index + 1 - len(ledgers)) * LANE
                sheet.arrow("back", card, place, [(x, card.y + card.height / 2), (x, floor - 3.0)])
        floor += LEDGER + LEDGER_GAP
    return floor - LEDGER_GAP


class _Sheet:
    """The DOT text of boxes and arrows at given places, and the words for each id."""

    def __init__(self, theme: Theme, title: str, subtitle: str) -> None:
        import graphviz

        self.theme, self.title, self.subtitle = theme, title, subtitle
        self.titles = {"autograd_rnn": title}
        self.arrows = 0
        self.graph: Any = graphviz.Digraph(
            "autograd_rnn",
            graph_attr={"bgcolor": theme.paper, "fontname": FONTS, "pad": "0.3"},
            node_attr={"shape": "plain", "fontname": FONTS},
            edge_attr={"arrowsize": "0.7", "fontname": FONTS},
        )
        # Arrows are drawn first, so that those to an upper ledger pass under a lower one.
        self.graph.attr(layout="nop2", outputorder="edgesfirst")

    def box(self, place: Place, role: str, written: str, words: str) -> None:
        """Draw a box; the words are for tooltips and screen readers."""
        at = _points((place.x, place.y))
        self.graph.node(place.id, label=written, id=place.id, pos=at, **{"class": role})
        self.titles[place.id] = words

    def arrow(
        self, role: str, tail: Place, head: Place, path: Sequence[Point], words: str = ""
    ) -> None:
        """Draw an arrow with its words over it, or under it where it runs back."""
        if role == "back":
            looks = {"color": self.theme.gradient, "penwidth": "1.6", "style": "dashed"}
        else:
            looks = {"color": self.theme.styles[role].line, "penwidth": "2.2"}
        if words:
            (x0, y), (x1, _) = path
            away = 4.0 + 8.0 * len(words.split("\n"))
            looks["label"] = f"<{font(words, SMALL_POINTS, looks['color'], bold=True)}>"
            looks["lp"] = _points(((x0 + x1) / 2, y + away if x0 < x1 else y - away))
        self.arrows += 1
        id = f"e{self.arrows}"
        self.graph.edge(tail.id, head.id, id=id, pos=_path(path), **looks, **{"class": role})

    def finish(self, far: float, bottom: float, top: float) -> None:
        """Draw the heading over all, and set the size of the picture."""
        title = text_width(self.title, TITLE_POINTS, bold=True)
        half = max(far, title, text_width(self.subtitle, SMALL_POINTS)) / 2
        heading = title_label(self.title, self.subtitle, self.theme)
        self.graph.node("title", label=heading, pos=_points((far / 2, top + TITLE_ROOM / 2)))
        self.graph.attr(bb=_points((far / 2 - half, bottom), (far / 2 + half, top + TITLE_ROOM)))


def _room(words: str) -> float:
    return max(text_width(line, SMALL_POINTS, bold=True) for line in words.split("\n"))


def _points(*points: Point) -> str:
    return ",".join(f"{coordinate:.2f}" for point in points for coordinate in point)


def _path(corners: Sequence[Point]) -> str:
    """Straight lines from corner to corner, as Bézier curves, with the arrow's tip at the last."""
    (x0, y0), (x1, y1) = corners[-2:]
    share = ARROW_HEAD / hypot(x1 - x0, y1 - y0)
    end = (x1 - share * (x1 - x0), y1 - share * (y1 - y0))
    points = [corners[0]]
    for a, b in pairwise([*corners[:-1], end]):
        points += [a, b, b]
    return f"e,{_points(corners[-1])} {' '.join([_points(point) for point in points])}"
