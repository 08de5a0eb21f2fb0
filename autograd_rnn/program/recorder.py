"""The recorder, which sees all that a function computes from its inputs; and `record`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn, Self

from ..arguments import as_float, as_function
from ..engine.contexts import Context
from ..engine.leaves import is_frozen
from ..engine.points import Scalar, keeping_graphs, opened, opened_parameters
from ..engine.reverse import as_output, as_values
from ..engine.shared import OPEN, RECORDERS, unwatched
from ..engine.sweep import begin
from ..engine.value import Value
from ..errors import ArgumentValueError, RecordingError
from ..graph.walk import depth_first, describe
from .program import Comparison, Program, write_program

#: What to write instead of reading an attribute.
INSTEAD: Final = {
    "data": "Compare the Value itself, or take its detach() for a number without a gradient",
    "grad": "Take gradients(..., create_graph=True), whose results are recorded",
    "partials": "Take derivatives with create_graph=True, whose results are recorded",
    "backward": "Take gradients(..., create_graph=True), whose results are recorded",
}

OUTSIDE: Final = (
    "a variable of an outer derivative, outside of this recording: pass it to the function as an "
    "input."
)


class Recorder(Context):
    """A context that sees all that is computed from the inputs, and refuses what it cannot see.

    Whatever a result of the context depends on is an input, is computed in the context, or is a
    constant: a leaf that was made in the context or from a plain number, or one of those `held`.
    """

    def __init__(
        self,
        inputs: Iterable[Value],
        parameters: Iterable[Value] = (),
        held: Iterable[Value] = (),
        *,
        otherwise: str,
    ) -> None:
        self.shared, self.held, self.otherwise = set(parameters), set(held), otherwise
        self.comparisons: list[Comparison] = []
        #: Whether it depends on the inputs, for every Value that was met.
        self.depends = dict.fromkeys(self.held, False)
        self.depends.update(dict.fromkeys([*self.shared, *inputs], True))
        #: The Values whose numbers leaves have.
        self.detached: dict[Value, Value] = {}
        self._thread = threading.get_ident()
        self._lost: Value | None = None

    def __enter__(self) -> Self:
        RECORDERS.append(self)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        RECORDERS.remove(self)

    def program(
        self, results: Sequence[Any], inputs: Sequence[Value], names: Any = None
    ) -> Program:
        """The program of these results, guarded by the comparisons that were made."""
        if self._lost is not None:
            with unwatched():
                said = describe(self._lost)
            raise RecordingError(
                f"{said} is used in a thread other than the recording one, which does not "
                f"see it: compute it in the same thread."
            )
        outputs = list(map(as_output, results))
        for output in outputs:
            self._meet(output)
        known = {x: x.name or f"x_{place}" for place, x in enumerate(inputs, 1)}
        return write_program(
            outputs, names or known, self.comparisons, held=self.held, detached=self.detached
        )

    # --- what it sees ---------------------------------------------------------------------------

    def made(self, value: Value) -> Value:
        if value.op is not None:
            self.depends[value] = self._meet_all(value.parents)
        return value

    def leaf(self, leaf: Value, source: Value | None) -> None:
        self.depends[leaf] = source is not None and self._meet(source)
        if source is not None and self.depends[leaf]:
            self.detached[leaf] = source

    def hidden(self, result: Value, leaf: Value) -> None:
        self.leaf(leaf, self.made(result))

    def compared(self, comparison: str, x: Value, y: Any, outcome: bool) -> None:
        if comparison == "is":
            self._compared_as_objects(x, y)
        elif self._meet_all([one for one in (x, y) if isinstance(one, Value)]):
            self.comparisons.append((comparison, x, y, outcome))

    def used_outside(self, what: Iterable[Any]) -> None:
        """Note what another thread reads, compares or makes, if it depends on an input.

        Parameters may be shared with other threads, which have nothing to do with this recording.
        """
        if threading.get_ident() != self._thread:
            values = [one for one in what if isinstance(one, Value)]
            for node in [*values, *[parent for value in values for parent in value.parents]]:
                if self.depends.get(node) and node not in self.shared:
                    self._lost = node

    def follows(self, value: Value) -> bool:
        return self.depends.get(value, False)

    def _meet_all(self, values: Iterable[Value]) -> bool:
        """Whether any depends on the inputs; all are met."""
        known, any_does = self.depends, False
        for value in values:
            found = known.get(value)
            any_does |= self._meet(value) if found is None else found
        return any_does

    def _meet(self, value: Value) -> bool:
        """Whether the Value depends on the inputs; an error if on what is not recorded."""
        found = self.depends.get(value)
        if found is not None:
            return found
        if value.op is None and value.constant and not is_frozen(value):
            return False
        # It was not made in this context, so it may depend on constants only.
        for node in depth_first([value], self._not_met):
            if self.depends.get(node):
                self._refuse_older(value, node)
            if node not in self.depends and node in OPEN:
                self._refuse_variable(node, value, OUTSIDE)
            varies = not node.constant or is_frozen(node)
            if node not in self.depends and node.op is None and varies:
                self._refuse_variable(
                    node, value, f"a variable that is not recorded: {self.otherwise}"
                )
        self.depends[value] = False
        return False

    def _not_met(self, node: Value) -> Sequence[Value]:
        known = self.depends.get(node) or node in self.held or node in OPEN
        return () if known else node.parents

    # --- what it refuses ------------------------------------------------------------------------

    def read(self, value: Value, what: str) -> None:
        if what != "assignment" and not self._meet(value):
            return
        with unwatched():
            said = describe(value)
        if what == "assignment":
            raise RecordingError(
                f"data of {said} is assigned in a function that is being recorded: a program does "
                f"not do so when it runs. Assign it before."
            )
        raise RecordingError(
            f"{what} of {said} is a plain number, which a recording would keep for all inputs. "
            f"{INSTEAD[what]}."
        )

    def _compared_as_objects(self, x: Value, y: Value) -> None:
        with unwatched():
            if x is y or x.data != y.data or not (self.follows(x) or self.follows(y)):
                return
            said = f"{describe(x)} and {describe(y)}"
        raise RecordingError(
            f"== between Values compares objects, not numbers, which are equal here: {said}. Write "
            f"x - y == 0 for numbers, and x is y for objects."
        )

    def _refuse_older(self, value: Value, source: Value) -> NoReturn:
        with unwatched():
            said = f"{describe(value)} depends on {describe(source)}"
        raise RecordingError(
            f"{said}, but was not computed in this recording: a program could not compute it "
            f"again. Compute it in the function that is recorded, and in the same thread."
        )

    def _refuse_variable(self, variable: Value, value: Value, why: str) -> NoReturn:
        with unwatched():
            unnamed = variable.op is None and variable.name is None
            said = f"the unnamed Value({variable.data!r})" if unnamed else describe(variable)
            behind = "" if variable is value else f", by {describe(value)}"
        raise RecordingError(f"the function uses {said}{behind}, {why}")


@contextmanager
def recording(
    inputs: Sequence[Value],
    parameters: Sequence[Value] = (),
    *,
    held: Iterable[Value] = (),
    otherwise: str = "list it among the parameters, or take its number (.data) before.",
) -> Iterator[Recorder]:
    """A context in which a function of these inputs, and of parameters of others, is recorded."""
    recorder = Recorder(inputs, parameters, held, otherwise=otherwise)
    with keeping_graphs(), opened(inputs, begin()), opened_parameters(parameters), recorder:
        yield recorder


def record(
    f: Callable[..., Scalar | Sequence[Scalar]], *examples: float, constants: Iterable[Value] = ()
) -> Program:
    """The program of a function of Values, recorded by calling it once on the examples.

    `f` gives a Value or a number, or a list of them.  Comparisons, equality with numbers and
    `bool()` are kept as guards: for inputs that would take another branch the program raises
    `BranchChanged`.  `detach` and `no_grad` stop gradients in the program, too.

    All that `f` uses is an input, a plain number, or one of the `constants`, Values whose numbers
    are held as they are now.  `RecordingError` for any other variable, and where a number leaves
    the recording: `data`, `grad` and `partials` of what depends on the inputs, and `backward`.
    Anything that is not a Value (a random number, an attribute that changes later) is recorded as
    it is now.

    >>> program = record(lambda x: x * 2 if x > 0 else -x, 3)
    >>> program(5.0)
    10.0
    >>> program(-5.0)
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.BranchChanged: x_1 > 0.0 was True when the program was recorded...
    >>> w = Value(3, "w")
    >>> record(lambda x: w * x, 1, constants=[w])(5.0)
    15.0
    """
    as_function(f, "f")
    inputs = [
        Value(as_float(example, f"examples[{place}]"), f"x_{place + 1}")
        for place, example in enumerate(examples)
    ]
    way_out = "pass it as an input, or hold its number with constants=[...]."
    with recording(inputs, held=as_values(constants, "constants"), otherwise=way_out) as recorder:
        made = f(*inputs)
    results = made if isinstance(made, tuple | list) else [made]
    if not results:
        raise ArgumentValueError("f gave an empty list: a program has one output or more.")
    return recorder.program(results, inputs)
