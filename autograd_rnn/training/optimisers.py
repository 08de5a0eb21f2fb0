"""Optimisers: how parameters move along their gradients, by the formulas of torch.optim."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from ..arguments import as_float, as_floats, as_integer
from ..engine.reverse import as_values
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError

# Keeps a gradient of zeros from being divided by its norm; torch's number.
CLIP_EPS: Final = 1e-6


class Optimiser(ABC):
    """The rule by which `fit` moves the parameters; a class derived from it is a rule.

    It defines `moves`, and names in `parts` what it keeps in `state` from step to step.  Its
    settings are attributes, and a checkpoint fits only the same settings.  With `clip_norm`,
    gradients whose norm over all parameters is larger are scaled down to it.

    >>> class SignDescent(Optimiser):
    ...     def moves(self, gradients):
    ...         return [-math.copysign(self.learning_rate, slope) for slope in gradients], {}
    >>> w = Value(1.0)
    >>> SignDescent(0.25).step([w], [4.0])
    >>> w.data
    0.75
    """

    #: The parts of a state: lists of a number per parameter, and `steps`, the number of steps.
    parts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: float, clip_norm: float | None = None) -> None:
        self.learning_rate = _positive(learning_rate, "learning_rate")
        self.clip_norm = None if clip_norm is None else _positive(clip_norm, "clip_norm")
        self._state: dict[str, Any] = {}

    @property
    def state(self) -> dict[str, Any]:
        """What is kept between steps, as JSON can hold it: empty before the first one.

        Each step makes a new dict, so a state that was read can be assigned again.  `ValueError`
        for anything but such a state.
        """
        return self._state

    @state.setter
    def state(self, state: object) -> None:
        if not isinstance(state, dict):
            raise ArgumentTypeError(f"state must be a dict, not {type(state).__name__}.")
        if state and set(state) != set(self.parts):
            raise ArgumentValueError(
                f"state must have the parts of {type(self).__name__}, "
                f"{', '.join(self.parts) or 'none'}, not {', '.join(map(str, state))}."
            )
        made = {
            part: as_integer(content, "state['steps']", least=1)
            if part == "steps"
            else as_floats(content, f"state[{part!r}]")
            for part, content in state.items()
        }
        if len({len(content) for content in made.values() if isinstance(content, list)}) > 1:
            raise ArgumentValueError("state has lists that differ in length.")
        self._state = made

    def step(self, parameters: Iterable[Value], gradients: Iterable[float]) -> None:
        """Move each parameter against its gradient: all of them, or none if there is an error.

        `ValueError` for another number of gradients, or of parameters than in the steps before.
        """
        leaves, slopes = as_values(parameters, "parameters"), as_floats(gradients, "gradients")
        if len(leaves) != len(slopes):
            raise ArgumentValueError(
                f"there are {len(leaves)} parameters, but {len(slopes)} gradients."
            )
        for place, leaf in enumerate(leaves):
            if leaf.op is not None:
                raise ArgumentValueError(f"parameters[{place}] is a result: only leaves can learn.")
        for part, content in self._state.items():
            if isinstance(content, list) and len(content) != len(slopes):
                raise ArgumentValueError(
                    f"state[{part!r}] is of {len(content)} parameters, not {len(slopes)}: make a "
                    f"new {type(self).__name__} for other parameters."
                )
        if self.clip_norm is not None:
            scale = min(1.0, self.clip_norm / (math.hypot(*slopes) + CLIP_EPS))
            slopes = [scale * slope for slope in slopes]
        made, state = self.moves(slopes)
        what = f"what {type(self).__name__}.moves gives"
        moves = as_floats(made, what)
        if len(moves) != len(leaves):
            raise ArgumentValueError(f"{what} has {len(moves)} moves for {len(leaves)} parameters.")
        self.state = state
        for leaf, move in zip(leaves, moves, strict=True):
            leaf.data += move

    @abstractmethod
    def moves(self, gradients: list[float]) -> tuple[list[float], dict[str, Any]]:
        """What each parameter moves by, and the `state` after that."""

    def __repr__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in vars(self).items() if name[0] != "_"]
        return f"{type(self).__name__}({', '.join(settings)})"


class SGD(Optimiser):
    """Gradient descent with momentum: p ← p − learning_rate·v, v ← momentum·v + gradient.

    With `clip_norm`, larger gradients are scaled down to that norm.  `ValueError` for a rate or a
    norm that is not positive, or a momentum that is not from 0 to 1.

    >>> w = Value(1.0)
    >>> SGD(0.5).step([w], [4.0])
    >>> w.data
    -1.0
    """

    parts = ("velocity",)

    def __init__(
        self, learning_rate: float, momentum: float = 0.0, *, clip_norm: float | None = None
    ) -> None:
        super().__init__(learning_rate, clip_norm)
        self.momentum = _share(momentum, "momentum")

    def moves(self, gradients: list[float]) -> tuple[list[float], dict[str, Any]]:
        before = self.state.get("velocity", [0.0] * len(gradients))
        velocity = [self.momentum * v + g for v, g in zip(before, gradients, strict=True)]
        kept = {"velocity": velocity} if self.momentum else {}
        return [-self.learning_rate * v for v in velocity], kept


class Adam(Optimiser):
    """Adam: p ← p − learning_rate·m̂ / (√v̂ + eps), means of the gradients and of their squares.

    m and v decay by the factors `betas` per step, and m̂ and v̂ are corrected for their start at 0
    (Kingma and Ba, 2015, algorithm 1).  With `clip_norm`, larger gradients are scaled down to that
    norm.  `ValueError` for settings outside their ranges.

    >>> w = Value(1.0)
    >>> Adam(0.5).step([w], [4.0])
    >>> round(w.data, 6)
    0.5
    """

    parts = ("steps", "means", "squares")

    def __init__(
        self,
        learning_rate: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm)
        both = as_floats(betas, "betas")
        if len(both) != 2:
            raise ArgumentValueError(f"betas must be two numbers, not {len(both)}.")
        self.betas = (_share(both[0], "betas[0]"), _share(both[1], "betas[1]"))
        self.eps = _positive(eps, "eps")

    def moves(self, gradients: list[float]) -> tuple[list[float], dict[str, Any]]:
        zeros, (keep, keep_square) = [0.0] * len(gradients), self.betas
        before = self.state or {"steps": 0, "means": zeros, "squares": zeros}
        steps, old = before["steps"] + 1, zip(before["means"], gradients, strict=True)
        means = [m + (1.0 - keep) * (g - m) for m, g in old]
        old = zip(before["squares"], gradients, strict=True)
        squares = [keep_square * v + (1.0 - keep_square) * g * g for v, g in old]
        size = self.learning_rate / (1.0 - keep**steps)
        root = math.sqrt(1.0 - keep_square**steps)
        both = zip(means, squares, strict=True)
        moves = [-size * (m / (math.sqrt(v) / root + self.eps)) for m, v in both]
        return moves, {"steps": steps, "means": means, "squares": squares}


def _positive(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 < found < math.inf:
        raise ArgumentValueError(f"{argument} must be over 0 and finite, not {found!r}.")
    return found


def _share(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 <= found < 1.0:
        raise ArgumentValueError(f"{argument} must be from 0 to below 1, not {found!r}.")
    return found
