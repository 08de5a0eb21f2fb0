"""`evaluate` beside naive counting: confusion, precision, recall, F1, AUC, and its table."""

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rich.console
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import RNN, Dataset, Evaluation, Loss, evaluate, maximum
from autograd_rnn.backends import Backend
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.training.evaluate import auc, judged

from .trainings import network, parity


def naive_auc(scores: list[float], right: list[bool]) -> float | None:
    """The share of all pairs, one by one."""
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, of_a in zip(scores, right, strict=True)
        for b, of_b in zip(scores, right, strict=True)
        if of_a and not of_b
    ]
    return sum(pairs) / len(pairs) if pairs else None


def naive(
    found: list[int], right: list[int], scores: list[list[float]], k: int
) -> tuple[int, float | None, float | None, float | None, float | None]:
    """Support, precision, recall, F1 and AUC of a class, by counting."""
    pairs = [*zip(found, right, strict=True)]
    hits = sum(f == r == k for f, r in pairs)
    taken, support = sum(f == k for f, _ in pairs), sum(r == k for _, r in pairs)
    precision = hits / taken if taken else None
    recall = hits / support if support else None
    f1 = None
    if taken + support:
        p, r = precision or 0.0, recall or 0.0
        f1 = 2 * p * r / (p + r) if hits else 0.0
    return (
        support,
        precision,
        recall,
        f1,
        naive_auc([row[k] for row in scores], [r == k for r in right]),
    )


def check(found: Evaluation, expected: list[Any], k: int) -> None:
    lists = (found.support, found.precision, found.recall, found.f1, found.auc)
    for mine, wanted in zip([one[k] for one in lists], expected, strict=True):
        assert mine == (None if wanted is None else pytest.approx(wanted, rel=1e-12)), k


halves = st.integers(-4, 4).map(lambda n: n / 2)  # so that there are ties


@given(st.integers(2, 4), st.data())
def test_classes_beside_counting(size: int, data: Any) -> None:
    rows = data.draw(
        st.lists(
            st.tuples(st.lists(halves, min_size=size, max_size=size), st.integers(-1, size - 1)),
            min_size=1,
            max_size=12,
        ).filter(lambda rows: any(goal >= 0 for _, goal in rows))
    )
    loss = Loss.of("cross_entropy", ignore=-1)
    outputs, targets = np.array([row for row, _ in rows]), np.array([[float(g)] for _, g in rows])
    found = judged(loss, 0.25, outputs, targets)
    counted = [(row, goal) for row, goal in rows if goal >= 0]
    taken, right = [row.index(max(row)) for row, _ in counted], [goal for _, goal in counted]
    assert (found.loss, found.count) == (0.25, len(counted))
    assert found.accuracy == sum(map(int.__eq__, taken, right)) / len(counted)
    assert found.confusion == [
        [sum((r, f) == (i, j) for f, r in zip(taken, right, strict=True)) for j in range(size)]
        for i in range(size)
    ]
    assert LOSSES["cross_entropy"].probabilities is not None
    scores = LOSSES["cross_entropy"].probabilities(np.array([row for row, _ in counted])).tolist()
    for k in range(size):
        check(found, [*naive(taken, right, scores, k)], k)


@given(st.lists(st.tuples(halves, st.integers(0, 1)), min_size=1, max_size=12))
def test_yes_and_no_beside_counting(rows: list[tuple[float, int]]) -> None:
    logits, goals = [z for z, _ in rows], [y for _, y in rows]
    outputs, targets = np.array([[z] for z in logits]), np.array([[float(y)] for y in goals])
    found = judged(LOSSES["binary_cross_entropy"], 0.0, outputs, targets)
    taken = [int(z > 0) for z in logits]
    for k in range(2):
        check(found, [*naive(taken, goals, [[-z, z] for z in logits], k)], k)
    # Far from 0 their probabilities are 1 by rounding, but the logits differ.
    far = judged(LOSSES["binary_cross_entropy"], 0.0, outputs + 100.0, targets)
    assert far.auc == found.auc


@given(st.lists(st.tuples(halves, st.booleans(), halves, st.booleans()), min_size=1, max_size=9))
def test_several_logits_are_classes_that_exclude_nothing(rows: Any) -> None:
    outputs = np.array([[a, b] for a, _, b, _ in rows])
    targets = np.array([[float(x), float(y)] for _, x, _, y in rows])
    found = judged(LOSSES["binary_cross_entropy"], 0.0, outputs, targets)
    assert found.confusion == []
    assert found.accuracy == sum((a > 0, b > 0) == (x, y) for a, x, b, y in rows) / len(rows)
    sides = [[(a, x) for a, x, _, _ in rows], [(b, y) for _, _, b, y in rows]]
    for k, side in enumerate(sides):
        scores = [[-z, z] for z, _ in side]
        expected = naive([int(z > 0) for z, _ in side], [int(y) for _, y in side], scores, 1)
        check(found, [*expected], k)


@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.booleans()), min_size=1, max_size=30))
def test_the_area_counts_ties_as_a_half(rows: list[tuple[float, bool]]) -> None:
    scores, right = [s for s, _ in rows], [r for _, r in rows]
    found, expected = auc(np.array(scores), np.array(right)), naive_auc(scores, right)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-15))


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("engine", sorted(Backend.kinds))
def test_every_engine_evaluates_what_it_predicts(engine: str, at: str) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    sequences, targets = parity(9, at=at)
    for states, name in ((1, "binary_cross_entropy"), (2, "cross_entropy"), (1, "squared_error")):
        model = network(states, seed=3)
        compiled = model.compile(name, at=at, backend=engine)
        found = evaluate(model, (sequences, targets), loss=name, at=at, engine=engine)
        mean = compiled.loss_and_gradients(sequences, targets)[0]
        assert found.loss == pytest.approx(mean, rel=1e-14)
        outputs: Any = compiled.predict(sequences)
        if at == "every":
            outputs = [output for row in outputs for output in row]
        assert found.count == len(outputs)
        if name == "squared_error":
            assert (found.accuracy, found.support, str(found).count("\n")) == (None, [], 1)
            continue
        goals = [goal for row in targets for goal in row] if at == "every" else targets
        taken = [z > 0 if isinstance(z, float) else z[1] > z[0] for z in outputs]
        assert found.accuracy == sum(map(float.__eq__, map(float, taken), goals)) / len(goals)
        assert sum(map(sum, found.confusion)) == len(goals)


@pytest.mark.parametrize("engine", ["python", "numpy", "native"])
def test_probabilities_are_those_of_the_loss(engine: str) -> None:
    chance = random.Random(1)
    xs = [[[chance.uniform(-2, 2)] for _ in range(n)] for n in (1, 3, 2)]
    for at in ("last", "every"):
        model = network(3, seed=2)
        compiled = model.compile("cross_entropy", at=at, backend=engine)
        logits: Any = compiled.predict(xs)
        shown: Any = compiled.predict(xs, probabilities=True)
        pairs = [*zip(logits, shown, strict=True)]
        if at == "every":
            pairs = [pair for row in pairs for pair in zip(*row, strict=True)]
        for row, found in pairs:
            total = sum(np.exp(row))
            assert found == pytest.approx([np.exp(z) / total for z in row], rel=1e-14)
        one = network(1).compile("binary_cross_entropy", at="last", backend=engine)
        raw: Any = one.predict(xs)
        expected = [1 / (1 + np.exp(-z)) for z in raw]
        assert one.predict(xs, probabilities=True) == pytest.approx(expected, rel=1e-14)
        again, _ = one.predict(xs, probabilities=True, return_state=True)
        assert again == one.predict(xs, probabilities=True)
    large = RNN([[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]], "linear", bias=False)
    sure = large.compile("cross_entropy", backend=engine).predict([[1e4]], probabilities=True)
    assert sure == [[1.0, 0.0]]


def test_a_loss_without_probabilities_says_so_and_one_of_ones_own_may_have_them() -> None:
    model = network(1)
    for loss in ("squared_error", lambda z, t: (z - t) ** 2):
        with pytest.raises(ValueError, match=r"says no probabilities, as binary_cross_entropy and"):
            model.compile(loss, backend="numpy").predict([[1]], probabilities=True)
    hinge = Loss(
        "hinge",
        lambda output, target: maximum(1.0 - target * output, 0.0),
        classes=lambda outputs, targets: (outputs > 0.0, targets > 0.0),
        probabilities=lambda outputs: np.clip((1.0 + outputs) / 2.0, 0.0, 1.0),
    )
    compiled = RNN([[0.0], [1.0]], "linear", bias=False).compile(hinge, backend="numpy")
    assert compiled.predict([[0.5], [3.0]], probabilities=True) == [0.75, 1.0]
    data = ([[0.5], [-1.0], [3.0]], [1, -1, -1])
    found = evaluate(RNN([[0.0], [1.0]], "linear", bias=False), data, loss=hinge, engine="python")
    assert (found.accuracy, found.confusion) == (2 / 3, [[1, 1], [0, 1]])
    assert found.auc == [0.5, 0.5]


def test_the_table_fits_and_is_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(2)
    for size in (2, 5, 6, 79):
        outputs = np.array([[chance.gauss(0, 1) for _ in range(size)] for _ in range(300)])
        goals = np.array([[float(chance.randrange(size))] for _ in range(300)])
        found = judged(LOSSES["cross_entropy"], 1.25, outputs, goals)
        lines = str(found).splitlines()
        assert max(map(len, lines)) <= 80
        assert f"accuracy {100 * (found.accuracy or 0.0):.1f} %, 300 outputs" in str(found)
        assert ("as 0" in str(found)) == (size <= 5)
        assert ("and 59 more" in str(found)) == (size == 79)
        assert "…" not in str(found)
        for k in range(min(size, 20)):
            row = next(line.split() for line in lines if line.split()[:1] == [str(k)])
            assert row[1] == str(found.support[k])
            assert row[5] == ("–" if found.auc[k] is None else f"{found.auc[k]:.3f}")
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    shown: list[str] = []
    found._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [str(found)]
    assert "–" in str(Evaluation(0.5, 1.0, 1, [[1, 0], [0, 0]], [1, 0], *[[1.0, None]] * 4))


def test_classes_have_the_names_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("dna,label\nGAT,[red]\nCC,blue\x1b\nA,blue\x1b\n")
    data = Dataset.read(path)
    for states, loss in ((1, "binary_cross_entropy"), (2, "cross_entropy")):
        found = evaluate(RNN.random(states, 4), data, loss=loss, engine="python")
        assert found.names == data.names == ("[red]", "blue\x1b")
        lines = [line.split() for line in str(found).splitlines()]
        assert [line[:2] for line in lines if len(line) == 8] == [
            ["[red]", "1"],
            ["blue\\x1b", "2"],
        ]
        assert "as [red]  as blue\\x1b" in str(found)
    lines = str(replace(found, names=("a b " * 9, "x" * 50))).splitlines()
    assert [line[:18].split()[0] for line in lines[4:] if line] == ["a", "xxxxxxxxxxxxxxx…"]
    assert max(map(len, lines)) <= 80


def test_refusals() -> None:
    good: dict[str, Any] = {"loss": "squared_error", "engine": "python"}
    for words, changed in [
        ("model must have inputs, outputs", {"model": 3}),
        (r"data must be a pair", {"data": 3}),
        (r"data: targets\[0\] has 2 entries", {"data": ([[1]], [[1, 2]])}),
        ("loss 'mse' is unknown", {"loss": "mse"}),
        ("engine 'gpu' is unknown", {"engine": "gpu"}),
        ("at 'first' is unknown", {"at": "first"}),
        ("threads must be 1 or more", {"threads": 0}),
        ("takes no devices", {"devices": [1]}),
    ]:
        given_: dict[str, Any] = {"model": network(), "data": ([[1]], [1]), **good, **changed}
        with pytest.raises((ValueError, TypeError), match=words):
            evaluate(given_.pop("model"), given_.pop("data"), **given_)
