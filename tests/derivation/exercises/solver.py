"""A solver of exercises in plain Python, which knows nothing of the package.

It reads the facts of a question, runs the network forward with a tangent for each copy (dual
numbers, in fractions), and never goes back: no rule of it is one of the package's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import chain, combinations
from typing import Any

Number = Any


class Run:
    """π, q and L of a network, and how they move when one use of a weight or one sum does."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        exact = facts["activation"] != "tanh"
        number = Fraction if exact else float
        self.rows = [[number(w) for w in row] for row in facts["rows"]]
        self.x = [number(x) for x in facts["inputs"]]
        self.start = [number(q) for q in facts["start"]]
        self.y = {k: number(y) for k, y in facts["targets"].items()}
        self.bias, self.cuts = int(facts["bias"]), set(facts["cuts"])
        self.activation, self.size = facts["activation"], len(facts["rows"][0])
        self.one = number(1)

    def a(self, pi: Number) -> tuple[Number, Number]:
        """a(π) and its slope."""
        if self.activation == "tanh":
            return math.tanh(pi), 1 - math.tanh(pi) ** 2
        if self.activation == "relu":
            return (pi, self.one) if pi > 0 else (0 * pi, 0 * pi)
        return pi, self.one

    def forward(
        self, moved: tuple[int, int, int] | None = None, pushed: tuple[int, int] | None = None
    ) -> tuple[dict[str, Number], Number]:
        """All numbers by name, and dL for a copy (step, row, column) or a sum (step, column)."""
        q, dq = list(self.start), [0 * self.one] * self.size
        numbers, slope, loss = {}, 0 * self.one, 0 * self.one
        for k, x in enumerate(self.x, 1):
            if k in self.cuts:
                dq = [0 * self.one] * self.size
            sources = [self.one] * self.bias + q + [x]
            moves = [0 * self.one] * self.bias + dq + [0 * self.one]
            pi, dpi = [], []
            for j in range(self.size):
                total = sum([row[j] * s for row, s in zip(self.rows, sources, strict=True)])
                move = sum([row[j] * m for row, m in zip(self.rows, moves, strict=True)])
                if moved is not None and moved[0] == k and moved[2] == j:
                    move += sources[moved[1]]
                if pushed == (k, j):
                    move += self.one
                pi.append(total)
                dpi.append(move)
                numbers[f"pi{k},{j}"] = total
            if k in self.y:
                loss += (self.y[k] - pi[0]) ** 2
                slope += -2 * (self.y[k] - pi[0]) * dpi[0]
            q, dq = [], []
            for total, move in zip(pi, dpi, strict=True):
                value, prime = self.a(total)
                q.append(value)
                dq.append(prime * move)
            numbers |= {f"q{k},{j}": value for j, value in enumerate(q)}
        numbers["L"] = loss
        return numbers, slope

    def term(self, k: int, row: int, column: int) -> Number:
        """∂L/∂(copy of step k)."""
        return self.forward(moved=(k, row, column))[1]

    def total(self, row: int, column: int) -> Number:
        """∂L/∂w."""
        return sum([self.term(k, row, column) for k in range(1, len(self.x) + 1)])

    def quantity(self, key: str, row: int = 0, column: int = 0) -> Number:
        """What a key of a worksheet stands for."""
        kind, _, rest = key[0], key[1:], key[1:]
        if key == "total":
            return self.total(row, column)
        if kind == "d":
            k, j = map(int, rest.split(","))
            return self.forward(pushed=(k, j))[1]
        if kind == "t":
            return self.term(int(rest), row, column)
        if kind == "g":
            return self.total(*map(int, rest.split(",")))
        return self.forward()[0][key]


# --- sets -----------------------------------------------------------------------------------------


def edges(facts: Mapping[str, Any]) -> tuple[set[tuple[str, str]], str, str]:
    """The graph of w₁ with a node for each copy, by the names on the sheet."""
    marks = ["̇", "̈", "⃛", "⃜"]

    def name(letter: str, k: int, tail: str = "") -> str:
        import unicodedata

        dotted = letter + marks[k - 1] if k <= 4 else f"{letter}{tail}⁽{'⁰¹²³⁴⁵⁶⁷⁸⁹'[k]}⁾"
        return unicodedata.normalize("NFC", dotted) + (tail if k <= 4 else "")

    found = set()
    linear = facts["activation"] == "linear"
    steps = len(facts["inputs"])
    for k in range(1, steps + 1):
        copy, pi = name("w", k, "₁"), name("π", k)
        found |= {("w", copy), (copy, pi)}
        if k in facts["targets"]:
            found.add((pi, "L"))
        if k < steps:
            q = pi if linear else name("q", k)
            found |= {(pi, q)} if q != pi else set()
            found.add((q, name("π", k + 1)))
    return found, "w", "L"


def separated(graph: set[tuple[str, str]], without: set[str]) -> bool:
    """Whether no path leads from w to L that avoids these nodes."""
    met, waiting = set(), ["w"]
    while waiting:
        node = waiting.pop()
        if node == "L":
            return False
        for a, b in graph:
            if a == node and b not in without and b not in met:
                met.add(b)
                waiting.append(b)
    return True


# --- all kinds ------------------------------------------------------------------------------------


def answers(kind: str, facts: Mapping[str, Any], keys: list[str]) -> list[Any]:
    """The answers of a question, from its facts alone."""
    if kind == "vanishing":
        return ten_steps(facts)
    if kind == "lstm":
        return cells(facts, keys)
    run = Run(facts)
    row, column = facts.get("row", 0), facts.get("column", 0)
    if kind == "sets":
        graph, _, _ = edges(facts)
        letters = "".join(
            letter
            for letter, some in zip("ABCD", facts["sets"], strict=True)
            if separated(graph, set(some))
        )
        named = sorted({n for edge in graph for n in edge if n[0] in "πqṗq̇"} - {"w", "L"})
        named = [n for n in named if not n.startswith(("w", "ẇ", "ẅ"))]
        sizes = chain.from_iterable(combinations(named, size) for size in range(1, 7))
        return [letters, next(len(some) for some in sizes if separated(graph, set(some)))]
    if kind == "choice":
        right = run.total(row, 0)
        near = [abs(option - right) < 1e-6 for option in facts["options"]]
        assert sum(near) == 1
        return ["ABCDEF"[near.index(True)]]
    if kind == "error":
        return [wrong_line(run, facts), run.total(0, 0)]
    if kind == "gaps":
        return [run.quantity(key) for key in facts["gaps"]]
    return [run.quantity(key, row, column) for key in keys]


def wrong_line(run: Run, facts: Mapping[str, Any]) -> int:
    """The first line whose number does not follow from the numbers in the lines before it."""
    shown = dict(zip(facts["keys"], facts["shown"], strict=True))
    rows, first, steps = run.rows, run.bias, len(run.x)
    odd = []
    for place, (key, value) in enumerate(shown.items(), 1):
        if key == "total":
            expected = sum([shown[f"t{k}"] for k in range(1, steps + 1)])
        else:
            k = int(key.lstrip("pqidt").split(",")[0])
            before = run.start[0] if k == 1 else shown.get(f"q{k - 1},0", 0)
            if key.startswith("pi"):
                offset = rows[0][0] if first else 0
                expected = offset + rows[first][0] * before + rows[first + 1][0] * run.x[k - 1]
            elif key.startswith("q"):
                expected = run.a(shown[f"pi{k},0"])[0]
            elif key.startswith("t"):
                expected = shown[f"d{k},0"] * before
            else:
                expected = -2 * (run.y[k] - shown[f"pi{k},0"]) if k in run.y else 0
                if k < steps:
                    expected += shown[f"d{k + 1},0"] * rows[first][0] * run.a(shown[f"pi{k},0"])[1]
        if abs(float(expected) - value) > 1e-6:
            odd.append(place)
    assert len(odd) == 1, odd
    return odd[0]


def ten_steps(facts: Mapping[str, Any]) -> list[Any]:
    w, bounded = abs(facts["w"]), facts["bounded"]
    size, sign = 1.0, 1.0
    for _ in range(int(facts["power"])):
        size *= w * (0.25 if bounded else 1.0)
        sign *= -1.0 if facts["w"] < 0 and not bounded else 1.0
    found: list[Any] = [sign * size]
    if facts["level"] > 1:
        one = w * (0.25 if bounded else 1.0)
        steps, size = 0, 1.0
        while 0.001 * (1 - 1e-12) <= size <= 1000.0:
            size *= one
            steps += 1
        found.append(steps)
    return found


def cells(facts: Mapping[str, Any], keys: list[str]) -> list[Any]:
    """By differences of L, which is a polynomial of degree 2 in each number: they are exact."""

    def last(start: Fraction, gates: list[Fraction]) -> Fraction:
        c = start
        for f, i, g in zip(gates, facts["inputs"], facts["candidates"], strict=True):
            c = f * c + Fraction(i) * Fraction(g)
        return c

    gates, start = [Fraction(f) for f in facts["gates"]], Fraction(facts["start"])
    at, y = int(facts["at"]), Fraction(facts["y"])

    def loss(move: Fraction) -> Fraction:
        moved = [f + move if k == at else f for k, f in enumerate(gates, 1)]
        return (y - last(start + (move if at == 0 else 0), moved)) ** 2

    c = last(start, gates)
    slope = (loss(Fraction(1)) - loss(Fraction(-1))) / 2
    by_last = ((y - c - 1) ** 2 - (y - c + 1) ** 2) / 2
    return [c, by_last, slope]
