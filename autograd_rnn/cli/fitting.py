"""What the commands that train have in common: layers by name, a fit that can be interrupted."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ..arguments import as_choice
from ..backends.backend import backend_names
from ..errors import ArgumentValueError
from ..files import check_folder, write_json
from ..networks.serialise import recurrent_kinds
from ..training.batches import Data, Trainable
from ..training.fit import fit
from ..training.history import History
from ..training.progress import CSVLog
from ..training.schedules import CosineDecay, Schedule, StepDecay, WarmUp
from .options import option
from .terminal import Interrupted, complain

# More epochs than any training has: it never stops early, but the best weights are put back.
NEVER = 1_000_000

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
Engine = Annotated[str, option("NAME", f"The backend that computes: {', '.join(backend_names())}.")]


def cells() -> dict[str, str]:
    """The kinds of recurrent layer, as --cell names them."""
    return {kind.lower(): kind for kind in sorted(recurrent_kinds())}


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
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
        """What to say of the files: a training resumed, and the command that reads the model."""
        told = [f"Resumed from {self.checkpoint}, now deleted."] if self.resumed else []
        if path is not None:
            told.append(f"Model: {path}; to use it: autograd-rnn {command}")
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
