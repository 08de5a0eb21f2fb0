"""A training that is interrupted, killed, out of disk or refused, again and again, is the same."""

import json
import os
import tempfile
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autograd_rnn import SGD, fit
from autograd_rnn.files import in_use

from ..faults import Dead, failing, interrupted, run_long
from .trainings import SETTINGS, network, parity, weights, without_seconds

EPOCHS, BATCHES = 3, 3
#: More calls of functions, and changes of files, than a training has.
CALLS, FILE_CHANGES = 11_000, 18


def train(path: Path | None, rate: float = 0.5) -> Any:
    model, optimiser = network(1), SGD(rate, 0.9)
    history = fit(
        *(model, parity(8)),
        **{**SETTINGS, "optimiser": optimiser, "epochs": EPOCHS, "engine": "python"},
        **{"checkpoint": path, "progress": False},
    )
    return weights(model), without_seconds(history), optimiser.state


@cache
def whole() -> Any:
    """A training that nothing has disturbed."""
    return train(None)


class Checkpoints(RuleBasedStateMachine):
    """One path, and trainings that find there what the one before has left."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "training.json")
        self.batches = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def content(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def attempt(self, fault: AbstractContextManager[None], *errors: type[BaseException]) -> None:
        """Train with a fault, which may come too late to be noticed."""
        try:
            with fault:
                found = train(self.path)
        except errors as error:
            if self.path.name not in str(getattr(error, "filename", self.path)):
                raise
        else:
            assert found == whole()

    @rule()
    def in_peace(self) -> None:
        self.attempt(nullcontext())

    @rule(at=st.integers(1, CALLS))
    def ctrl_c(self, at: int) -> None:
        self.attempt(interrupted(at), KeyboardInterrupt)

    @rule(at=st.integers(1, FILE_CHANGES), written=st.integers(0, 2_000))
    def killed(self, at: int, written: int) -> None:
        self.attempt(failing(at, dies=True, written=written), Dead)

    @rule(at=st.integers(1, FILE_CHANGES), written=st.integers(0, 2_000))
    def disk_full(self, at: int, written: int) -> None:
        self.attempt(failing(at, dies=False, written=written), OSError)

    @rule(share=st.floats(0, 1, exclude_max=True))
    def cut_off(self, share: float) -> None:
        """By another program: ours leaves no file cut off."""
        content = self.content()
        if content is not None:
            part = content[: int(share * (len(content) - 1))]
            self.path.write_bytes(part)
            self.refused(r"training\.json' does not hold a checkpoint", ValueError)
            assert self.content() == part
            self.path.write_bytes(content)

    @rule()
    def of_another_training(self) -> None:
        if self.content() is not None:
            self.refused("learning_rate is 0.5, here 0.25", ValueError, rate=0.25)

    @rule()
    def in_use_elsewhere(self) -> None:
        with in_use(self.path):
            self.refused(f"in use by process {os.getpid()}", BlockingIOError)

    def refused(self, words: str, kind: type[Exception], rate: float = 0.5) -> None:
        before = self.content()
        with pytest.raises(kind, match=words):
            train(self.path, rate)
        assert self.content() == before

    @invariant()
    def nothing_stays_locked(self) -> None:
        with in_use(self.path):
            pass

    @invariant()
    def the_file_is_whole_and_goes_forward(self) -> None:
        content = self.content()
        moment = json.loads(content)["moment"] if content else {"epoch": 0, "batch": 0}
        batches = BATCHES * moment["epoch"] + moment["batch"]
        assert batches >= self.batches
        self.batches = batches


TestCheckpoints = Checkpoints.TestCase
TestCheckpoints.settings = settings(max_examples=5, stateful_step_count=8, derandomize=True)


@pytest.mark.parametrize("dies", [True, False])
def test_a_fault_at_every_change_of_a_file(dies: bool) -> None:
    for at in range(1, FILE_CHANGES + 1):
        machine = Checkpoints()
        for place in (at, FILE_CHANGES - at):
            (machine.killed if dies else machine.disk_full)(place, 500)
            machine.nothing_stays_locked()
            machine.the_file_is_whole_and_goes_forward()
        machine.in_peace()
        machine.teardown()


@pytest.mark.nightly
def test_checkpoints_for_long() -> None:
    run_long(Checkpoints, examples=300, steps=20)
