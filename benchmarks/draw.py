"""How long pictures take: `python benchmarks/draw.py`.

Medians of calls in one process, after the imports; with `--cpu`, for a busy machine, the CPU time
of what does not run Graphviz, which has a process of its own.  The targets are 1 s for the DOT text
of a graph of 10,000 nodes, 20 ms for the SVG of the lecture's exercise, 400 ms for the first
picture of all, and 3 s for the SVG of an expression of 300 boxes.  Then the size of each kind.
"""

from __future__ import annotations

import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Unrolled,
    Value,
    bits,
    counter,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    one_hot,
    play,
    topological,
)  # fmt: skip

CPU = "--cpu" in sys.argv
CLOCK = time.process_time if CPU else time.perf_counter


def median(work: Callable[[], object], calls: int) -> float:
    times = []
    for _ in range(calls):
        start = CLOCK()
        work()
        times.append(CLOCK() - start)
    return statistics.median(times)


def boxes_of_neurons(run: Unrolled, error: Value) -> Callable[[], object]:
    return lambda: draw(error, run=run, detail="neuron", max_nodes=1000).svg()


def expression() -> Value:
    """A chain of 60 products, sums and tanh, of 12 leaves that it uses again and again."""
    x = [Value(0.1 * place, f"x_{place}") for place in range(1, 13)]
    y = x[0]
    for k in range(60):
        y = (y * x[k % 12] + x[5 * k % 12]).tanh()
    return y


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

    start = CLOCK()
    draw(loss, focus=w1, run=run).svg()  # starts the renderer
    first = CLOCK() - start
    rows: list[tuple[str, float, float | None]] = [
        ("the first picture, SVG", first, 0.4),
        ("the exercise, DOT", median(lambda: draw(loss, focus=w1, run=run), 51), None),
        ("the exercise, SVG", median(lambda: draw(loss, focus=w1, run=run).svg(), 51), 0.02),
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
        ("the same, boxes of neurons as SVG", median(boxes_of_neurons(big, error), 5), None),
        ("the same, circles as SVG", median(lambda: draw_network(big).svg(), 5), None),
        (
            "an expression of 300 boxes, SVG",
            median(lambda: draw(expression(), max_nodes=301).svg(), 3),
            3.0,
        ),
    ]
    sizes = [
        ("the exercise", draw(loss, focus=w1, run=run)),
        ("the exercise, boxes of neurons", draw(loss, focus=w1, run=run, detail="neuron")),
        ("the exercise, cards", draw(loss, focus=w1, run=run, detail="step")),
        ("the exercise, matrices", draw(loss, focus=rnn, run=run)),
        ("the exercise, flow", draw_flow(loss, run=run, focus=w1)),
        ("the exercise on A4", draw(loss, focus=w1, run=run, width="a4")),
        ("8 states, 24 steps, cards", draw(error, run=big, detail="step")),
        ("the cell of an LSTM", draw_cell(LSTM.random(2, 4))),
        ("the cell of a GRU", draw_cell(GRU.random(2, 4))),
        ("the counter over 5 letters", draw_network(counter().unroll(one_hot("AGGTG")))),
    ]
    for name, seconds, target in rows:
        if CPU and "DOT" not in name:
            continue  # Graphviz has a process of its own
        verdict = "" if target is None else "met" if seconds < target else "NOT met"
        aim = "" if target is None else f"target {1e3 * target:5.0f} ms, {verdict}"
        print(f"{name:58} {1e3 * seconds:8.1f} ms   {aim}".rstrip())
    for name, drawing in sizes:
        svg = drawing.svg()
        wide, high = re.search(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
        print(f"{name:44} {wide:>6} x {high:>6} pt, {len(svg.encode()) / 1000:6.0f} kB")


if __name__ == "__main__":
    main()
