"""One step, recorded once, and run over whole batches of sequences: compile_step."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .arguments import as_choice, as_float, as_function, as_integer
from .engine import Value
from .errors import ArgumentTypeError, ArgumentValueError
from .losses import LOSSES
from .replay import Program, record
from .reverse import as_values

if TYPE_CHECKING:
    from .native import Cell, Kernel

__all__ = ["CompiledStep", "compile_step"]

BACKENDS: Final = ("auto", "python", "native")
AT: Final = ("last", "every")


def compile_step(
    step: Callable[..., Any],
    loss: Any,
    parameters: Iterable[Value],
    state: Iterable[Any],
    *,
    at: str = "last",
    backend: str = "auto",
) -> CompiledStep:
    """The step as a function of batches of sequences: their mean loss, and its gradients.

    `step(state, x, parameters) -> (state, output)` is recorded once, on tuples of Values; `state`
    is the initial state, of numbers.  `loss(output, target)` gives a Value, or is the name of ours.
    `at="last"` has a target per sequence, `at="every"` one per step, whose losses are averaged.
    The numbers of the parameters are read at each call.

    `backend` is "python", which replays the whole run bit for bit as the engine computes it;
    "native", machine code by llvmlite (the extra `fast`), looped over time and batch; or "auto",
    native where llvmlite is installed.

    >>> from autograd_rnn import RNN
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> rnn.compile("squared_error", backend="python").loss_and_gradients([[1, 0, 1]], [15])
    (4.0, [32.0, 68.0])
    """
    as_function(step, "step")
    chosen = LOSSES[as_choice(loss, "loss", LOSSES)] if isinstance(loss, str) else loss
    as_function(chosen, "loss")
    leaves = as_values(parameters, "parameters")
    if isinstance(state, str) or not isinstance(state, Iterable):
        raise ArgumentTypeError(f"state must be a list of numbers, not {type(state).__name__}.")
    initial = [as_float(entry, f"state[{place}]") for place, entry in enumerate(state)]
    as_choice(at, "at", AT)
    as_choice(backend, "backend", BACKENDS)
    there = all(importlib.util.find_spec(name) is not None for name in ("llvmlite", "numpy"))
    if backend == "native" and not there:
        raise ArgumentValueError(
            "backend='native' needs llvmlite and NumPy: pip install 'autograd-rnn[fast]', "
            "or choose backend='python'."
        )
    native = there if backend == "auto" else backend == "native"
    return CompiledStep(step, chosen, leaves, initial, at == "every", native)


class CompiledStep:
    """A step that runs over batches of sequences; made by `compile_step`."""

    def __init__(
        self,
        step: Callable[..., Any],
        loss: Callable[..., Any],
        parameters: list[Value],
        state: list[float],
        every: bool,
        native: bool,
    ) -> None:
        self.step, self.loss, self.parameters = step, loss, parameters
        self.state, self.every, self.native = state, every, native
        self._programs: dict[Any, Program] = {}
        self._kernels: dict[Any, Kernel] = {}

    def __repr__(self) -> str:
        return f"<CompiledStep: {'native' if self.native else 'python'}>"

    def loss_and_gradients(
        self, sequences: Sequence[Any], targets: Sequence[Any], *, threads: int = 1
    ) -> tuple[float, list[float]]:
        """The mean loss over the sequences, and its gradient by each parameter, in their order.

        A sequence is a list of inputs, a number or a list of numbers each; sequences may differ in
        length.  Native code shares the blocks of sequences among `threads`.  `ValueError` naming
        the place of an empty sequence, and for targets that do not fit.
        """
        as_integer(threads, "threads", least=1, most=1024)
        runs = self._runs(sequences, targets)
        numbers = [parameter.data for parameter in self.parameters]
        if self.native:
            return self._run_native(runs, numbers, threads)
        losses, gradient = 0.0, [0.0] * len(numbers)
        for xs, ys in runs:
            inputs = [entry for x in xs for entry in x]
            goals = [entry for y in ys for entry in y]
            program = self._program(len(xs), len(xs[0]), len(ys[0]))
            value, *slopes = program(*numbers, *inputs, *goals)
            losses += value
            gradient = [g + s for g, s in zip(gradient, slopes, strict=True)]
        return losses / len(runs), [g / len(runs) for g in gradient]

    # --- what comes in --------------------------------------------------------------------------

    def _runs(self, sequences: Any, targets: Any) -> list[tuple[list[Any], list[Any]]]:
        """Each sequence and its targets as vectors, all of one size."""
        runs = []
        for name, given in (("sequences", sequences), ("targets", targets)):
            if isinstance(given, str) or not hasattr(given, "__len__"):
                raise ArgumentTypeError(f"{name} must be a list, not {type(given).__name__}.")
        if not len(sequences) or len(sequences) != len(targets):
            raise ArgumentValueError(
                f"sequences and targets must be as many, and one or more: "
                f"there are {len(sequences)} and {len(targets)}."
            )
        for place, (sequence, target) in enumerate(zip(sequences, targets, strict=True)):
            xs = [_vector(x, f"sequences[{place}]") for x in sequence]
            if not xs:
                raise ArgumentValueError(f"sequences[{place}] is empty: it has no output.")
            goals = target if self.every else [target]
            ys = [_vector(y, f"targets[{place}]") for y in goals]
            if self.every and len(ys) != len(xs):
                raise ArgumentValueError(
                    f"targets[{place}] has {len(ys)} entries for {len(xs)} steps."
                )
            runs.append((xs, ys))
        for argument, part in (("sequences", 0), ("targets", 1)):
            sizes = {len(vector) for run in runs for vector in run[part]}
            if len(sizes) > 1:
                raise ArgumentValueError(f"{argument} has vectors of the sizes {sorted(sizes)}.")
        return runs

    # --- python ---------------------------------------------------------------------------------

    def _program(self, steps: int, inputs: int, targets: int) -> Program:
        """The value and the gradient by the parameters of a run of so many steps."""
        key = (steps, inputs, targets)
        if key not in self._programs:
            count = len(self.parameters)
            parameters = [parameter.data for parameter in self.parameters]
            zeros = [0.0] * (steps * inputs + (steps if self.every else 1) * targets)
            program = record(lambda *values: self._unrolled(values, *key), *parameters, *zeros)
            self._programs[key] = program.gradient().select(*range(1 + count))
        return self._programs[key]

    def _unrolled(self, values: Sequence[Any], steps: int, inputs: int, targets: int) -> Any:
        count = len(self.parameters)
        parameters, rest = tuple(values[:count]), values[count:]
        xs, ys = rest[: steps * inputs], rest[steps * inputs :]
        state: tuple[Any, ...] = tuple([Value(entry) for entry in self.state])
        total: Any = None
        for k in range(steps):
            state, output = self._call(state, tuple(xs[k * inputs : (k + 1) * inputs]), parameters)
            if self.every or k == steps - 1:
                place = k if self.every else 0
                goal = tuple(ys[place * targets : (place + 1) * targets])
                loss = self._loss(output, goal)
                total = loss if total is None else total + loss
        return total / float(steps) if self.every else total

    def _call(self, state: Any, x: Any, parameters: Any) -> tuple[tuple[Any, ...], Any]:
        result = self.step(state, x, parameters)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentTypeError("step must give a pair: the new state, and the output.")
        state, output = result
        if len(state) != len(self.state):
            raise ArgumentValueError(
                f"step gave a state of size {len(state)}, but the initial one has size "
                f"{len(self.state)}."
            )
        return tuple(state), output

    def _loss(self, output: Any, goal: tuple[Any, ...]) -> Any:
        one = not isinstance(output, tuple | list)
        return self.loss(output, goal[0] if one and len(goal) == 1 else goal)

    # --- native ---------------------------------------------------------------------------------

    def _run_native(
        self, runs: list[tuple[list[Any], list[Any]]], numbers: list[float], threads: int
    ) -> tuple[float, list[float]]:
        import numpy as np

        from .native import make_blocks

        kernel = self._kernel(len(runs[0][0][0]), len(runs[0][1][0]))
        sequences = [np.array(xs, dtype=float) for xs, _ in runs]
        goals = [np.array(ys if self.every else ys[0], dtype=float) for _, ys in runs]
        blocks = make_blocks(sequences, goals, kernel.lanes, self.every)
        parameters, initial = np.array(numbers), np.array([*self.state, 0.0])
        losses, gradient = kernel.run(blocks, parameters, initial, threads)
        count = len(runs)
        return float(losses.sum()) / count, [float(slope) / count for slope in gradient]

    def _kernel(self, inputs: int, targets: int) -> Kernel:
        from .native import Kernel

        key = (inputs, targets)
        if key not in self._kernels:
            self._kernels[key] = Kernel(self._cell(inputs, targets), every=self.every)
        return self._kernels[key]

    def _cell(self, inputs: int, targets: int) -> Cell:
        from .native import Cell

        count, states = len(self.parameters), len(self.state)

        def once(*values: Value) -> list[Any]:
            parameters, rest = values[:count], values[count:]
            x, y = rest[states : states + inputs], rest[states + inputs :]
            state, output = self._call(tuple(rest[:states]), tuple(x), tuple(parameters))
            return [*state, self._loss(output, tuple(y))]

        examples = [*[p.data for p in self.parameters], *self.state, *[0.0] * (inputs + targets)]
        program = record(once, *examples).simplified()
        if program.guards:
            raise ArgumentValueError(
                "step or loss compares Values, so that one recording is not all of it: native code "
                "does not check comparisons yet, so choose backend='python'."
            )
        *after, loss = program.outputs
        lines = tuple([(op, operands) for op, operands, _ in program.lines])
        sizes = (count, states, inputs, targets)
        return Cell(*sizes, program.constants, lines, tuple(after), loss)


def _vector(entry: Any, argument: str) -> list[float]:
    if isinstance(entry, str):
        raise ArgumentTypeError(f"{argument} must hold numbers or lists of them, not str.")
    entries = entry if hasattr(entry, "__len__") else [entry]
    return [as_float(one, argument) for one in entries]
