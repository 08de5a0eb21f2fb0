"""The colours of the pictures by role, light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..arguments import as_choice


class Style(NamedTuple):
    """The line, the text and the fill of a kind of box, and the width of its border."""

    line: str
    ink: str
    fill: str
    border: int


class Theme(NamedTuple):
    """A palette: every colour of a picture is one of these.

    Text has a contrast of at least 4.5 to what it stands on, and no colour carries a meaning alone:
    borders, dashes and words say the same.
    """

    name: str
    paper: str
    ink: str
    muted: str
    line: str
    gradient: str
    panel_line: str
    panel_fill: str
    positive: str
    negative: str
    styles: Mapping[str, Style]


LIGHT: Final = Theme(
    name="light",
    paper="#ffffff",
    ink="#1f2933",
    muted="#56636f",
    line="#8795a5",
    gradient="#c8102e",
    panel_line="#dde2e8",
    panel_fill="#fafbfc",
    positive="#1170aa",
    negative="#c2571a",
    styles={
        "parameter": Style("#7a5b00", "#7a5b00", "#fff3c9", 3),
        "copy": Style("#3b1f8f", "#3b1f8f", "#e9e4fa", 2),
        "constant": Style("#1170aa", "#1170aa", "#e6f2fb", 1),
        "state": Style("#1b6e4b", "#1b6e4b", "#e2f4ea", 2),
        "output": Style("#b01e77", "#b01e77", "#fbe7f3", 2),
        "plain": Style("#8795a5", "#1f2933", "#ffffff", 1),
    },
)
DARK: Final = Theme(
    name="dark",
    paper="#12181f",
    ink="#e6ebf0",
    muted="#a3afbb",
    line="#7b8794",
    gradient="#ff8a65",
    panel_line="#2a333d",
    panel_fill="#171e26",
    positive="#6cc4f5",
    negative="#f0a070",
    styles={
        "parameter": Style("#e9c46a", "#e9c46a", "#33290c", 3),
        "copy": Style("#a994ff", "#a994ff", "#261f4a", 2),
        "constant": Style("#6cc4f5", "#6cc4f5", "#0c2a40", 1),
        "state": Style("#4fd6a4", "#4fd6a4", "#0b3226", 2),
        "output": Style("#f29ad0", "#f29ad0", "#3a1830", 2),
        "plain": Style("#7b8794", "#e6ebf0", "#12181f", 1),
    },
)
THEMES: Final = {theme.name: theme for theme in (LIGHT, DARK)}


# The most of a colour that may lie over the paper for ink to be read on it, in either theme.  It is
# laid over, not mixed: so a light SVG, which turns dark by replacing colours, turns dark here too.
FAINT: Final = 0.49


def tint(x: float, scale: float, positive: str, theme: Theme) -> str:
    """Paper at 0, to half a colour at `scale`, and to half that of negative weights below."""
    opacity = round(255 * FAINT * min(1.0, abs(x) / scale)) if math.isfinite(x) else 0
    return f"{positive if x > 0 else theme.negative}{opacity:02x}" if opacity else theme.paper


def as_theme(name: object) -> Theme:
    """The theme of a name; `ValueError` listing those there are.

    >>> as_theme("dark").paper
    '#12181f'
    """
    return THEMES[as_choice(name, "theme", THEMES)]


def _colours(theme: Theme) -> list[str]:
    plain = [entry for entry in theme[1:] if isinstance(entry, str)]
    return plain + [colour for style in theme.styles.values() for colour in style[:3]]


def dark_style() -> str:
    """CSS that shows a light SVG in the colours of the dark theme on a dark screen.

    >>> '[fill="#1f2933"]{fill:#e6ebf0}' in dark_style()
    True
    """
    pairs = dict(zip(_colours(LIGHT), _colours(DARK), strict=True))
    pairs["white"] = DARK.paper  # as Graphviz writes #ffffff
    rules = [
        f'[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in pairs.items()
        for attribute in ("fill", "stroke")
    ]
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"
