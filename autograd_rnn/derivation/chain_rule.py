"""The chain rule through a separating set, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ..graph.copies import Copy
from ..graph.identities import NO_SLOPE, Slope, residue
from ..graph.notation import listed
from ..graph.separating import Key, key_of, restricted_adjoints
from ..graph.walk import Node, Run, operation, topological
from ..ops.op import Op
from .backprop import Backward, at_the_point, distinct, in_general, in_numbers, line
from .definitions import Definitions, find_varying
from .document import Equation, Part, Row, Section, Sentence, Side, check
from .expressions import Applied, Expression, Number, Product, Sum, Symbol, product, total
from .naming import fraction, matrices, one_system
from .source.function import as_source

NESTED: Final = (
    "Members lie behind each other, so each path is counted at the last one that it meets: "
    "∂/∂s|S holds the rest of S fixed, and d/d is a total derivative."
)


HELD: Final = (
    "The number sg(...) is that of what is inside, but it counts as a constant: no derivative "
    "passes through it."
)
TAKEN: Final = (
    "What a condition does not choose here counts as a constant: the formulas are those of the "
    "branches that are taken."
)
DIRECT: Final = (
    " is the direct derivative: it counts the places where the quantity itself stands in the "
    "definition, with all others in it held fixed, while ∂ counts all paths."
)


HINTS: Final = {
    "The forward pass": "Compute the quantities one after the other, each from those before it.",
    "The separating set": "At how many places does the weight stand? What is at each of them?",
    "The chain rule": "Sum over the members of the set: the derivative by each, times its own.",
    "The remaining derivatives": "Begin at the last step, and reuse what the later ones gave.",
    "The general formula": "Put the derivatives into the chain rule, without any numbers.",
    "The numbers": "Put the numbers of the forward pass into the formula.",
}


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
        self.output, self.parameter, self.by_copies, self.run = output, parameter, by_copies, run
        self.members = {key_of(member): member for member in members}
        copied = {(m.consumer, m.position): m for m in members if isinstance(m, Copy)}
        keep = {output, parameter, *map(self._before, self.members)}
        self.unchosen = self._separates_unchosen()
        self.definitions = Definitions(output, copied, keep, run, self.unchosen)
        varying = self.definitions.varying
        self.order = [node for node in self.definitions.order if node in varying]
        self.totals = self.definitions.tangents(parameter)
        behind = self._nodes_behind()
        # Then holding a member fixed changes something.
        fixed = behind | {key for key in self.members if not isinstance(key, tuple)}
        self.nested = any(
            self._before(key) in (fixed if isinstance(key, tuple) else behind)
            for key in self.members
        )
        self.gate = self._find_gate(behind)
        keys = list(self.members)
        self.back = Backward(self.definitions, self.gate, keys, self.members, self.nested)
        self.front = Backward(self.definitions, output, [self.gate])
        slope = self.definitions.adjoints(output)[parameter]
        self.w, self.loss = self.definitions.symbols[parameter], self.definitions.symbols[output]
        self.asked = fraction(self.loss, self.w, slope)
        self.inner = {key: self._inner(key) for key in keys}
        self.by_nodes = any(isinstance(inner, Symbol) for inner in self.inner.values())
        self.general = self._general()

    def source(self, name: str) -> str:
        """The backward pass as the source of a NumPy function."""
        return as_source(self.output, self.parameter, self.run, name)[0]

    def arguments(self) -> dict[str, Any]:
        """What that function takes here, by name."""
        return as_source(self.output, self.parameter, self.run, "backward")[1]

    def _separates_unchosen(self) -> bool:
        """Whether the set meets those paths, too, that conditions do not choose here."""
        order = topological(self.output)
        varying, reached = find_varying(order, True), {self.parameter}
        for node in order:
            uses = [
                parent in reached and (node, position) not in self.members
                for position, parent in enumerate(node.parents)
            ]
            if node in varying and node not in self.members and any(uses):
                reached.add(node)
        return self.output not in reached

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
        return fraction(over, self.w, self.totals.get(before, NO_SLOPE), total=is_total)

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
            last = self.definitions.direct(node, target, slope)
            onward = [] if before is self.parameter else [self._total(target)]
            chain.append(product([last, *onward]))
            short.append(product([slope, *onward]))
        return line(self._total(node), [total(chain), total(short)])

    # --- sections --------------------------------------------------------------------------------

    def sections(self) -> list[Section]:
        """The steps of the derivation, each equation of them checked."""
        general = self.general
        sections = [
            self._forward_pass(),
            self._set(),
            self._chain_rule(),
            self._remaining(),
            self._formula(),
            Section("The numbers", [Equation(self.asked, _worked_out(general))]),
        ]
        self._tell_slopes(sections)
        check(sections)
        return [section._replace(hint=HINTS.get(section.title, "")) for section in sections]

    def terms(self) -> Iterator[Term]:
        """What each member adds."""
        outers = restricted_adjoints(self.output, self.members)
        for key, member in self.members.items():
            outer = outers.get(key, 0.0)
            inner = self.totals.get(self._before(key), NO_SLOPE).value
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
        copied: dict[Symbol, list[Symbol]] = {}
        for member in members:
            if member.stands_for is not None:
                copied.setdefault(member.stands_for, []).append(member)
        if self.by_copies:
            each = "its one use" if one else f"each of its {len(members)} uses"
            body.append(Sentence("Give ", self.w, f" a copy for {each}:"))
            named, verb = ("The copy ", verb) if one else ("The copies ", " separate ")
        elif copied:
            body.append(Sentence("Give a copy to each use that is in the set:"))
        for weight, own in copied.items():
            number = Side(Number(weight.value), numbers=True)
            body.append(Equation(own[0], [*map(Side, (*own[1:], weight)), number]))
        if copied:
            body += [Sentence("With the copies:" if len(members) > 1 else "With it:")]
            body += self._copied_lines()
        paths = f": every path meets {meets}."
        body.append(Sentence(named, "{", *inside, "}", verb, self.w, " from ", self.loss, paths))
        if self.nested:
            body.append(Sentence(NESTED))
        if not self.unchosen:
            body.append(Sentence(TAKEN))
        return Section("The separating set", body)

    def _copied_lines(self) -> list[Equation]:
        """The definitions in which the copies stand."""
        symbols = self.definitions.symbols
        return [
            Equation(symbols[node], [Side(written)])
            for node, written in self.definitions.defined.items()
            if any(isinstance(p, Symbol) and p.stands_for is not None for p in written.inside())
        ]

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
            over = self.definitions.symbols[self.gate]
            slope = self.definitions.adjoints(self.gate)[self.parameter]
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
        body: list[Part] = []
        for key in reversed(self.members):
            body.append(back.equation(key))
            if key not in back.users:
                body.append(self._why_zero(key))
        for words, source, equations in (
            ("where, backpropagating from ", gate, map(back.equation, back.waypoints)),
            ("and, from ", self.loss, map(self.front.equation, self.front.waypoints)),
            ("and forward from ", self.w, self._forward_equations()),
        ):
            lines = list(equations)
            body += [Sentence(words, source, ":"), *lines] if lines else []
        return Section("The remaining derivatives", body)

    def _why_zero(self, key: Key) -> Sentence:
        """Why the derivative by a member is 0 for all numbers."""
        behind: set[Key] = {key}
        flat: dict[str, None] = {}
        for node in topological(self.gate):
            for position, parent in enumerate(node.parents):
                if (node, position) in behind or parent in behind:
                    if self.definitions.partial(node, position).residue:
                        behind.add(node)
                    else:
                        flat[_what_is_flat(operation(node))] = None
        if not flat:
            return Sentence("since what it adds cancels.")
        member, stops = self.definitions.symbols[key], " or ".join(flat)
        return Sentence("since each path from ", member, f" meets {stops}, whose slope is 0.")

    def _general(self) -> Expression:
        """The formula of panel 14, the last member first: for all numbers, with all its terms."""
        terms = [product([self.back.full[key], self.inner[key]]) for key in reversed(self.members)]
        gate = [] if self.gate is self.output else [self.front.full[self.gate]]
        return product([*gate, total(terms)])

    def _formula(self) -> Section:
        body: list[Part] = [Equation(self.asked, [Side(self.general)])]
        gate = self.gate is not self.output
        needed = [*self.back.recursion(), *(self.front.recursion() if gate else [])]
        if needed:
            body += [Sentence("where, one after the other:"), *needed]
        return Section("The general formula", body)

    def _tell_slopes(self, sections: list[Section]) -> None:
        """Add the problem, and say of a′ what it is, and what it comes to at this point."""
        rules, letter = self.definitions.rules, self.definitions.letter
        met = dict.fromkeys([symbol.key for section in sections for symbol in section.symbols])
        used = [rules[key] for key in met if key in rules]
        mine = [rule for rule in used if letter is not None and rule.called is letter[0]]
        free = self.definitions.free
        told = in_general(mine[0], free("π")) if mine else []
        sections.insert(0, _problem(self.definitions, self.asked, told))
        others = [rule for rule in used if rule not in mine]
        alike = Counter([(rule.op, rule.position) for rule in others])
        stated = []
        for (op, position), count in alike.items():
            first = next(r for r in others if (r.op, r.position) == (op, position))
            letters = free("xy"[: op.arity]) if op.arity == 1 or count > 1 else ""
            if parts := in_general(first, letters):
                stated.append(parts)
        words = [part for parts in stated for part in (", ", *parts)][1:]
        if used:
            remaining = sections[4].body
            assert isinstance(remaining, list)
            remaining.append(Sentence("with the slopes", *([" ", *words] if words else []), ":"))
            remaining.append(Row(map(at_the_point, used)))
        self._tell_direct(sections)

    def _tell_direct(self, sections: Sequence[Section]) -> None:
        """Say what ∂⁺ is, in front of the first equation that has it."""
        for section in sections:
            for place, part in enumerate(section.body):
                alone = Section("", [part])
                first = next((s for s in alone.symbols if s.key.startswith("∂⁺")), None)
                if first is not None:
                    assert isinstance(section.body, list)
                    # In front of the words that lead to the equation.
                    leads = place > 0 and isinstance(section.body[place - 1], Sentence)
                    section.body.insert(place - leads, Sentence("Here ", first, DIRECT))
                    return


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


def _what_is_flat(op: Op) -> str:
    """What a path meets at an op with a slope of 0."""
    if op.arity == 1:
        return op.symbol
    return "a condition" if op.chooses else "a comparison" if op.flat else "a factor of 0"


def problem(output: Node, parameter: Node, run: Run | None) -> Section:
    """The problem without its answer: the equations, and the numbers of the leaves."""
    with one_system(output, parameter, 0, run):
        definitions = Definitions(output, {}, {output, parameter}, run)
        slope = definitions.adjoints(output).get(parameter, NO_SLOPE)
        asked = fraction(definitions.symbols[output], definitions.symbols[parameter], slope)
        return _problem(definitions, asked, [])


def _problem(definitions: Definitions, asked: Symbol, slope: Sequence[str | Expression]) -> Section:
    """What is asked; `slope` says what a′ is."""
    body: list[Part] = [Sentence("Compute ", asked, ", where:")]
    lines = [(node, written.plain()) for node, written in definitions.defined.items()]
    for node, written in lines:
        body.append(Equation(definitions.symbols[node], [Side(written)]))
    called = [p.op for _, line in lines for p in line.inside() if isinstance(p, Applied)]
    if definitions.letter is None or definitions.letter[0] not in called:
        body.append(Sentence("at:"))
    else:
        pi = Symbol.named(Slope(0.0, residue("any number", 0)), definitions.free("π"))
        a, meaning = [Applied(op, [pi]) for op in definitions.letter]
        body.append(
            Sentence("with ", a, " = ", meaning, *([", ", *slope] if slope else []), ", at:")
        )
    body.append(
        Row(
            [
                Equation(definitions.symbols[leaf], [Side(Number(leaf.data), numbers=True)])
                for leaf in definitions.leaves()
            ]
        )
    )
    body += matrices(definitions.run, definitions.symbols)
    if any(op.holds for op in called):
        cuts = sorted(getattr(definitions.run, "cuts", ()))
        ways = listed([f"step {k} to step {k - 1}" for k in cuts])
        cut = f" Here it cuts the way back from {ways}: the run is truncated." if cuts else ""
        body.append(Sentence(HELD + cut))
    return Section("The problem", body)
