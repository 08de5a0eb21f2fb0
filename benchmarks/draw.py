"""How long pictures take: `python benchmarks/draw.py`.

Medians of calls in one process, after the imports.  The targets are 1 s for the DOT text of a graph
of 10,000 nodes, and 50 ms for the SVG of the lecture's exercise.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

from autograd_rnn import RNN, Value, bits, draw, one_hot, play, topological


def median(work: Callable[[], object], calls: int) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in ("autograd-rnn", "pygraphviz"))
    print(f"Python {platform.python_version()}, {platform.machine()}, {packages}")

    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    w1 = rnn.weights[0][0]

    x = Value(0.5, "x")
    chain = x
    for _ in range(5000):
        chain = (chain * x).tanh()
    nodes = len(topological(chain))

    big = RNN.random(8, 4).unroll(one_hot("ACGT" * 6))
    error = (big.pi[0] - 1) ** 2

    draw(loss, focus=w1, run=run).svg()  # loads the renderer
    rows: list[tuple[str, float, float | None]] = [
        ("the exercise, DOT", median(lambda: draw(loss, focus=w1, run=run), 51), None),
        ("the exercise, SVG", median(lambda: draw(loss, focus=w1, run=run).svg(), 51), 0.05),
        ("the exercise, PNG", median(lambda: draw(loss, focus=w1, run=run).png(), 5), None),
        ("the exercise, page", median(lambda: play(loss, run=run), 21), None),
        (
            f"a chain of {nodes} nodes, DOT",
            median(lambda: draw(chain, max_nodes=nodes).dot, 5),
            1.0,
        ),
        (f"a chain of {nodes} nodes, page", median(lambda: play(chain), 3), None),
        (
            f"8 states, 24 steps ({len(topological(error))} nodes), cards as SVG",
            median(lambda: draw(error, run=big, detail="step").svg(), 5),
            None,
        ),
        (
            "the same, circles as SVG",
            median(lambda: draw(error, run=big, detail="neuron").svg(), 5),
            None,
        ),
    ]
    for name, seconds, target in rows:
        verdict = "" if target is None else "met" if seconds < target else "NOT met"
        aim = "" if target is None else f"target {1e3 * target:5.0f} ms, {verdict}"
        print(f"{name:58} {1e3 * seconds:8.1f} ms   {aim}".rstrip())


if __name__ == "__main__":
    main()
