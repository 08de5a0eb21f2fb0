"""Time of training, from Python lists to trained weights, beside torch's: `python benchmarks/train.py`.

Networks with a readout of the last step learn whether a DNA string has 3 or more G, by Adam, in
batches of 32, in float64, on one thread. For each of them the columns are microseconds per batch:
inside the machine code, `loss_and_gradients` of a prepared batch, `fit` with everything, and the
same loop in torch, over packed sequences and over padded ones. Checking and packing the lists are
in `fit`'s time, and so are recording and compiling, which are stated beside it; torch gets tensors
that are padded once.

Loss and gradient are compared before anything is timed. All alternate in rounds; a time is the
median over the rounds, and so is a ratio.
"""

import argparse
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

# One thread for the others too; this has to be said before they are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["AUTOGRAD_RNN_CACHE"] = "off"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from autograd_rnn import Adam, Stack, fit, one_hot, to_torch  # noqa: E402
from autograd_rnn.backends.llvm.kernel import Kernel  # noqa: E402
from autograd_rnn.training.batches import batches  # noqa: E402

LOSS, RATE, BATCH = "binary_cross_entropy", 0.01, 32


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
    """Seconds that were spent inside of machine code, and in compiling it."""

    def __init__(self) -> None:
        self.inside = self.compiling = 0.0
        clock, make = self, Kernel.__init__

        def timed(kernel: Kernel, *given: Any, **options: Any) -> None:
            start = time.perf_counter()
            make(kernel, *given, **options)
            clock.compiling += time.perf_counter() - start
            call = kernel.call

            def run(*arguments: Any) -> None:
                start = time.perf_counter()
                call(*arguments)
                clock.inside += time.perf_counter() - start

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
        """The loss, and its gradient by the readout, the same for any form of the layer below."""
        loss = self.loss(self.outputs(places), self.targets[places])
        slopes = torch.autograd.grad(loss, [self.readout.bias, self.readout.weight])
        return float(loss), [float(x) for slope in slopes for x in slope.flatten()]

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
    torch.set_num_threads(1)
    sequences, targets = make_data(task)
    compiled = network(task).compile(LOSS)
    batch = compiled.prepare(sequences[:BATCH], targets[:BATCH])
    loss, gradient = compiled.loss_and_gradients(batch)
    loops = [Torch(task, sequences, targets, padded) for padded in (False, True)]
    for loop in loops:
        other, slopes = loop.loss_and_gradient(list(range(BATCH)))
        np.testing.assert_allclose(other, loss, rtol=1e-11)
        np.testing.assert_allclose(slopes, gradient[-len(slopes) :], rtol=1e-9, atol=1e-12)
    per_epoch = task.count // BATCH
    found: dict[str, list[float]] = {}

    def note(name: str, seconds: float, count: int) -> None:
        found.setdefault(name, []).append(1e6 * seconds / count)

    def timed(run: Callable[[], Any]) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    options: dict[str, Any] = {"loss": LOSS, "batch_size": BATCH, "progress": False}
    for _ in range(rounds):
        repeats = 50
        seconds = timed(lambda: [compiled.loss_and_gradients(batch) for _ in range(repeats)])
        note("loss_and_gradients", seconds, repeats)
        start = timed(
            lambda: fit(network(task), (sequences, targets), optimiser=Adam(RATE), epochs=1, **options)
        )
        clock.inside = 0.0
        seconds = timed(
            lambda: fit(
                network(task), (sequences, targets), optimiser=Adam(RATE), epochs=1 + epochs, **options
            )
        )
        count = per_epoch * (1 + epochs)
        note("inside", clock.inside, count)
        note("fit, start included", seconds, count)
        note("fit", seconds - start, per_epoch * epochs)
        note("start", 1e-6 * (start - (seconds - start) / epochs), 1)
        for name, loop in zip(("torch, packed", "torch, padded"), loops, strict=True):
            note(name, timed(lambda loop=loop: loop.train(epochs)), per_epoch * epochs)
    middle = {name: statistics.median(times) for name, times in found.items()}
    ratios = [
        statistics.median([a / b for a, b in zip(found[name], found["fit"], strict=True)])
        for name in ("torch, packed", "torch, padded")
    ]
    print(
        f"| {task.kind} {task.states} | {middle['inside']:.0f} | {middle['loss_and_gradients']:.0f} "
        f"| {middle['fit']:.0f} (+{middle['fit'] - middle['inside']:.0f}, "
        f"{middle['fit'] / middle['inside']:.2f}) | {middle['start']:.2f} s "
        f"| {middle['torch, packed']:.0f} ({ratios[0]:.1f}) "
        f"| {middle['torch, padded']:.0f} ({ratios[1]:.1f}) |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6, help="epochs that are timed")
    options = parser.parse_args()
    print(f"{platform.machine()}, CPython {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(f"torch {torch.__version__}")
    print("| microseconds per batch of 32 | inside | loss_and_gradients | fit (more, times inside) ", end="")
    print("| start | torch, packed (of fit) | torch, padded (of fit) |")
    print("|---|---|---|---|---|---|---|")
    clock = Clock()
    for task in TASKS:
        measure(task, options.rounds, options.epochs, clock)


if __name__ == "__main__":
    main()
