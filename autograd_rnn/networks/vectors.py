"""Vectors and tables of Values: their names, their weights, and the sums of both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, TypeAlias

from ..arguments import as_float
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.notation import accent

#: Numbers or Values in an order: a list, a tuple, an array.
Vector: TypeAlias = Collection[float | Value]
#: Rows of one length.
Table: TypeAlias = Sequence[Sequence[float | Value]]


def component(letter: str, index: int, size: int, k: int | None) -> str:
    """π̇ for a vector of size 1, π̇₁, π̇₂, ... otherwise; no accent for the initial state.

    >>> component("q", 1, 3, 2), component("q", 0, 1, None)
    ('q̈₂', 'q')
    """
    name = letter if size == 1 else f"{letter}_{index + 1}"
    return name if k is None else accent(name, k)


@lru_cache(maxsize=10_000)
def components(letter: str, size: int, k: int | None) -> tuple[str, ...]:
    """The names of a whole vector.

    >>> components("h", 2, None)
    ('h_1', 'h_2')
    """
    return tuple([component(letter, index, size, k) for index in range(size)])


def as_vector(
    vector: object,
    names: Sequence[str],
    argument: str,
    leaf: Callable[[float, str], Value],
    if_one_too_many: str = "",
) -> tuple[Value, ...]:
    """The entries of a vector as Values: those that are none become leaves with the names.

    >>> [entry.name for entry in as_vector([1, Value(2, "mine")], ["x_1", "x_2"], "x", Value)]
    ['x_1', 'mine']
    """
    size = len(names)
    if type(vector) is list or type(vector) is tuple:  # at once: an abstract class takes its time
        entries: Sequence[Any] = vector
        found = len(entries)
    else:
        if isinstance(vector, str | bytes | Mapping | Set) or not hasattr(vector, "__len__"):
            raise _no_vector(vector, size, argument)
        try:
            found = len(vector)
            entries = list(vector) if isinstance(vector, Iterable) else []
        except TypeError:
            raise _no_vector(vector, size, argument) from None
    if found != size:
        more = f" {if_one_too_many}" if if_one_too_many and found == size + 1 else ""
        raise ArgumentValueError(f"{argument} must have size {size}, not {found}.{more}")
    return tuple(
        [
            entry
            if isinstance(entry, Value)
            else leaf(as_float(entry, f"{argument}[{index}]"), names[index])
            for index, entry in enumerate(entries)
        ]
    )


def _no_vector(vector: object, size: int, argument: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"{argument} must be a list of {size} numbers or Values, not {type(vector).__name__}."
    )


def as_table(rows: object, argument: str) -> list[list[Any]]:
    """The rows as lists of one length, none empty.

    >>> as_table(((1, 2), (3, 4)), "weights")
    [[1, 2], [3, 4]]
    """
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


def as_weights(
    table: Sequence[Sequence[Any]],
    names: Sequence[Sequence[str]] | None,
    *,
    argument: str = "weights",
    first: int = 1,
) -> tuple[tuple[Value, ...], ...]:
    """The table as Values named w_1, w_2, ... row by row, or as `names` says; Values keep theirs.

    >>> [[weight.name for weight in row] for row in as_weights([[4], [1]], None)]
    [['w_1'], ['w_2']]
    """
    rows, columns = len(table), len(table[0])
    if names is None:
        labels = [[f"w_{first + i * columns + j}" for j in range(columns)] for i in range(rows)]
    else:
        labels = as_table(names, "names")
    if [len(row) for row in labels] != [columns] * rows:
        raise ArgumentValueError(
            f"names must have the shape of {argument}, {rows} rows of {columns}."
        )
    return tuple(
        [
            tuple(
                [
                    weight
                    if isinstance(weight, Value)
                    else Value(as_float(weight, f"{argument}[{i}][{j}]"), labels[i][j])
                    for j, weight in enumerate(row)
                ]
            )
            for i, row in enumerate(table)
        ]
    )


def as_rows(parameters: Sequence[Any], columns: int) -> list[Sequence[Any]]:
    """The flat weights as rows again.

    >>> as_rows((1, 2, 3, 4), 2)
    [(1, 2), (3, 4)]
    """
    return [parameters[start : start + columns] for start in range(0, len(parameters), columns)]


def weighted_sums(
    rows: Sequence[Sequence[Any]], vector: Sequence[Any], *, bias: bool
) -> tuple[Any, ...]:
    """Wᵀ [1; vector], a sum per column from the top down; the offset enters as itself.

    >>> weighted_sums([[10, 20], [1, 2], [3, 4]], [5, 6], bias=True)
    (33, 54)
    """
    sums = []
    for column in zip(*rows, strict=True):
        total = column[0] if bias else column[0] * vector[0]
        for weight, operand in zip(column[1:], vector if bias else vector[1:], strict=True):
            total = total + weight * operand
        sums.append(total)
    return tuple(sums)


def single(vector: tuple[Any, ...]) -> Any:
    """The entry of a vector of size 1, and any other vector as it is.

    >>> single((1,)), single((1, 2))
    (1, (1, 2))
    """
    return vector[0] if len(vector) == 1 else vector


def check_step(model: Any, state: object, x: object, parameters: object) -> None:
    """Refuse what does not fit a model's step: each is a tuple, of the model's own size."""
    for argument, given, size in (
        ("state", state, len(model.initial)),
        ("x", x, model.inputs),
        ("parameters", parameters, len(model.parameters())),
    ):
        if not isinstance(given, tuple):
            raise ArgumentTypeError(f"{argument} must be a tuple, not {type(given).__name__}.")
        if len(given) != size:
            raise ArgumentValueError(f"{argument} must have size {size}, not {len(given)}.")


class Step:
    """One time step of a run: its number `k` from 1, its inputs `x`, and the model's vectors.

    A vector is an attribute by its letter (`step.h`).  `q` is the state after the step, `output` a
    Value where there is one, else a tuple, and `pi` are the sums: where a model tells none, those
    of its outputs that are no state.
    """

    __slots__ = ("entries", "k", "q", "vectors", "x")

    def __init__(
        self,
        k: int,
        x: tuple[Any, ...],
        vectors: Mapping[str, tuple[Any, ...]],
        q: tuple[Any, ...],
        entries: tuple[Any, ...],
    ) -> None:
        self.k, self.x, self.vectors, self.q, self.entries = k, x, vectors, q, entries

    @property
    def pi(self) -> tuple[Any, ...]:
        """The sums."""
        states = set(self.q)
        return self.vectors.get("pi") or tuple([y for y in self.entries if y not in states])

    @property
    def output(self) -> Any:
        """The output: a Value where there is one, else a tuple."""
        return single(self.entries)

    def __getattr__(self, letter: str) -> tuple[Any, ...]:
        if letter == "vectors" or letter not in self.vectors:
            raise AttributeError(f"the step has no vector {letter!r}.")
        return self.vectors[letter]


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


def name_steps(steps: Sequence[Step], k: int) -> None:
    """Name the vectors of step k by their letters: those of one letter are counted through."""
    vectors: dict[str, list[Value]] = {}
    met: set[Value] = set()
    for step in steps:
        for letter, vector in step.vectors.items():
            # Linear states are their sums.  What is only handed on has a name, or is a number.
            if vector and getattr(vector[0], "name", "") is None and met.isdisjoint(vector):
                met.update(vector)
                vectors.setdefault("π" if letter == "pi" else letter, []).extend(vector)
    for letter, values in vectors.items():
        for value, name in zip(values, components(letter, len(values), k), strict=True):
            value.name = name
