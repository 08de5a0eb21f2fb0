"""Weights from torch and to torch: the same outputs and gradients."""

import math
import random
import sys
from itertools import count, islice
from typing import Any

import pytest

from autograd_rnn import GRU, RNN, Adam, Linear, Stack, Value, from_torch, gradients, to_torch
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from .models import numbers, table


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
        first = layer.bias
        for rows, name in [
            (layer.weights[first : first + 4], f"weight_hh_l{place}"),
            (layer.weights[first + 4 :], f"weight_ih_l{place}"),
        ]:
            found = [[slopes[row[j]] for row in rows] for j in range(len(rows[0]))]
            wanted = getattr(module, name).grad.tolist()
            for ours, theirs in zip(found, wanted, strict=True):
                assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-13)

    again = getattr(torch.nn, kind)(3, 4, num_layers=layers, bias=bias).double()
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
        from_torch(torch.nn.LSTM(2, 3, bidirectional=True).state_dict())
    with pytest.raises(ValueError, match="weight_hr_l0"):
        from_torch(torch.nn.LSTM(2, 3, proj_size=1).state_dict())


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


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
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
            "2 rows for 1 states, which is not an RNN",
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


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("cured", [True, False])
def test_training_is_the_same_with_one_offset_in_torch(kind: str, cured: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    torch.manual_seed(3)
    body, head = getattr(torch.nn, kind)(2, 3).double(), torch.nn.Linear(3, 1).double()
    model, n = from_torch([body, head]), 2 * body.hidden_size
    if cured and kind == "GRU":
        body.bias_hh_l0.register_hook(lambda g: torch.cat([0 * g[:n], g[n:]]))
    elif cured:
        body.bias_hh_l0.requires_grad_(False)
    xs, ours = table(random.Random(2), 5, 2), Adam(0.1)
    theirs = torch.optim.Adam([*body.parameters(), *head.parameters()], 0.1)
    compiled = model.compile("squared_error", backend="python")
    for _ in range(4):
        theirs.zero_grad()
        ((head(body(torch.tensor(xs, dtype=torch.float64))[0])[-1, 0] - 1.0) ** 2).backward()
        theirs.step()
        ours.step(model.parameters(), compiled.loss_and_gradients([xs], [1.0])[1])
    wanted = head(body(torch.tensor(xs, dtype=torch.float64))[0])[-1, 0].item()
    assert (model(xs).data == pytest.approx(wanted, rel=1e-7)) is cured
