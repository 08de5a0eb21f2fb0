"""What is written of exercises: the texts that CPython and Pyodide must agree on."""

import json
from typing import Any

import games
import playground

from autograd_rnn.errors import AutogradError


def written(questions: str) -> str:
    """For each exercise its picture, its working, its numbers and its table, in JSON."""
    return json.dumps([texts(spec) for spec in json.loads(questions)])


def texts(spec: dict[str, Any]) -> list[Any]:
    """The numbers and the texts of an exercise, or what the package says against it."""
    try:
        one = playground.Exercise(spec)
        one.loss.backward()
        drawing = one.picture()
        return [
            [one.loss.data, *[weight.grad for weight in one.weights]],
            drawing.dot,
            playground.derivation(spec)["html"],
            one.table(),
            playground._result(one),
            json.dumps(games.predict(spec, {"t1": "1", "total": "2"})),
        ]
    except (AutogradError, ArithmeticError) as error:
        return [f"{type(error).__name__}: {error}"]
