"""The chain rule through a separating set, written out with its numbers, and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.copies import Copy, copies
from ..graph.separating import escape, key_of, restricted_adjoints, separating_set
from ..graph.sweep import adjoints, tangents
from ..graph.walk import check_fresh, check_node, check_run, describe, topological
from .backprop import LONGEST_PRODUCT, Backward, in_numbers, line
from .document import (
    Equation,
    Row,
    Section,
    Sentence,
    Side,
    as_html,
    as_latex,
    as_markdown,
    as_tex,
    as_text,
)
from .expressions import (
    TEXT,
    Applied,
    Expression,
    Number,
    Product,
    Sum,
    Symbol,
    fraction,
    product,
    total,
)
from .quantities import Reading


class Term(NamedTuple):
    """What a member s of the set adds: `grad` = `outer` · `inner`.

    `outer` is ∂output/∂s with the rest of the set held fixed, `inner` the total ds/dparameter.
    """

    name: str
    member: Any
    outer: float
    inner: float
    grad: float


class Derivation:
    """A worked derivative: `value`, its `terms`, and the text of it; made by `derive`.

    `sections` are the steps as data, each with its sentences and equations; `latex`, `markdown` and
    `text` are the same in print, `html` and `tex` as documents of their own.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> derivation = derive(w * w, w)
    >>> derivation.value, [term.grad for term in derivation.terms]
    (6.0, [3.0, 3.0])
    """

    __slots__ = ("sections", "terms", "title", "value")

    def __init__(
        self, title: str, value: float, terms: Sequence[Term], sections: Sequence[Section]
    ) -> None:
        self.title = title
        self.value = value
        self.terms = tuple(terms)
        self.sections = tuple(sections)

    @property
    def latex(self) -> str:
        """The equations as LaTeX for a page that knows amsmath."""
        return as_latex(self.sections)

    @property
    def markdown(self) -> str:
        """The derivation in Markdown, with formulas that GitHub and Jupyter render."""
        return as_markdown(self.sections)

    @property
    def text(self) -> str:
        """The derivation in Unicode, for a terminal."""
        return as_text(self.sections)

    @property
    def tex(self) -> str:
        """A complete LaTeX document."""
        return as_tex(self.sections)

    @property
    def html(self) -> str:
        """A page with the formulas in MathML, which browsers render without a network."""
        return as_html(self.title, self.sections)

    def __repr__(self) -> str:
        return f"<Derivation: {self.title} = {self.value!r}>"

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.markdown


def derive(output: Any, parameter: Any, *, through: Any = None, run: Any = None) -> Derivation:
    """∂output/∂parameter worked out as in panels 11-16: forward pass, copies, chain rule through
    the set, backpropagation, general formula, substitution.

    `through` is the set that separates the parameter from the output: its copies unless given, a
    list of Values and Copies, or "minimum", a smallest set of nodes.  With `run`, the unrolled
    network, the copies know their steps, and the activation is called a.  Every printed equation
    has been evaluated, and its sides agree.

    `ValueError` where the output does not depend on the parameter, for a set that does not separate
    them (with the path that escapes it), and for a NaN or infinity in the graph; `StaleGraphError`
    where a leaf was assigned since.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    >>> run = rnn.unroll(bits("101"))
    >>> derivation = derive((15 - run.pi[0]) ** 2, rnn.weights[0][0], run=run)
    >>> derivation.value, [term.grad for term in derivation.terms]
    (32.0, [0.0, 16.0, 16.0])
    >>> print(derivation.text.splitlines()[-1].strip())
    ∂L/∂w₁ = −2(15 − 17)(4 + 1·4·1 + 0·4²·1·1) = −2(−2)·8 = 32
    """
    check_node(output, "output")
    check_node(parameter, "parameter")
    check_run(run)
    order = topological(output)
    uses = copies(parameter, output, run)
    if not output.parents:
        raise ArgumentValueError(
            f"output ({describe(output)}) is a leaf, computed from nothing: there is no chain rule."
        )
    if escape([], parameter, output) is None or parameter is output:
        raise ArgumentValueError(
            f"output does not depend on the parameter ({describe(parameter)}): its derivative is 0."
        )
    check_fresh(order)
    _check_finite(order)
    members = _members(output, parameter, through, uses)
    by_copies = {key_of(member) for member in members} == {key_of(use) for use in uses}
    return _Work(output, parameter, members, by_copies, run).derivation()


def _members(output: Any, parameter: Any, through: Any, uses: Sequence[Copy]) -> list[Any]:
    if through is None:
        return list(uses)
    if isinstance(through, str):
        if through != "minimum":
            raise ArgumentValueError(
                f"through must be 'minimum', or a list of Values and Copies, not {through!r}."
            )
        return list(separating_set(parameter, output))
    if not isinstance(through, Iterable):
        raise ArgumentTypeError(
            f"through must be a list of Values and Copies, not {type(through).__name__}."
        )
    members = list(through)
    if not members:
        raise ArgumentValueError("through is empty: a set has one member or more.")
    path = escape(members, parameter, output)
    if path is not None:
        raise ArgumentValueError(
            f"through does not separate the parameter from the output: {path} meets none of it."
        )
    return members


def _check_finite(order: Sequence[Any]) -> None:
    for node in order:
        if not all(map(math.isfinite, (node.data, *node.partials))):
            raise ArgumentValueError(
                f"{describe(node)} has no finite number or no finite slope, so no equation of it "
                f"can be checked: choose another point."
            )


# --- the derivation ------------------------------------------------------------------------------


class _Work:
    """What a derivation is put together from.

    A member of the set is known by its key: a node, or for a copy its consumer and position.
    """

    def __init__(
        self, output: Any, parameter: Any, members: Sequence[Any], by_copies: bool, run: Any
    ) -> None:
        self.output, self.parameter, self.by_copies = output, parameter, by_copies
        self.members = {key_of(member): member for member in members}
        copied = {key: m for key, m in self.members.items() if isinstance(m, Copy)}
        keep = {output, parameter, *map(self._before, self.members)}
        self.reading = Reading(output, copied, keep, run)
        self.order = [node for node in self.reading.order if not node.constant]
        self.totals = tangents(parameter, output)
        self.nested = self._is_nested()
        self.gate = self._find_gate()
        keys = list(self.members)
        self.back = Backward(self.reading, self.gate, keys, self.members, self.nested)
        self.front = Backward(self.reading, output, [self.gate])
        slope = adjoints(output)[parameter]
        self.w, self.loss = self.reading.symbols[parameter], self.reading.symbols[output]
        self.asked = fraction(self.loss, self.w, slope)
        self.inner = {key: self._inner(key) for key in keys}
        self.by_nodes = any(isinstance(inner, Symbol) for inner in self.inner.values())

    def _is_nested(self) -> bool:
        """Whether a member lies behind another one, so that holding it fixed changes something."""
        behind: set[Any] = set()
        for node in self.order:
            for position, parent in enumerate(node.parents):
                edge = (node, position)
                if edge in self.members and parent in behind:
                    return True
                if parent in behind or parent in self.members or edge in self.members:
                    behind.add(node)
            if node in behind and node in self.members:
                return True
        return False

    def _find_gate(self) -> Any:
        """The last told node before the output that every path from the set goes through.

        The lecture's π⃛: ∂L/∂π⃛ is taken out of the sum.  The output itself where there is none.
        """
        place = {node: index for index, node in enumerate(self.order)}
        starts = [place.get(key[0] if isinstance(key, tuple) else key, 0) for key in self.members]
        moving = {key for key in self.members if not isinstance(key, tuple)}
        reach = {}  # the place of the last node that uses one
        for node in self.order:
            for position, parent in enumerate(node.parents):
                if parent in moving or (node, position) in self.members:
                    moving.add(node)
                    reach[parent] = place[node]
        gate, farthest = self.output, -1
        for index, node in enumerate(self.order):
            if node not in moving:
                continue
            after = index >= max(starts) and node not in self.members
            told = node in self.reading.definitions and node is not self.output
            if after and told and farthest <= index:
                gate = node
            farthest = max(farthest, reach.get(node, -1))
        return gate

    def _before(self, key: Any) -> Any:
        """The node whose value a member has: itself, or what a copy is a copy of."""
        return key[0].parents[key[1]] if isinstance(key, tuple) else key

    # --- ds/dw, forward --------------------------------------------------------------------------

    def _inner(self, key: Any) -> Expression:
        """ds/dw for a member s: 1 for a copy of w, 0 for what does not depend on it."""
        before = self._before(key)
        if before is self.parameter:
            return Number(1.0)
        return self._total(key) if before in self.totals else Number(0.0)

    def _total(self, key: Any) -> Symbol:
        """d(node)/dw, or ∂(copy)/∂w where it is a copy of w."""
        before, over = self._before(key), self.reading.symbol(key)
        is_total = before is not self.parameter or not self.by_copies
        return fraction(over, self.w, self.totals.get(before, 0.0), total=is_total)

    def _forward_equations(self) -> list[Equation]:
        """dn/dw for the told nodes n on the way to members, from the first on."""
        reading = self.reading
        wanted = {self._before(k) for k, inner in self.inner.items() if isinstance(inner, Symbol)}
        moved = [n for n in self.order if n in self.totals and n is not self.parameter]
        told = [n for n in moved if n in reading.definitions]
        for node in reversed(told):
            if node in wanted:
                wanted |= {self._before(target) for target in reading.slopes(node)}
        return [self._forward_equation(node) for node in told if node in wanted]

    def _forward_equation(self, node: Any) -> Equation:
        chain, short = [], []
        for target, slope in self.reading.slopes(node).items():
            before = self._before(target)
            if before not in self.totals:
                continue
            last = fraction(self.reading.symbols[node], self.reading.symbol(target), slope.value)
            onward = [] if before is self.parameter else [self._total(target)]
            chain.append(product([last, *onward]))
            short.append(product([slope, *onward]))
        return line(self._total(node), [total(chain), total(short)])

    # --- sections --------------------------------------------------------------------------------

    def derivation(self) -> Derivation:
        general = self._general()
        sections = [
            _problem(self.reading, self.asked),
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
        return Derivation(self.asked.text.text, general.value + 0.0, self._terms(), sections)

    def _terms(self) -> list[Term]:
        outers = restricted_adjoints(self.output, self.members)
        terms = []
        for key, member in self.members.items():
            outer = outers.get(key, 0.0)
            inner = self.totals.get(self._before(key), 0.0)
            name = self.reading.symbol(key).text.text
            terms.append(Term(name, member, outer, inner, outer * inner))
        return terms

    def _forward_pass(self) -> Section:
        lines = [
            Equation(self.reading.symbols[node], in_numbers(written))
            for node, written in self.reading.definitions.items()
        ]
        return Section("The forward pass", lines)

    def _set(self) -> Section:
        members = [self.reading.symbol(key) for key in self.members]
        inside: list[Any] = ["{", members[0]]
        for member in members[1:]:
            inside += [", ", member]
        inside.append("}")
        body: list[Any] = []
        if self.by_copies:
            each = "its one use" if len(members) == 1 else f"each of its {len(members)} uses"
            same = [*members[1:], self.w, Number(self.w.value)]
            body.append(Sentence("Give ", self.w, f" a copy for {each}:"))
            body.append(Equation(members[0], [Side(one) for one in same]))
            named = "The copy " if len(members) == 1 else "The copies "
            verb = " separates " if len(members) == 1 else " separate "
        else:
            named, verb = "The set S = ", " separates "
        meets = "one of them" if len(members) > 1 else "it"
        words = (named, *inside, verb, self.w, " from ", self.loss, f": every path meets {meets}.")
        body.append(Sentence(*words))
        if self.nested:
            body.append(
                Sentence(
                    "Members lie behind each other, so each path is counted at the last one that "
                    "it meets: ∂/∂s|S holds the rest of S fixed, and d/d is a total derivative."
                )
            )
        return Section("The separating set", body)

    def _chain_rule(self) -> Section:
        """Panel 12: through the gate, through the set, and ∂L/∂π⃛ worked out."""
        outer = [self.back.symbol(key) for key in self.members]
        inner = [self._total(key) for key in self.members]
        pairs = [product([o, i]) for o, i in zip(outer, inner, strict=True)]
        through_set: Expression = Sum(pairs) if pairs[1:] else pairs[0]
        gate: list[Expression] = []
        sides: list[Expression] = []
        if self.gate is not self.output:
            gate = [self.front.symbol(self.gate)]
            over, slope = self.reading.symbols[self.gate], adjoints(self.gate)[self.parameter]
            by_gate = fraction(over, self.w, slope, total=self.by_nodes)
            sides = [product([*gate, by_gate])]
        sides.append(product([*gate, through_set]))
        body: list[Any] = [line(self.asked, sides, numbers=False)]
        if self.by_copies:
            if len(inner) == 1:
                body.append(Sentence("The copy is ", self.w, " itself, so ", inner[0], " = 1:"))
            else:
                body.append(Sentence("Each copy is ", self.w, " itself, so all of these equal 1:"))
                same = [Side(one) for one in (*inner[1:], Number(1.0))]
                body.append(Equation(inner[0], same))
            through_set = total(outer)
            sides = [product([*gate, through_set])]
        else:
            sides = []
        if gate:
            sides.append(product([self.front.full[self.gate], through_set]))
        if sides:
            body.append(line(self.asked, sides, numbers=False))
        return Section("The chain rule", body)

    def _remaining(self) -> Section:
        """Panel 13: the members, the last one first, and what they need."""
        back, gate = self.back, self.reading.symbols[self.gate]
        body: list[Any] = [back.equation(key) for key in reversed(self.members)]
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

    def _written_out(self, key: Any) -> Expression:
        full = self.back.full[key]
        return self.back.symbol(key) if full.size() > 2 * LONGEST_PRODUCT else full


def _worked_out(general: Expression) -> list[Side]:
    """The formula in numbers (panel 16), each of its factors or terms as a number, the result."""
    sides = in_numbers(general)
    if isinstance(general, Product) and len(general.factors) > 1:
        worth = [Symbol(p, f.value**k, "", "") for p, (f, k) in enumerate(general.factors)]
        middle = Side(product([Number(general.coefficient), *worth]), numbers=True)
    elif isinstance(general, Sum):
        worth = [Symbol(p, term.value, "", "") for p, term in enumerate(general.terms)]
        middle = Side(Sum(worth), numbers=True)
    else:
        return sides
    if middle.write(TEXT) not in [side.write(TEXT) for side in sides]:
        sides.insert(-1, middle)
    return sides


def problem(output: Any, parameter: Any, run: Any) -> Section:
    """What is asked, without the answer: the equations, and the point."""
    reading = Reading(output, {}, {output, parameter}, run)
    slope = adjoints(output).get(parameter, 0.0)
    asked = fraction(reading.symbols[output], reading.symbols[parameter], slope)
    return _problem(reading, asked)


def _problem(reading: Reading, asked: Symbol) -> Section:
    body: list[Any] = [Sentence("Compute ", asked, ", where:")]
    for node, written in reading.definitions.items():
        body.append(Equation(reading.symbols[node], [Side(written)]))
    if reading.letter is not None and reading.activation is not None:
        pi = Symbol("π", 0.0, "π", r"\pi")
        a, meaning = Applied(reading.letter, [pi]), Applied(reading.activation, [pi])
        body.append(Sentence("with ", a, " = ", meaning, ", at:"))
    else:
        body.append(Sentence("at:"))
    place = {node: index for index, node in enumerate(reading.given)}
    leaves = [node for node in reading.symbols if not node.parents]
    leaves.sort(key=lambda leaf: place.get(leaf, len(place)))
    body.append(Row([Equation(reading.symbols[n], [Side(Number(n.data))]) for n in leaves]))
    return Section("The problem", body)
