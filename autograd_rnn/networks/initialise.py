"""How weights start: drawn evenly, as Glorot and Bengio do, or at right angles."""

from __future__ import annotations

import math
import random
from operator import mul


def glorot(rows: int, columns: int, chance: random.Random) -> list[list[float]]:
    """Rows of weights drawn evenly from ±√(6 / (rows + columns)) (Glorot and Bengio, 2010).

    >>> [len(row) for row in glorot(2, 3, random.Random(0))]
    [3, 3]
    """
    bound = math.sqrt(6.0 / (rows + columns))
    return [[chance.uniform(-bound, bound) for _ in range(columns)] for _ in range(rows)]


def orthogonal(size: int, chance: random.Random) -> list[list[float]]:
    """Rows of length 1 at right angles, drawn evenly from all such (Saxe and others, 2014).

    >>> (a, b), (c, d) = orthogonal(2, random.Random(0))
    >>> abs(a * c + b * d) < 1e-15
    True
    """
    rows: list[list[float]] = []
    for _ in range(size):
        row = [chance.gauss(0.0, 1.0) for _ in range(size)]
        for _ in range(2):  # the second time takes off what the rounding of the first left
            for other in rows:
                along = math.fsum(map(mul, row, other))
                row = [entry - along * part for entry, part in zip(row, other, strict=True)]
        length = math.hypot(*row)
        rows.append([entry / length for entry in row])
    return rows


def square_over(states: int, inputs: int, chance: random.Random) -> list[list[float]]:
    """The rows of a gate: at right angles over its states, and as Glorot over its inputs.

    >>> len(square_over(2, 3, random.Random(0)))
    5
    """
    return [*orthogonal(states, chance), *glorot(inputs, states, chance)]
