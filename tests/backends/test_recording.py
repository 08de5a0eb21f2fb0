"""Steps that take derivatives, detach, compare, and use weights from outside: as on the engine."""

import importlib.util
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    BranchChanged,
    Model,
    RecordingError,
    Value,
    compile_step,
    grad,
    gradients,
    no_grad,
    tanh,
    value_and_grad,
)
from autograd_rnn.backends import Backend

from ..operations import BRANCHING, OPERATIONS, REFUSED
from .steps import agree, bits, flat

BACKENDS = [
    name
    for name, kind in Backend.kinds.items()
    if name != "eager" and all(map(importlib.util.find_spec, kind.requires))
]
names = st.sampled_from(list(OPERATIONS))
plans = st.lists(st.tuples(names, st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=6)


class Captured:
    """A random step, which takes some of its weights from itself and not from its arguments."""

    def __init__(self, plan: list[tuple[str, int, int]], seed: int) -> None:
        self.plan, self.chance = plan, random.Random(seed)
        self.weights = [Value(self.chance.uniform(-1, 1), f"w_{k}") for k in range(4)]
        self.captured = [self.chance.random() < 0.5 for _ in self.weights]

    def __call__(self, state: Any, x: Any, given: Any) -> Any:
        own = zip(self.captured, self.weights, given, strict=True)
        values = [*state, *x, *[weight if mine else other for mine, weight, other in own]]
        for name, a, b in self.plan:
            operation = OPERATIONS.get(name) or REFUSED[name]
            found = operation(values[a % len(values)], values[b % len(values)])
            values.append(found if isinstance(found, Value) else Value(found))
        output = tanh(values[-1] + self.weights[0] * values[-2])
        return (tanh(output * given[1]), output.detach()), output

    def loss(self, output: Any, target: Any) -> Any:
        error = output - target
        return error * error.detach() + 0.1 * self.weights[2] * self.weights[2]

    def compiled(self, backend: str, at: str = "last") -> Any:
        return compile_step(self, self.loss, self.weights, [0.3, -0.2], at=at, backend=backend)


@given(plans, st.integers(0, 2**32), st.sampled_from(["last", "every"]))
@settings(max_examples=settings().max_examples // 4)
def test_any_step_is_recorded_as_the_engine_takes_it(plan: Any, seed: int, at: str) -> None:
    step = Captured(plan, seed)
    sequences = [[[step.chance.uniform(-1, 1)] for _ in range(size)] for size in (1, 3)]
    targets: Any = [[0.5] * len(s) if at == "every" else 0.5 for s in sequences]
    eager = step.compiled("eager", at)
    compiled = {backend: step.compiled(backend, at) for backend in BACKENDS}
    for _ in range(2):
        expected = eager.loss_and_gradients(sequences, targets)
        terms, outputs = eager.gradients_per_step(sequences, targets), eager.predict(sequences)
        for backend, one in compiled.items():
            try:
                found = one.loss_and_gradients(sequences, targets)
                if backend == "python":
                    assert bits(found) == bits(expected)
                agree(found, expected)
                mine = flat([one.predict(sequences), one.gradients_per_step(sequences, targets)])
            except BranchChanged:
                assert BRANCHING & {name for name, *_ in plan}
                event(f"{backend}: another branch")
                continue
            assert mine == pytest.approx(flat([outputs, terms]), rel=1e-9, abs=1e-10)
        for weight in step.weights:
            weight.data -= 0.05


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_way_in_a_step_of_its_own(backend: str, name: str) -> None:
    step = Captured([(name, 0, 3), (name, 2, 6)], 1)
    given = [[[0.7]]], [0.5]
    agree(
        step.compiled(backend).loss_and_gradients(*given),
        step.compiled("eager").loss_and_gradients(*given),
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_leave_a_step_are_refused(backend: str, name: str) -> None:
    words = "is a plain number, which a recording would keep for all inputs"
    for plan in ([(name, 0, 3)], [(name, 3, 0)], [(name, 2, 3)]):
        with pytest.raises(RecordingError, match=words):
            Captured(plan, 1).compiled(backend).loss_and_gradients([[1]], [0.5])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_variable_that_is_not_listed_is_refused(backend: str) -> None:
    w, v = Value(0.5, "w"), Value(0.25, "v")
    with no_grad():
        constant = v * 2
    older, of_the_listed = v * 2, w * 2

    def compiled(step: Any, loss: Any = "squared_error") -> Any:
        return compile_step(step, loss, [w], [0.0], backend=backend)

    for step in (
        lambda q, x, p: (q, p[0] * v),
        lambda q, x, p: (q, p[0] + older),
        lambda q, x, p: (q, v),
        lambda q, x, p: ((v,), p[0] * q[0]),
        lambda q, x, p: (q, p[0] if x[0] < v else x[0]),
        lambda q, x, p: (q, p[0] * v.detach()),
        lambda q, x, p: (q, p[0] * v.data),
        lambda q, x, p: (q, grad(lambda y: y * v)(p[0])),
    ):
        with pytest.raises(RecordingError, match=r"v = 0\.25.*list it among the parameters, or"):
            compiled(step).loss_and_gradients([[1, 1]], [1])
    with pytest.raises(RecordingError, match=r"v = 0\.25"):
        compiled(lambda q, x, p: (q, p[0]), lambda z, t: z * v).loss_and_gradients([[1]], [1])
    with pytest.raises(RecordingError, match=r"depends on w = 0\.5, but was not computed in this"):
        compiled(lambda q, x, p: (q, of_the_listed)).loss_and_gradients([[1]], [1])
    eager = compile_step(lambda q, x, p: (q, p[0] * v), "squared_error", [w], [], backend="eager")
    assert eager.loss_and_gradients([[1]], [1.125]) == (1.0, [-0.5])
    held = compiled(lambda q, x, p: (q, p[0] * constant * Value(2.0)))
    assert held.loss_and_gradients([[1]], [1]) == (0.25, [-1.0])


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_a_model_that_uses_its_own_weights(backend: str) -> None:
    class Own(Model, kind=f"own weights on {backend}"):
        letters = gates = "h"

        def advance(self, state: Any, x: Any, weights: Any) -> Any:
            return {"h": [tanh(pi) for pi in self.sums(self.weights, state[0] + x)]}

    table, data = [[0.1, 0.2], [0.3, -0.4], [0.5, 0.6], [0.7, 0.8]], ([[1, 0, 1]], [[0.5, 0.5]])
    rnn = RNN(table, "tanh")

    def loss(pi: Any, target: Any) -> Any:
        return sum((z - t) * (z - t) for z, t in zip(pi, target, strict=True))

    def loss_of_sums(pi: Any, target: Any) -> Any:
        return loss([tanh(z) for z in pi], target)

    own, other = (
        Own(table).compile(loss, backend=backend),
        rnn.compile(loss_of_sums, backend="eager"),
    )
    agree(own.loss_and_gradients(*data), other.loss_and_gradients(*data))
    assert flat(own.gradients_per_step(*data)) == pytest.approx(
        flat(other.gradients_per_step(*data)), rel=1e-11
    )


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_contexts_around_a_compiled_step_do_not_reach_into_it(backend: str) -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    with no_grad():
        compiled = rnn.compile("squared_error", backend=backend)
        assert compiled.loss_and_gradients([[1, 0, 1]], [15]) == (4.0, [32.0, 68.0])
        assert compiled.gradients_per_step([[1, 0, 1]], [15]) == [
            [[0.0, 64.0], [16.0, 0.0], [16.0, 4.0]]
        ]
        assert compiled.predict([[1, 0, 1]]) == [17.0]


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_a_step_that_descends_an_energy(backend: str) -> None:
    """Its state follows the slope of a function of the weights, of the state and of the input."""
    w = Value(0.5, "w")

    def step(state: Any, x: Any, given: Any) -> Any:
        energy = w * state[0] * state[0] * x[0] + (state[0] - x[0]) ** 2
        by_state, by_input = gradients(energy, [state[0], x[0]])
        after = state[0] - 0.1 * by_state
        return (after,), after + by_input

    compiled = compile_step(step, "squared_error", [w], [1.0], backend=backend)

    def written_out(v: Any) -> Any:
        q: Any = Value(1.0)
        for x in (0.5, -0.25, 0.75):
            by_input = v * q * q - 2 * (q - x)
            q = q - 0.1 * (2 * v * q * x + 2 * (q - x))
            output = q + by_input
        return (output - 0.3) ** 2

    value, slope = value_and_grad(written_out)(0.5)
    found = compiled.loss_and_gradients([[0.5, -0.25, 0.75]], [0.3])
    assert found == (pytest.approx(value, rel=1e-12), [pytest.approx(slope, rel=1e-12)])


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_steps_that_return_weights_as_they_are(backend: str) -> None:
    w = [Value(0.5, "w_1"), Value(0.25, "w_2")]
    compiled = compile_step(
        lambda q, x, p: ((w[0],), q[0] * x[0]), lambda z, t: z * t, w, [0.0], backend=backend
    )
    assert compiled.loss_and_gradients([[1, 3]], [2]) == (3.0, [6.0, 0.0])
    assert compiled.gradients_per_step([[1, 3]], [2]) == [[[6.0, 0.0], [0.0, 0.0]]]
    weight = compile_step(lambda q, x, p: (q, x[0]), lambda z, t: w[1], w, [], backend=backend)
    assert weight.loss_and_gradients([[1, 3]], [2]) == (0.25, [0.0, 1.0])
    assert weight.gradients_per_step([[1, 3]], [2]) == [[[0.0, 0.0], [0.0, 1.0]]]


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_the_gradient_by_a_constant_parameter_is_0(backend: str) -> None:
    with no_grad():
        frozen = Value(0.25) * 2
    step = compile_step(
        lambda q, x, p: (q, p[0] * p[1] * x[0]),
        "squared_error",
        [frozen, Value(3.0)],
        [],
        backend=backend,
    )
    assert step.loss_and_gradients([[2]], [1]) == (4.0, [0.0, 4.0])
    assert step.gradients_per_step([[2]], [1]) == [[[0.0, 4.0]]]
    frozen.data = 1.0
    assert step.loss_and_gradients([[2]], [1]) == (25.0, [0.0, 20.0])


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
def test_a_compiled_step_drops_no_variable_of_a_derivative_outside(backend: str) -> None:
    def listed(w: Any) -> Any:
        step = compile_step(
            lambda q, x, p: (q, p[0] * x[0]), "squared_error", [w], [], backend=backend
        )
        return step.loss_and_gradients([[2]], [1])[0]

    def captured(w: Any) -> Any:
        step = compile_step(lambda q, x, p: (q, w * x[0]), "squared_error", [], [], backend=backend)
        return step.loss_and_gradients([[2]], [1])[0]

    def predicted(w: Any) -> Any:
        step = compile_step(lambda q, x, p: (q, w * x[0]), "squared_error", [], [], backend=backend)
        return step.predict([[2]])[0]

    def predicted_with_others(w: Any) -> Any:
        step = compile_step(
            *(lambda q, x, p: (q, (x[0], w * x[0])), "squared_error", [], []), backend=backend
        )
        return step.predict([[2]])[0][1]

    for f in (listed, captured, predicted, predicted_with_others):
        with pytest.raises((ValueError, RecordingError), match="a variable of an outer derivative"):
            grad(f)(3.0)
    closed = compile_step(
        lambda q, x, p: (q, p[0] * x[0]), "squared_error", [Value(3.0)], [], backend=backend
    )
    assert grad(lambda w: w * closed.loss_and_gradients([[2]], [1])[0])(1.0) == 25.0


def test_threads_share_parameters() -> None:
    """What one thread differentiates by them changes nothing in another."""
    w = Value(0.5, "w")

    def step(state: Any, x: Any, given: Any) -> Any:
        def beside() -> Any:
            other = compile_step(
                lambda q, x, p: (q, p[0] * x[0]), "squared_error", [w], [], backend="eager"
            )
            return gradients(w * w, [w]), other.loss_and_gradients([[1]], [1])

        with ThreadPoolExecutor() as pool:
            assert pool.submit(beside).result() == ((1.0,), (0.25, [-1.0]))
        return state, given[0] * x[0]

    compiled = compile_step(step, "squared_error", [w], [], backend="eager")
    assert compiled.loss_and_gradients([[1]], [1]) == (0.25, [-1.0])
