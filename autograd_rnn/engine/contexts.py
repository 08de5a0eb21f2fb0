"""Contexts for results: constants (no_grad), finite (detect_anomaly), or of a step (Steps).

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

from ..arguments import as_integer, many
from ..errors import AnomalyError, ArgumentTypeError, ArgumentValueError
from ..graph.loop import Loop, LoopStep
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


class Steps:
    """The steps of a loop over Values, which pictures and derivations then show like a network's.

    What is made inside `with steps.step(k):` belongs to step k.  Passed as `run=` to `copies`,
    `draw`, `derive` and `play`, it gives the loop what an unrolled network has: its copies know
    their steps, pictures have a column or a card per step, and states and inputs that share a name
    show the accent of their step: q̇, q̈.  Results made outside belong to no step.  A step may be
    taken in several parts, as layer by layer.  Take new Steps for another pass: these keep the
    results of all.  Nothing is stored on the Values.

    >>> from autograd_rnn import copies, relu
    >>> w1, w2, q = Value(4, "w_1"), Value(1, "w_2"), Value(0, "q")
    >>> steps = Steps()
    >>> for k, x in enumerate([1, 0, 1], 1):
    ...     with steps.step(k):
    ...         pi = w1 * q + w2 * x
    ...         q = relu(pi)
    >>> loss = (15 - pi) ** 2
    >>> [(copy.name, copy.step, copy.grad) for copy in copies(w1, loss, steps)]
    [('ẇ₁', 1, 0.0), ('ẅ₁', 2, 16.0), ('w⃛₁', 3, 16.0)]
    """

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._read: tuple[int, Loop] = (0, Loop({}))

    def step(self, k: int) -> Context:
        """A context whose results belong to step `k`, counted from 1; after an error, to none.

        Opening it inside another one of the same Steps raises `ValueError`: a result has one step.
        """
        self._parts.append(_Part(self, as_integer(k, "k", least=1)))
        return self._parts[-1]

    def _loop(self) -> Loop:
        """What is read of the results so far."""
        count = sum([len(part.results) for part in self._parts])
        if count != self._read[0]:
            results: dict[int, list[Value]] = {}
            detached: dict[Any, Any] = {}
            for part in self._parts:
                results.setdefault(part.k, []).extend(part.results)
                detached |= part.detached
            self._read = count, Loop({k: made for k, made in results.items() if made}, detached)
        return self._read[1]

    @property
    def steps(self) -> tuple[LoopStep, ...]:
        """The steps that made results, by number: each has `k`, inputs `x`, sums `pi`, states `q`.

        A state is what another step uses, and in the last step what was made like it.
        """
        return self._loop().steps

    @property
    def step_of(self) -> dict[Any, int]:
        """The number of the step of each result."""
        return self._loop().step_of

    @property
    def given(self) -> tuple[Any, ...]:
        """The leaves that the steps use: weights, initial states and inputs."""
        return self._loop().given

    @property
    def state(self) -> tuple[Any, ...]:
        """The initial states: leaves where later steps use a state."""
        return self._loop().state

    @property
    def cuts(self) -> frozenset[int]:
        """The steps from which no gradient goes back to another: all they take are constants."""
        return self._loop().cuts

    @property
    def names(self) -> dict[Any, str]:
        """What results and inputs are called where their own names do not tell them apart."""
        return self._loop().names

    def __repr__(self) -> str:
        results = many(len(self.step_of), "result")
        return f"<Steps: {many(len(self.steps), 'step')}, {results}>"


class _Part(Context):
    """The results of a step, or of a part of it, as they are made."""

    def __init__(self, steps: Steps, k: int) -> None:
        self.steps, self.k = steps, k
        self.results: list[Value] = []
        self.detached: dict[Value, Value] = {}
        self._before = 0

    def __enter__(self) -> Self:
        for other in watchers():
            if isinstance(other, _Part) and other.steps is self.steps:
                raise ArgumentValueError(
                    f"step {self.k} is opened inside step {other.k} of the same Steps, but a "
                    f"result belongs to one step: close that one first."
                )
        self._before = len(self.results)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if any(error):
            del self.results[self._before :]
            self.steps._read = (-1, self.steps._read[1])

    def made(self, value: Value) -> Value:
        if value.op is not None:
            self.results.append(value)
        return value

    def leaf(self, leaf: Value, source: Value | None) -> None:
        if source is not None:
            self.detached[leaf] = source

    def hidden(self, result: Value, leaf: Value) -> None:
        if self.results and self.results[-1] is result:
            self.results.pop()
