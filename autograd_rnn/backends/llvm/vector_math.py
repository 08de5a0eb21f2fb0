"""The ops as LLVM functions over lanes, by the table's own text."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from importlib.resources import files
from typing import Final

from ...errors import ArgumentValueError
from ...ops.op import Op

_PARSER: Final = ConfigParser(interpolation=None)
_PARSER.read_string(files(__package__).joinpath("vector_math.ini").read_text("utf-8"))
SECTIONS: Final = {name: dict(section) for name, section in _PARSER.items()}
#: What the template of an op may name besides the types, the number of lanes and the flags.
CONSTANTS: Final = {"zero": 0.0, "minus_zero": -0.0, "one": 1.0, "two": 2.0, "nan": math.nan}
#: Functions of the C library that are called lane by lane, and their arity.
LIBRARY: Final = (
    *[(name, 2) for name in ("pow", "fmod", "atan2", "hypot")],
    *[(name, 1) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh")],
    *[(name, 1) for name in ("asinh", "acosh", "atanh", "log2", "log10", "log1p")],
    *[(name, 1) for name in ("exp2", "expm1", "cbrt")],
)
LIBRARY_IF_EXACT: Final = (("exp", 1), ("log", 1), ("tanh", 1))


def definition(op: Op, lanes: int, slope: bool = False, exact: bool = False) -> str:
    """The function `@op_name` over vectors of doubles, whose body is the `llvm` of the op.

    With `slope`, `@both_name`, which gives the op and its partial, by its `llvm_slope`.  Sums and
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
    """The declarations and the functions `@lanes_name` that the entries of the table call.

    Those in vector code are within 2 units in the last place (softplus within 2.2).  Those that
    call the C library lane by lane, which with `exact` are all, are the table's to the bit, but for
    sin, cos and tan where `ieee.py` corrects it.
    """
    kind = _kinds(lanes)["v"]
    text = ""
    for intrinsic, arity in (("copysign", 2), ("fabs", 1), ("sqrt", 1)):
        text += f"declare {kind} @llvm.{intrinsic}.v{lanes}f64({', '.join([kind] * arity)})\n"
    for name, arity in LIBRARY + LIBRARY_IF_EXACT * exact:
        # Were it not `nobuiltin`, LLVM could put another function in its place.
        text += f"declare double @{name}({', '.join(['double'] * arity)}) nobuiltin nounwind\n"
        text += _lane_by_lane(name, arity, lanes)
    kind = "exact " if exact else "fast "
    return text + "".join([_written(s, lanes) for s in SECTIONS if s.startswith(kind)])


# --- the functions of vector_math.ini ------------------------------------------------------------


def _written(section: str, lanes: int) -> str:
    """A function by its section, and for one with a slope another that gives both."""
    kinds = _kinds(lanes)
    _, name = section.split()
    lines = []
    for result, operation, words in _steps(section):
        operands = [_operand(word, lanes) for word in words]
        call = f"call {{v}} @lanes_{operation}({{v}} {{0}})"
        code = SECTIONS["operations"].get(operation, call).format(*operands, **kinds, n=lanes)
        lines.append(f"%{result} = {code}")
    if "slope" not in SECTIONS[section]:
        return _function(f"lanes_{name}", ["x"], lines, lanes)
    both = f"lanes_{name}_and_slope"
    call = f"%both = call {kinds['p']} @{both}({kinds['v']} %x)"
    value = f"%z = extractvalue {kinds['p']} %both, 0"
    text = _function(both, ["x"], lines, lanes, both=True)
    return text + _function(f"lanes_{name}", ["x"], [call, value], lanes)


def _steps(section: str) -> Iterator[tuple[str, str, list[str]]]:
    """The lines of a function: result, operation, operands; polynomials by Horner's rule."""
    for result, line in SECTIONS[section].items():
        operation, *words = line.replace(",", "").split()
        if operation != "polynomial":
            yield result, operation, words
            continue
        variable, name = words
        *others, inner = SECTIONS["numbers"][name].split()
        for place in reversed(range(len(others))):
            target = f"{result}_{place}" if place else result
            yield target, "fma", [inner, variable, others[place]]
            inner = target


def _operand(word: str, lanes: int) -> str:
    if word.startswith("0x"):
        return f"<{', '.join([f'i64 {int(word, 16)}'] * lanes)}>"
    name = word.removeprefix("-")
    try:
        number = float(SECTIONS["numbers"].get(name, name))
    except ValueError:
        return f"%{word}"
    return everywhere(-number if name != word else number, lanes)


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
