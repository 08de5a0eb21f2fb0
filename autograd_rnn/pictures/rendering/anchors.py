"""The texts of an SVG, anchored in their cells, so that they stay inside in any font.

Graphviz starts each text where it is in the middle or at the end of its cell in the font that
Graphviz has.  In another font, it would be elsewhere, and could cross the border.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

# In a label: tables and cells with their looks, texts, and the ends of tables and lines.
LABEL: Final = re.compile(
    r"<(?P<tag>TABLE|TD)(?P<looks>[^>]*)>|<FONT[^>]*>(?P<text>.*?)</FONT>|(?P<end></TABLE>|<BR/>)",
    re.DOTALL,
)
SUBSCRIPT: Final = re.compile("</?SUB>")
LOOK: Final = re.compile(r'(\w+)="([^"]*)"')
# What Graphviz writes in a line: a group with an id, the fill of a cell, a text.
GROUP: Final = re.compile(r'<g id="([^"]*)"')
FILL: Final = re.compile(r'<\w+ fill="([^"]*)"[^>]*? stroke="none"[^>]*? (?:points|d)="([^"]*)"/>')
POINT: Final = re.compile(r"(-?[\d.]+),")
TEXT: Final = re.compile(
    r'(<text .*?)text-anchor="start" x="[^"]*" y="([^"]*)"'
    r'(.*? font-size="([^"]*)"[^>]*>)(.*)</text>'
)
LOOKS: Final = re.compile(r'font-family="[^"]*"(.*)>')
SPACES: Final = re.compile(r"(?:&#160;| )+$")
SPACE: Final = 0.32  # of the size of a font
NORMAL: Final = ' font-weight="normal"'
BELOW: Final = ' baseline-shift="sub"'
GONE: Final = "<gone>"  # the line of a text that has joined another


class Place(NamedTuple):
    """Where a text stands: at which side, how far off the border, how many share its line."""

    side: str
    border: float
    sharing: int = 1
    first: bool = True


@lru_cache(maxsize=500)
def places_of(label: str) -> tuple[Place, ...]:
    """The place of each text of an HTML label, in order.

    >>> places_of('<<TABLE><TR><TD ALIGN="RIGHT"><FONT>4 </FONT></TD></TR></TABLE>>')
    (Place(side='RIGHT', border=3.0, sharing=1, first=True),)
    """
    lines: list[list[Place]] = []
    tables, side, border = [("0", "0")], "CENTER", 0.0
    for found in LABEL.finditer(label):
        looks: dict[str, str] = dict(LOOK.findall(found["looks"] or ""))
        if found["tag"] == "TABLE":
            own = looks.get("CELLBORDER", looks.get("BORDER", "1"))
            tables.append((own, looks.get("CELLPADDING", "2")))
        elif found["tag"]:
            own, padding = tables[-1]
            border = float(looks.get("BORDER", own)) + float(looks.get("CELLPADDING", padding))
            side = looks.get("ALIGN", "CENTER")
            lines.append([])
        elif found["end"] == "</TABLE>":
            tables.pop()
        elif found["end"]:
            lines.append([])
        else:
            for number, words in enumerate(found["text"].split("<BR/>")):
                if number or not lines:
                    lines.append([])
                parts = [part for part in SUBSCRIPT.split(words) if part.strip("\n")]
                lines[-1] += [Place(side, border)] * len(parts)
    return tuple(
        [
            place._replace(sharing=len(line), first=not number)
            for line in lines
            for number, place in enumerate(line)
        ]
    )


def anchored(svg: str, labels: Mapping[str, str]) -> str:
    """The SVG with texts that keep their middle or their end; `labels` are those of the ids."""
    found: list[str] = []
    places: Sequence[Place] = ()
    texts: list[int] = []  # where those of a group are
    sides: list[tuple[float, float]] = []
    cell = 0.0, 0.0
    for line in [*svg.split("\n"), ""]:
        if line.startswith("<text "):
            texts.append(len(found))
            sides.append(cell)
        elif line.startswith(("<polygon ", "<path ")):
            fill = FILL.match(line)
            if fill is not None:
                xs = [*map(float, POINT.findall(fill[2]))]
                cell = min(xs), max(xs)
                if fill[1] == "none":
                    continue
        elif not line or line.startswith("<g "):
            if texts and len(places) == len(texts):
                _anchor(found, texts, places, sides)
            group = GROUP.match(line)
            places = places_of(labels.get(group[1], "")) if group else ()
            texts, sides = [], []
        elif line.startswith("<title>") and not places:  # a name, where there is no id
            places = places_of(labels.get(line[7:-8], ""))
        found.append(line)
    return "\n".join([line for line in found[:-1] if line is not GONE])


def _anchor(
    found: list[str],
    texts: Sequence[int],
    places: Sequence[Place],
    sides: Sequence[tuple[float, float]],
) -> None:
    """Anchor the texts of a group, which stand at these places, and join those on one line."""
    first, high = 0, 0.0
    for at, place, cell in zip(texts, places, sides, strict=True):
        text = TEXT.fullmatch(found[at])
        if text is None:
            continue
        before, y, looks, size, words = text.groups()
        if not place.first:  # it goes on, in a font of its own, higher or lower
            own, lower = "".join(LOOKS.findall(looks)), float(y)
            if BELOW in own:  # which browsers do not do
                own, lower = own.replace(BELOW, ""), lower + 0.2 * float(size)
                own = own.replace(f'font-size="{size}"', f'font-size="{0.75 * float(size):g}"')
            down = f' dy="{lower - high:g}"' if lower != high else ""
            weight = "" if "font-weight" in own else NORMAL
            more = f"<tspan{down}{weight}{own}>{words}</tspan></text>"
            found[first] = found[first].removesuffix("</text>") + more
            found[at], high = GONE, lower
            continue
        first, high = at, float(y)
        bare = SPACES.sub("", words) if place.sharing == 1 else words
        if place.side == "LEFT":
            found[at] = found[at].removesuffix(f"{words}</text>") + f"{bare}</text>"
            continue
        anchor, x = "middle", sum(cell) / 2
        if place.side == "RIGHT":
            # Spaces at the end keep a text off the border.
            spaces = len(words[len(bare) :].replace("&#160;", " "))
            anchor, x = "end", cell[1] - place.border - SPACE * spaces * float(size)
        bare = bare.lstrip(" ") if place.sharing == 1 else words
        found[at] = f'{before}text-anchor="{anchor}" x="{x:.2f}" y="{y}"{looks}{bare}</text>'
