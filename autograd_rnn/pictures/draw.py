"""A graph as a drawing, in the detail that suits its size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

from ..arguments import as_choice, as_integer, as_name
from ..errors import ArgumentValueError, GraphTooLarge
from ..graph.notation import written_with
from ..graph.quantities import names_of
from ..graph.walk import Node, check_node, check_run, topological
from .dot import draw_view, view_graph
from .drawing import Drawing
from .graph_view import DrawnNode, DrawnRun, GraphView, shared_weights
from .network import draw_network, has_neurons
from .step_cards import draw_cards
from .theme import Theme, as_theme

MOST_NODES: Final = 300
# What can be read: boxes of a whole graph, steps with a box for each number, circles, ledgers.
MOST_SCALARS: Final = 60
MOST_UNFOLDED: Final = 120
MOST_COLUMNS: Final = 8
MOST_NEURONS: Final = 80
MOST_LEDGERS: Final = 2


class Request(NamedTuple):
    """What is to be drawn, and how: the arguments of `draw`, once they are checked."""

    output: Any
    weights: Sequence[Any]
    run: Any
    edges: str | None
    theme: Theme
    title: str | None
    max_nodes: int

    def view(self) -> GraphView:
        """The graph, number by number."""
        return view_graph(self.output, self.weights, self.run, self.edges)


class Kind(NamedTuple):
    """A kind of picture, which `draw(detail=...)` calls by its name.

    `shows` are those of "focus", "edges" and "precision" that it can show, the others are refused;
    `suits` says whether "auto" may take it for a request.
    """

    name: str
    draw: Callable[[Request], Drawing]
    shows: Collection[str] = ()
    needs_run: bool = True
    suits: Callable[[Request], bool] = lambda request: False


def _draw_scalars(request: Request) -> Drawing:
    view = request.view()
    if len(view.boxes) > request.max_nodes:
        raise GraphTooLarge(
            f"the picture would have {len(view.boxes)} boxes, more than {request.max_nodes}: draw "
            f"one weight with focus=, a network with detail='step', or raise max_nodes=."
        )
    return draw_view(view, request.theme, request.title)


def _scalars_suit(request: Request) -> bool:
    if request.run is not None and request.weights:
        return len(request.run.steps) <= MOST_COLUMNS
    return request.run is None or len(topological(request.output)) <= MOST_SCALARS


def _draw_neurons(request: Request) -> Drawing:
    return draw_network(request.run, theme=request.theme.name, title=request.title)


def _neurons_suit(request: Request) -> bool:
    return has_neurons(request.run) and len(request.run.q) * len(request.run.steps) <= MOST_NEURONS


def _draw_cards(request: Request) -> Drawing:
    output, run = request.output, request.run
    ledgers = request.weights or shared_weights(output, run)[:MOST_LEDGERS]
    return draw_cards(output, run, ledgers, request.theme, request.title)


# From the most detail to the least: "auto" takes the first that suits.
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("scalar", _draw_scalars, ("focus", "edges", "precision"), False, _scalars_suit),
        Kind("neuron", _draw_neurons, (), True, _neurons_suit),
        Kind("step", _draw_cards, ("focus", "precision"), True, lambda request: True),
    )
}


def _kind(detail: str, request: Request, asked: set[str]) -> Kind:
    """The kind of a name, or for "auto" the first that suits, if it shows what is asked for."""
    able = [kind for kind in KINDS.values() if asked.issubset(kind.shows)]
    if detail == "auto":
        fit = [kind for kind in able if request.run is not None or not kind.needs_run]
        return next((kind for kind in fit if kind.suits(request)), fit[0])
    kind = KINDS[detail]
    if kind.needs_run and request.run is None:
        raise ArgumentValueError(f"detail={detail!r} needs run=, the unrolled network.")
    if kind not in able:
        dropped = " and ".join(f"{name}=" for name in sorted(asked.difference(kind.shows)))
        ways = " or ".join(f"detail={kind.name!r}" for kind in able)
        raise ArgumentValueError(
            f"detail={detail!r} cannot show {dropped}: choose {ways}, or leave it out."
        )
    return kind


def draw(
    output: DrawnNode,
    *,
    focus: Node | Sequence[Node] | None = None,
    run: DrawnRun | None = None,
    detail: str = "auto",
    edges: str | None = None,
    theme: str = "light",
    title: str | None = None,
    max_nodes: int = MOST_NODES,
    precision: int | None = None,
    subscripts: bool = True,
    accents: bool = True,
) -> Drawing:
    """The picture of the graph that the output is computed from; writes nothing.

    With `focus`, a weight or several, their copies are drawn apart, one per use, as the set that
    separates them from the output, and what does not depend on them is folded into constants
    (panels 10-12).  With `run`, the unrolled network or the `Steps` of a loop, each step has a
    panel.  Gradients are
    ∂output/∂node, shown as `–` as long as no `backward` has reached the output.  All is as the
    graph was computed; a leaf that was assigned since shows `3 → 2.4`, or `? → 2.4` where nothing
    tells what it was, and so does one that may have been assigned.

    `detail` is "scalar", a box for each number; "neuron", a circle for each state, or "step", a
    card for each step, which need `run`; "auto" is the most detailed that has room and shows what
    is asked for.  `edges` is "local", with the local derivatives on the arrows, or "plain"; unless
    given, local for a whole network of one state.  `theme` is "light", which turns dark on dark
    screens, or "dark".  `precision` is the number of significant digits, 4 unless given and 17 at
    most; `subscripts=False` writes w_1 for w₁, and `accents=False` writes w₁⁽²⁾ for ẅ₁.

    `ValueError` where the output does not depend on `focus`, or a detail cannot show what is asked
    for: circles show no focus and no precision, and neither they nor cards local derivatives.
    `GraphTooLarge` (likewise) above `max_nodes` boxes.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> draw(w * w + 1, focus=w)
    <Drawing: w·w + 1 = 10, 5 boxes, 2 copies of w>
    """
    weights = check_graph(output, focus, run, title, max_nodes)
    colours = as_theme(theme)
    if edges is not None:
        as_choice(edges, "edges", ("local", "plain"))
    as_choice(detail, "detail", ("auto", *KINDS))
    if precision is not None:
        as_integer(precision, "precision", least=1, most=17)
    given = {"focus": weights, "edges": edges == "local", "precision": precision}
    request = Request(output, weights, run, edges, colours, title, max_nodes)
    kind = _kind(detail, request, {name for name, value in given.items() if value})
    with written_with(precision, subscripts, accents), names_of(run):
        drawing = kind.draw(request)
        if drawing.view is None and len(topological(output)) <= MOST_NODES:
            # Every number goes inside, where that can be followed on a page.
            view = request.view()
            if len(view.boxes) <= MOST_UNFOLDED:
                drawing.inside = draw_view(view, colours)
        return drawing


def check_graph(output: Any, focus: Any, run: Any, title: Any, max_nodes: Any) -> list[Any]:
    """The weights in focus as a list, once the arguments are what they should be."""
    several = isinstance(focus, list | tuple)
    weights: list[Any] = list(focus) if several else [] if focus is None else [focus]
    check_node(output, "output")
    for place, weight in enumerate(weights):
        check_node(weight, f"focus[{place}]" if several else "focus")
    check_run(run)
    as_name(title, "title")
    as_integer(max_nodes, "max_nodes", least=0)
    return weights
