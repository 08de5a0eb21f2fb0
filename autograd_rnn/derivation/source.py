"""The backward pass of one derivative as the source of a NumPy function."""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any, Final

from ..errors import ArgumentValueError, GraphTooLarge
from ..graph.identities import ONE
from ..graph.notation import ACCENTS, Style, Text, write
from ..graph.quantities import names_of
from ..graph.walk import Node, Run, downstream
from ..networks.model import Model
from ..ops.op import ATOM, CALL, POWER, PRODUCT, SIGN, SUM, TABLE, Op
from ..ops.tracer import Tracer
from .definitions import Definitions, stated, traced
from .expressions import (
    Applied,
    Expression,
    Number,
    Product,
    Sum,
    Symbol,
    as_expression,
    product,
    total,
)
from .matrices import MatrixRule
from .naming import one_system

INDENT: Final = "    "
CLOSE: Final = 1e-13
PYTHON: Final = Style("python", " * ", "-")
FUNCTION: Final = re.compile(r"([A-Za-z_]\w*)\(")
PLACES: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾₀₁₂₃₄₅₆₇₈₉", "0123456789_ 0123456789")


def as_source(output: Any, parameter: Node, run: Any, name: str) -> tuple[str, dict[str, Any]]:
    """Source of a function of that name, and the arguments that give this derivative.

    Of a network's weight it is an entry of ∂L/∂W, by matrices, for any number of steps; of other
    graphs it has a line for each quantity on the way forward, and for each δ on the way back.
    """
    model = getattr(run, "rnn", None)
    if isinstance(model, Model):
        for place, weight in enumerate(model.parameters()):
            if weight is parameter:
                try:
                    rule = MatrixRule(output, model, run)
                except (ArgumentValueError, GraphTooLarge):  # not in vectors, or not on a page
                    break
                return _of_entry(rule, place, name), rule.arguments()
    with names_of(run), one_system(output, parameter, 0, run):
        lines = _Straight(output, parameter, run)
        return lines.source(name), lines.arguments


def _of_entry(rule: MatrixRule, place: int, name: str) -> str:
    """The function of the whole gradient, and one that takes an entry of its result."""
    inner = "gradient" if name != "gradient" else "of_all_weights"
    results = ""
    for number, layer in enumerate(rule.layers):
        size = layer.gradient.size + layer.extra.size
        if place < size:
            several, extra = len(rule.layers) > 1, place - layer.gradient.size
            results = f"[{number}]" * several
            row, column = divmod(place, layer.gradient.shape[1])
            if several and layer.extra.size:
                results += f"[{place}]"  # flat
            elif layer.extra.size:
                results += f"[1][{extra}]" if extra >= 0 else f"[0][{row}, {column}]"
            else:
                results += f"[{row}, {column}]"
            break
        place -= size
    return (
        f"{rule.source(inner)}\n\ndef {name}(**arguments):\n"
        f'{INDENT}"""One entry of what `{inner}` gives, with the same arguments."""\n'
        f"{INDENT}return float({inner}(**arguments){results})\n"
    )


class _Straight:
    """The lines of a function that goes forward and back, without a loop."""

    def __init__(self, output: Node, parameter: Node, run: Run | None) -> None:
        self.output, self.parameter = output, parameter
        self.definitions = Definitions(output, {}, {output, parameter}, run)
        self.called: set[str] = set()
        self.used: set[str] = set()
        self.names: dict[str, str] = {}
        for node in self.definitions.order:
            if node in self.definitions.symbols:
                key = self.definitions.symbols[node].key
                self.names[key] = self._free(key)
        place = {node: index for index, node in enumerate(self.definitions.given)}
        leaves = [
            n for n in self.definitions.order if not n.parents and n in self.definitions.symbols
        ]
        leaves.sort(key=lambda leaf: place.get(leaf, len(place)))
        self.arguments: dict[str, Any] = {self._name(leaf): leaf.data for leaf in leaves}

    def _free(self, written: str) -> str:
        """The identifier of a name: π_2 for π̈ and for π⁽²⁾, w1 for w₁."""
        marks = {accent: f"_{place}" for place, accent in enumerate(ACCENTS, 1)}
        decomposed = unicodedata.normalize("NFD", written)
        found = re.match(rf"(.*?)([{''.join(ACCENTS)}])(.*)", decomposed, re.DOTALL)
        if found is not None:
            decomposed = f"{found[1]}{found[3]}{marks[found[2]]}"
        plain = unicodedata.normalize("NFC", decomposed).translate(PLACES).strip()
        name = re.sub(r"\W", "_", plain) or "_"
        name = unicodedata.normalize("NFKC", name if not name[0].isdecimal() else f"_{name}")
        if iskeyword(name) or name == "np" or name in TABLE:
            name += "_"
        return self._unused(name)

    def _unused(self, name: str) -> str:
        """The name, with a line behind it if a quantity is called so."""
        while name in self.names or name in self.names.values():
            name += "_"
        return name

    def _name(self, node: Node) -> str:
        return self.names[self.definitions.symbols[node].key]

    def source(self, name: str) -> str:
        """The whole function."""
        definitions = self.definitions
        forward = {
            self._name(node): self._code(written.plain()).text
            for node, written in definitions.defined.items()
        }
        self.used.clear()
        behind = downstream(definitions.order, [self.parameter])
        terms: dict[Node, list[Expression]] = {}
        back = []
        for node in reversed(definitions.defined):
            if node not in behind or (node is not self.output and node not in terms):
                continue
            delta: Expression = Number(1.0)
            if node is not self.output:
                line = self._code(total(terms[node])).text
                delta = Symbol(ONE, Text(self._unused(f"δ_{self._name(node)}")), Text(""))
                self.names[delta.key] = delta.key
                back.append(f"{delta.key} = {line}")
            for target, slope in definitions.slopes(node).items():
                if not isinstance(target, tuple):
                    terms.setdefault(target, []).append(product([slope.plain(), delta]))
        last = self._name(self.output)
        result = self._code(total(terms.get(self.parameter, []))).text
        over, under = [definitions.symbols[node].key for node in (self.output, self.parameter)]
        words = [
            f'"""∂{over}/∂{under}; δ_x is that by x, and x_2 is x at step 2.',
            'Arguments are numbers, or arrays of one shape, taken entry by entry."""',
        ]
        ahead = [
            f"{one} = {line}" for one, line in forward.items() if one != last or last in self.used
        ]
        body = [*words, *ahead, *back, f"return {result}"]
        used = self.called
        imports = [f"from autograd_rnn.ops.numpy import {', '.join(sorted(used))}", "", ""]
        head = f"def {name}({', '.join(self.arguments)}):"
        return "\n".join([*(imports if used else []), head, *[INDENT + one for one in body]]) + "\n"

    # --- expressions ------------------------------------------------------------------------------

    def _code(self, x: Expression) -> Text:
        """An expression in Python."""
        if isinstance(x, Symbol):
            return self._symbol(x)
        if isinstance(x, Number):
            return Text(repr(x.value), SIGN if x.value < 0 else ATOM)
        if isinstance(x, Product):
            return self._product(x)
        if isinstance(x, Sum):
            text, *others = [self._code(part).text for part in x.parts]
            for term in others:
                text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
            return Text(text, SUM)
        assert isinstance(x, Applied)
        operands = [self._code(part) for part in x.parts]
        if x.op.operator is operator.truediv:
            return _row(operands[:1], operands[1:])
        if x.op.operator is operator.pow:
            base, power = [PYTHON.fit(part, CALL) for part in operands]
            return Text(f"{base} ** {power}", POWER)
        self.called |= set(FUNCTION.findall(x.op.python))
        return write(x.op, *operands, style=PYTHON)

    def _symbol(self, x: Symbol) -> Text:
        if x.key in self.names:
            self.used.add(self.names[x.key])
            return Text(self.names[x.key])
        rule = self.definitions.rules[x.key]
        given = rule.op, rule.position, rule.operands, rule.result
        for way in (stated, traced):
            written = way(*given)
            if math.isclose(written.value, rule.symbol.value, rel_tol=CLOSE, abs_tol=0.0):
                return self._code(written)
        # At a point where it is not what it comes to elsewhere: as it stands.
        short = rule.op.stated.get(rule.position, rule.op.partials[rule.position])
        operands = [Verbatim(operand) for operand in (*rule.operands, rule.result)]
        return self._code(as_expression(Verbatim.of(short(*operands))))

    def _product(self, x: Product) -> Text:
        over, under = x.halves()
        halves: list[list[Text]] = [[], []]
        for factor, power in x.factors:
            written = self._code(factor)
            if abs(power) != 1:
                written = Text(f"{PYTHON.fit(written, CALL)} ** {abs(power)}", POWER)
            halves[power < 0].append(written)
        if abs(over) != 1 or not halves[0]:
            halves[0].insert(0, Text(repr(float(abs(over)))))
        if under != 1:
            halves[1].insert(0, Text(repr(float(under))))
        quotient = _row(*halves)
        return Text(f"-{quotient.text}", SIGN) if over < 0 else quotient


class Verbatim(Tracer):
    """An expression as the rules of the table have it, with nothing simplified."""

    __slots__ = ("written",)

    def __init__(self, written: Expression) -> None:
        self.written = written

    @staticmethod
    def of(thing: Any) -> Any:
        """The expression, or the number."""
        return thing.written if isinstance(thing, Verbatim) else thing

    @staticmethod
    def _apply_op(op: Op, operands: tuple[Any, ...]) -> Verbatim:
        return Verbatim(Applied(op, [as_expression(Verbatim.of(one)) for one in operands]))


def _row(above: Sequence[Text], below: Sequence[Text]) -> Text:
    """A product, or a quotient of two."""
    over, under = [" * ".join([PYTHON.fit(x, POWER) for x in part]) for part in (above, below)]
    if not below:
        return above[0] if not above[1:] else Text(over, PRODUCT)
    return Text(f"{over} / {f'({under})' if below[1:] else under}", PRODUCT)
