"""A layer, its unrolling, one-hot inputs, and the lecture's counter."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .arguments import as_choice, as_integer, shown
from .engine import Value, constant
from .errors import ArgumentTypeError, ArgumentValueError, SymbolError
from .ops import LINEAR, TABLE, stop_gradient
from .saved import fields_of, load_json, save_json
from .steps import CompiledStep, compile_step
from .vectors import (
    as_rows,
    as_table,
    as_vector,
    as_weights,
    begins_window,
    check_step,
    check_truncate,
    component,
    components,
    single,
    weighted_sums,
)

__all__ = [
    "RNN",
    "Step",
    "Unrolled",
    "activations",
    "bits",
    "check_alphabet",
    "check_symbols",
    "counter",
    "one_hot",
]

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


def one_hot(sequence: str, alphabet: str = "ACGT") -> list[list[float]]:
    """A vector per symbol, with a 1 at the symbol's place in the alphabet (panel 4).

    `SymbolError` (a `ValueError`) for a symbol outside the alphabet, with its position from 1.

    >>> one_hot("GA")
    [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    check_alphabet(alphabet)
    check_symbols(sequence, alphabet, "sequence")
    place = {symbol: index for index, symbol in enumerate(alphabet)}
    return [
        [1.0 if place[symbol] == index else 0.0 for index in range(len(alphabet))]
        for symbol in sequence
    ]


def bits(string: str) -> list[list[float]]:
    """A vector of size 1 per bit (panel 10).

    `SymbolError` (a `ValueError`) for anything but 0 and 1, with its position from 1.

    >>> bits("101")
    [[1.0], [0.0], [1.0]]
    """
    check_symbols(string, "01", "bits")
    return [[float(symbol)] for symbol in string]


def check_alphabet(alphabet: object) -> None:
    """Refuse what is not one or more different symbols."""
    if not isinstance(alphabet, str):
        raise ArgumentTypeError(f"alphabet must be a str, not {type(alphabet).__name__}.")
    if not alphabet or len(set(alphabet)) < len(alphabet):
        raise ArgumentValueError(
            f"alphabet must be one or more different symbols, not {alphabet!r}."
        )


def check_symbols(sequence: object, alphabet: str, argument: str) -> None:
    """Refuse what is not a text of the alphabet; the message has the symbol and its position."""
    if not isinstance(sequence, str):
        raise ArgumentTypeError(f"{argument} must be a str, not {type(sequence).__name__}.")
    for position, symbol in enumerate(sequence, 1):
        if symbol not in alphabet:
            raise SymbolError(
                f"{argument}: {symbol!r} at position {position} is not one of {alphabet!r}."
            )


# --- the layer and its unrolling -----------------------------------------------------------------


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


class Unrolled:
    """A network unrolled over its inputs: the initial `state` and a `Step` per input (panel 10).

    `cuts` are the numbers of the steps that no gradient leaves backward: see `truncate`.

    >>> run = RNN([[4], [1]], activation="relu", bias=False).unroll(bits("101"))
    >>> len(run.steps), run.steps[1].pi[0].data, run.output.data
    (3, 4.0, 17.0)
    """

    __slots__ = ("cuts", "rnn", "state", "steps")

    def __init__(
        self,
        rnn: Any,
        state: tuple[Value, ...],
        steps: tuple[Any, ...],
        cuts: frozenset[int] = frozenset(),
    ) -> None:
        self.rnn = rnn
        self.state = state
        self.steps = steps
        self.cuts = cuts

    @property
    def given(self) -> tuple[Value, ...]:
        """What the steps start from: the weights, the initial state and the inputs."""
        inputs = [x for step in self.steps for x in step.x]
        return (*self.rnn.parameters(), *self.state, *inputs)

    @property
    def pi(self) -> tuple[Value, ...]:
        """π of the last step; `ValueError` where there was no input."""
        if not self.steps:
            raise ArgumentValueError("there is no π: the network was unrolled over no inputs.")
        pi: tuple[Value, ...] = self.steps[-1].pi
        return pi

    @property
    def q(self) -> tuple[Value, ...]:
        """The states after the last step: the initial ones where there was no input."""
        q: tuple[Value, ...] = self.steps[-1].q if self.steps else self.state
        return q

    @property
    def output(self) -> Any:
        """The output of the last step: a Value, or a tuple where there are more; as `pi`."""
        if not self.steps:
            raise ArgumentValueError("there is no output: the network was unrolled over no inputs.")
        return self.steps[-1].output

    def __repr__(self) -> str:
        return f"<{self.rnn!r} unrolled over {len(self.steps)} steps>"


class RNN:
    """A recurrent layer: π⁽ᵏ⁾ = Wᵀ [1; Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾], Q⁽ᵏ⁾ = a(π⁽ᵏ⁾) (panel 8).

    `weights` is W: rows [1; Q; X] and a column per state, of numbers or Values; without `bias` the
    first row is left out.  `activation` names a; `names` has the shape of `weights` and defaults to
    w_1, w_2, ... row by row, while Values keep the names they have.  `ValueError` for a shape that
    does not fit or an unknown activation.

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
                f"weights has {rows} rows for {states} states, but needs at least {least}: "
                f"{'one for the offset, ' if bias else ''}one per state, and one per input."
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

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [0.0] * self.states

    def parameters(self) -> list[Value]:
        """The weights, row by row."""
        return [weight for row in self.weights for weight in row]

    def zero_grad(self) -> None:
        """Set the `grad` of every weight to 0."""
        for weight in self.parameters():
            weight.grad = 0.0

    def __call__(self, inputs: Iterable[Sequence[Any]]) -> tuple[Value, ...]:
        """The states after the inputs: `unroll(inputs).q`."""
        return self.unroll(inputs).q

    def unroll(
        self,
        inputs: Iterable[Sequence[Any]],
        state: Sequence[Any] | None = None,
        *,
        truncate: int | None = None,
    ) -> Unrolled:
        """The network over the inputs, one vector per step, with the same weights at every step.

        Numbers among the inputs become constants; the initial state, zeros unless given, are
        variables.  The sum of π runs in the order [1; Q; X], and the offset enters as itself.
        `ValueError` for a vector of the wrong size.

        With `truncate`, backpropagation through time stops after so many steps: steps 1 to
        `truncate` are a window, the next ones another, and the states that go from one window to
        the next pass through `stop_gradient`.  So every number forward is the same, and the
        gradient of a loss of step k is that of its window alone, from its first step to k, with
        the states that came in as constants.

        >>> run = RNN([[4], [1]], activation="relu", bias=False).unroll(bits("101"))
        >>> [step.pi[0].data for step in run.steps]
        [1.0, 4.0, 17.0]
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.unroll(bits("101"), truncate=2).pi[0].backward()
        >>> [weight.grad for weight in rnn.parameters()]  # 8 and 17 with all steps
        [4.0, 1.0]
        """
        given, names = self.initial if state is None else state, components("q", self.states, None)
        initial = as_vector(given, names, "state", Value)
        if isinstance(inputs, str) or not isinstance(inputs, Iterable):
            raise ArgumentTypeError(
                f"inputs must be a list of vectors, not {type(inputs).__name__}: "
                f"write one_hot(...) or bits(...) around a string."
            )
        check_truncate(truncate)
        q, steps, cuts = initial, [], set()
        for k, vector in enumerate(inputs, 1):
            if begins_window(k, truncate):
                q = tuple([stop_gradient(value) for value in q])
                cuts.add(k)
            names = components("x", self.inputs, k)
            x = as_vector(vector, names, f"inputs[{k - 1}]", constant)
            pi = weighted_sums(self.weights, q + x, bias=self.bias)
            for index, value in enumerate(pi):
                value.name = component("π", index, len(pi), k)
            q = pi if self._apply is None else tuple([self._apply(value) for value in pi])
            if self._apply is not None:
                for index, value in enumerate(q):
                    value.name = component("q", index, len(q), k)
            steps.append(Step(k, x, pi, q))
        return Unrolled(self, initial, tuple(steps), frozenset(cuts))

    def step(
        self, state: tuple[Any, ...], x: tuple[Any, ...], parameters: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], Any]:
        """The state Q after one input, and π: a Value where it has one entry, else a tuple.

        The parameters are in the order of `parameters()`; nothing is kept or named.  `ValueError`
        for a vector of the wrong size.

        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.step((2.0,), (1.0,), (4.0, 1.0))
        ((9.0,), 9.0)
        """
        check_step(self, state, x, parameters)
        pi = weighted_sums(as_rows(parameters, self.states), state + x, bias=self.bias)
        q = pi if self._apply is None else tuple([self._apply(value) for value in pi])
        return q, single(pi)

    def compile(
        self,
        loss: Any,
        *,
        at: str = "last",
        backend: str = "auto",
        exact: bool = False,
        devices: Any = None,
    ) -> CompiledStep:
        """The layer over batches of sequences, its output being π; see `compile_step`.

        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.compile("squared_error", backend="python").loss_and_gradients([[1, 0, 1]], [15])
        (4.0, [32.0, 68.0])
        """
        given = (self.step, loss, self.parameters(), self.initial)
        return compile_step(*given, at=at, backend=backend, exact=exact, devices=devices)

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

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path of a JSON file from which `RNN.load` makes the same layer; written whole."""
        return save_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RNN:
        """The layer that `save` wrote; runs no code.  `ValueError` where it is none.

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "counter.json")
        >>> RNN.load(counter().save(path))
        <RNN: 3 states, 4 inputs, step>
        """
        return load_json(path, "an RNN", cls.from_dict)

    def __repr__(self) -> str:
        return f"<RNN: {self.states} states, {self.inputs} inputs, {self.activation}>"


def _activation(name: object) -> Callable[[Value], Value] | None:
    chosen = as_choice(name, "activation", activations())
    return None if chosen == LINEAR else TABLE[chosen]


# --- the lecture's counter -----------------------------------------------------------------------


def counter(base: str = "G", at_least: int = 3, alphabet: str = "ACGT") -> RNN:
    """The lecture's hand-made network: its last state is 1 once `base` occurred `at_least` times.

    State j turns on where state j-1 was on and the base comes, or where it was already on
    (panel 6).  It needs the step activation: with ReLU the states grow, and `GGAA` is wrong.

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
