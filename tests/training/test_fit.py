"""Training: what it computes, how it ends, how it goes on, and what it refuses."""

import json
import math
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich.console
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    SGD,
    Adam,
    History,
    TrainingError,
    Value,
    binary_cross_entropy,
    bits,
    cross_entropy,
    fit,
    gradients,
)
from autograd_rnn.backends.compile_step import BACKENDS
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.training import progress
from autograd_rnn.training.batches import batches
from autograd_rnn.training.fit import _Training
from autograd_rnn.training.optimisers import Optimiser

ENGINES = [name for name in ("eager", *BACKENDS) if name != "auto"]
ENGINES = sorted({*ENGINES})


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


# --- what it computes ----------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_numbers_of_a_loop_by_hand(engine: str, loss: str, at: str) -> None:
    for package in BACKENDS[engine]:
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


def test_the_order_is_the_seeds() -> None:
    assert batches(9, 4, 1, 0) == batches(9, 4, 1, 0) != batches(9, 4, 2, 0) != batches(9, 4, 2, 1)
    for count, size in [(9, 4), (8, 4), (1, 5), (5, 1)]:
        found = batches(count, size, 3, 7)
        assert sorted(place for batch in found for place in batch) == list(range(count))
        assert [len(batch) for batch in found[:-1]] == [size] * (len(found) - 1)


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


# --- how it ends ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("rows", "activation", "engine", "words"),
    [
        (
            [[1e200], [1e200]],
            "relu",
            "eager",
            r"the loss inf: step 2: mul\(w_1 = 1e\+200, .*\) = inf is the first",
        ),
        (
            [[1e200], [1e200]],
            "relu",
            "native",
            r"the loss inf: step 2: mul\(w_1 = 1e\+200, .*\) = inf is the first",
        ),
        (
            [[2.0], [1.0]],
            "linear",
            "eager",
            r"the loss inf: step 1024: mul\(w_1 = 2.0, .*\) = inf is the first",
        ),
        (
            [[1.5], [1e-5]],
            "linear",
            "python",
            "a gradient that is not finite: the adjoint of w_2 = 1e-05 is inf, the first that",
        ),
    ],
)
def test_what_is_not_finite_is_named(rows: Any, activation: str, engine: str, words: str) -> None:
    if engine == "native":
        pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    model = RNN(rows, activation, bias=False)
    before = weights(model)
    long = [[1.0]] * {2.0: 10_000, 1.5: 901}.get(rows[0][0], 3)
    sequences = [[[0.0]], [[1.0]], long]
    with pytest.raises(TrainingError, match=r"epoch 1: sequences\[2\] of data has " + words):
        fit(
            *(model, (sequences, [0, 0, 0])),
            **{"loss": lambda z, t: (z - t) * 1e-200 if rows[0][0] > 3 else (z - t) ** 2},
            **{"optimiser": SGD(1e-300), "epochs": 2, "batch_size": 3, "engine": engine},
        )
    assert weights(model) == before


def test_a_gradient_a_weight_or_a_validation_that_is_not_finite() -> None:
    arguments = {"epochs": 2, "batch_size": 1, "engine": "python"}

    def root(output: Value, target: Value) -> Value:
        return (output - target).sqrt()

    def linear() -> RNN:
        return RNN([[0.0], [1.0]], "linear", bias=False)

    with pytest.raises(
        TrainingError, match=r"\[0\] of data has a gradient that is not finite: the adjoint of sub"
    ):
        fit(linear(), ([[1]], [1]), loss=root, optimiser=SGD(0.1), **arguments)
    model = linear()
    with pytest.raises(TrainingError, match="the step after batch 1 makes a weight infinite"):
        fit(model, ([[1]], [-1e10]), loss="squared_error", optimiser=SGD(1e300), **arguments)
    assert weights(model) == [0.0, 1.0]
    with pytest.raises(
        TrainingError, match=r"epoch 1: sequences\[1\] of validation has the loss inf: step 1: mul"
    ):
        fit(
            *(linear(), ([[1]], [1])),
            **{"loss": "squared_error", "optimiser": SGD(0.1), **arguments},
            validation=([[1], [1e200]], [1, 1]),
        )
    # Of validation data only the losses matter: the first one has a gradient that is infinite.
    with pytest.raises(TrainingError, match=r"\[1\] of validation has the loss nan: step 1: sqrt"):
        fit(
            *(linear(), ([[2]], [0])),
            **{"loss": root, "optimiser": SGD(1e-300), **arguments},
            validation=([[1], [-1]], [1, 1]),
        )
    with pytest.raises(
        TrainingError, match="each sequence of a batch of data is finite, but their sum"
    ):
        fit(
            *(linear(), ([[1e308], [1e308]], [0, 0])),
            **{"loss": lambda z, t: z - t, "optimiser": SGD(0.1), **arguments, "batch_size": 2},
        )


# --- how it goes on ------------------------------------------------------------------------------


class Interrupted(SGD):
    """Presses Ctrl-C in the middle of a step, when half of the parameters have moved."""

    _at_step, _steps_done = 10**9, 0

    def step(self, parameters: Any, slopes: Any) -> None:
        self._steps_done += 1
        if self._steps_done == self._at_step:
            for parameter in parameters[:2]:
                parameter.data += 1.0
            raise KeyboardInterrupt
        super().step(parameters, slopes)


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


@settings(suppress_health_check=list(HealthCheck), max_examples=12, deadline=None)
@given(steps=st.lists(st.integers(1, 17), min_size=1, max_size=3))
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, steps: list[int]) -> None:
    path = tmp_path / "training.json"
    path.unlink(missing_ok=True)
    whole = train(Interrupted(0.5, 0.9), None)
    for at_step in steps:
        optimiser = Interrupted(0.5, 0.9)
        optimiser._at_step = at_step
        before = json.loads(path.read_text())["moment"] if path.exists() else None
        try:
            train(optimiser, path)
        except KeyboardInterrupt:
            after = json.loads(path.read_text())["moment"]
            done = 3 * after["epoch"] + after["batch"]
            assert done == (3 * before["epoch"] + before["batch"] if before else 0) + at_step - 1
            assert after["optimiser"] == optimiser.state
    assert train(Interrupted(0.5, 0.9), path) == whole
    # There is no more to do: the same is found, and nothing is trained.
    optimiser = Interrupted(0.5, 0.9)
    assert train(optimiser, path) == whole
    assert optimiser._steps_done == 0


def test_ctrl_c_leaves_the_model_after_the_last_whole_batch(tmp_path: Path) -> None:
    sequences, targets = parity(8)
    model, twin = network(1), network(1)
    optimiser = Interrupted(0.5, 0.9)
    optimiser._at_step = 5
    arguments = {**SETTINGS, "epochs": 6, "engine": "eager"}
    with pytest.raises(KeyboardInterrupt):
        fit(model, (sequences, targets), optimiser=optimiser, **arguments)
    by_hand = SGD(0.5, 0.9)
    for place in range(4):
        batch = batches(8, 3, 2, place // 3)[place % 3]
        _, sums = loop(
            [sequences[p] for p in batch],
            [targets[p] for p in batch],
            "binary_cross_entropy",
            "last",
            twin,
        )
        by_hand.step(twin.parameters(), sums)
    assert weights(model) == weights(twin)
    assert optimiser.state == by_hand.state


def test_ctrl_c_between_the_history_and_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "training.json", train(SGD(0.5, 0.9), None)
    after_an_epoch = _Training.after_an_epoch

    def interrupted(self: _Training, moment: Any) -> Any:
        after = after_an_epoch(self, moment)
        if after.epoch == 2:
            raise KeyboardInterrupt
        return after

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "after_an_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(SGD(0.5, 0.9), path)
    content = json.loads(path.read_text())
    assert (content["moment"]["epoch"], content["moment"]["batch"]) == (1, 3)
    assert len(content["history"]["loss"]) == 1
    assert train(SGD(0.5, 0.9), path) == whole


def test_more_epochs_may_follow(tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    train(SGD(0.5, 0.9), path, epochs=2)
    assert train(SGD(0.5, 0.9), path, epochs=6) == train(SGD(0.5, 0.9), None, epochs=6)


KILLED = """
import sys
from autograd_rnn import Adam, RNN, bits, fit
fit(
    RNN.random(2, 1, seed=1), ([bits("101"), bits("1"), bits("01")], [[0, 1], [1, 0], [1, 1]]),
    loss="binary_cross_entropy", optimiser=Adam(0.1), epochs=int(sys.argv[2]), batch_size=2,
    engine="python", checkpoint=sys.argv[1], progress=False,
)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), "1000000"])
    try:
        for _ in range(3000):
            if path.exists() and json.loads(path.read_text())["moment"]["epoch"] >= 5:
                break
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    epochs = json.loads(path.read_text())["moment"]["epoch"] + 3
    found = []
    for checkpoint in (path, None):
        model = RNN.random(2, 1, seed=1)
        history = fit(
            *(model, ([bits("101"), bits("1"), bits("01")], [[0, 1], [1, 0], [1, 1]])),
            **{"loss": "binary_cross_entropy", "optimiser": Adam(0.1), "epochs": epochs},
            **{"batch_size": 2, "engine": "python", "checkpoint": checkpoint},
        )
        found.append((weights(model), without_seconds(history)))
    assert found[0] == found[1]
    assert len(found[0][1]["loss"]) == epochs


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    train(SGD(0.5, 0.9), path, epochs=1)
    with pytest.raises(
        ValueError,
        match=r"with other optimiser: 'SGD\(.*momentum=0.9\)', not 'SGD\(.*0.8\)'. Delete it",
    ):
        train(SGD(0.5, 0.8), path)
    content = json.loads(path.read_text())
    junk: list[Any] = [
        (None, "does not hold a checkpoint"),
        ({}, "'kind' is missing"),
        ({**content, "kind": "RNN"}, "its kind is 'RNN'"),
        ({**content, "moment": {}}, "does not hold"),
        ({**content, "moment": {**content["moment"], "weights": [1.0]}}, "it has 1 weights, not 3"),
        ({**content, "moment": {**content["moment"], "batch": -1}}, "its counts must be 0 or more"),
        ({**content, "moment": {**content["moment"], "batch": 1}}, "its counts do not fit"),
        ({**content, "moment": {**content["moment"], "epoch": 2}}, "its parts do not fit"),
        (
            {**content, "history": {**content["history"], "loss": [1.0, 2.0]}},
            "its history does not",
        ),
        ({**content, "settings": []}, "its parts do not fit"),
    ]
    for thing, words in junk:
        path.write_text(json.dumps(thing))
        with pytest.raises(ValueError, match=words):
            train(SGD(0.5, 0.9), path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        train(SGD(0.5, 0.9), tmp_path / "nowhere" / "x.json")


# --- how it is shown -----------------------------------------------------------------------------


def test_the_bar_is_drawn_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(SGD(0.5), None)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(rich.console.Console, "is_terminal", True)
    train(SGD(0.5), None)
    out, drawn = capsys.readouterr()
    assert out == ""
    assert re.search(r"epoch \d/6  loss 0\.\d+  accuracy \d+\.\d%", drawn)
    sequences, targets = parity(3)
    arguments = {"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 2, "batch_size": 2}
    fit(network(), (sequences, targets), engine="eager", progress=False, **arguments)
    assert capsys.readouterr() == ("", "")


def test_the_history_is_a_table() -> None:
    history = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0], seconds=[1.0, 2.0])
    lines = str(history).splitlines()
    assert [word for word in lines[1].split() if word.isalpha()] == [
        "epoch",
        "loss",
        "accuracy",
        "seconds",
    ]
    assert "validation" not in str(history)
    assert [word for word in lines[4].split() if word != "│"] == ["2", "0.25", "1", "2"]
    many = History(loss=[1.0 / n for n in range(1, 1001)])
    assert len(str(many).splitlines()) <= 26
    assert "1000" in str(many)
    assert "epoch" in str(History())


def test_a_notebook_prints_and_shows_the_history_as_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0], seconds=[1.0, 2.0])
    printed = str(history)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert str(history) == printed
    shown: list[str] = []
    history._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [printed]


def test_a_notebook_without_widgets_draws_no_bar_and_is_not_warned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    train(SGD(0.5), None)
    assert capsys.readouterr() == ("", "")


def test_the_history_as_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no curves")
    history = History(loss=[0.5, 0.25], validation_loss=[0.6, 0.5], accuracy=[0.5, 1.0])
    above, below = history.plot().axes
    assert history.plot()._repr_png_().startswith(b"\x89PNG")
    curves = [[list(line.get_ydata()) for line in axes.lines] for axes in (above, below)]
    assert curves == [[[0.5, 0.25], [0.6, 0.5]], [[0.5, 1.0]]]
    assert [line.get_label() for line in above.lines] == ["loss", "validation loss"]
    assert list(above.lines[0].get_xdata()) == [1, 2]
    assert len(History(loss=[1.0]).plot().axes) == 1
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"needs matplotlib: pip install 'autograd-rnn\[plot\]'"):
        history.plot()


# --- what it refuses -----------------------------------------------------------------------------


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
