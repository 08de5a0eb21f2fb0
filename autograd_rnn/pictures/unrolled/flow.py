"""How a gradient flows back through the steps of a run: its size at each, and what copies add."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, hypot, inf, isfinite, log10
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...arguments import as_name, many
from ...errors import ArgumentTypeError, ArgumentValueError
from ...graph.copies import Copy, copies
from ...graph.marks import marks_of
from ...graph.notation import number
from ...graph.sweep import adjoints
from ...graph.walk import Node, check_node, check_run, steps_of, topological
from .. import html_labels as html
from ..canvas import ARROW_HEAD, Canvas, Point, cornered, spline
from ..drawing import Drawing
from ..graph_view import DrawnRun
from ..paper import as_paper
from ..theme import as_theme

if TYPE_CHECKING:
    from ...networks.model import Model

MOST_STEPS: Final = 400
NEAR: Final = 10_000  # nodes of a graph that is not read whole, to refuse a long run at once
LOGARITHMIC: Final = 100.0  # the ratio of sizes from which the axis is logarithmic
DECADES: Final = 60  # the most that an axis shows
HEIGHT: Final = 150.0
BETWEEN: Final = 106.0
WIDE: Final = 940.0
PITCH: Final = 96.0
FOOT: Final = 54.0  # under the axis
FACTOR_ROOM: Final = 50.0
NUMBERS: Final = 64.0  # the pitch from which bars have numbers
LABEL_ROOM: Final = 30.0


class Flow(NamedTuple):
    """The sizes of one run: |δ| and the terms of each step, and the factors from step to step."""

    name: str
    deltas: Sequence[float]
    terms: Sequence[float]
    factors: Sequence[float]  # from each step to the one before it; the first is that of step 2
    cuts: Sequence[int]
    sums: Sequence[Sequence[Node]]  # what δ is by
    copies: Sequence[Sequence[Copy]]


def draw_flow(
    output: Node | Sequence[Node],
    *,
    run: DrawnRun | Sequence[DrawnRun],
    focus: Node | Model | Sequence[Node | Model] | None = None,
    names: Sequence[str] | None = None,
    theme: str = "auto",
    width: float | str | None = None,
    title: str | None = None,
) -> Drawing:
    """The picture of how the gradient of an output flows back through the steps of a run.

    For each step it shows |δ⁽ᵏ⁾|, the length of δ⁽ᵏ⁾ = ∂output/∂π⁽ᵏ⁾, and with `focus`, a weight or
    a model, the size of what the copies of that step add to its gradient.  Where there is room, the
    arrows carry the factor by which δ shrinks or grows from a step to the one before: of one state
    it is |w·a′(π)|.  The axis is logarithmic where sizes differ by more than 100.  Several outputs,
    each with its run, stand above each other on one axis: an RNN over an LSTM shows why the
    gradients of one vanish.  `names` are what they are called; `focus` is then one for each.

    `ValueError` where an output depends on no step, or lists differ in length.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> run = rnn.unroll(bits("101"))
    >>> draw_flow((15 - run.pi[0]) ** 2, run=run, focus=rnn.weights[0][0])
    <Drawing: How the gradient flows back: RNN over 3 steps, |δ| from 4 to 64>
    """
    several = isinstance(output, list | tuple)
    outputs: list[Any] = list(output) if isinstance(output, list | tuple) else [output]
    runs: list[Any] = list(run) if isinstance(run, list | tuple) else [run]
    chosen: list[Any] = list(focus) if several and isinstance(focus, list | tuple) else [focus]
    if focus is None:
        chosen = [None] * len(outputs)
    called: list[Any] = [None] * len(outputs) if names is None else list(names)
    for argument, given in (("run", runs), ("focus", chosen), ("names", called)):
        if len(given) != len(outputs):
            raise ArgumentValueError(
                f"{argument} must have one for each output, {len(outputs)}, not {len(given)}."
            )
    flows = []
    for place, (one, its, weight, name) in enumerate(
        zip(outputs, runs, chosen, called, strict=True)
    ):
        check_node(one, f"output[{place}]" if several else "output")
        if its is None:
            raise ArgumentTypeError("run must be an unrolled network, not None.")
        check_run(its)
        flows.append(_flow(one, its, weight, as_name(name, "names")))
    paper = as_paper(width)
    canvas = Canvas(as_theme(theme), layout="nop2", outputorder="edgesfirst")
    chart = _Chart(canvas, flows, paper.room.wide, focus is not None)
    chart.draw()
    heading = "How the gradient flows back" if title is None else as_name(title, "title") or ""
    told = f"δ⁽ᵏ⁾ = ∂L/∂π⁽ᵏ⁾ at each step k, from right to left{chart.axis_words()}"
    canvas.frame(heading, told, chart.legend(), wide=paper.room.wide)
    last = flows[-1]
    ends = f"|δ| from {number(last.deltas[-1])} to {number(last.deltas[0])}"
    rows = f"{many(len(flows), 'run')}, the last " if len(flows) > 1 else ""
    steps = many(len(last.deltas), "step")
    # Marks are those of one output.
    marks = {} if several else marks_of(topological(outputs[0]))
    drawing = canvas.drawing(f"{heading}: {rows}{last.name} over {steps}, {ends}", marks)
    return paper.fit(drawing)


def _flow(output: Any, run: Any, focus: Any, name: str | None) -> Flow:
    """The sizes of a run."""
    if _reads_more(output, run.steps[MOST_STEPS:]):
        raise _too_long(run.steps)
    order, adjoint, step_of = topological(output), adjoints(output), steps_of(run)
    reached = {step_of[node] for node in order if node in step_of}
    steps = [step for step in run.steps if step.k in reached]
    if not steps:
        raise ArgumentValueError("output depends on no step of run: no gradient flows back.")
    if len(steps) > MOST_STEPS:
        raise _too_long(steps)
    deltas = [hypot(*[adjoint.get(pi, 0.0) for pi in _sums(step)]) for step in steps]
    terms = dict.fromkeys([step.k for step in steps], 0.0)
    uses: dict[int, list[Copy]] = {step.k: [] for step in steps}
    weights = focus.parameters() if hasattr(focus, "parameters") else [focus] * (focus is not None)
    for weight in weights:
        found: dict[int, float] = {}
        for use in copies(weight, output, run):
            if use.step is not None:
                found[use.step] = found.get(use.step, 0.0) + use.grad
                uses[use.step].append(use)
        for k, total in found.items():
            terms[k] = hypot(terms[k], total)
    inner: dict[int, list[Any]] = {}
    readers: dict[Any, list[tuple[Any, int]]] = {}
    for node in order:
        if node in step_of:
            inner.setdefault(step_of[node], []).append(node)
            for position, parent in enumerate(node.parents):
                if parent in step_of and step_of[parent] < step_of[node]:
                    readers.setdefault(parent, []).append((node, position))
    factors = []
    for step, after, delta in zip(steps, steps[1:], deltas[1:], strict=False):
        local: dict[Any, float] = {}
        for node in inner[step.k]:
            for consumer, position in readers.get(node, ()):
                if step_of[consumer] == after.k:
                    back = adjoint.get(consumer, 0.0) * consumer.partials[position]
                    local[node] = local.get(node, 0.0) + back
        for node in reversed(inner[step.k]):
            if back := local.get(node, 0.0):
                for parent, partial in zip(node.parents, node.partials, strict=True):
                    if step_of.get(parent) == step.k:
                        local[parent] = local.get(parent, 0.0) + back * partial
        arrived = hypot(*[local.get(pi, 0.0) for pi in _sums(step)])
        factors.append(arrived / delta if delta else 0.0)
    model = type(getattr(run, "rnn", run)).__name__
    sizes = (name or model, deltas, [*terms.values()], factors, sorted(run.cuts))
    return Flow(*sizes, [*map(_sums, steps)], [*uses.values()])


def _too_long(steps: Sequence[Any]) -> ArgumentValueError:
    return ArgumentValueError(
        f"run has {len(steps)} steps, more than {MOST_STEPS}: draw the flow of the last of "
        f"them, as in rnn.unroll(inputs[-{MOST_STEPS}:])."
    )


def _reads_more(output: Any, steps: Sequence[Any]) -> bool:
    """Whether the output is computed from one of these steps, as far as its nearest nodes tell."""
    near, nodes = {output}, [output]
    for node in nodes:  # which grows meanwhile
        if len(near) >= NEAR:
            break
        fresh = [parent for parent in dict.fromkeys(node.parents) if parent not in near]
        near.update(fresh)
        nodes += fresh
    return any(not near.isdisjoint([*step.pi, *step.q]) for step in reversed(steps))


def _sums(step: Any) -> list[Any]:
    """The sums π of a step, of all its layers that have a state."""
    found: dict[Any, None] = {}
    for part in getattr(step, "layers", (step,)):
        found |= dict.fromkeys([*part.pi, *([] if part.pi else part.q)])
    return list(found)


class _Chart:
    """The bars of the runs above each other, on one axis."""

    def __init__(self, canvas: Canvas, flows: Sequence[Flow], room: float, terms: bool) -> None:
        self.canvas, self.flows, self.terms, self.theme = canvas, flows, terms, canvas.theme
        sizes = [x for flow in flows for x in (*flow.deltas, *(flow.terms if terms else ()))]
        shown = [x for x in sizes if 0.0 < x < inf] or [1.0]
        self.most, least = max(shown), min(shown)
        self.logarithmic = self.most > LOGARITHMIC * least
        self.high = ceil(log10(self.most) + 1e-9)
        self.low = max(floor(log10(least) - 1e-9), self.high - DECADES)
        self.stride = max(1, ceil((self.high - self.low) / 6))
        steps = max(len(flow.deltas) for flow in flows)
        self.pitch = min(PITCH, (min(room, WIDE) - 90.0) / steps)
        self.right = steps * self.pitch

    def axis_words(self) -> str:
        """How the axis is to be read."""
        times = number(10.0**self.stride)
        return f"; each line is {times} times the one below it" if self.logarithmic else ""

    def _height(self, x: float) -> float:
        if not isfinite(x):
            return HEIGHT
        if not self.logarithmic:
            return HEIGHT * x / self.most
        if x <= 0.0:
            return 0.0
        return max(2.0, HEIGHT * (log10(x) - self.low) / (self.high - self.low))

    def draw(self) -> None:
        """All the rows."""
        for row, flow in enumerate(self.flows):
            base = -row * (HEIGHT + BETWEEN)
            self._row(row, flow, base)
            self.canvas.breaks.append(base - FOOT - 4.0)

    def _row(self, row: int, flow: Flow, base: float) -> None:
        canvas, theme = self.canvas, self.theme
        ink = theme.ink
        words = flow.name + self._rate(flow)
        canvas.text(f"r{row}", (0.0, base + HEIGHT + 34), words, html.NAME_POINTS, ink, 1)
        self._axis(row, base)
        steps = len(flow.deltas)
        start = self.right - steps * self.pitch
        bar = max(1.2, self.pitch * (0.3 if self.terms else 0.5))
        every = max(1, ceil(LABEL_ROOM / self.pitch))
        for place in range(steps):
            k, middle = place + 1, start + (place + 0.5) * self.pitch
            pairs: list[tuple[str, float, str, Sequence[Any]]]
            pairs = [("delta", flow.deltas[place], theme.gradient, flow.sums[place])]
            if self.terms:
                line = theme.styles["copy"].line
                pairs.append(("term", flow.terms[place], line, flow.copies[place]))
            for which, (kind, size, colour, about) in enumerate(pairs):
                x = middle + (which - (len(pairs) - 1) / 2) * (bar + min(3.0, 0.1 * self.pitch))
                side = 0.0 if len(pairs) == 1 else 2.0 * which - 1.0
                id = f"{kind}{row}_{k}"
                if self._bar(id, x, base, bar, size, colour, kind, k, side):
                    canvas.about(id, *about)
            if place % every == 0 or place == steps - 1:
                if place != steps - 1 and steps - 1 - place < every:
                    continue
                canvas.text(
                    f"k{row}_{k}", (middle, base - 12), str(k), html.KEY_POINTS, theme.muted
                )
            if k in flow.cuts and place:
                x, looks = middle - self.pitch / 2, {"style": "dotted", "penwidth": "2.2"}
                line = spline(cornered((x, base + HEIGHT), (x, base)))
                canvas.text(f"cut{row}_{k}", (x, base + HEIGHT + 8), "cut", 10, theme.gradient)
                cut = f"cut{row}_{k}"
                canvas.titles[cut] = f"δ of step {k} to step {k - 1}: cut"
                looks |= {"color": theme.gradient, "dir": "none", "pos": line}
                canvas.graph.edge(cut, cut, {"id": f"e0_{row}_{k}", **looks})
        if self.pitch >= FACTOR_ROOM:
            self._factors(row, flow, start, base - 34)

    def _bar(
        self,
        id: str,
        x: float,
        base: float,
        wide: float,
        size: float,
        ink: str,
        kind: str,
        k: int,
        side: float,
    ) -> bool:
        """Draw a bar with its number, which reaches out to its side of a pair, if there is any."""
        high = self._height(size)
        what = f"|δ| of step {k}" if kind == "delta" else f"what step {k} adds"
        if high:
            looks = {"shape": "box", "style": "filled", "fillcolor": ink, "color": ink}
            looks |= {"width": f"{wide / 72:.4f}", "height": f"{high / 72:.4f}"}
            looks |= {"fixedsize": "true", "penwidth": "0"}
            at = (x, base + high / 2)
            self.canvas.node(id, at, (wide, high), "", f"{what}: {size!r}", kind, **looks)
        elif self.pitch > 30:
            self.canvas.text(id, (x, base + 8), "0", html.KEY_POINTS, ink)
        words = _brief(size)
        more = html.text_width(words, html.KEY_POINTS) - wide
        if high and self.pitch > NUMBERS and more < self.pitch / 6:
            at = (x + side * max(0.0, more) / 2, base + high + 8)
            self.canvas.text(f"{id}_n", at, words, html.KEY_POINTS, ink)
        return high > 0.0 or self.pitch > 30

    def _axis(self, row: int, base: float) -> None:
        canvas, theme = self.canvas, self.theme
        if self.logarithmic:
            marks = [(10.0**power, power) for power in range(self.high, self.low - 1, -self.stride)]
            told = [
                (number(size), HEIGHT * (power - self.low) / (self.high - self.low))
                for size, power in marks
            ]
        else:
            told = [(_brief(self.most * part), HEIGHT * part) for part in (0.0, 0.5, 1.0)]
        for place, (words, high) in enumerate(told):
            id = f"y{row}_{place}"
            canvas.text(id, (-8.0, base + high), words, html.KEY_POINTS, theme.muted, -1)
            line = spline(cornered((0.0, base + high), (self.right, base + high)))
            looks = {"color": theme.panel_line, "dir": "none", "penwidth": "1"}
            canvas.graph.edge(id, id, looks | {"id": f"e0_y{row}_{place}", "pos": line})
        line = spline(cornered((0.0, base), (self.right, base)))
        looks = {"color": theme.line, "dir": "none", "penwidth": "1.4"}
        looks |= {"id": f"e0_b{row}", "pos": line}
        canvas.graph.edge(f"y{row}_0", f"y{row}_0", looks)
        canvas.corners += [(0.0, base - FOOT), (self.right, base + HEIGHT)]

    def _factors(self, row: int, flow: Flow, start: float, y: float) -> None:
        """The arrows back from step to step, each with its factor."""
        canvas, theme = self.canvas, self.theme
        for place, factor in enumerate(flow.factors):
            if place + 2 in flow.cuts or not flow.deltas[place + 1]:
                continue  # nothing goes back
            x0, x1 = start + (place + 1.5) * self.pitch, start + (place + 0.5) * self.pitch
            begin: Point = (x0 - 5, y)
            tip: Point = (x1 + 5, y)
            looks = {"color": theme.gradient, "style": "dashed", "penwidth": "1.4"}
            words = f"×{_brief(factor)}"
            text = html.label(words, html.KEY_POINTS, theme.gradient, bold=True)
            looks |= {"label": text, "lp": f"{(x0 + x1) / 2:.2f},{y - 11:.2f}"}
            tail, head = f"delta{row}_{place + 2}", f"delta{row}_{place + 1}"
            path = [*cornered(begin, (tip[0] + ARROW_HEAD, y)), tip]
            said = f"δ of step {place + 2} to step {place + 1}: {words}"
            canvas.arrow(f"{tail} {head}", path, said, "back", **looks)

    def _rate(self, flow: Flow) -> str:
        """How fast δ shrinks or grows, per step."""
        inner = [factor for factor in flow.factors if factor > 0.0 and isfinite(factor)]
        if not inner:
            return ""
        mean = 10 ** (sum(log10(factor) for factor in inner) / len(inner))
        return f"   ×{_brief(mean)} per step back"

    def legend(self) -> str:
        """What the bars are."""
        theme = self.theme
        told = [("length of δ⁽ᵏ⁾", theme.gradient)]
        if self.terms:
            told.append(("size of what the copies of step k add", theme.styles["copy"].line))
        line = ""
        for words, colour in told:
            looks = {"color": colour, "bgcolor": colour}
            line += html.cell(border=1, **looks, width=14, height=14)
            line += html.written(f"{words}   ", html.LEGEND_POINTS, theme.muted, align="LEFT")
        return html.table([line], **{**html.BARE, "cellspacing": "4"})


def _brief(x: float) -> str:
    return number(x, 2, 4)
