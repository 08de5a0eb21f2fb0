"""Time and memory of graphs and their gradients, beside micrograd's: `python benchmarks/eager.py`.

Both engines run the same functions, written once for any class with arithmetic and `relu`:
micrograd has no tanh.  The header that is printed first says how the times are taken.
"""

from __future__ import annotations

import argparse
import gc
import math
import platform
import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from itertools import chain, pairwise
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple

from autograd_rnn import Value, engine, topological

Scalar = Any  # a Value of either engine
Engine = Callable[[float], Scalar]  # the class, which makes leaves
Loss = Callable[[], Scalar]
Clock = Callable[[], float]

OURS: Final = "autograd_rnn"
THEIRS: Final = "micrograd"
TOLERANCE: Final = 1e-12

PROTOCOL: Final = f"""\
One process, one thread. The engines alternate in rounds, in turn the first; gc.collect() comes
before each block of calls. A call builds a graph and runs backward.
  kept    the median over a block's calls; each graph is freed when the clock has stopped, by del
          and gc.collect() for both engines
  freed   the time of a block divided by its calls: each graph is dropped when its call is over,
          and one gc.collect() at the end of the block counts as well
The collector keeps Python's settings and runs within both clocks when it sees fit. Times are
medians over the rounds, each divided by {OURS}'s op nodes. A ratio is {THEIRS}'s time to
{OURS}'s, the median of the rounds' own ratios, with the smallest and the largest. Other
processes on the core may inflate the ratios: a short call fits between two interruptions, a long
one does not. --cpu counts the CPU time of this process instead."""


# --- the workloads ------------------------------------------------------------------------------


class Workload(NamedTuple):
    """A function to be differentiated, and the leaves it is differentiated by."""

    leaves: list[Scalar]
    loss: Loss


def neuron(weights: list[Scalar], inputs: list[Scalar], bias: Scalar) -> Scalar:
    """The weighted sum of the inputs."""
    total = bias
    for weight, x in zip(weights, inputs, strict=True):
        total = total + weight * x
    return total


def rnn(value: Engine) -> Workload:
    """A layer of 8 states over 4 one-hot inputs, 20 steps: the squared error of its last sum."""
    draw = Random(1)
    # Mostly positive, so that the states stay positive: a dead relu has no gradient to compare.
    weights = [[value(draw.uniform(-0.1, 0.3)) for _ in range(8 + 4)] for _ in range(8)]
    biases = [value(draw.uniform(0.0, 0.2)) for _ in range(8)]
    one_hot = [[value(float(i == j)) for i in range(4)] for j in range(4)]
    sequence = [draw.choice(one_hot) for _ in range(20)]
    start = [value(0.0) for _ in range(8)]
    target = value(15.0)

    def loss() -> Scalar:
        layer = start
        for x in sequence:
            inputs = layer + x
            layer = [neuron(w, inputs, b).relu() for w, b in zip(weights, biases, strict=True)]
        error = target - sum(layer)
        return error * error

    return Workload([*chain(*weights), *biases, *chain(*one_hot), *start, target], loss)


def mlp(value: Engine) -> Workload:
    """micrograd's demo: 2-16-16-1 on two moons, max-margin loss, L2 penalty, the whole batch."""
    draw = Random(2)
    layers = [
        [([value(draw.uniform(-1, 1)) for _ in range(m)], value(0.0)) for _ in range(n)]
        for m, n in pairwise([2, 16, 16, 1])
    ]
    parameters = [p for layer in layers for weights, bias in layer for p in (*weights, bias)]
    labels = [1 if i % 2 else -1 for i in range(100)]
    inputs = [[value(x) for x in moon(draw, label)] for label in labels]

    def score(xs: list[Scalar]) -> Scalar:
        *hidden, [(weights, bias)] = layers
        for layer in hidden:
            xs = [neuron(w, xs, b).relu() for w, b in layer]
        return neuron(weights, xs, bias)

    def loss() -> Scalar:
        scores = [score(xs) for xs in inputs]
        losses = [(1 + -y * s).relu() for y, s in zip(labels, scores, strict=True)]
        return sum(losses) * (1.0 / 100) + 1e-4 * sum(p * p for p in parameters)

    return Workload([*parameters, *chain(*inputs)], loss)


def moon(draw: Random, label: int) -> tuple[float, float]:
    """A point of the upper moon (label -1) or of the lower (label 1), with noise."""
    angle = draw.uniform(0.0, math.pi)
    x, y = math.cos(angle), math.sin(angle)
    if label == 1:
        x, y = 1.0 - x, 0.5 - y
    return x + draw.gauss(0.0, 0.1), y + draw.gauss(0.0, 0.1)


# --- measuring ----------------------------------------------------------------------------------


def compare_gradients(ours: Workload, theirs: Workload) -> None:
    """Exit with 1 where the engines differ in the gradient by a leaf."""
    ours.loss().backward()
    theirs.loss().backward()
    for i, (x, y) in enumerate(zip(ours.leaves, theirs.leaves, strict=True)):
        if not math.isclose(x.grad, y.grad, rel_tol=TOLERANCE):
            sys.exit(f"The gradients by leaf {i} differ: {OURS} {x.grad!r}, {THEIRS} {y.grad!r}.")
    alive = sum(leaf.grad != 0.0 for leaf in ours.leaves)
    print(f"gradients equal within a relative {TOLERANCE:g}: {len(ours.leaves)}, {alive} not 0")


def time_kept(loss: Loss, calls: int, clock: Clock) -> float:
    """Seconds of a call, without those that freeing its graph takes."""
    times = []
    gc.collect()
    for _ in range(calls):
        start = clock()
        output = loss()
        output.backward()
        times.append(clock() - start)
        del output
        gc.collect()
    return median(times)


def time_freed(loss: Loss, calls: int, clock: Clock) -> float:
    """Seconds of a call, until nothing is left of its graph."""
    gc.collect()
    start = clock()
    for _ in range(calls):
        loss().backward()
    gc.collect()
    return (clock() - start) / calls


def compare_times(
    title: str, ours: Workload, theirs: Workload, rounds: int, calls: int, clock: Clock
) -> list[float]:
    """Print the times of both engines, and return the two ratios."""
    ops = sum(node.op is not None for node in topological(ours.loss()))
    print(f"\n{title}: {ops:,} op nodes, {rounds} rounds of {calls} calls")
    compare_gradients(ours, theirs)
    print(f"{'':12}{'kept':>28}{'freed':>28}")
    rows = {OURS: "", THEIRS: "", "ratio": ""}
    ratios = []
    for timed in (time_kept, time_freed):
        seconds: dict[str, list[float]] = {OURS: [], THEIRS: []}
        order = [(OURS, ours.loss), (THEIRS, theirs.loss)]
        for _ in range(rounds):
            for name, loss in order:
                seconds[name].append(timed(loss, calls, clock))
            order.reverse()
        for name, times in seconds.items():
            rows[name] += f"{median(times) * 1e3:11.2f} ms {median(times) / ops * 1e9:7,.0f} ns/op"
        paired = [b / a for a, b in zip(seconds[OURS], seconds[THEIRS], strict=True)]
        rows["ratio"] += f"{median(paired):.2f} ({min(paired):.2f}..{max(paired):.2f})".rjust(28)
        ratios.append(median(paired))
    for name, row in rows.items():
        print(f"{name:12}{row}")
    return ratios


def print_memory(name: str, value: Engine, times: int) -> float:
    """Print the bytes per op node of a deep graph, and return what is held after backward."""
    x, w, b = value(1.0), value(0.999), value(0.001)
    ops = 2 * times
    gc.collect()
    tracemalloc.start()
    output = x
    for _ in range(times):
        output = output * w + b
    built, _ = tracemalloc.get_traced_memory()
    output.backward()
    _, peak = tracemalloc.get_traced_memory()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{name:12}{ops:8,} op nodes: {built / ops:.0f} built,", end=" ")
    print(f"{held / ops:.0f} after backward, {peak / ops:.0f} at the peak")
    return held / ops


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="2 rounds, to see that it runs")
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a machine that is busy")
    options = parser.parse_args()
    rnn_rounds, mlp_rounds = (2, 2) if options.quick else (21, 5)
    clock: Clock = process_time if options.cpu else perf_counter
    begun, begun_cpu = perf_counter(), process_time()

    kind = "plain Python" if engine.__file__.endswith(".py") else "compiled"
    print(f"Python {platform.python_version()}, {platform.platform()}")
    print(f"{OURS} {version(OURS)}, its engine {kind}")
    targets = []
    try:
        theirs: Engine = import_module(f"{THEIRS}.engine").Value
    except ImportError:
        print(f"{THEIRS} is not installed, so there is no comparison: pip install {THEIRS}")
    else:
        print(f"{THEIRS} {version(THEIRS)}\n\n{PROTOCOL}")
        title = "RNN of 8 states, 4 one-hot inputs, 20 steps, relu"
        kept, _ = compare_times(title, rnn(Value), rnn(theirs), rnn_rounds, 15, clock)
        targets.append(("RNN, kept, ratio >= 2.5", kept, kept >= 2.5))
        title = "MLP of 2-16-16-1, 100 points, relu"
        kept, freed = compare_times(title, mlp(Value), mlp(theirs), mlp_rounds, 3, clock)
        targets.append(("MLP, kept, ratio >= 2.5", kept, kept >= 2.5))
        targets.append(("MLP, freed, ratio >= 8", freed, freed >= 8.0))

    print("\nmemory, bytes per op node of a chain of x*w + b, without its leaves, by tracemalloc")
    held = print_memory(OURS, Value, 100_000)
    targets.append(("bytes per op node after backward <= 200", held, held <= 200.0))
    if len(targets) > 1:
        print_memory(THEIRS, theirs, 450)  # its backward is recursive: deeper graphs fail

    share = (process_time() - begun_cpu) / (perf_counter() - begun)
    kind = "CPU" if options.cpu else "elapsed"
    print(f"\nclock: {kind} time; this process had {share:.0%} of a core")
    print("targets of the plain Python engine")
    for target, found, met in targets:
        print(f"{target:40}{found:8.2f}  {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
