"""A writer of LLVM text: instructions, loops, and lanes as the rules of the table take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...ops.op import Op
from ...ops.tracer import Tracer
from .vector_math import definition, everywhere, support

MOST_INLINE: Final = 32
LONGEST_INLINE: Final = 8


class Builder:
    """LLVM text in the making, with methods for instructions on vectors of lanes, and for loops."""

    def __init__(self, lanes: int, exact: bool = False) -> None:
        self.lanes, self.exact = lanes, exact
        self.vector = f"<{lanes} x double>"
        self.mask = f"<{lanes} x i1>"
        self.text: list[str] = []
        self.count = 0
        self.block = "entry"
        self.used: dict[str, Op] = {}
        self.calls: dict[str, int] = {}
        self.masked = False

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

    def load(self, pointer: str, offset: str | int = 0, kind: str = "") -> str:
        place = self.at(pointer, offset)
        return self.let(f"load {kind or self.vector}, ptr {place}, align {8 * self.lanes}")

    def load_some(self, pointer: str, count: int) -> str:
        """The lanes from a place that need not be aligned, 0 in those after the first so many."""
        if count == self.lanes:
            return self.let(f"load {self.vector}, ptr {pointer}, align 8")
        self.masked = True
        rest = f"ptr {pointer}, i32 8, {self._first(count)}, {self.vector} zeroinitializer"
        return self.let(f"call {self.vector} @llvm.masked.load.v{self.lanes}f64.p0({rest})")

    def add_to_some(self, value: str, pointer: str, count: int) -> None:
        """Add the first so many lanes to the numbers at a place that need not be aligned."""
        before = self.load_some(pointer, count)
        self.store_some(self.let(f"fadd {self.vector} {before}, {value}"), pointer, count)

    def store_some(self, value: str, pointer: str, count: int) -> None:
        """Put the first so many lanes at a place that need not be aligned."""
        if count == self.lanes:
            self.put(f"store {self.vector} {value}, ptr {pointer}, align 8")
            return
        self.masked = True
        rest = f"{self.vector} {value}, ptr {pointer}, i32 8, {self._first(count)}"
        self.put(f"call void @llvm.masked.store.v{self.lanes}f64.p0({rest})")

    def _first(self, count: int) -> str:
        """A mask of the first so many lanes."""
        entries = [f"i1 {str(lane < count).lower()}" for lane in range(self.lanes)]
        return f"{self.mask} <{', '.join(entries)}>"

    def store(self, value: str, pointer: str, offset: str | int = 0) -> None:
        place = self.at(pointer, offset)
        self.put(f"store {self.vector} {value}, ptr {place}, align {8 * self.lanes}")

    def spread(self, kind: str, element: str, scalar: str) -> str:
        """The scalar in all lanes."""
        first = self.let(f"insertelement {kind} poison, {element} {scalar}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.let(f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def broadcast(self, pointer: str, offset: str | int = 0) -> str:
        number = self.let(f"load double, ptr {self.at(pointer, offset, 'double')}, align 8")
        return self.spread(self.vector, "double", number)

    def splat(self, number: float) -> str:
        return everywhere(number, self.lanes)

    def integer(self, op: str, a: str | int, b: str | int) -> str:
        return self.let(f"{op} i64 {a}, {b}")

    def times(self, count: str | int, size: int) -> str | int:
        """So many times a size, which is known."""
        return count * size if isinstance(count, int) else self.integer("mul", count, size)

    def multiply_add(self, a: str, b: str, c: str) -> str:
        of = f"{self.vector} {a}, {self.vector} {b}, {self.vector} {c}"
        return self.let(f"call {self.vector} @llvm.fma.v{self.lanes}f64({of})")

    def select(self, mask: str, a: str, b: str) -> str:
        return self.let(f"select {self.mask} {mask}, {self.vector} {a}, {self.vector} {b}")

    def call(self, op: Op, operands: Sequence[str]) -> str:
        """The op over lanes."""
        return self._call(f"op_{op.name}", self.vector, op, operands)

    def call_both(self, op: Op, operands: Sequence[str]) -> tuple[str, str]:
        """The op and its slope over lanes."""
        kind = f"{{{self.vector}, {self.vector}}}"
        both = self._call(f"both_{op.name}", kind, op, operands)
        value, slope = [self.let(f"extractvalue {kind} {both}, {place}") for place in (0, 1)]
        return value, slope

    def _call(self, name: str, kind: str, op: Op, operands: Sequence[str]) -> str:
        self.used[name] = op
        self.calls[name] = self.calls.get(name, 0) + 1
        arguments = ", ".join([f"{self.vector} {operand}" for operand in operands])
        return self.let(f"call {kind} @{name}({arguments})")

    def transposed(self, vectors: Sequence[str]) -> list[str]:
        """As many vectors as there are lanes, of which the k-th has the entries k of these."""
        found = [*vectors]
        for step in self._powers():
            for k in [k for k in range(self.lanes) if not k & step]:
                found[k], found[k + step] = self._exchanged(found[k], found[k + step], step)
        return found

    def sums(self, vectors: Sequence[str]) -> str:
        """The sum over the lanes of each of some vectors, in the lane of its place; others are 0.

        The vectors are added up while they are transposed, so that half of them are left each time.
        """
        found = [*vectors, *[self.splat(0.0)] * (self.lanes - len(vectors))]
        for step in self._powers():
            for k in range(0, self.lanes, 2 * step):
                low, high = self._exchanged(found[k], found[k + step], step)
                found[k] = self.let(f"fadd {self.vector} {low}, {high}")
        return found[0]

    def _powers(self) -> list[int]:
        return [1 << power for power in range(self.lanes.bit_length() - 1)]

    def _exchanged(self, a: str, b: str, step: int) -> list[str]:
        """Two vectors that exchange the entries of one which are this far from those of the other.

        That is a step of transposing.
        """
        indices, pair = range(self.lanes), f"{self.vector} {a}, {self.vector} {b}"
        low = [j - step + self.lanes if j & step else j for j in indices]
        high = [j + self.lanes if j & step else j + step for j in indices]
        return [
            self.let(
                f"shufflevector {pair}, <{self.lanes} x i32> "
                f"<{', '.join([f'i32 {j}' for j in places])}>"
            )
            for places in (low, high)
        ]

    def loop(
        self,
        low: str | int,
        high: str | int,
        step: int,
        carried: Sequence[str],
        body: Callable[[str, list[str]], list[str]],
    ) -> list[str]:
        """A loop for i in range(low, high, step), which is not empty, with these loop variables."""
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

    def repeat(
        self, low: str | int, high: str | int, step: int, body: Callable[[str], object]
    ) -> None:
        """The same without loop variables."""

        def once(index: str, _: list[str]) -> list[str]:
            body(index)
            return []

        self.loop(low, high, step, [], once)

    def unless_empty(self, low: str | int, high: str | int, body: Callable[[], object]) -> None:
        """The body, run if low < high."""
        self.count += 1
        some = self.let(f"icmp slt i64 {low}, {high}")
        name = f"some{self.count}"
        self.put(f"br i1 {some}, label %{name}, label %after_{name}")
        self.label(name)
        body()
        self.put(f"br label %after_{name}")
        self.label(f"after_{name}")

    def finished(self) -> str:
        """The text with attribute 0, for functions, and all that is called in it."""
        v, n = self.vector, self.lanes
        looks = 'nounwind "prefer-vector-width"="512"' if n == 8 else "nounwind"
        lines = [f"attributes #0 = {{ {looks} }}", f"declare {v} @llvm.fma.v{n}f64({v}, {v}, {v})"]
        if self.masked:
            lines += [
                f"declare {v} @llvm.masked.load.v{n}f64.p0(ptr, i32, {self.mask}, {v})",
                f"declare void @llvm.masked.store.v{n}f64.p0({v}, ptr, i32, {self.mask})",
            ]
        code = "\n".join([*self.text, *lines]) + "\n" + support(n, self.exact)
        for name, op in self.used.items():
            written = definition(op, n, slope=name.startswith("both_"), exact=self.exact)
            # A long function with many callers is not inlined: that costs little, and saves much.
            long = written.count("\n") > LONGEST_INLINE or "@lanes_" in written
            if self.calls[name] > MOST_INLINE and long:
                written = written.replace("alwaysinline", "noinline #0")
            code += written
        return code


class Lane(Tracer):
    """A vector of lanes in place of a number in the rules of the table."""

    def __init__(self, builder: Builder, name: str) -> None:
        self.builder, self.name = builder, name

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Lane:
        builder = next(operand.builder for operand in operands if isinstance(operand, Lane))
        names = [o.name if isinstance(o, Lane) else builder.splat(float(o)) for o in operands]
        return Lane(builder, builder.call(op, names))
