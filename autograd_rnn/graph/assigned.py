"""Leaves that were assigned after a graph was computed, and their numbers before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ..ops.ieee import same_bits
from ..ops.op import Op
from ..ops.tracer import Number
from .walk import SomeNode, operation

MOST_ROUNDS: Final = 4  # for a number to the last bits


def assigned_since(order: Iterable[SomeNode]) -> dict[SomeNode, float | None]:
    """The leaves that were assigned since the nodes of a topological order were computed.

    Each comes with its number before, or None where nothing tells it.  A partial may have kept it,
    as those of a product do; or a result gives it, to within rounding, if all else is known.  Where
    a result tells that operands have changed, but not which, each of its leaves counts as assigned.

    >>> from autograd_rnn import Value, topological
    >>> x, y, z = Value(3), Value(5), Value(7)
    >>> product, total = x * x + 1, y + z
    >>> x.data, y.data = 2.4, 4.0
    >>> list(assigned_since(topological(product, total)).values())
    [3.0, None, None]
    """
    nodes = [node for node in order if any(parent.op is None for parent in node.parents)]
    found: dict[SomeNode, float | None] = {}
    for node in nodes:
        for leaf, number in _kept(node).items():
            if not same_bits(number, leaf.data):
                found[leaf] = number if found.get(leaf, number) == number else None
    for node in nodes:
        known = {**found, **_kept(node)}
        if not _gives_what_was_recorded(node, known):
            leaves = [leaf for leaf in dict.fromkeys(node.parents) if leaf.op is None]
            unknown = [leaf for leaf in leaves if known.get(leaf) is None] or leaves
            # Nobody holds the constant that was made of a plain number, to assign it.
            changed = [leaf for leaf in unknown if leaf.name or not leaf.constant] or unknown
            for leaf in changed:
                solved = _solved(node, leaf, known) if len(changed) == 1 else None
                found[leaf] = solved if _is_close(found.get(leaf, solved), solved) else None
    return found


def _kept(node: SomeNode) -> dict[SomeNode, float]:
    """The numbers of leaves when a node was computed, of which its partials are some."""
    kept = {}
    for position, place in enumerate(_kept_operands(operation(node))):
        if place is None or node.parents[position].constant:
            continue
        if node.parents[place].op is None:
            kept[node.parents[place]] = node.partials[position]
    return kept


def _solved(node: SomeNode, leaf: SomeNode, known: dict[SomeNode, float | None]) -> float | None:
    """The number of a leaf that gives the result of a node; None where others do as well."""
    slope = sum([node.partials[i] for i, parent in enumerate(node.parents) if parent is leaf])

    def missing(number: float) -> float:
        return node.data - operation(node).value(*_operands(node, {**known, leaf: number}))

    number, unit = leaf.data, math.ulp(node.data)
    if slope and _slope_now(node, leaf, known) == slope:  # a line, which has one solution
        for _ in range(MOST_ROUNDS):
            number += missing(number) / slope
    beside = [missing(number * (1.0 + side * 2.0**-40)) for side in (1.0, -1.0)]
    sharp = abs(missing(number)) <= unit < min(map(abs, beside))
    return number if sharp else None


def _slope_now(node: SomeNode, leaf: SomeNode, known: dict[SomeNode, float | None]) -> float:
    """The slope of a result with respect to a leaf, at the number that the leaf has now."""
    operands, op = _operands(node, {**known, leaf: leaf.data}), operation(node)
    rules = [rule for rule, parent in zip(op.partials, node.parents, strict=True) if parent is leaf]
    slope: float = sum([rule(*operands, op.value(*operands)) for rule in rules])
    return slope


def _is_close(one: float | None, other: float | None) -> bool:
    """Whether two numbers are known, and one but for rounding."""
    return one is not None and other is not None and math.isclose(one, other)


def _operands(node: SomeNode, known: dict[SomeNode, float | None]) -> list[float]:
    """The numbers of the operands, as far as they are known from before."""
    numbers = [(parent.data, known.get(parent)) for parent in node.parents]
    return [now if before is None else before for now, before in numbers]


def _gives_what_was_recorded(node: SomeNode, known: dict[SomeNode, float | None]) -> bool:
    """Whether result and partials are those of the operands, as far as they are known."""
    operands, op = _operands(node, known), operation(node)
    return same_bits(op.value(*operands), node.data) and all(
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
