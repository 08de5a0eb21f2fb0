"""Data sets: sequences with targets, and parts of them that share no content."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self, TypeVar

from ..arguments import as_float, as_floats, as_integer, as_list, many
from ..errors import ArgumentTypeError, ArgumentValueError
from .fasta import Source
from .labelled import Labelled, Options, read_labelled

MOST_CLASSES: Final = 10_000

Vector = tuple[float, ...]
D = TypeVar("D", bound="Dataset")


class Dataset:
    """Sequences of vectors with a target each, and optionally their texts and groups.

    `sequences` are lists of vectors, of one size throughout; a number stands for a vector of size
    1.  `targets` are numbers or lists of numbers, one per sequence; with `classes` they are whole
    numbers from 0 to `classes` - 1, one per sequence, or a list of one per step; a target equal to
    `ignore` is of no class, as for a `Loss` with that `ignore`.  `symbols` are the sequences as
    text; sequences with equal `groups`, such as windows that overlap, stay together in a split.
    `ValueError` for no sequences, one of length 0, one of another size, a target outside
    the classes.

    What `read` returns has an `alphabet` too, "" for numbers, the names of the classes, `names`,
    and `left_out`, how many sequences were left out and why, and which classes with them; else
    these are empty.

    >>> data = Dataset([[[1], [0]], [[1]]], [1, 0], symbols=["10", "1"], classes=2)
    >>> data
    <Dataset: 2 sequences of 1 to 2 steps, 1 input, 2 classes: 1, 1>
    >>> data.sequences[0], data.targets, data.symbols
    (((1.0,), (0.0,)), (1.0, 0.0), ('10', '1'))
    """

    __slots__ = (
        *("alphabet", "classes", "groups", "left_out", "names"),
        *("sequences", "symbols", "targets"),
    )

    def __init__(
        self,
        sequences: Iterable[Iterable[Any]],
        targets: Iterable[Any],
        *,
        symbols: Iterable[str] | None = None,
        groups: Iterable[Hashable] | None = None,
        classes: int | None = None,
        ignore: float | None = None,
    ) -> None:
        listed = enumerate(as_list(sequences, "sequences"))
        self.sequences: tuple[tuple[Vector, ...], ...] = tuple(
            [as_sequence(one, f"sequences[{place}]") for place, one in listed]
        )
        if not self.sequences:
            raise ArgumentValueError("sequences is empty: there must be one or more.")
        size = len(self.sequences[0][0])
        for place, sequence in enumerate(self.sequences):
            if {len(vector) for vector in sequence} != {size}:
                raise ArgumentValueError(
                    f"sequences[{place}] has a vector of another size than {size}."
                )
        if classes is not None:
            as_integer(classes, "classes", least=1, most=MOST_CLASSES)
        self.classes = classes
        allowed = None
        if classes is not None:
            allowed = Classes(classes, None if ignore is None else as_float(ignore, "ignore"))
        elif ignore is not None:
            raise ArgumentValueError("ignore goes with classes: without, all targets are allowed.")
        self.alphabet: str = ""
        self.names: tuple[str, ...] = ()
        self.left_out: Mapping[str, int] = {}
        goals = enumerate(self._one_each(targets, "targets"))
        self.targets: tuple[float | Vector, ...] = tuple(
            [
                _as_target(goal, f"targets[{place}]", allowed, len(self.sequences[place]))
                for place, goal in goals
            ]
        )
        self.symbols: tuple[str, ...] = self._one_each(symbols, "symbols")
        self.groups: tuple[Hashable, ...] = self._one_each(groups, "groups")
        if not all(isinstance(symbol, str) for symbol in self.symbols):
            raise ArgumentTypeError("symbols must be a list of str, one for each sequence.")
        if not all(isinstance(group, Hashable) for group in self.groups):
            raise ArgumentTypeError("groups must be a list of numbers or names, one per sequence.")

    @classmethod
    def read(
        cls,
        *files: Source,
        sequence: str | int | None = None,
        label: str | int | None = None,
        alphabet: str | None = None,
        classes: Iterable[str] | None = None,
        targets: str | None = None,
        ambiguous: str = "error",
        bad_records: str = "error",
        window: int | None = None,
        stride: int | None = None,
        reverse_complement: bool = False,
    ) -> Self:
        """The labelled sequences of a table, or of two or more FASTA files, each of a class.

        A file is a path, or open for reading bytes, plain or gzipped.  A table has a sequence and a
        label in each line, separated by commas, tabs, semicolons or bars; a header, and which
        columns they are, are found, unless `sequence` and `label` give the columns' names, or
        numbers from 1.  The class of a FASTA file is its name without ending.

        `alphabet` is "DNA", "RNA", "protein", "bits", "numbers" (with white space between them), or
        the letters themselves, and is found unless given; `classes` are the labels in order.
        `targets` says what labels are: "classes", or "numbers" to predict.  Unless given, labels
        that are all numbers are numbers to predict if one has a fraction, or more than ten differ.
        Letters that stand for several, or for a gap, are an error, or with `ambiguous` "skip" their
        sequences are left out, or with "zeros" they are vectors of zeros.  `bad_records="skip"`
        leaves out records that are empty or hold other letters.  With `window`, sequences are cut
        into windows of so many letters, one every `stride`.  `reverse_complement` adds the other
        strand of each.  Windows of one record, and the strands of one sequence, are a group.

        `ValueError` that names the file, the record and the position for what cannot be read.

        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "reads.csv")
        >>> _ = path.write_text("sequence,label\\nGATTACA,yes\\nggn,no\\nGGC,no\\n")
        >>> data = Dataset.read(path, ambiguous="skip")
        >>> data
        <Dataset: 2 sequences of 3 to 7 steps, 4 inputs, 2 classes: 1, 1>
        >>> data.names, data.alphabet, dict(data.left_out)
        (('no', 'yes'), 'ACGT', {'sequences with ambiguous letters': 1})
        """
        named = None if classes is None else tuple(as_list(classes, "classes"))
        options = Options(
            *(sequence, label, alphabet, named, targets, ambiguous, bad_records),
            *(window, stride, reverse_complement),
        )
        return as_dataset(read_labelled(files, options), cls)

    def _one_each(self, entries: Any, argument: str) -> tuple[Any, ...]:
        """The entries, one per sequence; none if they are optional and not given."""
        if entries is None and argument != "targets":
            return ()
        found = as_list(entries, argument)
        if len(found) != len(self):
            raise ArgumentValueError(
                f"{argument} must be as many as sequences, {len(self)}, not {len(found)}."
            )
        return tuple(found)

    @property
    def inputs(self) -> int:
        """The size of the vectors."""
        return len(self.sequences[0][0])

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self.sequences)

    def subset(self, places: Iterable[int]) -> Dataset:
        """The sequences at the places, which count from 0, in that order.

        >>> Dataset([[1], [2], [3]], [0, 1, 0]).subset([2, 1]).sequences
        (((3.0,),), ((2.0,),))
        """
        chosen = [
            as_integer(place, f"places[{index}]", least=0, most=len(self) - 1)
            for index, place in enumerate(as_list(places, "places"))
        ]
        if not chosen:
            raise ArgumentValueError("places is empty: there must be one or more.")
        part = object.__new__(Dataset)  # its parts have been checked
        for name in ("alphabet", "classes", "left_out", "names"):
            setattr(part, name, getattr(self, name))
        for name in ("sequences", "targets", "symbols", "groups"):
            whole = getattr(self, name)
            setattr(part, name, tuple([whole[place] for place in chosen]) if whole else ())
        return part

    def split(self, *shares: float, seed: int = 0) -> tuple[Dataset, ...]:
        """Parts in proportion to the shares, such as 8, 1, 1 for training, validation and test.

        No content is in two parts: equal sequences, and those of one group, stay together.  Targets
        that occur more than once are dealt out in proportion, and the seed decides which sequences
        go where.  `ValueError` if a part would be empty.

        >>> data = Dataset([[k] for k in range(20)], [k % 2 for k in range(20)], classes=2)
        >>> [part.targets.count(1) for part in data.split(8, 1, 1)]
        [8, 1, 1]
        """
        if not shares:
            raise ArgumentValueError("shares must be one number or more, such as 8, 1, 1.")
        weights = as_floats(shares, "shares")
        for place, weight in enumerate(weights):
            if not 0.0 < weight < 1e100:
                raise ArgumentValueError(f"shares[{place}] must be positive, not {weight}.")
        chance = random.Random(as_integer(seed, "seed"))
        total = sum(weights)
        parts: list[list[int]] = [[] for _ in weights]
        dealt = units = 0
        for unit in self._dealing(chance):
            units += 1
            dealt += len(unit)
            lacks = [w / total * dealt - len(part) for w, part in zip(weights, parts, strict=True)]
            parts[lacks.index(max(lacks))].extend(unit)
        if [] in parts:
            raise ArgumentValueError(
                f"part {parts.index([])} of the split would be empty: {many(len(self), 'sequence')}"
                f" in {many(units, 'group')} are too few for the shares {shares}. Equal sequences, "
                f"and those of one group, stay together."
            )
        return tuple([self.subset(sorted(part)) for part in parts])

    def _dealing(self, chance: random.Random) -> list[list[int]]:
        """The units that stay together, in the order of dealing: by target, the large first."""
        keys: list[list[Hashable]] = [[("content", sequence)] for sequence in self.sequences]
        for place, group in enumerate(self.groups):
            keys[place].append(("group", group))
        often = Counter(self.targets)
        strata: dict[Any, list[list[int]]] = {}
        for unit in joined(keys):
            target = self.targets[unit[0]]
            strata.setdefault(target if often[target] > 1 else None, []).append(unit)
        for units in strata.values():
            chance.shuffle(units)
            units.sort(key=len, reverse=True)
        return [unit for units in strata.values() for unit in units]

    def __repr__(self) -> str:
        lengths = sorted({len(sequence) for sequence in self.sequences})
        steps = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
        words = f"{len(self)} sequences of {steps} steps, {many(self.inputs, 'input')}"
        if self.classes is not None:
            parts = [goal if isinstance(goal, tuple) else (goal,) for goal in self.targets]
            labels = Counter([label for part in parts for label in part])
            often = [str(labels[label]) for label in range(min(self.classes, 10))]
            more = ["..."] if self.classes > 10 else []
            words += f", {self.classes} classes: {', '.join(often + more)}"
        return f"<Dataset: {words}>"


def as_dataset(found: Labelled, kind: type[D]) -> D:
    """The data set of what was read from files."""
    data = kind(
        found.vectors,
        found.targets,
        symbols=found.texts,
        groups=found.groups,
        classes=len(found.classes) or None,
    )
    data.alphabet, data.names, data.left_out = found.alphabet, found.classes, found.left_out
    return data


def joined(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """The groups of places that share a key, directly or through others.

    >>> joined([["a"], ["b"], ["a", "c"], ["c"]])
    [[0, 2, 3], [1]]
    """
    leader = list(range(len(keys)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = place = leader[leader[place]]
        return place

    first: dict[Hashable, int] = {}
    for place, own in enumerate(keys):
        for key in own:
            a, b = find(first.setdefault(key, place)), find(place)
            leader[max(a, b)] = min(a, b)
    found: dict[int, list[int]] = {}
    for place in range(len(keys)):
        found.setdefault(find(place), []).append(place)
    return list(found.values())


def as_sequence(sequence: object, argument: str) -> tuple[Vector, ...]:
    """The vectors of a sequence, a number being a vector of one.

    `ValueError` for an empty sequence, and `TypeError`, with the place, for no list of numbers.

    >>> as_sequence([1, [2, 3]], "sequences[0]")
    ((1.0,), (2.0, 3.0))
    """
    vectors = [
        tuple(as_floats(one, f"{argument}[{k}]"))
        if isinstance(one, Iterable) and not isinstance(one, str)
        else (as_float(one, f"{argument}[{k}]"),)
        for k, one in enumerate(map(_listed, as_list(_listed(sequence), argument)))
    ]
    if not vectors:
        raise ArgumentValueError(f"{argument} is empty: it has no output. Leave it out.")
    return tuple(vectors)


class Classes(NamedTuple):
    """The numbers of classes, from 0, and the number that stands for none of them."""

    number: int
    ignore: float | None

    def check(self, number: float, argument: str) -> None:
        """`ValueError` for another number."""
        if number == self.ignore or (number.is_integer() and 0.0 <= number < self.number):
            return
        way_out = f", or {self.ignore} for none" if self.ignore is not None else ""
        if self.ignore is None and number < 0.0:
            way_out = f". If it stands for none of them: ignore={number:g}"
        raise ArgumentValueError(
            f"{argument} is {number}, but the classes are the whole numbers 0 to "
            f"{self.number - 1}{way_out}."
        )


def _listed(thing: Any) -> Any:
    """An array or tensor as lists of numbers, or as a number; anything else as it is."""
    return thing.tolist() if hasattr(thing, "tolist") else thing


def _as_target(target: Any, argument: str, classes: Classes | None, steps: int) -> float | Vector:
    target = _listed(target)
    if not isinstance(target, Iterable) or isinstance(target, str):
        number = as_float(target, argument)
        if classes is not None:
            classes.check(number, argument)
        return number
    numbers = tuple(as_floats(target, argument))
    if classes is not None and len(numbers) != steps:
        raise ArgumentValueError(f"{argument} has {len(numbers)} classes for {steps} steps.")
    if classes is not None:
        for k, number in enumerate(numbers):
            classes.check(number, f"{argument}[{k}]")
    return numbers
