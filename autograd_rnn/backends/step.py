"""A step over batches of sequences, a sequence at a time: on the engine, or replayed from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .arguments import as_float
from .engine import Value, constant
from .errors import ArgumentTypeError, ArgumentValueError, BranchChanged
from .replay import Program, Recorder
from .reverse import gradients

__all__ = ["EngineRun", "ReplayedRun", "Step", "constants"]

#: A sequence and its targets, as vectors of floats.
Run = tuple[Sequence[Any], Sequence[Any]]


class Step:
    """What a user gave: the step, the loss, the parameters, and the initial state."""

    def __init__(
        self,
        step: Callable[..., Any],
        loss: Callable[..., Any],
        parameters: list[Value],
        state: list[float],
        every: bool,
    ) -> None:
        self.step, self.loss, self.parameters = step, loss, parameters
        self.state, self.every = state, every

    def call(self, state: Any, x: Any, parameters: Any) -> tuple[tuple[Any, ...], Any]:
        """The states after a step and its output, whose sizes have been looked at."""
        result = self.step(state, x, parameters)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentTypeError("step must give a pair: the new state, and the output.")
        state, output = result
        if not isinstance(state, tuple | list):
            raise ArgumentTypeError(
                f"step must give the new state as a tuple, not {type(state).__name__}."
            )
        if len(state) != len(self.state):
            raise ArgumentValueError(
                f"step gave a state of size {len(state)}, but the initial one has size "
                f"{len(self.state)}."
            )
        return tuple(state), output

    def loss_of(self, output: Any, goal: Sequence[Any]) -> Any:
        """The loss of an output; a target of size 1 is a number for an output that is one."""
        one = not isinstance(output, tuple | list)
        return self.loss(output, goal[0] if one and len(goal) == 1 else tuple(goal))

    def unrolled(self, parameters: Sequence[Any], xs: Any, ys: Any) -> tuple[Any, list[Any]]:
        """The loss of a sequence, and the output at each step; no loss where there are no `ys`."""
        state: Any = tuple([Value(entry) for entry in self.state])
        total: Any = None
        outputs = []
        for k, x in enumerate(xs):
            state, output = self.call(state, tuple(x), tuple(parameters))
            outputs.append(output)
            if ys and (self.every or k == len(xs) - 1):
                loss = self.loss_of(output, ys[k if self.every else 0])
                total = loss if total is None else total + loss
        return (total / float(len(xs)) if self.every and ys else total), outputs

    def predicted(self, parameters: Sequence[Any], xs: Any) -> Any:
        """The output at the last step, or of `every` step, in floats."""
        outputs = [entries_of(output) for output in self.unrolled(parameters, xs, ())[1]]
        return outputs if self.every else outputs[-1]


def entries_of(output: Any) -> list[float]:
    """The numbers of an output, one or several."""
    entries = output if isinstance(output, tuple | list) else [output]
    return [one.data if isinstance(one, Value) else as_float(one, "the output") for one in entries]


class EngineRun:
    """The definition: each sequence on the engine, step by step."""

    def __init__(self, step: Step) -> None:
        self.step = step

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
            layers = [[p * 1.0 for p in self.step.parameters] for _ in xs]
            rows = iter(layers)
            step = self.step
            apart = Step(
                lambda q, x, _, step=step, rows=rows: step.step(q, x, tuple(next(rows))),
                *(step.loss, step.parameters, step.state, step.every),
            )
            loss, _ = apart.unrolled(self.step.parameters, constants(xs), constants(ys))
            flat = [value for layer in layers for value in layer]
            slopes = list(gradients(loss, flat)) if isinstance(loss, Value) else [0.0] * len(flat)
            size = len(self.step.parameters)
            found.append([slopes[k * size : (k + 1) * size] for k in range(len(xs))])
        return found


def constants(vectors: Any) -> list[tuple[Value, ...]]:
    """The vectors as Values that no sweep goes to, as inputs and targets are."""
    return [tuple([constant(float(entry)) for entry in vector]) for vector in vectors]


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
