"""Which neuron of which step each node of an unrolled network belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...graph.quantities import without_zero
from ..graph_view import DrawnRun, Reading


class Neuron(NamedTuple):
    """A neuron at a step: the step's number, 0 for the start, its layer, and its place there."""

    step: int
    layer: int
    place: int


class Term(NamedTuple):
    """A part of the output that reads one step alone, such as the loss of that step."""

    step: int
    node: Any


def layers_of(step: Any) -> list[list[list[Any]]]:
    """The numbers of each neuron of each layer, in the order of the step: of an LSTM i f g o c h.

    Vectors of another size than the layer's, such as the sums of all gates, are left out.

    >>> from autograd_rnn import LSTM
    >>> run = LSTM.random(2, 1).unroll([[1.0]])
    >>> [[value.name for value in neuron] for neuron in layers_of(run.steps[0])[0]][1]
    ['i̇₂', 'ḟ₂', 'ġ₂', 'ȯ₂', 'ċ₂', 'ḣ₂']
    """
    layers = []
    for part in getattr(step, "layers", (step,)):
        vectors = getattr(part, "vectors", {"pi": part.pi, "q": part.q}).values()
        size = len(getattr(part, "entries", part.q)) or len(part.pi)
        columns = zip(*[vector for vector in vectors if len(vector) == size], strict=True)
        layers.append([list(dict.fromkeys(column)) for column in columns])
    return layers


class Neurons(Reading):
    """What the picture of a network's neurons says: the numbers of each, and what reads what."""

    def __init__(self, output: Any, weights: Sequence[Any], run: DrawnRun | None) -> None:
        super().__init__(output, weights, run)
        reached = set(self.order)
        self.rows: dict[Neuron, list[Any]] = {}
        self.of: dict[Any, Neuron] = {}  # the neuron whose number a node is
        for step in self.steps:
            for layer, neurons in enumerate(layers_of(step)):
                for place, numbers in enumerate(neurons):
                    self._add(Neuron(step.k, layer, place), reached.intersection, numbers)
        if self.steps:
            first = self.steps[0]
            before = dict(zip(first.q, self.initial, strict=True))
            for layer, neurons in enumerate(layers_of(first)):
                for place, numbers in enumerate(neurons):
                    starts = [before[value] for value in numbers if value in before]
                    self._add(Neuron(0, layer, place), reached.intersection, starts)
        self._find_owners()
        self._find_terms()

    def _add(self, neuron: Neuron, among: Any, numbers: Sequence[Any]) -> None:
        kept = among(numbers)
        for number in numbers:
            if number in kept and number not in self.of:
                self.of[number] = neuron
                self.rows.setdefault(neuron, []).append(number)

    def _find_owners(self) -> None:
        """For each result inside of a step the first number of a neuron that is made from it."""
        self.inside: dict[Any, Any] = {}
        for node in self.order:
            if node not in self.of or node not in self.step_of:
                continue
            path = [*node.parents]
            while path:
                inner = path.pop()
                if inner in self.step_of and inner not in self.of and inner not in self.inside:
                    self.inside[inner] = node
                    path.extend(inner.parents)

    def _find_terms(self) -> None:
        """The parts of the output that read one step each, and what else it reads, by step."""
        spans: dict[Any, tuple[int, int]] = {node: (k, k) for node, k in self.step_of.items()}
        single: dict[Any, int] = {}
        read: dict[Any, None] = {}
        for node in self.order:
            if node in self.step_of or not node.parents:
                continue
            reads = [spans[parent] for parent in node.parents if parent in spans]
            if not reads:
                continue
            low, high = min(first for first, _ in reads), max(last for _, last in reads)
            spans[node] = (low, high)
            if low == high and node is not self.output:
                single[node] = low
            else:
                read |= dict.fromkeys([parent for parent in node.parents if parent in spans])
        self.terms = [Term(single[node], without_zero(node)) for node in read if node in single]
        if len({one.step for one in self.terms}) <= 1:  # all of the output reads one step
            read, self.terms = self._direct_reads(), []
        self.read = [node for node in read if node in self.of]

    def _direct_reads(self) -> dict[Any, None]:
        outside = [node for node in self.order if node.parents and node not in self.step_of]
        return dict.fromkeys([parent for node in outside for parent in node.parents])

    def reads_of(self, node: Any) -> list[Any]:
        """The numbers of neurons that a result outside of the steps is computed from."""
        found: dict[Any, None] = {}
        met, path = {node}, [node]
        while path:
            for parent in path.pop().parents:
                if parent in self.of:
                    found[parent] = None
                elif parent not in met:
                    met.add(parent)
                    path.append(parent)
        return list(found)

    def owner(self, node: Any) -> Any:
        """The number of a neuron that a result of a step goes into, or is."""
        return node if node in self.of else self.inside.get(node)

    def arrows(self) -> Iterator[tuple[Neuron, Neuron]]:
        """The pairs of neurons of which one reads the other, each once."""
        met = set()
        for node in self.order:
            made = self.owner(node)
            if made is None:
                continue
            head = self.of[made]
            for parent in node.parents:
                tail = self.of.get(parent)
                if tail is not None and tail != head and (tail, head) not in met:
                    met.add((tail, head))
                    yield tail, head
