"""What is written for readers runs, leads somewhere, and quotes what was measured."""

import gzip
import importlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import autograd_rnn
from autograd_rnn import errors
from autograd_rnn.cli import app as command_line
from autograd_rnn.cli.text import TEXT_TASK
from autograd_rnn.data.tasks import TASKS
from autograd_rnn.ops.op import TABLE

from .test_project import ROOT, blocks

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
OTHERS += [ROOT / "tests" / "README.md", ROOT / "benchmarks" / "README.md"]
WRITTEN = [*OTHERS, *PAGES, *NOTEBOOKS]
# All but the README.
ON_THE_SITE = {*WRITTEN[1:], *ROOT.glob("benchmarks/*.svg")}
# What a page needs that the tests do not.
OPTIONAL = {"jax": "jax"}
# Code, and what it prints where no comment says so.
BLOCK_AND_OUTPUT = re.compile(
    r"^```python\n((?:(?!```).*\n)*)```\n\n```text\n((?:(?!```).*\n)*)```", re.MULTILINE
)
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?!\.?\d)|(?<![\w.])\d[\d,]*(?= (?:ms|bytes|s)\b)")


def identify(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def cells(path: Path, kind: str) -> list[Any]:
    notebook = json.loads(path.read_text("utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(path: Path) -> str:
    """The text of a page, or of a notebook, without its code."""
    if path.suffix == ".ipynb":
        return "\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    return re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


# --- code ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_the_code_of_a_page_runs_and_prints_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.stem in OPTIONAL:
        pytest.importorskip(OPTIONAL[page.stem])
    monkeypatch.chdir(tmp_path)
    before = dict(TABLE)
    printed: list[tuple[int, str]] = []

    def note(*things: object) -> None:
        printed.append((sys._getframe(1).f_lineno, " ".join(map(str, things))))

    names: dict[str, object] = {"print": note}
    shown = dict(re.findall(BLOCK_AND_OUTPUT, page.read_text("utf-8")))
    assert set(shown) <= set(blocks(identify(page), "python"))
    assert len(shown) == len(blocks(identify(page), "text")), "an output that is of no code"
    try:
        for block in blocks(identify(page), "python"):
            printed.clear()
            exec(compile(block, page.name, "exec"), names)
            lines = block.splitlines()
            below = []
            for number, output in printed:
                _, _, said = lines[number - 1].partition("  # ")
                assert said in ("", output), lines[number - 1]
                if not said:
                    below.append(output.rstrip())
            if block in shown:
                assert "\n".join(below) == shown[block].rstrip()
    finally:
        TABLE.clear()
        TABLE.update(before)


COMMANDS = {
    identify(path): [
        line.removeprefix("$ ").partition("  #")[0].strip()
        for block in blocks(identify(path), "console")
        for line in block.splitlines()
    ]
    for path in (ROOT / "README.md", *PAGES)
}


@pytest.mark.parametrize("page", [page for page, commands in COMMANDS.items() if commands])
def test_the_commands_that_a_page_shows_run_one_after_the_other(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with gzip.open("genome.fa.gz", "wt") as file:
        file.write(">made up\nGATTACAGGGATTACAGATTACAGGG\n")
    rows = [f"{'ACGT'[k % 4] * (k % 7 + 1)}TATA{k:08b}," for k in range(40)]
    rows = [row.translate(str.maketrans("01", "CG")) + "ab"[k % 2] for k, row in enumerate(rows)]
    rows = [f"{row},{k}" for k, row in enumerate(rows)]
    Path("reads.csv").write_text("\n".join(["sequence,label,melting", *rows]))
    for command in COMMANDS[page]:
        monkeypatch.setattr(sys, "argv", command.split())
        with pytest.raises(SystemExit) as end:
            command_line.main()
        assert not end.value.code, command


def test_the_page_of_the_command_line_has_every_command_and_task() -> None:
    page = (DOCS / "reference" / "command_line.md").read_text("utf-8")
    shown = {line.split()[1] for line in COMMANDS["docs/reference/command_line.md"]}
    known = command_line.app.registered_commands
    commands = {command.name or command.callback.__name__ for command in known}
    page, tasks = page.split("\n| task |")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == shown == commands
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|", tasks, re.MULTILINE)
    known_tasks = [(name, task.about) for name, task in TASKS.items()]
    assert rows == [*known_tasks, tuple(TEXT_TASK.split(": "))]


def test_the_entry_of_an_op_is_shown_as_it_stands() -> None:
    entry, *_ = blocks("CONTRIBUTING.md", "python")
    assert entry in (ROOT / "autograd_rnn" / "ops" / "table.py").read_text("utf-8")


def test_each_extension_that_is_shown_runs() -> None:
    _, *additions = blocks("CONTRIBUTING.md", "python")
    code = "\n".join(additions)
    # In a process of its own, which forgets what was registered.
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    said = re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)
    assert ran.stdout.splitlines() == said


def test_every_folder_of_tests_mirrors_one_of_the_package() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert folders == {path.parent.name for path in (ROOT / "autograd_rnn").glob("*/__init__.py")}


def test_the_map_names_files_that_are_there() -> None:
    named = re.findall(
        r"`((?:\w+/)+\w+\.py)`", (DOCS / "explanation" / "design.md").read_text("utf-8")
    )
    assert len(named) > 30
    for path in named:
        assert any((root / path).is_file() for root in (ROOT / "autograd_rnn", ROOT)), path


# --- links and figures ---------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a page: its headings in lower case, with hyphens for spaces."""
    heads = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", WRITTEN, ids=identify)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"\w+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (path.parent / place).resolve() if place else path
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("path", WRITTEN[1:], ids=identify)
def test_pages_of_the_site_lead_to_what_is_on_the_site(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", prose(path)):
        file = (path.parent / target).resolve()
        assert ":" in target or file in ON_THE_SITE or file.is_relative_to(DOCS), target


def quoted(path: Path) -> set[str]:
    """The figures that are quoted together with the benchmark that measures them."""
    paragraphs = re.split(r"\n\s*\n", prose(path))
    return {n for text in paragraphs if "benchmarks/" in text for n in NUMBER.findall(text)}


def test_quoted_figures_are_those_of_the_benchmarks() -> None:
    measured = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    found = set(re.findall(r"(?<![\w.])\d[\d,.]*\d\b|\b\d\b", measured))
    for path in WRITTEN:
        if path.parent.name != "benchmarks":
            assert quoted(path) <= found, identify(path)
    assert len(quoted(ROOT / "README.md")) >= 3
    assert len(quoted(DOCS / "explanation" / "comparison.md")) >= 3


def test_a_stale_figure_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("By `benchmarks/eager.py`: 1.5 times as fast, 99 bytes, micrograd 0.1.0.\n")
    assert quoted(page) == {"1.5", "99"}


# --- the site ------------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    made = [f"tutorial/{path.stem}.md" for path in NOTEBOOKS]
    made += ["benchmarks.md", "changes.md", "contributing.md", "tests.md"]
    pages = [path.relative_to(DOCS).as_posix() for path in PAGES]
    assert sorted(listed) == sorted(made + pages)


def test_the_reference_has_every_public_name_once() -> None:
    text = "".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    listed = re.findall(r"^::: (.+)\.(\w+)$", text, re.MULTILINE)
    names = []
    for module, name in listed:
        # A module may be named like what it has: the reference would show the module.
        assert not isinstance(sys.modules.get(f"{module}.{name}"), ModuleType)
        thing, folder = getattr(importlib.import_module(module), name), module.split(".")[1:2]
        if folder == ["testing"]:
            assert thing.__doc__  # public by its module, which needs Hypothesis
            continue
        if folder and not hasattr(autograd_rnn, name):
            # Public by its folder, such as what others are derived from.
            assert name in importlib.import_module(f"autograd_rnn.{folder[0]}").__all__
            continue
        assert thing is getattr(autograd_rnn, name)
        names.append(name)
    rows = re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)
    assert all(hasattr(getattr(autograd_rnn, name), "arity") for name in rows)
    assert sorted(names + rows) == sorted(autograd_rnn.__all__)


def test_the_errors_without_a_public_name_have_a_row_with_their_builtin() -> None:
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE)
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and len(kind.__bases__) > 1
    ]
    assert sorted(rows) == sorted(
        (kind.__name__, kind.__bases__[1].__name__)
        for kind in kinds
        if kind.__name__ not in autograd_rnn.__all__
    )


# --- notebooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_is_committed_as_it_ran(path: Path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert set(cell["metadata"]) <= {"tags"}
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
    text = path.read_text("utf-8")
    for private in (str(Path.home()), str(ROOT), tempfile.gettempdir()):
        assert f"{private}/" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_every_section_of_a_notebook_with_code_asserts_something(path: Path) -> None:
    sections: list[list[str]] = [[]]
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            sections[-1].append(source)
        elif source.startswith("## "):
            sections.append([])
    for code in sections:
        assert not code or re.search(r"^ *assert ", "\n".join(code), re.MULTILINE), code
