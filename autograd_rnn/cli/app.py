"""The app that all commands register with, and how an error becomes one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from ..engine.value import compiled
from ..errors import AutogradError
from .options import option
from .terminal import complain

app = typer.Typer(
    help="Recurrent neural networks, number by number: the lecture's networks, and your own.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
VERSION: Final = "Show the version, and whether the engine is compiled."


def main() -> None:
    """Run the command line; bad input gives one line on the error stream and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for ∂
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe, as `| head` does; a flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (AutogradError, OSError) as error:
        code = complain(_in_one_line(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        # What the parser of the command line raises; its module is not part of typer's interface.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        # Without a command the help was printed, and the message is empty.
        code = complain(" ".join(message().split())) if message() else 2
    sys.exit(code)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _show_version(wanted: bool) -> None:
    if wanted:
        kind = "compiled" if compiled else "in plain Python"
        print(f"autograd-rnn {version('autograd-rnn')} (engine {kind})")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[bool, option("", VERSION, callback=_show_version, is_eager=True)] = False,
) -> None:
    pass
