"""Pictures of a network by its neurons: its cell, its unrolling, its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from ..arguments import as_name, many
from ..errors import ArgumentTypeError, ArgumentValueError
from ..graph.assigned import assigned_since
from ..graph.notation import label, number
from ..graph.walk import topological
from . import html_labels as html
from .canvas import ARROW_HEAD, LINE_HEIGHT, RADIUS, Canvas, Point, along
from .drawing import Drawing
from .graph_view import left_out, shorten
from .theme import as_theme, tint

if TYPE_CHECKING:
    from ..networks.model import Unrolled
    from ..networks.rnn import RNN


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


def _sources(rnn: RNN, inputs: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The role and the name of what each row of the weights multiplies: [1; Q; X]."""
    states = [("state", name) for name in numbered("Q", rnn.states)]
    named = [("constant", name) for name in inputs or numbered("X", rnn.inputs)]
    return [*[("plain", "1")] * rnn.bias, *states, *named]


def _formula(rnn: RNN) -> str:
    vector = "; ".join(["1"] * rnn.bias + ["Q⁽ᵏ⁻¹⁾"] + ["X⁽ᵏ⁾"] * (rnn.inputs > 0))
    return f"π⁽ᵏ⁾ = Wᵀ [{vector}]     Q⁽ᵏ⁾ = {_activated(rnn, 'π⁽ᵏ⁾')}"


def _activated(rnn: RNN, pi: str) -> str:
    return pi if rnn.activation == "linear" else f"{rnn.activation}({pi})"


# --- arrows that are weights ----------------------------------------------------------------------


class _Wiring(Canvas):
    """A canvas on which the arrows are the weights of an RNN."""

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

    def finish(self, title: str | None, what: str, formula: str = "", legend: str = "") -> Drawing:
        """All of it, under a title, or what it is, and over a legend."""
        heading, rnn = as_name(title, "title") or what, self.rnn
        self.frame(heading, formula or _formula(rnn), legend or self._legend())
        summary = f"{heading}: {many(rnn.states, 'state')}, {many(rnn.inputs, 'input')}"
        return self.drawing(f"{summary}, {rnn.activation}")

    def _legend(self) -> str:
        told = {"positive": ("→", "weight above 0    "), "negative": ("⊣", "weight below 0    ")}
        muted, cells = self.theme.muted, []
        for sign in sorted(self.signs, reverse=True):
            head, words = told[sign]
            cells.append(html.written(head, html.NAME_POINTS, getattr(self.theme, sign), bold=True))
            cells.append(html.written(words, html.LEGEND_POINTS, muted))
        size = html.written("the thicker the larger, none for 0", html.LEGEND_POINTS, muted)
        return html.table(["".join([*cells, size])], **html.BARE) if cells else ""


# --- one step -------------------------------------------------------------------------------------

MOST_NUMBERS: Final = 12


def draw_cell(rnn: RNN, *, theme: str = "light", title: str | None = None) -> Drawing:
    """The picture of one step of an RNN, as panel 8 has it: what happens in every step.

    Where they are few, each operation is drawn, else each weight as an arrow.

    >>> from autograd_rnn import RNN
    >>> draw_cell(RNN([[4], [1]], activation="relu", bias=False))
    <Drawing: One step of an RNN: 1 state, 1 input, relu>
    """
    canvas, what = _Wiring(rnn, theme), "One step of an RNN"
    if (rnn.states, rnn.inputs, rnn.bias) == (1, 1, False):
        return canvas.finish(title, what, *_draw_operations(canvas))
    _draw_arrows(canvas)
    return canvas.finish(title, what)


def _draw_operations(canvas: _Wiring) -> tuple[str, str]:
    """The operations of one state, one input and no offset; the formula and the legend."""
    rnn, theme = canvas.rnn, canvas.theme
    weights = [row[0] for row in rnn.weights]
    names = [html.clean(label(w.name or f"w_{i}"), 24) for i, w in enumerate(weights, 1)]
    lines = [[name, number(w.data)] for name, w in zip(names, weights, strict=True)]
    wide = canvas.room_of([rnn.activation], "plain")[0]
    left = -120 - max(canvas.room_of(lines[1], "parameter")[0], 60) / 2
    right = 256 + wide
    canvas.box("q0", (left, 0), ["qₖ₋₁"], "the state before the step", "state")
    canvas.box("x", (130, -200), ["xₖ"], "the input", "constant")
    inks = theme.styles["parameter"].ink, theme.ink
    for i, at in enumerate([(0, 122), (left, -92)]):
        words = f"{names[i]}: data {weights[i].data!r}"
        canvas.box(f"w{i + 1}", at, lines[i], words, "parameter", *inks)
    with canvas.panel("k", "step k", (-62, -152), (right, 56)):
        canvas.circle("m1", (0, 0), "×", f"{names[0]} times the state", "plain")
        canvas.circle("m2", (130, -92), "×", f"{names[1]} times the input", "plain")
        canvas.circle("s", (130, 0), "+", "π, the sum of both", "plain")
        canvas.text("pi", (187, 15), "πₖ", html.NAME_POINTS, theme.ink)
        canvas.box("a", (220 + wide / 2, 0), [rnn.activation], "the activation", "plain")
    canvas.box("q1", (right + 76, 0), ["qₖ"], "the state after the step", "state")
    fans = {"q0 m1": "state", "w1 m1": "parameter", "w2 m2": "parameter", "x m2": "constant"}
    for ends, role in {**fans, "a q1": "state"}.items():
        canvas.arrow(ends, color=theme.styles[role].line, penwidth="2")
    for ends in ("m1 s", "m2 s", "s a"):
        canvas.arrow(ends)
    formula = f"πₖ = {names[0]}·qₖ₋₁ + {names[1]}·xₖ     qₖ = {_activated(rnn, 'πₖ')}"
    legend = {"parameter": "shared by all steps", "state": "state", "constant": "input"}
    return formula, html.legend_label(legend, theme)


def _draw_arrows(canvas: _Wiring) -> None:
    """An arrow per weight, with its number where they are few."""
    rnn, theme, sources = canvas.rnn, canvas.theme, _sources(canvas.rnn)
    gaps = [-54.0 if role == before else -74.0 for (before, _), (role, _) in pairwise(sources)]
    ys = list(accumulate([0.0, *gaps]))
    for i, ((role, name), y) in enumerate(zip(sources, ys, strict=True)):
        canvas.circle(f"r{i}", (0, y), name, f"{name}, {SOURCES[role]}", role)
    wide = canvas.room_of([rnn.activation], "plain")[0]
    x1, x2 = 380.0, 500.0 + wide
    pitch = min(130.0, max(60.0, -ys[-1] / rnn.states))
    few = sum(w != 0 for w in canvas.numbers) <= MOST_NUMBERS
    for j, (pi, q) in enumerate(zip(*[numbered(n, rnn.states) for n in "πQ"], strict=True)):
        y = ys[-1] / 2 + pitch * ((rnn.states - 1) / 2 - j)
        canvas.circle(f"p{j}", (x1, y), pi, f"{pi}, the sum", "plain")
        canvas.box(f"a{j}", ((x1 + x2) / 2, y), [rnn.activation], "the activation", "plain")
        canvas.circle(f"q{j}", (x2, y), q, f"{q}, the state after the step", "state")
        canvas.arrow(f"p{j} a{j}")
        canvas.arrow(f"a{j} q{j}")
        for i, (_, name) in enumerate(sources):
            w = rnn.weights[i][j].data
            canvas.weight(f"r{i} p{j}", w, f"weight from {name} to {pi}")
            if few and w != 0:
                at = along(canvas.at[f"r{i}"], (x1, y), 0.16)
                words = html.written(short(w), html.VALUE_POINTS, theme.ink)
                chip = html.table([words], **html.BARE, bgcolor=theme.paper)
                canvas.node(f"n{i}_{j}", at, (0, 0), chip, "", "")
    foot = min(y for _, y in canvas.corners) - 22
    for id, x, words in (("c0", 0.0, "before step k"), ("c1", x1, "sums"), ("c2", x2, "after it")):
        canvas.text(id, (x, foot), words, html.SMALL_POINTS, theme.muted)


# --- the network ---------------------------------------------------------------------------------

MOST_ENTRIES: Final = 6
STALE: Final = "weights or inputs were assigned since, and are as they are now; states as computed"

ROW: Final = 70.0
PANEL: Final = 150.0
GAP: Final = 16.0


def draw_network(run: Unrolled, *, theme: str = "light", title: str | None = None) -> Drawing:
    """The picture of an unrolled network, a circle for each state of each step (panels 5 and 7).

    >>> from autograd_rnn import counter, one_hot
    >>> draw_network(counter().unroll(one_hot("AGGTG")))
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
            "draw(..., detail='step') or detail='scalar'."
        )
    columns, right = _Columns(run, theme), RADIUS
    columns.start()
    first, middle, last = shorten(run.steps)
    for step in (*first, *last):
        skipped = bool(middle) and step is last[0]
        if skipped:
            columns.skip(middle, right + 70)
            right += 140 - GAP
        left, right = right + GAP, right + GAP + PANEL
        if step.k in run.cuts:
            columns.cut(step.k, left - GAP / 2, (RADIUS + 28, columns.foot))
        with columns.panel(step.k, f"step {step.k}", (left, columns.foot), (right, RADIUS + 18)):
            columns.neurons(step.k, right - 38)
        columns.arrive(step.k, skipped)
        columns.take(step.k, left)
    what = f"The network, unrolled over {many(len(run.steps), 'step')}"
    stale = assigned_since(topological(*[q for step in run.steps for q in step.q]))
    return columns.finish(title, what, STALE if stale else "")


def has_neurons(run: Any) -> bool:
    """Whether a state is one circle: an activation of its sum, as in an RNN alone."""
    return hasattr(getattr(run, "rnn", None), "activation")


class _Columns(_Wiring):
    """The picture of a run, made from left to right."""

    def __init__(self, run: Unrolled, theme: str) -> None:
        super().__init__(run.rnn, theme)
        self.run, self.names = run, numbered("Q", run.rnn.states)
        states = [run.state, *[step.q for step in run.steps]]
        self.states = [[q.data for q in column] for column in states]
        self.most = _scale(q for column in self.states for q in column)
        self.inputs = [_entries([x.data for x in step.x]) for step in run.steps]
        self.ys = [-ROW * j for j in range(run.rnn.states)]
        self.chip = self.ys[-1] - RADIUS - 26
        self.foot = self.chip - LINE_HEIGHT * max(map(len, self.inputs), default=0) - 42

    def start(self) -> None:
        """The initial state, and the names of the rows."""
        text, theme = self.text, self.theme
        self.neurons(0, 0.0)
        text("start", (0, self.foot + 15), "start", html.SMALL_POINTS, theme.muted)
        for j, (name, y) in enumerate(zip(self.names, self.ys, strict=True)):
            x, up = -RADIUS - 10, 8 if self.rnn.bias else 0
            text(f"n{j}", (x, y + up), name, html.NAME_POINTS, theme.styles["state"].ink, -1)
            if self.rnn.bias:
                offset = f"offset {short(self.rnn.weights[0][j].data)}"
                text(f"o{j}", (x, y - 10), offset, 10, theme.muted, -1)
        if self.inputs and len(self.inputs[0]) > 1:
            for i, name in enumerate(numbered("X", self.rnn.inputs)):
                at = (RADIUS + GAP - 6, self.chip - LINE_HEIGHT * (i + 0.5))
                text(f"i{i}", at, name, html.VALUE_POINTS, theme.styles["constant"].ink, -1)

    def neurons(self, k: int, x: float) -> None:
        """A column of states, greener the larger they are, and the largest in solid green."""
        theme, green = self.theme, self.theme.styles["state"].line
        for j, (name, y, q) in enumerate(zip(self.names, self.ys, self.states[k], strict=True)):
            solid = FULL * self.most <= q < math.inf
            fill = green if solid else tint(q, self.most, green, theme)
            words = f"{name} {f'after step {k}' if k else 'at the start'}: data {q!r}"
            words += f", π {self.run.steps[k - 1].pi[j].data!r}" if k else ""
            ink = theme.paper if solid else theme.ink
            self.circle(f"q{k}_{j}", (x, y), short(q), words, "state", fill, ink)

    def arrive(self, k: int, skipped: bool) -> None:
        """The arrows from the states before, or from the dots that stand for them."""
        for j, name in enumerate(self.names):
            if skipped:
                self.arrow(f"d{j} q{k}_{j}")
                continue
            for i, before in enumerate(self.names):
                w = self.rnn.weights[self.rnn.bias + i][j].data
                self.weight(f"q{k - 1}_{i} q{k}_{j}", w, f"weight from {before} to {name}")

    def take(self, k: int, left: float) -> None:
        """The input, and arrows for what it adds to each sum: if it is one-hot, its row."""
        lines, inputs, theme = self.inputs[k - 1], self.run.steps[k - 1].x, self.theme
        if not lines:
            return
        inks = [theme.muted if line == "0" else theme.styles["constant"].ink for line in lines]
        words = f"input of step {k}: {', '.join(repr(entry.data) for entry in inputs)}"
        width, height = self.room_of(lines, "constant")
        x = left + max(46.0, width / 2 + 8)
        self.box(f"x{k}", (x, self.chip - height / 2), lines, words, "constant", *inks)
        rows = self.rnn.weights[-len(inputs) :]
        for j, name in enumerate(self.names):
            w = sum(row[j].data * entry.data for row, entry in zip(rows, inputs, strict=True))
            first = (x + min(width, 40.0) * ((j + 0.5) / len(self.ys) - 0.5) / 2, self.chip)
            right, up = self.at[f"q{k}_{j}"]
            bend, last, tip = [
                (right - 0.82 * reach, up - 0.57 * reach)
                for reach in (RADIUS + 34, RADIUS + ARROW_HEAD, RADIUS)
            ]
            path = [first, (first[0], 0.4 * first[1] + 0.6 * last[1]), bend, last, tip]
            words = f"what the input of step {k} adds to π of {name}"
            self.weight(f"x{k} q{k}_{j}", w, words, path)

    def skip(self, steps: Sequence[Any], x: float) -> None:
        """Dots for the steps that are left out, and how many they are."""
        muted = self.theme.muted
        for j, y in enumerate(self.ys):
            self.text(f"d{j}", (x, y), "…", html.TITLE_POINTS, muted)
            self.arrow(f"q{steps[0].k - 1}_{j} d{j}")
        words = left_out(steps, self.run.cuts)
        self.text("more", (x, self.foot + 15), words, html.SMALL_POINTS, muted)


def _entries(x: Sequence[float]) -> list[str]:
    """A vector as it is shown: its entries, or one line where they are many."""
    if len(x) <= MOST_ENTRIES:
        return [short(entry) for entry in x]
    if sorted(x) == [*[0.0] * (len(x) - 1), 1.0]:
        return [f"{numbered('X', len(x))[x.index(1.0)]} = 1"]
    return [f"{len(x)} numbers"]


# --- the weights ---------------------------------------------------------------------------------


def draw_weights(
    rnn: RNN, *, inputs: Sequence[str] | None = None, theme: str = "light", title: str | None = None
) -> Drawing:
    """The picture of an RNN's weights: a heat table with the rows [1; Q; X] (panel 6).

    `inputs` names the inputs, as "ACGT" does; `ValueError` for another number of names.

    >>> from autograd_rnn import counter
    >>> draw_weights(counter(), inputs="ACGT")
    <Drawing: The weights, the same at every step: 3 states, 4 inputs, step>
    """
    canvas, sources = _Wiring(rnn, theme), _sources(rnn)
    colours = canvas.theme
    if inputs is not None:
        names = list(inputs)
        if not all(isinstance(name, str) for name in names):
            raise ArgumentTypeError("inputs must be a str or a list of str, a name for each input.")
        if len(names) != rnn.inputs:
            raise ArgumentValueError(
                f"inputs must name the {rnn.inputs} inputs of the RNN, not {len(names)}."
            )
        sources = _sources(rnn, [html.clean(name, 24) for name in names])
    scale = max([abs(w) for w in canvas.numbers if math.isfinite(w)], default=0.0) or 1.0
    shown = [html.text_width(number(w), html.VALUE_POINTS, bold=True) for w in canvas.numbers]
    width = max([64.0, *[room + 16 for room in shown]])
    points = html.NAME_POINTS if width == 64 else html.VALUE_POINTS

    def written(text: str, points: float, ink: str, **looks: str | int) -> str:
        # A line break after each cell, too: a row may be longer than Graphviz reads at once.
        return html.written(text, points, ink, bold=points > html.SMALL_POINTS, **looks) + "\n"

    indent, green = html.cell(colspan=2), colours.styles["state"].ink
    new = written("new state", html.LEGEND_POINTS, colours.muted, colspan=rnn.states)
    heads = [written(name, html.NAME_POINTS, green) for name in numbered("Q", rnn.states)]
    lines, said, group = [indent + new, indent + "".join(heads)], [], ""
    size: html.Looks = {"width": round(width), "height": 32, "align": "RIGHT"}
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
    room = (width * rnn.states + 170, 32.0 * len(rnn.weights) + 80)
    canvas.node("weights", (0, 0), room, html.table(lines, **html.BARE), "; ".join(said), "")
    return canvas.finish(title, "The weights, the same at every step")
