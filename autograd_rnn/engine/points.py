"""The points at which functions are being differentiated or recorded right now.

A derivative that is taken inside such a function may depend on its points.  Then it has to be a
Value, or the outer derivative would silently lose a term.  Points are told apart by identity, so
one derivative is never confused with another, in whatever thread it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from ..arguments import as_float
from .shared import WATCHERS, watchers
from .value import Value, constant

Scalar: TypeAlias = Value | float

OPEN: Final[set[Value]] = set()


@contextmanager
def keeping_graphs() -> Iterator[None]:
    """A context in which every `no_grad` that was opened outside is ignored."""
    before = watchers()
    if all(context.keeps_graph for context in before):
        yield
        return
    WATCHERS.set(tuple([context for context in before if context.keeps_graph]))
    try:
        yield
    finally:
        WATCHERS.set(before)


@contextmanager
def opened(points: Sequence[Value]) -> Iterator[None]:
    """A context in which a function of these points is being differentiated."""
    OPEN.update(points)
    try:
        yield
    finally:
        OPEN.difference_update(points)


def as_points(inputs: Iterable[Scalar], argument: str) -> list[Value]:
    """A node of this call's own for each input: a leaf, or for a Value its product with 1.

    So what a function makes of the caller's Value besides, as a closure over it, is not taken for
    its argument.
    """
    return [
        x * 1.0 if isinstance(x, Value) else Value(as_float(x, f"{argument}[{place}]"))
        for place, x in enumerate(inputs)
    ]


def wants_graph(
    create_graph: bool | None, given: Iterable[Scalar], outputs: Iterable[Value]
) -> bool:
    """Whether a derivative of these outputs is to be made of Values."""
    if create_graph is not None:
        return create_graph
    if any(isinstance(x, Value) for x in given):
        return True
    return bool(OPEN) and any(_reaches(output) for output in outputs)


def _reaches(output: Value) -> bool:
    """Whether the output was computed from an open point."""
    path, met = [output], {output}
    while path:
        node = path.pop()
        if node in OPEN:
            return True
        if not node.constant:
            new = [parent for parent in node.parents if parent not in met]
            met.update(new)
            path += new
    return False


def returned(results: Iterable[Scalar], given: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """The results as a transform returns them: inside `no_grad` without what they come from."""
    if all(context.keeps_graph for context in watchers()):
        return tuple(results)
    numbers = [result.data if isinstance(result, Value) else result for result in results]
    if any(isinstance(x, Value) for x in given):
        return tuple(map(constant, numbers))
    return tuple(numbers)
