"""Recording: everything that a function computes, or an error that says what to write."""

from __future__ import annotations

import copy
import operator
import pickle
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    BranchChanged,
    Program,
    RecordingError,
    Value,
    bits,
    check_gradients,
    compile_step,
    copies,
    detect_anomaly,
    draw,
    freeze,
    grad,
    gradients,
    greater,
    hessian,
    hvp,
    jvp,
    no_grad,
    record,
    value_and_grad,
    where,
)
from autograd_rnn.engine.leaves import assign_numbers, read_gradients, read_numbers
from autograd_rnn.engine.shared import WATCH

from ..operations import BRANCHING, OPERATIONS, REFUSED
from ..strategies import any_numbers


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Any:
    yield
    assert WATCH.open == 0


# --- any function --------------------------------------------------------------------------------

plans = st.lists(
    st.tuples(st.sampled_from(list(OPERATIONS)), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=6,
)
points = st.lists(st.sampled_from([0.0, 0.5, -0.5, 0.25, 1.5, -2.0]), min_size=2, max_size=2)


def _planned(plan: Any) -> Callable[..., Any]:
    """A function of two numbers that makes further ones of them, and gives the last."""

    def f(*given: Any) -> Any:
        values = list(given)
        for name, a, b in plan:
            found = OPERATIONS[name](values[a % len(values)], values[b % len(values)])
            values.append(found if isinstance(found, Value) else Value(found))
        return values[-1]

    return f


@given(plans, points, points)
def test_any_function_is_recorded_as_it_is(plan: Any, examples: Any, point: Any) -> None:
    f = _planned(plan)
    value, slopes = value_and_grad(f)(*point)
    program = record(f, *examples)
    try:
        found = program.gradient()(*point)
        again = record(lambda *xs: program.gradient()(*xs), *point)(*point)
    except BranchChanged:
        assert BRANCHING & {name for name, *_ in plan}
        return
    assert repr(found) == repr(again) == repr((value, *slopes))
    source: dict[str, Any] = {}
    exec(program.gradient().python(), source)
    assert repr(source["program"](*point)) == repr(found)
    assert value_and_grad(program)(*point) == (value, pytest.approx(slopes, nan_ok=True, rel=1e-12))
    slope = record(grad(f, argnums=0), *examples)
    assert slope(*point) == pytest.approx(slopes[0], nan_ok=True, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_of_any_function_are_refused(name: str) -> None:
    for inner in (lambda *xs: REFUSED[name](*xs), lambda x, y: grad(REFUSED[name])(x, y)[0]):
        with pytest.raises(RecordingError, match="is a plain number"):
            record(inner, 2.0, 3.0)


# --- what stops gradients ------------------------------------------------------------------------


def test_detach_stops_gradients_in_the_program() -> None:
    program = record(lambda x: x * x.detach(), 3.0)
    assert program(5.0) == 25.0
    assert program.gradient()(5.0) == (25.0, 5.0)
    assert program.gradient().select(1).gradient()(5.0) == (5.0, 0.0)
    assert str(program).splitlines()[1] == "  v₂ = x₁·sg(x₁)"
    names: dict[str, Any] = {}
    exec(program.gradient().python(), names)
    assert names["program"](5.0) == (25.0, 5.0)
    twice = record(lambda x: x * (x * x.detach()).detach(), 3.0).gradient()
    assert twice(2.0) == (8.0, 4.0)
    nested = record(lambda x: grad(lambda y: y * y * y.detach() * x.detach())(x), 3.0)
    assert nested.gradient()(2.0) == (2 * 2.0**3, 2 * 2.0**2)
    inner = record(lambda x: record(lambda y: y * y.detach(), 1.0).gradient()(x)[1] * x, 3.0)
    assert inner.gradient()(2.0) == (4.0, 2.0)


def test_what_no_grad_computes_is_computed_again() -> None:
    def half(x: Value) -> Value:
        with no_grad():
            factor = x * x
            with no_grad():
                factor = factor + x
        return factor * x

    program = record(half, 3.0)
    assert program(5.0) == 150.0
    assert program.gradient()(5.0) == value_and_grad(half)(5.0) == (150.0, 30.0)

    @no_grad()
    def slope(x: Value) -> Any:
        return grad(lambda y: y * y * x)(2.0)

    assert record(lambda x: slope(x) * x, 1.0).gradient()(3.0) == (36.0, 12.0)

    def decided(x: Value) -> Value:
        with no_grad():
            large = x * 2 > 10
        return x if large else -x

    with pytest.raises(BranchChanged, match=r"v_\d+ > 10\.0 was False"):
        record(decided, 3.0)(6.0)


def test_an_anomaly_in_a_recording_names_its_node() -> None:
    with pytest.raises(ArithmeticError, match=r"log\(x_1 = 0\.0\) = -inf"), detect_anomaly():
        record(lambda x: x.log(), 0.0)
    with detect_anomaly():
        assert record(lambda x: x * x.detach(), 2.0)(3.0) == 9.0


# --- comparisons ---------------------------------------------------------------------------------

COMPARE = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
#: Numbers as people write them.
NUMBERS: list[Any] = [
    *[0, 1, -1, 2**53 + 1, True + 1, Fraction(1, 3), Fraction(1, 10), 0.1, 1 / 3, -0.0],
    *[float("nan"), float("inf"), -float("inf"), 5e-324],
    *[np.float32(0.1), np.float64(0.1), np.float16(0.1), np.int64(3), np.uint8(1)],
]


@given(
    st.sampled_from(COMPARE),
    st.sampled_from(NUMBERS) | any_numbers,
    st.sampled_from(NUMBERS) | any_numbers,
    st.sampled_from(NUMBERS) | any_numbers,
)
def test_guards_compare_as_the_engine_does(
    compare: Callable[[Any, Any], bool], example: Any, number: Any, other: Any
) -> None:
    def f(x: Any) -> Any:
        return x * 2.0 if compare(x, number) else x - 1.0

    program = record(f, example)
    sources: dict[str, Any] = {}
    exec(program.python(), sources)
    exec(program.numpy("on_arrays_of_numbers"), sources)
    assert repr(program(example)) == repr(f(Value(example)).data)
    expected = f(Value(other)).data
    went_alike = compare(Value(other), number) == compare(Value(example), number)
    for call in (program, sources["program"], program.simplified()):
        if went_alike:
            assert repr(call(float(other))) == repr(expected)
        else:
            with pytest.raises(BranchChanged):
                call(float(other))
    with np.errstate(all="ignore"):
        if went_alike:
            sources["on_arrays_of_numbers"](np.array([float(other)]))
        else:
            with pytest.raises(BranchChanged):
                sources["on_arrays_of_numbers"](np.array([float(other)]))


def test_equality_is_guarded_wherever_python_asks_for_it() -> None:
    sinc = record(lambda x: 1.0 if x == 0 else x.sin() / x, 0.0)
    assert sinc(0.0) == sinc(-0.0) == 1.0
    with pytest.raises(BranchChanged, match=r"x_1 == 0\.0 was True when .* False for x_1 = 0\.5: "):
        sinc(0.5)
    inside = record(lambda x: x * 2 if x in [1, 2.0] else x, 2)
    assert [(g.comparison, g.outcome) for g in inside.guards] == [("==", False), ("==", True)]
    with pytest.raises(BranchChanged):
        inside(1.0)
    largest = record(lambda x, y: max([x, y, 1]), 2, 3)
    assert largest(4.0, 5.0) == 5.0
    with pytest.raises(BranchChanged):
        largest(5.0, 4.0)
    ordered = record(lambda *xs: sorted(xs), 3, 1, 2)
    assert ordered(30.0, 10.0, 20.0) == (10.0, 20.0, 30.0)
    with pytest.raises(BranchChanged):
        ordered(1.0, 2.0, 3.0)


def test_comparisons_of_constants_alone_are_no_guards() -> None:
    assert record(lambda x: x * 2 if Value(2) > 1 else x, 2).guards == ()


def test_values_are_compared_by_identity_so_equal_numbers_are_refused() -> None:
    for f in (
        lambda x, y: x if x == y else -y,
        lambda x, y: x if x != y else -y,
        lambda x, y: x if x in [y] else -y,
        lambda x, y: x if Value(2.0) == y else -y,
    ):
        with pytest.raises(RecordingError, match=r"compares objects.*Write x - y == 0 for numbers"):
            record(f, 2.0, 2.0)
    assert record(lambda x, y: x if x == x and y != x else -y, 2.0, 3.0).guards == ()
    assert len(record(lambda x, y: x if x - y == 0 else -y, 2.0, 2.0).guards) == 1


@pytest.mark.parametrize("use", [int, float, [1, 2].__getitem__, range, round, complex])
def test_a_value_is_no_index_and_no_plain_number(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        record(lambda x: use(x) * x, 1.0)


# --- numbers that would leave the recording ------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * x.data,
        lambda x: x if (x * 2).data > 0 else -x,
        lambda x: Value(x.data) * 2,
        lambda x: x * x.detach().data,
        lambda x: x * no_grad()(lambda: x * x)().data,
        lambda x: x * x.tanh().partials[0],
        lambda x: x * x.grad,
        lambda x: (x * x).backward(),
        lambda x: gradients(x * x, [x], create_graph=False)[0] * x,
        lambda x: grad(lambda y: y * x, create_graph=False)(2.0) * x,
        lambda x: jvp(lambda y: y * x, [2.0], [1.0], create_graph=False)[1] * x,
        lambda x: hessian(x * x, [x], create_graph=False)[0][0] * x,
        lambda x: pickle.loads(pickle.dumps(x)),
        lambda x: copies(x, x * x)[0].grad * x,
        lambda x: Program.of(x * x, [x])(3.0) * x,
        lambda x: Program.of(x * 2.0 + x.detach(), [])() * x,
        lambda x: check_gradients(lambda y: y * x, [1.0])[0].gradient * x,
        lambda x: draw(x * x) and x,
        lambda x: x * RNN([[x], [1.0]], bias=False).to_dict()["weights"][0][0],
    ],
)
def test_numbers_are_not_taken_out(f: Any) -> None:
    with pytest.raises(RecordingError, match="is a plain number, which a recording would keep for"):
        record(f, 2.0)


def test_the_way_out_is_in_the_message() -> None:
    for f, words in [
        (lambda x: x.data, r"data of x_1 = 2\.0 is .*Compare the Value itself, or take its detach"),
        (lambda x: (x * 3).grad, r"grad of mul\(x_1 = 2\.0, 3\.0\) = 6\.0 is .*create_graph=True"),
        (lambda x: (x * 3).backward(), r"backward of mul.*Take gradients\(\.\.\., create_graph"),
    ]:
        with pytest.raises(RecordingError, match=words):
            record(f, 2.0)  # type: ignore[arg-type]


def test_leaves_are_not_assigned_in_a_recording() -> None:
    w = Value(1.0, "w")

    def assigns(x: Value) -> Value:
        w.data = 5.0
        return x

    with pytest.raises(RecordingError, match=r"data of w = 1\.0 is assigned in a function that is"):
        record(assigns, 2.0)
    assert w.data == 1.0


def test_numbers_of_many_leaves_are_read_and_assigned_outside_only() -> None:
    w, into = Value(1.0, "w"), array("d", [0.0])
    for use, words in [
        (lambda x: read_numbers([x], into), r"data of x_1 = 2\.0 is a plain number"),
        (lambda x: read_gradients([x], into), r"grad of x_1 = 2\.0 is a plain number"),
        (lambda x: assign_numbers([w], into), r"data of w = 1\.0 is assigned in a function"),
    ]:
        with pytest.raises(RecordingError, match=words):
            record(use, 2.0)  # type: ignore[arg-type]
    assert w.data == 1.0


def test_what_does_not_depend_on_the_inputs_may_be_read_and_printed() -> None:
    def f(x: Value) -> Value:
        own = Value(2.0)
        y = own * own
        y.backward()
        assert (y.data, own.grad, y.partials) == (4.0, 4.0, (2.0, 2.0))
        assert (f"{x:.1f}", repr(x)[:9], x.name, (x * x).constant) == (
            "3.0",
            "Value(3.0",
            "x_1",
            False,
        )
        return x * y.data + grad(lambda v: v * v)(own.data)

    assert record(f, 3.0)(5.0) == 24.0


# --- variables from outside ----------------------------------------------------------------------


def test_other_variables_are_refused() -> None:
    w = Value(3.0, "w")
    older = w * 2
    unnamed = Value(3.0)
    for f in (
        lambda x: x * w,
        lambda x: x + older,
        lambda x: w,
        lambda x: older,
        lambda x: (x, w),
        lambda x: x if x > w else -x,
        lambda x: x if w > x else -x,
        lambda x: x if w > 2 else -x,
        lambda x: x * w.detach(),
        lambda x: x * w.data,
        lambda x: x * copy.copy(w),
        lambda x: x * no_grad()(lambda: w * 2)(),
        lambda x: x * grad(lambda y: y * w)(2.0),
        lambda x: x * RNN([[w], [1]], bias=False)(bits("1"))[0],
    ):
        with pytest.raises(RecordingError, match=r"uses w = 3\.0.*pass it as an input, or hold"):
            record(f, 1.0)
    late = unnamed * 2
    with pytest.raises(RecordingError, match=r"uses the unnamed Value\(3\.0\), by mul\(3\.0, 2"):
        record(lambda x: x + late, 1.0)


def test_constants_are_held_as_they_are() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)

    def last(x: Value) -> Any:
        return rnn.unroll([[x], [0], [x]]).output

    program = record(last, 1.0, constants=rnn.parameters())
    rnn.weights[0][0].data = 100.0
    assert program(1.0) == 17.0
    assert program.gradient()(1.0) == (17.0, 17.0)
    w = Value(3.0, "w")
    inner = w * 2
    held = record(lambda x: x * inner + inner.data, 1.0, constants=[inner])
    assert (held(2.0), held.constants, len(held.lines)) == (18.0, (6.0, 6.0), 2)
    with pytest.raises(TypeError, match=r"constants\[0\] must be a Value, not float"):
        record(lambda x: x, 1.0, constants=[3.0])  # type: ignore[list-item]
    with no_grad():
        constant = w * 2
    assert record(lambda x: x + constant, 1.0)(1.0) == 7.0
    assert record(lambda x: x + Value(2.0) * Value(3.0), 1.0)(1.0) == 7.0


def test_what_another_derivative_is_taken_by_is_an_input() -> None:
    words = r"a variable of an outer derivative, outside.*pass it to the function as an input"
    for outer in (
        lambda: grad(lambda x: record(lambda y: x * y, 2.0)(3.0))(4.0),
        lambda: grad(lambda x: record(lambda y: x * y, 2.0)(3.0))(Value(4.0)),
        lambda: grad(lambda x: _recorded_beside(x * 2))(Value(4.0)),
        lambda: record(lambda x: record(lambda y: x * y, 2.0)(3.0), 4.0),
    ):
        with pytest.raises(RecordingError, match=words):
            outer()
    assert grad(lambda x: record(lambda y, z: z * y * z, 2.0, 1.0)(3.0, x))(4.0) == 24.0


def _recorded_beside(result: Any) -> Any:
    return record(lambda y: result * y, 2.0)(3.0)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x * 2,
        lambda x: (x * 2).data,
        lambda x: x.data,
        lambda x: x.detach().data if x > 0 else x,
        lambda x: 2.0 if x > 0 else 1.0,
        lambda x: grad(lambda y: x * y)(2.0),
    ],
)
def test_what_another_thread_computes_is_refused(use: Callable[[Any], Any]) -> None:
    def by_a_thread(x: Any) -> Any:
        with ThreadPoolExecutor() as pool:
            return pool.submit(use, x * 1.0).result() * x

    with pytest.raises(RecordingError, match=r"in a thread other than|in the same thread"):
        record(by_a_thread, 3.0)


def test_other_threads_may_work_on_values_of_their_own() -> None:
    w = Value(0.5, "w")

    def step(state: Any, x: Any, given: Any) -> Any:
        with ThreadPoolExecutor() as pool:
            assert pool.submit(lambda: (w * 2).data + Value(1.0).data).result() == 2.0
        return state, w * x[0]

    compiled = compile_step(step, "squared_error", [w], [], backend="python")
    assert compiled.loss_and_gradients([[1]], [1]) == (0.25, [-1.0])


def test_a_derivative_inside_is_guarded_by_the_branch_that_it_went_through() -> None:
    def f(y: Any) -> Any:
        return where(greater(y, 1.0), y * y, y)

    assert record(f, 0.0).gradient()(2.0) == (4.0, 4.0)
    for place, derivative in enumerate(
        (
            grad(f),
            lambda x: jvp(f, [x], [1.0])[1],
            lambda x: hvp(f, [x], [1.0])[0],
            lambda x: hessian(f, [x])[0][0],
            lambda x: gradients(f(x), [x])[0],
        )
    ):
        program = record(derivative, 3.0)
        assert program(2.0) == (2.0 if place in (2, 3) else 4.0)
        with pytest.raises(BranchChanged):
            program(0.0)
        with pytest.raises(BranchChanged):
            record(derivative, 0.0)(2.0)


def test_a_frozen_weight_is_listed_or_refused() -> None:
    w, v = Value(2.0, "w"), Value(3.0, "v")
    freeze(w)

    def step(state: Any, x: Any, weights: Any) -> Any:
        return (w * v * x[0],), (w * v * x[0],)

    for backend in ("python", "numpy"):
        with pytest.raises(RecordingError, match=r"w = 2\.0"):
            compile_step(step, "squared_error", [v], [0.0], backend=backend).loss_and_gradients(
                [[1.0]], [1.0]
            )
        compiled = compile_step(step, "squared_error", [w, v], [0.0], backend=backend)
        assert compiled.loss_and_gradients([[1.0]], [1.0]) == (25.0, [0.0, 20.0])
        w.data = 4.0
        assert compiled.loss_and_gradients([[1.0]], [1.0]) == (121.0, [0.0, 88.0])
        w.data = 2.0


def test_powers_whose_slope_is_a_number() -> None:
    w = Value(2.0)

    def step(state: Any, x: Any, weights: Any) -> Any:
        return (), w**0 * x[0] + w**1 * x[0]

    for backend in ("python", "numpy"):
        compiled = compile_step(step, "squared_error", [w], [], backend=backend)
        assert compiled.loss_and_gradients([[1.0]], [0.0]) == (9.0, [6.0])
