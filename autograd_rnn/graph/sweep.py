"""The chain rule over a graph: the backward sweep and the forward one, each written once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import mul
from typing import Any, TypeAlias

from .walk import Node, SomeNode, Vertex, swept, walks_over

# Of one use: the position of the operand, the operand, and the derivative of the node by it.
# Derivatives are floats, Values or tracers: all that can be added and multiplied.
Slope: TypeAlias = tuple[int, Vertex, Any]
Slopes: TypeAlias = Callable[[Vertex], Iterable[Slope[Vertex]]]


def recorded_slopes(node: SomeNode) -> Iterator[Slope[SomeNode]]:
    """The position, the operand and the recorded partial for each operand that is a variable.

    >>> from autograd_rnn import Value
    >>> x = Value(3)
    >>> [(position, slope) for position, _, slope in recorded_slopes(2 - x)]
    [(1, -1.0)]
    """
    if not node.constant:
        partials = node.partials
        for position, operand in enumerate(node.parents):
            if not operand.constant:
                yield position, operand, partials[position]


def terms(
    order: Sequence[Vertex],
    adjoints: dict[Vertex, Any],
    slopes: Slopes[Vertex],
    product: Callable[[Any, Any], Any] = mul,
) -> Iterator[tuple[Vertex, int, Vertex, Any]]:
    """The backward sweep, a term at a time: (node, position, operand, adjoint · slope).

    `order` has inputs first and is read backward; `adjoints` begins with that of the output.  A
    term is added to the adjoint of its operand before it is yielded.
    """
    for node in reversed(order):
        if node in adjoints:
            adjoint = adjoints[node]
            for position, operand, slope in slopes(node):
                term = product(adjoint, slope)
                adjoints[operand] = adjoints[operand] + term if operand in adjoints else term
                yield node, position, operand, term


def adjoints_by(
    output: SomeNode, seed: Any, slopes: Slopes[Any], product: Callable[[Any, Any], Any] = mul
) -> dict[Any, Any]:
    """∂output/∂node, times the seed, for all nodes that the sweep reaches along the slopes."""
    found = {} if output.constant else {output: seed}
    deque(terms(swept(output), found, slopes, product), maxlen=0)
    return found


def adjoints(output: SomeNode, seed: float = 1.0) -> dict[SomeNode, float]:
    """∂output/∂node, times the seed, for every node that the output is computed from.

    Constants have none.  The sum at a node runs over its consumers in the reverse order of `swept`.

    >>> from autograd_rnn import Value
    >>> a = Value(3)
    >>> adjoints(a * a)[a]
    6.0
    """
    return adjoints_by(output, seed, recorded_slopes)


def adjoints_at(output: SomeNode, nodes: Sequence[SomeNode], seed: float = 1.0) -> list[float]:
    """∂output/∂node, times the seed, for each of the nodes: 0 where it does not depend on it.

    >>> from autograd_rnn import Value
    >>> a, b = Value(3), Value(4)
    >>> adjoints_at(a * a, [a, b, a])
    [6.0, 0.0, 6.0]
    """
    walks = walks_over(output)
    if walks is not None:
        return walks.adjoints_at(output, list(nodes), seed)
    found = adjoints(output, seed)
    return [found.get(node, 0.0) for node in nodes]


def tangent_at(output: SomeNode, sources: Sequence[SomeNode], tangents: Sequence[float]) -> float:
    """The derivative of the output in the direction of the tangents of the sources.

    >>> from autograd_rnn import Value
    >>> a, b = Value(3), Value(4)
    >>> tangent_at(a * b, [a, b], [1.0, 2.0])
    10.0
    """
    walks = walks_over(output)
    if walks is not None:
        return walks.tangent_at(output, list(sources), list(tangents))
    moves = zip(sources, tangents, strict=True)
    found = {source: tangent for source, tangent in moves if not source.constant}
    carry(swept(output), found, recorded_slopes)
    return found.get(output, 0.0)


def carry(
    order: Iterable[Vertex],
    tangents: dict[Vertex, Any],
    slopes: Slopes[Vertex],
    product: Callable[[Any, Any], Any] = mul,
) -> None:
    """The forward sweep: add the tangent of every node to those of the sources.

    A node's is the sum of its operands' tangents, times the slopes; `order` has inputs first.
    """
    for node in order:
        if node not in tangents:
            for _, operand, slope in slopes(node):
                if operand in tangents:
                    term = product(tangents[operand], slope)
                    tangents[node] = tangents[node] + term if node in tangents else term


def tangents(source: Node, output: Node) -> dict[Node, float]:
    """d(node)/d(source), along all paths, for every node between the source and the output."""
    found = {source: 1.0}
    carry(swept(output), found, recorded_slopes)
    return found
