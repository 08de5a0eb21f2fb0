"""Exercise sheets: small numbers, different answers, and the same sheet for the same seed."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import gradients
from autograd_rnn.derivation import exercises
from autograd_rnn.derivation.document import as_text
from autograd_rnn.derivation.exercises import ACTIVATIONS, make_exercises, sheet
from autograd_rnn.derivation.typeset import as_markdown


@given(
    st.integers(1, 12),
    st.integers(-(2**40), 2**40),
    st.integers(3, 5),
    st.integers(1, 2),
    st.sampled_from(ACTIVATIONS),
)
@settings(max_examples=40)
def test_answers_are_different_and_every_weight_matters(
    count: int, seed: int, steps: int, states: int, activation: str
) -> None:
    made = make_exercises(count, seed=seed, steps=steps, states=states, activation=activation)
    assert len(made) == count
    answers = [one.answer for one in made]
    assert len({round(answer, 2) for answer in answers}) == count or activation != "tanh"
    assert len(set(answers)) == count
    assert 0.0 not in answers
    for one in made:
        rnn = one.run.rnn
        assert (rnn.states, rnn.activation, len(one.run.steps)) == (states, activation, steps)
        assert all(w.data.is_integer() and 1 <= abs(w.data) <= 4 for w in rnn.parameters())
        assert one.y.is_integer()
        slopes = gradients(one.loss, rnn.parameters())
        assert all(slopes)
        assert one.answer == gradients(one.loss, [one.weight])[0]
        if activation != "tanh":
            assert one.answer.is_integer()


def test_the_solutions_have_the_answers() -> None:
    made = make_exercises(5, seed=7)
    sections = sheet(made, solutions=True)
    assert [section.title for section in sections] == [
        *["Exercise"] * 5,
        *[f"Solution of exercise {place}" for place in range(1, 6)],
    ]
    for one, solution in zip(made, sections[5:], strict=True):
        (*_, last) = solution.equations
        assert last.sides[-1].expression.value == one.answer
    assert len(sheet(made, solutions=False)) == 5
    # An exercise does not give its answer away.
    asked = as_text(sheet(made, solutions=False))
    assert "∂L/∂w₁ =" not in asked
    assert "reads the bits" in asked
    assert "ẇ" not in asked


def test_the_same_seed_gives_the_same_sheet_in_every_process() -> None:
    code = (
        "from autograd_rnn.derivation.exercises import make_exercises, sheet\n"
        "from autograd_rnn.derivation.typeset import as_markdown\n"
        "print(as_markdown(sheet(make_exercises(4, seed=3, states=2), True)))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    here = as_markdown(sheet(make_exercises(4, seed=3, states=2), True))
    assert printed[0].decode().rstrip() == here.rstrip()
    other = as_markdown(sheet(make_exercises(4, seed=4, states=2), True))
    assert other != here


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "MOST_ATTEMPTS", 2000)
    for words, options in [
        ("count must be 1 or more", {"count": 0}),
        ("steps must be 2 or more", {"count": 1, "steps": 1}),
        ("steps must be 3 or more", {"count": 1, "steps": 2, "states": 2}),
        ("states must be 2 or less", {"count": 1, "states": 3}),
        ("activation .sigmoid. is unknown", {"count": 1, "activation": "sigmoid"}),
        ("only [0-9]+ different exercises were found", {"count": 1000, "steps": 2}),
    ]:
        with pytest.raises(ValueError, match=words):
            make_exercises(**options)
