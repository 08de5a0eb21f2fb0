"""Derivatives nested at random, beside dual numbers: naive, forward over forward, and exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
)

from autograd_rnn import (
    Value,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    record,
    sin,
    stop_gradient,
    value_and_grad,
    vjp,
)
from autograd_rnn.engine.shared import OPEN, WATCH

MOST_NODES = 30
MOST_LEVELS = 3
#: Sums of whole numbers are exact below.
EXACT = 2**53


class Tree(NamedTuple):
    """An expression in variables, which are numbered from the outermost.

    A derivative binds the last variable of its first part, and is taken at its second.  `width` is
    the number of variables that the tree needs, `levels` how deep derivatives are nested in it;
    `whole` says that its derivatives are whole numbers, and `plain` that a program can be recorded
    of it: there is no `detach` and no `no_grad`, which a program does not keep.  `graphs` says that
    the tree takes the gradient of a graph which it makes itself, so that it has to be kept.
    """

    kind: str
    parts: tuple[Any, ...]
    width: int
    nodes: int = 1
    levels: int = 0
    whole: bool = True
    plain: bool = True
    graphs: bool = False


# --- by the package ------------------------------------------------------------------------------

Function: TypeAlias = Callable[[Any], Any]

#: The derivative of a function at a point; with the last argument as a graph, whatever is open.
FIRST: dict[str, Callable[[Function, Any, bool | None], Any]] = {
    "grad": lambda f, x, graph: grad(f, create_graph=graph)(x),
    "value_and_grad": lambda f, x, graph: value_and_grad(f, create_graph=graph)(x)[1],
    "jvp": lambda f, x, graph: jvp(f, [x], [1.0], create_graph=graph)[1],
    "jacobian": lambda f, x, graph: jacobian(lambda y: [f(y)], [x], create_graph=graph)[0][0],
    "vjp": lambda f, x, graph: grad(f, create_graph=True)(x) if graph else vjp(f, x)[1](1.0)[0],
}
SECOND: dict[str, Callable[[Function, Any, bool | None], Any]] = {
    "hessian": lambda f, x, graph: hessian(f, [x], create_graph=graph)[0][0],
    "hvp": lambda f, x, graph: hvp(f, [x], [1.0], create_graph=graph)[0],
}
#: Of a graph that is there already, and of a recorded program.
OTHERS = ("gradients", "program")
UNARY: dict[str, Callable[[Any], Any]] = {
    "sin": sin,
    "stop_gradient": stop_gradient,
    "detach": lambda x: x.detach() if isinstance(x, Value) else x,
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: x * y,
}


def evaluate(tree: Tree, given: Sequence[Any], graph: bool | None = None) -> Any:
    """The tree by the package: each bound variable is captured by the functions inside."""
    kind, parts = tree.kind, tree.parts
    if kind == "number":
        return parts[0]
    if kind == "variable":
        return given[parts[0]]
    if kind == "no_grad":
        with no_grad():
            return evaluate(parts[0], given, graph) * 1.0  # a result, in any case
    if kind in UNARY:
        return UNARY[kind](evaluate(parts[0], given, graph))
    if kind in BINARY:
        return BINARY[kind](*[evaluate(part, given, graph) for part in parts])
    body, at, place = parts
    point, outer = evaluate(at, given, graph), tuple(given[:place])
    if kind == "program":
        examples = [2.0] * (place + 1)
        program = record(lambda *all_: evaluate(body, all_, graph), *examples)
        return program.gradient()(*outer, point)[-1]
    if kind == "gradients":
        # A leaf is no open point: for what is inside, the graph has to be asked for.
        leaf = point * 1.0 if isinstance(point, Value) else Value(point)
        output = evaluate(body, (*outer, leaf), graph=True)
        return gradients(output, [leaf], create_graph=graph)[0] if is_value(output) else 0.0
    take = FIRST.get(kind) or SECOND[kind]
    return take(lambda x: evaluate(body, (*outer, x), graph), point, graph)


def is_value(thing: object) -> bool:
    return isinstance(thing, Value)


def number(thing: Any) -> float:
    return thing.data if isinstance(thing, Value) else float(thing)


# --- by dual numbers -----------------------------------------------------------------------------


class Dual(NamedTuple):
    """x + x'·ε, where each derivative has an ε of its own, told apart by its tag."""

    tag: int
    x: Any
    slope: Any


tags = count(1)


def parts_of(x: Any, tag: int) -> tuple[Any, Any]:
    return (x.x, x.slope) if isinstance(x, Dual) and x.tag == tag else (x, 0)


def newest(*xs: Any) -> int:
    return max([x.tag if isinstance(x, Dual) else 0 for x in xs])


def add(x: Any, y: Any) -> Any:
    tag = newest(x, y)
    if not tag:
        return x + y
    (a, b), (c, d) = parts_of(x, tag), parts_of(y, tag)
    return Dual(tag, add(a, c), add(b, d))


def multiply(x: Any, y: Any) -> Any:
    tag = newest(x, y)
    if not tag:
        return x * y
    (a, b), (c, d) = parts_of(x, tag), parts_of(y, tag)
    return Dual(tag, multiply(a, c), add(multiply(a, d), multiply(b, c)))


def sine(x: Any, quarters: int) -> Any:
    """The sine of x and a number of right angles."""
    if isinstance(x, Dual):
        return Dual(x.tag, sine(x.x, quarters), multiply(x.slope, sine(x.x, quarters + 1)))
    return [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][quarters % 4](x)


def one(x: Any) -> Any:
    """What the size of a sine and of its slopes is at most."""
    return Dual(x.tag, one(x.x), multiply(x.slope, one(x.x))) if isinstance(x, Dual) else 1


def bare(x: Any) -> Any:
    return bare(x.x) if isinstance(x, Dual) else x


def reference(tree: Tree, given: Sequence[Any], *, size: bool = False) -> Any:
    """The tree in dual numbers; with `size` the sum of the absolute values of all terms."""
    kind, parts = tree.kind, tree.parts
    if kind == "number":
        return abs(int(parts[0])) if size else int(parts[0])
    if kind == "variable":
        return given[parts[0]]
    if kind in ("no_grad", "detach", "stop_gradient"):
        return bare(reference(parts[0], given, size=size))
    if kind == "sin":
        x = reference(parts[0], given, size=size)
        return one(x) if size else sine(x, 0)
    if kind in BINARY:
        x, y = (reference(part, given, size=size) for part in parts)
        if kind == "product":
            return multiply(x, y)
        return add(x, y if size or kind == "sum" else multiply(-1, y))
    body, at, place = parts
    point = reference(at, given, size=size)
    used = [next(tags) for _ in range(2 if kind in SECOND else 1)]
    for tag in used:
        point = Dual(tag, point, 1)
    found = reference(body, (*given[:place], point), size=size)
    for tag in reversed(used):
        found = parts_of(found, tag)[1]
    return found


# --- the machine ---------------------------------------------------------------------------------


def join(kind: str, *below: Tree) -> Tree | MultipleResults[Tree]:
    """The tree of these, or nothing if it is too large."""
    nodes = 1 + sum(one.nodes for one in below)
    graphs = any(one.graphs for one in below)
    if nodes > MOST_NODES or (kind == "no_grad" and graphs):
        return multiple()
    return Tree(
        kind,
        below,
        max(one.width for one in below),
        nodes,
        max(one.levels for one in below),
        kind != "sin" and all(one.whole for one in below),
        kind not in ("detach", "no_grad") and all(one.plain for one in below),
        graphs,
    )


VARIABLES = [Tree("variable", (place,), place + 1) for place in range(MOST_LEVELS)]
whole_numbers = st.integers(-2, 3).map(float)
points = st.lists(whole_numbers, min_size=MOST_LEVELS, max_size=MOST_LEVELS)


class Nesting(RuleBasedStateMachine):
    """Trees that grow, and are evaluated here and there."""

    trees: Bundle[Tree] = Bundle("trees")
    nested: Bundle[Tree] = Bundle("nested")
    any_tree = trees | nested | nested

    @initialize(target=trees)
    def leaves(self) -> MultipleResults[Tree]:
        constants = [Tree("number", (data,), 0) for data in (1.0, -1.0, 2.0, 3.0)]
        return multiple(*constants, *VARIABLES)

    @rule(target=trees, kind=st.sampled_from([*BINARY, "product"]), x=any_tree, y=any_tree)
    def binary(self, kind: str, x: Tree, y: Tree) -> Tree | MultipleResults[Tree]:
        return join(kind, x, y)

    @rule(target=trees, kind=st.sampled_from([*UNARY, "no_grad"]), x=any_tree)
    def unary(self, kind: str, x: Tree) -> Tree | MultipleResults[Tree]:
        return join(kind, x)

    @rule(
        target=nested,
        kind=st.sampled_from([*FIRST, *SECOND, *OTHERS]),
        body=any_tree,
        at=any_tree,
        factors=st.lists(st.integers(0, MOST_LEVELS - 1), max_size=4),
    )
    def derivative(
        self, kind: str, body: Tree, at: Tree, factors: list[int]
    ) -> Tree | MultipleResults[Tree]:
        place = min(max(body.width - 1, at.width), MOST_LEVELS - 1)
        for factor in factors:  # so that not all derivatives are 0, and some are captured
            larger = join("product", body, VARIABLES[factor % (place + 1)])
            body = larger if isinstance(larger, Tree) else body
        made = join(kind, body, at)
        if (
            isinstance(made, MultipleResults)
            or at.width > place
            or made.levels == MOST_LEVELS
            or (kind == "program" and not body.plain)
        ):
            return multiple()
        return made._replace(
            parts=(body, at, place),
            width=max(place, at.width),
            levels=made.levels + 1,
            # A transform keeps the graphs that its function makes.
            graphs=kind == "gradients" or at.graphs,
        )

    @rule(tree=nested, given=points, silent=st.booleans(), values=st.booleans())
    def evaluate(self, tree: Tree, given: list[float], silent: bool, values: bool) -> None:
        numbers: list[Any] = list(map(Value, given)) if values else given
        found = (no_grad()(evaluate) if silent and not tree.graphs else evaluate)(tree, numbers)
        whole, size = list(map(int, given)), [abs(int(x)) for x in given]
        self.agree(tree, number(found), reference(tree, whole), reference(tree, size, size=True))

    @rule(tree=nested, given=points, place=st.integers(0, MOST_LEVELS - 1))
    def gradients(self, tree: Tree, given: list[float], place: int) -> None:
        leaves = list(map(Value, given))
        output = evaluate(tree, leaves, graph=True)
        found = gradients(output, [leaves[place]])[0] if isinstance(output, Value) else 0.0

        def slope(numbers: list[int], size: bool) -> Any:
            tag = next(tags)
            moved = [Dual(tag, x, 1) if p == place else x for p, x in enumerate(numbers)]
            return parts_of(reference(tree, moved, size=size), tag)[1]

        whole, sizes = list(map(int, given)), [abs(int(x)) for x in given]
        self.agree(tree, found, slope(whole, False), slope(sizes, True))

    def agree(self, tree: Tree, found: float, expected: Any, size: Any) -> None:
        if tree.whole and size < EXACT:
            assert found == expected, tree
        elif size < 1e12:
            assert abs(found - expected) <= 1e-12 * size, tree
        assert not OPEN
        assert not WATCH.open


TestNesting = Nesting.TestCase
TestNesting.settings = settings(stateful_step_count=40)
