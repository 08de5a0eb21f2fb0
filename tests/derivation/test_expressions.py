"""Expressions: gathered, and written in text and LaTeX."""

from autograd_rnn.derivation.expressions import Number, Product, Sum, Symbol, product, total
from autograd_rnn.graph.notation import LATEX, TEXT


def test_products_and_sums_are_gathered() -> None:
    x, y = Symbol.named("x", 3.0, "x"), Symbol.named("y", -2.0, "y")
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
    assert ((x / y) * x).write(TEXT).text == "(x / y)·x"
    assert (2.0 / x).write(TEXT).text == "2 / x"
    assert (x**2.0).write(LATEX).text == "x^{2}"
    assert (1.0 - x).write(LATEX, numbers=True).text == "1 - 3"
    assert ((x + y) * (x + 1.0)).write(LATEX).text == r"\left(x + y\right)\left(x + 1\right)"


def test_a_name_with_a_superscript_is_no_bare_base() -> None:
    q, x = Symbol.named("q", 2.0, "q⁽⁵⁾"), Symbol.named("x", 3.0, "x")
    assert (q * q * x).write(LATEX).text == r"\left(q^{(5)}\right)^{2} \cdot x"
    assert (q**x).write(LATEX).text == r"\left(q^{(5)}\right)^{x}"
    assert (q * x).write(LATEX).text == r"q^{(5)} \cdot x"
