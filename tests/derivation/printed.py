"""Printed equations, read back by nothing of the package."""

import math
import re
from fractions import Fraction

from autograd_rnn import Derivation
from autograd_rnn.derivation.expressions import Applied, Expression, Number, Product, Sum
from autograd_rnn.graph.notation import LATEX, TEXT

PLAIN = re.compile(r"[\d.\s()+-]|\\left|\\right|\\cdot|\\times|\\frac|[{}^]")


def evaluate(latex: str) -> float:
    """What printed LaTeX without symbols comes to."""
    text = latex.replace(r"\left", "").replace(r"\right", "").replace(r"\cdot", "*")
    text = re.sub(r" \\times 10\^\{(-?\d+)\}", r"e\1", text)
    text = re.sub(r"(?<![\w.])(\d[\d.]*(?:e-?\d+)?)", r"F('\1')", text)
    text = text.replace("^{", "**{")
    while (start := text.find("\\frac{")) >= 0:
        over = start + len("\\frac{")
        middle = matching(text, over)
        end = matching(text, middle + 2)
        inside = f"(({text[over:middle]})/({text[middle + 2 : end]}))"
        text = text[:start] + inside + text[end + 1 :]
    text = text.replace("{", "(").replace("}", ")")
    text = re.sub(r"(?<=\)) *(?=\(|F)", "*", text)
    return float(eval(text, {"F": Fraction}))


def matching(text: str, start: int) -> int:
    """Where the brace closes that was opened before the start."""
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[start], 0)
        start += 1
    return start - 1


def check_print(worked: Derivation) -> None:
    """Each side in numbers is read back: it comes to the left side, but for what was rounded."""
    for section in worked.sections:
        for equation in section.equations:
            for side in equation.sides:
                latex = side.write(LATEX)
                numeric = side.numbers or isinstance(side.expression, Number)
                if not numeric or PLAIN.sub("", latex) or "{-" in latex or "^" in latex:
                    continue  # symbols, or an op that is called by name
                try:
                    value = evaluate(latex)
                except (ZeroDivisionError, OverflowError):
                    continue
                # Numbers have six digits, so each is off by half of one in the sixth place.
                off = 1e-9 if side.relation(TEXT) == "=" else 1e-5
                # Where terms cancel, what is left of floats is of the size of their last bits.
                sizes = [sensitivity(one.expression) for one in equation.sides]
                lost = 1e-15 * max([size for size in sizes if math.isfinite(size)], default=0.0)
                most = off * sensitivity(side.expression) + lost
                assert abs(value - equation.left.value) <= most, latex


def sensitivity(expression: Expression) -> float:
    """How far the value moves, to first order, if each number in it moves by its own size."""
    if isinstance(expression, Sum):
        return sum(map(sensitivity, expression.parts))
    if isinstance(expression, Product):
        total = abs(expression.value)
        for place, (factor, power) in enumerate(expression.factors):
            others = [f.value**p for i, (f, p) in enumerate(expression.factors) if i != place]
            rest = math.prod([power, factor.value ** (power - 1), *others])
            total += abs(expression.coefficient * rest) * sensitivity(factor)
        return total
    if isinstance(expression, Applied):
        operands = [part.value for part in expression.parts]
        slopes = [rule(*operands, expression.value) for rule in expression.op.partials]
        return sum(abs(s) * sensitivity(x) for s, x in zip(slopes, expression.parts, strict=True))
    return abs(expression.value)
