"""Batches on JAX: padded to few shapes, shared among devices, and scanned over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ...errors import ArgumentTypeError, ArgumentValueError
from ..batch import Batch
from .scan import Scan


class Packed(NamedTuple):
    """Sequences side by side, all ending together; the last axis of each array is the batch.

    `sizes` has the steps of each sequence, 0 for padding; `ragged` says whether some begin after
    the first step.
    """

    arrays: tuple[Any, Any, Any, Any]  # inputs, targets, sizes, counts
    ragged: bool
    batch: Batch

    def in_order(self, outputs: Any) -> Any:
        """The outputs, steps by entries by sequences, as rows: those of each sequence in turn."""
        if not self.batch.every:
            return outputs[0].T[: len(self.batch)]
        parts = enumerate(self.batch.lengths)
        return np.concatenate([outputs[len(outputs) - size :, :, k] for k, size in parts])


def rounded(number: int) -> int:
    """The number, from 17 on rounded up to one of eight per power of two, so that shapes are few.

    >>> [rounded(number) for number in (1, 16, 17, 33, 100, 1000)]
    [1, 16, 18, 36, 104, 1024]
    """
    unit = 1 << max(0, number.bit_length() - 4)
    return -(-number // unit) * unit


def as_mesh(devices: Any) -> Mesh:
    """The mesh, or that of a list of JAX's devices; `TypeError` for anything else."""
    if isinstance(devices, Mesh):
        mesh = devices
    elif not isinstance(devices, list | tuple) or not all(
        isinstance(device, jax.Device) for device in devices
    ):
        raise ArgumentTypeError(
            "devices must be a list of JAX's devices, such as jax.devices(), or a "
            "jax.sharding.Mesh."
        )
    elif not devices or len(set(devices)) < len(devices):
        raise ArgumentValueError(
            f"devices must be one or more different devices, not {len(devices)} of which "
            f"{len(set(devices))} differ."
        )
    else:
        mesh = Mesh(np.array(devices), ("batch",))
    if any(device.process_index != jax.process_index() for device in mesh.devices.flat):
        raise ArgumentValueError(
            "devices must all belong to this process: choose among jax.local_devices()."
        )
    return mesh


def pack(batch: Batch, mesh: Mesh | None) -> Packed:
    """The sequences side by side, padded to one of few shapes, on their devices.

    Only a common length is kept.  The batch is padded with copies of the first sequence, which
    cause no error that it does not, and whose losses are not counted.
    """
    given, shards = len(batch), 1 if mesh is None else mesh.size
    count = shards * rounded(-(-given // shards))
    sizes = np.zeros(count, dtype=np.int32)
    sizes[:given] = batch.lengths
    counts = np.ones(count)
    counts[:given] = batch.counts
    most = int(sizes.max())
    ragged = given == 1 or bool((sizes[:given] < most).any())
    steps = rounded(most) if ragged else most

    # What fills the batch is a copy of the first sequence; a step before the first one is 0.
    who = np.arange(count)
    who[given:] = 0
    first = (batch.starts + batch.lengths)[who] - steps
    rows = first + np.arange(steps)[:, None]
    rows[rows < batch.starts[who]] = 0

    def spread(vectors: Any, rows: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(vectors[rows], -1, -2))

    targets = None
    if batch.targets is not None:
        targets = spread(batch.targets, rows if batch.every else batch.goals[who])
    # Symbols are steps by sequences.
    inputs = batch.inputs[rows] if batch.symbols else spread(batch.inputs, rows)
    arrays = inputs, targets, sizes, counts
    with jax.enable_x64(True):
        placed = None
        if mesh is not None:
            placed = jax.tree.map(lambda a: NamedSharding(mesh, spec(mesh, a.ndim)), arrays)
        return Packed(jax.device_put(arrays, placed), ragged, batch)


def spec(mesh: Mesh, axes: int) -> PartitionSpec:
    """The last axis of an array, the batch, shared among all devices."""
    return PartitionSpec(*[None] * (axes - 1), mesh.axis_names)


class SharedScan:
    """The gradient and the outputs of a scan, compiled in float64 for each shape.

    With a mesh, each of its devices has a part of the sequences, and the gradients are added up.
    """

    def __init__(self, scan: Scan, state: Sequence[float], mesh: Mesh | None) -> None:
        self.scan, self.state, self.mesh = scan, np.array(state, dtype=float), mesh
        self.compiled: dict[tuple[str, bool], Any] = {}

    def __call__(self, name: str, parameters: Any, packed: Packed, states: Any) -> Any:
        """The results of the function "gradient", "outputs" or "both"."""
        numbers = np.array(parameters, dtype=float)
        key = (name, packed.ragged)
        with jax.enable_x64(True):
            arrays = self.arrays(packed, states)
            if key not in self.compiled:
                self.compiled[key] = jax.jit(self.made(*key, arrays))
            return jax.tree.map(np.asarray, self.compiled[key](numbers, *arrays))

    def arrays(self, packed: Packed, states: Any = None) -> Any:
        """The arrays of a batch, and the states that it starts from."""
        initial = self.state[:, None].repeat(len(packed.arrays[2]), 1)
        if states is not None:
            initial[:] = states[:1].T  # the first sequence fills the batch
            initial[:, : len(states)] = states.T
        placed = None if self.mesh is None else NamedSharding(self.mesh, spec(self.mesh, 2))
        return *packed.arrays, jax.device_put(initial, placed)

    def made(self, name: str, ragged: bool, arrays: Any) -> Any:
        """The function of that name, which JAX compiles once for each shape of a batch."""
        functions: Any = {"gradient": self._gradient, "both": self._both, "outputs": self._outputs}
        function, mesh = partial(functions[name], ragged), self.mesh
        if mesh is None:
            return function
        whole, last = PartitionSpec(), spec(mesh, 1)
        results = {
            "gradient": (whole, whole, last, spec(mesh, 2)),
            "both": (whole, whole, last, spec(mesh, 2), spec(mesh, 3)),
            "outputs": (spec(mesh, 3), last, spec(mesh, 2)),
        }
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(whole, *jax.tree.map(lambda array: spec(mesh, array.ndim), arrays)),
            out_specs=results[name],
            # The function itself sums over devices, once: else that is done at every step.
            check_vma=False,
        )

    def _gradient(self, ragged: bool, numbers: Any, *arrays: Any) -> Any:
        return self._both(ragged, numbers, *arrays)[:4]

    def _both(self, ragged: bool, numbers: Any, *arrays: Any) -> Any:
        function = jax.value_and_grad(partial(self.scan.loss, ragged=ragged), has_aux=True)
        (loss, (wrong, after, outputs)), slopes = function(numbers, *arrays)
        if self.mesh is not None:
            loss, slopes = jax.lax.psum((loss, slopes), self.mesh.axis_names)
        return loss, slopes, wrong, after, outputs

    def _outputs(self, ragged: bool, numbers: Any, *arrays: Any) -> Any:
        inputs, _, sizes, _, initial = arrays
        return self.scan.outputs(numbers, inputs, sizes, initial, ragged=ragged)
