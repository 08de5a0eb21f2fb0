"""Checkpoints: files from which an interrupted training resumes, and what tells trainings apart."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from ..arguments import as_floats, as_integer
from ..engine.value import Value
from ..errors import ArgumentValueError
from ..files import check_folder, read_json, write_json
from ..networks.model import Model
from .history import History

KIND: Final = "autograd_rnn training"
WAY_OUT: Final = "Delete it, or choose another path."
OURS: Final = __name__.partition(".")[0]
#: What is in methods, and in what is made of functions.
WRAPPERS: Final[dict[type[Any], tuple[str, ...]]] = {
    MethodType: ("__func__", "__self__"),
    functools.partial: ("func", "args", "keywords"),
    property: ("fget", "fset"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
}
PLAIN: Final = (int, float, complex, str, bytes, list, tuple, Mapping, Set, Value, *WRAPPERS)
#: Longer lists of numbers are told apart by a digest.
MOST_SHOWN: Final = 20


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
    what, here = "a checkpoint that `fit` wrote", json.loads(json.dumps(settings))

    def made(content: Any) -> list[str] | tuple[Moment, History]:
        if content["kind"] != KIND:
            raise ValueError(f"its kind is {content['kind']!r}")
        if not isinstance(content["settings"], dict):
            raise ValueError("its settings are none")
        return [*_differences(content["settings"], here)] or _parts(content, weights)

    found = read_json(path, what, made, f". {WAY_OUT}")
    if isinstance(found, list):
        raise ArgumentValueError(
            f"the checkpoint {str(path)!r} is of another training: {'; '.join(found[:3])}. "
            f"{WAY_OUT}"
        )
    return found


def _parts(content: Any, weights: int) -> tuple[Moment, History]:
    """The moment and the history in the content of a checkpoint, checked."""
    import numpy as np

    columns = content["history"]
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
    if len(history) != moment.epoch - moment.first:
        raise ValueError("its parts do not fit together")
    return moment if moment.best is None else moment._replace(best=best), history


# --- what tells trainings apart ------------------------------------------------------------------


def identity(thing: Any, met: tuple[int, ...] = ()) -> Any:
    """What tells a model, a loss or a setting from others, as JSON can hold it.

    Functions and classes from outside of the package are told apart by their compiled code, and by
    what that reads: defaults, captured variables, and globals of the same module.  The numbers of
    variables are left out, since they change.

    >>> from autograd_rnn import RNN
    >>> identity(RNN.random(2, 1))["activation"], identity(RNN.random(2, 1))["weights"]
    ('tanh', '4 x 2 weights')
    """
    if isinstance(thing, float):
        return thing if math.isfinite(thing) else repr(thing)
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, bytes | complex):
        return repr(thing)
    if id(thing) in met:
        return "itself"
    parts = functools.partial(identity, met=(*met, id(thing)))
    if isinstance(thing, Value):
        return f"constant {thing.data!r}" if thing.constant else "a variable"
    if isinstance(thing, Mapping):
        return {str(key): parts(value) for key, value in thing.items()}
    if isinstance(thing, Set):
        return sorted([json.dumps(parts(one)) for one in thing])
    if isinstance(thing, list | tuple):
        return _of_list(thing, [parts(one) for one in thing])
    if hasattr(thing, "dtype") and hasattr(thing, "tolist"):
        return f"array of {thing.dtype}, {_digest(thing.tolist())}"
    if isinstance(thing, FunctionType | type):
        return _of_code(thing, parts)
    if isinstance(thing, CodeType):
        return [thing.co_code.hex(), list(thing.co_names), *map(parts, thing.co_consts)]
    for kind, names in WRAPPERS.items():
        if isinstance(thing, kind):
            return [parts(getattr(thing, name)) for name in names]
    if not hasattr(thing, "__dict__") or isinstance(thing, ModuleType):
        return getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__)
    sizes = {}
    if isinstance(thing, Model):
        sizes = {name: getattr(thing, name) for name in ("inputs", "states", "outputs")}
    return {"kind": parts(type(thing)), **sizes, **parts(vars(thing))}


def _of_list(things: Sequence[Any], found: list[Any]) -> Any:
    """The identity of a list: its shape if it is one of Values, a digest of many numbers."""
    if things and all(isinstance(one, Value) for one in things):
        return f"{len(things)} weights"
    shapes = {str(one) for one in found}
    if len(shapes) == 1 and isinstance(things[0], list | tuple) and isinstance(found[0], str):
        return f"{len(things)} x {found[0]}"
    if len(found) > MOST_SHOWN and all(isinstance(entry, int | float) for entry in found):
        return f"{len(found)} numbers, {_digest(found)}"
    return found


def _of_code(thing: Any, parts: Any) -> str:
    """The identity of a function or a class: its name, and unless it is ours its code."""
    if _home(thing) in (OURS, "builtins"):
        return str(thing.__name__)
    if isinstance(thing, type):
        content: Any = [
            {key: parts(member) for key, member in vars(one).items() if _is_own(key)}
            for one in thing.__mro__
            if _home(one) not in (OURS, "builtins")
        ]
    else:
        code, known = thing.__code__, thing.__globals__
        free = zip(code.co_freevars, thing.__closure__ or (), strict=True)
        content = [
            *(parts(code), parts(thing.__defaults__), parts(thing.__kwdefaults__)),
            {key: _read(_content(cell), thing, parts) for key, cell in free},
            {key: _read(known[key], thing, parts) for key in code.co_names if key in known},
        ]
    return f"{thing.__name__}, its code {_digest(content)}"


def _home(thing: Any) -> str:
    """The package of a function or a class."""
    return (thing.__module__ or "").partition(".")[0]


def _is_own(key: str) -> bool:
    """Whether a member of a class is of its author, and not of Python."""
    return key in ("__init__", "__call__") or not key.startswith("__")


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has none yet
        return None


def _read(thing: Any, reader: Any, parts: Any) -> Any:
    """The identity of what a function reads; of what other packages make it is the name alone."""
    if isinstance(thing, PLAIN) or hasattr(thing, "dtype"):
        return parts(thing)
    made = thing if isinstance(thing, FunctionType | type) else type(thing)
    if _home(made) == OURS or made.__module__ == reader.__module__:
        return parts(thing)
    return f"{made.__module__}.{made.__qualname__}"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _differences(found: Any, here: Any, place: str = "") -> Iterator[str]:
    """Where two identities differ, in words."""
    if isinstance(found, dict) and isinstance(here, dict):
        for key in {**found, **here}:
            dot = ": " if place and ":" not in place else "."
            name = f"{place}{dot}{key}" if place else key
            yield from _differences(found.get(key), here.get(key), name)
    elif isinstance(found, list) and isinstance(here, list) and len(found) == len(here):
        for index, (one, other) in enumerate(zip(found, here, strict=True)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif found != here:
        yield f"{place} is {_brief(found)}, here {_brief(here)}"


def _brief(thing: Any) -> str:
    """A thing in few words."""
    if isinstance(thing, dict):
        return str(thing.get("kind", "another"))
    if isinstance(thing, list):
        return f"a list of {len(thing)}"
    return thing if isinstance(thing, str) else repr(thing)
