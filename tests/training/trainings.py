"""A small task, a small network, a loop by hand, and a training of it."""

import random
from pathlib import Path
from typing import Any

from autograd_rnn import RNN, History, bits, fit, gradients
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.training.optimisers import Optimiser


def parity(count: int, seed: int = 0, at: str = "last") -> tuple[list[Any], list[Any]]:
    """Bit strings of 1 to 5 bits, and whether the number of ones is odd."""
    chance = random.Random(seed)
    strings = [
        "".join(chance.choice("01") for _ in range(chance.randint(1, 5))) for _ in range(count)
    ]
    odd = [[float(s[: k + 1].count("1") % 2) for k in range(len(s))] for s in strings]
    return [bits(s) for s in strings], [one if at == "every" else one[-1] for one in odd]


def network(states: int = 1, seed: int = 1) -> RNN:
    return RNN.random(states, 1, seed=seed)


def weights(model: RNN) -> list[float]:
    return [weight.data for weight in model.parameters()]


def without_seconds(history: History) -> dict[str, list[float]]:
    return {name: column for name, column in history.columns().items() if name != "seconds"}


def loop(
    sequences: list[Any], targets: list[Any], name: str, at: str, model: RNN
) -> tuple[float, list[float]]:
    """The mean loss and its gradient, a sequence at a time, by `unroll`."""
    total, sums = 0.0, [0.0] * len(model.parameters())
    for sequence, target in zip(sequences, targets, strict=True):
        steps = model.unroll(sequence).steps
        pairs = zip(steps, target, strict=True) if at == "every" else [(steps[-1], target)]
        terms = [LOSSES[name](step.pi, goal) for step, goal in pairs]
        loss = terms[0]
        for term in terms[1:]:
            loss = loss + term
        loss = loss / float(len(terms)) if at == "every" else loss
        total += loss.data
        slopes = gradients(loss, model.parameters())
        sums = [s + slope for s, slope in zip(sums, slopes, strict=True)]
    return total / len(sequences), [s / len(sequences) for s in sums]


SETTINGS: dict[str, Any] = {"loss": "binary_cross_entropy", "batch_size": 3, "seed": 2}


def train(optimiser: Optimiser, path: Path | None, epochs: int = 6) -> tuple[list[float], Any, Any]:
    sequences, targets = parity(8)
    model = network(1)
    history = fit(
        *(model, (sequences, targets)),
        **{**SETTINGS, "optimiser": optimiser, "epochs": epochs, "engine": "python"},
        **{"validation": (sequences[:3], targets[:3]), "patience": 3, "checkpoint": path},
    )
    return weights(model), without_seconds(history), optimiser.state
