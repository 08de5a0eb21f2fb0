"""Blocks of sequences, and the machine code of a step that runs over them."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import in_place, longest_first
from ..backend import Result
from ..batch import Batch, steps_from
from ..traced import TracedStep
from .codegen import ARRAYS, emit
from .jit import host_lanes, kept_code, load


def aligned(*shape: int) -> Any:
    """Zeros of this shape, aligned to 64 bytes, so that whole vectors can be read."""
    size = math.prod(shape)
    room = np.zeros(size + 8)
    start = (-room.ctypes.data % 64) // 8
    return room[start : start + size].reshape(shape)


def address(array: Any) -> int:
    """Where the numbers of an array begin; quicker than its `ctypes`."""
    place: int = array.__array_interface__["data"][0]
    return place


class Blocks(NamedTuple):
    """Sequences in lanes, the longest first; those of a block end together.

    `order` has the place of each sequence, `sizes` its steps; a lane begins at the step in
    `starts`, and never if it has no sequence.  `arrays` are those from `inputs` to `shares`, as
    the machine code takes them, `lengths` the steps of each block, and `batch` is the packed one.
    """

    order: Any
    sizes: Any
    lengths: Any
    offsets: Any
    arrays: tuple[Any, ...]
    batch: Batch

    def rows(self, lanes: int) -> tuple[Any, Any]:
        """For each step of each sequence its row among those of all blocks, and its lane."""
        place = np.empty_like(self.order)
        place[self.order] = np.arange(len(place))
        block, lane = np.divmod(place, lanes)
        sizes = self.batch.lengths
        return steps_from((self.offsets + self.lengths)[block] - sizes, sizes), lane.repeat(sizes)


def make_blocks(batch: Batch, lanes: int) -> Blocks:
    """The blocks of a batch."""
    order, sizes = longest_first(batch)
    count = len(order)
    blocks = -(-count // lanes)
    lengths = sizes[::lanes].astype(np.int64)
    offsets = np.cumsum(lengths) - lengths
    # In each lane the rows of its sequence, 0 if there is none: from `begins` to before `ends`.
    begins, ends = np.zeros((2, blocks, lanes), dtype=np.int64)
    begins.reshape(-1)[:count] = batch.starts[order]
    ends.reshape(-1)[:count] = batch.starts[order] + sizes
    starts = aligned(blocks, lanes).view(np.int64)
    starts[:] = lengths[:, None] - (ends - begins)
    starts.reshape(-1)[count:] = np.iinfo(np.int64).max
    shares = aligned(blocks, lanes)
    shares.reshape(-1)[:count] = 1.0 / sizes
    # The row of the data for each step of the blocks, and each lane: the first one is zeros.
    rows = (ends - (lengths + offsets)[:, None]).repeat(lengths, axis=0)
    rows += np.arange(len(rows))[:, None]
    rows[rows < begins.repeat(lengths, axis=0)] = 0

    def spread(vectors: Any, rows: Any) -> Any:
        size = vectors.shape[1]
        found = aligned(len(rows), max(1, size), lanes)
        found[:, :size] = vectors[rows].transpose(0, 2, 1)
        return found

    if batch.targets is None:
        goals = aligned(blocks, 1, lanes)
    elif batch.every:
        goals = spread(batch.targets, rows)
    else:
        places = np.zeros((blocks, lanes), dtype=np.int64)
        places.reshape(-1)[:count] = batch.goals[order]
        goals = spread(batch.targets, places)
    arrays = (spread(batch.inputs, rows), goals, lengths, offsets, starts, shares)
    return Blocks(order, sizes, lengths, offsets, arrays, batch)


class Workspace:
    """The arrays that one thread writes: a gradient, the tape of a run, adjoints between steps."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.gradient = aligned(max(1, len(kernel.layout.gradient)), kernel.lanes)
        self.scratch = aligned(kernel.layout.scratch + 1, kernel.lanes)
        self.tape = aligned(0)

    def addresses(self, steps: int, gradient: Any) -> list[int]:
        """The addresses of the gradient, of a tape for this many steps, and of the scratch."""
        size = (steps + 1) * max(1, self.kernel.layout.size) * self.kernel.lanes
        if self.tape.size < size:
            self.tape = aligned(size)
        arrays = (self.gradient if gradient is None else gradient, self.tape, self.scratch)
        return [address(array) for array in arrays]


class Kernel:
    """A step as machine code, which gives a `gradient`, the `outputs`, or both."""

    def __init__(
        self,
        traced: TracedStep,
        state: Sequence[float],
        *,
        every: bool,
        lanes: int | None = None,
        exact: bool = False,
        gradient: bool = True,
        outputs: bool = False,
    ) -> None:
        self.traced, self.every, self.exact = traced, every, exact
        self.with_gradient, self.with_outputs = gradient, outputs
        self.lanes = host_lanes() if lanes is None else lanes
        options = {"every": every, "exact": exact, "gradient": gradient, "outputs": outputs}
        text, self.layout = emit(traced, self.lanes, **options)
        self.code = load(kept_code(text))
        kinds = [ctypes.c_void_p] * len(ARRAYS) + [ctypes.c_int64] * 2
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.code.get_function_address("run"))
        self.packed = np.array([*self.layout.packed, traced.parameters], dtype=np.int64)
        self.gradient = np.array(self.layout.gradient, dtype=np.int64)
        self.initial = aligned(len(state) + 1, self.lanes)
        self.initial[:-1] = np.array(state).reshape(-1, 1)
        self.spare: list[Workspace] = []

    @np.errstate(all="ignore")
    def run(self, blocks: Blocks, parameters: Any, threads: int) -> tuple[Result, list[int]]:
        """The sums and outputs of a batch, and the sequences with a failed guard."""
        count, number = len(blocks.order), len(blocks.lengths)
        losses = aligned(number, self.lanes)
        losses[:] = -0.0
        outputs, slopes = losses, None
        if self.with_outputs:
            rows = int(blocks.lengths.sum()) if self.every else number
            outputs = aligned(rows, max(1, len(self.traced.output)), self.lanes)
        if self.exact and self.with_gradient:
            slopes = aligned(number, max(1, len(self.gradient)), self.lanes)
            slopes[:] = -0.0
        flags, spaces = self._call(blocks, parameters, threads, losses, outputs, slopes)
        total = self._total(blocks, spaces, slopes) if self.with_gradient else None
        self.spare += spaces
        found = losses.reshape(-1)[:count]
        if self.every:
            found = found / blocks.sizes
        loss = found.sum()
        if self.exact:
            loss = np.add.accumulate(in_place(found, blocks.order))[-1] + 0.0
        rows = self._in_order(blocks, outputs) if self.with_outputs else None
        return Result(loss, total, rows), flags

    def _total(self, blocks: Blocks, spaces: Sequence[Workspace], slopes: Any) -> Any:
        """The sum of the gradients in the workspaces, or of those of each lane, if there are."""
        total = np.zeros(self.traced.parameters)
        if slopes is None:
            sums = sum([space.gradient.sum(axis=1) for space in spaces])
            total[self.gradient] = sums[: len(self.gradient)]
            return total
        rows = slopes.transpose(0, 2, 1).reshape(-1, slopes.shape[1])
        for row in in_place(rows[: len(blocks.order)], blocks.order):  # so that the sum is exact
            total[self.gradient] += row[: len(self.gradient)]
        return total

    def _in_order(self, blocks: Blocks, outputs: Any) -> Any:
        """The outputs, a row for each sequence, or with `every` for each of its steps."""
        found = outputs[:, : len(self.traced.output)]
        if self.every:
            rows, lanes = blocks.rows(self.lanes)
            return found[rows, :, lanes]
        flat = found.transpose(0, 2, 1).reshape(-1, found.shape[1])
        return in_place(flat[: len(blocks.order)], blocks.order)

    def _call(
        self,
        blocks: Blocks,
        parameters: Any,
        threads: int,
        losses: Any,
        outputs: Any,
        gradient: Any,
    ) -> tuple[list[int], list[Workspace]]:
        """The sequences with a failed guard, and the workspaces.

        Gradients are added up in the workspaces if `gradient` is None.
        """
        numbers = np.append(parameters, 0.0)
        packed = numbers[self.packed]
        flags = aligned(*losses.shape) if self.traced.program.guards else losses
        number = len(blocks.lengths)
        parts = max(1, min(threads, number))
        bounds = [number * part // parts for part in range(parts + 1)]
        spaces = [self.spare.pop() if self.spare else Workspace(self) for _ in range(parts)]
        given = [address(one) for one in (packed, numbers, *blocks.arrays, self.initial)]
        last = [address(one) for one in (losses, flags, outputs)]

        def work(part: int) -> None:
            begin, end = bounds[part], bounds[part + 1]
            spaces[part].gradient.fill(0.0)
            own = spaces[part].addresses(int(blocks.lengths[begin]), gradient)
            self.call(*given, *own, *last, begin, end)

        workers = [threading.Thread(target=work, args=(part,)) for part in range(1, parts)]
        for worker in workers:
            worker.start()
        work(0)
        for worker in workers:
            worker.join()
        if flags is losses:
            return [], spaces
        columns = np.flatnonzero(flags.reshape(-1)[: len(blocks.order)])
        return [int(blocks.order[column]) for column in columns], spaces
