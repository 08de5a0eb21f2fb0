"""Marks for the answers to a sheet: what follows from an earlier slip counts, and it is named."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Final, NamedTuple, TypeAlias

from ...arguments import as_list, many, shown
from ...errors import ArgumentTypeError, ArgumentValueError
from .course import lettered
from .layout import written_answer
from .question import LETTERS, Answer, Field, Question, tolerance_of
from .sheet import Sheet, exercises

RAISED: Final = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
#: A power, or a number in parentheses.
POWER: Final = re.compile(r"([+-]?)(\([^()]+\)|[\d.]+(?=\^))(?:\^([+-]?\d+))?")
#: A sign between factors, not in parentheses.
BETWEEN: Final = re.compile(r"([/×*·])(?![^()]*+\))")

Given: TypeAlias = float | str | Sequence[float | str | None] | None


class Mark(NamedTuple):
    """What an answer got: `points` of `most`, and `words` that say why."""

    exercise: int
    letter: str
    asked: str
    given: Answer | None
    right: Answer
    points: float
    most: float
    words: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Grade:
    """The marks for a sheet, made by `grade`: `points` of `most`, one per exercise, and a `text`.

    >>> from autograd_rnn import exercises, grade
    >>> sheet = exercises(3, seed=7)
    >>> grade(sheet.code, sheet.answers)
    <Grade ...: 3 of 3 points>
    """

    code: str
    marks: Sequence[Mark]

    @property
    def points(self) -> float:
        """The points of all exercises."""
        return round(sum([mark.points for mark in self.marks]), 9)

    @property
    def most(self) -> int:
        """The points that a sheet without mistakes gets."""
        return len({mark.exercise for mark in self.marks})

    @property
    def slips(self) -> list[str]:
        """What was not right, or right after an earlier slip, with its place on the sheet."""
        return [f"{mark.exercise}{mark.letter}: {mark.words}" for mark in self.marks if mark.words]

    @property
    def text(self) -> str:
        """The points, and a line for each answer that has to be talked about."""
        return "\n".join([f"{self.points:g} of {many(self.most, 'point')}", *self.slips]) + "\n"

    def __repr__(self) -> str:
        return f"<Grade {self.code}: {self.points:g} of {many(self.most, 'point')}>"

    def __str__(self) -> str:
        return self.text


def grade(code: str, answers: Iterable[Given] | Mapping[int, Given]) -> Grade:
    """The marks for the answers to the sheet of a code, a point for each exercise.

    `answers` has an entry for each exercise, or is a mapping from their numbers: a number, a text
    such as "1/512", "(1/2)⁹" or "2×10⁻³", letters such as "AC", a list of all that an exercise asks
    for, or that as text, "16, 32"; None where nothing was written.  A single entry is the result,
    which then counts alone.  An answer that is right given a wrong one before it counts in full,
    and where a typical mistake leads to an answer, the words say which.  `ValueError` for a code
    that is none, for answers that do not fit the sheet, and for a text that is no number.

    >>> from autograd_rnn import exercises, grade
    >>> sheet = exercises(1, kinds=["copies"], level=1, seed=3)
    >>> first, *others = sheet.answers[0]
    >>> grade(sheet.code, [[first + 1, *others]]).points < 1.0
    True
    """
    sheet = exercises(code=code)
    assert isinstance(sheet, Sheet)
    size = len(sheet.questions)
    if isinstance(answers, Mapping):
        for number in answers:
            if number not in range(1, size + 1) or isinstance(number, bool):
                raise ArgumentValueError(
                    f"answers has {shown(number)}, but the exercises are 1 to {size}."
                )
        listed = [answers.get(number) for number in range(1, size + 1)]
    else:
        listed = as_list(answers, "answers", "an entry per exercise")
        if len(listed) != size:
            raise ArgumentValueError(
                f"answers has {many(len(listed), 'entry').replace('entrys', 'entries')}, but the "
                f"sheet has {many(size, 'exercise')}: write None where nothing was answered."
            )
    marks: list[Mark] = []
    for number, (given, one) in enumerate(zip(listed, sheet.questions, strict=True), 1):
        marks += _marks(number, one, _entries(number, given, one))
    return Grade(sheet.code, tuple(marks))


def _entries(number: int, given: object, one: Question) -> list[Answer | None]:
    """The answers to an exercise as numbers and letters: all that are asked for, or the result."""
    if isinstance(given, str):
        parts: list[object] = list(given.replace(";", ",").split(","))
        if len(one.fields) == 1 and isinstance(one.answer, str):
            parts = ["".join(map(str, parts))]
    elif given is None or isinstance(given, Real):
        parts = [given]
    else:
        parts = as_list(given, f"answers: exercise {number}", "answers")
    fields = one.fields
    if len(parts) == 1:
        fields = fields[-1:]
    if len(parts) != len(fields):
        asked = many(len(one.fields), "answer")
        raise ArgumentValueError(
            f"answers: exercise {number} asks for {asked}, but {len(parts)} are given: give all of "
            f"them, or the last one alone."
        )
    return [_read(part, field, number) for part, field in zip(parts, fields, strict=True)]


def _read(part: object, field: Field, number: int) -> Answer | None:
    """A number, the letters in order, or None for an empty text."""
    where = f"answers: exercise {number}, {field.name}"
    if part is None or (isinstance(part, str) and not part.strip()):
        return None
    if isinstance(field.answer, str):
        letters = str(part).upper().replace(",", "").replace(" ", "")
        if not isinstance(part, str) or set(letters) - set(LETTERS):
            raise ArgumentValueError(f"{where}: {shown(part)} is not one or more of {LETTERS}.")
        return "".join(sorted(set(letters)))
    return read_number(part, where)


def read_number(given: object, argument: str) -> float:
    """A number as people write it: "−6", "1/512", "(1/2)⁹", "7.6×10⁻⁶"; `ValueError` for others.

    What is neither a text nor a number is a `TypeError`.

    >>> read_number("−3/4", "answer"), read_number("(1/2)⁹", "answer")
    (-0.75, 0.001953125)
    """
    if isinstance(given, bool) or not isinstance(given, str | Real):
        raise ArgumentTypeError(f"{argument} must be a number, not {type(given).__name__}.")
    try:
        value = _value(RAISED.sub(_as_power, "".join(str(given).split())).replace("−", "-"))
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentValueError(f"{argument}: {shown(given)} is not a number such as -6 or 1/512.")
    return value


def _as_power(signs: re.Match[str]) -> str:
    return f"^{unicodedata.normalize('NFKC', signs[0])}"


def _value(text: str) -> float:
    """The value of factors with a sign between them, taken from the left."""
    first, *others = BETWEEN.split(text)
    value = _factor(first)
    for sign, after in zip(others[::2], others[1::2], strict=True):
        value = value / _factor(after) if sign == "/" else value * _factor(after)
    return value


def _factor(text: str) -> float:
    """The value of a number, of what is in parentheses, or of a power of one of them."""
    whole = POWER.fullmatch(text)
    if whole is None:
        return float(text)
    sign, base, power = whole.groups(default="1")
    inside = _value(base[1:-1]) if base.startswith("(") else float(base)
    return -(inside ** int(power)) if sign == "-" else inside ** int(power)


def _marks(number: int, one: Question, given: Sequence[Answer | None]) -> list[Mark]:
    """The marks of an exercise; what follows rightly from a wrong answer before it counts."""
    places = list(lettered(one))[-len(given) :]
    earlier: dict[str, float] = {}
    found = []
    for (letter, field), answer in zip(places, given, strict=True):
        counts, slip = judge(field, answer, earlier)
        right = "" if counts and not slip else f"right is {written_answer(field)}"
        words = "; ".join(filter(None, (slip, right)))
        most = 1.0 / len(given)
        mark = letter if len(one.fields) > 1 else ""
        points = most if counts else 0.0
        found.append(Mark(number, mark, field.name, answer, field.answer, points, most, words))
        if field.key and isinstance(answer, float):
            earlier[field.key] = answer
    return found


def judge(field: Field, answer: Answer | None, earlier: Mapping[str, float]) -> tuple[bool, str]:
    """Whether an answer counts, and what led to it where it is not the right one, if that is known.

    `earlier` are the answers before it, by the keys of their fields: what follows rightly from
    them counts too.  The right answer is not given away.
    """
    if answer is None:
        return False, "no answer"
    if isinstance(answer, str) or isinstance(field.answer, str):
        if answer == field.answer:
            return True, ""
    elif close(answer, field.answer):
        return True, ""
    sheet, key = field.worksheet, field.key
    if sheet is not None and key and isinstance(answer, float):
        if close(answer, sheet.work(earlier)[key].value):
            return True, "follows from the answers before it"
        for rule, words in sheet.rules().items() if earlier else ():
            if close(answer, sheet.work(earlier, rule, key)[key].value):
                return False, words
    for mistake in field.mistakes:
        same = answer == mistake.value
        if isinstance(answer, float) and isinstance(mistake.value, float):
            same = close(answer, mistake.value)
        if same:
            return False, mistake.words
    return False, ""


def close(given: float, right: float) -> bool:
    """Whether a given number is the right one, as far as its digits have to go."""
    return abs(given - right) <= tolerance_of(right)
