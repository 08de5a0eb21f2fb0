"""Stacks of layers, with a readout on top; and a model of any kind from its file."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Final, Self

from ..arguments import as_integer, as_list, many, shown
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..files import read_json
from .model import Model
from .rnn import Linear
from .serialise import KINDS, fields_of, kind_called, labelled, recurrent_kind
from .vectors import Step

MOST_LAYERS: Final = 100


@dataclass(slots=True, eq=False, repr=False)
class StackStep(Step):
    """One step of a stack: that of each of its `layers`, and the vectors of the last one."""

    layers: tuple[Step, ...]


class Stack(Model):
    """Layers of which each reads the hidden states of the one below; the last gives the output.

    `layers` are RNN, LSTM, GRU, Linear and other kinds of `Model`, the first one nearest to the
    inputs, the last one usually a Linear as the readout.  A layer reads the states Q of an RNN, H
    of an LSTM or a GRU, and y of a Linear.  `ValueError` for a layer with more or fewer inputs.

    >>> from autograd_rnn import LSTM
    >>> model = Stack([LSTM.random(3, 1), Linear.random(3, 1)])
    >>> model
    <Stack: 1 input, LSTM of 3, Linear of 1>
    >>> model.unroll([[1], [0]]).output.name
    'ÿ'
    """

    letters = ""

    def __init__(self, layers: Iterable[Model]) -> None:
        listed = as_list(layers, "layers")
        if not listed:
            raise ArgumentValueError("layers must hold one layer or more.")
        for place, layer in enumerate(listed):
            if not isinstance(layer, Model) or isinstance(layer, Stack):
                raise ArgumentTypeError(
                    f"layers[{place}] must be a layer, such as an RNN or a Linear, "
                    f"not {type(layer).__name__}."
                )
            if place and (layer.both_ways or (listed[0].both_ways and layer.initial)):
                raise ArgumentValueError(
                    f"layers[{place}] cannot be {type(layer).__name__}: a layer that reads both "
                    f"ways has no output before the last step, so it is the first one, and those "
                    f"above it have no state, as a Linear."
                )
        self.layers: tuple[Model, ...] = tuple(listed)
        for place, (below, layer) in enumerate(pairwise(self.layers), 1):
            width = below.states or below.outputs
            if layer.inputs != width:
                raise ArgumentValueError(
                    f"layers[{place}] has {layer.inputs} inputs, but the layer below gives {width}."
                )

    @classmethod
    def random(  # type: ignore[override]  # a stack takes more arguments than a layer
        cls,
        kind: str | type[Model],
        states: int,
        inputs: int,
        outputs: int,
        *,
        layers: int = 1,
        seed: int = 0,
    ) -> Stack:
        """A stack of `layers` of one kind, and a readout on top, of random weights by the seed.

        `kind` is "RNN", "LSTM", "GRU", or that of another `Model` with a state, or its class.  The
        weights are named w_1, w_2, ... through the whole stack.

        >>> Stack.random("GRU", 4, 2, 1, layers=2)
        <Stack: 2 inputs, GRU of 4, GRU of 4, Linear of 1>
        """
        layer = recurrent_kind(kind)
        as_integer(layers, "layers", least=1, most=MOST_LAYERS)
        chance = random.Random(as_integer(seed, "seed"))
        seeds = [chance.randrange(2**32) for _ in range(layers + 1)]
        widths = [inputs, *[states] * (layers - 1)]
        made = [layer.random(states, n, seed=own) for n, own in zip(widths, seeds, strict=False)]
        return cls([*made, Linear.random(states, outputs, seed=seeds[-1])]).numbered()

    def numbered(self) -> Self:
        """The stack itself, its weights renamed w_1, w_2, ... from the first layer to the last.

        >>> from autograd_rnn import GRU
        >>> Stack([GRU.random(1, 1), Linear.random(1, 1)]).numbered().parameters()[-1].name
        'w_12'
        """
        for place, weight in enumerate(self.parameters(), 1):
            weight.name = f"w_{place}"
        return self

    @property
    def weights(self) -> tuple[tuple[Value, ...], ...]:  # type: ignore[override]  # read alone
        """The rows of all the layers, one layer after the other."""
        return tuple([row for layer in self.layers for row in layer.weights])

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
    def both_ways(self) -> bool:
        """Whether the first layer reads sequences both ways."""
        return self.layers[0].both_ways

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [entry for layer in self.layers for entry in layer.initial]

    def parameters(self) -> list[Value]:
        """The weights of all the layers, one layer after the other."""
        return [weight for layer in self.layers for weight in layer.parameters()]

    def _split(self, parameters: Sequence[Any]) -> Sequence[Any]:
        rest = iter(parameters)
        return [layer._split(tuple(islice(rest, len(layer.parameters())))) for layer in self.layers]

    def _advance(self, k: int, state: Any, x: Any, weights: Sequence[Any]) -> StackStep:
        steps: list[Step] = []
        entry = x
        for layer, own in zip(self.layers, weights, strict=True):
            held = len(layer.initial)
            step = layer._advance(k, state[:held], entry, own)
            state, entry = state[held:], layer._passed_on(step)
            steps.append(step)
        q = tuple([value for step in steps for value in step.q])
        return StackStep(k, x, step.vectors, q, step.entries, tuple(steps))

    def _arranged(self, xs: Iterable[tuple[Value, ...]]) -> Iterable[tuple[Value, ...]]:
        return self.layers[0]._arranged(xs)

    def _layers(self) -> Sequence[Model]:
        return [one for layer in self.layers for one in layer._layers()]

    def _parts(self, step: StackStep) -> Sequence[Step]:
        pairs = zip(self.layers, step.layers, strict=True)
        return [part for layer, own in pairs for part in layer._parts(own)]

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: what each layer would, as `from_dict` takes it."""
        return labelled(self, {"layers": [layer.to_dict() for layer in self.layers]})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The stack that `to_dict` described; `ValueError` if anything is missing or wrong."""
        layers = as_list(fields_of(content, cls.kind, "layers")["layers"], "layers")
        kinds = [name for name in KINDS if name != cls.kind]
        model = cls([made_of(layer, kinds) for layer in layers])
        model.alphabet = content.get("alphabet")
        return model

    def __repr__(self) -> str:
        layers = [f"{type(one).__name__} of {one.states or one.outputs}" for one in self.layers]
        return f"<Stack: {many(self.inputs, 'input')}, {', '.join(layers)}>"


def made_of(content: object, kinds: Collection[str]) -> Model:
    """The model, of one of the kinds, that `to_dict` described."""
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ArgumentValueError(
            f"its kind is {shown(kind)}, not one of {', '.join(kinds)}; the class of a kind of "
            f"your own has to be defined before."
        )
    model: Model = kind_called(kind).from_dict(content)
    return model


def load_model(path: str | os.PathLike[str]) -> Model:
    """The model in a file that `save` wrote, of any kind; runs no code.  `ValueError` for others.

    >>> import os, tempfile
    >>> from autograd_rnn import LSTM
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> load_model(LSTM.random(3, 2).save(path))
    <LSTM: 3 states, 2 inputs>
    """
    return read_json(path, "a model that `save` wrote", lambda content: made_of(content, KINDS))
