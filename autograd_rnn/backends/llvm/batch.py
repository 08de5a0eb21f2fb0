"""Batches of sequences in blocks, a sequence per lane, as machine code reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import longest_first
from ..batch import Batch


def aligned(*shape: int) -> Any:
    """Zeros that begin where a whole vector can be read."""
    size = math.prod(shape)
    room = np.zeros(size + 8)
    start = (-room.ctypes.data % 64) // 8
    return room[start : start + size].reshape(shape)


class Blocks(NamedTuple):
    """Sequences side by side in lanes, the longest first, all of a block ending together.

    `order` has the place of each sequence, `sizes` the steps of each in that order; a lane starts
    at its `starts`, and one without a sequence never does.  `addresses` say where the arrays from
    `inputs` to `shares` lie, and `batch` is what was packed.
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
    # The row of each step of each sequence, in order, among those of all blocks.
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
