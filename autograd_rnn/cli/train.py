"""The commands that train a network on a task and that use it: train and predict."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, many
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.fasta import read_fasta, windows
from ..data.tasks import DNA, TASKS, Settings, Task, find_task, task_of
from ..errors import ArgumentValueError
from ..files import read_json
from ..networks.model import Model
from ..networks.rnn import RNN
from ..networks.serialise import KINDS
from ..networks.stack import Stack, made_of
from ..training.evaluate import judged
from ..training.optimisers import Adam
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
from .options import AsJson, Fasta, SkipAmbiguous, Window, argument, option
from .terminal import make_table, percent, print_json, print_table, say, shorten, windowed
from .text import TEXT, TEXT_FILE, TEXT_TASK, learn_text

#: How a table shows the parts of an answer.
WRITTEN: Final[dict[str, Callable[[float], str]]] = {
    **dict.fromkeys(("output", "logit"), "{:.4g}".format),
    "probability": "{:.4f}".format,
    "class": lambda member: "yes" if member else "no",
}

# --- train ---------------------------------------------------------------------------------------


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
        argument("TASK", f"{_list_tasks('{0.name}: {0.about}', 'name', BREAK)}{BREAK}{TEXT_TASK}"),
    ],
    file: Annotated[
        Path | None,
        argument("FILE", f"{_list_tasks('{0.name}: {0.file}', 'read')}; {TEXT}: {TEXT_FILE}"),
    ] = None,
    cell: Annotated[str | None, option("CELL", f"The layer: {', '.join(cells())}.")] = None,
    states: Annotated[int | None, option("N", "The number of states.")] = None,
    epochs: Annotated[int | None, option("N", "The number of passes over the data.")] = None,
    learning_rate: Annotated[float | None, option("X", "The learning rate of Adam.")] = None,
    layers: Annotated[int | None, option("N", "The number of layers: 1 unless given.")] = None,
    batch_size: Annotated[
        int | None, option("N", "The number of sequences per update: 32 unless given.")
    ] = None,
    streams: Annotated[
        int | None, option("N", "text: cut it into N streams, read side by side.")
    ] = None,
    truncate: Annotated[
        int | None, option("N", "text: update, and cut gradients, after every N letters.")
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
    skip_ambiguous: SkipAmbiguous = False,
    save: Annotated[Path | None, option("MODEL", "Write the model to this file, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network on a task, and test it on longer sequences than it was trained on.

    Settings that are not given are the task's own. The model keeps the weights of the epoch with
    the lowest validation loss. If Ctrl-C interrupts a training with --save, the same command
    resumes it, and gives the same model.
    """
    wishes: dict[str, Any] = {"cell": cell, "states": states, "epochs": epochs}
    wishes["learning_rate"] = learning_rate
    if task == TEXT:
        others = {"--batch-size": batch_size, "--fasta": fasta, "--skip-ambiguous": skip_ambiguous}
        check_unused(others, "does not go with the task text")
        wishes |= {"layers": layers, "streams": streams, "truncate": truncate}
        learn_text(file, wishes, patience, schedule, log, seed, engine, save, as_json=as_json)
        return
    check_unused({"--streams": streams, "--truncate": truncate}, "goes with the task text")
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    chosen = find_task(task)
    settings = chosen.settings._replace(**given)
    as_choice(settings.cell, "--cell", cells())
    as_choice(engine, "--engine", backend_names())
    optimiser = Adam(settings.learning_rate, clip_norm=1.0)
    check_save(save)
    if fasta is not None:
        parts = chosen.parts_of_genome(fasta, seed, ambiguous=skip_ambiguous)
    elif skip_ambiguous:
        raise ArgumentValueError("--skip-ambiguous goes with --fasta.")
    else:
        parts = chosen.parts(seed, file)
    model = _network(settings, parts.train.inputs, layers, seed)
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
        print_json({**about, "parts": [row._asdict() for row in rows]})
        return
    title = f"{chosen.about}: {settings.cell} of {settings.states}, {many(len(history), 'epoch')}"
    _print_measured(f"{title}, {seconds:.1f} s", rows, chosen)
    for line in done.remarks(save, f"predict {shlex.quote(str(save))} ..."):
        say(f"  {line}")


def _network(settings: Settings, inputs: int, layers: int | None, seed: int) -> Stack:
    """Recurrent layers with a readout on top; the activation is that of plain layers."""
    given = (cells()[settings.cell], settings.states, inputs, 1)
    model = Stack.random(*given, layers=1 if layers is None else layers, seed=seed)
    for layer in model.layers:
        if isinstance(layer, RNN):
            layer.activation = settings.activation
    return model


def _measure(part: str, compiled: Any, data: Dataset, task: Task) -> Measured:
    batch = compiled.prepare(data.sequences, data.targets)
    found = compiled.run(batch, outputs=True)
    shown = judged(compiled.loss, found.loss, found.outputs, batch.aims())
    goals: Any = data.targets  # each a number
    lengths = sorted(map(len, data.sequences))
    row = (part, len(data), (lengths[0], lengths[-1]), found.loss)
    if task.within is not None:
        right = sum(map(task.is_right, found.outputs[:, 0].tolist(), goals))
        return Measured(*row, right / len(data))
    majority = max(Counter(goals).values()) / len(data)
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


# --- predict -------------------------------------------------------------------------------------


@app.command()
def predict(
    model: Annotated[Path, argument("MODEL", "The file that train --save wrote.")],
    sequences: Annotated[
        list[str] | None, argument("SEQUENCE", "Sequences; - reads lines of standard input.")
    ] = None,
    fasta: Fasta = None,
    window: Window = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Run a trained network on sequences: logit, probability and class of each, or a number."""
    as_choice(engine, "--engine", backend_names())
    network, task = read_json(model, "a model of `autograd-rnn train`", _as_trained)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments, - for lines, or --fasta FILE.")
    if window is not None and fasta is None:
        raise ArgumentValueError("--window goes with --fasta.")
    given = _windows(fasta, window, task) if fasta else {"": _texts(sequences or [])}
    names, texts = zip(*[(name, one) for name, part in given.items() for one in part], strict=True)
    vectors = [task.encode(text, f"sequence {n}") for n, text in enumerate(texts, 1)]
    if len(vectors[0][0]) != network.inputs or network.outputs != 1:
        raise ArgumentValueError(
            f"{model}: a model of {many(network.inputs, 'input')} and "
            f"{many(network.outputs, 'output')} does not fit the task {task.name}."
        )
    with warnings_in_a_line():
        compiled = network.compile(task.loss, backend=engine)
    outputs: list[Any] = compiled.predict(vectors)
    answers = [task.answer(z) for z in outputs]
    if as_json:
        rows = [
            {**({"record": name} if name else {}), "sequence": text, **answer}
            for name, text, answer in zip(names, texts, answers, strict=True)
        ]
        print_json({"model": str(model), "task": task.name, "sequences": rows})
    elif fasta is None or task.within is not None:
        _print_answers(task, texts, answers)
    else:
        _print_shares(windowed(task.about, window), given, answers)


def _as_trained(content: Any) -> tuple[Model, Task]:
    model = made_of(content, KINDS)
    if model.alphabet is not None and "reading" not in content:
        raise ArgumentValueError("it writes text: `autograd-rnn generate` reads it.")
    return model, task_of(content.get("reading"))


def _texts(sequences: list[str]) -> list[str]:
    """The arguments, with the lines of standard input in place of -."""
    lines = filter(None, map(str.strip, sys.stdin))
    found = [text for given in sequences for text in (lines if given == "-" else [given])]
    if not found:
        raise ArgumentValueError("there is no sequence on standard input.")
    return found


def _windows(fasta: Path, window: int | None, task: Task) -> dict[str, list[str]]:
    """The windows of each record, or whole records, by the record's name."""
    if task.alphabet != DNA:
        raise ArgumentValueError(
            f"--fasta goes with a model that reads DNA, not with one of the task {task.name}."
        )
    found: dict[str, list[str]] = {}
    for record in read_fasta(fasta):
        size = len(record.sequence) if window is None else window
        found.setdefault(record.name, []).extend(windows(record.sequence, size))
    if not any(found.values()):
        raise ArgumentValueError(f"{fasta}: no record has a whole window of {window} letters.")
    return found


def _print_answers(task: Task, texts: Sequence[str], answers: list[dict[str, float]]) -> None:
    title = task.about if task.within is not None else f"{task.about}?"
    table = make_table(title, "sequence", *answers[0])
    for text, answer in zip(texts, answers, strict=True):
        table.add_row(shorten(text), *[WRITTEN[what](x) for what, x in answer.items()])
    print_table(table)


def _print_shares(title: str, given: dict[str, list[str]], answers: list[dict[str, float]]) -> None:
    table = make_table(title, "record", "windows", "yes", "share")
    rest = iter(answers)
    for record, part in given.items():
        yes = sum(answer["class"] == 1 for answer in islice(rest, len(part)))
        table.add_row(shorten(record), str(len(part)), str(yes), percent(yes, len(part)))
    print_table(table)
