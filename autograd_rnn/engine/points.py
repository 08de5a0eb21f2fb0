"""The points at which functions are being differentiated or recorded right now.

A derivative that is taken inside such a function may depend on its points.  Then it has to be a
Value, or the outer derivative would silently lose a term.  Points are told apart by identity, so
one derivative is never confused with another, in whatever thread it is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from ..arguments import as_float, as_list
from ..errors import ArgumentValueError
from ..graph.walk import check_fresh
from .shared import OPEN, SWEEPS, WATCH, WATCHERS, detached, is_followed, told, unwatched, watchers
from .sweep import begin, number_in, reaches, read, results_since
from .value import Value, constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar: TypeAlias = Value | float
#: What a function is differentiated by: a number, a Value, or an array of them.
Argument: TypeAlias = "Scalar | NDArray[Any]"
Shape: TypeAlias = tuple[int, ...]
Entry = TypeVar("Entry")

_starts: Final[list[float]] = []
#: Of nodes that are known to depend on an open point: the point.
_known: Final[dict[Value, Value]] = {}
_PARAMETERS: Final[ContextVar[tuple[tuple[set[Value], float], ...]]] = ContextVar(
    "PARAMETERS", default=()
)


class Call(NamedTuple):
    """A call of a function on points of its own: what it gave, and what it was given and when.

    `given` are the numbers and Values, one by one, `points` what stands for each in the function,
    and `shapes` those of the arguments: () for a number.
    """

    result: Any
    given: list[Scalar]
    points: list[Value]
    shapes: list[Shape]
    start: float
    assigned: float

    def order(self, output: Value) -> list[Value]:
        """The results of the call that the output depends on, inputs first, once they are fresh."""
        order = ordered(output, self.start)
        if SWEEPS.assigned != self.assigned:
            with unwatched():
                check_fresh(order)
        return order


def call_at(f: Callable[..., Any], inputs: Iterable[Argument], argument: str) -> Call:
    """The call of `f` on a point per number: a leaf, or for a Value its product with 1.

    So what a function makes of the caller's Value besides, as a closure over it, is not taken for
    its argument.  For an array `f` gets an array of points.
    """
    start, assigned = begin(), SWEEPS.assigned
    listed = list(inputs)
    given, shapes = as_scalars(listed, argument), shapes_of(listed)
    points = [x * 1.0 if isinstance(x, Value) else Value(x) for x in given]
    with opened(points, start):
        result = f(*in_shapes(points, shapes))
    return Call(result, given, points, shapes, start, assigned)


def ordered(output: Value, start: float = 0.0) -> list[Value]:
    """The results since the start that the output depends on, inputs first.

    A recording keeps as guards which branches those were: there is no sweep through the others.
    """
    order = results_since(start, output)
    if WATCH.open:
        operands = [operand for node in order for operand in node.parents]
        for node in dict.fromkeys([output, *order, *operands]):
            if node.op is not None and node.op.chooses:
                condition = node.parents[1]
                told("!=", condition, 0.0, number_in(condition) != 0.0)
    return order


# --- arrays --------------------------------------------------------------------------------------


def shapes_of(arguments: Sequence[Argument]) -> list[Shape]:
    """The shape of each argument: () for a number, and of an array its own."""
    numpy = sys.modules.get("numpy")  # without which there are no arrays
    if numpy is None:
        return [()] * len(arguments)
    return [x.shape if isinstance(x, numpy.ndarray) else () for x in arguments]


def as_arguments(inputs: Any, argument: str) -> tuple[list[Any], bool]:
    """The arguments of a function in a list, and whether they are one array."""
    alone = shapes_of([inputs]) != [()]
    return [inputs] if alone else as_list(inputs, argument, "numbers"), alone


def as_scalars(arguments: Sequence[Any], argument: str) -> list[Scalar]:
    """The Values and floats in these arguments, one by one; `TypeError` names any other thing."""
    found: list[Scalar] = []
    for place, thing in enumerate(arguments):
        name = f"{argument}[{place}]"
        entries = thing.reshape(-1) if hasattr(thing, "reshape") else [thing]
        found += [x if isinstance(x, Value) else as_float(x, name) for x in entries]
    return found


def in_groups(entries: Iterable[Entry], shapes: Sequence[Shape]) -> list[list[Entry]]:
    """The entries in lists, of as many as there are in each shape."""
    left = iter(entries)
    return [list(islice(left, prod(shape))) for shape in shapes]


def in_shapes(entries: Iterable[Scalar], shapes: Sequence[Shape]) -> list[Any]:
    """The entries as numbers and arrays of these shapes."""
    return list(map(_shaped, in_groups(entries, shapes), shapes))


def in_blocks(
    table: Iterable[Sequence[Scalar]], rows: Sequence[Shape], columns: Sequence[Shape]
) -> tuple[tuple[Any, ...], ...]:
    """The table in blocks, each of the shape of its rows and then of its columns."""
    blocks = []
    for row, lines in zip(rows, in_groups(table, rows), strict=True):
        groups = [in_groups(line, columns) for line in lines]
        parts = [[x for line in groups for x in line[place]] for place in range(len(columns))]
        blocks.append(tuple(map(_shaped, parts, [row + column for column in columns])))
    return tuple(blocks)


def _shaped(entries: list[Scalar], shape: Shape) -> Any:
    if not shape:
        return entries[0]
    import numpy

    kind = object if any(isinstance(x, Value) for x in entries) else float
    array = numpy.empty(len(entries), kind)
    array[:] = entries
    return array.reshape(shape)


class Outputs(NamedTuple):
    """What a function gave, one by one, and how results in their places are put together."""

    values: list[Value]
    shapes: list[Shape]
    kind: type[list[Any] | tuple[Any, ...]] | None

    @classmethod
    def of(cls, result: Any) -> Outputs:
        """The outputs in a number, an array, or a list or tuple of them."""
        kind = list if isinstance(result, list) else tuple if isinstance(result, tuple) else None
        shapes = shapes_of([result] if kind is None else result)
        if kind is None and shapes == [()]:
            known = isinstance(result, Value)
            value = result if known else constant(as_float(result, "the result of f"))
            return cls([value], shapes, None)
        entries = as_scalars([result] if kind is None else result, "the result of f")
        if not entries:
            raise ArgumentValueError("f gave an empty list: it must give one number or more.")
        values = [x if isinstance(x, Value) else constant(x) for x in entries]
        return cls(values, shapes, kind)

    def together(self, entries: Iterable[Scalar]) -> Any:
        """The entries in the form of the result."""
        parts = in_shapes(entries, self.shapes)
        return parts[0] if self.kind is None else self.kind(parts)

    def alike(self, given: Any, argument: str) -> list[Scalar]:
        """The numbers of what must have the form of the result."""
        if self.kind is None and self.shapes == [()]:
            return [given if isinstance(given, Value) else as_float(given, argument)]
        parts = [given] if self.kind is None else as_list(given, argument, "numbers")
        if shapes_of(parts) != self.shapes:
            raise ArgumentValueError(
                f"{argument} must have the form of the result of f: {len(self.shapes)} of the "
                f"shapes {self.shapes}, not {len(parts)} of {shapes_of(parts)}."
            )
        return as_scalars(parts, argument)


# --- what is open --------------------------------------------------------------------------------


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
        if not OPEN:
            _known.clear()


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
    return is_open(found) or any(reaches(x, *group, {}) for group in groups for x in found)


def is_open(outputs: Iterable[Value]) -> bool:
    """Whether one depends on the points of a function that is being differentiated or recorded."""
    if not (OPEN or WATCH.open):
        return False  # at once, as there may be thousands of outputs
    start = min(_starts, default=0.0)
    return any(is_followed(output) or reaches(output, OPEN, start, _known) for output in outputs)


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
