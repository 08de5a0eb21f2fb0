"""DNA families and FASTA files."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

from .arguments import as_integer
from .errors import ArgumentTypeError, ArgumentValueError, FastaError

__all__ = ["Record", "in_family", "read_fasta", "windows"]

# As many as the network may have that mimics the program.
MOST_STATES: Final = 1000
AMBIGUOUS: Final = "BDHKMNRSVWY"
# Letter for letter, unlike str.upper, which makes two of ß.
UPPER: Final = str.maketrans(ascii_lowercase, ascii_uppercase)


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


def windows(sequence: str, size: int) -> Iterator[str]:
    """The non-overlapping windows of a sequence, in order; a shorter rest is left out.

    >>> list(windows("GATTACA", 3))
    ['GAT', 'TAC']
    """
    as_integer(size, "size", least=1)
    starts = range(0, len(sequence) - size + 1, size)
    return (sequence[start : start + size] for start in starts)


class Record(NamedTuple):
    """One sequence of a FASTA file: its name, and its letters in upper case."""

    name: str
    sequence: str


def read_fasta(
    path: str | os.PathLike[str], *, alphabet: str = "ACGT", ambiguous: bool = False
) -> list[Record]:
    """The records of a FASTA file, plain or gzipped; lower case is taken as upper case.

    `FastaError` (a `ValueError`) for a file that is not FASTA or holds nothing, and for a letter
    outside `alphabet`, naming record, position from 1, and letter.  With `ambiguous` the letters
    that stand for several bases (N, R, Y, ...) are kept as they are.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "two.fa")
    >>> _ = path.write_text(">one\\nGAT\\ntaca\\n>two\\nGG\\n")
    >>> read_fasta(path)
    [Record(name='one', sequence='GATTACA'), Record(name='two', sequence='GG')]
    """
    if not isinstance(alphabet, str):
        raise ArgumentTypeError(f"alphabet must be a str, not {type(alphabet).__name__}.")
    allowed = set(alphabet.upper()) | set(AMBIGUOUS if ambiguous else "")
    names: list[str] = []
    parts: list[list[str]] = []
    for number, line in enumerate(_lines(Path(path)), 1):
        if line.startswith(">"):
            names.append(line[1:].strip() or f"record {len(names) + 1}")
            parts.append([])
        elif line and not line.startswith(";"):
            if not names:
                raise FastaError(
                    f"{path}: line {number} stands before the first record; a FASTA file starts "
                    f"with a line '>name'."
                )
            parts[-1].append(line.translate(UPPER))
    if not names:
        raise FastaError(f"{path}: the file holds no record; a FASTA file starts with '>name'.")
    records = [Record(name, "".join(part)) for name, part in zip(names, parts, strict=True)]
    for name, sequence in records:
        if not sequence:
            raise FastaError(f"{path}: record {name!r} holds no sequence.")
        if not allowed.issuperset(sequence):
            position = next(i for i, letter in enumerate(sequence) if letter not in allowed)
            raise FastaError(
                f"{path}: record {name!r} has {sequence[position]!r} at position {position + 1}, "
                f"which is not one of {alphabet!r}."
            )
    return records


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FastaError(f"{path}: the gzip data is damaged ({error}).") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as older names may be; sequences are ASCII anyway
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
