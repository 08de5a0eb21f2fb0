"""Losses of an output and its target, on numbers and on Values, and what counts as a hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ..arguments import as_float, many
from ..errors import ArgumentTypeError, ArgumentValueError
from .functions import dot, logsumexp
from .table import equal, softplus


def squared_error(output: Any, target: Any) -> Any:
    """(target − output)², summed over the entries of vectors.

    `ValueError` for vectors that differ in size.

    >>> squared_error([1.0, 2.0], [3.0, 5.0])
    13.0
    """
    differences = [goal - entry for entry, goal in _pairs(output, target)]
    return _sum([difference * difference for difference in differences])


def binary_cross_entropy(output: Any, target: Any) -> Any:
    """−log of the probability of the target, where σ(output) is that of 1: summed over entries.

    The outputs are logits, any real numbers, and a target is from 0 to 1.  As target·softplus(−z)
    + (1 − target)·softplus(z) it overflows for no logit.  `ValueError` for vectors that differ in
    size.

    >>> binary_cross_entropy(0.0, 1)
    0.6931471805599453
    >>> binary_cross_entropy(-1000.0, 1)
    1000.0
    """
    return _sum(
        [goal * softplus(-z) + (1.0 - goal) * softplus(z) for z, goal in _pairs(output, target)]
    )


def cross_entropy(outputs: Any, target: Any) -> Any:
    """−log of the probability of the target's class, the classes having those of softmax(outputs).

    The outputs are logits, one per class, two or more.  The target is the number of a class from 0,
    or a probability per class: log Σ exp(zᵢ) − Σ tᵢ·zᵢ.  `ValueError` for another number of
    probabilities.

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([1000.0, -1000.0], [0.0, 1.0])
    2000.0
    """
    logits, goals = _entries(outputs, "outputs"), _entries(target, "target")
    if len(logits) < 2:
        raise ArgumentValueError(
            "outputs must be two or more logits, one per class: for the logit of yes or no, take "
            "binary_cross_entropy."
        )
    if len(goals) == 1:
        # By the table's op, so that a recording serves every class.
        goals = [equal(goals[0], float(place)) for place in range(len(logits))]
    _check_sizes(logits, goals)
    return logsumexp(logits) - dot(goals, logits)


LOSSES: Final[dict[str, Callable[..., Any]]] = {
    "squared_error": squared_error,
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}

# --- entries -------------------------------------------------------------------------------------


def _entries(given: Any, argument: str) -> list[Any]:
    """The numbers and Values of a vector, or of what stands for a vector of one."""
    entries = given if hasattr(given, "__len__") and not isinstance(given, str) else [given]
    if isinstance(entries, dict | set | bytes) or getattr(entries, "shape", None) == ():
        raise ArgumentTypeError(
            f"{argument} must be a number or a list of numbers, not {type(given).__name__}."
        )
    return [
        entry if hasattr(entry, "_apply_op") else as_float(entry, argument) for entry in entries
    ]


def _pairs(output: Any, target: Any) -> list[tuple[Any, Any]]:
    outputs, goals = _entries(output, "output"), _entries(target, "target")
    _check_sizes(outputs, goals)
    return list(zip(outputs, goals, strict=True))


def _check_sizes(outputs: Sequence[Any], goals: Sequence[Any]) -> None:
    if not outputs:
        raise ArgumentValueError("the output is empty: a loss needs one number or more.")
    if len(outputs) != len(goals):
        raise ArgumentValueError(
            f"the output has {len(outputs)} entries, but the target {len(goals)}."
        )


def _sum(terms: list[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


# --- hits and targets, of the losses above -------------------------------------------------------


def is_hit(loss: Callable[..., Any], output: Any, target: Any) -> bool | None:
    """Whether an output of numbers says what the target says; None for a loss that cannot tell.

    Of binary cross entropy every logit has the sign of its target, above ½ or not; of cross
    entropy the largest logit is the target's class, or its most probable one.

    >>> is_hit(cross_entropy, [0.5, 2.0, 1.0], 1), is_hit(squared_error, 1.0, 1.0)
    (True, None)
    """
    if loss not in HITS:
        return None
    return HITS[loss](_entries(output, "output"), _entries(target, "target"))


def _hits_sides(logits: list[float], goals: list[float]) -> bool:
    return [z > 0.0 for z in logits] == [goal > 0.5 for goal in goals]


def _hits_class(logits: list[float], goals: list[float]) -> bool:
    return _largest(logits) == (goals[0] if len(goals) == 1 else _largest(goals))


def _largest(numbers: list[float]) -> int:
    return max(range(len(numbers)), key=numbers.__getitem__)


HITS: Final[dict[Callable[..., Any], Callable[..., bool]]] = {
    binary_cross_entropy: _hits_sides,
    cross_entropy: _hits_class,
}


def check_target(loss: Callable[..., Any], target: Any, outputs: int, argument: str) -> int:
    """The number of entries of a target that fits so many outputs; else `ValueError`.

    It names `argument`.  A loss of the caller's own may have any target of numbers.
    """
    goals = _entries(target, argument)
    if loss in CHECKS:
        CHECKS[loss](goals, outputs, argument)
    return len(goals)


def _check_size(goals: list[float], outputs: int, argument: str) -> None:
    if len(goals) != outputs:
        raise ArgumentValueError(
            f"{argument} has {len(goals)} entries, but the model has {many(outputs, 'output')}."
        )


def _check_sides(goals: list[float], outputs: int, argument: str) -> None:
    _check_size(goals, outputs, argument)
    for goal in goals:
        if not 0.0 <= goal <= 1.0:
            raise ArgumentValueError(
                f"{argument} must be from 0 to 1 for binary_cross_entropy, not {goal!r}."
            )


def _check_class(goals: list[float], outputs: int, argument: str) -> None:
    if len(goals) == 1:
        if not (goals[0].is_integer() and 0 <= goals[0] < outputs):
            raise ArgumentValueError(
                f"{argument} must be the number of a class from 0 to {outputs - 1} for "
                f"cross_entropy, not {goals[0]!r}."
            )
        return
    _check_size(goals, outputs, argument)
    if not (min(goals) >= 0.0 and abs(sum(goals) - 1.0) <= 1e-6):
        raise ArgumentValueError(
            f"{argument} must be the number of a class, or probabilities that add up to 1, "
            f"for cross_entropy."
        )


CHECKS: Final[dict[Callable[..., Any], Callable[..., None]]] = {
    squared_error: _check_size,
    binary_cross_entropy: _check_sides,
    cross_entropy: _check_class,
}
