"""What all models do: a step, a run, a compiled run, truncated gradients, pictures."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Stack,
    Value,
    bits,
    copies,
    derive,
    draw,
    draw_network,
    gradients,
    play,
    record,
)

from .models import models, numbers, sizes, table


@given(sizes)
@settings(max_examples=15)
def test_step_gives_the_numbers_of_unroll_bit_for_bit(drawn: tuple[int, int, int, int]) -> None:
    seed, states, inputs, length = drawn
    for model in models(seed, states, inputs + 1):
        xs = table(random.Random(seed), length, inputs + 1)
        run = model.unroll(xs)
        state, parameters = tuple(model.initial), tuple(numbers(model.parameters()))
        for x, step in zip(xs, run.steps, strict=True):
            state, output = model.step(state, tuple(x), parameters)
            assert list(state) == numbers(step.q)
            found = output if isinstance(output, tuple) else (output,)
            told = step.output if isinstance(step.output, tuple) else (step.output,)
            assert list(found) == numbers(told)
            assert len(found) == model.outputs
        assert run.output is run.steps[-1].output
        # A run goes on from the state in which another stopped.
        halfway = numbers(model.unroll(xs[:-1]).q)
        assert numbers(model.unroll(xs[-1:], halfway).q) == list(state)


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("at", ["last", "every"])
def test_compiled_models_give_the_engines_numbers(place: int, at: str) -> None:
    model = models(3, 3, 2)[place]
    chance = random.Random(4)
    sequences = [table(chance, length, 2) for length in (1, 4, 3)]
    goals = [table(chance, len(xs), model.outputs) for xs in sequences]
    targets = goals if at == "every" else [goal[-1] for goal in goals]
    losses = []
    for xs, goal in zip(sequences, goals, strict=True):
        terms = []
        pairs = list(zip(model.unroll(xs).steps, goal, strict=True))
        for step, y in pairs if at == "every" else pairs[-1:]:
            outputs = step.output if isinstance(step.output, tuple) else (step.output,)
            terms.append(sum([(a - b) ** 2 for a, b in zip(y, outputs, strict=True)], Value(0)))
        losses.append(sum(terms, Value(0)) / len(terms))
    loss = sum(losses, Value(0)) / 3
    expected = gradients(loss, model.parameters())
    python = model.compile("squared_error", at=at, backend="python")
    found = python.loss_and_gradients(sequences, targets)
    assert found[0] == pytest.approx(loss.data, rel=1e-13)
    assert found[1] == pytest.approx(expected, rel=1e-11, abs=1e-13)
    pytest.importorskip("llvmlite")
    native = model.compile("squared_error", at=at, backend="native")
    told = native.loss_and_gradients(sequences, targets)
    assert told[0] == pytest.approx(found[0], rel=1e-12)
    assert told[1] == pytest.approx(found[1], rel=1e-10, abs=1e-12)


def test_zero_grad_and_no_inputs() -> None:
    model = Stack.random("LSTM", 2, 1, 1)
    model([[1], [2]]).backward()
    assert any(weight.grad for weight in model.parameters())
    model.zero_grad()
    assert {weight.grad for weight in model.parameters()} == {0.0}
    run = model.unroll([])
    assert run.q == run.state
    for read in ("pi", "output"):
        with pytest.raises(ValueError, match=f"there is no {read.replace('pi', 'π')}: the network"):
            getattr(run, read)


@pytest.mark.parametrize(
    "model", [models(2, 1, 1)[1], models(2, 1, 1)[2], models(2, 2, 1)[5]], ids=repr
)
def test_runs_can_be_drawn_played_and_derived(model: Any) -> None:
    run = model.unroll([[1], [0.5]])
    total = run.output if isinstance(run.output, Value) else run.output[0]
    loss = (1 - total) ** 2
    weight = model.parameters()[-1]
    uses = copies(weight, loss, run)
    (slope,) = gradients(loss, [weight])
    assert math.fsum(use.grad for use in uses) == pytest.approx(slope, rel=1e-12, abs=1e-15)
    assert {use.step for use in uses} <= {1, 2}
    assert derive(loss, weight, run=run).value == pytest.approx(slope, rel=1e-9)
    assert f"{len(uses)} cop" in repr(draw(loss, focus=weight, run=run))
    assert "step_2" in draw(loss, focus=weight, run=run, detail="step").dot
    assert play(loss, focus=weight, run=run).steps > 3
    last = run.steps[-1]
    letters = {value.name for step in getattr(last, "layers", [last]) for value in step.q}
    text = draw(loss, run=run, detail="scalar").dot
    assert len(letters) == len(last.q)
    assert all(name in text for name in letters)
    assert "step 2 " in draw(loss, focus=weight, run=run, detail="neuron").dot
    with pytest.raises(ValueError, match="only an RNN is drawn by its neurons: choose draw"):
        draw_network(run)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=9),
    st.integers(1, 10),
    st.sampled_from(["relu", "linear", "tanh"]),
    st.integers(0, 99),
)
def test_truncated_gradients_are_those_of_the_window(
    inputs: list[int], size: int, activation: str, seed: int
) -> None:
    """Of each step alone, from its window's first step on, the states that come in being given."""
    rnn = RNN.random(2, 1, activation=activation, seed=seed)
    whole, run = rnn.unroll([[x] for x in inputs]), rnn.unroll([[x] for x in inputs], truncate=size)
    for step, same in zip(run.steps, whole.steps, strict=True):
        assert [x.data for x in step.pi + step.q] == [x.data for x in same.pi + same.q]
        first = (step.k - 1) // size * size  # steps before the window
        before = [q.data for q in (whole.steps[first - 1].q if first else whole.state)]
        window = rnn.unroll([[x] for x in inputs[first : step.k]], before)
        for pi, alone in zip(step.pi, window.pi, strict=True):
            assert gradients(pi, rnn.parameters()) == gradients(alone, rnn.parameters())
    assert run.cuts == {k for k in range(2, len(inputs) + 1) if (k - 1) % size == 0}
    assert whole.cuts == frozenset()


def test_a_recording_of_a_truncated_run_serves_other_weights() -> None:
    def last(*weights: Value) -> Value:
        rnn = RNN([weights[:1], weights[1:]], "relu", bias=False)
        return rnn.unroll(bits("1011"), truncate=2).pi[0]

    program = record(last, 4, 1).gradient()
    weights = [Value(2), Value(1)]
    pi = last(*weights)
    assert program(2, 1) == (pi.data, *gradients(pi, weights)) == (11, 9, 3)


def test_truncate_has_to_be_a_number_of_steps() -> None:
    for truncate, words in [(0, "truncate must be 1 or more"), (1.5, "truncate must be an int")]:
        with pytest.raises((ValueError, TypeError), match=words):
            RNN.random(1, 1).unroll(bits("1"), truncate=truncate)  # type: ignore[arg-type]
