"""The gradient checker, checked: what is right passes, what is wrong is caught, kinks are told."""

import contextlib
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    GradientError,
    Value,
    cbrt,
    check_gradients,
    cos,
    exp,
    grad,
    gradients,
    log,
    maximum,
    no_grad,
    ops,
    primitive,
    relu,
    sin,
    sqrt,
    step,
    stop_gradient,
    tanh,
)
from autograd_rnn.engine.check import CheckedInput
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


def test_a_network_passes() -> None:
    reports = check_gradients(loss, [0.3, -0.2, 0.5, 0.4, -0.7, 0.1, 0.9, -0.6])
    assert [report.position for report in reports] == list(range(8))
    assert all(report.checked and report.reason == "" for report in reports)


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_of_a_network_only_slopes_lost_beside_the_loss_are_not_compared(
    weights: list[float],
) -> None:
    for report in check_gradients(loss, weights):
        if not report.checked:
            assert abs(report.gradient) < 1e-4
            assert report.reason


@given(st.floats(-300, 300))
def test_exp_passes_wherever_it_is_finite(x: float) -> None:
    assert check_gradients(exp, [x])[0].checked or abs(x) > 100


def test_a_no_grad_outside_accuses_nothing() -> None:
    with no_grad():
        reports = check_gradients(lambda x: x**3, [2.0], order=2)
        assert [(report.gradient, report.checked) for report in reports] == [(12, True)] * 2

    @no_grad()
    def dropped(x: Value) -> Value:
        return x**3

    with pytest.raises(GradientError, match="drops a part of the graph"):
        check_gradients(dropped, [2.0])


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


@pytest.mark.parametrize(
    "f",
    [
        pytest.param(lambda x: 1e10 + abs(x), id="beside a large number"),
        pytest.param(lambda x: 1e20 + abs(x), id="lost beside a larger one"),
        pytest.param(lambda x: 1e-9 * abs(x), id="small"),
        pytest.param(lambda x: x * abs(x), id="odd"),
        pytest.param(lambda x: x * relu(x), id="of the second order"),
        pytest.param(lambda x: relu(x) - relu(-x), id="two that make a line"),
        pytest.param(lambda x: sqrt(x**4), id="0 times infinity"),
        pytest.param(lambda x: sqrt(0 * x), id="at an end that does not move"),
        pytest.param(lambda x: 1e20 + stop_gradient(x), id="stopped beside a large number"),
        pytest.param(lambda x: 1e20 + Value(x.data), id="cut beside a large number"),
        pytest.param(
            lambda x: x if x.data == 0 else Value(0) + 3 * x, id="another graph at a point"
        ),
    ],
)
def test_what_has_not_been_compared_is_not_passed_nor_accused(f: Callable[..., Any]) -> None:
    """At 0, where the gradient is right, or what the rules for kinks make of it."""
    (report,) = check_gradients(f, [0.0])
    assert not report.checked
    assert report.reason


@pytest.mark.parametrize(
    "f",
    [
        pytest.param(lambda x: 5, id="number"),
        pytest.param(lambda x: 0 * x, id="times 0"),
        pytest.param(lambda x: 3 + relu(x - 1), id="idle ReLU"),
        pytest.param(lambda x: 1e20 + step(x - 1), id="flat beside a large number"),
        pytest.param(lambda x: maximum(x - 1, 7), id="idle maximum"),
        pytest.param(lambda x: x * x, id="square"),
        pytest.param(cos, id="cosine"),
        pytest.param(lambda x: 1e-30 * cos(x), id="small cosine"),
    ],
)
def test_a_slope_of_0_is_compared(f: Callable[..., Any]) -> None:
    assert check_gradients(f, [0.0]) == (CheckedInput(0, 0.0, 0.0, True, ""),)


def test_sharp_and_smooth_is_compared_where_the_step_can_tell() -> None:
    for f, x in ((lambda x: tanh(1000 * x), 0.0), (lambda x: sin(1000 * x), 0.3)):
        assert check_gradients(f, [x])[0].checked


@given(st.floats(0.0, 15.0), st.floats(-2, 2))
def test_a_step_that_is_too_large_accuses_nobody(decade: float, x: float) -> None:
    for op in (sin, tanh, exp):
        check_gradients(lambda v, op=op: op(10**decade * v), [x])


def test_no_period_hides_a_slope() -> None:
    """Differences with the steps h, h/2 and h/4 are all 0."""
    for periods in (1, 2, 4, 8, 64):
        (report,) = check_gradients(lambda x, n=periods: sin(math.pi * n * 4e5 * x), [0.25])
        assert not report.checked


def test_what_is_computed_with_chance_accuses_nobody() -> None:
    chance = random.Random(0)
    for size in (1e-12, 1e-9, 1e-6, 1.0):
        (report,) = check_gradients(lambda x, size=size: sin(x) + size * chance.random(), [0.5])
        assert report.checked == (size < 1e-10)


# --- any expression -----------------------------------------------------------------------------

NUMBERS = (
    st.floats(-3, 3).map(lambda x: round(x, 3))
    | st.sampled_from([0.0, 1.0, -1.0, 1000.0, -1e5, 1e8, 1e-8, 1e10, 1e-10, 1e20])
    | st.floats(allow_nan=False, allow_infinity=False)
)
WRONG = {
    "a little too large": lambda slope: 1.0005 * slope,
    "a little too small": lambda slope: 0.9995 * slope,
    "doubled": lambda slope: 2.0 * slope,
    "of the wrong sign": lambda slope: -slope,
    "off by a term": lambda slope: slope + 0.1,
    "left out": lambda slope: 0.0 * slope,
    "another one": lambda slope: 0.7,
}


class Expression(NamedTuple):
    """Ops one after another, each of numbers before it: the inputs, constants and results."""

    constants: list[float]
    lines: list[tuple[str, list[int]]]

    def function(self, wrong: int = -1, op: ops.Op | None = None) -> Callable[..., Any]:
        """The function of the inputs, in which a line may have another op than its own."""

        def f(*inputs: Value) -> Any:
            numbers: list[Any] = [*inputs, *self.constants]
            for place, (name, operands) in enumerate(self.lines):
                entry = op if op is not None and place == wrong else ops.TABLE[name]
                numbers.append(entry(*[numbers[operand] for operand in operands]))
            return numbers[-1]

        return f


@st.composite
def expressions(draw: st.DrawFn) -> tuple[Expression, list[float]]:
    """An expression over the whole table, but for the op whose rule is not its slope."""
    names = [name for name in ops.TABLE if name != "stop_gradient"]
    point = draw(st.lists(NUMBERS, min_size=1, max_size=3))
    constants = draw(st.lists(NUMBERS, min_size=1, max_size=3))
    lines: list[tuple[str, list[int]]] = []
    for count in range(draw(st.integers(1, 7))):
        name = draw(st.sampled_from(names))
        arity = ops.TABLE[name].arity
        operand = st.integers(0, len(point) + len(constants) + count - 1)
        lines.append((name, draw(st.lists(operand, min_size=arity, max_size=arity))))
    return Expression(constants, lines), point


@given(expressions())
def test_what_is_right_is_never_accused(case: tuple[Expression, list[float]]) -> None:
    expression, point = case
    for report in check_gradients(expression.function(), point):
        assert report.checked == (report.reason == "")


@given(expressions(), st.data())
def test_what_is_wrong_never_passes(
    case: tuple[Expression, list[float]], data: st.DataObject
) -> None:
    """Where the right gradient passes, one that is off by more than a factor of 1.0005 does not."""
    expression, point = case
    place = data.draw(st.integers(0, len(expression.lines) - 1))
    op = ops.TABLE[expression.lines[place][0]]
    position = data.draw(st.integers(0, op.arity - 1))
    spoil = WRONG[data.draw(st.sampled_from(sorted(WRONG)))]
    rule = op.partials[position]
    rules = list(op.partials)
    rules[position] = lambda *operands: spoil(rule(*operands))
    wrong = expression.function(place, ops.Op("wrong", op.value, tuple(rules)))
    leaves = [Value(x) for x in point]
    output = wrong(*leaves)
    assume(isinstance(output, Value))
    for report, spoiled in zip(
        check_gradients(expression.function(), point), gradients(output, leaves), strict=True
    ):
        right = report.gradient
        off = not abs(spoiled - right) <= 4.99e-4 * max(abs(spoiled), abs(right))
        if report.checked and off:
            with contextlib.suppress(GradientError):
                assert not check_gradients(wrong, point)[report.position].checked


@pytest.mark.parametrize("inner", [1.0, 1e-8, 1e4])
@pytest.mark.parametrize("outer", [1.0, 1e-10, 1e-280, 1e200])
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("factor", [1.0005, 0.9995, -1.0, 0.0])
def test_a_wrong_rule_is_found_at_any_scale(
    inner: float, outer: float, offset: float, factor: float
) -> None:
    wrong = ops.Op("wrong", lambda x: x * x, (lambda x, z: factor * 2.0 * x,))
    with pytest.raises(GradientError):
        check_gradients(lambda x: (wrong(inner * x) + offset * inner * inner) * outer, [0.7])


@given(st.floats(0, 30), st.floats(0.1, 2))
def test_a_wrong_rule_never_passes_beside_any_number(decade: float, x: float) -> None:
    wrong = ops.Op("wrong", lambda x: x * x, (lambda x, z: 2.001 * x,))
    with contextlib.suppress(GradientError):
        assert not check_gradients(lambda v: 10**decade + wrong(v), [x])[0].checked


# --- higher orders ------------------------------------------------------------------------------


def test_the_second_order_names_what_was_differentiated() -> None:
    reports = check_gradients(lambda x, y: x**3 * y + sin(y), [2, 5], order=2)
    assert [(report.slope_of, report.position) for report in reports] == [
        ((), 0), ((), 1), ((0,), 0), ((0,), 1), ((1,), 0), ((1,), 1),
    ]  # fmt: skip
    assert all(report.checked for report in reports)
    assert [report.gradient for report in reports[2:]] == pytest.approx(
        [60, 12, 12, -math.sin(5)], rel=1e-12
    )


def test_the_third_order_goes_on() -> None:
    reports = check_gradients(lambda x: x**5, [2], order=3)
    assert [(report.gradient, report.slope_of) for report in reports] == [
        (80, ()), (160, (0,)), (240, (0, 0)),
    ]  # fmt: skip
    assert all(report.checked for report in reports)


def test_a_rule_whose_slope_is_wrong_is_found_by_the_second_order() -> None:
    cut = ops.Op("cut", math.exp, (lambda x, z: exp(stop_gradient(x)),))
    assert check_gradients(cut, [0.5])[0].checked
    with pytest.raises(
        GradientError,
        match=r"inputs\[0\] = 0.5: the gradient of ∂f/∂inputs\[0\] is 0.0, but .* is 1.648",
    ):
        check_gradients(cut, [0.5], order=2)
    third = ops.Op("third", lambda x: x**3 / 6, (lambda x, z: cut2(x),))
    cut2 = ops.Op("cut2", lambda x: x * x / 2, (lambda x, z: stop_gradient(x),))
    assert all(report.checked for report in check_gradients(third, [0.5], order=2))
    with pytest.raises(GradientError, match=r"of ∂²f/∂inputs\[0\]∂inputs\[0\] is 0.0"):
        check_gradients(third, [0.5], order=3)


def test_a_rule_that_is_another_one_for_values_is_found_by_the_second_order() -> None:
    def rule(x: Any, z: Any) -> Any:
        return (2.0 if isinstance(x, float) else 3.0) * x

    double = ops.Op("double", lambda x: x * x, (rule,))
    assert check_gradients(double, [0.5])[0].checked
    with pytest.raises(GradientError, match=r"the gradient of ∂f/∂inputs\[0\] is 3.0, but .* 2.0"):
        check_gradients(double, [0.5], order=2)


@settings(max_examples=10)
@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=4, max_size=4))
def test_the_second_derivatives_of_a_network_are_right(weights: list[float]) -> None:
    def loss(*weights: Value) -> Value:
        rnn = RNN([[w] for w in weights[:3]], "tanh")
        return (rnn.unroll([[1], [0], [1]]).pi[0] - weights[3]) ** 2

    reports = check_gradients(loss, weights, order=2)
    assert len(reports) == 4 + 16
    assert all(report.checked or abs(report.gradient) < 1e-6 for report in reports)


def test_a_kink_of_the_slope_is_not_passed_in_the_second_order() -> None:
    first, second = check_gradients(lambda x: x * relu(x) + x, [0.0], order=2)
    assert first.checked
    assert not second.checked
    assert "∂f/∂inputs[0] has a kink, a jump or a sharp bend within" in second.reason


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


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 5e-9, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 1e-6])
def test_the_absolute_tolerance_is_never_as_large_as_the_numbers(
    scale: float, offset: float
) -> None:
    with pytest.raises(GradientError):
        check_gradients(lambda x: scale * (x - x.detach()) + offset * scale, [1])


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
    with pytest.raises(ArgumentValueError, match=r"order must be 1 or more, not 0"):
        check_gradients(exp, [1], order=0)
    with pytest.raises(ArgumentTypeError, match=r"order must be an int, not float"):
        check_gradients(exp, [1], order=2.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"atol must be a real number, not str"):
        check_gradients(exp, [1], atol="small")  # type: ignore[arg-type]


def test_a_function_with_a_derivative_inside() -> None:
    def loss(w: Value) -> Any:
        return grad(lambda t: w * t * t)(2.0) ** 2

    [report] = check_gradients(loss, [3.0])
    assert report.checked
    assert report.gradient == 96.0


def test_an_infinite_slope_at_0_is_not_accused(define: Callable[..., Any]) -> None:
    # 0 · inf is NaN by the rules, though cbrt(0) does not move with x.
    [report] = check_gradients(lambda x: cbrt(x - x), [1.5])
    assert (report.checked, math.isnan(report.gradient)) == (False, True)
    assert report.reason == "cbrt(0.0) = 0.0 has a kink, a jump or an end within the step"
    endless = define("endless", lambda x: 2.0 * x, lambda x, z: math.inf)
    with pytest.raises(GradientError, match="the gradient is nan"):
        check_gradients(lambda x: endless(x - x), [1.5])


def test_differences_that_underflow_are_not_accused() -> None:
    [report] = check_gradients(lambda x: 5e-324 / x, [0.0231])
    assert not report.checked
    assert "f is rounded too coarsely" in report.reason
