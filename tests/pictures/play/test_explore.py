"""Sliders in a notebook: what is moved, and what follows."""

import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, Linear, Model, Stack, bits, copies, explore, gradients
from autograd_rnn.errors import LibraryNotFound
from autograd_rnn.graph.notation import number
from autograd_rnn.networks.serialise import KINDS


@pytest.fixture(autouse=True)
def _widgets() -> None:
    pytest.importorskip("ipywidgets", reason='no ipywidgets: pip install ".[notebooks]"')


def lecture() -> RNN:
    return RNN([[4], [1]], activation="relu", bias=False)


def parts(explorer: Any) -> tuple[list[Any], Any, list[Any]]:
    """The switches, the choice of the weight, and the sliders."""
    (first, second, _, _) = explorer.children
    *switches, choice = first.children
    return switches, choice, list(second.children)


def test_picture_and_sum_follow_what_is_moved() -> None:
    model = lecture()
    explorer = explore(model, "101", 15)
    switches, choice, sliders = parts(explorer)
    *_, picture, total = explorer.children
    assert total.value == "L = 4, ∂L/∂w₁ = 0 + 16 + 16 = 32"
    assert [slider.description for slider in sliders] == ["w₁", "w₂"]
    assert [(slider.min, slider.max) for slider in sliders] == [(-4, 12), (-4, 6)]
    assert "w⃛₁" in picture.value
    sliders[0].value = 3.0
    assert total.value == "L = 25, ∂L/∂w₁ = 0 − 30 − 30 = −60"
    switches[1].value = True
    assert [switch.description for switch in switches] == ["1", "1", "1"]
    choice.index = 1
    assert total.value == "L = 4, ∂L/∂w₂ = −36 − 12 − 4 = −52"
    assert "w⃛₂" in picture.value
    # The model is the reader's, and stays.
    assert [weight.data for weight in model.parameters()] == [4, 1]
    assert [weight.grad for weight in model.parameters()] == [0, 0]


def test_jupyter_gets_widgets_and_others_a_picture() -> None:
    explorer = explore(lecture(), [1, 0.0, "1"], 15)
    shown = explorer._repr_mimebundle_()
    assert shown["text/plain"] == repr(explorer) == "<Explorer: L = 4, ∂L/∂w₁ = 0 + 16 + 16 = 32>"
    assert "<svg" in shown["image/svg+xml"]
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id


@given(
    weights=st.lists(st.integers(-12, 12).map(lambda n: n / 4), min_size=2, max_size=2),
    read=st.text("01", min_size=1, max_size=4),
    target=st.integers(-9, 9),
    place=st.integers(0, 1),
)
def test_the_sum_is_the_gradient(weights: list[float], read: str, target: int, place: int) -> None:
    explorer = explore(RNN([[0.5], [0.5]], activation="tanh", bias=False), read, target)
    _, choice, sliders = parts(explorer)
    for slider, weight in zip(sliders, weights, strict=True):
        slider.value = weight
    choice.index = place
    model = RNN([[weights[0]], [weights[1]]], activation="tanh", bias=False)
    run = model.unroll(bits(read))
    loss = (target - run.output) ** 2
    weight = model.parameters()[place]
    (gradient,) = gradients(loss, [weight])
    total = copies(weight, loss, run).total
    # The sweep sums in another order.
    assert total == pytest.approx(gradient, rel=1e-12, abs=1e-12)
    told = explorer.words.rpartition("= ")[2]
    assert told == number(total)


@pytest.mark.parametrize(
    "model",
    [LSTM.random(1, 1, seed=1), Stack([GRU.random(1, 1, seed=3), Linear.random(1, 1, seed=4)])],
    ids=str,
)
def test_other_models_can_be_explored(model: Model) -> None:
    assert str(explore(model, "11", 1)).startswith("<Explorer: L = ")


def test_names_with_markup_are_read_as_text() -> None:
    model = lecture()
    model.parameters()[0].name = "<b>&</b>"
    explorer = explore(model, "1", 1)
    assert explorer.words == "L = 0, ∂L/∂<b>&</b> = 0"
    assert explorer.children[-1].value == "L = 0, ∂L/∂&lt;b&gt;&amp;&lt;/b&gt; = 0"


def test_what_cannot_be_shown_is_told_and_the_next_move_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, "Gated", {})  # it is a kind for this test alone

    class Gated(Model):
        """One that reads its weights only where they give more than 0, and only up to a size."""

        letters, gates = "h", "h"

        def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
            (total,) = self.sums(weights[0], state[0] + x)
            math.exp(total.data)
            return {"h": [total if total.data > 0 else x[0] * 0.5]}

    explorer = explore(Gated([[0.0], [1.0], [2.0]]), "1", 1)
    _, _, (*_, slider) = parts(explorer)
    *_, picture, total = explorer.children
    before = picture.value
    slider.value = -1.0
    assert total.value.startswith("∂L/∂w₁: output does not depend on focus")
    assert picture.value == ""
    assert "image/svg+xml" not in explorer._repr_mimebundle_()
    slider.max = 1e3
    slider.value = 1e3
    assert total.value == "∂L/∂w₁: math range error"
    slider.value = 2.0
    assert (total.value, picture.value) == ("L = 1, ∂L/∂w₁ = 2", before)


def test_bits_of_numpy_are_bits() -> None:
    import numpy

    wanted = str(explore(lecture(), "101", 15))
    for kind in (int, float, numpy.uint8, numpy.float32):
        assert str(explore(lecture(), numpy.array([1, 0, 1], kind), 15)) == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((lecture(), [True], 1), "bits are 0 and 1, not True"),
        ((lecture(), "10x", 1), "bits are 0 and 1, not 'x'"),
        ((lecture(), [2], 1), "bits are 0 and 1, not 2"),
        ((lecture(), "", 1), "explore takes 1 to 12 bits, not 0"),
        ((lecture(), "1" * 13, 1), "explore takes 1 to 12 bits, not 13"),
        ((RNN.random(5, 1), "1", 1), "explore takes 1 to 20 weights, not 35"),
        ((RNN.random(2, 1), "1", 1), "explore takes one output, not 2 outputs"),
        ((RNN.random(1, 2), "1", 1), "2"),
        ((RNN([[math.nan], [1]], bias=False), "1", 1), "weights of at most 1e"),
        (("model", "1", 1), "explore takes a model such as RNN, not 'model'"),
        ((lecture(), "1", "1"), "target"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else value,
)
def test_what_cannot_be_explored_is_told(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        explore(*given)


def test_without_ipywidgets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(LibraryNotFound, match=r'pip install "autograd-rnn\[notebooks\]"'):
        explore(lecture(), "101", 15)
