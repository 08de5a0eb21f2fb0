"""Machine code on disk."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import RNN

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")

from autograd_rnn.backends.llvm.cache import CACHE, drop_oldest, kept, kept_files


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv(CACHE, str(tmp_path / "code"))
    return tmp_path / "code"


def test_only_what_is_ones_own_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def get(key: str) -> bytes:
        return kept(key, lambda: made.append(key) or key.encode())  # type: ignore[func-returns-value]

    assert [get(key) for key in ("relu", "linear", "relu")] == [b"relu", b"linear", b"relu"]
    assert made == ["relu", "linear"]
    relu, linear = sorted(folder.iterdir(), key=lambda path: path.read_bytes()[-4:], reverse=True)
    assert relu.stat().st_mode & 0o777 == 0o600
    # The whole entry of another key.
    relu.write_bytes(linear.read_bytes())
    assert get("relu") == b"relu"
    assert made == ["relu", "linear", "relu"]
    # What others may have written.
    for mode in (0o620, 0o602):
        relu.chmod(mode)
        assert get("relu") == b"relu"
        assert relu.stat().st_mode & 0o777 == 0o600
    assert made == ["relu", "linear", *["relu"] * 3]
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own)
    assert get("relu") == b"relu"
    assert len(made) == 5
    if own == 0:
        os.chown(relu, 12345, -1)
        assert get("relu") == b"relu"
        assert (len(made), relu.stat().st_uid) == (6, 0)


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    for number, key in enumerate("abc"):
        kept(key, lambda: bytes(1000))
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    first = kept_files(folder)[0][0]
    kept("a", lambda: b"never made")  # so it is the newest now
    drop_oldest(folder, 1500)
    assert [path for path, _ in kept_files(folder)] == [first]
    drop_oldest(folder, -1)
    assert kept_files(folder) == []
