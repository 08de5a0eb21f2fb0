"""Derivations: what they come to, what they print, and that every printed equation holds."""

import math
import re
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Value,
    bits,
    copies,
    derive,
    escape,
    exp,
    gradients,
    maximum,
    no_grad,
    primitive,
    separates,
    softplus,
)
from autograd_rnn.derivation.document import Equation, Side
from autograd_rnn.derivation.expressions import (
    LATEX,
    TEXT,
    Number,
    Product,
    Sum,
    Symbol,
    latex_name,
    product,
    total,
)
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import DerivationError, GraphTooLarge, StaleGraphError
from autograd_rnn.graph.walk import swept
from autograd_rnn.ops.op import TABLE

from ..graph.test_walk import runs
from ..pictures.exercise import HOSTILE
from ..strategies import Pair, name_some, numbers_around_one, pairs, whole_pairs

GOLDEN = Path(__file__).parent / "golden"


def exercise(weight: int = 0, **options: Any) -> Any:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (constant(15.0, "y") - run.pi[0]) ** 2
    return derive(loss, rnn.parameters()[weight], run=run, **options)


def lstm_step() -> tuple[Value, dict[str, Value]]:
    """An LSTM of one unit over two inputs, its gates named."""
    names = ["u_i", "v_i", "u_f", "v_f", "u_o", "v_o", "u_g", "v_g"]
    w = {name: Value(0.3 * place - 1.0, name) for place, name in enumerate(names)}
    h, c = Value(0.5, "h"), Value(-0.5, "c")
    for k, x in enumerate([1, 0.5], 1):
        i, f, o = [(w[f"u_{g}"] * x + w[f"v_{g}"] * h).sigmoid() for g in "ifo"]
        g = (w["u_g"] * x + w["v_g"] * h).tanh()
        c = f * c + i * g
        h = o * c.tanh()
        for name, value in zip("ifogch", (i, f, o, g, c, h), strict=True):
            value.name = f"{name}_{k}"
    return (1 - h) ** 2, w


# --- the lecture's exercise ----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "latex"])
def test_the_exercise_reads_like_the_lecture(form: str) -> None:
    assert getattr(exercise(), form) == (GOLDEN / f"exercise.{form}").read_text("utf-8")


def test_the_exercise_has_the_equations_of_panels_12_to_16() -> None:
    latex = exercise().latex
    for line in [
        # 12
        r"\frac{\partial L}{\partial \dddot{\pi}} \cdot \frac{\partial \dddot{\pi}}{\partial w",
        r"-2\left(y - \dddot{\pi}\right)\left(\frac{\partial \dddot{\pi}}{\partial \dot{w}_{1}} + ",
        # 13
        r"\frac{\partial \dddot{\pi}}{\partial \dddot{w}_{1}} &= \ddot{q}",
        r"= \dot{q} \cdot \frac{\partial \dddot{\pi}}{\partial \ddot{\pi}}",
        r"= q \cdot \frac{\partial \dddot{\pi}}{\partial \dot{\pi}}",
        r"= \dddot{w}_{1} \cdot a'\left(\ddot{\pi}\right) = w_{1} \cdot a'\left(\ddot{\pi}\right)",
        r"= w_{1}^{2} \cdot a'\left(\ddot{\pi}\right) \cdot a'\left(\dot{\pi}\right)",
        # 14
        r"-2\left(y - \dddot{\pi}\right)\left(\ddot{q} + \dot{q} \cdot w_{1} \cdot a'\left(",
        r"q \cdot w_{1}^{2} \cdot a'\left(\ddot{\pi}\right) \cdot a'\left(\dot{\pi}\right)\right)",
        # 16
        r"-2\left(15 - 17\right)\left(4 + 1 \cdot 4 \cdot 1 + 0 \cdot 4^{2} \cdot 1 \cdot 1\right)",
        r"= 32",
    ]:
        assert line in latex


def test_the_exercise_as_data() -> None:
    worked = exercise()
    assert worked.value == 32.0
    assert [(t.name, t.outer, t.inner, t.grad) for t in worked.terms] == [
        *[("ẇ₁", 0.0, 1.0, 0.0), ("ẅ₁", 16.0, 1.0, 16.0), ("w⃛₁", 16.0, 1.0, 16.0)]
    ]
    assert [section.title for section in worked.sections] == [
        *["The problem", "The forward pass", "The separating set", "The chain rule"],
        *["The remaining derivatives", "The general formula", "The numbers"],
    ]
    assert repr(worked) == "<Derivation: ∂L/∂w₁ = 32.0>"
    assert str(worked) == worked.text
    assert worked._repr_markdown_() == worked.markdown
    assert exercise(1).value == 68.0


def test_the_copies_given_as_a_list_read_the_same() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (constant(15.0, "y") - run.pi[0]) ** 2
    w1 = rnn.weights[0][0]
    assert derive(loss, w1, run=run, through=copies(w1, loss, run)).text == exercise().text


def test_a_smallest_set_is_the_lectures_gate() -> None:
    worked = exercise(through="minimum")
    assert [(t.name, t.outer, t.inner) for t in worked.terms] == [("π⃛", 4.0, 8.0)]
    assert "∂L/∂w₁ = ∂L/∂π⃛·dπ⃛/dw₁" in worked.text
    assert worked.value == 32.0


def test_a_set_whose_members_lie_behind_each_other() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    worked = derive(loss, rnn.weights[0][0], run=run, through=[step.pi[0] for step in run.steps])
    assert [(t.outer, t.inner) for t in worked.terms] == [(0.0, 0.0), (0.0, 1.0), (4.0, 8.0)]
    assert "holds the rest of S fixed" in worked.text
    assert "∂L/∂π⃛|S·dπ⃛/dw₁" in worked.text
    assert "∂L/∂π̈|S = 0" in worked.text
    # What is 0 is dropped afterwards.
    assert "∂L/∂w₁ = −2(15 − π⃛)·dπ⃛/dw₁" in worked.text
    assert worked.value == 32.0


# --- any graph -----------------------------------------------------------------------------------


def sources_of(output: Value, values: list[Value]) -> list[Value]:
    return [
        value
        for value in values
        if value is not output and not value.constant and escape([], value, output) is not None
    ]


def some_set(data: st.DataObject, source: Value, output: Value, values: list[Value]) -> list[Any]:
    """A random separating set of nodes and copies, whose members may lie behind each other."""
    met = set(swept(output))
    uses = [c for v in values if not v.constant for c in copies(v, output) if c.consumer in met]
    nodes = [v for v in values if v in met and not v.constant]
    members = data.draw(st.lists(st.sampled_from([*uses, *nodes]), max_size=4, unique_by=id))
    while (path := escape(members, source, output)) is not None:
        members.append(data.draw(st.sampled_from(list(path))))
    return members


@given(whole_pairs(), st.data())
@settings(max_examples=150)
def test_whole_numbers_come_out_exactly(pair: Pair, data: st.DataObject) -> None:
    output = pair.values[-1]
    sources = sources_of(output, pair.values)
    if not (sources):
        return
    name_some(data, pair)
    source = data.draw(st.sampled_from(sources))
    (true,) = gradients(output, [source])
    by_copies = derive(output, source)
    assert by_copies.value == true == sum(term.grad for term in by_copies.terms)
    members = some_set(data, source, output, pair.values)
    assert separates(members, source, output)
    through = derive(output, source, through=members)
    assert through.value == true == sum(term.grad for term in through.terms)
    check_print(through)
    if source not in output.parents:
        smallest = derive(output, source, through="minimum")
        assert smallest.value == true
        check_print(smallest)


@given(pairs(numbers=numbers_around_one, most_ops=6), st.data())
@settings(max_examples=150)
def test_all_ops_come_out(pair: Pair, data: st.DataObject) -> None:
    output = pair.values[-1]
    sources = sources_of(output, pair.values)
    if not (sources):
        return
    name_some(data, pair)
    source = data.draw(st.sampled_from(sources))
    finite = all(math.isfinite(x) for v in pair.values for x in (v.data, *v.partials))
    try:
        worked = derive(output, source)
    except ValueError:
        assert not finite
        return
    except DerivationError:
        # Floats can be too small or too large for products in another order.
        assert not all(1e-100 < abs(v.data) < 1e100 for v in pair.values if v.data)
        return
    (true,) = gradients(output, [source])
    scale = sum(abs(term.grad) for term in worked.terms)
    assert worked.value == pytest.approx(true, rel=1e-9, abs=1e-9 * scale)
    check_print(worked)


@given(runs(whole=False), st.data())
@settings(max_examples=40)
def test_networks_come_out(made: tuple[Any, Any], data: st.DataObject) -> None:
    rnn, run = made
    if not (1 <= len(run.steps) <= 5):
        return
    loss = (0.5 - run.pi[0]) ** 2
    weight = data.draw(st.sampled_from(rnn.parameters()))
    if not (escape([], weight, loss) is not None):
        return
    worked = derive(loss, weight, run=run)
    (true,) = gradients(loss, [weight])
    assert worked.value == pytest.approx(true, rel=1e-9, abs=1e-12)
    assert [term.member.step for term in worked.terms] == sorted(
        t.member.step for t in worked.terms
    )
    check_print(worked)


# --- what is printed -----------------------------------------------------------------------------


def evaluate(latex: str) -> float:
    """What printed LaTeX without symbols comes to: read anew, by nothing of the package."""
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


PLAIN = re.compile(r"[\d.\s()+-]|\\left|\\right|\\cdot|\\times|\\frac|[{}^]")


def check_print(worked: Any) -> None:
    """Each side in numbers is read back: it comes to the left side, but for what was rounded."""
    for section in worked.sections:
        for equation in section.equations:
            for side in equation.sides:
                latex = side.write(LATEX)
                numeric = side.numbers or not side.expression.has_symbols()
                if not numeric or PLAIN.sub("", latex):
                    continue  # symbols, or an op that is called by name
                try:
                    value = evaluate(latex)
                except (ZeroDivisionError, OverflowError):
                    continue
                size = 1e-4 * side.expression.magnitude()
                if side.relation(TEXT) == "=":
                    size = 1e-12 * side.expression.magnitude()
                if "{-" not in latex and "^" not in latex:
                    assert value == pytest.approx(equation.left.value, rel=1e-4, abs=size), latex


def test_the_exercise_is_read_back_exactly() -> None:
    (equation,) = exercise().sections[-1].equations
    assert [evaluate(side.write(LATEX)) for side in equation.sides] == [32.0, 32.0, 32.0]
    assert evaluate(r"-2\left(-2\right) \cdot 8^{2} + \frac{3 \cdot 2}{4}") == 257.5
    assert evaluate(r"1.5 \times 10^{-3}") == 0.0015


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if not op.flat])
def test_every_op_is_written(name: str) -> None:
    op = TABLE[name]
    x, y = Value(1.5, "x"), Value(2.25, "y")
    output = op(*(x, y)[: op.arity]) * x
    for source in (x, y)[: op.arity]:
        worked = derive(output, source)
        assert worked.value == pytest.approx(gradients(output, [source])[0], rel=1e-12)
        assert "{}" not in worked.latex
        balanced = worked.latex
        assert balanced.count("{") == balanced.count("}")
        assert balanced.count(r"\left") == balanced.count(r"\right")
        ElementTree.fromstring(
            worked.html[worked.html.index("<table>") :].split("</table>")[0] + "</table>"
        )


def test_rules_are_written_out_where_they_are_short() -> None:
    x, y = Value(1.5, "x"), Value(2.0, "y")
    for output, line in [
        (x.log() * 1, "∂L/∂ẋ = 1 / ẋ = 1 / 1.5"),
        (x**3 * 1, "∂L/∂ẋ = 3·ẋ²"),
        (x.tanh() * 1, "∂L/∂ẋ = tanh′(x)"),
        (x.sin() * 1, "∂L/∂ẋ = cos(ẋ)"),
        (x.cos() * 1, "∂L/∂ẋ = −sin(ẋ)"),
        (softplus(x) * 1, "∂L/∂ẋ = σ(ẋ)"),
        (maximum(x, y) * 1, "∂L/∂ẋ = 0"),
        (x**y * 1, "∂L/∂ẋ = y·ẋ^(y − 1)"),
    ]:
        assert line in derive(output, x).text


def test_an_lstm_stays_readable() -> None:
    loss, w = lstm_step()
    for weight in w.values():
        worked = derive(loss, weight)
        (true,) = gradients(loss, [weight])
        assert worked.value == pytest.approx(true, rel=1e-12)
        widest = max(len(line) for line in worked.text.splitlines())
        assert widest <= 120
        assert len(worked.text.splitlines()) < 120
    assert "∂L/∂v_f = −2(1 − h₂)(" in derive(loss, w["v_f"]).text


def test_long_products_fold() -> None:
    rnn = RNN([[0.9], [1]], activation="tanh", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("1" * 12))
    loss = (1 - run.pi[0]) ** 2
    worked = derive(loss, rnn.weights[0][0], run=run)
    (general,) = worked.sections[-2].equations
    assert general.sides[0].expression.size() < 80
    assert re.search(r"q̇·∂π⁽¹²⁾/∂π⁽.⁾·w₁", general.sides[0].write(TEXT))
    (true,) = gradients(loss, [rnn.weights[0][0]])
    assert worked.value == pytest.approx(true, rel=1e-12)


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
    assert worked.tex.startswith("\\documentclass{article}\n")
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
    assert "<script" not in worked.html
    # No brace of a name is markup: all are in pairs or escaped.
    bare = re.sub(r"\\[{}]", "", worked.latex)
    assert bare.count("{") == bare.count("}")


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


def test_products_and_sums_are_gathered() -> None:
    x, y = Symbol("x", 3.0, "x", "x"), Symbol("y", -2.0, "y", "y")
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


def test_an_equation_that_does_not_hold_is_refused() -> None:
    x, y = Symbol("x", 3.0, "x", "x"), Symbol("y", 4.0, "y", "y")
    Equation(x, [Side(y - 1.0)]).check()
    with pytest.raises(DerivationError, match=r"x is 3\.0, but y comes to 4\.0"):
        Equation(x, [Side(y)]).check()
    with pytest.raises(DerivationError):
        Equation(x, [Side(Number(math.nan))]).check()


# --- primitives ----------------------------------------------------------------------------------


def test_a_primitive_is_derived_by_its_rule() -> None:
    cube = primitive("cube_derived", lambda x: x * x * x, lambda x, z: 3.0 * x * x, symbol="x³")
    halves = primitive(
        "mean_derived", lambda x, y: (x + y) / 2, (lambda x, y, z: 0.5, lambda x, y, z: 0.5)
    )
    opaque = primitive("opaque_derived", math.sinh, lambda x, z: math.cosh(x))
    try:
        x = Value(2, "x")
        assert derive(cube(x) + 1, x).value == 12.0
        assert derive(halves(x, x) + 1, x).value == 1.0
        worked = derive(opaque(x) + 1, x)
        assert worked.value == pytest.approx(math.cosh(2))
        assert "opaque_derived′(x)" in worked.text
    finally:
        for name in ("cube_derived", "mean_derived", "opaque_derived"):
            del TABLE[name]


# --- refusals ------------------------------------------------------------------------------------


def test_refusals() -> None:
    x, y = Value(2, "x"), Value(3, "y")
    m = x * y
    m.name = "m"
    output = m + x
    output.name = "z"
    for error, words, call in [
        (ValueError, r"output does not depend on the parameter", lambda: derive(x * 2, y)),
        (ValueError, r"output \(x = 2\.0\) is a leaf", lambda: derive(x, x)),
        (ValueError, r"depend on the parameter", lambda: derive(output, output)),
        (ValueError, r"through is empty", lambda: derive(output, x, through=[])),
        (ValueError, r"x → z meets none of it", lambda: derive(output, x, through=[m])),
        (
            ValueError,
            r"nodes\[1\] .* not in the graph",
            lambda: derive(output, x, through=[m, y * 2]),
        ),
        (ValueError, r"must be 'minimum'", lambda: derive(output, x, through="least")),
        (ValueError, r"uses it directly", lambda: derive(output, x, through="minimum")),
        (TypeError, r"through must be a list", lambda: derive(output, x, through=3)),
        (TypeError, r"through must be a list", lambda: derive(output, x, through=m)),
        (
            TypeError,
            r"nodes\[0\] must be a Value or a Copy",
            lambda: derive(output, x, through=[3]),
        ),
        (TypeError, r"output must be a node", lambda: derive(3, x)),
        (TypeError, r"parameter must be a node", lambda: derive(output, "x")),
        (TypeError, r"run must be an unrolled network", lambda: derive(output, x, run=3)),
        (ValueError, r"log\(.*\) = -inf has no finite", lambda: derive(Value(0).log() * x, x)),
        (
            ValueError,
            r"parameter is the constant",
            lambda: derive(output * 2, (output * 2).parents[1]),
        ),
    ]:
        with pytest.raises(error, match=words):
            call()
    with no_grad():
        constant_result = x * y
    with pytest.raises(ValueError, match="does not depend"):
        derive(constant_result + 1, x)


def test_a_stale_graph_is_refused() -> None:
    x = Value(2, "x")
    output = x * x * x
    x.data = 3
    with pytest.raises(StaleGraphError):
        derive(output, x)


def test_too_much_to_tell_is_refused() -> None:
    rnn = RNN([[0.5], [1]], bias=False)
    run = rnn.unroll(bits("1" * 250))
    with pytest.raises(GraphTooLarge, match=r"would tell 500 quantities, more than 400"):
        derive((1 - run.pi[0]) ** 2, rnn.weights[0][0], run=run)


def test_nothing_is_touched() -> None:
    x = Value(2, "x")
    output = exp(x) * x
    output.backward()
    before = (x.grad, output.grad)
    derive(output, x)
    assert (x.grad, output.grad) == before
