"""LSTM and GRU: recurrent layers with gates."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Self

from ..arguments import as_integer, many
from ..engine.value import Value
from ..errors import ArgumentValueError
from ..ops.table import sigmoid, tanh
from .initialise import glorot, orthogonal
from .model import Model
from .rnn import MOST_INPUTS
from .serialise import fields_of
from .vectors import as_rows, as_table, as_weights, single, weighted_sums

# Four gates of so many states, and their orthogonal rows, take seconds.
MOST_STATES: Final = 256


class _Gated(Model):
    """What LSTM and GRU share: weights in rows [1; Q; X], and a column per gate and state."""

    __slots__ = ("weights",)

    gates: ClassVar[str]

    def __init__(
        self, weights: Sequence[Sequence[Any]], *, names: Sequence[Sequence[str]] | None = None
    ) -> None:
        table = as_table(weights, "weights")
        count, columns = len(self.gates), len(table[0])
        if columns % count:
            raise ArgumentValueError(
                f"weights has {columns} columns, but needs a multiple of {count}: one per state "
                f"for each of the gates {', '.join(self.gates)}."
            )
        states = columns // count
        if len(table) < 1 + states:
            raise ArgumentValueError(
                f"weights has {many(len(table), 'row')} for {many(states, 'state')}, but needs at "
                f"least {1 + states}: one for the offset, one per state, and one per input."
            )
        self.weights = as_weights(table, names)

    @classmethod
    def _drawn(cls, states: int, inputs: int, seed: int) -> list[list[float]]:
        as_integer(states, "states", least=1, most=MOST_STATES)
        as_integer(inputs, "inputs", least=0, most=MOST_INPUTS)
        chance = random.Random(as_integer(seed, "seed"))
        blocks = [
            [[0.0] * states, *orthogonal(states, chance), *glorot(inputs, states, chance)]
            for _ in cls.gates
        ]
        return [[weight for row in rows for weight in row] for rows in zip(*blocks, strict=True)]

    @property
    def states(self) -> int:
        """The number of hidden states."""
        return len(self.weights[0]) // len(self.gates)

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return len(self.weights) - 1 - self.states

    @property
    def outputs(self) -> int:
        """The number of outputs per step: the hidden states."""
        return self.states

    def parameters(self) -> list[Value]:
        """The weights, row by row."""
        return [weight for row in self.weights for weight in row]

    def _split(self, vector: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The entries of each gate."""
        return [tuple(row) for row in as_rows(vector, self.states)]

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the numbers and the names, as `from_dict` takes them."""
        return {
            "kind": type(self).__name__,
            "weights": [[weight.data for weight in row] for row in self.weights],
            "names": [[weight.name for weight in row] for row in self.weights],
        }


# --- LSTM ----------------------------------------------------------------------------------------


class LSTMStep(NamedTuple):
    """One step of an LSTM: k, inputs x, sums π, gates i, f, o, candidate g, cell c, hidden h."""

    k: int
    x: tuple[Value, ...]
    pi: tuple[Value, ...]
    i: tuple[Value, ...]
    f: tuple[Value, ...]
    g: tuple[Value, ...]
    o: tuple[Value, ...]
    c: tuple[Value, ...]
    h: tuple[Value, ...]

    @property
    def q(self) -> tuple[Value, ...]:
        """The state: the hidden states, then the cells."""
        return self.h + self.c

    @property
    def output(self) -> Any:
        """h: a Value where it has one entry, else a tuple."""
        return single(self.h)


class LSTM(_Gated):
    """A layer with a memory cell and three gates (Hochreiter and Schmidhuber, 1997; Gers, 2000).

    π = Wᵀ [1; H; X], and of its four parts i, f, o are sigmoids, g is a tanh; C = f·C + i·g,
    H = o·tanh(C).  `weights` is W: rows [1; H; X], and the columns of i, f, g, o, one per state
    each.  The state is H, then C; the output is H.  `names` has the shape of `weights` and defaults
    to w_1, w_2, ... row by row.  `ValueError` for a shape that does not fit.

    >>> lstm = LSTM.random(2, 1, seed=1)
    >>> run = lstm.unroll([[1], [0], [1]])
    >>> [value.name for value in run.steps[1].f], len(run.output)
    (['f̈₁', 'f̈₂'], 2)
    """

    __slots__ = ()

    letters = ("h", "c")
    gates = "ifgo"

    @classmethod
    def random(cls, states: int, inputs: int, *, seed: int = 0) -> LSTM:
        """A layer drawn by the seed: orthogonal over H, as Glorot over X, offsets 0 but f's 1.

        >>> LSTM.random(8, 4)
        <LSTM: 8 states, 4 inputs>
        """
        offset, *rows = cls._drawn(states, inputs, seed)
        offset[states : 2 * states] = [1.0] * states
        return cls([offset, *rows])

    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> LSTMStep:
        h, c = self._split(state)
        pi = weighted_sums(as_rows(parameters, 4 * self.states), h + x, bias=True)
        of_i, of_f, of_g, of_o = self._split(pi)
        i, f, o = [tuple(map(sigmoid, part)) for part in (of_i, of_f, of_o)]
        g = tuple(map(tanh, of_g))
        c = tuple([f * c + i * g for f, c, i, g in zip(f, c, i, g, strict=True)])
        h = tuple([o * tanh(c) for o, c in zip(o, c, strict=True)])
        return LSTMStep(k, x, pi, i, f, g, o, c, h)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The layer that `to_dict` told of; `ValueError` where something is missing or wrong."""
        weights, names = fields_of(content, "LSTM", "weights", "names")
        return cls(weights, names=names)


# --- GRU -----------------------------------------------------------------------------------------


class GRUStep(NamedTuple):
    """One step of a GRU: k, inputs x, sums π, gates r, z, recurrent sums m, candidate n, hidden h.

    π are the whole sums of r, z and n.
    """

    k: int
    x: tuple[Value, ...]
    m: tuple[Value, ...]
    pi: tuple[Value, ...]
    r: tuple[Value, ...]
    z: tuple[Value, ...]
    n: tuple[Value, ...]
    h: tuple[Value, ...]

    @property
    def q(self) -> tuple[Value, ...]:
        """The state: the hidden states."""
        return self.h

    @property
    def output(self) -> Any:
        """h: a Value where it has one entry, else a tuple."""
        return single(self.h)


class GRU(_Gated):
    """A layer with a reset gate and an update gate (Cho and others, 2014), as torch has it.

    r and z are sigmoids of their parts of π = Wᵀ [1; H; X].  For n the reset gate stands between:
    m = Uᵀ [1; H], n = tanh(Wᵀ [1; X] + r·m), H = (1 - z)·n + z·H.  `weights` has rows [1; H; X]
    and the columns of r, z, n, one per state each; U takes its offset from `recurrent_offset` (a
    number per state, zeros unless given), its other rows from `weights`.  The state and the output
    are H.  `names` has the shape of `weights`; the names default to w_1, w_2, ... row by row, the
    recurrent offset last.  `ValueError` for a shape that does not fit.

    >>> gru = GRU.random(2, 1, seed=1)
    >>> run = gru.unroll([[1], [0]])
    >>> [value.name for value in run.steps[0].z], len(gru.parameters())
    (['ż₁', 'ż₂'], 26)
    """

    __slots__ = ("recurrent_offset",)

    letters = ("h",)
    gates = "rzn"

    def __init__(
        self,
        weights: Sequence[Sequence[Any]],
        recurrent_offset: Sequence[Any] | None = None,
        *,
        names: Sequence[Sequence[str]] | None = None,
    ) -> None:
        super().__init__(weights, names=names)
        given = [0.0] * self.states if recurrent_offset is None else recurrent_offset
        (row,) = as_table([given], "recurrent_offset")
        if len(row) != self.states:
            raise ArgumentValueError(
                f"recurrent_offset must have size {self.states}, not {len(row)}."
            )
        first = 1 + len(super().parameters())
        (self.recurrent_offset,) = as_weights([row], None, argument="recurrent_offset", first=first)

    @classmethod
    def random(cls, states: int, inputs: int, *, seed: int = 0) -> GRU:
        """A layer drawn by the seed: orthogonal over H, as Glorot over X, offsets 0.

        >>> GRU.random(8, 4)
        <GRU: 8 states, 4 inputs>
        """
        return cls(cls._drawn(states, inputs, seed))

    def parameters(self) -> list[Value]:
        """The weights, row by row, and then the recurrent offset."""
        return [*super().parameters(), *self.recurrent_offset]

    def _advance(self, k: int, state: Any, x: Any, parameters: Any) -> GRUStep:
        h, size = state, self.states
        rows, last = as_rows(parameters[:-size], 3 * size), parameters[-size:]
        gates, candidate = [row[: 2 * size] for row in rows], [row[2 * size :] for row in rows]
        pi = weighted_sums(gates, h + x, bias=True)
        r, z = [tuple(map(sigmoid, part)) for part in self._split(pi)]
        m = weighted_sums([last, *candidate[1 : 1 + size]], h, bias=True)
        driven = weighted_sums([candidate[0], *candidate[1 + size :]], x, bias=True)
        of_n = tuple([d + r * m for d, r, m in zip(driven, r, m, strict=True)])
        n = tuple(map(tanh, of_n))
        h = tuple([(1.0 - z) * n + z * h for z, n, h in zip(z, n, h, strict=True)])
        return GRUStep(k, x, m, pi + of_n, r, z, n, h)

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the numbers and the names, as `from_dict` takes them."""
        return {
            **super().to_dict(),
            "recurrent_offset": [weight.data for weight in self.recurrent_offset],
            "recurrent_names": [weight.name for weight in self.recurrent_offset],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The layer that `to_dict` told of; `ValueError` where something is missing or wrong."""
        weights, names = fields_of(content, "GRU", "weights", "names")
        offset, called = fields_of(content, "GRU", "recurrent_offset", "recurrent_names")
        (numbers,), (labels,) = as_table([offset], "recurrent_offset"), as_table([called], "names")
        if len(labels) != len(numbers):
            raise ArgumentValueError("recurrent_names must be as many as recurrent_offset.")
        last = [Value(number, name) for number, name in zip(numbers, labels, strict=True)]
        return cls(weights, last, names=names)
