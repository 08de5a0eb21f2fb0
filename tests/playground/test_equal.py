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
    quarter = {"one": 2, "two": 6, "lstm": 8}[net]
    return {
        "net": net,
        "bits": "".join(chance.choices("01", k=chance.randint(1, 8 if net == "one" else 3))),
        "y": str(chance.randint(-5, 20)),
        "w": [str(chance.randint(-16, 24) / 4) for _ in range(quarter)],
        "q": [] if chance.random() < 0.7 else [str(chance.randint(-2, 2))] * (1 + (net != "one")),
        "a": chance.choice(["relu", "linear", "tanh", "sigmoid", "softplus"]),
        "focus": chance.randint(1, quarter),
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
    run = subprocess.Popen(
        [node, str(HERE / "equal.mjs"), str(built), str(HERE / "written.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdin is not None
    run.stdin.write(asked)
    run.stdin.close()
    from .written import written

    here = json.loads(written(asked))
    assert run.stdout is not None
    there = json.loads(run.stdout.read())
    assert run.wait() == 0
    assert len(here) == 150
    assert sum(len(texts) > 1 for texts in here) > 120  # the others are refused, with a reason
    for spec, mine, theirs in zip(specs, here, there, strict=True):
        assert mine == theirs, spec
