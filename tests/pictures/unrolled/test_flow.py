"""How the gradient flows back: lengths of δ, terms of copies, and the factors on the way."""

import re
from itertools import pairwise
from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import LSTM, RNN, Value, bits, copies, draw_flow, gradients
from autograd_rnn.pictures.drawing import Drawing

from ..exercise import texts


def told(drawing: Drawing, words: str) -> list[float]:
    """The numbers of the bars by what is said of them, step by step."""
    found = [re.fullmatch(rf"{words}: (.*)", title) for title in drawing.titles.values()]
    return [float(match[1]) for match in found if match]


def test_the_exercise() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    drawing = draw_flow((15 - run.pi[0]) ** 2, run=run, focus=rnn.weights[0][0])
    assert told(drawing, r"\|δ\| of step \d") == [64.0, 16.0, 4.0]
    assert told(drawing, r"what step \d adds") == [16.0, 16.0]  # and no bar for 0
    read = texts(drawing.svg())
    assert read.count("×4") == 2
    assert "RNN   ×4 per step back" in read
    assert "0" in read


@given(st.floats(-1.5, 1.5), st.floats(-1, 1), st.integers(2, 6))
@settings(max_examples=20)
def test_the_factors_of_one_state_are_w_times_the_slope(w: float, x: float, steps: int) -> None:
    rnn = RNN([[w], [1.0]], activation="tanh", bias=False)
    run = rnn.unroll([[x + 0.1]] * steps)
    loss = (1 - run.pi[0]) ** 2
    drawing = draw_flow(loss, run=run)
    deltas = [abs(one) for one in gradients(loss, [step.pi[0] for step in run.steps])]
    assert told(drawing, r"\|δ\| of step \d") == pytest.approx([d for d in deltas if d])
    factors = [abs(w) * (1 - step.q[0].data ** 2) for step in run.steps[:-1]]
    for (before, after), factor in zip(pairwise(deltas), factors, strict=True):
        assert before == pytest.approx(factor * after)


def test_lengths_and_terms_of_a_layer() -> None:
    lstm = LSTM.random(3, 2, seed=4)
    run = lstm.unroll([[1, 0], [0, 1], [1, 1]], truncate=2)
    loss = sum([(1 - step.h[0]) ** 2 for step in run.steps])
    drawing = draw_flow(loss, run=run, focus=lstm)
    for step, delta in zip(run.steps, told(drawing, r"\|δ\| of step \d"), strict=True):
        assert delta == pytest.approx(hypot(*gradients(loss, step.pi)))
    terms = dict.fromkeys((1, 2, 3), 0.0)
    for weight in lstm.parameters():
        by_step = dict.fromkeys((1, 2, 3), 0.0)
        for use in copies(weight, loss, run):
            by_step[use.step or 0] += use.grad
        terms = {k: hypot(terms[k], by_step[k]) for k in terms}
    assert told(drawing, r"what step \d adds") == pytest.approx([*terms.values()])
    assert "δ of step 3 to step 2: cut" in drawing.titles.values()


def test_sizes_that_differ_much_are_on_a_logarithmic_axis() -> None:
    rnn = RNN.random(1, 1, seed=5)
    long, short = rnn.unroll([[1.0]] * 30), rnn.unroll([[1.0]] * 2)
    losses = [(1 - run.q[0]) ** 2 for run in (long, short)]
    written = [
        draw_flow(one, run=run).svg() for one, run in zip(losses, (long, short), strict=True)
    ]
    assert ["times the one below it" in text for text in written] == [True, False]


def test_two_hundred_steps_and_several_runs() -> None:
    rnn, lstm = RNN.random(2, 1, seed=3), LSTM.random(2, 1, seed=1)
    runs = [rnn.unroll([[1.0]] * 200), lstm.unroll([[1.0]] * 3)]
    losses = [(1 - run.q[0]) ** 2 for run in runs]
    drawing = draw_flow(losses, run=runs, names=["long", "short"])
    assert len(told(drawing, r"\|δ\| of step \d+")) == 203
    assert drawing.summary.startswith("How the gradient flows back: 2 runs, the last short over 3")
    assert {"1", "200"}.issubset(texts(drawing.svg()))


def test_refusals() -> None:
    rnn = RNN.random(1, 1)
    run = rnn.unroll([[1.0]])
    loss = (1 - run.q[0]) ** 2
    with pytest.raises(ValueError, match="run must have one for each output, 2, not 1"):
        draw_flow([loss, loss], run=run)
    with pytest.raises(TypeError, match="run must be an unrolled network, not None"):
        draw_flow(loss, run=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output depends on no step of run"):
        draw_flow(Value(1) * 2, run=run)
    with pytest.raises(TypeError, match=r"output must be a node of a graph, .* not int"):
        draw_flow(3, run=run)  # type: ignore[arg-type]
    long = rnn.unroll([[1.0]] * 401)
    with pytest.raises(ValueError, match="run has 401 steps, more than 400: .*inputs"):
        draw_flow(long.q[0], run=long)
