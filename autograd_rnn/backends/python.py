"""The backend `python`: the recorded program of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from ..engine.value import Value
from ..program.recorder import recording
from .eager import Eager
from .objective import as_entries


class Python(Eager):
    """The program of a sequence with its gradient, recorded once for each length."""

    name = "python"
    speed = 1

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.programs: dict[tuple[int, int, int, bool], Callable[..., Sequence[float]]] = {}
        self.numbers: list[float] = []

    def read(self, numbers: Any) -> None:
        self.numbers = numbers.tolist()

    def differentiate(
        self, xs: Any, ys: Any, state: Sequence[float], count: int
    ) -> tuple[float, Sequence[float], list[list[float]], list[float]]:
        given = [*self.numbers, *state, *chain.from_iterable([*xs, *ys])]
        all_count = not self.objective.every or count == len(xs)
        if not all_count:
            given.append(float(count))
        key = (len(xs), len(xs[0]), len(ys[0]), all_count)
        if key not in self.programs:
            self.programs[key] = self.record(given, *key)
        loss, *found = self.programs[key](*given)
        slopes, rest = found[: len(self.numbers)], found[len(self.numbers) :]
        after, entries = rest[: len(state)], rest[len(state) :]
        outputs = len(self.objective.aimed(xs))
        size = len(entries) // outputs
        return loss, slopes, [entries[k * size : (k + 1) * size] for k in range(outputs)], after

    def record(
        self, given: Sequence[float], steps: int, inputs: int, targets: int, all_count: bool
    ) -> Callable[..., Sequence[float]]:
        """The loss, its gradient, the state and the outputs of a sequence, by all its numbers.

        These are the parameters, the initial state, inputs and targets, and unless `all_count` how
        many of the targets do.
        """
        parameters = self.objective.parameters
        entries = given[len(parameters) :]
        values = [Value(number, f"x_{place}") for place, number in enumerate(entries, 1)]
        rest = iter(values)
        state = [next(rest) for _ in self.objective.state]
        xs = [[next(rest) for _ in range(inputs)] for _ in range(steps)]
        goals = steps if self.objective.every else 1
        ys = [[next(rest) for _ in range(targets)] for _ in range(goals)]
        with recording(values, parameters) as recorder:
            divisor = None if all_count else next(rest)
            loss, outputs, after = self.objective.unrolled(parameters, xs, ys, state, divisor)
        names = self.objective.names | {value: value.name for value in values}
        results = [as_entries(output) for output in self.objective.aimed(outputs)]
        results = [[loss], after, *results]
        program = recorder.program([*chain.from_iterable(results)], [*names], names)
        gradient = program.with_gradient()
        count = len(program.outputs)
        slopes = range(count, count + len(parameters))
        return gradient.select(0, *slopes, *range(1, count))
