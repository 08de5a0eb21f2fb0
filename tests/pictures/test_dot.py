"""The DOT text of a graph view: where its boxes stand, and that it is always the same."""

import os
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, Stack, Unrolled, Value, bits, copies, draw
from autograd_rnn.networks.model import Model
from autograd_rnn.pictures.html_labels import box_size

from .exercise import EXERCISE, boxes, exercise


def corners(dot: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'id=(\w+) pos="([-\d.]+),([-\d.]+)"', dot)
    return {id: (float(x), float(y)) for id, x, y in found}


@pytest.mark.parametrize("weight", [0, 1])
@pytest.mark.parametrize("bit_string", ["1", "10", "101", "10110"])
def test_equal_things_stand_at_equal_places(bit_string: str, weight: int) -> None:
    drawing = exercise(bit_string, weight)
    at = corners(drawing.dot)
    assert set(at) == {box.id for box in drawing.view.boxes.values()}
    copied = [at[box.id] for box in drawing.view.boxes.values() if box.role == "copy"]
    assert len({y for _, y in copied}) == 1
    gaps = {round(b[0] - a[0]) for a, b in pairwise(copied)}
    assert len(gaps) <= 1
    (weight_id,) = [box.id for box in drawing.view.boxes.values() if box.role == "parameter"]
    assert at[weight_id][0] == pytest.approx((copied[0][0] + copied[-1][0]) / 2)
    outlines = []
    for box in drawing.view.boxes.values():
        width, height = box_size(box)
        x, y = at[box.id]
        outlines.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    for index, (x0, y0, x1, y1) in enumerate(outlines):
        for u0, v0, u1, v1 in outlines[:index]:
            assert x1 + 8 < u0 or u1 + 8 < x0 or y1 + 8 < v0 or v1 + 8 < y0


def unrolled(model: Model, at_every_step: bool) -> tuple[Value, Unrolled]:
    run = model.unroll([[1.0], [0.0], [0.5]])
    outputs = [step.q[0] if step.q else step.output for step in run.steps]
    errors = [(1 - output) ** 2 for output in outputs]
    return (sum(errors[1:], errors[0]) if at_every_step else errors[-1]), run


GRIDS: dict[str, Model] = {
    "one state": RNN.random(1, 1, seed=1),
    "several states": RNN.random(2, 1, seed=1),
    "LSTM": LSTM.random(1, 1, seed=1),
    "GRU": GRU.random(2, 1, seed=1),
    "stack": Stack.random("RNN", 2, 1, 1, layers=2, seed=1),
}


@pytest.mark.parametrize("at_every_step", [False, True])
@pytest.mark.parametrize("model", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize("focused", [False, True])
def test_the_steps_of_every_network_are_columns_without_a_staircase(
    model: Model, at_every_step: bool, focused: bool
) -> None:
    loss, run = unrolled(model, at_every_step)
    focus = next(w for w in model.parameters() if len(copies(w, loss)) == 3)
    drawing = draw(loss, focus=focus if focused else None, run=run, detail="scalar", max_nodes=999)
    assert "layout=nop2" in drawing.dot
    assert drawing.view is not None
    at = corners(drawing.dot)
    assert at.keys() >= drawing.view.boxes.keys()
    sizes = {id: box_size(box) for id, box in drawing.view.boxes.items()}
    placed = [(*at[id], *sizes[id]) for id in sizes]
    for index, (x, y, width, height) in enumerate(placed):
        for u, v, other, high in placed[:index]:
            apart = abs(x - u) > (width + other) / 2, abs(y - v) > (height + high) / 2
            assert any(apart)
    # Each state is at the same height in every step, and each step right of the one before.
    ids = {node: id for id, node in drawing.view.nodes.items()}
    for states in zip(*[step.q for step in run.steps], strict=True):
        drawn = [ids[state] for state in states if state in ids]
        there = [at[id] for id in drawn if drawing.view.boxes[id].role == "state"]
        assert len({y for _, y in there}) <= 1
        assert there == sorted(there)


def dot_in_a_new_process(seed: str) -> str:
    code = EXERCISE + "print(draw(loss, focus=rnn.weights[0][0], run=run).dot, end='')"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    return result.stdout.decode().replace("\r\n", "\n")


def test_the_same_graph_gives_the_same_dot_in_every_process() -> None:
    here = exercise().dot
    assert [dot_in_a_new_process(seed) for seed in ("0", "1")] == [here, here]


@given(
    st.lists(st.integers(-2, 2), min_size=3, max_size=3),
    st.text("01", min_size=2, max_size=4),
    st.sampled_from(["relu", "linear"]),
)
@settings(max_examples=25)
def test_an_offset_has_its_copies_in_a_row_of_their_own(
    weights: list[int], bit_string: str, activation: str
) -> None:
    rnn = RNN([[weight] for weight in weights], activation)
    run = rnn.unroll(bits(bit_string))
    drawing = draw((15 - run.pi[0]) ** 2, run=run, detail="scalar")
    assert "layout=nop2" in drawing.dot
    assert len(boxes(drawing, "copy")) == 3 * len(run.steps)


def test_the_notes_of_long_arrows_stand_by_their_heads() -> None:
    rnn = RNN([[1], [2], [3]], activation="relu", names=[["b"], ["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    drawing = draw((15 - run.pi[0]) ** 2, run=run)
    assert drawing.summary == "L = 49, 32 boxes, 9 copies of b, w₁ and w₂"
    at = corners(drawing.dot)
    copied = [use for weight in rnn.parameters() for use in copies(weight, drawing.view.output)]
    rows = {(at[drawing.ids[use]][1], use.parameter) for use in copied}
    assert len(rows) == 3  # one row per weight
    for _, y in re.findall(r'lp="([-\d.]+),([-\d.]+)"', drawing.dot):
        assert all(abs(float(y) - row) > 12 for row, _ in rows)


@pytest.mark.parametrize("window", [1, 2, 9])
def test_where_backpropagation_is_truncated_there_is_a_cut(window: int) -> None:
    rnn = RNN([[2], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("1011"), truncate=window)
    loss = (15 - run.pi[0]) ** 2
    drawing = draw(loss, focus=rnn.weights[0][0], run=run)
    cuts = re.findall(r'id=cut_(\d) pos="([-\d.]+),', drawing.dot)
    assert [int(step) for step, _ in cuts] == sorted(run.cuts)
    panels = {
        int(step): (float(left), float(right))
        for step, left, right in re.findall(
            r'cluster_(\d) \{\s+graph \[bb="([-\d.]+),[-\d.]+,([-\d.]+),', drawing.dot
        )
    }
    for step, x in cuts:
        assert panels[int(step) - 1][1] < float(x) < panels[int(step)][0]
    badges = [box.badge for box in drawing.view.boxes.values()]
    assert badges.count("sg") == len(run.cuts)
    titles = [f"no gradient goes back from step {step}" for step in sorted(run.cuts)]
    assert re.findall("no gradient goes back from step .", drawing.svg()) == titles
