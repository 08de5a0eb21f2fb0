"""Which results of a graph have a name, and which are written inside what uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from operator import add
from types import MappingProxyType
from typing import Final

from .notation import Text, label, write, write_number
from .walk import Node, Run, SomeNode

LONGEST_INSIDE: Final = 40  # characters of an expression that needs no name

_names: Final[ContextVar[Mapping[Node, str]]] = ContextVar("names", default=MappingProxyType({}))


@contextmanager
def names_of(run: Run | None) -> Iterator[None]:
    """A context in which nodes are called as a run calls them, where they have no names to do so.

    A network names its Values itself; a loop of one's own has `names`, and stores them on none.
    """
    token = _names.set(getattr(run, "names", {}))
    try:
        yield
    finally:
        _names.reset(token)


def called(node: Node) -> str | None:
    """The name of a node in pictures and derivations, or None.

    >>> from autograd_rnn import Value
    >>> called(Value(3, "w"))
    'w'
    """
    return _names.get().get(node, node.name)


def count_uses(order: Iterable[SomeNode]) -> Counter[SomeNode]:
    """How many times each node is an operand; a square uses its operand twice."""
    return Counter([parent for node in order for parent in node.parents])


def is_inside(name: str | None, uses: int, text: str, longest: int = LONGEST_INSIDE) -> bool:
    """Whether a result is written where it is used: it has no name, one use and a short text.

    >>> is_inside(None, 1, "w₁·q̇"), is_inside("π̈", 1, "w₁·q̇"), is_inside(None, 2, "w₁·q̇")
    (True, False, False)
    """
    return name is None and uses == 1 and len(text) <= longest


def name_of(node: SomeNode, place: int) -> str:
    """The node's name, or v and its place in the topological order: v_2."""
    name = called(node)
    return f"v_{place}" if name is None else name


def without_zero(node: SomeNode) -> SomeNode:
    """The node without the 0 that Python's `sum` starts from; as it is if it has a name.

    >>> from autograd_rnn import Value
    >>> x = Value(3, "x")
    >>> without_zero(sum([x])) is x
    True
    """
    while node.op is not None and node.op.operator is add and called(node) is None:
        rest = [p for p in node.parents if not (p.constant and p.name is None and p.data == 0.0)]
        if len(rest) != 1:
            break
        node = rest[0]
    return node


def write_names(order: Iterable[SomeNode]) -> dict[SomeNode, Text]:
    """What each node of a topological order is called; a constant without a name is its number.

    >>> from autograd_rnn import Value
    >>> x = Value(3, "x_1")
    >>> y = x * 2
    >>> [text for text, binds in write_names([x, *y.parents[1:], y]).values()]
    ['x₁', '2', 'v₃']
    """
    return {
        node: write_number(node.data)
        if node.constant and called(node) is None
        else Text(label(name_of(node, place)))
        for place, node in enumerate(order, 1)
    }


def write_inside(order: Iterable[SomeNode], longest: int = LONGEST_INSIDE) -> dict[SomeNode, Text]:
    """How each node of a topological order is written as an operand, however often it is one.

    A sum is written without the 0 that it starts from.

    >>> from autograd_rnn import Value
    >>> x = Value(3, "x")
    >>> y = x * 2
    >>> [text for text, binds in write_inside([x, *y.parents[1:], y]).values()]
    ['x', '2', 'x·2']
    """
    texts = write_names(order)
    for node in texts:
        if node.op is not None and not node.constant:
            if (bare := without_zero(node)) is not node:
                texts[node] = texts[bare]
                continue
            written = write(node.op, *[texts[parent] for parent in node.parents])
            if is_inside(called(node), 1, written.text, longest):
                texts[node] = written
    return texts
