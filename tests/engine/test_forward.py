"""Derivatives carried forward, against those of the backward sweep."""

import math

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from autograd_rnn import RNN, Value, gradients, hessian, hvp, jvp
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


def loss(*weights: Value) -> Value:
    rnn = RNN([weights[:2], weights[2:4], weights[4:6], weights[6:8]], "tanh")
    pi = rnn.unroll([[1], [0], [1]]).pi
    return (pi[0] - pi[1]) ** 2


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_hvp_is_a_column_of_the_hessian(weights: list[float]) -> None:
    """Two routes to the second order: reverse over forward, reverse over reverse."""
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
