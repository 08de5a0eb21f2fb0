"""Steps to test backends with, and how their results are compared."""

import math
import random
import struct
from typing import Any

import pytest

from autograd_rnn import Value, compile_step, gradients, ops, record, tanh
from autograd_rnn.backends import Backend, CompiledStep, NumPy

CLOSE = [("numpy", False), ("native", False)]
BIT_FOR_BIT = [("python", False), ("native", True)]


def by_the_engine(
    compiled: CompiledStep, sequences: Any, targets: Any
) -> tuple[float, list[float]]:
    """The mean loss and its gradient, a sequence at a time, written out on the engine."""
    given = compiled.objective
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
        goals = ys if compiled.objective.every else [ys]
        given = [*numbers, *flat(xs), *flat(goals)]
        program = record(
            lambda *v, xs=xs, goals=goals: compiled.objective.unrolled(
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


def leaky(state: Any, x: Any, weights: Any) -> Any:
    """A step that compares: the slope of its activation is 1 or 0.25."""
    total = weights[0] * state[0] + weights[1] * x[0]
    after = total if total > 0 else total * 0.25
    return (after,), after


def check_beside_the_engine(
    seed: int, every: bool, backends: list[tuple[str, bool]], most: int = 60
) -> None:
    """A random step on backends, with `exact` or not; without, those of arrays are only close."""
    plan, chance = Plan(seed), random.Random(seed + 1)
    numbers = [chance.uniform(-1, 1) for _ in range(plan.count)]
    at = "every" if every else "last"
    sizes = lengths(chance, most)
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
    for backend, exact in backends:
        compiled = plan.compiled(numbers, at, backend, exact)
        try:
            found = everything(compiled, sequences, targets)
        except ValueError as error:
            assert (exact, str(error)[:24]) == (True, "exact=True cannot be had")  # noqa: PT017
            continue
        if exact or not issubclass(Backend.kinds[backend], NumPy):
            assert bits(found[:3]) == bits(expected[:3])
            continue
        for mine, wanted, size in zip(flat(found[:2]), flat(expected[:2]), scale, strict=True):
            assert abs(mine - wanted) <= 1e-12 * size, backend
        assert flat(found[2]) == pytest.approx(flat(expected[2]), rel=1e-9, abs=1e-11)
        assert flat(found[3]) == pytest.approx(flat(expected[3]), rel=1e-8, abs=1e-10)
