"""Functions of many numbers, composed of the primitives: dot, softmax, logsumexp, where."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any, Final, TypeVar

from ..arguments import as_list, truth
from ..errors import ArgumentValueError
from .op import Operand, as_scalar
from .table import choose, div, exp, log, maximum, minimum, stop_gradient

MAX: Final = sys.float_info.max

Entry = TypeVar("Entry", bound=Operand | float)
Other = TypeVar("Other", bound=Operand | float)


def dot(xs: Iterable[Entry], ys: Iterable[Other]) -> Entry | Other:
    """x₁·y₁ + x₂·y₂ + ..., summed from the left: a Value where an operand is one, else a float.

    0.0 for no operands; `ValueError` for lists that differ in length.

    >>> from autograd_rnn import Value
    >>> dot([Value(2), Value(3)], [10, 1]).data
    23.0
    """
    left, right = _scalars(xs, "xs"), _scalars(ys, "ys")
    if len(left) != len(right):
        raise ArgumentValueError(
            f"xs and ys must be of one length, but xs has {len(left)} and ys {len(right)}."
        )
    total: Entry | Other = summed([x * y for x, y in zip(left, right, strict=True)])
    return total


def logsumexp(zs: Iterable[Entry]) -> Entry:
    """log(exp(z₁) + exp(z₂) + ...) without overflow; its gradient is `softmax(zs)`.

    -inf for no operands, as the logarithm of an empty sum.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    exponents = _scalars(zs, "zs")
    shift = _shift(exponents)
    total: Entry = log(summed([exp(z - shift) for z in exponents])) + shift
    return total


def softmax(zs: Iterable[Entry]) -> list[Entry]:
    """exp(zᵢ) / (exp(z₁) + exp(z₂) + ...) for each i, without overflow.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    exponents = _scalars(zs, "zs")
    shift = _shift(exponents)
    powers = [exp(z - shift) for z in exponents]
    total = summed(powers)
    return [div(power, total) for power in powers]


def where(condition: Operand | float | bool, x: Entry, y: Other) -> Entry | Other:
    """x where the condition holds, else y, as `numpy.where`; no gradient flows into the other.

    A condition holds where it is True or a number that is not 0; NaN gives NaN.  The branch not
    taken adds an exact 0 to gradients, even where its slopes are infinite or NaN, in any order.
    A comparison by an operator, such as `x > 0`, is a guard of a recorded program; one by an op,
    `greater(x, 0.0)`, is computed anew for each input.  Arrays are taken entry by entry.

    >>> from autograd_rnn import Value, greater, gradients, sqrt
    >>> x = Value(0.0)
    >>> gradients(where(greater(x, 0.0), sqrt(x), 3.0 * x), [x])
    (3.0,)
    """
    if any(hasattr(thing, "reshape") and hasattr(thing, "__len__") for thing in (condition, x, y)):
        import numpy

        chosen_of_each: Any = numpy.frompyfunc(where, 3, 1)
        return chosen_of_each(condition, x, y)  # type: ignore[no-any-return]
    held = as_scalar(truth(condition), "condition")
    chosen, other = as_scalar(x, "x"), as_scalar(y, "y")
    if type(held) is float and held == held:
        result: Entry | Other = chosen if held else other
    else:
        flat = held if getattr(held, "constant", False) else stop_gradient(held)
        result = choose(flat, chosen, other)
    return result


def _scalars(numbers: object, argument: str) -> list[Any]:
    listed = as_list(numbers, argument, "numbers or Values")
    return [as_scalar(number, f"{argument}[{place}]") for place, number in enumerate(listed)]


def summed(terms: list[Any]) -> Any:
    """The sum of the terms from the left, without a 0 that it starts from; 0.0 for none."""
    return reduce(add, terms) if terms else 0.0


def _shift(exponents: list[Any]) -> Any:
    """The largest exponent, made finite: by ops of the table, so that it is recorded.

    It cancels, so nothing flows back through it.
    """
    if not exponents:
        return 0.0
    return stop_gradient(minimum(maximum(reduce(maximum, exponents), -MAX), MAX))
