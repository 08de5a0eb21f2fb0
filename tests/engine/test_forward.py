"""Derivatives carried forward, against those of the backward sweep."""

import itertools
import math
import operator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from autograd_rnn import RNN, Value, gradients, hessian, hvp, jvp, ops, primitive
from autograd_rnn.engine.contexts import Context
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from ..strategies import Pair, numbers_around_one, pairs, whole_pairs

small = st.integers(-3, 3).map(float)


def rebuild(pair: Pair, inputs: tuple[Value, ...]) -> Value:
    """The graph of the pair once more, on other leaves."""
    found = list(inputs)
    for value in pair.values[pair.leaves :]:
        assert value.op is not None
        found.append(value.op(*[found[pair.values.index(parent)] for parent in value.parents]))
    return found[-1]


@given(whole_pairs(constants=False), st.data())
def test_forward_is_reverse_exactly(pair: Pair, data: st.DataObject) -> None:
    leaves = pair.values[: pair.leaves]
    tangents = [data.draw(small) for _ in leaves]
    value, tangent = jvp(lambda *xs: rebuild(pair, xs), [x.data for x in leaves], tangents)
    slopes = gradients(pair.values[-1], leaves)
    assert value == pair.values[-1].data
    assert tangent == sum(slope * t for slope, t in zip(slopes, tangents, strict=True))


@given(pairs(numbers=numbers_around_one, constants=False), st.data())
def test_forward_is_reverse(pair: Pair, data: st.DataObject) -> None:
    leaves = pair.values[: pair.leaves]
    tangents = [data.draw(numbers_around_one) for _ in leaves]
    _, tangent = jvp(lambda *xs: rebuild(pair, xs), [x.data for x in leaves], tangents)
    slopes = gradients(pair.values[-1], leaves)
    terms = [slope * t for slope, t in zip(slopes, tangents, strict=True)]
    size = sum(map(abs, terms))
    comparable = all(map(math.isfinite, [tangent, size])) and size < 1e6
    event("compared" if comparable else "not finite, or too steep")
    if comparable:
        assert tangent == pytest.approx(sum(terms), rel=1e-9, abs=1e-9 * max(1, size))


@given(whole_pairs(constants=False), st.data())
def test_hvp_is_the_hessian_times_the_vector_exactly(pair: Pair, data: st.DataObject) -> None:
    leaves = pair.values[: pair.leaves]
    vector = [data.draw(small) for _ in leaves]
    found = hvp(lambda *xs: rebuild(pair, xs), [x.data for x in leaves], vector)
    rows = hessian(pair.values[-1], leaves)
    assert found == tuple([sum(map(operator.mul, row, vector)) for row in rows])


@given(pairs(numbers=numbers_around_one), st.data())
def test_hvp_is_the_hessian_times_the_vector(pair: Pair, data: st.DataObject) -> None:
    """Of every op in the table, and with constants."""
    leaves = [x for x in pair.values[: pair.leaves] if not x.constant]
    vector = [data.draw(numbers_around_one) for _ in leaves]

    def f(*xs: Value) -> Value:
        given = iter(xs)
        return rebuild(
            pair, tuple([x if x.constant else next(given) for x in pair.values[: pair.leaves]])
        )

    found = hvp(f, [x.data for x in leaves], vector)
    for entry, row in zip(found, hessian(pair.values[-1], leaves), strict=True):
        terms = [slope * move for slope, move in zip(row, vector, strict=True)]
        size = sum(map(abs, terms))
        comparable = math.isfinite(entry) and size < 1e6
        event("compared" if comparable else "not finite, or too steep")
        if comparable:
            assert entry == pytest.approx(sum(terms), rel=1e-9, abs=1e-9 * max(1, size))


@pytest.mark.parametrize("name", sorted(ops.TABLE))
def test_hvp_of_each_op_is_that_of_its_rules(name: str) -> None:
    """In numbers, where no context is open, and by a graph of tangents, where one is."""
    op, arity = ops.TABLE[name], ops.TABLE[name].arity
    for numbers in itertools.product([0.3, 1.7, -0.6], repeat=arity):
        for vector in itertools.product([0.0, 1.0, -2.0], repeat=arity):
            f = lambda *xs: op(*xs) * xs[0]  # noqa: E731
            found = hvp(f, numbers, vector)
            with Context():
                wanted = hvp(f, numbers, vector)
            assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12, nan_ok=True)


def test_a_new_op_has_second_derivatives() -> None:
    cube = primitive("cube", lambda x: x * x * x, lambda x, z: 3.0 * x * x)
    assert hvp(lambda x: cube(x) * x, [2.0], [1.0]) == (48.0,)


def loss(*weights: Value) -> Value:
    rnn = RNN([weights[:2], weights[2:4], weights[4:6], weights[6:8]], "tanh")
    pi = rnn.unroll([[1], [0], [1]]).pi
    return (pi[0] - pi[1]) ** 2


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_hvp_is_a_column_of_the_hessian(weights: list[float]) -> None:
    """Two routes to the second order: through the forward sweep, and reverse over reverse."""
    leaves = [Value(weight) for weight in weights]
    matrix = hessian(loss(*leaves), leaves)
    for place in range(8):
        unit = [float(place == other) for other in range(8)]
        assert hvp(loss, weights, unit) == pytest.approx(matrix[place], rel=1e-9, abs=1e-12)
        for other in range(8):
            assert matrix[place][other] == pytest.approx(matrix[other][place], abs=1e-12)


def test_by_hand() -> None:
    assert jvp(lambda x, y: x * y, [2, 5], [1, 0]) == (10, 5)
    assert jvp(lambda x, y: x / y, [6, 2], [1, 1]) == (3, 0.5 - 1.5)
    assert jvp(lambda x: x * x, [3], [2]) == (9, 12)
    assert hvp(lambda x, y: x * x * y, [3, 5], [1, 0]) == (10, 6)
    assert hvp(lambda x, y: x * x * y, [3, 5], [0, 1]) == (6, 0)


def test_what_does_not_depend_on_the_inputs() -> None:
    assert jvp(lambda x: 7, [3], [1]) == (7, 0)
    assert hvp(lambda x: 7, [3], [1]) == (0,)
    assert jvp(lambda: Value(7), [], []) == (7, 0)
    assert hvp(lambda x: 3 * x, [3], [1]) == (0,)
    assert jvp(lambda x: x, [3], [2]) == (3, 2)


def test_refusals() -> None:
    with pytest.raises(ArgumentValueError, match=r"tangents must have as many .*, 2, not 1"):
        jvp(lambda x, y: x, [1, 2], [1])
    with pytest.raises(ArgumentValueError, match=r"vector must have as many .*, 1, not 2"):
        hvp(lambda x: x, [1], [1, 2])
    with pytest.raises(ArgumentTypeError, match=r"primals must be a list of numbers, not int"):
        jvp(lambda x: x, 1, [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"vector\[0\] must be a real number, not str"):
        hvp(lambda x: x, [1], ["1"])
    with pytest.raises(ArgumentTypeError, match=r"f must be a function, not NoneType"):
        jvp(None, [1], [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"the result of f .* not NoneType"):
        jvp(lambda x: None, [1], [1])
