"""Graphs to derive: the lecture's exercise, and an LSTM."""

from typing import Any

from autograd_rnn import RNN, Value, bits, derive
from autograd_rnn.engine.value import constant


def exercise(weight: int = 0, **options: Any) -> Any:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (constant(15.0, "y") - run.pi[0]) ** 2
    return derive(loss, rnn.parameters()[weight], run=run, **options)


def lstm_step() -> tuple[Value, dict[str, Value]]:
    """An LSTM of one unit over two inputs, its gates named."""
    names = ["u_i", "v_i", "u_f", "v_f", "u_o", "v_o", "u_g", "v_g"]
    w = {name: Value(0.3 * place - 1.0, name) for place, name in enumerate(names)}
    h, c = Value(0.5, "h"), Value(-0.5, "c")
    for k, x in enumerate([1, 0.5], 1):
        i, f, o = [(w[f"u_{g}"] * x + w[f"v_{g}"] * h).sigmoid() for g in "ifo"]
        g = (w["u_g"] * x + w["v_g"] * h).tanh()
        c = f * c + i * g
        h = o * c.tanh()
        for name, value in zip("ifogch", (i, f, o, g, c, h), strict=True):
            value.name = f"{name}_{k}"
    return (1 - h) ** 2, w
