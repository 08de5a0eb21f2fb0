"""Several PDF files as one: as a reader of PDF sees it, and by its own table of places."""

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from autograd_rnn.errors import RenderError
from autograd_rnn.pictures.rendering.pdf import join
from autograd_rnn.pictures.rendering.render import render


def page(word: str) -> bytes:
    return render(f'digraph {{ a [label="{word}"] }}', "pdf")


def objects(file: bytes) -> dict[int, bytes]:
    """The objects of a file, by the table at its end."""
    start = int(re.findall(rb"startxref\s+(\d+)", file)[-1])
    table = file[start:].split(b"trailer")[0].split()
    assert table[0] == b"xref"
    places = [
        int(place) for place, use in zip(table[3::3], table[5::3], strict=True) if use == b"n"
    ]
    found = {}
    for place in places:
        number, zero, word = file[place : place + 20].split()[:3]
        assert (zero, word) == (b"0", b"obj")
        found[int(number)] = file[place : file.index(b"endobj", place)]
    return found


def packed(count: int) -> bytes:
    """A file whose objects are in a stream, as newer libraries write them."""
    inner = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = b" ".join([b"%d 0 R" % (3 + place) for place in range(count)])
    inner += [b"<< /Type /Pages /Kids [ %s ] /Count %d >>" % (kids, count)]
    inner += [b"<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 9 9 ] >>"] * count
    places = [sum(map(len, inner[:place])) + place for place in range(len(inner))]
    head = b" ".join([b"%d %d" % (place + 1, at) for place, at in enumerate(places)]) + b" "
    stream = zlib.compress(head + b" ".join(inner))
    looks = b"/Type /ObjStm /N %d /First %d /Length %d" % (len(inner), len(head), len(stream))
    return b"%%PDF-1.5\n90 0 obj\n<< %s >>\nstream\n%s\nendstream\nendobj\n" % (looks, stream)


def test_one_file_is_left_as_it_is() -> None:
    assert join([b"%PDF anything"]) == b"%PDF anything"


def test_the_pages_of_all_files_are_there_and_nothing_points_outside() -> None:
    joined = join([page("first"), page("second"), packed(2)])
    found = objects(joined)
    assert sum(b"/Type /Page\n" in text or b"/Type /Page " in text for text in found.values()) == 4
    trees = [text for text in found.values() if b"/Type /Pages" in text]
    assert sorted(int(re.findall(rb"/Count (\d+)", text)[0]) for text in trees) == [1, 1, 2, 4]
    for text in found.values():
        for number in re.findall(rb"(\d+) 0 R", text.split(b"stream\n")[0]):
            assert int(number) in found
    assert joined == join([page("first"), page("second"), packed(2)])


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs a reader of PDF")
def test_a_reader_of_pdf_finds_the_words_of_each_page(tmp_path: Path) -> None:
    path = tmp_path / "joined.pdf"
    path.write_bytes(join([page("first"), page("second")]))
    read = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
    assert read.stderr == ""
    assert [text.strip() for text in read.stdout.split("\f")] == ["first", "second", ""]


def test_what_has_no_pages_cannot_be_joined() -> None:
    for odd in (b"%PDF-1.5\n", b"%PDF-1.5\n1 0 obj\n<< >>\nstream\nno end"):
        with pytest.raises(
            RenderError, match=r"cannot be put together: save each of drawing\.pages"
        ):
            join([page("first"), odd])
