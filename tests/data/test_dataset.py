"""Data sets, their split, and the tasks that are made of them."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    SGD,
    Dataset,
    Loss,
    adding,
    bits,
    dna_family,
    evaluate,
    fit,
    one_hot,
    promoters,
    read_fasta,
    windows,
)
from autograd_rnn.data.dataset import joined
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Few different contents and groups, so that much is equal; targets whole or not."""
    count = draw(st.integers(1, 40))
    texts = draw(st.lists(st.text("01", min_size=1, max_size=3), min_size=count, max_size=count))
    groups = st.lists(st.integers(0, 12), min_size=count, max_size=count)
    targets = st.lists(st.integers(0, 2) | st.floats(0, 1), min_size=count, max_size=count)
    return Dataset(
        [bits(text) for text in texts],
        draw(targets),
        symbols=texts,
        groups=draw(st.none() | groups),
    )


@settings(max_examples=40)
@given(datasets(), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_no_content_is_in_two_parts(data: Dataset, shares: list[int], seed: int) -> None:
    parts, refusal = (), ""
    try:
        parts = data.split(*shares, seed=seed)
    except ArgumentValueError as error:
        refusal = str(error)
    if refusal:
        assert re.match(r"part \d of the split would be empty", refusal)
        return
    assert len(parts) == len(shares)
    for read in ("sequences", "groups"):
        where = defaultdict(set)
        for place, part in enumerate(parts):
            for key in getattr(part, read):
                where[key].add(place)
        assert all(len(places) == 1 for places in where.values())
    rows = [
        (part.sequences[k], part.targets[k], part.symbols[k])
        for part in parts
        for k in range(len(part))
    ]
    assert Counter(rows) == Counter(zip(data.sequences, data.targets, data.symbols, strict=True))
    again = data.split(*shares, seed=seed)
    assert [part.symbols for part in again] == [part.symbols for part in parts]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 2), min_size=30, max_size=60),
    st.sampled_from([(1, 1), (8, 1, 1), (0.6, 0.2, 0.2)]),
    st.integers(0, 99),
)
def test_parts_and_classes_are_in_proportion(
    targets: list[int], shares: tuple[float, ...], seed: int
) -> None:
    data = Dataset([[k] for k in range(len(targets))], targets, classes=3)
    parts = data.split(*shares, seed=seed)
    for share, part in zip(shares, parts, strict=True):
        wanted = share / sum(shares)
        assert abs(len(part) - wanted * len(data)) <= 1
        assert list(part.sequences) == sorted(part.sequences)
        for label in range(3):
            many = targets.count(label)
            # Alone in its class a target is dealt with all the others that are.
            assert abs(part.targets.count(label) - wanted * many) <= 2


def test_the_seed_decides_who_goes_where() -> None:
    for targets in ([k % 2 for k in range(40)], [k / 7 for k in range(40)]):
        data = Dataset([[k] for k in range(40)], targets)
        tests = {data.split(3, 1, seed=seed)[1].sequences for seed in range(6)}
        assert len(tests) == 6


@settings(max_examples=40)
@given(st.lists(st.sets(st.integers(0, 9), max_size=3), max_size=9))
def test_joined_is_reachability(keys: list[set[int]]) -> None:
    found = joined(keys)
    assert sorted(place for places in found for place in places) == list(range(len(keys)))
    for start in range(len(keys)):
        reached, path = {start}, [start]
        while path:
            here = path.pop()
            more = {k for k in range(len(keys)) if keys[k] & keys[here]} - reached
            reached |= more
            path.extend(more)
        assert sorted(reached) in found


def test_a_dataset_holds_floats_and_prints() -> None:
    data = Dataset([[1, 2], [[3.5]]], [[1, 2], 3], groups=["a", "b"])
    assert data.sequences == (((1.0,), (2.0,)), ((3.5,),))
    assert data.targets == ((1.0, 2.0), 3.0)
    assert (data.symbols, data.groups, data.classes, data.inputs) == ((), ("a", "b"), None, 1)
    assert repr(data) == "<Dataset: 2 sequences of 1 to 2 steps, 1 input>"
    assert repr(Dataset([[1]], [11], classes=12)).endswith(
        "12 classes: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...>"
    )
    part = data.subset([1])
    assert (part.sequences, part.targets, part.groups) == (data.sequences[1:], (3.0,), ("b",))


@settings(max_examples=30)
@given(st.integers(1, 30), st.sets(st.integers(2, 9), min_size=1), st.integers(0, 2**32))
def test_adding_marks_one_number_in_each_half(count: int, sizes: set[int], seed: int) -> None:
    data = adding(count, sizes, seed=seed)
    often = Counter(map(len, data.sequences))
    assert set(often) <= sizes
    assert max(often.values()) - min(often[size] for size in sizes) <= 1
    for sequence, target, text in zip(data.sequences, data.targets, data.symbols, strict=True):
        half = len(sequence) // 2
        assert all(0 <= x < 1 for x, _ in sequence)
        for part in (sequence[:half], sequence[half:]):
            assert sorted(marker for _, marker in part) == [0.0] * (len(part) - 1) + [1.0]
        assert target == pytest.approx(sum(x * marker for x, marker in sequence), abs=1e-15)
        assert text.count("[") == 2
        assert [f"{x:.2f}" for x, _ in sequence] == [word.strip("[]") for word in text.split()]
    assert adding(count, sizes, seed=seed).sequences == data.sequences


def test_always_to_say_one_costs_a_sixth() -> None:
    targets = adding(2000, [4], seed=1).targets
    assert sum((t - 1) ** 2 for t in targets) / 2000 == pytest.approx(1 / 6, abs=0.02)


# --- promoters and real windows -------------------------------------------------------------------


def test_promoters_share_no_text_across_a_split(coli: Path) -> None:
    data = promoters(coli)
    assert (len(data), data.inputs, data.classes) == (106, 4, 2)
    assert [data.targets.count(label) for label in (0, 1)] == [53, 53]
    assert all(len(sequence) == 57 for sequence in data.sequences)
    assert [list(vector) for vector in data.sequences[0]] == one_hot(data.symbols[0])
    names = [line.split(",")[1].strip() for line in coli.read_text().splitlines() if line]
    assert (names[0], data.symbols[0][:6], data.targets[0]) == ("S10", "TACTAG", 1.0)
    block = dict(zip(names, data.groups, strict=True))
    starts = [(int(name), block[name]) for name in names if name.isdigit()]
    overlapping = [(a, b) for p, a in starts for q, b in starts if 0 < q - p < 57]
    assert len(overlapping) == 105
    assert all(a == b for a, b in overlapping)
    assert len({block for _, block in starts}) == 8
    assert block["RRNG_P1"] == block["RRNAB_P1"] != block["S10"]
    for seed in range(5):
        parts = data.split(6, 2, 2, seed=seed)
        texts = [{s[k : k + 15] for s in part.symbols for k in range(43)} for part in parts]
        assert texts[0].isdisjoint(texts[1] | texts[2])
        assert texts[1].isdisjoint(texts[2])
        for part, wanted in zip(parts, (64, 21, 21), strict=True):
            assert abs(len(part) - wanted) <= 6
            assert abs(part.targets.count(1) - len(part) / 2) <= 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file holds no row"),
        ("+,S10\n", "line 1 is not a row of promoters.data"),
        ("*,S10,acgt\n", "line 1 is not a row"),
        ("+,S10,acgt\n+,S11,\n", "line 2 is not a row"),
        ("+,S10,acgn\n", "line 1 has 'N' at position 4 of its sequence"),
        ("-,S10,acgt\n", "line 1 is named 'S10', but the name of a - is its place"),
    ],
)
def test_what_is_not_promoters(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "promoters.data"
    path.write_text(content)
    with pytest.raises(ArgumentValueError, match=words) as caught:
        promoters(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_windows_of_the_mitochondrion(mitochondrion: Path) -> None:
    (record,) = read_fasta(mitochondrion)
    data = dna_family().label(windows(record.sequence, 20))
    assert len(data) == 828
    assert data.targets == tuple(text.count("G") >= 3 for text in data.symbols)
    assert 0.44 < data.targets.count(1) / len(data) < 0.5
    train, held = data.split(9, 1, seed=random.Random(1).randrange(99))
    assert set(train.symbols).isdisjoint(held.symbols)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Dataset([], []), ArgumentValueError, "sequences is empty"),
        (lambda: Dataset([[1], []], [1, 0]), ArgumentValueError, r"sequences\[1\] is empty: it"),
        (lambda: Dataset([[1]], [1, 0]), ArgumentValueError, "targets must be as many"),
        (lambda: Dataset([[[1, 2], [1]]], [1]), ArgumentValueError, "of another size than 2"),
        (lambda: Dataset([[1]], [2], classes=2), ArgumentValueError, r"targets\[0\] is 2.0, bu"),
        (lambda: Dataset([[1]], [0.5], classes=2), ArgumentValueError, "whole numbers 0 to 1"),
        (
            lambda: Dataset([[1]], [-1], classes=2),
            ArgumentValueError,
            r"whole numbers 0 to 1\. If it stands for none of them: ignore=-1\.",
        ),
        (
            lambda: Dataset([[1]], [-2], classes=2, ignore=-1),
            ArgumentValueError,
            r"whole numbers 0 to 1, or -1\.0 for none\.",
        ),
        (lambda: Dataset([[1]], [1], ignore=-1), ArgumentValueError, "ignore goes with classes"),
        (lambda: Dataset([[1]], [1], classes=2, ignore="x"), ArgumentTypeError, "ignore must be"),
        (lambda: Dataset([[1]], ["1"], classes=2), ArgumentTypeError, r"targets\[0\] must be"),
        (lambda: Dataset([[1]], [[2]], classes=2), ArgumentValueError, r"targets\[0\]\[0\] is 2.0"),
        (lambda: Dataset([[1]], [[1, 1]], classes=2), ArgumentValueError, "2 classes for 1 steps"),
        (lambda: Dataset([[1]], [1], classes=0), ArgumentValueError, "classes must be 1 or more"),
        (lambda: Dataset("101", [1]), ArgumentTypeError, "sequences must be a list, not str"),
        (lambda: Dataset(["101"], [1]), ArgumentTypeError, r"sequences\[0\] must be a list"),
        (lambda: Dataset([[[None]]], [1]), ArgumentTypeError, r"sequences\[0\]\[0\]\[0\] must"),
        (lambda: Dataset([[1]], ["x"]), ArgumentTypeError, r"targets\[0\] must be a"),
        (lambda: Dataset([[1]], [1], symbols=["a", "b"]), ArgumentValueError, "symbols must be"),
        (lambda: Dataset([[1]], [1], symbols=[1]), ArgumentTypeError, "symbols must be a list"),
        (lambda: Dataset([[1]], [1], groups=[]), ArgumentValueError, "groups must be as many"),
        (lambda: Dataset([[1]], [1], groups=[[]]), ArgumentTypeError, "groups must be a list"),
        (lambda: Dataset([[1]], [1]).split(), ArgumentValueError, "shares must be one num"),
        (lambda: Dataset([[1]], [1]).split(1, 0), ArgumentValueError, r"shares\[1\] must be p"),
        (lambda: Dataset([[1]], [1]).split(1, 1), ArgumentValueError, "part 1 of the split"),
        (lambda: Dataset([[1]] * 9, [1] * 9).split(1, 1), ArgumentValueError, "would be empty"),
        (lambda: Dataset([[1]], [1]).split("1"), ArgumentTypeError, r"shares\[0\] must be a real"),
        (lambda: Dataset([[1]], [1]).subset([1]), ArgumentValueError, r"places\[0\] must be 0"),
        (lambda: Dataset([[1]], [1]).subset([]), ArgumentValueError, "places is empty"),
        (lambda: adding(1, [1]), ArgumentValueError, r"lengths\[0\] must be 2 or more"),
        (lambda: adding(0, [2]), ArgumentValueError, "count must be 1 or more"),
    ],
)
def test_refusals(call: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("ignore", [-1, -100.0, 7])
def test_a_target_may_be_of_no_class(ignore: float) -> None:
    data = Dataset([[1, 0], [0]], [[ignore, 2], [1]], classes=3, ignore=ignore)
    assert data.targets == ((float(ignore), 2.0), (1.0,))
    assert repr(data).endswith("3 classes: 0, 1, 1>")
    assert data.subset([0]).targets == ((float(ignore), 2.0),)
    loss = Loss.of("cross_entropy", ignore=ignore)
    found = evaluate(RNN.random(3, 1, seed=1), data, loss=loss, at="every", engine="python")
    assert (found.count, found.support) == (2, [0, 1, 1])


def test_classes_may_be_of_steps() -> None:
    data = Dataset([[1, 0, 1], [0], [1, 1]], [[0, 2, 1], [2], [2, 2]], classes=3)
    assert repr(data) == "<Dataset: 3 sequences of 1 to 3 steps, 1 input, 3 classes: 1, 1, 4>"
    assert data.targets[0] == (0.0, 2.0, 1.0)
    model = RNN.random(3, 1, seed=1)
    options: dict[str, Any] = {"optimiser": SGD(0.1), "epochs": 1, "batch_size": 2}
    history = fit(model, data, loss="cross_entropy", at="every", engine="python", **options)
    assert history.accuracy[0] in [k / 6 for k in range(7)]
