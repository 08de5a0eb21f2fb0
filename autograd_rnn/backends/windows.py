"""Gradients that go back no further than a window of steps, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import BranchChanged
from .backend import Backend, Result
from .batch import Batch, steps_from


class Window(NamedTuple):
    """Steps from one number on of the sequences at these `places`, and whether they have a loss."""

    places: Any
    start: int
    batch: Batch
    packed: Any
    scored: bool


class Windows(Backend):
    """A backend whose gradients are cut as `truncate` says: it runs window after window.

    The states pass from each to the next as numbers, by which nothing is differentiated.
    """

    def __init__(self, backend: Backend, truncate: int) -> None:
        self.backend, self.truncate = backend, truncate
        self.gathers = backend.gathers

    @property
    def outputs(self) -> int:
        return self.backend.outputs

    def pack(self, batch: Batch) -> tuple[Batch, list[Window]]:
        import numpy as np

        windows, size = [], self.truncate
        for start in range(0, int(batch.lengths.max()), size):
            left = batch.lengths - start
            # Only the last window has a loss, unless every step has one.
            last = (left > 0) & (batch.every | (left <= size))
            for chosen, with_loss in ((left > 0) & ~last, False), (last, True):
                places = np.flatnonzero(chosen)
                if len(places):
                    part = batch.part(
                        batch.starts[places] + start,
                        np.minimum(left[places], size),
                        batch.goals[places] + (start if batch.every else 0),
                        batch.counts[places],
                    )
                    packed = self.backend.pack(part)
                    windows.append(Window(places, start, part, packed, with_loss))
        return batch, windows

    def run(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        outputs: bool = False,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        import numpy as np

        total, gradient = 0.0, np.zeros(len(numbers))
        options: Any = {"after": True, "threads": threads}

        def scored(window: Window, own: Any) -> Result:
            nonlocal total, gradient
            found = self.backend.run(window.packed, numbers, own, outputs=outputs, **options)
            total, gradient = total + found.loss, gradient + found.gradient
            return found

        shown, ends = self._through(packed, numbers, states, scored, options)
        return Result(total, gradient, shown if outputs else None, ends if after else None)

    def predict(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        options: Any = {"after": True, "threads": threads}

        def scored(window: Window, own: Any) -> Result:
            return self.backend.predict(window.packed, numbers, own, **options)

        shown, ends = self._through(packed, numbers, states, scored, options)
        return Result(0.0, None, shown, ends if after else None)

    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        import numpy as np

        batch, _ = packed
        rows = [np.zeros((length, len(numbers))) for length in batch.lengths]

        def scored(window: Window, own: Any) -> Result:
            found = self.backend.per_step(window.packed, numbers, own)
            for place, terms in zip(window.places, found, strict=True):
                rows[place][window.start : window.start + len(terms)] = terms
            return self.backend.predict(window.packed, numbers, own, after=True)

        self._through(packed, numbers, states, scored, {"after": True})
        return rows

    def _through(
        self,
        packed: Any,
        numbers: Any,
        states: Any,
        scored: Callable[[Window, Any], Result],
        options: Any,
    ) -> tuple[Any, Any]:
        """The outputs and the states after the sequences, from a walk through the windows."""
        import numpy as np

        batch, windows = packed
        ends = np.array(self.backend.objective.state)[None].repeat(len(batch), 0)
        ends = ends if states is None else states.copy()
        shown: Any = None
        # Where the outputs of a sequence begin among those of all.
        first = np.cumsum(batch.lengths) - batch.lengths if batch.every else np.arange(len(batch))
        try:
            for window in windows:
                own = ends[window.places]
                if not window.scored:
                    found = self.backend.predict(window.packed, numbers, own, **options)
                    ends[window.places] = found.states
                    continue
                found = scored(window, own)
                ends[window.places] = found.states
                if found.outputs is not None:
                    rows = first[window.places]
                    if batch.every:
                        rows = steps_from(rows + window.start, window.batch.lengths)
                    if shown is None:
                        count = int(batch.lengths.sum()) if batch.every else len(batch)
                        shown = np.empty((count, found.outputs.shape[1]))
                    shown[rows] = found.outputs
        except BranchChanged:
            # The message has the place within a window: the whole sequences have the right one.
            whole = self.backend.pack(batch)
            run = self.backend.predict if batch.targets is None else self.backend.run
            run(whole, numbers, states)
            raise
        return shown, ends
