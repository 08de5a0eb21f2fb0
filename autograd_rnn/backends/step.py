"""A step over batches of sequences, a sequence at a time: on the engine, or replayed from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..arguments import as_float
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError

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


def constants(vectors: Any) -> list[tuple[Value, ...]]:
    """The vectors as Values that no sweep goes to, as inputs and targets are."""
    return [tuple([constant(float(entry)) for entry in vector]) for vector in vectors]
