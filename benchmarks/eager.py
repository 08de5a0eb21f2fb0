"""Time and memory of graphs and their gradients, beside other engines': `benchmarks/README.md`."""

from __future__ import annotations

import argparse
import gc
import math
import platform
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from statistics import median
from time import perf_counter, process_time
from typing import Final, NamedTuple

import derivatives
import growth
import heap
from peers import OURS, Engine, installed
from workloads import Leaf, Relu, Workload, chain_of, mlp, rnn

from autograd_rnn import compiled, topological
from autograd_rnn.engine import value as engine

Clock = Callable[[], float]
Build = Callable[[Leaf, Relu], Workload]

TOLERANCE: Final = 1e-12
KINDS: Final = ("forward", "backward", "kept", "freed")

PROTOCOL: Final = """\
One process, one thread. The engines alternate in rounds, in turn the first; gc.collect() comes
before each block of calls. A call builds a graph (forward) and differentiates it (backward).
  kept    the median over a block's calls of both; each graph is freed when the clock has stopped,
          by del and gc.collect() for all engines
  freed   the time of a block divided by its calls: each graph is dropped when its call is over,
          and one gc.collect() at the end of the block counts as well
The collector keeps Python's settings and runs within both clocks when it sees fit; what was alive
after the imports is frozen, so that no engine pays for another's modules. Times are in ns per op,
medians over the rounds. A ratio is an engine's time to autograd_rnn's, the median of the rounds'
own ratios, with the smallest and the largest. Other processes on the core may inflate the ratios: a
short call fits between two interruptions, a long one does not. --cpu counts the CPU time
of this process instead."""


class Times(NamedTuple):
    """Seconds of a call, in each of the KINDS."""

    forward: float
    backward: float
    kept: float
    freed: float


def time_block(run: Engine, build: Build, calls: int, clock: Clock) -> Times:
    """A block of calls whose graphs are freed out of the clock, and one where they are not."""
    forward, backward = [], []
    work = build(run.leaf, run.relu)
    gc.collect()
    for _ in range(calls):
        start = clock()
        if run.renews:
            work = build(run.leaf, run.relu)
        if run.begin is not None:
            run.begin(work.leaves)
        output = work.loss()
        built = clock()
        run.backward(output)
        backward.append(clock() - built)
        forward.append(built - start)
        del output
        gc.collect()
    kept = [a + b for a, b in zip(forward, backward, strict=True)]
    start = clock()
    for _ in range(calls):
        if run.renews:
            work = build(run.leaf, run.relu)
        if run.begin is not None:
            run.begin(work.leaves)
        run.backward(work.loss())
    gc.collect()
    freed = (clock() - start) / calls
    return Times(median(forward), median(backward), median(kept), freed)


def train(run: Engine, steps: int, clock: Clock) -> float:
    """Seconds of a step of training by a graph of 5 ops: the same two leaves all the time."""
    # By names of their own, as a loop for one engine would have them.
    begin, backward, grad, assign = run.begin, run.backward, run.grad, run.assign
    assert assign is not None
    a, c = 0.1, 0.2
    w, b = run.leaf(a), run.leaf(c)
    gc.collect()
    start = clock()
    for i in range(steps):
        if begin is not None:
            begin([w, b])
        error = w * (i % 7 / 7) + b - 1.0
        backward(error * error)
        a -= 0.01 * grad(w)
        c -= 0.01 * grad(b)
        w, b = assign(w, a), assign(b, c)
    gc.collect()
    return (clock() - start) / steps


def compare_gradients(engines: list[Engine], build: Build) -> None:
    """Exit with 1 where an engine differs from ours in a leaf's gradient."""
    found = []
    for run in engines:
        work = build(run.leaf, run.relu)
        if run.begin is not None:
            run.begin(work.leaves)
        run.backward(work.loss())
        found.append([run.grad(leaf) for leaf in work.leaves])
    for run, gradients in zip(engines, found, strict=True):
        for i, (x, y) in enumerate(zip(found[0], gradients, strict=True)):
            if not math.isclose(x, y, rel_tol=TOLERANCE):
                sys.exit(f"The gradients at leaf {i} differ: {OURS.name} {x!r}, {run.name} {y!r}.")
    alive = sum(x != 0.0 for x in found[0])
    print(f"gradients equal within a relative {TOLERANCE:g}: {len(found[0])}, {alive} not 0")


def compare(
    title: str, engines: list[Engine], build: Build, rounds: int, calls: int, clock: Clock
) -> dict[str, Times]:
    """Print the times of all engines by a workload; the ratios to ours, by name."""
    print(f"\n{title}")
    compare_gradients(engines, build)
    ops = sum(node.op is not None for node in topological(build(OURS.leaf, OURS.relu).loss()))
    times: dict[str, list[Times]] = {run.name: [] for run in engines}
    order = list(engines)
    for i in range(rounds):
        for run in order:
            if not (run.slow and i > 4):
                times[run.name].append(time_block(run, build, calls, clock))
        order.append(order.pop(0))
    print(f"{ops:,} ops, {rounds} rounds of {calls} calls; ns per op")
    print(f"{'':14}" + "".join([f"{kind:>26}" for kind in KINDS]))
    ratios = {}
    for name, blocks in times.items():
        cells, medians = [], []
        for kind in KINDS:
            seconds = [getattr(block, kind) for block in blocks]
            ours = [getattr(block, kind) for block in times[OURS.name]]
            paired = [a / b for a, b in zip(seconds, ours, strict=False)]
            medians.append(median(paired))
            cells.append(f"{median(seconds) / ops * 1e9:9,.0f}")
            if name != OURS.name:
                cells[-1] += f" {medians[-1]:5.1f} ({min(paired):.1f}..{max(paired):.1f})"
        print(f"{name:14}" + "".join([f"{cell:26}" for cell in cells]))
        ratios[name] = Times(*medians)
    if build in (rnn, mlp):
        floats = build(float, lambda x: max(x, 0.0))
        forward = []
        for _ in range(rounds * calls):
            start = clock()
            floats.loss()
            forward.append(clock() - start)
        print(f"{'plain floats':14}{median(forward) / ops * 1e9:9,.0f}  the same loops, no graph")
    return ratios


def print_memory(run: Engine, ops: int) -> float:
    """Print the bytes per op of a chain, and return what is held after backward."""
    work = chain_of(ops)(run.leaf, run.relu)
    gc.collect()
    tracemalloc.start()
    output = work.loss()
    built, _ = tracemalloc.get_traced_memory()
    run.backward(output)
    _, peak = tracemalloc.get_traced_memory()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del output
    print(f"{run.name:14}{ops:8,} ops: {built / ops:.0f} built,", end=" ")
    print(f"{held / ops:.0f} after backward, {peak / ops:.0f} at the peak")
    return held / ops


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="2 rounds, to see that it runs")
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a machine that is busy")
    parser.add_argument("--growth", action="store_true", help="ns per op from 100 to 10,000,000")
    parser.add_argument("--derivatives", action="store_true", help="other than backward, and a GPT")
    parser.add_argument("--heap", action="store_true", help="beside a large heap")
    options = parser.parse_args()
    clock: Clock = process_time if options.cpu else perf_counter
    begun, begun_cpu = perf_counter(), process_time()

    kind = "compiled" if compiled else "in plain Python"
    print(f"Python {platform.python_version()}, {platform.platform()}")
    print(f"{OURS.name} {version('autograd_rnn')}, its engine {kind} ({engine.__file__})")
    if options.growth or options.heap:
        (growth if options.growth else heap).measure(clock, kind)
        return
    rounds = partial(min, 2) if options.quick else int
    if options.derivatives:
        judge(derivatives.measure(clock, rounds(9)) if compiled else [], kind)
        return
    engines = installed()
    gc.collect()
    gc.freeze()
    print(f"\n{PROTOCOL}")
    title = "RNN of 8 states, 4 one-hot inputs, 20 steps, relu"
    by_rnn = compare(title, engines, rnn, rounds(15), 15, clock)
    title = "MLP of 2-16-16-1, 100 points, relu"
    able = [run for run in engines if run.numbers]
    by_mlp = compare(title, able, mlp, rounds(5), 3, clock)
    by_short = compare("chain of 900 ops", engines, chain_of(900), rounds(9), 15, clock)
    deep = [run for run in engines if run.deep]
    by_long = compare("chain of 200,000 ops", deep, chain_of(200_000), rounds(5), 2, clock)

    print("\ntraining: graphs of 5 ops from two leaves that stay, us per step, and ratio")
    steps: dict[str, list[float]] = {run.name: [] for run in able}
    for _ in range(rounds(9)):
        for run in able:
            steps[run.name].append(train(run, 2000, clock))
    by_training = {}
    for name, seconds in steps.items():
        by_training[name] = median([a / b for a, b in zip(seconds, steps[OURS.name], strict=True)])
        print(f"{name:14}{median(seconds) * 1e6:9.2f} {by_training[name]:7.1f}")

    print("\nmemory, bytes per op of a chain of x*w + b, without its leaves, by tracemalloc")
    held = print_memory(OURS, 200_000)
    for run in engines:
        if run.name in ("micrograd", "omnigrad"):
            print_memory(run, 900)  # its backward is recursive: deeper graphs fail
    million = time_block(OURS, chain_of(1_000_000), 1, clock)
    print(f"a chain of 1,000,000 ops: {million.kept:.2f} s, {million.freed:.2f} s with freeing")

    share = (process_time() - begun_cpu) / (perf_counter() - begun)
    used = "CPU" if options.cpu else "elapsed"
    print(f"\nclock: {used} time; this process had {share:.0%} of a core")
    targets = [("bytes per op after backward", held, 120 if compiled else 200, False)]
    if "micrograd" in by_rnn:
        a, b = by_rnn["micrograd"], by_mlp["micrograd"]
        targets += [("RNN, kept, x micrograd", a.kept, 12 if compiled else 2.5, True)]
        targets += [("MLP, kept, x micrograd", b.kept, 12 if compiled else 2.5, True)]
        targets += [("MLP, freed, x micrograd", b.freed, 50 if compiled else 8, True)]
        if compiled:
            targets += [("RNN, backward, x micrograd", a.backward, 25, True)]
    if compiled:
        for run in engines[1:]:
            least = 50 if run.name == "torch" else 1
            every = [
                by[run.name].kept for by in (by_rnn, by_mlp, by_short, by_long) if run.name in by
            ]
            worst = min([*every, by_training.get(run.name, math.inf)])
            targets += [(f"any workload, kept, x {run.name}", worst, least, True)]
    if compiled:
        targets += derivatives.measure(clock, rounds(9))
    judge(targets, kind)


def judge(targets: list[tuple[str, float, float, bool]], kind: str) -> None:
    """Print what was found beside its target, which may be the least or the most."""
    print(f"\ntargets of the engine {kind}")
    for words, found, target, at_least in targets:
        met = found >= target if at_least else found <= target
        bound = f"{'>=' if at_least else '<='} {target}"
        print(f"{words:36}{found:9.2f} {bound:8}{'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
