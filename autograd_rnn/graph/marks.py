"""Marks of nodes and copies: what is about the same in pictures, tables and derivations has one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from .notation import LATEX, Style
from .separating import Key, Member, key_of
from .walk import Node


def marks_of(order: Iterable[Node]) -> dict[Node, str]:
    """The mark of each node of a topological order: n and its place.

    >>> from autograd_rnn import Value, topological
    >>> x = Value(3, "x")
    >>> list(marks_of(topological(x * x)).values())
    ['n1', 'n2']
    """
    return {node: f"n{place}" for place, node in enumerate(order, 1)}


def mark_of(member: Member | Key, marks: Mapping[Node, str]) -> str:
    """The mark of a node, or of a copy: that of the node that uses it, and at which place.

    >>> from autograd_rnn import Value, copies, topological
    >>> x = Value(3, "x")
    >>> y = x * x
    >>> [mark_of(copy, marks_of(topological(y))) for copy in copies(x, y)]
    ['n2_1', 'n2_2']
    """
    key = key_of(member)
    return f"{marks[key[0]]}_{key[1] + 1}" if isinstance(key, tuple) else marks[key]


#: LaTeX in which symbols have the signs of their marks, for formulas on a page.
MARKED: Final = Style(*LATEX)
#: Private-use characters, which no formula has: from here on they stand for places, ...
PLACES: Final = "\U000f0000"
POSITIONS: Final = "\U00100000"  # ... and from here on positions of operands

SIGNS: Final = re.compile(f"[{PLACES}-{chr(ord(POSITIONS) - 1)}][{POSITIONS}-\U0010ffff]?")


def as_signs(mark: str) -> str:
    """A mark as characters that no formula has; none for a place that is too large for them.

    >>> from_signs(as_signs("n12_2")), from_signs(as_signs("n7")), as_signs("n70000")
    ('n12_2', 'n7', '')
    """
    place, _, position = mark[1:].partition("_")
    if int(place) >= 0xFFFE:
        return ""
    return chr(ord(PLACES) + int(place)) + (chr(ord(POSITIONS) + int(position)) if position else "")


def from_signs(signs: str) -> str:
    """The mark that characters stand for."""
    place, position = signs[:1], signs[1:]
    return f"n{ord(place) - ord(PLACES)}" + (
        f"_{ord(position) - ord(POSITIONS)}" if position else ""
    )


def last_mark(latex: str) -> str:
    """The mark of the last symbol in marked LaTeX, such as that of x in ∂L/∂x; "" for none.

    >>> last_mark(as_signs("n3") + "L = " + as_signs("n12_2") + "x"), last_mark("x")
    ('n12_2', '')
    """
    signs = SIGNS.findall(latex)
    return from_signs(signs[-1]) if signs else ""


def link(formula: Element) -> None:
    """Take the signs of marks out of MathML, and give the symbols behind them `data-node`."""
    for parent in [*formula.iter()]:
        signs = ""
        for element in [*parent]:
            if (element.text or "") >= PLACES:
                signs += str(element.text)
                parent.remove(element)
            elif signs:  # of a power, the base
                linked = element[0] if element.tag == "msup" else element
                linked.set("data-node", from_signs(signs))
                signs = ""


class Ids(Mapping[Member | Key, str]):
    """What nodes and copies are called in a document; a copy is also found as (consumer, position).

    >>> from autograd_rnn import Value, copies
    >>> x = Value(3, "x")
    >>> y = x * x
    >>> ids = Ids({y: "n2", (y, 1): "n2_2"})
    >>> ids[copies(x, y)[1]], x in ids, len(ids)
    ('n2_2', False, 2)
    """

    def __init__(self, ids: Mapping[Key, str]) -> None:
        self._ids = ids

    def __getitem__(self, member: Member | Key) -> str:
        return self._ids[key_of(member)]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<{len(self)} ids>"
