"""Central differences of a function of one number, with what they may be off by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Difference(NamedTuple):
    """The slope of a function by central differences, and what it may be off by.

    `error` is made up of `rounding`, of what is left of the curve, and of `bend`, by which the
    slopes on the two sides fail to meet.  `turns` are the slopes right of x less those left of x,
    for each step.
    """

    slope: float
    error: float
    rounding: float
    bend: float
    turns: tuple[float, float, float]

    @property
    def finite(self) -> bool:
        """Whether the function and its differences are finite."""
        return math.isfinite(self.slope) and math.isfinite(self.bend)

    def turns_smoothly(self, rounding: float) -> bool:
        """Whether a function that is the same on both sides has no kink between them.

        It is constant, or it turns by more than rounding can, and half as much in half the step.
        """
        wide, half, narrow = map(abs, self.turns)
        halves = 2.0 * half <= wide + rounding and 2.0 * narrow <= half + rounding
        return halves and rounding <= wide / 100.0


def is_lost(x: float, step: float) -> bool:
    """Whether x and a quarter of the step beside it are one float."""
    return x + step / 4 == x or x - step / 4 == x


def central_difference(
    f: Callable[[float], float], x: float, step: float, noise: float = 0.0
) -> Difference:
    """The slope of `f` at x from the steps h, h/2 and h/4; values of `f` are off by up to `noise`.

    Differences with a step h are off by a multiple of h² where `f` is smooth, so those of two steps
    give one that is off by h⁴ (Richardson), and those of three say by how much.  Near a kink or a
    jump they may agree and be wrong.  There the slope right of x less that left of x does not halve
    with the step, for one of the two halvings.
    """
    centre = f(x)

    def slope_and_turn(width: float) -> tuple[float, float]:
        left, right = x - width, x + width
        below, above = f(left), f(right)
        # x ± h is rounded, so the step is the distance of the two points.
        return (above - below) / (right - left), ((above - centre) - (centre - below)) / width

    wide, first = slope_and_turn(step)
    half, second = slope_and_turn(step / 2)
    narrow, third = slope_and_turn(step / 4)
    bend = max(abs(first - 2.0 * second), abs(second - 2.0 * third))
    coarse, fine = half + (half - wide) / 3.0, narrow + (narrow - half) / 3.0
    rounding = noise / step
    # The plain difference has the least rounding, the extrapolated one the least of the curve.
    plain, extrapolated = abs(half - wide) * 4.0 / 3.0 + rounding, abs(fine - coarse) + 6 * rounding
    slope, error = (wide, plain) if plain <= extrapolated else (fine, extrapolated)
    return Difference(slope, error + bend, rounding, bend, (first, second, third))
