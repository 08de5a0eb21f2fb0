"""A step traced once: its program, and the affine groups in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, chain
from operator import add, mul
from typing import Any, NamedTuple

from ..engine.value import Value
from ..errors import ArgumentValueError
from ..graph.walk import depth_first
from ..ops.op import Op
from ..ops.tracer import Tracer
from ..program.choices import separated
from ..program.program import Program
from ..program.recorder import recording
from ..program.writer import Guard, behind
from .objective import Objective


class TracedStep:
    """The program of a step and its loss, with the meaning of its inputs and outputs.

    Its inputs are, by their `counts`, parameters, states, inputs and targets.  It gives the
    `states` after the step, the entries of the `output`, and the `loss`.  `state`, `input`,
    `target`, `constant` and `line` are the numbers of the first of each.  The first `checks` of its
    guards belong to the step, the others to the loss.  If inputs are `symbols`, one of them is 1
    and the others are 0.
    """

    def __init__(
        self, program: Program, *counts: int, checks: int = 0, symbols: bool = False
    ) -> None:
        self.program, self.checks, self.symbols = program, checks, symbols
        self.parameters, self.state_count, self.inputs, self.targets = counts
        self.constants, self.lines = program.constants, program.lines
        self.state, self.input, self.target, self.constant = accumulate(counts)
        self.line = program.first_line
        outputs, states = program.outputs, self.state_count
        self.states, self.output, self.loss = outputs[:states], outputs[states:-1], outputs[-1]

    @cached_property
    def groups(self) -> list[Group]:
        """The affine groups."""
        return find_groups(self)

    def varies(self, number: int) -> bool:
        """Whether a value moves with a parameter or a state: a backward sweep goes to it."""
        return number < self.input or number in self._varying

    @cached_property
    def _varying(self) -> set[int]:
        """The numbers of the lines that vary."""
        found: set[int] = set()
        for number, (op, operands, _) in enumerate(self.lines, self.line):
            if not op.flat and any(n < self.input or n in found for n in operands):
                found.add(number)
        return found

    @cached_property
    def carried(self) -> list[int]:
        """The places of the states through which later losses depend on a step."""
        found: set[int] = set()
        while True:
            more = found | states_read(self, [self.loss, *[self.states[place] for place in found]])
            if more == found:
                return sorted(found)
            found = more

    def guards(self, *, loss: bool) -> tuple[Guard, ...]:
        """The guards of the step, and of the loss where that is computed."""
        return self.program.guards if loss else self.program.guards[: self.checks]

    def needed(self, results: Sequence[int], guards: Sequence[Guard] = ()) -> set[int]:
        """The numbers of the lines from which these results and guards are computed."""
        wanted = [*results, *[number for guard in guards for number in guard.operands]]
        found = behind(self.lines, self.line, wanted)
        return {number for number in range(self.line, len(found)) if found[number]}

    def swept(self, results: Sequence[int]) -> set[int]:
        """The numbers of the values that a backward sweep from these results comes to."""
        found = behind(self.lines, self.line, results, flat=False)
        return {number for number, there in enumerate(found) if there}


def trace_step(
    objective: Objective,
    x: Sequence[float],
    y: Sequence[float] | None,
    *,
    share: bool = True,
    symbols: bool = False,
) -> TracedStep:
    """The step recorded on an input and a target; without a target the loss is 0.

    Sharing equal lines moves the last bits of gradients, whose terms are then added up before they
    are multiplied.
    """
    numbers = (objective.state, x, () if y is None else y)
    given = [
        tuple([Value(float(entry), f"{letter}_{place}") for place, entry in enumerate(entries, 1)])
        for letter, entries in zip("qxy", numbers, strict=True)
    ]
    parameters, (state, inputs, targets) = tuple(objective.parameters), given
    names = objective.names | {value: value.name for values in given for value in values}
    with recording([*state, *inputs, *targets], parameters) as recorder:
        after, output = objective.call(state, inputs, parameters)
        checks = len(recorder.comparisons)
        loss = 0.0 if y is None else objective.loss_of(output, targets)
    entries = output if isinstance(output, tuple | list) else [output]
    results = [*after, *entries, loss]
    program = separated(recorder.program(results, [*names], names))
    program = program.simplified() if share else program.folded()
    counts = [len(parameters), *map(len, given)]
    return TracedStep(program, *counts, checks=checks, symbols=symbols)


def states_read(traced: TracedStep, results: Sequence[int]) -> set[int]:
    """The places of the states that a sweep from the results comes to."""
    return {n - traced.state for n in traced.swept(results) if traced.state <= n < traced.input}


# --- the order of a sweep ----------------------------------------------------------------------


def sweep_orders(traced: TracedStep, every: bool) -> tuple[list[int], list[int]]:
    """The lines of an inner step and of the last one, in the order of the engine's sweep.

    `ValueError` if the engine does not sweep step by step, in one order at each inner step, with
    the terms of every sum in that order.
    """
    steps = 5

    def found_at(t: int, number: int) -> tuple[int, int]:
        while traced.state <= number < traced.input and t > 1:
            t, number = t - 1, traced.states[number - traced.state]
        return (t if number >= traced.line else 0, number)

    def operands(node: tuple[int, int]) -> list[tuple[int, int]]:
        t, number = node
        if number < traced.line or traced.lines[number - traced.line].op.flat:
            return []
        some = traced.lines[number - traced.line].operands
        return [found_at(t, n) for n in some if traced.varies(n)]

    losses = [found_at(t, traced.loss) for t in range(1 if every else steps, steps + 1)]
    sweep = depth_first(losses, operands)[::-1]
    orders = [[number for t, number in sweep if t == k] for k in range(1, steps + 1)]
    inner, last = orders[0], orders[-1]
    carried = traced.carried
    lines = [traced.states[place] for place in carried]
    by_step = [(t, number) for t in range(steps, 0, -1) for number in orders[t - 1]]
    # The terms of each sum, in the engine's order and step by step.
    both: list[dict[Any, list[Any]]] = [{}, {}]
    for sums, order in zip(both, (sweep, by_step), strict=True):
        for node in order:
            for position, operand in enumerate(operands(node) if node[0] else ()):
                sums.setdefault(operand, []).append((node, position))
    alike = all(order == inner for order in orders[:-1]) and both[0] == both[1]
    first = states_read(traced, [traced.loss])
    after = states_read(traced, [*[traced.states[k] for k in first], *[traced.loss] * every])
    if not alike or len(set(lines)) < len(lines) or not first == after == set(carried):
        raise ArgumentValueError(
            "exact=True cannot be had for this step in native code: the engine does not sweep it "
            "step by step in one order. Choose backend='python', which is exact for any step."
        )
    return inner, last


# --- the operands that rules of the table read ---------------------------------------------------


class _Probe(Tracer):
    """A stand-in for a number, which records that a rule of the table reads it."""

    def __init__(self, place: int, read: set[int]) -> None:
        self.place, self.read = place, read

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> _Probe:
        probes = [operand for operand in operands if isinstance(operand, _Probe)]
        for probe in probes:
            probe.read.add(probe.place)
        return probes[0]


@lru_cache(maxsize=1000)
def read_by_rules(op: Op) -> tuple[frozenset[int], ...]:
    """For each partial of an op the places of the operands it reads, and of the result after them.

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


# --- affine groups -------------------------------------------------------------------------------


class Group(NamedTuple):
    """The matrix-vector product with the rows π_j = b_j + Σ w_jk·v_k of one vector v.

    `rows` are the numbers of the π_j, `biases` the parameters b_j or None, `weights` the parameters
    by row; `inside` the numbers of all lines that the product replaces.

    Inputs are not in the vector if they are symbols: then a table has, for each row, the parameter
    that a symbol adds to it, or None.  There are `tables` of that kind, mostly one.
    """

    vector: tuple[int, ...]
    rows: tuple[int, ...]
    biases: tuple[int | None, ...]
    weights: tuple[tuple[int, ...], ...]
    inside: frozenset[int]
    tables: tuple[tuple[tuple[int | None, ...], ...], ...] = ()

    @property
    def leads(self) -> list[int]:
        """The first weight of each row."""
        whole = [self.weights, *self.tables]
        rows = zip(*whole, strict=True)
        return [next(w for w in chain.from_iterable(row) if w is not None) for row in rows]

    def parameters(self) -> Iterator[int]:
        """The numbers of all parameters in the group."""
        yield from self.biased.values()
        for row in chain(self.weights, *self.tables):
            yield from [number for number in row if number is not None]

    def by_weights(self) -> Group:
        """The group with its rows in the order of their first weights."""
        order = sorted(range(len(self.rows)), key=self.leads.__getitem__)

        def sort(rows: Sequence[Any]) -> Any:
            return tuple([rows[j] for j in order])

        return self._replace(
            rows=sort(self.rows),
            biases=sort(self.biases),
            weights=sort(self.weights),
            tables=(*map(sort, self.tables),),
        )

    @property
    def biased(self) -> dict[int, int]:
        """The rows that have a bias, by place, and their biases."""
        return {j: bias for j, bias in enumerate(self.biases) if bias is not None}


def find_groups(traced: TracedStep) -> list[Group]:
    """The affine groups of a step: chains of sums of a parameter times a value, by their vector.

    Only parameters that are used once are taken, so that the gradient of each is one product.
    """
    parameters, first = traced.parameters, traced.line
    uses = Counter(traced.program.results)
    uses.update([number for line in traced.lines for number in line.operands])

    def is_weight(number: int) -> bool:
        return number < parameters and uses[number] == 1

    terms: dict[int, tuple[int, int]] = {}  # a product: its weight and its value
    chains: dict[int, tuple[int | None, list[tuple[int, int]], list[int]]] = {}
    for number, (op, operands, _) in enumerate(traced.lines, first):
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
                bias, summed, inside = chains.pop(a)
                summed.append(terms[b])
                inside += (b, number)
                chains[number] = (bias, summed, inside)
            elif a in terms and uses[a] == 1:
                chains[number] = (None, [terms[a], terms[b]], [a, b, number])
            elif is_weight(a):
                chains[number] = (a, [terms[b]], [b, number])
    by_vector: dict[tuple[int, ...], list[int]] = {}
    for number, (_, summed, _) in chains.items():
        by_vector.setdefault(tuple([value for _, value in summed]), []).append(number)
    found = []
    for vector, rows in by_vector.items():
        if len(vector) * len(rows) > 1:
            weights = tuple([tuple([weight for weight, _ in chains[row][1]]) for row in rows])
            biases = tuple([chains[row][0] for row in rows])
            numbers = frozenset([number for row in rows for number in chains[row][2]])
            found.append(Group(vector, tuple(rows), biases, weights, numbers))
    return [with_tables(group, traced) for group in found] if traced.symbols else found


def with_tables(group: Group, traced: TracedStep) -> Group:
    """The group with tables in place of the inputs in its vector."""
    inputs = range(traced.input, traced.target)
    left = [place for place, number in enumerate(group.vector) if number not in inputs]
    met: Counter[int] = Counter()
    tables: list[list[list[int | None]]] = []
    for place, number in enumerate(group.vector):
        if number in inputs:
            if met[number] == len(tables):
                tables.append([[None] * len(inputs) for _ in group.rows])
            for row, weights in zip(tables[met[number]], group.weights, strict=True):
                row[number - traced.input] = weights[place]
            met[number] += 1
    return group._replace(
        vector=tuple([group.vector[place] for place in left]),
        weights=tuple([tuple([row[place] for place in left]) for row in group.weights]),
        tables=tuple([tuple(map(tuple, table)) for table in tables]),
    )
