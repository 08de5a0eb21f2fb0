"""The backend `eager`: the engine itself, a sequence at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..arguments import as_float
from ..engine.contexts import Context
from ..engine.leaves import assign_numbers
from ..engine.points import keeping_graphs, opened_parameters
from ..engine.reverse import gradients
from ..engine.value import Value, compiled
from ..errors import BranchChanged
from ..graph.sweep import recorded_slopes, terms
from ..graph.walk import swept
from ..loading import advise_to_compile
from .backend import Backend, Result
from .batch import Batch
from .objective import Objective, as_entries, check_closed


class Eager(Backend):
    """Each sequence on the engine, step by step: the definition that other backends must equal."""

    name = "eager"
    exact = True
    truncates = True

    def pack(self, batch: Batch) -> Any:
        """The vectors of each sequence, its targets, and how many of them count."""
        counts = batch.counts.tolist()
        return [(*pair, count) for pair, count in zip(batch.pairs(), counts, strict=True)]

    def run(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        outputs: bool = False,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        import numpy as np

        total, sums, rows, ends = 0.0, np.zeros(len(numbers)), [], []
        self.read(numbers)
        for place, (xs, ys, count) in enumerate(packed):
            state = self.objective.state if states is None else states[place].tolist()
            try:
                loss, slopes, found, end = self.differentiate(xs, ys, state, count)
            except BranchChanged as error:
                raise BranchChanged(f"sequences[{place}]: {error}") from None
            total += loss
            with np.errstate(all="ignore"):
                sums += slopes
            rows += found
            ends.append(end)
        return Result(
            total, sums, np.array(rows) if outputs else None, np.array(ends) if after else None
        )

    def read(self, numbers: Any) -> None:
        """Take over the numbers of the parameters, before a run."""
        if numbers.tobytes() != self.objective.numbers.tobytes():
            assign_numbers(self.objective.parameters, numbers)
        if not compiled:
            advise_to_compile()

    def differentiate(
        self, xs: Any, ys: Any, state: Sequence[float], count: int
    ) -> tuple[float, Sequence[float], list[list[float]], list[float]]:
        """The loss of a sequence, its gradient, the outputs that have a target, and the state."""
        parameters = self.objective.parameters
        with _open(parameters):
            given = (parameters, _leaves(xs), _leaves(ys), state, float(count))
            loss, outputs, end = self.objective.unrolled(*given)
        rows, after = self._rows(outputs), _numbers(end)
        if not isinstance(loss, Value):
            return as_float(loss, "the loss"), [0.0] * len(parameters), rows, after
        check_closed([loss])
        return loss.data, gradients(loss, parameters, create_graph=False), rows, after

    def predict(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        import numpy as np

        Eager.read(self, numbers)
        objective, rows, ends = self.objective, [], []
        for place, (xs, *_) in enumerate(packed):
            state = None if states is None else states[place]
            with _open(objective.parameters):
                given = (objective.parameters, _leaves(xs), (), state)
                _, outputs, end = objective.unrolled(*given)
            rows += self._rows(outputs)
            ends.append(_numbers(end))
        return Result(0.0, None, np.array(rows), np.array(ends) if after else None)

    def _rows(self, outputs: Sequence[Any]) -> list[list[float]]:
        """The entries of the outputs that have a target."""
        return [_numbers(output) for output in self.objective.aimed(outputs)]

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        Eager.read(self, numbers)
        parameters, found = self.objective.parameters, []
        places = {parameter: place for place, parameter in enumerate(parameters)}
        for place, (xs, ys, count) in enumerate(packed):
            state = None if states is None else states[place]
            watched = _Watched(self.objective)
            with _open(parameters), watched:
                objective = self.objective._replace(step=watched.step, loss=watched.loss)
                given = (parameters, _leaves(xs), _leaves(ys), state, float(count))
                loss, *_ = objective.unrolled(*given)
            rows = [[0.0] * len(parameters) for _ in xs]
            if isinstance(loss, Value) and not loss.constant:
                for node, _, operand, term in terms(swept(loss), {loss: 1.0}, recorded_slopes):
                    if operand in places:
                        rows[watched.steps[node]][places[operand]] += term
            found.append(rows)
        return found


class _Watched(Context):
    """A context that sees in which step each result is computed, by steps of its own."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.parameters = objective, set(objective.parameters)
        self.steps: dict[Value, int] = {}
        self.k = -1

    def made(self, value: Value) -> Value:
        self.steps[value] = self.k
        return value

    def step(self, state: Any, x: Any, parameters: Any) -> Any:
        """The next step."""
        self.k += 1
        after, output = self.objective.call(state, x, parameters)
        many = isinstance(output, tuple | list)
        return tuple(map(self._own, after)), (
            tuple(map(self._own, output)) if many else self._own(output)
        )

    def loss(self, output: Any, target: Any) -> Any:
        """The loss of the step."""
        return self._own(self.objective.loss(output, target))

    def _own(self, value: Any) -> Any:
        """A parameter that a step returns as it is becomes a result of that step."""
        return value * 1.0 if isinstance(value, Value) and value in self.parameters else value


@contextmanager
def _open(parameters: Sequence[Value]) -> Iterator[None]:
    """A context that differentiates with respect to the parameters, whatever is open outside."""
    with keeping_graphs(), opened_parameters(parameters):
        yield


def _leaves(vectors: Any) -> list[tuple[Value, ...]]:
    """The vectors as variables, so that a step may differentiate."""
    return [tuple([Value(float(entry)) for entry in vector]) for vector in vectors]


def _numbers(output: Any) -> list[float]:
    """The entries of an output as floats."""
    entries = as_entries(output)
    check_closed([one for one in entries if isinstance(one, Value)])
    return [one.data if isinstance(one, Value) else as_float(one, "the output") for one in entries]
