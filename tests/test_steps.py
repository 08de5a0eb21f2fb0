"""Steps over batches of sequences: every backend beside the engine."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import RNN, Value, compile_step, gradients, ops, tanh
from autograd_rnn.lanes import definition
from autograd_rnn.native import Cell, Kernel, find_groups, tiles
from autograd_rnn.steps import CompiledStep

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")


def by_the_engine(
    compiled: CompiledStep, sequences: Any, targets: Any
) -> tuple[float, list[float]]:
    """The mean loss and its gradient, a sequence at a time, on the engine itself."""
    total, sums = 0.0, [0.0] * len(compiled.parameters)
    for sequence, target in zip(sequences, targets, strict=True):
        state: Any = tuple([Value(entry) for entry in compiled.state])
        loss: Any = None
        for k, x in enumerate(sequence):
            state, output = compiled.step(state, tuple(x), tuple(compiled.parameters))
            if compiled.every or k == len(sequence) - 1:
                goal = target[k] if compiled.every else target
                one = not isinstance(output, tuple)
                term = compiled.loss(output, goal[0] if one and len(goal) == 1 else tuple(goal))
                loss = term if loss is None else loss + term
        if compiled.every:
            loss = loss / float(len(sequence))
        total += loss.data
        slopes = gradients(loss, compiled.parameters)
        sums = [s + slope for s, slope in zip(sums, slopes, strict=True)]
    return total / len(sequences), [s / len(sequences) for s in sums]


def batch(
    seed: int, count: int, inputs: int, targets: int, every: bool, most: int = 12
) -> tuple[list[list[list[float]]], list[Any]]:
    """Random sequences of lengths from 1, and their targets."""
    chance = random.Random(seed)
    sequences = [
        [[chance.uniform(-1, 1) for _ in range(inputs)] for _ in range(chance.randint(1, most))]
        for _ in range(count)
    ]
    goals = [
        [[chance.uniform(-1, 1) for _ in range(targets)] for _ in (sequence if every else [0])]
        for sequence in sequences
    ]
    return sequences, goals if every else [goal[0] for goal in goals]


def agree(found: tuple[float, list[float]], expected: tuple[float, list[float]]) -> None:
    scale = max(1e-300, *map(abs, expected[1]), abs(expected[0]))
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert found[1] == pytest.approx(expected[1], rel=1e-11, abs=1e-12 * scale)


@given(
    st.integers(0, 2**32),
    st.integers(1, 19),
    st.integers(1, 5),
    st.integers(1, 33),
    st.booleans(),
    st.sampled_from(["tanh", "sigmoid", "relu", "softplus", "linear"]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
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
    parts = [native.loss_and_gradients([s], [g])[0] for s, g in zip(sequences, goals, strict=True)]
    assert found[0] == pytest.approx(math.fsum(parts) / count, rel=1e-12)


OPS = ("add", "sub", "mul", "tanh", "sigmoid", "relu", "maximum", "abs", "exp", "neg", "softplus")


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=40, deadline=None)
def test_steps_of_any_ops(seed: int, every: bool) -> None:
    chance = random.Random(seed)
    states, inputs, count = chance.randint(1, 3), chance.randint(0, 2), chance.randint(1, 4)
    plan = [
        (ops.TABLE[chance.choice(OPS)], chance.random(), chance.random())
        for _ in range(chance.randint(1, 10))
    ]

    def step(state: Any, x: Any, parameters: Any) -> Any:
        values = [*parameters, *state, *x, 0.5]
        for op, a, b in plan:
            operands = [values[int(part * len(values))] for part in (a, b)[: op.arity]]
            values.append(op(*operands))
        kept = values[-states:]
        return tuple([tanh(one * 0.5) for one in kept]), values[-1] * parameters[0]

    parameters = [Value(chance.uniform(-1, 1), f"p_{i}") for i in range(count)]
    made = [
        compile_step(
            *(step, "squared_error", parameters, [0.25] * states),
            at="every" if every else "last",
            backend=backend,
        )
        for backend in ("python", "native")
    ]
    sequences, goals = batch(seed, chance.randint(1, 9), max(1, inputs), 1, every, most=5)
    expected = made[0].loss_and_gradients(sequences, goals)
    if not all(map(math.isfinite, [expected[0], *expected[1]])) or expected[0] > 1e100:
        return
    assert expected == by_the_engine(made[0], sequences, goals)
    agree(made[1].loss_and_gradients(sequences, goals), expected)


def test_an_lstm_with_a_readout() -> None:
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
                for k, entry in enumerate((*x, *h), 1):
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
        cell = native._cell(1, 1)
        shapes = sorted((len(group.rows), len(group.vector)) for group in find_groups(cell))
        assert shapes == [(1, 3), (12, 4)]


def test_parameters_may_learn_in_between() -> None:
    rnn = RNN([[0.5], [0.25]], activation="tanh", bias=False)
    for backend in ("python", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        losses = []
        for _ in range(30):
            loss, slopes = compiled.loss_and_gradients([[1, 0, 1], [1]], [0.5, 0.3])
            losses.append(loss)
            for weight, slope in zip(rnn.parameters(), slopes, strict=True):
                weight.data -= 0.5 * slope
        assert losses[-1] < losses[0] / 5
        rnn.weights[0][0].data, rnn.weights[1][0].data = 0.5, 0.25


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("every", [False, True])
def test_lanes_of_any_width(lanes: int, every: bool) -> None:
    import numpy as np

    from autograd_rnn.native import make_blocks

    rnn = RNN.random(5, 2, seed=3)
    compiled = rnn.compile("squared_error", at="every" if every else "last", backend="native")
    sequences, goals = batch(5, 13, 2, 5, every)
    kernel = Kernel(compiled._cell(2, 5), every=every, lanes=lanes)
    arrays = [[np.array(one, dtype=float) for one in given] for given in (sequences, goals)]
    blocks = make_blocks(*arrays, lanes, every)
    numbers = np.array([w.data for w in rnn.parameters()])
    losses, slopes = kernel.run(blocks, numbers, np.zeros(6), 2)
    expected = compiled.loss_and_gradients(sequences, goals)
    assert losses.mean() == pytest.approx(expected[0], rel=1e-12)
    assert slopes / 13 == pytest.approx(expected[1], rel=1e-9, abs=1e-13)


def test_groups_and_tiles() -> None:
    rnn = RNN.random(8, 4, seed=1)
    cell = rnn.compile("squared_error", backend="native")._cell(4, 8)
    (group,) = find_groups(cell)
    assert (len(group.rows), len(group.vector)) == (8, 12)
    assert None not in group.biases
    for count in range(1, 40):
        found = tiles(count, 8)
        assert [start for start, _ in found] == [0, *[a + b for a, b in found][:-1]]
        assert sum(width for _, width in found) == count
    # A weight that is used twice is in no group.
    w, x = ops.TABLE["mul"], ops.TABLE["add"]
    shared = Cell(1, 1, 1, 1, (), ((w, (0, 1)), (w, (0, 2)), (x, (4, 5))), (6,), 6)
    assert find_groups(shared) == []


def test_refusals() -> None:
    rnn = RNN.random(1, 1, seed=1)
    compiled = rnn.compile("squared_error", backend="python")
    fit = compiled.loss_and_gradients
    w = Value(1, "w")

    def compares(state: Any, x: Any, w: Any) -> Any:
        return state, x[0] * w[0] if x[0] > 0 else w[0]

    guarded = compile_step(compares, "squared_error", [w], [], backend="native")
    odd = compile_step(lambda q, x, w: w[0], "squared_error", [w], [0], backend="python")
    wider = compile_step(lambda q, x, w: ((*q, w[0]), w[0]), "squared_error", [w], [0])
    cosh = ops.Op(
        *("cosh", math.cosh, (lambda x, z: math.nan,)),
        **{"symbol": "cosh", "text": "", "latex": "", "python": "", "binds": ops.CALL},
    )
    other = compile_step(
        lambda q, x, w: (q, cosh(w[0])), "squared_error", [w], [], backend="native"
    )
    for error, words, call in [
        (ValueError, r"sequences\[1\] is empty", lambda: fit([[1], []], [1, 2])),
        (ValueError, r"there are 1 and 2", lambda: fit([[1]], [1, 2])),
        (ValueError, r"there are 0 and 0", lambda: fit([], [])),
        (ValueError, r"vectors of the sizes \[1, 2\]", lambda: fit([[1, [1, 2]]], [1])),
        (TypeError, r"sequences must be a list, not str", lambda: fit("101", [1])),
        (TypeError, r"sequences\[0\] must", lambda: fit([["x"]], [1])),
        (ValueError, r"threads must be 1 or more", lambda: fit([[1]], [1], threads=0)),
        (ValueError, r"loss 'mse' is unknown", lambda: rnn.compile("mse")),
        (ValueError, r"at 'first' is unknown", lambda: rnn.compile("squared_error", at="first")),
        (ValueError, r"backend 'c' is unknown", lambda: rnn.compile("squared_error", backend="c")),
        (ValueError, r"step or loss compares", lambda: guarded.loss_and_gradients([[1]], [1])),
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
