"""What the quantities of a derivation and their derivatives are called."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..graph.identities import Slope
from ..graph.marks import MARKED
from ..graph.notation import LATEX, TEXT, Text, accent, accents_suffice, label, listed, written_with
from ..graph.quantities import called
from ..graph.walk import Node, Run, operation, steps_of, topological
from ..networks.vectors import components
from ..ops.op import CALL, POWER, Op
from .document import Row, Sentence
from .expressions import Expression, Symbol

MOST_LISTED: Final = 48  # weights of a matrix that is shown
NUMBERED: Final = re.compile(r"w_[0-9]+")
#: Terms of a loss are found through sums, and through products and quotients with a constant.
LINEAR: Final = (operator.add, operator.sub, operator.neg, operator.mul, operator.truediv)
SUMS: Final = (operator.add, operator.sub)
#: Where the recursion of δ begins.
FROM_THE_LAST: Final = ", from the last step to the first; what would come after it is 0"


@contextmanager
def one_system(output: Node, parameter: Node, copies: int, run: Run | None) -> Iterator[None]:
    """A context with one system of accents: dots if they suffice, or else w₁⁽²⁾ throughout."""
    own = map(called, topological(output))
    names = [label(name) for name in own if name is not None]
    # A name of several letters takes no dot.
    names.append(accent(parameter.name or "v", max(copies, 1)))
    dots = not gated_layers(run) and accents_suffice(names)
    with written_with(None, subscripts=True, accents=dots):
        yield


# --- quantities ----------------------------------------------------------------------------------


def vectors_of(step: Any) -> list[tuple[str, Sequence[Any]]]:
    """The vectors of a step by their letters, those of all its layers in turn."""
    parts = getattr(step, "layers", None) or [step]
    named = [vectors for part in parts if (vectors := getattr(part, "vectors", None))]
    if not named:
        return [("pi", step.pi), ("q", step.q)]
    return [(letter, vector) for vectors in named for letter, vector in vectors.items()]


def run_order(output: Node, run: Run | None) -> list[Node]:
    """The nodes of the output's graph, inputs first: step by step, and gate by gate in each."""
    order = topological(output)
    if run is None:
        return order
    # The sums come with the gates that are computed from them.
    states = [
        node
        for step in run.steps
        for letter, vector in sorted(vectors_of(step), key=lambda pair: pair[0] == "pi")
        for node in vector
    ]
    met = set(order)
    return topological(*[node for node in states if node in met], output)


def is_number(node: Node) -> bool:
    """Whether a node is a number that was given as such."""
    return node.constant and node.op is None


def results_of(run: Run) -> set[Node]:
    """The sums and states of all steps."""
    return {node for step in run.steps for node in (*step.pi, *step.q)}


def loss_terms(output: Node, run: Run | None) -> dict[int, Node]:
    """The terms of the output by their step, if each of several belongs to one step of its own."""
    if run is None or called(output) is not None:
        return {}
    steps, found = steps_of(run), []
    results, waiting = results_of(run), [output]
    while waiting:
        node = waiting.pop()
        if node.op is None or called(node) is not None or node in results:
            if not is_number(node) and not (node.op is None and node.data == 0.0):
                return {}
            continue
        kind = operation(node).operator
        by_constant = kind not in SUMS and sum([not is_number(p) for p in node.parents]) == 1
        if kind in SUMS or (kind in LINEAR and by_constant):
            waiting += node.parents
        else:
            found.append(node)
    places: dict[int, Node] = {}
    for node in found:
        # What a term reads itself, not what that was computed from.
        reads, path = set(), [node]
        while path:
            inner = path.pop()
            if inner in steps:
                reads.add(steps[inner])
            else:
                path.extend(inner.parents)
        if len(reads) != 1 or (k := reads.pop()) in places:
            return {}
        places[k] = node
    return places if len(places) > 1 else {}


def gated_layers(run: Run | None) -> list[tuple[Any, str]]:
    """The layers with several gates whose weights were not named by hand, and the mark of each."""
    model = getattr(run, "rnn", None)
    layers = getattr(model, "layers", None) or ([] if model is None else [model])
    gated = [
        layer
        for layer in layers
        if len(getattr(layer, "gates", "")) > 1
        and max(layer.states, layer.inputs) < 10
        and all(NUMBERED.fullmatch(weight.name or "") for weight in layer.parameters())
    ]
    return [(layer, str(n) if gated[1:] else "") for n, layer in enumerate(gated, 1)]


def role_names(run: Run | None) -> dict[Node, str]:
    """The names of weights and sums by their gates: b_f, U_f12, W_f, and π_f at each step.

    b is an offset, U leads from a state and W from an input, with the numbers of both ends where
    there are several.
    """
    names: dict[Node, str] = {}
    for layer, mark in gated_layers(run):
        size, inputs, gates = layer.states, layer.inputs, layer.gates
        ends = [str(j) if size > 1 else "" for j in range(1, size + 1)]
        starts = [str(i) if size > 1 else "" for i in range(1, size + 1)]
        doors = [str(i) if inputs > 1 else "" for i in range(1, inputs + 1)]
        rows = [("b", "")] * layer.bias
        rows += [("U", i) for i in starts] + [("W", i) for i in doors]
        columns = [(f"_{mark}{gate}", j) for gate in gates for j in ends]
        for (letter, i), row in zip(rows, layer.weights, strict=True):
            for (gate, j), weight in zip(columns, row, strict=True):
                names[weight] = f"{letter}{gate}{i}{j}"
        others = [weight for weight in layer.parameters() if weight not in names]
        for step in run.steps if run is not None else ():
            own = dict(vectors_of_layer(step, layer, run))
            sums = own.get("pi", ())
            if len(sums) == len(columns):
                for (gate, j), node in zip(columns, sums, strict=True):
                    names[node] = accent(f"π{gate}{j}", step.k)
            for letter, vector in own.items() if step.k == 1 else ():
                found = set(topological(*vector))
                used = [weight for weight in others if weight in found]
                for j, weight in zip(ends, used, strict=False):
                    names[weight] = f"b_{mark}{letter}{j}"
                others = [weight for weight in others if weight not in found]
    return names


def vectors_of_layer(step: Any, layer: Any, run: Any) -> list[tuple[str, Sequence[Any]]]:
    """The vectors of one layer in a step."""
    layers = getattr(run.rnn, "layers", None)
    part = step if layers is None else step.layers[list(layers).index(layer)]
    return vectors_of(part)


def matrices(run: Run | None, symbols: Mapping[Any, Symbol]) -> Iterator[Sentence | Row]:
    """The weights of a network's layers as matrices, row by row, if these have columns."""
    model = getattr(run, "rnn", None)
    layers = [] if model is None else getattr(model, "layers", None) or [model]
    names = role_names(run)
    for place, layer in enumerate(layers, 1):
        rows, gates = layer.weights, layer.gates
        size = len(rows[0]) // len(gates)
        if not 1 < len(rows[0]) * len(rows) <= MOST_LISTED or len(rows[0]) == 1:
            continue
        if not any(weight in symbols for row in rows for weight in row):
            continue
        columns = [name for gate in gates for name in components(gate, size, None)]
        state = components(layer.letters[0], size, None) if layer.states else ()
        inputs = components("x", layer.inputs, None)
        heads = [*(["1"] * layer.bias), *state, *inputs]
        which = f" of layer {place}" if len(layers) > 1 else ""
        to = listed([*map(label, columns)])
        yield Sentence(f"The weights{which} as a matrix, with a column for each of {to}:")
        lines = []
        for head, row in zip(heads, rows, strict=True):
            parts: list[str | Expression] = [f"from {label(head)}: "]
            for weight in row:
                name = label(str(names.get(weight, weight.name)))
                parts += [symbols.get(weight, name), " "]
            lines.append(Sentence(*parts[:-1]))
        yield Row(lines)


def truncated(cuts: Collection[int]) -> Iterator[Sentence]:
    """What truncation does to the recursion of δ; nothing for a run without cuts."""
    steps = listed(list(map(str, sorted(cuts))))
    if len(cuts) == 1:
        yield Sentence(
            f"Truncated: the state that step {steps} takes counts as a constant, so nothing of a "
            f"later step is added in the step before."
        )
    elif cuts:
        yield Sentence(
            f"Truncated: the states that steps {steps} take count as constants, so nothing of a "
            f"later step is added in the steps before them."
        )


# --- derivatives ---------------------------------------------------------------------------------


def fraction(
    over: Symbol,
    under: Symbol,
    slope: Slope,
    *,
    total: bool = False,
    direct: bool = False,
    holding: bool = False,
    stands_for: Symbol | None = None,
) -> Symbol:
    """∂over/∂under; d for a total derivative, ∂⁺ for a direct one, |S if the rest of S is fixed.

    ∂⁺ is the notation of Pascanu, Mikolov and Bengio (2013) for Werbos' ordered derivatives: only
    the places count where the quantity itself stands in the definition of the other.
    """
    d, command = ("d", "d ") if total else ("∂", r"\partial ")
    above, below = ("⁺", r"\partial^{+}") if direct else ("", command)
    text = f"{d}{above}{TEXT.fit(over.text, POWER)}/{d}{TEXT.fit(under.text, POWER)}"
    latex, marked = [
        rf"\frac{{{below}{top}}}{{{command}{bottom}}}"
        for top, bottom in (
            (over.latex.text, under.latex.text),
            (over.marked.text, under.marked.text),
        )
    ]
    if holding:
        text, latex, marked = (
            f"{text}|S",
            *[rf"\left.{one}\right|_{{S}}" for one in (latex, marked)],
        )
    symbol = Symbol(slope, Text(text, CALL), Text(latex, CALL), stands_for)
    symbol.marked = Text(marked, CALL)
    return symbol


def prime(op: Op, operand: Expression, slope: Slope) -> Symbol:
    """f′(x) for an op f of one operand x."""
    text = op.text.removesuffix("({})") if op.text.endswith("({})") else op.name
    latex = rf"\operatorname{{{op.name}}}".replace("_", r"\_")
    if op.latex.endswith(r"\left({}\right)"):
        latex = op.latex.removesuffix(r"\left({}\right)").format()
    written, *inside = [operand.write(style).text for style in (TEXT, LATEX, MARKED)]
    plain, marked = [Text(rf"{latex}'\left({one}\right)", CALL) for one in inside]
    symbol = Symbol(slope, Text(f"{text}′({written})", CALL), plain)
    symbol.marked = marked
    return symbol
