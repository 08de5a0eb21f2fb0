"""Batches on JAX: padded to few shapes, shared among devices, and scanned over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from ..batch import Batch
from .devices import check_marks, everywhere, mark, place, processes, spec
from .scan import Scan


class Packed(NamedTuple):
    """Sequences side by side, all ending together; the last axis of each array is the batch.

    `sizes` has the steps of each sequence, 0 for padding; `ragged` says whether some begin after
    the first step.  Processes that share the batch compare its `mark`, else None.
    """

    arrays: tuple[Any, Any, Any, Any]  # inputs, targets, sizes, counts
    ragged: bool
    batch: Batch
    mark: int | None = None

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
        placed = jax.tree.map(lambda array: place(array, mesh), arrays)
    shared = mesh is not None and len(processes(mesh)) > 1
    return Packed(placed, ragged, batch, mark(jax.tree.leaves(arrays)) if shared else None)


class SharedScan:
    """The gradient and the outputs of a scan, compiled in float64 for each shape.

    With a mesh, each of its devices has a part of the sequences, and the gradients are added up.
    Its processes compare what they give, since an error in one alone would stop the others.
    """

    def __init__(self, scan: Scan, state: Sequence[float], mesh: Mesh | None) -> None:
        self.scan, self.state, self.mesh = scan, np.array(state, dtype=float), mesh
        self.compiled: dict[tuple[tuple[str, ...], bool], Any] = {}
        #: The initial states of so many sequences, on their devices.
        self.initial: dict[int, Any] = {}

    def __call__(
        self, wanted: Sequence[str], parameters: Any, packed: Packed, states: Any
    ) -> dict[str, Any]:
        """The results of these names, as arrays of JAX, of which each costs time.

        They are "sums", the loss and the gradient in one, "wrong", the sequences in which a guard
        fails, "after", the states after each sequence, and "outputs".
        """
        numbers = np.array(parameters, dtype=float)
        key = (tuple(wanted), packed.ragged)
        with jax.enable_x64(True):
            arrays = self.arrays(packed, states)
            if key not in self.compiled:
                self.compiled[key] = self.jitted(self.made(*key, arrays))
            marks = self.marks(numbers, packed, states)
            found, marks = self.compiled[key](marks, numbers, *arrays)
        if marks is not None:
            check_marks(self.mesh, np.asarray(marks))
        return dict(zip(wanted, found, strict=True))

    def marks(self, numbers: Any, packed: Packed, states: Any) -> Any:
        """The mark of what this process gives, on each of its devices; None for one process."""
        if self.mesh is None or packed.mark is None:
            return None
        given = mark([numbers, *([] if states is None else [states]), np.array(packed.mark)])
        return place(np.full(self.mesh.size, given), self.mesh)

    def jitted(self, function: Any) -> Any:
        """The function compiled, whose results each process can read; marks pass through it."""
        where = None if self.mesh is None else everywhere(self.mesh)

        def both(marks: Any, *given: Any) -> Any:
            return function(*given), marks

        return jax.jit(both, out_shardings=where)

    def arrays(self, packed: Packed, states: Any = None) -> Any:
        """The arrays of a batch, and the states that it starts from."""
        count = len(packed.arrays[2])
        if states is not None:
            initial = states[:1].T.repeat(count, 1)  # the first sequence fills the batch
            initial[:, : len(states)] = states.T
            return *packed.arrays, place(initial, self.mesh)
        if count not in self.initial:
            self.initial[count] = place(self.state[:, None].repeat(count, 1), self.mesh)
        return *packed.arrays, self.initial[count]

    def made(self, wanted: Sequence[str], ragged: bool, arrays: Any) -> Any:
        """The function for these results, which JAX compiles once for each shape of a batch."""
        mesh, work = self.mesh, self._sums if "sums" in wanted else self._outputs

        def function(numbers: Any, *arrays: Any) -> Any:
            found = work(ragged, numbers, *arrays)
            return tuple([found[name] for name in wanted])

        if mesh is None:
            return function
        whole, last = PartitionSpec(), spec(mesh, 1)
        results = {"sums": whole, "wrong": last, "after": spec(mesh, 2), "outputs": spec(mesh, 3)}
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(whole, *jax.tree.map(lambda array: spec(mesh, array.ndim), arrays)),
            out_specs=tuple([results[name] for name in wanted]),
            # The function itself sums over devices, once: else that is done at every step.
            check_vma=False,
        )

    def _sums(self, ragged: bool, numbers: Any, *arrays: Any) -> dict[str, Any]:
        function = jax.value_and_grad(partial(self.scan.loss, ragged=ragged), has_aux=True)
        (loss, (wrong, after, outputs)), slopes = function(numbers, *arrays)
        sums = jnp.concatenate([loss[None], slopes])
        if self.mesh is not None:
            sums = jax.lax.psum(sums, self.mesh.axis_names)
        return {"sums": sums, "wrong": wrong, "after": after, "outputs": outputs}

    def _outputs(self, ragged: bool, numbers: Any, *arrays: Any) -> dict[str, Any]:
        inputs, _, sizes, _, initial = arrays
        found = self.scan.outputs(numbers, inputs, sizes, initial, ragged=ragged)
        return dict(zip(("outputs", "wrong", "after"), found, strict=True))
