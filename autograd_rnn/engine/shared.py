"""What all nodes share: the meaning of their marks, the latest sweep, and the open contexts."""

from __future__ import annotations

import threading
from typing import Any, Final

from ..errors import ArgumentTypeError

# `_mark` is VARIABLE on a leaf, CONSTANT on what is never differentiated (a leaf that was a plain
# number, or the result of a comparison), and on other results the number of the last sweep there.
# A leaf has no operands: it keeps the total of a sweep in `_dx`, and the sweep's number in `_dy`.
# A sweep that was interrupted leaves older numbers and nothing to clean up.  All are floats, which
# count exactly to 2**53.
VARIABLE: Final = 1e300
CONSTANT: Final = 2e300


# This and Watch are classes, since the variables of a compiled module are boxed in a dict.
class Sweeps:
    """The number of the latest sweep, in all threads."""

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: float = 0.0


SWEEPS: Final = Sweeps()


class Watch:
    """How many contexts are open, in all threads: all that an operator reads of them."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: int = 0


WATCH: Final = Watch()
_thread: Final = threading.local()


def watchers() -> list[Any]:
    """The contexts that are open in this thread, the innermost last; see `contexts.Context`."""
    found: list[Any] | None = getattr(_thread, "watchers", None)
    if found is None:
        found = _thread.watchers = []
    return found


def passed(result: Any) -> Any:
    """The result as the contexts of this thread let it pass, the innermost first."""
    for watcher in watchers()[::-1]:
        result = watcher.made(result)
    return result


def tell_compared(comparison: str, x: Any, y: object, outcome: bool) -> None:
    """Tell the contexts of this thread how a comparison came out."""
    for watcher in watchers():
        watcher.compared(comparison, x, y, outcome)


def refuse_subclass(cls: type, **_: Any) -> None:
    raise ArgumentTypeError(
        "Value cannot be subclassed: every reader of a graph relies on what its nodes are. "
        "Keep a Value in an attribute of your class instead."
    )
