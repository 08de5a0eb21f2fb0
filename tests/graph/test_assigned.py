"""Leaves that were assigned since: which, and what they were."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_rnn import RNN, Unrolled, Value, copies, gradients, ops, relu, topological
from autograd_rnn.graph.assigned import assigned_since
from autograd_rnn.ops.ieee import same_bits

from ..strategies import Pair, pairs, runs


@given(pairs())
def test_nothing_was_assigned(pair: Pair) -> None:
    assert assigned_since(topological(*pair.values)) == {}


@given(pairs(numbers=st.floats(-3, 3)), st.data())
def test_what_can_be_told_is_told_right(pair: Pair, data: st.DataObject) -> None:
    """Results are those of the numbers that are told, and of the rest as they are now."""
    before = [value.data for value in pair.values[: pair.leaves]]
    assigned = data.draw(st.sets(st.sampled_from(pair.values[: pair.leaves])))
    for leaf in assigned:
        leaf.data = data.draw(st.floats(-3, 3))
    found = assigned_since(topological(pair.values[-1]))
    told = dict(zip(pair.values, before, strict=False))
    for leaf, number in found.items():
        if number is not None:
            assert leaf in assigned
            assert number == pytest.approx(told[leaf], rel=1e-9)
    if None not in found.values():
        for leaf in found:
            leaf.data = told[leaf]
        assert assigned_since(topological(pair.values[-1])) == {}


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_partials_of_a_product_keep_its_operands(before: float, now: float) -> None:
    x, y = Value(before), Value(7.5)
    product = x * y
    square = x * x
    x.data = now
    expected = {} if same_bits(before, now) else {x: before}
    assert assigned_since(topological(product)) == expected
    assert assigned_since(topological(square)) == expected


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_result_gives_its_one_leaf(before: float, now: float) -> None:
    assume(before != now)
    x = Value(before)
    for result in (x + 5, 5 - x, x * 3, x / 7, -x, x + 1 + x, x + x):
        x.data = now
        assert assigned_since(topological(result)) == {x: pytest.approx(before, rel=1e-9)}
        x.data = before


def test_what_cannot_be_told() -> None:
    x, y = Value(1.0), Value(2.0)
    total, small, flat = x + y, x + 1e20, relu(x) + ops.TABLE["greater"](x, 0.0)
    x.data = -3.0
    assert assigned_since(topological(total)) == {x: None, y: None}
    assert assigned_since(topological(small)) == {}
    assert list(assigned_since(topological(flat))) == [x]
    x.data = 1.0
    product = total * x
    x.data = -3.0
    assert assigned_since(topological(product)) == {x: 1.0}
    assert assigned_since(topological(total * x)) == {x: None, y: None}


def test_a_leaf_with_several_numbers_in_one_graph() -> None:
    x = Value(1.0)
    first = x * x
    x.data = 2.0
    second = x * x
    assert assigned_since(topological(first + second)) == {x: 1.0}
    x.data = 3.0
    assert assigned_since(topological(first + second)) == {x: None}


@given(runs(whole=False), st.floats(0.01, 1))
def test_after_an_update_copies_are_as_the_graph_was_computed(
    network: tuple[RNN, Unrolled], rate: float
) -> None:
    rnn, run = network
    assume(run.steps)
    loss = (run.pi[0] - 0.5) ** 2
    before = {w: copies(w, loss, run) for w in rnn.parameters()}
    loss.backward()
    numbers = {w: w.data for w in rnn.parameters()}
    for w in rnn.parameters():
        w.data -= rate * w.grad
    for w, uses in before.items():
        now = copies(w, loss, run)
        assert str(now) == str(uses)
        assert now.total == pytest.approx(gradients(loss, [w])[0], rel=1e-12)
        for use in now:
            assert use.data == pytest.approx(numbers[w], rel=1e-9) or use.data == w.data
            assert math.isfinite(use.grad)
