"""The server of a built playground: its files, with their types, for this machine alone."""

import threading
import urllib.request
from pathlib import Path

import pytest

from autograd_rnn.errors import ArgumentValueError
from autograd_rnn.pictures.play.serve import playground_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("index.html", "app.zip", "main.mjs", "python.wasm"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_files_come_with_their_types(folder: Path) -> None:
    types = {"": "text/html", "main.mjs": "text/javascript", "python.wasm": "application/wasm"}
    with playground_server(folder, 0) as server:
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name, type in types.items():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
                assert answer.headers.get_content_type() == type
                assert answer.headers["Cache-Control"] == "no-cache"
                assert answer.read().decode() == (name or "index.html")
        server.shutdown()
        thread.join()


def test_a_folder_without_a_playground_says_how_to_build_one(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    with pytest.raises(ArgumentValueError) as refused:
        playground_server(tmp_path, 0)
    assert str(refused.value) == (
        f"{tmp_path} holds no playground. To build one there, with npm, in a clone of the "
        f"project: pip install . && python docs/playground/build.py {tmp_path}"
    )


def test_a_port_that_is_taken_is_refused(folder: Path) -> None:
    with playground_server(folder, 0) as server:
        port = server.server_port
        with pytest.raises(
            ValueError, match=rf"port {port} of 127.0.0.1 cannot be had \(.*in use\)"
        ):
            playground_server(folder, port)
