"""The sweep over any graph, beside the engine's own."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import Value, gradients, ops
from autograd_rnn.engine.value import constant
from autograd_rnn.graph.sweep import (
    adjoints,
    adjoints_at,
    carry,
    recorded_slopes,
    tangent_at,
    terms,
)
from autograd_rnn.graph.walk import depth_first, swept
from autograd_rnn.ops.ieee import same_bits

from ..strategies import Pair, any_numbers, pairs


def check_agreement(output: Value, seed: float) -> None:
    output.backward(seed)
    for node, adjoint in adjoints(output, seed).items():
        # A leaf's total is added to its grad, 0.0, which takes the sign of a zero.
        assert same_bits(node.grad, adjoint if node.op is not None else 0.0 + adjoint)


@given(pairs(), st.sampled_from([1.0, -2.0, 0.5]))
def test_the_sweep_and_backward_agree_to_the_bit(pair: Pair, seed: float) -> None:
    check_agreement(pair.values[-1], seed)


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_where_another_order_of_the_sums_has_other_bits(seed: int) -> None:
    numbers = random.Random(seed)
    nodes = [Value(numbers.uniform(-1, 1)) for _ in range(3)]
    for op in numbers.choices((ops.add, ops.sub, ops.mul, ops.tanh), k=60):
        nodes.append(op(*numbers.choices(nodes, k=op.arity)))
    check_agreement(sum(nodes, Value(0)), 1.0)


@given(pairs(), st.sampled_from([1.0, -2.0]))
def test_terms_come_consumer_by_consumer_and_add_up_to_the_adjoints(
    pair: Pair, seed: float
) -> None:
    output = pair.values[-1]
    order = [] if output.constant else swept(output)
    found, totals, edges = {output: seed}, {output: seed}, []
    for node, position, operand, term in terms(order, found, recorded_slopes):
        assert operand is node.parents[position]
        assert same_bits(term, found[node] * node.partials[position])
        totals[operand] = totals[operand] + term if operand in totals else term
        assert same_bits(totals[operand], found[operand])
        edges.append((order.index(node), position))
    assert edges == sorted(edges, key=lambda edge: (-edge[0], edge[1]))
    assert len(edges) == len(set(edges))
    if not output.constant:
        assert found.keys() == adjoints(output, seed).keys()


def test_adjoints_of_a_constant_are_none() -> None:
    c, x = constant(2.0), Value(0)
    assert adjoints(c) == {}
    # Not even 0 · inf, which would be NaN.
    assert set(adjoints((c * x).log())) & {c} == set()
    assert gradients((c * x).log(), [c, x]) == (0, math.inf)


# What a class of nodes brings along, `Value._walks`, is held equal to what any graph has.


def tangle(seed: int, ops_count: int = 60) -> list[Value]:
    """Values of which each is used by many."""
    numbers = random.Random(seed)
    nodes = [Value(numbers.uniform(-1, 1)) for _ in range(3)] + [constant(0.5)]
    for op in numbers.choices((ops.add, ops.sub, ops.mul, ops.tanh, ops.greater), k=ops_count):
        nodes.append(op(*numbers.choices(nodes[-9:], k=op.arity)))
    return nodes


def check_adjoints(values: list[Value], output: Value, seed: float) -> None:
    for value in values:
        if not value.constant:
            value.grad = 0.25
    found = adjoints(output, seed)
    wanted = [found.get(value, 0.0) for value in values]
    for _ in range(2):
        assert all(map(same_bits, adjoints_at(output, values, seed), wanted))
        assert all(map(same_bits, adjoints_at(output, values[::-1] * 2, seed), wanted[::-1] * 2))
    assert gradients(output, values, seed=seed) == pytest.approx(wanted, nan_ok=True, abs=0, rel=0)
    assert all(value.constant or value.grad == 0.25 for value in values)


@given(pairs(), any_numbers)
def test_adjoints_at_some_nodes_are_those_of_all(pair: Pair, seed: float) -> None:
    others = [Value(3.0), Value(3.0) * 2, constant(1.0)]
    for output in [*pair.values[-2:], pair.values[0]]:
        check_adjoints([*pair.values, *others], output, seed)


@pytest.mark.parametrize("seed", range(5))
def test_so_they_are_in_a_tangle_after_any_other_sweep(seed: int) -> None:
    values = tangle(seed)
    for output in (values[-1], values[30], values[-1], values[-2]):
        check_adjoints(values, output, 1.5)
        output.backward()
        for value in values:
            value.grad = 0.0


@given(pairs(), st.data())
def test_a_tangent_is_what_is_carried(pair: Pair, data: st.DataObject) -> None:
    """From leaves, results and constants; with none where no source leads."""
    values = [*pair.values, Value(2.0)]
    places = data.draw(st.lists(st.integers(0, len(values) - 1), unique=True))
    sources = [values[place] for place in places]
    tangents = [data.draw(any_numbers) for _ in sources]
    for output in (values[-2], values[0]):
        found = {
            source: tangent
            for source, tangent in zip(sources, tangents, strict=True)
            if not source.constant
        }
        # Without `Value._walks`, which `swept` may use.
        order = depth_first([output], lambda node: () if node.constant else node.parents)
        carry(order, found, recorded_slopes)
        wanted = 0.0 if output.constant else found.get(output, 0.0)
        assert same_bits(tangent_at(output, sources, tangents), wanted)


def test_nodes_of_another_kind_are_refused_by_the_walks_of_values() -> None:
    walks = getattr(Value, "_walks", None)
    if walks is None:
        pytest.skip("plain Python has none")
    thing: object
    for thing in (3.0, "x", [Value(1.0)]):
        with pytest.raises(TypeError):
            walks.in_order([thing], True)
        with pytest.raises(TypeError):
            walks.adjoints_at(thing, [], 1.0)
        with pytest.raises(TypeError):
            walks.adjoints_at(Value(1.0), [thing], 1.0)
        with pytest.raises(TypeError):
            walks.tangent_at(Value(1.0), [thing], [1.0])
        with pytest.raises(TypeError):
            walks.adjoint_tangents_at(thing, [], [], [])
