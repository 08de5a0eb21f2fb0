"""The backend `numpy`: the traced step as source for NumPy, over all sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from threading import local
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
    gathers = True
    speed = 2

    _traced: TracedStep | None = None

    @property
    def traced(self) -> TracedStep:
        """The step, traced when the first batch is packed, whose targets were checked."""
        # Not a cached_property, for the reason that `outputs` gives.
        if self._traced is None:
            options = {"share": not self.bit_for_bit, "symbols": self.symbols}
            self._traced = trace_step(self.objective, self.x, self.y, **options)
        return self._traced

    def trace(self) -> None:
        """Trace the step, so that one that cannot be traced is refused with the first batch."""
        _ = self.traced

    def pack(self, batch: Batch) -> Columns | Any:
        """The sequences side by side: see `Columns`."""
        from .columns import pack

        self.trace()
        return pack(batch)

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
        given = (numbers, packed, packed.initial(states, self.objective.state), after)
        return Result(*self._written(True, outputs, False)(*given))

    def predict(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        given = (numbers, packed, packed.initial(states, self.objective.state), after)
        return Result(*self._written(False, True, False)(*given))

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        given = (numbers, packed, packed.initial(states, self.objective.state))
        found: list[Any] = packed.by_sequence(self._written(True, False, True)(*given)[1])
        return found

    @cached_property
    def _written(self) -> Callable[[bool, bool, bool], Any]:
        """The functions for the loss, for outputs, and for terms by step, each made once."""
        from .source import write

        given = (self.traced, self.objective.every, local())
        return cache(partial(write, *given))

    def refuse(
        self, batch: Batch, numbers: Any, states: Any, flagged: Sequence[int], *, loss: bool
    ) -> None:
        """`BranchChanged` if any sequences are flagged, as those in which a guard fails.

        A run by NumPy finds which one it is.
        """
        if not len(flagged):
            return
        (NumPy.run if loss else NumPy.predict)(self, NumPy.pack(self, batch), numbers, states)
        raise BranchChanged(
            f"sequences[{flagged[0]}]: a comparison in the step came out differently from when "
            f"it was recorded, due to rounding. Choose backend='eager' for a step that compares."
        )
