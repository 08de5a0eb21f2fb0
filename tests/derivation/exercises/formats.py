"""What a file of QTI 2.1 and of Moodle XML may hold, element by element.

Written from the published rules, for the elements that exercises have: IMS QTI 2.1 (the content
models and attributes of imsqti_v2p1.xsd), IMS Content Packaging 1.1, MathML 2.0, which QTI 2.1 goes
by, and the Moodle XML format.  An element that is not in the table is an error.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from xml.etree.ElementTree import Element

NUMBER: Final = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
NAME: Final = r"[A-Za-z_][\w.\-]*"
ANY: Final = r"(?s:.*)"
BOOL: Final = "true|false"


class Rule(NamedTuple):
    """The children of an element, as a pattern of their names with a blank behind each; text that
    it may have; its required and its other attributes, as patterns of their values."""

    children: str = ""
    text: str = r"\s*"
    required: Mapping[str, str] = {}
    optional: Mapping[str, str] = {}


Rules: TypeAlias = Mapping[str, Rule]


def some(names: str) -> str:
    """Any number of any of the elements."""
    return f"(({'|'.join(names.split())}) )*"


TEST: Final = "(match|equal|stringMatch)"
SPAN: Final = {"colspan": r"\d+", "rowspan": r"\d+", "class": ANY, "id": NAME}
BLOCK: Final = {"class": ANY, "id": NAME}
ID: Final = {"identifier": NAME}
BASE: Final = "float|string|identifier"
QTI_RULES: Final[Rules] = {
    "assessmentItem": Rule(
        r"(responseDeclaration )*(outcomeDeclaration )*(itemBody )?(responseProcessing )?"
        r"(modalFeedback )*",
        required={"identifier": ".+", "title": r"[^\n\t]+", "timeDependent": BOOL},
        optional={"adaptive": BOOL},
    ),
    "responseDeclaration": Rule(
        "(correctResponse )?", required={**ID, "cardinality": "single", "baseType": BASE}
    ),
    "outcomeDeclaration": Rule(
        "(defaultValue )?", required={**ID, "cardinality": "single|multiple", "baseType": BASE}
    ),
    "correctResponse": Rule("(value )+"),
    "defaultValue": Rule("(value )+"),
    "value": Rule(text=".+"),
    "itemBody": Rule("((rubricBlock|choiceInteraction|p|table|div) )+"),
    "rubricBlock": Rule(
        some("p table div math"),
        required={"view": "((author|candidate|proctor|scorer|testConstructor|tutor)( |$))+"},
    ),
    "p": Rule(some("math img textEntryInteraction"), ANY, optional=BLOCK),
    "div": Rule(some("p table div math"), ANY, optional=BLOCK),
    "table": Rule("(caption )?(col )*(thead )?(tfoot )?(tbody )+", optional=BLOCK),
    "tbody": Rule("(tr )+", optional=BLOCK),
    "tr": Rule("((td|th) )+", optional=BLOCK),
    "td": Rule(some("math p img"), ANY, optional=SPAN),
    "th": Rule(some("math p img"), ANY, optional=SPAN),
    "img": Rule(required={"src": r"[\w./]+", "alt": ".+"}),
    "textEntryInteraction": Rule(
        required={"responseIdentifier": NAME}, optional={"expectedLength": r"\d+"}
    ),
    "choiceInteraction": Rule(
        "(prompt )?(simpleChoice )+",
        required={"responseIdentifier": NAME},
        optional={"shuffle": BOOL, "maxChoices": r"\d+"},
    ),
    "simpleChoice": Rule(some("math p"), ANY, required=ID),
    "responseProcessing": Rule("(responseCondition )*"),
    "responseCondition": Rule("responseIf (responseElseIf )*(responseElse )?"),
    "responseIf": Rule(f"{TEST} (setOutcomeValue )*"),
    "responseElseIf": Rule(f"{TEST} (setOutcomeValue )*"),
    "match": Rule("(variable|baseValue) (variable|baseValue) "),
    "stringMatch": Rule(
        "(variable|baseValue) (variable|baseValue) ", required={"caseSensitive": BOOL}
    ),
    "equal": Rule(
        "(variable|baseValue) (variable|baseValue) ",
        required={"toleranceMode": "absolute", "tolerance": f"{NUMBER} {NUMBER}"},
    ),
    "setOutcomeValue": Rule("(sum|multiple|baseValue) ", required=ID),
    "sum": Rule("((variable|baseValue) )+"),
    "multiple": Rule("((variable|baseValue) )*"),
    "variable": Rule(required=ID),
    "baseValue": Rule(text=".+", required={"baseType": BASE}),
    "modalFeedback": Rule(
        some("p math"), ANY, required={"outcomeIdentifier": NAME, "showHide": "show|hide", **ID}
    ),
}

#: Elements of MathML by how many others they have.
PARTS: Final = {
    **dict.fromkeys(("mfrac", "msub", "msup", "mover", "munder", "mroot"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
MATHS: Final = "mi mn mo mtext mspace mrow mstyle msqrt mtable " + " ".join(PARTS)
LENGTH: Final = r"-?\d+(\.\d+)?(em|ex|px|pt)"
MATHML_RULES: Final[Rules] = {
    "math": Rule(some(MATHS), optional={"display": "block|inline"}),
    **{name: Rule(some(MATHS)) for name in ("mrow", "msqrt", "mtd", "mphantom")},
    "mstyle": Rule(
        some(MATHS), optional={"displaystyle": BOOL, "scriptlevel": r"[-+]?\d+", "mathsize": ANY}
    ),
    **{
        name: Rule(f"(({'|'.join(MATHS.split())}) ){{{n}}}", optional={"accent": BOOL})
        for name, n in PARTS.items()
    },
    "mtable": Rule("(mtr )*", optional={"columnalign": ANY}),
    "mtr": Rule("(mtd )*"),
    **{name: Rule(text=ANY, optional={"mathvariant": r"[\w-]+"}) for name in ("mi", "mn", "mtext")},
    "mo": Rule(
        text=ANY,
        optional={
            "form": "prefix|infix|postfix",
            **dict.fromkeys(("fence", "stretchy", "separator", "accent"), BOOL),
            **dict.fromkeys(("lspace", "rspace", "minsize", "maxsize"), LENGTH),
        },
    ),
    "mspace": Rule(optional={"width": LENGTH, "height": LENGTH}),
}

MANIFEST_RULES: Final[Rules] = {
    "manifest": Rule("(metadata )?organizations resources ", required=ID),
    "metadata": Rule("schema schemaversion "),
    "schema": Rule(text="QTIv2.1 Package"),
    "schemaversion": Rule(text=r"\d\.\d\.\d"),
    "organizations": Rule(),
    "resources": Rule("(resource )*"),
    "resource": Rule(
        "(file )*(dependency )*",
        required={"identifier": NAME, "type": "imsqti_item_xmlv2p1", "href": r"[\w./]+"},
    ),
    "file": Rule(required={"href": r"[\w./]+"}),
}
SPACES: Final[Mapping[str, Rules]] = {
    "http://www.imsglobal.org/xsd/imsqti_v2p1": QTI_RULES,
    "http://www.w3.org/1998/Math/MathML": MATHML_RULES,
    "http://www.imsglobal.org/xsd/imscp_v1p1": MANIFEST_RULES,
}

# --- Moodle XML ----------------------------------------------------------------------------------

#: In percent, the shares of the mark that Moodle takes; of some, the first five decimals.
SHARES: Final = (
    *(100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20),
    *(16.66667, 14.28571, 12.5, 11.11111, 10, 5, 0),
)
SHARE: Final = "|".join([f"-?{re.escape(f'{share:g}')}" for share in SHARES])
HTML: Final = {"format": "html|moodle_auto_format|plain_text|markdown"}
COMMON: Final = "name questiontext (generalfeedback )?"
GRADED: Final = f"{COMMON}defaultgrade penalty hidden "
MOODLE_RULES: Final[Rules] = {
    "quiz": Rule("(question )*"),
    "name": Rule("text "),
    "category": Rule("text "),
    "questiontext": Rule("text (file )*", required=HTML),
    "generalfeedback": Rule("text (file )*", required=HTML),
    "feedback": Rule("text (file )*", required=HTML),
    "text": Rule(text=ANY),
    "file": Rule(
        text=r"[A-Za-z0-9+/]+={0,2}",
        required={"name": r"[\w.]+", "path": "/", "encoding": "base64"},
    ),
    "defaultgrade": Rule(text=NUMBER),
    "penalty": Rule(text="0|1|0.[0-9]{1,7}"),
    "hidden": Rule(text="0|1"),
    "single": Rule(text=BOOL),
    "shuffleanswers": Rule(text="true|false|0|1"),
    "answernumbering": Rule(text="abc|ABCD|123|iii|IIII|none"),
    "answer": Rule("text (feedback )?(tolerance )?", required={"fraction": SHARE}, optional=HTML),
    "tolerance": Rule(text=NUMBER),
}
#: The children of a question by its type.
QUESTIONS: Final[Mapping[str, str]] = {
    "category": "category ",
    "numerical": f"{GRADED}(answer )+",
    "multichoice": f"{GRADED}single shuffleanswers answernumbering (answer )+",
    "cloze": f"{COMMON}penalty hidden ",
}


def faults(element: Element, path: str = "") -> list[str]:
    """What about an element, and all that is in it, is against the rules of its format."""
    space, _, name = element.tag.rpartition("}")
    rules = SPACES[space.removeprefix("{")] if space else MOODLE_RULES
    if not space and name == "question":
        kind = element.get("type", "")
        rules = {"question": Rule(QUESTIONS.get(kind, "no such type"), required={"type": kind})}
    here = f"{path}/{name}"
    if name not in rules:
        return [f"{here} is unknown"]
    rule, found = rules[name], []
    children = "".join([f"{child.tag.rpartition('}')[2]} " for child in element])
    if not re.fullmatch(rule.children, children):
        found.append(f"{here} has {children!r}")
    texts: Sequence[str] = [element.text or "", *[child.tail or "" for child in element]]
    if not re.fullmatch(rule.text, "".join(texts)):
        found.append(f"{here} says {''.join(texts)!r}")
    found += [f"{here} lacks {key}" for key in rule.required if element.get(key) is None]
    known = {**rule.required, **rule.optional}
    for key, value in element.items():
        if key not in known or not re.fullmatch(known[key], value):
            found.append(f"{here} has {key}={value!r}")
    return found + [fault for child in element for fault in faults(child, here)]
