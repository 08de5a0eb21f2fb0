"""Derivatives carried forward along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..arguments import as_float, as_function, as_list
from ..errors import ArgumentValueError
from ..graph.sweep import carry, tangent_at, times
from . import walks
from .points import Call, Scalar, call_at, keeping_graphs, returned, wants_graph
from .reverse import as_output, differentiate, slopes_by_rule
from .shared import WATCH
from .value import Value, compiled


def jvp(
    f: Callable[..., Scalar],
    primals: Iterable[Scalar],
    tangents: Iterable[Scalar],
    *,
    create_graph: bool | None = None,
) -> tuple[Scalar, Scalar]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes a Value per primal and returns one.  Every node's tangent is the sum of its partials
    times its operands' tangents, from the inputs on, without a backward sweep.  Inputs with a
    tangent of 0 are left out.  Both results are Values where `grad` gives Values.  `ValueError` for
    lists that differ in length.

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
    point: Iterable[Scalar],
    vector: Iterable[Scalar],
    *,
    create_graph: bool | None = None,
) -> tuple[Scalar, ...]:
    """The product of the matrix of second derivatives of `f` at the point with the vector.

    How the gradient changes in the direction of the vector, by a forward sweep and a backward one,
    which takes about as long as a gradient, however many inputs there are.  Values where `grad`
    gives Values.

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
    return returned(results, given)


def _start(
    f: Callable[..., Scalar],
    point: Iterable[Scalar],
    direction: Iterable[Scalar],
    names: tuple[str, str],
) -> tuple[Call, Value, dict[Value, Scalar], list[Scalar]]:
    """The call of `f`, its output, the tangents of the points that move, and all that was given."""
    as_function(f, "f")
    given = as_list(point, names[0], "numbers")
    moves = as_list(direction, names[1], "numbers")
    tangents = [
        move if isinstance(move, Value) else as_float(move, f"{names[1]}[{place}]")
        for place, move in enumerate(moves)
    ]
    if len(given) != len(tangents):
        raise ArgumentValueError(
            f"{names[1]} must have as many numbers as {names[0]}, {len(given)}, "
            f"not {len(tangents)}."
        )
    call = call_at(f, given, names[0])
    moving = {
        x: tangent
        for x, tangent in zip(call.points, tangents, strict=True)
        if isinstance(tangent, Value) or tangent != 0.0
    }
    return call, as_output(call.result), moving, [*given, *tangents]


def _numbers(tangents: dict[Value, Scalar]) -> list[float]:
    return [one.data if isinstance(one, Value) else one for one in tangents.values()]
