"""The app that all commands register with, and how an error becomes one line and an exit code."""

from __future__ import annotations

import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from itertools import islice, takewhile
from typing import Annotated, Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from ..engine.value import compiled
from ..errors import AutogradError
from .options import flag
from .terminal import OPTIONS, Interrupted, complain

F = TypeVar("F", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose help shows flags and arguments without a type."""

    def get_params(self, ctx: Any) -> Any:
        """The options and arguments."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left of the words; an unknown option is an error, a negative number is none."""
        options = [param for param in self.get_params(ctx) if param.param_type_name == "option"]
        known = {name: option for option in options for name in option.opts}
        OPTIONS.set([*known])
        words = takewhile("--".__ne__, args)
        for word in words:
            name, equals, _ = word.partition("=")
            if name in known and not equals:
                # What follows is the option's, even if it begins with --.
                values = [*islice(words, 0 if known[name].is_flag else known[name].nargs)]
                if len(values) == 1 and values[0].partition("=")[0] in known:
                    ctx.fail(f"{name} takes a value; to give it {values[0]}: {name}={values[0]}")
            elif name.startswith("--") and name not in known:
                near = get_close_matches(name, known, n=1)
                ctx.fail(
                    f"No such option: {name}" + "".join([f". Did you mean {x}?" for x in near])
                )
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """The commands, with flags without a type, too."""

    def get_params(self, ctx: Any) -> Any:
        """The options and arguments."""
        return _without_types(super().get_params(ctx))


class App(typer.Typer):
    """An app of such commands; the lines of a paragraph of their help are joined."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        """A decorator that makes a function a command."""

        def register(function: F) -> F:
            text = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(function.__doc__ or ""))
            make = typer.Typer.command(self, name, **{"cls": Command, "help": text, **settings})
            made: F = make(function)
            return made

        return register


def _without_types(params: Any) -> Any:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: ""
    return params


app = App(
    help="Recurrent neural networks, number by number: the lecture's networks, and your own.",
    cls=Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)
#: The exit code of a command that Ctrl-C has ended, as of a shell's.
INTERRUPTED: Final = 130
VERSION: Final = "Show the version, and whether the engine is compiled."


def main() -> None:
    """Run the command line; bad input gives one line on the error stream and exit code 2."""
    open_streams()
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # the parser takes Ctrl-C for an exit without words
            complain("interrupted.")
    except Interrupted as error:
        code = complain(str(error), INTERRUPTED)
    except BrokenPipeError:
        code = 1  # the reader has closed the pipe, as `| head` does
        drop_output()
    except OSError as error:
        if error.filename is None and not isinstance(error, AutogradError):
            # A file's error names it: this one is of the stream.
            code = complain(f"standard output: {error.strerror}", code=1)
            drop_output()
        else:
            code = complain(_in_one_line(error))
    except AutogradError as error:
        code = complain(_in_one_line(error))
    except MemoryError:
        code = complain("there is not enough memory.", code=1)
    except (KeyboardInterrupt, typer.Abort):
        code = complain("interrupted.", INTERRUPTED)
    except Exception as error:
        # What the parser of the command line raises; its module is not part of typer's interface.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        # Without a command the help was printed, and the message is empty.
        code = complain(" ".join(message().split())) if message() else 2
    sys.exit(code)


def open_streams() -> None:
    """Make sure that all three standard streams can be used, the closed ones without effect.

    Else the next file to be opened would become the one that is missing.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Python has none where the descriptor was closed, which now leads nowhere.
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for ∂


def drop_output() -> None:
    """Forget what standard output could not take, so that Python does not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return with_options(" ".join(str(error).split()), sys.argv[1:])


def with_options(text: str, words: Sequence[str]) -> str:
    """The message with the option that was typed in place of the argument that it became.

    >>> with_options("learning_rate must be over 0.", ["train", "--learning-rate", "-1"])
    '--learning-rate must be over 0.'
    >>> with_options("sequence 1: it is empty.", ["predict", "--sequence", "dna"])
    'sequence 1: it is empty.'
    """
    for option in [word.partition("=")[0] for word in words if word.startswith("--")]:
        name = re.escape(option[2:].replace("-", "_"))
        text = re.sub(rf"^(\S+: )?{name}(s\[\d+\])?(?= \D)", rf"\g<1>{option}", text, count=1)
    return text


def _show_version(wanted: bool) -> None:
    if wanted:
        kind = "compiled" if compiled else "in plain Python"
        print(f"autograd-rnn {version('autograd-rnn')} (engine {kind})")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, flag(VERSION, "--version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass
