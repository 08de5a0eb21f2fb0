"""The backend `eager`: the engine itself, a sequence at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_float
from ..engine.leaves import assign_numbers
from ..engine.reverse import gradients
from ..engine.value import Value, compiled
from ..errors import BranchChanged
from ..loading import advise_to_compile
from .backend import Backend, Result
from .batch import Batch
from .objective import as_entries, constants


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
        assign_numbers(self.objective.parameters, numbers)
        if not compiled:
            advise_to_compile()

    def differentiate(self, xs: Any, ys: Any) -> tuple[float, Sequence[float], list[list[float]]]:
        """The loss of a sequence, its gradient, and the outputs that have a target."""
        parameters = self.objective.parameters
        loss, outputs = self.objective.unrolled(parameters, constants(xs), constants(ys))
        number = loss.data if isinstance(loss, Value) else as_float(loss, "the loss")
        return number, _slopes(loss, parameters), self._rows(outputs)

    def predict(self, packed: Any, numbers: Any, *, threads: int = 1) -> Any:
        import numpy as np

        Eager.read(self, numbers)
        objective, rows = self.objective, []
        for xs, _ in packed:
            rows += self._rows(objective.unrolled(objective.parameters, constants(xs), ())[1])
        return np.array(rows)

    def _rows(self, outputs: Sequence[Any]) -> list[list[float]]:
        """The entries of the outputs that have a target."""
        return [_numbers(output) for output in self.objective.aimed(outputs)]

    def per_step(self, packed: Any, numbers: Any) -> Sequence[Any]:
        Eager.read(self, numbers)
        parameters, found = self.objective.parameters, []
        for xs, ys in packed:
            copies = [[p * 1.0 for p in parameters] for _ in xs]
            loss, _ = self.objective.unrolled(parameters, constants(xs), constants(ys), copies)
            slopes = iter(_slopes(loss, [value for row in copies for value in row]))
            found.append([[next(slopes) for _ in row] for row in copies])
        return found


def _numbers(output: Any) -> list[float]:
    """The entries of an output as floats."""
    return [
        one.data if isinstance(one, Value) else as_float(one, "the output")
        for one in as_entries(output)
    ]


def _slopes(loss: Any, inputs: Sequence[Value]) -> Sequence[float]:
    """The gradient by Values, 0 where the loss is a number."""
    return gradients(loss, inputs) if isinstance(loss, Value) else [0.0] * len(inputs)
