"""The backend `eager`: each sequence on the engine, step by step, which is the definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_float
from ..engine.reverse import gradients
from ..engine.value import Value, compiled
from ..loading import advise_to_compile
from .step import Run, Step, constants


class EngineRun:
    """The definition: each sequence on the engine, step by step."""

    def __init__(self, step: Step) -> None:
        self.step = step
        if not compiled:
            advise_to_compile()

    def pack(self, runs: Sequence[Run], with_targets: bool) -> Sequence[Run]:
        """The sequences as they run."""
        return runs

    def run(self, runs: Sequence[Run], threads: int) -> tuple[float, list[float]]:
        """The sum of the losses of the sequences, and that of their gradients."""
        parameters = self.step.parameters
        total, sums = 0.0, [0.0] * len(parameters)
        for xs, ys in runs:
            loss, _ = self.step.unrolled(parameters, constants(xs), constants(ys))
            slopes = [0.0] * len(parameters)
            if isinstance(loss, Value):
                slopes = list(gradients(loss, parameters))
            total += loss.data if isinstance(loss, Value) else as_float(loss, "the loss")
            sums = [a + b for a, b in zip(sums, slopes, strict=True)]
        return total, sums

    def predict(self, runs: Sequence[Run], threads: int) -> list[Any]:
        """The output for each sequence, as lists of numbers."""
        return [self.step.predicted(self.step.parameters, constants(xs)) for xs, _ in runs]

    def per_step(self, runs: Sequence[Run]) -> list[list[list[float]]]:
        """For each sequence and step, the terms of its gradient: what the step's uses add up to."""
        found = []
        for xs, ys in runs:
            # A fresh name for each parameter at each step: its uses there, and no others.
            copies = [[p * 1.0 for p in self.step.parameters] for _ in xs]
            rows = iter(copies)
            step = self.step
            apart = Step(
                lambda q, x, _, step=step, rows=rows: step.step(q, x, tuple(next(rows))),
                *(step.loss, step.parameters, step.state, step.every),
            )
            loss, _ = apart.unrolled(self.step.parameters, constants(xs), constants(ys))
            flat = [value for row in copies for value in row]
            slopes = list(gradients(loss, flat)) if isinstance(loss, Value) else [0.0] * len(flat)
            size = len(self.step.parameters)
            found.append([slopes[k * size : (k + 1) * size] for k in range(len(xs))])
        return found
