"""The places in memory of all that the code of a step reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..traced import Group, TracedStep, read_by_rules

TILE: Final = 8
NARROWEST: Final = 4  # a tile of fewer rows waits for its sums


class Weights(NamedTuple):
    """Where a matrix is: the number of row j and column k is at `origin` + `stride`·k + j."""

    origin: int
    stride: int


class Layout:
    """The places of everything, in vectors of lanes, or for weights in doubles.

    A step has a record on the tape: the state before it, the vectors and rows of the groups, and
    the other values that the backward sweep reads.

    Of the weights of a group, its biases and its tables the columns lie one after the other.  If
    they do so among the parameters, as those of the layers do, they are read there; others are
    `copied`, to places after the parameters and a 0.  The gradient has the same places, and before
    them a number per lane for the parameters in no group, which are `direct`.
    """

    def __init__(
        self, traced: TracedStep, groups: Sequence[Group], *, lanes: int, exact: bool
    ) -> None:
        self.traced, self.lanes = traced, lanes
        self.groups = groups = [group.by_weights() for group in groups]
        self.row_of = {
            row: (g, j) for g, group in enumerate(groups) for j, row in enumerate(group.rows)
        }
        self.inside = {number for group in groups for number in group.inside}
        count = traced.state_count
        states = tuple(range(traced.state, traced.input))
        # A vector that begins with the states lies where they are.  One of them has more entries,
        # which come next.
        leading = [g for g, group in enumerate(groups) if group.vector[:count] == states and count]
        longer = [g for g in leading if len(groups[g].vector) > count][:1]
        self.leading = [g for g in leading if len(groups[g].vector) == count or g in longer]
        self.size = count + sum([len(groups[g].vector) - count for g in longer])
        self.vectors: list[int] = []
        self.rows: list[int] = []  # ∂loss/∂row takes the place of the row
        for g, group in enumerate(groups):
            self.vectors.append(0 if g in self.leading else self.size)
            self.size += 0 if g in self.leading else len(group.vector)
            self.rows.append(self.size)
            self.size += len(group.rows)
        # Values that the rules read on the way back; where an op has text for both, its slope is
        # computed along with its value, and no rule reads.
        self.saved: dict[int, int] = {}
        self.sloped: dict[int, int] = {}
        read: set[int] = set()
        carried = [traced.states[place] for place in traced.carried]
        swept = traced.swept([traced.loss, *carried]).difference(self.inside)
        for number, (op, operands, _) in enumerate(traced.lines, traced.line):
            if number not in swept or not traced.varies(number):
                continue
            if op.llvm_slope is not None and not exact:
                self.sloped[number] = self.size
                self.size += 1
                continue
            for place in [k for k, n in enumerate(operands) if traced.varies(n)]:
                read |= {(*operands, number)[k] for k in read_by_rules(op)[place]}
        for number in sorted(read):
            if number >= traced.line and number not in self.row_of:
                self.saved[number] = self.size
                self.size += 1
        # By an odd number of cache lines, places of many records are not all in one set of a cache.
        self.size |= 1
        # Columns from the first to the last that a sweep goes to, which may be none.
        self.columns = [
            range(min(varying, default=0), max(varying, default=-1) + 1)
            for varying in [
                [k for k, v in enumerate(group.vector) if traced.varies(v)] for group in groups
            ]
        ]
        # On the way back adjoints; before, the states that lanes start from, and what comes out.
        longest = max([len(group.vector) for group in groups], default=0)
        self.scratch = traced.state_count + max(longest, len(traced.output))
        self.nothing = traced.parameters  # the place of the 0
        self.copied: list[int] = []
        self.weights = [self._place([*zip(*group.weights, strict=True)]) for group in groups]
        self.biases = [self._place([[*group.biased.values()]]) for group in groups]
        #: By group, the places of its tables, with a column for each symbol.
        self.tables = [
            [self._place([*zip(*table, strict=True)]) for table in group.tables] for group in groups
        ]
        grouped = {number for group in groups for number in group.parameters()}
        self.direct = sorted({*range(traced.parameters)} - grouped)

    def _place(self, columns: Sequence[Sequence[int | None]]) -> Weights:
        """Where these parameters are, or nothing for None, by column: there, or copied."""
        if not columns or not columns[0]:
            return Weights(0, 0)
        rows, numbers = len(columns[0]), [n for column in columns for n in column]
        origin = numbers[0]
        if origin is not None and None not in numbers:
            stride = (numbers[rows] or 0) - origin if len(columns) > 1 else rows
            starts = range(origin, origin + stride * len(columns), stride or 1)
            if numbers == [start + j for start in starts for j in range(rows)]:
                return Weights(origin, stride)
        place = Weights(self.nothing + 1 + len(self.copied), rows)
        self.copied += [self.nothing if n is None else n for n in numbers]
        return place


def tiles(count: int, most: int) -> list[tuple[int, int]]:
    """The start and the width of each tile of so many rows: full ones, then one of the others.

    Few others belong to the last one.

    >>> tiles(21, 8), tiles(19, 8)
    ([(0, 8), (8, 8), (16, 5)], [(0, 8), (8, 11)])
    """
    found = chunks(count, most)
    if len(found) > 1 and found[-1][1] < NARROWEST:
        _, rest = found.pop()
        found[-1] = (found[-1][0], most + rest)
    return found


def chunks(count: int, most: int) -> list[tuple[int, int]]:
    """The start and the width of each part of so many: full ones, then the rest.

    >>> chunks(19, 8)
    [(0, 8), (8, 8), (16, 3)]
    """
    return [(start, min(most, count - start)) for start in range(0, count, most)]
