"""Tables of sequences and labels, and lists of sequences; what each column holds is found."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ..arguments import as_integer, many, shown
from ..errors import ArgumentValueError
from .encoding import ALPHABETS, find_alphabet, is_number, spelled, unsure_letters
from .text import decoded

#: What a header calls the column of sequences.
SEQUENCE_NAMES: Final = (
    *("sequence", "seq", "sequences", "dna", "rna", "protein", "text", "string", "strings"),
    *("read", "reads", "numbers"),
)
#: What a header calls the column of labels.
LABEL_NAMES: Final = ("label", "class", "labels", "target", "category", "family", "value")
DELIMITERS: Final = ",\t;|"
DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")
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
    content: bytes,
    file: str,
    sequence: str | int | None = None,
    label: str | int | None = None,
    refuse: Refuse | None = None,
) -> Iterator[Entry]:
    r"""The sequences and labels of a table, separated by commas, tabs, semicolons or bars.

    >>> [entry[:2] for entry in read_table(b"label,dna\na,GAT\nb,CC\n", "x.csv")]
    [('GAT', 'a'), ('CC', 'b')]
    """
    rows, delimiter = _rows(_text(content, file), file)
    if not rows:
        raise ArgumentValueError(
            f"{file} has one column: a table has a sequence and a label in each line, separated by "
            f"a comma, tab, semicolon or bar."
        )
    header, sequence, label = _columns(rows, sequence, label, file)
    for entry in _entries(rows, header, sequence, label, file, refuse):
        # Where commas do not separate columns, they may be decimal, as spreadsheets write them.
        point = delimiter == ";" and DECIMAL_COMMA.fullmatch(entry.label)
        yield entry._replace(label=entry.label.replace(",", ".")) if point else entry


def read_list(
    content: bytes,
    file: str,
    fits: Callable[[str], bool],
    sequence: str | int | None = None,
    refuse: Refuse | None = None,
) -> Iterator[Entry]:
    r"""The sequences of a list with one in each line, or of a table, without labels.

    `fits` says whether a text is one that a model can read: the column of sequences is the one in
    which most are.

    >>> [entry.text for entry in read_list(b"id,dna\n1,GAT\n2,CC\n", "x.csv", str.isalpha)]
    ['GAT', 'CC']
    """
    text = _text(content, file)
    lines = [Row(k, [x.strip()]) for k, x in enumerate(text.split("\n"), 1) if x.strip()]
    # Numbers may be separated by commas, too: what is readable as a whole is not cut into columns.
    whole = all(fits(row.fields[0]) for row in lines[1:] or lines)
    rows = ([] if whole and sequence is None else _rows(text, file)[0]) or lines
    first = [name.lower() for name in rows[0].fields]
    header = isinstance(sequence, str)
    place = _given(sequence, "sequence", rows[0], file)
    if place is None:
        place = next((first.index(name) for name in SEQUENCE_NAMES if name in first), None)
        header = place is not None
    if place is None:
        fields = [row.fields for row in rows]
        columns = [[row[k] for row in fields if len(row) > k] for k in range(_width(rows))]
        sizes = [(sum(map(fits, x)), sum(map(len, x)), -k) for k, x in enumerate(columns)]
        place = sizes.index(max(sizes))
        # A list of one column has a header only by name: else its first line is a sequence.
        odd = len(columns) > 1 and len(rows) > 1 and not fits(columns[place][0])
        header = odd and all(map(fits, columns[place][1:]))
    return _entries(rows, header, place, None, file, refuse)


def _entries(
    rows: Sequence[Row],
    header: bool,
    sequence: int,
    label: int | None,
    file: str,
    refuse: Refuse | None,
) -> Iterator[Entry]:
    least = max(sequence, label or 0) + 1
    most = max(least, len(rows[0].fields) if header else _width(rows))
    for row in rows[1:] if header else rows:
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
            raise ArgumentValueError(
                f"{where} {why}. To leave such lines out: bad_records='skip', on the command line "
                f"--bad-records skip."
            )


def _text(content: bytes, file: str) -> str:
    text = decoded(content, file) if content else ""
    if not text.strip():
        raise ArgumentValueError(f"{file} is empty: there is nothing to read.")
    return text


def _rows(text: str, file: str) -> tuple[list[Row], str]:
    """The rows, separated as most of the lines agree, and by what; none if it is one column."""
    best: list[Row] = []
    separator = ""
    most = 0.0
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows, line = [], 1
        try:
            for fields in reader:
                stripped = [part.strip() for part in fields]
                if any(stripped):
                    rows.append(Row(line, stripped))
                line = reader.line_num + 1
        except csv.Error as error:
            if not best and delimiter == DELIMITERS[-1]:
                raise ArgumentValueError(
                    f"{file}: line {line} cannot be read as a table ({error})."
                ) from None
            continue
        sizes = Counter([len(row.fields) for row in rows if len(row.fields) > 1])
        agreed = max(sizes.values(), default=0) / max(1, len(rows))
        if agreed > most:
            best, most, separator = rows, agreed, delimiter
    # The header may stand below remarks of one field, which are then bad lines like others.
    start = next((k for k, row in enumerate(best) if len(row.fields) > 1), 0)
    return best[start:] + best[:start], separator


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
            f"sequence= and label=, on the command line --sequence and --label."
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
