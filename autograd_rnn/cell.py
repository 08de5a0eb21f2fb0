"""A recorded step as data, each value known by its number, and its affine groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import add, mul
from typing import Any, NamedTuple

from .ops import Op
from .replay import Guard, Line, Program

__all__ = ["Cell", "Group", "find_groups", "read_by_rules"]


class Cell(NamedTuple):
    """The program of a step with its loss, and what its inputs and outputs are.

    Values are numbered: parameters, states, inputs, targets, constants, lines.  The program gives
    the states after the step, the entries of its output, and the loss; so many `checks`, the first
    of its guards, are the step's own, and the others the loss's.
    """

    program: Program
    parameters: int
    state_count: int
    inputs: int
    targets: int
    checks: int = 0

    @property
    def constants(self) -> tuple[float, ...]:
        """The constants of the program."""
        return self.program.constants

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of the program."""
        return self.program.lines

    @property
    def states(self) -> tuple[int, ...]:
        """The numbers of the states after the step."""
        return self.program.outputs[: self.state_count]

    @property
    def output(self) -> tuple[int, ...]:
        """The numbers of the entries of the output."""
        return self.program.outputs[self.state_count : -1]

    @property
    def loss(self) -> int:
        """The number of the loss."""
        return self.program.outputs[-1]

    @property
    def state(self) -> int:
        """The number of the first state."""
        return self.parameters

    @property
    def input(self) -> int:
        """The number of the first input."""
        return self.state + self.state_count

    @property
    def target(self) -> int:
        """The number of the first target."""
        return self.input + self.inputs

    @property
    def constant(self) -> int:
        """The number of the first constant."""
        return self.target + self.targets

    @property
    def line(self) -> int:
        """The number of the first line."""
        return self.constant + len(self.constants)

    def guards(self, *, loss: bool) -> tuple[Guard, ...]:
        """The guards of the step, and of the loss where that is computed."""
        return self.program.guards if loss else self.program.guards[: self.checks]

    def needed(self, results: Sequence[int], guards: Sequence[Guard] = ()) -> set[int]:
        """The lines that these results and guards are computed from, by number."""
        first, lines = self.line, self.lines
        wanted = [*results, *[number for guard in guards for number in guard.operands]]
        found = {number for number in wanted if number >= first}
        for place in reversed(range(len(lines))):
            if first + place in found:
                found.update([n for n in lines[place].operands if n >= first])
        return found

    def swept(self, results: Sequence[int]) -> set[int]:
        """What a backward sweep from these results comes to, by number."""
        found = set(results)
        for number in range(self.line + len(self.lines) - 1, self.line - 1, -1):
            op, operands, _ = self.lines[number - self.line]
            if number in found and not op.flat:
                found.update(operands)
        return found


class _Probe:
    """A stand-in for a number, which takes note that a rule of the table reads it."""

    def __init__(self, place: int, read: set[int]) -> None:
        self.place, self.read = place, read

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> _Probe:
        probes = [operand for operand in operands if isinstance(operand, _Probe)]
        for probe in probes:
            probe.read.add(probe.place)
        return probes[0]

    def _combine(self, *others: Any) -> _Probe:
        return self._apply_op(None, (self, *others))  # type: ignore[arg-type]

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _combine


@lru_cache(maxsize=1000)
def read_by_rules(op: Op) -> tuple[frozenset[int], ...]:
    """For each partial of an op the places of what it reads; the result comes after the operands.

    >>> from autograd_rnn.ops import TABLE
    >>> [sorted(read) for read in read_by_rules(TABLE["mul"])]
    [[1], [0]]
    """
    found = []
    for rule in op.partials:
        read: set[int] = set()
        slope = rule(*[_Probe(place, read) for place in range(op.arity + 1)])
        if isinstance(slope, _Probe):
            read.add(slope.place)
        found.append(frozenset(read))
    return tuple(found)


class Group(NamedTuple):
    """Rows π_j = b_j + Σ w_jk·v_k over one vector v: a matrix-vector product.

    `rows` are the numbers of the π_j, `biases` the parameters b_j or None, `weights` the parameters
    by row; `inside` the numbers of all lines that the product replaces.
    """

    vector: tuple[int, ...]
    rows: tuple[int, ...]
    biases: tuple[int | None, ...]
    weights: tuple[tuple[int, ...], ...]
    inside: frozenset[int]


def find_groups(cell: Cell) -> list[Group]:
    """The affine groups of a step: chains of sums of a parameter times a value, by their vector.

    Only parameters that are used once are taken, so that the gradient of each is one product.
    """
    parameters, first = cell.parameters, cell.line
    uses = [0] * (first + len(cell.lines))
    for line in cell.lines:
        for number in line.operands:
            uses[number] += 1
    for number in [*cell.program.outputs, *[n for g in cell.program.guards for n in g.operands]]:
        uses[number] += 1

    def is_weight(number: int) -> bool:
        return number < parameters and uses[number] == 1

    terms: dict[int, tuple[int, int]] = {}  # a product: its weight and its value
    chains: dict[int, tuple[int | None, list[tuple[int, int]], list[int]]] = {}
    for number, (op, operands, _) in enumerate(cell.lines, first):
        if op.operator is None or op.arity != 2:
            continue
        a, b = operands
        if op.operator is mul:
            for weight, value in ((a, b), (b, a)):
                if is_weight(weight) and value >= parameters:
                    terms[number] = (weight, value)
                    break
        elif op.operator is add and b in terms and uses[b] == 1:
            # A chain is extended in place: the shorter one ends inside of this one.
            if a in chains and uses[a] == 1:
                bias, chain, inside = chains.pop(a)
                chain.append(terms[b])
                inside += (b, number)
                chains[number] = (bias, chain, inside)
            elif a in terms and uses[a] == 1:
                chains[number] = (None, [terms[a], terms[b]], [a, b, number])
            elif is_weight(a):
                chains[number] = (a, [terms[b]], [b, number])
    by_vector: dict[tuple[int, ...], list[int]] = {}
    for number, (_, chain, _) in chains.items():
        by_vector.setdefault(tuple([value for _, value in chain]), []).append(number)
    return [
        Group(
            vector,
            tuple(rows),
            tuple([chains[row][0] for row in rows]),
            tuple([tuple([weight for weight, _ in chains[row][1]]) for row in rows]),
            frozenset([number for row in rows for number in chains[row][2]]),
        )
        for vector, rows in by_vector.items()
        if len(vector) * len(rows) > 1
    ]
