"""One step of a model with gates: the way of the state, the gates under it, and what they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ...arguments import many
from .. import html_labels as html
from ..canvas import ARROW_HEAD, RADIUS, Canvas, cornered, rounded_corners
from ..drawing import Drawing
from ..theme import Theme
from .operations import Operations, symbol

if TYPE_CHECKING:
    from ...networks.model import Model

PITCH: Final = 104.0  # between operations on the way of the state
LEAF: Final = 98.0  # the room of a gate
ROW: Final = 54.0
GATE_WIDTH: Final = 84
GATE_HEIGHT: Final = 30
SMALL: Final = 20.0
BUS: Final = 56.0
SPELLED: Final = "AEFHILMNORSX"  # letters that are said with a vowel first


def draw_gates(model: Model, theme: Theme, title: str | None, wide: float) -> Drawing:
    """The drawing of one step of a model with gates, for one of its neurons."""
    canvas = Canvas(theme, layout="nop2")
    cell = _Cell(model, canvas)
    cell.draw()
    kind = type(model).__name__
    vowel = kind[0] in (SPELLED if kind.isupper() else "AEIOU")
    what = f"One step of {'an' if vowel else 'a'} {kind}"
    told = "the same weights at every step; × and + take the vectors entry by entry"
    room = 46.0 + 24.0 * len(cell.formulas())
    canvas.frame(what if title is None else title, told, cell.legend(), room, wide)
    sizes = f"{many(model.states, 'state')}, {many(model.inputs, 'input')}"
    return canvas.drawing(f"{title or what}: {sizes}")


class _Cell:
    def __init__(self, model: Model, canvas: Canvas) -> None:
        self.model, self.canvas, self.theme = model, canvas, canvas.theme
        self.ops = Operations(model)
        self.ids = {node: f"o{place}" for place, node in enumerate(self.ops.nodes, 1)}
        self.gates = {
            node: self.ops.activation(node)
            for node in self.ops.nodes
            if self.ops.activation(node) is not None
        }
        inner = set(self.gates.values())
        for total in self.ops.sums:
            if total not in inner:
                self.gates[total] = total
        self.at: dict[Any, tuple[float, float]] = {}

    # --- where all goes --------------------------------------------------------------------------

    def operands(self, node: Any) -> list[Any]:
        """What is drawn of the operands of a node."""
        if node in self.gates:
            return []
        return [parent for parent in node.parents if parent in self.ids]

    def _spine(self) -> list[Any]:
        """The longest way from a state before the step to one after it, entry by entry."""
        starts = set(self.ops.before.values())
        best: dict[Any, list[Any]] = {}
        for node in self.ops.nodes:
            if node in self.ops.sums or node in self.gates:
                continue
            ways = [best[parent] for parent in node.parents if parent in best]
            if starts.intersection(node.parents):
                ways.append([])
            if ways:
                best[node] = [*max(ways, key=len), node]
        ends = [best[node] for node in self.ops.after.values() if node in best]
        return max(ends, key=len) if ends else [next(iter(self.ops.after.values()))]

    def _leaves(self, node: Any, met: set[Any]) -> int:
        """How many places beside each other the operands of a node take, each node once."""
        if node in met:
            return 0
        met.add(node)
        below = sum([self._leaves(operand, met) for operand in self.operands(node)])
        return max(1, below)

    def _lay_out(self) -> None:
        self.spine = self._spine()
        self.depth = 1
        met, cursor, x = set(self.spine), 0.0, -PITCH
        for node in self.spine:
            own = [operand for operand in self.operands(node) if operand not in met]
            count = sum([self._leaves(operand, met) for operand in own])
            x = max(x + PITCH, cursor + count * LEAF / 2)
            self.at[node] = (x, 0.0)
            self._hang(own, x - count * LEAF / 2, 1)
            cursor = x + max(count * LEAF, SMALL) / 2
        self.foot = -ROW * self.depth - 10.0
        for gate in self.gates:
            if gate in self.at:
                self.at[gate] = (self.at[gate][0], self.foot)
        self.right = max(x, cursor - LEAF / 2) + PITCH / 2
        self.left = min(0.0, *[at[0] for at in self.at.values()]) - PITCH / 2

    def _hang(self, nodes: list[Any], left: float, depth: int) -> None:
        """Place nodes under what uses them, and their operands under them."""
        self.depth = max(self.depth, depth if nodes else 0)
        for node in nodes:
            if node in self.at:
                continue
            placed = set(self.at)
            count = self._leaves(node, placed)
            own = [operand for operand in self.operands(node) if operand not in self.at]
            self.at[node] = (left + count * LEAF / 2, -ROW * depth)
            self._hang(own, left, depth + 1)
            left += count * LEAF

    # --- the picture -----------------------------------------------------------------------------

    def draw(self) -> None:
        """All of it."""
        self._lay_out()
        canvas, ops = self.canvas, self.ops
        top = 46.0
        low = self.foot - GATE_HEIGHT - 20.0
        reads = [
            one for one in [*ops.before, "x"] if any(one in s.reads for s in ops.sums.values())
        ]
        self.bus = {one: low - 20.0 - BUS * place for place, one in enumerate(reads)}
        foot = low - 20.0 - BUS * max(0, len(reads) - 1) - 36.0
        with canvas.panel("k", "step k", (self.left, foot), (self.right, top)):
            for node in self.at:
                self._draw_node(node)
        self._draw_ends(reads)
        for node in self.at:
            for operand in self.operands(node):
                self._join(operand, node)
        self._draw_taps(reads)

    def _draw_node(self, node: Any) -> None:
        canvas, id, at = self.canvas, self.ids[node], self.at[node]
        if node in self.gates:
            total = self.gates[node]
            own = self.ops.sums[total]
            op = "Σ" if total is node else node.op.symbol
            name = self.ops.named.get(node, "")
            vector = "; ".join(["1"] * own.offset + [self.ops.written(r) for r in own.reads])
            weights = self.ops.weights_of(total)
            words = f"{name}ₖ: {op} of {weights}·[{vector}]" if name else f"{weights}·[{vector}]"
            label = _gate_label(op, f"{name}ₖ" if name else "", weights, self.theme)
            room = (GATE_WIDTH + 4.0, 2.0 * GATE_HEIGHT + 4.0)
            canvas.node(id, at, room, label, words, "parameter")
            return
        written = symbol(node)
        style = self.theme.styles["plain"]
        name = self.ops.named.get(node, "")
        words = f"{name}ₖ = {written}" if name else written
        if len(written) <= 1:
            size = {"shape": "circle", "width": f"{SMALL / 36:.4f}", "fixedsize": "true"}
            looks = {**size, "style": "filled", "color": style.ink, "fillcolor": style.fill}
            text = html.label(written, html.NAME_POINTS, style.ink, bold=True)
            canvas.node(id, at, (2 * SMALL, 2 * SMALL), text, words, "plain", **looks)
        else:
            canvas.box(id, at, [written], words, "plain")
        if name and node not in self.ops.after.values():
            beside = at[0] + canvas.room[id][0] / 2 + 16.0, at[1] - 2.0
            canvas.text(f"{id}_name", beside, f"{name}ₖ", html.NAME_POINTS, style.ink)

    def _draw_ends(self, reads: list[str]) -> None:
        canvas, ops, theme = self.canvas, self.ops, self.theme
        first, left, right = self.spine[0], self.left - 46.0, self.right + 46.0
        direct = [one for one, node in ops.before.items() if node in first.parents]
        green = {"color": theme.styles["state"].line, "penwidth": "2"}
        for letter in ops.before:
            y = 0.0 if letter in direct else self.bus.get(letter, 0.0)
            words = f"{letter} before the step"
            canvas.circle(f"b_{letter}", (left, y), f"{letter}ₖ₋₁", words, "state")
        if "x" in reads:
            canvas.circle("b_x", (left, self.bus["x"]), "xₖ", "the input", "constant")
        for letter in direct:
            canvas.arrow(f"b_{letter} {self.ids[first]}", (), "", "state", **green)
        for node in self.at:  # other states that are read entry by entry
            for letter, before in ops.before.items():
                if before in node.parents and not (node is first and letter in direct):
                    x, y = canvas.spot(self.ids[node], -0.6, 0.7)
                    start = canvas.spot(f"b_{letter}", 0.6, 0.7)
                    lane = 40.0
                    path = rounded_corners(
                        [start, (start[0], lane), (x, lane), (x, y + ARROW_HEAD)]
                    )
                    if node in self.spine:
                        canvas.arrow(
                            f"b_{letter} {self.ids[node]}", [*path, (x, y)], role="state", **green
                        )
                    else:
                        canvas.arrow(f"b_{letter} {self.ids[node]}", (), "", "state", **green)
        lane = 0.0
        for letter, node in ops.after.items():
            id, at_end = f"a_{letter}", node is self.spine[-1]
            lane = 0.0 if at_end else lane + 84.0
            canvas.circle(id, (right, lane), f"{letter}ₖ", f"{letter} after the step", "state")
            if at_end:
                canvas.arrow(f"{self.ids[node]} {id}", (), "", "state", **green)
            elif node in self.at:
                x, y = canvas.spot(self.ids[node], 0.45, 0.85)
                tip = (right - RADIUS, lane)
                path = rounded_corners([(x, y), (x, lane), (tip[0] - ARROW_HEAD, lane)])
                canvas.arrow(f"{self.ids[node]} {id}", [*path, tip], role="state", **green)

    def _join(self, tail: Any, head: Any) -> None:
        """The arrow of an operand: along the way of the state, up, or up and to the right."""
        canvas = self.canvas
        ends = f"{self.ids[tail]} {self.ids[head]}"
        looks = {"penwidth": "1.6", "color": self.theme.muted}
        if tail in self.spine and head in self.spine:
            green = {"color": self.theme.styles["state"].line, "penwidth": "2"}
            canvas.arrow(ends, (), "", "state", **green)
            return
        (x0, y0), (x1, y1) = self.at[tail], self.at[head]
        below = [
            one for one in self.operands(head) if one not in self.spine and self.at[one][1] < y1
        ]
        own = sorted([self.at[one][0] for one in below])
        start = canvas.spot(ends.split()[0], 0, 1)
        if y0 >= y1 or not (own[0] <= x0 <= own[-1]) or self._blocked(tail, head):
            aside = 32.0 if x1 > x0 else -32.0
            start = (start[0] + aside, start[1])
            side = -1 if x1 > x0 else 1
            tip = canvas.spot(ends.split()[1], side)
            corners = [start, (start[0], y1), (tip[0] + side * ARROW_HEAD, y1)]
            canvas.arrow(ends, [*rounded_corners(corners), tip], **looks)
        elif x0 == x1:
            tip = canvas.spot(ends.split()[1], 0, -1)
            canvas.arrow(ends, [*cornered(start, (tip[0], tip[1] - ARROW_HEAD)), tip], **looks)
        else:
            side = 1 if x0 > x1 else -1
            tip = canvas.spot(ends.split()[1], side)
            if abs(x0 - x1) < 0.6 * canvas.room[ends.split()[1]][0]:
                tip = canvas.spot(ends.split()[1], 0, -1)
                canvas.arrow(ends, [*cornered(start, (tip[0], tip[1] - ARROW_HEAD)), tip], **looks)
                return
            corners = [start, (x0, y1), (tip[0] + side * ARROW_HEAD, y1)]
            canvas.arrow(ends, [*rounded_corners(corners), tip], **looks)

    def _blocked(self, tail: Any, head: Any) -> bool:
        """Whether another operation stands straight between them."""
        (x0, y0), (_, y1) = self.at[tail], self.at[head]
        return any(
            abs(x - x0) < 30 and y0 < y <= y1
            for one, (x, y) in self.at.items()
            if one is not tail and one is not head
        )

    def _draw_taps(self, reads: list[str]) -> None:
        """The lines of what the sums read, and an arrow up to each that reads it."""
        canvas, ops, theme = self.canvas, self.ops, self.theme
        for place, letter in enumerate(reads):
            role = "constant" if letter == "x" else "state"
            looks = {"color": theme.styles[role].line, "penwidth": "2"}
            y, start = self.bus[letter], f"b_{letter}"
            taps = []
            for gate, total in self.gates.items():
                if gate in self.at and letter in ops.sums[total].reads:
                    aside = 22.0 * (place + 0.5 - len(reads) / 2)
                    taps.append((self.at[gate][0] + aside, gate))
            if not taps:
                continue
            end = max(x for x, _ in taps)
            x0, y0 = canvas.at[start]
            begin = (x0 + RADIUS, y) if y0 == y else (x0, y0 - RADIUS)
            line = [begin, (end, y)] if y0 == y else [begin, (x0, y), (end, y)]
            canvas.arrow(f"{start} {start}", rounded_corners(line), dir="none", **looks)
            for x, gate in taps:
                dot = f"d_{letter}_{self.ids[gate]}"
                size = {"shape": "point", "width": "0.07", "color": looks["color"]}
                canvas.node(dot, (x, y), (5.0, 5.0), "", "", "", **size)
                tip = (x, canvas.spot(self.ids[gate], 0, -1)[1])
                words = f"{ops.written(letter)} goes into {ops.weights_of(self.gates[gate])}"
                path = [*cornered((x, y), (x, tip[1] - ARROW_HEAD)), tip]
                canvas.arrow(f"{dot} {self.ids[gate]}", path, words, role, **looks)

    def legend(self) -> str:
        """The formulas, and what the colours mean."""
        told = {"parameter": "shared by all steps", "state": "state", "constant": "input"}
        swatches = html.legend_label(told, self.theme)[1:-1]
        lines = [html.written(one, html.SMALL_POINTS, self.theme.ink) for one in self.formulas()]
        lines = [re.sub(r"([WU])_(\w)", r"\1<SUB>\2</SUB>", line) for line in lines]
        return html.table([*lines, html.cell(swatches)], **html.BARE)

    def formulas(self) -> list[str]:
        """The formulas, three on a line."""
        told = self.ops.formulas()
        return ["      ".join(told[place : place + 3]) for place in range(0, len(told), 3)]


def _gate_label(op: str, name: str, weights: str, theme: Theme) -> str:
    """A gate: its function and its name, over the weights of its sum."""
    gold, plain = theme.styles["parameter"], theme.styles["plain"]
    size: html.Looks = {"width": GATE_WIDTH, "height": GATE_HEIGHT}
    text = html.font(f"{op} ", html.NAME_POINTS, theme.muted, bold=True)
    text += html.font(f"  {name}", html.NAME_POINTS, plain.ink, bold=True) if name else ""
    letter, _, below = weights.partition("_")
    weight = html.font(letter, html.NAME_POINTS, gold.ink, bold=True)
    weight += f"<SUB>{html.font(below, html.SMALL_POINTS, gold.ink, bold=True)}</SUB>"
    lines = [
        html.cell(text, **size, bgcolor=plain.fill),
        html.cell(weight, **size, bgcolor=gold.fill, border=1, sides="T", color=gold.line),
    ]
    looks: html.Looks = {"cellborder": 0, "cellspacing": 0, "cellpadding": 0, "style": "ROUNDED"}
    return html.table(lines, **looks, border=2, color=gold.line, bgcolor=gold.fill)
