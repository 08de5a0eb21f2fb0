"""Training: what it computes, how it ends, and what it refuses."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from autograd_rnn import (
    RNN,
    SGD,
    Adam,
    History,
    Value,
    binary_cross_entropy,
    bits,
    cross_entropy,
    fit,
    freeze,
    unfreeze,
)
from autograd_rnn.backends import Backend
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.training.batches import batches

from .trainings import loop, network, parity, weights

ENGINES = sorted(Backend.kinds)


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_numbers_of_a_loop_by_hand(engine: str, loss: str, at: str) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    states = 2 if loss == "cross_entropy" else 1
    sequences, targets = parity(7, at=at)
    model, twin = network(states), network(states)
    history = fit(
        *(model, (sequences, targets)),
        **{"loss": loss, "optimiser": SGD(0.3, 0.5), "epochs": 3, "batch_size": 3, "seed": 5},
        **{"engine": engine, "at": at, "validation": (sequences[:2], targets[:2])},
    )
    optimiser, losses, means = SGD(0.3, 0.5), [], []
    for epoch in range(3):
        total = 0.0
        for places in batches(7, 3, seed=5, epoch=epoch):
            value, sums = loop(
                [sequences[p] for p in places], [targets[p] for p in places], loss, at, twin
            )
            total += value * len(places)
            optimiser.step(twin.parameters(), sums)
        losses.append(total / 7)
        means.append(loop(sequences[:2], targets[:2], loss, at, twin)[0])
    if engine in ("eager", "python"):
        assert weights(model) == weights(twin)
        assert (history.loss, history.validation_loss) == (losses, means)
    assert weights(model) == pytest.approx(weights(twin), rel=1e-11)
    assert history.loss == pytest.approx(losses, rel=1e-11)
    assert history.validation_loss == pytest.approx(means, rel=1e-11)
    assert (
        len(history.accuracy) == len(history.validation_accuracy) == 3 * (loss != "squared_error")
    )


def test_accuracies_by_hand() -> None:
    """A linear network of one weight on its input, which is not moved: π = x."""
    still = SGD(5e-324)
    for loss, outputs, inputs, targets, share in [
        (binary_cross_entropy, 1, [2.0, -1.0, 0.5, 0.0], [1, 0, 0, 1], 2 / 4),
        (cross_entropy, 2, [2.0, -1.0, 0.5], [[1, 0], [1, 0], [0.25, 0.75]], 1 / 3),
    ]:
        rows = [[0.0] * outputs for _ in range(outputs)] + [[1.0, -1.0][:outputs]]
        model = RNN(rows, "linear", bias=False)
        history = fit(
            *(model, ([[x] for x in inputs], targets)),
            **{"loss": loss, "optimiser": still, "epochs": 1, "batch_size": 2},
            **{"validation": ([[2.0], [-1.0]], targets[:2]), "engine": "python"},
        )
        assert history.accuracy == [share]
        assert history.validation_accuracy == [1.0 if outputs == 1 else 0.5]
    # Per step: 5 outputs of two sequences, not the mean of two means.
    history = fit(
        *(RNN([[0.0], [1.0]], "linear", bias=False), ([[1, 1, 1, -1], [1]], [[1, 1, 1, 1], [0]])),
        **{"loss": "binary_cross_entropy", "optimiser": still, "epochs": 1, "batch_size": 1},
        **{"at": "every", "engine": "python"},
    )
    assert history.accuracy == [3 / 5]


def test_it_learns_parity_of_two_bits_and_one_sequence_is_enough() -> None:
    strings = ["000", "010", "100", "110"]
    model = network(3, seed=5)
    history = fit(
        *(model, ([bits(s) for s in strings], [0, 1, 1, 0])),
        **{"loss": cross_entropy, "optimiser": Adam(0.05), "epochs": 150, "batch_size": 4},
        engine="python",
    )
    assert history.accuracy[-1] == 1.0
    assert history.loss[-1] < 0.1 < history.loss[0]
    one = fit(
        *(network(), SimpleNamespace(sequences=[bits("1")], targets=[0.5])),
        **{"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 30, "batch_size": 9},
        engine="eager",
    )
    assert one.loss[-1] < 1e-3 * one.loss[0]


def test_a_loss_of_ones_own_and_numpys_arrays() -> None:
    np = pytest.importorskip("numpy")
    sequences, targets = parity(5)
    arguments = {"optimiser": SGD(0.1), "epochs": 2, "batch_size": 2, "engine": "python"}
    models = [network(), network()]

    def half(output: Value, target: Value) -> Value:
        return (output - target) ** 2 / 2

    plain = fit(models[0], (sequences, targets), loss=half, **arguments)
    arrays = ([np.array(s) for s in sequences], np.array(targets))
    assert fit(models[1], arrays, loss=half, **arguments).loss == plain.loss
    assert weights(models[0]) == weights(models[1])
    assert plain.accuracy == []


def test_patience_puts_the_best_weights_back() -> None:
    """Training to 1 from 0 moves away from the validation target, 0.25, once it was passed."""
    data, validation = ([[1]], [1.0]), ([[1]], [0.25])
    model = RNN([[0.0], [0.0]], "linear", bias=False)
    arguments = {"loss": "squared_error", "optimiser": SGD(0.05), "batch_size": 1}
    history = fit(
        model, data, validation=validation, epochs=99, patience=4, engine="python", **arguments
    )
    best = min(range(len(history)), key=history.validation_loss.__getitem__)
    assert len(history) == best + 1 + 4
    compiled = model.compile("squared_error", backend="python")
    assert compiled.loss_and_gradients(*validation)[0] == history.validation_loss[best]
    # Not stopped, because the epochs were over first: the best are put back all the same.
    twin = RNN([[0.0], [0.0]], "linear", bias=False)
    arguments["optimiser"] = SGD(0.05)
    fit(
        twin, data, validation=validation, epochs=best + 2, patience=4, engine="python", **arguments
    )
    assert weights(twin) == weights(model)


def test_refusals() -> None:
    good: dict[str, Any] = {
        "loss": "squared_error",
        "optimiser": SGD(0.1),
        "epochs": 1,
        "batch_size": 1,
    }

    def attempt(
        data: Any = ([[1]], [1]), model: Any = None, **changed: Any
    ) -> Callable[[], History]:
        return lambda: fit(
            model or network(2 if "two" in changed else 1),
            data,
            **{**good, **{k: v for k, v in changed.items() if k != "two"}},
        )

    classes = {"two": True, "loss": "cross_entropy"}
    for words, call in [
        (r"there are 0 and 0", attempt(([], []))),
        (
            r"data must have as many sequences as targets, .* there are 1 and 2",
            attempt(([[1]], [1, 2])),
        ),
        (r"data: sequences\[1\] is empty", attempt(([[1], []], [1, 2]))),
        (
            r"data: sequences\[0\]\[1\] has 2 entries, but the model has 1 input\.",
            attempt(([[1, [1, 2]]], [1])),
        ),
        (r"data: sequences\[0\]\[0\] must be a real number, not str", attempt(([["1"]], [1]))),
        (r"data: sequences\[0\] must be a list, not str", attempt((["101"], [1]))),
        (
            r"data must be a pair \(sequences, targets\), or have both as attributes, not int",
            attempt(7),
        ),
        (
            r"data: targets\[0\] has 2 entries, but the model has 1 output\.",
            attempt(([[1]], [[1, 2]])),
        ),
        (
            r"data: targets\[1\] is not like the targets before: the sizes \[1, 2\] are mixed",
            attempt(([[1], [1]], [1, [1, 0]]), **classes),
        ),
        (r"validation: sequences\[0\] is empty", attempt(validation=([[]], [1]))),
        (
            r"targets\[1\] must be from 0 to 1 .*, not 2.0",
            attempt(([[1], [1]], [1, 2]), loss="binary_cross_entropy"),
        ),
        (
            r"targets\[0\] must be the number of a class from 0 to 1 .*, not 2.0",
            attempt(([[1]], [2]), **classes),
        ),
        (
            r"targets\[0\] must be the number of a class from 0 to 1 .*, not 0.5",
            attempt(([[1]], [0.5]), **classes),
        ),
        (
            r"targets\[0\] has 3 entries, but the model has 2 outputs",
            attempt(([[1]], [[1, 0, 0]]), **classes),
        ),
        (r"targets\[0\] has 1 entries for 2 steps", attempt(([[1, 0]], [[1]]), at="every")),
        (
            r"targets\[0\]\[1\] must be from 0 to 1",
            attempt(([[1, 0]], [[1, 3]]), at="every", loss="binary_cross_entropy"),
        ),
        (r"targets\[0\] must be a list, not int", attempt(at="every")),
        (r"epochs must be 1 or more, not 0", attempt(epochs=0)),
        (r"batch_size must be 1 or more, not 0", attempt(batch_size=0)),
        (r"threads must be 1 or more", attempt(threads=0)),
        (r"patience must be 1 or more", attempt(patience=0)),
        (r"patience needs validation data", attempt(patience=1)),
        (
            r"loss 'mse' is unknown: choose one of squared_error, binary_cross_entropy",
            attempt(loss="mse"),
        ),
        (r"engine 'gpu' is unknown: choose one of auto, eager", attempt(engine="gpu")),
        (r"at 'first' is unknown", attempt(at="first")),
        (r"optimiser must be an Optimiser, such as Adam\(\), not str", attempt(optimiser="adam")),
        (r"model must have inputs, .*: int has no inputs", attempt(model=5)),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            call()
    assert math.isfinite(attempt(([[1]], [1]))().loss[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_weights_stay_and_have_no_gradient(engine: str) -> None:
    """Also for a step that was compiled before, or one for which they are variables again."""
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    sequences, targets = parity(6, at="last")
    model = network(1)
    leaves, places = model.parameters(), [0, 2]
    optimiser = SGD(0.3, 0.9, clip_norm=0.5)
    settings: dict[str, Any] = {"loss": "squared_error", "optimiser": optimiser, "batch_size": 4}
    compiled = model.compile("squared_error", backend=engine)
    first = compiled.loss_and_gradients(sequences, targets)[1]
    fit(model, (sequences, targets), epochs=1, engine=engine, **settings)
    freeze(*[leaves[place] for place in places])
    before = weights(model)
    slopes = compiled.loss_and_gradients(sequences, targets)[1]
    later = model.compile("squared_error", backend=engine)
    assert later.loss_and_gradients(sequences, targets)[1] == slopes
    terms = compiled.gradients_per_step(sequences, targets)
    for place in range(len(leaves)):
        assert (slopes[place] == 0.0) == (place in places)
        assert any(row[place] for rows in terms for row in rows) == (place not in places)
    # The velocity of the epoch before does not move them.
    fit(model, (sequences, targets), epochs=2, engine=engine, **settings)
    optimiser.step(leaves)
    moved = [place for place, number in enumerate(weights(model)) if number != before[place]]
    assert moved == [place for place in range(len(leaves)) if place not in places]
    unfreeze(*[leaves[place] for place in places])
    for one in (compiled, later):
        slopes = one.loss_and_gradients(sequences, targets)[1]
        assert all(slopes)
        assert slopes != first


def test_a_step_leaves_constants_where_they_are() -> None:
    w, v = Value(1.0), Value(2.0)
    freeze(v)
    SGD(0.5).step([w, v], [1.0, 1.0])
    assert (w.data, v.data) == (0.5, 2.0)
