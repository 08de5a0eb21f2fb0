"""Two classic data sets: the adding problem, and the promoters of E. coli that UCI collects."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Final

from ..arguments import as_integer
from ..errors import ArgumentValueError, SymbolError
from .dataset import Dataset, joined
from .encoding import one_hot
from .languages import as_lengths

MOST_SEQUENCES: Final = 1_000_000
# Of two unrelated sequences of 57 bases, one pair in 580,000 shares 15 in a row.
LONGEST_BY_CHANCE: Final = 15


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


def promoters(path: str | os.PathLike[str]) -> Dataset:
    """UCI's `promoters.data` as one-hot vectors, class 1 for a promoter.

    (Harley, Reynolds and Noordewier, 1990.)  A row is `+` or `-`, a name, and the sequence,
    separated by commas; `ValueError` naming the line for any other.  Sequences that share text are
    a group, which `split` keeps together: any two that share 15 bases in a row, as promoters of the
    same operon do, and those `-` that overlap, whose names are their places in one long stretch.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "promoters.data")
    >>> _ = path.write_text("+,S10,\\t\\ttactag\\n-,867,ggatcc\\n-,870,ccatag\\n")
    >>> data = promoters(path)
    >>> data.symbols, data.targets, data.groups
    (('TACTAG', 'GGATCC', 'CCATAG'), (1.0, 0.0, 0.0), (0, 1, 1))
    """
    rows: list[tuple[str, str, bool]] = []
    text = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        sequence = fields[-1].upper()
        reason, odd = "", re.search("[^ACGT]", sequence)
        if len(fields) != 3 or fields[0] not in ("+", "-") or not sequence:
            reason = "is not a row of promoters.data: class (+ or -), name, sequence"
        elif odd:
            place = f"at position {odd.start() + 1} of its sequence"
            reason = f"has {odd[0]!r} {place}, which is not one of 'ACGT'"
        elif fields[0] == "-" and not re.fullmatch("[0-9]{1,9}", fields[1]):
            reason = f"is named {fields[1]!r}, but the name of a - is its place"
        if reason:
            raise ArgumentValueError(f"{path}: line {number} {reason}.")
        rows.append((fields[1], sequence, fields[0] == "+"))
    if not rows:
        raise ArgumentValueError(f"{path}: the file holds no row.")
    blocks = joined([list(_texts(*row)) for row in rows])
    block = {place: number for number, places in enumerate(blocks) for place in places}
    _, symbols, classes = zip(*rows, strict=True)
    return Dataset(
        [one_hot(text) for text in symbols],
        [int(promoter) for promoter in classes],
        symbols=symbols,
        groups=[block[place] for place in range(len(rows))],
        classes=2,
    )


def _texts(name: str, sequence: str, promoter: bool) -> Iterator[Hashable]:
    """The long texts in a sequence, and the places of a -: sequences of one group share some."""
    for start in range(len(sequence) - LONGEST_BY_CHANCE + 1):
        yield sequence[start : start + LONGEST_BY_CHANCE]
    if not promoter:
        yield from range(int(name), int(name) + len(sequence))
