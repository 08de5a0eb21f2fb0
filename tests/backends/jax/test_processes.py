"""A batch shared by two processes: the numbers of one, one that writes, and errors in both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_rnn import Adam, Stack, bits, fit, load_model

from ...test_project import ROOT, blocks

pytest.importorskip("jax", reason="JAX is not installed: pip install 'autograd-rnn[jax]'")

#: What each process does after the training of the page on JAX.
BESIDE_ONE = """
import numpy as np
from autograd_rnn import RNN
from tests.backends.steps import batch, flat

assert (jax.process_count(), len(jax.devices()), len(jax.local_devices())) == (2, 4, 2)
first = jax.process_index() == 0
rnn = RNN.random(2, 1, seed=1)
# Sequences of different lengths: as many as do not divide, and fewer than devices or processes.
for at, count in (("last", 5), ("every", 1)):
    one = rnn.compile("squared_error", at=at, backend="jax")
    many = rnn.compile("squared_error", at=at, backend="jax", devices=jax.devices())
    assert many.kind.leads(many.devices) == first and one.kind.leads(one.devices)
    given = batch(1, count, 1, 2, at == "every")
    state = np.linspace(-1, 1, 2 * count).reshape(count, 2)
    expected = one.loss_and_gradients(*given, state=state, return_state=True)
    found = many.loss_and_gradients(*given, state=state, return_state=True)
    for a, b in zip(expected, found):
        assert np.abs(np.subtract(a, b)).max() <= 1e-12 * np.abs(a).max()
assert np.allclose(flat(one.predict(given[0])), flat(many.predict(given[0])), rtol=1e-12)

if not first:
    rnn.weights[0][0].data += 1.0
try:
    many.loss_and_gradients(*given)
except ValueError as error:
    print("refused:", str(error)[:38])
"""


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    (script,) = blocks("docs/jax.md", "py")
    with socket.socket() as found:
        found.bind(("localhost", 0))
        address = f"localhost:{found.getsockname()[1]}"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script + BESIDE_ONE, address, "2", str(number)],
            cwd=tmp_path,
            env={**os.environ, **flags},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        results = [process.communicate(timeout=240) for process in started]
    finally:
        for process in started:
            process.kill()
    refused = "refused: processes 0 and 1 have different weigh"
    said = [[*out.splitlines()] for out, _ in results]
    said = [[line for line in lines if not line.startswith("[Gloo]")] for lines in said]
    assert said[1] == [refused], results[1]
    assert len(said[0]) == 2, results[0]
    # What was written is what one process learns.
    strings = [f"{n:05b}" for n in range(32)]
    data = [bits(string) for string in strings], [string.count("1") % 2 for string in strings]
    model = Stack.random("GRU", states=3, inputs=1, outputs=1, seed=1)
    settings = {"loss": "binary_cross_entropy", "epochs": 3, "batch_size": 11}
    history = fit(model, data, optimiser=Adam(0.05), engine="jax", progress=False, **settings)
    assert said[0] == [f"loss {history.loss[-1]:.3f}", refused]
    learnt = load_model(tmp_path / "model.json")
    expected = [weight.data for weight in model.parameters()]
    assert [weight.data for weight in learnt.parameters()] == pytest.approx(expected, rel=1e-10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "training.json"]
    # The checkpoint is whole: one process goes on from it, and has nothing left to do.
    again = Stack.random("GRU", states=3, inputs=1, outputs=1, seed=1)
    file = tmp_path / "training.json"
    settings.update(engine="jax", checkpoint=file)
    went_on = fit(again, data, optimiser=Adam(0.05), progress=False, **settings)
    assert went_on.loss == pytest.approx(history.loss, rel=1e-12)
