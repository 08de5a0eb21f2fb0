"""The ops as LLVM functions over lanes, by the table's own text."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from ...errors import ArgumentValueError
from ...ops.op import Op


def definition(op: Op, lanes: int, slope: bool = False, exact: bool = False) -> str:
    """`@op_name` over vectors of so many doubles, which is what the op's `llvm` says.

    With `slope`, the op and its partial, by the entry's `llvm_slope`, as `@both_name`.  Sums and
    products may be fused unless `exact`.  `ValueError` for an op without `llvm`.

    >>> from autograd_rnn.ops import TABLE
    >>> print(definition(TABLE["add"], 2))
    define internal <2 x double> @op_add(<2 x double> %x, <2 x double> %y) alwaysinline {
      %z = fadd contract <2 x double> %x, %y
      ret <2 x double> %z
    }
    <BLANKLINE>
    """
    if op.llvm is None:
        raise ArgumentValueError(
            f"the op {op.name!r} cannot be compiled: its entry has no llvm=. Choose "
            f"another backend."
        )
    kinds = _kinds(lanes)
    flags = "" if exact else "contract "
    numbers = {name: everywhere(value, lanes) for name, value in CONSTANTS.items()}
    body = op.llvm_slope if slope and op.llvm_slope is not None else op.llvm
    lines = body.format(**kinds, **numbers, n=lanes, flags=flags).splitlines()
    name = f"both_{op.name}" if body is op.llvm_slope else f"op_{op.name}"
    return _function(name, ["x", "y"][: op.arity], lines, lanes, both=body is op.llvm_slope)


def support(lanes: int, exact: bool = False) -> str:
    """What the entries name: `@lanes_name` for functions that LLVM has none of, and declarations.

    They are vector code, within 2 units in the last place (softplus within 2.2).  Those that are
    called lane by lane from the C library are the table's to the bit, but for sin and cos where
    `ieee.py` corrects it; with `exact`, that is what all of them are.
    """
    kind = _kinds(lanes)["v"]
    text = ""
    for intrinsic, arity in (("copysign", 2), ("fabs", 1), ("sqrt", 1)):
        text += f"declare {kind} @llvm.{intrinsic}.v{lanes}f64({', '.join([kind] * arity)})\n"
    for name, arity in LIBRARY + LIBRARY_IF_EXACT * exact:
        # Were it not `nobuiltin`, LLVM could put another function in its place.
        text += f"declare double @{name}({', '.join(['double'] * arity)}) nobuiltin nounwind\n"
        text += _lane_by_lane(name, arity, lanes)
    return text + "".join([_written(body, lanes) for body in (EXACT if exact else FAST)])


# --- a short hand --------------------------------------------------------------------------------

#: What a template may name besides the types, the number of lanes and the flags.
CONSTANTS: Final = {"zero": 0.0, "one": 1.0, "two": 2.0, "nan": math.nan}

# A body begins with its name; then come lines `result = operation operand, ...` over vectors named
# or of one number: in hexadecimal a whole one, in which case the operation is one on whole numbers.
# `x` is the operand, `z` the result.
OPERATIONS: Final = {
    **{name: f"{name} {{v}} {{0}}, {{1}}" for name in ("fadd", "fsub", "fmul", "fdiv")},
    "fneg": "fneg {v} {0}",
    **{
        f"is_{how}": f"fcmp {how} {{v}} {{0}}, {{1}}" for how in ("oeq", "ueq", "oge", "ogt", "olt")
    },
    "select": "select {m} {0}, {v} {1}, {v} {2}",
    "bits": "bitcast {v} {0} to {i}",
    "float": "bitcast {i} {0} to {v}",
    **{
        name: f"{name[1:]} {{i}} {{0}}, {{1}}"
        for name in ("iadd", "isub", "ishl", "ilshr", "iand", "ior")
    },
    "fma": "call {v} @llvm.fma.v{n}f64({v} {0}, {v} {1}, {v} {2})",
    "fabs": "call {v} @llvm.fabs.v{n}f64({v} {0})",
    "copysign": "call {v} @llvm.copysign.v{n}f64({v} {0}, {v} {1})",
}


def _written(body: str, lanes: int) -> str:
    (name,), *steps = [line.split() for line in body.strip().splitlines()]
    kinds = _kinds(lanes)
    lines = []
    for result, _, operation, *words in steps:
        operands = [_operand(word.rstrip(","), lanes) for word in words]
        call = f"call {{v}} @lanes_{operation}({{v}} {{0}})"
        code = OPERATIONS.get(operation, call).format(*operands, **kinds, n=lanes)
        lines.append(f"%{result} = {code}")
    both = any(step[0] == "slope" for step in steps)
    text = _function(f"lanes_{name}{'_and_slope' * both}", ["x"], lines, lanes, both=both)
    if both:
        call = f"%both = call {kinds['p']} @lanes_{name}_and_slope({kinds['v']} %x)"
        value = f"%z = extractvalue {kinds['p']} %both, 0"
        text += _function(f"lanes_{name}", ["x"], [call, value], lanes)
    return text


def _operand(word: str, lanes: int) -> str:
    if word.startswith("0x"):
        return f"<{', '.join([f'i64 {int(word, 16)}'] * lanes)}>"
    try:
        return everywhere(float(word), lanes)
    except ValueError:
        return f"%{word}"


def _kinds(lanes: int) -> dict[str, str]:
    """The types in a template: of numbers, of comparisons, of numbers as bits, of two numbers."""
    v, m, i = [f"<{lanes} x {kind}>" for kind in ("double", "i1", "i64")]
    return {"v": v, "m": m, "i": i, "p": f"{{{v}, {v}}}"}


def everywhere(number: float, lanes: int) -> str:
    """The number in all lanes, by its bits: LLVM takes no decimal that is rounded."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", number))
    return f"<{', '.join([f'double 0x{bits:016X}'] * lanes)}>"


def _lane_by_lane(name: str, arity: int, lanes: int) -> str:
    kind = _kinds(lanes)["v"]
    operands = ["x", "y"][:arity]
    lines, so_far = [], "poison"
    for i in range(lanes):
        lines += [f"%{v}{i} = extractelement {kind} %{v}, i32 {i}" for v in operands]
        lines.append(
            f"%r{i} = call double @{name}({', '.join([f'double %{v}{i}' for v in operands])})"
        )
        here = "%z" if i == lanes - 1 else f"%z{i}"
        lines.append(f"{here} = insertelement {kind} {so_far}, double %r{i}, i32 {i}")
        so_far = here
    return _function(f"lanes_{name}", operands, lines, lanes)


def _function(
    name: str, operands: Sequence[str], lines: Sequence[str], lanes: int, *, both: bool = False
) -> str:
    """A function that gives %z, or %z and %slope."""
    kinds = _kinds(lanes)
    kind, pair, result = kinds["v"], kinds["p"], "%z"
    given = ", ".join([f"{kind} %{operand}" for operand in operands])
    if both:
        first = f"%first = insertvalue {pair} poison, {kind} %z, 0"
        lines = [*lines, first, f"%pair = insertvalue {pair} %first, {kind} %slope, 1"]
        kind, result = pair, "%pair"
    body = "".join([f"  {line.strip()}\n" for line in lines])
    return (
        f"define internal {kind} @{name}({given}) alwaysinline "
        f"{{\n{body}  ret {kind} {result}\n}}\n"
    )


# --- the C library, lane by lane -----------------------------------------------------------------

LIBRARY: Final = (("pow", 2), ("sin", 1), ("cos", 1))
LIBRARY_IF_EXACT: Final = (("exp", 1), ("log", 1), ("log1p", 1), ("tanh", 1))

# As `ieee.py` has them.
EXACT: Final = (
    """sigmoid
    size = fabs x
    minus = fneg size
    e = exp minus
    below = fadd 1, e
    quotient = fdiv e, below
    missing = fsub e, quotient
    product = fmul e, quotient
    rest = fsub missing, product
    more = fdiv rest, below
    smaller = fadd quotient, more
    larger = fsub 1, smaller
    right = is_oge x, 0
    z = select right, larger, smaller""",
    """softplus
    size = fabs x
    minus = fneg size
    e = exp minus
    soft = log1p e
    right = is_ogt x, 0
    hard = select right, x, 0
    z = fadd hard, soft""",
)

# --- vector code ---------------------------------------------------------------------------------

# A number plus 1.5·2**52 has its whole part in its last bits; with 1023 more, and shifted left by
# 52, they are a power of two.  A comparison with a bound is false for NaN, which so stays NaN; and
# what was made from its bits only ever multiplies it.
SHIFT: Final = 1.5 * 2.0**52

PER_LOG2: Final = 1.0 / math.log(2.0)
#: log(2) in two parts, the first with eleven zeros at its end.
LOG2_HIGH: Final = 0.6931471805598903
LOG2_LOW: Final = 5.497923018708371e-14

# Polynomials that agree with what they stand for at the zeros of Chebyshev's: (exp(r) - 1 - r)/r²
# for |r| ≤ log(2)/2, which makes exp(r) to 2**-55; (tanh(r) - r)/r³ in r² for |r| ≤ 0.2556, which
# makes tanh(r) to 2**-55 of itself; (2·artanh(s) - 2·s)/s³ in s² for (1 + s)/(1 - s) from √½ to √2.
EXP: Final = (
    *(0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062),
    *(0.0013888888917213717, 0.00019841269863053618, 2.4801521295954376e-05),
    *(2.7557268459997064e-06, 2.7620088445409746e-07, 2.510038549551032e-08),
)
TANH: Final = (
    *(-0.333333333333333, 0.13333333333283248, -0.053968253845424696, 0.021869477224436152),
    *(-0.00886273842597219, 0.003580869674602971, -0.0013281855265397026),
)
ARTANH: Final = (
    *(0.666666666666667, 0.39999999999899444, 0.2857142862600327, 0.22222211130259878),
    *(0.18182889455674947, 0.15331710618210728, 0.14616585424889078),
)


def _polynomial(result: str, variable: str, coefficients: Sequence[float]) -> str:
    """Lines for a polynomial, the constant first, by Horner's rule."""
    *others, inner = map(repr, coefficients)
    lines = []
    for place, coefficient in reversed(list(enumerate(others))):
        name = f"{result}_{place}" if place else result
        lines.append(f"{name} = fma {inner}, {variable}, {coefficient}")
        inner = name
    return "\n".join(lines)


# e**x = 2**k·e**r; the power of two in two factors, as results may be subnormal.
FAST_EXP: Final = f"""exp
    high = is_olt 710, x
    below = select high, 710, x
    low = is_ogt -746, below
    c = select low, -746, below
    t = fma c, {PER_LOG2!r}, {SHIFT + 2046!r}
    k = fsub t, {SHIFT + 2046!r}
    r1 = fma k, {-LOG2_HIGH!r}, c
    r = fma k, {-LOG2_LOW!r}, r1
    {_polynomial("p", "r", (1.0, 1.0, *EXP))}
    b = bits t
    b1 = ilshr b, 0x1
    b2 = isub b, b1
    s1 = ishl b1, 0x34
    s2 = ishl b2, 0x34
    f1 = float s1
    f2 = float s2
    p1 = fmul p, f1
    z = fmul p1, f2"""

# With |x| = k·log(2)/2 + r, t = tanh(r), and i = 2**-k, 1 - i being next to what tanh is at r = 0,
# tanh is 1 - i and a small rest, so that the rounding of the rest matters little; at k = 0, it is
# t.  k is such that it becomes 1 where tanh is 0.25.  i may be subnormal, j is 2**64·i, which is
# normal.  1 - tanh is i·(1 - q), without cancelling, and the slope that times 1 + tanh.
FAST_TANH: Final = f"""tanh
    size = fabs x
    large = is_olt 374, size
    c = select large, 374, size
    c1 = fsub c, 0.082126
    t1 = fma c1, {-2.0 * PER_LOG2!r}, {SHIFT + 1087!r}
    k = fsub t1, {SHIFT + 1087!r}
    r1 = fma k, {LOG2_HIGH / 2.0!r}, c
    r = fma k, {LOG2_LOW / 2.0!r}, r1
    y = fmul r, r
    ry = fmul r, y
    {_polynomial("p", "y", TANH)}
    t = fma ry, p, r
    b = bits t1
    s = ishl b, 0x34
    j = float s
    i = fmul j, {2.0**-64!r}
    u = fsub 1, i
    a1 = fadd 2, u
    minus = fneg u
    above = fma a1, t, minus
    b1 = fsub 2, u
    below = fma u, t, b1
    q = fdiv above, below
    w = fma i, q, u
    z = copysign w, x
    qj = fmul q, j
    rest = fsub j, qj
    more = fadd 1, w
    s1 = fmul rest, more
    slope = fmul s1, {2.0**-64!r}"""

# Likewise |x| = k·log(2) + r and t = 2·tanh(r/2); the smaller of σ(x) and σ(-x) is i·(1 - q), and
# the slope their product.
FAST_SIGMOID: Final = f"""sigmoid
    size = fabs x
    large = is_olt 746, size
    c = select large, 746, size
    t1 = fma c, {-PER_LOG2!r}, {SHIFT + 1087!r}
    k = fsub t1, {SHIFT + 1087!r}
    r1 = fma k, {LOG2_HIGH!r}, c
    r = fma k, {LOG2_LOW!r}, r1
    y = fmul r, r
    ry = fmul r, y
    {_polynomial("p", "y", [c / 4.0 ** (n + 1) for n, c in enumerate(TANH)])}
    t = fma ry, p, r
    b = bits t1
    s = ishl b, 0x34
    j = float s
    i2 = fmul j, {2.0**-63!r}
    u = fma i2, -0.5, 1
    b1 = fadd 2, i2
    below = fma u, t, b1
    a1 = fadd 1, u
    above = fma a1, t, i2
    q = fdiv above, below
    qj = fmul q, j
    w = fsub j, qj
    smaller = fmul w, {2.0**-64!r}
    larger = fsub 1, smaller
    right = is_oge x, 0
    z = select right, larger, smaller
    slope = fmul smaller, larger"""

# x = m·2**k with m from √½ to √2, whose bits are 0x3FE6A09E667F3BCD; f = m - 1 and s = f/(2 + f).
# The polynomial is of the rest of f - f²/2, the first terms, which are added last.
LOG_OF_M: Final = f"""
    d = fadd f, 2
    s = fdiv f, d
    y = fmul s, s
    {_polynomial("p", "y", ARTANH)}
    yp = fmul y, p
    half = fmul f, 0.5
    hf = fmul half, f
    sum = fadd hf, yp"""
FAST_LOG: Final = f"""log
    tiny = is_olt x, {2.0**-1022!r}
    up = fmul x, {2.0**54!r}
    n = select tiny, up, x
    n54 = select tiny, {-(2.0**52) - 1023 - 54!r}, {-(2.0**52) - 1023!r}
    b = bits n
    b1 = iadd b, {0x3FF0000000000000 - 0x3FE6A09E667F3BCD:#x}
    k1 = ilshr b1, 0x34
    k2 = ior k1, 0x4330000000000000
    k3 = float k2
    k = fadd k3, n54
    m1 = iand b1, 0x000FFFFFFFFFFFFF
    m2 = iadd m1, 0x3FE6A09E667F3BCD
    m = float m2
    f = fsub m, 1{LOG_OF_M}
    low = fmul k, {LOG2_LOW!r}
    l1 = fma s, sum, low
    l2 = fsub l1, hf
    l3 = fadd l2, f
    l = fma k, {LOG2_HIGH!r}, l3
    same = is_ueq x, inf
    l4 = select same, x, l
    negative = is_olt x, 0
    l5 = select negative, nan, l4
    none = is_oeq x, 0
    z = select none, -inf, l5"""

# max(x, 0) + log(1 + e), where e = e**-|x|, and 1 + e is halved from √2 on.
FAST_SOFTPLUS: Final = f"""softplus
    size = fabs x
    minus = fneg size
    e = exp minus
    much = is_ogt e, {math.sqrt(2.0) - 1.0!r}
    e1 = fadd e, -1
    e2 = fmul e1, 0.5
    f = select much, e2, e
    hi = select much, {math.log(2.0)!r}, 0{LOG_OF_M}
    l1 = fmul s, sum
    l2 = fsub l1, hf
    l3 = fadd l2, f
    soft = fadd l3, hi
    right = is_ogt x, 0
    hard = select right, x, 0
    z = fadd hard, soft"""

FAST: Final = (*(FAST_EXP, FAST_TANH, FAST_SIGMOID), *(FAST_LOG, FAST_SOFTPLUS))
