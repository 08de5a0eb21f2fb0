"""How the engine is compiled, and what only a compiled one has.

That it computes the same is what the other tests say: `pytest --engine compiled`.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = (
    *("arguments", "engine.leaves", "engine.shared", "engine.sweep", "engine.value"),
    *("engine.walks",),
    *("ops.ieee", "ops.op", "ops.table"),
)


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python in the folder, which comes first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "AUTOGRAD_RNN_ENGINE": "", **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def said(folder: Path, code: str, **variables: str) -> str:
    """What a few lines of Python print in the folder."""
    ran = run(folder, "-c", code, **variables)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def checkout(folder: Path, *more: str, source: Path = ROOT) -> Path:
    """The folder with a copy of what is needed to build the package, and what else is named."""
    folder.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy2(source / name, folder)
    without = shutil.ignore_patterns(*{"__pycache__", "*.so", "*.pyd"}.difference(more))
    shutil.copytree(source / "autograd_rnn", folder / "autograd_rnn", ignore=without)
    return folder


def build(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`setup.py build`, as pip runs it."""
    return run(folder, "setup.py", "-q", "build", "--build-lib=lib", **variables)


def compile_all(folder: Path) -> Path:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler {compiler!r} to compile the engine with")
    built = build(folder, AUTOGRAD_RNN_COMPILE="1")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tests, in which the compiled package is imported.

    That is this one, where it has been built since the last change, else a copy that is built here.
    """
    if run(ROOT, "-c", "import autograd_rnn", AUTOGRAD_RNN_ENGINE="compiled").returncode == 0:
        return ROOT
    return compile_all(checkout(tmp_path_factory.mktemp("compiled") / "here"))


@pytest.fixture
def copied(compiled: Path, tmp_path: Path) -> Path:
    """A copy of that as a build leaves it: the extensions beside the source, and in lib."""
    folder = checkout(tmp_path / "here", "*.so", "*.pyd", source=compiled)
    without = shutil.ignore_patterns("*.pxd")
    shutil.copytree(folder / "autograd_rnn", folder / "lib" / "autograd_rnn", ignore=without)
    return folder


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Value, compiled, has another field that holds an object."""
    folder = checkout(tmp_path_factory.mktemp("extended") / "here")
    for suffix, before, after in (
        ("pxd", "    cdef object _name\n", "    cdef object _name\n    cdef public object extra\n"),
        ("py", '"_data", "_dx"', '"_data", "_dx", "extra"'),
    ):
        path = folder / "autograd_rnn" / "engine" / f"value.{suffix}"
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")
    return compile_all(folder)


def test_all_of_it_is_compiled(compiled: Path) -> None:
    code = f"import sys, autograd_rnn\nfor name in {MODULES}: "
    code += "print(sys.modules[f'autograd_rnn.{name}'].__file__)"
    paths = [Path(line) for line in said(compiled, code).split()]
    assert len(paths) == len(MODULES)
    assert all(path.suffix in (".so", ".pyd") for path in paths)
    assert len(MODULES) == len(list((ROOT / "autograd_rnn").rglob("*.pxd")))


def test_it_says_that_it_is_compiled(compiled: Path) -> None:
    assert said(compiled, "import autograd_rnn; print(autograd_rnn.compiled)") == "True\n"
    assert run(compiled, "-m", "autograd_rnn", "--version").stdout.endswith("(engine compiled)\n")


def test_it_needs_nothing_of_what_compiled_it(compiled: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['Cython', 'cython'])); "
        "import autograd_rnn; print('imported')"
    )
    assert said(compiled, code) == "imported\n"


def test_the_examples_in_its_docstrings_run(compiled: Path) -> None:
    code = (
        "import doctest, sys, autograd_rnn\n"
        f"for name in {MODULES}: print(doctest.testmod(sys.modules[f'autograd_rnn.{{name}}']))"
    )
    results = [
        re.findall(r"failed=(\d+), attempted=(\d+)", said(compiled, code, AUTOGRAD_RNN_ENGINE=kind))
        for kind in ("compiled", "python")
    ]
    assert results[0] == results[1]
    assert {failed for failed, _ in results[0]} == {"0"}
    assert sum(int(attempted) for _, attempted in results[0]) > 20


def test_its_nodes_are_not_tracked_by_the_collector(compiled: Path) -> None:
    code = "import gc; from autograd_rnn import Value; print(gc.is_tracked(Value(1) + 2))"
    assert said(compiled, code) == "False\n"


def test_its_members_have_signatures(compiled: Path) -> None:
    code = (
        "import inspect; from autograd_rnn import Value\n"
        "print(inspect.signature(Value), *inspect.signature(Value.backward).parameters)\n"
        "print(*inspect.signature(Value.exp).parameters)"
    )
    assert said(compiled, code) == "(data, name=None) self seed\nself\n"


DEEP = """
import threading
from autograd_rnn import Value

MILLION = 10**6

def chain():
    x = y = Value(1.0)
    for _ in range(MILLION): y = y + 1
    y.backward()
    assert x.grad == 1

def squares():
    y = Value(1.0)
    for _ in range(MILLION): y = y * y

def ladder():
    pair = [Value(1.0)]
    for _ in range(MILLION): pair = [pair[0] + pair[-1], pair[0] * 2.0]

threading.stack_size(64 * 1024)
for work in (chain, squares, ladder):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(work.__name__)
"""


def test_graphs_a_million_deep_are_freed_on_a_small_stack(compiled: Path) -> None:
    assert said(compiled, DEEP, AUTOGRAD_RNN_ENGINE="compiled").split() == [
        *("chain", "squares", "ladder")
    ]


FREED = """
import weakref
from autograd_rnn import Value, compiled

class Thing(str): pass

def follow(value):
    value.FIELD = Thing()
    return weakref.ref(value.FIELD)

assert compiled
x = Value(2)
things = [follow(x)]
y = x
for _ in range(1000):
    y = y * x + 1
    things += [follow(y), follow(y.parents[0]), follow(y.parents[1])]
del y
print([thing() is not None for thing in things].count(True), things[0]() is not None)
del x
print([thing() is not None for thing in things].count(True))
"""


def test_the_fields_of_a_chain_are_freed(compiled: Path) -> None:
    code = FREED.replace("FIELD", "name")
    assert said(compiled, code, AUTOGRAD_RNN_ENGINE="compiled") == "1 True\n0\n"


@pytest.mark.long
def test_a_new_field_is_freed_like_the_others(extended: Path) -> None:
    """However long the chain: nothing of how nodes are freed names their fields."""
    assert said(extended, FREED.replace("FIELD", "extra")) == "1 True\n0\n"


@pytest.mark.long
def test_a_build_leaves_the_extensions_beside_the_source_and_in_lib(extended: Path) -> None:
    code = "import autograd_rnn; print(autograd_rnn.compiled, autograd_rnn.__file__)"
    for folder in (extended, extended / "lib"):
        flag, path = said(folder, code).split()
        assert (flag, Path(path).parents[1]) == ("True", folder)


def test_a_python_started_in_the_checkout_has_the_compiled_engine(copied: Path) -> None:
    code = "import autograd_rnn; print(autograd_rnn.compiled, autograd_rnn.__file__)"
    flag, path = said(copied, code).split()
    assert (flag, Path(path).parents[1]) == ("True", copied)
    assert said(copied / "lib", code).startswith("True")
    assert said(copied, code, AUTOGRAD_RNN_ENGINE="python").startswith("False")


def test_a_stale_extension_is_not_used(copied: Path) -> None:
    code = "import autograd_rnn; print(autograd_rnn.compiled)"
    source = copied / "autograd_rnn" / "engine" / "value.pxd"
    before = source.stat().st_mtime
    os.utime(source)
    ran = run(copied, "-c", code)
    refused = run(copied, "-c", code, AUTOGRAD_RNN_ENGINE="compiled")
    os.utime(source, (before, before))
    assert ran.stdout == "False\n"
    assert ran.stderr.count("is older than its source: pip install -e .") == 1
    assert "EngineNotFound: The compiled engine in" in refused.stderr
    assert said(copied, code) == "True\n"


@pytest.mark.parametrize("wish", ["", "0", "1"])
def test_where_it_cannot_be_compiled_the_source_is_built(wish: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "source")
    (folder / "Cython.py").write_text("raise ImportError('no Cython here')")
    # Of an earlier build: it must not get into this one.
    package = folder / "lib" / "autograd_rnn"
    package.mkdir(parents=True)
    stale = package / "engine.cpython-311.so"
    stale.touch()
    built = build(folder, AUTOGRAD_RNN_COMPILE=wish)
    message = "autograd_rnn: the engine stays plain Python: no Cython here" in built.stderr
    assert message == (wish == "")
    assert (built.returncode == 0) == (wish != "1")
    if wish == "":
        assert not stale.exists()
        assert (package / "engine" / "value.py").is_file()
        assert not list(package.rglob("*.pxd"))


def test_free_threaded_python_gets_the_source(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "source")
    unlocked = 'import sysconfig; sysconfig.get_config_vars()["Py_GIL_DISABLED"] = 1'
    (folder / "sitecustomize.py").write_text(unlocked)
    built = build(folder, AUTOGRAD_RNN_COMPILE="")
    assert built.returncode == 0, built.stderr
    assert "plain Python: free-threaded Python is not supported" in built.stderr
    assert not [*folder.rglob("*.so"), *folder.rglob("*.pyd")]


def test_training_on_the_plain_engine_says_once_that_it_is_slow(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "source")
    code = (
        "from autograd_rnn import RNN\n"
        "rnn = RNN([[4], [1]], 'relu', bias=False)\n"
        "for _ in range(2): rnn.compile('squared_error', backend='eager').predict([[1]])\n"
    )
    assert run(folder, "-c", code).stderr.count("The engine is running as plain Python") == 1
    assert run(folder, "-c", code, AUTOGRAD_RNN_ENGINE="python").stderr == ""
    assert run(folder, "-c", "import autograd_rnn").stderr == ""


def test_the_engine_that_is_asked_for_is_imported_or_refused(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "source")
    for wish, message in (
        ("compiled", "EngineNotFound: There is no compiled engine in "),
        ("c", "EngineNotFound: AUTOGRAD_RNN_ENGINE must be python or compiled, not 'c'."),
    ):
        assert message in run(folder, "-c", "import autograd_rnn", AUTOGRAD_RNN_ENGINE=wish).stderr


def test_an_incomplete_set_of_extensions_is_not_used(copied: Path) -> None:
    (extension,) = (copied / "autograd_rnn" / "ops").glob("op.*.so")
    moved = extension.rename(extension.with_name(f"other.{extension.name.partition('.')[2]}"))
    code = "import autograd_rnn; print(autograd_rnn.compiled)"
    ran = run(copied, "-c", code)
    moved.rename(extension)
    assert ran.stdout == "False\n"
    assert said(copied, code) == "True\n"


def test_an_installed_package_beside_a_setup_script_is_imported(copied: Path) -> None:
    (copied / "lib" / "setup.py").touch()
    code = "import autograd_rnn; print(autograd_rnn.compiled)"
    assert said(copied / "lib", code) == "True\n"


def test_the_package_is_imported_from_an_archive(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "source")
    archive = shutil.make_archive(str(tmp_path / "package"), "zip", folder, "autograd_rnn")
    code = f"import sys; sys.path.insert(0, {archive!r}); import autograd_rnn; print('imported')"
    assert said(tmp_path, code) == "imported\n"


def test_a_method_refuses_a_self_of_another_type(compiled: Path) -> None:
    code = (
        "import inspect\nfrom autograd_rnn import Value, ops\n"
        "for kind in (Value, ops.Op):\n"
        "    for name, member in vars(kind).items():\n"
        "        if inspect.isroutine(member) and name not in ('__new__', '_apply_op'):\n"
        "            try:\n                print(name, member(3))\n"
        "            except TypeError:\n                pass\n"
    )
    assert said(compiled, code) == ""
