"""Execute the notebooks anew: `python notebooks/run.py`, and with `--write` keep the outputs.

Every cell has to run without an error and without a warning, and to print what is committed; cells
with the tag `varies` print figures that differ between machines, and are held by their asserts.
Code in the text, such as in the answers to exercises, runs in its place, too, and has to print
nothing.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 300
WIDGET = "application/vnd.jupyter.widget-view+json"


def with_answers(cells: list[Any]) -> list[Any]:
    """The cells, with the code that stands in the text as cells of their own."""
    found, tagged = [], {"tags": ["answer"]}
    block = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for cell in cells:
        blocks = block.findall(cell.source) if cell.cell_type == "markdown" else []
        found += [cell, *[nbformat.v4.new_code_cell(code, metadata=tagged) for code in blocks]]
    return found


def execute(path: Path) -> tuple[Any, list[str]]:
    """The notebook with its outputs, by a new kernel in an empty folder, and what answers print."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = with_answers(notebook.cells)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    answers = [cell for cell in notebook.cells if "answer" in cell.metadata.get("tags", [])]
    notebook.cells = [cell for cell in notebook.cells if cell not in answers]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            # A widget lives as long as its kernel.
            output.get("data", {}).pop(WIDGET, None)
    return notebook, [f"an answer prints {said!r}" for cell in answers if (said := printed(cell))]


def printed(cell: Any) -> str:
    """What a cell prints, as text."""
    outputs = cell.get("outputs", [])
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "".join(texts)


def faults(committed: Any, executed: Any) -> list[str]:
    """What is wrong with an execution: its warnings, and where it prints something else."""
    found = []
    for place, (before, after) in enumerate(zip(committed.cells, executed.cells, strict=True), 1):
        if any(output.get("name") == "stderr" for output in after.get("outputs", [])):
            found.append(f"cell {place} warns: {printed(after)}")
        elif "varies" not in after.metadata.get("tags", []) and printed(before) != printed(after):
            found.append(f"cell {place} prints {printed(after)!r}, not {printed(before)!r}")
    return found


def main(arguments: list[str]) -> int:
    """Execute all notebooks, or those that are named; 1 if one is at fault."""
    write = "--write" in arguments
    names = [argument for argument in arguments if not argument.startswith("--")]
    paths = [Path(name) for name in names] or sorted(HERE.glob("*.ipynb"))
    failed = False
    for path in paths:
        executed, answers = execute(path)
        found = answers + faults(executed if write else nbformat.read(path, as_version=4), executed)
        print(path.name, *(found or ["runs"]), sep="\n  ", flush=True)
        failed = failed or bool(found)
        if write:
            nbformat.write(executed, path)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
