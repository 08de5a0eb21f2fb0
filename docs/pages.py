"""What MkDocs is told: pages of the notebooks and of files outside of `docs`, and doctests."""

import logging
import os
import re
import runpy
import tempfile
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
PAGES = {"benchmarks": "benchmarks/README", "changes": "CHANGELOG"}
PAGES |= {"contributing": "CONTRIBUTING", "tests": "tests/README"}
OUTSIDE = {f"{page}.md": ROOT / f"{path}.md" for page, path in PAGES.items()}
OUTSIDE |= {path.name: path for path in ROOT.glob("benchmarks/*.svg")}
OUTSIDE |= {f"tutorial/{path.stem}.md": path for path in ROOT.glob("notebooks/*.ipynb")}
LOG = logging.getLogger("mkdocs.hooks.pages")
BUILD = runpy.run_path(str(DOCS / "playground" / "build.py"))
# The folder of the built playground, while the site is built.
BUILT = tempfile.TemporaryDirectory()
PLACES = {path: address for address, path in OUTSIDE.items()}
MISSING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>No playground</title>
<p>This site was built without npm, so the playground is missing.
<a href="{up}playground.html">How to build it</a>.</p>
</html>
"""


def on_files(files: Any, config: Any) -> Any:
    """Add what is not in `docs`; of a notebook, its committed outputs, its pictures as files."""
    for address, path in OUTSIDE.items():
        if path.suffix != ".ipynb":
            files.append(File.generated(config, address, abs_src_path=str(path)))
            continue
        exporter = MarkdownExporter(template_file=str(DOCS / "notebook.md.j2"))
        text, resources = exporter.from_filename(str(path), {"unique_key": path.stem})
        text = text.replace("\n", f"\n\n{where_it_runs(path.stem)}\n", 1)
        for name, content in {f"{path.stem}.md": text, **resources["outputs"]}.items():
            files.append(File.generated(config, f"tutorial/{name}", content=content))
    for source in [file for file in files if file.src_uri.startswith("playground/")]:
        files.remove(source)
    for path in playground():
        address = f"playground/{path.relative_to(BUILT.name).as_posix()}"
        files.append(File.generated(config, address, abs_src_path=str(path)))
    return files


def where_it_runs(notebook: str) -> str:
    """A line for the page of a notebook: whether it opens in the browser, and if not, why."""
    reason = BUILD["notebook_pages"].LEFT_OUT.get(notebook)
    if reason is None:
        address = f"../playground/notebooks/{notebook}.html"
        return f"*[Open it in the browser]({address}), where its cells run.*"
    return f"*It runs in Jupyter, but not in the browser: {reason}.*"


def playground() -> list[Path]:
    """The files of the playground; without npm a page that says so."""
    folder = Path(BUILT.name)
    try:
        BUILD["build"](folder)
    except BUILD["NoNpm"] as error:
        LOG.info("the site has no playground: %s", error)
        (folder / "notebooks").mkdir()
        (folder / "index.html").write_text(MISSING.format(up="../"), "utf-8")
        for path in BUILD["notebook_pages"].opened():
            page = folder / "notebooks" / f"{path.stem}.html"
            page.write_text(MISSING.format(up="../../"), "utf-8")
    return [path for path in folder.rglob("*") if path.is_file()]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files outside of `docs` to their pages, and pictures to their own files."""
    address = page.file.src_uri

    def led(link: re.Match[str]) -> str:
        target = (OUTSIDE.get(address, DOCS / address).parent / link[0]).resolve()
        if not target.exists():
            return link[0]
        place = PLACES.get(target, os.path.relpath(target, DOCS))
        return Path(os.path.relpath(place, Path(address).parent)).as_posix()

    text = re.sub(r"(?<=\]\()[^)#:\s]+(?=[)#])", led, markdown)
    # What is hidden is Markdown too, as it is in Jupyter.
    text = text.replace("<details>", '<details markdown="1">')
    # A picture opened by itself is as large as it was drawn.
    return re.sub(r"^!\[[^\]]*\]\(([^)\s]+)\)$", r"[\g<0>](\1)", text, flags=re.MULTILINE)


class Doctests(griffe.Extension):
    """The examples of docstrings as blocks of code, without what is said to doctest alone."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Put a fence around each run of lines from `>>>` on, up to an empty line."""
        if obj.docstring is not None:
            fenced = r"```pycon\n\g<0>\n```\n"
            text = re.sub(r"^>>> .+(?:\n.+)*", fenced, obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub("<BLANKLINE>|  # doctest:.*", "", text)
