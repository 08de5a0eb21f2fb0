"""Which values of a program are needed only where a branch is taken, and how that branch is kept.

An op that chooses, such as `when`, has the slope 0 where its operand is not taken, and 0 · inf is
NaN further back.  So no term of a sweep may come out of a branch that was not taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import add, mul, neg, sub
from typing import Any

from ..ops import table as ops
from .writer import Ref, Writer


def taken(program: Any, writer: Writer) -> dict[int, Ref | None]:
    """For each value that a sweep comes to, by number, what is 0 unless a branch with it is taken.

    None where that does not depend on a choice, and no values for a program without one.  What is
    computed for it is written after the lines that the writer has, which are the program's.
    """
    lines, first = program.lines, program.first_line
    found: dict[int, Ref | None] = {}
    if not any(line.op.chooses for line in lines):
        return found
    met: dict[Any, Any] = {}

    def once(key: Any, make: Callable[[], Any]) -> Any:
        if key not in met:
            met[key] = make()
        return met[key]

    found.update(dict.fromkeys(program.outputs))
    for number in range(first + len(lines) - 1, first - 1, -1):
        op, operands, _ = lines[number - first]
        if number not in found or op.flat:
            continue
        condition = found[number]
        if op.chooses:
            given = [Ref(writer, operand) for operand in operands]
            own = once((op.name, operands[1]), partial(op.partials[0], *given, None))
            if condition is not None:
                own = once((condition.number, own.number), partial(ops.when, own, condition))
            condition = own
        for operand in operands:
            if operand in writer.known or (operand >= first and lines[operand - first].op.flat):
                continue
            if operand not in found:
                found[operand] = condition
                continue
            before = found[operand]
            if before is None or condition is None:
                found[operand] = None
            elif before is not condition:
                either = partial(ops.maximum, before, condition)
                found[operand] = once(("or", before.number, condition.number), either)
    return found


def separated(program: Any) -> Any:
    """The program in which what enters a branch passes through its own `when`.

    That stops whatever comes back from a branch that was not taken.  Results and slopes are the
    same otherwise: what is compared, or is a condition, has its own number in any case.
    """
    writer, first = Writer(program.inputs, share=False), program.first_line
    for constant in program.constants:
        writer.constant(constant)
    for line in program.lines:
        writer.line(*line)
    conditions = taken(program, writer)
    if not conditions:
        return program
    now = list(range(first + len(program.lines)))  # the number of each value within its branch
    # Sums of inputs and of their products, which may be affine groups: what reads them is the door.
    open_sums = set(range(len(program.inputs)))
    for number, (op, operands, name) in enumerate(program.lines, first):
        if op.flat:
            continue
        condition = conditions.get(number)
        inside = [now[operand] for operand in operands]
        if op.chooses and operands[1] in conditions:
            decides, own = operands[1], Ref(writer, now[operands[1]])
            taken_here = op.partials[0](*[Ref(writer, operand) for operand in operands], None)
            inside[1] = (
                ops.when(own, taken_here)
                + ops.stop_gradient(ops.unless(Ref(writer, decides), taken_here))
            ).number
        if condition is not None:
            entering = [conditions.get(operand, condition) is not condition for operand in operands]
            sums = [n in open_sums and not e for n, e in zip(operands, entering, strict=True)]
            if op.operator is mul and min(operands) < len(program.inputs):
                entering = [operand == max(operands) for operand in operands]
                open_sums.add(number)
            elif op.operator not in (add, sub, neg):
                entering = [a or b for a, b in zip(entering, sums, strict=True)]
            elif any(sums):
                open_sums.add(number)
            for place in range(len(operands)):
                if entering[place]:
                    inside[place] = ops.when(Ref(writer, inside[place]), condition).number
        if inside != list(operands):
            now[number] = writer.line(op, tuple(inside), name)
    outputs = [now[number] for number in program.outputs]
    return type(program)(*writer.parts(outputs, program.guards)).without_dead_lines()
