"""The loss of a step over a sequence, as a function of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..arguments import as_floats
from ..engine.leaves import read_numbers
from ..engine.points import is_open
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import LossFunction
from ..ops.table import stop_gradient


class StepFunction(Protocol):
    """A function of tuples of Values: the state, an input, and the parameters."""

    def __call__(self, state: Any, x: Any, parameters: Any, /) -> tuple[Sequence[Any], Any]:
        """The state after the step, and its output, a Value or a tuple of them."""


class Objective(NamedTuple):
    """A step, a loss at `every` step or the last, the parameters and the initial state.

    With `truncate`, no gradient goes back from a window of so many steps to the one before.
    """

    step: StepFunction
    loss: LossFunction
    parameters: list[Value]
    state: list[float]
    every: bool
    truncate: int | None = None

    @property
    def numbers(self) -> Any:
        """The numbers of the parameters as they are now, in an array."""
        import numpy as np

        numbers = np.empty(len(self.parameters))
        read_numbers(self.parameters, numbers)
        return numbers

    def checked(self, numbers: Any) -> Any:
        """The numbers, one for each parameter, as an array."""
        import numpy as np

        found = numbers
        if not isinstance(numbers, np.ndarray) or numbers.dtype != np.float64:
            found = np.array(as_floats(numbers, "numbers"))
        found = np.ascontiguousarray(found)
        if found.shape != (len(self.parameters),):
            raise ArgumentValueError(
                f"numbers must have one for each of the {len(self.parameters)} parameters, not the "
                f"shape {found.shape}."
            )
        return found

    def aimed(self, outputs: Sequence[Any]) -> Sequence[Any]:
        """Of the outputs at each step those that have a target."""
        return outputs if self.every else outputs[-1:]

    @property
    def names(self) -> dict[Value, str]:
        """The names of the parameters, in their order."""
        return {p: p.name or f"p_{place}" for place, p in enumerate(self.parameters, 1)}

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
        self, parameters: Sequence[Any], xs: Any, ys: Any, state: Sequence[Any] | None = None
    ) -> tuple[Any, list[Any], Sequence[Any]]:
        """The loss of a sequence, or None without `ys`, the output at each step, and the state."""
        if state is None:
            state = self.state
        state = [entry if isinstance(entry, Value) else Value(float(entry)) for entry in state]
        total: Any = None
        outputs = []
        for k, x in enumerate(xs):
            if self.truncate is not None and k and k % self.truncate == 0:
                state = [stop_gradient(entry) for entry in state]
            state, output = self.call(tuple(state), tuple(x), tuple(parameters))
            outputs.append(output)
            if len(ys) and (self.every or k == len(xs) - 1):
                loss = self.loss_of(output, ys[k if self.every else 0])
                total = loss if total is None else total + loss
        loss = total / float(len(xs)) if self.every and len(ys) else total
        return loss, outputs, state


def check_closed(values: Sequence[Value]) -> None:
    """`ValueError` if these Values depend on a variable of an outer derivative.

    It would be lost, as a compiled step gives floats.
    """
    if is_open(values):
        raise ArgumentValueError(
            "a compiled step gives floats, but here it depends on a variable of an outer "
            "derivative, which would be lost: unroll the model in the function that is "
            "differentiated."
        )


def constants(vectors: Any) -> list[tuple[Value, ...]]:
    """The vectors, such as inputs and targets, as Values that no sweep goes to."""
    return [tuple([constant(float(entry)) for entry in vector]) for vector in vectors]


def as_entries(output: Any) -> Sequence[Any]:
    """The entries of an output, which is a tuple of them or a single one."""
    return output if isinstance(output, tuple | list) else [output]
