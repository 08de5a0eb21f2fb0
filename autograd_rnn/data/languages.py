"""Languages as finite automata: their strings, how many there are, and samples of them."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate, product
from typing import Any, Final

from ..arguments import as_integer, as_list, as_name, check_alphabet, check_symbols
from ..errors import ArgumentTypeError, ArgumentValueError
from .dataset import Dataset
from .encoding import encode

MOST_STRINGS: Final = 1_000_000
MOST_STEPS: Final = 10_000


class Language:
    """A finite automaton; called with a string it gives the class, usually 1 for a member, else 0.

    It starts in state 0.  `transitions` has a row per state, with the next state per symbol of
    `alphabet`; `classes` has a class, a whole number from 0, per state.  `ValueError` for a state
    that does not exist.

    >>> even = Language("an even number of a", "ab", [[1, 0], [0, 1]], [1, 0])
    >>> even("abba"), even("aaab")
    (1, 0)
    """

    __slots__ = ("alphabet", "classes", "name", "transitions")

    def __init__(
        self, name: str, alphabet: str, transitions: Iterable[Iterable[int]], classes: Iterable[int]
    ) -> None:
        if as_name(name) is None:
            raise ArgumentTypeError("name must be a str, not NoneType.")
        check_alphabet(alphabet)
        self.name, self.alphabet = name, alphabet
        listed = enumerate(as_list(transitions, "transitions"))
        rows = tuple([_whole(row, f"transitions[{q}]") for q, row in listed])
        self.transitions, self.classes = rows, _whole(classes, "classes")
        if not rows or len(rows) != len(self.classes):
            raise ArgumentValueError(
                f"transitions and classes must be as many, and one or more: there are {len(rows)} "
                f"and {len(self.classes)}."
            )
        for q, row in enumerate(rows):
            if len(row) != len(alphabet) or max(row) >= len(rows):
                raise ArgumentValueError(
                    f"transitions[{q}] must be {len(alphabet)} states, one for each symbol, each "
                    f"from 0 to {len(rows) - 1}."
                )

    def __call__(self, string: str) -> int:
        """The class of the string; `SymbolError` (a `ValueError`) for a symbol outside."""
        check_symbols(string, self.alphabet, "string")
        state = 0
        for symbol in string:
            state = self.transitions[state][self.alphabet.index(symbol)]
        return self.classes[state]

    def count(self, length: int) -> tuple[int, ...]:
        """The number of strings of a length in each class, from 0 on.

        >>> Language("an even number of a", "ab", [[1, 0], [0, 1]], [1, 0]).count(3)
        (4, 4)
        """
        as_integer(length, "length", least=0, most=MOST_STEPS)
        ways = [1] + [0] * (len(self.classes) - 1)
        for _ in range(length):
            after = [0] * len(ways)
            for row, many in zip(self.transitions, ways, strict=True):
                for state in row:
                    after[state] += many
            ways = after
        found = [0] * (max(self.classes) + 1)
        for label, many in zip(self.classes, ways, strict=True):
            found[label] += many
        return tuple(found)

    def encode(self, string: str) -> list[list[float]]:
        """The vectors of a string: `bits` over the alphabet 01, else `one_hot`.

        >>> Language("all", "01", [[0, 0]], [1]).encode("10")
        [[1.0], [0.0]]
        """
        return encode(string, self.alphabet)

    def label(self, strings: Iterable[str]) -> Dataset:
        """The strings with their classes; `ValueError` if there is none, or one of length 0.

        >>> Language("all", "01", [[0, 0]], [1]).label(["1", "01"]).targets
        (1.0, 1.0)
        """
        texts = as_list(strings, "strings")
        targets = [self(text) for text in texts]
        vectors = [self.encode(text) for text in texts]
        return Dataset(vectors, targets, symbols=texts, classes=max(self.classes) + 1)

    def every(self, lengths: Iterable[int]) -> Dataset:
        """All strings of the lengths, the shortest first, in the order of the alphabet.

        >>> Language("all", "01", [[0, 0]], [1]).every([1, 2]).symbols
        ('0', '1', '00', '01', '10', '11')
        """
        sizes = as_lengths(lengths)
        if sum(len(self.alphabet) ** min(size, 99) for size in sizes) > MOST_STRINGS:
            raise ArgumentValueError(
                f"lengths up to {sizes[-1]} are over {MOST_STRINGS} strings: choose shorter ones, "
                f"or draw from them with sample()."
            )
        words = [word for size in sizes for word in product(self.alphabet, repeat=size)]
        return self.label(map("".join, words))

    def sample(self, count: int, lengths: Iterable[int], *, seed: int = 0) -> Dataset:
        """`count` strings: the same number of each class, and of each length within a class.

        A class without strings of a length has more of the others.  Within a class and a length all
        strings are equally likely, and a string may be drawn again.  `ValueError` for a class
        without a string of any of the lengths.

        >>> even = Language("an even number of a", "ab", [[1, 0], [0, 1]], [1, 0])
        >>> even.sample(100, range(1, 11))
        <Dataset: 100 sequences of 1 to 10 steps, 2 inputs, 2 classes: 50, 50>
        """
        as_integer(count, "count", least=1, most=MOST_STRINGS)
        sizes = as_lengths(lengths)
        chance = random.Random(as_integer(seed, "seed"))
        labels = sorted(set(self.classes))
        strings: list[str] = []
        for place, label in enumerate(labels):
            ways = self._ways(label, sizes[-1])
            fit = [size for size in sizes if ways[size][0]]
            if not fit:
                span = " to ".join([str(size) for size in dict.fromkeys((sizes[0], sizes[-1]))])
                raise ArgumentValueError(
                    f"no string of class {label} has one of the lengths {span}: choose others."
                )
            chance.shuffle(fit)
            share = count // len(labels) + (place < count % len(labels))
            strings += [self._draw(fit[k % len(fit)], ways, chance) for k in range(share)]
        chance.shuffle(strings)
        return self.label(strings)

    def _ways(self, label: int, longest: int) -> list[list[int]]:
        """For each length and state, the number of strings that lead from there to the class."""
        ways = [[int(one == label) for one in self.classes]]
        for _ in range(longest):
            last = ways[-1]
            ways.append([sum([last[state] for state in row]) for row in self.transitions])
        return ways

    def _draw(self, length: int, ways: Sequence[Sequence[int]], chance: random.Random) -> str:
        """A string of the class, all equally likely: symbols weighted by their continuations."""
        state, word = 0, []
        for left in range(length - 1, -1, -1):
            following = self.transitions[state]
            upto = list(accumulate([ways[left][q] for q in following]))
            place = bisect(upto, chance.randrange(upto[-1]))
            word.append(self.alphabet[place])
            state = following[place]
        return "".join(word)

    def __repr__(self) -> str:
        return f"<Language: {self.name}, {len(self.classes)} states over {self.alphabet!r}>"


def _whole(numbers: Any, argument: str, least: int = 0) -> tuple[int, ...]:
    listed = enumerate(as_list(numbers, argument))
    return tuple([as_integer(one, f"{argument}[{k}]", least, MOST_STEPS) for k, one in listed])


def as_lengths(lengths: Any, least: int = 1) -> list[int]:
    """Each length once, in order.

    >>> as_lengths([3, 1, 3])
    [1, 3]
    """
    sizes = sorted(set(_whole(lengths, "lengths", least)))
    if not sizes:
        raise ArgumentValueError(f"lengths is empty: there must be one or more, each from {least}.")
    return sizes
