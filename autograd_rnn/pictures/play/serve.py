"""A server of a folder on the loopback, for pages that a browser does not load from files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ...errors import ArgumentValueError

#: What a page needs a type for, whatever the system calls these files.
TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
}


class Files(SimpleHTTPRequestHandler):
    """The files of a folder; the browser asks each time whether one has changed."""

    def guess_type(self, path: str | PathLike[str]) -> str:
        """The type of a file, by its name."""
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self) -> None:
        """The last header, before the end."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the terminal shows the address alone."""


def playground_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the built playground in the folder, only for this machine; port 0 is any.

    `ValueError` for a folder that holds none, saying how to build one, and for a port in use.
    """
    if not (folder / "app.zip").is_file() or not (folder / "index.html").is_file():
        raise ArgumentValueError(
            f"{folder} holds no playground. To build one there, with npm, in a clone of the "
            f"project: pip install . && python docs/playground/build.py {folder}"
        )
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Files, directory=str(folder)))
    except OSError as error:
        raise ArgumentValueError(
            f"port {port} of 127.0.0.1 cannot be had ({error.strerror}): take another, or 0 for "
            f"one that is free."
        ) from None


def serve_playground(folder: Path, port: int, tell: Callable[[str], object]) -> None:
    """Serve the playground until Ctrl-C, and tell its address."""
    with playground_server(folder, port) as server:
        tell(f"http://127.0.0.1:{server.server_port}/ until Ctrl-C")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
