"""DNA families and FASTA files."""

import gzip
from pathlib import Path

import pytest

from autograd_rnn import in_family, read_fasta
from autograd_rnn.data.fasta import windows
from autograd_rnn.errors import FastaError


@pytest.fixture
def fasta(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(content: str | bytes) -> Path:
        path = tmp_path / "some.fa"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_records_of_several_lines_in_either_case(fasta) -> None:  # type: ignore[no-untyped-def]
    text = "; a comment\n>one  with words\nGAT\n\ntaca\n>two\nGG\n"
    wanted = [("one  with words", "GATTACA"), ("two", "GG")]
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n")):
        assert read_fasta(fasta(content)) == wanted
        assert read_fasta(fasta(gzip.compress(content.encode(), mtime=0))) == wanted


def test_other_alphabets_and_ambiguous_letters(fasta) -> None:  # type: ignore[no-untyped-def]
    assert read_fasta(fasta(">r\nACGU"), alphabet="acgu") == [("r", "ACGU")]
    assert read_fasta(fasta(b">caf\xe9\nA")) == [("café", "A")]
    assert read_fasta(fasta(">a\x0cb\u2028c\nA")) == [("a\x0cb\u2028c", "A")]
    assert read_fasta(fasta(">r\nACNry"), ambiguous=True) == [("r", "ACNRY")]
    assert read_fasta(fasta(">\nA"))[0].name == "record 1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file holds no record"),
        ("\n\n", "the file holds no record"),
        ("GATTACA\n", "line 1 stands before the first record"),
        (">one\n>two\nGG\n", "record 'one' holds no sequence"),
        (">one\nGAT\nTNCA\n", "record 'one' has 'N' at position 5, which is not one of 'ACGT'"),
        (">one\nGA T\n", "record 'one' has ' ' at position 3"),
        (b"\x1f\x8b\x08rubbish", "the gzip data is damaged"),
        (gzip.compress(b">r\nGATTACA" * 99, mtime=0)[:-9], "the gzip data is damaged"),
        (b">one\n\xff\xfe", "record 'one' has 'ÿ' at position 1"),
        (b"\x89PNG\r\n", "line 1 stands before the first record"),
        (">one\nACß", "record 'one' has 'ß' at position 3"),
    ],
)
def test_what_is_not_fasta(fasta, content: str | bytes, words: str) -> None:  # type: ignore[no-untyped-def]
    path = fasta(content)
    with pytest.raises(FastaError, match=words) as caught:
        read_fasta(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_ambiguous_does_not_let_everything_in(fasta) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FastaError, match=r"'\*' at position 2"):
        read_fasta(fasta(">r\nA*"), ambiguous=True)


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
def test_refusals(arguments, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((TypeError, ValueError), match=words):
        in_family(*arguments)
