"""What is built: its size, its licences, and that it comes from where the lock file says."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import BUILD, SOURCE

MEGABYTES = 1_000_000


@pytest.mark.playground
def test_the_folder_is_small_and_complete(built: Path) -> None:
    files = [path for path in built.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) <= 7.5 * MEGABYTES
    licences = (built / "LICENCES.txt").read_text("utf-8")
    for name, licence in [("Pyodide", "MPL-2.0"), ("viz-js", "MIT"), ("Graphviz", "EPL")]:
        assert name in licences
        assert licence in licences
    page = (built / "index.html").read_text("utf-8")
    assert "{{" not in page
    # The exercise stands in it: the picture, the result, the table and the working.
    for part in ("<svg", "∂L/∂", "<b>32</b>", "Forward pass", "<math", "separate it from"):
        assert part in page.partition('id="first"')[0]


def test_what_is_fetched_is_locked_and_no_registry_is_named() -> None:
    text = (SOURCE / "package-lock.json").read_text("utf-8")
    locked: dict[str, dict[str, Any]] = json.loads(text)["packages"]
    wanted = json.loads((SOURCE / "package.json").read_text("utf-8"))["dependencies"]
    assert set(wanted) == {"@viz-js/viz", "pyodide"}
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package for name, package in locked.items() if name)
    assert "http" not in text.replace("https://registry.npmjs.org/", "")


def test_without_npm_the_build_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BUILD["NoNpm"], match="there is none: install Node.js"):
        BUILD["build"](tmp_path / "playground")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    for place in (tmp_path, thesis):
        with pytest.raises(ValueError, match="holds something that is no playground: choose a new"):
            BUILD["build"](place)
    assert thesis.read_text() == "years of work"
