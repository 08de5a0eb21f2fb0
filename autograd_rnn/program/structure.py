"""A step of a model, read once on symbols that stand for whole vectors."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from operator import add, mul
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import ArgumentValueError
from ..graph.walk import depth_first
from ..ops.op import Op
from ..ops.tracer import Tracer

OFFSET: Final = "offset"
STATE: Final = "state"
INPUT: Final = "input"


class Vector(Tracer):
    """A vector, or a matrix, in place of the numbers of a step."""

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Result:
        return Result(op, operands)


class Symbol(Vector):
    """A vector that a step is given: a state of the step before, or the inputs (`letter` x)."""

    def __init__(self, letter: str) -> None:
        self.letter = letter


class Block(Vector):
    """The rows of a gate's weights for its offset, for the states or for the inputs.

    Without a gate: parameters of the model besides `weights`, an offset of their own.
    """

    def __init__(self, gate: str | None, rows: str) -> None:
        self.gate, self.rows = gate, rows


class Result(Vector):
    """An op applied to vectors, element by element, or the product of a block and a vector."""

    def __init__(self, op: Op, operands: tuple[Any, ...]) -> None:
        self.op, self.operands = op, operands

    @property
    def dense(self) -> bool:
        """Whether this is a block, transposed, times a vector."""
        return isinstance(self.operands[0], Block) and self.op.operator is mul


class Slope(NamedTuple):
    """The partial of an elementwise result with respect to its operand at a position."""

    of: Result
    position: int


Formula: TypeAlias = Vector | float
Factor: TypeAlias = Formula | Slope


class Term(NamedTuple):
    """What the δ of `source` adds to that of `target`: the factors ∘ δ, by a block if there is one.

    `target` is a vector of the step, a state of the step before or the inputs; None where the block
    is an offset, which takes the factors ∘ δ itself.
    """

    source: str
    target: str | Symbol | None
    block: Block | None
    coefficient: float
    factors: tuple[Factor, ...]


class Structure:
    """The step of a model in vectors: `vectors` has the formula of each by its key, in order.

    A key is a letter of the model's, as "h"; that of a gate's sums is "pi_i", or "pi" where there
    is one.  `states` are the keys of the state's vectors, `output` that of the output.  `terms` are
    those of the backward pass.  `ValueError` for a model whose parameters are not understood.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.blocks: list[Block] = []
        self.state = {letter: Symbol(letter) for letter in model.letters}
        self.x = Symbol("x")
        given = self._advance()
        roots: dict[str, Any] = {}
        for letter, vector in given.items():
            keys = [letter] if len(vector) == 1 else [f"{letter}_{gate}" for gate in model.gates]
            roots.update(zip(keys, vector, strict=True))
        keys_of: dict[Any, str] = {}
        for key, root in roots.items():
            keys_of.setdefault(root, key)
        if not all(isinstance(root, Result) for root in keys_of):
            raise self.refusal("gives back what it was given")
        order = depth_first(keys_of, operands_of)
        self.keys = self._with_sums(order, keys_of)
        self.vectors: dict[str, Result] = {
            self.keys[node]: node for node in order if node in self.keys
        }
        self.states = [keys_of[roots[letter]] for letter in model.letters]
        self.output = keys_of[roots[model.output or model.letters[0]]]
        #: What the layer above reads.
        self.passed_up = self.states[0] if self.states else self.output
        self.terms = [term for key in self.vectors for term in self._terms(key)]

    def _advance(self) -> dict[str, tuple[Any, ...]]:
        """One step of a model of one state and one input, on symbols."""
        model, one = self.model, copy.copy(self.model)
        parts = [OFFSET] * model.bias + [STATE] * bool(model.letters)
        parts += [INPUT] * (model.inputs > 0)
        tables = []
        for gate in model.gates:
            own = [Block(gate, rows) for rows in parts]
            self.blocks += own
            tables.append([(block,) for block in own])
        one.weights = ((0.0,) * len(model.gates),) * len(parts)
        more = len(model.parameters()) - len(model.weights) * len(model.weights[0])
        if more not in (0, model.outputs):
            raise self.refusal(f"has {more} parameters besides its weights")
        extra = [Block(None, OFFSET)] if more else []
        self.blocks += extra
        weights = [*tables, *[(block,) for block in extra]]
        state = [(symbol,) for symbol in self.state.values()]
        try:
            given = one.advance(state, (self.x,) if model.inputs else (), weights)
            vectors = {letter: tuple(vector) for letter, vector in given.items()}
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise self.refusal(f"cannot be read with one state ({error})") from error
        if any(len(vector) not in (1, len(model.gates)) for vector in vectors.values()):
            raise self.refusal("gives vectors of other sizes")
        return vectors

    def refusal(self, why: str) -> ArgumentValueError:
        """The error for a model whose step is not written in vectors."""
        return ArgumentValueError(
            f"model is a {type(self.model).__name__}, whose step {why}, so it is not written in "
            f"vectors: choose one of its weights, as in model.parameters()[0]."
        )

    def _with_sums(self, order: Sequence[Any], keys: Mapping[Any, str]) -> dict[Any, str]:
        """The keys, and keys for sums Wᵀ [1; ...] and for vectors they are of that have none."""
        found, taken = dict(keys), set(keys.values())
        users: dict[Any, list[Any]] = {}
        for node in order:
            for operand in operands_of(node):
                users.setdefault(operand, []).append(node)
        for node in order:
            block = next((o for o in operands_of(node) if isinstance(o, Block)), None)
            if block is None:
                continue
            if node.dense and isinstance(z := node.operands[1], Result) and z not in found:
                found[z] = _free(f"s_{block.gate}", taken)
            while node not in found and len(above := users[node]) == 1:
                if above[0].op.operator is not add:
                    break
                node = above[0]
            if node not in found:
                found[node] = _free(
                    "pi" if len(self.model.gates) == 1 else f"pi_{block.gate}", taken
                )
        return found

    def _terms(self, key: str) -> Iterator[Term]:
        """The terms of the backward pass that the δ of a vector has a part in."""
        waiting: list[tuple[Result, float, tuple[Factor, ...]]] = [(self.vectors[key], 1.0, ())]
        while waiting:
            node, coefficient, factors = waiting.pop(0)
            if node.dense:
                block, z = node.operands
                yield Term(key, self.keys.get(z, z), block, coefficient, factors)
                continue
            for position, operand in enumerate(node.operands):
                if isinstance(operand, float | int):
                    continue
                scale, own = coefficient, factors
                slope: Any = Slope(node, position)
                if node.op.operator is not None:
                    slope = node.op.partials[position](*node.operands, node)
                if isinstance(slope, float):
                    scale *= slope
                else:
                    own = (*factors, slope)
                if isinstance(operand, Block):
                    yield Term(key, None, operand, scale, own)
                elif operand in self.keys or isinstance(operand, Symbol):
                    yield Term(key, self.keys.get(operand, operand), None, scale, own)
                else:
                    waiting.append((operand, scale, own))

    @property
    def inside(self) -> set[str]:
        """The vectors that are only an op of another: their δ is written inside that of it."""
        found = set()
        for key in self.vectors:
            terms = [term for term in self.terms if term.source == key]
            if len(terms) == 1 and isinstance(terms[0].target, str) and terms[0].block is None:
                found.add(key)
        return found

    def source_of(self, gate: str) -> str | None:
        """The vector whose δ multiplies all rows of a gate's weights; None if they differ."""
        terms = [term for term in self.terms if term.block is not None and term.block.gate == gate]
        plain = all(not term.factors and term.coefficient == 1.0 for term in terms)
        given = not any(isinstance(term.target, str) for term in terms)
        return terms[0].source if len({t.source for t in terms}) == 1 and plain and given else None

    def activations(self) -> dict[str, Slope]:
        """For each vector that is only an op of another: a′, by the key of the other."""
        found = {}
        for node in self.vectors.values():
            operand = node.operands[0]
            if node.op.arity == 1 and operand in self.keys and not node.op.flat:
                found[self.keys[operand]] = Slope(node, 0)
        return found


def operands_of(node: Any) -> list[Any]:
    """The operands of a formula that are no numbers."""
    if not isinstance(node, Result):
        return []
    return [operand for operand in node.operands if isinstance(operand, Tracer)]


def _free(key: str, taken: set[str]) -> str:
    while key in taken:
        key += "'"
    taken.add(key)
    return key
