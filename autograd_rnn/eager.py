"""A step run by the engine itself, a sequence at a time, and where its first NaN or infinity is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from .arguments import as_float
from .contexts import detect_anomaly, no_grad
from .engine import Value, constant
from .errors import AnomalyError
from .reverse import gradients
from .steps import CompiledStep

__all__ = ["EagerStep", "find_fault"]


class EagerStep:
    """What a compiled step is, without compiling it: graphs of Values, made and forgotten.

    For the integrator: this stands in for `compile(..., backend="eager")`, and its `predict` for
    that of any compiled step, until `steps.py` has them.
    """

    def __init__(self, compiled: CompiledStep) -> None:
        self.compiled = compiled

    def loss_and_gradients(
        self, sequences: Sequence[Any], targets: Sequence[Any], *, threads: int = 1
    ) -> tuple[float, list[float]]:
        """The mean loss over the sequences, and its gradient by each parameter."""
        parameters = self.compiled.parameters
        losses, gradient = 0.0, [0.0] * len(parameters)
        for xs, ys in self.compiled._runs(sequences, targets):
            loss = _loss(self.compiled, xs, ys)
            losses += loss.data
            slopes = gradients(loss, parameters)
            gradient = [g + s for g, s in zip(gradient, slopes, strict=True)]
        return losses / len(sequences), [g / len(sequences) for g in gradient]

    def predict(self, sequences: Sequence[Any]) -> list[Any]:
        """The output of each sequence: the last one, or for `at="every"` a list of one per step."""
        found = []
        with no_grad():
            for sequence in sequences:
                outputs: list[Any] = []
                state = tuple([Value(entry) for entry in self.compiled.state])
                for x in sequence:
                    state, output = _step(self.compiled, state, _vector(x))
                    outputs.append(_numbers(output))
                found.append(outputs if self.compiled.every else outputs[-1])
        return found


def _step(compiled: CompiledStep, state: tuple[Any, ...], x: Sequence[float]) -> Any:
    return compiled._call(
        state, tuple([constant(entry) for entry in x]), tuple(compiled.parameters)
    )


def _vector(x: Any) -> Sequence[float]:
    return x if hasattr(x, "__len__") else [x]


def _numbers(output: Any) -> Any:
    many = isinstance(output, tuple | list)
    found = [getattr(entry, "data", entry) for entry in (output if many else [output])]
    return found if many else found[0]


def _loss(compiled: CompiledStep, xs: list[Any], ys: list[Any], *, apart: bool = False) -> Any:
    """The loss of a run; or `apart`, each step alone in a context that finds its first anomaly."""
    state: tuple[Any, ...] = tuple([Value(entry) for entry in compiled.state])
    total: Any = None
    for k, x in enumerate(xs):
        try:
            with detect_anomaly() if apart else nullcontext():
                state, output = _step(compiled, state, x)
                if compiled.every or k == len(xs) - 1:
                    goal = tuple([constant(y) for y in ys[k if compiled.every else 0]])
                    loss = compiled._loss(output, goal)
                    if not isinstance(loss, Value):
                        loss = constant(as_float(loss, "what loss gives"))
                    total = loss if total is None else total + loss
        except AnomalyError as error:
            raise AnomalyError(f"step {k + 1}: {error}") from None
        if apart:
            # Numbers alone go on, so that a long run is not kept in memory.
            state = tuple([Value(getattr(entry, "data", entry)) for entry in state])
            total = None if total is None else constant(total.data)
    return total / float(len(xs)) if compiled.every else total


def find_fault(compiled: CompiledStep, sequence: Any, target: Any) -> str | None:
    """Where the first NaN or infinity of a run is, in the words of `detect_anomaly`, or None.

    The forward pass a step at a time, so that the step has a number, then the backward sweep.
    """
    ((xs, ys),) = compiled._runs([sequence], [target])
    try:
        _loss(compiled, xs, ys, apart=True)
        with detect_anomaly():
            slopes = gradients(_loss(compiled, xs, ys), compiled.parameters)
    except AnomalyError as error:
        return str(error)
    for parameter, slope in zip(compiled.parameters, slopes, strict=True):
        if not math.isfinite(slope):
            return f"the gradient by {parameter.name or 'a parameter'} is {slope!r}."
    return None
