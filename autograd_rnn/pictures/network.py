"""Pictures of a network by its neurons: its cell, its unrolling, its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..arguments import as_name, many
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.assigned import assigned_since
from ..graph.marks import marks_of
from ..graph.notation import label, number
from ..graph.walk import check_size, topological
from . import html_labels as html
from .canvas import ARROW_HEAD, FRAME, LEGEND_ROOM, LINE_HEIGHT, RADIUS, Canvas, Point, along
from .draw import MOST_READ, UNREAD
from .drawing import Drawing
from .graph_view import left_out, shorten
from .paper import DRAWN, as_paper
from .theme import as_theme, tint

if TYPE_CHECKING:
    from ..networks.rnn import RNN
    from ..networks.run import Unrolled


# --- colours and words ---------------------------------------------------------------------------

FULL: Final = 0.95
SOURCES: Final = {"plain": "offset", "state": "state before", "constant": "input"}


def numbered(letter: str, size: int) -> list[str]:
    """Q₁, Q₂, ..., or q where there is but one."""
    return [letter.lower()] if size == 1 else [label(f"{letter}_{i + 1}") for i in range(size)]


def short(x: float) -> str:
    """The number for a small place: two digits, one below a tenth."""
    return number(x, 2 if abs(x) >= 0.1 else 1, 3)


def _scale(numbers: Iterable[float]) -> float:
    """The largest size of the finite ones, and no less than 1."""
    return max([1.0, *[abs(x) for x in numbers if math.isfinite(x)]])


def sources_of(rnn: RNN, inputs: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The role and the name of what each row of the weights multiplies: [1; Q; X]."""
    states = [("state", name) for name in numbered("Q", rnn.states)]
    named = [("constant", name) for name in inputs or numbered("X", rnn.inputs)]
    return [*[("plain", "1")] * rnn.bias, *states, *named]


def _formula(rnn: RNN) -> str:
    vector = "; ".join(["1"] * rnn.bias + ["Q⁽ᵏ⁻¹⁾"] + ["X⁽ᵏ⁾"] * (rnn.inputs > 0))
    return f"π⁽ᵏ⁾ = Wᵀ [{vector}]     Q⁽ᵏ⁾ = {activated(rnn, 'π⁽ᵏ⁾')}"


def activated(rnn: RNN, pi: str) -> str:
    return pi if rnn.activation == "linear" else f"{rnn.activation}({pi})"


# --- arrows that are weights ----------------------------------------------------------------------


class Wiring(Canvas):
    """A canvas on which the arrows are the weights of an RNN."""

    more_legend = 0.0  # the room of a second line of the legend
    marks: Mapping[Any, str] = MappingProxyType({})  # of nodes, where there is a graph

    def __init__(self, rnn: RNN, theme: str) -> None:
        if not hasattr(rnn, "weights") or not hasattr(rnn, "activation"):
            raise ArgumentTypeError(
                f"rnn must have one neuron per state, such as an RNN, not {type(rnn).__name__}."
            )
        colours = as_theme(theme)
        looks = {"color": colours.line, "penwidth": "1.5"}
        super().__init__(colours, looks, layout="nop2", outputorder="edgesfirst")
        self.rnn, self.signs = rnn, set[str]()
        self.numbers = [weight.data for row in rnn.weights for weight in row]
        self.scale = _scale(self.numbers)

    def weight(self, ends: str, w: float, words: str, path: Sequence[Point] = ()) -> None:
        """The arrow of a weight but 0: colour and head by its sign, width by its size."""
        if w != 0:
            sign, head = ("negative", "tee") if w < 0 else ("positive", "normal")
            self.signs.add(sign)
            width = f"{0.5 + 3.0 * min(1.0, abs(w) / self.scale):.2f}"
            looks = {"color": getattr(self.theme, sign), "arrowhead": head, "penwidth": width}
            *curve, last, tip = path or self.straight(*ends.split())
            if w < 0:  # a bar is not as long as a head
                last, looks["arrowsize"] = along(tip, last, 0.3), "0.9"
            self.arrow(ends, [*curve, last, tip], f"{words}: {w!r}", **looks)

    def finish(
        self, title: str | None, what: str, wide: float, formula: str = "", legend: str = ""
    ) -> Drawing:
        """All of it, under a title, or what it is, and over a legend, no wider than that."""
        heading, rnn = what if title is None else as_name(title, "title") or "", self.rnn
        told, room = legend or self._legend(), LEGEND_ROOM + self.more_legend
        self.frame(heading, formula or _formula(rnn), told, room, wide)
        summary = f"{heading or what}: {many(rnn.states, 'state')}, {many(rnn.inputs, 'input')}"
        return self.drawing(f"{summary}, {rnn.activation}", self.marks)

    def _legend(self) -> str:
        told = {"positive": ("→", "weight above 0    "), "negative": ("⊣", "weight below 0    ")}
        muted, cells = self.theme.muted, []
        for sign in sorted(self.signs, reverse=True):
            head, words = told[sign]
            cells.append(html.written(head, html.NAME_POINTS, getattr(self.theme, sign), bold=True))
            cells.append(html.written(words, html.LEGEND_POINTS, muted, align="LEFT"))
        words = "the thicker the larger, no arrow for 0"
        size = html.written(words, html.LEGEND_POINTS, muted)
        return html.table(["".join([*cells, size])], **html.BARE) if cells else ""


# --- the network ---------------------------------------------------------------------------------

MOST_ENTRIES: Final = 6
STALE: Final = "weights or inputs were assigned since, and are as they are now; states as computed"

ROW: Final = 70.0
APART: Final = 3.0  # circles, at least
# Where the page is low: the radius of circles, and what is over and under the inputs.
CLOSE: Final = (RADIUS, 26.0, 42.0), (RADIUS, 16.0, 34.0), (20.0, 12.0, 30.0)
PANEL: Final = 150.0
GAP: Final = 16.0


def draw_network(
    run: Unrolled,
    *,
    inputs: Sequence[str] | None = None,
    theme: str = "auto",
    width: float | str | None = None,
    title: str | None = None,
) -> Drawing:
    """The picture of an unrolled network, a circle for each state of each step (panels 5 and 7).

    `inputs` names the inputs, as "ACGT" does; `ValueError` for another number of names, and
    `GraphTooLarge` (likewise) for a run of more than 100,000 nodes.  `theme` and `width`
    are those of `draw`: a run that is wider than its paper is wrapped into rows.

    >>> from autograd_rnn import counter, one_hot
    >>> draw_network(counter().unroll(one_hot("AGGTG")), inputs="ACGT")
    <Drawing: The network, unrolled over 5 steps: 3 states, 4 inputs, step>
    """
    if not hasattr(run, "steps"):
        raise ArgumentTypeError(
            f"run must be an unrolled network, such as rnn.unroll(inputs), "
            f"not {type(run).__name__}."
        )
    if not has_neurons(run):
        raise ArgumentValueError(
            "run has more to a state than one neuron (gates, or layers over layers), or is a loop "
            "of one's own, and only an RNN is drawn by its neurons: choose "
            "draw(..., detail='neuron') or detail='step'."
        )
    for q in run.q[:1]:
        check_size(q, MOST_READ, *UNREAD)
    paper = as_paper(width)
    names = named_inputs(run.rnn, inputs)
    columns, right = _Columns(run, theme, names, paper.room.high), RADIUS
    columns.start()
    first, middle, last = shorten(run.steps)
    for step in (*first, *last):
        skipped = bool(middle) and step is last[0]
        if right + columns.names_room + (140 if skipped else GAP) + PANEL > paper.room.wide:
            columns.next_row(step.k - 1 if not skipped else middle[0].k - 1)
            right = RADIUS
        if skipped:
            columns.skip(middle, right + 70)
            right += 140 - GAP
        left, right = right + GAP, right + GAP + PANEL
        low, high = columns.foot, columns.ys[0] + columns.radius + 18
        if step.k in run.cuts:
            columns.cut(step.k, left - GAP / 2, (high + 10, low))
        with columns.panel(step.k, f"step {step.k}", (left, low), (right, high)):
            columns.neurons(step.k, right - 38)
        columns.arrive(step.k, skipped)
        columns.take(step.k, left)
    what = f"The network, unrolled over {many(len(run.steps), 'step')}"
    stale = assigned_since(topological(*[q for step in run.steps for q in step.q]))
    return paper.fit(columns.finish(title, what, paper.room.wide, STALE if stale else ""))


def named_inputs(rnn: RNN, inputs: Sequence[str] | None) -> list[str]:
    """The names of the inputs, X₁, X₂, ... unless given."""
    if inputs is None:
        return numbered("X", rnn.inputs)
    names = list(inputs)
    if not all(isinstance(name, str) for name in names):
        raise ArgumentTypeError("inputs must be a str or a list of str, a name for each input.")
    if len(names) != rnn.inputs:
        raise ArgumentValueError(
            f"inputs must name the {rnn.inputs} inputs of the RNN, not {len(names)}."
        )
    return [html.clean(name, 24) for name in names]


def has_neurons(run: Any) -> bool:
    """Whether a state is one circle: an activation of its sum, as in an RNN alone."""
    return hasattr(getattr(run, "rnn", None), "activation")


class _Columns(Wiring):
    """The picture of a run, made from left to right, and from row to row."""

    more_legend = 26.0

    def __init__(self, run: Unrolled, theme: str, inputs: list[str], high: float) -> None:
        super().__init__(run.rnn, theme)
        self.run, self.names = run, numbered("Q", run.rnn.states)
        sums = [step.pi for step in run.steps]
        states = [run.state, *[step.q for step in run.steps]]
        self.nodes = [
            [*zip(*each, strict=True)]
            for each in ([states[0]], *zip(states[1:], sums, strict=True))
        ]
        self.marks = marks_of(topological(*[q for step in run.steps for q in step.q]))
        self.states = [[q.data for q in column] for column in states]
        self.most = _scale(q for column in self.states for q in column)
        self.input_names = inputs
        self.inputs = [_entries([x.data for x in step.x], inputs) for step in run.steps]
        self._set_heights(high)
        self.offsets = [f"offset {short(w.data)}" for w in run.rnn.weights[0] if run.rnn.bias]
        names = [html.text_width(name, html.NAME_POINTS, bold=True) for name in self.names]
        self.names_room = 34.0 + max([*names, *[html.text_width(w, 10) for w in self.offsets]])
        self.rows, self.before = 0, "q0"

    def _set_heights(self, high: float) -> None:
        """Set how high rows and what is around the inputs are, as close as the page needs."""
        for self.radius, self.over, self.under in CLOSE:
            self.row, least = ROW, 2 * self.radius + APART
            self._set_rows(0.0)
            under = self.ys[0] - self.foot + self.radius + 40.0
            spare = high - FRAME - self.more_legend - under
            if spare < 0.0 and self.rnn.states > 1:
                self.row = max(least, ROW + spare / (self.rnn.states - 1))
                self._set_rows(0.0)
            if spare >= 0.0 or self.row > least:
                break

    def _set_rows(self, top: float) -> None:
        """Where the states are, from the first, and what stands under them."""
        self.ys = [top - self.row * j for j in range(self.rnn.states)]
        self.chip = self.ys[-1] - self.radius - self.over
        self.foot = self.chip - LINE_HEIGHT * max(map(len, self.inputs), default=0) - self.under

    def next_row(self, k: int) -> None:
        """Go on in a row of its own, from the states after step k."""
        self.rows += 1
        self.breaks.append(self.foot - 20.0)
        self._set_rows(self.foot - self.radius - ROW)
        self.start(k)

    def start(self, k: int = 0) -> None:
        """The states before a row, and the names of the rows."""
        text, theme = self.text, self.theme
        row = f"r{self.rows}_" if self.rows else ""
        self.before = f"b{k}" if self.rows else "q0"
        self.neurons(k, 0.0, self.before)
        words = f"after {k}" if k else "start"
        text(f"{row}start", (0, self.foot + 15), words, html.SMALL_POINTS, theme.muted)
        for j, (name, y) in enumerate(zip(self.names, self.ys, strict=True)):
            x, up = -self.radius - 10, 8 if self.rnn.bias else 0
            ink = theme.styles["state"].ink
            text(f"{row}n{j}", (x, y + up), name, html.NAME_POINTS, ink, -1)
            if self.rnn.bias:
                text(f"{row}o{j}", (x, y - 10), self.offsets[j], 10, theme.muted, -1)
        if self.inputs and len(self.inputs[0]) > 1:
            for i, name in enumerate(self.input_names):
                at = (self.radius + GAP - 6, self.chip - LINE_HEIGHT * (i + 0.5))
                ink = theme.styles["constant"].ink
                text(f"{row}i{i}", at, name, html.VALUE_POINTS, ink, -1)

    def neurons(self, k: int, x: float, column: str = "") -> None:
        """A column of states, greener the larger they are, and the largest in solid green."""
        theme, green = self.theme, self.theme.styles["state"].line
        for j, (name, y, q) in enumerate(zip(self.names, self.ys, self.states[k], strict=True)):
            solid = FULL * self.most <= q < math.inf
            fill = green if solid else tint(q, self.most, green, theme)
            words = f"{name} {f'after step {k}' if k else 'at the start'}: data {q!r}"
            words += f", π {self.run.steps[k - 1].pi[j].data!r}" if k else ""
            ink = theme.paper if solid else theme.ink
            at, text = f"{column or f'q{k}'}_{j}", short(q)
            if html.text_width(text, DRAWN, bold=True) > 2 * self.radius:
                text = text.replace("0.", ".")  # no text is smaller
            self.circle(at, (x, y), text, words, "state", fill, ink)
            self.about(at, *self.nodes[k][j])

    def arrive(self, k: int, skipped: bool) -> None:
        """The arrows from the states before, or from the dots that stand for them."""
        for j, name in enumerate(self.names):
            if skipped:
                self.arrow(f"d{j} q{k}_{j}")
                continue
            for i, before in enumerate(self.names):
                w = self.rnn.weights[self.rnn.bias + i][j].data
                self.weight(f"{self.before}_{i} q{k}_{j}", w, f"weight from {before} to {name}")
        self.before = f"q{k}"

    def take(self, k: int, left: float) -> None:
        """The input, and arrows for what it adds to each sum: if it is one-hot, from its 1."""
        lines, inputs, theme = self.inputs[k - 1], self.run.steps[k - 1].x, self.theme
        if not lines:
            return
        numbers = [entry.data for entry in inputs]
        inks = [theme.muted if line == "0" else theme.styles["constant"].ink for line in lines]
        words = f"input of step {k}: {', '.join(map(repr, numbers))}"
        width, height = self.room_of(lines, "constant")
        x = left + max(46.0, width / 2 + 8)
        self.box(f"x{k}", (x, self.chip - height / 2), lines, words, "constant", *inks)
        self.about(f"x{k}", *inputs)
        hot = numbers.index(1.0) if _is_one_hot(numbers) else -1
        rows = self.rnn.weights[-len(inputs) :]
        for j, name in enumerate(self.names):
            w = sum(row[j].data * entry for row, entry in zip(rows, numbers, strict=True))
            right, up = self.at[f"q{k}_{j}"]
            bend, last, tip = [
                (right - 0.82 * reach, up - 0.57 * reach)
                for reach in (self.radius + 34, self.radius + ARROW_HEAD, self.radius)
            ]
            if hot < 0:
                first = (x + min(width, 40.0) * ((j + 0.5) / len(self.ys) - 0.5) / 2, self.chip)
                turn = (first[0], 0.4 * first[1] + 0.6 * last[1])
            else:
                line = hot if len(lines) > 1 else 0
                border = (height - LINE_HEIGHT * len(lines)) / 2
                first = (x + width / 2, self.chip - border - LINE_HEIGHT * (line + 0.5))
                turn = (first[0] + 34, first[1])
            words = f"what the input of step {k} adds to π of {name}"
            self.weight(f"x{k} q{k}_{j}", w, words, [first, turn, bend, last, tip])

    def skip(self, steps: Sequence[Any], x: float) -> None:
        """Dots for the steps that are left out, and how many they are."""
        muted = self.theme.muted
        for j, y in enumerate(self.ys):
            self.text(f"d{j}", (x, y), "…", html.TITLE_POINTS, muted)
            self.arrow(f"{self.before}_{j} d{j}")
        words = left_out(steps, self.run.cuts)
        self.text("more", (x, self.foot + 15), words, html.SMALL_POINTS, muted)

    def _legend(self) -> str:
        """What arrows and fills mean."""
        theme, green = self.theme, self.theme.styles["state"].line
        cells = [] if not self.signs else [super()._legend()[1:-1]]
        told = [(theme.paper, "0"), (tint(0.5, 1.0, green, theme), "greener the larger")]
        if any(q < 0 for column in self.states for q in column):
            told.append((tint(-1.0, 1.0, green, theme), "below 0"))
        line = ""
        for fill, words in [*told, (green, f"{short(self.most)} or near it")]:
            looks = {"color": green, "bgcolor": fill, "style": "ROUNDED"}
            line += html.cell(border=2, **looks, width=22, height=14)
            line += html.written(f"{words}   ", html.LEGEND_POINTS, theme.muted, align="LEFT")
        states = html.written("states ", html.LEGEND_POINTS, theme.muted) + line
        row = html.table([states], **{**html.BARE, "cellspacing": "4"})[1:-1]
        return html.table([html.cell(one) for one in [*cells, row]], **html.BARE)


def _is_one_hot(x: Sequence[float]) -> bool:
    return len(x) > 1 and sorted(x) == [*[0.0] * (len(x) - 1), 1.0]


def _entries(x: Sequence[float], names: Sequence[str]) -> list[str]:
    """A vector as it is shown: its entries, or one line where they are many."""
    if len(x) <= MOST_ENTRIES:
        return [short(entry) for entry in x]
    if _is_one_hot(x):
        return [f"{names[x.index(1.0)]} = 1"]
    return [f"{len(x)} numbers"]


# --- the weights ---------------------------------------------------------------------------------


def draw_weights(
    rnn: RNN,
    *,
    inputs: Sequence[str] | None = None,
    theme: str = "auto",
    width: float | str | None = None,
    title: str | None = None,
) -> Drawing:
    """The picture of an RNN's weights: a heat table with the rows [1; Q; X] (panel 6).

    `inputs` names the inputs, as "ACGT" does; `ValueError` for another number of names.  `theme`
    and `width` are those of `draw`.

    >>> from autograd_rnn import counter
    >>> draw_weights(counter(), inputs="ACGT")
    <Drawing: The weights, the same at every step: 3 states, 4 inputs, step>
    """
    canvas, paper = Wiring(rnn, theme), as_paper(width)
    colours, sources = canvas.theme, sources_of(rnn, named_inputs(rnn, inputs))
    scale = max([abs(w) for w in canvas.numbers if math.isfinite(w)], default=0.0) or 1.0
    shown = [html.text_width(number(w), html.VALUE_POINTS, bold=True) for w in canvas.numbers]
    wide = max([64.0, *[room + 16 for room in shown]])
    points = html.NAME_POINTS if wide == 64 else html.VALUE_POINTS

    def written(text: str, points: float, ink: str, **looks: str | int) -> str:
        # A line break after each cell, too: a row may be longer than Graphviz reads at once.
        return html.written(text, points, ink, bold=points > html.SMALL_POINTS, **looks) + "\n"

    indent, green = html.cell(colspan=2), colours.styles["state"].ink
    new = written("new state", html.LEGEND_POINTS, colours.muted, colspan=rnn.states)
    heads = [written(name, html.NAME_POINTS, green) for name in numbered("Q", rnn.states)]
    lines, said, group = [indent + new, indent + "".join(heads)], [], ""
    size: html.Looks = {"width": round(wide), "height": 32, "align": "RIGHT"}
    size |= {"border": 1, "color": colours.panel_line}
    for (role, name), row in zip(sources, rnn.weights, strict=True):
        words, group = "" if role == group else f"{SOURCES[role]}  ", role
        if words:
            lines.append(html.cell(height=8, colspan=rnn.states + 2))
        line = written(words, html.LEGEND_POINTS, colours.muted, align="RIGHT")
        line += written(f"{name} ", html.NAME_POINTS, colours.styles[role].ink, align="RIGHT")
        for weight in row:
            fill = tint(weight.data, scale, colours.positive, colours)
            ink = colours.ink if weight.data else colours.muted
            line += written(number(weight.data), points, ink, **size, bgcolor=fill)
        lines.append(line)
        said.append(f"{name}: {', '.join(repr(weight.data) for weight in row)}")
    room = (wide * rnn.states + 170, 32.0 * len(rnn.weights) + 80)
    canvas.node("weights", (0, 0), room, html.table(lines, **html.BARE), "; ".join(said), "")
    canvas.about("weights", *[weight for row in rnn.weights for weight in row])
    return paper.fit(canvas.finish(title, "The weights, the same at every step", paper.room.wide))
