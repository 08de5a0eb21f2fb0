"""The page: its film against the sweep, its text, and what it refuses."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from autograd_rnn import (
    LSTM,
    RNN,
    Linear,
    Page,
    Stack,
    Steps,
    Unrolled,
    Value,
    bits,
    gradients,
    maximum,
    play,
)
from autograd_rnn.errors import FolderNotFound, GraphTooLarge
from autograd_rnn.graph.notation import number

from ...strategies import Pair, runs, whole_pairs


def exercise(**options: Any) -> Page:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    focus = rnn.parameters()[options.pop("weight")] if "weight" in options else None
    return play((15 - run.pi[0]) ** 2, run=run, focus=focus, **options)


def film(page: Page) -> Any:
    (text,) = re.findall('id="film">(.*?)</script>', page.html, re.DOTALL)
    return json.loads(text)


def said(page: Page, sweep: str) -> list[str]:
    return [step["say"] for step in film(page)["steps"] if step["sweep"] == sweep]


def test_the_exercise_is_told_step_by_step() -> None:
    page = exercise(weight=0)
    assert said(page, "Given") == ["The weights, the inputs and the states are given."]
    assert said(page, "Forward") == [
        "ẇ₁·q = 4·0 = 0",
        "π̇ = w₁·q + w₂·ẋ = 0 + 1 = 1",
        "q̇ = relu(π̇) = relu(1) = 1",
        "ẅ₁·q̇ = 4·1 = 4",
        "π̈ = w₁·q̇ + w₂·ẍ = 4 + 0 = 4",
        "q̈ = relu(π̈) = relu(4) = 4",
        "w⃛₁·q̈ = 4·4 = 16",
        "π⃛ = w₁·q̈ + w₂·x⃛ = 16 + 1 = 17",
        "15 − π⃛ = 15 − 17 = −2",
        "L = (−2)² = 4",
    ]
    assert said(page, "Backward") == [
        "Backward starts at the output: ∂L/∂L = 1.",
        "∂L/∂(15 − π⃛) = ∂L/∂L · 2(15 − π⃛) = 1·(−4) = −4",
        "∂L/∂π⃛ = ∂L/∂(15 − π⃛) · (−1) = (−4)·(−1) = 4",
        "∂L/∂(w⃛₁·q̈) = ∂L/∂π⃛ · 1 = 4·1 = 4",
        "copy w⃛₁ adds ∂L/∂(w⃛₁·q̈) · q̈ = 4·4 = 16, ∂L/∂w₁ so far 16",
        "∂L/∂q̈ = ∂L/∂(w⃛₁·q̈) · w⃛₁ = 4·4 = 16",
        "∂L/∂π̈ = ∂L/∂q̈ · relu′(π̈) = 16·1 = 16",
        "∂L/∂(ẅ₁·q̇) = ∂L/∂π̈ · 1 = 16·1 = 16",
        "copy ẅ₁ adds ∂L/∂(ẅ₁·q̇) · q̇ = 16·1 = 16, ∂L/∂w₁ so far 32",
        "∂L/∂q̇ = ∂L/∂(ẅ₁·q̇) · ẅ₁ = 16·4 = 64",
        "∂L/∂π̇ = ∂L/∂q̇ · relu′(π̇) = 64·1 = 64",
        "∂L/∂(ẇ₁·q) = ∂L/∂π̇ · 1 = 64·1 = 64",
        "copy ẇ₁ adds ∂L/∂(ẇ₁·q) · q = 64·0 = 0, ∂L/∂w₁ so far 32",
        "∂L/∂q = ∂L/∂(ẇ₁·q) · ẇ₁ = 64·4 = 256",
    ]


def test_the_sum_of_a_weight_fills_from_the_last_copy() -> None:
    boxes = {box["name"]: box for box in film(exercise(weight=0))["boxes"]}
    assert [text for _, text in boxes["w₁"]["grads"]] == [
        "· + · + 16",
        "· + 16 + 16",
        "0 + 16 + 16 = 32",
    ]
    both = {box["name"]: box for box in film(exercise())["boxes"]}
    assert [text for _, text in both["w₂"]["grads"]][-1] == "64 + 0 + 4 = 68"


def test_the_sum_of_a_weight_used_twice_by_one_node_and_with_minus_signs() -> None:
    x = Value(3, "x")
    for output, sums in [
        (x * x + 1, ["3 + ·", "3 + 3 = 6"]),
        ((1 - x) * x, ["· − 2", "−3 − 2 = −5"]),
    ]:
        boxes = {box["name"]: box for box in film(play(output, focus=x, max_nodes=0))["boxes"]}
        assert [text for _, text in boxes["x"]["grads"]] == sums


def test_several_uses_of_an_inner_node_are_summed_in_words() -> None:
    x = Value(3, "x")
    h = x * x
    h.name = "h"
    assert said(play(h * h + h), "Backward")[-4:] == [
        "h·h adds ∂(h·h + h)/∂(h·h) · h = 1·9 = 9, ∂(h·h + h)/∂h so far 10",
        "h·h adds ∂(h·h + h)/∂(h·h) · h = 1·9 = 9, ∂(h·h + h)/∂h so far 19",
        "∂(h·h + h)/∂x = ∂(h·h + h)/∂h · x = 19·3 = 57",
        "h adds ∂(h·h + h)/∂h · x = 19·3 = 57, ∂(h·h + h)/∂x so far 114",
    ]


@pytest.mark.parametrize(
    ("apply", "factors"),
    [
        (lambda x, y: x + y, ["1", "1"]),
        (lambda x, y: x - y, ["1", "(−1)"]),
        (lambda x, y: x * y, ["y", "x"]),
        (lambda x, y: x / y, ["(1 / y)", "(−f / y)"]),
        (lambda x, y: x**2, ["2·x"]),
        (lambda x, y: (15 - x) ** 2, ["2(15 − x)", "(−1)"]),
        (lambda x, y: x.exp(), ["f"]),
        (lambda x, y: y.log(), ["(1 / y)"]),
        (lambda x, y: x.cos(), ["(−sin(x))"]),
        (lambda x, y: x.tanh(), ["tanh′(x)"]),
        (lambda x, y: x.sigmoid(), ["σ′(x)"]),
        (lambda x, y: maximum(x, y), ["∂f/∂x", "∂f/∂y"]),
        (lambda x, y: x * x, ["x", "x"]),
    ],
)
def test_each_factor_is_named(apply: Callable[[Value, Value], Value], factors: list[str]) -> None:
    output = apply(Value(1.5, "x"), Value(0.5, "y"))
    output.name = "f"
    named = [
        re.split(" = | adds ", say)[1].partition(" · ")[2]
        for say in said(play(output, max_nodes=0), "Backward")[1:]
    ]
    assert named == factors


@pytest.mark.parametrize("loss", [lambda x: x.tanh() * x, lambda x: (x / (1 + x)).exp() - x])
def test_each_step_asks_for_the_number_that_it_tells(loss: Callable[[Value], Value]) -> None:
    output = loss(Value(0.5, "x"))
    for step in film(play(output))["steps"][1:]:
        question, _, hole = step["ask"].rpartition(" = ")
        assert hole == "?"
        assert step["say"].startswith(question.split(" = ")[0])
        assert f" = {number(float(step['answer']))}" in step["say"]
        assert not question.endswith(f" = {number(float(step['answer']))}")


def sweep_of(page: Page) -> dict[str, Any]:
    return {box["id"]: box for box in film(page)["boxes"] if box["adjoint"] is not None}


@settings(max_examples=25)
@given(whole_pairs())
def test_the_order_of_a_sweep_is_any_that_has_all_users_first(pair: Pair) -> None:
    output = pair.values[-1]
    page = play(output, max_nodes=0)
    boxes = sweep_of(page)
    done: list[str] = []
    while len(done) < len(boxes):
        ready = [id for id in boxes if id not in done and set(boxes[id]["users"]) <= set(done)]
        assert ready, "nothing can be chosen"
        done.append(ready[0])
    assert not done or boxes[done[0]]["adjoint"] == "1.0"
    order = [step["node"] for step in film(page)["steps"] if step["sweep"] == "Backward"]
    assert set(order) <= set(done)


def test_a_weight_comes_after_its_copies_in_the_sweep() -> None:
    boxes = sweep_of(exercise())
    named = {box["name"]: box for box in boxes.values()}
    assert [boxes[id]["name"] for id in named["w₁"]["users"]] == ["ẇ₁", "ẅ₁", "w⃛₁"]
    assert named["w₁"]["adjoint"] == "32.0"
    assert len(named["ẅ₁"]["users"]) == 1


def test_the_static_page_gives_no_result_away() -> None:
    html = exercise().html
    head = html[: html.index("<svg")]
    assert "<title>L: forward, then backward</title>" in head
    assert "<tbody></tbody>" in html[html.index('data-part="where"') :]


def test_the_arrows_have_heads_for_the_way_back() -> None:
    root = ElementTree.fromstring(re.findall(r"<svg.*?</svg>", exercise().html, re.DOTALL)[0])
    svg = "{http://www.w3.org/2000/svg}"
    edges = {group.get("id"): group for group in root.iter(f"{svg}g") if group.get("id")}
    arrow = edges["e8"]  # from the product ẇ₂·ẋ up to π̇
    (back,) = arrow.findall("*[@class='back']")
    tip, *base = [
        tuple(map(float, pair.split(",")))
        for pair in back.find(f"{svg}polygon").get("points").split()  # type: ignore[union-attr]
    ]
    assert tip == pytest.approx((302.26, -421.75), abs=1)
    assert all(y < tip[1] for _, y in base)
    cut = [group for group in edges.values() if "cut" in group.get("class", "")]
    assert cut
    assert not [group for group in cut if group.findall("*[@class='back']")]


def test_long_runs_and_lstms_are_cards_by_step_with_a_ledger() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101101101011"))
    page = play((15 - run.pi[0]) ** 2, run=run)
    assert film(page)["cards"] is True
    assert page.html.count('<section class="step">') == 12
    (ledger,) = re.findall('<table class="ledger">.*?</table>', page.html, re.DOTALL)
    assert ledger.count("<tr>") == 2
    assert ledger.count("card copy") == 24
    lstm = LSTM.random(2, 1, seed=0)
    run = lstm.unroll([[1], [0], [1]])
    weight = lstm.parameters()[0]
    for focus in (None, weight):
        page = play((run.q[0] - 1) ** 2, run=run, focus=focus)
        assert page.html.count('<section class="step">') == 3
        assert "card copy" in page.html


def test_the_copies_of_several_states_are_apart() -> None:
    rnn = RNN.random(2, 1, seed=0)
    run = rnn.unroll([[1], [0], [1]])
    page = play((run.q[0] - 1) ** 2 + run.q[1] ** 2, run=run)
    assert "<svg" in page.html
    uses = [arrow for arrow in film(page)["arrows"] if arrow["role"] == "fan"]
    assert len(uses) == 3 * 8
    assert [arrow for arrow in uses if arrow["chip"] is not None]


def test_every_arrow_of_the_film_is_on_the_stage_of_two_layers() -> None:
    """Where copies of a weight stand in different rows, no line joins them."""
    run = Stack([RNN.random(2, 1, seed=0), Linear.random(2, 1, seed=1)]).unroll([[0], [1], [0]])
    page = play(sum([step.q[0] ** 2 for step in run.steps], Value(0)), run=run)
    stage = page.html[page.html.index("<svg") : page.html.index("</svg>")]
    for thing in film(page)["arrows"] + film(page)["boxes"]:
        assert f'<g id="{thing["id"]}"' in stage


def test_a_loop_of_ones_own_is_played_by_step() -> None:
    w, q, steps = Value(0.5, "w"), Value(0, "q"), Steps()
    for k, x in enumerate((1.0, -0.5, 0.25), 1):
        with steps.step(k):
            q = (w * q + x).tanh()
    page = play(q, focus=w, run=steps)
    assert {box["step"] for box in film(page)["boxes"]} == {None, 1, 2, 3}
    assert "copy ẇ adds ∂q⃛/∂(ẇ·q) · q" in " ".join(said(page, "Backward"))


@settings(max_examples=25)
@given(runs())
def test_the_film_ends_at_the_gradients(run: tuple[RNN, Unrolled]) -> None:
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0)) * 3
    weight = rnn.parameters()[0]
    if not gradients(output, [weight])[0]:
        return
    content = film(play(output, run=unrolled, focus=weight, max_nodes=0))
    last = {box["id"]: box["grads"][-1][1] for box in content["boxes"] if box["grads"]}
    total = number(gradients(output, [weight])[0])
    assert re.split("[=≈] ", last[content["boxes"][0]["id"]])[-1] == total
    assert output.grad == weight.grad == 0


@settings(max_examples=25)
@given(whole_pairs())
def test_the_film_is_about_what_is_on_the_stage(pair: Pair) -> None:
    output = pair.values[-1]
    page = play(output)
    content = film(page)
    assert json.loads(json.dumps(page.film)) == content
    assert page.svg in page.html
    ids = set(re.findall(r'<g id="(\w+)"', page.svg))
    assert {box["id"] for box in content["boxes"]} <= ids
    assert {arrow["id"] for arrow in content["arrows"]} <= ids
    for place, step in enumerate(content["steps"]):
        assert step["node"] in ids or (step["node"] is None and place == 0)
        assert set(step["live"]) <= ids


def test_the_stage_is_svg_with_marks_for_what_appears() -> None:
    page = exercise()
    (svg,) = re.findall(r"<svg.*?</svg>", page.html, re.DOTALL)
    root = ElementTree.fromstring(svg)
    assert "width" not in root.attrib
    assert root.get("viewBox")
    grads = root.findall(".//*[@class='grad']")
    shown = [(element.text or "").strip() for element in grads]
    assert {"0 + 16 + 16 = 32", "64 + 0 + 4 = 68", "256"} <= set(shown)
    chips = root.findall(".//*[@class='chip']")
    assert ["".join(chip.itertext()).strip() for chip in chips] == [
        *["+ 0", "+ 16", "+ 16", "+ 64", "+ 0", "+ 4"]
    ]


def test_the_page_needs_nothing_from_outside() -> None:
    html = exercise().html
    addresses = set(re.findall(r"""https?://[^\s"'<)]+""", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"""(src|href)=["'](?!#)""", html)
    assert "{{" not in html


def test_the_0_that_a_sum_starts_from_is_not_told() -> None:
    rnn = RNN.random(1, 1, seed=1)
    run = rnn.unroll([[1], [0], [1]])
    total = sum([(1 - step.q[0]) ** 2 for step in run.steps])
    page = play(total, run=run)
    told = [step["say"] for step in page.film["steps"]]
    assert [words.split(" = ")[0] for words in told if words.startswith("(1")] == [
        *["(1 − q̇)²", "(1 − q̈)²", "(1 − q̇)² + (1 − q̈)²", "(1 − q⃛)²"]
    ]
    assert not [words for words in [*told, page.svg] if re.search(r"\b0 \+ [^\d−]", words)]
    alone = said(play(sum([Value(3, "x") * 2])), "Forward")
    assert alone == ["x·2 = 3·2 = 6", "x·2 = 6"]


def test_what_comes_by_a_sum_with_0_and_besides_it_is_added_up() -> None:
    x = Value(2, "x")
    y = x * 3
    z = 0 + (0 + y)
    out = z * z + y
    page = play(out)
    (box,) = [box for box in page.film["boxes"] if box["name"] == "x·3"]
    assert box["adjoint"] == repr(gradients(out, [y])[0])
    assert [reads for _, reads in box["grads"]] == ["1", "7", "13"]


def test_a_large_graph_has_cards_instead_of_a_picture() -> None:
    x = Value(0.5, "x")
    y = x
    for _ in range(500):
        y = (y * x).tanh()
    page = play(y)
    assert "<svg" not in page.html
    assert page.html.count('class="node card') == 1001
    assert page.steps == 1 + 1000 + 1 + 1500
    assert film(page)["cards"] is True


def test_an_lstm_step_can_be_played() -> None:
    x, h, c = Value(1, "x"), Value(0.5, "h"), Value(-0.5, "c")
    gates = [(Value(0.1 * k, f"u_{k}") * x + Value(0.2 * k, f"v_{k}") * h) for k in range(1, 5)]
    i, f, o, g = [gate.sigmoid() for gate in gates[:3]] + [gates[3].tanh()]
    c = f * c + i * g
    page = play(o * c.tanh())
    assert "<svg" in page.html
    assert len(said(page, "Forward")) == 21


def test_hostile_names_stay_names() -> None:
    x = Value(1, '</script><img src=x onerror="alert(1)">&\\N{{film}}')
    page = play(x * x + 1)
    assert "<img" not in page.html
    assert page.html.count("</script>") == 2
    assert x.name is not None
    assert x.name in unescape(page.html)


def test_a_constant_and_a_leaf() -> None:
    x = Value(2, "x")
    assert said(play(x), "Backward") == ["Backward starts at the output: ∂x/∂x = 1."]
    assert said(play((x * 2).parents[1]), "Backward") == []


def test_saving_and_showing(tmp_path: Path) -> None:
    page = exercise(title="An <exercise>")
    assert page.save(tmp_path / "page.html").read_text("utf-8") == page.html
    assert "<title>An &lt;exercise&gt;</title>" in page.html
    assert repr(page) == "<Page: 34 steps>"
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    (inside,) = re.findall('srcdoc="(.*?)" style', shown, re.DOTALL)
    assert unescape(inside) == page.html
    with pytest.raises(FolderNotFound):
        page.save(tmp_path / "missing" / "page.html")


def test_the_same_graph_gives_the_same_page() -> None:
    assert exercise().html == exercise().html


def test_refusals() -> None:
    x = Value(1)
    with pytest.raises(TypeError, match=r"output must be a node of a graph, .* not int"):
        play(3)
    with pytest.raises(TypeError, match=r"focus must be a node of a graph, .* not str"):
        play(x * x, focus="x")
    with pytest.raises(TypeError, match=r"run must be an unrolled network, such as .*, not list"):
        play(x * x, run=[])
    with pytest.raises(TypeError, match=r"title must be a str or None, not int"):
        play(x * x, title=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"max_nodes must be 0 or more, not -1"):
        play(x * x, max_nodes=-1)
    with pytest.raises(ValueError, match=r"output does not depend on focus"):
        play(x * x, focus=Value(2))
    y = x
    for _ in range(20_000):
        y = y + x
    with pytest.raises(GraphTooLarge, match=r"more than 20,000 nodes, .*: play a run of fewer"):
        play(y)
