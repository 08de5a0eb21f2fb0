"""The backend `native`: the traced step as machine code, compiled by llvmlite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from ..backend import Result
from ..batch import Batch
from ..numpy.backend import NumPy

if TYPE_CHECKING:
    from .kernel import Kernel


class Native(NumPy):
    """Machine code that loops over time and batch; gradients by step, which are many, by NumPy.

    llvmlite itself is imported by `kernel`, when the step runs.
    """

    name = "native"
    requires = ("llvmlite",)
    exact = True
    speed = 3

    @cached_property
    def kernel(self) -> Callable[..., Kernel]:
        """The machine code for a `gradient`, `outputs`, the states `after`: compiled once each."""
        from .kernel import Kernel

        given, every = (self.traced, self.objective.state), self.objective.every
        return cache(partial(Kernel, *given, every=every, exact=self.bit_for_bit))

    def pack(self, batch: Batch) -> Any:
        """The sequences in blocks: see `Blocks`."""
        return self.pack_all([batch])[0]

    def pack_all(self, batches: Sequence[Batch]) -> Sequence[Any]:
        from .jit import host_lanes
        from .kernel import make_blocks

        self.trace()
        return make_blocks(batches, host_lanes())

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
        kernel = self.kernel(gradient=True, outputs=outputs, after=after)
        found, flagged = kernel.run(packed, numbers, states, threads)
        self.refuse(packed.batch, numbers, states, flagged, loss=True)
        return found

    def predict(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        kernel = self.kernel(gradient=False, outputs=True, after=after)
        found, flagged = kernel.run(packed, numbers, states, threads)
        self.refuse(packed.batch, numbers, states, flagged, loss=False)
        return found

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        return super().per_step(super().pack(packed.batch), numbers, states)
