"""Time of a batch's loss and gradients, beside C's and others: `python benchmarks/replay.py`.

Networks have a linear readout of the last step, and the loss is squared: tanh states, the same
written so that no product of matrices is found, and an LSTM. There are 1,000 sequences, in float64,
on one thread unless said; peers that are not installed are left out, and said to be. Results are
compared before anything is timed; then all alternate in rounds, and a ratio is the median over the
rounds of the time to that of C with tiles in registers, `tiled.c`, where there is one, and to ours.

With `--cpu` it counts CPU time, which other work on the machine disturbs less, and which says
nothing of threads. With `--growth` it measures how time grows with steps, sequences and states, and
plots that.
"""

import argparse
import ctypes
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# One thread for the others too; this has to be said before they are loaded.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "true"
os.environ["AUTOGRAD_RNN_CACHE"] = "off"

import llvmlite  # noqa: E402
import numpy as np  # noqa: E402

from autograd_rnn import Value, compile_step, tanh  # noqa: E402
from autograd_rnn.backends.llvm.kernel import aligned  # noqa: E402

COUNT, INPUTS = 1000, 4
Result = tuple[float, np.ndarray]


# --- the networks --------------------------------------------------------------------------------
# Parameters lie as in tiled.c: rows of weights over [X; Q], offsets, readout, its offset.


def readout(w, base, states):
    output = w[base + len(states)]
    for j, state in enumerate(states):
        output = output + w[base + j] * state
    return output


def row_of(w, j, width, rows, vector, forward=True):
    total = w[rows * width + j]
    for k, entry in enumerate(vector):
        term = w[j * width + k] * entry
        total = total + term if forward else term + total
    return total


def rnn_step(states: int, forward: bool = True) -> Callable[..., Any]:
    def step(state, x, w):
        vector, width = (*x, *state), INPUTS + states
        after = [tanh(row_of(w, j, width, states, vector, forward)) for j in range(states)]
        return tuple(after), readout(w, states * width + states, after)

    return step


def lstm_step(states: int) -> Callable[..., Any]:
    """Gates i, f, g, o, as PyTorch orders them."""

    def step(state, x, w):
        h, c = state[:states], state[states:]
        vector, width = (*x, *h), INPUTS + states
        rows = [row_of(w, j, width, 4 * states, vector) for j in range(4 * states)]
        i, f, g, o = [rows[k * states : (k + 1) * states] for k in range(4)]
        after, hidden = [], []
        for j in range(states):
            after.append(f[j].sigmoid() * c[j] + i[j].sigmoid() * g[j].tanh())
            hidden.append(o[j].sigmoid() * after[j].tanh())
        return (*hidden, *after), readout(w, 4 * states * (width + 1), hidden)

    return step


def parameters_of(kind: str, states: int, rng: np.random.Generator) -> np.ndarray:
    rows = 4 * states if kind == "LSTM" else states
    count = rows * (INPUTS + states + 1) + states + 1
    return rng.normal(size=count) * (0.5 / states**0.5)


def split(kind: str, states: int, numbers: Any) -> tuple[Any, Any, Any, Any]:
    """Weights of X and Q, offsets, readout and its offset."""
    rows, width = 4 * states if kind == "LSTM" else states, INPUTS + states
    weights = numbers[: rows * width].reshape(rows, width)
    end = rows * width + rows
    return weights, numbers[rows * width : end], numbers[end : end + states], numbers[end + states]


def native(kind: str, states: int, numbers, x, y, backend: str = "native", threads: int = 1):
    step = lstm_step(states) if kind == "LSTM" else rnn_step(states, kind == "RNN")
    state = [0.0] * (2 * states if kind == "LSTM" else states)
    values = [Value(number) for number in numbers]
    compiled = compile_step(step, "squared_error", values, state, backend=backend)
    batch = compiled.prepare(x, y)

    def run() -> Result:
        loss, gradient = compiled.loss_and_gradients(batch, threads=threads)
        return loss, np.array(gradient)

    return run


# --- the peers -----------------------------------------------------------------------------------


def numpy_by_hand(kind: str, states: int, numbers, x, y):
    weights, offsets, out, last = split(kind, states, numbers)
    inputs, recurrent = weights[:, :INPUTS].T.copy(), weights[:, INPUTS:].T.copy()
    xs = np.ascontiguousarray(x.transpose(1, 0, 2))
    steps, count = len(xs), len(y)

    def sigmoid(z):
        return 1.0 / (1.0 + np.exp(-z))

    def run() -> Result:
        h = [np.zeros((count, states))]
        c, gates = [np.zeros((count, states))], []
        for t in range(steps):
            z = xs[t] @ inputs + h[-1] @ recurrent + offsets
            if kind != "LSTM":
                h.append(np.tanh(z))
                continue
            i, f, o = [sigmoid(z[:, k * states : (k + 1) * states]) for k in (0, 1, 3)]
            g = np.tanh(z[:, 2 * states : 3 * states])
            c.append(f * c[-1] + i * g)
            tanh_c = np.tanh(c[-1])
            h.append(o * tanh_c)
            gates.append((i, f, g, o, tanh_c))
        error = h[-1] @ out + last - y
        d_out = 2.0 * error / count
        dh, dc = np.outer(d_out, out), np.zeros((count, states))
        d_inputs, d_recurrent = np.zeros_like(inputs), np.zeros_like(recurrent)
        d_offsets = np.zeros_like(offsets)
        for t in reversed(range(steps)):
            if kind == "LSTM":
                i, f, g, o, tanh_c = gates[t]
                dc = dc + dh * o * (1.0 - tanh_c * tanh_c)
                parts = (dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g * g))
                dz = np.concatenate([*parts, dh * tanh_c * o * (1 - o)], axis=1)
                dc = dc * f
            else:
                dz = dh * (1.0 - h[t + 1] * h[t + 1])
            d_inputs += xs[t].T @ dz
            d_recurrent += h[t].T @ dz
            d_offsets += dz.sum(axis=0)
            dh = dz @ recurrent.T
        d_weights = np.concatenate([d_inputs, d_recurrent]).T.ravel()
        gradient = [d_weights, d_offsets, h[-1].T @ d_out, [d_out.sum()]]
        return float(error @ error) / count, np.concatenate(gradient)

    return run


def jax_scan(kind: str, states: int, numbers, x, y):
    import jax
    import jax.numpy as jnp

    def loss_of_one(flat, xs, goal):
        weights, offsets, out, last = split(kind, states, flat)

        def step(state, entry):
            h, c = state
            z = weights @ jnp.concatenate([entry, h]) + offsets
            if kind != "LSTM":
                return (jnp.tanh(z), c), None
            i, f, g, o = jnp.split(z, 4)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros(states)
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), xs)
        return (goal - (out @ h + last)) ** 2

    def mean(flat, xs, goals):
        return jax.vmap(loss_of_one, (None, 0, 0))(flat, xs, goals).mean()

    compiled = jax.jit(jax.value_and_grad(mean))
    given = [jnp.asarray(array) for array in (numbers, x, y)]

    def run() -> Result:
        loss, gradient = compiled(*given)
        return float(loss), np.asarray(gradient)

    return run


def torch_layer(kind: str, states: int, numbers, x, y):
    import torch

    torch.set_num_threads(1)
    weights, offsets, out, last = split(kind, states, numbers)
    make = torch.nn.LSTM if kind == "LSTM" else torch.nn.RNN
    layer = make(INPUTS, states, batch_first=True, dtype=torch.float64)
    linear = torch.nn.Linear(states, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0[:] = torch.tensor(weights[:, :INPUTS])
        layer.weight_hh_l0[:] = torch.tensor(weights[:, INPUTS:])
        layer.bias_ih_l0[:], layer.bias_hh_l0[:] = torch.tensor(offsets), 0.0
        linear.weight[:], linear.bias[:] = torch.tensor(out), float(last)
    xs, goals = torch.tensor(x), torch.tensor(y)
    used = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, *linear.parameters()]

    def run() -> Result:
        for parameter in [*layer.parameters(), *linear.parameters()]:
            parameter.grad = None
        hidden, _ = layer(xs)
        loss = ((goals - linear(hidden[:, -1])[:, 0]) ** 2).mean()
        loss.backward()
        a, b, *rest = [parameter.grad.numpy() for parameter in used]
        both = np.concatenate([a, b], axis=1)
        return loss.item(), np.concatenate([both.ravel(), *[r.ravel() for r in rest]])

    return run


def in_c(folder: str, states: int, numbers, x, y) -> tuple[Any, Any]:
    """With tiles in registers, and in plain loops."""
    source, steps = Path(__file__).with_name("tiled.c"), x.shape[1]
    built = Path(folder) / f"tiled{states}.so"
    options = ["-O3", "-march=native", "-shared", "-fPIC", f"-DH={states}", f"-DX={INPUTS}"]
    subprocess.run(["gcc", *options, "-o", built, source, "-lm"], check=True)
    library = ctypes.CDLL(str(built))
    count = len(y)
    blocks = -(-count // 8)
    gradient = aligned(len(numbers), 8)
    work = aligned((steps + 1) * (INPUTS + 2 * states) + 2 * states, 8)
    losses, plain_losses = aligned(blocks, 8), np.zeros(count)
    plain_gradient = np.zeros(len(numbers))
    lanes_x, lanes_y = aligned(blocks, steps, INPUTS, 8), aligned(blocks, 8)
    lanes_x[:] = x.reshape(blocks, 8, steps, INPUTS).transpose(0, 2, 3, 1)
    lanes_y[:] = y.reshape(-1, 8)

    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def tiled() -> Result:
        gradient[:] = 0.0
        arrays = [pointer(a) for a in (numbers, lanes_x, lanes_y)]
        sizes = [ctypes.c_int64(steps), ctypes.c_int64(blocks)]
        library.run(*arrays, *sizes, *[pointer(a) for a in (gradient, work, losses)])
        return losses.sum() / count, gradient.sum(axis=1) / count

    def plain() -> Result:
        plain_gradient[:] = 0.0
        arrays = [pointer(a) for a in (numbers, x, y)]
        sizes = [ctypes.c_int64(steps), ctypes.c_int64(count)]
        results = [pointer(a) for a in (plain_gradient, work, plain_losses)]
        library.plain(*arrays, *sizes, *results)
        return plain_losses.sum() / count, plain_gradient / count

    return tiled, plain


PEERS = {"NumPy by hand": numpy_by_hand, "JAX": jax_scan, "torch.nn": torch_layer}


def on_jax(kind: str, given: Any, peers: Any) -> dict[str, Callable[[], Result]]:
    """The jax backend, where JAX is installed."""
    return {"jax backend": native(kind, *given, backend="jax")} if "JAX" in peers else {}


def there() -> dict[str, Callable[..., Any]]:
    """The peers that are installed."""
    missing = {"JAX": "jax", "torch.nn": "torch"}
    found = dict(PEERS)
    for peer, package in missing.items():
        try:
            version(package)
        except PackageNotFoundError:
            del found[peer]
            print(f"no {peer}: {package} is not installed")
    if "JAX" in found:
        start_jax_on_one_core()
    return found


def start_jax_on_one_core() -> None:
    """JAX has a thread per core that it sees when it begins, and no flag makes them fewer."""
    import jax

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    jax.block_until_ready(jax.jit(lambda x: x @ x)(np.ones((99, 99))))
    os.sched_setaffinity(0, cores)


# --- measuring -----------------------------------------------------------------------------------


def compare(engines: dict[str, Callable[[], Result]]) -> None:
    """Leave unless all have the result of the first, by 1e-10 of its largest number."""
    first = next(iter(engines.values()))()
    scale = np.abs(first[1]).max()
    for name, run in engines.items():
        loss, slopes = run()
        error = max(abs(loss / first[0] - 1), np.abs(slopes - first[1]).max() / scale)
        if not error < 1e-10:
            sys.exit(f"{name} differs by {error:.1e}")


clock = time.perf_counter


def times_of(engines: dict[str, Callable[[], Result]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, run in engines.items():
            begin = clock()
            run()
            found[name].append(clock() - begin)
    return found


def measure(kind: str, states: int, steps: int, rounds: int, folder: str, peers: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(COUNT, steps, INPUTS)), rng.normal(size=COUNT)
    numbers = parameters_of(kind, states, rng)
    given = (states, numbers, x, y)
    engines: dict[str, Callable[[], Result]] = {}
    if kind == "RNN":
        engines["C, tiled"], plain = in_c(folder, *given)
    engines["native"] = native(kind, *given)
    engines["native, 2 threads"] = native(kind, *given, threads=2)
    if kind == "RNN":
        engines["no groups"] = native("none", *given)
        engines["C, plain loops"] = plain
    engines["numpy backend"] = native(kind, *given, backend="numpy")
    engines |= on_jax(kind, given, peers)
    engines |= {name: make(kind, *given) for name, make in peers.items()}
    compare(engines)
    times = times_of(engines, rounds)
    print(
        f"\n{kind}, {states} states, {steps} steps, {COUNT} sequences; medians of {rounds} rounds"
    )
    print(f"  {'':20} {'ms':>9} {'to C':>7} {'to ours':>8}")
    for name, found in times.items():
        columns = []
        for other in ("C, tiled", "native"):
            pairs = zip(found, times.get(other, ()), strict=False)
            ratios = [a / b for a, b in pairs]
            columns.append(f"{statistics.median(ratios):.2f}" if ratios else "")
        milliseconds = 1000 * statistics.median(found)
        print(f"  {name:20} {milliseconds:9.3f} {columns[0]:>7} {columns[1]:>8}")


def first_calls(rounds: int, peers: Any) -> None:
    """From the first call to the first result, for one sequence; on JAX for the usual number."""
    print("\nfrom the first call to the first result, recording and compiling included, seconds")
    for kind, states in (("RNN", 8), ("RNN", 32), ("RNN", 64), ("LSTM", 16)):
        rng = np.random.default_rng(0)
        numbers = parameters_of(kind, states, rng)
        cold, kept = [], []
        with tempfile.TemporaryDirectory() as cache:
            for _ in range(rounds):
                for found, place in ((cold, "off"), (kept, cache)):
                    os.environ["AUTOGRAD_RNN_CACHE"] = place
                    begin = clock()
                    native(kind, states, numbers, rng.normal(size=(1, 20, INPUTS)), np.ones(1))()
                    found.append(clock() - begin)
        os.environ["AUTOGRAD_RNN_CACHE"] = "off"
        print(
            f"  {kind}, {states} states: {statistics.median(cold):.3f}, "
            f"with code kept on disk {statistics.median(kept[1:]):.3f}"
        )
        if "JAX" not in peers:
            continue
        x, y = rng.normal(size=(COUNT, 20, INPUTS)), rng.normal(size=COUNT)
        on_both = {"jax backend": lambda *given: native(*given, backend="jax"), "JAX": jax_scan}
        for name, make in on_both.items():
            found = []
            for _ in range(rounds):
                begin = time.perf_counter()
                make(kind, states, numbers, x, y)()
                found.append(time.perf_counter() - begin)
            print(f"    {name}: {statistics.median(found):.3f}")


def growth(rounds: int, peers: Any, picture: Path) -> None:
    """Time against steps, sequences and states, one at a time; as a table and a plot."""
    import matplotlib.pyplot as plt

    ranges = {
        "steps": [2, 5, 10, 20, 50, 100, 200, 500, 1000],
        "sequences": [8, 24, 80, 240, 800, 2400, 8000],
        "states": [2, 4, 8, 16, 32, 64, 128, 256, 512],
    }
    usual = {"steps": 50, "sequences": 240, "states": 16}
    print(
        "\nmilliseconds; what does not grow is " + ", ".join(f"{v} {k}" for k, v in usual.items())
    )
    _, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    for axis, (name, sizes) in zip(axes, ranges.items(), strict=True):
        rows: dict[str, list[float]] = {}
        for size in sizes:
            shape = {**usual, name: size}
            rng = np.random.default_rng(0)
            x = rng.normal(size=(shape["sequences"], shape["steps"], INPUTS))
            y = rng.normal(size=shape["sequences"])
            given = (shape["states"], parameters_of("RNN", shape["states"], rng), x, y)
            engines = {"native": native("RNN", *given), **on_jax("RNN", given, peers)}
            engines |= {peer: make("RNN", *given) for peer, make in peers.items()}
            compare(engines)
            for engine, found in times_of(engines, rounds).items():
                rows.setdefault(engine, []).append(1000 * statistics.median(found))
        print(f"  {name:14}" + "".join([f"{size:>10}" for size in sizes]))
        for engine, found in rows.items():
            print(f"  {engine:14}" + "".join([f"{time:10.3f}" for time in found]))
            axis.loglog(sizes, found, marker="o", markersize=3, label=engine)
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(frameon=False)
    plt.savefig(picture, metadata={"Date": None})
    print(f"plotted to {picture}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=21)
    options.add_argument("--cpu", action="store_true", help="CPU time instead of elapsed time")
    options.add_argument("--growth", action="store_true", help="how time grows, on a plot")
    chosen = options.parse_args()
    global clock
    clock = time.process_time if chosen.cpu else time.perf_counter
    found = there()
    packages = [
        "autograd-rnn",
        "numpy",
        *["jax"] * ("JAX" in found),
        *["torch"] * ("torch.nn" in found),
    ]
    print(
        f"{', '.join([f'{package} {version(package)}' for package in packages])}, "
        f"llvmlite {llvmlite.__version__}, CPython {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} CPUs; {'CPU' if chosen.cpu else 'elapsed'} time"
    )
    if chosen.growth:
        growth(chosen.rounds, found, Path(__file__).with_name("replay.svg"))
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind, states, steps in (("RNN", 8, 20), ("RNN", 32, 100), ("LSTM", 16, 50)):
            measure(kind, states, steps, chosen.rounds, folder, found)
    first_calls(5, found)


if __name__ == "__main__":
    main()
