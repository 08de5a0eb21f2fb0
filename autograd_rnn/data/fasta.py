"""DNA in files: FASTA, windows of it, and the promoters of UCI."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Hashable, Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

from ..arguments import as_integer
from ..errors import ArgumentTypeError, ArgumentValueError, FastaError
from .dataset import joined

AMBIGUOUS: Final = "BDHKMNRSVWY"
# Letter for letter, unlike str.upper, which makes two of ß.
UPPER: Final = str.maketrans(ascii_lowercase, ascii_uppercase)
# Of two unrelated sequences of 57 bases, one pair in 580,000 shares so many in a row.
LONGEST_BY_CHANCE: Final = 15


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


class Promoter(NamedTuple):
    """One of UCI's sequences: its name, letters, whether it is a promoter, and its block."""

    name: str
    sequence: str
    promoter: bool
    block: int


def read_promoters(path: str | os.PathLike[str]) -> list[Promoter]:
    """The rows of UCI's `promoters.data` (Harley, Reynolds and Noordewier, 1990), in upper case.

    A row is `+` or `-`, a name, and the sequence, between commas.  Sequences that share text have
    the same `block`, which a fair split keeps together: those `-` that overlap, which the places
    in one long stretch tell that are their names, and any two that share 15 bases in a row, as
    promoters of the same operon do.  `ValueError` naming the line for what is no such row.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "promoters.data")
    >>> _ = path.write_text("+,S10,\\t\\ttactag\\n-,867, ggatcc\\n-,870, ccatag\\n")
    >>> for row in read_promoters(path):
    ...     print(row.name, row.sequence, row.promoter, row.block)
    S10 TACTAG True 0
    867 GGATCC False 1
    870 CCATAG False 1
    """
    rows: list[tuple[str, str, bool]] = []
    for number, line in enumerate(_lines(Path(path)), 1):
        if not line:
            continue
        fields = [field.strip() for field in line.split(",")]
        sequence = fields[-1].translate(UPPER)
        if len(fields) != 3 or fields[0] not in ("+", "-") or not sequence:
            raise ArgumentValueError(
                f"{path}: line {number} is not a row of promoters.data: class (+ or -), name and "
                f"sequence, between commas."
            )
        odd = next((k for k, letter in enumerate(sequence) if letter not in "ACGT"), None)
        if odd is not None:
            raise ArgumentValueError(
                f"{path}: line {number} has {sequence[odd]!r} at position {odd + 1} of its "
                f"sequence, which is not one of 'ACGT'."
            )
        if fields[0] == "-" and not re.fullmatch("[0-9]{1,9}", fields[1]):
            raise ArgumentValueError(
                f"{path}: line {number} is named {fields[1]!r}, but the name of a - is its place."
            )
        rows.append((fields[1], sequence, fields[0] == "+"))
    if not rows:
        raise ArgumentValueError(f"{path}: the file holds no row.")
    keys = [list(_texts(*row)) for row in rows]
    block = {place: number for number, places in enumerate(joined(keys)) for place in places}
    return [Promoter(*row, block[place]) for place, row in enumerate(rows)]


def _texts(name: str, sequence: str, promoter: bool) -> Iterator[Hashable]:
    """What two sequences of one block have in common: places in the stretch, or a long text."""
    for start in range(len(sequence) - LONGEST_BY_CHANCE + 1):
        yield sequence[start : start + LONGEST_BY_CHANCE]
    if not promoter:
        yield from range(int(name), int(name) + len(sequence))
