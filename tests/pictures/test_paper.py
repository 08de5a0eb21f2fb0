"""Pictures on paper and slides: no wider than asked for, and all text large enough to read."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Drawing,
    Stack,
    Steps,
    Unrolled,
    Value,
    bits,
    copies,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    draw_weights,
)
from autograd_rnn.errors import GraphTooLarge
from autograd_rnn.networks.model import Model
from autograd_rnn.pictures.paper import PAGES, READ
from autograd_rnn.pictures.rendering.render import render

SVG = "{http://www.w3.org/2000/svg}"
WAYS = r"choose another width=, detail= or focus=$"
Width = float | str


def unrolled(model: Model, steps: int) -> tuple[Value, Unrolled]:
    run = model.unroll(([[1.0], [0.0], [0.5]] * steps)[:steps])
    outputs = [
        step.q[0] if step.q and not hasattr(step, "layers") else step.output for step in run.steps
    ]
    loss = sum([(1 - output) ** 2 for output in outputs])
    loss.backward()
    return loss, run


def texts_of(drawing: Drawing) -> str:
    """What can be read in the picture, without the tooltips."""
    return " ".join(
        text.text or "" for text in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}text")
    )


def focused(model: Model, steps: int) -> Callable[[Width], Drawing]:
    def make(width: Width) -> Drawing:
        loss, run = unrolled(model, steps)
        return draw(loss, run=run, focus=model.parameters()[0], width=width)

    return make


def whole(model: Model, steps: int) -> Callable[[Width], Drawing]:
    def make(width: Width) -> Drawing:
        loss, run = unrolled(model, steps)
        return draw(loss, run=run, focus=model, width=width)

    return make


def boxes(model: Model, steps: int) -> Callable[[Width], Drawing]:
    def make(width: Width) -> Drawing:
        loss, run = unrolled(model, steps)
        focus = model.parameters()[0]
        return draw(loss, run=run, focus=focus, detail="neuron", width=width)

    return make


def flowing(model: Model, steps: int) -> Callable[[Width], Drawing]:
    def make(width: Width) -> Drawing:
        loss, run = unrolled(model, steps)
        return draw_flow(loss, run=run, focus=model, width=width)

    return make


ONE, SMALL = RNN.random(1, 1, seed=1), RNN.random(3, 1, seed=1)
LARGE = RNN.random(8, 4, seed=1)
STACK = Stack.random("RNN", 2, 1, 1, layers=2, seed=1)
KINDS: dict[str, Callable[[Width], Drawing]] = {
    **{
        f"{name} over {steps}": focused(model, steps)
        for name, model, steps in [
            ("one state", ONE, 3),
            ("one state", ONE, 12),
            ("several states", SMALL, 12),
            ("LSTM", LSTM.random(4, 1, seed=1), 3),
            ("LSTM", LSTM.random(3, 1, seed=1), 12),
            ("stack", STACK, 12),
        ]
    },
    "matrices of 12 steps": whole(SMALL, 12),
    "matrices of an LSTM": whole(LSTM.random(4, 1, seed=1), 3),
    "matrices of a GRU": whole(GRU.random(4, 1, seed=1), 6),
    "matrices of a stack": whole(STACK, 3),
    "boxes of several states": boxes(SMALL, 3),
    "boxes of gates": boxes(LSTM.random(2, 1, seed=1), 3),
    "boxes of more gates": boxes(LSTM.random(4, 1, seed=1), 3),
    "boxes of a stack": boxes(STACK, 3),
    "flow": flowing(ONE, 3),
    "flow of 60 steps": flowing(SMALL, 60),
    "cell": lambda width: draw_cell(RNN([[4], [1]], "relu", bias=False), width=width),
    "cell of many weights": lambda width: draw_cell(SMALL, width=width),
    "cell of an LSTM": lambda width: draw_cell(LSTM.random(2, 3), width=width),
    "cell of a GRU": lambda width: draw_cell(GRU.random(2, 3), width=width),
    "cell of 8 states and 4 inputs": lambda width: draw_cell(LARGE, width=width),
    "network of 8 states and 4 inputs": lambda width: draw_network(
        LARGE.unroll([[-1.0, 0.25, 0.0, 0.0]] * 6), width=width
    ),
    "network": lambda width: draw_network(SMALL.unroll([[1.0], [-0.001]] * 6), width=width),
    "weights": lambda width: draw_weights(SMALL, width=width),
}


def measured(drawing: Drawing) -> tuple[float, float]:
    """The width of the picture, and the size of its smallest text, in points."""
    root = ElementTree.fromstring(drawing.svg())
    wide = float(root.get("width", "").removesuffix("pt"))
    part = wide / float(root.get("viewBox", "").split()[2])
    scale = re.search(r"scale\(([\d.]+)", next(root.iter(f"{SVG}g")).get("transform", ""))
    part *= float(scale[1]) if scale else 1.0
    sizes = [float(text.get("font-size", "14")) for text in root.iter(f"{SVG}text")]
    return wide, part * min(sizes)


def height(drawing: Drawing) -> float:
    found = re.search(rb'height="([\d.]+)pt"', render(drawing.dot, "svg"))
    assert found
    return float(found[1])


@pytest.mark.parametrize("width", ["a4", "slide"])
@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
def test_all_text_can_be_read_on_paper_and_slides(
    make: Callable[[Width], Drawing], width: str
) -> None:
    drawing = make(width)
    wide, smallest = measured(drawing)
    assert wide <= PAGES[width][0] + 1
    assert smallest >= READ - 0.01
    assert max(map(height, drawing.pages or [drawing])) <= PAGES[width][1] + 1
    assert drawing.too_high == 0
    assert "too high" not in drawing.summary


def test_points_are_a_width_and_narrow_pictures_keep_their_size() -> None:
    loss, run = unrolled(ONE, 3)
    sizes = [measured(draw(loss, run=run, detail="neuron", width=w)) for w in (1500, 1600)]
    assert sizes[0] == sizes[1]
    assert measured(draw(loss, run=run, detail="neuron", width=400))[0] <= 401


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize(
    "model", [SMALL, GRU.random(4, 1, seed=1), STACK], ids=["RNN", "GRU", "stack"]
)
def test_cards_fit_into_the_text_of_an_article(model: Model, every: bool) -> None:
    loss, run = unrolled(model, 12)
    if not every:
        last = run.steps[-1]
        loss = (1 - (last.output if hasattr(last, "layers") else last.q[0])) ** 2
    loss = loss * 1e-7  # numbers with exponents are long
    loss.backward()
    weight = model.parameters()[0]
    drawing = draw(loss, run=run, focus=weight, detail="step", width=345)
    wide, smallest = measured(drawing)
    assert wide <= 346
    assert smallest >= READ - 0.01
    shown = set(re.findall(r"step \d+", drawing.svg()))
    assert {"step 1", "step 12"} <= shown


def test_numbers_have_fewer_digits_only_where_paper_needs_it() -> None:
    model = GRU.random(4, 1, seed=1)
    loss, run = unrolled(model, 12)
    loss = loss * 1e-7  # numbers with exponents are long
    loss.backward()
    weight = model.parameters()[0]

    def most(width: Width | None, precision: int | None = None) -> int:
        """The most digits of any number with an exponent on the cards."""
        drawing = draw(loss, run=run, focus=weight, detail="step", width=width, precision=precision)
        assert re.search(r"grad −?\d\.\d{9,}", drawing.titles["step_1"])  # all digits are told
        found = re.findall(r"([0-9.]+)×10", re.sub(r"<[^>]+>", " ", drawing.svg()))
        return max(len(one.replace(".", "")) for one in found)

    assert [most(width) for width in (None, 345, 320, 300)] == [4, 4, 3, 2]
    with pytest.raises(GraphTooLarge, match="more than width=300"):
        most(300, precision=4)
    with pytest.raises(GraphTooLarge, match="is 300 points wide .* more than width=260"):
        most(260)


@pytest.mark.parametrize("detail", ["scalar", "neuron", "step"])
def test_tooltips_have_all_digits_of_rounded_numbers(detail: str) -> None:
    rnn = RNN([[1.5], [1]], activation="relu", bias=False)
    run = rnn.unroll(bits("101"))
    loss = (15.37 - run.pi[0]) ** 2
    loss.backward()
    weight, (_, second, third) = rnn.weights[0][0], copies(rnn.weights[0][0], loss, run)
    drawing = draw(loss, run=run, focus=weight, detail=detail, precision=2)
    told = " ".join(drawing.titles.values())
    for use in (second, third):
        assert f"{use.grad:.2g}".lstrip("-") in texts_of(drawing)
        assert f"grad {use.grad!r}".replace("-", "−") in told
    assert repr(weight.grad).replace("-", "−") in told


@pytest.mark.parametrize("detail", ["scalar", "neuron", "step"])
def test_sums_of_rounded_terms_are_about_the_total(detail: str) -> None:
    for x, equals in ((0.25, "= 0.75"), (1 / 3, "≈ 1")):
        w, q, steps = Value(1.0, "w"), Value(0.0, "q"), Steps()
        for k in (1, 2, 3):
            with steps.step(k):
                q = q + w * x
                q.name = f"q{k}"
        q.backward()
        drawing = draw(q, run=steps, focus=w, detail=detail)
        assert equals in texts_of(drawing)


def test_what_is_higher_than_a_page_is_cut_into_pages_of_whole_rows() -> None:
    loss, run = unrolled(SMALL, 6)
    whole = draw(loss, run=run, focus=SMALL.weights[2][1], width="a4")
    assert repr(whole).endswith(f", {len(whole.pages)} pages>")
    assert len(whole.pages) > 1
    found = []
    for place, page in enumerate(whole.pages, 1):
        assert repr(page).endswith(f", page {place} of {len(whole.pages)}>")
        svg = page.svg()
        found += re.findall(r"<text[^>]*>step (\d)", svg)
        assert height(page) <= PAGES["a4"][1] + 1
        wide, smallest = measured(page)
        assert wide <= PAGES["a4"][0] + 1
        assert smallest >= READ - 0.01
    assert found == list("123456")


def test_a_detail_that_fits_on_one_page_comes_first() -> None:
    loss, run = unrolled(STACK, 3)
    weight = STACK.parameters()[0]
    assert draw(loss, run=run, focus=weight, detail="neuron", width="slide").pages
    drawing = draw(loss, run=run, focus=weight, width="slide")
    assert not drawing.pages
    assert height(drawing) <= PAGES["slide"][1] + 1


def test_a_detail_whose_rows_fit_on_pages_comes_first() -> None:
    model = Stack.random("LSTM", 4, 1, 1, layers=2, seed=1)
    loss, run = unrolled(model, 3)
    neurons = draw(loss, run=run, focus=model.parameters()[0], detail="neuron", width="slide")
    drawing = draw(loss, run=run, focus=model.parameters()[0], width="slide")
    assert neurons.too_high
    assert not drawing.too_high
    assert drawing.pages


def test_rows_that_are_too_high_say_so_with_the_ways_out() -> None:
    model = Stack.random("LSTM", 4, 1, 1, layers=2, seed=1)
    loss, run = unrolled(model, 3)
    drawing = draw(loss, run=run, focus=model.parameters()[0], detail="neuron", width="slide")
    assert re.search(r", \d pages, \d too high: " + WAYS, drawing.summary)
    high = [height(page) > PAGES["slide"][1] + 1 for page in drawing.pages]
    assert drawing.too_high == sum(high)
    assert ["too high" in page.summary for page in drawing.pages] == high


def test_a_page_of_a_graph_without_rows_is_no_wider_than_the_paper() -> None:
    product = [Value(1.0) for _ in range(32)]
    while len(product) > 1:
        product = [x * y for x, y in zip(product[::2], product[1::2], strict=True)]
    drawing = draw(product[0], width="slide")
    (page,) = drawing.pages
    assert (drawing.too_high, page.too_high) == (1, 1)
    assert re.search(r", too high for a page: " + WAYS, drawing.summary)
    assert page.summary.endswith("too high")
    assert measured(page) == measured(drawing)
    assert measured(page)[0] <= PAGES["slide"][0] + 1


@pytest.mark.parametrize("bias", [False, True])
def test_a_chain_of_states_is_wrapped_number_by_number(bias: bool) -> None:
    rnn = RNN([*[[1]] * bias, [4], [1]], activation="relu", bias=bias)
    run = rnn.unroll(bits("1011"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    one = draw(loss, run=run, detail="scalar")
    wrapped = draw(loss, run=run, detail="scalar", width=760)
    assert one.view is not None
    assert wrapped.view is not None
    assert [*wrapped.view.boxes] == [*one.view.boxes]
    wide, smallest = measured(wrapped)
    assert wide <= 761
    assert smallest >= READ - 0.01
    assert "from the row above" in wrapped.svg()


def test_a_graph_that_is_too_wide_says_so() -> None:
    y = x = Value(0.5, "x")
    for _ in range(40):
        y = (y * x).tanh()
    with pytest.raises(GraphTooLarge, match=r"more than width='a4': .*focus=.* save an SVG"):
        draw(y, width="a4")
    assert draw(y)


def test_refusals() -> None:
    x = Value(1, "x")
    for width, words in [
        ("a5", r"width must be one of 'a4', 'slide' or points, not 'a5'"),
        (50, r"width must be 200 points or more, not 50"),
        (float("nan"), "width must be 200 points or more, not nan"),
    ]:
        with pytest.raises(ValueError, match=words):
            draw(x * 2, width=width)
    for junk in (True, [510], object()):
        with pytest.raises(TypeError, match="width must be one of 'a4', 'slide' or points, not"):
            draw(x * 2, width=junk)  # type: ignore[arg-type]


@pytest.mark.parametrize("detail", ["scalar", "neuron", "step"])
def test_what_is_asked_for_is_shown_in_rows_too(detail: str) -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101101"))
    loss = (15 - run.pi[0]) ** 2
    loss.backward()
    width: Width | None = None if detail == "scalar" else 600
    drawing = draw(loss, run=run, focus=rnn.weights[0][0], detail=detail, width=width)
    written = re.sub(r"<[^>]+>", " ", drawing.svg())
    for copy in range(1, 7):
        assert f"w₁⁽{'⁰¹²³⁴⁵⁶'[copy]}⁾" in written
