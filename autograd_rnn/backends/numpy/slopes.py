"""What the source of a gradient by NumPy calls: slopes from results, and sums by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ...ops.op import Op

#: A slope that has such a difference as a factor has lost so few digits that it is as good.
LEAST_DIFFERENCE: Final = 1.0 / 16.0


class Joined:
    """The columns of some blocks side by side, joined once if ever they are asked for."""

    __slots__ = ("blocks", "whole")

    def __init__(self, blocks: list[Any]) -> None:
        self.blocks = blocks
        self.whole: Any = None

    def __call__(self) -> Any:
        if self.whole is None:
            self.whole = np.concatenate(self.blocks, 1)
        return self.whole


def quick(op: Op, result: Any, operand: Callable[[], Any]) -> Any:
    """The slope from the result alone where that is good, else by the rule."""
    assert op.arrays_slope is not None
    assert op.arrays_rule is not None
    found, difference = op.arrays_slope(result)
    # Column after column, as they lie in memory.
    (few,) = (difference.T.reshape(-1) < LEAST_DIFFERENCE).nonzero()
    if len(few):
        given = operand()
        given = given if given.shape == result.shape else np.broadcast_to(given, result.shape)
        found.T.put(few, op.arrays_rule(np, given.T.take(few)))
    return found


def put(array: Any, rows: Any, terms: Any) -> None:
    """Add terms to rows, of which one may be there twice."""
    np.add.at(array, rows, terms)
