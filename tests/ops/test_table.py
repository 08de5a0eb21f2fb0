"""The table: every entry against the reference, central differences, and what an entry promises."""

import itertools
import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograd_rnn import Value, gradients, hessian, hvp, jvp, ops
from autograd_rnn.arguments import as_float
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.ops.ieee import same_bits as same
from autograd_rnn.ops.numpy import on_arrays
from autograd_rnn.ops.op import TABLE, Op

from .. import reference
from ..strategies import any_numbers, smooth_operands

EVERY_OP = [pytest.param(op, id=name) for name, op in TABLE.items()]
EDGES = [
    *[0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1000.0, -1000.0, 1e-300],
    *[0.7, 1.1, 77.0],  # a power that is told from x**y / x by its last bits
    *[1e308, -1e308, 5e-324, -5e-324, math.inf, -math.inf, math.nan],
]


def equal(x: float, y: float) -> bool:
    """Equal, without tolerance, and NaN equal to NaN."""
    return x == y or (math.isnan(x) and math.isnan(y))


@pytest.mark.parametrize("op", EVERY_OP)
def test_every_op_is_in_the_reference(op: Op) -> None:
    assert op.name in reference.VALUES
    assert len(reference.PARTIALS[op.name]) == op.arity
    assert set(reference.VALUES) == set(TABLE)


@pytest.mark.parametrize("op", EVERY_OP)
def test_values_and_partials_at_the_edges_are_the_reference(op: Op) -> None:
    for operands in itertools.product(EDGES, repeat=op.arity):
        z = op(*operands)
        assert same(z, reference.VALUES[op.name](*operands)), (operands, z)
        for mine, naive in zip(op.partials, reference.PARTIALS[op.name], strict=True):
            found, wanted = mine(*operands, z), naive(*operands)
            assert same(found, wanted), (operands, found, wanted)


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_values_and_partials_anywhere_are_the_reference(op: Op, data: st.DataObject) -> None:
    operands = [data.draw(any_numbers) for _ in range(op.arity)]
    z = op(*operands)
    assert same(z, reference.VALUES[op.name](*operands))
    for mine, naive in zip(op.partials, reference.PARTIALS[op.name], strict=True):
        assert same(mine(*operands, z), naive(*operands))


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_values_on_arrays_are_those_on_floats(op: Op, data: st.DataObject) -> None:
    numbers = st.lists(any_numbers | st.floats(-30, 30), min_size=5, max_size=5)
    more = [data.draw(numbers) for _ in range(op.arity)]
    rows = [*itertools.product(EDGES, repeat=op.arity), *zip(*more, strict=True)]
    with np.errstate(all="ignore"):
        found = on_arrays(op)(*[np.array(column) for column in zip(*rows, strict=True)])
    for z, operands in zip(found.tolist(), rows, strict=True):
        wanted = op.value(*operands)
        close = math.isclose(z, wanted, rel_tol=1e-14, abs_tol=1e-323)
        assert same(z, wanted) or (close and z != 0.0 != wanted), (operands, z, wanted)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh"])
def test_no_warning_of_what_overflows_on_the_way(name: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        on_arrays(TABLE[name])(np.array([-1e4, -710.0, -0.0, 0.0, 710.0, 1e4]))


# The derivative that stop_gradient states is not that of its value: so it is meant.
@pytest.mark.parametrize("op", [one for one in EVERY_OP if one.id != "stop_gradient"])
@given(data=st.data())
def test_partials_agree_with_central_differences(op: Op, data: st.DataObject) -> None:
    operands = data.draw(smooth_operands(op))
    h = 1e-5
    for position in range(op.arity):
        around = []
        for sign in (1, -1):
            moved = list(operands)
            moved[position] += sign * h
            around.append(op(*moved))
        difference = (around[0] - around[1]) / (2 * h)
        assert op.partials[position](*operands, op(*operands)) == pytest.approx(
            difference, rel=1e-6, abs=1e-8
        )


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_partials_of_values_are_partials_of_floats(op: Op, data: st.DataObject) -> None:
    check_partials(op, [data.draw(any_numbers) for _ in range(op.arity)])


@pytest.mark.parametrize("op", EVERY_OP)
def test_partials_of_values_are_partials_of_floats_at_the_edges(op: Op) -> None:
    for operands in itertools.product(EDGES, repeat=op.arity):
        check_partials(op, operands)


def check_partials(op: Op, operands: Sequence[float]) -> None:
    """A rule stays inside the table: it serves Values as it serves floats."""
    z = op(*operands)
    for rule in op.partials:
        of_values = rule(*map(Value, operands), Value(z))
        number = of_values.data if isinstance(of_values, Value) else of_values
        assert same(number, rule(*operands, z))


def slopes(op: Op, operands: tuple[float, ...]) -> tuple[float, ...]:
    values = [Value(x) for x in operands]
    return gradients(op(*values), values)


@pytest.mark.parametrize("op", EVERY_OP)
def test_forward_is_reverse_at_the_edges(op: Op) -> None:
    for operands in itertools.product(EDGES, repeat=op.arity):
        for position, slope in enumerate(slopes(op, operands)):
            unit = [float(position == other) for other in range(op.arity)]
            value, tangent = jvp(op, operands, unit)
            assert same(value, op(*operands))
            # A term 0 · inf of another operand is a NaN of the sum, as IEEE has it.
            assert equal(tangent, slope) or math.isnan(tangent)
            others = [s for other, s in enumerate(slopes(op, operands)) if other != position]
            assert equal(tangent, slope) or not all(map(math.isfinite, others))


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_the_second_order_by_two_routes_and_by_differences(op: Op, data: st.DataObject) -> None:
    """Reverse over reverse, reverse over forward, and central differences of the partials."""
    operands = data.draw(smooth_operands(op))
    values = [Value(x) for x in operands]
    matrix = hessian(op(*values), values)
    h = 1e-5
    for position in range(op.arity):
        unit = [float(position == other) for other in range(op.arity)]
        assert hvp(op, operands, unit) == pytest.approx(matrix[position], rel=1e-12, abs=1e-12)
        around = [
            slopes(op, tuple([x + sign * h * u for x, u in zip(operands, unit, strict=True)]))
            for sign in (1, -1)
        ]
        differences = [(above - below) / (2 * h) for above, below in zip(*around, strict=True)]
        assert matrix[position] == pytest.approx(differences, rel=1e-6, abs=1e-6)


#: Whole numbers, negative ones too, where the exponents of powers are found by comparisons.
@pytest.mark.parametrize("op", EVERY_OP)
def test_second_derivatives_of_whole_numbers_are_finite(op: Op) -> None:
    for operands in itertools.product([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0], repeat=op.arity):
        x = Value(operands[0])
        y = op(x, *operands[1:])
        (slope,) = gradients(y, [x], create_graph=True)
        if math.isfinite(y.data) and math.isfinite(slope.data):
            (second,) = gradients(slope, [x])
            assert math.isfinite(second), (operands, second)


@pytest.mark.parametrize("op", EVERY_OP)
@given(data=st.data())
def test_the_python_of_an_op_computes_its_value(op: Op, data: st.DataObject) -> None:
    operands = [data.draw(any_numbers) for _ in range(op.arity)]
    written = op.python.format(*["x", "y"][: op.arity])
    names = {**TABLE, **dict(zip("xy", operands, strict=False))}
    assert same(eval(written, {"__builtins__": {}}, names), op(*operands))


@pytest.mark.parametrize("op", EVERY_OP)
def test_the_latex_of_an_op_shows_its_operands_in_order(op: Op) -> None:
    written = op.latex.format(*["X", "Y"][: op.arity])
    assert written.count("{") == written.count("}")
    assert written.count(r"\left") == written.count(r"\right")
    assert re.findall("[XY]", written) == ["X", "Y"][: op.arity]


@pytest.mark.parametrize("op", EVERY_OP)
def test_nan_in_gives_nan_out(op: Op) -> None:
    if op.name == "pow":
        assert op(math.nan, 0.0) == 1.0  # IEEE: x**0 is 1 for every x
        assert op(1.0, math.nan) == 1.0
    assert math.isnan(op(*[math.nan] * op.arity))


@pytest.mark.parametrize("op", EVERY_OP)
def test_an_entry_can_be_drawn_and_written(op: Op) -> None:
    assert op.symbol
    written = op.text.format(*["{}", "{}"][: op.arity]) if ":^" not in op.text else op.text
    assert "{" in written
    assert repr(op) == f"<op {op.name}>"


@example(1.0, 1.0)
@given(st.floats(-700, 700), st.floats(-700, 700))
def test_sigmoid_never_overflows_and_is_symmetric(x: float, y: float) -> None:
    assert 0.0 <= ops.sigmoid(x) <= 1.0
    assert ops.sigmoid(x) + ops.sigmoid(-x) == pytest.approx(1.0, abs=1e-15)
    assert (ops.sigmoid(x) <= ops.sigmoid(y)) or x > y


def test_wrong_operands_are_refused_at_the_door() -> None:
    with pytest.raises(ArgumentTypeError, match=r"tanh's operand must be a real number, not str"):
        ops.tanh("1")
    with pytest.raises(ArgumentTypeError, match=r"tanh takes 1 operand, but got 2"):
        ops.tanh(1, 2)
    with pytest.raises(ArgumentTypeError, match=r"add takes 2 operands, but got 1\."):
        ops.add(1)
    with pytest.raises(ArgumentTypeError, match=r"tanh's operand must be a real number, not dict"):
        ops.tanh({})


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (True, r"data must be a real number, not bool: write 1 for True"),
        ("2", r"data must be a real number, not str \('2'\): convert it with float\(\) first"),
        (None, r"data must be a real number, not NoneType: convert it to an int or a float"),
        (1j, r"data must be a real number, not complex"),
        (Value(2), r"data must be a real number, not Value: for .* in a Value, pass its \.data"),
        ([1], r"data must be a real number, not list: pass its elements one by one"),
    ],
)
def test_what_is_not_a_real_number(number: object, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        as_float(number, "data")


def test_an_integer_beyond_the_floats() -> None:
    with pytest.raises(
        ArgumentValueError, match=r"data is beyond the floats: about 2\*\*16610 is over 1.8e308"
    ):
        as_float(10**5000, "data")
