"""The command that trains a network, on one's own data or on a task: train."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, many, shown
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.encoding import ALPHABETS, NUMBERS
from ..data.tasks import TASKS, Settings, Task, find_task
from ..errors import ArgumentValueError
from ..networks.rnn import RNN
from ..networks.stack import Stack
from ..training.evaluate import Evaluation, judged
from ..training.rules import Adam
from .app import app
from .fitting import (
    Engine,
    Log,
    WhichSchedule,
    cells,
    check_save,
    check_unused,
    fitted,
    warnings_in_a_line,
)
from .options import (
    Ambiguous,
    AsJson,
    BadRecords,
    LabelColumn,
    SequenceColumn,
    Stride,
    Window,
    argument,
    column,
    flag,
    option,
    source,
)
from .predict import as_content, left_out_remarks, print_evaluation
from .predict import majority as majority_of
from .terminal import make_table, percent, print_json, print_table, say, shorten
from .text import TEXT, TEXT_FILE, TEXT_TASK, learn_text

#: What begins a paragraph in a help text.
BREAK: Final = "\n\n"


class Measured(NamedTuple):
    """How well a model does on a part of the data.

    `majority` is the share of the largest class; the last four are of yes, against no.
    """

    part: str
    sequences: int
    lengths: tuple[int, int]
    loss: float
    accuracy: float
    majority: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    auc: float | None = None


def _list_tasks(words: str, field: str, between: str = ", ") -> str:
    """The words with {0} for each task that has the field."""
    return between.join([words.format(task) for task in TASKS.values() if getattr(task, field)])


# Typer evaluates the annotations whenever the app is called: the help has all that TASKS has then.
@app.command()
def train(
    task: Annotated[
        str,
        argument(
            "TASK|DATA",
            f"Your own data: a table (CSV, TSV) of sequence and label, or two or more FASTA files, "
            f"a class each; - is standard input. Or a task by name:{BREAK}"
            f"{_list_tasks('{0.name}: {0.about}', 'name', BREAK)}{BREAK}{TEXT_TASK}",
        ),
    ],
    files: Annotated[
        list[Path] | None,
        argument(
            "FILE",
            f"Your own data: the other FASTA files. "
            f"{_list_tasks('{0.name}: {0.file}', 'read')}; {TEXT}: {TEXT_FILE}",
        ),
    ] = None,
    sequence: SequenceColumn = None,
    label: LabelColumn = None,
    alphabet: Annotated[
        str | None,
        option(
            "NAME",
            "The alphabet: DNA, RNA, protein, bits, numbers, or its letters; found unless given.",
        ),
    ] = None,
    window: Window = None,
    stride: Stride = None,
    reverse_complement: Annotated[
        bool, flag("Learn the other strand of each sequence, too.", "--reverse-complement")
    ] = False,
    cell: Annotated[str | None, option("CELL", f"The kind of layer: {', '.join(cells())}.")] = None,
    states: Annotated[int | None, option("N", "The number of states.")] = None,
    epochs: Annotated[int | None, option("N", "The number of passes over the data.")] = None,
    learning_rate: Annotated[
        float | None, option("X", "The learning rate of the optimiser, Adam.")
    ] = None,
    layers: Annotated[int | None, option("N", "The number of layers: 1 unless given.")] = None,
    batch_size: Annotated[
        int | None, option("N", "The number of sequences per update: 32 unless given.")
    ] = None,
    streams: Annotated[
        int | None, option("N", "Cut the text into N streams, read side by side (task text).")
    ] = None,
    truncate: Annotated[
        int | None, option("N", "Update, and cut gradients, after every N letters (task text).")
    ] = None,
    patience: Annotated[
        int | None, option("N", "Stop after N epochs without a lower validation loss.")
    ] = None,
    schedule: WhichSchedule = "constant",
    log: Log = None,
    seed: Annotated[int, option("N", "The same seed gives the same model.")] = 0,
    engine: Engine = "auto",
    fasta: Annotated[
        Path | None,
        option("FILE", f"Train on windows of a FASTA file ({_list_tasks('{0.name}', 'label')})."),
    ] = None,
    ambiguous: Ambiguous = None,
    bad_records: BadRecords = "error",
    save: Annotated[Path | None, option("MODEL", "Write the model to this file, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network on your own data or on a task, and test it on what it has not seen.

    Settings that are not given are the task's own. The model keeps the weights of the epoch with
    the lowest validation loss. If Ctrl-C interrupts a training with --save, the same command
    resumes it, and gives the same model.
    """
    wishes: dict[str, Any] = {"cell": cell, "states": states, "epochs": epochs}
    wishes["learning_rate"] = learning_rate
    columns: dict[str, Any] = {"--sequence": sequence, "--label": label, "--alphabet": alphabet}
    columns |= {"--window": window, "--stride": stride, "--reverse-complement": reverse_complement}
    leaving = {"--ambiguous": ambiguous, "--bad-records": bad_records == "skip"}
    own = _is_own(task)
    if task == TEXT:
        others = {"--batch-size": batch_size, "--fasta": fasta, **leaving, **columns}
        check_unused(others, "does not go with the task text")
        wishes |= {"layers": layers, "streams": streams, "truncate": truncate}
        file = _one_file(task, files)
        learn_text(file, wishes, patience, schedule, log, seed, engine, save, as_json=as_json)
        return
    check_unused({"--streams": streams, "--truncate": truncate}, "goes with the task text")
    as_choice(engine, "--engine", backend_names())
    check_save(save)
    left_out: Mapping[str, int] = {}
    if own:
        check_unused({"--fasta": fasta}, "goes with a task; FASTA files of your own are DATA")
        options: dict[str, Any] = {
            **{"sequence": column(sequence), "label": column(label), "alphabet": alphabet},
            **{"ambiguous": ambiguous or "error", "bad_records": bad_records},
            **{"window": window, "stride": stride, "reverse_complement": reverse_complement},
        }
        data = Dataset.read(*map(source, [Path(task), *(files or [])]), **options)
        chosen, left_out = Task.own(data, options), data.left_out
        if not as_json:
            _print_summary(data, chosen)
        parts = chosen.divided(data, seed)
    else:
        check_unused(columns, "goes with your own data, not with a task")
        chosen = find_task(task)
        if fasta is not None:
            refused: list[str] = []
            parts = chosen.parts_of_genome(
                source(fasta),
                seed,
                ambiguous=ambiguous or "error",
                refuse=refused.append if bad_records == "skip" else None,
            )
            left_out = {"bad records": len(refused)} if refused else {}
        else:
            check_unused(leaving, "goes with --fasta, or with your own data")
            parts = chosen.parts(seed, _one_file(task, files))
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    settings = chosen.settings._replace(**given)
    as_choice(settings.cell, "--cell", cells())
    optimiser = Adam(settings.learning_rate, clip_norm=1.0)
    model = _network(settings, parts.train.inputs, chosen.outputs, layers, seed)
    with warnings_in_a_line():
        compiled = model.compile(chosen.loss, backend=engine)
        done = fitted(
            model,
            parts.train,
            save,
            patience,
            schedule,
            log,
            loss=chosen.loss,
            optimiser=optimiser,
            epochs=settings.epochs,
            batch_size=32 if batch_size is None else batch_size,
            validation=parts.validation,
            seed=seed,
            engine=engine,
        )
    history = done.history
    done.save(save, {**model.to_dict(), "reading": chosen.reading})
    named = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    named |= {f"length {length}": data for length, data in parts.longer.items()}
    rows = [_measure(part, compiled, data, chosen) for part, data in named.items()]
    seconds = sum(history.seconds)
    if as_json:
        about = {"task": task, "cell": settings.cell, "states": settings.states, "seed": seed}
        about |= {"epochs": len(history), "seconds": seconds, "model": save and str(save)}
        about |= {"parts": [row._asdict() for row in rows], "left_out": dict(left_out)}
        if own:
            about["data"] = _summary(data, chosen)
            about["test"] = as_content(_judged(compiled, parts.test), parts.test, chosen.labels)
        print_json(about)
        return
    title = f"{chosen.about}: {settings.cell} of {settings.states}, {many(len(history), 'epoch')}"
    _print_measured(f"{title}, {seconds:.1f} s", rows, chosen)
    for remark in () if own else left_out_remarks(left_out):
        say(f"  {remark}")
    if own:
        found = _judged(compiled, parts.test)
        print_evaluation("The test sequences", found, parts.test, chosen.labels)
    for line in done.remarks(save, f"predict {shlex.quote(str(save))} ..."):
        say(f"  {line}")


def _is_own(task: str) -> bool:
    """Whether it is the name of a file, not of a task; `ValueError` if it is neither."""
    if task in TASKS or task == TEXT:
        return False
    if task == "-" or os.path.exists(task):  # not of Path, which raises an error for a long name
        return True
    if Path(task).suffix or Path(task).name != task:
        raise ArgumentValueError(f"{task}: there is no such file to learn from.")
    raise ArgumentValueError(
        f"TASK {shown(task)} is unknown: choose one of {', '.join([*TASKS, TEXT])}, or give a file "
        f"of your own data."
    )


def _one_file(task: str, files: list[Path] | None) -> Path | None:
    """The only file of a task, if it has one."""
    if files and len(files) > 1:
        raise ArgumentValueError(
            f"the task {task} takes one FILE at most: {files[1]} is one too many."
        )
    return files[0] if files else None


def _summary(data: Dataset, task: Task) -> dict[str, Any]:
    """What there is to learn from."""
    lengths = [len(sequence) for sequence in data.sequences]
    counts = Counter(data.targets)
    return {
        "sequences": len(data),
        "alphabet": task.alphabet or NUMBERS,
        "shortest": min(lengths),
        "median": median(lengths),
        "longest": max(lengths),
        "groups": len(set(data.groups)),
        "classes": {name: counts[float(k)] for k, name in enumerate(data.names)},
        "left_out": dict(data.left_out),
    }


def _print_summary(data: Dataset, task: Task) -> None:
    found = _summary(data, task)
    named = {letters: name for name, letters in ALPHABETS.items() if letters}
    name = named.get(task.alphabet, "letters" if task.alphabet else NUMBERS)
    name = name.upper() if name in ("dna", "rna") else name
    letters = f" {shorten(task.alphabet)}" if task.alphabet else ""
    table = make_table(
        f"{many(len(data), 'sequence')} of {name}{letters}", "class", "sequences", "share"
    )
    for one, count in found["classes"].items():
        table.add_row(shorten(one), str(count), percent(count, len(data)))
    lengths = f"{found['shortest']}"
    if found["longest"] > found["shortest"]:
        lengths += f" to {found['longest']}, median {found['median']:g}"
    print_table(table, f"Steps: {lengths}.", *left_out_remarks(data.left_out))


def _network(settings: Settings, inputs: int, outputs: int, layers: int | None, seed: int) -> Stack:
    """Recurrent layers with a readout on top; the activation is that of plain layers."""
    given = (cells()[settings.cell], settings.states, inputs, outputs)
    model = Stack.random(*given, layers=1 if layers is None else layers, seed=seed)
    for layer in model.layers:
        if isinstance(layer, RNN):
            layer.activation = settings.activation
    return model


def _judged(compiled: Any, data: Dataset) -> Evaluation:
    batch = compiled.prepare(data.sequences, data.targets)
    found = compiled.run(batch, outputs=True)
    return judged(compiled.loss, found.loss, found.outputs, batch.aims())


def _measure(part: str, compiled: Any, data: Dataset, task: Task) -> Measured:
    goals: Any = data.targets  # each a number
    lengths = sorted(map(len, data.sequences))
    shown = _judged(compiled, data)
    row = (part, len(data), (lengths[0], lengths[-1]), shown.loss)
    if task.within is not None:
        outputs: list[Any] = compiled.predict(data.sequences)
        return Measured(*row, sum(map(task.is_right, outputs, goals)) / len(data))
    majority = majority_of(data)
    if len(shown.support) > 2:
        return Measured(*row, shown.accuracy or 0.0, majority)
    yes = [one[1] for one in (shown.precision, shown.recall, shown.f1, shown.auc)]
    return Measured(*row, shown.accuracy or 0.0, majority, *yes)


def _print_measured(title: str, rows: list[Measured], task: Task) -> None:
    right = ["accuracy", "majority", "AUC"]
    if task.within is not None:
        right = [f"within {task.within:g}"]
    table = make_table(title, "data", "sequences", "steps", "loss", *right)
    for row in rows:
        steps = " to ".join([str(length) for length in dict.fromkeys(row.lengths)])
        percents = [row.accuracy] if row.majority is None else [row.accuracy, row.majority]
        shares = [f"{100 * share:.1f} %" for share in percents]
        if task.within is None:
            shares.append("–" if row.auc is None else f"{row.auc:.3f}")
        table.add_row(row.part, str(row.sequences), steps, f"{row.loss:.4g}", *shares)
    print_table(table)
