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
from .dataset import Dataset, joined
from .encoding import one_hot

AMBIGUOUS: Final = "BDHKMNRSVWY"
# Letter for letter, unlike str.upper, which turns ß into two letters.
UPPER: Final = str.maketrans(ascii_lowercase, ascii_uppercase)
# Of two unrelated sequences of 57 bases, one pair in 580,000 shares 15 in a row.
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
    parts: list[tuple[str, list[str]]] = []
    for number, line in enumerate(_lines(Path(path)), 1):
        if line.startswith(">"):
            parts.append((line[1:].strip() or f"record {len(parts) + 1}", []))
        elif line and not line.startswith(";"):
            if not parts:
                raise FastaError(
                    f"{path}: line {number} stands before the first record; a FASTA file starts "
                    f"with a line '>name'."
                )
            parts[-1][1].append(line.translate(UPPER))
    if not parts:
        raise FastaError(f"{path}: the file holds no record; a FASTA file starts with '>name'.")
    records = [Record(name, "".join(lines)) for name, lines in parts]
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


def promoters(path: str | os.PathLike[str]) -> Dataset:
    """UCI's `promoters.data` as one-hot vectors, class 1 for a promoter.

    (Harley, Reynolds and Noordewier, 1990.)  A row is `+` or `-`, a name, and the sequence,
    separated by commas; `ValueError` naming the line for any other.  Sequences that share text are
    a group, which `split` keeps together: any two that share 15 bases in a row, as promoters of the
    same operon do, and those `-` that overlap, whose names are their places in one long stretch.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "promoters.data")
    >>> _ = path.write_text("+,S10,\\t\\ttactag\\n-,867,ggatcc\\n-,870,ccatag\\n")
    >>> data = promoters(path)
    >>> data.symbols, data.targets, data.groups
    (('TACTAG', 'GGATCC', 'CCATAG'), (1.0, 0.0, 0.0), (0, 1, 1))
    """
    rows: list[tuple[str, str, bool]] = []
    for number, line in enumerate(_lines(Path(path)), 1):
        if not line:
            continue
        fields = [field.strip() for field in line.split(",")]
        sequence = fields[-1].translate(UPPER)
        reason, odd = "", re.search("[^ACGT]", sequence)
        if len(fields) != 3 or fields[0] not in ("+", "-") or not sequence:
            reason = "is not a row of promoters.data: class (+ or -), name, sequence"
        elif odd:
            place = f"at position {odd.start() + 1} of its sequence"
            reason = f"has {odd[0]!r} {place}, which is not one of 'ACGT'"
        elif fields[0] == "-" and not re.fullmatch("[0-9]{1,9}", fields[1]):
            reason = f"is named {fields[1]!r}, but the name of a - is its place"
        if reason:
            raise ArgumentValueError(f"{path}: line {number} {reason}.")
        rows.append((fields[1], sequence, fields[0] == "+"))
    if not rows:
        raise ArgumentValueError(f"{path}: the file holds no row.")
    blocks = joined([list(_texts(*row)) for row in rows])
    block = {place: number for number, places in enumerate(blocks) for place in places}
    _, symbols, classes = zip(*rows, strict=True)
    return Dataset(
        [one_hot(text) for text in symbols],
        [int(promoter) for promoter in classes],
        symbols=symbols,
        groups=[block[place] for place in range(len(rows))],
        classes=2,
    )


def _texts(name: str, sequence: str, promoter: bool) -> Iterator[Hashable]:
    """The long texts in a sequence, and the places of a -: sequences of one group share some."""
    for start in range(len(sequence) - LONGEST_BY_CHANCE + 1):
        yield sequence[start : start + LONGEST_BY_CHANCE]
    if not promoter:
        yield from range(int(name), int(name) + len(sequence))
