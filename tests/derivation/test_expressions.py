"""Expressions: gathered, and written in text and LaTeX."""

from autograd_rnn.derivation.expressions import (
    Applied,
    Expression,
    Number,
    Product,
    Sum,
    Symbol,
    product,
    total,
)
from autograd_rnn.graph.identities import Slope, residue
from autograd_rnn.graph.notation import LATEX, TEXT
from autograd_rnn.ops import table as ops


def named(name: str, value: float) -> Symbol:
    return Symbol.named(Slope(value, residue(name)), name)


def text(expression: Expression) -> str:
    return expression.write(TEXT).text


def test_products_and_sums_are_gathered() -> None:
    x, y = named("x", 3.0), named("y", -2.0)
    assert (x * y * x).write(TEXT).text == "x²·y"
    assert (x * y * x).write(TEXT, numbers=True).text == "3²·(−2)"
    assert (-(x + y) * 2.0).write(TEXT).text == "−2(x + y)"
    assert (x - y - 1.0).write(TEXT).text == "x − y − 1"
    assert (x * 0.0).value == 0.0
    assert isinstance(x * 0.0, Number)
    assert isinstance(product([x, Number(1.0)]), Symbol)
    assert isinstance(total([x, Number(0.0)]), Symbol)
    assert isinstance(total([x, y]), Sum)
    assert isinstance(product([x, y]), Product)
    assert (x / y).write(LATEX).text == r"\frac{x}{y}"
    assert text((x / y) * x) == "x² / y"
    assert (2.0 / x).write(TEXT).text == "2 / x"
    assert (x**2.0).write(LATEX).text == "x^{2}"
    assert (1.0 - x).write(LATEX, numbers=True).text == "1 - 3"
    assert ((x + y) * (x + 1.0)).write(LATEX).text == r"\left(x + y\right)\left(x + 1\right)"


def test_a_name_with_a_superscript_is_no_bare_base() -> None:
    q, x = named("q⁽⁵⁾", 2.0), named("x", 3.0)
    assert (q * q * x).write(LATEX).text == r"\left(q^{(5)}\right)^{2} \cdot x"
    assert (q**x).write(LATEX).text == r"\left(q^{(5)}\right)^{x}"
    assert (q * x).write(LATEX).text == r"q^{(5)} \cdot x"


def test_like_terms_are_gathered_and_fractions_cancel() -> None:
    x, y = named("x", 3.0), named("y", -2.0)
    e = Applied(ops.exp, [x])
    assert text(x * y + y * x) == "2·x·y"
    assert text(x * y - y * x) == "0"
    assert text((-(y / e) / e) * e) == "−y / exp(x)"
    assert text(1.0 / (x + y) + (-x) / (x + y)) == "(1 − x) / (x + y)"
    assert text(x - (y - 1.0)) == "x − y + 1"
    assert text(e * e) == "exp(x)²"
    assert text(2.0 * x / 3.0) == "2·x / 3"
    assert text(x * 0.75) == "0.75·x"
    assert text((x + y) / (x + y)) == "1"


def test_numbers_are_gathered_exactly() -> None:
    x = named("x", 3.0)
    assert (x * 0.1 + x * 0.2 - x * 0.1 - x * 0.2).residue == 0
    third = x * 1.0 / 3.0
    assert (third * 3.0).residue == x.residue
    assert third.exact(numbers=False)
    assert not (x * 0.123456789).exact(numbers=False)


def test_residues_tell_formulas_apart() -> None:
    x, y = named("x", 3.0), named("y", -2.0)
    assert ((x + y) * (x - y)).residue == (x * x - y * y).residue
    assert ((x + y) * (x + y)).residue != (x * x + y * y).residue
    assert (x / y * y).residue == x.residue
    assert Applied(ops.tanh, [x + y]).residue == Applied(ops.tanh, [y + x]).residue
    assert Applied(ops.tanh, [x]).residue != Applied(ops.sigmoid, [x]).residue
