"""Training a character model, beside the loop that is well known.

An RNN with a readout learns every next letter of texts of 79 letters, several side by side, in
windows of 25 from the state that the window before left, by Adagrad with gradients clipped to 5, in
float64, on one thread. The loop has a matrix product per letter, forward and back, for all streams
at once; letters pick columns of its weights, and the gradient is added to these. Ours is native
code, with symbols as inputs:

- `run`: by hand, the weights in an array: `prepare_windows` of a batch of the whole texts, `run`
  with the state, `updated` of an optimiser;
- `lists`: by hand, from lists of letters: `loss_and_gradients` with the state, and `step` of an
  optimiser;
- `arrays`: the same, but for gradients, which `run` gives as an array in place of a list;
- `fit` with `streams=True` and `truncate=25`, without its start, which is stated.

torch, if it is installed, has one-hot vectors in its RNN, as its users do. The columns are
microseconds per window, and in brackets how many times as fast as the loop. Weights after some
windows are compared before anything is timed; all alternate in rounds, and a ratio is the median
over the rounds.
"""

import argparse
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

# One thread; this has to be said before NumPy is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from autograd_rnn import Adagrad, Stack, fit, to_torch  # noqa: E402

LETTERS, STEPS, RATE, CLIP, EPS = 79, 25, 0.01, 5.0, 1e-10
WINDOWS = 40
# Epochs of `fit` by which its start is told from the rest.
MORE = 10


def network(states: int) -> Stack:
    return Stack.random("RNN", states=states, inputs=LETTERS, outputs=LETTERS, seed=1)


def optimiser() -> Adagrad:
    return Adagrad(RATE, EPS, clip_value=CLIP)


# --- ways of training, each of which gives the weights after each window -------------------------


def loop(states: int, texts: Any) -> Iterator[Any]:
    """NumPy, by hand."""
    cell, readout = [
        np.array([[weight.data for weight in row] for row in layer.weights])
        for layer in network(states).layers
    ]
    streams = len(texts)
    wh, wx, wy = cell[1 : 1 + states].T.copy(), cell[1 + states :].T.copy(), readout[1:].T.copy()
    bh, by = cell[0][:, None].copy(), readout[0][:, None].copy()
    weights = (wx, wh, wy, bh, by)
    squares = [np.zeros_like(one) for one in weights]
    who, scale = np.arange(streams), 1.0 / (STEPS * streams)
    while True:
        h = np.zeros((states, streams))
        for start in range(0, texts.shape[1] - STEPS, STEPS):
            letters = texts[:, start : start + STEPS + 1].T
            hs, shares, loss = [h], [], 0.0
            for t in range(STEPS):
                h = np.tanh(wx[:, letters[t]] + wh @ h + bh)
                share = np.exp(wy @ h + by)
                share /= share.sum(axis=0)
                loss -= np.log(share[letters[t + 1], who]).sum()
                hs.append(h), shares.append(share)
            slopes = [np.zeros_like(one) for one in weights]
            dwx, dwh, dwy, dbh, dby = slopes
            back = np.zeros_like(h)
            for t in reversed(range(STEPS)):
                dy = shares[t]
                dy[letters[t + 1], who] -= 1.0
                dwy += dy @ hs[t + 1].T
                dby += dy.sum(axis=1, keepdims=True)
                d = (wy.T @ dy + back) * (1.0 - hs[t + 1] * hs[t + 1])
                dbh += d.sum(axis=1, keepdims=True)
                dwh += d @ hs[t].T
                if streams == 1:
                    dwx[:, letters[t]] += d
                else:
                    np.add.at(dwx.T, letters[t], d.T)
                back = wh.T @ d
            for one, slope, square in zip(weights, slopes, squares, strict=True):
                slope *= scale
                np.clip(slope, -CLIP, CLIP, out=slope)
                square += slope * slope
                one -= RATE * slope / (np.sqrt(square) + EPS)
            loss *= scale
            yield lambda: np.concatenate(
                [bh.T.ravel(), wh.T.ravel(), wx.T.ravel(), by.T.ravel(), wy.T.ravel()]
            )


def by_run(states: int, texts: Any) -> Iterator[Any]:
    compiled = network(states).compile("cross_entropy", at="every", backend="native")
    data, adagrad = compiled.prepare([*texts[:, :-1]], [*texts[:, 1:]]), optimiser()
    numbers = compiled.objective.numbers
    while True:
        state = None
        for _, batch in compiled.prepare_windows(data, STEPS):
            found = compiled.run(batch, numbers, state=state, return_state=True)
            numbers, state = adagrad.updated(numbers, found.gradient), found.states
            yield partial(np.array, numbers)


def by_lists(states: int, texts: Any, arrays: bool = False) -> Iterator[Any]:
    model, listed, adagrad = network(states), texts.tolist(), optimiser()
    compiled = model.compile("cross_entropy", at="every", backend="native")
    weights = model.parameters()
    while True:
        state: Any = None
        for start in range(0, texts.shape[1] - STEPS, STEPS):
            xs = [text[start : start + STEPS] for text in listed]
            ys = [text[start + 1 : start + STEPS + 1] for text in listed]
            slopes: Any
            if arrays:
                found = compiled.run(compiled.prepare(xs, ys), state=state, return_state=True)
                slopes, state = found.gradient, found.states
            else:
                _, slopes, state = compiled.loss_and_gradients(
                    xs, ys, state=state, return_state=True
                )
            adagrad.step(weights, slopes)
            yield lambda: [weight.data for weight in weights]


def by_fit(states: int, texts: Any, epochs: int) -> list[float]:
    """The weights after so many epochs."""
    model = network(states)
    fit(
        *(model, ([*texts[:, :-1]], [*texts[:, 1:]])),
        **{"loss": "cross_entropy", "optimiser": optimiser(), "epochs": epochs},
        **{"batch_size": len(texts), "at": "every", "engine": "native", "progress": False},
        **{"truncate": STEPS, "streams": True},
    )
    return [weight.data for weight in model.parameters()]


def by_torch(states: int, texts: Any) -> Iterator[Any]:
    import torch

    torch.set_num_threads(1)
    recurrent, readout = network(states).layers
    layer = torch.nn.RNN(LETTERS, states, batch_first=True).double()
    layer.load_state_dict(to_torch(recurrent))
    linear = torch.nn.Linear(states, LETTERS).double()
    linear.load_state_dict(to_torch(readout))
    weights = [*layer.parameters(), *linear.parameters()]
    adagrad = torch.optim.Adagrad(weights, RATE, eps=EPS)
    loss, letters = torch.nn.CrossEntropyLoss(), torch.tensor(texts)
    while True:
        state = None
        for start in range(0, texts.shape[1] - STEPS, STEPS):
            xs = torch.nn.functional.one_hot(letters[:, start : start + STEPS], LETTERS).double()
            hidden, state = layer(xs, state)
            outputs = linear(hidden).flatten(0, 1)
            adagrad.zero_grad()
            loss(outputs, letters[:, start + 1 : start + STEPS + 1].flatten()).backward()
            torch.nn.utils.clip_grad_value_(weights, CLIP)
            adagrad.step()
            state = state.detach()
            yield lambda: None


# --- all of them ---------------------------------------------------------------------------------


def compare(states: int, streams: int, rounds: int, clock: Callable[[], float]) -> str:
    """The row of the table for a model of so many states."""
    chance = np.random.default_rng(0)
    texts = chance.integers(0, LETTERS, (streams, WINDOWS * STEPS + 1))
    ways = {"loop": loop, "run": by_run, "lists": by_lists}
    ways["arrays"] = partial(by_lists, arrays=True)
    if importlib.util.find_spec("torch"):
        ways["torch"] = by_torch
    going = {name: way(states, texts) for name, way in ways.items()}
    after: dict[str, Any] = {}
    for name, way in going.items():
        for _ in range(WINDOWS):
            weights = next(way)
        after[name] = weights()
    after["fit"] = by_fit(states, texts, 1)
    for name in ("run", "lists", "arrays", "fit"):
        np.testing.assert_allclose(after[name], after["loop"], rtol=1e-7, atol=1e-9)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, way in going.items():
            start = clock()
            for _ in range(WINDOWS):
                next(way)
            times.setdefault(name, []).append((clock() - start) / WINDOWS * 1e6)
        seconds = []
        for epochs in (1, 1 + MORE):
            start = clock()
            by_fit(states, texts, epochs)
            seconds.append(clock() - start)
        times.setdefault("fit", []).append((seconds[1] - seconds[0]) / WINDOWS / MORE * 1e6)
        once = 1e-6 * times["fit"][-1] * WINDOWS
        times.setdefault("start", []).append(seconds[0] - once)
    shown = []
    for name in ("run", "lists", "arrays", "fit", *(["torch"] if "torch" in times else [])):
        pairs = zip(times["loop"], times[name], strict=True)
        ratio = statistics.median([theirs / own for theirs, own in pairs])
        shown.append(f"{statistics.median(times[name]):.0f} ({ratio:.1f})")
    shown.append(f"{statistics.median(times['start']):.1f} s")
    return (
        f"| {states} | {streams} | {statistics.median(times['loop']):.0f} | {' | '.join(shown)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cpu", action="store_true", help="time of the processor, not of the wall")
    parser.add_argument("--states", type=int, nargs="*", default=(32, 100))
    parser.add_argument("--streams", type=int, nargs="*", default=(1, 8))
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    print(f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}\n")
    columns = [
        "states",
        "streams",
        "loop, us per window",
        "run (times as fast)",
        "lists",
        "arrays",
        "fit",
    ]
    columns += ["torch"] * (importlib.util.find_spec("torch") is not None) + ["start of fit"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for states in arguments.states:
        for streams in arguments.streams:
            print(compare(states, streams, arguments.rounds, clock), flush=True)


if __name__ == "__main__":
    main()
