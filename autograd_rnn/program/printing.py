"""A program printed: in the lecture's notation, and as Python source."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections import Counter
from typing import Any, Final

from ..arguments import shown
from ..errors import ArgumentValueError
from ..graph.notation import Text, label, write, write_number
from ..ops import table as ops
from ..ops.op import TABLE

LONGEST_INSIDE: Final = 40  # characters of an expression within the line that uses it


def in_text(program: Any) -> str:
    """A line per named result; a short one that is used once is written within that line."""
    uses = Counter([n for line in program.lines for n in line.operands])
    uses.update([*program.results, *program.results])
    written = [Text(label(name)) for name in program.inputs]
    written += [write_number(constant) for constant in program.constants]
    rows = []
    for number, (op, operands, name) in enumerate(program.lines, program.first_line):
        text = write(op, *[written[operand] for operand in operands])
        if name is None and uses[number] == 1 and len(text.text) <= LONGEST_INSIDE:
            written.append(text)
        else:
            known = label(_named(program, number))
            written.append(Text(known))
            rows.append(f"  {known} = {text.text}")
    for comparison, (x, y), outcome in program.guards:
        other = "" if outcome else "not "
        rows.append(f"  as long as {other}{written[x].text} {comparison} {written[y].text}")
    gives = ", ".join([written[number].text for number in program.outputs])
    given = ", ".join([label(name) for name in program.inputs])
    return "\n".join([f"program of {given}", *rows, f"  gives {gives}"])


def in_words(program: Any, guard: Any, recorded: str, x: float, y: float) -> str:
    """Which guard of a recorded program or step fails, and for which numbers."""
    a, b = [_named(program, number) for number in guard.operands]
    named = {a: x, b: y}.items()
    given = [f"{name} = {number!r}" for name, number in named if name != repr(number)]
    return (
        f"{a} {guard.comparison} {b} was {guard.outcome} when the {recorded} was recorded, and is "
        f"{not guard.outcome} for {' and '.join(given)}"
    )


def _named(program: Any, number: int) -> str:
    """The name of a value, or `v_` and its number, or the constant itself."""
    if number < len(program.inputs):
        return str(program.inputs[number])
    if number < program.first_line:
        return repr(program.constants[number - len(program.inputs)])
    return program.lines[number - program.first_line].name or f"v_{number}"


#: The function that makes an op one of a library's arrays, in the module `ops` has for it.
MAKERS: Final = {"numpy": "on_arrays", "jax": "on_jax"}


#: What printed source may call by name, besides ops.
RESERVED: Final = frozenset(
    ["BranchChanged", "TABLE", "any", "held", "inf", "nan", "on_arrays", "on_jax", "where"]
)


def in_source(program: Any, name: str, arrays: str | None = None) -> str:
    """Python source of a function of that name, of floats or of a library's arrays.

    Guards raise `BranchChanged`, but in JAX, which has no errors, they make the results NaN.
    `ValueError` for a name that is not an identifier.
    """
    if not _is_identifier(name):
        raise ArgumentValueError(f"name must be an identifier, such as 'f', not {shown(name)}.")
    if name in {line.op.name for line in program.lines} | RESERVED:
        raise ArgumentValueError(f"name {name!r} is used by the source: choose another name.")
    named = _identifiers(program)
    lines = [f"def {name}({', '.join(named[: len(program.inputs)])}):"]
    for number, (op, operands, _) in enumerate(program.lines, program.first_line):
        written = op.python.format(*[named[operand] for operand in operands])
        lines.append(f"    {named[number]} = {written}")
    results = [named[number] for number in program.outputs]
    for place, (comparison, (a, b), outcome) in enumerate(program.guards):
        said = f"{named[a]} {comparison} {named[b]}"
        if arrays == "jax":
            held = f"where({said}, {'1.0, nan' if outcome else 'nan, 1.0'})"
            lines.append(f"    held = {'held * ' if place else ''}{held}")
            continue
        wrong = f"any(({said}) != {outcome})" if arrays else f"({said}) is not {outcome}"
        lines += [f"    if {wrong}:", f"        raise BranchChanged({said!r})"]
    if program.guards and arrays == "jax":
        # A factor, so that slopes are NaN as well.
        results = [f"{result} * held" for result in results]
    lines.append(f"    return {', '.join(results)}")
    return _head(program, arrays) + "\n".join(lines) + "\n"


def _head(program: Any, arrays: str | None) -> str:
    """The imports, and definitions of the ops that were registered from outside."""
    called = {op.name: op for op, *_ in program.lines if f"{op.name}(" in op.python}
    ours = sorted(name for name, op in called.items() if getattr(ops, name, None) is op)
    others = sorted(set(called) - set(ours))
    apart, own = [], []
    if any(not math.isfinite(constant) for constant in program.constants):
        apart.append("from math import inf, nan")
    if program.guards and arrays == "jax":
        apart.append("from jax.numpy import nan, where")
    elif program.guards:
        apart += ["from numpy import any"] if arrays else []
        own.append("from autograd_rnn import BranchChanged")
    names = [*["TABLE"] * bool(others), *([] if arrays else ours)]
    if names:
        own.append(f"from autograd_rnn.ops import {', '.join(names)}")
    maker = MAKERS.get(arrays or "", "")
    if arrays and called:
        names = [*[maker] * bool(others), *ours]
        own.append(f"from autograd_rnn.ops.{arrays} import {', '.join(names)}")
    entry = f"{{0}} = {maker}(TABLE[{{0!r}}])" if arrays else "{0} = TABLE[{0!r}]"
    parts = [apart, own, [entry.format(name) for name in others]]
    head = "\n\n".join(["\n".join(part) for part in parts if part])
    return head + "\n\n\n" if head else ""


def _identifiers(program: Any) -> list[str]:
    """A Python name for each value, but literals for constants."""
    named: list[str] = []
    taken = {*TABLE, *RESERVED}
    inputs, first = len(program.inputs), program.first_line
    for number in range(first + len(program.lines)):
        if inputs <= number < first:
            written = repr(program.constants[number - inputs])
            named.append(f"({written})" if written.startswith("-") else written)
            continue
        name = _identifier(_named(program, number))
        while name in taken:
            name += "_"
        taken.add(name)
        named.append(name)
    return named


def _identifier(name: str) -> str:
    """The name as an identifier: dL_dw_1 for ∂L/∂w_1."""
    plain = unicodedata.normalize("NFKC", name.replace("∂", "d"))
    plain = "".join([c if ("_" + c).isidentifier() else "_" for c in plain])
    return plain if _is_identifier(plain) else f"_{plain}"


def _is_identifier(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
