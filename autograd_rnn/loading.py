"""Which engine is imported: the compiled one, or the source that it was compiled from.

`AUTOGRAD_RNN_ENGINE=python` imports the source, so that a debugger can step through it, and
`=compiled` makes it an error if there is no compiled one.  In a checkout, where extensions lie
beside their sources, they are not used once a source is newer.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Final, TypeVar

PACKAGE: Final = Path(__file__).parent
#: Where modules lie that are compiled: those that have a `.pxd` beside them.
FOLDERS: Final = (PACKAGE, PACKAGE / "ops", PACKAGE / "engine")
WISH: Final = os.environ.get("AUTOGRAD_RNN_ENGINE", "")


class EngineNotFound(ImportError):
    """There is no engine of the kind that `AUTOGRAD_RNN_ENGINE` asks for."""


class SourceFinder:
    """An import finder that takes the source of a module, even if an extension lies beside it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        package, _, module = name.rpartition(".")
        if path is None or package.partition(".")[0] != __package__:
            return None
        source = Path(path[0], f"{module}.py")
        return spec_from_file_location(name, source) if source.is_file() else None


def files(ending: str) -> list[Path]:
    # In a zip archive there are no folders, and no extensions.
    folders = [folder for folder in FOLDERS if folder.is_dir()]
    return [path for folder in folders for path in folder.iterdir() if path.name.endswith(ending)]


def are_stale(extensions: list[Path]) -> bool:
    """Whether extensions in a checkout are older than a source, or some are missing."""
    types = files(".pxd")  # which only a checkout has
    if not extensions or not types:
        return False
    newest = max(path.stat().st_mtime for path in [*types, *[p.with_suffix(".py") for p in types]])
    oldest = min(path.stat().st_mtime for path in extensions)
    compiled = {path.with_name(path.name.partition(".")[0]) for path in extensions}
    return newest > oldest or not compiled.issuperset([path.with_suffix("") for path in types])


def choose() -> None:
    """Make sure that the import of the engine finds the right one."""
    if WISH not in ("", "python", "compiled"):
        raise EngineNotFound(f"AUTOGRAD_RNN_ENGINE must be python or compiled, not {WISH!r}.")
    if WISH == "python":
        sys.meta_path.insert(0, SourceFinder)
        return
    extensions = files(EXTENSION_SUFFIXES[0])
    if WISH == "compiled" and not extensions:
        raise EngineNotFound(f"There is no compiled engine in {PACKAGE}: pip install -e .")
    if are_stale(extensions):
        message = f"The compiled engine in {PACKAGE} is older than its source: pip install -e ."
        if WISH == "compiled":
            raise EngineNotFound(message)
        warnings.warn(f"{message} Until then the source runs.", RuntimeWarning, stacklevel=2)
        sys.meta_path.insert(0, SourceFinder)


C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., object])


def cclass(kind: C) -> C:
    """What stands for Cython's decorators of a class where it is not installed: no effect."""
    return kind


final = no_gc = cclass


def binding(flag: bool) -> Callable[[F], F]:
    """The same for a function."""
    return lambda function: function


@cache
def advise_to_compile() -> None:
    """Warn, once, that the engine runs as plain Python, unless that was asked for."""
    if WISH != "python":
        warnings.warn(
            "The engine is running as plain Python, about 7 times slower than compiled. To compile "
            "it, install a C compiler and then autograd_rnn again; AUTOGRAD_RNN_COMPILE=1 pip "
            "install . shows what is missing.",
            RuntimeWarning,
            stacklevel=2,
        )


def is_command_line() -> bool:
    """Whether this process is `autograd-rnn` or `python -m autograd_rnn`."""
    name = Path(sys.argv[0]).stem if getattr(sys, "argv", None) else ""
    return name == "autograd-rnn" or sys.orig_argv[1:3] == ["-m", __package__]


def end_in_a_line(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Report an exception as Python does, but Ctrl-C and a missing engine in one line."""
    if issubclass(kind, KeyboardInterrupt):
        print("autograd-rnn: interrupted.", file=sys.stderr)
    elif issubclass(kind, EngineNotFound):
        print(f"autograd-rnn: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, error.__traceback__)


if is_command_line():
    # Loading the package takes a moment, in which the command line does not run yet.
    sys.excepthook = end_in_a_line
choose()
