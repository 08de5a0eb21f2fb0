"""Every kind of derivative, and a step of a GPT: `python benchmarks/eager.py --derivatives`."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

from workloads import Leaf, Relu, Scalar, Workload, chain_of, gpt, mlp, rnn

from autograd_rnn import (
    Adam,
    Value,
    copies,
    grad,
    gradients,
    hvp,
    jvp,
    topological,
    value_and_grad,
    zero_grad,
)

Clock = Callable[[], float]
Build = Callable[[Leaf, Relu], Workload]

TOLERANCE = 1e-9
#: Steps of training in a block.
STEPS = 5


def measure(clock: Clock, rounds: int) -> list[tuple[str, float, float, bool]]:
    """Print the times, in rounds; the ratios that have targets, as `eager.main` prints them."""
    for package in ("micrograd", "autograd", "torch"):
        if find_spec(package):
            import_module(package)
    gc.collect()
    # No package pays for the objects of another's modules when garbage is collected.
    gc.freeze()
    targets = measure_gpt(rounds, clock)
    for title, build, calls in (("RNN", rnn, 10), ("MLP", mlp, 2)):
        targets += compare(title, build, rounds, calls, clock)
    million = chain_of(1_000_000)(Value, Value.relu)
    output = million.loss()
    times = in_turns(
        {"backward": output.backward, "gradients": partial(gradients, output, million.leaves)},
        *(rounds, 1, clock),
    )
    print("\na chain of 1,000,000 ops")
    show(times, "backward", 1_000_000)
    ratio = times["gradients"] / times["backward"]
    return [*targets, ("chain, gradients / backward", ratio, 2.5, False)]


def compare(
    title: str, build: Build, rounds: int, calls: int, clock: Clock
) -> list[tuple[str, float, float, bool]]:
    """The functions of the package beside other packages' gradients."""
    work = build(Value, Value.relu)
    output = work.loss()
    ops = sum(node.op is not None for node in topological(output))
    numbers, f = as_function(build, Value.relu)
    direction = [1.0 / (2 + place) for place in range(len(numbers))]
    calls_by_name: dict[str, Callable[[], object]] = {
        "backward": output.backward,
        "gradients": lambda: gradients(output, work.leaves),
        "topological": lambda: topological(output),
        "copies of a weight": lambda: copies(work.leaves[0], output),
        "build + backward": lambda: work.loss().backward(),
        "grad": lambda: grad(f)(*numbers),
        "value_and_grad": lambda: value_and_grad(f)(*numbers),
        "jvp": lambda: jvp(f, numbers, direction),
        "hvp": lambda: hvp(f, numbers, direction),
    }
    calls_by_name |= peers(build, numbers, grad(f)(*numbers))
    times = in_turns(calls_by_name, rounds, calls, clock)
    print(f"\n{title}, {ops:,} ops, the functions of {len(numbers)} numbers")
    show(times, "grad", ops)
    return [
        (f"{title}, gradients / backward", times["gradients"] / times["backward"], 2.5, False),
        (f"{title}, hvp / grad", times["hvp"] / times["grad"], 4, False),
    ]


def as_function(build: Build, relu: Relu) -> tuple[list[float], Callable[..., Scalar]]:
    """The numbers of a workload's leaves, and its loss as a function of them."""
    numbers: list[float] = []
    build(lambda number: numbers.append(number) or number, relu)

    def f(*leaves: Scalar) -> Scalar:
        given = iter(leaves)
        return build(lambda _: next(given), relu).loss()

    return numbers, f


def peers(
    build: Build, numbers: list[float], wanted: Sequence[float]
) -> dict[str, Callable[[], object]]:
    """What other packages that are here do for a gradient, if it is the same."""
    found: dict[str, Callable[[], object]] = {}
    if find_spec("micrograd"):
        kind = import_module("micrograd.engine").Value
        theirs = build(kind, kind.relu)
        found["micrograd, build + backward"] = lambda: theirs.loss().backward()
    if find_spec("autograd"):
        hips, elementary = import_module("autograd"), import_module("autograd.numpy")
        _, of_boxes = as_function(build, lambda x: elementary.maximum(x, 0.0))
        places = tuple(range(len(numbers)))
        gradient = hips.grad(of_boxes, places)
        check("autograd", gradient(*numbers), wanted)
        found["HIPS autograd, grad"] = lambda: gradient(*numbers)
    if find_spec("torch"):
        torch = import_module("torch")
        torch.set_num_threads(1)
        _, of_tensors = as_function(build, torch.relu)

        def tensor_gradient() -> Any:
            leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
            return torch.autograd.grad(of_tensors(*leaves), leaves, allow_unused=True)

        check("torch", [0.0 if x is None else x.item() for x in tensor_gradient()], wanted)
        found["torch.autograd.grad"] = tensor_gradient
    return found


def check(name: str, found: Sequence[float], wanted: Sequence[float]) -> None:
    """Exit with 1 where a gradient differs from ours."""
    for place, (x, y) in enumerate(zip(found, wanted, strict=True)):
        if not math.isclose(float(x), y, rel_tol=TOLERANCE, abs_tol=1e-12):
            sys.exit(f"Gradient {place} differs: ours {y!r}, {name} {x!r}.")


def in_turns(
    calls_by_name: dict[str, Callable[[], object]], rounds: int, calls: int, clock: Clock
) -> dict[str, float]:
    """The median seconds of each call, results freed within the clock."""
    times: dict[str, list[float]] = {name: [] for name in calls_by_name}
    for turn in range(rounds):
        for name, call in calls_by_name.items():
            slow = len(times[name]) > 0 and times[name][0] > 0.2
            if slow and turn > 2:
                continue
            gc.collect()
            for _ in range(1 if slow else calls):
                start = clock()
                call()
                times[name].append(clock() - start)
    return {name: median(seconds) for name, seconds in times.items()}


def show(times: dict[str, float], unit: str, ops: int) -> None:
    print(f"{'':30}{'ns per op':>10}{'x ' + unit:>12}")
    for name, seconds in times.items():
        print(f"{name:30}{seconds / ops * 1e9:10,.0f}{seconds / times[unit]:12.2f}")


def measure_gpt(rounds: int, clock: Clock) -> list[tuple[str, float, float, bool]]:
    """A step of training: the gradient beside the floats alone, and all of it beside micrograd."""
    work = gpt(Value, Value.relu, Value.exp, Value.log)
    floats = gpt(float, lambda x: max(x, 0.0), math.exp, math.log)
    optimiser = Adam(0.01)

    def gradient() -> None:
        work.loss().backward()

    def step() -> None:
        gradient()
        optimiser.step(work.leaves)
        zero_grad(*work.leaves)

    if not math.isclose(work.loss().data, floats.loss(), rel_tol=TOLERANCE):
        sys.exit("The losses of the GPT differ.")
    ops = sum(node.op is not None for node in topological(work.loss()))
    calls_by_name = {
        "floats, forward": floats.loss,
        "gradient": gradient,
        "optimiser's step": lambda: optimiser.step(work.leaves),
    }
    steps: dict[str, Callable[[], object]] = {"step": step}
    if find_spec("micrograd"):
        steps["micrograd, step"] = micrograd_step(work)
    # Not by a step before: both begin with the same weights.
    for leaf, number in zip(work.leaves, floats.leaves, strict=True):
        leaf.data, leaf.grad = number, 0.0
    times = in_turns(calls_by_name, rounds, 3, clock)
    # Of micrograd's graphs, which are cycles, some are collected in the step, and some later.
    blocks = {name: partial(train, one, STEPS) for name, one in steps.items()}
    found = in_turns(blocks, min(rounds, 5), 1, clock)
    times |= {name: seconds / STEPS for name, seconds in found.items()}
    print(f"\nGPT of the shape of microgpt, {ops:,} ops, {len(work.leaves):,} weights; ms")
    for name, seconds in times.items():
        print(f"{name:30}{seconds * 1e3:10.2f}")
    targets = [
        ("GPT, gradient / floats", times["gradient"] / times["floats, forward"], 3.0, False),
        ("GPT, ms of an optimiser's step", times["optimiser's step"] * 1e3, 0.5, False),
    ]
    if "micrograd, step" in times:
        targets += [("GPT, step, x micrograd", times["micrograd, step"] / times["step"], 95, True)]
    return targets


def train(step: Callable[[], object], count: int) -> None:
    """A few steps, and their garbage collected."""
    for _ in range(count):
        step()
    gc.collect()


def micrograd_step(ours: Workload) -> Callable[[], None]:
    """The same step by micrograd, with exp and log for its class, and Adam in a loop."""
    kind = import_module("micrograd.engine").Value
    sys.setrecursionlimit(1_000_000)

    def unary(value: Callable[[float], float], slope: Callable[[float, float], float]) -> Any:
        def apply(x: Any) -> Any:
            out = kind(value(x.data), (x,))

            def backward() -> None:
                x.grad += slope(x.data, out.data) * out.grad

            out._backward = backward
            return out

        return apply

    work = gpt(
        kind, kind.relu, unary(math.exp, lambda _, z: z), unary(math.log, lambda x, _: 1 / x)
    )
    work.loss().backward()
    ours.loss().backward()
    check("micrograd", [x.grad for x in work.leaves], [x.grad for x in ours.leaves])
    means, squares, steps = [0.0] * len(work.leaves), [0.0] * len(work.leaves), 0

    def step() -> None:
        nonlocal steps
        work.loss().backward()
        steps += 1
        for place, p in enumerate(work.leaves):
            means[place] = 0.9 * means[place] + 0.1 * p.grad
            squares[place] = 0.999 * squares[place] + 0.001 * p.grad**2
            mean, square = means[place] / (1 - 0.9**steps), squares[place] / (1 - 0.999**steps)
            p.data -= 0.01 * mean / (square**0.5 + 1e-8)
            p.grad = 0

    return step
