"""The engine compiled from the same source, as `pip install` does: it passes the same tests."""

import doctest
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from autograd_rnn import arguments, ops
from autograd_rnn.engine import value as engine
from autograd_rnn.ops import ieee

ROOT = Path(__file__).parents[2]
#: The tests of what is compiled, and of what stands right on it; `.ci/run` gives it all others too.
NEAR = ("arrays", "check", "contexts", "engine", "forward", "functions", "graph", "junk", "machine")
NEAR += ("ops", "primitive", "reverse", "rnn")
NOT_SOURCE = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")


def run(folder: Path, *arguments: str, wish: str = "1") -> subprocess.CompletedProcess[str]:
    """Python in the folder, which comes first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "AUTOGRAD_RNN_COMPILE": wish}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def is_installed() -> bool:
    """Whether the package as it is here is installed, with its engine compiled."""
    installed = Path(sysconfig.get_path("platlib"), "autograd_rnn")
    return any(path.suffix != ".py" for path in installed.glob("engine.*")) and all(
        (installed / path.name).is_file()
        and (installed / path.name).read_bytes() == path.read_bytes()
        for path in (ROOT / "autograd_rnn").glob("*.py")
    )


def copy_project(folder: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tests, from which the compiled package is imported.

    That is the one that is installed, or else one that is built here.
    """
    folder = tmp_path_factory.mktemp("compiled")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=NOT_SOURCE)
    copy_project(folder)
    if not is_installed():
        compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
        if shutil.which(compiler) is None:
            pytest.skip(f"no C compiler {compiler!r} to compile the engine with")
        shutil.copytree(ROOT / "autograd_rnn", folder / "autograd_rnn", ignore=NOT_SOURCE)
        built = run(folder, "setup.py", "-q", "build_ext", "--inplace")
        assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_compiled_engine_is_the_one_that_runs(compiled: Path) -> None:
    code = (
        "from autograd_rnn import arguments, compiled, engine, ieee, ops; "
        "print(compiled, *[module.__file__ for module in (arguments, engine, ieee, ops)])"
    )
    flag, *paths = run(compiled, "-c", code).stdout.split()
    for path in map(Path, paths):
        assert path.suffix != ".py"
        assert path.parents[1] in (compiled, Path(sysconfig.get_path("platlib")))
    assert flag == "True"


def test_it_says_that_it_is_compiled(compiled: Path) -> None:
    said = run(compiled, "-m", "autograd_rnn", "--version").stdout
    assert said.endswith("(engine compiled)\n")


def test_it_needs_nothing_of_what_compiled_it(compiled: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['mypy', 'mypyc', 'librt'])); "
        "import autograd_rnn.engine.value; print('imported')"
    )
    assert run(compiled, "-c", code).stdout == "imported\n"


def test_it_passes_the_tests_of_the_engine(compiled: Path) -> None:
    suite = [f"tests/test_{name}.py" for name in NEAR]
    options = ("-q", "-x", "-n0", "-p", "no:cacheprovider", "--hypothesis-profile=compiled")
    tested = run(compiled, "-m", "pytest", "--engine=compiled", *options, *suite)
    assert tested.returncode == 0, tested.stdout[-5000:] + tested.stderr


def test_the_examples_in_its_docstrings_run(compiled: Path) -> None:
    code = (
        "import doctest; from autograd_rnn import arguments, engine, ieee, ops; "
        "print(*[doctest.testmod(module) for module in (arguments, engine, ieee, ops)])"
    )
    found = re.findall(r"failed=(\d+), attempted=(\d+)", run(compiled, "-c", code).stdout)
    for module, (failed, attempted) in zip((arguments, engine, ieee, ops), found, strict=True):
        here = [len(test.examples) for test in doctest.DocTestFinder().find(module)]
        assert (failed, attempted) == ("0", str(sum(here)))


@pytest.mark.parametrize("wish", ["", "0", "1"])
def test_where_it_cannot_be_compiled_the_source_is_built(wish: str, tmp_path: Path) -> None:
    copy_project(tmp_path)
    shutil.copytree(ROOT / "autograd_rnn", tmp_path / "autograd_rnn", ignore=NOT_SOURCE)
    (tmp_path / "mypyc.py").write_text("raise ImportError('no mypyc here')")
    # Of an earlier build: it must not get into this one.
    package = tmp_path / "lib" / "autograd_rnn"
    package.mkdir(parents=True)
    stale = [package / "engine.cpython-311.so", package.with_name("autograd_rnn__mypyc.so")]
    for path in stale:
        path.touch()
    built = run(tmp_path, "setup.py", "-q", "build", "--build-lib=lib", wish=wish)
    said = "autograd_rnn: the engine stays plain Python: no mypyc here" in built.stderr
    assert said == (wish == "")
    assert (built.returncode == 0) == (wish != "1")
    if wish == "":
        assert not any(path.exists() for path in stale)
        assert (package / "engine.py").is_file()


def test_a_python_without_its_lock_gets_the_source(tmp_path: Path) -> None:
    copy_project(tmp_path)
    shutil.copytree(ROOT / "autograd_rnn", tmp_path / "autograd_rnn", ignore=NOT_SOURCE)
    unlocked = 'import sysconfig; sysconfig.get_config_vars()["Py_GIL_DISABLED"] = 1'
    (tmp_path / "sitecustomize.py").write_text(unlocked)
    built = run(tmp_path, "setup.py", "-q", "build", "--build-lib=lib", wish="")
    assert built.returncode == 0, built.stderr
    assert "plain Python: nodes are counted under a lock that this Python lacks." in built.stderr
    assert not [*tmp_path.rglob("*.so"), *tmp_path.rglob("*.pyd")]
