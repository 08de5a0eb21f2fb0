"""Derivatives carried forward along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..arguments import as_function, as_list
from ..errors import ArgumentValueError
from ..graph.sweep import carry, tangent_at, times
from . import walks
from .points import (
    Argument,
    Call,
    Scalar,
    as_scalars,
    call_at,
    in_shapes,
    keeping_graphs,
    returned,
    shapes_of,
    wants_graph,
)
from .reverse import as_output, differentiate, slopes_by_rule
from .shared import WATCH
from .value import Value, compiled


def jvp(
    f: Callable[..., Scalar],
    primals: Iterable[Argument],
    tangents: Iterable[Argument],
    *,
    create_graph: bool | None = None,
) -> tuple[Scalar, Scalar]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes a Value per primal and returns one.  Every node's tangent is the sum of its partials
    times its operands' tangents, from the inputs on, without a backward sweep.  Inputs with a
    tangent of 0 are left out.  Both results are Values where `grad` gives Values.  Primals that are
    arrays have arrays as tangents.  `ValueError` for lists or arrays that differ in size.

    >>> jvp(lambda x, y: x * y, [2, 5], [1, 0])
    (10.0, 5.0)
    """
    with keeping_graphs():
        call, output, found, given = _start(f, primals, tangents, ("primals", "tangents"))
        graph = wants_graph(create_graph, given, [output])
        tangent: Scalar
        if graph:
            carry(call.order(output), found, slopes_by_rule(found), times)
            tangent = as_output(found.get(output, 0.0))
        else:
            tangent = tangent_at(output, list(found), _numbers(found))
    value, slope = returned([output if graph else output.data, tangent], given)
    return value, slope


def hvp(
    f: Callable[..., Scalar],
    point: Iterable[Argument],
    vector: Iterable[Argument],
    *,
    create_graph: bool | None = None,
) -> tuple[Any, ...]:
    """The product of the matrix of second derivatives of `f` at the point with the vector.

    How the gradient changes in the direction of the vector, by a forward sweep and a backward one.
    For usual functions this takes one to four times as long as a gradient, however many inputs
    there are, and more where many powers have variable exponents.  Values where `grad` gives
    Values.

    >>> hvp(lambda x, y: x * x * y, [2, 5], [1, 0])
    (10.0, 4.0)
    """
    with keeping_graphs():
        call, output, found, given = _start(f, point, vector, ("point", "vector"))
        graph = wants_graph(create_graph, given, [output])
        results: Sequence[Scalar]
        if compiled and not graph and not WATCH.open:
            results = walks.adjoint_tangents_at(output, call.points, list(found), _numbers(found))
        else:
            # By the gradient of the derivative in the direction of the vector.
            carry(call.order(output), found, slopes_by_rule(found), times)
            tangent = as_output(found.get(output, 0.0))
            results = differentiate(tangent, call.points, graph=graph, call=call)
    return tuple(in_shapes(returned(results, given), call.shapes))


def _start(
    f: Callable[..., Scalar],
    point: Iterable[Argument],
    direction: Iterable[Argument],
    names: tuple[str, str],
) -> tuple[Call, Value, dict[Value, Scalar], list[Scalar]]:
    """The call of `f`, its output, the tangents of the points that move, and all that was given."""
    as_function(f, "f")
    at = as_list(point, names[0], "numbers")
    moves = as_list(direction, names[1], "numbers")
    if len(at) != len(moves):
        raise ArgumentValueError(
            f"{names[1]} must have as many numbers as {names[0]}, {len(at)}, not {len(moves)}."
        )
    for place, (wanted, found) in enumerate(zip(shapes_of(at), shapes_of(moves), strict=True)):
        if found != wanted:
            raise ArgumentValueError(
                f"{names[1]}[{place}] must have the shape of {names[0]}[{place}], {wanted}, "
                f"not {found}."
            )
    tangents = as_scalars(moves, names[1])
    call = call_at(f, at, names[0])
    moving = {
        x: tangent
        for x, tangent in zip(call.points, tangents, strict=True)
        if isinstance(tangent, Value) or tangent != 0.0
    }
    return call, as_output(call.result), moving, [*call.given, *tangents]


def _numbers(tangents: dict[Value, Scalar]) -> list[float]:
    return [one.data if isinstance(one, Value) else one for one in tangents.values()]
