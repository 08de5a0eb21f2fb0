"""The loss of a step over a sequence, as a function of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple, Protocol

from ..engine.leaves import read_numbers
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import LossFunction


class StepFunction(Protocol):
    """A function of tuples of Values: the state, an input, and the parameters."""

    def __call__(self, state: Any, x: Any, parameters: Any, /) -> tuple[Sequence[Any], Any]:
        """The state after the step, and its output, a Value or a tuple of them."""


class Objective(NamedTuple):
    """A step, a loss at `every` step or the last, the parameters and the initial state."""

    step: StepFunction
    loss: LossFunction
    parameters: list[Value]
    state: list[float]
    every: bool

    @property
    def numbers(self) -> Any:
        """The numbers of the parameters as they are now, in an array."""
        import numpy as np

        numbers = np.empty(len(self.parameters))
        read_numbers(self.parameters, numbers)
        return numbers

    def aimed(self, outputs: Sequence[Any]) -> Sequence[Any]:
        """Of the outputs at each step those that have a target."""
        return outputs if self.every else outputs[-1:]

    def call(self, state: Any, x: Any, parameters: Any) -> tuple[tuple[Any, ...], Any]:
        """The state after a step, of checked size, and the output."""
        result: object = self.step(state, x, parameters)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentTypeError("step must give a pair: the new state, and the output.")
        state, output = result
        if not isinstance(state, tuple | list):
            raise ArgumentTypeError(
                f"step must give the new state as a tuple, not {type(state).__name__}."
            )
        if len(state) != (size := len(self.state)):
            raise ArgumentValueError(
                f"step gave a state of size {len(state)}, but the initial one has size {size}."
            )
        return tuple(state), output

    def loss_of(self, output: Any, goal: Sequence[Any]) -> Any:
        """The loss of an output; a target of one entry is a number if the output is one."""
        one = not isinstance(output, tuple | list)
        return self.loss(output, goal[0] if one and len(goal) == 1 else tuple(goal))

    def unrolled(
        self, parameters: Sequence[Any], xs: Any, ys: Any, copies: Iterable[Any] | None = None
    ) -> tuple[Any, list[Any]]:
        """The loss of a sequence, or None without `ys`, and the output at each step.

        With `copies`, each step takes its own in place of the parameters.
        """
        state: Any = tuple([Value(entry) for entry in self.state])
        total: Any = None
        outputs = []
        for k, (x, given) in enumerate(zip(xs, copies or repeat(parameters), strict=False)):
            state, output = self.call(state, tuple(x), tuple(given))
            outputs.append(output)
            if len(ys) and (self.every or k == len(xs) - 1):
                loss = self.loss_of(output, ys[k if self.every else 0])
                total = loss if total is None else total + loss
        return (total / float(len(xs)) if self.every and len(ys) else total), outputs


def constants(vectors: Any) -> list[tuple[Value, ...]]:
    """The vectors, such as inputs and targets, as Values that no sweep goes to."""
    return [tuple([constant(float(entry)) for entry in vector]) for vector in vectors]


def as_entries(output: Any) -> Sequence[Any]:
    """The entries of an output, which is a tuple of them or a single one."""
    return output if isinstance(output, tuple | list) else [output]
