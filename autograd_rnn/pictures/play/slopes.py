"""Local derivatives as they are written in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...derivation.definitions import CHEAP, is_plain, stated
from ...derivation.expressions import Expression, Number, Symbol
from ...derivation.naming import fraction, prime
from ...graph.identities import Slope, residue
from ...graph.notation import PLAIN, Text, write_number
from ...graph.walk import operation
from ..graph_view import absorbed


def write_slope(node: Any, position: int, operands: Sequence[Text], name: Text) -> Text:
    """∂node/∂operand by the rule of the table, or f′(x) or ∂f/∂x where that is too long.

    `operands` and `name` are how the operands and the node are written.

    >>> from autograd_rnn import Value
    >>> x, y = Value(3, "x"), Value(2, "y")
    >>> [write_slope(x * y, place, [Text("x"), Text("y")], Text("x·y")).text for place in (0, 1)]
    ['y', 'x']
    >>> write_slope(x.relu(), 0, [Text("x")], Text("relu(x)")).text
    'relu′(x)'
    """
    op, true = operation(node), node.partials[position]
    if op.flat:
        return write_number(true)
    given: list[Expression] = [
        Number(parent.data) if absorbed(parent) else _symbol(parent.data, text)
        for parent, text in zip(node.parents, operands, strict=True)
    ]
    me = _symbol(node.data, name)
    rule = stated(op, position, given, me)
    if is_plain(rule) and math.isclose(rule.value, true, rel_tol=1e-6, abs_tol=1e-12):
        most = CHEAP[op.arity] + sum([operand.cost(()) for operand in given])
        if rule.cost({id(me)}) <= most:
            return rule.write(PLAIN)
    slope = Slope(true, residue("slope", name.text, position))
    if op.arity == 1:
        return prime(op, given[0], slope).text
    under = _symbol(given[position].value, given[position].write(PLAIN))
    return fraction(me, under, slope).text


def _symbol(value: float, text: Text) -> Symbol:
    return Symbol(Slope(value, residue("written", text.text)), text, text)
