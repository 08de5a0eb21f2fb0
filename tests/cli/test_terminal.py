"""What reaches a terminal, and what does not."""

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import AnomalyError, Program, Value, copies, derive, detect_anomaly
from autograd_rnn.arguments import visible
from autograd_rnn.cli.terminal import make_table, print_csv, print_json, print_table
from autograd_rnn.graph.walk import describe

from .conftest import Runner

#: Moves the cursor, clears, sets the title, turns the text around, rings; and markup of rich.
NASTY = ["\x1b[2J", "\x1b]0;t\x07", "\x9b31m", "\u202e", "\u2066", "\x0c", "\x08", "\x7f", "\u2028"]
MARKUP = ["[red]", "[/x]", "[bold", "\\[x]", "[link=a]"]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@given(st.text())
def test_what_is_shown_has_no_control_characters(text: str) -> None:
    shown = visible(text)
    assert not CONTROL.search(shown)
    shown.encode()
    assert visible(shown) == shown


def test_words_and_formulas_stay_as_they_are() -> None:
    text = "∂L/∂ẇ₁ = σ′(π⃛)·w₁⁽⁵⁾ → é 漢 🙂\n"
    assert visible(text) == text


@pytest.mark.parametrize("odd", ["".join(NASTY), "".join(MARKUP)])
def test_names_from_files_and_paths(run: Runner, tmp_path: Path, odd: str) -> None:
    path = tmp_path / "some.fa"
    path.write_bytes(f">a{odd}b\nGGG\n".encode())
    result = run("classify", "--fasta", path)
    assert (result.code, result.err) == (0, "")
    assert not CONTROL.search(result.out)
    assert f"a{visible(odd)}"[:25] in result.out
    path.write_bytes(f">a{odd}b\nGXG\n".encode())
    named = tmp_path / f"x{odd.replace('/', '')}.fa"
    named.write_bytes(path.read_bytes())
    for arguments in [
        ["classify", "--fasta", named],
        ["predict", tmp_path / f"missing{odd}", "1"],
        ["predict", named, "1"],
        ["classify", f"A{odd}"],
        ["exercise", f"1{odd}", "1"],
        ["exercise", "1", "1", "--activation", odd],
        ["exercise", "1", "1", "--save", tmp_path / f"a.{odd.replace('/', '')}"],
        ["train", odd],
        [f"x{odd}"],
        ["derive", "1", "1", f"--{odd}"],
    ]:
        result = run(*arguments)
        assert result.code == 2, arguments
        assert not CONTROL.search(result.out + result.err)
        assert len(result.err.splitlines()) == 1
    picture = tmp_path / f"y{odd.replace('/', '')}.svg"
    result = run("exercise", "1", "1", "--save", picture)
    assert result.code == 0
    assert picture.exists()
    assert result.out.splitlines()[-1] == f"  Picture: {visible(str(picture))}"


def test_texts_of_the_package_are_visible_too() -> None:
    """What Python prints: copies, derivations, programs and errors, with a name from a file."""
    for odd in NASTY:
        x = Value(2.0, f"a{odd}")
        y = x * x + x
        y.backward()
        shown = [str(copies(x, y)), str(derive(y, x)), str(Program.of(y, [x])), describe(y)]
        x.data = math.nan
        with pytest.raises(AnomalyError) as caught, detect_anomaly():
            x * 2
        for text in [*shown, str(caught.value)]:
            assert not CONTROL.search(text)
            assert visible(odd) in text or text is shown[3]


@pytest.mark.skipif(os.name == "nt", reason="a terminal")
def test_csv_is_visible_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    rows = [{"name\x1b[2J": "a\tb\u202e", "x": 1.5}]
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        print_csv(rows)
        terminal.flush()
        shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert shown.split() == ["name\\x1b[2J,x", "a", "b\\u202e,1.5"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        print_csv(rows)
        assert sys.stdout.getvalue() == "name\x1b[2J,x\na\tb\u202e,1.5\n"


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, math.inf, (-math.inf, 1.5)], "b": "\x1b\udc80", "c": None})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"a": ["nan", "inf", ["-inf", 1.5]], "b": "\x1b\udc80", "c": None}
    assert math.isinf(float(found["a"][1]))


def shell(command: str, folder: Path) -> tuple[int, bytes]:
    """The exit code and the error stream of a command in a shell."""
    program = f"'{sys.executable}' -m autograd_rnn"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        ["sh", "-c", command.replace("PROGRAM", program)],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell")
def test_streams_that_are_closed_or_full(tmp_path: Path) -> None:
    solve = "PROGRAM exercise 1 15 --save"
    assert shell(f"{solve} a.svg >&-", tmp_path) == (0, b"")
    assert shell(f"{solve} b.svg 2>&-", tmp_path) == (0, b"")
    assert shell(f"{solve} c.svg >&- 2>&- <&-", tmp_path) == (0, b"")
    assert sorted(os.listdir(tmp_path)) == ["a.svg", "b.svg", "c.svg"]
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert shell("PROGRAM exercise 1q 15 2>&-", tmp_path) == (2, b"")
    words = b"autograd-rnn: standard input is empty: there is nothing to read.\n"
    assert shell("PROGRAM classify - <&-", tmp_path) == (2, words)
    if os.path.exists("/dev/full"):
        words = b"autograd-rnn: standard output: No space left on device\n"
        assert shell("PROGRAM exercise 1 15 >/dev/full", tmp_path) == (1, words)
        assert shell("PROGRAM exercise 1q 15 2>/dev/full", tmp_path) == (2, b"")
        words = b"autograd-rnn: d.txt: No space left on device\n"
        assert shell("ln -s /dev/full d.txt; PROGRAM derive 1 15 d.txt", tmp_path)[1] == words


def test_a_table_loses_no_number_to_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "a head that is too long"
    for width, shown in ((20, "a head t…"), (40, "a head t…"), (80, head)):
        monkeypatch.setenv("COLUMNS", str(width))
        table = make_table("title", "some words", "n", head)
        table.add_row("one two three four", "0.12345678901234567890", "-1e-300")
        print_table(table, "A remark.")
        lines = capsys.readouterr().out.splitlines()
        rows = [line.split() for line in lines]
        assert any(row[-2:] == ["0.12345678901234567890", "-1e-300"] for row in rows)
        assert {"one", "two", "three", "four"} <= {word for row in rows for word in row}
        assert shown in " ".join(lines)
        assert max(map(len, lines)) <= max(width, 60)


def test_the_cache_is_shown_and_cleared(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGRAD_RNN_CACHE", str(tmp_path / "code"))
    assert "code: 0 files, 0 of at most" in run("cache").out
    (tmp_path / "code" / "a.code").write_bytes(bytes(1234))
    assert "code: 1 file, 1,234 of at most" in run("cache").out
    assert json.loads(run("cache", "--clear", "--json").out)["files"] == 0
    assert os.listdir(tmp_path / "code") == []
    monkeypatch.setenv("AUTOGRAD_RNN_CACHE", "off")
    assert run("cache").out.startswith("Nothing is kept")
