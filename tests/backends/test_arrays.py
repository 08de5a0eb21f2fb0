"""The backend of NumPy's arrays."""

from typing import Any

import pytest

from autograd_rnn import Value, compile_step, ops, primitive

from .steps import agree


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


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_product_with_a_vector_that_depends_on_weights_alone(backend: str) -> None:
    weights = [Value(number) for number in (0.5, -0.25, 0.75, 0.125)]

    def step(state: Any, x: Any, w: Any) -> Any:
        total = w[0] * w[1].tanh() + w[2] * w[3].tanh()
        return (total * x[0],), total * state[0]

    eager, other = [
        compile_step(step, "squared_error", weights, [1.0], backend=one)
        for one in ("eager", backend)
    ]
    batches = ([[1, 2, 3], [4, 5]], [1, 2])
    agree(other.loss_and_gradients(*batches), eager.loss_and_gradients(*batches))
