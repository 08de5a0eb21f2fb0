"""Ways to make a number of two, by all that may be inside of a function that is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_rnn import Value, grad, gradients, hvp, jvp, no_grad, record, tanh, value_and_grad

cube = record(lambda y: y * y * y, 2.0)

Scalar = Any
Operation = Callable[[Scalar, Scalar], Scalar]


def hidden(a: Scalar, b: Scalar) -> Scalar:
    with no_grad():
        inside = a * b + 0.5
    return inside * a


def hidden_slope(a: Scalar, b: Scalar) -> Scalar:
    with no_grad():
        inside = grad(lambda y: y * y * b)(a)
    return inside * b


def slope_of_a_graph(a: Scalar, b: Scalar) -> Scalar:
    point = a * 1.0
    return gradients((point * b).tanh() + point * a, [point])[0]


def slope_by_a_detached_one(a: Scalar, b: Scalar) -> Scalar:
    point = (a + 0.5).detach()
    return gradients(point * point * b, [point])[0]


def by_equality(a: Scalar, b: Scalar) -> Scalar:
    return 1.0 + b if a == 0 else (a * b).sin() / a


#: Ways to make a number of two, which the engine and every backend are to agree on.
OPERATIONS: dict[str, Operation] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "tanh": lambda a, b: (a - b).tanh(),
    "detach": lambda a, b: a * b.detach(),
    "no_grad": hidden,
    "no_grad around a derivative": hidden_slope,
    "a leaf of its own": lambda a, b: Value(0.5) * a - b,
    "grad": lambda a, b: grad(lambda y: y * y * b)(a),
    "grad at a number": lambda a, b: grad(lambda y: tanh(y * a) * b)(0.5),
    "grad over detach": lambda a, b: grad(lambda y: y * y * b.detach())(a),
    "grad at a number over detach": lambda a, b: grad(lambda y: y * y * b.detach())(0.5) * a,
    "value_and_grad": lambda a, b: value_and_grad(lambda y: y * b)(a)[0],
    "jvp": lambda a, b: jvp(lambda y, z: y * z * y, [a, 0.5], [b, 1.0])[1],
    "hvp": lambda a, b: hvp(lambda y: y * y * y * b, [a], [0.5])[0],
    "gradients": slope_of_a_graph,
    "gradients by a detached one": slope_by_a_detached_one,
    "program": lambda a, b: cube(a) - b,
    "gradient of a program": lambda a, b: cube.gradient()(a)[1] * b,
    "branch": lambda a, b: a * 0.5 if a > b else b - a,
    "truth": lambda a, b: a * b if a else b,
    "equality": by_equality,
    "largest": lambda a, b: max([a, b, 0.25]),
    "sorted": lambda a, b: sorted([a, b])[0],
    "in": lambda a, b: a if a in [0.0, 0.5] else b,
}
#: Ways that no backend can record.
REFUSED: dict[str, Operation] = {
    "data": lambda a, b: a * b.data,
    "data in a condition": lambda a, b: a if b.data > 0 else b,
    "a leaf of data": lambda a, b: a * Value(b.data),
    "gradients as numbers": lambda a, b: a * gradients(a * b, [a], create_graph=False)[0],
}
BRANCHING = {"branch", "truth", "equality", "largest", "sorted", "in"}
