"""LSTM, GRU, Linear and Stack: beside plain loops over floats, and beside torch."""

import json
import math
import pickle
import random
import sys
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Linear,
    Stack,
    Value,
    copies,
    derive,
    draw,
    draw_cell,
    draw_network,
    from_torch,
    gradients,
    load_model,
    play,
    to_torch,
    tomita,
)
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.networks.initialise import glorot, orthogonal

KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


# --- what a cell is, said once more over floats ---------------------------------------------------


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


def numbers(values: Any) -> list[float]:
    return [value.data for value in values]


def table(chance: random.Random, rows: int, columns: int) -> list[list[float]]:
    return [[chance.uniform(-2, 2) for _ in range(columns)] for _ in range(rows)]


sizes = st.tuples(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 3), st.integers(1, 4))


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


def models(seed: int, states: int, inputs: int, outputs: int = 1) -> list[Any]:
    """One of every kind, bare and under a readout, and a mixed stack."""
    chance = random.Random(seed)
    cells = [kind.random(states, inputs, seed=seed) for kind in KINDS.values()]
    made = [
        *cells,
        Linear.random(inputs, outputs, seed=seed),
        *[Stack([cell, Linear.random(states, outputs, seed=seed)]) for cell in cells],
        Stack(
            [
                LSTM.random(states, inputs, seed=seed),
                Linear.random(states, 2, seed=seed),
                RNN.random(3, 2, activation="relu", seed=seed),
                GRU.random(2, 3, seed=seed),
                RNN.random(1, 2, seed=seed),
            ]
        ),
    ]
    for model in made:
        for weight in model.parameters():
            weight.data += chance.uniform(-0.3, 0.3)
    return made


@given(sizes)
@settings(max_examples=15)
def test_step_gives_the_numbers_of_unroll_bit_for_bit(drawn: tuple[int, int, int, int]) -> None:
    seed, states, inputs, length = drawn
    for model in models(seed, states, inputs + 1):
        xs = table(random.Random(seed), length, inputs + 1)
        run = model.unroll(xs)
        state, parameters = tuple(model.initial), tuple(numbers(model.parameters()))
        for x, step in zip(xs, run.steps, strict=True):
            state, output = model.step(state, tuple(x), parameters)
            assert list(state) == numbers(step.q)
            found = output if isinstance(output, tuple) else (output,)
            told = step.output if isinstance(step.output, tuple) else (step.output,)
            assert list(found) == numbers(told)
            assert len(found) == model.outputs
        assert run.output is run.steps[-1].output
        # A run goes on from the state in which another stopped.
        halfway = numbers(model.unroll(xs[:-1]).q)
        assert numbers(model.unroll(xs[-1:], halfway).q) == list(state)


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("at", ["last", "every"])
def test_compiled_models_give_the_engines_numbers(place: int, at: str) -> None:
    model = models(3, 3, 2)[place]
    chance = random.Random(4)
    sequences = [table(chance, length, 2) for length in (1, 4, 3)]
    goals = [table(chance, len(xs), model.outputs) for xs in sequences]
    targets = goals if at == "every" else [goal[-1] for goal in goals]
    losses = []
    for xs, goal in zip(sequences, goals, strict=True):
        terms = []
        pairs = list(zip(model.unroll(xs).steps, goal, strict=True))
        for step, y in pairs if at == "every" else pairs[-1:]:
            outputs = step.output if isinstance(step.output, tuple) else (step.output,)
            terms.append(sum([(a - b) ** 2 for a, b in zip(y, outputs, strict=True)], Value(0)))
        losses.append(sum(terms, Value(0)) / len(terms))
    loss = sum(losses, Value(0)) / 3
    expected = gradients(loss, model.parameters())
    python = model.compile("squared_error", at=at, backend="python")
    found = python.loss_and_gradients(sequences, targets)
    assert found[0] == pytest.approx(loss.data, rel=1e-13)
    assert found[1] == pytest.approx(expected, rel=1e-11, abs=1e-13)
    pytest.importorskip("llvmlite")
    native = model.compile("squared_error", at=at, backend="native")
    told = native.loss_and_gradients(sequences, targets)
    assert told[0] == pytest.approx(found[0], rel=1e-12)
    assert told[1] == pytest.approx(found[1], rel=1e-10, abs=1e-12)


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


def test_native_code_finds_the_gates_as_groups() -> None:
    pytest.importorskip("llvmlite")
    from autograd_rnn.backends.compile_step import record_cell
    from autograd_rnn.backends.traced import find_groups

    for kind, wanted in [
        ("RNN", [(1, 3), (3, 5)]),
        ("LSTM", [(1, 3), (12, 5)]),
        ("GRU", [(1, 3), (3, 2), (3, 3), (6, 5)]),
    ]:
        model = Stack.random(kind, 3, 2, 1)
        cell = record_cell(model.compile("squared_error").step, [0.0] * 2, [0.0])
        groups = find_groups(cell)
        assert sorted((len(group.rows), len(group.vector)) for group in groups) == wanted
        assert all(None not in group.biases for group in groups)


# --- torch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_torch_computes_the_same(kind: str, layers: int, bias: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    torch.manual_seed(7)
    module = getattr(torch.nn, kind)(3, 4, num_layers=layers, bias=bias).double()
    head = torch.nn.Linear(4, 2, bias=bias).double()
    chance = random.Random(5)
    xs = table(chance, 6, 3)
    hidden, _ = module(torch.tensor(xs, dtype=torch.float64)[:, None, :])
    outputs = head(hidden[:, 0, :])
    model = from_torch([module, head])
    run = model.unroll(xs)
    assert isinstance(model, Stack)
    for step, wanted in zip(run.steps, outputs.tolist(), strict=True):
        assert numbers(step.output) == pytest.approx(wanted, rel=1e-12, abs=1e-14)
    top = model.layers[-2].states
    inner = from_torch(module.state_dict(), activation="tanh").unroll(xs)
    q = inner.q[-2 * top : -top] if kind == "LSTM" else inner.q[-top:]
    assert numbers(q) == pytest.approx(hidden[-1, 0].tolist(), rel=1e-12, abs=1e-14)

    # The gradients too, by the shape of a state dict of our own.
    (outputs[-1] ** 2).sum().backward()
    loss = sum([y * y for y in run.output], Value(0))
    slopes = dict(zip(model.parameters(), gradients(loss, model.parameters()), strict=True))
    for layer, place in [(layer, k) for k, layer in enumerate(model.layers[:-1])]:
        first = layer.bias if isinstance(layer, RNN) else 1
        for rows, name in [
            (layer.weights[first : first + 4], f"weight_hh_l{place}"),
            (layer.weights[first + 4 :], f"weight_ih_l{place}"),
        ]:
            found = [[slopes[row[j]] for row in rows] for j in range(len(rows[0]))]
            wanted = getattr(module, name).grad.tolist()
            for ours, theirs in zip(found, wanted, strict=True):
                assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-13)

    again = getattr(torch.nn, kind)(3, 4, num_layers=layers, bias=bias or kind != "RNN").double()
    body = Stack(model.layers[:-1])
    again.load_state_dict(to_torch(body))
    told, _ = again(torch.tensor(xs, dtype=torch.float64)[:, None, :])
    assert torch.allclose(told, hidden, rtol=1e-12, atol=1e-14)
    readout = torch.nn.Linear(4, 2, bias=bias).double()
    readout.load_state_dict(to_torch(model.layers[-1]))
    assert torch.equal(readout.weight, head.weight)


def test_torch_with_relu_and_without_inputs_of_ours() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    torch.manual_seed(1)
    module = torch.nn.RNN(2, 3, nonlinearity="relu").double()
    rnn = from_torch(module)
    assert (type(rnn), rnn.activation) == (RNN, "relu")
    hidden, _ = module(torch.tensor([[[1.0, -2.0]], [[0.5, 3.0]]], dtype=torch.float64))
    q = numbers(rnn.unroll([[1.0, -2.0], [0.5, 3.0]]).q)
    assert q == pytest.approx(hidden[-1, 0].tolist(), rel=1e-12)
    with pytest.raises(ValueError, match="weight_ih_l0_reverse"):
        from_torch(torch.nn.LSTM(2, 3, bidirectional=True))
    with pytest.raises(ValueError, match="weight_hr_l0"):
        from_torch(torch.nn.LSTM(2, 3, proj_size=1))


@pytest.mark.parametrize(
    ("gates", "outputs"),
    [
        (1, [-0.962489115554516, -0.5557585562775986]),  # RNN
        (3, [0.27072704563828304, 0.34057040907125463]),  # GRU
        (4, [-0.11707060331324347, 0.278152987171697]),  # LSTM
    ],
)
def test_outputs_that_torch_has_given(gates: int, outputs: list[float]) -> None:
    """By torch 2.13: two layers of two states, the weights sin 1, sin 2, ... in its own order."""
    waves = map(math.sin, count(1))
    tables: dict[str, Any] = {}
    for place, inputs in enumerate((3, 2)):
        for letters, columns in (("ih", inputs), ("hh", 2)):
            rows = [list(islice(waves, columns)) for _ in range(2 * gates)]
            tables[f"weight_{letters}_l{place}"] = rows
        for letters in ("ih", "hh"):
            tables[f"bias_{letters}_l{place}"] = list(islice(waves, 2 * gates))
    run = from_torch(tables).unroll([[1, 0.5, -1], [0, 2, 1], [-0.5, 1, 0.25]])
    assert numbers(run.steps[-1].layers[-1].q)[:2] == pytest.approx(outputs, rel=1e-12)


def test_a_state_dict_needs_no_torch() -> None:
    W = [[0.5, 0.25], [1.0, -1.0]]  # noqa: N806
    rnn = from_torch({"weight_ih_l0": [[2.0], [3.0]], "weight_hh_l0": W})
    assert [[w.data for w in row] for row in rnn.weights] == [[0.5, 1], [0.25, -1], [2, 3]]
    readout = from_torch({"weight": [[2.0, 3.0]]})
    assert (type(readout), readout.bias, numbers(readout.parameters())) == (Linear, False, [2, 3])


def test_without_torch_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ArgumentValueError, match="to_torch needs torch: pip install torch"):
        to_torch(GRU.random(1, 1))


# --- drawing lots ---------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=25)
def test_orthogonal_rows_are(size: int, seed: int) -> None:
    rows = orthogonal(size, random.Random(seed))
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            product = math.fsum(a * b for a, b in zip(row, other, strict=True))
            assert product == pytest.approx(float(i == j), abs=1e-14)


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


def test_glorot_fills_its_bounds() -> None:
    draws = sorted(w for row in glorot(40, 20, random.Random(1)) for w in row)
    bound = math.sqrt(0.1)
    assert -bound <= draws[0] < -0.98 * bound < 0.98 * bound < draws[-1] <= bound
    assert abs(math.fsum(draws) / 800) < 4 * bound / math.sqrt(3 * 800)


# --- names, files, pictures ----------------------------------------------------------------------


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


@given(sizes)
@settings(max_examples=10)
def test_save_and_load(drawn: tuple[int, int, int, int]) -> None:
    seed, states, inputs, _ = drawn
    for model in models(seed, states, inputs + 1, 2):
        content = json.loads(json.dumps(model.to_dict()))
        loaded = type(model).from_dict(content)
        assert loaded.to_dict() == model.to_dict()
        assert numbers(loaded.parameters()) == numbers(model.parameters())
        assert [w.name for w in loaded.parameters()] == [w.name for w in model.parameters()]
        assert repr(loaded) == repr(model)
        copy = pickle.loads(pickle.dumps(model))
        assert numbers(copy.parameters()) == numbers(model.parameters())


def test_files(tmp_path: Path) -> None:
    for model in models(1, 2, 3):
        path = model.save(tmp_path / "model.json")
        for loaded in (load_model(path), type(model).load(path)):
            assert type(loaded) is type(model)
            assert loaded.to_dict() == model.to_dict()
    stack = Stack.random("GRU", 2, 1, 1)
    path = stack.save(tmp_path / "stack.json")
    with pytest.raises(ArgumentValueError, match=r"stack\.json' does not hold a model of the kind"):
        LSTM.load(path)
    content = json.loads(path.read_text())
    gru = content["layers"][0]
    for damaged, words in [
        ({**content, "layers": 3}, "layers must be a list"),
        ({**content, "layers": []}, "layers must hold one layer or more"),
        ({**content, "layers": [content]}, "its kind is 'Stack', not one of .*GRU"),
        ({**content, "layers": [{"kind": ["GRU"]}]}, "its kind is a list"),
        ({**content, "kind": "stack"}, "its kind is 'stack'"),
        ({**gru, "recurrent_offset": [1]}, "recurrent_offset must have size 2, not 1|as many"),
        ({**gru, "recurrent_names": [1, 2]}, "name must be a str or None"),
        ({**Linear([[1]]).to_dict(), "bias": 1}, "bias must be True or False, not 1"),
        ({**gru, "weights": [[1]]}, "needs a multiple of 3"),
        ({**gru, "names": None, "weights": [[None] * 6] * 3}, r"weights\[0\]\[0\] must be a real"),
        ({key: gru[key] for key in ("kind", "weights")}, "'recurrent_offset' is missing"),
        ([], "its kind is None"),
    ]:
        path.write_text(json.dumps(damaged))
        with pytest.raises(ArgumentValueError, match=f"does not hold a model that.*({words})"):
            load_model(path)


def test_zero_grad_and_no_inputs() -> None:
    model = Stack.random("LSTM", 2, 1, 1)
    model([[1], [2]]).backward()
    assert any(weight.grad for weight in model.parameters())
    model.zero_grad()
    assert {weight.grad for weight in model.parameters()} == {0.0}
    run = model.unroll([])
    assert run.q == run.state
    for read in ("pi", "output"):
        with pytest.raises(ValueError, match=f"there is no {read.replace('pi', 'π')}: the network"):
            getattr(run, read)


@pytest.mark.parametrize(
    "model", [models(2, 1, 1)[1], models(2, 1, 1)[2], models(2, 2, 1)[5]], ids=repr
)
def test_runs_can_be_drawn_played_and_derived(model: Any) -> None:
    run = model.unroll([[1], [0.5]])
    total = run.output if isinstance(run.output, Value) else run.output[0]
    loss = (1 - total) ** 2
    weight = model.parameters()[-1]
    uses = copies(weight, loss, run)
    (slope,) = gradients(loss, [weight])
    assert math.fsum(use.grad for use in uses) == pytest.approx(slope, rel=1e-12, abs=1e-15)
    assert {use.step for use in uses} <= {1, 2}
    assert derive(loss, weight, run=run).value == pytest.approx(slope, rel=1e-9)
    assert f"{len(uses)} cop" in repr(draw(loss, focus=weight, run=run))
    assert "step_2" in draw(loss, focus=weight, run=run, detail="step").dot
    assert play(loss, focus=weight, run=run).steps > 3
    last = run.steps[-1]
    letters = {value.name for step in getattr(last, "layers", [last]) for value in step.q}
    text = draw(loss, run=run, detail="scalar").dot
    assert len(letters) == len(last.q)
    assert all(name in text for name in letters)
    for call in (
        lambda: draw(loss, run=run, detail="neuron"),
        lambda: draw_network(run),
    ):
        with pytest.raises(ValueError, match="only an RNN is drawn by its neurons: choose draw"):
            call()


def test_cards_tell_the_cells_and_the_readout() -> None:
    model = Stack.random("LSTM", 2, 1, 1)
    run = model.unroll([[1], [0]])
    loss = (1 - run.output) ** 2
    text = draw(loss, focus=model.parameters()[0], run=run, detail="step").dot
    assert all(name in text for name in ("ḣ₁", "ċ₂", "ÿ", "c̈₁"))
    assert "ẏ" not in text  # what the output does not read is in no card
    assert "→" not in text  # no state is one activation of one sum
    readout = draw(loss, focus=model.parameters()[-1], run=run, detail="step").dot
    assert "= ÿ" in readout  # the whole sum of the readout, with the copy in it
    run = RNN.random(1, 1).unroll([[1]])
    assert "→" in draw((1 - run.q[0]) ** 2, run=run, detail="step").dot


def test_what_is_linear() -> None:
    readout = Linear([[1], [2], [3]])
    run = readout.unroll([[10, 100], [0, 1]])
    assert [step.output.data for step in run.steps] == [321, 4]
    assert (run.q, run.state, readout.initial, readout.states) == ((), (), [], 0)
    compiled = readout.compile("squared_error", backend="python")
    assert compiled.loss_and_gradients([[[1, 2]]], [10]) == (1, [-2, -2, -4])
    assert Linear([[2], [3]], bias=False)([[1, 1]]).data == 5


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: LSTM([[1, 2, 3]]), ArgumentValueError, "3 columns, but needs a multiple of 4"),
        (lambda: GRU([[1, 2]]), ArgumentValueError, "multiple of 3: .* gates r, z, n"),
        (lambda: LSTM([[1] * 8] * 2), ArgumentValueError, "2 rows for 2 states.*at least 3"),
        (lambda: LSTM(3), ArgumentTypeError, "weights must be a list of rows"),
        (lambda: GRU([[1] * 3] * 2, [1, 2]), ArgumentValueError, "recurrent_offset must have size"),
        (lambda: GRU([[1] * 3] * 2, 5), ArgumentTypeError, "recurrent_offset must be a list"),
        (lambda: LSTM([[1] * 4] * 2, names=[["a"]]), ArgumentValueError, "names must have the sha"),
        (lambda: LSTM.random(0, 1), ArgumentValueError, "states must be 1 or more, not 0"),
        (lambda: GRU.random(257, 1), ArgumentValueError, "states must be 256 or less"),
        (lambda: GRU.random(1, 1, seed="x"), ArgumentTypeError, "seed must be an int"),
        (lambda: Linear.random(1, 0), ArgumentValueError, "outputs must be 1 or more"),
        (lambda: Linear([[1]])([[1]]), ArgumentValueError, r"inputs\[0\] must have size 0"),
        (lambda: LSTM.random(1, 2).unroll("AC"), ArgumentTypeError, r"write one_hot\(\.\.\.\)"),
        (lambda: LSTM.random(1, 2).unroll([[1]]), ArgumentValueError, r"inputs\[0\] must have siz"),
        (lambda: LSTM.random(1, 2).unroll([], [0]), ArgumentValueError, "state must have size 2"),
        (
            lambda: GRU.random(1, 1).step((0,), (1,), (1,)),
            ArgumentValueError,
            "parameters must hav",
        ),
        (lambda: GRU.random(1, 1).step([0], (1,), ()), ArgumentTypeError, "state must be a tuple"),
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
        (lambda: draw_cell(GRU.random(1, 1)), ArgumentTypeError, "such as an RNN, not GRU"),
        (lambda: from_torch(3), ArgumentTypeError, "source must be a torch module or its state"),
        (lambda: from_torch([]), ArgumentValueError, "source holds no layer"),
        (lambda: from_torch({"w": [1]}), ArgumentValueError, "source has 'w': only RNN, LSTM, GRU"),
        (
            lambda: from_torch({"weight_ih_l0": [[1]], "weight_hh_l0": [[1], [2]]}),
            ArgumentValueError,
            "'weight_ih_l0' does not fit",
        ),
        (
            lambda: from_torch({"weight_ih_l0": [[1]] * 2, "weight_hh_l0": [[1], [2]]}),
            ArgumentValueError,
            "2 rows for 1 states, which is no RNN",
        ),
        (
            lambda: from_torch({"weight_ih_l1": [[1]], "weight_hh_l1": [[1]]}),
            ArgumentValueError,
            "source has no 'weight_hh_l0'",
        ),
        (
            lambda: from_torch({"weight_ih_l0": [[1]], "weight_hh_l0": [[1]], "bias_ih_l0": [1]}),
            ArgumentValueError,
            "source has no 'bias_hh_l0'",
        ),
        (lambda: from_torch({"weight": [1]}), ArgumentValueError, "a tensor of 2 dimensions"),
        (
            lambda: from_torch({"weight": [[1]], "bias": [1, 2]}),
            ArgumentValueError,
            "the shape of 'bias' does not fit",
        ),
        (
            lambda: from_torch({"weight": [[1]]}, activation="sin"),
            ArgumentValueError,
            "activation 'sin' is unknown",
        ),
        (lambda: to_torch(3), ArgumentTypeError, "or a Stack of them, .*: int is none"),
        (
            lambda: to_torch(RNN.random(1, 1, activation="step")),
            ArgumentValueError,
            "model has the activation 'step', but torch's RNN has tanh or relu",
        ),
        (
            lambda: to_torch(Stack.random("GRU", 2, 1, 1)),
            ArgumentValueError,
            "layers of one kind and size",
        ),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
