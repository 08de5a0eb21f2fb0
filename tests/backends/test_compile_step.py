"""Steps over batches of sequences: every backend beside the engine."""

import importlib.util
import math
import os
import random
import struct
import subprocess
import sys
import threading
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    BranchChanged,
    Value,
    compile_step,
    copies,
    gradients,
    ops,
    primitive,
    tanh,
)
from autograd_rnn.backends.compile_step import CompiledStep, record_cell
from autograd_rnn.backends.llvm.codegen import tiles
from autograd_rnn.backends.llvm.vector_math import definition
from autograd_rnn.backends.traced import Cell, find_groups
from autograd_rnn.ops.op import CALL
from autograd_rnn.program.program import Line, Program, record

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.backends.llvm.backend import Kernel
from autograd_rnn.backends.llvm.batch import make_blocks
from autograd_rnn.backends.llvm.jit import CACHE

CLOSE = [("numpy", False), ("native", False)]
BIT_FOR_BIT = [("python", False), ("native", True)]


def by_the_engine(
    compiled: CompiledStep, sequences: Any, targets: Any
) -> tuple[float, list[float]]:
    """The mean loss and its gradient, a sequence at a time, written out on the engine."""
    given = compiled.step
    total, sums = 0.0, [0.0] * len(given.parameters)
    for sequence, target in zip(sequences, targets, strict=True):
        state: Any = tuple([Value(entry) for entry in given.state])
        loss: Any = None
        for k, x in enumerate(sequence):
            state, output = given.step(state, tuple(x), tuple(given.parameters))
            if given.every or k == len(sequence) - 1:
                goal = target[k] if given.every else target
                one = not isinstance(output, tuple)
                term = given.loss(output, goal[0] if one and len(goal) == 1 else tuple(goal))
                loss = term if loss is None else loss + term
        if given.every:
            loss = loss / float(len(sequence))
        total += loss.data
        slopes = gradients(loss, given.parameters)
        sums = [s + slope for s, slope in zip(sums, slopes, strict=True)]
    count = len(sequences)
    return total / count, [s / count for s in sums]


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


def flat(numbers: Any) -> list[float]:
    """The numbers of nested lists, in order."""
    if isinstance(numbers, float):
        return [numbers]
    return [number for part in numbers for number in flat(part)]


def bits(numbers: Any) -> list[bytes]:
    """The numbers by their bits, all NaN alike."""
    return [b"nan" if math.isnan(x) else struct.pack("<d", x) for x in flat(numbers)]


def agree(found: tuple[float, list[float]], expected: tuple[float, list[float]]) -> None:
    scale = max(1e-300, *map(abs, expected[1]), abs(expected[0]))
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert found[1] == pytest.approx(expected[1], rel=1e-11, abs=1e-12 * scale)


# --- any step, on every backend ------------------------------------------------------------------


class Plan:
    """A random step: rows of sums of weights times values, some weights shared, and any ops."""

    NAMES = ("add", "sub", "mul", "tanh", "sigmoid", "relu", "maximum", "abs", "neg", "softplus")

    def __init__(self, seed: int, names: tuple[str, ...] = NAMES) -> None:
        chance = self.chance = random.Random(seed)
        self.states, self.inputs = chance.randint(0, 4), chance.randint(0, 3)
        self.outputs = chance.randint(1, 3)
        self.count = 0
        self.rows: list[tuple[list[int], int | None, list[int]]] = []
        for _ in range(chance.randint(0, 2)):
            known = self.states + self.inputs
            vector = [chance.randrange(known) for _ in range(chance.randint(1, 5))] if known else []
            for _ in range(chance.randint(1, 11) if vector else 0):
                bias = self.weight() if chance.random() < 0.7 else None
                self.rows.append((vector, bias, [self.weight() for _ in vector]))
        self.ops = [
            (ops.TABLE[chance.choice(names)], chance.random(), chance.random())
            for _ in range(chance.randint(0, 9))
        ]
        self.last = [self.weight() for _ in range(self.outputs)]

    def weight(self) -> int:
        """A new weight, or now and then one that is there already."""
        if self.count and self.chance.random() < 0.1:
            return self.chance.randrange(self.count)
        self.count += 1
        return self.count - 1

    def __call__(self, state: Any, x: Any, weights: Any) -> Any:
        values = [*state, *x]
        made = []
        for vector, bias, row in self.rows:
            total = None if bias is None else weights[bias]
            for weight, place in zip(row, vector, strict=True):
                term = weights[weight] * values[place]
                total = term if total is None else total + term
            made.append(total)
        values += [*made, *weights[:2], 0.5]
        for op, a, b in self.ops:
            values.append(op(*[values[int(p * len(values))] for p in (a, b)[: op.arity]]))
        after = [tanh(one * 0.5) for one in values[-self.states :]] if self.states else []
        outputs = [weights[w] * values[-1 - k % 3] for k, w in enumerate(self.last)]
        return tuple(after), outputs[0] if len(outputs) == 1 else tuple(outputs)

    def compiled(self, numbers: list[float], at: str, backend: str, exact: bool) -> CompiledStep:
        weights = [Value(number, f"w_{place}") for place, number in enumerate(numbers, 1)]
        state = [0.25] * self.states
        return compile_step(
            *(self, "squared_error", weights, state), at=at, backend=backend, exact=exact
        )


def everything(compiled: CompiledStep, sequences: Any, targets: Any) -> tuple[Any, ...]:
    return (
        *compiled.loss_and_gradients(sequences, targets),
        compiled.predict(sequences),
        compiled.gradients_per_step(sequences, targets),
    )


def lengths(chance: random.Random, most: int) -> list[int]:
    """Lengths from 1 to 50 of up to 33 sequences, together no more than so many steps."""
    found: list[int] = []
    count = chance.choice([1, 2, 7, 8, 9, 16, 33])
    while len(found) < count and sum(found) < most:
        found.append(min(50, 1 + int(chance.expovariate(0.3))))
    return found


def magnitude(compiled: CompiledStep, sequences: Any, targets: Any) -> list[float]:
    """What the mean loss and each number of its gradient may be off by, in roundings.

    The recorded gradient is carried along with its error: a result's is its own size, plus those of
    its operands times the derivatives by them.
    """
    numbers = [p.data for p in compiled.parameters]
    total = [0.0] * (1 + len(numbers))
    for xs, ys in zip(sequences, targets, strict=True):
        goals = ys if compiled.step.every else [ys]
        given = [*numbers, *flat(xs), *flat(goals)]
        program = record(
            lambda *v, xs=xs, goals=goals: compiled.step.unrolled(
                v[: len(numbers)],
                _cut(v[len(numbers) :], xs),
                _cut(v[len(numbers) + len(flat(xs)) :], goals),
            )[0],
            *given,
        )
        slopes = program.gradient()
        values, sizes = slopes._values(given), [0.0] * slopes.first_line
        for number, (op, operands, _) in enumerate(slopes.lines, slopes.first_line):
            few = [values[o] for o in operands]
            whole = all(x.is_integer() for x in [*few, values[number]])
            known = not any(sizes[o] for o in operands)
            size = 0.0 if op.flat or (known and whole) else abs(values[number])
            for rule, operand in zip(op.partials, operands, strict=True):
                slope = abs(rule(*few, values[number]))
                size += slope * sizes[operand] if slope and sizes[operand] else 0.0
            sizes.append(size)
        found = [sizes[n] for n in slopes.outputs[: 1 + len(numbers)]]
        total = [a + b for a, b in zip(total, found, strict=True)]
    return [size / len(sequences) for size in total]


def _cut(values: Any, like: Any) -> list[Any]:
    size = len(like[0])
    return [values[k * size : (k + 1) * size] for k in range(len(like))]


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=15)
def test_any_step_on_every_backend(seed: int, every: bool) -> None:
    plan, chance = Plan(seed), random.Random(seed + 1)
    numbers = [chance.uniform(-1, 1) for _ in range(plan.count)]
    at = "every" if every else "last"
    sizes = lengths(chance, 60)
    sequences = [
        [[chance.uniform(-1, 1) for _ in range(plan.inputs)] for _ in range(n)] for n in sizes
    ]
    targets: Any = [
        [[chance.uniform(-1, 1) for _ in range(plan.outputs)] for _ in range(n if every else 1)]
        for n in sizes
    ]
    targets = targets if every else [one for (one,) in targets]
    eager = plan.compiled(numbers, at, "eager", False)
    expected = everything(eager, sequences, targets)
    assert expected[:2] == by_the_engine(eager, sequences, targets)
    sums = [math.fsum(c) for c in zip(*[row for rows in expected[3] for row in rows], strict=True)]
    scale = magnitude(eager, sequences, targets)
    for total, slope, size in zip(sums, expected[1], scale[1:], strict=True):
        assert abs(total / len(sizes) - slope) <= 1e-12 * size
    for backend, exact in BIT_FOR_BIT:
        compiled = plan.compiled(numbers, at, backend, exact)
        try:
            found = everything(compiled, sequences, targets)
        except ValueError as error:
            assert (exact, str(error)[:24]) == (True, "exact=True cannot be had")  # noqa: PT017
            continue
        assert bits(found[:3]) == bits(expected[:3])
    for backend, exact in CLOSE:
        found = everything(plan.compiled(numbers, at, backend, exact), sequences, targets)
        for mine, wanted, size in zip(flat(found[:2]), flat(expected[:2]), scale, strict=True):
            assert abs(mine - wanted) <= 1e-12 * size, backend
        assert flat(found[2]) == pytest.approx(flat(expected[2]), rel=1e-9, abs=1e-11)
        assert flat(found[3]) == pytest.approx(flat(expected[3]), rel=1e-8, abs=1e-10)


ANY_NUMBER = [0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, -1e-310, 1e-300, 1e308, -1e300, math.inf]
ANY_NUMBER += [-math.inf, math.nan, 709.5, -745.1, 40.0, -3.0]


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=12)
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


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=10)
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


# --- networks ------------------------------------------------------------------------------------


@given(
    st.integers(0, 2**32),
    st.integers(1, 19),
    st.integers(1, 5),
    st.integers(1, 33),
    st.booleans(),
    st.sampled_from(["tanh", "sigmoid", "relu", "softplus", "linear"]),
    st.booleans(),
)
@settings(max_examples=10)
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
        cell = record_cell(native.step, [0.0], [0.0])
        shapes = sorted((len(group.rows), len(group.vector)) for group in find_groups(cell))
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


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_lanes_of_any_width(lanes: int, every: bool, exact: bool) -> None:
    rnn = RNN.random(5, 2, seed=3)
    eager = rnn.compile("squared_error", at="every" if every else "last", backend="eager")
    sequences, goals = batch(5, 13, 2, 5, every)
    cell = record_cell(eager.step, sequences[0][0], [0.0] * 5, share=not exact)
    kernel = Kernel(cell, every=every, lanes=lanes, exact=exact)
    arrays = [[np.array(one, dtype=float) for one in given] for given in (sequences, goals)]
    blocks = make_blocks(*arrays, lanes, every)
    numbers = [w.data for w in rnn.parameters()]
    total, slopes, flagged = kernel.run(blocks, numbers, [0.0] * 5, 2)
    loss, gradient = eager.loss_and_gradients(sequences, goals)
    assert total / 13 == pytest.approx(loss, rel=1e-12)
    assert slopes / 13 == pytest.approx(gradient, rel=1e-9, abs=1e-13)
    assert not exact or list(slopes / 13) == gradient
    assert flagged == []
    forward = Kernel(cell, every=every, lanes=lanes, predict=True)
    outputs, flagged = forward.predict(blocks, numbers, [0.0] * 5, 2)
    assert flat([one.tolist() for one in outputs]) == pytest.approx(
        flat(eager.predict(sequences)), rel=1e-12
    )


def test_groups_and_tiles() -> None:
    rnn = RNN.random(8, 4, seed=1)
    eager = rnn.compile("squared_error", backend="eager")
    (group,) = find_groups(record_cell(eager.step, [0.0] * 4, [0.0] * 8))
    assert (len(group.rows), len(group.vector)) == (8, 12)
    assert None not in group.biases
    for count in range(1, 40):
        found = tiles(count, 8)
        assert [start for start, _ in found] == [0, *[a + b for a, b in found][:-1]]
        assert sum(width for _, width in found) == count
    # A weight that is used twice is in no group.
    product, total = ops.TABLE["mul"], ops.TABLE["add"]
    lines = [Line(product, (0, 1), None), Line(product, (0, 2), None), Line(total, (4, 5), None)]
    shared = Cell(Program(["w", "q", "x", "y"], [], lines, [6, 6, 6]), 1, 1, 1, 1)
    assert find_groups(shared) == []


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


# --- comparisons ---------------------------------------------------------------------------------


def leaky(state: Any, x: Any, weights: Any) -> Any:
    """A step that compares: the slope of its activation is 1 or 0.25."""
    total = weights[0] * state[0] + weights[1] * x[0]
    after = total if total > 0 else total * 0.25
    return (after,), after


@pytest.mark.parametrize("backend", ["python", "numpy", "native"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("at", ["last", "every"])
def test_a_comparison_that_comes_out_otherwise(backend: str, exact: bool, at: str) -> None:
    if exact and backend == "numpy":
        return
    weights = [Value(0.5, "w_1"), Value(1.0, "w_2")]
    compiled = compile_step(
        *(leaky, "squared_error", weights, [0.0]), at=at, backend=backend, exact=exact
    )
    sequences: list[Any] = [[1, 2, 3], [1, 1], [2]]
    goals = [[1.0] * len(s) if at == "every" else 1.0 for s in sequences]
    eager = compile_step(leaky, "squared_error", weights, [0.0], at=at, backend="eager")
    agree(compiled.loss_and_gradients(sequences, goals), eager.loss_and_gradients(sequences, goals))
    assert flat(compiled.predict(sequences)) == flat(eager.predict(sequences))
    sequences[1] = [1, -9]
    with pytest.raises(BranchChanged, match=r"sequences\[1\]") as error:
        compiled.loss_and_gradients(sequences, goals)
    assert "> 0.0 was True when the" in str(error.value)
    if backend != "python":
        assert "sequences[1], step 2: " in str(error.value)
        assert "choose backend='eager'" in str(error.value)
        with pytest.raises(BranchChanged, match=r"sequences\[1\], step 2"):
            compiled.predict(sequences)
    assert eager.loss_and_gradients(sequences, goals)[0] > 0


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_comparisons_in_the_loss_hold_where_there_is_a_loss(backend: str) -> None:
    weights = [Value(1.0, "w")]

    def loss(output: Any, target: Any) -> Any:
        return output * 2 if output > target else output

    fit = compile_step(lambda q, x, w: (q, w[0] * x[0]), loss, weights, [], backend=backend)
    # Only the last step has a loss: at the first ones it is not asked for.
    assert fit.loss_and_gradients([[5, 1, 4], [0, 4]], [3, 3]) == (8.0, [8.0])
    assert fit.predict([[1], [7]]) == [1.0, 7.0]
    with pytest.raises(BranchChanged, match=r"sequences\[0\], step 3"):
        fit.loss_and_gradients([[5, 1, 2], [0, 4]], [3, 3])


def test_nan_is_greater_than_nothing_in_guards() -> None:
    weights = [Value(1.0), Value(1.0)]
    for backend in ("numpy", "native"):
        compiled = compile_step(leaky, "squared_error", weights, [0.0], backend=backend)
        compiled.loss_and_gradients([[1]], [1])
        with pytest.raises(BranchChanged):
            compiled.loss_and_gradients([[math.nan]], [1])


# --- batches, threads, and what is kept ----------------------------------------------------------


@pytest.mark.parametrize("backend", ["eager", "python", "numpy", "native"])
def test_a_batch_is_prepared_once(backend: str) -> None:
    rnn = RNN.random(3, 2, seed=1)
    compiled = rnn.compile("squared_error", backend=backend)
    sequences, goals = batch(4, 10, 2, 3, False)
    prepared = compiled.prepare(sequences, goals)
    assert len(prepared) == 10
    assert repr(prepared) == "<Batch: 10 sequences>"
    expected = compiled.loss_and_gradients(sequences, goals)
    assert compiled.loss_and_gradients(prepared) == expected
    assert compiled.predict(prepared) == compiled.predict(sequences)
    assert compiled.gradients_per_step(prepared) == compiled.gradients_per_step(sequences, goals)
    without = compiled.prepare(sequences)
    assert compiled.predict(without) == compiled.predict(sequences)
    for error, words, call in [
        (ValueError, "the batch has no targets", lambda: compiled.loss_and_gradients(without)),
        (TypeError, "targets are missing", lambda: compiled.loss_and_gradients(sequences)),
        (
            TypeError,
            "targets must not be given with a batch",
            lambda: compiled.loss_and_gradients(prepared, goals),
        ),
        (
            ValueError,
            "prepared by another step",
            lambda: rnn.compile("squared_error", backend=backend).predict(prepared),
        ),
    ]:
        with pytest.raises(error, match=words):
            call()


def test_sequences_may_be_arrays_numbers_or_fractions() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    for backend in ("python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        for one in ([1, 0, 1], [[1], [0], [1]], np.array([1, 0, 1]), np.array([[1.0], [0], [1]])):
            assert compiled.loss_and_gradients([one], [15]) == (4.0, [32.0, 68.0])
        assert compiled.loss_and_gradients(np.ones((2, 1, 1)), np.array([[1], [1]]))[0] == 0.0
        half = Fraction(1, 2)
        assert compiled.loss_and_gradients([[half]], [half]) == (0.0, [0.0, -0.0])


def test_terms_of_the_copies() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll([[1], [0], [1]])
    loss = (15 - run.pi[0]) ** 2
    expected = [[copy.grad for copy in copies(w, loss, run=run)] for w in rnn.parameters()]
    for backend in ("eager", "python", "numpy", "native"):
        compiled = rnn.compile("squared_error", backend=backend)
        (rows,) = compiled.gradients_per_step([[1, 0, 1]], [15])
        assert [list(column) for column in zip(*rows, strict=True)] == expected


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


def test_code_is_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import autograd_rnn.backends.llvm.jit as compiler

    monkeypatch.setenv(CACHE, str(tmp_path / "code"))
    compiled: list[str] = []

    def watched(text: str, real: Any = compiler.compile_text) -> bytes:
        compiled.append(text)
        return bytes(real(text))

    monkeypatch.setattr(compiler, "compile_text", watched)
    rnn = RNN([[4], [1]], activation="relu", bias=False)

    def run() -> None:
        found = rnn.compile("squared_error", backend="native").loss_and_gradients([[1, 0, 1]], [15])
        assert found == (4.0, [32.0, 68.0])

    run()
    (path,) = (tmp_path / "code").iterdir()
    whole = path.read_bytes()
    run()
    assert len(compiled) == 1
    other = RNN([[4, 1], [1, 2], [3, 4]], activation="relu", bias=False)
    other.compile("squared_error", backend="native").loss_and_gradients([[1]], [[1, 1]])
    (foreign,) = [p for p in (tmp_path / "code").iterdir() if p != path]
    assert len(compiled) == 2
    spoiled = [
        *(whole[: len(whole) // 2], b"", whole[:30], b"\x7fELF" + whole[4:], foreign.read_bytes()),
        whole[:900] + bytes([whole[900] ^ 1]) + whole[901:],
    ]
    for number, content in enumerate(spoiled, 3):
        path.write_bytes(content)
        if content == foreign.read_bytes():
            # Whole, but another's: no digest can tell, but its name does.
            path.write_bytes(foreign.read_bytes()[:-1])
        run()
        assert len(compiled) == number
        assert path.read_bytes() == whole
    # Nothing is lost where nothing can be kept, and a folder that others write to is not read.
    monkeypatch.setenv(CACHE, "off")
    run()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    run()
    (tmp_path / "code").chmod(0o777)
    monkeypatch.setenv(CACHE, str(tmp_path / "code"))
    run()
    assert len(compiled) == len(spoiled) + 5


def test_two_processes_share_the_folder(tmp_path: Path) -> None:
    code = (
        "from autograd_rnn import RNN\n"
        "rnn = RNN([[4], [1]], activation='relu', bias=False)\n"
        "fit = rnn.compile('squared_error', backend='native')\n"
        "print(fit.loss_and_gradients([[1, 0, 1]], [15]))"
    )
    environment = {**os.environ, CACHE: str(tmp_path / "new" / "code")}
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    assert {process.communicate()[0] for process in running} == {b"(4.0, [32.0, 68.0])\n"}
    assert len(list((tmp_path / "new" / "code").iterdir())) == 1


def test_auto_takes_what_is_there_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rnn = RNN.random(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rnn.compile("squared_error").backend == "native"
    real = importlib.util.find_spec
    gone = {"llvmlite"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in gone else real(name)
    )
    with pytest.warns(UserWarning, match=r"takes 'numpy', since llvmlite is not installed"):
        assert rnn.compile("squared_error").backend == "numpy"
    with pytest.warns(UserWarning, match=r"takes 'python'"):
        assert rnn.compile("squared_error", exact=True).backend == "python"
    with pytest.raises(ValueError, match=r"backend='native' needs llvmlite: pip install"):
        rnn.compile("squared_error", backend="native")
    gone.add("numpy")
    with pytest.warns(UserWarning, match=r"takes 'python', since llvmlite and numpy"):
        assert rnn.compile("squared_error").backend == "python"
    with pytest.raises(ValueError, match=r"backend='numpy' needs numpy"):
        rnn.compile("squared_error", backend="numpy")


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
