"""Training: fit a recurrent network to sequences and their targets."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Final

from ..arguments import as_choice, as_function, as_integer, as_list, shown, truth, visible
from ..backends.backend import Devices, Result, backend_names
from ..backends.batch import Batch
from ..backends.compile_step import pass_over
from ..backends.objective import AT, check_closed
from ..engine.leaves import assign_numbers, constant_places, first_result, read_numbers
from ..engine.reverse import as_values
from ..errors import ArgumentTypeError, ArgumentValueError, TrainingError
from ..files import in_use
from ..ops.losses import Loss, LossFunction, as_loss, count_hits
from .batches import (
    Data,
    Part,
    Trainable,
    as_trainable,
    at_once,
    batches,
    compiled_for,
    fingerprint,
    in_turn,
    parts_of,
    windows_of,
)
from .checkpoint import Best, Moment, identity, read_checkpoint, write_checkpoint
from .history import History
from .nonfinite import are_finite, find_fault
from .optimisers import Optimiser, hold
from .progress import CSVLog, Report, progress_bar
from .schedules import Schedule, factor_at

MOST_EPOCHS: Final = 1_000_000
NOT_MOVED: Final = "No weight has moved yet: scale the numbers of the data, or the weights."
WAY_OUT: Final = "Lower the learning rate, clip the gradients (clip_norm), or scale the numbers."


def fit(
    model: Trainable,
    data: Data,
    *,
    loss: str | Loss | LossFunction,
    optimiser: Optimiser,
    epochs: int,
    batch_size: int,
    validation: Data | None = None,
    schedule: Schedule | None = None,
    callbacks: Iterable[Callable[[Report], bool | None]] = (),
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
    which may have an accuracy too, weights of classes, and targets to ignore; `optimiser` is `SGD`,
    `Adam`, or another `Optimiser`, whose state goes on if it has moved these weights before, and
    else starts afresh.  Weights that are frozen (`freeze`) stay as they are.
    There is a target per sequence, or with `at="every"` per step.  `engine` is a backend of
    `compile_step`, with this number of `threads`, or for "jax" these `devices`.

    An epoch passes over the data once, in batches, in an order that the seed and the number of the
    epoch decide.  The optimiser counts the epochs: the next `fit` of the same weights with the same
    optimiser goes on where this one ended, so that n calls of one epoch are one call of n.  A new
    optimiser begins at the first epoch, and so with the same order.

    `schedule` is a function of the epochs done, a float such as 2.25 in the middle of a step, which
    gives the factor of the optimiser's learning rate: `StepDecay`, `CosineDecay`, `WarmUp`, or your
    own.  Each of the `callbacks` is called after every epoch with a `Report`, when the weights are
    in the model, which it may look at, but not change; the training ends if one of them returns
    True.  An error in one leaves the model, and the checkpoint, as they were after that epoch.

    With `truncate`, no gradient goes back from a window of so many steps to the one before, as in
    `unroll`.  With `streams` too, the weights move after each of these windows, from which the
    states go on to the next: so long texts are learnt, several side by side in a batch.  That needs
    `at="every"`; the loss is the mean over windows.

    With `patience` the training ends when the validation loss has not fallen for that many epochs,
    and the weights of the best epoch are restored.  With `checkpoint`, a path, everything is
    written there after each epoch, and a training that finds the file resumes from it: on the same
    engine to the same numbers, bit for bit, as if it had not been interrupted.  `FileInUse` (a
    `BlockingIOError`) while another training uses the file.  Ctrl-C leaves the model, and the
    checkpoint, as they were after the last whole batch.  Of several processes that share `devices`,
    the first writes the file and shows the progress, and all read it.

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
    return _Training(SimpleNamespace(**locals())).run()


class _Training:
    """One call of `fit`: the arguments that were `given`, checked, and the history so far."""

    def __init__(self, given: Any) -> None:
        self.model, self.loss = as_trainable(given.model), as_loss(given.loss)
        optimiser = self.optimiser = given.optimiser
        if not isinstance(optimiser, Optimiser):
            raise ArgumentTypeError(
                f"optimiser must be an Optimiser, such as Adam(), not {type(optimiser).__name__}."
            )
        self.epochs = as_integer(given.epochs, "epochs", least=1, most=MOST_EPOCHS)
        self.batch_size = as_integer(given.batch_size, "batch_size", least=1)
        self.seed = as_integer(given.seed, "seed")
        self.threads = as_integer(given.threads, "threads", least=1, most=1024)
        self.patience = _or_none(given.patience, "patience")
        if self.patience is not None and given.validation is None:
            raise ArgumentValueError("patience needs validation data: without, there is no best.")
        as_choice(given.engine, "engine", backend_names())
        self.at = as_choice(given.at, "at", AT)
        self.truncate = _or_none(given.truncate, "truncate")
        self.streams = bool(given.streams)
        if self.streams and (self.truncate is None or self.at != "every"):
            raise ArgumentValueError(
                "streams needs truncate, the number of steps after which the weights move, and "
                "at='every'."
            )
        self.schedule, self.progress = given.schedule, bool(given.progress)
        if self.schedule is not None:
            as_function(self.schedule, "schedule")
        listed = enumerate(as_list(given.callbacks, "callbacks", "functions"))
        self.callbacks = [as_function(one, f"callbacks[{place}]") for place, one in listed]
        self.parameters = as_values(self.model.parameters(), "model.parameters()")
        if (place := first_result(self.parameters)) >= 0:
            raise ArgumentValueError(
                f"model.parameters()[{place}] is a result: only leaves can learn."
            )
        for place, weight in enumerate(self.parameters):
            if not math.isfinite(weight.data):
                name = visible(weight.name or "no name")
                raise ArgumentValueError(
                    f"model.parameters()[{place}] ({name}) is {weight.data!r}: "
                    f"a training starts from finite weights."
                )
        check_closed(self.parameters)
        options = {"at": self.at, "engine": given.engine, "devices": given.devices}
        options["truncate"] = None if self.streams else self.truncate
        self.compiled, (self.data, self.validation) = compiled_for(
            self.model, {"data": given.data, "validation": given.validation}, self.loss, **options
        )
        if len(self.compiled.parameters) != len(self.parameters):
            raise ArgumentValueError(
                f"model.parameters() gives {len(self.parameters)} Values, but model.compile() a "
                f"step of {len(self.compiled.parameters)} parameters: give all of them, and freeze "
                f"those that are to stay as they are."
            )
        self.constants: list[int] = []
        self.checked: list[Part] = []  # the validation data, packed
        self.checkpoint = given.checkpoint
        self.history = History()

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> History:
        if self.checkpoint is None or not self.leads:
            return self.train()
        with in_use(self.checkpoint):
            return self.train()

    def train(self) -> History:
        self.optimiser.attach(self.parameters)
        first, settings = self.optimiser.epochs, {}
        moment = Moment(self.weights(), self.optimiser.kept, first, first=first)
        # Of the processes that train together one writes; each reads.
        leads = self.leads
        if self.checkpoint is not None:
            settings = self.settings()
            found = read_checkpoint(self.checkpoint, settings, len(self.parameters))
            if found is not None:
                moment, self.history = found
                self.check_rates(moment)
        last = moment.first + self.epochs
        try:
            self.put_back(moment)
            with progress_bar(self.progress and leads, moment.first, last) as tell:
                while moment.epoch < last and not self.is_over(moment):
                    self.constants = constant_places(self.parameters)
                    order = batches(len(self.data), self.batch_size, self.seed, moment.epoch)
                    count = self.count(moment.epoch)
                    for part in self.parts(self.data, order, moment.batch):
                        factor = self.factor(moment.epoch, moment.batch, count)
                        moment = self.after_a_batch(moment, part, factor)
                        rate = (
                            None if self.schedule is None else self.optimiser.learning_rate * factor
                        )
                        done = moment.epoch + moment.batch / count
                        tell(done, moment.mean, moment.accuracy, rate)
                    moment = self.after_an_epoch(moment)
                    try:
                        moment = moment._replace(stopped=self.called_back(moment))
                    finally:
                        if self.checkpoint is not None and leads:
                            write_checkpoint(self.checkpoint, settings, moment, self.history)
            self.assign(moment.weights if moment.best is None else moment.best.weights)
            self.compiled.kind.wait(self.compiled.devices)  # for what was written
        except BaseException as error:
            # A batch is done whole or not at all.
            self.put_back(moment)
            if isinstance(error, KeyboardInterrupt) and self.checkpoint is not None and leads:
                write_checkpoint(self.checkpoint, settings, moment, self.history)
            raise
        return self.history

    def count(self, epoch: int) -> int:
        """The number of steps of an epoch."""
        if not self.streams:
            return -(-len(self.data) // self.batch_size)
        order = batches(len(self.data), self.batch_size, self.seed, epoch)
        size = self.truncate or 1
        return sum([-(-int(self.data.lengths[places].max()) // size) for places in order])

    def factor(self, epoch: int, batch: int, count: int) -> float:
        """The factor of the learning rate for a step, one of so many of an epoch."""
        if self.schedule is None:
            return 1.0
        return factor_at(self.schedule, epoch + (batch + 0.5) / count)

    def parts(
        self, data: Batch, order: Sequence[Sequence[int]], done: int, *, whole: bool = False
    ) -> Iterator[Part]:
        """The parts of the data in that order, or their windows, but for those that are done."""
        if self.streams:
            size = self.truncate or 1
            return windows_of(self.compiled, data, order, size, done=done, whole=whole)
        return parts_of(self.compiled, data, order[done:])

    def after_a_batch(self, moment: Moment, part: Part, factor: float) -> Moment:
        """The moment after one more batch, with this factor of the learning rate."""
        start, places, states = time.perf_counter(), part.places, moment.states
        own = states[part.rows] if part.start else None
        found, hits, judged = self.measure(moment, part.batch, own, streams=self.streams)
        if not are_finite(found.loss, found.gradient):
            self.fail(moment, part, own)
        states = part.carried(states, found.states)
        with self.optimiser.scaled(factor) if factor != 1.0 else nullcontext():
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
            loss, hits, judged = self.validated(moment, self.validation)
            entry["validation_loss"] = loss
            entry["validation_accuracy"] = hits / judged if judged else None
            if self.patience is not None and (best is None or loss < best.loss):
                best = Best(moment.epoch + 1, loss, moment.weights)
        if self.schedule is not None:
            entry["learning_rate"] = self.rate(moment.epoch)
        entry["seconds"] = moment.seconds + time.perf_counter() - start
        for name, number in entry.items():
            if number is not None:
                getattr(self.history, name).append(number)
        after = Moment(moment.weights, moment.optimiser, moment.epoch + 1, first=moment.first)
        self.optimiser.epochs = after.epoch
        return after._replace(best=best)

    def validated(self, moment: Moment, data: Batch) -> tuple[float, int, int]:
        """The mean loss of the validation data, and how many outputs were hits, and were judged."""
        if not self.checked:
            size = self.batch_size if self.streams else at_once(data, self.batch_size)
            self.checked = [*self.parts(data, in_turn(len(data), size), 0, whole=True)]
        mean, hits, judged = 0.0, 0, 0
        states: Any = None
        for part in self.checked:
            own = states[part.rows] if part.start else None
            found, *counts = self.measure(moment, part.batch, own, streams=self.streams)
            if not math.isfinite(found.loss):
                self.fail(moment, part, own, "validation")
            states = part.carried(states, found.states)
            mean += found.loss * (len(part.places) / len(data))
            hits, judged = hits + counts[0], judged + counts[1]
        return mean, hits, judged

    @property
    def leads(self) -> bool:
        """Whether this process writes, of those that train together."""
        return self.compiled.kind.leads(self.compiled.devices)

    def called_back(self, moment: Moment) -> bool:
        """Whether a callback ends the training; all of them are told of the last epoch."""
        if not self.callbacks:
            return False
        entry: dict[str, Any] = {one: column[-1] for one, column in self.history.columns().items()}
        entry["learning_rate"] = self.rate(moment.epoch - 1)
        report, ends = Report(moment.epoch, model=self.model, **entry), False
        for place, callback in enumerate(self.callbacks):
            if isinstance(callback, CSVLog) and not self.leads:
                continue
            answer = callback(report)
            if answer is not None and truth(answer) is answer:
                raise ArgumentTypeError(
                    f"callbacks[{place}] must return True, False or None, not {shown(answer)}."
                )
            ends |= bool(answer)
        return ends

    def rate(self, epoch: int) -> float:
        """The learning rate of the last step of an epoch."""
        count = self.count(epoch)
        rate: float = self.optimiser.learning_rate * self.factor(epoch, count - 1, count)
        return rate

    def check_rates(self, moment: Moment) -> None:
        """`ValueError` if the schedule had other learning rates in the epochs before."""
        known, epochs = self.history.learning_rate, range(moment.first, moment.epoch)
        if known != ([] if self.schedule is None else [*map(self.rate, epochs)]):
            raise ArgumentValueError(
                f"the checkpoint {str(self.checkpoint)!r} is of a training with another schedule: "
                f"its learning rates were {known or 'constant'}. Delete it, or choose another path."
            )

    def is_over(self, moment: Moment) -> bool:
        """Whether a callback ended it, or no validation loss was lower for `patience` epochs."""
        if moment.stopped:
            return True
        if self.patience is None or moment.best is None:
            return False
        return moment.epoch - moment.best.epoch >= self.patience

    def measure(
        self, moment: Moment, batch: Batch, states: Any = None, *, streams: bool = False
    ) -> tuple[Result, int, int]:
        """The loss, its gradient, and the numbers of hits and of outputs that were judged.

        These are 0 if the loss has no hits.
        """
        judge = self.loss.judges
        options = {"outputs": judge, "after": streams, "threads": self.threads}
        found = pass_over(self.compiled, batch, moment.weights, states, **options)
        if not judge:
            return found, 0, 0
        return found, *count_hits(self.loss, found.outputs, batch.aims())

    def fail(self, moment: Moment, part: Part, states: Any, argument: str = "data") -> None:
        """Raise the error that names the first sequence of a batch with a number not finite."""
        learning, epoch = argument == "data", f"epoch {moment.epoch + 1}"
        self.assign(moment.weights)
        for k, place in enumerate(part.places):
            batch, state = part.batch.take([k]), None if states is None else states[k : k + 1]
            loss, slopes, *_ = self.compiled.run(batch, state=state)
            if not are_finite(loss, slopes if learning else ()):
                objective = self.compiled.objective._replace(number=batch.number)
                if state is not None:
                    objective = objective._replace(state=state[0].tolist())
                fault = find_fault(objective, *batch.pairs()[0])
                fault = fault or "the engine itself finds none."
                what = "a gradient that is not finite"
                what = what if math.isfinite(loss) else f"the loss {loss!r}"
                where = f", in the window after step {part.start}," if part.start else ""
                moved = moment.epoch > moment.first or moment.batch
                raise TrainingError(
                    f"{epoch}: sequences[{place}] of {argument}{where} has {what}: {fault} "
                    f"{WAY_OUT if moved else NOT_MOVED}"
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
        self.optimiser.attach(self.parameters)
        self.optimiser.epochs = moment.epoch
        self.history.cut(moment.epoch - moment.first)

    def settings(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the training that resumes from it."""
        names = ("at", "batch_size", "seed", "patience", "truncate", "streams")
        given = {name: getattr(self, name) for name in names}
        data = {"data": self.data, "validation": self.validation}
        prints = {name: one and fingerprint(one) for name, one in data.items()}
        fixed = {place: self.parameters[place].data for place in constant_places(self.parameters)}
        # What an optimiser keeps to itself changes.
        rule = {name: one for name, one in vars(self.optimiser).items() if name[0] != "_"}
        own = {
            "model": identity(self.model),
            "frozen weights": identity(fixed),
            "loss": identity(self.loss),
            "optimiser": {"kind": identity(type(self.optimiser)), **identity(rule)},
        }
        return {**own, **given, **prints}


def _or_none(number: Any, argument: str) -> int | None:
    return None if number is None else as_integer(number, argument, least=1)
