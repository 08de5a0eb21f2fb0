"""What the page asks of autograd_rnn: questions in JSON, answers as data, words and HTML."""

import json
import random
from collections.abc import Mapping
from html import escape as escaped
from typing import Any

import cells
from exercise import Exercise
from games import predict, separate, sweep, terms

from autograd_rnn import separating_set
from autograd_rnn.arguments import as_choice
from autograd_rnn.derivation.exercises.network import network
from autograd_rnn.derivation.exercises.question import Wishes
from autograd_rnn.errors import ArgumentValueError, AutogradError
from autograd_rnn.graph.notation import label, number
from autograd_rnn.pictures.play.film import Film
from autograd_rnn.pictures.play.stage import picture

MOST_TERMS = 8  # of a sum in one line

# --- what is always there ------------------------------------------------------------------------


def show(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The picture, the result in a sentence, the forward table, and what the controls offer."""
    one = Exercise(spec)
    if not spec["hide"]:
        one.loss.backward()
    drawing, shape = one.picture(), one.shape
    smallest = separating_set(one.weight, one.loss) if one.through() else ()
    return {
        "svg": _svg(drawing, spec["hide"]),
        "summary": drawing.summary,
        "result": _result(one),
        "table": one.table(),
        "smallest": [one.marks[node] for node in smallest],
        "focus": one.name,
        "names": [label(weight.name or "w") for weight in one.weights],
        "weights": one.texts,
        "rows": shape.rows if shape else [],
        "columns": shape.columns if shape else [],
        "states": shape.states if shape else [],
    }


def _svg(drawing: Any, to_be_filled: bool) -> str:
    """The picture; to be filled with gradients, it says which of its texts these are."""
    if to_be_filled and drawing.view is not None:
        return picture(drawing, Film(drawing.view))
    text = drawing.svg()
    return text[text.index("<svg") :]


def _result(one: Exercise) -> str:
    """The loss, and the gradient as the sum of what the copies add, in a sentence."""
    loss, output = one.loss, one.loss.parents[0].parents[1]
    inner = f"({number(one.y)} − {one.lit(output, _in_product(output.data))})²"
    said = f"{one.lit(loss, 'L')} = {inner} = <b>{number(loss.data)}</b>"
    if one.spec["hide"]:
        return said
    uses = one.copies()
    terms = []
    for place, use in enumerate(uses):
        text = number(use.grad)
        sign = "" if place == 0 else " − " if text[0] == "−" else " + "
        terms.append(sign + one.lit(use, text if place == 0 else text.removeprefix("−")))
    if len(terms) > MOST_TERMS:
        terms[3:-2] = [" + …"]
    gradient = f"∂L/∂{one.lit(one.weight, escaped(one.name))}"
    whole = "" if len(terms) == 1 else f"{''.join(terms)} = "
    return f"{said} <span class=gap></span> {gradient} = {whole}<b>{number(uses.total)}</b>"


def _in_product(x: float) -> str:
    text = number(x)
    return f"({text})" if text[0] == "−" else text


def derivation(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The working, written out."""
    one = Exercise(spec, named=True)
    return {"html": one.derive().body}


def film(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The film of both sweeps, and the picture that it is played on."""
    one = Exercise(spec)
    page = one.play()
    return {"film": page.film, "svg": page.svg}


# --- another exercise ----------------------------------------------------------------------------


def another(seed: int) -> dict[str, str]:
    """The lecture's network with other numbers, which can be worked by hand."""
    chance = random.Random(seed)
    while True:
        made = network(chance, Wishes(2, activation=chance.choice(["relu", "linear"])))
        if made is not None:
            (target,) = made.targets.values()
            weights = ",".join([f"{row[0]:g}" for row in made.rows])
            return {
                **{"net": "one", "bits": "".join([f"{x:g}" for x in made.inputs])},
                **{"y": f"{target:g}", "w": weights, "q": "0", "a": made.activation},
            }


# --- to take away --------------------------------------------------------------------------------


def download(spec: Mapping[str, Any], ending: str) -> dict[str, str]:
    """A file of the exercise: its picture, its derivation in LaTeX, or the Python that makes it."""
    as_choice(ending, "ending", ["svg", "tex", "py"])
    if spec["hide"] and ending == "tex":
        raise ArgumentValueError("The working is hidden in this exercise.")
    one = Exercise(spec, named=ending == "tex")
    if not spec["hide"]:
        one.loss.backward()
    if ending == "svg":
        text = one.picture().svg()
    elif ending == "tex":
        text = one.derive().tex
    else:
        text = _script(one)
    return {"name": f"exercise.{ending}", "text": text}


def _script(one: Exercise) -> str:
    """Python that makes the same network, and the same picture."""
    if one.shape is None:
        imported, made = "load_model", f"load_model({one.spec['file']['name']!r})"
    else:
        name = "LSTM" if one.net == "lstm" else "RNN"
        more = "" if one.net == "lstm" else f", activation={one.spec['a']!r}"
        imported, made = name, f"{name}({one.rows!r}{more}, bias=False)"
    alphabet = one.model.alphabet
    encode = "one_hot" if alphabet else "bits"
    reading = f", {alphabet!r}" if alphabet else ""
    start = f", state={one.start!r}" if any(one.start) else ""
    output = "run.output[0]" if isinstance(one.run.output, tuple) else "run.output"
    names = ", ".join(sorted([imported, encode, "copies", "derive", "draw"], key=_import_order))
    through = ', through="minimum"' if one.through() else ""
    return (
        f"from autograd_rnn import {names}\n\n"
        f"network = {made}\n"
        f'run = network.unroll({encode}("{one.spec["bits"]}"{reading}){start})\n'
        f"loss = ({one.y!r} - {output}) ** 2\n"
        f"loss.backward()\n"
        f"weight = network.parameters()[{one.place}]\n"
        f"print(weight.grad)\n"
        f"print(copies(weight, loss, run))\n"
        f"print(derive(loss, weight, run=run{through}))\n"
        f'draw(loss, focus=weight, run=run).save("exercise.svg")\n'
    )


def _import_order(name: str) -> tuple[bool, str]:
    return not name.isupper(), name


# --- the door ------------------------------------------------------------------------------------

CALLS = {
    one.__name__: one
    for one in (
        show,
        derivation,
        film,
        predict,
        separate,
        terms,
        sweep,
        another,
        download,
        cells.run,
    )
}


def answer(question: str) -> str:
    """The answer to a question of the page, in JSON; `error` where the package refuses it."""
    asked = json.loads(question)
    call = CALLS[asked.pop("call")]
    try:
        found = call(**asked)
    except (AutogradError, ArithmeticError) as error:
        found = {"error": str(error)}
    return json.dumps(found, ensure_ascii=False)
