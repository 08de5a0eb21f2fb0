"""A graph as the record of a picture: one weight's copies apart, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from ..errors import ArgumentValueError
from ..graph.copies import Copy, copies
from ..graph.notation import Text, accent, label, number, write
from ..graph.sweep import adjoints
from ..graph.walk import downstream, steps_of, topological
from .dot import Arrow, Picture
from .html_labels import LEGEND, SMALL_POINTS, Box, box_size
from .layout import Cell, Placement, columns, text_width
from .words import absorbed, addition, badge, expression, expressions, fitting, listed, term, vector

MOST_APART: Final = 4


class Sketch:
    """The boxes and arrows of a picture, and what was found out about the graph on the way.

    The copies of `weights` are drawn apart.  With `fold`, what does not depend on them becomes
    constants.  With `notes`, arrows carry the local derivatives.  Gradients are shown where
    `backward` has reached the output, or with `known`.
    """

    def __init__(
        self,
        output: Any,
        weights: Sequence[Any],
        run: Any,
        *,
        fold: bool,
        notes: bool,
        known: bool = False,
    ) -> None:
        self.output, self.weights, self.run = output, weights, run
        self.fold, self.notes = fold, notes
        self.known = known or output.grad != 0.0
        self.order = topological(output)
        self.uses = {weight: copies(weight, output, run) for weight in weights}
        self.use_at = {
            (use.consumer, use.position): use for uses in self.uses.values() for use in uses
        }
        self.adjoint = adjoints(output)
        self.step_of = {} if run is None else steps_of(run)
        initial = () if run is None else run.state
        self.initial = set(initial)
        self.states = self.initial.union(*[step.q for step in run.steps] if run else [])
        self.stateful = downstream(self.order, initial)
        self.texts = expressions(self.order)
        self.kept = {node for node in self.order if node.parents}
        if fold:
            self.kept = downstream(self.order, weights) - set(weights)
        for weight, uses in self.uses.items():
            if not uses:
                raise ArgumentValueError(
                    f"output does not depend on focus ({weight!r}): there is nothing to draw apart."
                )
        self.boxes: dict[str, Box] = {}
        self.arrows: list[Arrow] = []
        self.nodes: dict[str, Any] = {}
        self.ids: dict[Any, str] = {}
        for place, weight in enumerate(weights, 1):
            self._add_parameter(weight, f"p{place}")
        for number_, node in enumerate(self.order, 1):
            if node in self.kept:
                self._add_result(node, f"n{number_}")
            elif not fold and node not in self.uses and (node is output or not absorbed(node)):
                self._add_leaf(node, f"n{number_}")
        self._add_cuts()

    # --- boxes and arrows -----------------------------------------------------------------------

    def _add_parameter(self, weight: Any, id: str) -> None:
        name = self.texts[weight].text
        total = self.adjoint.get(weight, 0.0)
        terms = [use.grad for use in self.uses[weight]]
        grad = addition(terms, total) if self.known else "–"
        self._add(id, weight, "parameter", name, None, grad, None)
        self.ids[weight] = id

    def _add_leaf(self, leaf: Any, id: str) -> None:
        role = "constant" if leaf.constant else "state" if leaf in self.states else "parameter"
        # An input stands in the panel of the step that reads it.
        step = self._reader(leaf) if leaf.constant else None
        self._add(id, leaf, role, self.texts[leaf].text, None, self._grad(leaf), step)
        self.ids[leaf] = id

    def _reader(self, leaf: Any) -> int | None:
        steps = () if self.run is None else self.run.steps
        return next((step.k for step in steps if leaf in step.x), None)

    def _add_result(self, node: Any, id: str) -> None:
        step = self.step_of.get(node)
        operands = [self.texts[parent] for parent in node.parents]
        for position, parent in enumerate(node.parents):
            use = self.use_at.get((node, position))
            note = number(node.partials[position]) if self.notes else None
            if use is not None:
                operands[position] = Text(self._copy_name(use))
                self._add_copy(use, step)
                self._join(self.copy_id(use), id, "flow", note=note)
                continue
            if parent in self.ids:
                tail = self.ids[parent]
            elif absorbed(parent):
                continue
            else:
                tail = f"{id}_{position + 1}"
                self._add_card(parent, node, tail)
            role = "state" if parent in self.states else "flow"
            self._join(tail, id, role, note=None if parent.constant else note)
        written = write(node.op, *operands).text
        name = label(node.name) if node.name is not None else self._role_name(node, written)
        role = "output" if node is self.output else "state" if node in self.states else "plain"
        symbol = node.op.symbol if name == written else badge(node)
        self._add(id, node, role, name, symbol, self._grad(node), step)
        self.ids[node] = id

    def copy_id(self, use: Copy) -> str:
        """The box of a copy."""
        place = self.weights.index(use.parameter)
        return f"c{use.index}" if place == 0 else f"c{use.index}_{place + 1}"

    def _add_copy(self, use: Copy, step: int | None) -> None:
        id, grad = self.copy_id(use), number(use.grad) if self.known else "–"
        self._add(id, use.parameter, "copy", self._copy_name(use), None, grad, step)
        # Read aloud, accents are lost.
        of = f"{self.texts[use.parameter].text}, copy {use.index}"
        where = "" if use.step is None else f" in step {use.step}"
        full = f"{of}{where}: data {use.data!r}, grad {grad}"
        self.boxes[id] = self.boxes[id]._replace(description=full)
        chip = term(grad) if self.known else None
        self._join(self.ids[use.parameter], id, "fan", chip=chip)

    def _add_card(self, node: Any, consumer: Any, id: str) -> None:
        """What does not depend on the focus, folded into one box per use."""
        initial = node in self.initial
        role = "state" if initial else "constant"
        step = None if initial else self.step_of.get(node, self.step_of.get(consumer))
        grad = self._grad(node) if initial else None
        self._add(id, node, role, self.texts[node].text, None, grad, step)

    def _add_cuts(self) -> None:
        for uses in self.uses.values():
            for use, following in pairwise(uses):
                self._join(self.copy_id(use), self.copy_id(following), "cut")

    def _add(
        self,
        id: str,
        node: Any,
        role: str,
        name: str,
        badge: str | None,
        grad: str | None,
        step: int | None,
    ) -> None:
        description = f"{name}: data {node.data!r}"
        description += "" if grad is None else f", grad {grad}"
        data = number(node.data)
        self.boxes[id] = Box(id, role, name, badge, data, grad, description, step)
        self.nodes[id] = node

    def _join(
        self, tail: str, head: str, role: str, *, chip: str | None = None, note: str | None = None
    ) -> None:
        self.arrows.append(Arrow(f"e{len(self.arrows) + 1}", role, tail, head, chip, note))

    def _grad(self, node: Any) -> str | None:
        if node.constant:
            return None
        return number(self.adjoint.get(node, 0.0)) if self.known else "–"

    def _copy_name(self, use: Copy) -> str:
        accents = len(self.uses[use.parameter]) <= 4
        return accent(self.texts[use.parameter].text, use.index, accents)

    def _role_name(self, node: Any, written: str) -> str:
        if node is self.output and self.run is not None and node not in self.step_of:
            return "L"
        return fitting(Text(written), self.texts[node]).text

    # --- the picture ----------------------------------------------------------------------------

    def picture(self, title: str | None) -> Picture:
        """The record of all that is drawn."""
        roles = {box.role for box in self.boxes.values()}
        words = dict(LEGEND)
        if not self.weights:
            words["parameter"] = "variable"
        elif self.fold:
            words["constant"] = f"constant for {self._weight_names()}"
        if self.run is not None and self.output not in self.step_of:
            words["output"] = "loss"
        return Picture(
            title=self._title() if title is None else title,
            subtitle=self._subtitle(),
            boxes=tuple(self.boxes.values()),
            arrows=tuple(self.arrows),
            panels=self._panels(),
            legend={role: word for role, word in words.items() if role in roles},
            cuts=getattr(self.run, "cuts", ()),
        )

    def _title(self) -> str:
        if not self.weights:
            return f"How {self.output_name()} is computed"
        names = self._weight_names()
        if not self.fold:
            return f"The whole graph, with every copy of {names}"
        if len(self.use_at) == 1:
            return f"The copy of {names} separates it from the output"
        them = "it" if len(self.weights) == 1 else "them"
        return f"The copies of {names} separate {them} from the output"

    def _weight_names(self) -> str:
        return listed([self.texts[weight].text for weight in self.weights])

    def _subtitle(self) -> str:
        """How the last step and the output are computed; nothing where that is too long."""
        if self.notes:
            return "a number on an arrow is the local derivative"
        steps: Sequence[Any] = () if self.run is None else self.run.steps
        last = [n for n in self.order if n.name is not None and self.step_of.get(n) == len(steps)]
        if len(steps) > 1 and self.states.isdisjoint(last):
            last = [q for q in steps[-2].q if q in self.step_of and q in self.texts] + last
        lines = []
        if self.output not in last and self.output.parents:
            last.append(self.output)
        for node in last:
            written = expression(node, self.texts).text
            name = self.output_name() if node is self.output else label(node.name)
            if name != written:
                lines.append(f"{name} = {written}")
        subtitle = "     ".join(lines)
        return subtitle if len(subtitle) <= 100 else ""

    def _panels(self) -> Mapping[int, str]:
        drawn = {box.step for box in self.boxes.values()}
        return {
            step.k: f"step {step.k}   {accent('x', step.k)} = {vector([x.data for x in step.x])}"
            for step in (() if self.run is None else self.run.steps)
            if step.k in drawn
        }

    def output_name(self) -> str:
        """What the output is called in the picture."""
        return self.boxes[self.ids[self.output]].name

    def placement(self) -> Placement | None:
        """Where the boxes go, where the states form one chain; None leaves it to `dot`."""
        return _place(self) if self.weights else None

    def summary(self) -> str:
        """What is drawn, in one line."""
        name, value = self.output_name(), number(self.output.data)
        summary = f"{name} = {value}, {len(self.boxes)} boxes"
        if not self.weights:
            return summary
        plural = "copy" if len(self.use_at) == 1 else "copies"
        return f"{summary}, {len(self.use_at)} {plural} of {self._weight_names()}"


def sketch_graph(
    output: Any, focus: Sequence[Any], run: Any, edges: str | None, *, known: bool = False
) -> Sketch:
    """The sketch of the copies of some weights; without any, of the whole graph.

    In a network of one state that two weights make, the whole graph has the copies of both apart.
    """
    if focus:
        return Sketch(output, focus, run, fold=True, notes=edges == "local", known=known)
    weights = [] if run is None else shared_weights(output, run)
    if 1 <= len(weights) <= MOST_APART:
        notes = edges in (None, "local")
        whole = Sketch(output, weights, run, fold=False, notes=notes, known=known)
        if whole.placement() is not None:
            return whole
    return Sketch(output, [], run, fold=False, notes=edges == "local", known=known)


def shared_weights(output: Any, run: Any) -> list[Any]:
    """The variables that the steps of a network use on the way to the output, in order."""
    steps = steps_of(run)
    used = {parent for node in topological(output) if node in steps for parent in node.parents}
    return [
        leaf for leaf in run.given if leaf in used and not leaf.constant and leaf not in run.state
    ]


# --- where the boxes go --------------------------------------------------------------------------


def _place(sketch: Sketch) -> Placement | None:
    """The placement of a picture whose states form one chain, the spine; None for other graphs.

    The spine runs back from the output along what depends on the initial state.  Over a box of it
    stands the copy that it uses, under it a constant.  A product with a copy of its own stands over
    it too, its copy on top, but under it where two weights are apart, and the other has the top.
    """
    fed_by: dict[str, list[str]] = {id: [] for id in sketch.boxes}
    for arrow in sketch.arrows:
        if arrow.role not in ("fan", "cut"):
            fed_by[arrow.head].append(arrow.tail)
    cells: dict[str, Cell] = {}

    def place(id: str, spine_box: str, row: int, beside: bool = False) -> None:
        width, height = box_size(sketch.boxes[id])
        cells[id] = Cell(width, height, spine_box, row, sketch.boxes[id].step, beside)

    rows: dict[Any, int] = {}

    def row_of(copy: str) -> int:
        """A row over the spine for all copies of a weight, the next one for the next weight."""
        return rows.setdefault(sketch.nodes[copy], len(rows) + 1)

    side = 1 if len(sketch.weights) == 1 else -1
    spine = [sketch.ids[sketch.output]]
    while True:
        box = spine[-1]
        place(box, box, 0)
        kinds: dict[str, list[str]] = {"back": [], "copy": [], "constant": [], "branch": []}
        for operand in fed_by[box]:
            kinds[_kind(sketch, operand)].append(operand)
        beyond: dict[int, list[str]] = {1: [], -1: list(kinds["constant"])}
        beyond[side] += kinds["branch"]
        for copy in kinds["copy"]:
            beyond.setdefault(row_of(copy), []).append(copy)
        if len(kinds["back"]) > 1 or any(len(operands) > 1 for operands in beyond.values()):
            return None
        for row, operands in beyond.items():
            for operand in operands:
                place(operand, box, row)
        for branch in kinds["branch"]:
            inner = [(_kind(sketch, operand), operand) for operand in fed_by[branch]]
            if sorted(kind for kind, _ in inner) not in (["copy"], ["constant", "copy"]):
                return None
            for kind, operand in inner:
                if kind == "copy":
                    place(operand, box, 2 * side)
                else:
                    place(operand, branch, side, beside=True)
        if not kinds["back"]:
            break
        spine.append(kinds["back"][0])
    if len(cells) + len(sketch.weights) < len(sketch.boxes) or not _one_weight_a_row(sketch, cells):
        return None
    room = max([text_width(arrow.note or "", SMALL_POINTS) for arrow in sketch.arrows], default=0.0)
    return columns(cells, spine[::-1], room + 12.0)


def _one_weight_a_row(sketch: Sketch, cells: Mapping[str, Cell]) -> bool:
    """Whether each weight's copies are one row, and the only copies in it."""
    rows = {
        (sketch.nodes[id], cell.row)
        for id, cell in cells.items()
        if sketch.boxes[id].role == "copy"
    }
    return len(rows) == len(sketch.weights) == len({row for _, row in rows})


def _kind(sketch: Sketch, id: str) -> str:
    node = sketch.nodes[id]
    if sketch.boxes[id].role == "copy":
        return "copy"
    if node in sketch.stateful:
        return "back"
    return "branch" if node in sketch.kept else "constant"
