"""Chains of torch modules and whole nets: equal outputs, or an error with the way out."""

import importlib
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, Stack, from_torch, to_torch
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from .models import numbers

REASON = "torch is not installed: nothing to compare with"
RECURRENT = ("RNN", "LSTM", "GRU")
CHANGING_NOTHING = ("Identity", "Dropout", "Flatten")
ACTIVATIONS = ("Tanh", "ReLU", "Sigmoid", "Softplus", "SiLU", "LeakyReLU")
OTHERS = ("LayerNorm", "Softmax", "Conv1d", "BatchNorm1d", "Bilinear")


def torch_module(name: str, width: int, wide: int, chance: Any, bias: bool) -> Any:
    """A module of torch with random settings, in eval."""
    from torch import nn

    kind: Any = getattr(nn, name)
    if name in RECURRENT:
        more = {"nonlinearity": chance.choice(["tanh", "relu"])} if name == "RNN" else {}
        count = chance.choice([1, 1, 2])
        return kind(width, wide, count, bias=bias, dropout=0.5 * (count > 1), **more)
    if name == "Linear":
        return kind(width, wide, bias=bias)
    if name == "Softplus":
        return kind(beta=chance.choice([1, 2]), threshold=chance.choice([20, 50]))
    arguments = {"Conv1d": (width, wide, 1), "Bilinear": (width, width, wide)}
    arguments |= {"LayerNorm": (width,), "BatchNorm1d": (width,)}
    return kind(*arguments.get(name, ()))


def outputs_of(modules: list[Any], xs: Any) -> Any:
    """What the modules give at each step, one after the other."""
    for module in modules:
        if type(module).__name__ == "Flatten":
            continue
        xs = module(xs)
        xs = xs[0] if isinstance(xs, tuple) else xs
    return xs


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.sampled_from(("Linear", "Linear", *RECURRENT, *CHANGING_NOTHING, *ACTIVATIONS, *OTHERS)),
        min_size=1,
        max_size=5,
    ),
    chance=st.randoms(use_true_random=False),
    training=st.booleans(),
)
def test_a_chain_gives_the_same_or_is_refused(
    names: list[str], chance: Any, training: bool
) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    torch.manual_seed(chance.randrange(1000))
    modules, first, width = [], chance.randint(1, 3), 0
    width = first
    for name in names:
        wide = chance.randint(1, 3)
        modules.append(torch_module(name, width, wide, chance, chance.random() < 0.7).double())
        width = wide if name in ("Linear", *RECURRENT, *OTHERS[2:]) else width
    net = torch.nn.Sequential(*modules)
    net.train(training)
    try:
        model = from_torch(net)
    except ArgumentValueError as error:
        assert str(error).startswith("source")  # noqa: PT017 - refused or not is not known
        # What may be read is read, unless it drops entries, or begins or ends with an activation.
        kept = [name for name in names if name != "Identity"]
        ends, layers = {*kept[:1], *kept[-1:]}, {"Linear", *RECURRENT}
        dropping = training and any(getattr(one, "num_layers", 1) > 1 for one in modules)
        may = set(kept) <= layers | {"Tanh", "ReLU", "Sigmoid"} and ends and ends <= layers
        assert dropping or not may
        return
    xs = torch.randn(4, first, dtype=torch.float64)
    wanted = outputs_of(modules, xs)
    top = model.layers[-1] if isinstance(model, Stack) else model
    for step, row in zip(model.unroll(xs.tolist()).steps, wanted.tolist(), strict=True):
        found = step.q[-top.states :] if isinstance(top, RNN) else step.entries
        assert numbers(found) == pytest.approx(row, rel=1e-12, abs=1e-13)


# --- nets ----------------------------------------------------------------------------------------


def net_of(forward: Any, kind: str = "LSTM", batch_first: bool = True, layers: int = 1) -> Any:
    """A net of a recurrent module, a dropout and a head, with this forward."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = getattr(torch.nn, kind)(2, 3, layers, batch_first=batch_first)
            self.drop, self.head = torch.nn.Dropout(0.5), torch.nn.Linear(3, 1)
            self.act, self.scale = torch.nn.Tanh(), torch.nn.Parameter(torch.ones(1))

    Net.forward = forward
    torch.manual_seed(layers)
    return Net().double().eval()


def functional() -> Any:
    import torch

    return torch.nn.functional


CHAINS: dict[str, Any] = {
    "every step": lambda net, x: net.head(net.body(x)[0]),
    "the last step": lambda net, x: net.head(net.drop(net.body(x)[0][:, -1])),
    "the last step, all of it": lambda net, x: net.head(net.body(x)[0][:, -1, :]).squeeze(-1),
    "an activation": lambda net, x: net.head(functional().relu(net.body(x)[0])),
    "a method": lambda net, x: net.head(net.body(x)[0].contiguous().sigmoid()),
    "one module twice": lambda net, x: net.head(net.act(net.act(net.body(x)[0]))),
    "dropout": lambda net, x: net.head(
        functional().dropout(net.body(x)[0], 0.5, training=net.training)
    ),
    "a state too": lambda net, x, state=None: (net.head(net.body(x, state)[0]), state),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "a mean": (lambda net, x: net.head(net.body(x)[0].mean(1)), "computes mean, at 'mean'"),
    "a sum": (lambda net, x: net.head(net.body(x)[0]) + 1, "computes add"),
    "a parameter": (lambda net, x: net.head(net.body(x)[0]) * net.scale, "reads 'scale'"),
    "a branch": (
        lambda net, x: net.head(net.body(x)[0]) if x.sum() > 0 else x,
        r"Net cannot be followed \(symbolically traced.*from_torch\(\[net.body, net.drop, net.head",
    ),
    "a step past": (lambda net, x: net.head(net.body(x)[0][:, -2]), "takes .* of steps"),
    "one of the batch": (lambda net, x: net.head(net.body(x)[0][-1]), "takes -1 of steps"),
    "the cells": (lambda net, x: net.head(net.body(x)[1][1][-1]), "takes -1 of cell"),
    "two ways": (
        lambda net, x: net.head(net.act(net.body(x)[0]) + net.body(x)[0]),
        "is no chain, .* at 'body_1'",
    ),
    "an unfinished way": (lambda net, x: (net.body(x)[0], net.head(net.body(x)[0])), "no chain"),
    "dropout always": (
        lambda net, x: net.head(functional().dropout(net.body(x)[0], 0.5)),
        r"calls dropout, which drops entries by chance: call eval\(\)",
    ),
    "log softmax": (
        lambda net, x: functional().log_softmax(net.head(net.body(x)[0]), -1),
        "computes log_softmax",
    ),
    "a state": (lambda net, x, state: net.head(net.body(x, state)[0]), "takes 'state' beside"),
    "a dict": (lambda net, x: {"y": net.head(net.body(x)[0])}, "does not give what its last"),
    "a list": (lambda net, x: net.head(sys.modules["torch"].cat([net.body(x)[0]])), "computes cat"),
    "the last step, again": (
        lambda net, x: net.body(net.head(net.body(x)[0][:, -1]))[0],
        "same LSTM twice",
    ),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_net_that_is_a_chain_gives_the_same(name: str, kind: str) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    net = net_of(CHAINS[name], kind, layers=2)
    xs = torch.randn(1, 4, 2, dtype=torch.float64)
    wanted = net(xs)
    wanted = (wanted[0] if isinstance(wanted, tuple) else wanted).reshape(-1).tolist()
    for given_net in (net, torch.nn.DataParallel(net)):
        found = [step.output.data for step in from_torch(given_net).unroll(xs[0].tolist()).steps]
        assert found[-len(wanted) :] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "layers", "batch_first", "forward"),
    [
        ("GRU", 2, True, lambda net, x: net.head(net.body(x)[1][-1])),
        ("GRU", 1, False, lambda net, x: net.head(net.body(x)[1][0])),
        ("GRU", 1, True, lambda net, x: net.head(net.body(x)[1].squeeze(0))),
        ("LSTM", 2, True, lambda net, x: net.head(net.body(x)[1][0][-1])),
        ("LSTM", 1, False, lambda net, x: net.head(net.body(x)[0][-1])),
    ],
)
def test_the_last_step_by_any_name(kind: str, layers: int, batch_first: bool, forward: Any) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    net = net_of(forward, kind, batch_first, layers)
    xs = torch.randn(4, 2, dtype=torch.float64)
    wanted = net(xs[None] if batch_first else xs[:, None]).item()
    assert from_torch(net)(xs.tolist()).data == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_a_net_that_is_no_chain_is_refused(name: str) -> None:
    pytest.importorskip("torch", reason=REASON)
    forward, words = REFUSED[name]
    with pytest.raises(ArgumentValueError, match=words):
        from_torch(net_of(forward))


def test_every_kind_of_module_is_read_or_refused() -> None:
    """Whatever torch has: with what it needs, it gives a model or an error of ours."""
    torch = pytest.importorskip("torch", reason=REASON)
    nn, made = torch.nn, 0
    for name in nn.modules.__all__:
        for arguments in ((), (3,), (3, 3), (3, 3, 1), (3, 3, 3)):
            try:
                module = getattr(nn, name)(*arguments)
            except Exception:  # other arguments may do
                continue
            made += 1
            try:
                from_torch(module)
            except (ArgumentValueError, ArgumentTypeError) as error:
                assert str(error).startswith("source"), name  # noqa: PT017
            break
    assert made > 100


def test_modules_that_change_their_weights_are_refused() -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    nn = torch.nn

    class Doubled(nn.Linear):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 2

    patched, pruned, same = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    patched.forward = lambda x: x
    importlib.import_module("torch.nn.utils.prune").l1_unstructured(pruned, "weight", 0.5)
    for module, words in (
        (Doubled(2, 2), "the forward of Doubled reads 'weight'"),
        (patched, "Linear of torch has no counterpart"),
        (pruned, "Linear has a hook on its forward"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "remove its parametrization"),
        (nn.LazyLinear(2), "LazyLinear has a hook"),
        (nn.Linear(2, 2, device="meta"), "'weight' has no numbers"),
        ([same, same], "the same Linear twice"),
        (nn.RNN(2, 2, nonlinearity="relu"), "activation is 'tanh', but the module has 'relu'"),
        (nn.LSTM(2, 2, bidirectional=True), "two directions, .* bidirectional=False, or make"),
        (nn.LSTM(2, 3, proj_size=2), "projections: .* proj_size=0"),
        (nn.LSTM(2, 2, 2, dropout=0.5), "drops entries between its layers: call eval"),
        (nn.Embedding(2, 3, max_norm=1.0), "set max_norm=None"),
        (nn.LSTM(2, 2, dtype=torch.complex64), "must be a real number, not complex"),
    ):
        with pytest.raises((ArgumentValueError, ArgumentTypeError), match=words):
            from_torch(module, activation="tanh")


def test_single_and_half_precision_and_cells() -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        module = torch.nn.GRU(2, 3, dtype=dtype)
        told = to_torch(from_torch(module))
        assert all(
            torch.equal(told[key], table.double())
            for key, table in module.state_dict().items()
            if "weight" in key
        )
    xs = torch.randn(4, 2, dtype=torch.float64)
    for name in RECURRENT:
        cell = getattr(torch.nn, f"{name}Cell")(2, 3, bias=name != "LSTM").double()
        state = None
        for x in xs:
            state = cell(x[None], state)
        wanted = (state[0] if name == "LSTM" else state)[0].tolist()
        for source in (cell, cell.state_dict()):
            q = from_torch(source).unroll(xs.tolist()).q
            assert numbers(q)[:3] == pytest.approx(wanted, rel=1e-12)


def test_an_embedding_is_a_readout_of_symbols() -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    nn = torch.nn
    modules = [nn.Embedding(4, 3, padding_idx=1), nn.GRU(3, 2), nn.Linear(2, 1)]
    modules = [module.double() for module in modules]
    wanted = outputs_of(modules, torch.tensor([2, 0, 1, 3]))
    model = from_torch(modules)
    rows = [[float(j == k) for j in range(4)] for k in (2, 0, 1, 3)]
    for inputs in (rows, [2, 0, 1, 3]):
        found = [step.output.data for step in model.unroll(inputs).steps]
        assert found == pytest.approx(wanted[:, 0].tolist(), rel=1e-12)
    assert isinstance(model, Stack)
    table = model.layers[0].weights
    assert [row[0].constant for row in table] == [False, True, False, False]


def test_what_is_written_is_read_by_torch() -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    for name in RECURRENT:
        for bias in (True, False):
            for layers in (1, 2):
                module = getattr(torch.nn, name)(2, 3, layers, bias=bias).double()
                again = getattr(torch.nn, name)(2, 3, layers, bias=bias).double()
                again.load_state_dict(to_torch(from_torch(module)), strict=True)
                xs = torch.randn(4, 2, dtype=torch.float64)
                assert torch.allclose(module(xs)[0], again(xs)[0], rtol=1e-12, atol=1e-14)


# --- without torch -------------------------------------------------------------------------------


def stand_in(name: str, tables: dict[str, Any], **settings_: Any) -> Any:
    """A module as torch has it, of a class with the same name in a module with the same name."""
    base = type("Module", (), {"__module__": "torch.nn.modules.module"})
    body = {"__module__": "torch.nn.modules.x", "forward": lambda self: None}
    made = type(name, (base,), body)()
    vars(made).update({"training": False, "state_dict": lambda: tables, **settings_})
    return made


def test_modules_are_read_by_what_they_are() -> None:
    linear = stand_in("Linear", {"weight": [[2.0, 3.0]], "bias": [1.0]}, bias=[1.0])
    last = stand_in("Linear", {"weight": [[1.0], [-1.0]]}, bias=None)
    nothing = [stand_in("Identity", {}), stand_in("Dropout", {}, p=0.5)]
    model = from_torch([linear, *nothing, stand_in("ReLU", {}), last])
    assert repr(model) == "<Stack: 2 inputs, RNN of 1, Linear of 2>"
    for x in ([10, 100], [-10, 1]):
        kept = max(2.0 * x[0] + 3.0 * x[1] + 1.0, 0.0)
        assert numbers(model([x])) == [kept, -kept]
    assert isinstance(model, Stack)
    first = model.layers[0]
    assert [row[0].constant for row in first.weights] == [False, True, False, False]
    assert [weight.name for weight in model.parameters()] == [f"w_{k}" for k in range(1, 7)]


def test_refusals_without_torch() -> None:
    linear = stand_in("Linear", {"weight": [[2.0, 3.0]]}, bias=None)
    wrong = stand_in("Linear", {"weight": [[2.0, 3.0]], "scale": [2.0]}, bias=None)
    hooked = stand_in("Linear", {"weight": [[2.0]]}, bias=None, _forward_hooks={0: print})
    for source, words in (
        (
            [linear, stand_in("ReLU", {})],
            "source ends with relu: leave it out, and apply it to the",
        ),
        ([stand_in("Tanh", {}), linear], "source begins with tanh: leave it out"),
        ([stand_in("GELU", {})], "GELU of torch has no counterpart here: leave it out"),
        ([stand_in("Dropout", {}, p=0.5, training=True)], "Dropout is in training"),
        ([stand_in("Softmax", {})], "Softmax: leave it out, since our losses take the logits"),
        ([stand_in("Flatten", {}, start_dim=0, end_dim=-1)], "Flatten joins the steps"),
        ([wrong], r"Linear has other weights than torch gives it \(scale\)"),
        ([hooked], "Linear has a hook on its forward"),
        ({"lstm.weight": [[1.0]]}, "has 'lstm.weight': the state dict of a whole net does not say"),
        ([stand_in("Identity", {})], "source holds no layer"),
    ):
        with pytest.raises(ArgumentValueError, match=words):
            from_torch(source)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_prefixes_of_wrappers_are_taken_off(prefix: str) -> None:
    tables = {f"{prefix}weight": [[2.0, 3.0]], f"{prefix}bias": [1.0]}
    assert from_torch(tables)([[10, 100]]).data == 321.0


@pytest.mark.parametrize("gates", [1, 3, 4])
def test_a_cell_without_offsets(gates: int) -> None:
    tables = {"weight_ih": [[0.5]] * gates, "weight_hh": [[0.25]] * gates}
    layer = from_torch(tables)
    assert type(layer) is {1: RNN, 3: GRU, 4: LSTM}[gates]
    assert (layer.bias, len(layer.parameters())) == (False, 2 * gates)
