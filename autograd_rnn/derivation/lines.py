"""Where a formula may be broken, and how its pieces fill lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ..graph.notation import ACCENTS

#: What a line may begin with, in a text.
BREAKS: Final = (" + ", " − ", "·", " / ")
DOTS: Final = ("·", r" \cdot ")


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
        size, sizes = 0.0, []
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


def places(text: str) -> int:
    """How many places of a terminal a text takes: accents stand above other letters.

    >>> places("ẅ₁ + π⃛")
    6
    """
    return sum([character not in ACCENTS for character in text])


def broken_text(text: str, room: int, later: int) -> list[str]:
    """A formula of a text in lines of these numbers of places: the first, and all later ones.

    >>> broken_text("= a + b·(c − d)", 8, 10)
    ['= a', '+ b·(c', '− d)']
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
