"""A function recorded as a straight-line program, which can be simplified and differentiated."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ..arguments import as_float, as_integer, many
from ..engine.points import Scalar, is_open
from ..engine.reverse import as_output, as_values
from ..engine.shared import OPEN
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError, BranchChanged, RecordingError
from ..graph.sweep import Slope, terms
from ..graph.walk import check_fresh, depth_first, describe, topological
from ..ops.table import choose, stop_gradient, when
from .choices import separated, taken
from .printing import in_source, in_text, in_words
from .writer import Guard, Line, Ref, Writer, behind

#: A comparison that was made: its operator, a Value, the other operand, and the outcome.
Comparison: TypeAlias = tuple[str, Value, Any, bool]


class Program:
    """A straight-line program, whose values are numbered: inputs, then constants, then lines.

    `inputs` are names, `constants` floats, `lines` have an op and the numbers of its operands, and
    `outputs` are numbers; `guards` are comparisons whose outcomes must be those recorded.  A call
    gives a float for one output, a tuple for several, bit for bit what the engine computes.
    Programs are made by `record`, by `Program.of`, and from other programs.

    >>> from autograd_rnn import record
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
        """The program of an existing graph, as a function of some of its Values.

        Other leaves are constants.  There are no guards, as a graph does not keep comparisons.
        `StaleGraphError` where a leaf was assigned since.

        >>> x = Value(3, "x")
        >>> Program.of(x * x + 1, [x])(2.0)
        5.0
        """
        results = as_values([outputs] if isinstance(outputs, Value) else outputs, "outputs")
        given = as_values(inputs, "inputs")
        if len(set(given)) < len(given):
            raise ArgumentValueError("inputs has a Value twice: a program has each input once.")
        check_fresh(topological(*results))
        names = {x: x.name or f"x_{place}" for place, x in enumerate(given, 1)}
        return write_program(results, names).without_dead_lines()

    def __call__(self, *numbers: Scalar) -> Any:
        """The outputs for these inputs; `BranchChanged` where a comparison differs.

        Floats, or Values if an input is one.
        """
        values = self._values(numbers)
        results = tuple([values[number] for number in self.outputs])
        if any(isinstance(x, Value) for x in numbers):
            results = tuple(map(as_output, results))
        return results[0] if len(results) == 1 else results

    def _values(self, numbers: Sequence[Scalar]) -> list[Any]:
        if len(numbers) != len(self.inputs):
            raise ArgumentTypeError(
                f"the program takes {len(self.inputs)} numbers, but got {len(numbers)}."
            )
        values: list[Any] = [
            x if isinstance(x, Value) else as_float(x, name)
            for x, name in zip(numbers, self.inputs, strict=True)
        ]
        values += self.constants
        for op, operands, _ in self.lines:
            values.append(op(*[values[number] for number in operands]))
        for guard in self.guards:
            x, y = [values[number] for number in guard.operands]
            if guard.fails(x, y):
                said = in_words(self, guard, "program", x, y)
                raise BranchChanged(f"{said}: record it again for inputs like these.")
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
        """The program of only these outputs, by place, without the lines they do not need."""
        for place in places:
            as_integer(place, "places", least=0, most=len(self.outputs) - 1)
        if not places:
            raise ArgumentValueError("places is empty: a program has one output or more.")
        outputs = [self.outputs[place] for place in places]
        chosen = (self.inputs, self.constants, self.lines, outputs, self.guards)
        return Program(*chosen).without_dead_lines()

    @property
    def results(self) -> list[int]:
        """The numbers of the outputs and of the operands of the guards."""
        return [*self.outputs, *[number for guard in self.guards for number in guard.operands]]

    def simplified(self) -> Program:
        """The program folded, shared and without dead lines, with the same results bit for bit."""
        return self._rewritten(fold=True, share=True, drop=True)

    def folded(self) -> Program:
        """The program with a constant in place of each line of constants only."""
        return self._rewritten(fold=True)

    def shared(self) -> Program:
        """The program with equal lines and equal constants merged."""
        return self._rewritten(share=True)

    def without_dead_lines(self) -> Program:
        """The program without the lines and constants that no output and no guard needs."""
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
        """The program of the output and of its derivative with respect to each input.

        Both agree with the engine bit for bit.  `ValueError` for a program of several outputs:
        `select` one.

        >>> from autograd_rnn import record
        >>> record(lambda x, y: x * y, 2, 5).gradient()(2.0, 5.0)
        (10.0, 5.0, 2.0)
        """
        if len(self.outputs) != 1:
            raise ArgumentValueError(
                f"the program has {len(self.outputs)} outputs: choose one, as in "
                f"program.select(0).gradient()."
            )
        return self.with_gradient()

    def with_gradient(self) -> Program:
        """The program of all outputs, then of the gradient of the first one."""
        writer = Writer(self.inputs, share=False)
        for constant in self.constants:
            writer.constant(constant)
        for line in self.lines:
            writer.line(*line)
        adjoints = self._adjoints(writer, self.outputs[0])
        results = [Ref(writer, output) for output in self.outputs]
        results += [adjoints.get(number, 0.0) for number in range(len(self.inputs))]
        return Program(*writer.parts([writer.number(result) for result in results], self.guards))

    def _adjoints(self, writer: Writer, output: int) -> dict[int, Any]:
        first, known = self.first_line, writer.known
        conditions = taken(self, writer)

        def slopes(number: int) -> Iterator[Slope[int]]:
            """The slopes, each as the function that gives the term of an adjoint."""
            if operands := self._operands(number):
                op, condition = self.lines[number - first].op, conditions.get(number)
                refs = [known.get(operand, Ref(writer, operand)) for operand in operands]
                for position, operand in enumerate(operands):
                    if self._varies(operand):

                        def term(adjoint: Any, position: int = position) -> Any:
                            return op.term(position, adjoint, *refs, Ref(writer, number))

                        if op.chooses and position == 1:
                            own = op.partials[0](*refs, None)
                            yield position, operand, lambda a, t=term, own=own: when(t(a), own)
                        elif condition is None or conditions[operand] is condition:
                            yield position, operand, term
                        else:
                            yield position, operand, lambda a, t=term: when(t(a), condition)

        last = dict(enumerate(self.inputs))
        last |= {first + place: line.name for place, line in enumerate(self.lines) if line.name}
        over = last.get(output) or "L"
        found: dict[int, Any] = {output: 1.0}
        order = depth_first([output], self._operands)
        for _, _, operand, _ in terms(order, found, slopes, lambda adjoint, term: term(adjoint)):
            if isinstance(found[operand], Ref) and operand in last:
                writer.rename(found[operand], f"∂{over}/∂{last[operand]}")
        for number in range(len(self.inputs)):
            condition = conditions.get(number)
            if condition is not None and number in found:
                found[number] = choose(condition, found[number], 0.0)  # not -0, as of no term
        return found

    def _varies(self, number: int) -> bool:
        """Whether a sweep goes there: not to constants, nor to results of flat ops."""
        if number < len(self.inputs):
            return True
        return number >= self.first_line and not self.lines[number - self.first_line].op.flat

    def _operands(self, number: int) -> tuple[int, ...]:
        if number < self.first_line or not self._varies(number):
            return ()
        return self.lines[number - self.first_line].operands

    # --- printers -------------------------------------------------------------------------------

    def __str__(self) -> str:
        """The program in the lecture's notation, a line per named result."""
        return in_text(self)

    def python(self, name: str = "program") -> str:
        """Python source of a function that a person can read and run, with a line per op.

        >>> from autograd_rnn import record
        >>> print(record(lambda x, y: (x * y).exp(), 2, 5).python(), end="")
        from autograd_rnn.ops import exp
        <BLANKLINE>
        <BLANKLINE>
        def program(x_1, x_2):
            v_2 = x_1 * x_2
            v_3 = exp(v_2)
            return v_3
        """
        return in_source(self, name)

    def numpy(self, name: str = "program") -> str:
        """The same over batches: source of a function of numbers and arrays of one length.

        >>> from autograd_rnn import record
        >>> print(record(lambda x, y: x * y, 2, 5).numpy("product"), end="")
        def product(x_1, x_2):
            v_2 = x_1 * x_2
            return v_2
        """
        return in_source(self, name, "numpy")

    def jax(self, name: str = "program") -> str:
        """The same for JAX: source of a function that `jit`, `vmap` and `grad` take.

        It computes in the precision of its arguments.  Its derivatives are the engine's, also at
        kinks.  JAX cannot raise an error where a comparison differs from the recorded one: results
        and slopes are NaN there.

        >>> from autograd_rnn import record
        >>> print(record(lambda x: x * 2 if x > 0 else x, 2).jax(), end="")
        from jax.numpy import nan, where
        <BLANKLINE>
        <BLANKLINE>
        def program(x_1):
            v_3 = x_1 * 2.0
            held = where(x_1 > 0.0, 1.0, nan)
            return v_3 * held
        """
        return in_source(separated(self), name, "jax")


def write_program(
    results: Sequence[Value],
    inputs: Mapping[Value, str],
    compared: Sequence[Comparison] = (),
    *,
    held: Container[Value] = (),
    detached: Mapping[Value, Value] | None = None,
) -> Program:
    """The program of the results as a function of the inputs, which have names.

    Leaves are constants, and so are Values that are `held`.  `detached` has the Value whose number
    a leaf has.
    """
    writer = Writer([*inputs.values()], share=False)
    numbers = {value: place for place, value in enumerate(inputs)}
    sources = detached or {}

    def operands(node: Value) -> Sequence[Value]:
        if node in numbers or node in held:
            return ()
        return (sources[node],) if node in sources else node.parents

    others = [v for _, x, y, _ in compared for v in (x, y) if isinstance(v, Value)]
    for node in depth_first([*results, *others], operands):
        if node in numbers:
            continue
        below = tuple([numbers[operand] for operand in operands(node)])
        if node in sources:
            own_name = None if node.name == sources[node].name else node.name
            numbers[node] = writer.line(stop_gradient, below, own_name)
        elif node.op is None or node in held:
            if node in OPEN or (node.op is not None and is_open([node])):
                raise RecordingError(
                    f"{describe(node)} is a variable of a derivative that is being taken, and a "
                    f"program would keep its number: make it an input of the program."
                )
            numbers[node] = writer.constant(node.data)
        else:
            numbers[node] = writer.line(node.op, below, node.name)
    guards = []
    for comparison, x, y, outcome in compared:
        other = numbers[y] if isinstance(y, Value) else writer.constant(as_float(y, "a comparison"))
        guards.append(Guard(comparison, (numbers[x], other), outcome))
    return Program(*writer.parts([numbers[result] for result in results], guards))
