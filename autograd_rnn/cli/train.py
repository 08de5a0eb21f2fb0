"""The commands that train a network on a task and that use it: train and predict."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, many
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.fasta import read_fasta, windows
from ..data.tasks import DNA, TASKS, Settings, Task, find_task, task_of
from ..errors import ArgumentValueError
from ..files import check_folder, read_json, write_json
from ..networks.model import Model
from ..networks.rnn import RNN
from ..networks.serialise import KINDS, recurrent_kinds
from ..networks.stack import Stack, made_of
from ..training.fit import fit
from ..training.optimisers import Adam
from .app import app
from .options import AsJson, Fasta, SkipAmbiguous, Window, argument, option
from .terminal import (
    Interrupted,
    complain,
    make_table,
    percent,
    print_json,
    print_table,
    say,
    shorten,
    windowed,
)

# More epochs than any training has: it never stops early, but the best weights are put back.
NEVER: Final = 1_000_000
#: How a table shows the parts of an answer.
WRITTEN: Final[dict[str, Callable[[float], str]]] = {
    **dict.fromkeys(("output", "logit"), "{:.4g}".format),
    "probability": "{:.4f}".format,
    "class": lambda member: "yes" if member else "no",
}

Engine = Annotated[str, option("NAME", f"The backend: {', '.join(backend_names())}.")]


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print each warning once, as a line on the error stream, when it is raised."""
    shown: set[str] = set()

    def show(message: Warning | str, *where: Any, **details: Any) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            complain(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


# --- train ---------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """How well a model does on a part of the data; `majority` is the share of the largest class."""

    part: str
    sequences: int
    lengths: tuple[int, int]
    loss: float
    accuracy: float
    majority: float | None


def _cells() -> dict[str, str]:
    """The kinds of recurrent layer, as --cell names them."""
    return {kind.lower(): kind for kind in sorted(recurrent_kinds())}


def _list_tasks(words: str, field: str, between: str = ", ") -> str:
    """The words with {0} for each task that has the field."""
    return between.join([words.format(task) for task in TASKS.values() if getattr(task, field)])


# Typer evaluates the annotations whenever the app is called: the help has all that TASKS has then.
@app.command()
def train(
    task: Annotated[str, argument("TASK", _list_tasks("{0.name}: {0.about}", "name", "\n\n"))],
    file: Annotated[
        Path | None, argument("FILE", _list_tasks("{0.name}: {0.file}", "read"))
    ] = None,
    cell: Annotated[str | None, option("CELL", f"The layer: {', '.join(_cells())}.")] = None,
    states: Annotated[int | None, option("N", "The number of states.")] = None,
    epochs: Annotated[int | None, option("N", "The number of passes over the data.")] = None,
    learning_rate: Annotated[float | None, option("X", "The learning rate of Adam.")] = None,
    batch_size: Annotated[int, option("N", "The number of sequences per update.")] = 32,
    patience: Annotated[
        int | None, option("N", "Stop after N epochs without a lower validation loss.")
    ] = None,
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
    chosen = find_task(task)
    given: dict[str, Any] = {"cell": cell, "states": states, "epochs": epochs}
    given["learning_rate"] = learning_rate
    settings = chosen.settings._replace(**{name: x for name, x in given.items() if x is not None})
    as_choice(settings.cell, "--cell", _cells())
    as_choice(engine, "--engine", backend_names())
    optimiser = Adam(settings.learning_rate, clip_norm=1.0)
    if save is not None and check_folder(save).is_dir():
        raise ArgumentValueError(f"{save} is a folder: --save takes the name of a file.")
    if fasta is not None:
        parts = chosen.parts_of_genome(fasta, seed, ambiguous=skip_ambiguous)
    elif skip_ambiguous:
        raise ArgumentValueError("--skip-ambiguous goes with --fasta.")
    else:
        parts = chosen.parts(seed, file)
    model = _network(settings, parts.train.inputs, seed)
    checkpoint = None if save is None else save.with_name(f"{save.name}.checkpoint")
    resumed = checkpoint is not None and checkpoint.exists()
    try:
        with _warnings_in_a_line():
            compiled = model.compile(chosen.loss, backend=engine)
            history = fit(
                model,
                parts.train,
                loss=chosen.loss,
                optimiser=optimiser,
                epochs=settings.epochs,
                batch_size=batch_size,
                validation=parts.validation,
                seed=seed,
                engine=engine,
                patience=NEVER if patience is None else patience,
                checkpoint=checkpoint,
            )
    except KeyboardInterrupt:
        raise Interrupted(_interrupted(checkpoint)) from None
    if save is not None and checkpoint is not None:
        write_json(save, {**model.to_dict(), "reading": chosen.reading}, indent=2)
        checkpoint.unlink(missing_ok=True)
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
    if resumed:
        say(f"  Resumed from {checkpoint}, now deleted.")
    if save is not None:
        say(f"  Model: {save}; to use it: autograd-rnn predict {shlex.quote(str(save))} ...")


def _network(settings: Settings, inputs: int, seed: int) -> Stack:
    """A recurrent layer with a readout on top; the activation is that of a plain layer."""
    model = Stack.random(_cells()[settings.cell], settings.states, inputs, 1, seed=seed)
    if isinstance(model.layers[0], RNN):
        model.layers[0].activation = settings.activation
    return model


def _interrupted(checkpoint: Path | None) -> str:
    if checkpoint is None or not checkpoint.exists():
        return "interrupted; nothing is kept without --save MODEL."
    return f"interrupted; to resume: autograd-rnn {shlex.join(sys.argv[1:])}"


def _measure(part: str, compiled: Any, data: Dataset, task: Task) -> Measured:
    batch = compiled.prepare(data.sequences, data.targets)
    loss, _ = compiled.loss_and_gradients(batch)
    goals: Any = data.targets  # each a number
    accuracy = sum(map(task.is_right, compiled.predict(batch), goals)) / len(data)
    majority = None if task.within else max(Counter(goals).values()) / len(data)
    lengths = sorted(map(len, data.sequences))
    return Measured(part, len(data), (lengths[0], lengths[-1]), loss, accuracy, majority)


def _print_measured(title: str, rows: list[Measured], task: Task) -> None:
    right = ["accuracy", "majority"] if task.within is None else [f"within {task.within:g}"]
    table = make_table(title, "data", "sequences", "steps", "loss", *right)
    for row in rows:
        steps = " to ".join([str(length) for length in dict.fromkeys(row.lengths)])
        shares = [f"{100 * share:.1f} %" for share in row[-2:] if share is not None]
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
    with _warnings_in_a_line():
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
    return made_of(content, KINDS), task_of(content.get("reading"))


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
