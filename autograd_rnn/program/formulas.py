"""A step of a model and its backward pass, written as formulas of vectors and as NumPy source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add, mul
from typing import Any, Final, NamedTuple

from ..graph.notation import (
    LATEX,
    SUBSCRIPTS,
    TEXT,
    Style,
    Text,
    accent,
    latex_name,
    superscript,
    write,
)
from ..graph.notation import write_number as in_digits
from ..ops import table as ops
from ..ops.op import ATOM, PRODUCT, SUM, Op
from ..ops.tracer import Number
from .structure import INPUT, OFFSET, STATE, Block, Result, Slope, Structure, Symbol, Term

LONGEST_SLOPE: Final = 24
ANY: Final = "*"  # stands for each of some gates
PI: Final = ("π", r"\pi")
#: Where the slope of an op with comparisons in it is tried, below 0, at 0 and above.
SIDES: Final = (("<", (-0.5, -1.0, -3.0)), ("=", (0.0,)), (">", (0.5, 1.0, 3.0)))
SIGNS: Final = {"<=": ("≤", r"\le"), "=>": ("≥", r"\ge")}


class Formula(NamedTuple):
    """Something written as text and in LaTeX."""

    text: str
    latex: str

    def __add__(self, other: object) -> Formula:
        """The two, one after the other; a str is the same in both."""
        more = other if isinstance(other, Formula) else Formula(str(other), str(other))
        return Formula(self.text + more.text, self.latex + more.latex)


def for_any(gates: Sequence[str]) -> Formula:
    """What follows a formula of any of these gates."""
    listed = ", ".join(gates)
    return Formula(f"  for {ANY} = {listed}", rf"\quad ({ANY} = {listed})")


class Writer:
    """The formulas of one layer; `layer` is its number where the network has several.

    At time k a vector is H⁽ᵏ⁾, one step later, with `later=1`, H⁽ᵏ⁺¹⁾.
    """

    def __init__(self, structure: Structure, layer: int | None = None) -> None:
        self.structure, self.layer = structure, layer
        self.model = structure.model
        self.capitals = {*structure.states, structure.output}.difference(
            [key for key in structure.keys.values() if key.startswith("pi")]
        )
        self.several = len(self.model.gates) > 1
        activations = structure.activations()
        known = [slope.of for key, slope in activations.items() if key == "pi"]
        #: The activation of the states, which is called a.
        self.a: Op | None = known[0].op if known and not self.several else None
        self.inside = structure.inside

    # --- names ------------------------------------------------------------------------------------

    def named(self, key: str, later: int | None = 0) -> Formula:
        """A vector at time k + later, or without a time."""
        base, _, below = key.partition("_")
        text, latex = (
            PI if base == "pi" else (base.upper(),) * 2 if key in self.capitals else (base,) * 2
        )
        return self._dressed(text, latex, below, later)

    def _dressed(self, text: str, latex: str, below: str, later: int | None) -> Formula:
        layer = "" if self.layer is None else str(superscript(str(self.layer)))
        time = "" if later is None else f"(k{later:+d})" if later else "(k)"
        text = f"{text}{layer}" + (f"_{below}" if below else "")
        text += str(superscript(time)) if time else ""
        above = ("" if self.layer is None else str(self.layer)) + time
        latex += (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
        return Formula(text, latex)

    def entry(self, key: str, j: int, k: int) -> Formula:
        """An entry of a vector at a step, H₂⁽³⁾."""
        name = self.named(key, None)
        below = f"{j}" if self.model.outputs > 1 else ""
        comma = "," if "_" in key and below else ""
        text = f"{name.text}{comma}{below.translate(SUBSCRIPTS)}{superscript(f'({k})')}"
        base, _, under = key.partition("_")
        letter = key.upper() if key in self.capitals else base
        latex = PI[1] if base == "pi" else letter
        parts = ",".join([part for part in (under, below) if part])
        layer = "" if self.layer is None else str(self.layer)
        return Formula(text, latex + (f"_{{{parts}}}" if parts else "") + f"^{{{layer}({k})}}")

    def x(self, later: int | None = 0) -> Formula:
        """The inputs."""
        return self._dressed("X", "X", "", later)

    def before(self, letter: str, later: int | None = 0) -> Formula:
        """A state of the step before."""
        key = self.structure.states[list(self.model.letters).index(letter)]
        if key.startswith("pi"):
            return self._dressed("Q", "Q", "", None if later is None else later - 1)
        return self.named(key, None if later is None else later - 1)

    def delta(self, key: str, later: int | None = 0) -> Formula:
        """δ of a vector, ∂L/∂vector; that of the sums of gate i is δ_i."""
        base, _, below = key.partition("_")
        own = key.upper() if key in self.capitals else base
        return self._dressed("δ", r"\delta", below if base == "pi" else own + below, later)

    def block(self, block: Block, later: int | None = None) -> Formula:
        """A block of the weights: W_Q, W_X and b, or of gate i U_i, W_i and b_i."""
        gate = block.gate
        if gate is None:
            return self._dressed("u", "u", "", later)
        if self.several:
            letter = {OFFSET: "b", STATE: "U", INPUT: "W"}[block.rows]
            return self._dressed(letter, letter, gate, later)
        if block.rows == OFFSET:
            return self._dressed("b", "b", "", later)
        below = "X" if block.rows == INPUT else self.state_letter()
        return self._dressed("W", "W", below, later)

    def weights(self, gate: str, later: int | None = None) -> Formula:
        """All weights of a gate: W, or [b_i; U_i; W_i]."""
        if not self.several:
            return self._dressed("W", "W", "", later)
        kinds = dict.fromkeys([block.rows for block in self.structure.blocks if block.gate])
        return self._stacked([self.block(Block(gate, rows), later) for rows in kinds])

    def weights_alone(self, later: int | None = None) -> Formula:
        """All weights, those of all gates."""
        return self._dressed("W", "W", "", later)

    def extra(self, later: int | None = None) -> Formula:
        """The parameters besides the weights."""
        return self._dressed("u", "u", "", later)

    def copy(self, k: int, letter: str = "W") -> Formula:
        """The copy of the weights in step k, or of the parameters besides them."""
        copy = accent(letter, k)
        if self.layer is None:
            return Formula(copy, latex_name(copy))
        above = f"{superscript(str(self.layer))}{superscript(f'({k})')}"
        return Formula(f"{letter}{above}", f"{letter}^{{{self.layer}({k})}}")

    def target(self, target: str | Symbol) -> Formula:
        """What a block multiplies: a vector, a state of the step before or the inputs."""
        if isinstance(target, str):
            return self.named(target)
        return self.x() if target.letter == "x" else self.before(target.letter)

    def state_letter(self) -> str:
        """The letter of the state that W multiplies."""
        key = self.structure.states[0]
        return "Q" if key.startswith("pi") else key.upper()

    def column(self, later: int | None = 0) -> Formula:
        """[1; H⁽ᵏ⁻¹⁾; X⁽ᵏ⁾], what the weights multiply."""
        parts = [Formula("1", "1")] * self.model.bias
        parts += [self.before(letter, later) for letter in self.model.letters[:1]]
        parts += [self.x(later)] * (self.model.inputs > 0)
        return self._stacked(parts)

    @staticmethod
    def _stacked(parts: Sequence[Formula]) -> Formula:
        text, latex = "; ".join([p.text for p in parts]), r" \\ ".join([p.latex for p in parts])
        return Formula(f"[{text}]", rf"\begin{{bmatrix}}{latex}\end{{bmatrix}}")

    # --- formulas ---------------------------------------------------------------------------------

    def definition(self, key: str) -> tuple[Formula, Formula]:
        """The equation of a vector, its two sides."""
        text, latex = [self._written(self.structure.vectors[key], s, True) for s in (TEXT, LATEX)]
        return self.named(key), Formula(text.text, latex.text)

    def definitions(self) -> list[tuple[Formula, Formula]]:
        """The equations of all vectors; one for the sums of all gates that are written alike."""
        pairs = [(key, *self.definition(key)) for key in self.structure.vectors]
        alike: dict[str, list[str]] = {}
        for key, _, right in pairs:
            gate = key.removeprefix("pi_")
            alike.setdefault(right.text.replace(f"_{gate}", f"_{ANY}"), []).append(key)
        found = []
        for key, left, right in pairs:
            gate = key.removeprefix("pi_")
            keys = alike[right.text.replace(f"_{gate}", f"_{ANY}")]
            if gate == key or len(keys) == 1:
                found.append((left, right))
            elif key == keys[0]:
                text = right.text.replace(f"_{gate}", f"_{ANY}")
                latex = right.latex.replace(f"_{{{gate}}}", f"_{{{ANY}}}")
                note = for_any([one.removeprefix("pi_") for one in keys])
                found.append((self.named(f"pi_{ANY}"), Formula(text, latex) + note))
        return found

    def _written(self, node: Any, style: Style, top: bool = False, later: int = 0) -> Text:
        pick = 0 if style is TEXT else 1
        if isinstance(node, float | int):
            return in_digits(float(node), style)
        if isinstance(node, Block):
            return Text(self.block(node)[pick])
        if isinstance(node, Symbol):
            name = self.x(later) if node.letter == "x" else self.before(node.letter, later)
            return Text(name[pick])
        if not top and node in self.structure.keys:
            return Text(self.named(self.structure.keys[node], later)[pick])
        if node.dense:
            block, z = node.operands
            transposed = "ᵀ " if style is TEXT else r"^{\top} "
            matrix = self.block(block)[pick]
            if style is LATEX and "^" in matrix:
                matrix = f"{{{matrix}}}"
            operand = style.fit(self._written(z, style, later=later), ATOM)
            return Text(f"{matrix}{transposed}{operand}", PRODUCT)
        if node.op.operator is add:
            return Text(self._sum(node, style, later), SUM)
        operands = [self._written(operand, style, later=later) for operand in node.operands]
        if node.op.operator is mul:
            return Text(self._times([style.fit(one, PRODUCT) for one in operands], style), PRODUCT)
        return write(self.called(node.op, node), *operands, style=style)

    def _sum(self, node: Any, style: Style, later: int) -> str:
        """A sum, in which Wᵀ [1; H; X] is one term."""
        addends = [node]
        while (
            isinstance(addends[0], Result)
            and addends[0].op.operator is add
            and (addends[0] is node or addends[0] not in self.structure.keys)
        ):
            addends[:1] = addends[0].operands
        whole = self._whole(addends)
        written = []
        if whole is not None:
            gate, count = whole
            pick = 0 if style is TEXT else 1
            transposed = "ᵀ " if style is TEXT else r"^{\top} "
            name = self.weights(gate)[pick]
            name = f"{{{name}}}" if style is LATEX and "^" in name else name
            written.append(f"{name}{transposed}{self.column(later)[pick]}")
            addends = addends[count:]
        written += [style.fit(self._written(one, style, later=later), SUM) for one in addends]
        return _added(written, style)

    def _whole(self, addends: Sequence[Any]) -> tuple[str, int] | None:
        """The gate whose whole weights times [1; H; X] the first addends are, and their number."""
        first = addends[0].operands[0] if isinstance(addends[0], Result) else addends[0]
        gate = getattr(first, "gate", None)
        if gate is None or self.several:
            return None
        state = list(self.structure.state.values())[:1]
        wanted = [block for block in self.structure.blocks if block.gate == gate]
        for block, addend in zip(wanted, addends, strict=False):
            given = {STATE: state, INPUT: [self.structure.x], OFFSET: []}[block.rows]
            if (
                (addend is not block)
                if not given
                else (not isinstance(addend, Result) or list(addend.operands) != [block, *given])
            ):
                return None
        return (gate, len(wanted)) if len(addends) >= len(wanted) else None

    def called(self, op: Op, node: Any = None) -> Op:
        """The op, under the name a where it makes the states from π."""
        if op is not self.a or (node is not None and self.structure.keys.get(node) is None):
            return op
        return Op("a", op.value, op.partials, latex=r"a\left({}\right)", python=op.python)

    def _times(self, factors: Sequence[str], style: Style) -> str:
        return (" ∘ " if style is TEXT else r" \circ ").join(factors)

    def _factor(self, factor: Any, style: Style, later: int) -> Text:
        if not isinstance(factor, Slope):
            return self._written(factor, style, later=later)
        op, operand = factor.of.op, factor.of.operands[0]
        if op.arity == 1:
            name = primed(self.called(op, factor.of))[0 if style is TEXT else 1]
            return Text(name + style.enclose(self._written(operand, style, later=later).text))
        rule = op.partials[factor.position](*factor.of.operands, factor.of)
        return self._written(rule, style, later=later)

    def backward(self, key: str, above: Iterable[Formula] = (), direct: bool = False) -> Formula:
        """What δ of a vector is: the terms of the later step, of its own, from above and from L."""
        text, latex = [self._delta(key, style, later=0) for style in (TEXT, LATEX)]
        pairs = [Formula(*pair) for pair in zip(text, latex, strict=True)]
        pairs += list(above)
        if direct:
            pairs.append(self.direct(key))
        if not pairs:
            return Formula("0", "0")
        return Formula(
            _added([p.text for p in pairs], TEXT), _added([p.latex for p in pairs], LATEX)
        )

    def direct(self, key: str, later: int | None = 0) -> Formula:
        """∂⁺L/∂vector: the part that does not go through the network."""
        name = self.named(key, later)
        return Formula(f"∂⁺L/∂{name.text}", rf"\frac{{\partial^{{+}} L}}{{\partial {name.latex}}}")

    def _delta(self, key: str, style: Style, later: int) -> list[str]:
        """The terms of δ of a vector."""
        return [
            self._term(term, style, later + isinstance(term.target, Symbol))
            for term in self._terms_of(key)
        ]

    def _terms_of(self, key: str) -> list[Term]:
        """The terms of δ of a vector: those of the step after, and then those of its own."""
        pairs = zip(self.model.letters, self.structure.states, strict=True)
        letters = [letter for letter, state in pairs if state == key]
        terms = self.structure.terms
        after = [t for t in terms if isinstance(t.target, Symbol) and t.target.letter in letters]
        return [*after, *[term for term in terms if term.target == key]]

    def into_x(self) -> list[Formula]:
        """The terms of ∂L/∂x, which the layer below takes."""
        terms = [term for term in self.structure.terms if term.target is self.structure.x]
        return [Formula(*[self._term(term, style, 0) for style in (TEXT, LATEX)]) for term in terms]

    def weighted(self, term: Term) -> Formula:
        """The factors of a term times its δ, without its block."""
        alone = term._replace(block=None)
        return Formula(*[self._term(alone, style, 0) for style in (TEXT, LATEX)])

    def _term(self, term: Term, style: Style, later: int) -> str:
        factors = [
            style.fit(self._factor(factor, style, later), PRODUCT) for factor in term.factors
        ]
        factors = [style.enclose(f) if f.startswith(style.minus) else f for f in factors]
        inner, whole = self._source(term.source, style, later)
        factors.append(inner[0] if whole or not factors else style.enclose(_added(inner, style)))
        written = self._times(factors, style)
        if term.block is not None and term.target is not None:
            many = len(factors) > 1
            name = self.block(term.block)[0 if style is TEXT else 1]
            written = f"{name} {style.enclose(written) if many else written}"
        sign = style.minus if term.coefficient < 0 else ""
        size = abs(term.coefficient)
        return f"{sign}{'' if size == 1.0 else in_digits(size, style).text + style.dot}{written}"

    def _source(self, key: str, style: Style, later: int) -> tuple[list[str], bool]:
        """δ of a vector as a factor, and whether it needs no parentheses beside others.

        It is the symbol, or its terms where they are written inside.
        """
        pick = 0 if style is TEXT else 1
        if key not in self.inside:
            return [self.delta(key, later)[pick]], True
        terms = self._delta(key, style, later)
        by_block = any(term.block for term in self._terms_of(key))
        if key in self.read:
            terms.append(self.direct(key, later)[pick])
        if key == self.structure.passed_up:
            terms += [formula[pick] for formula in self.above]
        return terms or ["0"], len(terms) == 1 and not by_block

    #: The vectors that the loss reads, and what comes from the layer above: set by who writes them.
    read: frozenset[str] = frozenset()
    above: tuple[Formula, ...] = ()

    def shown(self) -> list[str]:
        """The vectors whose δ has a line of its own, the last one first."""
        return [key for key in reversed(self.structure.vectors) if key not in self.inside]


def _added(terms: Sequence[str], style: Style) -> str:
    text = terms[0]
    for term in terms[1:]:
        signed = term.startswith(style.minus)
        text += f" {style.minus} {term[len(style.minus) :]}" if signed else f" + {term}"
    return text


def primed(op: Op) -> Formula:
    """f′ for an op f of one operand."""
    text = op.text.removesuffix("({})") if op.text.endswith("({})") else op.name
    latex = rf"\operatorname{{{op.name}}}".replace("_", r"\_")
    if op.latex.endswith(r"\left({}\right)"):
        latex = op.latex.removesuffix(r"\left({}\right)").format()
    return Formula(f"{text}′", f"{latex}'")


def slope_in_words(op: Op, writer: Writer) -> Formula | None:
    """What f′(π) is, as 1 − f(π)²; by cases where the rule compares; None where that is long."""
    pi = Symbol("π")
    name = writer.called(op)
    given = Result(op, (pi,))

    def told(node: Any, style: Style) -> Text:
        if node is pi:
            return Text("π" if style is TEXT else r"\pi")
        if isinstance(node, float | int):
            return in_digits(float(node), style)
        operands = [told(one, style) for one in node.operands]
        if node.op.operator is mul and node.operands[0] is node.operands[1]:
            return write(ops.pow, operands[0], Text("2"), style=style)
        return write(name if node is given else node.op, *operands, style=style)

    cases = _cases(op)
    if cases is not None:
        texts, latexes = [], []
        for signs, value in cases:
            text, latex = [in_digits(value, style).text for style in (TEXT, LATEX)]
            sign, command = SIGNS.get(signs, (signs, signs))
            texts.append(text if len(cases) == 1 else f"{text} if π {sign} 0")
            latexes.append(latex if len(cases) == 1 else rf"{latex}\text{{ if }}\pi {command} 0")
        return Formula(", ".join(texts), r", \quad ".join(latexes))
    known = op.arrays_slope
    rule: Any = op.partials[0](pi, given) if known is None else known(given)[0]
    if _compares(rule):
        return None
    text, latex = [told(rule, style).text for style in (TEXT, LATEX)]
    return Formula(text, latex) if len(text) <= LONGEST_SLOPE else None


def _cases(op: Op) -> list[tuple[str, float]] | None:
    """The slope below 0, at 0 and above, where it is a number on each side."""
    cases: list[tuple[str, float]] = []
    for sign, points in SIDES:
        rules = [op.partials[0](Number(p), Number(op.value(p))) for p in points]
        found = {float(x.data if isinstance(x, Number) else x) for x in rules}
        if len(found) != 1:
            return None
        value = found.pop()
        if cases and cases[-1][1] == value:
            cases[-1] = cases[-1][0] + sign, value
        else:
            cases.append((sign, value))
    return cases


def _compares(node: Any) -> bool:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Result):
            if one.op.flat or one.op.chooses:
                return True
            waiting += one.operands
    return False
