"""Walks over a graph, and the steps of a network."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import RNN, Unrolled, Value, copies, ops, topological
from autograd_rnn.graph.walk import depth_first, steps_of, swept, uses

from ..strategies import Pair, pairs, runs


@given(runs())
def test_steps_hold_what_each_step_computes(run: tuple[RNN, Unrolled]) -> None:
    _, unrolled = run
    step_by_node = steps_of(unrolled)
    for step in unrolled.steps:
        for node in (*step.pi, *step.q):
            assert step_by_node[node] == step.k
            # An operand is a leaf, of this step, or a state of the step before.
            for parent in node.parents:
                assert not parent.parents or step_by_node[parent] == step.k
    assert all(node.parents for node in step_by_node)


def test_steps_of_a_network_that_makes_leaves_of_its_own() -> None:
    w = Value(2, "w")
    pi = w * w + 1
    step = SimpleNamespace(k=1, pi=(pi,), q=(pi,))
    run = SimpleNamespace(steps=[step], given=[w])
    assert steps_of(run) == {pi: 1, pi.parents[0]: 1}
    assert [use.step for use in copies(w, pi, run)] == [1, 1]


def test_topological_of_several_roots_and_of_a_long_run() -> None:
    a, b = Value(1, "a"), Value(2, "b")
    y, z = a + b, b * 2
    assert topological(y, z, y)[:3] == [a, b, y]
    assert topological(z, y)[0] is b
    assert topological() == []


def test_what_is_no_node_is_refused() -> None:
    x = Value(2)
    with pytest.raises(TypeError, match=r"roots\[1\] must be a node of a graph.*not int"):
        topological(x, 3)
    # A path has parents, and an op partials, but neither is a node.
    for thing in (Path("a"), ops.tanh):
        with pytest.raises(TypeError, match=r"roots\[0\] must be a node of a graph"):
            topological(thing)  # type: ignore[type-var]


@given(pairs(), st.data())
def test_the_walks_that_values_bring_along_are_those_of_any_graph(
    pair: Pair, data: st.DataObject
) -> None:
    for _ in range(2):
        roots = data.draw(st.lists(st.sampled_from(pair.values), max_size=4))
        order = topological(*roots)
        assert list(map(id, order)) == list(map(id, depth_first(roots, lambda node: node.parents)))
        for operand in [*pair.values, Value(1.0)]:
            assert uses(order, operand) == [
                (node, position)
                for node in order
                for position, parent in enumerate(node.parents)
                if parent is operand
            ]
        pair.values[-1].backward()
    for output in (pair.values[-1], pair.values[0]):
        wanted = depth_first([output], lambda node: () if node.constant else node.parents)
        assert list(map(id, swept(output))) == list(map(id, wanted))
