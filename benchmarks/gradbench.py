"""GradBench's judge talks to autograd_rnn through this: JSON messages in, JSON responses out.

    gradbench run --eval "gradbench eval particle" --tool "python benchmarks/gradbench.py"

A message is a line of JSON (https://github.com/gradbench/gradbench).  The evals below are written
from their descriptions there.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import chain, pairwise
from time import perf_counter, perf_counter_ns
from typing import Any, Final

from autograd_rnn import Value, dot, exp, grad, jvp, log, maximum, sigmoid, sqrt, tanh

Function = Callable[..., Any]
Gradient = Callable[[Function, Sequence[Any]], Sequence[Any]]


def by_reverse(f: Function, at: Sequence[Any]) -> Sequence[Any]:
    """The gradient by one backward sweep."""
    slopes: Sequence[Any] = grad(f, argnums=range(len(at)))(*at)
    return slopes


def by_forward(f: Function, at: Sequence[Any]) -> Sequence[Any]:
    """The gradient by a forward sweep for each input."""
    units = [[float(place == other) for other in range(len(at))] for place in range(len(at))]
    return [jvp(f, at, unit)[1] for unit in units]


MODES: Final[dict[str, Gradient]] = {"r": by_reverse, "f": by_forward}

# --- nested: particle, saddle --------------------------------------------------------------------

NEAR: Final = 1e-5


def minimise(f: Function, start: Sequence[Any], gradient: Gradient) -> Sequence[Any]:
    """Gradient descent as Pearlmutter and Siskind have it, whose rate adapts itself."""
    at, value, slopes = start, f(*start), gradient(f, start)
    rate, steps = 1e-5, 0
    while size(slopes) > NEAR:
        if steps == 10:
            rate, steps = 2.0 * rate, 0
            continue
        there = [x - rate * slope for x, slope in zip(at, slopes, strict=True)]
        if size([x - y for x, y in zip(at, there, strict=True)]) <= NEAR:
            break
        if (below := f(*there)) < value:
            at, value, slopes, steps = there, below, gradient(f, there), steps + 1
        else:
            rate, steps = rate / 2.0, 0
    return at


def size(vector: Sequence[Any]) -> float:
    return math.sqrt(sum([number(x) ** 2 for x in vector]))


def number(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)


def particle(given: Any, outer: Gradient, inner: Gradient) -> float:
    """The control w by which a charged particle is steered into the origin."""

    def miss(w: Any) -> Any:
        def potential(x: Any, y: Any) -> Any:
            distances = [sqrt((x - 10.0) ** 2 + (y - end) ** 2) for end in (10.0 - w, 0.0)]
            return 1.0 / distances[0] + 1.0 / distances[1]

        at: Sequence[Any] = (0.0, 8.0)
        velocity: Sequence[Any] = (0.75, 0.0)
        while True:
            slopes = inner(potential, at)
            after = [x + 0.1 * v for x, v in zip(at, velocity, strict=True)]
            if after[1] <= 0.0:
                break
            at, velocity = after, [v - 0.1 * s for v, s in zip(velocity, slopes, strict=True)]
        return (at[0] - at[1] / velocity[1] * velocity[0]) ** 2

    (w,) = minimise(miss, [given["w"]], outer)
    return number(w)


def saddle(given: Any, outer: Gradient, inner: Gradient) -> list[float]:
    """The point x that minimises the maximum over y of |x|² - |y|², and that y."""
    start = given["start"]

    def worst(*x: Any) -> tuple[Sequence[Any], Any]:
        def below(*y: Any) -> Any:
            return (y[0] * y[0] + y[1] * y[1]) - (x[0] * x[0] + x[1] * x[1])

        y = minimise(below, start, inner)
        return y, -below(*y)

    x = minimise(lambda *x: worst(*x)[1], start, outer)
    return [number(entry) for entry in (*x, *worst(*x)[0])]


def nested(task: Callable[[Any, Gradient, Gradient], Any]) -> dict[str, Function]:
    """The task in all four nestings: the first letter is the outer mode."""
    return {
        first + second: lambda given, o=outer, i=inner: task(given, o, i)
        for first, outer in MODES.items()
        for second, inner in MODES.items()
    }


# --- gradients -----------------------------------------------------------------------------------


def lstm_loss(given: Any, *flat: Any) -> Any:
    """The loss of ADBench's LSTM, whose matrices are diagonal."""
    width, layers = len(given["sequence"][0]), len(given["state"]) // 2
    parts = [flat[k : k + width] for k in range(0, len(flat), width)]
    state = [list(row) for row in given["state"]]
    (scale, out, offset), total = parts[8 * layers :], 0.0
    for x, target in pairwise(given["sequence"]):
        h = [a * b for a, b in zip(x, scale, strict=True)]
        for layer in range(layers):
            gates = parts[8 * layer : 8 * layer + 8]
            hidden, cell = state[2 * layer : 2 * layer + 2]
            for i in range(width):
                f, g, o, c = [(w[i], b[i]) for w, b in zip(gates[:4], gates[4:], strict=True)]
                forget, ingate = sigmoid(h[i] * f[0] + f[1]), sigmoid(hidden[i] * g[0] + g[1])
                outgate, change = sigmoid(h[i] * o[0] + o[1]), tanh(hidden[i] * c[0] + c[1])
                cell[i] = cell[i] * forget + ingate * change
                hidden[i] = outgate * tanh(cell[i])
            h = hidden
        z = [a * b + c for a, b, c in zip(h, out, offset, strict=True)]
        share = log(sum([exp(entry) for entry in z]) + 2.0)
        total = total + dot(target, [entry - share for entry in z])
    return -total / float(width * (len(given["sequence"]) - 1))


def lstm_weights(given: Any) -> list[float]:
    return [*chain(*given["main_params"], *given["extra_params"])]


def ode(given: Any, *x: Any) -> list[Any]:
    """The solution at t = 2 of y₀′ = x₀, yᵢ′ = xᵢ·yᵢ₋₁ by Runge and Kutta's rule."""
    h, y = 2.0 / given["s"], [0.0] * len(x)

    def slope(y: Sequence[Any]) -> list[Any]:
        return [x[0], *[a * b for a, b in zip(x[1:], y[:-1], strict=True)]]

    def moved(step: float, slopes: Sequence[Any]) -> list[Any]:
        return [a + step * b for a, b in zip(y, slopes, strict=True)]

    for _ in range(given["s"]):
        first = slope(y)
        second = slope(moved(h / 2.0, first))
        third = slope(moved(h / 2.0, second))
        fourth = slope(moved(h, third))
        mean = zip(first, second, third, fourth, strict=True)
        y = moved(h / 6.0, [a + 2.0 * b + 2.0 * c + d for a, b, c, d in mean])
    return y


def determinant(given: Any, *entries: Any) -> Any:
    """The determinant by expansion by minors."""
    side = given["ell"]
    rows = [entries[k : k + side] for k in range(0, len(entries), side)]

    def minor(row: int, columns: tuple[int, ...]) -> Any:
        if not columns:
            return 1.0
        terms = [
            rows[row][column] * minor(row + 1, columns[:place] + columns[place + 1 :])
            for place, column in enumerate(columns)
        ]
        return sum([-term if place % 2 else term for place, term in enumerate(terms)])

    return minor(0, tuple(range(side)))


def log_sum_exp(given: Any, *x: Any) -> Any:
    largest = reduce(maximum, x)
    return largest + log(sum([exp(entry - largest) for entry in x]))


def least_squares(given: Any, *x: Any) -> Any:
    """Half the squared distance of a polynomial with the coefficients x from the sign of t."""
    count, total = given["n"], 0.0
    for place in range(count):
        t = -1.0 + place * 2.0 / (count - 1)
        value = reduce(lambda value, coefficient: value * t + coefficient, reversed(x))
        rest = float((t > 0) - (t < 0)) - value
        total = total + rest * rest
    return total / 2.0


def scalar(f: Function, entries: Callable[[Any], Sequence[float]]) -> tuple[Function, Function]:
    """The value of a function of these entries, and its gradient."""
    return (
        lambda given: f(given, *entries(given)),
        lambda given: list(by_reverse(lambda *x: f(given, *x), entries(given))),
    )


def primal_and_gradient(f: Function, name: str) -> dict[str, Function]:
    return dict(zip(("primal", "gradient"), scalar(f, lambda given: given[name]), strict=True))


TASKS: Final[dict[str, dict[str, Function]]] = {
    "hello": {"square": lambda x: x * x, "double": grad(lambda x: x * x)},
    "particle": nested(particle),
    "saddle": nested(saddle),
    "lstm": dict(zip(("objective", "jacobian"), scalar(lstm_loss, lstm_weights), strict=True)),
    "ode": {
        "primal": lambda given: ode(given, *given["x"]),
        "gradient": scalar(lambda given, *x: ode(given, *x)[-1], lambda given: given["x"])[1],
    },
    "det": primal_and_gradient(determinant, "A"),
    "lse": primal_and_gradient(log_sum_exp, "x"),
    "llsq": primal_and_gradient(least_squares, "x"),
}

# --- the protocol --------------------------------------------------------------------------------


def evaluate(function: Function, given: Any) -> dict[str, Any]:
    """The output of the function, called as often as the input asks, and the times it took."""
    wanted = given if isinstance(given, dict) else {}
    timings: list[dict[str, Any]] = []
    begin = perf_counter()
    while True:
        start = perf_counter_ns()
        output = function(given)
        timings.append({"name": "evaluate", "nanoseconds": perf_counter_ns() - start})
        enough = len(timings) >= wanted.get("min_runs", 1)
        if enough and perf_counter() - begin >= wanted.get("min_seconds", 0):
            return {"success": True, "output": output, "timings": timings}


def respond(message: dict[str, Any]) -> dict[str, Any]:
    """What the protocol has as the response to a message."""
    kind = message["kind"]
    if kind == "start":
        return {"tool": "autograd_rnn"}
    if kind == "define":
        return {"success": message["module"] in TASKS}
    if kind == "evaluate":
        try:
            return evaluate(TASKS[message["module"]][message["function"]], message["input"])
        except Exception as error:
            return {"success": False, "error": f"{type(error).__name__}: {error}"}
    return {}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["kind"] == "end":
            break
        print(json.dumps({"id": message["id"], **respond(message)}), flush=True)


if __name__ == "__main__":
    main()
