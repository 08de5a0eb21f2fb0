"""The page as a visitor uses it: the controls, the link, what is lit, files, bad input."""

import json
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import GRU, RNN, Linear, Stack

from .conftest import Visit

pytestmark = pytest.mark.playground


def said(page: Any) -> str:
    """The result, in one line."""
    return " ".join(page.inner_text("#result").split())


def test_every_control_changes_the_exercise(opened: Visit) -> None:
    page = opened.open("")
    assert said(page) == "L = (15 − 17)² = 4 ∂L/∂w₁ = 0 + 16 + 16 = 32"
    page.click("[data-bit='1']")
    page.wait_for_function("document.querySelector('#result').innerText.includes('21')")
    page.click("#longer")
    page.fill("#y", "-1/2")
    page.fill("[data-weight='0']", "−0.5")
    page.evaluate("document.querySelector('#more').open = true")
    page.select_option("#activation", "tanh")
    page.fill("[data-start='0']", "2")
    page.select_option("#focus", "2")
    opened.settle()
    page.wait_for_function("location.hash.includes('focus=2')")
    assert "bits=1111&y=-1%2F2&w=%E2%88%920.5%2C1&q=2&a=tanh&focus=2" in page.url
    assert said(page).startswith("L = (−0.5 − ")
    assert "∂L/∂w₂ = " in said(page)
    for net, boxes in (("two", 3), ("lstm", 1)):
        page.select_option("#net", net)
        opened.settle()
        assert len(page.query_selector_all("#stage .node")) > boxes
        assert not page.is_visible("#trouble")
    for detail in ("scalar", "neuron", "step"):
        page.select_option("#detail", detail)
        opened.settle()
        assert not page.is_visible("#trouble")


def test_a_slider_and_its_number_follow_each_other(opened: Visit) -> None:
    page = opened.open("")
    page.focus("[data-slide='1']")
    page.keyboard.press("ArrowRight")
    opened.settle()
    assert page.input_value("[data-weight='1']") == "1.1"
    page.fill("[data-weight='1']", "-2")
    opened.settle()
    assert page.input_value("[data-slide='1']") == "-2"


def test_a_quantity_is_lit_everywhere_by_mouse_and_by_keyboard(opened: Visit) -> None:
    page = opened.open("")
    page.hover("#stage .node.copy >> nth=1")
    node = page.get_attribute("#stage .node.copy >> nth=1", "data-node")
    for place in ("#stage", "#table", "#derivation", "#result"):
        assert page.query_selector(f"{place} .lit[data-node~='{node}']"), place
    assert page.inner_text("#about").startswith("w₁, copy 2 in step 2: data 4.0, grad 16")
    page.focus("#table [tabindex='0']")
    page.keyboard.press("ArrowRight")
    lit = page.get_attribute(":focus", "data-node")
    assert lit != node
    assert page.query_selector(f"#stage .lit[data-node~='{lit}']")
    page.focus("#stage [tabindex='0'][data-node]")
    before = page.get_attribute(":focus", "id")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute(":focus", "id") != before
    assert page.query_selector("#derivation .lit")


def test_the_sweep_is_played_on_the_picture_while_the_sliders_move(opened: Visit) -> None:
    page = opened.open("")
    page.click("#play")
    page.wait_for_selector("#stage .player")
    assert len(page.query_selector_all("svg .node.copy")) == 3
    page.focus("[data-part=next]")
    for _ in range(12):
        page.keyboard.press("Enter")
    said = page.inner_text("[data-part=say]")
    assert said.startswith("∂L/∂(15 − π⃛) = ∂L/∂L · 2(15 − π⃛) = 1·(−4) = −4")
    page.focus("[data-slide='0']")
    page.keyboard.press("ArrowLeft")
    opened.settle()
    assert page.inner_text("[data-part=say]").startswith("∂L/∂(15 − π⃛) = ∂L/∂L · 2(15 − π⃛) = 1·")
    page.click("#play")
    opened.settle()
    assert not page.query_selector("#stage .player")


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("[data-weight='0']", "four", "w1: 'four' is not a number such as -6 or 1/512."),
        ("#y", "", "target: '' is not a number such as -6 or 1/512."),
        ("[data-weight='1']", "1/0", "w2: '1/0' is not a number such as -6 or 1/512."),
    ],
)
def test_bad_input_gets_the_message_of_the_package_and_loses_nothing(
    opened: Visit, field: str, text: str, message: str
) -> None:
    page = opened.open("bits=1101")
    result, picture = said(page), page.text_content("#stage")
    page.fill(field, text)
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.inner_text("#trouble") == message
    assert page.get_attribute(field, "aria-invalid") == "true"
    assert page.input_value(field) == text
    assert said(page) == result
    assert page.text_content("#stage") == picture
    page.fill(field, "3")
    opened.settle()
    assert not page.is_visible("#trouble")
    assert page.get_attribute(field, "aria-invalid") is None


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("bits=10x", "bits: 'x' at position 3 is not one of '01'."),
        ("bits=1111111111111", "the number of bits must be 12 or less, not 13."),
        ("w=1", "the network has 2 weights, not 1."),
        ("q=0,0", "the network has 1 start state, not 2."),
        ("a=softmax", "activation 'softmax' is unknown: choose one of linear, "),
        ("focus=9", "focus must be 2 or less, not 9."),
        ("net=gru", "network 'gru' is unknown: choose one of one, two, lstm, file."),
    ],
)
def test_a_bad_link_is_told(opened: Visit, link: str, message: str) -> None:
    assert message in opened.open(link).inner_text("#trouble")


def test_numbers_beyond_floats_have_no_working(opened: Visit) -> None:
    page = opened.open("w=1e308,1e308")
    assert "no finite number" in page.inner_text("#derivation")


def test_a_teachers_link_hides_and_fixes(opened: Visit) -> None:
    page = opened.open("hide=1&fix=bits,w")
    assert said(page) == "L = (15 − 17)² = 4"
    html = page.content().partition('id="first"')[0]
    assert "grad 16" not in html
    assert page.inner_text("#derivation") == ""
    assert page.is_disabled("[data-bit='0']")
    assert page.is_disabled("[data-weight='0']")
    assert page.is_enabled("#y")
    page.click("#sharing")
    page.check("[name=fix][value=y]")
    link = page.input_value("#link")
    assert link.endswith("#hide=1&fix=bits%2Cy%2Cw")
    page.keyboard.press("Escape")


def test_files_to_take_away(opened: Visit, tmp_path: Path) -> None:
    page = opened.open("bits=1101&w=2,-1&q=1")
    page.click("#sharing")
    texts = {}
    for ending in ("svg", "tex", "py"):
        with page.expect_download() as waiting:
            page.click(f"[data-download={ending}]")
        assert waiting.value.suggested_filename == f"exercise.{ending}"
        texts[ending] = Path(waiting.value.path()).read_text("utf-8")
    page.keyboard.press("Escape")
    assert texts["svg"].startswith("<?xml")
    assert r"\begin{document}" in texts["tex"]
    known: dict[str, Any] = {}
    script = texts["py"].replace('"exercise.svg"', repr(str(tmp_path / "exercise.svg")))
    exec(script, known)
    assert f"{known['weight'].grad:g}".replace("-", "−") in said(page)


def test_a_model_is_opened(opened: Visit, tmp_path: Path) -> None:
    page = opened.open("")
    stack = Stack([GRU.random(2, 1, seed=3), Linear.random(2, 1, seed=4)]).numbered()
    stack.parameters()[0].name = "<img src=x>"
    page.set_input_files("#file", stack.save(tmp_path / "gru.json"))
    # The page is at rest also before it has read the file.
    page.wait_for_function("document.querySelector('#result').innerText.includes('<img src=x>')")
    opened.settle()
    assert page.input_value("#net") == "file"
    assert "∂L/∂<img src=x> = " in said(page)
    assert page.query_selector("main img") is None
    (tmp_path / "other.json").write_text(json.dumps({"kind": "CNN"}))
    result = said(page)
    page.set_input_files("#file", tmp_path / "other.json")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "'other.json' does not hold a model" in page.inner_text("#trouble")
    assert said(page) == result
    page.set_input_files("#file", RNN.random(3, 1).save(tmp_path / "wide.json"))
    page.wait_for_function("document.querySelector('#trouble').innerText.includes('3 outputs')")


def test_another_exercise_is_one(opened: Visit) -> None:
    page = opened.open("")
    page.click("#another")
    page.wait_for_function("location.hash.includes('y=')")
    opened.settle()
    assert "∂L/∂w₁ = " in said(page)


@pytest.mark.parametrize("width", [390, 1024, 1920])
@pytest.mark.parametrize("mode", ["explore", "predict", "sweep", "separate", "vanish"])
def test_nothing_is_wider_than_the_screen(opened: Visit, width: int, mode: str) -> None:
    opened.page.set_viewport_size({"width": width, "height": 900})
    try:
        page = opened.open(f"mode={mode}&bits=11011011")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        opened.page.set_viewport_size({"width": 1280, "height": 900})


def test_every_control_has_a_name(opened: Visit) -> None:
    page = opened.open("net=lstm")
    for mode in ("explore", "predict", "sweep", "separate", "vanish"):
        page = opened.open(f"net=lstm&mode={mode}")
        unnamed = page.evaluate(
            """[...document.querySelectorAll("button, input, select, [role=button]")]
            .filter(one => !(one.ariaLabel || one.innerText || one.labels?.[0]?.textContent))
            .map(one => one.outerHTML.slice(0, 120))"""
        )
        assert unnamed == []


@pytest.mark.parametrize("mode", ["explore", "predict", "sweep", "separate", "vanish"])
def test_a_change_is_read_aloud_once_and_what_did_not_change_is_not(
    opened: Visit, mode: str
) -> None:
    # A slider that has the focus keeps its place.
    opened.page.evaluate("document.activeElement.blur()")
    page = opened.open(f"mode={mode}")
    page.evaluate(
        """window.said = [];
        window.watch?.disconnect();
        window.watch = new MutationObserver(all => {
            for (const { target, addedNodes } of all) {
                const live = target.closest?.("[role=status], [role=alert], output");
                if (live && live.ariaLive !== "off" && addedNodes.length && live.textContent)
                    said.push(live.textContent);
            }
        });
        watch.observe(document.body, { childList: true, subtree: true })"""
    )
    page.focus("[data-slide='0']")
    page.keyboard.press("ArrowRight")
    # The page is at rest also before the key has arrived.
    page.wait_for_function("document.querySelector('#result').innerText.includes('(15 − 17.81)²')")
    opened.settle()
    said = page.evaluate("said")
    assert len(said) == 1, said
    assert said[0].startswith("∂L/∂w₁ = " if mode == "vanish" else "L = (15 − 17.81)² = 7.896")


def test_every_part_of_the_page_has_a_role_and_a_name(opened: Visit) -> None:
    named = {
        *("button", "textbox", "slider", "combobox", "tab", "checkbox", "link", "region"),
        *("tabpanel", "tablist", "image", "DisclosureTriangle", "columnheader", "rowheader"),
    }
    for mode in ("explore", "predict", "sweep", "separate", "vanish"):
        page = opened.open(f"mode={mode}")
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        session.detach()
        shown = [(one["role"]["value"], one["name"]["value"]) for one in nodes if "name" in one]
        assert [role for role, name in shown if role in named and not name.strip()] == []
        boxes = [name for role, name in shown if role == "button" and "data " in name]
        drawn = len(page.query_selector_all("#stage .node[data-node]"))
        assert len(boxes) == (drawn if page.is_visible("#stage") else 0)
