"""The rules by which parameters move along their gradients, by the formulas of torch.optim.

Each is a function of numbers, which is the same for arrays: it is written with Python's operators
and functions of NumPy, which all take both.  Where native code is in use it is recorded and
compiled, so that there is one pass over the weights instead of one for each operator.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ..ops.table import maximum, minimum
from ..program.recorder import record
from .optimisers import Optimiser

if TYPE_CHECKING:
    from .optimisers import Array, Numbers

#: With fewer weights, calls of NumPy cost no more than one of compiled code.
LEAST_COMPILED: Final = 1000
#: Loaded where native code is in use; llvmlite alone may be another package's, and too old.
NATIVE: Final = "autograd_rnn.backends.llvm.jit"


class Entrywise(Optimiser):
    """An optimiser of which the `_rule` gives what a weight moves by, whatever the others do.

    It gets a gradient, the `parts` of the state but for `steps`, and then the `_numbers_at` the
    step, and gives the move and the new parts.
    """

    _rule: ClassVar[Callable[..., tuple[Any, ...]]]

    @abstractmethod
    def _numbers_at(self, steps: int) -> tuple[float, ...]:
        """The numbers that the rule gets for all weights alike, at this step."""

    def moves(self, gradients: Array) -> tuple[Numbers, dict[str, Any]]:
        steps, given = self._given(gradients)
        move, *found = self._rule(gradients, *given, *self._numbers_at(steps))
        return move, self._made(steps, found)

    def _given(self, gradients: Array) -> tuple[int, list[Any]]:
        """The number of the step, and the arrays that are kept, of zeros at first."""
        import numpy as np

        steps, names = self.kept.get("steps", 0) + 1, [one for one in self.parts if one != "steps"]
        if self.kept:
            return steps, [self.kept[name] for name in names]
        return steps, [np.zeros(len(gradients)) for _ in names]

    def _made(self, steps: int, arrays: list[Any]) -> dict[str, Any]:
        """What is kept after the step."""
        rest = iter(arrays)
        return {name: steps if name == "steps" else next(rest) for name in self.parts}

    def _keep_made(self, state: dict[str, Any]) -> None:
        if type(self).moves is Entrywise.moves:
            self._kept = state  # as `_made` makes it, which needs no check
        else:
            super()._keep_made(state)

    def _moved(self, before: Array, slopes: Array) -> Array:
        own = type(self).moves is Entrywise.moves and self.clip_norm is None
        if not own or len(slopes) < LEAST_COMPILED or NATIVE not in sys.modules:
            return super()._moved(before, slopes)
        steps, given = self._given(slopes)
        numbers, bound = self._numbers_at(steps), self.clip_value
        shrunk = 1.0 - self.learning_rate * self.weight_decay
        numbers = (shrunk, math.inf if bound is None else bound, *numbers)
        code = _compiled(type(self)._rule, len(given), len(numbers))
        found: list[Array] = code(before, slopes, *given, *numbers)
        self._kept = self._made(steps, found[1:])
        return found[0]


@cache
def _compiled(rule: Callable[..., tuple[Any, ...]], parts: int, numbers: int) -> Any:
    """The rule as machine code, from the weights before to the weights after."""
    from ..backends.llvm.entries import Entries

    def moved(weight: Any, slope: Any, *given: Any) -> tuple[Any, ...]:
        kept, (shrunk, bound, *rest) = given[:parts], given[parts:]
        clipped = minimum(maximum(slope, -bound), bound)
        move, *found = rule(clipped, *kept, *rest)
        return (weight * shrunk + move, *found)

    examples = [0.5] * (2 + parts + numbers)
    alike = [False] * (2 + parts) + [True] * numbers
    return Entries(record(moved, *examples), alike)


class SGD(Entrywise):
    """Gradient descent with momentum: p ← p − learning_rate·v, v ← momentum·v + gradient.

    With `clip_value` and `clip_norm`, larger gradients are clipped to that size, and scaled down to
    that norm.  `ValueError` for a rate or a norm that is not positive, or a momentum that is not
    from 0 to 1, also when it is assigned.

    >>> from autograd_rnn import SGD, Value
    >>> w = Value(1.0)
    >>> SGD(0.5).step([w], [4.0])
    >>> w.data
    -1.0
    """

    parts = ("velocity",)

    def __init__(
        self,
        learning_rate: float,
        momentum: float = 0.0,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.momentum = momentum

    @staticmethod
    def _rule(gradient: Any, velocity: Any, momentum: Any, rate: Any) -> tuple[Any, ...]:
        velocity = momentum * velocity + gradient
        return -rate * velocity, velocity

    def _numbers_at(self, steps: int) -> tuple[float, ...]:
        return self.momentum, self.learning_rate

    def _made(self, steps: int, arrays: list[Any]) -> dict[str, Any]:
        return super()._made(steps, arrays) if self.momentum else {}


class Adam(Entrywise):
    """Adam: p ← p − learning_rate·m̂ / (√v̂ + eps), means of the gradients and of their squares.

    m and v decay by the factors `betas` per step, and m̂ and v̂ are corrected for their start at 0
    (Kingma and Ba, 2015, algorithm 1).  `clip_value` and `clip_norm` are those of `SGD`.
    `ValueError` for settings outside their ranges.

    >>> from autograd_rnn import Adam, Value
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
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.betas, self.eps = betas, eps

    @staticmethod
    def _rule(gradient: Any, means: Any, squares: Any, *numbers: Any) -> tuple[Any, ...]:
        import numpy as np

        keep, keep_square, root, eps, size = numbers
        change = gradient - means
        change *= 1.0 - keep
        change += means
        square = (1.0 - keep_square) * gradient
        square *= gradient
        square += keep_square * squares
        below = np.sqrt(square)
        below /= root
        below += eps
        move = change / below
        move *= -size
        return move, change, square

    def _numbers_at(self, steps: int) -> tuple[float, ...]:
        keep, keep_square = self.betas
        size = self.learning_rate / (1.0 - keep**steps)
        return keep, keep_square, math.sqrt(1.0 - keep_square**steps), self.eps, size


class AdamW(Adam):
    """Adam with weights that decay: before each step, p ← p − learning_rate·weight_decay·p.

    The decay is apart from the gradients and their means (Loshchilov and Hutter, 2019).  Offsets
    decay too.  The other settings are those of `Adam`.

    >>> from autograd_rnn import AdamW, Value
    >>> w = Value(1.0)
    >>> AdamW(0.5, weight_decay=0.1).step([w], [4.0])
    >>> round(w.data, 6)
    0.45
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, betas, eps, clip_norm=clip_norm, clip_value=clip_value)
        self.weight_decay = weight_decay


class Adagrad(Entrywise):
    """Adagrad: p ← p − learning_rate·gradient / (√s + eps), s ← s + gradient².

    So a weight moves less, the more it has moved (Duchi and others, 2011).  `clip_value` and
    `clip_norm` are those of `SGD`.  `ValueError` for a setting that is not positive.

    >>> from autograd_rnn import Adagrad, Value
    >>> w = Value(1.0)
    >>> Adagrad(0.5).step([w], [4.0])
    >>> round(w.data, 9)
    0.5
    """

    parts = ("squares",)

    def __init__(
        self,
        learning_rate: float = 0.01,
        eps: float = 1e-10,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.eps = eps

    @staticmethod
    def _rule(gradient: Any, squares: Any, eps: Any, rate: Any) -> tuple[Any, ...]:
        import numpy as np

        square = gradient * gradient
        square += squares
        below = np.sqrt(square)
        below += eps
        move = gradient / below
        move *= -rate
        return move, square

    def _numbers_at(self, steps: int) -> tuple[float, ...]:
        return self.eps, self.learning_rate
