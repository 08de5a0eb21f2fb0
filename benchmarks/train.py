"""Time of training, from lists to trained weights, beside torch: `python benchmarks/train.py`.

Networks with a readout of the last step learn whether a DNA string has 3 or more G, by Adam, in
batches of 32, in float64, on one thread. For each of them the columns are microseconds per batch:
inside the machine code, `loss_and_gradients` of a prepared batch, `fit` with everything, and the
same loop in torch, if it is installed, over packed sequences and over padded ones. Checking and
packing the lists are in `fit`'s time, and so are recording and compiling, which are stated beside
it; torch gets tensors that are padded once.

Loss and gradient are compared before anything is timed. All alternate in rounds; a time is the
median over the rounds, and so is a ratio.
"""

import argparse
import gc
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

# One thread for the others too; this has to be said before they are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["AUTOGRAD_RNN_CACHE"] = "off"

import numpy as np  # noqa: E402

from autograd_rnn import Adam, Stack, fit, one_hot, to_torch  # noqa: E402
from autograd_rnn.backends.llvm.kernel import Kernel  # noqa: E402
from autograd_rnn.training.batches import batches  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

LOSS, RATE, BATCH, REPEATS = "binary_cross_entropy", 0.01, 32, 50


class Task(NamedTuple):
    """A network, and the data it learns from."""

    kind: str
    states: int
    lengths: tuple[int, int]
    count: int


TASKS = (
    Task("RNN", 8, (6, 12), 2048),
    Task("GRU", 16, (6, 12), 2048),
    Task("LSTM", 16, (6, 12), 2048),
    Task("LSTM", 32, (40, 60), 640),
)

COLUMNS = (
    "microseconds per batch of 32",
    "inside",
    "loss_and_gradients",
    "fit (more, times inside)",
    "start",
    *(["torch, packed (of fit)", "torch, padded (of fit)"] if torch else []),
)


def make_data(task: Task) -> tuple[list[list[list[float]]], list[int]]:
    chance = random.Random(0)
    texts = [
        "".join(chance.choice("ACGT") for _ in range(chance.randint(*task.lengths)))
        for _ in range(task.count)
    ]
    return [one_hot(text) for text in texts], [int(text.count("G") >= 3) for text in texts]


def network(task: Task) -> Stack:
    return Stack.random(task.kind, states=task.states, inputs=4, outputs=1, seed=1)


# --- inside the machine code ---------------------------------------------------------------------


class Clock:
    """The time, and how much of it was spent inside of machine code."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now, self.inside = now, 0.0
        clock, make = self, Kernel.__init__

        def timed(kernel: Kernel, *given: Any, **options: Any) -> None:
            make(kernel, *given, **options)
            call = kernel.call

            def run(*arguments: Any) -> None:
                start = now()
                call(*arguments)
                clock.inside += now() - start

            kernel.call = run

        Kernel.__init__ = timed


# --- torch ---------------------------------------------------------------------------------------


class Torch:
    """The network as torch's modules, and the loop of its training."""

    def __init__(self, task: Task, sequences: Any, targets: Any, padded: bool) -> None:
        model, self.padded = network(task), padded
        recurrent, readout = model.layers
        self.layer = getattr(torch.nn, task.kind)(4, task.states, batch_first=True).double()
        self.layer.load_state_dict(to_torch(recurrent))
        self.readout = torch.nn.Linear(task.states, 1).double()
        self.readout.load_state_dict(to_torch(readout))
        self.lengths = torch.tensor([len(sequence) for sequence in sequences])
        tensors = [torch.tensor(sequence, dtype=torch.float64) for sequence in sequences]
        self.inputs = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
        self.targets = torch.tensor(targets, dtype=torch.float64)
        self.parameters = [*self.layer.parameters(), *self.readout.parameters()]
        self.loss = torch.nn.BCEWithLogitsLoss()

    def outputs(self, places: Any) -> Any:
        inputs, lengths = self.inputs[places], self.lengths[places]
        if self.padded:
            states, _ = self.layer(inputs)
            last = states[torch.arange(len(places)), lengths - 1]
        else:
            options = {"batch_first": True, "enforce_sorted": False}
            packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, **options)
            _, last = self.layer(packed)
            last = (last[0] if isinstance(last, tuple) else last)[0]
        return self.readout(last)[:, 0]

    def loss_and_gradient(self, places: Any) -> tuple[float, list[float]]:
        """The loss and its gradient with respect to the readout, whatever the layer below."""
        loss = self.loss(self.outputs(places), self.targets[places])
        slopes = torch.autograd.grad(loss, [self.readout.bias, self.readout.weight])
        return loss.item(), [x for slope in slopes for x in slope.flatten().tolist()]

    def train(self, epochs: int) -> float:
        optimiser = torch.optim.Adam(self.parameters, lr=RATE, fused=True)
        total = 0.0
        for epoch in range(epochs):
            total, hits = 0.0, 0
            for places in batches(len(self.targets), BATCH, 0, epoch):
                places = torch.tensor(places)
                optimiser.zero_grad()
                outputs, targets = self.outputs(places), self.targets[places]
                loss = self.loss(outputs, targets)
                loss.backward()
                optimiser.step()
                total += loss.item() * len(places)
                hits += ((outputs > 0) == (targets > 0.5)).sum().item()
        return total / len(self.targets)


# --- all of them ---------------------------------------------------------------------------------


def measure(task: Task, rounds: int, epochs: int, clock: Clock) -> None:
    sequences, targets = make_data(task)
    compiled = network(task).compile(LOSS)
    batch = compiled.prepare(sequences[:BATCH], targets[:BATCH])
    loss, gradient = compiled.loss_and_gradients(batch)
    loops: dict[str, Torch] = {}
    if torch:
        torch.set_num_threads(1)
        for name, padded in (("torch, packed", False), ("torch, padded", True)):
            loops[name] = Torch(task, sequences, targets, padded)
    for loop in loops.values():
        other, slopes = loop.loss_and_gradient(list(range(BATCH)))
        np.testing.assert_allclose(other, loss, rtol=1e-11)
        np.testing.assert_allclose(slopes, gradient[-len(slopes) :], rtol=1e-9, atol=1e-12)
    count, batch_of_data = epochs * task.count // BATCH, (sequences[:BATCH], targets[:BATCH])
    found: dict[str, list[float]] = {}

    def note(name: str, seconds: float, count: int) -> None:
        found.setdefault(name, []).append(1e6 * seconds / count)

    def timed(run: Callable[[], Any]) -> float:
        gc.collect()
        start = clock.now()
        run()
        return clock.now() - start

    def train(data: Any, epochs: int) -> None:
        options: dict[str, Any] = {"loss": LOSS, "batch_size": BATCH, "progress": False}
        fit(network(task), data, optimiser=Adam(RATE), epochs=epochs, **options)

    def repeat() -> None:
        for _ in range(REPEATS):
            compiled.loss_and_gradients(batch)

    for _ in range(rounds):
        note("loss_and_gradients", timed(repeat), REPEATS)
        start = timed(partial(train, batch_of_data, 1))
        clock.inside = 0.0
        seconds = timed(partial(train, (sequences, targets), epochs))
        note("inside", clock.inside, count)
        note("fit", seconds - start, count)
        note("start", 1e-6 * start, 1)
        for name, loop in loops.items():
            note(name, timed(partial(loop.train, epochs)), count)
    middle = {name: statistics.median(times) for name, times in found.items()}
    inside, whole = middle["inside"], middle["fit"]
    cells = [
        f"{task.kind} {task.states}",
        f"{inside:.0f}",
        f"{middle['loss_and_gradients']:.0f}",
        f"{whole:.0f} (+{whole - inside:.0f}, {whole / inside:.2f})",
        f"{middle['start']:.2f} s",
    ]
    for name in loops:
        pairs = zip(found[name], found["fit"], strict=True)
        cells.append(f"{middle[name]:.0f} ({statistics.median([a / b for a, b in pairs]):.1f})")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--cpu", action="store_true", help="count CPU time")
    options = parser.parse_args()
    versions = f"NumPy {np.__version__}" + (f", torch {torch.__version__}" if torch else "")
    print(f"{platform.machine()}, CPython {platform.python_version()}, {versions}")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    clock = Clock(time.process_time if options.cpu else time.perf_counter)
    for task in TASKS:
        measure(task, options.rounds, options.epochs, clock)


if __name__ == "__main__":
    main()
