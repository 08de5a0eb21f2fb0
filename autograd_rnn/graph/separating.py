"""Separating sets: nodes and copies such that every path to the output meets one of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from ..arguments import as_list
from ..errors import ArgumentTypeError, ArgumentValueError
from .copies import Copy
from .notation import label
from .sweep import Slope, adjoints_by, recorded_slopes, tangents
from .walk import Node, SomeNode, check_node, describe, is_node, swept, topological

UNLIMITED: Final = 1 << 60

Member: TypeAlias = Node | Copy
# The key of a member: a node itself, or for a copy its consumer and position.
Edge: TypeAlias = tuple[Node, int]
Key: TypeAlias = Node | Edge


class Path(tuple[Node, ...]):
    """The nodes of a path from a source to the output; printed, their names with arrows between."""

    __slots__ = ()

    def __str__(self) -> str:
        return " → ".join(
            [label(node.name) if node.name is not None else describe(node) for node in self]
        )


def separates(nodes: Iterable[Member], source: Node, output: Node) -> bool:
    """Whether every path from the source to the output meets one of the nodes.

    Members are nodes and `Copy`s, that is, single edges, mixed at will; the ends of a path belong
    to it.  Paths go where gradients do: not through constants.  (Panel 12.)

    >>> from autograd_rnn import Value, copies
    >>> w = Value(3, "w")
    >>> y = w * w
    >>> separates(copies(w, y), w, y), separates(copies(w, y)[:1], w, y)
    (True, False)
    """
    return escape(nodes, source, output) is None


def escape(nodes: Iterable[Member], source: Node, output: Node) -> Path | None:
    """A path from the source to the output that meets none of the nodes; None if all meet one.

    `ValueError` for a member that is not in the graph of the output.

    >>> from autograd_rnn import Value
    >>> w, x = Value(3, "w"), Value(2, "x")
    >>> m = w * x
    >>> m.name = "m"
    >>> print(escape([m], w, m + w * 4))
    w → mul(w = 3.0, 4.0) = 12.0 → add(m = 6.0, 12.0) = 18.0
    """
    check_node(source, "source")
    check_node(output, "output")
    blocked = _keys(nodes, output)
    if source in blocked or source.constant:
        return None
    came_from = {source: source}
    for node in swept(output):
        if node not in came_from and node not in blocked:
            for position, operand, _ in recorded_slopes(node):
                if operand in came_from and (node, position) not in blocked:
                    came_from[node] = operand
                    break
    if output not in came_from:
        return None
    path = [output]
    while path[-1] is not source:
        path.append(came_from[path[-1]])
    return Path(reversed(path))


def key_of(member: Member | Key) -> Key:
    """The key of a member; a key as it is."""
    return (member.consumer, member.position) if isinstance(member, Copy) else member


def _keys(nodes: Iterable[Member], output: Node) -> set[Key]:
    """The keys of the members; `TypeError` or `ValueError` unless each is one, and in the graph."""
    listed = as_list(nodes, "nodes", "Values and Copies")
    known = set(topological(output))
    for place, member in enumerate(listed):
        copy = isinstance(member, Copy)
        if not copy and not is_node(member):
            raise ArgumentTypeError(
                f"nodes[{place}] must be a Value or a Copy, not {type(member).__name__}."
            )
        if (member.consumer if copy else member) not in known:
            shown = member.name if copy else describe(member)
            raise ArgumentValueError(f"nodes[{place}] ({shown}) is not in the graph of the output.")
    return set(map(key_of, listed))


def restricted_adjoints(output: Node, blocked: Collection[Key]) -> dict[Key, float]:
    """∂output/∂key for nodes and members, with the other members (`blocked`) held fixed.

    A path counts if it meets no other member, so that each path from a source is counted once, at
    its last member: ∂output/∂source is the sum over the members of this times d(member)/d(source)
    along all paths (`tangents`), whether or not members lie behind each other.

    >>> from autograd_rnn import Value
    >>> x = Value(3, "x")
    >>> y = x * 2
    >>> found = restricted_adjoints(y + x, {x, y})
    >>> found[x], found[y]
    (1.0, 1.0)
    """

    def slopes(node: Node) -> Iterator[Slope[Key]]:
        if node not in blocked:
            for position, operand, partial in recorded_slopes(node):
                edge = (node, position)
                yield position, edge if edge in blocked else operand, partial

    return adjoints_by(output, 1.0, slopes)


# --- a smallest set ------------------------------------------------------------------------------


def separating_set(source: SomeNode, output: SomeNode) -> tuple[SomeNode, ...]:
    """A smallest set of nodes strictly between the source and the output that separates them.

    Of the smallest, one with the most nodes that have names, and among those the one nearest to the
    source; in topological order.  `ValueError` where the output does not depend on the source, and
    where it uses the source directly: there is no such set (the copies always separate).

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> run = rnn.unroll(bits("101"))
    >>> loss = (15 - run.pi[0]) ** 2
    >>> [node.name for node in separating_set(rnn.weights[0][0], loss)]
    ['π⃛']
    """
    if escape([], source, output) is None:
        raise ArgumentValueError(
            f"output does not depend on the source ({describe(source)}): there is no path to "
            f"separate."
        )
    if source is output:
        raise ArgumentValueError(
            f"no node is between the source ({describe(source)}) and the output: they are one."
        )
    if source in output.parents:
        raise ArgumentValueError(
            f"no node is between the source ({describe(source)}) and the output, which uses it "
            f"directly: separate them by the copies."
        )
    between = tangents(source, output)
    order = [node for node in swept(output) if node in between]
    cut = _smallest_cut(order, source, output)
    return tuple([node for node in order if node in cut])


def _smallest_cut(order: Sequence[SomeNode], source: SomeNode, output: SomeNode) -> set[SomeNode]:
    """The smallest cut, by max-flow: nodes have a capacity, and edges are unlimited.

    A node is an entry (2·place) and an exit (2·place + 1).  Shortest paths with room left are
    filled one at a time (Edmonds and Karp, 1972).
    """
    place = {node: index for index, node in enumerate(order)}
    room: list[dict[int, int]] = [{} for _ in range(2 * len(order))]

    def connect(tail: int, head: int, capacity: int) -> None:
        room[tail][head] = capacity
        room[head].setdefault(tail, 0)

    for node, index in place.items():
        ends = node is source or node is output
        # A set with one node fewer is worth more than any number of names.
        cost = len(order) + (node.name is None)
        connect(2 * index, 2 * index + 1, UNLIMITED if ends else cost)
        if node is not source:
            for parent in node.parents:
                if parent in place:
                    connect(2 * place[parent] + 1, 2 * index, UNLIMITED)
    start, end = 2 * place[source] + 1, 2 * place[output]
    while end in (came_from := _reach(room, start, end)):
        path = [end]
        while path[-1] != start:
            path.append(came_from[path[-1]])
        path.reverse()
        amount = min(room[tail][head] for tail, head in pairwise(path))
        for tail, head in pairwise(path):
            room[tail][head] -= amount
            room[head][tail] += amount
    return {
        node
        for node, index in place.items()
        if 2 * index in came_from and 2 * index + 1 not in came_from
    }


def _reach(room: Sequence[dict[int, int]], start: int, end: int) -> dict[int, int]:
    """The predecessor of each vertex that can still be reached; stops at the end."""
    came_from = {start: start}
    waiting = deque([start])
    while waiting:
        tail = waiting.popleft()
        for head, left in room[tail].items():
            if left > 0 and head not in came_from:
                came_from[head] = tail
                if head == end:
                    return came_from
                waiting.append(head)
    return came_from
