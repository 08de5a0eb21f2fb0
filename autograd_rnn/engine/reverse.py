"""Gradients as numbers or as graphs that can be differentiated again: gradients, grad, hessian."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, overload

from ..arguments import as_float, as_function, as_integer, as_list
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.sweep import Slope, Slopes, adjoints, adjoints_at, terms, times
from ..graph.walk import check_fresh, downstream, topological
from .leaves import clear_gradients, mark_leaves
from .points import (
    Argument,
    Call,
    Scalar,
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
    output: Value, inputs: Iterable[Value], *, seed: Scalar = 1.0, create_graph: bool | None = None
) -> tuple[Scalar, ...]:
    """∂output/∂input, times the seed, for each input in order, leaving every `grad` alone.

    Inputs may be leaves or results and may repeat; 0 for what the output does not depend on, and
    for constants.  With `create_graph` the gradients are Values, computed by the same rules, that
    can be differentiated again, any number of times; then a graph in which a leaf was assigned
    since it was recorded is a `StaleGraphError`.  They are Values, too, if the seed is one, and
    inside a function that is being differentiated or recorded, if the output depends on its
    arguments; `create_graph=False` gives floats even then.

    >>> a, b = Value(2), Value(5)
    >>> gradients(a * b, [a, b])
    (5.0, 2.0)
    >>> (slope,) = gradients(a**3, [a], create_graph=True)
    >>> slope.data, gradients(slope, [a])
    (12.0, (12.0,))
    """
    as_value(output, "output")
    wanted = as_values(inputs, "inputs")
    start = seed if isinstance(seed, Value) else as_float(seed, "seed")
    with keeping_graphs():
        graph = wants_graph(create_graph, [start], [output])
        found = differentiate(output, wanted, start, graph=graph)
    return returned(found, found)


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
    if call is None:
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
        places = _places(argnums, len(inputs))
        with keeping_graphs():
            call = call_at(f, inputs, "inputs")
            result, aux = _pair(call.result) if has_aux else (call.result, None)
            output = as_output(result)
            graph = wants_graph(create_graph, call.given, [output])
            groups = in_groups(call.points, call.shapes)
            points = [x for place in places for x in groups[place]]
            found = differentiate(output, points, graph=graph, call=call)
        value, *slopes = returned([output if graph else output.data, *found], call.given)
        slopes = in_shapes(slopes, [call.shapes[place] for place in places])
        one = len(inputs) == 1 if argnums is None else isinstance(argnums, int)
        return ((value, aux) if has_aux else value), slopes[0] if one else tuple(slopes)

    return value_and_gradient


def _places(argnums: int | Sequence[int] | None, count: int) -> list[int]:
    """The places of the arguments to differentiate by; negative ones count from the end."""
    if argnums is None:
        return list(range(count))
    chosen = [argnums] if isinstance(argnums, int) else as_list(argnums, "argnums", "ints")
    for place in chosen:
        as_integer(place, "argnums", least=-count, most=count - 1)
    return [place % count for place in chosen]


def _pair(result: object) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentTypeError("f must give a pair with has_aux=True: its value, and the rest.")
    return result


def vjp(f: Callable[..., Scalar], *primals: Argument) -> tuple[Scalar, Callable[[Scalar], Any]]:
    """The value of `f` at the primals, and the function that takes ∂L/∂value to ∂L/∂primals.

    >>> value, pull_back = vjp(lambda x, y: x * y, 2, 5)
    >>> value, pull_back(1.0), pull_back(10.0)
    (10.0, (5.0, 2.0), (50.0, 20.0))
    """
    as_function(f, "f")
    with keeping_graphs():
        call = call_at(f, primals, "primals")
        output = as_output(call.result)
        live = wants_graph(None, call.given, [output])

    def pull_back(cotangent: Scalar) -> tuple[Any, ...]:
        seed = cotangent if isinstance(cotangent, Value) else as_float(cotangent, "cotangent")
        with keeping_graphs():
            graph = live or wants_graph(None, [seed], [output])
            found = differentiate(output, call.points, seed, graph=graph, call=call)
        return tuple(in_shapes(returned(found, [*call.given, seed]), call.shapes))

    (value,) = returned([output if live else output.data], call.given)
    return value, pull_back


@overload
def hessian(
    function: Callable[..., Scalar], inputs: Iterable[Argument], *, create_graph: bool | None = None
) -> tuple[tuple[Any, ...], ...]: ...
@overload
def hessian(
    function: Value, inputs: Iterable[Value], *, create_graph: bool | None = None
) -> tuple[tuple[float, ...], ...]: ...
def hessian(
    function: Value | Callable[..., Scalar],
    inputs: Iterable[Argument],
    *,
    create_graph: bool | None = None,
) -> tuple[tuple[Any, ...], ...]:
    """The second derivatives, a row per input: of a function at a point, or of a result.

    One gradient graph, and a sweep through it per row.  Values where `gradients` gives Values.
    Where inputs of a function are arrays, so are the second derivatives: of the shape of the one
    input, and then of the other.

    >>> a, b = Value(2), Value(5)
    >>> hessian(a * a * b, [a, b])
    ((10.0, 4.0), (4.0, 0.0))
    >>> hessian(lambda a, b: a * a * b, [2, 5])
    ((10.0, 4.0), (4.0, 0.0))
    """
    with keeping_graphs():
        call = _at(function, inputs)
        output = as_output(call.result) if callable(function) else as_value(function, "output")
        rows = gradient_graphs(output, call.points, call=call)
        graph = wants_graph(create_graph, call.given, [output])
        table = [differentiate(row, call.points, graph=graph, call=call) for row in rows]
    return in_blocks([returned(row, call.given) for row in table], call.shapes, call.shapes)


def jacobian(
    function: Iterable[Value] | Callable[..., Iterable[Scalar]],
    inputs: Iterable[Argument],
    *,
    create_graph: bool | None = None,
) -> tuple[Any, ...]:
    """The first derivatives, a row per output: of a function at a point, or of results.

    Where inputs of a function are arrays, so are their derivatives.  For a function that
    gives an array there is one row, of arrays of its shape and then of the input's.

    >>> jacobian(lambda a, b: [a * b, a + b], [2, 5])
    ((5.0, 2.0), (1.0, 1.0))
    """
    with keeping_graphs():
        call = _at(function, inputs)
        name = "the result of f" if callable(function) else "outputs"
        (shape,) = shapes_of([call.result])
        results = as_scalars([call.result], name) if shape else as_list(call.result, name, "Values")
        outputs = list(map(as_output, results)) if callable(function) else as_values(results, name)
        graph = wants_graph(create_graph, call.given, outputs)
        table = [differentiate(output, call.points, graph=graph, call=call) for output in outputs]
    rows = [returned(row, call.given) for row in table]
    blocks = in_blocks(rows, [shape] if shape else [()] * len(rows), call.shapes)
    return blocks[0] if shape else blocks


def _at(function: Any, inputs: Iterable[Argument]) -> Call:
    """The call of a function at the inputs, or what stands for it if a graph is given."""
    if callable(function):
        return call_at(function, as_list(inputs, "inputs", "numbers"), "inputs")
    points = as_values(inputs, "inputs")
    return Call(function, [], points, [()] * len(points), 0.0, -1.0)


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
    if set(map(type, listed)) <= {Value}:
        return listed  # thousands of them, in every step of an optimiser
    return [as_value(value, f"{argument}[{place}]") for place, value in enumerate(listed)]


def as_output(result: object) -> Value:
    """The result of a function of Values as a Value: a plain number becomes a constant."""
    if isinstance(result, Value):
        return result
    return constant(as_float(result, "the result of f"))
