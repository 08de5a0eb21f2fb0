"""Backpropagation through time by vectors: δ of each vector of each step, and the terms of W.

What a step computes is read once, in vectors (`program/structure.py`).  Then its vectors,
their δ by the recursion, and what each step adds to the gradient are arrays (`Layer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..engine.reverse import gradients
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.notation import label
from ..graph.sweep import adjoints
from ..graph.walk import check_fresh, check_node, depth_first, steps_of, topological
from ..program.structure import INPUT, OFFSET, STATE, Block, Factor, Slope, Structure, operands_of
from .model import Model
from .run import Unrolled
from .vectors import Step, components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

#: How far the recursion may be from the sweep over the graph, as a part of the largest term.
TOLERANCE: Final = 1e-9


@dataclass(slots=True, eq=False, repr=False)
class Layer:
    """A layer's backward pass: arrays with a row per step, by the keys of its `structure`.

    `values` are the vectors, `before` the states before each step by letter, `x` the inputs.
    `delta` is ∂L/∂vector; `direct` the part of it that does not go through the network (∂⁺), which
    those in `read` have, and `above` the part from the layer above.  `slopes` are the activations'
    a′(π), by the key of π.  `terms` has for each step what it adds to `gradient`, both of the shape
    of the weights, and the same for `extra_terms` and `extra`, parameters besides them.
    `direct_weights` is the part of the gradient that goes through no step; `read` has W and u if
    there are such parts, also where all of them are 0 here.  `nodes` are the Values themselves.
    `cuts` are the steps that no gradient leaves backward.
    """

    structure: Structure
    values: dict[str, Array]
    before: dict[str, Array]
    x: Array
    delta: dict[str, Array]
    direct: dict[str, Array]
    above: dict[str, Array]
    slopes: dict[str, Array]
    terms: Array
    gradient: Array
    extra_terms: Array
    extra: Array
    direct_weights: Array
    nodes: dict[str, list[tuple[Value, ...]]]
    read: frozenset[str]
    cuts: frozenset[int]

    @property
    def model(self) -> Model:
        """The layer itself, or the network where it has no others."""
        model: Model = self.structure.model
        return model

    @property
    def direct_extra(self) -> Array:
        """The part of the gradient by other parameters that goes through no step."""
        part: Array = self.extra - self.extra_terms.sum(0)
        return part

    @property
    def free(self) -> tuple[Array, Array]:
        """1 for each of the weights and other parameters, but 0 for those that are frozen."""
        import numpy as np

        free = np.array([1.0 - weight.constant for weight in self.model.parameters()])
        return free[: self.terms[0].size].reshape(self.terms[0].shape), free[self.terms[0].size :]

    def operands(self) -> Array:
        """What the weights multiply at each step: the rows [1; H; X], with a row per step."""
        import numpy as np

        one = np.ones((len(self.x), int(self.model.bias)))
        return np.hstack([one, *[self.before[letter] for letter in self.model.letters[:1]], self.x])

    def row_names(self) -> list[str]:
        """The names of those: 1, H₁, H₂, X."""
        parts = [(letter.upper(), self.model.states) for letter in self.model.letters[:1]]
        return [
            *["1"] * self.model.bias,
            *[name for part in (*parts, ("X", self.model.inputs)) for name in _entries(*part)],
        ]

    def column_names(self) -> list[str]:
        """The names of the columns of the weights: of one gate 1, 2, or of several i₁, i₂, f₁."""
        size, gates = self.model.outputs, self.model.gates
        if len(gates) > 1:
            return [name for gate in gates for name in _entries(gate, size)]
        return [str(place) for place in range(1, size + 1)] if size > 1 else [""]

    def flat(self) -> list[float]:
        """The gradient in the order of the layer's `parameters()`."""
        return [*self.gradient.reshape(-1).tolist(), *self.extra.tolist()]


def _entries(letter: str, size: int) -> list[str]:
    return [label(name) for name in components(letter, size, None)]


def backpropagate(output: Value, model: Model, run: Unrolled) -> tuple[Layer, ...]:
    """The layers of a network with their δ at each step and the terms of their gradients.

    All is computed by the recursion, from the last step to the first and from the last layer down,
    and compared with the sweep over the graph.  Raises `ValueError` for a run of another network,
    one without steps, and a model whose step is not written in vectors: whose entries do not all
    depend on the others alike.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> run = rnn.unroll(bits("101"))
    >>> (layer,) = backpropagate((15 - run.pi[0]) ** 2, rnn, run)
    >>> layer.delta["pi"][:, 0].tolist(), layer.terms[:, :, 0].tolist()
    ([64.0, 16.0, 4.0], [[0.0, 64.0], [16.0, 0.0], [16.0, 4.0]])
    """
    import numpy as np

    check_node(output, "output")
    given: object = run
    if getattr(given, "rnn", None) is not model:
        if given is not None and not hasattr(given, "rnn"):
            raise ArgumentTypeError(
                f"run must be the unrolled model, model.unroll(inputs), not {type(run).__name__}."
            )
        raise ArgumentValueError(
            "run must be the model's own, run=model.unroll(inputs), from which output is computed."
        )
    if not run.steps:
        raise ArgumentValueError("run has no steps: the model was unrolled over no inputs.")
    order = topological(output)
    check_fresh(order)
    known, direct = past_the_steps(output, run)
    parameters = model.parameters()
    if not any(parameter in known for parameter in parameters):
        raise ArgumentValueError("output depends on no weight of model: all derivatives are 0.")
    found: list[Layer] = []
    models, taken = model._layers(), 0
    starts = []
    for one in models:
        held = len(one.initial)
        starts.append(run.state[taken : taken + held])
        taken += held
    for below, higher in pairwise(range(len(models))):
        for step in run.steps:
            under, over = [model._parts(step)[place] for place in (below, higher)]
            pairs = zip(models[below]._passed_on(under), over.x, strict=False)
            if len(over.x) != models[below].outputs or any(a is not b for a, b in pairs):
                raise ArgumentValueError(
                    "model has layers side by side, and by matrices only layers one over another "
                    "are written: choose one of its weights, as in model.parameters()[0]."
                )
    above: Array | None = None
    with np.errstate(all="ignore"):  # NaN and infinities are IEEE's, as in the engine
        for place in reversed(range(len(models))):
            parts = [model._parts(step)[place] for step in run.steps]
            layer, above = _layer(
                models[place], parts, starts[place], direct, known, above, run.cuts
            )
            found.insert(0, layer)
    flat = np.array([entry for layer in found for entry in layer.flat()])
    swept = np.array(gradients(output, parameters))
    sizes = np.array([x for layer in found for x in np.abs(layer.terms).sum(0).reshape(-1)])
    if np.abs(flat - swept).max() > TOLERANCE * max(1e-300, np.abs(swept).max(), *sizes):
        raise found[0].structure.refusal("mixes the entries of a vector")
    return tuple(found)


def past_the_steps(output: Value, run: Unrolled) -> tuple[dict[Any, float], dict[Any, float]]:
    """The adjoint of each node, and ∂⁺: the part of it that goes through no node of a step."""
    known, steps = adjoints(output), steps_of(run)
    direct: dict[Any, float] = {}
    for node in reversed(topological(output)):
        if node in known and node not in steps:
            for parent, partial in zip(node.parents, node.partials, strict=True):
                direct[parent] = direct.get(parent, 0.0) + known[node] * partial
    return known, direct


def _layer(
    model: Model,
    steps: Sequence[Step],
    start: Sequence[Value],
    direct: Mapping[Value, float],
    known: Mapping[Value, float],
    from_above: Array | None,
    cuts: frozenset[int],
) -> tuple[Layer, Array]:
    """A layer and ∂L/∂x, which is what the layer below gets from above."""
    import numpy as np

    structure, size = Structure(model), model.outputs
    blocks, extra = _blocks(model, structure)
    x = np.array([[entry.data for entry in step.x] for step in steps])
    held = [[entry.data for entry in start], *[[q.data for q in step.q] for step in steps[:-1]]]
    states = np.array(held, dtype=float).reshape(len(steps), len(model.letters), size)
    before = {letter: states[:, place] for place, letter in enumerate(model.letters)}
    values: dict[str, Array] = {}
    memory: dict[Any, Array] = {structure.x: x}
    memory |= {symbol: before[letter] for letter, symbol in structure.state.items()}
    for key, node in structure.vectors.items():
        values[key] = np.broadcast_to(_value(node, memory, blocks), (len(steps), size))
    found = _recorded(model, steps, direct, known)
    recorded = {key: numbers for key, numbers in found if key in values}
    for key, (data, *_) in recorded.items():
        if not np.allclose(values[key], data, rtol=1e-9, atol=1e-12, equal_nan=True):
            finite = np.isfinite(values[key]).all() and np.isfinite(data).all()
            raise structure.refusal(
                "mixes the entries of a vector" if finite else "makes numbers that are not finite"
            )
    zeros = np.zeros((len(steps), size))
    directs = {key: recorded[key][2] if key in recorded else zeros for key in values}
    aboves = dict.fromkeys(values, zeros)
    if from_above is not None:
        aboves[structure.passed_up] = from_above
    slopes = {term: _factor(term, memory, blocks) for term in _slopes(structure)}
    delta = {key: directs[key] + aboves[key] for key in values}
    into_x = np.zeros_like(x)
    terms = np.zeros((len(steps), len(model.weights), len(model.weights[0])))
    extra_terms = np.zeros((len(steps), len(extra)))
    later = {letter: np.zeros(size) for letter in model.letters}
    for t in reversed(range(len(steps))):
        cut = t + 2 in cuts
        for letter, key in zip(model.letters, structure.states, strict=True):
            if not cut:
                delta[key][t] += later[letter]
        later = {letter: np.zeros(size) for letter in model.letters}
        for key in reversed(structure.vectors):
            for term in structure.terms:
                if term.source != key:
                    continue
                part = term.coefficient * delta[key][t]
                for factor in term.factors:
                    part = part * slopes[factor][t]
                target = part
                if term.block is not None:
                    place, matrix = blocks[term.block]
                    operand = np.ones(1)
                    if term.target is not None:
                        z: Any = term.target
                        z = structure.vectors[z] if isinstance(z, str) else z
                        operand, target = memory[z][t], matrix @ part
                    if place is None:
                        extra_terms[t] += part
                    else:
                        terms[t][place] += np.outer(operand, part)
                if isinstance(term.target, str):
                    delta[term.target][t] += target
                elif term.target is structure.x:
                    into_x[t] += target
                elif term.target is not None:
                    later[term.target.letter] += target
    for key, (_, swept, *_) in recorded.items():
        most = TOLERANCE * max(1e-300, np.abs(swept).max(), np.abs(delta[key]).max())
        if np.abs(delta[key] - swept).max() > most:
            raise structure.refusal("mixes the entries of a vector")
    # A frozen weight is a constant: nothing is added to its gradient.
    terms *= [[not weight.constant for weight in row] for row in model.weights]
    extra_terms *= np.array([not weight.constant for weight in extra])

    def is_read(node: Value) -> bool:
        return node in direct and not node.constant

    own = np.array([[direct.get(weight, 0.0) for weight in row] for row in model.weights])
    more = np.array([direct.get(weight, 0.0) for weight in extra])
    a = {key: slopes[slope] for key, slope in structure.activations().items() if slope in slopes}
    nodes = {key: numbers[3] for key, numbers in recorded.items()}
    used = {key: [one for entries in vectors for one in entries] for key, vectors in nodes.items()}
    used |= {"W": [weight for row in model.weights for weight in row], "u": extra}
    read = frozenset([key for key, every in used.items() if any(map(is_read, every))])
    return Layer(
        structure, values, before, x, delta, directs, aboves, a, terms, terms.sum(0) + own,
        extra_terms, extra_terms.sum(0) + more, own, nodes, read, cuts,
    ), into_x  # fmt: skip


def _blocks(
    model: Model, structure: Structure
) -> tuple[dict[Block, tuple[Any, Array]], list[Value]]:
    """The numbers of each block, with its place in the weights; and the parameters besides them."""
    import numpy as np

    weights = np.array([[weight.data for weight in row] for row in model.weights])
    extra = model.parameters()[weights.size :]
    size, first = model.outputs, int(model.bias)
    rows = {
        OFFSET: slice(0, first),
        STATE: slice(first, first + model.states),
        INPUT: slice(first + model.states, len(weights)),
    }
    blocks: dict[Block, tuple[Any, Array]] = {}
    for block in structure.blocks:
        if block.gate is None:
            blocks[block] = None, np.array([weight.data for weight in extra])
            continue
        gate = list(model.gates).index(block.gate)
        place = rows[block.rows], slice(gate * size, (gate + 1) * size)
        part = weights[place]
        blocks[block] = place, part[0] if block.rows == OFFSET else part
    return blocks, extra


def _recorded(
    model: Model, steps: Sequence[Step], direct: Mapping[Value, float], known: Mapping[Value, float]
) -> Iterator[tuple[str, tuple[Array, Array, Array, list[tuple[Value, ...]]]]]:
    """For each vector of the steps: its numbers, its δ by the sweep over the graph, ∂⁺, itself."""
    import numpy as np

    size = model.outputs
    for letter in steps[0].vectors:
        vectors = [step.vectors[letter] for step in steps]
        count = len(vectors[0]) // size
        for part in range(count):
            key = letter if count == 1 else f"{letter}_{model.gates[part]}"
            own = [vector[part * size : (part + 1) * size] for vector in vectors]
            if all(isinstance(entry, Value) for entry in own[0]):
                data = [[entry.data for entry in vector] for vector in own]
                swept = [[known.get(entry, 0.0) for entry in vector] for vector in own]
                alone = [[direct.get(entry, 0.0) for entry in vector] for vector in own]
                yield key, (np.array(data), np.array(swept), np.array(alone), own)


def _slopes(structure: Structure) -> list[Factor]:
    return list(dict.fromkeys([factor for term in structure.terms for factor in term.factors]))


def _value(node: Any, memory: dict[Any, Array], blocks: Mapping[Block, Any]) -> Array:
    """The numbers of a formula at all steps, once those of its symbols are in the memory."""
    from ..ops.numpy import on_arrays

    for one in depth_first([node], lambda n: [] if n in memory else operands_of(n)):
        if one in memory or (isinstance(one, Block) and one.rows != OFFSET):
            continue
        if isinstance(one, Block):
            memory[one] = blocks[one][1]
        elif one.dense:
            memory[one] = memory[one.operands[1]] @ blocks[one.operands[0]][1]
        else:
            memory[one] = on_arrays(one.op)(*[memory.get(o, o) for o in one.operands])
    found: Array = memory[node]
    return found


def _factor(factor: Factor, memory: dict[Any, Array], blocks: Mapping[Block, Any]) -> Array:
    """The numbers of a factor at all steps."""
    from ..ops.numpy import Elements

    if not isinstance(factor, Slope):
        return _value(factor, memory, blocks)
    operands = [Elements(memory.get(o, o)) for o in factor.of.operands]
    slope = factor.of.op.partials[factor.position](*operands, Elements(memory[factor.of]))
    import numpy as np

    return np.broadcast_to(getattr(slope, "numbers", slope), np.shape(memory[factor.of]))
