"""A run as a table: its numbers are those of the run, and its terms those of the copies."""

import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from rich.console import Console

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Linear,
    RunTable,
    Stack,
    Unrolled,
    Value,
    bits,
    copies,
    draw,
    gradients,
)
from autograd_rnn.graph.notation import number
from autograd_rnn.networks.model import Model

from ..strategies import runs


def exercise(activation: str = "relu") -> tuple[RNN, RunTable, Value]:
    rnn = RNN([[4], [1]], activation, bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    return rnn, run.table(loss, focus=rnn.parameters()), loss


def test_the_exercise_as_a_table() -> None:
    _, table, _ = exercise()
    assert str(table).splitlines() == [
        "Forward pass, and terms of w₁ and w₂",
        "",
        "step   x   w₁·q   w₂·x    π   q = relu(π)   ∂L/∂π   term of w₁   term of w₂",
        "───────────────────────────────────────────────────────────────────────────",
        "   1   1      0      1    1             1      64            0           64",
        "   2   0      4      0    4             4      16           16            0",
        "   3   1     16      1   17             –       4           16            4",
        "───────────────────────────────────────────────────────────────────────────",
        " sum                                                        32           68",
    ]
    printed = io.StringIO()
    Console(file=printed, width=80).print(table)
    rows = [line.split() for line in printed.getvalue().splitlines()]
    assert ["2", "0", "4", "0", "4", "4", "16", "16", "0"] in rows
    assert ["sum", "32", "68"] in rows


def test_heads_hold_for_every_step_whatever_is_given() -> None:
    rnn, _, _ = exercise()
    run = rnn.unroll([[Value(1)], [Value(0, "mine")]], state=[Value(0.5)])
    assert run.table().head[2:4] == ("w₁·q", "w₂·x")
    named = RNN([[4], [1]], bias=False, names=[["ö"], ["w"]]).unroll(bits("10"))
    assert named.table().head[2:4] == ("ö·q", "w·x")


def test_the_derivative_by_a_sum_is_that_of_the_only_one() -> None:
    layers = [RNN([[4], [1]], "relu", bias=False), Linear([[2]], bias=False)]
    run = Stack(layers).unroll(bits("10"))
    table = run.table(run.output, focus=layers[0].weights[0][0])
    assert [row[table.head.index("∂ÿ/∂π")].text for row in table.rows] == ["8", "2"]
    run = Stack([layers[0], RNN([[4], [1]], "relu", bias=False)]).unroll(bits("10"))
    assert "∂q̈₁/∂π" not in run.table(run.q[0], focus=layers[0].weights[0][0]).head


def test_a_weight_given_twice_has_one_column() -> None:
    rnn, _, _ = exercise()
    (weight,), _ = rnn.weights
    run = rnn.unroll(bits("101"))
    once, twice = [run.table(run.pi[0], focus=[weight] * times) for times in (1, 2)]
    assert str(twice) == str(once)


def test_rows_and_cells_have_the_marks_of_the_picture() -> None:
    rnn, table, loss = exercise()
    ids = draw(loss, focus=rnn.weights[0][0]).ids
    root = ElementTree.fromstring(table._repr_html_())
    first, second, third = next(root.iter("tbody"))
    uses = copies(rnn.weights[0][0], loss)
    cells = [row.findall("td")[-2] for row in (first, second, third)]
    assert [cell.get("data-node") for cell in cells] == [ids[use] for use in uses]
    assert [cell.text for cell in cells] == ["0", "16", "16"]
    for row in (first, second, third):
        inside = {mark for cell in row for mark in cell.get("data-node", "").split()}
        assert set(row.get("data-node", "").split()) == inside
    foot = root.find("tfoot/tr")
    assert foot.findall("td")[-2].get("data-node") == ids[rnn.weights[0][0]]


@settings(max_examples=20)
@given(runs())
def test_the_terms_add_up_to_the_gradients(run: tuple[RNN, Unrolled]) -> None:
    rnn, unrolled = run
    loss = sum(unrolled.q, Value(0)) * 3
    weights = [w for w in rnn.parameters() if copies(w, loss)]
    if not weights:
        return
    table = unrolled.table(loss, focus=weights)
    shown = [cell.text for cell in table.foot[-len(weights) :]]
    assert shown == [number(x, 6, 15) for x in gradients(loss, weights)]
    about = [one for row in table.rows for cell in row[-len(weights) :] for one in cell.about]
    assert len(about) == sum(len(copies(weight, loss)) for weight in weights)
    assert all(len(row) == len(table.head) for row in [*table.rows, table.foot])


KINDS = [
    *[kind.random(size, 2, seed=1) for kind in (RNN, LSTM, GRU) for size in (1, 2, 5)],
    *(Linear.random(2, 3), Stack.random("LSTM", 2, 1, 1), RNN.random(1, 30)),
    Bidirectional(GRU.random(1, 1), GRU.random(1, 1)),
]


@pytest.mark.parametrize("model", KINDS, ids=repr)
def test_every_kind_of_network_fits_a_terminal_and_is_whole_in_html(model: Model) -> None:
    run = model.unroll([[0.5] * model.inputs, [-0.25] * model.inputs])
    table = run.table()
    assert max(map(len, str(table).splitlines())) <= 80
    shown = {one for row in table.rows for cell in row for one in cell.about}
    assert shown >= {q for step in run.steps for q in (*step.q, *step.entries, *step.x)}
    root = ElementTree.fromstring(table.html)
    marks = {m for cell in root.iter("td") for m in cell.get("data-node", "").split()}
    assert len(marks) == len(shown)


def test_long_runs_are_cut_and_runs_of_nothing_are_empty() -> None:
    rnn = RNN([[1], [1]], "linear", bias=False)
    table = rnn.unroll(bits("1" * 99)).table()
    lines = str(table).splitlines()
    assert len(table.rows) == 99
    assert len(lines) == 4 + 41
    assert lines[24].strip() == "…"
    assert table.head == ("step", "x", "w₁·q", "w₂·x", "π")
    assert str(rnn.unroll([]).table()) == "Forward pass\n\nstep\n────"


def test_terms_outside_of_the_steps_and_of_weights_used_twice() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False, names=[["w_1"], ["w_2"]])
    run, (w, _) = rnn.unroll(bits("11")), rnn.parameters()
    table = run.table(run.q[0] * w + w, focus=w)
    assert [row[0].text for row in table.rows] == ["1", "2", "–"]
    assert table.rows[2][-1].text == "5 + 1"
    assert table.foot[-1].text == "10"
    assert re.search(r"^ +– .* 5 \+ 1$", str(table), re.MULTILINE)


def test_what_cannot_be_in_a_table() -> None:
    rnn, _, loss = exercise()
    run = rnn.unroll(bits("1"))
    with pytest.raises(ValueError, match=r"focus= needs a loss, as in run.table\(loss, focus=w\)"):
        run.table(focus=rnn.parameters())
    with pytest.raises(ValueError, match=r"loss does not depend on focus \(mine = 1.0\): there is"):
        run.table(loss, focus=Value(1.0, "mine"))
    with pytest.raises(TypeError, match=r"focus\[1\] must be a node of a graph, such as a Value"):
        run.table(loss, focus=[rnn.parameters()[0], 3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="loss must be a node of a graph, such as a Value"):
        run.table(run.pi)  # type: ignore[arg-type]
