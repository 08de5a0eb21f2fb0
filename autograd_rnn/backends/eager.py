"""The backend `eager`: the engine itself, a sequence at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_float
from ..engine.reverse import gradients
from ..engine.value import Value, compiled
from ..errors import BranchChanged
from ..loading import advise_to_compile
from .backend import Backend
from .batch import Batch
from .objective import constants


class Eager(Backend):
    """Each sequence on the engine, step by step: the definition that other backends must equal."""

    name = "eager"
    exact = True

    def pack(self, batch: Batch) -> Any:
        """Pairs of a sequence and its targets."""
        return list(zip(batch.sequences, batch.targets or [()] * len(batch), strict=True))

    def run(self, packed: Any, threads: int) -> tuple[float, Sequence[float]]:
        total, sums = 0.0, [0.0] * len(self.objective.parameters)
        for place, (xs, ys) in enumerate(packed):
            try:
                loss, *slopes = self.differentiate(xs, ys)
            except BranchChanged as error:
                raise BranchChanged(f"sequences[{place}]: {error}") from None
            total += loss
            sums = [a + b for a, b in zip(sums, slopes, strict=True)]
        return total, sums

    def differentiate(self, xs: Any, ys: Any) -> Sequence[float]:
        """The loss of a sequence, and its gradient."""
        if not compiled:
            advise_to_compile()
        parameters = self.objective.parameters
        loss, _ = self.objective.unrolled(parameters, constants(xs), constants(ys))
        number = loss.data if isinstance(loss, Value) else as_float(loss, "the loss")
        return [number, *_slopes(loss, parameters)]

    def predict(self, packed: Any, threads: int) -> Sequence[Any]:
        if not compiled:
            advise_to_compile()
        objective, found = self.objective, []
        for xs, _ in packed:
            _, outputs = objective.unrolled(objective.parameters, constants(xs), ())
            entries = [_numbers(output) for output in outputs]
            found.append(entries if objective.every else entries[-1])
        return found

    def per_step(self, packed: Any) -> Sequence[Any]:
        parameters, found = self.objective.parameters, []
        for xs, ys in packed:
            copies = [[p * 1.0 for p in parameters] for _ in xs]
            loss, _ = self.objective.unrolled(parameters, constants(xs), constants(ys), copies)
            slopes = iter(_slopes(loss, [value for row in copies for value in row]))
            found.append([[next(slopes) for _ in row] for row in copies])
        return found


def _numbers(output: Any) -> list[float]:
    """The entries of an output as floats."""
    entries = output if isinstance(output, tuple | list) else [output]
    return [one.data if isinstance(one, Value) else as_float(one, "the output") for one in entries]


def _slopes(loss: Any, inputs: Sequence[Value]) -> Sequence[float]:
    """The gradient by Values, 0 where the loss is a number."""
    return gradients(loss, inputs) if isinstance(loss, Value) else [0.0] * len(inputs)
