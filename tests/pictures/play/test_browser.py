"""The page in a real browser: every control, both themes, nothing fetched, no complaint."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import RNN, Page, Value, bits, play

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exercise, short and longer, as `drawn.html` and `wide.html`; cards of two kinds."""
    folder = tmp_path_factory.mktemp("pages")
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    exercise_page().save(folder / "drawn.html")
    run = rnn.unroll(bits("10110"))
    play((15 - run.pi[0]) ** 2, focus=rnn.weights[0][0], run=run).save(folder / "wide.html")
    x = Value(0.5, "x")
    y = x
    for _ in range(500):
        y = (y * x).tanh()
    play(y).save(folder / "cards.html")
    run = rnn.unroll(bits("101101101011"))
    play((15 - run.pi[0]) ** 2, run=run).save(folder / "steps.html")
    return folder


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.long)])
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


def exercise_page() -> Page:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    return play((15 - run.pi[0]) ** 2, run=run)


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
    assert says(page) == "copy ẇ₁ adds ∂L/∂(ẇ₁·q) · q = 64·0 = 0, ∂L/∂w₁ so far 32"
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
    assert says(page) == "copy ẅ₁ adds ∂L/∂(ẅ₁·q̇) · q̇ = 16·1 = 16, ∂L/∂w₁ so far 32"
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert step(page) == 27


def test_a_link_to_a_step(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'drawn.html').as_uri()}#step=26")
    assert page.inner_text("#where") == "Backward, step 26 of 33"
    page.click("#table summary")
    page.click("tbody a >> nth=3")
    assert step(page) == 3
    assert page.locator("tr[aria-current]").inner_text().split("\t")[0] == "3"
    for broken, at in (("#step=999", 33), ("#step=x", 0), ("#", 0)):
        page.goto(f"{(files / 'drawn.html').as_uri()}{broken}")
        page.reload()
        assert step(page) == at


def test_in_the_frame_of_a_notebook(page: Any) -> None:
    """Its address, about:srcdoc, cannot be changed."""
    page.goto("about:blank")
    page.set_content(play(Value(3, "x").tanh() * 2)._repr_html_())
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
    assert not visible(page, "#n2 .grad")
    for at, shown in ((20, "· + · + 16"), (26, "· + 16 + 16"), (32, "0 + 16 + 16 = 32")):
        page.fill("#slider", str(at))
        assert visible(page, "#n2 .grad")
        assert page.locator("#n2 .grad").text_content() == shown
    page.fill("#slider", "26")
    assert page.locator("#n10_1.now").count() == 1
    assert page.locator(".live").count() == 2
    page.fill("#slider", "1")
    assert page.locator(".waiting").count() == 12


def test_the_theme_is_that_of_the_reader(page: Any, request: pytest.FixtureRequest) -> None:
    dark = "dark" in request.node.name
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(18, 24, 31)" if dark else "rgb(255, 255, 255)")
    ink = page.evaluate("getComputedStyle(document.querySelector('#n2 text')).fill")
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


def whole(page: Any) -> bool:
    """Whether all of the picture can be seen in its frame."""
    inside, frame = page.locator("#stage svg").bounding_box(), page.locator("#stage").bounding_box()
    wide = bool(inside["width"] <= frame["width"] + 1)
    return wide and bool(inside["height"] <= frame["height"] + 1)


def test_the_picture_fits_whenever_the_window_changes(page: Any) -> None:
    """Opened small, enlarged, and made small again."""
    page.set_viewport_size({"width": 600, "height": 720})
    page.reload()
    assert whole(page)
    narrow = page.locator("#stage svg").bounding_box()["width"]
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_function(f"document.querySelector('#stage svg').clientWidth > {narrow + 1}")
    assert whole(page)
    page.set_viewport_size({"width": 600, "height": 720})
    page.wait_for_function(f"document.querySelector('#stage svg').clientWidth <= {narrow + 1}")
    assert whole(page)


def sideways(page: Any) -> int:
    """How far the page or the stage would be scrolled to the side."""
    return int(
        page.evaluate(
            "Math.max(...[document.documentElement, document.getElementById('stage')]"
            ".map(one => one.scrollWidth - one.clientWidth))"
        )
    )


def test_a_phone_has_cards_and_is_not_scrolled_sideways(page: Any) -> None:
    """What a picture is too wide for stands below each other, until the window is wide again."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    assert page.locator("#stage svg").count() == 0
    for step in (0, 8, 33):
        page.fill("#slider", str(step))
        assert sideways(page) == 0
        if step:
            seen(page, ".card.now")
    assert page.get_attribute("#n15_1", "aria-label").endswith("data 4.0, grad 16")
    page.click("#n15_1")
    assert "copy w⃛₁ adds" in page.inner_text("#about")
    page.click("#zoom")
    assert page.locator("#stage svg .now").count() == 1
    page.click("#zoom")
    assert page.locator("#stage .cards").is_visible()
    page.set_viewport_size({"width": 600, "height": 720})
    page.wait_for_selector("#stage svg")
    assert whole(page)
    assert page.locator("#stage .cards").count() == 0
    assert page.locator("svg .now").count() == 1


def test_in_a_frame_of_a_page_that_grows(page: Any) -> None:
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto("about:blank")
    page.set_content(exercise_page()._repr_html_())
    page.evaluate("document.querySelector('iframe').style.width = '600px'")
    frame = page.frame_locator("iframe")
    frame.locator("#say").wait_for()
    stage, svg = frame.locator("#stage"), frame.locator("#stage svg")
    for width in (600, 950):
        page.evaluate(f"document.querySelector('iframe').style.width = '{width}px'")
        page.wait_for_timeout(200)
        assert svg.bounding_box()["width"] <= stage.bounding_box()["width"] + 1
        assert stage.bounding_box()["width"] > width - 60


def seen(page: Any, selector: str) -> None:
    """The middle of a box is inside the frame."""
    box, frame = page.locator(selector).bounding_box(), page.locator("#stage").bounding_box()
    assert frame["x"] <= box["x"] + box["width"] / 2 <= frame["x"] + frame["width"]
    assert frame["y"] <= box["y"] + box["height"] / 2 <= frame["y"] + frame["height"]


def test_a_large_drawing_is_scrolled_to_where_it_happens(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'wide.html').as_uri()}#step=40")
    page.set_viewport_size({"width": 700, "height": 720})
    page.click("#zoom")
    assert page.get_attribute("#zoom", "aria-pressed") == "true"
    for step in (40, 1, 3):
        page.fill("#slider", str(step))
        seen(page, "svg .now")
    page.click("#zoom")
    assert page.get_attribute("#zoom", "aria-pressed") == "false"
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_function("document.querySelector('#stage').clientWidth > 1000")
    assert whole(page)


def words(page: Any, id: str) -> str:
    """The accessible name of a box or an arrow, which is its tooltip too."""
    return str(page.locator(f"#{id} > title").text_content())


def test_nothing_is_there_before_its_time(page: Any) -> None:
    """Neither to the eye, nor to a screen reader, nor in a tooltip."""
    assert page.inner_text("h1") == "L: forward, then backward"
    assert words(page, "n2") == "w₁: data 4.0"
    assert words(page, "n8") == "π̇: not computed yet"
    assert words(page, "e8") == "ẇ₂·ẋ → π̇"
    assert not visible(page, "#n8 .data")
    assert not visible(page, "#e8 .note text")
    assert not visible(page, "#e1 .chip text")
    assert "64" not in page.locator("#stage").aria_snapshot()
    page.fill("#slider", "3")
    assert words(page, "n8") == "π̇: data 1.0"
    assert words(page, "e8") == "ẇ₂·ẋ → π̇, local derivative 1"
    assert visible(page, "#n8 .data")
    assert visible(page, "#e8 .note text")
    page.click("#table summary")
    page.wait_for_selector("#table tbody tr")  # it is filled when it has opened
    assert page.locator("#table tbody tr").count() == 4
    page.fill("#slider", "33")
    assert words(page, "n8") == "π̇: data 1.0, grad 64"
    assert words(page, "e1") == "ẇ₁ is a copy of w₁: + 0"
    assert page.locator("#table tbody tr").count() == 34
    page.fill("#slider", "2")
    assert page.locator("#table tbody tr").count() == 3
    assert words(page, "n8") == "π̇: not computed yet"


def test_arrows_point_the_way_the_sweep_goes(page: Any) -> None:
    def shown(selector: str) -> bool:
        return bool(
            page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).display")
            != "none"
        )

    page.fill("#slider", "3")
    assert shown("svg .live > polygon")
    assert not shown("svg .live .back")
    page.fill("#slider", "20")
    assert not shown("svg .live > polygon")
    assert shown("svg .live .back")


def test_a_box_tells_of_itself_so_far(page: Any) -> None:
    """By a click, and by the keyboard."""
    page.fill("#slider", "5")
    page.click("#n21", position={"x": 4, "y": 4})
    assert page.inner_text("#about h2 span") == "L"
    assert page.inner_text("#about p") == "L = (15 − π⃛)² = ?"
    page.click("#about button")
    assert page.is_hidden("#about")
    page.fill("#slider", "26")
    page.focus("#n2")
    page.keyboard.press("Enter")
    assert page.inner_text("#about p") == "w₁ = 4, given"
    assert page.locator("#about li").all_inner_texts() == [
        "step 20: copy w⃛₁ adds ∂L/∂(w⃛₁·q̈) · q̈ = 4·4 = 16, ∂L/∂w₁ so far 16",
        "step 26: copy ẅ₁ adds ∂L/∂(ẅ₁·q̇) · q̇ = 16·1 = 16, ∂L/∂w₁ so far 32",
    ]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text("#about h2 span") == "w₂"
    page.click("#about a >> nth=0")
    page.wait_for_function("location.hash === '#step=19'")
    assert page.locator("#about li").count() == 1
    page.keyboard.press("Escape")
    assert page.is_hidden("#about")


def test_the_speed(page: Any) -> None:
    page.select_option("#speed", "4")
    page.click("#play")
    page.wait_for_function("location.hash === '#step=3'", timeout=1200 * 2)
    page.select_option("#speed", "0.5")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.click("#play")


def test_predicting(page: Any) -> None:
    page.fill("#slider", "10")
    page.click("[data-mode=predict]")
    assert says(page) == "π⃛ = w₁·q̈ + w₂·x⃛ = ?"
    assert words(page, "n18") == "π⃛: not computed yet"
    for written, told in [
        ("what", "Type a number, such as −0.5 or 3/4."),
        ("16", "Not 16. Try again."),
        ("17,0", "Right: π⃛ = w₁·q̈ + w₂·x⃛ = 16 + 1 = 17"),
    ]:
        page.keyboard.type(written)
        page.keyboard.press("Enter")
        assert page.inner_text("#told") == told
        if told.startswith("Type"):
            page.fill("#number", "")
    assert says(page) == "15 − π⃛ = ?"
    page.keyboard.type("−4/2")
    page.keyboard.press("Enter")
    page.click("#reveal")
    assert page.inner_text("#told") == "It is: L = (−2)² = 4"
    assert page.inner_text("#score") == "Right at the first try: 1 of 3"
    marks = [mark.split(":")[0] for mark in page.locator("#marks li").all_inner_texts()]
    assert marks == ["✗ at try 2", "✓", "✗ shown"]
    page.click("[data-mode=watch]")
    assert step(page) == 13
    assert page.is_hidden("#answer")


@pytest.mark.parametrize(
    ("x", "right", "wrong"),
    [
        (1000.0, ["inf", "∞", "+Infinity"], ["1000", "-inf", "nan"]),
        (float("nan"), ["nan", "NaN"], ["0", "inf"]),
        (0.0, ["1", "1.004", "3/3"], ["1.006", "0", "1/0"]),
        (-1.0, ["0.3679", "0.368", "3.68e-1", "0,367"], ["0.37", "-0.3679"]),
    ],
)
def test_what_counts_as_right(
    page: Any, tmp_path: Path, x: float, right: list[str], wrong: list[str]
) -> None:
    """Half a percent, at any size."""
    play(Value(x, "x").exp()).save(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    for answer in wrong + right:
        page.click("[data-mode=watch]")
        page.fill("#slider", "0")
        page.click("[data-mode=predict]")
        page.keyboard.type(answer)
        page.keyboard.press("Enter")
        assert page.inner_text("#told").split(":")[0] == (
            "Right" if answer in right else f"Not {answer}. Try again."
        )


def test_predicting_to_the_end(page: Any) -> None:
    page.click("[data-mode=predict]")
    for _ in range(33):
        page.click("#reveal")
    assert page.is_hidden("#reveal")
    assert page.inner_text("#where") == "Done, step 33 of 33"


@pytest.mark.parametrize("choice", [0, -1])
def test_doing_the_sweep_in_any_order(page: Any, choice: int) -> None:
    """The first box that is ready, or the last; all by the keyboard."""
    boxes = film_of(page)
    page.click("[data-mode=sweep]")
    assert words(page, "n21") == "L: data 4.0"
    assert page.locator(".grad.hidden").count() == page.locator(".grad").count()
    page.focus("#n19")
    page.keyboard.press("Enter")
    assert page.inner_text("#told") == "Not yet: L uses 15 − π⃛, and ∂L/∂L is not there."
    done: list[str] = []
    while len(done) < len(boxes):
        ready = [id for id in boxes if id not in done and set(boxes[id]["users"]) <= set(done)]
        id = ready[choice]
        page.focus(f"#{id}")
        page.keyboard.press("Enter")
        page.keyboard.type(boxes[id]["adjoint"])
        page.keyboard.press("Enter")
        done.append(id)
        assert words(page, id).split(", grad ")[1].endswith(boxes[id]["grads"][-1][1])
    assert says(page) == "The sweep is done."
    assert page.inner_text("#score") == f"Right at the first try: {len(boxes) - 1} of {len(boxes)}"
    assert "✓: ∂L/∂q̈ = ∂L/∂(w⃛₁·q̈) · w⃛₁ = 4·4 = 16" in page.inner_text("#marks")
    assert "✓: ∂L/∂w₁ = 0 + 16 + 16 = 32" in page.inner_text("#marks")


def film_of(page: Any) -> dict[str, Any]:
    """The boxes that the sweep reaches."""
    film = page.evaluate("JSON.parse(document.getElementById('film').textContent)")
    return {box["id"]: box for box in film["boxes"] if box["adjoint"] is not None}


def test_steps_as_cards(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'steps.html').as_uri()}#step=60")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("ArrowRight")
        seen(page, ".card.now")
    assert page.locator(".step.open").count() == 1
    page.click("section:nth-of-type(2) button")
    assert page.locator(".step.open").count() == 2
    page.click("section:nth-of-type(2) button")
    page.keyboard.press("End")
    assert page.get_attribute("#n2", "aria-label").startswith("w₁: data 4.0, grad ")
    page.click("[data-mode=sweep]")
    assert page.locator(".step.open").count() == 12
    page.keyboard.press("Enter")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    assert page.inner_text("#told") == "Right: Backward starts at the output: ∂L/∂L = 1."


def test_cards_of_a_large_graph(page: Any, files: Path) -> None:
    page.goto(f"{(files / 'cards.html').as_uri()}#step=900")
    assert page.locator(".card.now").count() == 1
    assert page.locator(".card.now").is_visible()
    page.keyboard.press("End")
    assert page.locator(".waiting").count() == 0
    assert page.locator(".grad.hidden").count() == 0


# --- on a page that has other things --------------------------------------------------------------


def test_players_on_another_page(browser: Any, tmp_path: Path) -> None:
    """Two films beside each other: neither takes the address, the keys or the ids of the page."""
    x = Value(3, "x")
    films = [exercise_page(), play(x * x + 1)]
    roots = [f'<div id="root{place}">{film.svg}</div>' for place, film in enumerate(films)]
    calls = [f"player(root{place}, {json.dumps(film.film)})" for place, film in enumerate(films)]
    (tmp_path / "page.html").write_text(
        f"<!doctype html><style>{films[0].style}</style><p id=say>Words of the page</p>"
        f"{''.join(roots)}<script>{films[0].script}\n"
        f"window.players = [{', '.join(calls)}]</script>",
        "utf-8",
    )
    page = browser.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri() + "#mine")
    assert page.inner_text("#say") == "Words of the page"
    first, second = page.locator("#root0"), page.locator("#root1")
    page.evaluate("players[0].show(20)")
    said = "copy w⃛₁ adds ∂L/∂(w⃛₁·q̈) · q̈ = 4·4 = 16, ∂L/∂w₁ so far 16"
    assert first.locator("[data-part=say]").inner_text() == said
    assert first.locator("[data-part=say]").get_attribute("data-node") == "n15_1"
    assert first.locator("svg .now").get_attribute("data-node") == "n15_1"
    assert second.locator("[data-part=where]").inner_text() == "Given, step 0 of 6"
    second.locator("[data-part=next]").click()
    page.keyboard.press("ArrowRight")
    assert second.locator("[data-part=where]").inner_text() == "Forward, step 2 of 6"
    first.locator("summary").click()
    first.locator("tr a").nth(3).click()
    assert first.locator("[data-part=where]").inner_text() == "Forward, step 3 of 33"
    page.locator("#say").click()
    page.keyboard.press("End")
    assert first.locator("[data-part=where]").inner_text() == "Forward, step 3 of 33"
    assert page.evaluate("location.hash") == "#mine"
    ids = page.evaluate("[...document.querySelectorAll('.player [data-part]')].map(one => one.id)")
    assert len(ids) == len(set(ids)) == 40
    page.evaluate("players[0].stop()")
    assert first.locator(".player").count() == 0
    assert first.locator(".waiting, .hidden, .now").count() == 0
    assert first.locator("svg").bounding_box()["width"] > 100
    assert second.locator("[data-part=where]").inner_text() == "Forward, step 2 of 6"
    assert troubles == []
    page.close()
