"""A graph as quantities with names, each written in the others, and their slopes in symbols."""

from __future__ import annotations

import math
from typing import Any, Final

from ..errors import GraphTooLarge
from ..graph.copies import Copy
from ..graph.notation import label
from ..graph.walk import steps_of, topological
from ..ops.op import CALL, Op
from .expressions import (
    LATEX,
    TEXT,
    Applied,
    Expression,
    Number,
    Symbol,
    as_expression,
    fraction,
    latex_name,
    prime,
    product,
)

MOST_TOLD: Final = 400
LONGEST_INSIDE: Final = 40  # characters of an expression that needs no name of its own
CHEAP: Final = {1: 1, 2: 3}  # operations of a partial that is written out, by operands of the op


class Reading:
    """The graph as quantities that have a name and are told, each an expression of the others.

    Told are the leaves, what has a name, what is used more than once, and what would make a line
    too long; `copied` are the edges that are written as copies.
    """

    def __init__(self, output: Any, copied: dict[Any, Copy], keep: set[Any], run: Any) -> None:
        self.output, self.copied = output, copied
        self.given = () if run is None else run.given
        self.order = topological(output)
        used: dict[Any, int] = {}
        for node in self.order:
            for parent in node.parents:
                used[parent] = used.get(parent, 0) + 1
        taken = {label(node.name) for node in self.order if node.name is not None}
        steps = () if run is None else run.steps
        self.states = {q for step in steps for q in step.q if q not in step.pi and q.parents}
        self.activation = self._activation()
        self.letter = self._letter(taken)
        self.symbols: dict[Any, Symbol] = {}
        self.copy_symbols: dict[Any, Symbol] = {}
        self.known: dict[Any, dict[Any, Expression]] = {}
        self.definitions: dict[Any, Expression] = {}
        self.forms: dict[Any, Expression] = {}
        steps_by_node = {} if run is None else steps_of(run)
        for place, node in enumerate(self.order, 1):
            if not node.parents and node.constant and node.name is None:
                self.forms[node] = Number(node.data)
                continue
            name = node.name
            if name is None and node is output:
                name = "L" if "L" not in taken and node not in steps_by_node else None
            shown = f"v_{place}" if name is None else name
            symbol = Symbol(node, node.data, label(shown), latex_name(shown))
            if not node.parents:
                self.forms[node] = self.symbols[node] = symbol
                continue
            written = Applied(self.op(node), [self.at(node, i) for i in range(len(node.parents))])
            long = len(written.write(TEXT).text) > LONGEST_INSIDE
            if name is not None or node in keep or used.get(node, 2) > 1 or long:
                self.symbols[node] = self.forms[node] = symbol
                self.definitions[node] = written
            else:
                self.forms[node] = written
        if len(self.definitions) > MOST_TOLD:
            raise GraphTooLarge(
                f"the derivation would tell {len(self.definitions)} quantities, more than "
                f"{MOST_TOLD}: derive a shorter run."
            )

    def _activation(self) -> Op | None:
        """The one op of one operand that makes all states."""
        made = {state.op for state in self.states}
        return made.pop() if len(made) == 1 and all(op.arity == 1 for op in made) else None

    def _letter(self, taken: set[str]) -> Op | None:
        """The activation under the name a, unless something else has it."""
        op = self.activation
        if op is None or "a" in taken:
            return None
        return Op(
            "a",
            op.value,
            op.partials,
            symbol="a",
            text="a({})",
            latex=r"a\left({}\right)",
            python=op.python,
            binds=CALL,
        )

    def op(self, node: Any) -> Op:
        """The op of a node, called a where it makes a state."""
        op: Op = node.op
        return op if self.letter is None or node not in self.states else self.letter

    def at(self, node: Any, position: int) -> Expression:
        """How an operand is written: as a copy, by its name, or as what it is computed from."""
        use = self.copied.get((node, position))
        parent = node.parents[position]
        if use is None:
            return self.forms[parent]
        key = (node, position)
        if key not in self.copy_symbols:
            self.copy_symbols[key] = Symbol(
                key, parent.data, use.name, latex_name(use.name), stands_for=self.symbols[parent]
            )
        return self.copy_symbols[key]

    def symbol(self, target: Any) -> Symbol:
        """The symbol of a told node, or of a copy by its edge."""
        return self.copy_symbols[target] if isinstance(target, tuple) else self.symbols[target]

    def slopes(self, node: Any) -> dict[Any, Expression]:
        """∂node/∂target for what stands in the definition of a told node: nodes, and copies."""
        if node not in self.known:
            self.known[node] = self._slopes(node)
        return self.known[node]

    def _slopes(self, node: Any) -> dict[Any, Expression]:
        found: dict[Any, Expression] = {}
        waiting: list[tuple[Any, Expression]] = [(node, Number(1.0))]
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

    def partial(self, node: Any, position: int) -> Expression:
        """∂node/∂operand by the rule of the table, or f′(x) or a number where that is too long."""
        true = node.partials[position]
        operands = [self.at(node, place) for place in range(len(node.parents))]
        me = self.forms[node]
        arguments = [x.value if isinstance(x, Number) else x for x in operands]
        try:
            rule = as_expression(node.op.partials[position](*arguments, me))
        except TypeError:
            rule = None  # a rule of a user's primitive that is not made of ops
        known = rule is not None and math.isclose(rule.value, true, rel_tol=1e-12, abs_tol=0.0)
        if rule is not None and known:
            pinned = isinstance(rule, Number) and rule.pinned
            cheap = rule.cost({id(x) for x in (*operands, me)}) <= CHEAP[len(operands)]
            if cheap and not (pinned and len(operands) == 1):
                return rule
        if len(operands) == 1:
            letter = "a" if self.op(node) is not node.op else None
            return prime(node.op, plain(operands[0]), true, node, letter)
        over, under = (
            self._named(me, node),
            self._named(operands[position], (node, position, "operand")),
        )
        return fraction(over, under, true)

    def _named(self, written: Expression, key: Any) -> Symbol:
        if isinstance(written, Symbol):
            return written
        text, latex = written.write(TEXT), written.write(LATEX)
        return Symbol(key, written.value, text.text, latex.text, text.binds)


def plain(expression: Expression) -> Expression:
    """The expression with w₁ for its copies, which are equal to it."""
    return expression.map(lambda symbol: symbol.stands_for or symbol)
