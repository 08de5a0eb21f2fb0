# cython: annotation_typing=False, boundscheck=False, wraparound=False
"""The walks and sweeps of `graph` over Values, in C, without sets and dicts: see `walks.pxd`.

They agree with those in Python to the last bit, except for the products of `hvp`, which agree up to
rounding.  They raise `TypeError` for nodes that are not Values.
"""
# What is called here is in `walks.pxd`, which linters do not read: this file runs only compiled.
# ruff: noqa: F401, F821
# mypy: disable-error-code="name-defined, no-any-return"

from __future__ import annotations

from functools import cache
from typing import Any

from .shared import SWEEPS, VARIABLE
from .sweep import read


def in_order(roots: list[Any], past_constants: bool) -> list[Any]:
    """What `graph.walk.topological` gives, or with `past_constants` False, what `swept` gives."""
    return nodes_in_order(roots, past_constants)


def uses(order: list[Any], operand: Any) -> list[tuple[Any, int]]:
    """What `graph.walk.uses` gives."""
    return uses_by(order, operand)


def adjoints_at(output: Any, nodes: list[Any], seed: float) -> list[float]:
    """What `graph.sweep.adjoints_at` gives."""
    return adjoints_of(read(output, "partials"), nodes, seed)


def tangent_at(output: Any, sources: list[Any], tangents: list[float]) -> float:
    """What `graph.sweep.tangent_at` gives."""
    sources, tangents = [*sources], floats(tangents)
    tangent = tangent_of(read(output, "partials"), sources, tangents)
    return 0.0 if tangent is None else tangent


def adjoint_tangents_at(
    output: Any, nodes: list[Any], sources: list[Any], tangents: list[float]
) -> list[float]:
    """How ∂output/∂node changes, for each of the nodes, where the sources move by the tangents."""
    nodes, sources, tangents = [*nodes], [*sources], floats(tangents)
    return adjoint_tangents_of(read(output, "partials"), nodes, sources, tangents)


def floats(tangents: list[Any]) -> list[float]:
    """The tangents as floats: a number of another type runs Python, which must not come later.

    It could change the lists, and the marks of the sweep.  So lists are copied, too.
    """
    return [float(tangent) for tangent in tangents]


def _kinds(op: Any) -> int:
    """What an op's slope for each operand is: operand 0 or 1, the result (2), or another (3).

    Or 4, if the slope does not change where it has a derivative.  For two, 8 times the first is
    added to the second; for one it counts as both.
    """
    values = [Value(0.5) for _ in range(op.arity + 1)]
    ones = [1.0] * len(values)
    found = []
    for rule in op.partials:
        slope, kind = rule(*values), 3
        if not isinstance(slope, Value) or tangent_of(slope, values, ones) is None:
            kind = 4
        elif slope is values[op.arity]:
            kind = 2
        else:
            for place in range(op.arity):
                if slope is values[place]:
                    kind = place
        found.append(kind)
    first, *_, last = found * 2
    return 8 * first + last


kinds_of_slopes = cache(_kinds)
