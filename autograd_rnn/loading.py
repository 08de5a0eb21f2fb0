"""Which engine is imported: the compiled one, or the source that it was compiled from.

`AUTOGRAD_RNN_ENGINE=python` imports the source, so that a debugger can step through it, and
`=compiled` makes it an error if there is no compiled one.  In a checkout, where extensions lie
beside their sources, they are not used once a source is newer.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
WISH: Final = os.environ.get("AUTOGRAD_RNN_ENGINE", "")


class SourceFinder:
    """An import finder that takes the source of a module, although an extension lies beside it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        package, _, module = name.rpartition(".")
        if path is None or package.partition(".")[0] != __package__:
            return None
        source = Path(path[0], f"{module}.py")
        return spec_from_file_location(name, source) if source.is_file() else None


def extensions() -> list[Path]:
    """The files of the compiled engine, as far as they are there."""
    beside = [path for folder in (".", "ops", "engine") for path in (PACKAGE / folder).iterdir()]
    return [path for path in beside if path.name.endswith(EXTENSION_SUFFIXES[0])]


def are_stale(compiled: list[Path]) -> bool:
    """Whether extensions in a checkout are older than their sources, or some are missing."""
    if not compiled or not (PACKAGE.parent / "setup.py").is_file():
        return False
    types = [path for folder in {path.parent for path in compiled} for path in folder.glob("*.pxd")]
    sources = [*types, *[path.with_suffix(".py") for path in types]]
    newest = max(path.stat().st_mtime for path in sources)
    return len(compiled) < len(types) or newest > min(path.stat().st_mtime for path in compiled)


def choose() -> None:
    """See to it that the right one is found when the engine is imported."""
    if WISH == "python":
        sys.meta_path.insert(0, SourceFinder)
        return
    compiled = extensions()
    if are_stale(compiled):
        message = f"The compiled engine in {PACKAGE} is older than its source: pip install -e ."
        if WISH == "compiled":
            raise ImportError(message)
        warnings.warn(f"{message} Until then the source runs.", RuntimeWarning, stacklevel=2)
        sys.meta_path.insert(0, SourceFinder)
    elif WISH == "compiled" and not compiled:
        raise ImportError(f"There is no compiled engine in {PACKAGE}: pip install -e .")


@cache
def advise_to_compile() -> None:
    """Warn, once, that the engine runs as plain Python, unless that was asked for."""
    if WISH != "python":
        warnings.warn(
            "The engine runs as plain Python, about 7 times as long as compiled: install a C "
            "compiler, and autograd_rnn again (AUTOGRAD_RNN_COMPILE=1 pip install . says what is "
            "missing).",
            RuntimeWarning,
            stacklevel=2,
        )


choose()
