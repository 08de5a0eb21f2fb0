"""What all nodes share: the meaning of their marks, the latest sweep, and the open contexts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from ..errors import ArgumentTypeError

Leaf = TypeVar("Leaf")

# `_mark` is VARIABLE on a leaf, CONSTANT on what is never differentiated (a leaf that was a plain
# number, or the result of a comparison), and on other results the number of the last sweep there:
# of the latest sweep anywhere, for a new one.  FROZEN is a variable that is a constant for now: its
# partials are recorded, so that it may be a variable again.
# A leaf has no operands: it keeps the total of a sweep in `_dx`, and the sweep's number in `_dy`.
# A sweep that was interrupted leaves older numbers and nothing to clean up.  All are floats, which
# count exactly to 2**53.
VARIABLE: Final = 1e300
FROZEN: Final = 1.5e300
CONSTANT: Final = 2e300


# This and Watch are classes, since the variables of a compiled module are boxed in a dict.
class Sweeps:
    """The numbers of the latest sweep, and of assignments to leaves and marks of them so far.

    They count for all threads.
    """

    __slots__ = ("assigned", "latest", "marked")

    def __init__(self) -> None:
        self.latest: float = 0.0
        self.assigned: float = 0.0
        self.marked: float = 0.0


SWEEPS: Final = Sweeps()
#: The points of all functions that are being differentiated or recorded now: see `points.py`.
OPEN: Final[set[Any]] = set()


class Watch:
    """How many contexts are open, in all threads: all that an operator reads of them."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: int = 0


WATCH: Final = Watch()
#: The contexts that are open in this thread or asyncio task, the innermost last.
WATCHERS: Final[ContextVar[tuple[Any, ...]]] = ContextVar("WATCHERS", default=())


#: The recorders that are open in any thread.
RECORDERS: Final[list[Any]] = []


def watchers() -> tuple[Any, ...]:
    """The contexts that are open here, the innermost last; see `contexts.Context`."""
    return WATCHERS.get()


def passed(result: Any) -> Any:
    """The result as the contexts that are open here let it pass, the innermost first."""
    _tell_recorders_of_other_threads(result)
    for watcher in watchers()[::-1]:
        result = watcher.made(result)
    return result


def _tell_recorders_of_other_threads(*what: Any) -> None:
    here = watchers() if RECORDERS else ()
    for recorder in RECORDERS:
        if recorder not in here:
            recorder.used_outside(what)


def tell(event: str, *what: Any) -> None:
    """Tell the contexts that are open here of an event, one of the methods of `Context`."""
    _tell_recorders_of_other_threads(*what)
    for watcher in watchers():
        getattr(watcher, event)(*what)


def is_followed(value: Any) -> bool:
    """Whether a recorder that is open here has to see what is made of a Value."""
    return WATCH.open > 0 and any(watcher.follows(value) for watcher in watchers())


@contextmanager
def unwatched() -> Iterator[None]:
    """A context in which the package may read numbers that end in no result."""
    before = WATCHERS.set(())
    try:
        yield
    finally:
        WATCHERS.reset(before)


def detached(leaf: Leaf, source: Any) -> Leaf:
    """The leaf, once the contexts that are open here know whose number it has."""
    if WATCH.open:
        tell("leaf", leaf, source)
    return leaf


def told(comparison: str, x: Any, y: object, outcome: bool) -> bool:
    """The outcome of a comparison, once the contexts that are open here know it."""
    if WATCH.open:
        tell("compared", comparison, x, y, outcome)
    return outcome


def refuse_subclass(cls: type, **_: Any) -> None:
    raise ArgumentTypeError(
        "Value cannot be subclassed: every reader of a graph relies on what its nodes are. "
        "Keep a Value in an attribute of your class instead."
    )
