"""Random residues in the place of numbers: what is equal for them is equal for all numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import Final

from ..ops.op import Op

PRIME: Final = 2**61 - 1


def residue(*key: object) -> int:
    """A random residue that is the same for equal keys.

    Two formulas are equal for all numbers if their residues are: each quantity is a random residue
    modulo a prime, each function an unknown one, and a false equation holds by a chance of about
    one in 10**17 (Schwartz 1980, Zippel 1979).

    >>> residue("w", 1) == residue("w", 1) != residue("w", 2)
    True
    """
    digest = blake2b(repr(key).encode("utf-8", "replace"), digest_size=16).digest()
    return int.from_bytes(digest, "big") % PRIME


def residue_of(number: Fraction) -> int:
    """The residue of an exact number.

    >>> 3 * residue_of(Fraction(1, 3)) % PRIME
    1
    """
    above, below = number.as_integer_ratio()
    return (above if below == 1 else above * pow(below, -1, PRIME)) % PRIME


def residue_after(op: Op, operands: Sequence[int]) -> int:
    """The residue of an op's result: exact for arithmetic, or else that of an unknown function.

    What a condition chooses is the operand times 1 or 0, which depends on the condition alone.
    """
    exact = RESIDUES.get(op.algebra)
    if exact is not None:
        return exact(*operands) % PRIME
    if op.chooses:
        chosen, condition = operands
        return chosen * residue(op.name, condition) % PRIME
    return residue(op.name, *operands)


def _residue_of_power(x: int, y: int) -> int:
    """x**y for a whole exponent of a usual size, and of an unknown function for others."""
    for exponent, sign in ((y, 1), (PRIME - y, -1)):
        if exponent < 64:
            return pow(x, sign * exponent, PRIME) if x or sign == 1 else 0
    return residue("power", x, y)


RESIDUES: Final[dict[object, Callable[..., int]]] = {
    operator.add: lambda x, y: x + y,
    operator.sub: lambda x, y: x - y,
    operator.mul: lambda x, y: x * y,
    operator.truediv: lambda x, y: x * pow(y, -1, PRIME) if y else residue("ratio", x),
    operator.pow: _residue_of_power,
    operator.neg: lambda x: -x,
    operator.pos: lambda x: x,
}


@dataclass(frozen=True, slots=True)
class Slope:
    """A derivative as a float, and its residue; sums and products of slopes are slopes.

    Its `size` is that of its terms without their signs, by which its rounding is bounded.
    """

    value: float
    residue: int
    size: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", max(self.size, abs(self.value)))

    def __add__(self, other: Slope) -> Slope:
        known = (self.residue + other.residue) % PRIME
        return Slope(self.value + other.value, known, self.size + other.size)

    def __mul__(self, other: Slope) -> Slope:
        known = self.residue * other.residue % PRIME
        return Slope(self.value * other.value, known, self.size * other.size)


NO_SLOPE: Final = Slope(0.0, 0)
ONE: Final = Slope(1.0, 1)
