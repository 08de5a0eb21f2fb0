"""Sheets: the same for the same seed, graded, numbered, and written in four formats."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import exercises
from autograd_rnn.derivation.exercises import sheet as sheets
from autograd_rnn.derivation.exercises.code import ACTIVATIONS, Recipe, read_code
from autograd_rnn.derivation.exercises.kinds import KINDS
from autograd_rnn.derivation.exercises.layout import as_formula
from autograd_rnn.derivation.exercises.sheet import Sheet, Sheets


@pytest.fixture(scope="module")
def whole() -> Sheet:
    """A sheet with an exercise of each kind."""
    return exercises(len(KINDS), seed=3)


def test_a_sheet_has_all_kinds_from_easy_to_hard(whole: Sheet) -> None:
    assert [one.kind for one in whole.questions] == list(KINDS)
    levels = [one.level for one in whole.questions]
    assert levels == sorted(levels)
    assert set(levels) == {1, 2, 3}


def test_exercises_and_solutions_are_numbered(whole: Sheet) -> None:
    titles = [item.title for item in whole.solved.page.items]
    count = len(KINDS)
    assert [title.split(".")[0] for title in titles[:count]] == list(map(str, range(1, count + 1)))
    assert titles[count:] == ["Answers", *[f"Solution {place}" for place in range(1, count + 1)]]


def test_a_sheet_does_not_give_its_answers_away(whole: Sheet) -> None:
    for one, item in zip(whole.questions, whole.page.items, strict=True):
        assert item.figure is not None
        shown = re.sub(r"<[^>]*>", " ", item.figure.svg())
        given = {f"{x:g}" for x in one.facts.get("inputs", ())}
        if one.kind == "lstm":
            pairs = zip(one.facts["inputs"], one.facts["candidates"], strict=True)
            given = {f"{i * g:g}" for i, g in pairs}
        assert set(re.findall(r"(?<!\S)-?[0-9.]*[0-9](?!\S)", shown)) <= given
    assert "Solution" not in whole.text
    assert "Answers" not in whole.text


def test_results_differ_and_are_short() -> None:
    sheet = exercises(12, kinds=["copies", "start", "offset", "losses"], seed=1)
    results = [one.answer for one in sheet.questions]
    assert len(set(results)) == 12
    assert all(isinstance(x, float) and x.is_integer() and 0 < abs(x) <= 1000 for x in results)


@pytest.mark.parametrize("name", ["copies", "losses", "gaps", "error", "choice", "matrix"])
def test_no_state_is_idle_unless_asked_for(name: str) -> None:
    for one in exercises(4, kinds=[name], seed=2).questions:
        assert one.facts["inputs"][0] == 1.0
    if name == "copies":
        for one in exercises(3, kinds=[name], seed=2, idle=True, steps=3).questions:
            assert one.facts["inputs"][0] == 0.0


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({"steps": 4}, lambda one: len(one.facts.get("inputs", range(4))) == 4),
        ({"states": 2, "steps": 3}, lambda one: len(one.facts["rows"][0]) == 2),
        ({"activation": "tanh"}, lambda one: one.facts["activation"] == "tanh"),
        ({"level": 2}, lambda one: one.level == 2),
    ],
)
def test_wishes_are_kept(options: dict[str, object], fits) -> None:
    assert all(map(fits, exercises(3, seed=5, **options).questions))


def test_the_same_arguments_make_the_same_sheet_in_every_process(whole: Sheet) -> None:
    code = "from autograd_rnn import exercises; print(exercises(12, seed=3).solved.text)"
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        ).stdout
        assert printed.decode().split() == whole.solved.text.split()
    assert exercises(2, seed=4).text != exercises(2, seed=3).text


def test_a_seed_makes_what_it_made() -> None:
    # The numbers of all platforms; raise EDITION in code.py where they have to change.
    sheet = exercises(3, kinds=["copies", "start"], seed=11)
    assert sheet.code == GOLDEN_CODE
    assert sheet.answers == GOLDEN_ANSWERS


GOLDEN_CODE = "FZXY-SAFM-G019-4"
GOLDEN_ANSWERS = [
    [16.0, -2.0, -6.0, -2.0, -8.0],
    [1.0, -6.0, -12.0, -12.0, -12.0, -36.0],
    [56.0, 4.0, 0.0, 72.0, 72.0, 72.0, 216.0],
]


@given(
    st.sets(st.sampled_from(list(KINDS)), min_size=1),
    st.integers(1, 1000),
    st.integers(-(2**70), 2**70),
    st.integers(0, 3),
    st.integers(0, 12),
    st.integers(0, 2),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
    st.integers(0, 9999),
)
def test_a_code_says_all_that_a_sheet_is_made_from(
    kinds: set[str],
    count: int,
    seed: int,
    level: int,
    steps: int,
    states: int,
    activation: str,
    idle: bool,
    copy: int,
) -> None:
    chosen = tuple(k for k in KINDS if k in kinds)
    recipe = Recipe(chosen, count, seed, level, steps, states, activation, idle, copy)
    assert read_code(recipe.code) == recipe
    assert read_code(recipe.code.lower().replace("-", " ").replace("0", "o")) == recipe


@given(st.data())
@settings(max_examples=200)
def test_a_misread_code_is_refused(data: st.DataObject) -> None:
    code = Recipe(("copies",), 10, data.draw(st.integers(0, 10**6))).code
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
    wrong = code[:place] + other + code[place + 1 :]
    if code[place] not in (other, "-"):
        with pytest.raises(ValueError, match="code .* is not that of a sheet"):
            read_code(wrong)


def test_each_student_has_a_sheet_that_its_code_makes_again(tmp_path: Path) -> None:
    made = exercises(2, seed=5, copies=3, kinds=["copies", "choice"])
    assert isinstance(made, Sheets)
    assert len({sheet.text for sheet in made}) == len({sheet.code for sheet in made}) == 3
    for sheet in made:
        assert exercises(code=sheet.code).solved.text == sheet.solved.text
        assert sheet.code in sheet.text
    paths = made.save(tmp_path / "sheet.md")
    assert [path.name for path in paths] == [f"sheet-0{k}.md" for k in (1, 2, 3)]
    assert paths[1].read_text("utf-8") == made[1].markdown


def test_files_by_their_ending(whole: Sheet, tmp_path: Path) -> None:
    for ending, text in [
        *[("txt", whole.text), ("md", whole.markdown), ("tex", whole.latex)],
        *[("html", whole.html), ("xml", whole.moodle)],
    ]:
        path = whole.save(tmp_path / f"sheet.{ending}")
        assert path.read_text("utf-8") == text
    assert whole.save(tmp_path / "sheet.ZIP").read_bytes() == whole.qti
    solved = whole.save(tmp_path / "solved.txt", solutions=True).read_text("utf-8")
    assert solved == whole.solved.text
    with pytest.raises(ValueError, match="format 'pdf' is unknown: choose one of txt, md, tex"):
        whole.save(tmp_path / "sheet.pdf")


def test_html_is_well_formed_and_markdown_has_the_table(whole: Sheet) -> None:
    page = whole.solved.html.replace("<!doctype html>", "").replace('<meta charset="utf-8">', "")
    page = re.sub(r"<meta [^>]*>", "", page)
    tree = ElementTree.fromstring(page)
    assert len(tree.findall(".//{http://www.w3.org/2000/svg}svg")) == len(KINDS)
    assert "| exercise | asked for | answer |" in whole.solved.markdown
    assert whole._repr_html_() in whole.html
    assert whole._repr_markdown_() == whole.markdown


def test_text_fits_a_terminal(whole: Sheet) -> None:
    for line in whole.solved.text.splitlines():
        bare = re.sub("[\u0300-\u036f\u20d0-\u20ff]", "", line)
        assert len(bare) <= 80, line


@pytest.mark.parametrize(
    ("word", "latex"),
    [
        ("∂L/∂ẇ₁", r"\partial L/\partial \dot{w}_{1}"),
        ("w₁⁽¹⁰⁾", "w_{1}^{(10)}"),
        ("(1/2)¹⁰", "(1/2)^{10}"),
        ("×10⁻⁶", r"\times 10^{-6}"),
        ("{π⃛", r"\{\dddot{\pi}"),
    ],
)
def test_formulas_in_words(word: str, latex: str) -> None:
    assert as_formula(word) == latex


def test_latex_is_plain(whole: Sheet) -> None:
    assert whole.solved.latex.isascii()
    assert "U+" not in whole.solved.latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs TeX")
def test_latex_compiles_without_lines_that_are_too_long(whole: Sheet, tmp_path: Path) -> None:
    whole.save(tmp_path / "sheet.tex", solutions=True)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, log[-2000:]
    assert [w for w in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", log) if float(w) > 5] == []


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ATTEMPTS", 20)
    for words, options in [
        ("count must be 1 or more", {"count": 0}),
        ("steps must be 2 or more", {"steps": 1}),
        ("steps must be 3 or more", {"steps": 2, "states": 2}),
        ("states must be 2 or less", {"states": 3}),
        ("level must be 3 or less", {"level": 4}),
        ("copies must be 1 or more", {"copies": 0}),
        ("activation 'sigmoid' is unknown", {"activation": "sigmoid"}),
        ("kinds.0. 'rnn' is unknown: choose one of copies, start", {"kinds": ["rnn"]}),
        ("kinds is empty", {"kinds": []}),
        ("kinds must be a list", {"kinds": "copies"}),
        ("kind 'lstm' cannot have activation='tanh'", {"kinds": ["lstm"], "activation": "tanh"}),
        ("kind 'start' cannot have states=2", {"kinds": ["start"], "states": 2}),
        ("'matrix' cannot have steps=5: at most 4", {"kinds": ["matrix"], "steps": 5}),
        ("idle must be True or False", {"idle": 1}),
        ("code 'ABCD' is not that of a sheet", {"code": "ABCD"}),
        ("only [0-9]+ different exercises", {"kinds": ["copies"], "count": 1000, "steps": 2}),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            exercises(**options)
