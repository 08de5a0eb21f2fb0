"""Files are written whole or not at all."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import CSVLog, Report, files, load_model
from autograd_rnn.errors import FileInUse, FolderNotFound
from autograd_rnn.files import in_use, write_whole


def test_a_new_file_and_a_replaced_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert write_whole(path, b"one") == path
    path.chmod(0o640)
    assert write_whole(str(path), b"two") == path
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "by open").touch()
    write_whole(tmp_path / "by us", b"")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_no_folder_and_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(FolderNotFound, match=r"there is no folder .*missing' to write 'a\.txt' in"):
        write_whole(tmp_path / "missing" / "a.txt", b"")
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_a_link_is_followed_and_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_bytes(b"old")
    link.symlink_to(target)
    assert write_whole(link, b"new") == link
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"through")
    assert os.read(reader, 20) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_file_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_whole(tmp_path / "a.txt", b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"a\.txt"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_whole(tmp_path / "a.txt", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    path, link = tmp_path / "a.json", tmp_path / "b.json"
    link.symlink_to(path)
    with in_use(path):
        for name in (path, link):
            with (
                pytest.raises(FileInUse, match=rf"{name.name}' is in use by process {os.getpid()}"),
                in_use(name),
            ):
                pass
        with in_use(tmp_path / "c.json"):
            pass
    with in_use(path), pytest.raises(FolderNotFound), in_use(tmp_path / "missing" / "a"):
        pass
    with in_use("/dev/null"), in_use("/dev/null"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["b.json"]


def test_an_error_where_no_lock_can_be_made_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("autograd_rnn.files._locked", denied)
    with pytest.raises(ZeroDivisionError) as caught, in_use(tmp_path / "a.json"):
        raise ZeroDivisionError
    assert caught.value.__context__ is None


@pytest.mark.skipif(sys.platform == "win32", reason="another lock")
def test_a_lock_is_not_on_a_file_that_has_just_been_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def too_late(handle: int, operation: int, real: Any = fcntl.flock) -> None:
        monkeypatch.undo()
        (tmp_path / ".a.json.lock").unlink()  # as the process does that had the lock until now
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", too_late)
    with in_use(tmp_path / "a.json"), pytest.raises(FileInUse), in_use(tmp_path / "a.json"):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="/dev/full") as caught:
        write_whole("/dev/full", b"x")
    assert caught.value.filename == "/dev/full"
    path = write_whole(tmp_path / "a.txt", b"old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*a\.txt"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_content_is_on_the_disk_before_the_old_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fsync", "replace"):

        def watched(*arguments: object, name: str = name, real: object = getattr(os, name)) -> None:
            done.append(name)
            real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(os, name, watched)
    write_whole(tmp_path / "a.txt", b"new")
    assert done == ["fsync", "replace"]


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives away")
def test_the_owner_stays(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.txt", b"old")
    os.chown(path, 1234, 5678)
    path.chmod(0o604)
    write_whole(path, b"new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 5678, 0o604)


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"loop'$"):
        write_whole(tmp_path / "loop", b"lost")
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="there it cannot be deleted")
def test_a_folder_that_was_deleted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FolderNotFound, match=r"^the current folder was deleted: .*'a\.txt'\.$"):
        write_whole("a.txt", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
def test_a_full_disk_names_the_log() -> None:
    with pytest.raises(OSError, match=r"/dev/full'$"):
        CSVLog("/dev/full")(Report(1, loss=0.5, learning_rate=0.1, seconds=0.25))


def test_a_file_without_an_end_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_JSON", 1_000)
    path = tmp_path / "m.json"
    endless = Path("/dev/zero")
    path.write_bytes(b"[" * 1_001)
    for one in [path, *[endless] * endless.exists()]:
        with pytest.raises(
            ValueError, match=r"a model that `save` wrote: it has more than 1,000 b"
        ):
            load_model(one)
