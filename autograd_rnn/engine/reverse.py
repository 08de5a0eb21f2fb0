"""Gradients as numbers, or as graphs to be differentiated again: gradients, grad, hessian."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias, overload

from ..arguments import as_float, as_function, as_list
from ..errors import ArgumentTypeError
from ..graph.sweep import Slope, Slopes, adjoints, adjoints_by, times
from ..graph.walk import check_fresh, downstream, topological
from .shared import WATCH, watchers
from .value import Value, constant

Scalar: TypeAlias = Value | float
# A function of Values that returns one, or a number.  So does the gradient of a function of one
# argument; that of several returns a tuple, and types do not know how many arguments there are.
Gradient: TypeAlias = Scalar | tuple[Scalar, ...]
Function: TypeAlias = Callable[..., Gradient]


@overload
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: float = 1.0, create_graph: Literal[False] = ...
) -> tuple[float, ...]: ...
@overload
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: float = 1.0, create_graph: Literal[True]
) -> tuple[Value, ...]: ...
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: float = 1.0, create_graph: bool = False
) -> tuple[Scalar, ...]:
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
    as_value(output, "output")
    wanted, start = as_values(inputs, "inputs"), as_float(seed, "seed")
    if create_graph:
        return gradient_graphs(output, wanted, start)
    return gradient_numbers(output, wanted, start)


def gradient_numbers(
    output: Value, inputs: Sequence[Value], seed: float = 1.0
) -> tuple[float, ...]:
    """The gradients as floats."""
    found = adjoints(output, seed)
    if WATCH.open:
        for watcher in watchers():
            for node, adjoint in found.items():
                watcher.swept(node, adjoint)
    return tuple([found.get(node, 0.0) for node in inputs])


def gradient_graphs(output: Value, inputs: Sequence[Value], seed: float = 1.0) -> tuple[Value, ...]:
    """The gradients as Values: the same sums in the same order, of the same rules."""
    order = topological(output)
    check_fresh(order)
    found = adjoints_by(output, seed, slopes_by_rule(downstream(order, inputs)), times)
    slopes = [found.get(node, 0.0) for node in inputs]
    return tuple([slope if isinstance(slope, Value) else constant(slope) for slope in slopes])


def slopes_by_rule(among: Container[Value]) -> Slopes[Value]:
    """The slopes of a node by those of its operands that are among these, computed as Values."""

    def slopes(node: Value) -> Iterator[Slope[Value]]:
        if node.op is not None and not node.constant:
            for position, operand in enumerate(node.parents):
                if operand in among and not operand.constant:
                    yield position, operand, node.op.partials[position](*node.parents, node)

    return slopes


def grad(f: Function) -> Callable[..., Gradient]:
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
    return lambda *inputs: both(*inputs)[1]


def value_and_grad(f: Function) -> Callable[..., tuple[Scalar, Gradient]]:
    """The function of the same arguments that gives the value of `f` and its gradient.

    >>> value_and_grad(lambda x: x * x)(3)
    (9.0, 6.0)
    """
    as_function(f, "f")

    def value_and_gradient(*inputs: Scalar) -> tuple[Scalar, Gradient]:
        nested = any(isinstance(x, Value) for x in inputs)
        # x * 1.0 is a node of this call alone: uses of the caller's x in f, as a closure over it,
        # are not differentiated.
        points: list[Value] = [
            x * 1.0 if isinstance(x, Value) else Value(as_float(x, f"inputs[{place}]"))
            for place, x in enumerate(inputs)
        ]
        output = as_output(f(*points))
        differentiate = gradient_graphs if nested else gradient_numbers
        found: tuple[Scalar, ...] = differentiate(output, points)
        return (output if nested else output.data), found[0] if len(found) == 1 else found

    return value_and_gradient


def hessian(output: Value, inputs: Iterable[Value]) -> tuple[tuple[float, ...], ...]:
    """The second derivatives of the output, a row per input: ∂²output/∂inputᵢ∂inputⱼ.

    One gradient graph, and a sweep through it per row.

    >>> a, b = Value(2), Value(5)
    >>> hessian(a * a * b, [a, b])
    ((10.0, 4.0), (4.0, 0.0))
    """
    as_value(output, "output")
    wanted = as_values(inputs, "inputs")
    return tuple([gradient_numbers(row, wanted) for row in gradient_graphs(output, wanted)])


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


def as_value(value: object, argument: str) -> Value:
    """The Value, as it is; `TypeError` naming `argument` for anything else."""
    if not isinstance(value, Value):
        raise ArgumentTypeError(f"{argument} must be a Value, not {type(value).__name__}.")
    return value


def as_values(values: object, argument: str) -> list[Value]:
    """The Values as a list; `TypeError` naming `argument`, and the place of any other thing."""
    listed = as_list(values, argument, "Values")
    if set(map(type, listed)) <= {Value}:
        return listed  # thousands of them, in every step of an optimiser
    return [as_value(value, f"{argument}[{place}]") for place, value in enumerate(listed)]


def as_output(result: object) -> Value:
    """The result of a function of Values as a Value: a plain number becomes a constant."""
    if isinstance(result, Value):
        return result
    return constant(as_float(result, "the result of f"))
