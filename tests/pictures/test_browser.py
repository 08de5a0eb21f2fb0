"""The page in a real browser: every control, both themes, nothing fetched, no complaint."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import RNN, Value, bits, play

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason='no Playwright: pip install ".[browser]"'
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # Without a sandbox, as containers have none; the page is our own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exercise, short and long, as `drawn.html` and `wide.html`; 500 tanh as `cards.html`."""
    folder = tmp_path_factory.mktemp("pages")
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    play((15 - run.pi[0]) ** 2, run=run).save(folder / "drawn.html")
    run = rnn.unroll(bits("10110101"))
    play((15 - run.pi[0]) ** 2, focus=rnn.weights[0][0], run=run).save(folder / "wide.html")
    x = Value(0.5, "x")
    y = x
    for _ in range(500):
        y = (y * x).tanh()
    play(y).save(folder / "cards.html")
    return folder


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, files: Path) -> Iterator[Any]:
    """A page of the browser that fails on any message, error or request to another file."""
    context = browser.new_context(color_scheme=request.param)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith("file://") else troubles.append(asked.url),
    )
    opened.goto(f"{(files / 'drawn.html').as_uri()}")
    yield opened
    assert troubles == []
    context.close()


def says(page: Any) -> str:
    return str(page.inner_text("#say"))


def step(page: Any) -> int:
    return int(page.evaluate("Number(location.hash.slice(6))"))


def test_the_buttons(page: Any) -> None:
    assert says(page) == "The weights, the inputs and the states are given."
    page.click("#next")
    assert says(page) == "ẇ₁·q = 4·0 = 0"
    page.click("#next")
    page.click("#back")
    assert step(page) == 1
    page.click("#back")
    page.click("#back")
    assert step(page) == 0


def test_the_keys(page: Any) -> None:
    for key, at in [("ArrowRight", 1), ("End", 33), ("ArrowRight", 33), ("ArrowLeft", 32)]:
        page.keyboard.press(key)
        assert step(page) == at
    assert says(page) == "copy ẇ₁ adds 64 · 0 = 0, ∂L/∂w₁ so far 32"
    page.keyboard.press("Home")
    assert step(page) == 0
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_playing(page: Any) -> None:
    page.click("#play")
    page.wait_for_function("location.hash === '#step=1'", timeout=5000)
    page.click("#play")
    page.evaluate("location.hash = '#step=32'")
    page.wait_for_function("document.getElementById('slider').value === '32'")
    page.click("#play")
    page.wait_for_function("document.getElementById('play').ariaLabel === 'Play'", timeout=5000)
    assert step(page) == 33
    page.click("#play")  # from the end, it starts again
    assert step(page) == 0


def test_the_slider_by_mouse_and_by_keys(page: Any) -> None:
    page.fill("#slider", "26")
    assert says(page) == "copy ẅ₁ adds 16 · 1 = 16, ∂L/∂w₁ so far 32"
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert step(page) == 27


def test_a_link_to_a_step(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'drawn.html').as_uri()}#step=26")
    assert page.inner_text("#where") == "Backward, step 26 of 33"
    page.click("summary")
    page.click("tbody a >> nth=3")
    assert step(page) == 3
    assert page.locator("tr[aria-current]").inner_text().split("\t")[0] == "3"
    for broken, at in (("#step=999", 33), ("#step=x", 0), ("#", 0)):
        page.goto(f"{(files / 'drawn.html').as_uri()}{broken}")
        page.reload()
        assert step(page) == at


def test_in_the_frame_of_a_notebook(page: Any) -> None:
    """Its address, about:srcdoc, cannot be changed."""
    shown = "document.body.innerHTML = html"
    html = play(Value(3, "x").tanh() * 2)._repr_html_()
    page.evaluate(f"html => {{ {shown} }}", html)
    frame = page.frame_locator("iframe")
    assert frame.locator("#say").inner_text() == "The weights, the inputs and the states are given."
    last = int(frame.locator("#slider").get_attribute("max")) - 1
    frame.locator("#slider").fill(str(last))
    frame.locator("#play").click()
    frame.locator("#play[aria-label=Play]").wait_for(timeout=5000)
    assert frame.locator("#slider").input_value() == str(last + 1)


def visible(page: Any, selector: str) -> bool:
    style = f"getComputedStyle(document.querySelector('{selector}')).visibility"
    return bool(page.evaluate(style) == "visible")


def test_gradients_appear_as_they_are_found(page: Any) -> None:
    page.evaluate("location.hash = '#step=13'")
    page.wait_for_function("document.getElementById('slider').value === '13'")
    assert page.locator(".waiting").count() == 0
    assert not visible(page, "#p1 .grad")
    for at, shown in ((20, "· + · + 16"), (26, "· + 16 + 16"), (32, "0 + 16 + 16 = 32")):
        page.fill("#slider", str(at))
        assert visible(page, "#p1 .grad")
        assert page.locator("#p1 .grad").text_content() == shown
    page.fill("#slider", "26")
    assert page.locator("#c2.now").count() == 1
    assert page.locator(".live").count() == 2
    page.fill("#slider", "1")
    assert page.locator(".waiting").count() == 12


def test_the_theme_is_that_of_the_reader(page: Any, request: pytest.FixtureRequest) -> None:
    dark = "dark" in request.node.name
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(18, 24, 31)" if dark else "rgb(255, 255, 255)")
    ink = page.evaluate("getComputedStyle(document.querySelector('#p1 text')).fill")
    assert ink == ("rgb(233, 196, 106)" if dark else "rgb(122, 91, 0)")


def test_reduced_motion(page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    duration = "getComputedStyle(document.querySelector('.node')).transitionDuration"
    assert page.evaluate(duration) == "0s"


def test_the_exercise_starts_as_a_whole(page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.reload()
    assert page.get_attribute("#zoom", "aria-pressed") == "false"
    assert page.is_visible("#zoom")
    frame = page.locator("#stage").bounding_box()
    for weight in page.query_selector_all("svg .parameter"):
        box = weight.bounding_box()
        assert frame["y"] <= box["y"] <= box["y"] + box["height"] <= frame["y"] + frame["height"]


def test_a_large_drawing_is_scrolled_to_where_it_happens(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'wide.html').as_uri()}#step=40")
    assert page.get_attribute("#zoom", "aria-pressed") == "true"
    for step in (40, 0, 3):
        page.goto(f"{(files / 'wide.html').as_uri()}#step={step}")
        page.wait_for_function(f"location.hash === '#step={step}'")
        for box in page.query_selector_all("svg .now"):
            seen, frame = box.bounding_box(), page.locator("#stage").bounding_box()
            assert frame["x"] <= seen["x"] + seen["width"] / 2 <= frame["x"] + frame["width"]
    page.click("#zoom")
    assert page.get_attribute("#zoom", "aria-pressed") == "false"
    (width,) = {page.locator("#stage svg").bounding_box()["width"]}
    assert width <= page.locator("#stage").bounding_box()["width"]


def test_cards_of_a_large_graph(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'cards.html').as_uri()}#step=900")
    assert page.locator(".card.now").count() == 1
    assert page.locator(".card.now").is_visible()
    page.keyboard.press("End")
    assert page.locator(".waiting").count() == 0
    assert page.locator(".grad.hidden").count() == 0
