"""The backend `python`: the recorded program of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.value import Value
from ..program.recorder import recording
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
        given = [*self.objective.numbers, *self.objective.state, *entries]
        key = (len(xs), len(xs[0]), len(ys[0]))
        if key not in self.programs:
            self.programs[key] = self.record(given, *key)
        return self.programs[key](*given)

    def record(
        self, given: Sequence[float], steps: int, inputs: int, targets: int
    ) -> Callable[..., Sequence[float]]:
        """The loss and gradient of a sequence, by parameters, initial state, inputs and targets."""
        parameters = self.objective.parameters
        entries = given[len(parameters) :]
        values = [Value(number, f"x_{place}") for place, number in enumerate(entries, 1)]
        rest = iter(values)
        state = [next(rest) for _ in self.objective.state]
        xs = [[next(rest) for _ in range(inputs)] for _ in range(steps)]
        goals = steps if self.objective.every else 1
        ys = [[next(rest) for _ in range(targets)] for _ in range(goals)]
        with recording(values, parameters) as recorder:
            loss, _ = self.objective.unrolled(parameters, xs, ys, state)
        names = self.objective.names | {value: value.name for value in values}
        program = recorder.program([loss], [*names], names).gradient()
        return program.select(*range(1 + len(parameters)))
