"""Faults on purpose: Ctrl-C, a full disk, or a process that dies, at any moment."""

import errno
import inspect
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from unittest.mock import patch

from hypothesis import seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from autograd_rnn.loading import PACKAGE

#: The functions that change files, of those that `autograd_rnn.files` calls.
CHANGES = ("open", "fsync", "replace", "unlink", "write", "ftruncate")


class Dead(BaseException):
    """The process is no more: nothing that it does from here on has an effect."""


@contextmanager
def interrupted(at: int) -> Iterator[None]:
    """A context in which Ctrl-C is pressed at the `at`-th call of a function of the package."""
    left, inside = at, f"{PACKAGE}{os.sep}"

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        code = frame.f_code
        # Python ignores what is raised in a generator that it throws away.
        if event != "call" or code.co_flags & inspect.CO_GENERATOR:
            return
        if code.co_filename.startswith(inside):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


@contextmanager
def failing(at: int, dies: bool, written: int = 0) -> Iterator[None]:
    """A context in which the `at`-th change of a file fails, since the disk is full.

    With `dies`, the process dies there, and so does whatever it would do afterwards.  A file gets
    so many bytes before its writing fails.
    """
    done = 0

    def fails() -> bool:
        nonlocal done
        done += 1
        return done == at or (dies and done > at)

    def fault(*paths: Any) -> BaseException:
        """As the system reports it, which names paths, but not what a descriptor is of."""
        return Dead() if dies else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *paths)

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            if fails():
                raise fault(*[one for one in arguments[:1] if not isinstance(one, int)])
            return real(*arguments)

        return change

    def opened(handle: int, mode: str, real: Any = os.fdopen) -> Any:
        file = real(handle, mode)
        write = file.write

        class Faulty:
            """The file, in whose writing something may go wrong."""

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def write(self, content: bytes) -> None:
                if fails():
                    write(content[:written])
                    raise fault()
                write(content)

        return Faulty()

    with patch.multiple(
        "autograd_rnn.files.os",
        fdopen=opened,
        **{name: faulty(getattr(os, name)) for name in CHANGES},
    ):
        yield


def run_long(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """Run a state machine for long, from a seed that is printed."""
    number = random.SystemRandom().randrange(10**9)
    print(f"{machine.__name__} from seed {number}")
    chosen = settings(
        machine.TestCase.settings,
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=False,
        database=None,
    )
    run_state_machine_as_test(seed(number)(machine), settings=chosen)
