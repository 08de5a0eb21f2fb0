"""An unrolled network as a box per neuron and step, with the copies of weights over their steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...arguments import many
from ...errors import ArgumentValueError
from ...graph.notation import accent, number, term, vector
from .. import html_labels as html
from ..canvas import ARROW_HEAD, Canvas, cornered, downwards, points, rounded_corners, sideways
from ..drawing import Drawing
from ..graph_view import DrawnRun, left_out
from ..paper import ENDLESS, Room
from ..theme import Theme
from .measures import (
    BETWEEN,
    BOX_GAP,
    CHIP_ROOM,
    COPY_GAP,
    LOSS_GAP,
    PANEL_LABEL,
    RAIL,
    ROWS_APART,
    Column,
)
from .neurons import Neuron
from .ways import Ways
from .words import KEY_HEIGHT, LAST, ROW_HEIGHT, View, neuron_label

MOST_WEIGHTS: Final = 4


def draw_neurons(
    output: Any,
    run: DrawnRun,
    weights: Sequence[Any],
    theme: Theme,
    title: str | None = None,
    room: Room = ENDLESS,
) -> Drawing:
    """The drawing of an unrolled network with a box per neuron and step, in rows as wide as `room`.

    The weights stand on the left, and their copies, with what each adds, over the steps that use
    them; the steps in the middle of a long run are left out.
    """
    if len(weights) > MOST_WEIGHTS:
        raise ArgumentValueError(
            f"boxes of neurons have room for {MOST_WEIGHTS} weights, not for {len(weights)}: "
            f"choose them with focus=."
        )
    view = View(output, weights, run)
    canvas = Canvas(theme, layout="nop2", outputorder="edgesfirst")
    _Sheet(view, canvas, room).draw()
    name, steps = view.output_name(), f"unrolled over {many(len(view.steps), 'step')}"
    heading = f"How {name} is computed, a box per neuron and step"
    summary = f"{name} = {number(output.data)}, {steps}, {len(view.rows)} boxes"
    if weights:
        names = view.weight_names()
        count = sum(map(len, view.uses.values()))
        heading = f"The copies of {names} separate {'it' if len(weights) == 1 else 'them'} from "
        heading += "the output"
        summary += f", {count} {'copy' if count == 1 else 'copies'} of {names}"
    canvas.frame(
        heading if title is None else title,
        view.note() or view.told(),
        *canvas.legend(view.legend(), room.wide),
        room.wide,
    )
    return canvas.drawing(summary, view.marks)


class _Sheet(Ways):
    """The picture in the making."""

    # --- the picture -----------------------------------------------------------------------------

    def draw(self) -> None:
        """All rows, from top to bottom."""
        top, rows = 0.0, self._columns()
        for index, row in enumerate(rows):
            low = self._row(row, index, top, index == len(rows) - 1)
            self.canvas.breaks.append(low - ROWS_APART / 2)
            top = low - ROWS_APART

    def _row(self, columns: list[Column], index: int, top: float, final: bool) -> float:
        """A row under `top`; gives its foot."""
        view, canvas = self.view, self.canvas
        mark = f"r{index}_" if index else ""
        y, sources = top, []
        start = self.starts[min(index, 1)]
        uses = any(column.steps for column in columns) or any(view.outside().values())
        for box in self.parameters if uses else ():
            wide, height = self.size(box)
            if index:
                height = float(canvas.room_of([box.name], "parameter")[1])
                at = (start / 2, y - height / 2)
                canvas.box(mark + box.id, at, [box.name], box.description, "parameter")
                canvas.about(mark + box.id, *box.about)
            else:
                at = (max(start, wide) / 2, y - height / 2)
                self.put(box, at)
            sources.append((mark + box.id, at[1]))
            y -= height + BETWEEN
        y -= CHIP_ROOM - BETWEEN if sources else 0.0
        self.copy_y = y - self.margin - self.copy_height / 2
        self.panel_top = y
        y -= self.margin + (self.copy_height + COPY_GAP if sources else 0.0)
        self.ys, y = self._bands(y)
        self.foot = y - PANEL_LABEL + BOX_GAP - 6.0
        steps = columns[0].steps
        before = steps[0].k - 1 if steps else view.steps[-1].k
        self.lefts, x = {}, start
        for column in columns:
            self.lefts[column.id] = x + self.gap
            x += self.gap + column.width
        self.right, lefts = x, self.lefts
        self.middle = (max(self.ys.values()) + min(self.ys.values())) / 2
        self._start(before, mark, start, not steps)
        for column in columns:
            if column.id == "more":
                self._more(column, lefts["more"], sources)
            elif column.id != "output":
                self._step(column, lefts[column.id], sources, mark)
        self._arrows(columns, before, mark)
        self._join_copies()
        low = self._terms(columns, lefts, final)
        if columns[-1].id == "output":
            self._finish(columns[-1], lefts["output"], mark, sources)
        canvas.corners += [(0.0, top), (self.right, low)]
        return low

    def _box(self, neuron: Neuron, left: float) -> None:
        view, widths = self.view, self.widths[neuron.layer]
        id = f"q{neuron.step}_{neuron.layer}_{neuron.place}"
        lines = view.rows[neuron]
        height = KEY_HEIGHT + ROW_HEIGHT * len(lines) + LAST
        at = (left + sum(widths) / 2 + 2, self.ys[neuron.layer, neuron.place])
        words = "; ".join([view.full(node) for node in lines])
        role = view.role(lines[-1])
        key = view.key(neuron)
        text = neuron_label(
            [
                (view.role(node), view.name(node), view.data(node), view.grad(node))
                for node in lines
            ],
            key,
            widths,
            role,
            self.theme,
        )
        self.canvas.node(id, at, (sum(widths) + 4, height), text, words, role)
        self.canvas.about(id, *lines)

    def _start(self, before: int, mark: str, right: float, output: bool) -> None:
        """The states before the first step of a row, or before the output."""
        canvas = self.canvas
        carried = self._carried(before, output)
        if self.shape.crowded and carried:
            lines = [name for _, names in carried for name in names.split(", ")]
            words = ", ".join(lines) + (", from the row above" if before else "")
            half = canvas.room_of(lines, "state")[0] / 2
            canvas.box(f"{mark}q{before}", (right - half, self.middle), lines, words, "state")
            return
        for neuron, names in carried:
            wide = float(sum(self.widths[neuron.layer]) + 4)
            if not before and wide <= right:
                self._box(neuron, right - wide)
                continue
            id = f"{mark}q{before}_{neuron.layer}_{neuron.place}"
            wide = canvas.room_of([names], "state")[0]
            at = right - wide / 2, self.ys[neuron.layer, neuron.place]
            words = f"{names}, from the row above" if before else names
            canvas.box(id, at, [names], words, "state")

    def _step(self, column: Column, left: float, sources: Any, mark: str) -> None:
        view, canvas, (step,) = self.view, self.canvas, column.steps
        if step.k in view.cuts:
            canvas.cut(step.k, left - self.gap / 2, (self.panel_top - 6.0, self.foot))
        words = f"step {step.k}"
        if step.x:
            words += f"   {accent('x', step.k)} = {vector([x.data for x in step.x], 6, 3)}"
        corners = (left, self.foot), (left + column.width, self.panel_top)
        spare = (column.width - self.inner) / 2
        with canvas.panel(step.k, words, *corners):
            for neuron in view.rows:
                if neuron.step == step.k:
                    self._box(neuron, left + spare + self.x_of[neuron.layer, neuron.place])
            for use, x in self._spread(self._uses([step]), left + column.width / 2, spare + left):
                canvas.number(self.copies[use], (x, self.copy_y))
        for lane, (use, x) in enumerate(
            self._spread(self._uses([step]), left + column.width / 2, spare + left)
        ):
            self._fan(use, x, sources)
            self._down(use, x, lane, mark)

    def _more(self, column: Column, left: float, sources: Any) -> None:
        """The steps that are left out: how many they are, and what their copies add."""
        view, canvas = self.view, self.canvas
        x = left + column.width / 2
        muted = self.theme.muted
        if self.shape.crowded:
            canvas.text("d", (x, self.middle), "…", html.TITLE_POINTS, muted)
        else:
            for (layer, place), y in self.ys.items():
                canvas.text(f"d{layer}_{place}", (x, y), "…", html.TITLE_POINTS, muted)
        count, _, rest = left_out(column.steps, view.cuts)[2:-2].partition(", ")
        words = [count.replace(" more", ""), "left out", *[rest] * bool(rest)]
        for line, text in enumerate(words):
            at = (x, self.foot + 14 + 14 * (len(words) - 1 - line))
            canvas.text(f"more_{line}", at, text, html.SMALL_POINTS, muted)
        for place, weight in enumerate(view.uses):
            inner = [use for use in self._uses(column.steps) if use.parameter is weight]
            if not inner:
                continue
            source, y = sources[place]
            total = sum([use.grad for use in inner])
            at = (x, self.copy_y + 26.0 - 30.0 * place)
            name = f"{len(inner)} copies of {view.texts[weight].text}"
            canvas.text(
                f"c_more{place}", at, name, html.SMALL_POINTS, self.theme.styles["copy"].ink
            )
            canvas.about(f"c_more{place}", *inner)
            looks = {"penwidth": "2", "color": self.theme.styles["parameter"].line}
            if view.known:
                looks["label"] = html.chip_label(term(number(total)), self.theme)
                looks["lp"] = points((x + 24.0 * place, self.panel_top + 18.0))
            tip = (x + 24.0 * place, self.panel_top - 6.0)
            path = rounded_corners(
                [canvas.spot(source, 1), (tip[0], y), (tip[0], tip[1] + ARROW_HEAD)]
            )
            canvas.arrow(f"{source} c_more{place}", [*path, tip], name, "fan", **looks)

    def _terms(self, columns: list[Column], lefts: dict[str, float], final: bool) -> float:
        """The parts of the output that read one step each, under it; and where the row ends."""
        view, canvas, theme = self.view, self.canvas, self.theme
        low = self.foot
        looks = {"color": theme.styles["output"].line, "penwidth": "1.8"}
        here = {step.k for column in columns for step in column.steps}
        if not here & self.terms.keys():
            return low
        height = max(self.size(box)[1] for boxes in self.terms.values() for box in boxes)
        y = low - LOSS_GAP - height / 2
        rail = y - height / 2 - RAIL
        one_goes_on = final and columns[-1].id == "output"
        for column in columns:
            ks = [step.k for step in column.steps]
            if column.id == "more" and any(k in self.terms for k in ks):
                x = lefts[column.id] + column.width / 2
                canvas.text("t_more", (x, y), "…", html.TITLE_POINTS, theme.muted)
                continue
            for k in ks:
                boxes = self.terms.get(k, [])
                x = lefts[column.id] + column.width / 2
                x -= sum(self.size(box)[0] + BETWEEN for box in boxes[1:]) / 2
                for box in boxes:
                    wide = self.size(box)[0]
                    self.put(box, (x, y))
                    tip = canvas.spot(box.id, 0, 1)
                    path = cornered((x, self.foot), (x, tip[1] + ARROW_HEAD))
                    canvas.arrow(
                        f"{box.id} {box.id}",
                        [*path, tip],
                        f"step {k} → {box.name}",
                        "flow",
                        **looks,
                    )
                    end = canvas.spot(box.id, 0, -1)
                    goal = lefts["output"] + columns[-1].width / 2 if one_goes_on else self.right
                    if not one_goes_on:
                        path = rounded_corners([end, (x, rail), (goal - ARROW_HEAD, rail)])
                        canvas.arrow(
                            f"{box.id} {box.id}", [*path, (goal, rail)], "", "flow", **looks
                        )
                    else:
                        self._into.append((box.id, [end, (x, rail), (goal, rail)]))
                    x += wide + BETWEEN
        if not one_goes_on:
            at = (self.right + 12, rail)
            canvas.text(
                f"on_{columns[0].id}",
                at,
                view.output_name(),
                html.SMALL_POINTS,
                theme.styles["output"].ink,
            )
        return rail - 8.0

    def _finish(self, column: Column, left: float, mark: str, sources: Any) -> None:
        """The output, and what it reads of the last steps."""
        view, canvas, theme = self.view, self.canvas, self.theme
        looks = {"color": theme.styles["output"].line, "penwidth": "1.8"}
        x = left + column.width / 2
        last = [view.of[node] for node in view.read if view.of[node].step == view.steps[-1].k]
        ys = [self.ys[neuron.layer, neuron.place] for neuron in dict.fromkeys(last)]
        crowded = self.shape.crowded
        y = sum(ys) / len(ys) if ys and not crowded else self.middle
        box = self._output()
        canvas.number(box, (x, y))
        for neuron in dict.fromkeys([view.of[node] for node in view.read]):
            tail = f"q{neuron.step}_{neuron.layer}_{neuron.place}"
            row = f"{mark}q{neuron.step}"
            if mark + tail in canvas.at:
                tail = mark + tail
            elif crowded and row in canvas.at:  # the output is alone in its row
                tail = row
            elif tail not in canvas.at or canvas.at[tail][1] > self.panel_top:
                continue
            start, end = canvas.spot(tail, 1), canvas.spot("output", -1)
            if neuron.step == view.steps[-1].k and crowded:
                if tail != row:
                    start = self.edge(neuron.step, 1)
                self.straight(f"{tail} output", start, end, "", "output", looks)
            elif neuron.step == view.steps[-1].k:
                canvas.arrow(f"{tail} output", sideways(start, end), "", "output", **looks)
            else:
                self._into.append(
                    (
                        tail,
                        [
                            canvas.spot(tail, 0, -1),
                            (canvas.at[tail][0], self.foot - RAIL),
                            (x, self.foot - RAIL),
                        ],
                    )
                )
        if self.terms and self.lefts.keys() == {"output"}:
            end = canvas.spot("output", -1)
            words = "from the rows above"
            self.straight("output output", (left - self.gap, y), end, words, "output", looks)
        for tail, corners in self._into:
            tip = canvas.spot("output", 0, -1)
            path = rounded_corners([*corners, (x, tip[1] - ARROW_HEAD)])
            canvas.arrow(f"{tail} output", [*path, tip], "", "output", **looks)
        outside = [use for uses in view.outside().values() for use in uses]
        for use, at in self._spread(outside, x, left):
            canvas.number(self.copies[use], (at, self.copy_y))
            self._fan(use, at, sources)
            tip, start = canvas.spot("output", 0, 1), canvas.spot(self.copies[use].id, 0, -1)
            canvas.arrow(
                f"{self.copies[use].id} output",
                downwards(start, tip),
                "",
                "copy",
                color=theme.styles["copy"].line,
                penwidth="2",
            )
