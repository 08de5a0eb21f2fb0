"""Sequences and their targets to learn from: checked at the door, shuffled, and in batches."""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..arguments import as_float, many
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import check_target


class Examples(NamedTuple):
    """As many sequences as targets, one or more."""

    sequences: list[Any]
    targets: list[Any]

    def fingerprint(self) -> str:
        """A short text, another one for other data."""
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
    """The places of an epoch's examples in batches, shuffled by the seed and the epoch alone.

    So an epoch that is begun again has the same batches, with no state of a generator to be kept.

    >>> batches(5, 2, seed=0, epoch=1)
    [[4, 2], [1, 0], [3]]
    """
    order = list(range(count))
    random.Random(f"seed {seed}, epoch {epoch}").shuffle(order)
    return [order[start : start + size] for start in range(0, count, size)]


def as_examples(
    data: Any,
    argument: str,
    *,
    inputs: int,
    outputs: int,
    loss: Callable[..., Any],
    every: bool,
) -> Examples:
    """The examples of a pair (sequences, targets), or of what has both as attributes.

    `ValueError` naming the place for an empty sequence, a vector of another size, or a target that
    does not fit the loss.
    """
    if hasattr(data, "sequences") and hasattr(data, "targets"):
        parts = (data.sequences, data.targets)
    elif isinstance(data, tuple | list) and len(data) == 2:
        parts = (data[0], data[1])
    else:
        raise ArgumentTypeError(
            f"{argument} must be a pair (sequences, targets), or have both as attributes, not "
            f"{type(data).__name__}."
        )
    sequences, targets = [
        list(_listed(part, f"{argument}: {name}"))
        for part, name in zip(parts, ("sequences", "targets"), strict=True)
    ]
    if not sequences or len(sequences) != len(targets):
        raise ArgumentValueError(
            f"{argument} must have as many sequences as targets, and one or more: there are "
            f"{len(sequences)} and {len(targets)}."
        )
    sizes: set[int] = set()
    for place, (sequence, target) in enumerate(zip(sequences, targets, strict=True)):
        _check_sequence(sequence, inputs, f"{argument}: sequences[{place}]")
        name = f"{argument}: targets[{place}]"
        if every and len(_listed(target, name)) != len(sequence):
            raise ArgumentValueError(
                f"{name} has {len(target)} entries for {len(sequence)} steps: at='every' needs a "
                f"target per step."
            )
        for k, goal in enumerate(target if every else [target]):
            sizes.add(check_target(loss, goal, outputs, f"{name}[{k}]" if every else name))
            if len(sizes) > 1:
                raise ArgumentValueError(
                    f"{name} is not like the targets before: the sizes {sorted(sizes)} are mixed."
                )
    return Examples(sequences, targets)


def _check_sequence(sequence: Any, inputs: int, argument: str) -> None:
    if not len(_listed(sequence, argument)):
        raise ArgumentValueError(f"{argument} is empty: it has no output. Leave it out.")
    for k, x in enumerate(sequence):
        vector = hasattr(x, "__len__") and not isinstance(x, str)
        entries = _listed(x, f"{argument}[{k}]") if vector else [x]
        if len(entries) != inputs:
            raise ArgumentValueError(
                f"{argument}[{k}] has {len(entries)} entries, but the model has "
                f"{many(inputs, 'input')}."
            )
        for entry in entries:
            as_float(entry, f"{argument}[{k}]")


def _listed(given: Any, argument: str) -> Sequence[Any]:
    """What has a length and an order; `TypeError` for the rest."""
    if isinstance(given, str | bytes | dict | set | frozenset) or not (
        hasattr(given, "__len__") and hasattr(given, "__getitem__")
    ):
        raise ArgumentTypeError(f"{argument} must be a list, not {type(given).__name__}.")
    listed: Sequence[Any] = given
    return listed
