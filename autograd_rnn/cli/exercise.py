"""The commands of the lecture's exercise: exercise, draw, play, derive and exercises."""

from __future__ import annotations

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
from ..derivation.exercises import make_exercises, sheet
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
from .options import argument, flag, option
from .terminal import make_table, say

# So that a negative number is an argument, not an unknown option.
NEGATIVE_NUMBERS: Final = {"ignore_unknown_options": True}

Bits = Annotated[str, argument("BITS", "The inputs, such as 101.")]
Target = Annotated[str, argument("TARGET", "y, the wanted value of the last π.")]


def _check_weights(weights: tuple[str, str]) -> tuple[str, str]:
    """Refuse other than two numbers here, before what they have swallowed is missed elsewhere."""
    for name, text in zip(("W1", "W2"), weights, strict=True):
        try:
            _finite(text, name)
        except ArgumentValueError as error:
            raise ArgumentValueError(
                f"{error} --weights takes two numbers, as in --weights 4 1."
            ) from None
    return weights


Weights = Annotated[
    tuple[str, str],
    option("W1 W2", "The values of w₁ and w₂, two numbers.", callback=_check_weights),
]
Activation = Annotated[
    str, option("NAME", "The activation a in q = a(π): relu, tanh, linear or another op.")
]
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
    detail: Annotated[
        str, option("NAME", "How much is shown: auto, scalar, neuron or step.")
    ] = "auto",
    focus: Focus = None,
    theme: Annotated[str, option("NAME", "The colours: auto, light or dark.")] = "auto",
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
    by: Annotated[str, option("w1|w2", "The weight to differentiate by.")] = "w1",
    through: Annotated[str, option("NAME", "The separating set: copies or minimum.")] = "copies",
    weights: Weights = ("4", "1"),
    activation: Activation = "relu",
) -> None:
    """Write out ∂L/∂w₁ as the lecture does: forward pass, copies, chain rule, numbers."""
    _check_ending(save, DOCUMENTS)
    minimum = as_choice(through, "--through", ["copies", "minimum"]) == "minimum"
    rnn, run, loss = _work(bit_string, target, weights, activation, named=True)
    parameter = _weight(by, rnn, "--by")
    worked = derive(loss, parameter, through="minimum" if minimum else None, run=run)
    _publish(worked.title, worked.sections, save)


@app.command()
def exercises(
    save: Document = None,
    count: Annotated[int, option("N", "The number of exercises.")] = 10,
    seed: Annotated[int, option("N", "The same seed gives the same sheet.")] = 0,
    steps: Annotated[int, option("N", "The number of bits in each exercise.")] = 3,
    states: Annotated[int, option("1|2", "The number of states.")] = 1,
    activation: Annotated[str, option("NAME", "The activation: relu, tanh or linear.")] = "relu",
    solutions: Annotated[bool, flag("Add the solutions.", "--solutions")] = False,
) -> None:
    """Make a sheet of exercises like the lecture's, no two with the same answer."""
    _check_ending(save, DOCUMENTS)
    made = make_exercises(count, seed=seed, steps=steps, states=states, activation=activation)
    _publish("Backpropagation through time", sheet(made, solutions), save)


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
