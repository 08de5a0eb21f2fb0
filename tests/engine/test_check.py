"""The gradient checker, checked: what is right passes, what is wrong is caught, kinks are told."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    GradientError,
    Value,
    check_gradients,
    exp,
    grad,
    gradients,
    log,
    maximum,
    ops,
    primitive,
    relu,
    sin,
    sqrt,
    step,
    tanh,
)
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.ops.op import CALL


@pytest.fixture
def define() -> Iterator[Callable[..., Any]]:
    """`primitive`, whose ops are taken out of the table again."""
    before = dict(ops.TABLE)
    yield primitive
    ops.TABLE.clear()
    ops.TABLE.update(before)


# --- what is right ------------------------------------------------------------------------------


def loss(*weights: Value) -> Value:
    rnn = RNN([weights[:2], weights[2:4], weights[4:6], weights[6:8]], "tanh")
    return (rnn.unroll([[1], [0], [1], [1]]).pi[0] - 0.5) ** 2


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_a_network_passes(weights: list[float]) -> None:
    reports = check_gradients(loss, weights)
    assert [report.position for report in reports] == list(range(8))
    assert all(report.checked and report.reason == "" for report in reports)


@given(st.floats(-300, 300))
def test_exp_passes_wherever_it_is_finite(x: float) -> None:
    assert check_gradients(exp, [x])[0].checked or abs(x) > 100


def test_large_and_small_numbers_pass() -> None:
    for x in (1e-6, 0.0, 1e6, -1e9, 1e150):
        (report,) = check_gradients(lambda v: 3 * v + 1, [x])
        assert report.checked
        assert report.gradient == 3
        assert report.difference == pytest.approx(3, rel=1e-9)


# --- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0005, 0.9995, -1.0, 0.0, 2.0])
def test_a_rule_wrong_by_a_factor_is_caught(define: Callable[..., Any], factor: float) -> None:
    wrong = define("wrong", math.tanh, lambda x, z: factor * (1 - z * z))
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x, y: wrong(x) * y, [0.3, 2.0])
    gradient = factor * (1 - math.tanh(0.3) ** 2) * 2
    assert f"inputs[0] = 0.3: the gradient is {gradient!r}" in str(caught.value)
    assert "but the central difference with a step of 1e-05 is 1.830" in str(caught.value)


@given(st.floats(0.1, 3), st.floats(0.1, 3))
def test_wrong_by_a_factor_of_1_0005_anywhere(x: float, y: float) -> None:
    op = ops.Op(
        "wrong",
        lambda x, y: x * y,
        (lambda x, y, z: y, lambda x, y, z: 1.0005 * x),
        symbol="",
        text="",
        latex="",
        python="",
        binds=CALL,
    )
    with pytest.raises(GradientError, match=r"inputs\[1\] = "):
        check_gradients(lambda x, y: sin(op(x, y)) + x if x.data > 9 else op(x, y), [x, y])


def test_a_missing_term_is_caught(define: Callable[..., Any]) -> None:
    forgets = define("forgets", lambda x, y: x * y, (lambda x, y, z: y, lambda x, y, z: 0.0))
    with pytest.raises(GradientError, match=r"inputs\[1\] = 5.0: the gradient is 0.0"):
        check_gradients(forgets, [2, 5])
    with pytest.raises(GradientError, match=r"inputs\[0\] = 3.0: the gradient is 3.0"):
        check_gradients(lambda x: x * x.detach(), [3])


def test_a_wrong_second_derivative_is_caught(define: Callable[..., Any]) -> None:
    """The slope is right as a number, but does not know that it depends on x."""
    cut = define("cut", math.exp, lambda x, z: exp(x.detach() if isinstance(x, Value) else x))
    check_gradients(cut, [0.5])
    with pytest.raises(GradientError, match=r"the gradient is 0.0, but .* is 1.648"):
        check_gradients(lambda x: gradients(cut(x), [x], create_graph=True)[0], [0.5])


def test_a_gradient_that_is_not_finite_is_caught(define: Callable[..., Any]) -> None:
    for slope in (math.inf, -math.inf, math.nan):
        broken = define(f"broken_{slope}".replace("-", "m"), math.sin, lambda x, z, s=slope: s)
        with pytest.raises(GradientError, match="the gradient is"):
            check_gradients(broken, [0.5])


# --- what cannot be checked ---------------------------------------------------------------------

KINKS = [
    pytest.param(abs, id="abs"),
    pytest.param(relu, id="relu"),
    pytest.param(step, id="step"),
    pytest.param(lambda x: maximum(x, 0), id="maximum"),
    pytest.param(lambda x: maximum(2 * x, x * 3), id="two slopes"),
    pytest.param(lambda x: x if x.data > 0 else x * x + 1, id="branch"),
]


@pytest.mark.parametrize("f", KINKS)
@given(offset=st.floats(-0.99, 0.99))
def test_a_kink_within_the_step_is_never_passed(f: Callable[..., Any], offset: float) -> None:
    """Wherever in the step it lies: at 0, at a third of it, near its ends."""
    (report,) = check_gradients(f, [offset * 1e-5])
    assert not report.checked
    assert "f has a kink, a jump or a sharp bend within 1e-05 of" in report.reason


@pytest.mark.parametrize("f", KINKS)
@given(offset=st.floats(1.01, 1e6))
def test_a_kink_outside_of_the_step_is_no_matter(f: Callable[..., Any], offset: float) -> None:
    for x in (offset * 1e-5, -offset * 1e-5):
        assert check_gradients(f, [x])[0].checked


@given(st.floats(-0.99, 0.99), st.floats(-2, 2), st.floats(-2, 2))
def test_a_kink_beside_a_slope_is_not_passed(offset: float, left: float, right: float) -> None:
    assume(abs(left - right) > 0.1)
    (report,) = check_gradients(
        lambda x: sin(x) + right * relu(x) - left * relu(-x), [offset * 1e-5]
    )
    assert not report.checked


def test_a_kink_of_one_input_leaves_the_others_checked() -> None:
    reports = check_gradients(lambda x, y, z: relu(x) * y + z, [0.0, 2.0, 1.0])
    assert [report.checked for report in reports] == [False, True, True]


def test_what_is_not_finite_within_the_step() -> None:
    for f, x in ((sqrt, 0.0), (log, 0.0), (log, 5e-6), (exp, 800.0), (lambda x: 1 / x, 0.0)):
        (report,) = check_gradients(f, [x])
        assert not report.checked
        assert "f is not finite everywhere within" in report.reason


def test_too_sharp_a_bend_for_the_step_is_not_passed() -> None:
    (report,) = check_gradients(lambda x: sin(1e6 * x), [0.1])
    assert not report.checked
    assert check_gradients(lambda x: sin(1e6 * x), [0.1], eps=1e-9, atol=1e-2, rtol=1e-2)[0].checked


# --- arguments ----------------------------------------------------------------------------------


def test_a_step_that_is_lost_in_rounding() -> None:
    (report,) = check_gradients(exp, [1.0], eps=1e-17)
    assert (report.checked, report.reason) == (
        False,
        "a step of 1e-17 is lost in rounding beside 1.0",
    )
    assert math.isnan(report.difference)


def test_no_inputs_and_constant_functions() -> None:
    assert check_gradients(lambda: 5, []) == ()
    assert check_gradients(lambda x: 5, [1])[0].checked


def test_tolerances_and_step() -> None:
    slightly = lambda x: tanh(x) + 1e-4 * (x - x.detach())  # noqa: E731
    with pytest.raises(GradientError, match=r"they may differ by 7.87e-06\."):
        check_gradients(slightly, [0.5])
    assert check_gradients(slightly, [0.5], rtol=1e-3)[0].checked
    assert check_gradients(slightly, [0.5], atol=1e-3)[0].checked
    (report,) = check_gradients(lambda x: relu(x), [5e-6], eps=1e-6)
    assert report.checked


def test_without_any_tolerance_only_what_is_equal_passes() -> None:
    (report,) = check_gradients(lambda x: 2 * x, [1], eps=2**-10, atol=0, rtol=0)
    assert (report.checked, report.difference) == (True, 2)
    with pytest.raises(GradientError, match="they may differ by 0"):
        check_gradients(lambda x: x + 2**-40 * x.detach(), [1], eps=2**-10, atol=0, rtol=0)


def test_the_absolute_tolerance_is_that_of_1_for_small_values() -> None:
    nearly = lambda x: 5e-9 * (x - x.detach())  # noqa: E731
    assert check_gradients(nearly, [1])[0].checked
    with pytest.raises(GradientError):
        check_gradients(nearly, [1], atol=1e-9)
    # And grows with large ones.
    assert check_gradients(lambda x: nearly(x) * 100 + 100, [1])[0].checked


def test_the_tolerances_are_given_by_name() -> None:
    with pytest.raises(TypeError, match="positional"):
        check_gradients(exp, [1], 1e-5)  # type: ignore[misc]


def test_refusals() -> None:
    with pytest.raises(ArgumentTypeError, match=r"f must be a function, not Value"):
        check_gradients(Value(1), [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"inputs must be a list of numbers, not float"):
        check_gradients(exp, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"inputs\[0\] .* not Value: .* pass its \.data"):
        check_gradients(exp, [Value(1)])
    with pytest.raises(ArgumentTypeError, match=r"the result of f must be a real number, not str"):
        check_gradients(lambda x: "x", [1])
    for name, value in (("eps", 0), ("eps", -1), ("atol", -1), ("rtol", math.inf)):
        with pytest.raises(ArgumentValueError, match=rf"{name} must be a small positive number"):
            check_gradients(exp, [1], **{name: value})
    with pytest.raises(ArgumentTypeError, match=r"atol must be a real number, not str"):
        check_gradients(exp, [1], atol="small")  # type: ignore[arg-type]


def test_a_function_with_a_derivative_inside() -> None:
    def loss(w: Value) -> Any:
        return grad(lambda t: w * t * t)(2.0) ** 2

    [report] = check_gradients(loss, [3.0])
    assert report.checked
    assert report.gradient == 96.0
