"""What the film is played on: the picture of the graph, or cards and a ledger of copies."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from typing import Final

from ...graph.marks import mark_of
from ..canvas import ARROW_HEAD
from ..drawing import SVG, Drawing, svg_tree, without_size, written
from ..graph_view import GraphView
from ..html_labels import Box, escaped
from ..theme import DARK, LIGHT, Theme
from .film import Film

COORDINATES: Final = re.compile(r"-?[\d.]+(?:e-?\d+)?,-?[\d.]+(?:e-?\d+)?")
LONGEST_CARD: Final = 60
Point = tuple[float, float]


def picture(drawing: Drawing, film: Film) -> str:
    """The SVG with classes for what the film shows and hides, and arrow heads that point back."""
    svg = without_size(svg_tree(drawing))
    svg.set("role", "group")
    boxes = film.view.boxes
    for group in svg.iter(f"{SVG}g"):
        id = group.get("id", "")
        if id in boxes:
            texts = group.findall(f"{SVG}text")
            values = ["data"] if boxes[id].grad is None else ["grad", "", "data"]
            for text, value in zip(reversed(texts), values, strict=False):
                if value:
                    text.set("class", value)
        elif group.get("class", "").startswith("edge"):
            for name, there in (("chip", film.chips), ("note", film.notes)):
                if id in there:
                    # After the title come a line and its head; what follows is the chip or note.
                    _gather(group, name)
            if "cut" not in group.get("class", ""):
                _point_back(group)
    return written(svg)


def width(drawn: str) -> float:
    """The width of an SVG in points."""
    found = re.search(r'viewBox="\S+ \S+ (\S+) ', drawn)
    return float(found[1]) if found else 0.0


def identifiers(drawn: str) -> set[str]:
    """The ids of the groups of an SVG."""
    return set(re.findall(r'<g id="(\w+)"', drawn))


def _gather(group: ElementTree.Element, name: str) -> None:
    parts = group[3:]
    inner = ElementTree.SubElement(group, f"{SVG}g", {"class": name})
    for part in parts:
        group.remove(part)
        inner.append(part)


def _point_back(group: ElementTree.Element) -> None:
    """An arrow head at the tail of an arrow, and the piece of line that the other head covers."""
    line, head = group.find(f"{SVG}path"), group.find(f"{SVG}polygon")
    if line is None or head is None:
        return
    path, corners = _points(line.get("d", "")), _points(head.get("points", ""))
    start, end = path[0], path[-1]
    ahead = next((point for point in path[1:] if math.dist(start, point) > 0.01), None)
    if ahead is None:
        return
    tip = max(corners, key=lambda corner: math.dist(corner, end))
    away = math.dist(start, ahead)
    along = ((ahead[0] - start[0]) / away, (ahead[1] - start[1]) / away)
    base = (start[0] + ARROW_HEAD * along[0], start[1] + ARROW_HEAD * along[1])
    half = ARROW_HEAD * 0.5
    sides = [(base[0] - s * half * along[1], base[1] + s * half * along[0]) for s in (1, -1)]
    # Where the film is not played, the arrow points forward.
    back = ElementTree.SubElement(group, f"{SVG}g", {"class": "back", "display": "none"})
    ElementTree.SubElement(back, f"{SVG}path", {"d": f"M{_text([end])}L{_text([tip])}"})
    ElementTree.SubElement(back, f"{SVG}polygon", {"points": _text([start, *sides])})
    # With this pattern of dashes the line begins behind the head.
    line.set("style", f"--behind: 0 {ARROW_HEAD * 0.8:g} 99999")


def _points(text: str) -> list[Point]:
    pairs = [pair.split(",") for pair in COORDINATES.findall(text)]
    return [(float(x), float(y)) for x, y in pairs]


def _text(points: Iterable[Point]) -> str:
    return " ".join([f"{x:.2f},{y:.2f}" for x, y in points])


# --- cards ---------------------------------------------------------------------------------------


def cards(view: GraphView) -> str:
    """A ledger of the copies, and a card for each other box, those of a step together."""
    ledger = [_ledger(view, weight) for weight in view.weights]
    apart = {view.ids[weight] for weight in view.weights}
    rest = [box for box in view.boxes.values() if box.role != "copy" and box.id not in apart]
    outside = [_card(view, box) for box in rest if box.step is None]
    parts = []
    if ledger:
        head = "<caption>Each copy of a weight adds a term to its gradient</caption>"
        parts.append(f'<table class="ledger">{head}<tbody>\n{"".join(ledger)}</tbody></table>')
    for step, words in view.panels.items():
        inside = "".join([_card(view, box) for box in rest if box.step == step])
        button = f'<button aria-expanded="false" aria-controls="step{step}">{escaped(words)}'
        parts.append(
            f'<section class="step"><h2>{button}</button></h2>\n'
            f'<div class="row" id="step{step}">{inside}</div></section>'
        )
    if outside:
        parts.append(f'<div class="row outside">{"".join(outside)}</div>')
    inside = "\n".join(parts)
    return f'<div class="cards">\n{inside}\n</div>'


def card_style() -> str:
    """CSS that gives each role its colours, on light screens and on dark ones."""

    def rules(theme: Theme) -> str:
        return "".join(
            f".card.{role} {{ border-color: {style.line}; background: {style.fill}; }}\n"
            f".card.{role} b {{ color: {style.ink}; }}\n"
            for role, style in theme.styles.items()
        )

    return f"{rules(LIGHT)}@media (prefers-color-scheme: dark) {{\n{rules(DARK)}}}"


def _ledger(view: GraphView, weight: object) -> str:
    copies = [view.boxes[view.copy_id(use)] for use in view.uses[weight]]
    cells = "".join([f"<td>{_card(view, box)}" for box in copies])
    return f'<tr><th scope="row">{_card(view, view.boxes[view.ids[weight]])}{cells}\n'


def _card(view: GraphView, box: Box) -> str:
    marks = " ".join([mark_of(one, view.marks) for one in box.about])
    grad = "" if box.grad is None else f' <span class="grad">{escaped(box.grad)}</span>'
    name = f"<b>{escaped(box.name, LONGEST_CARD)}</b>"
    data = f'<span class="data">{escaped(box.data)}</span>'
    return (
        f'<div class="node card {box.role}" id="{box.id}" data-node="{marks}">'
        f"{name}{data}{grad}</div>\n"
    )
