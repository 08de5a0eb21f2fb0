"""Texts: their letters as numbers, the parts that are learnt from, and what guesses need."""

import contextlib
import io
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_rnn import Text
from autograd_rnn.data.text import decoded

texts = st.text(min_size=2, max_size=60).filter(lambda letters: len(set(letters)) > 1)
few = st.text("abc", min_size=3, max_size=60).filter(lambda letters: len(set(letters)) > 1)


@given(texts)
def test_decode_undoes_encode(letters: str) -> None:
    text = Text(letters)
    assert text.alphabet == "".join(sorted(set(letters)))
    numbers = text.encode(letters)
    assert {*numbers} == {*range(len(text.alphabet))}
    assert text.decode(numbers) == letters


@given(few, st.data())
def test_streams_cover_the_text(letters: str, data: st.DataObject) -> None:
    text = Text(letters)
    count = data.draw(st.integers(1, len(letters) - 1))
    sequences, targets = text.streams(count)
    assert len({len(one) for one in (*sequences, *targets)}) == 1
    read = "".join(map(text.decode, sequences))
    assert len(sequences) == len(targets) == count
    assert read == letters[: len(read)]
    assert 0 <= len(letters) - 1 - len(read) < count
    assert "".join(map(text.decode, targets)) == letters[1 : len(read) + 1]


@given(few, st.data())
def test_windows_are_parts_of_the_text_with_what_comes_next(
    letters: str, data: st.DataObject
) -> None:
    text = Text(letters)
    length = data.draw(st.integers(1, len(letters) - 1))
    stride = data.draw(st.none() | st.integers(1, 9))
    sequences, targets = text.windows(length, stride)
    starts = range(0, len(letters), stride or length)
    starts = [start for start in starts if start + length < len(letters)]
    assert [*map(text.decode, sequences)] == [letters[k : k + length] for k in starts]
    assert [*map(text.decode, targets)] == [letters[k + 1 : k + 1 + length] for k in starts]


@given(few, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_split_covers_the_text_without_overlap(letters: str, shares: list[int]) -> None:
    text = Text(letters)
    if len(letters) * min(shares) < sum(shares):  # a share of less than one letter
        with contextlib.suppress(ValueError):
            assert len(text.split(*shares)) == len(shares)
        return
    parts = text.split(*shares)
    assert "".join(part.letters for part in parts) == letters
    assert {part.alphabet for part in parts} == {text.alphabet}
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - len(letters) * share / sum(shares)) <= 1


@given(few, st.integers(0, 2))
def test_entropy_is_the_mean_surprise_of_the_best_guess(letters: str, before: int) -> None:
    places = range(before, len(letters))
    pairs = Counter((letters[k - before : k], letters[k]) for k in places)
    known = Counter(letters[k - before : k] for k in places)
    bits = [
        -math.log2(pairs[seen, letters[k]] / known[seen])
        for k in places
        for seen in [letters[k - before : k]]
    ]
    assert Text(letters).entropy(before) == pytest.approx(sum(bits) / len(bits), abs=1e-12)


def guessed(seen: str, before: str, letter: str, size: int) -> float:
    """The share of a letter after others by Witten and Bell, one letter of the text at a time."""
    places = [k for k in range(len(seen) - len(before)) if seen[k : k + len(before)] == before]
    after = [seen[k + len(before)] for k in places]
    fallback = guessed(seen, before[1:], letter, size) if before else 1.0 / size
    if not after:
        return fallback
    new = len({*after})
    return (after.count(letter) + new * fallback) / (len(after) + new)


@given(few, few, st.integers(0, 2))
def test_a_guess_by_what_was_seen(letters: str, seen: str, before: int) -> None:
    assume(before < len(letters))
    alphabet = "".join(sorted({*letters, *seen}))
    bits = [
        -math.log2(guessed(seen, letters[k - before : k], letters[k], len(alphabet)))
        for k in range(before, len(letters))
    ]
    text, known = Text(letters, alphabet), Text(seen, alphabet)
    assert text.entropy(before, known) == pytest.approx(sum(bits) / len(bits), abs=1e-12)
    # Shares add up to 1, so no guess is better than by the shares in the text itself.
    ways = [Text(letters[:before] + x, alphabet).entropy(before, known) for x in alphabet]
    assert sum(2.0**-way for way in ways) == pytest.approx(1.0)
    assert text.entropy(before, known) >= text.entropy(before) - 1e-12


@given(few)
def test_no_guess_from_pairs_needs_less_than_their_entropy(letters: str) -> None:
    text = Text(letters)
    # Laplace's guess: each letter has been seen once more than it was.
    pairs, known = Counter(pairwise(letters)), Counter(letters[:-1])
    size, bits = len(text.alphabet), 0.0
    for a, b in pairwise(letters):
        bits -= math.log2((pairs[a, b] + 1) / (known[a] + size))
    assert text.entropy(1) <= bits / (len(letters) - 1) + 1e-12
    assert text.entropy(0) <= math.log2(size) + 1e-12


def test_a_file_is_read_as_its_mark_says(tmp_path: Path) -> None:
    path = tmp_path / "song.txt"
    for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path.write_bytes("là\r\nlà\rlà\n".encode(codec))
        text = Text.read(path)
        assert (text.letters, repr(text)) == ("là\nlà\nlà\n", "<Text: 9 letters, 3 different>")
    assert Text.read(path, "là\n!").encode("!l") == [3, 0]
    with pytest.raises(ValueError, match=r"song\.txt: 'à' at position 2 is not one of 'l\\n'"):
        Text.read(path, "l\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "t.txt is empty: there is no letter to learn."),
        (b"ab\ncd\xffe", "t.txt: byte 0xff at position 6, in line 2, is not UTF-8: save the text"),
        (b"\xff\xfea\x00b", "t.txt: byte 0x62 at position 5, in line 1, is not UTF-16"),
        (b"\xfe\xff\xd8\x00a\x00", "t.txt: byte 0xd8 at position 3, in line 1, is not UTF-16"),
        ("é".encode()[:1], "t.txt: byte 0xc3 at position 1, in line 1, is not UTF-8"),
        (b"aaa", "the alphabet has one letter, 'a': there is nothing to learn in a text without"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(words)):
        Text.read(path)


@given(st.binary(max_size=20), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
def test_decoded_is_a_text_or_a_refusal(content: bytes, mark: bytes) -> None:
    content = mark + content
    codec = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    codec = "utf-32" if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff") else codec
    try:
        expected = content.decode(codec)
    except UnicodeDecodeError:
        expected = ""
    if expected:
        assert decoded(content, "it") == io.StringIO(expected, newline=None).read()
    else:
        with pytest.raises(ValueError, match="^it is empty|^it: byte 0x.. at position"):
            decoded(content, "it")


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (lambda: Text(5), TypeError, "letters must be a str, not int."),
        (lambda: Text(""), ValueError, "letters is empty: a text has one letter or more."),
        (lambda: Text("aa"), ValueError, "the alphabet has one letter, 'a': there is nothing"),
        (lambda: Text("ab", "aa"), ValueError, "alphabet must be one or more different symbols"),
        (lambda: Text("abc", "ab"), ValueError, "letters: 'c' at position 3 is not one of 'ab'."),
        (lambda: Text("ab").encode("bax"), ValueError, "letters: 'x' at position 3 is not one of"),
        (lambda: Text("ab").encode([0]), TypeError, "letters must be a str, not list."),
        (lambda: Text("ab").decode("ab"), TypeError, "numbers must be a list, not str."),
        (lambda: Text("ab").decode([0, 2]), ValueError, "numbers[1] must be 1 or less, not 2."),
        (lambda: Text("ab").decode([0, -1]), ValueError, "numbers[1] must be 0 or more, not -1."),
        (lambda: Text("ab").decode([0.0]), TypeError, "numbers[0] must be an int, not float"),
        (lambda: Text("abc").streams(3), ValueError, "count must be 2 or less, not 3."),
        (lambda: Text("abc").streams(0), ValueError, "count must be 1 or more, not 0."),
        (lambda: Text("a", "ab").streams(1), ValueError, "the text has one letter: none comes"),
        (lambda: Text("a", "ab").windows(1), ValueError, "the text has one letter: none comes"),
        (lambda: Text("abc").windows(3), ValueError, "length must be 2 or less, not 3."),
        (lambda: Text("abc").windows(1, 0), ValueError, "stride must be 1 or more, not 0."),
        (lambda: Text("abc").split(), ValueError, "shares must be one number or more, such as 9"),
        (lambda: Text("abc").split(1, 0), ValueError, "shares[1] must be positive, not 0.0."),
        (lambda: Text("abc").split(9, 1), ValueError, "part 1 of the split would be empty: 3 let"),
        (lambda: Text("abc").entropy(3), ValueError, "before must be 2 or less, not 3."),
        (lambda: Text("abc").entropy(1, Text("ab")), ValueError, "seen must be a Text of the same"),
    ],
)
def test_what_is_refused(wrong, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        wrong()
    assert str(caught.value).startswith(words)


def test_a_message_does_not_list_thousands_of_letters() -> None:
    alphabet = "".join(map(chr, range(0x4E00, 0x5E00)))
    with pytest.raises(ValueError, match="at position 2 is not one of") as caught:
        Text(f"{alphabet[0]}x", alphabet)
    assert len(str(caught.value)) < 120
