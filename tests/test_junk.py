"""Wrong arguments of anything public: an error of ours, and nothing broken afterwards."""

import builtins
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_rnn
from autograd_rnn import RNN, Drawing, Page, Value, bits, counter, draw, gradients, ops, play
from autograd_rnn.engine import WATCH, constant
from autograd_rnn.errors import AutogradError

leaf = Value(2, "leaf")
graph = leaf * leaf + 1
network = RNN([[4], [1]], "relu", bias=False)
run = network.unroll(bits("101"))
loss = (15 - run.pi[0]) ** 2


def ones(count: int) -> Iterator[int]:
    yield from [1] * count


def refuse(*_: object) -> None:
    raise ValueError("a function of the user's")


plain = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**400, -(10**400), 2**63])
    | st.floats()
    | st.fractions(max_denominator=5)
    | st.complex_numbers(max_magnitude=5)
    | st.text(max_size=4)
    | st.binary(max_size=3)
    | st.sampled_from([Decimal(1), Fraction(1, 3), "\ud800", "\0", "w_1", "tanh", "linear", "ACGT"])
)
objects = st.sampled_from(
    [
        *(leaf, graph, constant(3.0), network, run, loss, ops.tanh, Value, RNN),
        *(len, refuse, lambda: 1, lambda x: x, lambda *xs: "junk", lambda *xs: xs[0] * 2),
        *(
            np.float32(1),
            np.int64(2),
            np.bool_(True),
            np.array([1.0]),
            np.array(leaf),
            np.zeros((2, 2)),
        ),
        *(object(), type, NotImplemented, ..., range(3), slice(1), Path("missing"), builtins),
    ]
)
junk = st.recursive(
    plain | objects,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.builds(ones, st.integers(0, 3))
    ),
    max_leaves=4,
)

#: A right call of each public function and method, of which arguments are then replaced.
CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "RNN": (RNN, ([[4], [1]],), {"activation": "relu", "bias": False, "names": [["a"], ["b"]]}),
    "RNN.random": (RNN.random, (2, 3), {"activation": "tanh", "seed": 1}),
    "RNN.load": (RNN.load, ("missing.json",), {}),
    "RNN.save": (network.save, ("missing/network.json",), {}),
    "RNN.unroll": (network.unroll, ([[1], [0]],), {"state": [0]}),
    "RNN.__call__": (network, ([[1], [0]],), {}),
    "RNN.parameters": (network.parameters, (), {}),
    "RNN.zero_grad": (network.zero_grad, (), {}),
    "Value": (Value, (2.0, "x"), {}),
    "Value.backward": (graph.backward, (1.0,), {}),
    "Value.detach": (graph.detach, (), {}),
    "Value.conjugate": (graph.conjugate, (), {}),
    "Page": (Page, ("", 1), {}),
    "Page.save": (Page("", 1).save, ("missing/page.html",), {}),
    "Drawing.save": (draw(leaf).save, ("missing/picture.dot",), {"format": "dot"}),
    "Drawing.svg": (draw(leaf).svg, (), {}),
    "Drawing.html": (draw(leaf).html, (), {}),
    "Drawing.pdf": (draw(leaf).pdf, (), {}),
    "Drawing.png": (draw(leaf).png, (72,), {}),
    "bits": (bits, ("101",), {}),
    "check_gradients": (
        autograd_rnn.check_gradients,
        (lambda x: x * x, [1.0]),
        {"eps": 1e-5, "atol": 1e-8, "rtol": 1e-5},
    ),
    "copies": (autograd_rnn.copies, (leaf, graph), {"run": run}),
    "counter": (counter, ("G", 3, "ACGT"), {}),
    "detect_anomaly": (autograd_rnn.detect_anomaly, (), {}),
    "dot": (autograd_rnn.dot, ([1, leaf], [2, 3]), {}),
    "draw": (
        draw,
        (graph,),
        {"focus": leaf, "run": None, "detail": "auto", "edges": "local", "theme": "dark"},
    ),
    "draw_cell": (autograd_rnn.draw_cell, (network,), {"theme": "light", "title": "t"}),
    "draw_network": (autograd_rnn.draw_network, (run,), {"theme": "light", "title": "t"}),
    "draw_weights": (autograd_rnn.draw_weights, (network,), {"inputs": "x", "theme": "light"}),
    "grad": (lambda f, *xs: autograd_rnn.grad(f)(*xs), (lambda x, y: x * y, 1.0, 2.0), {}),
    "gradients": (gradients, (graph, [leaf]), {"seed": 1.0, "create_graph": True}),
    "hessian": (autograd_rnn.hessian, (graph, [leaf]), {}),
    "hvp": (autograd_rnn.hvp, (lambda x: x * x, [1.0], [2.0]), {}),
    "in_family": (autograd_rnn.in_family, ("GAG", "G", 3), {}),
    "jvp": (autograd_rnn.jvp, (lambda x: x * x, [1.0], [2.0]), {}),
    "logsumexp": (autograd_rnn.logsumexp, ([1.0, leaf],), {}),
    "no_grad": (autograd_rnn.no_grad, (), {}),
    "one_hot": (autograd_rnn.one_hot, ("GAT", "ACGT"), {}),
    "play": (play, (graph,), {"focus": leaf, "run": None, "title": "t", "max_nodes": 0}),
    "primitive": (
        autograd_rnn.primitive,
        ("new", lambda x: x, lambda x, z: 1),
        {"symbol": "n", "latex": "n", "python": "n", "llvm": "n", "text": "n", "binds": 6},
    ),
    "read_fasta": (autograd_rnn.read_fasta, ("missing.fa",), {"alphabet": "ACGT"}),
    "softmax": (autograd_rnn.softmax, ([1.0, leaf],), {}),
    "topological": (autograd_rnn.topological, (graph, leaf), {}),
    "value_and_grad": (
        lambda f, *xs: autograd_rnn.value_and_grad(f)(*xs),
        (lambda x, y: x * y, 1.0, 2.0),
        {},
    ),
    "zero_grad": (autograd_rnn.zero_grad, (leaf, constant(1.0)), {}),
}
for name, op in ops.TABLE.items():
    CALLS[name] = (op, (1.0, leaf)[: op.arity], {})
#: Opens files, so that the system may say no as well.
OF_FILES = {"RNN.load", "RNN.save", "Page.save", "Drawing.save", "read_fasta"}
#: Not called by people: what a function returns, and the errors.
RETURNED = {"Copies", "Copy", "Drawing", "Unrolled"}


def test_everything_public_is_called() -> None:
    public = {
        name
        for name in autograd_rnn.__all__
        if not (
            isinstance(thing := getattr(autograd_rnn, name), type) and issubclass(thing, Exception)
        )
    }
    for kind in (Value, RNN, Drawing, Page):
        methods = [
            name
            for name, thing in vars(kind).items()
            if not name.startswith("_") and callable(thing)
        ]
        methods = [name for name in methods if name not in ops.TABLE]
        public |= {f"{kind.__name__}.{name}" for name in methods}
    assert public - RETURNED <= set(CALLS)


def check(call: Callable[[], Any], opens_files: bool = False) -> None:
    """Make the call; whatever it does, the error is ours and the rest is as it was."""
    table = dict(ops.TABLE)
    said = "-"
    allowed = (AutogradError, TypeError, ValueError, *([OSError] if opens_files else []))
    try:
        result = call()
        if isinstance(result, Iterator):
            list(result)
    except allowed as error:
        said = str(error)
    finally:
        ops.TABLE.clear()
        ops.TABLE.update(table)
    assert said
    assert WATCH.open == 0
    assert gradients(graph, [leaf]) == (4,)
    assert gradients(loss, network.parameters()) == (32, 68)
    grad = leaf.grad
    graph.backward()
    assert leaf.grad == grad + 4 or grad != grad or abs(grad) > 1e15
    leaf.grad = 0


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=40)
@given(data=st.data())
def test_wrong_arguments_give_our_error(
    name: str, data: st.DataObject, tmp_path_factory: Any
) -> None:
    function, positional, named = CALLS[name]
    arguments: dict[int | str, Any] = {**dict(enumerate(positional)), **named}
    for key in data.draw(st.lists(st.sampled_from([*arguments, 9]), min_size=1, max_size=2)):
        arguments[key] = data.draw(junk)
    values = [value for key, value in sorted(arguments.items(), key=str) if isinstance(key, int)]
    words = {key: value for key, value in arguments.items() if isinstance(key, str)}
    here = os.getcwd()
    os.chdir(tmp_path_factory.getbasetemp())
    try:
        check(lambda: function(*values, **words), opens_files=name in OF_FILES)
    finally:
        os.chdir(here)


OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
}


@pytest.mark.parametrize("symbol", OPERATORS)
@given(other=junk, reflected=st.booleans())
@pytest.mark.filterwarnings("ignore:::numpy")
def test_operators_with_junk(symbol: str, other: Any, reflected: bool) -> None:
    operands = (other, leaf) if reflected else (leaf, other)
    check(lambda: OPERATORS[symbol](*operands))


@pytest.mark.parametrize("attribute", ["data", "grad", "name"])
@given(value=junk)
def test_assigning_junk(attribute: str, value: Any) -> None:
    for node in (Value(1, "x"), Value(1) * 2, constant(1.0)):
        check(lambda node=node: setattr(node, attribute, value))
        assert type(node.data) is float
        assert type(node.grad) is float
        assert node.name is None or isinstance(node.name, str)


@given(spec=st.text(max_size=6))
def test_formatting_with_junk(spec: str) -> None:
    check(lambda: format(leaf, spec))
