"""How the numbers of a picture are put into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..graph.notation import Text, label, number, write, write_number

LONGEST_EXPRESSION: Final = 24


def absorbed(node: Any) -> bool:
    """Whether the node is a plain number, as the 2 of `x ** 2`, and so part of its consumer."""
    return node.constant and node.name is None


def name_of(node: Any, place: int) -> Text:
    """The node's name, its number if it is a constant without one, or else v with its place."""
    if node.name is not None:
        return Text(label(node.name))
    return write_number(node.data) if node.constant else Text(label(f"v_{place}"))


def expression(node: Any, texts: dict[Any, Text]) -> Text:
    """The node's op, applied to its operands as they are written."""
    return write(node.op, *[texts[parent] for parent in node.parents])


def fitting(written: Text, name: Text) -> Text:
    """What is written, or the name where that is too long."""
    return written if len(written.text) <= LONGEST_EXPRESSION else name


def expressions(order: Sequence[Any]) -> dict[Any, Text]:
    """How each node is written where it is an operand: its name, or what it is computed from."""
    texts: dict[Any, Text] = {}
    for place, node in enumerate(order, 1):
        name = texts[node] = name_of(node, place)
        if node.name is None and node.parents and not node.constant:
            texts[node] = fitting(expression(node, texts), name)
    return texts


def badge(node: Any) -> str:
    """The op's symbol, with the plain numbers among its operands: `15 − ( )`, `( )²`."""
    if not any(absorbed(parent) for parent in node.parents):
        return str(node.op.symbol)
    operands = [
        write_number(parent.data) if absorbed(parent) else Text("( )") for parent in node.parents
    ]
    return write(node.op, *operands).text


def addition(terms: Sequence[float], total: float) -> str:
    """`0 + 16 + 16 = 32`, with the middle of a long sum left out."""
    written = joined([number(one) for one in terms])
    return written if len(terms) == 1 else f"{written} = {number(total)}"


def joined(written: Sequence[str]) -> str:
    """Written numbers as one sum, with the middle of a long one left out.

    >>> joined(["·", "−4", "16"])
    '· − 4 + 16'
    """
    if len(written) > 6:
        written = [*written[:2], "…", *written[-2:]]
    return " ".join([written[0], *map(term, written[1:])])


def term(written: str) -> str:
    """A number as one more term.

    >>> term("16"), term("−4")
    ('+ 16', '− 4')
    """
    return f"− {written[1:]}" if written.startswith("−") else f"+ {written}"


def vector(entries: Sequence[float], most: int = 8, digits: int = 4) -> str:
    """The entries in brackets, the first of them where they are many; a single one without.

    >>> vector([1.0, 0.5]), vector([2.0]), vector([1.0, 2.0, 3.0], most=2)
    ('[1 0.5]', '2', '[1 2 …]')
    """
    if len(entries) == 1:
        return number(entries[0])
    shown = [number(entry, digits) for entry in entries[:most]]
    return f"[{' '.join(shown)}{' …' if len(entries) > most else ''}]"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["b", "w₁", "w₂"])
    'b, w₁ and w₂'
    """
    return " and ".join([", ".join(names[:-1]), *names[-1:]] if names[1:] else names)


def numbered(letter: str, size: int) -> list[str]:
    """Q₁, Q₂, ..., or q where there is but one."""
    return [letter.lower()] if size == 1 else [label(f"{letter}_{i + 1}") for i in range(size)]


def short(x: float) -> str:
    """The number for a small place: two digits, one below a tenth."""
    return number(x, 2 if abs(x) >= 0.1 else 1, 3)
