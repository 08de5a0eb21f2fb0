"""The strategies for people's own tests hold everything, and the assertion finds every fault."""

from __future__ import annotations

import contextlib
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import find as find_smallest
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import autograd_rnn
from autograd_rnn import (
    RNN,
    GradientError,
    Loss,
    Model,
    Stack,
    Value,
    arctan2,
    cos,
    cosh,
    equal,
    grad,
    gradients,
    jvp,
    log,
    maximum,
    no_grad,
    primitive,
    relu,
    sigmoid,
    sin,
    sqrt,
    stop_gradient,
    tanh,
    where,
)
from autograd_rnn.backends import Backend
from autograd_rnn.ops import TABLE
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.testing import (
    assert_gradients,
    expressions,
    loss_of,
    losses,
    models,
    numbers,
    sequences,
    targets,
)

#: The kinds of model that the package has; tests define others.
KINDS = [
    thing
    for thing in vars(autograd_rnn).values()
    if isinstance(thing, type)
    and issubclass(thing, Model)
    and thing is not Model
    # Its step takes two inputs at a time: `models` has none unless asked.
    and thing is not autograd_rnn.Bidirectional
]
#: Without kinks, so that there are numerical derivatives, and without what has none on purpose.
SMOOTH = ["add", "sub", "mul", "div", "neg", "exp", "tanh", "sigmoid", "softplus", "sin", "cos"]
quick = settings(max_examples=2000, phases=[Phase.generate], database=None)


def find(strategy: st.SearchStrategy[Any], test: Callable[[Any], bool]) -> Any:
    """An example of the strategy that passes the test."""
    return find_smallest(strategy, test, settings=quick)


def find_all(
    strategy: st.SearchStrategy[Any], parts: Callable[[Any], Iterable[Any]], wanted: Iterable[Any]
) -> None:
    """Check that the examples of the strategy, taken together, have all parts that are wanted."""
    missing = set(wanted)

    def complete(example: Any) -> bool:
        missing.difference_update(parts(example))
        return not missing

    with contextlib.suppress(NoSuchExample):
        find(strategy, complete)
    assert not missing


few = settings(max_examples=settings().max_examples // 4)
once = settings(max_examples=settings().max_examples // 10)


# --- everything is in the strategies -------------------------------------------------------------


@pytest.mark.parametrize("x", [0.0, -0.0, 5e-324, 1e308, -1e308])
def test_awkward_numbers_are_common(x: float) -> None:
    find(numbers(), lambda number: str(number) == str(x))


def test_numbers_that_are_not_finite_come_on_request() -> None:
    for test in (math.isnan, math.isinf):
        find(numbers(nonfinite=True), test)
    find(numbers(0, 1), lambda x: x == 5e-324)


@given(numbers(), numbers(-1, 0.25))
def test_numbers_are_finite_and_within_their_bounds(anywhere: float, within: float) -> None:
    assert math.isfinite(anywhere)
    assert -1 <= within <= 0.25


def test_each_op_is_in_the_expressions() -> None:
    find_all(expressions(), lambda e: [op for op, _ in e.lines], TABLE)


def test_a_new_op_is_in_by_itself() -> None:
    primitive("cube", lambda x: x * x * x, lambda x, z: 3.0 * x * x)
    find(expressions(), lambda e: e.lines[-1][0] == "cube")


def layers(model: Model) -> list[type[Model]]:
    return [type(layer) for layer in model.layers] if isinstance(model, Stack) else []


def test_each_layer_is_in_the_models_and_in_the_stacks() -> None:
    find_all(models(), lambda model: [type(model)], KINDS)
    find_all(models(), layers, [kind for kind in KINDS if kind is not Stack])


def test_models_have_offsets_or_not_and_every_activation_and_depth() -> None:
    rnn = models([RNN], inputs=2)
    assert find(rnn, lambda model: not model.bias).inputs == 2
    find_all(rnn, lambda model: [model.activation], ["linear", "sin"])
    find(models(KINDS, outputs=2), lambda m: isinstance(m, Stack) and len(m.layers) == 3)


def test_a_new_kind_of_model_is_in_by_itself() -> None:
    class Doubling(Model):
        letters, gates = "h", "h"

        def advance(self, state: Any, x: Any, weights: Any) -> Any:
            return {"h": [2.0 * total for total in self.sums(weights[0], state[0] + x)]}

    find(models(most=1), lambda model: type(model) is Doubling)
    find(models([Doubling, Stack], most=1), lambda m: isinstance(m, Stack))


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_in_the_losses(name: str) -> None:
    public = getattr(autograd_rnn, name)
    find(losses(2), lambda pair: pair[0].function is public)


@given(st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), losses(n))))
def test_targets_fit_their_loss(drawn: tuple[int, tuple[Loss, Any]]) -> None:
    outputs, (loss, target) = drawn
    assert math.isfinite(loss([0.5] * outputs, target))


def test_targets_of_a_loss_of_ones_own() -> None:
    def check(goals: Any, outputs: int, argument: str) -> None:
        if goals != [1.0]:
            raise ValueError

    hinge = Loss("hinge", lambda output, target: maximum(1.0 - target * output, 0.0), check)
    assert find(targets(hinge), lambda target: True) in (1.0, [1.0])


# --- functions that are right ---------------------------------------------------------------------


@few
@given(expressions(ops=SMOOTH, most_ops=5), numbers(-2, 2), numbers(-2, 2))
def test_smooth_expressions_are_right_in_every_way(f: Any, x: float, y: float) -> None:
    assert_gradients(f, x, y)


@given(expressions(), numbers(nonfinite=True), numbers(-3, 3))
def test_expressions_agree_wherever_they_are_evaluated(f: Any, x: float, y: float) -> None:
    assert_gradients(f, x, y, orders=1, backends=["python"], differences=False)


@once
@given(st.data())
def test_networks_are_right_in_every_way(data: st.DataObject) -> None:
    model = data.draw(models([kind for kind in KINDS if kind is not RNN], most=2, inputs=1))
    loss, target = data.draw(losses(model.outputs))
    inputs = data.draw(sequences(model, most_steps=2))
    weights = [weight.data for weight in model.parameters()]
    f = loss_of(model, inputs, loss, target)
    assert_gradients(f, *weights, orders=2, backends=["python", "native"], differences=False)


@given(st.data())
def test_the_loss_of_weights_is_that_of_the_model(data: st.DataObject) -> None:
    model = data.draw(models(KINDS))
    loss, target = data.draw(losses(model.outputs))
    inputs = data.draw(sequences(model))
    direct = loss(model.unroll(inputs).output, target)
    f, weights = loss_of(model, inputs, loss, target), model.parameters()
    assert str(f(*[weight.data for weight in weights])) == str(direct.data)
    assert str(gradients(f(*weights), weights)) == str(gradients(direct, weights))


def test_arrays_as_inputs() -> None:
    weights, x = np.array([[0.5, -1.0], [0.25, 2.0]]), np.array([1.0, -0.5])
    assert assert_gradients(lambda w, x: (np.tanh(w @ x) ** 2).sum(), weights, x) == ()
    with pytest.raises(GradientError, match=r"with respect to inputs\[4\]"):
        assert_gradients(lambda w, x: (w @ x).sum() * stop_gradient(x[0]), weights, x)


def test_what_has_no_numerical_derivative_is_reported() -> None:
    for f, x, said in [
        (relu, 0.0, "f has a kink or a jump there"),
        (lambda x: 1e10 + autograd_rnn.abs(x), 0.0, "f is too steep, or too rough"),
        (lambda x: 1e-9 * autograd_rnn.abs(x), 0.0, "f has a kink or a jump there"),
        (autograd_rnn.step, 0.0, "f is too steep, or too rough"),
        (sin, 1e16, "a number of size 1e+16 is too large for a small step"),
        (autograd_rnn.log, -1.0, "f is not finite nearby"),
        (autograd_rnn.sqrt, 0.0, "reverse mode gives inf"),
    ]:
        reported = assert_gradients(f, x, orders=1, backends=[])
        expected = f"order 1, with respect to inputs[0]: no numerical comparison, as {said}"
        assert reported == (expected,), reported
    for f, x in [(lambda x: tanh(1000 * x), 0.0), (lambda x: sin(1000 * x), 0.3)]:
        assert assert_gradients(f, x, orders=2, backends=[]) == ()
    assert assert_gradients(lambda x: x * autograd_rnn.abs(x), 0.0, orders=1, backends=[]) == ()


# --- planted faults ------------------------------------------------------------------------------


class Counter:
    """A function with a state: it gives something else at each call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return x * float(self.calls)


class Memory:
    """A function that keeps its first result for each number."""

    def __init__(self) -> None:
        self.known: dict[float, Any] = {}

    def __call__(self, x: Any) -> Any:
        return self.known.setdefault(getattr(x, "data", x), x * x)


def under_no_grad(x: Any) -> Any:
    with no_grad():
        factor = x * 1.0
    return factor * x


def refuse(x: Any, kind: type) -> Any:
    if isinstance(x, kind):
        raise ValueError("not this one")
    return x * 2.0


def data_of(x: Any) -> Any:
    return getattr(x, "data", x)


def by_dice() -> Callable[[Any], Any]:
    dice = random.Random(0)
    return lambda x: x * dice.random()


FAULTS: dict[str, tuple[Callable[[], Callable[..., Any]], str]] = {
    "a state": (Counter, "one call gives .*, but another call gives"),
    "randomness": (by_dice, "one call gives .*, but another call gives"),
    "a memory": (Memory, "order 1, with respect to inputs"),
    "float": (lambda: lambda x: x * float(x), "f of Values refuses with ArgumentTypeError"),
    "math": (lambda: lambda x: x + math.exp(x), "f of Values refuses with ArgumentTypeError"),
    ".data": (lambda: lambda x: x * x.data, "f of plain numbers refuses with AttributeError"),
    "a method": (lambda: lambda x: x.tanh(), "f of plain numbers refuses with AttributeError"),
    ".data if there is any": (
        lambda: lambda x: x * data_of(x),
        "the recorded program refuses with RecordingError",
    ),
    "no_grad": (lambda: under_no_grad, "the numerical derivative gives"),
    "stop_gradient": (lambda: lambda x: x * stop_gradient(x), "the numerical derivative gives"),
    "a branch that nobody sees": (
        lambda: lambda x: x * 2.0 if data_of(x) > 0 else -x,
        "the recorded program refuses with RecordingError",
    ),
    "a value by the type": (
        lambda: lambda x: x * (2.0 if isinstance(x, Value) else 2.001),
        "the value of f: f of Values gives .*, but f of plain numbers gives",
    ),
    "refused Values": (lambda: lambda x: refuse(x, Value), "f of Values refuses with ValueError"),
    "refused floats": (lambda: lambda x: refuse(x, float), "plain numbers refuses with ValueError"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_of_functions(fault: str) -> None:
    make, said = FAULTS[fault]
    with pytest.raises(GradientError, match=said):
        assert_gradients(make(), 1.25)


def test_a_derivative_that_depends_on_what_the_others_are() -> None:
    def f(x: Any, y: Any) -> Any:
        return x * y if isinstance(y, Value) else stop_gradient(x) * y

    with pytest.raises(GradientError, match=r"f of \(a Value, a number\) gives 0.0"):
        assert_gradients(f, 2.0, 3.0)


def half_right(rule: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A rule with the value of another, and none of its derivatives."""
    return lambda x, z: stop_gradient(rule(x))


@pytest.mark.parametrize(
    ("order", "rule"),
    [(1, lambda x, z: 4.0 * x), (1, lambda x, z: 2.001 * x), (2, half_right(lambda x: 2.0 * x))],
)
@pytest.mark.parametrize("f", [lambda wrong, x: wrong(x), lambda wrong, x: 1e-10 * wrong(x)])
def test_planted_faults_of_rules(order: int, rule: Any, f: Any) -> None:
    wrong = primitive("wrong", lambda x: x * x, rule)
    said = f"order {order}, .* but the numerical derivative gives"
    with pytest.raises(GradientError, match=said):
        assert_gradients(lambda x: f(wrong, x), 1.25, backends=["python"])


def test_a_rule_that_is_wrong_at_order_3() -> None:
    slope = primitive("slope", lambda x: 3.0 * x * x, half_right(lambda x: 6.0 * x))
    cube = primitive("wrong", lambda x: x * x * x, lambda x, z: slope(x))
    assert_gradients(cube, 1.25, orders=2, backends=["python"])
    with pytest.raises(GradientError, match="order 3, .* but the numerical derivative gives"):
        assert_gradients(cube, 1.25, backends=["python"])


def test_planted_faults_of_arrays_and_machine_code() -> None:
    wrong = primitive(
        "wrong",
        lambda x: x * x,
        lambda x, z: 2.0 * x,
        arrays=lambda np, x: x * x * x,
        llvm="%z = fadd {v} %x, %x",
    )
    for name, kind in Backend.kinds.items():
        if name in ("numpy", "native") and not kind.explain():
            # Its gradient calls the op where there is a second use.
            with pytest.raises(GradientError, match=f"the backend '{name}'"):
                assert_gradients(lambda x: wrong(wrong(x)), 1.25, backends=[name])
    plain = primitive("plain", lambda x: x * x, lambda x, z: 2.0 * x)
    refused = assert_gradients(lambda x: plain(plain(x)), 1.25, orders=1, backends=["native"])
    assert "the backend 'native' refuses: " in refused[0]


def test_a_mode_that_is_wrong() -> None:
    def f(x: Any) -> Any:
        # As if the engine dropped a term when an outer derivative is taken.
        inner = grad(lambda y: x * y * y)(1.5)
        return x * (inner if isinstance(x, float) else data_of(inner))

    with pytest.raises(GradientError, match="order 1"):
        assert_gradients(f, 2.0)
    for inner in (
        lambda x: grad(lambda y: x * y * y)(1.5),
        lambda x: jvp(lambda y: x * y * y, [1.5], [1.0])[1],
    ):
        assert assert_gradients(lambda x, inner=inner: x * inner(x), 2.0, backends=[]) == ()


def test_what_all_ways_refuse_is_raised() -> None:
    def f(x: Any) -> Any:
        if x > 1:
            raise ArithmeticError("too large")
        return sigmoid(x)

    with pytest.raises(ArithmeticError, match="too large"):
        assert_gradients(f, 2.0)
    assert assert_gradients(f, 0.5) == ()


def test_refused_arguments() -> None:
    with pytest.raises(TypeError, match="f must be a function, not int"):
        assert_gradients(1, 2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"inputs\[0\] must be a real number, not str"):
        assert_gradients(sin, "2")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"inputs must be a real number, not Value"):
        assert_gradients(sin, Value(2.0))
    with pytest.raises(ValueError, match="inputs are missing"):
        assert_gradients(sin)
    with pytest.raises(ValueError, match="orders must be 3 or less, not 4"):
        assert_gradients(sin, 1.0, orders=4)
    with pytest.raises(ValueError, match="backends 'x' is unknown"):
        assert_gradients(sin, 1.0, backends=["x"])


def test_without_hypothesis_it_is_said_how_to_get_it() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; import autograd_rnn.testing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs Hypothesis, which is not installed: pip install hypothesis" in run.stderr


def test_what_rounding_flattens_is_not_accused() -> None:
    for f, x in (
        (lambda x: where(equal(x, 0.0), 1.0 - x * x / 6, sin(x) / x), 0.0),
        (lambda x: 1.0 - cos(x), 1e-9),
        (lambda x: sqrt(1.0 + x * x) - 1.0, 1e-9),
        (lambda x: log(1.0 + x * x * 1e-14), 0.5),
    ):
        assert_gradients(f, x, orders=2, backends=[])


@pytest.mark.parametrize("point", [(1e-300, 1e-3), (0.0, -3.0), (1e-9, 1e-9), (1e-17, 1e-17)])
def test_what_cancels_within_a_derivative_is_not_accused(point: tuple[float, float]) -> None:
    # The slope of y / y is 0, or what two terms leave of each other: what it is multiplied by in
    # the next order may then be 0 in one way of computing, and not in another.
    for name in ("numpy", "native"):
        if not Backend.kinds[name].explain():
            assert_gradients(lambda x, y: cos(x + y / y), *point, backends=[name])


@pytest.mark.parametrize(("name", "point"), [("sigmoid", 37.0), ("tanh", 19.0)])
def test_a_pole_within_the_rounding_is_not_accused(name: str, point: float) -> None:
    # NumPy rounds the activation to 1, and Python to the float below.
    active = TABLE[name]
    assert_gradients(lambda x: log(1.0 - active(x)), point, orders=1, backends=["numpy"])


def test_a_step_that_is_rounded_is_not_accused() -> None:
    assert_gradients(lambda x: log(x) * (log(x) - 2.37e-12), 1.0, orders=1, backends=[])


def test_what_python_refuses_is_not_accused() -> None:
    # 0 / 0 is NaN in IEEE arithmetic, but Python refuses it where y is a plain number.
    assert_gradients(lambda x, y: cos(x + y / y), 0.0, 0.0, orders=1, backends=[])


def test_a_small_fault_is_found_beside_rounding() -> None:
    off = primitive(
        "off", lambda x: x * x, lambda x, z: 2.0 * x, arrays=lambda np, x: x * x * (1.0 + 1e-6)
    )
    for inner in (
        lambda x, y: x * y,
        lambda x, y: (x + sin(y)) ** (x * y),
        lambda x, y: arctan2(cosh(y), x),
        lambda x, y: cos(x + y / y),
    ):
        with pytest.raises(GradientError, match="the backend 'numpy'"):
            assert_gradients(lambda x, y, f=inner: sin(off(f(x, y))), 0.7, 1.3, backends=["numpy"])
