"""Derivatives that `derive` works out, of any graph, and what it refuses."""

import contextlib
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import Value, copies, derive, escape, exp, gradients, no_grad, separates
from autograd_rnn.errors import ArgumentValueError, DerivationError, StaleGraphError
from autograd_rnn.graph.walk import swept

from ..strategies import Pair, name_some, numbers_around_one, pairs, runs, whole_pairs
from .printed import check_print


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


def test_nothing_is_touched() -> None:
    x = Value(2, "x")
    output = exp(x) * x
    output.backward()
    before = (x.grad, output.grad)
    derive(output, x)
    assert (x.grad, output.grad) == before


def test_numbers_beyond_floats_are_refused() -> None:
    x = Value(1e-150, "x")
    refused = pytest.raises(DerivationError, match="too small or too large for floats")
    with refused:  # the slope 1e400 of x, where the product is finite
        derive(x * 1e200 * 1e200, x)
    for seed in range(60):
        chance = random.Random(seed)
        x = y = Value(10.0 ** chance.uniform(-200, 200), "x")
        for _ in range(3):
            factor = 10.0 ** chance.uniform(-200, 200)
            y = chance.choice([y * factor, y / factor, y * y, y * x, y + factor])
        with contextlib.suppress(DerivationError, ArgumentValueError):
            derivation = derive(y, x)
            assert all([derivation.text, derivation.latex, derivation.numpy()])
