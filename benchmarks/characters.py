"""Steps of a character model beside the loop that is well known: `python benchmarks/characters.py`.

A chunk of 25 letters of 79, as one-hot vectors, from the state that the chunk before left: the loss
of every next letter and the whole gradient, by an RNN with a readout, in float64 on one thread. The
loop has a matrix product per letter, forward and back, for all streams at once. Ours is native
code, called with `state=` and `return_state=True`: `run` of a prepared batch, which gives arrays,
and `loss_and_gradients` of arrays that are checked and packed in the same time, and gives lists.

Loss and gradient are compared before anything is timed; all alternate in rounds, and a ratio is the
median over the rounds.
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

LETTERS, STEPS = 79, 25


def loop(cell: Any, readout: Any, letters: Any, h: Any) -> tuple[float, Any]:
    """The mean loss of letters, steps by streams, and its gradient; weights in rows [1; Q; X]."""
    states, streams = cell.shape[1], letters.shape[1]
    of_q, of_x, out = cell[1 : 1 + states].T, cell[1 + states :].T, readout[1:].T
    who, scale = np.arange(streams), 1.0 / (STEPS * streams)
    xs, hs, shares, loss = [], [h], [], 0.0
    for t in range(STEPS):
        x = np.zeros((LETTERS, streams))
        x[letters[t], who] = 1.0
        h = np.tanh(of_x @ x + of_q @ h + cell[0][:, None])
        share = np.exp(out @ h + readout[0][:, None])
        share /= share.sum(axis=0)
        loss -= np.log(share[letters[t + 1], who]).sum()
        xs.append(x), hs.append(h), shares.append(share)
    d_cell, d_readout, back = np.zeros_like(cell), np.zeros_like(readout), np.zeros_like(h)
    for t in reversed(range(STEPS)):
        dy = shares[t]
        dy[letters[t + 1], who] -= 1.0
        d_readout[1:] += hs[t + 1] @ dy.T
        d_readout[0] += dy.sum(axis=1)
        d = (out.T @ dy + back) * (1.0 - hs[t + 1] * hs[t + 1])
        d_cell[0] += d.sum(axis=1)
        d_cell[1 : 1 + states] += hs[t] @ d.T
        d_cell[1 + states :] += xs[t] @ d.T
        back = of_q.T @ d
    return loss * scale, scale * np.concatenate([d_cell.ravel(), d_readout.ravel()])


def compare(states: int, streams: int, rounds: int, clock: Callable[[], float]) -> str:
    """The row of the table for a model of so many states."""
    chance = np.random.default_rng(0)
    model = Stack.random("RNN", states=states, inputs=LETTERS, outputs=LETTERS, seed=1)
    compiled = model.compile("cross_entropy", at="every", backend="native")
    cell, readout = [
        np.array([[weight.data for weight in row] for row in layer.weights])
        for layer in model.layers
    ]
    letters = chance.integers(0, LETTERS, (STEPS + 1, streams))
    xs, ys = [*np.eye(LETTERS)[letters[:-1].T]], [*letters[1:].T]
    state = chance.normal(size=(streams, states))
    batch, numbers = compiled.prepare(xs, ys), np.concatenate([cell.ravel(), readout.ravel()])
    given: Any = {"state": state, "return_state": True}
    ways: list[Callable[[], Any]] = [
        lambda: loop(cell, readout, letters, state.T),
        lambda: compiled.run(batch, numbers, **given),
        lambda: compiled.loss_and_gradients(xs, ys, **given),
    ]
    (loss, gradient), *others = [way() for way in ways]
    for found in others:
        np.testing.assert_allclose(found[0], loss, rtol=1e-12)
        np.testing.assert_allclose(found[1], gradient, rtol=1e-9, atol=1e-13)
    times: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for way, own in zip(ways, times, strict=True):
            start = clock()
            for _ in range(20):
                way()
            own.append((clock() - start) / 20 * 1e6)
    theirs, *ours = [statistics.median(own) for own in times]
    ratios = [
        statistics.median(a / b for a, b in zip(times[0], own, strict=True)) for own in times[1:]
    ]
    shown = [f"{time:.0f} ({ratio:.1f})" for time, ratio in zip(ours, ratios, strict=True)]
    return f"| {states} | {streams} | {theirs:.0f} | {' | '.join(shown)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="time of the processor, not of the wall")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    print(f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}\n")
    print("| states | streams | loop, us per chunk | run (times as fast) | loss_and_gradients |")
    print("|---|---|---|---|---|")
    for states in (32, 100):
        for streams in (1, 8):
            print(compare(states, streams, arguments.rounds, clock), flush=True)


if __name__ == "__main__":
    main()
