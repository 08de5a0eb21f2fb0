"""Derivatives carried forward, along with the values: jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..arguments import as_floats, as_function
from ..errors import ArgumentValueError
from ..graph.walk import topological
from .reverse import as_output, gradients
from .value import Value, constant


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[float, float]:
    """The value of `f` at the primals, and its derivative in the direction of the tangents.

    `f` takes as many Values as there are primals and gives one.  Every node's tangent is the sum of
    its partials times its operands' tangents, from the inputs on: no backward sweep is involved, so
    it is a check on one.  `ValueError` for lists that differ in length.

    >>> jvp(lambda x, y: x * y, [2, 5], [1, 0])
    (10.0, 5.0)
    """
    output, _, found = _carry(f, primals, tangents, "primals", "tangents", as_graph=False)
    return output.data, 0.0 if found is None else found


def hvp(f: Callable[..., Any], point: Sequence[Any], vector: Sequence[Any]) -> tuple[float, ...]:
    """The product of the matrix of second derivatives of `f` at the point with the vector.

    The gradient of the derivative in the direction of the vector (reverse over forward), which
    takes about as long as a gradient, however many inputs there are.

    >>> hvp(lambda x, y: x * x * y, [2, 5], [1, 0])
    (10.0, 4.0)
    """
    _, inputs, found = _carry(f, point, vector, "point", "vector", as_graph=True)
    return gradients(constant(0.0) if found is None else found, inputs)


def _carry(
    f: Callable[..., Any],
    point: Sequence[Any],
    direction: Sequence[Any],
    point_name: str,
    direction_name: str,
    as_graph: bool,
) -> tuple[Value, list[Value], Any]:
    """The output, the inputs, and the output's tangent: a float or a Value, None without any."""
    as_function(f, "f")
    inputs = [Value(x) for x in as_floats(point, point_name)]
    seeds = as_floats(direction, direction_name)
    if len(inputs) != len(seeds):
        raise ArgumentValueError(
            f"{direction_name} must have as many numbers as {point_name}, {len(inputs)}, "
            f"not {len(seeds)}."
        )
    output = as_output(f(*inputs))
    tangent: dict[Value, Any] = {}
    for x, seed in zip(inputs, seeds, strict=True):
        tangent[x] = constant(seed) if as_graph else seed
    for node in topological(output):
        if node.op is None or node.constant:
            continue
        total = None
        for position, parent in enumerate(node.parents):
            if parent in tangent:
                rule = node.op.partials[position]
                partial = rule(*node.parents, node) if as_graph else node.partials[position]
                term = tangent[parent] * partial
                total = term if total is None else total + term
        if total is not None:
            tangent[node] = total
    return output, inputs, tangent.get(output)
