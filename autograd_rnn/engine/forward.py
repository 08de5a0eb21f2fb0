"""Derivatives carried forward, along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Sequence

from ..arguments import as_floats, as_function
from ..errors import ArgumentValueError
from ..graph.sweep import carry, tangent_at, times
from ..graph.walk import swept
from . import walks
from .reverse import Function, Scalar, as_output, gradient_numbers, slopes_by_rule
from .shared import WATCH
from .value import Value, compiled, constant


def jvp(f: Function, primals: Sequence[float], tangents: Sequence[float]) -> tuple[float, float]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes a Value per primal and returns one.  Every node's tangent is the sum of its partials
    times its operands' tangents, from the inputs on, without a backward sweep.  `ValueError` for
    lists that differ in length.

    >>> jvp(lambda x, y: x * y, [2, 5], [1, 0])
    (10.0, 5.0)
    """
    output, found = _start(f, primals, tangents, ("primals", "tangents"))
    return output.data, tangent_at(output, list(found), list(found.values()))


def hvp(f: Function, point: Sequence[float], vector: Sequence[float]) -> tuple[float, ...]:
    """The product of the matrix of second derivatives of `f` at the point with the vector.

    How the gradient changes in the direction of the vector, by a forward sweep and a backward one,
    which takes about as long as a gradient, however many inputs there are.

    >>> hvp(lambda x, y: x * x * y, [2, 5], [1, 0])
    (10.0, 4.0)
    """
    output, found = _start(f, point, vector, ("point", "vector"))
    inputs = list(found)
    if compiled and not WATCH.open:
        return tuple(walks.turns_at(output, inputs, inputs, list(found.values())))
    # By the gradient of the derivative in the direction of the vector.
    tangents: dict[Value, Scalar] = {**found}
    carry(swept(output), tangents, slopes_by_rule(tangents), times)
    tangent = tangents.get(output)
    # A tangent that is a number does not depend on the inputs.
    return gradient_numbers(tangent if isinstance(tangent, Value) else constant(0.0), inputs)


def _start(
    f: Function, point: Sequence[float], direction: Sequence[float], names: tuple[str, str]
) -> tuple[Value, dict[Value, float]]:
    """The output of `f`, and the tangents of its inputs."""
    as_function(f, "f")
    inputs = [Value(x) for x in as_floats(point, names[0])]
    tangents = as_floats(direction, names[1])
    if len(inputs) != len(tangents):
        raise ArgumentValueError(
            f"{names[1]} must have as many numbers as {names[0]}, {len(inputs)}, "
            f"not {len(tangents)}."
        )
    return as_output(f(*inputs)), dict(zip(inputs, tangents, strict=True))
