"""What holds for the package as a whole: its layers, its table, its words."""

import ast
import doctest
import functools
import math
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement

import autograd_rnn
from autograd_rnn.ops.ieee import same_bits
from autograd_rnn.ops.op import TABLE

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autograd_rnn"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each folder imports only from those above it in this list.
FOLDERS = [
    *("ops", "graph", "engine", "program", "backends", "networks"),
    *("data", "training", "derivation", "pictures", "cli"),
]
# A file is read in one sitting, and a folder seen at a glance.
MOST_LINES = 450
MOST_FILES = 10
# Files beside the folders that import from any of them.
ANYTHING = ("__init__", "__main__", "comparison", "testing")
# What is named like an op, but is none: a picture with a card for each step, the smallest set.
NAMESAKES = {("draw", "step"), ("page", "step"), ("derive", "minimum"), ("exercise", "minimum")}
# A reader of the table and the operators of Value; whose rules a test holds equal to the table.
HOT = {name: TABLE[name].operator for name in ("add", "sub", "mul", "div", "pow")}


def dotted(path: Path) -> str:
    """A module by its path below the package: `graph.walk`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


KNOWN = {dotted(path) for path in MODULES}


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imported(path: Path) -> set[str]:
    """The modules of this package that a module imports."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].relative_to(PACKAGE).parts
            base = ".".join([*folder, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}".lstrip(".") for alias in node.names} & KNOWN
            found |= inner or {base}
    return found


def folder_of(module: str) -> str | None:
    name = module.split(".")[0]
    return name if name in FOLDERS else None


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down_the_list_of_folders(path: Path) -> None:
    if path.parent == PACKAGE and path.stem in ANYTHING:
        return
    own = folder_of(dotted(path))
    above = FOLDERS[: FOLDERS.index(own) + 1] if own else []
    found = {folder_of(module) for module in imported(path)}
    assert found <= {*above, None}


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {dotted(path): imported(path) for path in MODULES if path.stem != "__init__"}
    while imports:
        bottom = {name for name, below in imports.items() if below.isdisjoint(imports)}
        assert bottom, f"in a circle, or above one: {sorted(imports)}"
        imports = {name: below for name, below in imports.items() if name not in bottom}


def test_every_folder_is_in_the_list() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FOLDERS)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_module_and_folder_opens_with_one_sentence(path: Path) -> None:
    text = ast.get_docstring(parsed(path)) or ""
    first = text.partition("\n\n")[0].replace("\n", " ")
    assert re.fullmatch(r"[A-Z`].*\w\W*\.", first), first
    assert not re.search(r"[.!?] [A-Z]", first), first


def test_names_are_listed_in_the_files_of_folders_alone() -> None:
    listing = [path for path in MODULES if re.search(r"^__all__", path.read_text("utf-8"), re.M)]
    assert {path.name for path in listing} == {"__init__.py"}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=lambda p: p.name)
def test_no_folder_has_too_many_files(folder: Path) -> None:
    files = [path.name for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(files) <= MOST_FILES, files


def test_the_readers_of_a_graph_do_not_import_value() -> None:
    for path in MODULES:
        if folder_of(dotted(path)) in ("graph", "pictures"):
            assert not any(module.startswith("engine") for module in imported(path))


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, autograd_rnn; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"pygraphviz", "rich", "typer", "numpy", "llvmlite", "jax", "matplotlib"}
    assert heavy.isdisjoint(loaded)


#: What the package has no use for in a browser, where it runs on Pyodide.
NOT_IN_A_BROWSER = {"numpy", "pygraphviz", "rich", "typer"}


def test_in_a_browser_pip_asks_for_pure_python_alone() -> None:
    written = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [Requirement(line) for line in written["dependencies"]]
    there = {one.name for one in asked if not one.marker}
    assert there == {"latex2mathml"}
    for one in asked:
        assert one.marker is None or one.marker.evaluate({"sys_platform": "linux"})
        assert one.marker is None or not one.marker.evaluate({"sys_platform": "emscripten"})
    assert {one.name for one in asked} == there | NOT_IN_A_BROWSER


def test_the_lecture_needs_none_of_what_a_browser_lacks() -> None:
    code = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_IN_A_BROWSER}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from autograd_rnn import RNN, Stack, bits, copies, derive, draw, exercises, play, use_renderer

rnn = RNN([[4], [1]], activation="relu", bias=False)
for model in (rnn, Stack.random("GRU", states=2, inputs=1, outputs=1, seed=1)):
    run, weight = model.unroll(bits("101")), model.parameters()[0]
    loss = (15 - run.q[0]) ** 2
    loss.backward()
    assert draw(loss, run=run, focus=weight).dot.startswith("digraph")
    derivation = derive(loss, weight, run=run)
    assert "<math" in derivation.html and derivation.text and derivation.latex
    assert str(copies(weight, loss, run)) and model.to_dict()
    use_renderer(lambda dot, format, options: b"<svg></svg>")
    play(loss, run=run)
exercises(2, seed=1)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_ops_name_in_a_condition_outside_the_table() -> None:
    for path in MODULES:
        if path.parent.name == "ops":
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.If | ast.IfExp | ast.While | ast.comprehension):
                tests = node.ifs if isinstance(node, ast.comprehension) else [node.test]
            elif isinstance(node, ast.Compare | ast.match_case | ast.Dict):
                tests = [node]
            else:
                continue
            for part in [part for test in tests for part in ast.walk(test)]:
                name = (
                    part.value
                    if isinstance(part, ast.Constant)
                    else part.attr
                    if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "ops"
                    else None
                )
                if (path.stem, name) not in NAMESAKES:
                    assert name not in TABLE, f"{path.name}:{node.lineno} asks for the op {name!r}"


@pytest.mark.parametrize("name", sorted(HOT))
@given(st.floats() | st.integers(-4, 4).map(float), st.floats() | st.integers(-4, 4).map(float))
@example(-1.0, 2.0**53 + 2)
@example(-1.0, 2.0**54)
@example(2.0, 0.3)
@example(3.0, 0.7)
@example(1.0, 0.0)
@example(0.0, 0.3)
@example(math.inf, 0.3)
@example(1e-308, -1.0)
@example(0.0, 0.0)
@example(math.nan, 0.0)
@example(math.nan, 1.0)
def test_the_hot_operators_state_the_rules_of_the_table(name: str, a: float, b: float) -> None:
    op, operate = TABLE[name], HOT[name]
    x, y = autograd_rnn.Value(a), autograd_rnn.Value(b)
    result = operate(x, y)
    assert result.op is op
    assert same_bits(result.data, op(a, b))
    for found, rule in zip(result.partials, op.partials, strict=True):
        assert same_bits(found, rule(a, b, result.data))
    assert operate(x, 2).partials[1] == operate(2, y).partials[0] == 0


def test_the_readme_shows_the_folders_by_their_sentences() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^(\w+)/ +(.+)$", readme, re.MULTILINE)
    sentences = [ast.parse((PACKAGE / name / "__init__.py").read_text("utf-8")) for name in FOLDERS]
    assert listed == list(zip(FOLDERS, map(ast.get_docstring, sentences), strict=True))


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_code_in_the_readme_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = dict(TABLE)
    printed: list[str] = []
    names: dict[str, object] = {"print": lambda *things: printed.append(" ".join(map(str, things)))}
    for block in blocks("README.md", "python"):
        printed.clear()
        exec(block, names)
        prints = [line for line in block.splitlines() if line.lstrip().startswith("print")]
        for line, output in zip(prints, printed, strict=True):
            _, _, said = line.partition("  # ")
            assert output == said.strip() or not re.match(r"[\d\[(T]", said.strip())
    assert {path.name for path in tmp_path.iterdir()} == {"exercise.svg"}
    TABLE.clear()
    TABLE.update(before)


def test_the_description_on_an_index_has_the_code_and_no_link_to_a_file(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shown = subprocess.run(
        [sys.executable, "setup.py", "-q", "--long-description"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"\]\((?!\w+:)", re.sub(r"```.*?```", "", readme, flags=re.DOTALL))
    assert not re.search(r"\]\((?!\w+:)", re.sub(r"```.*?```", "", shown, flags=re.DOTALL))
    assert re.findall(r"```.*?```", shown, re.DOTALL) == re.findall(r"```.*?```", readme, re.DOTALL)
    assert "*Picture: Three copies of the weight w₁" in shown


def test_continuous_integration_runs_exactly_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    commands = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    assert len(commands) == 2
    assert [line for line in script if line in commands] == commands


def test_continuous_integration_and_commits_run_the_commands_of_the_noxfile() -> None:
    sessions = {
        function.name: [
            " ".join(argument.value for argument in call.args if isinstance(argument, ast.Constant))
            for call in ast.walk(function)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "session.run"
        ]
        for function in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body
        if isinstance(function, ast.FunctionDef) and function.decorator_list
    }
    # The tests are the README's second command, which `.ci/run` gives by itself.
    assert sessions["tests"] == ["pytest"]
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert re.search(r'^nox .*-k "not tests and not nightly and not sanitize"$', ci, re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"language: system, entry: ([^,]+),", hooks)
    assert entries == sessions["lint"] + sessions["types"]


def outline(svg: str) -> list[object]:
    """What an SVG shows, without what depends on the fonts and the Graphviz of a machine."""
    elements = []
    for element in ElementTree.fromstring(svg).iter():
        tag = element.tag.rpartition("}")[2]
        text = "".join(element.itertext()).strip() if tag in ("text", "title") else ""
        elements.append((tag, element.get("id"), element.get("class"), element.get("fill"), text))
    return elements


def test_the_picture_of_the_readme_is_the_one_that_its_command_makes(tmp_path: Path) -> None:
    committed = (ROOT / "docs" / "exercise.svg").read_text("utf-8")
    command = "autograd-rnn exercise 101 15 --save docs/exercise.svg"
    assert f"`{command}`" in (ROOT / "README.md").read_text("utf-8")
    assert "(docs/exercise.svg)" in (ROOT / "README.md").read_text("utf-8")
    arguments = [sys.executable, "-m", "autograd_rnn", *command.split()[1:-1]]
    made = tmp_path / "exercise.svg"
    subprocess.run([*arguments, str(made)], check=True, capture_output=True)
    assert outline(made.read_text("utf-8")) == outline(committed)


def test_the_pictures_of_the_gallery_are_those_that_its_command_makes(tmp_path: Path) -> None:
    docs = ROOT / "docs"
    text = (docs / "gallery.md").read_text("utf-8")
    assert "`python docs/gallery.py`" in text
    names: dict[str, Any] = runpy.run_path(str(docs / "gallery.py"))
    names["make"](tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(re.findall(r"\(([\w-]+\.svg)\)", text))
    for name in made:
        fresh = (tmp_path / name).read_text("utf-8")
        assert outline(fresh) == outline((docs / name).read_text("utf-8")), name


@pytest.mark.parametrize("name", autograd_rnn.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    thing = getattr(autograd_rnn, name)
    assert thing.__doc__
    assert len(thing.__doc__.splitlines()[0]) <= 100


def test_public_names_are_listed_once_and_in_order() -> None:
    names = autograd_rnn.__all__
    assert len(set(names)) == len(names)
    assert {name for name in vars(autograd_rnn) if is_public(name)} == set(names)


def is_public(name: str) -> bool:
    thing = getattr(autograd_rnn, name)
    return not name.startswith("_") and not isinstance(thing, type(sys))


def test_every_public_name_has_a_runnable_example() -> None:
    finder = doctest.DocTestFinder(recurse=False)
    for name in autograd_rnn.__all__:
        thing = getattr(autograd_rnn, name)
        if isinstance(thing, bool):
            continue  # a flag, which says all by its value
        # The ops are things of one class, whose docstring speaks for all of them.
        shown = type(thing) if hasattr(thing, "arity") else thing
        assert any(test.examples for test in finder.find(shown)), name
