"""Machine code: lanes of any width, and threads."""

import threading
import weakref
from typing import Any

import numpy as np
import pytest

from autograd_rnn import RNN, Value, compile_step
from autograd_rnn.backends.batch import as_batch
from autograd_rnn.backends.traced import trace_step

from ..steps import agree, batch, flat
from .matrices import matrix

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.backends.llvm.kernel import Kernel, make_blocks


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_lanes_of_any_width(lanes: int, every: bool, exact: bool) -> None:
    rnn = RNN.random(5, 2, seed=3)
    eager = rnn.compile("squared_error", at="every" if every else "last", backend="eager")
    sequences, goals = batch(5, 13, 2, 5, every)
    traced = trace_step(eager.objective, sequences[0][0], [0.0] * 5, share=not exact)
    (blocks,) = make_blocks([as_batch(sequences, goals, every=every)], lanes)
    numbers = np.array([w.data for w in rnn.parameters()])
    loss, gradient = eager.loss_and_gradients(sequences, goals)
    expected = flat(eager.predict(sequences))
    for outputs in (False, True):
        options = {"every": every, "lanes": lanes, "exact": exact, "outputs": outputs}
        kernel = Kernel(traced, [0.0] * 5, **options)
        (total, slopes, shown, _), flagged = kernel.run(blocks, numbers, None, 2)
        assert total / 13 == pytest.approx(loss, rel=1e-12)
        assert slopes / 13 == pytest.approx(gradient, rel=1e-9, abs=1e-13)
        assert not exact or list(slopes / 13) == gradient
        assert flagged == []
        if outputs:
            assert flat(shown.tolist()) == pytest.approx(expected, rel=1e-12)
    forward = Kernel(traced, [0.0] * 5, every=every, lanes=lanes, gradient=False, outputs=True)
    (_, _, shown, _), flagged = forward.run(blocks, numbers, None, 2)
    assert flat(shown.tolist()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("rows", "lanes"), [(1, 8), (3, 2), (7, 4), (9, 8), (11, 4), (17, 8)])
@pytest.mark.parametrize("by_rows", [False, True])
def test_matrices_of_any_size_and_order(rows: int, lanes: int, by_rows: bool) -> None:
    step, weights = matrix(rows, rows + 2, by_rows=by_rows)
    given = (step, "squared_error", weights, [0.1] * rows)
    eager = compile_step(*given, at="every", backend="eager")
    sequences, goals = batch(7, lanes + 1, 2, rows, True)
    traced = trace_step(eager.objective, sequences[0][0], [0.0] * rows)
    (blocks,) = make_blocks([as_batch(sequences, goals, every=True)], lanes)
    numbers = np.array([w.data for w in weights])
    kernel = Kernel(traced, [0.1] * rows, every=True, lanes=lanes)
    loss, gradient = eager.loss_and_gradients(sequences, goals)
    for threads in (1, 2):
        (total, slopes, *_), _ = kernel.run(blocks, numbers, None, threads)
        assert total / (lanes + 1) == pytest.approx(loss, rel=1e-12)
        assert slopes / (lanes + 1) == pytest.approx(gradient, rel=1e-9, abs=1e-13)


def test_an_infinite_state_does_not_reach_a_later_run() -> None:
    compiled = RNN.random(2, 1, seed=1).compile("squared_error", backend="native")
    xs, ys, state = [[1], [0, 1], [1, 1]], [[0.0, 0.5]] * 3, np.full((3, 2), 0.5)
    expected = compiled.loss_and_gradients(xs, ys, state=state)
    compiled.loss_and_gradients([[1]] * 8, [[0.0, 0.5]] * 8, state=np.full((8, 2), np.inf))
    assert compiled.loss_and_gradients(xs, ys, state=state) == expected


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("size", [1, 3, 8, 17])
def test_rows_of_any_size_in_lanes_of_any_width(size: int, lanes: int) -> None:
    """Whole numbers, so that states and outputs are right without tolerance."""

    def step(state: Any, x: Any, parameters: Any) -> tuple[Any, Any]:
        after = tuple([q + parameters[0] * x[0] for q in state])
        return after, (*after, x[0])

    weight = Value(2.0)
    eager = compile_step(step, "squared_error", [weight], [5.0] * size, backend="eager")
    for count in (1, lanes, 2 * lanes + 1):
        sequences = [[[float(k)]] * (1 + k % 3) for k in range(count)]
        sums = np.array([[2.0 * k * (1 + k % 3)] for k in range(count)])
        given = np.arange(float(count * size)).reshape(count, size)
        goals = [[0.0] * (size + 1)] * count
        traced = trace_step(eager.objective, [0.0], [0.0] * (size + 1))
        (blocks,) = make_blocks([as_batch(sequences, goals, every=False)], lanes)
        options = {"every": False, "lanes": lanes, "outputs": True, "after": True}
        kernel = Kernel(traced, [5.0] * size, **options)
        for states, starts in ((given[:, ::-1], given[:, ::-1]), (None, 5.0)):
            for threads in (1, 2):
                found, _ = kernel.run(blocks, np.array([2.0]), states, threads)
                assert (found.states == starts + sums).all()
                assert (found.outputs[:, :size] == found.states).all()
                assert found.outputs[:, size].tolist() == [float(k) for k in range(count)]


def test_several_threads_at_once() -> None:
    rnn = RNN.random(4, 2, seed=5)
    compiled = rnn.compile("squared_error", backend="native")
    sequences, goals = batch(6, 40, 2, 4, False)
    expected = compiled.loss_and_gradients(sequences, goals)
    found: list[Any] = []

    def work() -> None:
        found.extend(compiled.loss_and_gradients(sequences, goals) for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 80
    for count in (2, 3, 5, 100):
        agree(compiled.loss_and_gradients(sequences, goals, threads=count), expected)
        assert compiled.predict(sequences, threads=count) == compiled.predict(sequences)
    exact = rnn.compile("squared_error", backend="native", exact=True)
    assert exact.loss_and_gradients(sequences, goals) == exact.loss_and_gradients(
        sequences, goals, threads=3
    )


def test_an_interrupt_leaves_the_numbers_to_the_other_threads() -> None:
    rnn = RNN.random(2, 1, seed=1)
    sequences, goals = batch(3, 4, 1, 2, False)
    objective = rnn.compile("squared_error", backend="eager").objective
    kernel = Kernel(trace_step(objective, [0.0], [0.0] * 2), [0.0] * 2, every=False, lanes=2)
    (blocks,) = make_blocks([as_batch(sequences, goals, every=False)], 2)
    main, over = threading.current_thread(), threading.Event()
    others: list[threading.Thread] = []

    def interrupted(*given: int) -> None:
        if threading.current_thread() is main:
            raise KeyboardInterrupt
        others.append(threading.current_thread())
        over.wait(10)

    kernel.call = interrupted
    numbers = np.array([w.data for w in rnn.parameters()])
    held = weakref.ref(numbers)
    with pytest.raises(KeyboardInterrupt):
        kernel.run(blocks, numbers, None, 2)
    del numbers
    try:
        assert held() is not None
    finally:
        over.set()
    for other in others:
        other.join()
