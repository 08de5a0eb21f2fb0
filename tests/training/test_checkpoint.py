"""A training that was interrupted or killed goes on, bit for bit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograd_rnn import RNN, SGD, Adam, bits, fit
from autograd_rnn.training.batches import batches
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
