"""Models in files: changed, saved, damaged, swapped and loaded again, in any order."""

import json
import math
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from autograd_rnn import freeze, load_model, unfreeze
from autograd_rnn.errors import ArgumentValueError

from ..faults import Dead, failing, interrupted, run_long
from .models import models

NAMES = ["a.json", "b.json", "c.json"]
JUNK: list[Any] = [None, True, -1, 1.5, 10**400, math.nan, "x", "\udc80", [], {}, [[1]], "RNN"]

names = st.sampled_from(NAMES)
places = st.integers(0, 10**6)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5)


class Files(RuleBasedStateMachine):
    """Three paths, a model in memory, and what each file is known to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.made = tempfile.TemporaryDirectory()
        self.folder = Path(self.made.name)
        self.model = models(1, 1, 1)[0]
        #: What `to_dict` gave when the file was written; absent for none, None for a damaged one.
        self.held: dict[str, Any] = {}

    def teardown(self) -> None:
        self.made.cleanup()

    # --- the model in memory --------------------------------------------------------------------

    @rule(seed=st.integers(0, 99), states=st.integers(1, 2), inputs=st.integers(1, 2), which=places)
    def new(self, seed: int, states: int, inputs: int, which: int) -> None:
        kinds = models(seed, states, inputs)
        self.model = kinds[which % len(kinds)]

    @rule(place=places, number=floats, name=st.none() | texts, frozen=st.booleans())
    def change(self, place: int, number: float, name: str | None, frozen: bool) -> None:
        weights = self.model.parameters()
        weight = weights[place % len(weights)]
        weight.data, weight.name = number, name
        (freeze if frozen else unfreeze)(weight)

    @rule(letters=st.none() | st.permutations("ACé\x1b"))
    def spell(self, letters: list[str] | None) -> None:
        self.model.alphabet = letters and "".join(letters[: self.model.inputs])

    # --- files ----------------------------------------------------------------------------------

    @rule(name=names)
    def save(self, name: str) -> None:
        self.model.save(self.folder / name)
        self.held[name] = self.model.to_dict()
        self.load(name)

    @rule(name=names, at=st.integers(1, 12), dies=st.booleans(), written=st.integers(0, 900))
    def save_in_vain(self, name: str, at: int, dies: bool, written: int) -> None:
        """The file holds the model that was there, or the new one."""
        before, path = self.content(name), self.folder / name
        fault = failing(at, dies, written) if at < 9 else interrupted(10 * at - 80)
        try:
            with fault:
                self.model.save(path)
        except (Dead, OSError, KeyboardInterrupt):
            if self.content(name) == before:
                return
        self.held[name] = self.model.to_dict()
        self.load(name)

    @rule(name=names)
    def load(self, name: str) -> None:
        path = self.folder / name
        if name not in self.held:
            with pytest.raises(FileNotFoundError):
                load_model(path)
        elif self.held[name] is None:
            # Damaged: refused with its name, or another model, and then a whole one.
            try:
                found = load_model(path)
            except ArgumentValueError as error:
                if not str(error).startswith(f"{str(path)!r} does not hold a model that `save`"):
                    raise
            else:
                again = type(found).from_dict(json.loads(json.dumps(found.to_dict())))
                assert again.to_dict() == found.to_dict()
                found.unroll([[1.0] * found.inputs])
        else:
            self.model = load_model(path)
            assert same(self.model.to_dict(), self.held[name])
            others = [kind for kind in models(1, 1, 1) if type(kind) is not type(self.model)]
            with pytest.raises(ArgumentValueError, match=rf"{name}' does not hold a model of the"):
                type(others[0]).load(path)

    @rule(one=names, other=names)
    def swap(self, one: str, other: str) -> None:
        if one in self.held and other in self.held:
            os.replace(self.folder / one, self.folder / "between")
            if other != one:
                os.replace(self.folder / other, self.folder / one)
            os.replace(self.folder / "between", self.folder / other)
            self.held[one], self.held[other] = self.held[other], self.held[one]

    @precondition(lambda self: self.held)
    @rule(seed=places, junk=st.sampled_from(JUNK), name=names)
    def damage(self, seed: int, junk: Any, name: str) -> None:
        """Cut a file off, flip a bit, or put junk for a part of its content."""
        chance, content = random.Random(seed), self.content(name)
        if content is None:
            return
        how, place = chance.randrange(3), chance.randrange(len(content) or 1)
        if how == 0:
            content = content[:place]
        elif how == 1:
            content = content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]
        elif self.held[name] is not None:
            content = json.dumps(damaged(json.loads(content), chance, junk)).encode()
        (self.folder / name).write_bytes(content)
        self.held[name] = None
        self.load(name)

    def content(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


def same(one: Any, other: Any) -> bool:
    """Whether both are the same JSON, to the bit of each number."""
    return json.dumps(one) == json.dumps(other)


def damaged(content: Any, chance: random.Random, junk: Any) -> Any:
    """The content with junk in some place, without it, or with one thing more."""
    if not isinstance(content, dict | list) or not content or chance.random() < 0.2:
        return junk
    key = chance.choice([*content] if isinstance(content, dict) else range(len(content)))
    how = chance.randrange(6)
    if how == 0:
        del content[key]
    elif how == 1 and isinstance(content, dict):
        content["more"] = junk
    else:
        content[key] = damaged(content[key], chance, junk)
    return content


TestFiles = Files.TestCase
TestFiles.settings = settings(max_examples=15, stateful_step_count=15, derandomize=True)


@pytest.mark.nightly
def test_files_for_long() -> None:
    run_long(Files, examples=1_000, steps=30)
