"""Quantities, formulas and the sweep backward as lines of Python."""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from keyword import iskeyword
from typing import Any, ClassVar, Final

from ...graph.identities import ONE
from ...graph.notation import ACCENTS, Style, Text, write
from ...graph.walk import Node
from ...ops.op import ATOM, CALL, POWER, PRODUCT, SIGN, SUM, TABLE, Op
from ...ops.tracer import Tracer
from ..definitions import Definitions, stated, traced
from ..expressions import (
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

INDENT: Final = "    "
CLOSE: Final = 1e-13
PYTHON: Final = Style("python", " * ", "-")
FUNCTION: Final = re.compile(r"([A-Za-z_]\w*)\(")
ASSIGNMENT: Final = re.compile(r"( +)(\w+) = (?!.* = |\[\]$)(.*)")
WIDEST: Final = (100, 140, 200, 300)  # characters of a line with several assignments, at most
PLACES: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾₀₁₂₃₄₅₆₇₈₉", "0123456789_ 0123456789")


def length(source: str) -> int:
    """The number of lines of the one function of a source."""
    return len(source.partition("def ")[2].splitlines())


def packed(source: str, most: int) -> str:
    """The source, with assignments side by side where its function has more than so many lines.

    Those of a line do not need each other, and the lines are no longer than they must be.  Where
    that does not make the function short enough, each keeps its own line.
    """
    if length(source) <= most:
        return source
    shorter = (_packed(source, wide) for wide in WIDEST)
    return next((short for short in shorter if length(short) <= most), source)


def _packed(source: str, wide: int) -> str:
    """The source, with assignments side by side in lines of so many characters."""
    head, opening, body = source.partition("def ")
    lines: list[str] = []
    block: list[tuple[str, str]] = []
    indent = ""
    for line in [*body.splitlines(), ""]:
        found = ASSIGNMENT.fullmatch(line)
        # A name that was read or assigned before is assigned anew where the block begins anew.
        if found is None or found[1] != indent or _is_known(found[2], block):
            lines += _side_by_side(block, indent, wide)
            block = []
        if found is None:
            lines.append(line)
        else:
            indent = found[1]
            block.append((found[2], found[3]))
    return head + opening + "\n".join(lines)


def _is_known(name: str, block: Sequence[tuple[str, str]]) -> bool:
    return any(name == other or name in names_in(value) for other, value in block)


def _side_by_side(assignments: Sequence[tuple[str, str]], indent: str, wide: int) -> Iterator[str]:
    """Assignments, as many to a line as do not need each other."""
    values = dict(assignments)
    # What needs itself needs what it was before, as a sum over the steps does.
    needs = {name: names_in(value) & values.keys() - {name} for name, value in assignments}
    done: set[str] = set()
    while values:
        line: list[str] = []
        for name in values:
            longer = [*line, name]
            text = ", ".join(longer) + " = " + ", ".join([values[one] for one in longer])
            if needs[name] <= done and (not line or len(indent + text) <= wide):
                line = longer
        yield indent + ", ".join(line) + " = " + ", ".join([values.pop(one) for one in line])
        done.update(line)


def names_in(code: str) -> set[str]:
    """The words of a line of Python."""
    return set(re.findall(r"\w+", code))


class Lines:
    """The definitions of a graph in Python, and the δ of its quantities.

    `called` are the functions of the table that the lines call, and `used` the names that they use.
    With `exact`, slopes are written as the table has them, not as people state them.
    No quantity has a name in `reserved`.
    """

    reserved: ClassVar[frozenset[str]] = frozenset(["float", "np"])

    def __init__(self, definitions: Definitions, *, exact: bool = False) -> None:
        self.definitions = definitions
        self.ways = (traced,) if exact else (stated, traced)
        self.called: set[str] = set()
        self.used: set[str] = set()
        self.names: dict[str, str] = {}
        for node in definitions.order:
            if node in definitions.symbols:
                key = definitions.symbols[node].key
                self.names[key] = self._free(key)

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
        if iskeyword(name) or name in self.reserved or name in TABLE:
            name += "_"
        return self.unused(name)

    def unused(self, name: str) -> str:
        """The name, with a line behind it if a quantity is called so."""
        while name in self.names or name in self.names.values():
            name += "_"
        return name

    def name(self, node: Node) -> str:
        """The name of a quantity."""
        return self.names[self.definitions.symbols[node].key]

    def own(self, name: str) -> str:
        """The name for a variable of the function's own, with a line behind it if it is taken."""
        name = self.unused(name)
        self.names[name] = name
        return name

    def symbol(self, name: str) -> Symbol:
        """What stands in formulas for a variable of the function's own."""
        self.names[name] = name
        return Symbol(ONE, Text(name), Text(""))

    def forward(self) -> dict[str, str]:
        """The right side of each definition, by its name."""
        return {
            self.name(node): self.code(written.plain())
            for node, written in self.definitions.defined.items()
        }

    def backward(
        self, terms: dict[Node, list[Expression]], behind: Collection[Node]
    ) -> Iterator[str]:
        """A line for the δ of each quantity that is behind what is asked for, the last one first.

        `terms` begins with those of the quantities where the sweep starts, and gets those of all
        that it reaches.  What is only a name or a number has no line.
        """
        for node in reversed(self.definitions.defined):
            if node not in behind or node not in terms:
                continue
            delta = total(terms[node])
            if not isinstance(delta, Number | Symbol):
                line = self.code(delta)
                delta = self.symbol(self.own(f"δ_{self.name(node)}"))
                yield f"{delta.key} = {line}"
            for target, slope in self.definitions.slopes(node).items():
                if not isinstance(target, tuple):
                    terms.setdefault(target, []).append(product([slope.plain(), delta]))

    def imports(self) -> list[str]:
        """The line that imports what the others call, and two empty ones."""
        names = ", ".join(sorted(self.called))
        return [f"from autograd_rnn.ops.numpy import {names}", "", ""] if names else []

    def code(self, x: Expression) -> str:
        """An expression in Python."""
        return self._code(x).text

    def _code(self, x: Expression) -> Text:
        if isinstance(x, Symbol):
            return self._symbol(x)
        if isinstance(x, Number):
            if not math.isfinite(x.value):
                return Text(f"float('{x.value}')")
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
        for way in self.ways:
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
        return Text(f"-{PYTHON.fit(quotient, PRODUCT)}", SIGN) if over < 0 else quotient


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
