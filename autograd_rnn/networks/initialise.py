"""Initial weights: uniform, as Glorot and Bengio draw them, or orthogonal."""

from __future__ import annotations

import math
import random
from operator import mul


def glorot(rows: int, columns: int, chance: random.Random) -> list[list[float]]:
    """Rows of weights, uniform in ±√(6 / (rows + columns)) (Glorot and Bengio, 2010).

    >>> [len(row) for row in glorot(2, 3, random.Random(0))]
    [3, 3]
    """
    bound = math.sqrt(6.0 / (rows + columns))
    return [[chance.uniform(-bound, bound) for _ in range(columns)] for _ in range(rows)]


def orthogonal(size: int, chance: random.Random) -> list[list[float]]:
    """The rows of a random orthogonal matrix (Saxe and others, 2014).

    >>> (a, b), (c, d) = orthogonal(2, random.Random(0))
    >>> abs(a * c + b * d) < 1e-15
    True
    """
    rows: list[list[float]] = []
    for _ in range(size):
        row = [chance.gauss(0.0, 1.0) for _ in range(size)]
        for _ in range(2):  # the second pass removes the rounding errors of the first
            for other in rows:
                along = math.fsum(map(mul, row, other))
                row = [entry - along * part for entry, part in zip(row, other, strict=True)]
        length = math.hypot(*row)
        rows.append([entry / length for entry in row])
    return rows
