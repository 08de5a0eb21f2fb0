"""The kinds of questions, one record each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from ...engine.value import Value
from ...graph.copies import copies
from ...graph.identities import Slope, residue
from ...graph.notation import Text, label
from ...graph.separating import escape
from ...graph.walk import topological
from ...networks.run import Unrolled
from ...program.displays import equated
from ..chain_rule import problem
from ..document import Equation, Inline, Part, Section, Sentence, Side
from ..expressions import Symbol
from ..matrices import MatrixRule
from ..naming import one_system
from .cells import forget_path, vanishing
from .network import LARGEST_ANSWER, LEAST, Lines, Network, derived, network, told
from .question import (
    LETTERS,
    Choice,
    Field,
    Kind,
    Mistake,
    Question,
    Wishes,
    Worksheet,
    marked,
    quantity,
    valued,
)

# --- what the kinds share ------------------------------------------------------------------------


def asking(asked: Sequence[Symbol | str]) -> Sentence:
    """What the answers are to be."""
    parts: list[Any] = ["Give"]
    for place, one in enumerate(asked):
        parts += [f"{',' if place else ''} ({chr(97 + place)}) ", one]
    return Sentence(*parts, ".")


def fields_of(sheet: Worksheet, keys: Sequence[str]) -> list[Field]:
    """The answers of a worksheet that are asked for, with the mistakes that lead elsewhere."""
    known = sheet.work()
    return [Field(known[k], known[k].value, (), k, sheet) for k in keys]


# --- ∂L/∂w through the copies of w -------------------------------------------------------------


def weight_question(
    kind: str, title: str, **looks: bool
) -> Callable[[random.Random, Wishes], Question | None]:
    """A maker of questions for ∂L/∂w of one weight, in networks that look so."""

    def make(chance: random.Random, wishes: Wishes) -> Question | None:
        net = network(chance, wishes, **looks)
        if net is None:
            return None
        row = chance.choice(range(len(net.rows)))
        if looks.get("bias") and wishes.level == 1:
            row = 0
        if looks.get("start") or looks.get("truncated"):
            row = int(net.bias)  # the weight of the state, which these questions are about
        one = by_copies(kind, title, wishes.level, net, row, chance.choice(range(net.states)))
        terms = [field.answer for field in one.fields if field.key.startswith("t")]
        counted = len(terms) - 1 - terms[:-1].count(0.0)
        # A sum of one term is no sum, but where no more steps than one can add to it.
        able = net.steps - max(net.cuts, default=2) + 1
        return one if wishes.idle or counted >= min(2, able) else None

    return make


def by_copies(kind: str, title: str, level: int, net: Network, row: int, column: int) -> Question:
    """The question of one weight, its terms and their sum."""
    run, loss = net.unroll()
    weight = run.rnn.weights[row][column]
    with one_system(loss, weight, len(copies(weight, loss)), run):
        lines = Lines(net, run, loss)
        last = max(net.targets)
        first = [f"pi{last},0", f"d{last},0"] if len(net.targets) == 1 else []
        keys = [*first, *lines.ask_weight(row, column)]
        sheet = lines.worksheet()
        fields = fields_of(sheet, keys)
        body = [told(net), *problem(loss, weight, run).body, asking([f.asked for f in fields])]
        facts = {**net.facts(), "row": row, "column": column}
        solution = derived(loss, weight, run)
        return Question(
            kind, title, level, body, fields, solution, facts, lines.figure(), (), sheet
        )


def matrix_question(chance: random.Random, wishes: Wishes) -> Question | None:
    """All of ∂L/∂W by ∂L/∂π, or None."""
    wishes = wishes._replace(steps=wishes.steps or 3)  # with fewer, not all weights matter
    net = network(chance, wishes, states=2, every=wishes.level > 2)
    if net is None:
        return None
    run, loss = net.unroll()
    weight = run.rnn.weights[0][0]
    with one_system(loss, weight, len(copies(weight, loss)), run):
        lines = Lines(net, run, loss)
        # The last sums of the other state do not reach L.
        keys = [key for key in lines.ask_all() if key != f"d{net.steps},1"]
        sheet = lines.worksheet()
        fields = fields_of(sheet, keys)
        stated = problem(loss, weight, run).body
        ask = Sentence("Compute the derivatives of ", lines.output, " by all weights, where:")
        matrix = MatrixRule(loss, run.rnn, run).writers[0]
        whole = [Inline(equated(*line)) for line in matrix.definitions()]
        form = Sentence("In matrix form, this is ", whole[0], " and ", whole[-1], ".")
        body = [told(net), ask, *stated[1:], form, asking([f.asked for f in fields])]
        solution = derived(loss, run.rnn, run)
        return Question(
            *("matrix", "Two states in matrix form", wishes.level, body, fields, solution),
            facts=net.facts(),
            figure=lines.figure(),
            worksheet=sheet,
        )


# --- sets ---------------------------------------------------------------------------------------


def sets_question(chance: random.Random, wishes: Wishes) -> Question | None:
    """Which sets separate w₁ from L, or None."""
    every = wishes.level > 1 and chance.choice([True, wishes.level > 2])
    net = network(chance, wishes._replace(steps=wishes.steps or 3), every=every)
    if net is None:
        return None
    run, loss = net.unroll()
    weight = run.rnn.weights[0][0]
    uses = copies(weight, loss, run)
    nodes = [step.pi[0] for step in run.steps]
    nodes += [step.q[0] for step in run.steps[:-1] if step.q[0] is not step.pi[0]]
    reached = set(topological(loss))
    members: list[Any] = [*uses, *[node for node in nodes if node in reached]]
    sizes = range(1, min(len(members), 4) + 1)
    found: dict[frozenset[str], tuple[list[Any], str | None]] = {}
    for _ in range(40):
        size = chance.choice(sizes)
        some = [m for m in members if chance.choice(range(len(members))) < size] or [members[-1]]
        names = frozenset([label(str(m.name)) for m in some])
        path = path_around(some, weight, loss, run)
        held = sum([p is None for _, p in found.values()])
        if names not in found and (held < 3 if path is None else len(found) - held < 3):
            found[names] = some, path
        if len(found) == 4:
            break
    shown = list(found.values())
    right = "".join([LETTERS[i] for i, (_, path) in enumerate(shown) if path is None])
    if len(shown) < 4 or not right or len(right) == 4:
        return None
    with one_system(loss, weight, len(uses), run):
        lines = Lines(net, run, loss)
        symbols = [[quantity(str(m.name), m.data) for m in some] for some, _ in shown]
        listed: list[Part] = []
        for letter, some in zip(LETTERS, symbols, strict=False):
            parts = [part for symbol in some for part in (", ", symbol)][1:]
            listed.append(Sentence(f"{letter}: ", "{", *parts, "}"))
        smallest = next(
            some
            for size in range(1, len(nodes) + 1)
            for some in combinations([node for node in nodes if node in reached], size)
            if path_around(some, weight, loss, run) is None
        )
        stated = problem(loss, weight, run).body
        w = lines.given["w0,0"]
        body: list[Part] = [
            told(net),
            Sentence("Look at the network, where:"),
            *stated[1:],
            Sentence(
                *("A set separates ", w, " from ", lines.output, " if every path meets it; the "),
                "copy of a weight is met by the paths that start with this use of it.",
            ),
            *listed,
            Sentence("(a) Which of the sets separate ", w, " from ", lines.output, "?"),
            Sentence(
                "(b) How many members does a smallest separating set have that consists of sums π "
                "and states q alone?"
            ),
        ]
        answer: list[Part] = []
        for letter, (_, path) in zip(LETTERS, shown, strict=False):
            misses = f"does not: the path {path} meets none of it"
            says = "separates: every path meets it" if path is None else misses
            answer.append(Sentence(f"{letter} {says}."))
        listing = ", ".join([label(str(node.name)) for node in smallest])
        answer.append(Sentence(f"A smallest set is {{{listing}}}, so (b) is {len(smallest)}."))
        fields = [
            Field("the letters", right, tuple(_wrong_sets(shown, right))),
            Field("size", float(len(smallest)), tuple(_wrong_sizes(len(smallest), len(uses)))),
        ]
        facts = {**net.facts(), "sets": [[label(str(m.name)) for m in some] for some, _ in shown]}
        return Question(
            *("sets", "Separating sets", wishes.level, body, fields),
            *(lambda: [Section("The sets", answer)], facts, lines.figure()),
        )


def path_around(members: Sequence[Any], weight: Value, loss: Value, run: Unrolled) -> str | None:
    """A path from a weight by one of its copies to L that meets no member, in names; or None."""
    path = escape(members, weight, loss)
    if path is None:
        return None
    uses = copies(weight, loss, run)
    first = next(use for use in uses if use.consumer is path[1])
    named = [str(node.name) for node in path[1:-1] if node.name is not None]
    with one_system(loss, weight, len(uses), run):
        return " → ".join([*map(label, [str(weight.name), first.name, *named]), "L"])


def _wrong_sets(shown: Sequence[tuple[Any, str | None]], right: str) -> Iterator[Mistake]:
    letters = LETTERS[: len(shown)]
    for size in range(len(letters) + 1):
        for some in combinations(letters, size):
            said = "".join(some)
            words = []
            for letter, (_, path) in zip(letters, shown, strict=True):
                if (letter in said) != (letter in right):
                    words.append(
                        f"{letter} separates" if path is None else f"{path} meets none of {letter}"
                    )
            if words:
                yield Mistake(said, "; ".join(words))


def _wrong_sizes(right: int, uses: int) -> Iterator[Mistake]:
    if right != uses:
        yield Mistake(float(uses), "the copies were counted, which always separate")
    if right != 1:
        yield Mistake(1.0, "one quantity does not lie on all paths: each loss has its own")


# --- gaps, errors, choices ------------------------------------------------------------------------


def gaps_question(chance: random.Random, wishes: Wishes) -> Question | None:
    """A solution with gaps, or None."""
    net = network(chance, wishes)
    if net is None:
        return None
    run, loss = net.unroll()
    weight = run.rnn.weights[0][0]
    with one_system(loss, weight, len(copies(weight, loss)), run):
        lines = Lines(net, run, loss)
        lines.ask_weight(0)
        sheet = lines.worksheet()
        known = sheet.work()
        able = [line.key for line in sheet.lines if line.key != "total"]
        hidden = {chance.choice(able) for _ in range(2 * wishes.level)} | {"total"}
        gaps = [line.key for line in sheet.lines if line.key in hidden]
        shown = [
            _with_gap(sheet.equation(line, known), gaps.index(line.key) + 1)
            if line.key in hidden
            else Equation(known[line.key], sheet.equation(line, known).sides[-1:])
            for line in sheet.lines
        ]
        body = [
            told(net),
            *problem(loss, weight, run).body,
            Sentence("Fill the gaps of the solution:"),
            *shown,
        ]
        fields = [
            Field(f"gap {place}", known[key].value, (), key, sheet)
            for place, key in enumerate(gaps, 1)
        ]
        return Question(
            *("gaps", "Fill the gaps", wishes.level, body, fields),
            solve=derived(loss, weight, run),
            facts={**net.facts(), "gaps": gaps},
            figure=lines.figure(),
            worksheet=sheet,
        )


def _with_gap(equation: Equation, place: int) -> Equation:
    """The line in symbols, with a numbered gap for its result."""
    value = equation.left.value
    slope = Slope(value, residue("gap", place))
    gap = Symbol(slope, Text(f"[{place}]"), Text(rf"[\,{place}\,]"))
    return Equation(equation.left, [equation.sides[0], Side(gap)])


def error_question(chance: random.Random, wishes: Wishes) -> Question | None:
    """A solution with one slip in it, or None."""
    net = network(chance, wishes)
    if net is None:
        return None
    run, loss = net.unroll()
    weight = run.rnn.weights[0][0]
    with one_system(loss, weight, len(copies(weight, loss)), run):
        lines = Lines(net, run, loss)
        lines.ask_weight(0)
        sheet = lines.worksheet()
        right = sheet.work()
        able = [
            (number, line, slip)
            for number, line in enumerate(sheet.lines, 1)
            for slip in line.slips
            if abs(slip.build(right).value - right[line.key].value) >= LEAST
        ]
        if not able:
            return None
        number, line, slip = chance.choice(able)
        wrong = sheet.work(rule=slip.rule, at=line.key)
        if abs(wrong["total"].value) > LARGEST_ANSWER:
            return None
        shown: list[Part] = []
        for place, one in enumerate(sheet.lines, 1):
            equation = sheet.equation(one, wrong, slip.rule, line.key)
            shown.append(Equation(marked(f"({place})", wrong[one.key]), equation.sides[1:]))
        asked = problem(loss, weight, run).body
        body = [
            told(net),
            *asked,
            Sentence(
                "One line of this solution is wrong; the later ones follow correctly from it:"
            ),
            *shown,
            Sentence("(a) Which line is it? (b) What is the correct ", right["total"], "?"),
        ]
        fields = [
            Field("line", float(number), tuple(_wrong_lines(len(sheet.lines), number))),
            Field(right["total"], right["total"].value, (), "total", sheet),
        ]
        answer: list[Part] = [
            Sentence(f"Line ({number}) is wrong: {slip.words}. The correct line is:"),
            sheet.equation(line, right),
        ]
        solution = derived(loss, weight, run, Section("The slip", answer))
        facts = {
            **net.facts(),
            "shown": [wrong[one.key].value for one in sheet.lines],
            "keys": [one.key for one in sheet.lines],
        }
        return Question(
            *("error", "Find the error", wishes.level, body, fields, solution),
            *(facts, lines.figure()),
        )


def _wrong_lines(count: int, right: int) -> Iterator[Mistake]:
    for number in range(1, count + 1):
        if number != right:
            where = "follows correctly from the lines before it"
            yield Mistake(float(number), f"line ({number}) {where}")


def choice_question(chance: random.Random, wishes: Wishes) -> Question | None:
    """A choice among the right answer and those of typical mistakes, or None."""
    net = network(chance, wishes, every=wishes.level > 2)
    if net is None:
        return None
    run, loss = net.unroll()
    row = chance.choice([0, 1])
    weight = run.rnn.weights[row][0]
    with one_system(loss, weight, len(copies(weight, loss)), run):
        lines = Lines(net, run, loss)
        lines.ask_weight(row)
        sheet = lines.worksheet()
        known = sheet.work()
        wrong = [m for m in sheet.mistakes("total") if abs(float(m.value)) <= 2 * LARGEST_ANSWER]
        if len(wrong) < 3:
            return None
        while len(wrong) > 3 + (wishes.level > 1):
            wrong.pop(chance.choice(range(len(wrong))))
        total = known["total"]
        options = [Choice(valued(total, float(m.value)), m.words) for m in wrong]
        options.insert(chance.choice(range(len(options) + 1)), Choice(total))
        right = next(LETTERS[i] for i, one in enumerate(options) if not one.mistake)
        body = [told(net), *problem(loss, weight, run).body, Sentence("Choose the correct answer:")]
        mistakes = [
            Mistake(letter, one.mistake)
            for letter, one in zip(LETTERS, options, strict=False)
            if one.mistake
        ]
        answer: list[Part] = [Sentence(f"{right} is correct.")]
        answer += [Sentence(f"{m.value}: {m.words}.") for m in mistakes]
        solution = derived(loss, weight, run, Section("The answers", answer))
        facts = {**net.facts(), "row": row, "options": [one.shown.value for one in options]}
        return Question(
            *("choice", "Multiple choice", wishes.level, body),
            *([Field("the letter", right, tuple(mistakes))], solution, facts, lines.figure()),
            options,
        )


ALL: Final = ("relu", "tanh", "linear")
KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            *("copies", "Copies of a weight", weight_question("copies", "Copies of a weight")),
            *((1, 2), ALL),
        ),
        Kind("start", "A start state", weight_question("start", "A start state", start=True)),
        Kind("offset", "An offset", weight_question("offset", "An offset", bias=True)),
        Kind(
            *("losses", "A loss at every step"),
            weight_question("losses", "A loss at every step", every=True),
        ),
        Kind("matrix", "Two states in matrix form", matrix_question, (2,), most_steps=4),
        Kind(
            *("truncation", "Truncated backpropagation"),
            weight_question("truncation", "Truncated backpropagation", truncated=True),
        ),
        Kind("sets", "Separating sets", sets_question, most_steps=6),
        Kind("gaps", "Fill the gaps", gaps_question),
        Kind("error", "Find the error", error_question),
        Kind("choice", "Multiple choice", choice_question),
        Kind("vanishing", "Over ten steps", vanishing, (1,), (), 0),
        Kind("lstm", "The forget path of an LSTM", forget_path, (1,), (), 4),
    )
}
