"""The sections of a derivation: the lecture's, and those through other sets."""

from pathlib import Path

import pytest

from autograd_rnn import RNN, bits, copies, derive
from autograd_rnn.engine.value import constant

from .examples import exercise

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("form", ["text", "latex"])
def test_the_exercise_reads_like_the_lecture(form: str) -> None:
    assert getattr(exercise(), form) == (GOLDEN / f"exercise.{form}").read_text("utf-8")


def test_the_exercise_has_the_equations_of_panels_12_to_16() -> None:
    latex = exercise().latex
    for line in [
        # 12
        r"\frac{\partial L}{\partial \dddot{\pi}} \cdot \frac{\partial \dddot{\pi}}{\partial w",
        r"-2\left(y - \dddot{\pi}\right)\left(\frac{\partial \dddot{\pi}}{\partial \dot{w}_{1}} + ",
        # 13
        r"\frac{\partial \dddot{\pi}}{\partial \dddot{w}_{1}} &= \ddot{q}",
        r"= \dot{q} \cdot \frac{\partial \dddot{\pi}}{\partial \ddot{\pi}}",
        r"= q \cdot \frac{\partial \dddot{\pi}}{\partial \dot{\pi}}",
        r"= \dddot{w}_{1} \cdot a'\left(\ddot{\pi}\right) = w_{1} \cdot a'\left(\ddot{\pi}\right)",
        r"= w_{1}^{2} \cdot a'\left(\ddot{\pi}\right) \cdot a'\left(\dot{\pi}\right)",
        # 14
        r"-2\left(y - \dddot{\pi}\right)\left(\ddot{q} + \dot{q} \cdot w_{1} \cdot a'\left(",
        r"q \cdot w_{1}^{2} \cdot a'\left(\ddot{\pi}\right) \cdot a'\left(\dot{\pi}\right)\right)",
        # 16
        r"-2\left(15 - 17\right)\left(4 + 1 \cdot 4 \cdot 1 + 0 \cdot 4^{2} \cdot 1 \cdot 1\right)",
        r"= 32",
    ]:
        assert line in latex


def test_the_exercise_as_data() -> None:
    worked = exercise()
    assert worked.value == 32.0
    assert [(t.name, t.outer, t.inner, t.grad) for t in worked.terms] == [
        *[("ẇ₁", 0.0, 1.0, 0.0), ("ẅ₁", 16.0, 1.0, 16.0), ("w⃛₁", 16.0, 1.0, 16.0)]
    ]
    assert [section.title for section in worked.sections] == [
        *["The problem", "The forward pass", "The separating set", "The chain rule"],
        *["The remaining derivatives", "The general formula", "The numbers"],
    ]
    assert repr(worked) == "<Derivation: ∂L/∂w₁ = 32.0>"
    assert str(worked) == worked.text
    assert worked._repr_markdown_() == worked.markdown
    assert exercise(1).value == 68.0


def test_the_copies_given_as_a_list_read_the_same() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (constant(15.0, "y") - run.pi[0]) ** 2
    w1 = rnn.weights[0][0]
    assert derive(loss, w1, run=run, through=copies(w1, loss, run)).text == exercise().text


def test_a_smallest_set_is_the_lectures_gate() -> None:
    worked = exercise(through="minimum")
    assert [(t.name, t.outer, t.inner) for t in worked.terms] == [("π⃛", 4.0, 8.0)]
    assert "∂L/∂w₁ = ∂L/∂π⃛·dπ⃛/dw₁" in worked.text
    assert worked.value == 32.0


def test_a_set_whose_members_lie_behind_each_other() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    worked = derive(loss, rnn.weights[0][0], run=run, through=[step.pi[0] for step in run.steps])
    assert [(t.outer, t.inner) for t in worked.terms] == [(0.0, 0.0), (0.0, 1.0), (4.0, 8.0)]
    assert "holds the rest of S fixed" in worked.text
    assert "∂L/∂π⃛|S·dπ⃛/dw₁" in worked.text
    assert "∂L/∂π̈|S = 0" in worked.text
    # What is 0 is dropped afterwards.
    assert "∂L/∂w₁ = −2(15 − π⃛)·dπ⃛/dw₁" in worked.text
    assert worked.value == 32.0
