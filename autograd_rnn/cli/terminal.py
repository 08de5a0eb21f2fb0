"""What commands print: tables, and complaints on the error stream."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Column, Table

from ..arguments import visible

#: The options of the command that runs.
OPTIONS: Final[ContextVar[Sequence[str]]] = ContextVar("options", default=())
#: What a refusal calls an argument, such as label= or detail='step', and the words before it if it
#: is the last of several ways out.  A quotation, as of a record's name, and a path are none.
ARGUMENT: Final = re.compile(
    r"""(?P<quoted>(?:(?<!\w)|(?<=\bb))(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))|"""
    r"(?P<other>,? or (?:[a-z]+ )*)?(?<![\w.'(/\\-])(?P<name>[a-z][a-z_]*)="
    r"(?:'(?P<value>[^']*)'|(?P<flag>True)|(?P<number>-?[0-9.]*[0-9]))?(?=\.?(?:\s|$)|[,;:])",
    re.DOTALL,
)
IN_CODE: Final = re.compile(r"\w\([^()]*$|\bas in $")
#: Arguments that options call otherwise.
CALLED: Final = {"backend": "engine"}
LONGEST_SHOWN: Final = 44
#: How narrow the first column of a table and the heads of the others may become; room for all.
NARROW, NARROWEST, ENDLESS = 12, 9, 10_000


def say(text: str, end: str = "\n") -> None:
    """Print the text, made visible."""
    print(visible(text), end=end)


def print_as_it_is(text: str, end: str = "\n") -> None:
    """Print the text for other programs to read: made visible only where it meets a terminal."""
    if sys.stdout.isatty():
        text = "\t".join(map(visible, text.split("\t")))
    print(text, end=end)


def print_csv(rows: Sequence[Mapping[str, object]], header: bool = True) -> None:
    """Print rows as CSV, with a header unless they go on; NaN and infinities as in `print_json`."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, list(rows[0]) if rows else [], lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    print_as_it_is(lines.getvalue(), end="")


def print_json(content: object) -> None:
    """Print JSON that any parser reads: NaN and infinities are the strings Python's float takes."""
    print(json.dumps(_of_json(content), indent=2, allow_nan=False))


def _of_json(content: object) -> object:
    match content:
        case dict():
            return {key: _of_json(one) for key, one in content.items()}
        case list() | tuple():
            return [_of_json(one) for one in content]
        case float() if not math.isfinite(content):
            return str(content)
    return content


def windowed(title: str, window: int | None) -> str:
    """The title of a table of records, with how they were cut."""
    return f"{title}, {'whole records' if window is None else f'windows of {window}'}"


@contextmanager
def progress_of_bytes(path: Path) -> Iterator[Callable[[int], object]]:
    """A bar on the error stream, if that is a terminal, of the bytes of a file that are read.

    How much there is to read is not known of standard input, and of what is packed.
    """
    packed = str(path) == "-" or path.suffix == ".gz"
    stderr = Console(stderr=True)
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        size = None if packed or not path.is_file() else path.stat().st_size
        bar = progress.add_task("Reading", total=size)
        yield lambda read: progress.advance(bar, read)


def bad_remark(refused: Sequence[str]) -> str:
    """How many records were left out, and what is wrong with the first of them.

    >>> bad_remark(["a.fa: record 'x' holds no sequence."])
    "Bad records left out: 1, the first: a.fa: record 'x' holds no sequence."
    """
    first = in_options(refused[:1])
    return f"Bad records left out: {len(refused)}, the first: {first[0]}" if refused else ""


def in_options(refused: Sequence[str]) -> list[str]:
    """What is wrong with records, with the options of the command that runs."""
    return [by_options(why, OPTIONS.get()) for why in refused]


def percent(part: int, whole: int) -> str:
    """The share that `part` is of `whole`.

    >>> percent(1, 8), percent(0, 0)
    ('12.5 %', '–')
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def make_table(title: str, *columns: str) -> Table:
    """An empty table: the first column is aligned to the left, the others to the right."""
    table = Table(title=f"  {title}", title_justify="left", title_style="bold", box=box.SIMPLE)
    for column in columns:
        if table.columns:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column)
    return table


def print_table(table: Table, *remarks: str) -> None:
    """Print a table between its title and remarks; square brackets in it are text, not markup."""
    console = Console(highlight=False, markup=False)
    title, table.title = table.title, None
    # The first column gives way first, then heads; numbers are never cut, but lines broken.
    first, *others = table.columns
    spare = max(0, _widest(first) - NARROW)
    if width_of(table) - spare > console.width:
        for column in others:
            column.header = shorten(str(column.header), max(NARROWEST, _widest(column)))
    console.width = max(console.width, width_of(table) - spare)
    console.print(f"\n{visible(str(title))}", style="bold")
    console.print(table)
    for remark in remarks:
        say(f"  {remark}")


def width_of(table: Table) -> int:
    """How wide the table is where there is room for all of it."""
    console = Console(width=ENDLESS, markup=False)
    return console.measure(table, options=console.options).maximum


def _widest(column: Column) -> int:
    """The width of a column without its head."""
    return max([cell_len(str(cell)) for cell in column.cells], default=0)


def shorten(text: str, most: int = LONGEST_SHOWN) -> str:
    """The text, made visible, and cut off with … where it is too long for a column.

    >>> len(shorten("G" * 99))
    44
    """
    text = visible(text).replace("\n", "\\n")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def by_options(text: str, options: Sequence[str]) -> str:
    """A message for Python's arguments with the options of a command in their place.

    Of several ways out, the last one goes if it is no option.

    >>> by_options("too many: choose detail='step', or raise most=.", ["--detail"])
    'too many: choose --detail step.'
    """

    def written(found: re.Match[str]) -> str:
        if found["quoted"]:
            return found[0]
        name = CALLED.get(found["name"], found["name"]).replace("_", "-")
        if IN_CODE.search(text, 0, found.start("name")):
            return found[0]
        if f"--{name}" not in options:
            return "" if found["other"] else found[0]
        value = found["number"] if found["value"] is None else shlex.quote(found["value"])
        return f"{found['other'] or ''}--{name}{' ' * bool(value)}{value or ''}"

    return re.sub(r"\b[a-z_]+=, or (?=--)", "", ARGUMENT.sub(written, text))


class Interrupted(Exception):
    """Ctrl-C has ended a command, which has something to say about it."""


def complain(message: str, code: int = 2) -> int:
    """Print the message in a line on the error stream, and return the exit code."""
    with suppress(OSError):  # nobody reads what cannot be written
        words = by_options(message, OPTIONS.get())
        print(f"autograd-rnn: {visible(words)}", file=sys.stderr, flush=True)
    return code
