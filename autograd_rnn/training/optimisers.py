"""`Optimiser`: what all rules by which parameters move have in common, their state and settings."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from ..arguments import as_float, as_floats, as_integer
from ..engine.leaves import (
    assign_numbers,
    constant_places,
    first_difference,
    first_result,
    read_floats,
    read_gradients,
    read_numbers,
)
from ..engine.reverse import as_values
from ..engine.shared import SWEEPS, WATCH
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError, AssignmentError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
    Numbers: TypeAlias = Array | Sequence[float]

# Keeps a gradient of zeros from being divided by its norm; torch's number.
CLIP_EPS: Final = 1e-6


def _positive(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 < found < math.inf:
        raise ArgumentValueError(f"{argument} must be over 0 and finite, not {found!r}.")
    return found


def _share(number: object, argument: str) -> float:
    found = as_float(number, argument)
    if not 0.0 <= found < 1.0:
        raise ArgumentValueError(f"{argument} must be from 0 to below 1, not {found!r}.")
    return found


def _positive_or_none(number: object, argument: str) -> float | None:
    return None if number is None else _positive(number, argument)


def _betas(numbers: object, argument: str) -> tuple[float, float]:
    both = as_floats(numbers, argument)
    if len(both) != 2:
        raise ArgumentValueError(f"{argument} must be two numbers, not {len(both)}.")
    return _share(both[0], f"{argument}[0]"), _share(both[1], f"{argument}[1]")


class Optimiser(ABC):
    """The rule by which `fit` moves the parameters; a class derived from it is a rule.

    It defines `moves`, and names in `parts` what it keeps in `state` from step to step.  Its
    settings are attributes, made in `__init__`: assigning to others is an `AttributeError`, unless
    they begin with "_".  A checkpoint fits only the same settings.  With `clip_value`, each
    gradient is clipped to that size; with `clip_norm`, gradients whose norm over all parameters is
    larger are then scaled down to it.  With `weight_decay`, each step first shrinks every weight by
    the learning rate times it.

    What it keeps belongs to the Values that it moves: for the same ones, by `step` or `fit`, it
    goes on, and for others it starts afresh.

    >>> import numpy as np
    >>> class SignDescent(Optimiser):
    ...     def moves(self, gradients):
    ...         return -np.copysign(self.learning_rate, gradients), {}
    >>> w = Value(1.0)
    >>> SignDescent(0.25).step([w], [4.0])
    >>> w.data
    0.75
    """

    #: The parts of a state: arrays of a number per parameter, and `steps`, the number of steps.
    parts: ClassVar[tuple[str, ...]] = ()

    # Whether all settings are there: what is assigned later must be one of them.
    _complete = False

    # What each setting must be, checked whenever it is assigned.
    _checks: ClassVar[Mapping[str, Callable[[object, str], Any]]] = {
        **dict.fromkeys(("learning_rate", "eps"), _positive),
        **dict.fromkeys(("clip_norm", "clip_value"), _positive_or_none),
        **dict.fromkeys(("momentum", "weight_decay"), _share),
        "betas": _betas,
    }

    # The numbers of its Values, and the count of assignments at which they were these.
    _assigned: tuple[float, Array] | None = None
    # Which of them are constant, and the count of marks at which they were.
    _constant: tuple[float, list[int]] | None = None

    learning_rate: float
    clip_norm: float | None
    clip_value: float | None = None
    weight_decay: float = 0.0

    def __init__(
        self, learning_rate: float, clip_norm: float | None = None, clip_value: float | None = None
    ) -> None:
        self.learning_rate, self.clip_norm = learning_rate, clip_norm
        if clip_value is not None:
            self.clip_value = clip_value
        self._kept: dict[str, Any] = {}
        self._epochs = 0
        # The Values that all this is of: None if whichever come next.
        self._owners: list[Value] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        prepare = cls.__init__

        @wraps(prepare)
        def initialise(self: Optimiser, *given: Any, **named: Any) -> None:
            prepare(self, *given, **named)
            if type(self) is cls:
                self._complete = True

        # A metaclass would do without the replacement, but hide the settings from `help`.
        cls.__init__ = initialise  # type: ignore[method-assign]  # mypy forbids it everywhere

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_owners": None, "_assigned": None, "_constant": None}

    @contextmanager
    def scaled(self, factor: float) -> Iterator[None]:
        """A context in which the learning rate is multiplied by the factor, which may be 0.

        >>> from autograd_rnn import SGD
        >>> w, optimiser = Value(1.0), SGD(0.5)
        >>> with optimiser.scaled(0.5):
        ...     optimiser.step([w], [2.0])
        >>> w.data, optimiser.learning_rate
        (0.5, 0.5)
        """
        rate, scale = self.learning_rate, as_float(factor, "factor")
        if not 0.0 <= scale < math.inf:
            raise ArgumentValueError(f"factor must be 0 or more and finite, not {scale!r}.")
        vars(self)["learning_rate"] = scale * rate  # not checked: the setting itself may not be 0
        try:
            yield
        finally:
            vars(self)["learning_rate"] = rate

    def __setattr__(self, name: str, setting: object) -> None:
        if self._complete and name[0] != "_" and not hasattr(self, name):
            settings = [
                one
                for one in {**vars(self), **self._checks}
                if one[0] != "_" and hasattr(self, one)
            ]
            raise AssignmentError(
                f"{type(self).__name__} has no setting {name!r}: it has {', '.join(settings)}."
            )
        check = self._checks.get(name)
        super().__setattr__(name, setting if check is None else check(setting, name))

    @property
    def state(self) -> dict[str, Any]:
        """What is kept between steps, as JSON can hold it: empty before the first one.

        It may be assigned, and is then that of the Values which are moved next.  `ValueError` for
        anything but such a state.
        """
        return {
            part: content if isinstance(content, int) else content.tolist()
            for part, content in self._kept.items()
        }

    @state.setter
    def state(self, state: object) -> None:
        self._keep(state)
        self._owners, self._epochs = None, 0

    def _keep(self, state: object) -> None:
        if not isinstance(state, dict):
            raise ArgumentTypeError(f"state must be a dict, not {type(state).__name__}.")
        if state and state.keys() != {*self.parts}:
            raise ArgumentValueError(
                f"state must have the parts of {type(self).__name__}, "
                f"{', '.join(self.parts) or 'none'}, not {', '.join(map(str, state))}."
            )
        made: dict[str, Any] = {
            part: as_integer(content, "state['steps']", least=1)
            if part == "steps"
            else _as_array(content, f"state[{part!r}]")
            for part, content in state.items()
        }
        if len({len(content) for part, content in made.items() if part != "steps"}) > 1:
            raise ArgumentValueError("state has lists that differ in length.")
        self._kept = made

    @property
    def kept(self) -> dict[str, Any]:
        """The `state` with NumPy's arrays in place of lists.

        No step changes an array: each makes a new dict of new ones, so this one may be held.
        """
        return self._kept

    def attach(self, parameters: Iterable[Value]) -> None:
        """Be of these Values: the state is kept if it is theirs, and forgotten if it is of others.

        `step` and `fit` do that.  `ValueError` if it is of some of them, or of them in another
        order.

        >>> from autograd_rnn import SGD
        >>> w, sgd = Value(3.0), SGD(0.25, momentum=0.5)
        >>> sgd.step([w], [1.0])
        >>> sgd.attach([Value(3.0)])
        >>> sgd.state
        {}
        """
        known = self._owners
        if (
            known is not None
            and type(parameters) is list
            and first_difference(parameters, known) < 0
        ):
            return  # the usual case, without a look at each Value
        leaves = as_values(parameters, "parameters")
        place = first_result(leaves)
        if place >= 0:
            raise ArgumentValueError(f"parameters[{place}] is a result: only leaves can learn.")
        if known is not None and first_difference(leaves, known) >= 0:
            if self._kept and not set(known).isdisjoint(leaves):
                raise ArgumentValueError(
                    f"the state is of other parameters, of which these {len(leaves)} are some, or "
                    f"in another order: make a new {type(self).__name__} for each list."
                )
            self._kept, self._epochs = {}, 0
        self._owners, self._assigned, self._constant = leaves, None, None

    @property
    def epochs(self) -> int:
        """How many epochs `fit` has made with it on the Values that its state is of."""
        return self._epochs

    @epochs.setter
    def epochs(self, epochs: int) -> None:
        self._epochs = as_integer(epochs, "epochs", least=0)

    def step(self, parameters: Iterable[Value], gradients: Numbers | None = None) -> None:
        """Move each parameter against its gradient: all of them, or none if there is an error.

        Those that are constant stay where they are.  The gradients are the parameters' `grad`,
        unless others are given.  If the steps before moved other Values, the state starts afresh:
        see `attach`.  `ValueError` for another number of gradients, or of parameters than a state
        is for that was assigned.

        >>> from autograd_rnn import SGD
        >>> w = Value(3.0)
        >>> (w * w).backward()
        >>> SGD(0.25).step([w])
        >>> w.data
        1.5
        """
        import numpy as np

        before = self._kept, self._epochs, self._owners
        try:
            self.attach(parameters)
            leaves = self._owners
            assert leaves is not None
            weights = self._numbers(leaves)
            if gradients is None:
                gradients = np.empty(len(leaves))
                read_gradients(leaves, gradients)
            after = self.updated(weights, gradients)
        except BaseException:
            self._kept, self._epochs, self._owners = before
            self._assigned = self._constant = None
            raise
        if self._constant is None or self._constant[0] != SWEEPS.marked:
            self._constant = SWEEPS.marked, constant_places(leaves)
        hold(after, weights, self._constant[1])
        self._assigned, count = None, SWEEPS.assigned + 1.0
        assign_numbers(leaves, after)
        if SWEEPS.assigned == count:  # no other thread has assigned any
            self._assigned = count, after.copy()

    def _numbers(self, leaves: list[Value]) -> Array:
        """The numbers of the leaves, which were read before if nothing was assigned since."""
        import numpy as np

        if self._assigned is not None and self._assigned[0] == SWEEPS.assigned and not WATCH.open:
            return self._assigned[1]
        numbers = np.empty(len(leaves))
        read_numbers(leaves, numbers)
        return numbers

    def updated(self, weights: Numbers, gradients: Numbers) -> Array:
        """The weights after a step from these, as a new array; the `state` is that of the step.

        `ValueError` for another number of gradients, or of weights than in the steps before; then
        the state stays as it is.

        >>> from autograd_rnn import SGD
        >>> SGD(0.25).updated([3.0, 1.0], [6.0, 2.0]).tolist()
        [1.5, 0.5]
        """
        before, slopes = _as_array(weights, "weights"), _as_array(gradients, "gradients")
        if len(before) != len(slopes):
            raise ArgumentValueError(
                f"there are {len(before)} parameters, but {len(slopes)} gradients."
            )
        for part, content in self._kept.items():
            if not isinstance(content, int) and len(content) != len(slopes):
                raise ArgumentValueError(
                    f"state[{part!r}] is of {len(content)} parameters, not {len(slopes)}: make a "
                    f"new {type(self).__name__} for other parameters."
                )
        return self._moved(before, slopes)

    def _moved(self, before: Array, slopes: Array) -> Array:
        """The weights after a step; the state is that of the step."""
        import numpy as np

        with np.errstate(all="ignore"):
            after, state = self._by_arrays(before, slopes)
        self._keep_made(state)
        return after

    def _keep_made(self, state: dict[str, Any]) -> None:
        """Keep the state that `moves` gave, which may be anybody's."""
        self._keep(state)

    def _by_arrays(self, before: Array, slopes: Array) -> tuple[Array, dict[str, Any]]:
        """The weights after a step, and the state."""
        import numpy as np

        # Of an array of its own, whatever a rule keeps of it or does to it.
        if self.clip_value is None:
            slopes = slopes.copy()
        else:
            slopes = np.clip(slopes, -self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            # NumPy's norm overflows where this does not.
            norm = math.hypot(*slopes.tolist())
            slopes *= min(1.0, self.clip_norm / (norm + CLIP_EPS))
        made, state = self.moves(slopes)
        what = f"what {type(self).__name__}.moves gives"
        moves = _as_array(made, what)
        if len(moves) != len(before):
            raise ArgumentValueError(f"{what} has {len(moves)} moves for {len(before)} parameters.")
        if self.weight_decay:
            before = before * (1.0 - self.learning_rate * self.weight_decay)
        return before + moves, state

    @abstractmethod
    def moves(self, gradients: Array) -> tuple[Numbers, dict[str, Any]]:
        """What each parameter moves by, and the `state` after that; `kept` has the one before."""

    def __repr__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in vars(self).items() if name[0] != "_"]
        return f"{type(self).__name__}({', '.join(settings)})"


def hold(after: Array, before: Array, places: Sequence[int]) -> None:
    """Undo what a step did to the weights at the places, which are constant."""
    if places:
        index = list(places)
        after[index] = before[index]


def _as_array(numbers: object, argument: str) -> Array:
    """The array, as it is, or a new one of a list of real numbers."""
    import numpy as np

    if isinstance(numbers, np.ndarray) and numbers.ndim == 1 and numbers.dtype == np.float64:
        return numbers
    if type(numbers) is list and read_floats(numbers, found := np.empty(len(numbers))):
        return found
    return np.array(as_floats(numbers, argument))
