"""The jax backend beside JAX written by hand: `python benchmarks/jax_by_hand.py`.

A layer with a readout of the last step, the squared error of sequences of one length, and the whole
gradient, in float64 on one core.  By hand it is a `lax.scan` over time with all sequences side by
side, one product of matrices per step for all gates, `value_and_grad` and `jit`.  Results are
compared before anything is timed; both alternate in rounds, and a ratio is the median over the
rounds.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "true"
# JAX has a thread per core that it sees when it begins.
CORES = os.sched_getaffinity(0)
os.sched_setaffinity(0, {min(CORES)})

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from autograd_rnn import Stack  # noqa: E402

jax.block_until_ready(jax.jit(lambda x: x @ x)(np.ones((99, 99))))
os.sched_setaffinity(0, CORES)

INPUTS = 4
Step = Callable[[Any, Any, Any], Any]


def rnn(states: Any, driven: Any, recurrent: Any) -> Any:
    (h,) = states
    return (jnp.tanh(driven + h @ recurrent),)


def lstm(states: Any, driven: Any, recurrent: Any) -> Any:
    """Gates i, f, g, o."""
    h, c = states
    i, f, g, o = jnp.split(driven + h @ recurrent, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(states: Any, driven: Any, recurrent: Any, offset: Any) -> Any:
    """Gates r, z, n; n has an offset over H of its own."""
    (h,) = states
    r, z, n = jnp.split(driven, 3, axis=1)
    of_r, of_z, of_n = jnp.split(h @ recurrent, 3, axis=1)
    z = jax.nn.sigmoid(z + of_z)
    n = jnp.tanh(n + jax.nn.sigmoid(r + of_r) * (of_n + offset))
    return ((1.0 - z) * n + z * h,)


LAYERS: dict[str, tuple[Step, int, int]] = {
    "RNN": (rnn, 1, 1),
    "LSTM": (lstm, 4, 2),
    "GRU": (gru, 3, 1),
}


def by_hand(kind: str, states: int) -> Any:
    """The loss and the gradient as a function of the numbers, the inputs and the targets."""
    step, gates, parts = LAYERS[kind]
    rows, columns = 1 + states + INPUTS, gates * states

    def loss(numbers: Any, xs: Any, targets: Any) -> Any:
        weights = numbers[: rows * columns].reshape(rows, columns)
        rest = numbers[rows * columns :]
        offsets = [rest[:states]] if kind == "GRU" else []
        out = rest[len(offsets) * states :]
        driven = xs @ weights[1 + states :] + weights[0]

        def body(carry: Any, now: Any) -> Any:
            return step(carry, now, weights[1 : 1 + states], *offsets), None

        zeros = jnp.zeros((xs.shape[1], states))
        (h, *_), _ = jax.lax.scan(body, (zeros,) * parts, driven)
        return ((h @ out[1:] + out[0] - targets) ** 2).mean()

    return jax.jit(jax.value_and_grad(loss))


def measure(kind: str, states: int, steps: int, count: int, rounds: int, now: Any) -> None:
    chance = np.random.default_rng(0)
    model = Stack.random(kind, states=states, inputs=INPUTS, outputs=1, seed=1)
    x, targets = chance.normal(size=(count, steps, INPUTS)), chance.normal(size=count)
    compiled = model.compile("squared_error", backend="jax")
    batch = compiled.prepare(x, targets)
    numbers = np.array([weight.data for weight in model.parameters()])
    function, xs = by_hand(kind, states), jnp.asarray(x.transpose(1, 0, 2))
    goals = jnp.asarray(targets)

    def hand() -> Any:
        loss, gradient = function(numbers, xs, goals)
        return float(loss), np.asarray(gradient)

    def ours() -> Any:
        found = compiled.run(batch, numbers)
        return found.loss, found.gradient

    expected, found = hand(), ours()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-11)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-12)
    times: list[list[float]] = [[], []]
    begin, repeats = time.perf_counter(), 1
    hand()
    repeats = max(1, int(0.02 / (time.perf_counter() - begin)))
    for _ in range(rounds):
        for run, spent in zip((hand, ours), times, strict=True):
            start = now()
            for _ in range(repeats):
                run()
            spent.append((now() - start) / repeats * 1e6)
    ratio = statistics.median([b / a for a, b in zip(*times, strict=True)])
    of_hand, of_ours = map(statistics.median, times)
    cells = (f"{kind} {states}", steps, count, f"{of_hand:.0f}", f"{of_ours:.0f}", f"{ratio:.2f}")
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="count CPU time")
    options = parser.parse_args()
    print(f"{platform.machine()}, CPython {platform.python_version()}, JAX {jax.__version__}")
    print("| layer | steps | sequences | by hand, microseconds | jax backend | ratio |")
    print("|---|---|---|---|---|---|")
    now = time.process_time if options.cpu else time.perf_counter
    for steps, count in ((20, 32), (50, 240)):
        for kind, states in (("RNN", 8), ("RNN", 32), ("GRU", 16), ("LSTM", 16)):
            measure(kind, states, steps, count, options.rounds, now)


if __name__ == "__main__":
    main()
