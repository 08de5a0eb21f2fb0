"""The app: its help, its commands, and how it ends."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import autograd_rnn
from autograd_rnn import compiled
from autograd_rnn.cli import classify
from autograd_rnn.cli.app import app

from .conftest import Runner, complaint


def test_help_version_and_unknown_commands(run: Runner) -> None:
    assert "exercise" in run("--help").out
    assert "BITS" in run("exercise", "--help").out
    version = run("--version").out
    assert version.startswith("autograd-rnn 0.")
    assert version.endswith(" (engine compiled)\n" if compiled else " (engine in plain Python)\n")
    assert complaint(run("bogus")) == "No such command 'bogus'."


def test_an_interruption_is_no_traceback(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(classify, "in_family", interrupt)
    result = run("classify", "GGG")
    assert (result.code, result.err) == (130, "autograd-rnn: interrupted.\n")


def test_too_little_memory_is_a_line(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object) -> bool:
        raise MemoryError

    monkeypatch.setattr(classify, "in_family", exhaust)
    result = run("classify", "GGG")
    assert (result.code, result.err) == (1, "autograd-rnn: there is not enough memory.\n")


def test_no_command_shows_the_help(run: Runner) -> None:
    result = run()
    assert (result.code, result.err) == (2, "")
    assert "classify" in result.out


def started(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "autograd_rnn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


def test_an_engine_that_is_none_is_a_line() -> None:
    with started("classify", "GGG", AUTOGRAD_RNN_ENGINE="fast") as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.decode().splitlines() == [
        "autograd-rnn: AUTOGRAD_RNN_ENGINE must be python or compiled, not 'fast'."
    ]


def test_a_terminal_without_unicode() -> None:
    with started("exercise", "101", "15", PYTHONIOENCODING="ascii") as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"?L/?w? = |   32" in out


def test_a_reader_that_stops_reading() -> None:
    with started("exercise", "1" * 3000, "0", "--activation", "step") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_installed_program(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("autograd-rnn")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "autograd_rnn"]
    path = tmp_path / "exercise.svg"
    result = subprocess.run(
        [*command, "exercise", "101", "15", "--save", str(path)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert path.read_bytes().startswith(b"<?xml")


def test_help_lists_the_commands_file_by_file(run: Runner) -> None:
    listed = re.findall(r"^│ (\w+) ", run("--help").out, re.MULTILINE)
    lecture = ["exercise", "draw", "play", "playground", "derive", "exercises", "grade"]
    assert listed == ["classify", *lecture, "cache", "predict", "evaluate", "generate", "train"]


def test_the_help_says_what_every_command_takes(run: Runner) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        told = " ".join(re.sub("[│╭╰─╮╯]", "", run(name, "--help").out).split())
        assert command.help.splitlines()[0] in told
        for parameter in command.params:
            assert len(parameter.help.split()) >= 2, (name, parameter.name)
            for line in filter(None, parameter.help.splitlines()):
                assert line in told, (name, parameter.name)
        assert "<bool>" not in told
    assert "<bool>" not in run("--help").out
    assert "--no-version" not in run("--help").out


@pytest.mark.parametrize("words", [(), ("exercise",), ("exercise", "101"), ("train",)])
def test_help_has_a_short_name(run: Runner, words: tuple[str, ...]) -> None:
    result = run(*words, "-h")
    assert (result.code, result.err) == (0, "")
    assert result.out == run(*words, "--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    program = "_AUTOGRAD_RNN_COMPLETE"
    words = {"bash": {"COMP_WORDS": "autograd-rnn ev", "COMP_CWORD": "1"}}
    other = {"_TYPER_COMPLETE_ARGS": "autograd-rnn ev", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    script = (
        "import sys; sys.argv = ['autograd-rnn']; from autograd_rnn.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, program: f"complete_{shell}", **words.get(shell, other)},
        capture_output=True,
        text=True,
    )
    assert "evaluate" in done.stdout
    assert "classify" not in done.stdout


def test_a_file_put_into_the_folder_is_a_command(tmp_path: Path) -> None:
    package = tmp_path / "autograd_rnn"
    shutil.copytree(Path(autograd_rnn.__file__).parent, package)
    (package / "cli" / "greet.py").write_text(
        "from .app import app\n"
        "from .options import argument\n"
        "from typing import Annotated\n"
        "@app.command()\n"
        "def greet(name: Annotated[str, argument('NAME', 'Whom to greet.')]) -> None:\n"
        "    'Say hello.'\n"
        "    print(f'hello {name}')\n"
    )
    command = [sys.executable, "-m", "autograd_rnn", "greet", "Ada"]
    assert subprocess.check_output(command, cwd=tmp_path, text=True) == "hello Ada\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["draw", "101", "15", "a.svg", "--theme", "pink"], "--theme 'pink' is unknown: choose"),
        (["draw", "101", "15", "a.svg", "--width", "20"], "--width must be 200 points or more"),
        (["draw", "101", "15", "a.svg", "--width", "big"], "--width must be a4, slide or a number"),
    ],
)
def test_errors_name_the_option(run: Runner, arguments: list[str], words: str) -> None:
    assert complaint(run(*arguments)).startswith(words)
