"""The cells of a notebook: they run one after the other, and share their names."""

import ast
import io
import linecache
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

#: The names that the cells of this visit have given.
NAMES: dict[str, Any] = {"__name__": "__main__"}


def run(source: str, cell: int) -> dict[str, Any]:
    """What a cell gives, in order: what it prints, its last expression, and the error it ends with.

    Each part is of a `kind`, "text", "svg", "html" or "error", and `says` is a picture in words.
    """
    printed, parts = io.StringIO(), []
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            value = _value(source, f"<cell {cell}>")
            # Jupyter shows a value before the next cell prints.
            parts = [] if value is None else [shown(value)]
    except BaseException as error:  # whatever it is, exit() too, the next cell can run
        parts = [{"kind": "error", "content": _told(error)}]
    if printed.getvalue():
        parts.insert(0, {"kind": "text", "content": printed.getvalue()})
    return {"parts": parts}


def _value(source: str, place: str) -> Any:
    """The value of the last expression, once the cell has run; None where it ends otherwise."""
    # Tracebacks quote its lines.
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    tree = ast.parse(source, place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), NAMES)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), place, "eval"), NAMES)


def shown(value: Any) -> dict[str, str]:
    """A value in the richest form that it has."""
    if isinstance(value, type):
        return {"kind": "text", "content": repr(value)}  # it is its instances that have a picture
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_()
        if "image/svg+xml" in bundle:
            return {"kind": "svg", "content": bundle["image/svg+xml"], "says": repr(value)}
        return {"kind": "text", "content": bundle["text/plain"]}
    if hasattr(value, "_repr_html_") and isinstance(html := value._repr_html_(), str):
        return {"kind": "html", "content": html}
    # Where Jupyter is to show something else than the repr, it is what `print` shows.
    text = str(value) if hasattr(value, "_repr_pretty_") else repr(value)
    return {"kind": "text", "content": text}


def _told(error: BaseException) -> str:
    """The traceback without what is not the reader's: the lines of cells, and the message."""
    told = traceback.TracebackException.from_exception(error)
    mine = [frame for frame in told.stack if frame.filename.startswith("<cell")]
    told.stack = traceback.StackSummary.from_list(mine)
    return "".join(told.format(chain=False))
