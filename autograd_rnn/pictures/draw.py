"""A graph as a drawing, in the detail that suits its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..arguments import as_choice, as_integer, as_name
from ..errors import ArgumentTypeError, ArgumentValueError, GraphTooLarge
from ..graph.notation import written_with
from ..graph.walk import is_node, topological
from .canvas import Figure, cut_words
from .dot import arrow_words, write_dot
from .drawing import Drawing
from .graph_view import Sketch, shared_weights, sketch_graph
from .network import write_cell, write_network, write_weights
from .step_cards import write_cards
from .theme import as_theme

DETAILS: Final = ("auto", "scalar", "neuron", "step")
MOST_NODES: Final = 300
# What can be read: boxes of a whole graph, steps with a box for each number, circles, ledgers.
MOST_SCALARS: Final = 60
MOST_UNFOLDED: Final = 120
MOST_COLUMNS: Final = 8
MOST_NEURONS: Final = 80
MOST_LEDGERS: Final = 2


def draw(
    output: Any,
    *,
    focus: Any = None,
    run: Any = None,
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
    (panels 10-12).  With `run`, the unrolled network, each step has a panel.  Gradients are
    ∂output/∂node, shown as `–` as long as no `backward` has reached the output.

    `detail` is "scalar", a box for each number; "neuron", a circle for each state, or "step", a
    card for each step, which need `run`; "auto" chooses by size.  `edges` is "local", with the
    local derivatives on the arrows, or "plain"; unless given, local for a whole network of one
    state.  `theme` is "light", which turns dark on dark screens, or "dark".  `precision` is the
    number of significant digits, 4 unless given and 17 at most; `subscripts=False` leaves the 1 of
    w_1 where it is, and `accents=False` writes w₁⁽²⁾ for ẅ₁.

    `ValueError` where the output does not depend on `focus`; `GraphTooLarge` (likewise) above
    `max_nodes` boxes, 300 unless given.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> draw(w * w + 1, focus=w)
    <Drawing: w·w + 1 = 10, 5 boxes, 2 copies of w>
    """
    weights = check_graph(output, focus, run)
    colours = as_theme(theme)
    as_name(title, "title")
    if edges is not None:
        as_choice(edges, "edges", ("local", "plain"))
    as_choice(detail, "detail", DETAILS)
    as_integer(max_nodes, "max_nodes", least=0)
    if precision is not None:
        as_integer(precision, "precision", least=1, most=17)
    if run is None and detail in ("neuron", "step"):
        raise ArgumentValueError(f"detail={detail!r} needs run=, the unrolled network.")
    if detail == "neuron":
        _check_neurons(run)
    if detail == "auto":
        detail = _detail(output, weights, run)
    with written_with(precision, subscripts, accents):
        if detail == "neuron":
            figure = write_network(run, colours, title)
            return Drawing(figure, theme, inside=_inside(output, weights, run, edges, theme))
        if detail == "step":
            ledgers = weights or shared_weights(output, run)[:MOST_LEDGERS]
            figure = write_cards(output, run, ledgers, colours, title)
            return Drawing(figure, theme, inside=_inside(output, weights, run, edges, theme))
        sketch = sketch_graph(output, weights, run, edges)
        if len(sketch.boxes) > max_nodes:
            raise GraphTooLarge(
                f"the picture would have {len(sketch.boxes)} boxes, more than {max_nodes}: draw "
                f"one weight with focus=, a network with detail='step', or raise max_nodes=."
            )
        return drawing_of(sketch, theme, title)


def _inside(
    output: Any, weights: Sequence[Any], run: Any, edges: str | None, theme: str
) -> Drawing | None:
    """The drawing of every number, where it can be followed on a page that is scrolled."""
    if len(topological(output)) > MOST_NODES:
        return None
    sketch = sketch_graph(output, weights, run, edges)
    return drawing_of(sketch, theme) if len(sketch.boxes) <= MOST_UNFOLDED else None


def _detail(output: Any, weights: Sequence[Any], run: Any) -> str:
    """What `auto` chooses: the most detail that can still be read."""
    if run is None:
        return "scalar"
    steps = len(run.steps)
    if weights:
        return "scalar" if steps <= MOST_COLUMNS else "step"
    if len(topological(output)) <= MOST_SCALARS:
        return "scalar"
    neurons = _has_neurons(run) and len(run.q) * steps <= MOST_NEURONS
    return "neuron" if neurons else "step"


def _has_neurons(run: Any) -> bool:
    """Whether a state is one circle: an activation of its sum, as in an RNN alone."""
    return hasattr(getattr(run, "rnn", None), "activation")


def _check_neurons(run: Any) -> None:
    if not _has_neurons(run):
        raise ArgumentValueError(
            "run has more to a state than one neuron (gates, or layers over layers), and only an "
            "RNN is drawn by its neurons: choose draw(..., detail='step') or detail='scalar'."
        )


def check_graph(output: Any, focus: Any, run: Any) -> list[Any]:
    """The weights in focus as a list, once the arguments are what they should be."""
    several = isinstance(focus, list | tuple)
    weights = list(focus) if several else [] if focus is None else [focus]
    named = [(f"focus[{place}]" if several else "focus", w) for place, w in enumerate(weights)]
    for argument, node in [("output", output), *named]:
        if not is_node(node):
            raise ArgumentTypeError(f"{argument} must be a Value, not {type(node).__name__}.")
    if run is not None and not (hasattr(run, "steps") and hasattr(run, "given")):
        raise ArgumentTypeError(f"run must be what unroll returned, not {type(run).__name__}.")
    return weights


def draw_cell(rnn: Any, *, theme: str = "light", title: str | None = None) -> Drawing:
    """The picture of a single layer, as panel 8 has it: what happens in every step.

    >>> from autograd_rnn import RNN
    >>> draw_cell(RNN([[4], [1]], activation="relu", bias=False))
    <Drawing: A single layer: 1 state, 1 input, relu>
    """
    _check_layer(rnn)
    as_name(title, "title")
    return Drawing(write_cell(rnn, as_theme(theme), title), theme)


def draw_network(run: Any, *, theme: str = "light", title: str | None = None) -> Drawing:
    """The picture of an unrolled network, a circle for each state of each step (panels 5 and 7).

    >>> from autograd_rnn import counter, one_hot
    >>> draw_network(counter().unroll(one_hot("AGGTG")))
    <Drawing: The network, unrolled over 5 steps: 3 states, 4 inputs, step>
    """
    if not hasattr(run, "steps"):
        raise ArgumentTypeError(f"run must be what unroll returned, not {type(run).__name__}.")
    _check_neurons(run)
    as_name(title, "title")
    return Drawing(write_network(run, as_theme(theme), title), theme)


def draw_weights(
    rnn: Any, *, inputs: Sequence[str] | None = None, theme: str = "light", title: str | None = None
) -> Drawing:
    """The picture of a layer's weights: a heat table with the rows [1; Q; X] (panel 6).

    `inputs` names the inputs, as "ACGT" does; `ValueError` for another number of names.

    >>> from autograd_rnn import counter
    >>> draw_weights(counter(), inputs="ACGT")
    <Drawing: The weights, the same at every step: 3 states, 4 inputs, step>
    """
    _check_layer(rnn)
    as_name(title, "title")
    names = None if inputs is None else list(inputs)
    if names is not None and not all(isinstance(name, str) for name in names):
        raise ArgumentTypeError("inputs must be a str or a list of str, a name for each input.")
    if names is not None and len(names) != rnn.inputs:
        raise ArgumentValueError(
            f"inputs must name the {rnn.inputs} inputs of the layer, not {len(names)}."
        )
    return Drawing(write_weights(rnn, as_theme(theme), names, title), theme)


def _check_layer(rnn: Any) -> None:
    if not hasattr(rnn, "weights") or not hasattr(rnn, "activation"):
        raise ArgumentTypeError(f"rnn must be a layer, such as an RNN, not {type(rnn).__name__}.")


def drawing_of(sketch: Sketch, theme: str, title: str | None = None) -> Drawing:
    """The drawing of a sketch, in the colours of a theme."""
    picture = sketch.picture(title)
    titles = {"autograd_rnn": picture.title, **{box.id: box.description for box in picture.boxes}}
    titles |= {arrow.id: arrow_words(arrow, sketch.boxes) for arrow in picture.arrows}
    titles |= cut_words(picture.cuts)
    dot = write_dot(picture, sketch.placement(), as_theme(theme))
    return Drawing(Figure(dot, sketch.summary(), titles), theme, picture)
