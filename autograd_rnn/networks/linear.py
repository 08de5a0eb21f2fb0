"""The readout: a linear layer without a state."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from ..arguments import as_integer, many, shown
from ..engine.value import Value
from ..errors import ArgumentValueError
from .initialise import glorot
from .model import Model
from .rnn import MOST_INPUTS, MOST_STATES
from .serialise import fields_of
from .vectors import as_rows, as_table, as_weights, single, weighted_sums


class LinearStep(NamedTuple):
    """One step of a readout: its number k from 1, inputs x and outputs y."""

    k: int
    x: tuple[Value, ...]
    y: tuple[Value, ...]

    @property
    def pi(self) -> tuple[Value, ...]:
        """The sums, which are the outputs."""
        return self.y

    @property
    def q(self) -> tuple[Value, ...]:
        """No state."""
        return ()

    @property
    def output(self) -> Any:
        """y: a Value where it has one entry, else a tuple."""
        return single(self.y)


class Linear(Model):
    """A readout without a state: y = Wᵀ [1; X].

    `weights` is W: rows [1; X] and a column per output, of numbers or Values; without `bias` the
    first row is left out.  `names` has the shape of `weights` and defaults to w_1, w_2, ... row by
    row.  `ValueError` for a shape that does not fit.

    >>> Linear([[1], [2], [3]])([[10, 100]]).data
    321.0
    """

    __slots__ = ("bias", "weights")

    states = 0

    def __init__(
        self,
        weights: Sequence[Sequence[Any]],
        *,
        bias: bool = True,
        names: Sequence[Sequence[str]] | None = None,
    ) -> None:
        table = as_table(weights, "weights")
        self.bias = bool(bias)
        self.weights = as_weights(table, names)

    @classmethod
    def random(cls, inputs: int, outputs: int, *, seed: int = 0) -> Linear:
        """A readout with offset 0, its weights drawn by the seed as Glorot and Bengio do (2010).

        >>> Linear.random(8, 2)
        <Linear: 8 inputs, 2 outputs>
        """
        as_integer(inputs, "inputs", least=1, most=MOST_INPUTS)
        as_integer(outputs, "outputs", least=1, most=MOST_STATES)
        chance = random.Random(as_integer(seed, "seed"))
        return cls([[0.0] * outputs, *glorot(inputs, outputs, chance)])

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return len(self.weights) - self.bias

    @property
    def outputs(self) -> int:
        """The number of outputs per step."""
        return len(self.weights[0])

    def parameters(self) -> list[Value]:
        """The weights, row by row."""
        return [weight for row in self.weights for weight in row]

    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> LinearStep:
        return LinearStep(k, x, weighted_sums(as_rows(parameters, self.outputs), x, bias=self.bias))

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the numbers and the names, as `from_dict` takes them."""
        return {
            "kind": "Linear",
            "bias": self.bias,
            "weights": [[weight.data for weight in row] for row in self.weights],
            "names": [[weight.name for weight in row] for row in self.weights],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The readout that `to_dict` told of; `ValueError` where something is missing or wrong."""
        weights, bias, names = fields_of(content, "Linear", "weights", "bias", "names")
        if type(bias) is not bool:
            raise ArgumentValueError(f"bias must be True or False, not {shown(bias)}.")
        return cls(weights, bias=bias, names=names)

    def __repr__(self) -> str:
        return f"<Linear: {many(self.inputs, 'input')}, {many(self.outputs, 'output')}>"
