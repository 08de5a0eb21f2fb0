"""The exercise that the page describes: its network, its run and its loss."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autograd_rnn import (
    LSTM,
    RNN,
    Copy,
    bits,
    copies,
    derive,
    draw,
    load_model,
    one_hot,
    play,
    topological,
)
from autograd_rnn.arguments import as_choice, as_integer, many
from autograd_rnn.derivation.exercises.grading import read_number
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import ArgumentValueError
from autograd_rnn.graph.marks import mark_of, marks_of
from autograd_rnn.graph.notation import label

MOST_BITS = 12


class Shape(NamedTuple):
    """A network to choose: what its weights and states are called, and which it has at first."""

    rows: Sequence[str]
    columns: Sequence[str]
    weights: Sequence[str]
    states: Sequence[str]


SHAPES = {
    "one": Shape(["q", "x"], [""], ["4", "1"], ["q"]),
    "two": Shape(["q₁", "q₂", "x"], ["π₁", "π₂"], ["1", "-1", "2", "1", "1", "2"], ["q₁", "q₂"]),
    "lstm": Shape(
        ["h", "x"], ["i", "f", "g", "o"], ["1", "0.5", "1", "1", "2", "1", "1", "1"], ["h", "c"]
    ),
}


class Exercise:
    """The network, its run and its loss, as the page describes them.

    With `named`, the wanted value is called y; with `steps`, the bits are repeated to so many.
    """

    def __init__(self, spec: Mapping[str, Any], named: bool = False, steps: int = 0) -> None:
        self.spec, self.net = spec, as_choice(spec["net"], "network", [*SHAPES, "file"])
        self.shape = SHAPES.get(self.net)
        self.y = read_number(spec["y"], "target")
        self.texts = list(spec["w"] or (self.shape.weights if self.shape else []))
        self.model = _opened(spec) if self.shape is None else self._made(self.shape)
        read = str(spec["bits"])
        as_integer(len(read), "the number of bits", least=1, most=MOST_BITS)
        if steps:
            read = (read * steps)[:steps]
        alphabet = self.model.alphabet
        inputs = one_hot(read, alphabet) if alphabet else bits(read)
        names = self.shape.states if self.shape else []
        starts = spec["q"] or ["0"] * len(names)
        _check_count(starts, names, "start state")
        self.start = [
            read_number(text, f"start state {name}")
            for name, text in zip(names, starts, strict=True)
        ]
        self.run = self.model.unroll(inputs, self.start or None)
        outputs = self.run.output if isinstance(self.run.output, tuple) else [self.run.output]
        if self.shape is None and len(outputs) > 1:
            raise ArgumentValueError(
                f"the network has {many(len(outputs), 'output')}, but the target is one number: "
                f"open one that has a readout of one."
            )
        self.loss = (constant(self.y, "y" if named else None) - outputs[0]) ** 2
        self.weights = self.model.parameters()
        self.place = as_integer(spec["focus"], "focus", least=1, most=len(self.weights)) - 1
        self.weight = self.weights[self.place]
        self.name = label(self.weight.name or "w")
        self.marks = marks_of(topological(self.loss))

    def _made(self, shape: Shape) -> Any:
        _check_count(self.texts, shape.weights, "weight")
        numbers = [read_number(text, f"w{place}") for place, text in enumerate(self.texts, 1)]
        size = len(shape.columns)
        self.rows = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        if self.net == "lstm":
            return LSTM(self.rows, bias=False)
        return RNN(self.rows, self.spec["a"], bias=False)

    def copies(self) -> Any:
        """The copies of the weight."""
        return copies(self.weight, self.loss, self.run)

    def table(self) -> str:
        """The forward pass, and what each copy adds, as an HTML table."""
        shown = None if self.spec["hide"] else self.weight
        return str(self.run.table(self.loss, focus=shown).html)

    def lit(self, member: Any, words: str) -> str:
        """Words that light what they speak of, in the picture and everywhere."""
        known = isinstance(member, Copy) or member in self.marks
        mark = f' data-node="{mark_of(member, self.marks)}"' if known else ""
        return f"<span{mark}>{words}</span>"

    def picture(self) -> Any:
        """The drawing, with the gradients if `backward` was called."""
        return draw(self.loss, focus=self.weight, run=self.run, detail=self.spec["detail"])

    def play(self) -> Any:
        """The page that plays both sweeps, whose parts play in this one."""
        return play(self.loss, focus=self.weight, run=self.run)

    def through(self) -> str | None:
        """The separating set that is asked for; None for the copies."""
        chosen = as_choice(self.spec["through"], "through", ["copies", "minimum"])
        return None if chosen == "copies" else chosen

    def derive(self) -> Any:
        """The working through that set."""
        return derive(self.loss, self.weight, through=self.through(), run=self.run)


def _check_count(given: Sequence[str], wanted: Sequence[str], what: str) -> None:
    """Refuse other than so many: a link can hold any number of them."""
    if len(given) != len(wanted):
        raise ArgumentValueError(f"the network has {many(len(wanted), what)}, not {len(given)}.")


def _opened(spec: Mapping[str, Any]) -> Any:
    """The model in a file that was opened in the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(spec["file"]["name"] or "model").name)
        path.write_text(spec["file"]["text"])
        try:
            return load_model(path)
        except ArgumentValueError as error:
            raise ArgumentValueError(str(error).replace(f"{folder}/", "")) from None
