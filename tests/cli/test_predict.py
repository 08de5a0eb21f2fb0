"""Training on one's own data, `predict` and `evaluate`, run as a user runs them."""

import csv
import gzip
import io
import json
import random
import sys
from pathlib import Path

import pytest

from autograd_rnn import load_model, one_hot, softmax
from autograd_rnn.data.classics import read_marked_numbers

from .conftest import Runner, complaint

QUICK = ("--epochs", 2, "--states", 3, "--engine", "numpy")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of 60 sequences in three classes; two of the lines are not like the others."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(1)
    rows = ["name\tkind\tdna"]
    for k in range(60):
        text = "".join(chance.choices("ACGT", k=chance.randrange(5, 9)))
        rows.append(f"r{k}\t{'xyz'[k % 3]}\t{text}")
    rows += ["r60\tx\tGATN", "r61\ty\t"]
    path = tmp_path / "reads.tsv"
    path.write_bytes("\r\n".join(rows).encode("utf-8-sig"))
    return path


LENIENT = ("--ambiguous", "skip", "--bad-records", "skip")


def test_a_table_is_learned(run: Runner, table: Path) -> None:
    result = run("train", table, *QUICK, *LENIENT, "--save", "m.json")
    assert (result.code, result.err) == (0, "")
    assert "60 sequences of DNA ACGT" in result.out
    for row in [
        *[["x", "20", "33.3", "%"], ["Left", "out:", "1", "bad", "record."]],
        ["Left", "out:", "1", "sequence", "with", "ambiguous", "letters."],
    ]:
        assert row in result.rows
    assert "Accuracy" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    again = run("train", table, *QUICK, *LENIENT, "--save", "n.json", "--json")
    told = json.loads(again.out)
    assert Path("n.json").read_bytes() == Path("m.json").read_bytes()
    assert told["data"]["classes"] == {"x": 20, "y": 20, "z": 20}
    assert told["data"]["left_out"] == told["left_out"]
    test = told["test"]
    right = sum([row[f"as {row['class']}"] for row in test["classes"]])
    assert test["accuracy"] == pytest.approx(right / test["sequences"])
    assert test["majority"] == max(row["sequences"] for row in test["classes"]) / test["sequences"]
    reading = json.loads(Path("m.json").read_text())["reading"]
    assert reading == {
        **{"task": "own data", "loss": "cross_entropy", "alphabet": "ACGT"},
        **{"classes": ["x", "y", "z"], "ambiguous": "skip", "window": None, "stride": None},
    }


def test_the_model_predicts_with_what_its_file_says(
    run: Runner, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train", table, *QUICK, *LENIENT, "--window", 4, "--save", "m.json").code == 0
    model = load_model("m.json")
    monkeypatch.setattr(sys, "stdin", io.StringIO("acgu\nGANA\n"))
    told = json.loads(run("predict", "m.json", "GATTA", "-", "--json").out)
    assert told["skipped"] == 1
    assert [row["sequence"] for row in told["sequences"]] == ["GATTA", "acgu"]
    for row, text in zip(told["sequences"], ("GATTA", "ACGT"), strict=True):
        (outputs,) = model.compile("cross_entropy", backend="python").predict([one_hot(text)])
        shares = softmax(outputs)  # type: ignore[arg-type]
        assert list(row["probabilities"].values()) == pytest.approx(shares)
        assert row["class"] == max(row["probabilities"], key=row["probabilities"].get)
    Path("two.fa").write_text(">one\nGATTACAGG\n>bad\n\n>two\nggg\n")
    words = complaint(run("predict", "m.json", "--fasta", "two.fa"))
    assert words.startswith("two.fa: record 'bad' holds no sequence. ")
    assert "--bad-records skip" in words
    fasta = ("--fasta", "two.fa", "--bad-records", "skip")
    told = json.loads(run("predict", "m.json", *fasta, "--stride", 2, "--json").out)
    assert [(row["record"], row["start"], row["end"]) for row in told["sequences"]] == [
        *[("one", 1, 4), ("one", 3, 6), ("one", 5, 8)]
    ]
    assert told["bad_records"] == ["two.fa: record 'bad' holds no sequence."]
    rows = list(csv.DictReader(io.StringIO(run("predict", "m.json", *fasta, "--csv").out)))
    assert [row["sequence"] for row in rows] == ["GATT", "ACAG"]
    assert sum(float(rows[0][f"probability of {name}"]) for name in "xyz") == pytest.approx(1)
    result = run("predict", "m.json", *fasta)
    assert "windows of 4" in result.out
    assert "Bad records left out: 1" in result.out
    assert result.rows[5][:2] == ["one", "2"]


def test_evaluate(run: Runner, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("train", table, *QUICK, *LENIENT, "--save", "m.json").code == 0
    lenient = ("--bad-records", "skip")
    told = json.loads(run("evaluate", "m.json", table, *lenient, "--json").out)
    assert told["sequences"] == 60
    assert told["majority"] == pytest.approx(1 / 3)
    rows = list(
        csv.DictReader(io.StringIO(run("evaluate", "m.json", table, *lenient, "--csv").out))
    )
    assert [int(row["sequences"]) for row in rows] == [20, 20, 20]
    result = run("evaluate", "m.json", table, *lenient)
    assert "always the largest class: 33.3 %." in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    packed = gzip.compress(table.read_bytes())
    with io.TextIOWrapper(io.BytesIO(packed)) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run("evaluate", "m.json", "-", *lenient).rows[3:] == result.rows[3:]
    Path("one.csv").write_text("sequence,label\nGAT,q\n")
    words = "one.csv: line 2: the label 'q' is none of the model's classes, 'x', 'y', 'z'."
    assert complaint(run("evaluate", "m.json", "one.csv")) == words


def test_a_file_to_predict(run: Runner, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("train", table, *QUICK, *LENIENT, "--save", "m.json").code == 0
    content = b"\xef\xbb\xbfid,dna\r\na,gattaca\r\nb,\r\nc,GGNU\r\n"
    Path("some.csv").write_bytes(content)
    words = complaint(run("predict", "m.json", "some.csv"))
    assert words.startswith("some.csv: line 3 has no sequence. ")
    strict = ("--bad-records", "skip", "--ambiguous", "error", "--json")
    bad = json.loads(run("predict", "m.json", "some.csv", *strict).out)["bad_records"]
    assert bad[1].startswith("some.csv: line 4: 'N' at position 3 is not one of 'ACGT'.")
    told = json.loads(run("predict", "m.json", "some.csv", "GAT", *LENIENT, "--json").out)
    assert [row["sequence"] for row in told["sequences"]] == ["gattaca", "GAT"]
    assert (told["sequences"][0]["line"], told["skipped"]) == (2, 1)
    assert told["bad_records"] == ["some.csv: line 3 has no sequence."]
    by_name = run("predict", "m.json", "GATTACA", "--csv").out.splitlines()[1].partition(",")[2]
    for packed in (content, gzip.compress(content), b">r\nGATTACA\n"):
        with io.TextIOWrapper(io.BytesIO(packed)) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            rows = run("predict", "m.json", "-", *LENIENT, "--csv").out.splitlines()
        assert rows[1].endswith(by_name)
    Path("some.fa").write_text(">r\nGATTACA\n")
    by_option = run("predict", "m.json", "--fasta", "some.fa")
    assert run("predict", "m.json", "some.fa").out == by_option.out
    mixed = run("predict", "m.json", "GATTACA", "some.fa", "some.csv", *LENIENT, "--csv")
    places = [row.split(",")[:5] for row in mixed.out.splitlines()[1:]]
    assert places[:2] == [["", "", "", "", "GATTACA"], ["r", "1", "7", "", "GATTACA"]]
    assert places[2][3:] == ["2", "gattaca"]
    assert run("classify", "some.csv", "--ambiguous", "zeros").code == 2
    Path("some.csv").write_text("dna\nGAT\nGGG\n")
    assert ["GGG", "yes", "yes"] in run("classify", "some.csv").rows


def test_numbers_are_learned_in_their_own_units(run: Runner, table: Path) -> None:
    chance = random.Random(3)
    rows = [[chance.randrange(1000) for _ in range(4)] for _ in range(80)]
    lines = [f"{' '.join(map(str, row))},{5000.5 + row[-1]}" for row in rows]
    Path("n.csv").write_text("numbers,value\n" + "\n".join(lines))
    train = ("train", "n.csv", "--epochs", 12, "--states", 4, "--engine", "numpy")
    result = run(*train, "--learning-rate", 0.05, "--save", "n.json")
    assert (result.code, result.err) == (0, "")
    assert "numbers to predict" in result.out
    assert "--targets classes" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    model = load_model("n.json")
    told = json.loads(run("evaluate", "n.json", "n.csv", "--json").out)
    mine = [model.unroll([[x] for x in row]).output.data for row in rows]
    goals = [5000.5 + row[-1] for row in rows]
    mean = sum(goals) / 80
    network, always = told["answers"]
    off_by = sum(abs(z - goal) for z, goal in zip(mine, goals, strict=True)) / 80
    assert network["off_by"] == pytest.approx(off_by)
    assert always["off_by"] == pytest.approx(sum(abs(mean - goal) for goal in goals) / 80)
    assert network["off_by"] < 0.5 * always["off_by"]
    told = json.loads(run("predict", "n.json", "1, 2, 999", "--json").out)
    z = model.unroll([[1], [2], [999]]).output.data
    assert told["sequences"][0]["output"] == pytest.approx(z)


@pytest.mark.parametrize("header", ["sequence,label\n", ""])
def test_numbers_that_are_marked_are_tested_beside_the_mean(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model("adding", "squared_error", None, 2)
    rows = {"[0.5] 0.1 [0.25]": 0.75, "0.9 [1] 0 [1]": 2.0, "[.5] [.5]": 1.0}
    text = header + "".join([f"{row},{goal}\n" for row, goal in rows.items()])
    Path("marked.csv").write_text(text)
    told = json.loads(run("evaluate", "adding.json", "marked.csv", "--json").out)
    model = load_model("adding.json")
    found = [model.unroll(read_marked_numbers(row, "row")).output.data for row in rows]
    off = [abs(z - goal) for z, goal in zip(found, rows.values(), strict=True)]
    network, always = told["answers"]
    assert network["off_by"] == pytest.approx(sum(off) / 3)
    assert network["root_mean_square"] == pytest.approx((sum(x * x for x in off) / 3) ** 0.5)
    assert always["off_by"] == pytest.approx((0.5 + 0.75 + 0.25) / 3)
    result = run("evaluate", "adding.json", "marked.csv")
    assert ["always", "the", "mean", "0.5", "0.5401"] in result.rows
    Path("marked.csv").write_text(text + "0.5 [1] 0,1\n")
    words = f"marked.csv: line {len(rows) + bool(header) + 1}: 1 of its numbers are marked, not two"
    assert complaint(run("evaluate", "adding.json", "marked.csv")).startswith(words)
    skipped = run("evaluate", "adding.json", "marked.csv", "--bad-records", "skip", "--json")
    assert json.loads(skipped.out)["left_out"] == {"bad records": 1}


def test_long_names_of_classes_leave_no_room_for_the_confusion(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for length in (3, 30):
        names = [f"{'species'[:length]}{k}{'x' * (length - 7)}" for k in range(3)]
        rows = [f"{'ACG'[k]}{'T' * j}G,{names[k]}" for k in range(3) for j in range(10)]
        Path("s.csv").write_text("\n".join(["sequence,label", *rows]))
        result = run("train", "s.csv", *QUICK)
        assert (result.code, result.err) == (0, "")
        assert max(map(len, result.out.splitlines())) <= 80
        assert (f"as {names[0]}" in result.out) == (length == 3)
        assert f"{names[0]} " in result.out


def write_model(task: str, loss: str, alphabet: str | None, inputs: int) -> None:
    """A file of a model with one linear state for a task."""
    weights = {"weights": [[1.0]] * (inputs + 1), "names": [["w"]] * (inputs + 1)}
    layer = {"kind": "RNN", "activation": "linear", "bias": False, **weights}
    readout = {"kind": "Linear", "bias": True, "weights": [[-2.5], [1.0]], "names": [["w"]] * 2}
    reading = {"task": task, "loss": loss, "alphabet": alphabet}
    content = {"kind": "Stack", "layers": [layer, readout], "reading": reading}
    Path(f"{task}.json").write_text(json.dumps(content))


def test_classes_in_fasta_files(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(2)
    for name in ("mouse", "human"):
        Path(f"{name}.fa").write_text(f">{name}\n{''.join(chance.choices('acgt', k=800))}\n")
    cut = ("--window", 10, "--reverse-complement")
    result = run("train", "mouse.fa", "human.fa", *QUICK, *cut, "--save", "m.json")
    assert (result.code, result.err) == (0, "")
    assert ["human", "160", "50.0", "%"] in result.rows
    result = run("predict", "m.json", "--fasta", "mouse.fa")
    assert result.rows[3] == ["record", "windows", "human", "mouse"]
    assert "windows of 10" in result.out
    assert result.rows[5][:2] == ["mouse", "80"]
    assert run("evaluate", "m.json", "mouse.fa", "human.fa").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "reads"], "TASK 'reads' is unknown: choose one of g3, tomita1, "),
        (["train", "missing.csv"], "missing.csv: there is no such file to learn from."),
        (["train", "soft.fa"], "soft.fa is FASTA, which has no labels: give two files or more"),
        (["train", "reads.tsv"], "reads.tsv: line 63 has no sequence. To leave such lines out: "),
        (["train", "reads.tsv", "--label", "9"], "--label must be 3 or less, not 9."),
        (["train", "few.csv"], "2 sequences cannot be divided into training, validation and test"),
        (["train", "reads.tsv", "--fasta", "soft.fa"], "--fasta goes with a task; FASTA files of"),
        (["train", "parity", "--alphabet", "DNA"], "--alphabet goes with your own data, not with"),
        (["train", "parity", "a", "b"], "the task parity takes one FILE at most: b is one too"),
        (["train", "reads.tsv", "--ambiguous", "drop"], "--ambiguous 'drop' is unknown: choose"),
        (["train", "reads.tsv", "--stride", "0"], "--stride must be 1 or more, not 0."),
        (["classify", "soft.fa"], "soft.fa is a file: did you mean classify --fasta soft.fa?"),
        (["classify", "lost.fasta"], "lost.fasta is not a sequence, and there is no such file."),
        (["classify", "GANG"], "sequence: 'N' at position 3 is not one of 'ACGT'. 'N' stands for"),
        (["predict", "g3.json", "lost.csv"], "lost.csv is not a sequence, and"),
        (["predict", "g3.json", "GANG"], "sequence 1: 'N' at position 3 is not one of 'ACGT'."),
        (["predict", "g3.json", "GNG", "--ambiguous", "skip"], "every sequence has ambiguous"),
        (["predict", "g3.json", "GG", "--stride", "2"], "--stride goes with --fasta."),
        (["predict", "adding.json", "101"], "sequence 1: 0 of its numbers are marked, not two:"),
        (["evaluate", "adding.json", "reads.tsv"], "reads.tsv: line 63 has no sequence. "),
    ],
)
def test_refusals(run: Runner, table: Path, arguments: list[str], words: str) -> None:
    Path("soft.fa").write_text(">r\ngattaca\n")
    Path("few.csv").write_text("GAT,a\nCC,b\n")
    write_model("g3", "binary_cross_entropy", "ACGT", 4)
    write_model("adding", "squared_error", None, 2)
    assert complaint(run(*arguments)).startswith(words)


def test_classify_reads_all_that_biologists_write(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_bytes(b"\xef\xbb\xbf>rna\r\ngggu\r\n>gap\r\nG-GG\r\n>bad\r\nG!G\r\n>n\r\nNNGG\r\n")
    words = complaint(run("classify", "--fasta", path))
    assert "record 'gap' has '-' at position 2" in words
    assert "--ambiguous zeros reads" in words
    fasta = ("classify", "--fasta", path, "--bad-records", "skip")
    told = json.loads(run(*fasta, "--ambiguous", "zeros", "--json").out)
    assert [(row["record"], row["in_family"]) for row in told["records"]] == [
        *[("rna", 1), ("gap", 1), ("n", 0)]
    ]
    (bad,) = told["bad_records"]
    assert "record 'bad' has '!' at position 2" in bad
    result = run(*fasta, "--ambiguous", "skip", "--window", 2)
    assert ["gap", "1", "1", "0", "0.0", "%", "1"] not in result.rows
    assert any(row[:2] == ["gap", "1"] for row in result.rows)
    assert "Bad records left out: 1" in result.out
    assert ["GGNG", "yes", "yes"] in run("classify", "GGNG", "--ambiguous", "zeros").rows
