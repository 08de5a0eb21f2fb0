"""Refusals name the options of the command line there, and the arguments of Python elsewhere."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

import autograd_rnn
from autograd_rnn.cli.app import app
from autograd_rnn.cli.terminal import CALLED, by_options

from .conftest import Runner

PACKAGE = Path(autograd_rnn.__file__).parent
COMMANDS: Any = typer.main.get_command(app)
OPTIONS = {
    name: [word for param in command.params for word in param.opts]
    for name, command in COMMANDS.commands.items()
}
#: `label=` as Python writes an argument, and not `--label=`; and code, where it stays.
PYTHON = re.compile(r"(?<![\w.'(-])([a-z][a-z_]*)=")
CODE = re.compile(r"as in .*|\w\([^()]*\)")


def messages() -> Iterator[tuple[str, str]]:
    """Where errors are raised, and their words, with 7 for what is filled in."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for raised in [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]:
            filled = [one for one in ast.walk(raised) if isinstance(one, ast.JoinedStr)]
            parts = {id(part) for one in filled for part in one.values}
            for node in [one for one in ast.walk(raised) if id(one) not in parts]:
                where = f"{path.relative_to(PACKAGE).as_posix()}:{raised.lineno}"
                if isinstance(node, ast.JoinedStr):
                    found = [getattr(one, "value", None) for one in node.values]
                    yield where, "".join([one if isinstance(one, str) else "7" for one in found])
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield where, node.value


MESSAGES = [*messages()]


def test_outside_of_the_command_line_no_option_is_named() -> None:
    named = [(where, words) for where, words in MESSAGES if re.search(r"(?<!\S)--[a-z]", words)]
    assert not [one for one in named if not one[0].startswith("cli/")]


@pytest.mark.parametrize("command", OPTIONS)
def test_every_refusal_names_the_option_alone(command: str) -> None:
    options = OPTIONS[command]
    for where, words in MESSAGES:
        shown = by_options(words, options)
        names = PYTHON.findall(CODE.sub("", shown))
        left = {f"--{CALLED.get(name, name)}".replace("_", "-") for name in names}
        assert not left.intersection(options), (where, shown)
        assert by_options(shown, options) == shown  # it may come by twice


@pytest.mark.parametrize(
    ("words", "options", "shown"),
    [
        ("leave it out: bad_records='skip'.", "--bad-records", "leave it out: --bad-records skip."),
        ("say so: refuse=, or bad_records='skip'.", "--bad-records", "say so: --bad-records skip."),
        ("choose backend='python', or wait.", "--engine", "choose --engine python, or wait."),
        ("choose backend='python', or wait.", "", "choose backend='python', or wait."),
        ("name sequence= and label=.", "--sequence --label", "name --sequence and --label."),
        ("use theme=, detail='x', or raise most=.", "--theme --detail", "use --theme, --detail x."),
        ("choose focus= or raise most=.", "--focus", "choose --focus."),
        ("more than width=595.5: wide", "--width", "more than --width 595.5: wide"),
        ("set idle=True.", "--idle", "set --idle."),
        ("label='a b' is no column", "--label", "--label 'a b' is no column"),
        ("--label=x is none", "--label", "--label=x is none"),
        ("as in draw(y, focus=w)", "--focus", "as in draw(y, focus=w)"),
        ("as in Mine(Model, kind='a').", "--kind", "as in Mine(Model, kind='a')."),
        *[
            (words, "--label --seed", words)
            for words in [
                "a.fa: record 'x label=3 or seed= y' holds 'label=. '.",
                "a.fa: record \"it's label= y\" and b'a label= b' end.",
                "seed=3.json: it is empty.",
                "runs/seed=3: it is empty.",
                r"runs\seed=3: it is empty.",
                "my label=.csv is empty.",
            ]
        ],
        ("the user's 'label= x': label=.", "--label", "the user's 'label= x': --label."),
    ],
)
def test_words(words: str, options: str, shown: str) -> None:
    assert by_options(words, options.split()) == shown


REFUSED = {
    "train table.csv": "line 2 has no sequence. To leave such lines out: --bad-records skip.",
    "train one.csv": "If another column has the labels: --label.",
    "train gap.csv": "'-' marks a gap: --ambiguous skip leaves such sequences out, --ambiguous z",
    "classify --fasta n.fa": "To leave such records out: --bad-records skip.",
    "classify --fasta y.fa --most-bases 2": "If that is right, allow more: --most-bases.",
    "classify --fasta m.fa --bad-records skip --json": "stands for several letters: --ambiguous",
    "classify ACGN": "--ambiguous skip leaves such sequences out, --ambiguous zeros reads it as",
    "predict model.json --fasta n.fa": "To leave such records out: --bad-records skip.",
    "predict model.json --fasta m.fa --bad-records skip --json": "letters: --ambiguous skip leaves",
    f"draw {'01' * 999} 3 x.svg --detail scalar": "with --focus, a network with --detail step.",
}


@pytest.mark.parametrize("line", REFUSED)
def test_command_lines(
    line: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("dna,label\n,a\nGAT,b\n")
    Path("one.csv").write_text("dna,label\nGA,a\nGAT,a\n")
    Path("gap.csv").write_text("dna,label\nG-A,a\nGAT,b\n" + "ACGT,a\nCCC,b\n" * 10)
    Path("n.fa").write_text(">x\nGANT\n")
    Path("y.fa").write_text(">y\nGATTACA\n")
    Path("m.fa").write_text(">x\nGANT\n>y\nGATTACA\n")
    if "model.json" in line:
        rows = [f"{''.join(word)},{word[0]}\n" for word in product("AC", "ACGT", "ACGT")]
        Path("ab.csv").write_text("".join(rows))
        assert run("train", "ab.csv", "--epochs=1", "--engine=numpy", "--save=model.json").code == 0
    output = run(*line.split())
    everything = output.out + output.err
    assert REFUSED[line] in everything
    assert not PYTHON.findall(everything)
