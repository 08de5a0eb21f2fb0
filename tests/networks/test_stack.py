"""Layers over layers: their names, a data set, pictures, and what is refused."""

import math
from typing import Any

import pytest

from autograd_rnn import GRU, LSTM, RNN, Linear, Stack, draw, tomita
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError


def test_a_stack_runs_over_a_data_set() -> None:
    data = tomita(4).sample(12, range(1, 7), seed=2)
    model = Stack.random("GRU", 2, data.inputs, 1, seed=1)
    compiled = model.compile("squared_error", backend="python")
    loss, slopes = compiled.loss_and_gradients(data.sequences, data.targets)
    errors = [
        (target - model(vectors).data) ** 2
        for vectors, target in zip(data.sequences, data.targets, strict=True)
    ]
    assert loss == pytest.approx(math.fsum(errors) / 12, rel=1e-12)
    for weight, slope in zip(model.parameters(), slopes, strict=True):
        weight.data -= 0.01 * slope
    assert compiled.loss_and_gradients(data.sequences, data.targets)[0] < loss


def test_names_count_through_the_layers() -> None:
    model = Stack.random("LSTM", 2, 1, 2, layers=2)
    assert [w.name for w in model.parameters()] == [f"w_{k}" for k in range(1, 79)]
    assert (model.states, model.inputs, model.outputs, len(model.initial)) == (4, 1, 2, 8)
    run = model.unroll([[1], [0]])
    assert [q.name for q in run.state] == ["h_1", "h_2", "c_1", "c_2", "h_3", "h_4", "c_3", "c_4"]
    first, second = run.steps[1].layers[:2]
    assert [value.name for value in (*first.h, *second.h)] == ["ḧ₁", "ḧ₂", "ḧ₃", "ḧ₄"]
    assert [value.name for value in (first.f[1], second.o[0], second.c[1])] == ["f̈₂", "ö₃", "c̈₄"]
    assert [first.pi[7].name, second.pi[0].name] == ["π̈₈", "π̈₉"]
    assert [y.name for y in run.output] == ["ÿ₁", "ÿ₂"]
    assert run.steps[1].x[0].name == "ẍ"
    assert [layer.k for layer in run.steps[1].layers] == [2, 2, 2]
    assert Stack.random("GRU", 1, 1, 1).unroll([[1]]).steps[0].layers[0].m[0].name == "ṁ"
    mixed = Stack([RNN.random(2, 1, activation="linear"), GRU.random(1, 2)]).unroll([[1]])
    assert [q.name for q in mixed.state] == ["q_1", "q_2", "h"]
    rnn, gru = mixed.steps[0].layers
    assert [value.name for value in (*rnn.q, *gru.pi)] == ["π̇₁", "π̇₂", "π̇₃", "π̇₄", "π̇₅"]
    named = LSTM([[1, 2, 3, 4]] * 2, names=[["a", "b", "c", "d"], ["e", "f", "g", "h"]])
    assert "".join(str(w.name) for w in named.parameters()) == "abcdefgh"


def test_cards_tell_the_cells_and_the_readout() -> None:
    model = Stack.random("LSTM", 2, 1, 1)
    run = model.unroll([[1], [0]])
    loss = (1 - run.output) ** 2
    text = draw(loss, focus=model.parameters()[0], run=run, detail="step").dot
    assert all(name in text for name in ("ḣ", "ċ", "ÿ", "c̈", "layer 1", "layer 2"))
    assert "ẏ" not in text  # what the output does not read is in no card
    assert "→" not in text  # no state is one activation of one sum
    readout = draw(loss, focus=model.parameters()[-1], run=run, detail="step").dot
    assert "= ÿ" in readout  # the whole sum of the readout, with the copy in it
    run = RNN.random(1, 1).unroll([[1]])
    assert "→" in draw((1 - run.q[0]) ** 2, run=run, detail="step").dot


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Stack([]), ArgumentValueError, "layers must hold one layer or more"),
        (lambda: Stack(3), ArgumentTypeError, "layers must be a list, not int"),
        (lambda: Stack([3]), ArgumentTypeError, r"layers\[0\] must be a layer, such as an RNN"),
        (
            lambda: Stack([Stack.random("GRU", 1, 1, 1)]),
            ArgumentTypeError,
            r"layers\[0\] must be a layer, .*not Stack",
        ),
        (
            lambda: Stack([LSTM.random(2, 1), Linear.random(3, 1)]),
            ArgumentValueError,
            r"layers\[1\] has 3 inputs, but the layer below gives 2",
        ),
        (lambda: Stack.random("CNN", 1, 1, 1), ArgumentValueError, "kind 'CNN' is unknown"),
        (lambda: Stack.random("GRU", 1, 1, 1, layers=0), ArgumentValueError, "layers must be 1 or"),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
