"""The backend `numpy`: the traced step as source for NumPy, over all sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from ...errors import BranchChanged
from ..backend import Backend, Result
from ..batch import Batch
from ..traced import TracedStep, trace_step

if TYPE_CHECKING:
    from .columns import Columns


class NumPy(Backend):
    """The traced step over arrays, with matrix products over all sequences, or steps too.

    NumPy itself is imported by the other modules of this folder, when the step runs.
    """

    name = "numpy"
    speed = 2

    @cached_property
    def traced(self) -> TracedStep:
        """The step, traced at its first run."""
        return trace_step(self.objective, self.x, self.y, share=not self.bit_for_bit)

    def pack(self, batch: Batch) -> Columns | Any:
        """The sequences side by side: see `Columns`."""
        from .columns import pack

        return pack(batch)

    def run(self, packed: Any, numbers: Any, *, outputs: bool = False, threads: int = 1) -> Result:
        losses, gradient, found = self._written(True, outputs, False)(numbers, packed)
        return Result(losses.sum(), gradient, packed.in_order(found) if outputs else None)

    def predict(self, packed: Any, numbers: Any, *, threads: int = 1) -> Any:
        return packed.in_order(self._written(False, True, False)(numbers, packed)[2])

    def per_step(self, packed: Any, numbers: Any) -> Sequence[Any]:
        found: list[Any] = packed.by_sequence(self._written(True, False, True)(numbers, packed)[1])
        return found

    @cached_property
    def _written(self) -> Callable[[bool, bool, bool], Any]:
        """The functions for the loss, for outputs, and for terms by step, each made once."""
        from .source import write

        given = (self.traced, self.objective.state, self.objective.every)
        return cache(partial(write, *given))

    def refuse(self, batch: Batch, numbers: Any, flagged: Sequence[int], *, loss: bool) -> None:
        """`BranchChanged` if any sequences are flagged, as those in which a guard fails.

        A run by NumPy finds which one it is.
        """
        if not len(flagged):
            return
        (NumPy.run if loss else NumPy.predict)(self, NumPy.pack(self, batch), numbers)
        raise BranchChanged(
            f"sequences[{flagged[0]}]: a comparison in the step came out differently from when "
            f"it was recorded, due to rounding. Choose backend='eager' for a step that compares."
        )
