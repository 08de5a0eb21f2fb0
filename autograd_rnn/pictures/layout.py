"""Time in columns: positions for unrolled networks."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

COLUMN_GAP: Final = 26.0
ROW_GAP: Final = 44.0
MARGIN: Final = 16.0
PANEL_GAP: Final = 34.0
PANEL_LABEL: Final = 24.0
NARROW: Final = frozenset(" .,:;·'|!()[]filtrjI₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾")
BROAD: Final = frozenset("+−×÷=<>~w&#$")
WIDE: Final = frozenset("mMW@%—…")


def text_width(text: str, points: float, bold: bool = False) -> float:
    """The room in points that a text takes in DejaVu Sans, or a little more.

    A fixed estimate, so that a picture has the same positions whatever fonts a machine has.

    >>> text_width("w\u0307", 10) == text_width("w", 10)
    True
    """
    widths = [
        0.0
        if unicodedata.combining(character)
        else 0.42
        if character in NARROW
        else 1.02
        if character in WIDE or unicodedata.east_asian_width(character) in "WF"
        else 0.84
        if character in BROAD or character.isupper()
        else 0.65
        for character in text
    ]
    return sum(widths) * points * (1.14 if bold else 1.0)


class Cell(NamedTuple):
    """A box to be placed: its size, the spine box it belongs to, its row and its step.

    Row 0 is the spine, 1 and 2 lie above it, -1 and -2 below; a cell with a row stands over or
    under its spine box, or, with `beside`, left of the box that it feeds there.
    """

    width: float
    height: float
    spine: str
    row: int
    step: int | None
    beside: bool = False


class Placement(NamedTuple):
    """Centres of the boxes, corners of the step panels, and of everything, in points, y upwards."""

    centres: dict[str, tuple[float, float]]
    panels: dict[int, tuple[float, float, float, float]]
    corners: tuple[float, float, float, float]


def columns(
    cells: Mapping[str, Cell], spine: Sequence[str], least_gap: float = 0.0
) -> Placement | None:
    """The placement of a spine of boxes from left to right, each step of the network in a panel.

    Every step has the same inner columns, so that equal things stand at equal places; between two
    boxes there is the gap at least.  None where two boxes would overlap.
    """
    gap = max(COLUMN_GAP, least_gap)
    panel_gap = PANEL_GAP + gap - COLUMN_GAP
    stacks: dict[str, list[str]] = {box: [] for box in spine}
    for name, cell in cells.items():
        if not cell.beside:
            stacks[cell.spine].append(name)
    widths = {box: max(cells[name].width for name in stack) for box, stack in stacks.items()}
    groups = _groups(cells, spine)
    shared: dict[int, float] = {}
    for group in groups:
        for index, box in enumerate(group):
            if cells[box].step is not None:
                shared[index] = max(shared.get(index, 0.0), widths[box])
    heights, row_centres = _rows(cells)
    top = row_centres[max(heights)] + heights[max(heights)] / 2 + MARGIN
    bottom = row_centres[min(heights)] - heights[min(heights)] / 2 - MARGIN - PANEL_LABEL
    centres: dict[str, tuple[float, float]] = {}
    panels: dict[int, tuple[float, float, float, float]] = {}
    x = 0.0
    for group in groups:
        step = cells[group[0]].step
        margin = 0.0 if step is None else MARGIN
        left, x = x, x + margin
        for index, box in enumerate(group):
            width = widths[box] if step is None else shared[index]
            for name in stacks[box]:
                centres[name] = (x + width / 2, row_centres[cells[name].row])
            x += width + gap
        x += margin - gap
        if step is not None:
            panels[step] = (left, bottom, x, top)
        x += panel_gap
    for name, cell in cells.items():
        if cell.beside:
            fed_x, fed_y = centres[cell.spine]
            reach = (cells[cell.spine].width + cell.width) / 2 + gap
            centres[name] = (fed_x - reach, fed_y)
    if _overlap(cells, centres):
        return None
    return Placement(centres, panels, (0.0, bottom, x - panel_gap, top))


def _groups(cells: Mapping[str, Cell], spine: Sequence[str]) -> list[list[str]]:
    """The spine cut where the step changes."""
    return [list(group) for _, group in groupby(spine, lambda box: cells[box].step)]


def _rows(cells: Mapping[str, Cell]) -> tuple[dict[int, float], dict[int, float]]:
    """The height and the centre of each row, the spine's at 0."""
    heights: dict[int, float] = {}
    for cell in cells.values():
        heights[cell.row] = max(heights.get(cell.row, 0.0), cell.height)
    centres = {0: 0.0}
    for row in range(1, max(heights) + 1):
        centres[row] = centres[row - 1] + (heights[row - 1] + heights[row]) / 2 + ROW_GAP
    for row in range(-1, min(heights) - 1, -1):
        centres[row] = centres[row + 1] - (heights[row + 1] + heights[row]) / 2 - ROW_GAP
    return heights, centres


def _overlap(cells: Mapping[str, Cell], centres: Mapping[str, tuple[float, float]]) -> bool:
    """Whether two boxes of one row come closer than half a gap."""
    row = sorted((y, x, cells[name].width) for name, (x, y) in centres.items())
    return any(
        y == next_y and next_x - x < (width + next_width + COLUMN_GAP) / 2
        for (y, x, width), (next_y, next_x, next_width) in pairwise(row)
    )
