"""The semantics, naive and recursive: what every reader of a graph must equal.

A `Node` is a leaf (`op` is None, `data` given) or an op's name with its operands.  Nothing here is
shared with the package: the values, the partials, the order of summation, the copies and the sum
through a separating set are each written down once more, in the most obvious way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from mpmath import mp, mpf

INF, NAN = math.inf, math.nan


@dataclass(eq=False)
class Node:
    op: str | None = None
    operands: tuple[Node, ...] = ()
    data: float = NAN
    constant: bool = False
    name: str | None = field(default=None)

    def __post_init__(self) -> None:
        # A comparison changes with its operands nowhere, so it is never differentiated either, nor
        # is what `when` or `unless` did not choose.
        self.constant = self.constant or self.op in ("greater", "equal", "stop_gradient")
        if self.op in ("when", "unless"):
            self.constant = PARTIALS[self.op][0](NAN, self.condition()) == 0

    def condition(self) -> float:
        """The number that chooses."""
        return value(self.operands[1])


# --- values: IEEE arithmetic, no exception -------------------------------------------------------


def divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    if x == 0 or math.isnan(x) or math.isnan(y):
        return NAN
    return math.copysign(1, x) * math.copysign(1, y) * INF


def power(x: float, y: float) -> float:
    odd = math.isfinite(y) and y == int(y) and int(y) % 2 == 1
    if x == 0 and y < 0:
        return math.copysign(INF, x) if odd else INF
    if -INF < x < 0 and math.isfinite(y) and y != int(y):
        return NAN
    try:
        return math.pow(x, y)
    except OverflowError:
        return -INF if x < 0 and odd else INF


def exp(x: float) -> float:
    return math.exp(x) if not x > 709.782712893384 else INF


def log(x: float) -> float:
    return math.log(x) if x > 0 else -INF if x == 0 else NAN


def sqrt(x: float) -> float:
    return NAN if x < 0 else math.sqrt(x)


def sine(x: float) -> float:
    return NAN if math.isinf(x) else trigonometric(math.sin(x), mp.sin, x)


def cosine(x: float) -> float:
    return NAN if math.isinf(x) else trigonometric(math.cos(x), mp.cos, x)


def trigonometric(z: float, true: Callable[[mpf], mpf], x: float) -> float:
    """libm's, but the true one where it is close to 0, and libm's a few ulp off."""
    if math.isnan(x) or abs(z) >= 1e-9 or abs(x) < 1:
        return z
    with mp.workprec(1400):
        return float(true(mpf(x)))


def tangent(x: float) -> float:
    """libm's, but where it is close to 0 or large the quotient of the others."""
    if math.isinf(x):
        return NAN
    z = math.tan(x)
    return z if abs(x) < 1 or 1e-9 <= abs(z) <= 1e9 or math.isnan(x) else sine(x) / cosine(x)


def rises(function: Callable[[float], float], x: float) -> float:
    """A function that overflows far from 0: to an infinity of the sign that it has on that side."""
    try:
        return function(x)
    except OverflowError:
        return function(math.copysign(1, x)) * INF


def within(function: Callable[[float], float], low: float, high: float, x: float) -> float:
    """A function that is NaN outside of an interval."""
    return function(x) if not (x < low or x > high) else NAN


def logarithm(function: Callable[[float], float], zero: float, x: float) -> float:
    """A logarithm whose argument is 0 at `zero`."""
    return -INF if x == zero else function(x) if not x < zero else NAN


def distance(x: float, y: float) -> float:
    """libm's hypot, which is a complex number's size: `math.hypot` is another function."""
    try:
        return abs(complex(x, y))
    except OverflowError:
        return INF


def modulo(x: float, y: float) -> float:
    return NAN if y == 0 or math.isinf(x) else x % y


def choice(x: float, condition: float, wanted: bool) -> float:
    """x if the condition is what is wanted, else -0, which changes no sum; NaN for NaN."""
    if math.isnan(condition):
        return NAN
    return x if (condition != 0) == wanted else -0.0


def sigmoid(x: float) -> float:
    """With e = e^-|x|: e/(1 + e) below 0, corrected by its remainder; 1 less above."""
    e = math.exp(-abs(x))
    quotient = e / (1 + e)
    remainder = e - quotient - e * quotient
    quotient += remainder / (1 + e)
    return 1 - quotient if x >= 0 else quotient


def softplus(x: float) -> float:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


def largest(x: float, y: float) -> float:
    """NaN where one is NaN, and 0 where one is 0 and the other -0."""
    if math.isnan(x) or math.isnan(y):
        return NAN
    if x == 0 and y == 0:
        return x + y
    return x if x >= y else y


def compare(holds: bool, *operands: float) -> float:
    """1 or 0, and NaN where an operand is NaN."""
    return NAN if any(map(math.isnan, operands)) else float(holds)


VALUES = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": divide,
    "pow": power,
    "neg": lambda x: -x,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "tanh": math.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": lambda x: x if x > 0 or math.isnan(x) else 0.0,
    "step": lambda x: compare(x > 0, x),
    "sin": sine,
    "cos": cosine,
    "abs": abs,
    "maximum": largest,
    "minimum": lambda x, y: -largest(-x, -y),
    "greater": lambda x, y: compare(x > y, x, y),
    "equal": lambda x, y: compare(x == y, x, y),
    "stop_gradient": lambda x: x,
    "when": lambda x, c: choice(x, c, True),
    "unless": lambda x, c: choice(x, c, False),
    "weighted": lambda x, y: x if x == 0 else x * y,
    "log2": lambda x: logarithm(math.log2, 0.0, x),
    "log10": lambda x: logarithm(math.log10, 0.0, x),
    "log1p": lambda x: logarithm(math.log1p, -1.0, x),
    "exp2": lambda x: rises(math.exp2, x),
    "expm1": lambda x: rises(math.expm1, x),
    "cbrt": math.cbrt,
    "tan": tangent,
    "sinh": lambda x: rises(math.sinh, x),
    "cosh": lambda x: rises(math.cosh, x),
    "arcsin": lambda x: within(math.asin, -1.0, 1.0, x),
    "arccos": lambda x: within(math.acos, -1.0, 1.0, x),
    "arctan": math.atan,
    "arcsinh": math.asinh,
    "arccosh": lambda x: within(math.acosh, 1.0, INF, x),
    "arctanh": lambda x: x * INF if abs(x) == 1 else within(math.atanh, -1.0, 1.0, x),
    "arctan2": math.atan2,
    "hypot": distance,
    "mod": modulo,
}

# --- partials: one per operand, with the conventions at kinks and edges --------------------------


def power_by_base(x: float, y: float) -> float:
    """y·x**(y-1), or y·(x**y)/x where y - 1 would be rounded; 0 for y = 0: x**0 is 1 everywhere."""
    if y == 0:
        return y
    z = power(x, y)
    rounded = not math.isfinite(y) or Fraction(y - 1) != Fraction(y) - 1
    if rounded and z != 0 != x and math.isfinite(x):
        return divide(y * z, x)
    return y * power(x, y - 1)


def power_by_exponent(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y) or x < 0:
        return NAN
    if x == 0:
        return 0.0 if y >= 0 else -INF
    return power(x, y) * log(x)


def square_less_one(x: float) -> float:
    """x² - 1, without cancellation where it is small."""
    return (x - 1) * (x + 1) + 0.0 if abs(x) < 2 else x * x - 1


def share(x: float, y: float) -> float:
    """1 where x is the larger one, 0 where the smaller one, a half where they are equal."""
    return compare(x > y, x, y) + compare(x == y, x, y) / 2


PARTIALS = {
    "add": (lambda x, y: 1.0, lambda x, y: 1.0),
    "sub": (lambda x, y: 1.0, lambda x, y: -1.0),
    "mul": (lambda x, y: y, lambda x, y: x),
    "div": (lambda x, y: divide(1.0, y), lambda x, y: divide(-divide(x, y), y)),
    "pow": (power_by_base, power_by_exponent),
    "neg": (lambda x: -1.0,),
    "exp": (exp,),
    "log": (lambda x: divide(1.0, x),),
    "sqrt": (lambda x: INF if x == 0 else divide(0.5, sqrt(x)),),
    "tanh": (lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x),),  # 1 - tanh², without cancelling
    "sigmoid": (lambda x: sigmoid(x) * sigmoid(-x),),
    "softplus": (sigmoid,),
    "relu": (lambda x: compare(x > 0, x),),
    "step": (lambda x: compare(False, x),),
    "sin": (cosine,),
    "cos": (lambda x: -sine(x),),
    "abs": (lambda x: compare(x > 0, x) - compare(x < 0, x),),
    "maximum": (lambda x, y: share(x, y), lambda x, y: share(y, x)),
    "minimum": (lambda x, y: share(y, x), lambda x, y: share(x, y)),
    "greater": (lambda x, y: 0.0, lambda x, y: 0.0),
    "equal": (lambda x, y: 0.0, lambda x, y: 0.0),
    "stop_gradient": (lambda x: 0.0,),
    "when": (lambda x, c: compare(c != 0, c), lambda x, c: c if math.isnan(c) else 0.0),
    "unless": (lambda x, c: compare(c == 0, c), lambda x, c: c if math.isnan(c) else 0.0),
    "weighted": (lambda x, y: y, lambda x, y: x),
    "log2": (lambda x: divide(1 / math.log(2), x),),
    "log10": (lambda x: divide(1 / math.log(10), x),),
    "log1p": (lambda x: divide(1.0, 1 + x),),
    "exp2": (lambda x: math.log(2) * VALUES["exp2"](x),),
    "expm1": (exp,),
    "cbrt": (lambda x: INF if x == 0 else divide(math.cbrt(x), 3 * x),),
    "tan": (lambda x: 1 + tangent(x) * tangent(x),),
    "sinh": (lambda x: rises(math.cosh, x),),
    "cosh": (lambda x: rises(math.sinh, x),),
    "arcsin": (lambda x: divide(1.0, sqrt(-square_less_one(x) + 0.0)),),
    "arccos": (lambda x: divide(-1.0, sqrt(-square_less_one(x) + 0.0)),),
    "arctan": (lambda x: divide(1.0, 1 + x * x),),
    "arcsinh": (lambda x: divide(1.0, distance(x, 1.0)),),
    "arccosh": (lambda x: divide(divide(1.0, sqrt(x + 1.0)), sqrt(x - 1.0)),),
    "arctanh": (lambda x: divide(1.0, -square_less_one(x) + 0.0),),
    "arctan2": (
        lambda y, x: divide(divide(x, distance(y, x)), distance(y, x)),
        lambda y, x: divide(divide(-y, distance(y, x)), distance(y, x)),
    ),
    "hypot": (lambda x, y: divide(x, distance(x, y)), lambda x, y: divide(y, distance(x, y))),
    "mod": (lambda x, y: 1.0, lambda x, y: divide(modulo(x, y), y) - divide(x, y)),
}

# --- the graph -----------------------------------------------------------------------------------


def value(node: Node) -> float:
    return node.data if node.op is None else VALUES[node.op](*map(value, node.operands))


def partial(node: Node, position: int) -> float:
    if node.operands[position].constant:
        return 0.0
    return PARTIALS[node.op][position](*map(value, node.operands))


def topological(*roots: Node) -> list[Node]:
    """Inputs first: each root's operands from left to right, then the root, nothing twice."""
    order: list[Node] = []

    def visit(node: Node) -> None:
        if not any(node is met for met in order):
            for operand in node.operands:
                visit(operand)
            order.append(node)

    for root in roots:
        visit(root)
    return order


def swept(output: Node) -> list[Node]:
    """The same without what is computed for constants only: no sweep enters one."""
    order: list[Node] = []

    def visit(node: Node) -> None:
        if not any(node is met for met in order):
            for operand in () if node.constant else node.operands:
                visit(operand)
            order.append(node)

    visit(output)
    return order


def edges(node: Node, output: Node) -> list[tuple[Node, int]]:
    """The copies of `node`: each use by a consumer at a position, in topological order."""
    return [
        (consumer, position)
        for consumer in topological(output)
        for position, operand in enumerate(consumer.operands)
        if operand is node
    ]


def matters(node: Node, output: Node) -> bool:
    """Whether a path of nodes that are no constants leads from the node to the output."""
    if node.constant or node is output:
        return not node.constant
    return any(matters(consumer, output) for consumer, _ in edges(node, output))


def adjoint(node: Node, output: Node, seed: float = 1.0) -> float:
    """∂output/∂node: the seed, or one term per copy, summed from the last consumer to the first.

    A consumer that uses the node at two positions adds the term of its first position first, and
    one that does not matter adds none, not even 0 · inf.
    """
    if node.constant:
        return 0.0
    if node is output:
        return seed
    uses = [use for use in edges(node, output) if matters(use[0], output)]
    uses.sort(key=lambda use: -swept(output).index(use[0]))
    terms = [copy_adjoint(use, output, seed) for use in uses]
    total = terms[0] if terms else 0.0
    for term in terms[1:]:
        total += term
    return total


def copy_adjoint(use: tuple[Node, int], output: Node, seed: float = 1.0) -> float:
    consumer, position = use
    return adjoint(consumer, output, seed) * partial(consumer, position)


# --- the same derivative as a sum over paths, exact in fractions ---------------------------------

Stop = Node | tuple[Node, int]


def path_sum(source: Node, output: Node, avoid: tuple[Stop, ...] = ()) -> Fraction:
    """The sum, over the paths from `source` to `output` that meet no member of `avoid` on the way,
    of the products of the partials."""
    if source is output:
        return Fraction(1)
    total = Fraction(0)
    for consumer, position in edges(source, output):
        if consumer not in avoid and (consumer, position) not in avoid:
            step = Fraction(partial(consumer, position))
            total += step * path_sum(consumer, output, avoid)
    return total


def through(cut: tuple[Stop, ...], source: Node, output: Node) -> Fraction:
    """Σₛ (∂L/∂s)|ₛ · ds/dx: each path counted at its last member of the cut."""
    total = Fraction(0)
    for member in cut:
        if isinstance(member, Node):
            total += path_sum(member, output, cut) * path_sum(source, member)
        else:
            consumer, position = member
            after = Fraction(0) if consumer in cut else path_sum(consumer, output, cut)
            of_parameter = path_sum(source, consumer.operands[position])
            total += after * Fraction(partial(consumer, position)) * of_parameter
    return total
