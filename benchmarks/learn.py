"""What the networks learn, and on which lengths it holds: `python benchmarks/learn.py`.

Every number is a mean over seeds, with the smallest and the largest. A seed decides the first
weights, the strings that are drawn and their order. Nothing is chosen by a test; what is chosen by
validation, and from how many, is printed with the protocol.
"""

import argparse
import datetime
import math
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from autograd_rnn import (
    RNN,
    SGD,
    Adam,
    Dataset,
    Language,
    Linear,
    Stack,
    counter,
    counting_ones,
    dna_family,
    fit,
    one_hot,
    parity,
    promoters,
    read_fasta,
    tomita,
    windows,
)

DATA = Path(os.environ.get("AUTOGRAD_RNN_DATA", Path(__file__).parents[2] / "shared" / "data"))
LOSS = "binary_cross_entropy"
Stage = tuple[float, int]  # a learning rate of Adam, and so many epochs
Accuracies = dict[str, float]
# Trainings per seed, until one has a lower validation loss than this.
MOST_TRIALS, GOOD_LOSS = 8, 0.01


# --- what all parts share ------------------------------------------------------------------------


def learn(model: Any, data: Dataset, stages: Iterable[Stage], seed: int, batch: int = 32) -> None:
    """Train by Adam, gradients clipped to norm 1, one learning rate after the other."""
    for place, (rate, epochs) in enumerate(stages):
        optimiser = Adam(rate, clip_norm=1.0)
        fit(
            *(model, data),
            **{"loss": LOSS, "optimiser": optimiser, "epochs": epochs, "batch_size": batch},
            **{"seed": 100 * seed + place, "progress": False},
        )


def best_of(train: Callable[[int], Any], validation: Dataset, seed: int) -> tuple[Any, int]:
    """The network of the lowest validation loss, and how many trainings it took."""
    best: tuple[float, Any] | None = None
    for trial in range(MOST_TRIALS):
        model = train(MOST_TRIALS * seed + trial)
        loss = loss_of(model, validation)
        if best is None or loss < best[0]:
            best = loss, model
        if loss < GOOD_LOSS:
            break
    assert best is not None
    return best[1], trial + 1


def accuracy(model: Any, data: Dataset) -> float:
    logits = model.compile(LOSS).predict(data.sequences)
    hits = [(z > 0) == (goal == 1.0) for z, goal in zip(logits, data.targets, strict=True)]
    return statistics.fmean(hits)


def loss_of(model: Any, data: Dataset) -> float:
    loss: float = model.compile(LOSS).loss_and_gradients(data.sequences, data.targets)[0]
    return loss


def majority(data: Dataset) -> float:
    ones = data.targets.count(1.0)
    return max(ones, len(data) - ones) / len(data)


def spread(numbers: Sequence[float], form: str = "{:.1f}", scale: float = 100.0) -> str:
    """The mean, and the smallest and largest where they differ from it."""
    mean, *ends = [
        form.format(scale * one) for one in (statistics.fmean(numbers), min(numbers), max(numbers))
    ]
    return mean if set(ends) == {mean} else f"{mean} ({ends[0]}..{ends[1]})"


def show(rows: Sequence[Accuracies], *, target: float | None = 0.99) -> bool:
    """Print the accuracies by name in per cent; whether each mean reaches the target."""
    reached = True
    for name in rows[0]:
        numbers = [row[name] for row in rows]
        short = (
            target is not None and not name.startswith("(") and statistics.fmean(numbers) < target
        )
        reached &= not short
        print(f"    {name:<34} {spread(numbers)}{'   SHORT OF THE TARGET' if short else ''}")
    return reached


def over_seeds(work: Callable[[int], Any], options: argparse.Namespace) -> list[Any]:
    seeds = range(options.seeds)
    if options.jobs == 1:
        return list(map(work, seeds))
    with ProcessPoolExecutor(options.jobs) as pool:
        return list(pool.map(work, seeds))


# --- 3 or more G ---------------------------------------------------------------------------------

FAMILY_STAGES: tuple[Stage, ...] = ((0.02, 40), (0.005, 20))
FAMILY_STATES, FAMILY_STRINGS = 3, 4000
LENGTHS = (12, 20, 40, 57)
FAMILY_CHOSEN_BY = (16, 28, 48)


def borderline(seed: int) -> Dataset:
    """Strings with 0, 1, 2, 3, and 4 or more G, as many of each: it is at 2 and 3 that it shows."""
    rows = [[min(count + (base == "G"), 4) for base in "ACGT"] for count in range(5)]
    counts = Language("the number of G, up to 4", "ACGT", rows, range(5))
    return dna_family().label(counts.sample(400, FAMILY_CHOSEN_BY, seed=seed).symbols)


def family_network(seed: int, stages: Iterable[Stage]) -> tuple[Any, int, Dataset]:
    data = dna_family().sample(FAMILY_STRINGS, range(6, 13), seed=seed)

    def train(first: int) -> Any:
        model = Stack.random("RNN", FAMILY_STATES, 4, 1, seed=first)
        learn(model, data, stages, first)
        return model

    return *best_of(train, borderline(2000 + seed), seed), data


def genome_windows(size: int) -> Dataset | None:
    path = DATA / "human_mt.fa"
    if not path.is_file():
        return None
    (record,) = read_fasta(path)
    return dna_family().label(windows(record.sequence, size))


def family_accuracies(seed: int, stages: Iterable[Stage]) -> tuple[Accuracies, int, list[float]]:
    model, trials, data = family_network(seed, stages)
    unlearned = Stack.random("RNN", FAMILY_STATES, 4, 1, seed=seed)
    found = {"training": accuracy(model, data)}
    for length in LENGTHS:
        drawn = dna_family().sample(2000, [length], seed=1000 + seed)
        found[f"length {length}"] = accuracy(model, drawn)
    for length in LENGTHS:
        real = genome_windows(length)
        if real is not None:
            name = f"mitochondrion, {len(real)} of {length}"
            found[name] = accuracy(model, real)
            found[f"(majority, {length})"] = majority(real)
    found["(random weights, length 20)"] = accuracy(
        unlearned, dna_family().sample(2000, [20], seed=1000 + seed)
    )
    return found, trials, [parameter.data for parameter in model.parameters()]


def family(options: argparse.Namespace) -> bool:
    stages = ((0.02, 2),) if options.quick else FAMILY_STAGES
    print(
        f"""
3 or more G. An RNN of {FAMILY_STATES} tanh states, as many as the lecture's, with a readout learns
  from {FAMILY_STRINGS} random strings of 6 to 12 letters, as many inside as outside; learning rates
  and epochs {stages}, batches of 32. Up to {MOST_TRIALS} trainings per seed,
  until the loss on 400 strings of the lengths {FAMILY_CHOSEN_BY}, with 0, 1, 2, 3, and 4 or
  more G, is below {GOOD_LOSS}; the lowest is taken. Tests: 2000 random strings of each length, half
  of them inside, and windows of the human mitochondrion. Per cent right:"""
    )
    found = over_seeds(partial(family_accuracies, stages=stages), options)
    if genome_windows(12) is None:
        print(f"    (no {DATA / 'human_mt.fa'}: set AUTOGRAD_RNN_DATA for windows of a genome)")
    print(f"    trainings per seed: {', '.join(str(trials) for _, trials, _ in found)}")
    reached = show([row for row, _, _ in found])
    model = Stack.random("RNN", FAMILY_STATES, 4, 1)
    for parameter, number in zip(model.parameters(), found[0][2], strict=True):
        parameter.data = number
    print_machine(model)
    return reached


RADIUS = 0.3
Point = tuple[int, int, Any]  # a cluster, the G so far, and the step that led there


def clustered(model: Any, texts: Iterable[str]) -> list[list[Point]]:
    """The runs over the texts by clusters of states, from 0, the state before the first letter.

    A state belongs to the nearest centre within the radius, else it is a new one.
    """
    centres: list[list[float]] = []
    runs = []
    for text in texts:
        run: list[Point] = [(0, 0, None)]
        for letter, step in zip(text, model.unroll(one_hot(text)).steps, strict=True):
            state = [q.data for q in step.layers[0].q]
            near = min([(math.dist(state, one), k) for k, one in enumerate(centres)], default=None)
            if near is None or near[0] > RADIUS:
                near = (0.0, len(centres))
                centres.append(state)
            run.append((near[1] + 1, min(run[-1][1] + (letter == "G"), 3), step))
        runs.append(run)
    return runs


def print_machine(model: Any) -> None:
    """The machine that a network has become: its states in clusters, and where a base leads."""
    rnn, texts = model.layers[0], dna_family().sample(400, LENGTHS, seed=7).symbols
    counts: dict[int, Counter[str]] = {}
    led: dict[tuple[int, bool], Counter[str]] = {}
    steps: dict[int, list[Any]] = {}
    for text, run in zip(texts, clustered(model, texts), strict=True):
        for k, count, step in run:
            counts.setdefault(k, Counter())["3+" if count == 3 else str(count)] += 1
            steps.setdefault(k, []).extend([] if step is None else [step])
        for letter, (k, _, _), (after, _, _) in zip(text, run[:-1], run[1:], strict=True):
            led.setdefault((k, letter == "G"), Counter())[f"S{after}"] += 1
    print(
        f"""
  The machine that the network of seed 0 has become: its states over {len(texts)} strings, in
  clusters of radius {RADIUS}; how many G they stand for, and where a base leads (per cent):
    {"":<4}{"G so far":<20}{"after G":<20}{"after another":<20}{"logit":>6}  states"""
    )
    for k in sorted(counts, key=lambda k: (k > 0, counts[k].most_common(1)[0][0], k)):
        cells = [told(one) for one in (counts[k], led.get((k, True)), led.get((k, False)))]
        mean = ""
        if steps[k]:
            mean = f"{statistics.fmean([step.output.data for step in steps[k]]):6.1f} "
            for j in range(rnn.states):
                mean += f" {statistics.fmean([s.layers[0].q[j].data for s in steps[k]]):5.2f}"
        print(f"    S{k:<3}{cells[0]:<20}{cells[1]:<20}{cells[2]:<20}{mean}".rstrip())
    print("\n  Its weights, rows 1, Q, A, C, G, T, and beside them the lecture's (panel 6, step):")
    made = counter().weights
    blanks = [["", "", ""]] * (rnn.states - 3)
    hand = [[f"{w.data:g}" for w in row] for row in made]
    rows = [*hand[:4], *blanks, *hand[4:]]
    names = ["1", *[f"Q{j}" for j in range(1, rnn.states + 1)], *"ACGT"]
    for name, row, theirs in zip(names, rnn.weights, rows, strict=True):
        learned = " ".join(f"{w.data:7.2f}" for w in row)
        print(f"    {name:<3} {learned}    |  " + " ".join(f"{w:>3}" for w in theirs))


def told(found: Counter[str] | None) -> str:
    """The most frequent ones, with their shares in per cent where there are others."""
    often = (found or Counter()).most_common(3)
    shares = [(name, round(100 * many / found.total())) for name, many in often] if found else []
    return ", ".join(name if share == 100 else f"{name} {share}" for name, share in shares if share)


# --- a window of twelve (panel 2) ----------------------------------------------------------------

WIDEST = 12


def padded(data: Dataset) -> Dataset:
    """Each sequence as one vector of 12 places, empty ones at its end: a sequence of one step."""
    flat = [[x for vector in sequence for x in vector] for sequence in data.sequences]
    longest = max(4 * WIDEST, *map(len, flat))
    return Dataset([[one + [0.0] * (longest - len(one))] for one in flat], data.targets, classes=2)


def window_accuracies(seed: int, epochs: int) -> Accuracies:
    """A hidden layer over all places at once, which an RNN is that takes one step."""
    pool = dna_family().sample(FAMILY_STRINGS, range(6, WIDEST + 1), seed=seed)
    data, test = pool.split(9, 1, seed=seed)
    model = Stack.random("RNN", 8, 4 * WIDEST, 1, seed=seed)
    learn(model, padded(data), [(0.02, epochs)], seed)
    found = {f"lengths 6 to {WIDEST}": accuracy(model, padded(test))}
    refused = 0
    for length in (13, 20, 40, 57):
        longer = padded(dna_family().sample(20, [length], seed=seed))
        for sequence in longer.sequences:
            try:
                model(sequence)
            except ValueError as error:
                refused += "48" in str(error)
    assert refused == 80, "a longer sequence was not refused"
    cut = dna_family().sample(2000, [20], seed=1000 + seed)
    first = Dataset([one[:WIDEST] for one in cut.sequences], cut.targets, classes=2)
    found["(length 20, its first 12 letters)"] = accuracy(model, padded(first))
    return found


def window(options: argparse.Namespace) -> bool:
    epochs = 2 if options.quick else 20
    print(
        f"""
A window of {WIDEST} (panel 2). A network with 8 hidden tanh units over {WIDEST} places of 4
  inputs, shorter strings being padded with zeros, learns from the same strings as above;
  {epochs} epochs at 0.02. It has no inputs for a longer sequence: that each of 80 is refused is
  asserted. Per cent right:"""
    )
    return show(over_seeds(partial(window_accuracies, epochs=epochs), options))


# --- languages -----------------------------------------------------------------------------------

LANGUAGES: dict[str, Language] = {
    **{f"Tomita {n}": tomita(n) for n in (1, 2, 4, 7)},
    "parity": parity(),
}
LANGUAGE_STAGES: tuple[Stage, ...] = ((0.02, 30), (0.005, 10))
LANGUAGE_STATES, LONGEST, DRAWN = 8, 9, 2000
TESTED = (12, 16, 24, 32)
CHOSEN_BY = (10, 11, 20, 28)


def strings_of(language: Language, seed: int) -> Dataset:
    """All strings, and as many of each class and length from among them: short ones weigh more."""
    lengths = range(1, LONGEST + 1)
    drawn = language.sample(DRAWN, lengths, seed=seed)
    return language.label([*language.every(lengths).symbols, *drawn.symbols])


def language_accuracies(seed: int, name: str, stages: Iterable[Stage]) -> tuple[Accuracies, int]:
    language = LANGUAGES[name]
    data = strings_of(language, seed)

    def train(first: int) -> Any:
        model = Stack.random("RNN", LANGUAGE_STATES, 1, 1, seed=first)
        learn(model, data, stages, first)
        return model

    model, trials = best_of(train, language.sample(400, CHOSEN_BY, seed=2000 + seed), seed)
    unlearned = Stack.random("RNN", LANGUAGE_STATES, 1, 1, seed=seed)
    found = {f"all strings up to {LONGEST}": accuracy(model, language.every(range(1, LONGEST + 1)))}
    tests = {n: language.sample(1000, [n], seed=3000 + seed) for n in TESTED}
    found |= {f"length {n}": accuracy(model, test) for n, test in tests.items()}
    found["(random weights, length 32)"] = accuracy(unlearned, tests[32])
    found["(majority, length 32)"] = majority(tests[32])
    return found, trials


def languages(options: argparse.Namespace) -> bool:
    stages = ((0.02, 1),) if options.quick else LANGUAGE_STAGES
    print(
        f"""
Languages. An RNN of {LANGUAGE_STATES} tanh states with a readout learns from all strings of
  length 1 to {LONGEST} and {DRAWN} drawn from among them, as many of each class and length;
  learning rates and epochs {stages}, batches of 32. Up to {MOST_TRIALS} trainings per seed,
  until the loss on 400 strings of the lengths {CHOSEN_BY} is below {GOOD_LOSS}; the
  lowest is taken. Tests: 1000 strings of each length, half of either class. Per cent right:"""
    )
    reached = True
    for name in LANGUAGES:
        found = over_seeds(partial(language_accuracies, name=name, stages=stages), options)
        print(f"  {name}, trainings per seed: {', '.join(str(trials) for _, trials in found)}")
        reached &= show([row for row, _ in found])
    return reached


# --- counting ------------------------------------------------------------------------------------


def counting_weights(seed: int, epochs: int) -> tuple[float, float]:
    data = counting_ones(9).sample(500, range(1, 10), seed=seed)
    model = RNN.random(1, 1, activation="linear", seed=seed)
    model = RNN(model.weights[1:], "linear", bias=False)
    for rate in (0.003, 0.0003):
        optimiser = SGD(rate, 0.9, clip_norm=1.0)
        fit(
            *(model, data),
            **{"loss": "squared_error", "optimiser": optimiser, "epochs": epochs},
            **{"batch_size": 32, "seed": seed, "progress": False},
        )
    state, entry = [weight.data for weight in model.parameters()]
    return state, entry


def counting(options: argparse.Namespace) -> bool:
    epochs = 2 if options.quick else 60
    print(
        f"""
Counting ones. The lecture's network (panel 9, linear, no offset): π = w₁·q + w₂·x; 500 strings of
  1 to 9 bits, squared error, SGD with momentum 0.9 at 0.003 and at 0.0003, {epochs} epochs each,
  clipped to norm 1. The weights that count are (1, 1):"""
    )
    found = over_seeds(partial(counting_weights, epochs=epochs), options)
    for name, numbers in zip(("w₁", "w₂"), zip(*found, strict=True), strict=True):
        print(f"    {name:<34} {spread(numbers, '{:.5f}', 1.0)}")
    return max(abs(weight - 1.0) for pair in found for weight in pair) <= 0.01


# --- promoters -----------------------------------------------------------------------------------

FOLDS = 5
#: By name: letters per step, what makes the network from its inputs, learning rate, epochs.
NETWORKS: dict[str, tuple[int, Callable[..., Any], float, int]] = {
    "linear, all 57 letters at once": (57, Linear.random, 0.01, 50),
    "hidden layer of 4, all at once": (57, partial(Stack.random, "RNN", 4), 0.01, 30),
    "GRU of 4, 19 letters per step": (19, partial(Stack.random, "GRU", 4), 0.01, 30),
    "GRU of 8, 3 letters per step": (3, partial(Stack.random, "GRU", 8), 0.01, 40),
    "LSTM of 16, letter by letter": (1, partial(Stack.random, "LSTM", 16), 0.01, 60),
}


def in_steps(data: Dataset, letters: int) -> Dataset:
    """The sequences with so many letters in a vector."""
    sequences = [
        [
            [x for vector in sequence[start : start + letters] for x in vector]
            for start in range(0, len(sequence), letters)
        ]
        for sequence in data.sequences
    ]
    return Dataset(sequences, data.targets, groups=data.groups, classes=2)


def promoter_errors(seed: int, name: str, quick: bool) -> int:
    """Errors on all sequences, each by the network of the other four folds."""
    letters, make, rate, epochs = NETWORKS[name]
    data = in_steps(promoters(DATA / "promoters.data"), letters)
    folds = data.split(*[1] * FOLDS, seed=seed)
    errors = 0
    for place, fold in enumerate(folds):
        held = set(fold.sequences)
        rest = data.subset([k for k, one in enumerate(data.sequences) if one not in held])
        first = FOLDS * seed + place
        model = make(data.inputs, 1, seed=first)
        learn(model, rest, [(rate, 1 if quick else epochs)], first, batch=16)
        errors += round((1 - accuracy(model, fold)) * len(fold))
    return errors


def promoters_of_coli(options: argparse.Namespace) -> bool:
    print(
        f"""
Promoters of E. coli (UCI, 53 and 53). {FOLDS} folds, each tested by what the others taught;
  sequences that share text are in one fold, as the 53 - are cut from one stretch and overlap.
  Batches of 16; settings were tried on seeds 0 to 2 of these same sequences, so they flatter a
  little. Errors of 106:"""
    )
    if not (DATA / "promoters.data").is_file():
        print(f"    (no {DATA / 'promoters.data'}: set AUTOGRAD_RNN_DATA)")
        return True
    for name, (_, _, rate, epochs) in NETWORKS.items():
        found = over_seeds(partial(promoter_errors, name=name, quick=options.quick), options)
        told = f"{spread(found, '{:.1f}', 1.0)}"
        print(f"    {name:<34} {told:<22} rate {rate}, {epochs} epochs")
    return True


# --- all of them ---------------------------------------------------------------------------------

PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "family": family,
    "window": window,
    "languages": languages,
    "counting": counting,
    "promoters": promoters_of_coli,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    options.seeds = 1 if options.quick else options.seeds
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(
        f"{datetime.date.today()}, {python}, {platform.machine()}, seeds 0 to {options.seeds - 1}"
    )
    short = []
    for name in options.parts or PARTS:
        start = time.perf_counter()
        if not PARTS[name](options):
            short.append(name)
        print(f"  {name}: {time.perf_counter() - start:.0f} s", flush=True)
    if short and not options.quick:
        raise SystemExit(f"short of the targets: {', '.join(short)}")


if __name__ == "__main__":
    main()
