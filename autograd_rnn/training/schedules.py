"""Schedules: how the learning rate changes while a network is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..arguments import as_float, as_function
from ..errors import ArgumentValueError

#: The factor of the learning rate after so many epochs, such as 2.25: any function of a float.
Schedule: TypeAlias = Callable[[float], float]


def factor_at(schedule: Schedule, t: float) -> float:
    """The factor after `t` epochs; `ValueError` if it is negative or not finite."""
    factor = as_float(schedule(t), f"schedule({t:g})")
    if not 0.0 <= factor < math.inf:
        raise ArgumentValueError(f"schedule({t:g}) must be 0 or more and finite, not {factor!r}.")
    return factor


def _epochs(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 < found < math.inf:
        raise ArgumentValueError(f"{argument} must be over 0 and finite, not {found!r}.")
    return found


def _share(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 <= found <= 1.0:
        raise ArgumentValueError(f"{argument} must be from 0 to 1, not {found!r}.")
    return found


@dataclass(frozen=True)
class Constant:
    """The schedule that always gives 1: the optimiser's own learning rate.

    >>> Constant()(7.5)
    1.0
    """

    def __call__(self, t: float) -> float:
        """The factor of the learning rate after `t` epochs."""
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """The schedule that multiplies the learning rate by `factor` after every so many epochs.

    `ValueError` for a number of epochs that is not over 0, or a factor that is not from 0 to 1.

    >>> halved = StepDecay(every=10, factor=0.5)
    >>> halved(9.5), halved(10.5), halved(25.0)
    (1.0, 0.5, 0.25)
    """

    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", _epochs(self.every, "every"))
        object.__setattr__(self, "factor", _share(self.factor, "factor"))

    def __call__(self, t: float) -> float:
        """The factor of the learning rate after `t` epochs."""
        return self.factor ** math.floor(t / self.every)


@dataclass(frozen=True)
class CosineDecay:
    """The schedule that falls from 1 to `end` along half a wave of the cosine, then stays there.

    end + (1 − end)·(1 + cos(π·t / epochs)) / 2 after t epochs (Loshchilov and Hutter, 2017, without
    restarts).  `ValueError` for a number of epochs that is not over 0, or an end that is not from
    0 to 1.

    >>> decay = CosineDecay(epochs=20, end=0.5)
    >>> decay(0.0), round(decay(10.0), 9), decay(30.0)
    (1.0, 0.75, 0.5)
    """

    epochs: float
    end: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", _epochs(self.epochs, "epochs"))
        object.__setattr__(self, "end", _share(self.end, "end"))

    def __call__(self, t: float) -> float:
        """The factor of the learning rate after `t` epochs."""
        if t >= self.epochs:
            return self.end
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + math.cos(math.pi * t / self.epochs))


#: What a schedule does that has nothing else to do.
CONSTANT: Final = Constant()


@dataclass(frozen=True)
class WarmUp:
    """The schedule that rises from 0 to 1 in a line over so many epochs, and then does another.

    `then`, by default constant, starts at the end of the rise.  `ValueError` for a number of epochs
    that is not over 0.

    >>> warm = WarmUp(2, then=CosineDecay(18))
    >>> warm(0.5), warm(2.0), warm(20.0)
    (0.25, 1.0, 0.0)
    """

    epochs: float
    then: Schedule = CONSTANT

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", _epochs(self.epochs, "epochs"))
        as_function(self.then, "then")

    def __call__(self, t: float) -> float:
        """The factor of the learning rate after `t` epochs."""
        return t / self.epochs if t < self.epochs else self.then(t - self.epochs)
