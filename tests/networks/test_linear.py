"""The readout."""

from typing import Any

import pytest

from autograd_rnn import Linear
from autograd_rnn.errors import ArgumentValueError


def test_what_is_linear() -> None:
    readout = Linear([[1], [2], [3]])
    run = readout.unroll([[10, 100], [0, 1]])
    assert [step.output.data for step in run.steps] == [321, 4]
    assert (run.q, run.state, readout.initial, readout.states) == ((), (), [], 0)
    compiled = readout.compile("squared_error", backend="python")
    assert compiled.loss_and_gradients([[[1, 2]]], [10]) == (1, [-2, -2, -4])
    assert Linear([[2], [3]], bias=False)([[1, 1]]).data == 5


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Linear.random(1, 0), ArgumentValueError, "outputs must be 1 or more"),
        (lambda: Linear([[1]])([[1]]), ArgumentValueError, r"inputs\[0\] must have size 0"),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
