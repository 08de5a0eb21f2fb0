"""The places in memory of all that the code of a step reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ..traced import Group, TracedStep, read_by_rules

TILE: Final = 8
GRADIENT_ROWS: Final = 4


class Layout:
    """The places of everything, in vectors of lanes, or for packed weights in doubles.

    A step has a record on the tape: the state before it, the vectors and rows of the groups,
    ∂loss/∂row, and the other values that the backward sweep reads.  The weights of a group are
    packed in the order in which its tiles read them: rows side by side for the product, columns for
    its transpose.  Those of a table lie symbol by symbol, each filled up to whole vectors.

    The gradient begins with a number per lane for the parameters in no group, `direct`; the others
    are `summed` over lanes: of each group tile by tile, then its biases, then the tables, all
    filled up to whole vectors.
    """

    def __init__(
        self, traced: TracedStep, groups: Sequence[Group], *, lanes: int, exact: bool
    ) -> None:
        self.traced, self.groups, self.lanes = traced, groups, lanes
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
        self.summed: list[int] = []
        self.gradients: list[int] = []
        #: By group, for each of its tables where it is packed, and where its gradient begins.
        self.tables: list[list[tuple[int, int]]] = []
        nothing = traced.parameters
        for group in groups:
            self.gradients.append(len(self.summed))
            width = len(group.vector)
            for first, high in tiles(len(group.rows), GRADIENT_ROWS):
                band = group.weights[first : first + high]
                for start, wide in tiles(width, self.gradient_columns):
                    self._sum([w for of in band for w in of[start : start + wide]])
            self._sum(group.biased.values())
            places = []
            for table in group.tables:
                places.append((len(self.packed), len(self.summed)))
                for symbol in zip(*table, strict=True):
                    picked = [nothing if w is None else w for w in symbol]
                    picked += [nothing] * (filled(len(table)) - len(table))
                    self.packed += picked
                    self.summed += picked
            self.tables.append(places)
        self.direct = sorted({*range(traced.parameters)}.difference(self.summed))

    def _sum(self, parameters: Iterable[int]) -> None:
        self.summed += parameters
        self.summed += [self.traced.parameters] * (-len(self.summed) % self.lanes)

    @property
    def gradient_columns(self) -> int:
        """The columns of a tile of the gradient: all of it has to stay in registers."""
        return 4 if self.lanes == 8 else 2

    def bands(self, g: int, rows: int) -> Places:
        """The places of the tiles in a band of so many rows of the gradient of a group."""
        found = tiles(len(self.groups[g].vector), self.gradient_columns)
        return Places([(start, filled(rows * width, self.lanes)) for start, width in found])

    def rows_of_bands(self, g: int) -> Places:
        """The places of the bands of the gradient of a group, by their first row."""
        found = tiles(len(self.groups[g].rows), GRADIENT_ROWS)
        return Places([(start, self.bands(g, rows).size) for start, rows in found])


class Places:
    """The places of parts one after the other, of given sizes, by the numbers at which they begin.

    >>> places = Places([(0, 16), (4, 16), (8, 8)])
    >>> places.size, places.each, places[8]
    (40, 4, 32)
    """

    def __init__(self, parts: Sequence[tuple[int, int]]) -> None:
        self.size, self._known = 0, {}
        for start, size in parts:
            self._known[start] = self.size
            self.size += size
        #: By how much the place grows with the number, as long as parts are full.
        self.each = 0 if len(parts) < 2 else self._known[parts[1][0]] // parts[1][0]

    def __getitem__(self, start: int) -> int:
        return self._known[start]


def filled(count: int, size: int = TILE) -> int:
    """A count, such as of rows, filled up to whole tiles, or to a multiple of another size.

    >>> filled(32), filled(33)
    (32, 40)
    """
    return -(-count // size) * size


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
