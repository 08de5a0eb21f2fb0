"""Backpropagation through time by matrices: the terms of the steps add up to ∂L/∂W."""

import re
from collections.abc import Sequence

import pytest

from autograd_rnn import GRU, LSTM, RNN, Stack, Unrolled, Value, bits, draw, gradients
from autograd_rnn.graph.notation import number
from autograd_rnn.networks.model import Model
from autograd_rnn.pictures.drawing import Drawing
from autograd_rnn.pictures.theme import LIGHT

from ..exercise import texts

MODELS: dict[str, Model] = {
    "RNN": RNN.random(2, 1, seed=1),
    "LSTM": LSTM.random(2, 1, seed=1),
    "GRU": GRU.random(2, 1, seed=1),
    "stack": Stack.random("RNN", 2, 1, 1, layers=2, seed=1),
}


def unrolled(model: Model, steps: int = 3, truncate: int | None = None) -> tuple[Value, Unrolled]:
    run = model.unroll([[1.0], [0.0], [0.5]] * (steps // 3), truncate=truncate)
    return (1 - run.output if isinstance(model, Stack) else 1 - run.q[0]) ** 2, run


def tables(drawing: Drawing, begins: str) -> list[list[list[float]]]:
    """The numbers of the tables whose names begin so, in the order of the ids."""
    found = []
    for words in drawing.titles.values():
        name, _, numbers = words.partition(": ")
        if name.startswith(begins) and numbers:
            found.append([[float(x) for x in row.split(", ")] for row in numbers.split("; ")])
    return found


def added(matrices: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    return [
        [sum(entries) for entries in zip(*rows, strict=True)]
        for rows in zip(*matrices, strict=True)
    ]


@pytest.mark.parametrize("truncate", [None, 2])
@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_the_terms_add_up_to_the_gradient(model: Model, truncate: int | None) -> None:
    loss, run = unrolled(model, truncate=truncate)
    drawing = draw(loss, focus=model, run=run)
    layers = getattr(model, "layers", (model,))
    terms, totals = tables(drawing, "+ ["), tables(drawing, "∂L/∂W ")
    assert len(terms) == 3 * len(layers)
    for place, layer in enumerate(reversed(layers)):
        swept = gradients(loss, [weight for row in layer.weights for weight in row])
        own = added(terms[3 * place : 3 * place + 3])
        assert [x for row in own for x in row] == pytest.approx(swept)
        assert [x for row in totals[place] for x in row] == pytest.approx(swept)
    copies = [tables(drawing, name) for name in ("Ẇ", "Ẅ", "W⃛")]
    assert all(len(found) == len(layers) for found in copies)


def test_the_exercise_has_the_numbers_of_the_lecture() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    drawing = draw((15 - run.pi[0]) ** 2, focus=rnn, run=run)
    assert tables(drawing, "+ [") == [[[0.0], [64.0]], [[16.0], [0.0]], [[16.0], [4.0]]]
    assert tables(drawing, "∂L/∂W =") == [[[32.0], [68.0]]]
    assert {"δ̇", "δ̈", "64", "32", "68"}.issubset(texts(drawing.svg()))


def test_the_total_is_about_the_sum_of_terms_that_are_rounded() -> None:
    rnn = RNN([[1.5], [1]], activation="relu", bias=False)
    for inputs, equals in (("111", "≈"), ("100", "=")):
        run = rnn.unroll(bits(inputs))
        drawing = draw(run.pi[0] * 1.0, focus=rnn, run=run)
        terms, (total,) = tables(drawing, "+ ["), tables(drawing, f"∂L/∂W {equals}")
        assert added(terms) == total


def test_what_the_output_has_of_the_weights_directly_is_told() -> None:
    loss, run = unrolled(MODELS["RNN"])
    told = "∂L/∂W is the sum of them and of ∂⁺L/∂W, as L uses W directly; "
    assert told not in " ".join(texts(draw(loss, focus=run.rnn, run=run).svg()))
    decayed = loss + 0.1 * run.rnn.parameters()[0]
    assert told in " ".join(texts(draw(decayed, focus=run.rnn, run=run).svg()))


def test_long_runs_leave_steps_out_and_keep_the_sum() -> None:
    loss, run = unrolled(MODELS["RNN"], steps=18)
    drawing = draw(loss, focus=MODELS["RNN"], run=run)
    terms = tables(drawing, "+ ")
    assert len(terms) == 8
    swept = gradients(loss, MODELS["RNN"].parameters())
    assert [x for row in added(terms) for x in row] == pytest.approx(swept)


def test_large_matrices_are_shades() -> None:
    rnn = RNN.random(8, 4, seed=1)
    run = rnn.unroll([[1.0, 0.0, 0.0, 0.0]] * 3)
    drawing = draw((1 - run.q[0]) ** 2, focus=rnn, run=run)
    assert len(texts(drawing.svg())) < 8 * 13
    assert len(tables(drawing, "∂L/∂W =")[0]) == 13


@pytest.mark.parametrize(
    ("model", "numbers"), [(LSTM.random(7, 1, seed=1), True), (RNN.random(13, 1, seed=1), False)]
)
def test_vectors_have_numbers_unless_they_are_long_and_then_shades(
    model: Model, numbers: bool
) -> None:
    run = model.unroll([[1.0], [0.5]])
    drawing = draw((1 - run.q[0]) ** 2, focus=model, run=run)
    shown = {number(one.data, 2, 4) for one in run.steps[0].q}
    assert shown.issubset(texts(drawing.svg())) is numbers
    (box,) = re.findall(r"\tt1_1 \[label=<(.*?)</TABLE>>", drawing.dot, re.DOTALL)
    fills = set(re.findall(f'BGCOLOR="({LIGHT.positive}..)"', box))
    assert (len(fills) > 2) is not numbers


@pytest.mark.parametrize("width", ["a4", "slide"])
def test_folded_for_a_page_it_tells_the_same(width: str) -> None:
    model = LSTM.random(4, 1, seed=1)
    run = model.unroll([[1.0], [0.0], [0.5]], truncate=2)
    loss = sum([(1 - step.q[0]) ** 2 for step in run.steps])
    whole, folded = (draw(loss, focus=model, run=run, width=wide) for wide in (None, width))
    assert len(folded.pages) > 1
    for begins in ("Ẇ", "+ [", "∂L/∂W =", "numbers"):
        assert tables(folded, begins) == tables(whole, begins)
    assert {"i", "f", "g", "o"}.issubset(texts(folded.pages[0].svg()))  # the gates, over shades
    for drawing in (whole, folded):
        read = [words for words in drawing.titles.values() if words.startswith("L reads")]
        assert read == [f"L reads the numbers of step {k}" for k in (1, 2)]
        assert "no gradient goes back from step 3" in drawing.titles.values()


@pytest.mark.parametrize("width", ["a4", "slide"])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
@pytest.mark.parametrize("states", [1, 2, 4])
def test_a_page_has_two_steps_or_more(kind: type[Model], states: int, width: str) -> None:
    model = kind.random(states, 1, seed=1)
    run = model.unroll([[1.0], [0.0], [0.5], [1.0]])
    loss = (1 - run.q[0]) ** 2
    drawing = draw(loss, focus=model, run=run, width=width)
    assert len(drawing.pages) <= 2
    assert not drawing.too_high
    assert "loss" in texts(drawing.svg())  # in the legend
    assert sum("L" in texts(page.svg()) for page in drawing.pages or [drawing]) == 1
    ids = {*re.findall(r"\n\t(\w+) -> \w+ \[", drawing.dot)}
    assert {"out", "t4_1", "t4_2"} <= ids  # the output gives δ back, wherever it stands


def test_copies_of_weights_come_over_tables_that_are_higher_than_w() -> None:
    model = LSTM.random(3, 1, seed=1)
    run = model.unroll([[1.0], [0.0]])
    drawing = draw((1 - run.q[0]) ** 2, focus=model, run=run, width="slide")
    rail = max(
        float(y)
        for path in re.findall(r'\tw -> t2_0 \[.*?pos="(.*?)"', drawing.dot, re.DOTALL)
        for y in re.findall(r",([-0-9.]+)", path)
    )
    (at,) = re.findall(r'\tt1_1 \[label=<.*?pos="[-0-9.]+,([-0-9.]+)"', drawing.dot, re.DOTALL)
    copy = re.search(r'\tt1_0 \[label=<.*?pos="[-0-9.]+,([-0-9.]+)"', drawing.dot, re.DOTALL)
    assert copy is not None
    assert float(at) == float(copy[1])  # beside each other, and numbers in two blocks are higher
    assert rail > float(at) + 80.0


def test_a_layer_that_others_read_has_its_gradient_from_them() -> None:
    loss, run = unrolled(MODELS["stack"])
    drawing = draw(loss, focus=MODELS["stack"], run=run)
    read = [words for words in drawing.titles.values() if " reads the numbers of step " in words]
    # Layer 3 is read by L alone, at the last step, so that layer 2 is read by it only there.
    assert read == [
        "layer 3 reads the numbers of step 3",
        *[f"layer 2 reads the numbers of step {k}" for k in (1, 2, 3)],
    ]


def test_refusals() -> None:
    model = MODELS["RNN"]
    loss, run = unrolled(model)
    with pytest.raises(ValueError, match="focus=, a model, needs run=, the model unrolled"):
        draw(loss, focus=model)
    with pytest.raises(ValueError, match="run must be the model's own"):
        draw(loss, focus=RNN.random(2, 1), run=run)
    for asked in ({"detail": "step"}, {"edges": "local"}, {"precision": 3}):
        (name,) = asked
        with pytest.raises(
            ValueError, match=f"a whole model cannot show {name}=: leave it out, or"
        ):
            draw(loss, focus=model, run=run, **asked)  # type: ignore[arg-type]
