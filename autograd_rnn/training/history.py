"""The history of a training, an entry per epoch, as a table and as curves."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from ..errors import LibraryNotFound

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


MOST_ROWS: Final = 20


@dataclass
class History:
    """What a training measured, as lists with an entry per epoch; made by `fit`.

    `loss` and `accuracy` are means over the epoch's batches, each measured before its step;
    `validation_loss` and `validation_accuracy` are measured after the epoch.  A list stays empty
    without validation data, or if the loss has no hits.  `learning_rate` is that of the last step
    of the epoch, if there is a schedule.  Printed it is a table, of some of the epochs if there are
    many.

    >>> history = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0])
    >>> len(history), list(history.columns())
    (2, ['loss', 'accuracy'])
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def columns(self) -> dict[str, list[float]]:
        """The lists by name, without the empty ones."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: column for name, column in named.items() if column}

    def cut(self, epochs: int) -> None:
        """Forget all but the first `epochs`."""
        for column in self.columns().values():
            del column[epochs:]

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.loss)

    def __rich__(self) -> Table:
        from rich.table import Table

        columns = self.columns()
        table = Table()
        for name in ("epoch", *columns):
            table.add_column(_words(name), justify="right")
        every = -(-len(self) // MOST_ROWS)
        for place in range(len(self)):
            if place % max(every, 1) == 0 or place == len(self) - 1:
                numbers = [f"{column[place]:.4g}" for column in columns.values()]
                table.add_row(str(place + 1), *numbers)
        return table

    def __str__(self) -> str:
        """The table as plain text."""
        from rich.console import Console

        # In a notebook rich would show the table at once, and leave the file empty.
        plain: Any = {"color_system": None, "force_terminal": False, "force_jupyter": False}
        console = Console(file=io.StringIO(), width=100, **plain)
        with console.capture() as captured:
            console.print(self)
        return captured.get()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Jupyter shows the table."""
        printer.text(str(self))

    def plot(self) -> Figure:
        """A figure of matplotlib: the losses over the epochs, and below them the accuracies.

        Jupyter shows it, whether or not pyplot was loaded.  `ImportError` where matplotlib
        is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise LibraryNotFound("History.plot needs matplotlib: pip install matplotlib") from None

        class Curves(Figure):
            def _repr_png_(self) -> bytes:
                file = io.BytesIO()
                self.savefig(file, format="png")
                return file.getvalue()

        columns = self.columns()
        kinds = [kind for kind in ("loss", "accuracy") if kind in " ".join(columns)] or ["loss"]
        figure = Curves(figsize=(7.0, 3.0 * len(kinds)), layout="constrained")
        for axes, kind in zip(figure.subplots(len(kinds), squeeze=False)[:, 0], kinds, strict=True):
            for name, curve in columns.items():
                if name.endswith(kind):
                    # A curve of one epoch is a point, which a line alone would not show.
                    axes.plot(range(1, len(curve) + 1), curve, label=_words(name), marker=".")
            axes.set_xlabel("epoch")
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.set_ylabel(kind)
                axes.legend()
        return figure


def _words(name: str) -> str:
    return name.replace("_", " ")
