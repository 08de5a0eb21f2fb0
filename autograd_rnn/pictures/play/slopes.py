"""Local derivatives as they are written in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ...derivation.definitions import CHEAP, is_plain, stated
from ...derivation.expressions import Number, Symbol
from ...derivation.naming import fraction, prime
from ...graph.identities import Slope, residue
from ...graph.notation import PLAIN, Text, write_number
from ...graph.walk import operation
from ...ops.op import Op
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
    numbers = tuple([parent.data if absorbed(parent) else None for parent in node.parents])
    given = [
        _symbol(parent.data, text) if plain is None else Number(plain)
        for parent, text, plain in zip(node.parents, operands, numbers, strict=True)
    ]
    me = _symbol(node.data, name)
    if _is_short(op, position, numbers):
        rule = stated(op, position, given, me)
        if math.isclose(rule.value, true, rel_tol=1e-6, abs_tol=1e-12):
            return rule.write(PLAIN)
    slope = Slope(true, 0)
    if op.arity == 1:
        return prime(op, given[0], slope).text
    return fraction(me, _symbol(true, given[position].write(PLAIN)), slope).text


@lru_cache(maxsize=1000)
def _is_short(op: Op, position: int, numbers: tuple[float | None, ...]) -> bool:
    """Whether the rule is written out for an op of some numbers and some variables (None)."""
    given = [
        _symbol(0.3 + 0.4 * place, Text(f"x{place}")) if plain is None else Number(plain)
        for place, plain in enumerate(numbers)
    ]
    me = _symbol(0.2, Text("f"))
    rule = stated(op, position, given, me)
    return is_plain(rule) and rule.cost({id(me)}) <= CHEAP[op.arity]


def _symbol(value: float, text: Text) -> Symbol:
    return Symbol(Slope(value, residue("written", text.text)), text, text)
