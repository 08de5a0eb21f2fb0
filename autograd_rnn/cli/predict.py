"""The commands that use a trained network: predict and evaluate."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from rich.table import Table

from ..arguments import many
from ..data.dataset import Dataset, as_dataset
from ..data.encoding import BITS, NUMBERS, read_numbers, spelled
from ..data.fasta import Source, read_fasta
from ..data.labelled import Options, read_labelled
from ..data.tables import read_list
from ..data.tasks import OWN, Task, task_of
from ..errors import ArgumentValueError, SymbolError
from ..files import read_json
from ..networks.model import Model
from ..networks.serialise import KINDS
from ..networks.stack import made_of
from .app import app
from .fitting import MOST_COLUMNS, check_unused, left_out_remarks, tested, warnings_in_a_line
from .options import (
    Fasta,
    LabelColumn,
    Reading,
    argument,
    check_once,
    column,
    content_of,
    source,
    sources,
    spread,
)
from .terminal import (
    bad_remark,
    in_options,
    make_table,
    percent,
    print_csv,
    print_json,
    print_table,
    shorten,
    windowed,
)

#: How a table shows the parts of an answer.
WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "output": "{:.6g}".format,
    "logit": "{:.4g}".format,
    "probability": "{:.4f}".format,
    "class": lambda member: {0: "no", 1: "yes"}.get(member, member),
}
MODEL: Final = "The file that train --save wrote."
#: The fields that say where in FASTA, or in another file, a sequence is.
IN_RECORD: Final = ("record", "start", "end")
IN_LINES: Final = ("line",)
#: Which backend is chosen is said by `train`, where it takes time.
CHOICE: Final = "backend='auto'"


class Piece(NamedTuple):
    """What is read by the network: a sequence, with its place in a file if it is from one.

    That is the name of a record and positions from 1, or the line, and the file.
    """

    text: str
    record: str = ""
    start: int = 0
    end: int = 0
    line: int = 0
    file: str = ""

    @property
    def named(self) -> dict[str, object]:
        """The fields of a row of JSON or CSV that say which sequence it is."""
        where: dict[str, object] = {"line": self.line} if self.line else {}
        if self.record:
            where = {"record": self.record, "start": self.start, "end": self.end}
        return {**where, "sequence": self.text}


#: A sequence as a network reads it: a vector, or the number of a letter, for each step.
Encoded: TypeAlias = Sequence[Any]
#: So many steps are computed at a time: a genome is never in memory as vectors.
CHUNK: Final = 1 << 19


@dataclass
class Found:
    """What is found in files: the names of records of FASTA, and what was left out."""

    task: Task
    ways: Reading
    records: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    skipped: int = 0

    def encoded(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Encoded]]:
        """The pieces as the network reads them, but for those that are to be left out."""
        task, letters = self.task, self.task.alphabet
        places = {letter: k for k, letter in enumerate(letters)}
        numbered = task.reader is None and letters != BITS
        for number, piece in enumerate(pieces, 1):
            name = f"record {piece.record!r}" if piece.record else f"sequence {number}"
            name = f"{piece.file}: line {piece.line}" if piece.line else name
            text = spelled(piece.text, letters) if numbered else ""
            if text and places.keys() >= set(text):
                yield piece, [places[letter] for letter in text]
                continue
            try:
                found = task.encode_or_skip(piece.text, name, self.ways.ambiguous or "error")
            except (ArgumentValueError, SymbolError) as error:
                if self.ways.bad_records != "skip":
                    raise
                self.refused.append(str(error))
                continue
            if found is None:
                self.skipped += 1
            else:
                yield piece, found

    def chunks(self, pieces: Iterable[Piece]) -> Iterator[list[tuple[Piece, Encoded]]]:
        """The encoded pieces, so many at a time."""
        chunk: list[tuple[Piece, Encoded]] = []
        steps = 0
        for piece, steps_of_it in self.encoded(pieces):
            chunk.append((piece, steps_of_it))
            steps += len(steps_of_it)
            if steps >= CHUNK:
                yield chunk
                chunk, steps = [], 0
        if chunk:
            yield chunk

    def answers(
        self, compiled: Any, chunks: Iterable[list[tuple[Piece, Encoded]]]
    ) -> Iterator[list[tuple[Piece, dict[str, Any]]]]:
        """The answers of a compiled network to each piece, a list for each chunk."""
        places = range(len(self.task.alphabet))
        unit = [[float(k == j) for j in places] for k in places]
        for chunk in chunks:
            sequences = [steps for _, steps in chunk]
            if any(not isinstance(steps[0], int) for steps in sequences):
                # Vectors of zeros have no number: then all letters are spelled out.
                sequences = [[unit[x] if isinstance(x, int) else x for x in y] for y in sequences]
            outputs = compiled.predict(sequences)
            pairs = zip(chunk, outputs, strict=True)
            yield [(piece, self.task.answer(output)) for (piece, _), output in pairs]


@app.command()
@spread(Reading)
def predict(
    model: Annotated[Path, argument("MODEL", MODEL)],
    sequences: Annotated[
        list[str] | None,
        argument(
            "SEQUENCE|DATA",
            "Sequences, or files of them: a table, a sequence in each line, or FASTA; - is "
            "standard input.",
        ),
    ] = None,
    fasta: Fasta = None,
    *,
    ways: Reading,
) -> None:
    """Run a trained network on sequences: the class of each and its probability, or a number.

    Windows and ambiguous letters are those of the training, unless they are given.
    """
    network, task = read_trained(model)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments, - for lines, or --fasta FILE.")
    check_once(sequences or [])
    given = {"--window": ways.window, "--stride": ways.stride}
    found = Found(task, ways.of(task))
    parts = [_pieces(one, found) for one in sequences or []]
    if fasta is not None:
        parts = [(_windows(source(fasta), found), IN_RECORD)]
    places = [fields for _, fields in parts]
    if IN_RECORD not in places:
        check_unused(given, "goes with --fasta")
    chunks = found.chunks(chain.from_iterable(pieces for pieces, _ in parts))
    first = next(chunks, None)
    if first is None:
        raise ArgumentValueError(_nothing(fasta or (sequences or ["-"])[0], ways.window, found))
    one = first[0][1][0]
    check_fits(model, network, task, len(task.alphabet) if isinstance(one, int) else len(one))
    with warnings_in_a_line(but=CHOICE):
        compiled = network.compile(task.loss, backend=ways.engine)
    answers = found.answers(compiled, chain([first], chunks))
    if ways.as_csv:
        # Arguments and files can be mixed: each row has the columns of all.
        blank = dict.fromkeys(chain.from_iterable(places), "")
        for number, chunk in enumerate(answers):
            rows = [_flat({**blank, **piece.named, **answer}) for piece, answer in chunk]
            print_csv(rows, header=not number)
    elif ways.as_json:
        about = {"model": str(model), "task": task.name}
        content = {**about, "sequences": [{**a.named, **b} for chunk in answers for a, b in chunk]}
        left_out = {"skipped": found.skipped, "bad_records": in_options(found.refused)}
        print_json({**content, **{why: one for why, one in left_out.items() if one}})
    else:
        in_windows = all(fields == IN_RECORD for fields in places)
        _print_in_words(found, chain.from_iterable(answers), in_windows)


def read_trained(model: Path) -> tuple[Model, Task]:
    """The network in a file and the task that it was trained for."""
    return read_json(model, "a model of `autograd-rnn train`", _as_trained)


def _as_trained(content: Any) -> tuple[Model, Task]:
    model = made_of(content, KINDS)
    if model.alphabet is not None and "reading" not in content:
        raise ArgumentValueError("it writes text: `autograd-rnn generate` reads it.")
    return model, task_of(content.get("reading"))


def check_fits(path: Path, network: Model, task: Task, inputs: int) -> None:
    """Refuse a network that has other inputs or outputs than its task."""
    if inputs != network.inputs or network.outputs != task.outputs:
        raise ArgumentValueError(
            f"{path}: a model of {many(network.inputs, 'input')} and "
            f"{many(network.outputs, 'output')} does not fit the task {task.name}."
        )


def _pieces(given: str, found: Found) -> tuple[Iterator[Piece], tuple[str, ...]]:
    """The sequence or sequences that an argument gives, and the fields that place them."""
    in_file = content_of(given)
    if in_file is None:
        return iter([Piece(given)]), ()
    name = in_file.name
    if in_file.is_fasta:
        if given != "-":
            return _windows(Path(given), found), IN_RECORD
        file = io.BytesIO(b"".join(in_file.blocks))
        file.name = name
        return _windows(file, found), IN_RECORD

    def fits(text: str) -> bool:
        try:
            found.task.encode_or_skip(text, name, "zeros")
        except (ArgumentValueError, SymbolError):
            return False
        return True

    refuse = found.refused.append if found.ways.bad_records == "skip" else None
    entries = read_list(in_file.blocks, name, fits, column(found.ways.sequence), refuse)
    return (Piece(entry.text, line=entry.line, file=name) for entry in entries), IN_LINES


def _windows(file: Source, found: Found) -> Iterator[Piece]:
    """The windows of each record, or whole records; `found` is told its name, or why not."""
    task, ways = found.task, found.ways
    letters = task.alphabet
    if task.reader is not None or letters == BITS or letters != letters.upper():
        raise ArgumentValueError(
            f"--fasta goes with a model that reads DNA, RNA or protein, not with one of the task "
            f"{task.name}."
        )
    if ways.stride is not None and ways.window is None:
        raise ArgumentValueError("--stride goes with --window.")
    records = read_fasta(
        file,
        alphabet=letters,
        ambiguous=ways.ambiguous != "error",
        refuse=found.refused.append if ways.bad_records == "skip" else None,
    )
    for name, sequence in records:
        found.records.append(name)
        size = len(sequence) if ways.window is None else ways.window
        for start in range(0, len(sequence) - size + 1, ways.stride or size):
            yield Piece(sequence[start : start + size], name, start + 1, start + size)


def _nothing(file: Path | str, window: int | None, found: Found) -> str:
    """Why there is nothing to predict."""
    if found.skipped:
        return "every sequence has ambiguous letters: --ambiguous zeros reads them as zeros."
    if found.refused:
        return f"every sequence is left out. {bad_remark(found.refused)}"
    if found.records:
        return f"{file}: no record has a whole window of {window} letters."
    return "there is no sequence to read."


def _flat(answer: Mapping[str, Any]) -> dict[str, object]:
    """An answer without tables inside it, for CSV."""
    shares = answer.get("probabilities", {})
    found = {name: part for name, part in answer.items() if name != "probabilities"}
    return {**found, **{f"probability of {name}": share for name, share in shares.items()}}


def _print_in_words(
    found: Found, answers: Iterable[tuple[Piece, dict[str, Any]]], in_windows: bool
) -> None:
    task, window = found.task, found.ways.window
    if not in_windows or task.numeric or (task.classes and window is None):
        table = _table_of_answers(task, list(answers))
    else:
        table = _table_of_shares(found, answers, windowed(task.about, window))
    remarks = []
    if found.skipped:
        what = many(found.skipped, "window" if in_windows and window else "sequence")
        remarks = [f"Left out for ambiguous letters: {what}."]
    if in_windows and len(task.classes) > MOST_COLUMNS:
        remarks.append(f"{len(task.classes)} classes: --json and --csv have all of them.")
    print_table(table, *remarks, *filter(None, [bad_remark(found.refused)]))


def _table_of_answers(task: Task, answers: list[tuple[Piece, dict[str, Any]]]) -> Table:
    first = "record" if answers[0][0].record else "sequence"
    if task.classes:
        names = task.classes if len(task.classes) <= MOST_COLUMNS else ("probability",)
        table = make_table("Class and probabilities", first, "class", *map(shorten, names))
        for piece, answer in answers:
            shares = list(answer["probabilities"].values())
            shares = shares if len(shares) <= MOST_COLUMNS else [max(shares)]
            cells = [shorten(answer["class"]), *map("{:.4f}".format, shares)]
            table.add_row(shorten(piece.record or piece.text), *cells)
        return table
    title = task.about if task.numeric else f"{task.about}?"
    title = "Predicted numbers" if task.name == OWN else title
    table = make_table(title, first, *answers[0][1])
    for piece, answer in answers:
        cells = [WRITTEN[what](x) for what, x in answer.items()]
        table.add_row(shorten(piece.record or piece.text), *cells)
    return table


def _table_of_shares(
    found: Found, answers: Iterable[tuple[Piece, dict[str, Any]]], title: str
) -> Table:
    """A row for each record: how many of its windows are of each class."""
    counts: dict[str, Counter[str]] = {}
    for piece, answer in answers:
        counts.setdefault(piece.record, Counter())[str(answer["class"])] += 1
    classes, binary = found.task.classes, not found.task.classes
    names = ["yes"] if binary else [*classes[:MOST_COLUMNS]]
    table = make_table(title, "record", "windows", *map(shorten, names), *["share"][:binary])
    for record in dict.fromkeys(found.records):
        often = counts.get(record, Counter())
        windows, yes = sum(often.values()), often["1"]
        cells = [str(yes), percent(yes, windows)] if binary else [str(often[x]) for x in names]
        table.add_row(shorten(record), str(windows), *cells)
    return table


# --- evaluate ------------------------------------------------------------------------------------


@app.command("evaluate")
@spread(Reading)
def evaluate_model(
    model: Annotated[Path, argument("MODEL", MODEL)],
    data: Annotated[
        list[Path],
        argument(
            "DATA",
            "A table of sequence and label, or FASTA files named as the classes; - is standard "
            "input.",
        ),
    ],
    label: LabelColumn = None,
    *,
    ways: Reading,
) -> None:
    """Test a trained network on labelled sequences: which classes it confuses, or its errors.

    Windows and ambiguous letters are those of the training, unless they are given.
    """
    network, task = read_trained(model)
    ways = ways.of(task)
    options = Options(
        sequence=column(ways.sequence),
        label=column(label),
        alphabet=NUMBERS if task.reader else task.alphabet,
        reader=task.reader or read_numbers,
        classes=task.labels or None,
        targets="numbers" if task.numeric else "classes",
        ambiguous=ways.ambiguous or "error",
        bad_records=ways.bad_records,
        window=ways.window,
        stride=ways.stride,
    )
    read = as_dataset(read_labelled(sources(data), options), Dataset)
    check_fits(model, network, task, read.inputs)
    with warnings_in_a_line(but=CHOICE):
        compiled = network.compile(task.loss, backend=ways.engine)
    found = tested(compiled, read, task)
    if ways.as_csv:
        print_csv(found.rows)
    elif ways.as_json:
        print_json({"model": str(model), **found.content})
    else:
        title = f"{model} on {many(len(read), 'sequence')}"
        found.print(title, left_out_remarks(read.left_out))
