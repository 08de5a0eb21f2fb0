"""The traced step scanned over time by JAX: the loss and the outputs of a batch of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...ops.jax import on_jax
from ...program.writer import Guard
from ..traced import Group, TracedStep
from .schedule import Plan, Wave, find_waves


class Rows:
    """The values of a step in blocks of rows, with a column for each sequence, or one for all."""

    def __init__(
        self,
        plan: Plan,
        given: Sequence[Any],
        products: Sequence[Any],
        picked: Sequence[Any],
        active: Any,
    ):
        self.places, self.blocks, self.active = plan.places, list(given), active
        rest = iter(zip(products, picked, strict=True))
        for wave in plan.waves:
            if isinstance(wave, Wave):
                operands = [self.held(self.take(numbers)) for numbers in wave.operands]
                self.blocks.append(on_jax(wave.op)(*operands))
            else:
                (matrix, biases), more = next(rest)
                if wave.vector:
                    vector = self.take(wave.vector)
                    vector = vector if active is None else jnp.where(active, vector, 0.0)
                    biases = matrix @ vector + biases
                for rows in more:
                    biases = biases + (rows if active is None else jnp.where(active, rows, 0.0))
                self.blocks.append(biases)

    def held(self, array: Any) -> Any:
        """The array, which no slope, not even NaN, reaches from a sequence that has not begun."""
        if self.active is None:
            return array
        return jnp.where(self.active, array, jax.lax.stop_gradient(array))

    def take(self, numbers: Sequence[int]) -> Any:
        """The values of these numbers, a row each."""
        parts = []
        for block, run in groupby([self.places[number] for number in numbers], lambda p: p[0]):
            array, rows = self.blocks[block], [row for _, row in run]
            if rows == list(range(rows[0], rows[-1] + 1)):
                parts.append((len(rows), array[rows[0] : rows[-1] + 1]))
            elif len({*rows}) == 1:
                parts.append((len(rows), array[rows[0] : rows[0] + 1]))
            else:
                parts.append((len(rows), array[np.array(rows)]))
        width = max([part.shape[1] for _, part in parts], default=1)
        parts = [jnp.broadcast_to(part, (size, width)) for size, part in parts]
        if not parts:
            return jnp.zeros((0, width))
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts)

    def wrong(self, guards: Sequence[Guard]) -> Any:
        """Whether a guard fails, for each sequence that has begun."""
        found: Any = False
        for guard in guards:
            x, y = [self.take([number])[0] for number in guard.operands]
            found = found | guard.fails(x, y)
        return found if self.active is None else found & self.active


class Scan:
    """The traced step over sequences that end together, as functions that JAX can transform.

    `inputs` are steps by entries by sequences, and so are `targets` if `every` step has one, else
    entries by sequences; symbols are steps by sequences.  `initial` are the states that they start
    from, entries by sequences.
    `sizes` has the steps of each sequence, 0 for padding, and `counts` is as in `Batch`; if not
    `ragged`, all begin at the first step.
    """

    def __init__(self, traced: TracedStep, *, every: bool) -> None:
        self.traced, self.every = traced, every
        for line in traced.lines:
            on_jax(line.op)  # refuses an op that cannot run here
        # Every shape needs the same plans, which take long for a large step.
        self.plan = cache(partial(find_waves, traced))

    def loss(
        self,
        numbers: Any,
        inputs: Any,
        targets: Any,
        sizes: Any,
        counts: Any,
        initial: Any,
        *,
        ragged: bool,
    ) -> tuple[Any, tuple[Any, Any, Any]]:
        """The sum of the losses; for each sequence whether a guard fails, state and outputs.

        The loss of a sequence is that of its last step, or the mean over its steps if `every`.
        """
        given = (numbers, inputs, targets, sizes if ragged else None, initial)
        results = [self.traced.loss, *self.traced.output]
        found, wrong, after = self._scanned(*given, results, loss=True)
        losses = found[:, 0].sum(axis=0)
        if self.every:
            losses = losses / counts
        return jnp.where(sizes > 0, losses, 0.0).sum(), (wrong, after, found[:, 1:])

    def outputs(
        self, numbers: Any, inputs: Any, sizes: Any, initial: Any, *, ragged: bool
    ) -> tuple[Any, Any, Any]:
        """The outputs, steps by entries by sequences, of one step unless `every`; and as above."""
        given = (numbers, inputs, None, sizes if ragged else None, initial)
        return self._scanned(*given, self.traced.output, loss=False)

    def _scanned(
        self,
        numbers: Any,
        inputs: Any,
        targets: Any,
        sizes: Any,
        initial: Any,
        results: Any,
        *,
        loss: bool,
    ) -> tuple[Any, Any, Any]:
        """The results at each step, or at the last one; which guards fail, and the states after.

        The last step is not in the scan, so that no sweep goes through a loss or a state that does
        not count.
        """
        traced, steps, count = self.traced, len(inputs), inputs.shape[-1]
        constants = jnp.array(traced.constants, dtype=float)[:, None]
        known: dict[Any, tuple[Any, Any]] = {}

        def stepper(shown: Sequence[int], loss: bool) -> Any:
            """The step as a function that gives these results."""
            plan = self.plan((*traced.states, *shown), loss=loss)
            products = self._products(plan, numbers, known)

            def step(carry: Any, now: Any) -> Any:
                (state, wrong), (t, x, goal, picked) = carry, now
                active = None if sizes is None else steps - sizes <= t
                if traced.symbols:
                    x = (jnp.arange(traced.inputs)[:, None] == x).astype(float)
                given = [numbers[:, None], state, x, goal, constants]
                rows = Rows(plan, given, products, picked, active)
                after = jnp.broadcast_to(rows.take(traced.states), state.shape)
                entries = jnp.broadcast_to(rows.take(shown), (len(shown), count))
                if active is not None:
                    after = jnp.where(active, after, initial)
                    entries = jnp.where(active, entries, 0.0)
                return (after, wrong | rows.wrong(plan.guards)), entries

            return step, self._picked(plan, numbers, inputs)

        goals = targets if self.every and loss else jnp.zeros((steps, 0, count))
        inner, picked = stepper(results if self.every else [], loss and self.every)
        before = (jnp.arange(steps - 1), inputs[:-1], goals[:-1], cut(picked, slice(-1)))
        carry = (initial, jnp.zeros(count, dtype=bool))
        carry, found = jax.lax.scan(inner, carry, before)
        goal = goals[-1] if self.every or not loss else targets
        end, picked = stepper(results, loss)
        (after, wrong), last = end(carry, (steps - 1, inputs[-1], goal, cut(picked, -1)))
        entries = jnp.concatenate([found, last[None]]) if self.every else last[None]
        return entries, wrong, after

    def _products(
        self, plan: Plan, numbers: Any, known: dict[Any, tuple[Any, Any]]
    ) -> list[tuple[Any, Any]]:
        """The matrices and the biases of the groups, the same as `known` for the same numbers."""
        whole = jnp.concatenate([numbers, jnp.zeros(1)])  # the last for a missing bias
        found = []
        for wave in plan.waves:
            if isinstance(wave, Group):
                key = wave.weights, wave.biases
                if key not in known:
                    biases = [len(numbers) if bias is None else bias for bias in wave.biases]
                    matrix = whole[np.array(wave.weights, dtype=int)]
                    known[key] = matrix, whole[np.array(biases)][:, None]
                found.append(known[key])
        return found

    def _picked(self, plan: Plan, numbers: Any, symbols: Any) -> list[list[Any]]:
        """What the symbols pick for each group from its tables: steps by rows by sequences.

        For all steps at once, so that its gradient is added up once.
        """
        known = jnp.concatenate([numbers, jnp.zeros(1)])
        none, found = len(numbers), []
        for wave in plan.waves:
            if isinstance(wave, Group):
                tables = [
                    known[np.array([[none if w is None else w for w in row] for row in table]).T]
                    for table in wave.tables
                ]
                found.append([jnp.moveaxis(table[symbols], -1, -2) for table in tables])
        return found


def cut(picked: Sequence[Sequence[Any]], steps: Any) -> list[list[Any]]:
    """Some of the steps of all the arrays."""
    return [[rows[steps] for rows in group] for group in picked]
