"""Marks: right, wrong, right after a slip, and the slip by its name."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import exercises, grade
from autograd_rnn.derivation.exercises.grading import read_number
from autograd_rnn.derivation.exercises.kinds import KINDS
from autograd_rnn.derivation.exercises.layout import written_answer
from autograd_rnn.derivation.exercises.sheet import Sheet


@pytest.fixture(scope="module")
def whole() -> Sheet:
    """A sheet with an exercise of each kind."""
    return exercises(len(KINDS), seed=8)


def test_the_right_answers_get_all_points(whole: Sheet) -> None:
    graded = grade(whole.code, whole.answers)
    assert (graded.points, graded.most, graded.slips) == (len(KINDS), len(KINDS), [])
    results = {place: one.answer for place, one in enumerate(whole.questions, 1)}
    assert grade(whole.code, results).points == len(KINDS)
    written = [", ".join(map(str, some)) for some in whole.answers]
    assert grade(whole.code, written).points == len(KINDS)


def test_answers_are_taken_as_the_sheet_prints_them(whole: Sheet) -> None:
    printed = [[written_answer(field) for field in one.fields] for one in whole.questions]
    assert grade(whole.code, printed).points == len(KINDS)
    for text, number in (
        *(("−6", -6.0), ("1/512", 1 / 512), ("-(1/4)⁹", -(0.25**9)), ("(−1/2)^3", -0.125)),
        *(("−3.8×10⁻⁶", -3.8e-6), ("2 * 10^-3", 0.002), ("10⁴", 1e4), ("1/2⁹", 1 / 512)),
        *(("1/2*3", 1.5), ("(3)", 3.0), ("1e-3", 0.001), ("2⁻³", 0.125)),
        *(("1/(1/4)", 4.0), ("(1/2)*3/(4·2)", 0.1875), (" (1/2)⁹\n", 1 / 512)),
        ("1/" * 5000 + "8", 0.125),
    ):
        assert read_number(text, "it") == pytest.approx(number, rel=1e-15)
    for text in (
        "²",
        "1/0",
        "9^9^9",
        "(2",
        "((2))",
        "1e999",
        "10^999999",
        "(1/2)^",
        "2(3)",
        "*" * 3000,
    ):
        with pytest.raises(ValueError, match="is not a number such as"):
            read_number(text, "it")


def test_nothing_gets_nothing(whole: Sheet) -> None:
    graded = grade(whole.code, {})
    assert graded.points == 0
    assert all("no answer; right is" in slip for slip in graded.slips)


@pytest.mark.parametrize("name", KINDS)
def test_each_mistake_is_named(name: str) -> None:
    sheet = exercises(1, kinds=[name], seed=8)
    ((*_, field),) = [one.fields for one in sheet.questions]
    assert field.mistakes
    for mistake in field.mistakes[:5]:
        (mark,) = grade(sheet.code, [mistake.value]).marks
        assert mark.points == 0.0
        assert mark.words.startswith(mistake.words)


def follow(answers: Sequence[float], slip: int) -> list[float]:
    """π, ∂L/∂π, the terms and their sum, with a wrong ∂L/∂π from which the rest follows."""
    pi, delta, *terms, _ = answers
    ratio = (delta + slip) / delta
    moved = [term * ratio for term in terms]
    return [pi, delta + slip, *moved, sum(moved)]


@given(st.integers(1, 9), st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_what_follows_from_a_slip_counts(slip: int, seed: int) -> None:
    sheet = exercises(1, kinds=["copies"], seed=seed, level=3)
    (right,) = sheet.answers
    graded = grade(sheet.code, [follow(right, slip if right[1] > 0 else -slip)])
    wrong = [mark for mark in graded.marks if mark.points == 0.0]
    assert [mark.asked for mark in wrong] == [graded.marks[1].asked]
    assert graded.points == pytest.approx(1 - 1 / len(right))
    assert all("follows from" in mark.words or not mark.words for mark in graded.marks[2:])


def test_a_slip_after_a_slip_is_named() -> None:
    sheet = exercises(1, kinds=["start"], seed=2, level=2)
    ((pi, delta, *terms, _),) = sheet.answers
    doubled = [2 * term for term in terms]
    graded = grade(sheet.code, [[pi, 2 * delta, *doubled, doubled[-1]]])
    assert "only the last copy was counted" in graded.slips[-1]


def test_fractions_signs_and_letters() -> None:
    sheet = exercises(1, kinds=["vanishing"], level=1, seed=1)
    value = sheet.questions[0].answer
    assert isinstance(value, float)
    numerator, denominator = value.as_integer_ratio()
    assert grade(sheet.code, [f" {numerator}/{denominator} ".replace("-", "−")]).points == 1.0
    choice = exercises(1, kinds=["choice"], seed=1)
    assert grade(choice.code, [str(choice.questions[0].answer).lower()]).points == 1.0


def test_refusals() -> None:
    code = exercises(2, kinds=["copies"], seed=1).code
    for words, answers in [
        ("answers has 1 entry, but the sheet has 2 exercises", [1.0]),
        ("exercise 1 asks for 5 answers, but 2 are given", ["1,2", 3.0]),
        ("exercise 2, ∂L/∂w.*: 'many' is not a number such as -6 or 1/512", [1.0, "many"]),
        ("'1/0' is not a number", ["1/0", 2]),
        ("must be a number, not bool", [1.0, [True]]),
        ("answers has 3, but the exercises are 1 to 2", {3: 1.0}),
        ("answers must be a list", "16"),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            grade(code, answers)
    with pytest.raises(ValueError, match="is not that of a sheet"):
        grade("0000", [])
