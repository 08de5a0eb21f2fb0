"""The program of a step as LLVM text, in loops over time and batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ...ops.op import Op
from ...program.writer import Guard
from ..traced import TracedStep, read_by_rules, sweep_orders
from .builder import Builder, Lane
from .layout import Layout, chunks
from .products import (
    NUMBERS,
    add_outer_products,
    add_picked,
    add_to_picked,
    each_tile,
    multiply,
    multiply_transposed,
)

# The predicates of LLVM that hold where a comparison is false, and where it is true.
PREDICATES: Final = {
    "<": ("uge", "olt"),
    "<=": ("ugt", "ole"),
    ">": ("ule", "ogt"),
    ">=": ("ult", "oge"),
    "==": ("une", "oeq"),
    "!=": ("oeq", "une"),
}


# --- a step --------------------------------------------------------------------------------------


class StepCode:
    """The code of step t: forward and backward."""

    def __init__(self, builder: Builder, layout: Layout, every: bool, exact: bool) -> None:
        self.w, self.layout, self.traced, self.every = builder, layout, layout.traced, every
        self.neutral = builder.splat(-0.0 if exact else 0.0)  # -0 changes no sum, not even of zeros
        self.carried = self.traced.carried
        numbers = range(self.traced.line + len(self.traced.lines) - 1, self.traced.line - 1, -1)
        self.orders: Sequence[Sequence[int]] = (numbers, numbers)
        if exact:
            self.orders = sweep_orders(self.traced, every)
        # In the code of a block: when its lanes start, the share of a step, and pointers.
        self.started = self.share = self.inputs = self.targets = self.loss = self.flags = ""
        self.gradient, self.initial = "%gradient", ""

    def _begin(self, t: str, last: bool) -> None:
        w, layout = self.w, self.layout
        self.t = t
        self.has_loss = last or self.every
        self.record = w.at("%tape", w.integer("mul", t, layout.size))
        self.values: dict[int, str] = {}
        kind = f"<{w.lanes} x i64>"
        clock = w.spread(kind, "i64", t)
        self.active = w.let(f"icmp sge {kind} {clock}, {self.started}")

    def _get(self, number: int) -> str:
        """A value as lanes: known from the code before, or read."""
        if number not in self.values:
            self.values[number] = self._read(number)
        return self.values[number]

    def _read(self, number: int) -> str:
        w, traced, layout = self.w, self.traced, self.layout
        if number < traced.state:
            return w.broadcast(NUMBERS, number)
        if number < traced.input:
            return w.load(self.record, number - traced.state)
        if number < traced.target and traced.symbols:
            kind = f"<{w.lanes} x i64>"
            symbol = w.spread(kind, "i64", str(number - traced.input))
            found = w.let(f"icmp eq {kind} {w.load(self.inputs, self.t, kind)}, {symbol}")
            return w.select(found, w.splat(1.0), w.splat(0.0))
        if number < traced.target:
            place = w.integer("mul", self.t, max(1, traced.inputs))
            return w.load(w.at(self.inputs, place), number - traced.input)
        if number < traced.constant:
            pointer = self.targets
            if self.every:
                pointer = w.at(pointer, w.integer("mul", self.t, traced.targets))
            return w.load(pointer, number - traced.target)
        if number < traced.line:
            return w.splat(traced.constants[number - traced.constant])
        if number in layout.row_of:
            g, j = layout.row_of[number]
            return w.load(self.record, layout.rows[g] + j)
        return w.load(self.record, layout.saved[number])

    def forward(self, t: str, last: bool, gradient: bool, outputs: str, after: str) -> None:
        """The values of the step, and the state after it.

        For a `gradient`, these are a record and the loss.  The outputs, and the state after the
        last step, are stored where the pointers `outputs` and `after` are, unless they are empty.
        """
        w, traced = self.w, self.traced
        self._begin(t, last)
        has_loss = self.has_loss and gradient
        shown = traced.output if self.has_loss and outputs else ()
        guards = traced.guards(loss=has_loss)
        states = [] if last and not after else traced.states
        results = [*states, *([traced.loss] if has_loss else []), *shown]
        self._compute(traced.needed(results, guards), keep=gradient)
        for guard in guards:
            self._check(guard)
        if shown and self.every:
            outputs = w.at(outputs, w.integer("mul", t, len(shown)))
        for place, number in enumerate(shown):
            w.store(self._get(number), outputs, place)
        if has_loss:
            loss = w.select(self.active, self._get(traced.loss), self.neutral)
            w.store(w.let(f"fadd {w.vector} {w.load(self.loss)}, {loss}"), self.loss)
        if not last:
            self._enter_next()
        for place, number in enumerate(states if last else ()):
            w.store(self._get(number), after, place)

    def _compute(self, needed: set[int], keep: bool) -> None:
        w, layout = self.w, self.layout
        done: set[int] = set()
        for number, (op, operands, _) in enumerate(self.traced.lines, self.traced.line):
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

    def _check(self, guard: Guard) -> None:
        """Flag the lanes in which a guard fails."""
        w = self.w
        x, y = [self._get(number) for number in guard.operands]
        otherwise = PREDICATES[guard.comparison][not guard.outcome]
        found = w.let(f"fcmp {otherwise} {w.vector} {x}, {y}")
        wrong = w.let(f"and {w.mask} {found}, {self.active}")
        w.store(w.select(wrong, w.splat(1.0), w.load(self.flags)), self.flags)

    def _enter_next(self) -> None:
        """The states after the step, or the initial ones in lanes that have not begun."""
        w = self.w
        following = w.at(self.record, self.layout.size)
        values = [self._get(state) for state in self.traced.states]
        for place, value in enumerate(values):
            w.store(w.select(self.active, value, w.load(self.initial, place)), following, place)

    def _product(self, g: int) -> None:
        """The rows of a group, on the record after its vector."""
        w, traced, group = self.w, self.traced, self.layout.groups[g]
        vector = w.at(self.record, self.layout.vectors[g])
        rows = w.at(self.record, self.layout.rows[g])
        there = traced.state_count if g in self.layout.leading else 0
        for k, number in enumerate(group.vector[there:], there):
            value = self._get(number)
            if number >= traced.line:
                value = w.select(self.active, value, w.splat(0.0))
            w.store(value, vector, k)
        multiply(w, self.layout, g, vector, rows)
        add_picked(w, self.layout, g, w.at(self.inputs, self.t), rows)

    def backward(self, t: str, last: bool) -> None:
        """∂loss/∂ the rows of groups, the state before the step, and the parameters in no group."""
        w, traced, layout = self.w, self.traced, self.layout
        self._begin(t, last)
        self.adjoints: dict[int, str] = {}
        if not last:
            for place, number in enumerate(traced.states):
                if place in self.carried:
                    seed = w.load("%scratch", place)
                    self._add(number, w.select(self.active, seed, self.neutral))
        if self.has_loss:
            one = self.share if self.every else w.splat(1.0)
            self._add(traced.loss, w.select(self.active, one, self.neutral))
        first_rows = {min(group.rows): g for g, group in enumerate(layout.groups)}
        for number in self.orders[last]:
            if number not in layout.inside and number in self.adjoints:
                self._line(number, *traced.lines[number - traced.line][:2])
            if number in first_rows:
                self._transpose(first_rows[number])
        for place in self.carried:
            adjoint = self.adjoints.get(traced.state + place, self.neutral)
            w.store(adjoint, "%scratch", place)

    def _add(self, number: int, term: str) -> None:
        """One more term of ∂loss/∂number."""
        w, traced = self.w, self.traced
        if number < traced.state:
            place = self.layout.direct.index(number)
            term = w.select(self.active, term, self.neutral)
            total = w.let(f"fadd {w.vector} {w.load(self.gradient, place)}, {term}")
            w.store(total, self.gradient, place)
        elif traced.varies(number):
            before = self.adjoints.get(number)
            if before is not None:
                term = w.let(f"fadd {w.vector} {before}, {term}")
            self.adjoints[number] = term

    def _line(self, number: int, op: Op, operands: tuple[int, ...]) -> None:
        w, traced = self.w, self.traced
        if op.flat:
            return
        adjoint = Lane(w, self.adjoints[number])
        if number in self.layout.sloped:
            slope = w.load(self.record, self.layout.sloped[number])
            self._add(operands[0], (adjoint * Lane(w, slope)).name)
            return
        # Inputs, targets and constants have no adjoint; values that no rule reads are not saved.
        varying = [k for k, n in enumerate(operands) if traced.varies(n)]
        read = {place for k in varying for place in read_by_rules(op)[k]}
        numbers = enumerate((*operands, number))
        given = [self._operand(n) if place in read else None for place, n in numbers]
        for k in varying:
            self._add(operands[k], op.term(k, adjoint, *given).name)

    def _operand(self, number: int) -> Any:
        """A value as rules take it: as lanes, or a constant as a float."""
        traced = self.traced
        if traced.constant <= number < traced.line:
            return traced.constants[number - traced.constant]
        return Lane(self.w, self._get(number))

    def _transpose(self, g: int) -> None:
        """∂loss/∂v of a group from ∂loss/∂row, which is put on the record for the weights."""
        w, layout, group = self.w, self.layout, self.layout.groups[g]
        slopes = w.at(self.record, layout.rows[g])
        zero = w.splat(0.0)
        reached, columns = any(row in self.adjoints for row in group.rows), layout.columns[g]
        for j, row in enumerate(group.rows):
            slope = self.adjoints.get(row, zero)
            w.store(w.select(self.active, slope, zero) if reached else zero, slopes, j)
        if not reached or not columns:
            return
        target = w.at("%scratch", self.traced.state_count)
        multiply_transposed(w, layout, g, slopes, target)
        for place, k in enumerate(columns):
            self._add(group.vector[k], w.load(target, place))

    def weight_gradients(self, steps: str) -> None:
        """Σ over the steps of ∂loss/∂row · v, for a tile of weights at a time in registers."""
        w, traced, layout = self.w, self.traced, self.layout
        before_last = w.integer("sub", steps, 1)
        last = traced.needed([traced.loss])
        inner = traced.needed([traced.states[place] for place in self.carried])
        for g, group in enumerate(layout.groups):
            low = before_last if not self.every and inner.isdisjoint(group.rows) else "0"
            high = before_last if last.isdisjoint(group.rows) else steps
            w.unless_empty(low, high, partial(self._weigh, g, low, high))

    def _weigh(self, g: int, low: str, high: str) -> None:
        add_outer_products(self.w, self.layout, g, low, high)
        add_to_picked(self.w, self.layout, g, self.inputs, low, high)


# --- rows in lanes -------------------------------------------------------------------------------


class Rows:
    """The rows of the sequences in the lanes of a block, by their places from 1; 0 is for none."""

    def __init__(self, builder: Builder, places: str) -> None:
        self.w, kind = builder, f"<{builder.lanes} x i64>"
        self.kind, self.places = kind, builder.load(places, kind=kind)
        self.there = builder.let(f"icmp ne {kind} {self.places}, zeroinitializer")

    def enter(self, rows: str, size: int, others: str, target: str) -> None:
        """Put rows of this size in lanes; in those without a sequence the lanes of `others`."""
        w, kind = self.w, self.kind
        first = w.spread(kind, "i64", "1")
        read = w.let(f"select {w.mask} {self.there}, {kind} {self.places}, {kind} {first}")
        starts = self._starts(rows, size, read, 1)

        def chunk(start: str | int, count: int) -> None:
            found = [w.load_some(w.at(place, start, "double"), count) for place in starts]
            other, own = w.at(others, start), w.at(target, start)
            for q, value in enumerate(w.transposed(found)[:count]):
                w.store(w.select(self.there, value, w.load(other, q)), own, q)

        each_tile(w, chunks(size, w.lanes), chunk)

    def leave(self, source: str, size: int, rows: str) -> None:
        """Put so many lanes in rows, of which that at place 0 may get anything."""
        w = self.w
        starts = self._starts(rows, size, self.places, 0)

        def chunk(start: str | int, count: int) -> None:
            own = w.at(source, start)
            found = [w.load(own, q) for q in range(count)]
            found += [w.splat(0.0)] * (w.lanes - count)
            for place, value in zip(starts, w.transposed(found), strict=True):
                w.store_some(value, w.at(place, start, "double"), count)

        each_tile(w, chunks(size, w.lanes), chunk)

    def _starts(self, rows: str, size: int, places: str, first: int) -> list[str]:
        """For each lane where its row of this size begins, of those from this first place on."""
        w, found = self.w, []
        for lane in range(w.lanes):
            place = w.let(f"extractelement {self.kind} {places}, i32 {lane}")
            found.append(w.at(rows, w.times(w.integer("sub", place, first), size), "double"))
        return found


# --- the function --------------------------------------------------------------------------------

ARRAYS: Final = (
    *("numbers", "all_inputs", "all_targets", "lengths", "offsets", "starts", "counts", "places"),
    *("initial", "states", "gradient", "tape", "scratch", "losses", "all_flags"),
    *("all_outputs", "after"),
)


def emit(
    traced: TracedStep,
    lanes: int,
    *,
    every: bool,
    exact: bool = False,
    gradient: bool = True,
    outputs: bool = False,
    after: bool = False,
) -> tuple[str, Layout]:
    """The LLVM text of `run`, which goes over blocks of sequences.

    A block has a sequence per lane, all ending at the same step.  For a `gradient`, losses and
    gradients are added up; `outputs` of last steps, and states `after` them, are stored as rows.
    Only the last step has a loss and an output, or with `every` each step, whose outputs are stored
    in lanes, and the mean of the losses counts.
    With `exact`, each block has a gradient of its own, and nothing is fused or reordered.
    """
    layout = Layout(traced, [] if exact else traced.groups, lanes=lanes, exact=exact)
    w = Builder(lanes, exact)
    step = StepCode(w, layout, every, exact and gradient)
    arrays = ", ".join([f"ptr noalias %{name}" for name in ARRAYS])
    w.text.append(f"define void @run({arrays}, i64 %first, i64 %end) #0 {{")
    w.label("entry")
    given = w.let("ptrtoint ptr %states to i64")  # 0 if there are none

    def block(index: str) -> None:
        length = w.let(f"load i64, ptr {w.at('%lengths', index, 'i64')}, align 8")
        offset = w.let(f"load i64, ptr {w.at('%offsets', index, 'i64')}, align 8")
        kind = f"<{lanes} x i64>"
        started = w.let(f"load {kind}, ptr {w.at('%starts', index, kind)}, align {8 * lanes}")
        count = w.load("%counts", index)
        step.started, step.share = started, w.let(f"fdiv {w.vector} {w.splat(1.0)}, {count}")
        step.loss, step.flags = w.at("%losses", index), w.at("%all_flags", index)
        w.store(w.splat(-0.0), step.loss)
        if traced.program.guards:
            w.store(w.splat(0.0), step.flags)
        width = 1 if traced.symbols else max(1, traced.inputs)
        step.inputs = w.at("%all_inputs", w.integer("mul", offset, width))
        row = offset if every else index
        step.targets = w.at("%all_targets", w.integer("mul", row, max(1, traced.targets)))
        rows, states = Rows(w, w.at("%places", index)), traced.state_count
        w.unless_empty(0, given, partial(rows.enter, "%states", states, "%initial", "%scratch"))
        some = w.let(f"icmp ne i64 {given}, 0")
        step.initial = w.let(f"select i1 {some}, ptr %scratch, ptr %initial")
        for place in range(states):
            w.store(w.load(step.initial, place), "%tape", place)
        if exact and gradient:
            step.gradient = w.at("%gradient", w.integer("mul", index, len(layout.direct)))
        size = len(traced.output)
        ends = w.at("%scratch", size) if after else ""
        shown = "%scratch" if outputs else ""
        if outputs and every:
            shown = w.at("%all_outputs", w.integer("mul", row, size))
        before_last = w.integer("sub", length, 1)
        forward = partial(step.forward, gradient=gradient, outputs=shown, after=ends)
        inner = partial(forward, last=False)
        w.unless_empty(0, before_last, lambda: w.repeat(0, before_last, 1, inner))
        forward(before_last, last=True)
        if outputs and not every:
            rows.leave(shown, size, "%all_outputs")
        if after:
            rows.leave(ends, states, "%after")
        if not gradient:
            return
        if every:
            w.store(w.let(f"fdiv {w.vector} {w.load(step.loss)}, {count}"), step.loss)
        step.backward(before_last, last=True)
        second_last = w.integer("sub", length, 2)
        backward = partial(step.backward, last=False)
        w.unless_empty(0, before_last, lambda: w.repeat(second_last, -1, -1, backward))
        step.weight_gradients(length)

    w.repeat("%first", "%end", 1, block)
    w.put("ret void")
    w.text.append("}")
    return w.finished(), layout
