"""A text as numbers, and the parts of it that a network learns the next letter from."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arguments import as_floats, as_integer, as_list, as_text, check_alphabet, check_symbols
from ..errors import ArgumentTypeError, ArgumentValueError
from .encoding import codec_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NextLetters(NamedTuple):
    """Sequences of numbers of letters, and the number of the next letter at every step.

    `fit` takes it as it is, with `loss="cross_entropy"` and `at="every"`.
    """

    sequences: list[NDArray[Any]]
    targets: list[NDArray[Any]]


class Text:
    """A text, of which each letter is a number: its place in the alphabet, from 0.

    The `alphabet`, also called the vocabulary, is the different letters of the text in order,
    unless it is given.  A letter is any character, a space and a line break too.  `SymbolError` (a
    `ValueError`) for a letter outside the alphabet, with its position from 1, and `ValueError` for
    a text without two different letters, in which there is nothing to learn.

    A model learns a text with an input and an output per letter of its alphabet:

    >>> text = Text("abracadabra" * 20)
    >>> text
    <Text: 220 letters, 5 different>
    >>> text.alphabet, text.encode("cab"), text.decode([3, 0, 1])
    ('abcdr', [2, 0, 1], 'dab')
    >>> from autograd_rnn import Adam, Stack, fit, generate
    >>> model = Stack.random("RNN", states=6, inputs=5, outputs=5, seed=1)
    >>> model.alphabet = text.alphabet
    >>> history = fit(
    ...     model, text.streams(4), loss="cross_entropy", optimiser=Adam(0.1), epochs=12,
    ...     batch_size=4, at="every", truncate=9, streams=True, engine="numpy", progress=False,
    ... )
    >>> generate(model, "abra", 7, temperature=0.0, backend="numpy")
    'cadabra'
    """

    __slots__ = ("_places", "alphabet", "letters")

    def __init__(self, letters: str, alphabet: str | None = None) -> None:
        self.letters = as_text(letters, "letters")
        if not letters:
            raise ArgumentValueError("letters is empty: a text has one letter or more.")
        if alphabet is None:
            alphabet = "".join(sorted(set(letters)))
        check_alphabet(alphabet)
        if len(alphabet) == 1:
            raise ArgumentValueError(
                f"the alphabet has one letter, {alphabet!r}: there is nothing to learn in a text "
                f"without two different ones."
            )
        check_symbols(letters, alphabet, "letters")
        self.alphabet = alphabet
        self._places = {letter: place for place, letter in enumerate(alphabet)}

    @classmethod
    def read(cls, path: str | os.PathLike[str], alphabet: str | None = None) -> Text:
        """The text in a file in UTF-8, of which any line break is read as `"\\n"`.

        `ValueError` for a file that is empty, and for one that is not UTF-8, with the position of
        the byte.

        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "song.txt")
        >>> _ = path.write_bytes("là là là\\r\\n".encode())
        >>> Text.read(path).alphabet
        '\\n là'
        """
        letters = decoded(Path(path).read_bytes(), str(path))
        if alphabet is not None:
            check_alphabet(alphabet)
            check_symbols(letters, alphabet, str(path))
        return cls(letters, alphabet)

    def encode(self, letters: str) -> list[int]:
        """The numbers of the letters; `SymbolError` for one outside the alphabet."""
        check_symbols(letters, self.alphabet, "letters")
        return [self._places[letter] for letter in letters]

    def decode(self, numbers: Iterable[int]) -> str:
        """The letters with these numbers; `ValueError` for a number outside the alphabet."""
        listed = as_list(numbers, "numbers")
        if hasattr(numbers, "tolist"):
            listed = numbers.tolist()
        most = len(self.alphabet) - 1
        places = [
            as_integer(one, f"numbers[{k}]", least=0, most=most) for k, one in enumerate(listed)
        ]
        return "".join([self.alphabet[place] for place in places])

    def streams(self, count: int) -> NextLetters:
        """The text cut into so many streams of one length, one after the other.

        For `fit` with `streams=True`, which reads them side by side.  A rest of fewer than `count`
        letters is left out at the end.  `ValueError` if there is no letter for each stream.

        >>> text = Text("to be or not to be")
        >>> xs, ys = text.streams(2)
        >>> [text.decode(stream) for stream in xs], text.decode(ys[0])
        (['to be or', ' not to '], 'o be or ')
        """
        most = len(self) - 1
        if most < 1:
            raise ArgumentValueError("the text has one letter: none comes next.")
        as_integer(count, "count", least=1, most=most)
        size = most // count
        return self._parts([place * size for place in range(count)], size)

    def windows(self, length: int, stride: int | None = None) -> NextLetters:
        """The windows of so many letters, of which one begins every `stride` letters.

        Without `stride` they follow one another.  A rest that is shorter than a window is left out.
        `ValueError` for a length that the text does not have, with a letter that comes next.

        >>> text = Text("to be or not to be")
        >>> [text.decode(window) for window in text.windows(5, stride=7).sequences]
        ['to be', 'r not']
        """
        most = len(self) - 1
        if most < 1:
            raise ArgumentValueError("the text has one letter: none comes next.")
        as_integer(length, "length", least=1, most=most)
        if stride is not None:
            as_integer(stride, "stride", least=1)
        return self._parts(range(0, most - length + 1, stride or length), length)

    def _parts(self, starts: Iterable[int], size: int) -> NextLetters:
        import numpy as np

        numbers = np.array([self._places[letter] for letter in self.letters])
        xs = [numbers[start : start + size] for start in starts]
        ys = [numbers[start + 1 : start + 1 + size] for start in starts]
        return NextLetters(xs, ys)

    def split(self, *shares: float) -> tuple[Text, ...]:
        """The text cut into parts in proportion to the shares, such as 9, 1; all of one alphabet.

        The parts follow one another and do not overlap: the last ones serve for validation and
        tests.  `ValueError` if a part would be empty.

        >>> [part.letters for part in Text("abracadabra").split(9, 2)]
        ['abracadab', 'ra']
        """
        if not shares:
            raise ArgumentValueError("shares must be one number or more, such as 9, 1.")
        weights = as_floats(shares, "shares")
        for place, weight in enumerate(weights):
            if not 0.0 < weight < 1e100:
                raise ArgumentValueError(f"shares[{place}] must be positive, not {weight}.")
        total = math.fsum(weights)
        ends = [int(len(self) * upto / total + 0.5) for upto in accumulate(weights)]
        bounds = list(zip([0, *ends], [*ends[:-1], len(self)], strict=False))
        for place, (start, end) in enumerate(bounds):
            if start >= end:
                raise ArgumentValueError(
                    f"part {place} of the split would be empty: {len(self)} letters are too few "
                    f"for the shares {shares}."
                )
        return tuple([Text(self.letters[start:end], self.alphabet) for start, end in bounds])

    def entropy(self, before: int = 0, seen: Text | None = None) -> float:
        """The bits per letter that a guess from the letters `before` needs, at the very least.

        It is the entropy of the next letter, if so many letters before it are known and their
        shares in this text too: with 0 that of single letters, with 1 that of pairs.

        A short text has few of the pairs that there are, so that the shares in it promise too much.
        With another text that is `seen`, of the same alphabet, it is what a guess by the shares in
        that one needs here; what was not seen there is expected as Witten and Bell do (1991).  A
        model of `seen` that needs less has learnt from further back.

        >>> text = Text("abababab")
        >>> text.entropy(), text.entropy(1)
        (1.0, 0.0)
        >>> round(Text("abba").entropy(1, text), 3)
        1.115
        """
        as_integer(before, "before", least=0, most=len(self) - 1)
        grams = self._grams(before + 1)
        if seen is None:
            known = _shorter(grams)
            shares = {gram: often / known[gram[:-1]] for gram, often in grams.items()}
        elif getattr(seen, "alphabet", None) != self.alphabet:
            raise ArgumentValueError("seen must be a Text of the same alphabet, as split makes it.")
        else:
            shares = dict.fromkeys(["", *grams], 1.0 / len(self.alphabet))
            for size in range(1, before + 2):
                # A letter is new after some others as often as there were different ones so far.
                often, kinds = seen._grams(size), Counter([g[:-1] for g in seen._grams(size)])
                known, shorter = _shorter(often), shares
                shares = {}
                for gram in self._grams(size):
                    new, total = kinds[gram[:-1]], known[gram[:-1]]
                    guess = shorter[gram[1:]]
                    shares[gram] = (often[gram] + new * guess) / (total + new) if total else guess
        bits = [-often * math.log2(shares[gram]) for gram, often in grams.items()]
        return math.fsum(bits) / (len(self) - before) + 0.0

    def _grams(self, size: int) -> Counter[str]:
        """How often so many letters follow one another."""
        letters = self.letters
        return Counter([letters[k : k + size] for k in range(len(letters) - size + 1)])

    def __len__(self) -> int:
        """The number of letters."""
        return len(self.letters)

    def __repr__(self) -> str:
        return f"<Text: {len(self)} letters, {len(self.alphabet)} different>"


def _shorter(grams: Mapping[str, int]) -> Counter[str]:
    """How often the letters before the last one are followed by some letter."""
    known: Counter[str] = Counter()
    for gram, often in grams.items():
        known[gram[:-1]] += often
    return known


def decoded(content: bytes, name: str) -> str:
    """The text of a file in UTF-8 with its line breaks as `"\\n"`; `ValueError` for any other.

    It may be in UTF-16 or UTF-32 with a mark at its start, as some editors and spreadsheets write.

    >>> decoded(b"one\\r\\ntwo", "numbers.txt")
    'one\\ntwo'
    """
    if not isinstance(content, bytes):
        raise ArgumentTypeError(f"content must be bytes, not {type(content).__name__}.")
    text = decoded_part(content, name, codec_of(content))
    if not text:
        raise ArgumentValueError(f"{name} is empty: there is no letter to learn.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded_part(
    content: bytes, name: str, codec: str = "utf-8", before: int = 0, lines: int = 0
) -> str:
    """The text of a part of a file, after so many bytes and lines; `ValueError` for no text."""
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        line = lines + content.count(b"\n", 0, error.start) + 1
        known = "UTF-8" if codec.startswith("utf-8") else codec.upper()
        raise ArgumentValueError(
            f"{name}: byte {content[error.start]:#04x} at position {before + error.start + 1}, in "
            f"line {line}, is not {known}: save the text as UTF-8."
        ) from None
