"""A run as a table: the numbers of each step, and what its copies of weights add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ArgumentValueError
from ..graph.copies import Copy, copies
from ..graph.marks import mark_of, marks_of
from ..graph.notation import Text, joined, label, listed, number, table, vector, write, write_number
from ..graph.sweep import adjoints
from ..graph.walk import Node, check_node, describe, operation, topological
from .vectors import components

if TYPE_CHECKING:
    from rich.table import Table as RichTable


MOST_NUMBERS: Final = 8  # of a step, in columns of their own
MOST_ENTRIES: Final = 4
MOST_ROWS: Final = 40
WIDTH: Final = 80  # places of a terminal
NOTHING: Final = "–"


class Cell(NamedTuple):
    """What stands in a field of a table, and the nodes and copies that it is about."""

    text: str = ""
    about: Sequence[Node | Copy] = ()


class RunTable:
    """A run as a table: its `head`, `rows` and `foot`; made by `Unrolled.table`.

    A row has a cell for each word of the head: its `text`, and the Values and copies that it is
    `about`.  The foot is empty where nothing is summed.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    >>> table = rnn.unroll(bits("10")).table()
    >>> table.head
    ('step', 'x', 'w₁·q', 'w₂·x', 'π', 'q = relu(π)')
    >>> [(cell.text, cell.about[0].data) for cell in table.rows[1][4:]]
    [('4', 4.0), ('4', 4.0)]
    """

    def __init__(
        self,
        title: str,
        head: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        foot: Sequence[Cell],
        marks: Mapping[Any, str],
    ) -> None:
        self.title, self.head, self.foot = title, tuple(head), tuple(foot)
        self.rows = tuple(map(tuple, rows))
        self._marks = marks

    def _shown(self) -> list[Sequence[Cell]]:
        """The rows that are printed: of very many the first and the last."""
        if len(self.rows) <= MOST_ROWS:
            return [*self.rows]
        half = MOST_ROWS // 2
        gap = [Cell("…"), *[Cell()] * (len(self.head) - 1)]
        return [*self.rows[:half], gap, *self.rows[-half:]]

    def __str__(self) -> str:
        rows = [self.head, *[[cell.text for cell in row] for row in self._shown()]]
        rows += [[cell.text for cell in self.foot]] if self.foot else []
        first, *columns = zip(*rows, strict=True)
        parts = [[first]]
        for column in columns:
            if len(parts[-1]) > 1 and _is_wide([*parts[-1], column]):
                parts.append([first])
            parts[-1].append(column)
        tables = [table([*zip(*part, strict=True)], foot=bool(self.foot)) for part in parts]
        return "\n\n".join([self.title, *tables])

    def __repr__(self) -> str:
        return f"<RunTable: {self.title}, {len(self.rows)} steps>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    @property
    def html(self) -> str:
        """The table in HTML; `data-node` of a row and a cell has the marks of what it is about."""
        head = "".join([f'<th scope="col">{escape(words)}</th>' for words in self.head])
        body = "\n".join([self._row(row) for row in self._shown()])
        foot = f"<tfoot>{self._row(self.foot)}</tfoot>\n" if self.foot else ""
        return (
            f'<table class="run">\n<caption>{escape(self.title)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n{foot}</table>"
        )

    def _repr_html_(self) -> str:
        return self.html

    def _row(self, row: Sequence[Cell]) -> str:
        (first, *others) = row
        inside = "".join([f"<td{self._marked([one])}>{escape(one.text)}</td>" for one in others])
        return f'<tr{self._marked(row)}><th scope="row">{escape(first.text)}</th>{inside}</tr>'

    def _marked(self, cells: Sequence[Cell]) -> str:
        marks = dict.fromkeys(
            [
                mark_of(one, self._marks)
                for cell in cells
                for one in cell.about
                if (one.consumer if isinstance(one, Copy) else one) in self._marks
            ]
        )
        return f' data-node="{" ".join(marks)}"' if marks else ""

    def __rich__(self) -> RichTable:
        """`rich` prints the table so."""
        from rich import box
        from rich.table import Table
        from rich.text import Text as RichText

        made = Table(
            title=RichText(f"  {self.title}"),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE,
            show_footer=bool(self.foot),
        )
        feet = [cell.text for cell in self.foot] or [""] * len(self.head)
        for words, foot in zip(self.head, feet, strict=True):
            made.add_column(RichText(words), RichText(foot, style="bold"), justify="right")
        for row in self._shown():
            made.add_row(*[RichText(cell.text) for cell in row])
        return made


def _is_wide(columns: Sequence[Sequence[str]]) -> bool:
    """Whether columns do not fit a terminal."""
    return len(table([*zip(*columns, strict=True)]).partition("\n")[2].partition("\n")[0]) > WIDTH


# --- what stands in it ----------------------------------------------------------------------------


class Column(NamedTuple):
    """The head of a column, and for each step the nodes of its cell."""

    head: str
    cells: Sequence[Sequence[Node]]


def table_of(run: Any, loss: Node | None, focus: Node | Sequence[Node] | None) -> RunTable:
    """The table of a run; see `Unrolled.table`."""
    weights: list[Any] = [] if focus is None else [focus]
    if isinstance(focus, list | tuple):
        weights = list(focus)
    for place, weight in enumerate(weights):
        check_node(weight, "focus" if weight is focus else f"focus[{place}]")
    weights = [*dict.fromkeys(weights)]
    if loss is not None:
        check_node(loss, "loss")
    elif weights:
        raise ArgumentValueError("focus= needs a loss, as in run.table(loss, focus=w).")
    roots: list[Any] = [loss]
    if loss is None:
        roots = [node for step in run.steps for node in (*step.q, *step.entries)]
    marks = marks_of(topological(*roots))
    columns = [*_inputs(run), *_addends(run), *_vectors(run)]
    rows = [
        [Cell(str(step.k)), *[_cell(column.cells[place], marks) for column in columns]]
        for place, step in enumerate(run.steps)
    ]
    head = ["step", *[column.head for column in columns]]
    if loss is None or not weights:
        return RunTable("Forward pass", head, rows, (), marks)
    added = _Terms(run, loss, weights)
    for row, step in zip(rows, run.steps, strict=True):
        row += added.of_step(step)
    rest = added.outside()
    if rest:
        rows.append([Cell(NOTHING), *[Cell()] * len(columns), *rest])
    foot = [Cell("sum"), *[Cell()] * len(columns), *added.sums()]
    title = f"Forward pass, and terms of {listed(added.names)}"
    return RunTable(title, [*head, *added.head], rows, foot, marks)


def _number(x: float) -> str:
    """The number in 6 digits, or in full if it is a whole number of up to 15."""
    return number(x, digits=6, whole=15)


def _cell(nodes: Sequence[Any], marks: Mapping[Any, str]) -> Cell:
    """The numbers of some nodes, if they are read."""
    if not any(node in marks or (node.constant and not node.parents) for node in nodes):
        return Cell(NOTHING)
    if len(nodes) == 1:
        return Cell(_number(nodes[0].data), nodes)
    return Cell(vector([node.data for node in nodes], MOST_ENTRIES, 3), nodes)


def _split(letter: str, cells: Sequence[Sequence[Any]], apart: bool) -> Iterator[Column]:
    """A vector at each step as a column, or as one for each of its entries."""
    size = len(cells[0]) if cells else 0
    if apart or size == 1:
        for place, name in enumerate(components(letter, size, None)):
            yield Column(label(name), [[nodes[place]] for nodes in cells])
    elif size:
        first, *_, last = map(label, components(letter, size, None))
        yield Column(f"{first}{', ' if size == 2 else ' … '}{last}", cells)


def _inputs(run: Any) -> Iterator[Column]:
    cells = [step.x for step in run.steps]
    yield from _split("x", cells, bool(cells) and len(cells[0]) <= MOST_ENTRIES)


def _addends(run: Any) -> Iterator[Column]:
    """The products that a step of one sum adds up, if every step adds up the same."""
    alone = all(len(step.pi) == len(run.rnn._parts(step)) == 1 for step in run.steps)
    sums = [_terms_of(step.pi[0]) for step in run.steps if alone]
    made = [[node for node in terms if node.parents] for terms in sums]
    if not made or len({*map(len, made)}) > 1 or len(made[0]) < 2:
        return
    step = run.steps[0]
    names: dict[Any, str] = {}  # those of the Values are for one step, or the reader's own
    for letter, entries in (*step.vectors.items(), ("q", run.state), ("x", step.x)):
        names |= zip(entries, components(letter, len(entries), None), strict=True)
    for place, first in enumerate(made[0]):
        called = [(names.get(p, p.name), p.data) for p in first.parents]
        operands = [
            write_number(data) if name is None else Text(label(name)) for name, data in called
        ]
        yield Column(write(first.op, *operands).text, [[one[place]] for one in made])


def _sums(run: Any, step: Any) -> list[Any]:
    """The sums π of a step, in all layers."""
    return [pi for part in run.rnn._parts(step) for pi in part.vectors.get("pi", ())]


def _terms_of(node: Any) -> list[Any]:
    """The terms of the sum that a node is, from the left."""
    terms: list[Any] = []
    while node.op is not None and node.op.operator is add:
        node, last = node.parents
        terms.insert(0, last)
    return [node, *terms] if terms else []


def _vectors(run: Any) -> Iterator[Column]:
    """The vectors of the steps, each once; of several layers one after the other."""
    found: dict[str, list[list[Any]]] = {}
    for place, step in enumerate(run.steps):
        for part in run.rnn._parts(step):
            for letter, entries in part.vectors.items():
                if len(entries) == len(part.entries):
                    cells = found.setdefault("π" if letter == "pi" else letter, [])
                    cells += [[] for _ in range(place + 1 - len(cells))]
                    cells[place] += entries
    if found.get("π") == found.get("q"):  # linear states are their sums
        found.pop("q", None)
    sums = found.get("π", [])
    apart = sum([len(cells[0]) for cells in found.values()]) <= MOST_NUMBERS
    for letter, cells in found.items():
        for column in _split(letter, cells, apart):
            if [[*nodes[0].parents] for nodes in column.cells] == sums:
                written = write(operation(column.cells[0][0]), Text("π")).text
                column = column._replace(head=f"{letter} = {written}")
            yield column


class _Terms:
    """What the copies of some weights add at each step."""

    def __init__(self, run: Any, loss: Any, weights: Sequence[Any]) -> None:
        self.totals: dict[Any, float] = {}
        self.by_step: list[dict[int | None, list[Copy]]] = []
        for weight in weights:
            uses = copies(weight, loss, run)
            if not uses:
                raise ArgumentValueError(
                    f"loss does not depend on focus ({describe(weight)}): there is no term."
                )
            self.totals[weight] = uses.total
            self.by_step.append({})
            for use in uses:
                self.by_step[-1].setdefault(use.step, []).append(use)
        self.adjoint = adjoints(loss)
        name = label(loss.name) if loss.name is not None else "L"
        self.names = [label(w.name) if w.name is not None else describe(w) for w in weights]
        self.sums_of = {step.k: _sums(run, step) for step in run.steps}
        self.sums_shown = {*map(len, self.sums_of.values())} == {1}
        self.head = [f"∂{name}/∂π"] if self.sums_shown else []
        self.head += [f"term of {name}" for name in self.names]

    def of_step(self, step: Any) -> list[Cell]:
        """∂loss/∂π where there is one sum, and the terms of a step."""
        cells = [
            Cell(_number(self.adjoint[pi]), (pi,)) if pi in self.adjoint else Cell(NOTHING)
            for pi in self.sums_of[step.k]
            if self.sums_shown
        ]
        return [*cells, *self._terms(step.k)]

    def outside(self) -> list[Cell]:
        """The terms outside of the steps, if there are any."""
        cells = self._terms(None)
        return [*[Cell()] * self.sums_shown, *cells] if any(one.about for one in cells) else []

    def _terms(self, k: int | None) -> list[Cell]:
        found = [steps.get(k, []) for steps in self.by_step]
        return [
            Cell(joined([_number(use.grad) for use in uses]) if uses else NOTHING, uses)
            for uses in found
        ]

    def sums(self) -> list[Cell]:
        """The gradients of the weights."""
        totals = [Cell(_number(total), (weight,)) for weight, total in self.totals.items()]
        return [*[Cell()] * self.sums_shown, *totals]
