"""Weights from and to torch: state dicts of RNN, LSTM, GRU and Linear."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..arguments import as_choice, shown
from ..errors import ArgumentTypeError, ArgumentValueError
from .gated import GRU, LSTM
from .model import Model
from .rnn import RNN, Linear
from .serialise import as_numbers
from .stack import Stack

if TYPE_CHECKING:
    import torch

KEY: Final = re.compile(r"(?:weight|bias)_(?:ih|hh)_l(\d+)")
ACTIVATIONS: Final = ("tanh", "relu")
#: The layers that torch has too.
Layer: TypeAlias = RNN | LSTM | GRU | Linear
#: Tensors, or lists of numbers, by torch's names.
StateDict: TypeAlias = Mapping[str, Any]


class Module(Protocol):
    """What is read of a torch module: its weights."""

    def state_dict(self) -> StateDict: ...


def from_torch(
    source: Module | StateDict | Sequence[Module | StateDict], *, activation: str | None = None
) -> Layer | Stack:
    """The model with the weights of a torch.nn.RNN, LSTM, GRU or Linear, and its outputs.

    `source` is a module or its state dict, or a list of them, the first nearest to the inputs.  One
    layer gives an RNN, LSTM, GRU or Linear; several give a Stack, its weights numbered through.
    The shapes decide the kind of layer.  `activation` is that of an RNN, "tanh" unless the module
    has another.  torch's two offsets are added, except that of GRU's n which the reset gate
    multiplies.  torch's output of an RNN is our state Q.  `ValueError` for any other weights, such
    as those of two directions or of projections.

    >>> from_torch({"weight": [[2.0, 3.0]], "bias": [1.0]})([[10, 100]]).data
    321.0
    """
    sources = source if isinstance(source, Sequence) else [source]
    layers = [layer for one in sources for layer in _layers(one, activation)]
    if not layers:
        raise ArgumentValueError("source holds no layer.")
    return layers[0] if len(layers) == 1 else Stack(layers).numbered()


def _layers(source: Module | StateDict, activation: str | None) -> list[Layer]:
    tables: object = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(tables, Mapping):
        raise ArgumentTypeError(
            f"source must be a torch module or its state dict, not {type(source).__name__}."
        )
    chosen = getattr(source, "nonlinearity", "tanh") if activation is None else activation
    as_choice(chosen, "activation", ACTIVATIONS)
    found = {str(key): _numbers(table, str(key)) for key, table in tables.items()}
    if "weight" in found and found.keys() <= {"weight", "bias"}:
        weight = found["weight"]
        offset = [_table(found, "bias", len(weight))] if "bias" in found else []
        return [Linear([*offset, *_turned(weight)], bias=bool(offset))]
    places = {key: KEY.fullmatch(key) for key in found}
    for key, place in places.items():
        if place is None:
            raise ArgumentValueError(
                f"source has {shown(key)}: only RNN, LSTM, GRU (of one direction, without "
                f"projections) and Linear are read."
            )
    count = 1 + max([int(place[1]) for place in places.values() if place], default=-1)
    return [_recurrent(found, place, chosen) for place in range(count)]


def _numbers(table: Any, key: str) -> Any:
    """A tensor's numbers: the rows of a weight, the row of a bias."""
    rows = table.tolist() if hasattr(table, "tolist") else table
    deep, fits = "weight" in key, isinstance(rows, list)
    if deep and fits:
        fits = bool(rows) and all(
            isinstance(row, list) and len(row) == len(rows[0]) for row in rows
        )
    if not fits:
        raise ArgumentValueError(f"{shown(key)} must be a tensor of {1 + deep} dimensions.")
    return rows


def _table(tables: Mapping[str, Any], key: str, rows: int) -> Any:
    """A weight or bias, if it has the same number of rows as the others of its layer."""
    if key not in tables:
        raise ArgumentValueError(f"source has no {key!r}.")
    if len(tables[key]) != rows:
        raise ArgumentValueError(f"source: the shape of {key!r} does not fit the other weights.")
    return tables[key]


def _turned(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _recurrent(tables: Mapping[str, Any], place: int, activation: str) -> RNN | LSTM | GRU:
    """A layer, its kind by the number of gates: that many rows per state."""
    over_h = tables.get(f"weight_hh_l{place}")
    if not over_h or not over_h[0]:
        raise ArgumentValueError(f"source has no 'weight_hh_l{place}'.")
    count, states = len(over_h), len(over_h[0])
    rows = [*_turned(over_h), *_turned(_table(tables, f"weight_ih_l{place}", count))]
    biased = f"bias_ih_l{place}" in tables
    of_x, of_h = [
        _table(tables, f"bias_{one}_l{place}", count) if biased else [0.0] * count
        for one in ("ih", "hh")
    ]
    both = [a + b for a, b in zip(of_x, of_h, strict=True)]
    if count == len(RNN.gates) * states:
        return RNN([both, *rows] if biased else rows, activation, bias=biased)
    if count == len(LSTM.gates) * states:
        return LSTM([both, *rows])
    if count == len(GRU.gates) * states:
        n = slice(2 * states, None)  # the columns of the gate n, the last
        both[n] = of_x[n]
        return GRU([both, *rows], of_h[n])
    raise ArgumentValueError(
        f"source: 'weight_hh_l{place}' has {count} rows for {states} states, which is not an RNN "
        f"(one per state), no GRU (three) and no LSTM (four)."
    )


def to_torch(model: Model) -> dict[str, torch.Tensor]:
    """The state dict of the torch module with the model's weights, as float64 tensors.

    A model is an RNN, LSTM, GRU or Linear, or a Stack of recurrent layers of one kind (a readout
    on top is a module of its own: take it from `stack.layers[-1]`).  torch's second offset is
    zero, except for GRU's n.  `ValueError` if torch is not installed; `TypeError` or `ValueError`
    for a model that torch has no module for.

    >>> from autograd_rnn import LSTM
    >>> to_torch(LSTM.random(2, 1))["weight_ih_l0"].shape  # doctest: +SKIP
    torch.Size([8, 1])
    """
    layers: Sequence[Any] = model.layers if isinstance(model, Stack) else [model]
    forms = set()
    for layer in layers:
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                f"model must be an RNN, LSTM, GRU or Linear, or a Stack of them, as torch has: "
                f"{type(layer).__name__} is none."
            )
        activation = getattr(layer, "activation", "tanh")
        if activation not in ACTIVATIONS:
            raise ArgumentValueError(
                f"model has the activation {activation!r}, but torch's RNN has tanh or relu."
            )
        forms.add((type(layer), layer.outputs, layer.bias, activation))
    if len(forms) > 1 or (len(layers) > 1 and isinstance(layers[0], Linear)):
        raise ArgumentValueError(
            "model must be of layers of one kind and size, as torch's are: give its layers one by "
            "one, the readout for itself."
        )
    try:
        import torch
    except ImportError:
        raise ArgumentValueError("to_torch needs torch: pip install torch.") from None
    tables = [item for place, layer in enumerate(layers) for item in _tables(layer, place).items()]
    return {key: torch.tensor(table, dtype=torch.float64) for key, table in tables}


def _tables(layer: Layer, place: int) -> dict[str, Any]:
    """A layer's weights under torch's names and in its shapes."""
    columns, first = _turned(as_numbers(layer.weights)), int(layer.bias)
    offset = [column[0] for column in columns] if layer.bias else []
    over_h = [column[first : first + layer.states] for column in columns]
    over_x = [column[first + layer.states :] for column in columns]
    if isinstance(layer, Linear):
        return {"weight": over_x} | ({"bias": offset} if layer.bias else {})
    tables = {f"weight_ih_l{place}": over_x, f"weight_hh_l{place}": over_h}
    if layer.bias:
        last = as_numbers(layer.recurrent_offset) if isinstance(layer, GRU) else []
        second = [0.0] * (len(offset) - len(last)) + last
        return tables | {f"bias_ih_l{place}": offset, f"bias_hh_l{place}": second}
    return tables
