"""An unrolled network as a card per step, and a ledger of each weight's gradient, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, dist, inf
from typing import Any, Final

from ...errors import ArgumentValueError
from ...graph.notation import is_not_finite, number
from .. import html_labels as html
from ..canvas import ARROW_HEAD, HEADING, Canvas, Point, along, cornered, points
from ..drawing import Drawing
from ..graph_view import DrawnRun
from ..paper import ENDLESS, PAD, Room
from ..theme import Theme
from .story import CARD_FRAME, FOOT, MOST_ON_CARD, MOST_STATES, ROW_HEIGHT, Card, Row, Story

MOST_WEIGHTS: Final = 3
RISE: Final = 64.0
LEDGER_GAP: Final = 24.0
RAIL: Final = 26.0
LANE: Final = 7.0
BETWEEN: Final = 8  # the columns of a card
NARROW: Final = 8.0  # what is left of a row's first arrow, under the name of a weight
STUB: Final = 30.0  # of an arrow to the row below
ROWS_APART: Final = 36.0


def draw_cards(
    output: Any,
    run: DrawnRun,
    weights: Sequence[Any],
    theme: Theme,
    title: str | None = None,
    room: Room = ENDLESS,
) -> Drawing:
    """The drawing of an unrolled network with a card per step and a ledger per weight, in rows.

    A card has the copies that its step makes, each with its term, which the ledger adds up; the
    steps in the middle of a long run share a card.  `ValueError` where a weight has no copies.
    """
    if not 1 <= len(weights) <= MOST_WEIGHTS:
        raise ArgumentValueError(
            f"cards have room for 1 to {MOST_WEIGHTS} weights, not for {len(weights)}: "
            f"choose them with focus=."
        )
    story = Story(output, weights, run, room.wide < inf)
    names = story.weight_names()
    back = f"gradients right to left, and each step adds a term to the gradient of {names}"
    if not story.known:
        back = "and no gradient has run back yet"
    told = story.note() or f"values run left to right, {back}"
    heading = "Backpropagation through time, one card per step" if title is None else title
    # Arrows are drawn first, so that those to an upper ledger pass under a lower one.
    canvas = Canvas(theme, layout="nop2", outputorder="edgesfirst")
    _Layout(story, canvas, room).draw()
    canvas.frame(heading, told, wide=room.wide)
    name, steps = story.texts[output].text, f"unrolled over {len(story.steps)} steps"
    return canvas.drawing(
        f"{name} = {number(output.data)}, {steps}, with the copies of {names}", story.marks
    )


# --- the labels of cards and ledgers -------------------------------------------------------------

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


def _card_label(
    head: str, beside: Sequence[Sequence[Row]], columns: Sequence[int], width: float, theme: Theme
) -> str:
    """A head, a line per row with its numbers, and a foot, so that fills keep off the corners."""
    words, *numbers = columns
    one = (round(width) - 2 + BETWEEN) // len(beside) - BETWEEN if beside else 0
    widths = [max(words, one - sum(numbers)), *numbers]

    def line(fill: str, *texts: str) -> str:
        return "".join(
            html.cell(text, align=align, width=width, height=ROW_HEIGHT, bgcolor=fill)
            for align, width, text in zip(("LEFT", "RIGHT", "RIGHT"), widths, texts, strict=True)
        )

    def cells(row: Row) -> str:
        style, bold = theme.styles[row.role], is_not_finite(row.data)
        words = html.font(f" {row.words}", WORDS_POINTS, style.ink, bold=True)
        data = html.font(f"{row.data} ", html.VALUE_POINTS, theme.ink, bold)
        grad = html.font(f"{row.grad} ", WORDS_POINTS, theme.gradient, bold=True)
        return line(style.fill, words, data, grad)

    between = html.cell("", width=BETWEEN, cellpadding=0)
    span = 4 * max(1, len(beside)) - 1
    heading = html.font(head, html.SMALL_POINTS, theme.ink, bold=True)
    keys = [html.font(f"{key} ", html.KEY_POINTS, theme.muted) for key in ("", "data", "grad")]
    lines = [html.cell(heading, colspan=span, height=ROW_HEIGHT)]
    lines.append(between.join([line(theme.paper, *keys)] * max(1, len(beside))))
    blank = line(theme.paper, "", "", "")
    lines += [
        between.join([blank if row is None else cells(row) for row in across])
        for across in zip_longest(*beside)
    ]
    lines.append(html.cell(colspan=span, height=FOOT, cellpadding=0))
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


class _Layout:
    """The cards between the two ends, in rows, and over each card its field in every ledger."""

    def __init__(self, story: Story, canvas: Canvas, room: Room) -> None:
        self.story, self.canvas, self.room = story, canvas, room.wide
        self.cards, (self.start, self.output) = story.cards(), story.ends()
        if room.wide < inf:
            self.output = self.output._replace(badge=None)
        self.weights = list(story.uses)
        self.ledgers = [story.ledger(weight, self.cards) for weight in story.uses]
        self.names = [html.text_width(one[0][1], html.TITLE_POINTS, True) for one in self.ledgers]
        sums = [html.text_width(one[-1][0], SOURCE_POINTS) for one in self.ledgers]
        self.right = float(ceil(max(html.box_size(self.output)[0], *sums)))
        # The numbers over arrows are on the cards too; last of all, the output has its own row.
        for told, alone in ((True, False), (False, False), (False, True)):
            self._arrange(room, told, alone)
            if self._around() + self.width <= room.wide:
                break

    def _arrange(self, room: Room, told: bool, alone: bool) -> None:
        """Set what the arrows say, with numbers where these are `told`, and the sizes of cards."""
        story, self.alone = self.story, alone
        story.most_numbers = MOST_ON_CARD if room.wide < inf else MOST_STATES
        self.cards = story.cards()
        self.flows = story.flows(self.cards, told)
        lines = [line for flow in self.flows for words in flow[:2] for line in words.split("\n")]
        widest = max(html.text_width(line, html.SMALL_POINTS, bold=True) for line in lines)
        self.gap = 2.0 * ceil(widest / 2) + (26.0 if told else 14.0)
        self.stub = NARROW if alone else STUB
        if not self._fold(room.high):  # too much, so that a row is a vector, not a number
            numbers, story.most_numbers = self.cards, MOST_STATES
            self.cards = story.cards()
            if not self._fold(room.high) or self._around() + self.width > room.wide:
                self.cards = numbers
                self._fold(room.high)

    def _around(self) -> float:
        """The width of what is beside a card, at the widest."""
        border = 2.0 * self.canvas.theme.styles["parameter"].border  # of a ledger
        right = self.stub if self.alone else max(self.right, STUB)
        return self._left() + 2 * self.gap + right + border

    def _fold(self, high: float) -> bool:
        """Set how many rows go below each other on a card, and how wide it is; whether all fits.

        A card that is higher than a page has columns, as many as a page is wide.
        """
        self.columns = _columns(self.cards)
        last = self.cards[-1]
        rails = RAIL + 3 * LANE if any(not last.holds(k) for k in self.story.read) else 0.0
        ledgers = (LEDGER + LEDGER_GAP) * len(self.ledgers) - LEDGER_GAP
        spare = high - HEADING - PAD - RISE - ledgers - rails - CARD_FRAME
        longest = max(len(card.rows) for card in self.cards)
        most = int(max(1.0, min(longest, spare / ROW_HEIGHT)))
        one = sum(self.columns) + BETWEEN
        room = self.room - self._around() - 2.0 + BETWEEN
        beside = max(1, int(min(-(-longest // most), room / one)))
        self.most = max(most, -(-longest // beside))
        self.width = beside * one - BETWEEN + 2.0
        return self.most == most

    def draw(self) -> None:
        """All rows, from top to bottom; the cards of the first hang from 0."""
        rows, top = self._rows(), 0.0
        for index, places in enumerate(rows):
            low = self._row(places, index, top, index == len(rows) - 1)
            ledgers = (LEDGER + LEDGER_GAP) * len(self.ledgers) - LEDGER_GAP
            self.canvas.breaks.append(low - ROWS_APART / 2)
            top = low - ROWS_APART - RISE - ledgers

    def _left(self) -> float:
        """The width of what stands before the first card of a row and its arrow."""
        if self.room < inf:  # there is only an arrow
            return float(ceil(max(NARROW, max(self.names) + 16.0 - self.gap / 2)))
        return float(ceil(max(html.box_size(self.start)[0], *self.names)))

    def _rows(self) -> list[list[int]]:
        """The places of the cards of each row."""
        rows: list[list[int]] = []
        x, last = inf, len(self.cards) - 1
        for place in range(len(self.cards)):
            after = self.right if place == last and not self.alone else self.stub
            if not rows or x + self.width + self.gap + after > self.room:
                rows.append([])
                x = self._left() + self.gap
            rows[-1].append(place)
            x += self.width + self.gap
        return [*rows, []] if self.alone else rows

    def _row(self, places: list[int], index: int, top: float, final: bool) -> float:
        """A row of cards that hang from `top`, and its ledgers; gives its foot."""
        story, canvas, gap, width = self.story, self.canvas, self.gap, self.width
        cards, left = [self.cards[place] for place in places], self._left()
        right = self.right if final else self.stub
        far = left + gap + len(cards) * (width + gap) + right
        (_, high), last = html.box_size(self.output), len(self.cards)
        # The rest is centred on the spine, which all of the cards reach.
        heights = [card.height(self.most) for card in cards]
        whole = [h for h, card in zip(heights, cards, strict=True) if card.id != "more"]
        spine = top - min(whole or heights or [high]) / 2
        boxed = not index and self.room == inf
        if boxed:
            canvas.number(self.start, (left / 2, spine))
        for place, (card, height) in enumerate(zip(cards, heights, strict=True)):
            x, y = left + gap + place * (width + gap) + width / 2, top - height / 2
            words = "; ".join([card.head, *[row.full for row in card.rows if row.full]])
            at, room = (x, spine if card.id == "more" else y), (width, height)
            label = _card_label(
                card.head, card.columns(self.most), self.columns, width, canvas.theme
            )
            canvas.node(card.id, at, room, label, words, "card")
            canvas.about(card.id, *[one for row in card.rows for one in row.about])
        if final:
            canvas.number(self.output, (far - right / 2, spine))
        self._draw_flows(places or [last], boxed, spine, left, far, final)
        for place, card in zip(places, cards, strict=True):
            if place and card.first.k in story.cuts:
                x, foot = canvas.spot(card.id, -1, -1)
                if place > places[0]:
                    foot = min(foot, canvas.spot(self.cards[place - 1].id, 0, -1)[1])
                # The line spares the words over the arrow of the state.
                over = spine + LANE + 8.0 + 16.0 * len(self.flows[place][0].split("\n"))
                parts = (top - 6.0, over), (spine + LANE - 4.0, foot)
                canvas.cut(card.first.k, x - gap / 2, *parts)
        reading = [card for card in cards if any(map(card.holds, story.read))]
        read = [card.id for card in reading if card is not self.cards[-1]]
        low = min(canvas.spot(card.id, 0, -1)[1] for card in cards) if cards else top - high
        if read:
            low = _draw_rails(canvas, read, story.known, low, None if final else far)
        # The ledgers, the first on top, and an arrow for each term.
        widths = [left + gap / 2, *[width + gap] * len(cards), gap / 2 + right]
        floor = top + RISE
        for number_of, fields in reversed(list(enumerate(self.ledgers))):
            here = [fields[0], *[fields[1 + place] for place in places]]
            here.append(fields[-1] if final else ("", ""))
            words = ", ".join([" ".join(field).strip() for field in here])
            total = story.adjoint[self.weights[number_of]]
            if final and story.exact(total) != story.shown(total):
                words += f", in full {story.exact(total)}"
            label, at = _ledger_label(here, widths, canvas.theme), (far / 2, floor + LEDGER / 2)
            id = f"w{number_of + 1}" + (f"_{index}" if index else "")
            canvas.node(id, at, (far, LEDGER), label, words, "parameter")
            canvas.about(id, self.weights[number_of])
            for card, (_, added) in zip(cards, here[1:-1], strict=True):
                if added:
                    x, high = canvas.spot(card.id, 0, 1)
                    x += (2 * number_of + 1 - len(self.ledgers)) * LANE
                    _arrow(canvas, "back", f"{card.id} {id}", [(x, high), (x, floor - 3.0)])
            floor += LEDGER + LEDGER_GAP
        return low

    def _draw_flows(
        self, places: list[int], boxed: bool, spine: float, left: float, far: float, final: bool
    ) -> None:
        """The arrows from box to box: the state forward, and its gradient back."""
        canvas = self.canvas
        ids = ["start", *[card.id for card in self.cards], "output"]
        for place in [*places, places[-1] + 1][: len(self.cards) + 1 - places[0]]:
            (forward, words, back), (tail, head) = self.flows[place], ids[place : place + 2]
            role, ahead, behind = "state", spine + LANE, spine - LANE
            start, end = left, far - self.stub / 2
            if not boxed and place == places[0]:  # from the start, or the row above
                tail, end = head, canvas.spot(head, -1)[0]
            elif not final and place > places[-1]:  # to the row below, where the words are
                head, start, forward = tail, canvas.spot(tail, 1)[0], ""
            else:
                (start, _), (end, _) = canvas.spot(tail, 1), canvas.spot(head, -1)
                role = "output" if head == "output" else "state"
            _arrow(canvas, role, f"{tail} {head}", [(start, ahead), (end, ahead)], forward)
            if back:
                words = words if forward else ""
                _arrow(canvas, "back", f"{head} {tail}", [(end, behind), (start, behind)], words)


def _draw_rails(
    canvas: Canvas, read: Sequence[str], known: bool, low: float, far: float | None
) -> float:
    """What the output reads of steps before the last, under the cards; gives their foot.

    With `far`, the output stands in another row, and the rails go as far.
    """
    rail = low - RAIL
    for card in read:
        x, foot = canvas.spot(card, 0, -1)
        canvas.corners.append((x, rail - 3 * LANE))
        there = [(x - LANE, foot), (x - LANE, rail - 2 * LANE)]
        back = [(x + LANE, rail), (x + LANE, foot)]
        if far is None:
            end, under = canvas.spot("output", 0, -1)
            there += [(end + LANE, rail - 2 * LANE), (end + LANE, under)]
            back = [(end - LANE, under), (end - LANE, rail), *back]
        else:
            there, back = [*there, (far, rail - 2 * LANE)], [(far, rail), *back]
        other = card if far is not None else "output"
        _arrow(canvas, "output", f"{card} {other}", there)
        if known:
            _arrow(canvas, "back", f"{other} {card}", back)
    return rail - 3 * LANE


def _arrow(canvas: Canvas, role: str, ends: str, corners: Sequence[Point], words: str = "") -> None:
    """An arrow around corners with its words over it, or under it where it runs back."""
    if role == "back":
        looks = {"color": canvas.theme.gradient, "penwidth": "1.6", "style": "dashed"}
    else:
        looks = {"color": canvas.theme.styles[role].line, "penwidth": "2.2"}
    if words:
        (x0, y), (x1, _) = corners
        away = 4.0 + 8.0 * len(words.split("\n"))
        looks["label"] = html.label(words, html.SMALL_POINTS, looks["color"], bold=True)
        looks["lp"] = points(((x0 + x1) / 2, y + away if x0 < x1 else y - away))
    before, tip = corners[-2:]
    end = along(tip, before, ARROW_HEAD / dist(before, tip))
    canvas.arrow(ends, [*cornered(*corners[:-1], end), tip], role=role, **looks)
