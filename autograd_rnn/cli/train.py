"""The command that trains a network, on one's own data or on a task: train."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, many, shown
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.encoding import ALPHABETS, NUMBERS, is_number
from ..data.labelled import TARGETS
from ..data.tasks import TASKS, Settings, Task, find_task
from ..errors import ArgumentValueError
from ..networks.rnn import RNN
from ..networks.stack import Stack
from ..training.rules import Adam
from .app import app
from .fitting import (
    Log,
    WhichSchedule,
    cells,
    check_save,
    check_unused,
    fitted,
    left_out_remarks,
    tested,
    warnings_in_a_line,
)
from .options import (
    Ambiguous,
    AsJson,
    BadRecords,
    Engine,
    LabelColumn,
    SequenceColumn,
    Stride,
    Window,
    argument,
    column,
    flag,
    option,
    source,
    sources,
)
from .terminal import make_table, percent, print_json, print_table, say, shorten
from .text import TEXT, TEXT_FILE, TEXT_TASK, learn_text

#: What begins a paragraph in a help text.
BREAK: Final = "\n\n"
#: A test of fewer sequences is called small.
FEW: Final = 10


class Measured(NamedTuple):
    """How well a model does on a part of the data.

    `majority` is the share of the largest class; the next four are of yes, against no.  Of numbers
    of one's own there is the mean `error` instead, beside that of always answering the mean.
    """

    part: str
    sequences: int
    lengths: tuple[int, int]
    loss: float
    accuracy: float | None = None
    majority: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    auc: float | None = None
    error: float | None = None
    error_of_mean: float | None = None


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
    targets: Annotated[
        str | None,
        option("NAME", "What labels are: classes, or numbers to predict; found unless given."),
    ] = None,
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
    columns["--targets"] = targets
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
            "targets": None if targets is None else as_choice(targets, "--targets", TARGETS),
        }
        data = Dataset.read(*sources([Path(task), *(files or [])]), **options)
        chosen, left_out = Task.own(data, options), data.left_out
        if len(data) < FEW:
            raise ArgumentValueError(
                f"{many(len(data), 'sequence')} cannot be divided into training, validation and "
                f"test: it takes {FEW}. To cut long ones into windows of N letters: --window N."
            )
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
    scales = Scales.of(parts.train, chosen) if own else Scales()
    with warnings_in_a_line():
        compiled = model.compile(chosen.loss, backend=engine)
        done = fitted(
            model,
            scales.scaled(parts.train),
            save,
            patience,
            schedule,
            log,
            loss=chosen.loss,
            optimiser=optimiser,
            epochs=settings.epochs,
            batch_size=32 if batch_size is None else batch_size,
            validation=scales.scaled(parts.validation),
            seed=seed,
            engine=engine,
        )
        scales.build_in(model)
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
            about["test"] = tested(compiled, parts.test, chosen).content
        print_json(about)
        return
    title = f"{chosen.about}: {settings.cell} of {settings.states}, {many(len(history), 'epoch')}"
    _print_measured(f"{title}, {seconds:.1f} s", rows, chosen)
    for remark in () if own else left_out_remarks(left_out):
        say(f"  {remark}")
    if own:
        few = many(len(parts.test), "sequence")
        small = [
            f"A test of {few} says little.",
            "Equal sequences, and windows of one record, stay in one part.",
        ]
        remarks = small if len(parts.test) < FEW else []
        tested(compiled, parts.test, chosen).print("The test sequences", remarks)
    for line in done.remarks(save, "predict {} ..."):
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
        "targets": "numbers" if task.numeric else "classes",
        "classes": {name: counts[float(k)] for k, name in enumerate(data.names)},
        "contradictions": _contradictions(data),
        "left_out": dict(data.left_out),
    }


def _contradictions(data: Dataset) -> int:
    """How many sequences occur with another target, too."""
    labels: dict[object, set[object]] = {}
    for sequence, target in zip(data.sequences, data.targets, strict=True):
        labels.setdefault(sequence, set()).add(target)
    return sum([len(labels[sequence]) > 1 for sequence in data.sequences])


def _print_summary(data: Dataset, task: Task) -> None:
    found = _summary(data, task)
    named = {letters: name for name, letters in ALPHABETS.items() if letters}
    name = named.get(task.alphabet, "letters" if task.alphabet else NUMBERS)
    name = name.upper() if name in ("dna", "rna") else name
    letters = f" {shorten(task.alphabet)}" if task.alphabet else ""
    title = f"{many(len(data), 'sequence')} of {name}{letters}"
    if task.numeric:
        goals: Any = sorted(data.targets)
        table = make_table(title, "labels", "least", "median", "greatest")
        table.add_row(
            "numbers to predict", *[f"{x:g}" for x in (goals[0], median(goals), goals[-1])]
        )
    else:
        table = make_table(title, "class", "sequences", "share")
        for one, count in found["classes"].items():
            table.add_row(shorten(one), str(count), percent(count, len(data)))
    lengths = f"{found['shortest']}"
    if found["longest"] > found["shortest"]:
        lengths += f" to {found['longest']}, median {found['median']:g}"
    remarks = [f"Steps: {lengths}."]
    if task.numeric:
        remarks.append("To take each number for a class instead: --targets classes.")
    elif len(data.names) > 2 and all(map(is_number, data.names)):
        remarks.append("To predict the labels as numbers instead: --targets numbers.")
    if found["contradictions"]:
        count = found["contradictions"]
        words = "occurs with another label" if count == 1 else "occur with other labels"
        remarks.append(f"{many(count, 'sequence')} also {words}.")
    print_table(table, *remarks, *left_out_remarks(data.left_out))


def _network(settings: Settings, inputs: int, outputs: int, layers: int | None, seed: int) -> Stack:
    """Recurrent layers with a readout on top; the activation is that of plain layers."""
    given = (cells()[settings.cell], settings.states, inputs, outputs)
    model = Stack.random(*given, layers=1 if layers is None else layers, seed=seed)
    for layer in model.layers:
        if isinstance(layer, RNN):
            layer.activation = settings.activation
    return model


class Scale(NamedTuple):
    """What numbers have to be shifted and divided by to have mean 0 and deviation 1."""

    middle: float = 0.0
    width: float = 1.0

    @classmethod
    def of(cls, numbers: Collection[float]) -> Scale:
        """That of these numbers, in which equal ones are not spread out."""
        return cls(fmean(numbers), pstdev(numbers) or 1.0)

    def of_one(self, number: float) -> float:
        """A number, shifted and divided."""
        return (number - self.middle) / self.width


class Scales(NamedTuple):
    """The scales of inputs and targets that are numbers: networks learn those of size 1 best."""

    of_inputs: Scale = Scale()
    of_targets: Scale = Scale()

    @classmethod
    def of(cls, data: Dataset, task: Task) -> Scales:
        """Those of the data to learn from: letters and classes stay as they are."""
        goals: Any = data.targets  # each a number
        inputs = [x for sequence in data.sequences for (x,) in sequence] if task.reader else []
        return cls(
            Scale.of(inputs) if inputs else Scale(), Scale.of(goals) if task.numeric else Scale()
        )

    def scaled(self, data: Dataset) -> Dataset:
        """The data as the network learns them."""
        if self == Scales():
            return data
        goals: Any = data.targets
        scale = self.of_inputs
        sequences = [
            [[scale.of_one(x) for x in vector] for vector in sequence]
            for sequence in data.sequences
        ]
        return Dataset(sequences, map(self.of_targets.of_one, goals), classes=data.classes)

    def build_in(self, model: Stack) -> None:
        """Change weights and offsets so that the network takes and gives numbers as they were."""
        inputs, outputs = self
        for offset, *rows in zip(*model.layers[0].weights, strict=True):
            for weight in rows[-model.inputs :]:
                weight.data /= inputs.width
                offset.data -= weight.data * inputs.middle
        for offset, *rows in zip(*model.layers[-1].weights, strict=True):
            for weight in (offset, *rows):
                weight.data *= outputs.width
            offset.data += outputs.middle


def _measure(part: str, compiled: Any, data: Dataset, task: Task) -> Measured:
    goals: Any = data.targets  # each a number
    lengths = sorted(map(len, data.sequences))
    test = tested(compiled, data, task)
    shown, row = test.found, (part, len(data), (lengths[0], lengths[-1]), test.found.loss)
    if task.within is not None:
        outputs: list[Any] = compiled.predict(data.sequences)
        return Measured(*row, sum(map(task.is_right, outputs, goals)) / len(data))
    if test.errors is not None:
        error, of_mean = test.errors["off_by"]
        return Measured(*row, error=error, error_of_mean=of_mean)
    majority = test.majority
    if len(shown.support) > 2:
        return Measured(*row, shown.accuracy or 0.0, majority)
    yes = [one[1] for one in (shown.precision, shown.recall, shown.f1, shown.auc)]
    return Measured(*row, shown.accuracy or 0.0, majority, *yes)


def _print_measured(title: str, rows: list[Measured], task: Task) -> None:
    right = ["accuracy", "majority", "AUC"]
    if task.within is not None:
        right = [f"within {task.within:g}"]
    elif task.numeric:
        right = ["off by", "the mean"]
    table = make_table(title, "data", "sequences", "steps", "loss", *right)
    for row in rows:
        steps = " to ".join([str(length) for length in dict.fromkeys(row.lengths)])
        shares = [f"{100 * x:.1f} %" for x in (row.accuracy, row.majority) if x is not None]
        if task.numeric:
            shares += [f"{x:.4g}" for x in (row.error, row.error_of_mean) if x is not None]
        else:
            shares.append("–" if row.auc is None else f"{row.auc:.3f}")
        table.add_row(row.part, str(row.sequences), steps, f"{row.loss:.4g}", *shares)
    print_table(table)
