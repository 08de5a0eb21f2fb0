"""The numpy backend beside loops written by hand with NumPy: `python benchmarks/by_hand.py`.

A layer with a readout of the last step, the binary cross entropy of a batch of 32 sequences of one
length, and its whole gradient, in float64 on one thread. The loops have one matrix product per
step, with all gates as one block, and sum up the gradients of the weights at the end, one product
each.
Results are compared before anything is timed; both alternate in rounds, and a ratio is the median
over the rounds.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

# One thread; this has to be said before NumPy is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from autograd_rnn import Stack  # noqa: E402

COUNT, INPUTS = 32, 4
Result = tuple[float, np.ndarray]


def sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def close(h: Any, targets: Any, readout: Any) -> tuple[float, Any, Any]:
    """The loss of the readout of h, and its slopes with respect to h and the readout."""
    z = h @ readout[1:, 0] + readout[0, 0]
    loss = (np.maximum(z, 0.0) - targets * z + np.log1p(np.exp(-np.abs(z)))).mean()
    d = (sigmoid(z) - targets) / len(z)
    return loss, d[:, None] * readout[1:, 0], np.concatenate([[d.sum()], h.T @ d])


def rnn(weights: Any, readout: Any, xs: Any, targets: Any) -> Result:
    """Rows of weights [1; Q; X], a column per state."""
    states, steps = weights.shape[1], len(xs)
    recurrent = weights[1 : 1 + states]
    driven = xs @ weights[1 + states :] + weights[0]
    hs = np.zeros((steps + 1, COUNT, states))
    for t in range(steps):
        np.tanh(driven[t] + hs[t] @ recurrent, out=hs[t + 1])
    loss, d, of_readout = close(hs[-1], targets, readout)
    slopes, ds = 1.0 - hs[1:] * hs[1:], np.empty((steps, COUNT, states))
    for t in range(steps - 1, -1, -1):
        np.multiply(d, slopes[t], out=ds[t])
        d = ds[t] @ recurrent.T
    return loss, np.concatenate([gradient(hs[:-1], xs, ds).ravel(), of_readout])


def gradient(hs: Any, xs: Any, ds: Any) -> Any:
    """The gradient of the weights in rows [1; H; X], from all steps at once."""
    flat = ds.reshape(-1, ds.shape[-1])
    parts = [hs.reshape(-1, hs.shape[-1]).T @ flat, xs.reshape(-1, INPUTS).T @ flat]
    return np.concatenate([flat.sum(axis=0)[None], *parts])


def lstm(weights: Any, readout: Any, xs: Any, targets: Any) -> Result:
    """Gates i, f, g, o."""
    states, steps = weights.shape[1] // 4, len(xs)
    i, f, g, o = [slice(k * states, (k + 1) * states) for k in range(4)]
    recurrent = weights[1 : 1 + states]
    driven = xs @ weights[1 + states :] + weights[0]
    hs, cs = np.zeros((2, steps + 1, COUNT, states))
    gates, tanhs = np.empty((steps, COUNT, 4 * states)), np.empty((steps, COUNT, states))
    for t in range(steps):
        z, gate = driven[t] + hs[t] @ recurrent, gates[t]
        gate[:] = sigmoid(z)
        np.tanh(z[:, g], out=gate[:, g])
        np.add(gate[:, f] * cs[t], gate[:, i] * gate[:, g], out=cs[t + 1])
        np.tanh(cs[t + 1], out=tanhs[t])
        np.multiply(gate[:, o], tanhs[t], out=hs[t + 1])
    loss, dh, of_readout = close(hs[-1], targets, readout)
    slopes = gates * (1.0 - gates)
    slopes[..., g] = 1.0 - gates[..., g] * gates[..., g]
    by_c = gates[..., o] * (1.0 - tanhs * tanhs)
    ds, dc = np.empty((steps, COUNT, 4 * states)), 0.0
    for t in range(steps - 1, -1, -1):
        gate, d = gates[t], ds[t]
        dc = dc + dh * by_c[t]
        np.multiply(dc, gate[:, g], out=d[:, i])
        np.multiply(dc, cs[t], out=d[:, f])
        np.multiply(dc, gate[:, i], out=d[:, g])
        np.multiply(dh, tanhs[t], out=d[:, o])
        d *= slopes[t]
        dc = dc * gate[:, f]
        dh = d @ recurrent.T
    return loss, np.concatenate([gradient(hs[:-1], xs, ds).ravel(), of_readout])


def gru(weights: Any, offset: Any, readout: Any, xs: Any, targets: Any) -> Result:
    """Gates r, z, n; n has an offset over H of its own."""
    states, steps = weights.shape[1] // 3, len(xs)
    both, n = slice(0, 2 * states), slice(2 * states, 3 * states)
    r, z = slice(0, states), slice(states, 2 * states)
    recurrent = weights[1 : 1 + states]
    driven = xs @ weights[1 + states :] + weights[0]
    hs = np.zeros((steps + 1, COUNT, states))
    gates, ms = np.empty((steps, COUNT, 3 * states)), np.empty((steps, COUNT, states))
    for t in range(steps):
        sums, gate = hs[t] @ recurrent, gates[t]
        gate[:, both] = sigmoid(driven[t][:, both] + sums[:, both])
        np.add(sums[:, n], offset, out=ms[t])
        np.tanh(driven[t][:, n] + gate[:, r] * ms[t], out=gate[:, n])
        hs[t + 1] = (1.0 - gate[:, z]) * gate[:, n] + gate[:, z] * hs[t]
    loss, dh, of_readout = close(hs[-1], targets, readout)
    by_n = (1.0 - gates[..., z]) * (1.0 - gates[..., n] * gates[..., n])
    by_r = ms * gates[..., r] * (1.0 - gates[..., r])
    by_z = (hs[:-1] - gates[..., n]) * gates[..., z] * (1.0 - gates[..., z])
    # Of the sums over X, and of those over H.
    ds, es = np.empty((2, steps, COUNT, 3 * states))
    for t in range(steps - 1, -1, -1):
        d, e = ds[t], es[t]
        np.multiply(dh, by_n[t], out=d[:, n])
        np.multiply(d[:, n], by_r[t], out=e[:, r])
        np.multiply(dh, by_z[t], out=e[:, z])
        np.multiply(d[:, n], gates[t][:, r], out=e[:, n])
        dh = dh * gates[t][:, z] + e @ recurrent.T
    ds[..., both] = es[..., both]
    flat, flat_e = ds.reshape(-1, 3 * states), es.reshape(-1, 3 * states)
    of_weights = np.concatenate(
        [
            flat.sum(axis=0)[None],
            hs[:-1].reshape(-1, states).T @ flat_e,
            xs.reshape(-1, INPUTS).T @ flat,
        ]
    )
    of_offset = flat_e[:, n].sum(axis=0)
    return loss, np.concatenate([of_weights.ravel(), of_offset, of_readout])


def measure(kind: str, states: int, steps: int, rounds: int, now: Callable[[], float]) -> None:
    chance = np.random.default_rng(0)
    model = Stack.random(kind, states=states, inputs=INPUTS, outputs=1, seed=1)
    x = chance.normal(size=(COUNT, steps, INPUTS))
    targets = chance.integers(0, 2, COUNT).astype(float)
    compiled = model.compile("binary_cross_entropy", backend="numpy")
    batch = compiled.prepare(x, targets)
    numbers = np.array([weight.data for weight in model.parameters()])
    below = model.layers[0]
    rows, columns = len(below.weights), len(below.weights[0])
    ends = np.cumsum([rows * columns, states if kind == "GRU" else 0])
    weights = numbers[: ends[0]].reshape(rows, columns)
    others = [numbers[ends[0] : ends[1]]] if kind == "GRU" else []
    out = numbers[ends[1] :].reshape(-1, 1)
    xs = np.ascontiguousarray(x.transpose(1, 0, 2))
    loop = {"RNN": rnn, "LSTM": lstm, "GRU": gru}[kind]

    def by_hand() -> Result:
        return loop(weights, *others, out, xs, targets)

    def ours() -> Result:
        found = compiled.run(batch, numbers)
        return found.loss, found.gradient

    expected, found = by_hand(), ours()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-11)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-12)
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for run, spent in zip((by_hand, ours), times, strict=True):
            start = now()
            for _ in range(20):
                run()
            spent.append((now() - start) / 20 * 1e6)
    ratio = statistics.median([b / a for a, b in zip(*times, strict=True)])
    by_hand_time, our_time = map(statistics.median, times)
    cells = (f"{kind} {states}", steps, f"{by_hand_time:.0f}", f"{our_time:.0f}", f"{ratio:.2f}")
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--cpu", action="store_true", help="count CPU time")
    options = parser.parse_args()
    print(f"{platform.machine()}, CPython {platform.python_version()}, NumPy {np.__version__}")
    print(
        "| layer | steps | by hand, microseconds | numpy backend | ratio |\n|---|---|---|---|---|"
    )
    now = time.process_time if options.cpu else time.perf_counter
    for steps in (10, 50):
        for kind, states in (("RNN", 8), ("RNN", 32), ("GRU", 16), ("LSTM", 16), ("LSTM", 32)):
            measure(kind, states, steps, options.rounds, now)


if __name__ == "__main__":
    main()
