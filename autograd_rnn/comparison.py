"""A function and its derivatives, computed in every available way, and compared."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from .backends.compile_step import compile_step
from .differences import CRUDENESS, Reading, slope_of
from .engine.forward import hvp, jvp
from .engine.points import call_at
from .engine.reverse import as_output, grad, gradients, hessian, jacobian, vjp
from .engine.value import Value
from .errors import ArgumentValueError, BranchChanged, GradientError
from .graph.sweep import adjoints, adjoints_by, recorded_slopes
from .graph.walk import topological
from .ops.functions import dot
from .ops.rounding import rounding_bounds
from .program.recorder import record

#: How far two exact ways may differ, for each unit of what is added up in the derivative.
ROUNDING: Final = 1e-10
#: How far two exact ways may differ where products underflow.
UNDERFLOW: Final = 1e-300
HUGE: Final = 1e100
#: Beside larger numbers, no step is small enough for a function that bends within 1 of them.
WIDEST: Final = 1e4
#: Of more combinations of Values and plain numbers than these, only some are tried.
MOST_COMBINATIONS: Final = 16

Function: TypeAlias = Callable[..., Any]
#: The outcome of one way of computing: its numbers, or the error that it raises.
Outcome: TypeAlias = list[float] | Exception


class Leeway(NamedTuple):
    """How far two ways may differ: by what is added up in each number, and by rounding.

    `rounding` bounds what it may have done to all that the numbers are computed from, in any order
    of computing.  It takes a while, and is asked for where ways differ by more than the sums say.
    """

    sizes: Sequence[float]
    rounding: Callable[[], Sequence[float]]


class Comparison:
    """A function at a point, whose derivatives are computed in many ways.

    Order k is the gradient, with respect to the inputs, of order k - 1 along a direction.
    """

    def __init__(self, f: Function, point: list[float], backends: list[str]) -> None:
        self.f, self.point, self.backends = f, point, backends
        # No two parts are alike, so that no two wrong terms cancel.
        self.direction = [0.5 + (0.618034 * place) % 1.0 for place in range(1, len(point) + 1)]
        self.names = [f"inputs[{place}]" for place in range(len(point))]
        self.skipped: list[str] = []
        # Where they are not, Python's arithmetic refuses what IEEE's gives as an infinity or NaN.
        self.finite = True

    def compare_values(self) -> None:
        """Compare the value on Values with that of other calls, and that on plain numbers."""
        expected = self.call([Value(x) for x in self.point])
        results: list[Value] = []
        if not isinstance(expected, Exception):
            results = topological(as_output(self.f(*map(Value, self.point))))
            self.finite = all(math.isfinite(node.data) for node in results)
        size = max([abs(node.data) for node in results], default=0.0)
        leeway = Leeway([size], lambda: [rounding_bounds(results)[results[-1]]])
        for mask in [*[(True,) * len(self.point)] * 3, *self.combinations()]:
            found = self.call([Value(x) if m else x for x, m in zip(self.point, mask, strict=True)])
            if all(mask):
                check(0, ["f"], ("one call", expected), ("another call", found), leeway)
            elif self.finite or not isinstance(found, Exception):
                ways = ("f of Values", expected), (f"f of {in_words(mask)}", found)
                check(0, ["f"], *ways, leeway)
        if isinstance(expected, Exception):
            raise expected

    def call(self, arguments: Sequence[Any]) -> Outcome:
        found: Outcome = attempt(lambda: as_floats([self.f(*arguments)]))
        return found

    def compare_modes(self, order: int) -> None:
        """All ways to take the derivatives in the engine."""
        f, point, v = self.f, self.point, self.direction
        expected, leeway = self.expected(order, point)

        def over(outer: Mode, inner: Mode) -> Callable[[], list[float]]:
            return lambda: as_floats(outer(along(f, v, order - 1, inner), point))

        ways: dict[str, Callable[[], list[float]]] = {
            "forward mode": over(forward, forward),
            "gradients of the graph": lambda: by_graph(f, point, v, order),
        }
        if order == 1:
            ways["vjp"] = lambda: as_floats(vjp(f, *point)[1](1.0))
            ways["jacobian"] = lambda: as_floats(jacobian(lambda *xs: [f(*xs)], point)[0])
        else:
            ways["reverse over forward mode"] = over(reverse, forward)
            ways["forward over reverse mode"] = over(forward, reverse)
        if order == 2:
            ways["hvp"] = lambda: as_floats(hvp(f, point, v))
            ways["hessian"] = lambda: [dot(v, row) for row in hessian(f, point)]
        for name, way in ways.items():
            found = attempt(way)
            check(order, self.names, ("reverse mode", expected), (name, found), leeway)

    def compare_combinations(self, order: int) -> None:
        """The derivatives with respect to some inputs, beside plain numbers or Values."""
        for mask in self.combinations():
            chosen = [place for place, moves in enumerate(mask) if moves]
            if 0 < len(chosen) < len(mask):
                at = [self.point[place] for place in chosen]
                given = (at, [self.direction[place] for place in chosen], order)
                beside = self.among(chosen, [Value(x) for x in self.point])
                expected = attempt(derivatives, beside, *given)
                found = attempt(derivatives, self.among(chosen, self.point), *given)
                ways = ("f of Values", expected), (f"f of {in_words(mask)}", found)
                names = [self.names[place] for place in chosen]
                if self.finite or not isinstance(found, Exception):
                    check(order, names, *ways, leeway_of(beside, *given))

    def among(self, chosen: Sequence[int], others: Sequence[Any]) -> Function:
        """The function of the chosen inputs, beside these others."""

        def of_chosen(*xs: Any) -> Any:
            given = dict(zip(chosen, xs, strict=True))
            return self.f(*[given.get(place, x) for place, x in enumerate(others)])

        return of_chosen

    def compare_recorded(self, order: int) -> None:
        """The recorded program and each backend, here and where branches may change."""
        f, leaves = along(self.f, self.direction, order - 1, forward), list(map(Value, self.point))
        program = attempt(lambda: record(f, *self.point).gradient())
        ways: dict[str, Callable[[list[float]], Sequence[float]]] = {}
        ways["the recorded program"] = lambda at: as_floats(unless_refused(program)(*at)[1:])
        for name in self.backends:
            ways[f"the backend {name!r}"] = on_backend(name, f, leaves)
        for at in [self.point, *self.elsewhere()]:
            expected, leeway = self.expected(order, at)
            for name, way in ways.items():
                found = attempt(way, at)
                if at is not self.point and isinstance(found, BranchChanged):
                    continue
                if type(found) is ArgumentValueError and "backend" in name:
                    self.skip(order, f"{name} refuses: {found}")
                elif at is self.point or not isinstance(expected, Exception):
                    here = name if at is self.point else f"{name} at {at}"
                    check(order, self.names, ("reverse mode", expected), (here, found), leeway)

    def compare_with_differences(self, order: int) -> None:
        """Compare the derivatives with slopes of the function itself, which use no rule."""
        f, point, v = along(self.f, self.direction, order - 1, forward), self.point, self.direction
        expected, leeway = self.expected(order, point)
        if isinstance(expected, Exception):
            return
        moves = {f"a step along {v}": (v, dot(v, expected))}
        if order == 1:
            sides = zip(units(len(point)), expected, strict=True)
            moves = dict(zip(self.names, sides, strict=True))
        for name, (move, exact) in moves.items():
            width = max([abs(x) for x, step in zip(point, move, strict=True) if step])
            (slope, error, largest), reason = slope_of(on_line(f, point, move), max(1.0, width))
            size = dot(move, leeway.sizes)
            allowed = 10.0 * error + CRUDENESS * max(abs(slope), abs(exact)) + ROUNDING * size
            if not math.isfinite(size):
                reason = f"reverse mode gives {exact!r}"
            elif not width <= WIDEST:
                reason = f"a number of size {width:.3g} is too large for a small step"
            elif not reason and slope != exact and allowed > 0.01 * max(largest, abs(exact)):
                reason = "f is too rough"
            if reason:
                self.skip(order, f"with respect to {name}: no numerical comparison, as {reason}")
            else:
                ways = ("reverse mode", [exact]), ("the numerical derivative", [slope])
                rounding = partial(moved_by, move, leeway.rounding)
                check(order, [name], *ways, Leeway([allowed / ROUNDING], rounding))

    # --- what they share ------------------------------------------------------------------------

    def expected(self, order: int, at: list[float]) -> tuple[Outcome, Leeway]:
        """The derivatives in reverse mode, and how far others may be from them."""
        given = (self.f, at, self.direction, order)
        return attempt(derivatives, *given), leeway_of(*given)

    def combinations(self) -> list[tuple[bool, ...]]:
        """For each input whether it is a Value: all combinations, or some of very many."""
        count = len(self.point)
        if 2**count <= MOST_COMBINATIONS:
            return list(product([True, False], repeat=count))
        chance = random.Random(count)
        few = [tuple([chance.random() < 0.5 for _ in range(count)]) for _ in range(4)]
        return [(True,) * count, (False,) * count, *few]

    def elsewhere(self) -> Iterator[list[float]]:
        """Points at which a comparison may have another outcome."""
        for factor, shift in ((-1.0, 0.0), (1.0, 1.0), (1.0, -1.0), (3.0, 0.0)):
            yield [factor * x + shift for x in self.point]

    def skip(self, order: int, reason: str) -> None:
        self.skipped.append(f"order {order}, {reason}")


# --- ways to compute a derivative ----------------------------------------------------------------

Mode: TypeAlias = Callable[[Function, Sequence[Any]], Sequence[Any]]


def reverse(f: Function, xs: Sequence[Any]) -> Any:
    return grad(f, argnums=range(len(xs)))(*xs)


def forward(f: Function, xs: Sequence[Any]) -> list[Any]:
    return [jvp(f, xs, unit)[1] for unit in units(len(xs))]


def units(size: int) -> list[list[float]]:
    return [[float(place == other) for other in range(size)] for place in range(size)]


def along(f: Function, direction: Sequence[float], times: int, mode: Mode) -> Function:
    """The derivative of the function along the direction, that many times."""
    for _ in range(times):
        f = _once_along(f, direction, mode)
    return f


def _once_along(f: Function, direction: Sequence[float], mode: Mode) -> Function:
    if mode is forward:
        return lambda *xs: jvp(f, xs, direction)[1]
    return lambda *xs: dot(direction, mode(f, xs))


def derivatives(
    f: Function, point: Sequence[float], direction: Sequence[float], order: int
) -> list[float]:
    return as_floats(reverse(along(f, direction, order - 1, reverse), point))


def by_graph(
    f: Function, point: Sequence[float], direction: Sequence[float], order: int
) -> list[float]:
    """The derivatives from `backward`, of a graph made by `gradients`."""
    output, leaves = graph_of(f, point, direction, order - 1)
    output.backward()
    return [leaf.grad for leaf in leaves]


def graph_of(
    f: Function, point: Sequence[float], direction: Sequence[float], times: int
) -> tuple[Value, Sequence[Value]]:
    """The derivative along the direction, that many times, and the leaves of its graph."""
    call = call_at(f, point, "point")
    output = as_output(call.result)
    for _ in range(times):
        output = as_output(dot(direction, gradients(output, call.points, create_graph=True)))
    return output, call.points


def leeway_of(
    f: Function, point: Sequence[float], direction: Sequence[float], order: int
) -> Leeway:
    """How far two ways to take these derivatives may differ."""

    def rounding() -> list[float]:
        output, leaves = graph_of(f, point, direction, order - 1)
        results = gradients(output, leaves, create_graph=True)
        bounds = rounding_bounds(topological(*results))
        return [bounds[result] for result in results]

    return Leeway(sizes_of(f, point, direction, order), rounding)


def moved_by(move: Sequence[float], bounds: Callable[[], Sequence[float]]) -> list[float]:
    """The bound for a sum of derivatives, each times its part of the move."""
    parts = zip(move, bounds(), strict=True)
    return [sum([abs(part) * bound for part, bound in parts if part])]


def sizes_of(
    f: Function, point: Sequence[float], direction: Sequence[float], order: int
) -> list[float]:
    """What is added up in each derivative: the same sums of the absolute values of the terms."""
    call = attempt(call_at, along(f, direction, order - 1, forward), point, "point")
    if isinstance(call, Exception):
        return [0.0] * len(point)

    def slopes(node: Value) -> Iterator[tuple[int, Value, float]]:
        for position, operand, slope in recorded_slopes(node):
            yield position, operand, abs(slope)

    found = adjoints_by(as_output(call.result), 1.0, slopes)
    return [found.get(x, 0.0) for x in call.points]


def on_backend(
    name: str, f: Function, leaves: list[Value]
) -> Callable[[list[float]], Sequence[float]]:
    """The derivatives of the function by the backend of that name, as a function of the point."""

    def step(state: Any, x: Any, weights: Any) -> Any:
        return (), f(*weights)

    compiled = attempt(lambda: compile_step(step, lambda z, _: z, leaves, [], backend=name))

    def run(at: list[float]) -> Sequence[float]:
        for leaf, number in zip(leaves, at, strict=True):
            leaf.data = number
        slopes: Sequence[float] = unless_refused(compiled).loss_and_gradients([[0.0]], [0.0])[1]
        return slopes

    return run


# --- numerical derivatives -----------------------------------------------------------------------


def on_line(f: Function, point: list[float], move: list[float]) -> Callable[[float], Reading]:
    """The function along the line through the point, NaN where it refuses."""

    def at(t: float) -> Reading:
        moved = [
            Value(x + t * step) if step else Value(x) for x, step in zip(point, move, strict=True)
        ]
        found = attempt(lambda: as_output(f(*moved)))
        if isinstance(found, Exception):
            return Reading(math.nan, math.nan)
        return Reading(found.data, rounding_of(found))

    return at


def rounding_of(output: Value) -> float:
    """A few units in the last place of each number, times the slope of the output by it.

    Those of the inputs count too, as a step away from a number is rounded.
    """
    units = [
        abs(adjoint) * math.ulp(node.data)
        for node, adjoint in adjoints(output).items()
        if math.isfinite(adjoint) and math.isfinite(node.data)
    ]
    return 2.0 * sum(units)


# --- outcomes ------------------------------------------------------------------------------------


def attempt(way: Callable[..., Any], *arguments: Any) -> Any:
    """The result of one way of computing, or the error that it raises."""
    try:
        return way(*arguments)
    except Exception as error:
        return error


def check(
    order: int,
    names: Sequence[str],
    first: tuple[str, Outcome],
    second: tuple[str, Outcome],
    leeway: Leeway,
) -> None:
    """Refuse two outcomes that differ: `GradientError` says where, and by how much."""
    (way, expected), (other, found) = first, second
    what = f"order {order}, with respect to " if order else "the value of "
    if isinstance(expected, Exception) or isinstance(found, Exception):
        if type(expected) is not type(found):
            said = [f"{name} {_told(one)}" for name, one in (first, second)]
            raise GradientError(f"{what}{', '.join(names)}: {said[0]}, but {said[1]}.")
        return
    for place, (name, x, y) in enumerate(zip(names, expected, found, strict=True)):
        size, gap = leeway.sizes[place], abs(x - y)
        # Products of huge numbers overflow in one order of the factors, and not in another.
        huge = size > HUGE and not (math.isfinite(x) and math.isfinite(y))
        allowed = ROUNDING * size if math.isfinite(size) and not huge else math.inf
        if x == y or (x != x and y != y) or math.isinf(allowed) or gap <= allowed + UNDERFLOW:
            continue
        allowed += leeway.rounding()[place]
        if not (math.isinf(allowed) or gap <= allowed):
            raise GradientError(
                f"{what}{name}: {way} gives {x!r}, but {other} gives {y!r}; they differ by "
                f"{gap:.3g}, and may by {allowed:.3g}."
            )


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Exception):
        return f"refuses with {type(outcome).__name__} ({outcome})"
    return f"gives {', '.join(map(repr, outcome))}"


def in_words(mask: Sequence[bool]) -> str:
    if all(mask) or not any(mask):
        return "Values" if all(mask) else "plain numbers"
    kinds = ["a Value" if moves else "a number" for moves in mask]
    return f"({', '.join(kinds)})"


def unless_refused(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def as_floats(entries: Iterable[Any]) -> list[float]:
    return [as_output(x).data for x in entries]
