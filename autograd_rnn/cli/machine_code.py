"""The command that shows and clears the folder of compiled code: cache."""

from __future__ import annotations

from typing import Annotated

from ..arguments import many
from ..backends.llvm.cache import CACHE, MOST_KEPT, cache_folder, drop_oldest, kept_files
from .app import app
from .options import AsJson, flag
from .terminal import print_json, say


@app.command()
def cache(
    clear: Annotated[bool, flag("Delete all of the kept code.", "--clear")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where the native backend keeps the code that it has compiled, or delete that code."""
    folder = cache_folder()
    if folder is not None and clear:
        drop_oldest(folder, most=-1)
    files = [] if folder is None else kept_files(folder)
    size = sum(size for _, size in files)
    if as_json:
        print_json({"folder": folder and str(folder), "files": len(files), "bytes": size})
    elif folder is None:
        say(f"Nothing is kept: {CACHE} is off, or others may write to the folder.")
    else:
        say(f"{folder}: {many(len(files), 'file')}, {size:,} of at most {MOST_KEPT:,} bytes.")
