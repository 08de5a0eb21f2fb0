"""The backend `native`: the traced step as machine code, compiled by llvmlite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from ..batch import Batch
from ..numpy import NumPy

if TYPE_CHECKING:
    from .kernel import Kernel


class Native(NumPy):
    """Machine code that loops over time and batch; gradients by step, which are many, by NumPy.

    llvmlite itself is imported by `kernel`, when the step runs.
    """

    name = "native"
    requires = ("llvmlite", "numpy")
    exact = True
    speed = 3

    @cached_property
    def kernel(self) -> Callable[..., Kernel]:
        """The machine code for gradients, or with `predict` for outputs, compiled once."""
        from .kernel import Kernel

        options = {"every": self.objective.every, "exact": self.bit_for_bit}
        return cache(partial(Kernel, self.traced, **options))

    def pack(self, batch: Batch) -> Any:
        """The sequences in blocks: see `Blocks`."""
        from .jit import host_lanes
        from .kernel import make_blocks

        return make_blocks(batch, host_lanes(), self.objective.every)

    def run(self, packed: Any, threads: int) -> tuple[float, Sequence[float]]:
        given = (packed, self.objective.numbers, self.objective.state, threads)
        loss, gradient, flagged = self.kernel(predict=False).run(*given)
        self.refuse(packed.batch, flagged, with_loss=True)
        return loss, gradient

    def predict(self, packed: Any, threads: int) -> Sequence[Any]:
        given = (packed, self.objective.numbers, self.objective.state, threads)
        outputs, flagged = self.kernel(predict=True).predict(*given)
        self.refuse(packed.batch, flagged, with_loss=False)
        return outputs

    def per_step(self, packed: Any) -> Sequence[Any]:
        return super().per_step(super().pack(packed.batch))
