"""Weights of classes, and targets to ignore: on every backend, in losses, accuracies, trainings."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import GRU, RNN, SGD, Loss, Value, evaluate, fit, gradients
from autograd_rnn.backends import Backend
from autograd_rnn.ops.losses import LOSSES, as_loss

IGNORED = -1.0


def nats(output: list[float], target: float, name: str, weights: list[float]) -> float:
    """The loss by its definition: the weight of the class, times −log of its probability."""
    if name == "cross_entropy":
        total = sum(math.exp(z) for z in output)
        return -weights[int(target)] * math.log(math.exp(output[int(target)]) / total)
    yes = 1.0 / (1.0 + math.exp(-output[0]))
    return -weights[int(target)] * math.log(yes if target else 1.0 - yes)


def example(seed: int, name: str, every: bool) -> tuple[Any, list[Any], list[Any]]:
    """A network, sequences, and targets, of which some are to be ignored."""
    chance = random.Random(seed)
    classes = 3 if name == "cross_entropy" else 2
    model = RNN.random(3 if name == "cross_entropy" else 1, 2, seed=seed)
    sizes = [chance.randint(1, 6) for _ in range(9)]
    sequences = [[[chance.uniform(-2, 2) for _ in "12"] for _ in range(n)] for n in sizes]
    rows = [[float(chance.randrange(classes)) for _ in range(n)] for n in sizes]
    for row in rows:
        for k in range(1, len(row)):
            if chance.random() < 0.4:
                row[k] = IGNORED
        chance.shuffle(row)
    return model, sequences, rows if every else [chance.randrange(classes) * 1.0 for _ in rows]


def by_hand(
    model: Any, xs: Any, ys: Any, loss: Loss, name: str, weights: list[float]
) -> tuple[float, list[float], int, int]:
    """The mean loss, by Values and by its definition, its gradient, hits, and what was judged."""
    total, check, hits, judged = Value(0.0), 0.0, 0, 0
    for sequence, target in zip(xs, ys, strict=True):
        steps = model.unroll(sequence).steps
        pairs = (
            [*zip(steps, target, strict=True)]
            if isinstance(target, list)
            else [(steps[-1], target)]
        )
        counted = [(step.pi, goal) for step, goal in pairs if goal != IGNORED]
        of_one, plain = None, 0.0
        for pi, goal in counted:
            term = loss.function(pi if len(pi) > 1 else pi[0], goal)
            of_one = term if of_one is None else of_one + term
            numbers = [z.data for z in pi]
            plain += nats(numbers, goal, name, weights)
            found = numbers.index(max(numbers)) if len(numbers) > 1 else float(numbers[0] > 0)
            hits, judged = hits + (found == goal), judged + 1
        total = total + of_one / float(len(counted))
        check += plain / len(counted)
    total = total / float(len(xs))
    assert total.data == pytest.approx(check / len(xs), rel=1e-12)
    return total.data, list(gradients(total, model.parameters())), hits, judged


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("engine", sorted(Backend.kinds))
def test_every_engine_weighs_and_ignores_as_by_hand(engine: str, name: str, at: str) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    weights = [0.5, 2.0, 3.0] if name == "cross_entropy" else [0.5, 2.0]
    loss = Loss.of(name, weights=weights, ignore=IGNORED)
    for seed in (1,) if engine == "jax" else (1, 2):
        model, xs, ys = example(seed, name, at == "every")
        mean, slopes, hits, judged = by_hand(model, xs, ys, loss, name, weights)
        compiled = model.compile(loss, at=at, backend=engine)
        found = compiled.loss_and_gradients(xs, ys)
        assert found[0] == pytest.approx(mean, rel=1e-12)
        assert found[1] == pytest.approx(slopes, rel=1e-10, abs=1e-13)
        if engine == "python":
            assert found == model.compile(loss, at=at, backend="eager").loss_and_gradients(xs, ys)
        if engine == "native":
            exact = model.compile(loss, at=at, backend=engine, exact=True)
            eager = model.compile(loss, at=at, backend="eager").loss_and_gradients(xs, ys)
            assert exact.loss_and_gradients(xs, ys) == eager
        terms = compiled.gradients_per_step(xs, ys)
        sums = [
            sum(rows) / len(xs) for rows in zip(*[r for one in terms for r in one], strict=True)
        ]
        assert sums == pytest.approx(slopes, rel=1e-9, abs=1e-12)
        one = evaluate(model, (xs, ys), loss=loss, at=at, engine=engine)
        assert (one.loss, one.count) == (pytest.approx(found[0], rel=1e-14), judged)
        assert one.accuracy == hits / judged
        history = fit(
            *(model, (xs, ys)),
            **{"loss": loss, "optimiser": SGD(1e-300), "epochs": 1, "batch_size": len(xs)},
            **{"at": at, "engine": engine, "truncate": 99 if engine == "numpy" else None},
        )
        assert history.loss[0] == pytest.approx(mean, rel=1e-12)
        assert history.accuracy == [hits / judged]


@pytest.mark.parametrize("engine", ["eager", "python", "numpy", "native"])
def test_what_is_ignored_changes_nothing(engine: str) -> None:
    """Neither a large output, nor for the loss one that is infinite or not a number."""
    loss = Loss.of("cross_entropy", ignore=-100)
    model = RNN([[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]], "linear", bias=False)
    compiled = model.compile(loss, at="every", backend=engine)
    short = compiled.loss_and_gradients([[1.0, 2.0]], [[0, 1]])
    for strange in (1e308, math.inf, math.nan):
        found = compiled.loss_and_gradients([[1.0, 2.0, strange]], [[0, 1, -100]])
        assert found[0] == short[0]
        if strange == 1e308:
            assert found == short


def test_streams_count_what_is_not_ignored() -> None:
    """A window without a target that counts has no loss and moves nothing."""
    loss = Loss.of("binary_cross_entropy", ignore=IGNORED)
    chance = random.Random(3)
    xs = [[chance.uniform(-1, 1) for _ in range(8)] for _ in range(2)]
    ys = [[1, IGNORED, IGNORED, IGNORED, IGNORED, 0, 1, 1], [0, 1, 1, IGNORED, 0, 0, 1, 0]]
    model = GRU.random(1, 1, seed=1)
    settings: dict[str, Any] = {"optimiser": SGD(1e-300), "epochs": 1, "batch_size": 2}
    history = fit(
        *(model, (xs, ys)),
        **{"loss": loss, "at": "every", "truncate": 2, "streams": True, "engine": "numpy"},
        **settings,
    )
    outputs = [[s.output.data for s in model.unroll([[v] for v in x]).steps] for x in xs]
    windows = []
    for start in (0, 2, 4, 6):
        rows = []
        for output, row in zip(outputs, ys, strict=True):
            both = [*zip(output, row, strict=True)][start : start + 2]
            terms = [nats([z], y, "binary_cross_entropy", [1, 1]) for z, y in both if y != IGNORED]
            rows.append(sum(terms) / max(1, len(terms)))
        windows.append(sum(rows) / 2)
    assert history.loss[0] == pytest.approx(sum(windows) / 4, rel=1e-12)
    both = [pair for o, row in zip(outputs, ys, strict=True) for pair in zip(o, row, strict=True)]
    hits = [(z > 0) == (y == 1) for z, y in both if y != IGNORED]
    assert history.accuracy == [sum(hits) / len(hits)]


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=4), st.data())
def test_weights_of_one_are_none_and_probabilities_are_weighed_too(
    logits: list[float], data: Any
) -> None:
    size = len(logits)
    target = data.draw(st.integers(0, size - 1))
    plain = LOSSES["cross_entropy"](logits, target)
    assert Loss.of("cross_entropy", weights=[1] * size)(logits, target) == plain
    weights = data.draw(st.lists(st.floats(0, 5), min_size=size, max_size=size).filter(any))
    shares = data.draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    goals = [share / sum(shares) for share in shares]
    loss = Loss.of("cross_entropy", weights=weights)
    parts = [goal * loss(logits, place) for place, goal in enumerate(goals)]
    assert loss(logits, goals) == pytest.approx(sum(parts), rel=1e-9, abs=1e-9)
    assert loss(logits, target) == pytest.approx(weights[target] * plain, rel=1e-9, abs=1e-9)


def test_a_loss_of_ones_own_has_weights_and_ignores() -> None:
    def squares(output: Any, target: Any, weights: Any) -> Any:
        return (output - target) ** 2 * weights[int(target > 0)]

    mine = Loss("mine", lambda z, t: (z - t) ** 2, weighted=squares, ignore=0.0)
    assert Loss.of(mine, weights=[2, 3])(5.0, 1.0) == 16.0 * 3
    assert (mine(5.0, 0.0), Loss.of(mine).ignore) == (0.0, 0.0)
    assert Loss.of(lambda z, t: z - t, ignore=3)(5.0, 3) == 0.0
    # Of a target of several entries all of them have to be it.
    both = Loss.of("binary_cross_entropy", ignore=-1)
    assert both([1.0, 1.0], [-1, -1]) == 0.0
    with pytest.raises(ValueError, match="target must be from 0 to 1"):
        both([1.0, 1.0], [-1, 1])


def test_refusals() -> None:
    model = RNN.random(3, 1)
    loss = Loss.of("cross_entropy", ignore=-1)
    junk: Any
    for junk, words in [
        (lambda: Loss.of("mse"), "loss 'mse' is unknown"),
        (lambda: Loss.of("squared_error", weights=[1]), "has no classes to weigh"),
        (lambda: Loss.of("cross_entropy", weights=[1, -1]), r"weights\[1\] must be 0 or more"),
        (lambda: Loss.of("cross_entropy", weights=[1, math.nan]), r"weights\[1\] must be 0 or"),
        (
            lambda: Loss.of("cross_entropy", weights=[0, 0.0]),
            "weights are all 0, so no class could",
        ),
        (lambda: Loss.of("cross_entropy", weights=3), "weights must be a list of numbers"),  # type: ignore[arg-type]
        (lambda: Loss.of("cross_entropy", ignore=math.nan), "ignore must be finite"),
        (lambda: Loss.of("cross_entropy", ignore="x"), "ignore must be a real number"),  # type: ignore[arg-type]
        (
            lambda: Loss.of(Loss.of("cross_entropy", weights=[1, 1]), weights=[1, 1]),
            "has no classes to weigh",
        ),
        (
            lambda: model.compile(Loss.of("cross_entropy", weights=[1, 2])).prepare([[1]], [0]),
            "weights must have one number for each of the 3 classes, not 2",
        ),
        (
            lambda: Loss.of("binary_cross_entropy", weights=[1])(0.0, 1),
            "weights must be two numbers for binary_cross_entropy",
        ),
        (
            lambda: model.compile(loss).loss_and_gradients([[1], [1]], [0, -1]),
            r"targets\[1\] leaves nothing to learn from: it is to be ignored",
        ),
        (
            lambda: model.compile(loss, at="every").prepare([[1], [1, 2]], [[0], [-1, -1]]),
            r"targets\[1\] leaves nothing to learn from: all are to be ignored",
        ),
        (
            lambda: fit(
                *(model, ([[1], [1, 2]], [[0], [-1, -1]])),
                **{"loss": loss, "at": "every", "optimiser": SGD(1)},
                **{"epochs": 1, "batch_size": 1},
            ),
            r"data: targets\[1\] leaves nothing to learn from",
        ),
        (
            lambda: model.compile(loss).loss_and_gradients([[1]], [-2]),
            r"targets\[0\] must be the number of a class from 0 to 2 for cross_entropy, not -2",
        ),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            junk()
    assert as_loss(loss) is loss


def test_a_checkpoint_is_of_its_weights_and_of_what_it_ignores(tmp_path: Path) -> None:
    path, data = tmp_path / "training.json", ([[1], [0], [1]], [0, 1, 0])
    options: dict[str, Any] = {"epochs": 1, "batch_size": 2, "engine": "numpy", "checkpoint": path}

    def trained(**weighed: Any) -> None:
        loss = Loss.of("cross_entropy", **weighed)
        fit(RNN.random(2, 1, seed=1), data, loss=loss, optimiser=SGD(0.1), **options)

    trained(weights=[1, 2], ignore=-1)
    trained(weights=[1, 2], ignore=-1)
    for other in ({"weights": [1, 3], "ignore": -1}, {"weights": [1, 2]}, {"ignore": -1}):
        with pytest.raises(ValueError, match=r"of another training: .*loss"):
            trained(**other)
