"""Derivatives inside of functions that are being differentiated or recorded."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    AnomalyError,
    Program,
    RecordingError,
    StaleGraphError,
    Value,
    detect_anomaly,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    record,
    sqrt,
    value_and_grad,
    vjp,
)
from autograd_rnn.engine import points
from autograd_rnn.engine.shared import OPEN, WATCH
from autograd_rnn.engine.value import compiled

# --- every way to take a derivative, nested at random, beside polynomials -------------------------

#: A derivative of a function of one variable, at a point.
DERIVATIVES: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: grad(f)(x),
    "value_and_grad": lambda f, x: value_and_grad(f)(x)[1],
    "vjp": lambda f, x: vjp(f, x)[1](1.0)[0],
    "jvp": lambda f, x: jvp(f, [x], [1.0])[1],
    "jacobian": lambda f, x: jacobian(lambda y: [f(y)], [x])[0][0],
    "gradient of a graph": lambda f, x: _of_a_graph(f, x),
    "under no_grad": lambda f, x: no_grad()(grad(f))(x) if isinstance(x, float) else grad(f)(x),
}
PROGRAM = "grad, as a program"
SECOND: dict[str, Callable[[Any, Any], Any]] = {
    "hessian": lambda f, x: hessian(f, [x])[0][0],
    "hvp": lambda f, x: hvp(f, [x], [1.0])[0],
    "grad of grad": lambda f, x: grad(grad(f))(x),
}


def _recorded(inside: Tree, captured: int) -> Any:
    """The program of a derivative, whose function captures inputs of the program."""

    def derivative(*inputs: Any) -> Any:
        return grad(lambda x: evaluate(inside, (*inputs[:-1], x)))(inputs[-1])

    return record(derivative, *[2.0] * (captured + 1))


def _of_a_graph(f: Any, x: Any) -> Any:
    point = x * 1.0 if isinstance(x, Value) else Value(x)
    output = f(point)
    return gradients(output, [point])[0] if isinstance(output, Value) else 0.0


class Tree(NamedTuple):
    """An expression: a number, a variable by its depth, a sum, a product, or a derivative.

    A derivative binds one more variable in its first part, and is taken at its second.
    """

    kind: str
    parts: tuple[Any, ...]


def trees(variables: int, depth: int) -> st.SearchStrategy[Tree]:
    leaf = st.integers(-2, 2).map(lambda n: Tree("number", (float(n),)))
    if variables:
        leaf |= st.integers(0, variables - 1).map(lambda place: Tree("variable", (place,)))
    if not depth:
        return leaf
    below = trees(variables, depth - 1)
    inside = trees(variables + 1, depth - 1)
    return (
        leaf
        | st.tuples(st.sampled_from(["sum", "product"]), below, below).map(
            lambda t: Tree(t[0], t[1:])
        )
        | st.tuples(st.sampled_from([*DERIVATIVES, *SECOND, PROGRAM]), inside, below).map(
            lambda t: Tree(t[0], t[1:])
        )
    )


def evaluate(tree: Tree, variables: tuple[Any, ...]) -> Any:
    """The tree by the package, its variables captured by closures."""
    kind, parts = tree
    if kind == "number":
        return parts[0]
    if kind == "variable":
        return variables[parts[0]]
    if kind in ("sum", "product"):
        x, y = (evaluate(part, variables) for part in parts)
        return x + y if kind == "sum" else x * y
    point = evaluate(parts[1], variables)
    if kind == PROGRAM:
        return _recorded(parts[0], len(variables))(*variables, point)
    take = DERIVATIVES.get(kind) or SECOND[kind]
    return take(lambda x: evaluate(parts[0], (*variables, x)), point)


#: A polynomial: the coefficient of each product of powers of the variables.
Polynomial = dict[tuple[int, ...], int]


def add(p: Polynomial, q: Polynomial) -> Polynomial:
    total = {powers: p.get(powers, 0) + q.get(powers, 0) for powers in {*p, *q}}
    return {powers: coefficient for powers, coefficient in total.items() if coefficient}


def multiply(p: Polynomial, q: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for a, x in p.items():
        for b, y in q.items():
            size = max(len(a), len(b))
            padded = [(*powers, *[0] * (size - len(powers))) for powers in (a, b)]
            total = add(total, {tuple(map(sum, zip(*padded, strict=True))): x * y})
    return total


def symbolically(tree: Tree, variables: int) -> Polynomial:
    """The tree as a polynomial in its variables: slow, and obviously right."""
    kind, parts = tree
    if kind == "number":
        return {(): int(parts[0])} if parts[0] else {}
    if kind == "variable":
        return {tuple(int(place == parts[0]) for place in range(variables)): 1}
    if kind in ("sum", "product"):
        p, q = (symbolically(part, variables) for part in parts)
        return add(p, q) if kind == "sum" else multiply(p, q)
    inside, point = symbolically(parts[0], variables + 1), symbolically(parts[1], variables)
    for _ in range(2 if kind in SECOND else 1):
        inside = differentiate(inside, variables)
    total: Polynomial = {}
    for powers, coefficient in inside.items():
        term: Polynomial = {powers[:variables]: coefficient}
        for _ in range(powers[variables] if len(powers) > variables else 0):
            term = multiply(term, point)
        total = add(total, term)
    return total


def differentiate(p: Polynomial, place: int) -> Polynomial:
    return {
        (*powers[:place], powers[place] - 1, *powers[place + 1 :]): coefficient * powers[place]
        for powers, coefficient in p.items()
        if len(powers) > place and powers[place]
    }


@given(trees(0, 5))
def test_derivatives_nest_in_any_way(tree: Tree) -> None:
    found = evaluate(tree, ())
    number = found.data if isinstance(found, Value) else found
    expected = sum(symbolically(tree, 0).values())
    if abs(expected) < 2**50:
        assert number == expected
    assert not OPEN


#: A line, and what is right: the outer variable is not dropped.
LINES: dict[str, tuple[Callable[[], Any], Any]] = {
    "grad in grad": (lambda: grad(lambda x: x * grad(lambda y: x * y)(1.0))(4.0), 8.0),
    "jvp in grad": (lambda: grad(lambda x: jvp(lambda y: x * y, [2.0], [1.0])[1])(3.0), 1.0),
    "hessian of a graph in grad": (lambda: grad(lambda x: hessian(x**4, [x])[0][0])(2.0), 48.0),
    "grad in hvp": (
        lambda: hvp(lambda x: x * grad(lambda y: x * y * y)(1.0), [4.0], [1.0]),
        (4.0,),
    ),
    "jvp in jvp": (
        lambda: jvp(lambda x: x * jvp(lambda y: x * y, [1.0], [1.0])[1], [4.0], [1.0]),
        (16.0, 8.0),
    ),
    "grad in value_and_grad": (
        lambda: value_and_grad(lambda w: (grad(lambda t: w * t * t)(2.0) - 1) ** 2)(3.0),
        (121.0, 88.0),
    ),
    "an input that does not move": (
        lambda: jvp(lambda x, y: sqrt(x) + y, [0.0, 1.0], [0.0, 1.0]),
        (1.0, 1.0),
    ),
    "jacobian": (lambda: jacobian(lambda a, b: [a * b, a + b], [2, 5]), ((5.0, 2.0), (1.0, 1.0))),
    "hessian": (lambda: hessian(lambda a, b: a * a * b, [2, 5]), ((10.0, 4.0), (4.0, 0.0))),
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("silent", [False, True], ids=["", "under no_grad"])
def test_lines_with_their_right_values(line: str, silent: bool) -> None:
    call, right = LINES[line]
    assert (no_grad()(call) if silent else call)() == right


# --- what comes out ------------------------------------------------------------------------------


def test_floats_come_from_numbers_and_values_from_values() -> None:
    w, x = Value(3.0, "w"), Value(2.0, "x")
    assert grad(lambda t: w * t * t)(0.5) == 3.0
    slope: Any = grad(lambda t: w * t * t)(x)
    assert isinstance(slope, Value)
    slope.backward()
    assert (slope.data, w.grad, x.grad) == (12.0, 4.0, 6.0)
    asked: Any = grad(lambda t: w * t * t, create_graph=True)(0.5)
    assert gradients(asked, [w]) == (1.0,)
    assert grad(lambda t: t * t, create_graph=False)(x) == 4.0
    value, tangent = jvp(lambda y: y * y, [x], [1.0])
    assert isinstance(value, Value)
    assert isinstance(tangent, Value)
    assert isinstance(jvp(lambda y: y * y, [2.0], [x])[1], Value)
    (seeded,) = gradients(x * x, [x], seed=w)
    assert isinstance(seeded, Value)
    assert gradients(seeded, [w, x]) == (4.0, 6.0)


def test_all_results_are_of_one_kind() -> None:
    def inner(x: Any) -> Any:
        found = gradients(x * 2.0, [x, Value(1.0)])
        assert all(isinstance(slope, Value) for slope in found)
        floats = gradients(x * 2.0, [x], create_graph=False)
        assert floats == (2.0,)
        return found[0] * x

    assert grad(inner)(3.0) == 2.0


def test_inside_no_grad_derivatives_are_right_and_constants() -> None:
    x = Value(2.0, "x")
    cube = x**3
    with no_grad():
        assert grad(lambda y: y * y)(3.0) == 6.0
        assert jvp(lambda y: y * y, [3.0], [1.0]) == (9.0, 6.0)
        assert hvp(lambda y: y**3, [2.0], [1.0]) == (12.0,)
        assert hessian(cube, [x]) == ((12.0,),)
        assert record(lambda y: y * y, 3.0)(5.0) == 25.0
        slope: Any = grad(lambda y: y * y)(x)
        assert (slope.data, slope.constant, slope.parents) == (4.0, True, ())
        assert (x * x).constant
    assert not (x * x).constant


def test_no_grad_inside_of_the_function_holds() -> None:
    def half_hidden(x: Any) -> Any:
        with no_grad():
            factor = x * 1.0
        return factor * x

    assert grad(half_hidden)(3.0) == 3.0
    assert jvp(half_hidden, [3.0], [1.0]) == (9.0, 3.0)


def test_contexts_decorate_functions() -> None:
    @no_grad()
    def double(x: Value) -> Value:
        """Twice x."""
        return x + x

    x = Value(2.0)
    assert double(x).constant
    assert double.__doc__ == "Twice x."
    assert not (x + x).constant

    @no_grad()
    async def later(x: Value) -> Value:
        await asyncio.sleep(0)
        return x + x

    assert asyncio.run(later(x)).constant


def test_contexts_stay_in_their_asyncio_task() -> None:
    x = Value(2.0)

    async def silent(entered: asyncio.Event, leave: asyncio.Event) -> None:
        with no_grad():
            entered.set()
            await leave.wait()
            assert (x * x).constant

    async def both() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(silent(entered, leave))
        await entered.wait()
        assert not (x * x).constant
        leave.set()
        await task

    asyncio.run(both())


def test_a_thread_that_a_function_starts_differentiates_rightly() -> None:
    def by_a_thread(x: Any) -> Any:
        found: list[Any] = []
        worker = threading.Thread(target=lambda: found.append(grad(lambda y: x * y * y)(2.0)))
        worker.start()
        worker.join()
        return x * found[0]

    assert grad(by_a_thread)(3.0) == 24.0


def test_an_error_inside_closes_the_points() -> None:
    def fails(x: Any) -> Any:
        raise ZeroDivisionError

    for call in (
        lambda: grad(fails)(1.0),
        lambda: jvp(fails, [1.0], [1.0]),
        lambda: vjp(fails, 1.0),
        lambda: hessian(fails, [1.0]),
        lambda: record(fails, 1.0),
    ):
        with pytest.raises(ZeroDivisionError):
            call()
    assert not OPEN


# --- programs ------------------------------------------------------------------------------------


def test_a_program_is_differentiated_like_its_function() -> None:
    cube = record(lambda y: y * y * y, 2.0)
    assert grad(lambda x: cube(x) * x)(2.0) == 32.0
    assert grad(lambda x: cube.gradient()(x)[1])(2.0) == 12.0
    assert hessian(cube, [3.0]) == ((18.0,),)
    x = Value(2.0)
    both = cube.gradient()(x)
    assert [type(one) for one in both] == [Value, Value]


def test_a_program_called_while_recording_keeps_its_guards() -> None:
    size = record(lambda v: v if v > 0 else -v, 2.0)
    outer = record(lambda x: size(x) * 2.0, 3.0)
    assert outer(5.0) == 10.0
    with pytest.raises(RuntimeError, match=r"x_1 > 0.0 was True when the program was recorded"):
        outer(-5.0)
    truth = record(lambda v: v * 2.0 if v else v, 2.0)
    with pytest.raises(RuntimeError, match="was True when"):
        record(lambda x: truth(x), 3.0)(0.0)


def test_a_recorded_derivative_is_a_program() -> None:
    program = record(lambda x: grad(lambda y: x * y * y)(2.0), 3.0)
    assert program(5.0) == 20.0
    assert program.gradient()(5.0) == (20.0, 4.0)


# --- functional forms ----------------------------------------------------------------------------


def test_argnums_and_has_aux() -> None:
    def f(x: Any, y: Any) -> Any:
        return x * y * y

    assert grad(f, argnums=1)(2, 5) == 20.0
    assert grad(f, argnums=-2)(2, 5) == 25.0
    assert grad(f, argnums=(1, 0))(2, 5) == (20.0, 25.0)
    assert grad(f, argnums=[0])(2, 5) == (25.0,)
    assert value_and_grad(lambda x: (x * x, "rest"), has_aux=True)(3) == ((9.0, "rest"), 6.0)
    assert grad(lambda x: (x * x, "rest"), has_aux=True)(3) == (6.0, "rest")
    with pytest.raises(ValueError, match="argnums must be 1 or less, not 2"):
        grad(f, argnums=2)(1, 2)
    with pytest.raises(TypeError, match="argnums must be an int, not str"):
        grad(f, argnums=("x",))(1, 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="f must give a pair with has_aux=True"):
        grad(f, has_aux=True)(1, 2)


def test_vjp_pulls_back_any_cotangent() -> None:
    value, pull_back = vjp(lambda x, y: x * y, 2, 5)
    assert value == 10.0
    assert (pull_back(1.0), pull_back(10.0)) == ((5.0, 2.0), (50.0, 20.0))
    cotangent = Value(3.0)
    slopes = pull_back(cotangent)
    assert gradients(slopes[0], [cotangent]) == (5.0,)


def test_inputs_that_do_not_move_are_left_out() -> None:
    still = Value(0.0)
    value, tangent = jvp(lambda x: x * x, [3.0], [still])
    assert isinstance(value, Value)
    assert gradients(tangent, [still]) == (6.0,)  # type: ignore[arg-type]


def test_a_square_is_differentiated_as_one_writes_it() -> None:
    x = Value(3.0, "x")
    (slope,) = gradients(x**2, [x], create_graph=True)
    assert slope.op is not None
    assert (slope.op.name, slope.data, slope.parents[1]) == ("mul", 6.0, x)


# --- two classics --------------------------------------------------------------------------------

STEP = 0.1


def by_reverse(potential: Any, at: Any) -> Any:
    return grad(potential)(*at)


def by_forward(potential: Any, at: Any) -> Any:
    return [jvp(potential, at, direction)[1] for direction in ([1.0, 0.0], [0.0, 1.0])]


@pytest.mark.parametrize("inner", [by_reverse, by_forward])
def test_a_particle_among_charges(inner: Any) -> None:
    """Pearlmutter and Siskind's example (2008): a slope through a path that ∇p steers."""

    def miss(w: Any) -> Any:
        charges = [[10.0, 10.0 - w], [10.0, 0.0]]

        def potential(x: Any, y: Any) -> Any:
            distances = [sqrt((x - a) * (x - a) + (y - b) * (y - b)) for a, b in charges]
            return 1.0 / distances[0] + 1.0 / distances[1]

        at: list[Any] = [0.0, 8.0]
        velocity: list[Any] = [0.75, 0.0]
        while True:
            forces = inner(potential, at)
            following = [x + STEP * v for x, v in zip(at, velocity, strict=True)]
            if following[1] <= 0:
                break
            at = following
            velocity = [v - STEP * force for v, force in zip(velocity, forces, strict=True)]
        crossing = at[0] - at[1] / velocity[1] * velocity[0]
        return crossing * crossing

    expected = (miss(1e-6) - miss(-1e-6)) / 2e-6
    assert expected == pytest.approx(-19.4046, abs=1e-4)
    assert grad(miss)(0.0) == pytest.approx(expected, rel=1e-6)
    assert jvp(miss, [0.0], [1.0])[1] == pytest.approx(expected, rel=1e-6)


def test_a_copy_of_a_point_is_the_point() -> None:
    assert grad(lambda x: copy.copy(x) * x)(3.0) == 6.0
    assert grad(lambda x: copy.deepcopy([x])[0] * x)(3.0) == 6.0
    assert grad(lambda x: copy.deepcopy(x * x) * x)(3.0) == 27.0
    w = Value(3.0)
    assert copy.copy(w) is not w


def test_a_program_holds_no_point() -> None:
    """As a constant it would drop the outer derivative."""
    for f in (
        lambda x: record(lambda y: x * y, 1.0, constants=[x])(3.0),
        lambda x: (lambda c: record(lambda y: c * y, 1.0, constants=[c])(3.0))(x * x),
        lambda x: (lambda y: Program.of(x * y, [y])(x))(Value(1.0)),
    ):
        with pytest.raises(RecordingError, match=r"a program would keep its number"):
            grad(f)(2.0)


def test_a_leaf_that_the_function_assigns() -> None:
    w = Value(2.0)

    def f(x: Any) -> Any:
        y = x**w
        w.data = 4.0
        return y

    with pytest.raises(StaleGraphError):
        hvp(f, [3.0], [1.0])


def test_a_context_closed_elsewhere_leaves_nothing_behind() -> None:
    def pieces() -> Any:
        with no_grad():
            yield 1

    made = pieces()
    contextvars.copy_context().run(next, made)
    made.close()
    assert WATCH.open == 0


def test_anomalies_of_tangents() -> None:
    with detect_anomaly(), pytest.raises(AnomalyError):
        jvp(sqrt, [0.0], [1.0])


def test_argnums_of_numpy() -> None:
    def f(x: Any, y: Any) -> Any:
        return x * y

    assert grad(f, argnums=np.int64(1))(2.0, 5.0) == 2.0
    assert grad(f, argnums=np.array([1, 0]))(2.0, 5.0) == (2.0, 5.0)


def test_a_loop_of_derivatives_of_what_the_last_ones_gave() -> None:
    """Each finds that it depends on w by what the one before knew: a walk of a few nodes."""

    def after(w: Any, steps: int) -> Any:
        q = w
        for _ in range(steps):
            q = q - 0.25 * grad(lambda p, q=q: p * p * q)(1.0)
        return q

    def walked(steps: int) -> int:
        count = 0

        class Counting(dict):  # type: ignore[type-arg]
            def get(self, *given: Any) -> Any:
                nonlocal count
                count += 1
                return super().get(*given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("autograd_rnn.engine.points._known", Counting())
            assert grad(lambda w: after(w, steps))(1.0) == 0.5**steps
        return count

    if not compiled:  # the compiled walk takes a dict alone
        assert walked(40) < 3 * walked(20)
    assert grad(lambda w: after(w, 20))(1.0) == 0.5**20
    assert not points._known
