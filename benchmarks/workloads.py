"""What is differentiated: functions of leaves, written once for any engine.

All but the GPT use arithmetic and relu only, since micrograd has no tanh, exp or log.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain, pairwise
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

Scalar = Any  # a number of any engine
Leaf = Callable[[float], Scalar]
Function = Callable[[Scalar], Scalar]
Relu = Function


class Workload(NamedTuple):
    """A function to be differentiated, and its leaves, the variables."""

    leaves: list[Scalar]
    loss: Callable[[], Scalar]


def neuron(weights: list[Scalar], inputs: list[Scalar], bias: Scalar) -> Scalar:
    """The weighted sum of the inputs."""
    total = bias
    for weight, x in zip(weights, inputs, strict=True):
        total = total + weight * x
    return total


def rnn(leaf: Leaf, relu: Relu) -> Workload:
    """A layer of 8 states over 4 one-hot inputs, 20 steps: the squared error of its last sum."""
    draw = Random(1)
    # Mostly positive, so that the states stay positive: a dead relu has no gradient to compare.
    weights = [[leaf(draw.uniform(-0.1, 0.3)) for _ in range(8 + 4)] for _ in range(8)]
    biases = [leaf(draw.uniform(0.0, 0.2)) for _ in range(8)]
    one_hot = [[leaf(float(i == j)) for i in range(4)] for j in range(4)]
    sequence = [draw.choice(one_hot) for _ in range(20)]
    start = [leaf(0.0) for _ in range(8)]
    # Added with its sign, since what minigrad subtracts is never freed.
    target = leaf(-15.0)

    def loss() -> Scalar:
        layer = start
        for x in sequence:
            inputs = layer + x
            layer = [relu(neuron(w, inputs, b)) for w, b in zip(weights, biases, strict=True)]
        error = sum(layer, target)
        return error * error

    return Workload([*chain(*weights), *biases, *chain(*one_hot), *start, target], loss)


def mlp(leaf: Leaf, relu: Relu) -> Workload:
    """micrograd's demo: 2-16-16-1 on two moons, max-margin loss, L2 penalty, the whole batch."""
    draw = Random(2)
    layers = [
        [([leaf(draw.uniform(-1, 1)) for _ in range(m)], leaf(0.0)) for _ in range(n)]
        for m, n in pairwise([2, 16, 16, 1])
    ]
    parameters = [p for layer in layers for weights, bias in layer for p in (*weights, bias)]
    labels = [1 if i % 2 else -1 for i in range(100)]
    inputs = [[leaf(x) for x in moon(draw, label)] for label in labels]

    def score(xs: list[Scalar]) -> Scalar:
        *hidden, [(weights, bias)] = layers
        for layer in hidden:
            xs = [relu(neuron(w, xs, b)) for w, b in layer]
        return neuron(weights, xs, bias)

    def loss() -> Scalar:
        scores = [score(xs) for xs in inputs]
        losses = [relu(1 + -y * s) for y, s in zip(labels, scores, strict=True)]
        return sum(losses) * (1.0 / 100) + 1e-4 * sum(p * p for p in parameters)

    return Workload([*parameters, *chain(*inputs)], loss)


def moon(draw: Random, label: int) -> tuple[float, float]:
    """A point of the upper moon (label -1) or of the lower (label 1), with noise."""
    angle = draw.uniform(0.0, math.pi)
    x, y = math.cos(angle), math.sin(angle)
    if label == 1:
        x, y = 1.0 - x, 0.5 - y
    return x + draw.gauss(0.0, 0.1), y + draw.gauss(0.0, 0.1)


def chain_of(ops: int) -> Callable[[Leaf, Relu], Workload]:
    """x·w + b, as often as makes so many ops, each of the result before."""

    def build(leaf: Leaf, relu: Relu) -> Workload:
        x, w, b = leaf(1.0), leaf(0.999), leaf(0.001)

        def loss() -> Scalar:
            output = x
            for _ in range(ops // 2):
                output = output * w + b
            return output

        return Workload([x, w, b], loss)

    return build


def gpt(leaf: Leaf, relu: Relu, exp: Function, log: Function) -> Workload:
    """A GPT of the shape of microgpt: 6 letters, 16 numbers each, 4 heads, one layer.

    It has 4,192 weights; RMS norm, attention, a hidden layer of 64, and the mean cross-entropy.
    """
    size, heads, letters = 16, 4, 27
    draw = Random(3)

    def matrix(rows: int, columns: int) -> list[list[Scalar]]:
        return [[leaf(draw.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]

    embedding, places, readout = matrix(letters, size), matrix(16, size), matrix(letters, size)
    queries, keys, values, mixing = (matrix(size, size) for _ in range(4))
    wide, narrow = matrix(4 * size, size), matrix(size, 4 * size)
    data = attrgetter("data") if hasattr(wide[0][0], "data") else float
    text = [0, *[draw.randrange(1, letters) for _ in range(6)], 0]

    def linear(x: list[Scalar], weights: list[list[Scalar]]) -> list[Scalar]:
        return [sum(w * a for w, a in zip(row, x, strict=True)) for row in weights]

    def softmax(logits: list[Scalar]) -> list[Scalar]:
        largest = max(map(data, logits))
        powers = [exp(z - largest) for z in logits]
        total = sum(powers)
        return [power / total for power in powers]

    def normed(x: list[Scalar]) -> list[Scalar]:
        scale = (sum(a * a for a in x) / len(x) + 1e-5) ** -0.5
        return [a * scale for a in x]

    def add(x: list[Scalar], y: list[Scalar]) -> list[Scalar]:
        return [a + b for a, b in zip(x, y, strict=True)]

    def loss() -> Scalar:
        seen_keys: list[list[Scalar]] = []
        seen_values: list[list[Scalar]] = []
        losses = []
        for place, (letter, following) in enumerate(pairwise(text)):
            x = normed(add(embedding[letter], places[place]))
            inner = normed(x)
            query = linear(inner, queries)
            seen_keys.append(linear(inner, keys))
            seen_values.append(linear(inner, values))
            found = []
            for head in range(heads):
                part = slice(head * size // heads, (head + 1) * size // heads)
                weights = softmax(
                    [
                        sum(q * k for q, k in zip(query[part], key[part], strict=True)) / 2.0
                        for key in seen_keys
                    ]
                )
                columns = zip(*[v[part] for v in seen_values], strict=True)
                found += [
                    sum(w * v for w, v in zip(weights, column, strict=True)) for column in columns
                ]
            x = add(x, linear(found, mixing))
            hidden = [relu(a) for a in linear(normed(x), wide)]
            x = add(x, linear(hidden, narrow))
            losses.append(-log(softmax(linear(x, readout))[following]))
        return sum(losses) / len(losses)

    matrices = (embedding, places, readout, queries, keys, values, mixing, wide, narrow)
    return Workload([w for rows in matrices for row in rows for w in row], loss)
