"""Sequences as vectors: one-hot letters and bits."""

from __future__ import annotations

from ..arguments import check_alphabet, check_symbols


def one_hot(sequence: str, alphabet: str = "ACGT") -> list[list[float]]:
    """A vector per symbol, with a 1 at the symbol's place in the alphabet (panel 4).

    `SymbolError` (a `ValueError`) for a symbol outside the alphabet, with its position from 1.

    >>> one_hot("GA")
    [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    check_alphabet(alphabet)
    check_symbols(sequence, alphabet, "sequence")
    return [[1.0 if one == symbol else 0.0 for one in alphabet] for symbol in sequence]


def bits(string: str) -> list[list[float]]:
    """A vector of size 1 per bit (panel 10).

    `SymbolError` (a `ValueError`) for anything but 0 and 1, with its position from 1.

    >>> bits("101")
    [[1.0], [0.0], [1.0]]
    """
    check_symbols(string, "01", "bits")
    return [[float(symbol)] for symbol in string]


def encode(string: str, alphabet: str) -> list[list[float]]:
    """The vectors of a string: `bits` over the alphabet 01, else `one_hot`.

    >>> encode("10", "01"), encode("b", "ab")
    ([[1.0], [0.0]], [[0.0, 1.0]])
    """
    return bits(string) if alphabet == "01" else one_hot(string, alphabet)
