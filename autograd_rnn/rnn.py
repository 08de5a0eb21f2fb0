"""A layer, its unrolling, one-hot inputs, and the lecture's counter."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .arguments import as_choice, as_float, as_integer
from .engine import Value, constant
from .errors import ArgumentTypeError, ArgumentValueError, SymbolError
from .files import write_whole
from .notation import accent
from .ops import LINEAR, TABLE, stop_gradient
from .steps import CompiledStep, compile_step

__all__ = ["RNN", "Step", "Unrolled", "activations", "bits", "counter", "one_hot"]

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
    _check_alphabet(alphabet)
    _check_symbols(sequence, alphabet, "sequence")
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
    _check_symbols(string, "01", "bits")
    return [[float(symbol)] for symbol in string]


def _check_alphabet(alphabet: object) -> None:
    if not isinstance(alphabet, str):
        raise ArgumentTypeError(f"alphabet must be a str, not {type(alphabet).__name__}.")
    if not alphabet or len(set(alphabet)) < len(alphabet):
        raise ArgumentValueError(
            f"alphabet must be one or more different symbols, not {alphabet!r}."
        )


def _check_symbols(sequence: object, alphabet: str, argument: str) -> None:
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


class Unrolled:
    """A network unrolled over its inputs: the initial `state` and a `Step` per input (panel 10).

    `cuts` are the numbers of the steps that no gradient leaves backward: see `truncate`.
    """

    __slots__ = ("cuts", "rnn", "state", "steps")

    def __init__(
        self,
        rnn: RNN,
        state: tuple[Value, ...],
        steps: tuple[Step, ...],
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
        return self.steps[-1].pi

    @property
    def q(self) -> tuple[Value, ...]:
        """The states after the last step: the initial ones where there was no input."""
        return self.steps[-1].q if self.steps else self.state

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

    def __init__(
        self,
        weights: Sequence[Sequence[Any]],
        activation: str = "tanh",
        *,
        bias: bool = True,
        names: Sequence[Sequence[str]] | None = None,
    ) -> None:
        table = _as_table(weights, "weights")
        states, rows = len(table[0]), len(table)
        least = states + (1 if bias else 0)
        if rows < least:
            raise ArgumentValueError(
                f"weights has {rows} rows for {states} states, but needs at least {least}: "
                f"{'one for the offset, ' if bias else ''}one per state, and one per input."
            )
        labels = _numbered(rows, states) if names is None else _as_table(names, "names")
        if [len(row) for row in labels] != [states] * rows:
            raise ArgumentValueError(
                f"names must have the shape of weights, {rows} rows of {states}."
            )
        self.activation = activation
        self.bias = bool(bias)
        self._apply = _activation(activation)
        self.weights: tuple[tuple[Value, ...], ...] = tuple(
            tuple(
                weight
                if isinstance(weight, Value)
                else Value(as_float(weight, f"weights[{i}][{j}]"), labels[i][j])
                for j, weight in enumerate(row)
            )
            for i, row in enumerate(table)
        )

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
        """The number of outputs per step: the sums π of the states."""
        return self.states

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
        zeros = [0.0] * self.states
        initial = self._vector(zeros if state is None else state, self.states, "state", "q", None)
        if isinstance(inputs, str) or not isinstance(inputs, Iterable):
            raise ArgumentTypeError(
                f"inputs must be a list of vectors, not {type(inputs).__name__}: "
                f"write one_hot(...) or bits(...) around a string."
            )
        if truncate is not None:
            as_integer(truncate, "truncate", least=1)
        q, steps, cuts = initial, [], set()
        for k, vector in enumerate(inputs, 1):
            if truncate is not None and k > 1 and (k - 1) % truncate == 0:
                q = tuple([stop_gradient(value) for value in q])
                cuts.add(k)
            x = self._vector(vector, self.inputs, f"inputs[{k - 1}]", "x", k)
            pi = self._sums(q, x)
            for index, value in enumerate(pi):
                value.name = _component("π", index, len(pi), k)
            q = pi if self._apply is None else tuple([self._apply(value) for value in pi])
            if self._apply is not None:
                for index, value in enumerate(q):
                    value.name = _component("q", index, len(q), k)
            steps.append(Step(k, x, pi, q))
        return Unrolled(self, initial, tuple(steps), frozenset(cuts))

    def _sums(self, q: tuple[Value, ...], x: tuple[Value, ...]) -> tuple[Value, ...]:
        """Wᵀ [1; Q; X], a sum per column from the top down."""
        operands = q + x
        rows = self.weights[1:] if self.bias else self.weights
        sums = []
        for column in range(self.states):
            total = self.weights[0][column] if self.bias else None
            for weights, operand in zip(rows, operands, strict=True):
                term = weights[column] * operand
                total = term if total is None else total + term
            assert total is not None
            sums.append(total)
        return tuple(sums)

    def _vector(
        self, vector: Sequence[Any], size: int, argument: str, letter: str, k: int | None
    ) -> tuple[Value, ...]:
        try:
            if isinstance(vector, str | bytes | Mapping | Set):
                raise TypeError
            found = len(vector)
        except TypeError:
            raise ArgumentTypeError(
                f"{argument} must be a list of {size} numbers or Values, "
                f"not {type(vector).__name__}."
            ) from None
        if found != size:
            raise ArgumentValueError(f"{argument} must have size {size}, not {found}.")
        leaf = Value if k is None else constant
        return tuple(
            [
                entry
                if isinstance(entry, Value)
                else leaf(
                    as_float(entry, f"{argument}[{index}]"), _component(letter, index, size, k)
                )
                for index, entry in enumerate(vector)
            ]
        )

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
        states, size = self.states, self.bias + self.states + self.inputs

        def step(state: Any, x: Any, parameters: Any) -> Any:
            rows = [parameters[i * states : (i + 1) * states] for i in range(size)]
            layer = RNN(rows, self.activation, bias=self.bias)
            unrolled = layer.unroll([x], state)
            pi = unrolled.pi
            return unrolled.q, pi[0] if len(pi) == 1 else pi

        state = [0.0] * states
        return compile_step(
            *(step, loss, self.parameters(), state),
            **{"at": at, "backend": backend, "exact": exact, "devices": devices},
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path of a JSON file from which `RNN.load` makes the same layer; written whole."""
        content = {
            "kind": "RNN",
            "activation": self.activation,
            "bias": self.bias,
            "weights": [[weight.data for weight in row] for row in self.weights],
            "names": [[weight.name for weight in row] for row in self.weights],
        }
        return write_whole(path, (json.dumps(content, indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RNN:
        """The layer that `save` wrote; runs no code.  `ValueError` where it is none.

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "counter.json")
        >>> RNN.load(counter().save(path))
        <RNN: 3 states, 4 inputs, step>
        """
        text = Path(path).read_bytes()
        try:
            content = json.loads(text)
            kind, bias, names = content["kind"], content["bias"], content["names"]
            if kind != "RNN" or type(bias) is not bool:
                raise ValueError(f"its kind is {kind!r} and its bias {bias!r}")
            return cls(content["weights"], content["activation"], bias=bias, names=names)
        except KeyError as error:
            reason = f"{error} is missing"
        except RecursionError:
            reason = "it is nested too deeply"
        except (ValueError, TypeError) as error:
            reason = str(error)
        raise ArgumentValueError(f"{str(path)!r} does not hold an RNN that `save` wrote: {reason}")

    def __repr__(self) -> str:
        return f"<RNN: {self.states} states, {self.inputs} inputs, {self.activation}>"


@lru_cache(maxsize=10_000)
def _component(letter: str, index: int, size: int, k: int | None) -> str:
    """π̇ for a vector of size 1, π̇₁, π̇₂, ... otherwise; no accent for the initial state."""
    name = letter if size == 1 else f"{letter}_{index + 1}"
    return name if k is None else accent(name, k)


def _activation(name: object) -> Callable[[Value], Value] | None:
    chosen = as_choice(name, "activation", activations())
    return None if chosen == LINEAR else TABLE[chosen]


def _numbered(rows: int, columns: int) -> list[list[str]]:
    return [[f"w_{i * columns + j + 1}" for j in range(columns)] for i in range(rows)]


def _as_table(rows: object, argument: str) -> list[list[Any]]:
    """The rows as lists of one length, none empty."""
    refusal = ArgumentTypeError(f"{argument} must be a list of rows, each of them a list.")
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise refusal
    table = []
    for row in rows:
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise refusal
        table.append(list(row))
    if not table or not table[0] or len({len(row) for row in table}) != 1:
        raise ArgumentValueError(f"{argument} must have one or more rows of one length.")
    return table


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
    _check_alphabet(alphabet)
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
