"""GradBench's protocol and tasks, by the adapter, beside values that come from elsewhere."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from autograd_rnn import compiled

from .test_project import ROOT

slow = pytest.mark.skipif(not compiled, reason="takes minutes as plain Python: --engine compiled")
NESTINGS = ("rr", "rf", "fr", "ff")
CHANCE = np.random.default_rng(0)
ENTRIES = CHANCE.uniform(-2, 2, 4).tolist()
MATRIX = CHANCE.uniform(-2, 2, (4, 4))
LSTM = {
    "main_params": CHANCE.uniform(-1, 1, (4, 12)).tolist(),
    "extra_params": CHANCE.uniform(-1, 1, (3, 3)).tolist(),
    "state": CHANCE.uniform(-1, 1, (4, 3)).tolist(),
    "sequence": CHANCE.integers(0, 2, (5, 3)).astype(float).tolist(),
}


def talk(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """The responses of the adapter to these messages, which get their numbers here."""
    lines = [json.dumps({"id": number, **one}) for number, one in enumerate(messages)]
    run = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gradbench.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    responses = [json.loads(line) for line in run.stdout.splitlines()]
    assert [response.pop("id") for response in responses] == list(range(len(responses)))
    return responses


def outputs(module: str, **inputs: Any) -> list[Any]:
    """What the functions of a module, by their names, give for their inputs."""
    found = talk(
        *[
            {"kind": "evaluate", "module": module, "function": name, "input": given}
            for name, given in inputs.items()
        ]
    )
    assert all(response["success"] for response in found), found
    return [response["output"] for response in found]


def test_the_protocol() -> None:
    evaluate = {"kind": "evaluate", "module": "lse", "function": "primal"}
    responses = talk(
        {"kind": "start", "eval": "lse"},
        {"kind": "define", "module": "lse"},
        {"kind": "define", "module": "gmm"},
        {**evaluate, "input": {"x": [1.0], "min_runs": 3, "min_seconds": 0}},
        {"kind": "analysis", "of": 3, "valid": True},
        {**evaluate, "input": {"x": ["a"]}},
        {"kind": "end"},
        {"kind": "start"},
    )
    start, known, unknown, evaluated, analysed, failed = responses
    assert (start, known, unknown) == (
        {"tool": "autograd_rnn"},
        {"success": True},
        {"success": False},
    )
    assert (evaluated["success"], evaluated["output"]) == (True, 1.0)
    assert [timing["name"] for timing in evaluated["timings"]] == ["evaluate"] * 3
    assert all(timing["nanoseconds"] > 0 for timing in evaluated["timings"])
    assert analysed == {}
    assert failed["success"] is False
    assert failed["error"].startswith("TypeError: unsupported operand")


def test_hello() -> None:
    assert outputs("hello", square=4.0, double=16.0) == [16.0, 32.0]


@slow
@pytest.mark.parametrize("nesting", NESTINGS)
def test_particle(nesting: str) -> None:
    # Where the judge starts, and the value that it expects.
    (found,) = outputs("particle", **{nesting: {"w": 0.0}})
    assert found == pytest.approx(0.2071918746486116, rel=1e-12)


@slow
@pytest.mark.parametrize("nesting", NESTINGS)
def test_saddle(nesting: str) -> None:
    # Likewise.
    (found,) = outputs("saddle", **{nesting: {"start": [1.0, 1.0]}})
    assert found == pytest.approx([8.246324826140356e-06] * 4, rel=1e-12)


def test_log_sum_exp() -> None:
    value, slopes = outputs("lse", primal={"x": ENTRIES}, gradient={"x": ENTRIES})
    powers = np.exp(ENTRIES)
    assert value == pytest.approx(math.log(powers.sum()), rel=1e-12)
    assert slopes == pytest.approx(powers / powers.sum(), rel=1e-12)


def test_least_squares() -> None:
    given = {"x": ENTRIES, "n": 7}
    value, slopes = outputs("llsq", primal=given, gradient=given)
    t = np.linspace(-1, 1, 7)
    powers = np.vander(t, 4, increasing=True)
    rest = np.sign(t) - powers @ ENTRIES
    assert value == pytest.approx(rest @ rest / 2, rel=1e-12)
    assert slopes == pytest.approx(-powers.T @ rest, rel=1e-12)


def test_determinant() -> None:
    given = {"A": MATRIX.ravel().tolist(), "ell": 4}
    value, slopes = outputs("det", primal=given, gradient=given)
    expected = np.linalg.det(MATRIX)
    assert value == pytest.approx(expected, rel=1e-12)
    assert slopes == pytest.approx((expected * np.linalg.inv(MATRIX).T).ravel(), rel=1e-9)


def test_differential_equation() -> None:
    given = {"x": ENTRIES, "s": 3}
    found, slopes = outputs("ode", primal=given, gradient=given)
    # A polynomial, which the rule solves exactly: tⁱ⁺¹·x₀…xᵢ / (i + 1)!
    products = np.cumprod(ENTRIES)
    expected = [2 ** (i + 1) * products[i] / math.factorial(i + 1) for i in range(4)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert slopes == pytest.approx([expected[-1] / x for x in ENTRIES], rel=1e-12)


def lstm(weights: Any) -> float:
    """The loss of the diagonal LSTM over whole vectors, in NumPy's numbers."""
    main, extra = weights[:48].reshape(2, 2, 4, 3), weights[48:].reshape(3, 3)
    state, sequence = np.array(LSTM["state"]).reshape(2, 2, 3).copy(), np.array(LSTM["sequence"])
    total = 0.0
    for x, goal in pairwise(sequence):
        h = x * extra[0]
        for (w, b), layer in zip(main, state, strict=True):
            forget, outgate = (1 / (1 + np.exp(-(h * w[k] + b[k]))) for k in (0, 2))
            ingate = 1 / (1 + np.exp(-(layer[0] * w[1] + b[1])))
            layer[1] = layer[1] * forget + ingate * np.tanh(layer[0] * w[3] + b[3])
            layer[0] = h = outgate * np.tanh(layer[1])
        z = h * extra[1] + extra[2]
        total += goal @ (z - np.log(np.exp(z).sum() + 2))
    return float(-total / (4 * 3))


def test_lstm() -> None:
    value, slopes = outputs("lstm", objective=LSTM, jacobian=LSTM)
    weights = np.concatenate([np.ravel(LSTM["main_params"]), np.ravel(LSTM["extra_params"])])
    assert value == pytest.approx(lstm(weights), rel=1e-12)
    moves = 1e-5 * np.eye(len(weights))
    expected = [(lstm(weights + move) - lstm(weights - move)) / 2e-5 for move in moves]
    assert slopes == pytest.approx(expected, rel=1e-6, abs=1e-9)
