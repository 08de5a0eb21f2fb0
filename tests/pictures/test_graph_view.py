"""The record of a picture: its boxes, copies and arrows."""

import re
from typing import Any

import pytest
from hypothesis import given, settings

from autograd_rnn import RNN, Unrolled, Value, bits, copies, draw
from autograd_rnn.engine.value import constant
from autograd_rnn.graph.walk import depth_first
from autograd_rnn.pictures.dot import view_graph

from ..strategies import Pair, pairs, runs
from .exercise import EXERCISE, boxes, exercise


def test_the_exercise() -> None:
    drawing = exercise()
    assert boxes(drawing, "parameter") == [("w₁", "4", "0 + 16 + 16 = 32")]
    assert boxes(drawing, "copy") == [("ẇ₁", "4", "0"), ("ẅ₁", "4", "16"), ("w⃛₁", "4", "16")]
    assert boxes(drawing, "state") == [("q", "0", "256"), ("q̇", "1", "64"), ("q̈", "4", "16")]
    assert boxes(drawing, "constant") == [
        *[("w₂·ẋ", "1", None), ("w₂·ẍ", "0", None), ("w₂·x⃛", "1", None)]
    ]
    assert boxes(drawing, "output") == [("L", "4", "1")]
    assert boxes(drawing, "plain") == [
        *[("ẇ₁·q", "0", "64"), ("π̇", "1", "64"), ("ẅ₁·q̇", "4", "16"), ("π̈", "4", "16")],
        *[("w⃛₁·q̈", "16", "4"), ("π⃛", "17", "4"), ("15 − π⃛", "−2", "−4")],
    ]
    chips = [arrow.chip for arrow in drawing.view.arrows if arrow.role == "fan"]
    assert chips == ["+ 0", "+ 16", "+ 16"]
    assert drawing.view.title == "The copies of w₁ separate it from the output"
    assert drawing.view.subtitle.split("     ") == [
        *["q̈ = relu(π̈)", "π⃛ = w₁·q̈ + w₂·x⃛", "L = (15 − π⃛)²"]
    ]
    assert list(drawing.view.panels.values()) == [
        *["step 1   ẋ = 1", "step 2   ẍ = 0", "step 3   x⃛ = 1"]
    ]
    assert repr(drawing) == "<Drawing: L = 4, 18 boxes, 3 copies of w₁>"


def test_the_other_weight() -> None:
    drawing = exercise(weight=1)
    assert boxes(drawing, "parameter") == [("w₂", "1", "64 + 0 + 4 = 68")]
    assert [box.name for box in drawing.view.boxes.values() if box.role == "constant"] == [
        *["ẋ", "w₁·q", "w₁", "ẍ", "w₁", "x⃛"]
    ]


def test_before_any_backward_the_gradients_are_not_there() -> None:
    drawing = exercise(backward=False)
    assert {box.grad for box in drawing.view.boxes.values()} == {"–", None}
    assert all(arrow.chip is None for arrow in drawing.view.arrows)


def test_a_second_backward_changes_nothing() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    once = draw(loss, focus=rnn.parameters()[0], run=run).dot
    loss.backward(3)
    assert draw(loss, focus=rnn.parameters()[0], run=run).dot == once
    assert rnn.parameters()[0].grad == 128


def test_the_dashed_line_runs_through_exactly_the_copies() -> None:
    drawing = exercise()
    arrows, boxes = drawing.view.arrows, drawing.view.boxes.values()
    (weight,) = [box.id for box in boxes if box.role == "parameter"]
    first, second, third = [box.id for box in boxes if box.role == "copy"]
    cut = [(arrow.tail, arrow.head) for arrow in arrows if arrow.role == "cut"]
    assert cut == [(first, second), (second, third)]
    fan = [(arrow.tail, arrow.head) for arrow in arrows if arrow.role == "fan"]
    assert fan == [(weight, first), (weight, second), (weight, third)]


def reaches(arrows: list[tuple[str, str]], source: str, target: str) -> bool:
    heads: dict[str, list[str]] = {}
    for tail, head in arrows:
        heads.setdefault(tail, []).append(head)
    return target in depth_first([source], lambda box: heads.get(box, []))


@settings(max_examples=settings().max_examples * 2 // 5)
@given(runs())
def test_the_drawn_copies_separate_and_the_chips_add_up(run: tuple[RNN, Unrolled]) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0, "zero")) * 2
    output.backward()
    for weight in rnn.parameters():
        if not unrolled.steps:
            with pytest.raises(ValueError, match="output does not depend on focus"):
                draw(output, focus=weight, run=unrolled)
            continue
        view = view_graph(output, [weight], unrolled, None)
        (result,) = [box.id for box in view.boxes.values() if box.role == "output"]
        forward = [(a.tail, a.head) for a in view.arrows if a.role != "cut"]
        copied = {box.id for box in view.boxes.values() if box.role == "copy"}
        assert reaches(forward, view.ids[weight], result)
        around = [(tail, head) for tail, head in forward if copied.isdisjoint((tail, head))]
        assert not reaches(around, view.ids[weight], result)
        terms = [copy.grad for copy in copies(weight, output)]
        assert len(terms) == len(copied)
        if all(abs(term) < 10**6 for term in [*terms, sum(terms)]):
            shown = [box.grad for box in view.boxes.values() if box.role == "copy"]
            assert sum(int(grad.replace("−", "-")) for grad in shown) == weight.grad
    if unrolled.steps:  # what is seen is what is drawn
        drawing = draw(output, focus=weight, run=unrolled, detail="scalar", max_nodes=3000)
        assert drawing.view.boxes == view.boxes
        assert drawing.view.arrows == view.arrows


def test_a_graph_without_a_network() -> None:
    a, b = Value(2, "a"), Value(3, "b")
    y = (a * b + 10).tanh() * a
    drawing = draw(y)
    assert [box.name for box in drawing.view.boxes.values()] == [
        *["a", "b", "a·b", "a·b + 10", "tanh(a·b + 10)", "tanh(a·b + 10)·a"]
    ]
    assert [box.badge for box in drawing.view.boxes.values()] == [None, None, "×", "+", "tanh", "×"]
    assert drawing.view.title == "How tanh(a·b + 10)·a is computed"
    focused = draw(y, focus=a)
    assert [box.name for box in focused.view.boxes.values() if box.role == "constant"] == ["b"]
    assert [box.name for box in focused.view.boxes.values() if box.role == "copy"] == ["ȧ", "ä"]
    assert next(iter(draw(a).view.boxes.values())).name == "a"
    assert next(iter(draw(constant(2.0)).view.boxes.values())).name == "2"


def test_a_result_with_a_name_shows_its_plain_numbers_in_the_badge() -> None:
    x = Value(3, "x")
    y = 15 - x
    y.name = "y"
    z = (y / 4) ** 2
    z.name = "z"
    badges = {box.name: box.badge for box in draw(z).view.boxes.values()}
    assert badges == {"x": None, "y": "15 − ( )", "y / 4": "÷", "z": "( )²"}


def test_long_expressions_and_long_sums_are_shortened() -> None:
    w = Value(1, "weight")
    y = w
    for _ in range(8):
        y = y * 2 + w
    y.backward()
    drawing = draw(y, focus=w)
    names = [box.name for box in drawing.view.boxes.values()]
    assert any(re.fullmatch("v[₀-₉]+", name) for name in names)
    (total,) = [box.grad for box in drawing.view.boxes.values() if box.role == "parameter"]
    assert total == "256 + 128 + … + 2 + 1 = 511"
    assert (
        next(box.name for box in drawing.view.boxes.values() if box.role == "copy") == "weight⁽¹⁾"
    )


@settings(max_examples=50)
@given(pairs())
def test_any_graph_can_be_drawn(pair: Pair) -> None:
    output = pair.values[-1]
    output.backward()
    for focus in [None, *pair.values[: pair.leaves]]:
        if focus is None or (not focus.constant and copies(focus, output)):
            drawing = draw(output, focus=focus)
            ids = [box.id for box in drawing.view.boxes.values()]
            assert len(set(ids)) == len(ids)
            ends = {end for a in drawing.view.arrows for end in (a.tail, a.head)}
            assert ends <= set(ids)


def test_the_whole_graph_of_the_exercise() -> None:
    names: dict[str, Any] = {}
    exec(EXERCISE, names)
    drawing = draw(names["loss"], run=names["run"])
    assert drawing.view is not None
    assert drawing.view.title == "The whole graph, with every copy of w₁ and w₂"
    assert boxes(drawing, "parameter") == [
        ("w₁", "4", "0 + 16 + 16 = 32"),
        ("w₂", "1", "64 + 0 + 4 = 68"),
    ]
    assert boxes(drawing, "copy") == [
        *[("ẇ₁", "4", "0"), ("ẇ₂", "1", "64"), ("ẅ₁", "4", "16")],
        *[("ẅ₂", "1", "0"), ("w⃛₁", "4", "16"), ("w⃛₂", "1", "4")],
    ]
    assert boxes(drawing, "constant") == [("ẋ", "1", None), ("ẍ", "0", None), ("x⃛", "1", None)]
    # Panel 13: ∂(w₁·q)/∂w₁ is the state before; ∂(w₁·q)/∂q is w₁.
    notes = {(arrow.tail, arrow.head): arrow.note for arrow in drawing.view.arrows}
    names_of = {box.id: box.name for box in drawing.view.boxes.values()}
    by_name = {(names_of[tail], names_of[head]): note for (tail, head), note in notes.items()}
    assert [by_name[pair] for pair in (("ẇ₁", "ẇ₁·q"), ("ẅ₁", "ẅ₁·q̇"), ("w⃛₁", "w⃛₁·q̈"))] == [
        "0",
        "1",
        "4",
    ]
    assert [by_name[pair] for pair in (("q", "ẇ₁·q"), ("π⃛", "15 − π⃛"), ("15 − π⃛", "L"))] == [
        "4",
        "−1",
        "−4",
    ]
    assert by_name["ẋ", "ẇ₂·ẋ"] is None
    assert "layout=nop2" in drawing.dot


def test_an_output_that_reads_an_earlier_step_only() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)
    run = rnn.unroll(bits("1011"))
    w = rnn.parameters()[0]
    output = run.steps[1].pi[0] * 2 + w
    drawing = draw(output, focus=w, run=run, detail="scalar")
    assert len(boxes(drawing, "copy")) == 3


def test_edges_with_and_without_the_local_derivatives() -> None:
    x = Value(3, "x")
    y = x * 2 + 1
    for edges, notes in ((None, {None}), ("plain", {None}), ("local", {None, "2", "1"})):
        picture = draw(y, focus=x, edges=edges).view
        assert picture is not None
        assert {arrow.note for arrow in picture.arrows} <= notes
    with pytest.raises(ValueError, match=r"edges 'all' is unknown: choose one of local, plain"):
        draw(y, edges="all")
    names: dict[str, Any] = {}
    exec(EXERCISE, names)
    plain = draw(names["loss"], run=names["run"], edges="plain").view
    assert plain is not None
    assert all(arrow.note is None for arrow in plain.arrows)


@given(runs())
def test_the_whole_graph_of_any_network_can_be_drawn(run: tuple[RNN, Unrolled]) -> None:
    _, unrolled = run
    output = sum(unrolled.q, Value(0)) * 3
    output.backward()
    drawing = draw(output, run=unrolled, detail="scalar", max_nodes=5000)
    assert drawing.view is not None
    ids = [box.id for box in drawing.view.boxes.values()]
    assert len(set(ids)) == len(ids)
    for arrow in drawing.view.arrows:
        assert {arrow.tail, arrow.head} <= set(ids)
