# cython: annotation_typing=False
"""Walks over Values as `value.py` links them, and the backward sweep of `Value.backward`."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from .shared import CONSTANT, OPEN, SWEEPS, VARIABLE, WATCH, tell, watchers


class Linked(Protocol):
    """What the sweep reads and writes of a Value."""

    _data: float
    _grad: float
    _dx: float
    _dy: float
    _mark: float

    @property
    def _x(self) -> Linked | None: ...
    @property
    def _y(self) -> Linked | None: ...


SomeNode = TypeVar("SomeNode", bound=Linked)


def number_in(node: Linked) -> float:
    """The number of a Value, whose reading no context is told of."""
    return node._data


def read(node: SomeNode, what: str) -> SomeNode:
    """The Value, once the contexts that are open here know what is read of it."""
    if WATCH.open:
        tell("read", node, what)
    return node


def begin() -> float:
    """The mark of what is made from now on: results keep it, or a higher one of a later sweep."""
    start = SWEEPS.latest = SWEEPS.latest + 1.0
    return start


def is_point(node: Linked) -> bool:
    """Whether a function is being differentiated with respect to the node right now."""
    return node in OPEN


def results_since(start: float, output: SomeNode) -> list[SomeNode]:
    """The results since the start that the output was computed from, and it, inputs first.

    An older result may come along, if a sweep has met it since.
    """
    order: list[SomeNode] = []
    if not start <= output._mark < VARIABLE:
        return order
    path: list[Any] = [output]
    met: set[Any] = {output}
    while path:
        node = path[len(path) - 1]
        x = node._x
        if x is not None and start <= x._mark < VARIABLE and x not in met:
            met.add(x)
            path.append(x)
            continue
        y = node._y
        if y is not None and start <= y._mark < VARIABLE and y not in met:
            met.add(y)
            path.append(y)
            continue
        order.append(node)
        path.pop()
    return order


def reaches(
    output: SomeNode, points: set[SomeNode], start: float, known: dict[SomeNode, SomeNode]
) -> bool:
    """Whether the output depends on one of the points, which were made since the start.

    The nodes on the way to it are kept in `known`, each with the point, so that a walk from what is
    computed next ends there: else a loop of inner derivatives would take quadratic time.
    """
    path: list[Any] = [output]
    met: set[Any] = {output}
    while path:
        node = path[len(path) - 1]
        point = node if node in points else known.get(node)
        if point is not None and point in points:
            known.update(dict.fromkeys(path, point))
            return True
        x = node._x
        if x is not None and start <= x._mark < CONSTANT and x not in met:
            met.add(x)
            path.append(x)
            continue
        y = node._y
        if y is not None and start <= y._mark < CONSTANT and y not in met:
            met.add(y)
            path.append(y)
            continue
        path.pop()
    return False


def sweep_back(output: Linked, seed: float) -> None:
    """Set the `grad` of each result that the output was computed from, and add to the leaves'."""
    order: list[Linked] = []
    leaves: list[Linked] = []
    # No other thread comes between: Python lets them take turns at calls and loops only.  One
    # line, and the last before nodes are marked, since a debugger may come between any two, and
    # a collection into a new list, and have a sweep of their own made there.
    sweep = SWEEPS.latest = SWEEPS.latest + 1.0
    _ops_in_order(output, sweep, order, leaves)
    output._grad = seed
    for node in reversed(order):
        grad = node._grad
        x = node._x
        assert x is not None
        mark = x._mark
        if mark == sweep:
            x._grad += grad * node._dx
        elif mark == VARIABLE:
            if x._dy == sweep:
                x._dx += grad * node._dx
            else:
                x._dy = sweep
                x._dx = grad * node._dx
                leaves.append(x)
        y = node._y
        if y is not None:
            mark = y._mark
            if mark == sweep:
                y._grad += grad * node._dy
            elif mark == VARIABLE:
                if y._dy == sweep:
                    y._dx += grad * node._dy
                else:
                    y._dy = sweep
                    y._dx = grad * node._dy
                    leaves.append(y)
    if WATCH.open:
        for watcher in watchers():
            for node in reversed(order):
                watcher.swept(node, node._grad)
            for leaf in leaves:
                watcher.swept(leaf, leaf._dx)
    for leaf in leaves:
        leaf._grad += leaf._dx


def _ops_in_order(output: Linked, sweep: float, order: list[Linked], path: list[Linked]) -> None:
    """Fill `order` with the op nodes of `graph.swept(output)`, marked and their grad made ready.

    Both lists come empty, and `path` goes empty.
    -0.0 is ready: it is the number that leaves the first term added to it as it is, bit for bit.
    """
    output._mark = sweep
    node = output
    while True:
        x = node._x
        assert x is not None
        if x._mark < sweep:
            path.append(node)
            node = x
            node._mark = sweep
            node._grad = -0.0
            continue
        y = node._y
        if y is not None and y._mark < sweep:
            y._mark = sweep
            y._grad = -0.0
            left, right = y._x, y._y
            assert left is not None
            if left._mark < sweep or (right is not None and right._mark < sweep):
                path.append(node)
                node = y
                continue
            # Nothing new is below, so y comes next, as a product does in a sum of products.
            order.append(y)
        order.append(node)
        if not path:
            return
        node = path.pop()
