"""The commands of the lecture's exercise: exercise, draw, play, derive and exercises."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

from rich.console import Console
from rich.table import Table

from ..arguments import as_choice
from ..data.encoding import bits
from ..derivation.derive import derive
from ..derivation.document import Section, as_text
from ..derivation.exercises.grading import grade
from ..derivation.exercises.sheet import ENDINGS, Sheets
from ..derivation.exercises.sheet import exercises as make_exercises
from ..derivation.typeset import DOCUMENTS
from ..engine.value import Value, constant
from ..errors import ArgumentValueError, FormatError
from ..files import write_whole
from ..graph.copies import copies
from ..graph.notation import label, number
from ..networks.model import Unrolled
from ..networks.rnn import RNN
from ..pictures.draw import draw
from ..pictures.drawing import FILE_FORMATS
from ..pictures.play.page import play
from ..pictures.rendering.render import check_format
from .app import app
from .options import argument, option
from .terminal import make_table, say

# So that a negative number is an argument, not an unknown option.
NEGATIVE_NUMBERS: Final = {"ignore_unknown_options": True}

Bits = Annotated[str, argument("BITS", "The inputs, such as 101.")]
Target = Annotated[str, argument("TARGET", "y, the wanted value of the last π.")]
Weights = Annotated[tuple[str, str], option("W1 W2", "The values of w₁ and w₂.")]
Activation = Annotated[str, option("NAME", "a in q = a(π): relu, tanh, linear or another op.")]
Focus = Annotated[str | None, option("w1|w2", "Show the copies of this weight only.")]
Document = Annotated[Path | None, argument("FILE", "Write to a file: .txt, .md, .tex or .html.")]


def _work(
    bit_string: str, target: str, weights: tuple[str, str], activation: str, named: bool = False
) -> tuple[RNN, Unrolled, Value]:
    """The network, its run, and L = (y − π)² after `backward`; y has a name if `named`."""
    y, w1, w2 = map(_finite, (target, *weights), ("TARGET", "W1", "W2"))
    if not bit_string:
        raise ArgumentValueError("BITS is empty: L needs the last π, so give one bit or more.")
    rnn = RNN([[w1], [w2]], activation, bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (constant(y, "y" if named else None) - run.pi[0]) ** 2
    loss.backward()
    return rnn, run, loss


def _weight(name: str, rnn: RNN, option: str) -> Value:
    named = {f"w{place}": weight for place, weight in enumerate(rnn.parameters(), 1)}
    return named[as_choice(name, option, named)]


@app.command(context_settings=NEGATIVE_NUMBERS)
def exercise(
    bit_string: Bits,
    target: Target,
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    save: Annotated[
        Path | None, option("FILE", "Write a picture: .svg, .png, .pdf, .html or .dot.")
    ] = None,
) -> None:
    """Solve the lecture's exercise: ∂L/∂w₁ and ∂L/∂w₂ as sums over copies, for L = (y − π)²."""
    _check_ending(save, FILE_FORMATS)
    rnn, run, loss = _work(bit_string, target, weights, activation)
    y, w1, w2 = map(_exact, [float(target), *[weight.data for weight in rnn.parameters()]])
    if save is not None:
        draw(loss, focus=rnn.weights[0][0], run=run).save(save)
    console = Console(highlight=False)
    console.print(f"\n[bold]x = {bit_string}, y = {y}, (w₁, w₂) = ({w1}, {w2})[/bold]")
    console.print(_forward_table(run, activation))
    pi, difference = run.pi[0], loss.parents[0]
    console.print(
        f"  L = (y − {pi.name})² = ({y} − {_signed(pi.data)})² "
        f"= {_signed(difference.data)}² = [bold]{_exact(loss.data)}[/bold]\n"
    )
    for weight in rnn.parameters():
        console.print(_copies_table(weight, loss, run))
    if save is not None:
        say(f"  Picture: {save}")


@app.command("draw", context_settings=NEGATIVE_NUMBERS)
def draw_picture(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, argument("FILE", "The picture: .svg, .png, .pdf, .html or .dot.")],
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    detail: Annotated[str, option("NAME", "auto, scalar, neuron or step.")] = "auto",
    focus: Focus = None,
    theme: Annotated[str, option("NAME", "auto, light or dark.")] = "auto",
) -> None:
    """Draw the exercise's network: all copies of both weights or of one, or a card per step."""
    _check_ending(save, FILE_FORMATS)
    rnn, run, loss = _work(bit_string, target, weights, activation)
    weight = None if focus is None else _weight(focus, rnn, "--focus")
    drawing = draw(loss, focus=weight, run=run, detail=detail, theme=theme)
    say(f"{drawing.save(save)}: {drawing.summary}")


@app.command("play", context_settings=NEGATIVE_NUMBERS)
def play_page(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, argument("FILE", "The HTML page.")],
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
    focus: Focus = None,
) -> None:
    """Write an HTML page that plays the forward pass and the backward sweep, node by node."""
    _check_ending(save, ["html"])
    rnn, run, loss = _work(bit_string, target, weights, activation)
    page = play(loss, focus=None if focus is None else _weight(focus, rnn, "--focus"), run=run)
    say(f"{page.save(save)}: {page.steps} steps; open it in a browser.")


@app.command("derive", context_settings=NEGATIVE_NUMBERS)
def derive_weight(
    bit_string: Bits,
    target: Target,
    save: Document = None,
    weight: Annotated[str, option("w1|w2", "The weight to differentiate by.")] = "w1",
    through: Annotated[str, option("NAME", "The separating set: copies or minimum.")] = "copies",
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
) -> None:
    """Write out ∂L/∂w₁ as the lecture does: forward pass, copies, chain rule, numbers."""
    _check_ending(save, DOCUMENTS)
    minimum = as_choice(through, "--through", ["copies", "minimum"]) == "minimum"
    rnn, run, loss = _work(bit_string, target, weights, activation, named=True)
    parameter = _weight(weight, rnn, "--weight")
    worked = derive(loss, parameter, through="minimum" if minimum else None, run=run)
    _publish(worked.title, worked.sections, save)


@app.command()
def exercises(
    save: Annotated[
        Path | None,
        argument("FILE", "Write to a file: .txt, .md, .tex, .html, .xml (Moodle) or .zip (QTI)."),
    ] = None,
    count: Annotated[int, option("N", "The number of exercises.")] = 10,
    seed: Annotated[int, option("N", "The same seed gives the same sheet.")] = 0,
    kind: Annotated[
        list[str] | None, option("NAME", "A kind, or several: all unless given.")
    ] = None,
    level: Annotated[int | None, option("1|2|3", "How hard: rising unless given.")] = None,
    steps: Annotated[int | None, option("N", "The number of bits in each exercise.")] = None,
    states: Annotated[int | None, option("1|2", "The number of states.")] = None,
    activation: Annotated[
        str | None, option("NAME", "The activation: relu, tanh or linear.")
    ] = None,
    idle: Annotated[
        bool, option("", "Start with a 0 that leaves the state at 0.", "--idle")
    ] = False,
    copies: Annotated[int | None, option("N", "A sheet for each of N students.")] = None,
    code: Annotated[str | None, option("CODE", "Make the sheet of this code again.")] = None,
    solutions: Annotated[bool, option("", "Add answers and solutions.", "--solutions")] = False,
) -> None:
    """Make a sheet of exercises, no two with the same result; or one for each student."""
    _check_ending(save, ENDINGS)
    made = make_exercises(
        count,
        kinds=kind or None,
        level=level,
        seed=seed,
        steps=steps,
        states=states,
        activation=activation,
        idle=idle,
        copies=copies,
        code=code,
    )
    sheets = made if isinstance(made, Sheets) else [made]
    if save is None:
        for sheet in sheets:
            say((sheet.solved if solutions else sheet).text, end="")
    elif isinstance(made, Sheets):
        for path, sheet in zip(made.save(save, solutions=solutions), made, strict=True):
            say(f"{path}: {sheet.code}")
    else:
        say(f"{made.save(save, solutions=solutions)}: {made.title}, {made.code}")


@app.command("grade", context_settings=NEGATIVE_NUMBERS)
def grade_answers(
    code: Annotated[
        str | None, argument("CODE", "The code printed on the sheet; none with --csv.")
    ] = None,
    answers: Annotated[
        list[str] | None, argument("ANSWERS", "One per exercise: 32, or all parts as 16,16,32.")
    ] = None,
    table: Annotated[
        Path | None, option("FILE", "Grade a table: the columns code, name, 1, 2, ...", "--csv")
    ] = None,
) -> None:
    """Mark the answers to a sheet, with what follows from an earlier slip, and name the slips."""
    if table is not None:
        if code is not None:
            raise ArgumentValueError("CODE and --csv exclude each other: the table has the codes.")
        for row in _rows(table):
            name, own = row.pop("name", "") or "", row.pop("code")
            by_number = {int(number): answer for number, answer in row.items()}
            graded = grade(own, by_number)
            say("; ".join([f"{name or own}: {graded.points:g} of {graded.most}", *graded.slips]))
    elif code is None:
        raise ArgumentValueError("CODE is missing: it is printed on the sheet. Or use --csv.")
    else:
        say(grade(code, answers or []).text, end="")


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table of answers by its head: code, perhaps name, and numbers."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ArgumentValueError(f"{path} is not a table in UTF-8.") from None
    head, *rows = list(csv.reader(text.splitlines())) or [[]]
    columns = [column.strip().lower() for column in head]
    odd = [name for name in columns if name not in ("code", "name") and not name.isdecimal()]
    if "code" not in columns or odd or len(set(columns)) < len(columns):
        raise ArgumentValueError(
            f"{path}: the first line must name the columns: code, name, 1, 2, ..., each once."
        )
    found = []
    for line, row in enumerate(rows, 2):
        if len(row) != len(columns) and row:
            raise ArgumentValueError(
                f"{path}, line {line}: {len(row)} cells for {len(columns)} columns."
            )
        found += [dict(zip(columns, row, strict=True))] if row else []
    return found


def _publish(title: str, sections: Sequence[Section], save: Path | None) -> None:
    """Print the document, or write it in the format of the file's ending."""
    if save is None:
        say(as_text(sections), end="")
    else:
        text = DOCUMENTS[save.suffix[1:].lower()](title, sections)
        say(f"{write_whole(save, text.encode())}: {title}")


def _finite(text: str, argument: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentValueError(f"{argument} must be a finite number, not {text!r}.")
    return number


def _check_ending(path: Path | None, formats: Iterable[str]) -> None:
    """Refuse a file of an unknown format before anything is computed."""
    try:
        if path is not None:
            check_format(path.suffix[1:], tuple(formats))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def _exact(x: float) -> str:
    """The number in 6 digits, or in full if it is a whole number of up to 15."""
    return number(x, digits=6, whole=15)


def _signed(x: float) -> str:
    return f"({_exact(x)})" if x < 0 else _exact(x)


def _forward_table(run: Unrolled, activation: str) -> Table:
    q = "π" if activation == "linear" else f"{activation}(π)"
    table = make_table("Forward pass", "step", "x", "w₁·q", "w₂·x", "π", f"q = {q}")
    table.columns[0].justify = "right"
    for step in run.steps:
        recurrent, driven = step.pi[0].parents
        state = "–" if step is run.steps[-1] else _exact(step.q[0].data)
        data = [value.data for value in (step.x[0], recurrent, driven, step.pi[0])]
        table.add_row(str(step.k), *map(_exact, data), state)
    return table


def _copies_table(weight: Value, loss: Value, run: Unrolled) -> Table:
    name = label(weight.name or "w")
    table = make_table(f"Copies of {name}", "copy", "step", "∂L/∂π", "∂π/∂copy", "term")
    table.show_footer = True
    for copy in copies(weight, loss, run):
        # π is the product plus the other term, so ∂L/∂π is also ∂L/∂product.
        factors = _exact(copy.adjoint), _exact(copy.partial)
        table.add_row(copy.name, str(copy.step), *factors, _exact(copy.grad))
    table.columns[3].footer = f"∂L/∂{name} ="
    table.columns[4].footer = f"[bold]{_exact(weight.grad)}[/bold]"
    return table
