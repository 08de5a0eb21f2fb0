"""The picture with a card per step: what stands on the cards, in the ledgers, on the arrows."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from autograd_rnn import LSTM, RNN, Unrolled, Value, bits, copies, draw, no_grad
from autograd_rnn.graph.notation import number
from autograd_rnn.pictures.drawing import Drawing
from autograd_rnn.pictures.html_labels import clean
from autograd_rnn.pictures.rendering.render import render
from autograd_rnn.pictures.theme import DARK, LIGHT
from autograd_rnn.pictures.unrolled.cards import draw_cards
from autograd_rnn.pictures.unrolled.story import Card, Row

from ...strategies import runs
from ..exercise import NAMES


def exercise(bit_string: str = "101", backward: bool = True) -> tuple[Value, Any, list[Value]]:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (15 - run.pi[0]) ** 2
    if backward:
        loss.backward()
    return loss, run, rnn.parameters()


def cards(output: Value, run: Any, weights: Sequence[Value]) -> Drawing:
    return draw_cards(output, run, weights, LIGHT)


def table(figure: Drawing, id: str) -> list[list[str]]:
    """The texts of a box, row by row."""
    found = re.search(rf"\t{id} \[label=<(<TABLE.*?</TABLE>)>", figure.dot, re.DOTALL)
    assert found is not None
    return [
        ["\n".join(text.strip() for text in cell.itertext() if text.strip()) for cell in row]
        for row in ElementTree.fromstring(found[1])
    ]


def rows(figure: Drawing, id: str) -> list[list[str]]:
    """The rows of a card, without its head, the line of keys, and its foot."""
    return table(figure, id)[2:-1]


def ledger(figure: Drawing, place: int = 1) -> list[str]:
    (fields,) = table(figure, f"w{place}")
    return fields


def terms(fields: Sequence[str]) -> list[int]:
    """The numbers of a ledger of whole numbers, without the sum."""
    shown = [field.split("\n")[-1].replace("−", "-").replace(" ", "") for field in fields[1:-1]]
    return [int(term) for term in shown if term]


def arrows(figure: Drawing, role: str) -> list[tuple[str, str, str]]:
    """Tail, head and words of the arrows of a role."""
    found = re.findall(r"\t(\w+) -> (\w+) \[(.*?)\bclass=(\w+)", figure.dot, re.DOTALL)
    words = [(tail, head, re.findall(r">([^<>]+)<", looks)) for tail, head, looks, _ in found]
    chosen = [place for place, (*_, kind) in enumerate(found) if kind == role]
    return [(words[i][0], words[i][1], "".join(words[i][2]).strip()) for i in chosen]


@settings(max_examples=50)
@given(strategies.lists(strategies.booleans(), max_size=70), strategies.integers(1, 40))
def test_the_columns_of_a_card_have_all_rows_in_order(opens: list[bool], most: int) -> None:
    card_rows = [Row("plain", str(place), opens=one) for place, one in enumerate(opens)]
    columns = Card("step_1", "step 1", card_rows, None, None).columns(most)
    assert [row for column in columns for row in column] == card_rows
    assert all(1 <= len(column) <= most for column in columns)
    assert len(columns) == -(-len(opens) // most)


def test_cards_that_are_higher_than_a_page_have_columns_with_every_number() -> None:
    model = LSTM.random(4, 1, seed=1)
    run = model.unroll([[1.0], [0.0]])
    loss = (1 - run.q[0]) ** 2
    figure = draw(loss, run=run, focus=model.parameters()[0], detail="step", width="slide")
    head, keys, *lines, _ = table(figure, "step_1")
    assert (len(head), len(keys)) == (1, 2 * 3 + 1)  # two columns, and what is between them
    shown = [line[at : at + 2] for at in (0, 4) for line in lines]
    there = [[name, data] for name, data in shown if name]
    names = [f"{letter}{place}" for letter in ("i̇", "ḟ", "ġ", "ȯ", "ċ", "ḣ") for place in "₁₂₃₄"]
    assert [name for name, _ in there] == ["ẇ₁", *names]
    (step, _) = run.steps
    values = [one for letter in "ifgoch" for one in step.vectors[letter]]
    assert [data for _, data in there[1:]] == [number(one.data) for one in values]


def test_a_cut_at_the_head_of_a_row_is_told_and_passes_the_state_on() -> None:
    model = RNN.random(2, 1, seed=1)
    run = model.unroll([[1.0], [0.0], [0.5], [1.0]], truncate=2)
    loss = (1 - run.q[0]) ** 2
    figure = draw(loss, run=run, focus=model.weights[1][0], detail="step", width="a4")
    assert figure.titles["cut_3"] == "no gradient goes back from step 3"
    assert rows(figure, "step_3")[1][0] == "× q̈₁"


# --- the exercise -------------------------------------------------------------------------------


def test_the_exercise() -> None:
    loss, run, (w1, _) = exercise()
    figure = cards(loss, run, [w1])
    assert [table(figure, f"step_{k}")[0] for k in (1, 2, 3)] == [
        *[["step 1   ẋ = 1"], ["step 2   ẍ = 0"], ["step 3   x⃛ = 1"]]
    ]
    assert rows(figure, "step_1") == [
        ["ẇ₁", "4", "0"],
        ["× q", "0", "64"],
        ["+ w₂·ẋ", "1", ""],
        ["= π̇", "1", "64"],
        ["relu → q̇", "1", "64"],
    ]
    assert rows(figure, "step_2") == [
        ["ẅ₁", "4", "16"],
        ["× q̇", "4", "16"],
        ["+ w₂·ẍ", "0", ""],
        ["= π̈", "4", "16"],
        ["relu → q̈", "4", "16"],
    ]
    assert rows(figure, "step_3") == [
        ["w⃛₁", "4", "16"],
        ["× q̈", "16", "4"],
        ["+ w₂·x⃛", "1", ""],
        ["= π⃛", "17", "4"],
    ]
    assert ledger(figure) == [
        *["w₁ = 4", "from ẇ₁\n+ 0", "from ẅ₁\n+ 16", "from w⃛₁\n+ 16", "grad\n= 32"]
    ]
    assert table(figure, "start") == [["q"], ["data", "0"], ["grad", "256"]]
    assert table(figure, "output") == [["( )²", "L"], ["data", "4"], ["grad", "1"]]
    assert figure.summary == "L = 4, unrolled over 3 steps, with the copies of w₁"
    assert figure.titles["autograd_rnn"] == "Backpropagation through time, one card per step"
    assert "ẅ₁: data 4.0, grad 16;" in figure.titles["step_2"]


def test_values_run_forward_and_gradients_back() -> None:
    loss, run, (w1, _) = exercise()
    figure = cards(loss, run, [w1])
    assert arrows(figure, "state") == [
        ("start", "step_1", "q = 0"),
        ("step_1", "step_2", "q̇ = 1"),
        ("step_2", "step_3", "q̈ = 4"),
    ]
    assert arrows(figure, "output") == [("step_3", "output", "π⃛ = 17")]
    assert arrows(figure, "back") == [
        ("step_1", "start", "∂L/∂q = 256"),
        ("step_2", "step_1", "∂L/∂q̇ = 64"),
        ("step_3", "step_2", "∂L/∂q̈ = 16"),
        ("output", "step_3", "∂L/∂π⃛ = 4"),
        *[(f"step_{k}", "w1", "") for k in (1, 2, 3)],
    ]


def test_both_weights() -> None:
    loss, run, (w1, w2) = exercise()
    figure = cards(loss, run, [w1, w2])
    assert rows(figure, "step_2") == [
        ["ẅ₁", "4", "16"],
        ["× q̇", "4", "16"],
        ["+ ẅ₂", "1", "0"],
        ["× ẍ", "0", "16"],
        ["= π̈", "4", "16"],
        ["relu → q̈", "4", "16"],
    ]
    assert terms(ledger(figure, 1)) == [0, 16, 16]
    assert ledger(figure, 2) == [
        *["w₂ = 1", "from ẇ₂\n+ 64", "from ẅ₂\n+ 0", "from w⃛₂\n+ 4", "grad\n= 68"]
    ]
    assert rows(cards(loss, run, [w2]), "step_2") == [
        ["ẅ₂", "1", "0"],
        ["× ẍ", "0", "16"],
        ["+ w₁·q̇", "4", "16"],
        ["= π̈", "4", "16"],
        ["relu → q̈", "4", "16"],
    ]


def test_before_any_backward_the_gradients_are_not_there() -> None:
    loss, run, weights = exercise(backward=False)
    figure = cards(loss, run, weights)
    shown = {row[2] for k in (1, 2, 3) for row in rows(figure, f"step_{k}")}
    assert shown == {"–"}
    assert ledger(figure) == ["w₁ = 4", "from ẇ₁", "from ẅ₁", "from w⃛₁", "grad\n–"]
    assert arrows(figure, "back") == []
    assert len(arrows(figure, "state")) == 3


# --- any network --------------------------------------------------------------------------------


@given(runs())
def test_the_terms_add_up_to_the_gradient(run: tuple[RNN, Unrolled]) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0, "zero")) * 2
    output.backward()
    weights = rnn.parameters()
    if not unrolled.steps:
        with pytest.raises(ValueError, match=r"output does not depend on focus \(Value"):
            cards(output, unrolled, weights[:1])
        return
    for start in range(0, len(weights), 3):
        figure = cards(output, unrolled, weights[start : start + 3])
        for place, weight in enumerate(weights[start : start + 3], 1):
            added = [copy.grad for copy in copies(weight, output)]
            if all(abs(term) < 10**6 for term in [*added, weight.grad]):
                assert terms(ledger(figure, place)) == added
                assert ledger(figure, place)[-1] == f"grad\n= {number(weight.grad)}"


def test_of_many_steps_those_in_the_middle_share_a_card() -> None:
    rnn = RNN([[0], [1], [1]], "linear", names=[["b"], ["w"], ["v"]])
    run = rnn.unroll(bits("10110" * 4))
    output = run.q[0] * 2
    output.backward()
    b, w, v = rnn.parameters()
    figure = cards(output, run, [b, w, v])
    drawn = re.findall(r"\t(\w+) \[label=<<TABLE[^\[]*</TABLE>> class=card", figure.dot)
    assert drawn == [
        *["step_1", "step_2", "step_3", "step_4", "more", "step_18", "step_19", "step_20"]
    ]
    assert table(figure, "more")[0] == ["… 13 more steps …"]
    assert rows(figure, "more") == [
        ["13 copies of b", "", "26"],
        ["13 copies of w", "", f"{2 * sum(q.q[0].data for q in run.steps[3:16]):.0f}"],
        ["13 copies of v", "", "14"],
    ]
    for place, weight in enumerate((b, w, v), 1):
        fields = ledger(figure, place)
        assert len(fields) == 10
        assert fields[5].startswith(f"from {weight.name}⁽⁵⁾ … {weight.name}⁽¹⁷⁾\n+ ")
        assert sum(terms(fields)) == weight.grad
        assert fields[-1] == f"grad\n= {weight.grad:.0f}"
    assert ("step_4", "more", "π⃜ = 3") in arrows(figure, "state")
    assert ("more", "step_18", "π⁽¹⁷⁾ = 10") in arrows(figure, "state")


def test_several_states_have_a_row_each_and_go_on_as_a_vector() -> None:
    weights = [[1, 2], [1, 0], [1, 1], [1, -1]]
    rnn = RNN(weights, "relu", names=[["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]])
    run = rnn.unroll(bits("11"))
    output = run.q[0] + run.q[1]
    output.backward()
    figure = cards(output, run, [rnn.weights[2][0]])
    assert rows(figure, "step_2") == [
        ["ë", "1", "1"],
        ["× q̇₂", "1", "1"],
        ["π̈₁ → q̈₁", "5", "1"],
        ["π̈₂ → q̈₂", "2", "1"],
    ]
    assert arrows(figure, "state") == [
        ("start", "step_1", "Q = [0 0]"),
        ("step_1", "step_2", "Q̇ = [2 1]"),
    ]
    assert arrows(figure, "output") == [("step_2", "output", "Q̈ = [5 2]")]
    assert arrows(figure, "back")[1] == ("step_2", "step_1", "∂L/∂Q̇ = [1 2]")
    assert table(figure, "start") == [["Q"], ["data", "[0 0]"], ["grad", "[1 3]"]]
    # The second state of the last step is not on the way to the first.
    first = run.q[0] * 1
    first.backward()
    assert rows(cards(first, run, [rnn.weights[2][0]]), "step_2")[2:] == [["π̈₁ → q̈₁", "5", "1"]]


def test_wide_networks_are_shortened() -> None:
    rnn = RNN.random(20, 1, seed=1)
    run = rnn.unroll(bits("1"))
    output = sum(run.q, Value(0, "zero"))
    output.backward()
    figure = cards(output, run, rnn.parameters()[:1])
    assert [row[0] for row in rows(figure, "step_1")] == [
        *["ẇ₁", *[f"π̇{i} → q̇{i}" for i in "₁₂₃₄₅₆"], "… 13 more …", "π̇₂₀ → q̇₂₀"]
    ]
    assert table(figure, "start")[1] == ["data", "[0 0 0 0 …]"]


def test_what_the_output_reads_of_earlier_steps_runs_under_the_cards() -> None:
    rnn = RNN([[2], [1]], "linear", bias=False)
    run = rnn.unroll(bits("111"))
    w = rnn.parameters()[0]
    output = run.pi[0] + run.steps[0].pi[0] + w * w
    output.backward()
    figure = cards(output, run, [w])
    assert [(tail, head) for tail, head, _ in arrows(figure, "output")] == [
        *[("step_3", "output"), ("step_1", "output")]
    ]
    assert ("output", "step_1", "") in arrows(figure, "back")
    # π⃛ adds 0 + 1·2 + 3·1 = 5, w·w adds 4.
    assert ledger(figure)[-1] == "+ 4 outside the steps, grad\n= 9"
    assert sum(terms(ledger(figure))) + 4 == w.grad


def test_a_weight_that_is_used_twice_in_a_step_has_two_rows_and_one_term() -> None:
    w = Value(2, "w")
    run = RNN([[w], [w]], "linear", bias=False).unroll(bits("11"))
    output = run.pi[0] * 1
    output.backward()
    figure = cards(output, run, [w])
    assert rows(figure, "step_2") == [
        ["w⃛", "2", "2"],
        ["× π̇", "4", "1"],
        ["+ w⃜", "2", "1"],
        ["× ẍ", "2", "1"],
        ["= π̈", "6", "1"],
    ]
    assert ledger(figure)[1:] == ["from ẇ … ẅ\n+ 2", "from w⃛ … w⃜\n+ 3", "grad\n= 5"]


def test_no_gradient_runs_back_into_a_constant_state() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)
    with no_grad():
        state = rnn.unroll(bits("1")).q
    run = rnn.unroll(bits("1"), state=state)
    output = run.q[0] * 2
    output.backward()
    figure = cards(output, run, rnn.parameters()[:1])
    assert [head for _, head, _ in arrows(figure, "back")] == ["step_1", "w1"]
    assert table(figure, "start")[2] == ["grad", "–"]


def test_refusals() -> None:
    loss, run, (w1, w2) = exercise()
    with pytest.raises(ValueError, match=r"room for 1 to 3 weights, not for 4: .* focus="):
        cards(loss, run, [w1, w2, w1, w2])
    with pytest.raises(ValueError, match=r"output does not depend on focus \(Value\(3\.0"):
        cards(loss, run, [Value(3, "w")])
    with pytest.raises(ValueError, match="output depends on no step of run"):
        cards(w1 * w1, run, [w1])


# --- DOT and SVG --------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("steps", ["1", "101", "10110" * 4])
def test_the_svg_has_all_ids_and_no_boxes_that_overlap(steps: str, theme: Any) -> None:
    loss, run, weights = exercise(steps)
    figure = draw_cards(loss, run, weights, theme, title="<L> & \\N")
    ids = re.findall(r"\bid=(\S+)", figure.dot)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", id) for id in ids)
    assert set(figure.titles) == {"autograd_rnn", *[id for id in ids if not re.match("e[0-9]", id)]}
    assert max(map(len, figure.dot.split("\n"))) < 16_384
    svg = render(figure.dot, "svg").decode()
    root = ElementTree.fromstring(svg)
    assert set(ids) <= {group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g")}
    outlines = []
    for id in figure.titles.keys() - {"autograd_rnn"}:
        path = re.search(r'stroke="none" d="M([^"]+)"', svg[svg.index(f'<g id="{id}"') :])
        assert path is not None
        numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", path[1])]
        xs, ys = numbers[::2], numbers[1::2]
        outlines.append((min(xs), min(ys), max(xs), max(ys)))
    for index, (x0, y0, x1, y1) in enumerate(outlines):
        for u0, v0, u1, v1 in outlines[:index]:
            assert x1 + 8 < u0 or u1 + 8 < x0 or y1 + 8 < v0 or v1 + 8 < y0


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn(name: str) -> None:
    w = Value(2, name)
    run = RNN([[w], [1]], "relu", bias=False).unroll(bits("11"))
    loss = run.pi[0] * 1
    loss.name = name
    loss.backward()
    figure = draw_cards(loss, run, [w], LIGHT, title=name)
    root = ElementTree.fromstring(render(figure.dot, "svg"))
    shown = "".join(root.itertext()).replace("\xa0", " ")
    assert clean(name, 24).split("\n")[0].strip() in shown


def test_the_same_network_gives_the_same_dot_in_every_process() -> None:
    code = (
        "from tests.pictures.unrolled.test_cards import cards, exercise; "
        "figure = cards(*exercise()); "
        "print(figure.dot, sorted(figure.titles.items()), end='')"
    )
    figure = cards(*exercise())
    here = f"{figure.dot} {sorted(figure.titles.items())}"
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment, check=True
        )
        assert result.stdout.decode().replace("\r\n", "\n") == here


def truncated(bit_string: str, window: int) -> tuple[Value, Any, Value]:
    rnn = RNN([[2], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string), truncate=window)
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    return loss, run, rnn.weights[0][0]


def test_where_backpropagation_is_truncated_there_is_a_cut_and_no_arrow_back() -> None:
    loss, run, w1 = truncated("1011", 2)
    figure = cards(loss, run, [w1])
    back = [(tail, head) for tail, head, _ in arrows(figure, "back")]
    assert back[:4] == [
        *[("step_1", "start"), ("step_2", "step_1"), ("step_4", "step_3"), ("output", "step_4")]
    ]
    assert ("step_2", "step_3", "q̈ = 2") in arrows(figure, "state")
    assert terms(ledger(figure)) == [0, 0, -32, -40]
    assert figure.titles["cut_3"] == "no gradient goes back from step 3"
    assert re.findall(r"cut_\d+ -> cut_\d+", figure.dot) == ["cut_3 -> cut_3"] * 2
    (at,) = re.findall(r'id=cut_3 pos="([-\d.]+),', figure.dot)
    left, right = [re.findall(rf'id=step_{k} pos="([-\d.]+),', figure.dot)[0] for k in (2, 3)]
    assert float(at) == pytest.approx((float(left) + float(right)) / 2)
    svg = render(figure.dot, "svg").decode()
    assert svg.count("stroke-dasharray") >= 2 + len(back)
    # The cuts among the steps that share a card are told on it.
    loss, run, w1 = truncated("1" * 20, 6)
    figure = cards(loss, run, [w1])
    assert "… 13 more steps, 2 cuts …" in figure.dot
    assert re.findall(r"id=(cut_\d+)", figure.dot) == ["cut_19"]


def test_states_that_the_output_does_not_depend_on_are_shown() -> None:
    run = LSTM.random(1, 1).unroll([[1.0], [2.0]])
    drawing = draw(run.steps[0].i[0] * 1, run=run, detail="step")
    assert "unrolled over 1 step" in drawing.summary
