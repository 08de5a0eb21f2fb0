"""The backend of NumPy's arrays."""

from typing import Any

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
