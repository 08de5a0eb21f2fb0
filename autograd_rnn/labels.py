"""The boxes of a picture, as the HTML labels that Graphviz draws."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from .layout import text_width
from .theme import LIGHT, Theme

__all__ = [
    "LEGEND",
    "Box",
    "box_label",
    "box_size",
    "chip_label",
    "clean",
    "entities",
    "html",
    "legend_label",
    "panel_label",
    "title_label",
]


class Box(NamedTuple):
    """A drawn number: its role decides the colours; no badge on leaves, no grad on constants."""

    id: str
    role: str
    name: str
    badge: str | None
    data: str
    grad: str | None
    description: str
    step: int | None


# --- styles --------------------------------------------------------------------------------------

FONTS: Final = "DejaVu Sans,Verdana,Helvetica,Arial,sans-serif"
LEGEND: Final = {
    "parameter": "shared parameter",
    "copy": "separating set: its copies",
    "constant": "constant",
    "state": "state",
    "output": "output",
}

TITLE_POINTS: Final = 18
NAME_POINTS: Final = 15
VALUE_POINTS: Final = 13
SMALL_POINTS: Final = 12
KEY_POINTS: Final = 9.5
KEY_ROOM: Final = 34.0
NAME_HEIGHT: Final = 28.0
ROW_HEIGHT: Final = 24.0

# --- text ----------------------------------------------------------------------------------------

UNPRINTABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str, most: int = 200) -> str:
    """The text with one kind of line end, no control characters, and no more than `most`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= most else text[: most - 1] + "…"


def entities(text: str) -> str:
    """The text with what HTML labels read as markup written as entities.

    >>> entities('a<b & "c"')
    'a&lt;b &amp; &quot;c&quot;'
    """
    for character, entity in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#39")):
        text = text.replace(character, f"&{entity};")
    return text


def html(text: str) -> str:
    """The text for an HTML label: Graphviz expands backslashes there, and stops at empty cells."""
    return entities(clean(text)).replace("\\", "\\\\").replace("\n", "<BR/>\n") or " "


def font(text: str, points: float, colour: str, bold: bool = False) -> str:
    written = f'<FONT POINT-SIZE="{points:g}" COLOR="{colour}">{html(text)}</FONT>'
    return f"<B>{written}</B>" if bold else written


def table(rows: Sequence[str], **attributes: str) -> str:
    # A line break after each row: Graphviz reads at most 16,384 bytes between two of them.
    written = " ".join(f'{name.upper()}="{value}"' for name, value in attributes.items())
    body = "".join(f"<TR>{row}</TR>\n" for row in rows)
    return f"<<TABLE {written}>\n{body}</TABLE>>"


# --- boxes ---------------------------------------------------------------------------------------


def _widths(box: Box) -> tuple[float, float]:
    """The room of a box's badge, and of its values to the right of the keys, without padding."""
    badge = 0.0 if box.badge is None else text_width(box.badge, NAME_POINTS, bold=True) + 12.0
    grad = "" if box.grad is None else box.grad + " "
    values = max(
        text_width(box.data + " ", VALUE_POINTS),
        text_width(grad, VALUE_POINTS, bold=True),
        text_width(box.name, NAME_POINTS, bold=True) + 4.0 - KEY_ROOM,
    )
    return float(round(badge)), float(round(values + 6.0))


def box_size(box: Box) -> tuple[float, float]:
    """The width and height of a box in points, whatever fonts a machine has."""
    badge, values = _widths(box)
    height = NAME_HEIGHT + ROW_HEIGHT * (1 if box.grad is None else 2)
    border = 2.0 * LIGHT.styles[box.role].border
    return badge + KEY_ROOM + values + border, height + border


def box_label(box: Box, theme: Theme) -> str:
    """Badge, name, and a row each for data and grad."""
    style = theme.styles[box.role]
    badge_width, value_width = _widths(box)
    rows = 2 if box.grad is None else 3
    badge = (
        ""
        if box.badge is None
        else f'<TD ROWSPAN="{rows}" BORDER="1" SIDES="R" COLOR="{style.line}" '
        f'WIDTH="{badge_width:.0f}">{font(box.badge, NAME_POINTS, theme.muted, bold=True)}</TD>'
    )
    # The space after a value keeps right-aligned text off the border.
    lines = [
        f'{badge}<TD COLSPAN="2" HEIGHT="{NAME_HEIGHT:.0f}">'
        f"{font(box.name, NAME_POINTS, style.ink, bold=True)}</TD>",
        _line_of("data", font(box.data + " ", VALUE_POINTS, theme.ink), value_width, theme),
    ]
    if box.grad is not None:
        written = font(box.grad + " ", VALUE_POINTS, theme.gradient, bold=True)
        lines.append(_line_of("grad", written, value_width, theme))
    return table(
        lines,
        border=str(style.border),
        cellborder="0",
        cellspacing="0",
        cellpadding="3",
        color=style.line,
        bgcolor=style.fill,
        style="ROUNDED",
    )


def _line_of(key: str, value: str, width: float, theme: Theme) -> str:
    return (
        f'<TD ALIGN="LEFT" WIDTH="{KEY_ROOM:.0f}" HEIGHT="{ROW_HEIGHT:.0f}">'
        f"{font(key, KEY_POINTS, theme.muted)}</TD>"
        f'<TD ALIGN="RIGHT" WIDTH="{width:.0f}">{value}</TD>'
    )


def chip_label(chip: str, theme: Theme) -> str:
    """What a copy adds, to stand on the arrow to it."""
    return table(
        [f"<TD>{font(f' {chip} ', SMALL_POINTS, theme.gradient, bold=True)}</TD>"],
        border="1",
        cellborder="0",
        cellspacing="0",
        cellpadding="2",
        color=theme.gradient,
        bgcolor=theme.paper,
        style="ROUNDED",
    )


def title_label(title: str, subtitle: str, theme: Theme) -> str:
    """The heading: two lines, or one where there is no subtitle."""
    rows = [f"<TD>{font(title, TITLE_POINTS, theme.ink, bold=True)}</TD>"]
    if subtitle:
        rows.append(f"<TD>{font(subtitle, SMALL_POINTS, theme.muted)}</TD>")
    return table(rows, border="0", cellborder="0", cellspacing="0", cellpadding="4")


def legend_label(legend: Mapping[str, str], theme: Theme) -> str:
    """A swatch per role with its words."""
    cells = "".join(
        f'<TD BORDER="{style.border}" COLOR="{style.line}" '
        f'BGCOLOR="{style.fill}" STYLE="ROUNDED" WIDTH="22" HEIGHT="14"> </TD>'
        f'<TD ALIGN="LEFT">{font(words + "  ", 11, theme.muted)}</TD>'
        for role, words in legend.items()
        for style in [theme.styles[role]]
    )
    return table([cells], border="0", cellborder="0", cellspacing="4", cellpadding="2")


def panel_label(words: str, theme: Theme) -> str:
    """What stands at the foot of the panel of a step."""
    return f"<{font(words, SMALL_POINTS, theme.muted)}>"
