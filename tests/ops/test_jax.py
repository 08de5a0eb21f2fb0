"""The ops on JAX: the values and the slopes of the table, also in printed programs."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from autograd_rnn import Program, Value, compile_step, gradients, ops, primitive, record

pytest.importorskip("jax", reason="JAX is not installed: pip install jax")

import jax
import jax.numpy as jnp

from autograd_rnn.ops.jax import on_jax

POINTS = [-2.5, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0]


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_an_op_has_the_values_and_the_slopes_of_the_table(op: ops.Op) -> None:
    rows = list(itertools.product(POINTS, repeat=op.arity))
    columns = np.array(rows).T
    whole = tuple(range(op.arity))

    def both(f: Any) -> Any:
        return jax.jit(jax.vmap(jax.value_and_grad(f, whole)))(*columns)

    with jax.enable_x64(True):
        found, slopes = map(np.asarray, both(on_jax(op)))
        assert op.arrays is not None
        plain = np.asarray(both(lambda *x: op.arrays(jnp, *x) * 1.0)[1])
    for place, row in enumerate(rows):
        operands = [Value(x) for x in row]
        z = op(*operands)
        assert found[place] == pytest.approx(z.data, rel=1e-13, nan_ok=True)
        wanted = gradients(z, operands) if not op.flat else [0.0] * op.arity
        mine = slopes[:, place]
        assert list(mine) == pytest.approx(list(wanted), rel=1e-13, nan_ok=True)
        # JAX by itself finds the same but at kinks, at 0, and where we say that there is no slope.
        if not op.flat and 0.0 not in row and len(set(row)) == op.arity and np.isfinite(mine).all():
            assert list(plain[:, place]) == pytest.approx(list(mine), rel=1e-12, abs=1e-15)


def test_a_printed_program_runs_under_jit_vmap_and_grad() -> None:
    x, y = Value(0.5, "x"), Value(2.0, "y")
    program = Program.of((x * y).tanh() / (1 + y) + x.relu() - x**2, [x, y])
    names: dict[str, Any] = {}
    exec(program.jax("f"), names)
    f = names["f"]
    with jax.enable_x64(True):
        columns = np.array(POINTS), np.array(POINTS[::-1]) + 4.0
        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(f, (0, 1))))(*columns)
        curvature = jax.jit(jax.grad(jax.grad(f)))(0.5, 2.0)
    for place, pair in enumerate(zip(*columns, strict=True)):
        found = [values[place], *[slope[place] for slope in slopes]]
        assert list(map(float, found)) == pytest.approx(program.gradient()(*pair), rel=1e-12)
    once = program.gradient().select(1).gradient()(0.5, 2.0)
    assert float(curvature) == pytest.approx(once[1], rel=1e-12)
    # In the precision of what it is given.
    assert jax.jit(f)(0.5, 2.0).dtype == jnp.float32


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
def test_far_from_zero_in_float32(name: str) -> None:
    op = ops.TABLE[name]
    for x in (-1000.0, -100.0, -90.0, 90.0, 100.0, 1000.0):
        value, slope = jax.value_and_grad(on_jax(op))(x)
        wanted = op.value(x), op.partials[0](x, op.value(x))
        assert (float(value), float(slope)) == pytest.approx(wanted, rel=1e-6, abs=1e-37)


def test_a_printed_program_is_nan_where_it_would_have_gone_another_way() -> None:
    program = record(lambda x, y: x * y if x > 1 and not y > 5 else -x, 2, 3)
    names: dict[str, Any] = {}
    exec(program.jax(), names)
    f = jax.value_and_grad(names["program"])
    assert [float(number) for number in f(2.0, 3.0)] == [6.0, 3.0]
    for other in ((0.5, 3.0), (2.0, 6.0)):
        assert all(math.isnan(number) for number in f(*other))


def test_ops_from_outside() -> None:
    cube = primitive(
        *("cube_on_jax", lambda x: x * x * x, lambda x, z: 3.0 * z / x),
        arrays=lambda np, x: x * x * x,
    )
    bare = primitive("bare_on_jax", lambda x: 2.0 * x, lambda x, z: 2.0)
    try:
        program = record(cube, 2)
        assert program.jax().startswith(
            "from autograd_rnn.ops import TABLE\nfrom autograd_rnn.ops.jax import on_jax\n"
        )
        names: dict[str, Any] = {}
        exec(program.jax(), names)
        assert float(jax.grad(names["program"])(2.0)) == 12.0
        compiled = compile_step(
            lambda q, x, w: (q, bare(w[0] * x[0])), "squared_error", [Value(1)], [], backend="jax"
        )
        words = r"the op 'bare_on_jax' cannot run on JAX: say .* primitive\(..., arrays=.*'python'"
        with pytest.raises(ValueError, match=words):
            compiled.predict([[1]])
    finally:
        del ops.TABLE["cube_on_jax"], ops.TABLE["bare_on_jax"]
