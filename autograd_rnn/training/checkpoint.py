"""Checkpoints: files with all that an interrupted training needs to go on."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..arguments import as_floats, as_integer
from ..errors import ArgumentValueError, FolderNotFound
from ..files import write_whole
from .history import History

KIND: Final = "autograd_rnn training"


class Best(NamedTuple):
    """The epoch with the lowest validation loss so far, from 1, and its weights."""

    epoch: int
    loss: float
    weights: list[float]


class Moment(NamedTuple):
    """Where a training stands after a batch: so many epochs, and batches of the next one, done.

    The rest are sums over those batches: sequences met, their losses, outputs that hit and that
    were judged, and seconds.
    """

    weights: list[float]
    optimiser: dict[str, Any]
    epoch: int = 0
    batch: int = 0
    sequences: int = 0
    loss: float = 0.0
    hits: int = 0
    judged: int = 0
    seconds: float = 0.0
    best: Best | None = None

    @property
    def mean(self) -> float:
        """The mean loss of the sequences met."""
        return self.loss / self.sequences

    @property
    def accuracy(self) -> float | None:
        """The share of hits, or None where nothing was judged."""
        return self.hits / self.judged if self.judged else None


def write_checkpoint(
    path: str | os.PathLike[str], settings: dict[str, Any], moment: Moment, history: History
) -> None:
    """Write the file whole, or leave the one that was there."""
    parts = {"settings": settings, "moment": moment._asdict(), "history": vars(history)}
    write_whole(path, (json.dumps({"kind": KIND, **parts}) + "\n").encode())


def read_checkpoint(
    path: str | os.PathLike[str], settings: dict[str, Any], weights: int
) -> tuple[Moment, History] | None:
    """What was written under the same settings, or None where there is no file yet.

    `ValueError` for a file of something else, or of other settings, which it names.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FolderNotFound(f"there is no folder {str(path.parent)!r} for {path.name!r}.")
    if not path.exists():
        return None
    text = path.read_bytes()
    try:
        content = json.loads(text)
        if content["kind"] != KIND:
            raise ValueError(f"its kind is {content['kind']!r}")
        found = content["settings"]
        moment, history = _as_moment(content["moment"], weights), _as_history(content["history"])
        if len(history) != moment.epoch or not isinstance(found, dict):
            raise ValueError("its parts do not fit together")
    except KeyError as error:
        reason = f"{error} is missing"
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError) as error:
        reason = str(error)
    else:
        for name, value in settings.items():
            if found.get(name) != value:
                raise ArgumentValueError(
                    f"the checkpoint {str(path)!r} is of a training with other {name}: "
                    f"{found.get(name)!r}, not {value!r}. Delete it, or choose another path."
                )
        return moment, history
    raise ArgumentValueError(
        f"{str(path)!r} does not hold a checkpoint that `fit` wrote: {reason}. Delete it, or "
        f"choose another path."
    )


def _as_moment(content: Any, weights: int) -> Moment:
    moment = Moment(**content)
    best = None if moment.best is None else Best(*moment.best)
    for numbers in [moment.weights, *([best.weights] if best else [])]:
        if len(as_floats(numbers, "its weights")) != weights:
            raise ValueError(f"it has {len(numbers)} weights, not {weights}")
    counts = [moment.epoch, moment.batch, moment.sequences, moment.hits, moment.judged]
    for number in [*counts, *([best.epoch] if best else [])]:
        as_integer(number, "its counts", least=0)
    if (moment.batch > 0) != (moment.sequences > 0):
        raise ValueError("its counts do not fit together")
    as_floats([moment.loss, moment.seconds, best.loss if best else 0.0], "its sums")
    return moment._replace(best=best)


def _as_history(content: Any) -> History:
    history = History(**{name: as_floats(column, name) for name, column in content.items()})
    lengths = {len(column) for column in history.columns().values()}
    if len(lengths) > 1 or set(content) != {one.name for one in fields(history)}:
        raise ValueError("its history does not fit together")
    return history
