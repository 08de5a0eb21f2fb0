"""Copies: the uses of a parameter, whose terms add up to its gradient."""

from types import SimpleNamespace

import pytest
from hypothesis import given

from autograd_rnn import RNN, Unrolled, Value, bits, copies, gradients, topological

from .. import reference
from ..strategies import Pair, runs, whole_pairs


@given(whole_pairs())
def test_copies_are_the_reference(pair: Pair) -> None:
    output = pair.values[-1]
    for value, node in zip(pair.values, pair.nodes, strict=True):
        if node.constant:
            continue
        found = copies(value, output)
        edges = reference.edges(node, pair.nodes[-1])
        assert [(pair.node_of(copy.consumer), copy.position) for copy in found] == edges
        assert [copy.index for copy in found] == list(range(1, len(edges) + 1))
        for copy, edge in zip(found, edges, strict=True):
            assert copy.parameter is value
            assert copy.data == value.data
            assert copy.partial == reference.partial(*edge)
            assert copy.grad == reference.copy_adjoint(edge, pair.nodes[-1])


@given(whole_pairs(constants=False))
def test_the_sum_through_the_copies_is_the_gradient(pair: Pair) -> None:
    output = pair.nodes[-1]
    for value, node in zip(pair.values[:-1], pair.nodes[:-1], strict=True):
        if node.constant:
            continue
        found = copies(value, pair.values[-1])
        cut = tuple(reference.edges(node, output))
        assert sum(copy.grad for copy in found) == reference.through(cut, node, output)
        assert gradients(pair.values[-1], [value]) == (sum(copy.grad for copy in found),)


def path_avoiding(edges: set[tuple[Value, int]], source: Value, order: list[Value]) -> bool:
    """Whether the source still reaches the last of the nodes once the edges are cut."""
    reached = {source}
    for node in order:
        if any(
            parent in reached and (node, position) not in edges
            for position, parent in enumerate(node.parents)
        ):
            reached.add(node)
    return order[-1] in reached


@given(runs())
def test_the_terms_of_random_networks_sum_to_the_gradient_exactly(
    run: tuple[RNN, Unrolled],
) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0)) * 3
    output.backward()
    for weight in rnn.parameters():
        found = copies(weight, output, unrolled)
        assert sum(copy.grad for copy in found) == weight.grad


@given(runs(whole=False))
def test_the_terms_of_random_networks_sum_to_the_gradient(run: tuple[RNN, Unrolled]) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0)) ** 2
    output.backward()
    for weight in rnn.parameters():
        found = copies(weight, output, unrolled)
        size = sum(abs(copy.grad) for copy in found)
        assert abs(sum(copy.grad for copy in found) - weight.grad) <= 1e-14 * max(size, 1)


@given(runs())
def test_removing_the_copies_disconnects_the_weight_and_removing_fewer_does_not(
    run: tuple[RNN, Unrolled],
) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0))
    order = topological(output)
    for weight in rnn.parameters():
        edges = {(copy.consumer, copy.position) for copy in copies(weight, output, unrolled)}
        assert not path_avoiding(edges, weight, order)
        for edge in edges:
            assert path_avoiding(edges - {edge}, weight, order)


@given(runs())
def test_every_weight_has_one_copy_in_every_step_that_the_output_depends_on(
    run: tuple[RNN, Unrolled],
) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0))
    for row, weights in enumerate(rnn.weights):
        for weight in weights:
            found = [copy.step for copy in copies(weight, output, unrolled)]
            assert found == [step.k for step in unrolled.steps], row


def test_copies_of_two_uses_in_one_consumer_and_of_none() -> None:
    x, other = Value(3, "x"), Value(1)
    first, second = copies(x, x * x)
    assert (first.position, second.position) == (0, 1)
    assert (first.consumer, first.step, first.name, second.name) == (
        second.consumer,
        None,
        "ẋ",
        "ẍ",
    )
    assert copies(other, x * x) == ()
    assert copies(x, x) == ()


def test_copies_of_an_inner_node_and_their_names() -> None:
    x = Value(3)
    h = x * x
    y = h * h
    assert [copy.name for copy in copies(h, y)] == ["v̇₂", "v̈₂"]
    rnn = RNN([[1], [1]], "linear", bias=False)
    run = rnn.unroll(bits("11111"))
    names = [copy.name for copy in copies(rnn.weights[1][0], run.q[0], run)]
    assert names == ["ẇ₂", "ẅ₂", "w⃛₂", "w⃜₂", "w₂⁽⁵⁾"]


def test_the_copies_are_printed_as_a_table() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    uses = copies(rnn.weights[0][0], loss, run)
    assert str(uses).splitlines() == [
        "copy   step   used in   adjoint   partial   term",
        "────────────────────────────────────────────────",
        "ẇ₁        1   ẇ₁·q           64         0      0",
        "ẅ₁        2   ẅ₁·q̇           16         1     16",
        "w⃛₁        3   w⃛₁·q̈            4         4     16",
        "────────────────────────────────────────────────",
        "sum                                           32",
    ]
    assert uses.total == 32
    x = Value(0.5, "字母")
    assert str(copies(x, 2 - x)).splitlines() == [
        "copy      used in       adjoint   partial   term",
        "────────────────────────────────────────────────",
        "字母⁽¹⁾   2 − 字母⁽¹⁾         1        −1     −1",
        "────────────────────────────────────────────────",
        "sum                                           −1",
    ]


def test_a_copy_cannot_be_changed() -> None:
    x = Value(3, "x")
    (use,) = copies(x, x + 1)
    with pytest.raises(AttributeError):
        use.grad = 5.0  # type: ignore[misc]
    assert not hasattr(use, "__dict__")


def test_many_copies_and_none_are_printed_too() -> None:
    x = Value(1, "x")
    total = x
    for _ in range(99):
        total = total + x
    lines = str(copies(x, total)).splitlines()
    assert len(lines) == 4 + 40 + 1
    assert "… 60 more …" in lines[22]
    forty = total.parents[1]
    for _ in range(39):
        forty = forty + x
    assert "more …" not in str(copies(x, forty))
    assert "… 1 more …" in str(copies(x, forty + x))
    assert max(map(len, lines)) < 80
    assert str(copies(Value(1), total)).splitlines()[-1].split() == ["sum", "0"]
    assert copies(Value(1), total).total == 0


def test_a_notebook_shows_the_table_of_the_copies() -> None:
    x = Value(3, "x")
    shown: list[str] = []
    copies(x, x * x)._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [str(copies(x, x * x))]


def test_a_use_outside_the_steps_has_no_step() -> None:
    rnn = RNN([[2], [1]], "relu", bias=False)
    run = rnn.unroll(bits("11"))
    w = rnn.weights[0][0]
    loss = run.pi[0] + w * w
    assert [copy.step for copy in copies(w, loss, run)] == [1, 2, None, None]


def test_what_is_computed_before_the_network_is_in_no_step() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)
    w = rnn.weights[0][0]
    before = rnn.unroll(bits("101"))
    after = rnn.unroll(bits("11"), state=before.q)
    found = copies(w, after.q[0], after)
    assert [copy.step for copy in found] == [None, None, None, 1, 2]
    halved = rnn.unroll(bits("11"), state=[w * 0.5])
    assert [copy.step for copy in copies(w, halved.q[0], halved)] == [None, 1, 2]
    x, v = Value(1), Value(2)
    doubled = x * 2
    run = RNN([[v * 3], [v]], "relu", bias=False).unroll([[doubled], [doubled]])
    assert [copy.step for copy in copies(x, run.q[0], run)] == [None]
    assert [copy.step for copy in copies(v, run.q[0], run)] == [None, 1, 2]


def test_refusals() -> None:
    x = Value(2)
    with pytest.raises(TypeError, match="parameter must be a node of a graph.*not str"):
        copies("w", x)
    with pytest.raises(TypeError, match="output must be a node of a graph.*not float"):
        copies(x, 1.0)
    with pytest.raises(TypeError, match=r"run must be an unrolled network.*not RNN"):
        copies(x, x * x, RNN([[1], [1]]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"parameter is the constant 3\.0.*Value\(3\.0\)"):
        copies((x * 3).parents[1], x * 3)
