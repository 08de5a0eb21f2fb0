"""Inputs as symbol numbers: equal to one-hot vectors, everywhere."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, SGD, Linear, Model, Stack, Value, compile_step, derive, fit
from autograd_rnn.backends import Backend, CompiledStep
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

from .steps import Plan, agree, bits, by_the_engine, flat, lengths

BACKENDS = [*[(name, False) for name in sorted(Backend.kinds)], ("native", True)]
EXACT = {("eager", False), ("python", False), ("native", True)}


def spelled(symbols: Any, count: int) -> list[list[float]]:
    return [[float(place == symbol) for place in range(count)] for symbol in symbols]


def model_of(kind: int, count: int, seed: int) -> Model:
    if kind < 3:
        return [RNN, LSTM, GRU][kind].random(2, count, seed=seed)
    if kind == 3:
        return Stack.random("GRU", states=3, inputs=count, outputs=2, seed=seed)
    # What torch calls an Embedding below a layer.
    table = Linear.random(count, 3, seed=seed).weights[1:]
    return Stack([Linear(table, bias=False), RNN.random(2, 3, seed=seed)])


def alike(compiled: CompiledStep, symbols: Any, vectors: Any, targets: Any, exact: bool) -> None:
    """Every result for symbols is that for vectors; `exact` to the bit."""
    pairs = [
        [
            compiled.loss_and_gradients(sequences, targets),
            compiled.predict(sequences),
            compiled.gradients_per_step(sequences, targets),
        ]
        for sequences in (symbols, vectors)
    ]
    if exact:
        # Native code leaves the gradients per step to NumPy.
        same = 2 if compiled.kind.name == "native" else 3
        assert [*map(bits, pairs[0][:same])] == [*map(bits, pairs[1][:same])]
    agree(pairs[0][0], pairs[1][0])
    scale = max(map(abs, flat(pairs[1][2])), default=0.0)
    for found, expected in zip(pairs[0][1:], pairs[1][1:], strict=True):
        assert flat(found) == pytest.approx(flat(expected), rel=1e-11, abs=1e-12 * (1 + scale))


@pytest.mark.parametrize(("backend", "exact"), BACKENDS)
@given(
    kind=st.integers(0, 4),
    count=st.integers(2, 9),
    seed=st.integers(0, 2**32),
    every=st.booleans(),
    truncate=st.none() | st.integers(1, 5),
    given_state=st.booleans(),
)
@settings(max_examples=settings().max_examples // 8)
def test_symbols_are_one_hot_vectors(
    backend: str,
    exact: bool,
    kind: int,
    count: int,
    seed: int,
    every: bool,
    truncate: int | None,
    given_state: bool,
) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    chance = np.random.default_rng(seed)
    model = model_of(kind, count, seed % 1000)
    sizes = chance.integers(1, 9, size=chance.integers(1, 12))
    xs: list[Any] = [chance.integers(0, count, size=size) for size in sizes]
    if seed % 2:
        xs = [xs[0], *[x.tolist() for x in xs[1:]]]
    ys = [chance.normal(size=(size, 2) if every else 2) for size in sizes]
    if exact:
        truncate = None
    at = "every" if every else "last"
    compiled = model.compile(
        "squared_error", at=at, backend=backend, exact=exact, truncate=truncate
    )
    vectors = [spelled(x, count) for x in xs]
    alike(compiled, xs, vectors, ys, (backend, exact) in EXACT)
    state = chance.normal(size=(len(xs), len(model.initial))) if given_state else None
    options: Any = {"state": state, "return_state": True}
    *found, after = compiled.loss_and_gradients(xs, ys, **options)
    *expected, ends = compiled.loss_and_gradients(vectors, ys, **options)
    agree(tuple(found), tuple(expected))
    assert after == pytest.approx(ends, rel=1e-11, abs=1e-13)
    both = [model.unroll(x, x0) for x, x0 in zip(xs, [None] * len(xs), strict=True)]
    others = [model.unroll(x) for x in vectors]
    for run, other in zip(both, others, strict=True):
        assert [q.data for q in run.q] == [q.data for q in other.q]
        assert all(x.constant for step in run.steps for x in step.x)


@given(seed=st.integers(0, 2**32), every=st.booleans())
@settings(max_examples=settings().max_examples // 12)
def test_any_step_on_symbols(seed: int, every: bool) -> None:
    plan, chance = Plan(seed), random.Random(seed + 1)
    plan.inputs += 2  # the rows and ops read some of the entries, as they like
    numbers = [chance.uniform(-1, 1) for _ in range(plan.count)]
    sizes = lengths(chance, 40)
    symbols = [[chance.randrange(plan.inputs) for _ in range(size)] for size in sizes]
    goals: Any = [
        [[chance.uniform(-1, 1) for _ in range(plan.outputs)] for _ in range(n if every else 1)]
        for n in sizes
    ]
    goals = goals if every else [one for (one,) in goals]
    vectors = [spelled(one, plan.inputs) for one in symbols]
    for backend, exact in BACKENDS:
        if Backend.kinds[backend].explain():
            continue
        weights = [Value(number) for number in numbers]
        try:
            compiled = compile_step(
                *(plan, "squared_error", weights, [0.25] * plan.states),
                at="every" if every else "last",
                backend=backend,
                exact=exact,
                symbols=plan.inputs,
            )
            alike(compiled, symbols, vectors, goals, (backend, exact) in EXACT)
        except ArgumentValueError as error:
            if not exact or "exact=True cannot be had for this step" not in str(error):
                raise
            continue
        agree(compiled.loss_and_gradients(symbols, goals), by_the_engine(compiled, vectors, goals))


@pytest.mark.parametrize("backend", sorted(Backend.kinds))
def test_streams_of_symbols(backend: str) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    chance = np.random.default_rng(1)
    xs = [chance.integers(0, 5, size=size) for size in (11, 4, 11, 7, 3)]
    ys = [chance.integers(0, 5, size=len(x)).tolist() for x in xs]
    found = []
    for sequences in (xs, [spelled(x, 5) for x in xs]):
        model = Stack.random("LSTM", states=3, inputs=5, outputs=5, seed=2)
        options: Any = {"engine": backend, "progress": False, "at": "every", "truncate": 4}
        history = fit(
            *(model, (sequences, ys)),
            **{"loss": "cross_entropy", "optimiser": SGD(0.3), "epochs": 2, "batch_size": 2},
            **{**options, "streams": True},
        )
        found.append([*history.loss, *[weight.data for weight in model.parameters()]])
    assert found[0] == pytest.approx(found[1], rel=1e-11, abs=1e-13)


def test_a_batch_has_one_whole_number_per_step() -> None:
    compiled = RNN.random(2, 1000, seed=1).compile("squared_error", backend="numpy")
    batch = compiled.prepare([np.arange(500)] * 3)
    assert batch.inputs.dtype == np.int64
    assert batch.inputs.shape == (1501,)
    assert (batch.symbols, batch.entries) == (1000, 1000)
    assert batch.take([1]).inputs is batch.inputs
    assert batch.take([1]).pairs()[0][0] == np.eye(1000)[:500].tolist()


def test_readers_see_the_one_hot_vector() -> None:
    rnn = RNN([[0.5], [1.0], [2.0], [3.0]], bias=False, activation="linear")
    by_symbols, by_vectors = rnn.unroll([2, 0]), rnn.unroll([[0, 0, 1], [1, 0, 0]])
    assert [x.name for x in by_symbols.steps[0].x] == [x.name for x in by_vectors.steps[0].x]
    texts = [
        str(derive(run.pi[0], rnn.parameters()[3], run=run)) for run in (by_symbols, by_vectors)
    ]
    assert texts[0] == texts[1]


def test_numbers_stay_numbers_for_one_input() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    assert rnn.compile("squared_error", backend="python").predict([[1, 0, 1], [3]]) == [17.0, 3.0]


def test_a_number_that_is_not_finite_stays_with_its_symbol() -> None:
    table = Linear([[1.0], [math.inf], [math.nan]], bias=False)
    for backend in ("numpy", "native"):
        if Backend.kinds[backend].explain():
            continue
        assert table.compile("squared_error", backend=backend).predict([[0], [1]]) == [
            1.0,
            math.inf,
        ]
    found = table.compile("squared_error", backend="eager").predict([[0]])
    assert math.isnan(found[0])


STACK = Stack.random("RNN", states=2, inputs=4, outputs=1, seed=1)


@pytest.mark.parametrize(
    ("sequences", "error", "words"),
    [
        (
            [[0, 1], [0, 4]],
            ArgumentValueError,
            r"\[1\]\[1\] must be a symbol, an int from 0 to 3, o",
        ),
        (
            [[0, -1]],
            ArgumentValueError,
            r"\[0\]\[1\] must be .* or a vector of 4 numbers, not -1\.",
        ),
        ([[0, 1.5]], ArgumentTypeError, r"\[0\]\[1\] must be a symbol.* not 1\.5"),
        ([[2], [1, True]], ArgumentTypeError, r"\[1\]\[1\] must be a symbol.* not True"),
        ([np.array([True])], ArgumentTypeError, r"\[0\]\[0\] must be a symbol.* not True"),
        ([[np.bool_(1)]], ArgumentTypeError, r"\[0\]\[0\] must be a symbol"),
        ([np.array([1.0])], ArgumentTypeError, r"\[0\]\[0\] must be a symbol.* not 1\.0"),
        ([np.array([9, 1])], ArgumentValueError, r"\[0\]\[0\] must be a symbol.* not 9"),
        ([np.array([2**64 - 1], np.uint64)], ArgumentValueError, r"\[0\]\[0\] must be a symbol"),
        ([[10**30]], ArgumentValueError, r"\[0\]\[0\] must be a symbol.* not about 2\*\*100"),
        (np.array([[1, 2], [3, 4]]), ArgumentValueError, r"\[1\]\[1\] must be .* not 4"),
        ([[Value(1)]], ArgumentTypeError, r"\[0\]\[0\] must be a symbol.* not a Value"),
        ([[None]], ArgumentTypeError, r"\[0\]\[0\] must be a symbol.* not None"),
        (
            [[0, [1, 0, 0, 0]]],
            ArgumentTypeError,
            r"\[0\]\[1\] is a vector among symbols: write all",
        ),
        ([[[1, 0, 0, 0], 0]], ArgumentTypeError, r"\[0\]\[1\] is no vector among vectors: write"),
        (
            [[0], [[1, 0, 0, 0]]],
            ArgumentTypeError,
            r"\[1\] has vectors, but sequences\[0\] has sym",
        ),
        ([[0], []], ArgumentValueError, r"sequences\[1\] is empty"),
        ([[0], 5], ArgumentTypeError, r"sequences\[1\] must be a list|\[1\] has vectors"),
    ],
)
def test_bad_symbols_are_refused(sequences: Any, error: type[Exception], words: str) -> None:
    compiled = STACK.compile("squared_error", backend="numpy")
    with pytest.raises(error, match=words):
        compiled.predict(sequences)
    with pytest.raises(error, match=words):
        fit(
            *(STACK, (sequences, [0.0] * len(sequences))),
            **{"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 1, "batch_size": 2},
            progress=False,
            engine="numpy",
        )


def test_a_step_of_ones_own_says_that_its_inputs_are_symbols() -> None:
    def step(state: Any, x: Any, weights: Any) -> Any:
        after = state[0] + sum([w * one for w, one in zip(weights[1:], x[1:], strict=True)], 0.0)
        return (after,), after * weights[0] * x[0]

    weights = [Value(2.0), Value(3.0), Value(5.0)]
    given: Any = (step, "squared_error", weights, [0.0])
    for backend, exact in BACKENDS:
        if Backend.kinds[backend].explain():
            continue
        compiled = compile_step(*given, backend=backend, exact=exact, symbols=3)
        assert compiled.predict([[1, 2, 0], [0, 1]]) == [16.0, 0.0]
        assert compiled.loss_and_gradients([[1, 2, 0]], [15.0]) == (1.0, [16.0, 4.0, 4.0])
    with pytest.raises(ValueError, match="symbols must be 2 or more, not 1"):
        compile_step(*given, symbols=1)
    with pytest.raises(ValueError, match="sizes"):
        compile_step(*given, backend="python").predict([[1], [[1, 2, 3]]])


def test_windows_are_packed_many_at_once() -> None:
    chance = np.random.default_rng(0)
    model = RNN.random(2, 5, seed=1)
    xs = [chance.integers(0, 5, size=size) for size in (90, 7, 85)]
    ys = [chance.normal(size=(len(x), 2)) for x in xs]
    for backend in ("eager", "numpy"):
        compiled = model.compile("squared_error", at="every", backend=backend)
        data = compiled.prepare(xs, ys)
        found = [*compiled.prepare_windows(data, 4)]
        assert [len(places) for places, _ in found] == [3, 3] + [2] * 20 + [1]
        for number, (places, window) in enumerate(found):
            alone, other = data.window(4 * number, 4)
            assert places.tolist() == alone.tolist()
            expected = compiled.loss_and_gradients(compiled.prepare(other))
            agree(compiled.loss_and_gradients(window), expected)
    last = model.compile("squared_error", backend="numpy")
    with pytest.raises(ValueError, match="a target at each step: compile with at='every'"):
        last.prepare_windows(last.prepare(xs), 4)


def test_one_sequence_of_one_hot_vectors_is_not_read_as_several_of_symbols() -> None:
    compiled = RNN.random(2, 3, seed=1).compile("squared_error", backend="numpy")
    one = [[1, 0, 0], [0, 0, 1]]
    words = (
        r"may be one sequence of 2 one-hot vectors, or 2 sequences of 3 symbols: write \[sequence\]"
        r" .* such as \[np.array\(\[1, 0, 0\]\), \.\.\.\]"
    )
    for rows in (one, tuple(one), np.array(one), np.array(one, dtype=np.uint8)):
        with pytest.raises(ValueError, match=words):
            compiled.predict(rows)
        with pytest.raises(ValueError, match=words):
            compiled.loss_and_gradients(rows, [[1, 0]] * 2)
        with pytest.raises(ValueError, match=words):
            fit(
                *(RNN.random(2, 3), (rows, [[1, 0]] * 2)),
                **{"loss": "squared_error", "optimiser": SGD(1), "epochs": 1, "batch_size": 1},
            )
    assert len(compiled.predict([one])) == 1
    both = compiled.predict([np.array(row) for row in one])
    alone = [compiled.predict([row])[0] for row in one]
    np.testing.assert_allclose(both, alone, rtol=1e-15)
    # These cannot be one-hot vectors: of another length, or with other numbers.
    for rows in ([[1, 0], [0, 1]], [[1, 0, 0], [0, 0, 2]], [[1, 1, 0], [0, 0, 1]]):
        assert len(compiled.predict(rows)) == 2
