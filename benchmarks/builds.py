"""Two builds of this package side by side in one process: is the second one slower anywhere?

    python benchmarks/builds.py OLD NEW

Each is a folder that holds a package `autograd_rnn`: a checkout, or the `site-packages` of an
environment.  The builds alternate in rounds, by CPU time; a ratio is the time of the second to the
first's, the median of the rounds' own ratios.  A whole process may be lucky with where its code and
its heap lie, so believe no ratio before several processes agree.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import sys
from collections.abc import Callable
from statistics import median
from time import process_time as clock
from typing import Any, Final

from workloads import Workload, chain_of, gpt, mlp, rnn

Build = Callable[[type], Workload]

KINDS: Final = ("forward", "backward", "kept", "freed")


def load(folder: str) -> type:
    """The class Value of the package in a folder, beside those that were loaded before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "autograd_rnn"]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    package = importlib.import_module("autograd_rnn")
    del sys.path[0]
    print(f"{package.__file__}: the engine is {'compiled' if package.compiled else 'plain Python'}")
    return package.Value


def layers_of_tanh(value: type) -> Workload:
    """(a * b + 0.5).tanh() over neighbours, 40 layers of 10."""
    leaves = [value(0.1 * i) for i in range(10)]

    def loss() -> Any:
        layer = leaves
        for _ in range(40):
            layer = [(a * b + 0.5).tanh() for a, b in zip(layer, turned(layer), strict=True)]
        return sum(layer)

    return Workload(leaves, loss)


def mixed(value: type) -> Workload:
    """Quotients, powers, exponentials and sigmoids of neighbours, 20 layers of 10."""
    leaves = [value(0.1 * i + 0.2) for i in range(10)]

    def loss() -> Any:
        layer = leaves
        for _ in range(20):
            layer = [
                ((a / (b + 1.5)) ** 2 + (a - b).exp()).sigmoid()
                for a, b in zip(layer, turned(layer), strict=True)
            ]
        return sum(layer)

    return Workload(leaves, loss)


def turned(layer: list[Any]) -> list[Any]:
    return layer[1:] + layer[:1]


#: Each workload with its number of ops, and how often it is called in a round.
WORKLOADS: Final[dict[str, tuple[Build, int, int]]] = {
    "RNN": (lambda value: rnn(value, value.relu), 4_009, 15),
    "MLP": (lambda value: mlp(value, value.relu), 65_077, 2),
    "chain of 900": (lambda value: chain_of(900)(value, value.relu), 900, 40),
    "chain of 200,000": (lambda value: chain_of(200_000)(value, value.relu), 200_000, 2),
    "tanh": (layers_of_tanh, 1_210, 25),
    "mixed": (mixed, 1_410, 20),
    "transformer": (lambda v: gpt(v, v.relu, v.exp, v.log), 53_859, 2),
}


def time_block(value: type, build: Build, calls: int) -> dict[str, float]:
    """Seconds of a call: the shortest ones with graphs freed out of the clock, and all within."""
    forward, backward = [], []
    work = build(value)
    gc.collect()
    for _ in range(calls):
        start = clock()
        output = work.loss()
        built = clock()
        output.backward()
        backward.append(clock() - built)
        forward.append(built - start)
        del output
    gc.collect()
    kept = min(a + b for a, b in zip(forward, backward, strict=True))
    start = clock()
    for _ in range(calls):
        work.loss().backward()
    freed = (clock() - start) / calls
    return dict(zip(KINDS, (min(forward), min(backward), kept, freed), strict=True))


def time_training(value: Any, steps: int) -> float:
    """Seconds of a step of training by a graph of 5 ops."""
    a, c = 0.1, 0.2
    w, b = value(a), value(c)
    gc.collect()
    start = clock()
    for i in range(steps):
        error = w * (i % 7 / 7) + b - 1.0
        (error * error).backward()
        a -= 0.01 * w.grad
        c -= 0.01 * b.grad
        w.data, w.grad, b.data, b.grad = a, 0.0, c, 0.0
    return (clock() - start) / steps


def check_gradients(builds: list[type], build: Build) -> None:
    """Exit where the builds differ in the gradient with respect to a leaf."""
    found = []
    for value in builds:
        work = build(value)
        work.loss().backward()
        found.append([leaf.grad for leaf in work.leaves])
    for x, y in zip(*found, strict=True):
        if not math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-300):
            sys.exit(f"The gradients differ: {x!r}, {y!r}.")


def show(title: str, seconds: list[list[float]], unit: float) -> None:
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    old, new = (median(times) * unit for times in seconds)
    print(f"{title:28}{old:9.1f}{new:9.1f}{median(ratios):9.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs=2, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=[*WORKLOADS, "training"])
    options = parser.parse_args()
    builds = [load(folder) for folder in options.folders]
    gc.collect()
    gc.freeze()
    print(f"{'ns per op':28}{'first':>9}{'second':>9}{'ratio':>9}")
    for name, (build, ops, calls) in WORKLOADS.items():
        if name not in options.only:
            continue
        check_gradients(builds, build)
        blocks: list[list[dict[str, float]]] = [[], []]
        for i in range(options.rounds):
            for k in (i % 2, 1 - i % 2):
                blocks[k].append(time_block(builds[k], build, calls))
        for kind in KINDS:
            seconds = [[block[kind] for block in one] for one in blocks]
            show(f"{name}, {kind}", seconds, 1e9 / ops)
    if "training" in options.only:
        steps: list[list[float]] = [[], []]
        for i in range(options.rounds):
            for k in (i % 2, 1 - i % 2):
                steps[k].append(time_training(builds[k], 2000))
        show("training, ns per step", steps, 1e9)


if __name__ == "__main__":
    main()
