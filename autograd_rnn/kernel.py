"""Machine code: compiled, kept in memory and on disk, and run over blocks of sequences."""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from .arrays import ArrayRun
from .cell import Cell
from .errors import BranchChanged
from .files import write_whole
from .native import emit
from .runs import Step

__all__ = ["Blocks", "Kernel", "NativeRun", "aligned", "compile_text", "load", "make_blocks"]

#: Where compiled code is kept: a folder, or "off".
CACHE: Final = "AUTOGRAD_RNN_CACHE"
MAGIC: Final = b"autograd_rnn code 1\n"


def aligned(*shape: int) -> Any:
    """Zeros that begin where a whole vector can be read."""
    size = math.prod(shape)
    room = np.zeros(size + 8)
    start = (-room.ctypes.data % 64) // 8
    return room[start : start + size].reshape(shape)


# --- blocks --------------------------------------------------------------------------------------


class Blocks(NamedTuple):
    """Sequences side by side in lanes, the longest first, all of a block ending together.

    `order` has the place of each sequence, `sizes` the steps of each in that order; a lane starts
    at its `starts`, and one without a sequence never does.  `runs` are the sequences themselves.
    """

    order: Any
    sizes: Any
    inputs: Any
    targets: Any
    lengths: Any
    offsets: Any
    starts: Any
    shares: Any
    runs: Sequence[Any] = ()


def make_blocks(
    sequences: Sequence[Any], targets: Sequence[Any], lanes: int, every: bool
) -> Blocks:
    """The blocks of sequences (arrays of steps by inputs) and targets (by steps if `every`)."""
    sizes = np.array([len(sequence) for sequence in sequences])
    order = np.argsort(-sizes, kind="stable")
    sizes = sizes[order]
    count = len(sequences)
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

    if every:
        goals = spread(targets)
    else:
        values = np.stack([targets[place] for place in order])
        goals = aligned(blocks, max(1, values.shape[1]), lanes)
        goals[block, : values.shape[1], lane] = values
    return Blocks(order, sizes, spread(sequences), goals, lengths, offsets, starts, shares)


# --- machine code --------------------------------------------------------------------------------


class Kernel:
    """A step as machine code."""

    def __init__(
        self,
        cell: Cell,
        *,
        every: bool,
        lanes: int | None = None,
        exact: bool = False,
        predict: bool = False,
    ) -> None:
        self.cell, self.every, self.exact = cell, every, exact
        self.lanes = host_lanes() if lanes is None else lanes
        text, self.layout = emit(cell, self.lanes, every=every, exact=exact, predict=predict)
        self.code = load(kept_code(text))
        kinds = [ctypes.c_void_p] * 14 + [ctypes.c_int64] * 2
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.code.get_function_address("run"))
        self.packed = np.array(self.layout.packed, dtype=np.int64)
        self.gradient = np.array(self.layout.gradient, dtype=np.int64)

    def run(self, blocks: Blocks, parameters: Any, state: Any, threads: int) -> Any:
        """The loss of each sequence in its place, the sum of their gradients, and what is flagged.

        These are the places of sequences in which a comparison came out otherwise.
        """
        number, width = len(blocks.lengths), max(1, len(self.layout.gradient))
        losses, flags = aligned(number, self.lanes), aligned(number, self.lanes)
        losses[:] = -0.0
        if self.exact:
            slopes = aligned(number, width, self.lanes)
            slopes[:] = -0.0
            self._call(blocks, parameters, state, threads, losses, flags, slopes)
            by_sequence = slopes.transpose(0, 2, 1).reshape(-1, width)
        else:
            parts = self._call(blocks, parameters, state, threads, losses, flags, None)
            by_sequence = np.sum([part.sum(axis=1) for part in parts], axis=0)[None]
        count, used = len(blocks.order), len(self.layout.gradient)
        total = np.zeros(self.cell.parameters)
        if self.exact:
            by_sequence = _in_place(by_sequence[:count], blocks.order)
        for row in by_sequence:  # in this order, which is what makes them exact
            total[self.gradient] += row[:used]
        found = losses.reshape(-1)[:count]
        if self.every:
            found = found / blocks.sizes
        return _in_place(found, blocks.order), total, _flagged(flags, blocks.order)

    def predict(self, blocks: Blocks, parameters: Any, state: Any, threads: int) -> Any:
        """The output for each sequence in its place, by steps if `every`, and what is flagged."""
        number, width = len(blocks.lengths), max(1, len(self.cell.output))
        losses, flags = aligned(number, self.lanes), aligned(number, self.lanes)
        rows = int(blocks.lengths.sum()) if self.every else number
        outputs = aligned(rows, width, self.lanes)
        self._call(blocks, parameters, state, threads, losses, flags, outputs)
        found: list[Any] = [None] * len(blocks.order)
        for column, (place, size) in enumerate(zip(blocks.order, blocks.sizes, strict=True)):
            block, lane = divmod(column, self.lanes)
            if self.every:
                end = blocks.offsets[block] + blocks.lengths[block]
                found[place] = outputs[end - size : end, :, lane]
            else:
                found[place] = outputs[block, :, lane]
        return found, _flagged(flags, blocks.order)

    def _call(
        self,
        blocks: Blocks,
        parameters: Any,
        state: Any,
        threads: int,
        losses: Any,
        flags: Any,
        gradient: Any,
    ) -> list[Any]:
        """Run the blocks; where there is no room for a gradient, each thread has its own."""
        lanes, layout = self.lanes, self.layout
        numbers = np.array([*parameters, 0.0])
        packed = np.ascontiguousarray(numbers[self.packed]) if self.packed.size else numbers
        initial = aligned(len(state) + 1, lanes)
        initial[:-1] = np.array(state)[:, None]
        number = len(blocks.lengths)
        parts = max(1, min(threads, number))
        bounds = [number * part // parts for part in range(parts + 1)]
        results: list[Any] = [None] * parts

        def work(part: int) -> None:
            first, end = bounds[part], bounds[part + 1]
            most = int(blocks.lengths[first:end].max())
            mine = gradient
            if mine is None:
                mine = aligned(max(1, len(layout.gradient)), lanes)
            arrays = (
                *(packed, numbers, blocks.inputs, blocks.targets, blocks.lengths, blocks.offsets),
                *(blocks.starts, blocks.shares, initial, mine),
                aligned(most + 1, max(1, layout.size), lanes),
                *(aligned(layout.scratch + 1, lanes), losses, flags),
            )
            self.call(*[array.ctypes.data for array in arrays], first, end)
            results[part] = mine

        workers = [threading.Thread(target=work, args=(part,)) for part in range(1, parts)]
        for worker in workers:
            worker.start()
        work(0)
        for worker in workers:
            worker.join()
        return results


def _in_place(rows: Any, order: Any) -> Any:
    found = np.empty_like(rows)
    found[order] = rows
    return found


def _flagged(flags: Any, order: Any) -> list[int]:
    return [int(order[column]) for column in np.flatnonzero(flags.reshape(-1)[: len(order)])]


def host_lanes() -> int:
    """How many doubles a vector of this CPU holds: 8, 4 or 2."""
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx2") else 2


def compile_text(text: str) -> bytes:
    """The object code of the text, made without LLVM's middle-end passes."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = _machine()
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=0)
    builder = llvm.create_pass_builder(machine, tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def load(code: bytes) -> Any:
    """The engine that holds the object code; its functions live as long as it does."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _machine() -> Any:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        jit=True,
    )


# --- on disk -------------------------------------------------------------------------------------


def kept_code(text: str) -> bytes:
    """The object code of the text: from the cache, or compiled and put there.

    A file of the cache has the code's own digest, and what does not agree with it is compiled
    again; it is named by the digest of all that the code depends on, the program, the CPU and the
    versions.  Files are written whole, so that processes may share a folder.
    """
    folder = cache_folder()
    if folder is None:
        return compile_text(text)
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    key = (MAGIC.decode(), llvmlite.__version__, llvm.llvm_version_info, cpu, features, text)
    path = folder / (hashlib.sha256(repr(key).encode()).hexdigest() + ".code")
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    head, code = content[: len(MAGIC) + 32], content[len(MAGIC) + 32 :]
    if head == MAGIC + hashlib.sha256(code).digest():
        return code
    code = compile_text(text)
    with suppress(OSError):  # a full or locked disk: the code is there all the same
        write_whole(path, MAGIC + hashlib.sha256(code).digest() + code)
    return code


def cache_folder() -> Path | None:
    """The folder of compiled code, which is ours alone, or None for none.

    It is `autograd_rnn` in the user's cache folder, or what the environment variable
    `AUTOGRAD_RNN_CACHE` says, "off" for none.  A folder that others may write to is not used: what
    is read there is run.
    """
    said = os.environ.get(CACHE)
    if said == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(said) if said else Path(base, "autograd_rnn")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return folder


# --- a step --------------------------------------------------------------------------------------


class NativeRun:
    """A recorded step that runs over batches as machine code."""

    def __init__(self, step: Step, cell: Cell, *, exact: bool = False) -> None:
        self.step, self.cell, self.exact = step, cell, exact
        self.kernels: dict[bool, Kernel] = {}

    def kernel(self, *, predict: bool = False) -> Kernel:
        """The code for gradients, or for predictions; compiled when it is first asked for."""
        if predict not in self.kernels:
            self.kernels[predict] = Kernel(
                self.cell, every=self.step.every, exact=self.exact, predict=predict
            )
        return self.kernels[predict]

    def pack(self, runs: Sequence[Any], with_targets: bool) -> Blocks:
        """The sequences in blocks."""
        every = self.step.every and with_targets
        sequences = [np.asarray(xs, dtype=float) for xs, _ in runs]
        targets = [np.empty(0)] * len(runs)
        if with_targets:
            targets = [np.asarray(ys if every else ys[0], dtype=float) for _, ys in runs]
        return make_blocks(sequences, targets, host_lanes(), every)._replace(runs=runs)

    def run(self, blocks: Blocks, threads: int) -> Any:
        """The sum of the losses of the sequences, and that of their gradients."""
        numbers = [parameter.data for parameter in self.step.parameters]
        kernel = self.kernel()
        with np.errstate(all="ignore"):
            losses, gradient, flagged = kernel.run(blocks, numbers, self.step.state, threads)
            total = np.add.accumulate(losses)[-1] + 0.0  # one after another, which is exact
        if flagged:
            self._explain(blocks, flagged, True)
        return total, gradient

    def predict(self, blocks: Blocks, threads: int) -> Any:
        """The output for each sequence in its place: an array of entries, by steps if `every`."""
        numbers = [parameter.data for parameter in self.step.parameters]
        kernel = self.kernel(predict=True)
        found, flagged = kernel.predict(blocks, numbers, self.step.state, threads)
        if flagged:
            self._explain(blocks, flagged, False)
        return found

    def per_step(self, blocks: Blocks) -> Any:
        """The terms of each sequence's gradient, steps by weights: by NumPy, as they are many."""
        arrays = ArrayRun(self.step, self.cell)
        return arrays.per_step(arrays.pack(blocks.runs, True))

    def _explain(self, blocks: Blocks, flagged: Sequence[int], with_loss: bool) -> None:
        """`BranchChanged`, in the words that NumPy finds by going there again."""
        arrays = ArrayRun(self.step, self.cell)
        batch = arrays.pack(blocks.runs, with_loss)
        if with_loss:
            arrays.run(batch, 1)
        else:
            arrays.predict(batch, 1)
        raise BranchChanged(
            f"sequences[{flagged[0]}]: a comparison in the step came out otherwise than when it "
            f"was recorded, by a rounding. Choose backend='eager' for a step that compares."
        )
