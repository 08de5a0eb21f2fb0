"""The commands of the character model: what `train text` does, and generate."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from ..arguments import as_choice, as_integer, many
from ..backends.backend import backend_names
from ..backends.compile_step import CompiledStep
from ..data.generate import generate
from ..data.text import NextLetters, Text, decoded
from ..errors import ArgumentValueError
from ..files import read_json
from ..networks.model import Model
from ..networks.serialise import KINDS
from ..networks.stack import Stack, made_of
from ..ops.losses import count_hits
from ..training.rules import Adam
from .app import app
from .fitting import cells, check_save, fitted, warnings_in_a_line
from .options import AsJson, Engine, argument, option, standard_input
from .terminal import make_table, print_as_it_is, print_json, print_table, say

TEXT: Final = "text"
TEXT_TASK: Final = f"{TEXT}: the next letter of a text"
TEXT_FILE: Final = "a text in UTF-8, or - for standard input"
STANDARD_INPUT: Final = "-"
#: The temperature unless it is given, and the length of a sample after the training.
HEAT, SAMPLE = 0.7, 300
#: As many updates as a small text needs, and the fewest epochs for a large one.
UPDATES, EPOCHS = 1500, 4
#: So many letters of each stream are measured at once.
AT_ONCE: Final = 100


class Wishes(NamedTuple):
    """The network that learns a text, and its training, unless the user chooses others."""

    cell: str = "gru"
    states: int = 64
    layers: int = 1
    streams: int = 16
    truncate: int = 25
    epochs: int = 0
    learning_rate: float = 0.01


class Measured(NamedTuple):
    """Bits per letter of a part of the text: the model's, and those of guesses without one."""

    part: str
    letters: int
    bits: float
    from_pairs: float
    from_letters: float
    accuracy: float


def read_text(file: str) -> Text:
    """The text of a file, or of standard input for -."""
    if file == STANDARD_INPUT:
        return Text(read_standard_input())
    return Text.read(file)


def read_standard_input() -> str:
    """The text on standard input."""
    return decoded(standard_input().read(), "standard input")


def learn_text(
    file: Path | None,
    given: Mapping[str, Any],
    patience: int | None,
    schedule: str,
    log: Path | None,
    seed: int,
    engine: str,
    save: Path | None,
    *,
    as_json: bool,
) -> None:
    """Train a network to expect the next letter of a text, and print what it does."""
    if file is None:
        raise ArgumentValueError(f"the task text needs FILE, {TEXT_FILE}.")
    wishes = Wishes(**{name: wish for name, wish in given.items() if wish is not None})
    as_choice(wishes.cell, "--cell", cells())
    as_choice(engine, "--engine", backend_names())
    as_integer(wishes.truncate, "--truncate", least=1)
    optimiser = Adam(wishes.learning_rate, clip_norm=1.0)
    check_save(save)
    text = read_text(str(file))
    train, validation = _split(text, wishes.streams)
    data, size = train.streams(wishes.streams), len(text.alphabet)
    # As many streams side by side, since one long one would take much more memory.
    unseen = validation.streams(wishes.streams)
    epochs = wishes.epochs
    if "epochs" not in given or given["epochs"] is None:
        epochs = max(EPOCHS, -(-UPDATES // -(-len(data.targets[0]) // wishes.truncate)))
    model = Stack.random(
        *(cells()[wishes.cell], wishes.states, size, size), layers=wishes.layers, seed=seed
    )
    model.alphabet = text.alphabet
    with warnings_in_a_line():
        compiled = model.compile("cross_entropy", at="every", backend=engine)
        done = fitted(
            model,
            data,
            save,
            patience,
            schedule,
            log,
            loss="cross_entropy",
            optimiser=optimiser,
            epochs=epochs,
            batch_size=wishes.streams,
            validation=unseen,
            seed=seed,
            engine=engine,
            at="every",
            truncate=wishes.truncate,
            streams=True,
        )
    done.save(save, model.to_dict())
    rows = [
        measured("training", train, compiled, data),
        measured("validation", validation, compiled, unseen, train),
    ]
    sample = generate(compiled, "", SAMPLE, HEAT, seed, alphabet=text.alphabet)
    seconds = sum(done.history.seconds)
    if as_json:
        about = {"task": TEXT, "file": str(file), **wishes._asdict(), "seed": seed}
        about |= {"epochs": len(done.history), "seconds": seconds, "model": save and str(save)}
        parts = [row._asdict() for row in rows]
        print_json({**about, "parts": parts, "sample": sample})
        return
    network = f"{wishes.cell} of {wishes.states}"
    if wishes.layers > 1:
        network = f"{wishes.layers} layers of {network}"
    title = f"The next of {size} letters: {network}, {many(len(done.history), 'epoch')}"
    title += f", {seconds:.1f} s"
    table = make_table(
        title, "bits per letter of", "letters", "network", "pairs", "single", "right"
    )
    for row in rows:
        bits = [f"{number:.3f}" for number in (row.bits, row.from_pairs, row.from_letters)]
        table.add_row(row.part, str(row.letters), *bits, f"{100 * row.accuracy:.1f} %")
    print_table(
        table,
        "pairs: guesses by the letter before, as in training; single: without it.",
        *done.remarks(save, "generate {}"),
        f"A sample, at temperature {HEAT}:",
    )
    for line in sample.split("\n"):
        for part in textwrap.wrap(line, 76, break_on_hyphens=False) or [""]:
            say(f"    {part}".rstrip())


def _split(text: Text, streams: int) -> tuple[Text, Text]:
    """Nine tenths to train on, and the rest; `ValueError` for a text that is too short."""
    least = 10 * (as_integer(streams, "--streams", least=1) + 1)
    if len(text) < least:
        raise ArgumentValueError(
            f"the text has {many(len(text), 'letter')}, too few: {many(streams, 'stream')} need "
            f"{least} or more."
        )
    train, validation = text.split(9, 1)
    return train, validation


def measured(
    part: str, text: Text, compiled: CompiledStep, data: NextLetters, seen: Text | None = None
) -> Measured:
    """How well a model knows the streams of a text, their states carried from window to window.

    Beside it are guesses by shares: those in the text that was `seen`, or in this one.
    """
    loss, hits, state = 0.0, 0, None
    length, count = len(data.targets[0]), len(data.targets)
    for start in range(0, length, AT_ONCE):
        window = slice(start, start + AT_ONCE)
        xs, ys = [[one[window] for one in many] for many in data]
        batch = compiled.prepare(xs, ys)
        found = compiled.run(batch, outputs=True, state=state, return_state=True)
        state = found.states
        loss += found.loss * len(ys[0])
        hits += count_hits(compiled.loss, found.outputs, batch.aims())[0]
    bits = loss / length / math.log(2.0)
    letters = count * length
    guesses = text.entropy(1, seen), text.entropy(0, seen)
    return Measured(part, letters, bits, *guesses, hits / letters)


# --- generate ------------------------------------------------------------------------------------


@app.command("generate")
def generate_text(
    model: Annotated[Path, argument("MODEL", "The file that train text --save wrote.")],
    prompt: Annotated[
        str, argument("PROMPT", "What the text begins with; - reads it from standard input.")
    ] = "",
    length: Annotated[int, option("N", "The number of letters after the prompt.")] = 500,
    temperature: Annotated[
        float,
        option(
            "X",
            "How freely letters are drawn: 0 takes the likeliest, 1 draws as the model expects.",
        ),
    ] = HEAT,
    seed: Annotated[int, option("N", "The same seed gives the same text.")] = 0,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Write text with a network that has learnt one, from the prompt on."""
    as_choice(engine, "--engine", backend_names())
    network = read_json(model, "a model of `autograd-rnn train text`", _as_writer)
    if prompt == STANDARD_INPUT:
        prompt = read_standard_input().removesuffix("\n")
    with warnings_in_a_line():
        found = generate(network, prompt, length, temperature, seed, backend=engine)
    if as_json:
        print_json({"model": str(model), "prompt": prompt, "text": found})
    else:
        print_as_it_is(prompt + found)


def _as_writer(content: Any) -> Model:
    model = made_of(content, KINDS)
    if model.alphabet is None:
        reading = content.get("reading")
        way_out = "assign model.alphabet before you save it."
        if reading is not None:
            way_out = "`autograd-rnn predict` reads it."
        raise ArgumentValueError(f"it has no alphabet: {way_out}")
    return model
