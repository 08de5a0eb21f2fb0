"""The lecture's exercise as a drawing, and what tests of pictures read of one."""

import xml.etree.ElementTree as ElementTree

from autograd_rnn import RNN, Drawing, bits, draw

EXERCISE = """
from autograd_rnn import RNN, bits, draw
rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
run = rnn.unroll(bits("101"))
loss = (15 - run.pi[0]) ** 2
loss.backward()
"""


HOSTILE = [
    *['"', "\\", "<", ">", "&", "'", "\\N", "\\G", "\\L", "\\E", "\\T", "\\H", "\\l", "\\r", "\\n"],
    *["ends in \\", "&amp;", "&#8342;", "</TD>", "</TABLE>>", "<script>alert(1)</script>", "\x00"],
    *["\x01", "\x1f", "\x7f", "\x85", "\ud800", "\ufffe", "a\r\nb", "a\nb", "a\tb", "🧬", "{a|b}"],
    *["/* c */", "// c", "#", "-->", "%s", "$x$", " ", "", "a" * 5000, "日本語", "a:b:c", "w_1;"],
]
# A Value refuses half of a surrogate pair.
NAMES = [name for name in HOSTILE if name != "\ud800"]


def exercise(bit_string: str = "101", weight: int = 0, backward: bool = True) -> Drawing:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    loss = (15 - run.pi[0]) ** 2
    if backward:
        loss.backward()
    return draw(loss, focus=rnn.parameters()[weight], run=run)


def boxes(drawing: Drawing, role: str) -> list[tuple[str, str, str | None]]:
    return [(b.name, b.data, b.grad) for b in drawing.view.boxes.values() if b.role == role]


def texts(svg: str) -> list[str]:
    """The lines of text that an SVG shows; Graphviz writes runs of spaces with no-break spaces."""
    lines = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(line.itertext()).replace("\xa0", " ").strip() for line in lines]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)
