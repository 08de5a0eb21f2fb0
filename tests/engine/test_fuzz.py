"""No call from Python breaks the engine."""

import math
import random
from typing import Any

import pytest

from autograd_rnn import Value, compiled, cos, primitive
from autograd_rnn.ops.op import TABLE

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


def test_numbers_that_change_the_lists() -> None:
    from autograd_rnn.engine import walks

    x = Value(2.0)
    y = (x * x).tanh() * x
    sources, tangents = list[Value](), list[object]()

    class Clearing:
        def __float__(self) -> float:
            sources.clear()
            tangents.clear()
            return 1.0

    for name, nodes in (("tangent_at", []), ("adjoint_tangents_at", [[x]])):
        sources[:], tangents[:] = [x] * 50_000, [Clearing(), *[1.0] * 49_999]
        with pytest.raises(ValueError, match=r"^there are \d+ sources, but 1 tangents"):
            getattr(walks, name)(y, *nodes, sources, tangents)


def test_numbers_that_have_sweeps_of_their_own_made() -> None:
    from autograd_rnn.engine import walks

    x = Value(2.0)
    y = x * 3.0
    z = y * x

    class Sweeping:
        def __float__(self) -> float:
            z.backward()
            return 1.0

    one: Any = Sweeping()
    for name, nodes in (("tangent_at", []), ("adjoint_tangents_at", [[x]])):
        ask = getattr(walks, name)
        assert ask(z, *nodes, [x, y], [one, one]) == ask(z, *nodes, [x, y], [1.0, 1.0])


@pytest.mark.parametrize("rules", [(), [], {}, None])
def test_rules_that_an_op_has_no_more(rules: Any) -> None:
    from autograd_rnn.engine import walks

    made = primitive("ruled", math.sin, lambda x, z: cos(x))
    x = Value(2.0)
    y, before = made(x), made.partials
    try:
        for _ in range(2):  # the second time it is known what its slopes are
            made.partials = rules
            with pytest.raises((TypeError, ValueError, LookupError)):
                walks.adjoint_tangents_at(y, [x], [x], [1.0])
            made.partials = before
            walks.adjoint_tangents_at(y, [x], [x], [1.0])
    finally:
        del TABLE["ruled"]


def test_a_leaf_is_restored_as_a_leaf() -> None:
    restore, (number, name, grad, _) = Value(2.0, "x").__reduce__()
    for mark in (-1.0, 0.0, 5.0, math.nan, math.inf, 1.7e300):
        leaf = restore(number, name, grad, mark)
        (leaf * leaf).backward()
        assert leaf.grad == (0.0 if leaf.constant else 4.0)


@pytest.mark.nightly
def test_a_million_random_calls() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"compiled: {compiled}, from seed {seed}")
    assert in_processes(1_000_000, seed) == []
