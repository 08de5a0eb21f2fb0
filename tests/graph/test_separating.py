"""Separating sets, beside every path, every subset, networkx and the reference."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Value,
    bits,
    copies,
    derive,
    escape,
    gradients,
    ops,
    separates,
    separating_set,
)
from autograd_rnn.graph.copies import Copy
from autograd_rnn.graph.separating import restricted_adjoints
from autograd_rnn.graph.sweep import tangents
from autograd_rnn.graph.walk import swept

from .. import reference
from ..strategies import Pair, name_some, pairs, runs, whole_pairs


def edges_out(output: Value) -> dict[Value, list[tuple[Value, int]]]:
    """The uses of each node by consumers that are not constants."""
    out: dict[Value, list[tuple[Value, int]]] = {}
    for node in swept(output):
        if not node.constant:
            for position, parent in enumerate(node.parents):
                out.setdefault(parent, []).append((node, position))
    return out


def paths(source: Value, output: Value) -> list[list[Any]]:
    """Every path as its nodes and edges, one after the other, from the source to the output."""
    if source.constant:
        return []
    out, found = edges_out(output), []
    waiting = [[source]]
    while waiting:
        path = waiting.pop()
        if path[-1] is output:
            found.append(path)
        else:
            waiting += [[*path, edge, edge[0]] for edge in out.get(path[-1], [])]
    return found if source in set(swept(output)) else []


def key(member: Any) -> Any:
    return (member.consumer, member.position) if isinstance(member, Copy) else member


def crossings(output: Value, chosen: Sequence[Any]) -> list[float]:
    """∂output/∂member for each member, the others held fixed."""
    found = restricted_adjoints(output, set(map(key, chosen)))
    return [found.get(key(member), 0.0) for member in chosen]


def members(data: st.DataObject, pair: Pair) -> list[Any]:
    output = pair.values[-1]
    met = set(swept(output))
    uses = [
        c for v in pair.values if not v.constant for c in copies(v, output) if c.consumer in met
    ]
    nodes = [value for value in pair.values if value in met]
    return data.draw(st.lists(st.sampled_from([*uses, *nodes]), max_size=4, unique_by=key))


@given(pairs(most_ops=6), st.data())
@settings(max_examples=150)
def test_separates_and_escape_are_every_path(pair: Pair, data: st.DataObject) -> None:
    output = pair.values[-1]
    source = data.draw(st.sampled_from(pair.values))
    chosen = members(data, pair)
    blocked = {key(member) for member in chosen}
    free = [path for path in paths(source, output) if blocked.isdisjoint(path)]
    assert separates(chosen, source, output) == (not free)
    found = escape(chosen, source, output)
    if found is None:
        assert not free
    else:
        assert list(found) in [path[::2] for path in free]


@given(pairs(most_ops=9, constants=False), st.data())
@settings(max_examples=150)
def test_a_smallest_set_is_the_best_of_all_subsets(pair: Pair, data: st.DataObject) -> None:
    output = pair.values[-1]
    name_some(data, pair)
    for source in pair.values[:-1]:
        every = [path[::2] for path in paths(source, output)]
        if not every or any(len(path) == 2 for path in every):
            continue
        between = sorted({node for path in every for node in path[1:-1]}, key=swept(output).index)
        cuts = [
            subset
            for size in range(1, len(between) + 1)
            for subset in combinations(between, size)
            if all(set(subset) & set(path) for path in every)
        ]
        least = min(len(cut) for cut in cuts)
        named = max(sum(n.name is not None for n in cut) for cut in cuts if len(cut) == least)
        found = separating_set(source, output)
        assert found in cuts
        assert len(found) == least
        assert sum(node.name is not None for node in found) == named
        assert found == separating_set(source, output)


def as_networkx(source: Value, output: Value) -> networkx.DiGraph:
    graph = networkx.DiGraph()
    between = tangents(source, output)
    for node in swept(output):
        for parent in node.parents if node in between and node is not source else ():
            if parent in between:
                graph.add_edge(parent, node)
    return graph


@given(runs(), st.data())
@settings(max_examples=60)
def test_a_smallest_set_of_a_network_is_networkxs(
    made: tuple[Any, Any], data: st.DataObject
) -> None:
    rnn, run = made
    if not (run.steps):
        return
    output = sum(run.q, start=Value(0.0)) * 2
    source = data.draw(st.sampled_from([*rnn.parameters(), *run.state]))
    if not (escape([], source, output) is not None and source not in output.parents):
        return
    found = separating_set(source, output)
    assert separates(found, source, output)
    assert len(found) == len(networkx.minimum_node_cut(as_networkx(source, output), source, output))


@given(whole_pairs(), st.data())
@settings(max_examples=150)
def test_the_sum_through_a_set_is_the_gradient(pair: Pair, data: st.DataObject) -> None:
    output = pair.values[-1]
    source = data.draw(st.sampled_from([v for v in pair.values if not v.constant] or [output]))
    if not (not source.constant and source in set(swept(output))):
        return
    chosen = members(data, pair)
    chosen = [m for m in chosen if isinstance(m, Copy) or not m.constant]
    while (path := escape(chosen, source, output)) is not None:
        chosen.append(data.draw(st.sampled_from(list(path))))
    inner = tangents(source, output)
    before = [m.parameter if isinstance(m, Copy) else m for m in chosen]
    outer = crossings(output, chosen)
    through = sum(o * inner.get(node, 0.0) for o, node in zip(outer, before, strict=True))
    (true,) = gradients(output, [source])
    assert through == true
    stops = tuple(
        (pair.node_of(m.consumer), m.position) if isinstance(m, Copy) else pair.node_of(m)
        for m in chosen
    )
    assert Fraction(true) == reference.through(stops, pair.node_of(source), pair.nodes[-1])


@given(whole_pairs())
def test_through_the_copies_each_has_its_own_gradient(pair: Pair) -> None:
    output = pair.values[-1]
    met = set(swept(output))
    for value in pair.values:
        if not value.constant:
            uses = [copy for copy in copies(value, output) if copy.consumer in met]
            assert crossings(output, uses) == [copy.grad for copy in uses]


def test_a_set_of_the_exercise_is_in_order_and_has_names() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    w1 = rnn.weights[0][0]
    assert separating_set(w1, loss) == (run.pi[0],)
    path = escape(copies(w1, loss)[:2], w1, loss)
    assert path is not None
    assert all(before in after.parents for before, after in pairwise(path))
    assert str(path).startswith("w₁ → mul(")
    assert " → π⃛ → " in str(path)


def test_copies_separate_even_where_a_constant_uses_them() -> None:
    w = Value(2.0, "w")
    y = ops.greater(w * 2, 1) * w
    uses = copies(w, y)
    assert len(uses) == 2
    assert separates(uses, w, y)
    assert crossings(y, uses) == [copy.grad for copy in uses] == [0.0, 1.0]
    assert derive(y, w, through=uses).value == derive(y, w).value == 1.0


def test_a_member_given_twice_is_told_twice() -> None:
    w = Value(3.0, "w")
    m = w * w
    assert crossings(m, [w, w, m]) == [0.0, 0.0, 1.0]
    assert derive(m + 1, w, through=[m, m]).value == 6.0


def test_refusals() -> None:
    w, x, y = Value(2, "w"), Value(3, "x"), Value(1, "y")
    m = w * x
    for error, words, call in [
        (
            ValueError,
            r"uses it directly: separate them by the copies",
            lambda: separating_set(w, m),
        ),
        (ValueError, r"does not depend on the source \(y = 1\.0\)", lambda: separating_set(y, m)),
        (ValueError, r"the output: they are one", lambda: separating_set(m, m)),
        (
            ValueError,
            r"nodes\[1\] \(y = 1\.0\) is not in the graph",
            lambda: separates([w, y], w, m),
        ),
        (TypeError, r"nodes must be a list .* not str", lambda: separates("wx", w, m)),
        (TypeError, r"not Value: for one, write \[x\]", lambda: separates(w, w, m)),
        (TypeError, r"not Copy: for one, write \[x\]", lambda: escape(copies(w, m)[0], w, m)),
        (TypeError, r"nodes must be a list .* not int", lambda: separates(3, w, m)),
        (TypeError, r"nodes\[0\] must be a Value or a Copy, not int", lambda: escape([3], w, m)),
        (TypeError, r"source must be a node", lambda: escape([], 3, m)),
        (TypeError, r"output must be a node", lambda: separates([], w, "m")),
    ]:
        with pytest.raises(error, match=words):
            call()


def test_large_graphs_need_no_recursion() -> None:
    w = Value(1.0, "w")
    chain = w * 1.0
    for _ in range(5_000):
        chain = chain * w
    top = chain + 1.0
    top = top * 2.0
    assert len(separating_set(w, top)) == 1
    assert separates([chain], w, top)
    path = escape([], w, top)
    assert path is not None
    assert path[0] is w
    assert crossings(top, [chain]) == [2.0]
