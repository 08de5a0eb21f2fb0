"""Strings as vectors."""

from typing import Any

import pytest

from autograd_rnn import bits, one_hot
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError, SymbolError


def test_bits_and_one_hot() -> None:
    assert bits("") == one_hot("") == []
    assert bits("01") == [[0], [1]]
    assert one_hot("ba", alphabet="ab") == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: bits("102"), SymbolError, "bits: '2' at position 3 is not one of '01'"),
        (lambda: one_hot("AGX"), SymbolError, "sequence: 'X' at position 3 is not one of 'ACGT'"),
        (lambda: one_hot("agg"), SymbolError, "'a' at position 1"),
        (lambda: bits(101), ArgumentTypeError, "bits must be a str, not int"),
        (lambda: one_hot("A", "AA"), ArgumentValueError, "alphabet must be one or more different"),
        (lambda: one_hot("A", None), ArgumentTypeError, "alphabet must be a str, not NoneType"),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
