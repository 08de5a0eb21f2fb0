"""Sequences and targets to learn from: checked, shuffled, and divided into batches."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from ..arguments import as_integer, as_list, many
from ..backends.batch import Batch, as_batch
from ..backends.compile_step import CompiledStep
from ..backends.reading import listed
from ..backends.symbols import as_symbols
from ..data.dataset import as_sequence
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, LossFunction, check_target

MOST_STEPS: Final = 1 << 16  # of the sequences that are measured at once

#: A target of a sequence: a number, a vector, or at every step one of these.
Target: TypeAlias = float | Collection[float] | Collection[Collection[float]]
#: A vector per step; a number stands for a vector of one, or is a symbol.
Inputs: TypeAlias = Collection[float | Collection[float]]


class WithTargets(Protocol):
    """An object with sequences and targets, such as a `Dataset`."""

    @property
    def sequences(self) -> Collection[Inputs]: ...
    @property
    def targets(self) -> Collection[Target]: ...


#: The data of a training.
Data: TypeAlias = WithTargets | tuple[Collection[Inputs], Collection[Target]]


class Trainable(Protocol):
    """The model that `fit` takes."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def parameters(self) -> list[Value]: ...
    def compile(self, loss: LossFunction, /, *, at: str, backend: str) -> CompiledStep: ...


def as_trainable(model: Any) -> Trainable:
    """The model, as it is; `TypeError` if it lacks what is needed to train it."""
    for name in ("inputs", "outputs", "parameters", "compile"):
        if not hasattr(model, name):
            raise ArgumentTypeError(
                f"model must have inputs, outputs, parameters() and compile(), as RNN has: "
                f"{type(model).__name__} has no {name}."
            )
    trainable: Trainable = model
    return trainable


def compiled_for(
    model: Trainable, named: Mapping[str, Any], loss: Loss, *, at: str, engine: str, **options: Any
) -> tuple[CompiledStep, list[Any]]:
    """The model compiled, and data by their names, checked and as it takes them; None as it is."""
    sizes = {
        "inputs": as_integer(model.inputs, "model.inputs", least=0),
        "outputs": as_integer(model.outputs, "model.outputs", least=1),
    }
    examples = {
        name: as_examples(one, name, **sizes, loss=loss, every=at == "every")
        for name, one in named.items()
        if one is not None
    }
    # Only those that are given: other models need not know of devices.
    given = {name: one for name, one in options.items() if one is not None}
    compiled = model.compile(loss, at=at, backend=engine, **given)
    known = {name: compiled.arranged(one, f"{name}: targets") for name, one in examples.items()}
    return compiled, [known.get(name) for name in named]


def batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as places of examples; the seed and the epoch decide the order.

    So a training that resumes within an epoch has the same batches.

    >>> batches(5, 2, seed=0, epoch=1)
    [[4, 2], [1, 0], [3]]
    """
    order = list(range(count))
    random.Random(f"seed {seed}, epoch {epoch}").shuffle(order)
    return [order[start : start + size] for start in range(0, count, size)]


class Part(NamedTuple):
    """A batch, packed, of the sequences at these `places` of the data.

    Of streams it is a window that begins after step `start`; the states of those that are still
    going are in these `rows` of the states of all.
    """

    batch: Batch
    places: Sequence[int]
    start: int = 0
    rows: Any = None

    def carried(self, states: Any, found: Any) -> Any:
        """The states of all after those of a window were found."""
        if self.start:
            states = states.copy()
            states[self.rows] = found
            return states
        return found


def in_turn(count: int, size: int) -> list[range]:
    """The places of so many sequences, some after the others.

    >>> in_turn(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    return [range(start, min(count, start + size)) for start in range(0, count, size)]


def at_once(data: Batch, least: int) -> int:
    """How many sequences are measured at once, so that memory is bounded."""
    return max(least, MOST_STEPS // int(data.lengths.max()))


def parts_of(compiled: CompiledStep, data: Batch, order: Sequence[Sequence[int]]) -> Iterator[Part]:
    """The parts of the data at these places; all but the last are of one size."""
    if order:
        chosen = data.take([place for places in order for place in places])
        packed = compiled.prepare_parts(chosen, len(order[0]))
        yield from map(Part, packed, order)


def windows_of(
    compiled: CompiledStep,
    data: Batch,
    order: Sequence[Sequence[int]],
    size: int,
    *,
    done: int = 0,
    whole: bool = False,
) -> Iterator[Part]:
    """The windows of so many steps of the streams at these places, after the first `done`.

    With `whole`, the loss of each is its part of the mean over whole streams.
    """
    for places in order:
        windows = compiled.prepare_windows(data.take(places), size, whole=whole)
        for number, (rows, window) in enumerate(windows):
            done -= 1
            if done < 0:
                yield Part(window, [places[row] for row in rows], number * size, rows)


def fingerprint(batch: Batch) -> str:
    """A short text that differs if the data differ."""
    digest = hashlib.sha256()
    digest.update(f"{batch.number}".encode())
    for array in (batch.inputs, batch.starts, batch.targets, batch.goals):
        digest.update(f"{array.shape}".encode() + array.tobytes())
    return f"{len(batch)} sequences, {digest.hexdigest()[:12]}"


def as_examples(
    data: Data, argument: str, *, inputs: int, outputs: int, loss: Loss, every: bool
) -> Batch:
    """The batch of a pair (sequences, targets), or of an object that has both as attributes.

    `ValueError` with the place of an empty sequence, a vector of another size, or a target that
    does not fit the loss.
    """
    pair: Any = data
    if hasattr(pair, "sequences") and hasattr(pair, "targets"):
        pair = (pair.sequences, pair.targets)
    elif not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ArgumentTypeError(
            f"{argument} must be a pair (sequences, targets), or have both as attributes, not "
            f"{type(data).__name__}."
        )
    for name, part in zip(("sequences", "targets"), pair, strict=True):
        if hasattr(part, "__next__"):
            raise ArgumentTypeError(
                f"{argument}: {name} must be a list, not {type(part).__name__}, which can be read "
                f"only once: write list(...) around it."
            )
    sequences = as_list(pair[0], f"{argument}: sequences")
    targets = as_list(pair[1], f"{argument}: targets")
    if not sequences or len(sequences) != len(targets):
        raise ArgumentValueError(
            f"{argument} must have as many sequences as targets, and one or more: there are "
            f"{len(sequences)} and {len(targets)}."
        )
    names = (sequences, targets, argument)
    try:
        # As it was given: whether rows are of one array decides what symbols may be.
        given = pair[0] if getattr(pair[0], "ndim", 1) == 2 else sequences
        batch = as_batch(given, targets, every=every, symbols=inputs)
        for goals in {*map(tuple, batch.targets[1:].tolist())}:
            check_target(loss, goals, outputs, argument)
    except (TypeError, ValueError):
        _refuse(*names, inputs=inputs, outputs=outputs, loss=loss, every=every)
        raise
    if batch.entries != inputs:
        _refuse(*names, inputs=inputs, outputs=outputs, loss=loss, every=every)
    _check_finite(batch.inputs, batch.starts, f"{argument}: sequences", steps=True)
    _check_finite(batch.targets, batch.goals, f"{argument}: targets", steps=every)
    return batch


def _check_finite(rows: Any, starts: Any, name: str, *, steps: bool) -> None:
    """`ValueError` naming the place of the first NaN or infinity in rows of numbers."""
    import numpy as np

    finite = np.isfinite(rows.reshape(len(rows), -1))
    if finite.all():
        return
    row, entry = np.argwhere(~finite)[0].tolist()
    place = int(np.searchsorted(starts, row, side="right")) - 1
    where = f"{name}[{place}]" + f"[{row - starts[place]}]" * steps
    where += f"[{entry}]" * (finite.shape[1] > 1)
    raise ArgumentValueError(
        f"{where} is {float(rows[row].flat[entry])!r}, from which nothing can be learnt: put a "
        f"number in its place, or leave the sequence out."
    )


def _refuse(
    sequences: list[Any],
    targets: list[Any],
    argument: str,
    *,
    inputs: int,
    outputs: int,
    loss: Loss,
    every: bool,
) -> None:
    """Raise the error that names the first place where the data do not fit."""
    sizes: set[int] = set()
    for place, (sequence, target) in enumerate(zip(sequences, targets, strict=True)):
        name = f"{argument}: sequences[{place}]"
        steps = as_symbols(sequence, inputs, name) if inputs > 1 else None
        if steps is None or not len(steps):
            steps = as_sequence(sequence, name)
            for k, x in enumerate(steps):
                if len(x) != inputs:
                    has = f"{name}[{k}] has {len(x)} entries"
                    raise ArgumentValueError(f"{has}, but the model has {many(inputs, 'input')}.")
        name = f"{argument}: targets[{place}]"
        goals = as_list(listed(target), name) if every else [listed(target)]
        if every and len(goals) != len(steps):
            raise ArgumentValueError(
                f"{name} has {len(goals)} entries for {len(steps)} steps: at='every' needs a "
                f"target per step."
            )
        for k, goal in enumerate(goals):
            sizes.add(check_target(loss, goal, outputs, f"{name}[{k}]" if every else name))
            if len(sizes) > 1:
                raise ArgumentValueError(
                    f"{name} is not like the targets before: the sizes {sorted(sizes)} are mixed."
                )
