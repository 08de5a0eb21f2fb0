"""A layer that reads sequences both ways: two layers side by side, in one step."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from ..arguments import as_integer, many
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from .model import Model
from .serialise import fields_of, labelled, recurrent_kind, recurrent_kinds
from .stack import StackStep, made_of


class Bidirectional(Model):
    """Two layers of which one reads a sequence from its start, the other from its end.

    Step k of T takes input k for `forward`, and input T+1−k for `backward`, so that after the last
    step each has read the whole sequence, and only then: it has an output at the last step alone,
    the states of both, those of `forward` first.  So it compiles with `at="last"`, and not with
    states that are carried on; in a `Stack` it is the first layer, and those above it have no
    state.  The last output of torch's bidirectional layers is another one: their backward part has
    then read the last input alone; this one's is what torch has at the first step, and in `h_n`.

    The layers may differ in kind and in their number of states, not in that of inputs.
    `ValueError` for others, `TypeError` for a layer without a state.

    >>> from autograd_rnn import LSTM, Linear, Stack
    >>> both = Bidirectional(LSTM.random(3, 2, seed=1), LSTM.random(3, 2, seed=2))
    >>> both, len(both.unroll([[1, 0], [0, 1]]).output)
    (<Bidirectional: 2 inputs, LSTM of 3, LSTM of 3>, 6)
    >>> Stack([both, Linear.random(6, 1)])
    <Stack: 2 inputs, Bidirectional of 6, Linear of 1>
    """

    letters = ""

    def __init__(self, forward: Model, backward: Model) -> None:
        given: dict[str, object] = {"forward": forward, "backward": backward}
        for name, layer in given.items():
            if not isinstance(layer, Model) or not layer.letters:
                raise ArgumentTypeError(
                    f"{name} must be a layer with a state, such as an RNN or an LSTM, not "
                    f"{type(layer).__name__}."
                )
        if forward.inputs != backward.inputs:
            raise ArgumentValueError(
                f"both layers read the same inputs, but forward has {forward.inputs} and backward "
                f"{backward.inputs}."
            )
        if not {*map(id, forward.parameters())}.isdisjoint(map(id, backward.parameters())):
            raise ArgumentValueError(
                "forward and backward share weights: give each its own, such as a copy.deepcopy."
            )
        self.forward, self.backward = forward, backward

    @classmethod
    def random(  # type: ignore[override]  # the kind comes first, as for a stack
        cls, kind: str | type[Model], states: int, inputs: int, *, seed: int = 0
    ) -> Self:
        """Two layers of one kind, with so many states each, of random weights by the seed.

        The weights are named w_1, w_2, ... through both.

        >>> Bidirectional.random("GRU", 4, 2)
        <Bidirectional: 2 inputs, GRU of 4, GRU of 4>
        """
        layer = recurrent_kind(kind)
        chance = random.Random(as_integer(seed, "seed"))
        first, second = [
            layer.random(states, inputs, seed=chance.randrange(2**32)) for _ in range(2)
        ]
        both = cls(first, second)
        for place, weight in enumerate(both.parameters(), 1):
            weight.name = f"w_{place}"
        return both

    @property
    def both_ways(self) -> bool:
        """True: each step takes two inputs."""
        return True

    @property
    def weights(self) -> tuple[tuple[Value, ...], ...]:  # type: ignore[override]  # read alone
        """The rows of both layers, those of `forward` first."""
        return (*self.forward.weights, *self.backward.weights)

    @property
    def states(self) -> int:
        """The number of states that the next layer reads: those of both layers."""
        return self.forward.states + self.backward.states

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return self.forward.inputs

    @property
    def outputs(self) -> int:
        """The number of outputs: the states of both layers."""
        return self.states

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [*self.forward.initial, *self.backward.initial]

    def parameters(self) -> list[Value]:
        """The weights of both layers, those of `forward` first."""
        return [*self.forward.parameters(), *self.backward.parameters()]

    def advance(self, state: Any, x: Any, weights: Any) -> Mapping[str, Iterable[Any]]:
        """Not for this layer: each of its two takes its own step."""
        raise ArgumentTypeError("the layers forward and backward take the steps: call theirs.")

    def _arranged(self, xs: Iterable[tuple[Value, ...]]) -> Iterable[tuple[Value, ...]]:
        listed = [*xs]
        return [x + y for x, y in zip(listed, reversed(listed), strict=True)]

    def _split(self, parameters: Sequence[Any]) -> Sequence[Any]:
        count = len(self.forward.parameters())
        return self.forward._split(parameters[:count]), self.backward._split(parameters[count:])

    def _advance(self, k: int, state: Any, x: Any, weights: Sequence[Any]) -> StackStep:
        held, size = len(self.forward.initial), self.inputs
        steps = (
            self.forward._advance(k, state[:held], x[:size], weights[0]),
            self.backward._advance(k, state[held:], x[size:], weights[1]),
        )
        letters = dict.fromkeys([letter for step in steps for letter in step.vectors])
        vectors = {
            letter: tuple([one for step in steps for one in step.vectors.get(letter, ())])
            for letter in letters
        }
        hidden = [*zip((self.forward, self.backward), steps, strict=True)]
        entries = tuple([one for layer, step in hidden for one in layer._passed_on(step)])
        return StackStep(k, x, vectors, (*steps[0].q, *steps[1].q), entries, steps)

    def _layers(self) -> Sequence[Model]:
        return [self.forward, self.backward]

    def _parts(self, step: Any) -> Sequence[Any]:
        return step.layers  # type: ignore[no-any-return]

    def _passed_on(self, step: Any) -> Sequence[Any]:
        return step.entries  # type: ignore[no-any-return]

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: what each layer would, as `from_dict` takes it."""
        both = {"forward": self.forward.to_dict(), "backward": self.backward.to_dict()}
        return labelled(self, both)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The model that `to_dict` described; `ValueError` if anything is missing or wrong."""
        fields = fields_of(content, cls.kind, "forward", "backward")
        model = cls(*[made_of(layer, recurrent_kinds()) for layer in fields.values()])
        model.alphabet = content.get("alphabet")
        return model

    def __repr__(self) -> str:
        layers = [f"{type(one).__name__} of {one.states}" for one in self._layers()]
        return f"<{type(self).__name__}: {many(self.inputs, 'input')}, {', '.join(layers)}>"
