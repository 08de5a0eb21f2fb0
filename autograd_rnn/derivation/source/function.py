"""The backward pass of one derivative as the source of a NumPy function."""

from __future__ import annotations

from typing import Any, Final

from ...errors import ArgumentValueError, GraphTooLarge
from ...graph.quantities import names_of
from ...graph.separating import restricted_adjoints
from ...graph.walk import Node
from ...networks.model import Model
from ..matrices import MatrixRule
from ..naming import one_system, results_of
from .lines import INDENT, length, packed
from .loops import as_loops
from .straight import Straight

#: Lines of a function without a loop; what would have more is written as one over the steps.
LONGEST: Final = 30


def as_source(output: Any, parameter: Node, run: Any, name: str) -> tuple[str, dict[str, Any]]:
    """Source of a function of that name, and the arguments that give this derivative.

    Of a network's weight it is an entry of ∂L/∂W, by matrices, for any number of steps.  Of other
    graphs it has a line for each quantity on the way forward, and for each δ on the way back.
    Where these are more than 30, it is by matrices for a network's initial state, and by two loops
    over the steps of a loop of one's own that are made alike; and lines that do not need each other
    are one.
    """
    if _is_weight(parameter, run) and (rule := _by_matrices(output, run)) is not None:
        place = next(i for i, w in enumerate(run.rnn.parameters()) if w is parameter)
        return _of_entry(rule, _entry_of_weight(rule, place), name), rule.arguments()
    with names_of(run), one_system(output, parameter, 0, run):
        straight = Straight(output, parameter, run)
        source = straight.source(name)
        if length(source) <= LONGEST:
            return source, straight.arguments()
        loops = as_loops(straight, run, name, LONGEST)
    if loops is not None:
        return packed(loops[0], LONGEST), loops[1]
    if _is_start(output, parameter, run) and (rule := _by_matrices(output, run)) is not None:
        entry = _entry_of_start(rule, next(i for i, q in enumerate(run.state) if q is parameter))
        return _of_entry(rule, entry, name, starts=True), rule.arguments()
    return packed(source, LONGEST), straight.arguments()


def _is_weight(parameter: Node, run: Any) -> bool:
    model = getattr(run, "rnn", None)
    return isinstance(model, Model) and any(w is parameter for w in model.parameters())


def _is_start(output: Node, parameter: Node, run: Any) -> bool:
    """Whether a node is an entry of a network's initial state, and used by its first step alone."""
    if not isinstance(getattr(run, "rnn", None), Model):
        return False
    through = results_of(run)
    direct = restricted_adjoints(output, through).get(parameter, 0.0)
    return direct == 0.0 and any(q is parameter for q in run.state)


def _by_matrices(output: Any, run: Any) -> MatrixRule | None:
    try:
        return MatrixRule(output, run.rnn, run)
    except (ArgumentValueError, GraphTooLarge):  # not in vectors, or not on a page
        return None


def _entry_of_weight(rule: MatrixRule, place: int) -> str:
    """What takes the entry of a weight from the results."""
    several = len(rule.layers) > 1
    for number, layer in enumerate(rule.layers):
        size = layer.gradient.size + layer.extra.size
        if place < size:
            extra = place - layer.gradient.size
            row, column = divmod(place, layer.gradient.shape[1])
            if several and layer.extra.size:
                return f"[{number}][{place}]"  # flat
            if layer.extra.size:
                return f"[1][{extra}]" if extra >= 0 else f"[0][{row}, {column}]"
            return f"[{number}]" * several + f"[{row}, {column}]"
        place -= size
    raise AssertionError


def _entry_of_start(rule: MatrixRule, place: int) -> str:
    """What takes the entry of an initial state from the results, where these are last."""
    number = len(rule.layers) + (len(rule.layers) == 1 and rule.layers[0].extra.size > 0)
    for layer in rule.layers:
        for letter in layer.model.letters:
            size = layer.before[letter].shape[1]
            if place < size:
                return f"[{number}][{place}]"
            place, number = place - size, number + 1
    raise AssertionError


def _of_entry(rule: MatrixRule, entry: str, name: str, *, starts: bool = False) -> str:
    """The function of the whole gradient, and one that takes an entry of its results."""
    inner = "gradient" if name != "gradient" else "of_all_weights"
    source = rule.source(inner, starts=starts)
    return (
        f"{source}\n\ndef {name}(**arguments):\n"
        f'{INDENT}"""One entry of what `{inner}` gives, with the same arguments."""\n'
        f"{INDENT}return float({inner}(**arguments){entry})\n"
    )
