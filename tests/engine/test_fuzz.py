"""No call from Python breaks the engine."""

import random

import pytest

from autograd_rnn import compiled

from .fuzz import Fuzzer, in_processes

pytestmark = pytest.mark.skipif(not compiled, reason="plain Python hides nothing: only compiled")


def test_some_random_calls() -> None:
    Fuzzer(seed=1).run(3_000)


@pytest.mark.nightly
def test_a_million_random_calls() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"compiled: {compiled}, from seed {seed}")
    assert in_processes(1_000_000, seed) == []
