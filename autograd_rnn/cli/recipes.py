"""Recipes: by the name of a task, what it is learned from, and with which network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Final, NamedTuple

from ..arguments import as_choice, check_symbols
from ..data.dataset import Dataset
from ..data.encoding import bits, one_hot
from ..data.fasta import read_fasta
from ..data.languages import Language
from ..data.tasks import adding, counting_ones, dna_family, parity, promoters, tomita
from ..errors import ArgumentValueError, SymbolError

DNA: Final = "ACGT"
LONGER_SEQUENCES: Final = 500
# The windows of a real genome: those that are learned from, and longer ones.
WINDOWS: Final = (6, 7, 8, 9, 10, 11, 12)
LONGER_WINDOWS: Final = (20, 40, 57)


class Reading(NamedTuple):
    """How a model reads texts and what its output says; kept in its file."""

    task: str
    loss: str
    alphabet: str | None

    @classmethod
    def from_dict(cls, content: object) -> Reading:
        """What `_asdict` told of; `ValueError` where something is missing or wrong."""
        if not isinstance(content, Mapping) or set(content) != set(cls._fields):
            raise ArgumentValueError(f"reading must have the fields {', '.join(cls._fields)}.")
        recipe = recipe_of(content["task"])
        made = Reading(content["task"], recipe.loss, recipe.alphabet)
        if made._asdict() != dict(content):
            raise ArgumentValueError(f"its reading is not that of the task {made.task}.")
        return made

    def encode(self, text: str, argument: str) -> list[list[float]]:
        """The vectors of a text; `ValueError` for an empty one, or naming a wrong symbol.

        >>> Reading("parity", "binary_cross_entropy", "01").encode("10", "sequence 1")
        [[1.0], [0.0]]
        >>> Reading("adding", "squared_error", None).encode("[0.25] 0.5", "sequence 1")
        [[0.25, 1.0], [0.5, 0.0]]
        """
        if not text.strip():
            raise ArgumentValueError(f"{argument} is empty: there is nothing to read.")
        if self.alphabet is None:
            return [_marked(word, k, argument) for k, word in enumerate(text.split(), 1)]
        text = text.upper()
        check_symbols(text, self.alphabet, argument)
        return bits(text) if self.alphabet == "01" else one_hot(text, self.alphabet)


def _marked(word: str, position: int, argument: str) -> list[float]:
    """A number, and 1 where it stands in brackets."""
    found = re.fullmatch(r"(\[?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(\]?)", word)
    if found is None or bool(found[1]) != bool(found[3]):
        raise SymbolError(
            f"{argument}: {word!r} at position {position} is not a number, as 0.5, or as [0.5] "
            f"where it is marked."
        )
    return [float(found[2]), float(bool(found[1]))]


class Recipe(NamedTuple):
    """A task with the settings that learn it; with a squared error, `within` counts as right."""

    about: str
    language: Language | None = None
    lengths: Sequence[int] = range(1, 13)
    longer: Sequence[int] = (16, 24, 32)
    sequences: int = 2000
    cell: str = "rnn"
    states: int = 6
    activation: str = "tanh"
    epochs: int = 30
    learning_rate: float = 0.02
    loss: str = "binary_cross_entropy"
    within: float | None = None
    alphabet: str | None = "01"


RECIPES: Final[Mapping[str, Recipe]] = {
    "g3": Recipe(
        *("3 or more G", dna_family(), range(6, 13), (20, 40, 57)),
        sequences=4000,
        states=4,
        epochs=60,
        learning_rate=0.01,
        alphabet=DNA,
    ),
    **{f"tomita{n}": Recipe(f"Tomita's language {n}", tomita(n)) for n in (1, 2, 3, 4)},
    # Short strings first: what counts both symbols is not found among long ones.
    **{
        f"tomita{n}": Recipe(
            f"Tomita's language {n}", tomita(n), range(1, 9), cell="gru", states=8, epochs=60
        )
        for n in (5, 6)
    },
    "tomita7": Recipe("Tomita's language 7", tomita(7)),
    "parity": Recipe("an odd number of 1", parity(), range(1, 7), states=8, epochs=60),
    "counting": Recipe(
        "the number of 1",
        states=1,
        activation="linear",
        epochs=100,
        learning_rate=0.005,
        loss="squared_error",
        within=0.5,
    ),
    "adding": Recipe(
        "the sum of the two marked numbers",
        lengths=range(4, 13),
        cell="lstm",
        states=4,
        epochs=60,
        loss="squared_error",
        within=0.1,
        alphabet=None,
    ),
    "promoters": Recipe(
        "a promoter of E. coli",
        longer=(),
        cell="lstm",
        states=16,
        epochs=60,
        learning_rate=0.01,
        alphabet=DNA,
    ),
}


def recipe_of(task: str) -> Recipe:
    """The recipe of a task; `ValueError` that lists them for another name."""
    return RECIPES[as_choice(task, "TASK", RECIPES)]


class Parts(NamedTuple):
    """What is learned from, chosen by, and tested on; `longer` by its length."""

    train: Dataset
    validation: Dataset
    test: Dataset
    longer: Mapping[int, Dataset]


def make_parts(task: str, seed: int, path: str | os.PathLike[str] | None = None) -> Parts:
    """The data of a task, of which no two parts share a sequence; `path` is that of promoters.

    >>> parts = make_parts("parity", seed=1)
    >>> len(parts.train), sorted(parts.longer)
    (1600, [16, 24, 32])
    """
    recipe = recipe_of(task)
    if (task == "promoters") != (path is not None):
        words = "needs FILE, UCI's promoters.data" if path is None else "takes no FILE"
        raise ArgumentValueError(f"the task {task} {words}.")
    if path is not None:
        return _parts(promoters(path), seed, {})

    def sample(count: int, lengths: Sequence[int], seed: int) -> Dataset:
        if task == "adding":
            return adding(count, lengths, seed=seed)
        # As many classes as there are numbers of 1 in the longest of the strings.
        language = recipe.language or counting_ones(max(lengths))
        return language.sample(count, lengths, seed=seed)

    longer = {n: sample(LONGER_SEQUENCES, [n], seed + n) for n in recipe.longer}
    return _parts(sample(recipe.sequences, recipe.lengths, seed), seed, longer)


def _parts(pool: Dataset, seed: int, longer: Mapping[int, Dataset]) -> Parts:
    """Eight parts to learn from, with what is drawn again and again; the others hold it once."""
    train, validation, test = pool.split(8, 1, 1, seed=seed)
    return Parts(train, _once(validation), _once(test), longer)


def _once(data: Dataset) -> Dataset:
    places = {sequence: place for place, sequence in enumerate(data.sequences)}
    return data.subset(sorted(places.values()))


def from_fasta(
    path: str | os.PathLike[str], language: Language, seed: int, *, ambiguous: bool = False
) -> Parts:
    """Windows of a FASTA file, labelled by the language.

    The last fifth of each record is for tests alone, so that no base is both learned from and
    tested on.  With `ambiguous`, windows with N, R, Y, ... are left out.  `ValueError` where the
    records are too short to be cut.
    """
    records = read_fasta(path, alphabet=language.alphabet, ambiguous=ambiguous)
    ends = [len(record.sequence) * 4 // 5 for record in records]
    heads = [one.sequence[:end] for one, end in zip(records, ends, strict=True)]
    tails = [one.sequence[end:] for one, end in zip(records, ends, strict=True)]
    label = partial(_labelled, language, str(path))
    longer = {n: label(tails, [n]) for n in LONGER_WINDOWS}
    train, validation = label(heads, WINDOWS).split(8, 1, seed=seed)
    return Parts(train, _once(validation), label(tails, WINDOWS), longer)


def _labelled(language: Language, path: str, texts: Sequence[str], sizes: Sequence[int]) -> Dataset:
    """The texts cut into windows of the sizes in turn, those with other letters left out."""
    found = [window for text in texts for window in _cut(text, sizes)]
    whole = [window for window in found if set(window) <= set(language.alphabet)]
    if not whole:
        raise ArgumentValueError(
            f"{path}: its records have no whole window of {max(sizes)} letters in their last "
            f"fifth, which is for tests."
        )
    return language.label(whole)


def _cut(text: str, sizes: Sequence[int]) -> Iterator[str]:
    start = 0
    for size in cycle(sizes):
        if start + size > len(text):
            return
        yield text[start : start + size]
        start += size
