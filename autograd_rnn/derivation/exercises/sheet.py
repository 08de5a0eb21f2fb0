"""Sheets of exercises, made from a seed or from a printed code."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ...arguments import as_choice, as_flag, as_integer, as_list, as_name, check_unicode, many
from ...errors import ArgumentValueError, FormatError
from ...files import write_whole
from . import layout
from .code import ACTIVATIONS, MOST_COPIES, MOST_COUNT, MOST_STEPS, Recipe, read_code
from .course import moodle, qti
from .kinds import KINDS
from .question import Question, Wishes

TITLE: Final = "Backpropagation through time"
MOST_ATTEMPTS: Final = 1000
LEAST_DIFFERENCE: Final = 0.01
LEVELS: Final = 3


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sheet:
    """Exercises on a page, made by `exercises`: `questions`, and the `code` that makes it again.

    `text`, `markdown`, `latex` and `html` hold the exercises; those of `solved` hold the table of
    answers and the solutions too.

    >>> from autograd_rnn import exercises
    >>> sheet = exercises(2, kinds=["copies"], seed=7)
    >>> len(sheet.questions), "Solution 1" in sheet.text, "Solution 1" in sheet.solved.text
    (2, False, True)
    """

    title: str
    code: str
    questions: Sequence[Question]
    solutions: bool = False

    @property
    def page(self) -> layout.Page:
        """The parts of the page."""
        return layout.page_of(self.title, self.code, self.questions, self.solutions)

    @property
    def text(self) -> str:
        """The sheet in Unicode, for a terminal."""
        return layout.text(self.page)

    @property
    def markdown(self) -> str:
        """The sheet in Markdown, with formulas that GitHub and Jupyter render."""
        return layout.markdown(self.page)

    @property
    def latex(self) -> str:
        """A complete LaTeX document, with the pictures in it."""
        return layout.latex(self.page)

    @property
    def html(self) -> str:
        """A complete page with formulas in MathML and the pictures in it, which fetches nothing."""
        return layout.html(self.page)

    @property
    def moodle(self) -> str:
        """The questions as Moodle XML, with answers, feedback and pictures."""
        return moodle(self.title, self.code, self.questions)

    @property
    def qti(self) -> bytes:
        """The questions as a package of QTI 2.1, a zip file."""
        return qti(self.code, self.questions)

    @property
    def solved(self) -> Sheet:
        """The sheet with the table of answers and the solutions."""
        return replace(self, solutions=True)

    @property
    def answers(self) -> list[list[float | str]]:
        """The answers of each exercise, the last one its result."""
        return [[field.answer for field in one.fields] for one in self.questions]

    def save(self, path: str | os.PathLike[str], *, solutions: bool = False) -> Path:
        """The path of the file that now holds the sheet.

        The ending says which: .txt, .md, .tex, .html, .xml for Moodle, .zip for QTI 2.1.  With
        `solutions`, answers and solutions follow; what course systems import has them in any case.
        `FormatError` (a `ValueError`) for another ending.

        >>> import tempfile
        >>> from autograd_rnn import exercises
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exercises(2, seed=7).save(f"{folder}/sheet.tex", solutions=True).name
        'sheet.tex'
        """
        ending = ending_of(path)
        sheet = self.solved if as_flag(solutions, "solutions") else self
        if ending == "zip":
            return write_whole(path, sheet.qti)
        if ending == "xml":
            return write_whole(path, sheet.moodle.encode())
        return write_whole(path, layout.FORMATS[ending](sheet.page).encode())

    def __reduce__(self) -> tuple[Callable[..., Sheet], tuple[str, str, bool]]:
        # Questions hold functions: a copy is made again.
        return _again, (self.code, self.title, self.solutions)

    def __repr__(self) -> str:
        return f"<Sheet {self.code}: {many(len(self.questions), 'exercise')}>"

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return layout.fragment(self.page)

    def _repr_markdown_(self) -> str:
        return self.markdown


ENDINGS: Final = (*layout.FORMATS, "xml", "zip")


def ending_of(path: str | os.PathLike[str]) -> str:
    """The ending of a path, if a sheet can be written so; else `FormatError`."""
    ending = Path(path).suffix[1:].lower()
    if ending not in ENDINGS:
        what = f"format {ending!r} is unknown" if ending else "the file name has no ending"
        raise FormatError(f"{what}: choose one of {', '.join(ENDINGS)}.")
    return ending


class Sheets(tuple[Sheet, ...]):
    """A sheet for each student, made by `exercises`: a tuple of sheets.

    >>> from autograd_rnn import exercises
    >>> [len(sheet.questions) for sheet in exercises(2, kinds=["copies"], copies=3)]
    [2, 2, 2]
    """

    def save(self, path: str | os.PathLike[str], *, solutions: bool = False) -> list[Path]:
        """The paths of the files that now hold the sheets: for `sheet.tex` sheet-01.tex, ..."""
        ending_of(path)
        whole, digits = Path(path), max(2, len(str(len(self))))
        return [
            sheet.save(
                whole.with_name(f"{whole.stem}-{place:0{digits}}{whole.suffix}"),
                solutions=solutions,
            )
            for place, sheet in enumerate(self, 1)
        ]


def exercises(
    count: int = 10,
    *,
    kinds: Iterable[str] | None = None,
    level: int | None = None,
    seed: int = 0,
    steps: int | None = None,
    states: int | None = None,
    activation: str | None = None,
    idle: bool = False,
    title: str = TITLE,
    copies: int | None = None,
    code: str | None = None,
) -> Sheet | Sheets:
    """A sheet of exercises on backpropagation through time, with its solutions.

    The questions take the `kinds` in turn, all that suit unless given, and get harder from `level`
    1 to 3 unless one is given.  `steps`, `states` and `activation` ("relu", "tanh", "linear")
    replace what the kinds choose.  Numbers are whole or short, the results of a sheet all differ,
    and no state stays 0, unless `idle` is True.  The same arguments make the same sheet everywhere.

    With `copies`, one sheet per student, all different: a tuple of sheets.  Each sheet has a code
    printed on it, and `exercises(code=...)` makes it again.  `ValueError` for a kind that is
    unknown or cannot have what is asked for, and where there are not that many exercises.

    >>> sheet = exercises(4, seed=7)
    >>> sheet
    <Sheet ...: 4 exercises>
    >>> exercises(code=sheet.code).text == sheet.text
    True
    """
    check_unicode(as_name(title, "title") or TITLE, "title")
    if code is not None:
        return _make(read_code(code), title or TITLE)
    as_integer(count, "count", least=1, most=MOST_COUNT)
    as_integer(seed, "seed")
    if level is not None:
        as_integer(level, "level", least=1, most=LEVELS)
    if states is not None:
        as_integer(states, "states", least=1, most=2)
    if steps is not None:
        as_integer(steps, "steps", least=1 + (states or 1), most=MOST_STEPS)
    if activation is not None:
        as_choice(activation, "activation", ACTIVATIONS[1:])
    as_flag(idle, "idle")
    chosen = _chosen(kinds, steps or 0, states or 0, activation or "")
    recipe = Recipe(
        *(chosen, count, seed, level or 0, steps or 0, states or 0, activation or "", idle)
    )
    if copies is None:
        return _make(recipe, title or TITLE)
    as_integer(copies, "copies", least=1, most=MOST_COPIES)
    places = range(1, copies + 1)
    return Sheets([_make(recipe._replace(copy=place), title or TITLE) for place in places])


def _chosen(
    kinds: Iterable[str] | None, steps: int, states: int, activation: str
) -> tuple[str, ...]:
    """The kinds that are asked for, or all that can have what is asked for."""
    able = [kind for kind in KINDS.values() if not kind.refusal(steps, states, activation)]
    if kinds is None:
        return tuple([kind.name for kind in able])
    wanted = as_list(kinds, "kinds", "names of kinds")
    if not wanted:
        raise ArgumentValueError(f"kinds is empty: choose from {', '.join(KINDS)}.")
    for place, name in enumerate(wanted):
        kind = KINDS[as_choice(name, f"kinds[{place}]", KINDS)]
        against = kind.refusal(steps, states, activation)
        if against:
            raise ArgumentValueError(f"exercises of the kind {name!r} cannot have {against}.")
    return tuple([name for name in KINDS if name in wanted])


def _make(recipe: Recipe, title: str) -> Sheet:
    """The sheet of a recipe."""
    chance = random.Random(" ".join(map(str, [*recipe.kinds, *recipe[1:]])))
    found: list[Question] = []
    for place in range(recipe.size):
        found.append(_next(chance, recipe, place, found))
    return Sheet(title, recipe.code, tuple(found))


def _again(code: str, title: str, solutions: bool) -> Sheet:
    return replace(_make(read_code(code), title), solutions=solutions)


def _next(chance: random.Random, recipe: Recipe, place: int, found: Sequence[Question]) -> Question:
    """One more exercise, of another result than those found."""
    level = recipe.level or 1 + LEVELS * place // recipe.size
    wishes = Wishes(level, recipe.steps, recipe.states, recipe.activation, recipe.idle)
    kinds = list(recipe.kinds)
    first = place % len(kinds)
    for name in [*kinds[first:], *kinds[:first]]:
        for _ in range(MOST_ATTEMPTS):
            one = KINDS[name].make(chance, wishes)
            if one is not None and all(_differ(one, other) for other in found):
                return one
    raise ArgumentValueError(
        f"count is {recipe.size}, but only {len(found)} different exercises were found: ask for "
        f"fewer, or for more kinds or steps."
    )


def _differ(one: Question, other: Question) -> bool:
    """Whether two exercises have different results; letters and counts may be the same."""
    if one.kind == other.kind and one.facts == other.facts:
        return False
    a, b = one.answer, other.answer
    if isinstance(a, str) or isinstance(b, str) or {one.kind, other.kind} & {"sets", "vanishing"}:
        return True
    return abs(a - b) >= LEAST_DIFFERENCE * max(1.0, abs(a), abs(b)) or (
        a != b and a.is_integer() and b.is_integer()
    )
