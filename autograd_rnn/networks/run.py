"""A network unrolled over its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.value import Value
from ..errors import ArgumentValueError
from ..graph.walk import Node
from .table import RunTable, table_of
from .vectors import Step


@dataclass(slots=True, eq=False, repr=False)
class Unrolled:
    """A network unrolled over its inputs: the initial `state` and a step per input (panel 10).

    A step has its number `k` from 1, inputs `x`, sums `pi`, states `q` and `output`; that of an
    LSTM also i, f, g, o, c and h, that of a GRU m, r, z, n and h, that of a Linear y, and that of a
    Stack the step of each of its `layers`.  No gradient goes back from the steps whose numbers are
    in `cuts` to those before them: see `truncate` of `unroll`.

    >>> from autograd_rnn import RNN, bits
    >>> run = RNN([[4], [1]], activation="relu", bias=False).unroll(bits("101"))
    >>> len(run.steps), run.steps[1].pi[0].data, run.output.data
    (3, 4.0, 17.0)
    """

    rnn: Any
    state: tuple[Value, ...]
    steps: tuple[Step, ...]
    cuts: frozenset[int] = frozenset()

    @property
    def given(self) -> tuple[Value, ...]:
        """What the steps start from: the weights, the initial state and the inputs."""
        inputs = [x for step in self.steps for x in step.x]
        return (*self.rnn.parameters(), *self.state, *inputs)

    @property
    def pi(self) -> tuple[Value, ...]:
        """π of the last step; `ValueError` if there was no input."""
        return self._last("π").pi

    @property
    def q(self) -> tuple[Value, ...]:
        """The states after the last step: the initial ones if there was no input."""
        return self.steps[-1].q if self.steps else self.state

    @property
    def output(self) -> Any:
        """The output of the last step: a Value, or a tuple of several; errors as for `pi`."""
        return self._last("output").output

    def table(
        self, loss: Node | None = None, *, focus: Node | Sequence[Node] | None = None
    ) -> RunTable:
        """The forward pass as a table, a row per step; with weights in focus, their terms too.

        With a `loss`, what it does not read is left out.  With `focus`, a weight or several, each
        row has ∂loss/∂π and what the copies of its step add to the weights' gradients, which are
        the sums below.  Where a step has many numbers, vectors are cut short.

        Printed, it is text; in Jupyter and as `html`, rows and cells have `data-node`, the marks
        that boxes and symbols of the same loss have (see `Drawing.ids`); `rich` prints it in
        colours.  `ValueError` for a focus without a loss, or one that the loss does not depend on.

        >>> from autograd_rnn import RNN, bits
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
        >>> run = rnn.unroll(bits("101"))
        >>> print(run.table((15 - run.pi[0]) ** 2, focus=rnn.weights[0][0]))
        Forward pass, and terms of w₁
        <BLANKLINE>
        step   x   w₁·q   w₂·x    π   q = relu(π)   ∂L/∂π   term of w₁
        ──────────────────────────────────────────────────────────────
           1   1      0      1    1             1      64            0
           2   0      4      0    4             4      16           16
           3   1     16      1   17             –       4           16
        ──────────────────────────────────────────────────────────────
         sum                                                        32
        """
        return table_of(self, loss, focus)

    def _last(self, read: str) -> Step:
        if not self.steps:
            reason = "the network was unrolled over no inputs."
            raise ArgumentValueError(f"there is no {read}: {reason}")
        return self.steps[-1]

    def __repr__(self) -> str:
        return f"<{self.rnn!r} unrolled over {len(self.steps)} steps>"
