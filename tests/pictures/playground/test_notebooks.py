"""The notebooks that open in the browser: they run to their end, and show what Jupyter shows."""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import copies

from .conftest import BUILD, SOURCE, Visit

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
PAGES = runpy.run_path(str(SOURCE / "notebook_pages.py"))
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
HERE = [name for name in NAMES if name not in PAGES["LEFT_OUT"]]


def committed(name: str) -> list[dict[str, Any]]:
    """The cells of code of a notebook, with the outputs that Jupyter gave."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def cells() -> Any:
    """The module of the cells."""
    return BUILD["playground"].cells


def test_only_known_notebooks_are_left_out() -> None:
    assert set(PAGES["LEFT_OUT"]) < set(NAMES)
    assert len(HERE) >= 4


def test_a_page_has_all_cells_and_no_loose_end() -> None:
    template = (SOURCE / "notebook.html").read_text("utf-8")
    pages = dict(PAGES["pages"](template))
    assert list(pages) == [f"{name}.html" for name in HERE]
    for name, page in pages.items():
        assert page.count("<textarea") == len(committed(name.removesuffix(".html")))
        assert "{{" not in page
        for link in re.findall(r'href="(\w+\.html)"', page):
            assert link in pages


def test_parts_come_in_order_and_in_the_richest_form(cells: Any) -> None:
    def run(source: str) -> list[tuple[str, str]]:
        parts = cells.run(source, 3)["parts"]
        return [(part["kind"], part["content"]) for part in parts]

    assert run("x = 2") == []
    assert run("print(x)\nx + 1") == [("text", "2\n"), ("text", "3")]
    assert run("None") == run("# nothing") == run("") == []
    run("from autograd_rnn import RNN, Value, copies, derive, draw\ny = Value(2, 'a') * 3")
    (svg,) = cells.run("draw(y)", 3)["parts"]
    assert "<svg" in svg["content"]
    assert svg["says"].startswith("<Drawing: ")
    run("rnn = RNN([[4], [1]], bias=False)\nrun = rnn.unroll([[1], [0]])\nw, _ = rnn.parameters()")
    assert run("run.table()") == [("html", cells.NAMES["run"].table().html)]
    assert run("derive(run.pi[0], w)")[0][1].count("<math") > 1
    table = copies(cells.NAMES["w"], cells.NAMES["run"].pi[0])
    assert run("copies(w, run.pi[0])") == [("text", str(table))]
    # As in Jupyter, a class is no picture, and what has no HTML after all is text.
    assert run("type(draw(y))") == [("text", repr(cells.NAMES["draw"](cells.NAMES["y"]).__class__))]
    for html in (None, b"x"):
        run(f"class Odd(list):\n    def _repr_html_(self): return {html}")
        assert run("Odd()") == [("text", "[]")]


def test_an_error_is_told_with_the_lines_of_the_cell_alone(cells: Any) -> None:
    assert cells.run("def fail():\n    return Nothing", 4) == {"parts": []}
    printed, error = cells.run("print('before')\nfail()", 5)["parts"]
    assert printed == {"kind": "text", "content": "before\n"}
    assert error["kind"] == "error"
    lines = [line for line in error["content"].splitlines() if line.strip(" ^")]
    assert lines == [
        "Traceback (most recent call last):",
        '  File "<cell 5>", line 2, in <module>',
        "    fail()",
        '  File "<cell 4>", line 2, in fail',
        "    return Nothing",
        "NameError: name 'Nothing' is not defined",
    ]
    for source, last in [
        ("exit()", "SystemExit"),
        ("1 +", "SyntaxError: invalid syntax"),
        ("from autograd_rnn import Value\nValue('4')", "TypeError: "),
    ]:
        (error,) = cells.run(source, 6)["parts"]
        assert last in error["content"].splitlines()[-1]
        assert "cells.py" not in error["content"]


@pytest.fixture(scope="module")
def notebooks(browser: Any, address: str) -> Iterator[Any]:
    """Visits to notebooks."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield lambda name: Visit(context.new_page(), f"{address}notebooks/{name}.html", address)
    context.close()


def rest(page: Any) -> None:
    """Wait until no cell runs."""
    page.wait_for_selector("#all:enabled")
    page.wait_for_selector("main[aria-busy=false]", timeout=60_000)


@pytest.mark.playground
@pytest.mark.parametrize("name", HERE)
def test_a_notebook_runs_to_its_end_and_shows_what_jupyter_shows(notebooks: Any, name: str) -> None:
    visit = notebooks(name)
    page = visit.page
    page.set_default_timeout(60_000)
    page.click("#all")
    rest(page)
    assert page.query_selector(".wrong") is None
    shown = page.query_selector_all(".cell")
    for cell, wanted in zip(shown, committed(name), strict=True):
        kinds = [list(output.get("data", {"text": 0})) for output in wanted["outputs"]]
        tags = [
            "IMG" if "image/svg+xml" in one else "DIV" if "text/html" in one else "PRE"
            for one in kinds
        ]
        assert (
            cell.eval_on_selector_all(".outputs > *", "all => all.map(one => one.tagName)") == tags
        )
        texts = ["".join(output["text"]) for output in wanted["outputs"] if "text" in output]
        for pre, text in zip(cell.query_selector_all("pre"), texts, strict=False):
            assert pre.text_content() == text
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0 && one.alt)")
    for width in (390, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.troubles == []
    page.close()


@pytest.mark.playground
def test_cells_are_changed_and_run_by_keyboard(notebooks: Any) -> None:
    visit = notebooks("00_start_here")
    page = visit.page
    page.focus("textarea")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("x = 2\nprint('two', x)\nx / 0")
    assert page.eval_on_selector("textarea", "field => field.rows") == 3
    page.keyboard.press("Shift+Enter")
    rest(page)
    assert page.inner_text(".outputs pre >> nth=0") == "two 2\n"
    assert page.inner_text(".outputs .wrong").endswith("ZeroDivisionError: division by zero\n")
    assert page.inner_text("#aloud").startswith("Cell 1 has run. two 2")
    page.keyboard.press("Tab")
    assert page.get_attribute(":focus", "aria-label") == "Run cell 1"
    page.click("#again")
    page.wait_for_selector("body.ready", timeout=90_000)
    assert page.input_value("textarea").startswith("from autograd_rnn")
    assert page.query_selector(".outputs > *") is None
    assert visit.troubles == []
    page.close()


@pytest.mark.playground
def test_what_ends_python_is_told(notebooks: Any) -> None:
    visit = notebooks("00_start_here")
    page = visit.page
    page.fill("textarea", "x = ()\nfor _ in range(1_000_000):\n    x = (x,)\nx = None")
    page.click(".cell button")
    rest(page)
    told = page.inner_text(".wrong")
    assert re.fullmatch(r"Python has ended \(.+\)\. Start again\.", told)
    # What is left of it is not asked: it may not answer, or answer wrongly.
    page.fill("textarea", "2 + 2")
    page.click(".cell button")
    rest(page)
    assert page.inner_text(".outputs") == told
    page.close()
