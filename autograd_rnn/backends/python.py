"""The backend `python`: the recorded program of a whole run, bit for bit as the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.value import Value
from ..errors import BranchChanged
from ..program.program import Program, Recorder
from .eager import EngineRun
from .step import Run, Step


class ReplayedRun(EngineRun):
    """The same, bit for bit, by the recorded program of a sequence of each length."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.programs: dict[Any, Program] = {}

    def run(self, runs: Sequence[Run], threads: int) -> tuple[float, list[float]]:
        """The sum of the losses of the sequences, and that of their gradients."""
        numbers = [parameter.data for parameter in self.step.parameters]
        total, sums = 0.0, [0.0] * len(numbers)
        for place, (xs, ys) in enumerate(runs):
            given = [*numbers, *_flat(xs), *_flat(ys)]
            key = (len(xs), len(xs[0]), len(ys[0]))
            if key not in self.programs:
                program = self._recorded(given, *key)
                self.programs[key] = program.gradient().select(*range(1 + len(numbers)))
            try:
                loss, *slopes = self.programs[key](*given)
            except BranchChanged as error:
                raise BranchChanged(f"sequences[{place}]: {error}") from None
            total += loss
            sums = [a + b for a, b in zip(sums, slopes, strict=True)]
        return total, sums

    def _recorded(self, given: Sequence[float], steps: int, inputs: int, targets: int) -> Program:
        count = len(self.step.parameters)
        values = [Value(number, f"x_{place}") for place, number in enumerate(given, 1)]
        for value, parameter in zip(values, self.step.parameters, strict=False):
            value.name = parameter.name or value.name
        xs, ys = values[count : count + steps * inputs], values[count + steps * inputs :]
        goals = steps if self.step.every else 1
        recorder = Recorder()
        with recorder:
            loss, _ = self.step.unrolled(
                values[:count],
                [xs[k * inputs : (k + 1) * inputs] for k in range(steps)],
                [ys[k * targets : (k + 1) * targets] for k in range(goals)],
            )
        return recorder.program([loss], values)


def _flat(vectors: Any) -> list[float]:
    return [float(entry) for vector in vectors for entry in vector]
