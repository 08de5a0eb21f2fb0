"""What rounding may do to a result, by running its operations on all that they may have taken."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from itertools import product
from typing import Any, Final

#: How far an op may be off, relative to its result: every way of computing it stays below.
UNIT: Final = 2.0**-46


def rounding_bounds(order: Iterable[Any]) -> dict[Any, float]:
    """How far each node may be from the number that it stands for; `order` has inputs first.

    A running error analysis (Wilkinson, 1963; Higham, 2002, 3.3): each op is off by its own
    rounding, and by how far its result moves where its operands move by as much as they are off.
    Values of the op say how far, and not its slope alone: x·x is off where x should be 0.  Leaves
    are exact.  The bound is infinite where no number can be trusted, such as 1/(x - x).
    """
    found: dict[Any, float] = {}
    for node in order:
        found[node] = 0.0
        if node.op is not None:
            reach = [found.get(operand, 0.0) for operand in node.parents]
            own = UNIT * abs(node.data)
            if abs(node.data) < sys.float_info.min and all(x.data for x in node.parents):
                own = sys.float_info.min  # another order of the factors may not underflow
            found[node] = own + (_moved(node, reach) if any(reach) else 0.0)
            if math.isnan(found[node]):
                found[node] = math.inf
    return found


def _moved(node: Any, reach: list[float]) -> float:
    """How far a result moves where each operand moves by up to its reach; NaN where unknown."""
    numbers = [operand.data for operand in node.parents]
    sides = [{x - e, x, x + e} for x, e in zip(numbers, reach, strict=True)]
    gaps = [abs(node.op.value(*corner) - node.data) for corner in product(*sides)]
    # Between the sides the result may move farther than there, as a sine does.
    gaps.append(sum([abs(dx) * e for dx, e in zip(node.partials, reach, strict=True) if e]))
    return math.nan if any(map(math.isnan, gaps)) else max(gaps)
