"""Weights from and to torch: state dicts of RNN, LSTM, GRU and Linear."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..arguments import as_choice, shown
from ..errors import ArgumentTypeError, ArgumentValueError
from .gated import GRU, LSTM
from .linear import Linear
from .model import Model
from .rnn import RNN
from .stack import Stack

if TYPE_CHECKING:
    import torch

KEY: Final = re.compile(r"(weight|bias)_(ih|hh)_l(\d+)")
ACTIVATIONS: Final = ("tanh", "relu")
Rows: TypeAlias = list[list[float]]
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
    The kind of layer is told from the shapes.  `activation` is that of an RNN, "tanh" unless the
    module says otherwise.  torch's two offsets are added, except that of GRU's n which the reset
    gate multiplies.  torch's output of an RNN is our state Q.  `ValueError` for any other weights,
    such as those of two directions or of projections.

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
    if "weight" in found and set(found) <= {"weight", "bias"}:
        return [_linear(found)]
    count = 0
    for key in found:
        match = KEY.fullmatch(key)
        if match is None:
            raise ArgumentValueError(
                f"source has {shown(key)}: only RNN, LSTM, GRU (of one direction, without "
                f"projections) and Linear are read."
            )
        count = max(count, 1 + int(match[3]))
    return [_recurrent(found, place, chosen) for place in range(count)]


def _numbers(table: Any, key: str) -> Any:
    """A tensor's numbers: the rows of a weight, the row of a bias."""
    rows = table.tolist() if hasattr(table, "tolist") else table
    deep = "weight" in key
    if not isinstance(rows, list) or (
        deep
        and not (
            rows and all(isinstance(row, list) for row in rows) and len({*map(len, rows)}) == 1
        )
    ):
        raise ArgumentValueError(f"{shown(key)} must be a tensor of {1 + deep} dimensions.")
    return rows


def _table(tables: Mapping[str, Any], key: str, rows: int) -> Any:
    """A weight, once it has the shape that the others ask for."""
    if key not in tables:
        raise ArgumentValueError(f"source has no {key!r}.")
    table = tables[key]
    if len(table) != rows:
        raise ArgumentValueError(f"source: the shape of {key!r} does not fit the other weights.")
    return table


def _linear(tables: Mapping[str, Any]) -> Linear:
    weight = tables["weight"]
    rows = [list(row) for row in zip(*weight, strict=True)]
    if "bias" not in tables:
        return Linear(rows, bias=False)
    return Linear([_table(tables, "bias", len(weight)), *rows])


def _recurrent(tables: Mapping[str, Any], place: int, activation: str) -> RNN | LSTM | GRU:
    """A layer, its kind by the number of gates: 1, 3 or 4 rows per state."""
    over_h = tables.get(f"weight_hh_l{place}")
    if not over_h or not over_h[0]:
        raise ArgumentValueError(f"source has no 'weight_hh_l{place}'.")
    columns, states = len(over_h), len(over_h[0])
    over_x = _table(tables, f"weight_ih_l{place}", columns)
    rows = [list(row) for table in (over_h, over_x) for row in zip(*table, strict=True)]
    biased = f"bias_ih_l{place}" in tables
    zeros = [0.0] * columns
    of_x, of_h = [
        _table(tables, f"bias_{letters}_l{place}", columns) if biased else zeros
        for letters in ("ih", "hh")
    ]
    both = [a + b for a, b in zip(of_x, of_h, strict=True)]
    if columns == states:
        return RNN([both, *rows] if biased else rows, activation, bias=biased)
    if columns == 4 * states:
        return LSTM([both, *rows])
    if columns == 3 * states:
        split = 2 * states
        return GRU([[*both[:split], *of_x[split:]], *rows], of_h[split:])
    raise ArgumentValueError(
        f"source: 'weight_hh_l{place}' has {columns} rows for {states} states, which is no RNN "
        f"(one per state), no GRU (three) and no LSTM (four)."
    )


def to_torch(model: Model) -> dict[str, torch.Tensor]:
    """The state dict of the torch module with the model's weights, as float64 tensors.

    A model is an RNN, LSTM, GRU or Linear, or a Stack of recurrent layers of one kind (a readout
    on top is a module of its own: take it from `stack.layers[-1]`).  torch's second offset is
    zero, except for GRU's n.  `ValueError` where torch is not installed; `TypeError` or
    `ValueError` for a model that torch has no module for.

    >>> from autograd_rnn import LSTM
    >>> to_torch(LSTM.random(2, 1))["weight_ih_l0"].shape  # doctest: +SKIP
    torch.Size([8, 1])
    """
    layers: list[Layer] = []
    for layer in model.layers if isinstance(model, Stack) else (model,):
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                f"model must be an RNN, LSTM, GRU or Linear, or a Stack of them, as torch has: "
                f"{type(layer).__name__} is none."
            )
        layers.append(layer)
    forms = {_form(layer) for layer in layers}
    if len(forms) > 1 or (len(layers) > 1 and isinstance(layers[0], Linear)):
        raise ArgumentValueError(
            "model must be of layers of one kind and size, as torch's are: give its layers one by "
            "one, the readout for itself."
        )
    try:
        import torch
    except ImportError:
        raise ArgumentValueError("to_torch needs torch: pip install torch.") from None
    tables: dict[str, Any] = {}
    for place, layer in enumerate(layers):
        tables |= _tables(layer, place)
    return {key: torch.tensor(table, dtype=torch.float64) for key, table in tables.items()}


def _form(layer: Layer) -> tuple[Any, ...]:
    """What all layers of a torch module have in common."""
    if not isinstance(layer, RNN):
        return type(layer), layer.states, layer.outputs
    if layer.activation not in ACTIVATIONS:
        raise ArgumentValueError(
            f"model has the activation {layer.activation!r}, but torch's RNN has tanh or relu."
        )
    return RNN, layer.states, layer.bias, layer.activation


def _tables(layer: Layer, place: int) -> dict[str, Any]:
    """A layer's weights under torch's names and in its shapes."""
    rows = [[weight.data for weight in row] for row in layer.weights]
    offset, *rest = rows if layer.bias else [[], *rows]
    over_h, over_x = rest[: layer.states], rest[layer.states :]

    def turned(rows: Rows) -> Rows:
        return [list(column) for column in zip(*rows, strict=True)]

    if isinstance(layer, Linear):
        return {"weight": turned(over_x), **({"bias": offset} if layer.bias else {})}
    tables: dict[str, Any] = {
        f"weight_ih_l{place}": turned(over_x) or [[] for _ in rows[0]],
        f"weight_hh_l{place}": turned(over_h),
    }
    if layer.bias:
        last = [weight.data for weight in layer.recurrent_offset] if isinstance(layer, GRU) else []
        tables[f"bias_ih_l{place}"] = offset
        tables[f"bias_hh_l{place}"] = [0.0] * (len(offset) - len(last)) + last
    return tables
