"""Derivatives carried forward along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..arguments import as_function
from ..errors import ArgumentValueError
from ..graph.sweep import carry, recorded_slopes, tangent_at
from ..ops.op import times
from . import walks
from .points import (
    Argument,
    Call,
    Outputs,
    Scalar,
    as_arguments,
    as_scalars,
    call_at,
    in_shapes,
    keeping_graphs,
    returned,
    shapes_of,
    wants_graph,
)
from .reverse import as_output, as_pair, differentiate, slopes_by_rule
from .shared import SWEEPS, WATCH, watchers
from .value import Value, compiled


def jvp(
    f: Callable[..., Any],
    primals: Iterable[Argument],
    tangents: Iterable[Argument],
    *,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> tuple[Any, ...]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes a Value per primal and returns one, an array, or a list of them; so is the derivative.
    Every node's tangent is the sum of its partials times its operands' tangents, from the inputs
    on, without a backward sweep.  Inputs with a tangent of 0 are left out.  All results are Values
    where `grad` gives Values.  Primals that are arrays have arrays as tangents.  With `has_aux`,
    `f` gives a pair, and what it gives besides its value comes third.  `ValueError` for lists or
    arrays that differ in size.

    >>> jvp(lambda x, y: x * y, [2, 5], [1, 0])
    (10.0, 5.0)
    """
    with keeping_graphs():
        call, found, given = _start(f, primals, tangents, ("primals", "tangents"))
        result, aux = as_pair(call.result) if has_aux else (call.result, None)
        outputs = Outputs.of(result)
        values: list[Scalar] = [*outputs.values]
        moved: list[Scalar] = []
        if wants_graph(create_graph, given, outputs.values):
            for output in outputs.values:
                carry(call.order(output), found, slopes_by_rule(found), times)
                moved.append(as_output(found.get(output, 0.0)))
        else:
            values = [output.data for output in outputs.values]
            if WATCH.open:
                _tell(call, outputs.values, found)
            sources, numbers = list(found), _numbers(found)
            moved += [tangent_at(output, sources, numbers) for output in outputs.values]
    results, count = returned([*values, *moved], given), len(values)
    value, tangent = outputs.together(results[:count]), outputs.together(results[count:])
    return (value, tangent, aux) if has_aux else (value, tangent)


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
        call, found, given = _start(f, point, vector, ("point", "vector"))
        output = as_output(call.result)
        graph = wants_graph(create_graph, given, [output])
        results: Sequence[Scalar]
        fresh = SWEEPS.assigned == call.assigned
        if compiled and fresh and not graph and not WATCH.open:
            results = walks.adjoint_tangents_at(output, call.points, list(found), _numbers(found))
        else:
            # By the gradient of the derivative in the direction of the vector.
            carry(call.order(output), found, slopes_by_rule(found), times)
            tangent = as_output(found.get(output, 0.0))
            results = differentiate(tangent, call.points, graph=graph, call=call)
    products = in_shapes(returned(results, given), call.shapes)
    return products[0] if as_arguments(point, "point")[1] else tuple(products)


def _start(
    f: Callable[..., Scalar],
    point: Iterable[Argument],
    direction: Iterable[Argument],
    names: tuple[str, str],
) -> tuple[Call, dict[Value, Scalar], list[Scalar]]:
    """The call of `f`, the tangents of the points that move, and all that was given."""
    as_function(f, "f")
    at, _ = as_arguments(point, names[0])
    moves, _ = as_arguments(direction, names[1])
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
    return call, moving, [*call.given, *tangents]


def _numbers(tangents: dict[Value, Scalar]) -> list[float]:
    return [one.data if isinstance(one, Value) else one for one in tangents.values()]


def _tell(call: Call, outputs: Iterable[Value], tangents: dict[Value, Scalar]) -> None:
    """Tell the contexts that are open here of each tangent."""
    found: dict[Value, Any] = dict(zip(tangents, _numbers(tangents), strict=True))
    for output in outputs:
        carry(call.order(output), found, recorded_slopes)
    for watcher in watchers():
        for node, tangent in found.items():
            watcher.swept(node, tangent)
