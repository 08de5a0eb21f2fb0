"""The boxes of a picture, as the HTML labels that Graphviz draws."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from math import ceil
from typing import Any, Final, NamedTuple

from ..graph.notation import is_not_finite
from .theme import LIGHT, Theme


class Box(NamedTuple):
    """A drawn number: its role decides the colours; no badge on leaves, no grad on constants.

    `about` are the nodes and copies whose number it is.
    """

    id: str
    role: str
    name: str = ""
    data: str = ""
    grad: str | None = None
    badge: str | None = None
    step: int | None = None
    description: str = ""
    about: Sequence[Any] = ()


# How a table or a cell looks: in words, and in whole points.
Looks = dict[str, str | int]

FONTS: Final = "DejaVu Sans,Verdana,Helvetica,Arial,sans-serif"
TITLE_POINTS: Final = 18
NAME_POINTS: Final = 15
VALUE_POINTS: Final = 13
SMALL_POINTS: Final = 12
LEGEND_POINTS: Final = 11
KEY_POINTS: Final = 10
SWATCH: Final = 22 + 4 + 2 * 4 + 4  # of a legend: itself, and what is around it and its words
KEY_ROOM: Final = 34
NAME_HEIGHT: Final = 28
ROW_HEIGHT: Final = 24
LINE_HEIGHT: Final = 28
BARE: Final = {"border": "0", "cellborder": "0", "cellspacing": "0", "cellpadding": "2"}

UNPRINTABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
NO_WIDTH: Final = ("Mn", "Me", "Cf")  # marks on characters, joiners, and directions
JOINER: Final = "\u200d"
WIDTHS: Final = {
    **dict.fromkeys("+−×÷=≈<>~w&#$", 0.84),
    **dict.fromkeys("mMW@%—…", 1.02),
    **dict.fromkeys(" .,:;·'|!()[]filtrjI₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾", 0.42),
}


@lru_cache(maxsize=20_000)
def text_width(text: str, points: float, bold: bool = False) -> float:
    """The width of a text in points, in DejaVu Sans or a little more: the same on every machine."""
    return sum(map(_character_width, text)) * points * (1.14 if bold else 1.0)


def _character_width(character: str) -> float:
    if unicodedata.category(character) in NO_WIDTH:
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.02
    return WIDTHS.get(character, 0.84 if character.isupper() else 0.65)


def clean(text: str, most: int = 200) -> str:
    """The text with one kind of line end, no control characters, and no more than `most`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= most else text[: most - 1] + "…"


def escaped(text: str, most: int = 200) -> str:
    """The text, cleaned, for a page or a label of HTML."""
    return escape(clean(text, most))


def html(text: str) -> str:
    """The text for an HTML label: Graphviz expands backslashes there, and stops at empty cells."""
    return escaped(text).replace("\\", "\\\\").replace("\n", "<BR/>\n") or " "


@lru_cache(maxsize=20_000)  # large graphs say the same again and again
def font(text: str, points: float, colour: str, bold: bool = False) -> str:
    written = f'<FONT POINT-SIZE="{points:g}" COLOR="{colour}">{html(text)}</FONT>'
    return f"<B>{written}</B>" if bold else written


def cell(inside: str = "", **looks: str | int) -> str:
    """A cell of a table; a fill that cannot be seen tells where its text stands."""
    if "<FONT" in inside and looks.get("align") != "LEFT":
        looks.setdefault("bgcolor", "transparent")
    return f"<TD{_attributes(*looks.items())}>{inside}</TD>"


def written(text: str, points: float, ink: str, bold: bool = False, **looks: str | int) -> str:
    """A cell with a text, as wide as that may be in any font."""
    if "width" not in looks and "colspan" not in looks:
        lines = clean(text).split("\n")
        looks["width"] = ceil(max([text_width(line, points, bold) for line in lines]))
    return cell(font(text, points, ink, bold), **looks)


def table(rows: Sequence[str], **looks: str | int) -> str:
    # A line break after each row: Graphviz reads at most 16,384 bytes between two of them.
    body = "".join(f"<TR>{row}</TR>\n" for row in rows)
    return f"<<TABLE{_attributes(*looks.items())}>\n{body}</TABLE>>"


@lru_cache(maxsize=20_000)
def _attributes(*looks: tuple[str, str | int]) -> str:
    return "".join([f' {name.upper()}="{value}"' for name, value in looks])


def rounded(
    rows: Sequence[str], border: int, line: str, fill: str, padding: int, dashed: bool = False
) -> str:
    """A table within a rounded line, dashed or not, and no lines inside."""
    style = "ROUNDED,DASHED" if dashed else "ROUNDED"
    looks: Looks = {"border": border, "color": line, "bgcolor": fill, "style": style}
    return table(rows, **{**BARE, "cellpadding": padding, **looks})


def _widths(box: Box) -> tuple[int, int]:
    """The room of a box's badge, and of its values to the right of the keys, without padding."""
    badge = 0.0 if box.badge is None else text_width(box.badge, NAME_POINTS, bold=True) + 12.0
    grad = "" if box.grad is None else box.grad + " "
    values = max(
        text_width(box.data + " ", VALUE_POINTS),
        text_width(grad, VALUE_POINTS, bold=True),
        text_width(box.name, NAME_POINTS, bold=True) + 4.0 - KEY_ROOM,
    )
    return round(badge), round(values + 6.0)


def box_size(box: Box) -> tuple[float, float]:
    """The width and height of a box in points, whatever fonts a machine has."""
    badge, values = _widths(box)
    height = NAME_HEIGHT + ROW_HEIGHT * (1 if box.grad is None else 2)
    border = 2 * LIGHT.styles[box.role].border
    return badge + KEY_ROOM + values + border, height + border


def box_label(box: Box, theme: Theme) -> str:
    """Badge, name, and a row each for data and grad."""
    style, (badge_width, width) = theme.styles[box.role], _widths(box)

    def line(key: str, value: str, ink: str, bold: bool) -> str:
        room: Looks = {"align": "LEFT", "width": KEY_ROOM, "height": ROW_HEIGHT}
        # The space after a value keeps right-aligned text off the border.
        number = written(value + " ", VALUE_POINTS, ink, bold, align="RIGHT", width=width)
        return cell(font(key, KEY_POINTS, theme.muted), **room) + number

    name = written(box.name, NAME_POINTS, style.ink, bold=True, colspan=2, height=NAME_HEIGHT)
    lines = [name, line("data", box.data, theme.ink, is_not_finite(box.data))]
    if box.grad is not None:
        lines.append(line("grad", box.grad, theme.gradient, bold=True))
    if box.badge is not None:
        rule: Looks = {"border": 1, "sides": "R", "color": style.line, "width": badge_width}
        badge = font(box.badge, NAME_POINTS, theme.muted, bold=True)
        lines[0] = cell(badge, rowspan=len(lines), **rule) + lines[0]
    dashed = is_not_finite(box.data, box.grad)
    return rounded(lines, style.border, style.line, style.fill, padding=3, dashed=dashed)


def _line(box: Box) -> list[tuple[str, float, bool]]:
    """The texts of a box on a line, each with its points and whether it is bold."""
    texts = [(f" {box.name}  ", float(NAME_POINTS), True)]
    for key, value, bold in (("data", box.data, is_not_finite(box.data)), ("grad", box.grad, True)):
        if value:
            texts += [(f"{key} ", float(KEY_POINTS), False), (f"{value}  ", VALUE_POINTS, bold)]
    return texts


def line_size(box: Box) -> tuple[float, float]:
    """The width and height of a box on a line, in points, whatever fonts a machine has."""
    width = sum(ceil(text_width(*text)) for text in _line(box))
    border = LIGHT.styles[box.role].border
    return width + 2.0 * border, LINE_HEIGHT + 2.0 * border


def line_label(box: Box, theme: Theme) -> str:
    """Name, data and grad beside each other."""
    style = theme.styles[box.role]
    inks = [style.ink, theme.muted, theme.ink, theme.muted, theme.gradient]
    cells = [
        cell(
            font(text, points, ink, bold),
            width=ceil(text_width(text, points, bold)),
            height=LINE_HEIGHT,
        )
        for (text, points, bold), ink in zip(_line(box), inks, strict=False)
    ]
    dashed = is_not_finite(box.data, box.grad)
    return rounded(["".join(cells)], style.border, style.line, style.fill, 0, dashed)


def chip_label(chip: str, theme: Theme) -> str:
    """What a copy adds, to stand on the arrow to it."""
    inside = written(f" {chip} ", SMALL_POINTS, theme.gradient, bold=True)
    return rounded([inside], 1, theme.gradient, theme.paper, padding=2)


def wrapped(text: str, points: float, wide: float, bold: bool = False) -> list[str]:
    """The text in lines that are no wider, broken between words if it can; no line for no text."""
    lines: list[str] = []
    for given in clean(text).split("\n") if text else ():
        first, *words = [_pieces(word, points, wide, bold) for word in given.split(" ")]
        lines += first
        for beginning, *rest in words:
            longer = f"{lines[-1]} {beginning}"
            if text_width(longer, points, bold) <= wide:
                lines[-1] = longer
            else:
                lines[-1] = lines[-1].rstrip(" ")
                lines.append(beginning)
            lines += rest
    return lines


def _pieces(word: str, points: float, wide: float, bold: bool) -> list[str]:
    """The word, or where it alone is too wide, its pieces; marks stay with their characters."""
    if text_width(word, points, bold) <= wide:
        return [word]
    pieces, room = [""], 0.0
    for character in word:
        own = text_width(character, points, bold)
        apart = own > 0.0 and pieces[-1] and not pieces[-1].endswith(JOINER)
        if apart and room + own > wide:
            pieces.append("")
            room = 0.0
        pieces[-1] += character
        room += own
    return pieces


def title_label(title: Sequence[str], subtitle: Sequence[str], theme: Theme) -> str:
    """The heading: the lines of a title, and those of a subtitle under them; "" for neither."""
    if not [*title, *subtitle]:
        return ""
    widths = [text_width(line, TITLE_POINTS, bold=True) for line in title]
    widths += [text_width(line, SMALL_POINTS) for line in subtitle]
    # A little less than the most, as nothing stands beside them.
    width = ceil(0.95 * max(widths))
    rows = [written(line, TITLE_POINTS, theme.ink, bold=True, width=width) for line in title]
    rows += [written(line, SMALL_POINTS, theme.muted, width=width) for line in subtitle]
    return table(rows, **{**BARE, "cellpadding": "4"})


def legend_label(legend: Mapping[str, str], theme: Theme, columns: int = 0) -> str:
    """A swatch per role with its words, in so many columns if any; nothing where there are none."""
    cells = []
    for role, words in legend.items():
        style = theme.styles[role]
        looks = {"color": style.line, "bgcolor": style.fill, "style": "ROUNDED"}
        swatch = cell(border=style.border, **looks, width=22, height=14)
        wide = ceil(text_width(words, LEGEND_POINTS)) + 4
        told = written(words, LEGEND_POINTS, theme.muted, align="LEFT", width=wide)
        cells.append(swatch + told)
    columns = columns or len(cells)
    rows = ["".join(cells[k : k + columns]) for k in range(0, len(cells), columns or 1)]
    return table(rows, **{**BARE, "cellspacing": "4"}) if rows else ""


def legend_columns(legend: Mapping[str, str], wide: float) -> int:
    """The most columns of a legend that are no wider together; 1 where none are."""
    widths = [text_width(words, LEGEND_POINTS) + SWATCH for words in legend.values()]
    for columns in range(len(widths), 1, -1):
        if sum([max(widths[k::columns]) for k in range(columns)]) <= wide:
            return columns
    return 1


def label(text: str, points: float, ink: str, bold: bool = False, **looks: str | int) -> str:
    """A text alone."""
    return table([written(text, points, ink, bold, **looks)], **{**BARE, "cellpadding": "0"})


def plain_label(words: str, theme: Theme, **looks: str | int) -> str:
    """Small words, such as stand at the foot of the panel of a step."""
    return label(words, SMALL_POINTS, theme.muted, False, **looks)
