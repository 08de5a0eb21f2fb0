"""The backward pass of one derivative as a NumPy function."""

from typing import Any

import numpy as np
import pytest

from autograd_rnn import GRU, RNN, Derivation, Stack, Steps, Value, bits, derive, gradients, tanh
from autograd_rnn.derivation.chain_rule import ChainRule

from .examples import exercise
from .random_cases import some_derivation


def called(worked: Derivation, **others: Any) -> Any:
    """What the function gives for the arguments of the derivation, some of them replaced."""
    known: dict[str, Any] = {}
    exec(worked.numpy(), known)
    return known["backward"](**{**worked.arguments, **others})


def test_random_derivations_as_functions() -> None:
    for seed in range(300, 340):
        worked = some_derivation(seed)
        if worked is not None:
            size = max([abs(worked.value), *[abs(term.grad) for term in worked.terms]])
            assert isinstance(worked.rule, ChainRule)
            (wanted,) = gradients(worked.rule.output, [worked.rule.parameter])
            # Numbers of 1e-9 are among the weights, and cancel beside 1.
            assert abs(called(worked) - wanted) <= 1e-12 * max(size, 1e-6), seed


def test_a_weight_of_a_network_is_an_entry_of_the_gradient_by_matrices() -> None:
    assert called(exercise()) == 32.0
    models: list[Any] = [GRU.random(2, 1, seed=1), Stack.random("GRU", 2, 1, 1, seed=1)]
    for model in models:
        run = model.unroll([[1.0], [0.5]] * 6)
        output = run.steps[-1].entries[0]
        loss = (1 - output) ** 2 + 0.1 * model.parameters()[3] * output
        for place in (0, 3, -1, -4):
            weight = model.parameters()[place]
            worked = derive(loss, weight, run=run)
            assert called(worked) == pytest.approx(gradients(loss, [weight])[0], rel=1e-12)
            for function in worked.numpy().split("\n\n\n")[1:]:
                assert len(function.splitlines()) <= 30


def test_a_loop_of_ones_own_is_written_in_the_names_of_the_text() -> None:
    w, rate, h, steps = Value(0.5, "w_1"), Value(1.5, "learning rate"), Value(0.2, "h"), Steps()
    for k in (1, 2):
        with steps.step(k):
            h = tanh(w * h + rate)
    worked = derive((1 - h) ** 2, w, run=steps)
    assert worked.numpy("slope").splitlines() == [
        "from autograd_rnn.ops.numpy import tanh",
        "",
        "",
        "def slope(w1, learning_rate, h):",
        '    """∂L/∂w₁; δ_x is that by x, and x_2 is x at step 2.',
        '    Arguments are numbers, or arrays of one shape, taken entry by entry."""',
        "    π_1 = w1 * h + learning_rate",
        "    h_1 = tanh(π_1)",
        "    π_2 = w1 * h_1 + learning_rate",
        "    h_2 = tanh(π_2)",
        "    δ_h_2 = -2.0 * (1.0 - h_2)",
        "    δ_π_2 = (1.0 - h_2 ** 2) * δ_h_2",
        "    δ_h_1 = w1 * δ_π_2",
        "    δ_π_1 = (1.0 - h_1 ** 2) * δ_h_1",
        "    return h_1 * δ_π_2 + h * δ_π_1",
    ]
    assert called(worked) == pytest.approx(worked.value, rel=1e-12)
    # Arrays are taken entry by entry.
    many = called(worked, w1=np.array([0.5, 2.0]))
    assert many[0] == pytest.approx(worked.value, rel=1e-12)


def test_a_quantity_with_the_name_of_a_derivative_keeps_it() -> None:
    x, other = Value(2.0, "x"), Value(5.0, "δ_y")
    y = x * other
    y.name = "y"
    worked = derive(y * y * x, x)
    assert worked.numpy().splitlines()[-2:] == [
        "    δ_y_ = 2.0 * x * y",
        "    return y ** 2 + δ_y * δ_y_",
    ]
    assert called(worked) == worked.value == 300.0


def test_the_name_is_checked() -> None:
    worked = derive((x := Value(2, "x")) * x, x)
    for name in ("no name", "lambda", ""):
        with pytest.raises(ValueError, match="name must be"):
            worked.numpy(name)
    rnn = RNN([[4], [1]], bias=False)
    run = rnn.unroll(bits("101"))
    assert "def gradient(" in derive(run.pi[0] ** 2, rnn.parameters()[0], run=run).numpy()
