"""The backend `python`: the recorded program of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.value import Value
from ..program.program import Recorder
from .eager import Eager


class Python(Eager):
    """The program of a sequence with its gradient, recorded once for each length."""

    name = "python"
    speed = 1

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.programs: dict[tuple[int, int, int], Callable[..., Sequence[float]]] = {}

    def differentiate(self, xs: Any, ys: Any) -> Sequence[float]:
        entries = [float(entry) for vector in (*xs, *ys) for entry in vector]
        given = [*self.objective.numbers, *entries]
        key = (len(xs), len(xs[0]), len(ys[0]))
        if key not in self.programs:
            self.programs[key] = self.record(given, *key)
        return self.programs[key](*given)

    def record(
        self, given: Sequence[float], steps: int, inputs: int, targets: int
    ) -> Callable[..., Sequence[float]]:
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
