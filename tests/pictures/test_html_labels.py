"""The labels of boxes: any text in them, and the room they take."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from autograd_rnn import Drawing, Value, draw
from autograd_rnn.arguments import visible
from autograd_rnn.pictures.graph_view import LONGEST_NAME
from autograd_rnn.pictures.html_labels import box_size, clean, escaped, html, text_width
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
