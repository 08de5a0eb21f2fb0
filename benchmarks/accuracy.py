"""The largest error of each op and its derivatives, in units in the last place, on each backend.

    python benchmarks/accuracy.py

Values, first and second derivatives are computed at random points and compared with those of
mpmath, with 400 digits.  Values are taken at any floats; derivatives where the operands are between
0.001 and 1,000 in size, and where no number that they are computed from is more than 10 times as
large: elsewhere they may cancel.  A row has the errors of the three orders; - is for those that
are 0 everywhere.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

from mpmath import mp, mpf

sys.path.insert(0, str(Path(__file__).parents[1]))

from autograd_rnn import Program, Value, compile_step, record
from autograd_rnn.ops.op import TABLE, Op
from tests.truth import TRUE, differentiable, true_derivative

Point: TypeAlias = tuple[float, ...]
Runner: TypeAlias = Callable[[Sequence[Point]], Sequence[float]]

NORMAL: Final = sys.float_info.min


# --- backends: the outputs of a program at points ------------------------------------------------


def by_python(program: Program) -> Runner:
    return lambda points: [program(*point) for point in points]


def by_numpy(program: Program) -> Runner:
    import numpy as np

    names: dict[str, Any] = {}
    exec(program.numpy(), names)

    def run(points: Sequence[Point]) -> Sequence[float]:
        with np.errstate(all="ignore"):
            found = names["program"](*np.array(points).T)
        return np.broadcast_to(found, len(points)).tolist()

    return run


def by_jax(program: Program) -> Runner:
    import jax
    import numpy as np

    names: dict[str, Any] = {}
    exec(program.jax(), names)

    def run(points: Sequence[Point]) -> Sequence[float]:
        with jax.enable_x64(True):
            found = jax.jit(names["program"])(*np.array(points).T)
        return np.broadcast_to(np.asarray(found), len(points)).tolist()

    return run


def by_native(exact: bool) -> Callable[[Program], Runner]:
    def runner(program: Program) -> Runner:
        def step(state: Any, inputs: Any, parameters: Any) -> Any:
            values = [*inputs, *program.constants]
            for op, operands, _ in program.lines:
                values.append(op(*[values[number] for number in operands]))
            return state, values[program.outputs[0]] * 1.0

        options = {"backend": "native", "exact": exact}
        made = compile_step(step, "squared_error", [Value(0.0)], [], **options)
        return lambda points: [float(z) for z in made.predict([[point] for point in points])]

    return runner


BACKENDS: Final[dict[str, tuple[str, Callable[[Program], Runner]]]] = {
    "python": ("math", by_python),
    "numpy": ("numpy", by_numpy),
    "native": ("llvmlite", by_native(exact=False)),
    "exact": ("llvmlite", by_native(exact=True)),
    "jax": ("jax", by_jax),
}


# --- points --------------------------------------------------------------------------------------


def anywhere(chance: Random) -> float:
    return float(struct.unpack("<d", chance.randbytes(8))[0])


def moderate(chance: Random) -> float:
    return chance.choice([-1.0, 1.0]) * 10.0 ** chance.uniform(-3.0, 3.0)


def points(op: Op, order: int, count: int, chance: Random) -> Iterator[Point]:
    """So many points at which the op has derivatives, the first of 100 tries each."""
    kinds = [moderate] if order else [anywhere, moderate]
    for place in range(count):
        for _ in range(100):
            draw = kinds[place % len(kinds)]
            point = tuple([draw(chance) for _ in range(op.arity)])
            if all(map(math.isfinite, point)) and len(differentiable(op, point)) == op.arity:
                yield point
                break


# --- errors --------------------------------------------------------------------------------------


def truth(op: Op, point: Point, by: Sequence[int]) -> Any:
    """The derivative of the op with respect to these operands, as a number of mpmath."""
    if by:
        return true_derivative(
            op, point, tuple([by.count(place) for place in range(op.arity)]), 400
        )
    with mp.workdps(700):
        return +mpf(TRUE[op.name](*map(mpf, point)))


def ulps(found: float, true: Any) -> float:
    """The distance in units in the last place of the true number, which has an ordinary size."""
    _, exponent = mp.frexp(true)
    return float(abs(mpf(found) - true) / mp.ldexp(1, exponent - 53))


def is_fair(program: Program, point: Point, by: Sequence[int], true: Any) -> bool:
    """Whether the true number is promised to be met."""
    size = abs(true)
    if not NORMAL <= size <= sys.float_info.max:
        return False
    sizes = [abs(z) for z in program._values(point)]
    ordinary = all(z == 0.0 or NORMAL <= z <= sys.float_info.max for z in sizes)
    return not by or (ordinary and size >= 0.1 * max(sizes[program.first_line :], default=1.0))


def differentiated(op: Op, by: Sequence[int], example: Point) -> Program:
    program = record(op, *example)
    for place in by:
        program = program.gradient().select(1 + place)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=400, help="of each op and derivative (400)")
    parser.add_argument("--quick", action="store_true", help="only check that everything runs")
    arguments = parser.parse_args()
    count = 10 if arguments.quick else arguments.points
    backends = {}
    for name, (needs, runner) in BACKENDS.items():
        try:
            __import__(needs)
            backends[name] = runner
        except ImportError:
            print(f"without {name}: {needs} is not installed", file=sys.stderr)
    print("| op | " + " | ".join(backends) + " |")
    print("|---|" + "---|" * len(backends))
    for op in TABLE.values():
        if op.flat or op.name not in TRUE:
            continue
        orders = [largest_errors(op, order, count, backends) for order in range(3)]
        shown = [" / ".join([worst.get(name, "-") for worst in orders]) for name in backends]
        print(f"| {op.name} | {' | '.join(shown)} |", flush=True)


def largest_errors(
    op: Op, order: int, count: int, backends: dict[str, Callable[[Program], Runner]]
) -> dict[str, str]:
    """The largest error on each backend of all derivatives of this order, where there are any."""
    worst: dict[str, float] = {}
    for by in combinations_with_replacement(range(op.arity), order):
        chosen = list(points(op, order, count, Random(f"{op.name}{by}")))
        if not chosen:
            continue
        program = differentiated(op, by, chosen[0])
        truths = [truth(op, point, by) for point in chosen]
        fair = [is_fair(program, x, by, true) for x, true in zip(chosen, truths, strict=True)]
        for name, runner in backends.items():
            for z, true, good in zip(runner(program)(chosen), truths, fair, strict=True):
                if good:
                    worst[name] = max(worst.get(name, 0.0), ulps(z, true))
    return {name: f"{error:.1f}" for name, error in worst.items()}


if __name__ == "__main__":
    main()
