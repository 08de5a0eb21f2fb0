"""The picture: its record, its DOT text, and what the renderer makes of it."""

import builtins
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import RNN, Drawing, Value, bits, copies, draw, one_hot
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import (
    FolderNotFound,
    FormatError,
    GraphTooLarge,
    RendererNotFound,
    RenderError,
)
from autograd_rnn.pictures.canvas import Figure
from autograd_rnn.pictures.html_labels import box_size, clean, entities, html
from autograd_rnn.pictures.layout import text_width
from autograd_rnn.pictures.render import FORMATS, render
from autograd_rnn.pictures.theme import DARK, LIGHT, THEMES, Theme, dark_style

from ..strategies import Pair, pairs, runs

EXERCISE = """
from autograd_rnn import RNN, bits, draw
rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
run = rnn.unroll(bits("101"))
loss = (15 - run.pi[0]) ** 2
loss.backward()
"""


def exercise(bit_string: str = "101", weight: int = 0, backward: bool = True) -> Drawing:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (15 - run.pi[0]) ** 2
    if backward:
        loss.backward()
    return draw(loss, focus=rnn.parameters()[weight], run=run)


def boxes(drawing: Drawing, role: str) -> list[tuple[str, str, str | None]]:
    return [(b.name, b.data, b.grad) for b in drawing.picture.boxes if b.role == role]


def texts(svg: str) -> list[str]:
    """The lines of text that an SVG shows; Graphviz writes runs of spaces with no-break spaces."""
    lines = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(line.itertext()).replace("\xa0", " ").strip() for line in lines]


# --- the record ---------------------------------------------------------------------------------


def test_the_exercise() -> None:
    drawing = exercise()
    assert boxes(drawing, "parameter") == [("w₁", "4", "0 + 16 + 16 = 32")]
    assert boxes(drawing, "copy") == [("ẇ₁", "4", "0"), ("ẅ₁", "4", "16"), ("w⃛₁", "4", "16")]
    assert boxes(drawing, "state") == [("q", "0", "256"), ("q̇", "1", "64"), ("q̈", "4", "16")]
    assert boxes(drawing, "constant") == [
        *[("w₂·ẋ", "1", None), ("w₂·ẍ", "0", None), ("w₂·x⃛", "1", None)]
    ]
    assert boxes(drawing, "output") == [("L", "4", "1")]
    assert boxes(drawing, "plain") == [
        *[("ẇ₁·q", "0", "64"), ("π̇", "1", "64"), ("ẅ₁·q̇", "4", "16"), ("π̈", "4", "16")],
        *[("w⃛₁·q̈", "16", "4"), ("π⃛", "17", "4"), ("15 − π⃛", "−2", "−4")],
    ]
    chips = [arrow.chip for arrow in drawing.picture.arrows if arrow.role == "fan"]
    assert chips == ["+ 0", "+ 16", "+ 16"]
    assert drawing.picture.title == "The copies of w₁ separate it from the output"
    assert drawing.picture.subtitle.split("     ") == [
        *["q̈ = relu(π̈)", "π⃛ = w₁·q̈ + w₂·x⃛", "L = (15 − π⃛)²"]
    ]
    assert list(drawing.picture.panels.values()) == [
        *["step 1   ẋ = 1", "step 2   ẍ = 0", "step 3   x⃛ = 1"]
    ]
    assert repr(drawing) == "<Drawing: L = 4, 18 boxes, 3 copies of w₁>"


def test_the_other_weight() -> None:
    drawing = exercise(weight=1)
    assert boxes(drawing, "parameter") == [("w₂", "1", "64 + 0 + 4 = 68")]
    assert [box.name for box in drawing.picture.boxes if box.role == "constant"] == [
        *["ẋ", "w₁·q", "w₁", "ẍ", "w₁", "x⃛"]
    ]


def test_before_any_backward_the_gradients_are_not_there() -> None:
    drawing = exercise(backward=False)
    assert {box.grad for box in drawing.picture.boxes} == {"–", None}
    assert all(arrow.chip is None for arrow in drawing.picture.arrows)


def test_a_second_backward_changes_nothing() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    once = draw(loss, focus=rnn.parameters()[0], run=run).dot
    loss.backward(3)
    assert draw(loss, focus=rnn.parameters()[0], run=run).dot == once
    assert rnn.parameters()[0].grad == 128


def test_the_dashed_line_runs_through_exactly_the_copies() -> None:
    arrows = exercise().picture.arrows
    cut = [(arrow.tail, arrow.head) for arrow in arrows if arrow.role == "cut"]
    assert cut == [("c1", "c2"), ("c2", "c3")]
    fan = [(arrow.tail, arrow.head) for arrow in arrows if arrow.role == "fan"]
    assert fan == [("p1", "c1"), ("p1", "c2"), ("p1", "c3")]


def reaches(arrows: list[tuple[str, str]], source: str, target: str) -> bool:
    found = {source}
    for _ in arrows:
        found |= {head for tail, head in arrows if tail in found}
    return target in found


@settings(max_examples=40)
@given(runs())
def test_the_drawn_copies_separate_and_the_chips_add_up(run) -> None:  # type: ignore[no-untyped-def]
    rnn, unrolled = run
    output = sum(unrolled.q, Value(0, "zero")) * 2
    output.backward()
    for weight in rnn.parameters():
        if not unrolled.steps:
            with pytest.raises(ValueError, match="output does not depend on focus"):
                draw(output, focus=weight, run=unrolled)
            continue
        drawing = draw(output, focus=weight, run=unrolled, detail="scalar", max_nodes=3000)
        (result,) = [box.id for box in drawing.picture.boxes if box.role == "output"]
        forward = [(a.tail, a.head) for a in drawing.picture.arrows if a.role != "cut"]
        copied = {box.id for box in drawing.picture.boxes if box.role == "copy"}
        assert reaches(forward, "p1", result)
        around = [(tail, head) for tail, head in forward if copied.isdisjoint((tail, head))]
        assert not reaches(around, "p1", result)
        terms = [copy.grad for copy in copies(weight, output)]
        assert len(terms) == len(copied)
        if all(abs(term) < 10**6 for term in [*terms, sum(terms)]):
            shown = [box.grad for box in drawing.picture.boxes if box.role == "copy"]
            assert sum(int(grad.replace("−", "-")) for grad in shown) == weight.grad


def test_a_graph_without_a_network() -> None:
    a, b = Value(2, "a"), Value(3, "b")
    y = (a * b + 10).tanh() * a
    drawing = draw(y)
    assert [box.name for box in drawing.picture.boxes] == [
        *["a", "b", "a·b", "a·b + 10", "tanh(a·b + 10)", "tanh(a·b + 10)·a"]
    ]
    assert [box.badge for box in drawing.picture.boxes] == [None, None, "×", "+", "tanh", "×"]
    assert drawing.picture.title == "How tanh(a·b + 10)·a is computed"
    focused = draw(y, focus=a)
    assert [box.name for box in focused.picture.boxes if box.role == "constant"] == ["b"]
    assert [box.name for box in focused.picture.boxes if box.role == "copy"] == ["ȧ", "ä"]
    assert draw(a).picture.boxes[0].name == "a"
    assert draw(constant(2.0)).picture.boxes[0].name == "2"


def test_a_result_with_a_name_shows_its_plain_numbers_in_the_badge() -> None:
    x = Value(3, "x")
    y = 15 - x
    y.name = "y"
    z = (y / 4) ** 2
    z.name = "z"
    badges = {box.name: box.badge for box in draw(z).picture.boxes}
    assert badges == {"x": None, "y": "15 − ( )", "y / 4": "÷", "z": "( )²"}


def test_long_expressions_and_long_sums_are_shortened() -> None:
    w = Value(1, "weight")
    y = w
    for _ in range(8):
        y = y * 2 + w
    y.backward()
    drawing = draw(y, focus=w)
    names = [box.name for box in drawing.picture.boxes]
    assert any(re.fullmatch("v[₀-₉]+", name) for name in names)
    (total,) = [box.grad for box in drawing.picture.boxes if box.role == "parameter"]
    assert total == "256 + 128 + … + 2 + 1 = 511"
    assert next(box.name for box in drawing.picture.boxes if box.role == "copy") == "weight⁽¹⁾"


@settings(max_examples=50)
@given(pairs())
def test_any_graph_can_be_drawn(pair: Pair) -> None:
    output = pair.values[-1]
    output.backward()
    for focus in [None, *pair.values[: pair.leaves]]:
        if focus is None or (not focus.constant and copies(focus, output)):
            drawing = draw(output, focus=focus)
            ids = [box.id for box in drawing.picture.boxes]
            assert len(set(ids)) == len(ids)
            ends = {end for a in drawing.picture.arrows for end in (a.tail, a.head)}
            assert ends <= set(ids)


def test_refusals() -> None:
    x, other = Value(1), Value(2, "other")
    with pytest.raises(TypeError, match="output must be a Value, not int"):
        draw(3)
    with pytest.raises(TypeError, match="focus must be a Value, not str"):
        draw(x * x, focus="w")
    with pytest.raises(TypeError, match="run must be what unroll returned, not int"):
        draw(x * x, run=3)
    with pytest.raises(ValueError, match=r"output does not depend on focus \(Value\(2\.0"):
        draw(x * x, focus=other)
    y = x
    for _ in range(400):
        y = y + 1
    with pytest.raises(GraphTooLarge, match=r"401 boxes, more than 300: .*focus=.*max_nodes="):
        draw(y)
    assert len(draw(y, max_nodes=401).picture.boxes) == 401


# --- layout -------------------------------------------------------------------------------------


def corners(dot: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'id=(\w+) pos="([-\d.]+),([-\d.]+)"', dot)
    return {id: (float(x), float(y)) for id, x, y in found}


@pytest.mark.parametrize("weight", [0, 1])
@pytest.mark.parametrize("bit_string", ["1", "10", "101", "10110"])
def test_equal_things_stand_at_equal_places(bit_string: str, weight: int) -> None:
    drawing = exercise(bit_string, weight)
    at = corners(drawing.dot)
    assert set(at) == {box.id for box in drawing.picture.boxes}
    copied = [at[box.id] for box in drawing.picture.boxes if box.role == "copy"]
    assert len({y for _, y in copied}) == 1
    gaps = {round(b[0] - a[0]) for a, b in pairwise(copied)}
    assert len(gaps) <= 1
    assert at["p1"][0] == pytest.approx((copied[0][0] + copied[-1][0]) / 2)
    outlines = []
    for box in drawing.picture.boxes:
        width, height = box_size(box)
        x, y = at[box.id]
        outlines.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    for index, (x0, y0, x1, y1) in enumerate(outlines):
        for u0, v0, u1, v1 in outlines[:index]:
            assert x1 + 8 < u0 or u1 + 8 < x0 or y1 + 8 < v0 or v1 + 8 < y0


def test_boxes_have_the_size_that_the_layout_reckons_with() -> None:
    svg = exercise().svg()
    for box in exercise().picture.boxes:
        outline = svg[svg.index(f'<g id="{box.id}"') :]
        path = re.search(r'stroke="none" d="M([^"]+)"', outline)
        assert path is not None
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path[1])]
        xs, ys = numbers[::2], numbers[1::2]
        width, height = box_size(box)
        border = LIGHT.styles[box.role].border
        assert max(xs) - min(xs) == pytest.approx(width, abs=border + 0.1)
        assert max(ys) - min(ys) == pytest.approx(height, abs=border + 0.1)


def test_a_network_of_several_states_is_left_to_dot() -> None:
    rnn = RNN.random(2, 2, seed=1)
    run = rnn.unroll(one_hot("AB", "AB"))
    assert "layout=nop2" not in draw(run.q[0], focus=rnn.parameters()[2], run=run).dot
    assert "layout=nop2" in exercise().dot


def test_text_widths_are_not_less_than_those_of_the_font() -> None:
    # DejaVu Sans, units of a thousandth of its size.
    for text, width in [("0123456789", 6360), ("data", 2230), ("w₁", 1213), ("15 − π", 2810)]:
        assert width / 1000 <= text_width(text, 1) <= 1.35 * width / 1000
    assert text_width("w\u0307", 10) == text_width("w", 10)


# --- DOT and escaping ---------------------------------------------------------------------------


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


HOSTILE = [
    *['"', "\\", "<", ">", "&", "'", "\\N", "\\G", "\\L", "\\E", "\\T", "\\H", "\\l", "\\r", "\\n"],
    *["ends in \\", "&amp;", "&#8342;", "</TD>", "</TABLE>>", "<script>alert(1)</script>", "\x00"],
    *["\x01", "\x1f", "\x7f", "\x85", "\ud800", "\ufffe", "a\r\nb", "a\nb", "a\tb", "🧬", "{a|b}"],
    *["/* c */", "// c", "#", "-->", "%s", "$x$", " ", "", "a" * 5000, "日本語", "a:b:c", "w_1;"],
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name: str) -> None:
    w = Value(2, name)
    y = w * w
    y.backward()
    drawing = draw(y, focus=w)
    shown = texts(drawing.svg())
    wanted = clean(name).replace("\n", "").strip()
    assert any(wanted in line for line in ["".join(shown), *shown])
    root = ElementTree.fromstring(drawing.svg())
    ids = {group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g")}
    assert {box.id for box in drawing.picture.boxes} <= ids


def test_escaping_by_hand() -> None:
    assert entities("<&>\"'") == "&lt;&amp;&gt;&quot;&#39;"
    assert html("a\\N\nb") == "a\\\\N<BR/>\nb"
    assert html("") == " "
    assert clean("a\r\nb\rc\td\x00") == "a\nb\nc    d\ufffd"
    assert clean("x" * 300) == "x" * 199 + "…"


# --- rendering and files ------------------------------------------------------------------------


def test_formats() -> None:
    drawing = exercise()
    assert ElementTree.fromstring(drawing.svg()).tag == "{http://www.w3.org/2000/svg}svg"
    assert drawing.png().startswith(b"\x89PNG\r\n")
    assert len(drawing.png(dpi=200)) > len(drawing.png(dpi=72))
    assert drawing.pdf().startswith(b"%PDF")
    assert render(drawing.dot, "dot") == drawing.dot.encode()
    assert "Generated by" not in drawing.svg()


def test_the_page_of_a_picture() -> None:
    page = exercise().html()
    assert page.startswith("<!doctype html>")
    assert "<title>The copies of w₁ separate it from the output</title>" in page
    (svg,) = re.findall("<svg.*?</svg>", page, re.DOTALL)
    root = ElementTree.fromstring(svg)
    assert "width" not in root.attrib
    assert root.get("viewBox")
    assert "@media" in page
    assert "@media" not in draw(Value(1) * 2, theme="dark").html()


def test_without_a_font_a_png_is_refused_and_an_svg_made(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text("<fontconfig></fontconfig>")
    code = """
from autograd_rnn import Value, draw
drawing = draw(Value(1, "x") * 2)
print(len(drawing.svg()) > 1000)
for make in (drawing.png, drawing.pdf):
    try:
        make()
    except RuntimeError as error:
        print(error)
"""
    environment = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    said = ran.stdout.splitlines()
    assert said[0] == "True"
    assert re.match("no fonts were found, and the png would show boxes for letters", said[1])
    assert re.match("no fonts were found, and the pdf would show boxes for letters", said[2])


def test_the_resolution_of_a_png() -> None:
    for dpi in (0, 1e9):
        with pytest.raises(ValueError, match="dpi must be from 10 to 2400, not"):
            exercise().png(dpi)


def test_what_the_svg_shows() -> None:
    shown = texts(exercise().svg())
    for text in ["0 + 16 + 16 = 32", "+ 0", "+ 16", "w⃛₁", "step 2   ẍ = 0", "loss", "( )²"]:
        assert text in shown


def test_titles_in_the_svg_have_the_numbers_in_full() -> None:
    x = Value(1 / 3, "x & y")
    y = x * x
    y.backward()
    titles = re.findall("<title>(.*?)</title>", draw(y, focus=x, title="a < b").svg())
    assert titles[0] == "a &lt; b"
    assert "x &amp; y: data 0.3333333333333333, grad 0.3333 + 0.3333 = 0.6667" in titles
    assert len(titles) == 1 + 4 + 5  # the picture; x, its copies, and y; the arrows


def test_save_by_ending_and_by_format(tmp_path: Path) -> None:
    drawing = exercise()
    for format in FORMATS:
        path = drawing.save(tmp_path / f"picture.{format.upper()}")
        assert path.stat().st_size > 1000
    assert drawing.save(tmp_path / "other", format="dot").read_text("utf-8") == drawing.dot
    assert len(list(tmp_path.iterdir())) == len(FORMATS) + 1


def test_a_failed_save_leaves_no_file_and_destroys_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = exercise()
    there = tmp_path / "there.gif"
    there.write_text("precious")
    with pytest.raises(FormatError, match="format 'gif' is unknown: choose one of svg, png, pdf"):
        drawing.save(there)
    with pytest.raises(FormatError, match="the file name has no ending"):
        drawing.save(tmp_path / "picture")
    with pytest.raises(FolderNotFound, match="there is no folder"):
        drawing.save(tmp_path / "missing" / "picture.svg")
    svg = tmp_path / "there.svg"
    svg.write_text("precious")
    with pytest.raises(RenderError):
        Drawing(Figure("digraph {", "broken", {}), "light").save(svg)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"precious"}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_graphviz_only_says_on_its_error_stream_is_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(RenderError, match="Graphviz could not render the picture: .*syntax error"):
        render("digraph { a -> }", "svg")
    with pytest.raises(RenderError, match="in label of node a"):
        render("digraph { a [label=<<B>>] }", "svg")
    assert capfd.readouterr().err == ""


def without_pygraphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object, **options: object) -> object:
        if name == "pygraphviz":
            raise ImportError("libexpat.so.1: cannot open shared object file")
        return real(name, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)


def test_without_any_renderer_the_error_says_what_to_do_and_dot_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = exercise()
    without_pygraphviz(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RendererNotFound, match=r"libexpat.*`pip install pygraphviz` brings its"):
        drawing.svg()
    assert drawing.save(tmp_path / "picture.dot").read_text("utf-8") == drawing.dot
    shown = drawing._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("<Drawing: L = 4, 18 boxes, 3 copies of w₁>\ndrawing to")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_a_dot_program_serves_where_pygraphviz_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > "$0.input"\necho "$@"\n')
    program.chmod(0o755)
    without_pygraphviz(monkeypatch)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert exercise().png(dpi=72) == b"-Tpng -Gdpi=72\n"
    assert (tmp_path / "dot.input").read_text("utf-8") == exercise().dot
    program.write_text("#!/bin/sh\necho 'Error: no such thing' >&2; exit 1\n")
    with pytest.raises(RenderError, match="Error: no such thing"):
        exercise().svg()


def test_jupyter_shows_the_svg() -> None:
    shown = exercise()._repr_mimebundle_()
    assert "</svg>" in shown["image/svg+xml"]
    assert shown["text/plain"].startswith("<Drawing")


def test_jupyter_shows_a_wide_picture_whole_and_a_small_one_in_its_size() -> None:
    wide, small = exercise(), draw(Value(3, "x") * 2)
    assert '<svg width="' in wide.svg()
    assert '<svg width="' not in wide._repr_mimebundle_()["image/svg+xml"]
    assert 'viewBox="' in wide._repr_mimebundle_()["image/svg+xml"]
    assert small._repr_mimebundle_()["image/svg+xml"] == small.svg()


# --- the whole graph of a network of one state ---------------------------------------------------


def test_the_whole_graph_of_the_exercise() -> None:
    names: dict[str, Any] = {}
    exec(EXERCISE, names)
    drawing = draw(names["loss"], run=names["run"])
    assert drawing.picture is not None
    assert drawing.picture.title == "The whole graph, with every copy of w₁ and w₂"
    assert boxes(drawing, "parameter") == [
        ("w₁", "4", "0 + 16 + 16 = 32"),
        ("w₂", "1", "64 + 0 + 4 = 68"),
    ]
    assert boxes(drawing, "copy") == [
        *[("ẇ₁", "4", "0"), ("ẇ₂", "1", "64"), ("ẅ₁", "4", "16")],
        *[("ẅ₂", "1", "0"), ("w⃛₁", "4", "16"), ("w⃛₂", "1", "4")],
    ]
    assert boxes(drawing, "constant") == [("ẋ", "1", None), ("ẍ", "0", None), ("x⃛", "1", None)]
    # Panel 13: ∂(w₁·q)/∂w₁ is the state before; ∂(w₁·q)/∂q is w₁.
    notes = {(arrow.tail, arrow.head): arrow.note for arrow in drawing.picture.arrows}
    names_of = {box.id: box.name for box in drawing.picture.boxes}
    by_name = {(names_of[tail], names_of[head]): note for (tail, head), note in notes.items()}
    assert [by_name[pair] for pair in (("ẇ₁", "ẇ₁·q"), ("ẅ₁", "ẅ₁·q̇"), ("w⃛₁", "w⃛₁·q̈"))] == [
        "0",
        "1",
        "4",
    ]
    assert [by_name[pair] for pair in (("q", "ẇ₁·q"), ("π⃛", "15 − π⃛"), ("15 − π⃛", "L"))] == [
        "4",
        "−1",
        "−4",
    ]
    assert by_name["ẋ", "ẇ₂·ẋ"] is None
    assert "layout=nop2" in drawing.dot


def test_an_output_that_reads_an_earlier_step_only() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)
    run = rnn.unroll(bits("1011"))
    w = rnn.parameters()[0]
    output = run.steps[1].pi[0] * 2 + w
    drawing = draw(output, focus=w, run=run, detail="scalar")
    assert len(boxes(drawing, "copy")) == 3


def test_edges_with_and_without_the_local_derivatives() -> None:
    x = Value(3, "x")
    y = x * 2 + 1
    for edges, notes in ((None, {None}), ("plain", {None}), ("local", {None, "2", "1"})):
        picture = draw(y, focus=x, edges=edges).picture
        assert picture is not None
        assert {arrow.note for arrow in picture.arrows} <= notes
    with pytest.raises(ValueError, match=r"edges 'all' is unknown: choose one of local, plain"):
        draw(y, edges="all")
    names: dict[str, Any] = {}
    exec(EXERCISE, names)
    plain = draw(names["loss"], run=names["run"], edges="plain").picture
    assert plain is not None
    assert all(arrow.note is None for arrow in plain.arrows)


@given(runs())
def test_the_whole_graph_of_any_network_can_be_drawn(run) -> None:  # type: ignore[no-untyped-def]
    _, unrolled = run
    output = sum(unrolled.q, Value(0)) * 3
    output.backward()
    drawing = draw(output, run=unrolled, detail="scalar", max_nodes=5000)
    assert drawing.picture is not None
    ids = [box.id for box in drawing.picture.boxes]
    assert len(set(ids)) == len(ids)
    for arrow in drawing.picture.arrows:
        assert {arrow.tail, arrow.head} <= set(ids)


# --- themes -------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_text_has_a_contrast_of_4_5_to_what_it_stands_on(theme: Theme) -> None:
    for role, style in theme.styles.items():
        for ink in (style.ink, theme.ink, theme.muted, theme.gradient):
            assert contrast(ink, style.fill) >= 4.5, (role, ink)
    for ground in (theme.paper, theme.panel_fill):
        for ink in (theme.ink, theme.muted, theme.gradient):
            assert contrast(ink, ground) >= 4.5, (ground, ink)


def test_a_light_picture_turns_dark_on_a_dark_screen_and_a_dark_one_is_dark() -> None:
    light = exercise()
    assert dark_style() in light.svg()
    x = Value(3, "x")
    loss = (x * x - 1) ** 2
    loss.backward()
    dark = draw(loss, focus=x, theme="dark")
    assert "prefers-color-scheme" not in dark.svg()
    colours = set(re.findall("#[0-9a-f]{6}", dark.svg()))
    assert colours <= set(re.findall("#[0-9a-f]{6}", str(DARK)))
    # Every colour of the light one has a rule that replaces it.
    for attribute, colour in re.findall('(fill|stroke)="(#[0-9a-f]{6}|white)"', light.svg()):
        assert f'[{attribute}="{colour}"]' in dark_style()


def test_themes_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"theme 'blue' is unknown: choose one of light, dark"):
        draw(Value(1) * 2, theme="blue")
    with pytest.raises(TypeError, match=r"theme must be a str, not NoneType"):
        draw(Value(1) * 2, theme=None)  # type: ignore[arg-type]


# --- how names and numbers are written -----------------------------------------------------------


def test_names_and_numbers_are_written_as_told() -> None:
    rnn = RNN([[0.123456789], [1]], activation="tanh", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    plain = draw(loss, focus=rnn.weights[0][0], run=run, accents=False, subscripts=False)
    names = [box.name for box in plain.picture.boxes]
    assert {"w_1", "w_1⁽¹⁾", "w_1⁽³⁾", "q⁽¹⁾", "π⁽³⁾", "w_2·x⁽²⁾"} <= set(names)
    assert not re.search("[\u0307\u0308\u20db\u20dc₀-₉]", "".join(names))
    long = draw(loss, focus=rnn.weights[0][0], run=run, precision=8)
    assert boxes(long, "copy")[0][1] == "0.12345679"
    assert boxes(draw(loss, focus=rnn.weights[0][0], run=run), "copy")[0][1] == "0.1235"
    assert "w_1⁽²⁾" in draw(loss, run=run, detail="step", accents=False, subscripts=False).dot
    for wrong in (0, 18, 2.5):
        with pytest.raises((TypeError, ValueError), match="precision must be"):
            draw(loss, precision=wrong)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_no_finite_number_is_bold_in_a_dashed_box(theme: str) -> None:
    x, y = Value(0, "x"), Value(2, "y")
    z = (x.log() + y) * x
    z.backward()
    drawing = draw(z, theme=theme)
    dashed = {
        box.name: 'STYLE="ROUNDED,DASHED"' in dot_of(drawing, box.id)
        for box in drawing.picture.boxes
    }
    # z = -inf · 0, and so ∂z/∂x; log(x) and the sum are -inf.
    assert dashed == {
        **{"x": True, "log(x)": True, "y": False, "log(x) + y": True},
        "(log(x) + y)·x": True,
    }
    assert re.search(r"<B><FONT [^>]*>−∞ </FONT></B>", drawing.dot)


def dot_of(drawing: Drawing, id: str) -> str:
    """The lines of a node, up to the end of its table."""
    start = re.search(rf"^\t+{id} \[", drawing.dot, re.MULTILINE).start()
    return drawing.dot[start : drawing.dot.index("</TABLE>", start)]


# --- an offset -----------------------------------------------------------------------------------


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
    heights = {
        id: float(y)
        for id, y in re.findall(
            r"^\t+(c\w+) \[.*?pos=\"[-\d.]+,([-\d.]+)\"", drawing.dot, re.M | re.S
        )
    }
    rows = sorted({(y, id[2:]) for id, y in heights.items()})
    assert len(rows) == 3  # one row per weight
    for _, y in re.findall(r'lp="([-\d.]+),([-\d.]+)"', drawing.dot):
        assert all(abs(float(y) - row) > 12 for row, _ in rows)


# --- a page with two drawings --------------------------------------------------------------------


def test_the_page_of_cards_has_every_number_inside() -> None:
    rnn = RNN([[0.5], [1]], bias=False)
    run = rnn.unroll(bits("1011010101"))
    loss = (15 - run.pi[0]) ** 2
    drawing = draw(loss, focus=rnn.weights[0][0], run=run)
    page = drawing.html()
    assert page.count("<svg") == 2
    assert "<summary>Every number</summary>" in page
    ids = re.findall(r'\bid="(\w+)"', page)
    assert len(ids) == len(set(ids))
    assert "inside_c10" in ids
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", page)
    assert draw(loss, run=run, focus=rnn.weights[0][0], detail="scalar").html().count("<svg") == 1


def test_a_page_has_no_more_inside_than_can_be_followed() -> None:
    rnn = RNN.random(3, 1, seed=1)
    run = rnn.unroll(bits("10110101"))
    loss = (15 - run.pi[0]) ** 2
    assert draw(loss, run=run, detail="neuron").inside is None


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
    badges = [box.badge for box in drawing.picture.boxes]
    assert badges.count("sg") == len(run.cuts)
    titles = [f"no gradient goes back from step {step}" for step in sorted(run.cuts)]
    assert re.findall("no gradient goes back from step .", drawing.svg()) == titles
