"""Derivatives carried forward along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..arguments import as_float, as_function, as_list
from ..errors import ArgumentValueError
from ..graph.sweep import carry, recorded_slopes
from ..graph.walk import swept
from .points import Scalar, as_points, keeping_graphs, opened, returned, wants_graph
from .reverse import as_output, differentiate, slopes_by_rule
from .value import Value, constant


def jvp(
    f: Callable[..., Scalar],
    primals: Iterable[Scalar],
    tangents: Iterable[Scalar],
    *,
    create_graph: bool | None = None,
) -> tuple[Scalar, Scalar]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes a Value per primal and returns one.  Every node's tangent is the sum of its partials
    times its operands' tangents, from the inputs on, without a backward sweep.  Inputs whose tangent
    is the number 0 are left out.  Both results are Values where `grad` gives Values.  `ValueError`
    for lists that differ in length.

    >>> jvp(lambda x, y: x * y, [2, 5], [1, 0])
    (10.0, 5.0)
    """
    with keeping_graphs():
        output, _, found, given = _start(f, primals, tangents, ("primals", "tangents"))
        graph = wants_graph(create_graph, given, [output])
        carry(swept(output), found, slopes_by_rule(found) if graph else recorded_slopes)
        tangent = found.get(output, 0.0)
        pair = (_as_value(output), _as_value(tangent)) if graph else (output.data, tangent)
    value, slope = returned(pair, given)
    return value, slope


def hvp(
    f: Callable[..., Scalar],
    point: Iterable[Scalar],
    vector: Iterable[Scalar],
    *,
    create_graph: bool | None = None,
) -> tuple[Scalar, ...]:
    """The product of the matrix of second derivatives of `f` at the point with the vector.

    The gradient of the derivative in the direction of the vector (reverse over forward), which
    takes about as long as a gradient, however many inputs there are.  Values where `grad` gives
    Values.

    >>> hvp(lambda x, y: x * x * y, [2, 5], [1, 0])
    (10.0, 4.0)
    """
    with keeping_graphs():
        output, points, found, given = _start(f, point, vector, ("point", "vector"))
        graph = wants_graph(create_graph, given, [output])
        carry(swept(output), found, slopes_by_rule(found))
        results = differentiate(_as_value(found.get(output, 0.0)), points, graph=graph)
    return returned(results, given)


def _start(
    f: Callable[..., Scalar],
    point: Iterable[Scalar],
    direction: Iterable[Scalar],
    names: tuple[str, str],
) -> tuple[Value, list[Value], dict[Value, Scalar], list[Scalar]]:
    """The output of `f`, its points, the tangents of those that move, and all that was given."""
    as_function(f, "f")
    given = as_list(point, names[0], "numbers")
    moves = as_list(direction, names[1], "numbers")
    tangents = [
        move if isinstance(move, Value) else as_float(move, f"{names[1]}[{place}]")
        for place, move in enumerate(moves)
    ]
    points = as_points(given, names[0])
    if len(points) != len(tangents):
        raise ArgumentValueError(
            f"{names[1]} must have as many numbers as {names[0]}, {len(points)}, "
            f"not {len(tangents)}."
        )
    with opened(points):
        result = f(*points)
    moving = {
        x: tangent
        for x, tangent in zip(points, tangents, strict=True)
        if isinstance(tangent, Value) or tangent != 0.0
    }
    return as_output(result), points, moving, [*given, *tangents]


def _as_value(number: Scalar) -> Value:
    return number if isinstance(number, Value) else constant(number)
