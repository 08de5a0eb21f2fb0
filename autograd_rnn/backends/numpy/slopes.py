"""What the source of a gradient by NumPy calls: slopes from results, and sums by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ...ops.op import Op
from .columns import Columns

#: A slope that has such a difference as a factor has lost so few digits that it is as good.
LEAST_DIFFERENCE: Final = 1.0 / 16.0

#: So many numbers at a time stay in the cache, and in memory that a process has already.
CHUNK: Final = 3 << 12

#: Arrays of more numbers are not kept.
MOST: Final = 1 << 22

#: Nor are more blocks of one: each takes as much memory as 16 numbers.
MOST_VIEWS: Final = MOST >> 4


def quick(op: Op, results: Any, operand: Callable[[], Any], found: Any) -> Any:
    """The slopes from the results alone where that is good, else by the rule; all are flat."""
    assert op.arrays_slope is not None
    assert op.arrays_rule is not None
    given = None
    for low in range(0, len(results), CHUNK):
        part = found[low : low + CHUNK]
        part[:], difference = op.arrays_slope(results[low : low + CHUNK])
        (few,) = (difference < LEAST_DIFFERENCE).nonzero()
        if len(few):
            given = operand() if given is None else given
            part.put(few, op.arrays_rule(np, given[low : low + CHUNK].take(few)))
    return found


def from_result(op: Op, result: Any, operand: Callable[[], Any]) -> Any:
    """The same for arrays of any shape."""
    flat, found = result.reshape(-1), np.empty(result.size)
    quick(op, flat, lambda: np.broadcast_to(operand(), result.shape).reshape(-1), found)
    return found.reshape(result.shape)


class Room:
    """Flat arrays by name, kept for the next batch, since new memory takes longer to come by."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        #: By the name of an array the shape of its blocks, and the blocks.
        self.views: dict[str, tuple[tuple[int, int, int], list[Any]]] = {}

    def __call__(self, name: str, size: int) -> Any:
        """An array of so many numbers, whatever they are; the same until `tidy` is called."""
        found = self.arrays.get(name)
        if found is None or len(found) < size:
            found = self.arrays[name] = np.empty(size)
            self.views.pop(name, None)
        return found[:size]

    def blocks(self, name: str, size: int, columns: Columns) -> list[Any]:
        """The blocks of an array, of so many rows for each step, kept like it."""
        flat = self(name, size * columns.total)
        if not columns.together:
            return columns.blocks(flat, size)
        # The functions for the loss and for outputs may have blocks of other sizes by one name.
        shape = (size, columns.total, columns.sequences)
        known, found = self.views.get(name, (None, []))
        if known != shape:
            found = columns.blocks(flat, size)
            self.views[name] = shape, found
        return found

    def tidy(self) -> None:
        """Drop what is too large to keep."""
        for name in [name for name, array in self.arrays.items() if len(array) > MOST]:
            del self.arrays[name]
            self.views.pop(name, None)
        for name in [name for name, (_, views) in self.views.items() if len(views) > MOST_VIEWS]:
            del self.views[name]


def side_by_side(blocks: list[Any]) -> Any:
    """The numbers of blocks, those of one after those of another."""
    return np.concatenate([block.reshape(-1) for block in blocks])


def put(array: Any, rows: Any, terms: Any) -> None:
    """Add terms to rows, of which one may be there twice."""
    np.add.at(array, rows, terms)
