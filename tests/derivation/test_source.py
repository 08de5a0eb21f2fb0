"""The backward pass of one derivative as a NumPy function."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Derivation,
    Stack,
    Steps,
    Value,
    bits,
    derive,
    gradients,
    sigmoid,
    softmax,
    tanh,
)
from autograd_rnn.derivation.chain_rule import ChainRule
from autograd_rnn.derivation.source.function import as_source
from autograd_rnn.derivation.source.lines import _side_by_side, packed

from .examples import exercise
from .random_cases import some_derivation


def called(worked: Derivation, **others: Any) -> Any:
    """What the function gives for the arguments of the derivation, some of them replaced."""
    known: dict[str, Any] = {}
    exec(worked.numpy(), known)
    return known["backward"](**{**worked.arguments, **others})


def lines_of(source: str) -> int:
    """The lines of the longest function."""
    return max([len(part.splitlines()) for part in source.split("\n\n\n") if "def " in part])


def check(worked: Derivation) -> str:
    """The source, which gives the derivative of `gradients` in at most 30 lines."""
    assert isinstance(worked.rule, ChainRule)
    (wanted,) = gradients(worked.rule.output, [worked.rule.parameter])
    size = max([abs(worked.value), *[abs(term.grad) for term in worked.terms]])
    # Numbers of 1e-9 are among the weights, and cancel beside 1.
    assert abs(called(worked) - wanted) <= 1e-12 * max(size, 1e-6)
    source = worked.numpy()
    assert lines_of(source) <= 30
    return source


def check_source(output: Value, parameter: Value, run: Any) -> str:
    """The same, without the derivation."""
    source, arguments = as_source(output, parameter, run, "backward")
    known: dict[str, Any] = {}
    exec(source, known)
    (wanted,) = gradients(output, [parameter])
    assert known["backward"](**arguments) == pytest.approx(wanted, rel=1e-12)
    return source


def test_random_derivations_as_functions() -> None:
    # Those below 300 are long loops.
    for seed in (272, 291, *range(300, 318)):
        worked = some_derivation(seed)
        if worked is not None:
            check(worked)


@pytest.mark.nightly
def test_thousands_of_random_derivations_as_functions() -> None:
    for seed in range(4000, 7000):
        try:
            worked = some_derivation(seed)
        except ValueError:  # no finite number
            continue
        if worked is not None:
            check(worked)


def test_a_weight_of_a_network_is_an_entry_of_the_gradient_by_matrices() -> None:
    assert called(exercise()) == 32.0
    models: list[Any] = [GRU.random(2, 1, seed=1), Stack.random("GRU", 2, 1, 1, seed=1)]
    for model in models:
        run = model.unroll([[1.0], [0.5]] * 3)
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


def test_a_long_loop_is_written_as_two_loops() -> None:
    w, rate, h, steps = Value(0.5, "w_1"), Value(1.5, "learning rate"), Value(0.2, "h"), Steps()
    start = h
    for k in range(1, 9):
        with steps.step(k):
            h = tanh(w * h + rate * (0.1 * k))
    loss = (1 - h) ** 2 + 0.1 * w
    source = check(derive(loss, w, run=steps))
    assert source.splitlines() == [
        "from autograd_rnn.ops.numpy import tanh",
        "",
        "",
        "def backward(w1, learning_rate, h, X, d_h, d_w1):",
        '    """∂L/∂w₁; δ_x is that by x, and x_before is x of the step before.',
        '    X has x of each step; d_x[k] is ∂L/∂x at step k, but for what goes through others."""',
        "    steps = []",
        "    for x in X:",
        "        h_before = h",
        "        π = w1 * h_before + learning_rate * x",
        "        h = tanh(π)",
        "        steps.append((h_before, h))",
        "    δ_w1, from_h = d_w1, 0.0",
        "    for k, (h_before, h) in reversed(list(enumerate(steps))):",
        "        δ_h = from_h + d_h[k]",
        "        δ_π = (1.0 - h ** 2) * δ_h",
        "        δ_w1 += h_before * δ_π",
        "        from_h = w1 * δ_π",
        "    return δ_w1",
    ]
    worked = derive(loss, w, run=steps)
    many = called(worked, w1=np.array([0.5, 2.0]))
    assert many[0] == pytest.approx(worked.value, rel=1e-12)
    # By the initial state, also where the loss uses it itself.
    assert "return from_h" in check_source(loss, start, steps)
    assert "return δ_h_ + from_h" in check_source(loss * start, start, steps)


def test_a_long_loop_of_any_kind() -> None:
    w, u, zero = Value(0.5, "w"), Value(-0.75, "u"), Value(0.25, "h")
    h, c, total, steps = zero, Value(0.5, "c"), Value(0.0), Steps()
    for k in range(1, 6):
        with steps.step(k):
            if k == 4:  # truncated, but for the sum
                h, c = h.detach(), c.detach()
            gate = sigmoid(w * h + u * k)
            c = gate * c + tanh(u * h + 0.1 * k)
            h = c * softmax([gate, w])[0]
            total = total + (h - 0.1 * k) ** 2
    for weight in (w, zero):
        assert "if k + 1 not in cuts else 0.0" in check_source(total, weight, steps)
    # Without a number that the way back needs, there is no loop forward.
    x, steps = zero, Steps()
    for k in range(1, 18):
        with steps.step(k):
            x = w * x
    assert "steps = []" not in check_source(x, zero, steps)
    # What comes after the output is not there, whatever it is.
    x, steps, states = zero, Steps(), []
    for k in range(1, 20):
        with steps.step(k):
            x = (x + k) ** (2 * w)
            x = x if k < 17 else x * 1e308 * 1e308
            states.append(x)
    assert "X has" in check_source(states[15], w, steps)
    # Steps that differ are written one by one.
    x, steps = zero, Steps()
    for k in range(1, 13):
        with steps.step(k):
            x = tanh(w * x) if k % 2 else w * x
    assert "for " not in check_source(x, w, steps)


def test_a_weight_that_is_used_only_after_a_long_loop() -> None:
    w, u, h, steps = Value(0.5, "w"), Value(-0.75, "u"), Value(0.25, "h"), Steps()
    for k in range(1, 32):
        with steps.step(k):
            h = tanh(w * h + 0.1 * k)
    assert "return h_31" in check_source(h * u, u, steps)


def test_a_result_as_what_a_long_loop_is_derived_by() -> None:
    h, steps, double = Value(0.25, "h"), Steps(), Value(0.5, "w") * 2
    for k in range(1, 17):
        with steps.step(k):
            h = tanh(double * h + 0.1 * k)
    loss = (1 - h) ** 2 * double
    assert "for " in check_source(loss, double, steps)
    for inner in [node for node, k in steps.step_of.items() if k == 5]:
        if not inner.constant:
            assert "for " not in check_source(loss, inner, steps)


def test_names_that_the_loops_use_themselves() -> None:
    names = ["steps", "X", "k", "cuts", "len", "range", "reversed", "enumerate", "list", "from_k"]
    for first, second in zip(names[::2], names[1::2], strict=True):
        w, h, steps = Value(0.5, first), Value(0.25, second), Steps()
        for k in range(1, 17):
            with steps.step(k):
                h = tanh(w * (h if k != 9 else h.detach()) + 0.1 * k)
        assert "for " in check_source(h, w, steps)


def test_what_slopes_are_computed_from_has_a_name_where_there_are_lines() -> None:
    weights = {g: [Value(0.1 * i - 0.2, f"{n}_{g}") for i, n in enumerate("UWb")] for g in "ifgo"}
    h, c, steps = 0.0, 0.0, Steps()
    for k in range(1, 7):
        with steps.step(k):
            i, f, g, o = [
                (tanh if gate == "g" else sigmoid)(u * h + w * k + b)
                for gate, (u, w, b) in weights.items()
            ]
            c = f * c + i * g
            h = o * tanh(c)
    loss, weight = (1 - h) ** 2, weights["f"][0]
    source = check_source(loss, weight, steps)
    assert lines_of(source) <= 30
    assert source.count("sigmoid(") == 3
    assert source.count("tanh(") == 2


def test_a_state_that_saturates_at_one_step_keeps_its_digits() -> None:
    w, h, steps = Value(1.0, "w"), Value(0.5, "h"), Steps()
    for k in range(1, 16):
        with steps.step(k):
            h = tanh(w * h + (18 if k == 15 else 0))
    source = check_source(h, w, steps)
    assert "for " in source
    assert "1.0 - h ** 2" not in source


def test_an_initial_state_of_a_network_is_an_entry_by_matrices() -> None:
    models: list[Any] = [
        LSTM.random(1, 1, seed=1),
        Stack([GRU.random(2, 1, seed=1), RNN.random(1, 2, seed=2)]),
    ]
    for model, truncate in zip(models, (None, 3), strict=True):
        state = [0.1 * place for place, _ in enumerate(model.initial, 1)]
        run = model.unroll([[0.5]] * 4, state, truncate=truncate)
        loss = sum([(1 - step.entries[0]) ** 2 for step in run.steps])
        for entry in run.state:
            source = check_source(loss, entry, run)
            assert "from_" in source
            assert lines_of(source) <= 30
        # What the loss uses itself comes through no step: a line for each quantity.
        assert "for " not in check_source(loss + run.state[0], run.state[0], run)


def test_the_slope_of_a_power_by_its_exponent() -> None:
    for base in (2.0, 0.0):
        x, y = Value(base, "x"), Value(3.0, "y")
        worked = derive(x**y + y, y)
        assert called(worked) == pytest.approx(worked.value, rel=1e-15)
    assert "x ** y * log(x + equal(x, 0.0))" in worked.numpy()
    y = Value(3.0, "y")
    assert "0.6931471805599453 * L" in derive(2.0**y, y).numpy()
    # A rule as it stands, with an infinity.
    x, y = Value(0.0, "x"), Value(0.0, "float")
    assert "float('inf')" in check_source(x**y + x, x, None)
    # A slope that is a sum is in parentheses behind a sign.
    x = Value(0.5, "x")
    assert called(worked := derive(tanh(-x), x)) == pytest.approx(worked.value, rel=1e-15)


def gated(states: int, unlike: bool) -> Derivation:
    """An LSTM over three steps that is written by hand, one of them another way."""
    w = [Value(0.3 * (-1) ** i + 0.05 * i, f"w{i}") for i in range(6 * states)]
    h = c = [Value(0.1 * (i + 1)) for i in range(states)]
    steps = Steps()
    for k in (1, 2, 3):
        with steps.step(k):
            new = []
            for i, (a, b, d, e, f, g) in enumerate(zip(*[iter(w)] * 6, strict=True)):
                sum_ = a * h[i] + b * (0.3 * (-1) ** k)
                update = tanh(sum_ + h[(i + 1) % states] * f)
                if unlike and k == 2:
                    update = update * update
                kept = sigmoid(sum_ * e) * c[i] + sigmoid(sum_ + d) * update
                new.append((sigmoid(update + g) * tanh(kept), kept))
            h, c = map(list, zip(*new, strict=True))
    return derive(sum([(1 - one) ** 2 for one in h]), w[0], run=steps)


@pytest.mark.parametrize("states", [2, 3, 4])
def test_a_loop_of_many_quantities_has_them_side_by_side(states: int) -> None:
    worked = gated(states, False)
    assert check(worked).count("\n    for ") == 2
    unlike = gated(states, True)
    (wanted,) = gradients(unlike.rule.output, [unlike.rule.parameter])
    assert called(unlike) == pytest.approx(wanted, rel=1e-12)


def test_a_state_that_the_loss_does_not_read_is_passed_back_by_itself() -> None:
    w = [Value(0.3 + 0.02 * i, f"w{i}") for i in range(14)]
    h, steps, read = Value(0.5, "h"), Steps(), []
    for k in (1, 2, 3):
        with steps.step(k):
            y = h
            for place, weight in enumerate(w):
                y = tanh(weight * y)
                y.name = f"y{place}"
            h, other = w[0] * h + 0.1 * k, y
        read.append((1 - other) ** 2)
    worked = derive(sum(read[1:], read[0]), w[0], run=steps)
    line = ("from_h", "w0 * from_h + δ_y")
    packed_lines = islice(_side_by_side([line, ("a", "x + 1.0")], "", 100), 3)  # else without end
    assert list(packed_lines) == ["from_h, a = w0 * from_h + δ_y, x + 1.0"]
    (wanted,) = gradients(worked.rule.output, [w[0]])
    assert "* from_h" in worked.numpy()
    assert called(worked) == pytest.approx(wanted, rel=1e-12)


def test_lines_are_packed_only_where_nothing_needs_what_is_beside_it() -> None:
    lines = [
        "def f(h, x):",
        '    """A sentence."""',
        "    h_before = h",
        "    a = x + 1.0",
        "    h = a * h_before",
        "    b = h_before + 2.0",
        "    c = d = 0.0",
        "    steps = []",
        "    a = h + b",
        "    e = a + h",
        "    g = 1.0 if x > 0.0 else 2.0",
        "    return a + b + c + d + e + g + h",
    ]
    source = "\n".join(lines) + "\n"
    assert packed(source, 12) == source
    assert packed(source, 8) == source
    short = packed(source, 9)
    assert short.splitlines()[2:] == [
        "    h_before, a = h, x + 1.0",
        "    h, b = a * h_before, h_before + 2.0",
        "    c = d = 0.0",
        "    steps = []",
        "    a, g = h + b, 1.0 if x > 0.0 else 2.0",
        "    e = a + h",
        "    return a + b + c + d + e + g + h",
    ]
    known: list[dict[str, Any]] = [{}, {}]
    for text, names in zip((source, short), known, strict=True):
        exec(text, names)
    assert known[0]["f"](2.0, 3.0) == known[1]["f"](2.0, 3.0)
