"""What commands that train and test have in common: a fit that can be interrupted, and a test."""

from __future__ import annotations

import math
import re
import shlex
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ..arguments import as_choice
from ..data.dataset import Dataset
from ..data.tasks import Task
from ..errors import ArgumentValueError
from ..files import check_folder, write_json
from ..networks.serialise import recurrent_kinds
from ..training.batches import Data, Trainable
from ..training.evaluate import Evaluation, judged
from ..training.fit import fit
from ..training.history import History
from ..training.progress import CSVLog
from ..training.schedules import CosineDecay, Schedule, StepDecay, WarmUp
from .options import option
from .terminal import Interrupted, complain, make_table, print_table, shorten, width_of

# More epochs than any training has: it never stops early, but the best weights are put back.
NEVER = 1_000_000
#: The most classes that a table has a column for, and the length of a line.
MOST_COLUMNS, LINE = 5, 80

#: The schedules that --schedule names, by the number of epochs.
SCHEDULES: dict[str, Callable[[int], Schedule] | None] = {
    "constant": None,
    "cosine": CosineDecay,
    "stepwise": lambda epochs: StepDecay(epochs / 3),
    "warm-up": lambda epochs: WarmUp(epochs / 10, CosineDecay(epochs * 0.9)),
}

WhichSchedule = Annotated[
    str,
    option(
        "NAME",
        "How the learning rate goes: constant; cosine, down to 0; stepwise, a tenth after each "
        "third; warm-up, up from 0 for a tenth, then cosine.",
    ),
]
Log = Annotated[Path | None, option("FILE", "Add a row per epoch to this file, as CSV.")]


def cells() -> dict[str, str]:
    """The kinds of recurrent layer, as --cell names them."""
    return {kind.lower(): kind for kind in sorted(recurrent_kinds())}


@contextmanager
def warnings_in_a_line(but: str = "") -> Iterator[None]:
    """Print each warning once, as a line on the error stream, when it is raised.

    One that begins with `but` is not printed.
    """
    shown: set[str] = set()

    def show(message: Warning | str, *where: Any, **details: Any) -> None:
        unwanted = but and str(message).startswith(but)
        if str(message) not in shown and not unwanted:
            shown.add(str(message))
            complain(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def check_save(save: Path | None) -> None:
    """Refuse a file that a model cannot be saved to, before hours of training."""
    if save is not None and check_folder(save).is_dir():
        raise ArgumentValueError(f"{save} is a folder: --save takes the name of a file.")


def check_unused(given: Mapping[str, object], why: str) -> None:
    """Refuse the first option that is given, with the reason."""
    for name, wish in given.items():
        if wish is not None and wish is not False:
            raise ArgumentValueError(f"{name} {why}.")


class Fitted(NamedTuple):
    """The history of a training, its checkpoint if it has one, and whether it resumed from it."""

    history: History
    checkpoint: Path | None
    resumed: bool

    def save(self, path: Path | None, content: Mapping[str, Any]) -> None:
        """Write the model to the path, if there is one, in place of the checkpoint."""
        if path is not None and self.checkpoint is not None:
            write_json(path, content, indent=2)
            self.checkpoint.unlink(missing_ok=True)

    def remarks(self, path: Path | None, command: str) -> list[str]:
        """What to say of the files: a training resumed, and the command that reads the model.

        In the command, {} stands for the path.
        """
        told = [f"Resumed from {self.checkpoint}, now deleted."] if self.resumed else []
        if path is not None:
            # A path like -.json would be taken for an option.
            file = f"./{path}" if str(path).startswith("-") else str(path)
            told.append(
                f"Model: {path}; to use it: autograd-rnn {command.format(shlex.quote(file))}"
            )
        return told


def fitted(
    model: Trainable,
    data: Data,
    save: Path | None,
    patience: int | None,
    schedule: str,
    log: Path | None,
    **options: Any,
) -> Fitted:
    """The history of a training whose checkpoint lies beside the file that the model will have.

    Ctrl-C ends the command with a line that says how to resume.  The best weights are put back.
    """
    made = SCHEDULES[as_choice(schedule, "--schedule", SCHEDULES)]
    options["schedule"] = None if made is None else made(options["epochs"])
    options["callbacks"] = [] if log is None else [CSVLog(log)]
    checkpoint = None if save is None else save.with_name(f"{save.name}.checkpoint")
    resumed = checkpoint is not None and checkpoint.exists()
    try:
        history = fit(
            model,
            data,
            patience=NEVER if patience is None else patience,
            checkpoint=checkpoint,
            **options,
        )
    except KeyboardInterrupt:
        words = "interrupted; nothing is kept without --save MODEL."
        if checkpoint is not None and checkpoint.exists():
            words = f"interrupted; to resume: autograd-rnn {shlex.join(sys.argv[1:])}"
        raise Interrupted(words) from None
    return Fitted(history, checkpoint, resumed)


# --- testing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tested:
    """How well a network does on labelled data: at telling classes apart, or at numbers.

    `errors` are, of numbers, the mean distance from the target and the root of its mean square, of
    the network and of always answering the mean target; None for classes.
    """

    found: Evaluation
    data: Dataset
    names: tuple[str, ...]
    errors: dict[str, tuple[float, float]] | None

    @property
    def majority(self) -> float:
        """The share of the largest class: what always answering it gets right."""
        return max(Counter(self.data.targets).values()) / len(self.data)

    @property
    def rows(self) -> list[dict[str, object]]:
        """A row per class, with precision, recall, F1, AUC and confusion, or per kind of error."""
        if self.errors is not None:
            names = ("network", "mean")
            return [
                {"answers": name, "sequences": len(self.data)}
                | {error: both[place] for error, both in self.errors.items()}
                for place, name in enumerate(names)
            ]
        found, rows = self.found, list[dict[str, object]]()
        for k, name in enumerate(self.names):
            row: dict[str, object] = {"class": name, "sequences": found.support[k]}
            row |= {"precision": found.precision[k], "recall": found.recall[k]}
            row |= {"f1": found.f1[k], "auc": found.auc[k]}
            taken = zip(self.names, found.confusion[k], strict=True)
            rows.append(row | {f"as {other}": count for other, count in taken})
        return rows

    @property
    def content(self) -> dict[str, object]:
        """It all as JSON."""
        about: dict[str, object] = {"sequences": len(self.data), "loss": self.found.loss}
        if self.errors is None:
            about |= {"accuracy": self.found.accuracy, "majority": self.majority}
            about |= {"classes": self.rows}
        else:
            about |= {"answers": self.rows}
        return {**about, "left_out": dict(self.data.left_out)}

    def print(self, title: str, remarks: Sequence[str] = ()) -> None:
        """Print a row for each class, and accuracy beside the majority, or the errors."""
        if self.errors is not None:
            table = make_table(title, "answers", "off by", "root mean square")
            for place, words in enumerate(("of the network", "always the mean")):
                table.add_row(words, *[f"{both[place]:.4g}" for both in self.errors.values()])
            print_table(table, *remarks)
            return
        found, names = self.found, self.names
        columns = ("class", "sequences", "precision", "recall", "AUC")
        others = [shorten(f"as {name}") for name in names]
        room = LINE - width_of(make_table("", max(names, key=len), *columns[1:]))
        # With many or long names it is in --json and --csv alone.
        fits = len(names) <= MOST_COLUMNS and sum([3 + len(one) for one in others]) <= room
        shown = [*names] if fits else []
        table = make_table(title, *columns, *others[: len(shown)])
        for k, name in enumerate(names):
            shares = (found.precision[k], found.recall[k], found.auc[k])
            cells = ["–" if share is None else f"{share:.3f}" for share in shares]
            cells += [str(found.confusion[k][other]) for other in range(len(shown))]
            table.add_row(shorten(name), str(found.support[k]), *cells)
        accuracy, largest = 100 * (found.accuracy or 0.0), 100 * self.majority
        told = f"Accuracy {accuracy:.1f} %; always the largest class: {largest:.1f} %."
        print_table(table, told, *remarks)


def tested(compiled: Any, data: Dataset, task: Task) -> Tested:
    """A compiled network on data."""
    batch = compiled.prepare(data.sequences, data.targets)
    found = compiled.run(batch, outputs=True)
    outputs, targets = found.outputs, batch.aims()
    errors = None
    if task.numeric:
        both = [abs(outputs - targets), abs(targets.mean() - targets)]
        errors = {
            "off_by": (float(both[0].mean()), float(both[1].mean())),
            "root_mean_square": (_root_mean_square(both[0]), _root_mean_square(both[1])),
        }
    return Tested(judged(compiled.loss, found.loss, outputs, targets), data, task.labels, errors)


def _root_mean_square(distances: Any) -> float:
    return math.sqrt((distances * distances).mean())


def left_out_remarks(left_out: Mapping[str, int]) -> list[str]:
    """How many sequences were left out, in a line for each reason.

    >>> left_out_remarks({"bad records": 1})
    ['Left out: 1 bad record.']
    """
    found = []
    for why, count in left_out.items():
        one = re.sub("(sequence|window|record)s", r"\1", why, count=1)
        found.append(f"Left out: {count} {one if count == 1 else why}.")
    return found
