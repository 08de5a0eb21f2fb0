"""LSTM and GRU: beside plain loops over floats."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings

from autograd_rnn import GRU, LSTM, Linear, Stack, draw
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from .models import numbers, sizes, table


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def lstm_by_loops(W: Any, n: int, inputs: Any) -> list[dict[str, list[float]]]:  # noqa: N803
    """The fields of every step; W has rows [1; H; X] and the columns of i, f, g, o."""
    h, c, steps = [0.0] * n, [0.0] * n, []
    for x in inputs:
        column = [1.0, *h, *x]
        pi = [sum(W[r][j] * column[r] for r in range(len(column))) for j in range(4 * n)]
        i, f, o = [[sigmoid(p) for p in pi[g * n : g * n + n]] for g in (0, 1, 3)]
        g = [math.tanh(p) for p in pi[2 * n : 3 * n]]
        c = [f[j] * c[j] + i[j] * g[j] for j in range(n)]
        h = [o[j] * math.tanh(c[j]) for j in range(n)]
        steps.append({"pi": pi, "i": i, "f": f, "g": g, "o": o, "c": c, "h": h, "q": h + c})
    return steps


def gru_by_loops(W: Any, b: Any, n: int, inputs: Any) -> list[dict[str, list[float]]]:  # noqa: N803
    """The fields of every step; the columns are those of r, z, n, and b is added to Uᵀ H."""
    h, steps = [0.0] * n, []
    for x in inputs:
        r, z, m, c = [], [], [], []
        for j in range(n):
            over_h = [sum(W[1 + k][g * n + j] * h[k] for k in range(n)) for g in range(3)]
            over_x = [sum(W[1 + n + k][g * n + j] * x[k] for k in range(len(x))) for g in range(3)]
            r.append(sigmoid(W[0][j] + over_h[0] + over_x[0]))
            z.append(sigmoid(W[0][n + j] + over_h[1] + over_x[1]))
            m.append(b[j] + over_h[2])
            c.append(math.tanh(W[0][2 * n + j] + over_x[2] + r[j] * m[j]))
        h = [(1 - z[j]) * c[j] + z[j] * h[j] for j in range(n)]
        steps.append({"r": r, "z": z, "m": m, "n": c, "h": h, "q": h})
    return steps


@given(sizes)
@settings(max_examples=30)
def test_cells_are_their_formulas(drawn: tuple[int, int, int, int]) -> None:
    seed, states, inputs, length = drawn
    chance = random.Random(seed)
    xs = table(chance, length, inputs)
    W = table(chance, 1 + states + inputs, 4 * states)  # noqa: N806
    lstm, wanted = LSTM(W), lstm_by_loops(W, states, xs)
    for step, fields in zip(lstm.unroll(xs).steps, wanted, strict=True):
        for name, vector in fields.items():
            assert numbers(getattr(step, name)) == pytest.approx(vector, rel=1e-12, abs=1e-14)
    b, V = table(chance, 1, states)[0], [row[: 3 * states] for row in W]  # noqa: N806
    gru, wanted = GRU(V, b), gru_by_loops(V, b, states, xs)
    for step, fields in zip(gru.unroll(xs).steps, wanted, strict=True):
        for name, vector in fields.items():
            assert numbers(getattr(step, name)) == pytest.approx(vector, rel=1e-12, abs=1e-14)
    assert (lstm.states, lstm.inputs, lstm.outputs) == (states, inputs, states)
    assert (gru.states, gru.inputs, gru.outputs) == (states, inputs, states)


@pytest.mark.parametrize(("kind", "gates"), [(LSTM, 4), (GRU, 3)])
def test_random_cells_start_as_people_expect(kind: Any, gates: int) -> None:
    states, inputs = 5, 3
    cell = kind.random(states, inputs, seed=1)
    offset, *rows = [numbers(row) for row in cell.weights]
    forget = [1.0 if kind is LSTM and j // states == 1 else 0.0 for j in range(gates * states)]
    assert offset == forget
    for gate in range(gates):
        block = [row[gate * states : (gate + 1) * states] for row in rows[:states]]
        for i in range(states):
            for j in range(states):
                product = math.fsum(a * b for a, b in zip(block[i], block[j], strict=True))
                assert product == pytest.approx(float(i == j), abs=1e-14)
    over_x = [weight for row in rows[states:] for weight in row]
    bound = math.sqrt(6 / (states + inputs))
    assert 0.8 * bound < max(map(abs, over_x)) <= bound
    assert len(set(over_x)) == len(over_x)
    draws = [numbers(kind.random(2, 1, seed=seed).parameters()) for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    readout = Linear.random(4, 2, seed=1)
    assert numbers(readout.weights[0]) == [0, 0]
    assert all(abs(w) <= 1 for row in readout.weights[1:] for w in numbers(row))


@pytest.mark.parametrize(("kind", "gates"), [(LSTM, 4), (GRU, 3)])
@pytest.mark.parametrize("backend", ["python", "numpy", "native"])
def test_without_offsets_it_is_as_with_zeros(kind: Any, gates: int, backend: str) -> None:
    if backend == "native":
        pytest.importorskip("llvmlite")
    rows = table(random.Random(gates), 5, 2 * gates)
    bare, zeros = kind(rows, bias=False), kind([[0.0] * (2 * gates), *rows])
    assert len(bare.parameters()) == len([weight for row in rows for weight in row])
    assert kind.from_dict(bare.to_dict()).to_dict() == bare.to_dict()
    batch = ([[[1, 2, -1], [0.5, -1, 1]], [[0.25, 1, 0]]], [[1, 0], [0, 1]])
    found, wanted = [
        model.compile("squared_error", backend=backend).loss_and_gradients(*batch)
        for model in (bare, zeros)
    ]
    assert found[0] == pytest.approx(wanted[0], rel=1e-14)
    of_rows = wanted[1][2 * gates : 2 * gates + len(found[1])]
    assert found[1] == pytest.approx(of_rows, rel=1e-12, abs=1e-15)
    run = bare.unroll(batch[0][0])
    assert draw(sum(run.output[1:], run.output[0]), focus=bare.parameters()[0], run=run).dot


def test_native_code_finds_the_gates_as_groups() -> None:
    pytest.importorskip("llvmlite")
    from autograd_rnn.backends.traced import trace_step

    for kind, wanted in [
        ("RNN", [(1, 3), (3, 5)]),
        ("LSTM", [(1, 3), (12, 5)]),
        ("GRU", [(1, 3), (3, 2), (3, 3), (6, 5)]),
    ]:
        model = Stack.random(kind, 3, 2, 1)
        objective = model.compile("squared_error").objective
        groups = trace_step(objective, [0.0] * 2, [0.0]).groups
        assert sorted((len(group.rows), len(group.vector)) for group in groups) == wanted
        assert all(None not in group.biases for group in groups)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: LSTM([[1, 2, 3]]), ArgumentValueError, "3 columns, but needs a multiple of 4"),
        (lambda: GRU([[1, 2]]), ArgumentValueError, "multiple of 3: .* gates r, z, n"),
        (lambda: LSTM([[1] * 8] * 2), ArgumentValueError, "2 rows for 2 states.*at least 3"),
        (lambda: GRU([[1] * 3], bias=False), ArgumentValueError, "it needs an input"),
        (lambda: GRU([[1] * 3] * 2, [1], bias=False), ArgumentValueError, "must have size 0"),
        (lambda: LSTM([[1] * 4] * 2, bias=1), ArgumentValueError, "bias must be True or False"),
        (lambda: LSTM(3), ArgumentTypeError, "weights must be a list of rows"),
        (lambda: GRU([[1] * 3] * 2, [1, 2]), ArgumentValueError, "recurrent_offset must have size"),
        (lambda: GRU([[1] * 3] * 2, 5), ArgumentTypeError, "recurrent_offset must be a list"),
        (lambda: LSTM([[1] * 4] * 2, names=[["a"]]), ArgumentValueError, "names must have the sha"),
        (lambda: LSTM.random(0, 1), ArgumentValueError, "states must be 1 or more, not 0"),
        (lambda: GRU.random(257, 1), ArgumentValueError, "states must be 256 or less"),
        (lambda: GRU.random(1, 1, seed="x"), ArgumentTypeError, "seed must be an int"),
        (lambda: LSTM.random(1, 2).unroll("AC"), ArgumentTypeError, r"write one_hot\(\.\.\.\)"),
        (lambda: LSTM.random(1, 2).unroll([[1]]), ArgumentValueError, r"inputs\[0\] must have siz"),
        (lambda: LSTM.random(1, 2).unroll([], [0]), ArgumentValueError, "state must have size 2"),
        (
            lambda: GRU.random(1, 1).step((0,), (1,), (1,)),
            ArgumentValueError,
            "parameters must hav",
        ),
        (lambda: GRU.random(1, 1).step([0], (1,), ()), ArgumentTypeError, "state must be a tuple"),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
