"""Moodle XML and QTI 2.1 by the rules of the two formats, read back and answered."""

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from autograd_rnn import exercises
from autograd_rnn.derivation.exercises.kinds import KINDS
from autograd_rnn.derivation.exercises.question import Question
from autograd_rnn.derivation.exercises.sheet import Sheet

from .formats import faults

QTI: Final = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"
CONTENT: Final = "{http://www.imsglobal.org/xsd/imscp_v1p1}"


@pytest.fixture(scope="module")
def whole() -> Sheet:
    """A sheet with an exercise of each kind."""
    return exercises(len(KINDS), seed=6)


def parsed(sheet: Sheet) -> Iterator[Element]:
    """All XML of a sheet: the one for Moodle, the items of QTI and the manifest."""
    yield ElementTree.fromstring(sheet.moodle)
    yield from [ElementTree.fromstring(x) for name, x in parts(sheet.qti) if name[-3:] == "xml"]


def check_rules(sheet: Sheet) -> None:
    for root in parsed(sheet):
        assert faults(root) == []
        assert bare(root) != "assessmentItem" or dangling(root) == []


def test_every_kind_follows_the_rules_of_the_formats(whole: Sheet) -> None:
    assert {one.kind for one in whole.questions} == set(KINDS)
    check_rules(whole)


@pytest.mark.long
def test_every_kind_and_level_follows_the_rules_of_the_formats() -> None:
    for level in (1, 2, 3):
        check_rules(exercises(len(KINDS), level=level, seed=level))


def dangling(item: Element) -> list[str]:
    """The names in an item that nothing of the item declares, or that it declares twice."""
    variables = [e.get("identifier") for e in item if bare(e).endswith("Declaration")]
    feedback = [e.get("identifier") for e in item if bare(e) == "modalFeedback"]
    choices = [e.get("identifier") for e in item.iter(f"{QTI}simpleChoice")]
    found = [f"{names}" for names in (variables, feedback, choices) if len({*names}) < len(names)]
    for element in item.iter():
        for key, value in element.items():
            if key.endswith("Identifier") or bare(element) in ("variable", "setOutcomeValue"):
                found += [f"{value} of {bare(element)}"] * (value not in variables)
        if bare(element) == "baseValue" and element.get("baseType") == "identifier":
            found += [f"{element.text}"] * (element.text not in [*feedback, *choices])
    return found


def test_what_is_against_the_rules_is_found(whole: Sheet) -> None:
    files = dict(parts(whole.qti))
    item = files["question001.xml"].decode()
    for old, new, words in (
        (' timeDependent="false"', "", "lacks timeDependent"),
        ("<itemBody>", "<itemBody>words", "says 'words"),
        ('cardinality="single"', 'cardinality="one"', "cardinality='one'"),
        ("<p>", "<p><p></p>", "p has 'p "),
        ("<responseIf>", "<responseIf><null/>", "has 'null equal setO"),
        (' tolerance="', ' tolerances="', "lacks tolerance"),
    ):
        assert old in item
        (fault, *_) = faults(ElementTree.fromstring(item.replace(old, new, 1)))
        assert words in fault
    rule = '<variable identifier="R1"/>'
    assert dangling(ElementTree.fromstring(item.replace(rule, '<variable identifier="Q"/>')))
    manifest = files["imsmanifest.xml"].decode().replace('identifier="RES', 'identifier="1')
    assert len(faults(ElementTree.fromstring(manifest))) == len(KINDS)
    for old, new, words in (
        ('fraction="0"', 'fraction="33"', "fraction='33'"),
        ('<questiontext format="html">', '<questiontext format="html"><file/>', "has 'file text"),
        ('type="multichoice"', 'type="choice"', "question has 'name questiontext"),
        ("<text>$course$", "<name/><text>$course$", "category has 'name text '"),
    ):
        assert old in whole.moodle
        (fault, *_) = faults(ElementTree.fromstring(whole.moodle.replace(old, new, 1)))
        assert words in fault


# --- Moodle XML: https://docs.moodle.org/en/Moodle_XML_format -------------------------------------


def text(element: Element, path: str) -> str:
    found = element.find(path)
    assert found is not None, path
    return found.text or ""


def gaps(body: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The kinds of the gaps of a cloze text, each with its answers and feedback."""
    found = []
    for kind, inside in re.findall(r"\{1:(NUMERICAL|SHORTANSWER):((?:\\.|[^\\}])*)\}", body):
        answers = []
        for part in re.split(r"(?<!\\)~", inside):
            answer, feedback = re.split(r"(?<!\\)#", part)
            answers.append((answer, re.sub(r"\\(.)", r"\1", feedback)))
        found.append((kind, answers))
    return found


def check_answers(answers: list[tuple[str, str]], numerical: bool) -> list[str]:
    """The answers of a gap, the first one right, the others with what is wrong about them."""
    (first, praise), *wrong = answers
    assert first.startswith("=")
    assert praise == "Right."
    assert all(answer.startswith("%0%") and words for answer, words in wrong)
    values = [re.sub("^(=|%0%)", "", answer) for answer, _ in answers]
    assert len(set(values)) == len(values)
    if numerical:
        for value in values:
            number, tolerance = map(float, value.split(":"))
            assert 0 < tolerance <= max(1e-6, 0.011 * abs(number))
    return values


def test_moodle_follows_the_format(whole: Sheet) -> None:
    quiz = ElementTree.fromstring(whole.moodle)
    assert quiz.tag == "quiz"
    category, *questions = list(quiz)
    assert whole.code in text(category, "category/text")
    assert len(questions) == len(KINDS)
    for element, one in zip(questions, whole.questions, strict=True):
        check_moodle(element, one)


def check_moodle(element: Element, one: Question) -> None:
    body = text(element, "questiontext/text")
    file = element.find("questiontext/file")
    assert file is not None
    assert f'src="@@PLUGINFILE@@/{file.get("name")}"' in body
    assert file.get("encoding") == "base64"
    picture = ElementTree.fromstring(base64.b64decode(file.text or ""))
    assert picture.tag.endswith("svg")
    # What Moodle shows must be well-formed but for the formulas, which are escaped.
    ElementTree.fromstring(f"<div>{body}</div>")
    assert body.count(r"\(") == body.count(r"\)")
    assert body.count(r"\[") == body.count(r"\]")
    kind = element.get("type")
    if kind == "cloze":
        found = gaps(body)
        assert len(found) == len(one.fields)
        for (form, answers), field in zip(found, one.fields, strict=True):
            values = check_answers(answers, form == "NUMERICAL")
            right = values[0].split(":")[0]
            if isinstance(field.answer, str):
                assert (form, right) == ("SHORTANSWER", field.answer)
            else:
                assert float(right) == pytest.approx(field.answer, rel=1e-11)
        return
    fractions = [int(answer.get("fraction", "")) for answer in element.findall("answer")]
    assert sorted(fractions, reverse=True) == [100, *[0] * (len(fractions) - 1)]
    assert all(text(answer, "feedback/text") for answer in element.findall("answer"))
    if kind == "multichoice":
        assert len(fractions) == len(one.choices) >= 4
        assert text(element, "single") == "true"
    else:
        assert all(float(text(answer, "tolerance")) > 0 for answer in element.findall("answer"))


def test_a_numerical_question_stands_alone() -> None:
    sheet = exercises(1, kinds=["vanishing"], level=1, seed=2)
    _, question = list(ElementTree.fromstring(sheet.moodle))
    assert question.get("type") == "numerical"
    check_rules(sheet)
    check_moodle(question, sheet.questions[0])
    assert float(text(question, "answer/text")) == pytest.approx(sheet.questions[0].answer)


def test_a_title_is_no_folder_and_no_markup() -> None:
    sheet = exercises(1, kinds=["vanishing"], title="A/B <c> & d")
    category, _ = list(ElementTree.fromstring(sheet.moodle))
    assert text(category, "category/text").startswith("$course$/top/A//B <c> & d ")
    assert "A/B &lt;c&gt; &amp; d" in sheet.html


# --- QTI 2.1 --------------------------------------------------------------------------------------

TESTS: Final = {"match", "equal", "stringMatch"}


def parts(package: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(package)) as files:
        assert files.testzip() is None
        yield from [(name, files.read(name)) for name in files.namelist()]


def bare(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def respond(item: Element, given: dict[str, str]) -> tuple[float, set[str]]:
    """The score and the feedback of an item, by its own response processing."""
    score, feedback = 0.0, set()
    for condition in item.iter(f"{QTI}responseCondition"):
        for branch in condition:
            test, action = list(branch)
            assert bare(test) in TESTS
            variable, value = list(test)
            said, wanted = given[variable.get("identifier", "")], value.text or ""
            if bare(test) == "equal":
                off = float((test.get("tolerance") or "").split()[0])
                assert test.get("toleranceMode") == "absolute"
                hit = abs(float(said) - float(wanted)) <= off
            else:
                hit = said == wanted
            if hit:
                if action.get("identifier") == "SCORE":
                    score += 1.0
                else:
                    feedback.add([e.text or "" for e in action.iter(f"{QTI}baseValue")][-1])
                break
    return score, feedback


def test_qti_follows_the_format(whole: Sheet) -> None:
    files = dict(parts(whole.qti))
    manifest = ElementTree.fromstring(files["imsmanifest.xml"])
    assert [bare(child) for child in manifest] == ["metadata", "organizations", "resources"]
    resources = manifest.findall(f"{CONTENT}resources/{CONTENT}resource")
    named = {file.get("href") for r in resources for file in r.findall(f"{CONTENT}file")}
    assert named == set(files) - {"imsmanifest.xml"}
    assert len(resources) == len(KINDS)
    for resource, one in zip(resources, whole.questions, strict=True):
        assert resource.get("type") == "imsqti_item_xmlv2p1"
        item = ElementTree.fromstring(files[resource.get("href", "")])
        check_item(item, one, set(files))


def check_item(item: Element, one: Question, files: set[str]) -> None:
    body = item.find(f"{QTI}itemBody")
    assert body is not None
    assert {image.get("src") for image in body.iter(f"{QTI}img")} <= files
    declared = {d.get("identifier"): d for d in item.findall(f"{QTI}responseDeclaration")}
    asked = [e.get("responseIdentifier") for e in body.iter() if e.get("responseIdentifier")]
    assert asked == list(declared)
    right = {name: text(d, f"{QTI}correctResponse/{QTI}value") for name, d in declared.items()}
    assert respond(item, right) == (len(one.fields), set())
    modal = {m.get("identifier"): m.text or "" for m in item.findall(f"{QTI}modalFeedback")}
    for number, field in enumerate(one.fields, 1):
        for place, mistake in enumerate(field.mistakes, 1):
            if mistake.value == "":
                continue
            wrong = {**right, f"R{number}": str(mistake.value)}
            score, said = respond(item, wrong)
            assert (score, said) == (len(one.fields) - 1, {f"F{number}-{place}"})
            assert mistake.words[1:] in modal[f"F{number}-{place}"]


def test_a_package_has_the_same_bytes_whenever_it_is_made(whole: Sheet) -> None:
    assert whole.qti == exercises(code=whole.code).qti
