"""Traced steps: their comparisons, and their affine groups."""

import math
from typing import Any

import pytest

from autograd_rnn import RNN, BranchChanged, Value, compile_step, ops
from autograd_rnn.backends.traced import TracedStep, find_groups, trace_step
from autograd_rnn.program.program import Program
from autograd_rnn.program.writer import Line

from .steps import agree, flat, leaky

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")


@pytest.mark.parametrize("backend", ["python", "numpy", "native"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("at", ["last", "every"])
def test_a_comparison_that_comes_out_otherwise(backend: str, exact: bool, at: str) -> None:
    if exact and backend == "numpy":
        return
    weights = [Value(0.5, "w_1"), Value(1.0, "w_2")]
    compiled = compile_step(
        *(leaky, "squared_error", weights, [0.0]), at=at, backend=backend, exact=exact
    )
    sequences: list[Any] = [[1, 2, 3], [1, 1], [2]]
    goals = [[1.0] * len(s) if at == "every" else 1.0 for s in sequences]
    eager = compile_step(leaky, "squared_error", weights, [0.0], at=at, backend="eager")
    agree(compiled.loss_and_gradients(sequences, goals), eager.loss_and_gradients(sequences, goals))
    assert flat(compiled.predict(sequences)) == flat(eager.predict(sequences))
    sequences[1] = [1, -9]
    with pytest.raises(BranchChanged, match=r"sequences\[1\]") as error:
        compiled.loss_and_gradients(sequences, goals)
    assert "> 0.0 was True when the" in str(error.value)
    if backend != "python":
        assert "sequences[1], step 2: " in str(error.value)
        assert "choose backend='eager'" in str(error.value)
        with pytest.raises(BranchChanged, match=r"sequences\[1\], step 2"):
            compiled.predict(sequences)
    assert eager.loss_and_gradients(sequences, goals)[0] > 0


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_comparisons_in_the_loss_hold_where_there_is_a_loss(backend: str) -> None:
    weights = [Value(1.0, "w")]

    def loss(output: Any, target: Any) -> Any:
        return output * 2 if output > target else output

    fit = compile_step(lambda q, x, w: (q, w[0] * x[0]), loss, weights, [], backend=backend)
    # Only the last step has a loss: at the first ones it is not asked for.
    assert fit.loss_and_gradients([[5, 1, 4], [0, 4]], [3, 3]) == (8.0, [8.0])
    assert fit.predict([[1], [7]]) == [1.0, 7.0]
    with pytest.raises(BranchChanged, match=r"sequences\[0\], step 3"):
        fit.loss_and_gradients([[5, 1, 2], [0, 4]], [3, 3])


def test_nan_is_greater_than_nothing_in_guards() -> None:
    weights = [Value(1.0), Value(1.0)]
    for backend in ("numpy", "native"):
        compiled = compile_step(leaky, "squared_error", weights, [0.0], backend=backend)
        compiled.loss_and_gradients([[1]], [1])
        with pytest.raises(BranchChanged):
            compiled.loss_and_gradients([[math.nan]], [1])


def test_groups() -> None:
    rnn = RNN.random(8, 4, seed=1)
    eager = rnn.compile("squared_error", backend="eager")
    (group,) = find_groups(trace_step(eager.objective, [0.0] * 4, [0.0] * 8))
    assert (len(group.rows), len(group.vector)) == (8, 12)
    assert None not in group.biases
    # A weight that is used twice is in no group.
    product, total = ops.TABLE["mul"], ops.TABLE["add"]
    lines = [Line(product, (0, 1), None), Line(product, (0, 2), None), Line(total, (4, 5), None)]
    shared = TracedStep(Program(["w", "q", "x", "y"], [], lines, [6, 6, 6]), 1, 1, 1, 1)
    assert find_groups(shared) == []
