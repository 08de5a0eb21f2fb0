"""The command that sets the lecture's hand-made network beside its program: classify."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.table import Table

from ..data.encoding import DNA, check_letters, one_hot, spelled, unsure_letters
from ..data.fasta import MOST_BASES, named, read_pieces
from ..data.tables import read_list
from ..data.tasks import in_family
from ..errors import ArgumentValueError
from ..networks.rnn import RNN, counter
from .app import app
from .options import (
    Ambiguous,
    AsJson,
    BadRecords,
    Fasta,
    MostBases,
    Window,
    argument,
    check_once,
    content_of,
    option,
    source,
)
from .terminal import (
    bad_remark,
    complain,
    in_options,
    make_table,
    percent,
    print_json,
    print_table,
    progress_of_bytes,
    shorten,
    windowed,
)

#: The code of a letter that is not in the alphabet.
UNKNOWN: Final = 255
#: What all ambiguous letters are read as, where they are read.
ANY: Final = "N"
UNSURE: Final = unsure_letters(DNA)
TO_ANY: Final = str.maketrans(dict.fromkeys(UNSURE, ANY))
# Windows shorter than this go through arrays, many side by side.
SHORT: Final = 4096
#: Whether all verdicts agree, the verdicts as JSON and as a table, and the lines below it.
Report: TypeAlias = tuple[bool, dict[str, object], Table, list[str]]


class Automaton:
    """What a network does at each letter in each of the states that it can reach.

    The table is made by the network itself, which steps once per state and letter.  State 0 is the
    one at the start.  With `zeros`, N is a letter too, whose vector is all zeros.

    >>> from autograd_rnn.networks.rnn import counter
    >>> automaton = Automaton(counter(), "ACGT")
    >>> automaton.after("AGGTAACG", 0), automaton.table
    (3, [[0, 0, 1, 0], [1, 1, 2, 1], [2, 2, 3, 2], [3, 3, 3, 3]])
    """

    def __init__(self, network: RNN, alphabet: str, zeros: bool = False) -> None:
        vectors = {letter: one_hot(letter, alphabet) for letter in alphabet}
        vectors |= {ANY: [[0.0] * len(alphabet)]} if zeros else {}
        alphabet = "".join(vectors)
        self.alphabet, self.states = alphabet, [(0.0,) * network.states]
        self.table: list[list[int]] = []
        places = {self.states[0]: 0}
        while len(self.table) < len(self.states):
            before, row = self.states[len(self.table)], []
            for letter in alphabet:
                found = tuple([q.data for q in network.unroll(vectors[letter], before).q])
                row.append(places.setdefault(found, len(places)))
                if row[-1] == len(self.states):
                    self.states.append(found)
            self.table.append(row)
        self.moving: list[re.Pattern[str] | None] = []
        for state, row in enumerate(self.table):
            letters = [x for x, after in zip(alphabet, row, strict=True) if after != state]
            pattern = f"[{re.escape(''.join(letters))}]"
            self.moving.append(re.compile(pattern) if letters else None)

    def after(self, letters: str, state: int, start: int = 0, end: int | None = None) -> int:
        """The state after `letters[start:end]`, of which all that leave it as it is are skipped."""
        end = len(letters) if end is None else end
        while (moving := self.moving[state]) and (found := moving.search(letters, start, end)):
            state, start = self.table[state][self.alphabet.index(found[0])], found.end()
        return state

    def after_each(self, columns: Any) -> Any:
        """The state after each of many sequences of one length, from state 0 on.

        `columns` are the first letters of all of them, then the second ones, ..., as `codes`.
        """
        import numpy as np

        # What a state and a letter add up to is where the next state stands.
        table = np.array(self.table, dtype=np.intp).ravel() * len(self.alphabet)
        state = np.zeros(columns.shape[1], dtype=np.intp)
        for column in columns:
            state += column
            state = table.take(state)
        return state // len(self.alphabet)

    def codes(self, letters: str) -> Any:
        """The place of each letter in the alphabet, or UNKNOWN, as an array of bytes."""
        import numpy as np

        return np.frombuffer(letters.encode("ascii").translate(self._codes), dtype=np.uint8)

    @cached_property
    def _codes(self) -> bytes:
        codes = bytearray([UNKNOWN] * 256)
        for place, letter in enumerate(self.alphabet):
            codes[ord(letter)] = place
        return bytes(codes)


@dataclass
class Tally:
    """The verdicts on the windows of a record, counted."""

    record: str
    windows: int = 0
    in_family: int = 0
    disagreements: int = 0
    skipped: int = 0
    left_out: int = 0


class Family:
    """The sequences with `at_least` of a base, and the network that recognises them."""

    def __init__(self, base: str, at_least: int, ambiguous: str = "error") -> None:
        self.base, self.at_least, self.zeros = base, at_least, ambiguous == "zeros"
        self.automaton = Automaton(counter(base, at_least, DNA), DNA, self.zeros)
        self.final = [state[-1] > 0 for state in self.automaton.states]

    @property
    def title(self) -> str:
        """The family in words."""
        return f"{self.at_least} or more {self.base}"

    def judge(self, sequence: str) -> dict[str, bool]:
        """The verdicts of the network and the program."""
        sequence = spelled(sequence, DNA)
        if self.zeros:
            sequence = sequence.translate(TO_ANY)
        check_letters(sequence, self.automaton.alphabet, "sequence")
        network = self.final[self.automaton.after(sequence, 0)]
        return {"network": network, "program": in_family(sequence, self.base, self.at_least)}


class Reading:
    """A record that is read in pieces: the verdicts so far, and the window not yet whole."""

    def __init__(self, family: Family, name: str, window: int | None) -> None:
        self.family, self.window = family, window
        self.tally = Tally(name)
        self.rest = ""
        self.begin()

    def begin(self) -> None:
        """Start a window: nothing of it has been read."""
        self.read, self.state, self.count, self.ambiguous = 0, 0, 0, False

    def add(self, letters: str) -> None:
        """Read some more letters."""
        if self.family.zeros:
            letters = letters.translate(TO_ANY)
        if self.window is not None and self.window < SHORT:
            self.add_short(self.rest + letters, self.window)
            return
        start = 0
        while start < len(letters):
            end = len(letters)
            if self.window is not None:
                end = min(end, start + self.window - self.read)
            self.state = self.family.automaton.after(letters, self.state, start, end)
            # The lecture's program says yes once it has counted enough.
            self.count += letters.count(self.family.base, start, end)
            if not self.ambiguous and not self.family.zeros:
                self.ambiguous = any(letters.find(x, start, end) >= 0 for x in UNSURE)
            self.read, start = self.read + end - start, end
            if self.read == self.window:
                self.close()

    def add_short(self, letters: str, window: int) -> None:
        """Read all whole windows of some letters at once."""
        whole = len(letters) - len(letters) % window
        letters, self.rest = letters[:whole], letters[whole:]
        if not letters:
            return
        import numpy as np

        codes = self.family.automaton.codes(letters).reshape(-1, window)
        columns = np.ascontiguousarray(codes.T)
        known = columns.max(axis=0) < UNKNOWN
        columns = columns if known.all() else columns[:, known]
        network = np.array(self.family.final)[self.family.automaton.after_each(columns)]
        counts = np.add.reduce(columns == DNA.index(self.family.base), axis=0, dtype=np.uint16)
        differ = network != (counts >= self.family.at_least)
        self.count_verdicts(len(network), int(network.sum()), int(differ.sum()))
        self.tally.skipped += len(codes) - len(network)

    def close(self) -> None:
        """Count the verdicts on the window that has been read."""
        if self.ambiguous:
            self.tally.skipped += 1
        else:
            network = self.family.final[self.state]
            program = self.count >= self.family.at_least
            self.count_verdicts(1, int(network), int(network != program))
        self.begin()

    def count_verdicts(self, windows: int, inside: int, disagreements: int) -> None:
        """Add verdicts to those before."""
        self.tally.windows += windows
        self.tally.in_family += inside
        self.tally.disagreements += disagreements

    def done(self) -> Tally:
        """The tally of the record, which is read to its end."""
        if self.window is None:
            self.close()
        self.tally.left_out = self.read + len(self.rest)
        return self.tally


@app.command()
def classify(
    sequences: Annotated[
        list[str] | None,
        argument("SEQUENCE|FILE", "DNA, such as AGGTAACG, or a file with one in each line, or -."),
    ] = None,
    fasta: Fasta = None,
    window: Window = None,
    base: Annotated[str, option("BASE", "The base to count.")] = "G",
    at_least: Annotated[int, option("N", "The number of the base that makes the family.")] = 3,
    ambiguous: Ambiguous = None,
    bad_records: BadRecords = "error",
    most_bases: MostBases = MOST_BASES,
    as_json: AsJson = False,
) -> None:
    """Classify DNA by the lecture's network and by its program; exit with 1 if they differ."""
    family = Family(base.upper(), at_least, ambiguous or "error")
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments or --fasta FILE.")
    check_once(sequences or [])
    if fasta is not None:
        options = {"ambiguous": ambiguous in ("skip", "zeros"), "most_bases": most_bases}
        options["keep_going"] = bad_records == "skip"
        agree, content, table, remarks = _classify_records(family, fasta, window, options)
    elif window is not None or ambiguous == "skip" or bad_records == "skip":
        raise ArgumentValueError(
            "--window, --ambiguous skip and --bad-records skip go with --fasta."
        )
    else:
        agree, content, table, remarks = _classify_sequences(family, sequences or [])
    if as_json:
        about = {"base": family.base, "at_least": at_least, **content, "agree": agree}
        print_json(about)
    else:
        print_table(table, *remarks)
    if not agree:
        raise typer.Exit(complain("the network and the program disagree.", code=1))


def _classify_sequences(family: Family, sequences: list[str]) -> Report:
    verdicts = [(text, family.judge(text)) for given in sequences for text in _texts(given)]
    table = make_table(f"{family.title}?", "sequence", "network", "program")
    for text, said in verdicts:
        table.add_row(shorten(text), *["yes" if inside else "no" for inside in said.values()])
    agree = all(said["network"] == said["program"] for _, said in verdicts)
    rows = [{"sequence": text} | said for text, said in verdicts]
    return agree, {"sequences": rows}, table, []


def _texts(given: str) -> Iterable[str]:
    """The sequence that an argument is, or those in the lines of the file that it names."""
    in_file = content_of(given)
    if in_file is None:
        return [given]
    name = in_file.name
    if in_file.is_fasta:
        words = "is FASTA" if given == "-" else "is a file"
        raise ArgumentValueError(f"{name} {words}: did you mean classify --fasta {given}?")
    letters = {*DNA, *UNSURE}
    found = read_list(in_file.blocks, name, lambda x: set(spelled(x, DNA)) <= letters)
    return (one.text for one in found)


def _read_records(
    family: Family, fasta: Path, window: int | None, options: dict[str, Any]
) -> tuple[list[Tally], list[str]]:
    """The tallies of a file's records, none of which is ever in memory as a whole, and why not.

    The second is what is wrong with each of the records that are left out.
    """
    tallies: list[Tally] = []
    refused: list[str] = []
    with progress_of_bytes(fasta) as advance:
        reading, record = None, -1
        for piece in read_pieces(source(fasta), alphabet=DNA, advance=advance, **options):
            if piece.record != record:
                tallies += [reading.done()] if reading else []
                reading, record = Reading(family, piece.name, window), piece.record
            if piece.refused:
                refused.append(piece.refused)
                reading = None
            elif reading:
                reading.add(piece.letters)
        tallies += [reading.done()] if reading else []
    return tallies, refused


def _classify_records(
    family: Family, fasta: Path, window: int | None, options: dict[str, Any]
) -> Report:
    tallies, refused = _read_records(family, fasta, window, options)
    skipped = sum(tally.skipped for tally in tallies)
    left_out = sum(tally.left_out for tally in tallies)
    if not any(tally.windows for tally in tallies):
        what = f"window of {window} letters" if window else "record"
        reason = " without ambiguous letters" if skipped else ""
        raise ArgumentValueError(
            f"{named(source(fasta))}: there is no whole {what}{reason}: nothing to classify. "
            f"{bad_remark(refused)}"
        )
    agree = not any(tally.disagreements for tally in tallies)
    columns = ["record", "windows", "in the family", "share", *["ambiguous"][:skipped]]
    table = make_table(windowed(family.title, window), *columns)
    for tally in tallies:
        share = percent(tally.in_family, tally.windows)
        cells = [shorten(tally.record), str(tally.windows), str(tally.in_family), share]
        table.add_row(*cells, *[str(tally.skipped)][:skipped])
    remarks = {
        "The network and the program agree on every window.": agree,
        f"Windows left out for ambiguous letters: {skipped}.": skipped,
        bad_remark(refused): refused,
        f"Letters left over at the ends, too few for a window: {left_out}.": left_out,
    }
    rows = [asdict(tally) for tally in tallies]
    lines = [line for line, holds in remarks.items() if holds]
    return (
        agree,
        {"window": window, "records": rows, "bad_records": in_options(refused)},
        table,
        lines,
    )
