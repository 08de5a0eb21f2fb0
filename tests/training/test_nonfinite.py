"""Numbers that are not finite are named."""

from typing import Any

import pytest

from autograd_rnn import RNN, SGD, TrainingError, Value, fit

from .trainings import weights


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
