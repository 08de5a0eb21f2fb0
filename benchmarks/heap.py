"""What a large heap costs, which Python's collector walks: `python benchmarks/eager.py --heap`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median

from peers import OURS, Engine, micrograd
from workloads import mlp, rnn


def measure(clock: Callable[[], float], kind: str) -> None:
    """Print ns per op beside nothing, a million lists, and torch as well; and then frozen."""
    engines = [OURS]
    try:
        engines.append(micrograd())
    except ImportError:
        print("micrograd is not installed: pip install micrograd")
    print("\nforward, backward and freeing, ns per op, the least of three medians")
    print(f"{'beside':34}{'live':>10}", end="")
    print("".join([f"{run.name + ' ' + name:>20}" for run in engines for name in ("RNN", "MLP")]))
    report("nothing", engines, clock)
    crowd = [[i] for i in range(1_000_000)]
    report("a million lists", engines, clock)
    try:
        import torch
    except ImportError:
        print("torch is not installed, so it is not imported here")
    else:
        report(f"a million lists, and torch {torch.__version__}", engines, clock)
    gc.collect()
    gc.freeze()
    report("the same, after gc.freeze()", engines, clock)
    gc.unfreeze()
    del crowd


def report(beside: str, engines: list[Engine], clock: Callable[[], float]) -> None:
    """One row: the engines' times now."""
    cells = []
    for run in engines:
        for build, calls in ((rnn, 60), (mlp, 5)):
            work = build(run.leaf, run.relu)
            ops = 4_009 if build is rnn else 65_077
            medians = []
            for _ in range(3):
                times = []
                gc.collect()
                for _ in range(calls):
                    start = clock()
                    run.backward(work.loss())
                    times.append(clock() - start)
                medians.append(median(times))
            cells.append(f"{min(medians) / ops * 1e9:20,.0f}")
    gc.collect()
    live = len(gc.get_objects()) + gc.get_freeze_count()
    print(f"{beside:34}{live:10,}" + "".join(cells))
