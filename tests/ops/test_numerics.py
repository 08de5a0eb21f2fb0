"""The numbers: values and partials against the true ones, infinities and zeros against NumPy."""

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from autograd_rnn import Value, topological
from autograd_rnn.ops import ieee
from autograd_rnn.ops.ieee import same_bits as same
from autograd_rnn.ops.op import TABLE, Op

EVERY_OP = [pytest.param(op, id=name) for name, op in TABLE.items()]
TINY, MAX, INF, NAN = 5e-324, sys.float_info.max, math.inf, math.nan
NORMAL = sys.float_info.min
BEYOND = mpf(2) ** 1024  # the first power of two that is not a float

# --- the truth ------------------------------------------------------------------------------------


def in_whole_numbers(x: Any) -> Fraction:
    return Fraction(float(x))


def exact(x: Fraction) -> Any:
    return mpf(x.numerator) / x.denominator


#: The value of each op, and its partials by each operand, in other formulas than the package's.
#: Every function of mpmath is right to the precision at work, the largest arguments included.
TRUE: dict[str, tuple[Callable[..., Any], tuple[Callable[..., Any], ...]]] = {
    "add": (lambda x, y: x + y, (lambda x, y: 1, lambda x, y: 1)),
    "sub": (lambda x, y: x - y, (lambda x, y: 1, lambda x, y: -1)),
    "mul": (lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    "div": (lambda x, y: x / y, (lambda x, y: 1 / y, lambda x, y: -x / y**2)),
    "pow": (
        lambda x, y: x**y,
        # x**(y - 1) would round y - 1, which may be odd and beyond the precision.
        (lambda x, y: y * x**y / x, lambda x, y: x**y * mp.log(x) if x > 0 else mp.nan),
    ),
    "neg": (lambda x: -x, (lambda x: -1,)),
    "exp": (mp.exp, (mp.exp,)),
    "log": (mp.log, (lambda x: 1 / x,)),
    "sqrt": (mp.sqrt, (lambda x: 1 / (2 * mp.sqrt(x)),)),
    "tanh": (mp.tanh, (lambda x: mp.sech(x) ** 2,)),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), (lambda x: 1 / (2 + 2 * mp.cosh(x)),)),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), (lambda x: 1 / (1 + mp.exp(-x)),)),
    "relu": (lambda x: max(x, mpf(0)), (lambda x: x > 0,)),
    "step": (lambda x: x > 0, (lambda x: 0,)),
    "sin": (mp.sin, (mp.cos,)),
    "cos": (mp.cos, (lambda x: -mp.sin(x),)),
    "abs": (abs, (mp.sign,)),
    "maximum": (
        max,
        (lambda x, y: (1 + mp.sign(x - y)) / 2, lambda x, y: (1 + mp.sign(y - x)) / 2),
    ),
    "minimum": (
        min,
        (lambda x, y: (1 + mp.sign(y - x)) / 2, lambda x, y: (1 + mp.sign(x - y)) / 2),
    ),
    "greater": (lambda x, y: x > y, (lambda x, y: 0, lambda x, y: 0)),
    "equal": (lambda x, y: x == y, (lambda x, y: 0, lambda x, y: 0)),
    "stop_gradient": (lambda x: x, (lambda x: 0,)),
    "when": (lambda x, c: x if c != 0 else 0, (lambda x, c: c != 0, lambda x, c: 0)),
    "unless": (lambda x, c: x if c == 0 else 0, (lambda x, c: c == 0, lambda x, c: 0)),
    "weighted": (lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    "log2": (lambda x: mp.log(x) / mp.log(2), (lambda x: 1 / (x * mp.log(2)),)),
    "log10": (lambda x: mp.log(x) / mp.log(10), (lambda x: 1 / (x * mp.log(10)),)),
    "log1p": (mp.log1p, (lambda x: 1 / (1 + x),)),
    "exp2": (lambda x: 2**x, (lambda x: 2**x * mp.log(2),)),
    "expm1": (mp.expm1, (mp.exp,)),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), (lambda x: mp.cbrt(abs(x)) / (3 * abs(x)),)),
    "tan": (mp.tan, (lambda x: mp.sec(x) ** 2,)),
    "sinh": (mp.sinh, (mp.cosh,)),
    "cosh": (mp.cosh, (mp.sinh,)),
    "arcsin": (mp.asin, (lambda x: 1 / mp.sqrt(1 - x * x),)),
    "arccos": (mp.acos, (lambda x: -1 / mp.sqrt(1 - x * x),)),
    "arctan": (mp.atan, (lambda x: 1 / (1 + x * x),)),
    "arcsinh": (mp.asinh, (lambda x: 1 / mp.sqrt(1 + x * x),)),
    "arccosh": (mp.acosh, (lambda x: 1 / mp.sqrt(x * x - 1),)),
    "arctanh": (mp.atanh, (lambda x: 1 / (1 - x * x),)),
    "arctan2": (mp.atan2, (lambda y, x: x / (x * x + y * y), lambda y, x: -y / (x * x + y * y))),
    "hypot": (
        lambda x, y: mp.sqrt(x * x + y * y),
        (lambda x, y: x / mp.sqrt(x * x + y * y), lambda x, y: y / mp.sqrt(x * x + y * y)),
    ),
    "mod": (
        lambda x, y: exact(in_whole_numbers(x) % in_whole_numbers(y)),
        (lambda x, y: 1, lambda x, y: exact(-Fraction(in_whole_numbers(x) // in_whole_numbers(y)))),
    ),
}
#: Where an op has a value and a slope, if not everywhere; what it gives at 0 is stated below.
DOMAIN: dict[str, Callable[..., bool]] = {
    "div": lambda x, y: y != 0,
    "log": lambda x: x > 0,
    "sqrt": lambda x: x > 0,
    "pow": lambda x, y: x > 0 or (x < 0 and y.is_integer()),
    **dict.fromkeys(("log2", "log10"), lambda x: x > 0),
    "log1p": lambda x: x > -1,
    "cbrt": lambda x: x != 0,
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), lambda x: abs(x) < 1),
    "arccosh": lambda x: x > 1,
    **dict.fromkeys(("arctan2", "hypot"), lambda x, y: x != 0 or y != 0),
    "mod": lambda x, y: y != 0,
}


def true(function: Callable[..., Any], operands: Sequence[float]) -> Any:
    with mp.workprec(200):
        return +mpf(function(*map(mpf, operands)))


def ulps(found: float, exact: Any) -> float:
    """The distance in units in the last place of the exact number, the smallest being 5e-324.

    Infinity is right beyond the floats, and as good as 2**1024 before.
    """
    if math.isnan(found) or mp.isnan(exact):
        return 0.0 if math.isnan(found) and mp.isnan(exact) else INF
    with mp.workprec(200):
        if math.isinf(found):
            found = BEYOND if found > 0 else -BEYOND
            exact = min(max(exact, -BEYOND), BEYOND)
        _, exponent = mp.frexp(exact)
        unit = mp.ldexp(1, max(min(exponent, 1024) - 53, -1074))
        return float(min(abs(found - exact) / unit, MAX))


# --- what was found -------------------------------------------------------------------------------


def normal(node: Value) -> bool:
    """Whether a number of a rule lost nothing to an overflow or an underflow.

    A sum, a comparison and a product with 0 are exact where they are subnormal or 0.
    """
    exact = node.op is None or node.op.flat or node.op.name in ("add", "sub", "neg")
    exact |= node.data == 0.0 and any(parent.data == 0.0 for parent in node.parents)
    return math.isfinite(node.data) and (exact or abs(node.data) >= NORMAL)


def value_error(op: Op, operands: Sequence[float]) -> float:
    exact = true(TRUE[op.name][0], operands)
    if op.name == "arctan2" and math.copysign(1.0, operands[0]) < 0.0:
        exact = -abs(exact)  # mpmath knows no -0
    return ulps(op(*operands), exact)


def partial_error(op: Op, position: int, operands: Sequence[float]) -> tuple[float, bool]:
    """The distance in ulp of a partial, and whether the bound in ulp is promised there.

    Where it is not, less than 4e-16 is no distance, nor is what the op's entry states.
    """
    values = [Value(x) for x in operands]
    z = op(*values)
    partial = op.partials[position](*values, z)
    graph = topological(partial) if isinstance(partial, Value) else []
    found = partial.data if isinstance(partial, Value) else partial
    exact = true(TRUE[op.name][1][position], operands)
    error, promised = ulps(found, exact), all(map(normal, graph))
    if promised:
        return error, True
    y = operands[-1]
    edge = z.data if position else y * z.data if y > 2**53 else 0.0
    stated = op.name == "pow" and math.isinf(edge)
    if op.name in ("hypot", "arctan2") and not NORMAL <= TABLE["hypot"](*operands) <= MAX:
        return 0.0, False
    if (stated and found == INF * mp.sign(exact)) or abs(found - exact) <= 4e-16:
        error = 0.0
    return error, False


def check(op: Op, operands: Sequence[float]) -> None:
    error = value_error(op, operands)
    assert error <= 4, f"{op.name}{tuple(operands)} is off by {error} ulp"
    for position in range(op.arity):
        error, _ = partial_error(op, position, operands)
        assert error <= 4, f"partials[{position}] of {op.name}{tuple(operands)}: {error} ulp"


# --- where it is compared -------------------------------------------------------------------------

spread = st.builds(math.ldexp, st.floats(1, 2, exclude_max=True), st.integers(-1074, 1023))
near_one = st.integers(-300, 300).map(lambda n: 1 + n * 2**-53)
near_a_power_of_two = st.builds(math.ldexp, near_one, st.integers(-1000, 1000))
subnormal = st.integers(0, 2**52).map(lambda n: n * TINY)
small = st.integers(0, 40).map(float) | st.floats(0, 40) | st.floats(690, 750)
positive = spread | near_one | near_a_power_of_two | subnormal | small
doubles = st.floats(allow_nan=False, allow_infinity=False) | positive | positive.map(lambda x: -x)

tiny_step = st.builds(math.ldexp, st.sampled_from([-1.0, 0.0, 1.0]), st.integers(-70, -1))
simple = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, -0.3, -1.0, -2.0])
beside_simple = st.builds(lambda y, step: y + step, simple, tiny_step)
beyond_odd = st.integers(-40, 40).map(lambda n: float(2**53 + 2 * n))  # y - 1 starts to be rounded
whole = st.integers(-60, 60).map(float) | beyond_odd | beyond_odd.map(lambda y: -y)
with_size = st.tuples(positive.filter(lambda x: x not in (0, 1)), st.floats(-745, 711)).map(
    lambda pair: (pair[0], pair[1] / math.log(pair[0]))  # x**y is exp of the second number
)

PAIRS = st.tuples(doubles, doubles) | doubles.map(lambda x: (x, x))
POWERS = st.one_of(
    [
        *[st.tuples(doubles, doubles), st.tuples(doubles, beside_simple), with_size],
        *[st.tuples(doubles, whole), st.tuples(near_one.map(lambda x: -x), whole)],
    ]
)
#: The worst points of a long search, and those around the first overflow and the last subnormal.
HARD: dict[str, list[Any]] = {
    "mul": [(TINY, 0.5), (-TINY, 0.5), (3 * TINY, 0.5), (MAX, 1.0000000000000002), (NORMAL, -0.3)],
    "div": [
        *[(MAX, 0.5), (MAX, -TINY), (TINY, 2.0), (TINY, 0.7)],
        *[(-1.0602574293219789, 8.361338240546406)],
    ],
    "pow": [
        # The slope in x has the sign of x to an odd power, and keeps it where it overflows.
        *[
            (1.0000000000000446, 1.5068715338023556e16),
            (-2.0, 1e16),
            (-0.5, -1e16),
            (-0.5, -(2.0**53)),
            (-1.0000000000000002, 2.0**62),
        ],
        *[(-1.0, 2.0**53 + 2), (-1.0, -(2.0**53)), (-1.0000000000000002, 2.0**53 + 2)],
        *[(-2.0, 1023.0), (-2.0, 1025.0), (-2.0, -1073.0), (-2.0, -1075.0), (-MAX, -1.0)],
        *[(1.0000000000000002, 3.19e18), (1.0000000000000002, -3.3e18)],
        *[(0.9999999999999999, 6.7e18), (0.9999999999999941, -1.8660952562127027)],
        *[(TINY, 0.3), (TINY, -0.3), (TINY, 1e-300), (1e-310, 1e-5), (1e-310, 3e-310), (MAX, 0.5)],
        *[(2.0, 1023.9999999999999), (2.0, 1024.0), (2.0, -1074.0), (2.0, -1074.9), (3.0, -680.0)],
        *[(5.445727336674436e300, 0.2393185722599179), (14.5, -204.5406041484043)],
        *[(0.612631696281481, -1.4311835017005285e-07), (2.1235104510379228e-166, 0.49969868)],
    ],
    "exp": [
        *[709.782712893384, 709.7827128933841, -708.3964185322641, -745.1332191019411],
        *[-745.1332191019412, -681.6259050231082],
    ],
    "log": [1.0862429814448655, 0.9999999999999999, 1.0000000000000002, TINY, NORMAL, MAX],
    "sqrt": [4.499373845870974e307, 4.494232837155791e307, TINY, NORMAL, MAX],
    "tanh": [
        *[0.2325369771984952, 0.23153406498288398, 19.06, TINY, -1e-300, MAX, 354.2, 372.5],
        *[-2.4194551060553122, 3.4650288242585114, 6.238320819648081],
    ],
    "sigmoid": [
        *[-5.5447836588169874, -6.9305900457779286, -27.07483159114498, -2.7876416321172223e-08],
        *[3.403730830782135, 6.9300576485170229, 8.3173421465523951, 12.476641639296162],
        *[36.8, -708.4, -745.1332191019411, -746.0],
    ],
    "softplus": [-1.2983852412369563, -6.237949522914232, 36.8, -36.8, -708.4, -745.1, -746.0],
    # Close to multiples of π/2, the sixth of all floats the closest.
    "sin": [
        *[math.pi, 22.0, 563416747700.2246, 1126833495400.4492, 1.2853022199154463e174],
        *[5.319372648326541e255, 2.331386745148063e283, -31.231205140614584, TINY, MAX],
    ],
    "cos": [
        *[math.pi / 2, 11.0, 563416747700.2246, 1.5986289000543612e74, 1.2853022199154463e174],
        *[5.319372648326541e255, 1.4918079000152377e239, 20.190423953491823, TINY, MAX],
    ],
    "tan": [
        *[math.pi / 2, math.pi, 11.0, 22.0, 563416747700.2246, 1.5986289000543612e74, TINY, MAX],
        *[1.2853022199154463e174, 5.319372648326541e255, 1.4918079000152377e239],
        *[2.331386745148063e283, -31.231205140614584],
    ],
    **{
        name: [
            TINY,
            -TINY,
            1e-300,
            0.5,
            0.9999999999999999,
            -0.9999999999999999,
            0.7071067811865476,
        ]
        for name in ("arcsin", "arccos", "arctanh", "log1p", "arctan", "arcsinh")
    },
    "arccosh": [1.0000000000000002, 1.5, 2.0, 2.0000000000000004, 1e154, 1.4e154, MAX],
    "mod": [(-1e-20, 1.0), (-MAX, 0.9 * MAX), (MAX, TINY), (5.3, 0.1), (-3.0, 2.0), (3.0, -TINY)],
    "hypot": [(MAX / 2, MAX / 2), (3.0, 4.0), (NORMAL, NORMAL), (1e-200, 1e-200), (1.0, 1e-170)],
    "arctan2": [(MAX / 2, MAX / 2), (0.0, -1.0), (NORMAL, 1.0), (1e-200, 1e-200), (-1e200, 1e-170)],
}


def test_the_truth_is_told_of_every_op() -> None:
    assert set(TRUE) == set(TABLE)
    for name, (_, partials) in TRUE.items():
        assert len(partials) == TABLE[name].arity


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_values_and_partials_are_within_4_ulp(op: Op, data: st.DataObject) -> None:
    pairs = POWERS if op.name == "pow" else PAIRS
    inside = DOMAIN.get(op.name, lambda *_: True)
    # A filter draws again, where `assume` would have Hypothesis give up after a run of bad luck.
    anywhere = pairs if op.arity == 2 else st.tuples(doubles)
    check(op, data.draw(anywhere.filter(lambda operands: inside(*operands))))


@pytest.mark.parametrize("name", HARD)
def test_values_and_partials_are_within_4_ulp_at_hard_points(name: str) -> None:
    op = TABLE[name]
    for point in HARD[name]:
        check(op, point if op.arity == 2 else (point,))


# --- zeros, infinities and NaN --------------------------------------------------------------------

SIZES = [0.0, TINY, NORMAL, 0.5, 1.0, 2.0, 3.0, 710.0, 1e155, MAX]
FINITE = [*SIZES, *[-x for x in SIZES]]


def unless_nan(compare: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's comparisons are False for NaN; the package passes it on, so that no rule hides it."""
    return lambda x, y: NAN if np.isnan(x) or np.isnan(y) else compare(x, y)


#: What NumPy has under the names of the package.
BY_NAME = [name for name in TABLE if name.startswith("arc")]
BY_NAME += [
    "log2",
    "log10",
    "log1p",
    "exp2",
    "expm1",
    "cbrt",
    "tan",
    "sinh",
    "cosh",
    "hypot",
    "mod",
]

NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.float_power,  # np.power takes roots for y = 0.5, and IEEE has others at -0 and -inf
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(min(x, 0)) / (1 + np.exp(-abs(x))),
    "softplus": lambda x: np.logaddexp(0, x),
    # Which of 0 and -0 NumPy's maximum gives depends on their order.  The package's is 0 wherever
    # one of them is, and its minimum -0, so that the order of operands does not matter.
    "relu": lambda x: np.maximum(x, 0) + 0.0,
    "maximum": lambda x, y: x + y if x == y == 0 else np.maximum(x, y),
    "minimum": lambda x, y: -(-x - y) if x == y == 0 else np.minimum(x, y),
    "step": lambda x: np.heaviside(x, 0),
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "greater": unless_nan(np.greater),
    "equal": unless_nan(np.equal),
    "stop_gradient": np.positive,
    "when": lambda x, c: NAN if np.isnan(c) else np.where(c, x, -0.0),
    "unless": lambda x, c: NAN if np.isnan(c) else np.where(c, -0.0, x),
    "weighted": lambda x, y: x if x == 0 else x * y,
    **{name: getattr(np, name) for name in BY_NAME},
}


@pytest.mark.parametrize("name", NUMPY)
def test_special_numbers_give_what_numpy_gives(name: str) -> None:
    op = TABLE[name]
    for operands in itertools.product([*FINITE, INF, -INF, NAN], repeat=op.arity):
        mine = op(*operands)
        with np.errstate(all="ignore"):
            theirs = float(NUMPY[name](*map(np.float64, operands)))
        rounded = mine != 0.0 and math.isclose(mine, theirs, rel_tol=1e-15, abs_tol=TINY)
        assert rounded or same(mine, theirs), (operands, mine, theirs)


@pytest.mark.parametrize(
    ("name", "operands", "partials"),
    [
        ("relu", (0.0,), (0.0,)),
        ("relu", (-0.0,), (0.0,)),
        ("step", (0.0,), (0.0,)),
        ("abs", (0.0,), (0.0,)),
        ("abs", (-0.0,), (0.0,)),
        ("maximum", (3.0, 3.0), (0.5, 0.5)),
        ("maximum", (-0.0, 0.0), (0.5, 0.5)),
        ("minimum", (3.0, 3.0), (0.5, 0.5)),
        ("minimum", (0.0, -0.0), (0.5, 0.5)),
        ("sqrt", (0.0,), (INF,)),
        ("sqrt", (-0.0,), (INF,)),
        ("log", (0.0,), (INF,)),
        ("log", (-0.0,), (-INF,)),
        ("log", (-4.0,), (-0.25,)),
        ("div", (3.0, 0.0), (INF, -INF)),
        ("div", (3.0, -0.0), (-INF, -INF)),
        ("pow", (0.0, 0.0), (0.0, 0.0)),
        ("pow", (0.0, 0.3), (INF, 0.0)),
        ("pow", (0.0, 1.0), (1.0, 0.0)),
        ("pow", (0.0, 3.0), (0.0, 0.0)),
        ("pow", (0.0, -1.0), (-INF, -INF)),
        ("pow", (-0.0, -2.0), (INF, -INF)),
        ("pow", (-2.0, 3.0), (12.0, NAN)),
        ("pow", (-2.0, 0.0), (0.0, NAN)),
        ("pow", (INF, 0.0), (0.0, INF)),
        ("pow", (NAN, 0.0), (0.0, NAN)),
    ],
)
def test_partials_at_kinks_and_edges(
    name: str, operands: tuple[float, ...], partials: tuple[float, ...]
) -> None:
    op = TABLE[name]
    for rule, wanted in zip(op.partials, partials, strict=True):
        found = rule(*operands, op(*operands))
        assert found == wanted or (math.isnan(found) and math.isnan(wanted)), (found, wanted)


@pytest.mark.parametrize("op", EVERY_OP)
def test_no_finite_number_of_its_domain_gives_nan(op: Op) -> None:
    with_zero: dict[str, Callable[..., bool]] = {
        "div": lambda x, y: x != 0 or y != 0,
        "log": lambda x: x >= 0,
        "sqrt": lambda x: x >= 0,
        "pow": lambda x, y: x >= 0 or y.is_integer(),
        **dict.fromkeys(("log2", "log10"), lambda x: x >= 0),
        "log1p": lambda x: x >= -1,
        **dict.fromkeys(("arcsin", "arccos", "arctanh"), lambda x: abs(x) <= 1),
        "arccosh": lambda x: x >= 1,
        **{name: DOMAIN[name] for name in ("arctan2", "hypot", "mod")},
    }
    for operands in itertools.product(FINITE, repeat=op.arity):
        if op.name in with_zero and not with_zero[op.name](*operands):
            continue
        z = op(*operands)
        assert not math.isnan(z), operands
        for position, rule in enumerate(op.partials):
            # Around a negative x there is no power but of whole y, so no slope in y.
            if (op.name, position) != ("pow", 1) or operands[0] >= 0:
                assert not math.isnan(rule(*operands, z)), (operands, position)


def test_hypot_of_nan_is_no_error_of_an_earlier_function() -> None:
    for earlier in (lambda: ieee.exp(1e3), lambda: ieee.sinh(-1e3), lambda: ieee.power(1e300, 2.0)):
        for x in (0.0, 1.0, -2.5, 1e300):
            earlier()
            assert math.isnan(ieee.hypot(x, math.nan))
            earlier()
            assert math.isnan(ieee.hypot(math.nan, x))
    assert ieee.hypot(math.inf, math.nan) == math.inf
