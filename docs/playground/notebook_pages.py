"""The pages of the notebooks that open in the browser, made when the playground is built."""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

# It comes with rich, a dependency of the package.
from markdown_it import MarkdownIt

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
#: The notebooks that need more than the page has, and what for.
LEFT_OUT = {
    "04_how_the_engine_works": "a chain of 100,000 numbers is deeper than its stack",
    "05_learning_to_count": "training needs NumPy, and its figures need matplotlib",
    "06_from_eager_to_native": "machine code needs llvmlite",
    "07_a_network_that_writes": "training needs NumPy, and its figures need matplotlib",
    "08_gradients_that_vanish": "Adam, in its last cell, needs NumPy",
}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def opened() -> list[Path]:
    """The notebooks that open in the browser."""
    return [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if path.stem not in LEFT_OUT]


def pages(template: str) -> Iterator[tuple[str, str]]:
    """The name of the file and the HTML of each of them."""
    for path in opened():
        yield f"{path.stem}.html", page(json.loads(path.read_text("utf-8")), template)


def page(notebook: dict[str, Any], template: str) -> str:
    """A notebook as a page: its text, and its code in fields, without what it gave elsewhere."""
    parts, count = [], 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            count += 1
            parts.append(field(source, count))
        else:
            parts.append(text(source))
    title = "".join(notebook["cells"][0]["source"]).partition("\n")[0].lstrip("# ")
    filled = {"title": escape(title), "cells": "\n".join(parts)}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], template)


def text(source: str) -> str:
    """Markdown as HTML; a link to a notebook leads to its page, here or on the site."""

    def led(link: re.Match[str]) -> str:
        return f"{'../../tutorial/' if link[1] in LEFT_OUT else ''}{link[1]}.html"

    source = re.sub(r"(?<=\]\()(\w+)\.ipynb(?=\))", led, source)
    return f'<div class="text">\n{MARKDOWN.render(source)}</div>'


def field(source: str, count: int) -> str:
    """A cell of code: the field, its button, and where its outputs go."""
    lines = source.count("\n") + 1
    return (
        f'<section class="cell" aria-label="Cell {count}">\n'
        f'<textarea rows="{lines}" aria-label="The code of cell {count}" autocomplete="off" '
        f'autocapitalize="off" spellcheck="false" wrap="off">\n{escape(source)}</textarea>\n'
        f'<button type="button" aria-label="Run cell {count}">Run</button>\n'
        f'<div class="outputs"></div>\n</section>'
    )
