"""Random calls of everything that the engine's modules let Python see: none may break it.

    python -m tests.engine.fuzz --calls 1000000

Each process makes some thousands of calls from a seed of its own, which is printed if the process
dies or a Value is no longer one.  `--seed` makes the calls of one process again.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import gc
import importlib
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_rnn import Value, compiled
from autograd_rnn.loading import PACKAGE
from autograd_rnn.ops.op import Op

PER_PROCESS = 20_000
#: Modules that are compiled: those with a `.pxd`.
MODULES = [
    importlib.import_module(
        ".".join(["autograd_rnn", *path.relative_to(PACKAGE).with_suffix("").parts])
    )
    for path in sorted(PACKAGE.rglob("*.pxd"))
]
JUNK: list[Any] = [
    *[None, True, 0, 1, -1, 2, 10**400, 0.0, -0.0, 1e-320, 1.5, float("inf"), float("nan"), 1j],
    *["", "x", "\udc80", b"x", (), [], {}, set(), [1.0], (1.0, 2.0), {"a": 1}, slice(3), ...],
    *[int, float, object, type, Value, len, ValueError, np.float64(2), np.zeros(3), np.zeros(0)],
    *[np.zeros((2, 2), dtype=object), np.zeros(3, dtype=np.int8), bytearray(8), memoryview(b"abc")],
]
#: Calls that end the process on purpose, or never end.
LEFT_OUT = {"breakpoint", "exit", "quit", "input"}


class Fuzzer:
    """A pool of Values and other things, and random calls with them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.values: list[Value] = [Value(2.0, "a"), Value(-1.0), Value(0.5, "w") * 3.0]
        self.others: list[Any] = [*JUNK]
        self.targets: list[tuple[Any, str]] = [
            (module, name)
            for module in MODULES
            for name in dir(module)
            if callable(getattr(module, name)) and name not in LEFT_OUT
        ]
        self.methods = dir(Value)
        self.ops = [op for module in MODULES for op in vars(module).values() if isinstance(op, Op)]

    def thing(self) -> Any:
        """A random argument."""
        kind = self.random.random()
        if kind < 0.45:
            return self.random.choice(self.values)
        if kind < 0.55:
            return [self.random.choice(self.values) for _ in range(self.random.randrange(4))]
        if kind < 0.6 and self.ops:
            return self.random.choice(self.ops)
        return self.random.choice(self.others)

    def call(self) -> Any:
        """The result of one random access or call."""
        pick, value = self.random.randrange(10), self.random.choice(self.values)
        arguments = [self.thing() for _ in range(self.random.randrange(5))]
        if pick < 4:
            return getattr(value, self.random.choice(self.methods))(*arguments)
        if pick < 7:
            module, name = self.random.choice(self.targets)
            return getattr(module, name)(*arguments)
        if pick == 7:
            # The function of the type, with something else as self.
            return getattr(Value, self.random.choice(self.methods))(*arguments)
        name = self.random.choice(self.methods)
        if pick == 8:
            change: Callable[..., None] = self.random.choice([setattr, object.__setattr__])
            return change(self.random.choice([value, Value]), name, self.thing())
        return self.random.choice(
            [
                lambda: delattr(value, name),
                lambda: copy.copy(value),
                lambda: copy.deepcopy(arguments),
                lambda: pickle.loads(pickle.dumps(value)),
                lambda: Value.__new__(Value),
                lambda: object.__new__(Value),
                lambda: object.__reduce_ex__(value, self.random.randrange(6)),
                lambda: type("V", (Value,), {}),
                lambda: value.backward(),
                lambda: sum(self.values[-3:], value),
                lambda: gc.collect(),
            ]
        )()

    def keep(self, found: Any) -> None:
        """Put a result into the pool."""
        if type(found) is Value:
            self.values.append(found)
            if len(self.values) > 40:
                del self.values[self.random.randrange(3, len(self.values))]
        elif isinstance(found, list | tuple | float | str) and len(self.others) < 200:
            self.others.append(found)

    def run(self, calls: int) -> None:
        """Make so many calls, and look at every Value now and then."""
        methods = {name: getattr(Value, name) for name in ("backward", "exp", "data", "parents")}
        for number in range(calls):
            with contextlib.suppress(Exception):
                self.keep(self.call())
            if number % 50 == 0:
                for value in self.values:
                    check(value)
                assert all(getattr(Value, name) is one for name, one in methods.items())


def check(value: Value) -> None:
    """Fail unless this is a Value: a leaf, or the result of an op with its operands."""
    assert type(value) is Value
    parents, partials, op = value.parents, value.partials, value.op
    assert type(value.data) is float
    assert type(value.grad) is float
    assert value.name is None or isinstance(value.name, str)
    assert len(parents) == len(partials)
    assert (op is None) == (parents == ())
    assert all(type(parent) is Value for parent in parents)
    assert all(type(partial) is float for partial in partials)
    assert repr(value).startswith("Value(")
    if op is not None:
        assert isinstance(op, Op)
        assert len(op.partials) == len(parents)


def in_processes(calls: int, seed: int) -> list[int]:
    """The seeds of processes that died, or found a Value that is none."""
    failed = []
    for one in range(seed, seed + -(-calls // PER_PROCESS)):
        command = [sys.executable, "-m", __name__, "--seed", str(one), "--calls", str(PER_PROCESS)]
        done = subprocess.run([*command, "--here"], capture_output=True, timeout=600, check=False)
        if done.returncode:
            failed.append(one)
            last = done.stderr.decode(errors="replace").splitlines()[-1:]
            print(f"seed {one}: exit code {done.returncode}: {''.join(last)}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=PER_PROCESS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--here", action="store_true", help="in this process, from this seed")
    options = parser.parse_args()
    if options.here:
        Fuzzer(options.seed).run(options.calls)
        return
    engine = "compiled" if compiled else "in plain Python"
    print(f"engine {engine}, {options.calls:,} calls from seed {options.seed}")
    sys.exit(bool(in_processes(options.calls, options.seed)))


if __name__ == "__main__":
    __name__ = "tests.engine.fuzz"
    main()
