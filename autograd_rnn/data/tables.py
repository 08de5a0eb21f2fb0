"""Tables of sequences and labels, and lists of sequences; what each column holds is found."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from threading import Lock
from typing import Final, NamedTuple

from ..arguments import as_integer, many, shown
from ..errors import ArgumentValueError
from .encoding import ALPHABETS, find_alphabet, is_number, spelled, unsure_letters
from .fasta import from_fastq
from .text import decoded_part

#: What a header calls the column of sequences.
SEQUENCE_NAMES: Final = (
    *("sequence", "seq", "sequences", "dna", "rna", "protein", "text", "string", "strings"),
    *("read", "reads", "numbers"),
)
#: What a header calls the column of labels.
LABEL_NAMES: Final = ("label", "class", "labels", "target", "category", "family", "value")
DELIMITERS: Final = ",\t;|"
#: What spreadsheets begin with where other programs would not know; it is found here.
TOLD: Final = re.compile(r"sep=.\s*", re.IGNORECASE)
DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")
#: What the columns are is told from so many letters.
HEAD: Final = 1 << 20
LONGEST_CELL: Final = min(sys.maxsize, (1 << 31) - 1)  # a C long, which may have 32 bits
#: An alphabet of one's own takes so many rows to tell that the first is a header.
LEAST_ROWS: Final = 10


class Entry(NamedTuple):
    """A sequence as a file has it: its text, its label, where it stands, and the line if known."""

    text: str
    label: str
    where: str
    line: int = 0


class Row(NamedTuple):
    """A line of a table that is not blank, and its number from 1."""

    line: int
    fields: list[str]


#: What is told why a line is left out.
Refuse = Callable[[str], object]


def read_table(
    blocks: Iterable[bytes],
    file: str,
    sequence: str | int | None = None,
    label: str | int | None = None,
    refuse: Refuse | None = None,
) -> Iterator[Entry]:
    r"""The sequences and labels of a table, separated by commas, tabs, semicolons or bars.

    >>> [entry[:2] for entry in read_table([b"label,dna\na,GAT\nb,CC\n"], "x.csv")]
    [('GAT', 'a'), ('CC', 'b')]
    """
    lines = Lines(blocks, file)
    delimiter = _delimiter(lines)
    if not delimiter:
        raise ArgumentValueError(
            f"{file} has one column: a table has a sequence and a label in each line, separated by "
            f"a comma, tab, semicolon or bar."
        )
    rows = [*lines.cut(lines, delimiter)]
    told = _remarks_last(rows)
    header, sequence, label = _columns(told, sequence, label, file)
    entries = _entries(rows, _layout(told, header, sequence, label), file, refuse)
    for entry in entries:
        # Where commas do not separate columns, they may be decimal, as spreadsheets write them.
        point = delimiter == ";" and DECIMAL_COMMA.fullmatch(entry.label)
        yield entry._replace(label=entry.label.replace(",", ".")) if point else entry


def read_list(
    blocks: Iterable[bytes],
    file: str,
    fits: Callable[[str], bool],
    sequence: str | int | None = None,
    refuse: Refuse | None = None,
) -> Iterator[Entry]:
    r"""The sequences of a list with one in each line, or of a table, without labels.

    `fits` says whether a text is one that a model can read: the column of sequences is the one in
    which most are.  What the columns are is found from the first megabyte; the rest is read as it
    is asked for.

    >>> [entry.text for entry in read_list([b"id,dna\n1,GAT\n2,CC\n"], "x.csv", str.isalpha)]
    ['GAT', 'CC']
    """
    lines = Lines(blocks, file)
    first = [row.fields[0] for row in lines.uncut(lines.head)]
    # Numbers may be separated by commas, too: what is readable as a whole is not cut into columns.
    whole = all(map(fits, first[1:] or first)) and sequence is None
    delimiter = "" if whole else _delimiter(lines)
    if not (whole or delimiter) and any(x[0] == '"' and x.strip('"').strip() for x in first):
        delimiter = DELIMITERS[0]  # of which there are none, but the quotes have to go
    head = lines.cut(lines.head, delimiter) if delimiter else lines.uncut(lines.head)
    rows = _remarks_last([*head])
    names = [name.lower() for name in rows[0].fields]
    place = _given(sequence, "sequence", rows[0], file)
    if place is None:
        place = next((names.index(name) for name in SEQUENCE_NAMES if name in names), None)
    fields = [row.fields for row in rows]
    columns = [[row[k] for row in fields if len(row) > k] for k in range(_width(rows))]
    header = isinstance(sequence, str) or (place is not None and names[place] in SEQUENCE_NAMES)
    if place is None:
        sizes = [(sum(map(fits, x)), sum(map(len, x)), -k) for k, x in enumerate(columns)]
        place = sizes.index(max(sizes))
    # A list of one column has a header only by name: else its first line is a sequence.
    if not header and len(rows) > 1 and 1 < len(columns) > place:
        header = not fits(columns[place][0]) and all(map(fits, columns[place][1:]))
    layout = _layout(rows, header, place, None)
    every = lines.cut(lines, delimiter) if delimiter else lines.uncut(lines)
    return _entries(every, layout, file, refuse)


class Layout(NamedTuple):
    """The columns of a table: the places of sequence and label, the fewest and the most fields.

    And the line of the header, which is 0 if there is none.
    """

    header: int
    sequence: int
    label: int | None
    least: int
    most: int


def _layout(rows: Sequence[Row], header: bool, sequence: int, label: int | None) -> Layout:
    least = max(sequence, label or 0) + 1
    most = max(least, len(rows[0].fields) if header else _width(rows))
    return Layout(rows[0].line if header else 0, sequence, label, least, most)


def _entries(
    rows: Iterable[Row], layout: Layout, file: str, refuse: Refuse | None
) -> Iterator[Entry]:
    header, sequence, label, least, most = layout
    for row in rows:
        if row.line == header:
            continue
        why = ""
        if len(row.fields) < least:
            why = f"has {many(len(row.fields), 'field')}, not {least}"
        elif any(row.fields[most:]):  # which column is which is not known there
            why = f"has {len(row.fields)} fields, not {most}: quote a field that holds a separator"
        elif not row.fields[sequence]:
            why = "has no sequence"
        elif label is not None and not row.fields[label]:
            why = "has no label"
        where = f"{file}: line {row.line}"
        if not why:
            name = "" if label is None else row.fields[label]
            yield Entry(row.fields[sequence], name, where, row.line)
        elif refuse is not None:
            refuse(f"{where} {why}.")
        else:
            raise ArgumentValueError(f"{where} {why}. To leave such lines out: bad_records='skip'.")


# --- lines and rows ------------------------------------------------------------------------------


class Lines:
    """The lines of a file, of which only the `head`, about a megabyte, is in memory at once.

    Iteration, which is possible once, gives all of them, each with its line feed.  Blank lines
    before the head, and one that says `sep=;`, are `skipped`; `whole` says that none is after it.
    """

    def __init__(self, blocks: Iterable[bytes], file: str) -> None:
        self.file, self.skipped, self.head = file, 0, list[str]()
        lines, size = _lines(blocks, file), 0
        for line in lines:
            if not self.head and (not line.strip() or TOLD.fullmatch(line)):
                self.skipped += 1
                continue
            self.head.append(line)
            size += len(line)
            if size >= HEAD:
                break
        if not self.head:
            raise ArgumentValueError(f"{file} is empty: there is nothing to read.")
        if way_out := from_fastq("".join(self.head[:4]).encode()):
            raise ArgumentValueError(f"{file} is not a table.{way_out}")
        more = next(lines, None)
        self.whole = more is None
        self._rest = lines if more is None else chain([more], lines)

    def __iter__(self) -> Iterator[str]:
        return chain(self.head, self._rest)

    def uncut(self, lines: Iterable[str]) -> Iterator[Row]:
        """A row of one field for each of its lines, the first of which is that of the head."""
        for number, line in enumerate(lines, self.skipped + 1):
            if text := line.strip():
                yield Row(number, [text])

    def cut(self, lines: Iterable[str], delimiter: str) -> Iterator[Row]:
        """Rows of its lines, cut at the delimiter."""
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = self.skipped + reader.line_num + 1
            try:
                with LONG_CELLS:
                    fields = next(reader, None)
            except csv.Error as error:
                if lines is self.head and not self.whole and "end of data" in str(error):
                    return  # within a cell that goes on after the head
                raise ArgumentValueError(
                    f"{self.file}: line {line} cannot be read as a table ({error})."
                ) from None
            if fields is None:
                return
            stripped = [part.strip() for part in fields]
            if any(stripped):
                yield Row(line, stripped)


class LongCells:
    """A context in which cells may be of any length, as one that holds a genome.

    The limit is that of all readers in this process.  It is put back when the last thread leaves,
    and none waits for another, which may itself wait for more of its file.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._limit = Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limit = csv.field_size_limit(LONGEST_CELL)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                csv.field_size_limit(self._limit)


LONG_CELLS: Final = LongCells()


def _lines(blocks: Iterable[bytes], file: str) -> Iterator[str]:
    """The lines of a file, each with its line feed; the blocks have no other line breaks."""
    unread: list[bytes] = []
    before = lines = 0
    for block in chain(blocks, [None]):
        head, feed, tail = block.rpartition(b"\n") if block is not None else (b"", b"", b"")
        unread += [head, feed] if feed else []
        if feed or block is None:
            part = b"".join(unread)
            text = decoded_part(part, file, before=before, lines=lines)
            if "\0" in text:
                line = lines + text.count("\n", 0, text.index("\0")) + 1
                raise ArgumentValueError(
                    f"{file}: line {line} holds a NUL, as text in UTF-16 does that begins without "
                    f"a mark: save it as UTF-8."
                )
            yield from io.StringIO(text, newline="\n")
            before, lines, unread = before + len(part), lines + text.count("\n"), []
        unread.append(tail)


def _remarks_last(rows: list[Row]) -> list[Row]:
    """The rows from which a layout is told: the header may stand below remarks of one field."""
    start = next((k for k, row in enumerate(rows) if len(row.fields) > 1), 0)
    return rows[start:] + rows[:start]


def _delimiter(lines: Lines) -> str:
    """By what most lines of the head agree to be separated; nothing for one column."""
    separator, most = "", 0.0
    for delimiter in DELIMITERS:
        try:
            rows = [*lines.cut(lines.head, delimiter)]
        except ArgumentValueError:
            if not separator and delimiter == DELIMITERS[-1]:
                raise
            continue
        sizes = Counter([len(row.fields) for row in rows if len(row.fields) > 1])
        agreed = max(sizes.values(), default=0) / max(1, len(rows))
        if agreed > most:
            most, separator = agreed, delimiter
    return separator


def _width(rows: Sequence[Row]) -> int:
    return Counter([len(row.fields) for row in rows]).most_common(1)[0][0]


def _columns(
    rows: list[Row], by_sequence: str | int | None, by_label: str | int | None, file: str
) -> tuple[bool, int, int]:
    """Whether the first row is a header, and the places of the sequence and of the label."""
    first = [name.lower() for name in rows[0].fields]
    sequence = _given(by_sequence, "sequence", rows[0], file)
    label = _given(by_label, "label", rows[0], file)
    by_name = isinstance(by_sequence, str) or isinstance(by_label, str)
    if sequence is None:
        sequence = next((first.index(name) for name in SEQUENCE_NAMES if name in first), None)
        by_name |= sequence is not None
    if label is None:
        names = [name for name in LABEL_NAMES if name in first and first.index(name) != sequence]
        label = first.index(names[0]) if names else None
        by_name |= label is not None
    fields = [row.fields for row in rows]
    width = _width(rows)
    columns = [[row[k] for row in fields if len(row) > k] for k in range(width)]
    sizes = [(sum(map(len, column)), len(set(column))) for column in columns]
    if sequence is None:
        others = [k for k in range(width) if k != label]
        # A column of single numbers is rather one of labels; the first row may be a header.
        words = [not all(map(_is_single_number, column[1:])) for column in columns]
        sequence = max(others, key=lambda k: (words[k], *sizes[k], -k), default=None)
    if label is None:
        others = [k for k in range(width) if k != sequence]
        others = [k for k in others if width == 2 or sizes[k][1] > 1] or others
        label = min(others, key=lambda k: (sizes[k][1], sizes[k][0], -k), default=None)
    if sequence is None or label is None or sequence == label:
        raise ArgumentValueError(
            f"{file}: there must be a column of sequences and another of labels; name them: "
            f"sequence= and label=."
        )
    return by_name or _is_header(rows, sequence, label), sequence, label


def _is_single_number(field: str) -> bool:
    return is_number(field) or DECIMAL_COMMA.fullmatch(field) is not None


def _is_header(rows: list[Row], sequence: int, label: int) -> bool:
    """Whether the first row is unlike all others: another label, and letters they do not have."""
    head, body = rows[0].fields, [row.fields for row in rows[1:]]
    if not body or len(head) <= max(sequence, label):
        return False
    if head[label] in {row[label] for row in body if len(row) > label}:
        return False
    texts = [row[sequence] for row in body if len(row) > sequence]
    alphabet = find_alphabet(texts)
    if not alphabet:
        return find_alphabet([head[sequence]]) != ""
    letters = set(spelled(head[sequence], alphabet))
    if alphabet in ALPHABETS.values():
        return not letters <= set(alphabet + unsure_letters(alphabet))
    return len(texts) >= LEAST_ROWS and not letters <= set(alphabet)


def _given(column: str | int | None, argument: str, head: Row, file: str) -> int | None:
    """The place of a column that is called by its name, or by its number from 1."""
    if column is None:
        return None
    if isinstance(column, int):
        return as_integer(column, argument, least=1, most=len(head.fields)) - 1
    if column in head.fields:
        return head.fields.index(column)
    folded = [name.lower() for name in head.fields]
    if column.lower() in folded:
        return folded.index(column.lower())
    raise ArgumentValueError(
        f"{file}: {argument} {shown(column)} is no column: the first line has "
        f"{listed(head.fields)}."
    )


def listed(names: Sequence[str]) -> str:
    """Some names for a message, the first ten of them.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(map(shown, names[:10])) + (", ..." if len(names) > 10 else "")
