"""The commands `train` and `predict`, run as a user runs them."""

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import autograd_rnn.training.fit as training
from autograd_rnn import Model, bits, load_model, one_hot
from autograd_rnn.data import tasks
from autograd_rnn.data.tasks import TASKS, Settings, Task, dna_family, find_task
from autograd_rnn.networks.serialise import KINDS

from .conftest import Runner, complaint

QUICK = ("--epochs", 2, "--engine", "numpy")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer sequences, which take less time."""
    monkeypatch.setattr(tasks, "LONGER_SEQUENCES", 30)
    for name, task in TASKS.items():
        monkeypatch.setitem(TASKS, name, task._replace(sequences=200))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the task g3 by hand, whose logit is the number of G less 2.5."""
    path = tmp_path_factory.mktemp("model") / "g3.json"
    counts = {"kind": "RNN", "activation": "linear", "bias": False, "names": [["w"]] * 5}
    counts["weights"] = [[1.0], [0.0], [0.0], [1.0], [0.0]]
    readout = {"kind": "Linear", "bias": True, "weights": [[-2.5], [1.0]], "names": [["w"]] * 2}
    reading = {"task": "g3", "loss": "binary_cross_entropy", "alphabet": "ACGT"}
    path.write_text(
        json.dumps({"kind": "Stack", "layers": [counts, readout], "reading": reading}), "utf-8"
    )
    return path


def test_train_tells_what_its_model_does(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "parity.json"
    result = run("train", "parity", *QUICK, "--states", 3, "--seed", 5, "--save", path, "--json")
    assert (result.code, result.err) == (0, "")
    told = json.loads(result.out)
    assert [told[name] for name in ("task", "cell", "states", "epochs")] == ["parity", "rnn", 3, 2]
    model, parts = load_model(path), find_task("parity").parts(5)
    for row, data in zip(
        told["parts"],
        [parts.train, parts.validation, parts.test, *parts.longer.values()],
        strict=True,
    ):
        assert row["sequences"] == len(data)
        logits = [model.unroll(bits(text)).output.data for text in data.symbols]
        pairs = list(zip(logits, data.targets, strict=True))
        assert row["accuracy"] == sum((z > 0) == (goal == 1.0) for z, goal in pairs) / len(data)
        losses = [math.log1p(math.exp(-z if goal == 1.0 else z)) for z, goal in pairs]
        assert row["loss"] == pytest.approx(sum(losses) / len(data))
        yes = [z for z, goal in pairs if goal == 1.0]
        both = [(a > b) + (a == b) / 2 for a in yes for b, goal in pairs if goal != 1.0]
        assert row["auc"] == pytest.approx(sum(both) / len(both))
        found = sum(z > 0 for z in yes)
        assert row["recall"] == found / len(yes)
        taken = sum(z > 0 for z in logits)
        assert row["precision"] == (found / taken if taken else None)
        assert row["f1"] == 2 * found / (taken + len(yes))
    result = run("predict", path, "101", "0", "--json", "--engine", "python")
    for row, text in zip(json.loads(result.out)["sequences"], ("101", "0"), strict=True):
        z = model.unroll(bits(text)).output.data
        assert row["sequence"] == text
        assert row["logit"] == pytest.approx(z)
        assert row["probability"] == pytest.approx(1 / (1 + math.exp(-z)))
        assert row["class"] == int(z > 0)


@pytest.mark.parametrize(
    ("arguments", "words", "columns"),
    [
        (["g3"], "3 or more G: rnn of 4, 1 epoch", ["training", "160", "6", "to", "12"]),
        (["counting"], "the number of 1: rnn of 1, 1 epoch", ["length", "32", "30", "32"]),
        (["adding", "--cell", "gru"], "the sum of the two marked numbers: gru of 4", ["test"]),
    ],
)
def test_train_prints_a_table(
    run: Runner, arguments: list[str], words: str, columns: list[str]
) -> None:
    result = run("train", *arguments, "--epochs", 1, "--engine", "numpy")
    assert (result.code, result.err) == (0, "")
    assert words in result.out
    assert any(row[: len(columns)] == columns for row in result.rows)
    assert max(map(len, result.out.splitlines())) <= 80


def test_train_on_a_genome_and_on_promoters(
    run: Runner, tmp_path: Path, mitochondrion: Path, coli: Path
) -> None:
    path = tmp_path / "model.json"
    quick = (*QUICK, "--batch-size", 500, "--cell", "rnn", "--states", 2)
    result = run("train", "g3", "--fasta", mitochondrion, *quick, "--save", path)
    assert (result.code, result.err) == (0, "")
    assert any(row[:4] == ["length", "57", "58", "57"] for row in result.rows)
    assert f"Model: {path}" in result.out.replace("\n", "")
    result = run("train", "promoters", coli, *quick)
    assert any(row[:3] == ["test", "10", "57"] for row in result.rows)


def test_an_interrupted_training_is_resumed_to_the_same_model(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "parity", "--epochs", 3, "--engine", "numpy", "--save", "a model.json"]
    real: Callable[..., Any] = training.batches

    def interrupting(count: int, size: int, seed: int, epoch: int) -> Any:
        if epoch == 2:
            raise KeyboardInterrupt
        return real(count, size, seed, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(training, "batches", interrupting)
        result = run(*command)
        assert (result.code, result.out) == (130, "")
        assert result.err == (
            "autograd-rnn: interrupted; to resume: autograd-rnn train parity --epochs 3 "
            "--engine numpy --save 'a model.json'\n"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["a model.json.checkpoint"]
        result = run(*command[:-2])
        assert result.err == "autograd-rnn: interrupted; nothing is kept without --save MODEL.\n"
        assert result.code == 130
    words = "is of another training: seed is 0, here 1"
    assert words in complaint(run(*command, "--seed", 1))
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert "Resumed from a model.json.checkpoint, now deleted." in result.out
    assert "to use it: autograd-rnn predict 'a model.json' ..." in result.out
    assert "Resumed" not in run(*command[:-1], "b.json").out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a model.json", "b.json"]
    assert Path("a model.json").read_bytes() == Path("b.json").read_bytes()


def test_a_training_that_fails_leaves_the_model_that_was_there(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("precious")
    words = complaint(run("train", "counting", *QUICK, "--learning-rate", "1e300", "--save", path))
    assert "Lower the learning rate" in words
    assert path.read_text() == "precious"


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a package count as not installed."""
    found = "importlib.util.find_spec"
    monkeypatch.setattr(found, lambda name: None if name == package else name)


def test_warnings_are_a_line(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "llvmlite" else name
    )
    result = run("train", "parity", "--epochs", 1, "--states", 1)
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith("autograd-rnn: --engine auto takes 'numpy', since llvmlite is not")


def test_warnings_come_before_the_training(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "llvmlite" else name
    )
    monkeypatch.setattr("autograd_rnn.cli.fitting.fit", interrupted)
    warned, end = run("train", "parity", "--epochs", 1, "--states", 1).err.splitlines()
    assert "--engine auto takes 'numpy'" in warned
    assert "interrupted" in end


@pytest.mark.parametrize("save", [("--save=--m.json",), ("--save", "--m.json")])
def test_a_value_may_begin_with_dashes(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", "tomita1", "--epochs", 1, "--states", 1, *save)
    assert "to use it: autograd-rnn predict ./--m.json ..." in result.out
    assert run("predict", "./--m.json", "11").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["g4"], "TASK 'g4' is unknown: choose one of g3, tomita1, "),
        ([], "Missing argument 'TASK|DATA'."),
        (["g3", "--epoch", "5"], "No such option: --epoch"),
        (["g3", "--save", "--json"], "--save takes a value; to give it --json: --save=--json"),
        (["-", "a.fa", "-"], "- is standard input, which is read once: give it once."),
        (["promoters"], "the task promoters needs FILE, UCI's promoters.data."),
        (["promoters", "missing"], "missing: No such file or directory"),
        (["g3", "some.fa"], "the task g3 takes no FILE."),
        (["g3", "--cell", "cnn"], "--cell 'cnn' is unknown: choose one of "),
        (["g3", "--states", "0"], "--states must be 1 or more, not 0."),
        (["g3", "--epochs", "0"], "--epochs must be 1 or more, not 0."),
        (["g3", "--epochs", "x"], "Invalid value for '--epochs'"),
        (["g3", "--learning-rate", "-1"], "--learning-rate must be over 0 and finite, not -1.0."),
        (["g3", "--learning-rate", "nan"], "--learning-rate must be over 0 and finite, not nan."),
        (["g3", "--batch-size", "0"], "--batch-size must be 1 or more, not 0."),
        (["g3", "--patience", "0"], "--patience must be 1 or more, not 0."),
        (["g3", "--engine", "gpu"], "--engine 'gpu' is unknown: choose one of auto, "),
        (["g3", "--save", "no/m.json"], "there is no folder 'no' to write 'm.json' in."),
        (["g3", "--save", "."], ". is a folder: --save takes the name of a file."),
        (["g3", "--fasta", "missing.fa"], "missing.fa: No such file or directory"),
        (
            ["g3", "--fasta", "some.fa"],
            "some.fa: no record has a whole window of 20 letters in its",
        ),
        (["g3", "--fasta", "n.fa"], "n.fa: record 'one' has 'N' at position 4"),
        (["g3", "--ambiguous", "skip"], "--ambiguous goes with --fasta, or with your own data."),
        (["parity", "--fasta", "some.fa"], "a FASTA file goes with the task g3, not parity."),
    ],
)
def test_bad_input_to_train(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.fa").write_text(">one\nGATTACA\n")
    Path("n.fa").write_text(">one\nGATNACA\n")
    assert complaint(run("train", *arguments)).startswith(words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.fa", "some.fa"]


def test_a_task_from_outside(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mitochondrion: Path
) -> None:
    language = dna_family("A", 2)
    settings = Settings("lstm", 2, epochs=1)
    a2 = Task("a2", "2 or more A", language.sample, [3], [5], 60, language.label, alphabet="ACGT")
    monkeypatch.setitem(TASKS, "a2", a2._replace(settings=settings))
    told = run("train", "--help").out
    assert "a2: 2 or more A" in told
    assert "(g3, a2)" in " ".join(told.replace("│", " ").split())
    path = tmp_path / "a2.json"
    result = run("train", "a2", "--engine", "numpy", "--save", path)
    assert (result.code, result.err) == (0, "")
    assert "2 or more A: lstm of 2, 1 epoch" in result.out
    assert any(row[:4] == ["length", "5", "30", "5"] for row in result.rows)
    assert "2 or more A?" in run("predict", path, "GATTACA", "--engine", "python").out
    assert run("train", "a2", "--engine", "numpy", "--fasta", mitochondrion).code == 0
    monkeypatch.delitem(TASKS, "a2")
    assert "TASK 'a2' is unknown" in complaint(run("predict", path, "GATTACA"))


def test_a_kind_of_layer_from_outside_is_a_cell(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "Leaky", {})  # forgotten again after the test

    class Leaky(Model):
        def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
            vectors = state[0], self.sums(*weights, state[0] + x)
            return {"h": [(h + y) / 2 for h, y in zip(*vectors, strict=True)]}

    result = run("train", "parity", "--cell", "leaky", "--states", 2, *QUICK)
    assert (result.code, result.err) == (0, "")
    assert "an odd number of 1: leaky of 2" in result.out
    cells = complaint(run("train", "g3", "--cell", "cnn")).split("choose one of ")[1]
    assert {"rnn", "lstm", "gru", "leaky"} <= set(cells.rstrip(".").split(", "))


# --- predict -------------------------------------------------------------------------------------


def test_predict_prints_a_table(run: Runner, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("GGG\n\n  GGGG \n"))
    result = run("predict", saved, "gattaca", "-", "A" * 99, "--engine", "python")
    assert (result.code, result.err) == (0, "")
    assert "3 or more G?" in result.out
    for row in [
        *[["gattaca", "-1.5", "0.1824", "no"], ["GGG", "0.5", "0.6225", "yes"]],
        *[["GGGG", "1.5", "0.8176", "yes"], ["A" * 43 + "…", "-2.5", "0.0759", "no"]],
    ]:
        assert row in result.rows
    assert max(map(len, result.out.splitlines())) <= 80


def test_predict_reads_fasta(run: Runner, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_text(">one\nGGGAAAGG\n>two\nGG\n")
    engine = ("--engine", "python")
    result = run("predict", saved, "--fasta", path, "--window", 3, *engine)
    assert "3 or more G, windows of 3" in result.out
    assert ["one", "2", "1", "50.0", "%"] in result.rows
    assert ["two", "0", "0", "–"] in result.rows
    result = run("predict", saved, "--fasta", path, "--json", *engine)
    assert [list(row.values()) for row in json.loads(result.out)["sequences"]] == [
        ["one", 1, 8, "GGGAAAGG", 2.5, pytest.approx(1 / (1 + math.exp(-2.5))), 1],
        ["two", 1, 2, "GG", -0.5, pytest.approx(1 / (1 + math.exp(0.5))), 0],
    ]


def test_predict_on_a_genome_agrees_with_the_program(
    run: Runner, saved: Path, mitochondrion: Path
) -> None:
    result = run("predict", saved, "--fasta", mitochondrion, "--window", 20, "--engine", "numpy")
    assert ["MT_human", "828", "393", "47.5", "%"] in result.rows


def test_predict_a_number(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "adding.json"
    assert run("train", "adding", *QUICK, "--save", path).code == 0
    result = run("predict", path, "[0.25] 0.5 [.5]", "--json", "--engine", "python")
    z = load_model(path).unroll([[0.25, 1.0], [0.5, 0.0], [0.5, 1.0]]).output.data
    assert json.loads(result.out) == {
        "model": str(path),
        "task": "adding",
        "sequences": [{"sequence": "[0.25] 0.5 [.5]", "output": pytest.approx(z)}],
    }
    result = run("predict", path, "[0.25] 0.5 [.5]", "--engine", "python")
    assert ["[0.25]", "0.5", "[.5]", f"{z:.6g}"] in result.rows
    words = (
        "--fasta goes with a model that reads DNA, RNA or protein, not with one of the task adding."
    )
    assert complaint(run("predict", path, "--fasta", "some.fa")) == words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["g3.json", "GG", "GAX"], "sequence 2: 'X' at position 3 is not one of 'ACGT'."),
        (["g3.json", ""], "sequence 1 is empty: there is nothing to read."),
        (["g3.json"], "give either SEQUENCE arguments, - for lines, or --fasta FILE."),
        (["g3.json", "-"], "standard input is empty: there is nothing to read."),
        (["g3.json", "GG", "--fasta", "some.fa"], "give either SEQUENCE arguments, - for lines"),
        (["g3.json", "GG", "--window", "3"], "--window goes with --fasta."),
        (["g3.json", "GG", "--engine", "gpu"], "--engine 'gpu' is unknown: choose one of auto"),
        (["g3.json", "--fasta", "some.fa", "--window", "0"], "--window must be 1 or more, not 0."),
        (["g3.json", "--fasta", "some.fa", "--window", "9"], "some.fa: no record has a whole"),
        (["missing.json", "GG"], "missing.json: No such file or directory"),
        (["some.fa", "GG"], "'some.fa' does not hold a model of `autograd-rnn train`: Expecting"),
        (["plain.json", "GG"], "'plain.json' does not hold a model of `autograd-rnn train`"),
        (
            ["other.json", "GG"],
            "other.json: a model of 3 inputs and 1 output does not fit the task",
        ),
    ],
)
def test_bad_input_to_predict(
    run: Runner,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    content = json.loads(saved.read_text())
    Path("g3.json").write_text(json.dumps(content))
    content["layers"][0]["weights"].pop()
    content["layers"][0]["names"].pop()
    Path("other.json").write_text(json.dumps(content))
    load_model(saved).save("plain.json")
    Path("some.fa").write_text(">one\nGATTACA\n")
    assert complaint(run("predict", *arguments)).startswith(words)


def test_the_model_by_hand_is_one_that_counts(saved: Path) -> None:
    assert load_model(saved).unroll(one_hot("GATGG")).output.data == 0.5


def test_a_schedule_and_a_log(run: Runner, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rates = {}
    for name in ("constant", "cosine", "stepwise", "warm-up"):
        log.unlink(missing_ok=True)
        result = run("train", "parity", *QUICK, "--schedule", name, "--log", log)
        assert (result.code, result.err) == (0, "")
        lines = [line.split(",") for line in log.read_text().splitlines()]
        assert [line[0] for line in lines] == ["epoch", "1", "2"]
        rates[name] = [float(line[lines[0].index("learning_rate")]) for line in lines[1:]]
    first, last = rates["constant"]
    assert first == last
    assert all(rates[name][1] < first for name in ("cosine", "stepwise", "warm-up"))
    words = "--schedule 'linear' is unknown: choose one of constant, cosine, stepwise, warm-up."
    assert words in complaint(run("train", "parity", *QUICK, "--schedule", "linear"))
    log.write_text("mine")
    words = "is not a log that CSVLog wrote"
    assert words in complaint(run("train", "parity", *QUICK, "--log", log))
    assert log.read_text() == "mine"
