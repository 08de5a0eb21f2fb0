"""Gradients as numbers, or as graphs to be differentiated again: gradients, grad, hessian."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..arguments import as_float, as_function
from ..errors import ArgumentTypeError
from ..graph.walk import adjoints, check_fresh, swept, topological
from .shared import WATCH, watchers
from .value import Value, constant


def gradients(
    output: Value, inputs: Iterable[Value], *, seed: object = 1.0, create_graph: bool = False
) -> tuple[Any, ...]:
    """∂output/∂input, times the seed, for each input in order, leaving every `grad` alone.

    Inputs may be leaves or results and may repeat; 0 for what the output does not depend on, and
    for constants.  With `create_graph` the gradients are Values, computed by the same rules, that
    can be differentiated again, any number of times; then a graph in which a leaf was assigned
    since it was recorded is a `StaleGraphError`.

    >>> a, b = Value(2), Value(5)
    >>> gradients(a * b, [a, b])
    (5.0, 2.0)
    >>> (slope,) = gradients(a**3, [a], create_graph=True)
    >>> slope.data, gradients(slope, [a])
    (12.0, (12.0,))
    """
    if not isinstance(output, Value):
        raise ArgumentTypeError(f"output must be a Value, not {type(output).__name__}.")
    wanted = as_values(inputs, "inputs")
    start = as_float(seed, "seed")
    if create_graph:
        graph = _adjoint_graph(output, wanted, start)
        return tuple([graph[node] if node in graph else constant(0.0) for node in wanted])
    found = adjoints(output, start)
    if WATCH.open:
        for watcher in watchers():
            for node, adjoint in found.items():
                watcher.swept(node, adjoint)
    return tuple([found.get(node, 0.0) for node in wanted])


def _adjoint_graph(output: Value, inputs: Sequence[Value], seed: float) -> dict[Value, Value]:
    """∂output/∂node as a Value for every node between the inputs and the output.

    The same sums in the same order as `adjoints`, of the same rules, applied to Values.
    """
    check_fresh(topological(output))
    order = swept(output)
    between = set(inputs)
    for node in order:
        if not node.constant and any(parent in between for parent in node.parents):
            between.add(node)
    if output.constant or output not in between:
        return {}
    found = {output: constant(seed)}
    for node in reversed(order):
        if node.op is None or node not in found:
            continue
        for position, parent in enumerate(node.parents):
            if parent in between and not parent.constant:
                partial = node.op.partials[position](*node.parents, node)
                term = _times(found[node], partial)
                found[parent] = found[parent] + term if parent in found else term
    return found


def _times(adjoint: Value, partial: Any) -> Value:
    """adjoint · partial, without the factors of 1 that any graph is full of."""
    if not isinstance(partial, Value):
        return adjoint if partial == 1.0 else adjoint * partial
    return partial if adjoint.constant and adjoint.data == 1.0 else adjoint * partial


def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the same arguments that gives the gradient of `f`.

    `f` takes Values and gives one.  The gradient is a float for one argument and a tuple for
    several; where an argument is a Value it is made of Values, so `grad(grad(f))` is the second
    derivative.

    >>> grad(lambda x, y: x * y)(2, 5)
    (5.0, 2.0)
    >>> grad(grad(lambda x: x**3))(2)
    12.0
    """
    both = value_and_grad(f)

    def gradient(*inputs: Any) -> Any:
        return both(*inputs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """The function of the same arguments that gives the value of `f` and its gradient.

    >>> value_and_grad(lambda x: x * x)(3)
    (9.0, 6.0)
    """
    as_function(f, "f")

    def value_and_gradient(*inputs: Any) -> tuple[Any, Any]:
        nested = any(isinstance(x, Value) for x in inputs)
        # x * 1.0 is a node of this call's own: what f makes of the caller's x besides is not
        # differentiated, as when f is a closure over it.
        points = [
            x * 1.0 if isinstance(x, Value) else Value(as_float(x, f"inputs[{place}]"))
            for place, x in enumerate(inputs)
        ]
        output = as_output(f(*points))
        found = gradients(output, points, create_graph=nested)
        gradient = found[0] if len(found) == 1 else found
        return (output if nested else output.data), gradient

    return value_and_gradient


def hessian(output: Value, inputs: Iterable[Value]) -> tuple[tuple[float, ...], ...]:
    """The second derivatives of the output, a row per input: ∂²output/∂inputᵢ∂inputⱼ.

    One gradient graph, and a sweep through it per row.

    >>> a, b = Value(2), Value(5)
    >>> hessian(a * a * b, [a, b])
    ((10.0, 4.0), (4.0, 0.0))
    """
    wanted = as_values(inputs, "inputs")
    rows = gradients(output, wanted, create_graph=True)
    return tuple([gradients(row, wanted) for row in rows])


def zero_grad(*values: Value) -> None:
    """Set the `grad` of each Value to 0.

    >>> x = Value(3)
    >>> (x * x).backward()
    >>> zero_grad(x)
    >>> x.grad
    0.0
    """
    for value in as_values(values, "values"):
        value.grad = 0.0


def as_values(values: object, argument: str) -> list[Value]:
    """The Values as a list; `TypeError` naming `argument` and the place of what is none."""
    if isinstance(values, Value | str) or not isinstance(values, Iterable):
        raise ArgumentTypeError(
            f"{argument} must be a list of Values, not {type(values).__name__}: for one, write [x]."
        )
    listed = list(values)
    for place, value in enumerate(listed):
        if not isinstance(value, Value):
            raise ArgumentTypeError(
                f"{argument}[{place}] must be a Value, not {type(value).__name__}."
            )
    return listed


def as_output(result: object) -> Value:
    """What a function of Values gave, a plain number being a constant."""
    if isinstance(result, Value):
        return result
    return constant(as_float(result, "the result of f"))
