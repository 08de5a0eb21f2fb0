"""The commands `train text` and `generate`, run as a user runs them."""

import io
import json
import math
import sys
from pathlib import Path

import pytest

from autograd_rnn import Stack, Text, generate, load_model

from .conftest import Runner, complaint

QUICK = ("--states", 4, "--streams", 4, "--truncate", 10, "--epochs", 2, "--engine", "numpy")
HOLDS_NONE = "does not hold a model of `autograd-rnn train text`:"
SONG = "là là la, so lang ist die Nacht\n" * 12


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.txt"
    path.write_text(SONG, "utf-8")
    return path


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt nothing of the letters a, b, é and the line break."""
    model = Stack.random("RNN", states=3, inputs=4, outputs=4, seed=2)
    model.alphabet = "\nabé"
    return model.save(tmp_path_factory.mktemp("model") / "writer.json")


def given_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_train_text_tells_what_its_model_does(run: Runner, tmp_path: Path, song: Path) -> None:
    path = tmp_path / "song.json"
    options = (*QUICK, "--cell", "lstm", "--seed", 3, "--save", path)
    result = run("train", "text", song, *options, "--json")
    assert (result.code, result.err) == (0, "")
    told = json.loads(result.out)
    assert [told[name] for name in ("task", "cell", "states", "epochs")] == ["text", "lstm", 4, 2]
    model, parts = load_model(path), Text(SONG).split(9, 1)
    assert model.alphabet == Text(SONG).alphabet
    for row, part in zip(told["parts"], parts, strict=True):
        bits, hits = [], 0
        for sequence, target in zip(*part.streams(4), strict=True):
            for step, goal in zip(model.unroll(sequence).steps, target, strict=True):
                logits = [z.data for z in step.output]
                bits.append(math.log2(sum(map(math.exp, logits))) - logits[goal] / math.log(2))
                hits += logits.index(max(logits)) == goal
        assert row["letters"] == len(bits)
        assert row["bits"] == pytest.approx(sum(bits) / len(bits))
        assert row["accuracy"] == hits / len(bits)
        seen = None if part is parts[0] else parts[0]
        assert row["from_letters"] == part.entropy(0, seen)
        assert row["from_pairs"] == part.entropy(1, seen)
    assert told["sample"] == generate(model, "", 300, 0.7, 3, backend="numpy")


def test_train_text_prints_a_table_and_a_sample(run: Runner, song: Path) -> None:
    result = run("train", "text", song, *QUICK, "--layers", 2)
    assert (result.code, result.err) == (0, "")
    assert "The next of 17 letters: 2 layers of gru of 4, 2 epochs" in result.out
    assert {row[0] for row in result.rows if row} >= {"training", "validation"}
    assert "A sample, at temperature 0.7:" in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_the_text_may_come_from_standard_input(
    run: Runner, tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for file, name in ((song, "a.json"), ("-", "b.json")):
        given_input(SONG.replace("\n", "\r\n").encode(), monkeypatch)
        assert run("train", "text", file, *QUICK, "--save", tmp_path / name).code == 0
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1]


def test_without_epochs_a_short_text_is_read_more_often(
    run: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograd_rnn.cli.text.UPDATES", 30)
    for length, epochs in ((1, 6), (5, 4)):
        song.write_text(SONG * length, "utf-8")
        options = ("--states", 2, "--streams", 3, "--truncate", 25, "--engine", "numpy")
        told = json.loads(run("train", "text", song, *options, "--json").out)
        assert told["epochs"] == epochs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["text"], "the task text needs FILE, a text in UTF-8, or - for standard input."),
        (["text", "missing.txt"], "missing.txt: No such file or directory"),
        (["text", "."], ".: Is a directory"),
        (["text", "empty.txt"], "empty.txt is empty: there is no letter to learn."),
        (["text", "latin.txt"], "latin.txt: byte 0xe0 at position 2, in line 1, is not UTF-8: sav"),
        (["text", "one.txt"], "the alphabet has one letter, 'a': there is nothing to learn in a"),
        (["text", "short.txt"], "the text has 99 letters, too few: 16 streams need 170 or more."),
        (["text", "song.txt", "--streams", "0"], "--streams must be 1 or more, not 0."),
        (["text", "song.txt", "--truncate", "0"], "--truncate must be 1 or more, not 0."),
        (["text", "song.txt", "--layers", "0"], "--layers must be 1 or more, not 0."),
        (["text", "song.txt", "--states", "0"], "--states must be 1 or more, not 0."),
        (["text", "song.txt", "--epochs", "0"], "--epochs must be 1 or more, not 0."),
        (["text", "song.txt", "--patience", "0"], "--patience must be 1 or more, not 0."),
        (["text", "song.txt", "--learning-rate", "0"], "--learning-rate must be over 0 and finite"),
        (["text", "song.txt", "--cell", "cnn"], "--cell 'cnn' is unknown: choose one of "),
        (["text", "song.txt", "--engine", "gpu"], "--engine 'gpu' is unknown: choose one of auto"),
        (["text", "song.txt", "--save", "no/m.json"], "there is no folder 'no' to write 'm.json'"),
        (["text", "song.txt", "--batch-size", "8"], "--batch-size does not go with the task text"),
        (["text", "song.txt", "--fasta", "a.fa"], "--fasta does not go with the task text."),
        (["text", "song.txt", "--ambiguous", "skip"], "--ambiguous does not go with the task"),
        (["parity", "--streams", "4"], "--streams goes with the task text."),
        (["parity", "--truncate", "4"], "--truncate goes with the task text."),
        (["texts", "song.txt"], "TASK 'texts' is unknown: choose one of g3, "),
    ],
)
def test_bad_input_to_train_text(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("song.txt").write_text(SONG, "utf-8")
    Path("latin.txt").write_text(SONG, "latin-1")
    Path("empty.txt").write_bytes(b"")
    Path("one.txt").write_text("a" * 200)
    Path("short.txt").write_text("abc" * 33)
    before = sorted(tmp_path.iterdir())
    assert complaint(run("train", *arguments)).startswith(words)
    assert sorted(tmp_path.iterdir()) == before


# --- generate ------------------------------------------------------------------------------------


def test_generate_prints_the_prompt_and_what_follows(
    run: Runner, writer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(writer)
    follows = generate(model, "aé", 40, 0.5, 9, backend="numpy")
    options = ("--length", 40, "--temperature", 0.5, "--seed", 9, "--engine", "numpy")
    result = run("generate", writer, "aé", *options)
    assert (result.code, result.err, result.out) == (0, "", f"aé{follows}\n")
    told = json.loads(run("generate", writer, "aé", *options, "--json").out)
    assert told == {"model": str(writer), "prompt": "aé", "text": follows}
    given_input("aé\r\n".encode(), monkeypatch)
    assert run("generate", writer, "-", *options).out == f"aé{follows}\n"
    result = run("generate", writer, "--length", 7)
    assert result.out == f"{generate(model, '', 7, 0.7)}\n"
    assert run("generate", writer, "ab", "--length", 0).out == "ab\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'MODEL'."),
        (["missing.json"], "missing.json: No such file or directory"),
        (["song.txt"], f"'song.txt' {HOLDS_NONE} Expecting"),
        (["writer.json", "abX"], "prompt: 'X' at position 3 is not one of '\\nabé'."),
        (["writer.json", "-"], "standard input is empty: there is no letter"),
        (["writer.json", "a", "--length", "-1"], "--length must be 0 or more, not -1."),
        (["writer.json", "a", "--temperature", "-1"], "--temperature must be 0 or more, not -1.0."),
        (["writer.json", "a", "--temperature", "nan"], "--temperature must be 0 or more, not nan."),
        (["writer.json", "a", "--temperature", "hot"], "Invalid value for '--temperature'"),
        (["writer.json", "a", "--engine", "gpu"], "--engine 'gpu' is unknown: choose one of auto"),
        (
            ["plain.json"],
            f"'plain.json' {HOLDS_NONE} it has no alphabet: assign model.alphabet before you save",
        ),
        (
            ["parity.json"],
            f"'parity.json' {HOLDS_NONE} it has no alphabet: `autograd-rnn predict` reads it.",
        ),
        (
            ["wrong.json"],
            f"'wrong.json' {HOLDS_NONE} alphabet has 2 letters, but the model has 4 inputs.",
        ),
        (["narrow.json", "a"], "a model that writes has an input and an output for each of two"),
    ],
)
def test_bad_input_to_generate(
    run: Runner,
    writer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given_input(b"", monkeypatch)
    content = json.loads(writer.read_text())
    Path("writer.json").write_text(json.dumps(content))
    Path("wrong.json").write_text(json.dumps({**content, "alphabet": "ab"}))
    del content["alphabet"]
    Path("plain.json").write_text(json.dumps(content))
    Path("parity.json").write_text(json.dumps({**content, "reading": {"task": "parity"}}))
    narrow = Stack.random("RNN", 2, 4, 1)
    narrow.alphabet = "abcd"
    narrow.save("narrow.json")
    Path("song.txt").write_text(SONG, "utf-8")
    assert complaint(run("generate", *arguments)).startswith(words)


def test_predict_says_which_command_reads_a_character_model(run: Runner, writer: Path) -> None:
    words = complaint(run("predict", writer, "ab"))
    assert words.endswith("it writes text: `autograd-rnn generate` reads it.")
