"""The boxes of neurons: for every network each number, each copy with its term, and each way."""

import re
from typing import Any

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Linear,
    Stack,
    Unrolled,
    Value,
    copies,
    counter,
    draw,
    one_hot,
    topological,
)
from autograd_rnn.graph.notation import number, term
from autograd_rnn.networks.model import Model

from ..exercise import texts

MODELS: dict[str, Model] = {
    "RNN": RNN.random(3, 1, seed=1),
    "one state": RNN.random(1, 1, seed=1),
    "LSTM": LSTM.random(2, 1, seed=1),
    "GRU": GRU.random(2, 1, seed=1),
    "stack": Stack([RNN.random(2, 1, seed=1), LSTM.random(2, 2, seed=2), Linear.random(2, 1)]),
}


def unrolled(model: Model, every: bool, steps: int = 3) -> tuple[Value, Unrolled]:
    run = model.unroll([[1.0], [0.0], [0.5]] * (steps // 3), truncate=2 if every else None)
    outputs = [
        step.q[0] if isinstance(model, RNN | LSTM | GRU) else step.output for step in run.steps
    ]
    errors = [(1 - output) ** 2 for output in outputs]
    loss = sum(errors) if every else errors[-1]
    loss.backward()
    return loss, run


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_each_copy_has_its_term_and_they_add_up(model: Model, every: bool) -> None:
    loss, run = unrolled(model, every)
    for weight in model.parameters()[:: max(1, len(model.parameters()) // 4)]:
        uses = copies(weight, loss, run)
        if not uses:
            continue
        drawing = draw(loss, run=run, focus=weight, detail="neuron")
        read = texts(drawing.svg())
        for use in uses:
            assert use.name in read
        chips = [term(number(use.grad)) for use in uses]
        assert set(chips).issubset(read)
        assert f"{len(uses)} cop" in drawing.summary
        ways = [words for words in drawing.titles.values() if ", times " in words]
        assert len(ways) == sum(
            use.step is not None and use.consumer.op.name == "mul" and reads_a_neuron(run, use)
            for use in uses
        )


def reads_a_neuron(run: Unrolled, use: Any) -> bool:
    other = use.consumer.parents[1 - use.position]
    other = other.parents[0] if other.constant and other.parents else other
    inputs = {x for step in run.steps for x in step.x}
    return other not in inputs


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_every_number_of_every_neuron_is_there(model: Model) -> None:
    loss, run = unrolled(model, every=True)
    drawing = draw(loss, run=run, detail="neuron")
    said = " ".join(drawing.titles.values())
    reached = set(topological(loss))
    for step in run.steps:
        for part in getattr(step, "layers", (step,)):
            for letter, vector in part.vectors.items():
                if len(vector) == len(part.entries):
                    for value in reached.intersection(vector):
                        assert f"data {value.data!r}" in said, (step.k, letter)


def test_the_cuts_of_truncation_are_there() -> None:
    loss, run = unrolled(MODELS["RNN"], every=True)
    drawing = draw(loss, run=run, detail="neuron")
    assert "no gradient goes back from step 3" in drawing.titles.values()
    weight = MODELS["RNN"].weights[1][0]
    focused = draw(loss, run=run, focus=weight, detail="neuron")
    assert focused.dot.count(">× q̈₁<") == 1  # through the cut


def test_a_long_run_leaves_out_steps_and_says_what_they_add() -> None:
    loss, run = unrolled(MODELS["RNN"], every=False, steps=18)
    weight = MODELS["RNN"].weights[1][0]
    drawing = draw(loss, run=run, focus=weight, detail="neuron")
    inner = [use.grad for use in copies(weight, loss, run) if use.step and 5 <= use.step <= 15]
    assert term(number(sum(inner))) in texts(drawing.svg())
    assert f"{len(inner)} copies of w₄" in texts(drawing.svg())


def test_the_counter_is_drawn_by_its_neurons() -> None:
    model = counter()
    run = model.unroll(one_hot("AGGG"))
    drawing = draw(run.q[2], run=run, focus=model.weights[3][2], detail="neuron")
    assert drawing.summary == "q⃜₃ = 1, unrolled over 4 steps, 13 boxes, 4 copies of w₁₂"


def test_a_weight_outside_of_the_steps_has_its_copy_by_the_output() -> None:
    model = RNN.random(1, 1, seed=3)
    run = model.unroll([[1.0], [2.0]])
    weight = model.weights[1][0]
    loss = (1 - run.q[0]) ** 2 + 0.1 * weight * weight
    loss.backward()
    drawing = draw(loss, run=run, focus=weight, detail="neuron")
    assert "4 copies of w₂" in drawing.summary
    for use in copies(weight, loss, run):
        assert use.name in texts(drawing.svg())


@pytest.mark.parametrize("width", ["a4", "slide", 480])
@pytest.mark.parametrize("steps", [3, 12])
def test_rows_are_no_wider_than_the_paper(width: str | float, steps: int) -> None:
    loss, run = unrolled(MODELS["one state"], every=True, steps=steps)
    weight = MODELS["one state"].weights[1][0]
    drawing = draw(loss, run=run, focus=weight, detail="neuron", width=width)
    wide = re.search(r'width="([\d.]+)pt"', drawing.svg())
    assert wide is not None
    assert float(wide[1]) <= {"a4": 510, "slide": 900}.get(str(width), 480.0) + 1
    read = texts(drawing.svg())
    for use in copies(weight, loss, run):
        assert number(use.grad) in read


@pytest.mark.parametrize("width", ["a4", "slide"])
def test_in_columns_every_number_is_there_and_steps_are_joined(width: str) -> None:
    model = Stack.random("LSTM", 2, 1, 1, layers=2, seed=1)
    run = model.unroll([[1.0], [0.0], [0.5]])
    loss = (1 - run.output) ** 2
    drawing = draw(loss, run=run, focus=model.parameters()[1], detail="neuron", width=width)
    said = list(drawing.titles.values())
    for step in run.steps:
        for value in {*step.q}.intersection(topological(loss)):
            assert f"data {value.data!r}" in " ".join(said)
    assert {"step 1 → step 2", "step 2 → step 3"}.issubset(said)
    assert "layer 2 of step 3 → layer 3" in said
    assert not [words for words in said if " of step 1 → neuron" in words]


def test_the_states_before_are_in_the_order_of_those_after() -> None:
    model = LSTM.random(1, 1, seed=1)
    run = model.unroll([[1.0], [0.0]])
    drawing = draw((1 - run.q[0]) ** 2, run=run, detail="neuron")
    start, after = (drawing.titles[f"q{k}_0_0"].split("; ") for k in (0, 1))
    assert [words[:1] for words in start] == ["c", "h"]
    assert [words.split(":")[0] for words in after][-2:] == ["ċ", "ḣ"]


def test_a_neuron_is_named_where_it_is_the_only_one_of_its_step() -> None:
    loss, run = unrolled(MODELS["RNN"], every=False)
    read = texts(draw(loss, run=run, detail="neuron").svg())
    assert read.count("neuron 2") + 1 == read.count("neuron 1") == 4  # the last step has one


@pytest.mark.parametrize(("states", "width", "every"), [(2, 400, True), (12, "slide", False)])
def test_an_arrow_leads_to_an_output_that_is_alone_in_its_row(
    states: int, width: str | float, every: bool
) -> None:
    model = RNN.random(states, 1, seed=1)
    loss, run = unrolled(model, every)
    focus = None if every else model.parameters()[0]
    drawing = draw(loss, run=run, focus=focus, detail="neuron", width=width)
    assert "-> output " in drawing.dot


def test_a_narrow_picture_has_its_weight_in_rows_that_use_it_and_a_heading_in_lines() -> None:
    model = RNN.random(2, 1, seed=1)
    loss, run = unrolled(model, every=False)
    title = "A title that is too long for one line of the text of an article"
    drawing = draw(loss, run=run, focus=model.weights[1][0], width=345, title=title)
    svg = drawing.svg()
    assert svg.count('class="node parameter"') == 3  # the output is in the fourth row
    assert title not in texts(svg)
    assert title in " ".join(texts(svg))
    width = re.search(r'<svg width="(\d+)pt"', svg)
    assert width is not None
    assert int(width[1]) <= 345
