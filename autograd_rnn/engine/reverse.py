"""Gradients as numbers or as graphs that can be differentiated again: gradients, grad, hessian."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from operator import index
from typing import Any, Literal, SupportsIndex, TypeAlias, TypeGuard, overload

from ..arguments import as_float, as_function, as_integer, as_list
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.sweep import Slope, Slopes, adjoints, adjoints_at, terms
from ..graph.walk import check_fresh, downstream, topological
from ..ops.functions import summed
from ..ops.op import times
from .leaves import clear_gradients, first_other, mark_leaves
from .points import (
    Argument,
    Call,
    Outputs,
    Scalar,
    Shape,
    as_arguments,
    as_scalars,
    call_at,
    in_blocks,
    in_groups,
    in_shapes,
    keeping_graphs,
    ordered,
    returned,
    shapes_of,
    wants_graph,
)
from .shared import FROZEN, VARIABLE, WATCH, is_followed, unwatched, watchers
from .value import Value, constant

# A function of Values that returns one, or a number.  So does the gradient of a function of one
# argument; that of several returns a tuple, and types do not know how many arguments there are.
Gradient: TypeAlias = Scalar | tuple[Scalar, ...]
Function: TypeAlias = Callable[..., Gradient]
# A tuple, or an array for one array, or a pair of it and what else the function gave.
Derivatives: TypeAlias = Any
# A function of Values that returns one, an array, or a list of them; or a pair with `has_aux`.
Outcome: TypeAlias = Callable[..., Any]


@overload
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: Scalar = 1.0, create_graph: Literal[False]
) -> tuple[float, ...]: ...
@overload
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: Scalar = 1.0, create_graph: Literal[True]
) -> tuple[Value, ...]: ...
@overload
def gradients(
    output: Value, inputs: Iterable[Value], *, seed: float = 1.0, create_graph: None = None
) -> tuple[float, ...]: ...
def gradients(
    output: Value | Function,
    inputs: Iterable[Argument],
    *,
    seed: Scalar = 1.0,
    create_graph: bool | None = None,
) -> Derivatives:
    """∂output/∂input, times the seed, for each input in order, leaving every `grad` alone.

    Inputs may be leaves or results and may repeat; 0 for what the output does not depend on, and
    for constants.  With `create_graph` the gradients are Values, computed by the same rules, that
    can be differentiated again, any number of times; then a graph in which a leaf was assigned
    since it was recorded is a `StaleGraphError`.  They are Values, too, if the seed is one, and
    inside a function that is being differentiated or recorded, if the output depends on its
    arguments; `create_graph=False` gives floats even then.  Instead of an output there may be a
    function and the point to call it at.

    >>> a, b = Value(2), Value(5)
    >>> gradients(a * b, [a, b])
    (5.0, 2.0)
    >>> gradients(lambda a, b: a * b, [2, 5])
    (5.0, 2.0)
    >>> (slope,) = gradients(a**3, [a], create_graph=True)
    >>> slope.data, gradients(slope, [a])
    (12.0, (12.0,))
    """
    start = seed if isinstance(seed, Value) else as_float(seed, "seed")
    with keeping_graphs():
        call, alone = _at(output, inputs)
        result = as_output(call.result) if callable(output) else as_value(output, "output")
        given = [*call.given, start]
        graph = wants_graph(create_graph, given, [result])
        found = differentiate(result, call.points, start, graph=graph, call=call)
    slopes = in_shapes(returned(found, given if callable(output) else found), call.shapes)
    return slopes[0] if alone else tuple(slopes)


def differentiate(
    output: Value,
    inputs: Sequence[Value],
    seed: Scalar = 1.0,
    *,
    graph: bool,
    call: Call | None = None,
) -> tuple[Scalar, ...]:
    """The gradients as Values, or as floats; by what the call made alone, if it is given."""
    if graph:
        return gradient_graphs(output, inputs, seed, call)
    number = seed.data if isinstance(seed, Value) else seed
    return gradient_numbers(output, inputs, number)


def gradient_numbers(
    output: Value, inputs: Sequence[Value], seed: float = 1.0
) -> tuple[float, ...]:
    """The gradients as floats."""
    if not WATCH.open:
        return tuple(adjoints_at(output, inputs, seed))
    found = adjoints(output, seed)
    for watcher in watchers():
        for node, adjoint in found.items():
            watcher.swept(node, adjoint)
    return tuple([found.get(node, 0.0) for node in inputs])


def gradient_graphs(
    output: Value, inputs: Sequence[Value], seed: Scalar = 1.0, call: Call | None = None
) -> tuple[Value, ...]:
    """The gradients as Values: the same sums in the same order, of the same rules."""
    if call is None or call.assigned < 0.0:  # a graph of the caller's
        with unwatched():
            check_fresh(topological(output))
    order = ordered(output) if call is None else call.order(output)
    found: dict[Value, Scalar] = {} if output.constant else {output: seed}
    deque(terms(order, found, slopes_by_rule(downstream(order, inputs)), times), maxlen=0)
    return tuple([as_output(found.get(node, 0.0)) for node in inputs])


def slopes_by_rule(among: Container[Value]) -> Slopes[Value]:
    """The slopes of a node by those of its operands that are among these, computed as Values."""

    def slopes(node: Value) -> Iterator[Slope[Value]]:
        if node.op is not None and not node.constant:
            for position, operand in enumerate(node.parents):
                if operand in among and not operand.constant:
                    yield position, operand, node.op.partials[position](*operands_of(node), node)

    return slopes


def operands_of(node: Value) -> list[Scalar]:
    """The operands in a rule: plain numbers as floats, so that x² has the slope 2·x."""
    return [operand.data if _is_plain(operand) else operand for operand in node.parents]


def _is_plain(operand: Value) -> bool:
    """Whether a Value is no more than a number."""
    known = operand.constant and operand.op is None and operand.name is None
    return known and not is_followed(operand)


def grad(
    f: Function,
    *,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> Callable[..., Gradient]:
    """The function of the same arguments that gives the gradient of `f`.

    `f` takes Values and gives one.  The gradient is a float for one argument and a tuple for
    several; with respect to the arguments at positions `argnums`, if given, an int for one.  With
    `has_aux`, `f` gives a pair of its value and anything else, and so does the result.  The
    gradient is made of Values where an argument is one, and inside a function that is being
    differentiated or recorded, if it depends on its arguments; so gradients nest to any depth, over
    closures too.  `create_graph=True` asks for Values, to call `backward` through captured weights.
    For an argument that is a NumPy array, `f` gets an array of Values, and its gradient is an
    array of that shape.

    >>> grad(lambda x, y: x * y)(2, 5)
    (5.0, 2.0)
    >>> grad(lambda x: x * grad(lambda y: x * y)(1.0))(4.0)
    8.0
    """
    both = value_and_grad(f, argnums=argnums, has_aux=has_aux, create_graph=create_graph)

    def gradient(*inputs: Argument) -> Any:
        value, found = both(*inputs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(
    f: Function,
    *,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> Callable[..., tuple[Any, Gradient]]:
    """The function of the same arguments that gives the value of `f` and its gradient; see `grad`.

    >>> value_and_grad(lambda x: x * x)(3)
    (9.0, 6.0)
    """
    as_function(f, "f")

    def value_and_gradient(*inputs: Argument) -> tuple[Any, Gradient]:
        _places(argnums, len(inputs))  # refused before f is called
        with keeping_graphs():
            call = call_at(f, inputs, "inputs")
            result, aux = as_pair(call.result) if has_aux else (call.result, None)
            output = as_output(result)
            graph = wants_graph(create_graph, call.given, [output])
            points, shapes = _chosen(call, argnums)
            found = differentiate(output, points, graph=graph, call=call)
        value, *slopes = returned([output if graph else output.data, *found], call.given)
        slopes = in_shapes(slopes, shapes)
        one = len(inputs) == 1 if argnums is None else _is_index(argnums)
        return ((value, aux) if has_aux else value), slopes[0] if one else tuple(slopes)

    return value_and_gradient


def _places(argnums: int | Sequence[int] | None, count: int) -> list[int]:
    """The places of the arguments to differentiate by; negative ones count from the end."""
    if argnums is None:
        return list(range(count))
    chosen = [argnums] if _is_index(argnums) else as_list(argnums, "argnums", "ints")
    # NumPy's integers are others than Python's.
    places = [index(place) if _is_index(place) else place for place in chosen]
    return [as_integer(place, "argnums", -count, count - 1) % count for place in places]


def _is_index(number: object) -> TypeGuard[SupportsIndex]:
    known = hasattr(number, "__index__") and not hasattr(number, "__len__")
    return known and not isinstance(number, bool)


def as_pair(result: object) -> tuple[Any, Any]:
    """What a function gives with `has_aux`: its value, and the rest."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentTypeError("f must give a pair with has_aux=True: its value, and the rest.")
    return result


def vjp(
    f: Callable[..., Any],
    *primals: Argument,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> tuple[Any, ...]:
    """The value of `f` at the primals, and the function that takes ∂L/∂value to ∂L/∂primals.

    `f` gives a number, an array, or a list of them, and the function takes as much.  With
    `has_aux`, `f` gives a pair, and what it gives besides its value comes third.

    >>> value, pull_back = vjp(lambda x, y: x * y, 2, 5)
    >>> value, pull_back(1.0), pull_back(10.0)
    (10.0, (5.0, 2.0), (50.0, 20.0))
    >>> vjp(lambda x, y: [x * y, x + y], 2, 5)[1]([1.0, 10.0])
    (15.0, 12.0)
    """
    as_function(f, "f")
    with keeping_graphs():
        call = call_at(f, primals, "primals")
        result, aux = as_pair(call.result) if has_aux else (call.result, None)
        outputs = Outputs.of(result)
        live = wants_graph(create_graph, call.given, outputs.values)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        seeds = outputs.alike(cotangent, "cotangent")
        with keeping_graphs():
            graph = live or wants_graph(create_graph, seeds, outputs.values)
            output, seed = outputs.values[0], seeds[0]
            if len(seeds) > 1:
                output, seed = as_output(summed(list(map(times, outputs.values, seeds)))), 1.0
            found = differentiate(output, call.points, seed, graph=graph, call=call)
        return tuple(in_shapes(returned(found, [*call.given, *seeds]), call.shapes))

    numbers = outputs.values if live else [output.data for output in outputs.values]
    value = outputs.together(returned(numbers, call.given))
    return (value, pull_back, aux) if has_aux else (value, pull_back)


def hessian(
    function: Value | Outcome,
    inputs: Iterable[Argument],
    *,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> Derivatives:
    """The second derivatives, a row per input: of a function at a point, or of a result.

    One gradient graph, and a sweep through it per row.  `argnums` and `has_aux` are as for `grad`,
    Values come where `gradients` gives Values.  Where inputs of a function are arrays, so are the
    second derivatives: of the shape of the one input, and then of the other.  One array instead of
    a list gives one array.

    >>> a, b = Value(2), Value(5)
    >>> hessian(a * a * b, [a, b])
    ((10.0, 4.0), (4.0, 0.0))
    >>> hessian(lambda a, b: a * a * b, [2, 5])
    ((10.0, 4.0), (4.0, 0.0))
    """
    with keeping_graphs():
        call, alone = _at(function, inputs)
        result, aux = as_pair(call.result) if has_aux else (call.result, None)
        output = as_output(result) if callable(function) else as_value(function, "output")
        points, shapes = _chosen(call, argnums)
        rows = gradient_graphs(output, points, call=call)
        graph = wants_graph(create_graph, call.given, [output])
        table = [differentiate(row, points, graph=graph, call=call) for row in rows]
    blocks: Any = in_blocks([returned(row, call.given) for row in table], shapes, shapes)
    blocks = blocks[0][0] if alone or _is_index(argnums) else blocks
    return (blocks, aux) if has_aux else blocks


def jacobian(
    function: Iterable[Value] | Outcome,
    inputs: Iterable[Argument],
    *,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    create_graph: bool | None = None,
) -> Derivatives:
    """The first derivatives, a row per output: of a function at a point, or of results.

    `argnums` and `has_aux` are as for `grad`.  Where inputs of a function are arrays, so are their
    derivatives.  For a function that gives an array there is one row, of arrays of its shape and
    then of the input's.

    >>> jacobian(lambda a, b: [a * b, a + b], [2, 5])
    ((5.0, 2.0), (1.0, 1.0))
    """
    with keeping_graphs():
        call, alone = _at(function, inputs)
        name = "the result of f" if callable(function) else "outputs"
        result, aux = as_pair(call.result) if has_aux else (call.result, None)
        (shape,) = shapes_of([result])
        results = as_scalars([result], name) if shape else as_list(result, name, "Values")
        outputs = list(map(as_output, results)) if callable(function) else as_values(results, name)
        points, shapes = _chosen(call, argnums)
        graph = wants_graph(create_graph, call.given, outputs)
        table = [differentiate(output, points, graph=graph, call=call) for output in outputs]
    rows = [returned(row, call.given) for row in table]
    blocks: Any = in_blocks(rows, [shape] if shape else [()] * len(rows), shapes)
    if alone or _is_index(argnums):
        blocks = tuple([row[0] for row in blocks])
    blocks = blocks[0] if shape else blocks
    return (blocks, aux) if has_aux else blocks


def _chosen(call: Call, argnums: int | Sequence[int] | None) -> tuple[list[Value], list[Shape]]:
    """The points of the arguments to differentiate with respect to, and their shapes."""
    places, groups = _places(argnums, len(call.shapes)), in_groups(call.points, call.shapes)
    points = [point for place in places for point in groups[place]]
    return points, [call.shapes[place] for place in places]


def _at(function: Any, inputs: Iterable[Argument]) -> tuple[Call, bool]:
    """The call of a function at the inputs, or what stands for it if a graph is given.

    And whether the inputs are one array.
    """
    arguments, alone = as_arguments(inputs, "inputs")
    if callable(function):
        return call_at(function, arguments, "inputs"), alone
    shapes = shapes_of(arguments)
    points = as_values(as_scalars(arguments, "inputs") if any(shapes) else arguments, "inputs")
    return Call(function, [], points, shapes, 0.0, -1.0), alone


def zero_grad(*values: Value) -> None:
    """Set the `grad` of each Value to 0.

    >>> x = Value(3)
    >>> (x * x).backward()
    >>> zero_grad(x)
    >>> x.grad
    0.0
    """
    clear_gradients(as_values(values, "values"))


def freeze(*leaves: Value) -> None:
    """Make each leaf a constant for now: it has no gradient, and `fit` leaves it as it is.

    Its `grad` is 0.  `unfreeze` makes it a variable again.  `ValueError` for a result, and for a
    constant that was a plain number.

    >>> w, x = Value(3, "w"), Value(2, "x")
    >>> freeze(w)
    >>> (w * x).backward()
    >>> w.grad, x.grad, w.constant
    (0.0, 3.0, True)
    """
    _mark(leaves, FROZEN)


def unfreeze(*leaves: Value) -> None:
    """Make each leaf that `freeze` made a constant a variable again.

    >>> w = Value(3, "w")
    >>> freeze(w)
    >>> unfreeze(w)
    >>> w.constant
    False
    """
    _mark(leaves, VARIABLE)


def _mark(leaves: tuple[Value, ...], mark: float) -> None:
    listed = as_values(leaves, "leaves")
    place = mark_leaves(listed, mark)
    if place >= 0:
        raise ArgumentValueError(
            f"leaves[{place}] must be a variable, such as a weight, not {listed[place]!r}: "
            f"a result depends on leaves, and a plain number is always a constant."
        )


def as_value(value: object, argument: str) -> Value:
    """The Value, as it is; `TypeError` naming `argument` for anything else."""
    if not isinstance(value, Value):
        raise ArgumentTypeError(f"{argument} must be a Value, not {type(value).__name__}.")
    return value


def as_values(values: object, argument: str) -> list[Value]:
    """The Values as a list; `TypeError` naming `argument`, and the place of any other thing."""
    listed = as_list(values, argument, "Values")
    place = first_other(listed)
    if place >= 0:
        as_value(listed[place], f"{argument}[{place}]")
    return listed


def as_output(result: object) -> Value:
    """The result of a function of Values as a Value: a plain number becomes a constant."""
    if isinstance(result, Value):
        return result
    return constant(as_float(result, "the result of f"))
