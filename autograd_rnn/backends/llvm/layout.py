"""The places in memory of all that the code of a step reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..traced import Group, TracedStep, read_by_rules

TILE: Final = 8


class Layout:
    """The places of everything, in vectors of lanes, or for packed weights in doubles.

    A step has a record on the tape: the state before it, the vectors and rows of the groups,
    ∂loss/∂row, and the other values that the backward sweep reads.  The weights of a group are
    packed in the order in which its tiles read them: rows side by side for the product, columns for
    its transpose.  Those of a table lie symbol by symbol, each filled up to whole vectors; so do
    their gradients, after those of all else, which have a number per lane.
    """

    def __init__(self, traced: TracedStep, groups: Sequence[Group], *, exact: bool) -> None:
        self.traced, self.groups = traced, groups
        self.row_of = {
            row: (g, j) for g, group in enumerate(groups) for j, row in enumerate(group.rows)
        }
        self.inside = {number for group in groups for number in group.inside}
        self.vectors: list[int] = []
        self.rows: list[int] = []
        self.slopes: list[int] = []
        self.size = traced.state_count
        for group in groups:
            self.vectors.append(self.size)
            self.rows.append(self.vectors[-1] + len(group.vector))
            self.slopes.append(self.rows[-1] + len(group.rows))
            self.size = self.slopes[-1] + len(group.rows)
        # Values that the rules read on the way back; where an op has text for both, its slope is
        # computed along with its value, and no rule reads.
        self.saved: dict[int, int] = {}
        self.sloped: dict[int, int] = {}
        read: set[int] = set()
        for number, (op, operands, _) in enumerate(traced.lines, traced.line):
            varying = [k for k, n in enumerate(operands) if traced.varies(n)]
            if number in self.inside or not varying:
                continue
            if op.llvm_slope is not None and not exact:
                self.sloped[number] = self.size
                self.size += 1
                continue
            for place in varying:
                read |= {(*operands, number)[k] for k in read_by_rules(op)[place]}
        for number in sorted(read):
            if number >= traced.line and number not in self.row_of:
                self.saved[number] = self.size
                self.size += 1
        # Columns that a sweep goes to: not those of inputs.
        self.columns = [
            [k for k, v in enumerate(group.vector) if traced.varies(v)] for group in groups
        ]
        self.scratch = traced.state_count + max([len(group.vector) for group in groups], default=0)
        self.packed: list[int] = []  # the parameter at each place
        self.forward: list[int] = []
        self.biases: list[int] = []
        self.backward: list[int] = []
        for group, columns in zip(groups, self.columns, strict=True):
            self.forward.append(len(self.packed))
            for start, width in tiles(len(group.rows), TILE):
                for k in range(len(group.vector)):
                    self.packed += [group.weights[j][k] for j in range(start, start + width)]
            self.biases.append(len(self.packed))
            self.packed += group.biased.values()
            self.backward.append(len(self.packed))
            for start, width in tiles(len(columns), TILE):
                for row in group.weights:
                    self.packed += [row[k] for k in columns[start : start + width]]
        # The gradient: of each group its weights row by row, then its biases; then the rest.
        self.gradient: list[int] = []
        self.gradients: list[int] = []
        for group in groups:
            self.gradients.append(len(self.gradient))
            self.gradient += [*sum(group.weights, ()), *group.biased.values()]
        self.rest = len(self.gradient)
        #: By group, for each of its tables where it is packed, and where its gradient begins.
        self.tables: list[list[tuple[int, int]]] = []
        self.picked: list[int] = []
        for group in groups:
            places = []
            for table in group.tables:
                places.append((len(self.packed), len(self.picked)))
                filling = [traced.parameters] * (filled(len(table)) - len(table))
                for column in zip(*table, strict=True):
                    found = [traced.parameters if w is None else w for w in column]
                    self.packed += [*found, *filling]
                    self.picked += [*found, *filling]
            self.tables.append(places)
        self.direct = sorted({*range(traced.parameters)}.difference(self.gradient, self.picked))
        self.gradient += self.direct


def filled(rows: int) -> int:
    """The number of rows, filled up to whole tiles.

    >>> filled(32), filled(33)
    (32, 40)
    """
    return -(-rows // TILE) * TILE


def tiles(count: int, most: int) -> list[tuple[int, int]]:
    """The start and the width of each tile of so many rows: full ones, then 4, 2 and 1.

    >>> tiles(21, 8)
    [(0, 8), (8, 8), (16, 4), (20, 1)]
    """
    found, start, width = [], 0, most
    while start < count:
        while width > count - start:
            width //= 2
        found.append((start, width))
        start += width
    return found
