"""The ids of boxes, and the marks of what they are about, in every kind of picture."""

import xml.etree.ElementTree as ElementTree

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Drawing,
    Stack,
    Value,
    bits,
    copies,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    draw_weights,
    topological,
)
from autograd_rnn.graph.marks import mark_of, marks_of
from autograd_rnn.networks.model import Model

SVG = "{http://www.w3.org/2000/svg}"


def marked(drawing: Drawing) -> dict[str, set[str]]:
    """The marks of each box of the SVG, by its id."""
    groups = ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g")
    return {g.attrib["id"]: set(g.get("data-node", "").split()) for g in groups}


def model_of(kind: str) -> Model:
    if kind == "RNN":
        return RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    if kind == "Stack":
        return Stack([LSTM.random(2, 1, seed=1), GRU.random(1, 2, seed=2)])
    return {"LSTM": LSTM, "GRU": GRU}[kind].random(2, 1, seed=1)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "Stack"])
@pytest.mark.parametrize("detail", ["scalar", "whole", "neuron", "step", "matrices"])
def test_each_box_tells_what_it_is_about(kind: str, detail: str) -> None:
    model = model_of(kind)
    weight = model.parameters()[0]
    run = model.unroll(bits("101"))
    loss = (15 - run.q[0]) ** 2
    if detail == "matrices":
        drawing = draw(loss, run=run, focus=model)
    elif detail == "whole":
        drawing = draw(loss, run=run, detail="scalar")
    else:
        drawing = draw(loss, run=run, focus=weight, detail=detail)
    marks, there = marks_of(topological(loss)), marked(drawing)
    for member, id in drawing.ids.items():
        if isinstance(member, tuple) or member in marks:  # what the loss does not read has no mark
            assert mark_of(member, marks) in there[id]
    assert drawing.ids.keys() >= {loss, weight}
    if detail != "whole" or kind == "RNN":
        assert {*map(drawing.ids.get, copies(weight, loss, run))} <= there.keys()
    states = [q for step in run.steps for q in step.q if q in marks]
    if detail not in ("scalar", "step"):  # with one weight in focus, others are folded
        assert drawing.ids.keys() >= set(states)
    if detail in ("scalar", "whole"):
        assert all(id == mark_of(member, marks) for member, id in drawing.ids.items())


def test_pictures_of_a_network_tell_the_states_and_the_weights() -> None:
    rnn = RNN.random(3, 2, seed=1)
    run = rnn.unroll([[1, 0], [0, 1]])
    drawing = draw_network(run)
    there = marked(drawing)
    assert drawing.ids[run.steps[1].pi[2]] == drawing.ids[run.q[2]] == "q2_2"
    assert len(there["q2_2"]) == len(there["x2"]) == 2
    assert {draw_weights(rnn).ids[w] for w in rnn.parameters()} == {"weights"}
    small = model_of("RNN")
    assert [draw_cell(small).ids[w] for w in small.parameters()] == ["w1", "w2"]


def test_what_is_in_no_box_has_no_id() -> None:
    x = Value(3, "x")
    drawing = draw(x * x)
    assert x in drawing.ids
    assert Value(3) not in drawing.ids
    assert drawing.ids.get(copies(x, drawing.view.output)[0]) is None


def test_the_bars_of_a_flow_tell_the_sums_and_the_copies() -> None:
    rnn = model_of("RNN")
    run, weight = rnn.unroll(bits("101")), rnn.parameters()[0]
    loss = (15 - run.pi[0]) ** 2
    drawing, marks = draw_flow(loss, run=run, focus=weight), marks_of(topological(loss))
    there = marked(drawing)
    for k, (step, use) in enumerate(zip(run.steps, copies(weight, loss, run), strict=True), 1):
        assert drawing.ids[step.pi[0]] == f"delta0_{k}"
        assert there[f"delta0_{k}"] == {marks[step.pi[0]]}
        assert drawing.ids[use] == f"term0_{k}"
        assert there[f"term0_{k}"] == {mark_of(use, marks)}
    # Of a model, the copies of all its weights; of two losses, marks would not tell them apart.
    stack = model_of("Stack")
    other = stack.unroll(bits("1011"))
    drawing = draw_flow([loss, other.q[0] ** 2], run=[run, other], focus=[weight, stack])
    assert drawing.ids.keys() > {pi for step in other.steps for pi in step.layers[0].pi}
    assert set().union(*marked(drawing).values()) == set()
    # A bar of no height is not there on a long axis.
    long = rnn.unroll(bits("0" * 60))
    drawing = draw_flow(long.pi[0] ** 2, run=long)
    assert drawing.ids.keys() == set()
