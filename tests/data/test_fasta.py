"""DNA families and FASTA files."""

import gzip
import io
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import in_family, read_fasta
from autograd_rnn.data import fasta as module
from autograd_rnn.data.fasta import MOST_BASES, Record, read_pieces, windows
from autograd_rnn.errors import FastaError

#: Writes a file with some content, and says where.
Writer = Callable[[str | bytes], Path]


@pytest.fixture
def fasta(tmp_path: Path) -> Writer:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "some.fa"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_records_of_several_lines_in_either_case(fasta: Writer) -> None:
    text = "; a comment\n>one  with words\nGAT\n\ntaca\n>two\nGG\n"
    wanted = [("one  with words", "GATTACA"), ("two", "GG")]
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n")):
        assert read_fasta(fasta(content)) == wanted
        assert read_fasta(fasta(gzip.compress(content.encode(), mtime=0))) == wanted


def test_other_alphabets_and_ambiguous_letters(fasta: Writer) -> None:
    assert read_fasta(fasta(">r\nACGU"), alphabet="acgu") == [("r", "ACGU")]
    assert read_fasta(fasta(b">caf\xe9\nA")) == [("café", "A")]
    assert read_fasta(fasta(">a\x0cb\u2028c\nA")) == [("a\x0cb\u2028c", "A")]
    assert read_fasta(fasta(">r\nACNry"), ambiguous=True) == [("r", "ACNRY")]
    assert read_fasta(fasta(">\nA"))[0].name == "record 1"
    assert read_fasta(fasta(">r\n  \tGA TT\n")) == [("r", "GATT")]
    with pytest.raises(ValueError, match="alphabet must be letters of ASCII"):
        read_fasta(fasta(">r\nA"), alphabet="é")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file holds no record"),
        ("\n\n", "the file holds no record"),
        ("GATTACA\n", "line 1 stands before the first record"),
        (">one\n>two\nGG\n", "record 'one' holds no sequence"),
        (">one\nGAT\nTNCA\n", "record 'one' has 'N' at position 5, which is not one of 'ACGT'"),
        (b">one\nG A\x00", "record 'one' has '\\\\x00' at position 3"),
        (">one\nA€€", "record 'one' has '€' at position 2"),
        (">" + "x" * (1 << 17) + "\nA", "a record's name has more than 65,536 bytes: 'xxxx"),
        (b"\x1f\x8b\x08rubbish", "the gzip data is damaged"),
        (gzip.compress(b">r\nGATTACA" * 99, mtime=0)[:-9], "the gzip data is damaged"),
        (">one\nA".encode("utf-16")[:-1], "its mark says utf-16.*, but truncated data. Save it as"),
        (b">one\n\xff\xfe", "record 'one' has 'ÿ' at position 1"),
        ("@r\nGAT\n+\n;II\n", r"starts with a line '>name'\. It looks like FASTQ: awk 'NR%4==1"),
        (b"\x89PNG\r\n", "line 1 stands before the first record"),
        (">one\nACß", "record 'one' has 'ß' at position 3"),
    ],
)
def test_what_is_not_fasta(fasta: Writer, content: str | bytes, words: str) -> None:
    path = fasta(content)
    with pytest.raises(FastaError, match=words) as caught:
        read_fasta(path)
    assert str(caught.value).startswith(f"{path}: ")


def read_by_lines(content: bytes) -> list[Record]:
    """The definition: all of the file in memory, line by line; an assertion that it is FASTA."""
    records: list[Record] = []
    for line in re.split(r"\r\n|\r|\n", content.decode("utf-8-sig")):
        if line.startswith(">"):
            records.append(Record(line[1:].strip() or f"record {len(records) + 1}", ""))
        elif not line.startswith(";") and (letters := re.sub(r"\s", "", line).upper()):
            assert records
            assert set(letters) <= set("ACGT")
            records[-1] = Record(records[-1].name, records[-1].sequence + letters)
    assert records
    assert all(sequence for _, sequence in records)
    return records


@given(
    st.lists(st.sampled_from([*"ACgt>;\r\n\n é", ">x\nA", "\r\n", ">"]), max_size=30),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_files_are_read_alike_whatever_the_size_of_a_block(
    parts: list[str], block: int, packed: bool, codec: str
) -> None:
    try:
        wanted = read_by_lines("".join(parts).encode())
    except AssertionError:
        wanted = None
    content = "".join(parts).encode(codec)
    file = io.BytesIO(gzip.compress(content) if packed else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        if wanted is None:
            with pytest.raises(FastaError, match=r"^the file: "):
                read_fasta(file)
        else:
            assert read_fasta(file) == wanted


class Endless(io.RawIOBase):
    """A file of so many megabytes, all alike, none of them on disk."""

    def __init__(self, start: bytes, byte: bytes, megabytes: int) -> None:
        self.start, self.byte, self.left = start, byte, megabytes << 20

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.start:
            size = len(self.start)
            buffer[:size], self.start = self.start, b""
            return size
        size = min(len(buffer), self.left)
        buffer[:size] = self.byte * size
        self.left -= size
        return size


@pytest.mark.parametrize("byte", [b"\n", b"A", b" ", b"\r"])
def test_memory_is_bounded_whatever_the_lines(byte: bytes) -> None:
    tracemalloc.start()
    try:
        for piece in read_pieces(Endless(b">x\nA", byte, 40)):
            assert piece.record == 0
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused() -> None:
    bomb = io.BytesIO(gzip.compress(b">x\n" + b"A" * (3 << 20)))
    words = r"more than 2,000,000 letters. If that is right, allow more: most_bases="
    with pytest.raises(FastaError, match=words):
        read_fasta(bomb, most_bases=2_000_000)
    assert MOST_BASES == 1_000_000_000


def test_ambiguous_does_not_let_everything_in(fasta: Writer) -> None:
    with pytest.raises(FastaError, match=r"'@' at position 2"):
        read_fasta(fasta(">r\nA@"), ambiguous=True)


def test_windows_leave_the_rest_out() -> None:
    assert list(windows("GATTACA", 3)) == ["GAT", "TAC"]
    assert list(windows("GATTACA", 7)) == ["GATTACA"]
    assert list(windows("GATTACA", 8)) == []
    with pytest.raises(ValueError, match="size must be 1 or more, not 0"):
        windows("GATTACA", 0)
    with pytest.raises(TypeError, match="size must be an int, not float"):
        windows("GATTACA", 1.5)


def test_the_mitochondrion(mitochondrion: Path) -> None:
    (record,) = read_fasta(mitochondrion)
    assert record.name == "MT_human"
    counts = [record.sequence.count(base) for base in "ACGT"]
    assert counts == [5124 + 1, 5181, 2169, 4094]  # one of the A is in lower case in the file


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3,), "sequence must be a str, not int"),
        (("GGG", 3), "base must be a str, not int"),
        (("G", "GG"), "base must be one symbol, not 'GG'"),
        (("G", "G", 0), "at_least must be 1 or more, not 0"),
        (("G", "G", "3"), "at_least must be an int, not str"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        in_family(*arguments)


class Drops(io.RawIOBase):
    """A file that gives one byte at a time, as a pipe may."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self.content.read(1)
        into[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_marks_are_found_however_little_a_read_gives(
    codec: str, pack: Callable[[bytes], bytes]
) -> None:
    content = pack(">one\nGAT\n".encode(codec))
    for file in (Drops(content), io.BufferedReader(Drops(content))):
        assert read_fasta(file) == [("one", "GAT")]
        assert not file.closed
