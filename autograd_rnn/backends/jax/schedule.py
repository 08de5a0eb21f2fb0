"""The lines of a traced step in waves, each of which can be computed at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ops.op import Op
from ...program.writer import Guard
from ..traced import Group, TracedStep


class Wave(NamedTuple):
    """Independent lines of one op: their numbers, and their operands by position."""

    op: Op
    rows: tuple[int, ...]
    operands: tuple[tuple[int, ...], ...]


class Plan(NamedTuple):
    """Waves and affine groups in an order of computation, a block of rows each.

    `places` has the block and the row of each value; the first blocks are the parameters, states,
    inputs, targets and constants.
    """

    waves: tuple[Wave | Group, ...]
    places: dict[int, tuple[int, int]]
    guards: tuple[Guard, ...]


def find_waves(traced: TracedStep, results: Sequence[int], *, loss: bool) -> Plan:
    """The plan for these results and the guards of the step."""
    guards = traced.guards(loss=loss)
    groups = {row: group for group in traced.groups for row in group.rows}
    inside = {number for group in traced.groups for number in group.inside}
    depth = dict.fromkeys(range(traced.line), 0)
    levels: dict[int, list[int]] = {}
    readers: dict[int, str] = {}
    for number in sorted(traced.needed(results, guards)):
        line = traced.lines[number - traced.line]
        group = groups.get(number)
        if group is None and number in inside:
            continue
        operands: Sequence[int] = line.operands if group is None else group.vector
        if group is None:
            for operand in operands:
                readers.setdefault(operand, line.op.name)
        depth[number] = 1 + max([depth[operand] for operand in operands], default=0)
        levels.setdefault(depth[number], []).append(number)
    starts = [0, traced.state, traced.input, traced.target, traced.constant, traced.line]
    places = {
        number: (block, number - start)
        for block, start in enumerate(starts[:-1])
        for number in range(start, starts[block + 1])
    }
    waves: list[Wave | Group] = []
    for _, level in sorted(levels.items()):
        found: dict[Any, list[int]] = {}
        for number in level:
            line = traced.lines[number - traced.line]
            kind: Any = groups[number].rows if number in groups else line.op
            # Lines whose operands lie in the same blocks, so that these are parts of blocks.
            blocks = () if number in groups else tuple([places[o][0] for o in line.operands])
            found.setdefault((kind, blocks), []).append(number)
        for (kind, _), rows in found.items():
            if isinstance(kind, Op):
                lines = {row: traced.lines[row - traced.line].operands for row in rows}
                rows = sorted(rows, key=lambda row: [places[operand] for operand in lines[row]])
                columns = zip(*[lines[row] for row in rows], strict=True)
                waves.append(Wave(kind, tuple(rows), tuple(columns)))
            else:
                group = groups[rows[0]]
                # The rows that one wave reads lie together, in the order of their weights.
                leads = dict(zip(group.rows, group.leads, strict=True))
                rows = sorted(rows, key=lambda row: (readers.get(row, ""), leads[row], row))
                waves.append(part_of(group, rows))
            block = len(starts) - 2 + len(waves)
            places |= {number: (block, place) for place, number in enumerate(rows)}
    return Plan(tuple(waves), places, guards)


def part_of(group: Group, rows: Sequence[int]) -> Group:
    """The group with these of its rows alone."""
    chosen = [group.rows.index(row) for row in rows]
    return group._replace(
        rows=tuple(rows),
        biases=tuple([group.biases[place] for place in chosen]),
        weights=tuple([group.weights[place] for place in chosen]),
        tables=tuple([tuple([table[place] for place in chosen]) for table in group.tables]),
    )
