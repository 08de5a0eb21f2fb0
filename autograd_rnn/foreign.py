"""What people bring from micrograd, tinygrad, torch and math, and errors that say what to write."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

from .arguments import as_name
from .errors import ArgumentTypeError, UnknownName

IMPORT: Final = "they are in the package itself, as in `from autograd_rnn import"
NUMBERS: Final = "write Value(2.0) for a number, and a list of Values for several"
#: What `from autograd_rnn import ...` is asked for, and what to write instead.
NAMES: Final = {
    "Layer": "write Linear.random(inputs, outputs), which is a layer of neurons",
    "MLP": "put a Linear on top of another, with an activation between them",
    "Module": "derive your class from Model, or keep Values in one of your own",
    "Neuron": "write Linear.random(inputs, 1), which is a layer of one",
    "Parameter": "write Value(2.0, 'w'), which is a variable until it is frozen (freeze)",
    "Tensor": NUMBERS,
    "draw_dot": "write draw(y)",
    "functional": f"{IMPORT} relu, softmax`",
    "nn": f"{IMPORT} RNN, LSTM, Linear`",
    "optim": f"{IMPORT} SGD, Adam`",
    "tensor": NUMBERS,
    "trace": "write topological(y), the nodes; the parents of each are the edges",
}
#: What a Value is asked for, and what it has instead.
ATTRIBUTES: Final = {
    "_backward": "the rule of an op is in its partials, and an op of your own is primitive(...)",
    "_prev": "the operands are in parents",
    "item": "the number is in data",
    "label": "the label is name, as in Value(2.0, 'a').name",
    "requires_grad": "each leaf is a variable, unless freeze(v) makes it a constant",
    "shape": "it is one number, and a vector is a list of Values",
}


def missing(name: str) -> NoReturn:
    """The error for a name that the package does not have."""
    if name not in NAMES:
        raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
    words = f"autograd_rnn has no {name}: {NAMES[name]}."
    # `from ... import` would lose the words of an AttributeError, and `hasattr` needs one.
    if sys._getframe(1).f_code.co_name == "_handle_fromlist":
        raise UnknownName(words)
    raise AttributeError(words)


def given_name(name: object, label: object) -> str | None:
    """The name of a Value; `TypeError` for what is none, and for one that is given as `label`."""
    if label is not None:
        raise ArgumentTypeError("label is called name here: write Value(2.0, 'a').")
    return as_name(name)


def refuse_float() -> NoReturn:
    """The error for `math.exp(value)`."""
    raise ArgumentTypeError(
        "a Value is not turned into a float by itself, since that would silently drop its "
        "gradient: for exp, log, tanh, ... use the functions of autograd_rnn "
        "(autograd_rnn.exp) or the methods of Value, and for the plain number .data."
    )


class Foreign:
    """An attribute that a Value does not have, and whose error says what it has instead."""

    def __init__(self, name: str) -> None:
        self.message = self.__doc__ = f"a Value has no {name}: {ATTRIBUTES[name]}."

    def __get__(self, value: object, kind: type) -> Foreign:
        if value is None:  # `help` asks the class
            return self
        raise AttributeError(self.message)

    def __set__(self, value: object, wish: object) -> NoReturn:
        raise AttributeError(self.message)
