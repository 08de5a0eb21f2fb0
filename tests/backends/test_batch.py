"""What comes in: sequences, targets, and batches prepared once."""

from fractions import Fraction

import numpy as np
import pytest

from autograd_rnn import RNN

from .steps import batch

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


def test_sequences_may_be_arrays_numbers_or_fractions() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    for backend in ("python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        for one in ([1, 0, 1], [[1], [0], [1]], np.array([1, 0, 1]), np.array([[1.0], [0], [1]])):
            assert compiled.loss_and_gradients([one], [15]) == (4.0, [32.0, 68.0])
        assert compiled.loss_and_gradients(np.ones((2, 1, 1)), np.array([[1], [1]]))[0] == 0.0
        half = Fraction(1, 2)
        assert compiled.loss_and_gradients([[half]], [half]) == (0.0, [0.0, -0.0])
