"""A training that was interrupted or killed goes on, bit for bit."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    LSTM,
    RNN,
    SGD,
    Adam,
    Linear,
    Loss,
    Model,
    Stack,
    Value,
    bits,
    fit,
    freeze,
    sigmoid,
    tanh,
)
from autograd_rnn.training.batches import batches
from autograd_rnn.training.checkpoint import identity
from autograd_rnn.training.fit import _Training

from .trainings import SETTINGS, loop, network, parity, train, weights, without_seconds


class Interrupted(SGD):
    """Presses Ctrl-C in the middle of a step, when what is kept has moved, and no weight has."""

    _at_step, _steps_done = 10**9, 0

    def updated(self, weights: Any, gradients: Any) -> Any:
        self._steps_done += 1
        after = super().updated(weights, gradients)
        if self._steps_done == self._at_step:
            raise KeyboardInterrupt
        return after


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


PART = r"\.training\.json\.[0-9a-f]{8}"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), "1000000"])
    try:
        for _ in range(3000):
            if path.exists() and json.loads(path.read_text())["moment"]["epoch"] >= 5:
                break
            time.sleep(0.01)
        with pytest.raises(BlockingIOError, match=f"is in use by process {process.pid} on .*wait"):
            train(SGD(0.5, 0.9), path)
        assert (tmp_path / ".training.json.lock").exists()
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
    # The lock of the dead process held up nobody, and is gone.  A file that it was just writing,
    # under a name of its own, remains.
    left = [name for name in os.listdir(tmp_path) if not re.fullmatch(PART, name)]
    assert left == ["training.json"]


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.json"
    train(SGD(0.5, 0.9), path, epochs=1)
    with pytest.raises(
        ValueError, match=r"is of another training: optimiser: momentum is 0.9, here 0.8. Delete it"
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
        ({**content, "settings": []}, "its settings are none"),
    ]
    for thing, words in junk:
        path.write_text(json.dumps(thing))
        with pytest.raises(ValueError, match=words):
            train(SGD(0.5, 0.9), path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        train(SGD(0.5, 0.9), tmp_path / "nowhere" / "x.json")


# --- what a training is of -----------------------------------------------------------------------

SCALE = 1.0


def one(output: Any, target: Any) -> Any:
    return (output - target) ** 2 * SCALE


def other(output: Any, target: Any) -> Any:
    return (output - target) ** 4 * SCALE


def scaled(factor: float) -> Any:
    return lambda output, target: (output - target) ** 2 * factor


def kind_of(slope: str, rate: float = 0.5) -> Any:
    """A kind of model that is defined again, as in a notebook."""
    names: dict[str, Any] = {"Model": Model, "__name__": "notebook"}
    exec(
        "class Mine(Model, kind='checkpointed'):\n"
        f"    def __init__(self, weights, rate={rate}, *, names=None):\n"
        "        super().__init__(weights, names=names)\n"
        "        self.rate = rate\n"
        "    def advance(self, state, x, weights):\n"
        "        pi = self.sums(weights[0], state[0] + x)\n"
        f"        return {{'h': [p * self.rate * {slope} for p in pi]}}\n",
        names,
    )
    return names["Mine"]([[0.5]] * 3)


def stack(activation: str = "tanh", states: int = 3, seed: int = 1, layer: Any = RNN) -> Stack:
    more = {"activation": activation} if layer is RNN else {}
    first = layer.random(states, 1, seed=seed, **more)
    return Stack([first, Linear.random(states, 1, seed=seed)])


def frozen(model: Any, place: int, number: float | None = None) -> Any:
    weight = model.parameters()[place]
    weight.data = weight.data if number is None else number
    freeze(weight)
    return model


DATA = ([[1, 2], [2, 3]], [1, 0])
DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "activation": (
        {"model": lambda: stack("tanh")},
        {"model": lambda: stack("relu", seed=2)},
        r"model: layers\[0\].activation is tanh, here relu",
    ),
    "kind": (
        {"model": stack},
        {"model": lambda: stack(layer=LSTM)},
        r"model: layers\[0\].kind is RNN, here LSTM",
    ),
    "kind of as many weights": (
        {"model": lambda: RNN([[1], [1], [1]])},
        {"model": lambda: Linear([[1], [1]], bias=True)},
        "model: kind is RNN, here Linear",
    ),
    "states": (
        {"model": lambda: stack(states=3)},
        {"model": lambda: stack(states=2)},
        r"model: .*states is 3, here 2",
    ),
    "bias": (
        {"model": lambda: RNN([[1], [1], [1]])},
        {"model": lambda: RNN([[1], [1]], bias=False)},
        "bias is True, here False",
    ),
    "code of a model": (
        {"model": lambda: kind_of("1.0")},
        {"model": lambda: kind_of("2.0")},
        r"model: kind is Mine, its code \w+, here Mine, its code",
    ),
    "setting of a model": (
        {"model": lambda: kind_of("1.0")},
        {"model": lambda: type(kind_of("1.0"))([[0.5]] * 3, 0.25)},
        "model: rate is 0.5, here 0.25",
    ),
    "what is frozen": (
        {"model": lambda: frozen(stack(), 0)},
        {"model": lambda: frozen(stack(), 1)},
        "frozen weights: 0 is .*, here None",
    ),
    "a frozen number": (
        {"model": lambda: frozen(stack(), 0, 0.5)},
        {"model": lambda: frozen(stack(), 0, 0.25)},
        "frozen weights: 0 is 0.5, here 0.25",
    ),
    "loss": ({"loss": "squared_error"}, {"loss": one}, "loss: name is squared_error, here one"),
    "code of a loss": ({"loss": one}, {"loss": other}, "loss: "),
    "captured number": (
        {"loss": scaled(1)},
        {"loss": scaled(2)},
        "loss: function is <lambda>, its",
    ),
    "partial": (
        {"loss": Loss("p", partial(lambda k, z, t: (z - t) ** 2 * k, 1))},
        {"loss": Loss("p", partial(lambda k, z, t: (z - t) ** 2 * k, 2))},
        r"loss: function\[1\]\[0\] is 1, here 2",
    ),
    "weights of classes": (
        {"loss": Loss.of("binary_cross_entropy", weights=[1, 2])},
        {"loss": Loss.of("binary_cross_entropy", weights=[1, 3])},
        "loss: .* is 2.0, here 3.0",
    ),
    "ignored": (
        {"loss": Loss.of("squared_error", ignore=-1)},
        {"loss": Loss.of("squared_error", ignore=-2)},
        "loss: ignore is -1.0, here -2.0",
    ),
    "kind of optimiser": ({}, {"optimiser": Adam(0.1)}, "optimiser: kind is SGD, here Adam"),
    "data": ({}, {"data": ([[1, 2], [2, 4]], [1, 0])}, "data is 2 sequences, .*, here 2 sequences"),
    "targets": ({}, {"data": ([[1, 2], [2, 3]], [1, 1])}, "data is 2 sequences"),
    "batch": ({}, {"batch_size": 2}, "batch_size is 1, here 2"),
    "seed": ({}, {"seed": 3}, "seed is 0, here 3"),
}


def resumed(path: Path, given: dict[str, Any]) -> Any:
    options = {"loss": "squared_error", "optimiser": SGD(0.01), "epochs": 2, "batch_size": 1}
    options |= {"engine": "python", "progress": False, "checkpoint": path, "data": DATA, **given}
    model = options.pop("model", stack)()
    return fit(model, options.pop("data"), **options), weights(model)


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_checkpoint_of_another_training_is_refused(name: str, tmp_path: Path) -> None:
    first, second, words = DIFFERENT[name]
    found = resumed(tmp_path / "c.json", first)
    # Made anew, it is the same training.
    assert resumed(tmp_path / "c.json", {"optimiser": SGD(0.01), **first})[1] == found[1]
    with pytest.raises(ValueError, match=f"is of another training: .*{words}.* Delete it, or choo"):
        resumed(tmp_path / "c.json", second)


def test_a_global_that_a_loss_reads_tells_trainings_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed(tmp_path / "c.json", {"loss": one})
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(ValueError, match="loss: function is one, its code"):
        resumed(tmp_path / "c.json", {"loss": one})


def test_the_identity_of_things() -> None:
    class Odd:
        def __init__(self) -> None:
            self.me, self.them = self, {1, 2}

        @property
        def size(self) -> int:
            return len(self.them)

        @staticmethod
        def still() -> int:
            return 1

    odd = identity(Odd())
    assert (odd["me"], odd["them"]) == ("itself", ["1", "2"])
    assert odd["kind"].startswith("Odd, its code ")
    assert identity(Odd().still) == identity(Odd.still)
    assert identity(np.arange(3)) != identity(np.arange(4)) != identity(np.arange(4.0))
    assert identity(list(range(99))) != identity([*range(98), 0])
    assert identity([math.nan, None, "a", 2, b"x"]) == ["nan", None, "a", 2, "b'x'"]
    assert identity([[Value(1), Value(2)]]) == "1 x 2 weights"
    assert identity(tanh) == identity(tanh) != identity(sigmoid)
    json.dumps([identity(thing) for thing in (Odd, math, math.sin, len, partial(max, 1), ...)])
