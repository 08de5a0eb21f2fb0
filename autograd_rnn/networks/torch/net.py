"""The chain of calls in a torch net: what its `forward` calls, one after the other."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ...errors import ArgumentValueError

#: Modules that give a pair: what they give at each step, and their state at the end.
RECURRENT: Final = ("RNN", "LSTM", "GRU")
ACTIVATIONS: Final = ("relu", "tanh", "sigmoid")


class Flow(NamedTuple):
    """What a node of a graph is: a form of what comes out after so many `calls`.

    `steps` are outputs at each step, `last` is that at the last, `pair` is what a recurrent module
    gives, `state` its states at the end by layer, `states` those of an LSTM with its cells, and
    `nothing` an argument that is None.
    """

    form: str
    calls: int = 0


def calls_of(net: Any) -> Iterator[tuple[Any, bool]]:
    """The modules, and activations by name, that the forward of a net calls in turn.

    With each whether it reads every step, or the output at the last step alone.  `ValueError` where
    one reads anything but what the one before it gives, or anything is computed between them.
    """
    import torch.fx

    walk = _Walk(net)
    try:
        graph = torch.fx.symbolic_trace(net).graph
        graph.eliminate_dead_code()
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise walk.refusal(f"cannot be followed ({reason})") from None
    return walk.calls(graph)


class _Walk:
    """A walk over the nodes of a graph of a net, from its input to its output."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.flows: dict[Any, Flow] = {}
        self.count = 0
        # The recurrent module that was called last.
        self.recurrent: Any = None

    def calls(self, graph: Any) -> Iterator[tuple[Any, bool]]:
        """The calls, as `calls_of` gives them."""
        for node in graph.nodes:
            if node.op == "placeholder":
                self.flows[node] = self.argument(node)
            elif node.op == "output":
                self.check_output(node)
            elif node.op == "call_module":
                yield from self.call(node)
            elif node.op == "get_attr":
                raise self.refusal(f"reads {node.target!r}")
            elif not self.selects(node) and not self.changes_nothing(node):
                yield from self.activate(node)

    def argument(self, node: Any) -> Flow:
        """An argument of the forward: the first is the input, others are None."""
        if not self.flows:
            return Flow("steps")
        if node.args and node.args[0] is None:
            return Flow("nothing")
        raise self.refusal(f"takes {node.target!r} beside its input")

    def call(self, node: Any) -> Iterator[tuple[Any, bool]]:
        module = self.net.get_submodule(node.target)
        others = [*node.args[1:], *node.kwargs.values()]
        if any(one is not None and self.form(one) != "nothing" for one in others):
            raise self.refusal(f"calls {node.target!r} with more than one argument")
        steps = self.source(node).form == "steps"
        yield module, steps
        self.count += 1
        kinds = {kind.__name__ for kind in type(module).__mro__}
        if kinds.isdisjoint(RECURRENT):
            self.flows[node] = Flow("steps" if steps else "last", self.count)
        else:
            self.flows[node], self.recurrent = Flow("pair", self.count), module

    def selects(self, node: Any) -> bool:
        """Whether a node takes a part: outputs or states of a pair, or the last step."""
        if node.target is operator.getitem:
            given, key = node.args
        elif node.target == "squeeze" and node.args[1:] == (0,):
            given, key = node.args[0], 0
        else:
            return False
        form, calls = self.form(given), self.flows[given].calls
        if form == "pair" and key in (0, 1):
            cells = self.recurrent.mode == "LSTM"
            form = ("steps", "states" if cells else "state")[key]
        elif form == "states" and key in (0, 1):
            form = ("state", "cell")[key]
        elif (form == "state" and self.is_top(key)) or (form == "steps" and self.is_last_step(key)):
            form = "last"
        else:
            raise self.refusal(f"takes {key!r} of {form}", node)
        self.flows[node] = Flow(form, calls)
        return True

    def is_top(self, key: Any) -> bool:
        """Whether it is the place of the top layer among the states at the end."""
        return bool(key == -1 or (key == 0 and self.recurrent.num_layers == 1))

    def is_last_step(self, key: Any) -> bool:
        """Whether it is the place of the last step among the outputs of a recurrent module."""
        if self.recurrent is None:
            return False
        keys = key if isinstance(key, tuple) else (key,)
        place = 1 if self.recurrent.batch_first else 0
        rest = [one for index, one in enumerate(keys) if index != place]
        return keys[place : place + 1] == (-1,) and all(one == slice(None) for one in rest)

    def changes_nothing(self, node: Any) -> bool:
        """Whether a node gives the numbers that it gets: as they are, or as one per sequence."""
        name = _name_of(node.target)
        if name == "dropout":
            share, training = [*node.args[1:], 0.5, True][:2]
            share, training = node.kwargs.get("p", share), node.kwargs.get("training", training)
            if training and share:
                raise self.refusal(
                    "calls dropout, which drops entries by chance: call eval() on the net first, "
                    "and write training=self.training",
                    node,
                )
        elif name == "squeeze" and node.args[1:] == (-1,):
            if any(user.op != "output" for user in node.users):
                return False
        elif name != "contiguous":
            return False
        self.flows[node] = self.source(node)
        return True

    def activate(self, node: Any) -> Iterator[tuple[Any, bool]]:
        name = _name_of(node.target)
        if name not in ACTIVATIONS:
            raise self.refusal(f"computes {name}", node)
        flow = self.source(node)
        yield name, flow.form == "steps"
        self.count += 1
        self.flows[node] = Flow(flow.form, self.count)

    def check_output(self, node: Any) -> None:
        """Refuse a net that does not give what its last call gives, alone or first of several."""
        (given,) = node.args
        given = given[0] if isinstance(given, tuple | list) and given else given
        if self.form(given) not in ("steps", "last", "pair") or self.flows[given][1] != self.count:
            raise self.refusal("does not give what its last module gives")

    def form(self, given: Any) -> str:
        """The form of an argument: "" of a constant, and of what holds several nodes."""
        return self.flows[given].form if hasattr(given, "op") else ""

    def source(self, node: Any) -> Flow:
        """What the first argument of a node is, which has to be what was computed last."""
        given = node.args[0] if node.args else next(iter(node.kwargs.values()), None)
        if self.form(given) not in ("steps", "last") or self.flows[given].calls != self.count:
            raise self.refusal("is no chain, in which each reads what the one before gives", node)
        return self.flows[given]

    def refusal(self, what: str, node: Any = None) -> ArgumentValueError:
        """The error that the forward does this, at a node, with the way out."""
        where = "" if node is None else f", at {node.name!r}"
        parts = ", ".join([f"net.{name}" for name, _ in self.net.named_children()])
        way_out = "compute it yourself, or derive a class from Model that does."
        if parts:
            way_out = (
                f"if its modules are a chain but for that, give them as a list, the first nearest "
                f"to the inputs, such as from_torch([{parts}])."
            )
        return ArgumentValueError(
            f"source: the forward of {type(self.net).__name__} {what}{where}: {way_out}"
        )


def _name_of(target: Any) -> str:
    """The name of a method, or of a function of torch; of any other function with its module."""
    if isinstance(target, str):
        return target
    name, module = getattr(target, "__name__", repr(target)), getattr(target, "__module__", None)
    own = module is None or module.partition(".")[0] in ("torch", "_operator")
    return name if own else f"{module}.{name}"
