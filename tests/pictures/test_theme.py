"""The colours: what can be read, light and dark."""

import re

import pytest

from autograd_rnn import Value, draw
from autograd_rnn.pictures.theme import DARK, THEMES, Theme, dark_style

from .exercise import contrast, exercise


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_text_has_a_contrast_of_4_5_to_what_it_stands_on(theme: Theme) -> None:
    for role, style in theme.styles.items():
        for ink in (style.ink, theme.ink, theme.muted, theme.gradient):
            assert contrast(ink, style.fill) >= 4.5, (role, ink)
    for ground in (theme.paper, theme.panel_fill):
        for ink in (theme.ink, theme.muted, theme.gradient):
            assert contrast(ink, ground) >= 4.5, (ground, ink)


def test_a_light_picture_turns_dark_on_a_dark_screen_and_a_dark_one_is_dark() -> None:
    light = exercise()
    assert dark_style() in light.svg()
    x = Value(3, "x")
    loss = (x * x - 1) ** 2
    loss.backward()
    dark = draw(loss, focus=x, theme="dark")
    assert "prefers-color-scheme" not in dark.svg()
    colours = set(re.findall("#[0-9a-f]{6}", dark.svg()))
    assert colours <= set(re.findall("#[0-9a-f]{6}", str(DARK)))
    # Every colour of the light one has a rule that replaces it.
    for attribute, colour in re.findall('(fill|stroke)="(#[0-9a-f]{6}|white)"', light.svg()):
        assert f'[{attribute}="{colour}"]' in dark_style()


def test_themes_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"theme 'blue' is unknown: choose one of auto, light, dark"
    ):
        draw(Value(1) * 2, theme="blue")
    with pytest.raises(TypeError, match=r"theme must be a str, not NoneType"):
        draw(Value(1) * 2, theme=None)  # type: ignore[arg-type]
