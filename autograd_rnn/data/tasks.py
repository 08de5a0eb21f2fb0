"""Tasks to learn: the DNA family, promoters, Tomita's languages, parity, counting and adding."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from typing import Final

from ..arguments import as_integer, check_alphabet
from ..errors import ArgumentTypeError, ArgumentValueError
from .dataset import Dataset
from .encoding import one_hot
from .fasta import read_promoters
from .languages import Language, as_lengths

# As many as the network may have that mimics the program.
MOST_STATES: Final = 1000
MOST_SEQUENCES: Final = 1_000_000

# Tomita's languages: a row per state, the next states on 0 and on 1; the last column is the class.
TOMITA: Final = {
    1: [(1, 0, 1), (1, 1, 0)],
    2: [(2, 1, 1), (0, 2, 0), (2, 2, 0)],
    3: [(0, 1, 1), (2, 0, 1), (3, 4, 0), (2, 3, 1), (4, 4, 0)],
    4: [(1, 0, 1), (2, 0, 1), (3, 0, 1), (3, 3, 0)],
    5: [(1, 2, 1), (0, 3, 0), (3, 0, 0), (2, 1, 0)],
    6: [(1, 2, 1), (2, 0, 0), (0, 1, 0)],
    7: [(0, 1, 1), (2, 1, 1), (2, 3, 1), (4, 3, 1), (4, 4, 0)],
}


def in_family(sequence: str, base: str = "G", at_least: int = 3) -> bool:
    """Whether the sequence contains `base` at least `at_least` times: the program of panel 3.

    >>> in_family("AGGTAACG"), in_family("GATTACAGATTACA")
    (True, False)
    """
    if not isinstance(sequence, str):
        raise ArgumentTypeError(f"sequence must be a str, not {type(sequence).__name__}.")
    if not isinstance(base, str):
        raise ArgumentTypeError(f"base must be a str, not {type(base).__name__}.")
    if len(base) != 1:
        raise ArgumentValueError(f"base must be one symbol, not {base!r}.")
    as_integer(at_least, "at_least", least=1, most=MOST_STATES)
    Q = [False] * (at_least + 1)  # noqa: N806 - the lecture's name; it counts from 1, so Q[0] idles
    for x in sequence:
        for j in range(1, at_least + 1):
            if x == base and not Q[j]:
                Q[j] = True
                break
    return Q[at_least]


def dna_family(base: str = "G", at_least: int = 3, alphabet: str = "ACGT") -> Language:
    """The strings that contain `base` at least `at_least` times: `in_family` as a language.

    Of random strings `sample` gives as many inside as outside; of real ones, `label` makes a data
    set, as of the windows of a FASTA file.

    >>> from autograd_rnn import windows
    >>> dna_family()("AGGTAACG")
    1
    >>> dna_family("A", 1).label(windows("TTTGATTACA", 3)).targets
    (0.0, 1.0, 1.0)
    """
    check_alphabet(alphabet)
    if not isinstance(base, str):
        raise ArgumentTypeError(f"base must be a str, not {type(base).__name__}.")
    if len(base) != 1 or base not in alphabet:
        raise ArgumentValueError(f"base must be one of the symbols {alphabet!r}, not {base!r}.")
    as_integer(at_least, "at_least", least=1, most=MOST_STATES)
    rows = _counts(base, at_least, alphabet)
    name = f"{at_least} or more {base}"
    return Language(name, alphabet, rows, [int(q == at_least) for q in range(at_least + 1)])


def _counts(symbol: str, most: int, alphabet: str) -> list[list[int]]:
    """The automaton that counts a symbol, and stays at the most."""
    return [[min(q + (one == symbol), most) for one in alphabet] for q in range(most + 1)]


def tomita(number: int) -> Language:
    """One of the seven languages over 0 and 1 by which Tomita compared learners (1982).

    1: only 1s.  2: 10 again and again.  3: no odd run of 1s is followed, at once or later, by an
    odd run of 0s (the other reading in use asks it only of the run that follows at once).  4: no
    000.  5: even numbers of 0s and of 1s.  6: the numbers of 0s and of 1s differ by a multiple of
    3.  7: 0s, 1s, 0s, 1s, any of them none.  The empty string belongs to all seven.

    >>> [tomita(3)(string) for string in ("1100", "100", "10", "10110", "1001101")]
    [1, 1, 0, 0, 0]
    """
    as_integer(number, "number", least=1, most=7)
    rows = TOMITA[number]
    return Language(f"Tomita {number}", "01", [row[:2] for row in rows], [row[2] for row in rows])


def parity() -> Language:
    """The strings of an odd number of 1s.

    >>> parity()("1101"), parity()("11")
    (1, 0)
    """
    return Language("an odd number of 1", "01", [[0, 1], [1, 0]], [0, 1])


def counting_ones(most: int) -> Language:
    """The number of 1s as the class, up to `most`, which stands for more too.

    In strings of up to `most` symbols the class is the number itself, and as a number a target for
    a squared error.

    >>> counting_ones(8).label(["0110", "111"]).targets
    (2.0, 3.0)
    """
    as_integer(most, "most", least=1, most=MOST_STATES)
    rows = _counts("1", most, "01")
    return Language(f"the number of 1, up to {most}", "01", rows, range(most + 1))


def adding(count: int, lengths: Iterable[int], *, seed: int = 0) -> Dataset:
    """The adding problem: the target is the sum of the two numbers that are marked.

    A vector is a number from 0 to 1 and a marker, 1 at one place of the first half and at one of
    the second, else 0 (Hochreiter and Schmidhuber, 1997, whose markers lie elsewhere).  Always to
    say 1 costs a squared error of 1/6 on the average.  As many sequences of each length as can be.
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


def promoters(path: str | os.PathLike[str]) -> Dataset:
    """UCI's `promoters.data` as one-hot vectors, class 1 for a promoter.

    (Harley, Reynolds and Noordewier, 1990.)  A row is `+` or `-`, a name, and the sequence, between
    commas; `ValueError` naming the line for any other.  Sequences that share text are a group, so
    that `split` puts none of it in two parts.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "promoters.data")
    >>> _ = path.write_text("+,S10,tactag\\n-,867,ggatcc\\n-,870,ccatag\\n")
    >>> promoters(path).groups
    (0, 1, 1)
    """
    rows = read_promoters(path)
    return Dataset(
        [one_hot(row.sequence) for row in rows],
        [int(row.promoter) for row in rows],
        symbols=[row.sequence for row in rows],
        groups=[row.block for row in rows],
        classes=2,
    )
