"""Walks and copies of anything that has `parents`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import ArgumentTypeError, StaleGraphError
from ..ops.ieee import same_bits


class Node(Protocol):
    """What a walk reads of a node: its operands in order, and the partials by each of them."""

    @property
    def data(self) -> float: ...
    @property
    def name(self) -> str | None: ...
    @property
    def constant(self) -> bool: ...
    @property
    def op(self) -> Any: ...
    @property
    def parents(self) -> tuple[Any, ...]: ...
    @property
    def partials(self) -> tuple[float, ...]: ...


class Step(Protocol):
    """What a walk reads of one step of an unrolled network."""

    @property
    def k(self) -> int: ...
    @property
    def pi(self) -> Sequence[Any]: ...
    @property
    def q(self) -> Sequence[Any]: ...


class Run(Protocol):
    """What a walk reads of an unrolled network: its steps, and what they start from."""

    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def given(self) -> Sequence[Any]: ...


N = TypeVar("N", bound=Node)
T = TypeVar("T")


def is_node(thing: object) -> bool:
    """Whether a thing is a node of a graph, such as a Value.

    >>> is_node(3.0)
    False
    """
    return hasattr(thing, "parents") and hasattr(thing, "partials")


def check_node(thing: object, argument: str) -> None:
    """Refuse what is no node of a graph, naming `argument`."""
    if not is_node(thing):
        raise ArgumentTypeError(
            f"{argument} must be a node of a graph, such as a Value, not {type(thing).__name__}."
        )


def check_run(run: object) -> None:
    """Refuse what is neither None nor an unrolled network."""
    if run is not None and not hasattr(run, "steps"):
        raise ArgumentTypeError(
            f"run must be an unrolled network, such as rnn.unroll(inputs), "
            f"not {type(run).__name__}."
        )


def describe(node: N) -> str:
    """The node in a message: its name, what it was computed by and from, and its number.

    >>> from autograd_rnn import Value
    >>> describe(Value(2, "x") * 3)
    'mul(x = 2.0, 3.0) = 6.0'
    """
    if node.op is None:
        return _named(node)
    operands = ", ".join([_named(parent) for parent in node.parents])
    name = "" if node.name is None else f"{node.name} = "
    return f"{name}{node.op.name}({operands}) = {node.data!r}"


def _named(node: N) -> str:
    return f"{node.data!r}" if node.name is None else f"{node.name} = {node.data!r}"


def topological(*roots: N) -> list[N]:
    """The nodes that the roots are computed from and the roots, inputs first.

    Depth first: each root's operands from left to right, then the root, nothing twice.  The order
    depends on nothing but the graph, and its reverse is the order in which `backward` sums.

    >>> from autograd_rnn import Value
    >>> a, b = Value(2, "a"), Value(3, "b")
    >>> [node.name for node in topological(b * a * b)]
    ['b', 'a', None, None]
    """
    for place, root in enumerate(roots):
        check_node(root, f"roots[{place}]")
    return depth_first(roots, lambda node: node.parents)


def swept(output: N) -> list[N]:
    """The nodes that a sweep from the output meets, inputs first: it does not enter constants.

    Where no comparison is among the results this is `topological(output)`.
    """
    return depth_first([output], lambda node: () if node.constant else node.parents)


def depth_first(roots: Iterable[T], operands: Callable[[T], Iterable[T]]) -> list[T]:
    """What the roots are made of and the roots, nothing twice and without recursion.

    >>> depth_first([8], lambda n: [n // 2, n // 4] if n > 2 else [])
    [2, 1, 4, 8]
    """
    order: list[T] = []
    met: set[T] = set()
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


def adjoints(output: N, seed: float = 1.0) -> dict[N, float]:
    """∂output/∂node, times the seed, for every node that the output is computed from.

    Constants have none.  The sum at a node runs over its consumers in the reverse order of `swept`.

    >>> from autograd_rnn import Value
    >>> a = Value(3)
    >>> adjoints(a * a)[a]
    6.0
    """
    found: dict[N, float] = {output: seed}
    if output.constant:
        return {}
    for node in reversed(swept(output)):
        if node.parents and node in found:
            adjoint = found[node]
            for parent, partial in zip(node.parents, node.partials, strict=True):
                if not parent.constant:
                    term = adjoint * partial
                    found[parent] = found[parent] + term if parent in found else term
    return found


def check_fresh(order: Iterable[N]) -> None:
    """Refuse a graph in which a leaf was assigned after a result was computed from it.

    Computes every node of a topological order again and compares value and partials to the bit;
    raises `StaleGraphError` for the first that differs.
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


def _stale(node: N, what: str) -> StaleGraphError:
    return StaleGraphError(
        f"{describe(node)} {what}: a leaf was assigned after the graph was recorded, and its "
        f"numbers would be mixed. Compute the output again first."
    )


def steps_of(run: Run) -> dict[Any, int]:
    """The step in which each node of an unrolled network is computed.

    What the network was given (its weights, inputs and initial state) is computed in no step.
    """
    steps: dict[Any, int] = {}
    met: set[Any] = set(run.given)
    for step in run.steps:
        # What earlier steps computed is not walked again: a long run stays linear.
        path = [*step.pi, *step.q]
        while path:
            node = path.pop()
            if node not in met:
                met.add(node)
                if node.parents:
                    steps[node] = step.k
                    path.extend(node.parents)
    return steps
