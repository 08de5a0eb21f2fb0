"""Losses: functions of an output and its target, the targets that fit, and right answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import mul
from typing import Any, Final, TypeAlias

from ..arguments import as_choice, as_float, as_floats, as_function, as_text, many
from ..errors import ArgumentTypeError, ArgumentValueError, RecordingError
from .functions import Entry, dot, logsumexp, summed, where
from .op import Operand, as_scalar
from .table import equal, softplus

#: A vector of numbers or Values: a list, a tuple, an array.  A number stands for a vector of one.
Vector: TypeAlias = Entry | Collection[Entry]
#: A user's loss: a function of an output, which is a Value or a tuple of them, and a target.
LossFunction: TypeAlias = Callable[[Any, Any], Any]


def squared_error(output: Vector[Entry], target: Vector[Operand | float]) -> Entry:
    """(target − output)², summed over the entries of vectors.

    `ValueError` for vectors that differ in size.

    >>> squared_error([1.0, 2.0], [3.0, 5.0])
    13.0
    """
    differences = [goal - entry for entry, goal in _pairs(output, target)]
    loss: Entry = summed([difference * difference for difference in differences])
    return loss


def binary_cross_entropy(output: Vector[Entry], target: Vector[Operand | float]) -> Entry:
    """−log of the probability of the target, where σ(output) is that of 1: summed over entries.

    The outputs are logits, any real numbers, and a target is from 0 to 1.  Computed without
    overflow, as target·softplus(−z) + (1 − target)·softplus(z).  `ValueError` for vectors that
    differ in size, and for a number that is not such a target.

    >>> binary_cross_entropy(-1000.0, 1)
    1000.0
    """
    loss: Entry = _binary_cross_entropy(output, target, None)
    return loss


def _binary_cross_entropy(output: Any, target: Any, weights: Sequence[float] | None) -> Any:
    """The same with `weights` of the targets 0 and 1."""
    if weights is not None and len(weights) != 2:
        raise ArgumentValueError(
            f"weights must be two numbers for binary_cross_entropy, of the targets 0 and 1, not "
            f"{len(weights)}."
        )
    pairs = _pairs(output, target)
    goals = [goal for _, goal in pairs]
    numbers = [number for number in map(_number, goals) if number is not None]
    _check_sides(numbers, None, "target", _slack(goals))
    sides = [(goal * softplus(-z), (1.0 - goal) * softplus(z)) for z, goal in pairs]
    if weights is not None:
        sides = [(yes * weights[1], no * weights[0]) for yes, no in sides]
    return summed([yes + no for yes, no in sides])


def cross_entropy(outputs: Vector[Entry], target: Vector[Operand | float]) -> Entry:
    """−log of the probability of the target's class, where softmax(outputs) is that of each class.

    The outputs are logits, one per class, two or more.  The target is the number of a class, from
    0, or a probability per class: log Σ exp(zᵢ) − Σ tᵢ·zᵢ.  `ValueError` for another number of
    probabilities, and for numbers that are not such a target.

    >>> cross_entropy([1000.0, -1000.0], 1)
    2000.0
    """
    loss: Entry = _cross_entropy(outputs, target, None)
    return loss


def _cross_entropy(outputs: Any, target: Any, weights: Sequence[float] | None) -> Any:
    """The same with `weights` of the classes: Σ wᵢ·tᵢ·(log Σ exp(zⱼ) − zᵢ)."""
    logits, goals = _entries(outputs, "outputs"), _entries(target, "target")
    if len(logits) < 2:
        raise ArgumentValueError(
            "outputs must be two or more logits, one per class: for the logit of yes or no, take "
            "binary_cross_entropy."
        )
    if weights is not None and len(weights) != len(logits):
        raise ArgumentValueError(
            f"weights must have one number for each of the {len(logits)} classes, not "
            f"{len(weights)}."
        )
    if len(goals) > 1:
        _check_sizes(logits, goals)
    numbers = [*map(_number, goals)]
    if None not in numbers:
        _check_class(numbers, len(logits), "target", _slack(goals))
    if len(goals) == 1:
        # By an op of the table, so that a recorded program is right for every class.
        goals = [equal(goals[0], float(place)) for place in range(len(logits))]
    if weights is None:
        return logsumexp(logits) - dot(goals, logits)
    shares = [goal * weight for goal, weight in zip(goals, weights, strict=True)]
    return summed(shares) * logsumexp(logits) - dot(shares, logits)


# --- entries -------------------------------------------------------------------------------------


def _entries(given: Any, argument: str) -> list[Any]:
    """The numbers and Values of a vector, or of a number as a vector of one."""
    entries = given if hasattr(given, "__len__") and not isinstance(given, str) else [given]
    if isinstance(entries, dict | set | bytes) or getattr(entries, "shape", None) == ():
        raise ArgumentTypeError(
            f"{argument} must be a number or a list of numbers, not {type(given).__name__}."
        )
    return [as_scalar(entry, argument) for entry in entries]


def _number(goal: Any) -> Any:
    """The number of a target's entry; None for a constant, and what is recorded for all targets."""
    try:
        if type(goal) is not float:
            return None if getattr(goal, "constant", True) else goal.data
    except RecordingError:
        return None
    return goal


def _slack(goals: Sequence[Any]) -> float:
    """How far off a target may be: one of Values a little, so that differences find its slopes."""
    return 0.0 if all(type(goal) is float for goal in goals) else 1e-3


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


# --- checks of targets, and hits -----------------------------------------------------------------


def _check_size(goals: Sequence[float], outputs: int, argument: str) -> None:
    if len(goals) != outputs:
        raise ArgumentValueError(
            f"{argument} has {len(goals)} entries, but the model has {many(outputs, 'output')}."
        )


def _check_sides(
    goals: Sequence[float], outputs: int | None, argument: str, slack: float = 0.0
) -> None:
    if outputs is not None:
        _check_size(goals, outputs, argument)
    for goal in goals:
        if not -slack <= goal <= 1.0 + slack:
            raise ArgumentValueError(
                f"{argument} must be from 0 to 1 for binary_cross_entropy, not {goal!r}."
            )


def _check_class(goals: Sequence[float], outputs: int, argument: str, slack: float = 0.0) -> None:
    if len(goals) == 1:
        if not (goals[0].is_integer() and 0 <= goals[0] < outputs):
            raise ArgumentValueError(
                f"{argument} must be the number of a class from 0 to {outputs - 1} for "
                f"cross_entropy, not {goals[0]!r}."
            )
        return
    _check_size(goals, outputs, argument)
    if not (min(goals) >= -slack and abs(sum(goals) - 1.0) <= 1e-6 + slack):
        raise ArgumentValueError(
            f"{argument} must be the number of a class, or probabilities that add up to 1, "
            f"for cross_entropy."
        )


def _hits_sides(logits: Sequence[float], goals: Sequence[float]) -> bool:
    return [z > 0.0 for z in logits] == [goal > 0.5 for goal in goals]


def _hits_class(logits: Sequence[float], goals: Sequence[float]) -> bool:
    return _largest(logits) == (goals[0] if len(goals) == 1 else _largest(goals))


def _sides(logits: Any, goals: Any) -> tuple[Any, Any]:
    return logits > 0.0, goals > 0.5


def _classes(logits: Any, goals: Any) -> tuple[Any, Any]:
    right = goals[:, 0] if goals.shape[1] == 1 else goals.argmax(axis=1)
    return logits.argmax(axis=1), right


def _sigmoid(logits: Any) -> Any:
    from .numpy import sigmoid as on_arrays

    return on_arrays(logits)


def _softmax(logits: Any) -> Any:
    import numpy as np

    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _largest(numbers: Sequence[float]) -> int:
    return max(range(len(numbers)), key=numbers.__getitem__)


# --- losses by name ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """A loss: its function, the check of its targets, and what its outputs say.

    `function(output, target)` is the loss, of Values; calling the `Loss` calls it.
    `check(target, outputs, argument)` raises a `ValueError` naming `argument` where the entries of
    a target do not fit this number of outputs; without it all numbers are allowed.
    `hit(output, target)` says whether an output, a list of floats, agrees with its target.

    The next two take arrays with a row for each output.  `classes(outputs, targets)` gives the
    numbers of the classes that outputs and targets stand for, two arrays: an output is a hit where
    they agree.  `probabilities(outputs)` gives an array with a column per class, or for yes or no
    one.  Without `hit` and `classes` there is no accuracy.

    `weighted(output, target, weights)` is the loss with weights of the classes, for `Loss.of`.
    Targets that equal the number `ignore` do not count: see there.

    >>> from autograd_rnn import maximum
    >>> def hinge(output, target):
    ...     return maximum(1.0 - target * output, 0.0)
    >>> loss = Loss("hinge", hinge, hit=lambda output, target: output[0] * target[0] > 0)
    >>> loss(0.25, 1.0)
    0.75
    """

    name: str
    function: LossFunction
    check: Callable[[Sequence[float], int, str], None] | None = None
    hit: Callable[[Sequence[float], Sequence[float]], bool] | None = None
    classes: Callable[[Any, Any], tuple[Any, Any]] | None = None
    probabilities: Callable[[Any], Any] | None = None
    weighted: Callable[[Any, Any, Sequence[float]], Any] | None = None
    ignore: float | None = None

    def __post_init__(self) -> None:
        as_text(self.name, "name")
        as_function(self.function, "function")
        for name in ("check", "hit", "classes", "probabilities", "weighted"):
            if getattr(self, name) is not None:
                as_function(getattr(self, name), name)
        if self.ignore is not None:
            number = as_float(self.ignore, "ignore")
            if not math.isfinite(number):
                raise ArgumentValueError(f"ignore must be finite, such as -1, not {number!r}.")
            object.__setattr__(self, "ignore", number)

    @classmethod
    def of(
        cls,
        loss: str | Loss | LossFunction,
        *,
        weights: Iterable[float] | None = None,
        ignore: float | None = None,
    ) -> Loss:
        """The loss of a name or a function, with weights of its classes, and targets to ignore.

        An output's loss is multiplied by the weight of its target's class; binary cross entropy has
        the classes 0 and 1.  Weights are not divided by their sum: with the weights 1, 1, ... the
        loss is as without.  An output whose target equals `ignore`, in all entries, has no loss and
        is not judged; the loss of a sequence is the mean over the steps that count.

        `ValueError` for a loss that has no classes to weigh, and for weights that are negative, not
        finite, or all 0.

        >>> loss = Loss.of("cross_entropy", weights=[1, 5], ignore=-1)
        >>> loss([0.0, 0.0], 1) / loss([0.0, 0.0], 0), loss([0.0, 0.0], -1)
        (5.0, 0.0)
        """
        found = as_loss(loss)
        if weights is not None:
            numbers = tuple(as_floats(weights, "weights"))
            for place, number in enumerate(numbers):
                if not 0.0 <= number < math.inf:
                    raise ArgumentValueError(
                        f"weights[{place}] must be 0 or more and finite, not {number!r}."
                    )
            if numbers and not any(numbers):
                raise ArgumentValueError("weights are all 0, so no class could be learned.")
            if found.weighted is None:
                raise ArgumentValueError(
                    f"the loss {found.name!r} has no classes to weigh: give it a function of an "
                    f"output, a target and weights, Loss(..., weighted=...)."
                )
            weigh, name = found.weighted, f"{found.name}, weights {list(numbers)}"
            found = replace(
                found, name=name, function=partial(_weighted, weigh, numbers), weighted=None
            )
        return found if ignore is None else replace(found, ignore=ignore)

    def __call__(self, output: Any, target: Any) -> Any:
        """The loss of an output, 0 if its target is to be ignored."""
        if self.ignore is None:
            return self.function(output, target)
        goals = _entries(target, "target")
        numbers = [*map(_number, goals)]
        if None not in numbers:
            return 0.0 if {*numbers} == {self.ignore} else self.function(output, target)
        # By ops of the table, so that a recorded program is right for every target.
        ignored = reduce(mul, [equal(goal, self.ignore) for goal in goals])
        return where(ignored, 0.0, self.function(output, target))

    @property
    def judges(self) -> bool:
        """Whether it says which outputs are right."""
        return self.hit is not None or self.classes is not None


def _weighted(weigh: Any, weights: Sequence[float], output: Any, target: Any) -> Any:
    return weigh(output, target, weights)


LOSSES: Final[dict[str, Loss]] = {
    loss.name: loss
    for loss in (
        Loss("squared_error", squared_error, _check_size),
        Loss(
            *("binary_cross_entropy", binary_cross_entropy, _check_sides, _hits_sides, _sides),
            *(_sigmoid, _binary_cross_entropy),
        ),
        Loss(
            *("cross_entropy", cross_entropy, _check_class, _hits_class, _classes),
            *(_softmax, _cross_entropy),
        ),
    )
}


def as_loss(loss: str | Loss | LossFunction) -> Loss:
    """The loss of a name or a function, or as it is.

    >>> as_loss("cross_entropy") is as_loss(cross_entropy), as_loss(lambda z, t: z - t).hit
    (True, None)
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return LOSSES[as_choice(loss, "loss", LOSSES)]
    function = as_function(loss, "loss")
    name = getattr(function, "__name__", type(function).__name__)
    return next((one for one in LOSSES.values() if one.function is loss), Loss(name, function))


def is_hit(loss: Loss, output: Any, target: Any) -> bool | None:
    """Whether an output, of numbers, is right about its target; None where the loss cannot say.

    For binary cross entropy, every logit is positive where its target is above ½, and only there;
    for cross entropy, the largest logit is that of the target's class, or its most probable one.

    >>> is_hit(LOSSES["cross_entropy"], [0.5, 2.0, 1.0], 1)
    True
    """
    if not loss.judges:
        return None
    entries, goals = _entries(output, "output"), _entries(target, "target")
    if loss.hit is not None:
        return bool(loss.hit(entries, goals))
    import numpy as np

    return count_hits(loss, np.array([entries]), np.array([goals]))[0] == 1


def counted_by(loss: Loss, targets: Any) -> Any:
    """Of targets in an array, a row for each, which ones are not to be ignored: an array of bools.

    >>> import numpy as np
    >>> counted_by(Loss.of("cross_entropy", ignore=-1), np.array([[0.0], [-1.0]])).tolist()
    [True, False]
    """
    import numpy as np

    if loss.ignore is None:
        return np.ones(len(targets), dtype=bool)
    return (targets != loss.ignore).any(axis=1)


def count_hits(loss: Loss, outputs: Any, targets: Any) -> tuple[int, int]:
    """How many outputs are right about their targets, arrays with a row for each, of how many.

    These are the ones whose target is not to be ignored; none are judged if the loss cannot say.

    >>> import numpy as np
    >>> logits = np.array([[0.5, 2.0], [2.0, 0.5]])
    >>> count_hits(LOSSES["cross_entropy"], logits, np.array([[1.0], [1.0]]))
    (1, 2)
    """
    if not loss.judges:
        return 0, 0
    if loss.ignore is not None:
        counted = counted_by(loss, targets)
        outputs, targets = outputs[counted], targets[counted]
    if loss.classes is not None:
        found, right = loss.classes(outputs, targets)
        same = found == right
        if same.ndim == 2:
            same = same[:, 0] if same.shape[1] == 1 else same.all(axis=1)
        return int(same.sum()), len(outputs)
    pairs = zip(outputs.tolist(), targets.tolist(), strict=True)
    return sum([is_hit(loss, *pair) is True for pair in pairs]), len(outputs)


def probabilities_of(loss: Loss) -> Callable[[Any], Any]:
    """The function that makes probabilities from outputs: arrays with a row for each of them.

    `ValueError` for a loss that has none.

    >>> import numpy as np
    >>> probabilities_of(LOSSES["cross_entropy"])(np.array([[1.0, 1.0]])).tolist()
    [[0.5, 0.5]]
    """
    if loss.probabilities is None:
        able = " and ".join([one.name for one in LOSSES.values() if one.probabilities])
        raise ArgumentValueError(
            f"the loss {loss.name!r} says no probabilities, as {able} do: give it a function that "
            f"makes them from outputs, Loss(..., probabilities=...)."
        )
    return loss.probabilities


def check_target(loss: Loss, target: Any, outputs: int, argument: str) -> int:
    """The number of entries of a target; `ValueError` naming `argument` if it does not fit."""
    goals = _entries(target, argument)
    if loss.check is not None and {*goals} != {loss.ignore}:
        loss.check(goals, outputs, argument)
    return len(goals)
