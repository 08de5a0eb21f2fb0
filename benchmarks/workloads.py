"""What is differentiated: functions of leaves, written once for any engine.

They use arithmetic and relu only, since micrograd has no tanh.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain, pairwise
from random import Random
from typing import Any, NamedTuple

Scalar = Any  # a number of any engine
Leaf = Callable[[float], Scalar]
Relu = Callable[[Scalar], Scalar]


class Workload(NamedTuple):
    """A function to be differentiated, and the leaves it is differentiated by."""

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
