"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import FolderNotFound

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """The path, once the file holds `content`; an error leaves what was there before untouched.

    Raises `FolderNotFound` (a `FileNotFoundError`) where the folder does not exist, and what the
    system raises (`PermissionError`, `IsADirectoryError`, ...) where it cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FolderNotFound(f"there is no folder {str(path.parent)!r} to write {path.name!r} in.")
    if path.is_dir():
        raise IsADirectoryError(21, "it is a folder, not a file", str(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, _permissions(path))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _permissions(path: Path) -> int:
    """Those of the file to be replaced, or those a new file would have."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
