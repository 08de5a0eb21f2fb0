"""Questions about what many steps do to a derivative, and about the cell of an LSTM."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from ...engine.value import Value, constant
from ...graph.identities import Slope, residue
from ...graph.notation import Text, accent
from ...ops.op import CALL
from ..chain_rule import problem
from ..document import Equation, Part, Row, Section, Sentence, Side
from ..expressions import Expression, Number, Symbol, product, total
from ..naming import fraction, one_system
from .figure import chain
from .network import derived
from .question import (
    Build,
    Field,
    Known,
    Line,
    Mistake,
    Question,
    Slip,
    Wishes,
    Worksheet,
    quantity,
)

STEPS: Final = 10
SHRINKING: Final = ("1/2", "-1/2", "1/4", "-1/4", "1/5", "1/10", "-1/10", "3/10", "2/5", "-2/5")
GROWING: Final = ("2", "-2", "3", "-3", "3/2", "-3/2", "5/2", "-5/2")
SIGMOID: Final = ("1", "2", "-2", "1/2", "-1", "4/5", "2/5", "8/5", "6/5", "-8/5")
GATES: Final = (0.25, 0.5, 0.5, 0.75, 1.0)
CELLS: Final = (-4.0, -2.0, 2.0, 4.0, 8.0)
CANDIDATES: Final = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)
GATE: Final = "the factor of a forget gate is missing"
ONE_GATE: Final = "only the last forget gate was counted"
FACTOR: Final = "the factor 2 of the square's derivative is missing"
SIGN: Final = "the sign of the inner derivative of (y − C)² is missing"
AFTER: Final = "the cell after the step was taken, instead of the one before it"


def vanishing(chance: random.Random, wishes: Wishes) -> Question | None:
    """How large ∂π/∂π is ten steps apart, with how many steps until it is small or large."""
    bounded = wishes.level == 2
    chosen = chance.choice(SIGMOID if bounded else SHRINKING + GROWING)
    w = Fraction(chosen)
    # Of the first π to the tenth: nine weights on the way.
    factor = abs(w) / 4 if bounded else w
    power = STEPS - 1
    limit = Fraction(1000) if abs(factor) > 1 else Fraction(1, 1000)
    count = 1
    while (abs(factor) ** count < limit) if limit > 1 else (abs(factor) ** count >= limit):
        count += 1
    if wishes.level < 3:
        # A number for each seed: what is asked for may also be some steps earlier.
        power = chance.choice(range(5, STEPS)) if wishes.level == 1 else power
    weight = quantity("w_1", float(w))
    last, first = (quantity(accent("π", k, accents=False), 0.0) for k in (STEPS, STEPS - power))
    asked = fraction(last, first, Slope(float(factor**power), residue("ten", chosen, power)))
    mistakes = [
        Mistake(float(factor ** (power + 1)), "one factor too many: there is one per arrow"),
        Mistake(float(factor ** (power - 1)), "one factor too few: there is one per arrow"),
        Mistake(float(factor * power), "the factors were added up, they are multiplied"),
    ]
    if bounded:
        mistakes.append(Mistake(float(abs(w) ** power), "σ′ was taken as 1, it is 1/4 at most"))
    elif w < 0:
        mistakes.append(Mistake(float(-(factor**power)), "the sign is wrong: count the factors"))
    fields = [Field(asked, float(factor**power), _different(float(factor**power), mistakes))]
    what = "a(π) = σ(π), whose slope is at most 1/4" if bounded else "a(π) = π"
    bound = ("the largest size that ", asked, " can have") if bounded else (asked,)
    body: list[Part] = [
        Sentence(f"A network with one state runs over {STEPS} steps, with {what}, at:"),
        Row([Equation(weight, [Side(_fraction(w), True)])]),
        Sentence("(a) Give ", *bound, ", as a number or a fraction."),
    ]
    step = Symbol(asked.slope, *_named("power", factor, power))
    answer: list[Part] = [
        Sentence("Each step back multiplies by ", weight, ", and by a′ at that step:"),
        Equation(asked, [Side(step), Side(Number(float(factor**power)), True)]),
    ]
    if wishes.level > 1:
        way = "above 1000" if limit > 1 else "below 1/1000"
        size = "bound" if bounded else "size"
        body.append(
            Sentence(
                f"(b) In a run of any length, after how many steps back is the {size} {way} for "
                f"the first time?"
            )
        )
        near = [
            Mistake(float(count + 1), "one step too many"),
            Mistake(float(count - 1), "one step too few"),
        ]
        fields.append(Field("steps", float(count), tuple(near)))
        answer.append(
            Sentence(
                f"After {count - 1} steps the {size} is {_short(abs(factor) ** (count - 1))}, "
                f"after {count} it is {_short(abs(factor) ** count)}: so (b) is {count}."
            )
        )
    facts = {"w": float(w), "power": float(power), "bounded": float(bounded), "level": wishes.level}
    figure = chain(
        [[accent("π", k, accents=False)] for k in (1, 2, 3)] + [["..."]] + [[last.text.text]],
        before=[],
        along=["w_1"] * 5,
        about=f"A network with one state over {STEPS} steps",
    )
    return Question(
        *("vanishing", "Over ten steps", wishes.level, body, fields),
        *(lambda: [Section("The factors", answer)], facts, figure),
    )


def _different(right: float, mistakes: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """The mistakes that lead to different numbers."""
    met, kept = [right], []
    for one in mistakes:
        if all(abs(float(one.value) - other) > 0.02 * abs(other) for other in met):
            met.append(float(one.value))
            kept.append(one)
    return tuple(kept)


def _fraction(number: Fraction) -> Expression:
    """A fraction as it is written by hand."""
    if number.denominator == 1:
        return Number(float(number))
    return product([Number(Fraction(number))])


def _named(key: str, base: Fraction, power: int) -> tuple[Text, Text]:
    text = str(base).replace("-", "−")
    shown = text if base.denominator == 1 and base > 0 else f"({text})"
    up = "".join(["⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power)])
    latex = str(base)
    if base.denominator > 1:
        sign = "-" if base < 0 else ""
        latex = rf"{sign}\frac{{{abs(base.numerator)}}}{{{base.denominator}}}"
    inside = latex if base.denominator == 1 and base > 0 else rf"\left({latex}\right)"
    return Text(f"{shown}{up}", CALL), Text(f"{inside}^{{{power}}}", CALL)


def _short(number: Fraction) -> str:
    return f"{float(number):.3g}"


# --- the cell of an LSTM ------------------------------------------------------------------------


def forget_path(chance: random.Random, wishes: Wishes) -> Question | None:
    """What the forget gates leave of a derivative on its way back through the cells, or None."""
    steps = wishes.steps or wishes.level + 1
    gates = [chance.choice(GATES) for _ in range(steps)]
    inputs = [chance.choice((0.5, 1.0)) for _ in range(steps)]
    candidates = [chance.choice(CANDIDATES) for _ in range(steps)]
    start = chance.choice(CELLS)
    if len(set(gates)) == 1 or 1.0 in gates[-1:]:
        return None
    f = [Value(gate, f"f_{k}") for k, gate in enumerate(gates, 1)]
    cells = [Value(start, "c_0")]
    for k in range(1, steps + 1):
        i = constant(inputs[k - 1], f"i_{k}")
        g = constant(candidates[k - 1], f"g_{k}")
        cell = f[k - 1] * cells[-1] + i * g
        cell.name = f"c_{k}"
        cells.append(cell)
    y = float(round(cells[-1].data)) + chance.choice([-2.0, -1.0, 1.0, 2.0])
    loss = (constant(y, "y") - cells[-1]) ** 2
    at = 0 if wishes.level == 1 else chance.choice(range(1, steps))
    target = cells[0] if at == 0 else f[at - 1]
    with one_system(loss, target, 1, None):
        sheet, asked = _cell_lines(gates, inputs, candidates, start, y, at, loss.data)
        known = sheet.work()
        keys = [f"c{steps}", f"d{steps}", asked]
        if not all(0.001 < abs(known[k].value) <= 100.0 for k in keys):
            return None
        if not all(symbol.value and _by_hand(symbol.value) for symbol in known.values()):
            return None
        fields = [Field(known[k], known[k].value, (), k, sheet) for k in keys]
        letters: list[Any] = []
        for place, field in enumerate(fields):
            letters += [f"{',' if place else ''} ({chr(97 + place)}) ", field.asked]
        body = [
            Sentence(
                "The cell of an LSTM forgets by the gate f and takes in i times g. The gates do "
                "not depend on the cell here; they are given as numbers."
            ),
            *problem(loss, target, None).body,
            Sentence("Give", *letters, "."),
        ]
        facts = {
            **{"gates": gates, "inputs": inputs, "candidates": candidates},
            **{"start": start, "y": y, "at": float(at)},
        }
        figure = chain(
            [[f"c_{k}"] for k in range(1, steps + 1)],
            before=["c_0"],
            along=[f"f_{k}" for k in range(1, steps + 1)],
            below=[f"{i * g:g}" for i, g in zip(inputs, candidates, strict=True)],
            losses=[steps],
            about=f"The cell of an LSTM over {steps} steps",
        )
        return Question(
            *("lstm", "The forget path of an LSTM", wishes.level, body, fields),
            solve=derived(loss, target, None),
            facts=facts,
            figure=figure,
            worksheet=sheet,
        )


def _by_hand(number: float) -> bool:
    """Whether a number has at most four digits."""
    return float(f"{number:.4g}") == number


def _cell_lines(
    gates: Sequence[float],
    inputs: Sequence[float],
    candidates: Sequence[float],
    start: float,
    y: float,
    at: int,
    loss: float,
) -> tuple[Worksheet, str]:
    """The worksheet of ∂L/∂C⁽⁰⁾ or of ∂L/∂f, and the key of what is asked for."""
    steps = len(gates)
    given = {"c0": quantity("c_0", start), "y": quantity("y", y)}
    output = quantity("L", loss)
    for k in range(1, steps + 1):
        given[f"f{k}"] = quantity(f"f_{k}", gates[k - 1])
        given[f"i{k}"] = quantity(f"i_{k}", inputs[k - 1])
        given[f"g{k}"] = quantity(f"g_{k}", candidates[k - 1])
    lines = [Line(f"c{k}", quantity(f"c_{k}", 0.0), _cell(k)) for k in range(1, steps + 1)]

    def slope(under: str, value: float = 0.0) -> Symbol:
        return fraction(output, quantity(under, value), Slope(0.0, residue("cell", under)))

    def first(factor: float) -> Build:
        def build(known: Known) -> Expression:
            inner = total([known["y"], product([Number(-1.0), known[f"c{steps}"]])])
            return product([Number(factor), inner])

        return build

    slips = [Slip("factor", FACTOR, first(-1.0)), Slip("sign", SIGN, first(2.0))]
    lines.append(Line(f"d{steps}", slope(f"c_{steps}"), first(-2.0), slips))
    lines += [
        Line(f"d{k}", slope(f"c_{k}"), _back(k), [_without(k)])
        for k in range(steps - 1, max(at, 1) - 1, -1)
    ]
    if at == 0:
        lines.append(Line("c", slope("c_0"), _back(0), [_without(0), *_last_gate(steps)]))
        return Worksheet(given, lines), "c"
    after = Slip("after", AFTER, _by_gate(at, at))
    lines.append(Line("f", slope(f"f_{at}"), _by_gate(at, at - 1), [after]))
    return Worksheet(given, lines), "f"


def _cell(k: int) -> Build:
    def build(known: Known) -> Expression:
        kept = product([known[f"f{k}"], known[f"c{k - 1}"]])
        return total([kept, product([known[f"i{k}"], known[f"g{k}"]])])

    return build


def _back(k: int) -> Build:
    return lambda known: product([known[f"d{k + 1}"], known[f"f{k + 1}"]])


def _without(k: int) -> Slip:
    return Slip(f"gate {k}", GATE, lambda known: known[f"d{k + 1}"])


def _last_gate(steps: int) -> list[Slip]:
    only = _back(steps - 1)
    return [Slip("one gate", ONE_GATE, only)]


def _by_gate(k: int, before: int) -> Build:
    return lambda known: product([known[f"d{k}"], known[f"c{before}"]])
