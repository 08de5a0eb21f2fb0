"""dot, logsumexp and softmax, on numbers and on Values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from autograd_rnn import Value, dot, gradients, jvp, logsumexp, record, softmax
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.graph.walk import swept

exponents = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), max_size=8))
def test_dot(pairs: list[tuple[int, int]]) -> None:
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    wanted = sum(x * y for x, y in pairs)
    assert dot(xs, ys) == wanted
    assert type(dot(xs, ys)) is float
    values = [Value(x) for x in xs]
    product = dot(values, ys)
    if pairs:
        assert product.data == wanted
        assert gradients(product, values) == tuple(ys)


@given(exponents)
def test_logsumexp_is_the_true_one(zs: list[float]) -> None:
    with mp.workdps(60):
        wanted = mp.log(mp.fsum(mp.exp(mp.mpf(z)) for z in zs))
        assert abs(logsumexp(zs) - wanted) <= 1e-15 * max(1, abs(wanted))


@given(exponents)
def test_softmax_is_the_true_one_and_the_gradient_of_logsumexp(zs: list[float]) -> None:
    shares = softmax(zs)
    with mp.workdps(60):
        total = mp.fsum(mp.exp(mp.mpf(z)) for z in zs)
        for z, share in zip(zs, shares, strict=True):
            assert abs(share - mp.exp(mp.mpf(z)) / total) <= 1e-15
    values = [Value(z) for z in zs]
    assert gradients(logsumexp(values), values) == pytest.approx(shares, rel=1e-13, abs=1e-300)


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=4))
def test_the_derivatives_of_softmax(zs: list[float]) -> None:
    """∂sᵢ/∂zⱼ = sᵢ (δᵢⱼ - sⱼ), by reverse and by forward mode."""
    values = [Value(z) for z in zs]
    shares = softmax(values)
    for i, share in enumerate(shares):
        wanted = [share.data * ((i == j) - other.data) for j, other in enumerate(shares)]
        assert gradients(share, values) == pytest.approx(wanted, abs=1e-15)
        forward = jvp(lambda *xs, i=i: softmax(xs)[i], zs, [1.0] + [0.0] * (len(zs) - 1))
        assert forward[1] == pytest.approx(wanted[0], abs=1e-15)


@given(exponents, exponents)
def test_a_recording_finds_the_shift_anew(zs: list[float], others: list[float]) -> None:
    """Recorded at one place, right at any other, however far: bit for bit what the engine gives."""
    others = (others * len(zs))[: len(zs)]
    program = record(lambda *xs: logsumexp(xs), *zs).gradient()
    values = [Value(z) for z in others]
    total = logsumexp(values)
    assert program(*others) == (total.data, *gradients(total, values))
    assert total.data == logsumexp(others)
    shares = record(lambda *xs: softmax(xs), *zs)(*others)
    assert (shares if len(zs) > 1 else (shares,)) == tuple(softmax(others))


def test_no_sweep_goes_through_the_shift() -> None:
    output = logsumexp([Value(1), Value(3), Value(2)])
    names = {node.op.name for node in swept(output) if node.op}
    assert names == {"add", "sub", "exp", "log", "stop_gradient"}


def test_a_recording_does_not_overflow_far_from_its_examples() -> None:
    program = record(lambda *xs: logsumexp(xs), 0, 0).gradient()
    assert program(5000, 4000) == (5000, 1, 0)
    assert program(-5000, -math.inf) == (-5000, 1, 0)
    assert program(-math.inf, -math.inf)[0] == -math.inf


def test_infinities_and_nan() -> None:
    inf = math.inf
    assert logsumexp([]) == logsumexp([-inf]) == logsumexp([-inf, -inf]) == -inf
    assert logsumexp([-inf, 3.0]) == 3
    assert logsumexp([inf, 3.0]) == inf
    assert math.isnan(logsumexp([math.nan, 3.0]))
    assert softmax([]) == []
    assert softmax([-inf, 3.0]) == [0, 1]
    assert math.isnan(softmax([math.nan, 3.0])[1])


def test_values_and_numbers_may_be_mixed() -> None:
    x = Value(2)
    assert gradients(dot([x, 3], [x, x]), [x]) == (7,)
    assert [type(share) for share in softmax([x, 1])] == [Value, Value]
    assert logsumexp(iter([x, 2])).data == 2 + math.log(2)


def test_refusals() -> None:
    with pytest.raises(ArgumentValueError, match=r"one length, but xs has 2 and ys 1"):
        dot([1, 2], [3])
    with pytest.raises(ArgumentTypeError, match=r"ys\[0\] must be a real number, not str"):
        dot([1], ["2"])
    with pytest.raises(ArgumentTypeError, match=r"zs must be a list of numbers or Values, not str"):
        softmax("12")
    with pytest.raises(ArgumentTypeError, match=r"zs must be a list .* not Value"):
        logsumexp(Value(1))  # type: ignore[arg-type]
