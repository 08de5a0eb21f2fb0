"""A layer, one-hot inputs, and the lecture's counter."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..arguments import as_choice, as_integer, check_alphabet, many, shown
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.op import LINEAR, TABLE
from .model import Model
from .serialise import fields_of, load_json
from .vectors import (
    as_rows,
    as_table,
    as_weights,
    single,
    weighted_sums,
)

# Every weight is an object: beyond these, memory runs out before patience does.
MOST_STATES = 1000
MOST_INPUTS = 10_000


def activations() -> tuple[str, ...]:
    """The names that `activation` may take: the ops of one operand, and `linear`.

    >>> "relu" in activations(), "linear" in activations()
    (True, True)
    """
    return (LINEAR, *[op.name for op in TABLE.values() if op.arity == 1])


# --- inputs --------------------------------------------------------------------------------------


# --- the layer -----------------------------------------------------------------


class Step(NamedTuple):
    """One layer of an unrolled network: its number k from 1, inputs x, sums π and states q."""

    k: int
    x: tuple[Value, ...]
    pi: tuple[Value, ...]
    q: tuple[Value, ...]

    @property
    def output(self) -> Any:
        """π: a Value where it has one entry, else a tuple."""
        return single(self.pi)


class RNN(Model):
    """A recurrent layer: π⁽ᵏ⁾ = Wᵀ [1; Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾], Q⁽ᵏ⁾ = a(π⁽ᵏ⁾) (panel 8).

    `weights` is W: rows [1; Q; X] and a column per state, of numbers or Values; without `bias` the
    first row is left out.  `activation` names a; `names` has the shape of `weights` and defaults to
    w_1, w_2, ... row by row, while Values keep the names they have.  The sum of π runs in the order
    [1; Q; X], the offset enters as itself, and π is the output.  `ValueError` for a shape that does
    not fit or an unknown activation.

    >>> from autograd_rnn import bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> [q.data for q in rnn(bits("10"))]
    [4.0]
    """

    __slots__ = ("_apply", "activation", "bias", "weights")

    letters = ("q",)

    def __init__(
        self,
        weights: Sequence[Sequence[Any]],
        activation: str = "tanh",
        *,
        bias: bool = True,
        names: Sequence[Sequence[str]] | None = None,
    ) -> None:
        table = as_table(weights, "weights")
        states, rows = len(table[0]), len(table)
        least = states + (1 if bias else 0)
        if rows < least:
            raise ArgumentValueError(
                f"weights has {many(rows, 'row')} for {many(states, 'state')}, but needs at least "
                f"{least}: {'one for the offset, ' if bias else ''}one per state, and one per "
                f"input."
            )
        self.activation = activation
        self.bias = bool(bias)
        self._apply = _activation(activation)
        self.weights = as_weights(table, names)

    @classmethod
    def random(cls, states: int, inputs: int, *, activation: str = "tanh", seed: int = 0) -> RNN:
        """A layer with offset, its weights drawn evenly from ±1/√states by the seed.

        >>> RNN.random(2, 4, seed=7)
        <RNN: 2 states, 4 inputs, tanh>
        """
        as_integer(states, "states", least=1, most=MOST_STATES)
        as_integer(inputs, "inputs", least=0, most=MOST_INPUTS)
        draw = random.Random(as_integer(seed, "seed"))
        bound = 1.0 / math.sqrt(states)
        return cls(
            [
                [draw.uniform(-bound, bound) for _ in range(states)]
                for _ in range(1 + states + inputs)
            ],
            activation,
        )

    @property
    def states(self) -> int:
        """The number of states."""
        return len(self.weights[0])

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return len(self.weights) - self.states - self.bias

    @property
    def outputs(self) -> int:
        """The number of outputs per step: π has an entry per state."""
        return self.states

    def parameters(self) -> list[Value]:
        """The weights, row by row."""
        return [weight for row in self.weights for weight in row]

    def __call__(self, inputs: Iterable[Sequence[Any]]) -> tuple[Value, ...]:
        """The states after the inputs: `unroll(inputs).q`."""
        return self.unroll(inputs).q

    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> Step:
        pi = weighted_sums(as_rows(parameters, self.states), state + x, bias=self.bias)
        q = pi if self._apply is None else tuple([self._apply(value) for value in pi])
        return Step(k, x, pi, q)

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the numbers and the names, as `from_dict` takes them.

        >>> RNN([[4], [1]], bias=False).to_dict()["weights"]
        [[4.0], [1.0]]
        """
        return {
            "kind": "RNN",
            "activation": self.activation,
            "bias": self.bias,
            "weights": [[weight.data for weight in row] for row in self.weights],
            "names": [[weight.name for weight in row] for row in self.weights],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RNN:
        """The layer that `to_dict` told of; `ValueError` where something is missing or wrong."""
        fields = fields_of(content, "RNN", "weights", "activation", "bias", "names")
        weights, activation, bias, names = fields
        if type(bias) is not bool:
            raise ArgumentValueError(f"bias must be True or False, not {shown(bias)}.")
        return cls(weights, activation, bias=bias, names=names)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RNN:
        """The layer that `save` wrote; runs no code.  `ValueError` where it is none.

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "counter.json")
        >>> RNN.load(counter().save(path))
        <RNN: 3 states, 4 inputs, step>
        """
        return load_json(path, "an RNN", cls.from_dict)

    def _if_one_too_many(self) -> str:
        return "The first row of weights is the offset's, unless bias=False." if self.bias else ""

    def __repr__(self) -> str:
        size = f"{many(self.states, 'state')}, {many(self.inputs, 'input')}"
        return f"<RNN: {size}, {self.activation}>"


def _activation(name: object) -> Callable[[Value], Value] | None:
    chosen = as_choice(name, "activation", activations())
    return None if chosen == LINEAR else TABLE[chosen]


# --- the lecture's counter -----------------------------------------------------------------------


def counter(base: str = "G", at_least: int = 3, alphabet: str = "ACGT") -> RNN:
    """The lecture's hand-made network: its last state is 1 once `base` occurred `at_least` times.

    State j turns on where state j-1 was on and the base comes, or where it was already on
    (panel 6).  It needs the step activation: with ReLU the states grow, and `GGAA` is wrong.

    >>> from autograd_rnn import one_hot
    >>> [weight.data for weight in counter().weights[2]]
    [0.0, 2.0, 1.0]
    >>> counter()(one_hot("AGGTAACG"))[-1].data
    1.0
    """
    check_alphabet(alphabet)
    if not isinstance(base, str):
        raise ArgumentTypeError(f"base must be a str, not {type(base).__name__}.")
    if len(base) != 1 or base not in alphabet:
        raise ArgumentValueError(f"base must be one of the symbols {alphabet!r}, not {base!r}.")
    states = range(as_integer(at_least, "at_least", least=1, most=MOST_STATES))
    offset = [0 if j == 0 else -1 for j in states]
    from_state = [
        [(1 if j == 0 else 2) if i == j else 1 if i == j - 1 else 0 for j in states] for i in states
    ]
    from_input = [[1 if symbol == base else 0 for _ in states] for symbol in alphabet]
    return RNN([offset, *from_state, *from_input], activation="step")
