"""Record once: a straight-line program, its clean-up, its gradient, its printers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..arguments import as_float, as_function, as_integer, many
from ..engine.contexts import Context
from ..engine.reverse import Scalar, as_output, as_values
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError, BranchChanged
from ..graph.sweep import Slope, terms, times
from ..graph.walk import check_fresh, depth_first, topological
from .printing import in_source, in_text, in_words
from .writer import COMPARISONS, Guard, Line, Ref, Writer, behind


class Program:
    """A straight-line program: values by number, first the inputs, then the constants, the lines.

    `inputs` are names, `constants` floats, `lines` have an op and the numbers of its operands, and
    `outputs` are numbers; `guards` are the comparisons that must come out as they were recorded.
    Calling it gives a float for one output, a tuple for several, bit for bit what the engine
    computes.  A program is made by `record`, by `Program.of`, and from other programs.

    >>> program = record(lambda x, y: x * y + 1, 2, 3)
    >>> program(4, 5), program.gradient()(4, 5)
    (21.0, (21.0, 5.0, 4.0))
    """

    __slots__ = ("constants", "guards", "inputs", "lines", "outputs")

    def __init__(
        self,
        inputs: Sequence[str],
        constants: Sequence[float],
        lines: Sequence[Line],
        outputs: Sequence[int],
        guards: Sequence[Guard] = (),
    ) -> None:
        self.inputs, self.constants = tuple(inputs), tuple(constants)
        self.lines, self.outputs = tuple(lines), tuple(outputs)
        self.guards = tuple(guards)

    @classmethod
    def of(cls, outputs: Any, inputs: Iterable[Value]) -> Program:
        """The program of a graph that is there already, as a function of some of its Values.

        Other leaves are constants.  There are no guards: what was compared on the way is not
        known.  `StaleGraphError` where a leaf was assigned since.

        >>> x = Value(3, "x")
        >>> Program.of(x * x + 1, [x])(2.0)
        5.0
        """
        results = as_values([outputs] if isinstance(outputs, Value) else outputs, "outputs")
        given = as_values(inputs, "inputs")
        if len(set(given)) < len(given):
            raise ArgumentValueError("inputs has a Value twice: a program has each input once.")
        check_fresh(topological(*results))
        return _program(results, given, []).without_dead_lines()

    def __call__(self, *numbers: float) -> Any:
        """The outputs for these inputs; `BranchChanged` where a comparison comes out otherwise."""
        values = self._values(numbers)
        results = tuple([values[number] for number in self.outputs])
        return results[0] if len(results) == 1 else results

    def _values(self, numbers: Sequence[float]) -> list[float]:
        if len(numbers) != len(self.inputs):
            raise ArgumentTypeError(
                f"the program takes {len(self.inputs)} numbers, but got {len(numbers)}."
            )
        values = [as_float(x, name) for x, name in zip(numbers, self.inputs, strict=True)]
        values += self.constants
        for op, operands, _ in self.lines:
            values.append(op.value(*[values[number] for number in operands]))
        for guard in self.guards:
            a, b = guard.operands
            if COMPARISONS[guard.comparison](values[a], values[b]) != guard.outcome:
                raise BranchChanged(
                    f"{in_words(self, guard)} was {guard.outcome} when the program was recorded, "
                    f"and is not for {values[a]!r} and {values[b]!r}: record it again for inputs "
                    f"like these."
                )
        return values

    def __repr__(self) -> str:
        inputs, outputs = many(len(self.inputs), "input"), many(len(self.outputs), "output")
        return f"<Program: {inputs}, {many(len(self.lines), 'line')}, {outputs}>"

    # --- other programs -------------------------------------------------------------------------

    @property
    def first_line(self) -> int:
        """The number of the first line."""
        return len(self.inputs) + len(self.constants)

    def select(self, *places: int) -> Program:
        """The program with only these of the outputs, by place, without what they do not need."""
        for place in places:
            as_integer(place, "places", least=0, most=len(self.outputs) - 1)
        if not places:
            raise ArgumentValueError("places is empty: a program has one output or more.")
        outputs = [self.outputs[place] for place in places]
        chosen = Program(self.inputs, self.constants, self.lines, outputs, self.guards)
        return chosen.without_dead_lines()

    @property
    def results(self) -> list[int]:
        """The numbers of what is asked for: the outputs, and the operands of the guards."""
        return [*self.outputs, *[number for guard in self.guards for number in guard.operands]]

    def simplified(self) -> Program:
        """The same program, bit for bit, with less to do: folded, shared, without dead lines."""
        return self._rewritten(fold=True, share=True, drop=True)

    def folded(self) -> Program:
        """The program in which lines of constants only are constants."""
        return self._rewritten(fold=True)

    def shared(self) -> Program:
        """The program in which equal lines and equal constants are there once."""
        return self._rewritten(share=True)

    def without_dead_lines(self) -> Program:
        """The program without what neither an output nor a guard needs."""
        return self._rewritten(drop=True)

    def _rewritten(self, *, fold: bool = False, share: bool = False, drop: bool = False) -> Program:
        writer = Writer(self.inputs, share)
        inputs, first = len(self.inputs), self.first_line
        everything = range(first + len(self.lines))
        needed = behind(self.lines, first, self.results if drop else everything)
        moved = [*range(inputs), *[-1] * (len(needed) - inputs)]
        for number, constant in enumerate(self.constants, inputs):
            if needed[number]:
                moved[number] = writer.constant(constant)
        for number, (op, operands, name) in enumerate(self.lines, first):
            if not needed[number]:
                continue
            numbers = tuple([moved[operand] for operand in operands])
            if fold and all(one in writer.known for one in numbers):
                known = [writer.known[one] for one in numbers]
                moved[number] = writer.constant(op.value(*known))
            else:
                moved[number] = writer.line(op, numbers, name)
        guards = [guard.renumbered(moved) for guard in self.guards]
        return Program(*writer.parts([moved[number] for number in self.outputs], guards))

    def gradient(self) -> Program:
        """The program of the value and of its derivative by each input, by the table's rules.

        Adjoints are summed in the engine's order, so that both agree bit for bit.  `ValueError` for
        a program of several outputs: `select` one.

        >>> record(lambda x, y: x * y, 2, 5).gradient()(2.0, 5.0)
        (10.0, 5.0, 2.0)
        """
        if len(self.outputs) != 1:
            raise ArgumentValueError(
                f"the program has {len(self.outputs)} outputs: choose one, as in "
                f"program.select(0).gradient()."
            )
        writer = Writer(self.inputs, share=False)
        for constant in self.constants:
            writer.constant(constant)
        for line in self.lines:
            writer.line(*line)
        # The lines of derivatives come behind all of these, but constants before: renumbered below.
        (output,) = self.outputs
        adjoints = self._adjoints(writer, output)
        results = [Ref(writer, output), *[adjoints.get(n, 0.0) for n in range(len(self.inputs))]]
        return Program(*writer.parts([writer.number(result) for result in results], self.guards))

    def _adjoints(self, writer: Writer, output: int) -> dict[int, Any]:
        first, known = self.first_line, writer.known

        def slopes(number: int) -> Iterator[Slope[int]]:
            if operands := self._operands(number):
                rules = self.lines[number - first].op.partials
                refs = [known.get(operand, Ref(writer, operand)) for operand in operands]
                for position, operand in enumerate(operands):
                    if self._varies(operand):
                        yield position, operand, rules[position](*refs, Ref(writer, number))

        last = dict(enumerate(self.inputs))
        last |= {first + place: line.name for place, line in enumerate(self.lines) if line.name}
        over = last.get(output) or "L"
        found: dict[int, Any] = {output: 1.0}
        for _, _, operand, _ in terms(depth_first([output], self._operands), found, slopes, times):
            if isinstance(found[operand], Ref) and operand in last:
                writer.rename(found[operand], f"∂{over}/∂{last[operand]}")
        return found

    def _varies(self, number: int) -> bool:
        """Whether a sweep goes there: not to constants, nor to what has no slope anywhere."""
        if number < len(self.inputs):
            return True
        return number >= self.first_line and not self.lines[number - self.first_line].op.flat

    def _operands(self, number: int) -> tuple[int, ...]:
        if number < self.first_line or not self._varies(number):
            return ()
        return self.lines[number - self.first_line].operands

    # --- printers -------------------------------------------------------------------------------

    def __str__(self) -> str:
        """A line per named result, in the lecture's names; what is used once stands in its line."""
        return in_text(self)

    def python(self, name: str = "program") -> str:
        """Python source of a function that a person can read and run: a line per op.

        >>> print(record(lambda x, y: (x * y).exp() + 1, 2, 5).python())
        from autograd_rnn.ops import exp
        <BLANKLINE>
        <BLANKLINE>
        def program(x_1, x_2):
            v_3 = x_1 * x_2
            v_4 = exp(v_3)
            v_5 = v_4 + 1.0
            return v_5
        <BLANKLINE>
        """
        return in_source(self, name)

    def numpy(self, name: str = "program") -> str:
        """The same over batches: source of a function of numbers and arrays of one length.

        >>> print(record(lambda x, y: (x * y).exp(), 2, 5).numpy())
        from autograd_rnn.ops.numpy import exp
        <BLANKLINE>
        <BLANKLINE>
        def program(x_1, x_2):
            v_2 = x_1 * x_2
            v_3 = exp(v_2)
            return v_3
        <BLANKLINE>
        """
        return in_source(self, name, "numpy")

    def jax(self, name: str = "program") -> str:
        """The same for JAX: source of a function that `jit`, `vmap` and `grad` take.

        It computes in the precision of what it is given.  Its derivatives are the engine's, also at
        kinks.  JAX raises no error where a comparison comes out otherwise: results and slopes are
        NaN there.

        >>> print(record(lambda x, y: (x * y).exp() if x > 0 else x, 2, 5).jax())
        from jax.numpy import nan, where
        <BLANKLINE>
        from autograd_rnn.ops.jax import exp
        <BLANKLINE>
        <BLANKLINE>
        def program(x_1, x_2):
            v_3 = x_1 * x_2
            v_4 = exp(v_3)
            held = where(x_1 > 0.0, 1.0, nan)
            return v_4 * held
        <BLANKLINE>
        """
        return in_source(self, name, "jax")


# --- recording -----------------------------------------------------------------------------------


class Recorder(Context):
    """Takes note of the comparisons that are made, for the program of what was done."""

    def __init__(self) -> None:
        self.comparisons: list[tuple[str, Value, Any, bool]] = []

    def compared(self, comparison: str, x: Value, y: Any, outcome: bool) -> None:
        self.comparisons.append((comparison, x, y, outcome))

    def program(self, results: Sequence[Any], inputs: Sequence[Value]) -> Program:
        """The program of these results, guarded by the comparisons that were made."""
        return _program(list(map(as_output, results)), inputs, self.comparisons)


def record(f: Callable[..., Scalar | Sequence[Scalar]], *examples: float) -> Program:
    """The program of a function of Values: what it did, called once on the examples.

    `f` gives a Value or a number, or a list of them.  Leaves of its own are constants.
    Comparisons and `bool()` on the way are kept as guards: for inputs that would have gone the
    other way the program raises `BranchChanged`.

    >>> program = record(lambda x: x * 2 if x > 0 else -x, 3)
    >>> program(5.0)
    10.0
    >>> program(-5.0)
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.BranchChanged: x_1 > 0.0 was True when the program was recorded...
    """
    as_function(f, "f")
    inputs = [
        Value(as_float(example, f"examples[{place}]"), f"x_{place + 1}")
        for place, example in enumerate(examples)
    ]
    recorder = Recorder()
    with recorder:
        made = f(*inputs)
    results = made if isinstance(made, tuple | list) else [made]
    if not results:
        raise ArgumentValueError("f gave an empty list: a program has one output or more.")
    return recorder.program(results, inputs)


def _program(
    results: Sequence[Value],
    inputs: Sequence[Value],
    compared: Sequence[tuple[str, Value, Any, bool]],
) -> Program:
    names = [x.name or f"x_{place}" for place, x in enumerate(inputs, 1)]
    writer = Writer(names, share=False)
    numbers = {value: place for place, value in enumerate(inputs)}
    others = [v for _, x, y, _ in compared for v in (x, y) if isinstance(v, Value)]
    for node in topological(*results, *others):
        if node in numbers:
            continue
        if node.op is None:
            numbers[node] = writer.constant(node.data)
        else:
            operands = tuple([numbers[parent] for parent in node.parents])
            numbers[node] = writer.line(node.op, operands, node.name)
    guards = []
    for comparison, x, y, outcome in compared:
        other = numbers[y] if isinstance(y, Value) else writer.constant(as_float(y, "a comparison"))
        guards.append(Guard(comparison, (numbers[x], other), outcome))
    return Program(*writer.parts([numbers[result] for result in results], guards))
