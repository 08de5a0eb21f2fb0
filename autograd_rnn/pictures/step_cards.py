"""An unrolled network as one card per step, and a ledger of what each adds to a weight's
gradient."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, dist
from typing import Any, Final, NamedTuple

from ..errors import ArgumentValueError
from ..graph.notation import number
from .canvas import (
    ARROW_HEAD,
    TITLE_ROOM,
    Figure,
    Point,
    Sheet,
    along,
    cornered,
    heading_width,
    new_graph,
    points,
)
from .html_labels import (
    LEDGER,
    SMALL_POINTS,
    SOURCE_POINTS,
    TITLE_POINTS,
    box_label,
    box_size,
    card_columns,
    card_height,
    card_label,
    font,
    ledger_label,
)
from .layout import text_width
from .story import Story
from .theme import Theme
from .words import listed

MOST_WEIGHTS: Final = 3
RISE: Final = 64.0
LEDGER_GAP: Final = 24.0
RAIL: Final = 26.0
LANE: Final = 7.0


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
    story = Story(output, run, weights)
    names = listed([story.names[weight].text for weight in weights])
    back = f"gradients right to left, and each step adds a term to the gradient of {names}"
    if not story.swept:
        back = "and no gradient has run back yet"
    heading = "Backpropagation through time, one card per step" if title is None else title
    sheet = Sheet(theme, new_graph(theme))
    # Arrows are drawn first, so that those to an upper ledger pass under a lower one.
    sheet.graph.attr(layout="nop2", outputorder="edgesfirst")
    far, bottom, top = _lay_out(story, sheet)
    subtitle = f"values run left to right, {back}"
    sheet.heading(heading, subtitle, (far / 2, top + TITLE_ROOM / 2))
    half = max(far, heading_width(heading, subtitle)) / 2
    steps = f"unrolled over {len(story.steps)} steps"
    summary = (
        f"{story.names[output].text} = {number(output.data)}, {steps}, with the copies of {names}"
    )
    low, high = (far / 2 - half, bottom), (far / 2 + half, top + TITLE_ROOM)
    return sheet.figure(heading, low, high, summary)


class Place(NamedTuple):
    """Where a box is, in points, y upwards."""

    id: str
    x: float
    y: float
    width: float
    height: float


def _lay_out(story: Story, sheet: Sheet) -> tuple[float, float, float]:
    """The cards between the two ends, and over each card its field in every ledger.

    Returns how far it all goes to the right, down and up.
    """
    cards, (start, output) = story.cards(), story.ends()
    flows, ledgers = story.flows(cards), [story.ledger(w, cards) for w in story.uses]
    columns = card_columns([card.head for card in cards], [r for card in cards for r in card.rows])
    width = sum(columns) + 2.0
    gap = 2.0 * ceil(max(_room(words) for flow in flows for words in flow) / 2) + 26.0
    names = [text_width(fields[0][1], TITLE_POINTS, bold=True) for fields in ledgers]
    sums = [text_width(fields[-1][0], SOURCE_POINTS) for fields in ledgers]
    left = float(ceil(max(box_size(start)[0], *names)))
    right = float(ceil(max(box_size(output)[0], *sums)))
    far = left + gap + len(cards) * (width + gap) + right
    # The cards of steps hang from 0; the rest is centred on the spine, which all of them reach.
    heights = [card_height(card.rows) for card in cards]
    spine = -min(h for h, card in zip(heights, cards, strict=True) if card.id != "more") / 2
    places = [Place("start", left / 2, spine, *box_size(start))]
    _pin(sheet, places[0], "state", box_label(start, sheet.theme), start.description)
    for index, (card, height) in enumerate(zip(cards, heights, strict=True)):
        x = left + gap + index * (width + gap) + width / 2
        y = spine if card.id == "more" else -height / 2
        places.append(Place(card.id, x, y, width, height))
        words = "; ".join([card.head, *[row.full for row in card.rows if row.full]])
        written = card_label(card.head, card.rows, columns, sheet.theme)
        _pin(sheet, places[-1], "card", written, words)
    places.append(Place("output", far - right / 2, spine, *box_size(output)))
    _pin(sheet, places[-1], "output", box_label(output, sheet.theme), output.description)
    _draw_flows(sheet, places, flows)
    for index, card in enumerate(cards):
        if card.first.k in story.cuts and index:
            before = places[index]
            _draw_cut(sheet, card.first.k, before, places[index + 1], spine, flows[index][0])
    pairs = zip(places[1:], cards[:-1], strict=False)
    read = [place for place, card in pairs if any(card.holds(k) for k in story.read)]
    bottom = _draw_rails(sheet, places, read, story.swept)
    fields = [left + gap / 2, *[width + gap] * len(cards), gap / 2 + right]
    top = _draw_ledgers(sheet, places[1:-1], ledgers, fields)
    return far, bottom, top


def _draw_flows(sheet: Sheet, places: Sequence[Place], flows: Sequence[tuple[str, str]]) -> None:
    """The arrows from box to box: the state forward, and its gradient back."""
    spine = places[0].y
    for index, (tail, head) in enumerate(pairwise(places)):
        start, end = tail.x + tail.width / 2, head.x - head.width / 2
        forward, back = flows[index]
        role = "output" if head is places[-1] else "state"
        _arrow(sheet, role, tail, head, [(start, spine + LANE), (end, spine + LANE)], forward)
        if back:
            _arrow(sheet, "back", head, tail, [(end, spine - LANE), (start, spine - LANE)], back)


def _draw_cut(
    sheet: Sheet, step: int, before: Place, after: Place, spine: float, words: str
) -> None:
    """The line between two cards, which spares the words over the arrow of the state."""
    right, left = before.x + before.width / 2, after.x - after.width / 2
    over = spine + LANE + 8.0 + 16.0 * len(words.split("\n"))
    low = min(place.y - place.height / 2 for place in (before, after))
    sheet.cut(step, (left + right) / 2, (-6.0, over), (spine + LANE - 4.0, low))


def _draw_rails(sheet: Sheet, places: Sequence[Place], read: Sequence[Place], swept: bool) -> float:
    """What the output reads of steps before the last, under the cards; the lowest point."""
    output, bottom = places[-1], min(place.y - place.height / 2 for place in places)
    rail, low, end = bottom - RAIL, output.y - output.height / 2, output.x
    for card in read:
        x, foot = card.x, card.y - card.height / 2
        there = [(x - LANE, foot), (x - LANE, rail - 2 * LANE), (end + LANE, rail - 2 * LANE)]
        _arrow(sheet, "output", card, output, [*there, (end + LANE, low)])
        if swept:
            back = [(end - LANE, low), (end - LANE, rail), (x + LANE, rail), (x + LANE, foot)]
            _arrow(sheet, "back", output, card, back)
    return rail - 3 * LANE if read else bottom


def _draw_ledgers(
    sheet: Sheet,
    cards: Sequence[Place],
    ledgers: Sequence[Sequence[tuple[str, str]]],
    widths: Sequence[float],
) -> float:
    """The ledgers, the first on top, and an arrow for each term; the highest point."""
    far, floor = sum(widths), RISE
    for index, fields in reversed(list(enumerate(ledgers))):
        written = ledger_label(fields, widths, sheet.theme)
        place = Place(f"w{index + 1}", far / 2, floor + LEDGER / 2, far, LEDGER)
        words = ", ".join([" ".join(field).strip() for field in fields])
        _pin(sheet, place, "parameter", written, words)
        for card, (_, term) in zip(cards, fields[1:-1], strict=True):
            if term:
                x = card.x + (2 * index + 1 - len(ledgers)) * LANE
                up = [(x, card.y + card.height / 2), (x, floor - 3.0)]
                _arrow(sheet, "back", card, place, up)
        floor += LEDGER + LEDGER_GAP
    return floor - LEDGER_GAP


def _pin(sheet: Sheet, place: Place, role: str, written: str, words: str) -> None:
    at, room = (place.x, place.y), (place.width, place.height)
    sheet.node(place.id, at, room, written, words, **{"class": role})


def _arrow(
    sheet: Sheet, role: str, tail: Place, head: Place, corners: Sequence[Point], words: str = ""
) -> None:
    """An arrow around corners with its words over it, or under it where it runs back."""
    if role == "back":
        looks = {"color": sheet.theme.gradient, "penwidth": "1.6", "style": "dashed"}
    else:
        looks = {"color": sheet.theme.styles[role].line, "penwidth": "2.2"}
    if words:
        (x0, y), (x1, _) = corners
        away = 4.0 + 8.0 * len(words.split("\n"))
        looks["label"] = f"<{font(words, SMALL_POINTS, looks['color'], bold=True)}>"
        looks["lp"] = points(((x0 + x1) / 2, y + away if x0 < x1 else y - away))
    before, tip = corners[-2:]
    end = along(tip, before, ARROW_HEAD / dist(before, tip))
    path = [*cornered([*corners[:-1], end]), tip]
    sheet.arrow(f"{tail.id} {head.id}", path, **looks, **{"class": role})


def _room(words: str) -> float:
    return max(text_width(line, SMALL_POINTS, bold=True) for line in words.split("\n"))
