"""The commands that use a trained network: predict and evaluate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, many
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.encoding import BITS, NUMBERS
from ..data.fasta import read_fasta
from ..data.tasks import Task, task_of
from ..errors import ArgumentValueError, SymbolError
from ..files import read_json
from ..networks.model import Model
from ..networks.serialise import KINDS
from ..networks.stack import made_of
from ..training.evaluate import Evaluation, evaluate
from .app import app
from .fitting import Engine, warnings_in_a_line
from .options import (
    Ambiguous,
    AsCsv,
    AsJson,
    BadRecords,
    Fasta,
    LabelColumn,
    SequenceColumn,
    Stride,
    Window,
    argument,
    column,
    refuse_file,
    source,
)
from .terminal import (
    bad_remark,
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
    **dict.fromkeys(("output", "logit"), "{:.4g}".format),
    "probability": "{:.4f}".format,
    "class": lambda member: {0: "no", 1: "yes"}.get(member, member),
}
#: The most classes that a table has a column for.
MOST_COLUMNS: Final = 5

MODEL: Final = "The file that train --save wrote."


class Piece(NamedTuple):
    """What is read by the network: a sequence, of a record its name and positions from 1."""

    text: str
    record: str = ""
    start: int = 0
    end: int = 0

    @property
    def named(self) -> dict[str, object]:
        """The fields of a row of JSON or CSV that say which sequence it is."""
        if not self.record:
            return {"sequence": self.text}
        where = {"record": self.record, "start": self.start, "end": self.end}
        return {**where, "sequence": self.text}


@app.command()
def predict(
    model: Annotated[Path, argument("MODEL", MODEL)],
    sequences: Annotated[
        list[str] | None, argument("SEQUENCE", "Sequences; - reads lines of standard input.")
    ] = None,
    fasta: Fasta = None,
    window: Window = None,
    stride: Stride = None,
    ambiguous: Ambiguous = None,
    bad_records: BadRecords = "error",
    engine: Engine = "auto",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Run a trained network on sequences: the class of each and its probability, or a number.

    Windows and ambiguous letters are those of the training, unless they are given.
    """
    as_choice(engine, "--engine", backend_names())
    network, task = read_trained(model)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments, - for lines, or --fasta FILE.")
    if fasta is None:
        for name, given in (("--window", window), ("--stride", stride)):
            if given is not None:
                raise ArgumentValueError(f"{name} goes with --fasta.")
    window = task.window if window is None else window
    stride = task.stride if stride is None else stride
    if stride is not None and window is None:
        raise ArgumentValueError("--stride goes with --window.")
    way, records, refused, skipped = ambiguous or task.ambiguous, list[str](), list[str](), 0
    pieces: list[Piece] = []
    vectors: list[list[list[float]]] = []
    if fasta is not None:
        given_pieces = _windows(fasta, (window, stride), task, way, bad_records, records, refused)
    else:
        given_pieces = map(Piece, _texts(sequences or []))
    for number, piece in enumerate(given_pieces, 1):
        name = f"record {piece.record!r}" if piece.record else f"sequence {number}"
        try:
            found = task.encode_or_skip(piece.text, name, way)
        except (ArgumentValueError, SymbolError) as error:
            if bad_records != "skip":
                raise
            refused.append(str(error))
            continue
        if found is None:
            skipped += 1
        else:
            pieces.append(piece)
            vectors.append(found)
    if not pieces:
        raise ArgumentValueError(_nothing(fasta, window, skipped, refused))
    check_fits(model, network, task, vectors[0])
    with warnings_in_a_line():
        compiled = network.compile(task.loss, backend=engine)
    outputs: list[Any] = compiled.predict(vectors)
    answers = [task.answer(z) for z in outputs]
    if as_csv:
        rows = zip(pieces, answers, strict=True)
        print_csv([{**piece.named, **_flat(answer)} for piece, answer in rows])
        return
    if as_json:
        found_rows = [{**a.named, **b} for a, b in zip(pieces, answers, strict=True)]
        about = {"model": str(model), "task": task.name, "sequences": found_rows}
        left_out = {"skipped": skipped, "bad_records": refused}
        print_json({**about, **{why: one for why, one in left_out.items() if one}})
        return
    kind = "sequences" if fasta is None or window is None else "windows"
    remarks = [f"Left out for ambiguous letters: {skipped} {kind}."] if skipped else []
    remarks += filter(None, [bad_remark(refused)])
    if fasta is None or task.within is not None or (task.classes and window is None):
        _print_answers(task, pieces, answers, remarks)
    else:
        _print_shares(windowed(task.about, window), task, records, pieces, answers, remarks)


def read_trained(model: Path) -> tuple[Model, Task]:
    """The network in a file and the task that it was trained for."""
    return read_json(model, "a model of `autograd-rnn train`", _as_trained)


def _as_trained(content: Any) -> tuple[Model, Task]:
    model = made_of(content, KINDS)
    if model.alphabet is not None and "reading" not in content:
        raise ArgumentValueError("it writes text: `autograd-rnn generate` reads it.")
    return model, task_of(content.get("reading"))


def check_fits(
    path: Path, network: Model, task: Task, vectors: Sequence[Collection[float]]
) -> None:
    """Refuse a network that has other inputs or outputs than its task."""
    if len(vectors[0]) != network.inputs or network.outputs != task.outputs:
        raise ArgumentValueError(
            f"{path}: a model of {many(network.inputs, 'input')} and "
            f"{many(network.outputs, 'output')} does not fit the task {task.name}."
        )


def _texts(sequences: list[str]) -> list[str]:
    """The arguments, with the lines of standard input in place of -."""
    lines = filter(None, map(str.strip, sys.stdin))
    for given in sequences:
        refuse_file(given, "predict MODEL")
    found = [text for given in sequences for text in (lines if given == "-" else [given])]
    if not found:
        raise ArgumentValueError("there is no sequence on standard input.")
    return found


def _windows(
    fasta: Path,
    cut: tuple[int | None, int | None],
    task: Task,
    ambiguous: str,
    bad_records: str,
    names: list[str],
    refused: list[str],
) -> Iterator[Piece]:
    """The windows of each record, or whole records; each is added to `names`, or to `refused`."""
    letters = task.alphabet
    if task.reader is not None or letters == BITS or letters != letters.upper():
        raise ArgumentValueError(
            f"--fasta goes with a model that reads DNA, RNA or protein, not with one of the task "
            f"{task.name}."
        )
    records = read_fasta(
        source(fasta),
        alphabet=letters,
        ambiguous=ambiguous != "error",
        refuse=refused.append if bad_records == "skip" else None,
    )
    for name, sequence in records:
        names.append(name)
        size = len(sequence) if cut[0] is None else cut[0]
        for start in range(0, len(sequence) - size + 1, cut[1] or size):
            yield Piece(sequence[start : start + size], name, start + 1, start + size)


def _nothing(fasta: Path | None, window: int | None, skipped: int, refused: list[str]) -> str:
    """Why there is nothing to predict."""
    if skipped:
        return "every sequence has ambiguous letters: --ambiguous zeros reads them as zeros."
    if refused:
        return f"every sequence is left out. {bad_remark(refused)}"
    return f"{fasta}: no record has a whole window of {window} letters."


def _flat(answer: Mapping[str, Any]) -> dict[str, object]:
    """An answer without tables inside it, for CSV."""
    shares = answer.get("probabilities", {})
    found = {name: part for name, part in answer.items() if name != "probabilities"}
    return {**found, **{f"probability of {name}": share for name, share in shares.items()}}


def _print_answers(
    task: Task, pieces: list[Piece], answers: list[dict[str, Any]], remarks: list[str]
) -> None:
    first = "record" if pieces[0].record else "sequence"
    if task.classes:
        names = task.classes if len(task.classes) <= MOST_COLUMNS else ("probability",)
        table = make_table("Class and probabilities", first, "class", *map(shorten, names))
        for piece, answer in zip(pieces, answers, strict=True):
            shares = list(answer["probabilities"].values())
            shares = shares if len(shares) <= MOST_COLUMNS else [max(shares)]
            cells = [shorten(answer["class"]), *map("{:.4f}".format, shares)]
            table.add_row(shorten(piece.record or piece.text), *cells)
    else:
        title = task.about if task.within is not None else f"{task.about}?"
        table = make_table(title, first, *answers[0])
        for piece, answer in zip(pieces, answers, strict=True):
            cells = [WRITTEN[what](x) for what, x in answer.items()]
            table.add_row(shorten(piece.record or piece.text), *cells)
    print_table(table, *remarks)


def _print_shares(
    title: str,
    task: Task,
    records: list[str],
    pieces: list[Piece],
    answers: list[dict[str, Any]],
    remarks: list[str],
) -> None:
    """A row for each record: how many of its windows are of each class."""
    counts = {record: Counter[str]() for record in records}
    for piece, answer in zip(pieces, answers, strict=True):
        counts[piece.record][str(answer["class"])] += 1
    binary = not task.classes
    names = ["yes"] if binary else [*task.classes[:MOST_COLUMNS]]
    table = make_table(title, "record", "windows", *map(shorten, names), *["share"][:binary])
    for record, found in counts.items():
        windows, yes = sum(found.values()), found["1"]
        cells = [str(yes), percent(yes, windows)] if binary else [str(found[x]) for x in names]
        table.add_row(shorten(record), str(windows), *cells)
    if len(task.classes) > MOST_COLUMNS:
        remarks = [*remarks, f"{len(task.classes)} classes: --json and --csv have all of them."]
    print_table(table, *remarks)


# --- evaluate ------------------------------------------------------------------------------------


@app.command("evaluate")
def evaluate_model(
    model: Annotated[Path, argument("MODEL", MODEL)],
    data: Annotated[
        list[Path],
        argument("DATA", "A table of sequence and label, or FASTA files named as the classes."),
    ],
    sequence: SequenceColumn = None,
    label: LabelColumn = None,
    window: Window = None,
    stride: Stride = None,
    ambiguous: Ambiguous = None,
    bad_records: BadRecords = "error",
    engine: Engine = "auto",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Test a trained network on labelled sequences: accuracy, and which classes it confuses.

    Windows and ambiguous letters are those of the training, unless they are given.
    """
    as_choice(engine, "--engine", backend_names())
    network, task = read_trained(model)
    if not task.labels:
        raise ArgumentValueError(f"{model} predicts numbers: evaluate takes a model of classes.")
    read = Dataset.read(
        *map(source, data),
        sequence=column(sequence),
        label=column(label),
        alphabet=task.alphabet or NUMBERS,
        classes=task.labels,
        ambiguous=ambiguous or task.ambiguous,
        bad_records=bad_records,
        window=task.window if window is None else window,
        stride=task.stride if stride is None else stride,
    )
    check_fits(model, network, task, read.sequences[0])
    with warnings_in_a_line():
        found = evaluate(network, read, loss=task.loss, engine=engine)
    if as_csv:
        print_csv(class_rows(found, task.labels))
    elif as_json:
        print_json({"model": str(model), **as_content(found, read, task.labels)})
    else:
        title = f"{model} on {many(len(read), 'sequence')}"
        remarks = left_out_remarks(read.left_out)
        print_evaluation(title, found, read, task.labels, remarks)


def majority(data: Dataset) -> float:
    """The share of the largest class: what always answering it gets right."""
    return max(Counter(data.targets).values()) / len(data)


def as_content(found: Evaluation, data: Dataset, names: Sequence[str]) -> dict[str, object]:
    """An evaluation as JSON."""
    return {
        "sequences": len(data),
        "loss": found.loss,
        "accuracy": found.accuracy,
        "majority": majority(data),
        "classes": class_rows(found, names),
        "left_out": dict(data.left_out),
    }


def class_rows(found: Evaluation, names: Sequence[str]) -> list[dict[str, object]]:
    """A row for each class: how many, precision, recall, F1, AUC, and what they were taken for."""
    rows: list[dict[str, object]] = []
    for k, name in enumerate(names):
        row: dict[str, object] = {"class": name, "sequences": found.support[k]}
        row |= {"precision": found.precision[k], "recall": found.recall[k]}
        row |= {"f1": found.f1[k], "auc": found.auc[k]}
        taken = zip(names, found.confusion[k], strict=True)
        rows.append(row | {f"as {other}": count for other, count in taken})
    return rows


def print_evaluation(
    title: str, found: Evaluation, data: Dataset, names: Sequence[str], remarks: Sequence[str] = ()
) -> None:
    """Print accuracy beside the majority, and a row for each class."""
    shown = [*names] if len(names) <= MOST_COLUMNS else []
    columns = ("class", "sequences", "precision", "recall", "AUC")
    table = make_table(title, *columns, *[shorten(f"as {name}") for name in shown])
    for k, name in enumerate(names):
        shares = (found.precision[k], found.recall[k], found.auc[k])
        cells = ["–" if share is None else f"{share:.3f}" for share in shares]
        cells += [str(found.confusion[k][other]) for other in range(len(shown))]
        table.add_row(shorten(name), str(found.support[k]), *cells)
    accuracy = 100 * (found.accuracy or 0.0)
    print_table(
        table,
        f"Accuracy {accuracy:.1f} %; always the largest class: {100 * majority(data):.1f} %.",
        *remarks,
    )


def left_out_remarks(left_out: Mapping[str, int]) -> list[str]:
    """How many sequences were left out, in a line for each reason."""
    return [f"Left out: {count} {why}." for why, count in left_out.items()]
