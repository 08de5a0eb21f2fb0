"""`compile_step`: a step recorded once and run over whole batches of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from typing import Any, Literal, TypeAlias, overload

from ..arguments import as_flag, as_integer
from ..engine.leaves import constant_places
from ..engine.shared import SWEEPS
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..ops.losses import Loss, LossFunction, as_loss, counted_by, probabilities_of
from .backend import Backend, Devices, Result, choose_backend
from .batch import (
    Batch,
    Sequences,
    States,
    Targets,
    as_batch,
    at_once,
    check_batch,
    check_entries,
    check_targets,
)
from .objective import Objective, StepFunction, as_objective, check_closed
from .windows import Windows

#: An output: a number, or a list for one of several entries.
Output: TypeAlias = float | list[float]


def compile_step(
    step: StepFunction,
    loss: str | Loss | LossFunction,
    parameters: Iterable[Value],
    state: Iterable[float],
    *,
    at: str = "last",
    backend: str = "auto",
    exact: bool = False,
    devices: Devices | None = None,
    truncate: int | None = None,
    symbols: int | None = None,
    both_ways: bool = False,
) -> CompiledStep:
    """The step as a function of batches of sequences: their mean loss and its gradients.

    `step(state, x, parameters) -> (state, output)` is recorded once, on tuples of Values; `state`
    is the initial state, of numbers.  `loss` is a function `loss(output, target)` that gives a
    Value, a `Loss`, or the name of one.  `at="last"` has a target per sequence, `at="every"` one
    per step, whose losses are averaged.  The loss gets a target as it was given, of Values, since
    it is recorded for all of them: a number, whole or not, as a Value, and a list or an array of
    numbers as a tuple.  The numbers of the parameters are read at each call.

    A parameter is one wherever the step or the loss takes it from: an argument, an attribute, a
    closure.  `RecordingError` for any other variable, and where a number leaves the recording, as
    by `.data`: see `record`, also for what cannot be seen.  Only "eager" calls the step each time.

    `backend` is the name of a `Backend`:

    - "eager", the engine itself, a sequence at a time: the definition;
    - "python", the recorded program of a sequence, bit for bit the same;
    - "numpy", products and lines over all sequences, and over all steps where no state is between;
    - "native", machine code by llvmlite, looped over time and batch; with `exact`, bit for bit as
      the engine, without fusing or reordering anything;
    - "jax", JAX in float64, scanned over time; with `devices`, a list of JAX's devices or a
      `jax.sharding.Mesh`, each has a part of the sequences;
    - "auto", "native" if llvmlite is installed, else "numpy", or with `exact` "python".

    With `truncate`, the steps of each sequence are cut into windows of that many, and no gradient
    goes back from one to the one before, as in `unroll`.  With `both_ways`, step k gets the entries
    of input k and then those of the one that is k-th from the end, as a `Bidirectional` layer does.

    With `symbols`, how many there are, a sequence may be a list of ints or a whole array of them:
    k stands for the one-hot vector with so many entries of which entry k is 1.  The step gets that
    vector; "numpy", "native" and "jax" do not multiply by it, but pick weights.  So an infinite
    weight or NaN makes no NaN of other symbols, as 0·inf does on the engine, and with `exact`.

    "numpy", "native" and "jax" agree with the engine within 1e-12 of the same sums taken over
    absolute values.

    >>> from autograd_rnn import RNN
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> compiled = rnn.compile("squared_error", backend="python")
    >>> compiled.loss_and_gradients([[1, 0, 1]], [15])
    (4.0, [32.0, 68.0])
    """
    chosen, kind = as_loss(loss), choose_backend(backend, exact=bool(exact))
    given = as_objective(step, chosen, parameters, state, at, truncate, both_ways=bool(both_ways))
    if exact and truncate is not None and not kind.truncates:
        raise ArgumentValueError(
            f"exact=True cannot be had with truncate by {kind.name!r}: choose backend='python'."
        )
    if symbols is not None:
        as_integer(symbols, "symbols", least=2)
    mesh = None if devices is None else kind.as_devices(devices)
    return CompiledStep(given, chosen, kind, bool(exact), mesh, symbols or 0)


class CompiledStep:
    """A step that runs over batches of sequences; made by `compile_step`.

    A sequence is a list of inputs, a number or a list of numbers each, or an array of steps by
    inputs; with `symbols`, a list or an array of whole numbers too.  Sequences may differ in
    length.  Each has a target, or with `at="every"` one per step.
    `ValueError` naming the place of an empty sequence, and for a wrong number of targets;
    `BranchChanged` where a comparison of Values in the step or the loss comes out differently
    from the first sequence, on which it was recorded.

    >>> from autograd_rnn import RNN
    >>> RNN.random(2, 1).compile("squared_error", backend="python")
    <CompiledStep: python>
    """

    def __init__(
        self,
        objective: Objective,
        loss: Loss,
        kind: type[Backend],
        exact: bool,
        devices: Devices | None,
        symbols: int = 0,
    ) -> None:
        self.objective, self.loss, self.symbols = objective, loss, symbols
        self.kind, self.exact, self.devices = kind, exact, devices
        #: The number of entries of an input, if it is known.
        self.inputs: int | None = None
        self._made: dict[tuple[int, tuple[int, bool] | None, bool], Backend] = {}
        #: By the number of entries of an output, targets that the loss takes.
        self._taken: dict[int, set[tuple[float, ...]]] = {}
        self._marked, self._constant = -1.0, [0]  # which parameters were constants at which mark

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return self.kind.name

    @property
    def parameters(self) -> list[Value]:
        """The parameters, in the order of the gradients."""
        return self.objective.parameters

    def __getstate__(self) -> dict[str, Any]:
        # Copies, also in other processes, make their own backends, and share nothing with this one.
        return {**vars(self), "_made": {}, "_taken": {}, "_marked": -1.0}

    def __repr__(self) -> str:
        return f"<CompiledStep: {self.backend}{', exact' if self.exact else ''}>"

    def prepare(self, sequences: Sequences | Batch, targets: Targets | None = None) -> Batch:
        """The sequences and targets as a batch, checked and packed once for many runs.

        A batch without targets is for `predict`.  What `take` gave of a batch is packed only.

        >>> from autograd_rnn import RNN
        >>> compiled = RNN.random(2, 1).compile("squared_error", backend="python")
        >>> compiled.prepare([[1, 0, 1], [1]], [[0, 0], [1, 1]])
        <Batch: 2 sequences>
        """
        if not isinstance(sequences, Batch):
            options: Any = {"every": self.objective.every, "symbols": self.symbols}
            batch = as_batch(sequences, targets, **options)
            check_entries(batch, self.inputs)
            batch = self.arranged(batch, "targets")
            self._check_targets(batch)
        elif sequences.backend is None:
            batch = sequences
        else:
            batch = sequences.take(range(len(sequences)))
        self._pack([batch])
        return batch

    def arranged(self, batch: Batch, argument: str) -> Batch:
        """The batch as the step takes it, with targets that are to be ignored, and both ways."""
        check_batch(batch)
        if self.loss.ignore is not None and batch.targets is not None:
            batch = batch.counting(counted_by(self.loss, batch.targets), argument)
        return batch.both_ways() if self.objective.both_ways else batch

    def prepare_parts(self, batch: Batch, size: int) -> Iterator[Batch]:
        """Parts of so many sequences of a batch, in turn, each as `prepare` gives it.

        >>> from autograd_rnn import RNN
        >>> compiled = RNN.random(2, 1).compile("squared_error", backend="python")
        >>> data = compiled.prepare([[1, 0, 1], [1], [0]], [[0, 0], [1, 1], [1, 0]])
        >>> [len(part) for part in compiled.prepare_parts(data, 2)]
        [2, 1]
        """
        check_batch(batch)
        as_integer(size, "size", least=1)
        count = at_once(batch.lengths[:size]) * size
        return chain.from_iterable(self._pack(some.cut(size)) for some in batch.cut(count))

    def prepare_windows(
        self, batch: Batch, size: int, *, whole: bool = False
    ) -> Iterator[tuple[Any, Batch]]:
        """The windows of so many steps, in turn, each as `Batch.window` and then `prepare` give it.

        >>> from autograd_rnn import RNN
        >>> compiled = RNN.random(2, 1).compile("squared_error", at="every", backend="python")
        >>> data = compiled.prepare([[1, 0, 1], [1]], [[[0, 1]] * 3, [[1, 0]]])
        >>> [(places.tolist(), len(window)) for places, window in compiled.prepare_windows(data, 2)]
        [([0, 1], 2), ([0], 1)]
        """
        check_batch(batch)
        as_integer(size, "size", least=1)
        as_flag(whole, "whole")
        if not batch.every:
            raise ArgumentValueError("windows need a target at each step: compile with at='every'.")
        longest = int(batch.lengths.max())
        starts = range(0, longest, size := min(size, longest))
        count = at_once(batch.lengths.clip(max=size))

        def parts() -> Iterator[tuple[Any, Batch]]:
            windows = batch.windows(starts, size, whole=whole)
            for _, alike in groupby(windows, lambda window: len(window[0])):
                while some := [*islice(alike, count)]:
                    self._pack([window for _, window in some])
                    yield from some

        return parts()

    def run(
        self,
        batch: Batch,
        numbers: Any = None,
        *,
        outputs: bool = False,
        state: States | None = None,
        return_state: bool = False,
        threads: int = 1,
    ) -> Result:
        """The mean loss, its gradient as an array, outputs and states, from one pass over a batch.

        `numbers` is an array of the numbers of the parameters, if they are not to be read from the
        Values.  The outputs are an array with a row for each target of the batch, and the states
        one with a row for each sequence; `state` as in `loss_and_gradients`.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> batch = compiled.prepare([[1, 0, 1], [1]], [17, 0])
        >>> found = compiled.run(batch, outputs=True)
        >>> found.loss, found.gradient.tolist(), found.outputs.tolist()
        (0.5, [0.0, 1.0], [[17.0], [1.0]])
        """
        check_closed(self.parameters)
        batch = self._batch(check_batch(batch), None)
        as_integer(threads, "threads", least=1, most=1024)
        given = self.objective.numbers if numbers is None else self.objective.checked(numbers)
        states = self.objective.states_of(state, len(batch), after=return_state)
        options = {"outputs": outputs, "after": return_state, "threads": threads}
        return pass_over(self, batch, given, states, **options)

    @overload
    def loss_and_gradients(
        self,
        sequences: Sequences | Batch,
        targets: Targets | None = None,
        *,
        state: States | None = None,
        return_state: Literal[False] = False,
        threads: int = 1,
    ) -> tuple[float, list[float]]: ...

    @overload
    def loss_and_gradients(
        self,
        sequences: Sequences | Batch,
        targets: Targets | None = None,
        *,
        state: States | None = None,
        return_state: Literal[True],
        threads: int = 1,
    ) -> tuple[float, list[float], Any]: ...

    def loss_and_gradients(
        self,
        sequences: Sequences | Batch,
        targets: Targets | None = None,
        *,
        state: States | None = None,
        return_state: bool = False,
        threads: int = 1,
    ) -> tuple[float, list[float]] | tuple[float, list[float], Any]:
        """The mean loss over the sequences, and its gradient with respect to each parameter.

        A `Batch` serves in place of both arguments.  Native code shares it among `threads`.

        `state` has a vector for each sequence, which it starts from instead of the initial one.
        With `return_state`, an array with a row for each comes last: the state after it.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> *_, state = compiled.loss_and_gradients([[1, 0]], [15], return_state=True)
        >>> compiled.loss_and_gradients([[1]], [15], state=state)
        (4.0, [16.0, 4.0])
        """
        check_closed(self.parameters)
        batch = self._batch(sequences, targets)
        found = self.run(batch, state=state, return_state=return_state, threads=threads)
        gradients = found.gradient.tolist()
        return (found.loss, gradients, found.states) if return_state else (found.loss, gradients)

    @overload
    def predict(
        self,
        sequences: Sequences | Batch,
        *,
        probabilities: bool = False,
        state: States | None = None,
        return_state: Literal[False] = False,
        threads: int = 1,
    ) -> list[Output] | list[list[Output]]: ...

    @overload
    def predict(
        self,
        sequences: Sequences | Batch,
        *,
        probabilities: bool = False,
        state: States | None = None,
        return_state: Literal[True],
        threads: int = 1,
    ) -> tuple[list[Output] | list[list[Output]], Any]: ...

    def predict(
        self,
        sequences: Sequences | Batch,
        *,
        probabilities: bool = False,
        state: States | None = None,
        return_state: bool = False,
        threads: int = 1,
    ) -> Any:
        """The output for each sequence: a float, or a list for an output of several entries.

        Where every step has a target, a list of the outputs at each step.  `state` and
        `return_state` are those of `loss_and_gradients`: with the latter, a pair with the states.
        With `probabilities`, these are in place of outputs: σ of the logits for binary cross
        entropy, softmax for cross entropy, for another loss those that its `Loss` makes.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> rnn.compile("squared_error", backend="python").predict([[1, 0, 1], [1]])
        [17.0, 1.0]
        """
        as_integer(threads, "threads", least=1, most=1024)
        shown = probabilities_of(self.loss) if probabilities else None
        check_closed(self.parameters)
        batch = self._own(sequences) if isinstance(sequences, Batch) else self.prepare(sequences)
        states = self.objective.states_of(state, len(batch), after=return_state)
        options = {"states": states, "after": return_state, "threads": threads}
        result = batch.backend.predict(batch.packed, self.objective.numbers, **options)
        found = result.outputs if shown is None else shown(result.outputs)
        outputs: Any = found[:, 0].tolist() if found.shape[1] == 1 else found.tolist()
        if self.objective.every:
            rest = iter(outputs)
            outputs = [[*islice(rest, length)] for length in batch.lengths.tolist()]
        return (outputs, result.states) if return_state else outputs

    def gradients_per_step(
        self, sequences: Sequences | Batch, targets: Targets | None = None
    ) -> list[list[list[float]]]:
        """For each sequence and step, ∂loss of the sequence/∂the step's copy of each parameter.

        The sum over the steps is the gradient with respect to the parameter.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> compiled.gradients_per_step([[1, 0, 1]], [15])
        [[[0.0, 64.0], [16.0, 0.0], [16.0, 4.0]]]
        """
        import numpy as np

        check_closed(self.parameters)
        batch = self._batch(sequences, targets)
        found = batch.backend.per_step(batch.packed, self.objective.numbers)
        return [self._by_variables(np.array(rows)).tolist() for rows in found]

    def _by_variables(self, gradient: Any) -> Any:
        """The gradient, with 0 for parameters that are constants now."""
        if self._marked != SWEEPS.marked:
            self._marked, self._constant = SWEEPS.marked, constant_places(self.parameters)
        if self._constant:
            gradient[..., self._constant] = 0.0
        return gradient

    def _check_targets(self, batch: Batch) -> None:
        """`ValueError` for the first target that the loss does not take."""
        if batch.targets is not None and self.loss.check is not None:
            size = self._backend(batch).outputs
            check_targets(batch, self.loss, size, self._taken.setdefault(size, set()))

    def _batch(self, sequences: Any, targets: Any) -> Batch:
        """The given batch, or one of the given sequences and targets."""
        if not isinstance(sequences, Batch):
            if targets is None:
                raise ArgumentTypeError("targets are missing: a batch that has them needs none.")
            return self.prepare(sequences, targets)
        if targets is not None:
            raise ArgumentTypeError("targets must not be given with a batch, which has its own.")
        if sequences.targets is None:
            raise ArgumentValueError("the batch has no targets: prepare it with them.")
        return self._own(sequences)

    def _own(self, batch: Batch) -> Batch:
        if batch.backend is None:
            return self.prepare(batch)
        if batch.backend not in self._made.values():
            raise ArgumentValueError(
                "the batch was prepared by another step: prepare it by this one."
            )
        return batch

    def _pack(self, batches: list[Batch]) -> list[Batch]:
        """The batches, packed."""
        backend = self._backend(batches[0])
        given = batches if backend.gathers else [batch.as_vectors() for batch in batches]
        for batch, packed in zip(batches, backend.pack_all(given), strict=True):
            batch.backend, batch.packed = backend, packed
        return batches

    def _backend(self, batch: Batch) -> Backend:
        """The backend for batches with vectors of these sizes, made for the first of them."""
        targets = batch.targets
        gathers = self.kind.gathers and batch.symbols > 0
        size = None if targets is None else (targets.shape[1], batch.number)
        key = (batch.entries, size, gathers)
        if key not in self._made:
            (x,) = batch.vectors(batch.starts[0], 1)
            y = None if targets is None else targets[batch.goals[0]].tolist()
            given = (self.objective._replace(number=batch.number), x, y)
            options: Any = {"symbols": True} if gathers else {}  # others need not know of it
            made = self.kind(*given, exact=self.exact, devices=self.devices, **options)
            truncate = self.objective.truncate
            cut = truncate is not None and not self.kind.truncates
            self._made[key] = Windows(made, truncate or 0) if cut else made
        return self._made[key]


def pass_over(own: CompiledStep, batch: Batch, numbers: Any, states: Any, **options: Any) -> Result:
    """What `CompiledStep.run` gives, of a batch that is its own and arrays that need no check."""
    found: Result = batch.backend.run(batch.packed, numbers, states=states, **options)
    own._by_variables(found.gradient)
    return found.mean(len(batch))
