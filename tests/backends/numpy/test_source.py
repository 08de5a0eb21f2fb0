"""The source of a step for NumPy."""

import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    BranchChanged,
    Model,
    Stack,
    Value,
    compile_step,
    ops,
    primitive,
    where,
)
from autograd_rnn.backends.batch import as_batch
from autograd_rnn.backends.numpy import slopes, source
from autograd_rnn.backends.numpy.columns import Columns, pack
from autograd_rnn.backends.numpy.phases import Phases, Product, Wave, selector
from autograd_rnn.backends.numpy.slopes import LEAST_DIFFERENCE
from autograd_rnn.backends.numpy.source import Source
from autograd_rnn.backends.traced import trace_step
from autograd_rnn.ops.numpy import on_arrays

from ..steps import agree, check_beside_the_engine


def test_ops_from_outside_whose_rules_divide_and_raise_to_powers() -> None:
    inverse = primitive("inverse_here", lambda x: 1.0 / x, lambda x, z: -(z / x) * (x / x) ** 2)
    power = primitive("power_here", lambda x: 2.0**x, lambda x, z: z * 2.0 / 2.0**x * 2.0**x)
    weights = [Value(0.5), Value(1.5)]

    def step(state: Any, x: Any, w: Any) -> Any:
        return (inverse(w[0] + x[0]) + state[0],), power(w[1] * state[0])

    try:
        found = [
            compile_step(step, "squared_error", weights, [1.0], backend=backend)
            for backend in ("python", "numpy")
        ]
        batches = ([[1, 2, 3], [4, 5]], [1, 2])
        agree(found[1].loss_and_gradients(*batches), found[0].loss_and_gradients(*batches))
    finally:
        del ops.TABLE["inverse_here"], ops.TABLE["power_here"]


@pytest.mark.parametrize("at", ["last", "every"])
def test_a_product_with_a_vector_of_constants(at: str) -> None:
    def alone(state: Any, x: Any, w: Any) -> Any:
        return (w[0] * state[0] + 2.0 * w[1],), state[0] * x[0]

    def beside_rows(state: Any, x: Any, w: Any) -> Any:
        first = w[0] * state[0] + w[1] * state[1] + 2.0 * w[1]
        return (first, w[2] * state[0] + w[3] * state[1] + w[1] * x[0]), state[0] * x[0]

    for step, state in ((alone, [0.25]), (beside_rows, [0.25, 0.5])):
        weights = [Value(number) for number in (0.5, -0.25, 0.75, 0.125)]
        python, arrays = [
            compile_step(step, "squared_error", weights, state, at=at, backend=backend)
            for backend in ("python", "numpy")
        ]
        for lengths in ([2, 2], [3, 1, 1]):
            xs = [[0.5 * t + 1.0 for t in range(length)] for length in lengths]
            ys = xs if at == "every" else [1.0] * len(xs)
            agree(arrays.loss_and_gradients(xs, ys), python.loss_and_gradients(xs, ys))


def test_a_product_with_a_vector_that_depends_on_weights_alone() -> None:
    weights = [Value(number) for number in (0.5, -0.25, 0.75, 0.125)]

    def step(state: Any, x: Any, w: Any) -> Any:
        total = w[0] * w[1].tanh() + w[2] * w[3].tanh()
        return (total * x[0],), total * state[0]

    eager, numpy, native = [
        compile_step(step, "squared_error", weights, [1.0], backend=backend)
        for backend in ("eager", "numpy", "native")
    ]
    batch = ([[1, 2, 3], [4, 5]], [1, 2])
    for other in (numpy, native):
        agree(other.loss_and_gradients(*batch), eager.loss_and_gradients(*batch))


def test_nothing_comes_back_through_what_was_not_chosen() -> None:
    """The slope of log at 0 is infinite: 0 times it would be NaN."""

    def step(state: Any, x: Any, w: Any) -> Any:
        q = where(x[0].step(), (w[0] * x[0]).log(), w[0] * x[0]) + w[1] * state[0]
        return (q,), where((q - 0.5).step(), q.sqrt(), w[1])

    given = (step, "squared_error", [Value(0.5), Value(0.25)], [1.0])
    batch = ([[1, 0, 2], [0, 3], [0]], [1, 2, 3])
    for at in ("last", "every"):
        targets = batch[1] if at == "last" else [[1] * len(xs) for xs in batch[0]]
        eager, numpy = [compile_step(*given, at=at, backend=one) for one in ("eager", "numpy")]
        found = numpy.loss_and_gradients(batch[0], targets)
        agree(found, eager.loss_and_gradients(batch[0], targets))
        assert np.isfinite(found[1]).all()


@given(st.integers(0, 2**32), st.booleans())
def test_any_step_beside_the_engine(seed: int, every: bool) -> None:
    check_beside_the_engine(seed, every, [("numpy", False)])


def phases_of(model: Model, *, every: bool = False) -> Phases:
    compiled = model.compile("squared_error", at="every" if every else "last", backend="numpy")
    traced = trace_step(compiled.objective, [0.5] * model.inputs, [0.5] * model.outputs)
    return Phases(traced, every, True, False)


@pytest.mark.parametrize(
    ("kind", "products", "waves"),
    [(RNN, 1, 1), (LSTM, 1, 7), (GRU, 1, 8)],
    ids=["RNN", "LSTM", "GRU"],
)
def test_a_step_has_one_product_and_few_waves(kind: type[Model], products: int, waves: int) -> None:
    stack = Stack([kind.random(5, 3, seed=1), RNN.random(2, 5, seed=2)])
    alone, first = phases_of(kind.random(5, 3, seed=1)), phases_of(stack)
    for phases, layers in ((alone, 1), (first, 2)):
        found = [sum(isinstance(one, type_) for one in phases.during) for type_ in (Product, Wave)]
        assert found == [products + layers - 1, waves + layers - 1]
    # What no state is in is a product over all steps, and no step looks up rows one by one.
    text = Source(alone, by_step=False).text()
    steps = text[text.index("for n, ") : text.index("losses =")]
    assert "[k" not in steps
    assert "@" not in steps
    assert steps.count("matmul") == products


def test_the_source_is_one_for_all_lengths() -> None:
    """Sequences of one step, of one length and of many, by the same function."""
    chance = np.random.default_rng(0)
    for kind in (RNN, LSTM, GRU):
        model = kind.random(4, 2, seed=3)
        for at in ("last", "every"):
            python, arrays = [
                model.compile("squared_error", at=at, backend=backend)
                for backend in ("python", "numpy")
            ]
            for lengths in ([1], [1, 1], [5, 5, 5], [1, 4, 2, 4]):
                xs = [chance.normal(size=(length, 2)) for length in lengths]
                ys = [chance.normal(size=(len(x), 4) if at == "every" else 4) for x in xs]
                agree(arrays.loss_and_gradients(xs, ys), python.loss_and_gradients(xs, ys))


@pytest.mark.parametrize("most", [0, 1 << 21])
def test_batches_of_any_size_one_after_another(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for the next batch, or is too large for that, holds nothing of the last."""
    monkeypatch.setattr(slopes, "MOST", most)
    monkeypatch.setattr(slopes, "CHUNK", 8)
    chance = np.random.default_rng(0)
    for kind in (LSTM, GRU):
        model = kind.random(3, 2, seed=3)
        python, arrays = [model.compile("squared_error", backend=b) for b in ("python", "numpy")]
        for lengths in ([4, 4], [9, 2, 9], [1], [4, 4]):
            xs = [chance.normal(size=(length, 2)) * 3.0 for length in lengths]
            ys = [chance.normal(size=3) for _ in xs]
            agree(arrays.loss_and_gradients(xs, ys), python.loss_and_gradients(xs, ys))


@pytest.mark.parametrize("before", range(1, 6))
def test_blocks_of_the_loss_are_not_those_of_the_outputs(before: int) -> None:
    """What the loss computes of weights comes first, and moves the numbers of blocks."""
    weights = [Value(0.5), Value(-0.25), Value(0.75)]

    def step(state: Any, x: Any, w: Any) -> Any:
        first = (w[0] * state[0] + x[0]).tanh()
        others = [(w[1] * q + w[2] * first).tanh() for q in state[1:]]
        return (first, *others), (first, *others)

    def loss(output: Any, target: Any) -> Any:
        of_weights = weights[0]
        for _ in range(before):
            of_weights = of_weights.tanh()
        return sum([(q - target) ** 2 for q in output]) + of_weights

    given = (step, loss, weights, [0.0] * 5)
    python, arrays = [compile_step(*given, at="every", backend=b) for b in ("python", "numpy")]
    sequences, targets = [[0.5, -1.0, 2.0]] * 4, [[1.0, 0.0, 0.5]] * 4
    batch = arrays.prepare(sequences, targets)
    expected = python.loss_and_gradients(sequences, targets)
    for _ in range(2):
        agree(arrays.loss_and_gradients(batch), expected)
        found = arrays.predict(batch)
        np.testing.assert_allclose(found, python.predict(sequences), atol=1e-13)


def test_threads_share_nothing_of_a_batch() -> None:
    compiled = LSTM.random(6, 2, seed=1).compile("squared_error", backend="numpy")
    chance = np.random.default_rng(0)
    batches = [
        compiled.prepare(chance.normal(size=(n, 7, 2)), chance.normal(size=(n, 6)))
        for n in range(3, 9)
    ]
    alone = [compiled.loss_and_gradients(batch) for batch in batches]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(9):
            assert [*pool.map(compiled.loss_and_gradients, batches)] == alone


@pytest.mark.parametrize("at", ["last", "every"])
def test_results_share_nothing_with_a_batch_that_runs_before_they_are_read(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chance = RNN.random(3, 2, seed=1), np.random.default_rng(0)
    compiled = model.compile("squared_error", at=at, backend="numpy")
    one, other = chance.normal(size=(2, 4, 5, 2))
    targets = chance.normal(size=(4, 5, 3) if at == "every" else (4, 3))
    batch = compiled.prepare(one, targets)
    alone, shown = compiled.predict(one), compiled.run(batch, outputs=True)
    in_order = Columns.in_order

    def meanwhile(columns: Columns, rows: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(Columns, "in_order", in_order)
            compiled.predict(other)
            compiled.run(compiled.prepare(other, targets), outputs=True)
        return in_order(columns, rows)

    monkeypatch.setattr(Columns, "in_order", meanwhile)
    assert compiled.predict(one) == alone
    found = compiled.run(batch, outputs=True)
    assert found.loss == shown.loss
    np.testing.assert_array_equal(found.outputs, shown.outputs)


def test_what_is_kept_is_one_room_for_each_thread_and_goes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms: list[Any] = []

    class Noted(slopes.Room):
        def __init__(self) -> None:
            super().__init__()
            rooms.append(weakref.ref(self))

    monkeypatch.setattr(source, "Room", Noted)
    compiled = RNN.random(2, 1).compile("squared_error", backend="numpy")
    batch = compiled.prepare([[1.0, 2.0]], [[0.0, 1.0]])
    for _ in range(2):
        compiled.loss_and_gradients(batch)
        compiled.run(batch, outputs=True)
    assert [room() is not None for room in rooms] == [True]
    thread = Thread(target=compiled.loss_and_gradients, args=(batch,))
    thread.start()
    thread.join()
    del thread
    assert [room() is not None for room in rooms] == [True, False]
    del compiled, batch
    assert [room() is not None for room in rooms] == [False, False]


def test_a_room_keeps_few_blocks_and_no_array_that_it_has_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slopes, "MOST_VIEWS", 3)
    room = slopes.Room()
    short, long = [pack(as_batch(np.ones((2, steps, 1)), None, every=False)) for steps in (3, 4)]
    blocks = room.blocks("T", 1, short)
    room.tidy()
    assert room.blocks("T", 1, short) is blocks
    replaced = weakref.ref(room.arrays["T"])
    del blocks
    blocks = room.blocks("T", 1, long)
    assert replaced() is None
    room.tidy()
    assert room.blocks("T", 1, long) is not blocks


def test_a_vector_of_symbols_is_there_for_a_step_that_reads_it_only_on_the_way() -> None:
    def added(state: Any, x: Any, w: Any) -> Any:
        return (state[0] + x[0],), w[0] * state[0]

    def multiplied(state: Any, x: Any, w: Any) -> Any:
        return (state[0] * x[0],), w[0] * state[0]

    for step in (added, multiplied):
        python, arrays = [
            compile_step(step, "squared_error", [Value(0.5)], [0.25], backend=b, symbols=3)
            for b in ("python", "numpy")
        ]
        xs, ys = [[0, 1, 2], [0]], [1.0, 2.0]
        assert arrays.predict(xs) == python.predict(xs)
        agree(arrays.loss_and_gradients(xs, ys), python.loss_and_gradients(xs, ys))


def test_a_comparison_that_fails_is_placed() -> None:
    def step(state: Any, x: Any, w: Any) -> Any:
        after = w[0] * x[0] if x[0] > 0 else -x[0] * w[0]
        return (after + state[0] * w[1],), after

    compiled = compile_step(
        *(step, "squared_error", [Value(0.5), Value(0.25)], [0.0]), at="last", backend="numpy"
    )
    with pytest.raises(BranchChanged, match=r"sequences\[2\], step 1: x_1 > 0.0 was True"):
        compiled.loss_and_gradients([[1, 2, 3], [1], [-1, 1], [1, 1, -1]], [1, 1, 1, 1])


def test_an_infinity_that_no_loss_reaches_harms_no_slope() -> None:
    """At the last step, the state after it counts for nothing: its slope is infinite there."""

    def step(state: Any, x: Any, w: Any) -> Any:
        return ((w[0] * x[0]).sqrt() + state[0],), w[1] * state[0]

    given = (step, "squared_error", [Value(0.5), Value(0.25)], [1.0])
    python, arrays = [compile_step(*given, backend=backend) for backend in ("python", "numpy")]
    batch = ([[1, 2, 0], [3, 0], [0]], [1, 2, 3])
    agree(arrays.loss_and_gradients(*batch), python.loss_and_gradients(*batch))


def test_rows_side_by_side_are_a_slice() -> None:
    assert selector([0, 1, 2], 3) is None
    assert selector([1, 2], 3) == slice(1, 3)
    assert selector([2, 1], 3).tolist() == [2, 1]


@pytest.mark.parametrize(
    "name", [n for n, op in ops.TABLE.items() if op.arrays_rule or op.arrays_both]
)
def test_a_slope_from_the_operand_is_that_of_the_rule(name: str) -> None:
    op = ops.TABLE[name]
    far = np.geomspace(1e-300, 700.0, 400)
    x = np.concatenate([-far, [-0.0, 0.0, -np.inf, np.inf, np.nan], far])
    wanted = [op.partials[0](one, op.value(one)) for one in x.tolist()]
    with np.errstate(under="ignore"):
        result = on_arrays(op)(x)
        pair = op.arrays_both(np, x) if op.arrays_both else (result, op.arrays_rule(np, x))
    assert pair[1] == pytest.approx(wanted, rel=2e-15, abs=1e-305, nan_ok=True)
    np.testing.assert_array_equal(pair[0], result)


@pytest.mark.parametrize("name", [n for n, op in ops.TABLE.items() if op.arrays and op.arity == 1])
def test_arrays_of_less_precision_have_the_values_of_others(name: str) -> None:
    op = ops.TABLE[name]
    x = np.array([-np.inf, -1000, -100, -90, -12, -0.5, 0, 0.5, 12, 90, 100, 1000, np.inf, np.nan])
    with np.errstate(all="ignore"):
        for kind in (np.float16, np.float32):
            wanted = on_arrays(op)(x).astype(kind)
            found = on_arrays(op)(x.astype(kind))
            assert found.dtype == kind
            np.testing.assert_allclose(found, wanted, 64 * np.finfo(kind).eps, np.finfo(kind).tiny)


@pytest.mark.parametrize("name", [n for n, op in ops.TABLE.items() if op.arrays_slope is not None])
@given(st.floats(-800, 800))
def test_a_slope_from_the_result_is_as_good_as_the_rules(name: str, x: float) -> None:
    op = ops.TABLE[name]
    operand = np.array([x])
    with np.errstate(over="ignore"):
        result = on_arrays(op)(operand)
    found, difference = op.arrays_slope(result)
    if difference[0] >= LEAST_DIFFERENCE:
        wanted = op.partials[0](x, op.value(x))
        np.testing.assert_allclose(found, [wanted], rtol=1e-14)
