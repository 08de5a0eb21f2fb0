"""`where`: what was not taken adds an exact 0 to every derivative, on every backend."""

import math
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    Value,
    compile_step,
    cosh,
    derive,
    draw,
    equal,
    grad,
    gradients,
    greater,
    hessian,
    hvp,
    hypot,
    jvp,
    log,
    record,
    sin,
    sqrt,
    step,
    value_and_grad,
    where,
)
from autograd_rnn.errors import ArgumentTypeError
from autograd_rnn.ops.op import TABLE

BACKENDS = ["eager", "python", *["numpy"], *["native"] * bool(find_spec("llvmlite"))]
BACKENDS += ["jax"] * bool(find_spec("jax"))


def shared(x: Any) -> Any:
    """One root for two branches with conditions of their own."""
    root = sqrt(x)
    return where(greater(x, 0.0), 2.0 * root, x) + where(greater(x, -1.0), x, root * root)


def from_the_branch(x: Any) -> Any:
    """A condition on what the branch computes."""
    root = sqrt(x)
    return where(greater(root, 0.0), log(root) * x, 3.0 * x)


def nested(x: Any) -> Any:
    inner = where(greater(x, 1.0), sqrt(x - 1.0), cosh(x))
    return where(greater(x, 0.0), inner * log(x), x * x)


#: Functions that are singular in the branch not taken, and what they equal at points.
SINGULAR: list[tuple[Callable[[Any], Any], float, Callable[[Any], Any]]] = [
    (lambda x: where(greater(x, 0.0), log(x), 3.0 * x), 0.0, lambda x: 3.0 * x),
    (lambda x: where(greater(x, 0.0), sqrt(x), x * x), 0.0, lambda x: x * x),
    (lambda x: where(greater(x, 0.0), sqrt(x), x * x), -4.0, lambda x: x * x),
    (lambda x: where(equal(x, 0.0), 1.0 + x, sin(x) / x), 0.0, lambda x: 1.0 + x),
    (lambda x: where(equal(x, 0.0), 1.0 + x, sin(x) / x), 2.0, lambda x: sin(x) / x),
    (lambda x: where(step(x), x**0.3, 2.0 - x * x * x), -0.0, lambda x: 2.0 - x * x * x),
    (lambda x: where(step(x - 1.0), x, x ** (x - 1.0)) * x, 1.0, lambda x: x ** (x - 1.0) * x),
    (
        lambda x: where(greater(hypot(x, 0.0), 0.0), x / hypot(x, 0.0), 5.0 * x),
        0.0,
        lambda x: 5.0 * x,
    ),
    (nested, -2.0, lambda x: x * x),
    (nested, 0.0, lambda x: x * x),
    (nested, 0.5, lambda x: cosh(x) * log(x)),
    (nested, 3.0, lambda x: sqrt(x - 1.0) * log(x)),
    (shared, 0.0, lambda x: x + x),
    (from_the_branch, 0.0, lambda x: 3.0 * x),
    (from_the_branch, 4.0, lambda x: log(sqrt(x)) * x),
]
CASES = [pytest.param(*case, id=f"{place}") for place, case in enumerate(SINGULAR)]


@pytest.mark.parametrize(("f", "x", "same"), CASES)
def test_derivatives_of_any_order_are_those_of_what_was_taken(
    f: Callable[[Any], Any], x: float, same: Callable[[Any], Any]
) -> None:
    near = [pytest.approx(z, rel=1e-13) for z in (same(x), grad(same)(x), grad(grad(same))(x))]
    assert (*value_and_grad(f)(x), grad(grad(f))(x)) == tuple(near)
    assert jvp(f, [x], [1.0]) == tuple(near[:2])
    assert hvp(f, [x], [1.0]) == (near[2],)
    leaf = Value(x)
    assert hessian(f(leaf), [leaf]) == ((near[2],),)
    assert grad(grad(grad(f)))(x) == pytest.approx(grad(grad(grad(same)))(x), rel=1e-13)


@pytest.mark.parametrize("example", [-2.0, 0.5, 3.0])
@pytest.mark.parametrize(("f", "x", "same"), CASES)
def test_a_program_takes_either_branch(
    f: Callable[[Any], Any], x: float, same: Callable[[Any], Any], example: float
) -> None:
    program = record(f, example)
    expected = grad(f), grad(grad(f)), grad(grad(grad(f)))
    assert program(x) == value_and_grad(f)(x)[0]
    for derivative in expected:
        program = program.gradient().select(1)
        wanted = derivative(x)
        assert program(x) == pytest.approx(wanted, rel=1e-13)
        assert program.simplified()(x) == program(x)
        names: dict[str, Any] = {}
        exec(program.python(), names)
        assert names["program"](x) == program(x)
        exec(program.numpy(), names)
        with np.errstate(all="ignore"):
            both = names["program"](np.array([x, 0.25]))
        assert both.tolist() == pytest.approx([wanted, derivative(0.25)], rel=1e-12)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize(("f", "x", "same"), CASES)
def test_jax_differentiates_a_printed_program(
    f: Callable[[Any], Any], x: float, same: Callable[[Any], Any]
) -> None:
    import jax

    names: dict[str, Any] = {}
    exec(record(f, 0.5).jax(), names)
    found = names["program"]
    with jax.enable_x64(True):
        for wanted in (value_and_grad(f)(x)[0], grad(f)(x), grad(grad(f))(x)):
            assert float(jax.jit(found)(x)) == pytest.approx(wanted, rel=1e-12)
            found = jax.grad(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("at", ["last", "every"])
def test_sequences_of_a_batch_take_branches_of_their_own(
    backend: str, exact: bool, at: str
) -> None:
    if exact and backend not in ("eager", "python", "native"):
        return

    def one_step(state: Any, x: Any, weights: Any) -> Any:
        a, b = weights
        inner = where(greater(x[0], 0.0), a * log(x[0] * b), b * x[0])
        return (sin(inner + where(equal(state[0], 0.0), b, a / state[0])),), inner

    sequences = [[[1.0], [-1.0], [2.0]], [[0.0], [0.5]], [[-3.0]], [[0.25], [-0.5], [0.0], [1.5]]]
    targets: Any = [0.1, 0.2, 0.3, 0.4]
    if at == "every":
        targets = [[target] * len(xs) for target, xs in zip(targets, sequences, strict=True)]

    def run(name: str, exact: bool) -> Any:
        parameters = [Value(0.7, "a"), Value(1.3, "b")]
        options = {"at": at, "backend": name, "exact": exact}
        made = compile_step(one_step, "squared_error", parameters, [0.0], **options)
        return made.loss_and_gradients(sequences, targets)

    loss, slopes = run(backend, exact)
    wanted_loss, wanted = run("eager", False)
    assert all(map(math.isfinite, (wanted_loss, *wanted)))
    assert loss == pytest.approx(wanted_loss, rel=1e-12)
    assert list(slopes) == pytest.approx(list(wanted), rel=1e-12)
    if exact or backend == "python":
        assert (loss, list(slopes)) == (wanted_loss, list(wanted))


@given(st.floats(-3, 3), st.floats(-3, 3), st.booleans())
def test_a_condition_that_is_known_leaves_no_trace(x: float, y: float, holds: bool) -> None:
    a, b = Value(x), Value(y)
    for condition in (holds, np.bool_(holds), float(holds)):
        assert where(condition, a, b) is (a if holds else b)
        assert where(condition, x, y) == (x if holds else y)
    held = Value(float(holds))
    result = where(held, a, b)
    assert result.data == (x if holds else y)
    assert gradients(result, [a, b, held]) == (float(holds), float(not holds), 0.0)


def test_nan_as_a_condition_gives_nan() -> None:
    assert math.isnan(where(math.nan, 1.0, 2.0))
    x = Value(3.0)
    result = where(greater(Value(math.nan), 0.0), x, 2.0 * x)
    assert math.isnan(result.data)
    assert math.isnan(gradients(result, [x])[0])


def test_the_signs_of_zeros_are_kept() -> None:
    for x, y in product([0.0, -0.0], repeat=2):
        for holds in (1.0, 0.0):
            found = where(Value(holds), x, y).data
            assert math.copysign(1, found) == math.copysign(1, x if holds else y)


def test_it_is_drawn_and_derived() -> None:
    x = Value(2.0, "x")
    loss = where(greater(x, 1.0), x * x, 3.0 * x) * 1
    assert "when" in draw(loss).dot
    assert derive(loss, x).value == 4.0
    assert "∂L/∂x = 3(1 unless v₄) + 2(1 when v₄)·x" in derive(loss, x).text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("yes", 1, 2), r"condition must be a real number, not str"),
        (([True], 1, 2), r"condition must be a real number, not list: pass its elements one by"),
        ((np.array(["yes"]), 1, 2), r"condition must be a real number, not str"),
        ((True, "1", 2), r"x must be a real number, not str"),
        ((True, 1, None), r"y must be a real number, not NoneType"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        where(*arguments)


def test_only_choices_choose() -> None:
    assert {op.name for op in TABLE.values() if op.chooses} == {"when", "unless"}


def test_a_condition_inside_a_branch_that_was_not_taken() -> None:
    """Its NaN stays there, in recorded gradients too."""

    def f(x: Any) -> Any:
        inner = where(greater(sqrt(x), 1.0), x, x * x)
        return where(greater(x, 0.0), inner, 3.0 * x)

    assert record(f, 1.0).gradient()(-1.0) == (-3.0, 3.0)
