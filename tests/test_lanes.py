"""The ops over lanes: bit for bit the table's, but for what the lanes compute themselves."""

import ctypes
import math
import random

import numpy as np
import pytest
from mpmath import mp, mpf

from autograd_rnn import ops
from autograd_rnn.ieee import same_bits
from autograd_rnn.lanes import definition, support

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.native import aligned, compile_text

COMPILED = [name for name, op in ops.TABLE.items() if op.llvm is not None]
#: What the lanes compute by polynomials; the largest error allowed, in ulp.
CLOSE = {"exp": 2, "tanh": 3, "sigmoid": 4, "softplus": 4}
TRUE = {
    "exp": mp.exp,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
}
SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    5e-324,
    -5e-324,
    1e-310,
    1e308,
    -1e308,
    0.5,
    -3.0,
    2.0,
    20.0,
    710.0,
]
SPECIAL += [710.0, -745.0, -746.0, 709.7, 19.1, -40.0, math.inf, -math.inf, math.nan]


def over_lanes(name: str, lanes: int, xs: list[float], ys: list[float], slope: bool = False):  # type: ignore[no-untyped-def]
    """The op on the numbers, as machine code."""
    op = ops.TABLE[name]
    vector = f"<{lanes} x double>"
    arguments = f"{vector} %x" + (f", {vector} %y" if op.arity == 2 else "")
    text = support(lanes) + definition(op, lanes, slope)
    text += f"declare {vector} @llvm.fma.v{lanes}f64({vector}, {vector}, {vector})\n"
    text += f"""
define void @over(ptr %a, ptr %b, ptr %c) {{
  %x = load {vector}, ptr %a, align {8 * lanes}
  %y = load {vector}, ptr %b, align {8 * lanes}
  %z = call {vector} @{"slope" if slope else "op"}_{name}({arguments})
  store {vector} %z, ptr %c, align {8 * lanes}
  ret void
}}
"""
    engine = compile_text(text)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(engine.get_function_address("over"))
    found = []
    for start in range(0, len(xs), lanes):
        a, b, c = aligned(lanes), aligned(lanes), aligned(lanes)
        some = xs[start : start + lanes]
        a[: len(some)], b[: len(some)] = some, ys[start : start + lanes]
        call(a.ctypes.data, b.ctypes.data, c.ctypes.data)
        found += [float(z) for z in c[: len(some)]]
    return found


def numbers(seed: int, count: int) -> list[float]:
    chance = random.Random(seed)
    spread = [chance.uniform(-30, 30) for _ in range(count)]
    small = [chance.choice([-1, 1]) * 10 ** chance.uniform(-12, 2.8) for _ in range(count)]
    return [*SPECIAL, *spread, *small]


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("name", [name for name in COMPILED if name not in CLOSE])
def test_most_ops_are_the_tables_to_the_bit(name: str, lanes: int) -> None:
    op = ops.TABLE[name]
    xs = numbers(1, 100)
    pairs = [(x, y) for x in SPECIAL for y in SPECIAL] + list(zip(xs, numbers(2, 100), strict=True))
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    for x, y, z in zip(a, b, over_lanes(name, lanes, a, b), strict=True):
        assert same_bits(z, op.value(*[x, y][: op.arity])), (x, y, z)


@pytest.mark.parametrize("lanes", [2, 8])
@pytest.mark.parametrize("name", sorted(CLOSE))
def test_the_others_are_close_everywhere(name: str, lanes: int) -> None:
    xs = numbers(3, 1500)
    with mp.workprec(200):
        for x, z in zip(xs, over_lanes(name, lanes, xs, xs), strict=True):
            expected = ops.TABLE[name].value(x)
            if not math.isfinite(expected) or expected == 0.0 or not math.isfinite(x):
                assert same_bits(z, expected) or z == 5e-324, (x, z, expected)
                continue
            error = abs(mpf(z) - TRUE[name](mpf(x))) / mpf(math.ulp(expected))
            assert error <= CLOSE[name], (x, z, float(error))


@pytest.mark.parametrize("name", [n for n, op in ops.TABLE.items() if op.llvm_slope is not None])
def test_slopes_are_the_partials(name: str) -> None:
    op = ops.TABLE[name]
    xs = [x for x in numbers(5, 1000) if abs(x) < 300]
    for x, slope in zip(xs, over_lanes(name, 8, xs, xs, slope=True), strict=True):
        assert slope == pytest.approx(op.partials[0](x, op.value(x)), rel=4e-15, abs=1e-300)


def test_a_nan_stays_one() -> None:
    for name in COMPILED:
        assert np.isnan(over_lanes(name, 8, [math.nan] * 8, [math.nan] * 8)).all() or name == "pow"
