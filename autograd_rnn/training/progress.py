"""The progress of a training, as a bar on a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

#: The least time between two changes of the bar.
SECONDS: Final = 0.05


@contextmanager
def progress_bar(wanted: bool, epochs: int, batches: int) -> Iterator[Callable[..., None]]:
    """A function `tell(done, loss, accuracy)` that moves the bar after a batch.

    It draws on a terminal, or in a notebook that has ipywidgets, if it is `wanted`.
    """
    if not wanted:
        yield lambda *measured: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeRemainingColumn())
    # Without them rich would warn in every training.
    in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
    visible = console.is_terminal or in_notebook
    if not visible:
        yield lambda *measured: None
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task, drawn = bar.add_task("", total=epochs * batches), -math.inf

        def tell(done: int, loss: float, accuracy: float | None) -> None:
            nonlocal drawn
            # Writing the words takes as long as a batch of a small network.
            if time.monotonic() < drawn + SECONDS and done < epochs * batches:
                return
            drawn = time.monotonic()
            hits = "" if accuracy is None else f"  accuracy {accuracy:.1%}"
            epoch = min(done // batches + 1, epochs)
            words = f"epoch {epoch}/{epochs}  loss {loss:.4g}{hits}"
            bar.update(task, completed=done, description=words)

        yield tell
