"""Models from torch and to torch: its modules, chains of them, and their state dicts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ...arguments import as_choice, shown
from ...engine.reverse import freeze
from ...errors import ArgumentTypeError, ArgumentValueError
from ..gated import GRU, LSTM
from ..model import Model
from ..rnn import RNN, Linear
from ..serialise import as_numbers
from ..stack import Stack
from .net import calls_of

if TYPE_CHECKING:
    import torch

KEY: Final = re.compile(r"(?:weight|bias)_(?:ih|hh)_l(\d+)")
CELL_KEY: Final = re.compile(r"(?:weight|bias)_(?:ih|hh)")
WRAPPERS: Final = {"DataParallel": "module", "OptimizedModule": "_orig_mod"}
ACTIVATIONS: Final = ("tanh", "relu")
DROPOUTS: Final = ("Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout")
LINEAR_ABOVE: Final = 40.0  # exp(-40) is lost in rounding
ONE_BY_ONE: Final = "give the modules that are called one after the other, as a list."
#: The layers that torch has too.
Layer: TypeAlias = RNN | LSTM | GRU | Linear
#: Tensors or lists by torch's names.
StateDict: TypeAlias = Mapping[str, Any]


class Module(Protocol):
    """What is read of a torch module: its kind, its settings, and its weights."""

    def state_dict(self) -> StateDict: ...


def from_torch(
    source: Module | StateDict | Sequence[Module | StateDict], *, activation: str | None = None
) -> Layer | Stack:
    """The model with the weights of a torch module, or of a chain of them, and the same outputs.

    `source` is a module or its state dict, a list of them, the first nearest to the inputs, or a
    whole net whose `forward` calls one module after the other.  One layer gives an RNN, LSTM, GRU
    or Linear; several give a Stack, its weights numbered through.  Read are:

    - RNN, LSTM, GRU, and their cells.  torch's two offsets are added, except that of GRU's n which
      the reset gate multiplies.  torch's output of an RNN is our state Q.
    - Linear.  An Embedding, as the first, is one without an offset, over symbols.
    - Tanh, ReLU and Sigmoid between layers: an RNN whose recurrent weights are zeros, and frozen.
    - Sequential, and Identity, Flatten and, in `eval` mode, Dropout, which change nothing.

    A state dict says nothing of activations, which for RNN are "tanh" unless `activation` is
    "relu"; `{"weight", "bias"}` is taken for that of a Linear.  `ValueError` for all else, such as
    two directions or projections, saying what to do.

    >>> from_torch({"weight": [[2.0, 3.0]], "bias": [1.0]})([[10, 100]]).data
    321.0
    """
    if activation is not None:
        as_choice(activation, "activation", ACTIVATIONS)
    chain = _Chain(activation)
    for one in source if isinstance(source, Sequence) else [source]:
        chain.read(one)
    return chain.model()


class _Chain:
    """Layers, each of which reads the one before, as far as torch's modules have been read."""

    def __init__(self, activation: str | None) -> None:
        self.activation = activation
        self.layers: list[Layer] = []
        self.met: list[Any] = []
        # The activation that the last layer has not got yet.
        self.pending = ""
        self.steps = True

    def read(self, source: Any) -> None:
        """Go on by a module or a state dict."""
        name = type(source).__name__
        kinds: dict[str, Any] = {
            one.__name__: one for one in type(source).__mro__ if one.__module__[:6] == "torch."
        }
        if wrapped := next((WRAPPERS[kind] for kind in kinds if kind in WRAPPERS), None):
            self.read(getattr(source, wrapped))
        elif "Module" not in kinds:
            self.add(*self.of_weights(source))
        elif getattr(source, "_forward_hooks", 0) or getattr(source, "_forward_pre_hooks", 0):
            raise ArgumentValueError(
                f"source: {name} has a hook on its forward, which may change what it gives: remove "
                f"the hook, such as that of weight_norm or of pruning."
            )
        elif any(source is one for one in self.met) and source.state_dict():
            raise ArgumentValueError(
                f"source has the same {name} twice: layers cannot share their weights here."
            )
        else:
            self.met.append(source)
            # A class derived from a kind of module may have a forward of its own.
            own = getattr(source.forward, "__func__", None)
            read = [READERS[one] for one in kinds if one in READERS and kinds[one].forward is own]
            if read:
                read[0](self, source)
            elif kinds.get(name) is type(source):
                raise ArgumentValueError(
                    f"source: {name} of torch has no counterpart here: leave it out and compute it "
                    f"yourself, or derive a class from Model that does."
                )
            else:
                self.follow(source)

    def follow(self, net: Any) -> None:
        """Go on by what the forward of a net calls."""
        for module, steps in calls_of(net):
            self.steps = self.steps and steps
            if isinstance(module, str):
                self.activate(module)
            else:
                self.read(module)

    def add(self, *layers: Layer) -> None:
        """Go on by these layers."""
        for layer in layers:
            if self.pending:
                self.layers[-1:] = _activated(self.layers[-1], self.pending)
                self.pending = ""
            self.layers.append(layer)

    def activate(self, name: str) -> None:
        """Go on by an activation."""
        if not self.layers:
            raise ArgumentValueError(
                f"source begins with {name}: leave it out, and apply it to the inputs yourself."
            )
        if self.pending:
            self.add(_identity(self.layers[-1].outputs))
        self.pending = name

    def model(self) -> Layer | Stack:
        """The one layer, or the stack of them."""
        if not self.layers:
            raise ArgumentValueError("source holds no layer.")
        if self.pending:
            raise ArgumentValueError(
                f"source ends with {self.pending}: leave it out, and apply it to the output "
                f"yourself; our losses take what is before it."
            )
        return self.layers[0] if len(self.layers) == 1 else Stack(self.layers).numbered()

    # --- modules --------------------------------------------------------------------------------

    def of_children(self, module: Any) -> None:
        """A Sequential, or a list of modules."""
        for child in module:
            self.read(child)

    def of_nothing(self, module: Any) -> None:
        """A module that gives what it gets."""

    def of_dropout(self, module: Any) -> None:
        """A module that drops entries while it is in training."""
        if module.training and module.p:
            raise ArgumentValueError(
                f"source: {type(module).__name__} is in training, and drops entries by chance: "
                f"call eval() on the module first."
            )

    def of_flatten(self, module: Any) -> None:
        """A Flatten, which leaves vectors as they are."""
        recurrent = any(not isinstance(layer, Linear) for layer in self.layers)
        if (module.start_dim, module.end_dim) != (1, -1) or (recurrent and self.steps):
            raise ArgumentValueError("source: Flatten joins the steps of a sequence: leave it out.")

    def of_activation(self, module: Any) -> None:
        """A Tanh, ReLU or Sigmoid."""
        self.activate(type(module).__name__.lower())

    def of_softplus(self, module: Any) -> None:
        """A Softplus, if it is one for all numbers."""
        if module.beta != 1 or module.threshold < LINEAR_ABOVE:
            raise ArgumentValueError(
                f"source: Softplus of torch is linear above {module.threshold!r}, ours is not: set "
                f"beta=1 and threshold={LINEAR_ABOVE:g}."
            )
        self.activate("softplus")

    def of_probabilities(self, module: Any) -> None:
        """Probabilities of classes, which only the output has."""
        raise ArgumentValueError(
            f"source has {type(module).__name__}: leave it out, since our losses take the logits "
            f"before it."
        )

    def of_embedding(self, module: Any) -> None:
        """A vector for each symbol: rows of weights that a one-hot vector picks."""
        if self.layers or module.num_embeddings < 2:
            raise ArgumentValueError("source: Embedding must come first, and have two symbols.")
        if module.max_norm is not None:
            raise ArgumentValueError("source: Embedding changes its weights: set max_norm=None.")
        layer = Linear(_weights(module, {"weight"})["weight"], bias=False)
        if module.padding_idx is not None:
            freeze(*layer.weights[module.padding_idx])
        self.add(layer)

    def of_linear(self, module: Any) -> None:
        """A Linear."""
        self.add(_linear(_weights(module, {"weight", *["bias"] * (module.bias is not None)})))

    def of_recurrent(self, module: Any) -> None:
        """An RNN, LSTM or GRU."""
        name = type(module).__name__
        if module.bidirectional:
            raise ArgumentValueError(
                f"source: {name} has two directions, whose outputs no layer here has at each step: "
                f"train one with bidirectional=False, or make a Bidirectional of two layers."
            )
        if getattr(module, "proj_size", 0):
            raise ArgumentValueError(f"source: {name} has projections: train one with proj_size=0.")
        if module.training and module.dropout and module.num_layers > 1:
            raise ArgumentValueError(
                f"source: {name} is in training, and drops entries between its layers: call eval() "
                f"on it first."
            )
        if not self.steps:
            raise ArgumentValueError(f"source: {name} reads one step alone: {ONE_BY_ONE}")
        self.of_cell(module, [f"_l{place}" for place in range(module.num_layers)])

    def of_cell(self, module: Any, ends: Sequence[str] = ("",)) -> None:
        """An RNNCell, LSTMCell or GRUCell, or layers whose weights have these `ends` of names."""
        starts = ("weight_ih", "weight_hh", *["bias_ih", "bias_hh"] * module.bias)
        found = _weights(module, {start + end for start in starts for end in ends})
        self.add(*self.of_tables(found, getattr(module, "nonlinearity", None)))

    # --- weights --------------------------------------------------------------------------------

    def of_weights(self, source: Any) -> list[Layer]:
        """The layers of a state dict, or of what has one."""
        tables: object = source.state_dict() if hasattr(source, "state_dict") else source
        if not isinstance(tables, Mapping):
            raise ArgumentTypeError(
                f"source must be a torch module or its state dict, not {type(source).__name__}."
            )
        found = {str(key): table for key, table in tables.items()}
        for prefix in ("module.", "_orig_mod."):
            if found and all(key.startswith(prefix) for key in found):
                found = {key.removeprefix(prefix): table for key, table in found.items()}
        dotted = next((key for key in found if "." in key), None)
        if dotted is not None:
            raise ArgumentValueError(
                f"source has {shown(dotted)}: the state dict of a whole net does not say how its "
                f"modules are called. Give the net itself, or {ONE_BY_ONE}"
            )
        found = {key: _numbers(table, key) for key, table in found.items()}
        if "weight" in found and found.keys() <= {"weight", "bias"}:
            return [_linear(found)]
        return self.of_tables(found, getattr(source, "nonlinearity", None))

    def of_tables(self, found: StateDict, nonlinearity: str | None) -> list[Layer]:
        """The recurrent layers of the tables of weights."""
        if found and all(map(CELL_KEY.fullmatch, found)):
            found = {f"{key}_l0": table for key, table in found.items()}
        places = {key: KEY.fullmatch(key) for key in found}
        for key, place in places.items():
            if place is None:
                raise ArgumentValueError(
                    f"source has {shown(key)}: only RNN, LSTM, GRU (of one direction, without "
                    f"projections) and Linear are read."
                )
        chosen = self.activation or nonlinearity or "tanh"
        if nonlinearity not in (None, chosen):
            raise ArgumentValueError(
                f"activation is {chosen!r}, but the module has {nonlinearity!r}: leave it out."
            )
        count = 1 + max([int(place[1]) for place in places.values() if place], default=-1)
        return [_recurrent(found, place, chosen) for place in range(count)]


# By the names of torch's classes.
READERS: Final[dict[str, Callable[[_Chain, Any], None]]] = {
    **dict.fromkeys(("RNN", "LSTM", "GRU"), _Chain.of_recurrent),
    **dict.fromkeys(("RNNCell", "LSTMCell", "GRUCell"), _Chain.of_cell),
    "Linear": _Chain.of_linear,
    "Embedding": _Chain.of_embedding,
    **dict.fromkeys(("Tanh", "ReLU", "Sigmoid"), _Chain.of_activation),
    "Softplus": _Chain.of_softplus,
    "Identity": _Chain.of_nothing,
    **dict.fromkeys(DROPOUTS, _Chain.of_dropout),
    "Flatten": _Chain.of_flatten,
    **dict.fromkeys(("Sequential", "ModuleList"), _Chain.of_children),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _Chain.of_probabilities),
}


def _weights(module: Any, names: set[str]) -> dict[str, Any]:
    """The tables of a module's weights, which must be those with these names."""
    tables = module.state_dict()
    if set(tables) != names:
        other = ", ".join(sorted(set(tables) ^ names))
        raise ArgumentValueError(
            f"source: {type(module).__name__} has other weights than torch gives it ({other}): "
            f"remove its parametrization first."
        )
    return {key: _numbers(table, key) for key, table in tables.items()}


def _numbers(table: Any, key: str) -> Any:
    """A tensor's numbers: the rows of a weight, the row of a bias."""
    try:
        rows = table.tolist() if hasattr(table, "tolist") else table
    except (RuntimeError, ValueError, NotImplementedError) as error:
        # What torch raises for tensors without numbers, such as those of its device "meta".
        raise ArgumentValueError(f"source: {shown(key)} has no numbers: {error}") from None
    deep = "weight" in key
    vectors = rows if deep and isinstance(rows, list) else [rows]
    if not vectors or not all(
        isinstance(one, list)
        and len(one) == len(vectors[0])
        and not any(isinstance(entry, list) for entry in one)
        for one in vectors
    ):
        raise ArgumentValueError(f"{shown(key)} must be a tensor of {1 + deep} dimensions.")
    return rows


def _table(tables: StateDict, key: str, rows: int) -> Any:
    """A weight or bias, if it has the same number of rows as the others of its layer."""
    if key not in tables:
        raise ArgumentValueError(f"source has no {key!r}.")
    if len(tables[key]) != rows:
        raise ArgumentValueError(f"source: the shape of {key!r} does not fit the other weights.")
    return tables[key]


def _turned(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _linear(tables: StateDict) -> Linear:
    """The readout with these weights."""
    weight = tables["weight"]
    offset = [_table(tables, "bias", len(weight))] if "bias" in tables else []
    return Linear([*offset, *_turned(weight)], bias=bool(offset))


def _identity(size: int) -> Linear:
    """A readout that gives what it gets, its weights frozen."""
    layer = Linear([[float(i == j) for j in range(size)] for i in range(size)], bias=False)
    freeze(*layer.parameters())
    return layer


def _activated(layer: Layer, activation: str) -> list[Layer]:
    """A layer, and the activation after it: an RNN whose recurrent weights are frozen zeros."""
    if not isinstance(layer, Linear):
        return [layer, *_activated(_identity(layer.states), activation)]
    first, size = int(layer.bias), layer.outputs
    rows: list[Sequence[Any]] = [*layer.weights]
    rows[first:first] = [[0.0] * size] * size
    made = RNN(rows, activation, bias=layer.bias)
    freeze(*[weight for row in made.weights[first : first + size] for weight in row])
    return [made]


def _recurrent(tables: StateDict, place: int, activation: str) -> RNN | LSTM | GRU:
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
    if count == len(GRU.gates) * states:
        n = slice(2 * states, None)  # the columns of the gate n, the last
        both[n] = of_x[n]
        return GRU([both, *rows], of_h[n]) if biased else GRU(rows, bias=False)
    rows = [both, *rows] if biased else rows
    if count == len(RNN.gates) * states:
        return RNN(rows, activation, bias=biased)
    if count == len(LSTM.gates) * states:
        return LSTM(rows, bias=biased)
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
        kind = next((one for one in (RNN, LSTM, GRU, Linear) if isinstance(layer, one)), None)
        if kind is None or type(layer).advance is not kind.advance:
            raise ArgumentTypeError(
                f"model must be an RNN, LSTM, GRU or Linear, or a Stack of them, as torch has: "
                f"{type(layer).__name__} is none."
            )
        activation = getattr(layer, "activation", "tanh")
        if activation not in ACTIVATIONS:
            raise ArgumentValueError(
                f"model has the activation {activation!r}, but torch's RNN has tanh or relu."
            )
        forms.add((kind, layer.outputs, layer.bias, activation))
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
