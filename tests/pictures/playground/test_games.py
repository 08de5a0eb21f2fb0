"""The four games, played through by keyboard."""

import math
from typing import Any

import pytest

from .conftest import Visit

pytestmark = pytest.mark.playground


def verdict(page: Any, words: str) -> None:
    """Wait until the verdict has these words."""
    page.wait_for_function(
        "words => document.querySelector('#verdict').innerText.includes(words)", arg=words
    )


def enter(visit: Visit, places: int, link: str = "") -> Any:
    """Go to a game by its tab, with the arrow keys."""
    page = visit.open(link)
    page.focus("#modes [aria-selected=true]")
    for _ in range(places):
        page.keyboard.press("ArrowRight")
    visit.settle()
    return page


def test_predict_first(opened: Visit) -> None:
    page = enter(opened, 1, "focus=2")
    assert "68" not in page.inner_text("main")
    page.wait_for_selector(".answers input")
    page.focus(".answers input")
    for text in ("32", "0", "-4", "64"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    verdict(page, "Not all of it is right yet.")
    marks = [mark.inner_text() for mark in page.query_selector_all(".answers .mark")]
    assert marks == [
        "✗ Not 32: the factor 2 of the square's derivative is missing.",
        "✓ Right.",
        "✗ Not -4: the sign of the inner derivative of (y − π)² is missing.",
        "✗ Not 64: the copy w⃛₂ is forgotten.",
    ]
    assert page.evaluate("document.activeElement.name") == "t1"
    for text in ("64", "0", "4", "68"):
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    verdict(page, "All of it is right.")
    opened.settle()
    assert "= 68" in page.inner_text("#result")
    assert page.query_selector("#derivation math")


def test_predict_first_names_the_slope_that_was_left_out(opened: Visit) -> None:
    # L = (1 − (w₁·tanh(w₂) + w₂))², so ∂L/∂ẇ₂ = −2(1 − π̈)·w₁·a′(π̇) with a′ = 1 − tanh².
    page = enter(opened, 1, "a=tanh&bits=11&w=2,1&y=1&focus=2")
    page.wait_for_selector(".answers input")
    page.focus(".answers input")
    page.keyboard.type(str(8 * math.tanh(1)))
    page.keyboard.press("Enter")
    verdict(page, "2 still to come")
    words = "a′ was taken as 1 everywhere"
    assert words in page.inner_text(".answers .mark >> nth=0")
    page.keyboard.type("nothing")
    page.keyboard.press("Enter")
    page.wait_for_selector(".answers .unread")
    assert "'nothing' is not a number" in page.inner_text(".answers .unread")


def test_do_the_sweep(opened: Visit) -> None:
    page = enter(opened, 2, "bits=1")
    page.wait_for_selector("#stage .ready")
    page.focus("#stage .node.copy")
    page.keyboard.press("Enter")
    verdict(page, "Not yet: ẇ₁·q uses ẇ₁, and ∂L/∂(ẇ₁·q) is not there.")

    def give(text: str) -> None:
        page.focus("#stage .node.ready")
        page.keyboard.press("Enter")
        page.wait_for_selector("#entry:not([hidden])")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.wait_for_selector("#entry", state="hidden")

    told = []
    for text, words in [
        ("1", "✓ ∂L/∂L = 1."),
        ("14", "✗ ∂L/∂(15 − π̇) = 14. The factor 2 of the square's derivative is missing."),
        ("-14", "≈ ∂L/∂π̇ = −14. It follows from your numbers before it."),
        ("−28", "✓ ∂L/∂(ẇ₁·q) = −28."),
    ]:
        give(text)
        verdict(page, words)
        told.append(words)
    marks = [mark.inner_text() for mark in page.query_selector_all("#marks li")]
    assert [mark[0] for mark in marks] == ["✓", "✗", "≈", "✓"]
    page.wait_for_function("location.hash.includes('%3B') && location.hash.endsWith('28')")
    link = page.url
    # What was shown is no point, and the model answer comes at the end.
    while page.query_selector("#stage .node.ready"):
        page.focus("#stage .node.ready")
        page.keyboard.press("Enter")
        page.focus("#show")
        page.keyboard.press("Enter")
        page.wait_for_selector("#entry", state="hidden")
        opened.settle()
    verdict(page, "The sweep is done. Right: 3 of 7.")
    assert "∂L/∂π̇ = ∂L/∂(15 − π̇) · (−1) = 28·(−1) = −28" in page.inner_text("#model")
    assert "∂L/∂w₁ = 0" in page.inner_text("#marks")
    # The attempt is in the link.
    page = opened.open(link.partition("#")[2])
    page.wait_for_selector("#marks li:nth-child(4)")
    assert [mark.inner_text() for mark in page.query_selector_all("#marks li")] == marks


def test_a_hasty_sweep_gives_each_number_once(opened: Visit) -> None:
    page = enter(opened, 2, "bits=1")
    # All of it before Python has answered once: the box twice, its number twice, the next box.
    page.evaluate("""() => {
        const press = box => box.dispatchEvent(
            new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        const output = document.querySelector("#stage .node.ready");
        press(output);
        press(output);
        setTimeout(() => {
            document.querySelector("#show").click();
            document.querySelector("#show").click();
            press(output);
        });
    }""")
    page.wait_for_selector("#marks li")
    opened.settle()
    marks = [mark.inner_text() for mark in page.query_selector_all("#marks li")]
    assert marks == ["· ∂L/∂L = 1. Backward starts at the output: ∂L/∂L = 1."]
    assert page.is_hidden("#entry")


def test_an_answer_that_comes_too_late_is_of_no_effect(opened: Visit) -> None:
    page = enter(opened, 1, "bits=1")
    page.wait_for_selector(".answers input")
    away = """() => {
        const from = document.querySelector("#panel form, #entry");
        from.requestSubmit();
        document.querySelector("#tab-explore").click();
    }"""
    for field, text in zip(page.query_selector_all(".answers input"), ("0", "0"), strict=True):
        field.fill(text)
    # All right, but of the game that was left: nobody is taken back to it.
    page.evaluate(away)
    opened.settle()
    page.wait_for_timeout(300)
    assert page.evaluate("document.body.dataset.mode") == "explore"
    page = enter(opened, 2, "bits=1")
    page.focus("#stage .node.ready")
    page.keyboard.press("Enter")
    page.wait_for_selector("#entry:not([hidden])")
    page.fill("#number", "nothing")
    # What is refused has no place to be told; and a number is none of the next exercise.
    page.evaluate(away)
    opened.settle()
    page = enter(opened, 2, "bits=1")
    page.focus("#stage .node.ready")
    page.keyboard.press("Enter")
    page.wait_for_selector("#entry:not([hidden])")
    page.fill("#number", "1")
    page.evaluate("""() => {
        document.querySelector("#entry").requestSubmit();
        document.querySelector("[data-bit='0']").click();
    }""")
    opened.settle()
    page.wait_for_timeout(300)
    assert "attempt" not in page.url
    assert page.query_selector("#marks li") is None


def test_a_game_that_fails_leaves_the_page_at_rest(browser: Any, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()

    def failing(route: Any) -> None:
        body = route.fetch().text()
        assert "shown: follow" in body
        assert "changed: follow" in body
        body = body.replace("shown: follow", "shown() { throw new Error('shown'); }")
        body = body.replace("changed: follow", "changed() { throw new Error('changed'); }")
        route.fulfill(body=body, content_type="text/javascript")

    page.route("**/games/sweep.js", failing)
    visit = Visit(page, f"{address}#mode=sweep", address)
    visit.settle()
    assert "shown" in visit.troubles
    page.evaluate("document.querySelector('#undo').disabled = false")
    page.click("#undo")
    page.wait_for_timeout(100)
    visit.settle()
    assert "changed" in visit.troubles
    context.close()


def test_separate_it(opened: Visit) -> None:
    page = enter(opened, 3)
    verdict(page, "Choose boxes until every path from w₁ to L")
    page.focus("#stage .node.copy >> nth=0")
    page.keyboard.press("Enter")
    verdict(page, "Not yet: a path escapes, w₁ → w⃛₁")
    assert page.query_selector("#stage .node.escape")
    for place in (1, 2):
        page.focus(f"#stage .node.copy >> nth={place}")
        page.keyboard.press(" ")
    verdict(page, "your set of 3. A smallest set of nodes has 1: π⃛.")
    opened.settle()
    page.wait_for_selector("#derivation math")
    page.focus("#clear")
    page.keyboard.press("Enter")
    verdict(page, "Choose boxes")
    page.focus("#stage .node.output")
    page.keyboard.press("Enter")
    verdict(page, "choose boxes between them")


def test_vanish_and_explode(opened: Visit) -> None:
    page = enter(opened, 4, "a=linear")
    verdict(page, "the sum of 12 terms. What comes back from L explodes")
    page.focus("#steps")
    page.keyboard.press("End")
    verdict(page, "the sum of 60 terms")
    assert len(page.query_selector_all("#chart circle")) == 60
    page.focus("#weight")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("PageUp")
    opened.settle()
    assert page.inner_text("#axis") == "The axis is logarithmic."
    page = opened.open("mode=vanish&w=0.5,1&a=linear&steps=30")
    verdict(page, "What comes back from L vanishes: at step 1 it is")
