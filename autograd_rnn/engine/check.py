"""Gradient checking: the engine's gradients against central differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..arguments import as_float, as_floats, as_function
from ..errors import ArgumentValueError, GradientError
from .points import call_at
from .reverse import Function, as_output, gradient_numbers
from .value import Value


class CheckedInput(NamedTuple):
    """What `check_gradients` found of one input.

    `position` counts from 0, `gradient` is the engine's, `difference` the central difference;
    `checked` says whether they were compared, and `reason` why not (empty where they were).
    """

    position: int
    gradient: float
    difference: float
    checked: bool
    reason: str


def check_gradients(
    f: Function,
    inputs: Sequence[float],
    *,
    eps: float = 1e-5,
    atol: float = 1e-8,
    rtol: float = 1e-5,
) -> tuple[CheckedInput, ...]:
    """A `CheckedInput` for each input of `f`, once the gradients agree with central differences.

    `f` takes a Value per input and returns one.  An input x is moved by
    h = eps·max(1, |x|) to both sides; gradient and difference may differ by atol·max(1, |f|) +
    rtol·|difference|, which finds a rule that is wrong by a factor of 1.0005: then `GradientError`
    names the input and both numbers.  Where `f` has a kink, a jump or a sharp bend within the step,
    or is not finite, the input is reported with `checked` False.

    >>> check_gradients(lambda x, y: x * y, [2, 5])[0].checked
    True
    >>> [report] = check_gradients(abs, [0])
    >>> report.checked, report.reason
    (False, 'f has a kink, a jump or a sharp bend within 1e-05 of 0.0')
    """
    as_function(f, "f")
    point = as_floats(inputs, "inputs")
    width = as_float(eps, "eps")
    absolute, relative = as_float(atol, "atol"), as_float(rtol, "rtol")
    for argument, tolerance in (("eps", width), ("atol", absolute), ("rtol", relative)):
        if not 0.0 <= tolerance < math.inf or (argument == "eps" and tolerance == 0.0):
            raise ArgumentValueError(
                f"{argument} must be a small positive number, such as 1e-5, not {tolerance!r}."
            )
    call = call_at(f, point, "inputs")
    output = as_output(call.result)
    slack = absolute * max(1.0, abs(output.data))
    found = gradient_numbers(output, call.points)
    return tuple(
        [
            _check(f, point, place, output.data, found[place], width, slack, relative)
            for place in range(len(point))
        ]
    )


def _check(
    f: Function,
    point: list[float],
    place: int,
    centre: float,
    gradient: float,
    eps: float,
    slack: float,
    rtol: float,
) -> CheckedInput:
    x = point[place]
    h = eps * max(1.0, abs(x))

    def at(offset: float) -> float:
        moved = [Value(x) for x in point]
        moved[place] = Value(x + offset)
        return as_output(f(*moved)).data

    sides = [(at(-width), at(width), width) for width in (h, h / 2, h / 4)]
    below, above, _ = sides[0]
    lost = x + h / 4 == x or x - h / 4 == x
    # x ± h is rounded, so the step is the distance of the two points.
    difference = math.nan if lost else (above - below) / ((x + h) - (x - h))
    tolerance = slack + rtol * abs(difference)
    # The slope right of x less the slope left of it halves with the step where f is smooth.
    # At a kink it does not, for one of the two halvings, wherever in the step the kink is.
    bends = ((below - 2.0 * centre + above) / width for below, above, width in sides)
    reason = ""
    if lost:
        reason = f"a step of {h:.3g} is lost in rounding beside {x!r}"
    elif not all(map(math.isfinite, [centre, *[number for side in sides for number in side]])):
        reason = f"f is not finite everywhere within {h:.3g} of {x!r}"
    elif any(abs(wide - 2.0 * narrow) > tolerance for wide, narrow in pairwise(bends)):
        reason = f"f has a kink, a jump or a sharp bend within {h:.3g} of {x!r}"
    elif not abs(gradient - difference) <= tolerance:
        raise GradientError(
            f"inputs[{place}] = {x!r}: the gradient is {gradient!r}, but the central difference "
            f"with a step of {h:.3g} is {difference!r}; they may differ by {tolerance:.3g}. A rule "
            f"is wrong, or f does not compute the same twice."
        )
    return CheckedInput(place, gradient, difference, not reason, reason)
