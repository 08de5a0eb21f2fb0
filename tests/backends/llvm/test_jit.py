"""Machine code on disk."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import RNN

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.backends.llvm.jit import CACHE


def test_code_is_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import autograd_rnn.backends.llvm.jit as compiler

    monkeypatch.setenv(CACHE, str(tmp_path / "code"))
    compiled: list[str] = []

    def watched(text: str, real: Any = compiler.compile_text) -> bytes:
        compiled.append(text)
        return bytes(real(text))

    monkeypatch.setattr(compiler, "compile_text", watched)
    rnn = RNN([[4], [1]], activation="relu", bias=False)

    def run() -> None:
        found = rnn.compile("squared_error", backend="native").loss_and_gradients([[1, 0, 1]], [15])
        assert found == (4.0, [32.0, 68.0])

    run()
    (path,) = (tmp_path / "code").iterdir()
    whole = path.read_bytes()
    run()
    assert len(compiled) == 1
    other = RNN([[4, 1], [1, 2], [3, 4]], activation="relu", bias=False)
    other.compile("squared_error", backend="native").loss_and_gradients([[1]], [[1, 1]])
    (foreign,) = [p for p in (tmp_path / "code").iterdir() if p != path]
    assert len(compiled) == 2
    spoiled = [
        *(whole[: len(whole) // 2], b"", whole[:30], b"\x7fELF" + whole[4:], foreign.read_bytes()),
        whole[:900] + bytes([whole[900] ^ 1]) + whole[901:],
    ]
    for number, content in enumerate(spoiled, 3):
        path.write_bytes(content)
        if content == foreign.read_bytes():
            # Whole, but another's: no digest can tell, but its name does.
            path.write_bytes(foreign.read_bytes()[:-1])
        run()
        assert len(compiled) == number
        assert path.read_bytes() == whole
    # Nothing is lost where nothing can be kept, and a folder that others write to is not read.
    monkeypatch.setenv(CACHE, "off")
    run()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    run()
    (tmp_path / "code").chmod(0o777)
    monkeypatch.setenv(CACHE, str(tmp_path / "code"))
    run()
    assert len(compiled) == len(spoiled) + 5


def test_two_processes_share_the_folder(tmp_path: Path) -> None:
    code = (
        "from autograd_rnn import RNN\n"
        "rnn = RNN([[4], [1]], activation='relu', bias=False)\n"
        "fit = rnn.compile('squared_error', backend='native')\n"
        "print(fit.loss_and_gradients([[1, 0, 1]], [15]))"
    )
    environment = {**os.environ, CACHE: str(tmp_path / "new" / "code")}
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    assert {process.communicate()[0] for process in running} == {b"(4.0, [32.0, 68.0])\n"}
    assert len(list((tmp_path / "new" / "code").iterdir())) == 1
