"""One new op, registered from outside: every reader has it."""

import contextlib
import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Value,
    check_gradients,
    copies,
    draw,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jvp,
    ops,
    primitive,
    record,
)
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.ops import ieee
from autograd_rnn.ops.ieee import same_bits
from autograd_rnn.ops.op import CALL, PRODUCT, Op


@pytest.fixture
def cosh() -> Op:
    return primitive("own_cosh", math.cosh, lambda x, z: (exp(x) - exp(-x)) / 2)


@pytest.fixture
def hypot() -> Op:
    return primitive(
        "own_hypot",
        math.hypot,
        (lambda x, y, z: x / z, lambda x, y, z: y / z),
        symbol="⊕",
        text="{} ⊕ {}",
        latex=r"{} \oplus {}",
        binds=PRODUCT,
    )


def test_floats_and_values(cosh: Op, hypot: Op) -> None:
    assert cosh(0.5) == math.cosh(0.5)
    x, y = Value(3, "x"), Value(4, "y")
    z = hypot(x, y)
    assert (z.data, z.op, z.parents, z.partials) == (5, hypot, (x, y), (3 / 5, 4 / 5))
    assert hypot(x, 4).parents[1].constant
    assert type(hypot(3, 4)) is float


def test_backward_forward_and_second_derivatives(cosh: Op, hypot: Op) -> None:
    x = Value(0.5)
    cosh(x).backward()
    assert x.grad == pytest.approx(math.sinh(0.5), rel=1e-15)
    assert jvp(cosh, [0.5], [2])[1] == pytest.approx(2 * math.sinh(0.5), rel=1e-15)
    assert grad(grad(cosh))(0.5) == pytest.approx(math.cosh(0.5), rel=1e-15)
    leaves = [Value(3), Value(4)]
    matrix = hessian(hypot(*leaves), leaves)
    assert matrix[0] == pytest.approx([16 / 125, -12 / 125])
    assert hvp(hypot, [3, 4], [0, 1]) == pytest.approx(matrix[1])
    assert all(report.checked for report in check_gradients(hypot, [3, 4]))
    assert copies(x, hypot(x, x)).total == gradients(hypot(x, x), [x])[0]


def test_pictures_expressions_and_networks(cosh: Op, hypot: Op) -> None:
    x, y = Value(3, "x"), Value(4, "y")
    loss = hypot(x, y) * 2 + cosh(x + y)
    dot = draw(loss).dot
    assert "⊕" in dot
    assert "cosh" in dot
    assert "ẋ ⊕ y" in str(copies(x, loss))
    rnn = RNN([[1], [1]], activation="own_cosh", bias=False)
    assert rnn([[0]])[0].data == 1


def test_how_an_op_is_drawn_and_written_is_given_by_name() -> None:
    define: Callable[..., Op] = primitive
    with pytest.raises(TypeError, match="positional"):
        define("own_cosh", math.cosh, lambda x, z: 1, "ch")


@pytest.mark.parametrize("symbol", ["{}", "{x}", "}{", "{0.upper}"])
def test_braces_in_a_symbol_are_drawn_as_they_are(symbol: str) -> None:
    op = primitive("braced", math.sinh, lambda x, z: exp(x), symbol=symbol)
    assert op.text.format("x") == f"{symbol}(x)"
    assert draw(op(Value(1, "x"))).summary.startswith(f"{symbol}(x) = ")


def test_an_op_without_slopes() -> None:
    sign = primitive("sign", lambda x: (x > 0) - (x < 0), ops.nothing)
    x = Value(-3, "x")
    y = sign(x)
    assert (sign.flat, y.data, y.constant, y.partials) == (True, -1, True, (0,))
    (y * x).backward()
    assert x.grad == -1


def test_no_slope_by_a_constant_is_computed() -> None:
    called: list[str] = []

    def rule(which: str) -> Callable[..., float]:
        return lambda *_: called.append(which) or 1.0  # type: ignore[func-returns-value]

    one = primitive("one", lambda x: x, rule("only"))
    two = primitive("two", lambda x, y: x + y, (rule("left"), rule("right")))
    c, x = constant(2.0), Value(3)
    called.clear()  # of the trials
    one(c)
    two(c, c)
    assert called == []
    two(c, x)
    two(x, c)
    one(x)
    assert called == ["right", "left", "only"]


def test_an_op_is_pickled_by_its_name(cosh: Op) -> None:
    assert pickle.loads(pickle.dumps(cosh)) is cosh


def test_what_is_not_given_is_made_of_the_name() -> None:
    op = primitive("log_gamma", math.lgamma, lambda x, z: x)
    assert (op.symbol, op.text, op.python) == ("log_gamma", "log_gamma({})", "log_gamma({})")
    assert op.latex.format("x") == r"\operatorname{log\_gamma}\left(x\right)"
    assert (op.llvm, op.binds, op.arity, op.flat) == (None, CALL, 1, False)
    two = primitive("two", lambda x, y: x, (lambda x, y, z: 1, lambda x, y, z: 0), symbol="2")
    assert (two.text, two.python) == ("2({}, {})", "two({}, {})")


def test_whole_numbers_of_a_value_or_a_rule_become_floats() -> None:
    count = primitive("count", lambda x: 7, lambda x, z: 2)
    y = count(Value(1))
    assert type(y.data) is type(y.partials[0]) is type(count(1)) is float


# --- tried at the door --------------------------------------------------------------------------

CAPTURED = Value(2.0, "captured")


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        (lambda x: "7", lambda x, z: 1, r"the value of bad must be a real number, not str"),
        (lambda x: CAPTURED, lambda x, z: 1, r"the value of bad must be .* not Value: .* \.data"),
        (lambda x: CAPTURED * x, lambda x, z: 1, r"the value of bad must be .* not Value"),
        (lambda: 1.0, lambda x, z: 1, r"value must give a float for 1 float, .* it raised"),
        (abs, lambda x, z: None, r"a partial of bad must be a real number, not NoneType"),
        (abs, lambda x, z: [x], r"a partial of bad must be a real number, not list"),
        (
            abs,
            lambda x, z: CAPTURED,
            r"a partial of bad must be a real number, not Value: .*\.data",
        ),
        (abs, lambda x, z: CAPTURED * x, r"a partial of bad must be a real number, not Value"),
        (abs, lambda x: 1.0, r"partials\[0\] must be .*, but for 0.5 it raised TypeError: .*argum"),
        (abs, lambda x, z: math.cos(x), r"partials\[0\] must be written in operators"),
        (abs, lambda x, z: 1 if x > 0 else -1, r"partials\[0\] .* greater and equal, or maximum"),
        (abs, lambda x, z: 1 if x else -1, r"TypeError: a condition reads the operand"),
        (abs, lambda x, z: (x == 0) * 1.0, r"TypeError: a condition reads the operand"),
        (abs, lambda x, z: 1 if x == 0 else 2, r"TypeError: a condition reads the operand"),
        (abs, lambda x, z: max(x, 0.0), r"TypeError: a condition reads the operand"),
        (abs, lambda x, z: round(x), r"partials\[0\] must be .* it raised TypeError: .*__round__"),
        (abs, lambda x, z: x % 1.0, r"partials\[0\] must be .* it raised TypeError: .* %"),
        (abs, lambda x, z: float(x), r"partials\[0\] must be .* it raised TypeError: float\(\)"),
        (abs, lambda x, z: numpy.cos(x), r"partials\[0\] must be .* it raised TypeError"),
        (abs, lambda x, z: x.tanh(), r"partials\[0\] must be .* it raised AttributeError"),
        (abs, lambda x, z: {0.5: 1}[x], r"partials\[0\] must be .* it raised TypeError: unhash"),
    ],
)
def test_a_value_or_a_rule_that_some_reader_cannot_use(value: Any, rule: Any, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        primitive("bad", value, rule)
    assert "bad" not in ops.TABLE
    if value is abs:
        with pytest.raises(ArgumentTypeError):
            primitive("bad", math.hypot, (ops.nothing, lambda x, y, z: rule(y, z)))


def test_rules_may_name_ops_that_are_defined_later() -> None:
    own = primitive("own_exp", math.exp, lambda x, z: own(x))
    sine = primitive("own_sin", math.sin, lambda x, z: cosine(x))
    cosine = primitive("own_cos", math.cos, lambda x, z: -sine(x))
    for op in (own, sine, cosine):
        assert all(report.checked for report in check_gradients(op, [0.5], order=3))


# --- IEEE ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (math.cosh, [(1000.0, math.inf), (-1000.0, math.inf), (1e300, math.inf)]),
        (math.sinh, [(1000.0, math.inf), (-1000.0, -math.inf)]),
        (math.exp, [(710.0, math.inf), (1e6, math.inf), (-1e6, 0.0)]),
        (math.gamma, [(172.0, math.inf), (0.0, math.inf), (-0.0, -math.inf)]),
        (math.log, [(0.0, -math.inf), (-1.0, math.nan)]),
        (math.log1p, [(-1.0, -math.inf), (-2.0, math.nan)]),
        (math.atanh, [(1.0, math.inf), (-1.0, -math.inf), (2.0, math.nan)]),
        (math.acos, [(2.0, math.nan), (math.inf, math.nan), (math.nan, math.nan)]),
        (math.sqrt, [(-1.0, math.nan), (4.0, 2.0)]),
        (math.sin, [(math.inf, math.nan), (-math.inf, math.nan)]),
        (lambda x: 1 / x, [(0.0, math.inf), (-0.0, -math.inf), (5.0, 0.2)]),
        (lambda x: -1 / x**2, [(0.0, -math.inf), (-0.0, -math.inf)]),
        (lambda x: math.sin(x) / x, [(0.0, math.nan), (-0.0, math.nan)]),
        (lambda x: x**3, [(1e200, math.inf), (-1e200, -math.inf)]),
        (lambda x: x**0.5, [(-4.0, math.nan), (4.0, 2.0)]),
        (lambda x: 1 / (1 + math.exp(-x)), [(-1000.0, 0.0), (1000.0, 1.0)]),
        (lambda x: 10**400 if x > 1 else 0, [(2.0, math.inf)]),
        (lambda x: math.floor(x), [(math.inf, math.nan), (math.nan, math.nan), (2.5, 2.0)]),
    ],
)
def test_a_value_never_raises(value: Callable[..., Any], limits: list[tuple[float, float]]) -> None:
    op = primitive("limited", value, lambda x, z: z)
    for x, expected in limits:
        for found in (op(x), op(Value(x)).data, record(op, 1.0)(x)):
            assert same_bits(found, expected), x


def test_a_value_of_two_numbers_never_raises() -> None:
    ratio = primitive("ratio", lambda x, y: x / y, (lambda x, y, z: 1 / y, lambda x, y, z: -z / y))
    for x, y in itertools.product((0.0, -0.0, 1.0, -2.0, math.inf, math.nan), repeat=2):
        assert same_bits(ratio(x, y), ieee.divide(x, y)) or math.isinf(x)
    power = primitive("own_pow", math.pow, (lambda x, y, z: y * x ** (y - 1), lambda x, y, z: 0))
    assert power(1e200, 3.0) == power(0.0, -1.0) == math.inf
    assert math.isnan(power(-8.0, 1 / 3))


@given(st.floats(), st.floats())
def test_a_rule_never_raises_and_is_that_of_values(x: float, y: float) -> None:
    """Python's operators raise where those of Values do not."""
    with contextlib.suppress(KeyError):
        del ops.TABLE["strange"]
    strange = primitive(
        "strange",
        lambda x, y: x - y,
        (lambda x, y, z: x / y + y**x, lambda x, y, z: (x / z) ** y * x),
    )
    a, b = Value(x), Value(y)
    out = strange(a, b)
    assert all(type(slope) is float for slope in out.partials)
    for found, by_values in zip(
        out.partials, gradients(out, [a, b], create_graph=True), strict=True
    ):
        assert same_bits(found, by_values.data)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tanh", math.tanh, lambda x, z: 1), r"the name 'tanh' is taken already: choose another"),
        (("linear", math.tanh, lambda x, z: 1), r"the name 'linear' is taken already"),
        (("co sh", math.cosh, lambda x, z: 1), r"name must be an identifier, such as 'swish'"),
        (("1" + "a" * 60, max, max), rf"not '1{'a' * 38}…'\."),
        (("none", math.cosh, ()), r"one rule per operand, .* one operand or two, not 0"),
        (("three", max, [lambda *_: 1] * 3), r"one rule per operand, .* or two, not 3"),
    ],
)
def test_refused_values(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ArgumentValueError, match=words):
        primitive(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3, math.cosh, lambda x, z: 1), r"name must be a str, not int"),
        (("own_cosh", 3, lambda x, z: 1), r"value must be a function, not int"),
        (("own_cosh", math.cosh, 3), r"partials\[0\] must be a function, not int"),
        (("own_cosh", math.cosh, (len, None)), r"partials\[1\] must be a function, not NoneType"),
    ],
)
def test_refused_types(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        primitive(*arguments)


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"symbol": 3}, TypeError, r"symbol must be a str or None, not int"),
        ({"text": 3}, TypeError, r"text must be a str or None, not int"),
        ({"text": "{} {}"}, ValueError, r"text must be a template with \{\} for each operand"),
        ({"latex": r"\cosh{"}, ValueError, r"latex must be a template"),
        ({"python": "{x}"}, ValueError, r"python must be a template"),
        ({"llvm": 3}, TypeError, r"llvm must be a str or None, not int"),
        ({"binds": 0}, ValueError, r"binds must be from 1 to 7, not 0"),
        ({"binds": True}, ValueError, r"binds must be from 1 to 7, not True"),
        ({"binds": "x"}, ValueError, r"binds must be from 1 to 7, not 'x'"),
    ],
)
def test_refused_options(option: dict[str, Any], error: type[Exception], words: str) -> None:
    define: Callable[..., Op] = primitive
    with pytest.raises(error, match=words):
        define("own_cosh", math.cosh, lambda x, z: 1, **option)
    assert "own_cosh" not in ops.TABLE
