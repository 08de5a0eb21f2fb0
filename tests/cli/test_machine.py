"""Commands in any order, with good and bad files and options, full disks and Ctrl-C at any call."""

import io
import json
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autograd_rnn import __main__ as program
from autograd_rnn import load_model

from ..faults import failing, interrupted, run_long

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: More calls of functions of the package, and changes of files, than these commands have.
CALLS, FILE_CHANGES = 20_000, 20

NASTY = "\x1b[2J[red]\u202e"
SEQUENCES = ["ACGTAC", "GGGA", "GGGTTTAC", "A", "AACC", "TGTGTG", "CCGG", "GATTACA", "TTTT", "GAGA"]
TABLE = "sequence,label\n" + "".join(
    f"{s}{t},{'yes' if 'GG' in s + t else 'no'}\n" for s in SEQUENCES for t in ("G", "GT", "C")
)
DATA = {
    "a.csv": [TABLE, TABLE.replace("yes", NASTY), TABLE.replace("GATTACA", "GATTXCA"), "x\n1\n"],
    "a.fa": [">a\nGGGACT\n>b\nACGTAC\n", f">{NASTY}\nGGGA\n", ">a\nGXG\n", ">a\n\n", "\x00", ""],
    "a.txt": ["to be or not to be\n" * 9, NASTY * 99, "a", "", "GATTACA\nGGGTTT\n", TABLE],
}
CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]
MODELS = ["m.json", "n.json"]
WRITER, LOG = "w.json", f"{NASTY}.csv"

bit_strings = st.sampled_from(["101", "1", "0110", "", "12", NASTY, "ACG"])
targets = st.sampled_from(["15", "-1", "0.5", "nan", "1e400", NASTY, "yes"])
pictures = st.sampled_from(["p.svg", "p.dot", "p.html", "p.txt", "p", "none/p.svg", f"{NASTY}.svg"])
documents = st.sampled_from(["p.txt", "p.md", "p.tex", "p.html", "p.svg", "folder"])
MORE = [
    *("--json", "--csv", "--window=3", "--window=0", "--weights=2", "--seed=1", "--stride=2"),
    *("--ambiguous=skip", "--bad-records=skip", f"--{NASTY}", "--detail=step", "--help"),
    *("--activation=tanh", "--focus=w2", "--cell=gru", "--states=1", f"--model={MODELS[0]}"),
]
given_data = st.sampled_from([*DATA, "-", "folder", "none.csv"])
QUICK = [
    *map(st.just, ("--epochs=1", "--states=1", "--engine=python")),
    st.sampled_from(["--cell=rnn", "--seed=-1", "--save", f"--log={LOG}"]),
]
commands = st.one_of(
    st.tuples(st.just("exercise"), bit_strings, targets),
    st.tuples(st.just("exercise"), bit_strings, targets, st.just("--save"), pictures),
    st.tuples(st.just("draw"), bit_strings, targets, pictures),
    st.tuples(st.just("play"), bit_strings, targets, st.sampled_from(["p.html", "p.svg"])),
    st.tuples(st.just("derive"), bit_strings, targets, documents),
    st.tuples(st.just("exercises"), documents, st.just("--count=1")),
    st.tuples(st.just("classify"), st.sampled_from(["GGGTA", "GXG", "a.fa", NASTY])),
    st.tuples(st.just("classify"), st.just("--fasta"), st.sampled_from(["a.fa", "b.fa", "folder"])),
    st.tuples(st.just("predict"), st.sampled_from(MODELS), st.sampled_from([*SEQUENCES, "X"])),
    st.tuples(st.just("predict"), st.sampled_from([*MODELS, "a.csv"]), st.just("--fasta=a.fa")),
    st.tuples(st.just("evaluate"), st.sampled_from(MODELS), st.sampled_from(["a.csv", "a.fa"])),
    st.tuples(st.sampled_from(["predict", "evaluate"]), st.sampled_from(MODELS), given_data),
    st.tuples(st.just("classify"), given_data, given_data),
    st.tuples(st.just("train"), given_data, given_data, *QUICK),
    st.tuples(st.just("train"), st.sampled_from(["parity", "adding", "g4"]), *QUICK),
    st.tuples(st.just("train"), st.just("text"), given_data, st.just(f"--save={WRITER}"), *QUICK),
    st.tuples(st.just("generate"), st.sampled_from([WRITER, MODELS[0]]), bit_strings),
    st.tuples(st.just("generate"), st.just(WRITER), st.just("-"), st.just("--length=3")),
    st.tuples(st.sampled_from(["--version", "cache", "grade", "nothing", NASTY])),
)
faults = st.one_of(
    st.builds(nullcontext),
    st.builds(nullcontext),
    st.builds(interrupted, st.integers(1, CALLS)),
    st.builds(failing, st.integers(1, FILE_CHANGES), st.just(False), st.integers(0, 100)),
)


class Done:
    """What a command said, and its exit code."""

    def __init__(
        self, arguments: tuple[str, ...], stdin: bytes, fault: AbstractContextManager[None]
    ) -> None:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        with (
            patch.object(sys, "argv", ["autograd-rnn", *arguments]),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
            redirect_stdout(streams[0]),
            redirect_stderr(streams[1]),
        ):
            try:
                with fault:
                    program.main()
            except SystemExit as end:
                self.code = end.code
            except KeyboardInterrupt:  # before `main` has begun: Python's own hook says it
                self.code = 130
                print("autograd-rnn: interrupted.", file=sys.stderr)
        for stream in streams:
            stream.flush()
        self.out, self.err = [s.buffer.getvalue().decode() for s in streams]  # type: ignore[attr-defined]


class CommandLine(RuleBasedStateMachine):
    """A folder in which one command after the other runs."""

    def __init__(self) -> None:
        super().__init__()
        self.made = tempfile.TemporaryDirectory()
        self.folder = Path(self.made.name)
        self.start = os.getcwd()
        os.chdir(self.folder)
        Path("folder").mkdir()
        self.trained: dict[str, Any] = {}
        self.stdin = b""
        for name in DATA:
            self.write(name, 0, CODECS[0])

    def teardown(self) -> None:
        os.chdir(self.start)
        self.made.cleanup()

    @rule(
        name=st.sampled_from(list(DATA)), version=st.integers(0, 5), codec=st.sampled_from(CODECS)
    )
    def write(self, name: str, version: int, codec: str) -> None:
        self.stdin = DATA[name][version % len(DATA[name])].encode(codec)
        Path(name).write_bytes(self.stdin)

    @rule(command=commands, more=st.lists(st.sampled_from(MORE), max_size=1), fault=faults)
    def any_command(
        self, command: tuple[str, ...], more: list[str], fault: AbstractContextManager[None]
    ) -> None:
        self.run((*command, *more), fault)

    def run(self, command: tuple[str, ...], fault: AbstractContextManager[None]) -> Done:
        """Run a command, and look at all that it leaves."""
        before = self.files()
        done = Done(command, self.stdin, fault)
        assert done.code in (None, 0, 1, 2, 130), done.err
        assert not CONTROL.search(done.out + done.err)
        lines = done.err.splitlines()
        assert all(line.startswith("autograd-rnn: ") for line in lines)
        if done.code:
            assert len(lines) == 1 or command[0] == "train"
        elif "--json" in command:
            json.loads(done.out, parse_constant=pytest.fail)
        after = self.files()
        changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
        if done.code and done.code != 130:
            assert changed <= {LOG, *[f"{name}.checkpoint" for name in (*MODELS, WRITER)]}
        for name in changed & set(after):
            self.check(name, after[name])
        return done

    @rule(
        save=st.sampled_from(MODELS),
        cell=st.sampled_from(["rnn", "gru"]),
        fault=faults,
        version=st.integers(0, 3),
    )
    def train(
        self, save: str, cell: str, fault: AbstractContextManager[None], version: int
    ) -> None:
        """Interrupted or not, the same command gives the same model in the end."""
        self.write("a.csv", version, CODECS[version])
        command = ("train", "a.csv", "--epochs=2", "--states=2", "--engine=python")
        command += (f"--cell={cell}", f"--save={save}")
        done = self.run(command, fault)
        if done.code:
            done = self.run(command, nullcontext())
        if done.code:
            assert "is of another training" in done.err or version > 1
            Path(f"{save}.checkpoint").unlink(missing_ok=True)
            return
        assert not Path(f"{save}.checkpoint").exists()
        model = json.loads(Path(save).read_text())
        assert model == self.trained.setdefault(f"{cell} {version}", model)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    def check(self, name: str, content: bytes) -> None:
        """A file that a command has written is whole."""
        if name.endswith(".json"):
            load_model(name)
        elif name.endswith(".svg"):
            ElementTree.fromstring(content)
        elif name.endswith(".html"):
            assert content.rstrip().endswith(b"</html>")
        elif name.endswith(".checkpoint"):
            assert json.loads(content)["moment"]
        else:
            assert content.endswith(b"\n")

    @invariant()
    def nothing_is_left_over(self) -> None:
        assert [name for name in os.listdir(".") if name.startswith(".")] == []


TestCommandLine = CommandLine.TestCase
TestCommandLine.settings = settings(
    max_examples=max(2, settings().max_examples // 25), stateful_step_count=8, derandomize=True
)


@pytest.mark.nightly
def test_the_command_line_for_long() -> None:
    run_long(CommandLine, examples=100, steps=30)
