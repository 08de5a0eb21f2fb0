"""Training: fit a recurrent network to sequences and their targets."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from ..arguments import as_choice, as_integer
from ..backends.backend import Devices, Result, backend_names
from ..backends.batch import Batch
from ..backends.compile_step import AT, CompiledStep
from ..engine.leaves import assign_numbers, constant_places, first_result, read_numbers
from ..engine.reverse import as_values
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError, TrainingError
from ..ops.losses import Loss, LossFunction, as_loss, count_hits
from .batches import Data, as_examples, batches, fingerprint
from .checkpoint import Best, Moment, read_checkpoint, write_checkpoint
from .history import History
from .nonfinite import find_fault
from .optimisers import Optimiser, hold
from .progress import progress_bar

MOST_EPOCHS: Final = 1_000_000
WAY_OUT: Final = "Lower the learning rate, clip the gradients (clip_norm), or scale the numbers."


class Part(NamedTuple):
    """A batch of a training, of the sequences at these `places` of the data.

    Of streams it is a window that begins after step `start`; the states of those that are still
    going are in these `rows` of the states of all.
    """

    batch: Batch
    places: Sequence[int]
    start: int = 0
    rows: Any = None


class Trainable(Protocol):
    """The model that `fit` takes."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def parameters(self) -> list[Value]: ...
    def compile(self, loss: LossFunction, /, *, at: str, backend: str) -> CompiledStep: ...


def fit(
    model: Trainable,
    data: Data,
    *,
    loss: str | Loss | LossFunction,
    optimiser: Optimiser,
    epochs: int,
    batch_size: int,
    validation: Data | None = None,
    seed: int = 0,
    engine: str = "auto",
    progress: bool = True,
    at: str = "last",
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int = 1,
    devices: Devices | None = None,
    truncate: int | None = None,
    streams: bool = False,
) -> History:
    """The history of a training of the model on the data, which changes the model's weights.

    `model` is a `Model`, such as an `RNN` or a `Stack`, or has `inputs`, `outputs`, `parameters()`
    and `compile` as they do.  `data` and `validation` are pairs (sequences, targets), or have both
    as attributes, as a `Dataset` does.  `loss` is the name of one of ours, a function, or a `Loss`,
    which may have an accuracy too; `optimiser` is `SGD`, `Adam`, or another `Optimiser`.
    Weights that are frozen (`freeze`) stay as they are.
    There is a target per sequence, or with `at="every"` per step.  `engine` is a backend of
    `compile_step`, with this number of `threads`, or for "jax" these `devices`.  An epoch passes
    over the data once, in batches, in an order that the seed and the epoch decide.

    With `truncate`, no gradient goes back from a window of so many steps to the one before, as in
    `unroll`.  With `streams` too, the weights move after each of these windows, from which the
    states go on to the next: so long texts are learnt, several side by side in a batch.  That needs
    `at="every"`; the loss is the mean over windows.

    With `patience` the training ends when the validation loss has not fallen for that many epochs,
    and the weights of the best epoch are restored.  With `checkpoint`, a path, everything is
    written there after each epoch, and a training that finds the file resumes from it: on the same
    engine to the same numbers, bit for bit, as if it had not been interrupted.  Ctrl-C leaves the
    model, and the checkpoint, as they were after the last whole batch.  Of several processes that
    share `devices`, the first writes the file and shows the progress, and all read it.

    `TrainingError` (an `ArithmeticError`) for a loss, gradient or weight that is NaN or infinite,
    naming the epoch, the sequence and the first such number in it; the model is as it was after the
    batch before.  `ValueError` and `TypeError` for data that do not fit, by their place.

    >>> from autograd_rnn import RNN, SGD, bits
    >>> sequences = [bits("1"), bits("10"), bits("110"), bits("011")]
    >>> network = RNN([[0.5], [0.5]], activation="linear", bias=False)
    >>> history = fit(
    ...     network, (sequences, [1, 1, 2, 2]), loss="squared_error", optimiser=SGD(0.1),
    ...     epochs=40, batch_size=2, engine="python", progress=False,
    ... )
    >>> [round(w.data, 2) for w in network.parameters()], len(history)
    ([1.0, 1.0], 40)
    """
    return _Training(
        model,
        data,
        loss,
        optimiser,
        epochs,
        batch_size,
        validation,
        seed,
        engine,
        at,
        patience,
        checkpoint,
        threads,
        devices,
        truncate,
        streams,
    ).run(bool(progress))


class _Training:
    """One call of `fit`: its arguments, and the history so far."""

    def __init__(
        self,
        model: Trainable,
        data: Data,
        loss: str | Loss | LossFunction,
        optimiser: Optimiser,
        epochs: int,
        batch_size: int,
        validation: Data | None,
        seed: int,
        engine: str,
        at: str,
        patience: int | None,
        checkpoint: str | os.PathLike[str] | None,
        threads: int,
        devices: Devices | None,
        truncate: int | None,
        streams: bool,
    ) -> None:
        for name in ("inputs", "outputs", "parameters", "compile"):
            if not hasattr(model, name):
                raise ArgumentTypeError(
                    f"model must have inputs, outputs, parameters() and compile(), as RNN has: "
                    f"{type(model).__name__} has no {name}."
                )
        self.loss = as_loss(loss)
        if not isinstance(optimiser, Optimiser):
            raise ArgumentTypeError(
                f"optimiser must be an Optimiser, such as Adam(), not {type(optimiser).__name__}."
            )
        self.optimiser = optimiser
        self.epochs = as_integer(epochs, "epochs", least=1, most=MOST_EPOCHS)
        self.batch_size = as_integer(batch_size, "batch_size", least=1)
        self.seed = as_integer(seed, "seed")
        self.threads = as_integer(threads, "threads", least=1, most=1024)
        self.patience = None if patience is None else as_integer(patience, "patience", least=1)
        if patience is not None and validation is None:
            raise ArgumentValueError("patience needs validation data: without, there is no best.")
        as_choice(engine, "engine", backend_names())
        every = as_choice(at, "at", AT) == "every"
        self.truncate = None if truncate is None else as_integer(truncate, "truncate", least=1)
        self.streams = bool(streams)
        if self.streams and (truncate is None or not every):
            raise ArgumentValueError(
                "streams needs truncate, the number of steps after which the weights move, and "
                "at='every'."
            )
        inputs = as_integer(model.inputs, "model.inputs", least=0)
        outputs = as_integer(model.outputs, "model.outputs", least=1)
        examples = partial(as_examples, inputs=inputs, outputs=outputs, loss=self.loss, every=every)
        self.data = examples(data, "data")
        self.validation = None if validation is None else examples(validation, "validation")
        self.parameters = as_values(model.parameters(), "model.parameters()")
        if (place := first_result(self.parameters)) >= 0:
            raise ArgumentValueError(
                f"model.parameters()[{place}] is a result: only leaves can learn."
            )
        self.at, self.every = at, every
        # Only if they are given: other models need not know of devices.
        others: dict[str, Any] = {} if devices is None else {"devices": devices}
        if truncate is not None and not self.streams:
            others["truncate"] = truncate
        self.compiled = model.compile(self.loss.function, at=at, backend=engine, **others)
        self.constants: list[int] = []
        self.checkpoint = checkpoint
        self.history = History()

    # --- the loop -------------------------------------------------------------------------------

    def run(self, progress: bool) -> History:
        moment, settings = Moment(self.weights(), self.optimiser.kept), {}
        # Of the processes that train together one writes; each reads.
        leads = self.compiled.leads
        if self.checkpoint is not None:
            settings = self.settings()
            found = read_checkpoint(self.checkpoint, settings, len(self.parameters))
            if found is not None:
                moment, self.history = found
        of_an_epoch = -(-len(self.data) // self.batch_size)
        if self.streams:
            of_an_epoch *= -(-int(self.data.lengths.max()) // (self.truncate or 1))
        try:
            self.put_back(moment)
            with progress_bar(progress and leads, self.epochs, of_an_epoch) as tell:
                while moment.epoch < self.epochs and not self.is_over(moment):
                    self.constants = constant_places(self.parameters)
                    for part in self.windows(moment) if self.streams else self.parts(moment):
                        moment = self.after_a_batch(moment, part)
                        done = moment.epoch * of_an_epoch + moment.batch
                        tell(done, moment.mean, moment.accuracy)
                    moment = self.after_an_epoch(moment)
                    if self.checkpoint is not None and leads:
                        write_checkpoint(self.checkpoint, settings, moment, self.history)
            if moment.best is not None:
                self.assign(moment.best.weights)
            self.compiled.wait()  # for what was written
        except BaseException as error:
            # A batch is done whole or not at all.
            self.put_back(moment)
            if isinstance(error, KeyboardInterrupt) and self.checkpoint is not None and leads:
                write_checkpoint(self.checkpoint, settings, moment, self.history)
            raise
        return self.history

    def parts(self, moment: Moment) -> Iterator[Part]:
        """The batches of an epoch that are left."""
        count, size = len(self.data), self.batch_size
        order = batches(count, size, self.seed, moment.epoch)[moment.batch :]
        left = self.data.take([place for places in order for place in places])
        parts = self.compiled.prepare_parts(left, size)
        for places, batch in zip(order, parts, strict=True):
            yield Part(batch, places)

    def windows(self, moment: Moment) -> Iterator[Part]:
        """The windows of the batches of an epoch that are left."""
        order = batches(len(self.data), self.batch_size, self.seed, moment.epoch)
        size, done = self.truncate or 1, 0
        for places in order:
            batch = self.data.take(places)
            for start in range(0, int(batch.lengths.max()), size):
                done += 1
                if done > moment.batch:
                    rows, window = batch.window(start, size)
                    window = self.compiled.prepare(window)
                    yield Part(window, [places[row] for row in rows], start, rows)

    def after_a_batch(self, moment: Moment, part: Part) -> Moment:
        """The moment after one more batch."""
        start, places, states = time.perf_counter(), part.places, moment.states
        own = states[part.rows] if part.start else None
        found, hits, judged = self.measure(moment, part.batch, own, streams=self.streams)
        if not are_finite(found.loss, found.gradient):
            self.fail(moment, part, own)
        if part.start:
            states = states.copy()
            states[part.rows] = found.states
        else:
            states = found.states
        weights = self.optimiser.updated(moment.weights, found.gradient)
        hold(weights, moment.weights, self.constants)
        if not are_finite(0.0, weights):
            raise TrainingError(
                f"epoch {moment.epoch + 1}: the step after batch {moment.batch + 1} makes a weight "
                f"infinite, though its gradient is finite. {WAY_OUT}"
            )
        return moment._replace(
            weights=weights,
            optimiser=self.optimiser.kept,
            batch=moment.batch + 1,
            states=states,
            sequences=moment.sequences + len(places),
            loss=moment.loss + found.loss * len(places),
            hits=moment.hits + hits,
            judged=moment.judged + judged,
            seconds=moment.seconds + time.perf_counter() - start,
        )

    def after_an_epoch(self, moment: Moment) -> Moment:
        """The moment before the next epoch; the history has an entry more."""
        start, best = time.perf_counter(), moment.best
        self.assign(moment.weights)
        entry: dict[str, float | None] = {"loss": moment.mean, "accuracy": moment.accuracy}
        if self.validation is not None:
            found, hits, judged = self.measure(moment, self.validation)
            if not math.isfinite(found.loss):
                self.fail(moment, Part(self.validation, range(len(self.validation))))
            entry["validation_loss"] = found.loss
            entry["validation_accuracy"] = hits / judged if judged else None
            if self.patience is not None and (best is None or found.loss < best.loss):
                best = Best(moment.epoch + 1, found.loss, moment.weights)
        entry["seconds"] = moment.seconds + time.perf_counter() - start
        for name, number in entry.items():
            if number is not None:
                getattr(self.history, name).append(number)
        return Moment(moment.weights, moment.optimiser, moment.epoch + 1, best=best)

    def is_over(self, moment: Moment) -> bool:
        """Whether the validation loss has not been lower for `patience` epochs."""
        if self.patience is None or moment.best is None:
            return False
        return moment.epoch - moment.best.epoch >= self.patience

    def measure(
        self, moment: Moment, batch: Batch, states: Any = None, *, streams: bool = False
    ) -> tuple[Result, int, int]:
        """The loss, its gradient, and the numbers of hits and of outputs that were judged.

        These are 0 if the loss has no hits.
        """
        judge = self.loss.hit is not None
        options: Any = {"outputs": judge, "threads": self.threads}
        if streams:
            options |= {"state": states, "return_state": True}
        found = self.compiled.run(batch, moment.weights, **options)
        if not judge:
            return found, 0, 0
        return found, count_hits(self.loss, found.outputs, batch.aims()), len(found.outputs)

    def fail(self, moment: Moment, part: Part, states: Any = None) -> None:
        """Raise the error that names the first sequence of a batch with a number not finite."""
        learning, epoch = part.batch is not self.validation, f"epoch {moment.epoch + 1}"
        argument = "data" if learning else "validation"
        self.assign(moment.weights)
        for k, place in enumerate(part.places):
            batch, state = part.batch.take([k]), None if states is None else states[k : k + 1]
            loss, slopes, *_ = self.compiled.run(batch, state=state)
            if not are_finite(loss, slopes if learning else ()):
                objective = self.compiled.objective
                if state is not None:
                    objective = objective._replace(state=state[0].tolist())
                fault = find_fault(objective, *batch.pairs()[0])
                fault = fault or "the engine itself finds none."
                what = "a gradient that is not finite"
                what = what if math.isfinite(loss) else f"the loss {loss!r}"
                where = f", in the window after step {part.start}," if part.start else ""
                raise TrainingError(
                    f"{epoch}: sequences[{place}] of {argument}{where} has {what}: {fault} "
                    f"{WAY_OUT}"
                )
        raise TrainingError(
            f"{epoch}: each sequence of a batch of {argument} is finite, but their sum is not. "
            f"{WAY_OUT}"
        )

    # --- what a moment holds --------------------------------------------------------------------

    def weights(self) -> Any:
        import numpy as np

        numbers = np.empty(len(self.parameters))
        read_numbers(self.parameters, numbers)
        return numbers

    def assign(self, weights: Any) -> None:
        assign_numbers(self.parameters, weights)

    def put_back(self, moment: Moment) -> None:
        """Restore the model, the optimiser and the history of the moment."""
        self.assign(moment.weights)
        self.optimiser.state = moment.optimiser
        self.history.cut(moment.epoch)

    def settings(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the training that resumes from it."""
        names = ("at", "batch_size", "seed", "patience", "truncate", "streams")
        given = {name: getattr(self, name) for name in names}
        data = {"data": self.data, "validation": self.validation}
        prints = {name: one and fingerprint(one) for name, one in data.items()}
        return {"loss": self.loss.name, "optimiser": repr(self.optimiser), **given, **prints}


def are_finite(loss: float, numbers: Any) -> bool:
    """Whether neither a loss nor any of the numbers in an array is NaN or infinite."""
    import numpy as np

    return math.isfinite(loss) and bool(np.isfinite(numbers).all())
