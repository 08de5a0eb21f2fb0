"""One model of every kind, and the numbers of their Values."""

import random
from typing import Any

from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, Linear, Stack

KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def numbers(values: Any) -> list[float]:
    return [value.data for value in values]


def table(chance: random.Random, rows: int, columns: int) -> list[list[float]]:
    return [[chance.uniform(-2, 2) for _ in range(columns)] for _ in range(rows)]


sizes = st.tuples(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 3), st.integers(1, 4))


def models(seed: int, states: int, inputs: int, outputs: int = 1) -> list[Any]:
    """One of every kind, bare and under a readout, and a mixed stack."""
    chance = random.Random(seed)
    cells = [kind.random(states, inputs, seed=seed) for kind in KINDS.values()]
    made = [
        *cells,
        Linear.random(inputs, outputs, seed=seed),
        *[Stack([cell, Linear.random(states, outputs, seed=seed)]) for cell in cells],
        Stack(
            [
                LSTM.random(states, inputs, seed=seed),
                Linear.random(states, 2, seed=seed),
                RNN.random(3, 2, activation="relu", seed=seed),
                GRU.random(2, 3, seed=seed),
                RNN.random(1, 2, seed=seed),
            ]
        ),
    ]
    for model in made:
        for weight in model.parameters():
            weight.data += chance.uniform(-0.3, 0.3)
    return made
