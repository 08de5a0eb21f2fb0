"""Schedules: their factors by formula, and what they do in a training."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import SGD, Adam, Constant, CosineDecay, History, StepDecay, WarmUp, fit
from autograd_rnn.training.optimisers import Optimiser

from .trainings import network, parity, weights, without_seconds

times = st.floats(0.0, 60.0)


@given(times, st.floats(0.5, 40.0), st.floats(0.0, 1.0))
def test_factors_by_their_formulas(t: float, epochs: float, end: float) -> None:
    assert Constant()(t) == 1.0
    power = 1.0
    for _ in range(int(t / epochs)):
        power *= end
    assert StepDecay(epochs, end)(t) == pytest.approx(power, rel=1e-9, abs=1e-300)
    share = min(t, epochs) / epochs
    wave = math.cos(share * math.pi / 2) ** 2  # (1 + cos 2a)/2 = cos² a
    assert CosineDecay(epochs, end)(t) == pytest.approx(end + (1 - end) * wave, abs=1e-12)
    warm = WarmUp(epochs, CosineDecay(3.0))
    assert warm(t) == (t / epochs if t < epochs else CosineDecay(3.0)(t - epochs))


class Recording(Optimiser):
    """Gradient descent that remembers its rates."""

    def moves(self, gradients: Any) -> tuple[Any, dict[str, Any]]:
        RATES.append(self.learning_rate)
        return -self.learning_rate * gradients, {}


RATES: list[float] = []


def trained(optimiser: Optimiser, epochs: int = 4, **options: Any) -> tuple[list[float], History]:
    model, (sequences, targets) = network(), parity(7)
    given: dict[str, Any] = {"loss": "binary_cross_entropy", "batch_size": 3, "engine": "numpy"}
    given |= {"progress": False, **options}
    history = fit(model, (sequences, targets), optimiser=optimiser, epochs=epochs, **given)
    return weights(model), history


def test_a_step_has_the_rate_of_its_middle() -> None:
    """Seven sequences by three are three steps in an epoch, whose middles are 1/6, 3/6 and 5/6."""
    RATES.clear()
    optimiser = Recording(0.5)
    _, history = trained(optimiser, 2, schedule=lambda t: 1.0 + t)
    middles = [epoch + (2 * step + 1) / 6 for epoch in range(2) for step in range(3)]
    assert pytest.approx([0.5 * (1.0 + t) for t in middles]) == RATES
    assert history.learning_rate == [RATES[2], RATES[5]]
    assert optimiser.learning_rate == 0.5
    assert trained(SGD(0.5))[1].learning_rate == []
    assert "learning rate" in str(history)


def test_the_constant_schedule_is_none_and_zero_keeps_the_weights() -> None:
    plain, _ = trained(Adam(0.05))
    assert trained(Adam(0.05), schedule=Constant())[0] == plain
    assert trained(Adam(0.05), schedule=lambda t: 0.0)[0] == weights(network())
    halved, _ = trained(SGD(0.25))
    assert trained(SGD(0.5), schedule=lambda t: 0.5)[0] == halved


@pytest.mark.parametrize("schedule", [StepDecay(2, 0.5), WarmUp(1.5, CosineDecay(3)), None])
@pytest.mark.parametrize("at_epoch", [1, 3])
def test_one_epoch_after_the_other_is_one_training(schedule: Any, at_epoch: int) -> None:
    """In one call, in a call for each epoch, and in two of several, with one optimiser."""
    whole, history = trained(Adam(0.05), schedule=schedule)
    model, data, optimiser = network(), parity(7), Adam(0.05)
    settings: dict[str, Any] = {"loss": "binary_cross_entropy", "batch_size": 3}
    settings |= {"engine": "numpy", "schedule": schedule, "optimiser": optimiser}
    losses = []
    for epochs in (at_epoch, 4 - at_epoch):
        losses += fit(model, data, epochs=epochs, **settings).loss
    assert (weights(model), losses) == (whole, history.loss)
    # Another model, or another optimiser, begins at the first epoch.
    again = network()
    settings["optimiser"] = Adam(0.05)
    assert fit(again, data, epochs=4, **settings).loss == history.loss


def test_one_epoch_in_a_loop_is_not_always_in_one_order() -> None:
    seen: list[list[int]] = []

    class Watching(SGD):
        def moves(self, gradients: Any) -> Any:
            seen[-1].append(hash(gradients.tobytes()))
            return super().moves(0.0 * gradients)

    model, optimiser, data = network(), Watching(0.1), parity(8)
    for _ in range(4):
        seen.append([])
        fit(model, data, loss="squared_error", optimiser=optimiser, epochs=1, batch_size=1)
    assert len({tuple(order) for order in seen}) == 4
    assert len({tuple(sorted(order)) for order in seen}) == 1


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_a_training_with_a_schedule_resumes_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    schedule, path = WarmUp(1, CosineDecay(3)), tmp_path / "training.json"
    whole, history = trained(SGD(0.5, 0.5), schedule=schedule)

    moves = SGD.moves

    def interrupted(self: SGD, gradients: Any) -> Any:
        nonlocal steps
        steps -= 1
        if not steps:
            raise KeyboardInterrupt
        return moves(self, gradients)

    monkeypatch.setattr(SGD, "moves", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(SGD(0.5, 0.5), schedule=schedule, checkpoint=path)
    monkeypatch.undo()
    again, found = trained(SGD(0.5, 0.5), schedule=schedule, checkpoint=path)
    assert again == whole
    assert without_seconds(found) == without_seconds(history)
    for other in (None, CosineDecay(4)):
        with pytest.raises(ValueError, match="is of a training with another schedule"):
            trained(SGD(0.5, 0.5), schedule=other, checkpoint=path)


def test_a_checkpoint_of_an_optimiser_that_had_made_epochs_before(tmp_path: Path) -> None:
    data, path = parity(7), tmp_path / "training.json"
    settings: dict[str, Any] = {"loss": "squared_error", "batch_size": 3, "engine": "numpy"}
    model, optimiser = network(), SGD(0.1)
    fit(model, data, optimiser=optimiser, epochs=2, **settings)
    kept = weights(model)
    fit(model, data, optimiser=optimiser, epochs=3, checkpoint=path, **settings)
    twin = network()
    for weight, number in zip(twin.parameters(), kept, strict=True):
        weight.data = number
    history = fit(twin, data, optimiser=SGD(0.1), epochs=3, checkpoint=path, **settings)
    assert (weights(twin), len(history)) == (weights(model), 3)


@pytest.mark.parametrize(
    ("words", "make"),
    [
        (r"every must be over 0", lambda: StepDecay(0)),
        (r"factor must be from 0 to 1, not 2.0", lambda: StepDecay(1, 2)),
        (r"epochs must be over 0 and finite, not nan", lambda: CosineDecay(math.nan)),
        (r"end must be from 0 to 1, not -1.0", lambda: CosineDecay(3, -1)),
        (r"epochs must be over 0", lambda: WarmUp(-1)),
        (r"then must be a function, not int", lambda: WarmUp(1, 3)),  # type: ignore[arg-type]
        (r"schedule must be a function, not float", lambda: trained(SGD(1), schedule=0.5)),
        (
            r"schedule\(0.166667\) must be 0 or more and finite, not -1.0",
            lambda: trained(SGD(1), schedule=lambda t: -1.0),
        ),
        (
            r"schedule\(0.166667\) must be a real number, not str",
            lambda: trained(SGD(1), schedule=lambda t: "x"),
        ),
        (r"factor must be 0 or more", lambda: SGD(1).scaled(-1).__enter__()),
    ],
)
def test_refusals(words: str, make: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()
