"""The adding problem: its data, and a text of numbers of which two are marked."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Final

from ..arguments import as_integer
from ..errors import SymbolError
from .dataset import Dataset
from .languages import as_lengths

MOST_SEQUENCES: Final = 1_000_000


def adding(count: int, lengths: Iterable[int], *, seed: int = 0) -> Dataset:
    """The adding problem: the target is the sum of the two numbers that are marked.

    Each vector is a number from 0 to 1 and a marker, which is 1 at one place in the first half and
    one in the second, else 0 (Hochreiter and Schmidhuber, 1997, place the markers differently).
    Always answering 1 has a mean squared error of 1/6.  The lengths are equally frequent.
    `ValueError` for lengths below 2.

    >>> data = adding(2, [3], seed=1)
    >>> data.symbols[0], round(data.targets[0], 2)
    ('[0.26] [0.50] 0.45', 0.75)
    """
    as_integer(count, "count", least=1, most=MOST_SEQUENCES)
    sizes = as_lengths(lengths, least=2)
    chance = random.Random(as_integer(seed, "seed"))
    sequences, targets, symbols = [], [], []
    for place in range(count):
        size = sizes[place % len(sizes)]
        marked = (chance.randrange(size // 2), chance.randrange(size // 2, size))
        numbers = [chance.random() for _ in range(size)]
        sequences.append([[x, float(k in marked)] for k, x in enumerate(numbers)])
        targets.append(numbers[marked[0]] + numbers[marked[1]])
        words = [f"[{x:.2f}]" if k in marked else f"{x:.2f}" for k, x in enumerate(numbers)]
        symbols.append(" ".join(words))
    return Dataset(sequences, targets, symbols=symbols)


def read_marked_numbers(text: str, argument: str) -> list[list[float]]:
    """A vector per number: the number, and 1 if it is in brackets, as two of them are.

    `SymbolError` for a word that is no number, and for more or fewer in brackets.

    >>> read_marked_numbers("[0.25] 0.5 [1]", "text")
    [[0.25, 1.0], [0.5, 0.0], [1.0, 1.0]]
    """
    vectors = []
    for position, word in enumerate(text.split(), 1):
        found = re.fullmatch(r"(\[?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(\]?)", word)
        if found is None or bool(found[1]) != bool(found[3]):
            raise SymbolError(
                f"{argument}: {word!r} at position {position} is not a number: write 0.5, or "
                f"[0.5] for one that is marked."
            )
        vectors.append([float(found[2]), float(bool(found[1]))])
    count = sum([vector[1] == 1.0 for vector in vectors])
    if count != 2:
        raise SymbolError(
            f"{argument}: {count} of its numbers are marked, not two: mark those to be added with "
            f"brackets, as in '[0.5] 0.1 [0.25]'."
        )
    return vectors
