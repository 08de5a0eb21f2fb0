"""Build the playground, a folder of static files: `python docs/playground/build.py [FOLDER]`.

It needs npm, and the package with its dependencies installed.  Any static host serves the folder,
and so does `autograd-rnn playground FOLDER`.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from html import escape
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

import autograd_rnn
from autograd_rnn.errors import ArgumentValueError
from autograd_rnn.pictures.theme import THEMES

HERE = Path(__file__).parent.resolve()
# They lie beside this file, which the site and the tests run from elsewhere.
sys.path.insert(0, str(HERE))
exercise, playground = import_module("exercise"), import_module("playground")
notebook_pages = import_module("notebook_pages")

GLUE = ("playground.py", "exercise.py", "games.py", "cells.py")
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
#: What a browser cannot use: the command line, machine code, tests of one's own.
UNUSED = ("cli/", "backends/llvm/", "backends/jax/", "testing.py", "__main__.py")
KEPT = ("backends/llvm/__init__.py", "backends/llvm/backend.py")
KEPT += ("backends/jax/__init__.py", "backends/jax/backend.py")
#: The lecture's exercise, which stands in the page before Python is there.
FIRST = {
    **{"net": "one", "bits": "101", "y": "15", "w": ["4", "1"], "q": ["0"], "a": "relu"},
    **{"focus": 1, "through": "copies", "detail": "auto", "hide": False},
}


class NoNpm(RuntimeError):
    """There is no npm, or it could not fetch what the page is built from."""


def build(folder: Path) -> Path:
    """The folder, once it holds the page and all that it loads, in place of an earlier one.

    `ValueError` for a folder that holds anything else, which is left as it is.
    """
    if folder.exists() and not (folder / "app.zip").is_file() and not is_empty(folder):
        raise ArgumentValueError(
            f"{folder} holds something that is no playground: choose a new folder, or an empty one."
        )
    with tempfile.TemporaryDirectory() as place:
        modules = fetched(Path(place))
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "pyodide").mkdir(parents=True)
        for name in PYODIDE:
            shutil.copy(modules / "pyodide" / name, folder / "pyodide")
        (folder / "viz").mkdir()
        shutil.copy(modules / "@viz-js/viz/dist/viz.js", folder / "viz")
        locked = json.loads((modules / "pyodide/pyodide-lock.json").read_text("utf-8"))
    # No package is loaded from the lock file, but Pyodide wants its head.
    (folder / "pyodide/pyodide-lock.json").write_text(json.dumps({**locked, "packages": {}}))
    for part in ("page", "games"):
        shutil.copytree(HERE / part, folder / part)
    shutil.copy(HERE / "LICENCES.txt", folder)
    film = exercise.Exercise(FIRST).play()
    (folder / "page/player.js").write_text(f"{film.script}\nexport {{ player }};\n", "utf-8")
    (folder / "index.html").write_text(
        first_page((HERE / "index.html").read_text("utf-8")), "utf-8"
    )
    (folder / "style.css").write_text(coloured((HERE / "style.css").read_text("utf-8")), "utf-8")
    (folder / "notebooks").mkdir()
    for name, text in notebook_pages.pages((HERE / "notebook.html").read_text("utf-8")):
        (folder / "notebooks" / name).write_text(text, "utf-8")
    zip_python(folder / "app.zip")
    return folder


def is_empty(folder: Path) -> bool:
    """Whether it is a folder, and nothing is in it."""
    return folder.is_dir() and not any(folder.iterdir())


def fetched(place: Path) -> Path:
    """The packages of the lock file, fetched by npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoNpm("the playground is built with npm, and there is none: install Node.js.")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, place)
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNpm(f"npm ci failed: {done.stderr.strip()[-500:]}")
    return place / "node_modules"


def zip_python(path: Path) -> None:
    """A zip of the Python that the page runs: this package, its one dependency, and the glue."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in sorted(python_files()):
            # A date of its own would make each build another one.
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, source.read_bytes(), compresslevel=9)


def python_files() -> Iterator[tuple[str, Path]]:
    """The files of the zip, by their names in it: sources, without what was compiled from them."""
    root = Path(autograd_rnn.__file__).parent
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        unused = name.startswith(UNUSED) and name not in KEPT
        if path.is_file() and path.suffix not in (".so", ".pyd", ".pyc", ".pxd") and not unused:
            yield f"autograd_rnn/{name}", path
    latex = distribution("latex2mathml")
    for file in latex.files or ():
        used = file.parts[0] == "latex2mathml" and file.suffix in (".py", ".txt")
        # It reads its own version when it is imported.
        if used or file.name == "METADATA":
            yield file.as_posix(), Path(str(latex.locate_file(file)))
    for name in GLUE:
        yield name, HERE / name


def first_page(template: str) -> str:
    """The page with the exercise in it, so that there is something to see at once."""
    shown = playground.show(FIRST)
    style = coloured((HERE / "style.css").read_text("utf-8"))
    parts = {
        # In the page, so that nothing is waited for before it is painted.
        "style": f"{exercise.Exercise(FIRST).play().style}\n{style}",
        "svg": shown.pop("svg"),
        "result": shown["result"],
        "table": shown["table"],
        "derivation": playground.derivation(FIRST)["html"],
        "first": json.dumps({"spec": FIRST, "shown": shown}).replace("<", "\\u003c"),
        "version": escape(distribution("autograd_rnn").version),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def coloured(style: str) -> str:
    """The style in the colours of the pictures: `{{light.ink}}` is a colour of a theme."""
    return re.sub(r"\{\{(\w+)\.(\w+)\}\}", lambda found: getattr(THEMES[found[1]], found[2]), style)


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "playground")))
    except (NoNpm, ArgumentValueError, OSError) as error:
        sys.exit(f"build.py: {error}")
