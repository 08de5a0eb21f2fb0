"""What every model has: its weights, its step, its unrolling over inputs, and its file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from ..arguments import many
from ..backends.compile_step import CompiledStep, compile_step
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.table import stop_gradient
from .serialise import load_json, save_json
from .vectors import (
    as_vector,
    begins_window,
    check_step,
    check_truncate,
    component,
    components,
)


class Unrolled:
    """A network unrolled over its inputs: the initial `state` and a `Step` per input (panel 10).

    A step has its number `k` from 1, inputs `x`, sums `pi`, states `q` and `output`; that of an
    LSTM also i, f, g, o, c and h, that of a GRU m, r, z, n and h, that of a Linear y, and that of a
    Stack the step of each of its `layers`.  `cuts` are the numbers of the steps that no gradient
    leaves backward: see `truncate` of `unroll`.

    >>> from autograd_rnn import RNN, bits
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


class Model(ABC):
    """Weights, and a step from a state and an input to the next state and an output.

    A kind of model says `inputs`, `outputs`, `initial`, `parameters()`, `to_dict()`, `from_dict()`,
    and how it advances by a step; unrolling, compiling and saving follow from these.
    """

    __slots__ = ()

    letters: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def states(self) -> int:
        """The number of states that the next layer reads."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """The number of inputs per step."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The number of outputs per step."""

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [0.0] * (self.states * len(self.letters))

    @abstractmethod
    def parameters(self) -> list[Value]:
        """The weights, flat, row by row."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the numbers and the names, as `from_dict` takes them."""

    @classmethod
    @abstractmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The model that `to_dict` told of; `ValueError` where something is missing or wrong."""

    @abstractmethod
    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> Any:
        """The record of step k, nothing in it named: its fields, and its `pi`, `q`, `output`."""

    def _layers(self) -> Sequence[Any]:
        """The models whose states are the state, in order."""
        return [self]

    def _parts(self, step: Any) -> Sequence[Any]:
        """The records whose vectors are named in one go."""
        return [step]

    def zero_grad(self) -> None:
        """Set the `grad` of every weight to 0."""
        for weight in self.parameters():
            weight.grad = 0.0

    def __call__(self, inputs: Iterable[Sequence[Any]]) -> Any:
        """The output after the inputs: `unroll(inputs).output`."""
        return self.unroll(inputs).output

    def step(
        self, state: tuple[Any, ...], x: tuple[Any, ...], parameters: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], Any]:
        """The state after one input, and the output: a Value where there is one, else a tuple.

        The parameters are in the order of `parameters()`; nothing is kept or named.  `ValueError`
        for a vector of the wrong size.
        """
        check_step(self, state, x, parameters)
        step = self._advance(1, state, x, parameters)
        return step.q, step.output

    def unroll(
        self,
        inputs: Iterable[Sequence[Any]],
        state: Sequence[Any] | None = None,
        *,
        truncate: int | None = None,
    ) -> Unrolled:
        """The model over the inputs, one vector per step, with the same weights at every step.

        Numbers among the inputs become constants; the initial state, zeros unless given, are
        variables.  `ValueError` for a vector of the wrong size.

        With `truncate`, backpropagation through time stops after so many steps: steps 1 to
        `truncate` are a window, the next ones another, and the states that go from one window to
        the next pass through `stop_gradient`.  So every number forward is the same, and the
        gradient of a loss of step k is that of its window alone, from its first step to k, with
        the states that came in as constants.

        >>> from autograd_rnn import RNN, bits
        >>> run = RNN([[4], [1]], activation="relu", bias=False).unroll(bits("101"))
        >>> [step.pi[0].data for step in run.steps]
        [1.0, 4.0, 17.0]
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.unroll(bits("101"), truncate=2).pi[0].backward()
        >>> [weight.grad for weight in rnn.parameters()]  # 8 and 17 with all steps
        [4.0, 1.0]
        """
        given = self.initial if state is None else state
        initial = q = as_vector(given, state_names(self._layers()), "state", Value)
        if isinstance(inputs, str) or not isinstance(inputs, Iterable):
            raise ArgumentTypeError(
                f"inputs must be a list of vectors, not {type(inputs).__name__}: "
                f"write one_hot(...) or bits(...) around a string."
            )
        check_truncate(truncate)
        parameters, steps, cuts = tuple(self.parameters()), [], set()
        if_one_too_many = self._if_one_too_many()
        for k, vector in enumerate(inputs, 1):
            if begins_window(k, truncate):
                q = tuple([stop_gradient(value) for value in q])
                cuts.add(k)
            names = components("x", self.inputs, k)
            x = as_vector(vector, names, f"inputs[{k - 1}]", constant, if_one_too_many)
            step = self._advance(k, q, x, parameters)
            name_steps(self._parts(step), k)
            q = step.q
            steps.append(step)
        return Unrolled(self, initial, tuple(steps), frozenset(cuts))

    def compile(
        self,
        loss: Any,
        *,
        at: str = "last",
        backend: str = "auto",
        exact: bool = False,
        devices: Any = None,
    ) -> CompiledStep:
        """The model over batches of sequences, by its outputs; see `compile_step`.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> compiled.loss_and_gradients([[1, 0, 1]], [15])
        (4.0, [32.0, 68.0])
        """
        given = (self.step, loss, self.parameters(), self.initial)
        return compile_step(*given, at=at, backend=backend, exact=exact, devices=devices)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path of a JSON file from which `load` makes the same model; written whole."""
        return save_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model that `save` wrote; runs no code.  `ValueError` where it is no such file."""
        return load_json(path, f"a model of the kind {cls.__name__}", cls.from_dict)

    def _if_one_too_many(self) -> str:
        """What may be wrong where inputs have one number too many."""
        return ""

    def __repr__(self) -> str:
        size = f"{many(self.states, 'state')}, {many(self.inputs, 'input')}"
        return f"<{type(self).__name__}: {size}>"


def state_names(models: Sequence[Any]) -> list[str]:
    """The names of an initial state: what goes by one letter is counted over all the models.

    >>> from autograd_rnn import RNN
    >>> state_names([RNN.random(1, 1), RNN.random(2, 1)])
    ['q_1', 'q_2', 'q_3']
    """
    letters = [letter for model in models for letter in model.letters for _ in range(model.states)]
    met = dict.fromkeys(letters, 0)
    names = []
    for letter in letters:
        names.append(component(letter, met[letter], letters.count(letter), None))
        met[letter] += 1
    return names


def name_steps(records: Sequence[Any], k: int) -> None:
    """Name the vectors of step k by their fields: those of one letter are counted through."""
    vectors: dict[str, list[Value]] = {}
    met: set[Value] = set()
    for record in records:
        for field, vector in zip(record._fields, record, strict=True):
            # A layer's input is the output of the layer before it; linear states are their sums.
            if field not in ("k", "x") and met.isdisjoint(vector):
                met.update(vector)
                vectors.setdefault("π" if field == "pi" else field, []).extend(vector)
    for letter, vector in vectors.items():
        for index, value in enumerate(vector):
            value.name = component(letter, index, len(vector), k)
