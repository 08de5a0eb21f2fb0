"""The boxes of a picture, as the HTML labels that Graphviz draws."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple

from ..graph.notation import is_not_finite
from .layout import text_width
from .theme import LIGHT, Theme


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


class Row(NamedTuple):
    """A line of a card: its words, its numbers as they are shown, and all of it in full."""

    role: str
    words: str
    data: str = ""
    grad: str = ""
    full: str = ""


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
BARE: Final = {"border": "0", "cellborder": "0", "cellspacing": "0", "cellpadding": "2"}

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


def rounded(
    rows: Sequence[str], border: int, line: str, fill: str, padding: int, dashed: bool = False
) -> str:
    """A table within a rounded line, dashed or not, and no lines inside."""
    style = "ROUNDED,DASHED" if dashed else "ROUNDED"
    looks = {"border": str(border), "color": line, "bgcolor": fill, "style": style}
    return table(rows, **{**BARE, "cellpadding": str(padding), **looks})


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
    data = font(box.data + " ", VALUE_POINTS, theme.ink, bold=is_not_finite(box.data))
    lines = [
        (
            f'{badge}<TD COLSPAN="2" HEIGHT="{NAME_HEIGHT:.0f}">'
            f"{font(box.name, NAME_POINTS, style.ink, bold=True)}</TD>"
        ),
        _line_of("data", data, value_width, theme),
    ]
    if box.grad is not None:
        written = font(box.grad + " ", VALUE_POINTS, theme.gradient, bold=True)
        lines.append(_line_of("grad", written, value_width, theme))
    dashed = is_not_finite(box.data, box.grad)
    return rounded(lines, style.border, style.line, style.fill, padding=3, dashed=dashed)


def _line_of(key: str, value: str, width: float, theme: Theme) -> str:
    return (
        f'<TD ALIGN="LEFT" WIDTH="{KEY_ROOM:.0f}" HEIGHT="{ROW_HEIGHT:.0f}">'
        f"{font(key, KEY_POINTS, theme.muted)}</TD>"
        f'<TD ALIGN="RIGHT" WIDTH="{width:.0f}">{value}</TD>'
    )


def chip_label(chip: str, theme: Theme) -> str:
    """What a copy adds, to stand on the arrow to it."""
    cell = f"<TD>{font(f' {chip} ', SMALL_POINTS, theme.gradient, bold=True)}</TD>"
    return rounded([cell], 1, theme.gradient, theme.paper, padding=2)


def title_label(title: str, subtitle: str, theme: Theme) -> str:
    """The heading: two lines, or one where there is no subtitle."""
    rows = [f"<TD>{font(title, TITLE_POINTS, theme.ink, bold=True)}</TD>"]
    if subtitle:
        rows.append(f"<TD>{font(subtitle, SMALL_POINTS, theme.muted)}</TD>")
    return table(rows, **{**BARE, "cellpadding": "4"})


def legend_label(legend: Mapping[str, str], theme: Theme) -> str:
    """A swatch per role with its words."""
    cells = "".join(
        f'<TD BORDER="{style.border}" COLOR="{style.line}" '
        f'BGCOLOR="{style.fill}" STYLE="ROUNDED" WIDTH="22" HEIGHT="14"> </TD>'
        f'<TD ALIGN="LEFT">{font(words + "  ", 11, theme.muted)}</TD>'
        for role, words in legend.items()
        for style in [theme.styles[role]]
    )
    return table([cells], **{**BARE, "cellspacing": "4"})


def weights_legend_label(signs: Collection[str], theme: Theme) -> str:
    """What the arrows of weights of these signs say; nothing where there are none."""
    told = [("→", "positive", "weight above 0"), ("⊣", "negative", "weight below 0")]
    cells = [
        f"<TD>{font(head, NAME_POINTS, getattr(theme, sign), bold=True)}</TD>"
        f"<TD>{font(words + '    ', 11, theme.muted)}</TD>"
        for head, sign, words in told
        if sign in signs
    ]
    words = font("the thicker the larger, none where it or its input is 0", 11, theme.muted)
    return table([f"{''.join(cells)}<TD>{words}</TD>"], **BARE) if cells else ""


def panel_label(words: str, theme: Theme) -> str:
    """What stands at the foot of the panel of a step."""
    return f"<{font(words, SMALL_POINTS, theme.muted)}>"


# --- cards and ledgers ---------------------------------------------------------------------------

ROW: Final = 26.0
FOOT: Final = 8.0
WORDS_POINTS: Final = 14.0
LEDGER: Final = 46.0
SOURCE_POINTS: Final = 10.5
ROUNDED: Final = {"cellborder": "0", "cellspacing": "0", "cellpadding": "3", "style": "ROUNDED"}


def card_columns(heads: Sequence[str], rows: Sequence[Row]) -> tuple[float, float, float]:
    """The widths of the columns of cards with these heads and rows: words, data, grad."""
    data = ceil(max(26.0, *[text_width(row.data, VALUE_POINTS) for row in rows])) + 14.0
    grad = ceil(max(26.0, *[text_width(row.grad, WORDS_POINTS, True) for row in rows])) + 14.0
    words = max(text_width(row.words, WORDS_POINTS, bold=True) for row in rows)
    widest = max(text_width(head, SMALL_POINTS, bold=True) for head in heads)
    return ceil(max(words, widest - data - grad)) + 16.0, data, grad


def card_height(rows: Sequence[Row]) -> float:
    """The height of a card with its border, whatever fonts a machine has."""
    return ROW * (2 + len(rows)) + FOOT + 2.0


def card_label(head: str, rows: Sequence[Row], columns: Sequence[float], theme: Theme) -> str:
    """A head, a line per row with its numbers, and a foot, so that fills keep off the corners."""
    heading = font(head, SMALL_POINTS, theme.ink, bold=True)
    keys = [font(f"{key} ", KEY_POINTS, theme.muted) for key in ("", "data", "grad")]
    top = f'<TD COLSPAN="3" HEIGHT="{ROW:.0f}">{heading}</TD>'
    lines = [top, _card_line(keys, columns, theme.paper)]
    for row in rows:
        style = theme.styles[row.role]
        cells = [
            font(f" {row.words}", WORDS_POINTS, style.ink, bold=True),
            font(f"{row.data} ", VALUE_POINTS, theme.ink, bold=is_not_finite(row.data)),
            font(f"{row.grad} ", WORDS_POINTS, theme.gradient, bold=True),
        ]
        lines.append(_card_line(cells, columns, style.fill))
    lines.append(f'<TD COLSPAN="3" HEIGHT="{FOOT:.0f}" CELLPADDING="0"></TD>')
    return table(lines, **ROUNDED, border="1", color=theme.line, bgcolor=theme.panel_line)


def _card_line(cells: Sequence[str], widths: Sequence[float], fill: str) -> str:
    return "".join(
        f'<TD ALIGN="{align}" WIDTH="{width:.0f}" HEIGHT="{ROW:.0f}" BGCOLOR="{fill}">{cell}</TD>'
        for align, width, cell in zip(("LEFT", "RIGHT", "RIGHT"), widths, cells, strict=True)
    )


def ledger_label(fields: Sequence[tuple[str, str]], widths: Sequence[float], theme: Theme) -> str:
    """A weight's number, and side by side what each card adds to its gradient."""
    style = theme.styles["parameter"]
    cells = [font(fields[0][1], TITLE_POINTS, style.ink, bold=True)]
    for source, term in fields[1:]:
        written = font(term, 15, theme.gradient, bold=True)
        cells.append(f"{font(source, SOURCE_POINTS, theme.muted)}<BR/>{written}")
    row = "".join(
        f'<TD WIDTH="{width:.0f}" HEIGHT="{LEDGER:.0f}" BORDER="{int(place > 0)}" SIDES="L" '
        f'COLOR="{style.line}">{cell}</TD>\n'
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    border = str(style.border)
    return table([row], **ROUNDED, border=border, color=style.line, bgcolor=style.fill)
