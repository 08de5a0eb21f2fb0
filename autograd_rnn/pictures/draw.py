"""A graph as a drawing, in the detail that suits its size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..arguments import as_choice, as_integer, as_name
from ..errors import ArgumentValueError, GraphTooLarge
from ..graph.notation import written_with
from ..graph.quantities import names_of
from ..graph.walk import Node, check_node, check_run, check_size, describe, topological
from .dot import draw_view, view_graph
from .drawing import Drawing
from .graph_view import DrawnNode, DrawnRun, GraphView, shared_weights, shorten
from .matrices.matrix import draw_matrices
from .paper import Paper, Room, as_paper
from .theme import Theme, as_theme
from .unrolled.boxes import MOST_WEIGHTS, draw_neurons
from .unrolled.cards import MOST_WEIGHTS as MOST_ON_CARDS
from .unrolled.cards import draw_cards
from .unrolled.neurons import layers_of

if TYPE_CHECKING:
    from ..networks.model import Model

MOST_NODES: Final = 300
FEWER: Final = (3, 2)  # digits, where a picture with four has no room
MOST_READ: Final = 100_000
UNREAD: Final = (
    "for a picture to read",
    "draw a part of it, or a run of fewer steps; copies() and gradients() read graphs of any size",
)
# What can be read: boxes of a whole graph, steps with a box for each number, numbers in a step's
# boxes and in those of all steps, ledgers.
MOST_SCALARS: Final = 60
MOST_UNFOLDED: Final = 120
MOST_COLUMNS: Final = 8
MOST_IN_STEP: Final = 30
MOST_IN_BOXES: Final = 200
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
    room: Room

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
    count = len(view.boxes) - view.repeats
    if count > request.max_nodes:
        raise GraphTooLarge(
            f"the picture would have {count} boxes, more than {request.max_nodes}: draw "
            f"one weight with focus=, a network with detail='step', or raise max_nodes=."
        )
    return draw_view(view, request.theme, request.title, request.room.wide)


def _scalars_suit(request: Request) -> bool:
    run = request.run
    if run is None:
        return True
    if request.edges is None and any(len(step.q) != 1 for step in run.steps):
        return False
    if request.weights and len(run.steps) > MOST_COLUMNS:
        return False
    return len(topological(request.output)) <= (MOST_NODES if request.weights else MOST_SCALARS)


def _draw_neurons(request: Request) -> Drawing:
    steps = request.run.steps
    neurons = sum(map(len, layers_of(steps[0]))) if steps else 0
    count = neurons * sum(map(len, shorten(steps)[::2]))
    if count > request.max_nodes:
        raise GraphTooLarge(
            f"the picture would have a box for each of {count} neurons, more than "
            f"{request.max_nodes}: choose detail='step', or raise max_nodes=."
        )
    return draw_neurons(
        *(request.output, request.run, request.weights, request.theme),
        title=request.title,
        room=request.room,
    )


def _neurons_suit(request: Request) -> bool:
    steps = request.run.steps
    numbers = [len(ones) for step in steps[:1] for layer in layers_of(step) for ones in layer]
    shown = sum(map(len, shorten(steps)[::2]))
    return (
        len(request.weights) <= MOST_WEIGHTS
        and sum(numbers) <= MOST_IN_STEP
        and sum(numbers) * shown <= MOST_IN_BOXES
    )


def _draw_cards(request: Request) -> Drawing:
    output, run = request.output, request.run
    ledgers = request.weights or shared_weights(output, run)[:MOST_LEDGERS]
    return draw_cards(output, run, ledgers, request.theme, request.title, request.room)


def _cards_suit(request: Request) -> bool:
    return len(request.weights) <= MOST_ON_CARDS


# From the most detail to the least: "auto" takes the first that suits.
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("scalar", _draw_scalars, ("focus", "edges", "precision"), False, _scalars_suit),
        Kind("neuron", _draw_neurons, ("focus", "precision"), True, _neurons_suit),
        Kind("step", _draw_cards, ("focus", "precision"), True, _cards_suit),
    )
}


def _kinds(detail: str, request: Request, asked: set[str]) -> list[Kind]:
    """The kind of a name, or for "auto" those that suit, most detail first, if they show it all."""
    able = [kind for kind in KINDS.values() if asked.issubset(kind.shows)]
    if detail == "auto":
        fit = [kind for kind in able if request.run is not None or not kind.needs_run]
        return [kind for kind in fit if kind.suits(request)] or fit[:1]
    kind = KINDS[detail]
    if kind.needs_run and request.run is None:
        raise ArgumentValueError(f"detail={detail!r} needs run=, the unrolled network.")
    if kind not in able:
        dropped = " and ".join(f"{name}=" for name in sorted(asked.difference(kind.shows)))
        ways = " or ".join(f"detail={kind.name!r}" for kind in able)
        raise ArgumentValueError(
            f"detail={detail!r} cannot show {dropped}: choose {ways}, or leave it out."
        )
    return [kind]


def _fitting(
    kinds: Sequence[Kind], request: Request, paper: Paper
) -> tuple[Drawing | None, GraphTooLarge | None]:
    """The first kind that a page has room for, else that whose rows have, else of fewest pages.

    Where all are too wide, it is None, with the refusal.  Of too many boxes it is raised at once.
    """
    drawn: list[Drawing] = []
    too_many = too_wide = None
    for kind in kinds:
        try:
            drawing = kind.draw(request)
        except GraphTooLarge as error:
            too_many = error
            continue
        try:
            drawn.append(paper.fit(drawing, True))
        except GraphTooLarge as error:
            too_wide = error
            continue
        if not drawn[-1].pages:
            break
    if not drawn and not too_wide and too_many:
        raise too_many
    best = min(drawn, key=lambda one: (one.too_high > 0, len(one.pages)), default=None)
    return best, too_wide


def _of_fewer_digits(
    kinds: Sequence[Kind],
    request: Request,
    paper: Paper,
    precision: int | None,
    subscripts: bool,
    accents: bool,
) -> Drawing:
    """The drawing that fits, with numbers of fewer digits only where paper has no room for four."""
    drawn = refused = None
    for digits in (None, *FEWER) if precision is None and paper.width < inf else (precision,):
        with written_with(digits, subscripts, accents):
            drawing, refused = _fitting(kinds, request, paper)
        if drawing is not None and not drawing.too_high:
            return drawing
        drawn = drawn or drawing
    if drawn is None:
        assert refused is not None
        raise refused
    return drawn


def draw(
    output: DrawnNode,
    *,
    focus: Node | Sequence[Node] | Model | None = None,
    run: DrawnRun | None = None,
    detail: str = "auto",
    edges: str | None = None,
    theme: str = "auto",
    width: float | str | None = None,
    title: str | None = None,
    max_nodes: int = MOST_NODES,
    precision: int | None = None,
    subscripts: bool = True,
    accents: bool = True,
) -> Drawing:
    """The picture of the graph that the output is computed from; writes nothing.

    With `focus`, a weight or several, their copies are drawn apart, one per use, as the set that
    separates them from the output, and what does not depend on them is folded into constants
    (panels 10-12); with a model, W and its copies are matrices, and each step adds an outer product
    to ∂output/∂W.  With `run`, the unrolled network or the `Steps` of a loop, each step has a
    panel.  Gradients are ∂output/∂node, shown as `–` as long as no `backward` has reached the
    output.  All is as the graph was computed; a leaf that was assigned since shows `3 → 2.4`, or
    `? → 2.4` where nothing tells what it was, and so does one that may have been assigned.

    `detail` is "scalar", a box for each number; "neuron", a box for each neuron of each step, or
    "step", a card for each step, which need `run`; "auto" is the most detailed that has room and
    shows what is asked for.  `edges` is "local", with the local derivatives on the arrows, or
    "plain"; unless given, local for a whole network of one state.  `precision` is the number of
    significant digits, 17 at most; unless given, 4, or down to 2 where `width` has no room for
    more.  `subscripts=False` writes w_1 for w₁, and `accents=False` writes w₁⁽²⁾ for ẅ₁.

    `theme` is "light", "dark", or "auto", which is light and turns dark on dark screens.  `width`
    is that of the picture in points, or "a4" or "slide": the steps of a network are wrapped into
    rows, and no text is smaller than 7 points.  "a4" and "slide" are pages: "auto" is the most
    detailed that fits on one, and what is higher than a page has `pages`, parts of whole rows.

    `ValueError` where the output does not depend on `focus`, or a detail cannot show what is asked
    for, as only "scalar" shows local derivatives.
    `GraphTooLarge` (likewise) above `max_nodes` boxes, where the
    text would be too small for `width`, and for a graph of more than 100,000 nodes.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> draw(w * w + 1, focus=w)
    <Drawing: w·w + 1 = 10, 5 boxes, 2 copies of w>
    """
    if hasattr(focus, "parameters"):
        asked = {"edges": edges is not None, "detail": detail != "auto", "precision": precision}
        return _draw_model(output, focus, run, asked, theme, width, title)
    weights = check_graph(output, focus, run, title, max_nodes)
    colours = as_theme(theme)
    if edges is not None:
        as_choice(edges, "edges", ("local", "plain"))
    as_choice(detail, "detail", ("auto", *KINDS))
    if precision is not None:
        as_integer(precision, "precision", least=1, most=17)
    given = {"focus": weights, "edges": edges == "local", "precision": precision}
    paper = as_paper(width)
    request = Request(output, weights, run, edges, colours, title, max_nodes, paper.room)
    check_size(output, MOST_READ, *UNREAD)
    kinds = _kinds(detail, request, {name for name, value in given.items() if value})
    with written_with(precision, subscripts, accents), names_of(run):
        drawing = _of_fewer_digits(kinds, request, paper, precision, subscripts, accents)
        if drawing.view is None and len(topological(output)) <= MOST_NODES:
            # Every number goes inside, where that can be followed on a page.
            view = request.view()
            if len(view.boxes) <= MOST_UNFOLDED:
                drawing.inside = draw_view(view, colours)
        return drawing


def _draw_model(
    output: Any, model: Any, run: Any, asked: dict[str, Any], theme: str, width: Any, title: Any
) -> Drawing:
    """The picture of a model's weights as matrices."""
    check_node(output, "output")
    check_run(run)
    check_size(output, MOST_READ, *UNREAD)
    if run is None:
        raise ArgumentValueError("focus=, a model, needs run=, the model unrolled.")
    for name, given in asked.items():
        if given:
            raise ArgumentValueError(
                f"the picture of a whole model cannot show {name}=: leave it out, or focus on one "
                f"weight, as in focus=model.parameters()[0]."
            )
    paper = as_paper(width)
    drawing = draw_matrices(
        output, model, run, as_theme(theme), as_name(title, "title"), paper.room
    )
    return paper.fit(drawing, True)


def check_graph(output: Any, focus: Any, run: Any, title: Any, max_nodes: Any) -> list[Any]:
    """The weights in focus as a list, once the arguments are what they should be."""
    several = isinstance(focus, list | tuple)
    weights: list[Any] = list(focus) if several else [] if focus is None else [focus]
    check_node(output, "output")
    for place, weight in enumerate(weights):
        where = f"focus[{place}]" if several else "focus"
        check_node(weight, where)
        if weight.constant:
            raise ArgumentValueError(
                f"{where} is the constant {describe(weight)}, and constants are never "
                f"differentiated: choose a variable, or make it one, as unfreeze() does."
            )
    check_run(run)
    as_name(title, "title")
    as_integer(max_nodes, "max_nodes", least=0)
    return weights
