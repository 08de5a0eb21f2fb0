"""How options and arguments are declared, and those that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..arguments import as_integer


def argument(metavar: str, help: str) -> Any:
    """What a command takes by position."""
    return typer.Argument(metavar=metavar, help=help)


def option(metavar: str, help: str, *names: str, **settings: Any) -> Any:
    """What a command takes by name; a flag has no metavar."""
    return typer.Option(*names, metavar=metavar, help=help, **settings)


def _check_window(window: int | None) -> int | None:
    return None if window is None else as_integer(window, "--window", least=1)


def _check_most_bases(most: int) -> int:
    return as_integer(most, "--most-bases", least=1)


AsJson = Annotated[bool, option("", "Print JSON instead of a table.", "--json")]
SkipAmbiguous = Annotated[
    bool, option("", "Leave out windows with ambiguous letters (N, R, Y, ...).", "--skip-ambiguous")
]
Fasta = Annotated[
    Path | None, option("FILE", "Read a FASTA file, plain or gzipped; - is standard input.")
]
MostBases = Annotated[
    int, option("N", "Refuse a FASTA file with more letters than this.", callback=_check_most_bases)
]
Window = Annotated[
    int | None, option("N", "Cut each record into windows of N letters.", callback=_check_window)
]
