"""Pictures in other fonts than ours: no text crosses a border, and none leaves its place."""

from collections.abc import Iterator
from typing import Any

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Drawing,
    Stack,
    Value,
    bits,
    counter,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    draw_weights,
    one_hot,
)
from autograd_rnn.pictures.rendering.anchors import anchored, places_of

# The fonts that take the place of ours: as it is, its letters narrower or wider, one of one width.
FONTS = {
    "as it is": "",
    "narrower": "svg text { font-family: narrower !important }",
    "wider": "svg text { font-family: wider !important }",
    "of one width": 'svg text { font-family: "DejaVu Sans Mono", monospace !important }',
}
FACES = "\n".join(
    f"@font-face {{ font-family: {name}; font-weight: {weight}; size-adjust: {size}%;"
    f' src: local("DejaVu Sans{" Bold" if weight == "bold" else ""}"), local("sans-serif"); }}'
    for name, size in (("narrower", 80), ("wider", 107))
    for weight in ("normal", "bold")
)
# For each text: its picture, its box and side; and the narrowest fill behind it, if there is one.
READ = """() => [...document.querySelectorAll("svg")].flatMap((svg, picture) =>
  [...svg.querySelectorAll("g[id]")].flatMap(group => {
    const fills = [], found = [];
    for (const part of group.children) {
      if (part.tagName === "text") {
        if (!part.textContent.trim()) continue;
        const { x, y, width, height } = part.getBBox(), anchor = part.getAttribute("text-anchor");
        const at = Number(part.getAttribute("x")), middle = y + height / 2;
        const behind = fills.filter(fill => fill.x - 0.5 <= at && at <= fill.x + fill.width + 0.5
          && fill.y <= middle && middle <= fill.y + fill.height);
        behind.sort((a, b) => a.width - b.width);
        const [fill] = behind;
        found.push({ picture, group: group.id, text: part.textContent, anchor, left: x,
          right: x + width, top: y, bottom: y + height, low: fill?.x ?? null,
          high: fill ? fill.x + fill.width : null });
      } else if (["path", "polygon", "ellipse"].includes(part.tagName)
          && part.getAttribute("fill") !== "none") fills.push(part.getBBox());
    }
    return found;
  }))"""


def pictures() -> Iterator[Drawing]:
    """Every kind of picture."""
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    weight = rnn.weights[0][0]
    yield from [draw(loss, run=run), draw(loss, run=run, focus=weight)]
    yield from [draw(loss, run=run, focus=weight, detail=kind) for kind in ("neuron", "step")]
    yield from [
        draw_flow(loss, run=run, focus=weight),
        draw_cell(rnn),
        draw_cell(LSTM.random(2, 2)),
    ]
    x, y = Value(3, "x"), Value(-0.12345678, "a rather long name")
    result = (x * y).tanh() + x / y
    result.backward()
    yield draw(result, edges="local")
    stack = Stack([LSTM.random(2, 1, seed=1), GRU.random(1, 2, seed=2)])
    run = stack.unroll(bits("1011"))
    loss = (1 - run.output) ** 2
    loss.backward()
    yield from [draw(loss, run=run, detail=kind) for kind in ("neuron", "step")]
    yield from [draw_network(counter().unroll(one_hot("AGGTG"))), draw_weights(counter())]


@pytest.fixture(scope="module")
def boxes(browser: Any) -> dict[str, list[Any]]:
    """The boxes of all texts of all pictures, in each of the fonts."""
    drawn = "".join([drawing.svg().partition("?>")[2] for drawing in pictures()])
    page = browser.new_page()
    page.set_content(f"<style>{FACES}</style><style id=font></style>{drawn}")
    found = {}
    for name, rule in FONTS.items():
        page.evaluate("rule => document.getElementById('font').textContent = rule", rule)
        page.evaluate("document.fonts.ready")
        found[name] = page.evaluate(READ)
    return found


@pytest.mark.browser
@pytest.mark.parametrize("font", FONTS)
def test_no_text_crosses_a_border_in_any_font(boxes: dict[str, list[Any]], font: str) -> None:
    assert len(boxes[font]) > 500
    inside = [box for box in boxes[font] if box["low"] is not None]
    assert len(inside) > 450
    for box in inside:
        assert box["low"] - 0.6 <= box["left"], box
        assert box["right"] <= box["high"] + 0.6, box


@pytest.mark.browser
@pytest.mark.parametrize("font", FONTS)
def test_no_text_runs_into_another(boxes: dict[str, list[Any]], font: str) -> None:
    groups: dict[tuple[int, str], list[Any]] = {}
    for box in boxes[font]:
        groups.setdefault((box["picture"], box["group"]), []).append(box)
    for together in groups.values():
        for place, one in enumerate(together):
            for other in together[:place]:
                wide = min(one["right"], other["right"]) - max(one["left"], other["left"])
                high = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
                assert wide <= 0.6 or high <= 4.0, (one, other)


@pytest.mark.browser
@pytest.mark.parametrize("font", ["narrower", "wider"])
def test_middles_and_ends_stay_where_they_are(boxes: dict[str, list[Any]], font: str) -> None:
    sides = {"start": 0.0, "middle": 0.5, "end": 1.0}
    moved = 0
    for before, after in zip(boxes["as it is"], boxes[font], strict=True):
        part = sides[before["anchor"]]
        places = [(1 - part) * box["left"] + part * box["right"] for box in (before, after)]
        assert places[0] == pytest.approx(places[1], abs=0.6), after
        moved += abs(before["left"] - after["left"]) > 0.6
    assert moved > 100


def test_texts_are_anchored_by_their_cells() -> None:
    cells = (
        '<TD BGCOLOR="transparent"><FONT>name</FONT></TD>',
        '<TD ALIGN="RIGHT" BGCOLOR="red"><FONT>4 </FONT></TD><TD ALIGN="LEFT"><FONT>x</FONT></TD>',
    )
    label = f'<<TABLE CELLBORDER="0" CELLPADDING="3"><TR>{"".join(cells)}</TR></TABLE>>'
    text = '<text text-anchor="start" x="{}" y="5" font-family="F" font-size="10.00">{}</text>\n'
    cell = '<polygon fill="{}" stroke="none" points="{},0 {},9 {},9 {},0"/>\n'
    svg = '<g id="n1">\n{}{}{}{}{}</g>\n'.format(
        cell.format("none", 0, 0, 40, 40),
        text.format(7, "name"),
        cell.format("red", 40, 40, 60, 60),
        text.format(49, "4 "),
        text.format(63, "x"),
    )
    assert [place.side for place in places_of(label)] == ["CENTER", "RIGHT", "LEFT"]
    lines = anchored(svg, {"n1": label}).splitlines()
    assert [line[: line.index(" y=")] for line in lines if "<text" in line] == [
        '<text text-anchor="middle" x="20.00"',
        '<text text-anchor="end" x="53.80"',
        '<text text-anchor="start" x="63"',
    ]
    assert [line for line in lines if "<polygon" in line] == [
        cell.format("red", 40, 40, 60, 60)[:-1]
    ]
    assert anchored(svg, {}).count('"start"') == 3
    assert anchored(svg, {"n1": label.replace("<FONT>x</FONT>", "")}).count('"start"') == 3
