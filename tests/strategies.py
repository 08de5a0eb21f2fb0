"""Random graphs, built twice: as Values and as nodes of the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from autograd_rnn import RNN, Unrolled, Value, ops, testing
from autograd_rnn.engine.value import constant

from . import reference

#: The ops whose results and partials are whole where the operands are.
WHOLE = ("add", "sub", "mul", "neg", "relu", "step", "abs", "greater", "equal")

#: Where an op is smooth, its operands being from 0.2 to 3, if not everywhere.
SMOOTH: dict[str, Callable[..., bool]] = {
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), lambda x: x < 0.9),
    "arccosh": lambda x: x > 1.1,
    "tan": lambda x: abs(x - math.pi / 2) > 0.3,
    "mod": lambda x, y: 0.01 < x / y % 1 < 0.99,
    **dict.fromkeys(("maximum", "minimum", "greater", "equal"), lambda x, y: abs(x - y) > 1e-3),
}


def smooth_operands(op: ops.Op) -> st.SearchStrategy[tuple[float, ...]]:
    """Operands from 0.2 to 3 around which the op is smooth."""
    numbers = st.tuples(*[st.floats(0.2, 0.9) | st.floats(0.2, 3)] * op.arity)
    return numbers.filter(lambda operands: SMOOTH.get(op.name, lambda *_: True)(*operands))


numbers_around_one = st.floats(min_value=-3, max_value=3).map(lambda x: round(x, 3))
any_numbers = testing.numbers(nonfinite=True)


@dataclass
class Pair:
    """One graph twice: `values` and `nodes` correspond, leaves first, in the order of creation."""

    values: list[Value]
    nodes: list[reference.Node]
    leaves: int

    def add_leaf(self, data: float, is_constant: bool) -> None:
        name = f"x_{len(self.values)}"
        self.values.append(constant(data, name) if is_constant else Value(data, name))
        self.nodes.append(reference.Node(data=data, constant=is_constant, name=name))
        self.leaves += 1

    def add_result(self, op: str, operands: Sequence[int]) -> None:
        self.values.append(ops.TABLE[op](*[self.values[i] for i in operands]))
        self.nodes.append(reference.Node(op, tuple([self.nodes[i] for i in operands])))

    def node_of(self, value: Value) -> reference.Node:
        return next(n for v, n in zip(self.values, self.nodes, strict=True) if v is value)


@st.composite
def pairs(
    draw: st.DrawFn,
    names: tuple[str, ...] = tuple(ops.TABLE),
    numbers: st.SearchStrategy[float] = any_numbers,
    most_ops: int = 8,
    constants: bool = True,
) -> Pair:
    """A random graph over the named ops; its last node is the output."""
    pair = Pair([], [], 0)
    for _ in range(draw(st.integers(1, 3))):
        pair.add_leaf(draw(numbers), constants and draw(st.integers(0, 3)) == 0)
    shape = testing.expressions(pair.leaves, ops=names, most_constants=0, most_ops=most_ops)
    for op, operands in draw(shape).lines:
        pair.add_result(op, operands)
    return pair


def whole_pairs(most_ops: int = 7, constants: bool = True) -> st.SearchStrategy[Pair]:
    """Graphs of small whole numbers, in which every sum is exact whatever its order."""
    return pairs(WHOLE, st.integers(-3, 3).map(float), most_ops, constants)


def name_some(data: st.DataObject, pair: Pair) -> None:
    """Give some of the results names."""
    for place, value in enumerate(pair.values):
        if value.op is not None and data.draw(st.booleans()):
            value.name = f"n_{place}"


@st.composite
def runs(draw: st.DrawFn, whole: bool = True) -> tuple[RNN, Unrolled]:
    """A random network, unrolled: states 1-4, steps 0-12."""
    states, inputs = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    bias = draw(st.booleans())
    number = st.integers(-2, 2).map(float) if whole else st.floats(-1, 1)
    rows = bias + states + inputs
    weights = draw(
        st.lists(st.lists(number, min_size=states, max_size=states), min_size=rows, max_size=rows)
    )
    activation = draw(st.sampled_from(["relu", "linear", "step"] if whole else ["tanh", "sigmoid"]))
    rnn = RNN(weights, activation, bias=bias)
    vector = st.lists(st.integers(0, 1), min_size=inputs, max_size=inputs)
    return rnn, rnn.unroll(draw(st.lists(vector, max_size=12)))
