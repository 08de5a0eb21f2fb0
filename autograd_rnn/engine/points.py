"""The points at which functions are being differentiated or recorded right now.

A derivative that is taken inside such a function may depend on its points.  Then it has to be a
Value, or the outer derivative would silently lose a term.  Points are told apart by identity, so
one derivative is never confused with another, in whatever thread it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TypeAlias

from ..arguments import as_float
from ..graph.walk import check_fresh
from .shared import SWEEPS, WATCH, WATCHERS, detached, is_followed, unwatched, watchers
from .sweep import begin, number_in, reaches, read, results_since
from .value import Value, constant

Scalar: TypeAlias = Value | float

OPEN: Final[set[Value]] = set()
_starts: Final[list[float]] = []
_PARAMETERS: Final[ContextVar[tuple[tuple[set[Value], float], ...]]] = ContextVar(
    "PARAMETERS", default=()
)


class Call(NamedTuple):
    """A call of a function on points of its own: its result, its points, and when it began."""

    result: Any
    points: list[Value]
    start: float
    assigned: float

    def order(self, output: Value) -> list[Value]:
        """The results of the call that the output depends on, inputs first, once they are fresh."""
        order = results_since(self.start, output)
        if SWEEPS.assigned != self.assigned:
            with unwatched():
                check_fresh(order)
        return order


def call_at(f: Callable[..., Any], inputs: Iterable[Scalar], argument: str) -> Call:
    """The call of `f` on a point per input: a leaf, or for a Value its product with 1.

    So what a function makes of the caller's Value besides, as a closure over it, is not taken for
    its argument.
    """
    start, assigned = begin(), SWEEPS.assigned
    points = [
        x * 1.0 if isinstance(x, Value) else Value(as_float(x, f"{argument}[{place}]"))
        for place, x in enumerate(inputs)
    ]
    with opened(points, start):
        return Call(f(*points), points, start, assigned)


@contextmanager
def opened(points: Sequence[Value], start: float) -> Iterator[None]:
    """A context in which a function of these points, made since the start, is differentiated."""
    OPEN.update(points)
    _starts.append(start)
    try:
        yield
    finally:
        OPEN.difference_update(points)
        _starts.remove(start)


@contextmanager
def opened_parameters(parameters: Sequence[Value]) -> Iterator[None]:
    """A context in which a function is differentiated by Values that other threads may share.

    It is open in this thread or asyncio task alone.
    """
    older = any(parameter.op is not None for parameter in parameters)
    before = _PARAMETERS.get()
    _PARAMETERS.set((*before, (set(parameters), 0.0 if older else begin())))
    try:
        yield
    finally:
        _PARAMETERS.set(before)


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


def wants_graph(
    create_graph: bool | None, given: Iterable[Scalar], outputs: Iterable[Value]
) -> bool:
    """Whether a derivative of these outputs is to be made of Values."""
    if create_graph is not None:
        for output in () if create_graph else outputs:
            read(output, "partials")
        return create_graph
    if any(isinstance(x, Value) for x in given):
        return True
    groups, found = _PARAMETERS.get(), list(outputs)
    return is_open(found) or any(reaches(output, *group) for group in groups for output in found)


def is_open(outputs: Iterable[Value]) -> bool:
    """Whether one depends on the points of a function that is being differentiated or recorded."""
    if not (OPEN or WATCH.open):
        return False  # at once, as there may be thousands of outputs
    start = min(_starts, default=0.0)
    return any(is_followed(output) or reaches(output, OPEN, start) for output in outputs)


def returned(results: Iterable[Scalar], given: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """The results as a transform returns them: inside `no_grad` without what they come from."""
    if all(context.keeps_graph for context in watchers()):
        return tuple(results)
    found = list(results)
    if any(isinstance(x, Value) for x in given) or any(map(is_followed, found)):
        return tuple(map(_hidden, found))
    return tuple([result.data if isinstance(result, Value) else result for result in found])


def _hidden(result: Scalar) -> Value:
    """A constant in place of a result."""
    if not isinstance(result, Value):
        return constant(result)
    return detached(constant(number_in(result)), result)
