"""Compiled steps: every backend beside the engine."""

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograd_rnn import RNN, Value, compile_step, copies, ops, where
from autograd_rnn.backends import Backend
from autograd_rnn.backends.llvm.vector_math import definition
from autograd_rnn.backends.traced import find_groups, trace_step
from autograd_rnn.ops.op import CALL

from .steps import (
    BIT_FOR_BIT,
    CLOSE,
    Plan,
    agree,
    batch,
    bits,
    by_the_engine,
    check_beside_the_engine,
    everything,
    flat,
    lengths,
)

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=settings().max_examples // 6)
def test_any_step_on_every_backend(seed: int, every: bool) -> None:
    check_beside_the_engine(seed, every, [*BIT_FOR_BIT, *CLOSE])


ANY_NUMBER = [0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, -1e-310, 1e-300, 1e308, -1e300, math.inf]
ANY_NUMBER += [-math.inf, math.nan, 709.5, -745.1, 40.0, -3.0]


@given(st.integers(0, 2**32), st.booleans())
@example(3594, False)  # a condition, and weights, that only what is not chosen depends on
@example(69, False)  # a choice that is the condition of another
@example(427, True)  # a weight that is a condition, and more
@settings(max_examples=settings().max_examples // 8)
def test_exact_code_has_the_bits_of_the_engine_for_any_numbers(seed: int, every: bool) -> None:
    plan, chance = Plan(seed, tuple(ops.TABLE)), random.Random(seed + 1)

    def number() -> float:
        return chance.choice(ANY_NUMBER) if chance.random() < 0.5 else chance.uniform(-2, 2)

    numbers = [number() for _ in range(plan.count)]
    at = "every" if every else "last"
    sizes = lengths(chance, 20)
    sequences = [[[number() for _ in range(plan.inputs)] for _ in range(n)] for n in sizes]
    targets: Any = [
        [[number() for _ in range(plan.outputs)] for _ in range(n if every else 1)] for n in sizes
    ]
    targets = targets if every else [one for (one,) in targets]
    eager = plan.compiled(numbers, at, "eager", False)
    expected = everything(eager, sequences, targets)
    for backend, exact in BIT_FOR_BIT:
        try:
            found = everything(plan.compiled(numbers, at, backend, exact), sequences, targets)
        except ValueError as error:
            assert (exact, str(error)[:24]) == (True, "exact=True cannot be had")  # noqa: PT017
            continue
        assert bits(found[:3]) == bits(expected[:3]), backend


@pytest.mark.parametrize(("backend", "exact"), [*CLOSE, *BIT_FOR_BIT])
def test_nan_in_what_is_masked_harms_no_weight(backend: str, exact: bool) -> None:
    """Also where the weights are of the masked branch alone, and its matrix product remains."""

    def step(state: Any, x: Any, w: Any) -> Any:
        rows = [w[3 * k] + w[3 * k + 1] * x[1] + w[3 * k + 2] * state[0] for k in range(3)]
        loss = where(x[0], rows[0].exp() + rows[1].tanh() * rows[2], 0.0)
        return (state[0] + loss,), loss

    def mean(output: Any, target: Any) -> Any:
        return output

    weights = [Value(number / 8) for number in range(9)]
    given = (step, mean, weights, [0.5])
    batch = ([[[1, 0.5], [0, math.nan]], [[0, math.inf], [1, 2]]], [[0, 0], [0, 0]])
    compiled = compile_step(*given, at="every", backend=backend, exact=exact)
    found = compiled.loss_and_gradients(*batch)
    expected = compile_step(*given, at="every", backend="eager").loss_and_gradients(*batch)
    assert all(map(math.isfinite, flat(expected)))
    agree(found, expected)
    if not exact and backend != "python":
        (group,) = trace_step(compiled.objective, [1, 2], [0]).groups
        assert len(group.rows) == 3


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=settings().max_examples // 8)
def test_nan_stays_nan_on_every_backend(seed: int, every: bool) -> None:
    plan, chance = Plan(seed), random.Random(seed + 1)
    numbers = [chance.uniform(-1, 1) for _ in range(plan.count)]
    numbers[chance.randrange(plan.count)] = chance.choice([math.nan, math.inf, -math.inf])
    sequences, targets = batch(seed, 9, plan.inputs, plan.outputs, every, most=4)
    at = "every" if every else "last"
    expected = everything(plan.compiled(numbers, at, "eager", False), sequences, targets)
    for backend, exact in CLOSE:
        found = everything(plan.compiled(numbers, at, backend, exact), sequences, targets)
        for mine, wanted in zip(flat(found[::2]), flat(expected[::2]), strict=True):
            assert math.isnan(mine) == math.isnan(wanted), backend
            assert mine == wanted or not math.isinf(wanted), backend


@given(
    st.integers(0, 2**32),
    st.integers(1, 19),
    st.integers(1, 5),
    st.integers(1, 33),
    st.booleans(),
    st.sampled_from(["tanh", "sigmoid", "relu", "softplus", "linear"]),
    st.booleans(),
)
@settings(max_examples=settings().max_examples // 8)
def test_layers_of_any_size_on_ragged_batches(
    seed: int, states: int, inputs: int, count: int, bias: bool, activation: str, every: bool
) -> None:
    chance = random.Random(seed)
    rows = [
        [chance.uniform(-0.4, 0.4) for _ in range(states)] for _ in range(bias + states + inputs)
    ]
    rnn = RNN(rows, activation, bias=bias)
    at = "every" if every else "last"
    native = rnn.compile("squared_error", at=at, backend="native")
    sequences, goals = batch(seed, count, inputs, states, every, most=6)
    found = native.loss_and_gradients(sequences, goals)
    python = rnn.compile("squared_error", at=at, backend="python")
    expected = python.loss_and_gradients(sequences[:4], goals[:4])
    if states <= 6:
        assert expected == by_the_engine(python, sequences[:4], goals[:4])
    agree(native.loss_and_gradients(sequences[:4], goals[:4]), expected)
    agree(native.loss_and_gradients(sequences, goals, threads=3), found)
    arrays = rnn.compile("squared_error", at=at, backend="numpy")
    agree(arrays.loss_and_gradients(sequences, goals), found)
    assert flat(arrays.predict(sequences)) == pytest.approx(
        flat(native.predict(sequences, threads=2)), rel=1e-11, abs=1e-12
    )
    if states <= 6:  # without products of matrices the code is long
        exact = rnn.compile("squared_error", at=at, backend="native", exact=True)
        assert bits(exact.loss_and_gradients(sequences[:4], goals[:4])) == bits(expected)
    parts = [native.loss_and_gradients([s], [g])[0] for s, g in zip(sequences, goals, strict=True)]
    assert found[0] == pytest.approx(math.fsum(parts) / count, rel=1e-12)


@pytest.mark.parametrize("inputs_first", [False, True])
def test_an_lstm_with_a_readout(inputs_first: bool) -> None:
    chance = random.Random(1)
    size = 3
    names = [f"{gate}_{i}_{j}" for gate in "ifog" for i in range(size) for j in range(size + 2)]
    parameters = [Value(chance.uniform(-0.5, 0.5), name) for name in [*names, "r_1", "r_2", "r_3"]]

    def step(state: Any, x: Any, w: Any) -> Any:
        h, c = state[:size], state[size:]
        rows: dict[str, list[Any]] = {gate: [] for gate in "ifog"}
        place = 0
        for gate in "ifog":
            for _ in range(size):
                total = w[place]
                for k, entry in enumerate((*x, *h) if inputs_first else (*h, *x), 1):
                    total = total + w[place + k] * entry
                place += size + 2
                rows[gate].append(total.tanh() if gate == "g" else total.sigmoid())
        after = [
            f * e + i * g for i, f, e, g in zip(rows["i"], rows["f"], c, rows["g"], strict=True)
        ]
        hidden = [o * e.tanh() for o, e in zip(rows["o"], after, strict=True)]
        output = w[place] * hidden[0] + w[place + 1] * hidden[1] + w[place + 2] * hidden[2]
        return (*hidden, *after), output

    for at in ("last", "every"):
        sequences, goals = batch(3, 11, 1, 1, at == "every", most=9)
        python, native = [
            compile_step(step, "squared_error", parameters, [0.0] * 6, at=at, backend=backend)
            for backend in ("python", "native")
        ]
        expected = python.loss_and_gradients(sequences, goals)
        assert expected == by_the_engine(python, sequences, goals)
        agree(native.loss_and_gradients(sequences, goals), expected)
        exact = compile_step(
            *(step, "squared_error", parameters, [0.0] * 6), at=at, backend="native", exact=True
        )
        if inputs_first and at == "last":
            # The engine comes to the weights of the inputs in the order of time, not back.
            with pytest.raises(ValueError, match="exact=True cannot be had"):
                exact.loss_and_gradients(sequences, goals)
        else:
            assert exact.loss_and_gradients(sequences, goals) == expected
        traced = trace_step(native.objective, [0.0], [0.0])
        shapes = sorted((len(group.rows), len(group.vector)) for group in find_groups(traced))
        assert shapes == [(1, 3), (12, 4)]


def test_parameters_may_learn_in_between() -> None:
    rnn = RNN([[0.5], [0.25]], activation="tanh", bias=False)
    for backend in ("eager", "python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        losses = []
        for _ in range(30):
            loss, slopes = compiled.loss_and_gradients([[1, 0, 1], [1]], [0.5, 0.3])
            losses.append(loss)
            for weight, slope in zip(rnn.parameters(), slopes, strict=True):
                weight.data -= 0.5 * slope
        assert losses[-1] < losses[0] / 5
        rnn.weights[0][0].data, rnn.weights[1][0].data = 0.5, 0.25


def test_rules_in_any_operators_run_on_every_backend() -> None:
    before = dict(ops.TABLE)
    try:
        bell = ops.primitive(
            "bell_of_steps",
            lambda x: 1.0 / (1.0 + x * x),
            lambda x, z: -2.0 * x / (1.0 + x**2) ** 2 + (abs(x) - abs(-x)) / 3.0,
            arrays=lambda np, x: 1.0 / (1.0 + x * x),
            llvm="""%square = fmul {v} %x, %x
            %below = fadd {v} {one}, %square
            %z = fdiv {v} {one}, %below""",
        )

        def step(state: Any, x: Any, w: Any) -> Any:
            after = bell(w[0] * state[0] + w[1] * x[0])
            return (after,), after

        sequences, goals = batch(8, 9, 1, 1, False)
        found = [
            compile_step(
                *(step, "squared_error", [Value(0.7), Value(-1.2)], [0.5]), backend=b, exact=e
            ).loss_and_gradients(sequences, goals)
            for b, e in [("eager", False), *BIT_FOR_BIT, *CLOSE]
        ]
        assert found[0] == found[1] == found[2]
        agree(found[3], found[0])
        agree(found[4], found[0])
    finally:
        ops.TABLE.clear()
        ops.TABLE.update(before)


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_every_op_runs_on_every_backend(op: ops.Op) -> None:
    def one_step(q: Any, x: Any, w: Any) -> Any:
        z = op(*[w[0] * x[0], w[1]][: op.arity])
        return (q[0] + z,), q[0] * z + z

    sequences = [[[1.0], [0.5]], [[2.0], [1.5], [0.25]]]
    expected: Any = None
    for backend, exact in [("eager", False), *CLOSE, *BIT_FOR_BIT]:
        # For arccosh from 1 on.
        weights = [Value(3.0 if op.name == "arccosh" else 0.3), Value(1.1)]
        given = sequences[:1] if op.name == "arccosh" else sequences
        compiled = compile_step(
            one_step, "squared_error", weights, [0.5], backend=backend, exact=exact
        )
        try:
            found = compiled.loss_and_gradients(given, [0.1, 0.2][: len(given)])
        except ValueError as error:
            assert (exact, str(error)[:24]) == (True, "exact=True cannot be had")  # noqa: PT017
            continue
        expected = expected or found
        if (backend, exact) in BIT_FOR_BIT:
            assert bits(list(found[1])) == bits(list(expected[1]))
        assert all(map(math.isfinite, expected[1]))
        agree(found, expected)


def test_terms_of_the_copies() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll([[1], [0], [1]])
    loss = (15 - run.pi[0]) ** 2
    expected = [[copy.grad for copy in copies(w, loss, run=run)] for w in rnn.parameters()]
    for backend in ("eager", "python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        (rows,) = compiled.gradients_per_step([[1, 0, 1]], [15])
        assert [list(column) for column in zip(*rows, strict=True)] == expected


def test_refusals() -> None:
    rnn = RNN.random(1, 1, seed=1)
    compiled = rnn.compile("squared_error", backend="python")
    fit = compiled.loss_and_gradients
    w = Value(1, "w")

    odd = compile_step(lambda q, x, w: w[0], "squared_error", [w], [0], backend="python")
    wider = compile_step(lambda q, x, w: ((*q, w[0]), w[0]), "squared_error", [w], [0])
    bare = compile_step(lambda q, x, w: (w[0], w[0]), "squared_error", [w], [0], backend="python")
    # Its two states change places, so that what a loss reads alternates.
    swaps = compile_step(
        *(lambda q, x, w: ((q[1] * w[0], q[0] * w[0]), q[0]), "squared_error", [w], [1, 2]),
        backend="native",
        exact=True,
    )

    def inexact(**options: Any) -> Any:
        return rnn.compile("squared_error", **options)

    cosh = ops.Op(
        *("cosh", math.cosh, (lambda x, z: math.nan,)),
        **{"symbol": "cosh", "text": "", "latex": "", "python": "", "binds": CALL},
    )
    other = compile_step(
        lambda q, x, w: (q, cosh(w[0])), "squared_error", [w], [], backend="native"
    )
    for error, words, call in [
        (ValueError, r"sequences\[1\] is empty", lambda: fit([[1], []], [1, 2])),
        (ValueError, r"there are 1 and 2", lambda: fit([[1]], [1, 2])),
        (ValueError, r"sequences is empty", lambda: fit([], [])),
        (ValueError, r"vectors of the sizes \[1, 2\]", lambda: fit([[1, [1, 2]]], [1])),
        (TypeError, r"sequences must be a list, not str", lambda: fit("101", [1])),
        (TypeError, r"sequences\[0\] must", lambda: fit([["x"]], [1])),
        (ValueError, r"threads must be 1 or more", lambda: fit([[1]], [1], threads=0)),
        (ValueError, r"loss 'mse' is unknown", lambda: rnn.compile("mse")),
        (ValueError, r"at 'first' is unknown", lambda: rnn.compile("squared_error", at="first")),
        (ValueError, r"backend 'c' is unknown", lambda: rnn.compile("squared_error", backend="c")),
        (ValueError, r"vectors of the sizes \[1, 2\]", lambda: fit([[1], [[1, 2]]], [1, 1])),
        (ValueError, r"numpy' is not exact", lambda: inexact(backend="numpy", exact=True)),
        (ValueError, r"exact=True cannot be had", lambda: swaps.loss_and_gradients([[1]], [1])),
        (TypeError, r"state as a tuple, not Value", lambda: bare.loss_and_gradients([[1]], [1])),
        (TypeError, r"step must give a pair", lambda: odd.loss_and_gradients([[1]], [1])),
        (ValueError, r"a state of size 2", lambda: wider.loss_and_gradients([[1]], [1])),
        (
            ValueError,
            r"the op 'cosh' cannot be compiled",
            lambda: other.loss_and_gradients([[1]], [1]),
        ),
        (ValueError, r"the op 'cosh' cannot", lambda: definition(cosh, 8)),
    ]:
        with pytest.raises(error, match=words):
            call()
    every = rnn.compile("squared_error", at="every", backend="python")
    with pytest.raises(ValueError, match=r"targets\[0\] has 1 entries for 2 steps"):
        every.loss_and_gradients([[1, 0]], [[1]])
    assert repr(compiled) == "<CompiledStep: python>"


def test_a_parameter_is_listed_once() -> None:
    w = Value(0.5)
    with pytest.raises(ValueError, match="parameters has a Value twice: list each parameter once"):
        compile_step(lambda q, x, p: (q, p[0]), "squared_error", [w, Value(1.0), w], [0.0])


@pytest.mark.parametrize("backend", Backend.kinds)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("every", [False, True])
def test_the_loss_gets_a_target_as_it_was_given(backend: str, outputs: int, every: bool) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    given: list[Any] = []

    def loss(output: Any, target: Any) -> Any:
        given.append(target)
        first = output[0] if isinstance(output, tuple) else output
        goals = target if isinstance(target, tuple) else (target,)
        total = (first - goals[0]) ** 2
        for goal in goals[1:]:
            total = total + first * goal
        return total

    xs = [[1.0, 0.5], [0.25, 2.0]]
    targets: list[Any]
    for targets, size in (
        ([1, 0], None),
        ([1.0, 0.5], None),
        (np.array([1, 0]), None),
        ([np.float64(1), 2], None),
        ([[1], [0]], 1),
        ([(1.0,), (0.5,)], 1),
        (np.array([[1.0], [0.5]]), 1),
        ([[1, 2, 3], [4, 5, 6]], 3),
        ([np.array([1, 2]), np.array([3, 4])], 2),
    ):
        goals = [[target] * 2 for target in targets] if every else targets
        at = "every" if every else "last"
        compiled = RNN.random(outputs, 1, seed=3).compile(loss, at=at, backend=backend)
        given.clear()
        found = compiled.loss_and_gradients(xs, goals)
        assert given
        for target in given:
            if size is None:
                assert isinstance(target, Value)
            else:
                assert (type(target), len(target)) == (tuple, size)
                assert all(isinstance(entry, Value) for entry in target)
        # Prepared, in parts, and cut into windows, they stay so.
        batch = compiled.prepare(xs, goals)
        assert compiled.loss_and_gradients(batch) == found
        assert compiled.loss_and_gradients(batch.take([0, 1])) == found
        eager = RNN.random(outputs, 1, seed=3).compile(loss, at=at, backend="eager")
        assert found[0] == pytest.approx(eager.loss_and_gradients(xs, goals)[0], rel=1e-12)


def test_targets_are_numbers_or_vectors_but_not_both() -> None:
    compiled = RNN.random(1, 1).compile("squared_error", backend="python")
    words = "targets has numbers and lists of numbers: the loss gets a target as it is given"
    for targets in ([1, [0]], [np.array([1.0]), 2.0]):
        with pytest.raises(ValueError, match=words):
            compiled.loss_and_gradients([[1], [2]], targets)
    # One step takes both, in turn.
    assert compiled.loss_and_gradients([[1]], [1]) == compiled.loss_and_gradients([[1]], [[1]])
