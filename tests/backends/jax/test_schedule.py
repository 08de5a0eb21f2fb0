"""Waves: what is computed together is all of what is needed, each once, and after its operands."""

import random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import Value, compile_step
from autograd_rnn.backends.jax.schedule import Wave, find_waves
from autograd_rnn.backends.traced import Group, trace_step
from autograd_rnn.ops.numpy import on_arrays

from ..steps import Plan


@given(st.integers(0, 2**32), st.booleans())
def test_waves_have_the_values_of_the_program(seed: int, loss: bool) -> None:
    plan, chance = Plan(seed), random.Random(seed + 1)
    numbers = [chance.uniform(-1, 1) for _ in range(plan.count)]
    step = plan.compiled(numbers, "last", "eager", False).objective
    x, y = [[chance.uniform(-1, 1) for _ in range(n)] for n in (plan.inputs, plan.outputs)]
    traced = trace_step(step, x, y)
    expected = traced.program._values([*numbers, *step.state, *x, *y])
    results = [*traced.states, *([traced.loss] if loss else traced.output)]
    waves, places, _ = find_waves(traced, results, loss=loss)
    found = np.array(expected[: traced.line] + [np.nan] * len(traced.lines))
    for block, wave in enumerate(waves, 5):
        assert np.isnan(found[list(wave.rows)]).all()  # each line once
        if isinstance(wave, Wave):
            values = on_arrays(wave.op)(*[found[list(operands)] for operands in wave.operands])
        else:
            biases = [0.0 if bias is None else found[bias] for bias in wave.biases]
            values = found[np.array(wave.weights)] @ found[list(wave.vector)] + biases
        assert not np.isnan(values).any()  # after its operands
        found[list(wave.rows)] = values
        assert [places[row] for row in wave.rows] == [(block, k) for k in range(len(values))]
    needed = [n for n in traced.needed(results, traced.guards(loss=loss)) if n in places]
    wanted = np.array(expected)
    assert np.allclose(found[[*needed, *results]], wanted[[*needed, *results]], rtol=1e-12)


def test_a_layer_is_a_product_and_a_wave() -> None:
    def layer(state: Any, x: Any, w: Any) -> Any:
        rows = [w[3 * j] + w[3 * j + 1] * state[0] + w[3 * j + 2] * x[0] for j in range(4)]
        return (rows[0],), tuple([row.tanh() for row in rows])

    weights = [Value(0.1 * place) for place in range(12)]
    eager = compile_step(layer, "squared_error", weights, [0.0], backend="eager")
    traced = trace_step(eager.objective, [1.0], [0.0] * 4)
    outputs, *_ = find_waves(traced, traced.output, loss=False)
    product, wave = outputs
    assert (type(product), len(product.rows), len(product.vector)) == (Group, 4, 2)
    assert wave == Wave(wave.op, traced.output, (product.rows,))
    # Of a product, only the rows that are needed.
    (product,) = find_waves(traced, traced.states, loss=False).waves
    assert product.rows == traced.states
    assert product.weights == ((1, 2),)
