"""The engine compiled by mypyc, from the same source: it passes the same tests."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Tests that never come near the engine, or look at the project's files.
ELSEWHERE = {
    *("test_cli", "test_compiled", "test_draw", "test_files", "test_notation"),
    *("test_derive", "test_exercises", "test_numerics", "test_project", "test_separating"),
    *("test_documents", "test_lanes", "test_optimisers", "test_steps", "test_tasks"),
    "test_train",
}
BUILD = """
from mypyc.build import mypycify
from setuptools import setup

options = ["--config-file={config}", "autograd_rnn/engine.py"]
setup(name="autograd_rnn", packages=["autograd_rnn"], ext_modules=mypycify(options, opt_level="0"))
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the folder, which comes first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, the engine compiled, and with the tests."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler {compiler!r} to compile the engine with")
    folder = tmp_path_factory.mktemp("compiled")
    for name in ("autograd_rnn", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = ROOT / "pyproject.toml"
    (folder / "setup.py").write_text(BUILD.format(config=config.as_posix()))
    built = run(folder, "setup.py", "-q", "build_ext", "--inplace")
    assert built.returncode == 0, built.stdout + built.stderr
    shutil.copy(config, folder)
    return folder


def test_the_compiled_engine_is_the_one_that_runs(compiled: Path) -> None:
    code = "from autograd_rnn import Value, engine; print(engine.__file__, Value.__module__)"
    path, module = run(compiled, "-c", code).stdout.split()
    assert Path(path).suffix != ".py"
    assert Path(path).parent == compiled / "autograd_rnn"
    assert module == "autograd_rnn.engine"


def test_it_passes_the_tests_of_the_engine(compiled: Path) -> None:
    modules = sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    suite = [f"tests/{name}.py" for name in modules if name not in ELSEWHERE]
    options = ("-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=compiled")
    tested = run(compiled, "-m", "pytest", *options, *suite)
    assert tested.returncode == 0, tested.stdout[-5000:] + tested.stderr
