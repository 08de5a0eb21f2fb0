"""The ops as LLVM functions over lanes, by the table's own text."""

from __future__ import annotations

import math
import struct
from typing import Final

from .errors import ArgumentValueError
from .ops import Op

__all__ = ["definition", "support"]

# e**r - 1 for |r| <= log(2)/2, by its Taylor polynomial; a number plus `shift` has its integer
# part in its last bits, and the logarithm of 2 is taken off in two parts, the first of few bits.
DEGREE: Final = 13
CONSTANTS: Final = {
    "two": 2.0,
    "four": 4.0,
    "twenty": 20.0,
    "most": 720.0,
    "least": -760.0,
    "shift": 6755399441055744.0,
    "per_log2": 1.0 / math.log(2.0),
    "log2_high": -6.93147180369123816490e-01,
    "log2_low": -1.90821492927058770002e-10,
    **{f"c{n}": 1.0 / math.factorial(n) for n in range(2, DEGREE + 1)},
}
REDUCED: Final = (
    """%t = call {v} @llvm.fma.v{n}f64({v} %y, {v} {per_log2}, {v} {shift})
    %k = fsub {v} %t, {shift}
    %r1 = call {v} @llvm.fma.v{n}f64({v} %k, {v} {log2_high}, {v} %y)
    %r = call {v} @llvm.fma.v{n}f64({v} %k, {v} {log2_low}, {v} %r1)
"""
    + f"%q{DEGREE} = fadd {{v}} {{c{DEGREE}}}, {{zero}}\n"
    + "".join(
        [
            f"%q{n} = call {{v}} @llvm.fma.v{{n}}f64({{v}} %q{n + 1}, {{v}} %r, {{v}} {{c{n}}})\n"
            for n in range(DEGREE - 1, 1, -1)
        ]
    )
    + """%rr = fmul {v} %r, %r
    %e = call {v} @llvm.fma.v{n}f64({v} %rr, {v} %q2, {v} %r)
    %whole = bitcast {v} %t to {i}"""
)
# Compares that are false for NaN leave it as it is.
EXP: Final = (
    """%high = fcmp ogt {v} %x, {most}
    %x1 = select {m} %high, {v} {most}, {v} %x
    %low = fcmp olt {v} %x1, {least}
    %y = select {m} %low, {v} {least}, {v} %x1
    """
    + REDUCED
    + """
    %up = shl {i} %whole, {place}
    %exact = ashr {i} %up, {place}
    %half = ashr {i} %exact, {one_i}
    %rest = sub {i} %exact, %half
    %b1 = add {i} %half, {bias}
    %b2 = add {i} %rest, {bias}
    %s1 = shl {i} %b1, {place}
    %s2 = shl {i} %b2, {place}
    %f1 = bitcast {i} %s1 to {v}
    %f2 = bitcast {i} %s2 to {v}
    %p = fadd {v} {one}, %e
    %p1 = fmul {v} %p, %f1
    %z = fmul {v} %p1, %f2"""
)
TANH: Final = (
    """%size = call {v} @llvm.fabs.v{n}f64({v} %x)
    %high = fcmp ogt {v} %size, {twenty}
    %x1 = select {m} %high, {v} {twenty}, {v} %size
    %y = fadd {v} %x1, %x1
    """
    + REDUCED
    + """
    %b = add {i} %whole, {bias}
    %s = shl {i} %b, {place}
    %f = bitcast {i} %s to {v}
    %f1 = fsub {v} %f, {one}
    %m = call {v} @llvm.fma.v{n}f64({v} %f, {v} %e, {v} %f1)
    %d = fadd {v} %m, {two}
    %h = fdiv {v} %m, %d
    %z = call {v} @llvm.copysign.v{n}f64({v} %h, {v} %x)"""
)

# Functions of the C library that an entry may name, by their number of operands.
LIBRARY: Final = (("log", 1), ("log1p", 1), ("pow", 2))


def definition(op: Op, lanes: int, slope: bool = False) -> str:
    """`@op_name` over vectors of so many doubles, which is what the op's `llvm` says.

    With `slope`, its partial, where the entry has `llvm_slope`, as `@slope_name`.  Sums and
    products may be fused.  `ValueError` for an op without `llvm`.

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
    if slope and op.llvm_slope is not None:
        return _function(f"slope_{op.name}", op.llvm_slope, op.arity, lanes)
    return _function(f"op_{op.name}", op.llvm, op.arity, lanes)


def support(lanes: int) -> str:
    """The functions of the C library, a lane at a time, as the entries name them."""
    text = ""
    for name, arity in LIBRARY:
        operands = ", ".join(["double"] * arity)
        text += f"declare double @{name}({operands})\n"
        lines, so_far = [], "poison"
        for lane in range(lanes):
            arguments = []
            for letter in "xy"[:arity]:
                lines.append(f"%{letter}{lane} = extractelement {{v}} %{letter}, i32 {lane}")
                arguments.append(f"double %{letter}{lane}")
            lines.append(f"%r{lane} = call double @{name}({', '.join(arguments)})")
            here = "%z" if lane == lanes - 1 else f"%z{lane}"
            lines.append(f"{here} = insertelement {{v}} {so_far}, double %r{lane}, i32 {lane}")
            so_far = here
        text += _function(f"lanes_{name}", "\n".join(lines), arity, lanes)
    for name, body in (("exp", EXP), ("tanh", TANH)):
        text += _function(f"lanes_{name}", body, 1, lanes)
    text += f"declare <{lanes} x double> @llvm.copysign.v{lanes}f64(<{lanes} x double>, "
    text += f"<{lanes} x double>)\n"
    text += f"declare <{lanes} x double> @llvm.fabs.v{lanes}f64(<{lanes} x double>)\n"
    text += f"declare <{lanes} x double> @llvm.sqrt.v{lanes}f64(<{lanes} x double>)\n"
    return text


def _splat(value: float, lanes: int) -> str:
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return "<" + ", ".join([f"double 0x{bits:016X}"] * lanes) + ">"


def _function(name: str, body: str, arity: int, lanes: int) -> str:
    vector = f"<{lanes} x double>"
    written = body.format(
        v=vector,
        m=f"<{lanes} x i1>",
        n=lanes,
        flags="contract ",
        zero="zeroinitializer",
        i=f"<{lanes} x i64>",
        one=_splat(1.0, lanes),
        nan="<" + ", ".join(["double 0x7FF8000000000000"] * lanes) + ">",
        **{name: _splat(value, lanes) for name, value in CONSTANTS.items()},
        **{
            name: "<" + ", ".join([f"i64 {value}"] * lanes) + ">"
            for name, value in {"one_i": 1, "bias": 1023, "place": 52}.items()
        },
    )
    operands = ", ".join([f"{vector} %{letter}" for letter in "xy"[:arity]])
    lines = "\n".join([f"  {line.strip()}" for line in written.splitlines()])
    head = f"define internal {vector} @{name}({operands}) alwaysinline"
    return f"{head} {{\n{lines}\n  ret {vector} %z\n}}\n"
