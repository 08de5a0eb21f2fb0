"""What the source of a gradient by NumPy calls: slopes by rule or from results, and sums by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ...ops.numpy import Elements
from ...ops.op import Op

#: A slope that has such a difference as a factor has lost so few digits that it is as good.
LEAST_DIFFERENCE: Final = 1.0 / 16.0


def slope(rule: Callable[..., Any], *values: Any) -> Any:
    """The slope by a rule of the table, on arrays and numbers."""
    found = rule(*[Elements(one) if isinstance(one, np.ndarray) else one for one in values])
    return found.numbers if isinstance(found, Elements) else found


def quick(op: Op, result: Any, operand: Callable[[], Any]) -> Any:
    """The slope from the result alone where that is good, else by the rule."""
    assert op.arrays_slope is not None
    found, difference = op.arrays_slope(result)
    # Column after column, as they lie in memory.
    few = np.flatnonzero(difference.T.reshape(-1) < LEAST_DIFFERENCE)
    if len(few):
        at = np.divmod(few, len(result))[::-1]
        given = operand()
        given = given if given.shape == result.shape else np.broadcast_to(given, result.shape)
        found[at] = slope(op.partials[0], given[at], result[at])
    return found


def put(array: Any, rows: Any, terms: Any) -> None:
    """Add terms to rows, of which one may be there twice."""
    np.add.at(array, rows, terms)
