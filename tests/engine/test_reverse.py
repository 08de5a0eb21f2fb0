"""Gradients that are graphs, the functional forms, and graphs that have become stale."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    StaleGraphError,
    Value,
    bits,
    copies,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    relu,
    sin,
    topological,
    value_and_grad,
    zero_grad,
)
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import ArgumentTypeError
from autograd_rnn.graph.walk import check_fresh
from autograd_rnn.ops.ieee import same_bits

from ..strategies import Pair, numbers_around_one, pairs, whole_pairs

# --- create_graph -------------------------------------------------------------------------------


@given(pairs(), st.sampled_from([1.0, -2.0, 0.5]))
def test_a_gradient_graph_has_the_numbers_of_the_sweep_to_the_bit(pair: Pair, seed: float) -> None:
    output, wanted = pair.values[-1], pair.values
    graphs = gradients(output, wanted, seed=seed, create_graph=True)
    for graph, number in zip(graphs, gradients(output, wanted, seed=seed), strict=True):
        assert isinstance(graph, Value)
        # A factor of 1 is left out, so a zero may keep the other sign.
        assert same_bits(graph.data, number) or graph.data == number == 0
    assert all(value.grad == 0 for value in pair.values)


@given(whole_pairs(most_ops=6, constants=False))
def test_the_matrix_of_second_derivatives_is_symmetric_and_agrees_with_hvp(pair: Pair) -> None:
    output, leaves = pair.values[-1], pair.values[: pair.leaves]
    matrix = hessian(output, leaves)
    assert matrix == tuple(zip(*matrix, strict=True))

    def f(*inputs: Value) -> Value:
        found = list(inputs)
        for value in pair.values[pair.leaves :]:
            assert value.op is not None
            places = [pair.values.index(parent) for parent in value.parents]
            found.append(value.op(*[found[place] for place in places]))
        return found[-1]

    for column in range(len(leaves)):
        unit = [float(column == row) for row in range(len(leaves))]
        assert hvp(f, [leaf.data for leaf in leaves], unit) == matrix[column]


def test_derivatives_of_any_order() -> None:
    x = Value(0.7)
    derivative: Value = sin(x)
    for wanted in (math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x), math.sin):
        (derivative,) = gradients(derivative, [x], create_graph=True)
        assert derivative.data == pytest.approx(wanted(0.7), rel=1e-15)
    y = x**5
    for wanted_number in (5 * 0.7**4, 20 * 0.7**3, 60 * 0.7**2, 120 * 0.7, 120, 0):
        (y,) = gradients(y, [x], create_graph=True)
        assert y.data == pytest.approx(wanted_number, rel=1e-14)


def test_a_gradient_graph_is_small_and_leaves_constants_alone() -> None:
    x = Value(3, "x")
    y = 2 * (x + 1) - 5
    (slope,) = gradients(y, [x], create_graph=True)
    # 1 · 1 · 2 · 1: only the factor that is no 1 is left.
    assert slope.data == 2
    assert slope.constant
    c = constant(2.0)
    assert [g.data for g in gradients(c * x, [c, x], create_graph=True)] == [0, 2]
    assert [g.data for g in gradients(x, [x], seed=5, create_graph=True)] == [5]
    # The exponent of x**2 is a constant, so no logarithm of x is computed on the way.
    (slope,) = gradients(Value(-3) ** 2, [x], create_graph=True)
    assert slope.data == 0
    negative = Value(-3)
    (slope,) = gradients(negative**2, [negative], create_graph=True)
    assert slope.data == -6
    assert gradients(slope, [negative]) == (2,)


def test_gradients_with_respect_to_inner_nodes_and_repeats() -> None:
    x = Value(3)
    h = x * x
    y = h * h
    by_h, by_x, again, other = gradients(y, [h, x, x, Value(1)], create_graph=True)
    assert (by_h.data, by_x.data, other.data) == (18, 108, 0)
    assert by_x is again
    assert gradients(by_h, [h, x]) == (2, 12)


def test_gradients_of_a_constant_are_zero() -> None:
    c = constant(2.0)
    assert [g.data for g in gradients(c, [c], create_graph=True)] == [0]


def test_the_lectures_exercise_differentiated_twice() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    loss = (15 - rnn.unroll(bits("101")).pi[0]) ** 2
    # L = (15 - w₂w₁² - w₂)²: ∂L/∂w₁ = -4 w₁w₂ r with r = 15 - w₂w₁² - w₂ = -2, and so on.
    assert hessian(loss, rnn.parameters()) == ((8 + 128, 32 + 2 * 8 * 17), (304, 2 * 17**2))


# --- stale graphs -------------------------------------------------------------------------------


def test_a_leaf_assigned_after_the_graph_was_recorded() -> None:
    w, x = Value(4, "w"), Value(2, "x")
    y = w * x + 1
    w.data = 5
    with pytest.raises(StaleGraphError) as caught:
        gradients(y, [w], create_graph=True)
    assert str(caught.value) == (
        "mul(w = 5.0, x = 2.0) = 8.0 is 10.0 now: a leaf was assigned after the graph was "
        "recorded, and its numbers would be mixed. Compute the output again first."
    )
    assert gradients(y, [w]) == (2,)  # those of the forward pass that was recorded
    with pytest.raises(StaleGraphError):
        hessian(y, [w])
    w.data = 4
    assert gradients(y, [w], create_graph=True)[0].data == 2


def test_a_partial_that_changed_although_the_value_did_not() -> None:
    x, zero = Value(3, "x"), Value(0)
    y = x * zero
    x.data = 4
    with pytest.raises(StaleGraphError, match=r"has the partial 4.0 now, which was 3.0"):
        gradients(y, [zero], create_graph=True)
    signed = relu(Value(0.0))
    signed.parents[0].data = -0.0
    check_fresh(topological(signed))


def test_the_sign_of_a_zero_counts_and_nan_is_nan() -> None:
    x = Value(0.0)
    y = x * 1
    x.data = -0.0
    with pytest.raises(StaleGraphError):
        check_fresh(topological(y))
    bad = Value(math.nan)
    check_fresh(topological(bad * 2))


@given(pairs())
def test_a_graph_that_nobody_touched_is_fresh(pair: Pair) -> None:
    check_fresh(topological(*pair.values))


# --- the functional forms -----------------------------------------------------------------------


def f(x: Value, y: Value) -> Value:
    return x * x * y + exp(y)


def test_grad_and_value_and_grad() -> None:
    assert grad(f)(3, 2) == (12, 9 + math.exp(2))
    assert value_and_grad(f)(3, 2) == (18 + math.exp(2), (12, 9 + math.exp(2)))
    assert grad(lambda x: x * x)(3) == 6
    assert value_and_grad(lambda: 5)() == (5, ())
    assert grad(lambda x: 7)(3) == 0


def test_grad_nests_and_does_not_confuse_the_levels() -> None:
    assert grad(grad(lambda x: x**3))(2) == 12
    assert grad(grad(grad(lambda x: x**3)))(2) == 6
    # d/dx [x · d/dy (x + y)] = d/dx [x · 1]: the inner x is no variable of the inner function.
    assert grad(lambda x: x * grad(lambda y: x + y)(1))(5) == 1
    assert grad(lambda x: x * grad(lambda y: x + y)(x))(5) == 1
    # d/dx [d/dy (x² y³) at y = x] = d/dx [3 x⁴]
    assert grad(lambda x: grad(lambda y: x**2 * y**3)(x))(2) == 12 * 2**3


def test_grad_of_values_gives_values() -> None:
    x = Value(3)
    slope = grad(lambda x: x**3)(x)
    assert isinstance(slope, Value)
    slope.backward()
    assert (slope.data, x.grad) == (27, 18)
    value, slopes = value_and_grad(f)(x, 2)
    assert isinstance(value, Value)
    assert [type(slope) for slope in slopes] == [Value, Value]


@given(pairs(numbers=numbers_around_one, constants=False), st.integers(0, 2))
def test_grad_is_gradients(pair: Pair, place: int) -> None:
    assume(place < pair.leaves)
    leaf = pair.values[place]
    wanted = gradients(pair.values[-1], [leaf])

    def of_one(x: Value) -> Value:
        found: dict[Value, Value] = {leaf: x}
        for value in pair.values:
            if value.op is not None:
                operands = [found.get(parent, parent) for parent in value.parents]
                found[value] = value.op(*operands)
        return found[pair.values[-1]]

    assert same_bits(grad(of_one)(leaf.data), wanted[0])


def test_zero_grad() -> None:
    x, y = Value(3), Value(2)
    (x * y).backward()
    zero_grad(x, y, constant(1.0))
    assert (x.grad, y.grad) == (0, 0)
    zero_grad()


def test_refusals() -> None:
    x = Value(2)
    with pytest.raises(ArgumentTypeError, match=r"f must be a function, not int"):
        grad(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"inputs\[1\] must be a real number, not str"):
        grad(f)(1, "2")
    with pytest.raises(ArgumentTypeError, match=r"the result of f must be a real number, not list"):
        grad(lambda x: [x])(1)
    with pytest.raises(ArgumentTypeError, match=r"values\[1\] must be a Value, not int"):
        zero_grad(x, 3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"inputs must be a list of numbers, not Value"):
        hessian(x * x, x)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"output must be a Value, not float"):
        hessian(1.0, [x])  # type: ignore[arg-type]


def test_copies_of_a_gradient_graph() -> None:
    """A gradient is a graph like any other: it has copies, too."""
    x = Value(3, "x")
    (slope,) = gradients(x * x * x, [x], create_graph=True)
    assert sum(copy.grad for copy in copies(x, slope)) == gradients(slope, [x])[0] == 18
