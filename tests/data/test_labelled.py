"""Labelled sequences from tables and from FASTA files, against what was written into them."""

import csv
import gzip
import io
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import Dataset, one_hot
from autograd_rnn.data import tables
from autograd_rnn.data.encoding import encoded, find_alphabet, reverse_complement
from autograd_rnn.data.fasta import blocks
from autograd_rnn.data.tables import read_list

CODECS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


def read(content: str | bytes, **options: Any) -> Dataset:
    return Dataset.read(
        io.BytesIO(content.encode() if isinstance(content, str) else content), **options
    )


FIELDS = st.text('ab" \nX', min_size=1, max_size=6).map(str.strip).filter(bool)


@given(
    st.lists(st.tuples(st.text("ACGT", min_size=1, max_size=9), FIELDS), min_size=2, max_size=8),
    st.sampled_from(",\t;|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_a_table_is_read_as_it_was_written(
    rows: list[tuple[str, str]], delimiter: str, end: str, header: bool, marked: bool
) -> None:
    rows = [(text, label.replace("X", delimiter).strip() or "a") for text, label in rows]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    writer.writerows([("sequence", "label"), *rows] if header else rows)
    content = (b"\xef\xbb\xbf" if marked else b"") + file.getvalue().encode()
    labels = sorted({label for _, label in rows})
    options: dict[str, Any] = {"alphabet": "DNA"}
    if not header:
        options |= {"sequence": 1, "label": 2}
    if len(labels) < 2:
        with pytest.raises(ValueError, match=r"all labels are|columns|column"):
            read(content, **options)
        return
    data = read(content, **options)
    # A line break in a quoted field is read as "\n", whichever it was.
    assert data.names == tuple(labels)
    assert list(zip(data.symbols, (labels[int(k)] for k in data.targets), strict=True)) == rows
    assert [[list(x) for x in one] for one in data.sequences] == [one_hot(text) for text, _ in rows]


@pytest.mark.parametrize(
    ("content", "symbols", "names", "alphabet"),
    [
        ("GATTACA,a\nggg,b\n", ("GATTACA", "GGG"), ("a", "b"), "ACGT"),
        ("a,GATTACA\nb,ggg\nb,CCCCCC\n", ("GATTACA", "GGG", "CCCCCC"), ("a", "b"), "ACGT"),
        ("seq,kind\nGAU,x\nGGU,y\n", ("GAU", "GGU"), ("x", "y"), "ACGU"),
        ("name;length;klasse;dna\nr1;3;x;GAT\nr2;4;y;GGTT\nr3;5;y;GGTTT", None, ("x", "y"), "ACGT"),
        ("0101,1\n111,0\n", ("0101", "111"), ("0", "1"), "01"),
        ("abba\tx\nbaab\ty\n", ("abba", "baab"), ("x", "y"), "ab"),
        ("0.5 1 2|up\n3 2 1e-3|down\n", ("0.5 1 2", "3 2 1e-3"), ("down", "up"), ""),
        ('"0.5, -1",up\n"3; 2",down\n', ("0.5, -1", "3; 2"), ("down", "up"), ""),
        ("to be,x\nor no,y\n", ("to be", "or no"), ("x", "y"), " benort"),
        ("AC,10\nCC,9\nGC,9", ("AC", "CC", "GC"), ("9", "10"), "ACGT"),
        (
            'sequence,label\n"GAT\nTACA","x, or y"\nGG,z',
            ("GATTACA", "GG"),
            ("x, or y", "z"),
            "ACGT",
        ),
        ("\n\nGAT,a\n\n \nTT,b\n", ("GAT", "TT"), ("a", "b"), "ACGT"),
        ("sep=;\nGAT;a\nTT;b\n", ("GAT", "TT"), ("a", "b"), "ACGT"),
        ("Sep=\t\nseq\tkind\nGAT\ta\nTT\tb\n", ("GAT", "TT"), ("a", "b"), "ACGT"),
        ("MKVLAAGICDEFHNPQRSTWYMKV,p\nMKVA,q", None, ("p", "q"), "ACDEFGHIKLMNPQRSTVWY"),
        ("MKVLAAGICDEFHNPQRSTWYMKV,p\nMKVA,q\n,\n", None, ("p", "q"), "ACDEFGHIKLMNPQRSTVWY"),
    ],
)
def test_columns_header_and_alphabet_are_found(
    content: str, symbols: tuple[str, ...] | None, names: tuple[str, ...], alphabet: str
) -> None:
    others = [content.replace("\n", "\r\n").encode(codec) for codec in CODECS[1:]]
    for coded in (content.encode(), *others):
        data = read(gzip.compress(coded) if symbols else coded)
        assert (data.names, data.alphabet) == (names, alphabet)
        assert symbols is None or data.symbols == symbols


@pytest.mark.parametrize(
    ("labels", "options", "numbers"),
    [
        (["0", "1", "2"], {}, False),
        (["0.5", "1", "2"], {}, True),
        (["1.0", "2.0", "3.0"], {}, False),
        ([str(k) for k in range(11)], {}, True),
        ([str(k) for k in range(10)], {}, False),
        (["-1e2", "0.5", "+3"], {}, True),
        (["0.5", "1", "2"], {"targets": "classes"}, False),
        (["0", "1", "2"], {"targets": "numbers"}, True),
        (["0.5", "1", "nan"], {"targets": "classes"}, False),
        (["0.5", "1", "odd"], {}, False),
    ],
)
def test_labels_that_are_numbers(labels: list[str], options: dict[str, Any], numbers: bool) -> None:
    content = "".join([f"{'G' * (k + 1)}AC,{label}\n" for k, label in enumerate(labels)])
    data = read(content, **options)
    if numbers:
        assert (data.classes, data.names) == (None, ())
        assert data.targets == tuple(map(float, labels))
    else:
        assert data.classes == len(labels)
        assert [data.names[int(k)] for k in data.targets] == labels


def test_a_decimal_comma() -> None:
    assert read("GAT;0,5\nGA;-12,25\nG;3\n").targets == (0.5, -12.25, 3.0)
    assert read('GAT,"1,5"\nGA,2\n').names == ("1,5", "2")


def test_columns_that_are_named() -> None:
    content = "id,before,after,kind\n1,AC,GT,x\n2,CC,GG,y\n"
    assert read(content, sequence="After", label="kind").symbols == ("GT", "GG")
    assert read(content, sequence=2, label=4).symbols[-2:] == ("AC", "CC")
    with pytest.raises(ValueError, match=r"sequence 'seq' is no column: the first line has 'id', "):
        read(content, sequence="seq")
    with pytest.raises(ValueError, match="label must be 4 or less, not 9"):
        read(content, label=9)


def test_what_is_left_out_is_counted() -> None:
    content = "GATN,a\nGA-T,b\nGAT,a\nCAT,b\nXX1,b\n,a\nGG\n"
    options: dict[str, Any] = {"bad_records": "skip", "alphabet": "DNA"}
    data = read(content, ambiguous="skip", **options)
    assert data.symbols == ("GAT", "CAT")
    assert data.left_out == {"bad records": 3, "sequences with ambiguous letters": 2}
    data = read(content, ambiguous="zeros", **options)
    assert data.sequences[0][3] == data.sequences[1][2] == (0.0, 0.0, 0.0, 0.0)
    assert len(data) == 4
    assert data.split(1, 1)[0].left_out == data.left_out


def test_a_class_without_sequences_is_dropped_and_told() -> None:
    content = "GAT,c\nGA-T,b\nGAT,a\nCAT,c\n"
    options: dict[str, Any] = {"bad_records": "skip", "alphabet": "DNA"}
    data = read(content, **options)
    assert (data.classes, data.names, data.targets) == (2, ("a", "c"), (1.0, 0.0, 1.0))
    assert data.left_out == {"bad records": 1, "class 'b', of which no sequence is left": 1}
    assert read(content, classes=["a", "b", "c"], **options).names == ("a", "b", "c")
    assert read(content, classes=data.names, **options).targets == data.targets
    with pytest.raises(ValueError, match=r"only sequences of 'a' are left: .* \(1 bad records\)"):
        read("GAT,a\nGA-T,b\n", **options)


def test_remarks_above_the_header_are_bad_lines() -> None:
    content = "# of 2026\ndna\tlabel\nGAT\ta\nCAT\tb\n"
    with pytest.raises(ValueError, match="line 1 has 1 field, not 2"):
        read(content)
    data = read(content, bad_records="skip")
    assert (data.names, data.left_out) == (("a", "b"), {"bad records": 1})


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, "the file is empty"),
        ("GAT\nCAT\n", {}, "the file has one column"),
        ("GAT,a\nCAT,a\n", {}, "all labels are 'a': there is nothing to tell apart"),
        (",,\n,,\n", {}, "the file has one column"),
        ('GAT,a\n"CAT,b\n', {}, "line 2 cannot be read as a table"),
        (b"GAT,a\nC\xffT,b\n", {}, "byte 0xff at position 8, in line 2, is not UTF-8"),
        (
            "GAT,a\nCNT,b\n",
            {},
            r"line 2: 'N' at position 2 is not one of 'ACGT'\. .*: ambiguous='skip' ",
        ),
        ("GAT,a\nC-T,b\n", {}, "'-' marks a gap: ambiguous='skip' leaves"),
        ("GAT,a\nCXQ,b\n", {"alphabet": "DNA"}, "line 2: .* at position 2 .*bad_records='skip'"),
        ("GAT,a\n,b\n", {}, "line 2 has no sequence. .*bad_records='skip'"),
        ("GAT,a\nGAT,\nCC,b", {}, "line 2 has no label"),
        ("GAT,a\nGAT\nCC,b\n", {}, "line 2 has 1 field, not 2"),
        ("GNT,a\nNNN,b\n", {"ambiguous": "skip"}, "nothing is left to learn from .2 sequences"),
        ("GAT,a\nCAT,b\n", {"classes": ["a", "c"]}, "line 2: the label 'b' is none of the model's"),
        ("GAT,a\nCAT,b\n", {"classes": []}, "classes must be two or more different names"),
        ("GAT,1\nCAT,2\n", {"classes": ["1", "2"], "targets": "numbers"}, "classes go with targ"),
        ("GAT,a\nCAT,b\n", {"ambiguous": "drop"}, "ambiguous 'drop' is unknown: choose one of err"),
        ("GAT,a\nCAT,b\n", {"stride": 2}, "stride goes with window"),
        ("GAT,a\nCAT,b\n", {"window": 4}, "2 sequences shorter than a window of 4"),
        ("GAT,a\nCAT,b\n", {"alphabet": "AA"}, "alphabet must be DNA, RNA, protein, bits, numb"),
        ("GA,1\nGG,x\n", {"targets": "numbers"}, "line 2: the label 'x' is not a number such as"),
        ("GA,1\nGG,2\n", {"targets": "both"}, "targets 'both' is unknown: choose one of classes"),
        (
            "GA,0.5\nGG,1\nCC,NA\n",
            {},
            "line 3: the label 'NA' is not a number .*bad_records='skip'",
        ),
        ("1 2,a\n2 inf 3,b\n", {}, "line 2: 'inf' at position 2 is not a number"),
        (
            "GAT,a\nCA, TA,b\nCC,b\n",
            {},
            "line 2 has 3 fields, not 2: quote a field that holds a sep",
        ),
        ("dna,label\nGAT,a\nCC,b,c\n", {}, "line 3 has 3 fields, not 2"),
        ("1 2,a\n2 1,b\n", {"alphabet": "numbers", "window": 2}, "it does not cut numbers"),
        ("1 2,a\n2 x,b\n", {"alphabet": "numbers"}, "line 2: 'x' at position 2 is not a number"),
        ("ab,a\nba,b\n", {"reverse_complement": True}, "only DNA and RNA have a reverse compl"),
        (">r\nGAT\n", {}, "the file is FASTA, which has no labels: give two files or more"),
        ("\n".join(f"GAT,x{k}" for k in range(101)), {}, "101 different labels"),
    ],
)
def test_refusals_say_where_and_what_to_do(
    content: str | bytes, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        read(content, **options)


def fasta(path: Path, *records: str) -> Path:
    path.write_text("".join([f">r{k}\n{record}\n" for k, record in enumerate(records)]))
    return path


def test_a_fasta_file_for_each_class(tmp_path: Path) -> None:
    one = fasta(tmp_path / "one.fa", "GATTACA", "ggnu")
    two = fasta(tmp_path / "two.fasta", "CC", "", "C!")
    packed = tmp_path / "three.fa.gz"
    packed.write_bytes(gzip.compress(b">x\nAT\n"))
    options: dict[str, Any] = {"ambiguous": "skip", "bad_records": "skip", "alphabet": "DNA"}
    data = Dataset.read(one, two, packed, **options)
    assert data.names == ("one", "three", "two")
    assert list(zip(data.symbols, data.targets, strict=True)) == [
        *[("GATTACA", 0.0), ("CC", 2.0), ("AT", 1.0)]
    ]
    assert data.left_out == {"bad records": 2, "sequences with ambiguous letters": 1}
    with pytest.raises(ValueError, match=r"record 'r1' holds no sequence. .*bad_records='skip'"):
        Dataset.read(one, two)
    with pytest.raises(ValueError, match=r"one.fa: record 'r1': 'N' at position 3"):
        Dataset.read(one, packed)
    table = tmp_path / "t.csv"
    table.write_text("GG,a\nCC,b\n")
    with pytest.raises(ValueError, match="t.csv is not FASTA"):
        Dataset.read(one, table)
    with pytest.raises(ValueError, match="a file is given twice"):
        Dataset.read(one, one)
    with pytest.raises(ValueError, match="there is no file"):
        Dataset.read()


@settings(max_examples=10)
@given(st.integers(14, 19), st.integers(5, 19), st.integers(2, 12), st.integers(0, 9))
def test_no_window_of_a_part_overlaps_one_of_another(
    size: int, stride: int, records: int, seed: int
) -> None:
    chance = random.Random(seed)
    texts = {
        label: ["".join(chance.choices("ACGT", k=chance.randrange(60, 99))) for _ in range(records)]
        for label in "ab"
    }
    rows = [f"{text},{label}" for label, own in texts.items() for text in own]
    data = read("\n".join(rows), alphabet="DNA", window=size, stride=stride)
    assert {len(text) for text in data.symbols} == {size}
    parts = data.split(2, 1)
    # Groups are stretches that do not overlap; equal windows are in one part, too.
    for field in ("groups", "symbols"):
        first, second = [set(getattr(part, field)) for part in parts]
        assert not first & second
    if records >= 10:
        places = [{group[0] for group in part.groups} for part in parts]  # type: ignore[index]
        assert not places[0] & places[1]


def test_both_strands_stay_together() -> None:
    texts = ["GATTACA", "GGCC", "CCT", "AAAC", "TGG"]
    data = read("\n".join([f"{x},{k % 2}" for k, x in enumerate(texts)]), reverse_complement=True)
    assert len(data) == 9, "GGCC is its own reverse complement"
    for part in data.split(1, 1):
        assert {reverse_complement(text) for text in part.symbols} == set(part.symbols)


@given(st.text("ACGTRYKMBVDHSWN"))
def test_the_other_strand_of_the_other_strand(text: str) -> None:
    assert reverse_complement(reverse_complement(text)) == text
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    other = reverse_complement(text)[::-1]
    assert all(pairs[a] == b for a, b in zip(text, other, strict=True) if a in pairs)


@given(st.text("ACGTNR-", min_size=1))
def test_zeros_are_one_hot_where_letters_are_sure(text: str) -> None:
    sure = set(text) <= set("ACGT")
    vectors = encoded(text, "ACGT", "it", "zeros")
    assert vectors is not None
    for letter, vector in zip(text, vectors, strict=True):
        assert vector == (one_hot(letter)[0] if letter in "ACGT" else [0.0] * 4)
    assert encoded(text, "ACGT", "it", "skip") == (vectors if sure else None)
    assert find_alphabet(["ACGT" * 99, text]) == "ACGT"


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("GAT\n\nCC\n", ["GAT", "CC"]),
        ("sequence\nGAT\nCC\n", ["GAT", "CC"]),
        ("id,dna\na,GAT\nb,CC\n", ["GAT", "CC"]),
        ("a;GAT\nb;CC\n", ["GAT", "CC"]),
        ("read one,GAT,x\nread two,CC,y\n", ["GAT", "CC"]),
        ("name\tmine\nr1\tGAT\nr2\tCC\n", ["GAT", "CC"]),
        ("GA!\nGAT\n", ["GA!", "GAT"]),
        ("label,sequence\nGAT,CC\nCC,GAT\n", ["CC", "GAT"]),
        ("\ufeffid,dna\na,GAT\nb,CC\n", ["GAT", "CC"]),
        ("dna\rGAT\rCC\r", ["GAT", "CC"]),
        (",,\n", [",,"]),
    ],
)
def test_a_list_of_sequences(content: str, texts: list[str]) -> None:
    def fits(text: str) -> bool:
        return bool(text) and set(text) <= set("ACGT")

    for codec in CODECS:
        read = blocks(io.BytesIO(content.lstrip("\ufeff").encode(codec)), "x.csv")
        assert [entry.text for entry in read_list(read, "x.csv", fits)] == texts


def test_a_list_is_read_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "HEAD", 20)
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield b"\n\nmade today\nid,dna\nr0,GA\nr1,"
        for k in range(2, 100):
            taken.append(k)
            yield b'"GAT\nTACA"\nr%d,' % k
        yield b"CC\nr100,\nr101,G"

    refused: list[str] = []
    found = read_list(
        pieces(), "x.csv", lambda text: set(text) <= set("ACGT"), None, refused.append
    )
    assert [next(found), next(found)] == [
        ("GA", "", "x.csv: line 5", 5),
        ("GAT\nTACA", "", "x.csv: line 6", 6),
    ]
    assert taken[-1] < 5
    *rest, last, odd = found
    assert {entry.text for entry in rest} == {"GAT\nTACA"}
    assert (last.text, last.line, odd.text, odd.line) == ("CC", 202, "G", 204)
    assert refused == ["x.csv: line 3 has 1 field, not 2.", "x.csv: line 203 has no sequence."]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_may_hold_a_genome(quote: str) -> None:
    genome, limit = "GATTACA" * 20_000, csv.field_size_limit()
    data = read(f"id,dna,label\nx,{quote}{genome}{quote},a\ny,GG,b\n")
    assert data.symbols == (genome, "GG")
    content = f"id,dna\nx,{quote}{genome}{quote}\n".encode()
    (entry,) = read_list([content], "x.csv", str.isalpha)
    assert (entry.text, csv.field_size_limit()) == (genome, limit)


def test_tables_that_are_streamed_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "HEAD", 10)
    genome, limit = "GATTACA" * 30_000, csv.field_size_limit()
    done, begun, found = threading.Event(), threading.Event(), list[str]()

    def slow() -> Iterator[bytes]:
        yield b"id,dna\nx,GG\nx,CC\n"
        begun.set()
        assert done.wait(20)  # as on a pipe into which nobody has written yet
        yield f"y,{genome}\n".encode()

    reader = threading.Thread(
        target=lambda: found.extend(x.text for x in read_list(slow(), "x.csv", str.isalpha)),
        daemon=True,
    )
    reader.start()
    assert begun.wait(20)
    (entry,) = read_list([f"id,dna\nx,{genome}\n".encode()], "y.csv", str.isalpha)
    done.set()
    reader.join(20)
    assert (entry.text, found) == (genome, ["GG", "CC", genome])
    assert csv.field_size_limit() == limit


def test_reads_in_fastq_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"^x\.fq is not a table\. It looks like FASTQ: awk "):
        read_list([b"\n@r\nGAT\n+\nIII\n@r\n"], "x.fq", str.isalpha)
    files = [io.BytesIO(x) for x in (b">a\nGAT\n", b"@r\nGAT\n+\nIII\n")]
    with pytest.raises(ValueError, match=r"is not FASTA .* alone\. It looks like FASTQ: awk "):
        Dataset.read(*files)


def test_where_a_long_list_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "HEAD", 20)
    start = b"id,dna\n" + b"x,GAT\n" * 50
    for bad, words in (
        (b'y,"GG\n', r"line 52 cannot be read as a table \(unexpected end of data\)\."),
        (b'y,"G"G\n', r"line 52 cannot be read as a table \(',' expected after '\"'\)\."),
        (b"y,G\xffG\n", r"byte 0xff at position 311, in line 52, is not UTF-8: save the text"),
        (b"y,G\0G\n", r"line 52 holds a NUL, as text in UTF-16 does that begins without a mark"),
    ):
        for parts in ([start + bad], [start, bad], [bytes([x]) for x in start + bad]):
            with pytest.raises(ValueError, match=f"^x.csv: {words}"):
                list(read_list(parts, "x.csv", str.isalpha))


def test_a_header_below_a_remark_names_the_sequences() -> None:
    refused: list[str] = []
    content = b"made today\nid,dna\n1,GAT\n2,CC\n"
    found = read_list([content], "x.csv", str.isalpha, refuse=refused.append)
    assert [entry.text for entry in found] == ["GAT", "CC"]
    assert refused == ["x.csv: line 1 has 1 field, not 2."]


def test_cells_of_one_column_may_be_quoted() -> None:
    content = b'"dna"\n"GAT"\n"CC"\nG\n'
    found = read_list([content], "x.csv", lambda text: set(text) <= set("ACGT"))
    assert [entry.text for entry in found] == ["GAT", "CC", "G"]


def test_lines_keep_their_order() -> None:
    content, seen = b"GATT\nGAT,1\nCC,2\n", lambda text: set(text) <= set("ACGT")
    assert [entry.line for entry in read_list([content], "x.csv", seen)] == [1, 2, 3]
    with pytest.raises(ValueError, match=r"^x\.csv: line 1 has 1 field, not 2\. "):
        next(read_list([b"made today\nid,dna\n1,GAT\n2,CC\n"], "x.csv", seen))


@pytest.mark.parametrize("names", ["id,dna", "id,insert", "id,GGG"])
@pytest.mark.parametrize("column", [None, 2])
def test_a_header_above_a_column_that_is_called_by_its_number(
    names: str, column: int | None
) -> None:
    content = f"{names}\n1,GAT\n2,CC\n".encode()
    found = read_list([content], "x.csv", lambda text: set(text) <= set("ACGT"), column)
    first = ["GGG"] if names == "id,GGG" else []
    assert [entry.text for entry in found] == [*first, "GAT", "CC"]


def test_numbers_between_commas_are_one_sequence() -> None:
    content = b"0.5,1,2\n-1, 2,3e2\n"
    found = read_list([content], "x", lambda text: bool(encoded(text, "", "x", "error")))
    assert [entry.text for entry in found] == ["0.5,1,2", "-1, 2,3e2"]
    words = "line 2 has no sequence. .*bad_records='skip'"
    with pytest.raises(ValueError, match=words):
        list(read_list([b"sequence,id\n,1\nGAT,2\n"], "x.csv", str.isalpha))
