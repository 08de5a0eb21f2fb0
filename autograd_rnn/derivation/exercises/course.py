"""Questions as course systems import them: Moodle XML, and packages of QTI 2.1."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from .layout import html_body, mathjax
from .question import LETTERS, Answer, Field, Question, tolerance_of

QTI: Final = "http://www.imsglobal.org/xsd/imsqti_v2p1"
CONTENT: Final = "http://www.imsglobal.org/xsd/imscp_v1p1"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # so that a package has the same bytes whenever it is made
RIGHT: Final = "Right."


def plain(answer: Answer) -> str:
    """An answer as a file holds it."""
    return answer if isinstance(answer, str) else f"{answer:.12g}"


def sentence(words: str) -> str:
    """The words as a sentence of their own."""
    return f"{words[0].upper()}{words[1:]}."


# --- Moodle --------------------------------------------------------------------------------------


def moodle(title: str, code: str, questions: Sequence[Question]) -> str:
    """The questions as Moodle XML: a category, and in it numerical, multiple choice or cloze."""
    folder = title.replace("/", "//")  # as / leads to a category inside
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<quiz>",
        (
            '<question type="category"><category>'
            f"{_text(f'$course$/top/{folder} {code}')}</category></question>"
        ),
    ]
    for place, one in enumerate(questions, 1):
        parts += [*_moodle_question(f"{place:03d} {one.title}", one), "</question>"]
    return "\n".join([*parts, "</quiz>"]) + "\n"


def _text(content: str) -> str:
    return f"<text>{escape(content, quote=False)}</text>"


def _moodle_question(name: str, one: Question) -> Iterator[str]:
    kind = "multichoice" if one.choices else "cloze" if len(one.fields) > 1 else "numerical"
    body = mathjax(one.body)
    if one.figure is not None:
        about = escape(one.figure.about)
        body = f'<p><img src="@@PLUGINFILE@@/network.svg" alt="{about}"/></p>\n{body}'
    if kind == "cloze":
        gaps = [f"<p>({letter}) {_gap(field)}</p>" for letter, field in lettered(one)]
        body = "\n".join([body, *gaps])
    yield f'<question type="{kind}">'
    yield f"<name>{_text(name)}</name>"
    yield f'<questiontext format="html">{_text(body)}'
    if one.figure is not None:
        data = base64.b64encode(one.figure.svg().encode()).decode()
        yield f'<file name="network.svg" path="/" encoding="base64">{data}</file>'
    yield "</questiontext>"
    solution = "\n".join(
        [f"<p><b>{escape(part.title)}</b></p>\n{mathjax(part.body)}" for part in one.solution]
    )
    yield f'<generalfeedback format="html">{_text(solution)}</generalfeedback>'
    if kind != "cloze":
        yield "<defaultgrade>1</defaultgrade>"
    yield "<penalty>0.3333333</penalty>\n<hidden>0</hidden>"
    if kind == "numerical":
        (field,) = one.fields
        tolerance = f"<tolerance>{field.tolerance:.6g}</tolerance>"
        yield _moodle_answer(100, plain(field.answer), RIGHT, tolerance)
        for mistake in field.mistakes:
            tolerance = f"<tolerance>{tolerance_of(float(mistake.value)):.6g}</tolerance>"
            yield _moodle_answer(0, plain(mistake.value), sentence(mistake.words), tolerance)
    elif kind == "multichoice":
        yield "<single>true</single>\n<shuffleanswers>true</shuffleanswers>"
        yield "<answernumbering>ABCD</answernumbering>"
        for choice in one.choices:
            words = RIGHT if not choice.mistake else sentence(choice.mistake)
            yield _moodle_answer(0 if choice.mistake else 100, plain(choice.shown.value), words)


def _moodle_answer(fraction: int, answer: str, words: str, more: str = "") -> str:
    feedback = f'<feedback format="html">{_text(escape(words))}</feedback>'
    return f'<answer fraction="{fraction}" format="html">{_text(answer)}{feedback}{more}</answer>'


def lettered(one: Question) -> Iterator[tuple[str, Field]]:
    """The answers with their letters."""
    yield from zip("abcdefghijklmnopqrstuvwxyz", one.fields, strict=False)


def _gap(field: Field) -> str:
    """A gap of a cloze question: the right answer, and the wrong ones with what they mean."""
    if isinstance(field.answer, str):
        parts = [f"={field.answer}#{RIGHT}"]
        parts += [f"%0%{m.value}#{_cloze(sentence(m.words))}" for m in field.mistakes if m.value]
        return "{1:SHORTANSWER:" + "~".join(parts) + "}"
    parts = [f"={plain(field.answer)}:{field.tolerance:.6g}#{RIGHT}"]
    for m in field.mistakes:
        off = tolerance_of(float(m.value))
        parts.append(f"%0%{plain(m.value)}:{off:.6g}#{_cloze(sentence(m.words))}")
    return "{1:NUMERICAL:" + "~".join(parts) + "}"


def _cloze(words: str) -> str:
    """The words with what has a meaning inside of a gap marked as text."""
    return re.sub(r"([}#~/\"\\])", r"\\\1", escape(words, quote=False))


# --- QTI 2.1 -------------------------------------------------------------------------------------


def qti(code: str, questions: Sequence[Question]) -> bytes:
    """A package of QTI 2.1: a file for each question, its picture, and the manifest."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:

        def put(name: str, content: str) -> None:
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, content)

        resources = []
        for place, one in enumerate(questions, 1):
            files = [f"question{place:03d}.xml"]
            put(files[0], _item(place, one))
            if one.figure is not None:
                files.append(f"images/network{place:03d}.svg")
                put(files[1], one.figure.svg())
            listed = "".join([f'<file href="{name}"/>' for name in files])
            resources.append(
                f'<resource identifier="RES{place:03d}" type="imsqti_item_xmlv2p1" '
                f'href="{files[0]}">{listed}</resource>'
            )
        put(
            "imsmanifest.xml",
            f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest xmlns="{CONTENT}" '
            f'identifier="SHEET-{code}">\n'
            "<metadata><schema>QTIv2.1 Package</schema><schemaversion>1.0.0</schemaversion>"
            f"</metadata>\n<organizations/>\n<resources>{''.join(resources)}</resources>\n"
            "</manifest>\n",
        )
    return buffer.getvalue()


def _item(place: int, one: Question) -> str:
    """A question as an item, with its rules of marking and what each mistake says."""
    declared, rules, feedback, asked = [], [], [], []
    for number, (letter, field) in enumerate(lettered(one), 1):
        name = f"R{number}"
        base = "identifier" if one.choices else "string" if field.tolerance == 0.0 else "float"
        declared.append(
            f'<responseDeclaration identifier="{name}" cardinality="single" baseType="{base}">'
            f"<correctResponse><value>{plain(field.answer)}</value></correctResponse>"
            "</responseDeclaration>"
        )
        rules.append(_rule(name, base, field, number))
        feedback += [
            f'<modalFeedback outcomeIdentifier="FEEDBACK" identifier="F{number}-{m}" '
            f'showHide="show">{escape(f"({letter}) {sentence(mistake.words)}")}</modalFeedback>'
            for m, mistake in enumerate(field.mistakes, 1)
        ]
        mark = f"({letter}) " if len(one.fields) > 1 else ""
        if one.choices:
            choices = "".join(
                [
                    f'<simpleChoice identifier="{sign}">{plain(choice.shown.value)}</simpleChoice>'
                    for sign, choice in zip(LETTERS, one.choices, strict=False)
                ]
            )
            asked.append(
                f'<choiceInteraction responseIdentifier="{name}" shuffle="false" maxChoices="1">'
                f"{choices}</choiceInteraction>"
            )
        else:
            entry = f'<textEntryInteraction responseIdentifier="{name}" expectedLength="12"/>'
            asked.append(f"<p>{mark}{entry}</p>")
    image = ""
    if one.figure is not None:
        source, about = f"images/network{place:03d}.svg", escape(one.figure.about)
        image = f'<p><img src="{source}" alt="{about}"/></p>'
    solution = "".join(
        [f"<p>{escape(part.title)}:</p>{_blocks(html_body(part.body))}" for part in one.solution]
    )
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            (
                f'<assessmentItem xmlns="{QTI}" identifier="Q{place:03d}" '
                f'title="{escape(one.title)}" adaptive="false" timeDependent="false">'
            ),
            *declared,
            (
                '<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float">'
                "<defaultValue><value>0</value></defaultValue></outcomeDeclaration>"
            ),
            (
                '<outcomeDeclaration identifier="MAXSCORE" cardinality="single" baseType="float">'
                f"<defaultValue><value>{len(one.fields)}</value></defaultValue></outcomeDeclaration>"
            ),
            (
                '<outcomeDeclaration identifier="FEEDBACK" cardinality="multiple" '
                'baseType="identifier"/>'
            ),
            f"<itemBody>{image}{_blocks(html_body(one.body))}{''.join(asked)}",
            f'<rubricBlock view="scorer tutor">{solution}</rubricBlock></itemBody>',
            f"<responseProcessing>{''.join(rules)}</responseProcessing>",
            *feedback,
            "</assessmentItem>",
        ]
    )


#: A displayed formula, by an attribute that MathML 2 lacks, on which QTI 2.1 builds.
DISPLAYED: Final = re.compile(r'(<math\b[^>]*) displaystyle="true"([^>]*>)(.*?)</math>', re.DOTALL)


def _blocks(html: str) -> str:
    """The HTML with its tables and formulas as QTI has them."""
    html = DISPLAYED.sub(r'\1\2<mstyle displaystyle="true">\3</mstyle></math>', html)
    opened = re.sub(r"(<table\b[^>]*>)(?!<tbody)", r"\1<tbody>", html)
    return re.sub(r"(?<!</tbody>)</table>", "</tbody></table>", opened)


def _rule(name: str, base: str, field: Field, number: int) -> str:
    """The response condition of an answer: a point if it is right, or what a mistake says."""
    add = (
        '<setOutcomeValue identifier="SCORE"><sum><variable identifier="SCORE"/>'
        '<baseValue baseType="float">1</baseValue></sum></setOutcomeValue>'
    )
    parts = [f"<responseIf>{_equal(name, base, field.answer)}{add}</responseIf>"]
    for place, mistake in enumerate(field.mistakes, 1):
        if mistake.value == "":
            continue
        said = (
            '<setOutcomeValue identifier="FEEDBACK"><multiple><variable identifier="FEEDBACK"/>'
            f'<baseValue baseType="identifier">F{number}-{place}</baseValue></multiple>'
            "</setOutcomeValue>"
        )
        test = _equal(name, base, mistake.value)
        parts.append(f"<responseElseIf>{test}{said}</responseElseIf>")
    return f"<responseCondition>{''.join(parts)}</responseCondition>"


def _equal(name: str, base: str, answer: Answer) -> str:
    """The test whether a response is this answer."""
    variable = f'<variable identifier="{name}"/>'
    value = f'<baseValue baseType="{base}">{plain(answer)}</baseValue>'
    if base == "identifier":
        return f"<match>{variable}{value}</match>"
    if base == "string":
        return f'<stringMatch caseSensitive="false">{variable}{value}</stringMatch>'
    off = f"{tolerance_of(float(answer)):.6g}"
    return f'<equal toleranceMode="absolute" tolerance="{off} {off}">{variable}{value}</equal>'
