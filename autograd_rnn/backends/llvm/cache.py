"""A folder of machine code, from which only what this user has put there is run."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...files import write_whole

#: The environment variable that names the folder, or is "off".
CACHE: Final = "AUTOGRAD_RNN_CACHE"
MAGIC: Final = b"autograd_rnn code 2\n"
#: The bytes of code that are kept; that of a network of 64 states has some 300,000.
MOST_KEPT: Final = 256 << 20


def kept(key: str, make: Callable[[], bytes]) -> bytes:
    """The code that belongs to a key, from the folder, or made and put there.

    The key has all that the code depends on, and its digest is the file's name.  A file begins with
    the digest of its name and the code, and is used only if that is right and nobody else can have
    written it.  Files are written whole, so that processes may share a folder.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    name = hashlib.sha256(MAGIC + key.encode()).hexdigest()
    path = folder / f"{name}.code"
    content = _read_own(path)
    code = content[len(MAGIC) + 32 :]
    if content == _sealed(name, code):
        with suppress(OSError):
            os.utime(path)  # what is used is kept longest
        return code
    code = make()
    with suppress(OSError):  # a full or locked disk does not matter
        path.unlink(missing_ok=True)  # else the new one would keep the owner of the old one
        write_whole(path, _sealed(name, code))
        path.chmod(0o600)
        drop_oldest(folder, MOST_KEPT)
    return code


def _sealed(name: str, code: bytes) -> bytes:
    """What a file of this name holds."""
    return MAGIC + hashlib.sha256(name.encode() + code).digest() + code


def _read_own(path: Path) -> bytes:
    """The content of a file that only this user can have written, or nothing."""
    try:
        with path.open("rb") as file:
            return file.read() if _is_own(os.fstat(file.fileno())) else b""
    except OSError:
        return b""


def _is_own(found: os.stat_result) -> bool:
    """Whether a file or a folder is this user's, and no other may write to it."""
    return not hasattr(os, "getuid") or (
        found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def kept_files(folder: Path) -> list[tuple[Path, int]]:
    """The files of a cache with their sizes, those first that were not used for longest."""
    found = []
    for path in folder.glob("*.code"):
        with suppress(FileNotFoundError):  # another process may have dropped it
            about = path.stat()
            found.append((about.st_mtime, path, about.st_size))
    return [(path, size) for _, path, size in sorted(found)]


def drop_oldest(folder: Path, most: int) -> None:
    """Delete what was not used for longest, until the rest has at most so many bytes."""
    files = kept_files(folder)
    total = sum(size for _, size in files)
    for path, size in files:
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size


def cache_folder() -> Path | None:
    """The folder of compiled code, or None for no cache.

    It is `autograd_rnn` in the user's cache folder, or that named by the environment variable
    `AUTOGRAD_RNN_CACHE`, in which "off" means none.  A folder that others may write to is not used,
    since the code read there is run.
    """
    said = os.environ.get(CACHE)
    if said == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(said) if said else Path(base, "autograd_rnn")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_own(folder.stat()) else None
    except OSError:
        return None
