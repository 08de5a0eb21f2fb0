"""Vectors and tables of Values: their names, how weights start, and the steps that hold them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from typing import Any, TypeAlias

from ..arguments import as_float, as_list
from ..backends.symbols import as_input, is_vector
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.notation import accent

#: Numbers or Values in an order: a list, a tuple, an array.
Vector: TypeAlias = Collection[float | Value]
#: Rows of one length.
Table: TypeAlias = Sequence[Sequence[float | Value]]


@lru_cache(maxsize=10_000)
def components(letter: str, size: int, k: int | None) -> tuple[str, ...]:
    """The names of a vector's entries: no index for a single one, no accent for the initial state.

    >>> components("q", 3, 2), components("q", 1, 1), components("h", 2, None)
    (('q̈₁', 'q̈₂', 'q̈₃'), ('q̇',), ('h_1', 'h_2'))
    """
    names = [letter] if size == 1 else [f"{letter}_{index}" for index in range(1, size + 1)]
    return tuple(names if k is None else [accent(name, k) for name in names])


def as_vector(
    vector: object,
    names: Sequence[str],
    argument: str,
    leaf: Callable[[float, str], Value],
    if_one_too_many: str = "",
) -> tuple[Value, ...]:
    """The entries of a vector as Values: numbers become leaves with the names.

    >>> [entry.name for entry in as_vector([1, Value(2, "mine")], ["x_1", "x_2"], "x", Value)]
    ['x_1', 'mine']
    """
    size, entries = len(names), vector
    if type(entries) is not list and type(entries) is not tuple:  # the abstract classes are slow
        if (
            not (hasattr(vector, "__len__") and isinstance(vector, Iterable))
            or isinstance(vector, str | bytes | Mapping | Set)
            or getattr(vector, "shape", None) == ()
        ):
            raise ArgumentTypeError(
                f"{argument} must be a list of {size} numbers or Values, not "
                f"{type(vector).__name__}."
            )
        entries = list(vector)
    if len(entries) != size:
        more = f" {if_one_too_many}" if if_one_too_many and len(entries) == size + 1 else ""
        raise ArgumentValueError(f"{argument} must have size {size}, not {len(entries)}.{more}")
    return tuple(
        [
            entry
            if isinstance(entry, Value)
            else leaf(as_float(entry, f"{argument}[{index}]"), names[index])
            for index, entry in enumerate(entries)
        ]
    )


def as_inputs(
    vectors: Iterable[Any], size: int, if_one_too_many: str = ""
) -> Iterator[tuple[Value, ...]]:
    """The vectors of a sequence in turn as constants, named by their step; or symbols as vectors.

    >>> [[x.data for x in step] for step in as_inputs([1, 0], 2)]
    [[0.0, 1.0], [1.0, 0.0]]
    """
    symbols = False
    for k, vector in enumerate(vectors, 1):
        name, entries = f"inputs[{k - 1}]", vector
        if size > 1:
            symbols = not is_vector(vector) if k == 1 else symbols
            entries = as_input(vector, size, name, symbols=symbols)
        yield as_vector(entries, components("x", size, k), name, constant, if_one_too_many)


def as_table(rows: object, argument: str) -> list[list[Any]]:
    """The rows as lists of one length, none empty.

    >>> as_table(((1, 2), (3, 4)), "weights")
    [[1, 2], [3, 4]]
    """
    listed = as_list(rows, argument, "rows")
    table = [as_list(row, f"{argument}[{place}]") for place, row in enumerate(listed)]
    if not table or not table[0] or len({*map(len, table)}) != 1:
        raise ArgumentValueError(f"{argument} must have one or more rows of one length.")
    return table


def as_weights(
    table: Sequence[Sequence[Any]], names: Sequence[Sequence[str]] | None
) -> tuple[tuple[Value, ...], ...]:
    """The table as Values named w_1, w_2, ... row by row, or by `names`; Values keep theirs.

    >>> [[weight.name for weight in row] for row in as_weights([[4], [1]], None)]
    [['w_1'], ['w_2']]
    """
    rows, columns = len(table), len(table[0])
    numbered = as_rows([f"w_{place}" for place in range(1, 1 + rows * columns)], columns)
    labels = numbered if names is None else as_table(names, "names")
    if [*map(len, labels)] != [columns] * rows:
        raise ArgumentValueError(f"names must have the shape of weights, {rows} rows of {columns}.")
    pairs = enumerate(zip(table, labels, strict=True))
    return tuple([as_vector(row, own, f"weights[{i}]", Value) for i, (row, own) in pairs])


def as_rows(parameters: Sequence[Any], columns: int) -> list[Sequence[Any]]:
    """The parameters cut into rows.

    >>> as_rows((1, 2, 3, 4), 2)
    [(1, 2), (3, 4)]
    """
    return [parameters[start : start + columns] for start in range(0, len(parameters), columns)]


def glorot(rows: int, columns: int, chance: random.Random) -> list[list[float]]:
    """Rows of weights, uniform in ±√(6 / (rows + columns)) (Glorot and Bengio, 2010).

    >>> [len(row) for row in glorot(2, 3, random.Random(0))]
    [3, 3]
    """
    bound = math.sqrt(6.0 / (rows + columns))
    return [[chance.uniform(-bound, bound) for _ in range(columns)] for _ in range(rows)]


def orthogonal(size: int, chance: random.Random) -> list[list[float]]:
    """The rows of a random orthogonal matrix (Saxe and others, 2014).

    >>> (a, b), (c, d) = orthogonal(2, random.Random(0))
    >>> abs(a * c + b * d) < 1e-15
    True
    """
    rows: list[list[float]] = []
    for _ in range(size):
        row = [chance.gauss(0.0, 1.0) for _ in range(size)]
        for _ in range(2):  # the second pass removes the rounding errors of the first
            for other in rows:
                along = math.fsum(map(mul, row, other))
                row = [entry - along * part for entry, part in zip(row, other, strict=True)]
        length = math.hypot(*row)
        rows.append([entry / length for entry in row])
    return rows


@dataclass(slots=True, eq=False, repr=False)
class Step:
    """One time step of a run: its number `k` from 1, its inputs `x`, and the model's vectors.

    A vector is an attribute by its letter (`step.h`).  `q` is the state after the step, `entries`
    are those of the output.
    """

    k: int
    x: tuple[Any, ...]
    vectors: Mapping[str, tuple[Any, ...]]
    q: tuple[Any, ...]
    entries: tuple[Any, ...]

    @property
    def pi(self) -> tuple[Any, ...]:
        """The sums: of a model that names none, the outputs that are not states."""
        states = set(self.q)
        return self.vectors.get("pi") or tuple([y for y in self.entries if y not in states])

    @property
    def output(self) -> Any:
        """The output: a Value if there is one, else a tuple."""
        return self.entries[0] if len(self.entries) == 1 else self.entries

    def __getattr__(self, letter: str) -> tuple[Any, ...]:
        if letter == "vectors" or letter not in self.vectors:
            raise AttributeError(f"the step has no vector {letter!r}.")
        return self.vectors[letter]


def state_names(models: Sequence[Any]) -> list[str]:
    """The names of an initial state; entries with one letter are counted over all the models.

    >>> from autograd_rnn import RNN
    >>> state_names([RNN.random(1, 1), RNN.random(2, 1)])
    ['q_1', 'q_2', 'q_3']
    """
    letters = [letter for model in models for letter in model.letters for _ in range(model.states)]
    names = {one: iter(components(one, letters.count(one), None)) for one in set(letters)}
    return [next(names[letter]) for letter in letters]


def name_steps(steps: Sequence[Step], k: int) -> None:
    """Name the vectors of step k by their letters; entries with one letter are counted over all."""
    vectors: dict[str, list[Value]] = {}
    met: set[Value] = set()
    for step in steps:
        for letter, vector in step.vectors.items():
            # Linear states are their sums.  A vector that `advance` returns unchanged has names
            # already, or is of plain numbers.
            if vector and getattr(vector[0], "name", "") is None and met.isdisjoint(vector):
                met.update(vector)
                vectors.setdefault("π" if letter == "pi" else letter, []).extend(vector)
    for letter, values in vectors.items():
        for value, name in zip(values, components(letter, len(values), k), strict=True):
            value.name = name
