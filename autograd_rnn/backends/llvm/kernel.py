"""Blocks of sequences, and the machine code of a step that runs over them."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import in_place, longest_first
from ..batch import Batch
from ..traced import TracedStep
from .codegen import ARRAYS, emit
from .jit import host_lanes, kept_code, load


def aligned(*shape: int) -> Any:
    """Zeros of this shape, aligned to 64 bytes, so that whole vectors can be read."""
    size = math.prod(shape)
    room = np.zeros(size + 8)
    start = (-room.ctypes.data % 64) // 8
    return room[start : start + size].reshape(shape)


class Blocks(NamedTuple):
    """Sequences in lanes, the longest first; those of a block end together.

    `order` has the place of each sequence, `sizes` its steps; a lane begins at the step in
    `starts`, and never if it has no sequence.  `addresses` are those of the arrays from `inputs` to
    `shares`, and `batch` is the packed one.
    """

    order: Any
    sizes: Any
    inputs: Any
    targets: Any
    lengths: Any
    offsets: Any
    starts: Any
    shares: Any
    addresses: tuple[int, ...]
    batch: Batch


def make_blocks(batch: Batch, lanes: int, every: bool) -> Blocks:
    """The blocks of a batch of arrays, with targets by step if `every`."""
    order, sizes = longest_first(batch.sequences)
    count = len(order)
    blocks = -(-count // lanes)
    lengths = sizes[::lanes].astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    block, lane = np.divmod(np.arange(count), lanes)
    starts = aligned(blocks, lanes).view(np.int64)
    starts[:] = np.iinfo(np.int64).max
    starts[block, lane] = lengths[block] - sizes
    shares = aligned(blocks, lanes)
    shares[block, lane] = 1.0 / sizes
    # The row of each step of each sequence among those of all blocks.
    ends = np.cumsum(sizes)
    steps = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    rows = steps + np.repeat(offsets[block] + starts[block, lane], sizes)
    lane_of = np.repeat(lane, sizes)

    def spread(arrays: Sequence[Any]) -> Any:
        values = np.concatenate([arrays[place] for place in order])
        found = aligned(int(lengths.sum()), max(1, values.shape[1]), lanes)
        found[rows, : values.shape[1], lane_of] = values
        return found

    if batch.targets is None:
        goals = aligned(blocks, 1, lanes)
    elif every:
        goals = spread(batch.targets)
    else:
        values = np.stack([batch.targets[place][0] for place in order])
        goals = aligned(blocks, max(1, values.shape[1]), lanes)
        goals[block, : values.shape[1], lane] = values
    arrays = (spread(batch.sequences), goals, lengths, offsets, starts, shares)
    addresses = tuple([array.ctypes.data for array in arrays])
    return Blocks(order, sizes, *arrays, addresses, batch)


class Workspace:
    """The arrays that one thread writes: a gradient, the tape of a run, adjoints between steps."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.gradient = aligned(max(1, len(kernel.layout.gradient)), kernel.lanes)
        self.scratch = aligned(kernel.layout.scratch + 1, kernel.lanes)
        self.tape = aligned(0)

    def addresses(self, steps: int, gradient: Any) -> tuple[int, int, int]:
        """The addresses of the gradient, of a tape for this many steps, and of the scratch."""
        size = (steps + 1) * max(1, self.kernel.layout.size) * self.kernel.lanes
        if self.tape.size < size:
            self.tape = aligned(size)
        arrays = (self.gradient if gradient is None else gradient, self.tape, self.scratch)
        return tuple([array.ctypes.data for array in arrays])


class Kernel:
    """A step as machine code."""

    def __init__(
        self,
        traced: TracedStep,
        *,
        every: bool,
        lanes: int | None = None,
        exact: bool = False,
        predict: bool = False,
    ) -> None:
        self.traced, self.every, self.exact = traced, every, exact
        self.lanes = host_lanes() if lanes is None else lanes
        text, self.layout = emit(traced, self.lanes, every=every, exact=exact, predict=predict)
        self.code = load(kept_code(text))
        kinds = [ctypes.c_void_p] * len(ARRAYS) + [ctypes.c_int64] * 2
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.code.get_function_address("run"))
        self.packed = np.array([*self.layout.packed, traced.parameters], dtype=np.int64)
        self.gradient = np.array(self.layout.gradient, dtype=np.int64)
        self.spare: list[Workspace] = []

    @np.errstate(all="ignore")
    def run(self, blocks: Blocks, parameters: Any, state: Any, threads: int) -> Any:
        """The sum of the losses, that of the gradients, and the sequences with a failed guard."""
        count, number = len(blocks.order), len(blocks.lengths)
        losses = aligned(number, self.lanes)
        losses[:] = -0.0
        slopes = None
        if self.exact:
            slopes = aligned(number, max(1, len(self.gradient)), self.lanes)
            slopes[:] = -0.0
        flags, spaces = self._call(blocks, parameters, state, threads, losses, slopes)
        total = np.zeros(self.traced.parameters)
        if slopes is None:
            sums = sum([space.gradient.sum(axis=1) for space in spaces])
            total[self.gradient] = sums[: len(self.gradient)]
        else:
            rows = slopes.transpose(0, 2, 1).reshape(-1, slopes.shape[1])
            for row in in_place(rows[:count], blocks.order):  # this order makes the sum exact
                total[self.gradient] += row[: len(self.gradient)]
        self.spare += spaces
        found = losses.reshape(-1)[:count]
        if self.every:
            found = found / blocks.sizes
        loss = found.sum()
        if self.exact:
            loss = np.add.accumulate(in_place(found, blocks.order))[-1] + 0.0
        return loss, total, flags

    def predict(
        self, blocks: Blocks, parameters: Any, state: Any, threads: int
    ) -> tuple[Sequence[Any], list[int]]:
        """The output for each sequence, by steps if `every`, and those with a failed guard."""
        number, width = len(blocks.lengths), max(1, len(self.traced.output))
        rows = int(blocks.lengths.sum()) if self.every else number
        outputs = aligned(rows, width, self.lanes)
        losses = aligned(number, self.lanes)
        flags, spaces = self._call(blocks, parameters, state, threads, losses, outputs)
        self.spare += spaces
        if not self.every:
            flat = outputs.transpose(0, 2, 1).reshape(-1, width)[: len(blocks.order)]
            return in_place(flat, blocks.order), flags
        found: list[Any] = [None] * len(blocks.order)
        for column, (place, size) in enumerate(zip(blocks.order, blocks.sizes, strict=True)):
            block, lane = divmod(column, self.lanes)
            end = blocks.offsets[block] + blocks.lengths[block]
            found[place] = outputs[end - size : end, :, lane]
        return found, flags

    def _call(
        self, blocks: Blocks, parameters: Any, state: Any, threads: int, losses: Any, gradient: Any
    ) -> tuple[list[int], list[Workspace]]:
        """The sequences with a failed guard, and the workspaces.

        Gradients are added up in the workspaces if `gradient` is None.
        """
        numbers = np.array([*parameters, 0.0])
        packed = numbers[self.packed]
        initial = aligned(len(state) + 1, self.lanes)
        initial[:-1] = np.array(state).reshape(-1, 1)
        flags = aligned(*losses.shape) if self.traced.program.guards else losses
        number = len(blocks.lengths)
        parts = max(1, min(threads, number))
        bounds = [number * part // parts for part in range(parts + 1)]
        spaces = [self.spare.pop() if self.spare else Workspace(self) for _ in range(parts)]
        given = [packed.ctypes.data, numbers.ctypes.data, *blocks.addresses]
        first, last = initial.ctypes.data, (losses.ctypes.data, flags.ctypes.data)

        def work(part: int) -> None:
            begin, end = bounds[part], bounds[part + 1]
            spaces[part].gradient.fill(0.0)
            own = spaces[part].addresses(int(blocks.lengths[begin]), gradient)
            self.call(*given, first, *own, *last, begin, end)

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
