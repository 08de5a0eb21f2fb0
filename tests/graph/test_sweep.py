"""The sweep over any graph, beside the engine's own."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import Value, gradients, ops
from autograd_rnn.engine.value import constant
from autograd_rnn.graph.sweep import adjoints, recorded_slopes, terms
from autograd_rnn.graph.walk import swept
from autograd_rnn.ops.ieee import same_bits

from ..strategies import Pair, pairs


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
