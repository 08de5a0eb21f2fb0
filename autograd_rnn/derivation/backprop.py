"""The recursion of backpropagation, in symbols and in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeGuard

from ..errors import ArgumentValueError
from ..graph.identities import NO_SLOPE, Slope, residue
from ..graph.notation import TEXT, label, number, superscript
from ..graph.separating import Key
from ..graph.walk import Node
from ..networks.bptt import TOLERANCE, past_the_steps
from ..networks.model import Model
from ..networks.vectors import components
from ..program.displays import Grid, Lines, derivative, enclosed
from ..program.displays import symbol as formula_of
from ..program.formulas import Formula
from ..program.structure import Structure
from .definitions import Definitions, Rule, is_plain, of_two, stated
from .document import Equation, Inline, Section, Sentence, Side
from .expressions import Applied, Expression, Number, Symbol, product, total
from .naming import FROM_THE_LAST, fraction, prime, truncated

MOST_WRITTEN: Final = 24  # symbols of a general formula that is written as one
MOST_STATED: Final = 8  # symbols of a slope that is stated in general
FEW: Final = 5  # steps from which on the recursion of one state is shorter than products
DOT: Final = Formula("·", r" \cdot ")


class Backward:
    """∂top/∂target for some targets, by the recursion of backpropagation, in symbols.

    A path ends at members of the set (`blocked`).  Waypoints are the defined nodes whose derivative
    gets a line of its own: those that use a target, and where paths meet or part.  Derivatives are
    written out down to the slopes of single lines if all of them are short (not `folded`), or else
    by those of waypoints, all of them.
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
        self.numbers = definitions.adjoints(top, blocked)
        self.users: dict[Key, list[tuple[Node, Expression]]] = {}
        backward = list(reversed(definitions.defined))
        for node in backward:
            if (node is top or node in self.users) and node not in blocked:
                for target, slope in definitions.slopes(node).items():
                    if slope.residue:
                        self.users.setdefault(target, []).insert(0, (node, slope))
        needs = self._count_needs()
        needed = [node for node in backward if node in needs and node is not top]
        using = {node for target in targets for node, _ in self.users.get(target, ())}
        meeting = {node for node in needed if needs[node] > 1 or len(self.users[node]) > 1}
        self.waypoints = [n for n in needed if n in using | meeting and n not in targets]
        self.lines = {top, *self.waypoints, *targets}
        keys = [key for key in (*needed, *targets) if key is not top]
        self.folded = self._size([*needed]) > MOST_WRITTEN
        self.full: dict[Key, Expression] = {top: Number(1.0)}
        for key in keys:
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

    def _size(self, needed: Sequence[Node]) -> int:
        """The size of all derivatives by targets, written out."""
        sizes: dict[Key, int] = {self.top: 0}

        def count(key: Key) -> int:
            return sum([sizes[node] + slope.size() for node, slope in self.users.get(key, ())])

        for node in needed:
            sizes[node] = count(node)
        return sum([count(target) for target in self.targets if target not in sizes])

    def symbol(self, target: Key) -> Symbol:
        """∂top/∂target."""
        over, under = self.definitions.symbols[self.top], self.definitions.symbols[target]
        slope = self.numbers.get(target, NO_SLOPE)
        return fraction(over, under, slope, holding=self.nested)

    def _written_out(self, target: Key) -> Expression:
        return total(
            [
                self._times(target, self._reference(node), slope.plain())
                for node, slope in self.users.get(target, ())
            ]
        )

    def _reference(self, node: Node) -> Expression:
        """∂top/∂node in a formula."""
        full = self.full[node]
        short = not self.folded or node is self.top or node not in self.lines
        return full if short or isinstance(full, Number) else self.symbol(node)

    def _times(self, target: Key, behind: Expression, slope: Expression) -> Expression:
        """The factors in the lecture's order: the slope by a copy first, or else the later step."""
        return product([slope, behind] if target in self.targets else [behind, slope])

    def _chain(self, target: Key) -> Expression:
        """The chain rule in ∂'s, through all nodes without a line of their own."""
        terms = []
        for node, slope in self.users.get(target, ()):
            last = self.definitions.direct(node, target, slope)
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

    def recursion(self) -> list[Equation]:
        """The waypoints' derivatives by those of later ones, as a formula needs that is folded."""
        if not self.folded:
            return []
        lines = [(node, self.full[node]) for node in self.waypoints]
        return [
            Equation(self.symbol(node), [Side(full)])
            for node, full in lines
            if not isinstance(full, Number)
        ]


def line(left: Symbol, sides: Sequence[Expression], numbers: bool = True) -> Equation:
    """The equation of all sides that are written differently, then the last in numbers."""
    shown = distinct([Side(side) for side in sides], left)
    if numbers:
        last = shown[-1].expression if shown else left
        shown = distinct([*shown, *in_numbers(last)], left)
    return Equation(left, shown)


def in_numbers(expression: Expression) -> list[Side]:
    """The expression in numbers, and its value."""
    return distinct([Side(expression, numbers=True), Side(Number(expression.value), numbers=True)])


def distinct(sides: Sequence[Side], left: Symbol | None = None) -> list[Side]:
    """The sides that are not written like the left one, or like a side before them."""
    written: dict[str, Side] = {}
    for side in sides:
        written.setdefault(side.write(TEXT), side)
    if left is not None:
        written.pop(left.write(TEXT).text, None)
    return list(written.values())


# --- the slopes of functions ---------------------------------------------------------------------


def in_general(rule: Rule, letters: Sequence[str]) -> list[str | Expression]:
    """What the slope of a function is, in words: σ′(x) = σ(x)(1 − σ(x)), or by its cases.

    Its operands are called by these letters; with none, they are those of the rule.
    """
    symbol, operands, result = rule.symbol, rule.operands, rule.result
    if letters:
        given = zip(letters, operands, strict=True)
        operands = [
            Symbol.named(Slope(x.value, residue("any number", place)), letter)
            for place, (letter, x) in enumerate(given)
        ]
        result = Applied(rule.called, operands)
    told = stated(rule.op, rule.position, operands, result)
    if letters:
        name, place = rule.called, rule.position
        whole = len(letters) > 1
        symbol = (
            of_two(name, place, operands, told.slope)
            if whole
            else prime(name, operands[0], told.slope)
        )
    if is_plain(told):
        short = rule.op.arity == 1 and told.size() <= MOST_STATED
        return [symbol, " = ", told] if short else []
    found = cases(told)
    if found is None:
        return []
    over, under, values = found
    parts: list[str | Expression] = [symbol, " = "]
    for place, value in enumerate(each := list(dict.fromkeys(values.values()))):
        signs = "".join([sign for sign, other in values.items() if other == value])
        between = "" if place == 0 else " and " if place == len(each) - 1 else ", "
        parts += [between, Number(value), " if ", over, f" {RELATIONS[signs]} ", under]
    return parts


RELATIONS: Final = {">": ">", "=": "=", "<": "<", ">=": "≥", "=<": "≤", "><": "≠"}


def at_the_point(rule: Rule) -> Equation | Sentence:
    """What a slope is here, and why: a′(π̇) = 0 since π̇ = −3 ≤ 0."""
    told = stated(rule.op, rule.position, rule.operands, rule.result)
    number = Number(rule.symbol.value)
    if is_plain(told):
        same = told.residue == rule.symbol.residue and told.size() <= MOST_STATED
        return Equation(
            rule.symbol, distinct([*([Side(told)] if same else []), Side(number, numbers=True)])
        )
    found = cases(told)
    if found is None:
        return Equation(rule.symbol, [Side(number, numbers=True)])
    over, under, values = found
    sign = ">" if over.value > under.value else "<" if over.value < under.value else "="
    signs = "".join([other for other, value in values.items() if value == values[sign]])
    shown = [part for x in (over, under) for part in _with_number(x)]
    middle = len(_with_number(over))
    relation = f" {RELATIONS[signs]} "
    return Sentence(
        *(rule.symbol, " = ", number, " since "), *shown[:middle], relation, *shown[middle:]
    )


def _with_number(x: Expression) -> list[str | Expression]:
    if isinstance(x, Number):
        return [x]
    number = Number(x.value)
    return [x, " = " if number.exact(True) else " ≈ ", number]


def is_comparison(part: Expression) -> TypeGuard[Applied]:
    """Whether an expression is 1 or 0 by the order of its two operands."""
    return isinstance(part, Applied) and part.op.flat and part.op.arity == 2


def cases(rule: Expression) -> tuple[Expression, Expression, dict[str, float]] | None:
    """What a rule is compared by, and its value for >, = and <; None if that is not all of it."""
    comparisons = [part for part in rule.inside() if is_comparison(part)]
    if not comparisons:
        return None
    over, under = comparisons[0].parts
    if isinstance(over, Number):
        over, under = under, over
    if any({x.key for x in one.parts} != {over.key, under.key} for one in comparisons):
        return None
    values = {}
    for sign, place in ((">", 1.0), ("=", 0.0), ("<", -1.0)):

        def decided(part: Expression, place: float = place) -> Expression | None:
            if is_comparison(part):
                return Number(part.op.value(*[place * (x.key == over.key) for x in part.parts]))
            return None

        value = rule.replaced(decided)
        if not isinstance(value, Number):
            return None
        values[sign] = value.value
    return (over, under, values) if len(set(values.values())) > 1 else None


# --- a long network of one state -----------------------------------------------------------------


class Numbers:
    """The numbers of the recursion in a network of one state, a list each with an entry per step.

    `delta` is ∂L/∂π, `direct` the parts ∂⁺ of it and of ∂L/∂q that go through no later step, `read`
    which of the two L uses so, and `slopes` a′(π), nothing where the state is π itself.  `holds`
    says whether δ is what the recursion comes to.
    """

    def __init__(self, output: Any, model: Model, run: Any, structure: Structure) -> None:
        known, past = past_the_steps(output, run)
        nodes = {key: [getattr(step, key)[0] for step in run.steps] for key in structure.vectors}
        self.values = {key: [node.data for node in own] for key, own in nodes.items()}
        self.direct = {key: [past.get(node, 0.0) for node in own] for key, own in nodes.items()}
        self.delta = [known.get(step.pi[0], 0.0) for step in run.steps]
        self.weights_alone = any(weight in past for weight in model.parameters())
        self.read = {key for key, own in nodes.items() if any(node in past for node in own)}
        active = "pi" in structure.activations()
        self.slopes = [step.q[0].partials[0] for step in run.steps] if active else []
        self.before = [run.state[0].data, *[step.q[0].data for step in run.steps[:-1]]]
        w, later, self.holds = model.weights[int(model.bias)][0].data, 0.0, True
        most = TOLERANCE * max(1e-300, *map(abs, self.delta))
        for t, step in reversed(list(enumerate(run.steps))):
            behind = 0.0 if step.k + 1 in run.cuts else w * later
            if active:
                behind = self.slopes[t] * (behind + self.direct["q"][t])
            later = behind + self.direct["pi"][t]
            self.holds = self.holds and not abs(later - self.delta[t]) > most

    def operands(self, model: Model, run: Any, place: int) -> list[float]:
        """What a weight multiplies at each step: 1, the state before, or an input."""
        if place < model.bias:
            return [1.0] * len(run.steps)
        if place == model.bias:
            return self.before
        return [step.x[place - model.bias - 1].data for step in run.steps]


def by_recursion(output: Any, parameter: Node, run: Any) -> list[Section]:
    """The derivative in a long network of one state by the recursion of δ; nothing for others."""
    model = getattr(run, "rnn", None)
    if not isinstance(model, Model) or len(run.steps) < FEW or model.states != 1:
        return []
    place = next((i for i, one in enumerate(model.parameters()) if one is parameter), None)
    if place is None or len(model._layers()) > 1 or len(model.gates) > 1:
        return []
    try:
        structure = Structure(model)
    except ArgumentValueError:  # its step is not written in vectors
        return []
    if not structure.vectors.keys() <= {"pi", "q"} or "pi" not in structure.vectors:
        return []
    found = Numbers(output, model, run, structure)
    if found.weights_alone or not found.holds:
        return []
    w, inner = [label(str(one.name)) for one in (parameter, model.weights[int(model.bias)][0])]
    recurrent = formula_of(inner)
    pi, q, delta = formula_of("π"), formula_of("q"), formula_of("δ")
    behind, columns = recurrent + DOT + _at_step(delta, 1), [(pi, found.values["pi"])]
    read = [key for key in ("q", "pi") if key in found.read]
    if "q" in read:
        behind = enclosed(behind + " + " + derivative(_at_step(q), "⁺", "^{+}"))
    if found.slopes:
        slope = Formula("a′", "a'")
        factor = slope + enclosed(_at_step(pi)) + DOT
        straight = recurrent + DOT + factor + _at_step(delta, 1)
        behind = factor + behind if "q" in read else straight
        columns.append((slope + enclosed(pi), found.slopes))
    if "pi" in read:
        behind = behind + " + " + derivative(_at_step(pi), "⁺", "^{+}")
    operands = found.operands(model, run, place)
    name = _at_step(formula_of(_operand(model, place)), -1 if place == model.bias else 0)
    term = _at_step(delta) if place < model.bias else _at_step(delta) + DOT + name
    names, terms = {"q": q, "pi": pi}, [d * x for d, x in zip(found.delta, operands, strict=True)]
    columns += [(derivative(names[key], "⁺", "^{+}"), found.direct[key]) for key in read]
    columns += [(delta, found.delta), *[(name, operands)] * (place >= model.bias)]
    columns.append((term, terms))
    words = "The products from the last step down grow by one factor per step. With "
    defined = Inline(_at_step(delta) + " = " + derivative(_at_step(pi)))
    told = Sentence(words, defined, f"{FROM_THE_LAST}:")
    total = Formula("Σₖ ", r"\sum_{k} ") + term
    lines = Lines((_at_step(delta), behind), (derivative(formula_of(w)), total))
    grid = _table([step.k for step in run.steps], columns, sum(terms))
    return [Section("By recursion", [told, lines, *truncated(run.cuts), grid])]


def _table(
    ks: Sequence[int], columns: Sequence[tuple[Formula, Sequence[float]]], total: float
) -> Grid:
    """A row for each step, the last one first, and the sum of the last column."""
    rows = [
        [str(k), *[number(numbers[t]) for _, numbers in columns]]
        for t, k in reversed(list(enumerate(ks)))
    ]
    foot = ["Σ", *[""] * (len(columns) - 1), number(total)]
    return Grid([Formula("k", "k"), *[name for name, _ in columns]], [*rows, foot], 1)


def _operand(model: Model, place: int) -> str:
    """The name of what a weight multiplies, without its step."""
    if place <= model.bias:
        return "1" if place < model.bias else model.letters[0]
    return label(components("x", model.inputs, None)[place - model.bias - 1])


def _at_step(name: Formula, later: int = 0) -> Formula:
    """The name with a step, k or a later one."""
    time = f"(k{later:+d})" if later else "(k)"
    return Formula(f"{name.text}{superscript(time)}", f"{name.latex}^{{{time}}}")
