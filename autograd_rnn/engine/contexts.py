"""Contexts in which results are constants (no_grad) or have to be finite (detect_anomaly).

A context is open in the thread or asyncio task that opened it, and nowhere else.
"""

from __future__ import annotations

import inspect
import linecache
import math
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ClassVar, Final, ParamSpec, Self, TypeVar, cast

from ..errors import AnomalyError, ArgumentTypeError, ArgumentValueError
from ..graph.walk import describe, swept
from .shared import WATCH, WATCHERS, tell, unwatched, watchers
from .sweep import number_in
from .value import Value, constant

PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_counting: Final = threading.Lock()

P = ParamSpec("P")
R = TypeVar("R")


class Context:
    """A context that sees each result, adjoint and comparison while it is open; also a decorator.

    It may be opened again, also inside itself.
    """

    #: Whether results keep what they were computed from.
    keeps_graph: ClassVar[bool] = True
    _entered = 0

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, which runs with this context open."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ArgumentTypeError(
                f"{type(self).__name__}() decorates functions and coroutines. A generator runs in "
                f"pieces: write `with {type(self).__name__}():` inside it."
            )
        if inspect.iscoroutinefunction(function):
            coroutine = cast("Callable[P, Awaitable[Any]]", function)

            @wraps(function)
            async def awaited(*given: P.args, **named: P.kwargs) -> Any:
                with self:
                    return await coroutine(*given, **named)

            return cast("Callable[P, R]", awaited)

        @wraps(function)
        def called(*given: P.args, **named: P.kwargs) -> R:
            with self:
                return function(*given, **named)

        return called

    def __enter__(self) -> Self:
        WATCHERS.set((*watchers(), self))
        with _counting:
            WATCH.open += 1
            self._entered = self._entered + 1
        return self

    def __exit__(self, *error: object) -> None:
        # The innermost of this object's entries: others may be open around it.
        open_here = watchers()
        places = [place for place, context in enumerate(open_here) if context is self]
        if places:
            WATCHERS.set(open_here[: places[-1]] + open_here[places[-1] + 1 :])
        with _counting:
            if not self._entered:
                raise ArgumentValueError(f"this {type(self).__name__} is not open here.")
            # It may have been opened where it cannot be closed: in a task that a generator left.
            self._entered -= 1
            WATCH.open -= 1

    def made(self, value: Value) -> Value:
        """The Value to use for a new result."""
        return value

    def swept(self, node: Value, adjoint: float) -> None:
        """See an adjoint that a backward sweep found."""

    def compared(self, comparison: str, x: Value, y: object, outcome: bool) -> None:
        """See a comparison of data and its outcome; "is" for one of two Values by identity."""

    def leaf(self, leaf: Value, source: Value | None) -> None:
        """See a new variable, or the source whose number it has without its gradient."""

    def hidden(self, result: Value, leaf: Value) -> None:
        """See a new result in whose place there is a constant leaf."""

    def read(self, value: Value, what: str) -> None:
        """See that "data", "grad" or "partials" is read, or that "backward" or "assignment" begins.

        An assignment gives the leaf another number.
        """

    def follows(self, value: Value) -> bool:
        """Whether what is computed from the Value has to be made of Values."""
        return False


class no_grad(Context):  # noqa: N801 - torch's name for it
    """A context in which results are constants: no graph is kept, nothing is differentiated.

    >>> w = Value(3)
    >>> with no_grad():
    ...     y = w * w
    >>> y.data, y.constant, y.parents
    (9.0, True, ())

    It decorates functions, too: `@no_grad()`.  A derivative taken inside, such as by `grad`, is
    right: its function runs as if the context were not open.  The result is a float, or a constant
    if an argument was a Value.
    """

    keeps_graph = False

    def made(self, value: Value) -> Value:
        if value.op is None:
            return value
        leaf = constant(number_in(value))
        tell("hidden", value, leaf)
        return leaf


class detect_anomaly(Context):  # noqa: N801 - torch's name for it
    """A context in which the first NaN or infinity in a result or an adjoint is an error.

    `AnomalyError` names the node, its op, its operands, and the line that computed it.  Partials
    may be infinite (the slope of a root at 0) as long as no adjoint is.  The context keeps every
    result it has seen alive until it closes, so open it around one step, not around a training.
    It decorates functions, too: `@detect_anomaly()`.

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
        if not math.isfinite(number_in(value)):
            with unwatched():
                said = describe(value)
            raise AnomalyError(
                f"{said} is the first result that is not finite{self._where(value)}."
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
