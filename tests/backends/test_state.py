"""State into and out of compiled steps, and truncated gradients, beside `unroll` on the engine."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    BranchChanged,
    Linear,
    Model,
    Stack,
    Value,
    compile_step,
    gradients,
    squared_error,
)
from autograd_rnn.backends import Backend, CompiledStep
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from .steps import agree, flat, leaky

BACKENDS = sorted(Backend.kinds)


def model_of(kind: int, seed: int) -> Model:
    kinds = [RNN, LSTM, GRU]
    if kind < 3:
        return kinds[kind].random(2, 2, seed=seed)
    return Stack([LSTM.random(3, 2, seed=seed), Linear.random(3, 2, seed=seed)])


def by_unrolling(
    model: Model, xs: Any, ys: Any, states: Any, *, every: bool, truncate: int | None
) -> tuple[float, list[float], list[list[float]]]:
    """The mean loss, its gradient, and the states after the sequences, by the engine."""
    total: Any = 0.0
    ends = []
    for x, y, state in zip(xs, ys, states, strict=True):
        run = model.unroll(x, state, truncate=truncate)
        if every:
            losses = [squared_error(s.output, goal) for s, goal in zip(run.steps, y, strict=True)]
            total = total + sum(losses[1:], losses[0]) / float(len(losses))
        else:
            total = total + squared_error(run.output, y)
        ends.append([q.data for q in run.q])
    mean = total / float(len(xs))
    return mean.data, list(gradients(mean, model.parameters())), ends


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    kind=st.integers(0, 3),
    seed=st.integers(0, 2**32),
    every=st.booleans(),
    truncate=st.none() | st.integers(1, 5),
    given_state=st.booleans(),
)
@settings(max_examples=settings().max_examples // 6)
def test_state_and_truncation_are_those_of_unroll(
    backend: str, kind: int, seed: int, every: bool, truncate: int | None, given_state: bool
) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    chance = np.random.default_rng(seed)
    model = model_of(kind, seed % 1000)
    lengths = chance.integers(1, 9, size=chance.integers(1, 12))
    xs = [chance.normal(size=(length, 2)) for length in lengths]
    ys = [chance.normal(size=(length, 2) if every else 2) for length in lengths]
    size = len(model.initial)
    states = chance.normal(size=(len(xs), size)) if given_state else np.zeros((len(xs), size))
    *expected, ends = by_unrolling(model, xs, ys, states, every=every, truncate=truncate)
    compiled = model.compile(
        "squared_error", at="every" if every else "last", backend=backend, truncate=truncate
    )
    state = states if given_state else None
    *found, after = compiled.loss_and_gradients(xs, ys, state=state, return_state=True)
    agree(tuple(found), tuple(expected))
    assert after == pytest.approx(np.array(ends), rel=1e-11, abs=1e-13)
    batch = compiled.prepare(xs, ys)
    agree(compiled.loss_and_gradients(batch, state=state), tuple(expected))
    outputs, last = compiled.predict(xs, state=state, return_state=True)
    assert last == pytest.approx(after, rel=1e-12, abs=1e-13)
    runs = [model.unroll(x, s) for x, s in zip(xs, states, strict=True)]
    wanted = [[s.output for s in run.steps] if every else run.output for run in runs]
    numbers = [[v.data for v in np.ravel(np.array(one, dtype=object))] for one in wanted]
    assert flat(outputs) == pytest.approx(flat(numbers), rel=1e-11, abs=1e-12)
    shown = compiled.run(batch, outputs=True, state=state).outputs
    assert flat(shown.tolist()) == pytest.approx(flat(numbers), rel=1e-11, abs=1e-12)
    if state is None:
        terms = compiled.gradients_per_step(xs, ys)
        sums = sum([np.sum(rows, axis=0) for rows in terms]) / len(xs)
        scale = max(map(abs, expected[1]))
        assert sums == pytest.approx(np.array(expected[1]), rel=1e-11, abs=1e-12 * scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_windows_with_the_state_carried_are_one_long_run(backend: str) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    chance = random.Random(3)
    lstm = LSTM.random(2, 1, seed=4)
    streams = [[[chance.uniform(-1, 1)] for _ in range(12)] for _ in range(3)]
    compiled = lstm.compile("squared_error", at="every", backend=backend)
    whole = compiled.predict(streams)
    state: Any = None
    parts: list[list[Any]] = [[], [], []]
    for start in range(0, 12, 5):
        windows = [stream[start : start + 5] for stream in streams]
        outputs, state = compiled.predict(windows, state=state, return_state=True)
        for part, output in zip(parts, outputs, strict=True):
            part += output
    assert flat(parts) == pytest.approx(flat(whole), rel=1e-12, abs=1e-14)


def test_a_step_without_a_state_gives_empty_ones() -> None:
    for backend in ("eager", "python", "numpy", "native"):
        compiled = Linear.random(1, 1).compile("squared_error", backend=backend)
        *_, state = compiled.loss_and_gradients([[1, 2], [3]], [1, 2], return_state=True)
        assert state.shape == (2, 0)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_comparison_that_fails_is_placed_in_the_whole_sequence(backend: str) -> None:
    given = (leaky, "squared_error", [Value(0.0), Value(1.0)], [0.0])
    compiled = compile_step(*given, at="every", backend=backend, truncate=2)
    batch = ([[1, 1], [1, 1, 1, -1]], [[0, 0], [0, 0, 0, 0]])
    with pytest.raises(BranchChanged, match=r"sequences\[1\], step 4"):
        compiled.loss_and_gradients(*batch)


def refused(compiled: CompiledStep, state: Any, words: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=words):
        compiled.loss_and_gradients([[1], [2]], [[1, 1], [2, 2]], state=state)
    with pytest.raises(error, match=words):
        compiled.predict([[1], [2]], state=state)


def test_what_is_refused() -> None:
    compiled = RNN.random(2, 1).compile("squared_error", backend="numpy")
    words = r"state must have a vector of size 2 for each of the 2 sequences, not the shape"
    refused(compiled, [[0, 0]], words + r" \(1, 2\)", ArgumentValueError)
    refused(compiled, np.zeros(4), words + r" \(4,\)", ArgumentValueError)
    refused(compiled, [[0, 0], [0, "a"]], r"state\[1\]", ArgumentTypeError)
    for truncate, kind in ((0, ArgumentValueError), (1.5, ArgumentTypeError)):
        with pytest.raises(kind, match="truncate must be"):
            RNN.random(2, 1).compile("squared_error", truncate=truncate)  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="exact=True cannot be had with truncate"):
        RNN.random(2, 1).compile("squared_error", backend="native", exact=True, truncate=2)
