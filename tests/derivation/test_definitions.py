"""A graph as definitions, and the slopes of its ops by the rules of the table."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from autograd_rnn import RNN, Value, bits, derive, exp, gradients, maximum, primitive, softplus
from autograd_rnn.errors import GraphTooLarge
from autograd_rnn.ops.op import TABLE


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if not op.flat])
def test_every_op_is_written(name: str) -> None:
    op, inside = TABLE[name], name in ("arcsin", "arccos", "arctanh")
    x, y = Value(0.75 if inside else 1.5, "x"), Value(0.0 if name == "unless" else 2.25, "y")
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
        (maximum(x, y) * 1, "∂L/∂x = ∂max(x, y)/∂x"),
        (x**y * 1, "∂L/∂ẋ = y·ẋ^(y − 1)"),
    ]:
        assert line in derive(output, x).text


def test_a_primitive_is_derived_by_its_rule() -> None:
    cube = primitive("cube_derived", lambda x: x * x * x, lambda x, z: 3.0 * x * x, symbol="x³")
    halves = primitive(
        "mean_derived", lambda x, y: (x + y) / 2, (lambda x, y, z: 0.5, lambda x, y, z: 0.5)
    )
    long = primitive("long_derived", math.sinh, lambda x, z: (exp(x) + exp(-x)) / 2)
    try:
        x = Value(2, "x")
        assert derive(cube(x) + 1, x).value == 12.0
        assert derive(halves(x, x) + 1, x).value == 1.0
        worked = derive(long(x) + 1, x)
        assert worked.value == pytest.approx(math.cosh(2))
        assert "long_derived′(x)" in worked.text
    finally:
        for name in ("cube_derived", "mean_derived", "long_derived"):
            del TABLE[name]


def test_too_much_to_define_is_refused() -> None:
    rnn = RNN([[0.5], [1]], bias=False)
    run = rnn.unroll(bits("1" * 250))
    with pytest.raises(GraphTooLarge, match=r"would define 500 quantities, more than 400"):
        derive((1 - run.pi[0]) ** 2, rnn.weights[0][0], run=run)
