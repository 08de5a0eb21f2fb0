"""The command that sets the lecture's hand-made network beside its program: classify."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from rich.table import Table

from ..arguments import check_symbols
from ..data.fasta import AMBIGUOUS, MOST_BASES, read_pieces
from ..data.tasks import DNA, in_family
from ..errors import ArgumentValueError
from ..networks.rnn import counter
from .app import app
from .automaton import UNKNOWN, Automaton
from .options import AsJson, Fasta, MostBases, SkipAmbiguous, Window, argument, option
from .terminal import (
    complain,
    make_table,
    percent,
    print_json,
    print_table,
    progress_of_bytes,
    shorten,
    windowed,
)

# Windows shorter than this go through arrays, many side by side.
SHORT: Final = 4096
#: Whether all verdicts agree, the verdicts as JSON and as a table, and the lines below it.
Report: TypeAlias = tuple[bool, dict[str, object], Table, list[str]]


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

    def __init__(self, base: str, at_least: int) -> None:
        self.base, self.at_least = base, at_least
        self.automaton = Automaton(counter(base, at_least, DNA), DNA)
        self.final = [state[-1] > 0 for state in self.automaton.states]

    @property
    def title(self) -> str:
        """The family in words."""
        return f"{self.at_least} or more {self.base}"

    def judge(self, sequence: str) -> dict[str, bool]:
        """The verdicts of the network and the program."""
        check_symbols(sequence, DNA, "sequence")
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
            if not self.ambiguous:
                self.ambiguous = any(letters.find(x, start, end) >= 0 for x in AMBIGUOUS)
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
    sequences: Annotated[list[str] | None, argument("SEQUENCE", "DNA, such as AGGTAACG.")] = None,
    fasta: Fasta = None,
    window: Window = None,
    base: Annotated[str, option("BASE", "The base to count.")] = "G",
    at_least: Annotated[int, option("N", "How many of the base make the family.")] = 3,
    skip_ambiguous: SkipAmbiguous = False,
    most_bases: MostBases = MOST_BASES,
    as_json: AsJson = False,
) -> None:
    """Classify DNA by the lecture's network and by its program; exit with 1 if they differ."""
    family = Family(base.upper(), at_least)
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments or --fasta FILE.")
    if fasta is not None:
        agree, content, table, remarks = _classify_records(
            family, fasta, window, skip_ambiguous, most_bases
        )
    elif window is not None or skip_ambiguous:
        raise ArgumentValueError("--window and --skip-ambiguous go with --fasta.")
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
    verdicts = [(text, family.judge(text.upper())) for text in sequences]
    table = make_table(f"{family.title}?", "sequence", "network", "program")
    for text, said in verdicts:
        table.add_row(shorten(text), *["yes" if inside else "no" for inside in said.values()])
    agree = all(said["network"] == said["program"] for _, said in verdicts)
    rows = [{"sequence": text} | said for text, said in verdicts]
    return agree, {"sequences": rows}, table, []


def _read_records(
    family: Family, fasta: Path, window: int | None, skip_ambiguous: bool, most_bases: int
) -> list[Tally]:
    """The tallies of a file's records, none of which is ever in memory as a whole."""
    file = sys.stdin.buffer if str(fasta) == "-" else fasta
    tallies: list[Tally] = []
    with progress_of_bytes(fasta) as advance:
        reading, record = None, -1
        for piece in read_pieces(
            file, alphabet=DNA, ambiguous=skip_ambiguous, most_bases=most_bases, advance=advance
        ):
            if piece.record != record:
                tallies += [reading.done()] if reading else []
                reading, record = Reading(family, piece.name, window), piece.record
            if reading:
                reading.add(piece.letters)
        tallies += [reading.done()] if reading else []
    return tallies


def _classify_records(
    family: Family, fasta: Path, window: int | None, skip_ambiguous: bool, most_bases: int
) -> Report:
    tallies = _read_records(family, fasta, window, skip_ambiguous, most_bases)
    skipped = sum(tally.skipped for tally in tallies)
    left_out = sum(tally.left_out for tally in tallies)
    if not any(tally.windows for tally in tallies):
        what = f"window of {window} letters" if window else "record"
        reason = " without ambiguous letters" if skipped else ""
        raise ArgumentValueError(f"{fasta}: there is no whole {what}{reason}: nothing to classify.")
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
        f"Letters left over at the ends, too few for a window: {left_out}.": left_out,
    }
    rows = [asdict(tally) for tally in tallies]
    lines = [line for line, holds in remarks.items() if holds]
    return agree, {"window": window, "records": rows}, table, lines
