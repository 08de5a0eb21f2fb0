"""Walks over a graph: over anything that has `parents`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

from ..arguments import visible
from ..errors import ArgumentTypeError, GraphTooLarge, StaleGraphError
from ..ops.ieee import same_bits
from ..ops.op import Op


class Node(Protocol):
    """A node of a graph, such as a Value: a number, its operands, and a partial for each."""

    @property
    def data(self) -> float: ...
    @property
    def name(self) -> str | None: ...
    @property
    def constant(self) -> bool: ...
    @property
    def op(self) -> Op | None: ...
    @property
    def parents(self) -> tuple[Self, ...]: ...
    @property
    def partials(self) -> tuple[float, ...]: ...


SomeNode = TypeVar("SomeNode", bound=Node)
Vertex = TypeVar("Vertex")


class Walks(Protocol):
    """Walks and sweeps over nodes of one kind, which take less time than those of this folder.

    Their class has them as `_walks`, where there are any: `engine/walks.py`.
    """

    def in_order(self, roots: list[Any], past_constants: bool, /) -> list[Any]: ...
    def uses(self, order: list[Any], operand: Any, /) -> list[tuple[Any, int]]: ...
    def adjoints_at(self, output: Any, nodes: list[Any], seed: float, /) -> list[float]: ...
    def tangent_at(self, output: Any, sources: list[Any], tangents: list[float], /) -> float: ...


class Step(Protocol):
    """One step of an unrolled network: its number, its sums π and its states q."""

    @property
    def k(self) -> int: ...
    @property
    def pi(self) -> Sequence[Node]: ...
    @property
    def q(self) -> Sequence[Node]: ...


class Run(Protocol):
    """An unrolled network: its steps, and the weights, inputs and states that it was given.

    A loop of one's own (`loop.py`) also has `step_of`, the step of each result, and `names`.
    """

    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def given(self) -> Sequence[Node]: ...


def is_node(thing: object) -> bool:
    """Whether an object is a node of a graph, such as a Value."""
    return hasattr(thing, "parents") and hasattr(thing, "partials")


def operation(node: Node) -> Op:
    """The op of a node that was computed by one."""
    assert node.op is not None
    return node.op


def check_node(thing: object, argument: str) -> None:
    """`TypeError` naming `argument` for anything but a node of a graph."""
    if not is_node(thing):
        raise ArgumentTypeError(
            f"{argument} must be a node of a graph, such as a Value, not {type(thing).__name__}."
        )


def check_run(run: object) -> None:
    """`TypeError` for anything but None or an unrolled network."""
    if run is not None and not hasattr(run, "steps"):
        raise ArgumentTypeError(
            f"run must be an unrolled network, such as rnn.unroll(inputs), or the Steps of a loop, "
            f"not {type(run).__name__}."
        )


def describe(node: Node) -> str:
    """A node in a message: its name, its op and operands, and its number.

    >>> from autograd_rnn import Value
    >>> describe(Value(2, "x") * 3)
    'mul(x = 2.0, 3.0) = 6.0'
    """
    if node.op is None:
        return _named(node)
    operands = ", ".join([_named(parent) for parent in node.parents])
    name = "" if node.name is None else f"{visible(node.name)} = "
    return f"{name}{node.op.name}({operands}) = {node.data!r}"


def _named(node: Node) -> str:
    return f"{node.data!r}" if node.name is None else f"{visible(node.name)} = {node.data!r}"


def walks_over(*nodes: object) -> Walks | None:
    """The walks that nodes of one kind bring along."""
    kinds = set(map(type, nodes))
    return getattr(kinds.pop(), "_walks", None) if len(kinds) == 1 else None


def topological(*roots: SomeNode) -> list[SomeNode]:
    """The roots and all nodes that they are computed from, inputs first.

    Depth first: each root's operands from left to right, then the root, and no node twice.  The
    order depends on nothing but the graph, and `backward` sums in the reverse of it.

    >>> from autograd_rnn import Value
    >>> a, b = Value(2, "a"), Value(3, "b")
    >>> [node.name for node in topological(b * a * b)]
    ['b', 'a', None, None]
    """
    for place, root in enumerate(roots):
        check_node(root, f"roots[{place}]")
    walks = walks_over(*roots)
    if walks is not None:
        return walks.in_order(list(roots), True)
    return depth_first(roots, lambda node: node.parents)


def is_larger(output: Node, most: int) -> bool:
    """Whether an output is computed from more nodes than so many; it visits no more of them.

    >>> from autograd_rnn import Value
    >>> y = Value(2) * 3 + 1
    >>> is_larger(y, 5), is_larger(y, 4)
    (False, True)
    """
    met, path = {output}, [output]
    while path and len(met) <= most:
        for parent in path.pop().parents:
            if parent not in met:
                met.add(parent)
                path.append(parent)
    return len(met) > most


def check_size(output: Node, most: int, purpose: str, ways: str) -> None:
    """`GraphTooLarge`, at once and with ways out, for an output of more nodes than so many."""
    if is_larger(output, most):
        raise GraphTooLarge(
            f"output is computed from more than {most:,} nodes, too many {purpose}: {ways}."
        )


def swept(output: SomeNode) -> list[SomeNode]:
    """The nodes that a backward sweep from the output visits, inputs first.

    Those are all nodes (`topological`), but none that only constants use.
    """
    walks = walks_over(output)
    if walks is not None:
        return walks.in_order([output], False)
    return depth_first([output], lambda node: () if node.constant else node.parents)


def uses(order: Sequence[SomeNode], operand: SomeNode) -> list[tuple[SomeNode, int]]:
    """The nodes of an order that use the operand, each with the position: two for `x * x`."""
    walks = walks_over(operand)
    if walks is not None:
        return walks.uses(list(order), operand)
    return [
        (node, position)
        for node in order
        for position, parent in enumerate(node.parents)
        if parent is operand
    ]


def depth_first(
    roots: Iterable[Vertex], operands: Callable[[Vertex], Iterable[Vertex]]
) -> list[Vertex]:
    """The roots and all their operands, operands first, each once; without recursion.

    >>> depth_first([8], lambda n: [n // 2, n // 4] if n > 2 else [])
    [2, 1, 4, 8]
    """
    order: list[Vertex] = []
    met: set[Vertex] = set()
    for root in roots:
        if root in met:
            continue
        met.add(root)
        path = [(root, iter(operands(root)))]
        while path:
            node, rest = path[-1]
            for operand in rest:
                if operand not in met:
                    met.add(operand)
                    path.append((operand, iter(operands(operand))))
                    break
            else:
                order.append(node)
                path.pop()
    return order


def downstream(order: Iterable[SomeNode], sources: Iterable[SomeNode]) -> set[SomeNode]:
    """The sources, and those nodes of a topological order that are computed from them."""
    found = set(sources)
    for node in order:
        if any(parent in found for parent in node.parents):
            found.add(node)
    return found


def check_fresh(order: Iterable[Node]) -> None:
    """`StaleGraphError` for a leaf that was assigned after a result was computed from it.

    Computes every node of a topological order again, and compares value and partials to the bit.
    """
    for node in order:
        if node.op is None:
            continue
        operands = [parent.data for parent in node.parents]
        now = node.op.value(*operands)
        if not same_bits(now, node.data):
            raise _stale(node, f"is {now!r} now")
        for position, parent in enumerate(node.parents):
            if not parent.constant:
                partial = node.op.partials[position](*operands, now)
                if not same_bits(partial, node.partials[position]):
                    was = node.partials[position]
                    raise _stale(node, f"has the partial {partial!r} now, which was {was!r}")


def _stale(node: Node, what: str) -> StaleGraphError:
    return StaleGraphError(
        f"{describe(node)} {what}: a leaf was assigned after the graph was recorded, and its "
        f"numbers would be mixed. Compute the output again first."
    )


def steps_of(run: Run) -> dict[Node, int]:
    """The step in which each node of an unrolled network is computed.

    What the network was given (its weights, inputs and initial state) is computed in no step.
    """
    known: Mapping[Node, int] | None = getattr(run, "step_of", None)
    if known is not None:
        return dict(known)
    steps: dict[Node, int] = {}
    met = set(run.given)
    for step in run.steps:
        # The nodes of earlier steps are not walked again: a long run takes linear time.
        path = [*step.pi, *step.q]
        while path:
            node = path.pop()
            if node not in met:
                met.add(node)
                if node.parents:
                    steps[node] = step.k
                    path.extend(node.parents)
    return steps
