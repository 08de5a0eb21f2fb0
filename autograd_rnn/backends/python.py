"""The backend `python`: the recorded program of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.value import Value
from ..errors import BranchChanged
from ..program.program import Recorder
from .eager import Eager


class Python(Eager):
    """The program of a sequence with its gradient, recorded once for each length."""

    name = "python"
    speed = 1

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.programs: dict[tuple[int, int, int], Callable[..., Any]] = {}

    def run(self, packed: Any, threads: int) -> tuple[float, Sequence[float]]:
        numbers = self.objective.numbers
        total, sums = 0.0, [0.0] * len(numbers)
        for place, (xs, ys) in enumerate(packed):
            given = [*numbers, *_flat(xs), *_flat(ys)]
            key = (len(xs), len(xs[0]), len(ys[0]))
            if key not in self.programs:
                self.programs[key] = self.record(given, *key)
            try:
                loss, *slopes = self.programs[key](*given)
            except BranchChanged as error:
                raise BranchChanged(f"sequences[{place}]: {error}") from None
            total += loss
            sums = [a + b for a, b in zip(sums, slopes, strict=True)]
        return total, sums

    def record(
        self, given: Sequence[float], steps: int, inputs: int, targets: int
    ) -> Callable[..., Any]:
        """The loss and gradient of a sequence as a function of parameters, inputs and targets."""
        parameters = self.objective.parameters
        values = [Value(number, f"x_{place}") for place, number in enumerate(given, 1)]
        for value, parameter in zip(values, parameters, strict=False):
            value.name = parameter.name or value.name
        rest = iter(values[len(parameters) :])
        xs = [[next(rest) for _ in range(inputs)] for _ in range(steps)]
        goals = steps if self.objective.every else 1
        ys = [[next(rest) for _ in range(targets)] for _ in range(goals)]
        recorder = Recorder()
        with recorder:
            loss, _ = self.objective.unrolled(values[: len(parameters)], xs, ys)
        program = recorder.program([loss], values).gradient()
        return program.select(*range(1 + len(parameters)))


def _flat(vectors: Any) -> list[float]:
    return [float(entry) for vector in vectors for entry in vector]
