"""A graph as a list of definitions: each named result as a formula of others, and its slopes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final

from ..errors import GraphTooLarge
from ..graph.copies import Copy
from ..graph.notation import LATEX, TEXT, label
from ..graph.quantities import called, count_uses, is_inside, name_of
from ..graph.separating import Edge, Key
from ..graph.walk import Node, Run, operation, steps_of, topological
from ..ops.op import Op
from .expressions import (
    Applied,
    Expression,
    Number,
    Symbol,
    as_expression,
    fraction,
    prime,
    product,
)

MOST_DEFINED: Final = 400
CHEAP: Final = {1: 1, 2: 3}  # operations of a partial that is written out, by operands of the op


class Definitions:
    """The graph as lines of a derivation: `defined` has an expression for each named result.

    A node has a name, one of `symbols`, if it is a leaf, was given one, is in `keep`, is used more
    than once, or would make the line that uses it too long; other results are written inside that
    line, and constants as their numbers.  The edges in `copied` are written as copies, which have
    symbols too.
    """

    def __init__(
        self, output: Node, copied: Mapping[Edge, Copy], keep: Collection[Node], run: Run | None
    ) -> None:
        self.copied = copied
        self.order = topological(output)
        self.given = () if run is None else run.given
        steps = () if run is None else run.steps
        self.states = {q for step in steps for q in step.q if q not in step.pi and q.parents}
        names = [called(node) for node in self.order]
        taken = {label(name) for name in names if name is not None}
        self.letter = self._letter(taken)
        self.symbols: dict[Key, Symbol] = {}
        self.known: dict[Node, dict[Key, Expression]] = {}
        self.defined: dict[Node, Expression] = {}
        self.forms: dict[Node, Expression] = {}
        is_loss = "L" not in taken and (run is None or output not in steps_of(run))
        uses = count_uses(self.order)
        for place, node in enumerate(self.order, 1):
            if not node.parents and node.constant and called(node) is None:
                self.forms[node] = Number(node.data)
                continue
            name = name_of(node, place)
            if node is output and node.name is None and is_loss:
                name = "L"
            symbol = Symbol.named(node, node.data, name)
            if not node.parents:
                self.forms[node] = self.symbols[node] = symbol
                continue
            written = Applied(self.op(node), [self.at(node, i) for i in range(len(node.parents))])
            if node not in keep and is_inside(called(node), uses[node], written.write(TEXT).text):
                self.forms[node] = written
            else:
                self.symbols[node] = self.forms[node] = symbol
                self.defined[node] = written
        if len(self.defined) > MOST_DEFINED:
            raise GraphTooLarge(
                f"the derivation would define {len(self.defined)} quantities, more than "
                f"{MOST_DEFINED}: derive a shorter run."
            )

    def _letter(self, taken: Collection[str]) -> tuple[Op, Op] | None:
        """The one op of one operand that makes all states, under the name a and as it is."""
        made = list({operation(state) for state in self.states})
        if "a" in taken or len(made) != 1 or made[0].arity != 1:
            return None
        (op,) = made
        return Op("a", op.value, op.partials, latex=r"a\left({}\right)", python=op.python), op

    def op(self, node: Node) -> Op:
        """The op of a node, called a where it makes a state."""
        op = operation(node)
        return op if self.letter is None or node not in self.states else self.letter[0]

    def at(self, node: Node, position: int) -> Expression:
        """How an operand is written: as a copy, by its name, or by its own operands."""
        edge = (node, position)
        parent = node.parents[position]
        if edge not in self.copied:
            return self.forms[parent]
        if edge not in self.symbols:
            name, weight = self.copied[edge].name, self.symbols[parent]
            self.symbols[edge] = Symbol.named(edge, parent.data, name, stands_for=weight)
        return self.symbols[edge]

    def slopes(self, node: Node) -> dict[Key, Expression]:
        """∂node/∂target for each target, a node or a copy, in the definition of a node."""
        if node in self.known:
            return self.known[node]
        found = self.known[node] = {}
        waiting: list[tuple[Node, Expression]] = [(node, Number(1.0))]
        while waiting:
            inner, so_far = waiting.pop()
            inside = []
            for position, parent in enumerate(inner.parents):
                if parent.constant:
                    continue
                slope = product([so_far, self.partial(inner, position)])
                edge = (inner, position)
                if edge in self.copied or parent in self.symbols:
                    target = edge if edge in self.copied else parent
                    found[target] = found[target] + slope if target in found else slope
                else:
                    inside.append((parent, slope))
            waiting += reversed(inside)
        return found

    def partial(self, node: Node, position: int) -> Expression:
        """∂node/∂operand by the rule of the table, or f′(x) or a number where that is too long."""
        true = node.partials[position]
        operands = [self.at(node, place) for place in range(len(node.parents))]
        me = self.forms[node]
        arguments = [x.value if isinstance(x, Number) else x for x in operands]
        rule = as_expression(operation(node).partials[position](*arguments, me))
        if math.isclose(rule.value, true, rel_tol=1e-12, abs_tol=0.0):
            pinned = isinstance(rule, Number) and rule.pinned
            cheap = rule.cost({id(x) for x in (*operands, me)}) <= CHEAP[len(operands)]
            if cheap and not (pinned and len(operands) == 1):
                return rule
        if len(operands) == 1:
            return prime(self.op(node), operands[0].plain(), true, node)
        under = _as_symbol(operands[position], (node, position, "operand"))
        return fraction(_as_symbol(me, node), under, true)


def _as_symbol(written: Expression, key: object) -> Symbol:
    if isinstance(written, Symbol):
        return written
    return Symbol(key, written.value, written.write(TEXT), written.write(LATEX))
