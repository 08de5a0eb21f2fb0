"""Where a formula may be broken, as text and in LaTeX, and how its pieces fill lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from ..graph.marks import PLACES
from ..graph.notation import letter_width, places

#: What a line may begin with, in a text.
BREAKS: Final = (" + ", " − ", "·", " / ")
DOTS: Final = ("·", r" \cdot ")
#: Widths are in points, for the font size of 9 points; A4 less 15 mm on both sides has 512.
LINE: Final = 440.0
INDENT: Final = 20.0  # of a line that goes on, by \quad and \qquad
SIGN: Final = 12.3  # of + and =, with the space around
LETTER: Final = 6.0
WIDTHS: Final[Mapping[str, float]] = {
    **dict.fromkeys("mwMNWQKUHGVOXDAC", 9.5),
    **dict.fromkeys("ijltI'!:;.,|", 4.2),
    **dict.fromkeys("+-=<>≈≤≥", SIGN),
    **dict.fromkeys("()[]/", 4.0),
    **dict.fromkeys("0123456789", 5.0),
    " ": 0.0,
}
COMMANDS: Final[Mapping[str, float]] = {
    **{r"\cdot": 7.3, r"\times": SIGN, r"\approx": SIGN, r"\ge": SIGN, r"\le": SIGN},
    **{r"\quad": 10.0, r"\qquad": 20.0, r"\partial": 5.8, r"\log": 13.0, r"\bmod": 28.0},
    **dict.fromkeys([r"\exp", r"\sin", r"\cos", r"\tanh", r"\max", r"\min"], 21.0),
    **dict.fromkeys([r"\left", r"\right", r"\bigl", r"\bigr"], 3.0),
}
TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
LATEX_BREAKS: Final = (" + ", " - ", r" \cdot ", " / ")


class Piece(NamedTuple):
    """What stays on one line, the number of parentheses around it, and the sign before it."""

    text: str
    depth: int
    sign: str = ""


def filled(
    found: Sequence[Piece], width: Callable[[str], float], room: float, later: float
) -> Iterator[list[Piece]]:
    """The pieces line by line: as many as the first and all later lines have room for.

    A line ends at the outermost of its breaks that leave it no shorter than a third, before a sign
    rather than before a dot; a piece wider than a line has one for itself.
    """
    found = list(found)
    while found:
        size = 0.0
        sizes: list[float] = []
        for piece in found:
            size += width(piece.text)
            if sizes and size > room:
                break
            sizes.append(size)
        fits = len(sizes)
        if fits < len(found):
            good = [n for n, size in enumerate(sizes, 1) if size > room / 3] or [fits]
            fits = min(good, key=lambda n: (found[n].depth, found[n].sign in DOTS, -n))
        yield found[:fits]
        found, room = found[fits:], later


def broken_text(text: str, room: int, later: int) -> list[str]:
    """A formula of a text in lines of these numbers of places: the first, and all later ones.

    >>> broken_text("= a + b·(c − d)", 8, 10)
    ['= a', '+ b', '·(c − d)']
    """
    if places(text) <= room:
        return [text]
    found, depth, start, at, sign = [], 0, 0, 0, ""
    for place, character in enumerate(text):
        here = next((one for one in BREAKS if text.startswith(one, place)), "")
        if here and place > start:
            found.append(Piece(text[start:place], at, sign))
            start, at, sign = place, depth, here
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
    found.append(Piece(text[start:], at, sign))
    rows = filled(found, places, room, later)
    return ["".join([piece.text for piece in row]).strip() for row in rows]


# --- LaTeX ---------------------------------------------------------------------------------------


def argument(latex: str, start: int) -> int:
    """Where the braces that open at the start are closed, behind the brace.

    >>> argument(r"{a{b}}c", 0)
    6
    """
    depth = 0
    for token in TOKEN.finditer(latex, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(latex)


@cache
def width(latex: str) -> float:
    """How wide a formula is on paper, in points: a little more than it is.

    >>> width(r"\\frac{x}{y + z}") < width(r"x / (y + z)") < 45
    True
    """
    total, place = 0.0, 0
    while place < len(latex):
        token = TOKEN.match(latex, place)
        assert token is not None
        text, place = token[0], token.end()
        if text in (r"\frac", "^", "_"):
            ends = [place, argument(latex, place)]
            if text == r"\frac":
                ends.append(argument(latex, ends[1]))
            inside = [width(latex[a:b]) for a, b in pairwise(ends)]
            total += 0.85 * inside[0] + 1.0 if text in "^_" else max(inside) + 3.0
            place = ends[-1]
        elif text in (r"\text", r"\mathrm", r"\operatorname"):
            end = argument(latex, place)
            words = re.sub(r"\\(.)", r"\1", latex[place + 1 : end - 1])
            total += sum(map(letter_width, words))
            place = end
        elif text.startswith("\\"):
            total += COMMANDS.get(text, 0.0 if "dot" in text else 7.0)
        elif text not in "{}" and text < PLACES:
            total += WIDTHS.get(text, LETTER if text.islower() else 8.5)
    return total


def pieces(latex: str) -> list[Piece]:
    """A formula cut wherever a line may end: before signs, dots, and one of two factors in ().

    >>> [piece.text for piece in pieces(r"= a + \\left(b - c\\right)\\left(d\\right)")]
    ['= a', ' + \\\\left(b', ' - c\\\\right)', '\\\\left(d\\\\right)']
    """
    found, depth, start, place, at, sign = [], 0, 0, 0, 0, ""
    while place < len(latex):
        here = next((one for one in LATEX_BREAKS if latex.startswith(one, place)), "")
        factor = latex.startswith(r"\left(", place) and latex.endswith(")", 0, place)
        if (here or factor) and place > start:
            found.append(Piece(latex[start:place], at, sign))
            start, at, sign = place, depth, here
            place += len(here)
            continue
        if latex[place] == "{":
            place = argument(latex, place)
            continue
        token = TOKEN.match(latex, place)
        assert token is not None
        depth += {r"\left": 1, r"\right": -1}.get(token[0], 0)
        place = token.end() if token[0] not in (r"\left", r"\right") else token.end() + 1
    return [*found, Piece(latex[start:], at, sign)]


def broken(latex: str, room: float, later: float) -> list[str]:
    """The formula in lines of these widths: the first, and all later ones.

    >>> broken("= a + b + c", 40.0, 60.0)
    ['= a + b', '+ c']
    """
    if width(latex) <= room:
        return [latex]
    lines: list[str] = []
    for row in filled(pieces(_flat(latex, later)), width, room, later):
        text = "".join([piece.text for piece in row]).strip()
        joined = lines and not row[0].sign and text.startswith(r"\left(")
        lines.append(rf"\cdot {text}" if joined else text)
    return [_unpaired(line) for line in lines]


def _flat(latex: str, room: float) -> str:
    """The formula with fractions that are wider than the room as quotients on the line."""
    start = latex.find(r"\frac{")
    while start >= 0:
        middle = argument(latex, start + len(r"\frac"))
        end = argument(latex, middle)
        if width(latex[start:end]) > 0.5 * room and r"\partial" not in latex[start : start + 15]:
            top, bottom = latex[start + len(r"\frac{") : middle - 1], latex[middle + 1 : end - 1]
            over, under = (rf"\left({part}\right)" for part in (top, bottom))
            latex = f"{latex[:start]}{over} / {under}{latex[end:]}"
        start = latex.find(r"\frac{", start + 1)
    return latex


def _unpaired(line: str) -> str:
    r"""The line with \bigl and \bigr for parentheses whose other half is on another line."""
    waiting, alone = [], []
    for found in re.finditer(r"\\(left|right)(?![A-Za-z])", line):
        if found[1] == "left":
            waiting.append(found)
        elif waiting:
            waiting.pop()
        else:
            alone.append(found)
    for found in sorted([*waiting, *alone], key=lambda one: -one.start()):
        big = r"\bigl" if found[1] == "left" else r"\bigr"
        line = line[: found.start()] + big + line[found.end() :]
    return line
