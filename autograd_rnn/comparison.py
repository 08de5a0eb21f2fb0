"""A function and its derivatives, computed in every available way, and compared."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from .backends.compile_step import compile_step
from .engine.forward import hvp, jvp
from .engine.points import call_at
from .engine.reverse import as_output, grad, gradients, hessian, jacobian, vjp
from .engine.value import Value
from .errors import ArgumentValueError, BranchChanged, GradientError
from .graph.sweep import adjoints, adjoints_by, recorded_slopes
from .graph.walk import topological
from .ops.functions import dot
from .program.recorder import record

#: How far two exact ways may differ, for each unit of what is added up in the derivative.
ROUNDING: Final = 1e-10
#: How far two exact ways may differ where products underflow.
UNDERFLOW: Final = 1e-300
HUGE: Final = 1e100
#: How far a numerical derivative may be off, beyond its own estimate of its error.
CRUDENESS: Final = 1e-6
#: Beside larger numbers, no step is small enough for a function that bends within 1 of them.
WIDEST: Final = 1e4
#: Of more combinations of Values and plain numbers than these, only some are tried.
MOST_COMBINATIONS: Final = 16

Function: TypeAlias = Callable[..., Any]
#: The outcome of one way of computing: its numbers, or the error that it raises.
Outcome: TypeAlias = list[float] | Exception


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

    def compare_values(self) -> None:
        """Compare the value on Values with that of other calls, and that on plain numbers."""
        expected = self.call([Value(x) for x in self.point])
        size, finite = 0.0, True
        if not isinstance(expected, Exception):
            results = topological(as_output(self.f(*map(Value, self.point))))
            size = max([abs(node.data) for node in results])
            # Python's arithmetic refuses what IEEE's gives as an infinity or as NaN.
            finite = all(math.isfinite(node.data) for node in results)
        for mask in [*[(True,) * len(self.point)] * 3, *self.combinations()]:
            found = self.call([Value(x) if m else x for x, m in zip(self.point, mask, strict=True)])
            if all(mask):
                check(0, ["f"], ("one call", expected), ("another call", found), [size])
            elif finite or not isinstance(found, Exception):
                ways = ("f of Values", expected), (f"f of {in_words(mask)}", found)
                check(0, ["f"], *ways, [size])
        if isinstance(expected, Exception):
            raise expected

    def call(self, arguments: Sequence[Any]) -> Outcome:
        found: Outcome = attempt(lambda: as_floats([self.f(*arguments)]))
        return found

    def compare_modes(self, order: int) -> None:
        """All ways to take the derivatives in the engine."""
        f, point, v = self.f, self.point, self.direction
        expected, sizes = self.expected(order, point)

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
            check(order, self.names, ("reverse mode", expected), (name, found), sizes)

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
                check(order, names, *ways, sizes_of(beside, *given))

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
            expected, sizes = self.expected(order, at)
            for name, way in ways.items():
                found = attempt(way, at)
                if at is not self.point and isinstance(found, BranchChanged):
                    continue
                if type(found) is ArgumentValueError and "backend" in name:
                    self.skip(order, f"{name} refuses: {found}")
                elif at is self.point or not isinstance(expected, Exception):
                    here = name if at is self.point else f"{name} at {at}"
                    check(order, self.names, ("reverse mode", expected), (here, found), sizes)

    def compare_with_differences(self, order: int) -> None:
        """Compare the derivatives with slopes of the function itself, which use no rule."""
        f, point, v = along(self.f, self.direction, order - 1, forward), self.point, self.direction
        expected, sizes = self.expected(order, point)
        if isinstance(expected, Exception):
            return
        moves = {f"a step along {v}": (v, dot(v, expected))}
        if order == 1:
            sides = zip(units(len(point)), expected, strict=True)
            moves = dict(zip(self.names, sides, strict=True))
        for name, (move, exact) in moves.items():
            width = max([abs(x) for x, step in zip(point, move, strict=True) if step])
            (slope, error, largest), reason = slope_of(on_line(f, point, move), max(1.0, width))
            size = dot(move, sizes)
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
                check(order, [name], *ways, [allowed / ROUNDING])

    # --- what they share ------------------------------------------------------------------------

    def expected(self, order: int, at: list[float]) -> tuple[Outcome, list[float]]:
        """The derivatives in reverse mode, and what is added up in each."""
        given = (self.f, at, self.direction, order)
        return attempt(derivatives, *given), sizes_of(*given)

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
    call = call_at(f, point, "point")
    output, leaves = as_output(call.result), call.points
    for _ in range(order - 1):
        output = as_output(dot(direction, gradients(output, leaves, create_graph=True)))
    output.backward()
    return [leaf.grad for leaf in leaves]


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


class Reading(NamedTuple):
    """The number of a function, and what rounding may have done to it."""

    number: float
    rounding: float


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
    """A few units in the last place of each result, times the slope of the output by it."""
    units = [
        abs(adjoint) * math.ulp(node.data)
        for node, adjoint in adjoints(output).items()
        if node.op is not None and math.isfinite(adjoint) and math.isfinite(node.data)
    ]
    return 2.0 * sum(units)


class Slope(NamedTuple):
    """A numerical derivative, an estimate of its error, and the largest difference quotient."""

    slope: float
    error: float
    largest: float


def slope_of(at: Callable[[float], Reading], width: float) -> tuple[Slope, str]:
    """The slope of a function at 0, and why there is none, if so."""
    right, left = one_sided(at, 0.137 * width), one_sided(at, -0.137 * width)
    error, largest = right.error + left.error, max(right.largest, left.largest)
    both = Slope(0.5 * (right.slope + left.slope), error, largest)
    apart = abs(right.slope - left.slope)
    if math.isnan(apart):
        return both, "f is not finite nearby"
    if error > 1e-3 * largest > 0.0 or math.isinf(error):
        return both, "f is too steep, or too rough"
    if apart > 10.0 * error + CRUDENESS * max(abs(right.slope), abs(left.slope)):
        return both, "f has a kink or a jump there"
    return both, ""


def one_sided(at: Callable[[float], Reading], step: float) -> Slope:
    """Richardson's extrapolation of difference quotients on one side of 0.

    The steps shrink by 4, and each column of a row removes one more power of the step.
    """
    centre, best = at(0.0), Slope(math.nan, math.inf, 0.0)
    quotients: list[float] = []
    row: list[float] = []
    for _ in range(14):
        there = at(step)
        noise = 2.0**-50 * (abs(there.number) + abs(centre.number)) / abs(step)
        noise = max(noise, (there.rounding + centre.rounding) / abs(step))
        quotients.append((there.number - centre.number) / step)
        if not math.isfinite(quotients[-1]):
            row, quotients = [], []  # the step leads out of where the function is defined
        else:
            above, row = row, quotients[-1:]
            for power, old in enumerate(above, 1):
                row.append(row[-1] + (row[-1] - old) / (4.0**power - 1.0))
                error = max(abs(row[-1] - row[-2]), abs(row[-1] - old)) + noise
                if error < best.error:
                    best = best._replace(slope=row[-1], error=error)
        step /= 4.0
    if len(quotients) < 3:
        return best._replace(slope=math.nan)
    # Quotients of steps that are all too wide may agree by chance, but do not converge.
    third, second, first = quotients[-3:]
    change, before = abs(first - second), abs(second - third)
    converge = change <= 0.5 * before + noise
    right = abs(quotients[-1] - best.slope) <= 4.0 * change + best.error + noise
    error = best.error if converge and right else math.inf
    return Slope(best.slope, error, max(map(abs, quotients)))


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
    sizes: Sequence[float],
) -> None:
    """Refuse two outcomes that differ: `GradientError` says where, and by how much."""
    (way, expected), (other, found) = first, second
    what = f"order {order}, with respect to " if order else "the value of "
    if isinstance(expected, Exception) or isinstance(found, Exception):
        if type(expected) is not type(found):
            said = [f"{name} {_told(one)}" for name, one in (first, second)]
            raise GradientError(f"{what}{', '.join(names)}: {said[0]}, but {said[1]}.")
        return
    for name, x, y, size in zip(names, expected, found, sizes, strict=True):
        # Products of huge numbers overflow in one order of the factors, and not in another.
        huge = size > HUGE and not (math.isfinite(x) and math.isfinite(y))
        allowed = ROUNDING * size if math.isfinite(size) and not huge else math.inf
        same = x == y or (x != x and y != y) or math.isinf(allowed)
        if not same and not abs(x - y) <= allowed + UNDERFLOW:
            raise GradientError(
                f"{what}{name}: {way} gives {x!r}, but {other} gives {y!r}; they differ by "
                f"{abs(x - y):.3g}, and may by {allowed:.3g}."
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
