"""The command that sets the hand-made network beside its program, run as a user runs it."""

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import counter, in_family, one_hot
from autograd_rnn.cli import classify
from autograd_rnn.cli.classify import Automaton
from autograd_rnn.cli.options import content_of
from autograd_rnn.data import fasta as reader

from .conftest import Runner, complaint


def test_the_lectures_sequences(run: Runner) -> None:
    result = run("classify", "AGGTAACG", "GATAGGGATA", "TATACCAGATTA", "gattacagattaca")
    assert (result.code, result.err) == (0, "")
    for row in [
        *[["AGGTAACG", "yes", "yes"], ["GATAGGGATA", "yes", "yes"]],
        *[["TATACCAGATTA", "no", "no"], ["gattacagattaca", "no", "no"]],
    ]:
        assert row in result.rows
    assert "3 or more G?" in result.out


def test_another_base_and_count_as_json(run: Runner) -> None:
    result = run("classify", "TAT", "", "--base", "t", "--at-least", "2", "--json")
    assert json.loads(result.out) == {
        "base": "T",
        "at_least": 2,
        "sequences": [
            {"sequence": "TAT", "network": True, "program": True},
            {"sequence": "", "network": False, "program": False},
        ],
        "agree": True,
    }


def test_a_long_sequence_is_shortened_in_the_table(run: Runner) -> None:
    result = run("classify", "ACGT" * 1000)
    assert max(map(len, result.out.splitlines())) <= 80
    assert "yes" in result.out


def test_of_a_fasta_file_only_the_first_block_is_read_to_know_it(tmp_path: Path) -> None:
    path = tmp_path / "long.fa.gz"
    path.write_bytes(gzip.compress(b">one\n" + 8 * reader.BLOCK * b"\n"))
    found = content_of(str(path))
    assert found is not None
    assert len(found[0]) <= reader.BLOCK + 3


def test_a_fasta_file_in_windows(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "some.fa.gz"
    path.write_bytes(gzip.compress(b">one\nGGGAAA\nggNAAGGGA\n>two\nGG\n"))
    result = run("classify", "--fasta", path, "--window", "3", "--ambiguous", "skip")
    assert ["one", "4", "1", "25.0", "%", "1"] in result.rows
    assert ["two", "0", "0", "–", "0"] in result.rows
    assert "Windows left out for ambiguous letters: 1." in result.out
    assert "Letters left over at the ends, too few for a window: 2." in result.out
    assert "The network and the program agree on every window." in result.out
    result = run("classify", "--fasta", path, "--window", "3", "--ambiguous", "skip", "--json")
    assert json.loads(result.out)["records"] == [
        {
            "record": "one",
            "windows": 4,
            "in_family": 1,
            "disagreements": 0,
            "skipped": 1,
            "left_out": 0,
        },
        {
            "record": "two",
            "windows": 0,
            "in_family": 0,
            "disagreements": 0,
            "skipped": 0,
            "left_out": 2,
        },
    ]


def test_a_genome(run: Runner, mitochondrion: Path) -> None:
    result = run("classify", "--fasta", mitochondrion, "--window", "20")
    assert ["MT_human", "828", "393", "47.5", "%"] in result.rows
    result = run("classify", "--fasta", mitochondrion)
    assert ["MT_human", "1", "1", "100.0", "%"] in result.rows


def test_a_disagreement_is_an_error(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A network for another base.
    monkeypatch.setattr(classify, "counter", lambda _, *others: counter("A", *others))
    result = run("classify", "GGG")
    assert (result.code, result.err) == (1, "autograd-rnn: the network and the program disagree.\n")
    assert ["GGG", "no", "yes"] in result.rows
    path = tmp_path / "some.fa"
    path.write_text(">one\nGGG\n")
    result = run("classify", "--fasta", path, "--json")
    assert result.code == 1
    assert json.loads(result.out)["agree"] is False
    assert json.loads(result.out)["records"][0]["disagreements"] == 1
    result = run("classify", "--fasta", path)
    assert result.code == 1
    assert "agree on every window" not in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["AGX"], "sequence: 'X' at position 3 is not one of 'ACGT'."),
        ([], "give either SEQUENCE arguments or --fasta FILE"),
        (["AG", "--fasta", "some.fa"], "give either SEQUENCE arguments or --fasta FILE"),
        (
            ["AG", "--window", "3"],
            "--window, --ambiguous skip and --bad-records skip go with --fasta.",
        ),
        (["AG", "--base", "U"], "--base must be one of the symbols 'ACGT', not 'U'."),
        (["AG", "--at-least", "0"], "--at-least must be 1 or more, not 0."),
        (["AG", "--at-least", "x"], "Invalid value for '--at-least'"),
        (["--fasta", "missing.fa"], "missing.fa: No such file or directory"),
        (["--fasta", "."], ".: Is a directory"),
        (["--fasta", "empty.fa"], "empty.fa: the file holds no record"),
        (["--fasta", "n.fa"], "n.fa: record 'one' has 'N' at position 4, which is not one of"),
        (["--fasta", "some.fa", "--window", "0"], "--window must be 1 or more, not 0."),
    ],
)
def test_bad_input_to_classify(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.fa").write_text(">one\nGATTACA\n")
    Path("empty.fa").write_text("")
    Path("n.fa").write_text(">one\nGATNACA\n")
    assert complaint(run("classify", *arguments)).startswith(words)


@given(
    st.lists(st.text("ACGGGNR", min_size=1, max_size=40), min_size=1, max_size=4),
    st.none() | st.integers(1, 12),
    st.sampled_from("ACGT"),
    st.integers(1, 4),
    st.integers(1, 20),
    st.sampled_from([1, 10_000]),
)
def test_tallies_are_those_of_window_after_window(
    sequences: list[str], window: int | None, base: str, at_least: int, block: int, short: int
) -> None:
    family = classify.Family(base, at_least)
    network = counter(base, at_least)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classify, "SHORT", short)
        for sequence in sequences:
            reading = classify.Reading(family, "x", window)
            for start in range(0, len(sequence), block):
                reading.add(sequence[start : start + block])
            size = window or len(sequence)
            parts = list(reader.windows(sequence, size))
            known = [part for part in parts if set(part) <= set("ACGT")]
            inside = [in_family(part, base, at_least) for part in known]
            assert inside == [network(one_hot(part))[-1].data > 0 for part in known]
            assert reading.done() == classify.Tally(
                "x", len(known), sum(inside), 0, len(parts) - len(known), len(sequence) % size
            )


@settings(max_examples=20)
@given(st.text("ACGT", max_size=60), st.integers(1, 5))
def test_an_automaton_is_its_network(sequence: str, at_least: int) -> None:
    network = counter("G", at_least)
    automaton = Automaton(network, "ACGT")
    assert len(automaton.table) == at_least + 1
    state = automaton.states[automaton.after(sequence, 0)]
    assert list(state) == [q.data for q in network.unroll(one_hot(sequence)).q]


@pytest.mark.parametrize(
    "arguments", [["--window", "100"], ["--window", "3", "--ambiguous", "skip"]]
)
def test_no_window_is_no_agreement(run: Runner, tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "some.fa"
    path.write_bytes(
        b">one\r\nGNG\r\n>two\r\nNNNA\r\n".replace(b"N", b"N" if len(arguments) > 2 else b"T")
    )
    result = run("classify", "--fasta", path, *arguments)
    assert result.code == 2
    assert "there is no whole window of" in complaint(result)
    assert ("without ambiguous letters" in complaint(result)) == (len(arguments) > 2)


def test_standard_input_and_a_bomb(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.fa.gz"
    path.write_bytes(gzip.compress(b">one\n" + b"A" * 5_000_000))
    result = run("classify", "--fasta", path, "--most-bases", "1000000")
    assert "more than 1,000,000 letters" in complaint(result)
    assert "--most-bases" in complaint(result)
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert ["one", "1", "0", "0.0", "%"] in run("classify", "--fasta", "-").rows
