"""The commands of the lecture's exercise, run as a user runs them."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autograd_rnn import LSTM, Stack, bits, exercises, gradients
from autograd_rnn.ops.losses import as_loss

from .conftest import Runner, complaint

SHEET = exercises(2, kinds=["copies"], seed=1)


def test_the_exercise(run: Runner) -> None:
    result = run("exercise", "101", "15")
    assert (result.code, result.err) == (0, "")
    for row in [
        *[["1", "1", "0", "1", "1", "1"], ["2", "0", "4", "0", "4", "4"]],
        *[["3", "1", "16", "1", "17", "–"]],
        *[["ẇ₁", "1", "64", "0", "0"], ["ẅ₁", "2", "16", "1", "16"], ["w⃛₁", "3", "4", "4", "16"]],
        *[["∂L/∂w₁", "=", "32"], ["∂L/∂w₂", "=", "68"]],
        *[["ẇ₂", "1", "64", "1", "64"], ["ẅ₂", "2", "16", "0", "0"], ["w⃛₂", "3", "4", "1", "4"]],
    ]:
        assert row in result.rows
    assert "L = (y − π⃛)² = (15 − 17)² = (−2)² = 4" in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_other_weights_and_activations(run: Runner) -> None:
    result = run("exercise", "11", "-3", "--weights", "-2", "1", "--activation", "linear")
    assert "(w₁, w₂) = (−2, 1)" in result.out
    assert "L = (y − π̈)² = (−3 − (−1))² = (−2)² = 4" in result.out
    assert ["∂L/∂w₁", "=", "4"] in result.rows
    result = run("exercise", "1", "0.5", "--activation", "tanh", "--weights", "0.25", "1e-9")
    assert "1×10⁻⁹" in result.out


def test_large_whole_numbers_print_as_whole_numbers(run: Runner) -> None:
    result = run("exercise", "1111111", "0", "--weights", "10", "1")
    assert ["∂L/∂w₁", "=", "1207901208642"] not in result.rows  # that would be with step 7 alone
    pi = 1111111
    slope = sum((7 - j) * 10 ** (6 - j) for j in range(1, 7))
    assert ["∂L/∂w₁", "=", str(2 * pi * slope)] in result.rows


@pytest.mark.parametrize("format", ["svg", "png", "pdf", "dot"])
def test_save(run: Runner, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"exercise.{format}"
    result = run("exercise", "101", "15", "--save", path)
    assert (result.code, result.err) == (0, "")
    assert f"Picture: {path}" in result.out.replace("\n", "")
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph autograd_rnn"}
    assert path.read_bytes().startswith(starts[format])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1x1", "15"], "bits: 'x' at position 2 is not one of '01'."),
        (["", "15"], "BITS is empty: L needs the last π, so give one bit or more."),
        (["101", "many"], "TARGET must be a finite number, not 'many'."),
        (["101", "nan"], "TARGET must be a finite number, not 'nan'."),
        (["101", "15", "--weights", "inf", "1"], "W1 must be a finite number, not 'inf'."),
        (["101"], "Missing argument 'TARGET'."),
        (
            ["101", "15", "--activation", "cosine"],
            "--activation 'cosine' is unknown: choose one of",
        ),
        (["101", "15", "--wights", "4", "1"], "No such option: --wights. Did you mean --weights?"),
        (["101", "15", "--save", "a.gif"], "a.gif: format 'gif' is unknown: choose one of svg, "),
        (["101", "15", "--save", "picture"], "picture: the file name has no ending: choose one of"),
        (["101", "15", "--save", "no/a.svg"], "there is no folder 'no' to write 'a.svg' in."),
    ],
)
def test_bad_input_to_exercise(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint(run("exercise", *arguments)).startswith(words)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="folders have no write permission there")
def test_a_folder_that_cannot_be_written() -> None:
    # To root nothing is closed, so there the program becomes somebody else, once all is loaded.
    code = (
        "import contextlib, io, os, autograd_rnn.cli.app as cli\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    cli.app(['exercise', '1', '1'], standalone_mode=False)\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "cli.main()"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        path = Path(folder, "a.dot")
        result = subprocess.run(
            [sys.executable, "-c", code, "exercise", "101", "15", "--save", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert os.listdir(folder) == []
        Path(folder).chmod(0o755)
    (line,) = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert line == f"autograd-rnn: {path}: Permission denied"


def test_the_picture_of_a_long_exercise_has_a_card_per_step(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "long.svg"
    assert run("exercise", "1" * 60, "15", "--weights", "0.5", "1", "--save", path).code == 0
    assert ">53 steps<" in path.read_text("utf-8")


# --- draw and play ------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["svg", "png", "pdf", "html", "dot"])
def test_draw_writes_every_format(run: Runner, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"graph.{ending}"
    result = run("draw", "101", "15", path)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{path}: L = 4, 25 boxes, 6 copies of w₁ and w₂\n"
    assert path.stat().st_size > 1000


def test_draw_names_the_file_of_each_page(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    result = run("draw", "101", "15", path, "--width", "a4", "--detail", "scalar")
    assert (result.code, result.err) == (0, "")
    files = [tmp_path / f"graph-{page}.svg" for page in (1, 2, 3)]
    assert result.out.startswith(f"{', '.join(map(str, files))}: L = 4, ")
    assert sorted(tmp_path.iterdir()) == files


def test_draw_takes_weights_detail_focus_and_theme(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "graph.dot"
    for options, words in [
        (["--focus", "w2"], "3 copies of w₂"),
        (["--detail", "step"], "with the copies of w₁ and w₂"),
        (["--detail", "step", "--focus", "w1"], "with the copies of w₁\n"),
        (["--detail", "neuron"], "unrolled over 3 steps"),
        (["--weights", "-2", "0.5", "--activation", "tanh"], "6 copies"),
    ]:
        result = run("draw", "101", "15", path, *options)
        assert (result.code, result.err) == (0, "")
        assert words in result.out
    run("draw", "10", "1", path, "--theme", "dark")
    assert "#12181f" in path.read_text("utf-8")


def test_play_writes_a_page(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    result = run("play", "101", "15", path, "--focus", "w1")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{path}: 25 steps; open it in a browser.\n"
    assert "copy ẅ₁ adds ∂L/∂(ẅ₁·q̇) · q̇ = 16·1 = 16, ∂L/∂w₁ so far 32" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("draw", "102", "15", "x.svg"), "bits: '2' at position 3 is not one of '01'."),
        (("draw", "101", "15", "x.gif"), "choose one of svg, png, pdf, dot, html."),
        (
            ("draw", "101", "15", "x.svg", "--focus", "w3"),
            "--focus 'w3' is unknown: choose one of w1, w2.",
        ),
        (("draw", "101", "15", "x.svg", "--detail", "all"), "detail 'all' is unknown: choose one"),
        (("draw", "101", "15", "x.svg", "--theme", "red"), "theme 'red' is unknown: choose one"),
        (("draw", "", "15", "x.svg"), "BITS is empty"),
        (("draw", "1" * 90, "1", "x.svg", "--detail", "scalar"), "more than 300: draw one weight"),
        (("play", "101", "15", "x.svg"), "x.svg: format 'svg' is unknown: choose one of html."),
        (("play", "101", "x", "x.html"), "TARGET must be a finite number, not 'x'"),
        (("play", "101", "15", "no/x.html"), "there is no folder 'no'"),
        (("derive", "102", "15"), "bits: '2' at position 3 is not one of '01'."),
        (("derive", "101", "15", "--by", "w3"), "--by 'w3' is unknown: choose one of w1, w2."),
        (
            ("derive", "101", "15", "--through", "pi"),
            "--through 'pi' is unknown: choose one of copies, minimum.",
        ),
        (
            ("derive", "101", "15", "x.docx"),
            "format 'docx' is unknown: choose one of txt, md, tex, html.",
        ),
        (("derive", "101", "15", "no/x.md"), "there is no folder 'no'"),
        (("derive", "101", "1e400"), "TARGET must be a finite number"),
        (("derive", "101", "1", "--weights", "1e200", "1e200"), "has no finite number"),
        (("derive", "1" * 250, "1"), "would define 500 quantities, more than 400"),
        (("exercises", "x.pdf"), "choose one of txt, md, tex, html, xml, zip."),
        (("exercises", "--count", "0"), "--count must be 1 or more"),
        (("exercises", "--steps", "1"), "--steps must be 2 or more"),
        (("exercises", "--activation", "relU"), "activation 'relU' is unknown"),
        (
            ("exercises", "--count", "99", "--level", "2", "--kind", "vanishing"),
            "different exercises were found",
        ),
        (("exercises", "--kind", "rnn"), "--kind 'rnn' is unknown: choose one of copies"),
        (("exercises", "--level", "4"), "--level must be 3 or less"),
        (("exercises", "--copies", "0"), "copies must be 1 or more"),
        (("exercises", "--code", "ABC"), "code 'ABC' is not that of a sheet"),
        (("grade",), "CODE is missing: it is printed on the sheet. Or use --csv."),
        (("grade", "ABC", "1"), "code 'ABC' is not that of a sheet"),
        (("grade", SHEET.code), "answers has 0 entries, but the sheet has 2 exercises"),
        (("grade", SHEET.code, "1", "x"), "'x' is not a number such as -6 or 1/512."),
        (("grade", SHEET.code, "1", "--csv", "x.csv"), "CODE and --csv exclude each other"),
        (("grade", "--csv", "none.csv"), "none.csv"),
    ],
)
def test_writing_commands_refuse_in_one_line(
    run: Runner,
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in complaint(run(*arguments))
    assert list(tmp_path.iterdir()) == []


# --- derive and exercises ------------------------------------------------------------------------


def test_the_playground_says_how_it_is_built(run: Runner, tmp_path: Path) -> None:
    words = complaint(run("playground", tmp_path))
    assert f"python docs/playground/build.py {tmp_path}" in words
    assert "--port must be 65535 or less" in complaint(run("playground", "--port", "99999"))


def test_derive_prints_the_derivation(run: Runner) -> None:
    result = run("derive", "101", "15")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        Path(__file__).parents[1] / "derivation" / "golden" / "exercise.text"
    ).read_text("utf-8")
    result = run(
        "derive", "101", "15", "--by", "w2", "--weights", "-2", "1", "--through", "minimum"
    )
    assert "∂L/∂w₂ = ∂L/∂π⃛·dπ⃛/dw₂" in result.out
    result = run("derive", "11", "-1", "--activation", "linear")
    assert result.out.splitlines()[-1].strip().endswith("= 12")


@pytest.mark.parametrize("ending", ["txt", "md", "tex", "html"])
def test_derive_writes_every_format(run: Runner, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"solution.{ending}"
    result = run("derive", "101", "15", path)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{path}: ∂L/∂w₁\n"
    assert "32" in path.read_text("utf-8")


def test_exercises_make_a_sheet(run: Runner, tmp_path: Path) -> None:
    result = run("exercises", "--count", "10", "--seed", "7", "--steps", "3")
    assert (result.code, result.err) == (0, "")
    assert re.findall(r"^([0-9]+)\. ", result.out, re.MULTILINE) == list(map(str, range(1, 11)))
    assert result.out == run("exercises", "--count", "10", "--seed", "7", "--steps", "3").out
    path = tmp_path / "sheet.tex"
    options = ["--states", "2", "--activation", "tanh", "--solutions"]
    result = run("exercises", path, "--count", "2", *options)
    assert (result.code, result.err) == (0, "")
    assert path.read_text("utf-8").count(r"\section*{Solution") == 2


def test_exercises_of_a_kind_for_each_student(run: Runner, tmp_path: Path) -> None:
    options = ["--kind", "copies", "--kind", "choice", "--level", "2", "--count", "2"]
    result = run("exercises", tmp_path / "a.xml", *options, "--copies", "2")
    assert (result.code, result.err) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"a-01.xml", "a-02.xml"}
    codes = re.findall(r": (\S+)$", result.out, re.MULTILINE)
    assert len(set(codes)) == 2
    again = run("exercises", "--code", codes[1])
    assert f"Sheet {codes[1]}" in again.out


def test_grade_names_the_slip(run: Runner) -> None:
    right = [",".join(map(str, answers)) for answers in SHEET.answers]
    result = run("grade", SHEET.code, *right)
    assert (result.code, result.out) == (0, "2 of 2 points\n")
    field = SHEET.questions[1].fields[-1]
    mistake = field.mistakes[0]
    result = run("grade", SHEET.code, right[0], str(mistake.value))
    assert result.out.startswith("1 of 2 points\n2")
    assert mistake.words in result.out


def test_grade_reads_a_table(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    first, second = [str(answers[-1]) for answers in SHEET.answers]
    rows = [f"Ada,{SHEET.code},{first},{second}", f"Bo,{SHEET.code},{first},", ""]
    path.write_text("\n".join(["name,code,1,2", *rows]), "utf-8")
    result = run("grade", "--csv", path)
    assert (result.code, result.err) == (0, "")
    ada, bo = [line for line in result.out.splitlines() if line[:4] in ("Ada:", "Bo: ")]
    assert ada == "Ada: 2 of 2"
    assert bo.startswith("Bo: 1 of 2; 2")
    for text, words in [
        ("name,1\n", "the first line must name the columns: code, name, 1, 2, ..., each once."),
        ("code,1\nABC\n", "line 2: 1 cells for 2 columns."),
        ("code,1\nABC,1\n", "code 'ABC' is not that of a sheet"),
    ]:
        path.write_text(text, "utf-8")
        assert words in complaint(run("grade", "--csv", path))
    path.write_text(f"name,code,1,2\nBo,{SHEET.code},x,1\n{rows[0]}\n", "utf-8")
    result = run("grade", "--csv", path)
    assert (result.code, result.err) == (1, "autograd-rnn: 1 row not marked.\n")
    assert [line[:15] for line in result.out.splitlines()] == ["Bo: not marked:", "Ada: 2 of 2"]
    path.write_bytes(b"\xff\xfe")
    assert "is not a table in UTF-8" in complaint(run("grade", "--csv", path))


def test_other_networks_are_drawn_derived_and_played(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("draw", "101", "2", "a.svg", "--cell", "lstm", "--states", 2, "--focus", "w5")
    assert (result.code, result.err) == (0, "")
    assert "unrolled over 3 steps" in result.out
    model = Stack.random("GRU", 1, 1, 1, seed=3)
    model.save("m.json")
    result = run("derive", "10", "0.5", "--model", "m.json", "--by", "w2")
    assert (result.code, result.err) == (0, "")
    loss = (0.5 - model.unroll(bits("10")).output) ** 2
    (slope,) = gradients(loss, [model.parameters()[1]])
    assert f"{slope:.6g}"[:7] in result.out.replace("\u2212", "-")
    assert run("play", "10", "1", "p.html", "--cell", "rnn", "--states", 1).code == 0
    reading = {"task": "parity", "loss": "binary_cross_entropy", "alphabet": "01"}
    Path("t.json").write_text(json.dumps({**model.to_dict(), "reading": reading}))
    assert run("play", "10", "1", "q.html", "--model", "t.json").code == 0
    result = run("exercise", "10", "1", "--model", "t.json", "--focus", "w2", "--save", "e.svg")
    assert (result.code, result.err) == (0, "")
    loss = as_loss("binary_cross_entropy")(model.unroll(bits("10")).output, 1)
    (slope,) = gradients(loss, [model.parameters()[1]])
    shown = result.out.replace("\u2212", "-")
    assert f"L = {loss.data:.6g}, ∂L/∂w₂ = {slope:.6g}" in shown
    assert ["sum", f"{slope:.6g}"] in [line.split() for line in shown.splitlines()]
    assert Path("e.svg").is_file()


def test_the_exercise_of_letters_and_of_one_weight(run: Runner, tmp_path: Path) -> None:
    model, path = Stack.random("GRU", 3, 4, 1, seed=1), tmp_path / "g3.json"
    model.alphabet = "ACGT"
    model.save(path)
    result = run("exercise", "GAT", "1", "--model", path)
    assert (result.code, result.err) == (0, "")
    assert "terms of w₁" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    result = run("exercise", "101", "15", "--focus", "w2")
    assert ["∂L/∂w₂", "=", "68"] in result.rows
    assert "∂L/∂w₁" not in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "2,3", "--save", "a.svg"], "W1 must be a finite number, not '2,3'. --wei"),
        (["--weights", "2", "--save"], "W2 must be a finite number, not '--save'. --weights"),
    ],
)
def test_the_right_argument_is_blamed(run: Runner, arguments: list[str], words: str) -> None:
    assert complaint(run("exercise", "101", "15", *arguments)).startswith(words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1", "--cell", "cnn"], "--cell 'cnn' is unknown: choose one of "),
        (["1", "--cell", "rnn", "--states", "0"], "--states must be 1 or more, not 0."),
        (["1", "--states", "3"], "--states goes with --cell."),
        (["1", "--cell", "rnn", "--weights", "1", "2"], "--weights is of the exercise's network"),
        (["1", "--cell", "rnn", "--model", "m.json"], "--cell does not go with --model"),
        (["1", "--model", "two.json"], "the network has 2 outputs, but TARGET is one number"),
        (["1", "--model", "wide.json"], "BITS is read as vectors of 1, but the network has 3 in"),
        (["2", "--model", "t.json"], "TARGET '2' is unknown: choose one of 0, 1."),
        (["1", "--cell", "lstm", "--by", "w99"], "--by 'w99' is unknown: take w1 to w35."),
    ],
)
def test_other_networks_that_do_not_fit(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    LSTM.random(2, 1).save("two.json")
    Stack.random("RNN", 1, 3, 1).save("wide.json")
    reading = {"task": "parity", "loss": "binary_cross_entropy", "alphabet": "01"}
    content = Stack.random("RNN", 1, 1, 1).to_dict()
    Path("t.json").write_text(json.dumps({**content, "reading": reading}))
    assert complaint(run("derive", "101", *arguments)).startswith(words)
    if "--by" not in arguments:
        assert complaint(run("exercise", "101", *arguments)).startswith(words)
