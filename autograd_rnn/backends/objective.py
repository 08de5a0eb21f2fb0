"""The loss of a step over a sequence, as a function of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from ..arguments import as_choice, as_floats, as_function, as_integer, as_list
from ..engine.leaves import read_numbers
from ..engine.points import is_open
from ..engine.reverse import as_values
from ..engine.value import Value, constant
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, LossFunction
from ..ops.table import stop_gradient

#: Which steps have a target.
AT: Final = ("last", "every")


class StepFunction(Protocol):
    """A function of tuples of Values: the state, an input, and the parameters."""

    def __call__(self, state: Any, x: Any, parameters: Any, /) -> tuple[Sequence[Any], Any]:
        """The state after the step, and its output, a Value or a tuple of them."""


class Objective(NamedTuple):
    """A step, a loss at `every` step or the last, the parameters and the initial state.

    With `truncate`, no gradient goes back from a window of so many steps to the one before.  With
    `both_ways`, the step takes input k and the one that is k-th from the end, side by side.  Each
    target is a `number`, or a vector.
    """

    step: StepFunction
    loss: LossFunction
    parameters: list[Value]
    state: list[float]
    every: bool
    truncate: int | None = None
    both_ways: bool = False
    number: bool = False

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

    def states_of(self, state: Any, count: int, *, after: bool) -> Any:
        """The states that so many sequences start from, as an array with a row for each, or None.

        `ValueError` if there are others, or if they are carried, or asked for `after`, both ways.
        """
        import numpy as np

        if self.both_ways and (after or state is not None):
            raise ArgumentValueError(
                "state cannot be carried through a step that reads sequences both ways: what comes "
                "next is read first by the backward part."
            )
        found, size = state, len(self.state)
        if state is None:
            return None
        if not isinstance(state, np.ndarray) or state.dtype != np.float64:
            found = as_list(state, "state")
            found = [as_floats(row, f"state[{place}]") for place, row in enumerate(found)]
            found = np.array(found).reshape(-1, len(found[0]) if found else 0)
        if found.shape != (count, size):
            raise ArgumentValueError(
                f"state must have a vector of size {size} for each of the {count} sequences, not "
                f"the shape {found.shape}."
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
        """The loss of an output, and its target as it was given: a number, or a vector."""
        return self.loss(output, goal[0] if self.number else tuple(goal))

    def unrolled(
        self,
        parameters: Sequence[Any],
        xs: Any,
        ys: Any,
        state: Sequence[Any] | None = None,
        count: Any = None,
    ) -> tuple[Any, list[Any], Sequence[Any]]:
        """The loss of a sequence, or None without `ys`, the output at each step, and the state.

        `count` is what the sum of the losses at `every` step is divided by, if not their number.
        """
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
        if self.every and len(ys):
            total = total / (float(len(xs)) if count is None else count)
        return total, outputs, state


def as_objective(
    step: Any,
    loss: Loss,
    parameters: Any,
    state: Any,
    at: str,
    truncate: int | None,
    *,
    both_ways: bool,
) -> Objective:
    """The objective of a step and a loss, their arguments checked."""
    as_function(step, "step")
    leaves, initial = as_values(parameters, "parameters"), as_floats(state, "state")
    if len(set(leaves)) < len(leaves):
        raise ArgumentValueError("parameters has a Value twice: list each parameter once.")
    every = as_choice(at, "at", AT) == "every"
    if truncate is not None:
        as_integer(truncate, "truncate", least=1)
    if both_ways and every:
        raise ArgumentValueError(
            "at='every' cannot be had both ways: at a step before the last one, neither part has "
            "read the whole sequence. Choose at='last'."
        )
    function = loss.function if loss.ignore is None else loss
    return Objective(step, function, leaves, initial, every, truncate, both_ways)


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
