"""Backpropagation through time by matrices: copies of W, δ going back, outer products as terms."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...arguments import many
from ...graph.marks import marks_of
from ...graph.notation import accent, label, number
from ...graph.walk import steps_of, topological
from .. import html_labels as html
from ..canvas import ARROW_HEAD, Canvas, cornered, rounded_corners
from ..drawing import Drawing
from ..graph_view import shorten
from ..theme import Theme, tint

if TYPE_CHECKING:
    from ...networks.bptt import Layer
    from ...networks.model import Model
    from ...networks.run import Unrolled

MOST_NUMBERS: Final = 40  # entries of a table with numbers; larger ones have shades alone
MOST_SIDES: Final = 12
CELL: Final = 22
SHADE: Final = 12
GAP: Final = 40.0
DOWN: Final = 34.0
MARGIN: Final = 12.0
PANEL_LABEL: Final = 24.0
ROWS_APART: Final = 48.0
POINTS: Final = 11
FAINTER: Final = 3.0  # the shades under red numbers, so that these can be read


class Table(NamedTuple):
    """Numbers in rows and columns, with what it is called, and names of its rows and columns."""

    name: str
    role: str
    numbers: Sequence[Sequence[float]]
    heads: Sequence[str] = ()
    sides: Sequence[str] = ()
    ink: str = ""
    scale: float = 1.0
    shaded: bool = False  # without its numbers
    about: Sequence[Any] = ()  # the nodes and copies whose numbers they are


def draw_matrices(
    output: Any, model: Model, run: Unrolled, theme: Theme, title: str | None, room: float = inf
) -> Drawing:
    """The drawing of ∂output/∂W by matrices, layer by layer, in rows as wide as `room`."""
    from ...networks.bptt import backpropagate

    layers, order = backpropagate(output, model, run), topological(output)
    canvas = Canvas(theme, layout="nop2", outputorder="edgesfirst")
    name = label(output.name) if output.name is not None else "L"
    top = 0.0
    for place, layer in reversed(list(enumerate(layers))):
        sheet = _Sheet(canvas, layer, run, place if len(layers) > 1 else -1, name, order)
        foot = sheet.draw(top, room)
        canvas.breaks.append(foot - ROWS_APART / 3)
        top = foot - ROWS_APART
    slope = f"∂{name}/∂W"
    told = f"each step adds the outer product of what it reads and δ: {slope} is the sum of them"
    if any("W" in layer.read for layer in layers):
        told += f" and of ∂⁺{name}/∂W, as {name} uses W directly"
    words = {"parameter": "shared weights W", "copy": "their copies", "state": "state"}
    heading = f"The copies of W, and {slope} as a sum of outer products"
    told = f"{told}; δ⁽ᵏ⁾ = ∂{name}/∂π⁽ᵏ⁾"
    canvas.frame(title or heading, told, html.legend_label(words, theme))
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
    ) -> None:
        self.canvas, self.theme, self.layer, self.run = canvas, canvas.theme, layer, run
        self.name, self.output = name, order[-1]
        self.mark = "" if place < 0 else f"l{place + 1}_"
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
        weights = [[weight.data for weight in row] for row in model.weights]
        most = [abs(x) for row in weights for x in row if isfinite(x)]
        self.weights = Table(
            "W", "parameter", weights, self.heads, self.sides, "", max([*most, 1e-9])
        )._replace(about=[weight for row in model.weights for weight in row])
        self.copies = self._copies(order)
        terms = [abs(float(x)) for x in layer.terms.reshape(-1) if isfinite(x)]
        self.most = FAINTER * max([*terms, 1e-9])
        self.columns = [self._column(index) for index in range(len(run.steps))]

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
        )
        delta = Table("", "plain", deltas, heads, (), theme.gradient, 1.0)
        return [copy, Table("", "state", values, names, about=told), delta, term]

    def _source(self, index: int) -> str:
        model = self.layer.model
        parts = []
        if model.letters:
            letter = model.letters[0].upper()
            parts.append(accent(letter, index) if index else letter)
        if model.inputs:
            parts.append(accent("X", index + 1))
        return "; ".join(parts)

    def draw(self, top: float, room: float) -> float:
        """The rows of the layer, under `top`; gives the foot of the last."""
        first, middle, last = shorten(self.run.steps)
        groups: list[tuple[str, list[Table]]] = [(str(s.k), self.columns[s.k - 1]) for s in first]
        if middle:
            groups.append(("more", self._left_out([step.k - 1 for step in middle])))
        groups += [(str(step.k), self.columns[step.k - 1]) for step in last]
        total = self.weights._replace(
            name=f"∂{self.name}/∂W =",
            numbers=self.layer.gradient.tolist(),
            ink=self.theme.gradient,
            scale=self.most,
        )
        left, right = self._measure(groups, total)
        if left + self.width + right + 2 * GAP > room:
            # Where there is no room for numbers, the matrices have shades.
            groups = [(k, [_in_shades(table) for table in own]) for k, own in groups]
            self.weights, total = _in_shades(self.weights), _in_shades(total)
            left, right = self._measure(groups, total)
        self.heights = [
            max(_size(tables[row], self.theme)[1] for _, tables in groups if row < len(tables))
            for row in range(4)
        ]
        rows: list[list[tuple[str, list[Table]]]] = []
        x = 0.0
        for group in groups:
            end = right + GAP if group is groups[-1] else 0.0
            if not rows or x + GAP + self.width + end > room:
                rows.append([])
                x = left
            rows[-1].append(group)
            x += GAP + self.width
        for index, row in enumerate(rows):
            final = index == len(rows) - 1
            top = self._row(row, index, top, left, total if final else None)
            if not final:
                self.canvas.breaks.append(top - ROWS_APART / 3)
                top -= ROWS_APART
        return top

    def _measure(
        self, groups: Sequence[tuple[str, list[Table]]], total: Table
    ) -> tuple[float, float]:
        """The widths of the weights and of the sum; and that of a step, which is kept."""
        widest = max(_size(table, self.theme)[0] for _, tables in groups for table in tables)
        self.width = widest + 2 * MARGIN
        return _size(self.weights, self.theme)[0], max(_size(total, self.theme)[0], 90.0)

    def _left_out(self, places: list[int]) -> list[Table]:
        """What stands for the steps that are left out: their terms as one."""
        total = self.layer.terms[places].sum(0).tolist()
        term = self.columns[0][3]
        return [term._replace(name=f"+ {len(places)} steps", numbers=total)]

    def _row(
        self,
        groups: list[tuple[str, list[Table]]],
        index: int,
        top: float,
        left: float,
        total: Table | None,
    ) -> float:
        canvas, mark = self.canvas, f"{self.mark}{f'r{index}_' if index else ''}"
        if self.words:
            left_of, ink = (0.0, top - 8), self.theme.ink
            canvas.text(f"{mark}layer", left_of, self.words, html.NAME_POINTS, ink, 1)
            top -= 26.0
        ys, y = [], top - MARGIN
        for height in self.heights:
            ys.append(y - height / 2)
            y -= height + DOWN
        foot = y + DOWN - MARGIN - PANEL_LABEL
        source = f"{mark}w"
        self._table(source, (left / 2, ys[0]), self.weights)
        x, before = left, ""
        for k, tables in groups:
            low, high = (x + GAP, foot), (x + GAP + self.width, top)
            middle = x + GAP + self.width / 2
            ids = [f"{self.mark}t{k}_{row}" for row in range(4)]
            if k == "more":
                self._table(ids[3], (middle, ys[3]), tables[0])
                canvas.text(f"{self.mark}more", (middle, ys[1]), "…", 18, self.theme.muted)
                before = ""
            else:
                step = self.run.steps[int(k) - 1]
                if step.k in self.run.cuts and before:
                    canvas.cut(
                        step.k, x + GAP / 2, (top - 4, ys[0] + 10)
                    ) if not self.mark else None
                words = f"step {k}"
                with canvas.panel(f"{self.mark}{k}", words, low, high):
                    for row, table in enumerate(tables):
                        self._table(ids[row], (middle, ys[row]), table)
                self._arrows(ids, before, source, step.k in self.run.cuts)
                before = k
            x += GAP + self.width
        if total is not None:
            wide = _size(total, self.theme)[0]
            at = x + GAP + wide / 2
            self._table(f"{self.mark}total", (at, ys[3]), total)
            told = self.name, number(self.output.data)
            box = html.Box(f"{mark}out", "output", *told, about=(self.output,))
            if not self.mark or self.words.endswith(
                str(len(getattr(self.run.rnn, "layers", (0,))))
            ):
                canvas.number(box, (at, ys[1]))
                ends = [f"{self.mark}t{before}_1", box.id, f"{self.mark}t{before}_2"]
                self._straight(ends[0], ends[1], "output")
                start = canvas.spot(ends[1], 0, -1)
                tip = canvas.spot(ends[2], 1)
                path = rounded_corners([start, (start[0], tip[1]), (tip[0] + ARROW_HEAD, tip[1])])
                canvas.arrow(f"{ends[1]} {ends[2]}", [*path, tip], "", "back", **self._back())
            x += GAP + wide
        canvas.corners += [(0.0, foot), (x, top)]
        return foot

    def _back(self) -> dict[str, str]:
        return {"color": self.theme.gradient, "style": "dashed", "penwidth": "1.8"}

    def _straight(self, tail: str, head: str, role: str) -> None:
        """A level arrow from side to side, which turns where the sides are not level."""
        canvas = self.canvas
        start, tip = canvas.spot(tail, 1), canvas.spot(head, -1)
        looks = {"color": self.theme.styles[role].line, "penwidth": "2"}
        path = cornered(start, (tip[0] - ARROW_HEAD, tip[1]))
        canvas.arrow(f"{tail} {head}", [*path, tip], "", role, **looks)

    def _arrows(self, ids: list[str], before: str, source: str, cut: bool) -> None:
        canvas, theme = self.canvas, self.theme
        gold = {"color": theme.styles["parameter"].line, "penwidth": "2"}
        violet = {"color": theme.styles["copy"].line, "penwidth": "2"}
        start, tip = canvas.spot(source, 0, 1), canvas.spot(ids[0], 0, 1)
        lane = max(start[1], tip[1]) + 20.0
        path = rounded_corners(
            [start, (start[0], lane), (tip[0], lane), (tip[0], tip[1] + ARROW_HEAD)]
        )
        canvas.arrow(f"{source} {ids[0]}", [*path, tip], "a copy of W", "fan", **gold)
        self._down(ids[0], ids[1], violet)
        self._down(ids[2], ids[3], self._back())
        if before:
            mark = self.mark
            if self.layer.model.letters:
                self._straight(f"{mark}t{before}_1", ids[1], "state")
                tail, head = ids[2], f"{mark}t{before}_2"
                start, tip = canvas.spot(tail, -1), canvas.spot(head, 1)
                path = cornered(start, (tip[0] + ARROW_HEAD, tip[1]))
                if not cut:
                    canvas.arrow(
                        f"{tail} {head}", [*path, tip], "δ goes back", "back", **self._back()
                    )

    def _down(self, tail: str, head: str, looks: dict[str, str]) -> None:
        start, tip = self.canvas.spot(tail, 0, -1), self.canvas.spot(head, 0, 1)
        path = cornered(start, (tip[0], tip[1] + ARROW_HEAD))
        self.canvas.arrow(f"{tail} {head}", [*path, tip], **looks)

    def _table(self, id: str, at: tuple[float, float], table: Table) -> None:
        rows = "; ".join(", ".join(f"{x!r}" for x in row) for row in table.numbers)
        words = f"{table.name or 'numbers'}: {rows}"
        room = _size(table, self.theme)
        self.canvas.node(id, at, room, _label(table, self.theme), words, table.role)
        self.canvas.about(id, *table.about)


def _numbered(letter: Any, size: int) -> list[str]:
    name = "".join(letter)
    return [f"{name}{index}" for index in _indices(size)] if name else []


def _indices(size: int) -> list[str]:
    return [""] if size == 1 else [label(f"a_{index + 1}")[1:] for index in range(size)]


def _in_shades(table: Table) -> Table:
    """A matrix without its numbers, and with shades as strong as may be; vectors keep them."""
    if not table.sides:
        return table
    return table._replace(shaded=True, scale=table.scale / (FAINTER if table.ink else 1.0))


def _is_shaded(table: Table) -> bool:
    return table.shaded or sum(map(len, table.numbers)) > MOST_NUMBERS


def _brief(x: float) -> str:
    return number(x, 2, 4)


def _cell(table: Table) -> int:
    """The width of a number in a table."""
    if _is_shaded(table):
        return SHADE
    texts = [_brief(x) for row in table.numbers for x in row]
    bold = bool(table.ink)
    heads = [html.text_width(head, html.KEY_POINTS, bold=True) + 6 for head in table.heads]
    return round(max([24.0, *heads, *[html.text_width(t, POINTS, bold) + 8 for t in texts]]))


def _side(table: Table) -> int:
    if not table.sides or (_is_shaded(table) and len(table.sides) > MOST_SIDES):
        return 0
    return round(max(html.text_width(side, html.KEY_POINTS) for side in table.sides)) + 8


def _headed(table: Table) -> bool:
    return any(table.heads) and not _is_shaded(table)


def _size(table: Table, theme: Theme) -> tuple[float, float]:
    columns, rows = len(table.numbers[0]), len(table.numbers)
    high = SHADE if _is_shaded(table) else CELL
    named = html.text_width(table.name, html.SMALL_POINTS, bold=True) + 22 if table.name else 0.0
    width = max(columns * _cell(table) + _side(table), named) + 12.0
    height = rows * high + (20 if table.name else 0) + (16 if _headed(table) else 0) + 12.0
    return float(width), float(height)


def _label(table: Table, theme: Theme) -> str:
    """A rounded box with the name of the table, and its numbers on their shades."""
    style, shaded = theme.styles[table.role], _is_shaded(table)
    width, high, side = _cell(table), SHADE if shaded else CELL, _side(table)
    columns = len(table.numbers[0]) + (side > 0)
    lines = []
    if table.name:
        ink = table.ink or style.ink
        name = html.font(table.name, html.SMALL_POINTS, ink, bold=True)
        wide = round(_size(table, theme)[0]) - 12
        lines.append(html.cell(name, colspan=columns, height=20, width=wide))
    blank = html.cell("", width=side) if side else ""
    if _headed(table):
        inks = [table.ink or style.ink] * len(table.heads)
        lines.append(
            blank
            + "\n".join(
                html.cell(html.font(head, html.KEY_POINTS, ink, bold=True), height=16, width=width)
                for head, ink in zip(table.heads, inks, strict=True)
            )
        )
    for place, row in enumerate(table.numbers):
        line = ""
        if side:
            text = html.font(table.sides[place], html.KEY_POINTS, theme.muted)
            line = html.cell(text, width=side, height=high)
        for x in row:
            fill = tint(x, table.scale, theme.positive, theme) if table.sides else theme.paper
            text = (
                ""
                if shaded
                else html.font(_brief(x), POINTS, table.ink or theme.ink, bool(table.ink))
            )
            line += html.cell(text, width=width, height=high, bgcolor=fill) + "\n"
        lines.append(line)
    looks: html.Looks = {**html.BARE, "cellpadding": 0, "style": "ROUNDED"}
    looks |= {"border": style.border, "color": style.line, "bgcolor": style.fill}
    return html.table([*lines, html.cell("", colspan=columns, height=4)], **looks)
