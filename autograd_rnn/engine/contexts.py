"""Contexts, per thread, in which results are constants (no_grad) or have to be finite."""

from __future__ import annotations

import linecache
import math
import os
import sys
import threading
from typing import Final, Self

from ..errors import AnomalyError, ArgumentValueError
from ..graph.walk import describe, swept
from .shared import WATCH, watchers
from .value import Value, constant

PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_counting: Final = threading.Lock()


class Context:
    """A context that sees each result, adjoint and comparison while it is open, in its own thread.

    It may be opened again, also inside itself.
    """

    def __enter__(self) -> Self:
        watchers().append(self)
        with _counting:
            WATCH.open += 1
        return self

    def __exit__(self, *error: object) -> None:
        # The innermost of this object's entries: others may be open around it.
        open_here = watchers()
        places = [place for place, context in enumerate(open_here) if context is self]
        if not places:
            raise ArgumentValueError(f"this {type(self).__name__} is not open in this thread.")
        del open_here[places[-1]]
        with _counting:
            WATCH.open -= 1

    def made(self, value: Value) -> Value:
        """The Value to use for a new result."""
        return value

    def swept(self, node: Value, adjoint: float) -> None:
        """See an adjoint that a backward sweep found."""

    def compared(self, comparison: str, x: Value, y: object, outcome: bool) -> None:
        """See a comparison of data and its outcome."""


class no_grad(Context):  # noqa: N801 - torch's name for it
    """A context in which results are constants: no graph is kept, nothing is differentiated.

    >>> w = Value(3)
    >>> with no_grad():
    ...     y = w * w
    >>> y.data, y.constant, y.parents
    (9.0, True, ())
    """

    def made(self, value: Value) -> Value:
        return constant(value.data)


class detect_anomaly(Context):  # noqa: N801 - torch's name for it
    """A context in which the first NaN or infinity in a result or an adjoint is an error.

    `AnomalyError` names the node, its op, its operands, and the line that computed it.  Partials
    may be infinite (the slope of a root at 0) as long as no adjoint is.  The context keeps every
    result it has seen alive until it closes, so open it around one step, not around a training.

    >>> x = Value(0, "x")
    >>> with detect_anomaly():
    ...     y = x.log()
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.AnomalyError: log(x = 0.0) = -inf is the first result that is not finite...
    """

    def __init__(self) -> None:
        self._lines: dict[Value, tuple[str, int]] = {}

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self not in watchers():
            self._lines.clear()

    def made(self, value: Value) -> Value:
        self._lines[value] = _line_of_the_caller()
        if not math.isfinite(value.data):
            raise AnomalyError(
                f"{describe(value)} is the first result that is not finite{self._where(value)}."
            )
        return value

    def swept(self, node: Value, adjoint: float) -> None:
        # Of a node that is computed from constants alone, no derivative uses the adjoint.
        if not math.isfinite(adjoint) and any(
            below.op is None and not below.constant for below in swept(node)
        ):
            raise AnomalyError(
                f"the adjoint of {describe(node)} is {adjoint!r}, the first that is not finite"
                f"{self._where(node)}. What is computed from it has too large a slope, or one that "
                f"is not finite; no grad of a leaf was changed."
            )

    def _where(self, node: Value) -> str:
        if node not in self._lines:
            return ""
        path, number = self._lines[node]
        # Since Python 3.13 this is the text given to `python -c`, whatever else has that name.
        source = "" if path == "<string>" else linecache.getline(path, number).strip()
        return f", computed in {path}:{number}" + (f": {source}" if source else "")


def _line_of_the_caller() -> tuple[str, int]:
    """The file and line of the innermost frame outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
