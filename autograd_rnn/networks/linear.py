"""The readout: a linear layer without a state."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Self

from ..arguments import as_flag, as_integer
from .initialise import glorot
from .model import MOST_INPUTS, MOST_STATES, Model
from .vectors import Table


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
