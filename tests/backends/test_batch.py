"""What comes in: sequences, targets, and batches prepared once."""

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from autograd_rnn import RNN, Loss
from autograd_rnn.backends import Backend
from autograd_rnn.backends.batch import as_batch

from .steps import agree, batch, flat

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")


@pytest.mark.parametrize("backend", ["eager", "python", "numpy", "native"])
def test_a_batch_is_prepared_once(backend: str) -> None:
    rnn = RNN.random(3, 2, seed=1)
    compiled = rnn.compile("squared_error", backend=backend)
    sequences, goals = batch(4, 10, 2, 3, False)
    prepared = compiled.prepare(sequences, goals)
    assert len(prepared) == 10
    assert repr(prepared) == "<Batch: 10 sequences>"
    expected = compiled.loss_and_gradients(sequences, goals)
    assert compiled.loss_and_gradients(prepared) == expected
    assert compiled.predict(prepared) == compiled.predict(sequences)
    assert compiled.gradients_per_step(prepared) == compiled.gradients_per_step(sequences, goals)
    without = compiled.prepare(sequences)
    assert compiled.predict(without) == compiled.predict(sequences)
    for error, words, call in [
        (ValueError, "the batch has no targets", lambda: compiled.loss_and_gradients(without)),
        (TypeError, "targets are missing", lambda: compiled.loss_and_gradients(sequences)),
        (
            TypeError,
            "targets must not be given with a batch",
            lambda: compiled.loss_and_gradients(prepared, goals),
        ),
        (
            ValueError,
            "prepared by another step",
            lambda: rnn.compile("squared_error", backend=backend).predict(prepared),
        ),
    ]:
        with pytest.raises(error, match=words):
            call()


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("backend", sorted(Backend.kinds))
def test_a_part_of_a_batch_in_one_pass(backend: str, at: str) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    rnn = RNN.random(3, 2, seed=1)
    compiled = rnn.compile("squared_error", at=at, backend=backend)
    sequences, goals = batch(4, 20, 2, 3, at == "every")
    places = [7, 3, 19, 0, 3, 11, 2, 5, 1]
    chosen = [sequences[place] for place in places], [goals[place] for place in places]
    data = compiled.prepare(sequences, goals)
    part = data.take(places)
    assert len(part) == 9
    expected = compiled.loss_and_gradients(*chosen)
    assert compiled.loss_and_gradients(part) == expected
    assert compiled.loss_and_gradients(data) == compiled.loss_and_gradients(sequences, goals)
    found = compiled.run(part, outputs=True)
    assert compiled.run(part).outputs is None
    agree((found.loss, found.gradient.tolist()), expected)
    assert flat(found.outputs.tolist()) == pytest.approx(
        flat(compiled.predict(chosen[0])), rel=1e-12
    )
    aims = part.aims().tolist()
    assert aims == (chosen[1] if at == "last" else [one for goal in chosen[1] for one in goal])
    # Numbers that are not those of the Values.
    others = [weight.data / 2 for weight in rnn.parameters()]
    halves = compiled.run(part, others)
    for weight, number in zip(rnn.parameters(), others, strict=True):
        weight.data = number
    assert compiled.loss_and_gradients(part) == (halves.loss, halves.gradient.tolist())
    with pytest.raises(
        ValueError, match=r"one for each of the 18 parameters, not the shape \(2,\)"
    ):
        compiled.run(part, [1.0, 2.0])
    with pytest.raises(IndexError):
        data.take([20])


def test_sequences_may_be_arrays_numbers_or_fractions() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    for backend in ("python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        for one in ([1, 0, 1], [[1], [0], [1]], np.array([1, 0, 1]), np.array([[1.0], [0], [1]])):
            assert compiled.loss_and_gradients([one], [15]) == (4.0, [32.0, 68.0])
        assert compiled.loss_and_gradients(np.ones((2, 1, 1)), np.array([[1], [1]]))[0] == 0.0
        half = Fraction(1, 2)
        assert compiled.loss_and_gradients([[half]], [half]) == (0.0, [0.0, -0.0])


@pytest.mark.parametrize("backend", sorted(Backend.kinds))
def test_targets_that_the_loss_does_not_take_are_placed(backend: str) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    rnn, given = RNN.random(3, 2, seed=1), ([[[1, 0]], [[0, 1], [1, 1]]], [2, 3])
    for at, targets, words in (
        ("last", given[1], r"targets\[1\] must be the number of a class from 0 to 2"),
        ("every", [[0], [1, 0.5]], r"targets\[1\]\[1\] must be the number of a class"),
    ):
        compiled = rnn.compile("cross_entropy", at=at, backend=backend)
        for call in (compiled.prepare, compiled.loss_and_gradients, compiled.gradients_per_step):
            with pytest.raises(ValueError, match=words):
                call(given[0], targets)
    own = Loss("own", lambda z, t: (z[0] - t) ** 2, check=refuse)
    with pytest.raises(ValueError, match=r"targets\[0\] is odd, for 3 outputs"):
        rnn.compile(own, backend=backend).loss_and_gradients([[[1, 0]]], [3])


def refuse(goals: Any, outputs: int, argument: str) -> None:
    if goals[0] % 2:
        raise ValueError(f"{argument} is odd, for {outputs} outputs")


def test_windows_of_many_sequences_take_the_memory_of_few() -> None:
    xs = np.ones((8000, 64, 1))
    data = as_batch(xs, xs, every=True)
    tracemalloc.start()
    found = [window.lengths.sum() for _, window in data.windows(range(64), 1)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [8000] * 64
    assert peak < 8 * 2 * data.lengths.sum()  # two numbers for each step
