"""The commands of the lecture's exercise, from solving it to grading sheets of its kind."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from ..arguments import as_choice, as_integer, many, shown
from ..data.encoding import bits, one_hot
from ..data.tasks import Task, task_of
from ..derivation.derive import DOCUMENTS, derive
from ..derivation.document import Section, as_text
from ..derivation.exercises.grading import grade
from ..derivation.exercises.sheet import ENDINGS, Sheets
from ..derivation.exercises.sheet import exercises as make_exercises
from ..engine.value import Value, constant
from ..errors import ArgumentValueError
from ..files import read_json, write_whole
from ..graph.copies import copies
from ..graph.notation import label, number
from ..networks.model import Model
from ..networks.rnn import RNN
from ..networks.run import Unrolled
from ..networks.serialise import KINDS
from ..networks.stack import Stack, made_of
from ..ops.losses import as_loss
from ..pictures.draw import draw
from ..pictures.drawing import FILE_FORMATS
from ..pictures.paper import PAGES
from ..pictures.play.page import play
from .app import app
from .fitting import cells, check_unused
from .options import argument, check_ending, finite, flag, option
from .terminal import complain, make_table, say

# So that a negative number is an argument, not an unknown option.
NEGATIVE_NUMBERS: Final = {"ignore_unknown_options": True}

Bits = Annotated[str, argument("BITS", "The inputs, such as 101, or what the saved network reads.")]
Target = Annotated[str, argument("TARGET", "The wanted value y of the last π, or the class.")]


def _check_weights(weights: tuple[str, str] | None) -> tuple[str, str] | None:
    """Refuse other than two numbers here, before what they have swallowed is missed elsewhere."""
    for name, text in zip(("W1", "W2"), weights or (), strict=weights is not None):
        try:
            finite(text, name)
        except ArgumentValueError as error:
            raise ArgumentValueError(
                f"{error} --weights takes two numbers, as in --weights 4 1."
            ) from None
    return weights


Weights = Annotated[
    tuple[str, str] | None,
    option("W1 W2", "The values of w₁ and w₂: 4 1 unless given.", callback=_check_weights),
]
Activation = Annotated[
    str | None,
    option("NAME", "The activation a in q = a(π): relu unless given, tanh, linear or another op."),
]
SavedModel = Annotated[
    Path | None, option("FILE", "Take a saved network in place of the exercise's.", "--model")
]
Cell = Annotated[
    str | None,
    option("CELL", f"Take a random network of this kind of layer: {', '.join(cells())}."),
]
States = Annotated[int | None, option("N", "The number of states of --cell: 2 unless given.")]
Focus = Annotated[str | None, option("w1|w2|...", "Show the copies of this weight only.")]
Document = Annotated[Path | None, argument("FILE", "Write to a file: .txt, .md, .tex or .html.")]


class Wanted(NamedTuple):
    """The network that is asked for, the exercise's unless a file or a kind of layer is given."""

    weights: tuple[str, str] | None
    activation: str | None
    model: Path | None = None
    cell: str | None = None
    states: int | None = None


def _work(
    text: str, target: str, wanted: Wanted, named: bool = False
) -> tuple[Model, Unrolled, Value]:
    """The network, its run, and the loss after `backward`; y has a name if `named`.

    The loss is L = (y − output)², or for a saved model of classes its own.
    """
    if not text:
        raise ArgumentValueError("BITS is empty: L needs the last π, so give one bit or more.")
    task = None
    if wanted.model is None and wanted.cell is None:
        check_unused({"--states": wanted.states}, "goes with --cell")
        y, w1, w2 = map(finite, (target, *(wanted.weights or ("4", "1"))), ("TARGET", "W1", "W2"))
        network: Model = RNN(
            *([[w1], [w2]], wanted.activation or "relu"), bias=False, names=[["w_1"], ["w_2"]]
        )
        run = network.unroll(bits(text))
        output: Any = run.pi[0]
    else:
        network, task = _other_network(wanted)
        run = network.unroll(_inputs(text, network, task))
        output = run.output
    if task is not None and task.labels:
        place = task.labels.index(as_choice(target, "TARGET", task.labels))
        loss: Value = as_loss(task.loss)(output, place)
    else:
        if isinstance(output, tuple):
            if len(output) > 1:
                raise ArgumentValueError(
                    f"the network has {len(output)} outputs, but TARGET is one number: take a "
                    f"network with a readout of one, such as Stack.random makes."
                )
            (output,) = output
        y = finite(target, "TARGET")
        loss = (constant(y, "y" if named else None) - output) ** 2
    loss.backward()
    return network, run, loss


def _other_network(wanted: Wanted) -> tuple[Model, Task | None]:
    """A saved network and its task, if it has one, or a random one with a readout."""
    given: dict[str, object] = {"--weights": wanted.weights, "--activation": wanted.activation}
    check_unused(given, "is of the exercise's network: leave out --model and --cell")
    if wanted.model is not None:
        given = {"--cell": wanted.cell, "--states": wanted.states}
        check_unused(given, "does not go with --model, whose file says it")
        return read_json(wanted.model, "a model", _as_saved)
    cell = cells()[as_choice(wanted.cell, "--cell", cells())]
    states = 2 if wanted.states is None else as_integer(wanted.states, "--states", least=1)
    return Stack.random(cell, states, 1, 1), None


def _as_saved(content: Any) -> tuple[Model, Task | None]:
    network = made_of(content, KINDS)
    reading = content.get("reading")
    return network, None if reading is None else task_of(reading)


def _inputs(text: str, network: Model, task: Task | None) -> list[list[float]]:
    """The vectors of the inputs, as the network reads them."""
    if task is not None:
        vectors = task.encode(text, "BITS")
    else:
        vectors = one_hot(text, network.alphabet) if network.alphabet else bits(text)
    if len(vectors[0]) != network.inputs:
        raise ArgumentValueError(
            f"BITS is read as vectors of {len(vectors[0])}, but the network has "
            f"{many(network.inputs, 'input')}."
        )
    return vectors


def _weight(name: str, network: Model, option: str) -> Value:
    named = {f"w{place}": weight for place, weight in enumerate(network.parameters(), 1)}
    if name not in named and len(named) > 10:
        raise ArgumentValueError(f"{option} {shown(name)} is unknown: take w1 to w{len(named)}.")
    return named[as_choice(name, option, named)]


@app.command(context_settings=NEGATIVE_NUMBERS)
def exercise(
    bit_string: Bits,
    target: Target,
    weights: Weights = None,
    activation: Activation = None,
    model: SavedModel = None,
    cell: Cell = None,
    states: States = None,
    focus: Focus = None,
    save: Annotated[
        Path | None, option("FILE", "Write a picture: .svg, .png, .pdf, .html or .dot.")
    ] = None,
) -> None:
    """Solve the lecture's exercise: ∂L/∂w₁ and ∂L/∂w₂ as sums over copies, for L = (y − π)².

    For another network, one weight's: w1 unless --focus names another.
    """
    check_ending(save, FILE_FORMATS)
    rnn, run, loss = _work(bit_string, target, Wanted(weights, activation, model, cell, states))
    first, *others = rnn.parameters() if focus is None else [_weight(focus, rnn, "--focus")]
    if save is not None:
        draw(loss, focus=first, run=run).save(save)
    console = Console(highlight=False)
    if model is None and cell is None:
        _print_exercise(console, bit_string, target, rnn, run, loss)
        for weight in (first, *others):
            console.print(_copies_table(weight, loss, run))
    else:
        say(f"\nx = {bit_string}, y = {target}: {rnn!r}\n")
        say(str(run.table(loss, focus=first)))
        say(f"\n  L = {_exact(loss.data)}, ∂L/∂{label(first.name or 'w')} = {_exact(first.grad)}\n")
    if save is not None:
        say(f"  Picture: {save}")


def _print_exercise(
    console: Console, text: str, target: str, rnn: Model, run: Unrolled, loss: Value
) -> None:
    """Print the exercise, its forward pass and its loss."""
    y, w1, w2 = map(_exact, [float(target), *[weight.data for weight in rnn.parameters()]])
    console.print(f"\n[bold]x = {text}, y = {y}, (w₁, w₂) = ({w1}, {w2})[/bold]")
    console.print(run.table(loss))
    pi, difference = run.pi[0], loss.parents[0]
    console.print(
        f"  L = (y − {pi.name})² = ({y} − {_signed(pi.data)})² "
        f"= {_signed(difference.data)}² = [bold]{_exact(loss.data)}[/bold]\n"
    )


def _as_width(width: str | None) -> str | float | None:
    if width is None or width in PAGES:
        return width
    try:
        return float(width)
    except ValueError:
        raise ArgumentValueError(
            f"--width must be {', '.join(PAGES)} or a number of points, not {shown(width)}."
        ) from None


@app.command("draw", context_settings=NEGATIVE_NUMBERS)
def draw_picture(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, argument("FILE", "The picture: .svg, .png, .pdf, .html or .dot.")],
    weights: Weights = None,
    activation: Activation = None,
    model: SavedModel = None,
    cell: Cell = None,
    states: States = None,
    detail: Annotated[
        str, option("NAME", "How much is shown: auto, scalar, neuron or step.")
    ] = "auto",
    focus: Focus = None,
    theme: Annotated[str, option("NAME", "The colours: auto, light or dark.")] = "auto",
    width: Annotated[
        str | None, option("WIDTH", "The width that it must fit: a4, slide, or a number of points.")
    ] = None,
) -> None:
    """Draw the exercise's network, or another: all copies of all weights or of one."""
    check_ending(save, FILE_FORMATS)
    wanted = Wanted(weights, activation, model, cell, states)
    rnn, run, loss = _work(bit_string, target, wanted)
    weight = None if focus is None else _weight(focus, rnn, "--focus")
    drawing = draw(loss, focus=weight, run=run, detail=detail, theme=theme, width=_as_width(width))
    drawing.save(save)
    say(f"{', '.join(map(str, drawing.paths(save)))}: {drawing.summary}")


@app.command("play", context_settings=NEGATIVE_NUMBERS)
def play_page(
    bit_string: Bits,
    target: Target,
    save: Annotated[Path, argument("FILE", "The HTML page.")],
    weights: Weights = None,
    activation: Activation = None,
    model: SavedModel = None,
    cell: Cell = None,
    states: States = None,
    focus: Focus = None,
) -> None:
    """Write an HTML page that plays the forward pass and the backward sweep, node by node."""
    check_ending(save, ["html"])
    wanted = Wanted(weights, activation, model, cell, states)
    rnn, run, loss = _work(bit_string, target, wanted)
    page = play(loss, focus=None if focus is None else _weight(focus, rnn, "--focus"), run=run)
    say(f"{page.save(save)}: {page.steps} steps; open it in a browser.")


@app.command()
def playground(
    folder: Annotated[Path, argument("FOLDER", "Where it was built.")] = Path("playground"),
    port: Annotated[int, option("N", "The port; 0 takes one that is free.")] = 8123,
) -> None:
    """Serve the playground, a page where the exercise is in your hands, to this machine."""
    from ..pictures.play.serve import serve_playground  # which takes long to import

    serve_playground(folder, as_integer(port, "--port", least=0, most=65535), say)


@app.command("derive", context_settings=NEGATIVE_NUMBERS)
def derive_weight(
    bit_string: Bits,
    target: Target,
    save: Document = None,
    by: Annotated[str, option("w1|w2|...", "The weight to differentiate by.")] = "w1",
    through: Annotated[str, option("NAME", "The separating set: copies or minimum.")] = "copies",
    weights: Weights = None,
    activation: Activation = None,
    model: SavedModel = None,
    cell: Cell = None,
    states: States = None,
) -> None:
    """Write out ∂L/∂w₁ as the lecture does: forward pass, copies, chain rule, numbers."""
    check_ending(save, DOCUMENTS)
    minimum = as_choice(through, "--through", ["copies", "minimum"]) == "minimum"
    wanted = Wanted(weights, activation, model, cell, states)
    rnn, run, loss = _work(bit_string, target, wanted, named=True)
    parameter = _weight(by, rnn, "--by")
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
    idle: Annotated[bool, flag("Start with a 0 that leaves the state at 0.", "--idle")] = False,
    copies: Annotated[int | None, option("N", "A sheet for each of N students.")] = None,
    code: Annotated[str | None, option("CODE", "Make the sheet of this code again.")] = None,
    solutions: Annotated[bool, flag("Add answers and solutions.", "--solutions")] = False,
) -> None:
    """Make a sheet of exercises, no two with the same result; or one for each student."""
    check_ending(save, ENDINGS)
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
        rows, failed = _rows(table), 0
        for row in rows:
            name, own = row.pop("name", "") or "", row.pop("code")
            by_number = {int(number): answer for number, answer in row.items()}
            try:
                graded = grade(own, by_number)
            except ArgumentValueError as error:  # the others are marked all the same
                if len(rows) == 1:
                    raise
                say(f"{name or own}: not marked: {error}")
                failed += 1
                continue
            say("; ".join([f"{name or own}: {graded.points:g} of {graded.most}", *graded.slips]))
        if failed:
            raise typer.Exit(complain(f"{many(failed, 'row')} not marked.", code=1))
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


def _exact(x: float) -> str:
    """The number in 6 digits, or in full if it is a whole number of up to 15."""
    return number(x, digits=6, whole=15)


def _signed(x: float) -> str:
    return f"({_exact(x)})" if x < 0 else _exact(x)


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
