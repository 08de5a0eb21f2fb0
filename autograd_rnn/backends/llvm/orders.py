"""The order of a backward sweep over the lines of a step."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentValueError
from ...graph.walk import depth_first
from ..traced import TracedStep, carried_states, states_read


def sweep_orders(traced: TracedStep, every: bool) -> tuple[list[int], list[int]]:
    """The lines of an inner step and of the last one, in the order of the engine's sweep.

    `ValueError` if the engine does not sweep step by step, in one order at each inner step, with
    the terms of every sum in that order.
    """
    steps = 5

    def found_at(t: int, number: int) -> tuple[int, int]:
        while traced.state <= number < traced.input and t > 1:
            t, number = t - 1, traced.states[number - traced.state]
        return (t if number >= traced.line else 0, number)

    def operands(node: tuple[int, int]) -> list[tuple[int, int]]:
        t, number = node
        if number < traced.line or traced.lines[number - traced.line].op.flat:
            return []
        some = traced.lines[number - traced.line].operands
        return [found_at(t, n) for n in some if traced.varies(n)]

    losses = [found_at(t, traced.loss) for t in range(1 if every else steps, steps + 1)]
    sweep = depth_first(losses, operands)[::-1]
    orders = [[number for t, number in sweep if t == k] for k in range(1, steps + 1)]
    inner, last = orders[0], orders[-1]
    carried = carried_states(traced)
    lines = [traced.states[place] for place in carried]
    by_step = [(t, number) for t in range(steps, 0, -1) for number in orders[t - 1]]
    # The terms of each sum, in the engine's order and step by step.
    both: list[dict[Any, list[Any]]] = [{}, {}]
    for sums, order in zip(both, (sweep, by_step), strict=True):
        for node in order:
            for position, operand in enumerate(operands(node) if node[0] else ()):
                sums.setdefault(operand, []).append((node, position))
    alike = all(order == inner for order in orders[:-1]) and both[0] == both[1]
    first = states_read(traced, [traced.loss])
    after = states_read(traced, [*[traced.states[k] for k in first], *[traced.loss] * every])
    if not alike or len(set(lines)) < len(lines) or not first == after == set(carried):
        raise ArgumentValueError(
            "exact=True cannot be had for this step in native code: the engine does not sweep it "
            "step by step in one order. Choose backend='python', which is exact for any step."
        )
    return inner, last
