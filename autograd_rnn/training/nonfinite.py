"""NaN and infinity: whether there are any, and the first one of a run, forward or backward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arguments import visible
from ..backends.objective import Objective, constants
from ..engine.contexts import detect_anomaly
from ..engine.reverse import gradients
from ..engine.value import Value, constant
from ..errors import AnomalyError


def are_finite(loss: float, numbers: Any) -> bool:
    """Whether neither a loss nor any of the numbers in an array is NaN or infinite."""
    import numpy as np

    return math.isfinite(loss) and np.count_nonzero(np.isfinite(numbers)) == len(numbers)


def find_fault(objective: Objective, xs: Sequence[Any], ys: Sequence[Any]) -> str | None:
    """A sentence on the first NaN or infinity, from `detect_anomaly`, with its step; or None."""
    inputs, goals = constants(xs), constants(ys)
    try:
        _go_forward(objective, inputs, goals)
        with detect_anomaly():
            loss, *_ = objective.unrolled(objective.parameters, inputs, goals)
            slopes = gradients(loss, objective.parameters) if isinstance(loss, Value) else ()
    except AnomalyError as error:
        return str(error)
    for parameter, slope in zip(objective.parameters, slopes, strict=False):
        if not math.isfinite(slope):
            name = visible(parameter.name or "a parameter")
            return f"the gradient by {name} is {slope!r}."
    return None


def _go_forward(objective: Objective, inputs: Sequence[Any], goals: Sequence[Any]) -> None:
    """Take each step alone, from numbers, so that no long graph is kept in memory."""
    state: Any = tuple([Value(entry) for entry in objective.state])
    total: Any = None
    for k, x in enumerate(inputs, 1):
        try:
            with detect_anomaly():
                state, output = objective.call(state, x, tuple(objective.parameters))
                if objective.every or k == len(inputs):
                    loss = objective.loss_of(output, goals[k - 1 if objective.every else 0])
                    total = loss if total is None else total + loss
        except AnomalyError as error:
            raise AnomalyError(f"step {k}: {error}") from None
        state = tuple([Value(getattr(entry, "data", entry)) for entry in state])
        total = None if total is None else constant(getattr(total, "data", total))
