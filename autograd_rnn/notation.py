"""Names, accents and numbers as the lecture writes them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Final, NamedTuple

from .ops import ATOM, CALL, PRODUCT, Op

__all__ = ["Text", "accent", "label", "number", "superscript", "write"]

ACCENTS: Final = ("\u0307", "\u0308", "\u20db", "\u20dc")
SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS: Final = str.maketrans("0123456789−+-()nxyk", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁻⁽⁾ⁿˣʸᵏ")
TRAILING_DIGITS: Final = re.compile(r"(?<=[^\W\d_])_?(\d+)$|(?<=_)(\d+)$")
ONE_LETTER: Final = re.compile(r"([^\W\d_])([₀-₉]*)")


def label(name: str) -> str:
    """The name as it is shown: trailing digits become subscripts.

    >>> label("w_1"), label("w12"), label("loss")
    ('w₁', 'w₁₂', 'loss')
    """
    match = TRAILING_DIGITS.search(name)
    if match is None:
        return name
    digits = match[1] or match[2]
    return name[: match.start()].removesuffix("_") + digits.translate(SUBSCRIPTS)


def superscript(text: str) -> str | None:
    """The text in superscript characters, or None where there is no such character.

    >>> superscript("(12)")
    '⁽¹²⁾'
    """
    return text.translate(SUPERSCRIPTS) if all(ord(c) in SUPERSCRIPTS for c in text) else None


def accent(name: str, layer: int, accents: bool = True) -> str:
    """The name with the mark of a layer: ẇ₁, ẅ₁, w⃛₁, w⃜₁, and from the fifth on w₁⁽⁵⁾.

    A name of several letters, or `accents=False`, always takes the number.

    >>> accent("w_1", 2), accent("w_1", 5), accent("gain", 1)
    ('ẅ₁', 'w₁⁽⁵⁾', 'gain⁽¹⁾')
    """
    shown = label(name)
    match = ONE_LETTER.fullmatch(shown)
    if accents and match is not None and 1 <= layer <= len(ACCENTS):
        # Composed where Unicode has the letter, as people type it: ẇ is one character, q̇ is two.
        return unicodedata.normalize("NFC", match[1] + ACCENTS[layer - 1]) + match[2]
    return f"{shown}{superscript(f'({layer})')}"


def number(x: float, digits: int = 4, whole: int = 6) -> str:
    """The number with a true minus: `digits` significant ones, whole numbers in full up to `whole`.

    >>> number(-12345.0), number(0.1234567), number(1.2e-9), number(float("inf"))
    ('−12345', '0.1235', '1.2×10⁻⁹', '∞')
    """
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == int(x) and abs(x) < 10.0**whole:
        return f"{int(x)}".replace("-", "−")
    mantissa, _, exponent = f"{x:.{digits}g}".partition("e")
    power = f"×10{superscript(str(int(exponent)))}" if exponent else ""
    return mantissa.replace("-", "−") + power


class Text(NamedTuple):
    """A written expression and how tightly it binds; in a template `{:^}` is a superscript."""

    text: str
    binds: int = ATOM

    def __format__(self, spec: str) -> str:
        if spec != "^":
            return self.text
        plain = f"^{self.text}" if self.binds >= CALL else f"^({self.text})"
        return superscript(self.text) or plain


def write(op: Op, *operands: Text) -> Text:
    """The op applied to written operands, with parentheses where they are needed.

    >>> from autograd_rnn.ops import TABLE
    >>> difference = write(TABLE["sub"], Text("15"), Text("π"))
    >>> write(TABLE["pow"], difference, Text("2")).text
    '(15 − π)²'
    """
    fitted = [
        # Sums and products group from the left: a − b − c, but a − (b − c) and (x²)³.
        operand
        if op.binds >= CALL
        or operand.binds > op.binds
        or (operand.binds == op.binds <= PRODUCT and position == 0)
        else Text(f"({operand.text})")
        for position, operand in enumerate(operands)
    ]
    return Text(op.text.format(*fitted), op.binds)
