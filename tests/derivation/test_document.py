"""Derivations as text, Markdown, LaTeX and HTML."""

import math
import re
import xml.etree.ElementTree as ElementTree
from html import escape

import pytest

from autograd_rnn import Value, derive, exp, primitive
from autograd_rnn.derivation.document import Equation, Row, Section, Sentence, Side, check
from autograd_rnn.derivation.expressions import Number, Symbol
from autograd_rnn.errors import DerivationError
from autograd_rnn.graph.identities import Slope, residue
from autograd_rnn.graph.notation import LATEX, LOOKALIKES, label
from autograd_rnn.ops.op import TABLE

from ..pictures.exercise import HOSTILE
from .examples import exercise
from .printed import evaluate


def test_the_exercise_is_read_back_exactly() -> None:
    (equation,) = exercise().sections[-1].equations
    assert [evaluate(side.write(LATEX)) for side in equation.sides] == [32.0, 32.0, 32.0]
    assert evaluate(r"-2\left(-2\right) \cdot 8^{2} + \frac{3 \cdot 2}{4}") == 257.5
    assert evaluate(r"1.5 \times 10^{-3}") == 0.0015


def test_lines_fit_a_terminal() -> None:
    for worked in (exercise(), exercise(1), exercise(through="minimum")):
        assert max(len(line) for line in worked.text.splitlines()) <= 80


def test_markdown_ends_a_line_behind_each_break() -> None:
    text = exercise().markdown
    assert all(line.endswith("\\\\") for line in text.splitlines() if "\\\\" in line)
    assert text.count("$$") % 2 == 0
    assert text.count("\n$$\n\\begin{aligned}\n") == text.count("\\end{aligned}\n$$\n")
    assert text.startswith(
        "### 1. The problem\n\nCompute $\\frac{\\partial L}{\\partial w_{1}}$, where:\n"
    )


def test_the_documents_are_complete() -> None:
    worked = exercise()
    assert worked.tex.startswith("\\documentclass[a4paper]{article}\n")
    assert worked.tex.endswith("\\end{document}\n")
    assert worked.tex.count("\\begin{align*}") == worked.tex.count("\\end{align*}")
    assert worked.tex.isascii()
    html = worked.html
    assert "http" not in html.replace("http://www.w3.org/1998/Math/MathML", "")
    assert "<script" not in html
    for table in re.findall("<table>.*?</table>", html, re.DOTALL):
        ElementTree.fromstring(table)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    x = Value(2, name or None)
    worked = derive(x * x + 1, x)
    assert worked.value == 4.0
    html = worked.html
    assert "<script" not in html
    shown = " ".join(label(name).translate(LOOKALIKES).split())
    assert f">{escape(shown, quote=False)}</m" in html or not shown
    # No brace of a name is markup: all are in pairs or escaped.
    bare = re.sub(r"\\[{}]", "", worked.latex)
    assert bare.count("{") == bare.count("}")


def test_an_equation_that_does_not_hold_is_refused() -> None:
    x, y = (Symbol.named(Slope(value, residue(name)), name) for name, value in (("x", 3), ("y", 4)))
    Equation(x, [Side(x * 1.0)]).check()
    with pytest.raises(DerivationError, match=r"x is 3, but y comes to 4"):
        Equation(x, [Side(y)]).check()
    with pytest.raises(DerivationError):
        Equation(x, [Side(Number(math.nan))]).check()
    with pytest.raises(DerivationError, match=r"x = y − 1 holds at this point, but not for all"):
        Equation(x, [Side(y - 1.0)]).check()


def test_a_text_that_stands_for_two_numbers_is_refused() -> None:
    x, other = (Symbol.named(Slope(3.0, residue(place)), "x") for place in range(2))
    for body in ([Sentence(x), Sentence(other)], [Equation(x, []), Row([Equation(other, [])])]):
        check([Section("", body[:1]), Section("", body[:1])])
        with pytest.raises(DerivationError, match=r"x would stand for 3\.0 and for 3\.0"):
            check([Section("", body[:1]), Section("", body[1:])])


def test_words_in_mathml_are_one_element_each() -> None:
    cosh = primitive("cosh_of", math.cosh, lambda x, z: (exp(x) - exp(-x)) / 2)
    try:
        gain = Value(2, "gain")
        html = derive(cosh(gain) * 1, gain).html
    finally:
        del TABLE["cosh_of"]
    assert "<mi>gain</mi>" in html
    assert "<mo>cosh_of</mo><mi>′</mi>" in html
    assert "&amp;#x" not in html
