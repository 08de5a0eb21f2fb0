"""Pictures of a graph whose leaves were assigned since: forward, backward, update, draw."""

import re

import pytest

from autograd_rnn import (
    RNN,
    StaleGraphError,
    Unrolled,
    Value,
    bits,
    derive,
    draw,
    draw_network,
    hessian,
    play,
)

NOTE = "→ marks a number assigned since; the rest is as it was computed"


@pytest.fixture
def square() -> Value:
    x = Value(3.0, "x")
    y = x * x
    y.backward()
    x.data -= 0.1 * x.grad
    return y


@pytest.fixture
def exercise() -> tuple[RNN, Unrolled, Value]:
    """The lecture's exercise after a step of gradient descent."""
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    for w in rnn.parameters():
        w.data -= 0.01 * w.grad
    return rnn, run, loss


def test_a_leaf_shows_what_it_was_and_what_it_is(square: Value) -> None:
    dot = draw(square).dot
    assert ">3 → 2.4 <" in dot
    assert ">9 <" in dot
    assert NOTE in dot
    assert "x: data 3 → 2.4, assigned since to 2.4, grad 6.0" in draw(square).svg() or (
        "data 3 → 2.4, assigned since to 2.4, grad 6" in draw(square).svg()
    )


def test_what_is_not_known_any_more_is_a_question_mark() -> None:
    a, b = Value(1.0, "a"), Value(2.0, "b")
    total = a + b
    a.data = 5.0
    dot = draw(total).dot
    assert ">? → 5 <" in dot
    assert ">? → 2 <" in dot
    assert "? → one that may have been" in dot
    assert "? + ? = 3" in play(total).html


def test_a_fresh_graph_has_no_mark(exercise: tuple[RNN, Unrolled, Value]) -> None:
    rnn, _, _ = exercise
    run = rnn.unroll(bits("101"))
    for detail in ("scalar", "neuron", "step"):
        assert "assigned since" not in draw(run.pi[0], run=run, detail=detail).dot
    assert "assigned since" not in play(run.pi[0], run=run).html


def test_copies_show_what_was_computed_with(exercise: tuple[RNN, Unrolled, Value]) -> None:
    rnn, run, loss = exercise
    w = rnn.weights[0][0]
    for drawing in (draw(loss, focus=w, run=run), draw(loss, run=run)):
        assert ">4 → 3.68 <" in drawing.dot
        assert drawing.dot.count("3.68") == 1 + drawing.dot.count("assigned since to 3.68")
        assert NOTE in drawing.dot
    w.data = 4.0
    rnn.weights[1][0].data = 1.0
    assert "assigned" not in draw(loss, focus=w, run=run).dot


def test_cards_and_circles_tell(exercise: tuple[RNN, Unrolled, Value]) -> None:
    _, run, loss = exercise
    cards = draw(loss, run=run, detail="step").dot
    assert "w₁ = 4 → 3.68" in cards
    assert "w₂ = 1 → 0.32" in cards
    assert NOTE in cards
    boxes = draw(loss, focus=run.rnn.weights[0][0], run=run, detail="neuron").dot
    assert ">4 → 3.68 <" in boxes
    assert NOTE in boxes
    circles = draw_network(run).dot
    assert "weights or inputs were assigned since" in circles


def test_the_film_computes_with_the_numbers_of_then(exercise: tuple[RNN, Unrolled, Value]) -> None:
    _, run, loss = exercise
    said = play(loss, run=run).html
    assert "4·1 = 4" in said
    assert NOTE in said
    assert not re.search(r"3\.68·", said)


def test_readers_that_compute_anew_refuse(square: Value) -> None:
    (x, _) = square.parents
    for read in (lambda: derive(square, x), lambda: hessian(square, [x])):
        with pytest.raises(StaleGraphError, match=r"mul\(x = 2.4, x = 2.4\) = 9.0 is 5.76 now"):
            read()
