"""No call from Python breaks the engine."""

import random

import pytest

from autograd_rnn import Value, compiled

from .fuzz import Fuzzer, in_processes

pytestmark = pytest.mark.skipif(not compiled, reason="plain Python hides nothing: only compiled")


def test_some_random_calls() -> None:
    Fuzzer(seed=1).run(3_000)


def test_none_is_no_node_and_every_source_has_a_tangent() -> None:
    from autograd_rnn.engine import walks

    x = Value(2.0)
    y = x * x
    wrong: list[tuple[str, tuple[object, ...]]] = [
        *[("in_order", ([*nodes, None], flag)) for nodes in ([], [y]) for flag in (True, False)],
        ("uses", ([y, None], x)),
        ("adjoints_at", (None, [x], 1.0)),
        ("adjoints_at", (y, [None], 1.0)),
        *[("tangent_at", given) for given in ((None, [x], [1.0]), (y, [None], [1.0]))],
        *[("tangent_at", (y, sources, [1.0])) for sources in ([], [x, x], [x] * 100_000)],
        ("adjoint_tangents_at", (None, [x], [x], [1.0])),
        ("adjoint_tangents_at", (y, [None], [x], [1.0])),
        ("adjoint_tangents_at", (y, [x], [None], [1.0])),
        *[("adjoint_tangents_at", (y, [x], [x] * count, [1.0])) for count in (0, 2, 100_000)],
    ]
    for name, arguments in wrong:
        with pytest.raises(
            (TypeError, ValueError), match=r"^(None is not a node|there are \d+ so)"
        ):
            getattr(walks, name)(*arguments)


@pytest.mark.nightly
def test_a_million_random_calls() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"compiled: {compiled}, from seed {seed}")
    assert in_processes(1_000_000, seed) == []
