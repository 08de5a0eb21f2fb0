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

        wanted = ["sums", *self.others(after=after, outputs=outputs)]
        found = self.scan(wanted, numbers, packed, states)
        sums = np.asarray(found["sums"])
        self.refuse(packed.batch, numbers, states, self.flagged(found), loss=True)
        shown = packed.in_order(np.asarray(found["outputs"])) if outputs else None
        return Result(float(sums[0]), np.array(sums[1:]), shown, self.last(found, packed))

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

        found = self.scan(self.others(after=after, outputs=True), numbers, packed, states)
        self.refuse(packed.batch, numbers, states, self.flagged(found), loss=False)
        shown = packed.in_order(np.asarray(found["outputs"]))
        return Result(0.0, None, shown, self.last(found, packed))

    def others(self, *, after: bool, outputs: bool) -> list[str]:
        """The results that are wanted besides the sums."""
        known = {"wrong": self.traced.program.guards, "after": after, "outputs": outputs}
        return [name for name, wanted in known.items() if wanted]

    def flagged(self, found: dict[str, Any]) -> Any:
        """The sequences in which a guard fails."""
        import numpy as np

        return np.flatnonzero(found["wrong"]) if "wrong" in found else ()

    def last(self, found: dict[str, Any], packed: Any) -> Any:
        """The states after each sequence, if they are there."""
        import numpy as np

        return np.asarray(found["after"]).T[: len(packed.batch)] if "after" in found else None

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        return super().per_step(super().pack(packed.batch), numbers, states)
