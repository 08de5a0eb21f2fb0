"""The derivative in a long network of one state by the recursion of δ, and a table of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..errors import ArgumentValueError
from ..graph.notation import label, number, superscript
from ..graph.walk import Node
from ..networks.bptt import TOLERANCE, past_the_steps
from ..networks.model import Model
from ..networks.vectors import components
from ..program.displays import Grid, Lines, derivative, enclosed, symbol
from ..program.formulas import Formula
from ..program.structure import Structure
from .document import Section, Sentence
from .matrices import Inline

FEW: Final = 5  # steps from which on the recursion is shorter than products
DOT: Final = Formula("·", r" \cdot ")


class Numbers:
    """The numbers of the recursion in a network of one state, a list each with an entry per step.

    `delta` is ∂L/∂π, `direct` the parts ∂⁺ of it and of ∂L/∂q that go through no later step, and
    `slopes` a′(π), nothing where the state is π itself.  `holds` says whether δ is what the
    recursion comes to.
    """

    def __init__(self, output: Any, model: Model, run: Any, structure: Structure) -> None:
        known, past = past_the_steps(output, run)
        nodes = {key: [getattr(step, key)[0] for step in run.steps] for key in structure.vectors}
        self.values = {key: [node.data for node in own] for key, own in nodes.items()}
        self.direct = {key: [past.get(node, 0.0) for node in own] for key, own in nodes.items()}
        self.delta = [known.get(step.pi[0], 0.0) for step in run.steps]
        self.weights_alone = any(past.get(weight, 0.0) for weight in model.parameters())
        active = "pi" in structure.activations()
        self.slopes = [step.q[0].partials[0] for step in run.steps] if active else []
        self.before = [run.state[0].data, *[step.q[0].data for step in run.steps[:-1]]]
        w, later, self.holds = model.weights[int(model.bias)][0].data, 0.0, True
        for t, step in reversed(list(enumerate(run.steps))):
            behind = 0.0 if step.k + 1 in run.cuts else w * later
            if active:
                behind = self.slopes[t] * (behind + self.direct["q"][t])
            later = behind + self.direct["pi"][t]
            size = max(1e-300, *map(abs, self.delta))
            self.holds = self.holds and not abs(later - self.delta[t]) > TOLERANCE * size

    def operands(self, model: Model, run: Any, place: int) -> list[float]:
        """What a weight multiplies at each step: 1, the state before, or an input."""
        if place < model.bias:
            return [1.0] * len(run.steps)
        if place == model.bias:
            return self.before
        return [step.x[place - model.bias - 1].data for step in run.steps]


def by_recursion(output: Any, parameter: Node, run: Any) -> list[Section]:
    """The derivative in a long network of one state by the recursion of δ; nothing for others."""
    model = getattr(run, "rnn", None)
    if not isinstance(model, Model) or len(run.steps) < FEW or model.states != 1:
        return []
    place = next((i for i, one in enumerate(model.parameters()) if one is parameter), None)
    if place is None or len(model._layers()) > 1 or len(model.gates) > 1:
        return []
    try:
        structure = Structure(model)
    except ArgumentValueError:  # its step is not written in vectors
        return []
    if not structure.vectors.keys() <= {"pi", "q"} or "pi" not in structure.vectors:
        return []
    found = Numbers(output, model, run, structure)
    if found.weights_alone or not found.holds:
        return []
    w, inner = [label(str(one.name)) for one in (parameter, model.weights[int(model.bias)][0])]
    recurrent = symbol(inner)
    pi, q, delta = symbol("π"), symbol("q"), symbol("δ")
    behind, columns = recurrent + DOT + _at_step(delta, 1), [(pi, found.values["pi"])]
    read = [key for key in ("q", "pi") if any(found.direct.get(key, ()))]
    if "q" in read:
        behind = enclosed(behind + " + " + derivative(_at_step(q), "⁺", "^{+}"))
    if found.slopes:
        slope = Formula("a′", "a'")
        factor = slope + enclosed(_at_step(pi)) + DOT
        straight = recurrent + DOT + factor + _at_step(delta, 1)
        behind = factor + behind if "q" in read else straight
        columns.append((slope + enclosed(pi), found.slopes))
    if "pi" in read:
        behind = behind + " + " + derivative(_at_step(pi), "⁺", "^{+}")
    operands = found.operands(model, run, place)
    name = _at_step(symbol(_operand(model, place)), -1 if place == model.bias else 0)
    term = _at_step(delta) if place < model.bias else _at_step(delta) + DOT + name
    names, terms = {"q": q, "pi": pi}, [d * x for d, x in zip(found.delta, operands, strict=True)]
    columns += [(derivative(names[key], "⁺", "^{+}"), found.direct[key]) for key in read]
    columns += [(delta, found.delta), *[(name, operands)] * (place >= model.bias)]
    columns.append((term, terms))
    words = "The products from the last step down grow by one factor per step. With "
    defined = Inline(_at_step(delta) + " = " + derivative(_at_step(pi)))
    total = Formula("Σₖ ", r"\sum_{k} ") + term
    lines = Lines((_at_step(delta), behind), (derivative(symbol(w)), total))
    grid = _table([step.k for step in run.steps], columns, sum(terms))
    return [Section("By recursion", [Sentence(words, defined, ":"), lines, grid])]


def _table(
    ks: Sequence[int], columns: Sequence[tuple[Formula, Sequence[float]]], total: float
) -> Grid:
    """A row for each step, the last one first, and the sum of the last column."""
    rows = [
        [str(k), *[number(numbers[t]) for _, numbers in columns]]
        for t, k in reversed(list(enumerate(ks)))
    ]
    foot = ["Σ", *[""] * (len(columns) - 1), number(total)]
    return Grid([Formula("k", "k"), *[name for name, _ in columns]], [*rows, foot], 1)


def _operand(model: Model, place: int) -> str:
    """The name of what a weight multiplies, without its step."""
    if place <= model.bias:
        return "1" if place < model.bias else model.letters[0]
    return label(components("x", model.inputs, None)[place - model.bias - 1])


def _at_step(name: Formula, later: int = 0) -> Formula:
    """The name with a step, k or a later one."""
    time = f"(k{later:+d})" if later else "(k)"
    return Formula(f"{name.text}{superscript(time)}", f"{name.latex}^{{{time}}}")
