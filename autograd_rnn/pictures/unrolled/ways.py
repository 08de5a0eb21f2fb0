"""The arrows between boxes of neurons: of weights, of their copies, and from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import dist

from ...graph.copies import Copy
from ...graph.notation import number, term
from .. import html_labels as html
from ..canvas import ARROW_HEAD, Point, along, cornered, points, rounded_corners, sideways
from .measures import LANE, Column, Measures
from .neurons import Neuron


class Ways(Measures):
    """The arrows of a picture whose sizes are known."""

    # Where things are in the row that is drawn.
    lefts: dict[str, float]  # of its columns
    ys: dict[tuple[int, int], float]
    middle: float
    copy_y: float
    panel_top: float
    foot: float

    def _is_open(self, at: tuple[int, int]) -> bool:
        """Whether there is no box over that of a neuron."""
        y, x = self.ys[at], self.x_of[at]
        return all(
            self.ys[other] <= y or abs(self.x_of[other] - x) > sum(self.widths[at[0]])
            for other in self.ys
        )

    def _join_copies(self) -> None:
        """The dashed line through the copies of a weight in a row."""
        looks = {"color": self.theme.styles["copy"].line, "style": "dashed", "penwidth": "2.5"}
        inner = [
            self.copies[use].id for use in self.copies if self.copies[use].id in self.canvas.at
        ]
        here = [id for id in inner if self.canvas.at[id][1] == self.copy_y]
        if len(self.view.weights) == 1:
            for tail, head in pairwise(here):
                (x0, y), (x1, _) = self.canvas.spot(tail, 1), self.canvas.spot(head, -1)
                words = f"{tail} and {head} are in the separating set"
                path = cornered((x0 + 3, y), (x1 - 3, y))
                self.canvas.arrow(f"{tail} {head}", path, words, "cut", dir="none", **looks)

    def _spread(self, uses: list[Copy], middle: float, left: float) -> list[tuple[Copy, float]]:
        """The copies of a step side by side, a single one over the layer that uses it."""
        if len(uses) == 1:
            target = self.view.owner(uses[0].consumer)
            if target is not None:
                _, layer, place = self.view.of[target]
                wide = sum(self.widths[layer]) + 4
                return [(uses[0], left + self.x_of[layer, place] + wide / 2)]
        first = middle - self.copy_pitch * (len(uses) - 1) / 2
        return [(use, first + self.copy_pitch * i) for i, use in enumerate(uses)]

    def _fan(self, use: Copy, x: float, sources: Sequence[tuple[str, float]]) -> None:
        """The arrow from a weight to a copy, with what it adds."""
        view, canvas = self.view, self.canvas
        source, y = sources[view.weights.index(use.parameter)]
        head = self.copies[use].id
        looks = {"penwidth": "2", "color": self.theme.styles["parameter"].line}
        words = f"{view.copy_name(use)} is a copy of {view.texts[use.parameter].text}"
        if view.known:
            chip = term(number(use.grad))
            looks["label"] = html.chip_label(chip, self.theme)
            looks["lp"] = points((x, self.panel_top + 18.0))
            words += f": {chip}"
        start, tip = canvas.spot(source, 1), canvas.spot(head, 0, 1)
        path = rounded_corners([start, (x, y), (x, tip[1] + ARROW_HEAD)])
        canvas.arrow(f"{source} {head}", [*path, tip], words, "fan", **looks)

    def _down(self, use: Copy, x: float, lane: int, mark: str) -> None:
        """The arrow from a copy to the neuron that uses it."""
        view, canvas = self.view, self.canvas
        made = view.owner(use.consumer)
        if made is None:
            return
        neuron = view.of[made]
        head = f"q{neuron.step}_{neuron.layer}_{neuron.place}"
        first = self._is_open((neuron.layer, neuron.place))
        tail = self.copies[use].id
        start = canvas.spot(tail, 0, -1)
        looks = {"penwidth": "2", "color": self.theme.styles["copy"].line}
        factor = view.factor(use)
        if factor:
            ink = self.theme.styles["copy"].ink
            looks["label"] = html.label(factor, html.SMALL_POINTS, ink, bold=True)
            wide = html.text_width(factor, html.SMALL_POINTS, bold=True)
            looks["lp"] = points((x + wide / 2 + 6, start[1] - 12.0))
        (low, _), (high, _) = canvas.spot(head, -0.8), canvas.spot(head, 0.8)
        if first and low < x < high:
            tip = (x, canvas.spot(head, 0, 1)[1])
            path = cornered(start, (x, tip[1] + ARROW_HEAD))
        else:
            tip = canvas.spot(head, -1)
            turn, along = start[1] - 26.0 - 4.0 * lane, tip[0] - self.side + 3.0 * lane
            corners = [
                start,
                (x, turn),
                (along, turn),
                (along, tip[1]),
                (tip[0] - ARROW_HEAD, tip[1]),
            ]
            path = rounded_corners(corners)
        words = f"{view.copy_name(use)} {factor} goes into {view.name(made)}"
        canvas.arrow(f"{tail} {head}", [*path, tip], words, "copy", **looks)

    def _arrows(self, columns: list[Column], before: int, mark: str) -> None:
        """What the neurons of a row read, the way of the copies in their colour."""
        view, canvas = self.view, self.canvas
        drawn = {step.k for column in columns if column.id.startswith("s") for step in column.steps}
        left = {step.k for column in columns if column.id == "more" for step in column.steps}
        marked = {
            (view.of.get(view.multiplied(use)), view.of.get(view.owner(use.consumer))): use
            for use in self.copies
        }
        for tail, head in view.arrows():
            here = head.step in drawn
            if not here and not (tail.step in drawn | {before} and head.step in left):
                continue
            use = marked.get((tail, head))
            if self.shape.crowded:
                self._from_panel(tail, head, f"{mark}q{before}", use)
                continue
            ends, path = [], []
            for neuron, side in ((tail, 1), (head, -1)):
                id = f"q{neuron.step}_{neuron.layer}_{neuron.place}"
                if neuron is tail and neuron.step == before and before:
                    id = mark + id if mark else id
                if neuron.step in left:
                    id = f"d{neuron.layer}_{neuron.place}"
                if id not in canvas.at:
                    break
                ends.append(id)
                path.append(canvas.spot(id, side))
            if len(ends) < 2 or f"{ends[0]} {ends[1]}" in self._met:
                continue
            self._met.add(f"{ends[0]} {ends[1]}")
            words = f"{view.key(tail, True)} of step {tail.step} → {view.key(head, True)}"
            looks, words = self._looks(use, words)
            curve = self._beside(*ends) if tail.step == head.step else sideways(*path)
            canvas.arrow(" ".join(ends), curve, words, "state", **looks)

    def _looks(self, use: Copy | None, words: str) -> tuple[dict[str, str], str]:
        """How an arrow of what neurons read looks, and its words: the way of a copy is its own."""
        if use is None:
            return {"color": self.theme.line, "penwidth": "1.2"}, words
        looks = {"color": self.theme.styles["copy"].line, "penwidth": "2.2"}
        return looks, f"{words}, times {self.view.copy_name(use)}"

    def _beside(self, tail: str, head: str) -> list[Point]:
        """From the right side of a box to that of a box over it."""
        canvas = self.canvas
        # Not where the arrows from step to step are.
        start, tip = canvas.spot(tail, 1, 0.5), canvas.spot(head, 1, -0.5)
        lane = max(start[0], tip[0]) + LANE
        corners = [start, (lane, start[1]), (lane, tip[1]), (tip[0] + ARROW_HEAD, tip[1])]
        return [*rounded_corners(corners), tip]

    def edge(self, k: int, side: int) -> Point:
        """The middle of the left (-1) or the right side of the panel of a step."""
        return self.lefts[f"s{k}"] + (self.wide if side > 0 else 0.0), self.middle

    def _from_panel(self, tail: Neuron, head: Neuron, row: str, use: Copy | None) -> None:
        """An arrow for all that a step, or a layer of it, reads of another, drawn once."""
        ids = [f"q{neuron.step}_{neuron.layer}_{neuron.place}" for neuron in (tail, head)]
        if tail.step == head.step:
            if tail.layer == head.layer:
                return
            start, end = self._side_of(tail, 1), self._side_of(head, -1)
            words = f"layer {tail.layer + 1} of step {tail.step} → layer {head.layer + 1}"
        else:
            spots = []
            for place, (id, neuron, side) in enumerate(
                zip(ids, (tail, head), (1, -1), strict=True)
            ):
                there = f"s{neuron.step}" in self.lefts
                ids[place] = id if there else row if side > 0 and row in self.canvas.at else "d"
                if ids[place] not in self.canvas.at:
                    return
                at = self.edge(neuron.step, side) if there else self.canvas.spot(ids[place], side)
                spots.append(at)
            start, end = spots
            words = f"step {tail.step} → step {head.step}"
        if words not in self._met:
            self._met.add(words)
            looks = {"color": self.theme.styles["state"].line, "penwidth": "2"}
            if use is not None:
                looks, words = self._looks(use, words)
            self.straight(" ".join(ids), start, end, words, "state", looks)

    def _side_of(self, neuron: Neuron, side: int) -> Point:
        """Where an arrow leaves a layer of a step for the next (1), or comes from that before."""
        k, layer = neuron.step, neuron.layer
        ids = [f"q{k}_{layer}_{place}" for one, place in self.ys if one == layer]
        axis = int(not self.shape.level)
        ends = [self.canvas.spot(id, side, side)[axis] for id in ids]
        end = max(ends) if side > 0 else min(ends)
        if axis:
            return self.lefts[f"s{k}"] + self.wide / 2, end
        return end, self.middle

    def straight(
        self, ends: str, start: Point, end: Point, words: str, role: str, looks: dict[str, str]
    ) -> None:
        """An arrow to the right, or up."""
        last = along(end, start, ARROW_HEAD / dist(start, end))
        self.canvas.arrow(ends, [*cornered(start, last), end], words, role, **looks)
