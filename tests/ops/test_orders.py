"""The rules are right at every order: against mpmath, at special numbers, for every op."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autograd_rnn import Value, grad, gradients, hessian, hvp, record, sin
from autograd_rnn.ops.op import TABLE, Op

from ..truth import TRUE, differentiable, true_derivative

INF = math.inf
ORDERS = 4
POINTS = [0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -2.0, 0.3, -0.5, 1.5]
SMOOTH = [op for op in TABLE.values() if not op.flat]
SMOOTH_OPS = [pytest.param(op, id=op.name) for op in SMOOTH]
#: Of pairs of operands there are many: first those of the numbers at which rules branch.
FEW = [0.0, 1.0, -1.0, 2.0, 0.3]
OPS_AT = [pytest.param(op, FEW if op.arity == 2 else POINTS, id=op.name) for op in SMOOTH]
OPS_AT += [
    pytest.param(op, POINTS, id=f"{op.name}-all", marks=pytest.mark.long)
    for op in SMOOTH
    if op.arity == 2
]


def derivative(node: Value, by: list[Value]) -> float:
    """The derivative by each of the variables in turn."""
    for variable in by[:-1]:
        (node,) = gradients(node, [variable], create_graph=True)
    return gradients(node, by[-1:])[0] if by else node.data


def all_orders(op: Op, point: tuple[float, ...]) -> Iterator[tuple[int, ...]]:
    """Up to the fourth order by the operands that the op can be differentiated by."""
    free = differentiable(op, point)
    ranges = [range(ORDERS + 1) if place in free else range(1) for place in range(op.arity)]
    return (orders for orders in itertools.product(*ranges) if 1 <= sum(orders) <= ORDERS)


def test_the_truth_is_told_of_every_op_with_slopes() -> None:
    assert set(TRUE) | {"stop_gradient"} == {op.name for op in SMOOTH} | {"stop_gradient"}


@pytest.mark.parametrize(("op", "points"), OPS_AT)
def test_derivatives_to_the_fourth_order_are_the_true_ones(op: Op, points: list[float]) -> None:
    """In every order of the variables, with operands that are variables or plain numbers."""
    compared = 0
    for point in itertools.product(points, repeat=op.arity):
        values = [Value(x) for x in point]
        for orders in all_orders(op, point):
            wanted = float(true_derivative(op, point, orders))
            variables = [v for v, order in zip(values, orders, strict=True) for _ in range(order)]
            plain = [v if order else v.data for v, order in zip(values, orders, strict=True)]
            found = [
                derivative(op(*values), variables),
                derivative(op(*values), variables[::-1]),
                derivative(op(*plain), variables),
            ]
            near = pytest.approx(wanted, rel=1e-9, abs=1e-9)
            assert found == [near] * 3, (point, orders)
            compared += 1
    assert compared >= ORDERS


@pytest.mark.parametrize(("op", "points"), OPS_AT)
def test_programs_have_these_derivatives_too(op: Op, points: list[float]) -> None:
    for point in itertools.product(points[:8], repeat=op.arity):
        program = record(op, *[x + 0.1 for x in point])
        for place in differentiable(op, point):
            found, orders = program, [0] * op.arity
            for _ in range(3):
                orders[place] += 1
                found = found.gradient().select(1 + place)
                wanted = float(true_derivative(op, point, tuple(orders)))
                assert found(*point) == pytest.approx(wanted, rel=1e-9, abs=1e-9), point


@pytest.mark.parametrize("op", [op for op in SMOOTH_OPS if op.values[0].arity == 2])
def test_second_derivatives_are_symmetric(op: Op) -> None:
    """Also where a derivative is infinite, or by convention."""
    for point in itertools.product([*POINTS, -0.0, 1e-3, INF, -INF, math.nan], repeat=2):
        x, y = values = [Value(number) for number in point]
        (_, right), (left, _) = hessian(op(x, y), values)
        if len(differentiable(op, point)) == 2 and all(1e-7 < abs(number) < 9 for number in point):
            assert math.isfinite(left)
        if math.isfinite(left) and math.isfinite(right):
            assert left == pytest.approx(right, rel=1e-9, abs=1e-9), point


@pytest.mark.parametrize("c", [-3.0, -2.0, -1.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
def test_powers_at_0_to_the_fourth_order(c: float) -> None:
    """The n-th derivative of x**c is c·(c - 1)···x**(c - n), from above."""
    f: Callable[..., Any] = lambda x: x**c  # noqa: E731
    factor = 1.0
    program = record(f, 2.0)
    for n in range(ORDERS):
        f = grad(f)
        program = program.gradient().select(1)
        factor *= c - n
        power = c - n - 1
        wanted = 0.0 if factor == 0 or power > 0 else factor * (1 if power == 0 else INF)
        assert f(0.0) == wanted
        assert program(0.0) == wanted


def test_mixed_derivatives_of_powers_at_0() -> None:
    for y, wanted in [(2.0, 0.0), (3.0, 0.0), (1.5, 0.0), (0.5, -INF), (0.3, -INF)]:
        a, b = Value(0.0), Value(y)
        (_, right), (left, _) = hessian(a**b, [a, b])
        assert left == right == wanted


def test_powers_whose_exponents_are_computed() -> None:
    assert grad(grad(lambda x: (x + 2) ** sin(x)))(0.0) == pytest.approx(
        2 / 2 + math.log(2) ** 2, rel=1e-12
    )
    assert hvp(lambda x, y: x**y, [2.0, 0.0], [1.0, 0.0]) == (0.0, 0.5)
    a, b = Value(2.0), Value(0.0)
    assert hessian(a**b, [a, b]) == ((0.0, 0.5), (0.5, pytest.approx(math.log(2) ** 2, rel=1e-12)))


def test_a_whole_number_as_exponent_has_the_short_rule() -> None:
    x = Value(3.0)
    for c, slope in ((0, 0.0), (1, 1.0), (2, 6.0), (3, 27.0), (-1, -1 / 9)):
        (found,) = gradients(x**c, [x], create_graph=True)
        assert found.data == pytest.approx(slope, rel=1e-15)
    (found,) = gradients(x**2, [x], create_graph=True)
    assert (found.op, [parent.data for parent in found.parents]) == (TABLE["mul"], [2.0, 3.0])
    assert str(record(lambda x: x**2, 3.0).gradient()).count("\n") == 3


#: Infinity at the ends of the interval where a function is defined, as the limit from inside.
@pytest.mark.parametrize(
    ("name", "x", "slopes"),
    [
        ("sqrt", 0.0, (INF, -INF, INF)),
        ("log", 0.0, (INF, -INF, INF)),
        ("log2", 0.0, (INF, -INF, INF)),
        ("log1p", -1.0, (INF, -INF, INF)),
        ("arcsin", 1.0, (INF, INF, INF)),
        ("arcsin", -1.0, (INF, -INF, INF)),
        ("arccos", 1.0, (-INF, -INF, -INF)),
        ("arccosh", 1.0, (INF, -INF)),
        ("arctanh", 1.0, (INF, INF, INF)),
        ("cbrt", 0.0, (INF,)),
    ],
)
def test_limits_at_the_ends(name: str, x: float, slopes: tuple[float, ...]) -> None:
    f: Callable[..., Any] = TABLE[name]
    for wanted in slopes:
        f = grad(f)
        assert f(x) == wanted
