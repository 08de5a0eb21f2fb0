"""All kinds of exercises against a solver in plain Python, which shares no code with them."""

import random
from collections.abc import Iterator

import pytest

from autograd_rnn.derivation.exercises.kinds import KINDS
from autograd_rnn.derivation.exercises.question import Question, Wishes

from .solver import answers


def made(name: str, level: int, count: int, activation: str = "") -> Iterator[Question]:
    chance = random.Random(f"{name} {level} {activation}")
    found = 0
    for _ in range(1000 * count):
        one = KINDS[name].make(chance, Wishes(level, activation=activation))
        if one is not None:
            found += 1
            yield one
        if found == count:
            return
    raise AssertionError(f"only {found} of {count} were found")


def check(one: Question) -> None:
    keys = [field.key for field in one.fields]
    solved = answers(one.kind, one.facts, keys)
    assert len(solved) == len(one.fields)
    for field, answer in zip(one.fields, solved, strict=True):
        if isinstance(field.answer, str):
            assert field.answer == answer
        else:
            assert field.answer == pytest.approx(float(answer), rel=1e-9, abs=1e-9), field.name
        for mistake in field.mistakes:
            assert mistake.value != field.answer, mistake.words
            assert mistake.words


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("name", KINDS)
def test_exercises_have_the_answers_of_the_solver(name: str, level: int) -> None:
    for one in made(name, level, 6):
        check(one)


@pytest.mark.parametrize("name", ["copies", "losses", "start"])
def test_tanh(name: str) -> None:
    for one in made(name, 2, 5, "tanh" if "tanh" in KINDS[name].activations else ""):
        check(one)


@pytest.mark.nightly
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("name", KINDS)
def test_two_thousand_exercises(name: str, level: int) -> None:
    for one in made(name, level, 56):
        check(one)
