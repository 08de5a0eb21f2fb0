"""One step, recorded once, and run over whole batches of sequences: compile_step."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from ..arguments import as_choice, as_float, as_function, as_integer
from ..engine.reverse import as_values
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import LOSSES
from ..program.program import Recorder
from .eager import EngineRun
from .python import ReplayedRun
from .step import Step
from .traced import Cell

#: What runs a step, and what has to be installed for it.
BACKENDS: Final[dict[str, tuple[str, ...]]] = {
    "eager": (),
    "python": (),
    "numpy": ("numpy",),
    "native": ("llvmlite", "numpy"),
    "jax": ("jax", "numpy"),
}
#: What "auto" takes, the fastest first.
FASTEST: Final = ("native", "numpy", "python")
#: The extra that has what a backend needs, if not `fast`.
EXTRAS: Final = {"jax": "jax"}
AT: Final = ("last", "every")


def compile_step(
    step: Callable[..., Any],
    loss: Any,
    parameters: Iterable[Value],
    state: Iterable[Any],
    *,
    at: str = "last",
    backend: str = "auto",
    exact: bool = False,
    devices: Any = None,
) -> CompiledStep:
    """The step as a function of batches of sequences: their mean loss, and its gradients.

    `step(state, x, parameters) -> (state, output)` is recorded once, on tuples of Values; `state`
    is the initial state, of numbers.  `loss(output, target)` gives a Value, or is the name of ours.
    `at="last"` has a target per sequence, `at="every"` one per step, whose losses are averaged.
    The numbers of the parameters are read at each call.

    `backend` is one of

    - "eager", the engine itself, a sequence at a time: the definition;
    - "python", the recorded program of a run, bit for bit the same;
    - "numpy", a line at a time over all sequences;
    - "native", machine code by llvmlite, looped over time and batch; with `exact`, bit for bit as
      the engine, without fusing or reordering anything;
    - "jax", JAX (the extra `jax`), in float64, scanned over time and compiled for each shape; with
      `devices`, a list of JAX's devices or a `jax.sharding.Mesh`, each has a part of the sequences;
    - "auto", the fastest of "python", "numpy" and "native" that is installed: the extra `fast` has
      all.

    "numpy", "native" and "jax" agree with the engine within 1e-12 of the same sums taken over
    absolute values.

    >>> from autograd_rnn import RNN
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> compiled = rnn.compile("squared_error", backend="python")
    >>> compiled.loss_and_gradients([[1, 0, 1]], [15])
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
    as_choice(backend, "backend", ("auto", *BACKENDS))
    given = Step(step, chosen, leaves, initial, at == "every")
    name = _backend(backend, bool(exact))
    return CompiledStep(given, name, exact=bool(exact), mesh=_mesh(devices, name))


def _backend(name: str, exact: bool) -> str:
    """The backend of that name, or for "auto" the fastest there is."""
    missing = {
        backend: [package for package in packages if importlib.util.find_spec(package) is None]
        for backend, packages in BACKENDS.items()
    }
    if name == "auto":
        chosen = next(backend for backend in FASTEST if not missing[backend])
        chosen = "python" if exact and chosen == "numpy" else chosen
        if chosen != "native":
            warnings.warn(
                f"backend='auto' takes {chosen!r}, since {' and '.join(missing['native'])} is not "
                f"installed: pip install 'autograd-rnn[fast]' has machine code, which is faster.",
                stacklevel=4,
            )
        return chosen
    if missing[name]:
        raise ArgumentValueError(
            f"backend={name!r} needs {' and '.join(missing[name])}: "
            f"pip install 'autograd-rnn[{EXTRAS.get(name, 'fast')}]', or choose backend='python'."
        )
    if exact and name in ("numpy", "jax"):
        raise ArgumentValueError(
            f"backend={name!r} is not exact: choose 'native', 'python' or 'eager' for exact=True."
        )
    return name


def _mesh(devices: Any, backend: str) -> Any:
    """The mesh of JAX's devices to share batches among, or None."""
    if devices is None:
        return None
    if backend != "jax":
        raise ArgumentValueError(
            f"devices are JAX's, and backend={backend!r} has none: choose backend='jax', or leave "
            f"devices out."
        )
    from .jax.backend import as_mesh

    return as_mesh(devices)


class Batch:
    """Sequences and their targets, looked at and packed once; made by `CompiledStep.prepare`."""

    def __init__(self, maker: CompiledStep, runs: list[Any], runner: Any, packed: Any) -> None:
        self.maker, self.runs, self.runner, self.packed = maker, runs, runner, packed

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return f"<Batch: {len(self)} sequences>"


class CompiledStep:
    """A step that runs over batches of sequences; made by `compile_step`.

    A sequence is a list of inputs, a number or a list of numbers each, or an array of steps by
    inputs; sequences may differ in length.  There is a target for each, at every step one if the
    step was compiled so.  `ValueError` naming the place of an empty sequence, and for targets that
    do not fit; `BranchChanged` where a comparison of Values in the step or the loss comes out
    otherwise than for the sequence on which it was recorded, the first one.

    >>> from autograd_rnn import RNN
    >>> RNN.random(2, 1).compile("squared_error", backend="python")
    <CompiledStep: python>
    """

    def __init__(self, step: Step, backend: str, *, exact: bool = False, mesh: Any = None) -> None:
        self.step, self.backend, self.exact, self.mesh = step, backend, exact, mesh
        self._runners: dict[Any, Any] = {}

    @property
    def parameters(self) -> list[Value]:
        """The parameters, in the order of the gradients."""
        return self.step.parameters

    def __repr__(self) -> str:
        return f"<CompiledStep: {self.backend}{', exact' if self.exact else ''}>"

    def prepare(self, sequences: Any, targets: Any = None) -> Batch:
        """The sequences and targets as a batch, which can be run again and again.

        Checking and packing numbers takes longer than running machine code over them.  A batch
        without targets is for `predict`.

        >>> from autograd_rnn import RNN
        >>> compiled = RNN.random(2, 1).compile("squared_error", backend="python")
        >>> compiled.prepare([[1, 0, 1], [1]], [[0, 0], [1, 1]])
        <Batch: 2 sequences>
        """
        runs = self._checked(sequences, targets)
        runner = self._runner(runs)
        return Batch(self, runs, runner, runner.pack(runs, targets is not None))

    def loss_and_gradients(
        self, sequences: Any, targets: Any = None, *, threads: int = 1
    ) -> tuple[float, list[float]]:
        """The mean loss over the sequences, and its gradient by each parameter, in their order.

        Instead of sequences and targets it takes a `Batch`.  Native code shares the sequences among
        `threads`.
        """
        as_integer(threads, "threads", least=1, most=1024)
        batch = self._batch(sequences, targets)
        total, gradient = batch.runner.run(batch.packed, threads)
        count = len(batch)
        # An array gives its numbers much faster all at once.
        slopes = gradient.tolist() if hasattr(gradient, "tolist") else gradient
        return float(total) / count, [slope / count for slope in slopes]

    def predict(self, sequences: Any, *, threads: int = 1) -> list[Any]:
        """The output for each sequence: a float, or a list for an output of several entries.

        Where every step has a target, a list of the outputs at each step.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.compile("squared_error", backend="python").predict([[1, 0, 1], [1]])
        [17.0, 1.0]
        """
        as_integer(threads, "threads", least=1, most=1024)
        batch = sequences if isinstance(sequences, Batch) else self.prepare(sequences)
        self._check_maker(batch)
        found = batch.runner.predict(batch.packed, threads)
        if self.step.every:
            return [[_number_or_list(row) for row in rows] for rows in found]
        return [_number_or_list(row) for row in found]

    def gradients_per_step(self, sequences: Any, targets: Any = None) -> list[list[list[float]]]:
        """For each sequence, and each of its steps, ∂its loss/∂the step's copy of each parameter.

        These are the terms of the copies, added up where a step uses a parameter more than once:
        their sum over the steps is the gradient by the parameter itself.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> compiled.gradients_per_step([[1, 0, 1]], [15])
        [[[0.0, 64.0], [16.0, 0.0], [16.0, 4.0]]]
        """
        batch = self._batch(sequences, targets)
        return [
            [[float(slope) for slope in row] for row in rows]
            for rows in batch.runner.per_step(batch.packed)
        ]

    # --- what comes in --------------------------------------------------------------------------

    def _batch(self, sequences: Any, targets: Any) -> Batch:
        if not isinstance(sequences, Batch):
            if targets is None:
                raise ArgumentTypeError("targets are missing: a batch that has them needs none.")
            return self.prepare(sequences, targets)
        self._check_maker(sequences)
        if targets is not None:
            raise ArgumentTypeError("targets must not be given with a batch, which has its own.")
        if not len(sequences.runs[0][1]):
            raise ArgumentValueError("the batch has no targets: prepare it with them.")
        return sequences

    def _check_maker(self, batch: Batch) -> None:
        if batch.maker is not self:
            raise ArgumentValueError(
                "the batch was prepared by another step: prepare it by this one."
            )

    def _checked(self, sequences: Any, targets: Any) -> list[Any]:
        """Each sequence and its targets as vectors, all of one size."""
        for name, given in (("sequences", sequences), ("targets", targets)):
            if given is None and name == "targets":
                continue
            if isinstance(given, str | Mapping | Set) or not hasattr(given, "__len__"):
                raise ArgumentTypeError(f"{name} must be a list, not {type(given).__name__}.")
        if not len(sequences):
            raise ArgumentValueError("sequences is empty: a batch has one or more.")
        if targets is not None and len(sequences) != len(targets):
            raise ArgumentValueError(
                f"sequences and targets must be as many: "
                f"there are {len(sequences)} and {len(targets)}."
            )
        runs, fast = [], "numpy" in BACKENDS[self.backend]
        for place, sequence in enumerate(sequences):
            xs = _vectors(sequence, f"sequences[{place}]", fast=fast)
            if not len(xs):
                raise ArgumentValueError(f"sequences[{place}] is empty: it has no output.")
            ys: Any = []
            if targets is not None:
                target = targets[place]
                goals = target if self.step.every else [target]
                ys = _vectors(goals, f"targets[{place}]", fast=fast)
                if self.step.every and len(ys) != len(xs):
                    raise ArgumentValueError(
                        f"targets[{place}] has {len(ys)} entries for {len(xs)} steps."
                    )
            runs.append((xs, ys))
        for argument, part in (("sequences", 0), ("targets", 1)):
            sizes = {len(run[part][0]) for run in runs if len(run[part])}
            if len(sizes) > 1:
                raise ArgumentValueError(f"{argument} has vectors of the sizes {sorted(sizes)}.")
        return runs

    # --- what runs it ---------------------------------------------------------------------------

    def _runner(self, runs: list[Any]) -> Any:
        """What runs sequences like these; made for the first of them."""
        xs, ys = runs[0]
        key = (len(xs[0]), len(ys[0]) if len(ys) else None)
        if self.backend in ("eager", "python"):
            key = (0, 0)
        if key not in self._runners:
            self._runners[key] = self._made(xs, ys)
        return self._runners[key]

    def _made(self, xs: Any, ys: Any) -> Any:
        if self.backend == "eager":
            return EngineRun(self.step)
        if self.backend == "python":
            return ReplayedRun(self.step)
        cell = record_cell(self.step, xs[0], ys[0] if len(ys) else None, share=not self.exact)
        if self.backend == "numpy":
            from .numpy import ArrayRun

            return ArrayRun(self.step, cell)
        if self.backend == "jax":
            from .jax.backend import ShardedRun

            return ShardedRun(self.step, cell, self.mesh)
        from .llvm.backend import NativeRun

        return NativeRun(self.step, cell, exact=self.exact)


def record_cell(
    step: Step, x: Sequence[float], y: Sequence[float] | None, *, share: bool = True
) -> Cell:
    """The step as data, recorded on an input and a target; without a target its loss is 0.

    Sharing equal lines moves the last bits of gradients, whose terms are then added up before they
    are multiplied.
    """
    goal = () if y is None else y
    given = [
        [Value(p.data, p.name or f"p_{place}") for place, p in enumerate(step.parameters, 1)],
        [Value(entry, f"q_{place}") for place, entry in enumerate(step.state, 1)],
        [Value(float(entry), f"x_{place}") for place, entry in enumerate(x, 1)],
        [Value(float(entry), f"y_{place}") for place, entry in enumerate(goal, 1)],
    ]
    parameters, state, inputs, targets = map(tuple, given)
    recorder = Recorder()
    with recorder:
        after, output = step.call(state, inputs, parameters)
        checks = len(recorder.comparisons)
        loss = 0.0 if y is None else step.loss_of(output, targets)
    entries = output if isinstance(output, tuple | list) else [output]
    results = [*after, *entries, loss]
    program = recorder.program(results, [value for values in given for value in values])
    program = program.simplified() if share else program.folded()
    return Cell(program, len(parameters), len(state), len(inputs), len(targets), checks)


def _vectors(given: Any, argument: str, *, fast: bool) -> Any:
    """The numbers as vectors of one size: a list of lists, or if `fast` an array where it can."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ArgumentTypeError(f"{argument} must be a list, not {type(given).__name__}.")
    if fast:
        import numpy as np

        try:
            array = np.array(given)
        except ValueError:
            array = np.array("ragged")
        if array.dtype.kind in "iuf" and array.ndim in (1, 2) and len(array):
            return array.astype(float) if array.ndim == 2 else array.astype(float)[:, None]
    vectors = [_vector(entry, argument) for entry in given]
    sizes = sorted({len(vector) for vector in vectors})
    if len(sizes) > 1:
        raise ArgumentValueError(f"{argument} has vectors of the sizes {sizes}.")
    return vectors


def _vector(entry: Any, argument: str) -> list[float]:
    if isinstance(entry, str):
        raise ArgumentTypeError(f"{argument} must hold numbers or lists of them, not str.")
    entries = entry if hasattr(entry, "__len__") else [entry]
    return [as_float(one, argument) for one in entries]


def _number_or_list(entries: Any) -> Any:
    numbers = [float(entry) for entry in entries]
    return numbers[0] if len(numbers) == 1 else numbers
