"""What MkDocs is told: pages made of the notebooks and of files outside of `docs`, and doctests.

A notebook becomes a page with its committed outputs; nothing is executed.  Its pictures become
files, and its formulas MathML, which browsers draw by themselves.
"""

import base64
import html
import json
import os
import re
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.structure.files import File

DOCS = Path(__file__).parent
ROOT = DOCS.parent
NOTEBOOKS = {f"tutorial/{path.stem}.md": path for path in ROOT.glob("notebooks/*.ipynb")}
OUTSIDE = NOTEBOOKS | {
    "benchmarks.md": ROOT / "benchmarks" / "README.md",
    "changes.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "tests.md": ROOT / "tests" / "README.md",
}
PLACES = {path: address for address, path in OUTSIDE.items()}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")
PICTURE = re.compile(r"^!\[[^\]]*\]\(([^)\s]+)\)$", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in `docs`."""
    for address, path in OUTSIDE.items():
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            text, pictures = page_of(json.loads(text), Path(address).stem)
            for name, content in pictures.items():
                place = f"{Path(address).parent}/{name}"
                files.append(File.generated(config, place, content=content))
        files.append(File.generated(config, address, content=text))
    for plot in sorted((ROOT / "benchmarks").glob("*.svg")):
        files.append(File.generated(config, plot.name, content=plot.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files outside of `docs` to their pages, and pictures to their own files."""
    address = page.file.src_uri
    source = OUTSIDE.get(address, DOCS / address)

    def led(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / match[1]))
        if target in PLACES:
            place = PLACES[target]
        elif address in OUTSIDE and target.is_relative_to(DOCS):
            place = target.relative_to(DOCS).as_posix()
        else:
            return match[1]
        return Path(os.path.relpath(place, Path(address).parent)).as_posix()

    # A picture opened by itself is as large as it was drawn.
    return PICTURE.sub(r"[\g<0>](\1)", LINK.sub(led, markdown))


def page_of(notebook: Any, stem: str) -> tuple[str, dict[str, bytes]]:
    """The notebook as Markdown, and the files of its pictures by name."""
    parts, pictures = [], {}
    for place, cell in enumerate(notebook["cells"], 1):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in joined(cell["outputs"]):
            data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
            name = f"{stem}_{place}"
            if "image/svg+xml" in data:
                pictures[f"{name}.svg"] = data["image/svg+xml"].encode()
                parts.append(f"![{data['text/plain'].strip('<>')}]({name}.svg)")
            elif "image/png" in data:
                pictures[f"{name}.png"] = base64.b64decode(data["image/png"])
                parts.append(f"![A figure of what the code above computes]({name}.png)")
            elif "text/html" in data:
                page = re.search(r'srcdoc="([^"]*)"', data["text/html"])
                pictures[f"{name}.html"] = html.unescape(page[1]).encode() if page else b""
                # From the first step on the player shows where something happens.
                address, title = f"{name}.html#step=1", data["text/plain"]
                parts.append(f'<iframe src="{address}" title="{title}"></iframe>')
                parts.append(f"[The same page in the whole window]({name}.html)")
            elif "text/markdown" in data:
                parts.append(formulas_drawn(data["text/markdown"]))
            else:
                text = "".join(output.get("text", data.get("text/plain", "")))
                parts.append(f"``` {{ .text .output }}\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def joined(outputs: list[Any]) -> list[Any]:
    """The outputs, those that were printed one after the other as one."""
    found: list[Any] = []
    for output in outputs:
        if "text" in output and found and "text" in found[-1]:
            found[-1] = {"text": [*found[-1]["text"], *output["text"]]}
        else:
            found.append(output)
    return found


def formulas_drawn(markdown: str) -> str:
    """The text with its LaTeX as MathML."""

    def block(match: re.Match[str]) -> str:
        # The converter knows the environment by its older name.
        written = convert(match[1].strip().replace("{aligned}", "{split}"), display="block")
        return f'<div class="formula">{written}</div>'

    blocks = re.sub(r"\$\$(.+?)\$\$", block, markdown, flags=re.DOTALL)
    return re.sub(r"\$(.+?)\$", lambda match: convert(match[1]), blocks)


class Doctests(griffe.Extension):
    """The examples of docstrings as blocks of code."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Put a fence around each run of lines from `>>>` on, up to an empty line.

        What is said to doctest alone is left out.
        """

        def fenced(match: re.Match[str]) -> str:
            shown = re.sub("<BLANKLINE>|  # doctest:.*", "", match[0]).rstrip()
            return f"```pycon\n{shown}\n```\n"

        if obj.docstring is not None:
            examples = re.compile(r"^>>> (?:.+\n?)+", re.MULTILINE)
            obj.docstring.value = examples.sub(fenced, obj.docstring.value)
