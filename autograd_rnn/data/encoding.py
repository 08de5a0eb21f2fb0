"""Sequences as vectors: one-hot letters and bits, and what to do with letters that are not sure."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from ..arguments import as_choice, as_text, check_alphabet, check_symbols, shown
from ..errors import ArgumentValueError, SymbolError

DNA: Final = "ACGT"
RNA: Final = "ACGU"
PROTEIN: Final = "ACDEFGHIKLMNPQRSTVWY"
BITS: Final = "01"
#: The name of what has no letters: numbers, with white space between them.
NUMBERS: Final = "numbers"
#: The alphabets that have a name, the name in lower case.
ALPHABETS: Final = {"dna": DNA, "rna": RNA, "protein": PROTEIN, "bits": BITS, NUMBERS: ""}
#: What to do with a letter that stands for several others, or for a gap.
AMBIGUOUS: Final = ("error", "skip", "zeros")
GAPS: Final = "-.*"
#: The letters that stand for several bases, or amino acids (IUPAC).
SEVERAL: Final = {DNA: "BDHKMNRSVWXY", RNA: "BDHKMNRSVWXY", PROTEIN: "BJOUXZ"}
COMPLEMENT: Final = {
    DNA: str.maketrans("ACGTBDHKMRVY", "TGCAVHDMKYBR"),
    RNA: str.maketrans("ACGUBDHKMRVY", "UGCAVHDMKYBR"),
}
#: So many of the letters may be wrong where an alphabet is to be found.
MOST_ODD: Final = 0.01
#: What stands in files for a number that is not known, or not finite.
MISSING: Final = frozenset(("nan", "na", "n/a", "none", "null", "?", "inf", "+inf", "-inf"))
#: The marks that other codes of a text than UTF-8 begin with; that of UTF-16 begins one of UTF-32.
MARKS: Final = {
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
}
NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def one_hot(sequence: str, alphabet: str = "ACGT") -> list[list[float]]:
    """A vector per symbol, with a 1 at the symbol's place in the alphabet (panel 4).

    `SymbolError` (a `ValueError`) for a symbol outside the alphabet, with its position from 1.

    >>> one_hot("GA")
    [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    check_alphabet(alphabet)
    check_symbols(sequence, alphabet, "sequence")
    return [[1.0 if one == symbol else 0.0 for one in alphabet] for symbol in sequence]


def bits(string: str) -> list[list[float]]:
    """A vector of size 1 per bit (panel 10).

    `SymbolError` (a `ValueError`) for anything but 0 and 1, with its position from 1.

    >>> bits("101")
    [[1.0], [0.0], [1.0]]
    """
    check_symbols(string, "01", "bits")
    return [[float(symbol)] for symbol in string]


def encode(string: str, alphabet: str) -> list[list[float]]:
    """The vectors of a string: `bits` over the alphabet 01, else `one_hot`.

    >>> encode("10", "01"), encode("b", "ab")
    ([[1.0], [0.0]], [[0.0, 1.0]])
    """
    return bits(string) if alphabet == BITS else one_hot(string, alphabet)


# --- as files have them --------------------------------------------------------------------------


def codec_of(start: bytes) -> str:
    r"""How a text is coded that starts with these bytes: as its mark says, else in UTF-8.

    >>> codec_of(b"\xff\xfea\0"), codec_of(b"GATTACA")
    ('utf-16', 'utf-8-sig')
    """
    return next((codec for mark, codec in MARKS.items() if start.startswith(mark)), "utf-8-sig")


def as_alphabet(alphabet: str, argument: str = "alphabet") -> str:
    """The letters of an alphabet that is called by its name, or given; none for numbers.

    >>> as_alphabet("DNA"), as_alphabet("xyz"), as_alphabet("numbers")
    ('ACGT', 'xyz', '')
    """
    letters = ALPHABETS.get(as_text(alphabet, argument).lower(), alphabet)
    if letters and len(set(letters)) < len(letters):
        raise ArgumentValueError(
            f"{argument} must be DNA, RNA, protein, bits, numbers, or different letters, not "
            f"{shown(alphabet)}."
        )
    if not letters and alphabet.lower() != NUMBERS:
        raise ArgumentValueError(f"{argument} is empty: give its letters, or a name such as DNA.")
    return letters


def find_alphabet(texts: Iterable[str]) -> str:
    """The alphabet that texts are most likely of: bits, DNA, RNA, protein, or just their letters.

    It is empty for numbers, of which less than half may be missing.  DNA and RNA may hold gaps and
    letters that stand for several bases, and one letter in a hundred that is wrong: it is then
    refused as none of the alphabet, rather than learned as one more letter.

    >>> find_alphabet(["gattaca", "GANNACA"]), find_alphabet(["GAU"]), find_alphabet(["0.5 1"])
    ('ACGT', 'ACGU', '')
    >>> find_alphabet(["0110", "1"]), find_alphabet(["abba", "baa"])
    ('01', 'ab')
    """
    listed = list(texts)
    found = Counter[str]()
    for text in listed:
        found.update(text)
    if set(found) <= set(BITS):
        return BITS
    if _are_numbers(listed):
        return ""
    upper = Counter[str]()
    for letter, count in found.items():
        upper[letter.upper()] += count if letter.strip() else 0
    upper.pop("", None)
    whole = sum(upper.values())
    for alphabet in (RNA, DNA) if upper["U"] > upper["T"] else (DNA,):
        sure = sum([upper[letter] for letter in f"{alphabet}N-"])
        allowed = set(f"TU{alphabet}{SEVERAL[alphabet]}{GAPS}")
        odd = sum([count for letter, count in upper.items() if letter not in allowed])
        if sure >= 0.8 * whole and odd <= MOST_ODD * whole:
            return alphabet
    sure = sum([upper[letter] for letter in PROTEIN])
    kinds = sum([upper[letter] > 0 for letter in PROTEIN])
    capitals = sum([found[letter] for letter in PROTEIN])
    # X stands for any amino acid, * ends a translation: neither says what the other letters are.
    known = whole - sum([upper[letter] for letter in f"X{GAPS}"])
    if sure >= max(0.95 * known, 0.5 * whole) and kinds >= 15 and 2 * capitals > known:
        return PROTEIN
    return "".join(sorted(found))


def _are_numbers(texts: Iterable[str]) -> bool:
    numbers = missing = 0
    for text in texts:
        for word in _words(text):
            if NUMBER.fullmatch(word):
                numbers += 1
            elif word.lower() in MISSING:
                missing += 1
            else:
                return False
    return numbers > missing


def unsure_letters(alphabet: str) -> str:
    """The letters that stand for several of an alphabet, or for a gap, and are not of it.

    >>> unsure_letters("ACGT")
    'BDHKMNRSVWXY-.*'
    """
    return "".join([x for x in SEVERAL.get(alphabet, "") + GAPS if x not in alphabet])


def spelled(text: str, alphabet: str) -> str:
    """The text as the alphabet spells it: in upper case if it has no lower case, U of DNA as T.

    >>> spelled("gau", "ACGT"), spelled("GAT", "ACGU"), spelled("Ab", "abA")
    ('GAT', 'GAU', 'Ab')
    """
    if alphabet != alphabet.upper():
        return text
    text = text.upper()
    if alphabet == DNA:
        return text.replace("U", "T")
    return text.replace("T", "U") if alphabet == RNA else text


def encoded(text: str, alphabet: str, argument: str, ambiguous: str) -> list[list[float]] | None:
    """The vectors of a text that comes from a file; None if it is to be skipped.

    An ambiguous letter makes the text be skipped, is a vector of zeros, or is an error, which says
    so.  Without an alphabet the text is numbers.

    >>> encoded("gN", "ACGT", "line 1", "zeros"), encoded("gN", "ACGT", "line 1", "skip")
    ([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]], None)
    """
    as_choice(ambiguous, "ambiguous", AMBIGUOUS)
    if not alphabet:
        return read_numbers(text, argument)
    text, unsure = spelled(text, alphabet), set(unsure_letters(alphabet))
    odd = unsure & set(text)
    if ambiguous == "skip" and odd:
        check_symbols(text, alphabet + "".join(odd), argument)
        return None
    if ambiguous == "zeros" and odd:
        check_symbols(text, alphabet + "".join(odd), argument)
        sure = {letter: encode(letter, alphabet)[0] for letter in alphabet}
        nothing = [0.0] * len(sure[alphabet[0]])
        return [sure.get(letter, nothing) for letter in text]
    try:
        return encode(text, alphabet)
    except SymbolError:
        check_letters(text, alphabet, argument)
        raise


def check_letters(text: str, alphabet: str, argument: str) -> None:
    """Refuse letters outside the alphabet, with a way out for those that are ambiguous."""
    try:
        check_symbols(text, alphabet, argument)
    except SymbolError as error:
        first = next(letter for letter in text if letter not in alphabet)
        raise SymbolError(f"{error}{way_out(first, alphabet)}") from None


def way_out(letter: str, alphabet: str) -> str:
    """What to do about a letter that is not of an alphabet, to be added to a message.

    >>> way_out("x", "ab")
    ''
    """
    if letter not in unsure_letters(alphabet):
        return ""
    what = "marks a gap" if letter in GAPS else "stands for several letters"
    return (
        f" {letter!r} {what}: ambiguous='skip' leaves such sequences out, ambiguous='zeros' reads "
        f"it as a vector of zeros."
    )


def is_number(word: str) -> bool:
    """Whether a word is a number such as 0.5, and neither infinite nor NaN.

    >>> is_number("-1e-3"), is_number("nan"), is_number("1_000")
    (True, False, False)
    """
    return NUMBER.fullmatch(word) is not None and abs(float(word)) <= 1e300


def read_numbers(text: str, argument: str) -> list[list[float]]:
    """A vector of one per number of a text; `SymbolError` for a word that is no number.

    >>> read_numbers("0.5 -2", "text")
    [[0.5], [-2.0]]
    """
    vectors = []
    for position, word in enumerate(_words(text), 1):
        if not is_number(word):
            raise SymbolError(
                f"{argument}: {shown(word)} at position {position} is not a number such as 0.5."
            )
        vectors.append([float(word)])
    return vectors


def _words(text: str) -> list[str]:
    return re.split(r"[\s,;]+", text.strip())


def reverse_complement(text: str, alphabet: str = DNA) -> str:
    """The other strand of DNA or RNA, read in its own direction.

    >>> reverse_complement("GATTACAN")
    'NTGTAATC'
    """
    if alphabet not in COMPLEMENT:
        raise ArgumentValueError(
            f"only DNA and RNA have a reverse complement, not sequences "
            f"{f'over {shown(alphabet)}' if alphabet else 'of numbers'}."
        )
    return spelled(text, alphabet).translate(COMPLEMENT[alphabet])[::-1]
