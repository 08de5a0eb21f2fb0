"""How wide and high the boxes of neurons are, and which steps go into which row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil, inf
from typing import Any, Final, NamedTuple

from ...graph.copies import Copy
from .. import html_labels as html
from ..canvas import FRAME, Canvas, Point
from ..graph_view import shorten
from ..paper import Room
from .neurons import Neuron
from .words import KEY_HEIGHT, LAST, ROW_HEIGHT, WORDS_POINTS, View

MARGIN: Final = 16.0
LANE: Final = 18.0  # between the panel's edge and its boxes, for the arrows of copies
GAP: Final = 58.0
LAYER_GAP: Final = 44.0
WIDEST_SUM: Final = 210.0  # of the box of a weight, where there is little room
ONWARD: Final = 24.0  # for the name of the output, at the end of a row
MORE: Final = 96.0  # the width of the place of the steps that are left out
BOX_GAP: Final = 20.0
COLUMN_GAP: Final = 22.0  # between boxes of a layer
COPY_GAP: Final = 46.0
CHIP_ROOM: Final = 46.0
BETWEEN: Final = 12.0  # weights, and losses
PANEL_LABEL: Final = 24.0
LOSS_GAP: Final = 30.0
RAIL: Final = 24.0
ROWS_APART: Final = 44.0


class Shape(NamedTuple):
    """How the boxes of a step stand.

    Layers are one over the other, or where they are `level` side by side; the boxes of each are in
    so many `columns`.  In `brief`, weights and losses are lines.
    """

    level: bool = False
    columns: int = 1
    brief: bool = False

    @property
    def crowded(self) -> bool:
        """Whether arrows go from step to step and from layer to layer, and not from box to box."""
        return self.level or self.columns > 1


#: From the one that is read best.
SHAPES: Final = (
    Shape(),
    *[Shape(level, columns, True) for columns in range(1, 9) for level in (False, True)],
)


class Column(NamedTuple):
    """A place from left to right: a step, the steps left out, or the output."""

    id: str
    steps: Sequence[Any]
    width: float


class Measures:
    """The sizes of a picture, in points, and its columns."""

    def __init__(self, view: View, canvas: Canvas, room: Room) -> None:
        self.view, self.canvas, self.room, self.theme = view, canvas, room.wide, canvas.theme
        self.widths = {layer: self._layer_widths(layer) for layer in view.layers}
        tight = room.wide < inf
        self.gap, self.lane, self.margin = (40.0, 15.0, 11.0) if tight else (GAP, LANE, MARGIN)
        self.layer_gap = 32.0 if tight else LAYER_GAP
        self.heights: dict[tuple[int, int], int] = {}
        for neuron, rows in view.rows.items():
            at = neuron.layer, neuron.place
            height = KEY_HEIGHT + ROW_HEIGHT * len(rows) + LAST
            self.heights[at] = max(self.heights.get(at, 0), height)
        self.copies = {use: view.copy_box(use) for uses in view.uses.values() for use in uses}
        sizes = [html.box_size(box) for box in self.copies.values()]
        self.copy_width = max([width for width, _ in sizes], default=0.0)
        self.copy_height = max([height for _, height in sizes], default=0.0)
        factors = [html.text_width(view.factor(use), html.SMALL_POINTS) for use in self.copies]
        self.copy_pitch = max(self.copy_width, *factors, 0.0) + 14.0
        self.parameters = []
        for place, weight in enumerate(view.weights, 1):
            box = view.parameter_box(weight, f"p{place}", in_full=True)
            if tight and html.box_size(box)[0] > WIDEST_SUM:
                box = view.parameter_box(weight, f"p{place}", in_full=False)
            self.parameters.append(box)
        self.terms = {
            k: [
                html.Box(
                    f"t{k}_{i}",
                    "output",
                    view.name(one.node),
                    view.data(one.node),
                    view.shown(view.adjoint[one.node]),
                    about=(one.node,),
                )
                for i, one in enumerate(found)
            ]
            for k in {one.step for one in view.terms}
            for found in [[one for one in view.terms if one.step == k]]
        }
        self._read_later: defaultdict[int, set[Neuron]] = defaultdict(set)
        for tail, head in view.arrows():
            if tail.step < head.step:
                self._read_later[tail.step].add(tail)
        self._choose(room)
        self._met: set[str] = set()
        self._into: list[tuple[str, list[Point]]] = []

    # --- sizes -----------------------------------------------------------------------------------

    def _layer_widths(self, layer: int) -> tuple[int, int, int]:
        view, told = self.view, []
        for neuron, rows in view.rows.items():
            if neuron.layer == layer:
                told += [(view.name(node), view.data(node), view.grad(node)) for node in rows]
        words = max(html.text_width(name, WORDS_POINTS, bold=True) for name, _, _ in told) + 16
        alike = {neuron.place: neuron for neuron in view.rows if neuron.layer == layer}
        keys = map(view.key, alike.values())
        words = max(words, *[html.text_width(key, html.KEY_POINTS) + 12 for key in keys])
        data = max([26.0, *[html.text_width(data, html.VALUE_POINTS) for _, data, _ in told]]) + 14
        grads = [html.text_width(grad, html.VALUE_POINTS, bold=True) for *_, grad in told]
        return ceil(max(words, 34)), ceil(data), ceil(max([26.0, *grads])) + 14

    # --- the shape -------------------------------------------------------------------------------

    def _choose(self, room: Room) -> None:
        """Set the first shape in which a step fits; else that which is the least too wide."""
        over = {}
        if room.wide == inf:
            self._arrange(Shape())
            return
        for shape in SHAPES:
            self._arrange(shape)
            wide = self._start_width(0) + self.gap + self.wide + (ONWARD if self.terms else 0.0)
            high = self._height() + FRAME + ROWS_APART / 2
            over[shape] = max(0.0, wide - room.wide), max(0.0, high - room.high)
            if not any(over[shape]):
                return
        self._arrange(min(over, key=lambda shape: over[shape]))

    def _arrange(self, shape: Shape) -> None:
        """Set where the boxes of a step are in its panel, and how wide it is."""
        self.shape, view = shape, self.view
        stacked = len(view.layers) > 1 and not shape.level
        around = self._goes_around() or stacked
        self.side = self.lane if around else 0.0
        self.x_of: dict[tuple[int, int], float] = {}
        x = start = furthest = self.margin + self.side
        ends: dict[int, float] = {}
        for layer in view.layers:
            places = sorted(place for one, place in self.heights if one == layer)
            down = -(-len(places) // shape.columns)
            one = sum(self.widths[layer]) + 4 + COLUMN_GAP
            x = start if stacked else x
            for index, place in enumerate(places):
                self.x_of[layer, place] = x + index // down * one
            x += one * -(-len(places) // down) - COLUMN_GAP + self.layer_gap
            furthest, ends[layer] = max(furthest, x), x
        if stacked:
            x = furthest + LANE * (not shape.crowded)
            for at in self.x_of if shape.crowded else ():
                self.x_of[at] += (furthest - ends[at[0]]) / 2
        self.inner = x - self.layer_gap + self.margin
        most = max([1, *[len(self._uses([step])) for step in view.steps]])
        wide = max(self.inner, 2 * self.margin + most * self.copy_pitch if view.weights else 0.0)
        terms = [sum(self.size(box)[0] + BETWEEN for box in boxes) for boxes in self.terms.values()]
        self.wide = max([wide, *terms])

    def _bands(self, y: float) -> tuple[dict[tuple[int, int], float], float]:
        """The middle of each neuron's boxes, under y, and their foot; the last layer is on top."""
        ys: dict[tuple[int, int], float] = {}
        level, foot = self.shape.level, y
        blocks = {layer: self._block(layer) for layer in reversed(self.view.layers)}
        highest = max(high for _, high in blocks.values())
        for tops, high in blocks.values():
            first = y - (highest - high) / 2 if level else foot
            ys |= {at: first - top - self.heights[at] / 2 for at, top in tops.items()}
            foot = y - highest - BOX_GAP if level else foot - high - BOX_GAP
        return ys, foot

    def _block(self, layer: int) -> tuple[dict[tuple[int, int], float], float]:
        """How far under the top of a layer each of its boxes begins, and the height of it all."""
        tops: dict[tuple[int, int], float] = {}
        for at in sorted(at for at in self.heights if at[0] == layer):
            over = [one for one in tops if self.x_of[one] == self.x_of[at]]
            tops[at] = sum(self.heights[one] + BOX_GAP for one in over)
        return tops, max(top + self.heights[at] for at, top in tops.items())

    def _height(self) -> float:
        """The height of a row."""
        view = self.view
        high = self.margin
        if view.weights:
            high += sum(self.size(box)[1] + BETWEEN for box in self.parameters) - BETWEEN
            high += CHIP_ROOM + self.copy_height + COPY_GAP
        high += PANEL_LABEL - BOX_GAP + 6.0 - self._bands(0.0)[1]
        if self.terms:
            boxes = [box for boxes in self.terms.values() for box in boxes]
            high += LOSS_GAP + max(self.size(box)[1] for box in boxes) + RAIL + 8.0
        return high

    def size(self, box: html.Box) -> tuple[float, float]:
        """The width and height of the box of a weight or a loss."""
        return html.line_size(box) if self.shape.brief else html.box_size(box)

    def put(self, box: html.Box, at: Point) -> None:
        """Draw the box of a weight or a loss."""
        self.canvas.number(box, at, self.shape.brief)

    def _goes_around(self) -> bool:
        """Whether an arrow from a copy goes around a box, and does not straight go down."""
        view = self.view
        crowded = any(neuron.place for neuron in view.rows)
        steps = [use.step for uses in view.uses.values() for use in uses]
        return bool(steps) and (crowded or len(set(steps)) < len(steps))

    def _columns(self) -> list[list[Column]]:
        """The columns of each row."""
        view = self.view
        first, middle, final = shorten(view.steps)
        wide, self.starts = self.wide, list[float]()
        columns = [Column(f"s{step.k}", [step], wide) for step in first]
        if middle:
            columns.append(Column("more", middle, max(MORE, self.copy_width + 20)))
        columns += [Column(f"s{step.k}", [step], wide) for step in final]
        if view.output not in view.of:
            outside = sum(map(len, view.outside().values()))
            width = max(html.box_size(self._output())[0], outside * self.copy_pitch)
            columns.append(Column("output", [], width))
        rows: list[list[Column]] = []
        x, room = 0.0, self.room - (ONWARD if self.terms else 0.0)
        for column in columns:
            if not rows or x + self.gap + column.width > room:
                rows.append([])
                if len(self.starts) < 2:  # all rows but the first begin alike
                    self.starts.append(self._start_width(len(rows) - 1))
                x = self.starts[-1]
            rows[-1].append(column)
            x += self.gap + column.width
        *_, before, last = [[], *rows]
        if [column.id for column in last] == ["output"] and len(before) > 1:
            last.insert(0, before.pop())  # the output is not left alone
        return rows

    def _start_width(self, index: int) -> float:
        """The width of the column at the head of a row: of boxes in the first, else of names."""
        boxes = [self.size(box)[0] for box in self.parameters]
        if self.shape.brief:  # a line may reach over the panel, up to the first copy
            boxes = [width - self.gap - self.inner / 2 + BETWEEN for width in boxes]
        if index:
            boxes = [self.canvas.room_of([box.name], "parameter")[0] for box in self.parameters]
        states = [sum(widths) + 4.0 for widths in self.widths.values()]
        wide = max([*states, *boxes])
        if index or wide + self.gap + self.inner > self.room or self.shape.crowded:
            last = len(self.view.steps)
            names = [name for k in range(last + 1) for _, name in self._carried(k)]
            names += [name for _, name in self._carried(last, output=True)]
            if self.shape.crowded:  # below each other
                names = [part for name in names for part in name.split(", ")]
            states = [self.canvas.room_of([name], "state")[0] for name in names] or [0.0]
        return float(max([*states, *boxes]))

    def _carried(self, k: int, output: bool = False) -> list[tuple[Neuron, str]]:
        """The neurons that the step after step k reads, or the output, and what of them."""
        view = self.view
        read = self._read_later[k]
        if output:
            read = {view.of[node] for node in view.read if view.of[node].step == k}
        told = []
        for neuron in sorted(read):
            states = [q for q in view.rows[neuron] if q in (view.read if output else view.states)]
            names = [view.name(q) if k else f"{view.name(q)} = {view.data(q)}" for q in states]
            told.append((neuron, ", ".join(names)))
        return told

    def _output(self) -> html.Box:
        view = self.view
        words = view.output_name(), view.data(view.output), view.shown(1.0), view.badge_of_output()
        return html.Box("output", "output", *words, about=(view.output,))

    def _uses(self, steps: Sequence[Any]) -> list[Copy]:
        ks = {step.k for step in steps}
        return [use for uses in self.view.uses.values() for use in uses if use.step in ks]
