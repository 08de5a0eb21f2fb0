"""Languages: beside regular expressions, beside all strings, and the samples of them."""

import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import Language, counting_ones, dna_family, in_family, one_hot, parity, tomita
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError, SymbolError


def strings(alphabet: str, longest: int) -> list[str]:
    return ["".join(word) for size in range(longest + 1) for word in product(alphabet, repeat=size)]


def no_odd_zeros_after_odd_ones(string: str) -> bool:
    """Tomita 3, from its words: the runs of the string one by one."""
    met = False
    for run in re.findall("0+|1+", string):
        if met and run[0] == "0" and len(run) % 2:
            return False
        met = met or (run[0] == "1" and len(run) % 2 == 1)
    return True


#: A second way to say each of them.
ORACLES = {
    1: lambda s: re.fullmatch("1*", s) is not None,
    2: lambda s: re.fullmatch("(10)*", s) is not None,
    3: no_odd_zeros_after_odd_ones,
    4: lambda s: "000" not in s,
    5: lambda s: re.fullmatch("((00|11)*(01|10)(00|11)*(01|10))*(00|11)*", s) is not None,
    6: lambda s: (s.count("0") - s.count("1")) % 3 == 0,
    7: lambda s: re.fullmatch("0*1*0*1*", s) is not None,
}


@pytest.mark.parametrize("number", sorted(ORACLES))
def test_tomita_on_every_string_up_to_twelve(number: int) -> None:
    language = tomita(number)
    wrong = [s for s in strings("01", 12) if language(s) != ORACLES[number](s)]
    assert wrong == []
    assert repr(language).startswith(f"<Language: Tomita {number}, ")


def test_the_published_expression_of_tomita_3() -> None:
    """The complement that is found in the literature: odd 1s, and anywhere later odd 0s."""
    outside = re.compile("((0|1)*0)?1(11)*(0(0|1)*1)?0(00)*(1(0|1)*)?")
    for string in strings("01", 11):
        assert tomita(3)(string) == (outside.fullmatch(string) is None)


def test_the_other_languages_on_every_string() -> None:
    for string in strings("01", 9):
        assert parity()(string) == string.count("1") % 2
        assert counting_ones(4)(string) == min(string.count("1"), 4)
    for string in strings("ACGT", 5):
        assert dna_family()(string) == in_family(string)
        assert dna_family("A", 2)(string) == in_family(string, "A", 2)


@st.composite
def languages(draw: st.DrawFn) -> Language:
    alphabet = draw(st.sampled_from(["01", "a", "xyz"]))
    states = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, states - 1), min_size=len(alphabet), max_size=len(alphabet))
    rows = draw(st.lists(row, min_size=states, max_size=states))
    classes = draw(st.lists(st.integers(0, 2), min_size=states, max_size=states))
    return Language("any", alphabet, rows, classes)


@settings(max_examples=40)
@given(languages(), st.integers(0, 5))
def test_counts_are_those_of_the_strings(language: Language, length: int) -> None:
    found = Counter(language("".join(s)) for s in product(language.alphabet, repeat=length))
    counts = language.count(length)
    assert sum(counts) == len(language.alphabet) ** length
    assert {label: many for label, many in enumerate(counts) if many} == found


@settings(max_examples=40)
@given(languages(), st.integers(1, 40), st.sets(st.integers(1, 5), min_size=1), st.integers(0, 99))
def test_samples_are_balanced(language: Language, count: int, sizes: set[int], seed: int) -> None:
    labels = set(language.classes)
    fit = {
        label: [n for n in sizes if dict(enumerate(language.count(n))).get(label)]
        for label in labels
    }
    if not all(fit.values()):
        with pytest.raises(ArgumentValueError, match="no string of class"):
            language.sample(count, sizes, seed=seed)
        return
    data = language.sample(count, sizes, seed=seed)
    assert len(data) == count
    assert [language(text) for text in data.symbols] == list(data.targets)
    assert [language.encode(text) for text in data.symbols] == [
        [list(vector) for vector in sequence] for sequence in data.sequences
    ]
    often = [data.targets.count(label) for label in labels]
    assert max(often) - min(often) <= 1
    for label in labels:
        lengths = Counter(
            len(text)
            for text, target in zip(data.symbols, data.targets, strict=True)
            if target == label
        )
        assert set(lengths) <= set(fit[label])
        spread = [lengths[length] for length in fit[label]]
        assert max(spread) - min(spread) <= 1
    assert language.sample(count, sizes, seed=seed).symbols == data.symbols


def test_all_strings_of_a_class_and_length_are_equally_likely() -> None:
    data = tomita(4).sample(4000, [5], seed=3)
    for label in (0, 1):
        drawn = Counter(
            text for text, target in zip(data.symbols, data.targets, strict=True) if target == label
        )
        many = tomita(4).count(5)[label]
        assert len(drawn) == many
        expected = 2000 / many
        assert all(abs(n - expected) < 5 * math.sqrt(expected) for n in drawn.values())


def test_long_and_rare_strings_are_drawn() -> None:
    data = tomita(1).sample(6, [3000], seed=1)
    assert data.symbols.count("1" * 3000) == 3
    assert tomita(2).sample(4, range(1, 9)).targets.count(1) == 2
    assert tomita(4).sample(2, [2000]).targets.count(1) == 1


@given(languages(), st.lists(st.integers(1, 4), min_size=1))
@settings(max_examples=30)
def test_every_string(language: Language, sizes: list[int]) -> None:
    data = language.every(sizes)
    assert list(data.symbols) == [
        text for text in strings(language.alphabet, 4) if len(text) in sizes
    ]
    assert list(data.targets) == [language(text) for text in data.symbols]


def test_vectors() -> None:
    assert tomita(1).encode("10") == [[1], [0]]
    assert dna_family().encode("GA") == one_hot("GA")
    assert Language("x", "xy", [[0, 0]], [0]).encode("y") == [[0, 1]]
    data = parity().label(["1", "11"])
    assert (data.classes, data.inputs, data.targets, data.symbols) == (2, 1, (1, 0), ("1", "11"))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tomita(0), ArgumentValueError, "number must be 1 or more"),
        (lambda: tomita(8), ArgumentValueError, "number must be 7 or less"),
        (lambda: tomita("1"), ArgumentTypeError, "number must be an int"),
        (lambda: tomita(1)("012"), SymbolError, "string: '2' at position 3 is not one of '01'"),
        (lambda: parity().count(-1), ArgumentValueError, "length must be 0 or more"),
        (lambda: parity().label([]), ArgumentValueError, "sequences is empty"),
        (
            lambda: parity().label(["1", ""]),
            ArgumentValueError,
            r"sequences\[1\] is empty: it has no",
        ),
        (lambda: parity().label("101"), ArgumentTypeError, "strings must be a list, not str"),
        (lambda: parity().every([0]), ArgumentValueError, r"lengths\[0\] must be 1 or more"),
        (lambda: parity().every([25]), ArgumentValueError, "lengths up to 25 are over 1000000"),
        (lambda: parity().sample(0, [1]), ArgumentValueError, "count must be 1 or more"),
        (lambda: parity().sample(1, []), ArgumentValueError, "lengths is empty"),
        (lambda: parity().sample(1, 5), ArgumentTypeError, "lengths must be a list, not int"),
        (lambda: tomita(2).sample(2, [3]), ArgumentValueError, "class 1 has one of the lengths 3"),
        (lambda: counting_ones(0), ArgumentValueError, "most must be 1 or more"),
        (lambda: dna_family("U"), ArgumentValueError, "base must be one of the symbols 'ACGT'"),
        (lambda: dna_family(3), ArgumentTypeError, "base must be a str, not int"),
        (lambda: dna_family(at_least=0), ArgumentValueError, "at_least must be 1 or more"),
        (lambda: Language(None, "01", [[0, 0]], [0]), ArgumentTypeError, "name must be a str"),
        (lambda: Language("x", "", [], []), ArgumentValueError, "alphabet must be one or more"),
        (lambda: Language("x", "01", [], []), ArgumentValueError, "there are 0 and 0"),
        (lambda: Language("x", "01", [[0, 1]], [0]), ArgumentValueError, r"transitions\[0\] must "),
        (lambda: Language("x", "01", [[0]], [0]), ArgumentValueError, "must be 2 states"),
        (lambda: Language("x", "01", [[0, 0]], [-1]), ArgumentValueError, r"classes\[0\] must"),
        (lambda: Language("x", "01", 3, [0]), ArgumentTypeError, "transitions must be a list"),
    ],
)
def test_refusals(call: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
