"""Random networks and graphs to derive: kinds, losses, cuts, reuse and separating sets."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Derivation,
    Stack,
    Steps,
    Value,
    arctan2,
    copies,
    derive,
    escape,
    exp,
    greater,
    hypot,
    log,
    logsumexp,
    maximum,
    minimum,
    sigmoid,
    softmax,
    stop_gradient,
    tanh,
    topological,
    where,
)

SMALL = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
ANY = (*SMALL, 1e-9, -1e-4, 1 / 3, 0.1, 12345.678, 1e6)
NAMES = ("w", "w_1", "u", "hidden_state", "w[0]", "learning rate", "x^2", "2", "W_f", "αβ", "")
#: A step of one's own loop: the state and the input, by two weights.
LOOPS: tuple[Callable[[Any, Any, Any, Any], Any], ...] = (
    lambda h, x, w, u: tanh(w * h + u * x),
    lambda h, x, w, u: tanh(w * h * w + u * x),
    lambda h, x, w, u: where(greater(h, 0.3), h * w + x, u * x + 1),
    lambda h, x, w, u: where(h > 0.3, h * w + x, u * x + 1),
    lambda h, x, w, u: where(greater(w * x, u), h, where(greater(h, u), w * h, h * h) - u),
    lambda h, x, w, u: minimum(maximum(w * h + u * x, -1.0), 1.0),
    lambda h, x, w, u: (w * h + x) / (u * u + h * h + 1),
    lambda h, x, w, u: (u**2 + 1.5) ** (0.1 * w * h),
    lambda h, x, w, u: (1 - w) * h + w * tanh(u * x + h),
    lambda h, x, w, u: hypot(w * h, u * x + 1),
    lambda h, x, w, u: exp(-((w * h + x) ** 2) / (u * u + 2)),
    lambda h, x, w, u: softmax([w * h, u * x, h])[0] + logsumexp([w, h]),
    lambda h, x, w, u: arctan2(w * h + 1, u * x + 1.5),
    lambda h, x, w, u: log(1 + (w * h + u * x) ** 2),
    lambda h, x, w, u: tanh(w * stop_gradient(h) + u * x) * h,
)


def some_loss(chance: random.Random, run: Any) -> Value:
    """A loss at the last step, or at some steps or every one, summed in several ways."""
    outputs = [y if isinstance(y := step.output, Value) else chance.choice(y) for step in run.steps]
    kept = [y for y in outputs if chance.random() < 0.7] or outputs[-1:]
    way = chance.randrange(5)
    if way == 0 or len(kept) == 1:
        return (chance.choice(SMALL) - outputs[-1]) ** 2
    terms = [(chance.choice(SMALL) - y) ** 2 for y in kept]
    if way == 1:
        return sum(terms)
    if way == 2:
        return sum(terms, Value(0.0)) / len(terms)
    if way == 3:
        return 0.5 * terms[0] - sum(terms[1:])
    total = terms[0]
    for y in kept[1:]:
        total = total + y * kept[0]  # reuse
    return total


def some_network(chance: random.Random) -> tuple[Value, Value, Any]:
    """A loss of a random network, a weight of it, and its run."""
    kind, seed = chance.randrange(6), chance.randrange(1000)
    states, steps = chance.choice([1, 1, 1, 2]), chance.randint(1, 3)
    model: Any
    if kind < 3:
        states, steps = chance.choice([1, 1, 2, 3]), chance.choice([1, 2, 3, 3, 4, 6])
        bias, inputs = chance.random() < 0.5, chance.randint(1, 2)
        rows = [
            [chance.choice(SMALL) for _ in range(states)] for _ in range(bias + states + inputs)
        ]
        model = RNN(rows, chance.choice(["relu", "tanh", "linear", "sigmoid", "abs"]), bias=bias)
    elif kind < 5:
        model = (LSTM, GRU)[kind - 3].random(states, 1, seed=seed)
    else:
        model = Stack.random(chance.choice(["RNN", "RNN", "GRU"]), 1, 1, 1, layers=2, seed=seed)
        steps = min(steps, 2)
    inputs = [[chance.randint(0, 1) for _ in range(model.inputs)] for _ in range(steps)]
    truncate = chance.choice([None, None, None, 1, 2])
    state = [chance.choice(SMALL) for _ in model.initial] if chance.random() < 0.3 else None
    run = model.unroll(inputs, state, truncate=truncate)
    loss = some_loss(chance, run)
    way, cells = chance.randrange(8), getattr(run.steps[-1], "c", None)
    if way == 0:
        loss = loss + 0.5 * sum([weight * weight for weight in model.parameters()])
    elif way == 1 and cells:
        loss = loss + cells[0] * run.q[0]
    return loss, chance.choice([*model.parameters(), *run.state]), run


def some_loop(chance: random.Random) -> tuple[Value, Value, Steps]:
    """A loss of a loop over plain Values, whose weights have any names and numbers."""
    weights = [Value(chance.choice(ANY), name) for name in chance.sample(NAMES, 2)]
    h, body, steps = Value(chance.choice(SMALL), "h"), chance.choice(LOOPS), Steps()
    states, running = [], Value(0.0)
    for k in range(1, chance.choice([1, 2, 3, 3, 4, 5]) + 1):
        with steps.step(k):
            h = body(h, chance.choice(SMALL), *weights)
            states.append(h)
            running = running + (h - k) ** 2
    way = chance.randrange(4)
    loss = (
        (h, (1 - h) ** 2, running)[way]
        if way < 3
        else sum([(chance.choice(SMALL) - one) ** 2 * weights[0] for one in states])
    )
    return loss, chance.choice([*weights, weights[0]]), steps


def some_graph(chance: random.Random) -> tuple[Value, Value, None]:
    """A random graph whose results are used again and again, some of them named."""
    values = [Value(chance.choice([-1.5, 0.5, 1.25, 2.0]), name) for name in "xyz"]
    for place in range(chance.randint(2, 7)):
        a, b = chance.choice(values), chance.choice(values)
        made = [
            *(a + b, a - b, a * b, a * b, a * 2 - b, -a, a**2, a**3, tanh(a), sigmoid(a), a.relu()),
            *(abs(a), maximum(a, b), exp(0.1 * a), (b * b + 1).log(), a / (b * b + 1), a.sin()),
        ]
        value = chance.choice([*made, softmax([a, b])[0]])
        if chance.random() < 0.4:
            value.name = f"n_{place}"
        values.append(value)
    output = values[-1] if chance.random() < 0.5 else values[-1] * values[-2] + values[-1]
    met = set(topological(output))
    return output, chance.choice([v for v in values[:-1] if v in met] or values[:1]), None


def some_set(chance: random.Random, output: Value, source: Value) -> Sequence[Any] | None:
    """A separating set of nodes and copies, whose members may lie behind each other."""
    if chance.random() < 0.6:
        return None
    met = [node for node in topological(output) if not node.constant]
    uses = [use for node in chance.sample(met, min(3, len(met))) for use in copies(node, output)]
    members = [chance.choice([*met[:3], *met[-3:], *uses]) for _ in range(chance.randrange(3))]
    members = list({id(member): member for member in members}.values())
    while (path := escape(members, source, output)) is not None:
        members.append(chance.choice(list(path)))
    return members


def some_derivation(seed: int) -> Derivation | None:
    """The random derivation of a seed; None if the output does not depend on the source."""
    chance = random.Random(seed)
    makes: Sequence[Callable[[random.Random], tuple[Value, Value, Any]]]
    makes = (some_network, some_network, some_graph, some_loop)
    output, source, run = chance.choice(makes)(chance)
    if source is output or escape([], source, output) is None:
        return None
    return derive(output, source, through=some_set(chance, output, source), run=run)
