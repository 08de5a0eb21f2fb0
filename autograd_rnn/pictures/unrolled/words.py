"""What the boxes of neurons say: names, numbers, and what each copy is multiplied by."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import Any, Final

from ...errors import ArgumentValueError
from ...graph.copies import Copy
from ...graph.notation import is_not_finite, label
from ...graph.quantities import called, write_inside
from .. import html_labels as html
from ..graph_view import LEGEND, LONGEST_EXPRESSION, DrawnRun, badge
from ..theme import Theme
from .neurons import Neuron, Neurons

WORDS_POINTS: Final = 14.0
KEY_HEIGHT: Final = 18
ROW_HEIGHT: Final = 24
LAST: Final = 8  # under the last row


class View(Neurons):
    """What the boxes say, in words."""

    def __init__(self, output: Any, weights: Sequence[Any], run: DrawnRun) -> None:
        super().__init__(output, weights, run)
        if not self.step_of.keys() & set(self.order):
            raise ArgumentValueError("output depends on no step of run: there is no box to draw.")
        self.texts = write_inside(self.order, LONGEST_EXPRESSION)
        steps = {neuron.step for neuron in self.rows}
        self.steps = [step for step in self.steps if step.k in steps]
        layers = [neuron.layer for neuron in self.rows]
        self.layers = sorted(set(layers))

    def output_name(self) -> str:
        """What the output is called."""
        node = self.output
        given = called(node)
        if given is not None:
            return label(given)
        return "L" if self.is_loss else self.texts[node].text

    def told(self) -> str:
        """How the boxes are to be read."""
        if not self.known:
            return "no gradient has run back yet"
        slope = f"∂{self.output_name()}/∂"
        if not self.weights:
            last = next(iter(self.rows.values()))[-1]
            return f"beside each number its gradient, as in {slope}{self.name(last)}"
        name = self.texts[self.weights[0]].text
        return f"each copy adds {slope}(copy), and the sum of them all is {slope}{name}"

    def legend(self) -> dict[str, str]:
        """The words of each role that is there."""
        words = dict(LEGEND) | {"plain": "inside of a step"}
        if self.is_loss:
            words["output"] = "loss"
        del words["constant"]
        roles = {self.role(node) for rows in self.rows.values() for node in rows}
        roles |= {"parameter", "copy"} if self.weights else set()
        roles |= {"output"} if self.output not in self.of else set()
        return {role: word for role, word in words.items() if role in roles}

    def factor(self, use: Copy) -> str:
        """What a copy is multiplied by, `× q̇₁`; nothing for an offset."""
        other = self.multiplied(use)
        return "" if other is None else f"× {self.short(other, self.texts[other].text)}"

    def multiplied(self, use: Copy) -> Any:
        """The number that a copy is multiplied by, or None."""
        consumer = use.consumer
        if consumer.op.operator is not mul:
            return None
        return self.before_cut(consumer.parents[1 - use.position])

    def name(self, node: Any) -> str:
        """How a number is called in its box."""
        return html.clean(self.texts[node].text, LONGEST_EXPRESSION)

    def grad(self, node: Any) -> str:
        """The gradient of a number as it is shown."""
        return "" if node.constant else self.shown(self.adjoint.get(node, 0.0))

    def full(self, node: Any) -> str:
        """A number with all its digits, in words."""
        grad = "" if node.constant else f", grad {self.exact(self.adjoint.get(node, 0.0))}"
        return f"{self.name(node)}: data {node.data!r}{grad}"

    def key(self, neuron: Neuron, named: bool = False) -> str:
        """What a box is, in a word or two; nothing where every step has one, unless `named`."""
        places = {n.place for n in self.rows if n.layer == neuron.layer}
        layer = f"layer {neuron.layer + 1}" if len(self.layers) > 1 else ""
        named = (named or len(places) > 1) and not layer
        place = f"neuron {neuron.place + 1}" if named else ""
        return layer or place

    def copy_box(self, use: Copy) -> html.Box:
        """The box of a copy, and in words which one it is."""
        place = self.weights.index(use.parameter)
        id = f"c{use.index}" if place == 0 else f"c{use.index}_{place + 1}"
        data, grad = self.data(use.parameter, as_computed=True), self.shown(use.grad)
        where = "" if use.step is None else f" in step {use.step}"
        words = f"{self.texts[use.parameter].text}, copy {use.index}{where}"
        words += f": data {use.data!r}, grad {self.exact(use.grad)}"
        name = self.copy_name(use)
        return html.Box(id, "copy", name, data, grad, description=words, about=(use,))

    def parameter_box(self, weight: Any, id: str, in_full: bool) -> html.Box:
        """The box of a weight, its gradient in full as the sum of the terms."""
        name, data = self.texts[weight].text, self.data(weight)
        grad = self.sum_of_terms(weight) if in_full else self.shown(self.adjoint[weight])
        exact = self.sum_of_terms(weight, exact=True) if in_full else ""
        exact = exact or self.exact(self.adjoint[weight])
        words = f"{name}: data {weight.data!r}, grad {exact}"
        return html.Box(id, "parameter", name, data, grad, description=words, about=(weight,))

    def badge_of_output(self) -> str:
        """The op of the output."""
        return badge(self.output)

    def outside(self) -> dict[Any, list[Copy]]:
        """The copies of each weight that no step uses."""
        found = {w: [use for use in uses if use.step is None] for w, uses in self.uses.items()}
        return {weight: uses for weight, uses in found.items() if uses}


def neuron_label(
    rows: Sequence[tuple[str, str, str, str]],
    key: str,
    widths: Sequence[int],
    role: str,
    theme: Theme,
) -> str:
    """The numbers of a neuron, a line each: name, data and grad."""
    line = theme.styles[role]

    def cells(fill: str, height: int, *texts: str) -> str:
        return "".join(
            html.cell(text, align=align, width=width, height=height, bgcolor=fill)
            for align, width, text in zip(("LEFT", "RIGHT", "RIGHT"), widths, texts, strict=True)
        )

    keys = [html.font(f" {word}  ", html.KEY_POINTS, theme.muted) for word in (key, "data", "grad")]
    lines = [cells(line.fill, KEY_HEIGHT, *keys)]
    for role, name, data, grad in rows:
        style = theme.styles[role]
        texts = [
            html.font(f" {name}", WORDS_POINTS, style.ink, bold=True),
            html.font(f"{data} ", html.VALUE_POINTS, theme.ink, is_not_finite(data)),
            html.font(f"{grad} ", html.VALUE_POINTS, theme.gradient, bold=True),
        ]
        lines.append(cells(style.fill, ROW_HEIGHT, *texts))
    lines.append(html.cell(colspan=3, height=4, cellpadding=0))
    looks: html.Looks = {**html.BARE, "cellpadding": "0", "style": "ROUNDED"}
    looks |= {"border": line.border, "color": line.line, "bgcolor": line.fill}
    return html.table(lines, **looks)
