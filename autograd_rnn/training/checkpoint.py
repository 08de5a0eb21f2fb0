"""Checkpoints: files from which an interrupted training can be resumed."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..arguments import as_floats, as_integer
from ..errors import ArgumentValueError
from ..files import check_folder, read_json, write_json
from .history import History

KIND: Final = "autograd_rnn training"
WAY_OUT: Final = "Delete it, or choose another path."


class Best(NamedTuple):
    """The epoch with the lowest validation loss so far, from 1, and its weights."""

    epoch: int
    loss: float
    weights: Any


class Moment(NamedTuple):
    """The state of a training after a batch: `epoch` epochs, and `batch` batches of the next, done.

    It began after the `first` epochs, which an optimiser had made before.  A callback has `stopped`
    it, or not.
    `weights` is an array, and `optimiser` what an optimiser keeps; `states` has a row for each of
    the streams that are being learnt, if there are.  `sequences`, `loss`, `hits`,
    `judged` (the outputs that were judged) and `seconds` are sums over those batches.
    """

    weights: Any
    optimiser: dict[str, Any]
    epoch: int = 0
    batch: int = 0
    sequences: int = 0
    loss: float = 0.0
    hits: int = 0
    judged: int = 0
    seconds: float = 0.0
    best: Best | None = None
    states: Any = None
    first: int = 0
    stopped: bool = False

    @property
    def mean(self) -> float:
        """The mean loss of the sequences."""
        return self.loss / self.sequences

    @property
    def accuracy(self) -> float | None:
        """The share of hits, or None if nothing was judged."""
        return self.hits / self.judged if self.judged else None


def write_checkpoint(
    path: str | os.PathLike[str], settings: dict[str, Any], moment: Moment, history: History
) -> None:
    """Write the file whole, or leave the one that was there."""
    parts = {"settings": settings, "moment": moment._asdict(), "history": vars(history)}
    write_json(path, {"kind": KIND, **parts})


def read_checkpoint(
    path: str | os.PathLike[str], settings: dict[str, Any], weights: int
) -> tuple[Moment, History] | None:
    """The moment and the history in a file, or None if there is no file yet.

    `ValueError` for a file of another kind, and for one of other settings, which it names.
    """
    check_folder(path)
    if not Path(path).exists():
        return None
    what = "a checkpoint that `fit` wrote"
    found, moment, history = read_json(path, what, lambda c: _parts(c, weights), f". {WAY_OUT}")
    for name, value in settings.items():
        if found.get(name) != value:
            raise ArgumentValueError(
                f"the checkpoint {str(path)!r} is of a training with other {name}: "
                f"{found.get(name)!r}, not {value!r}. {WAY_OUT}"
            )
    return moment, history


def _parts(content: Any, weights: int) -> tuple[dict[str, Any], Moment, History]:
    """The settings, the moment and the history in the content of a checkpoint, checked."""
    import numpy as np

    if content["kind"] != KIND:
        raise ValueError(f"its kind is {content['kind']!r}")
    settings, columns = content["settings"], content["history"]
    moment, history = Moment(**content["moment"]), History(**columns)
    best = Best(0, 0.0, moment.weights) if moment.best is None else Best(*moment.best)
    arrays = []
    for numbers in (moment.weights, best.weights):
        if len(as_floats(numbers, "its weights")) != weights:
            raise ValueError(f"it has {len(numbers)} weights, not {weights}")
        arrays.append(np.array(numbers, dtype=float))
    if moment.states is not None:
        rows = [as_floats(row, "its states") for row in moment.states]
        moment = moment._replace(states=np.array(rows, dtype=float).reshape(len(rows), -1))
    moment, best = moment._replace(weights=arrays[0]), best._replace(weights=arrays[1])
    counts = (moment.epoch, moment.batch, moment.sequences, moment.hits, moment.judged, best.epoch)
    for count in (*counts, moment.first):
        as_integer(count, "its counts", least=0)
    as_floats([moment.loss, moment.seconds, best.loss], "its sums")
    if (moment.batch > 0) != (moment.sequences > 0):
        raise ValueError("its counts do not fit together")
    lengths = {len(as_floats(column, name)) for name, column in columns.items()} - {0}
    if len(lengths) > 1 or set(columns) != {one.name for one in fields(history)}:
        raise ValueError("its history does not fit together")
    if len(history) != moment.epoch - moment.first or not isinstance(settings, dict):
        raise ValueError("its parts do not fit together")
    return settings, moment if moment.best is None else moment._replace(best=best), history
