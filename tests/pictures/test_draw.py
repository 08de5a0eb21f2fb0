"""What `draw` takes, what it chooses, and what it refuses."""

import re

import pytest

from autograd_rnn import RNN, Value, bits, draw
from autograd_rnn.errors import (
    GraphTooLarge,
)

from .exercise import boxes


def test_refusals() -> None:
    x, other = Value(1), Value(2, "other")
    with pytest.raises(TypeError, match="output must be a Value, not int"):
        draw(3)
    with pytest.raises(TypeError, match="focus must be a Value, not str"):
        draw(x * x, focus="w")
    with pytest.raises(TypeError, match="run must be what unroll returned, not int"):
        draw(x * x, run=3)
    with pytest.raises(ValueError, match=r"output does not depend on focus \(Value\(2\.0"):
        draw(x * x, focus=other)
    y = x
    for _ in range(400):
        y = y + 1
    with pytest.raises(GraphTooLarge, match=r"401 boxes, more than 300: .*focus=.*max_nodes="):
        draw(y)
    assert len(draw(y, max_nodes=401).view.boxes.values()) == 401


def test_names_and_numbers_are_written_as_told() -> None:
    rnn = RNN([[0.123456789], [1]], activation="tanh", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    plain = draw(loss, focus=rnn.weights[0][0], run=run, accents=False, subscripts=False)
    names = [box.name for box in plain.view.boxes.values()]
    assert {"w_1", "w_1⁽¹⁾", "w_1⁽³⁾", "q⁽¹⁾", "π⁽³⁾", "w_2·x⁽²⁾"} <= set(names)
    assert not re.search("[\u0307\u0308\u20db\u20dc₀-₉]", "".join(names))
    long = draw(loss, focus=rnn.weights[0][0], run=run, precision=8)
    assert boxes(long, "copy")[0][1] == "0.12345679"
    assert boxes(draw(loss, focus=rnn.weights[0][0], run=run), "copy")[0][1] == "0.1235"
    assert "w_1⁽²⁾" in draw(loss, run=run, detail="step", accents=False, subscripts=False).dot
    for wrong in (0, 18, 2.5):
        with pytest.raises((TypeError, ValueError), match="precision must be"):
            draw(loss, precision=wrong)


def test_the_page_of_cards_has_every_number_inside() -> None:
    rnn = RNN([[0.5], [1]], bias=False)
    run = rnn.unroll(bits("1011010101"))
    loss = (15 - run.pi[0]) ** 2
    drawing = draw(loss, focus=rnn.weights[0][0], run=run)
    page = drawing.html()
    assert page.count("<svg") == 2
    assert "<summary>Every number</summary>" in page
    ids = re.findall(r'\bid="(\w+)"', page)
    assert len(ids) == len(set(ids))
    assert "inside_c10" in ids
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", page)
    assert draw(loss, run=run, focus=rnn.weights[0][0], detail="scalar").html().count("<svg") == 1


def test_a_page_has_no_more_inside_than_can_be_followed() -> None:
    rnn = RNN.random(3, 1, seed=1)
    run = rnn.unroll(bits("10110101"))
    loss = (15 - run.pi[0]) ** 2
    assert draw(loss, run=run, detail="neuron").inside is None
