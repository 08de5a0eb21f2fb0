"""Exercises in the browser's Python are those of this one, to the letter."""

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import SOURCE

pytestmark = pytest.mark.playground
HERE = Path(__file__).parent


def exercise(chance: random.Random, net: str) -> dict[str, Any]:
    weights = {"one": 2, "two": 6, "lstm": 8}[net]
    return {
        "net": net,
        "bits": "".join(chance.choices("01", k=chance.randint(1, 8 if net == "one" else 3))),
        "y": str(chance.randint(-5, 20)),
        "w": [str(chance.randint(-16, 24) / 4) for _ in range(weights)],
        "q": [] if chance.random() < 0.7 else [str(chance.randint(-2, 2))] * (1 + (net != "one")),
        "a": chance.choice(["relu", "linear", "tanh", "sigmoid", "softplus"]),
        "focus": chance.randint(1, weights),
        "through": chance.choice(["copies", "minimum"]),
        "detail": chance.choice(["auto", "scalar"]),
        "hide": False,
    }


def test_150_exercises_are_the_same_text_for_text(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = shutil.which("node")
    assert node is not None
    monkeypatch.syspath_prepend(str(SOURCE))
    chance = random.Random(7)
    specs = [exercise(chance, net) for net in ("one",) * 130 + ("two",) * 12 + ("lstm",) * 8]
    asked = json.dumps(specs)
    command = [node, str(HERE / "equal.mjs"), str(built), str(HERE / "written.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as run:
        answer, _ = run.communicate(asked)
    assert run.returncode == 0
    there = json.loads(answer)
    from .written import written  # it imports what the page asks

    here = json.loads(written(asked))
    assert len(here) == 150
    assert sum(len(texts) > 1 for texts in here) > 120  # the others are refused, with a reason
    for spec, (numbers, *mine), (others, *theirs) in zip(specs, here, there, strict=True):
        assert mine == theirs, spec
        if spec["a"] in ("relu", "linear") and spec["net"] != "lstm":
            assert numbers == others, spec
        elif mine:
            # The last bit of exp and tanh is the system's.
            assert numbers == pytest.approx(others, rel=1e-13), spec
