"""The commands that train a network on a task, and that ask it."""

from __future__ import annotations

import json
import math
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from ..arguments import as_choice, many
from ..backends.backend import backend_names
from ..data.dataset import Dataset
from ..data.fasta import read_fasta, windows
from ..errors import ArgumentValueError, FolderNotFound
from ..networks.linear import Linear
from ..networks.rnn import RNN
from ..networks.serialise import fields_of, load_json, save_json
from ..networks.stack import Stack, load_model
from ..ops.losses import LOSSES, is_hit
from ..ops.table import sigmoid
from ..training.fit import fit
from ..training.optimisers import Adam
from .recipes import DNA, RECIPES, Parts, Reading, Recipe, from_fasta, make_parts, recipe_of
from .terminal import AsJson, Fasta, Window, complain, make_table, print_table, shorten

CELLS: Final = ("rnn", "lstm", "gru")
# So many epochs no training waits: it ends as told, and the best weights are put back all the same.
NEVER: Final = 1_000_000
TASKS: Final = "g3, tomita1 to tomita7, parity, counting, adding, promoters."

Engine = Annotated[str, typer.Option(help="auto, eager, python, numpy, native or jax.")]


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """What is warned of goes to the error stream, once, without the line of code that warned.

    And at once: that the engine is slow is of no use after the training.
    """
    told: set[str] = set()

    def tell(message: Warning | str, *where: Any, **details: Any) -> None:
        if str(message) not in told:
            told.add(str(message))
            complain(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = tell
        yield


# --- train ---------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """What a model makes of a part of the data; the majority is the share of its largest class."""

    part: str
    sequences: int
    lengths: tuple[int, int]
    loss: float
    accuracy: float
    majority: float | None


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help=TASKS)],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="UCI's promoters.data, for promoters.")
    ] = None,
    cell: Annotated[str | None, typer.Option(help="rnn, lstm or gru.")] = None,
    states: Annotated[int | None, typer.Option(metavar="N", help="How many.")] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="How often over the data.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="X", help="Of Adam.")] = None,
    batch_size: Annotated[int, typer.Option(metavar="N", help="Sequences per step.")] = 32,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="Stop after so many without a better validation loss."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed, the same model.")] = 0,
    engine: Engine = "auto",
    fasta: Annotated[
        Path | None, typer.Option(metavar="FILE", help="g3: learn from windows of this genome.")
    ] = None,
    skip_ambiguous: Annotated[
        bool, typer.Option("--skip-ambiguous", help="Leave out windows with N, R, Y, ...")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Write the model, as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network on a task, and test it on sequences longer than it has seen.

    What is not given is chosen for the task; the weights are those of the epoch
    that has the lowest validation loss. After Ctrl-C the same command goes
    on where it was, if it has --save, and comes to the very same model.
    """
    recipe = recipe_of(task)
    chosen: dict[str, Any] = {
        **{"cell": cell, "states": states, "epochs": epochs, "learning_rate": learning_rate},
    }
    recipe = recipe._replace(**{name: one for name, one in chosen.items() if one is not None})
    as_choice(recipe.cell, "--cell", CELLS)
    as_choice(engine, "--engine", backend_names())
    optimiser = Adam(recipe.learning_rate, clip_norm=1.0)
    if save is not None and save.is_dir():
        raise ArgumentValueError(f"{save} is a folder: --save takes the name of a file.")
    if save is not None and not save.parent.is_dir():
        raise FolderNotFound(f"there is no folder {str(save.parent)!r} to write {save.name!r} in.")
    parts = _parts(task, recipe, file, fasta, skip_ambiguous, seed)
    model = _network(recipe, parts.train.inputs, seed)
    checkpoint = None if save is None else save.with_name(f"{save.name}.checkpoint")
    resumed = checkpoint is not None and checkpoint.exists()
    try:
        with _warnings_in_a_line():
            compiled = model.compile(recipe.loss, backend=engine)
            history = fit(
                model, parts.train, loss=recipe.loss, optimiser=optimiser, epochs=recipe.epochs,
                batch_size=batch_size, validation=parts.validation, seed=seed, engine=engine,
                patience=NEVER if patience is None else patience, checkpoint=checkpoint,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise typer.Exit(complain(_interrupted(checkpoint), code=130)) from None
    reading = Reading(task, recipe.loss, recipe.alphabet)
    if save is not None and checkpoint is not None:
        save_json(save, {**model.to_dict(), "reading": reading._asdict()})
        checkpoint.unlink(missing_ok=True)
    named = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    named |= {f"length {length}": data for length, data in parts.longer.items()}
    rows = [_measure(part, compiled, data, recipe) for part, data in named.items()]
    if as_json:
        about = {"task": task, "cell": recipe.cell, "states": recipe.states, "seed": seed}
        about |= {"epochs": len(history), "seconds": sum(history.seconds)}
        listed = [row._asdict() for row in rows]
        print(json.dumps({**about, "model": save and str(save), "parts": listed}, indent=2))
        return
    words = f"{recipe.about}: {recipe.cell} of {recipe.states}, {many(len(history), 'epoch')}"
    _print_measured(f"{words}, {sum(history.seconds):.1f} s", rows, recipe)
    if resumed:
        print(f"  Gone on from {checkpoint}, which is no longer needed.")
    if save is not None:
        print(f"  Model: {save}; ask it by autograd-rnn predict {shlex.quote(str(save))} ...")


def _parts(
    task: str, recipe: Recipe, file: Path | None, fasta: Path | None, skip: bool, seed: int
) -> Parts:
    if fasta is None:
        if skip:
            raise ArgumentValueError("--skip-ambiguous goes with --fasta.")
        return make_parts(task, seed, file)
    if recipe.language is None or recipe.alphabet != DNA:
        families = [name for name, one in RECIPES.items() if one.language and one.alphabet == DNA]
        raise ArgumentValueError(f"--fasta goes with the task {', '.join(families)}, not {task}.")
    return from_fasta(fasta, recipe.language, seed, ambiguous=skip)


def _network(recipe: Recipe, inputs: int, seed: int) -> Stack:
    """A layer of the cell and a readout on top; the activation is that of the plain layer."""
    model = Stack.random(recipe.cell.upper(), recipe.states, inputs, 1, seed=seed)
    layer, readout = model.layers
    if isinstance(layer, RNN) and isinstance(readout, Linear):
        layer = RNN(layer.weights, recipe.activation)
        model = Stack([layer, readout]).numbered()
    return model


def _interrupted(checkpoint: Path | None) -> str:
    if checkpoint is None or not checkpoint.exists():
        return "interrupted; nothing is kept without --save MODEL."
    return f"interrupted; to go on: autograd-rnn {shlex.join(sys.argv[1:])}"


def _measure(part: str, compiled: Any, data: Dataset, recipe: Recipe) -> Measured:
    batch = compiled.prepare(data.sequences, data.targets)
    loss, _ = compiled.loss_and_gradients(batch)
    pairs = list(zip(compiled.predict(batch), data.targets, strict=True))
    majority: float | None = None
    if recipe.within is None:
        hits = [bool(is_hit(LOSSES[recipe.loss], z, goal)) for z, goal in pairs]
        often = data.targets.count(1.0)
        majority = max(often, len(data) - often) / len(data)
    else:
        hits = [abs(z - goal) < recipe.within for z, goal in pairs]
    lengths = [len(sequence) for sequence in data.sequences]
    span = (min(lengths), max(lengths))
    return Measured(part, len(data), span, loss, hits.count(True) / len(data), majority)


def _print_measured(title: str, rows: list[Measured], recipe: Recipe) -> None:
    right = "accuracy" if recipe.within is None else f"within {recipe.within:g}"
    classes = recipe.within is None
    columns = ["data", "sequences", "steps", "loss", right, *["majority"][:classes]]
    table = make_table(title, *columns)
    table.columns[0].justify = "left"
    for row in rows:
        first, last = row.lengths
        steps = str(first) if first == last else f"{first} to {last}"
        shares = [row.accuracy, *([] if row.majority is None else [row.majority])]
        cells = [f"{100 * share:.1f} %" for share in shares]
        table.add_row(row.part, str(row.sequences), steps, f"{row.loss:.4g}", *cells)
    print_table(table)


# --- predict -------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What a model says of a text: a logit, its probability and the class, or else a number."""

    sequence: str
    output: float
    probability: float | None = None
    member: bool | None = None


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What train --save wrote.")],
    sequences: Annotated[
        list[str] | None, typer.Argument(metavar="SEQUENCE", help="Texts; - reads lines.")
    ] = None,
    fasta: Fasta = None,
    window: Window = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Say what a trained network makes of sequences: logit, probability and class, or number."""
    as_choice(engine, "--engine", backend_names())
    network, reading = load_model(model), _reading(model)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments, - for lines, or --fasta FILE.")
    if window is not None and fasta is None:
        raise ArgumentValueError("--window goes with --fasta.")
    given = _windows(fasta, window, reading) if fasta else {"": _texts(sequences or [])}
    texts = [text for part in given.values() for text in part]
    vectors = [reading.encode(text, f"sequence {n}") for n, text in enumerate(texts, 1)]
    if len(vectors[0][0]) != network.inputs or network.outputs != 1:
        raise ArgumentValueError(
            f"{model}: a model of {many(network.inputs, 'input')} and "
            f"{many(network.outputs, 'output')} is none of the task {reading.task}."
        )
    with _warnings_in_a_line():
        compiled = network.compile(reading.loss, backend=engine)
    outputs = compiled.predict(vectors)
    answers = [_answer(text, z, reading) for text, z in zip(texts, outputs, strict=True)]
    about = RECIPES[reading.task].about
    if as_json:
        _print_answers_as_json(model, reading, given, answers)
    elif fasta is None or reading.loss == "squared_error":
        _print_answers(about, answers)
    else:
        _print_shares(about, given, answers, window)


def _reading(path: Path) -> Reading:
    """How the model reads texts, as `train` wrote it beside the weights."""

    def make(content: Any) -> Reading:
        (found,) = fields_of(content, content["kind"], "reading")
        return Reading.from_dict(found)

    return load_json(path, "a model of `autograd-rnn train`", make)


def _texts(sequences: list[str]) -> list[str]:
    """The arguments, - being the lines of standard input."""
    found: list[str] = []
    for text in sequences:
        if text == "-":
            found += [line.strip() for line in sys.stdin if line.strip()]
        else:
            found.append(text)
    if not found:
        raise ArgumentValueError("there is no sequence on standard input.")
    return found


def _windows(fasta: Path, window: int | None, reading: Reading) -> dict[str, list[str]]:
    """The windows of each record, or whole records, under their names."""
    if reading.alphabet != DNA:
        raise ArgumentValueError(
            f"--fasta goes with a model that reads DNA, not with one of the task {reading.task}."
        )
    if window is not None and window < 1:
        raise ArgumentValueError(f"--window must be 1 or more, not {window}.")
    found: dict[str, list[str]] = {}
    for record in read_fasta(fasta):
        size = len(record.sequence) if window is None else window
        found.setdefault(record.name, []).extend(windows(record.sequence, size))
    if not any(found.values()):
        raise ArgumentValueError(f"{fasta}: no record has a whole window of {window} letters.")
    return found


def _answer(text: str, output: float, reading: Reading) -> Answer:
    if reading.loss == "squared_error":
        return Answer(text, output)
    return Answer(text, output, float(sigmoid(output)), output > 0.0)


def _print_answers(about: str, answers: list[Answer]) -> None:
    classes = answers[0].probability is not None
    columns = ("logit", "probability", "class") if classes else ("output",)
    table = make_table(f"{about}?" if classes else about, "sequence", *columns)
    table.columns[0].justify = "left"
    for answer in answers:
        cells = [f"{answer.output:.4g}" if math.isfinite(answer.output) else str(answer.output)]
        if answer.probability is not None:
            cells += [f"{answer.probability:.4f}", "yes" if answer.member else "no"]
        table.add_row(shorten(answer.sequence), *cells)
    print_table(table)


def _print_shares(
    about: str, given: dict[str, list[str]], answers: list[Answer], window: int | None
) -> None:
    what = "whole records" if window is None else f"windows of {window}"
    table = make_table(f"{about}, {what}", "record", "windows", "yes", "share")
    table.columns[0].justify = "left"
    start = 0
    for name, part in given.items():
        yes = sum(bool(answer.member) for answer in answers[start : start + len(part)])
        start += len(part)
        share = f"{100 * yes / len(part):.1f} %" if part else "–"
        table.add_row(shorten(name), str(len(part)), str(yes), share)
    print_table(table)


def _print_answers_as_json(
    model: Path, reading: Reading, given: dict[str, list[str]], answers: list[Answer]
) -> None:
    names = [name for name, part in given.items() for _ in part]
    rows: list[dict[str, object]] = []
    for name, answer in zip(names, answers, strict=True):
        row: dict[str, object] = {"record": name} if name else {}
        if answer.probability is None:
            row |= {"sequence": answer.sequence, "output": answer.output}
        else:
            row |= {"sequence": answer.sequence, "logit": answer.output}
            row |= {"probability": answer.probability, "class": int(bool(answer.member))}
        rows.append(row)
    print(json.dumps({"model": str(model), "task": reading.task, "sequences": rows}, indent=2))
