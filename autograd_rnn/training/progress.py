"""What is told of a training while it runs: a bar on a terminal, a report and a log of epochs."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import ArgumentTypeError, ArgumentValueError
from ..files import check_folder, named_after

#: The least time between two changes of the bar.
SECONDS: Final = 0.05


@dataclass(frozen=True)
class Report:
    """An epoch as callbacks are told of it: its number from 1, and its measures; made by `fit`.

    `loss` and `accuracy` are means over the epoch, as in a `History`; None is what was not
    measured.  `learning_rate` is that of the last step.  `model` has the weights after the epoch.

    >>> report = Report(3, loss=0.5, learning_rate=0.1, seconds=0.25, model=None)
    >>> report.epoch, report.accuracy
    (3, None)
    """

    epoch: int
    loss: float
    accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    learning_rate: float = math.nan
    seconds: float = math.nan
    model: Any = None


#: The columns of a log.
COLUMNS: Final = [one.name for one in fields(Report) if one.name != "model"]


class CSVLog:
    """A callback of `fit` that adds a row to a CSV file after each epoch.

    Nothing in the file is ever changed: rows are added below those that are there, and a training
    that resumes goes on below its own.  An epoch that was not quite finished when the process died,
    and so is done again, has one row.  `ValueError` for a file that holds something else.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "training.csv")
    >>> log = CSVLog(path)
    >>> log(Report(1, loss=0.5, learning_rate=0.1, seconds=0.25))
    >>> print(path.read_text().strip())
    epoch,loss,accuracy,validation_loss,validation_accuracy,learning_rate,seconds
    1,0.5,,,,0.1,0.25
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given: object = path
        if not isinstance(given, str | os.PathLike):
            raise ArgumentTypeError(f"path must be a path, not {type(given).__name__}.")
        self.path = Path(path)
        self._last = self._read()

    def _read(self) -> str:
        """The last line of the file, or an empty one; `ValueError` if it is no log."""
        target = check_folder(self.path)
        if target.is_dir():
            raise ArgumentValueError(f"{str(self.path)!r} is a folder: give the name of a file.")
        text = target.read_bytes().decode(errors="replace") if target.is_file() else ""
        lines = text.splitlines()
        if text and lines[0] != ",".join(COLUMNS):
            raise ArgumentValueError(
                f"{str(self.path)!r} is not a log that CSVLog wrote: choose another path, so that "
                f"nothing is lost."
            )
        return lines[-1] if lines else ""

    def __call__(self, report: Report) -> None:
        """Add the row of an epoch."""
        row = _line([getattr(report, name) for name in COLUMNS])
        # The last column, the seconds, is another one if an epoch is done again.
        if self._last.rpartition(",")[0] == row.rpartition(",")[0]:
            return
        with named_after(self.path), self.path.open("a+b") as file:
            new = ""
            if not file.tell():
                new = f"{_line(COLUMNS)}\n"
            else:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the process died while it wrote
                    new = "\n"
            file.write(f"{new}{row}\n".encode())
        self._last = row


def _line(entries: list[Any]) -> str:
    """A row of a CSV file; None is an empty cell."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(entries)
    return file.getvalue()


@contextmanager
def progress_bar(wanted: bool, first: int, epochs: int) -> Iterator[Callable[..., None]]:
    """A function `tell(done, loss, accuracy, rate)` that moves the bar after a batch.

    `done` counts epochs, with a fraction; the bar goes from the `first` to the last of `epochs`.
    The rate is shown unless it is None.  It draws on a terminal, or in a notebook that has
    ipywidgets, if it is `wanted`.
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
        task, drawn = bar.add_task("", total=epochs - first), -math.inf

        def tell(done: float, loss: float, accuracy: float | None, rate: float | None) -> None:
            nonlocal drawn
            # Writing the words takes as long as a batch of a small network.
            if time.monotonic() < drawn + SECONDS and done < epochs:
                return
            drawn = time.monotonic()
            hits = "" if accuracy is None else f"  accuracy {accuracy:.1%}"
            rates = "" if rate is None else f"  rate {rate:.3g}"
            epoch = math.ceil(done)
            words = f"epoch {epoch}/{epochs}  loss {loss:.4g}{hits}{rates}"
            bar.update(task, completed=done - first, description=words)

        yield tell
