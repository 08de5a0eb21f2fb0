"""Strategies and one assertion for property-based tests of functions, ops, layers and losses.

The strategies need Hypothesis: `pip install hypothesis` installs it.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .arguments import as_choice, as_float, as_function, as_integer
from .backends import Backend
from .backends.objective import Objective
from .comparison import Comparison
from .engine.points import Argument, Scalar, as_scalars, in_shapes, shapes_of
from .errors import ArgumentValueError, LibraryNotFound
from .networks.bidirectional import Bidirectional
from .networks.model import Model
from .networks.rnn import activations
from .networks.serialise import KINDS, kind_called, recurrent_kinds
from .networks.stack import Stack
from .ops.losses import LOSSES, Loss, LossFunction, as_loss
from .ops.op import TABLE

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise LibraryNotFound(
        "autograd_rnn.testing needs Hypothesis, which is not installed: pip install hypothesis"
    ) from error

# --- numbers -------------------------------------------------------------------------------------

TINY: Final = 5e-324
AWKWARD: Final = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -2.0, TINY, -TINY, sys.float_info.min, 1e-160),
    *(1.0 - 2.0**-53, 1.0 + 2.0**-52, 2.0**53, 1e16, 710.0, -745.0, 1e160, 1e308, -1e308),
)


def numbers(
    least: float | None = None, most: float | None = None, *, nonfinite: bool = False
) -> st.SearchStrategy[float]:
    """Floats from `least` to `most`, with awkward values drawn often.

    These are zeros of both signs, subnormal and huge numbers, and numbers next to 1; with
    `nonfinite` also infinities and NaN.

    >>> from hypothesis import find
    >>> find(numbers(), lambda x: x > 0 and x / 2 == 0)
    5e-324
    """
    plain = st.floats(least, most, allow_nan=False, allow_infinity=False)
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    chosen = plain | st.sampled_from([x for x in AWKWARD if low <= x <= high] or [low])
    if not nonfinite:
        return chosen
    return chosen | st.sampled_from([math.inf, -math.inf, math.nan])


# --- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expression:
    """A function of `variables` numbers or Values, made of ops of the table.

    Each of the `lines` has the name of an op and the places of its operands among the variables,
    then the constants, then the results of the lines before it.  The last one is the result.

    >>> product = Expression(1, (3.0,), (("mul", (0, 1)), ("tanh", (2,))))
    >>> product
    <v_3 = mul(v_1, 3.0); v_4 = tanh(v_3)>
    >>> product(0.0)
    0.0
    """

    variables: int
    constants: tuple[float, ...]
    lines: tuple[tuple[str, tuple[int, ...]], ...]

    def __call__(self, *numbers: Scalar) -> Any:
        """The result; for numbers a float, and for Values a Value."""
        made: list[Any] = [*numbers, *self.constants]
        for name, operands in self.lines:
            made.append(TABLE[name](*[made[operand] for operand in operands]))
        return made[-1]

    def __repr__(self) -> str:
        words = [f"v_{place + 1}" for place in range(self.variables)]
        words += map(repr, self.constants)
        lines = []
        for name, operands in self.lines:
            words.append(f"v_{len(words) + 1}")
            lines.append(f"{words[-1]} = {name}({', '.join([words[o] for o in operands])})")
        return f"<{'; '.join(lines)}>"


@st.composite
def expressions(
    draw: st.DrawFn,
    variables: int = 2,
    *,
    ops: Iterable[str] | None = None,
    constants: st.SearchStrategy[float] | None = None,
    most_constants: int = 2,
    most_ops: int = 8,
) -> Expression:
    """Expressions over the ops of these names: by default, over all that the table has.

    >>> from hypothesis import find
    >>> power = find(expressions(variables=1, ops=["mul"]), lambda f: f(3.0) == 81.0)
    >>> power(3.0)
    81.0
    """
    names = tuple(TABLE) if ops is None else tuple(ops)
    known = draw(st.lists(constants or numbers(-3, 3), max_size=most_constants))
    lines: list[tuple[str, tuple[int, ...]]] = []
    for count in range(draw(st.integers(1, most_ops))):
        name = draw(st.sampled_from(names))
        places = st.integers(0, variables + len(known) + count - 1)
        lines.append((name, draw(st.tuples(*[places] * TABLE[name].arity))))
    return Expression(variables, tuple(known), tuple(lines))


# --- networks ------------------------------------------------------------------------------------


@st.composite
def models(
    draw: st.DrawFn,
    kinds: Iterable[type[Model]] | None = None,
    *,
    inputs: int | None = None,
    outputs: int | None = None,
    weights: st.SearchStrategy[float] | None = None,
    most: int = 3,
) -> Model:
    """Models of these kinds: by default of every kind that reads one way, and stacks of them.

    With up to `most` states, inputs and outputs, unless `inputs` and `outputs` say how many.  Each
    weight is from `weights`, by default from -2 to 2.  A kind makes its models by its `random`.
    """
    known = [kind for kind in map(kind_called, KINDS) if not issubclass(kind, Bidirectional)]
    chosen: list[type[Model]] = list(kinds or known)
    kind: type[Model] = draw(st.sampled_from(chosen))
    layers = [one for one in chosen if not issubclass(one, Stack)]
    size = st.integers(1, most)
    width = draw(size) if inputs is None else inputs
    wanted = draw(size) if outputs is None else outputs
    if issubclass(kind, Stack) and layers and draw(st.booleans()):
        made = []
        for last in [False] * draw(st.integers(0, 2)) + [True]:
            made.append(
                _layer(draw, draw(st.sampled_from(layers)), width, wanted if last else draw(size))
            )
            width = made[-1].states or made[-1].outputs
        model: Model = kind(made)
    else:
        model = _layer(draw, kind, width, wanted)
    for weight in model.parameters():
        weight.data = draw(weights or numbers(-2, 2))
    return model


def _layer(draw: st.DrawFn, kind: type[Model], inputs: int, outputs: int) -> Model:
    """A model by the `random` of its kind, whose arguments are chosen by their names."""
    choices: dict[str, st.SearchStrategy[Any]] = {
        "kind": st.sampled_from(recurrent_kinds()),
        "states": st.just(outputs),
        "inputs": st.just(inputs),
        "outputs": st.just(outputs),
        "layers": st.integers(1, 2),
        "activation": st.sampled_from(activations()),
    }
    taken = inspect.signature(kind.random).parameters
    made = kind.random(**{name: draw(choices[name]) for name in taken if name in choices})
    saved = made.to_dict()
    if saved.get("bias") is True and made.inputs > 0 and draw(st.booleans()):
        kept = {name: one for name, one in saved.items() if isinstance(one, str | int | float)}
        arguments = {name: one for name, one in kept.items() if name not in ("kind", "bias")}
        constructor: Any = type(made)
        bare: Model = constructor(saved["weights"][1:], bias=False, **arguments)
        return bare
    return made


def sequences(
    model: Model, *, entries: st.SearchStrategy[float] | None = None, most_steps: int = 4
) -> st.SearchStrategy[list[list[float]]]:
    """Sequences of inputs for the model, of one or more steps."""
    size = model.inputs
    vector = st.lists(entries or numbers(-2, 2), min_size=size, max_size=size)
    return st.lists(vector, min_size=1, max_size=most_steps)


def loss_of(
    model: Model, inputs: Sequence[Sequence[float]], loss: str | Loss | LossFunction, target: Any
) -> Callable[..., Any]:
    """The loss of the model over these inputs, as a function of its weights.

    The weights are in the order of `model.parameters()`, whose own numbers are not read.

    >>> from autograd_rnn import Linear
    >>> loss_of(Linear([[0], [0]]), [[10]], "squared_error", 5)(1.0, 0.5)
    1.0
    """
    number = not isinstance(target, list | tuple)
    goals = [target] if number else list(target)
    function, initial = as_loss(loss).function, list(model.initial)
    given = (model.step, function, model.parameters(), initial)
    objective = Objective(*given, every=False, number=number)

    def of_weights(*weights: Any) -> Any:
        state: Any = tuple(initial)
        for x in inputs:
            state, output = objective.call(state, tuple(x), weights)
        return objective.loss_of(output, goals)

    return of_weights


def losses(outputs: int = 1) -> st.SearchStrategy[tuple[Loss, Any]]:
    """Pairs of a loss and a target that fits that many outputs, over every registered loss."""
    one = st.deferred(lambda: st.sampled_from([*LOSSES.values()]))
    return one.flatmap(lambda loss: st.tuples(st.just(loss), targets(loss, outputs))).filter(
        lambda pair: _takes(pair[0], pair[1], outputs)
    )


def targets(loss: str | Loss | LossFunction, outputs: int = 1) -> st.SearchStrategy[Any]:
    """Targets that fit the loss and that many outputs: the number of a class, or a vector."""
    known = as_loss(loss)
    sides = st.lists(numbers(0, 1), min_size=outputs, max_size=outputs)
    vectors = st.lists(numbers(-3, 3), min_size=outputs, max_size=outputs)
    shares = sides.filter(lambda goals: sum(goals) > 0).map(
        lambda goals: [goal / sum(goals) for goal in goals]
    )
    kinds = (st.integers(0, outputs - 1).map(float), sides, shares, vectors)
    return st.one_of([kind.filter(lambda goal: _fits(known, goal, outputs)) for kind in kinds])


def _fits(loss: Loss, target: Any, outputs: int) -> bool:
    goals = target if isinstance(target, list) else [target]
    try:
        if loss.check is not None:
            loss.check(goals, outputs, "target")
    except ValueError:
        return False
    return True


def _takes(loss: Loss, target: Any, outputs: int) -> bool:
    try:
        loss([0.0] * outputs, target)
    except ValueError:
        return False
    return True


# --- the assertion -------------------------------------------------------------------------------


def assert_gradients(
    f: Callable[..., Any],
    *inputs: Argument,
    orders: int = 3,
    backends: Iterable[str] | None = None,
    differences: bool = True,
) -> tuple[str, ...]:
    """Check that all ways of computing `f` and its derivatives agree; return what was not compared.

    `f` takes a number or an array per input and returns a number; it has to work on Values, on
    plain numbers, and on both at once.  Compared are the value, and the derivatives up to the
    order (1 to 3) with respect to each input, where orders 2 and 3 first go along one direction: in
    reverse mode, forward mode, both nested in both orders, `backward`, `hessian`, `hvp`, `jacobian`
    and `vjp`; of each combination of Values and plain numbers; as a recorded program and on each of
    the `backends`, by default all that can run here, at these inputs and at others, where branches
    may change; and with numerical `differences`, which use no rule.

    `GradientError`, an `AssertionError`, names two ways that differ, where and by how much.  If one
    way refuses the inputs, all must raise an error of the same type, which is then raised.  Where
    no numerical derivative exists, such as at a kink, the result says so.

    >>> from autograd_rnn import stop_gradient, tanh
    >>> assert_gradients(lambda x, y: tanh(x * y), 0.5, 2.0, backends=["python"])
    ()
    >>> assert_gradients(lambda x: x * stop_gradient(x), 3.0, backends=["python"])
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.GradientError: order 1, with respect to inputs[0]: reverse mode ...
    """
    as_function(f, "f")
    as_integer(orders, "orders", least=1, most=3)
    point = [as_float(x, "inputs") for x in as_scalars(inputs, "inputs")]
    if not point:
        raise ArgumentValueError("inputs are missing: pass a number for each argument of f.")
    shapes = shapes_of(inputs)
    for name in backends or ():
        as_choice(name, "backends", Backend.kinds)
    able = [kind.name for kind in Backend.kinds.values() if not kind.explain()]

    def entrywise(*entries: Any) -> Any:
        return f(*in_shapes(entries, shapes))

    comparison = Comparison(entrywise, point, able if backends is None else list(backends))
    comparison.compare_values()
    for order in range(1, orders + 1):
        comparison.compare_modes(order)
        comparison.compare_combinations(order)
        comparison.compare_recorded(order)
        if differences:
            comparison.compare_with_differences(order)
    return tuple(comparison.skipped)
