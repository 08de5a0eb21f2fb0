"""The command that sets the lecture's hand-made network beside its program: classify."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..data.encoding import one_hot
from ..data.fasta import Record, read_fasta, windows
from ..data.tasks import DNA, in_family
from ..errors import ArgumentValueError
from ..networks.rnn import RNN, counter
from .app import app
from .options import AsJson, Fasta, SkipAmbiguous, Window, argument, option
from .terminal import complain, make_table, percent, print_table, shorten, windowed

CHUNK: Final = 500
#: Whether all verdicts agree, the verdicts as JSON and as a table, and the lines below it.
Report: TypeAlias = tuple[bool, dict[str, object], Table, list[str]]


class Tally(NamedTuple):
    """The verdicts on the windows of a record, counted."""

    record: str
    windows: int
    in_family: int
    disagreements: int
    skipped: int
    left_out: int


class Family(NamedTuple):
    """The sequences with `at_least` of a base, and the network that recognises them."""

    base: str
    at_least: int
    network: RNN

    @property
    def title(self) -> str:
        """The family in words."""
        return f"{self.at_least} or more {self.base}"

    def judge(self, sequence: str) -> dict[str, bool]:
        """The verdicts of the network and the program."""
        # The network reads in chunks, so that no graph is as long as a genome.
        state = [0.0] * self.network.states
        vectors = one_hot(sequence, DNA)
        for start in range(0, len(vectors), CHUNK):
            run = self.network.unroll(vectors[start : start + CHUNK], state)
            state = [q.data for q in run.q]
        program = in_family(sequence, self.base, self.at_least)
        return {"network": state[-1] > 0, "program": program}

    def tally(self, record: Record, window: int | None, advance: Callable[[int], object]) -> Tally:
        """The verdicts on a record's windows; `advance` takes the number of letters done."""
        size = len(record.sequence) if window is None else window
        inside = disagreements = skipped = 0
        for part in windows(record.sequence, size):
            if set(part) <= set(DNA):
                network, program = self.judge(part).values()
                inside += network
                disagreements += network != program
            else:
                skipped += 1
            advance(size)
        whole, left_out = divmod(len(record.sequence), size)
        advance(left_out)
        return Tally(record.name, whole - skipped, inside, disagreements, skipped, left_out)


@app.command()
def classify(
    sequences: Annotated[list[str] | None, argument("SEQUENCE", "DNA, such as AGGTAACG.")] = None,
    fasta: Fasta = None,
    window: Window = None,
    base: Annotated[str, option("BASE", "The base to count.")] = "G",
    at_least: Annotated[int, option("N", "How many of the base make the family.")] = 3,
    skip_ambiguous: SkipAmbiguous = False,
    as_json: AsJson = False,
) -> None:
    """Classify DNA by the lecture's network and by its program; exit with 1 if they differ."""
    family = Family(base.upper(), at_least, counter(base.upper(), at_least, DNA))
    if (fasta is None) == (not sequences):
        raise ArgumentValueError("give either SEQUENCE arguments or --fasta FILE.")
    if fasta is not None:
        agree, content, table, remarks = _classify_records(family, fasta, window, skip_ambiguous)
    elif window is not None or skip_ambiguous:
        raise ArgumentValueError("--window and --skip-ambiguous go with --fasta.")
    else:
        agree, content, table, remarks = _classify_sequences(family, sequences or [])
    if as_json:
        about = {"base": family.base, "at_least": at_least, **content, "agree": agree}
        print(json.dumps(about, indent=2))
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


def _classify_records(
    family: Family, fasta: Path, window: int | None, skip_ambiguous: bool
) -> Report:
    records = read_fasta(fasta, alphabet=DNA, ambiguous=skip_ambiguous)
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        letters = progress.add_task("Reading", total=sum(len(r.sequence) for r in records))
        tallies = [
            family.tally(record, window, lambda size: progress.advance(letters, size))
            for record in records
        ]
    skipped = sum(tally.skipped for tally in tallies)
    left_out = sum(tally.left_out for tally in tallies)
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
    rows = [tally._asdict() for tally in tallies]
    lines = [line for line, holds in remarks.items() if holds]
    return agree, {"window": window, "records": rows}, table, lines
