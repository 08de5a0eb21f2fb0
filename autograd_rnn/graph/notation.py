"""Names, accents and numbers as the lecture writes them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from ..ops.op import ATOM, CALL, PRODUCT, QUOTIENT, SIGN, SUM, Op

ACCENTS: Final = ("\u0307", "\u0308", "\u20db", "\u20dc")
SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS: Final = str.maketrans("0123456789−+-()nxyk", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁻⁽⁾ⁿˣʸᵏ")
TRAILING_DIGITS: Final = re.compile(r"(?<=[^\W\d_])_?([0-9]+)\Z")
SUBSCRIPTED: Final = re.compile(r"(.)([₀-₉]*)")
ACCENTED: Final = re.compile(rf"(.)([{''.join(ACCENTS)}])([₀-₉]*)")
NOT_FINITE: Final = ("nan", "∞", "−∞")


class Grammar(NamedTuple):
    """How names and numbers are written, but for what a call says itself."""

    precision: int = 4
    subscripts: bool = True
    accents: bool = True


USUAL: Final = Grammar()
_grammar: Final[ContextVar[Grammar]] = ContextVar("grammar", default=USUAL)


@contextmanager
def written_with(precision: int | None, subscripts: bool, accents: bool) -> Iterator[None]:
    """A context in which all is written with so many digits, and with or without the marks.

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
    """The name as it is shown: trailing digits become subscripts.

    >>> label("w_1"), label("w12"), label("loss")
    ('w₁', 'w₁₂', 'loss')
    """
    grammar = _grammar.get()
    if not grammar.accents:
        marked = ACCENTED.fullmatch(unicodedata.normalize("NFD", name))
        if marked is not None:
            return f"{marked[1]}{marked[3]}{superscript(f'({ACCENTS.index(marked[2]) + 1})')}"
    if not grammar.subscripts:
        return name
    match = TRAILING_DIGITS.search(name)
    if match is None:
        return name
    return name[: match.start()] + match[1].translate(SUBSCRIPTS)


def superscript(text: str) -> str | None:
    """The text in superscript characters, or None where there is no such character.

    >>> superscript("(12)")
    '⁽¹²⁾'
    """
    return text.translate(SUPERSCRIPTS) if all(ord(c) in SUPERSCRIPTS for c in text) else None


def accent(name: str, place: int, accents: bool = True) -> str:
    """The name with the mark of a step or copy: ẇ₁, ẅ₁, w⃛₁, w⃜₁, and from the fifth on w₁⁽⁵⁾.

    A name of several letters, or `accents=False`, always takes the number.

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


def number(x: float, digits: int | None = None, whole: int = 6) -> str:
    """The number with a true minus: `digits` significant ones, whole numbers in full up to `whole`.

    Unless given, four digits, or what a drawing was told by `precision=`.

    >>> number(-12345.0), number(0.1234567), number(1.2e-9), number(0.99999)
    ('−12345', '0.1235', '1.2×10⁻⁹', '1.000')
    """
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    digits = _grammar.get().precision if digits is None else digits
    whole = max(digits, whole)
    if x == int(x) and abs(x) < 10.0**whole:
        return f"{int(x)}".replace("-", "−")
    rounded = f"{x:.{digits}g}"
    if float(rounded).is_integer() and "e" not in rounded:
        rounded = f"{x:#.{digits}g}"  # 15.9996 is 16.00, so that it does not look whole
    mantissa, _, exponent = rounded.partition("e")
    power = f"×10{superscript(str(int(exponent)))}" if exponent else ""
    return mantissa.replace("-", "−") + power


def is_not_finite(*written: str | None) -> bool:
    """Whether a written number among these is NaN or an infinity, which pictures mark.

    >>> is_not_finite("3", "−∞"), is_not_finite("3", None)
    (True, False)
    """
    return any(text is not None and text in NOT_FINITE for text in written)


class Text(NamedTuple):
    """A written expression and how tightly it binds."""

    text: str
    binds: int = ATOM


class _Operand(NamedTuple):
    """A written operand in a template: in parentheses if loose; `{:^}` is a superscript."""

    written: Text
    loose: bool

    def __format__(self, spec: str) -> str:
        text, binds = self.written
        if spec == "^":
            return superscript(text) or (f"^{text}" if binds >= CALL else f"^({text})")
        return f"({text})" if self.loose else text


def write(op: Op, *operands: Text) -> Text:
    """The op applied to written operands, with parentheses where they are needed.

    >>> from autograd_rnn.ops import TABLE
    >>> difference = write(TABLE["sub"], Text("15"), Text("π"))
    >>> write(TABLE["pow"], difference, Text("2")).text
    '(15 − π)²'
    """
    fitted = [_Operand(text, _is_loose(op, text, place)) for place, text in enumerate(operands)]
    return Text(op.text.format(*fitted), op.binds)


def _is_loose(op: Op, operand: Text, place: int) -> bool:
    """Whether the operand needs parentheses at its place."""
    if op.binds >= CALL:
        return False
    if place > 0 and (operand.binds == SIGN or op.binds == QUOTIENT):
        return operand.binds <= SIGN  # x·(−2), a / (b·c)
    if place == 0 and op.binds in (SUM, PRODUCT):
        return operand.binds < op.binds  # these group from the left: a − b − c
    return operand.binds <= op.binds


def write_number(x: float) -> Text:
    """The number as an operand: a power of ten and a minus sign bind less than digits do.

    >>> write_number(2e8)
    Text(text='2×10⁸', binds=3)
    """
    text = number(x)
    return Text(text, SIGN if text.startswith("−") else PRODUCT if "×" in text else ATOM)


def table(rows: Sequence[Sequence[str]], left: Collection[int] = ()) -> str:
    """Rows of text as columns of one width, the first row a head and the last a foot.

    The columns whose places are in `left` are aligned to the left, the others to the right.

    >>> print(table([("copy", "term"), ("ẇ₁", "16"), ("", "16")], left=[0]))
    copy   term
    ───────────
    ẇ₁       16
    ───────────
             16
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell + blank if place in left else blank + cell
            for place, cell in enumerate(row)
            for blank in [" " * (widths[place] - _width(cell))]
        ]
        lines.append("   ".join(cells).rstrip())
    rule = "─" * (sum(widths) + 3 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _width(text: str) -> int:
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
