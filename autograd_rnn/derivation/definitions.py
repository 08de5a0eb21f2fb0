"""A graph as a list of definitions: each named result as a formula of others, and its slopes."""

from __future__ import annotations

import math
import operator
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..errors import GraphTooLarge
from ..graph.copies import Copy
from ..graph.identities import ONE, Slope, residue
from ..graph.marks import MARKED, as_signs, mark_of, marks_of
from ..graph.notation import LATEX, TEXT, Text, accent, is_accented, label, without_digits
from ..graph.quantities import called, count_uses, is_inside
from ..graph.separating import Edge, Key
from ..graph.sweep import carry, terms
from ..graph.walk import Node, Run, depth_first, operation, topological
from ..ops.op import CALL, Op
from .expressions import (
    SIMPLIFIED,
    Applied,
    Expression,
    Number,
    Symbol,
    as_expression,
    guarded,
    product,
)
from .naming import fraction, loss_terms, prime, results_of, role_names, run_order

MOST_DEFINED: Final = 400
NO_NAME: Final = re.compile(r" *|[\d.,]+")
CHEAP: Final = {1: 1, 2: 3}  # operations of a partial that is written out, by operands of the op

#: The operand at a position, if the other is this number, is the result: 0 + x, 1·x.
NEUTRAL: Final[Mapping[object, Sequence[tuple[int, float]]]] = {
    operator.add: ((0, 0.0), (1, 0.0)),
    operator.sub: ((1, 0.0),),
    operator.mul: ((0, 1.0), (1, 1.0)),
    operator.truediv: ((1, 1.0),),
    operator.pow: ((1, 1.0),),
}


class Rule(NamedTuple):
    """A slope that is written as a symbol: of which op, under which name, and at which operands."""

    symbol: Symbol
    called: Op
    op: Op
    position: int
    operands: Sequence[Expression]
    result: Expression


class Definitions:
    """The graph as lines of a derivation: `defined` has an expression for each named result.

    A node has a name, one of `symbols`, if it is a leaf, was given one, is in `keep`, is used more
    than once, or would make the line that uses it too long; other results are written inside that
    line, and constants as their numbers.  The edges in `copied` are written as copies, which have
    symbols too.  With a run, lines are in the order of its steps, and terms of the output that
    belong to one step each are called L₁, L₂, ...  No two symbols are written alike.  Derivatives
    are taken along all that is `varying`: what conditions do not choose here too, if so asked.
    """

    def __init__(
        self,
        output: Node,
        copied: Mapping[Edge, Copy],
        keep: Collection[Node],
        run: Run | None,
        unchosen: bool = True,
    ) -> None:
        self.output, self.copied, self.keep, self.run = output, copied, keep, run
        self.order = run_order(output, run)
        self.varying = find_varying(self.order, unchosen)
        self.marks = marks_of(topological(output))
        self.given = () if run is None else run.given
        steps = () if run is None else run.steps
        self.states = {q for step in steps for q in step.q if q not in step.pi and q.parents}
        self.names = self._find_names(run)
        self.taken = set(map(label, self.names.values()))
        self.met: set[str] = set()
        self.letter = self._find_letter()
        self.symbols: dict[Key, Symbol] = {}
        self.rules: dict[str, Rule] = {}
        self.partials: dict[Edge, Expression] = {}
        self.known: dict[Node, dict[Key, Expression]] = {}
        self.upstream: dict[Key, set[Key]] = {}
        self.defined: dict[Node, Expression] = {}
        self.forms: dict[Node, Expression] = {}
        self._define()
        if len(self.defined) > MOST_DEFINED:
            raise GraphTooLarge(
                f"the derivation would define {len(self.defined)} quantities, more than "
                f"{MOST_DEFINED}: derive a shorter run."
            )

    def _define(self) -> None:
        uses = count_uses(self.order)
        adding = {n for n in self.order if n.op is not None and n.op.operator is operator.add}
        operands = {p for n in self.order if n not in adding for p in n.parents}
        # Slopes of these are symbols in which the operand stands twice: ∂max(x, y)/∂x.
        sloped = depth_first([self.output], lambda n: () if n.op and n.op.holds else n.parents)
        twice = {p for n in sloped if n.op and is_of_two(n.op) for p in n.parents}
        for place, node in enumerate(self.order, 1):
            nameless = node not in self.names and node not in self.keep
            if not node.parents:
                # The 0 that a sum starts from.
                start = node.data == 0.0 and node not in operands
                if nameless and (node.constant or start):
                    self.forms[node] = Number(node.data)
                else:
                    slope = Slope(node.data, residue("leaf", place))
                    self._call(node, Symbol.named(slope, self._name(node, place)))
                continue
            written = self._written(node)
            once = uses[node] == 1 or isinstance(written, Symbol | Number)
            compound = node in twice and not isinstance(written, Symbol | Number)
            uses_of = 1 if once and not compound else 2
            if nameless and is_inside(None, uses_of, written.write(TEXT).text):
                self.forms[node] = written
            else:
                slope = Slope(node.data, written.residue)
                self._call(node, Symbol.named(slope, self._name(node, place)))
                self.defined[node] = written

    # --- names -----------------------------------------------------------------------------------

    def _find_names(self, run: Run | None) -> dict[Node, str]:
        """The names of nodes: their own or by the gates, L of the output, and L₁, L₂ of its terms.

        >>> from autograd_rnn import Value
        >>> x = Value(2, "x")
        >>> list(Definitions(x * x, {}, {x}, None).names.values())
        ['x', 'L']
        """
        roles = role_names(run)
        own = {n: name for n in self.order if (name := called(n)) is not None}
        # A blank, and what reads as a number, would be none in a formula.
        own = {n: name for n, name in own.items() if not NO_NAME.fullmatch(name)}
        names = {n: str(roles.get(n, name)) for n, name in own.items()}
        taken = set(map(label, names.values()))
        is_loss = "L" not in taken and (run is None or self.output not in results_of(run))
        if called(self.output) is None and is_loss:
            terms = loss_terms(self.output, run)
            if taken.isdisjoint([label(f"L_{k}") for k in terms]):
                names.update({term: f"L_{k}" for k, term in terms.items()})
            names[self.output] = "L"
        return names

    def _name(self, node: Node, place: int) -> str:
        if node in self.names:
            return self.names[node]
        letters = [f"{letter}_{place}" for letter in "vsu"]
        return next((n for n in letters if label(n) not in self.taken), letters[0])

    def _call(self, key: Key, symbol: Symbol) -> Symbol:
        """Take the symbol of a key, with a number in brackets if its name has been met."""
        text, count = symbol.text.text, 2
        if text in self.met or (isinstance(key, tuple) and text in self.taken):
            while (again := f"{text}[{count}]") in self.met or again in self.taken:
                count += 1
            symbol = symbol.numbered(count)
        signs, (latex, binds) = as_signs(mark_of(key, self.marks)), symbol.latex
        # In braces, what is written over or behind it belongs to it.
        symbol.marked = Text(signs + (f"{{{latex}}}" if set(latex) & set("^[") else latex), binds)
        self.symbols[key] = symbol
        if not isinstance(key, tuple):
            self.forms[key] = symbol
        self.met.add(symbol.key)
        return symbol

    def _find_letter(self) -> tuple[Op, Op] | None:
        """The one op of one operand that makes all states, under the name a and as it is."""
        made = list({operation(state) for state in self.states})
        if "a" in self.taken or len(made) != 1 or made[0].arity != 1:
            return None
        (op,) = made
        return Op("a", op.value, op.partials, latex=r"a\left({}\right)", python=op.python), op

    def free(self, letters: str) -> str:
        """As many letters that name no quantity, for any numbers: these if they can be."""
        found = ""
        for letter in letters:
            found += next(one for one in f"{letter}xzutsr●" if one not in self.met | {*found})
        return found

    def op(self, node: Node) -> Op:
        """The op of a node, called a where it makes a state."""
        op = operation(node)
        return op if self.letter is None or node not in self.states else self.letter[0]

    def leaves(self) -> list[Node]:
        """The leaves that have symbols, as the run was given them; or those of a letter in turn."""
        place = {node: index for index, node in enumerate(self.given)}
        found = [node for node in self.order if not node.parents and node in self.symbols]
        parts = {n: without_digits(self.names[n]) if n in self.names else (n, 0) for n in found}
        first: dict[object, int] = {}
        for index, (letter, _) in enumerate(parts.values()):
            first.setdefault(letter, index)
        where = {
            n: (place.get(n, len(place)), first[part[0]], part[1]) for n, part in parts.items()
        }
        return sorted(found, key=where.__getitem__)

    # --- formulas --------------------------------------------------------------------------------

    def _written(self, node: Node) -> Expression:
        """A result by its operands; one of these alone for 0 + x, 1·x, and guards of floats."""
        operands = [self.at(node, position) for position in range(len(node.parents))]
        for place, number in NEUTRAL.get(operation(node).operator, ()):
            neutral = operands[place]
            if isinstance(neutral, Number) and neutral.value == number:
                return operands[1 - place]
        return guarded(operation(node), operands) or Applied(self.op(node), operands)

    def at(self, node: Node, position: int) -> Expression:
        """How an operand is written: as a copy, by its name, or by its own operands."""
        edge = (node, position)
        parent = node.parents[position]
        if edge not in self.copied:
            return self.forms[parent]
        if edge not in self.symbols:
            self._call(edge, self._copy(self.symbols[parent], self.copied[edge].index))
        return self.symbols[edge]

    @staticmethod
    def _copy(weight: Symbol, index: int) -> Symbol:
        """The symbol of a copy: ẇ₁, but q̇[1] for one that has an accent."""
        name = accent(weight.key, index)
        if is_accented(weight.key):
            return weight.numbered(index, stands_for=weight)
        return Symbol.named(weight.slope, name, stands_for=weight)

    # --- slopes ----------------------------------------------------------------------------------

    def slopes(self, node: Node) -> dict[Key, Expression]:
        """∂⁺node/∂target for each target, a node or a copy, in the definition of a node."""
        if node in self.known:
            return self.known[node]
        found = self.known[node] = {}
        waiting: list[tuple[Node, Expression]] = [(node, Number(1.0))]
        while waiting:
            inner, so_far = waiting.pop()
            inside = []
            for position, parent in self._moved(inner):
                slope = product([so_far, self.partial(inner, position)])
                edge = (inner, position)
                if edge in self.copied or parent in self.symbols:
                    target = edge if edge in self.copied else parent
                    found[target] = found[target] + slope if target in found else slope
                else:
                    inside.append((parent, slope))
            waiting += reversed(inside)
        return found

    def direct(self, node: Node, target: Key, slope: Expression) -> Symbol:
        """The slope by a target in the definition of a node, as ∂node/∂target.

        It is ∂⁺ if the node depends on the target through other quantities as well.
        """
        others = [key for key in self.slopes(node) if key != target]
        more = any(target in self._behind(key) for key in others)
        over, under = self.symbols[node], self.symbols[target]
        return fraction(over, under, slope.slope, direct=more)

    def _behind(self, key: Key) -> set[Key]:
        """All symbols that one is computed from; a copy is computed from its weight."""
        if not self.upstream:
            for node in self.order:
                if node not in self.symbols:
                    continue
                found = self.upstream[node] = set()
                for target in self.slopes(node) if node in self.defined else ():
                    before = target[0].parents[target[1]] if isinstance(target, tuple) else target
                    found |= {target, before} | self.upstream[before]
        if isinstance(key, tuple):
            return {key[0].parents[key[1]]} | self.upstream[key[0].parents[key[1]]]
        return self.upstream[key]

    def partial(self, node: Node, position: int) -> Expression:
        """∂node/∂operand by the rule of the table, or f′(x) or ∂f(x, y)/∂x for a long one."""
        edge = (node, position)
        if edge not in self.partials:
            self.partials[edge] = self._partial(node, position)
        return self.partials[edge]

    def _partial(self, node: Node, position: int) -> Expression:
        true, op = self._recorded(node, position), operation(node)
        operands = [self.at(node, place) for place in range(len(node.parents))]
        result = simplified(self.forms[node])
        if op.flat:
            return Number(0.0)
        operands = [*map(simplified, operands)]
        rule = traced(op, position, operands, result)
        if is_plain(rule) and math.isclose(rule.value, true, rel_tol=1e-12, abs_tol=0.0):
            given = sum([operand.cost(()) for operand in operands])
            cheap = rule.cost({id(result)}) <= CHEAP[op.arity] + given
            called = op.arity == 1 and (rule.residue == 0 or self.op(node) is not op)
            if cheap and not called:
                return rule
        told = stated(op, position, operands, result)
        if is_plain(told) and math.isclose(told.value, true, rel_tol=1e-6, abs_tol=1e-12):
            slope = Slope(true, told.residue)
        else:
            known = residue("slope", op.name, position, *[x.residue for x in operands])
            slope = Slope(true, known)
        if op.arity == 1:
            symbol = prime(self.op(node), operands[0].plain(), slope)
        else:
            symbol = of_two(op, position, operands, slope)
        own = symbol.stands_for or symbol
        plain = [operand.plain() for operand in operands]
        self.rules[own.key] = Rule(own, self.op(node), op, position, plain, result.plain())
        return symbol

    def slope(self, node: Node, position: int) -> Slope:
        """The slope of a node by an operand, with its residue."""
        return Slope(self._recorded(node, position), self.partial(node, position).residue)

    def _moved(self, node: Node) -> Iterator[tuple[int, Node]]:
        """The operands of a node by which it varies, with their positions."""
        if node in self.varying:
            for position, operand in enumerate(node.parents):
                if operand in self.varying:
                    yield position, operand

    @staticmethod
    def _recorded(node: Node, position: int) -> float:
        """The partial of a node, computed anew where the engine has none: of what is not chosen."""
        if not (node.constant or node.parents[position].constant):
            return node.partials[position]
        operands = [parent.data for parent in node.parents]
        return float(operation(node).term(position, 1.0, *operands, node.data))

    def adjoints(self, top: Node, blocked: Collection[Key] = ()) -> dict[Key, Slope]:
        """∂top/∂key, with the other members of a set (`blocked`) held fixed, by a sweep."""

        def slopes(node: Any) -> Iterator[tuple[int, Key, Slope]]:
            if node not in blocked:
                for position, operand in self._moved(node):
                    edge = (node, position)
                    yield position, edge if edge in blocked else operand, self.slope(*edge)

        found: dict[Key, Slope] = {top: ONE}
        deque(terms(topological(top), found, slopes), maxlen=0)
        return found

    def tangents(self, source: Node) -> dict[Node, Slope]:
        """d(node)/d(source), along all paths, for every node between the source and the output."""

        def slopes(node: Node) -> Iterator[tuple[int, Node, Slope]]:
            for position, operand in self._moved(node):
                yield position, operand, self.slope(node, position)

        found = {source: ONE}
        carry(topological(self.output), found, slopes)
        return found


def find_varying(order: Sequence[Node], unchosen: bool) -> set[Node]:
    """The nodes of a topological order that have derivatives by others, or are leaves to differ.

    The engine takes what a condition does not choose as a constant.  As long as the condition holds
    that is right; formulas for all numbers need it as well (`unchosen`).
    """
    found: set[Node] = set()
    for node in order:
        op = node.op
        if not node.constant:
            found.add(node)
        elif unchosen and op is not None and not op.flat:
            operands = node.parents[:1] if op.chooses else node.parents
            if not found.isdisjoint(operands):
                found.add(node)
    return found


def simplified(expression: Expression) -> Expression:
    """The expression with its arithmetic gathered, as that of slopes is."""
    if not isinstance(expression, Applied) or expression.op.operator not in SIMPLIFIED:
        return expression
    return SIMPLIFIED[expression.op.operator](*map(simplified, expression.parts))


def of_two(op: Op, position: int, operands: Sequence[Expression], slope: Slope) -> Symbol:
    """∂max(ẋ, y)/∂ẋ, which stands for ∂max(x, y)/∂x."""
    found: Symbol | None = None
    plain = [operand.plain() for operand in operands]
    versions = [plain, operands] if len({x.key for x in plain}) == len(plain) else [operands]
    for version in versions:
        over, under = _as_symbol(Applied(op, version)), _as_symbol(version[position])
        found = fraction(over, under, slope, stands_for=found)
    assert found is not None
    return found


def is_of_two(op: Op) -> bool:
    """Whether an op is a function of two operands, and no arithmetic."""
    return op.arity == 2 and op.algebra is None and not (op.flat or op.chooses)


def is_plain(rule: Expression) -> bool:
    """Whether a formula has no comparison in it: it is the same everywhere."""
    return not any(
        isinstance(part, Applied) and part.op.flat and part.op.arity > 1 for part in rule.inside()
    )


def traced(op: Op, position: int, operands: Sequence[Expression], result: Expression) -> Expression:
    """The rule of an op at some operands, as an expression; of a choice it is another choice."""
    return as_expression(op.term(position, 1.0, *operands, result))


def stated(op: Op, position: int, operands: Sequence[Expression], result: Expression) -> Expression:
    """The rule of an op as people state it: 1 − tanh², and not what rounds well."""
    if op.arrays_slope is not None:
        return as_expression(op.arrays_slope(result)[0])
    if position in op.stated:
        return as_expression(op.stated[position](*operands, result))
    return traced(op, position, operands, result)


def _as_symbol(written: Expression) -> Symbol:
    """The formula as one symbol, in parentheses unless it is a name or a call."""
    if isinstance(written, Symbol):
        return written
    text, latex, marked = [
        Text(style.fit(written.write(style), CALL)) for style in (TEXT, LATEX, MARKED)
    ]
    symbol = Symbol(written.slope, text, latex)
    symbol.marked = marked
    return symbol
