"""Steps on JAX: beside the engine, on one device and on eight."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd_rnn import RNN, SGD, BranchChanged, Value, bits, compile_step, fit, log, sqrt

from ...test_project import ROOT
from ..steps import check_beside_the_engine, flat, leaky

pytest.importorskip("jax", reason="JAX is not installed: pip install jax")

import jax
import jax.numpy as jnp

from autograd_rnn.backends.jax.scan import Scan
from autograd_rnn.backends.jax.shared import rounded

# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "every"), [(22, False), (26, True), (32, True)])
def test_a_step_beside_the_engine(seed: int, every: bool) -> None:
    check_beside_the_engine(seed, every, [("jax", False)], most=40)
    # The user's own JAX is as it was.
    assert jnp.zeros(1).dtype == jnp.float32


def test_what_fills_a_batch_does_no_harm() -> None:
    """At x = 0, as before a sequence begins, roots, quotients and their slopes are infinite."""
    weights = [Value(0.5 + 0.25 * place, f"w_{place}") for place in range(1, 7)]

    def step(state: Any, x: Any, w: Any) -> Any:
        root, share = sqrt(w[0] * x[0]), state[0] / x[0]
        after = w[1] + w[2] * share + w[3] * log(x[0])
        return (after,), root * (w[4] * share + w[5] * log(x[0]))

    eager, scanned = [
        compile_step(step, "squared_error", weights, [1.0], backend=backend)
        for backend in ("eager", "jax")
    ]
    ragged: Any = [[3, 2, 1, 2], [2], [1, 3]]
    for sequences in (ragged, [[1.0 + place] for place in range(17)]):
        expected = eager.loss_and_gradients(sequences, [1.0] * len(sequences))
        found = scanned.loss_and_gradients(sequences, [1.0] * len(sequences))
        assert flat(list(found)) == pytest.approx(flat(list(expected)), rel=1e-12)
        assert all(map(math.isfinite, flat(list(found))))
    # A sequence's own NaN is its own alone.
    outputs = scanned.predict([[3, 2], [-1, 2], [2]])
    assert [math.isnan(output) for output in outputs] == [False, True, False]


def test_shapes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = []

    def watched(self: Scan, *given: Any, real: Any = Scan.loss, **named: Any) -> Any:
        traced.append(given[1].shape)
        return real(self, *given, **named)

    monkeypatch.setattr(Scan, "loss", watched)
    compiled = RNN([[4], [1]], "relu", bias=False).compile("squared_error", backend="jax")
    for most, count in [(100, 17), (97, 18), (104, 18), (100, 17)]:
        sequences = [np.ones(1 + k % most) for k in range(most, most - count, -1)]
        loss, _ = compiled.loss_and_gradients(sequences, [1.0] * count)
        assert loss > 0
    assert traced == [(104, 1, 18)]
    # A common length is kept, since a data set with one has no others.
    compiled.loss_and_gradients(np.ones((2, 100, 1)), [1.0, 1.0])
    assert traced[1:] == [(100, 1, 2)]
    shapes = {rounded(number) for number in range(1, 1025)}
    assert len(shapes) == 16 + 6 * 8
    for number in range(1, 1025):
        assert number <= rounded(number) <= max(16, number * 9 / 8)


@pytest.mark.parametrize("at", ["last", "every"])
def test_a_comparison_that_comes_out_otherwise(at: str) -> None:
    weights = [Value(0.5, "w_1"), Value(1.0, "w_2")]
    compiled = compile_step(leaky, "squared_error", weights, [0.0], at=at, backend="jax")
    sequences: list[Any] = [[1, 2, 3], [1, 1], [2]]
    goals = [[1.0] * len(s) if at == "every" else 1.0 for s in sequences]
    eager = compile_step(leaky, "squared_error", weights, [0.0], at=at, backend="eager")
    expected = eager.loss_and_gradients(sequences, goals)
    assert flat(list(compiled.loss_and_gradients(sequences, goals))) == pytest.approx(
        flat(list(expected)), rel=1e-12
    )
    sequences[1] = [1, -9]
    for call in (
        lambda: compiled.loss_and_gradients(sequences, goals),
        lambda: compiled.predict(sequences),
    ):
        with pytest.raises(BranchChanged, match=r"sequences\[1\], step 2: .* > 0.0 was True when"):
            call()


# --- devices -------------------------------------------------------------------------------------

EIGHT = """
import jax, numpy as np
from autograd_rnn import RNN
from tests.backends.steps import batch, flat

assert len(jax.devices()) == 8
rnn = RNN.random(2, 1, seed=1)
pairs = jax.make_mesh((3, 2), ("hosts", "cores"), devices=jax.devices()[:6])
for at, devices, count in [("last", jax.devices(), 13), ("every", pairs, 3)]:
    one = rnn.compile("squared_error", at=at, backend="jax")
    many = rnn.compile("squared_error", at=at, backend="jax", devices=devices)
    given = batch(1, count, 1, 2, at == "every")
    loss, slopes = one.loss_and_gradients(*given)
    packed = many.prepare(*given)
    found, others = many.loss_and_gradients(packed)
    assert abs(found - loss) <= 1e-12 * loss
    assert np.abs(np.subtract(others, slopes)).max() <= 1e-12 * np.abs(slopes).max()
    assert len(packed.packed.arrays[0].sharding.device_set) == (8 if at == "last" else 6)
wanted = rnn.compile("squared_error", backend="python").predict(given[0])
many = rnn.compile("squared_error", backend="jax", devices=devices)
assert np.allclose(many.predict(given[0]), wanted, rtol=1e-12)

# The devices add up the loss and its gradient once, and not at every step of time.
with jax.enable_x64(True):
    arrays = packed.backend.scan.arrays(packed.packed)
    made = packed.backend.scan.made(["sums"], True, arrays)
    (shared,) = jax.make_jaxpr(made)(np.zeros(len(slopes)), *arrays).eqns
names = [step.primitive.name for step in shared.params["jaxpr"].eqns]
sums = [name for name in names if name.startswith("psum")]
assert names.count("scan") == 2 and sums and str(shared).count("psum") == len(sums)
print("same")
"""


def test_eight_devices_give_what_one_does() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", EIGHT],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "same\n", result.stderr


def test_devices_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    rnn, device = RNN([[4], [1]], "relu", bias=False), jax.devices()[0]
    for error, words, backend, devices in [
        (ValueError, "backend='numpy' takes no devices: choose backend='jax'", "numpy", [device]),
        (TypeError, r"devices must be a list of JAX's devices, such as jax.d", "jax", "cpu"),
        (TypeError, "devices must be a list of JAX's devices", "jax", [1, 2]),
        (ValueError, "one or more different devices, not 0 of which 0", "jax", []),
        (ValueError, "not 2 of which 1 differ", "jax", [device, device]),
    ]:
        with pytest.raises(error, match=words):
            rnn.compile("squared_error", backend=backend, devices=devices)
    with pytest.raises(ValueError, match="'jax' is not exact: choose 'native', 'python' or"):
        rnn.compile("squared_error", backend="jax", exact=True)
    monkeypatch.setattr(jax, "process_index", lambda: device.process_index + 1)
    for devices in ([device], jax.sharding.Mesh(np.array([device]), ("x",))):
        with pytest.raises(ValueError, match="must have one or more of this process: give jax.d"):
            rnn.compile("squared_error", backend="jax", devices=devices)


# --- training, and what is said of it ------------------------------------------------------------


def test_a_training_goes_on_from_one_engine_to_another(tmp_path: Path) -> None:
    strings = [f"{n:03b}" for n in range(8)]
    data = [bits(string) for string in strings], [int(string[-1]) for string in strings]
    found = []
    for number, (first, then) in enumerate([("python", "jax"), ("jax", "python"), ("python",) * 2]):
        model = RNN.random(1, 1, seed=2)
        for engine, epochs in ((first, 2), (then, 4)):
            devices = jax.devices() if engine == "jax" else None
            history = fit(
                *(model, data),
                **{"loss": "binary_cross_entropy", "optimiser": SGD(0.5, 0.9), "epochs": epochs},
                **{"batch_size": 4, "engine": engine, "devices": devices, "progress": False},
                checkpoint=tmp_path / f"{number}.json",
            )
        found.append([*history.loss, *[w.data for w in model.parameters()]])
    assert found[0] == pytest.approx(found[2], rel=1e-11)
    assert found[1] == pytest.approx(found[2], rel=1e-11)
