"""What `draw` takes, what it chooses, and what it refuses."""

import re
import sys

import pytest

from autograd_rnn import (
    LSTM,
    RNN,
    Drawing,
    Unrolled,
    Value,
    bits,
    derive,
    draw,
    draw_flow,
    draw_network,
    play,
)
from autograd_rnn.errors import GraphTooLarge
from autograd_rnn.graph.notation import number
from autograd_rnn.pictures.canvas import Canvas
from autograd_rnn.pictures.draw import KINDS, Kind, Request

from .exercise import boxes, texts


def test_refusals() -> None:
    x, other = Value(1), Value(2, "other")
    with pytest.raises(TypeError, match="output must be a node of a graph, .* not int"):
        draw(3)
    with pytest.raises(TypeError, match="focus must be a node of a graph, .* not str"):
        draw(x * x, focus="w")
    with pytest.raises(TypeError, match="run must be an unrolled network, such as .*, not int"):
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
    inside = {f"inside_{id}" for id in (*drawing.inside.ids.values(), *drawing.inside.view.boxes)}
    assert inside <= set(ids)
    assert len(inside) > 30
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", page)
    assert draw(loss, run=run, focus=rnn.weights[0][0], detail="scalar").html().count("<svg") == 1


def test_a_page_has_no_more_inside_than_can_be_followed() -> None:
    rnn = RNN.random(3, 1, seed=1)
    run = rnn.unroll(bits("10110101"))
    loss = (15 - run.pi[0]) ** 2
    assert draw(loss, run=run, detail="neuron").inside is None


# --- kinds of pictures ---------------------------------------------------------------------------


def unrolled(bit_string: str) -> tuple[Value, Unrolled, Value]:
    rnn = RNN([[0.5], [1]], bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    return loss, run, rnn.weights[0][0]


@pytest.mark.parametrize(
    ("detail", "asked", "words"),
    [
        ("neuron", {"edges", "precision"}, "edges=: choose detail='scalar', or leave it out"),
        ("step", {"edges", "focus"}, "edges=: choose detail='scalar', or"),
    ],
)
def test_what_a_detail_cannot_show_is_refused(detail: str, asked: set[str], words: str) -> None:
    loss, run, weight = unrolled("101")
    given = {"focus": weight, "edges": "local", "precision": 2}
    arguments = {name: given[name] for name in asked}
    with pytest.raises(ValueError, match=f"^detail='{detail}' cannot show {words}"):
        draw(loss, run=run, detail=detail, **arguments)
    assert draw(loss, run=run, detail=detail, edges="plain")  # as it has none


@pytest.mark.parametrize("detail", ["neuron", "step"])
def test_boxes_of_neurons_and_cards_need_a_network(detail: str) -> None:
    with pytest.raises(ValueError, match=f"detail='{detail}' needs run=, the unrolled network"):
        draw(Value(1) * 2, detail=detail)


def test_auto_takes_the_most_detail_that_can_be_read_and_shows_what_is_asked_for() -> None:
    loss, run, weight = unrolled("101")
    assert draw(loss, run=run).summary == draw(loss, run=run, detail="scalar").summary
    loss, run, weight = unrolled("101101101101")
    for asked, detail in [
        ({}, "neuron"),
        ({"edges": "plain"}, "neuron"),
        ({"precision": 2}, "neuron"),
        ({"focus": weight}, "neuron"),
        ({"edges": "local"}, "scalar"),
        ({"edges": "local", "focus": weight}, "scalar"),
    ]:
        chosen = draw(loss, run=run, **asked)  # type: ignore[arg-type]
        assert chosen.dot == draw(loss, run=run, detail=detail, **asked).dot  # type: ignore[arg-type]
    lstm = LSTM.random(8, 1)
    run = lstm.unroll(bits("101"))
    error = (1 - run.q[0]) ** 2
    assert draw(error, run=run).dot == draw(error, run=run, detail="step").dot


def test_too_many_boxes_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer digits on paper do not make them fewer."""
    tried: list[Request] = []

    def refuse(request: Request) -> Drawing:
        tried.append(request)
        return KINDS["scalar"].draw(request)

    kind = Kind("counted", refuse, needs_run=False)
    monkeypatch.setitem(KINDS, kind.name, kind)
    x = Value(1 / 3, "x")
    with pytest.raises(GraphTooLarge, match="more than 2"):
        draw(x * x + 1, detail="counted", max_nodes=2, width=345)
    assert len(tried) == 1


def test_a_kind_of_picture_is_added_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw_name(request: Request) -> Drawing:
        canvas = Canvas(request.theme, layout="nop2")
        canvas.text("output", (0, 0), number(request.output.data), 20, request.theme.ink)
        canvas.frame(request.title or "One number", "")
        return canvas.drawing("one number")

    kind = Kind("number", draw_name, shows=("precision",), needs_run=False)
    monkeypatch.setitem(KINDS, kind.name, kind)
    x = Value(1 / 3, "x")
    drawing = draw(x * 1, detail="number", precision=2, theme="dark")
    assert texts(drawing.svg()) == ["0.33", "One number"]
    assert repr(drawing) == "<Drawing: one number>"
    with pytest.raises(ValueError, match=r"'number' cannot show focus=: choose detail='scalar'"):
        draw(x * 1, detail="number", focus=x)
    with pytest.raises(ValueError, match=r"choose one of auto, scalar, neuron, step, number"):
        draw(x * 1, detail="numbers")
    assert draw(x * 1).summary == "x·1 = 0.3333, 2 boxes"  # auto takes it only where it suits


# --- size ----------------------------------------------------------------------------------------


def test_a_graph_that_is_too_large_is_refused_before_it_is_read() -> None:
    w = Value(1.0, "w")
    y = Value(0.0)
    for _ in range(60_000):
        y = y + w * w
    ways = r"more than 100,000 nodes.*copies\(\) and gradients\("
    with pytest.raises(GraphTooLarge, match=ways):
        draw(y, focus=w)
    with pytest.raises(GraphTooLarge, match=ways):
        derive(y, w)
    with pytest.raises(GraphTooLarge, match=r"more than 20,000 nodes.*play a run of fewer steps"):
        play(y)


def test_a_run_that_is_too_long_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, limit in (
        ("pictures.draw", "MOST_READ"),
        ("pictures.network", "MOST_READ"),
        ("derivation.derive", "MOST_DERIVED"),
    ):
        monkeypatch.setattr(sys.modules[f"autograd_rnn.{module}"], limit, 1000)
    rnn = RNN([[0.5]], bias=False)
    run = rnn.unroll([[]] * 501)
    (q,) = run.q
    for refused in (
        lambda: draw_network(run),
        lambda: draw(q, run=run, focus=rnn),
        lambda: derive(q, rnn, run=run),
    ):
        with pytest.raises(GraphTooLarge, match=r"more than 1,000 nodes.*copies\(\) and gradients"):
            refused()
    with pytest.raises(ValueError, match=r"run has 501 steps, more than 400: .*\[-400:\]"):
        draw_flow(q, run=run, focus=rnn.weights[0][0])


def test_long_names_are_cut_and_whole_in_the_tooltip() -> None:
    x = Value(2.0, "a" * 3000)
    drawing = draw(x * 3, focus=x)
    assert max(map(len, texts(drawing.svg()))) <= 100
    assert "a" * 3000 in drawing.svg()


def test_a_leaf_of_a_large_graph_stands_beside_each_use() -> None:
    def chain(count: int) -> Value:
        x = [Value(0.1 * i, f"x_{i}") for i in range(1, 13)]
        y = x[0]
        for k in range(count):
            y = y * x[7 * k % 12] + x[k % 12]
        return y

    small, large = draw(chain(5)), draw(chain(40))
    assert len({name for name, _, _ in boxes(small, "parameter")}) == len(boxes(small, "parameter"))
    assert len(boxes(large, "parameter")) == 81
    assert "nslimit" in large.dot


def test_more_neurons_than_can_be_drawn_are_refused() -> None:
    run = RNN.random(40, 1).unroll([[1.0]] * 9)
    loss = (1 - run.q[0]) ** 2
    with pytest.raises(GraphTooLarge, match=r"each of 360 neurons, more than 300: .*detail='step'"):
        draw(loss, run=run, detail="neuron")
    assert draw(loss, run=run).dot == draw(loss, run=run, detail="step").dot
