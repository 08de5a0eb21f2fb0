"""What a question is: its text, the answers it asks for, and a solution line by line."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ...graph.identities import Slope, residue
from ...graph.notation import Text
from ..document import Equation, Part, Section, Side
from ..expressions import Expression, Number, Symbol
from .figure import Figure

Answer: TypeAlias = float | str
#: The numbers that a question is made of, by name.
Facts: TypeAlias = Mapping[str, Any]
#: How far a given number may be from an answer that has more digits than are asked for.
ROUNDED: Final = 0.005
SMALL: Final = 1e-4
LETTERS: Final = "ABCDEF"
Known: TypeAlias = Mapping[str, Symbol]
Build: TypeAlias = Callable[[Known], Expression]


# --- a solution, line by line --------------------------------------------------------------------


class Slip(NamedTuple):
    """A typical mistake: what it is, in words, and what the line comes to with it."""

    rule: str
    words: str
    build: Build


class Line(NamedTuple):
    """A quantity, the formula that it is computed by, and the slips that its line invites."""

    key: str
    symbol: Symbol
    build: Build
    slips: Sequence[Slip] = ()


class Mistake(NamedTuple):
    """A wrong answer, and the slip that leads to it."""

    value: float | str
    words: str


def quantity(name: str, value: float) -> Symbol:
    """The symbol of a name, with a value."""
    return Symbol.named(Slope(value, residue("exercise", name)), name)


def valued(symbol: Symbol, value: float) -> Symbol:
    """The symbol with another value."""
    return Symbol(Slope(value, symbol.residue), symbol.text, symbol.latex)


def marked(mark: str, symbol: Symbol) -> Symbol:
    """The symbol with a mark before it, as lines and choices have one."""
    text, latex = symbol.text, symbol.latex
    before = rf"\text{{{mark}}}\quad "
    key = residue("marked", mark, symbol.residue)
    return Symbol(Slope(symbol.value, key), Text(f"{mark}  {text.text}"), Text(before + latex.text))


class Worksheet:
    """The lines of a solution, and what is given before the first of them."""

    def __init__(self, given: Known, lines: Sequence[Line]) -> None:
        self.given, self.lines = given, lines
        self._slipped: dict[str, dict[str, Symbol]] = {}

    def work(
        self, answers: Mapping[str, float] | None = None, rule: str = "", at: str = ""
    ) -> dict[str, Symbol]:
        """All quantities by their keys.

        What stands in `answers` is taken from there.  With `rule`, a slip is made wherever a line
        invites it, or in the line `at` alone.
        """
        known = dict(self.given)
        for line in self.lines:
            if answers is not None and line.key in answers:
                value = answers[line.key]
            else:
                value = self._formula(line, known, rule, at).value
            known[line.key] = valued(line.symbol, value + 0.0)
        return known

    def _formula(self, line: Line, known: Known, rule: str, at: str) -> Expression:
        for slip in line.slips if at in ("", line.key) else ():
            if slip.rule == rule:
                return slip.build(known)
        return line.build(known)

    def rules(self) -> dict[str, str]:
        """The words of all slips, by their rules."""
        return {slip.rule: slip.words for line in self.lines for slip in line.slips}

    def mistakes(self, key: str) -> Iterator[Mistake]:
        """The wrong values of a quantity, each with the slip that gives it, all different."""
        if not self._slipped:
            self._slipped = {rule: self.work(rule=rule) for rule in ["", *self.rules()]}
        met = [self._slipped[""][key].value]
        for rule, words in self.rules().items():
            value = self._slipped[rule][key].value
            if all(abs(value - other) > 1e-9 * max(1.0, abs(other)) for other in met):
                met.append(value)
                yield Mistake(value, words)

    def equation(self, line: Line, known: Known, rule: str = "", at: str = "") -> Equation:
        """The line in symbols, in numbers, and with its result."""
        formula = self._formula(line, known, rule, at)
        symbols, numbers, result = Side(formula), Side(formula, True), Side(known[line.key], True)
        if isinstance(formula, Number):
            return Equation(known[line.key], [result])
        if isinstance(formula, Symbol):
            return Equation(known[line.key], [symbols, result])
        return Equation(known[line.key], [symbols, numbers, result])


# --- the question --------------------------------------------------------------------------------


class Field(NamedTuple):
    """An answer that is asked for: a number, or one letter or several."""

    asked: Symbol | str
    answer: Answer
    known: Sequence[Mistake] = ()
    key: str = ""
    worksheet: Worksheet | None = None

    @property
    def mistakes(self) -> Sequence[Mistake]:
        """Wrong answers, all different, each with the slip that leads to it."""
        if self.worksheet is None:
            return self.known
        return list(self.worksheet.mistakes(self.key))

    @property
    def name(self) -> str:
        """What is asked for, as text."""
        return self.asked if isinstance(self.asked, str) else self.asked.text.text

    @property
    def tolerance(self) -> float:
        """How far a given number may be off: nothing to speak of where the answer is short."""
        return tolerance_of(self.answer) if isinstance(self.answer, float) else 0.0


def tolerance_of(number: float) -> float:
    """How far a given number may be from the right one.

    >>> tolerance_of(32.0), tolerance_of(0.125), tolerance_of(1 / 3) > 0.001
    (3.2e-05, 1e-06, True)
    """
    short = float(f"{number:.6g}") == number and not 0.0 < abs(number) < SMALL
    return 1e-6 * max(1.0, abs(number)) if short else ROUNDED * abs(number)


class Choice(NamedTuple):
    """One of the answers to choose from, and the mistake that it comes from; none if right."""

    shown: Symbol
    mistake: str = ""


class Question(NamedTuple):
    """An exercise: `fields` are the answers it asks for, the last of them the result.

    `facts` are the numbers that it is made of, by which a program can solve it.
    """

    kind: str
    title: str
    level: int
    body: Sequence[Part]
    fields: Sequence[Field]
    solve: Callable[[], Sequence[Section]]
    facts: Facts
    figure: Figure | None = None
    choices: Sequence[Choice] = ()
    worksheet: Worksheet | None = None

    @property
    def solution(self) -> Sequence[Section]:
        """The solution, worked out when it is asked for."""
        return self.solve()

    @property
    def options(self) -> list[Equation]:
        """The answers to choose from, each with its letter."""
        return [
            Equation(marked(f"{letter}:", one.shown), [Side(Number(one.shown.value), True)])
            for letter, one in zip(LETTERS, self.choices, strict=False)
        ]

    @property
    def answer(self) -> Answer:
        """The last answer."""
        return self.fields[-1].answer


class Wishes(NamedTuple):
    """What is wished of a question: None or 0 where the kind decides."""

    level: int
    steps: int = 0
    states: int = 0
    activation: str = ""
    idle: bool = False


class Kind(NamedTuple):
    """A kind of question: its name, what it is about, and the function that makes one.

    The function returns None where its random numbers are not fit for paper.  `steps`, `states` and
    `activations` are those that may be asked for; a kind without them has its own.
    """

    name: str
    title: str
    make: Callable[[random.Random, Wishes], Question | None]
    states: Sequence[int] = (1,)
    activations: Sequence[str] = ("relu", "linear")
    most_steps: int = 12

    def refusal(self, steps: int, states: int, activation: str) -> str:
        """What stands against these wishes, or an empty text."""
        if states and states not in self.states:
            return f"states={states}"
        if activation and activation not in self.activations:
            return f"activation={activation!r}"
        if steps > self.most_steps:
            most = f"at most {self.most_steps}" if self.most_steps else "their number is fixed"
            return f"steps={steps}: {most}"
        return ""
