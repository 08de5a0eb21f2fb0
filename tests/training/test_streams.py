"""Training on long sequences, window by window, with the state carried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd_rnn import GRU, SGD, TrainingError, fit, gradients, squared_error
from autograd_rnn.backends import Backend
from autograd_rnn.errors import ArgumentValueError
from autograd_rnn.training.batches import batches

from .test_checkpoint import Interrupted

LENGTHS = [11, 4, 11, 7, 3]
SETTINGS: dict[str, Any] = {
    **{"loss": "squared_error", "batch_size": 2, "seed": 3, "at": "every", "progress": False},
    **{"truncate": 4, "streams": True, "epochs": 3},
}


def streams() -> tuple[list[Any], list[Any]]:
    chance = np.random.default_rng(0)
    xs = [chance.normal(size=(length, 1)).tolist() for length in LENGTHS]
    return xs, [chance.normal(size=(length, 2)).tolist() for length in LENGTHS]


def numbers(model: GRU) -> list[float]:
    return [weight.data for weight in model.parameters()]


def by_hand(model: GRU, optimiser: SGD) -> list[float]:
    """The loss of each epoch, by `unroll`, with states passed on as numbers."""
    xs, ys = streams()
    found = []
    for epoch in range(3):
        total, count = 0.0, 0
        for places in batches(5, 2, seed=3, epoch=epoch):
            states = dict.fromkeys(places, model.initial)
            for start in range(0, max(LENGTHS[place] for place in places), 4):
                left = [place for place in places if LENGTHS[place] > start]
                sums, losses = np.zeros(len(model.parameters())), 0.0
                for place in left:
                    run = model.unroll(xs[place][start : start + 4], states[place])
                    goals = ys[place][start : start + 4]
                    both = zip(run.steps, goals, strict=True)
                    terms = [squared_error(step.output, y) for step, y in both]
                    loss = sum(terms[1:], terms[0]) / float(len(terms))
                    sums += gradients(loss, model.parameters())
                    losses += loss.data
                    states[place] = [q.data for q in run.q]
                optimiser.step(model.parameters(), (sums / len(left)).tolist())
                # As `fit` adds up the mean of each window, times its sequences.
                total, count = total + losses / len(left) * len(left), count + len(left)
        found.append(total / count)
    return found


@pytest.mark.parametrize("engine", sorted(Backend.kinds))
def test_every_engine_learns_streams_as_a_loop_by_hand(engine: str) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    model, twin = GRU.random(2, 1, seed=1), GRU.random(2, 1, seed=1)
    history = fit(model, streams(), optimiser=SGD(0.2, 0.5), engine=engine, **SETTINGS)
    losses = by_hand(twin, SGD(0.2, 0.5))
    if engine in ("eager", "python"):
        assert numbers(model) == numbers(twin)
        assert history.loss == losses
    assert numbers(model) == pytest.approx(numbers(twin), rel=1e-11)
    assert history.loss == pytest.approx(losses, rel=1e-11)


@pytest.mark.parametrize("at_step", [1, 2, 6, 9])
def test_an_interrupted_training_goes_on_within_a_stream(tmp_path: Path, at_step: int) -> None:
    whole, model = GRU.random(2, 1, seed=1), GRU.random(2, 1, seed=1)
    expected = fit(whole, streams(), optimiser=SGD(0.2, 0.5), engine="numpy", **SETTINGS)
    path = tmp_path / "training.json"
    settings = {"engine": "numpy", "checkpoint": path, **SETTINGS}
    optimiser = Interrupted(0.2, 0.5)
    optimiser._at_step = at_step
    with pytest.raises(KeyboardInterrupt):
        fit(model, streams(), optimiser=optimiser, **settings)
    history = fit(GRU.random(2, 1, seed=1), streams(), optimiser=Interrupted(0.2, 0.5), **settings)
    assert history.loss == expected.loss
    with pytest.raises(ArgumentValueError, match="another training: truncate is 4, here 3"):
        fit(model, streams(), optimiser=Interrupted(0.2, 0.5), **{**settings, "truncate": 3})


def test_truncated_gradients_without_streams_move_the_weights_once_for_a_batch() -> None:
    xs, ys = streams()
    model, twin = GRU.random(2, 1, seed=1), GRU.random(2, 1, seed=1)
    settings = {**SETTINGS, "streams": False, "epochs": 1, "batch_size": 5, "engine": "numpy"}
    fit(model, (xs, ys), optimiser=SGD(0.2), **settings)
    _, slopes = twin.compile("squared_error", at="every", truncate=4).loss_and_gradients(xs, ys)
    SGD(0.2).step(twin.parameters(), slopes)
    assert numbers(model) == pytest.approx(numbers(twin), rel=1e-12)


def test_what_is_not_finite_is_placed_in_its_window() -> None:
    xs, ys = streams()
    ys[2][9] = [1e200, 1.0]
    words = r"epoch 1: sequences\[2\] of data, in the window after step 8, has the loss inf: "
    with pytest.raises(TrainingError, match=words):
        fit(GRU.random(2, 1, seed=1), (xs, ys), optimiser=SGD(0.1), engine="numpy", **SETTINGS)


def test_streams_need_windows_and_targets_at_every_step() -> None:
    for other in ({"truncate": None}, {"at": "last"}):
        with pytest.raises(ArgumentValueError, match="streams needs truncate"):
            fit(GRU.random(2, 1, seed=1), streams(), optimiser=SGD(0.1), **{**SETTINGS, **other})
