"""Layers over layers, with a readout on top, and a model of any kind from its file."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

from ..arguments import as_choice, as_integer, many, shown
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from .gated import GRU, LSTM
from .linear import Linear
from .model import Model
from .rnn import RNN
from .serialise import fields_of, load_json

Layer = RNN | LSTM | GRU | Linear

RECURRENT: Final[dict[str, type[RNN | LSTM | GRU]]] = {
    "RNN": RNN,
    "LSTM": LSTM,
    "GRU": GRU,
}
LAYERS: Final[dict[str, type[Layer]]] = {**RECURRENT, "Linear": Linear}
MOST_LAYERS: Final = 100


class StackStep(NamedTuple):
    """One step of a stack: its number k from 1, inputs x, and the step of each layer."""

    k: int
    x: tuple[Value, ...]
    layers: tuple[Any, ...]

    @property
    def pi(self) -> tuple[Value, ...]:
        """The sums of the last layer."""
        pi: tuple[Value, ...] = self.layers[-1].pi
        return pi

    @property
    def q(self) -> tuple[Value, ...]:
        """The states of all the layers, one layer after the other."""
        return tuple([value for step in self.layers for value in step.q])

    @property
    def output(self) -> Any:
        """The output of the last layer."""
        return self.layers[-1].output


class Stack(Model):
    """Layers of which each reads the hidden states of the one below; the last gives the output.

    `layers` are RNN, LSTM, GRU and Linear, the first one nearest to the inputs.  Usual is a Linear
    on top, the readout; without it the output is that of the last layer (an RNN's is π).  A layer
    reads the states Q of an RNN, H of an LSTM or a GRU, and y of a Linear.  `ValueError` where the
    inputs of a layer are not as many.

    >>> model = Stack([LSTM.random(3, 1), Linear.random(3, 1)])
    >>> model
    <Stack: 1 input, LSTM of 3, Linear of 1>
    >>> model.unroll([[1], [0]]).output.name
    'ÿ'
    """

    __slots__ = ("layers",)

    def __init__(self, layers: Iterable[Layer]) -> None:
        if not isinstance(layers, Iterable):
            raise ArgumentTypeError(f"layers must be a list, not {type(layers).__name__}.")
        self.layers: tuple[Layer, ...] = tuple(layers)
        if not self.layers:
            raise ArgumentValueError("layers must hold one layer or more.")
        for place, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise ArgumentTypeError(
                    f"layers[{place}] must be an RNN, an LSTM, a GRU or a Linear, "
                    f"not {type(layer).__name__}."
                )
        for place, (below, layer) in enumerate(pairwise(self.layers), 1):
            width = below.states or below.outputs
            if layer.inputs != width:
                raise ArgumentValueError(
                    f"layers[{place}] has {layer.inputs} inputs, but the layer below gives {width}."
                )

    @classmethod
    def random(
        cls, kind: str, states: int, inputs: int, outputs: int, *, layers: int = 1, seed: int = 0
    ) -> Stack:
        """So many layers of a kind, "RNN", "LSTM" or "GRU", and a readout, drawn by the seed.

        Their weights are named w_1, w_2, ... through the whole stack.

        >>> Stack.random("GRU", 4, 2, 1, layers=2)
        <Stack: 2 inputs, GRU of 4, GRU of 4, Linear of 1>
        """
        layer = RECURRENT[as_choice(kind, "kind", RECURRENT)]
        as_integer(layers, "layers", least=1, most=MOST_LAYERS)
        chance = random.Random(as_integer(seed, "seed"))
        made: list[Layer] = []
        for place in range(layers):
            width = states if place else inputs
            made.append(layer.random(states, width, seed=chance.randrange(2**32)))
        return cls([*made, Linear.random(states, outputs, seed=chance.randrange(2**32))]).numbered()

    def numbered(self) -> Self:
        """The stack itself, its weights renamed w_1, w_2, ... from the first layer to the last.

        >>> Stack([GRU.random(1, 1), Linear.random(1, 1)]).numbered().parameters()[-1].name
        'w_12'
        """
        for place, weight in enumerate(self.parameters(), 1):
            weight.name = f"w_{place}"
        return self

    @property
    def states(self) -> int:
        """The number of hidden states of all the layers."""
        return sum([layer.states for layer in self.layers])

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """The number of outputs per step."""
        return self.layers[-1].outputs

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [entry for layer in self.layers for entry in layer.initial]

    def parameters(self) -> list[Value]:
        """The weights of all the layers, one layer after the other."""
        return [weight for layer in self.layers for weight in layer.parameters()]

    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> StackStep:
        steps: list[Any] = []
        entry = x
        for layer in self.layers:
            held, weights = len(layer.initial), len(layer.parameters())
            step = layer._advance(k, state[:held], entry, parameters[:weights])
            state, parameters = state[held:], parameters[weights:]
            entry = step.q[: layer.states] or step.pi
            steps.append(step)
        return StackStep(k, x, tuple(steps))

    def _layers(self) -> Sequence[Any]:
        return self.layers

    def _parts(self, step: StackStep) -> Sequence[Any]:
        return step.layers

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: what each layer would, as `from_dict` takes it."""
        return {"kind": "Stack", "layers": [layer.to_dict() for layer in self.layers]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The stack that `to_dict` told of; `ValueError` where something is missing or wrong."""
        (layers,) = fields_of(content, "Stack", "layers")
        if not isinstance(layers, list):
            raise ArgumentTypeError(f"layers must be a list, not {type(layers).__name__}.")
        return cls([_made(layer, LAYERS) for layer in layers])

    def __repr__(self) -> str:
        layers = [
            f"{type(layer).__name__} of {layer.states or layer.outputs}" for layer in self.layers
        ]
        return f"<Stack: {many(self.inputs, 'input')}, {', '.join(layers)}>"


def load_model(path: str | os.PathLike[str]) -> Any:
    """The model that `save` wrote, of whatever kind; runs no code.  `ValueError` where it is none.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> load_model(LSTM.random(3, 2).save(path))
    <LSTM: 3 states, 2 inputs>
    """
    return load_json(path, "a model", lambda content: _made(content, {**LAYERS, "Stack": Stack}))


def _made(content: Any, kinds: Mapping[str, Any]) -> Any:
    """What `to_dict` told of, by its kind."""
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ArgumentValueError(f"its kind is {shown(kind)}, not one of {', '.join(kinds)}.")
    return kinds[kind].from_dict(content)
