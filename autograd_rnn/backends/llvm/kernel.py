"""Blocks of sequences, and the machine code of a step that runs over them."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, repeat
from typing import Any, Final, NamedTuple

import numpy as np

from ..backend import Result
from ..batch import Batch, steps_from
from ..numpy.columns import in_place
from ..traced import TracedStep
from .codegen import ARRAYS, emit
from .jit import host_lanes, kept_code, load

NEVER: Final = np.iinfo(np.int64).max


def address(array: Any) -> int:
    """Where the numbers of an array begin; quicker than its `ctypes`."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array)) if array.size else 0


def readable(array: Any) -> tuple[Any, int]:
    """The array, or a copy if it is read-only or not in one piece, and where its numbers begin."""
    try:
        return array, address(array)
    except TypeError:
        copy = array.copy()
        return copy, address(copy)


def aligned(*shape: int) -> Any:
    """Zeros of this shape, aligned to 64 bytes, so that whole vectors can be read."""
    size = math.prod(shape)
    room = np.zeros(size + 7)
    start = -address(room) % 64 // 8
    return room[start : start + size].reshape(shape)


def aligned_all(*shapes: tuple[int, ...]) -> tuple[list[Any], list[int]]:
    """Such zeros of each shape, which lie in one piece of memory, and their addresses."""
    sizes = [math.prod(shape) for shape in shapes]
    starts = [*accumulate([-(-size // 8) * 8 for size in sizes], initial=0)]
    room = np.zeros(starts[-1] + 8)
    first = address(room)
    offset = (-first % 64) // 8
    parts = zip(shapes, sizes, starts, strict=False)
    arrays = [
        room[offset + start : offset + start + size].reshape(shape) for shape, size, start in parts
    ]
    return arrays, [first + 8 * (offset + start) for start in starts[:-1]]


class Blocks(NamedTuple):
    """Sequences in lanes, the longest first; those of a block end together.

    `order` has the place of each sequence, and `lanes` the lane of each place, among those of all
    blocks; the steps of block b are `lengths[b]` from `offsets[b]` on.  `addresses` are those of
    the arrays from `inputs` to `places`, as the machine code takes them, which lie in `room`, and
    `batch` is the packed one.
    """

    order: Any
    lanes: Any
    lengths: Any
    offsets: Any
    addresses: list[int]
    room: Any
    batch: Batch

    def rows(self, lanes: int) -> tuple[Any, Any]:
        """For each step of each sequence its row among those of all blocks, and its lane."""
        block, lane = np.divmod(self.lanes, lanes)
        sizes = self.batch.lengths
        return steps_from((self.offsets + self.lengths)[block] - sizes, sizes), lane.repeat(sizes)


def make_blocks(parts: Sequence[Batch], lanes: int) -> list[Blocks]:
    """The blocks of each part of some data, all parts but the last being of one size."""
    count = [*map(len, parts)]
    of_a_part = -(-count[0] // lanes)
    blocks = of_a_part * (len(parts) - 1) - (-count[-1] // lanes)
    starts, sizes, goals, counts = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("starts", "lengths", "goals", "counts")
    ]
    who = np.arange(len(sizes)) // count[0]
    order = np.lexsort((-sizes, who))
    starts, sizes = starts.take(order), sizes.take(order)
    # The place of each sequence among the lanes of all blocks.
    slots = np.arange(len(sizes)) + who * (of_a_part * lanes - count[0])
    # In each lane the rows of its sequence, none if it has no sequence: from `begins` to `ends`.
    begins, ends, rows_of_goals = np.zeros((3, blocks, lanes), dtype=np.int64)
    begins.put(slots, starts)
    ends.put(slots, starts + sizes)
    rows_of_goals.put(slots, goals.take(order))
    used = ends - begins
    lengths = used.max(axis=1)
    ends_of_blocks = lengths.cumsum()
    first = parts[0]
    every, width = first.every, 0 if first.targets is None else first.targets.shape[1]
    total = int(ends_of_blocks[-1])
    (inputs, aims, lane), addresses = aligned_all(
        (total, 1 if first.symbols else max(1, first.entries), lanes),
        (total if every else blocks, max(1, width), lanes),
        (3, blocks, lanes),
    )
    # A lane begins at this step, or never.
    lane[0].view(np.int64)[:] = np.where(used > 0, lengths[:, None] - used, NEVER)
    lane[1] = 1.0
    lane[1].put(slots, counts.take(order))
    # The row of the data for each step of the blocks, and each lane: the first one is zeros.
    rows = (ends - ends_of_blocks[:, None]).repeat(lengths, axis=0)
    rows += np.arange(total)[:, None]
    rows[rows < begins.repeat(lengths, axis=0)] = 0
    if first.symbols:
        inputs.view(np.int64)[:, 0] = first.inputs.take(rows)
    else:
        inputs[:, : first.entries] = first.inputs.take(rows, axis=0).transpose(0, 2, 1)
    if first.targets is not None:
        chosen = first.targets.take(rows if every else rows_of_goals, axis=0)
        aims[:, :width] = chosen.transpose(0, 2, 1)
    # Each part has its own piece of each array.
    found = []
    heads = np.arange(0, blocks, of_a_part)
    origin = (ends_of_blocks - lengths)[heads]
    offsets = ends_of_blocks - lengths - origin.repeat(of_a_part)[:blocks]
    # Each part counts its places and its lanes from 0 on; in the lanes they count from 1 on.
    firsts = who * count[0]
    lanes_of = in_place(np.arange(len(order)), order) - firsts
    order -= firsts
    lane[2].view(np.int64).put(slots, order + 1)
    at_lengths, at_offsets, width = address(lengths), address(offsets), 8 * lanes
    a_step, a_target = inputs[0].nbytes, aims[0].nbytes
    for k, (part, head, row) in enumerate(zip(parts, heads.tolist(), origin.tolist(), strict=True)):
        mine = slice(k * count[0], k * count[0] + count[k])
        own = slice(head, head + of_a_part)
        places = [
            addresses[0] + row * a_step,
            addresses[1] + (row if every else head) * a_target,
            at_lengths + 8 * head,
            at_offsets + 8 * head,
            addresses[2] + head * width,
            addresses[2] + (blocks + head) * width,
            addresses[2] + (2 * blocks + head) * width,
        ]
        of_part = (order[mine], lanes_of[mine], lengths[own], offsets[own])
        found.append(Blocks(*of_part, places, inputs.base, part))
    return found


class Workspace:
    """The arrays that a run writes, kept for the next one, with their addresses.

    Of each thread the tape of a run and adjoints between steps; of the first one also what comes
    out for each lane.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        (self.room,), (self.scratch,) = aligned_all((kernel.layout.scratch + 1, kernel.lanes))
        self.steps, self.tape, self.tape_at = -1, aligned(0), 0
        self.shape: tuple[int, int] | None = None
        self.results: list[Any] = []
        self.results_at: list[int] = []

    def addresses(self, steps: int) -> list[int]:
        """The addresses of a tape for this many steps, and of the scratch."""
        if self.steps < steps:
            layout = self.kernel.layout
            self.tape = aligned((steps + 1) * max(1, layout.size) * self.kernel.lanes)
            self.steps, self.tape_at = steps, address(self.tape)
        return [self.tape_at, self.scratch]

    def made(self, blocks: int, rows: int) -> list[Any]:
        """Arrays for losses, flags, and outputs of so many rows in lanes, of so many blocks."""
        if self.shape != (blocks, rows):
            kernel, self.shape = self.kernel, (blocks, rows)
            guarded = kernel.traced.program.guards
            self.results, self.results_at = aligned_all(
                (blocks, kernel.lanes),
                (blocks if guarded else 0, kernel.lanes),
                (rows, max(1, len(kernel.traced.output)), kernel.lanes),
            )
        return self.results


class Kernel:
    """A step as machine code, which gives a `gradient`, the `outputs`, or the states `after`."""

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
        after: bool = False,
    ) -> None:
        self.traced, self.every, self.exact = traced, every, exact
        self.with_gradient, self.with_outputs, self.with_after = gradient, outputs, after
        self.lanes = host_lanes() if lanes is None else lanes
        options = {"every": every, "exact": exact, "gradient": gradient, "outputs": outputs}
        text, self.layout = emit(traced, self.lanes, **options, after=after)
        self.code = load(kept_code(text))
        kinds = [ctypes.c_void_p] * len(ARRAYS) + [ctypes.c_int64] * 2
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.code.get_function_address("run"))
        self.direct, self.copied = [
            np.array(numbers, dtype=np.int64)
            for numbers in (self.layout.direct, self.layout.copied)
        ]
        size = len(self.direct) * self.lanes + traced.parameters + 1 + len(self.copied)
        # Only the direct ones are read as vectors.
        self.zeros = partial(aligned if len(self.direct) else np.zeros, size)
        self.state = np.array(state).reshape(-1, 1)
        (self.room,), (self.initial,) = aligned_all((len(state) + 1, self.lanes))
        self.room[: len(state)] = self.state
        self.spare: list[Workspace] = []

    def run(
        self, blocks: Blocks, parameters: Any, states: Any, threads: int
    ) -> tuple[Result, list[int]]:
        """The sums, outputs and states of a batch, and the sequences with a failed guard."""
        count, number, width = len(blocks.order), len(blocks.lengths), len(self.traced.output)
        space = self._workspace()
        in_lanes = self.with_outputs and self.every
        losses, flags, outputs = space.made(number, int(blocks.lengths.sum()) if in_lanes else 0)
        gradients = self._gradients(number, parts := min(threads, number))
        # In the first row is what comes out of lanes without a sequence.
        shown = outputs if in_lanes else np.empty((1 + count, width if self.with_outputs else 0))
        ends = np.empty((1 + count, len(self.state) if self.with_after else 0))
        numbers, at_numbers = self._numbers(parameters)
        starts, at_starts = (None, 0) if states is None else readable(states)
        given = [at_numbers, *blocks.addresses, self.initial, at_starts]
        made = [*space.results_at[:2], address(shown), address(ends)]
        held = (gradients, numbers, starts, shown, ends)
        spaces = self._call(blocks, space, given, made, parts, held)
        loss, total = 0.0, None
        if self.with_gradient:
            found, total = losses.reshape(-1)[:count], self._total(blocks, gradients)
            # Python's floats warn of no infinity.
            loss = self._in_turn(blocks, found) if self.exact else sum(found.tolist())
        if self.with_outputs:
            shown = self._in_order(blocks, shown) if in_lanes else shown[1:]
        wrong = np.flatnonzero(flags.reshape(-1)[:count]) if len(flags) else ()
        self.spare += spaces  # all that is given is a copy
        found = (shown if self.with_outputs else None, ends[1:] if self.with_after else None)
        return Result(loss, total, *found), [int(blocks.order[column]) for column in wrong]

    @np.errstate(all="ignore")
    def _in_turn(self, blocks: Blocks, losses: Any) -> float:
        """The sum of the losses in the order of the sequences."""
        return float(np.add.accumulate(in_place(losses, blocks.order))[-1]) + 0.0

    def _workspace(self) -> Workspace:
        """A workspace that no run uses, whatever other threads take meanwhile."""
        try:
            return self.spare.pop()
        except IndexError:
            return Workspace(self)

    def _gradients(self, blocks: int, parts: int) -> list[Any]:
        """New arrays to which the code adds gradients: by part, or with a row for each block."""
        if not self.with_gradient:
            return []
        if not self.exact:
            return [self.zeros() for _ in range(parts)]
        slopes = aligned(blocks, max(1, len(self.direct)), self.lanes)
        slopes[:] = -0.0
        return [slopes]

    def _total(self, blocks: Blocks, gradients: Sequence[Any]) -> Any:
        """The gradient with respect to the parameters, which the code has added up in parts."""
        sums, count = gradients[0], self.traced.parameters
        if self.exact or len(gradients) > 1 or len(self.direct):
            sums = self._summed(blocks, gradients)
        if len(self.copied):
            sums[self.copied] = sums[count + 1 :]
        return sums[:count]

    @np.errstate(all="ignore")
    def _summed(self, blocks: Blocks, gradients: Sequence[Any]) -> Any:
        """The sum of the parts, and of the numbers for each lane."""
        sums, number = gradients[0], len(self.direct)
        if self.exact:
            total = np.zeros(number)
            rows = sums.transpose(0, 2, 1).reshape(-1, sums.shape[1])[:, :number]
            for row in in_place(rows[: len(blocks.order)], blocks.order):  # so that it is exact
                total += row
            return total
        for more in gradients[1:]:
            sums = sums + more
        rest = sums[number * self.lanes :]
        if number:
            rest[self.direct] = sums[: number * self.lanes].reshape(number, -1).sum(axis=1)
        return rest

    def _in_order(self, blocks: Blocks, outputs: Any) -> Any:
        """The outputs at each step, which are in lanes, as a row for each step of each sequence."""
        row, lane = blocks.rows(self.lanes)
        flat = outputs.transpose(0, 2, 1).reshape(-1, outputs.shape[1])
        return flat.take(row * self.lanes + lane, axis=0)[:, : len(self.traced.output)]

    def _numbers(self, parameters: Any) -> tuple[Any, int]:
        """The numbers of the parameters as the code takes them, with those that it reads copied.

        And where they begin.
        """
        if len(self.copied):
            numbers = np.append(parameters, 0.0)
            return readable(np.concatenate([numbers, numbers[self.copied]]))
        return readable(parameters)

    def _call(
        self,
        blocks: Blocks,
        space: Workspace,
        given: Sequence[int],
        made: Sequence[int],
        parts: int,
        held: tuple[Any, ...],
    ) -> list[Workspace]:
        """The workspaces of the threads that run the code, each on a part of the blocks.

        The first one is given, and holds results.  The code gets addresses of what is given, and of
        what is made, among it the first of the arrays that are `held`, the gradients.
        """
        number, gradients = len(blocks.lengths), held[0]

        def work(own: Workspace, part: int, begin: int, end: int, *held: Any) -> None:
            # All parts have the array in which each block has its own gradient.
            mine = address(gradients[part % len(gradients)]) if gradients else 0
            places = own.addresses(int(blocks.lengths[begin]))
            self.call(*given, mine, *places, *made, begin, end)

        if parts == 1:
            work(space, 0, 0, number)
            return [space]
        bounds = [number * part // parts for part in range(parts + 1)]
        others = [self._workspace() for _ in range(parts - 1)]
        # Whatever interrupts this thread, the others hold what they read and write.
        everything = repeat((blocks, space, held), parts - 1)
        rest = zip(others, range(1, parts), bounds[1:-1], bounds[2:], everything, strict=True)
        workers = [threading.Thread(target=work, args=part) for part in rest]
        for worker in workers:
            worker.start()
        work(space, 0, 0, bounds[1])
        for worker in workers:
            worker.join()
        return [space, *others]
