"""The copies of a parameter: one per use, whose terms add up to its gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import ArgumentValueError
from ..ops.functions import summed
from .assigned import assigned_since
from .notation import Text, accent, label, number, table, write, write_number
from .quantities import called, names_of
from .sweep import adjoints_at
from .walk import Node, Run, check_node, check_run, describe, steps_of, topological, uses

MOST_ROWS: Final = 40


@dataclass(frozen=True, slots=True)
class Copy:
    """One use of a parameter by one consumer at one operand position: an edge of the graph.

    `index` counts the uses from 1 in topological order, `step` is the step of the network (None
    without one, or outside its steps), `grad` is ∂output/∂copy = `adjoint` · `partial`, that is
    ∂output/∂consumer · ∂consumer/∂copy.  If the parameter was assigned since, all of these are as
    the graph was computed (`data` only where a partial or a result tells the number before).  The
    lecture (panel 11) writes the copies of w₁ as ẇ₁, ẅ₁, w⃛₁, and so does `name`.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> first, second = copies(w, w * w)
    >>> second.name, second.position, second.grad
    ('ẅ', 1, 3.0)
    """

    name: str
    index: int
    step: int | None
    parameter: Any
    consumer: Any
    position: int
    data: float
    adjoint: float
    partial: float
    grad: float
    run: Run | None = field(default=None, repr=False, compare=False)


class Copies(tuple[Copy, ...]):
    """The copies of a parameter, in topological order; printed, a table of their terms.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> print(copies(w, w * w))
    copy   used in   adjoint   partial   term
    ─────────────────────────────────────────
    ẇ      ẇ·w             1         3      3
    ẅ      w·ẅ             1         3      3
    ─────────────────────────────────────────
    sum                                     6
    """

    __slots__ = ()

    @property
    def total(self) -> float:
        """The sum of the terms, from the first copy to the last: the parameter's gradient."""
        total: float = summed([copy.grad for copy in self])
        return total

    def __str__(self) -> str:
        with_steps = any(copy.step is not None for copy in self)
        head = ("copy", "step", "used in", "adjoint", "partial", "term")
        rows = [
            (
                *(copy.name, str(copy.step or "–"), _use(copy)),
                *map(number, (copy.adjoint, copy.partial, copy.grad)),
            )
            for copy in self
        ]
        foot = ("sum", "", "", "", "", number(self.total))
        if len(rows) > MOST_ROWS:
            half = MOST_ROWS // 2
            left_out = f"… {len(rows) - 2 * half} more …"
            rows = [*rows[:half], ("…", "", left_out, "", "", ""), *rows[-half:]]
        shown = [row if with_steps else row[:1] + row[2:] for row in (head, *rows, foot)]
        return table(shown, left=(0, 2) if with_steps else (0, 1))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Jupyter shows the table."""
        printer.text(str(self))


def _use(copy: Copy) -> str:
    """The consumer of a copy, written with its operands: w₁·q̇."""
    with names_of(copy.run):
        names = [(called(parent), parent.data) for parent in copy.consumer.parents]
    written = [Text(label(name)) if name else write_number(data) for name, data in names]
    written[copy.position] = Text(copy.name)
    return write(copy.consumer.op, *written).text


def copies(parameter: Node, output: Node, run: Run | None = None) -> Copies:
    """The copies of a parameter, one per use, in topological order; their `grad`s add up to its.

    With `run`, an unrolled network or the `Steps` of a loop, each copy knows its step.  Printed,
    they are a table.  Empty where the output does not depend on the parameter.  Raises `ValueError`
    for a constant.  (Panels 11 and 12.)

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    >>> run = rnn.unroll(bits("101"))
    >>> loss = (15 - run.pi[0]) ** 2
    >>> w1, w2 = rnn.parameters()
    >>> [(copy.name, copy.step, copy.grad) for copy in copies(w1, loss, run)]
    [('ẇ₁', 1, 0.0), ('ẅ₁', 2, 16.0), ('w⃛₁', 3, 16.0)]
    """
    check_node(parameter, "parameter")
    check_node(output, "output")
    check_run(run)
    if parameter.constant:
        raise ArgumentValueError(
            f"parameter is the constant {describe(parameter)}, and constants are never "
            f"differentiated: take Value({parameter.data}) for a number, or unfreeze a weight, and "
            f"compute the output again."
        )
    order = topological(output)
    used = uses(order, parameter)
    adjoints = adjoints_at(output, [consumer for consumer, _ in used])
    before = assigned_since([consumer for consumer, _ in used]).get(parameter)
    steps = {} if run is None else steps_of(run)
    name = parameter.name
    if name is None and used:
        place = next(place for place, node in enumerate(order, 1) if node is parameter)
        name = f"v_{place}"
    found = []
    for index, ((consumer, position), adjoint) in enumerate(zip(used, adjoints, strict=True), 1):
        partial = consumer.partials[position]
        copy = Copy(
            name=accent(str(name), index),
            index=index,
            step=steps.get(consumer),
            parameter=parameter,
            consumer=consumer,
            position=position,
            data=parameter.data if before is None else before,
            adjoint=adjoint,
            partial=partial,
            grad=adjoint * partial,
            run=run,
        )
        found.append(copy)
    return Copies(found)
