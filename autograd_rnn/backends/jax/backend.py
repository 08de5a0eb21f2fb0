"""Batches of sequences on JAX: filled up to few shapes, run, and shared among devices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ...errors import ArgumentTypeError, ArgumentValueError, BranchChanged
from ..numpy import ArrayRun
from ..step import Step
from ..traced import Cell
from .ops import on_jax
from .scan import Scan


class Packed(NamedTuple):
    """Sequences side by side, all ending together; the last axis of each array is the batch.

    `sizes` has the steps of each sequence, 0 for one that only fills the batch; `ragged` says
    whether some begin after the first step.
    """

    arrays: tuple[Any, Any, Any]  # inputs, targets, sizes
    ragged: bool
    runs: Sequence[Any]


def rounded(number: int) -> int:
    """The number, from 17 on rounded up to one of eight per power of two, so that shapes are few.

    >>> [rounded(number) for number in (1, 16, 17, 33, 100, 1000)]
    [1, 16, 18, 36, 104, 1024]
    """
    unit = 1 << max(0, number.bit_length() - 4)
    return -(-number // unit) * unit


def as_mesh(devices: Any) -> Mesh:
    """The mesh of a list of JAX's devices, or the mesh itself; `TypeError` for anything else."""
    if isinstance(devices, Mesh):
        return _of_this_process(devices)
    if not isinstance(devices, list | tuple) or not all(
        isinstance(device, jax.Device) for device in devices
    ):
        raise ArgumentTypeError(
            "devices must be a list of JAX's devices, such as jax.devices(), or a "
            "jax.sharding.Mesh."
        )
    if not devices or len(set(devices)) < len(devices):
        raise ArgumentValueError(
            f"devices must be one or more different devices, not {len(devices)} of which "
            f"{len(set(devices))} differ."
        )
    return _of_this_process(Mesh(np.array(devices), ("batch",)))


def _of_this_process(mesh: Mesh) -> Mesh:
    if any(device.process_index != jax.process_index() for device in mesh.devices.flat):
        raise ArgumentValueError(
            "devices must all belong to this process: choose among jax.local_devices()."
        )
    return mesh


class ShardedRun:
    """A recorded step that JAX runs over batches in float64, whatever it does elsewhere.

    With a mesh, each of its devices has a part of the sequences, and the gradients are added up.
    """

    def __init__(self, step: Step, cell: Cell, mesh: Mesh | None = None) -> None:
        self.step, self.cell, self.mesh = step, cell, mesh
        self.scan = Scan(cell, step.state, every=step.every)
        for line in cell.lines:
            on_jax(line.op)  # an op that cannot run here is refused before any work
        self.compiled: dict[Any, Any] = {}

    def pack(self, runs: Sequence[Any], with_targets: bool) -> Packed:
        """The sequences side by side, filled up to one of few shapes, on their devices.

        Only a common length is kept as it is.  What fills the batch are copies of the first
        sequence, which are as harmless as that is, and whose losses count for nothing.
        """
        shards = 1 if self.mesh is None else self.mesh.size
        count = shards * rounded(-(-len(runs) // shards))
        sizes = np.zeros(count, dtype=np.int32)
        sizes[: len(runs)] = [len(xs) for xs, _ in runs]
        most = int(sizes.max())
        ragged = len(runs) == 1 or bool((sizes[: len(runs)] < most).any())
        steps = rounded(most) if ragged else most
        filled = [*runs, *[runs[0]] * (count - len(runs))]

        def spread(vectors: Sequence[Any]) -> Any:
            array = np.zeros((count, steps, len(vectors[0][0])))
            for row, part in zip(array, vectors, strict=True):
                row[steps - len(part) :] = part
            return np.ascontiguousarray(array.transpose(1, 2, 0))

        targets = None
        if with_targets and self.step.every:
            targets = spread([ys for _, ys in filled])
        elif with_targets:
            targets = np.array([ys[0] for _, ys in filled], dtype=float).T
        arrays = spread([xs for xs, _ in filled]), targets, sizes
        with jax.enable_x64(True):
            placed = None
            if self.mesh is not None:
                mesh = self.mesh
                placed = jax.tree.map(lambda a: NamedSharding(mesh, self._spec(a.ndim)), arrays)
            return Packed(jax.device_put(arrays, placed), ragged, runs)

    def run(self, batch: Packed, threads: int) -> Any:
        """The sum of the losses of the sequences, and that of their gradients."""
        loss, gradient, wrong = self._call("gradient", batch)
        self._explain(batch, wrong, with_loss=True)
        return float(loss), gradient

    def predict(self, batch: Packed, threads: int) -> Any:
        """The output for each sequence in its place: an array of entries, by steps if `every`."""
        outputs, wrong = self._call("outputs", batch)
        self._explain(batch, wrong, with_loss=False)
        steps = len(outputs)
        if not self.step.every:
            return list(outputs[0].T[: len(batch.runs)])
        return [outputs[steps - len(xs) :, :, k] for k, (xs, _) in enumerate(batch.runs)]

    def per_step(self, batch: Packed) -> Any:
        """The terms of each sequence's gradient, steps by weights: by NumPy, as they are many."""
        arrays = ArrayRun(self.step, self.cell)
        return arrays.per_step(arrays.pack(batch.runs, True))

    def _explain(self, batch: Packed, wrong: Any, *, with_loss: bool) -> None:
        """`BranchChanged` where one is wrong, in the words that NumPy finds when it goes there."""
        flagged = np.flatnonzero(wrong)
        if not len(flagged):
            return
        arrays = ArrayRun(self.step, self.cell)
        again = arrays.pack(batch.runs, with_loss)
        (arrays.run if with_loss else arrays.predict)(again, 1)
        raise BranchChanged(
            f"sequences[{flagged[0]}]: a comparison in the step came out otherwise than when it "
            f"was recorded, by a rounding. Choose backend='eager' for a step that compares."
        )

    # --- what JAX compiles ----------------------------------------------------------------------

    def _call(self, name: str, batch: Packed) -> Any:
        """What the function of that name gives for the parameters as they are now."""
        numbers = np.array([parameter.data for parameter in self.step.parameters], dtype=float)
        key = (name, batch.ragged)
        with jax.enable_x64(True):
            if key not in self.compiled:
                self.compiled[key] = jax.jit(self._made(*key, batch.arrays))
            return jax.tree.map(np.asarray, self.compiled[key](numbers, *batch.arrays))

    def _made(self, name: str, ragged: bool, arrays: Any) -> Any:
        """The function of that name, which JAX compiles once for each shape of a batch."""
        whole, last = PartitionSpec(), self._spec(1)
        made: dict[str, tuple[Any, Any]] = {
            "gradient": (self._gradient, (whole, whole, last)),
            "outputs": (self._outputs, (self._spec(3), last)),
        }
        function, results = made[name]
        if self.mesh is None:
            return partial(function, ragged)
        return jax.shard_map(
            partial(function, ragged),
            mesh=self.mesh,
            in_specs=(whole, *jax.tree.map(lambda array: self._spec(array.ndim), arrays)),
            out_specs=results,
            # The sums over devices are taken by hand, once: else they are taken at every step.
            check_vma=False,
        )

    def _gradient(self, ragged: bool, numbers: Any, *arrays: Any) -> Any:
        function = jax.value_and_grad(partial(self.scan.loss, ragged=ragged), has_aux=True)
        (loss, wrong), slopes = function(numbers, *arrays)
        if self.mesh is not None:
            loss, slopes = jax.lax.psum((loss, slopes), self.mesh.axis_names)
        return loss, slopes, wrong

    def _outputs(self, ragged: bool, numbers: Any, *arrays: Any) -> Any:
        inputs, _, sizes = arrays
        return self.scan.outputs(numbers, inputs, sizes, ragged=ragged)

    def _spec(self, axes: int) -> PartitionSpec:
        """How an array of so many axes is shared: its last, the batch, among all devices."""
        names = None if self.mesh is None else self.mesh.axis_names
        return PartitionSpec(*[None] * (axes - 1), names)
