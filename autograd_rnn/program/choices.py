"""Which values of a program are needed only where a branch is taken, and how that branch is kept.

An op that chooses, such as `when`, has the slope 0 where its operand is not taken, and 0 · inf is
NaN further back.  So no term of a sweep may come out of a branch that was not taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
                own = once((condition.number, own.number), partial(ops.mul, condition, own))
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
    """The program in which what enters a branch passes through a `when` of its own.

    That stops whatever comes back from a branch that was not taken.  Results and slopes are the
    same otherwise.
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
    for number, (op, operands, name) in enumerate(program.lines, first):
        condition = conditions.get(number)
        inside = [now[operand] for operand in operands]
        if condition is not None and not op.flat:
            for place, operand in enumerate(operands):
                if conditions.get(operand, condition) is not condition:
                    entering = Ref(writer, inside[place])
                    inside[place] = ops.when(entering, condition).number
        if inside != list(operands):
            now[number] = writer.line(op, tuple(inside), name)
    outputs = [now[number] for number in program.outputs]
    return type(program)(*writer.parts(outputs, program.guards)).without_dead_lines()
