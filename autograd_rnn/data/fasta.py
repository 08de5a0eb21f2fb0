"""FASTA files, read as a stream: records, or pieces of them, in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias, cast

from ..arguments import as_function, as_integer
from ..errors import ArgumentTypeError, ArgumentValueError, FastaError
from .encoding import DNA, RNA, codec_of, unsure_letters, way_out

#: Letters that a file may hold unless a call allows more: a bomb of gzip unpacks to far more.
MOST_BASES: Final = 1_000_000_000
#: How many bytes are in memory at a time, beside what is kept.
BLOCK: Final = 1 << 20
LONGEST_NAME: Final = 1 << 16
UPPER: Final = bytes.maketrans(ascii_lowercase.encode(), ascii_uppercase.encode())
SPACE: Final = b" \t\n\v\f"
#: RNA has U where DNA has T.
SAME_BASE: Final = {DNA: bytes.maketrans(b"U", b"T"), RNA: bytes.maketrans(b"T", b"U")}

#: A path, or a file that is open for reading bytes, such as `sys.stdin.buffer`.
Source: TypeAlias = str | os.PathLike[str] | BinaryIO


def windows(sequence: str, size: int, stride: int | None = None) -> Iterator[str]:
    """The windows of a sequence, in order, one every `stride` letters; a rest is left out.

    Unless the stride is given, a window begins where the one before it ends.

    >>> list(windows("GATTACA", 3)), list(windows("GATTACA", 3, stride=2))
    (['GAT', 'TAC'], ['GAT', 'TTA', 'ACA'])
    """
    as_integer(size, "size", least=1)
    if stride is not None:
        as_integer(stride, "stride", least=1)
    starts = range(0, len(sequence) - size + 1, stride or size)
    return (sequence[start : start + size] for start in starts)


class Record(NamedTuple):
    """One sequence of a FASTA file: its name, and its letters in upper case."""

    name: str
    sequence: str


class Piece(NamedTuple):
    """Some letters of a record, which is the `record`-th of its file, counted from 0.

    `refused` says why the record cannot be read, if it is left out: then this is its last piece,
    and those before it do not count.
    """

    record: int
    name: str
    letters: str
    refused: str = ""


def read_fasta(
    path: Source,
    *,
    alphabet: str = "ACGT",
    ambiguous: bool = False,
    most_bases: int = MOST_BASES,
    refuse: Callable[[str], object] | None = None,
) -> list[Record]:
    """The records of a FASTA file, plain or gzipped; lower case is taken as upper case, U as T.

    `path` may be an open binary file too, such as `sys.stdin.buffer`.  White space between letters
    is layout.  Beside the records themselves, reading takes a few megabytes, however long the
    lines are.

    `FastaError` (a `ValueError`) for a file that is not FASTA or holds nothing, for a letter
    outside `alphabet`, naming record, position from 1, and letter, and for more than `most_bases`
    letters in all.  With `ambiguous` the letters that stand for several bases (N, R, Y, ...) or
    for a gap are kept as they are.  A function `refuse` is told what is wrong with a record that
    holds nothing, or another letter: such a record is then left out, and is no error.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "two.fa")
    >>> _ = path.write_text(">one\\nGAT\\ntaca\\n>two\\nGG\\n")
    >>> read_fasta(path)
    [Record(name='one', sequence='GATTACA'), Record(name='two', sequence='GG')]
    """
    if refuse is not None:
        as_function(refuse, "refuse")
    records: list[Record] = []
    place, name, sequence = 0, "", ""
    options: dict[str, Any] = {"alphabet": alphabet, "ambiguous": ambiguous}
    options |= {"most_bases": most_bases, "keep_going": refuse is not None}
    for piece in read_pieces(path, **options):
        if piece.record != place:
            records.append(Record(name, sequence))
            place, sequence = piece.record, ""
        name = piece.name
        # CPython extends the only reference to a str in place: no second copy is made.
        sequence += piece.letters
        if piece.refused and refuse is not None:
            refuse(piece.refused)
            sequence = ""
    return [record for record in (*records, Record(name, sequence)) if record.sequence]


def read_pieces(
    path: Source,
    *,
    alphabet: str = "ACGT",
    ambiguous: bool = False,
    most_bases: int = MOST_BASES,
    keep_going: bool = False,
    advance: Callable[[int], object] = lambda size: None,
) -> Iterator[Piece]:
    """The records of a FASTA file in pieces of at most a megabyte, each record one piece or more.

    So a file is read that does not fit into memory.  `advance` is told how many bytes of the file,
    unpacked, have been read since it was told last.  Errors as in `read_fasta`, but those of a
    record come after its pieces; with `keep_going` they are the last of its pieces instead.
    """
    check_source(path, "path")
    if not isinstance(alphabet, str):
        raise ArgumentTypeError(f"alphabet must be a str, not {type(alphabet).__name__}.")
    as_integer(most_bases, "most_bases", least=1)
    if not alphabet.isascii():
        raise ArgumentValueError(f"alphabet must be letters of ASCII, as FASTA is: {alphabet!r}.")
    letters = alphabet.upper() + (unsure_letters(alphabet.upper()) if ambiguous else "")
    return _checked(path, alphabet.upper(), letters.encode(), most_bases, keep_going, advance)


def _checked(
    path: Source,
    alphabet: str,
    allowed: bytes,
    most: int,
    keep_going: bool,
    advance: Callable[[int], object],
) -> Iterator[Piece]:
    """The pieces of a file, whose letters are allowed and not too many."""
    file = named(path)
    record, name, size, total, refused = -1, "", 0, 0, False

    def refuse(why: str) -> Piece:
        if not keep_going:
            raise FastaError(
                f"{file}: record {name!r} {why} To leave such records out: refuse=, or "
                f"bad_records='skip'."
            )
        return Piece(record, name, "", f"{file}: record {name!r} {why}")

    for head, content in _parts(path, file, advance):
        if head:
            if record >= 0 and not size:
                yield refuse("holds no sequence.")
            record, size, refused = record + 1, 0, False
            name = _decoded(content).strip() or f"record {record + 1}"
            continue
        if refused:
            continue
        content = content.translate(SAME_BASE.get(alphabet))
        if wrong := content.translate(None, allowed):
            place = content.index(wrong[:1])
            # The bytes of one letter, or of none: then it is a byte of latin-1.
            letter = (wrong[:4].decode("utf-8", "ignore") or wrong[:1].decode("latin-1"))[0]
            way = way_out(letter, alphabet)
            yield refuse(
                f"has {letter!r} at position {size + place + 1}, which is not one of "
                f"{alphabet!r}.{way}"
            )
            refused, size = True, 1
            continue
        size, total = size + len(content), total + len(content)
        if total > most:
            raise FastaError(
                f"{file}: the file holds more than {most:,} letters. If that is right, allow more: "
                f"most_bases=."
            )
        yield Piece(record, name, content.decode("ascii"))
    if record >= 0 and not size:
        yield refuse("holds no sequence.")
    if record < 0:
        raise FastaError(f"{file}: the file holds no record; a FASTA file starts with '>name'.")


def check_source(path: object, argument: str) -> None:
    """Refuse what is no path, and no file that is open for reading bytes."""
    if not isinstance(path, str | os.PathLike) and not hasattr(path, "readinto"):
        raise ArgumentTypeError(
            f"{argument} must be a path, or a file open for reading bytes, not "
            f"{type(path).__name__}."
        )


def named(path: Source) -> object:
    """What a message calls a file: its path, or the name of one that is open."""
    if not hasattr(path, "read"):
        return path
    name = getattr(path, "name", "the file")
    return "standard input" if name in ("<stdin>", 0) else name


def _parts(
    path: Source, file: object, advance: Callable[[int], object]
) -> Iterator[tuple[bool, bytes]]:
    """What stands in a file: a record's name (then the first entry is true), or some letters."""
    line, begins, named = 1, True, False
    # What has been read of a name, or nothing while a comment is skipped.
    head: bytearray | None = None
    inside = False
    for block in blocks(path, file):
        advance(len(block))
        place = 0
        while place < len(block):
            if inside:
                end = block.find(b"\n", place)
                if head is not None:
                    head += block[place : len(block) if end < 0 else end]
                    if len(head) > LONGEST_NAME:
                        raise FastaError(
                            f"{file}: a record's name has more than {LONGEST_NAME:,} bytes: "
                            f"{_decoded(bytes(head[:20]))!r}..."
                        )
                if end < 0:
                    break
                if head is not None:
                    named = True
                    yield True, bytes(head)
                place, inside, head, begins, line = end + 1, False, None, True, line + 1
            elif begins and block[place] in b">;":
                inside, head = True, bytearray() if block[place] == ord(">") else None
                place += 1
            else:
                end = _next_line_with_a_mark(block, place)
                letters = block[place:end].translate(UPPER, SPACE)
                if letters and not named:
                    line += len(block[place:end]) - len(block[place:end].lstrip(b"\n"))
                    raise FastaError(
                        f"{file}: line {line} stands before the first record; a FASTA file starts "
                        f"with a line '>name'.{from_fastq(block[place:])}"
                    )
                if letters:
                    yield False, letters
                line += 0 if named else block.count(b"\n", place, end)
                place, begins = end, block[end - 1 : end] == b"\n"
    if inside and head is not None:
        yield True, bytes(head)


def from_fastq(start: bytes) -> str:
    """What to do about a file that starts so, to be added to a message, if it is FASTQ.

    >>> from_fastq(b"@read\\nGAT\\n+\\nIII\\n")[:21]
    ' It looks like FASTQ:'
    """
    lines = start.lstrip().split(b"\n", 4)
    if len(lines) < 4 or lines[0][:1] + lines[2][:1] != b"@+" or len(lines[1]) != len(lines[3]):
        return ""
    program = """'NR%4==1{print ">" substr($0,2)} NR%4==2'"""
    return f" It looks like FASTQ: awk {program} makes FASTA of it."


def _next_line_with_a_mark(block: bytes, place: int) -> int:
    """Where the next line begins that is a name or a comment, or the end of the block."""
    found = re.compile(rb"\n[>;]").search(block, place)
    return len(block) if found is None else found.start() + 1


def blocks(path: Source, file: object) -> Iterator[bytes]:
    """The bytes of a file, unpacked, in blocks whose lines end with a line feed."""
    with ExitStack() as stack:
        source: io.BufferedReader | gzip.GzipFile = _opened(path, stack)
        if source.peek(2).startswith(b"\x1f\x8b"):
            source = stack.enter_context(gzip.GzipFile(fileobj=source, mode="rb"))
        try:
            read = _as_utf8(source)
            block = read(3).removeprefix(codecs.BOM_UTF8)
            ended = b""
            while True:
                more = read(BLOCK)
                block += more
                # A carriage return at the end of a block may belong to a line feed in the next.
                if more and block.endswith(b"\r"):
                    block, ended = block[:-1], b"\r"
                yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                if not more:
                    return
                block, ended = ended, b""
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FastaError(f"{file}: the gzip data is damaged ({error}).") from None
        except UnicodeDecodeError as error:
            raise FastaError(
                f"{file}: the text is damaged: its mark says {error.encoding}, but {error.reason}. "
                f"Save it as UTF-8."
            ) from None


def _as_utf8(source: io.BufferedReader | gzip.GzipFile) -> Callable[[int], bytes]:
    """A function that reads about so many bytes, coded anew if a mark says they are not UTF-8."""
    codec = codec_of(source.peek(4)[:4])
    if codec.startswith("utf-8"):
        return source.read
    decoder = codecs.getincrementaldecoder(codec)()

    def read(size: int) -> bytes:
        text = ""
        # No text does not mean that there is no more: the mark is none, nor is half a letter.
        while not text and (more := source.read(size)):
            text = decoder.decode(more)
        return (text or decoder.decode(b"", final=True)).encode()

    return read


class _Begun(io.RawIOBase):
    """A file whose first read gives four bytes, for a look at its mark: a pipe may give one."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self._start = file, file.read(4)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part, self._start = self._start or self._file.read(len(into)), b""
        into[: len(part)] = part
        return len(part)


def _opened(path: Source, stack: ExitStack) -> io.BufferedReader:
    """A file that can be looked into; the stack closes it if it was not open before."""
    if isinstance(path, str | os.PathLike):
        return io.BufferedReader(_Begun(stack.enter_context(Path(path).open("rb"))))
    if isinstance(path, io.BufferedReader):
        return io.BufferedReader(_Begun(path))
    reader = io.BufferedReader(cast(Any, path))
    stack.callback(reader.detach)  # else the caller's file would be closed with it
    return io.BufferedReader(_Begun(reader))


def _decoded(content: bytes) -> str:
    """The text, of an older file in latin-1; sequences are ASCII anyway."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
