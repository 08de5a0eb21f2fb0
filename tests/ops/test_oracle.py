"""Derivatives against independent ones: HIPS autograd, and the complex step."""

import cmath
import math
import warnings
from collections.abc import Callable
from typing import Any

import autograd
import autograd.extend
import autograd.numpy as anp
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from autograd_rnn import Value, grad, gradients, hessian
from autograd_rnn.ops.op import TABLE, Op

from ..strategies import Pair, numbers_around_one, pairs, smooth_operands

# --- the complex step: f(x + ih) = f(x) + ih f'(x), with no difference that could cancel ---------

COMPLEX: dict[str, Callable[..., complex]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: cmath.exp(y * cmath.log(x)),
    "neg": lambda x: -x,
    "exp": cmath.exp,
    "log": cmath.log,
    "sqrt": cmath.sqrt,
    "tanh": cmath.tanh,
    "sigmoid": lambda x: 1 / (1 + cmath.exp(-x)),
    "softplus": lambda x: cmath.log(1 + cmath.exp(x)),
    "sin": cmath.sin,
    "cos": cmath.cos,
    "weighted": lambda x, y: x * y,
    "log2": lambda x: cmath.log(x) / math.log(2),
    "log10": cmath.log10,
    "log1p": lambda x: cmath.log(1 + x),
    "exp2": lambda x: 2**x,
    "expm1": lambda x: cmath.exp(x) - 1,
    "cbrt": lambda x: x ** (1 / 3),
    "tan": cmath.tan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "arcsinh": cmath.asinh,
    "arccosh": cmath.acosh,
    "arctanh": cmath.atanh,
    "arctan2": lambda y, x: cmath.atan(y / x),
    "hypot": lambda x, y: cmath.sqrt(x * x + y * y),
    "mod": lambda x, y: x - y * math.floor(complex(x).real / complex(y).real),
}
#: Ops made of pieces, which are not functions of a complex number.
IN_PIECES = {"relu", "step", "abs", "maximum", "minimum", "greater", "equal", "when", "unless"}
#: What says that it has no slope, and has one.
STOPS = {"stop_gradient"}


def test_every_op_has_a_complex_step_or_a_reason() -> None:
    assert set(COMPLEX) | IN_PIECES | STOPS == set(TABLE)


@pytest.mark.parametrize("name", COMPLEX)
@given(data=st.data())
def test_partials_agree_with_the_complex_step(name: str, data: st.DataObject) -> None:
    op, h = TABLE[name], 1e-30
    operands = data.draw(smooth_operands(op))
    for position, rule in enumerate(op.partials):
        moved: list[complex] = list(operands)
        moved[position] += 1j * h
        wanted = COMPLEX[name](*moved).imag / h
        assert rule(*operands, op(*operands)) == pytest.approx(wanted, rel=1e-12, abs=1e-15)


# --- HIPS autograd -------------------------------------------------------------------------------


@autograd.extend.primitive
def stopped(x: Any) -> Any:
    return x


autograd.extend.defvjp(stopped, lambda result, x: lambda g: 0.0 * g)

AUTOGRAD: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "neg": lambda x: -x,
    "exp": anp.exp,
    "log": anp.log,
    "sqrt": anp.sqrt,
    "tanh": anp.tanh,
    "sigmoid": lambda x: 1 / (1 + anp.exp(-x)),
    "softplus": lambda x: anp.logaddexp(0.0, x),
    "relu": lambda x: anp.where(x > 0, x, 0.0 * x),
    "step": lambda x: anp.where(x > 0, 1.0, 0.0),
    "sin": anp.sin,
    "cos": anp.cos,
    "abs": anp.abs,
    "maximum": anp.maximum,
    "minimum": anp.minimum,
    "greater": lambda x, y: anp.where(x > y, 1.0, 0.0),
    "equal": lambda x, y: anp.where(x == y, 1.0, 0.0),
    "stop_gradient": stopped,
    "when": lambda x, c: anp.where(c != 0, x, 0.0 * x),
    "unless": lambda x, c: anp.where(c == 0, x, 0.0 * x),
    "weighted": lambda x, y: x * y,
    "cbrt": lambda x: anp.sign(x) * anp.abs(x) ** (1 / 3),
    "hypot": lambda x, y: anp.sqrt(x * x + y * y),
    **{
        name: getattr(anp, name)
        for name in (
            *("log2", "log10", "log1p", "exp2", "expm1", "tan", "sinh", "cosh", "arcsin"),
            *("arccos", "arctan", "arcsinh", "arccosh", "arctanh", "arctan2", "mod"),
        )
    },
}


def test_every_op_has_its_counterpart() -> None:
    assert set(AUTOGRAD) == set(TABLE)


def in_autograd(pair: Pair) -> Callable[[Any], Any]:
    """The graph of the pair as a function of the vector of its leaves."""

    def f(xs: Any) -> Any:
        found: dict[Value, Any] = dict(zip(pair.values, xs, strict=False))
        for value in pair.values[pair.leaves :]:
            assert value.op is not None
            found[value] = AUTOGRAD[value.op.name](*[found[parent] for parent in value.parents])
        return found[pair.values[-1]]

    return f


def regular(pair: Pair) -> bool:
    """No kink, no edge, no overflow: where conventions do not matter."""
    for value in pair.values:
        operands = [parent.data for parent in value.parents]
        kinks = [*operands, operands[0] - operands[-1]] if len(operands) > 1 else operands
        if not all(1e-3 < abs(x) < 1e3 for x in [*kinks, value.data if operands else 1.0]):
            return False
        if value.op is not None and math.isnan(value.op(*operands)):
            return False
    return True


# Many random graphs have a kink or a NaN: how many in a row is chance, and no fault.
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(pairs(numbers=numbers_around_one, constants=False, most_ops=5))
def test_gradients_and_second_derivatives_of_random_graphs(pair: Pair) -> None:
    assume(regular(pair))
    leaves = pair.values[: pair.leaves]
    point = anp.array([leaf.data for leaf in leaves])
    f = in_autograd(pair)
    with warnings.catch_warnings():
        # autograd warns where the output depends on no input, and NumPy where x**y is NaN.
        warnings.simplefilter("ignore")
        first, second = autograd.grad(f)(point), autograd.hessian(f)(point)
    event("compared")
    assert pair.values[-1].data == pytest.approx(float(f(point)), rel=1e-12)
    found = gradients(pair.values[-1], leaves)
    for mine, other in zip(found, first, strict=True):
        if math.isfinite(other):  # its ∂(x**y)/∂y is NaN for x < 0, like ours, if y is a constant
            assert mine == pytest.approx(float(other), rel=1e-9, abs=1e-9)
    for row, others in zip(hessian(pair.values[-1], leaves), second, strict=True):
        for mine, other in zip(row, others, strict=True):
            if math.isfinite(other) and abs(other) < 1e6:
                assert mine == pytest.approx(float(other), rel=1e-7, abs=1e-7)


def slopes(op: Op, *operands: float) -> tuple[float, ...]:
    values = [Value(x) for x in operands]
    return gradients(op(*values), values)


def others(name: str, *operands: float) -> tuple[float, ...]:
    return tuple(
        [
            float(autograd.grad(AUTOGRAD[name], position)(*operands))
            for position in range(len(operands))
        ]
    )


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("abs", (0.0,)),
        ("relu", (0.0,)),
        ("maximum", (1.0, 1.0)),
        ("minimum", (0.0, 0.0)),
        ("tanh", (400.0,)),
        ("log", (-1.0,)),
        ("pow", (0.0, 2.0)),
        ("pow", (-2.0, 3.0)),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
def test_kinks_at_which_both_agree(name: str, operands: tuple[float, ...]) -> None:
    assert slopes(TABLE[name], *operands) == pytest.approx(others(name, *operands), nan_ok=True)


def test_where_the_conventions_differ_and_why() -> None:
    # sqrt'(0) is inf by continuity, as in PyTorch; autograd computes 0.5 · 0**-0.5 with Python
    # floats, which raises.
    assert slopes(TABLE["sqrt"], 0.0) == (math.inf,)
    with pytest.raises(ZeroDivisionError):
        autograd.grad(AUTOGRAD["sqrt"])(0.0)
    # ∂(x**0.5)/∂x at 0 is inf likewise.
    assert slopes(TABLE["pow"], 0.0, 0.5)[0] == math.inf
    with pytest.raises(ZeroDivisionError):
        autograd.grad(AUTOGRAD["pow"])(0.0, 0.5)
    # exp(1000) is inf in both, but only ours says so without a warning.
    assert slopes(TABLE["exp"], 1000.0) == (math.inf,)


def test_derivatives_of_derivatives() -> None:
    def f(x: Any) -> Any:
        return x.tanh() * x if isinstance(x, Value) else anp.tanh(x) * x

    mine: Callable[..., Any] = f
    other: Callable[..., Any] = f
    for _ in range(4):
        mine, other = grad(mine), autograd.grad(other)
        for x in (-1.5, 0.0, 0.3, 2.0):
            assert mine(x) == pytest.approx(float(other(x)), rel=1e-9, abs=1e-12)
