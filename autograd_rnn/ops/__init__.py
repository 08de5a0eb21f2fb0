"""The table of primitives, and the tracers that its rules accept."""

from . import table as table
from .custom import primitive
from .op import TABLE, Op, nothing

__all__ = ["TABLE", "Op", "nothing", "primitive"]


def __getattr__(name: str) -> Op:
    """Any op of the table by its name: `from autograd_rnn.ops import tanh`."""
    if name not in TABLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return TABLE[name]
