"""The command line."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..data.encoding import bits, one_hot
from ..data.fasta import Record, read_fasta, windows
from ..data.tasks import in_family
from ..derivation.derive import derive
from ..derivation.document import Section, as_html, as_markdown, as_tex, as_text
from ..derivation.exercises import make_exercises, sheet
from ..engine.value import Value, compiled, constant
from ..errors import ArgumentValueError, AutogradError, FormatError
from ..files import write_whole
from ..graph.copies import copies
from ..graph.notation import label, number
from ..networks.model import Unrolled
from ..networks.rnn import RNN, counter
from ..pictures.draw import draw
from ..pictures.drawing import FILE_FORMATS
from ..pictures.play.page import play
from ..pictures.render import check_format
from .learning import predict, train
from .terminal import AsJson, Fasta, Window, complain, make_table, print_table, shorten

ALPHABET = "ACGT"
CHUNK = 500

app = typer.Typer(
    help="Recurrent networks by backpropagation: the lecture's exercise and its counter.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
# A negative number is an argument, not an option that nobody knows.
NEGATIVE_NUMBERS = {"ignore_unknown_options": True}


def main() -> None:
    """Run the command line; bad input gives one line on the error stream and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for ∂
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `| head`; there is nobody left to tell.
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
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show it, and whether the engine is compiled.",
        ),
    ] = False,
) -> None:
    pass


# --- exercise ------------------------------------------------------------------------------------


Bits = Annotated[str, typer.Argument(metavar="BITS", help="The inputs, as in 101.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="What π should have been.")]
Weights = Annotated[
    tuple[str, str], typer.Option(metavar="W1 W2", help="The point in the weight space.")
]
Activation = Annotated[str, typer.Option(help="a in q = a(π): relu, tanh, linear or another op.")]
Focus = Annotated[
    str | None, typer.Option(metavar="w1|w2", help="Draw the copies of this weight alone.")
]


class Exercise(NamedTuple):
    """The lecture's network on some bits, and L = (y − π)², after one backward sweep."""

    y: float
    rnn: RNN
    run: Unrolled
    loss: Value


def _work(
    bit_string: str, target: str, weights: tuple[str, str], activation: str, named: bool = False
) -> Exercise:
    """The exercise; the target is y in formulas, or the plain number that it is."""
    y = _finite(target, "TARGET")
    w1, w2 = _finite(weights[0], "W1"), _finite(weights[1], "W2")
    if not bit_string:
        raise ArgumentValueError("BITS is empty: L reads the last π, so give one bit or more.")
    rnn = RNN([[w1], [w2]], activation, bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (constant(y, "y" if named else None) - run.pi[0]) ** 2
    loss.backward()
    return Exercise(y, rnn, run, loss)


def _in_focus(name: str | None, rnn: RNN, option: str = "--focus") -> Value | None:
    if name is None:
        return None
    named = {f"w{place}": weight for place, weight in enumerate(rnn.parameters(), 1)}
    if name not in named:
        raise ArgumentValueError(f"{option} must be one of {', '.join(named)}, not {name!r}.")
    return named[name]


@app.command(context_settings=NEGATIVE_NUMBERS)
def exercise(
    bit_string: Bits,
    target: Target,
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the picture: svg, png, pdf, html or dot."),
    ] = None,
) -> None:
    """Work the lecture's exercise: ∂L/∂w₁ and ∂L/∂w₂ by the copies, for L = (y − π)²."""
    if save is not None:
        _check_picture(save)
    y, rnn, run, loss = _work(bit_string, target, weights, activation)
    w1, w2 = [weight.data for weight in rnn.parameters()]
    if save is not None:
        draw(loss, focus=rnn.weights[0][0], run=run).save(save)
    console = Console(highlight=False)
    point = f"({_exact(w1)}, {_exact(w2)})"
    console.print(f"\n[bold]x = {bit_string}, y = {_exact(y)}, (w₁, w₂) = {point}[/bold]")
    console.print(_forward_table(run, activation))
    pi, difference = run.pi[0], loss.parents[0]
    console.print(
        f"  L = (y − {pi.name})² = ({_exact(y)} − {_signed(pi.data)})² "
        f"= {_signed(difference.data)}² = [bold]{_exact(loss.data)}[/bold]\n"
    )
    for weight in rnn.parameters():
        console.print(_copies_table(weight, loss, run))
    if save is not None:
        console.print(f"  Picture: {save}")


@app.command("draw", context_settings=NEGATIVE_NUMBERS)
def draw_picture(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, typer.Argument(metavar="FILE", help="svg, png, pdf, html or dot.")],
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    detail: Annotated[str, typer.Option(help="auto, scalar, neuron or step.")] = "auto",
    focus: Focus = None,
    theme: Annotated[str, typer.Option(help="light or dark.")] = "light",
) -> None:
    """Draw the exercise's network: every copy of both weights, or of one, or a card per step."""
    _check_picture(save)
    work = _work(bit_string, target, weights, activation)
    drawing = draw(
        work.loss, focus=_in_focus(focus, work.rnn), run=work.run, detail=detail, theme=theme
    )
    print(f"{drawing.save(save)}: {drawing.summary}")


@app.command("play", context_settings=NEGATIVE_NUMBERS)
def play_page(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, typer.Argument(metavar="FILE", help="The HTML page.")],
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    focus: Focus = None,
) -> None:
    """Write a page that plays the forward pass and the backward sweep, step by step."""
    if save.suffix != ".html":
        raise FormatError(f"{save}: a page is HTML, so the file name must end in .html.")
    work = _work(bit_string, target, weights, activation)
    page = play(work.loss, focus=_in_focus(focus, work.rnn), run=work.run)
    print(f"{page.save(save)}: {page.steps} steps; open it in a browser.")


# --- derive and exercises ------------------------------------------------------------------------


Document = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Write it: txt, md, tex or html.")
]
DOCUMENTS = ("txt", "md", "tex", "html")


@app.command("derive", context_settings=NEGATIVE_NUMBERS)
def derive_weight(
    bit_string: Bits,
    target: Target,
    save: Document = None,
    weight: Annotated[
        str, typer.Option(metavar="w1|w2", help="The weight whose derivative it is.")
    ] = "w1",
    through: Annotated[
        str, typer.Option(help="copies, or minimum: the separating set.")
    ] = "copies",
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
) -> None:
    """Write out ∂L/∂w₁ as the lecture does: forward pass, copies, chain rule, numbers."""
    _check_document(save)
    if through not in ("copies", "minimum"):
        raise ArgumentValueError(f"--through must be copies or minimum, not {through!r}.")
    work = _work(bit_string, target, weights, activation, named=True)
    parameter = _in_focus(weight, work.rnn, "--weight")
    assert parameter is not None  # a weight has a default
    worked = derive(
        work.loss, parameter, through=None if through == "copies" else "minimum", run=work.run
    )
    _publish(worked.title, worked.sections, save)


@app.command()
def exercises(
    save: Document = None,
    count: Annotated[int, typer.Option(metavar="N", help="How many.")] = 10,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed, the same sheet.")] = 0,
    steps: Annotated[int, typer.Option(metavar="N", help="How many bits each reads.")] = 3,
    states: Annotated[int, typer.Option(metavar="1|2", help="How many states.")] = 1,
    activation: Annotated[str, typer.Option(help="relu, tanh or linear.")] = "relu",
    solutions: Annotated[bool, typer.Option("--solutions", help="Work them all out.")] = False,
) -> None:
    """Make a sheet of exercises like the lecture's, each with another answer."""
    _check_document(save)
    made = make_exercises(count, seed=seed, steps=steps, states=states, activation=activation)
    _publish("Backpropagation through time", sheet(made, solutions), save)


def _check_document(save: Path | None) -> None:
    if save is not None and save.suffix[1:] not in DOCUMENTS:
        raise FormatError(
            f"{save}: the file name must end in .txt, .md, .tex or .html, not in {save.suffix!r}."
        )


def _publish(title: str, sections: Sequence[Section], save: Path | None) -> None:
    """Print the document, or write it in the format of the file's ending."""
    if save is None:
        print(as_text(sections), end="")
        return
    text = {
        "txt": lambda: as_text(sections),
        "md": lambda: as_markdown(sections),
        "tex": lambda: as_tex(sections),
        "html": lambda: as_html(title, sections),
    }[save.suffix[1:]]()
    print(f"{write_whole(save, text.encode())}: {title}")


def _finite(text: str, argument: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentValueError(f"{argument} must be a finite number, not {text!r}.")
    return number


def _check_picture(path: Path) -> None:
    """Complain about the format before anything is computed."""
    try:
        check_format(path.suffix[1:], FILE_FORMATS)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def _exact(x: float) -> str:
    """Whole numbers as whole numbers, as far as floats hold them all."""
    return number(x, digits=6, whole=15)


def _signed(x: float) -> str:
    return f"({_exact(x)})" if x < 0 else _exact(x)


def _forward_table(run: Unrolled, activation: str) -> Table:
    q = "π" if activation == "linear" else f"{activation}(π)"
    table = make_table("Forward pass", "step", "x", "w₁·q", "w₂·x", "π", f"q = {q}")
    for step in run.steps:
        recurrent, driven = step.pi[0].parents
        state = "–" if step is run.steps[-1] else _exact(step.q[0].data)
        data = [value.data for value in (step.x[0], recurrent, driven, step.pi[0])]
        table.add_row(str(step.k), *map(_exact, data), state)
    return table


def _copies_table(weight: Value, loss: Value, run: Unrolled) -> Table:
    name = label(weight.name or "w")
    table = make_table(f"Copies of {name}", "copy", "step", "∂L/∂π", "∂π/∂copy", "term")
    table.columns[0].justify = "left"
    table.show_footer = True
    terms = copies(weight, loss, run)
    for copy in terms:
        # π is the product plus the other term, so ∂L/∂π is also ∂L/∂product.
        factors = _exact(copy.adjoint), _exact(copy.partial)
        table.add_row(copy.name, str(copy.step), *factors, _exact(copy.grad))
    table.columns[3].footer = f"∂L/∂{name} ="
    table.columns[4].footer = f"[bold]{_exact(weight.grad)}[/bold]"
    return table


# --- classify ------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What the hand-made network and the for-loop program say of a sequence."""

    network: bool
    program: bool


class Tally(NamedTuple):
    """The verdicts on the windows of a record, counted."""

    record: str
    windows: int
    in_family: int
    disagreements: int
    skipped: int
    left_out: int


@app.command()
def classify(
    sequences: Annotated[
        list[str] | None, typer.Argument(metavar="SEQUENCE", help="DNA, as in AGGTAACG.")
    ] = None,
    fasta: Fasta = None,
    window: Window = None,
    base: Annotated[str, typer.Option(help="The letter that is counted.")] = "G",
    at_least: Annotated[int, typer.Option(help="How many make the family.")] = 3,
    skip_ambiguous: Annotated[
        bool, typer.Option("--skip-ambiguous", help="Leave out windows with N, R, Y, ...")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the lecture's hand-made network beside its program; exit with 1 if they differ."""
    rnn = counter(base.upper(), at_least, ALPHABET)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments or --fasta FILE.")
    if fasta is None:
        if window is not None or skip_ambiguous:
            raise ArgumentValueError("--window and --skip-ambiguous go with --fasta.")
        agree = _classify_sequences(rnn, sequences or [], base.upper(), at_least, as_json)
    else:
        if window is not None and window < 1:
            raise ArgumentValueError(f"--window must be 1 or more, not {window}.")
        records = read_fasta(fasta, alphabet=ALPHABET, ambiguous=skip_ambiguous)
        agree = _classify_records(rnn, records, window, base.upper(), at_least, as_json)
    if not agree:
        raise typer.Exit(complain("the network and the program disagree.", code=1))


def _classify_sequences(
    rnn: RNN, sequences: list[str], base: str, at_least: int, as_json: bool
) -> bool:
    verdicts = {sequence: _verdict(rnn, sequence.upper(), base, at_least) for sequence in sequences}
    agree = all(verdict.network == verdict.program for verdict in verdicts.values())
    if as_json:
        rows = [{"sequence": sequence, **verdicts[sequence]._asdict()} for sequence in sequences]
        _print_json(base, at_least, agree, sequences=rows)
        return agree
    table = make_table(f"{at_least} or more {base}?", "sequence", "network", "program")
    table.columns[0].justify = "left"
    for sequence in sequences:
        verdict = verdicts[sequence]
        table.add_row(shorten(sequence), *["yes" if said else "no" for said in verdict])
    print_table(table)
    return agree


def _classify_records(
    rnn: RNN, records: list[Record], window: int | None, base: str, at_least: int, as_json: bool
) -> bool:
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        letters = progress.add_task("Reading", total=sum(len(r.sequence) for r in records))
        tallies = [
            _tally(
                rnn,
                record,
                window,
                base,
                at_least,
                lambda size: progress.advance(letters, size),
            )
            for record in records
        ]
    agree = not any(tally.disagreements for tally in tallies)
    if as_json:
        _print_json(
            base, at_least, agree, window=window, records=[tally._asdict() for tally in tallies]
        )
        return agree
    what = "whole records" if window is None else f"windows of {window}"
    columns = ["record", "windows", "in the family", "share"]
    skipped = any(tally.skipped for tally in tallies)
    table = make_table(f"{at_least} or more {base}, {what}", *columns, *["ambiguous"][:skipped])
    table.columns[0].justify = "left"
    for tally in tallies:
        share = f"{100 * tally.in_family / tally.windows:.1f} %" if tally.windows else "–"
        cells = [shorten(tally.record), str(tally.windows), str(tally.in_family), share]
        table.add_row(*cells, *([str(tally.skipped)] if skipped else []))
    print_table(table)
    for line in _remarks(tallies, agree):
        print(f"  {line}")
    return agree


def _remarks(tallies: list[Tally], agree: bool) -> Iterator[str]:
    if agree:
        yield "The network and the program agree on every window."
    skipped = sum(tally.skipped for tally in tallies)
    if skipped:
        yield f"Left out with ambiguous letters: {skipped}."
    rest = sum(tally.left_out for tally in tallies)
    if rest:
        yield f"Left out at the ends, shorter than a window: {rest} letters."


def _tally(
    rnn: RNN,
    record: Record,
    window: int | None,
    base: str,
    at_least: int,
    advance: Any,
) -> Tally:
    size = len(record.sequence) if window is None else window
    verdicts: list[Verdict] = []
    skipped = 0
    for part in windows(record.sequence, size):
        if set(part) <= set(ALPHABET):
            verdicts.append(_verdict(rnn, part, base, at_least))
        else:
            skipped += 1
        advance(size)
    left_out = len(record.sequence) % size
    advance(left_out)
    return Tally(
        record.name,
        len(verdicts),
        sum(verdict.network for verdict in verdicts),
        sum(verdict.network != verdict.program for verdict in verdicts),
        skipped,
        left_out,
    )


def _verdict(rnn: RNN, sequence: str, base: str, at_least: int) -> Verdict:
    """Both answers; the network reads in chunks, so that a genome needs no graph of its length."""
    state = [0.0] * rnn.states
    for chunk in _chunks(one_hot(sequence, ALPHABET)):
        state = [q.data for q in rnn.unroll(chunk, state).q]
    return Verdict(state[-1] > 0, in_family(sequence, base, at_least))


def _chunks(vectors: list[list[float]]) -> Iterable[list[list[float]]]:
    return (vectors[start : start + CHUNK] for start in range(0, len(vectors), CHUNK))


def _print_json(base: str, at_least: int, agree: bool, **rest: object) -> None:
    print(json.dumps({"base": base, "at_least": at_least, **rest, "agree": agree}, indent=2))


# --- train and predict ---------------------------------------------------------------------------


app.command()(train)
app.command()(predict)
