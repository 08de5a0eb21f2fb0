"""The recursion of backpropagation in writing: short where graphs are large."""

import pytest

from autograd_rnn import RNN, bits, derive, gradients
from autograd_rnn.graph.notation import TEXT, superscript

from .examples import lstm_step


def test_an_lstm_stays_readable() -> None:
    loss, w = lstm_step()
    for weight in w.values():
        worked = derive(loss, weight)
        (true,) = gradients(loss, [weight])
        assert worked.value == pytest.approx(true, rel=1e-12)
        widest = max(len(line) for line in worked.text.splitlines())
        assert widest <= 120
        assert len(worked.text.splitlines()) < 120
    assert "∂L/∂v_f = −2(1 − h₂)(" in derive(loss, w["v_f"]).text


def test_long_products_fold() -> None:
    rnn = RNN([[0.9], [1]], activation="tanh", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("1" * 12))
    loss = (1 - run.pi[0]) ** 2
    worked = derive(loss, rnn.weights[0][0], run=run)
    formula, *recursion = worked.sections[-2].equations
    assert formula.sides[0].expression.size() < 80
    assert formula.sides[0].write(TEXT).endswith("q·∂π⁽¹²⁾/∂π⁽¹⁾)")
    # Each derivative is written by that of the step behind it, all in the same way.
    for k, equation in zip(range(11, 0, -1), recursion, strict=True):
        later = "" if k == 11 else f"∂π⁽¹²⁾/∂π{superscript(f'({k + 1})')}·"
        assert equation.write(TEXT)[1] == [f"= {later}w₁·a′(π{superscript(f'({k})')})"]
    (true,) = gradients(loss, [rnn.weights[0][0]])
    assert worked.value == pytest.approx(true, rel=1e-12)
