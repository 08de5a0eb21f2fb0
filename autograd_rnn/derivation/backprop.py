"""The recursion of backpropagation, in symbols and in numbers."""

from __future__ import annotations

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
        defined = [node for node in definitions.order if node in definitions.defined]
        after = False
        for node in reversed(defined):
            after = after or node is top
            if not after or (node is not top and node not in self.users) or node in blocked:
                continue
            for target, slope in definitions.slopes(node).items():
                if not (isinstance(slope, Number) and slope.value == 0.0):
                    self.users.setdefault(target, []).insert(0, (node, slope))
        self.waypoints = self._choose()
        self.lines = {top, *self.waypoints, *targets}
        self.full: dict[Key, Expression] = {}
        for node in reversed(defined):
            if node in self.needed:
                self._expand(node)
        for target in targets:
            self._expand(target)

    def _choose(self) -> list[Node]:
        """The waypoints, from the top back."""
        needs: dict[Node, int] = {}
        waiting = list(self.targets)
        self.needed: set[Node] = set()
        while waiting:
            for node, _ in self.users.get(waiting.pop(), ()):
                needs[node] = needs.get(node, 0) + 1
                if node is not self.top and node not in self.needed:
                    self.needed.add(node)
                    waiting.append(node)
        using = {node for target in self.targets for node, _ in self.users.get(target, ())}
        needed = [node for node in self.definitions.order if node in self.needed]
        several = {n for n in needed if needs[n] > 1 or len(self.users[n]) > 1}
        return [
            n for n in reversed(needed) if (n in using or n in several) and n not in self.targets
        ]

    def symbol(self, target: Key) -> Symbol:
        """∂top/∂target."""
        over, under = self.definitions.symbol(self.top), self.definitions.symbol(target)
        return fraction(over, under, self.numbers.get(target, 0.0), holding=self.nested)

    def _reference(self, node: Node) -> Expression:
        """∂top/∂node in a formula: written out, unless that is too long or it is 0."""
        if node is self.top:
            return Number(1.0)
        full = self.full[node]
        if full.size() > LONGEST_PRODUCT:
            return self.symbol(node)
        return full

    def _expand(self, target: Key) -> None:
        if target is self.top:
            self.full[target] = Number(1.0)
        elif self.numbers.get(target, 0.0) == 0.0 and target not in self.targets:
            self.full[target] = Number(0.0)
        else:
            terms = [
                self._times(target, self._reference(node), slope.plain())
                for node, slope in self.users.get(target, ())
            ]
            self.full[target] = total(terms)

    def _times(self, target: Key, behind: Expression, slope: Expression) -> Expression:
        """The lecture's order: what a copy is multiplied by stands first, and later steps do."""
        return product([slope, behind] if target in self.targets else [behind, slope])

    def _chain(self, target: Key) -> Expression:
        """The chain rule in ∂'s, through what has no line of its own."""
        under, terms = self.definitions.symbol(target), []
        for node, slope in self.users.get(target, ()):
            last = fraction(self.definitions.symbol(node), under, slope.value)
            behind = self.symbol(node) if node in self.lines else self._chain(node)
            terms.append(last if node is self.top else product([behind, last]))
        return total(terms)

    def _short(self, target: Key) -> Expression:
        """The chain rule with the slopes of each line, and ∂top/∂waypoint as it is called."""
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
