"""The program of a step as LLVM, looped over time and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ...errors import ArgumentValueError
from ...graph.walk import depth_first
from ...ops.op import Op
from ..traced import Cell, Group, find_groups, read_by_rules
from .builder import Lane, Writer
from .vector_math import definition, support

TILE: Final = 8
MOST_INLINE: Final = 32
LONGEST_INLINE: Final = 8
GRADIENT_TILE: Final = 4
# What holds in LLVM's words where a comparison comes out false, and where it comes out true.
PREDICATES: Final = {
    "<": ("uge", "olt"),
    "<=": ("ugt", "ole"),
    ">": ("ule", "ogt"),
    ">=": ("ult", "oge"),
    "!=": ("oeq", "une"),
}


# --- where everything lies -----------------------------------------------------------------------


class Layout:
    """Where everything lies, in vectors of lanes, or for packed weights in doubles.

    A step has a record on the tape: the state it starts from, the vectors and rows of the groups,
    ∂loss/∂row, and what else the backward sweep reads.  The weights of a group are packed in the
    order in which its tiles read them: rows side by side for the product, columns for its
    transpose.
    """

    def __init__(self, cell: Cell, groups: Sequence[Group], *, exact: bool) -> None:
        self.cell, self.groups = cell, groups
        self.row_of = {
            row: (g, j) for g, group in enumerate(groups) for j, row in enumerate(group.rows)
        }
        self.inside = {number for group in groups for number in group.inside}
        in_groups = {
            p for group in groups for p in (*sum(group.weights, ()), *group.biases) if p is not None
        }
        self.direct = [p for p in range(cell.parameters) if p not in in_groups]
        self.vectors: list[int] = []
        self.rows: list[int] = []
        self.slopes: list[int] = []
        self.size = cell.state_count
        for group in groups:
            for starts, count in (
                (self.vectors, len(group.vector)),
                (self.rows, len(group.rows)),
                (self.slopes, len(group.rows)),
            ):
                starts.append(self.size)
                self.size += count
        # Values that the rules read on the way back; where an op has text for both, its slope is
        # computed along with its value, and no rule reads.
        self.saved: dict[int, int] = {}
        self.sloped: dict[int, int] = {}
        read: set[int] = set()
        for number, (op, operands, _) in enumerate(cell.lines, cell.line):
            varying = [k for k, n in enumerate(operands) if not cell.input <= n < cell.line]
            if number in self.inside or not varying:
                continue
            if op.llvm_slope is not None and not exact:
                self.sloped[number] = self.size
                self.size += 1
                continue
            for place in varying:
                read |= {(*operands, number)[k] for k in read_by_rules(op)[place]}
        for number in sorted(read):
            if number >= cell.line and number not in self.row_of:
                self.saved[number] = self.size
                self.size += 1
        # Columns whose ∂loss/∂v somebody asks for: not those of inputs.
        self.columns = [
            [k for k, v in enumerate(group.vector) if not cell.input <= v < cell.line]
            for group in groups
        ]
        self.scratch = cell.state_count + max([len(group.vector) for group in groups], default=0)
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
            self.packed += [bias for bias in group.biases if bias is not None]
            self.backward.append(len(self.packed))
            for start, width in tiles(len(columns), TILE):
                for row in group.weights:
                    self.packed += [row[k] for k in columns[start : start + width]]
        # The gradient: of each group its weights row by row, then its biases; then the rest.
        self.gradient: list[int] = []
        self.gradients: list[int] = []
        for group in groups:
            self.gradients.append(len(self.gradient))
            self.gradient += [*sum(group.weights, ())]
            self.gradient += [bias for bias in group.biases if bias is not None]
        self.rest = len(self.gradient)
        self.gradient += self.direct


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


def find_run(numbers: Sequence[int], run: Sequence[int]) -> int | None:
    """Where the run stands in the numbers, or None.

    >>> find_run([5, 1, 2, 3], [1, 2])
    1
    """
    places = range(len(numbers) - len(run) + 1)
    return next((k for k in places if list(numbers[k : k + len(run)]) == list(run)), None)


# --- the function --------------------------------------------------------------------------------


class Step:
    """The code of a step at time t: forward, and backward."""

    def __init__(self, writer: Writer, layout: Layout, every: bool, exact: bool) -> None:
        self.w, self.layout, self.cell, self.every = writer, layout, layout.cell, every
        self.neutral = writer.splat(-0.0 if exact else 0.0)  # -0 changes no sum, not even of zeros
        self.carried = carried_states(self.cell, every)
        numbers = range(self.cell.line + len(self.cell.lines) - 1, self.cell.line - 1, -1)
        self.orders: Sequence[Sequence[int]] = (numbers, numbers)
        if exact:
            self.orders = sweep_orders(self.cell, every)
        # What the code of a block has: when its lanes start, the share of a step, and pointers.
        self.started = self.share = self.inputs = self.targets = self.loss = self.flags = ""
        self.gradient = "%gradient"

    # Values of one step, while it is written.

    def _begin(self, t: str, last: bool) -> None:
        w, layout = self.w, self.layout
        self.t = t
        self.has_loss = last or self.every
        self.record = w.at("%tape", w.integer("mul", t, layout.size))
        self.values: dict[int, str] = {}
        clock = w.let(f"insertelement <{w.lanes} x i64> poison, i64 {t}, i32 0")
        zeros = f"<{w.lanes} x i32> zeroinitializer"
        kind = f"<{w.lanes} x i64>"
        clock = w.let(f"shufflevector {kind} {clock}, {kind} poison, {zeros}")
        self.active = w.let(f"icmp sge {kind} {clock}, {self.started}")

    def _get(self, number: int) -> str:
        """A value as lanes: known from the forward code, or read."""
        if number not in self.values:
            self.values[number] = self._read(number)
        return self.values[number]

    def _read(self, number: int) -> str:
        w, cell, layout = self.w, self.cell, self.layout
        if number < cell.state:
            return w.broadcast("%parameters", number)
        if number < cell.input:
            return w.load(self.record, number - cell.state)
        if number < cell.target:
            place = w.integer("mul", self.t, max(1, cell.inputs))
            return w.load(w.at(self.inputs, place), number - cell.input)
        if number < cell.constant:
            pointer = self.targets
            if self.every:
                pointer = w.at(pointer, w.integer("mul", self.t, cell.targets))
            return w.load(pointer, number - cell.target)
        if number < cell.line:
            return w.splat(cell.constants[number - cell.constant])
        if number in layout.row_of:
            g, j = layout.row_of[number]
            return w.load(self.record, layout.rows[g] + j)
        return w.load(self.record, layout.saved[number])

    def forward(self, t: str, last: bool) -> None:
        """The step's values, its record, the state behind it, and its loss."""
        w, cell = self.w, self.cell
        self._begin(t, last)
        guards = cell.guards(loss=self.has_loss)
        results = [*([] if last else cell.states), *[cell.loss] * self.has_loss]
        self._compute(cell.needed(results, guards), keep=True)
        for guard in guards:
            self._check(guard)
        if self.has_loss:
            loss = w.select(self.active, self._get(cell.loss), self.neutral)
            so_far = w.load(self.loss)
            w.store(w.let(f"fadd {w.vector} {so_far}, {loss}"), self.loss)
        if not last:
            self._enter_next()

    def predict(self, t: str, last: bool, outputs: str) -> None:
        """The state behind the step, and the entries of its output where they are wanted."""
        w, cell = self.w, self.cell
        self._begin(t, last)
        guards = cell.guards(loss=False)
        wanted = cell.output if self.has_loss else ()
        results = [*([] if last else cell.states), *wanted]
        self._compute(cell.needed(results, guards), keep=False)
        for guard in guards:
            self._check(guard)
        if self.every:
            outputs = w.at(outputs, w.integer("mul", t, max(1, len(wanted))))
        for place, number in enumerate(wanted):
            w.store(self._get(number), outputs, place)
        if not last:
            self._enter_next()

    def _compute(self, needed: set[int], keep: bool) -> None:
        w, layout = self.w, self.layout
        done: set[int] = set()
        for number, (op, operands, _) in enumerate(self.cell.lines, self.cell.line):
            if number not in needed:
                continue
            if number in layout.row_of:
                g = layout.row_of[number][0]
                if g not in done:
                    done.add(g)
                    self._product(g)
            elif number not in layout.inside:
                given = [self._get(operand) for operand in operands]
                if keep and number in layout.sloped:
                    value, slope = w.call_both(op, given)
                    w.store(slope, self.record, layout.sloped[number])
                else:
                    value = w.call(op, given)
                self.values[number] = value
                if keep and number in layout.saved:
                    w.store(value, self.record, layout.saved[number])

    def _check(self, guard: Any) -> None:
        """Flag the lanes in which a comparison comes out otherwise than it was recorded."""
        w = self.w
        x, y = [self._get(number) for number in guard.operands]
        otherwise = PREDICATES[guard.comparison][not guard.outcome]
        found = w.let(f"fcmp {otherwise} {w.vector} {x}, {y}")
        wrong = w.let(f"and {w.mask} {found}, {self.active}")
        w.store(w.select(wrong, w.splat(1.0), w.load(self.flags)), self.flags)

    def _enter_next(self) -> None:
        """The states behind the step, or the initial ones in lanes that have not begun."""
        w = self.w
        following = w.at(self.record, self.layout.size)
        values = [self._get(state) for state in self.cell.states]
        for place, value in enumerate(values):
            w.store(w.select(self.active, value, w.load("%initial", place)), following, place)

    def _product(self, g: int) -> None:
        """The rows of a group: tiles of them in registers, their weights read in order."""
        w, layout, group = self.w, self.layout, self.layout.groups[g]
        size = len(group.vector)
        vector = w.at(self.record, layout.vectors[g])
        rows = w.at(self.record, layout.rows[g])
        # Code for each of many states takes long to compile: where all are there, they are copied.
        states = tuple(range(self.cell.state, self.cell.input))
        start = find_run(group.vector, states) if len(states) > TILE else None
        if start is not None:
            self._copy(self.record, w.at(vector, start), len(states))
        for k, number in enumerate(group.vector):
            if start is not None and start <= k < start + len(states):
                continue
            value = self._get(number)
            if number >= self.cell.line:
                value = w.select(self.active, value, w.splat(0.0))
            w.store(value, vector, k)
        with_bias = [bias is not None for bias in group.biases]
        bias_at = {j: sum(with_bias[:j]) for j in range(len(with_bias)) if with_bias[j]}
        all_biased = all(with_bias)

        def tile(start: str | int, width: int, weights: str) -> None:
            sums = []
            for q in range(width):
                if all_biased:
                    at = w.integer("add", start, layout.biases[g] + q)
                    sums.append(w.broadcast("%packed", at))
                elif isinstance(start, int) and start + q in bias_at:
                    sums.append(w.broadcast("%packed", layout.biases[g] + bias_at[start + q]))
                else:
                    sums.append(w.splat(-0.0))

            def inner(k: str, so_far: list[str]) -> list[str]:
                value = w.load(vector, k)
                at = w.at(weights, w.integer("mul", k, width), "double")
                return [w.multiply_add(w.broadcast(at, q), value, so_far[q]) for q in range(width)]

            for q, result in enumerate(w.loop(0, size, 1, sums, inner)):
                w.store(result, w.at(rows, start), q)

        self._tiles(len(group.rows), layout.forward[g], size, tile, all_biased or not bias_at)

    def _copy(self, source: str, target: str, count: int) -> None:
        w = self.w

        def once(k: str, _: list[str]) -> list[str]:
            w.store(w.load(source, k), target, k)
            return []

        w.loop(0, count, 1, [], once)

    def _tiles(
        self,
        count: int,
        packed: int,
        depth: int,
        tile: Callable[[str | int, int, str], None],
        uniform: bool,
    ) -> None:
        """Full tiles in a loop, where all are alike, and what is left over one by one."""
        w = self.w
        found = tiles(count, TILE)
        full = [start for start, width in found if width == TILE]
        if uniform and len(full) > 1:

            def body(index: str, _: list[str]) -> list[str]:
                at = w.integer("mul", index, depth)
                tile(index, TILE, w.at(w.at("%packed", packed, "double"), at, "double"))
                return []

            w.loop(0, len(full) * TILE, TILE, [], body)
            found = found[len(full) :]
        for start, width in found:
            tile(start, width, w.at("%packed", packed + start * depth, "double"))

    def backward(self, t: str, last: bool) -> None:
        """∂loss/∂ what the step reads: rows on its record, the state before it, parameters."""
        w, cell, layout = self.w, self.cell, self.layout
        self._begin(t, last)
        self.adjoints: dict[int, str] = {}
        if not last:
            for place, number in enumerate(cell.states):
                if place in self.carried:
                    seed = w.load("%scratch", place)
                    self._add(number, w.select(self.active, seed, self.neutral))
        if self.has_loss:
            one = self.share if self.every else w.splat(1.0)
            self._add(cell.loss, w.select(self.active, one, self.neutral))
        first_rows = {min(group.rows): g for g, group in enumerate(layout.groups)}
        for number in self.orders[last]:
            if number not in layout.inside and number in self.adjoints:
                self._line(number, *cell.lines[number - cell.line][:2])
            if number in first_rows:
                self._transpose(first_rows[number])
        for place in self.carried:
            adjoint = self.adjoints.get(cell.state + place, self.neutral)
            w.store(adjoint, "%scratch", place)

    def _add(self, number: int, term: str) -> None:
        """One more term of ∂loss/∂number."""
        w, cell = self.w, self.cell
        if number < cell.state:
            place = self.layout.rest + self.layout.direct.index(number)
            term = w.select(self.active, term, self.neutral)
            total = w.let(f"fadd {w.vector} {w.load(self.gradient, place)}, {term}")
            w.store(total, self.gradient, place)
        elif number < cell.input or number >= cell.line:
            before = self.adjoints.get(number)
            if before is not None:
                term = w.let(f"fadd {w.vector} {before}, {term}")
            self.adjoints[number] = term

    def _line(self, number: int, op: Op, operands: tuple[int, ...]) -> None:
        w, cell = self.w, self.cell
        if op.flat:
            return
        adjoint = Lane(w, self.adjoints[number])
        if number in self.layout.sloped:
            slope = w.load(self.record, self.layout.sloped[number])
            self._add(operands[0], (adjoint * Lane(w, slope)).name)
            return
        # Inputs, targets and constants have no adjoint, and what no rule reads was not saved.
        varying = [k for k, n in enumerate(operands) if not cell.input <= n < cell.line]
        read = {place for position in varying for place in read_by_rules(op)[position]}
        given = [
            self._operand(n) if place in read else None
            for place, n in enumerate((*operands, number))
        ]
        for position in varying:
            operand = operands[position]
            slope = op.partials[position](*given)
            if isinstance(slope, Lane):
                self._add(operand, (adjoint * slope).name)
            elif slope == 1.0:
                self._add(operand, adjoint.name)
            else:
                self._add(operand, (adjoint * float(slope)).name)

    def _operand(self, number: int) -> Any:
        """What a rule takes for a value: lanes, or a constant as it is."""
        cell = self.cell
        if cell.constant <= number < cell.line:
            return cell.constants[number - cell.constant]
        return Lane(self.w, self._get(number))

    def _transpose(self, g: int) -> None:
        """∂loss/∂v of a group, from its rows: what they are goes on the record for the weights."""
        w, layout, group = self.w, self.layout, self.layout.groups[g]
        slopes = w.at(self.record, layout.slopes[g])
        zero = w.splat(0.0)
        if not any(row in self.adjoints for row in group.rows):
            for j in range(len(group.rows)):
                w.store(zero, slopes, j)
            return
        for j, row in enumerate(group.rows):
            slope = self.adjoints.get(row, zero)
            w.store(w.select(self.active, slope, zero), slopes, j)
        columns = layout.columns[g]
        if not columns:
            return
        target = w.at("%scratch", self.cell.state_count)
        depth = len(group.rows)

        def tile(start: str | int, width: int, weights: str) -> None:
            def inner(j: str, so_far: list[str]) -> list[str]:
                slope = w.load(slopes, j)
                at = w.at(weights, w.integer("mul", j, width), "double")
                return [w.multiply_add(w.broadcast(at, q), slope, so_far[q]) for q in range(width)]

            results = w.loop(0, depth, 1, [w.splat(-0.0)] * width, inner)
            for q, result in enumerate(results):
                w.store(result, w.at(target, start), q)

        self._tiles(len(columns), layout.backward[g], depth, tile, True)
        for place, k in enumerate(columns):
            self._add(group.vector[k], w.load(target, place))

    def weight_gradients(self, steps: str) -> None:
        """Σ over the steps of ∂loss/∂row · v, for 4x4 weights at a time in registers."""
        w, cell, layout = self.w, self.cell, self.layout
        before_last = w.integer("sub", steps, 1)
        for g, group in enumerate(layout.groups):
            carried = [cell.states[place] for place in self.carried]
            in_last = any(row in cell.needed([cell.loss]) for row in group.rows)
            in_inner = self.every or any(row in cell.needed(carried) for row in group.rows)
            low = "0" if in_inner else before_last
            high = steps if in_last else before_last
            w.unless_empty(low, high, partial(self._outer, g, low, high))

    def _outer(self, g: int, low: str, high: str) -> None:
        w, layout, group = self.w, self.layout, self.layout.groups[g]
        width, base = len(group.vector), layout.gradients[g]
        with_bias = [j for j, bias in enumerate(group.biases) if bias is not None]
        bias_at = {j: base + width * len(group.rows) + i for i, j in enumerate(with_bias)}

        def tile(row: str | int, rows: int, column: str | int, columns: int) -> None:
            corner = w.integer("add", w.integer("mul", row, width), column)
            weights = w.at("%gradient", w.integer("add", corner, base))
            places = [i * width + k for i in range(rows) for k in range(columns)]

            def inner(t: str, so_far: list[str]) -> list[str]:
                record = w.at("%tape", w.integer("mul", t, layout.size))
                left = w.at(w.at(record, layout.slopes[g]), row)
                right = w.at(w.at(record, layout.vectors[g]), column)
                slopes = [w.load(left, i) for i in range(rows)]
                values = [w.load(right, k) for k in range(columns)]
                pairs = [(slope, value) for slope in slopes for value in values]
                return [
                    w.multiply_add(slope, value, total)
                    for (slope, value), total in zip(pairs, so_far, strict=True)
                ]

            first = [w.load(weights, place) for place in places]
            for place, result in zip(places, w.loop(low, high, 1, first, inner), strict=True):
                w.store(result, weights, place)

        def each(count: int, body: Callable[[str | int, int], None]) -> None:
            found = tiles(count, GRADIENT_TILE)
            full = [start for start, size in found if size == GRADIENT_TILE]
            if len(full) > 1:

                def once(index: str, _: list[str]) -> list[str]:
                    body(index, GRADIENT_TILE)
                    return []

                w.loop(0, len(full) * GRADIENT_TILE, GRADIENT_TILE, [], once)
                found = found[len(full) :]
            for start, size in found:
                body(start, size)

        each(
            len(group.rows),
            lambda row, rows: each(width, lambda column, columns: tile(row, rows, column, columns)),
        )
        for start in range(0, len(with_bias), TILE):
            some = with_bias[start : start + TILE]

            def sums(t: str, so_far: list[str], some: list[int] = some) -> list[str]:
                record = w.at("%tape", w.integer("mul", t, layout.size))
                slopes = [w.load(record, layout.slopes[g] + j) for j in some]
                return [
                    w.let(f"fadd {w.vector} {a}, {b}") for a, b in zip(so_far, slopes, strict=True)
                ]

            first = [w.load("%gradient", bias_at[j]) for j in some]
            for j, result in zip(some, w.loop(low, high, 1, first, sums), strict=True):
                w.store(result, "%gradient", bias_at[j])


def carried_states(cell: Cell, every: bool) -> list[int]:
    """The places of the states by which the loss of a later step depends on a step."""
    found: set[int] = set()
    while True:
        more = found | _read(cell, [cell.loss, *[cell.states[place] for place in found]])
        if more == found:
            return sorted(found)
        found = more


def _read(cell: Cell, results: Sequence[int]) -> set[int]:
    """The places of the states that a sweep from the results comes to."""
    return {n - cell.state for n in cell.swept(results) if cell.state <= n < cell.input}


def sweep_orders(cell: Cell, every: bool) -> tuple[list[int], list[int]]:
    """The lines of an inner step and of the last one, as the engine's sweep comes to them.

    `ValueError` for a step in which the engine does not sweep step by step, or not in the same
    order at each, or sums up otherwise than such a sweep would.
    """
    steps = 5

    def found_at(t: int, number: int) -> tuple[int, int]:
        while cell.state <= number < cell.input and t > 1:
            t, number = t - 1, cell.states[number - cell.state]
        return (t if number >= cell.line else 0, number)

    def operands(node: tuple[int, int]) -> list[tuple[int, int]]:
        t, number = node
        if number < cell.line or cell.lines[number - cell.line].op.flat:
            return []
        some = cell.lines[number - cell.line].operands
        return [found_at(t, n) for n in some if not cell.input <= n < cell.line]

    losses = [found_at(t, cell.loss) for t in range(1 if every else steps, steps + 1)]
    sweep = depth_first(losses, operands)[::-1]
    orders = [[number for t, number in sweep if t == k] for k in range(1, steps + 1)]
    inner, last = orders[0], orders[-1]
    carried = carried_states(cell, every)
    lines = [cell.states[place] for place in carried]
    by_step = [(t, number) for t in range(steps, 0, -1) for number in orders[t - 1]]
    # The terms of each sum, in the engine's order and step by step.
    both: list[dict[Any, list[Any]]] = [{}, {}]
    for sums, order in zip(both, (sweep, by_step), strict=True):
        for node in order:
            for position, operand in enumerate(operands(node) if node[0] else ()):
                sums.setdefault(operand, []).append((node, position))
    alike = all(order == inner for order in orders[:-1]) and both[0] == both[1]
    first = _read(cell, [cell.loss])
    after = _read(cell, [*[cell.states[k] for k in first], *[cell.loss] * every])
    if not alike or len(set(lines)) < len(lines) or not first == after == set(carried):
        raise ArgumentValueError(
            "exact=True cannot be had for this step in native code: the engine does not sweep it "
            "step by step in one order. Choose backend='python', which is exact for any step."
        )
    return inner, last


SIGNATURE: Final = (
    "ptr noalias %packed, ptr noalias %parameters, ptr noalias %all_inputs, "
    "ptr noalias %all_targets, ptr noalias %lengths, ptr noalias %offsets, ptr noalias %starts, "
    "ptr noalias %shares, ptr noalias %initial, ptr noalias %gradient, ptr noalias %tape, "
    "ptr noalias %scratch, ptr noalias %losses, ptr noalias %all_flags, i64 %first, i64 %end"
)


def emit(
    cell: Cell, lanes: int, *, every: bool, exact: bool = False, predict: bool = False
) -> tuple[str, Layout]:
    """The LLVM text of `run`, which adds up losses and gradients over blocks of sequences.

    A block has a sequence per lane, all ending at the same step; `every` has a loss at every step,
    averaged over the sequence, else the last one has.  With `exact`, each block has a gradient of
    its own, and nothing is fused or reordered; with `predict`, outputs stand where gradients do.
    """
    layout = Layout(cell, [] if exact else find_groups(cell), exact=exact)
    w = Writer(lanes, exact)
    step = Step(w, layout, every, exact and not predict)
    w.text.append(f"define void @run({SIGNATURE}) #0 {{")
    w.label("entry")

    def block(index: str, _: list[str]) -> list[str]:
        length = w.let(f"load i64, ptr {w.at('%lengths', index, 'i64')}, align 8")
        offset = w.let(f"load i64, ptr {w.at('%offsets', index, 'i64')}, align 8")
        kind = f"<{lanes} x i64>"
        started = w.let(f"load {kind}, ptr {w.at('%starts', index, kind)}, align {8 * lanes}")
        step.started, step.share = started, w.load("%shares", index)
        step.loss, step.flags = w.at("%losses", index), w.at("%all_flags", index)
        step.inputs = w.at("%all_inputs", w.integer("mul", offset, max(1, cell.inputs)))
        row = offset if every else index
        step.targets = w.at("%all_targets", w.integer("mul", row, max(1, cell.targets)))
        for place in range(cell.state_count):
            w.store(w.load("%initial", place), "%tape", place)
        if predict:
            _forward_only(step, length, row)
        else:
            if exact:
                step.gradient = w.at("%gradient", w.integer("mul", index, len(layout.gradient)))
            _there_and_back(step, length)
        return []

    w.loop("%first", "%end", 1, [], block)
    w.put("ret void")
    w.text.append("}")
    looks = 'nounwind "prefer-vector-width"="512"' if lanes == 8 else "nounwind"
    w.text.append(f"attributes #0 = {{ {looks} }}")
    w.text.append(f"declare {w.vector} @llvm.fma.v{lanes}f64({w.vector}, {w.vector}, {w.vector})")
    code = "\n".join(w.text) + "\n" + support(lanes, exact)
    for name, op in w.used.items():
        written = definition(op, lanes, slope=name.startswith("both_"), exact=exact)
        # What is long and called often is called indeed: compiling takes time, a call next to none.
        long = written.count("\n") > LONGEST_INLINE or "@lanes_" in written
        if w.calls[name] > MOST_INLINE and long:
            written = written.replace("alwaysinline", "noinline #0")
        code += written
    return code, layout


def _there_and_back(step: Step, length: str) -> None:
    """All steps of a block, then all of them back."""
    w = step.w

    def forward(t: str, _: list[str]) -> list[str]:
        step.forward(t, last=False)
        return []

    def backward(t: str, _: list[str]) -> list[str]:
        step.backward(t, last=False)
        return []

    before_last = w.integer("sub", length, 1)
    w.unless_empty(0, before_last, lambda: w.loop(0, before_last, 1, [], forward))
    step.forward(before_last, last=True)
    step.backward(before_last, last=True)
    second_last = w.integer("sub", length, 2)
    w.unless_empty(0, before_last, lambda: w.loop(second_last, -1, -1, [], backward))
    step.weight_gradients(length)


def _forward_only(step: Step, length: str, row: str) -> None:
    """All steps of a block, with the outputs of the last, or of `every`."""
    w = step.w
    outputs = w.at("%gradient", w.integer("mul", row, max(1, len(step.cell.output))))

    def forward(t: str, _: list[str]) -> list[str]:
        step.predict(t, False, outputs)
        return []

    before_last = w.integer("sub", length, 1)
    w.unless_empty(0, before_last, lambda: w.loop(0, before_last, 1, [], forward))
    step.predict(before_last, True, outputs)
