"""DOT text to SVG, PNG and PDF bytes; the only place that runs Graphviz."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from ..errors import ArgumentTypeError, FormatError, RendererNotFound, RenderError

FORMATS: Final = ("svg", "png", "pdf", "dot")
COMPLAINTS: Final = ("Error:", "syntax error", "in label of node", "in label of edge")
_one_at_a_time: Final = threading.Lock()


def check_format(name: str, formats: Sequence[str] = FORMATS) -> str:
    """The format in lower case; `FormatError` (a `ValueError`) listing those there are."""
    if not isinstance(name, str):
        raise ArgumentTypeError(f"format must be a str, not {type(name).__name__}.")
    if name.lower() not in formats:
        what = f"format {name!r} is unknown" if name else "the file name has no ending"
        raise FormatError(f"{what}: choose one of {', '.join(formats)}.")
    return name.lower()


def render(dot: str, format: str, dpi: float | None = None) -> bytes:
    """The picture that DOT text describes, in a format of `FORMATS`.

    Uses the Graphviz inside `pygraphviz`, else a `dot` program on the PATH.  `RendererNotFound`
    (a `RuntimeError`) where there is neither; `RenderError` (likewise) with Graphviz's own words,
    and for png or pdf where there is no font.
    """
    if format == "dot":
        return dot.encode()
    if format in ("png", "pdf") and not has_fonts():
        raise RenderError(
            f"no fonts were found, and the {format} would show boxes for letters: install any "
            f"font, such as DejaVu (the Debian package fonts-dejavu-core), or save svg."
        )
    return _run(dot, format, [] if dpi is None else [f"-Gdpi={dpi:g}"])


@cache
def has_fonts() -> bool:
    """Whether Graphviz finds a font; without one it silently draws a box for each letter."""
    probes = [f'digraph {{ a [shape=plain, label="{word}"] }}' for word in ("Mw", "iW")]
    return len({_run(probe, "png", []) for probe in probes}) == 2


def _run(dot: str, format: str, options: list[str]) -> bytes:
    try:
        import pygraphviz
    except ImportError as error:
        if shutil.which("dot") is None:
            raise RendererNotFound(
                f"drawing to {format} needs Graphviz, and pygraphviz did not load ({error}): "
                f"`pip install pygraphviz` brings its own, or install Graphviz so that `dot` is "
                f"on the PATH. The format dot works without."
            ) from None
        result = subprocess.run(
            ["dot", f"-T{format}", *options], input=dot.encode(), capture_output=True, check=False
        )
        picture, said = result.stdout, result.stderr.decode(errors="replace")
    else:
        with _one_at_a_time:
            _load_fonts()
            with _reports() as reported:
                try:
                    graph = pygraphviz.AGraph(string=dot)
                    picture = graph.draw(format=format, prog="dot", args=" ".join(options))
                except Exception as error:  # Graphviz reports by many types, TypeError among them
                    picture = b""
                    reported.append(str(error))
        said = "".join(reported)
    if not picture or any(complaint in said for complaint in COMPLAINTS):
        raise RenderError(f"Graphviz could not render the picture: {said.strip()}")
    return picture


@contextmanager
def _reports() -> Iterator[list[str]]:
    """What Graphviz reports, piece by piece: for a bad label it draws an empty node and goes on."""
    said: list[str] = []

    def receive(text: bytes) -> int:
        said.append(text.decode(errors="replace"))
        return 0

    reporter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)(receive)
    redirect = _redirect_reports()
    before = redirect(ctypes.cast(reporter, ctypes.c_void_p))
    try:
        yield said
    finally:
        redirect(before)


@cache
def _redirect_reports() -> Callable[[Any], Any]:
    """Graphviz's `agseterrf`, which takes a function to report to and returns the one before."""
    import pygraphviz

    # A library on Windows does not show what it is linked to: there, the one beside it has it.
    beside = Path(pygraphviz.__file__).parents[1].glob("pygraphviz.libs/cgraph*")
    for path in (pygraphviz.graphviz._graphviz.__file__, *map(str, beside)):
        with suppress(OSError, AttributeError):
            function = ctypes.CDLL(path).agseterrf
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
            return function
    return lambda reporter: None  # a build that does not show it: its reports stay unread


@cache
def _load_fonts() -> None:
    """Let Graphviz load its fonts, and keep only fontconfig's warnings off the error stream."""
    import pygraphviz

    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            pygraphviz.AGraph(string="digraph { a }").draw(format="svg", prog="dot")
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        held.seek(0)
        os.write(2, b"".join(line for line in held if not line.startswith(b"Fontconfig")))
