"""The recursion of backpropagation, in symbols and in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from ..graph.notation import TEXT
from ..graph.separating import Key, restricted_adjoints
from ..graph.walk import Node
from .definitions import Definitions
from .document import Equation, Side
from .expressions import Expression, Number, Symbol, fraction, product, total

LONGEST_PRODUCT: Final = 6  # symbols of a derivative that is written out


class Backward:
    """∂top/∂target for some targets, by the recursion of backpropagation, in symbols.

    A path ends at members of the set (`blocked`).  Waypoints are the defined nodes whose derivative
    gets a line of its own: those that use a target, and where paths meet or part.
    """

    def __init__(
        self,
        definitions: Definitions,
        top: Node,
        targets: Sequence[Key],
        blocked: Collection[Key] = (),
        nested: bool = False,
    ) -> None:
        self.definitions, self.top, self.targets, self.nested = definitions, top, targets, nested
        self.numbers = restricted_adjoints(top, blocked)
        self.users: dict[Key, list[tuple[Node, Expression]]] = {}
        backward = list(reversed(definitions.defined))
        for node in backward:
            if (node is top or node in self.users) and node not in blocked:
                for target, slope in definitions.slopes(node).items():
                    if not (isinstance(slope, Number) and slope.value == 0.0):
                        self.users.setdefault(target, []).insert(0, (node, slope))
        needs = self._count_needs()
        needed = [node for node in backward if node in needs and node is not top]
        using = {node for target in targets for node, _ in self.users.get(target, ())}
        meeting = {node for node in needed if needs[node] > 1 or len(self.users[node]) > 1}
        self.waypoints = [n for n in needed if n in using | meeting and n not in targets]
        self.lines = {top, *self.waypoints, *targets}
        self.full: dict[Key, Expression] = {top: Number(1.0)}
        for key in (*needed, *targets):
            if key is not top:
                self.full[key] = self._written_out(key)

    def _count_needs(self) -> Counter[Node]:
        """How many derivatives that are needed use that of a node."""
        needs: Counter[Node] = Counter()
        waiting = list(self.targets)
        while waiting:
            for node, _ in self.users.get(waiting.pop(), ()):
                if node is not self.top and node not in needs:
                    waiting.append(node)
                needs[node] += 1
        return needs

    def symbol(self, target: Key) -> Symbol:
        """∂top/∂target."""
        over, under = self.definitions.symbols[self.top], self.definitions.symbols[target]
        return fraction(over, under, self.numbers.get(target, 0.0), holding=self.nested)

    def _reference(self, node: Node) -> Expression:
        """∂top/∂node in a formula: written out, unless that is too long or it is 0."""
        full = self.full[node]
        return self.symbol(node) if full.size() > LONGEST_PRODUCT else full

    def _written_out(self, target: Key) -> Expression:
        if self.numbers.get(target, 0.0) == 0.0 and target not in self.targets:
            return Number(0.0)
        return total(
            [
                self._times(target, self._reference(node), slope.plain())
                for node, slope in self.users.get(target, ())
            ]
        )

    def _times(self, target: Key, behind: Expression, slope: Expression) -> Expression:
        """The factors in the lecture's order: the slope by a copy first, or else the later step."""
        return product([slope, behind] if target in self.targets else [behind, slope])

    def _chain(self, target: Key) -> Expression:
        """The chain rule in ∂'s, through all nodes without a line of their own."""
        under, terms = self.definitions.symbols[target], []
        for node, slope in self.users.get(target, ()):
            last = fraction(self.definitions.symbols[node], under, slope.value)
            behind = self.symbol(node) if node in self.lines else self._chain(node)
            terms.append(last if node is self.top else product([behind, last]))
        return total(terms)

    def _short(self, target: Key) -> Expression:
        """The chain rule with the slopes of each line, and ∂top/∂waypoint by its symbol."""
        terms = []
        for node, slope in self.users.get(target, ()):
            if node not in self.lines:
                behind = self._short(node)
            elif target in self.targets and node is not self.top:
                behind = self.symbol(node)
            else:
                behind = self._reference(node)
            terms.append(self._times(target, behind, slope))
        return total(terms)

    def equation(self, target: Key) -> Equation:
        """The line of a target or a waypoint."""
        left = self.symbol(target)
        if target is self.top or target not in self.users:
            return Equation(left, [Side(self.full[target])])
        short = self._short(target)
        sides = [self._chain(target), short]
        if target not in self.targets:
            sides += [short.plain(), self.full[target]]
        return line(left, sides)


def line(left: Symbol, sides: Sequence[Expression], numbers: bool = True) -> Equation:
    """The equation of all sides that are written differently, then the last in numbers."""
    shown = distinct([Side(side) for side in sides], left)
    if numbers:
        last = shown[-1].expression if shown else left
        shown = distinct([*shown, *in_numbers(last)], left)
    return Equation(left, shown)


def in_numbers(expression: Expression) -> list[Side]:
    """The expression in numbers, and its value."""
    return distinct([Side(expression, numbers=True), Side(Number(expression.value))])


def distinct(sides: Sequence[Side], left: Symbol | None = None) -> list[Side]:
    """The sides that are not written like the left one, or like a side before them."""
    written: dict[str, Side] = {}
    for side in sides:
        written.setdefault(side.write(TEXT), side)
    if left is not None:
        written.pop(left.write(TEXT).text, None)
    return list(written.values())
