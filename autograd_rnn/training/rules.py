"""The rules by which parameters move along their gradients, by the formulas of torch.optim.

They are written into few arrays: making one for each term would take longer than the terms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .optimisers import Optimiser

if TYPE_CHECKING:
    from .optimisers import Array, Numbers


class SGD(Optimiser):
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

    def moves(self, gradients: Array) -> tuple[Numbers, dict[str, Any]]:
        velocity = self.momentum * self.kept.get("velocity", 0.0) + gradients
        kept = {"velocity": velocity} if self.momentum else {}
        return -self.learning_rate * velocity, kept


class Adam(Optimiser):
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

    def moves(self, gradients: Array) -> tuple[Numbers, dict[str, Any]]:
        import numpy as np

        keep, keep_square = self.betas
        steps = self.kept.get("steps", 0) + 1
        before = self.kept.get("means", 0.0)
        means = gradients - before
        means *= 1.0 - keep
        means += before
        squares = (1.0 - keep_square) * gradients
        squares *= gradients
        squares += keep_square * self.kept.get("squares", 0.0)
        size = self.learning_rate / (1.0 - keep**steps)
        moves = np.sqrt(squares)
        moves /= math.sqrt(1.0 - keep_square**steps)
        moves += self.eps
        np.divide(means, moves, out=moves)
        moves *= -size
        return moves, {"steps": steps, "means": means, "squares": squares}


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


class Adagrad(Optimiser):
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

    def moves(self, gradients: Array) -> tuple[Numbers, dict[str, Any]]:
        import numpy as np

        squares = gradients * gradients
        squares += self.kept.get("squares", 0.0)
        moves = np.sqrt(squares)
        moves += self.eps
        np.divide(gradients, moves, out=moves)
        moves *= -self.learning_rate
        return moves, {"squares": squares}
