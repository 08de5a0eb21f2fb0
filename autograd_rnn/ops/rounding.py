"""How far rounding may have moved the results of a graph, by a running error analysis."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from itertools import product
from typing import Any, Final

#: How far an op may be off, relative to its result: every way of computing it stays below.
UNIT: Final = 2.0**-46
#: Whole numbers up to this are computed exactly, such as counts, and products of comparisons.
LARGEST: Final = 2.0**26


def rounding_bounds(order: Iterable[Any]) -> dict[Any, float]:
    """How far each node may be from the number that it stands for; `order` has inputs first.

    A running error analysis (Wilkinson, 1963; Higham, 2002, 3.3): each op is off by its own
    rounding, and by how far its result moves where its operands move by as much as they are off.
    Values of the op say how far, and not its slope alone: x·x is off where x should be 0.  Leaves
    are exact, and so are comparisons, which have to come out the same.  The bound is infinite where
    no number can be trusted, such as 1/(x - y) for rounded numbers x and y that may be equal.
    """
    found: dict[Any, float] = {}
    for node in order:
        found[node] = 0.0
        if node.op is not None and (node.op.holds or not node.op.flat):
            reach = [found.get(operand, 0.0) for operand in node.parents]
            bound = _own(node) + _moved(node, reach) if any(reach) or not _is_whole(node) else 0.0
            found[node] = math.inf if math.isnan(bound) else bound
    return found


def _is_whole(node: Any) -> bool:
    """Whether arithmetic on small whole numbers gives one: nothing is rounded then."""
    numbers = [node.data, *[operand.data for operand in node.parents]]
    whole = all(x.is_integer() and abs(x) <= LARGEST for x in numbers)
    return whole and node.op.algebra is not None  # tanh(20) is 1.0 by rounding alone


def _own(node: Any) -> float:
    """How far an op may be off from its own rounding, or from underflow."""
    number: float = abs(node.data)
    terms = [abs(dx * x.data) for dx, x in zip(node.partials, node.parents, strict=True)]
    if max(number, *terms) < sys.float_info.min and all(x.data for x in node.parents):
        return sys.float_info.min  # in another order, the factors may not underflow
    return UNIT * number


def _moved(node: Any, reach: list[float]) -> float:
    """How far a result moves where each operand moves by up to its reach; NaN where unknown."""
    numbers = [operand.data for operand in node.parents]
    # At 0 there may be a pole.
    sides = [{x - e, x, x + e, *[0.0] * (abs(x) < e)} for x, e in zip(numbers, reach, strict=True)]
    gaps = [abs(node.op.value(*corner) - node.data) for corner in product(*sides)]
    # Between the sides the result may move farther than there, as a sine does.
    gaps.append(sum([abs(dx) * e for dx, e in zip(node.partials, reach, strict=True) if e]))
    return math.nan if any(map(math.isnan, gaps)) else max(gaps)
