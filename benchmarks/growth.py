"""How the cost of an op grows with the number of ops: `python benchmarks/eager.py --growth`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

from peers import OURS
from workloads import chain_of

SIZES = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
STAGES = ("forward", "backward", "freeing")


def measure(clock: Callable[[], float], kind: str) -> None:
    """Print ns per op of a chain by its number of ops, and plot it where matplotlib is."""
    print("\na chain of x*w + b, ns per op, of three passes the least median")
    passes = [[stages_of(ops, clock) for ops in SIZES] for _ in range(3)]
    rows = [
        [min(times) for times in zip(*found, strict=True)] for found in zip(*passes, strict=True)
    ]
    print(f"{'ops':>12}" + "".join([f"{stage:>10}" for stage in (*STAGES, "all")]))
    for ops, row in zip(SIZES, rows, strict=True):
        print(f"{ops:12,}" + "".join([f"{ns:10.0f}" for ns in (*row, sum(row))]))
    try:
        import matplotlib
    except ImportError:
        print('matplotlib is not installed, so there is no plot: pip install ".[plot]"')
    else:
        matplotlib.use("svg")
        plot(rows, kind)


def stages_of(ops: int, clock: Callable[[], float]) -> list[float]:
    """The median ns per op of each stage."""
    work = chain_of(ops)(OURS.leaf, OURS.relu)
    times: list[list[float]] = [[], [], []]
    # Small graphs in blocks of 20,000 ops: a collection empties the processor's caches.
    for _ in range(max(3, min(20, 2_000_000 // ops))):
        gc.collect()
        for _ in range(max(1, 20_000 // ops)):
            marks = [clock()]
            output = work.loss()
            marks.append(clock())
            output.backward()
            marks.append(clock())
            del output
            marks.append(clock())
            for stage, (start, end) in zip(times, pairwise(marks), strict=True):
                stage.append((end - start) / ops * 1e9)
    return [median(stage) for stage in times]


def plot(rows: list[list[float]], kind: str) -> None:
    """Write the rows as `growth.svg`, beside this file."""
    from matplotlib import pyplot, rcParams

    rcParams.update({"svg.hashsalt": "growth", "font.size": 9})
    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), layout="constrained")
    for stage, line in zip(STAGES, zip(*rows, strict=True), strict=True):
        axes.loglog(SIZES, line, marker="o", markersize=3, label=stage)
    axes.loglog(SIZES, [sum(row) for row in rows], color="0.3", linestyle="--", label="all")
    axes.set(xlabel="ops in the graph", ylabel="ns per op", title=f"A chain, engine {kind}")
    axes.grid(visible=True, which="both", linewidth=0.3)
    axes.set_ylim(3, 2000)
    axes.legend(ncols=4, frameon=False)
    path = Path(__file__).with_name("growth.svg")
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    print(f"wrote {path.name}")
