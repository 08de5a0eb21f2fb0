"""Tasks: their data, how their texts are read, and what their outputs say."""

import math
import random
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import Dataset, Language, in_family, one_hot
from autograd_rnn.data import tasks
from autograd_rnn.data.tasks import TASKS, Parts, Task, find_task, task_of
from autograd_rnn.errors import ArgumentValueError, SymbolError

MADE = sorted([name for name, task in TASKS.items() if task.sample])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer sequences, which take less time."""
    monkeypatch.setattr(tasks, "LONGER_SEQUENCES", 50)
    for name, task in TASKS.items():
        monkeypatch.setitem(TASKS, name, task._replace(sequences=400))


@cache
def parts_of(task: str) -> Parts:
    return find_task(task).parts(seed=3)


def each(parts: Parts) -> list[Dataset]:
    return [parts.train, parts.validation, parts.test, *parts.longer.values()]


@pytest.mark.parametrize("task", MADE)
def test_no_two_parts_share_a_sequence(task: str) -> None:
    parts = parts_of(task)
    contents = [set(data.sequences) for data in each(parts)]
    assert len(set.union(*contents)) == sum(map(len, contents))
    for data in (parts.validation, parts.test):
        assert max(Counter(data.sequences).values()) == 1
    for length, data in parts.longer.items():
        assert {len(sequence) for sequence in data.sequences} == {length}
        assert length > max(len(sequence) for sequence in parts.train.sequences)


@pytest.mark.parametrize("task", MADE)
def test_a_text_is_read_as_the_data_are(task: str) -> None:
    reader = task_of(find_task(task).reading)
    assert reader is TASKS[task]
    digits = 0.005 if task == "adding" else 0.0  # its texts round the numbers
    for data in each(parts_of(task)):
        for text, sequence in list(zip(data.symbols, data.sequences, strict=True))[:20]:
            for found, vector in zip(reader.encode(text, "it"), sequence, strict=True):
                assert found == pytest.approx(list(vector), abs=digits)


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        ("g3", lambda text: text.count("G") >= 3),
        ("parity", lambda text: text.count("1") % 2),
        ("counting", lambda text: text.count("1")),
        ("tomita4", lambda text: "000" not in text),
    ],
)
def test_targets(task: str, truth: object) -> None:
    assert callable(truth)
    for data in each(parts_of(task)):
        assert [truth(text) for text in data.symbols] == list(data.targets)


def test_promoters_need_their_file_and_others_none(coli: Path) -> None:
    parts = find_task("promoters").parts(1, coli)
    assert [len(data) for data in each(parts)] == [85, 11, 10]
    with pytest.raises(ArgumentValueError, match="needs FILE, UCI's promoters.data"):
        find_task("promoters").parts(1)
    with pytest.raises(ArgumentValueError, match="the task g3 takes no FILE"):
        find_task("g3").parts(1, coli)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(400, 1000))
def test_no_letter_of_a_genome_is_both_learned_from_and_tested_on(
    tmp_path_factory: pytest.TempPathFactory, seed: int, records: int, letters: int
) -> None:
    chance = random.Random(seed)
    texts = ["".join(chance.choices("ACGT", k=letters)) for _ in range(records)]
    path = tmp_path_factory.mktemp("fasta") / "some.fa"
    path.write_text("".join([f">{text[:9]}\n{text}\n" for text in texts]))
    parts = find_task("g3").parts_of_genome(path, seed)
    heads = [text[: letters * 4 // 5] for text in texts]
    tails = [text[letters * 4 // 5 :] for text in texts]
    learned = [*parts.train.symbols, *parts.validation.symbols]
    # Of each head all but a rest shorter than a window, in windows that occur in it.
    assert sum(map(len, learned)) > sum(map(len, heads)) - 12 * records - letters // 5
    assert all(any(window in head for head in heads) for window in learned)
    for data in (parts.test, *parts.longer.values()):
        assert all(any(window in tail for tail in tails) for window in data.symbols)
    for data in each(parts):
        assert [in_family(window) for window in data.symbols] == list(data.targets)


def test_windows_with_ambiguous_letters_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_text(">one\n" + "ACGTNACGTTGCA" * 40 + "ACGTTGCA" * 40)
    parts = find_task("g3").parts_of_genome(path, ambiguous="skip")
    assert all(set(window) <= set("ACGT") for window in parts.train.symbols)
    path.write_text(">one\nACGTTGCA\n>two\n" + "N" * 900 + "\n")
    with pytest.raises(ArgumentValueError, match="no record has a whole window of 20 letters"):
        find_task("g3").parts_of_genome(path, ambiguous="skip")
    with pytest.raises(ArgumentValueError, match="goes with the task g3, not parity"):
        find_task("parity").parts_of_genome(path)


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("g3", "agxt", "it: 'X' at position 3 is not one of 'ACGT'."),
        ("parity", "012", "it: '2' at position 3 is not one of '01'."),
        ("parity", "", "it is empty: there is nothing to read."),
        ("adding", " ", "it is empty: there is nothing to read."),
        ("adding", "0.5 [0.5", r"it: '\[0.5' at position 2 is not a number: write 0.5, or \[0.5\]"),
        ("adding", "0.5 nan", "it: 'nan' at position 2 is not a number"),
        ("adding", "0.5 1e999", "it: '1e999' at position 2 is not a number"),
    ],
)
def test_a_text_that_cannot_be_read(task: str, text: str, words: str) -> None:
    with pytest.raises((SymbolError, ArgumentValueError), match=words):
        find_task(task).encode(text, "it")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "reading must have the fields task, loss, alphabet."),
        ({"task": "g3"}, "reading must have the fields task, loss, alphabet."),
        ({"task": "g4", "loss": "x", "alphabet": "01"}, "TASK 'g4' is unknown: choose one of g3,"),
        ({"task": "g3", "loss": "x", "alphabet": 5}, "its reading is not that of the task g3."),
    ],
)
def test_a_reading_of_something_else(content: object, words: str) -> None:
    with pytest.raises(ArgumentValueError, match=words):
        task_of(content)


def test_what_an_output_says() -> None:
    counting, parity = find_task("counting"), find_task("parity")
    assert counting.answer(2.25) == {"output": 2.25}
    assert [counting.is_right(z, 2.0) for z in (1.4, 1.6, 2.4, 2.5)] == [False, True, True, False]
    assert list(parity.answer(-1.0).items()) == [
        *[("logit", -1.0), ("probability", pytest.approx(1 / (1 + math.e))), ("class", 0)]
    ]
    assert [parity.is_right(z, 1.0) for z in (-1.0, 0.0, 1.0)] == [False, False, True]
    assert [parity.is_right(z, 0.0) for z in (-1.0, 0.0, 1.0)] == [True, True, False]


def test_case_matters_where_the_alphabet_has_lower_case() -> None:
    language = Language("even a", "ab", [[1, 0], [0, 1]], [1, 0])
    task = Task("even", "an even number of a", language.sample, alphabet="ab")
    assert task.encode("ba") == [[0, 1], [1, 0]]
    with pytest.raises(SymbolError, match="text: 'B' at position 1 is not one of 'ab'"):
        task.encode("Ba")
    assert find_task("g3").encode("gA") == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_a_test_keeps_a_sequence_with_each_of_its_targets() -> None:
    texts = [text for text in map("".join, product("ACGT", repeat=2)) for _ in range(4)]
    data = Dataset([one_hot(text) for text in texts], [0, 1, 0, 1] * 16, classes=2)
    data.alphabet, data.names = "ACGT", ("a", "b")
    options = {"ambiguous": "error", "window": None, "stride": None}
    for part in Task.own(data, options).divided(data)[1:3]:
        assert Counter(part.targets) == {0.0: len(part) / 2, 1.0: len(part) / 2}
