# cython: annotation_typing=False, boundscheck=False, wraparound=False
"""The walks and sweeps of `graph` over Values, in C, without sets and dicts: see `walks.pxd`.

They agree with those in Python to the bit, and raise `TypeError` for nodes that are no Values.
"""
# ruff: noqa: F401, F821
# mypy: disable-error-code="name-defined, no-any-return"

from __future__ import annotations

from typing import Any

from .shared import SWEEPS, VARIABLE


def in_order(roots: list[Any], past_constants: bool) -> list[Any]:
    """What `graph.walk.topological` gives, or with `past_constants` False, what `swept` gives."""
    return nodes_in_order(roots, past_constants)


def uses(order: list[Any], operand: Any) -> list[tuple[Any, int]]:
    """What `graph.walk.uses` gives."""
    return uses_by(order, operand)


def adjoints_at(output: Any, nodes: list[Any], seed: float) -> list[float]:
    """What `graph.sweep.adjoints_at` gives."""
    return adjoints_of(output, nodes, seed)


def tangent_at(output: Any, sources: list[Any], tangents: list[float]) -> float:
    """What `graph.sweep.tangent_at` gives."""
    return tangent_of(output, sources, tangents)
