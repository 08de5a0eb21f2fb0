"""Weights that are constants for a while."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Value,
    bits,
    freeze,
    grad,
    gradients,
    hvp,
    jvp,
    tanh,
    topological,
    unfreeze,
)
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError, AssignmentError


def test_a_frozen_leaf_is_a_constant_until_it_is_unfrozen() -> None:
    w, x = Value(3, "w"), Value(2, "x")
    before = w * x + w.tanh()
    freeze(w)
    during = w * x + w.tanh()
    for output in (before, during):
        output.backward()
        assert w.grad == 0.0
        assert gradients(output, [w, x]) == (0.0, 3.0)
        assert next(node for node in topological(output) if node is w).constant
    assert x.grad == 6.0
    assert repr(w) == "Value(3.0, grad=0.0, name='w', constant)"
    with pytest.raises(AssignmentError, match=r"grad of a constant"):
        w.grad = 1.0
    w.data = 4.0
    unfreeze(w)
    assert not w.constant
    # The graph that was computed while it was frozen is differentiated like any other.
    assert gradients(during, [w]) == gradients(before, [w]) == (2.0 + 1 - tanh(3.0) ** 2,)


@given(st.sets(st.integers(0, 7)))
def test_a_network_with_frozen_weights_has_the_other_gradients(places: set[int]) -> None:
    rnn = RNN.random(2, 1, seed=1)
    weights = rnn.parameters()
    loss = rnn.unroll(bits("101")).q[0] ** 2
    loss.backward()
    expected = [0.0 if place in places else w.grad for place, w in enumerate(weights)]
    freeze(*[w for place, w in enumerate(weights) if place in places])
    again = rnn.unroll(bits("101")).q[0] ** 2
    for output in (loss, again):
        assert list(gradients(output, weights)) == expected


def test_frozen_leaves_in_transforms() -> None:
    w = Value(3.0, "w")
    freeze(w)
    assert grad(lambda x: w * x * x)(2.0) == 12.0
    assert jvp(lambda x: w * x, [2.0], [1.0]) == (6.0, 3.0)
    assert hvp(lambda x: w * x * x, [2.0], [1.0]) == (6.0,)
    # An argument is differentiated by, whatever it is.
    assert grad(lambda x: x * x)(w).data == 6.0


def test_copies_and_pickles_stay_frozen() -> None:
    w = Value(3.0, "w")
    freeze(w)
    for twin in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert twin.constant
        unfreeze(twin)
        assert not twin.constant


def test_what_cannot_be_frozen() -> None:
    w, x = Value(3.0, "w"), Value(2.0)
    with pytest.raises(ArgumentValueError, match=r"leaves\[1\] must be a variable, .*op='mul'"):
        freeze(w, w * x)
    assert not w.constant
    plain = (x * 2.0).parents[1]
    with pytest.raises(ArgumentValueError, match=r"plain number is always a constant"):
        unfreeze(plain)
    with pytest.raises(ArgumentTypeError, match=r"leaves\[0\] must be a Value, not list"):
        freeze([w])  # type: ignore[arg-type]
