"""A function of numbers as machine code, which goes over the entries of arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...program.program import Program
from .builder import Builder
from .jit import host_lanes, kept_code, load
from .kernel import address, readable


class Entries:
    """A program over arrays: each input is an array of floats, or by `alike` one for all entries.

    A call gives a new array for each output, to the bit what the program gives for each entry. The
    arrays have as many entries as a vector of this CPU, or more.

    >>> from autograd_rnn import record
    >>> code = Entries(record(lambda x, y: x * y + 1, 0.0, 0.0), [False, True], lanes=2)
    >>> code(np.array([1.0, 2.0, 3.0]), 4.0)[0].tolist()
    [5.0, 9.0, 13.0]
    """

    def __init__(self, program: Program, alike: Sequence[bool], lanes: int | None = None) -> None:
        self.outputs = len(program.outputs)
        self.arrays = [place for place, one in enumerate(alike) if not one]
        self.lanes = host_lanes() if lanes is None else lanes
        self.code = load(kept_code(emit(program, alike, self.lanes)))
        given = [ctypes.c_double if one else ctypes.c_void_p for one in alike]
        kinds = [*given, *[ctypes.c_void_p] * self.outputs, ctypes.c_int64, ctypes.c_int64]
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.code.get_function_address("run"))

    def __call__(self, *given: Any) -> list[Any]:
        numbers: list[Any] = list(given)
        held = []  # until the call is over
        for place in self.arrays:
            array, numbers[place] = readable(given[place])
            held.append(array)
        size = len(array)
        found = np.empty((self.outputs, size))
        first = address(found)
        places = range(first, first + found.nbytes, 8 * size)
        self.call(*numbers, *places, size - self.lanes + 1, size - self.lanes)
        return [*found]


def emit(program: Program, alike: Sequence[bool], lanes: int) -> str:
    """The LLVM text of `run`: it takes what a call is given, outputs, and bounds of the index."""
    w = Builder(lanes, exact=True)
    inputs = [f"{'double' if one else 'ptr noalias'} %x{k}" for k, one in enumerate(alike)]
    outputs = [f"ptr noalias %z{k}" for k in range(len(program.outputs))]
    given = ", ".join([*inputs, *outputs, "i64 %end", "i64 %last"])
    w.text.append(f"define void @run({given}) #0 {{")
    w.label("entry")

    def at(place: str) -> None:
        values = [
            w.spread(w.vector, "double", f"%x{k}")
            if one
            else w.load_some(w.at(f"%x{k}", place, "double"), lanes)
            for k, one in enumerate(alike)
        ]
        values += map(w.splat, program.constants)
        for op, operands, _ in program.lines:
            values.append(w.call(op, [values[number] for number in operands]))
        for k, number in enumerate(program.outputs):
            target = w.at(f"%z{k}", place, "double")
            w.put(f"store {w.vector} {values[number]}, ptr {target}, align 8")

    w.repeat(0, "%end", lanes, at)
    at("%last")  # whatever is left; outputs are no inputs, so that some may be computed twice
    w.put("ret void")
    w.text.append("}")
    return w.finished()
