"""Places for every number of an unrolled network: columns are steps, rows are neurons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from . import html_labels as html
from .canvas import ARROW_HEAD, Canvas, Point, rounded_corners
from .graph_view import Arrow, GraphView
from .unrolled.neurons import Neuron, Neurons

COLUMN_GAP: Final = 40.0
ROW_GAP: Final = 26.0
ATTACHED_GAP: Final = 26.0
BAND_GAP: Final = 40.0
MARGIN: Final = 18.0
PANEL_GAP: Final = 44.0
PANEL_LABEL: Final = 24.0
CHIP_ROOM: Final = 62.0  # under a weight, for the terms of its copies
TRACK: Final = 6.0  # between arrows side by side, which take no more than so much of a gap
ENTRY: Final = 20.0  # between arrows into one side of a box
TRACKS: Final = (28.0, 16.0)
LOSSES: Final = (10**6, 0)  # the bands under all neurons: what reads one step, and the sums of it
TOTALS: Final = (10**6, 1)

Band = tuple[int, int]
Column = tuple[int, int]  # a step, and a place in it


class Spot(NamedTuple):
    """Where a result stands: its column, its band, and its place from the top of the band."""

    column: Column
    band: Band
    slot: int


class Grid(NamedTuple):
    """Where everything is, in points, y upwards, and the ways between columns and rows."""

    centres: dict[str, Point]
    panels: dict[int, tuple[Point, Point]]
    corners: tuple[Point, Point]
    rights: dict[str, float]  # the middle of the gap on the right of a box's column
    lefts: dict[str, float]
    lanes: dict[str, float]  # the middle of the gap under a box's row, or over it for losses
    spots: dict[str, Spot]
    attached: dict[str, str]


def place_in_grid(view: GraphView) -> Grid | None:
    """The grid of a network's graph; None without steps."""
    if not view.steps:
        return None
    neurons = Neurons(view.output, [], view.run)
    operands: defaultdict[str, list[str]] = defaultdict(list)
    readers: defaultdict[str, list[str]] = defaultdict(list)
    for arrow in view.arrows:
        if arrow.role not in ("fan", "cut"):
            operands[arrow.head].append(arrow.tail)
            readers[arrow.tail].append(arrow.head)
    attached, above, below = _attach(view, operands, readers)
    spots = _spots(view, neurons, operands, attached)
    return _measure(view, spots, attached, above, below)


def _attach(
    view: GraphView, operands: Mapping[str, list[str]], readers: Mapping[str, list[str]]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The leaves that one result alone uses: they stand over it, or else under it."""
    attached: dict[str, str] = {}
    above: dict[str, str] = {}
    below: dict[str, str] = {}
    for id in view.boxes:
        if len(readers.get(id, ())) != 1 or operands.get(id) or view.nodes[id] in view.initial:
            continue
        (reader,) = readers[id]
        copy = view.boxes[id].role == "copy"
        first, second = (above, below) if copy or below.get(reader) else (below, above)
        place = first if reader not in first else second
        if reader not in place:
            place[reader], attached[id] = id, reader
    return attached, above, below


def _spots(
    view: GraphView,
    neurons: Neurons,
    operands: Mapping[str, list[str]],
    attached: Mapping[str, str],
) -> dict[str, Spot]:
    """The column and the band of each result, as its operands have theirs."""
    spots: dict[str, Spot] = {}
    used: defaultdict[tuple[Column, Band], int] = defaultdict(int)
    fans = {view.ids[weight] for weight in view.weights}
    hung = set(attached.values())
    order = [id for id in view.boxes if id not in attached and id not in fans]
    leaves = [id for id in order if not operands.get(id)]
    for id in [*leaves, *[id for id in order if operands.get(id)]]:
        node, step = view.nodes[id], view.boxes[id].step
        known = [spots[one] for one in operands.get(id, ()) if one in spots]
        if step is None:
            column, band = _outside(known, neurons.of.get(node))
            if known and band == LOSSES:
                # Straight under what it reads, where nothing stands between.
                under = (column[0], column[1] - 1)
                _, *others = [spot for spot in spots.values() if spot.column == under]
                if not others and operands[id][0] not in hung:
                    column = under
        else:
            made = neurons.owner(node)
            neuron = neurons.of[made] if made is not None else None
            band = (-neuron.layer, neuron.place) if neuron else LOSSES
            inner = [spot.column[1] for spot in known if spot.column[0] == step]
            column = (step, max(inner) + 1 if inner else 0)
        spots[id] = Spot(column, band, 0)
    # States stand on top of their bands, so that each is at one height in all steps.
    for id in sorted(spots, key=lambda id: view.nodes[id] not in view.states):
        column, band, _ = spots[id]
        spots[id] = Spot(column, band, used[column, band])
        used[column, band] += 1
    return spots


def _outside(known: Sequence[Spot], start: Neuron | None) -> tuple[Column, Band]:
    """Where what no step computes goes: before all steps, or after the last that it reads."""
    if not known:
        if start:
            return (0, 0), (-start.layer, start.place)
        return (0, 0), LOSSES
    step = max(spot.column[0] for spot in known)
    inner = max(spot.column[1] for spot in known if spot.column[0] == step)
    if len({spot.column[0] for spot in known if spot.column[0]}) > 1:
        losses = any(spot.column == (step, inner) and spot.band == LOSSES for spot in known)
        return (step, inner if losses else inner + 1), TOTALS
    band = TOTALS if any(spot.band == TOTALS for spot in known) else LOSSES
    return (step, inner + 1), band


def _measure(
    view: GraphView,
    spots: dict[str, Spot],
    attached: dict[str, str],
    above: Mapping[str, str],
    below: Mapping[str, str],
) -> Grid:
    sizes = {id: html.box_size(box) for id, box in view.boxes.items()}
    notes = [_note_width(arrow) for arrow in view.arrows if arrow.tail not in attached]
    gap = max([COLUMN_GAP, *[COLUMN_GAP / 2 + note + 24.0 for note in notes if note]])
    widths: defaultdict[Column, float] = defaultdict(float)
    rows: defaultdict[tuple[Band, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for id, spot in spots.items():
        own = [one for one in (id, above.get(id), below.get(id)) if one is not None]
        widths[spot.column] = max(widths[spot.column], *[sizes[one][0] for one in own])
        reach = rows[spot.band, spot.slot]
        for side, other in ((0, above.get(id)), (1, below.get(id))):
            high = sizes[id][1] / 2
            high += 0.0 if other is None else ATTACHED_GAP + sizes[other][1]
            reach[side] = max(reach[side], high)
    # From the top: the layers, the last one first, and then what reads them.
    y, ys, lanes, before = 0.0, {}, {}, None
    bottom = 0.0
    for band, slot in sorted(rows):
        if before is not None:
            y -= BAND_GAP if band != before else ROW_GAP
            if band >= LOSSES > before:
                y -= PANEL_LABEL + MARGIN
        up, down = rows[band, slot]
        ys[band, slot] = y - up
        y -= up + down
        lanes[band, slot] = (y + up + down if band >= LOSSES else y - ROW_GAP) + ROW_GAP / 2
        bottom = y if band < LOSSES else bottom
        before = band
    inside = {spot.column for spot in spots.values() if spot.band < LOSSES}
    x, xs, panels = 0.0, {}, {}
    for step in sorted({step for step, _ in widths}):
        inner = sorted(column for column in widths if column[0] == step)
        boxed = [column for column in inner if column in inside] if step else []
        left = x
        for place, column in enumerate(inner):
            x += MARGIN if boxed and place == 0 else 0.0
            xs[column] = x + widths[column] / 2
            x += widths[column]
            if boxed and column == boxed[-1]:
                x += MARGIN
                panels[step] = ((left, bottom - MARGIN - PANEL_LABEL), (x, MARGIN))
            x += gap
        x += PANEL_GAP - COLUMN_GAP
    right, low = x - PANEL_GAP - gap + COLUMN_GAP, min(y, bottom - MARGIN - PANEL_LABEL)
    # All of it is over 0, and so are the weights over it.
    ys = {row: at - low for row, at in ys.items()}
    lanes = {row: at - low for row, at in lanes.items()}
    panels = {k: ((a, b - low), (c, d - low)) for k, ((a, b), (c, d)) in panels.items()}
    centres, rights, lefts, under = {}, {}, {}, {}
    for id, spot in spots.items():
        at = xs[spot.column], ys[spot.band, spot.slot]
        centres[id] = at
        rights[id] = at[0] + widths[spot.column] / 2 + COLUMN_GAP / 2
        lefts[id] = at[0] - widths[spot.column] / 2 - gap + COLUMN_GAP / 2
        under[id] = lanes[spot.band, spot.slot]
        for side, other in ((1, above.get(id)), (-1, below.get(id))):
            if other is not None:
                away = (sizes[id][1] + sizes[other][1]) / 2 + ATTACHED_GAP
                centres[other] = (at[0], at[1] + side * away)
                rights[other], lefts[other], under[other] = rights[id], lefts[id], under[id]
    corners = ((0.0, 0.0), (right, MARGIN - low))
    return Grid(centres, panels, corners, rights, lefts, under, spots, attached)


# --- the ways of the arrows ----------------------------------------------------------------------


class Way:
    """The corners of an arrow to its tip, those of its lines that may be shifted, and whose it is.

    A line (axis, place) goes from the corner at that place to the next one, and has one coordinate,
    x of upright lines (0) and y of level ones (1).
    """

    def __init__(
        self,
        owner: str,
        corners: Sequence[Point],
        tip: Point,
        words: Point,
        lines: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.owner, self.tip, self.words, self.lines = owner, tip, words, lines
        self.corners = [list(corner) for corner in corners]

    def path(self) -> list[Point]:
        """The corners, rounded, as a Bézier curve to the tip."""
        return [*rounded_corners([(x, y) for x, y in self.corners]), self.tip]


def paths_in_grid(
    grid: Grid, arrows: Sequence[Arrow], canvas: Canvas
) -> dict[str, tuple[list[Point], Point]]:
    """The paths of the arrows around all boxes by their ids, and the places of their words.

    Arrows that stay straight, those to copies with nothing over them, are left out.
    """
    ways = {}
    for arrow in arrows:
        if arrow.role == "fan":
            lane = lane_of_copy(grid, arrow.head, canvas.room)
            if lane is not None:
                ways[arrow.id] = _way_to_copy(arrow, lane, canvas)
        elif arrow.role != "cut":
            ways[arrow.id] = _way(grid, arrow, canvas)
    _part(list(ways.values()))
    _enter([(arrow.head, ways[arrow.id]) for arrow in arrows if arrow.note and arrow.id in ways])
    return {id: (way.path(), way.words) for id, way in ways.items()}


def _note_width(arrow: Arrow) -> float:
    return html.text_width(arrow.note or "", html.SMALL_POINTS)


def lane_of_copy(grid: Grid, copy: str, sizes: Mapping[str, Point]) -> float | None:
    """Where the arrow to a copy goes down, if a box stands over it: left of the column."""
    x, y = grid.centres[copy]
    for id, (other, high) in grid.centres.items():
        if high > y and abs(other - x) < sizes[id][0] / 2 + 4.0:
            return grid.lefts[copy]
    return None


def _way_to_copy(arrow: Arrow, lane: float, canvas: Canvas) -> Way:
    """From a weight over to the lane, down, and to the left side of the copy."""
    (x, y), tip = canvas.at[arrow.tail], canvas.spot(arrow.head, -1)
    side, (_, foot) = canvas.spot(arrow.tail, 1 if lane > x else -1), canvas.spot(arrow.tail, 0, -1)
    into = [(lane, tip[1]), (tip[0] - ARROW_HEAD, tip[1])]
    words = (lane, foot - CHIP_ROOM / 2 + 4.0)
    owner = f"{arrow.tail} fan"
    if abs(lane - x) < abs(side[0] - x) - 10.0:
        return Way(owner, [(lane, foot), *into], tip, words, [(0, 0)])
    return Way(owner, [side, (lane, y), *into], tip, words, [(0, 1)])


def _way(grid: Grid, arrow: Arrow, canvas: Canvas) -> Way:
    """Straight where nothing stands between, else through the gaps of columns and rows."""
    tail, head = arrow.tail, arrow.head
    (x0, y0), (x1, y1) = canvas.at[tail], canvas.at[head]
    if grid.attached.get(tail) == head:
        down = 1.0 if y0 > y1 else -1.0
        start, tip = canvas.spot(tail, 0, -down), canvas.spot(head, 0, down)
        away = 6.0 + _note_width(arrow) / 2
        words = (x0 - away, (start[1] + tip[1]) / 2)
        return Way(tail, [start, (tip[0], tip[1] + down * ARROW_HEAD)], tip, words)
    start, tip = canvas.spot(tail, 1), canvas.spot(head, -1)
    end = (tip[0] - ARROW_HEAD, tip[1])
    turn, into = grid.rights[tail], grid.lefts[head]
    words = (tip[0] - ARROW_HEAD - _note_width(arrow) / 2, tip[1] + 10.0)
    a, b = grid.spots.get(tail), grid.spots.get(head)
    if a is not None and b is not None and a.column == b.column:
        top = canvas.spot(head, 0, 1)
        over = (top[0], top[1] + ARROW_HEAD)
        beside = (top[0] - 6.0 - _note_width(arrow) / 2, top[1] + 14.0)
        between = [
            id
            for id, (x, y) in grid.centres.items()
            if y1 < y < y0 and abs(x - x1) < canvas.room[id][0] / 2 + 4.0
        ]
        if not between:
            return Way(tail, [canvas.spot(tail, 0, -1), over], top, beside)
        if grid.attached.get(between[-1]) != head:
            lane = grid.lanes[head]
            corners = [start, (turn, y0), (turn, lane), (top[0], lane), over]
            return Way(tail, corners, top, beside, [(0, 1), (1, 2)])
    between = [
        id
        for id, spot in grid.spots.items()
        if a is not None and spot[1:] == a[1:] and x0 < canvas.at.get(id, (x0, 0.0))[0] < x1
    ]
    if y0 == y1 and x1 > x0 and not between:
        return Way(tail, [start, end], tip, ((start[0] + tip[0]) / 2, y0 + 10.0))
    if abs(into - turn) < PANEL_GAP + 2 * MARGIN and x1 > x0:
        return Way(tail, [start, (into, y0), (into, y1), end], tip, words, [(0, 1)])
    lane = grid.lanes[head]
    corners = [start, (turn, y0), (turn, lane), (into, lane), (into, y1), end]
    return Way(tail, corners, tip, words, [(0, 1), (1, 2), (0, 3)])


def _enter(noted: Sequence[tuple[str, Way]]) -> None:
    """Let arrows with notes enter a box one below the other: around the one that is straight."""
    level: defaultdict[str, list[Way]] = defaultdict(list)
    for head, way in noted:
        if way.corners[-1][1] == way.tip[1]:
            level[head].append(way)
    for several in level.values():
        used = {0.0 for way in several if len(way.corners) == 2}
        for way in several:
            if len(way.corners) == 2:
                continue
            side = 1.0 if way.corners[-3][1] > way.tip[1] else -1.0
            away = next(ENTRY * side * k for k in range(3) if ENTRY * side * k not in used)
            used.add(away)
            way.corners[-2][1] = way.corners[-1][1] = way.tip[1] + away
            way.tip = (way.tip[0], way.tip[1] + away)
            way.words = (way.words[0], way.words[1] + away)


def _part(ways: Sequence[Way]) -> None:
    """Shift lines of different owners that would lie on each other, each to a track of its own."""
    shared: defaultdict[tuple[int, int], dict[str, list[float]]] = defaultdict(dict)
    lines = []
    for way in ways:
        for axis, place in way.lines:
            first, last = way.corners[place], way.corners[place + 1]
            key = axis, round(first[axis])
            ends = sorted((first[1 - axis], last[1 - axis]))
            reach = shared[key].setdefault(way.owner, ends)
            reach[:] = min(reach[0], ends[0]), max(reach[1], ends[1])
            lines.append((way, axis, key, first, last))
    shifts = {}
    for key, reaches in shared.items():
        tracks: list[float] = []  # where each of them is free again
        taken = {}
        for owner, (low, high) in sorted(reaches.items(), key=lambda item: item[1]):
            free = [place for place, end in enumerate(tracks) if end + TRACK < low]
            place = free[0] if free else len(tracks)
            tracks[place : place + 1] = [high]
            taken[owner] = place
        apart = min(TRACK, TRACKS[key[0]] / max(1, len(tracks) - 1))
        for owner, place in taken.items():
            shifts[key, owner] = (place - (len(tracks) - 1) / 2) * apart
    for way, axis, key, first, last in lines:
        first[axis] += shifts[key, way.owner]
        last[axis] += shifts[key, way.owner]
        if way.owner.endswith(" fan"):
            way.words = (first[0], way.words[1])
