"""The program of a step as LLVM, looped over time and batch."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from operator import add, mul
from typing import Any, Final, NamedTuple

from .lanes import definition, everywhere, support
from .ops import Op

__all__ = [
    "Blocks",
    "Cell",
    "Group",
    "Kernel",
    "Layout",
    "aligned",
    "compile_text",
    "emit",
    "find_groups",
    "make_blocks",
    "tiles",
]

TILE: Final = 8
MOST_INLINE: Final = 32
LONGEST_INLINE: Final = 8
GRADIENT_TILE: Final = 4


class Cell(NamedTuple):
    """A recorded step as data, each value known by its number.

    Values are numbered: parameters, states, inputs, targets, constants, lines.  A line is an op and
    the numbers of its operands; `states` and `loss` are the numbers of the results.
    """

    parameters: int
    state_count: int
    inputs: int
    targets: int
    constants: tuple[float, ...]
    lines: tuple[tuple[Op, tuple[int, ...]], ...]
    states: tuple[int, ...]
    loss: int

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

    def needed(self, results: Sequence[int]) -> set[int]:
        """The lines that these results are computed from, by number."""
        found = {number for number in results if number >= self.line}
        for place in reversed(range(len(self.lines))):
            if self.line + place in found:
                found |= {n for n in self.lines[place][1] if n >= self.line}
        return found


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
    uses: dict[int, int] = {}
    for _, operands in cell.lines:
        for number in operands:
            uses[number] = uses.get(number, 0) + 1
    for number in (*cell.states, cell.loss):
        uses[number] = uses.get(number, 0) + 1

    def is_weight(number: int) -> bool:
        return number < cell.parameters and uses[number] == 1

    terms: dict[int, tuple[int, int]] = {}  # a product: its weight and its value
    chains: dict[int, tuple[int | None, list[tuple[int, int]], list[int]]] = {}
    for place, (op, operands) in enumerate(cell.lines):
        number = cell.line + place
        if op.operator is None or op.arity != 2:
            continue
        a, b = operands
        if op.operator is mul:
            for weight, value in ((a, b), (b, a)):
                if is_weight(weight) and value >= cell.parameters:
                    terms[number] = (weight, value)
                    break
        elif op.operator is add and b in terms and uses[b] == 1:
            if a in chains and uses[a] == 1:
                bias, chain, inside = chains.pop(a)
                chains[number] = (bias, [*chain, terms[b]], [*inside, b, number])
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


# --- where everything lies -----------------------------------------------------------------------


class Layout:
    """Where everything lies, in vectors of lanes, or for packed weights in doubles.

    A step has a record on the tape: the state it starts from, the vectors and rows of the groups,
    ∂loss/∂row, and what else the backward sweep reads.  The weights of a group are packed in the
    order in which its tiles read them: rows side by side for the product, columns for its
    transpose.
    """

    def __init__(self, cell: Cell, groups: Sequence[Group]) -> None:
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
        self.saved: dict[int, int] = {}
        for place in range(len(cell.lines)):
            number = cell.line + place
            if number not in self.inside:
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


# --- writing LLVM --------------------------------------------------------------------------------


class Writer:
    """LLVM text in the making: instructions, loops, vectors of lanes."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.vector = f"<{lanes} x double>"
        self.mask = f"<{lanes} x i1>"
        self.text: list[str] = []
        self.count = 0
        self.block = "entry"
        self.used: dict[str, Op] = {}
        self.calls: dict[str, int] = {}

    def name(self) -> str:
        self.count += 1
        return f"%r{self.count}"

    def put(self, instruction: str) -> None:
        self.text.append(f"  {instruction}")

    def let(self, instruction: str) -> str:
        name = self.name()
        self.put(f"{name} = {instruction}")
        return name

    def label(self, label: str) -> None:
        self.text.append(f"{label}:")
        self.block = label

    def at(self, pointer: str, offset: str | int, kind: str | None = None) -> str:
        if offset == 0 or offset == "0":
            return pointer
        return self.let(f"getelementptr {kind or self.vector}, ptr {pointer}, i64 {offset}")

    def load(self, pointer: str, offset: str | int = 0) -> str:
        return self.let(
            f"load {self.vector}, ptr {self.at(pointer, offset)}, align {8 * self.lanes}"
        )

    def store(self, value: str, pointer: str, offset: str | int = 0) -> None:
        place = self.at(pointer, offset)
        self.put(f"store {self.vector} {value}, ptr {place}, align {8 * self.lanes}")

    def broadcast(self, pointer: str, offset: str | int = 0) -> str:
        number = self.let(f"load double, ptr {self.at(pointer, offset, 'double')}, align 8")
        first = self.let(f"insertelement {self.vector} poison, double {number}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.let(f"shufflevector {self.vector} {first}, {self.vector} poison, {zeros}")

    def splat(self, number: float) -> str:
        return everywhere(number, self.lanes)

    def integer(self, op: str, a: str | int, b: str | int) -> str:
        return self.let(f"{op} i64 {a}, {b}")

    def multiply_add(self, a: str, b: str, c: str) -> str:
        of = f"{self.vector} {a}, {self.vector} {b}, {self.vector} {c}"
        return self.let(f"call {self.vector} @llvm.fma.v{self.lanes}f64({of})")

    def select(self, mask: str, a: str, b: str) -> str:
        return self.let(f"select {self.mask} {mask}, {self.vector} {a}, {self.vector} {b}")

    def call(self, op: Op, operands: Sequence[str], slope: bool = False) -> str:
        name = f"slope_{op.name}" if slope else f"op_{op.name}"
        self.used[name] = op
        self.calls[name] = self.calls.get(name, 0) + 1
        arguments = ", ".join([f"{self.vector} {operand}" for operand in operands])
        return self.let(f"call {self.vector} @{name}({arguments})")

    def loop(
        self,
        low: str | int,
        high: str | int,
        step: int,
        carried: Sequence[str],
        body: Callable[[str, list[str]], list[str]],
    ) -> list[str]:
        """for i in range(low, high, step), which is not empty, carrying vectors along."""
        self.count += 1
        here, before = f"loop{self.count}", self.block
        index, following = f"%i{self.count}", f"%n{self.count}"
        phis = [f"%c{self.count}_{place}" for place in range(len(carried))]
        self.put(f"br label %{here}")
        self.label(here)
        place = len(self.text)
        self.text.append("")
        results = body(index, phis)
        self.put(f"{following} = add i64 {index}, {step}")
        order = "slt" if step > 0 else "sgt"
        more = self.let(f"icmp {order} i64 {following}, {high}")
        self.put(f"br i1 {more}, label %{here}, label %after_{here}")
        lines = [f"  {index} = phi i64 [ {low}, %{before} ], [ {following}, %{self.block} ]"]
        for phi, first, result in zip(phis, carried, results, strict=True):
            incoming = f"[ {first}, %{before} ], [ {result}, %{self.block} ]"
            lines.append(f"  {phi} = phi {self.vector} {incoming}")
        self.text[place] = "\n".join(lines)
        self.label(f"after_{here}")
        return results

    def unless_empty(self, low: str | int, high: str | int, body: Callable[[], object]) -> None:
        """The body where low < high."""
        self.count += 1
        some = self.let(f"icmp slt i64 {low}, {high}")
        name = f"some{self.count}"
        self.put(f"br i1 {some}, label %{name}, label %after_{name}")
        self.label(name)
        body()
        self.put(f"br label %after_{name}")
        self.label(f"after_{name}")


class Lane:
    """A value of the lanes to which the rules of the table can be applied."""

    def __init__(self, writer: Writer, name: str) -> None:
        self.writer, self.name = writer, name

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Lane:
        writer = next(operand.writer for operand in operands if isinstance(operand, Lane))
        names = [o.name if isinstance(o, Lane) else writer.splat(float(o)) for o in operands]
        return Lane(writer, writer.call(op, names))

    def __add__(self, other: Any) -> Lane:
        return _infix("fadd", self, other)

    def __radd__(self, other: Any) -> Lane:
        return _infix("fadd", other, self)

    def __sub__(self, other: Any) -> Lane:
        return _infix("fsub", self, other)

    def __rsub__(self, other: Any) -> Lane:
        return _infix("fsub", other, self)

    def __mul__(self, other: Any) -> Lane:
        return _infix("fmul", self, other)

    def __rmul__(self, other: Any) -> Lane:
        return _infix("fmul", other, self)

    def __neg__(self) -> Lane:
        return Lane(self.writer, self.writer.let(f"fneg {self.writer.vector} {self.name}"))


def _infix(instruction: str, a: Any, b: Any) -> Lane:
    writer: Writer = a.writer if isinstance(a, Lane) else b.writer
    x, y = [o.name if isinstance(o, Lane) else writer.splat(float(o)) for o in (a, b)]
    return Lane(writer, writer.let(f"{instruction} contract {writer.vector} {x}, {y}"))


# --- the function --------------------------------------------------------------------------------


class Step:
    """The code of a step at time t: forward, and backward."""

    def __init__(self, writer: Writer, layout: Layout, every: bool) -> None:
        self.w, self.layout, self.cell, self.every = writer, layout, layout.cell, every
        cell = self.cell
        loss = [cell.loss]
        states = list(cell.states)
        self.inner = cell.needed([*states, *loss] if every else states)
        self.last = cell.needed([*states, *loss] if every else loss)
        # What the code of a block has: when its lanes start, the share of a step, and pointers.
        self.started = self.share = self.inputs = self.targets = self.loss = ""

    # Values of one step, while it is written.

    def _begin(self, t: str, last: bool) -> None:
        w, layout = self.w, self.layout
        self.t, self.is_last = t, last
        self.needed = self.last if last else self.inner
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
        w, cell, layout = self.w, self.cell, self.layout
        self._begin(t, last)
        done: set[int] = set()
        for place, (op, operands) in enumerate(cell.lines):
            number = cell.line + place
            if number not in self.needed:
                continue
            if number in layout.row_of:
                g = layout.row_of[number][0]
                if g not in done:
                    done.add(g)
                    self._product(g)
            elif number not in layout.inside:
                value = w.call(op, [self._get(operand) for operand in operands])
                self.values[number] = value
                w.store(value, self.record, layout.saved[number])
        if self.has_loss:
            loss = w.select(self.active, self._get(cell.loss), w.splat(0.0))
            if self.every:
                loss = w.let(f"fmul {w.vector} {loss}, {self.share}")
            so_far = w.load(self.loss)
            w.store(w.let(f"fadd {w.vector} {so_far}, {loss}"), self.loss)
        if not last or self.every:
            following = w.at(self.record, layout.size)
            values = [self._get(state) for state in cell.states]
            for place, value in enumerate(values):
                first = w.broadcast("%initial", place)
                w.store(w.select(self.active, value, first), following, place)

    def _product(self, g: int) -> None:
        """The rows of a group: tiles of them in registers, their weights read in order."""
        w, layout, group = self.w, self.layout, self.layout.groups[g]
        size = len(group.vector)
        vector = w.at(self.record, layout.vectors[g])
        rows = w.at(self.record, layout.rows[g])
        for k, number in enumerate(group.vector):
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
                seed = w.load("%scratch", place)
                self._add(number, w.select(self.active, seed, w.splat(0.0)))
        if self.has_loss:
            one = self.share if self.every else w.splat(1.0)
            self._add(cell.loss, w.select(self.active, one, w.splat(0.0)))
        needed = cell.needed([cell.loss]) if last else self.needed
        first_rows = {min(group.rows): g for g, group in enumerate(layout.groups)}
        for place in reversed(range(len(cell.lines))):
            number = cell.line + place
            if number in needed and number not in layout.inside and number in self.adjoints:
                self._line(number, *cell.lines[place])
            if number in first_rows:
                self._transpose(first_rows[number])
        for place in range(cell.state_count):
            w.store(self.adjoints.get(cell.state + place, w.splat(0.0)), "%scratch", place)

    def _add(self, number: int, term: str) -> None:
        """One more term of ∂loss/∂number."""
        w, cell = self.w, self.cell
        if number < cell.state:
            place = self.layout.rest + self.layout.direct.index(number)
            term = w.select(self.active, term, w.splat(0.0))
            total = w.let(f"fadd {w.vector} {w.load('%gradient', place)}, {term}")
            w.store(total, "%gradient", place)
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
        given = [
            cell.constants[n - cell.constant]
            if cell.constant <= n < cell.line
            else Lane(w, self._get(n))
            for n in operands
        ]
        me = Lane(w, self._get(number))
        for position, operand in enumerate(operands):
            if cell.input <= operand < cell.line:
                continue  # inputs, targets and constants
            slope = self._slope(op, position, given, me)
            if isinstance(slope, Lane):
                self._add(operand, (adjoint * slope).name)
            elif slope == 1.0:
                self._add(operand, adjoint.name)
            else:
                self._add(operand, (adjoint * float(slope)).name)

    def _slope(self, op: Op, position: int, given: list[Any], me: Lane) -> Any:
        """The partial by the table's rule, or by its LLVM text where it has one."""
        if op.llvm_slope is None or not isinstance(given[0], Lane):
            return op.partials[position](*given, me)
        return Lane(self.w, self.w.call(op, [given[0].name], slope=True))

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
            in_last = any(row in cell.needed([cell.loss]) for row in group.rows)
            in_inner = self.every or any(row in self.inner for row in group.rows)
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


SIGNATURE: Final = (
    "ptr noalias %packed, ptr noalias %parameters, ptr noalias %all_inputs, "
    "ptr noalias %all_targets, ptr noalias %lengths, ptr noalias %offsets, ptr noalias %starts, "
    "ptr noalias %shares, ptr noalias %initial, ptr noalias %gradient, ptr noalias %tape, "
    "ptr noalias %scratch, ptr noalias %losses  , i64 %first, i64 %end"
)


def emit(cell: Cell, lanes: int, *, every: bool, wide: bool) -> tuple[str, Layout]:
    """The LLVM text of `run`, which adds up losses and gradients over blocks of sequences.

    A block has a sequence per lane, all ending at the same step; `every` has a loss at every step,
    averaged over the sequence, else the last one has.
    """
    groups = find_groups(cell)
    layout = Layout(cell, groups)
    w = Writer(lanes)
    step = Step(w, layout, every)
    w.text.append(f"define void @run({SIGNATURE}) #0 {{")
    w.label("entry")

    def block(index: str, _: list[str]) -> list[str]:
        length = w.let(f"load i64, ptr {w.at('%lengths', index, 'i64')}, align 8")
        offset = w.let(f"load i64, ptr {w.at('%offsets', index, 'i64')}, align 8")
        kind = f"<{lanes} x i64>"
        started = w.let(f"load {kind}, ptr {w.at('%starts', index, kind)}, align {8 * lanes}")
        share = w.load("%shares", index)
        inputs = w.at("%all_inputs", w.integer("mul", offset, max(1, cell.inputs)))
        steps_or_block = offset if every else index
        targets = w.at("%all_targets", w.integer("mul", steps_or_block, max(1, cell.targets)))
        loss = w.at("%losses", index)
        step.started, step.share, step.inputs, step.targets = started, share, inputs, targets
        step.loss = loss
        w.store(w.splat(0.0), loss)
        for place in range(cell.state_count):
            w.store(w.broadcast("%initial", place), "%tape", place)
        before_last = w.integer("sub", length, 1)

        def forward(t: str, _: list[str]) -> list[str]:
            step.forward(t, last=False)
            return []

        def backward(t: str, _: list[str]) -> list[str]:
            step.backward(t, last=False)
            return []

        w.unless_empty(0, before_last, lambda: w.loop(0, before_last, 1, [], forward))
        step.forward(before_last, last=True)
        step.backward(before_last, last=True)
        second_last = w.integer("sub", length, 2)
        w.unless_empty(0, before_last, lambda: w.loop(second_last, -1, -1, [], backward))
        step.weight_gradients(length)
        return []

    w.loop("%first", "%end", 1, [], block)
    w.put("ret void")
    w.text.append("}")
    looks = 'nounwind "prefer-vector-width"="512"' if wide else "nounwind"
    w.text.append(f"attributes #0 = {{ {looks} }}")
    w.text.append(f"declare {w.vector} @llvm.fma.v{lanes}f64({w.vector}, {w.vector}, {w.vector})")
    w.text.append(f"declare i1 @llvm.vector.reduce.or.v{lanes}i1(<{lanes} x i1>)")
    code = "\n".join(w.text) + "\n"
    code += support(lanes)
    for name, op in w.used.items():
        written = definition(op, lanes, slope=name.startswith("slope_"))
        # What is long and called often is called indeed: compiling takes time, a call next to none.
        long = written.count("\n") > LONGEST_INLINE or "@lanes_" in written
        if w.calls[name] > MOST_INLINE and long:
            written = written.replace("alwaysinline", "noinline #0")
        code += written
    return code, layout


# --- running it ----------------------------------------------------------------------------------


def aligned(*shape: int) -> Any:
    """Zeros that begin where a whole vector can be read."""
    import numpy as np

    size = math.prod(shape)
    room = np.zeros(size + 8)
    start = (-room.ctypes.data % 64) // 8
    return room[start : start + size].reshape(shape)


class Blocks(NamedTuple):
    """Sequences side by side in lanes, the longest first, all of a block ending together.

    `order` has the place of each sequence; a lane starts at its `starts`, and one without a
    sequence never does.
    """

    size: int
    inputs: Any
    targets: Any
    lengths: Any
    offsets: Any
    starts: Any
    shares: Any
    order: Any


def make_blocks(
    sequences: Sequence[Any], targets: Sequence[Any], lanes: int, every: bool
) -> Blocks:
    """The blocks of sequences (arrays of steps by inputs) and targets (by steps if `every`)."""
    import numpy as np

    count = len(sequences)
    sizes = np.array([len(sequence) for sequence in sequences])
    order = np.argsort(-sizes, kind="stable")
    blocks = -(-count // lanes)
    lengths = np.array([sizes[order[b * lanes]] for b in range(blocks)], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    steps = int(lengths.sum())
    x_size, y_size = max(1, sequences[0].shape[1]), max(1, targets[0].shape[-1])
    inputs = aligned(steps, x_size, lanes)
    goals = aligned(steps if every else blocks, y_size, lanes)
    starts = aligned(blocks, lanes).view(np.int64)
    starts[:] = np.iinfo(np.int64).max
    shares = aligned(blocks, lanes)
    uniform = sizes[0] == sizes[order[-1]] == sizes[order[0]] and count % lanes == 0
    if uniform and sequences[0].shape[1]:
        stacked = np.stack(sequences).reshape(blocks, lanes, sizes[0], -1)
        inputs.reshape(blocks, sizes[0], x_size, lanes)[:] = stacked.transpose(0, 2, 3, 1)
        goal = np.stack(targets).reshape(blocks, lanes, -1, targets[0].shape[-1])
        if targets[0].shape[-1]:
            goals.reshape(blocks, -1, y_size, lanes)[:] = goal.transpose(0, 2, 3, 1)
        starts[:] = 0
        shares[:] = 1.0 / sizes[0]
        return Blocks(count, inputs, goals, lengths, offsets, starts, shares, order)
    for place, number in enumerate(order):
        block, lane = divmod(place, lanes)
        end = offsets[block] + lengths[block]
        size = sizes[number]
        starts[block, lane] = lengths[block] - size
        shares[block, lane] = 1.0 / size
        if sequences[number].shape[1]:
            inputs[end - size : end, :, lane] = sequences[number]
        if targets[number].shape[-1]:
            if every:
                goals[end - size : end, :, lane] = targets[number]
            else:
                goals[block, :, lane] = targets[number]
    return Blocks(count, inputs, goals, lengths, offsets, starts, shares, order)


class Kernel:
    """A step as machine code."""

    def __init__(self, cell: Cell, *, every: bool, lanes: int | None = None) -> None:
        import numpy as np

        self.cell = cell
        self.lanes = host_lanes() if lanes is None else lanes
        text, self.layout = emit(cell, self.lanes, every=every, wide=self.lanes == 8)
        self.code = compile_text(text)
        self.address = self.code.get_function_address("run")
        kinds = [ctypes.c_void_p] * 13 + [ctypes.c_int64] * 2
        self.call = ctypes.CFUNCTYPE(None, *kinds)(self.address)
        self.packed = np.array(self.layout.packed, dtype=np.int64)
        self.gradient = np.array(self.layout.gradient, dtype=np.int64)

    def run(self, blocks: Blocks, parameters: Any, initial: Any, threads: int) -> tuple[Any, Any]:
        """The loss of each sequence, and the sum of their gradients."""
        import numpy as np

        lanes, layout = self.lanes, self.layout
        packed = np.concatenate([parameters, [0.0]])[self.packed] if self.packed.size else initial
        packed = np.ascontiguousarray(packed)
        number = len(blocks.lengths)
        losses = aligned(number, lanes)
        parts = max(1, min(threads, number))
        bounds = [number * part // parts for part in range(parts + 1)]
        results: list[Any] = [None] * parts

        def work(part: int) -> None:
            first, end = bounds[part], bounds[part + 1]
            most = int(blocks.lengths[first:end].max())
            gradient = aligned(max(1, len(layout.gradient)), lanes)
            tape = aligned(most + 1, max(1, layout.size), lanes)
            scratch = aligned(max(1, layout.scratch), lanes)
            arrays = (
                *(packed, parameters, blocks.inputs, blocks.targets, blocks.lengths),
                *(blocks.offsets, blocks.starts, blocks.shares, initial, gradient, tape, scratch),
                losses,
            )
            self.call(*[array.ctypes.data for array in arrays], first, end)
            results[part] = gradient

        if parts == 1:
            work(0)
        else:
            workers = [threading.Thread(target=work, args=(part,)) for part in range(parts)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        total = np.zeros(self.cell.parameters)
        total[self.gradient] = sum([part.sum(axis=1) for part in results])[: len(self.gradient)]
        by_sequence = np.empty(blocks.size)
        by_sequence[blocks.order] = losses.reshape(-1)[: blocks.size]
        return by_sequence, total


def host_lanes() -> int:
    """How many doubles a vector of this CPU holds: 8, 4 or 2."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx2") else 2


def compile_text(text: str) -> Any:
    """The execution engine with the code of the text, without LLVM's middle-end passes."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
    )
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=0)
    builder = llvm.create_pass_builder(machine, tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
