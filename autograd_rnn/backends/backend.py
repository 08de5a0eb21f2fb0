"""The interface of backends, which run a step over batches, and the choice among them."""

from __future__ import annotations

import importlib.util
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from ..arguments import as_choice, as_text
from ..engine.points import opened_parameters
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from .batch import Batch
from .objective import Objective, as_entries

if TYPE_CHECKING:
    import jax

#: JAX's devices, or a mesh of them, among which the sequences of a batch are shared.
Devices: TypeAlias = "Sequence[jax.Device] | jax.sharding.Mesh"


class Result(NamedTuple):
    """What one pass over a batch gives: sums over its sequences, and the outputs if asked for.

    `gradient` is an array in the order of the parameters, which may be written.  `outputs` has a
    row for each target, as `Batch.aims` has, and `states` one for each sequence: the state after
    it.
    """

    loss: float
    gradient: Any
    outputs: Any = None
    states: Any = None

    def mean(self, count: int) -> Result:
        """The means over so many sequences in place of the sums; the gradient is divided in place.

        >>> import numpy as np
        >>> Result(3.0, np.array([6.0])).mean(2).gradient.tolist()
        [3.0]
        """
        gradient = self.gradient
        if count & (count - 1):
            gradient /= count
        else:  # a power of two: to multiply by its inverse is quicker, and gives the same bits
            gradient *= 1.0 / count
        return Result(float(self.loss) / count, gradient, self.outputs, self.states)


class Backend(ABC):
    """A way of running a step over batches of sequences.

    `compile_step`, `Model.compile` and `fit` take a subclass by its `name`.  An instance runs an
    `objective` on vectors of one size: `x` is an example of an input, `y` of a target, or None for
    `predict`; `bit_for_bit` says whether results must be those of the engine, `mesh` is what
    `as_devices` gave, and `symbols` says whether inputs are symbols, of which `x` is the vector.

    >>> native = Backend.kinds["native"]
    >>> native.requires, native.exact, native.devices
    (('llvmlite',), True, False)
    """

    name: ClassVar[str]
    #: The packages that it needs to run, besides NumPy.
    requires: ClassVar[tuple[str, ...]] = ()
    #: Whether it can give the engine's results bit for bit.
    exact: ClassVar[bool] = False
    #: Whether it can share a batch among devices.
    devices: ClassVar[bool] = False
    #: Whether it cuts gradients itself where the objective says `truncate`; for others that is
    #: done by `Windows`.
    truncates: ClassVar[bool] = False
    #: Whether it takes batches of symbols, told by the option `symbols` of the constructor; others
    #: get batches of one-hot vectors.
    gathers: bool = False
    #: Its rank for "auto", which takes the fastest that can run, and never one of speed 0.
    speed: ClassVar[int] = 0

    kinds: ClassVar[dict[str, type[Backend]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" in vars(cls):
            name, known = as_text(cls.name, "name"), Backend.kinds.get(cls.name)
            if name == "auto" or (known and known.__qualname__ != cls.__qualname__):
                raise ArgumentValueError(f"the name {name!r} is taken: choose another one.")
            requires: object = cls.requires
            if isinstance(requires, str):
                raise ArgumentTypeError("requires must be a tuple of names, not a str.")
            Backend.kinds[name] = cls

    def __init__(
        self,
        objective: Objective,
        x: Sequence[float],
        y: Sequence[float] | None,
        *,
        exact: bool = False,
        devices: Any = None,
        symbols: bool = False,
    ) -> None:
        self.objective, self.x, self.y = objective, x, y
        self.bit_for_bit, self.mesh, self.symbols = exact, devices, symbols
        self._outputs: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Machine code, source that was run and the like are made again by a copy.
        kind, kept = type(self), vars(self).items()
        return {k: x for k, x in kept if not isinstance(getattr(kind, k, None), cached_property)}

    @abstractmethod
    def pack(self, batch: Batch) -> Any:
        """The batch in the form that the other methods take."""

    def pack_all(self, batches: Sequence[Batch]) -> Sequence[Any]:
        """Each of some batches of the same data in that form; all but the last have one size."""
        return [self.pack(batch) for batch in batches]

    @abstractmethod
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
        """The sums of the losses and of their gradients.

        And the outputs, and the states `after` the sequences, if they are asked for.  `numbers` is
        an array of the numbers of the parameters, and `states` one with a row for each sequence:
        the state it starts from, if that is not the objective's.
        """

    @abstractmethod
    def predict(
        self,
        packed: Any,
        numbers: Any,
        states: Any = None,
        *,
        after: bool = False,
        threads: int = 1,
    ) -> Result:
        """The outputs: a row for each sequence, or with `every` each step; and states as above."""

    @property
    def outputs(self) -> int:
        """The number of entries of an output, from one call of the step."""
        # Not a cached_property: that of Python 3.11 holds one lock for all objects while this calls
        # the step, which deadlocks if the step waits for a thread that compiles another.
        if self._outputs is None:
            objective = self.objective
            with opened_parameters(objective.parameters):
                state, x = [tuple(map(Value, entries)) for entries in (objective.state, self.x)]
                output = objective.call(state, x, tuple(objective.parameters))[1]
                self._outputs = len(as_entries(output))
        return self._outputs

    @abstractmethod
    def per_step(self, packed: Any, numbers: Any, states: Any = None) -> Sequence[Any]:
        """For each sequence and step, its term of the gradient with respect to each parameter."""

    # --- the choice -----------------------------------------------------------------------------

    @classmethod
    def as_devices(cls, devices: Any) -> Any:
        """The devices as an instance takes them; `ValueError` if it takes none."""
        if cls.devices:
            return devices
        able = _either(kind for kind in Backend.kinds.values() if kind.devices)
        raise ArgumentValueError(
            f"backend={cls.name!r} takes no devices: choose backend={able}, or leave devices out."
        )

    @classmethod
    def leads(cls, devices: Any) -> bool:
        """Whether this process writes files and progress for all that share these devices."""
        return True

    @classmethod  # noqa: B027 (most have nothing to wait for)
    def wait(cls, devices: Any) -> None:
        """Return when all processes that share these devices have called this."""

    @classmethod
    def explain(cls) -> str:
        """Which packages are missing and how to install them, or an empty string.

        >>> Backend.kinds["python"].explain()
        ''
        """
        missing = [name for name in cls.requires if importlib.util.find_spec(name) is None]
        if not missing:
            return ""
        verb = "is" if len(missing) == 1 else "are"
        return f"{' and '.join(missing)} {verb} not installed: pip install {' '.join(missing)}"


def backend_names() -> tuple[str, ...]:
    """The values of `backend=`, the slowest first."""
    return ("auto", *sorted(Backend.kinds, key=lambda name: Backend.kinds[name].speed))


def choose_backend(name: str, *, exact: bool) -> type[Backend]:
    """The backend of that name, or for "auto" the fastest that can run.

    A warning says if a faster one lacks packages.  `ValueError` for a named one that lacks them, or
    that is not exact where `exact` asks for it.
    """
    as_choice(name, "backend", backend_names())
    if name == "auto":
        fast = [kind for kind in _fastest_first() if kind.speed and (kind.exact or not exact)]
        chosen = next(kind for kind in fast if not kind.explain())
        if chosen is not fast[0]:
            reason = f"{fast[0].explain()} for backend={fast[0].name!r}, which is faster."
            warnings.warn(f"backend='auto' takes {chosen.name!r}, since {reason}", stacklevel=4)
        return chosen
    chosen = Backend.kinds[name]
    if chosen.explain():
        raise ArgumentValueError(
            f"backend={name!r} cannot run, since {chosen.explain()}, or choose backend='python'."
        )
    if exact and not chosen.exact:
        able = _either(kind for kind in _fastest_first() if kind.exact)
        raise ArgumentValueError(f"backend={name!r} is not exact: choose {able} for exact=True.")
    return chosen


def _fastest_first() -> list[type[Backend]]:
    return sorted(Backend.kinds.values(), key=lambda kind: kind.speed, reverse=True)


def _either(kinds: Iterable[type[Backend]]) -> str:
    """Their names, such as `'native', 'python' or 'eager'`."""
    *others, last = [repr(kind.name) for kind in kinds]
    return f"{', '.join(others)} or {last}" if others else last
