"""Files that are written whole or not at all, and JSON in them."""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from .arguments import visible
from .errors import ArgumentValueError, FileInUse, FolderNotFound

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

T = TypeVar("T")

#: The most bytes that are read of a JSON file: a device may have no end.
MOST_JSON: Final = 1 << 30
BINARY: Final = getattr(os, "O_BINARY", 0)  # on Windows alone


def check_folder(path: str | os.PathLike[str]) -> Path:
    """The path with its links followed; `FolderNotFound` where its folder does not exist."""
    path = Path(path)
    try:
        target = Path(os.path.realpath(path))
    except FileNotFoundError:  # whose words name no file
        raise FolderNotFound(
            f"the current folder was deleted: there is nowhere to write {path.name!r}."
        ) from None
    if not target.parent.is_dir():
        raise FolderNotFound(f"there is no folder {str(path.parent)!r} to write {path.name!r} in.")
    return target


def is_special(path: Path) -> bool:
    """Whether a path is something else than a file, such as a pipe or `/dev/stdout`."""
    return path.exists() and not path.is_file()


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """The path, once the file holds `content`; an error leaves what was there before untouched.

    The content is on the disk before it takes the place of the old one, and the file keeps its
    owner and mode.  Links are followed, and special files (`/dev/stdout`, a pipe) are written to
    directly.  Raises `FolderNotFound` (a `FileNotFoundError`) where the folder does not exist, and
    the system's error (`PermissionError`, `IsADirectoryError`, ...), which names the path, where it
    cannot be written.
    """
    path = Path(path)
    target = check_folder(path)
    if target.is_symlink():  # a link that leads to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if is_special(target):
        with named_after(path):
            path.write_bytes(content)
        return path
    old = target.stat() if target.exists() else None
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}")
    with named_after(path):
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                # Else the file could be empty after a power failure, though the old one is gone.
                os.fsync(file.fileno())
            if old is not None:
                _make_like(temporary, old)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink()
            raise
    return path


@contextmanager
def named_after(path: Path) -> Iterator[None]:
    """Let the system's errors name the path, which that of a full disk does not."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _make_like(path: Path, old: os.stat_result) -> None:
    """Give a file the owner and the mode of the one that it replaces."""
    new = path.stat()
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root may give files away
            os.chown(path, old.st_uid, old.st_gid)
    path.chmod(old.st_mode & 0o777)


@contextmanager
def in_use(path: str | os.PathLike[str]) -> Iterator[None]:
    """A context in which no other process, nor another such context here, may use the path.

    `FileInUse` names the process that does.  The system holds the lock, on a hidden file beside
    the path, and drops it when the process dies: what a crash leaves behind locks nothing.  Where
    no such file can be made, there is no lock.
    """
    target = check_folder(path)
    hidden = target.with_name(f".{target.name[:200]}.lock")
    if target.exists() and not target.is_file():
        yield
        return
    handle = None
    try:
        handle = _locked(hidden)
    except BlockingIOError:
        raise FileInUse(
            f"{str(path)!r} is in use by {_holder(hidden)}: wait until that has ended, or choose "
            f"another path."
        ) from None
    except OSError:
        pass  # what goes wrong inside the context is not due to this
    if handle is None:
        yield
        return
    try:
        with suppress(OSError):  # a full disk
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        try:
            with suppress(OSError):  # Windows deletes no file that is open
                os.unlink(hidden)
        finally:
            os.close(handle)


def _locked(path: Path) -> int:
    """The descriptor of a file that is locked from now on; `BlockingIOError` if it already was."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if sys.platform != "win32":
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                os.lseek(handle, 1 << 20, os.SEEK_SET)  # a locked byte could not be read
                try:
                    msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                except OSError as error:
                    raise BlockingIOError(*error.args) from None
            # Who had the lock may have deleted the file before it was this process's.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _holder(path: Path) -> str:
    """The process that has the lock, as it has written down itself."""
    try:
        return visible(path.read_text("utf-8", "replace")[:200]) or "another process"
    except OSError:
        return "another process"


def write_json(
    path: str | os.PathLike[str], content: Mapping[str, Any], indent: int | None = None
) -> Path:
    """The path of a JSON file, once it holds the content, in which arrays are lists."""
    return write_whole(path, (json.dumps(content, indent=indent, default=_listed) + "\n").encode())


def _listed(array: Any) -> Any:
    if hasattr(array, "tolist"):
        return array.tolist()
    raise TypeError(f"JSON cannot hold a {type(array).__name__}.")


def read_json(
    path: str | os.PathLike[str], what: str, make: Callable[[Any], T], way_out: str = ""
) -> T:
    """What `make` makes of a JSON file's content; `ValueError` naming the path if it refuses."""
    with Path(path).open("rb") as file:
        text = file.read(MOST_JSON + 1)
    try:
        if len(text) > MOST_JSON:
            raise ArgumentValueError(f"it has more than {MOST_JSON:,} bytes.")
        return make(json.loads(text))
    except KeyError as error:
        reason = f"{error} is missing"
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise ArgumentValueError(f"{str(path)!r} does not hold {what}: {reason}{way_out}")
