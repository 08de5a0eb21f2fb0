# cython: annotation_typing=False
"""Floating-point functions that never raise: infinities and NaN, as IEEE has them.

What `math` computes, without its exceptions, and where a textbook formula loses digits, one that
does not: each is within 4 units in the last place of the true value for every finite argument
(`tests/ops/test_numerics.py` measures it).
"""

from __future__ import annotations

import math
import sys
from functools import cache
from math import inf, nan
from typing import Any, Final

# Enough for the multiple of π/2 nearest to any float, with a hundred bits to spare.
PI_BITS: Final = 1300
MAX: Final = sys.float_info.max


def same_bits(x: float, y: float) -> bool:
    """Whether two floats are the same, the signs of zeros included, and NaN the same as NaN.

    >>> same_bits(0.0, -0.0), same_bits(math.nan, math.nan)
    (False, True)
    """
    if x == y:
        return x != 0.0 or math.copysign(1.0, x) == math.copysign(1.0, y)
    return x != x and y != y


def ieee_divide(x: float, y: float) -> float:
    """x / y for y = ±0, where Python raises: ±inf, or NaN for 0/0 and NaN/0."""
    if x == 0.0 or math.isnan(x):
        return nan
    return math.copysign(inf, x) * math.copysign(1.0, y)


def ieee_power(x: float, y: float) -> float:
    """x ** y where `math.pow` raises: an overflow, zero to a negative power, a negative root."""
    if x < 0.0 and not y.is_integer():
        return nan
    odd = math.fabs(math.fmod(y, 2.0)) == 1.0
    return math.copysign(inf, x) if odd else inf


def divide(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return ieee_divide(x, y)


def power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        return ieee_power(x, y)


def power_slope(x: float, y: float, z: float) -> float:
    """∂(x**y)/∂x at z = x**y: y·x**(y-1), and 0 for y = 0, whatever x, since x**0 is 1 everywhere.

    Where y - 1 would be rounded, x**(y-1) is z / x, unless z or x is 0, or x is infinite.
    """
    if y == 0.0:
        return y
    rounded = (y - 1.0) + 1.0 != y or not -(2.0**53) < y <= 2.0**53
    if rounded and z != 0.0 and x != 0.0 and math.isfinite(x):
        return y * z / x
    # The power falls faster than y grows, so an infinite y times 0 is 0.
    return max(-MAX, min(y, MAX)) * power(x, y - 1.0)


def exponent_slope(x: float, y: float, z: float) -> float:
    """∂(x**y)/∂y at z = x**y: z·log(x), at x = 0 the limit from above, but 0 at (0, 0)."""
    if math.isnan(y):
        return y
    if x == 0.0:
        return 0.0 if y >= 0.0 else -inf
    if x == inf and y < 0.0:
        return 0.0
    return z * log(x)


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def log(x: float) -> float:
    if x > 0.0 or math.isnan(x):
        return math.log(x)
    return -inf if x == 0.0 else nan


def sqrt(x: float) -> float:
    return nan if x < 0.0 else math.sqrt(x)


def log2(x: float) -> float:
    if x > 0.0 or math.isnan(x):
        return math.log2(x)
    return -inf if x == 0.0 else nan


def log10(x: float) -> float:
    if x > 0.0 or math.isnan(x):
        return math.log10(x)
    return -inf if x == 0.0 else nan


def log1p(x: float) -> float:
    if x > -1.0 or math.isnan(x):
        return math.log1p(x)
    return -inf if x == -1.0 else nan


def exp2(x: float) -> float:
    try:
        return math.exp2(x)
    except OverflowError:
        return inf


def expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return inf


def sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def cosh(x: float) -> float:
    try:
        return math.cosh(x)
    except OverflowError:
        return inf


def arcsin(x: float) -> float:
    return nan if math.fabs(x) > 1.0 else math.asin(x)


def arccos(x: float) -> float:
    return nan if math.fabs(x) > 1.0 else math.acos(x)


def arccosh(x: float) -> float:
    return nan if x < 1.0 else math.acosh(x)


def arctanh(x: float) -> float:
    if math.fabs(x) < 1.0 or math.isnan(x):
        return math.atanh(x)
    return math.copysign(inf, x) if math.fabs(x) == 1.0 else nan


def hypot(x: float, y: float) -> float:
    """The size of a complex number, which is the C library's hypot; `math` has another one."""
    if math.isnan(x) or math.isnan(y):
        # `abs` may take an error that an earlier function of C left behind for its own.
        return inf if math.isinf(x) or math.isinf(y) else nan
    try:
        return abs(complex(x, y))
    except OverflowError:
        return inf


def mod(x: float, y: float) -> float:
    """x - y·floor(x / y), with the sign of y."""
    if y == 0.0 or math.isinf(x) or math.isnan(x) or math.isnan(y):
        return nan
    rest = math.fmod(x, y)
    if rest == 0.0:
        return math.copysign(0.0, y)
    return rest + y if (rest < 0.0) != (y < 0.0) else rest


def tan(x: float) -> float:
    if math.isinf(x):
        return nan
    z = math.tan(x)
    size = math.fabs(z)
    return sin(x) / cos(x) if (size < 1e-9 or size > 1e9) and math.fabs(x) >= 1.0 else z


def sin(x: float) -> float:
    if math.isinf(x):
        return nan
    z = math.sin(x)
    return _near_zero(x, 0) if -1e-9 < z < 1e-9 and not -1.0 < x < 1.0 else z


def cos(x: float) -> float:
    if math.isinf(x):
        return nan
    z = math.cos(x)
    return -_near_zero(x, 1) if -1e-9 < z < 1e-9 else z


def _near_zero(x: float, half: int) -> float:
    """The sine of x - half·π/2 where it is so small that it is its own argument.

    For a large x that is almost a multiple of π/2, glibc 2.36 is off by up to 100,000 units in the
    last place; this is the distance to the multiple, in whole numbers.
    """
    numerator, denominator = x.as_integer_ratio()
    period = denominator * _pi()
    doubled = 2 * (numerator << PI_BITS)
    multiple = (doubled - half * period + period) // (2 * period)
    distance = doubled - (2 * multiple + half) * period
    return (-distance if multiple % 2 else distance) / (denominator << (PI_BITS + 1))


@cache
def _pi() -> int:
    """π in units of 2**-PI_BITS, by Machin's formula."""
    unit = 1 << (PI_BITS + 20)

    def arctan_of_one_over(n: int) -> int:
        total, power, k = 0, unit // n, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power //= n * n
            k += 2
        return total

    return (16 * arctan_of_one_over(5) - 4 * arctan_of_one_over(239)) >> 20


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)): the smaller of it and its rest to 1, or 1 less that.

    One Newton step gives the quotient back what rounding took.
    """
    e = math.exp(-math.fabs(x))
    smaller = e / (1.0 + e)
    smaller += (e - smaller - e * smaller) / (1.0 + e)
    return 1.0 - smaller if x >= 0.0 else smaller


def finite_exp(np: Any, x: Any) -> Any:
    """exp(x) on arrays of NumPy or JAX, or near their largest number where x is above its log."""
    most = np.finfo(np.result_type(x, 1.0)).maxexp
    return np.exp(np.minimum(x, 0.69 * most))  # log(2) is more


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow, and without losing what is small beside 1."""
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-math.fabs(x)))


def maximum(x: float, y: float) -> float:
    """The larger one, +0 before -0; NaN where one is NaN."""
    if x == y:
        return x + y if x == 0.0 else x
    return x if x > y or math.isnan(x) else y
