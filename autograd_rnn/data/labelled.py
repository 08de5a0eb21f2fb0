"""Labelled sequences from files: a table of sequence and label, or a FASTA file for each class."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final, NamedTuple

from ..arguments import as_choice, as_flag, as_integer, as_text, many, shown
from ..errors import ArgumentTypeError, ArgumentValueError, SymbolError
from .encoding import (
    ALPHABETS,
    AMBIGUOUS,
    as_alphabet,
    encoded,
    find_alphabet,
    reverse_complement,
    spelled,
    unsure_letters,
)
from .fasta import Source, blocks, check_source, named, read_fasta, windows

BAD_RECORDS: Final = ("error", "skip")
#: What a header calls the two columns.
SEQUENCE_NAMES: Final = ("sequence", "seq", "sequences", "dna", "rna", "protein", "text", "string")
LABEL_NAMES: Final = ("label", "class", "labels", "target", "category", "family")
DELIMITERS: Final = ",\t;|"
MOST_BYTES: Final = 1_000_000_000
MOST_LABELS: Final = 100
#: A long record is cut into so many stretches where there are fewer records of a class than this.
STRETCHES: Final = 10


class Entry(NamedTuple):
    """A sequence as a file has it: its text, its label, and where it stands."""

    text: str
    label: str
    where: str


@dataclass(frozen=True)
class Options:
    """How files are read: which columns and letters, what to leave out, how records are cut."""

    sequence: str | int | None = None
    label: str | int | None = None
    alphabet: str | None = None
    classes: tuple[str, ...] | None = None
    ambiguous: str = "error"
    bad_records: str = "error"
    window: int | None = None
    stride: int | None = None
    reverse_complement: bool = False

    def check(self) -> None:
        """Refuse options that are not what they should be."""
        as_choice(self.ambiguous, "ambiguous", AMBIGUOUS)
        as_choice(self.bad_records, "bad_records", BAD_RECORDS)
        as_flag(self.reverse_complement, "reverse_complement")
        for name in ("sequence", "label"):
            column = getattr(self, name)
            if isinstance(column, bool) or not isinstance(column, str | int | None):
                raise ArgumentTypeError(
                    f"{name} must be the name of a column, or its number from 1, not "
                    f"{type(column).__name__}."
                )
        if self.alphabet is not None:
            as_alphabet(self.alphabet)
        for place, one in enumerate(self.classes or ()):
            as_text(one, f"classes[{place}]")
        if self.window is not None:
            as_integer(self.window, "window", least=1)
        if self.stride is not None:
            as_integer(self.stride, "stride", least=1)
            if self.window is None:
                raise ArgumentValueError("stride goes with window: it is how far windows move on.")


@dataclass
class Labelled:
    """What was read: sequences, the number of the class of each, and what was left out, by why."""

    alphabet: str
    classes: tuple[str, ...]
    texts: list[str] = field(default_factory=list)
    vectors: list[list[list[float]]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[Hashable] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_labelled(sources: Sequence[Source], options: Options) -> Labelled:
    """The labelled sequences of a table, or of FASTA files that are a class each."""
    options.check()
    if not sources:
        raise ArgumentValueError("there is no file: give a table, or a FASTA file for each class.")
    for place, source in enumerate(sources):
        check_source(source, f"files[{place}]")
    left_out = Counter[str]()
    contents = [_content(source) for source in sources]
    are_fasta = [content.lstrip()[:1] in (b">", b";") for content in contents]
    if len(sources) == 1 and not are_fasta[0]:
        entries = list(_table(contents[0], str(named(sources[0])), options, left_out))
    elif len(sources) > 1 and all(are_fasta):
        entries = list(_fasta_files(contents, sources, options, left_out))
    elif len(sources) == 1:
        raise ArgumentValueError(
            f"{named(sources[0])} is FASTA, which has no labels: give two files or more, a class "
            f"each, or a table with the columns sequence and label."
        )
    else:
        odd = named(sources[are_fasta.index(False)])
        raise ArgumentValueError(
            f"{odd} is not FASTA (it does not start with '>'): of several files each is a class, "
            f"and a table stands alone."
        )
    if not entries:
        raise ArgumentValueError(f"{named(sources[0])}: there is no sequence left to read.")
    alphabet = (
        find_alphabet([entry.text for entry in entries])
        if options.alphabet is None
        else as_alphabet(options.alphabet)
    )
    classes = _classes(entries, options.classes, str(named(sources[0])))
    found = Labelled(alphabet, classes, left_out=left_out)
    _fill(found, entries, options)
    if not found.texts:
        why = ", ".join([f"{count} {words}" for words, count in left_out.items()])
        raise ArgumentValueError(f"{named(sources[0])}: nothing is left to learn from ({why}).")
    return found


def _content(source: Source) -> bytes:
    parts, size = [], 0
    for block in blocks(source, named(source)):
        parts.append(block)
        size += len(block)
        if size > MOST_BYTES:
            raise ArgumentValueError(
                f"{named(source)} holds more than {MOST_BYTES:,} bytes, too many to learn from."
            )
    return b"".join(parts)


def _classes(entries: Sequence[Entry], given: tuple[str, ...] | None, file: str) -> tuple[str, ...]:
    """The classes by name, in order: numbers by size, else by the alphabet."""
    labels = Counter([entry.label for entry in entries])
    if given is not None:
        for entry in entries:
            if entry.label not in given:
                raise ArgumentValueError(
                    f"{entry.where}: the label {shown(entry.label)} is none of the model's "
                    f"classes, {_listed(given)}."
                )
        return tuple(given)
    if len(labels) < 2:
        raise ArgumentValueError(
            f"{file}: all labels are {shown(entries[0].label)}: there is nothing to tell apart. "
            f"If another column has the labels: label=, on the command line --label."
        )
    if len(labels) > MOST_LABELS:
        raise ArgumentValueError(
            f"{file}: {len(labels)} different labels, such as {_listed(list(labels)[:3])}, are too "
            f"many for classes, at most {MOST_LABELS}. If another column has them: label=, on the "
            f"command line --label."
        )
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:10])) + (", ..." if len(names) > 10 else "")


# --- cutting and encoding ------------------------------------------------------------------------


def _fill(found: Labelled, entries: Sequence[Entry], options: Options) -> None:
    """Encode the entries, whole or in windows; a group is what may not be divided by a split."""
    often = Counter([entry.label for entry in entries])
    whole = min(often.values()) >= STRETCHES
    for place, entry in enumerate(entries):
        try:
            texts = list(_cut(entry, place, whole, options, found))
        except SymbolError as error:
            if options.bad_records != "skip":
                raise SymbolError(
                    f"{error} To leave such records out: bad_records='skip', on the command line "
                    f"--bad-records skip."
                ) from None
            found.left_out["bad records"] += 1
            continue
        for text, vectors, group in texts:
            found.texts.append(text)
            found.vectors.append(vectors)
            found.labels.append(found.classes.index(entry.label))
            found.groups.append(group)


def _cut(
    entry: Entry, place: int, whole: bool, options: Options, found: Labelled
) -> Iterator[tuple[str, list[list[float]], Hashable]]:
    alphabet, size = found.alphabet, options.window
    text = entry.text
    if alphabet:
        # White space is layout, unless it is a letter.
        kept = [letter for letter in text if letter in alphabet or not letter.isspace()]
        text = spelled("".join(kept), alphabet)
    parts = [((place, 0), text)]
    if size is not None:
        if not alphabet:
            raise ArgumentValueError("window goes with letters: it does not cut numbers.")
        if len(text) < size:
            found.left_out[f"sequences shorter than a window of {size}"] += 1
            return
        # Windows that overlap share content, so a stretch is what a split keeps together.
        length = len(text) if whole else max(size, -(-len(text) // STRETCHES))
        parts = [
            ((place, start), part)
            for start in range(0, len(text), length)
            for part in windows(text[start : start + length], size, options.stride)
        ]
    for group, part in parts:
        vectors = encoded(part, alphabet, entry.where, options.ambiguous)
        if vectors is None:
            kind = "sequences" if size is None else "windows"
            found.left_out[f"{kind} with ambiguous letters"] += 1
            continue
        yield part, vectors, group
        if options.reverse_complement:
            other = reverse_complement(part, alphabet)
            back = encoded(other, alphabet, entry.where, options.ambiguous)
            if back is not None and other != part:
                yield other, back, group


# --- FASTA ---------------------------------------------------------------------------------------


def _fasta_files(
    contents: Sequence[bytes], sources: Sequence[Source], options: Options, left_out: Counter[str]
) -> Iterator[Entry]:
    """The records of files, whose names without ending are their labels."""
    names = [str(named(source)) for source in sources]
    stems = [PurePath(name.removesuffix(".gz")).stem for name in names]
    labels = stems if len(set(stems)) == len(stems) else names
    if len(set(labels)) < len(labels):
        raise ArgumentValueError(f"a file is given twice: {_listed(names)}.")
    # Letters are checked when the alphabet is known: here all that FASTA may hold.
    anything = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "".join(map(chr, range(33, 65)))
    for content, name, label in zip(contents, names, labels, strict=True):
        file = io.BytesIO(content)
        file.name = name
        refused: list[str] = []
        records = read_fasta(
            file,
            alphabet=anything,
            refuse=refused.append if options.bad_records == "skip" else None,
        )
        for record in records:
            yield Entry(record.sequence, label, f"{name}: record {record.name!r}")
        if refused:
            left_out["bad records"] += len(refused)


# --- tables --------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A line of a table that is not blank, and its number from 1."""

    line: int
    fields: list[str]


def _table(content: bytes, file: str, options: Options, left_out: Counter[str]) -> Iterator[Entry]:
    """The sequences and labels of a table, separated by commas, tabs, semicolons or bars."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ArgumentValueError(
            f"{file}: line {line} is not UTF-8: save the table as CSV in UTF-8."
        ) from None
    rows = _rows(text, file)
    header, sequence, label = _columns(rows, options, file)
    for row in rows[1:] if header else rows:
        why = ""
        if len(row.fields) <= max(sequence, label):
            why = f"has {many(len(row.fields), 'field')}, not {max(sequence, label) + 1}"
        elif not row.fields[sequence]:
            why = "has no sequence"
        elif not row.fields[label]:
            why = "has no label"
        if not why:
            where = f"{file}: line {row.line}"
            yield Entry(row.fields[sequence], row.fields[label], where)
        elif options.bad_records == "skip":
            left_out["bad records"] += 1
        else:
            raise ArgumentValueError(
                f"{file}: line {row.line} {why}. To leave such lines out: bad_records='skip', on "
                f"the command line --bad-records skip."
            )


def _rows(text: str, file: str) -> list[Row]:
    """The rows, separated as most of the first lines agree."""
    if not text.strip():
        raise ArgumentValueError(f"{file} is empty: there is nothing to learn from.")
    best: list[Row] = []
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
        agreed = max(sizes.values(), default=0) / len(rows)
        if agreed > most:
            best, most = rows, agreed
    if not best:
        raise ArgumentValueError(
            f"{file} has one column: a table has a sequence and a label in each line, separated by "
            f"a comma, tab, semicolon or bar."
        )
    return best


def _columns(rows: list[Row], options: Options, file: str) -> tuple[bool, int, int]:
    """Whether the first row is a header, and the places of the sequence and of the label."""
    first = [name.lower() for name in rows[0].fields]
    sequence = _given(options.sequence, "sequence", rows[0], file)
    label = _given(options.label, "label", rows[0], file)
    by_name = isinstance(options.sequence, str) or isinstance(options.label, str)
    if sequence is None:
        sequence = next((first.index(name) for name in SEQUENCE_NAMES if name in first), None)
        by_name |= sequence is not None
    if label is None:
        names = [name for name in LABEL_NAMES if name in first and first.index(name) != sequence]
        label = first.index(names[0]) if names else None
        by_name |= label is not None
    fields = [row.fields for row in rows]
    width = Counter(map(len, fields)).most_common(1)[0][0]
    columns = [[row[k] for row in fields if len(row) > k] for k in range(width)]
    sizes = [(sum(map(len, column)), len(set(column))) for column in columns]
    if sequence is None:
        others = [k for k in range(width) if k != label]
        sequence = max(others, key=lambda k: (*sizes[k], -k), default=None)
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
    return len(texts) >= STRETCHES and not letters <= set(alphabet)


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
        f"{_listed(head.fields)}."
    )
