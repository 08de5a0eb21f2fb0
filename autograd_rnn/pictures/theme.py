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
    """All colours of a picture; text has a contrast of at least 4.5 to its ground.

    No colour carries a meaning alone: borders, dashes and words say the same.
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


# Each colour on light paper and on dark.
COLOURS: Final = {
    "paper": ("#ffffff", "#12181f"),
    "ink": ("#1f2933", "#e6ebf0"),
    "muted": ("#56636f", "#a3afbb"),
    "line": ("#8795a5", "#7b8794"),
    "gradient": ("#c8102e", "#ff8a65"),
    "panel_line": ("#dde2e8", "#2a333d"),
    "panel_fill": ("#fafbfc", "#171e26"),
    "positive": ("#1170aa", "#6cc4f5"),
    "negative": ("#c2571a", "#f0a070"),
}
# The border of each role, and its line, ink and fill on light paper and on dark.
ROLES: Final = {
    "parameter": (3, ("#7a5b00", "#7a5b00", "#fff3c9"), ("#e9c46a", "#e9c46a", "#33290c")),
    "copy": (2, ("#3b1f8f", "#3b1f8f", "#e9e4fa"), ("#a994ff", "#a994ff", "#261f4a")),
    "constant": (1, ("#1170aa", "#1170aa", "#e6f2fb"), ("#6cc4f5", "#6cc4f5", "#0c2a40")),
    "state": (2, ("#1b6e4b", "#1b6e4b", "#e2f4ea"), ("#4fd6a4", "#4fd6a4", "#0b3226")),
    "output": (2, ("#b01e77", "#b01e77", "#fbe7f3"), ("#f29ad0", "#f29ad0", "#3a1830")),
    "plain": (1, ("#8795a5", "#1f2933", "#ffffff"), ("#7b8794", "#e6ebf0", "#12181f")),
}


def _theme(name: str, place: int) -> Theme:
    styles = {role: Style(*colours[place], border) for role, (border, *colours) in ROLES.items()}
    return Theme(name, **{key: pair[place] for key, pair in COLOURS.items()}, styles=styles)


LIGHT: Final = _theme("light", 0)
DARK: Final = _theme("dark", 1)
#: Light colours, which turn dark where the reader's screen does.
AUTO: Final = LIGHT._replace(name="auto")
THEMES: Final = {theme.name: theme for theme in (AUTO, LIGHT, DARK)}

# How opaque a colour may be for ink on it to be read, in either theme.  It is laid over the paper,
# not mixed: a light SVG, which turns dark by replacing colours, then turns dark here too.
FAINT: Final = 0.49


def tint(x: float, scale: float, positive: str, theme: Theme) -> str:
    """The fill of a number: paper at 0, half a colour at `scale`, another for negative numbers."""
    opacity = round(255 * FAINT * min(1.0, abs(x) / scale)) if math.isfinite(x) else 0
    return f"{positive if x > 0 else theme.negative}{opacity:02x}" if opacity else theme.paper


def as_theme(name: object) -> Theme:
    """The theme of a name; `ValueError` listing those there are."""
    return THEMES[as_choice(name, "theme", THEMES)]


def dark_style() -> str:
    """CSS that shows a light SVG in the colours of the dark theme on a dark screen."""
    pairs = dict(COLOURS.values())
    for _, light, dark in ROLES.values():
        pairs |= zip(light, dark, strict=True)
    pairs["white"] = DARK.paper  # as Graphviz writes #ffffff
    rules = [
        f'[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in pairs.items()
        for attribute in ("fill", "stroke")
    ]
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"
