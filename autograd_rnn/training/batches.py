"""Sequences and targets to learn from: checked, shuffled, and divided into batches."""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Collection
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..arguments import as_list, many
from ..data.dataset import Dataset, as_sequence
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, check_target

#: A target of a sequence: a number, a vector, or at every step one of these.
Target: TypeAlias = float | Collection[float] | Collection[Collection[float]]
#: A vector per step; a number stands for a vector of one.
Inputs: TypeAlias = Collection[float | Collection[float]]


class WithTargets(Protocol):
    """An object with sequences and targets, such as a `Dataset`."""

    @property
    def sequences(self) -> Collection[Inputs]: ...
    @property
    def targets(self) -> Collection[Target]: ...


#: The data of a training.
Data: TypeAlias = WithTargets | tuple[Collection[Inputs], Collection[Target]]


class Examples(NamedTuple):
    """One or more sequences, and a target for each."""

    sequences: list[Any]
    targets: list[Any]

    def fingerprint(self) -> str:
        """A short text that differs if the data differ."""
        digest = hashlib.sha256()
        for part in self:
            digest.update(b"part")
            for entry in part:
                numbers = array("d")
                _flatten(entry, numbers)
                digest.update(len(numbers).to_bytes(8, "little") + numbers.tobytes())
        return digest.hexdigest()[:16]


def _flatten(entry: Any, numbers: array[float]) -> None:
    if hasattr(entry, "__len__"):
        for one in entry:
            _flatten(one, numbers)
    else:
        numbers.append(float(entry))


def batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as places of examples; the seed and the epoch decide the order.

    So a training that resumes within an epoch has the same batches.

    >>> batches(5, 2, seed=0, epoch=1)
    [[4, 2], [1, 0], [3]]
    """
    order = list(range(count))
    random.Random(f"seed {seed}, epoch {epoch}").shuffle(order)
    return [order[start : start + size] for start in range(0, count, size)]


def as_examples(
    data: Data, argument: str, *, inputs: int, outputs: int, loss: Loss, every: bool
) -> Examples:
    """The examples of a pair (sequences, targets), or of an object that has both as attributes.

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
    sizes: set[int] = set()
    for place, (sequence, target) in enumerate(zip(sequences, targets, strict=True)):
        name = f"{argument}: sequences[{place}]"
        # The numbers of a Dataset have been checked.
        steps = sequence if isinstance(data, Dataset) else as_sequence(sequence, name)
        for k, x in enumerate(steps):
            if len(x) != inputs:
                raise ArgumentValueError(
                    f"{name}[{k}] has {len(x)} entries, but the model has {many(inputs, 'input')}."
                )
        name = f"{argument}: targets[{place}]"
        goals = as_list(target, name) if every else [target]
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
        # An array stays one: its numbers are packed much faster.
        if not hasattr(sequence, "__len__"):
            sequences[place] = steps
        if every:
            targets[place] = goals
    return Examples(sequences, targets)
