"""Gradient checking: the engine's gradients against central differences."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from ..arguments import as_float, as_floats, as_function, as_integer
from ..errors import ArgumentValueError, GradientError
from ..graph.notation import superscript
from ..graph.sweep import Slope, adjoints, adjoints_by, recorded_slopes
from ..graph.walk import describe, operation, topological
from ..ops.ieee import same_bits
from .points import Call, call_at, keeping_graphs
from .reverse import Function, as_output, gradient_numbers, gradients
from .value import Value

# A difference that may be off by more than this part of it has not been found out.
RESOLVED: Final = 1e-4
# A bend of an op that is more than this part of its slope is taken for a kink.
SHARP: Final = 0.01
# How far beside an operand an end of an op is looked for, if its slope is not finite there.
EDGE: Final = 1e-5
# How many times smaller than the last one each further step is, and how many there are at most.
SHRINK: Final = 4.0
MOST_STEPS: Final = 24
# With each order there are as many times more derivatives as there are inputs.
MOST_ORDER: Final = 4

# The nodes of what is checked, in topological order: left of the point, there, and right of it.
Nodes: TypeAlias = tuple[Value, Value, Value]
Graphs: TypeAlias = tuple[list[Value], list[Value], list[Value]]


class CheckedInput(NamedTuple):
    """What `check_gradients` found about one input.

    `position` counts from 0, `gradient` is the engine's, `difference` the central difference;
    `checked` says whether they were compared, and `reason` why not (empty where they were).
    `slope_of` has the positions of the inputs with respect to which `f` was differentiated before:
    it is empty for the gradient of `f`, and `(0,)` for that of ∂f/∂inputs[0].
    """

    position: int
    gradient: float
    difference: float
    checked: bool
    reason: str
    slope_of: tuple[int, ...] = ()


class Tolerances(NamedTuple):
    """The step and the tolerances of a check, as `check_gradients` explains them."""

    eps: float
    atol: float
    rtol: float


def check_gradients(
    f: Function,
    inputs: Sequence[float],
    *,
    eps: float = 1e-5,
    atol: float = 1e-8,
    rtol: float = 1e-5,
    order: int = 1,
) -> tuple[CheckedInput, ...]:
    """Compare the gradients of `f` with central differences; return a `CheckedInput` per input.

    `f` takes a Value per input and returns one.  An input x is moved by h = eps·max(1, |x|) and
    less to both sides.  Gradient and difference may differ by rtol·|difference|, by atol·max(1,
    |f|), which is at most atol·10⁴ times the larger of the two, and by the estimated error of the
    difference.  So a rule that is wrong by a factor of 1.0005 never
    passes, whatever it is added to or multiplied by: `GradientError` names the input and both
    numbers, or the input is not checked.

    An input is reported with `checked` False, and the reason, where nothing has been compared:
    where the difference may be off by more than 10⁻⁴ of it (and more than rtol), since `f` has a
    kink, a jump or a sharp bend within the step or is rounded too coarsely, and where `f` is not
    finite.  A difference that is far from the gradient proves nothing where a smaller step gives
    another one, or where an op on the way has a kink: that is then the reason.

    `order=2` also compares second derivatives with finite differences of the gradient: after the
    reports of `f` come those of ∂f/∂inputs[0], and so on; with 3 those of the second derivatives,
    and so on to 4.

    >>> check_gradients(lambda x, y: x * y, [2, 5])[0].checked
    True
    >>> [report] = check_gradients(abs, [0])
    >>> report.checked, report.reason
    (False, 'f has a kink, a jump or a sharp bend within 1e-05 of 0.0')
    >>> [first, second] = check_gradients(lambda x: x**3, [2], order=2)
    >>> second.checked, second.gradient, second.slope_of
    (True, 12.0, (0,))
    """
    as_function(f, "f")
    point = as_floats(inputs, "inputs")
    step = as_float(eps, "eps")
    tolerances = Tolerances(step, as_float(atol, "atol"), as_float(rtol, "rtol"))
    for argument, tolerance in zip(Tolerances._fields, tolerances, strict=True):
        if not 0.0 <= tolerance < math.inf or (argument == "eps" and tolerance == 0.0):
            raise ArgumentValueError(
                f"{argument} must be a small positive number, such as 1e-5, not {tolerance!r}."
            )
    as_integer(order, "order", least=1, most=MOST_ORDER)
    places = range(len(point))
    reports: list[CheckedInput] = []
    # Inside `no_grad` a right gradient would be compared with 0, and accused.
    with keeping_graphs():
        for times in range(order):
            for slope_of in product(places, repeat=times):
                checked = _Checked(f, slope_of, point)
                reports.extend([checked.report(place, tolerances) for place in places])
    return tuple(reports)


def _slope(f: Function, place: int) -> Function:
    """∂f/∂inputs[place] by the rules, as a function of Values."""

    def slope(*inputs: Value) -> Value:
        return gradients(as_output(f(*inputs)), inputs, create_graph=True)[place]

    return slope


class _Checked:
    """`f`, or a slope of it, at a point: its graph, and its numbers when an input is moved."""

    def __init__(self, f: Function, slope_of: tuple[int, ...], point: list[float]) -> None:
        self.slope_of, self.point = slope_of, point
        self.below = self.f = f
        for place in slope_of:
            self.below, self.f = self.f, _slope(self.f, place)
        call = call_at(self.f, point, "inputs")
        output, leaves = as_output(call.result), call.points
        self.value, self.order = output.data, topological(output)
        self.gradient, self.adjoints = gradient_numbers(output, leaves), adjoints(output)
        sizes = adjoints_by(output, 1.0, _sizes_of_slopes, _product_of_sizes)
        unit = sys.float_info.epsilon * (8 + len(self.order))
        # What rounding may do to the gradient itself, whose terms may cancel.
        self.gradient_rounding = [unit * sizes.get(leaf, 0.0) for leaf in leaves]
        by = "".join([f"∂inputs[{place}]" for place in slope_of])
        power = superscript(str(len(slope_of))) if len(slope_of) > 1 else ""
        self.name = f"∂{power}f/{by}" if slope_of else "f"

    def at(self, place: int, x: float) -> float:
        """The number for another x."""
        call = self._call(self.below, place, x)
        below = as_output(call.result)
        if not self.slope_of:
            return below.data
        # The slope as a number, since the graph that is checked may say something else.
        return gradient_numbers(below, call.points)[self.slope_of[-1]]

    def graph(self, place: int, x: float) -> list[Value]:
        """The nodes for another x, in topological order."""
        return topological(as_output(self._call(self.f, place, x).result))

    def _call(self, f: Function, place: int, x: float) -> Call:
        return call_at(f, [x if i == place else one for i, one in enumerate(self.point)], "inputs")

    def report(self, place: int, tolerances: Tolerances) -> CheckedInput:
        """What is found of an input; `GradientError` where its gradient is wrong."""
        x, gradient = self.point[place], self.gradient[place]
        h = tolerances.eps * max(1.0, abs(x))

        def found(difference: float, reason: str) -> CheckedInput:
            return CheckedInput(place, gradient, difference, not reason, reason, self.slope_of)

        if is_lost(x, h):
            return found(math.nan, f"a step of {h:.3g} is lost in rounding beside {x!r}")
        graphs = self.graph(place, x - h), self.order, self.graph(place, x + h)
        noise = _rounding(graphs, self.adjoints)
        numbers = central_difference(lambda moved: self.at(place, moved), x, h, noise)
        slope, error = numbers.slope, numbers.error
        if math.isfinite(gradient):
            error += self.gradient_rounding[place]
        if not numbers.finite:
            return found(slope, f"{self.name} is not finite everywhere within {h:.3g} of {x!r}")
        size = max(abs(slope), abs(gradient) if math.isfinite(gradient) else 0.0)
        _, atol, rtol = tolerances
        tolerance = rtol * abs(slope) + atol * min(max(1.0, abs(self.value)), size / RESOLVED)
        gap = abs(gradient - slope)
        # The slopes on both sides may differ by this much for rounding alone.
        flutter = 40.0 * _rounding_of_turns(graphs, self.adjoints) / h
        if size == 0.0 == numbers.rounding:
            # The same on both sides: constant, or turning as a smooth function does.
            resolved = gap == 0.0 and numbers.turns_smoothly(flutter)
        else:
            resolved = gap <= tolerance + error and error <= max(RESOLVED, rtol) * size
        if resolved:
            return found(slope, "")
        if (
            gap <= tolerance + 2.0 * error
            or numbers.error > max(abs(slope), max(map(abs, numbers.turns))) / 2.0
        ):
            if error > 100.0 * numbers.rounding + flutter:
                return found(
                    slope, f"{self.name} has a kink, a jump or a sharp bend within {h:.3g} of {x!r}"
                )
            return found(
                slope,
                f"{self.name} is rounded too coarsely: its differences may be off by {error:.3g}",
            )
        excuse = self._excuse(place, h, numbers, noise, graphs)
        if excuse:
            return found(slope, excuse)
        of = f" of {self.name}" if self.slope_of else ""
        raise GradientError(
            f"inputs[{place}] = {x!r}: the gradient{of} is {gradient!r}, but the central "
            f"difference with a step of {h:.3g} is {slope!r}; they may differ by {tolerance:.3g}. "
            f"A rule is wrong, or f drops a part of the graph, as with .data or detach()."
        )

    def _excuse(self, place: int, h: float, wide: Difference, noise: float, graphs: Graphs) -> str:
        """Why a difference so far from the gradient does not prove it wrong; empty if it does."""
        x, gradient = self.point[place], self.gradient[place]
        if not same_bits(self.at(place, x), self.at(place, x)):
            return f"{self.name} does not compute the same twice"
        if not _alike(graphs):
            return f"{self.name} is computed in another way within {h:.3g} of {x!r}"
        gap, step = abs(gradient - wide.slope), h / SHRINK
        for _ in range(MOST_STEPS if math.isfinite(gap) else 0):
            step /= SHRINK
            if is_lost(x, step) or noise > gap / 4.0 * step:
                break
            closer = central_difference(lambda moved: self.at(place, moved), x, step).slope
            agrees = abs(closer - gradient) <= gap / 2.0
            is_clear = noise <= abs(wide.slope) / 4.0 * step
            if agrees or (is_clear and not abs(closer - wide.slope) <= abs(wide.slope) / 2.0):
                return f"a step of {h:.3g} is too large: one of {step:.3g} gives {closer:.6g}"
        for nodes in zip(*graphs, strict=True):
            if _is_sharp(*nodes):
                return f"{describe(nodes[1])} has a kink, a jump or an end within the step"
        return ""


def _alike(graphs: Graphs) -> bool:
    """Whether the graphs have the same ops in the same order."""
    below, centre, above = [[node.op for node in graph] for graph in graphs]
    return below == centre == above


def _sizes_of_slopes(node: Value) -> Iterator[Slope[Value]]:
    """The slopes of a node without their signs."""
    for position, operand, slope in recorded_slopes(node):
        yield position, operand, max(abs(slope), sys.float_info.min)


def _product_of_sizes(adjoint: float, slope: float) -> float:
    # What is rounded off a number below the normal ones is as large as off the least of these.
    return max(adjoint * slope, sys.float_info.min)


def _rounding(graphs: Graphs, slopes: dict[Value, float]) -> float:
    """What rounding may do to the difference of the outputs on both sides.

    That is a unit in the last place of each result, times the slope of the output there.
    """
    if not _alike(graphs):
        return max(
            [
                _total_of_units([(node,) * 3 for node in graph], adjoints(graph[-1]))
                for graph in graphs
            ]
        )
    nodes = zip(*graphs, strict=True)
    return _total_of_units(
        [three for three in nodes if not _is_same(three[1], three[0], three[2])], slopes
    )


def _rounding_of_turns(graphs: Graphs, slopes: dict[Value, float]) -> float:
    """What rounding may do to the difference of the outputs on a side and at the point."""
    if not _alike(graphs):
        return _rounding(graphs, slopes)
    moved = [
        (below, node, above)
        for below, node, above in zip(*graphs, strict=True)
        if not (_is_same(node, below, node) and _is_same(node, node, above))
    ]
    return _total_of_units(moved, slopes)


def _is_same(node: Value, left: Value, right: Value) -> bool:
    """Whether a result is the same at two points, and should be by its partials.

    Such are the 0 of a ReLU, x·x on both sides of 0, and x - x, but not 1e20 + x.
    """
    expected = 0.0
    for a, b, slope in zip(left.parents, right.parents, node.partials, strict=True):
        if not same_bits(a.data, b.data):
            # A constant has no partial; one that moves was computed from x outside of the graph.
            move, by = b.data - a.data, 1.0 if a.constant else slope
            if move * by == 0.0 and move and by:
                return False  # the product underflows
            expected += move * by
    return left.data == right.data and expected == 0.0


def _total_of_units(nodes: list[Nodes], slopes: dict[Value, float]) -> float:
    """A unit in the last place of each of these results, times the slope of the output there."""
    total = 0.0
    for below, node, above in nodes:
        slope = slopes.get(node, 0.0)
        if node.op is not None and math.isfinite(slope):
            total += abs(slope) * math.ulp(max(abs(below.data), abs(node.data), abs(above.data)))
    return total


def _is_sharp(below: Value, centre: Value, above: Value) -> bool:
    """Whether the op of a node has a kink, a jump or an end where its operands move.

    Beside an operand whose slope is infinite or NaN, even if it does not move: 0 · inf is NaN.
    """
    if centre.op is None:
        return False
    op, numbers = operation(centre), [operand.data for operand in centre.parents]
    if op.chooses and len({node.parents[1].data == 0.0 for node in (below, centre, above)}) > 1:
        return True
    for position, x in enumerate(numbers):

        def moved(number: float, position: int = position) -> float:
            operands = [number if i == position else x for i, x in enumerate(numbers)]
            return op.value(*operands)

        step = max(abs(x - below.parents[position].data), abs(above.parents[position].data - x))
        if not math.isfinite(centre.partials[position]):
            beside = moved(math.nextafter(x, -math.inf)), moved(math.nextafter(x, math.inf))
            # Of numbers this large all floats are whole, and show no end between them.
            if abs(x) >= 2.0**52 or not all(map(math.isfinite, beside)):
                return True
            step = max(step, EDGE * abs(x), EDGE)
            steep = central_difference(moved, x, step)
            if steep.error > SHARP * abs(steep.slope):
                return True
        if step == 0.0 or is_lost(x, step):
            continue
        noise = math.ulp(max(abs(below.data), abs(centre.data), abs(above.data)))
        found = central_difference(moved, x, step, noise)
        if not found.finite or found.bend > SHARP * abs(found.slope) + 100.0 * found.rounding:
            return True
    return False


# --- differences ----------------------------------------------------------------------------------


class Difference(NamedTuple):
    """The slope of a function by central differences, and what it may be off by.

    `error` is made up of `rounding`, of what is left of the curve, and of `bend`, by which the
    slopes on the two sides fail to meet.  `turns` are the slopes right of x less those left of x,
    for each step.
    """

    slope: float
    error: float
    rounding: float
    bend: float
    turns: tuple[float, float, float]

    @property
    def finite(self) -> bool:
        """Whether the function and its differences are finite."""
        return math.isfinite(self.slope) and math.isfinite(self.bend)

    def turns_smoothly(self, rounding: float) -> bool:
        """Whether a function that is the same on both sides has no kink between them.

        It is constant, or it turns by more than rounding can, and half as much in half the step.
        """
        wide, half, narrow = map(abs, self.turns)
        halves = 2.0 * half <= wide + rounding and 2.0 * narrow <= half + rounding
        return halves and rounding <= wide / 100.0


def is_lost(x: float, step: float) -> bool:
    """Whether x and a quarter of the step beside it are one float."""
    return x + step / 4 == x or x - step / 4 == x


def central_difference(
    f: Callable[[float], float], x: float, step: float, noise: float = 0.0
) -> Difference:
    """The slope of `f` at x from the steps h, h/2 and h/4; values of `f` are off by up to `noise`.

    Differences with a step h are off by a multiple of h² where `f` is smooth, so those of two steps
    give one that is off by h⁴ (Richardson), and those of three say by how much.  Near a kink or a
    jump they may agree and be wrong.  There the slope right of x less that left of x does not halve
    with the step, for one of the two halvings.
    """
    centre = f(x)

    def slope_and_turn(width: float) -> tuple[float, float]:
        left, right = x - width, x + width
        below, above = f(left), f(right)
        # x ± h is rounded, so the step is the distance of the two points.
        return (above - below) / (right - left), ((above - centre) - (centre - below)) / width

    wide, first = slope_and_turn(step)
    half, second = slope_and_turn(step / 2)
    narrow, third = slope_and_turn(step / 4)
    bend = max(abs(first - 2.0 * second), abs(second - 2.0 * third))
    coarse, fine = half + (half - wide) / 3.0, narrow + (narrow - half) / 3.0
    rounding = noise / step
    # The plain difference has the least rounding, the extrapolated one the least of the curve.
    plain, extrapolated = abs(half - wide) * 4.0 / 3.0 + rounding, abs(fine - coarse) + 6 * rounding
    slope, error = (wide, plain) if plain <= extrapolated else (fine, extrapolated)
    return Difference(slope, error + bend, rounding, bend, (first, second, third))
