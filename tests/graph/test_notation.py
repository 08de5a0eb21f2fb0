"""Names, accents and numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import ops
from autograd_rnn.graph.notation import (
    LATEX,
    TEXT,
    Text,
    accent,
    label,
    latex_name,
    number,
    superscript,
    write,
    write_number,
)
from autograd_rnn.ops import op


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *[("w1", "w₁"), ("w_1", "w₁"), ("w_12", "w₁₂"), ("weight1", "weight₁"), ("w", "w")],
        *[("7", "7"), ("", ""), ("_", "_"), ("a b", "a b"), ("q̇", "q̇"), ("w_1_2", "w_1_2")],
        *[("π2", "π₂"), ("x-1", "x-1"), ("w₁", "w₁"), ("w_1\n", "w_1\n"), ("w_٣", "w_٣")],
    ],
)
def test_labels(name: str, shown: str) -> None:
    assert label(name) == shown


def test_no_number_ends_with_a_point() -> None:
    assert [number(x, digits=2) for x in (-11.3, 99.6, 9.96)] == ["−11", "1×10²", "10"]


def test_accents_are_step_numbers() -> None:
    assert [accent("w_1", k) for k in (1, 2, 3, 4, 5, 12)] == [
        *["\u1e87₁", "\u1e85₁", "w\u20db₁", "w\u20dc₁", "w₁⁽⁵⁾", "w₁⁽¹²⁾"]
    ]
    assert accent("w_1", 1, accents=False) == "w₁⁽¹⁾"
    assert accent("weight1", 2) == "weight₁⁽²⁾"
    assert accent("π", 3) == "π\u20db"
    assert accent("²", 1) == "²⁽¹⁾"


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        *[(0.0, "0"), (-0.0, "0"), (32.0, "32"), (-4.0, "−4"), (12345.0, "12345")],
        *[(999999.0, "999999"), (1e6, "1×10⁶"), (1234567.0, "1.235×10⁶"), (0.5, "0.5")],
        *[(-0.123456, "−0.1235"), (1.2e-9, "1.2×10⁻⁹"), (1e300, "1×10³⁰⁰"), (0.99999, "1.000")],
        *[(math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "nan"), (123456.7, "1.235×10⁵")],
        *[(15.9996, "16.00"), (-2.0000001, "−2.000"), (2.5, "2.5"), (1e-300, "1×10⁻³⁰⁰")],
    ],
)
def test_numbers(x: float, shown: str) -> None:
    assert number(x) == shown


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_printed_whole_where_asked(x: int) -> None:
    assert number(float(x), whole=15) == str(x).replace("-", "−")


def test_superscripts() -> None:
    assert superscript("(12)") == "⁽¹²⁾"
    assert superscript("−2") == "⁻²"
    assert superscript("3.5") is None


@pytest.mark.parametrize(
    ("op", "operands", "written"),
    [
        (ops.add, (Text("a", op.SUM), Text("b", op.SUM)), "a + (b)"),
        (ops.sub, (Text("15"), Text("π")), "15 − π"),
        (ops.mul, (Text("a + b", op.SUM), Text("c")), "(a + b)·c"),
        (ops.div, (Text("a·b", op.PRODUCT), Text("c·d", op.PRODUCT)), "a·b / (c·d)"),
        (ops.div, (Text("a / b", op.QUOTIENT), Text("c")), "(a / b) / c"),
        (ops.mul, (Text("a / b", op.QUOTIENT), Text("x")), "(a / b)·x"),
        (ops.mul, (Text("a·b", op.PRODUCT), Text("c·d", op.PRODUCT)), "a·b·(c·d)"),
        (ops.mul, (write_number(-2.0), Text("x")), "−2·x"),
        (ops.mul, (Text("x"), write_number(-2.0)), "x·(−2)"),
        (ops.add, (Text("x"), write_number(-1.0)), "x + (−1)"),
        (ops.pow, (Text("x"), write_number(-2.0)), "x⁻²"),
        (ops.pow, (write_number(-2.0), Text("2")), "(−2)²"),
        (ops.pow, (write_number(2e8), Text("x")), "(2×10⁸)ˣ"),
        (ops.pow, (Text("x"), write_number(1e9)), "x^(1×10⁹)"),
        (ops.pow, (Text("x"), write_number(0.5)), "x^0.5"),
        (ops.pow, (Text("a + b", op.SUM), Text("2")), "(a + b)²"),
        (ops.pow, (Text("a"), Text("b + 1", op.SUM)), "a^(b + 1)"),
        (ops.pow, (Text("a"), Text("b")), "a^b"),
        (ops.pow, (Text("x²", op.POWER), Text("3")), "(x²)³"),
        (ops.sub, (Text("a − b", op.SUM), Text("c − d", op.SUM)), "a − b − (c − d)"),
        (ops.neg, (Text("−x", op.SIGN),), "−(−x)"),
        (ops.neg, (Text("a·b", op.PRODUCT),), "−(a·b)"),
        (ops.tanh, (Text("a + b", op.SUM),), "tanh(a + b)"),
        (ops.TABLE["greater"], (Text("a"), Text("0")), "[a > 0]"),
    ],
)
def test_expressions(op: ops.Op, operands: tuple[Text, ...], written: str) -> None:
    assert write(op, *operands).text == written


@pytest.mark.parametrize(
    ("op", "operands", "written"),
    [
        (ops.add, (Text("a", op.SUM), Text("b", op.SUM)), r"a + \left(b\right)"),
        (ops.mul, (Text("-2", op.SIGN), Text("x")), r"\left(-2\right) \cdot x"),
        (
            ops.div,
            (Text("a + b", op.SUM), Text("c \\cdot d", op.PRODUCT)),
            r"\frac{a + b}{c \cdot d}",
        ),
        (ops.pow, (Text("x"), Text("b + 1", op.SUM)), "x^{b + 1}"),
        (ops.pow, (Text("x"), Text("-2", op.SIGN)), "x^{-2}"),
        (ops.pow, (Text("x^{2}", op.POWER), Text("3")), r"\left(x^{2}\right)^{3}"),
        (ops.TABLE["sqrt"], (Text("a + b", op.SUM),), r"\sqrt{a + b}"),
        (ops.TABLE["abs"], (Text("a + b", op.SUM),), r"\left|a + b\right|"),
    ],
)
def test_expressions_in_latex(op: ops.Op, operands: tuple[Text, ...], written: str) -> None:
    assert write(op, *operands, style=LATEX).text == written


def test_a_fraction_is_a_factor_without_parentheses_and_a_base_with() -> None:
    half = write(ops.div, Text("1"), Text("2"), style=LATEX)
    assert write(ops.mul, half, Text("x"), style=LATEX).text == r"\frac{1}{2} \cdot x"
    assert write(ops.neg, half, style=LATEX).text == r"-\frac{1}{2}"
    assert write(ops.pow, half, Text("x"), style=LATEX).text == r"\left(\frac{1}{2}\right)^{x}"


def test_numbers_in_a_style() -> None:
    assert write_number(-1.23456789e-9, LATEX) == (r"-1.23457 \times 10^{-9}", op.SIGN)
    assert write_number(123456789012345.0, TEXT) == ("123456789012345", op.ATOM)
    assert [write_number(x).text for x in (math.inf, -math.inf, math.nan)] == ["∞", "−∞", "nan"]


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        *[("w_1", "w_{1}"), ("w1", "w_{1}"), ("ẇ₁", r"\dot{w}_{1}"), ("π⃛", r"\dddot{\pi}")],
        *[("w₁⁽⁵⁾", "w_{1}^{(5)}"), ("q̈₁₂", r"\ddot{q}_{12}"), ("loss", r"\mathrm{loss}")],
        *[("u_f", "u_{f}"), ("u_in", r"u_{\mathrm{in}}"), ("u_f⁽²⁾", "u_{f}^{(2)}")],
        *[("λ", r"\lambda"), ("Ω", r"\Omega"), ("α", r"\alpha"), ("ο", r"\text{ο}")],
        *[("a b", r"\text{a b}"), ("50%", r"\text{50\%}"), ("\\x", r"\text{∖x}")],
        *[("gain⁽¹⁾", r"\mathrm{gain}^{(1)}"), ("x{", r"\text{x\{}"), ("w⃜", r"\ddddot{w}")],
    ],
)
def test_names_in_latex(name: str, latex: str) -> None:
    assert latex_name(name) == latex
