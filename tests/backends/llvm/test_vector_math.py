"""The ops over lanes: those of the C library bit for bit, the others within 2 ulp of the truth."""

import ctypes
import functools
import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from autograd_rnn import ops
from autograd_rnn.backends.llvm.vector_math import definition, support
from autograd_rnn.ops.ieee import same_bits

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.backends.llvm.jit import compile_text, load
from autograd_rnn.backends.llvm.kernel import aligned

INF, NAN, TINY, MAX = math.inf, math.nan, 5e-324, 1.7976931348623157e308
COMPILED = [name for name, op in ops.TABLE.items() if op.llvm is not None]
TRUE: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp,
    "log": mp.log,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
}
#: What the lanes compute by polynomials, and its largest error in ulp.
CLOSE = {"exp": 2, "log": 2, "tanh": 2, "sigmoid": 2, "softplus": 3}
#: The slopes that the lanes have a formula of their own for.
SLOPES: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda x: mp.sech(x) ** 2,
    "sigmoid": lambda x: 1 / (2 + 2 * mp.cosh(x)),
}

SPECIAL = [0.0, 0.25, 0.5, 1.0, 1.0000000000000002, 0.9999999999999999, 2.0, 3.0, 19.1, 20.0, 40.0]
SPECIAL += [TINY, 1e-310, 2.2250738585072014e-308, 1e-300, 1e-20, 2.0**53 + 2, 1e300, MAX, INF]
# Around overflow, underflow, the steps of a formula and the worst points of a long search.
SPECIAL += [709.7, 709.782712893384, 709.7827128933841, 710.0, 708.4, 745.1332191019411, 745.2]
SPECIAL += [746.0, 0.34657359027997264, 0.25541281188299536, 0.6019, 0.4142135623730951]
SPECIAL += [0.25611120421659583, 1.6869689694183818, 269.287679647564, 1.4076932807034954]
SPECIAL += [math.sqrt(2.0), math.sqrt(0.5), 0.8732260789152613, math.pi, math.pi / 2]
SPECIAL = [*SPECIAL, *[-x for x in SPECIAL], NAN]


@functools.cache
def compiled(name: str, lanes: int, slope: bool, exact: bool) -> tuple[Any, Any]:
    """The loop over an array, and what has to live as long as it is called."""
    op = ops.TABLE[name]
    vector = f"<{lanes} x double>"
    given_ = f"{vector} %x" + (f", {vector} %y" if op.arity == 2 else "")
    text = support(lanes, exact) + definition(op, lanes, slope, exact)
    text += f"declare {vector} @llvm.fma.v{lanes}f64({vector}, {vector}, {vector})\n"
    result = f"%z = call {vector} @op_{name}({given_})"
    if slope:
        pair = f"{{{vector}, {vector}}}"
        result = f"%both = call {pair} @both_{name}({given_})\n%z = extractvalue {pair} %both, 1"
    text += f"""
define void @over(ptr %a, ptr %b, ptr %c, i64 %n) nounwind "prefer-vector-width"="512" {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %pa = getelementptr {vector}, ptr %a, i64 %i
  %pb = getelementptr {vector}, ptr %b, i64 %i
  %pc = getelementptr {vector}, ptr %c, i64 %i
  %x = load {vector}, ptr %pa, align {8 * lanes}
  %y = load {vector}, ptr %pb, align {8 * lanes}
  {result}
  store {vector} %z, ptr %pc, align {8 * lanes}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""
    engine = load(compile_text(text))
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)
    return kind(engine.get_function_address("over")), engine


def over_lanes(
    name: str,
    lanes: int,
    xs: Sequence[float],
    ys: Sequence[float] = (),
    *,
    slope: bool = False,
    exact: bool = False,
) -> list[float]:
    """The op on the numbers, as machine code."""
    call, _ = compiled(name, lanes, slope, exact)
    count = -(-len(xs) // lanes)
    a, b, c = [aligned(count, lanes) for _ in range(3)]
    a.reshape(-1)[: len(xs)] = xs
    b.reshape(-1)[: len(ys)] = ys
    call(a.ctypes.data, b.ctypes.data, c.ctypes.data, count)
    return [float(z) for z in c.reshape(-1)[: len(xs)]]


def numbers(seed: int, count: int) -> list[float]:
    chance = random.Random(seed)
    found = list(SPECIAL)
    for _ in range(count):
        found += [chance.uniform(-1, 1), chance.uniform(-30, 30), chance.uniform(-750, 750)]
        found += [chance.choice([-1, 1]) * 10 ** chance.uniform(-12, 2.8)]
        found += [1 + chance.uniform(-1, 1) * 2.0 ** chance.uniform(-52, -1)]
        # Next to a multiple of log(2)/2, where a reduced argument is smallest or changes sign.
        found += [chance.randint(-2200, 2200) * math.log(2) / 4 * (1 + chance.uniform(-1e-9, 1e-9))]
        found += struct.unpack("<d", chance.randbytes(8))
    return found


def ulps(found: float, true: Any) -> float:
    """The distance in ulp; from 2**1024 on, infinity is right, and as good as that before."""
    beyond = mpf(2) ** 1024
    if math.isinf(found):
        found, true = math.copysign(1.0, found) * beyond, max(min(true, beyond), -beyond)
    _, exponent = mp.frexp(true)
    return float(abs(found - true) / mp.ldexp(1, max(min(exponent, 1024) - 53, -1074)))


def expected(name: str, x: float, y: float) -> float:
    op = ops.TABLE[name]
    return op.value(*[x, y][: op.arity])


def corrected(name: str, x: float) -> bool:
    """Whether `ieee.py` may correct what the C library says, next to a zero far from 0."""
    size = abs(expected(name, x, x))
    return name in ("sin", "cos", "tan") and abs(x) >= 1.0 and not 1e-9 <= size <= 1e9


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("name", COMPILED)
def test_they_are_the_tables_to_the_bit(name: str, lanes: int, exact: bool) -> None:
    if name in CLOSE and not exact:
        return
    pairs = [(x, y) for x in SPECIAL for y in SPECIAL]
    pairs += list(zip(numbers(1, 300), numbers(2, 300), strict=True))
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    for x, y, z in zip(xs, ys, over_lanes(name, lanes, xs, ys, exact=exact), strict=True):
        right = expected(name, x, y)
        assert same_bits(z, right) or (corrected(name, x) and abs(z - right) <= math.ulp(right)), (
            *(x, y, z, right),
        )


@pytest.mark.parametrize("name", COMPILED)
@given(x=st.floats(), y=st.floats())
def test_they_are_the_tables_to_the_bit_for_any_floats(name: str, x: float, y: float) -> None:
    if not corrected(name, x):
        (z,) = over_lanes(name, 8, [x], [y], exact=True)
        assert same_bits(z, expected(name, x, y))


def check_close(name: str, xs: Sequence[float], found: Sequence[float]) -> None:
    with mp.workprec(200):
        for x, z in zip(xs, found, strict=True):
            right = ops.TABLE[name].value(x)
            if not math.isfinite(x) or not math.isfinite(right) or right == 0.0:
                assert same_bits(z, right) or ulps(z, TRUE[name](mpf(x))) <= 1, (x, z, right)
            else:
                assert ulps(z, TRUE[name](mpf(x))) <= CLOSE[name], (x, z, right)


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("name", sorted(CLOSE))
def test_the_others_are_close_everywhere(name: str, lanes: int) -> None:
    xs = numbers(lanes, 600)
    check_close(name, xs, over_lanes(name, lanes, xs))


@pytest.mark.parametrize("name", sorted(CLOSE))
@given(xs=st.lists(st.floats() | st.floats(-40, 40), min_size=1, max_size=20))
def test_the_others_are_close_for_any_floats(name: str, xs: list[float]) -> None:
    check_close(name, xs, over_lanes(name, 8, xs))


@pytest.mark.parametrize("name", [n for n, op in ops.TABLE.items() if op.llvm_slope is not None])
def test_slopes_are_the_partials(name: str) -> None:
    op = ops.TABLE[name]
    xs = numbers(5, 500)
    with mp.workprec(200):
        for x, z in zip(xs, over_lanes(name, 8, xs, slope=True), strict=True):
            if math.isfinite(x):
                error = ulps(z, SLOPES[name](mpf(x)))
                assert error <= 7 or (z < 1e-307 and error <= 16), (x, z, error)
            else:
                assert same_bits(z, op.partials[0](x, op.value(x)))


@pytest.mark.parametrize("name", COMPILED)
def test_a_nan_stays_one_whatever_its_bits(name: str) -> None:
    bits = [0x7FF8000000000000, 0x7FF8000000000001, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF]
    nans = np.array([*bits, *[b - 2**63 for b in bits]], dtype=np.int64).view(np.float64)
    assert np.isnan(over_lanes(name, 8, nans, nans)).all()
    if ops.TABLE[name].llvm_slope is not None:
        assert np.isnan(over_lanes(name, 8, nans, slope=True)).all()


def test_vectors_are_computed_without_a_call_or_many_instructions() -> None:
    for name, most in (("exp", 30), ("tanh", 25), ("sigmoid", 35)):
        text = support(8)
        body = text[text.index(f"@lanes_{name}(") :]
        lines = body[: body.index("}")].splitlines()[1:-1]
        assert not [line for line in lines if "call" in line and "@llvm." not in line]
        # Those on bits as such are none, nor is a negation; a comparison and selection are one.
        counted = [
            line for line in lines if not any(w in line for w in ("bitcast", "fneg", "fcmp"))
        ]
        assert len(counted) <= most, (name, len(counted))


def test_an_op_is_compiled_by_its_own_template() -> None:
    before = dict(ops.TABLE)
    try:
        ops.primitive(
            "own_cosh",
            math.cosh,
            lambda x, z: (ops.exp(x) - ops.exp(-x)) / 2,
            llvm="""%minus = fneg {v} %x
            %a = call {v} @lanes_exp({v} %x)
            %b = call {v} @lanes_exp({v} %minus)
            %c = fadd {flags}{v} %a, %b
            %z = fdiv {flags}{v} %c, {two}""",
        )
        found = over_lanes("own_cosh", 8, [0.0, 1.0, -2.0])
        assert found == pytest.approx([1.0, math.cosh(1.0), math.cosh(2.0)], rel=1e-15)
    finally:
        compiled.cache_clear()
        ops.TABLE.clear()
        ops.TABLE.update(before)
