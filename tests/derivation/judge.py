"""A judge of printed derivations: reads the text alone, and decides each = for all numbers.

Quantities are random residues modulo a prime, and functions unknown ones, whose values and slopes
are random residues that depend on nothing but their arguments.  The definitions are those that
"The problem" and "The separating set" print; ∂, ∂⁺ and d are worked out from them by dual numbers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from autograd_rnn import Derivation
from autograd_rnn.derivation.document import Equation, Row, Section, Side
from autograd_rnn.graph.notation import TEXT

P = 2**89 - 1
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:×10([⁰¹²³⁴-⁹⁻]+))?")
VALUE = re.compile(r"[=≈] −?[\d.]+(×10[⁰¹²³⁴-⁹⁻]+)?")
FUNCTION = re.compile(r"([^\W\d][\w.]*′?|√)\(")
ABOVE = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾", "0123456789-+()")
RAISED = re.compile("[⁰¹²³⁴-⁹⁻]+")


class Dual(NamedTuple):
    """A residue, and that of its derivative."""

    value: int
    slope: int = 0


class Judge:
    """The names and definitions of a derivation, and what they come to."""

    def __init__(self, worked: Derivation) -> None:
        self.worked = worked
        self.seed = random.random()
        by_title = {section.title: section for section in worked.sections}
        problem, chosen = by_title["The problem"], by_title["The separating set"]
        lines = [equation.write(TEXT) for equation in problem.equations]
        copied = [equation.write(TEXT) for equation in chosen.equations]
        # ẇ = ẅ = w = 4
        same = [(left, sides) for left, sides in copied if sides[1:]]
        self.trees: dict[str, Any] = {
            copy: ("name", sides[-2][2:])
            for left, sides in same
            for copy in (left, *[side[2:] for side in sides[:-2]])
        }
        self.names = sorted({left for left, _ in lines} | set(self.trees), key=len, reverse=True)
        for left, sides in (*lines, *copied):
            if not (sides[1:] or VALUE.fullmatch(sides[0])):
                self.trees[left] = self.parse(sides[0][2:])
        self.known: dict[Any, Dual] = {}
        self.moves: dict[Any, dict[str, int]] = {}
        # with a(π) = tanh(π)
        letter = re.search(r"with a\((.)\) = (.+?)\(\1\)", words_of(problem))
        self.called = {} if letter is None else {"a": letter[2]}
        # What conditions do not choose counts as a constant, if the text says so.
        forward = [e.write(TEXT) for e in by_title["The forward pass"].equations]
        self.off = {left for left, sides in forward if sides[-1] == "= 0"}
        self.taken_only = "counts as a constant: the formulas" in words_of(chosen)
        members = re.search(r"\{(.*)\}", words_of(chosen))
        self.members = members[1].split(", ") if members else []

    # --- reading ---------------------------------------------------------------------------------

    def parse(self, text: str) -> Any:
        """The tree of a printed formula."""
        self.text, self.at = text, 0
        tree = self.sum()
        assert self.at == len(text), (text, text[self.at :])
        return tree

    def met(self, token: str) -> bool:
        """Whether a token is next, which is then read."""
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def sum(self) -> Any:
        tree = self.quotient()
        while True:
            if self.met(" + "):
                tree = ("+", tree, self.quotient())
            elif self.met(" − "):
                tree = ("+", tree, ("·", ("number", -1), self.quotient()))
            else:
                return tree

    def quotient(self) -> Any:
        minus = self.met("−")
        tree = self.product()
        while True:
            if self.met(" / "):
                tree = ("/", tree, self.product())
            elif self.met(" mod "):
                tree = ("f", "mod", tree, self.product())
            else:
                break
        return ("·", ("number", -1), tree) if minus else tree

    def product(self) -> Any:
        tree = self.power()
        while self.met("·") or self.text[self.at : self.at + 1] == "(":
            tree = ("·", tree, self.power())
        return tree

    def power(self) -> Any:
        tree = self.atom()
        while True:
            raised = RAISED.match(self.text, self.at)
            if raised:
                self.at = raised.end()
                tree = ("^", tree, ("number", int(raised[0].translate(ABOVE))))
            elif self.met("ˣ") or self.met("ʸ"):
                tree = ("^", tree, ("name", {"ˣ": "x", "ʸ": "y"}[self.text[self.at - 1]]))
            elif self.met("^"):
                tree = ("^", tree, self.atom())
            else:
                return tree

    def atom(self) -> Any:
        for d in ("∂⁺", "∂"):
            if self.met(d):
                return self.derivative(d, "/∂")
        start = self.at
        if self.text[start] == "d" and self.met("d"):
            name = self.name()
            if name is not None and self.text.startswith("/d", self.at):
                self.at = start + 1
                return self.derivative("d", "/d")
            self.at = start
        name = self.name()
        if name is not None:
            return ("name", name)
        if self.met("("):
            tree = self.sum()
            for infix in (" when ", " unless "):
                if self.met(infix):
                    tree = ("f", infix, tree, self.sum())
            assert self.met(")"), self.text[self.at :]
            return tree
        if self.met("["):
            over = self.sum()
            relation = self.text[self.at : self.at + 3]
            self.at += 3
            under = self.sum()
            assert self.met("]")
            return ("f", relation, over, under)
        if self.met("|"):
            tree = self.sum()
            assert self.met("|")
            return ("f", "abs", tree)
        number = NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            digits = number[0].split("×")[0]
            places = len(digits.partition(".")[2])
            value = int(digits.replace(".", "")) * pow(10, -places, P)
            return ("number", value * pow(10, int((number[1] or "0").translate(ABOVE)), P) % P)
        function = FUNCTION.match(self.text, self.at)
        assert function, self.text[self.at :]
        self.at = function.end()
        operands = [self.sum()]
        while self.met(", "):
            operands.append(self.sum())
        assert self.met(")"), self.text[self.at :]
        return ("f", function[1], *operands)

    def name(self) -> str | None:
        """The longest name that is next."""
        # Neither tanh′ nor hypot is a name.
        if self.text[self.at : self.at + 1].isdecimal() or FUNCTION.match(self.text, self.at):
            return None
        for name in self.names:
            if self.text.startswith(name, self.at):
                end = self.at + len(name)
                if self.text[end : end + 1] != "′":
                    self.at = end
                    return name
        return None

    def derivative(self, d: str, between: str) -> Any:
        over = self.atom()
        assert self.met(between), self.text[self.at :]
        under = self.atom()
        return ("d", d, over, under, self.met("|S"))

    # --- working out -----------------------------------------------------------------------------

    def random(self, *key: object) -> int:
        digest = blake2b(repr((self.seed, key)).encode(), digest_size=16).digest()
        return int.from_bytes(digest, "big") % P

    def residue(self, text: str) -> int:
        """What a printed formula comes to."""
        return self.evaluate(self.parse(text), lambda name: Dual(self.of(name))).value

    def of(self, name: str) -> int:
        """What a quantity comes to."""
        if name not in self.known:
            tree = self.trees.get(name)
            if tree is None:
                self.known[name] = Dual(self.random("leaf", name))
            else:
                self.known[name] = self.evaluate(tree, lambda other: Dual(self.of(other)))
        return self.known[name].value

    def slope(self, over: Any, under: Any, d: str, holding: bool) -> int:
        """∂over/∂under along all paths, for ∂⁺ the direct ones, for |S those around S."""
        if over[0] != "name":
            # ∂max(x, y)/∂x
            head = over[: 2 if over[0] == "f" else 1]
            read = [("number", self.value(part)) for part in over[len(head) :]]
            read[over[len(head) :].index(under)] = ("name", "")
            moving = Dual(self.value(under), 1)
            return self.evaluate((*head, *read), lambda name: moving).slope
        moves = self.moves.setdefault((under, d, holding), {})

        def moved(name: str) -> Dual:
            value = self.of(name)
            if name == under[1]:
                return Dual(value, 1)
            if d == "∂⁺" or name not in self.trees or (holding and name in self.members):
                return Dual(value, 0)
            if name not in moves:
                moves[name] = self.evaluate(self.trees[name], moved).slope
            return Dual(value, moves[name])

        if over == under:
            return 1
        if holding and over[1] in self.members:
            return 0
        return self.evaluate(self.trees[over[1]], moved).slope if over[1] in self.trees else 0

    def value(self, tree: Any) -> int:
        return self.evaluate(tree, lambda name: Dual(self.of(name))).value

    def evaluate(self, tree: Any, read: Callable[[str], Dual]) -> Dual:
        kind = tree[0]
        if kind == "name":
            return read(tree[1])
        if kind == "number":
            return Dual(tree[1] % P)
        if kind == "d":
            return Dual(self.slope(tree[2], tree[3], tree[1], tree[4]))
        x, *rest = [self.evaluate(part, read) for part in tree[2 if kind == "f" else 1 :]]
        if kind == "f":
            chooses = tree[1] in (" when ", " unless ")
            if self.taken_only and chooses and (tree[1] == " when ") == (tree[3][1] in self.off):
                x = Dual(x.value)
            return self.apply(tree[1], [x, *rest])
        (y,) = rest
        if kind == "+":
            return Dual((x.value + y.value) % P, (x.slope + y.slope) % P)
        if kind == "·":
            return Dual(x.value * y.value % P, (x.slope * y.value + x.value * y.slope) % P)
        if kind == "/":
            inverse = pow(y.value, -1, P)
            value = x.value * inverse % P
            return Dual(value, (x.slope - value * y.slope) * inverse % P)
        power = y.value if y.value < P // 2 else y.value - P
        if abs(power) < 100 and y.slope == 0:
            slope = power * pow(x.value, power - 1, P) * x.slope if power else 0
            return Dual(pow(x.value, power, P), slope % P)
        value = self.random("^", x.value, y.value)
        lower = self.raised(x.value, y.value - 1)
        logarithm = self.random("log", x.value)
        return Dual(
            self.raised(x.value, y.value),
            (y.value * lower * x.slope + self.raised(x.value, y.value) * logarithm * y.slope) % P,
        )

    def raised(self, x: int, y: int) -> int:
        power = y % P if y % P < P // 2 else y % P - P
        return pow(x, power, P) if abs(power) < 100 else self.random("^", x, y % P)

    def apply(self, f: str, operands: list[Dual]) -> Dual:
        values = [operand.value for operand in operands]
        f = self.called.get(f.removesuffix("′"), f.removesuffix("′")) + "′" * f.count("′")
        if f.endswith("′"):
            return Dual(self.apply(f[:-1], [Dual(values[0], 1)]).slope)
        if f == "sg":
            return Dual(values[0])
        if f in (" when ", " unless "):
            # As much as the condition says, of the first operand.
            share = self.random(f, values[1])
            return Dual(share * values[0] % P, share * operands[0].slope % P)
        z = self.random(f, *values)
        known = SLOPES.get(f)
        if f in ("max", "min"):
            # Those of x and y add up to 1, and trade places with x and y.
            half = pow(2, -1, P)
            lead = self.random("lead", *values) - self.random("lead", *values[::-1])
            lead = lead if f == "max" else -lead
            slopes = [(1 + lead) * half, (1 - lead) * half]
        elif f == "hypot":
            slopes = [x * pow(z, -1, P) for x in values]
        elif f == "arctan2":
            y, x = values
            over = pow(self.random("hypot", y, x), -2, P)
            slopes = [x * over, -y * over]
        elif f == "mod":
            slopes = [1, self.random("slope", f, *values)]
        elif known is None:
            slopes = [self.random("slope", f, i, *values) for i in range(len(values))]
        else:
            slopes = [known(self, values[0], z)]
        return Dual(z, sum([s * x.slope for s, x in zip(slopes, operands, strict=True)]) % P)

    # --- judging ---------------------------------------------------------------------------------

    def equations(self) -> Iterator[tuple[str, list[str]]]:
        """Each equation with at least two sides in symbols: its left side and the others."""
        for section in self.worked.sections:
            for equation in section.equations:
                sides = [s.write(TEXT) for s in equation.sides if in_symbols(s)]
                if sides:
                    yield equation.left.write(TEXT).text, sides

    def wrong(self) -> list[str]:
        """The equations that do not hold for all numbers."""
        return [
            f"{left} = {side}"
            for left, sides in self.equations()
            for side in sides
            if self.residue(left) != self.residue(side)
        ]


SLOPES: dict[str, Callable[[Judge, int, int], int]] = {
    "exp": lambda judge, x, z: z,
    "log": lambda judge, x, z: pow(x, -1, P),
    "sin": lambda judge, x, z: judge.random("cos", x),
    "cos": lambda judge, x, z: -judge.random("sin", x),
    "√": lambda judge, x, z: pow(2 * z, -1, P),
    "tanh": lambda judge, x, z: 1 - z * z,
    "σ": lambda judge, x, z: z * (1 - z),
    "softplus": lambda judge, x, z: judge.random("σ", x),
    "log1p": lambda judge, x, z: pow(1 + x, -1, P),
    "expm1": lambda judge, x, z: judge.random("exp", x),
    "sinh": lambda judge, x, z: judge.random("cosh", x),
    "cosh": lambda judge, x, z: judge.random("sinh", x),
    "tan": lambda judge, x, z: 1 + z * z,
    "step": lambda judge, x, z: 0,
}


def in_symbols(side: Side) -> bool:
    return not side.numbers and side.relation(TEXT) == "="


def words_of(section: Section) -> str:
    """The sentences of a section."""
    return " ".join(
        part.write(str, lambda formula: formula.write(TEXT).text)
        for part in section.body
        if not isinstance(part, Equation | Row)
    )
