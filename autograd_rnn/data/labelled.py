"""Labelled sequences from files: a table of sequence and label, or a FASTA file for each class."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from ..arguments import as_choice, as_flag, as_integer, as_text, shown
from ..errors import ArgumentTypeError, ArgumentValueError, SymbolError
from .encoding import (
    AMBIGUOUS,
    MISSING,
    as_alphabet,
    encoded,
    find_alphabet,
    is_number,
    read_numbers,
    reverse_complement,
    spelled,
)
from .fasta import Source, blocks, check_source, from_fastq, named, read_fasta, windows
from .tables import Entry, listed, read_table

BAD_RECORDS: Final = ("error", "skip")
#: What labels are: names of classes, or numbers to predict.
TARGETS: Final = ("classes", "numbers")
#: Whole numbers are classes if there are no more different ones than this.
MOST_NUMBERED: Final = 10
MOST_BYTES: Final = 1_000_000_000
MOST_LABELS: Final = 100
#: A long record is cut into so many stretches where there are fewer records of a class than this.
STRETCHES: Final = 10


@dataclass(frozen=True)
class Options:
    """How files are read: which columns and letters, what to leave out, how records are cut."""

    sequence: str | int | None = None
    label: str | int | None = None
    alphabet: str | None = None
    classes: tuple[str, ...] | None = None
    targets: str | None = None
    ambiguous: str = "error"
    bad_records: str = "error"
    window: int | None = None
    stride: int | None = None
    reverse_complement: bool = False
    #: What reads a text where there are no letters.
    reader: Callable[[str, str], list[list[float]]] = read_numbers

    def check(self) -> None:
        """Refuse options that are not what they should be."""
        as_choice(self.ambiguous, "ambiguous", AMBIGUOUS)
        as_choice(self.bad_records, "bad_records", BAD_RECORDS)
        if self.targets is not None:
            as_choice(self.targets, "targets", TARGETS)
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
        if self.classes is not None:
            names = {as_text(one, f"classes[{place}]") for place, one in enumerate(self.classes)}
            if len(names) < max(2, len(self.classes)):
                raise ArgumentValueError("classes must be two or more different names.")
            if self.targets == "numbers":
                raise ArgumentValueError("classes go with targets='classes', not with numbers.")
        if self.window is not None:
            as_integer(self.window, "window", least=1)
        if self.stride is not None:
            as_integer(self.stride, "stride", least=1)
            if self.window is None:
                raise ArgumentValueError("stride goes with window: it is how far windows move on.")


@dataclass
class Labelled:
    """What was read: sequences, the target of each, and what was left out, by why.

    A target is the number of a class, or without `classes` the number that the label is.
    """

    alphabet: str
    classes: tuple[str, ...]
    texts: list[str] = field(default_factory=list)
    vectors: list[list[list[float]]] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
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
        refused: list[str] = []
        refuse = refused.append if options.bad_records == "skip" else None
        columns = (options.sequence, options.label)
        entries = list(read_table(contents, str(named(sources[0])), *columns, refuse))
        if refused:
            left_out["bad records"] += len(refused)
    elif len(sources) > 1 and all(are_fasta):
        if options.targets == "numbers":
            raise ArgumentValueError("targets must be 'classes': FASTA files are a class each.")
        entries = list(_fasta_files(contents, sources, options, left_out))
    elif len(sources) == 1:
        raise ArgumentValueError(
            f"{named(sources[0])} is FASTA, which has no labels: give two files or more, a class "
            f"each, or a table with the columns sequence and label."
        )
    else:
        place = are_fasta.index(False)
        odd = named(sources[place])
        if not contents[place].strip():
            raise ArgumentValueError(f"{odd} is empty: there is nothing to read.")
        raise ArgumentValueError(
            f"{odd} is not FASTA (it does not start with '>'): of several files each is a class, "
            f"and a table stands alone.{from_fastq(contents[place])}"
        )
    if not entries:
        raise ArgumentValueError(f"{named(sources[0])}: there is no sequence left to read.")
    alphabet = (
        find_alphabet([entry.text for entry in entries])
        if options.alphabet is None
        else as_alphabet(options.alphabet)
    )
    classes: tuple[str, ...] = ()
    found_out = options.targets is None and options.classes is None
    if options.targets == "numbers" or (found_out and _are_numbers(entries)):
        entries = _numbered(entries, options, left_out)
    else:
        classes = _classes(entries, options.classes, str(named(sources[0])))
    found = Labelled(alphabet, classes, left_out=left_out)
    _fill(found, entries, options)
    if not found.texts:
        why = ", ".join([f"{count} {words}" for words, count in left_out.items()])
        raise ArgumentValueError(f"{named(sources[0])}: nothing is left to learn from ({why}).")
    if options.classes is None:
        _drop_empty(found, str(named(sources[0])))
    return found


def _drop_empty(found: Labelled, file: str) -> None:
    """Forget the classes all of whose sequences were left out, and say so: none can be learned."""
    kept = sorted({int(target) for target in found.targets}) if found.classes else []
    if len(kept) == len(found.classes):
        return
    empty = [name for k, name in enumerate(found.classes) if k not in kept]
    if len(kept) < 2:
        why = ", ".join([f"{count} {words}" for words, count in found.left_out.items()])
        raise ArgumentValueError(
            f"{file}: only sequences of {shown(found.classes[kept[0]])} are left: there is nothing "
            f"to tell apart ({why})."
        )
    for name in empty:
        found.left_out[f"class {shown(name)}, of which no sequence is left"] = 1
    found.classes = tuple([found.classes[k] for k in kept])
    found.targets = [float(kept.index(int(target))) for target in found.targets]


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


def _are_numbers(entries: Sequence[Entry]) -> bool:
    """Whether the labels are numbers to predict, not just numbers that stand for classes."""
    labels = {entry.label for entry in entries}
    numbers = set(filter(is_number, labels))
    if len(numbers) < 2 or any(label.lower() not in MISSING for label in labels - numbers):
        return False
    values = set(map(float, numbers))
    return len(values) > MOST_NUMBERED or not all(x.is_integer() for x in values)


def _numbered(entries: Sequence[Entry], options: Options, left_out: Counter[str]) -> list[Entry]:
    """The entries whose labels are numbers, which all must be unless bad records are skipped."""
    kept = [entry for entry in entries if is_number(entry.label)]
    if len(kept) < len(entries):
        if options.bad_records != "skip":
            odd = next(entry for entry in entries if not is_number(entry.label))
            raise ArgumentValueError(
                f"{odd.where}: the label {shown(odd.label)} is not a number such as 0.5. To leave "
                f"such lines out: bad_records='skip'."
            )
        left_out["bad records"] += len(entries) - len(kept)
    return kept


def _classes(entries: Sequence[Entry], given: tuple[str, ...] | None, file: str) -> tuple[str, ...]:
    """The classes by name, in order: numbers by size, else by the alphabet."""
    labels = Counter([entry.label for entry in entries])
    if given is not None:
        return tuple(given)
    if len(labels) < 2:
        raise ArgumentValueError(
            f"{file}: all labels are {shown(entries[0].label)}: there is nothing to tell apart. "
            f"If another column has the labels: label=."
        )
    if len(labels) > MOST_LABELS:
        raise ArgumentValueError(
            f"{file}: {len(labels)} different labels, such as {listed(list(labels)[:3])}, are too "
            f"many for classes, at most {MOST_LABELS}. If another column has them: label=."
        )
    return tuple(sorted(labels, key=float if all(map(is_number, labels)) else None))


# --- cutting and encoding ------------------------------------------------------------------------


def _fill(found: Labelled, entries: Sequence[Entry], options: Options) -> None:
    """Encode the entries, whole or in windows; a group is what may not be divided by a split."""
    often = Counter([entry.label for entry in entries])
    whole = min(often.values() if found.classes else [len(entries)]) >= STRETCHES
    places = {name: float(k) for k, name in enumerate(found.classes)}
    for place, entry in enumerate(entries):
        try:
            texts = list(_cut(entry, place, whole, options, found))
        except SymbolError as error:
            if options.bad_records != "skip":
                raise SymbolError(
                    f"{error} To leave such records out: bad_records='skip'."
                ) from None
            found.left_out["bad records"] += 1
            continue
        # What is left out may be of a class that the model does not have, for just that reason.
        if texts and places and entry.label not in places:
            raise ArgumentValueError(
                f"{entry.where}: the label {shown(entry.label)} is none of the model's classes, "
                f"{listed(found.classes)}."
            )
        for text, vectors, group in texts:
            found.texts.append(text)
            found.vectors.append(vectors)
            found.targets.append(places[entry.label] if places else float(entry.label))
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
        if alphabet:
            vectors = encoded(part, alphabet, entry.where, options.ambiguous)
        else:
            vectors = options.reader(part, entry.where)
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
        raise ArgumentValueError(f"a file is given twice: {listed(names)}.")
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
