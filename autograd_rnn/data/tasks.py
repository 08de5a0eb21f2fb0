"""Tasks to learn, by name: how their data are made and read, and the network that learns them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, cycle, pairwise
from typing import Any, Final, NamedTuple, Protocol

from ..arguments import as_choice, as_integer, as_list, as_text, check_alphabet
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.functions import softmax
from ..ops.losses import LOSSES
from ..ops.table import sigmoid
from .classics import adding, promoters, read_marked_numbers
from .dataset import Dataset
from .encoding import AMBIGUOUS, DNA, as_alphabet, encoded, read_numbers
from .fasta import Source, named, read_fasta
from .languages import Language

# The most that a family may count to: its network has a state per count.
MOST_STATES: Final = 1000
LONGER_SEQUENCES: Final = 500

# Tomita's languages, and for each state the next ones on 0 and on 1, and the class.
TOMITA: Final = {
    1: ("only 1s", [(1, 0, 1), (1, 1, 0)]),
    2: ("10 repeated", [(2, 1, 1), (0, 2, 0), (2, 2, 0)]),
    3: (
        "no odd run of 1s before an odd run of 0s",
        [(0, 1, 1), (2, 0, 1), (3, 4, 0), (2, 3, 1), (4, 4, 0)],
    ),
    4: ("no 000", [(1, 0, 1), (2, 0, 1), (3, 0, 1), (3, 3, 0)]),
    5: ("even numbers of 0s and of 1s", [(1, 2, 1), (0, 3, 0), (3, 0, 0), (2, 1, 0)]),
    6: ("as many 0s as 1s, modulo 3", [(1, 2, 1), (2, 0, 0), (0, 1, 0)]),
    7: ("0s, 1s, 0s, 1s", [(0, 1, 1), (2, 1, 1), (2, 3, 1), (4, 3, 1), (4, 4, 0)]),
}


def in_family(sequence: str, base: str = "G", at_least: int = 3) -> bool:
    """Whether the sequence contains `base` at least `at_least` times: the program of panel 3.

    >>> in_family("AGGTAACG"), in_family("GATTACAGATTACA")
    (True, False)
    """
    if not isinstance(sequence, str):
        raise ArgumentTypeError(f"sequence must be a str, not {type(sequence).__name__}.")
    _check_family(base, at_least)
    Q = [False] * (at_least + 1)  # noqa: N806 - the lecture's name; it counts from 1, so Q[0] is unused
    for x in sequence:
        for j in range(1, at_least + 1):
            if x == base and not Q[j]:
                Q[j] = True
                break
    return Q[at_least]


def dna_family(base: str = "G", at_least: int = 3, alphabet: str = "ACGT") -> Language:
    """The language of the strings that contain `base` at least `at_least` times, as `in_family`.

    `sample` draws strings, half of them inside; `label` makes a data set of given strings, such as
    the windows of a FASTA file.

    >>> from autograd_rnn import windows
    >>> dna_family()("AGGTAACG")
    1
    >>> dna_family("A", 1).label(windows("TTTGATTACA", 3)).targets
    (0.0, 1.0, 1.0)
    """
    check_alphabet(alphabet)
    _check_family(base, at_least, alphabet)
    rows = _counts(base, at_least, alphabet)
    name = f"{at_least} or more {base}"
    return Language(name, alphabet, rows, [int(q == at_least) for q in range(at_least + 1)])


def _check_family(base: object, at_least: int, alphabet: str | None = None) -> None:
    if not isinstance(base, str):
        raise ArgumentTypeError(f"base must be a str, not {type(base).__name__}.")
    if len(base) != 1 or (alphabet is not None and base not in alphabet):
        one = "one symbol" if alphabet is None else f"one of the symbols {alphabet!r}"
        raise ArgumentValueError(f"base must be {one}, not {base!r}.")
    as_integer(at_least, "at_least", least=1, most=MOST_STATES)


def _counts(symbol: str, most: int, alphabet: str) -> list[list[int]]:
    """The transitions of an automaton that counts a symbol up to `most`."""
    return [[min(q + (one == symbol), most) for one in alphabet] for q in range(most + 1)]


def tomita(number: int) -> Language:
    """One of the seven languages over 0 and 1 with which Tomita compared learners (1982).

    1: only 1s.  2: 10 repeated.  3: no odd run of 1s is followed, directly or later (others read it
    as "directly"), by an odd run of 0s.  4: no 000.  5: even numbers of 0s and of 1s.  6: the
    numbers of 0s and of 1s differ by a multiple of 3.  7: 0*1*0*1*.  The empty string belongs to
    all seven.

    >>> [tomita(3)(string) for string in ("1100", "100", "10", "10110", "1001101")]
    [1, 1, 0, 0, 0]
    """
    as_integer(number, "number", least=1, most=7)
    _, rows = TOMITA[number]
    return Language(f"Tomita {number}", "01", [row[:2] for row in rows], [row[2] for row in rows])


def parity() -> Language:
    """The language of the strings with an odd number of 1s.

    >>> parity()("1101"), parity()("11")
    (1, 0)
    """
    return Language("an odd number of 1", "01", [[0, 1], [1, 0]], [0, 1])


def counting_ones(most: int) -> Language:
    """The language whose class is the number of 1s, or `most` if there are more.

    >>> counting_ones(8).label(["0110", "111"]).targets
    (2.0, 3.0)
    """
    as_integer(most, "most", least=1, most=MOST_STATES)
    rows = _counts("1", most, "01")
    return Language(f"the number of 1, up to {most}", "01", rows, range(most + 1))


# --- the table of tasks --------------------------------------------------------------------------


class Parts(NamedTuple):
    """Data to train on, to choose the best epoch by, and to test on; `longer` is by length."""

    train: Dataset
    validation: Dataset
    test: Dataset
    longer: Mapping[int, Dataset]


class Sampler(Protocol):
    """Draws sequences of the given lengths, with their targets."""

    def __call__(self, count: int, lengths: Sequence[int], *, seed: int) -> Dataset: ...


class Settings(NamedTuple):
    """The network that learns a task, and its training, unless the user chooses others."""

    cell: str = "rnn"
    states: int = 6
    activation: str = "tanh"
    epochs: int = 30
    learning_rate: float = 0.02


class Task(NamedTuple):
    """A task to learn: its data, how it reads a text, and the settings that learn it.

    The data are drawn by `sample`, of `lengths`, and of `longer` ones for tests, or `read` from a
    file, which `file` describes.  `label` gives windows of DNA their targets.  A text is a string
    over `alphabet`, unless `reader` makes vectors of it.  The output is the logit of class 1, or,
    with `within`, a number that is right if it is that close to its target, or with `classes`, for
    one's own data, a logit for each of them.  `ambiguous` says what to do with letters that stand
    for several, and `window` and `stride` how long sequences are cut.

    >>> task = Task("no000", "no 000", tomita(4).sample, longer=[16, 32])
    >>> parts = task.parts(seed=1)
    >>> len(parts.train), sorted(parts.longer), task.encode("10")
    (1600, [16, 32], [[1.0], [0.0]])
    """

    name: str
    about: str
    sample: Sampler | None = None
    lengths: Sequence[int] = range(1, 13)
    longer: Sequence[int] = (16, 24, 32)
    sequences: int = 2000
    label: Callable[[Iterable[str]], Dataset] | None = None
    read: Callable[[str | os.PathLike[str]], Dataset] | None = None
    file: str = "a file of its data"
    alphabet: str = "01"
    reader: Callable[[str, str], list[list[float]]] | None = None
    loss: str = "binary_cross_entropy"
    within: float | None = None
    settings: Settings = Settings()
    classes: tuple[str, ...] = ()
    ambiguous: str = "error"
    window: int | None = None
    stride: int | None = None

    @classmethod
    def own(cls, data: Dataset, options: Mapping[str, Any]) -> Task:
        """The task of a data set that was read from files: its classes, or numbers."""
        ways = {name: options[name] for name in ("ambiguous", "window", "stride")}
        return _own(data.names, data.alphabet, **ways)

    @property
    def reading(self) -> dict[str, Any]:
        """How a model of this task reads texts, as its file says it."""
        alphabet = None if self.reader else self.alphabet
        found: dict[str, Any] = {"task": self.name, "loss": self.loss, "alphabet": alphabet}
        if self.name == OWN:
            found |= {"classes": list(self.classes), "ambiguous": self.ambiguous}
            found |= {"window": self.window, "stride": self.stride}
        return found

    @property
    def numeric(self) -> bool:
        """Whether the output is a number, not the logits of classes."""
        return LOSSES[self.loss].classes is None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes by name, or none where the output is a number."""
        return () if self.numeric else self.classes or ("0", "1")

    @property
    def outputs(self) -> int:
        """How many outputs a model of this task has."""
        return len(self.classes) or 1

    def encode(self, text: str, argument: str = "text") -> list[list[float]]:
        """The vectors of a text; `ValueError` for an empty one, or naming a wrong symbol.

        Over an alphabet without lower case, lower case is read as upper case, and U of RNA as T.
        """
        vectors = self.encode_or_skip(text, argument, "error")
        return [] if vectors is None else vectors  # only where told to skip is there None

    def encode_or_skip(self, text: str, argument: str, ambiguous: str) -> list[list[float]] | None:
        """The vectors of a text, or None if it has ambiguous letters, which are to be skipped."""
        if not text.strip():
            raise ArgumentValueError(f"{argument} is empty: there is nothing to read.")
        if self.reader is not None:
            return self.reader(text, argument)
        return encoded(text, self.alphabet, argument, ambiguous)

    def answer(self, output: Any) -> dict[str, Any]:
        """An output in words: its logit, probability and class, or the number alone.

        With `classes` it is the class and the probability of each.

        >>> find_task("parity").answer(0.0)
        {'logit': 0.0, 'probability': 0.5, 'class': 0}
        """
        if self.numeric:
            return {"output": output}
        if self.classes:
            shares = [each.data if hasattr(each, "data") else each for each in softmax(output)]
            likeliest = self.classes[shares.index(max(shares))]
            probabilities = dict(zip(self.classes, shares, strict=True))
            return {"class": likeliest, "probabilities": probabilities}
        return {"logit": output, "probability": sigmoid(output), "class": int(output > 0.0)}

    def is_right(self, output: float, target: float) -> bool:
        """Whether an output is right."""
        if self.within is not None:
            return abs(output - target) < self.within
        return (output > 0.0) == (target > 0.5)

    def parts(self, seed: int = 0, path: str | os.PathLike[str] | None = None) -> Parts:
        """The data, no two parts of which share a sequence; `path` is that of the file, if any."""
        if path is not None and self.read is not None:
            data, longer = self.read(path), {}
        elif path is None and self.sample is not None:
            data = self.sample(self.sequences, self.lengths, seed=seed)
            longer = {n: self.sample(LONGER_SEQUENCES, [n], seed=seed + n) for n in self.longer}
        else:
            words = f"needs FILE, {self.file}" if path is None else "takes no FILE"
            raise ArgumentValueError(f"the task {self.name} {words}.")
        return self.divided(data, seed)._replace(longer=longer)

    def divided(self, data: Dataset, seed: int = 0) -> Parts:
        """The data in parts that share no content, validation and test without repetitions."""
        train, validation, test = data.split(8, 1, 1, seed=seed)
        return Parts(train, _once(validation), _once(test), {})

    def parts_of_genome(
        self,
        path: Source,
        seed: int = 0,
        *,
        ambiguous: str = "error",
        refuse: Callable[[str], object] | None = None,
    ) -> Parts:
        """The data as windows of a FASTA file, the tests from the last fifth of each record.

        With `ambiguous="skip"`, windows with N, R, Y, ... are left out; `refuse` is that of
        `read_fasta`.
        `ValueError` for a task that gives windows no targets, and for records that are too short.
        """
        label = self.label
        if label is None:
            known = ", ".join([task.name for task in TASKS.values() if task.label])
            raise ArgumentValueError(f"a FASTA file goes with the task {known}, not {self.name}.")
        skip = as_choice(ambiguous, "--ambiguous", ("error", "skip")) == "skip"
        records = [one.sequence for one in read_fasta(path, ambiguous=skip, refuse=refuse)]
        heads = [text[: len(text) * 4 // 5] for text in records]
        tails = [text[len(text) * 4 // 5 :] for text in records]

        def cut(texts: Sequence[str], sizes: Sequence[int]) -> Dataset:
            found = [part for text in texts for part in _cut(text, sizes) if set(part) <= set(DNA)]
            if not found:
                raise ArgumentValueError(
                    f"{named(path)}: no record has a whole window of {max(sizes)} letters in its "
                    f"last fifth, which is for tests."
                )
            return label(found)

        longer = {n: cut(tails, [n]) for n in self.longer}
        train, validation = cut(heads, self.lengths).split(8, 1, seed=seed)
        return Parts(train, _once(validation), cut(tails, self.lengths), longer)


def _once(data: Dataset) -> Dataset:
    """The data, each sequence once with each of its targets."""
    pairs = zip(data.sequences, data.targets, strict=True)
    places = {pair: place for place, pair in enumerate(pairs)}
    return data.subset(sorted(places.values()))


def _cut(text: str, sizes: Sequence[int]) -> Iterator[str]:
    """Windows of the sizes in turn."""
    for start, end in pairwise(accumulate(cycle(sizes), initial=0)):
        if end > len(text):
            return
        yield text[start:end]


def _tomita_task(n: int) -> Task:
    return Task(f"tomita{n}", f"Tomita {n}, {TOMITA[n][0]}", tomita(n).sample)


def _sample_counts(count: int, lengths: Sequence[int], *, seed: int) -> Dataset:
    # As many classes as the longest of the strings may have 1s.
    return counting_ones(max(lengths)).sample(count, lengths, seed=seed)


#: The tasks by name, for the command line.
TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        Task(
            *("g3", "3 or more G", dna_family().sample, range(6, 13), (20, 40, 57), 4000),
            label=dna_family().label,
            alphabet=DNA,
            settings=Settings(states=4, epochs=60, learning_rate=0.01),
        ),
        *map(_tomita_task, (1, 2, 3, 4)),
        # Short strings first: to count both symbols is not learned from long ones.
        *[
            _tomita_task(n)._replace(lengths=range(1, 9), settings=Settings("gru", 8, epochs=60))
            for n in (5, 6)
        ],
        _tomita_task(7),
        Task(
            *("parity", "an odd number of 1", parity().sample, range(1, 7)),
            settings=Settings(states=8, epochs=60),
        ),
        Task(
            *("counting", "the number of 1", _sample_counts),
            loss="squared_error",
            within=0.5,
            settings=Settings("rnn", 1, "linear", 100, 0.005),
        ),
        Task(
            *("adding", "the sum of the two marked numbers", adding, range(4, 13)),
            reader=read_marked_numbers,
            loss="squared_error",
            within=0.1,
            settings=Settings("lstm", 4, epochs=60),
        ),
        Task(
            *("promoters", "a promoter of E. coli"),
            read=promoters,
            file="UCI's promoters.data",
            alphabet=DNA,
            settings=Settings("lstm", 16, epochs=60, learning_rate=0.01),
        ),
    )
}


def find_task(name: object) -> Task:
    """The task of that name; `ValueError` that lists them for another name."""
    return TASKS[as_choice(name, "TASK", TASKS)]


def task_of(reading: object) -> Task:
    """The task with that `reading`, as a model's file has it; `ValueError` if there is none.

    >>> task_of({"task": "parity", "loss": "binary_cross_entropy", "alphabet": "01"}).name
    'parity'
    """
    if isinstance(reading, Mapping) and reading.get("task") == OWN:
        return _own_as_saved(reading)
    if not isinstance(reading, Mapping) or set(reading) != {"task", "loss", "alphabet"}:
        raise ArgumentValueError("reading must have the fields task, loss, alphabet.")
    task = find_task(reading["task"])
    if task.reading != dict(reading):
        raise ArgumentValueError(f"its reading is not that of the task {task.name}.")
    return task


# --- one's own data ------------------------------------------------------------------------------

#: What the file of a model calls the task of one's own data.
OWN: Final = "own data"
OWN_FIELDS: Final = ("task", "loss", "alphabet", "classes", "ambiguous", "window", "stride")


def _own(classes: tuple[str, ...], alphabet: str, **ways: Any) -> Task:
    return Task(
        *(OWN, "Your own data"),
        loss="cross_entropy" if classes else "squared_error",
        alphabet=alphabet,
        reader=None if alphabet else read_numbers,
        classes=classes,
        settings=Settings("gru", 16, epochs=30, learning_rate=0.01),
        **ways,
    )


def _own_as_saved(reading: Mapping[str, Any]) -> Task:
    if set(reading) != set(OWN_FIELDS):
        raise ArgumentValueError(f"reading must have the fields {', '.join(OWN_FIELDS)}.")
    classes, alphabet = as_list(reading["classes"], "classes"), reading["alphabet"]
    if len(set(map(as_text, classes, cycle(["classes"])))) < len(classes) or len(classes) == 1:
        raise ArgumentValueError("classes must be different names, or none for numbers.")
    letters = "" if alphabet is None else as_alphabet(alphabet)
    as_choice(reading["ambiguous"], "ambiguous", AMBIGUOUS)
    for name in ("window", "stride"):
        if reading[name] is not None:
            as_integer(reading[name], name, least=1)
    ways = {name: reading[name] for name in ("ambiguous", "window", "stride")}
    task = _own(tuple(classes), letters, **ways)
    if reading["loss"] != task.loss:
        raise ArgumentValueError(f"its loss must be {task.loss}, as its classes say.")
    return task
