"""LSTM and GRU: recurrent layers with gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_flag, as_list
from ..engine.value import Value
from ..errors import ArgumentValueError
from ..ops.table import sigmoid, tanh
from .model import Model
from .vectors import Table, as_vector


class LSTM(Model):
    """A layer with a memory cell and three gates (Hochreiter and Schmidhuber, 1997; Gers, 2000).

    π = Wᵀ [1; H; X] has four parts: i, f and o are sigmoids of theirs, g is a tanh; C = f·C + i·g,
    H = o·tanh(C).  `weights` is W: rows [1; H; X], without `bias` [H; X], and for each of i, f, g,
    o a column per state.
    `names`, by default w_1, w_2, ... row by row, has the same shape.  The state is H, then C; the
    output is H.  `random` sets the offsets to 0, and those of f to 1.  `ValueError` for a shape
    that does not fit.

    >>> lstm = LSTM.random(2, 1, seed=1)
    >>> run = lstm.unroll([[1], [0], [1]])
    >>> [value.name for value in run.steps[1].f], len(run.output)
    (['f̈₁', 'f̈₂'], 2)
    """

    letters, gates = "hc", "ifgo"
    offsets = {"f": 1.0}  # noqa: RUF012 - never assigned to

    def __init__(
        self, weights: Table, *, bias: bool = True, names: Sequence[Sequence[str]] | None = None
    ) -> None:
        self.bias = as_flag(bias, "bias")
        super().__init__(weights, names=names)

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, tuple[Any, ...]]:
        """The sums π, the gates i, f, o and the candidate g, the cell c and the hidden state h."""
        h, c = state
        sums = [self.sums(table, h + x) for table in weights]
        i, f, o = [tuple(map(sigmoid, sums[part])) for part in (0, 1, 3)]
        g = tuple(map(tanh, sums[2]))
        c = tuple([f * c + i * g for f, c, i, g in zip(f, c, i, g, strict=True)])
        h = tuple([o * tanh(c) for o, c in zip(o, c, strict=True)])
        pi = tuple([total for part in sums for total in part])
        return {"pi": pi, "i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


class GRU(Model):
    """A layer with a reset gate and an update gate (Cho and others, 2014), as torch has it.

    r and z are sigmoids of their parts of π = Wᵀ [1; H; X], and n is reset by r: m = Uᵀ [1; H],
    n = tanh(Wᵀ [1; X] + r·m), H = (1 - z)·n + z·H.  `weights` has rows [1; H; X], and for each of
    r, z, n a column per state; the offset of U is `recurrent_offset`, zeros unless given.  Without
    `bias` there are neither that nor the rows of 1.  `names` and `recurrent_names` have the same
    shapes, by default w_1, w_2, ... row by row, the recurrent offset last.  The state and the
    output are H.  `ValueError` for a shape that does not fit.

    >>> gru = GRU.random(2, 1, seed=1)
    >>> run = gru.unroll([[1], [0]])
    >>> [value.name for value in run.steps[0].z], len(gru.parameters())
    (['ż₁', 'ż₂'], 26)
    """

    letters, gates = "h", "rzn"

    def __init__(
        self,
        weights: Table,
        recurrent_offset: Sequence[float | Value] | None = None,
        *,
        bias: bool = True,
        names: Sequence[Sequence[str]] | None = None,
        recurrent_names: Sequence[str] | None = None,
    ) -> None:
        self.bias = as_flag(bias, "bias")
        super().__init__(weights, names=names)
        if not bias and not self.inputs:
            raise ArgumentValueError("weights has no row for n but those of H: it needs an input.")
        size, first = self.states if bias else 0, 1 + len(super().parameters())
        numbered = [f"w_{place}" for place in range(first, first + size)]
        given = numbered if recurrent_names is None else recurrent_names
        own = as_list(given, "recurrent_names", "names")
        if len(own) != size:
            raise ArgumentValueError(f"recurrent_names must have size {size}, not {len(own)}.")
        offset = [0.0] * size if recurrent_offset is None else recurrent_offset
        self.recurrent_offset = as_vector(offset, own, "recurrent_offset", Value)

    @property
    def recurrent_names(self) -> list[str | None]:
        """The names of the recurrent offset."""
        return [weight.name for weight in self.recurrent_offset]

    def parameters(self) -> list[Value]:
        """The weights, row by row, and then the recurrent offset, if there is one."""
        return [*super().parameters(), *self.recurrent_offset]

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, tuple[Any, ...]]:
        """The recurrent sums m, the sums π, the gates r and z, the candidate n and the state h."""
        (h,), (of_r, of_z, of_n, *offset), size, first = state, weights, self.states, int(self.bias)
        sums = [self.sums(table, h + x) for table in (of_r, of_z)]
        r, z = [tuple(map(sigmoid, part)) for part in sums]
        m = self.sums([*offset, *of_n[first : first + size]], h)
        driven = self.sums([*of_n[:first], *of_n[first + size :]], x)
        of_n = tuple([d + r * m for d, r, m in zip(driven, r, m, strict=True)])
        n = tuple(map(tanh, of_n))
        h = tuple([(1.0 - z) * n + z * h for z, n, h in zip(z, n, h, strict=True)])
        return {"m": m, "pi": (*sums[0], *sums[1], *of_n), "r": r, "z": z, "n": n, "h": h}
