"""A graph as the record of a picture: one weight's copies apart, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .dot import Arrow, Picture
from .errors import ArgumentValueError
from .graph import Copy, adjoints, copies, layers, topological
from .labels import LEGEND, Box, box_size
from .layout import Cell, Placement, columns
from .notation import Text, accent, label, number, write, write_number

__all__ = ["Sketch"]

LONGEST_EXPRESSION: Final = 24


class Sketch:
    """The boxes and arrows of a picture, and what was found out about the graph on the way."""

    def __init__(self, output: Any, focus: Any, run: Any) -> None:
        self.output, self.focus, self.run = output, focus, run
        self.order = topological(output)
        self.uses: tuple[Copy, ...] = () if focus is None else copies(focus, output, run)
        self.use_at = {(use.consumer, use.position): use for use in self.uses}
        self.adjoint = adjoints(output)
        self.layer = {} if run is None else layers(run)
        initial = () if run is None else run.state
        self.initial = set(initial)
        self.states = self.initial.union(*[step.q for step in run.steps] if run else [])
        self.stateful = _downstream(self.order, initial)
        self.texts = _expressions(self.order)
        if focus is None:
            self.kept = {node for node in self.order if node.parents}
        else:
            self.kept = _downstream(self.order, [focus]) - {focus}
            if not self.uses:
                raise ArgumentValueError(
                    f"output does not depend on focus ({focus!r}): there is nothing to draw apart."
                )
        self.boxes: dict[str, Box] = {}
        self.arrows: list[Arrow] = []
        self.nodes: dict[str, Any] = {}
        self.ids: dict[Any, str] = {}
        self._add_parameter()
        for number_, node in enumerate(self.order, 1):
            if node in self.kept:
                self._add_result(node, f"n{number_}")
            elif focus is None and (node is output or not _absorbed(node)):
                self._add_leaf(node, f"n{number_}")
        self._add_cut()

    # --- boxes and arrows -----------------------------------------------------------------------

    def _add_parameter(self) -> None:
        if self.focus is None:
            return
        name = self.texts[self.focus].text
        total = self.adjoint.get(self.focus, 0.0)
        grad = _sum([use.grad for use in self.uses], total) if self.output.grad else "–"
        self._add("p1", self.focus, "parameter", name, None, grad, None)

    def _add_leaf(self, leaf: Any, id: str) -> None:
        role = "constant" if leaf.constant else "state" if leaf in self.states else "parameter"
        self._add(id, leaf, role, self.texts[leaf].text, None, self._grad(leaf), None)
        self.ids[leaf] = id

    def _add_result(self, node: Any, id: str) -> None:
        step = self.layer.get(node)
        operands = [self.texts[parent] for parent in node.parents]
        for position, parent in enumerate(node.parents):
            if parent is self.focus:
                use = self.use_at[node, position]
                operands[position] = Text(self._copy_name(use))
                self._add_copy(use, step)
                self._join(f"c{use.index}", id, "flow")
                continue
            if parent in self.ids:
                tail = self.ids[parent]
            elif _absorbed(parent):
                continue
            else:
                tail = f"{id}_{position + 1}"
                self._add_card(parent, node, tail)
            self._join(tail, id, "state" if parent in self.states else "flow")
        written = write(node.op, *operands).text
        name = label(node.name) if node.name is not None else self._role_name(node, written)
        role = "output" if node is self.output else "state" if node in self.states else "plain"
        badge = node.op.symbol if name == written else _badge(node)
        self._add(id, node, role, name, badge, self._grad(node), step)
        self.ids[node] = id

    def _add_copy(self, use: Copy, step: int | None) -> None:
        id, grad = f"c{use.index}", number(use.grad) if self.output.grad else "–"
        self._add(id, use.parameter, "copy", self._copy_name(use), None, grad, step)
        self._join("p1", id, "fan", _term(grad) if self.output.grad else None)

    def _add_card(self, node: Any, consumer: Any, id: str) -> None:
        """What does not depend on the focus, folded into one box per use."""
        initial = node in self.initial
        role = "state" if initial else "constant"
        step = None if initial else self.layer.get(node, self.layer.get(consumer))
        grad = self._grad(node) if initial else None
        self._add(id, node, role, self.texts[node].text, None, grad, step)

    def _add_cut(self) -> None:
        for use, following in zip(self.uses, self.uses[1:], strict=False):
            self._join(f"c{use.index}", f"c{following.index}", "cut")

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

    def _join(self, tail: str, head: str, role: str, chip: str | None = None) -> None:
        self.arrows.append(Arrow(f"e{len(self.arrows) + 1}", role, tail, head, chip))

    def _grad(self, node: Any) -> str | None:
        if node.constant:
            return None
        return number(self.adjoint.get(node, 0.0)) if self.output.grad else "–"

    def _copy_name(self, use: Copy) -> str:
        return accent(self.texts[self.focus].text, use.index, accents=len(self.uses) <= 4)

    def _role_name(self, node: Any, written: str) -> str:
        if node is self.output and self.run is not None and node not in self.layer:
            return "L"
        return written if len(written) <= LONGEST_EXPRESSION else self.texts[node].text

    # --- the picture ----------------------------------------------------------------------------

    def picture(self, title: str | None) -> Picture:
        """The record of all that is drawn."""
        roles = {box.role for box in self.boxes.values()}
        words = dict(LEGEND)
        if self.focus is None:
            words["parameter"] = "variable"
        else:
            words["constant"] = f"constant for {self.texts[self.focus].text}"
        if self.run is not None and self.output not in self.layer:
            words["output"] = "loss"
        return Picture(
            title=self._title() if title is None else title,
            subtitle=self._subtitle(),
            boxes=tuple(self.boxes.values()),
            arrows=tuple(self.arrows),
            panels=self._panels(),
            legend={role: word for role, word in words.items() if role in roles},
        )

    def _title(self) -> str:
        if self.focus is None:
            return f"How {self._output_name()} is computed"
        name = self.texts[self.focus].text
        if len(self.uses) == 1:
            return f"The copy of {name} separates it from the output"
        return f"The copies of {name} separate it from the output"

    def _subtitle(self) -> str:
        """How the last step and the output are computed; nothing where that is too long."""
        steps: Sequence[Any] = () if self.run is None else self.run.steps
        last = [n for n in self.order if n.name is not None and self.layer.get(n) == len(steps)]
        if len(steps) > 1 and self.states.isdisjoint(last):
            last = [q for q in steps[-2].q if q in self.layer] + last
        lines = []
        if self.output not in last and self.output.parents:
            last.append(self.output)
        for node in last:
            written = write(node.op, *[self.texts[parent] for parent in node.parents]).text
            name = self._output_name() if node is self.output else label(node.name)
            if name != written:
                lines.append(f"{name} = {written}")
        subtitle = "     ".join(lines)
        return subtitle if len(subtitle) <= 100 else ""

    def _panels(self) -> Mapping[int, str]:
        drawn = {box.step for box in self.boxes.values()}
        return {
            step.k: f"step {step.k}   {accent('x', step.k)} = {_vector(step.x)}"
            for step in (() if self.run is None else self.run.steps)
            if step.k in drawn
        }

    def _output_name(self) -> str:
        return self.boxes[self.ids[self.output]].name

    def placement(self) -> Placement | None:
        """Where the boxes go, where the states form one chain; None leaves it to `dot`."""
        return None if self.focus is None else _place(self)

    def summary(self) -> str:
        """What is drawn, in one line."""
        name, value = self._output_name(), number(self.output.data)
        summary = f"{name} = {value}, {len(self.boxes)} boxes"
        if self.focus is None:
            return summary
        plural = "copy" if len(self.uses) == 1 else "copies"
        return f"{summary}, {len(self.uses)} {plural} of {self.texts[self.focus].text}"


# --- what is written into boxes ------------------------------------------------------------------


def _absorbed(node: Any) -> bool:
    """Whether the node is a plain number, as the 2 of `x ** 2`, and so part of its consumer."""
    return node.constant and node.name is None


def _expressions(order: Sequence[Any]) -> dict[Any, Text]:
    """How each node is written where it is an operand: its name, or what it is computed from."""
    texts: dict[Any, Text] = {}
    for index, node in enumerate(order, 1):
        if node.name is not None:
            texts[node] = Text(label(node.name))
        elif node.constant:
            texts[node] = write_number(node.data)
        else:
            texts[node] = Text(label(f"v_{index}"))
            if node.parents:
                written = write(node.op, *[texts[parent] for parent in node.parents])
                if len(written.text) <= LONGEST_EXPRESSION:
                    texts[node] = written
    return texts


def _badge(node: Any) -> str:
    """The op's symbol, with the plain numbers among its operands: `15 − ( )`, `( )²`."""
    if not any(_absorbed(parent) for parent in node.parents):
        return str(node.op.symbol)
    operands = [
        write_number(parent.data) if _absorbed(parent) else Text("( )") for parent in node.parents
    ]
    return write(node.op, *operands).text


def _sum(terms: Sequence[float], total: float) -> str:
    """`0 + 16 + 16 = 32`, with the middle of a long sum left out."""
    written = [number(term) for term in terms]
    if len(written) == 1:
        return written[0]
    if len(written) > 6:
        written = [*written[:2], "…", *written[-2:]]
    return " ".join([written[0], *map(_term, written[1:]), "=", number(total)])


def _term(written: str) -> str:
    """A number as one more term: `+ 16`, `− 4`."""
    return f"− {written[1:]}" if written.startswith("−") else f"+ {written}"


def _vector(entries: Sequence[Any]) -> str:
    if len(entries) == 1:
        return number(entries[0].data)
    shown = [number(entry.data) for entry in entries[:8]]
    return f"[{' '.join(shown)}{' …' if len(entries) > 8 else ''}]"


# --- where the boxes go --------------------------------------------------------------------------


def _downstream(order: Sequence[Any], sources: Sequence[Any]) -> set[Any]:
    """The sources and all that is computed from them."""
    found = set(sources)
    for node in order:
        if any(parent in found for parent in node.parents):
            found.add(node)
    return found


def _place(sketch: Sketch) -> Placement | None:
    """The placement of a picture whose states form one chain, the spine; None for other graphs.

    The spine runs back from the output along what depends on the initial state.  Over a box of it
    stands the copy that it uses, or a product with the copy over it; under it a constant.
    """
    fed_by: dict[str, list[str]] = {id: [] for id in sketch.boxes}
    for arrow in sketch.arrows:
        if arrow.role not in ("fan", "cut"):
            fed_by[arrow.head].append(arrow.tail)
    cells: dict[str, Cell] = {}

    def place(id: str, spine_box: str, row: int, beside: bool = False) -> None:
        width, height = box_size(sketch.boxes[id])
        cells[id] = Cell(width, height, spine_box, row, sketch.boxes[id].step, beside)

    spine = [sketch.ids[sketch.output]]
    while True:
        box = spine[-1]
        place(box, box, 0)
        kinds: dict[str, list[str]] = {"back": [], "copy": [], "constant": [], "branch": []}
        for operand in fed_by[box]:
            kinds[_kind(sketch, operand)].append(operand)
        over, under = kinds["copy"] + kinds["branch"], kinds["constant"]
        if len(kinds["back"]) > 1 or len(over) > 1 or len(under) > 1:
            return None
        for operand in over:
            place(operand, box, 1)
        for operand in under:
            place(operand, box, -1)
        for branch in kinds["branch"]:
            inner = [(_kind(sketch, operand), operand) for operand in fed_by[branch]]
            if sorted(kind for kind, _ in inner) not in (["copy"], ["constant", "copy"]):
                return None
            for kind, operand in inner:
                if kind == "copy":
                    place(operand, box, 2)
                else:
                    place(operand, branch, 1, beside=True)
        if not kinds["back"]:
            break
        spine.append(kinds["back"][0])
    if len(cells) + 1 < len(sketch.boxes):
        return None
    return columns(cells, spine[::-1])


def _kind(sketch: Sketch, id: str) -> str:
    node = sketch.nodes[id]
    if sketch.boxes[id].role == "copy":
        return "copy"
    if node in sketch.stateful:
        return "back"
    return "branch" if node in sketch.kept else "constant"
