"""The backend `numpy`: a line of the traced step at a time, over all sequences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import BranchChanged
from .backend import Backend
from .batch import Batch
from .traced import TracedStep, trace_step

if TYPE_CHECKING:
    from .arrays import Sweep


class NumPy(Backend):
    """The traced step over arrays with an entry per sequence, with a matrix product for each group.

    NumPy itself is imported by `arrays`, when the step runs.
    """

    name = "numpy"
    requires: ClassVar[tuple[str, ...]] = ("numpy",)
    speed = 2

    @cached_property
    def traced(self) -> TracedStep:
        """The step, traced at its first run."""
        return trace_step(self.objective, self.x, self.y, share=not self.bit_for_bit)

    def pack(self, batch: Batch) -> Any:
        """The sequences side by side: see `Columns`."""
        from .arrays import pack

        return pack(batch, self.objective.every)

    def run(self, packed: Any, threads: int) -> tuple[float, Sequence[float]]:
        return self._sweep(packed).loss_and_gradient()

    def predict(self, packed: Any, threads: int) -> Sequence[Any]:
        return self._sweep(packed).outputs()

    def per_step(self, packed: Any) -> Sequence[Any]:
        return self._sweep(packed, grouped=False).gradient_by_steps()

    def _sweep(self, packed: Any, *, grouped: bool = True) -> Sweep:
        from .arrays import Sweep

        return Sweep(self.objective, self.traced, packed, grouped=grouped)

    def refuse(self, batch: Batch, flagged: Sequence[int], *, with_loss: bool) -> None:
        """`BranchChanged` if any sequences are flagged, as those in which a guard fails.

        A run by NumPy finds which one it is.
        """
        if not len(flagged):
            return
        (NumPy.run if with_loss else NumPy.predict)(self, NumPy.pack(self, batch), 1)
        raise BranchChanged(
            f"sequences[{flagged[0]}]: a comparison in the step came out otherwise than when it "
            f"was recorded, by a rounding. Choose backend='eager' for a step that compares."
        )
