"""The backend `jax`: the traced step scanned over time by JAX, in float64 and on many devices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..backend import Result
from ..batch import Batch
from ..numpy.backend import NumPy

if TYPE_CHECKING:
    from .shared import SharedScan


class JAX(NumPy):
    """A scan that JAX compiles for each shape; gradients by step, which are many, by NumPy.

    JAX itself is imported by the other modules of this folder, when the step runs.
    """

    name = "jax"
    requires = ("jax",)
    devices = True
    speed = 0

    @cached_property
    def scan(self) -> SharedScan:
        """The step over sequences and devices."""
        from .scan import Scan
        from .shared import SharedScan

        scan = Scan(self.traced, every=self.objective.every)
        return SharedScan(scan, self.objective.state, self.mesh)

    @classmethod
    def as_devices(cls, devices: Any) -> Any:
        """The mesh of a list of JAX's devices, or the mesh itself."""
        from .devices import as_mesh

        return as_mesh(devices)

    @classmethod
    def leads(cls, devices: Any) -> bool:
        """Whether this process is the first of those that the devices belong to."""
        from .devices import leads

        return devices is None or leads(devices)

    @classmethod
    def wait(cls, devices: Any) -> None:
        """Return when all processes that the devices belong to have called this."""
        from .devices import wait

        if devices is not None:
            wait(devices)

    def pack(self, batch: Batch) -> Any:
        """The sequences side by side, on their devices: see `Packed`."""
        from .shared import pack

        return pack(batch, self.mesh)

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

        name = "both" if outputs else "gradient"
        loss, gradient, wrong, end, *found = self.scan(name, numbers, packed, states)
        self.refuse(packed.batch, numbers, states, self.flagged(wrong), loss=True)
        shown = packed.in_order(np.asarray(found[0])) if outputs else None
        last = np.asarray(end).T[: len(packed.batch)] if after else None
        return Result(float(loss), np.array(gradient), shown, last)

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

        outputs, wrong, end = self.scan("outputs", numbers, packed, states)
        self.refuse(packed.batch, numbers, states, self.flagged(wrong), loss=False)
        last = np.asarray(end).T[: len(packed.batch)] if after else None
        return Result(0.0, None, packed.in_order(np.asarray(outputs)), last)

    def flagged(self, wrong: Any) -> Any:
        """The sequences in which a guard fails; nothing is read of a step without guards."""
        import numpy as np

        return np.flatnonzero(wrong) if self.traced.program.guards else ()

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        return super().per_step(super().pack(packed.batch), numbers, states)
