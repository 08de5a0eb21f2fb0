"""DOT text to SVG, PNG and PDF bytes; the only place that runs Graphviz, or what stands in."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final, Protocol

from ...arguments import as_function
from ...errors import ArgumentTypeError, FormatError, RendererNotFound, RenderError

FORMATS: Final = ("svg", "png", "pdf", "dot")
COMPLAINTS: Final = ("Error:", "syntax error", "in label of node", "in label of edge")
PAGES: Final = "autograd_rnn_graphviz"  # the function of a page that renders
WORKER: Final = Path(__file__).with_name("worker.py")
LONGEST: Final = 300.0  # seconds for a picture


def check_format(name: str, formats: Sequence[str] = FORMATS) -> str:
    """The format in lower case; `FormatError` (a `ValueError`) listing those there are."""
    if not isinstance(name, str):
        raise ArgumentTypeError(f"format must be a str, not {type(name).__name__}.")
    if name.lower() not in formats:
        what = f"format {name!r} is unknown" if name else "the file name has no ending"
        raise FormatError(f"{what}: choose one of {', '.join(formats)}.")
    return name.lower()


class Renderer(Protocol):
    """A function that returns the picture of a DOT text in a format: "svg", "png" or "pdf".

    The options are those of the program `dot`, such as `-Gdpi=144`.  The layout engine is named in
    the text, so that `dot` lays out what has no places, and only that.
    """

    def __call__(self, dot: str, format: str, options: Sequence[str]) -> bytes: ...


def use_renderer(renderer: Renderer | None) -> None:
    """From now on, all pictures of the process are rendered by this function; None by Graphviz.

    The function takes DOT text, a format ("svg", "png" or "pdf") and options of the program `dot`,
    and returns the bytes of the picture.  Its errors arrive where the picture was asked for.

    None, as at first, is the Graphviz inside `pygraphviz`, or else the program `dot`; in Pyodide it
    is the function `autograd_rnn_graphviz(dot, format)` that the page defines in JavaScript.

    >>> from autograd_rnn import Value, draw
    >>> use_renderer(lambda dot, format, options: f"<svg>{len(dot)} letters</svg>".encode())
    >>> draw(Value(3, "x") * 2, theme="light").svg().splitlines()[-1].endswith("letters</svg>")
    True
    >>> use_renderer(None)
    """
    global _renderer
    _renderer = None if renderer is None else as_function(renderer, "renderer")


_renderer: Renderer | None = None


def render(dot: str, format: str, dpi: float | None = None) -> bytes:
    """The picture that DOT text describes, in a format of `FORMATS`.

    Made by what `use_renderer` was given; else by the Graphviz inside `pygraphviz`, in a process of
    its own, so that nothing of this one is touched; else by a `dot` program on the PATH.
    `RendererNotFound` (a `RuntimeError`) where there is neither; `RenderError` (likewise) with
    Graphviz's own words, and for png or pdf where there is no font.
    """
    if format == "dot":
        return dot.encode()
    renderer = _renderer or (_by_page if sys.platform == "emscripten" else _by_graphviz)
    picture = renderer(dot, format, [] if dpi is None else [f"-Gdpi={dpi:g}"])
    if not isinstance(picture, bytes):
        raise RenderError(
            f"the renderer returned a {type(picture).__name__} for {format}, not bytes."
        )
    return picture


def _by_page(dot: str, format: str, options: Sequence[str]) -> bytes:
    """The picture by the JavaScript of the page that this Python runs in."""
    # A module that Pyodide makes, and that no type checker finds.
    draw = getattr(import_module("js"), PAGES, None)
    if draw is None:
        raise RendererNotFound(
            f"drawing to {format} needs Graphviz: let the page define the JavaScript function "
            f"{PAGES}(dot, format), or give use_renderer a function. The format dot works without."
        )
    try:
        picture = draw(dot, format)
        return picture.encode() if isinstance(picture, str) else bytes(picture.to_bytes())
    except Exception as error:  # JavaScript's, which is of no type that Python has
        raise RenderError(f"the page could not render the picture: {error}") from error


def _by_graphviz(dot: str, format: str, options: Sequence[str]) -> bytes:
    if format in ("png", "pdf") and not has_fonts():
        raise RenderError(
            f"no fonts were found, and the {format} would show boxes for letters: install any "
            f"font, such as DejaVu (the Debian package fonts-dejavu-core), or save svg."
        )
    return _run(dot, format, list(options))


@cache
def has_fonts() -> bool:
    """Whether Graphviz finds a font; without one it silently draws a box for each letter."""
    probes = [f'digraph {{ a [shape=plain, label="{word}"] }}' for word in ("Mw", "iW")]
    return len({_run(probe, "png", []) for probe in probes}) == 2


def _run(dot: str, format: str, options: list[str]) -> bytes:
    picture, said = WARM.render(dot.encode(), format, options)
    if not picture or any(complaint in said for complaint in COMPLAINTS):
        raise RenderError(f"Graphviz could not render the picture: {said.strip()}")
    return picture


def _run_program(dot: bytes, format: str, options: list[str], missing: str) -> tuple[bytes, str]:
    """What the `dot` program makes, and says."""
    if shutil.which("dot") is None:
        raise RendererNotFound(
            f"drawing to {format} needs Graphviz, and pygraphviz did not load ({missing}): "
            f"{_remedy(missing)}, or install Graphviz so that `dot` is on the PATH, as "
            f"`apt-get install graphviz` does. The format dot works without."
        )
    result = subprocess.run(
        ["dot", f"-T{format}", *options], input=dot, capture_output=True, check=False
    )
    return result.stdout, result.stderr.decode(errors="replace")


def _remedy(missing: str) -> str:
    """What to install where pygraphviz did not load: itself, or what it finds in most systems."""
    if re.search(r"\blib\S*\.so", missing):
        return "install what it needs, as `apt-get install libexpat1 libglib2.0-0 libxrender1` does"
    return "`pip install pygraphviz` brings its own"


class Warm:
    """A process that renders one picture after the other, started when the first is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._inherited: list[subprocess.Popen[bytes] | None] = []
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def render(self, dot: bytes, format: str, options: list[str]) -> tuple[bytes, str]:
        """The picture, and what Graphviz said; one at a time."""
        with self._lock:
            try:
                answer = self._ask_again(dot, format, options)
            except BaseException:  # Ctrl-C too: what is still to come would answer the next one
                self._end(at_once=True)
                raise
            if isinstance(answer, str):
                self._end()
        return _run_program(dot, format, options, answer) if isinstance(answer, str) else answer

    def _ask_again(self, dot: bytes, format: str, options: list[str]) -> tuple[bytes, str] | str:
        """What `_ask` gives, by a new process where one that has served has been ended."""
        served, deadline = self._process is not None, monotonic() + LONGEST
        try:
            return self._ask(dot, format, options)
        except RenderError:
            if not served or monotonic() >= deadline:
                raise
            self._end(at_once=True)
            return self._ask(dot, format, options)

    def _ask(self, dot: bytes, format: str, options: list[str]) -> tuple[bytes, str] | str:
        """The picture and the words, or why `pygraphviz` did not load."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            if not sys.executable:
                return "there is no Python to run it"
            self._process = subprocess.Popen(
                # pygraphviz is found where this process finds it, and it alone.
                [sys.executable, "-P", str(WORKER), *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        process = self._process
        if hasattr(signal, "SIGCONT"):  # somebody may have stopped it
            process.send_signal(signal.SIGCONT)
        deadline = monotonic() + LONGEST
        late = threading.Timer(LONGEST, process.kill)
        late.daemon = True
        late.start()
        try:
            return self._exchange(process, dot, format, options)
        except RenderError:
            if monotonic() >= deadline:
                raise RenderError(
                    f"Graphviz took longer than {LONGEST:g} seconds: draw a part of the graph."
                ) from None
            raise
        finally:
            late.cancel()

    @staticmethod
    def _exchange(
        process: subprocess.Popen[bytes], dot: bytes, format: str, options: list[str]
    ) -> tuple[bytes, str] | str:
        """What the process answers."""
        requests, answers = _pipes(process)
        request = {"format": format, "options": options, "size": len(dot)}
        with suppress(OSError):  # where it has ended, its last words say why
            requests.write(json.dumps(request).encode() + b"\n" + dot)
            requests.flush()
        line = answers.readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {"size": 1}
        if "missing" in answer:
            return str(answer["missing"])
        picture = answers.read(answer["size"])
        if len(picture) < answer["size"]:
            code = process.wait()
            raise RenderError(
                f"Graphviz could not render the picture: its process ended with code {code}."
            )
        return picture, answer["said"]

    def stop(self) -> None:
        """End the process; the next picture starts another."""
        with self._lock:
            self._end()

    def _end(self, at_once: bool = False) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if at_once:
            process.kill()
        for pipe in _pipes(process):
            with suppress(OSError):  # what was still to be written has no reader
                pipe.close()
        process.wait()

    def _forget(self) -> None:
        """In a forked process: the one that renders answers the other one."""
        self._lock = threading.Lock()
        self._inherited.append(self._process)
        self._process = None


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


WARM: Final = Warm()
