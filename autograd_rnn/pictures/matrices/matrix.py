"""Backpropagation through time by matrices: copies of W, δ going back, outer products as terms."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, isfinite
from typing import TYPE_CHECKING, Any, Final

from ...arguments import many
from ...graph.marks import marks_of
from ...graph.notation import PLAIN, accent, label, number
from ...graph.walk import steps_of, topological
from .. import html_labels as html
from ..canvas import ARROW_HEAD, Canvas, Point, along, cornered, rounded_corners
from ..drawing import Drawing
from ..graph_view import shorten
from ..paper import ENDLESS, Room
from ..theme import Theme
from .layout import LAYER_LABEL, MARGIN, ROWS_APART, Group, Sizes, best_layout
from .tables import FAINTER, Table

if TYPE_CHECKING:
    from ...networks.bptt import Layer
    from ...networks.model import Model
    from ...networks.run import Unrolled

RAIL: Final = 20.0
ASIDE: Final = 0.5  # where on a side the arrows begin or end that go by lanes
OUTPUT: Final = 90.0


def draw_matrices(
    output: Any, model: Model, run: Unrolled, theme: Theme, title: str | None, room: Room = ENDLESS
) -> Drawing:
    """The drawing of ∂output/∂W by matrices, layer by layer, in rows as wide as `room`."""
    from ...networks.bptt import backpropagate

    layers, order = backpropagate(output, model, run), topological(output)
    canvas, top = Canvas(theme, layout="nop2", outputorder="edgesfirst"), 0.0
    name = label(output.name) if output.name is not None else "L"
    for place, layer in reversed(list(enumerate(layers))):
        sheet = _Sheet(
            canvas, layer, run, place if len(layers) > 1 else -1, name, order, layer is layers[-1]
        )
        foot = sheet.draw(top, room)
        canvas.breaks.append(foot - ROWS_APART / 3)
        top = foot - ROWS_APART
    slope = f"∂{name}/∂W"
    told = f"each step adds the outer product of what it reads and δ: {slope} is the sum of them"
    if any("W" in layer.read for layer in layers):
        told += f" and of ∂⁺{name}/∂W, as {name} uses W directly"
    words = {"parameter": "shared weights W", "copy": "their copies", "state": "state"}
    words["output"] = "loss" if output.name is None else "output"
    heading = f"The copies of W, and {slope} as a sum of outer products"
    told = f"{told}; δ⁽ᵏ⁾ = ∂{name}/∂π⁽ᵏ⁾"
    canvas.frame(
        heading if title is None else title, told, *canvas.legend(words, room.wide), room.wide
    )
    steps = f"unrolled over {many(len(run.steps), 'step')}"
    summary = f"{slope} of {type(model).__name__}, {steps}, a term per step"
    return canvas.drawing(summary, marks_of(order))


class _Sheet:
    """One layer of the picture."""

    def __init__(
        self,
        canvas: Canvas,
        layer: Layer,
        run: Unrolled,
        place: int,
        name: str,
        order: Sequence[Any],
        is_last: bool,
    ) -> None:
        self.canvas, self.theme, self.layer, self.run = canvas, canvas.theme, layer, run
        self.mark = "" if place < 0 else f"l{place + 1}_"
        self.name, output = name, order[-1]
        told = name, number(output.data)
        self.output = html.Box(f"{self.mark}out", "output", *told, about=(output,))
        self.beside = max(OUTPUT, html.box_size(self.output)[0])
        self.words = "" if place < 0 else f"layer {place + 1}"
        model = layer.model
        size = model.outputs
        self.states = list(model.letters) or [model.output]
        self.sums = [key for key in layer.delta if key == "pi" or key.startswith("pi_")] or [
            key for key in layer.delta if key == "y"
        ]
        sides = ["1"] * model.bias + _numbered(model.letters[:1] or "", model.states)
        self.sides = [*sides, *_numbered("x", model.inputs)]
        gates = [key[3:] if key.startswith("pi_") else "" for key in self.sums]
        self.heads = [
            f"{gate or 'π' * (size > 1)}{index}" for gate in gates for index in _indices(size)
        ]
        self.gates = gates if len(gates) > 1 else []
        weights = [[weight.data for weight in row] for row in model.weights]
        most = [abs(x) for row in weights for x in row if isfinite(x)]
        table = Table("W", "parameter", weights, self.heads, self.sides, "", max([*most, 1e-9]))
        about = [weight for row in model.weights for weight in row]
        self.weights = table._replace(about=about, gates=self.gates)
        self.copies = self._copies(order)
        terms = [abs(float(x)) for x in layer.terms.reshape(-1) if isfinite(x)]
        self.most = FAINTER * max([*terms, 1e-9])
        self.largest = [
            max([1e-9, *[float(abs(part).max()) for part in parts.values()]])
            for parts in (layer.values, layer.delta)
        ]
        self.is_last = is_last
        self.columns = [self._column(index) for index in range(len(run.steps))]
        self.through = [self._read_by(index, place) for index in range(len(run.steps))]

    def _read_by(self, index: int, place: int) -> str:
        """What reads the numbers of a step and gives δ back, besides the next step; if anything.

        The output has a box of its own beside the last step.
        """
        if not self.is_last:
            read = any(part[index].any() for part in self.layer.above.values())
            return f"layer {place + 2}" if read else ""
        if index == len(self.run.steps) - 1:
            return ""
        return self.name if any(part[index].any() for part in self.layer.direct.values()) else ""

    def _copies(self, order: Sequence[Any]) -> dict[int, list[Any]]:
        """The copies that each step makes of the weights."""
        weights, steps = set(self.weights.about), steps_of(self.run)
        found: dict[int, list[Any]] = {step.k: [] for step in self.run.steps}
        for node in order:
            if node in steps:
                uses = [(node, at) for at, parent in enumerate(node.parents) if parent in weights]
                found[steps[node]] += uses
        return found

    def _column(self, index: int) -> list[Table]:
        """The tables of a step from top to bottom: copy, numbers, δ, term."""
        layer, k, theme = self.layer, index + 1, self.theme
        letters = [key for key in layer.values if key not in self.sums] or self.sums
        if self.sums == ["pi"]:
            letters = ["pi", *[letter for letter in letters if letter != "pi"]]
        names = [accent("π" if letter == "pi" else letter, k) for letter in letters]
        values = list(
            zip(*[layer.values[letter][index].tolist() for letter in letters], strict=True)
        )
        deltas = list(zip(*[layer.delta[key][index].tolist() for key in self.sums], strict=True))
        gates = [key[3:] for key in self.sums if key.startswith("pi_")]
        heads = [f"δ {gate}" for gate in gates] or [accent("δ", k)]
        copy = self.weights._replace(name=accent("W", k), role="copy", about=self.copies[k])
        told = [node for letter in letters for node in layer.nodes[letter][index]]
        term = Table(
            f"+ [{'1; ' * self.layer.model.bias}{self._source(index)}] {accent('δ', k)}ᵀ",
            "plain",
            layer.terms[index].tolist(),
            self.heads,
            self.sides,
            theme.gradient,
            self.most,
            gates=self.gates,
        )
        delta = Table("", "plain", deltas, heads, (), theme.gradient, self.largest[1])
        state = Table("", "state", values, names, (), "", self.largest[0], about=told)
        return [copy, state, delta, term]

    def _source(self, index: int) -> str:
        model = self.layer.model
        parts = []
        if model.letters:
            letter = model.letters[0].upper()
            parts.append(accent(letter, index) if index else letter)
        if model.inputs:
            parts.append(accent("X", index + 1))
        return "; ".join(parts)

    def draw(self, top: float, room: Room) -> float:
        """The rows of the layer, under `top`; gives the foot of the last."""
        first, middle, last = shorten(self.run.steps)
        groups = [Group(str(step.k), self.columns[step.k - 1]) for step in first]
        if middle:
            groups.append(Group("more", self._left_out([step.k - 1 for step in middle])))
        groups += [Group(str(step.k), self.columns[step.k - 1]) for step in last]
        total = self.weights._replace(
            name=f"∂{self.name}/∂W =",
            numbers=self.layer.gradient.tolist(),
            ink=self.theme.gradient,
            scale=self.most,
        )
        sizes = Sizes(
            bool(self.words),
            any(self.through),
            self.beside if self.is_last else 0.0,
            html.line_size(self.output)[0],
        )
        self.layout = best_layout(groups, self.weights, total, room, sizes)
        rows = self.layout.rows(groups, room.wide)
        self.weights, self.total = map(self.layout.shape.of, (self.weights, total))
        # What the output adds that uses W directly has no table.
        if "W" not in self.layer.read and not self.total.sums_up([one[-1] for _, one in groups]):
            self.total = self.total._replace(name=f"∂{self.name}/∂W {PLAIN.about}")
        for index, row in enumerate(rows):
            shaped = [Group(k, [*map(self.layout.shape.of, tables)]) for k, tables in row]
            top = self._row(shaped, index, top, index == len(rows) - 1)
            if row is not rows[-1]:
                self.canvas.breaks.append(top - ROWS_APART / 3)
                top -= ROWS_APART
        return top

    def _left_out(self, places: list[int]) -> list[Table]:
        """What stands for the steps that are left out: their terms as one."""
        total = self.layer.terms[places].sum(0).tolist()
        term = self.columns[0][3]
        return [term._replace(name=f"+ {len(places)} steps", numbers=total)]

    def _row(self, groups: Sequence[Group], index: int, top: float, final: bool) -> float:
        canvas, mark = self.canvas, f"{self.mark}{f'r{index}_' if index else ''}"
        begin = top
        if self.words:
            left_of, ink = (0.0, top - 8), self.theme.ink
            canvas.text(f"{mark}layer", left_of, self.words, html.NAME_POINTS, ink, 1)
            top -= LAYER_LABEL
        top -= MARGIN
        layout = self.layout
        gap, wide, left = layout.gap, layout.width, layout.left
        self.top, foot, source = top, top - layout.height, f"{mark}w"
        self._table(source, (left / 2, top - layout.at[0][1]), self.weights)
        if not index:
            self._table(f"{self.mark}total", (left / 2, top - layout.at[3][1]), self.total)
        x, before = left, ""
        for k, tables in groups:
            low, high = (x + gap, foot), (x + gap + wide, top)
            ids = [f"{self.mark}t{k}_{row}" for row in range(4)]
            places = [(x + gap + across, top - down) for across, down in layout.at]
            if k == "more":
                self._table(ids[3], places[3], tables[0])
                canvas.text(f"{self.mark}more", places[1], "…", 18, self.theme.muted)
                before = ""
            else:
                with canvas.panel(f"{self.mark}{k}", f"step {k}", low, high):
                    for id, place, table in zip(ids, places, tables, strict=True):
                        self._table(id, place, table)
                self._arrows(int(k), before, source, x + gap / 2)
                if int(k) in self.run.cuts:
                    y = places[1][1]
                    parts = (top - 4, y + 10), (y - 10, foot)
                    canvas.cut(int(k), x + gap / 2, *parts, mark=self.mark)
                before = k
            x += gap + wide
        if final and self.is_last:
            x = self._output(before, x)
        elif before:
            self._go_on(int(before), x + gap / 2)
        canvas.corners += [(0.0, foot), (x, begin)]
        return foot

    def _output(self, k: str, x: float) -> float:
        """The output, beside the step it reads last or in it; gives the right side of them."""
        canvas, ids = self.canvas, [f"{self.mark}t{k}_{row}" for row in range(4)]
        box = self.output
        if self.layout.between:
            canvas.number(box, self._middle(ids[1], ids[2]), line=True)
            self._join(ids[1], box.id, ids[2], "output")
            return x
        gap = self.layout.gap
        canvas.number(box, (x + gap + self.beside / 2, canvas.at[ids[1]][1]))
        self._level(ids[1], box.id, "output")
        start, tip = canvas.spot(box.id, 0, -1), canvas.spot(ids[2], 1)
        path = rounded_corners([start, (start[0], tip[1]), (tip[0] + ARROW_HEAD, tip[1])])
        canvas.arrow(f"{box.id} {ids[2]}", [*path, tip], "", "back", **self._back())
        return x + gap + self.beside

    def _back(self) -> dict[str, str]:
        return {"color": self.theme.gradient, "style": "dashed", "penwidth": "1.8"}

    def _forward(self, role: str) -> dict[str, str]:
        return {"color": self.theme.styles[role].line, "penwidth": "2"}

    def _level(self, tail: str, head: str, role: str) -> None:
        """A level arrow from side to side, which turns where the sides are not level."""
        start, tip = self.canvas.spot(tail, 1), self.canvas.spot(head, -1)
        path = cornered(start, (tip[0] - ARROW_HEAD, tip[1]))
        self.canvas.arrow(f"{tail} {head}", [*path, tip], "", role, **self._forward(role))

    def _arrows(self, k: int, before: str, source: str, gap: float) -> None:
        """What a step takes, from W and from the step before, and what goes back from it."""
        canvas, mark = self.canvas, self.mark
        ids = [f"{mark}t{k}_{row}" for row in range(4)]
        start, tip = canvas.spot(source, 0, 1), canvas.spot(ids[0], 0, 1)
        lane = self.top + RAIL - MARGIN  # over all tables, of which some may be higher than W
        corners = [start, (start[0], lane), (tip[0], lane), (tip[0], tip[1] + ARROW_HEAD)]
        looks = self._forward("parameter")
        fan = [*rounded_corners(corners), tip]
        canvas.arrow(f"{source} {ids[0]}", fan, "a copy of W", "fan", **looks)
        self._within(ids[0], ids[1], self._forward("copy"))
        self._within(ids[2], ids[3], self._back())
        if self.through[k - 1]:
            self._through(k, self.through[k - 1], ids[1], ids[2])
        if not self.layer.model.letters or k == 1:
            return
        # From the state before, or from the row above.
        tail = f"{mark}t{before}_1" if before else ids[1]
        start = canvas.spot(tail, 1) if before else (gap, canvas.at[ids[1]][1])
        corners = self._lane(start, ids[1], 0)
        self._drawn(f"{tail} {ids[1]}", corners, "", "state", self._forward("state"))
        if k in self.run.cuts:
            return
        head = f"{mark}t{before}_2" if before else ids[2]
        end = canvas.spot(head, 1) if before else (gap, canvas.at[ids[2]][1])
        corners = self._lane(end, ids[2], 1)[::-1]
        self._drawn(f"{ids[2]} {head}", corners, "δ goes back", "back", self._back())

    def _go_on(self, k: int, end: float) -> None:
        """The arrows to the row below, and from it."""
        canvas, ids = self.canvas, [f"{self.mark}t{k}_{row}" for row in (1, 2)]
        if k == len(self.run.steps) or not self.layer.model.letters:
            return
        start, tip = canvas.spot(ids[0], 1), canvas.spot(ids[1], 1)
        onward = [start, (end, start[1])]
        self._drawn(f"{ids[0]} {ids[0]}", onward, "", "state", self._forward("state"))
        if k + 1 not in self.run.cuts:
            back = [(end, tip[1]), tip]
            self._drawn(f"{ids[1]} {ids[1]}", back, "δ goes back", "back", self._back())

    def _lane(self, start: Point, id: str, which: int) -> list[Point]:
        """The corners from a place on the left to the left of a box, or by a lane to its side."""
        if not self.layout.shape.paired:
            return [start, self.canvas.spot(id, -1)]
        tip = self.canvas.spot(id, -ASIDE, 1 if which else -1)
        lane = self.top - self.layout.lanes[which]
        turn = start[0] + self.layout.gap / 2 + MARGIN / 2
        return [start, (turn, start[1]), (turn, lane), (tip[0], lane), tip]

    def _drawn(
        self, ends: str, corners: Sequence[Point], words: str, role: str, looks: dict[str, str]
    ) -> None:
        """An arrow around corners."""
        before, tip = corners[-2:]
        end = along(tip, before, ARROW_HEAD / dist(before, tip))
        path = rounded_corners([*corners[:-1], end], 8.0)
        self.canvas.arrow(ends, [*path, tip], words, role, **looks)

    def _through(self, k: int, words: str, tail: str, head: str) -> None:
        """A box between the numbers of a step and its δ: what reads them, and gives δ back."""
        id = f"{self.mark}t{k}_through"
        role = "output" if words == self.name else "state"
        told = f"{words} reads the numbers of step {k}"
        self.canvas.box(id, self._middle(tail, head), [words], told, role)
        self._join(tail, id, head, role)

    def _middle(self, upper: str, lower: str) -> Point:
        """The place between two tables, one below the other."""
        (x, y), (_, low) = self.canvas.spot(upper, 0, -1), self.canvas.spot(lower, 0, 1)
        return x, (y + low) / 2

    def _join(self, tail: str, id: str, head: str, role: str) -> None:
        """The arrows into a box between two tables, and back out of it."""
        self._within(tail, id, self._forward(role))
        self._within(id, head, self._back())

    def _within(self, tail: str, head: str, looks: dict[str, str]) -> None:
        """A straight arrow in a step: down, or to the side where a step has two columns."""
        canvas = self.canvas
        across = canvas.at[head][0] - canvas.at[tail][0]
        if abs(across) < 1.0:
            start, tip = canvas.spot(tail, 0, -1), canvas.spot(head, 0, 1)
        else:
            side = 1 if across > 0 else -1
            start, tip = canvas.spot(tail, side), canvas.spot(head, -side)
        self._drawn(f"{tail} {head}", [start, tip], "", "", looks)

    def _table(self, id: str, at: Point, table: Table) -> None:
        rows = "; ".join(", ".join(f"{x!r}" for x in row) for row in table.numbers)
        words = f"{table.name or 'numbers'}: {rows}"
        self.canvas.node(id, at, table.size, table.label(self.theme), words, table.role)
        self.canvas.about(id, *table.about)


def _numbered(letter: Any, size: int) -> list[str]:
    name = "".join(letter)
    return [f"{name}{index}" for index in _indices(size)] if name else []


def _indices(size: int) -> list[str]:
    return [""] if size == 1 else [label(f"a_{index + 1}")[1:] for index in range(size)]
