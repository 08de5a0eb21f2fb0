"""Several PDF files as one, page after page."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ...errors import RenderError

OBJECT: Final = re.compile(rb"(?<!\d)(\d+) 0 obj\b")
BODY: Final = re.compile(rb"\bstream\r?\n|\bendobj\b")
END: Final = re.compile(rb"\r?\n?endstream\s+endobj\b")
REFERENCE: Final = re.compile(rb"(?<!\d)(\d+) 0 R\b")
TYPE: Final = re.compile(rb"/Type\s*/(\w+)")
# Of each file alone: where its objects are, and what it says of itself.
LEFT_OUT: Final = (b"Catalog", b"ObjStm", b"XRef")
SAID: Final = b"/Producer"


class Part(NamedTuple):
    """An object of a file: its number, its text, and its stream, if any."""

    number: int
    text: bytes
    stream: bytes | None

    @property
    def type(self) -> bytes:
        """Its type, as it names it itself."""
        found = TYPE.search(self.text)
        return found[1] if found else b""


def join(files: Sequence[bytes]) -> bytes:
    """One PDF with the pages of all files, which are such as Graphviz makes."""
    if len(files) == 1:
        return files[0]
    written: dict[int, bytes] = {}
    kids, root = [], 1
    free = root + 1
    for file in files:
        parts = list(_parts(file))
        before, tree = free, [part.number for part in parts if _is_root(part)]
        if len(tree) != 1:
            raise RenderError(
                "the renderer returned a pdf whose pages cannot be put together: save each of "
                "drawing.pages."
            )
        kids.append(before + tree[0])
        for part in parts:
            if part.type in LEFT_OUT or SAID in part.text:
                continue
            text = REFERENCE.sub(lambda found: b"%d 0 R" % (before + int(found[1])), part.text)  # noqa: B023
            if part.number == tree[0]:
                text = text.replace(b"<<", b"<< /Parent %d 0 R" % root, 1)
            if part.stream is not None:
                text += b"stream\n" + part.stream + b"\nendstream"
            written[before + part.number] = text
        free = before + max(part.number for part in parts) + 1
    count = sum(_count(written[kid]) for kid in kids)
    names = b" ".join([b"%d 0 R" % kid for kid in kids])
    written[root] = b"<< /Type /Pages /Kids [ %s ] /Count %d >>" % (names, count)
    written[free] = b"<< /Type /Catalog /Pages %d 0 R >>" % root
    return _file(files[0].partition(b"\n")[0], written, free)


def _is_root(part: Part) -> bool:
    return part.type == b"Pages" and b"/Parent" not in part.text


def _count(tree: bytes) -> int:
    found = re.search(rb"/Count\s+(\d+)", tree)
    return int(found[1]) if found else 0


def _parts(file: bytes) -> Iterator[Part]:
    """The objects of a file, those of streams of objects too."""
    place = 0
    while found := OBJECT.search(file, place):
        body = BODY.search(file, found.end())
        if body is None:
            return
        number, text = int(found[1]), file[found.end() : body.start()].strip() + b"\n"
        place, stream = body.end(), None
        if body[0] != b"endobj":
            end = END.search(file, place)
            if end is None:
                return
            stream, place = file[place : end.start()], end.end()
        part = Part(number, text, stream)
        yield part
        if part.type == b"ObjStm" and stream is not None:
            yield from _inner(text, zlib.decompress(stream))


def _inner(text: bytes, stream: bytes) -> Iterator[Part]:
    """The objects of a stream: their numbers and places stand at its head."""
    first = re.search(rb"/First\s+(\d+)", text)
    start = int(first[1]) if first else 0
    head = [int(word) for word in stream[:start].split()]
    ends = [*head[3::2], len(stream) - start]
    for number, begin, end in zip(head[::2], head[1::2], ends, strict=True):
        yield Part(number, stream[start + begin : start + end].strip() + b"\n", None)


def _file(head: bytes, objects: dict[int, bytes], root: int) -> bytes:
    """A file of these objects, with the table of their places."""
    text = bytearray(head + b"\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(text)
        text += b"%d 0 obj\n%s\nendobj\n" % (number, body.rstrip(b"\n"))
    start, size = len(text), root + 1
    text += b"xref\n0 %d\n" % size
    for number in range(size):
        place, free = (places[number], b"n") if number in places else (0, b"f")
        text += b"%010d %05d %s \n" % (place, 0 if number in places else 65535, free)
    text += b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, start)
    return bytes(text)
