"""Tables, refusals, and the options that several commands have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Fasta = Annotated[Path | None, typer.Option(metavar="FILE", help="A FASTA file, plain or gzipped.")]
Window = Annotated[
    int | None, typer.Option(metavar="N", help="Cut each record into windows of N letters.")
]

LONGEST_SHOWN: Final = 44


def make_table(title: str, *columns: str) -> Table:
    """An empty table, its columns aligned to the right."""
    table = Table(title=f"  {title}", title_justify="left", title_style="bold", box=box.SIMPLE)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def print_table(table: Table) -> None:
    """Print it, its title as wide as the terminal; what looks like rich's markup in it is text."""
    console = Console(highlight=False, markup=False)
    title, table.title = table.title, None
    console.print(f"\n{title}", style="bold")
    console.print(table)


def shorten(text: str) -> str:
    """The text, its end cut off where it is too long for a column.

    >>> len(shorten("G" * 99))
    44
    """
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def complain(message: str, code: int = 2) -> int:
    """The exit code, after a line on the error stream."""
    print(f"autograd-rnn: {message}", file=sys.stderr)
    return code
