"""The engines that are compared, each as far as it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from typing import Any, NamedTuple

from autograd_rnn import Value

Scalar = Any


class Engine(NamedTuple):
    """How an engine is used from Python."""

    name: str
    leaf: Callable[[float], Scalar]
    relu: Callable[[Scalar], Scalar]
    backward: Callable[[Scalar], object]
    grad: Callable[[Scalar], float]
    begin: Callable[[list[Scalar]], object] | None = None
    """Comes before a graph is built, where one is needed."""
    assign: Callable[[Scalar, float], Scalar] | None = None
    """The leaf with another number, and without a gradient."""
    deep: bool = False
    """Whether a chain of 200,000 ops is no trouble."""
    slow: bool = False
    """Whether a few rounds are enough."""
    renews: bool = False
    """Whether leaves serve only once."""


def _assign(leaf: Scalar, number: float) -> Scalar:
    leaf.data, leaf.grad = number, 0.0
    return leaf


def like_micrograd(name: str, value: Any, relu: str = "relu", deep: bool = False) -> Engine:
    """An engine whose `Value` has `data`, `grad` and `backward()`."""
    return Engine(
        name,
        value,
        getattr(value, relu),
        value.backward,
        attrgetter("grad"),
        assign=_assign,
        deep=deep,
    )


def micrograd() -> Engine:
    return like_micrograd("micrograd", import_module("micrograd.engine").Value)


def omnigrad() -> Engine:
    return like_micrograd("omnigrad", import_module("omnigrad.diffengine").Value, "reLU")


def xad() -> Engine:
    first, math = import_module("xad.adj_1st"), import_module("xad.math")
    tape = first.Tape()
    tape.activate()

    def begin(leaves: list[Scalar]) -> None:
        # A recording after another one without this costs more and more.
        tape.clearAll()
        tape.registerInputs(leaves)
        tape.newRecording()

    def backward(output: Scalar) -> None:
        tape.registerOutput(output)
        output.setDerivative(1.0)
        tape.computeAdjoints()

    return Engine(
        "xad",
        first.Real,
        lambda x: math.max(x, 0.0),
        backward,
        lambda leaf: float(leaf.getDerivative()),
        begin,
        lambda leaf, number: first.Real(number),
        deep=True,
        renews=True,
    )


def torch() -> Engine:
    torch = import_module("torch")
    torch.set_num_threads(1)

    def assign(leaf: Scalar, number: float) -> Scalar:
        leaf.data.fill_(number)
        leaf.grad = None
        return leaf

    return Engine(
        "torch",
        lambda number: torch.tensor(number, dtype=torch.float64, requires_grad=True),
        torch.relu,
        torch.Tensor.backward,
        lambda leaf: 0.0 if leaf.grad is None else leaf.grad.item(),
        assign=assign,
        deep=True,
        slow=True,
    )


OURS = like_micrograd("autograd_rnn", Value, deep=True)
#: What pip calls it, and how it is used. micrograd-viz takes the module's name from micrograd: only
#: one of them can be installed.
PEERS = {
    "micrograd": micrograd,
    "micrograd-viz": micrograd,
    "omnigrad": omnigrad,
    "xad": xad,
    "torch": torch,
}


def installed() -> list[Engine]:
    """Ours, and the peers that are here; of the others, print how to get them."""
    engines = [OURS]
    for name, load in PEERS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            print(f"{name} is not installed: pip install {name}")
        else:
            engines.append(load()._replace(name=name))
            print(f"{name} {found}")
    return engines
