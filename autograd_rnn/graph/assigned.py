"""Leaves that were assigned after a graph was computed, and their numbers before."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..ops.ieee import same_bits
from ..ops.op import Op
from ..ops.tracer import Number
from .walk import SomeNode, operation


def assigned_since(order: Iterable[SomeNode]) -> dict[SomeNode, float | None]:
    """The leaves that were assigned since the nodes of a topological order were computed.

    Each comes with its number before, or None where nothing tells it.  A partial may have kept it,
    as those of a product do; or a result gives it, to within rounding, if all else is known.  Where
    a result tells that operands have changed, but not which, every variable among its leaves counts
    as assigned.

    >>> from autograd_rnn import Value, topological
    >>> x, y, z = Value(3), Value(5), Value(7)
    >>> product, total = x * x + 1, y + z
    >>> x.data, y.data = 2.4, 4.0
    >>> list(assigned_since(topological(product, total)).values())
    [3.0, None, None]
    """
    nodes = [node for node in order if any(parent.op is None for parent in node.parents)]
    found: dict[SomeNode, float | None] = {}
    kept: set[SomeNode] = set()  # leaves from which some result was computed as they are
    several: set[SomeNode] = set()  # leaves that results were computed from with several numbers
    for node in nodes:
        for position, place in enumerate(_kept_operands(operation(node))):
            if place is None or node.parents[position].constant or node.parents[place].op:
                continue
            leaf, before = node.parents[place], node.partials[position]
            if same_bits(before, leaf.data):
                kept.add(leaf)
            else:
                if leaf in found and found[leaf] != before:
                    several.add(leaf)
                found[leaf] = before
    found.update(dict.fromkeys(several))
    for node in nodes:
        if _is_recorded(node, found):
            continue
        leaves = [leaf for leaf in dict.fromkeys(node.parents) if leaf.op is None]
        unknown = [leaf for leaf in leaves if leaf not in kept and found.get(leaf) is None]
        changed = [leaf for leaf in unknown if not leaf.constant] or unknown
        for leaf in changed:
            alone = len(changed) == 1 and leaf not in several
            found[leaf] = _solved(node, leaf, found) if alone else None
    return found


def _solved(node: SomeNode, leaf: SomeNode, before: dict[SomeNode, float | None]) -> float | None:
    """The number of a leaf that gives the result of a node; None where others do as well."""
    places = [place for place, parent in enumerate(node.parents) if parent is leaf]
    slope = sum([node.partials[place] for place in places])

    def result(number: float) -> float:
        return operation(node).value(*_operands(node, {**before, leaf: number}))

    number = leaf.data
    for _ in range(8):
        if slope and not same_bits(result(number), node.data):
            number += (node.data - result(number)) / slope
    beside = [result(number * (1.0 + 2.0**-40)), result(number * (1.0 - 2.0**-40))]
    return number if same_bits(result(number), node.data) and node.data not in beside else None


def _operands(node: SomeNode, before: dict[SomeNode, float | None]) -> list[float]:
    """The numbers that a result was computed from, as far as they are known."""
    numbers = [(parent.data, before.get(parent)) for parent in node.parents]
    return [now if number is None else number for now, number in numbers]


def _is_recorded(node: SomeNode, before: dict[SomeNode, float | None]) -> bool:
    """Whether a result and its partials are those of its operands, as far as they are known."""
    operands = _operands(node, before)
    op = operation(node)
    if not same_bits(op.value(*operands), node.data):
        return False
    return all(
        parent.constant or same_bits(rule(*operands, node.data), partial)
        for parent, rule, partial in zip(node.parents, op.partials, node.partials, strict=True)
    )


@lru_cache(maxsize=1000)
def _kept_operands(op: Op) -> tuple[int | None, ...]:
    """For each partial of an op the place of the operand that it is, as those of a product are."""
    numbers = [Number(0.5) for _ in range(op.arity + 1)]
    places = []
    for rule in op.partials:
        slope = rule(*numbers)
        places.append(next((i for i in range(op.arity) if slope is numbers[i]), None))
    return tuple(places)
