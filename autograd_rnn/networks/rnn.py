"""The recurrent layer of the lecture with its counter, and the readout, a layer without a state."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, Self

from ..arguments import as_choice, as_flag, as_integer, check_alphabet
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.op import LINEAR, TABLE
from .model import MOST_INPUTS, MOST_STATES, Model
from .vectors import Table, Vector, as_rows, glorot


def activations() -> tuple[str, ...]:
    """The names that `activation` may take: the ops of one operand, and `linear`.

    >>> "relu" in activations(), "linear" in activations()
    (True, True)
    """
    return (LINEAR, *[op.name for op in TABLE.values() if op.arity == 1])


class RNN(Model):
    """A recurrent layer: π⁽ᵏ⁾ = Wᵀ [1; Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾], Q⁽ᵏ⁾ = a(π⁽ᵏ⁾) (panel 8).

    `weights` is W: rows [1; Q; X], without `bias` [Q; X], and a column per state, of numbers or
    Values.  `names`, by default w_1, w_2, ... row by row, has the same shape; Values keep theirs.
    π is summed in that order, and is the output.  `activation` names a.  `ValueError` for a shape
    that does not fit or an unknown activation.

    >>> from autograd_rnn import bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> [q.data for q in rnn(bits("10"))]
    [4.0]
    """

    letters, gates, output = "q", "q", "pi"

    def __init__(
        self,
        weights: Table,
        activation: str = "tanh",
        *,
        bias: bool = True,
        names: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self.activation = as_choice(activation, "activation", activations())
        self.bias = as_flag(bias, "bias")
        super().__init__(weights, names=names)

    @classmethod
    def random(cls, states: int, inputs: int, *, activation: str = "tanh", seed: int = 0) -> Self:
        """A layer with an offset, its weights uniform in ±1/√states; the seed decides them.

        >>> RNN.random(2, 4, seed=7)
        <RNN: 2 states, 4 inputs, tanh>
        """
        as_integer(states, "states", least=1, most=MOST_STATES)
        as_integer(inputs, "inputs", least=0, most=MOST_INPUTS)
        chance, bound = random.Random(as_integer(seed, "seed")), 1.0 / math.sqrt(states)
        count = (1 + states + inputs) * states
        drawn = [chance.uniform(-bound, bound) for _ in range(count)]
        return cls(as_rows(drawn, states), activation)

    def __call__(self, inputs: Iterable[Vector]) -> tuple[Value, ...]:
        """The states after the inputs: `unroll(inputs).q`."""
        return self.unroll(inputs).q

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, tuple[Any, ...]]:
        """The sums π, and the states q."""
        pi = self.sums(weights[0], state[0] + x)
        if self.activation == LINEAR:
            return {"pi": pi, "q": pi}
        return {"pi": pi, "q": tuple(map(TABLE[self.activation], pi))}

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.activation}>"


class Linear(Model):
    """A readout without a state: y = Wᵀ [1; X].

    `weights` is W: rows [1; X], without `bias` X, and a column per output, of numbers or Values.
    `names`, by default w_1, w_2, ... row by row, has the same shape.  `ValueError` for a shape that
    does not fit.

    >>> Linear([[1], [2], [3]])([[10, 100]]).data
    321.0
    """

    letters, gates, output = "", "y", "y"

    def __init__(
        self, weights: Table, *, bias: bool = True, names: Sequence[Sequence[str]] | None = None
    ) -> None:
        self.bias = as_flag(bias, "bias")
        super().__init__(weights, names=names)

    @classmethod
    def random(  # type: ignore[override]  # it has no states, but outputs
        cls, inputs: int, outputs: int, *, seed: int = 0
    ) -> Self:
        """A readout with offset 0 and weights as Glorot and Bengio draw them (2010), by the seed.

        >>> Linear.random(8, 2)
        <Linear: 8 inputs, 2 outputs>
        """
        as_integer(inputs, "inputs", least=1, most=MOST_INPUTS)
        as_integer(outputs, "outputs", least=1, most=MOST_STATES)
        chance = random.Random(as_integer(seed, "seed"))
        return cls([[0.0] * outputs, *glorot(inputs, outputs, chance)])

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, tuple[Any, ...]]:
        """The sums, which are the outputs y."""
        return {"y": self.sums(weights[0], x)}


def counter(base: str = "G", at_least: int = 3, alphabet: str = "ACGT") -> RNN:
    """The lecture's hand-made network: its last state is 1 once `base` occurred `at_least` times.

    State j turns on if state j-1 was on and the base comes, and then stays on (panel 6).  It needs
    the step activation: with ReLU the states grow, and `GGAA` is wrong.

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
    offset, own = [-int(j > 0) for j in states], [1 if j == 0 else 2 for j in states]
    from_state = [[own[j] if i == j else int(i == j - 1) for j in states] for i in states]
    from_input = [[int(symbol == base)] * at_least for symbol in alphabet]
    return RNN([offset, *from_state, *from_input], activation="step")
