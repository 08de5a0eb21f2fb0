"""Sweeps in each other's way: from several threads, and from within a collection of garbage."""

import gc
import random
import threading
from itertools import pairwise

import pytest

from autograd_rnn import Value, gradients, hvp, jvp, topological


def tower(leaves: list[Value], seed: int, height: int) -> Value:
    choose = random.Random(seed)
    layer = leaves
    for _ in range(height):
        layer = [(a * choose.choice(leaves) + b).tanh() for a, b in pairwise(layer)]
        layer.append(layer[0] * layer[-1])
    return sum(layer, Value(0.0))


def test_threads_sweep_graphs_that_share_leaves() -> None:
    leaves = [Value(random.Random(1).uniform(-1, 1)) for _ in range(30)]
    outputs = [tower(leaves, seed, 10) for seed in range(4)]
    wanted = [gradients(output, leaves) for output in outputs]
    found: list[set[tuple[float, ...]]] = [set() for _ in outputs]

    def work(place: int) -> None:
        for _ in range(60):
            found[place].add(gradients(outputs[place], leaves))
            topological(outputs[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{one} for one in wanted]
    assert all(leaf.grad == 0.0 for leaf in leaves)


@pytest.mark.parametrize(
    ("threshold", "width", "rounds"),
    [
        *[(1, 5, 2), (17, 5, 2)],
        *[pytest.param(many, 8, 5, marks=pytest.mark.long) for many in (1, 2, 5, 17)],
    ],
)
def test_a_collection_may_sweep_the_same_graph(threshold: int, width: int, rounds: int) -> None:
    """Finalisers run whenever an object is made, and may do anything."""
    leaves = [Value(0.1 * place) for place in range(width)]
    numbers = [leaf.data for leaf in leaves]
    output = tower(leaves, 3, width - 2)
    inner = topological(output)[len(topological(output)) // 2]
    nodes = topological(output)
    move = [1.0] * len(leaves)

    def everything() -> list[object]:
        return [
            gradients(output, nodes),
            list(map(id, topological(output))),
            jvp(lambda *xs: tower(list(xs), 3, width - 2), numbers, move),
            hvp(lambda *xs: tower(list(xs), 3, width - 2), numbers, move),
        ]

    wanted, calls = everything(), 0

    def collect(phase: str, info: dict[str, int]) -> None:
        nonlocal calls
        if not busy:
            busy.append(True)
            calls += 1
            gradients(inner, leaves)
            output.backward()
            topological(inner, output)
            busy.clear()

    busy: list[bool] = []
    before = gc.get_threshold()
    gc.callbacks.append(collect)
    gc.set_threshold(threshold, 2, 2)
    try:
        for _ in range(rounds):
            found = everything()
            assert found == wanted
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collect)
    assert calls > 5
