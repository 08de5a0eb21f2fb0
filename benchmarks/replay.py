"""Time of a batch's loss and gradients, beside C's: `python benchmarks/replay.py`.

The network has tanh states and a linear readout of the last one; 1,000 sequences, float64, one
thread. Results are compared before anything is timed; then the engines alternate in rounds, and a
ratio is the median over the rounds of the time of C with tiles in registers, `tiled.c`.
"""

import argparse
import ctypes
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import llvmlite
import numpy as np

from autograd_rnn import Value, compile_step, tanh
from autograd_rnn.kernel import Kernel, aligned, make_blocks
from autograd_rnn.steps import record_cell

COUNT, INPUTS = 1000, 4
SIZES = ((8, 20), (32, 100))


def network(states: int, rng: np.random.Generator):
    """The compiled step; its parameters are ordered as those of tiled.c."""
    width = INPUTS + states
    numbers = rng.normal(size=states * width + 2 * states + 1) * (0.5 / states**0.5)
    parameters = [Value(number) for number in numbers]

    def step(state, x, w):
        vector = (*x, *state)
        after = []
        for j in range(states):
            total = w[states * width + j]
            for k, entry in enumerate(vector):
                total = total + w[j * width + k] * entry
            after.append(tanh(total))
        base = states * width + states
        output = w[base + states]
        for j in range(states):
            output = output + w[base + j] * after[j]
        return tuple(after), output

    return compile_step(step, "squared_error", parameters, [0.0] * states, backend="native")


def c_library(folder: str, states: int) -> ctypes.CDLL:
    source = Path(__file__).with_name("tiled.c")
    built = Path(folder) / f"tiled{states}.so"
    options = ["-O3", "-march=native", "-shared", "-fPIC", f"-DH={states}", f"-DX={INPUTS}"]
    subprocess.run(["gcc", *options, "-o", built, source, "-lm"], check=True)
    return ctypes.CDLL(str(built))


def measure(states: int, steps: int, rounds: int, folder: str) -> None:
    rng = np.random.default_rng(0)
    compiled = network(states, rng)
    x, y = rng.normal(size=(COUNT, steps, INPUTS)), rng.normal(size=COUNT)
    begin = time.perf_counter()
    kernel = Kernel(record_cell(compiled.step, x[0, 0], y[:1]), every=False)
    compile_time = time.perf_counter() - begin
    blocks = make_blocks(list(x), list(y[:, None]), kernel.lanes, every=False)
    numbers = np.array([parameter.data for parameter in compiled.parameters])
    initial = np.zeros(states)
    library = c_library(folder, states)
    gradient = aligned(len(numbers), 8)
    work = aligned((steps + 1) * (INPUTS + 2 * states) + 2 * states, 8)
    losses = aligned(COUNT // 8, 8)
    plain_gradient, plain_losses = np.zeros(len(numbers)), np.zeros(COUNT)
    lanes_x = aligned(COUNT // 8, steps, INPUTS, 8)
    lanes_x[:] = x.reshape(COUNT // 8, 8, steps, INPUTS).transpose(0, 2, 3, 1)
    lanes_y = aligned(COUNT // 8, 8)
    lanes_y[:] = y.reshape(-1, 8)

    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def tiled() -> tuple[float, np.ndarray]:
        gradient[:] = 0.0
        arrays = [pointer(a) for a in (numbers, lanes_x, lanes_y)]
        sizes = [ctypes.c_int64(steps), ctypes.c_int64(COUNT // 8)]
        library.run(*arrays, *sizes, *[pointer(a) for a in (gradient, work, losses)])
        return losses.sum() / COUNT, gradient.sum(axis=1) / COUNT

    def plain() -> tuple[float, np.ndarray]:
        plain_gradient[:] = 0.0
        arrays = [pointer(a) for a in (numbers, x, y)]
        sizes = [ctypes.c_int64(steps), ctypes.c_int64(COUNT)]
        results = [pointer(a) for a in (plain_gradient, work, plain_losses)]
        library.plain(*arrays, *sizes, *results)
        return plain_losses.sum() / COUNT, plain_gradient / COUNT

    def native(threads: int = 1) -> tuple[float, np.ndarray]:
        found, slopes, _ = kernel.run(blocks, numbers, initial, threads)
        return found.sum() / COUNT, slopes / COUNT

    engines = {"C, tiled": tiled, "native": native, "native, 2 threads": lambda: native(2)}
    engines["C, plain loops"] = plain
    expected = tiled()
    for name, run in engines.items():
        loss, slopes = run()
        error = max(abs(loss / expected[0] - 1), np.abs(slopes - expected[1]).max())
        if error > 1e-12:
            sys.exit(f"{name} differs from C by {error:.1e}")
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, run in engines.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    print(f"{states} states, {steps} steps; compiled in {compile_time:.2f} s")
    for name, found in times.items():
        ratios = [t / c for t, c in zip(found, times["C, tiled"], strict=True)]
        milliseconds = 1000 * statistics.median(found)
        print(f"  {name:20} {milliseconds:9.3f} ms   ratio {statistics.median(ratios):6.2f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=21)
    rounds = options.parse_args().rounds
    print(
        f"autograd_rnn {version('autograd-rnn')}, llvmlite {llvmlite.__version__}, "
        f"NumPy {np.__version__}, CPython {platform.python_version()}, {platform.machine()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for states, steps in SIZES:
            measure(states, steps, rounds, folder)


if __name__ == "__main__":
    main()
