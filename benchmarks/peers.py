"""The engines that are compared, each as far as it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from typing import Any, NamedTuple

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
    numbers: bool = True
    """Whether plain numbers may be operands."""


def _assign(leaf: Scalar, number: float) -> Scalar:
    leaf.data, leaf.grad = number, 0.0
    return leaf


def like_micrograd(module: str, value: str, relu: str = "relu", **more: Any) -> Engine:
    """An engine whose class of values has `data`, `grad` and `backward()`."""
    kind = getattr(import_module(module), value)
    functions = getattr(kind, relu), kind.backward, attrgetter("grad")
    return Engine(module, kind, *functions, assign=_assign, **more)


def micrograd() -> Engine:
    return like_micrograd("micrograd.engine", "Value")


def omnigrad() -> Engine:
    return like_micrograd("omnigrad.diffengine", "Value", "reLU")


def microgradpp() -> Engine:
    return like_micrograd("mgp.vanilla._scalar", "Scalar", slow=True)


def scalargrad() -> Engine:
    return like_micrograd("scalargrad.core", "Scalar", slow=True)


def minigrad() -> Engine:
    # Written in C.  It takes whatever stands beside a value for one, and writes into it.
    return like_micrograd("minigrad.engine", "Value", numbers=False, deep=True)


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


OURS = like_micrograd("autograd_rnn", "Value", deep=True)
#: What pip calls it, and how it is used. micrograd-viz takes the module's name from micrograd: only
#: one of them can be installed.
PEERS = {
    "micrograd": micrograd,
    "micrograd-viz": micrograd,
    "omnigrad": omnigrad,
    "microgradpp": microgradpp,
    "scalargrad": scalargrad,
    "minigrad": minigrad,
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
