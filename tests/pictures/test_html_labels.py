"""The labels of boxes: any text in them, and the room they take."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    LSTM,
    RNN,
    Drawing,
    Value,
    bits,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    draw_weights,
)
from autograd_rnn.arguments import visible
from autograd_rnn.pictures.canvas import Canvas
from autograd_rnn.pictures.graph_view import LONGEST_NAME
from autograd_rnn.pictures.html_labels import (
    JOINER,
    TITLE_POINTS,
    box_size,
    clean,
    escaped,
    html,
    text_width,
    title_label,
    wrapped,
)
from autograd_rnn.pictures.theme import LIGHT

from .exercise import NAMES, exercise, texts


def test_boxes_have_the_size_that_the_layout_reckons_with() -> None:
    svg = exercise().svg()
    for box in exercise().view.boxes.values():
        outline = svg[svg.index(f'<g id="{box.id}"') :]
        path = re.search(r'stroke="none" d="M([^"]+)"', outline)
        assert path is not None
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path[1])]
        xs, ys = numbers[::2], numbers[1::2]
        width, height = box_size(box)
        border = LIGHT.styles[box.role].border
        assert max(xs) - min(xs) == pytest.approx(width, abs=border + 0.1)
        assert max(ys) - min(ys) == pytest.approx(height, abs=border + 0.1)


def test_text_widths_are_not_less_than_those_of_the_font() -> None:
    # DejaVu Sans, units of a thousandth of its size.
    for text, width in [("0123456789", 6360), ("data", 2230), ("w₁", 1213), ("15 − π", 2810)]:
        assert width / 1000 <= text_width(text, 1) <= 1.35 * width / 1000
    assert text_width("w\u0307", 10) == text_width("w", 10)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn(name: str) -> None:
    w = Value(2, name)
    y = w * w
    y.backward()
    drawing = draw(y, focus=w)
    shown = texts(drawing.svg())
    wanted = clean(visible(name), LONGEST_NAME).replace("\n", "").strip()
    assert any(wanted in line for line in ["".join(shown), *shown])
    root = ElementTree.fromstring(drawing.svg())
    ids = {group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g")}
    assert {box.id for box in drawing.view.boxes.values()} <= ids


def test_escaping() -> None:
    assert escaped("<&>\"'") == "&lt;&amp;&gt;&quot;&#x27;"
    assert html("a\\N\nb") == "a\\\\N<BR/>\nb"
    assert html("") == " "
    assert clean("a\r\nb\rc\td\x00") == "a\nb\nc    d\ufffd"
    assert clean("x" * 300) == "x" * 199 + "…"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_no_finite_number_is_bold_in_a_dashed_box(theme: str) -> None:
    x, y = Value(0, "x"), Value(2, "y")
    z = (x.log() + y) * x
    z.backward()
    drawing = draw(z, theme=theme)
    dashed = {
        box.name: 'STYLE="ROUNDED,DASHED"' in dot_of(drawing, box.id)
        for box in drawing.view.boxes.values()
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


@given(st.text(max_size=60), st.floats(80.0, 400.0))
def test_wrapped_lines_are_no_wider_and_lose_nothing(text: str, wide: float) -> None:
    text = text.replace(JOINER, "")
    lines = wrapped(text, TITLE_POINTS, wide, bold=True)
    assert all(text_width(line, TITLE_POINTS, bold=True) <= wide for line in lines)
    kept = clean(text).replace("\n", "").replace(" ", "")
    assert "".join(lines).replace(" ", "") == kept


def test_long_words_break_and_marks_stay_with_their_characters() -> None:
    assert wrapped("", 18, 100) == []
    assert wrapped("漢字" * 6, 18, 100) == ["漢字漢字漢", "字漢字漢字", "漢字"]
    pieces = wrapped("e\u0301" * 30, 18, 100)
    assert len(pieces) > 2
    assert all(piece[0] == "e" and piece[-1] == "\u0301" for piece in pieces)
    assert text_width("e\u0301\u200d\ufe0f", 18) == text_width("e", 18)


PICTURES = {
    "scalar": lambda run, loss, **looks: draw(loss, run=run, **looks),
    "cards": lambda run, loss, **looks: draw(loss, run=run, detail="step", **looks),
    "neurons": lambda run, loss, **looks: draw(loss, run=run, detail="neuron", **looks),
    "matrices": lambda run, loss, **looks: draw(loss, run=run, focus=run.rnn, **looks),
    "graph": lambda run, loss, **looks: draw(Value(2, "x") * 3, **looks),
    "cell": lambda run, loss, **looks: draw_cell(run.rnn, **looks),
    "gates": lambda run, loss, **looks: draw_cell(LSTM.random(1, 1), **looks),
    "network": lambda run, loss, **looks: draw_network(run, **looks),
    "weights": lambda run, loss, **looks: draw_weights(run.rnn, **looks),
    "flow": lambda run, loss, **looks: draw_flow(loss, run=run, **looks),
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=list(PICTURES))
def test_any_title_fits_on_its_page(make: Any) -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    for title in ("", "\n", "漢字" * 60, "word " * 80, r"<b>&\N</b>"):
        drawing = make(run, loss, title=title, width="a4")
        wide = re.search(r'<svg width="([\d.]+)pt"', drawing.svg())
        assert float(wide[1]) <= 511
    own = make(run, loss).titles["autograd_rnn"]
    assert own
    assert own not in texts(make(run, loss, title="").svg())


def test_a_heading_of_nothing_is_none() -> None:
    assert title_label([], [], LIGHT) == ""
    canvas = Canvas(LIGHT, layout="nop2")
    canvas.box("a", (0.0, 0.0), ["a"], "a", "plain")
    canvas.frame("", "")
    assert "<svg" in canvas.drawing("nothing over a box").svg()
