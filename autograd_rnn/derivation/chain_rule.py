"""The chain rule through a separating set, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ..graph.copies import Copy
from ..graph.separating import Key, key_of, restricted_adjoints
from ..graph.sweep import adjoints, tangents
from ..graph.walk import Node, Run
from .backprop import LONGEST_PRODUCT, Backward, distinct, in_numbers, line
from .definitions import Definitions
from .document import Equation, Part, Row, Section, Sentence, Side
from .expressions import Applied, Expression, Number, Product, Sum, Symbol, fraction, product, total

NESTED: Final = (
    "Members lie behind each other, so each path is counted at the last one that it meets: "
    "∂/∂s|S holds the rest of S fixed, and d/d is a total derivative."
)


class Term(NamedTuple):
    """What a member s of the set adds to the derivative: `grad` = `outer` · `inner`.

    `outer` is ∂output/∂s with the rest of the set held fixed, `inner` the total ds/dparameter.
    """

    name: str
    member: Node | Copy
    outer: float
    inner: float
    grad: float


class ChainRule:
    """∂output/∂parameter through a separating set: the sections of a derivation and its terms.

    A member of the set is known by its key: a node, or for a copy its consumer and position.
    """

    def __init__(
        self,
        output: Node,
        parameter: Node,
        members: Sequence[Node | Copy],
        by_copies: bool,
        run: Run | None,
    ) -> None:
        self.output, self.parameter, self.by_copies = output, parameter, by_copies
        self.members = {key_of(member): member for member in members}
        copied = {(m.consumer, m.position): m for m in members if isinstance(m, Copy)}
        keep = {output, parameter, *map(self._before, self.members)}
        self.definitions = Definitions(output, copied, keep, run)
        self.order = [node for node in self.definitions.order if not node.constant]
        self.totals = tangents(parameter, output)
        behind = self._nodes_behind()
        # Then holding a member fixed changes something.
        self.nested = any(self._before(key) in behind for key in self.members)
        self.gate = self._find_gate(behind)
        keys = list(self.members)
        self.back = Backward(self.definitions, self.gate, keys, self.members, self.nested)
        self.front = Backward(self.definitions, output, [self.gate])
        slope = adjoints(output)[parameter]
        self.w, self.loss = self.definitions.symbols[parameter], self.definitions.symbols[output]
        self.asked = fraction(self.loss, self.w, slope)
        self.inner = {key: self._inner(key) for key in keys}
        self.by_nodes = any(isinstance(inner, Symbol) for inner in self.inner.values())
        self.general = self._general()

    def _nodes_behind(self) -> set[Node]:
        """The nodes that are computed from members."""
        behind: set[Node] = set()
        for node in self.order:
            for position, parent in enumerate(node.parents):
                if parent in behind or parent in self.members or (node, position) in self.members:
                    behind.add(node)
        return behind

    def _find_gate(self, behind: set[Node]) -> Node:
        """The last defined node before the output that every path from the set goes through.

        The lecture's π⃛: ∂L/∂π⃛ is taken out of the sum.  The output itself where there is none.
        """
        place = {node: index for index, node in enumerate(self.order)}
        last_use = {parent: place[node] for node in self.order for parent in node.parents}
        members = [key[0] if isinstance(key, tuple) else key for key in self.members]
        start = max([place.get(node, 0) for node in members])
        candidates = set(self.definitions.defined) - set(self.members) - {self.output}
        gate, farthest = self.output, -1
        for index, node in enumerate(self.order):
            if node in behind or node in self.members:
                if node in candidates and index >= max(start, farthest):
                    gate = node
                farthest = max(farthest, last_use.get(node, -1))
        return gate

    def _before(self, key: Key) -> Node:
        """The node whose value a member has: itself, or the node that it is a copy of."""
        before: Node = key[0].parents[key[1]] if isinstance(key, tuple) else key
        return before

    # --- ds/dw, forward --------------------------------------------------------------------------

    def _inner(self, key: Key) -> Expression:
        """ds/dw for a member s: 1 for a copy of w, 0 for a member that does not depend on w."""
        before = self._before(key)
        if before is self.parameter:
            return Number(1.0)
        return self._total(key) if before in self.totals else Number(0.0)

    def _total(self, key: Key) -> Symbol:
        """d(node)/dw, or ∂(copy)/∂w where it is a copy of w."""
        before, over = self._before(key), self.definitions.symbols[key]
        is_total = before is not self.parameter or not self.by_copies
        return fraction(over, self.w, self.totals.get(before, 0.0), total=is_total)

    def _forward_equations(self) -> list[Equation]:
        """dn/dw for the defined nodes n on the way to members, from the first on."""
        definitions = self.definitions
        wanted = {self._before(k) for k, inner in self.inner.items() if isinstance(inner, Symbol)}
        moved = [n for n in self.order if n in self.totals and n is not self.parameter]
        defined = [n for n in moved if n in definitions.defined]
        for node in reversed(defined):
            if node in wanted:
                wanted |= {self._before(target) for target in definitions.slopes(node)}
        return [self._forward_equation(node) for node in defined if node in wanted]

    def _forward_equation(self, node: Node) -> Equation:
        chain, short = [], []
        for target, slope in self.definitions.slopes(node).items():
            before = self._before(target)
            if before not in self.totals:
                continue
            last = fraction(
                self.definitions.symbols[node], self.definitions.symbols[target], slope.value
            )
            onward = [] if before is self.parameter else [self._total(target)]
            chain.append(product([last, *onward]))
            short.append(product([slope, *onward]))
        return line(self._total(node), [total(chain), total(short)])

    # --- sections --------------------------------------------------------------------------------

    def sections(self) -> list[Section]:
        """The steps of the derivation, each equation of them checked."""
        general = self.general
        sections = [
            _problem(self.definitions, self.asked),
            self._forward_pass(),
            self._set(),
            self._chain_rule(),
            self._remaining(),
            Section("The general formula", [Equation(self.asked, [Side(general)])]),
            Section("The numbers", [Equation(self.asked, _worked_out(general))]),
        ]
        for section in sections:
            for equation in section.equations:
                equation.check()
        return sections

    def terms(self) -> Iterator[Term]:
        """What each member adds."""
        outers = restricted_adjoints(self.output, self.members)
        for key, member in self.members.items():
            outer, inner = outers.get(key, 0.0), self.totals.get(self._before(key), 0.0)
            name = self.definitions.symbols[key].text.text
            yield Term(name, member, outer, inner, outer * inner)

    def _forward_pass(self) -> Section:
        lines = [
            Equation(self.definitions.symbols[node], in_numbers(written))
            for node, written in self.definitions.defined.items()
        ]
        return Section("The forward pass", lines)

    def _set(self) -> Section:
        members = [self.definitions.symbols[key] for key in self.members]
        inside = [part for member in members for part in (", ", member)][1:]
        one = len(members) == 1
        named, verb, meets = "The set S = ", " separates ", "it" if one else "one of them"
        body: list[Part] = []
        if self.by_copies:
            each = "its one use" if one else f"each of its {len(members)} uses"
            same = [*members[1:], self.w, Number(self.w.value)]
            body.append(Sentence("Give ", self.w, f" a copy for {each}:"))
            body.append(Equation(members[0], [Side(side) for side in same]))
            named, verb = ("The copy ", verb) if one else ("The copies ", " separate ")
        paths = f": every path meets {meets}."
        body.append(Sentence(named, "{", *inside, "}", verb, self.w, " from ", self.loss, paths))
        if self.nested:
            body.append(Sentence(NESTED))
        return Section("The separating set", body)

    def _chain_rule(self) -> Section:
        """Panel 12: through the gate, through the set, and ∂L/∂π⃛ worked out."""
        outer = [self.back.symbol(key) for key in self.members]
        inner = [self._total(key) for key in self.members]
        pairs = [product(pair) for pair in zip(outer, inner, strict=True)]
        through_set: Expression = Sum(pairs) if pairs[1:] else pairs[0]
        gate: list[Expression] = []
        sides: list[Expression] = []
        if self.gate is not self.output:
            gate = [self.front.symbol(self.gate)]
            over, slope = self.definitions.symbols[self.gate], adjoints(self.gate)[self.parameter]
            sides = [product([*gate, fraction(over, self.w, slope, total=self.by_nodes)])]
        sides.append(product([*gate, through_set]))
        body: list[Part] = [line(self.asked, sides, numbers=False)]
        sides = []
        if self.by_copies:
            if len(inner) == 1:
                body.append(Sentence("The copy is ", self.w, " itself, so ", inner[0], " = 1:"))
            else:
                body.append(Sentence("Each copy is ", self.w, " itself, so all of these equal 1:"))
                same = [Side(one) for one in (*inner[1:], Number(1.0))]
                body.append(Equation(inner[0], same))
            through_set = total(outer)
            sides.append(product([*gate, through_set]))
        if gate:
            sides.append(product([self.front.full[self.gate], through_set]))
        if sides:
            body.append(line(self.asked, sides, numbers=False))
        return Section("The chain rule", body)

    def _remaining(self) -> Section:
        """Panel 13: the members, the last one first, and what they need."""
        back, gate = self.back, self.definitions.symbols[self.gate]
        body: list[Part] = [back.equation(key) for key in reversed(self.members)]
        for words, source, equations in (
            ("where, backpropagating from ", gate, map(back.equation, back.waypoints)),
            ("and, from ", self.loss, map(self.front.equation, self.front.waypoints)),
            ("and forward from ", self.w, self._forward_equations()),
        ):
            lines = list(equations)
            body += [Sentence(words, source, ":"), *lines] if lines else []
        return Section("The remaining derivatives", body)

    def _general(self) -> Expression:
        """The formula of panel 14, the last member first; zeros are left out."""
        terms = [
            product([self._written_out(key), self.inner[key]]) for key in reversed(self.members)
        ]
        gate = [] if self.gate is self.output else [self.front.full[self.gate]]
        return product([*gate, total(terms)])

    def _written_out(self, key: Key) -> Expression:
        full = self.back.full[key]
        return self.back.symbol(key) if full.size() > 2 * LONGEST_PRODUCT else full


def _worked_out(general: Expression) -> list[Side]:
    """The formula in numbers, with each factor or term worked out, and the result (panel 16)."""
    sides: list[Expression] = []
    if isinstance(general, Product) and len(general.factors) > 1:
        numbers = [(Number(factor.value**power), 1) for factor, power in general.factors]
        sides = [Product(general.coefficient, numbers)]
    elif isinstance(general, Sum):
        sides = [Sum([Number(term.value) for term in general.parts])]
    first, *last = in_numbers(general)
    return distinct([first, *[Side(side, numbers=True) for side in sides], *last])


def problem(output: Node, parameter: Node, run: Run | None) -> Section:
    """The problem without its answer: the equations, and the numbers of the leaves."""
    definitions = Definitions(output, {}, {output, parameter}, run)
    slope = adjoints(output).get(parameter, 0.0)
    asked = fraction(definitions.symbols[output], definitions.symbols[parameter], slope)
    return _problem(definitions, asked)


def _problem(definitions: Definitions, asked: Symbol) -> Section:
    body: list[Part] = [Sentence("Compute ", asked, ", where:")]
    for node, written in definitions.defined.items():
        body.append(Equation(definitions.symbols[node], [Side(written)]))
    if definitions.letter is None:
        body.append(Sentence("at:"))
    else:
        pi = Symbol.named("π", 0.0, "π")
        a, meaning = [Applied(op, [pi]) for op in definitions.letter]
        body.append(Sentence("with ", a, " = ", meaning, ", at:"))
    place = {node: index for index, node in enumerate(definitions.given)}
    leaves = [n for n in definitions.order if not n.parents and n in definitions.symbols]
    leaves.sort(key=lambda leaf: place.get(leaf, len(place)))
    body.append(Row([Equation(definitions.symbols[n], [Side(Number(n.data))]) for n in leaves]))
    return Section("The problem", body)
