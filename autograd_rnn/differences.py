"""Numerical derivatives on one side of a point and the other, with estimates of their errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

#: How far a numerical derivative may be off, beyond its own estimate of its error.
CRUDENESS: Final = 1e-6


class Reading(NamedTuple):
    """The number of a function, and what rounding may have done to it."""

    number: float
    rounding: float


class Slope(NamedTuple):
    """A numerical derivative, an estimate of its error, and the largest difference quotient."""

    slope: float
    error: float
    largest: float


def slope_of(at: Callable[[float], Reading], width: float) -> tuple[Slope, str]:
    """The slope of a function at 0, and why there is none, if so."""
    right, left = one_sided(at, 0.137 * width), one_sided(at, -0.137 * width)
    error, largest = right.error + left.error, max(right.largest, left.largest)
    both = Slope(0.5 * (right.slope + left.slope), error, largest)
    apart = abs(right.slope - left.slope)
    if math.isnan(apart):
        return both, "f is not finite nearby"
    if error > 1e-3 * largest > 0.0 or math.isinf(error):
        return both, "f is too steep, or too rough"
    if apart > 10.0 * error + CRUDENESS * max(abs(right.slope), abs(left.slope)):
        return both, "f has a kink or a jump there"
    return both, ""


def one_sided(at: Callable[[float], Reading], step: float) -> Slope:
    """Richardson's extrapolation of difference quotients on one side of 0.

    The steps shrink by 4, and each column of a row removes one more power of the step.
    """
    centre, best = at(0.0), Slope(math.nan, math.inf, 0.0)
    quotients: list[float] = []
    row: list[float] = []
    for _ in range(14):
        there = at(step)
        noise = 2.0**-50 * (abs(there.number) + abs(centre.number)) / abs(step)
        noise = max(noise, (there.rounding + centre.rounding) / abs(step))
        quotients.append((there.number - centre.number) / step)
        if not math.isfinite(quotients[-1]):
            row, quotients = [], []  # the step leads out of where the function is defined
        else:
            above, row = row, quotients[-1:]
            for power, old in enumerate(above, 1):
                row.append(row[-1] + (row[-1] - old) / (4.0**power - 1.0))
                error = max(abs(row[-1] - row[-2]), abs(row[-1] - old)) + noise
                if error < best.error:
                    best = best._replace(slope=row[-1], error=error)
        step /= 4.0
    if len(quotients) < 3:
        return best._replace(slope=math.nan)
    # Quotients of steps that are all too wide may agree by chance, but do not converge.
    third, second, first = quotients[-3:]
    change, before = abs(first - second), abs(second - third)
    converge = change <= 0.5 * before + noise
    right = abs(quotients[-1] - best.slope) <= 4.0 * change + best.error + noise
    error = best.error if converge and right else math.inf
    return Slope(best.slope, error, max(map(abs, quotients)))
