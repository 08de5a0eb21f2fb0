"""A network by its neurons: what stands in the pictures, and that it can be read."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

from autograd_rnn import (
    RNN,
    Unrolled,
    bits,
    counter,
    draw_cell,
    draw_network,
    draw_weights,
    one_hot,
)
from autograd_rnn.graph.notation import number
from autograd_rnn.pictures.canvas import LINE_HEIGHT
from autograd_rnn.pictures.drawing import Drawing
from autograd_rnn.pictures.html_labels import clean
from autograd_rnn.pictures.theme import DARK, LIGHT, THEMES, Theme, dark_style

from .exercise import NAMES, contrast, texts

LECTURE = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
NUMBERS = [x / 20 for x in range(-20, 21)]
# A row of states, and one of weights, from -1 to 1.
LADDER = RNN([NUMBERS, *[[0.0] * 41] * 41], activation="linear")
ODD = RNN([[float("nan"), 1e12], [-2, 3], [float("-inf"), 0], [0.5, -1e-9]], activation="linear")

FIGURES: dict[str, Callable[[str], Drawing]] = {
    "cell of the lecture": lambda theme: draw_cell(LECTURE, theme=theme),
    "cell of the counter": lambda theme: draw_cell(counter(), theme=theme),
    "cell of many weights": lambda theme: draw_cell(RNN.random(4, 3), theme=theme),
    "cell of one state": lambda theme: draw_cell(RNN.random(1, 0), theme=theme),
    "network of the lecture": lambda theme: draw_network(LECTURE.unroll(bits("101")), theme=theme),
    "network of the counter": lambda theme: draw_network(counting("AGGTG"), theme=theme),
    "long network": lambda theme: draw_network(counting("AGGTG" * 4), theme=theme),
    "network of no steps": lambda theme: draw_network(counting(""), theme=theme),
    "network of odd numbers": lambda theme: draw_network(ODD.unroll([[1], [-2.5]]), theme=theme),
    "ladder of states": lambda theme: draw_network(LADDER.unroll([[]]), theme=theme),
    "network with many inputs": lambda theme: draw_network(
        RNN.random(2, 9).unroll([[0.5] * 9, [0.0] * 8 + [1.0]], [1, -1]), theme=theme
    ),
    "weights of the counter": lambda theme: draw_weights(counter(), inputs="ACGT", theme=theme),
    "weights of the lecture": lambda theme: draw_weights(LECTURE, theme=theme),
    "ladder of weights": lambda theme: draw_weights(LADDER, theme=theme),
    "odd weights": lambda theme: draw_weights(ODD, theme=theme),
}
every_figure = pytest.mark.parametrize("make", FIGURES.values(), ids=list(FIGURES))


def counting(sequence: str) -> Unrolled:
    return counter().unroll(one_hot(sequence))


def nodes(figure: Drawing) -> dict[str, str]:
    """The text of each node by its id, in the order of the picture."""
    found = re.findall(r"^\t*(\w+) \[(label=<.*?pos=[^]]*)\]", figure.dot, re.MULTILINE | re.DOTALL)
    return dict(found)


def edges(figure: Drawing) -> list[tuple[str, str, str]]:
    return re.findall(r"^\t*(\w+) -> (\w+) \[([^]]*)\]", figure.dot, re.MULTILINE)


def words(written: str) -> list[str]:
    return [text.strip() for text in re.findall("<FONT[^>]*>(.*?)</FONT>", written, re.DOTALL)]


def circles(figure: Drawing) -> dict[str, str]:
    """What is written in the circles."""
    return {id: words(node)[0] for id, node in nodes(figure).items() if "shape=circle" in node}


# --- all pictures -------------------------------------------------------------------------------


@every_figure
def test_ids_are_plain_and_titles_speak_of_what_is_there(make: Callable[[str], Drawing]) -> None:
    figure = make(LIGHT.name)
    ids = re.findall(r"\bid=(\S+?)[ \]]", figure.dot)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", id) for id in ids)
    assert set(figure.titles) <= {"autograd_rnn", *ids}
    assert figure.titles["autograd_rnn"] in figure.summary
    assert set(circles(figure)) <= set(figure.titles)


@every_figure
def test_the_svg_parses_and_turns_dark(make: Callable[[str], Drawing]) -> None:
    figure = make(LIGHT.name)
    svg = figure.svg()
    root = ElementTree.fromstring(svg)
    ids = {group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g")}
    assert set(figure.titles) - {"autograd_rnn"} <= ids
    for attribute, colour in re.findall('(fill|stroke)="(#[0-9a-f]{6}|white)"', svg):
        assert f'[{attribute}="{colour}"]' in dark_style()
    # What a dark screen makes of the light picture is the dark one.
    turned = dict(re.findall(r'\[fill="(#[0-9a-f]{6})"\]\{fill:(#[0-9a-f]{6})\}', dark_style()))
    dark = re.sub("#[0-9a-f]{6}", lambda colour: turned[colour[0]], figure.dot)
    assert dark == make(DARK.name).dot


def laid_over(colour: str, paper: str) -> str:
    """The colour that a tint, with its opacity in the last two digits, shows on paper."""
    part = int(colour[7:] or "ff", 16) / 255
    pairs = [(int(paper[i : i + 2], 16), int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(under + part * (over - under)):02x}" for under, over in pairs)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
@every_figure
def test_every_ink_can_be_read_on_its_fill(make: Callable[[str], Drawing], theme: Theme) -> None:
    for node in nodes(make(theme.name)).values():
        fills = re.findall(r'(?:fillcolor|BGCOLOR)="(#\w+)"', node) or [theme.paper]
        inks = re.findall('<FONT[^>]*COLOR="(#[0-9a-f]{6})">[^→⊣]', node)
        cells = re.findall('BGCOLOR="(#[0-9a-f]+)"><B><FONT[^>]*COLOR="(#[0-9a-f]{6})"', node)
        for fill, ink in cells or [(fills[0], ink) for ink in inks]:
            assert contrast(ink, laid_over(fill, theme.paper)) >= 4.5, (fill, ink)


def test_the_same_network_gives_the_same_dot_in_every_process() -> None:
    code = (
        "from autograd_rnn import *\n"
        "rnn = RNN.random(3, 4); run = rnn.unroll(one_hot('AGGTG'))\n"
        "figures = draw_cell(rnn), draw_network(run), draw_weights(rnn)\n"
        "print(*[figure.dot for figure in figures])"
    )
    made = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", code]
        made.add(subprocess.run(command, capture_output=True, env=environment, check=True).stdout)
    assert len(made) == 1
    assert b"cluster_5" in made.pop()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_shown(name: str) -> None:
    rnn = RNN([[1], [2]], activation="step", bias=False, names=[[name], ["w_2"]])
    for figure in (draw_cell(rnn, title=name), draw_weights(rnn, inputs=[name], title=name)):
        svg = figure.svg()
        ElementTree.fromstring(svg)
        wanted = clean(name, 24).replace("\n", "").strip()
        assert any(wanted in line for line in ["".join(texts(svg)), *texts(svg)])


# --- the cell -----------------------------------------------------------------------------------


def test_the_cell_of_the_lecture() -> None:
    figure = draw_cell(LECTURE)
    assert circles(figure) == {"m1": "×", "m2": "×", "s": "+"}
    shown = nodes(figure)
    assert words(shown["w1"]) == ["w₁", "4"]
    assert words(shown["w2"]) == ["w₂", "1"]
    assert [words(shown[id]) for id in ("q0", "x", "a", "q1", "pi")] == [
        *[["qₖ₋₁"], ["xₖ"], ["relu"], ["qₖ"], ["πₖ"]]
    ]
    assert {f"{tail} {head}" for tail, head, _ in edges(figure)} == {
        *["q0 m1", "w1 m1", "m1 s", "w2 m2", "x m2", "m2 s", "s a", "a q1"]
    }
    assert "πₖ = w₁·qₖ₋₁ + w₂·xₖ     qₖ = relu(πₖ)" in words(shown["heading"])
    assert figure.titles["w1"] == "w₁: data 4.0"
    gold = LIGHT.styles["parameter"]
    assert all(f'COLOR="{gold.line}"' in shown[id] for id in ("w1", "w2"))


def test_a_layer_has_an_arrow_per_weight_other_than_0_and_a_number_where_they_are_few() -> None:
    figure = draw_cell(counter())
    assert list(circles(figure).values()) == [
        *["1", "Q₁", "Q₂", "Q₃", "X₁", "X₂", "X₃", "X₄"],
        *["π₁", "Q₁", "π₂", "Q₂", "π₃", "Q₃"],
    ]
    weights = [w.data for w in counter().parameters() if w.data]
    assert len(edges(figure)) == len(weights) + 6
    shown = [words(node)[0] for id, node in nodes(figure).items() if re.match(r"n\d", id)]
    assert sorted(shown) == sorted(number(w) for w in weights)
    assert figure.titles["e3"] == "weight from Q₁ to π₁: 1.0"
    many = draw_cell(RNN.random(4, 3))
    assert len(edges(many)) == 8 * 4 + 8
    assert not any(re.match(r"n\d", id) for id in nodes(many))
    assert "π⁽ᵏ⁾ = Wᵀ [1; Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾]     Q⁽ᵏ⁾ = tanh(π⁽ᵏ⁾)" in words(nodes(many)["heading"])


def test_signs_are_told_by_colour_and_head_and_sizes_by_width() -> None:
    rnn = RNN([[-1, 0.5], [2, 0]], bias=False)
    weights = [look for *_, look in edges(draw_cell(rnn)) if "arrowhead" in look]
    assert [re.findall(r"arrowhead=(\w+)", look)[0] for look in weights] == [
        *["tee", "normal", "normal"]
    ]
    assert [re.findall(r'color="(\S+)"', look)[0] for look in weights] == [
        *[LIGHT.negative, LIGHT.positive, LIGHT.positive]
    ]
    assert [re.findall(r"penwidth=(\S+)", look)[0] for look in weights] == ["2.00", "3.50", "1.25"]


# --- the network --------------------------------------------------------------------------------


def test_the_counter_counts() -> None:
    figure = draw_network(counting("AGGTG"))
    columns = [[circles(figure)[f"q{k}_{j}"] for j in range(3)] for k in range(6)]
    assert ["".join(column) for column in columns] == ["000", "000", "100", "110", "110", "111"]
    assert len(circles(figure)) == 18
    green = LIGHT.styles["state"].line
    for id, text in circles(figure).items():
        fill = re.findall('fillcolor="(.*?)"', nodes(figure)[id])
        assert fill == [green if text == "1" else LIGHT.paper]
    assert [words(nodes(figure)[f"x{k}"]) for k in (1, 2)] == [list("1000"), list("0010")]
    # Five weights between states at each step, and a row of three where there is a G.
    ends = [(tail, head) for tail, head, _ in edges(figure)]
    assert len(ends) == 5 * 5 + 3 * 3
    assert {tail for tail, _ in ends if tail.startswith("x")} == {"x2", "x3", "x5"}
    assert [words(nodes(figure)[f"o{j}"]) for j in range(3)] == [
        *[["offset 0"], ["offset −1"], ["offset −1"]]
    ]
    assert figure.titles["q3_1"] == "Q₂ after step 3: data 1.0, π 1.0"
    assert figure.titles["x2"] == "input of step 2: 0.0, 0.0, 1.0, 0.0"


@every_figure
def test_arrows_of_a_network_run_from_left_to_right(make: Callable[[str], Drawing]) -> None:
    for tail, head, looks in edges(make(LIGHT.name)):
        if re.match(r"[qxd]\d", head) and re.match(r"[qxd]\d", tail):
            tip, start = re.findall(r'pos="e,(\S+?),\S+ (\S+?),', looks)[0]
            assert float(start) < float(tip)


@pytest.mark.parametrize("steps", [12, 13, 40])
def test_long_runs_are_cut(steps: int) -> None:
    figure = draw_network(counting("G" * steps))
    shown = [int(k) for k in re.findall("subgraph cluster_([0-9]+)", figure.dot)]
    if steps == 12:
        assert shown == list(range(1, 13))
        assert "more steps" not in figure.dot
    else:
        assert shown == [1, 2, 3, 4, steps - 2, steps - 1, steps]
        assert words(nodes(figure)["more"]) == [f"… {steps - 7} more steps …"]
    assert f"unrolled over {steps} steps" in figure.summary


def test_where_backpropagation_is_truncated_there_is_a_cut() -> None:
    figure = draw_network(LECTURE.unroll(bits("10110"), truncate=2))
    cuts = {int(k): float(x) for k, x in re.findall(r'id=cut_(\d) pos="([-\d.]+),', figure.dot)}
    assert sorted(cuts) == [3, 5]
    for k, x in cuts.items():
        assert float(corner(figure, k - 1)[2]) < x < float(corner(figure, k)[0])
        assert figure.titles[f"cut_{k}"] == f"no gradient goes back from step {k}"
    long = draw_network(LECTURE.unroll(bits("1" * 20), truncate=6))
    assert re.findall(r"id=(cut_\d+)", long.dot) == ["cut_19"]
    assert words(nodes(long)["more"]) == ["… 13 more steps, 2 cuts …"]


def corner(figure: Drawing, step: int) -> list[str]:
    """The corners of the panel of a step."""
    (found,) = re.findall(rf'cluster_{step} \{{\s+graph \[bb="([^"]+)"', figure.dot)
    return found.split(",")


def test_odd_numbers_inputs_and_titles() -> None:
    figure = FIGURES["network of odd numbers"]("light")
    assert circles(figure)["q1_0"] == "nan"
    assert 'style="filled,dashed"' in nodes(figure)["q1_0"]
    assert 'style="filled,dashed"' not in nodes(figure)["q0_0"]
    many = FIGURES["network with many inputs"]("light")
    assert [words(nodes(many)[id]) for id in ("x1", "x2")] == [["9 numbers"], ["X₉ = 1"]]
    alone = draw_network(LECTURE.unroll(bits("1")), title="Mine")
    assert alone.summary == "Mine: 1 state, 1 input, relu"
    assert words(nodes(alone)["n0"]) == ["q"]


# --- the weights --------------------------------------------------------------------------------


def test_the_matrix_of_the_lecture() -> None:
    figure = draw_weights(counter(), inputs="ACGT")
    rows = nodes(figure)["weights"].split("</TR>")
    shown = [[text for text in words(row) if text] for row in rows]
    assert [row for row in shown if row] == [
        *[["new state"], ["Q₁", "Q₂", "Q₃"]],
        *[["offset", "1", "0", "−1", "−1"]],
        *[["state before", "Q₁", "1", "1", "0"], ["Q₂", "0", "2", "1"], ["Q₃", "0", "0", "2"]],
        *[["input", "A", "0", "0", "0"], ["C", "0", "0", "0"]],
        *[["G", "1", "1", "1"], ["T", "0", "0", "0"]],
    ]
    assert figure.titles["weights"].startswith("1: 0.0, -1.0, -1.0; Q₁: 1.0, 1.0, 0.0; ")


def test_colours_of_weights_are_symmetric_around_the_paper() -> None:
    fills = re.findall('BGCOLOR="(#[0-9a-f]+)"', nodes(draw_weights(LADDER))["weights"])
    ladder = fills[: len(NUMBERS)]
    assert ladder[20] == LIGHT.paper
    for below, above in zip(ladder[:20], reversed(ladder[21:]), strict=True):
        assert (below[:7], above[:7]) == (LIGHT.negative, LIGHT.positive)
        assert below[7:] == above[7:]
    assert [fill[7:] for fill in ladder[21:]] == sorted(fill[7:] for fill in ladder[21:])


def test_a_row_may_be_longer_than_graphviz_reads_at_once() -> None:
    rnn = RNN.random(100, 0)
    figure = draw_weights(rnn)
    assert max(map(len, figure.dot.splitlines())) < 1000
    shown = texts(figure.svg())
    assert shown.count(number(rnn.weights[-1][-1].data)) >= 1


def test_arrows_leave_the_one_of_a_one_hot_input() -> None:
    drawing = draw_network(counting("AGT"), inputs="ACGT")
    assert {"A", "C", "G", "T"}.issubset(texts(drawing.svg()))
    boxes = {
        k: (float(x), float(y))
        for k, x, y in re.findall(r'id=x(\d) pos="([-\d.]+),([-\d.]+)"', drawing.dot)
    }
    starts = re.findall(
        r'x(\d) -> q\d_\d \[[^\]]*pos="e,[-\d.]+,[-\d.]+ ([-\d.]+),([-\d.]+)', drawing.dot
    )
    assert {k for k, _, _ in starts} == {"2"}  # G alone adds something
    for k, x, y in starts:
        assert float(x) > boxes[k][0]
        assert float(y) == pytest.approx(boxes[k][1] - 0.5 * LINE_HEIGHT)  # the third of four


def test_the_fills_of_states_are_explained() -> None:
    read = " ".join(texts(draw_network(counting("AGT")).svg()))
    assert "greener the larger" in read
    assert "below 0" not in read
    assert "no arrow for 0" in read
    negative = RNN.random(2, 1, seed=1).unroll([[1.0]] * 3)
    assert "below 0" in " ".join(texts(draw_network(negative).svg()))


def test_names_of_inputs_are_checked() -> None:
    with pytest.raises(ValueError, match="inputs must name the 4 inputs of the RNN, not 2"):
        draw_network(counting("A"), inputs="AC")
    with pytest.raises(TypeError, match="inputs must be a str or a list of str"):
        draw_network(counting("A"), inputs=[1, 2, 3, 4])  # type: ignore[list-item]
