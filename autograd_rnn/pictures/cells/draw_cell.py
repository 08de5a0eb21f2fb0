"""One step of a model: the operations or the weights of an RNN, the gates of other layers."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from ...arguments import as_name
from ...errors import ArgumentTypeError, ArgumentValueError
from ...graph.notation import label, number
from .. import html_labels as html
from ..canvas import FRAME, RADIUS, along
from ..drawing import Drawing
from ..network import SOURCES, Wiring, activated, numbered, short, sources_of
from ..paper import as_paper
from ..theme import as_theme
from .gates import draw_gates

if TYPE_CHECKING:
    from ...networks.model import Model

MOST_NUMBERS: Final = 12
FOOT: Final = 34.0  # for the words under the columns


def draw_cell(
    rnn: Model, *, theme: str = "auto", width: float | str | None = None, title: str | None = None
) -> Drawing:
    """The picture of one step of a layer, as panel 8 has it: what happens in every step.

    Of an RNN each operation is drawn where they are few, else each weight as an arrow.  Of a layer
    with gates, such as an LSTM, a GRU or a `Model` of your own, the operations of one neuron are
    drawn, as its step computes them: the way of the state, and under it the gates, each with its
    weights and what it reads.  `theme` and `width` are those of `draw`.  `ValueError` for a model
    without a state, and for a `Stack`, whose layers are drawn one by one.

    >>> from autograd_rnn import LSTM, RNN
    >>> draw_cell(RNN([[4], [1]], activation="relu", bias=False))
    <Drawing: One step of an RNN: 1 state, 1 input, relu>
    >>> draw_cell(LSTM.random(2, 3))
    <Drawing: One step of an LSTM: 2 states, 3 inputs>
    """
    paper = as_paper(width)
    if not hasattr(rnn, "activation"):
        if not hasattr(rnn, "advance"):
            raise ArgumentTypeError(
                f"rnn must be a layer, such as an RNN or an LSTM, not {type(rnn).__name__}."
            )
        if hasattr(rnn, "layers"):
            raise ArgumentValueError(
                "rnn has several layers: draw the cell of each, as in draw_cell(rnn.layers[0])."
            )
        if rnn.both_ways:
            raise ArgumentValueError(
                "rnn has two layers side by side: draw the cell of each, as in "
                "draw_cell(rnn.forward)."
            )
        if not rnn.letters:
            raise ArgumentValueError(
                "rnn keeps no state of its own from step to step, and so has no cell: draw that of "
                "a layer with one, such as an LSTM."
            )
        return paper.fit(draw_gates(rnn, as_theme(theme), as_name(title, "title"), paper.room.wide))
    neurons: Any = rnn
    canvas, what = Wiring(neurons, theme), "One step of an RNN"
    if (rnn.states, rnn.inputs, rnn.bias) == (1, 1, False):
        return paper.fit(canvas.finish(title, what, paper.room.wide, *_draw_operations(canvas)))
    _draw_arrows(canvas, paper.room.high - FRAME)
    return paper.fit(canvas.finish(title, what, paper.room.wide))


def _draw_operations(canvas: Wiring) -> tuple[str, str]:
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
        canvas.about(f"w{i + 1}", weights[i])
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
    formula = f"πₖ = {names[0]}·qₖ₋₁ + {names[1]}·xₖ     qₖ = {activated(rnn, 'πₖ')}"
    legend = {"parameter": "shared by all steps", "state": "state", "constant": "input"}
    return formula, html.legend_label(legend, theme)


def _draw_arrows(canvas: Wiring, high: float) -> None:
    """An arrow per weight, with its number where they are few, in no more height where it may."""
    rnn, theme, sources = canvas.rnn, canvas.theme, sources_of(canvas.rnn)
    for near, far, radius in ((54.0, 74.0, RADIUS), (50.0, 56.0, RADIUS), (41.0, 46.0, 19.0)):
        gaps = [near if role == before else far for (before, _), (role, _) in pairwise(sources)]
        if sum(gaps) + 2 * radius + FOOT <= high:
            break
    canvas.radius = radius
    ys = list(accumulate([0.0, *[-gap for gap in gaps]]))
    for i, ((role, name), y) in enumerate(zip(sources, ys, strict=True)):
        canvas.circle(f"r{i}", (0, y), name, f"{name}, {SOURCES[role]}", role)
    wide = canvas.room_of([rnn.activation], "plain")[0]
    x1, x2 = 380.0, 500.0 + wide
    pitch = min(130.0, max(2 * radius + 12.0, -ys[-1] / rnn.states))
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
