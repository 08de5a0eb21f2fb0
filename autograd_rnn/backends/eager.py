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

    def pack(self, batch: Batch) -> Any:
        """Pairs of a sequence and its targets."""
        return batch.pairs()

    def run(self, packed: Any, numbers: Any, *, outputs: bool = False, threads: int = 1) -> Result:
        import numpy as np

        total, sums, rows = 0.0, np.zeros(len(numbers)), []
        self.read(numbers)
        for place, (xs, ys) in enumerate(packed):
            try:
                loss, slopes, found = self.differentiate(xs, ys)
            except BranchChanged as error:
                raise BranchChanged(f"sequences[{place}]: {error}") from None
            total += loss
            with np.errstate(all="ignore"):
                sums += slopes
            rows += found
        return Result(total, sums, np.array(rows) if outputs else None)

    def read(self, numbers: Any) -> None:
        """Take over the numbers of the parameters, before a run."""
        if numbers.tobytes() != self.objective.numbers.tobytes():
            assign_numbers(self.objective.parameters, numbers)
        if not compiled:
            advise_to_compile()

    def differentiate(self, xs: Any, ys: Any) -> tuple[float, Sequence[float], list[list[float]]]:
        """The loss of a sequence, its gradient, and the outputs that have a target."""
        parameters = self.objective.parameters
        with _open(parameters):
            loss, outputs = self.objective.unrolled(parameters, _leaves(xs), _leaves(ys))
        rows = self._rows(outputs)
        if not isinstance(loss, Value):
            return as_float(loss, "the loss"), [0.0] * len(parameters), rows
        check_closed([loss])
        return loss.data, gradients(loss, parameters, create_graph=False), rows

    def predict(self, packed: Any, numbers: Any, *, threads: int = 1) -> Any:
        import numpy as np

        Eager.read(self, numbers)
        objective, rows = self.objective, []
        for xs, _ in packed:
            with _open(objective.parameters):
                _, outputs = objective.unrolled(objective.parameters, _leaves(xs), ())
            rows += self._rows(outputs)
        return np.array(rows)

    def _rows(self, outputs: Sequence[Any]) -> list[list[float]]:
        """The entries of the outputs that have a target."""
        return [_numbers(output) for output in self.objective.aimed(outputs)]

    def per_step(self, packed: Any, numbers: Any) -> Sequence[Any]:
        Eager.read(self, numbers)
        parameters, found = self.objective.parameters, []
        places = {parameter: place for place, parameter in enumerate(parameters)}
        for xs, ys in packed:
            watched = _Watched(self.objective)
            with _open(parameters), watched:
                objective = self.objective._replace(step=watched.step, loss=watched.loss)
                loss, _ = objective.unrolled(parameters, _leaves(xs), _leaves(ys))
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
