"""The promoters of E. coli that UCI collects, as a data set."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Final

from ..errors import ArgumentValueError
from .dataset import Dataset, joined
from .encoding import one_hot

# Of two unrelated sequences of 57 bases, one pair in 580,000 shares 15 in a row.
LONGEST_BY_CHANCE: Final = 15


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
    text = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        sequence = fields[-1].upper()
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
