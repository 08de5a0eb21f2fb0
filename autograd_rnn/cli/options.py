"""How options and arguments are declared, and those that several commands share."""

from __future__ import annotations

import inspect
import io
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, NamedTuple, TypeVar, cast, get_type_hints

import typer

from ..arguments import as_choice, as_integer
from ..backends.backend import backend_names
from ..data.encoding import AMBIGUOUS
from ..data.fasta import blocks, named
from ..data.labelled import BAD_RECORDS
from ..data.tasks import Task
from ..errors import ArgumentValueError, FormatError
from ..pictures.rendering.render import check_format

#: How the names of files of sequences end.
DATA_ENDINGS: Final = (
    *(".fa", ".fasta", ".fna", ".ffn", ".faa", ".fas", ".gz"),
    *(".csv", ".tsv", ".txt"),
)
F = TypeVar("F", bound=Callable[..., Any])


def argument(metavar: str, help: str) -> Any:
    """What a command takes by position."""
    return typer.Argument(metavar=metavar, help=help)


def option(metavar: str, help: str, *names: str, **settings: Any) -> Any:
    """What a command takes by name."""
    return typer.Option(*names, metavar=metavar, help=help, **settings)


def flag(help: str, *names: str, **settings: Any) -> Any:
    """What a command takes by name alone."""
    return typer.Option(*names, metavar="", help=help, **settings)


def spread(kind: Callable[..., Any]) -> Callable[[F], F]:
    """A decorator for a command whose last parameter is a `kind`: its fields become options."""

    def decorate(command: F) -> F:
        signature = inspect.signature(command, eval_str=True)
        *others, last = signature.parameters.values()
        hints = get_type_hints(kind, include_extras=True)
        fields = [
            one.replace(annotation=hints[one.name], kind=one.KEYWORD_ONLY)
            for one in inspect.signature(kind).parameters.values()
        ]

        @wraps(command)
        def run(**given: Any) -> Any:
            options = {one.name: given.pop(one.name) for one in fields}
            return command(**given, **{last.name: kind(**options)})

        # Typer makes the options of what `inspect.signature` says.
        vars(run).update(__signature__=signature.replace(parameters=[*others, *fields]))
        return cast("F", run)

    return decorate


def _check_window(window: int | None) -> int | None:
    return None if window is None else as_integer(window, "--window", least=1)


def _check_stride(stride: int | None) -> int | None:
    return None if stride is None else as_integer(stride, "--stride", least=1)


def _check_ambiguous(name: str | None) -> str | None:
    return None if name is None else as_choice(name, "--ambiguous", AMBIGUOUS)


def _check_bad_records(name: str) -> str:
    return as_choice(name, "--bad-records", BAD_RECORDS)


def _check_most_bases(most: int) -> int:
    return as_integer(most, "--most-bases", least=1)


AsJson = Annotated[bool, flag("Print JSON instead of a table.", "--json")]
AsCsv = Annotated[bool, flag("Print CSV instead of a table.", "--csv")]
Ambiguous = Annotated[
    str | None,
    option(
        "NAME",
        "What to do with N, R, Y, gaps, ...: error; skip, which leaves out their sequence or "
        "window; zeros, which reads them as zeros. Unless given, error, or as the model was "
        "trained.",
        callback=_check_ambiguous,
    ),
]
BadRecords = Annotated[
    str,
    option(
        "NAME",
        "What to do with records that are empty or hold other letters: error, or skip.",
        callback=_check_bad_records,
    ),
]
Stride = Annotated[
    int | None,
    option("N", "Begin a window every N letters: --window unless given.", callback=_check_stride),
]
SequenceColumn = Annotated[
    str | None,
    option(
        "COLUMN", "The column of sequences, by name or number: found unless given.", "--sequence"
    ),
]
LabelColumn = Annotated[
    str | None,
    option("COLUMN", "The column of labels, by name or number: found unless given.", "--label"),
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


Engine = Annotated[str, option("NAME", f"The backend that computes: {', '.join(backend_names())}.")]


@dataclass
class Reading:
    """How a trained network reads sequences, and how its answers are printed: options alike."""

    sequence: SequenceColumn = None
    window: Window = None
    stride: Stride = None
    ambiguous: Ambiguous = None
    bad_records: BadRecords = "error"
    engine: Engine = "auto"
    as_json: AsJson = False
    as_csv: AsCsv = False

    def of(self, task: Task) -> Reading:
        """The same, with what the training did where nothing is said; `ValueError` for nonsense."""
        as_choice(self.engine, "--engine", backend_names())
        if self.as_json and self.as_csv:
            raise ArgumentValueError("give either --json or --csv.")
        self.ambiguous = self.ambiguous or task.ambiguous
        self.window = task.window if self.window is None else self.window
        self.stride = task.stride if self.stride is None else self.stride
        return self


def column(name: str | None) -> str | int | None:
    """The name of a column, or its number."""
    return int(name) if name is not None and name.isdecimal() else name


def sources(files: Sequence[Path]) -> list[Path | BinaryIO]:
    """The files, of which one may be standard input."""
    check_once(map(str, files))
    return [*map(source, files)]


def check_once(names: Iterable[str]) -> None:
    """Refuse to read standard input more than once."""
    if [*names].count("-") > 1:
        raise ArgumentValueError("- is standard input, which is read once: give it once.")


def source(file: Path) -> Path | BinaryIO:
    """The file, or standard input for -."""
    return standard_input() if str(file) == "-" else file


def standard_input() -> BinaryIO:
    """Standard input as bytes."""
    # Where Python is embedded, standard input may be text alone.
    if hasattr(sys.stdin, "buffer"):
        return sys.stdin.buffer
    text = io.BytesIO(sys.stdin.read().encode())
    text.name = "<stdin>"
    return text


class Content(NamedTuple):
    """What a file holds, block by block, and its name in messages."""

    name: str
    first: bytes
    rest: Iterator[bytes]

    @property
    def is_fasta(self) -> bool:
        """Whether it is FASTA by its first letter."""
        return self.first.lstrip()[:1] in (b">", b";")

    @property
    def blocks(self) -> Iterator[bytes]:
        """All of it, once."""
        return chain([self.first], self.rest)


def content_of(given: str) -> Content | None:
    """The content of a file, or of standard input for -; None for a sequence."""
    if given != "-" and not os.path.isfile(given):  # not of Path, which raises for a long sequence
        if given.lower().endswith(DATA_ENDINGS):
            raise ArgumentValueError(f"{given} is not a sequence, and there is no such file.")
        return None
    opened = source(Path(given))
    name = str(named(opened))
    read = blocks(opened, name)
    return Content(name, next(read), read)


def finite(text: str, argument: str) -> float:
    """The finite number that an argument is."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentValueError(f"{argument} must be a finite number, not {text!r}.")
    return number


def check_ending(path: Path | None, formats: Iterable[str]) -> None:
    """Refuse a file of an unknown format before anything is computed."""
    try:
        if path is not None:
            check_format(path.suffix[1:], tuple(formats))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
