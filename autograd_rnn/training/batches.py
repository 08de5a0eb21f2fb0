"""Sequences and targets to learn from: checked, shuffled, and divided into batches."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection
from typing import Any, Protocol, TypeAlias

from ..arguments import as_list, many
from ..backends.batch import Batch, as_batch
from ..backends.symbols import as_symbols
from ..data.dataset import as_sequence
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, check_target

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


def batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as places of examples; the seed and the epoch decide the order.

    So a training that resumes within an epoch has the same batches.

    >>> batches(5, 2, seed=0, epoch=1)
    [[4, 2], [1, 0], [3]]
    """
    order = list(range(count))
    random.Random(f"seed {seed}, epoch {epoch}").shuffle(order)
    return [order[start : start + size] for start in range(0, count, size)]


def fingerprint(batch: Batch) -> str:
    """A short text that differs if the data differ."""
    digest = hashlib.sha256()
    for array in (batch.inputs, batch.starts, batch.targets, batch.goals):
        digest.update(f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


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
    sequences = as_list(pair[0], f"{argument}: sequences")
    targets = as_list(pair[1], f"{argument}: targets")
    if not sequences or len(sequences) != len(targets):
        raise ArgumentValueError(
            f"{argument} must have as many sequences as targets, and one or more: there are "
            f"{len(sequences)} and {len(targets)}."
        )
    names = (sequences, targets, argument)
    try:
        batch = as_batch(sequences, targets, every=every, symbols=inputs)
        for goals in {*map(tuple, batch.targets[1:].tolist())}:
            check_target(loss, goals, outputs, argument)
    except (TypeError, ValueError):
        _refuse(*names, inputs=inputs, outputs=outputs, loss=loss, every=every)
        raise
    if batch.entries != inputs:
        _refuse(*names, inputs=inputs, outputs=outputs, loss=loss, every=every)
    return batch


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
            steps = as_sequence(_listed(sequence), name)
            for k, x in enumerate(steps):
                if len(x) != inputs:
                    has = f"{name}[{k}] has {len(x)} entries"
                    raise ArgumentValueError(f"{has}, but the model has {many(inputs, 'input')}.")
        name = f"{argument}: targets[{place}]"
        goals = as_list(_listed(target), name) if every else [_listed(target)]
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


def _listed(numbers: Any) -> Any:
    """An array as lists of its numbers; anything else as it is."""
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers
