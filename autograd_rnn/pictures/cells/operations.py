"""What one neuron of a model computes in a step: sums of weights, gates, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, mul
from typing import TYPE_CHECKING, Any, NamedTuple

from ...graph.notation import Text, label, write, write_number
from ...graph.walk import topological

if TYPE_CHECKING:
    from ...networks.model import Model


class Sum(NamedTuple):
    """A sum of weights times numbers: the gate whose weights they are, and the vectors it reads."""

    gate: str
    reads: tuple[str, ...]
    offset: bool


class Operations:
    """The operations on the way to the first neuron's states, taken from one step of the model.

    `sums` are the results that are sums of weights; what follows them is element by element.
    """

    def __init__(self, model: Model) -> None:
        # Any numbers do: what is read is how the step computes with them.
        run = model.unroll([[0.5] * model.inputs], [0.5] * len(model.initial))
        self.step = run.steps[0]
        size = model.states
        self.letter: dict[Any, str] = dict.fromkeys(self.step.x, "x")
        for place, value in enumerate(run.state):
            self.letter[value] = model.letters[place // size]
        self.inputs = ["x"] if self.step.x else []
        self.before = {letter: run.state[i * size] for i, letter in enumerate(model.letters)}
        self.after = {letter: self.step.vectors[letter][0] for letter in model.letters}
        self.named = {
            values[0]: "π" if letter == "pi" else letter
            for letter, values in reversed(list(self.step.vectors.items()))
            if len(values) == size
        }
        self.gate_of = {
            weight: model.gates[place // size]
            for row in model.weights
            for place, weight in enumerate(row)
        }
        self.parameters = set(model.parameters())
        self.order = topological(*self.after.values())
        affine = {node for node in self.order if node in self.parameters}
        for node in self.order:
            if node.op is None:
                continue
            weighted = node.op.operator is mul and not self.parameters.isdisjoint(node.parents)
            if weighted or (node.op.operator is add and affine.issuperset(node.parents)):
                affine.add(node)
        self.sums: dict[Any, Sum] = {}
        met: set[Any] = set()
        path = [*self.after.values()]
        while path:
            node = path.pop()
            if node in met or node.op is None:
                continue
            met.add(node)
            if node in affine:
                self.sums[node] = self._sum(node)
            else:
                path.extend(node.parents)
        self.nodes = [node for node in self.order if node in met]  # what is drawn

    def _sum(self, total: Any) -> Sum:
        gates: dict[str, None] = {}
        reads: dict[str, None] = {}
        offset, path = False, [total]
        while path:
            node = path.pop()
            if node in self.parameters:
                offset = True
                gates.setdefault(self.gate_of.get(node, ""))
            elif node.op.operator is mul:
                weight, other = node.parents
                if weight not in self.parameters:
                    weight, other = other, weight
                gates.setdefault(self.gate_of.get(weight, ""))
                reads.setdefault(self.letter.get(other) or self._name_of(other))
            else:
                path.extend(node.parents)
        order = [*self.before, "x", *reads]
        gate = next((gate for gate in gates if gate), "")
        return Sum(gate, tuple(sorted(reads, key=order.index)), offset)

    def _name_of(self, node: Any) -> str:
        for letter, values in self.step.vectors.items():
            if node in values:
                return letter
        return "?"

    def weights_of(self, total: Any) -> str:
        """What the weights of a sum are called: W with its gate, and U of a second sum."""
        own = self.sums[total]
        same = [one for one in self.nodes if one in self.sums and self.sums[one].gate == own.gate]
        # As torch and the papers have it, U multiplies the states, where W does not.
        second = len(same) > 1 and "x" not in own.reads
        return f"{'U' if second else 'W'}_{own.gate}"

    def activation(self, node: Any) -> Any:
        """The sum that a node is a function of, where it is one: it is a gate."""
        alone = node not in self.sums and len(node.parents) == 1
        return node.parents[0] if alone and node.parents[0] in self.sums else None

    def formulas(self) -> list[str]:
        """How each named vector is computed, and those that have no name inside of them."""
        texts: dict[Any, Text] = {}
        told = {}
        for node in self.order:
            if node.op is None:
                texts[node] = (
                    write_number(node.data)
                    if node.constant and node.name is None
                    else Text(f"{self.letter.get(node, '')}ₖ₋₁")
                )
            elif node in self.sums:
                own = self.sums[node]
                vector = "; ".join(["1"] * own.offset + [self.written(one) for one in own.reads])
                texts[node] = Text(f"{self.weights_of(node)}·[{vector}]")
            elif node in self.nodes:
                texts[node] = write(node.op, *[texts[parent] for parent in node.parents])
            if node in self.named and (node in self.nodes):
                name = f"{self.named[node]}ₖ"
                told[self.named[node]] = f"{name} = {texts[node].text}"
                texts[node] = Text(name)
        letters = ["π" if letter == "pi" else letter for letter in self.step.vectors]
        return [told[letter] for letter in letters if letter in told]

    def written(self, letter: str) -> str:
        """A vector as a sum reads it."""
        return f"{letter}ₖ" if letter not in self.before else f"{letter}ₖ₋₁"


def symbol(node: Any) -> str:
    """The op of a node, with the plain number among its operands: 1 −."""
    numbers: Sequence[Any] = [p for p in node.parents if p.constant and p.name is None]
    if not numbers:
        return str(node.op.symbol)
    blank = [write_number(p.data) if p in numbers else Text("") for p in node.parents]
    return label(write(node.op, *blank).text.strip())
