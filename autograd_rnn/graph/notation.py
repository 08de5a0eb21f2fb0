"""How names, numbers and expressions are written, as text and in LaTeX."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from string import Formatter
from typing import Final, NamedTuple

from ..arguments import visible
from ..ops.op import ATOM, CALL, POWER, PRODUCT, QUOTIENT, SIGN, SUM, Op

ACCENTS: Final = ("\u0307", "\u0308", "\u20db", "\u20dc")
SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS: Final = str.maketrans("0123456789−+-()nxyk", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁻⁽⁾ⁿˣʸᵏ")
TRAILING_DIGITS: Final = re.compile(r"(?<=[^\W\d_])_?([0-9]+)\Z")
SUBSCRIPTED: Final = re.compile(r"(.)([₀-₉]*)")
ACCENTED: Final = re.compile(rf"(.)([{''.join(ACCENTS)}])([₀-₉]*)")
NUMBERED: Final = re.compile("⁽[⁰¹²³⁴-⁹]+⁾")
NOT_FINITE: Final = ("nan", "∞", "−∞")

# A letter with an accent or a subscript, or a word; then the number of a step.
LATEX_NAME: Final = re.compile(
    rf"(?:(?P<letter>\w)(?:_(?P<below>[A-Za-z0-9]+)|(?P<accent>[{''.join(ACCENTS)}])?)"
    r"|(?P<word>[A-Za-z]{2,}))(?P<digits>[₀-₉]*)(?:⁽(?P<step>[⁰¹²³⁴-⁹]+)⁾)?"
)
WORDS: Final = re.compile(r"(.*?)([₀-₉]*)(⁽([⁰¹²³⁴-⁹]+)⁾)?", re.DOTALL)
SUBSCRIPTED_DIGITS: Final = "₀₁₂₃₄₅₆₇₈₉"
DIGITS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹", "01234567890123456789")
ACCENT_COMMANDS: Final = (r"\dot", r"\ddot", r"\dddot", r"\ddddot")
# No command for these works both in LaTeX and in the browsers' MathJax.
LOOKALIKES: Final = str.maketrans(r"\^~|<>", "∖ˆ∼∣‹›")
#: Combining characters as LaTeX's accents, and characters that it calls by a name.
MARKS: Final = "\u0300\u0301\u0302\u0303\u0307\u0308\u0304\u0327"
MARKED: Final = dict(zip(MARKS, "`'^~.\"=c", strict=True))
NAMED: Final = {
    **{"∖": r"\textbackslash{}", "ˆ": r"\textasciicircum{}", "∼": r"\textasciitilde{}"},
    **{"ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ł": r"\l{}"},
    **{"∣": r"\textbar{}", "‹": r"\textless{}", "›": r"\textgreater{}"},
    **{"–": "--", "—": "---", "⁺": r"\ensuremath{^{+}}", "′": r"\ensuremath{'}"},
}
GREEK: Final = re.compile("GREEK (SMALL|CAPITAL) LETTER (\\w+)")
# Letters that Unicode and LaTeX spell differently, and letters without a command in LaTeX.
RENAMED: Final = {"lamda": "lambda", "Lamda": "Lambda"}
LATIN: Final = (
    *("omicron", "Alpha", "Beta", "Epsilon", "Zeta", "Eta", "Iota", "Kappa", "Mu", "Nu"),
    *("Omicron", "Rho", "Tau", "Chi"),
)


class Grammar(NamedTuple):
    """How names and numbers are written unless a call says otherwise."""

    precision: int = 4
    subscripts: bool = True
    accents: bool = True


USUAL: Final = Grammar()
_grammar: Final[ContextVar[Grammar]] = ContextVar("grammar", default=USUAL)


@contextmanager
def written_with(precision: int | None, subscripts: bool, accents: bool) -> Iterator[None]:
    """A context that sets the number of digits, and whether names have subscripts and accents.

    >>> with written_with(2, subscripts=False, accents=False):
    ...     number(0.1234567), label("w_1"), accent("w", 2)
    ('0.12', 'w_1', 'w⁽²⁾')
    """
    digits = USUAL.precision if precision is None else precision
    token = _grammar.set(Grammar(digits, subscripts, accents))
    try:
        yield
    finally:
        _grammar.reset(token)


def label(name: str) -> str:
    """The name as it is shown: visible, and trailing digits become subscripts.

    >>> label("w_1"), label("w12"), label("loss")
    ('w₁', 'w₁₂', 'loss')
    """
    grammar = _grammar.get()
    if not grammar.accents:
        marked = ACCENTED.fullmatch(unicodedata.normalize("NFD", name))
        if marked is not None:
            step = superscript(f"({ACCENTS.index(marked[2]) + 1})")
            return visible(f"{marked[1]}{marked[3]}{step}")
    match = TRAILING_DIGITS.search(name) if grammar.subscripts else None
    if match is not None:
        name = name[: match.start()] + match[1].translate(SUBSCRIPTS)
    return visible(name)


def superscript(text: str) -> str | None:
    """The text in superscript characters, or None where there is no such character.

    >>> superscript("(12)")
    '⁽¹²⁾'
    """
    return text.translate(SUPERSCRIPTS) if all(ord(c) in SUPERSCRIPTS for c in text) else None


def accent(name: str, place: int, accents: bool = True) -> str:
    """The name with the accent of a step or copy: ẇ₁, ẅ₁, w⃛₁, w⃜₁, and from the fifth on w₁⁽⁵⁾.

    A name of several letters always takes the number, and so does any with `accents=False`.

    >>> accent("w_1", 2), accent("w_1", 5), accent("gain", 1)
    ('ẅ₁', 'w₁⁽⁵⁾', 'gain⁽¹⁾')
    """
    shown = label(name)
    match = SUBSCRIPTED.fullmatch(shown)
    one_letter = match is not None and match[1].isalpha()
    accents = accents and _grammar.get().accents
    if accents and one_letter and match is not None and place <= len(ACCENTS):
        # Composed where Unicode has the letter, as people type it: ẇ is one character, q̇ is two.
        return unicodedata.normalize("NFC", match[1] + ACCENTS[place - 1]) + match[2]
    return f"{shown}{superscript(f'({place})')}"


def without_digits(name: str) -> tuple[str, int]:
    """The name without its trailing digits, and their number; 0 if there are none.

    >>> without_digits("w_12"), without_digits("loss")
    (('w', 12), ('loss', 0))
    """
    match = TRAILING_DIGITS.search(name)
    return (name, 0) if match is None else (name[: match.start()], int(match[1]))


def is_accented(name: str) -> bool:
    """Whether a name has the accent or the number of a step.

    >>> is_accented("q̇₁"), is_accented("q⁽⁵⁾"), is_accented("q_1")
    (True, True, False)
    """
    marked = ACCENTED.fullmatch(unicodedata.normalize("NFD", name))
    return marked is not None or NUMBERED.search(name) is not None


def accents_suffice(names: Iterable[str]) -> bool:
    """Whether dots can number all steps in one text: no name has the number of a fifth, or is i̇.

    >>> accents_suffice(["q̇", "q̈"]), accents_suffice(["q̇", "q⁽⁵⁾"]), accents_suffice(["i̇"])
    (True, False, False)
    """
    for name in names:
        marked = ACCENTED.fullmatch(unicodedata.normalize("NFD", name))
        if NUMBERED.search(name) or (marked is not None and marked[1] in "ij"):
            return False
    return True


def latex_name(name: str) -> str:
    r"""The name in LaTeX, with its accent, subscript and number of the step.

    >>> latex_name("w_1"), latex_name("π⃛"), latex_name("w₁⁽⁵⁾"), latex_name("loss")
    ('w_{1}', '\\dddot{\\pi}', 'w_{1}^{(5)}', '\\mathrm{loss}')
    """
    shown = label(name)
    match = LATEX_NAME.fullmatch(unicodedata.normalize("NFD", shown))
    base = match and (rf"\mathrm{{{match['word']}}}" if match["word"] else _letter(match["letter"]))
    if match is None or base is None:
        # Words, and behind them an index and the number of a step: any text matches.
        words, below, _, step = WORDS.fullmatch(shown).groups()  # type: ignore[union-attr]
        escaped = re.sub(r"([{}$&#_%])", r"\\\1", words.translate(LOOKALIKES))
        found = rf"\text{{{' '.join(escaped.split())}}}"
        found += f"_{{{below.translate(DIGITS)}}}" if below else ""
        return found + (f"^{{({step.translate(DIGITS)})}}" if step else "")
    if match["accent"]:
        base = f"{ACCENT_COMMANDS[ACCENTS.index(match['accent'])]}{{{base}}}"
    below, digits, step = match["below"] or "", match["digits"].translate(DIGITS), match["step"]
    if len(below) > 1 and not below.isdigit():
        below = rf"\mathrm{{{below}}}"
    below += f",{digits}" if below and digits else digits
    above = f"^{{({step.translate(DIGITS)})}}" if step else ""
    return base + (f"_{{{below}}}" if below else "") + above


def as_ascii(latex: str) -> str:
    r"""The LaTeX without characters that pdfLaTeX has no font for.

    >>> as_ascii("café 日")
    "caf\\'{e} \\texttt{U+65E5}"
    """
    found: list[str] = []
    for character in unicodedata.normalize("NFD", latex):
        if character in MARKED and found and len(found[-1]) == 1 and found[-1].isalpha():
            found[-1] = rf"\{MARKED[character]}{{{found[-1]}}}"
        else:
            found.append(_spelled(character))
    return "".join(found)


def _spelled(character: str) -> str:
    """A character by LaTeX's name of it, or by its number: U+65E5."""
    if character == "\n" or 31 < ord(character) < 127:
        return character
    if character in NAMED:
        return NAMED[character]
    digit = character.translate(DIGITS)
    if digit != character:
        return rf"\ensuremath{{{'_' if character in SUBSCRIPTED_DIGITS else '^'}{digit}}}"
    letter = _letter(character)
    return rf"\texttt{{U+{ord(character):04X}}}" if letter is None else rf"\ensuremath{{{letter}}}"


def letter_width(letter: str) -> float:
    """How wide a letter of a word is in LaTeX, in points, for the font size of 10 points."""
    first, *above = list(unicodedata.normalize("NFD", letter))
    strange = [c for c in above if c not in MARKED]
    strange += [first] if _spelled(first).startswith(r"\texttt") else []
    if strange:
        return 45.0 * len(strange)
    return 10.5 if first.isupper() or first in "mw%@" else 6.5 if ord(first) > 127 else 6.0


def _letter(character: str) -> str | None:
    if character.isascii():
        return character if character.isalpha() else None
    greek = GREEK.fullmatch(unicodedata.name(character, ""))
    if greek is None:
        return None
    command = greek[2].lower() if greek[1] == "SMALL" else greek[2].capitalize()
    return None if command in LATIN else f"\\{RENAMED.get(command, command)}"


def number(x: float, digits: int | None = None, whole: int = 6) -> str:
    """The number with a true minus: `digits` significant ones, whole numbers in full up to `whole`.

    By default there are four digits, or the `precision=` of a drawing.

    >>> number(-12345.0), number(0.1234567), number(1.2e-9), number(0.99999)
    ('−12345', '0.1235', '1.2×10⁻⁹', '1.000')
    """
    return write_number(x, PLAIN._replace(digits=digits, whole=whole)).text


def is_not_finite(*written: str | None) -> bool:
    """Whether a written number among these is NaN or an infinity, which pictures mark."""
    return any(text is not None and text in NOT_FINITE for text in written)


class Text(NamedTuple):
    """A written expression and how tightly it binds."""

    text: str
    binds: int = ATOM


class Style(NamedTuple):
    """How expressions are written: which templates of the ops, and the signs that go with them.

    `digits` and `whole` are those of `number`.  With `signs`, a negative first factor is in
    parentheses, as all others are: (−2)·x.
    """

    column: str = "text"
    dot: str = "·"
    minus: str = "−"
    about: str = "≈"
    opening: str = "("
    closing: str = ")"
    digits: int | None = None
    whole: int = 6
    signs: bool = False

    def enclose(self, text: str) -> str:
        """The text in parentheses."""
        return f"{self.opening}{text}{self.closing}"

    def fit(self, written: Text, least: int) -> str:
        """The expression, in parentheses where it binds less tightly than it has to."""
        return written.text if written.binds >= least else self.enclose(written.text)


PLAIN: Final = Style()
TEXT: Final = Style(digits=6, whole=15, signs=True)
LATEX: Final = Style("latex", r" \cdot ", "-", r"\approx", r"\left(", r"\right)", 6, 15, True)


def write(op: Op, *operands: Text, style: Style = PLAIN) -> Text:
    """The op applied to written operands, with parentheses where they are needed.

    >>> from autograd_rnn.ops import TABLE
    >>> difference = write(TABLE["sub"], Text("15"), Text("π"))
    >>> write(TABLE["pow"], difference, Text("2")).text
    '(15 − π)²'
    """
    template = getattr(op, style.column)
    fields = _fields(template)
    fitted = []
    for place, (operand, (braced, raised)) in enumerate(zip(operands, fields, strict=True)):
        if raised:
            fitted.append(superscript(operand.text) or f"^{style.fit(operand, CALL)}")
        elif braced or not _is_loose(op, operand, place, style.signs):
            fitted.append(operand.text)
        else:
            fitted.append(style.enclose(operand.text))
    # A fraction in LaTeX holds together by its braces.
    binds = max(op.binds, POWER) if fields[0][0] else op.binds
    return Text(template.format(*fitted), binds)


@cache
def _fields(template: str) -> list[tuple[bool, bool]]:
    """For each operand of a template whether it is in braces, and whether it is a superscript."""
    fields, before = [], ""
    for text, name, form, _ in Formatter().parse(template):
        before = text or before
        if name is not None:
            fields.append((before.endswith("{"), form == "^"))
            before = ""
    return fields


def _is_loose(op: Op, operand: Text, place: int, signs: bool) -> bool:
    """Whether the operand needs parentheses at its place."""
    if op.binds >= CALL:
        return False
    if operand.binds == SIGN and (place > 0 or (signs and op.binds > SUM)):
        return True  # x·(−2)
    if place > 0 and op.binds == QUOTIENT:
        return operand.binds <= SIGN  # a / (b·c)
    if place == 0 and op.binds in (SUM, PRODUCT):
        return operand.binds < op.binds  # these group from the left: a − b − c
    return operand.binds <= op.binds


def write_number(x: float, style: Style = PLAIN) -> Text:
    """The number as an operand: a power of ten and a minus sign bind less than digits do.

    >>> write_number(2e8)
    Text(text='2×10⁸', binds=3)
    """
    if not math.isfinite(x):
        return Text("nan") if math.isnan(x) else Text("∞") if x > 0 else Text("−∞", SIGN)
    mantissa, power = round_digits(x, style)
    text = mantissa.replace("-", style.minus)
    if power and style.column == "latex":
        text += rf" \times 10^{{{power}}}"
    elif power:
        text += f"×10{superscript(power)}"
    return Text(text, SIGN if text.startswith(style.minus) else PRODUCT if power else ATOM)


def is_exact(x: float) -> bool:
    """Whether a derivation writes the number with all its digits.

    >>> is_exact(0.125), is_exact(1 / 3)
    (True, False)
    """
    mantissa, power = round_digits(x, TEXT)
    return float(f"{mantissa}e{power or 0}") == x


def round_digits(x: float, style: Style) -> tuple[str, str]:
    """The digits that a finite number is written with, and its power of ten, empty for none.

    >>> round_digits(1.23456789e-9, TEXT), round_digits(15.9999996, TEXT)
    (('1.23457', '-9'), ('16.0000', ''))
    """
    digits = _grammar.get().precision if style.digits is None else style.digits
    if x == int(x) and abs(x) < 10.0 ** max(digits, style.whole):
        return str(int(x)), ""
    rounded = f"{x:.{digits}g}"
    if float(rounded).is_integer() and "e" not in rounded:  # 16.00: it shall not look whole
        rounded = f"{x:#.{digits}g}".removesuffix(".")
    mantissa, _, exponent = rounded.partition("e")
    return mantissa, str(int(exponent)) if exponent else ""


def table(rows: Sequence[Sequence[str]], left: Collection[int] = (), foot: bool = True) -> str:
    """Rows of text as columns of one width, the first row a head and the last a foot, if any.

    The columns whose places are in `left` are aligned to the left, the others to the right.

    >>> print(table([("copy", "term"), ("ẇ₁", "16"), ("", "16")], left=[0]))
    copy   term
    ───────────
    ẇ₁       16
    ───────────
             16
    """
    widths = [max(map(places, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell + blank if place in left else blank + cell
            for place, cell in enumerate(row)
            for blank in [" " * (widths[place] - places(cell))]
        ]
        lines.append("   ".join(cells).rstrip())
    rule = "─" * (sum(widths) + 3 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:-1], *[rule] * foot, *lines[1:][-1:]])


def places(text: str) -> int:
    """How many places of a terminal the text takes: accents stand above their letter."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return wide + sum(not unicodedata.combining(character) for character in text)


def term(written: str) -> str:
    """A written number as one more term of a sum.

    >>> term("16"), term("−4")
    ('+ 16', '− 4')
    """
    return f"− {written[1:]}" if written.startswith("−") else f"+ {written}"


def joined(written: Sequence[str]) -> str:
    """Written numbers as one sum, with the middle of a long one left out.

    >>> joined(["·", "−4", "16"])
    '· − 4 + 16'
    """
    if len(written) > 6:
        written = [*written[:2], "…", *written[-2:]]
    return " ".join([written[0], *map(term, written[1:])])


def vector(entries: Sequence[float], most: int = 8, digits: int = 4) -> str:
    """The entries in brackets, the first of them where they are many; a single one without.

    >>> vector([1.0, 0.5]), vector([2.0]), vector([1.0, 2.0, 3.0], most=2)
    ('[1 0.5]', '2', '[1 2 …]')
    """
    if len(entries) == 1:
        return number(entries[0])
    shown = [number(entry, digits) for entry in entries[:most]]
    return f"[{' '.join(shown)}{' …' if len(entries) > most else ''}]"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["b", "w₁", "w₂"])
    'b, w₁ and w₂'
    """
    return " and ".join([", ".join(names[:-1]), *names[-1:]] if names[1:] else names)
