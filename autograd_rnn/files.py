"""Files that are written whole or not at all, and JSON in them."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from .errors import ArgumentValueError, FolderNotFound

T = TypeVar("T")

BINARY: Final = getattr(os, "O_BINARY", 0)  # on Windows alone


def check_folder(path: str | os.PathLike[str]) -> Path:
    """The path with its links followed; `FolderNotFound` where its folder does not exist."""
    path, target = Path(path), Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FolderNotFound(f"there is no folder {str(path.parent)!r} to write {path.name!r} in.")
    return target


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """The path, once the file holds `content`; an error leaves what was there before untouched.

    Links are followed, and special files (`/dev/stdout`, a pipe) are written to directly.  Raises
    `FolderNotFound` (a `FileNotFoundError`) where the folder does not exist, and the system's error
    (`PermissionError`, `IsADirectoryError`, ...) where it cannot be written.
    """
    path = Path(path)
    target = check_folder(path)
    if target.exists() and not target.is_file():
        path.write_bytes(content)
        return path
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink()
        raise
    return path


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
    text = Path(path).read_bytes()
    try:
        return make(json.loads(text))
    except KeyError as error:
        reason = f"{error} is missing"
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise ArgumentValueError(f"{str(path)!r} does not hold {what}: {reason}{way_out}")
